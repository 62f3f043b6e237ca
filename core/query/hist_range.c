/* Range functions over series that hold histograms. rate and its kin, sum and avg take windows that
 * hold nothing but histograms, or nothing but floats; changes and resets count a change of kind;
 * what only asks for times and presence does not care; all else is about floats and ignores
 * histograms. Windows of floats go the usual way. As Prometheus, promql/functions.go. */
#include "core/query/hist_range.h"

#include <stdlib.h>

bool pl__range_reset(struct pl__ranges *x, size_t i)
{
    if (x->reset[i] == 0) {
        x->reset[i] = pl_histogram_is_reset(pl__range_at(x, i), pl__range_at(x, i - 1)) ? 2 : 1;
    }
    return x->reset[i] == 2;
}

static double absent(struct pl__ranges *x, unsigned note)
{
    x->notes |= note;
    return PL_ABSENT;
}

static double finish(struct pl__ranges *x, struct pl_hsum *s, bool compact, bool compensated)
{
    struct pl_histogram *h = pl_hsum_finish(s, x->heap, compact, compensated);
    if (!h) {
        x->err = PL_ENOMEM;
        return PL_ABSENT;
    }
    return pl_histogram_boxed(h);
}

/* ------------------------------------------------------------------ rate */

/** The increase between the first and last histogram of the window: in *s. @return is there one? */
static bool increase(struct pl__ranges *x, bool counter, struct pl_hsum *s)
{
    const struct pl_histogram *first = pl__range_at(x, x->lo), *last = pl__range_at(x, x->hi - 1);
    struct pl_histogram none;
    bool custom = pl_histogram_custom(first), skip = false;
    if (counter && (first->reset == PL_RESET_GAUGE || last->reset == PL_RESET_GAUGE)) {
        x->notes |= PL__HNOTE_NOT_COUNTER;
    }
    if (counter && pl__range_reset(x, x->lo + 1)) { /* the first one's layout does not matter */
        const struct pl_histogram *second = pl__range_at(x, x->lo + 1);
        none = (struct pl_histogram){
            .schema = second->schema, .bounds = second->bounds, .n_bounds = second->n_bounds};
        first = &none;
        custom = pl_histogram_custom(second);
        skip = true;
    }
    int schema = last->schema < first->schema ? last->schema : first->schema;
    if (pl_histogram_custom(last) != custom) {
        absent(x, PL__HNOTE_MIXED_SCHEMA);
        return false;
    }
    for (size_t i = x->lo + 1; counter && i + 1 < x->hi; i++) {
        const struct pl_histogram *h = pl__range_at(x, i);
        if (h->reset == PL_RESET_GAUGE) {
            x->notes |= PL__HNOTE_NOT_COUNTER;
        }
        schema = h->schema < schema ? h->schema : schema;
        if (pl_histogram_custom(h) != custom) {
            absent(x, PL__HNOTE_MIXED_SCHEMA);
            return false;
        }
    }
    int bits = pl_hsum_init(s, &x->step, last);
    if (bits >= 0) {
        pl_hsum_reduce(s, schema);
        bits = pl_hsum_add(s, first, -1);
    }
    if (bits == PL_EINVAL) {
        absent(x, PL__HNOTE_MIXED_SCHEMA);
        return false;
    }
    x->notes |= bits >= 0 && bits & PL_HSUM_RECONCILED ? PL__HNOTE_BOUNDS_SUB : 0;
    if (!counter) {
        if (first->reset != PL_RESET_GAUGE || last->reset != PL_RESET_GAUGE) {
            x->notes |= PL__HNOTE_NOT_GAUGE;
        }
    }
    for (size_t i = x->lo + 1 + skip; counter && i < x->hi && bits >= 0; i++) {
        if (pl__range_reset(x, i)) {
            bits = pl_hsum_add(s, pl__range_at(x, i - 1), 1);
            if (bits == PL_EINVAL) {
                absent(x, PL__HNOTE_MIXED_SCHEMA);
                return false;
            }
            x->notes |= bits >= 0 && bits & PL_HSUM_RECONCILED ? PL__HNOTE_BOUNDS_ADD : 0;
        }
    }
    x->err = bits < 0 ? bits : x->err;
    s->reset = PL_RESET_GAUGE;
    return bits >= 0;
}

static double rate(struct pl__ranges *x, size_t step, bool counter, bool per_second)
{
    struct pl_hsum s;
    size_t n = x->hi - x->lo;
    if (n < 2 || !increase(x, counter, &s)) {
        return PL_ABSENT;
    }
    const struct pl_windows *w = &x->win->w;
    int64_t end = w->start + (int64_t)step * w->step, start = end - w->range;
    int64_t t0 = x->win->t[x->lo], t1 = x->win->t[x->hi - 1];
    double to_start = (double)(t0 - start) / 1000, to_end = (double)(end - t1) / 1000;
    double sampled = (double)(t1 - t0) / 1000, average = sampled / (double)(n - 1);
    double threshold = average * 1.1, was = pl__range_at(x, x->lo)->count;
    to_start = to_start >= threshold ? average / 2 : to_start;
    if (counter && s.count.v > 0 && was >= 0) {
        double to_zero = sampled * (was / s.count.v);
        to_start = to_zero < to_start ? to_zero : to_start;
    }
    to_end = to_end >= threshold ? average / 2 : to_end;
    double factor = (sampled + to_start + to_end) / sampled;
    pl_hsum_mul(&s, per_second ? factor / ((double)w->range / 1000) : factor);
    s.reset = PL_RESET_GAUGE;
    return finish(x, &s, true, false);
}

