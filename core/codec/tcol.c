/* Timestamp columns: int64 ms, strictly ascending.
 *
 *     tcol = u8 head | zigzag t0 | body
 *       head 0                                   fixed interval: varint interval, absent for n = 1
 *       head 1 | order << 1 (2 bits) | step << 3  varint t1 - t0 | ints (ints.c) of t - t0
 *
 * First and last can be had without decoding. A decoder checks that what comes out ascends, so that
 * readers may search in it. Any thread. */
#include "core/codec/tcol.h"
#include "core/codec/ints.h"

enum { FIXED = 0, INTS = 1, STEP = 1 << 3, HEAD_MAX = 15 };

static bool ascends(const int64_t *t, size_t n)
{
    unsigned bad = 0;
    for (size_t i = 1; i < n; i++) {
        bad |= t[i] <= t[i - 1];
    }
    return !bad;
}

static bool is_fixed(const int64_t *t, size_t n)
{
    if (n < 3) {
        return true;
    }
    int64_t d = pl__wsub(t[1], t[0]);
    uint64_t differ = 0;
    for (size_t i = 2; i < n; i++) {
        differ |= (uint64_t)(pl__wsub(t[i], t[i - 1]) ^ d);
    }
    return !differ;
}

int pl_tcol_encode(const int64_t *t, size_t n, enum pl_effort effort, struct pl_buf *out)
{
    if (n == 0 || n > PL_CHUNK_MAX || !ascends(t, n)) {
        return PL_EINVAL;
    }
    size_t at = out->n;
    if (is_fixed(t, n)) {
        pl_buf_u8(out, FIXED);
        pl__put_zigzag(out, t[0]);
        if (n > 1) {
            pl_buf_varint(out, (uint64_t)t[1] - (uint64_t)t[0]);
        }
        return out->failed ? PL_ENOMEM : (int)(out->n - at);
    }
    int64_t m[PL_CHUNK_MAX];
    for (size_t i = 0; i < n; i++) {
        m[i] = pl__wsub(t[i], t[0]);
    }
    struct pl__ints_plan plan;
    pl__ints_plan(m, n, effort, true, &plan);
    pl_buf_u8(out, (uint8_t)(INTS | (unsigned)plan.order << 1 | (plan.step > 1 ? STEP : 0)));
    pl__put_zigzag(out, t[0]);
    pl_buf_varint(out, (uint64_t)m[n - 1]);
    pl__ints_put(m, n, &plan, out);
    return out->failed ? PL_ENOMEM : (int)(out->n - at);
}

/* Head, t0 and the varint behind it; NULL when corrupt. */
static const uint8_t *get_head(const uint8_t *p, const uint8_t *end, size_t n, unsigned *head,
                               int64_t *t0, uint64_t *more)
{
    *more = 0;
    if (p >= end || *p > HEAD_MAX || (*p != FIXED && !(*p & INTS))) {
        return NULL;
    }
    *head = *p++;
    p = pl__get_zigzag(p, end, t0);
    return p && (n > 1 || *head != FIXED) ? pl_varint_get(p, end, more) : p;
}

/* t0 + k * step where that stays inside int64. */
static bool advance(int64_t t0, uint64_t step, uint64_t k, int64_t *t1)
{
    uint64_t span;
    if (__builtin_mul_overflow(step, k, &span) || span > (uint64_t)INT64_MAX - (uint64_t)t0) {
        return false;
    }
    *t1 = (int64_t)((uint64_t)t0 + span);
    return true;
}

int pl__tcol_range(const uint8_t *src, size_t n_src, size_t n, int64_t *t0, int64_t *t1)
{
    unsigned head;
    int64_t first;
    uint64_t more;
    const uint8_t *p = get_head(src, src + n_src, n, &head, &first, &more);
    if (!p || n == 0 || !advance(first, more, head == FIXED ? n - 1 : 1, t1)) {
        return PL_ECORRUPT;
    }
    *t0 = first;
    return 0;
}

int pl_tcol_decode(const uint8_t *src, size_t n_src, size_t n, int64_t *t)
{
    const uint8_t *end = src + n_src;
    unsigned head;
    int64_t t0, t1;
    uint64_t more;
    if (n == 0 || n > PL_CHUNK_MAX) {
        return PL_ECORRUPT;
    }
    const uint8_t *p = get_head(src, end, n, &head, &t0, &more);
    if (!p || !advance(t0, more, head == FIXED ? n - 1 : 1, &t1) || (n > 1 && more == 0)) {
        return PL_ECORRUPT;
    }
    if (head == FIXED) {
        for (size_t i = 0; i < n; i++) {
            t[i] = (int64_t)((uint64_t)t0 + i * more);
        }
        return (int)(p - src);
    }
    p = pl__ints_get(p, end, n, (enum pl__ints_order)(head >> 1 & 3), head & STEP, t);
    if (!p) {
        return PL_ECORRUPT;
    }
    for (size_t i = 0; i < n; i++) {
        t[i] = pl__wadd(t[i], t0);
    }
    return ascends(t, n) && t[0] == t0 && t[n - 1] == t1 ? (int)(p - src) : PL_ECORRUPT;
}
