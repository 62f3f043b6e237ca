/* The door of kernel: arrays in, arrays out. The arithmetic of PromQL as Prometheus 3 does it, down
 * to the order of operations, on columns. Pure: no allocation, no threads, no clock. Any thread.
 *
 *     struct pl_windows w = {.start = t0, .step = 15000, .n = n_steps, .range = 300000};
 *     pl_windows_find(t, n, &w, from, to);      once for all series that share timestamps
 *     pl_rate(PL_RATE, t, v, &w, from, to, out);
 *     pl_agg_add(&group, out);
 *
 * A column of steps holds PL_ABSENT (the staleness marker, by its bits) where a series has no
 * value; any other NaN is a value and counts as one. Loops have a vector version (AVX2 by run-time
 * dispatch) beside the scalar one; both give the same bits where this page does not say otherwise.
 */
#pragma once
#include "core/base/base.h"

#define PL_ABSENT_BITS 0x7ff0000000000002ULL
#define PL_ABSENT      (pl_bits_f64(PL_ABSENT_BITS))
static inline bool pl_is_absent(double v) { return pl_f64_bits(v) == PL_ABSENT_BITS; }

/** Compensated sum (Kahan, Neumaier 1974): begin with {-0.0, 0}. A sum that reached infinity drops
 *  its compensation. Partial sums are pairs: merge by adding the other's sum, then its c. */
struct pl_ksum {
    double sum, c;
};
#define PL_KSUM_INIT ((struct pl_ksum){-0.0, 0})
static inline void pl_ksum_add(struct pl_ksum *k, double x)
{
    double t = k->sum + x;
    if (__builtin_isinf(t)) {
        k->c = 0;
    } else if (__builtin_fabs(k->sum) >= __builtin_fabs(x)) {
        k->c += (k->sum - t) + x;
    } else {
        k->c += (x - t) + k->sum;
    }
    k->sum = t;
}
static inline double pl_ksum_value(struct pl_ksum k) { return k.c == 0 ? k.sum : k.sum + k.c; }

/* --- whole arrays (aggregate.c); n >= 1 but for sum --- */

/** Compensated. From 32 values on in four lanes, so that the last bit may differ from adding one by
 *  one. */
double pl_sum(const double *v, size_t n);
/** NaN only where all are NaN. */
double pl_min(const double *v, size_t n);
double pl_max(const double *v, size_t n);
/** Sum by count; where the sum overflows, a running mean. */
double pl_avg(const double *v, size_t n);
/** Welford's population variance, compensated. */
double pl_stdvar(const double *v, size_t n);

/* --- grouping: many columns of steps into one (column.c) --- */

enum pl_agg {
    PL_AGG_SUM,
    PL_AGG_AVG,
    PL_AGG_COUNT,
    PL_AGG_MIN,
    PL_AGG_MAX,
    PL_AGG_STDDEV,
    PL_AGG_STDVAR,
    PL_AGG_GROUP,
};
/** What is known of n steps so far. Memory is the caller's. */
struct pl_agg_state {
    enum pl_agg op;
    size_t n;
    double *a, *b, *count; /* by op: sum, mean of squares, extreme | compensation, mean | values */
    uint8_t *running;      /* AVG: the sum overflowed, a holds the mean */
};
/** Bytes of memory for n steps; 8-byte aligned. */
size_t pl_agg_bytes(size_t n);
void pl_agg_init(struct pl_agg_state *s, enum pl_agg op, size_t n, void *memory);
/** Add a column of n steps, absent ones skipped. The result depends on the order as Prometheus'
 *  does. */
void pl_agg_add(struct pl_agg_state *s, const double *v);
/** Add one value, where there is one step. */
void pl_agg_add_one(struct pl_agg_state *s, double v);
/** Add another's steps, as when halves were summed in parallel; same op and n. */
void pl_agg_merge(struct pl_agg_state *s, const struct pl_agg_state *other);
/** PL_ABSENT where no value came. */
void pl_agg_finish(const struct pl_agg_state *s, double *out);

