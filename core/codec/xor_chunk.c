/* XOR chunks of floats, bits from the most significant one down:
 *
 *     u16 big-endian  samples
 *     first   zigzag varint t | 64 bits v
 *     second  varint t - before | v
 *     others  the change of the distance in time, dod:
 *                 0                  0
 *                 10   14 bits       -2^13 < dod <= 2^13       (two's complement; 2^13 is 100..0)
 *                 110  17 bits       -2^16 < dod <= 2^16
 *                 1110 20 bits       -2^19 < dod <= 2^19
 *                 1111 64 bits
 *             | v
 *     v       x, v xor the value before:
 *                 0                  0
 *                 10                 its bits between the leading and trailing zeros of the last 11
 *                 11   5 bits leading zeros (at most 31) | 6 bits length (0: 64) | so many bits
 *
 * Sources: Pelkonen et al., Gorilla, VLDB 2015; Prometheus tsdb/docs/format/chunks.md. */
#include "core/codec/xor_chunk.h"

/* ----------------------------------------------------------------------------------- writing */

struct writer {
    struct pl_buf *out;
    uint64_t bits; /* the lowest n are waiting */
    unsigned n;    /* < 8 between calls */
};

static void put(struct writer *w, uint64_t bits, unsigned n)
{
    if (n > 56) { /* so that what waits has room */
        put(w, bits >> 32, n - 32);
        bits &= UINT32_MAX;
        n = 32;
    }
    w->bits = w->bits << n | (bits & ((1ull << n) - 1));
    w->n += n;
    while (w->n >= 8) {
        w->n -= 8;
        pl_buf_u8(w->out, (uint8_t)(w->bits >> w->n));
    }
}

static void put_varint(struct writer *w, uint64_t x)
{
    for (; x >= 0x80; x >>= 7) {
        put(w, (x & 0x7f) | 0x80, 8);
    }
    put(w, x, 8);
}

static bool fits(int64_t x, unsigned bits)
{
    return -((1ll << (bits - 1)) - 1) <= x && x <= 1ll << (bits - 1);
}

static void put_dod(struct writer *w, int64_t dod)
{
    if (dod == 0) {
        put(w, 0, 1);
    } else if (fits(dod, 14)) {
        put(w, 2, 2);
        put(w, (uint64_t)dod, 14);
    } else if (fits(dod, 17)) {
        put(w, 6, 3);
        put(w, (uint64_t)dod, 17);
    } else if (fits(dod, 20)) {
        put(w, 14, 4);
        put(w, (uint64_t)dod, 20);
    } else {
        put(w, 15, 4);
        put(w, (uint64_t)dod, 64);
    }
}

/* The window of the last 11. */
struct window {
    unsigned leading, trailing;
    bool known;
};

static void put_value(struct writer *w, struct window *win, uint64_t x)
{
    if (x == 0) {
        put(w, 0, 1);
        return;
    }
    unsigned leading = (unsigned)__builtin_clzll(x), trailing = (unsigned)__builtin_ctzll(x);
    leading = leading > 31 ? 31 : leading;
    if (win->known && leading >= win->leading && trailing >= win->trailing) {
        put(w, 2, 2);
        put(w, x >> win->trailing, 64 - win->leading - win->trailing);
        return;
    }
    unsigned length = 64 - leading - trailing;
    *win = (struct window){leading, trailing, true};
    put(w, 3, 2);
    put(w, leading, 5);
    put(w, length & 63, 6);
    put(w, x >> trailing, length);
}

int pl_xor_encode(struct pl_buf *out, const int64_t *t, const double *v, size_t n)
{
    struct writer w = {.out = out};
    struct window win = {0};
    uint64_t delta = 0;
    put(&w, n, 16);
    for (size_t i = 0; i < n; i++) {
        if (i == 0) {
            put_varint(&w, pl_zigzag(t[0]));
            put(&w, pl_f64_bits(v[0]), 64);
            continue;
        }
        uint64_t next = (uint64_t)t[i] - (uint64_t)t[i - 1];
        if (i == 1) {
            put_varint(&w, next);
        } else {
            put_dod(&w, (int64_t)(next - delta));
        }
        delta = next;
        put_value(&w, &win, pl_f64_bits(v[i]) ^ pl_f64_bits(v[i - 1]));
    }
    if (w.n) {
        put(&w, 0, 8 - w.n);
    }
    return out->failed ? PL_ENOMEM : 0;
}

/* ----------------------------------------------------------------------------------- reading */

struct reader {
    const uint8_t *p;
    size_t at, end; /* in bits */
    bool failed;
};

static uint64_t take(struct reader *r, unsigned n)
{
    uint64_t x = 0;
    if (r->failed || r->end - r->at < n) {
        r->failed = true;
        return 0;
    }
    while (n) {
        unsigned left = 8 - r->at % 8, k = n < left ? n : left;
        uint64_t part = r->p[r->at / 8] >> (left - k) & ((1u << k) - 1);
        x = x << k | part;
        r->at += k;
        n -= k;
    }
    return x;
}

static uint64_t take_varint(struct reader *r)
{
    uint64_t x = 0;
    for (unsigned shift = 0; shift < 64 && !r->failed; shift += 7) {
        uint64_t byte = take(r, 8);
        x |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            return x;
        }
    }
    r->failed = true;
    return 0;
}

static int64_t take_dod(struct reader *r)
{
    static const unsigned sizes[] = {0, 14, 17, 20, 64};
    unsigned ones = 0;
    while (ones < 4 && take(r, 1)) {
        ones++;
    }
    unsigned n = sizes[ones];
    uint64_t x = n ? take(r, n) : 0;
    if (n && n < 64 && x > 1ull << (n - 1)) {
        x -= 1ull << n;
    }
    return (int64_t)x;
}

static uint64_t take_value(struct reader *r, struct window *win)
{
    if (!take(r, 1)) {
        return 0;
    }
    if (take(r, 1)) {
        unsigned leading = (unsigned)take(r, 5), length = (unsigned)take(r, 6);
        length = length ? length : 64;
        if (leading + length > 64) {
            r->failed = true;
            return 0;
        }
        *win = (struct window){leading, 64 - leading - length, true};
    } else if (!win->known) {
        r->failed = true;
        return 0;
    }
    return take(r, 64 - win->leading - win->trailing) << win->trailing;
}

int pl_xor_decode(pl_str chunk, int64_t *t, double *v)
{
    struct reader r = {(const uint8_t *)chunk.p, 0, chunk.n * 8, false};
    struct window win = {0};
    size_t n = (size_t)take(&r, 16);
    uint64_t delta = 0, time = 0, bits = 0;
    for (size_t i = 0; i < n && !r.failed; i++) {
        if (i == 0) {
            time = (uint64_t)pl_unzigzag(take_varint(&r));
            bits = take(&r, 64);
        } else {
            delta = i == 1 ? take_varint(&r) : delta + (uint64_t)take_dod(&r);
            time += delta;
            bits ^= take_value(&r, &win);
        }
        t[i] = (int64_t)time;
        v[i] = pl_bits_f64(bits);
    }
    return r.failed ? PL_ECORRUPT : (int)n;
}
