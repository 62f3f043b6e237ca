/* Trends of samples over time. Theil (1950), Sen (1968): the median of the slopes of all pairs,
 * which 29 % of outliers cannot move; Kendall (1938): tau-b; Mann (1945): the z of S with the
 * variance that ties leave. Any thread. */
#include "core/kernel/kernel.h"

#include <math.h>

static double ols(const int64_t *t, const double *v, size_t n)
{
    struct pl_ksum x = PL_KSUM_INIT, y = PL_KSUM_INIT;
    for (size_t i = 0; i < n; i++) {
        pl_ksum_add(&x, (double)(t[i] - t[0]) / 1000);
        pl_ksum_add(&y, v[i]);
    }
    double mx = pl_ksum_value(x) / (double)n, my = pl_ksum_value(y) / (double)n;
    struct pl_ksum xx = PL_KSUM_INIT, xy = PL_KSUM_INIT;
    for (size_t i = 0; i < n; i++) {
        double dx = (double)(t[i] - t[0]) / 1000 - mx;
        pl_ksum_add(&xx, dx * dx);
        pl_ksum_add(&xy, dx * (v[i] - my));
    }
    return pl_ksum_value(xy) / pl_ksum_value(xx);
}

static double theil_sen(const int64_t *t, const double *v, size_t n, double *scratch)
{
    double x[PL_TREND_POINTS], y[PL_TREND_POINTS];
    double slope[PL_TREND_POINTS * (PL_TREND_POINTS - 1) / 2];
    size_t points = n < PL_TREND_POINTS ? n : PL_TREND_POINTS, k = 0;
    for (size_t p = 0; p < points; p++) {
        size_t from = n * p / points, to = n * (p + 1) / points;
        double sum = 0;
        for (size_t i = from; i < to; i++) {
            sum += (double)(t[i] - t[0]) / 1000;
        }
        x[p] = sum / (double)(to - from);
        memcpy(scratch, v + from, (to - from) * sizeof *v);
        y[p] = pl_quantile(0.5, scratch, to - from);
    }
    for (size_t i = 0; i < points; i++) {
        for (size_t j = i + 1; j < points; j++) {
            slope[k++] = (y[j] - y[i]) / (x[j] - x[i]);
        }
    }
    return pl_quantile(0.5, slope, k);
}

/** Sort v[lo, hi) by merging; how many pairs were out of order. */
static double sort_counting(double *v, double *room, size_t n)
{
    double out_of_order = 0;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = mid + width < n ? mid + width : n;
            size_t i = lo, j = mid;
            for (size_t k = lo; k < hi; k++) {
                if (i < mid && (j == hi || v[i] <= v[j])) {
                    room[k] = v[i++];
                } else {
                    out_of_order += (double)(mid - i);
                    room[k] = v[j++];
                }
            }
        }
        memcpy(v, room, n * sizeof *v);
    }
    return out_of_order;
}

static double kendall(const double *v, size_t n, double *scratch, bool test)
{
    /* Halves of the scratch: of more samples than fit, the medians of groups. */
    double sorted[2 * PL_TREND_POINTS];
    double *a = sorted, *room = sorted + PL_TREND_POINTS;
    size_t points = n < PL_TREND_POINTS ? n : PL_TREND_POINTS;
    for (size_t p = 0; p < points; p++) {
        size_t from = n * p / points, to = n * (p + 1) / points;
        memcpy(scratch, v + from, (to - from) * sizeof *v);
        a[p] = pl_quantile(0.5, scratch, to - from);
        if (isnan(a[p])) {
            return NAN;
        }
    }
    double count = (double)points, pairs = count * (count - 1) / 2, tied = 0, less = 0;
    double s = -2 * sort_counting(a, room, points);
    for (size_t i = 0, k; i < points; i = k) {
        for (k = i + 1; k < points && a[k] == a[i]; k++) {
        }
        double run = (double)(k - i);
        tied += run * (run - 1) / 2;
        less += run * (run - 1) * (2 * run + 5);
    }
    s += pairs - tied;
    if (!test) {
        return s / sqrt((pairs - tied) * pairs);
    }
    double variance = (count * (count - 1) * (2 * count + 5) - less) / 18;
    return s == 0 ? 0 : (s > 0 ? s - 1 : s + 1) / sqrt(variance);
}

double pl_trend(enum pl_trend which, const int64_t *t, const double *v, size_t n, double *scratch)
{
    switch (which) {
    case PL_TREND_OLS:
        return ols(t, v, n);
    case PL_TREND_KENDALL:
        return kendall(v, n, scratch, false);
    case PL_TREND_MANN_KENDALL:
        return kendall(v, n, scratch, true);
    default:
        return theil_sen(t, v, n, scratch);
    }
}