/* --- windows over one series (over_time.c) --- */

/** n windows (T - range, T], T = start + k * step; step > 0, range > 0. An offset is subtracted
 *  from start by the caller. */
struct pl_windows {
    int64_t start, step;
    size_t n;
    int64_t range;
};
/** Samples of window k are [from[k], to[k]); t ascends. */
void pl_windows_find(const int64_t *t, size_t n, const struct pl_windows *w, uint32_t *from,
                     uint32_t *to);
/** Take staleness markers out, as range selectors do; returns what is left of n. For instant
 *  selectors keep them: PL_OVER_LAST then yields PL_ABSENT by itself. */
size_t pl_drop_stale(int64_t *t, double *v, size_t n);

enum pl_over {
    PL_OVER_SUM,
    PL_OVER_AVG,
    PL_OVER_MIN,
    PL_OVER_MAX,
    PL_OVER_COUNT,
    PL_OVER_LAST,
    PL_OVER_FIRST,
    PL_OVER_STDDEV,
    PL_OVER_STDVAR,
    PL_OVER_PRESENT,
    PL_OVER_CHANGES,
    PL_OVER_RESETS,
};
/** out[k] over v[from[k]..to[k]), PL_ABSENT for an empty window. */
void pl_over_time(enum pl_over op, const double *v, const uint32_t *from, const uint32_t *to,
                  size_t n_windows, double *out);

/* --- rate.c --- */

enum pl_rate { PL_RATE, PL_INCREASE, PL_DELTA, PL_IRATE, PL_IDELTA };
/** Prometheus' extrapolation to the window's ends and counter resets; PL_ABSENT below two samples.
 *  Resets are looked for once, not once a window. */
void pl_rate(enum pl_rate op, const int64_t *t, const double *v, const struct pl_windows *w,
             const uint32_t *from, const uint32_t *to, double *out);
/** RATE, INCREASE or DELTA of one window [begin, end] of which this is known: the difference with
 *  resets added back, its n >= 2 samples' first value, first and last time. */
double pl_rate_of(enum pl_rate op, double result, double first, int64_t t_first, int64_t t_last,
                  size_t n, int64_t begin, int64_t end);

/** What rate, increase and delta of one column of timestamps come to before there are values: made
 *  once for all series that share timestamps and windows. Memory is the caller's. */
struct pl_rate_plan {
    size_t n;
    bool counter;
    double per_second;         /* RATE: the window in seconds; else 0 */
    const uint32_t *from, *to; /* borrowed */
    double *factor;            /* by which a difference is stretched where nothing else holds */
    double *sampled, *to_start, *to_end; /* seconds */
};
/** Bytes of memory for n windows. */
size_t pl_rate_plan_bytes(size_t n);
void pl_rate_plan_make(struct pl_rate_plan *p, enum pl_rate op, const int64_t *t,
                       const struct pl_windows *w, const uint32_t *from, const uint32_t *to,
                       void *memory);
/** pl_rate over v[0..n_v), bit by bit. op must be RATE, INCREASE or DELTA.
 *  @param scratch  room for 2 * n_v values
 *  @return false: so many resets in so many windows that pl_rate should take them in pieces */
bool pl_rate_planned(const struct pl_rate_plan *p, const double *v, size_t n_v, double *scratch,
                     double *out);

/* --- quantile.c --- */

/** Interpolated as Prometheus does: -Inf for q < 0, +Inf for q > 1, NaN for q = NaN or n = 0. NaN
 *  is below all numbers. v is reordered. */
double pl_quantile(double q, double *v, size_t n);
/** scratch: room for the largest window. */
void pl_over_time_quantile(double q, const double *v, const uint32_t *from, const uint32_t *to,
                           size_t n_windows, double *scratch, double *out);

#include "core/kernel/analytics.h"