/** irate, idelta: of the last two samples. */
static double instant(struct pl__ranges *x, bool counter)
{
    const struct pl_histogram *a = pl__range_at(x, x->hi - 2), *b = pl__range_at(x, x->hi - 1);
    int64_t interval = x->win->t[x->hi - 1] - x->win->t[x->hi - 2];
    bool gauges = a->reset == PL_RESET_GAUGE && b->reset == PL_RESET_GAUGE;
    bool any_gauge = a->reset == PL_RESET_GAUGE || b->reset == PL_RESET_GAUGE;
    struct pl_hsum s;
    if (interval == 0) {
        return PL_ABSENT;
    }
    x->notes |= counter && any_gauge  ? PL__HNOTE_NOT_COUNTER
                : !counter && !gauges ? PL__HNOTE_NOT_GAUGE
                                      : 0;
    int bits = pl_hsum_init(&s, &x->step, b);
    if (bits >= 0 && (!counter || !pl__range_reset(x, x->hi - 1))) {
        bits = pl_hsum_add(&s, a, -1);
        if (bits == PL_EINVAL) {
            return absent(x, PL__HNOTE_MIXED_SCHEMA);
        }
        x->notes |= bits >= 0 && bits & PL_HSUM_RECONCILED ? PL__HNOTE_BOUNDS_SUB : 0;
    }
    if (bits < 0) {
        x->err = bits;
        return PL_ABSENT;
    }
    if (counter) {
        pl_hsum_div(&s, (double)interval / 1000);
    }
    s.reset = PL_RESET_GAUGE;
    return finish(x, &s, true, false);
}

/* ------------------------------------------------------------------ sum, avg */

static double total(struct pl__ranges *x, bool avg)
{
    struct pl__hcell v = {0};
    for (size_t i = x->lo; i < x->hi && x->err >= 0 && !v.incompatible; i++) {
        x->err = pl__hcell_add(&v, &x->step, avg, pl__range_at(x, i));
    }
    x->notes |= v.incompatible ? PL__HNOTE_MIXED_SCHEMA : pl__hcell_notes(&v);
    if (x->err < 0 || v.incompatible) {
        return PL_ABSENT;
    }
    struct pl_histogram *h = pl__hcell_finish(&v, x->heap, avg, false);
    if (!h) {
        x->err = PL_ENOMEM;
        return PL_ABSENT;
    }
    return pl_histogram_boxed(h);
}

/* ------------------------------------------------------------------ changes, resets */

static double count_steps(struct pl__ranges *x, bool resets)
{
    size_t n = 0;
    for (size_t i = x->lo + 1; i < x->hi; i++) {
        double a = x->win->v[i - 1], b = x->win->v[i];
        bool ha = pl_is_histogram(a), hb = pl_is_histogram(b);
        if (ha != hb) {
            n++;
        } else if (ha) {
            n += resets ? pl__range_reset(x, i)
                        : !pl_histogram_equal(pl__range_at(x, i), pl__range_at(x, i - 1));
        } else {
            n += resets ? b < a : b != a && !(isnan(b) && isnan(a));
        }
    }
    return x->hi > x->lo ? (double)n : PL_ABSENT;
}

/* ------------------------------------------------------------------ all steps */

/** The window of one step by the function for floats. */
static void floats_step(struct pl__ranges *x, size_t s, double *out)
{
    struct pl__windows one = *x->win;
    uint32_t lo = (uint32_t)x->lo, hi = (uint32_t)x->hi;
    one.lo = &lo;
    one.hi = &hi;
    one.w.n = 1;
    one.w.start += (int64_t)s * one.w.step;
    one.eval0 += (int64_t)s * one.eval_step;
    one.p1 = one.p1 ? one.p1 + s : NULL;
    one.p2 = one.p2 ? one.p2 + s : NULL;
    one.p3 = one.p3 ? one.p3 + s : NULL;
    x->r->range(&one, out);
}

