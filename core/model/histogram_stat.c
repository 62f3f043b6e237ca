/* What a histogram says of its observations: quantiles, fractions, variance, text; and trimming at
 * a value. Within a bucket the observations are taken to be spread evenly, on a logarithmic scale
 * in exponential buckets, on a linear one in custom buckets and in the zero bucket. Special cases
 * as in Prometheus (promql/quantile.go, promql/functions.go, model/histogram). */
#include "core/model/histogram_cursor.h"

#include <float.h>

/** In a histogram with one side only, the zero bucket is taken to hold values of that side. */
static void one_sided(const struct pl_histogram *h, struct pl_hbucket *b)
{
    if (h->neg.n == 0 && h->pos.n > 0) {
        b->lower = 0;
    } else if (h->pos.n == 0 && h->neg.n > 0) {
        b->upper = 0;
    }
}

double pl_histogram_quantile(double q, const struct pl_histogram *h, enum pl_hnote *note)
{
    if (q < 0 || q > 1) {
        return q < 0 ? -INFINITY : INFINITY;
    }
    if (h->count == 0 || isnan(q)) {
        return NAN;
    }
    /* NaN observations are in the count, but in no bucket: then only from below. */
    bool custom = pl_histogram_custom(h), up = isnan(h->sum) || q < 0.5;
    double rank = up ? q * h->count : (1 - q) * h->count, count = 0;
    struct pl_hiter it = pl_hiter(h, !up);
    struct pl_hbucket b = {0}, x;
    while (pl_hiter_next(&it, &x)) {
        b = x;
        if (b.count == 0) {
            continue;
        }
        count += b.count;
        if (count >= rank) {
            break;
        }
    }
    if (!custom && b.lower < 0 && b.upper > 0) {
        one_sided(h, &b);
    } else if (custom && b.lower == -INFINITY) {
        if (b.upper <= 0) {
            return b.upper;
        }
        b.lower = 0;
    } else if (custom && b.upper == INFINITY) {
        return b.lower;
    }
    count = count > h->count ? h->count : count;
    if (count < rank) {
        if (isnan(h->sum)) {
            *note = PL_HNOTE_NAN_RESULT;
            return NAN;
        }
        return b.upper;
    }
    rank = up ? rank - (count - b.count) : count - rank;
    if (isnan(h->sum)) {
        while (pl_hiter_next(&it, &x)) {
            count += x.count;
        }
        *note = count < h->count ? PL_HNOTE_NAN_SKEW : *note;
    }
    double fraction = rank / b.count;
    if (custom || (b.lower <= 0 && b.upper >= 0)) {
        return b.lower + (b.upper - b.lower) * fraction;
    }
    double lower = log2(fabs(b.lower)), upper = log2(fabs(b.upper));
    return b.lower > 0 ? exp2(lower + (upper - lower) * fraction)
                       : -exp2(upper + (lower - upper) * (1 - fraction));
}

/** Of a bucket's observations, the part up to v, which lies in it. */
static double part_to(const struct pl_hbucket *b, double v, bool linear)
{
    if (linear) {
        return (v - b->lower) / (b->upper - b->lower);
    }
    double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper)), at = log2(fabs(v));
    return v > 0 ? (at - lower) / (upper - lower) : 1 - (at - upper) / (lower - upper);
}

static double rank_in(const struct pl_hbucket *b, double rank, double v, bool linear)
{
    if (linear) {
        return b->lower == -INFINITY ? b->count
                                     : rank + b->count * (v - b->lower) / (b->upper - b->lower);
    }
    return rank + b->count * part_to(b, v, false);
}

double pl_histogram_fraction(double lower, double upper, const struct pl_histogram *h,
                             enum pl_hnote *note)
{
    if (h->count == 0 || isnan(lower) || isnan(upper)) {
        return NAN;
    }
    if (lower >= upper) {
        return 0;
    }
    double count = 0, rank = 0, at[2] = {0, 0}, want[2] = {lower, upper};
    bool set[2] = {false, false};
    struct pl_hiter it = pl_hiter(h, false);
    struct pl_hbucket b;
    while (!(set[0] && set[1]) && pl_hiter_next(&it, &b)) {
        bool zero = b.lower <= 0 && b.upper >= 0;
        count += b.count;
        if (zero) {
            one_sided(h, &b);
        }
        for (int i = 0; i < 2; i++) {
            if (!set[i] && b.lower >= want[i]) {
                at[i] = rank;
                set[i] = true;
            } else if (!set[i] && b.upper > want[i]) {
                at[i] = rank_in(&b, rank, want[i], zero || pl_histogram_custom(h));
                set[i] = true;
            }
        }
        rank += b.count;
    }
    if (isnan(h->sum)) {
        while (pl_hiter_next(&it, &b)) {
            count += b.count;
        }
        *note = count < h->count ? PL_HNOTE_NAN_FRACTION : *note;
    } else {
        count = h->count;
    }
    for (int i = 0; i < 2; i++) {
        at[i] = !set[i] || at[i] > count ? count : at[i];
    }
    return (at[1] - at[0]) / h->count;
}

