/* Value columns: doubles, bit-exact, as scaled integers wherever they are decimal.
 *
 *     vcol  = u8 head | body
 *     head  = scale (3 bits) | order << 3 (2 bits) | odd << 5 | step << 6 | raw << 7
 *     raw set (head = 0x80): n x 8 bytes, little-endian
 *     else  [u8 scale2]                      scale = 6, 7
 *           [varint count | count x odd]     odd set: values that are no such decimals
 *           [stream of n corrections]        scale = 7 (stream.c)
 *           ints                             ints.c, of this order, with a step where step is set
 *     scale = 0..5: value = m / 10^scale; 6: by scale2: 0..22 m / 10^scale2 (decimal.c), 0x80 | s
 *             (s <= 63) the bits of the double, below; 7: m / 10^scale2 (0..22), then the
 *             correction added to its 64 bits: sums of decimals miss the nearest double by an ulp
 * or two odd   = varint gap << 1 | is_stale, then 8 bytes unless is_stale: the value `gap` places
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

enum { SCALE_MASK = 7, SCALE_BYTE = 6, SCALE_NEAR = 7 };
enum { ODD = 1 << 5, STEP = 1 << 6, RAW = 1 << 7, BITS = 0x80 };
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

/* How a column is going to be written, and the integers it becomes. */
struct choice {
    size_t bytes;           /* without head */
    unsigned scale, scale2; /* scale2 as a byte where scale >= SCALE_BYTE */
    bool raw;
    struct pl__decimal d; /* odd values */
    struct pl__ints_plan ints;
    struct pl__stream_plan fixes;
    int64_t m[PL_CHUNK_MAX], fix[PL_CHUNK_MAX];
};

/* As exact decimals; d.n_odd says how well that went. */
static void choose_decimal(const double *v, size_t n, enum pl_effort effort, struct choice *c)
{
    pl__decimal_encode(v, n, &c->d, c->m);
    c->raw = true;
    c->bytes = n * 8;
    if (c->d.e < 0) {
        return;
    }
    pl__ints_plan(c->m, n, effort, false, &c->ints);
    size_t bytes = c->ints.bytes + odd_bytes(v, &c->d) + (c->d.e >= SCALE_BYTE);
    if (bytes < c->bytes) {
        c->raw = false;
        c->bytes = bytes;
        c->scale = c->d.e < SCALE_BYTE ? (unsigned)c->d.e : SCALE_BYTE;
        c->scale2 = (unsigned)c->d.e;
    }
}

static void choose_bits(const double *v, size_t n, enum pl_effort effort, struct choice *c)
{
    unsigned shift = common_zeros(v, n);
    c->scale = SCALE_BYTE;
    c->scale2 = BITS | shift;
    c->raw = false;
    c->d.n_odd = 0;
    to_bits(v, n, shift, c->m);
    pl__ints_plan(c->m, n, effort, false, &c->ints);
    c->bytes = c->ints.bytes + 1u;
}

static void choose_near(const double *v, size_t n, enum pl_effort effort, struct choice *c)
{
    pl__decimal_near(v, n, &c->d, c->m, c->fix);
    c->scale = SCALE_NEAR;
    c->scale2 = (unsigned)c->d.e;
    c->raw = false;
    pl__ints_plan(c->m, n, effort, false, &c->ints);
    pl__stream_plan(c->fix, n, effort, &c->fixes);
    c->bytes = c->ints.bytes + c->fixes.bytes + odd_bytes(v, &c->d) + 1u;
}

static void put(const double *v, size_t n, const struct choice *c, struct pl_buf *out)
{
    if (c->raw) {
        pl_buf_u8(out, RAW);
        pl_buf_add(out, v, n * 8);
        return;
    }
    unsigned head = c->scale | (unsigned)c->ints.order << 3;
    head |= (c->d.n_odd ? ODD : 0) | (c->ints.step > 1 ? STEP : 0);
    pl_buf_u8(out, (uint8_t)head);
    if (c->scale >= SCALE_BYTE) {
        pl_buf_u8(out, (uint8_t)c->scale2);
    }
    if (c->d.n_odd) {
        put_odd(v, &c->d, out);
    }
    if (c->scale == SCALE_NEAR) {
        pl__stream_put(c->fix, n, &c->fixes, out);
    }
    pl__ints_put(c->m, n, &c->ints, out);
}

int pl_vcol_encode(const double *v, size_t n, enum pl_effort effort, struct pl_buf *out)
{
    if (n == 0 || n > PL_CHUNK_MAX) {
        return PL_EINVAL;
    }
    struct choice first, other, near;
    const struct choice *best = &first;
    size_t at = out->n;
    choose_decimal(v, n, effort, &first);
    if (first.raw || first.d.n_odd > n / 16) {
        choose_bits(v, n, effort, &other);
        best = other.bytes < best->bytes ? &other : best;
        if (effort == PL_EFFORT_SMALL) {
            choose_near(v, n, effort, &near);
            best = near.bytes < best->bytes ? &near : best;
        }
    }
    put(v, n, best, out);
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

/* The scale byte where there is one, also for scale = 0..5; NULL when corrupt. */
static const uint8_t *get_scale(const uint8_t *p, const uint8_t *end, unsigned head,
                                unsigned *scale)
{
    *scale = head & SCALE_MASK;
    if (*scale < SCALE_BYTE) {
        return p;
    }
    if (p >= end) {
        return NULL;
    }
    bool near = *scale == SCALE_NEAR;
    *scale = *p++;
    bool good = *scale & BITS && !near ? *scale <= (BITS | 63) : *scale <= PL__DECIMAL_MAX;
    return good ? p : NULL;
}

int pl_vcol_decode(const uint8_t *src, size_t n_src, size_t n, double *v)
{
    const uint8_t *p = src, *end = src + n_src;
    if (n == 0 || n > PL_CHUNK_MAX || n_src == 0) {
        return PL_ECORRUPT;
    }
    unsigned head = *p++, scale;
    if (head & RAW) {
        if (head != RAW || (size_t)(end - p) < n * 8) {
            return PL_ECORRUPT;
        }
        memcpy(v, p, n * 8);
        return (int)(1 + n * 8);
    }
    p = get_scale(p, end, head, &scale);
    bool near = (head & SCALE_MASK) == SCALE_NEAR;
    enum pl__ints_order order = (enum pl__ints_order)(head >> 3 & 3);
    if (p && !near && !(head & (ODD | STEP)) && !(scale & BITS)) {
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
    int64_t m[PL_CHUNK_MAX], fix[PL_CHUNK_MAX];
    if (p && near) {
        p = pl__stream_get(p, end, n, fix);
    }
    p = p ? pl__ints_get(p, end, n, order, head & STEP, m) : NULL;
    if (!p) {
        return PL_ECORRUPT;
    }
    if (scale & BITS) {
        from_bits(m, n, scale & 63, v);
    } else {
        pl__decimal_decode(m, n, (int)scale, v);
    }
    for (size_t i = 0; near && i < n; i++) {
        v[i] = pl_bits_f64(pl_f64_bits(v[i]) + (uint64_t)fix[i]);
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
    unsigned head = *p++, scale = 0;
    p = head & RAW ? NULL : get_scale(p, end, head, &scale);
    int64_t first, slope;
    if (head & RAW || !p || head & (ODD | STEP) || (head & SCALE_MASK) == SCALE_NEAR ||
        scale & BITS ||
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
    *out = (struct pl_chunk_summary){
        .first = v[0], .last = v[1], .min = v[0], .max = v[1], .has = true};
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