static double one_step(struct pl__ranges *x, size_t s, size_t n_floats)
{
    double out;
    size_t n = x->hi - x->lo;
    int which = x->r->which;
    bool edges = x->r->before || x->r->after;
    if (which == PL__RANGE_CHANGES || which == PL__RANGE_RESETS) {
        if (edges && !pl__hist_anchor(x, s)) {
            return PL_ABSENT;
        }
        return count_steps(x, which == PL__RANGE_RESETS);
    }
    if (which == PL__RANGE_IRATE || which == PL__RANGE_IDELTA) {
        if (n < 2) {
            return PL_ABSENT;
        }
        bool a = pl_is_histogram(x->win->v[x->hi - 2]), b = pl_is_histogram(x->win->v[x->hi - 1]);
        if (a != b) {
            return absent(x, PL__HNOTE_MIXED_RANGE);
        }
        if (a) {
            return instant(x, which == PL__RANGE_IRATE);
        }
        x->lo = x->hi - 2;
        floats_step(x, s, &out);
        return out;
    }
    if (n == 0) {
        return PL_ABSENT;
    }
    if (n_floats == n) {
        floats_step(x, s, &out);
        return out;
    }
    if (n_floats > 0) {
        return absent(x, PL__HNOTE_MIXED_RANGE);
    }
    if (edges) {
        return pl__hist_edges(x, s, x->r->after > 0, which != PL__RANGE_DELTA,
                              which == PL__RANGE_RATE);
    }
    switch (which) {
    case PL__RANGE_RATE:
        return rate(x, s, true, true);
    case PL__RANGE_INCREASE:
        return rate(x, s, true, false);
    case PL__RANGE_DELTA:
        return rate(x, s, false, false);
    default:
        return total(x, which == PL__RANGE_AVG_OVER_TIME);
    }
}

/** Functions that ignore histograms: over the floats alone. */
static int floats_only(struct pl__ranges *x, const uint32_t *floats, double *out)
{
    struct pl__windows f = *x->win;
    struct pl_arena *a = &x->w->tmp;
    size_t n = floats[f.n], k = 0;
    int64_t *t = pl_arena_alloc(a, (n + 1) * sizeof *t);
    double *v = pl_arena_alloc(a, (n + 1) * sizeof *v);
    double *scratch = pl_arena_alloc(a, (n + 1) * sizeof *scratch);
    uint32_t *lo = pl_arena_alloc(a, f.w.n * sizeof *lo);
    uint32_t *hi = pl_arena_alloc(a, f.w.n * sizeof *hi);
    if (!t || !v || !scratch || !lo || !hi) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < f.n; i++) {
        if (!pl_is_histogram(f.v[i])) {
            t[k] = f.t[i];
            v[k++] = f.v[i];
        }
    }
    for (size_t s = 0; s < f.w.n; s++) {
        lo[s] = floats[f.lo[s]];
        hi[s] = floats[f.hi[s]];
        if (hi[s] > lo[s] && hi[s] - lo[s] < f.hi[s] - f.lo[s]) {
            x->notes |= PL__HNOTE_IGNORED;
        }
    }
    f.t = t, f.v = v, f.n = n, f.lo = lo, f.hi = hi, f.scratch = scratch;
    x->r->range(&f, out);
    return 0;
}

int pl__hist_range(const struct pl__rows *r, struct pl__worker *w, size_t i,
                   const struct pl__windows *win, double *out)
{
    struct pl__ranges x = {.r = r, .w = w, .win = win, .heap = pl__heap(w)};
    uint32_t *floats = pl_arena_alloc(&w->tmp, (win->n + 1) * sizeof *floats);
    x.reset = pl_arena_zalloc(&w->tmp, (win->n + 1) * sizeof *x.reset);
    if (!x.heap || !floats || !x.reset) {
        pl_arena_reset(&w->tmp);
        return PL_ENOMEM;
    }
    floats[0] = 0;
    for (size_t k = 0; k < win->n; k++) {
        floats[k + 1] = floats[k] + !pl_is_histogram(win->v[k]);
    }
    switch (r->which) {
    case PL__RANGE_COUNT_OVER_TIME:
    case PL__RANGE_PRESENT_OVER_TIME:
    case PL__RANGE_LAST_OVER_TIME:
    case PL__RANGE_FIRST_OVER_TIME:
    case PL__RANGE_TS_OF_FIRST_OVER_TIME:
    case PL__RANGE_TS_OF_LAST_OVER_TIME:
        r->range(win, out);
        break;
    case PL__RANGE_RATE:
    case PL__RANGE_INCREASE:
    case PL__RANGE_DELTA:
    case PL__RANGE_IRATE:
    case PL__RANGE_IDELTA:
    case PL__RANGE_SUM_OVER_TIME:
    case PL__RANGE_AVG_OVER_TIME:
    case PL__RANGE_CHANGES:
    case PL__RANGE_RESETS:
        for (size_t s = 0; s < win->w.n && x.err >= 0; s++) {
            if (s > 0 && win->w.step == 0) { /* @: the same window */
                out[s] = out[0];
                continue;
            }
            x.lo = win->lo[s], x.hi = win->hi[s];
            out[s] = one_step(&x, s, floats[x.hi] - floats[x.lo]);
            x.err = x.err < 0 || s % 16 ? x.err : pl__tick(w->ex);
            x.err = x.err < 0 ? x.err : pl__heap_charge(w);
            pl_arena_reset(&x.step);
        }
        break;
    default:
        x.err = floats_only(&x, floats, out);
    }
    pl_arena_fini(&x.step);
    pl_arena_reset(&w->tmp);
    pl__hist_notes(w->ex, x.notes, r->at,
                   w->cols->labels ? pl_labels_get(w->cols->labels[i], PL_METRIC_NAME)
                                   : w->cols->groups.metric);
    return x.err;
}
