/* Arithmetic of native histograms, as PromQL needs it: bounds of buckets, iteration in order of
 * value, sums that take in one histogram after another, counter resets, quantiles and fractions.
 * Results agree with Prometheus' model/histogram and promql/quantile.go: which buckets there are
 * (empty ones count, too), which schema and zero threshold come out, the order of additions.
 *
 * Pure; allocations come from the arena given. A `pl_hsum` belongs to one thread. */
#pragma once
#include "core/model/histogram.h"

#include <math.h>

static inline bool pl_histogram_custom(const struct pl_histogram *h)
{
    return h->schema == PL_HISTOGRAM_CUSTOM;
}

/** A boxed reference to a histogram in memory: what query calculates with. */
static inline double pl_histogram_boxed(const struct pl_histogram *h)
{
    return pl_histogram_box((uint64_t)(uintptr_t)h);
}
static inline const struct pl_histogram *pl_histogram_unboxed(double v)
{
    return (const struct pl_histogram *)(uintptr_t)pl_histogram_ref(v);
}

/** Upper bound of bucket i: 2^(i * 2^-schema), or the custom one. Below the least index -Inf or 0,
 *  above the greatest +Inf or the greatest double. */
double pl_histogram_bound(const struct pl_histogram *h, int64_t i);

/** One bucket; `index` means nothing for the zero bucket. */
struct pl_hbucket {
    double lower, upper, count;
    int32_t index;
    bool lower_in, upper_in; /* does the bound belong to it? */
};
/** Buckets by value, ascending or (back) descending: the negative ones, the zero bucket if it has
 *  observations, the positive ones. Bounds stop at the zero bucket's.
 *
 *     struct pl_hiter it = pl_hiter(h, false);
 *     struct pl_hbucket b;
 *     while (pl_hiter_next(&it, &b)) ... */
struct pl_hside_iter {
    const struct pl_hbuckets *b;
    bool back;
    uint32_t span, in, at, left;
    int64_t index;
};
struct pl_hiter {
    const struct pl_histogram *h;
    bool back;
    int stage;
    struct pl_hside_iter side;
};
struct pl_hiter pl_hiter(const struct pl_histogram *h, bool back);
bool pl_hiter_next(struct pl_hiter *it, struct pl_hbucket *out);

/* --- one histogram */

/** A deep copy; NULL without memory. */
struct pl_histogram *pl_histogram_copy(struct pl_arena *a, const struct pl_histogram *h);
/** The same data: schema, layout of buckets, bounds, and all values bit by bit. */
bool pl_histogram_equal(const struct pl_histogram *a, const struct pl_histogram *b);
/** Was a counter reset between `before` and h? By the hint of h, else by what fell. */
bool pl_histogram_is_reset(const struct pl_histogram *h, const struct pl_histogram *before);

/** What a quantile or fraction has to say besides. */
enum pl_hnote { PL_HNOTE_NONE, PL_HNOTE_NAN_RESULT, PL_HNOTE_NAN_SKEW, PL_HNOTE_NAN_FRACTION };
/** Interpolated: exponentially in exponential buckets, else linearly. */
double pl_histogram_quantile(double q, const struct pl_histogram *h, enum pl_hnote *note);
/** The share of observations in (lower, upper]. */
double pl_histogram_fraction(double lower, double upper, const struct pl_histogram *h,
                             enum pl_hnote *note);
/** Estimated from the middles of the buckets. */
double pl_histogram_variance(const struct pl_histogram *h);
/** What lies below (`above` false) or above x; the bucket that holds x is divided, the sum is
 *  estimated anew where anything was cut. NULL without memory. */
struct pl_histogram *pl_histogram_trim(struct pl_arena *a, const struct pl_histogram *h, double x,
                                       bool above);

/* --- sums */

struct pl_hval {
    double v, c; /* a value and its compensation (Kahan, Neumaier) */
};
struct pl_hcell {
    struct pl_hval x;
    int32_t index;
};
struct pl_hcells {
    struct pl_hcell *cell; /* by index, ascending */
    uint32_t n, cap;
};
/** A histogram that is calculated with. Its reset hint follows Prometheus' rules for what is
 *  added. */
struct pl_hsum {
    int8_t schema;
    uint8_t reset;
    double zero_threshold;
    struct pl_hval zero, count, sum;
    struct pl_hcells pos, neg;
    const double *bounds;
    uint32_t n_bounds;
    bool own_bounds; /* they are in the arena, not the histogram's they came with */
    struct pl_arena *arena;
};
enum {                         /* what an addition came across */
       PL_HSUM_COLLISION = 1,  /* one says reset, the other not */
       PL_HSUM_RECONCILED = 2, /* custom bounds differ: those in common are left */
};
/** Begin with a copy of h. PL_ENOMEM. */
int pl_hsum_init(struct pl_hsum *s, struct pl_arena *a, const struct pl_histogram *h);
/** Begin with nothing, of h's schema and bounds. */
void pl_hsum_zero(struct pl_hsum *s, struct pl_arena *a, const struct pl_histogram *h);
/** Add factor (1 or -1) times h; schema, zero bucket and custom bounds become what both have.
 *  @return PL_HSUM_ bits, or PL_EINVAL (exponential and custom do not mix; s is as it was),
 *          PL_ENOMEM */
int pl_hsum_add(struct pl_hsum *s, const struct pl_histogram *h, double factor);
/** To a lower resolution; none where it is not lower. */
void pl_hsum_reduce(struct pl_hsum *s, int schema);
void pl_hsum_mul(struct pl_hsum *s, double x);
/** By 0: no buckets are left. */
void pl_hsum_div(struct pl_hsum *s, double x);
/** Has any value become infinite? */
bool pl_hsum_overflow(const struct pl_hsum *s);
/** As a histogram in `a`. compact: without empty buckets; compensated: with the compensation
 *  added to all values. NULL without memory. */
struct pl_histogram *pl_hsum_finish(const struct pl_hsum *s, struct pl_arena *a, bool compact,
                                    bool compensated);
/** A copy of h times x, or divided by it, compact where asked for. NULL without memory. */
struct pl_histogram *pl_histogram_scaled(struct pl_arena *a, const struct pl_histogram *h, double x,
                                         bool divide, bool compact);
