/* The commonest columns straight from bytes to doubles: eight values are unpacked in 32-bit lanes,
 * summed up there where they are differences (a scan in three steps; eight times 2^27 fits), made
 * doubles, carried on and scaled as doubles, which is exact below 2^53. Nothing but the result is
 * stored. Any thread. */
#include "core/codec/fused.h"
#include "core/codec/decimal.h"

#ifdef PL__X86
#include <immintrin.h>

#define PL__FMA __attribute__((target("avx2,fma")))
enum { NARROW = 25 };
#define START_LIMIT (1LL << 51)
#define DELTA_LIMIT (1LL << 26)

struct run {
    unsigned w;
    bool delta;
    double scale; /* 10^e; 1 for integers */
    int64_t base; /* of the stream */
    double carry; /* DELTA: the integer before the next one */
};

/* n values (whole groups, or as many as fit into n_src bytes); returns how many. */
PL__FMA static inline __attribute__((always_inline)) size_t groups(struct run *r,
                                                                   const uint8_t *src, size_t n_src,
                                                                   size_t n, bool delta,
                                                                   bool scaled, double *v)
{
    const struct pl__narrow *k = &pl__narrow[r->w - 1];
    const __m256i shuffle = _mm256_loadu_si256((const __m256i *)k->shuffle);
    const __m256i shift = _mm256_loadu_si256((const __m256i *)k->shift);
    const __m256i mask = _mm256_set1_epi32((int)pl__mask(r->w));
    const __m256i base = _mm256_set1_epi32(delta ? (int)r->base : 0);
    const __m256d p = _mm256_set1_pd(r->scale), y = _mm256_set1_pd(1 / r->scale);
    __m256d carry = _mm256_set1_pd(delta ? r->carry : (double)r->base);
    size_t half = (4 * r->w) >> 3, i = 0;
    for (size_t at = 0; i + 8 <= n && at + half + 16 <= n_src; i += 8, at += r->w) {
        __m128i a = _mm_loadu_si128((const __m128i *)(src + at));
        __m128i b = _mm_loadu_si128((const __m128i *)(src + at + half));
        __m256i x = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
        x = _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(x, shuffle), shift), mask);
        if (delta) {
            x = _mm256_add_epi32(x, base);
            x = _mm256_add_epi32(x, _mm256_slli_si256(x, 4));
            x = _mm256_add_epi32(x, _mm256_slli_si256(x, 8));
            __m256i low_total = _mm256_permutevar8x32_epi32(x, _mm256_set1_epi32(3));
            x = _mm256_add_epi32(x, _mm256_blend_epi32(_mm256_setzero_si256(), low_total, 0xf0));
        }
        __m256d lo = _mm256_cvtepi32_pd(_mm256_castsi256_si128(x));
        __m256d hi = _mm256_cvtepi32_pd(_mm256_extracti128_si256(x, 1));
        __m256d total = _mm256_permute4x64_pd(hi, 0xff);
        lo = _mm256_add_pd(lo, carry);
        hi = _mm256_add_pd(hi, carry);
        if (delta) {
            carry = _mm256_add_pd(carry, total);
        }
        if (scaled) { /* the division of decimal.c */
            __m256d q = _mm256_mul_pd(lo, y), s = _mm256_mul_pd(hi, y);
            lo = _mm256_fmadd_pd(_mm256_fnmadd_pd(q, p, lo), y, q);
            hi = _mm256_fmadd_pd(_mm256_fnmadd_pd(s, p, hi), y, s);
        }
        _mm256_storeu_pd(v + i, lo);
        _mm256_storeu_pd(v + i + 4, hi);
    }
    r->carry = _mm256_cvtsd_f64(carry);
    return i;
}

PL__FMA static size_t plain_scaled(struct run *r, const uint8_t *p, size_t n_p, size_t n, double *v)
{
    return groups(r, p, n_p, n, false, true, v);
}
PL__FMA static size_t plain_whole(struct run *r, const uint8_t *p, size_t n_p, size_t n, double *v)
{
    return groups(r, p, n_p, n, false, false, v);
}
PL__FMA static size_t delta_scaled(struct run *r, const uint8_t *p, size_t n_p, size_t n, double *v)
{
    return groups(r, p, n_p, n, true, true, v);
}
PL__FMA static size_t delta_whole(struct run *r, const uint8_t *p, size_t n_p, size_t n, double *v)
{
    return groups(r, p, n_p, n, true, false, v);
}

