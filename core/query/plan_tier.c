/* Rollup tiers in queries. Two uses:
 *
 *   exact   every window of the query is made of whole buckets, and the function is made of what
 *           buckets hold: they are read instead of the samples, where they are many fewer. The
 *           result is what the samples give (sums in their last bits). A series whose buckets
 *           cannot say (histograms, infinities) is read from its samples.
 *   gone    steps that look behind the retention of samples: the buckets that lie in the window,
 *           said by an info. An instant selector takes the last sample of a bucket, where it is
 *           not older than the lookback or the resolution; a function whose window is shorter than
 *           a bucket takes the bucket around its end, where that means the same kind of number.
 *
 * The plan is made once for a selector (calling thread), rows are made by workers. */
#include "core/query/exec.h"

#include <math.h>
#include <stdlib.h>

#define EXACT_SPAN_MS (3 * 3600000ll) /* shorter queries read samples: a tier would save little */

enum { COUNT = 1 << PL_TIER_COUNT, SUM = 1 << PL_TIER_SUM };
#define BITS_RATE                                                                                  \
    (COUNT | 1 << PL_TIER_FIRST | 1 << PL_TIER_LAST | 1 << PL_TIER_INCREASE |                      \
     1 << PL_TIER_T_FIRST | 1 << PL_TIER_T_LAST)

/** What a function needs of buckets; 0: it cannot be made of them. */
static unsigned wants(int which)
{
    switch (which) {
    case PL__TIER_INSTANT:
        return 1 << PL_TIER_LAST | 1 << PL_TIER_T_LAST;
    case PL__RANGE_COUNT_OVER_TIME:
    case PL__RANGE_PRESENT_OVER_TIME:
        return COUNT;
    case PL__RANGE_SUM_OVER_TIME:
        return SUM;
    case PL__RANGE_AVG_OVER_TIME:
        return COUNT | SUM;
    case PL__RANGE_MIN_OVER_TIME:
        return 1 << PL_TIER_MIN;
    case PL__RANGE_MAX_OVER_TIME:
        return 1 << PL_TIER_MAX;
    case PL__RANGE_FIRST_OVER_TIME:
        return 1 << PL_TIER_FIRST;
    case PL__RANGE_LAST_OVER_TIME:
        return 1 << PL_TIER_LAST;
    case PL__RANGE_RATE:
    case PL__RANGE_INCREASE:
    case PL__RANGE_DELTA:
        return BITS_RATE;
    default:
        return 0;
    }
}

static bool multiple(int64_t x, int64_t of) { return x % of == 0; }

void pl__tier_plan(struct pl__exec *ex, struct pl_expr *e, int which, int64_t range_ms,
                   const struct pl__refs *refs, struct pl__tier_plan *p)
{
    const struct pl_source *src = ex->src;
    *p = (struct pl__tier_plan){.which = which, .want = wants(which)};
    if (e->kind != PL__SELECTOR || e->sel.edges != PL__EDGES_PLAIN || ex->conf->raw_only ||
        !src->ops->tiers || !p->want) {
        return;
    }
    int64_t t0 = refs->ref0 - range_ms + 1, now, horizon[PL__TIERS_PLANNED];
    p->n = src->ops->tiers(src->ctx, p->tier, PL__TIERS_PLANNED, horizon, &p->oldest, &now);
    p->n = p->n < PL__TIERS_PLANNED ? p->n : PL__TIERS_PLANNED;
    if (p->n == 0) {
        return;
    }
    p->gone = t0 < p->oldest;
    bool instant = which == PL__TIER_INSTANT;
    for (size_t i = p->n; i-- > 0 && !instant && !p->exact;) { /* the coarsest that fits */
        int64_t res = p->tier[i].resolution_ms;
        bool aligned =
            multiple(range_ms, res) && multiple(refs->ref0, res) && multiple(refs->step, res);
        bool kept = !p->tier[i].retention_ms || t0 > now - p->tier[i].retention_ms;
        /* it must pay: at least half of the time from buckets that are there */
        bool pays = refs->last - t0 >= EXACT_SPAN_MS && horizon[i] > t0 &&
                    horizon[i] - t0 >= (refs->last - t0) / 2;
        if (aligned && kept && (p->gone || pays)) {
            p->exact = true;
            p->at = i;
        }
    }
    if (p->gone && !p->exact) { /* the finest that reaches back so far, else the longest */
        for (size_t i = 0; i < p->n; i++) {
            int64_t have = p->tier[i].retention_ms ? p->tier[i].retention_ms : INT64_MAX;
            int64_t best = p->tier[p->at].retention_ms ? p->tier[p->at].retention_ms : INT64_MAX;
            p->at = now - t0 >= best && have > best ? i : p->at;
        }
    }
    if (p->gone && instant) {
        int64_t res = p->tier[p->n - 1].resolution_ms;
        p->before_ms = 2 * (res > range_ms ? res : range_ms);
    } else if (p->gone && !p->exact) {
        p->before_ms = p->tier[p->n - 1].resolution_ms;
        p->after_ms = p->tier[p->n - 1].resolution_ms;
    }
}

