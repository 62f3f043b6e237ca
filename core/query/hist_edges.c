/* rate, increase, delta, changes and resets of histograms over anchored and smoothed ranges: as
 * fn_edges.c has it for floats, the ends interpolated bucket by bucket (Prometheus,
 * promql/functions.go: extendedHistogramRate). */
#include "core/query/hist_range.h"

/** First index in [lo, hi) whose time is greater than `at` (or equal, with `equal`); hi if none. */
static size_t search(const struct pl__ranges *x, size_t lo, size_t hi, int64_t at, bool equal)
{
    while (lo < hi && (x->win->t[lo] < at || (!equal && x->win->t[lo] == at))) {
        lo++;
    }
    return lo;
}

/** a + factor * b; NULL where they do not fit, or without memory. */
static struct pl_histogram *add(struct pl__ranges *x, const struct pl_histogram *a,
                                const struct pl_histogram *b, double factor)
{
    struct pl_hsum s;
    int bits = pl_hsum_init(&s, &x->step, a);
    bits = bits < 0 ? bits : pl_hsum_add(&s, b, factor);
    if (bits == PL_EINVAL) {
        x->notes |= PL__HNOTE_MIXED_SCHEMA;
        return NULL;
    }
    struct pl_histogram *h = bits < 0 ? NULL : pl_hsum_finish(&s, &x->step, false, false);
    if (!h) {
        x->err = PL_ENOMEM;
        return NULL;
    }
    if (bits & PL_HSUM_RECONCILED) {
        x->notes |= factor < 0 ? PL__HNOTE_BOUNDS_SUB : PL__HNOTE_BOUNDS_ADD;
    }
    return h;
}

static struct pl_histogram *scaled(struct pl__ranges *x, const struct pl_histogram *h, double by)
{
    struct pl_histogram *to = pl_histogram_scaled(&x->step, h, by, false, false);
    x->err = to ? x->err : PL_ENOMEM;
    return to;
}

/** On the line from sample i to the next one; a counter that was reset begins at zero. */
static const struct pl_histogram *between(struct pl__ranges *x, size_t i, int64_t at, bool counter)
{
    const struct pl_histogram *a = pl__range_at(x, i), *b = pl__range_at(x, i + 1);
    int64_t t0 = x->win->t[i], t1 = x->win->t[i + 1];
    double part = (double)(at - t0) / (double)(t1 - t0);
    if (at == t0 || at == t1) {
        return at == t0 ? a : b;
    }
    if (counter && pl__range_reset(x, i + 1)) {
        return scaled(x, b, part);
    }
    struct pl_histogram *h = add(x, b, a, -1);
    h = h ? scaled(x, h, part) : NULL;
    return h ? add(x, h, a, 1) : NULL;
}

/** What resets between the ends took away, added to the increase. */
static struct pl_histogram *correct(struct pl__ranges *x, size_t first, size_t last, int64_t from,
                                    bool smoothed, const struct pl_histogram *left,
                                    const struct pl_histogram *right, struct pl_histogram *increase)
{
    const struct pl_histogram *before = left;
    size_t i = first + 1;
    if (smoothed && x->win->t[first] < from && first + 1 < x->hi && pl__range_reset(x, first + 1)) {
        before = pl__range_at(x, first + 1); /* the left end has seen to this one */
        i++;
    }
    if (i > last) {
        return increase;
    }
    for (; increase && i < last; i++) {
        if (pl_histogram_is_reset(pl__range_at(x, i), before)) {
            increase = add(x, increase, before, 1);
        }
        before = pl__range_at(x, i);
    }
    if (increase && pl_histogram_is_reset(right, before)) {
        increase = add(x, increase, before, 1);
    }
    return increase;
}

double pl__hist_edges(struct pl__ranges *x, size_t step, bool smoothed, bool counter,
                      bool per_second)
{
    const struct pl_windows *w = &x->win->w;
    const int64_t *t = x->win->t;
    int64_t to = w->start + (int64_t)step * w->step, from = to - w->range;
    size_t last = x->hi - 1, first = search(x, x->lo, last, from, false);
    first = first > x->lo ? first - 1 : x->lo;
    last = smoothed ? search(x, x->lo, last, to, true) : last;
    if (t[last] <= from || (smoothed && t[first] > to)) {
        return PL_ABSENT;
    }
    for (size_t i = first; i <= last; i++) {
        const struct pl_histogram *h = pl__range_at(x, i);
        if (pl_histogram_custom(h) != pl_histogram_custom(pl__range_at(x, first))) {
            x->notes |= PL__HNOTE_MIXED_SCHEMA;
            return PL_ABSENT;
        }
        x->notes |= counter && h->reset == PL_RESET_GAUGE ? PL__HNOTE_NOT_COUNTER : 0;
    }
    const struct pl_histogram *left = pl__range_at(x, first), *right = pl__range_at(x, last);
    if (smoothed && t[first] < from) {
        left = between(x, first, from, counter);
    }
    if (smoothed && last > x->lo && t[last] > to) {
        right = left ? between(x, last - 1, to, counter) : NULL;
    }
    if (!left || !right) {
        return PL_ABSENT;
    }
    if (!counter && (left->reset != PL_RESET_GAUGE || right->reset != PL_RESET_GAUGE)) {
        x->notes |= PL__HNOTE_NOT_GAUGE;
    }
    struct pl_histogram *h = add(x, right, left, -1);
    if (h && counter) {
        h = correct(x, first, last, from, smoothed, left, right, h);
    }
    if (h) {
        double by = per_second ? (double)w->range / 1000 : 1;
        h = pl_histogram_scaled(x->heap, h, by, true, true);
        x->err = h ? x->err : PL_ENOMEM;
    }
    if (!h) {
        return PL_ABSENT;
    }
    h->reset = PL_RESET_GAUGE;
    return pl_histogram_boxed(h);
}

bool pl__hist_anchor(struct pl__ranges *x, size_t step)
{
    const struct pl_windows *w = &x->win->w;
    int64_t from = w->start + (int64_t)step * w->step - w->range;
    size_t inside = search(x, x->lo, x->hi, from, false);
    if (inside == x->hi) {
        return false;
    }
    x->lo = inside > x->lo ? inside - 1 : x->lo;
    return true;
}
