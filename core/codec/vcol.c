/* Value columns: doubles, bit-exact, as scaled integers wherever they are decimal.
 *
 *     vcol  = u8 head | body
 *     head  = scale (3 bits) | order << 3 (2 bits) | odd << 5 | step << 6 | raw << 7
 *     raw set (head = 0x80): n x 8 bytes, little-endian
 *     else  [u8 scale2]                      scale = 6
 *           [varint count | count x odd]     odd set: values that are no such decimals
 *           ints                             ints.c, of this order, with a step where step is set
 *     scale = 0..5: value = m / 10^scale; 6: by scale2: 0..22 m / 10^scale2 (decimal.c), 0x80 | s
 *             (s <= 63) the bits of the double, below; 7 is not used
 *     odd   = varint gap << 1 | is_stale, then 8 bytes unless is_stale: the value `gap` places
 *             behind the last odd one. Stale is the staleness marker 0x7ff0000000000002.
 *     bits  : the 64 bits shifted right s times (those are 0 in all values), arithmetically; for
 *             negative ones all bits below the sign flipped, so that the order is that of numbers
 *
 * True doubles of one magnitude share exponent and leading mantissa bits; as integers their
 * differences lose these just as an XOR would (Gorilla, VLDB 2015), and go through the same
 * vectorised streams. Any thread. */
#include "core/codec/decimal.h"
#include "core/codec/fused.h"
#include "core/codec/ints.h"

enum { SCALE_MASK = 7, SCALE_BYTE = 6, ODD = 1 << 5, STEP = 1 << 6, RAW = 1 << 7, BITS = 0x80 };
#define STALE 0x7ff0000000000002ULL

static inline int64_t flip(int64_t x, unsigned shift)
{
    return x < 0 ? x ^ (INT64_MAX >> shift) : x;
}

static unsigned common_zeros(const double *v, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= pl_f64_bits(v[i]);
    }
    return any ? (unsigned)__builtin_ctzll(any) : 0;
}

static void to_bits(const double *v, size_t n, unsigned shift, int64_t *m)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = flip((int64_t)pl_f64_bits(v[i]) >> shift, shift);
    }
}

static void from_bits(const int64_t *m, size_t n, unsigned shift, double *v)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = pl_bits_f64((uint64_t)flip(m[i], shift) << shift);
    }
}

static size_t odd_bytes(const double *v, const struct pl__decimal *d)
{
    size_t bytes = d->n_odd > 0;
    for (size_t i = 0; i < d->n_odd; i++) {
        bytes += pl_f64_bits(v[d->odd[i]]) == STALE ? 2 : 10;
    }
    return bytes;
}

static void put_odd(const double *v, const struct pl__decimal *d, struct pl_buf *out)
{
    pl_buf_varint(out, d->n_odd);
    size_t next = 0;
    for (size_t i = 0; i < d->n_odd; i++) {
        uint64_t bits = pl_f64_bits(v[d->odd[i]]);
        pl_buf_varint(out, (uint64_t)(d->odd[i] - next) << 1 | (bits == STALE));
        if (bits != STALE) {
            pl_buf_u64(out, bits);
        }
        next = d->odd[i] + 1u;
    }
}

int pl_vcol_encode(const double *v, size_t n, enum pl_effort effort, struct pl_buf *out)
{
    if (n == 0 || n > PL_CHUNK_MAX) {
        return PL_EINVAL;
    }
    struct pl__decimal d;
    struct pl__ints_plan plan = {.bytes = UINT32_MAX}, bits;
    int64_t m[PL_CHUNK_MAX], b[PL_CHUNK_MAX];
    size_t at = out->n, bytes = n * 8;
    bool raw = true, as_bits = false;
    pl__decimal_encode(v, n, &d, m);
    if (d.e >= 0) {
        pl__ints_plan(m, n, effort, false, &plan);
        size_t odd = odd_bytes(v, &d);
        raw = plan.bytes + odd >= bytes;
        bytes = raw ? bytes : plan.bytes + odd;
    }
    unsigned shift = 0;
    if (d.e < 0 || d.n_odd > n / 16) {
        shift = common_zeros(v, n);
        to_bits(v, n, shift, b);
        pl__ints_plan(b, n, effort, false, &bits);
        if (bits.bytes + 1 < bytes) {
            raw = false;
            as_bits = true;
            plan = bits;
        }
    }
    if (raw) {
        pl_buf_u8(out, RAW);
        pl_buf_add(out, v, n * 8);
    } else {
        bool odd = !as_bits && d.n_odd > 0, byte = as_bits || d.e >= SCALE_BYTE;
        unsigned head = byte ? SCALE_BYTE : (unsigned)d.e;
        head |= (unsigned)plan.order << 3 | (odd ? ODD : 0) | (plan.step > 1 ? STEP : 0);
        pl_buf_u8(out, (uint8_t)head);
        if (byte) {
            pl_buf_u8(out, as_bits ? (uint8_t)(BITS | shift) : (uint8_t)d.e);
        }
        if (odd) {
            put_odd(v, &d, out);
        }
        pl__ints_put(as_bits ? b : m, n, &plan, out);
    }
    return out->failed ? PL_ENOMEM : (int)(out->n - at);
}

