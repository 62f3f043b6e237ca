/* Extensions of PromQL: functions, aggregations and operators that Prometheus does not have. Each
 * is in docs/promql.md and refused in strict mode. They are about floats: histograms are dropped.
 *
 *   fn_ext_range.c   of range vectors: median_over_time, lag, ...    kernels in core/kernel
 *   fn_ext_row.c     over the steps of a row: range_*, running_*, interpolate, ...
 *   fn_ext_label.c   label_set and its kin, union
 *   fn_ext_analytics.c fn_ext_correlate.c   trend, forecast, seasonal_decompose, correlate
 *   hooks.c          lua:name(...), functions of scripts
 *   ext_agg.c        median, share, topk_avg, ...     ext_binary.c    default, if, ifnot */
#pragma once
#include "core/query/exec.h"

#define PL__EXT_EVALS(X)                                                                           \
    X(range) X(row) X(label) X(union) X(now) X(trend) X(forecast) X(decompose) X(correlate)
#define PL__EXT_DECL(name)                                                                         \
    int pl__fn_ext_##name(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,       \
                          struct pl__rows *out);
PL__EXT_EVALS(PL__EXT_DECL)

int pl__fn_hook(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                struct pl__rows *out);
int pl__eval_ext_agg(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out);
int pl__eval_ext_binary(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                        struct pl__rows *out);

/** Rows of a range function over the range vector among the arguments; up to three scalars among
 * them are p1 to p3. */
int pl__ext_range_rows(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                       pl__range_fn fn, struct pl__rows *out);

/** Take the histograms out of a column. */
static inline void pl__drop_histograms(struct pl_columns *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        c->t[n] = c->t[i];
        c->v[n] = c->v[i];
        n += !pl_is_histogram(c->v[i]);
    }
    c->n = n;
}
/** Is there a float here? */
static inline bool pl__is_float(double v) { return !pl_is_absent(v) && !pl_is_histogram(v); }

/* clang-format off */
#define PL__EXT_RANGES(X)                                                                          \
    X(MEDIAN, median) X(MODE, mode) X(GEOMEAN, geomean) X(DISTINCT, distinct) X(SUM2, sum2)        \
    X(RANGE, range) X(IQR, iqr) X(ZSCORE, zscore)                                                  \
    X(COUNT_GT, count_gt) X(COUNT_LE, count_le) X(COUNT_EQ, count_eq) X(COUNT_NE, count_ne)        \
    X(SHARE_GT, share_gt) X(SHARE_LE, share_le) X(SHARE_EQ, share_eq)                              \
    X(SUM_GT, sum_gt) X(SUM_LE, sum_le) X(SUM_EQ, sum_eq)                                          \
    X(RATE_OVER_SUM, rate_over_sum) X(ASCENT, ascent) X(DESCENT, descent)                          \
    X(INCREASES, increases) X(DECREASES, decreases) X(INTEGRATE, integrate)                        \
    X(LAG, lag) X(LIFETIME, lifetime) X(SCRAPE_INTERVAL, scrape_interval)                          \
    X(DURATION, duration) X(TMIN, tmin) X(TMAX, tmax) X(TFIRST, tfirst) X(TLAST, tlast)            \
    X(TLAST_CHANGE, tlast_change)
#define PL__EXT_ROWS(X)                                                                            \
    X(AVG, avg) X(SUM, sum) X(MIN, min) X(MAX, max) X(FIRST, first) X(LAST, last)                  \
    X(MEDIAN, median) X(QUANTILE, quantile) X(STDDEV, stddev) X(STDVAR, stdvar) X(MAD, mad)        \
    X(NORMALIZE, normalize) X(ZSCORE, zscore) X(LINEAR_REGRESSION, linear_regression)              \
    X(TRIM_SPIKES, trim_spikes) X(TRIM_OUTLIERS, trim_outliers) X(TRIM_ZSCORE, trim_zscore)        \
    X(RUNNING_AVG, running_avg) X(RUNNING_SUM, running_sum) X(RUNNING_MIN, running_min)            \
    X(RUNNING_MAX, running_max) X(REMOVE_RESETS, remove_resets) X(INTERPOLATE, interpolate)        \
    X(KEEP_LAST, keep_last) X(KEEP_NEXT, keep_next)
/* clang-format on */
#define PL__EXT_RANGE_ENUM(name, fn) PL__XRANGE_##name,
#define PL__EXT_ROW_ENUM(name, fn)   PL__XROW_##name,
enum pl__ext_range { PL__EXT_RANGES(PL__EXT_RANGE_ENUM) };
enum pl__ext_row { PL__EXT_ROWS(PL__EXT_ROW_ENUM) };
enum {
    PL__XLABEL_ALIAS,
    PL__XLABEL_SET,
    PL__XLABEL_DEL,
    PL__XLABEL_KEEP,
    PL__XLABEL_COPY,
    PL__XLABEL_MOVE,
    PL__XLABEL_UPPERCASE,
    PL__XLABEL_LOWERCASE,
    PL__XLABEL_MATCH,
    PL__XLABEL_MISMATCH,
    PL__XLABEL_VALUE,
};