void pl__tier_note(struct pl__exec *ex, const struct pl_expr *e, const struct pl__tier_plan *p,
                   size_t n_series)
{
    struct pl_buf text = PL_BUF_INIT;
    if (!p->gone || n_series == 0) {
        return;
    }
    ex->tier_gone = true;
    pl_duration_text(p->tier[p->at].resolution_ms, &text);
    pl__note(ex, false, e->at,
             "samples of a part of this time are no longer kept: read from the "
             "%.*s tier",
             PL_PRS(pl_buf_view(&text)));
    pl_buf_fini(&text);
}

/* ------------------------------------------------------------------ one row */

static void used(struct pl__exec *ex, int64_t resolution)
{
    int64_t have = ex->tier_ms;
    while (resolution > have && !atomic_compare_exchange_weak(&ex->tier_ms, &have, resolution)) {
    }
}

/** Read buckets of series i: from the planned tier, or from another that has it. 1, 0: none has. */
static int read_buckets(struct pl__worker *w, const struct pl__tier_plan *p, size_t i, size_t *tier)
{
    const struct pl__cols *c = w->cols;
    struct pl__exec *ex = w->ex;
    int err = PL_ENOTFOUND;
    for (size_t k = 0; k < p->n && err == PL_ENOTFOUND; k++) {
        *tier = k == 0 ? p->at : k <= p->at ? k - 1 : k;
        err = ex->src->ops->read_tier(w->reader, i, *tier, c->t0, c->t1, p->want, &w->tier);
        if (p->exact && err == PL_ENOTFOUND) {
            return 0; /* of others it is not known that they fit */
        }
    }
    if (err == PL_ECORRUPT) {
        ex->damaged = true;
        err = 0;
    }
    if (err < 0) {
        return err == PL_ENOTFOUND ? 0 : err;
    }
    if (w->tier.n) {
        used(ex, p->tier[*tier].resolution_ms);
    }
    w->samples += w->tier.n;
    return 1;
}

/** Is there no infinity, or (nans) nothing but numbers? */
static bool plain(const struct pl_tier_columns *c, int value, bool nans)
{
    const double *v = c->v[value];
    for (size_t i = 0; i < c->n; i++) {
        if (isinf(v[i]) || (nans && isnan(v[i]))) {
            return false;
        }
    }
    return true;
}

/** Do buckets say what the samples would? Not of what overflows, and not of resets where a bucket
 *  begins or ends with NaN. */
static bool can_say(const struct pl__tier_plan *p, const struct pl_tier_columns *c)
{
    if (c->histograms || (p->want & SUM && !plain(c, PL_TIER_SUM, false))) {
        return false;
    }
    return !(p->want & 1 << PL_TIER_INCREASE) ||
           (plain(c, PL_TIER_INCREASE, true) && plain(c, PL_TIER_FIRST, true) &&
            plain(c, PL_TIER_LAST, true));
}

/** A window of buckets: [lo, hi) of them, and the time from begin to end that they cover. */
struct window {
    size_t lo, hi;
    int64_t begin, end;
};

static double rate_of(const struct pl__rows *r, const struct pl_tier_columns *c, struct window x)
{
    const double *first = c->v[PL_TIER_FIRST], *last = c->v[PL_TIER_LAST];
    double n = 0, result;
    if (x.lo == x.hi) {
        return PL_ABSENT;
    }
    result = last[x.hi - 1] - first[x.lo];
    for (size_t i = x.lo; i < x.hi; i++) {
        n += c->v[PL_TIER_COUNT][i];
        if (r->tier.which != PL__RANGE_DELTA) {
            double resets = c->v[PL_TIER_INCREASE][i] - (last[i] - first[i]);
            result += isnan(resets) ? 0 : resets; /* NaN at an end: what is between is not known */
            if (i > x.lo && first[i] < last[i - 1]) {
                result += last[i - 1];
            }
        }
    }
    if (n < 2) {
        return PL_ABSENT;
    }
    enum pl_rate op = r->tier.which == PL__RANGE_RATE    ? PL_RATE
                      : r->tier.which == PL__RANGE_DELTA ? PL_DELTA
                                                         : PL_INCREASE;
    double v = pl_rate_of(op, result, first[x.lo], (int64_t)c->v[PL_TIER_T_FIRST][x.lo],
                          (int64_t)c->v[PL_TIER_T_LAST][x.hi - 1], (size_t)n, x.begin, x.end);
    if (op != PL_RATE && x.end - x.begin != r->range_ms) { /* what fits is less than the window */
        v *= (double)r->range_ms / (double)(x.end - x.begin);
    }
    return v;
}

