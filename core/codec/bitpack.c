/* Bit packing: the scalar reference, and the group-of-eight version with AVX2. Format and idea in
 * bitpack.h. Any thread. */
#include "core/codec/bitpack.h"

void pl__pack_bits(const uint64_t *u, size_t n, unsigned w, uint8_t *out)
{
    uint64_t acc = 0;
    unsigned used = 0;
    if (w == 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        acc |= u[i] << used;
        if (used + w >= 64) {
            pl_wr64(out, acc);
            out += 8;
            acc = used ? u[i] >> (64 - used) : 0;
            used = used + w - 64;
        } else {
            used += w;
        }
    }
    while (used > 0) {
        *out++ = (uint8_t)acc;
        acc >>= 8;
        used = used > 8 ? used - 8 : 0;
    }
}

/* The bits from `bit` on, as far as they are inside n_src; at least 57 of them are right. */
static inline uint64_t window(const uint8_t *src, size_t n_src, size_t at)
{
    if (at + 8 <= n_src) {
        return pl_rd64(src + at);
    }
    uint64_t x = 0;
    for (size_t i = 0; at + i < n_src; i++) {
        x |= (uint64_t)src[at + i] << (8 * i);
    }
    return x;
}

static void unpack_from(const uint8_t *src, size_t n_src, size_t n, unsigned w, int64_t base,
                        int64_t *out)
{
    uint64_t mask = pl__mask(w);
    for (size_t i = 0; i < n; i++) {
        size_t bit = i * w, at = bit >> 3;
        unsigned shift = bit & 7;
        uint64_t x = window(src, n_src, at) >> shift;
        if (shift + w > 64) {
            x |= (uint64_t)src[at + 8] << (64 - shift);
        }
        out[i] = pl__wadd(base, (int64_t)(x & mask));
    }
}

void pl__unpack_scalar(const uint8_t *src, size_t n, unsigned w, int64_t base, int64_t *out)
{
    unpack_from(src, pl__packed_bytes(n, w), n, w, base, out);
}

#ifdef PL__X86
#include <immintrin.h>

/* Narrow (w <= 25): values 0-3 in 32-bit lanes of the low half, loaded from byte 0 of the group,
 * values 4-7 in the high half, loaded from byte 4w/8. */
#define N_AT(w, i)    (((i) * (w) - ((i) >= 4 ? ((4 * (w)) >> 3) * 8 : 0)))
#define N_B(w, i, j)  ((N_AT(w, i) >> 3) + (j))
#define N_BYTES(w, i) N_B(w, i, 0), N_B(w, i, 1), N_B(w, i, 2), N_B(w, i, 3)
#define NARROW(w)                                                                                  \
    {                                                                                              \
        {N_BYTES(w, 0), N_BYTES(w, 1), N_BYTES(w, 2), N_BYTES(w, 3),                               \
         N_BYTES(w, 4), N_BYTES(w, 5), N_BYTES(w, 6), N_BYTES(w, 7)},                              \
            {N_AT(w, 0) & 7, N_AT(w, 1) & 7, N_AT(w, 2) & 7, N_AT(w, 3) & 7,                       \
             N_AT(w, 4) & 7, N_AT(w, 5) & 7, N_AT(w, 6) & 7, N_AT(w, 7) & 7},                      \
    }
#define NARROW5(w) NARROW(w), NARROW((w) + 1), NARROW((w) + 2), NARROW((w) + 3), NARROW((w) + 4)
const struct pl__narrow pl__narrow[25] = {NARROW5(1), NARROW5(6), NARROW5(11), NARROW5(16),
                                          NARROW5(21)};

/* Wide (26 <= w <= 57): a pair of values in the 64-bit lanes of each 16-byte load. */
#define W_AT(w, i)   ((i) * (w) - (((((i) / 2) * 2) * (w)) >> 3) * 8)
#define W_B(w, i, j) ((W_AT(w, i) >> 3) + (j))
#define W_BYTES(w, i)                                                                              \
    W_B(w, i, 0), W_B(w, i, 1), W_B(w, i, 2), W_B(w, i, 3), W_B(w, i, 4), W_B(w, i, 5),            \
        W_B(w, i, 6), W_B(w, i, 7)
#define WIDE(w)                                                                                    \
    {                                                                                              \
        {W_BYTES(w, 0), W_BYTES(w, 1), W_BYTES(w, 2), W_BYTES(w, 3),                               \
         W_BYTES(w, 4), W_BYTES(w, 5), W_BYTES(w, 6), W_BYTES(w, 7)},                              \
            {W_AT(w, 0) & 7, W_AT(w, 1) & 7, W_AT(w, 2) & 7, W_AT(w, 3) & 7,                       \
             W_AT(w, 4) & 7, W_AT(w, 5) & 7, W_AT(w, 6) & 7, W_AT(w, 7) & 7},                      \
    }
