/* Statistics and time series analysis on arrays: what the extension functions of queries compute.
 * docs/promql.md has the mathematics with their sources. Pure; any thread; where a function needs
 * room, the caller gives it. */
#pragma once
#include "core/base/base.h"

/* --- describe.c: n >= 1; v is reordered where it is not const --- */

/** The most frequent value, the least of several. */
double pl_mode(double *v, size_t n);
/** How many different values; NaNs are one. */
double pl_distinct(double *v, size_t n);
/** exp(mean(ln v)): 0 if there is a zero, NaN if there is a negative number. */
double pl_geomean(const double *v, size_t n);
/** Third quartile less the first. */
double pl_iqr(double *v, size_t n);
/** Median of |v - median(v)|. scratch: n values. */
double pl_mad(const double *v, size_t n, double *scratch);

/* --- trend.c: samples (t ascending, ms), n >= 2 --- */

enum pl_trend {
    PL_TREND_THEIL_SEN,    /* median of the slopes of all pairs, per second */
    PL_TREND_OLS,          /* least squares slope, per second */
    PL_TREND_KENDALL,      /* tau-b of time and value: -1 falls always .. 1 rises always */
    PL_TREND_MANN_KENDALL, /* z of the test for a monotonic trend */
};
#define PL_TREND_POINTS 100 /* of more samples Theil-Sen takes the medians of so many groups */
/** scratch: n values. */
double pl_trend(enum pl_trend which, const int64_t *t, const double *v, size_t n, double *scratch);

/* --- season.c: series on a regular grid --- */

#define PL_GRID_MAX 2048
/** Points `step_ms` apart, the last one at the last sample; m of them are a period. */
struct pl_grid {
    size_t n, m;
    double step_ms;
    double y[PL_GRID_MAX];
};
/** Means of the samples about each point, straight lines across gaps. The step is the median
 *  distance of samples, made to divide the period, and longer where there would be more than
 *  PL_GRID_MAX points. false: there are less than two periods. scratch: n values. */
bool pl_grid_make(const int64_t *t, const double *v, size_t n, int64_t period_ms, double *scratch,
                  struct pl_grid *out);
/** Additive classical decomposition, y = trend + seasonal + rest: the trend a moving average over a
 *  period, its ends extended by least squares; the season the means of each phase. n >= 2 m.
 *  trend: n values, seasonal: m values. */
void pl_decompose(const double *y, size_t n, size_t m, double *trend, double *seasonal);

/* --- forecast.c --- */

/** The least squares line at `at` plus z standard errors of a prediction there. n >= 2; NaN for
 *  z != 0 where n < 3. */
double pl_forecast_linear(const int64_t *t, const double *v, size_t n, int64_t at, double z);
/** Additive Holt-Winters: its smoothing factors are the best of a small grid for predictions by one
 *  step; h >= 1 steps behind the last point, plus z standard deviations of such predictions. */
double pl_forecast_seasonal(const struct pl_grid *g, size_t h, double z);

/* --- correlate.c --- */

/** Pearson's correlation; NaN for less than 2 pairs or where a side does not change. */
double pl_pearson(const double *a, const double *b, size_t n);
