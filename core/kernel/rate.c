/* rate, increase, delta, irate, idelta as Prometheus 3 computes them (promql/functions.go:
 * extrapolatedRate, instantValue). A counter's resets inside a window are added in their order, so
 * the bits are Prometheus'; they are found while the windows move on, once a series. Any thread. */
#include "core/kernel/simd.h"

/* Stretch a difference to the ends of its window. */
static double extrapolate(double result, const int64_t *t, double first, size_t n, int64_t begin,
                          int64_t end, bool counter)
{
    double to_start = (double)(t[0] - begin) / 1000, to_end = (double)(end - t[n - 1]) / 1000;
    double sampled = (double)(t[n - 1] - t[0]) / 1000, between = sampled / (double)(n - 1);
    double threshold = between * 1.1;
    if (to_start >= threshold) {
        to_start = between / 2;
    }
    if (counter && result > 0 && first >= 0) {
        /* a counter was not below zero: do not stretch beyond where it would have been zero */
        double to_zero = sampled * (first / result);
        to_start = to_zero < to_start ? to_zero : to_start;
    }
    if (to_end >= threshold) {
        to_end = between / 2;
    }
    return (sampled + to_start + to_end) / sampled;
}

/* The next reset at or behind i: where v[i] < v[i - 1]; n if there is none. */
static size_t next_reset(const double *v, size_t i, size_t n)
{
    while (i < n && !(v[i] < v[i - 1])) {
        i++;
    }
    return i;
}

static void extrapolated(enum pl_rate op, const int64_t *t, const double *v,
                         const struct pl_windows *w, const uint32_t *from, const uint32_t *to,
                         double *out)
{
    bool counter = op != PL_DELTA;
    size_t n = w->n ? to[w->n - 1] : 0;
    size_t first_reset = 0; /* the first one behind `from`; 0: unknown */
    for (size_t k = 0; k < w->n; k++) {
        size_t a = from[k], b = to[k];
        if (b < a + 2) {
            out[k] = PL_ABSENT;
            continue;
        }
        double result = v[b - 1] - v[a];
        if (counter) {
            if (first_reset < a + 1) {
                first_reset = next_reset(v, a + 1, n);
            }
            for (size_t i = first_reset; i < b; i = next_reset(v, i + 1, b)) {
                result += v[i - 1];
            }
        }
        int64_t end = w->start + (int64_t)k * w->step;
        double factor = extrapolate(result, t + a, v[a], b - a, end - w->range, end, counter);
        if (op == PL_RATE) {
            factor /= (double)w->range / 1000;
        }
        out[k] = result * factor;
    }
}

static void instant(enum pl_rate op, const int64_t *t, const double *v, size_t n_windows,
                    const uint32_t *from, const uint32_t *to, double *out)
{
    for (size_t k = 0; k < n_windows; k++) {
        size_t b = to[k];
        if (b < (size_t)from[k] + 2) {
            out[k] = PL_ABSENT;
            continue;
        }
        double last = v[b - 1], before = v[b - 2];
        out[k] = op == PL_IRATE && last < before ? last : last - before;
        if (op == PL_IRATE) {
            out[k] /= (double)(t[b - 1] - t[b - 2]) / 1000;
        }
    }
}

void pl_rate(enum pl_rate op, const int64_t *t, const double *v, const struct pl_windows *w,
             const uint32_t *from, const uint32_t *to, double *out)
{
    if (op == PL_IRATE || op == PL_IDELTA) {
        instant(op, t, v, w->n, from, to, out);
    } else {
        extrapolated(op, t, v, w, from, to, out);
    }
}