#define WIDE4(w) WIDE(w), WIDE((w) + 1), WIDE((w) + 2), WIDE((w) + 3)
static const struct {
    uint8_t shuffle[64];
    uint64_t shift[8];
} wide[32] = {WIDE4(26), WIDE4(30), WIDE4(34), WIDE4(38),
              WIDE4(42), WIDE4(46), WIDE4(50), WIDE4(54)};

static inline __m128i load16(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)p); }

/* Both loops stop before a load would leave n_src bytes. */
PL__AVX2 static size_t unpack_narrow(const uint8_t *src, size_t n_src, size_t n, unsigned w,
                                     int64_t base, int64_t *out)
{
    const __m256i shuffle = _mm256_loadu_si256((const __m256i *)pl__narrow[w - 1].shuffle);
    const __m256i shift = _mm256_loadu_si256((const __m256i *)pl__narrow[w - 1].shift);
    const __m256i mask = _mm256_set1_epi32((int)pl__mask(w)), vbase = _mm256_set1_epi64x(base);
    size_t half = (4 * w) >> 3, i = 0;
    for (size_t at = 0; i + 8 <= n && at + half + 16 <= n_src; i += 8, at += w) {
        __m256i x = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(src + at)),
                                            load16(src + at + half), 1);
        x = _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(x, shuffle), shift), mask);
        __m256i lo = _mm256_cvtepu32_epi64(_mm256_castsi256_si128(x));
        __m256i hi = _mm256_cvtepu32_epi64(_mm256_extracti128_si256(x, 1));
        _mm256_storeu_si256((__m256i *)(out + i), _mm256_add_epi64(lo, vbase));
        _mm256_storeu_si256((__m256i *)(out + i + 4), _mm256_add_epi64(hi, vbase));
    }
    return i;
}

PL__AVX2 static size_t unpack_wide(const uint8_t *src, size_t n_src, size_t n, unsigned w,
                                   int64_t base, int64_t *out)
{
    const __m256i *table = (const __m256i *)wide[w - 26].shuffle;
    const __m256i *shifts = (const __m256i *)wide[w - 26].shift;
    const __m256i shuf0 = _mm256_loadu_si256(table), shuf1 = _mm256_loadu_si256(table + 1);
    const __m256i shift0 = _mm256_loadu_si256(shifts), shift1 = _mm256_loadu_si256(shifts + 1);
    const __m256i mask = _mm256_set1_epi64x((int64_t)pl__mask(w));
    const __m256i vbase = _mm256_set1_epi64x(base);
    size_t o1 = (2 * w) >> 3, o2 = (4 * w) >> 3, o3 = (6 * w) >> 3, i = 0;
    for (size_t at = 0; i + 8 <= n && at + o3 + 16 <= n_src; i += 8, at += w) {
        const uint8_t *p = src + at;
        __m256i lo = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(p)), load16(p + o1), 1);
        __m256i hi =
            _mm256_inserti128_si256(_mm256_castsi128_si256(load16(p + o2)), load16(p + o3), 1);
        lo = _mm256_and_si256(_mm256_srlv_epi64(_mm256_shuffle_epi8(lo, shuf0), shift0), mask);
        hi = _mm256_and_si256(_mm256_srlv_epi64(_mm256_shuffle_epi8(hi, shuf1), shift1), mask);
        _mm256_storeu_si256((__m256i *)(out + i), _mm256_add_epi64(lo, vbase));
        _mm256_storeu_si256((__m256i *)(out + i + 4), _mm256_add_epi64(hi, vbase));
    }
    return i;
}

void pl__unpack_avx2(const uint8_t *src, size_t n_src, size_t n, unsigned w, int64_t base,
                     int64_t *out)
{
    size_t (*unpack)(const uint8_t *, size_t, size_t, unsigned, int64_t, int64_t *) =
        w <= 25 ? unpack_narrow : unpack_wide;
    size_t done = unpack(src, n_src, n, w, base, out), at = done / 8 * w;
    if (done == n) {
        return;
    }
    /* what is left starts less than 58 bytes before the end, or is less than a group */
    uint8_t tail[PL__TAIL_BYTES] = {0};
    int64_t last[8];
    memcpy(tail, src + at, pl__packed_bytes(n - done, w));
    size_t whole = unpack(tail, sizeof tail, n - done, w, base, out + done);
    if (done + whole < n) {
        unpack(tail + whole / 8 * w, sizeof tail - whole / 8 * w, 8, w, base, last);
        memcpy(out + done + whole, last, (n - done - whole) * sizeof *out);
    }
}
#endif

int pl__unpack_bits(const uint8_t *src, size_t n_src, size_t n, unsigned w, int64_t base,
                    int64_t *out)
{
    size_t used = pl__packed_bytes(n, w);
    if (used > n_src) {
        return PL_ECORRUPT;
    }
#ifdef PL__X86
    if (w >= 1 && w <= 57 && pl__have_avx2()) {
        pl__unpack_avx2(src, n_src, n, w, base, out);
        return (int)used;
    }
#endif
    unpack_from(src, n_src, n, w, base, out);
    return (int)used;
}