/** Up to eight bytes as one number. */
static inline uint64_t load_few(const uint8_t *p, size_t n)
{
    if (n >= 8) {
        return pl_rd64(p);
    }
    if (n >= 4) {
        return pl_rd32(p) | (uint64_t)pl_rd32(p + n - 4) << (8 * n - 32);
    }
    return n == 0 ? 0
                  : p[0] | (uint64_t)p[n / 2] << (n / 2 * 8) | (uint64_t)p[n - 1] << (8 * n - 8);
}

/** Less than a group, one by one. */
static void decode_few(const struct run *r, const uint8_t *src, size_t n, int e, double *v)
{
    uint8_t room[32 + 8]; /* 7 of at most 25 bits, and a load behind */
    int64_t m[8], x = r->delta ? (int64_t)r->carry : r->base;
    size_t bytes = pl__packed_bytes(n, r->w);
    uint64_t all = load_few(src, bytes);
    if (bytes > 8) {
        memset(room, 0, sizeof room);
        memcpy(room, src, bytes);
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t at = bytes <= 8 ? all >> i * r->w : pl_rd64(room + i * r->w / 8) >> i * r->w % 8;
        int64_t d = (int64_t)(at & pl__mask(r->w));
        x += r->delta ? r->base + d : 0;
        m[i] = r->delta ? x : x + d;
    }
    pl__decimal_decode_scalar(m, n, e, v);
}

static void decode(struct run *r, const uint8_t *src, size_t n_src, size_t n, double *v)
{
    static size_t (*const all[4])(struct run *, const uint8_t *, size_t, size_t, double *) = {
        plain_whole, plain_scaled, delta_whole, delta_scaled};
    size_t (*fn)(struct run *, const uint8_t *, size_t, size_t, double *) =
        all[r->delta * 2 + (r->scale != 1)];
    size_t done = fn(r, src, n_src, n, v);
    if (done < n) {
        /* the rest, less than 28 bytes or less than a group, from a copy with room behind it */
        uint8_t tail[PL__TAIL_BYTES] = {0};
        double last[8];
        memcpy(tail, src + done / 8 * r->w, pl__packed_bytes(n - done, r->w));
        size_t whole = fn(r, tail, sizeof tail, n - done, v + done);
        if (done + whole < n) {
            size_t at = whole / 8 * r->w;
            fn(r, tail + at, sizeof tail - at, 8, last);
            memcpy(v + done + whole, last, (n - done - whole) * sizeof *v);
        }
    }
}

const uint8_t *pl__fused_get(const uint8_t *p, const uint8_t *end, size_t n,
                             enum pl__ints_order order, int e, double *v)
{
    struct run r = {.delta = order == PL__INTS_DELTA, .scale = pl__pow10_f64[e]};
    int64_t x0 = 0;
    if (order > PL__INTS_DELTA || !pl__have_avx2()) {
        return NULL;
    }
    if (r.delta) {
        p = pl__get_zigzag(p, end, &x0);
    }
    if (!p || p >= end || *p >> 6 != PL__STREAM_PACK || *p == 0 || *p > NARROW) {
        return NULL;
    }
    r.w = *p;
    p = pl__get_zigzag(p + 1, end, &r.base);
    size_t skip = r.delta, used = pl__packed_bytes(n - skip, r.w);
    int64_t limit = r.delta ? DELTA_LIMIT : START_LIMIT;
    if (!p || (size_t)(end - p) < used || r.base <= -limit || r.base >= limit ||
        x0 <= -START_LIMIT || x0 >= START_LIMIT) {
        return NULL;
    }
    if (r.delta) {
        r.carry = (double)x0;
        pl__decimal_decode_scalar(&x0, 1, e, v);
    }
    if (n - skip < 8) {
        decode_few(&r, p, n - skip, e, v + skip);
    } else {
        decode(&r, p, (size_t)(end - p), n - skip, v + skip);
    }
    return p + used;
}
#else
const uint8_t *pl__fused_get(const uint8_t *p, const uint8_t *end, size_t n,
                             enum pl__ints_order order, int e, double *v)
{
    (void)p, (void)end, (void)n, (void)order, (void)e, (void)v;
    return NULL;
}
#endif
