/* A column of int64: one of four orders of differences, then a stream (stream.c) of what is left.
 *
 *     ints = [varint step | zigzag rest]     where the head says so: m = rest + step * x
 *            [zigzag x0]                     DELTA, DELTA2, LINE
 *            [zigzag slope]                  DELTA2: x1 - x0; LINE: the slope
 *            stream                          PLAIN: n values; DELTA, LINE: n - 1; DELTA2: n - 2
 *
 * A common step (memory in pages of 4096, hundredths that are all .00 or .50) takes its logarithm
 * off every residual. LINE suits a regular clock with jitter, whose differences would carry the
 * jitter twice. n = 1 is PLAIN. Arithmetic wraps, so that every int64 passes. Any thread. */
#include "core/codec/ints.h"

/* Residuals of x by an order; returns how many. */
static size_t residuals(const int64_t *x, size_t n, enum pl__ints_order order, int64_t slope,
                        int64_t *r)
{
    switch (order) {
    case PL__INTS_PLAIN:
        memcpy(r, x, n * sizeof *r);
        return n;
    case PL__INTS_DELTA:
        for (size_t i = 1; i < n; i++) {
            r[i - 1] = pl__wsub(x[i], x[i - 1]);
        }
        return n - 1;
    case PL__INTS_DELTA2:
        for (size_t i = 2; i < n; i++) {
            r[i - 2] = pl__wsub(pl__wsub(x[i], x[i - 1]), pl__wsub(x[i - 1], x[i - 2]));
        }
        return n - 2;
    default:
        for (size_t i = 1; i < n; i++) {
            r[i - 1] = pl__wsub(pl__wsub(x[i], x[0]), pl__wmul(slope, (int64_t)i));
        }
        return n - 1;
    }
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t c = a % b;
        a = b;
        b = c;
    }
    return a;
}

/* The greatest common divisor of all differences; gives up (1) as soon as it is 1. */
static uint64_t common_step(const int64_t *m, size_t n)
{
    uint64_t g = 0;
    for (size_t i = 1; i < n && g != 1; i++) {
        int64_t d;
        if (__builtin_sub_overflow(m[i], m[0], &d)) {
            return 1;
        }
        uint64_t a = d < 0 ? -(uint64_t)d : (uint64_t)d;
        if (g == 0 || a % g != 0) {
            g = gcd(g, a);
        }
    }
    return g > INT64_MAX || g == 0 ? 1 : g;
}

static int64_t rest_of(int64_t m0, uint64_t step)
{
    int64_t rest = m0 % (int64_t)step;
    return rest < 0 ? rest + (int64_t)step : rest;
}

static void divide(const int64_t *m, size_t n, uint64_t step, int64_t *x)
{
    for (size_t i = 0; i < n; i++) {
        /* the floor, as rest is in [0, step) */
        int64_t q = m[i] / (int64_t)step;
        x[i] = m[i] % (int64_t)step < 0 ? q - 1 : q;
    }
}

static unsigned zigzag_bytes(int64_t x) { return pl__varint_bytes(pl_zigzag(x)); }

static void consider(const int64_t *x, size_t n, enum pl__ints_order order, int64_t slope,
                     enum pl_effort effort, struct pl__ints_plan *best)
{
    int64_t r[PL_CHUNK_MAX];
    struct pl__ints_plan p = {.order = order, .slope = slope, .step = best->step};
    size_t n_r = residuals(x, n, order, slope, r);
    pl__stream_plan(r, n_r, effort, &p.stream);
    p.bytes = p.stream.bytes + (order != PL__INTS_PLAIN ? zigzag_bytes(x[0]) : 0) +
              (order >= PL__INTS_DELTA2 ? zigzag_bytes(slope) : 0);
    if (p.bytes < best->bytes) {
        *best = p;
    }
}

