/* Seasons: samples onto a regular grid, and classical decomposition (Persons 1919) as it is done
 * today: a centred moving average over one period is the trend, its ends are extended along the
 * least squares line of the period next to them; means of the phases, less their mean, are the
 * season. Any thread. */
#include "core/kernel/kernel.h"

#include <math.h>

/** Points of a period, and of all, for a grid of samples this far apart. */
static bool grid_size(double span, double interval, double period, struct pl_grid *out)
{
    double m = floor(period / interval + 0.5), most = floor((PL_GRID_MAX - 1) * period / span);
    m = m > most ? most : m;
    if (!(m >= 2) || !(span >= 2 * period - period / m)) {
        return false;
    }
    out->m = (size_t)m;
    out->step_ms = period / m;
    out->n = (size_t)(span / out->step_ms + 0.001) + 1;
    out->n = out->n > PL_GRID_MAX ? PL_GRID_MAX : out->n;
    return out->n >= 2 * out->m;
}

static void fill_gaps(double *y, const uint32_t *count, size_t n)
{
    size_t before = SIZE_MAX;
    for (size_t k = 0; k < n; k++) {
        if (!count[k]) {
            continue;
        }
        for (size_t i = before == SIZE_MAX ? 0 : before + 1; i < k; i++) {
            y[i] = before == SIZE_MAX ? y[k]
                                      : y[before] + (y[k] - y[before]) * (double)(i - before) /
                                                        (double)(k - before);
        }
        before = k;
    }
}

bool pl_grid_make(const int64_t *t, const double *v, size_t n, int64_t period_ms, double *scratch,
                  struct pl_grid *out)
{
    uint32_t count[PL_GRID_MAX] = {0};
    if (n < 4 || period_ms <= 0) {
        return false;
    }
    for (size_t i = 1; i < n; i++) {
        scratch[i - 1] = (double)(t[i] - t[i - 1]);
    }
    double interval = pl_quantile(0.5, scratch, n - 1), span = (double)(t[n - 1] - t[0]);
    if (!(interval > 0) || !grid_size(span, interval, (double)period_ms, out)) {
        return false;
    }
    memset(out->y, 0, out->n * sizeof *out->y);
    for (size_t i = 0; i < n; i++) {
        double back = floor((double)(t[n - 1] - t[i]) / out->step_ms + 0.5);
        if (back < (double)out->n) {
            size_t k = out->n - 1 - (size_t)back;
            out->y[k] += (v[i] - out->y[k]) / ++count[k];
        }
    }
    fill_gaps(out->y, count, out->n);
    return true;
}

/** Least squares through y[from..to) against the index: y = *a + *b * i. */
static void line(const double *y, size_t from, size_t to, double *a, double *b)
{
    double n = (double)(to - from), mx = ((double)from + (double)to - 1) / 2, my = 0, xx = 0,
           xy = 0;
    for (size_t i = from; i < to; i++) {
        my += y[i] / n;
    }
    for (size_t i = from; i < to; i++) {
        double dx = (double)i - mx;
        xx += dx * dx;
        xy += dx * (y[i] - my);
    }
    *b = xx > 0 ? xy / xx : 0;
    *a = my - *b * mx;
}

void pl_decompose(const double *y, size_t n, size_t m, double *trend, double *seasonal)
{
    size_t half = m / 2, first = half, last = n - half; /* [first, last): a whole period about it */
    for (size_t i = first; i < last; i++) {
        struct pl_ksum sum = PL_KSUM_INIT;
        for (size_t k = i - half; k <= i + half; k++) {
            bool end = m % 2 == 0 && (k == i - half || k == i + half);
            pl_ksum_add(&sum, end ? 0.5 * y[k] : y[k]);
        }
        trend[i] = pl_ksum_value(sum) / (double)m;
    }
    double a, b;
    line(trend, first, first + m < last ? first + m : last, &a, &b);
    for (size_t i = 0; i < first; i++) {
        trend[i] = a + b * (double)i;
    }
    line(trend, last - first > m ? last - m : first, last, &a, &b);
    for (size_t i = last; i < n; i++) {
        trend[i] = a + b * (double)i;
    }
    double mean = 0;
    for (size_t p = 0; p < m; p++) {
        struct pl_ksum sum = PL_KSUM_INIT;
        size_t count = 0;
        for (size_t i = p; i < n; i += m) {
            pl_ksum_add(&sum, y[i] - trend[i]);
            count++;
        }
        seasonal[p] = pl_ksum_value(sum) / (double)count;
        mean += seasonal[p] / (double)m;
    }
    for (size_t p = 0; p < m; p++) {
        seasonal[p] -= mean;
    }
}