static double value_of(const struct pl__rows *r, const struct pl_tier_columns *c, struct window x)
{
    uint32_t lo = (uint32_t)x.lo, hi = (uint32_t)x.hi;
    double v = PL_ABSENT, n;
    switch (r->tier.which) {
    case PL__RANGE_COUNT_OVER_TIME:
        pl_over_time(PL_OVER_SUM, c->v[PL_TIER_COUNT], &lo, &hi, 1, &v);
        break;
    case PL__RANGE_PRESENT_OVER_TIME:
        pl_over_time(PL_OVER_PRESENT, c->v[PL_TIER_COUNT], &lo, &hi, 1, &v);
        break;
    case PL__RANGE_SUM_OVER_TIME:
        pl_over_time(PL_OVER_SUM, c->v[PL_TIER_SUM], &lo, &hi, 1, &v);
        break;
    case PL__RANGE_AVG_OVER_TIME:
        pl_over_time(PL_OVER_SUM, c->v[PL_TIER_SUM], &lo, &hi, 1, &v);
        pl_over_time(PL_OVER_SUM, c->v[PL_TIER_COUNT], &lo, &hi, 1, &n);
        v = pl_is_absent(n) ? n : v / n;
        break;
    case PL__RANGE_MIN_OVER_TIME:
        pl_over_time(PL_OVER_MIN, c->v[PL_TIER_MIN], &lo, &hi, 1, &v);
        break;
    case PL__RANGE_MAX_OVER_TIME:
        pl_over_time(PL_OVER_MAX, c->v[PL_TIER_MAX], &lo, &hi, 1, &v);
        break;
    case PL__RANGE_FIRST_OVER_TIME:
        pl_over_time(PL_OVER_FIRST, c->v[PL_TIER_FIRST], &lo, &hi, 1, &v);
        break;
    case PL__RANGE_LAST_OVER_TIME:
        pl_over_time(PL_OVER_LAST, c->v[PL_TIER_LAST], &lo, &hi, 1, &v);
        break;
    default:
        v = rate_of(r, c, x);
    }
    return v;
}

static int64_t floor_to(int64_t t, int64_t step) { return t - ((t % step) + step) % step; }

/** The buckets that lie in (ref - range, ref]; where none can, that around ref, if that means the
 *  same kind of number. */
static void place(const struct pl__rows *r, int64_t res, int64_t ref, struct window *x)
{
    int64_t from = floor_to(ref - r->range_ms - 1, res) + res;
    x->end = floor_to(ref, res);
    x->begin = from;
    bool adds_up =
        r->tier.which == PL__RANGE_COUNT_OVER_TIME || r->tier.which == PL__RANGE_SUM_OVER_TIME;
    if (x->begin >= x->end && !adds_up) {
        x->end = floor_to(ref - 1, res) + res;
        x->begin = x->end - res;
    }
}

/** Steps [from, to) of a function from buckets. */
static void range_steps(const struct pl__rows *r, const struct pl_tier_columns *c, int64_t res,
                        size_t steps, double *out)
{
    struct window x = {0};
    for (size_t s = 0; s < steps; s++) {
        place(r, res, r->refs.ref0 + (int64_t)s * r->refs.step, &x);
        while (x.hi < c->n && c->t[x.hi] <= x.end) {
            x.hi++;
        }
        while (x.lo < x.hi && c->t[x.lo] <= x.begin) {
            x.lo++;
        }
        out[s] = x.begin < x.end ? value_of(r, c, x) : PL_ABSENT;
    }
}

static void instant_steps(const struct pl__rows *r, const struct pl_tier_columns *c, int64_t res,
                          size_t steps, double *out)
{
    int64_t back = r->range_ms > res ? r->range_ms : res;
    const double *at = c->v[PL_TIER_T_LAST];
    for (size_t s = 0, k = 0; s < steps; s++) {
        int64_t ref = r->refs.ref0 + (int64_t)s * r->refs.step;
        while (k < c->n && at[k] <= (double)ref) {
            k++;
        }
        bool there = k && (int64_t)at[k - 1] > ref - back;
        if (there) { /* else what the samples said stays */
            out[s] = r->as_time ? at[k - 1] / 1000 : c->v[PL_TIER_LAST][k - 1];
        }
    }
}

/** How many of the steps look behind the retention of samples. */
static size_t steps_gone(const struct pl__rows *r)
{
    size_t n = 0;
    while (n < r->steps &&
           r->refs.ref0 + (int64_t)n * r->refs.step - r->range_ms + 1 < r->tier.oldest) {
        n++;
    }
    return n;
}

int pl__tier_row(const struct pl__rows *r, struct pl__worker *w, size_t i, double *out)
{
    size_t tier;
    int have = read_buckets(w, &r->tier, i, &tier);
    if (have <= 0 || (!r->tier.gone && (w->tier.n == 0 || !can_say(&r->tier, &w->tier)))) {
        return have < 0 ? have : 0;
    }
    range_steps(r, &w->tier, r->tier.tier[tier].resolution_ms, r->steps, out);
    return 1;
}

int pl__tier_patch(const struct pl__rows *r, struct pl__worker *w, size_t i, double *out)
{
    size_t tier, n = steps_gone(r);
    int have = read_buckets(w, &r->tier, i, &tier);
    if (have <= 0 || n == 0 || w->tier.n == 0) {
        return have < 0 ? have : 0;
    }
    int64_t res = r->tier.tier[tier].resolution_ms;
    if (r->tier.which == PL__TIER_INSTANT) {
        instant_steps(r, &w->tier, res, n, out);
    } else {
        range_steps(r, &w->tier, res, n, out);
    }
    return 0;
}