double pl_histogram_variance(const struct pl_histogram *h)
{
    double mean = h->sum / h->count;
    struct pl_hval sum = {0, 0};
    struct pl_hiter it = pl_hiter(h, false);
    struct pl_hbucket b;
    while (pl_hiter_next(&it, &b)) {
        double middle = 0;
        if (b.count == 0) {
            continue;
        }
        if (pl_histogram_custom(h)) {
            middle = (b.upper + b.lower) / 2;
        } else if (b.lower > 0 || b.upper < 0) {
            middle = sqrt(b.upper * b.lower);
            middle = b.upper < 0 ? -middle : middle;
        }
        double delta = middle - mean;
        pl__hval_add(&sum, b.count * delta * delta);
    }
    return (sum.v + sum.c) / h->count;
}

/* ------------------------------------------------------------------ trimming */

static double finite_or_0(double x) { return isinf(x) ? 0 : x; }

/** What stands for the values of (lower, upper]. */
static double middle_of(double lower, double upper, bool positive, bool linear)
{
    if (isinf(lower)) {
        return isinf(upper) ? 0 : upper > 0 ? upper / 2 : upper;
    }
    if (isinf(upper)) {
        return lower;
    }
    if (linear) {
        return (lower + upper) / 2;
    }
    double mean = sqrt(fabs(lower * upper));
    return positive ? mean : -mean;
}

/** A bucket that x cuts and that has no end on one side: how its values lie is not known, so it is
 *  kept or dropped as a whole, but for a lowest bucket taken to begin at 0. */
static double cut_open(const struct pl_hbucket *b, double x, bool above, double *middle)
{
    *middle = 0;
    if (b->lower == -INFINITY) {
        if (!above) {
            if (x >= b->upper) {
                return b->count;
            }
            if (x > 0 && b->upper > 0 && b->upper != INFINITY) {
                *middle = x / 2;
                return b->count * x / b->upper;
            }
            if (b->upper <= 0) {
                *middle = x;
                return b->count;
            }
        } else {
            if (x <= b->lower) {
                return b->count;
            }
            if (x >= 0 && b->upper > x && b->upper != INFINITY) {
                *middle = (x + b->upper) / 2;
                return b->count * (1 - x / b->upper);
            }
        }
        *middle = finite_or_0(b->upper);
        return 0;
    }
    if (above && x >= b->lower) {
        *middle = x;
        return b->count;
    }
    *middle = finite_or_0(b->lower);
    return 0;
}

/** How much of a bucket stays, and what stands for it. */
static double cut(const struct pl_histogram *h, const struct pl_hbucket *b, double x, bool above,
                  bool positive, double *middle)
{
    bool linear = pl_histogram_custom(h);
    *middle = 0;
    if (above ? b->lower >= x : b->upper <= x) {
        *middle = middle_of(b->lower, b->upper, positive, linear);
        return b->count;
    }
    if (above ? b->upper <= x : b->lower >= x) {
        return 0;
    }
    if (isnan(x)) {
        return 0;
    }
    if (b->lower == -INFINITY || b->upper == INFINITY) {
        return cut_open(b, x, above, middle);
    }
    double under = b->count * part_to(b, x, linear);
    *middle =
        above ? middle_of(x, b->upper, positive, linear) : middle_of(b->lower, x, positive, linear);
    return above ? b->count - under : under;
}

/** The same for the zero bucket: sides without observations do not count. */
static double cut_zero(const struct pl_histogram *h, double x, bool above, bool has_neg,
                       bool has_pos, double *middle)
{
    double lower = has_pos && !has_neg ? 0 : -h->zero_threshold;
    double upper = has_neg && !has_pos ? 0 : h->zero_threshold;
    *middle = 0;
    if (x <= lower || x >= upper) {
        bool keep = above ? x <= lower : x > lower && x >= upper;
        *middle = keep ? (lower + upper) / 2 : 0;
        return keep ? h->zero_count : 0;
    }
    *middle = above ? (x + upper) / 2 : (lower + x) / 2;
    return h->zero_count * ((above ? upper - x : x - lower) / (upper - lower));
}

struct trim {
    double count, sum;
    bool any, cut;
};

static void trim_side(struct trim *t, const struct pl_histogram *h, struct pl_hcells *cells,
                      double x, bool above, bool positive)
{
    for (uint32_t i = 0; i < cells->n; i++) {
        struct pl_hcell *c = &cells->cell[i];
        double inner = pl_histogram_bound(h, (int64_t)c->index - 1);
        double outer = pl_histogram_bound(h, c->index), middle;
        struct pl_hbucket b = {
            positive ? inner : -outer, positive ? outer : -inner, c->x.v, c->index, false, false};
        if (b.count == 0) {
            continue;
        }
        t->any = true;
        double keep = cut(h, &b, x, above, positive, &middle);
        t->count += keep;
        t->sum += middle * keep;
        t->cut |= keep != b.count;
        c->x.v = keep;
    }
}

struct pl_histogram *pl_histogram_trim(struct pl_arena *a, const struct pl_histogram *h, double x,
                                       bool above)
{
    struct pl_hsum s;
    if (pl_hsum_init(&s, a, h) < 0) {
        return NULL;
    }
    struct trim t = {0};
    trim_side(&t, h, &s.pos, x, above, true);
    bool has_pos = t.any;
    t.any = false;
    trim_side(&t, h, &s.neg, x, above, false);
    if (h->zero_count > 0) {
        double middle, keep = cut_zero(h, x, above, t.any, has_pos, &middle);
        t.count += keep;
        t.sum += middle * keep;
        t.cut |= keep != h->zero_count;
        s.zero.v = keep;
    }
    if (t.cut) {
        s.count.v = t.count;
        s.sum.v = t.sum;
    }
    return pl_hsum_finish(&s, a, t.cut, false);
}
