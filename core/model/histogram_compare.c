/* Two histograms, one after the other: are they the same, and was a counter reset in between? As
 * Prometheus (model/histogram/float_histogram.go, Equals and DetectReset): by the hint, else where
 * anything fell, in the resolution and with the zero bucket of the later one. */
#include "core/model/histogram_cursor.h"

static bool same_bits(double a, double b) { return pl_f64_bits(a) == pl_f64_bits(b); }

static bool same_side(const struct pl_hbuckets *a, const struct pl_hbuckets *b)
{
    struct pl__hcursor x = pl__hcursor(a, 0), y = pl__hcursor(b, 0);
    if (a->n != b->n) {
        return false;
    }
    while (pl__hcursor_next(&x)) {
        if (!pl__hcursor_next(&y) || x.index != y.index || !same_bits(x.x.v, y.x.v)) {
            return false;
        }
    }
    return true;
}

bool pl_histogram_equal(const struct pl_histogram *a, const struct pl_histogram *b)
{
    return a->schema == b->schema && same_bits(a->count, b->count) && same_bits(a->sum, b->sum) &&
           (!pl_histogram_custom(a) ||
            pl__hbounds_same(a->bounds, a->n_bounds, b->bounds, b->n_bounds)) &&
           a->zero_threshold == b->zero_threshold && same_bits(a->zero_count, b->zero_count) &&
           same_side(&a->neg, &b->neg) && same_side(&a->pos, &b->pos);
}

/* ------------------------------------------------------------------ counter resets */

/** The next bucket with all that fall into it added up; *more: c stands on the one behind. */
static bool merged_next(struct pl__hcursor *c, bool *more, int64_t *index, double *count)
{
    if (!*more) {
        return false;
    }
    *index = c->index;
    *count = 0;
    while (*more && c->index == *index) {
        *count += c->x.v;
        *more = pl__hcursor_next(c);
    }
    return true;
}

/** Is any bucket less than before, or gone? Buckets that end within the threshold do not count. */
static bool side_fell(const struct pl_hbuckets *now, const struct pl_hbuckets *before, int shift,
                      const struct pl_histogram *of, double threshold)
{
    struct pl__hcursor c = pl__hcursor(now, 0), p = pl__hcursor(before, shift);
    bool more_c = pl__hcursor_begin(&c, of, threshold),
         more_p = pl__hcursor_begin(&p, of, threshold);
    int64_t i = INT64_MIN, k;
    double x = 0, was;
    bool there = true;
    while (merged_next(&p, &more_p, &k, &was)) {
        while (there && i < k) {
            there = merged_next(&c, &more_c, &i, &x);
        }
        if (there && i == k ? x < was : was != 0) {
            return true;
        }
    }
    return false;
}

/** The observations of h up to a bound, from where *c stands. */
static double sum_to(const struct pl_histogram *h, struct pl__hcursor *c, bool *more, double bound)
{
    double sum = 0;
    while (*more && pl_histogram_bound(h, c->index) <= bound) {
        sum += c->x.v;
        *more = pl__hcursor_next(c);
    }
    return sum;
}

/** Between the bounds that both have, did anything fall? */
static bool custom_fell(const struct pl_histogram *now, const struct pl_histogram *before)
{
    struct pl__hcursor c = pl__hcursor(&now->pos, 0), p = pl__hcursor(&before->pos, 0);
    bool more_c = pl__hcursor_next(&c), more_p = pl__hcursor_next(&p);
    uint32_t i = 0, k = 0;
    while (i <= now->n_bounds && k <= before->n_bounds) {
        double a = i < now->n_bounds ? now->bounds[i] : INFINITY;
        double b = k < before->n_bounds ? before->bounds[k] : INFINITY;
        if (a == b) {
            double x = sum_to(now, &c, &more_c, a), was = sum_to(before, &p, &more_p, a);
            if (x < was) {
                return true;
            }
            i++, k++;
        } else if (a < b) {
            i++;
        } else {
            k++;
        }
    }
    return false;
}

bool pl_histogram_is_reset(const struct pl_histogram *h, const struct pl_histogram *before)
{
    if (h->reset == PL_RESET_YES || h->reset == PL_RESET_NO) {
        return h->reset == PL_RESET_YES;
    }
    if (h->count < before->count) {
        return true;
    }
    bool custom = pl_histogram_custom(h);
    if (custom) {
        if (!pl_histogram_custom(before)) {
            return true;
        }
        if (!pl__hbounds_same(h->bounds, h->n_bounds, before->bounds, before->n_bounds)) {
            return custom_fell(h, before);
        }
    }
    if (h->schema > before->schema || h->zero_threshold < before->zero_threshold ||
        pl_histogram_custom(before) != custom) {
        return true;
    }
    if (!custom) {
        struct pl__hzero z = pl__hzero_widened(
            (struct pl_hval){before->zero_count, 0}, before->zero_threshold, h->zero_threshold,
            before->schema, pl__hcursor(&before->pos, 0), pl__hcursor(&before->neg, 0));
        if (z.threshold != h->zero_threshold || h->zero_count < z.count.v) {
            return true;
        }
    }
    double threshold = custom ? 0 : h->zero_threshold;
    int shift = before->schema - h->schema;
    return side_fell(&h->pos, &before->pos, shift, h, threshold) ||
           side_fell(&h->neg, &before->neg, shift, h, threshold);
}