void pl__ints_plan(const int64_t *m, size_t n, enum pl_effort effort, bool lines,
                   struct pl__ints_plan *out)
{
    int64_t scaled[PL_CHUNK_MAX];
    const int64_t *x = m;
    uint64_t step = effort == PL_EFFORT_SMALL && n >= 4 ? common_step(m, n) : 1;
    struct pl__ints_plan best = {.step = step, .bytes = UINT32_MAX};
    if (step > 1) {
        divide(m, n, step, scaled);
        x = scaled;
    }
    consider(x, n, PL__INTS_PLAIN, 0, effort, &best);
    if (n > 2 && best.stream.kind != PL__STREAM_CONST) {
        consider(x, n, PL__INTS_DELTA, 0, effort, &best);
        if (lines && best.stream.kind != PL__STREAM_CONST) {
            int64_t span = pl__wsub(x[n - 1], x[0]);
            int64_t slope = pl__wadd(span, (int64_t)(n / 2)) / (int64_t)(n - 1);
            consider(x, n, PL__INTS_LINE, slope, effort, &best);
        }
        if (effort == PL_EFFORT_SMALL && best.stream.kind != PL__STREAM_CONST) {
            consider(x, n, PL__INTS_DELTA2, pl__wsub(x[1], x[0]), effort, &best);
        }
    }
    if (step > 1) {
        best.bytes += pl__varint_bytes(step) + zigzag_bytes(rest_of(m[0], step));
        struct pl__ints_plan plain = {.step = 1, .bytes = UINT32_MAX};
        if (best.stream.kind == PL__STREAM_CONST) {
            /* a straight line: its slope says the step already */
            consider(m, n, best.order, pl__wsub(m[1], m[0]), effort, &plain);
            best = plain.bytes <= best.bytes ? plain : best;
        }
    }
    *out = best;
}

void pl__ints_put(const int64_t *m, size_t n, const struct pl__ints_plan *plan, struct pl_buf *out)
{
    int64_t x[PL_CHUNK_MAX], r[PL_CHUNK_MAX];
    if (plan->step > 1) {
        divide(m, n, plan->step, x);
        pl_buf_varint(out, plan->step);
        pl__put_zigzag(out, rest_of(m[0], plan->step));
        m = x;
    }
    if (plan->order != PL__INTS_PLAIN) {
        pl__put_zigzag(out, m[0]);
    }
    if (plan->order >= PL__INTS_DELTA2) {
        pl__put_zigzag(out, plan->slope);
    }
    size_t n_r = residuals(m, n, plan->order, plan->slope, r);
    pl__stream_put(r, n_r, &plan->stream, out);
}

const uint8_t *pl__ints_get(const uint8_t *p, const uint8_t *end, size_t n,
                            enum pl__ints_order order, bool has_step, int64_t *m)
{
    uint64_t step = 1;
    int64_t rest = 0, slope = 0;
    if (has_step) {
        p = pl_varint_get(p, end, &step);
        p = p ? pl__get_zigzag(p, end, &rest) : NULL;
    }
    size_t skip = order == PL__INTS_PLAIN ? 0 : order == PL__INTS_DELTA2 ? 2 : 1;
    if (!p || n < skip) {
        return NULL;
    }
    if (order != PL__INTS_PLAIN) {
        p = pl__get_zigzag(p, end, &m[0]);
    }
    if (p && order >= PL__INTS_DELTA2) {
        p = pl__get_zigzag(p, end, &slope);
    }
    p = p ? pl__stream_get(p, end, n - skip, m + skip) : NULL;
    if (!p) {
        return NULL;
    }
    if (order == PL__INTS_DELTA) {
        int64_t at = m[0];
        for (size_t i = 1; i < n; i++) {
            m[i] = at = pl__wadd(at, m[i]);
        }
    } else if (order == PL__INTS_DELTA2) {
        int64_t at = m[1] = pl__wadd(m[0], slope), d = slope;
        for (size_t i = 2; i < n; i++) {
            d = pl__wadd(d, m[i]);
            m[i] = at = pl__wadd(at, d);
        }
    } else if (order == PL__INTS_LINE) {
        int64_t at = m[0];
        for (size_t i = 1; i < n; i++) {
            at = pl__wadd(at, slope);
            m[i] = pl__wadd(at, m[i]);
        }
    }
    if (has_step) {
        for (size_t i = 0; i < n; i++) {
            m[i] = pl__wadd(rest, pl__wmul(m[i], (int64_t)step));
        }
    }
    return p;
}

bool pl__ints_line(const uint8_t *p, const uint8_t *end, size_t n, enum pl__ints_order order,
                   int64_t *first, int64_t *slope)
{
    int64_t x0 = 0, base = 0;
    if (order > PL__INTS_DELTA || (n < 2 && order != PL__INTS_PLAIN)) {
        return false;
    }
    if (order == PL__INTS_DELTA) {
        p = pl__get_zigzag(p, end, &x0);
    }
    if (!p || !pl__stream_is_const(p, end, &base)) {
        return false;
    }
    *first = order == PL__INTS_DELTA ? x0 : base;
    *slope = order == PL__INTS_DELTA ? base : 0;
    return true;
}