struct odds {
    uint32_t n;
    uint16_t at[PL_CHUNK_MAX];
    uint64_t bits[PL_CHUNK_MAX];
};

static const uint8_t *get_odd(const uint8_t *p, const uint8_t *end, size_t n, struct odds *o)
{
    uint64_t count, gap;
    p = pl_varint_get(p, end, &count);
    if (!p || count > n) {
        return NULL;
    }
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        p = pl_varint_get(p, end, &gap);
        if (!p || next >= n || gap >> 1 >= n - next) {
            return NULL;
        }
        o->at[i] = (uint16_t)(next + (gap >> 1));
        next = o->at[i] + 1u;
        o->bits[i] = STALE;
        if (!(gap & 1)) {
            if (end - p < 8) {
                return NULL;
            }
            o->bits[i] = pl_rd64(p);
            p += 8;
        }
    }
    o->n = (uint32_t)count;
    return p;
}

/* Scale and whether it says bits; NULL when corrupt. */
static const uint8_t *get_scale(const uint8_t *p, const uint8_t *end, unsigned *scale)
{
    if (*scale != SCALE_BYTE) {
        return *scale < SCALE_BYTE ? p : NULL;
    }
    if (p >= end) {
        return NULL;
    }
    *scale = *p++;
    bool good = *scale & BITS ? *scale <= (BITS | 63) : *scale <= PL__DECIMAL_MAX;
    return good ? p : NULL;
}

int pl_vcol_decode(const uint8_t *src, size_t n_src, size_t n, double *v)
{
    const uint8_t *p = src, *end = src + n_src;
    if (n == 0 || n > PL_CHUNK_MAX || n_src == 0) {
        return PL_ECORRUPT;
    }
    unsigned head = *p++, scale = head & SCALE_MASK;
    if (head & RAW) {
        if (head != RAW || (size_t)(end - p) < n * 8) {
            return PL_ECORRUPT;
        }
        memcpy(v, p, n * 8);
        return (int)(1 + n * 8);
    }
    p = get_scale(p, end, &scale);
    enum pl__ints_order order = (enum pl__ints_order)(head >> 3 & 3);
    if (p && !(head & (ODD | STEP)) && !(scale & BITS)) {
        const uint8_t *done = pl__fused_get(p, end, n, order, (int)scale, v);
        if (done) {
            return (int)(done - src);
        }
    }
    struct odds odd;
    odd.n = 0;
    if (p && head & ODD) {
        p = get_odd(p, end, n, &odd);
    }
    int64_t m[PL_CHUNK_MAX];
    p = p ? pl__ints_get(p, end, n, order, head & STEP, m) : NULL;
    if (!p) {
        return PL_ECORRUPT;
    }
    if (scale & BITS) {
        from_bits(m, n, scale & 63, v);
    } else {
        pl__decimal_decode(m, n, (int)scale, v);
    }
    for (size_t i = 0; i < odd.n; i++) {
        v[odd.at[i]] = pl_bits_f64(odd.bits[i]);
    }
    return (int)(p - src);
}

int pl_vcol_summary(const uint8_t *src, size_t n_src, size_t n, struct pl_chunk_summary *out)
{
    struct pl_chunk_summary none = {.has = false};
    const uint8_t *p = src, *end = src + n_src;
    if (n == 0 || n > PL_CHUNK_MAX || n_src == 0) {
        return PL_ECORRUPT;
    }
    unsigned head = *p++, scale = head & SCALE_MASK;
    p = head & RAW ? NULL : get_scale(p, end, &scale);
    int64_t first, slope;
    if (head & RAW || !p || head & (ODD | STEP) || scale & BITS ||
        !pl__ints_line(p, end, n, (enum pl__ints_order)(head >> 3 & 3), &first, &slope)) {
        *out = none;
        return p || head & RAW ? 0 : PL_ECORRUPT;
    }
    int64_t m[2], reach, limit = 1LL << 42; /* 512 terms of 2^42 stay below 2^53 */
    double v[2];
    if (__builtin_mul_overflow(slope, (int64_t)(n - 1), &reach) ||
        __builtin_add_overflow(first, reach, &m[1])) {
        *out = none;
        return 0;
    }
    m[0] = first;
    pl__decimal_decode(m, 2, (int)scale, v);
    *out = (struct pl_chunk_summary){.first = v[0], .last = v[1], .min = v[0], .max = v[1],
                                     .has = true};
    if (v[1] < v[0]) {
        out->min = v[1];
        out->max = v[0];
    }
    if (scale == 0 && m[0] < limit && m[0] > -limit && m[1] < limit && m[1] > -limit) {
        int64_t sum = (int64_t)n * first + slope * (int64_t)(n * (n - 1) / 2);
        out->has_sums = true;
        out->sum = (double)sum;
        /* falling all the way, a counter was reset before each sample */
        out->increase = (double)(slope >= 0 ? m[1] - m[0] : sum - first);
    }
    return 0;
}
