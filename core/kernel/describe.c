/* What a handful of values is like: mode, geometric mean, interquartile range, deviation from the
 * median. Any thread. */
#include "core/kernel/kernel.h"

#include <math.h>
#include <stdlib.h>

/** NaN before all numbers. */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) {
        return (int)isnan(y) - (int)isnan(x);
    }
    return x < y ? -1 : x > y;
}

static bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

double pl_mode(double *v, size_t n)
{
    size_t longest = 0, run = 0;
    double mode = v[0];
    qsort(v, n, sizeof *v, by_value);
    for (size_t i = 0; i < n; i++) {
        run = i > 0 && same(v[i], v[i - 1]) ? run + 1 : 1;
        if (run > longest) {
            longest = run;
            mode = v[i];
        }
    }
    return mode;
}

double pl_distinct(double *v, size_t n)
{
    size_t count = 0;
    qsort(v, n, sizeof *v, by_value);
    for (size_t i = 0; i < n; i++) {
        count += i == 0 || !same(v[i], v[i - 1]);
    }
    return (double)count;
}

double pl_geomean(const double *v, size_t n)
{
    struct pl_ksum sum = PL_KSUM_INIT;
    bool zero = false;
    for (size_t i = 0; i < n; i++) {
        if (!(v[i] >= 0)) {
            return NAN;
        }
        if (v[i] == 0) {
            zero = true;
        } else {
            pl_ksum_add(&sum, log(v[i]));
        }
    }
    return zero ? 0 : exp(pl_ksum_value(sum) / (double)n);
}

double pl_iqr(double *v, size_t n) { return pl_quantile(0.75, v, n) - pl_quantile(0.25, v, n); }

double pl_mad(const double *v, size_t n, double *scratch)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(v[i])) { /* no median, so no distance from it */
            return NAN;
        }
    }
    memcpy(scratch, v, n * sizeof *v);
    double median = pl_quantile(0.5, scratch, n);
    for (size_t i = 0; i < n; i++) {
        scratch[i] = fabs(v[i] - median);
    }
    return pl_quantile(0.5, scratch, n);
}
