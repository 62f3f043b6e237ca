/* Functions of range vectors: rate and its kin, *_over_time, regression and smoothing. Each fills
 * all steps of one series; the arithmetic that every dashboard uses is core/kernel's, the rest is
 * here, in Prometheus' order of operations (promql/functions.go names them). */
#include "core/query/exec.h"

#include "core/codec/codec.h"

#include <math.h>

/* clang-format off */
#define OVER(name, op)                                                                             \
    static void name(const struct pl__windows *w, double *out)                                     \
    {                                                                                              \
        pl_over_time(op, w->v, w->lo, w->hi, w->w.n, out);                                         \
    }
OVER(avg_over_time, PL_OVER_AVG)
OVER(sum_over_time, PL_OVER_SUM)
OVER(min_over_time, PL_OVER_MIN)
OVER(max_over_time, PL_OVER_MAX)
OVER(count_over_time, PL_OVER_COUNT)
OVER(last_over_time, PL_OVER_LAST)
OVER(first_over_time, PL_OVER_FIRST)
OVER(present_over_time, PL_OVER_PRESENT)
OVER(stddev_over_time, PL_OVER_STDDEV)
OVER(stdvar_over_time, PL_OVER_STDVAR)
OVER(changes, PL_OVER_CHANGES)
OVER(resets, PL_OVER_RESETS)
#undef OVER

#define RATE(name, op)                                                                             \
    static void name(const struct pl__windows *w, double *out)                                     \
    {                                                                                              \
        pl_rate(op, w->t, w->v, &w->w, w->lo, w->hi, out);                                         \
    }
RATE(rate, PL_RATE)
RATE(increase, PL_INCREASE)
RATE(delta, PL_DELTA)
RATE(irate, PL_IRATE)
RATE(idelta, PL_IDELTA)
#undef RATE
/* clang-format on */

static void quantile_over_time(const struct pl__windows *w, double *out)
{
    if (w->p1_same) {
        pl_over_time_quantile(w->p1[0], w->v, w->lo, w->hi, w->w.n, w->scratch, out);
        return;
    }
    for (size_t s = 0; s < w->w.n; s++) {
        pl_over_time_quantile(w->p1[s], w->v, w->lo + s, w->hi + s, 1, w->scratch, out + s);
    }
}

static void mad_over_time(const struct pl__windows *w, double *out)
{
    for (size_t s = 0; s < w->w.n; s++) {
        size_t lo = w->lo[s], n = w->hi[s] - lo;
        out[s] = n ? pl_mad(w->v + lo, n, w->scratch) : PL_ABSENT;
    }
}

/** Time in seconds of the latest extreme. */
static void ts_of_extreme(const struct pl__windows *w, double *out, double sign)
{
    for (size_t s = 0; s < w->w.n; s++) {
        size_t best = w->lo[s];
        for (size_t i = best; i < w->hi[s]; i++) {
            best = sign * w->v[i] >= sign * w->v[best] || isnan(w->v[best]) ? i : best;
        }
        out[s] = best < w->hi[s] ? (double)w->t[best] / 1000 : PL_ABSENT;
    }
}

static void ts_of_max_over_time(const struct pl__windows *w, double *out)
{
    ts_of_extreme(w, out, 1);
}

static void ts_of_min_over_time(const struct pl__windows *w, double *out)
{
    ts_of_extreme(w, out, -1);
}

static void ts_of_first_over_time(const struct pl__windows *w, double *out)
{
    for (size_t s = 0; s < w->w.n; s++) {
        out[s] = w->lo[s] < w->hi[s] ? (double)w->t[w->lo[s]] / 1000 : PL_ABSENT;
    }
}

static void ts_of_last_over_time(const struct pl__windows *w, double *out)
{
    for (size_t s = 0; s < w->w.n; s++) {
        out[s] = w->lo[s] < w->hi[s] ? (double)w->t[w->hi[s] - 1] / 1000 : PL_ABSENT;
    }
}

/** Least squares through the n samples: slope per second, and the value at t0. */
static void regress(const int64_t *t, const double *v, size_t n, int64_t t0, double *slope,
                    double *intercept)
{
    struct pl_ksum x = PL_KSUM_INIT, y = PL_KSUM_INIT, xy = PL_KSUM_INIT, xx = PL_KSUM_INIT;
    bool constant = true;
    for (size_t i = 0; i < n; i++) {
        double sx = (double)(t[i] - t0) / 1e3;
        constant = constant && v[i] == v[0];
        pl_ksum_add(&x, sx);
        pl_ksum_add(&y, v[i]);
        pl_ksum_add(&xy, sx * v[i]);
        pl_ksum_add(&xx, sx * sx);
    }
    if (constant) {
        *slope = isinf(v[0]) ? NAN : 0;
        *intercept = isinf(v[0]) ? NAN : v[0];
        return;
    }
    double count = (double)n, sum_x = pl_ksum_value(x), sum_y = pl_ksum_value(y);
    double cov = pl_ksum_value(xy) - sum_x * sum_y / count;
    double var = pl_ksum_value(xx) - sum_x * sum_x / count;
    *slope = cov / var;
    *intercept = sum_y / count - *slope * sum_x / count;
}

static void deriv(const struct pl__windows *w, double *out)
{
    for (size_t s = 0; s < w->w.n; s++) {
        size_t lo = w->lo[s], n = w->hi[s] - lo;
        double slope, intercept;
        if (n < 2) {
            out[s] = PL_ABSENT;
            continue;
        }
        regress(w->t + lo, w->v + lo, n, w->t[lo], &slope, &intercept);
        out[s] = slope;
    }
}

static void predict_linear(const struct pl__windows *w, double *out)
{
    for (size_t s = 0; s < w->w.n; s++) {
        size_t lo = w->lo[s], n = w->hi[s] - lo;
        double slope, intercept;
        if (n < 2) {
            out[s] = PL_ABSENT;
            continue;
        }
        regress(w->t + lo, w->v + lo, n, w->eval0 + (int64_t)s * w->eval_step, &slope, &intercept);
        out[s] = slope * w->p1[s] + intercept;
    }
}

/** Holt's method: a level that follows by p1 and a trend that follows by p2. */
static void double_exponential_smoothing(const struct pl__windows *w, double *out)
{
    for (size_t s = 0; s < w->w.n; s++) {
        size_t n = w->hi[s] - w->lo[s];
        const double *v = w->v + w->lo[s];
        double sf = w->p1[s], tf = w->p2[s];
        if (n < 2) {
            out[s] = PL_ABSENT;
            continue;
        }
        double before = 0, level = v[0], trend = v[1] - v[0];
        for (size_t i = 1; i < n; i++) {
            if (i > 1) {
                trend = tf * (level - before) + (1 - tf) * trend;
            }
            double next = sf * v[i] + (1 - sf) * (level + trend);
            before = level;
            level = next;
        }
        out[s] = level;
    }
}

pl__range_fn pl__range_of(int which)
{
    static const pl__range_fn fn[] = {
#define RANGE_FN(name, f) f,
        PL__RANGES(RANGE_FN)
#undef RANGE_FN
    };
    return fn[which];
}

/** Metric names that counters have, by convention. */
static bool counter_name(pl_str name)
{
    return name.n == 0 || pl_str_ends(name, PL_STR("_total")) ||
           pl_str_ends(name, PL_STR("_sum")) || pl_str_ends(name, PL_STR("_count")) ||
           pl_str_ends(name, PL_STR("_bucket"));
}

static int check_factors(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                         const struct pl__rows *r)
{
    for (size_t s = 0; s < f->n && r->n > 0; s++) {
        if (!(r->p1[s] > 0 && r->p1[s] < 1)) {
            return pl__error(ex, PL_EINVAL, e->call.args[1]->at,
                             "invalid smoothing factor. Expected: 0 < sf < 1, got: %f", r->p1[s]);
        }
        if (!(r->p2[s] > 0 && r->p2[s] < 1)) {
            return pl__error(ex, PL_EINVAL, e->call.args[2]->at,
                             "invalid trend factor. Expected: 0 < tf < 1, got: %f", r->p2[s]);
        }
    }
    return 0;
}

static enum pl__edges edges_of(const struct pl_expr *range)
{
    return range->kind == PL__SELECTOR ? range->sel.edges : PL__EDGES_PLAIN;
}

/** anchored and smoothed go with a few functions only. */
static int check_edges(struct pl__exec *ex, const struct pl_expr *e, const struct pl_expr *range)
{
    enum pl__edges edges = edges_of(range);
    bool known = e->call.fn->eval == pl__fn_range; /* `which` of others is another thing */
    if (!edges || (known && pl__range_edges(e->call.fn->which, edges))) {
        return 0;
    }
    bool anchored = edges == PL__EDGES_ANCHORED;
    return pl__error(ex, PL_EINVAL, range->at,
                     "%s modifier can only be used with: %s - not with %s",
                     anchored ? "anchored" : "smoothed",
                     anchored ? "changes, delta, increase, rate, resets" : "delta, increase, rate",
                     e->call.fn->name);
}

/** Notes on arguments that are legal and most likely wrong. */
static void note(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                 const struct pl__rows *r)
{
    int which = e->call.fn->which;
    for (size_t s = 0; which == PL__RANGE_QUANTILE_OVER_TIME && r->n && s < f->n; s++) {
        if (!(r->p1[s] >= 0 && r->p1[s] <= 1)) {
            pl__note_quantile(ex, e->call.args[0], r->p1[s]);
        }
    }
}

void pl__note_counter(const struct pl__rows *r, struct pl__worker *w, size_t i, const double *row)
{
    const struct pl__cols *c = w->cols;
    pl_str name = c->labels ? pl_labels_get(c->labels[i], PL_METRIC_NAME) : c->groups.metric;
    size_t s = 0;
    if (name.n == 0 || counter_name(name)) {
        return;
    }
    pl_str *noted = &w->noted[pl_hash64(name.p, name.n, 0) % PL__NAMES_NOTED];
    if (pl_str_eq(name, *noted)) {
        return;
    }
    while (s < r->steps && (pl_is_absent(row[s]) || pl_is_histogram(row[s]))) {
        s++;
    }
    if (s < r->steps) {
        pl__note(w->ex, false, r->at,
                 "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
                 "\"%.*s\"",
                 PL_PRS(name));
        *noted = name;
    }
}

int pl__range_args(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                   struct pl_expr **range, const double **p)
{
    int err = 0;
    for (size_t i = 0; i < e->call.n && err >= 0; i++) {
        struct pl_expr *arg = e->call.args[i];
        if (arg->type == PL__TYPE_MATRIX) {
            *range = pl__unparen(arg);
            err = check_edges(ex, e, *range);
        } else if (arg->type == PL__TYPE_SCALAR) {
            err = pl__eval_scalar(ex, f, arg, p++);
        }
    }
    return err;
}

int pl__fn_range(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                 struct pl__rows *out)
{
    struct pl_expr *range = NULL;
    const double *p[PL__RANGE_SCALARS] = {NULL};
    int err = pl__range_args(ex, f, e, &range, p);
    if (err < 0) {
        return err;
    }
    enum pl__edges edges = edges_of(range);
    *out = (struct pl__rows){
        .steps = f->n,
        .range =
            edges ? pl__range_edges(e->call.fn->which, edges) : pl__range_of(e->call.fn->which),
        .before = edges ? ex->lookback_ms : 0,
        .after = edges == PL__EDGES_SMOOTHED ? ex->lookback_ms : 0,
        .which = e->call.fn->which,
        .at = e->call.args[0]->at,
        .counts = e->call.fn->which == PL__RANGE_RATE || e->call.fn->which == PL__RANGE_INCREASE,
        .eval0 = f->start,
        .eval_step = f->step,
        .p1 = p[0],
        .p2 = p[1],
        .p1_same = true,
        .range_ms = pl__range_ms(range),
    };
    static const int rates[] = {[PL__RANGE_RATE] = PL_RATE + 1,
                                [PL__RANGE_INCREASE] = PL_INCREASE + 1,
                                [PL__RANGE_DELTA] = PL_DELTA + 1};
    size_t which = (size_t)e->call.fn->which;
    if (!edges && which < sizeof rates / sizeof *rates && rates[which]) {
        out->planned = true;
        out->rate = (enum pl_rate)(rates[which] - 1);
    }
    for (size_t s = 1; p[0] && s < f->n; s++) {
        out->p1_same = out->p1_same && pl_f64_bits(p[0][s]) == pl_f64_bits(p[0][0]);
    }
    err = pl__cols_open_tiers(ex, f, range, e->call.fn->which, &out->cols, &out->refs, &out->tier);
    if (err < 0) {
        return err;
    }
    out->n = out->cols.n;
    out->labels = out->cols.labels;
    out->groups = out->cols.groups;
    if (e->call.fn->which == PL__RANGE_DOUBLE_EXPONENTIAL_SMOOTHING) {
        err = check_factors(ex, f, e, out);
    }
    if (out->cols.inner) { /* what a subquery made of a series keeps its mark */
        out->drop = out->cols.inner->drop;
        out->drops = out->cols.inner->drops;
    }
    note(ex, f, e, out);
    if (err >= 0 && !out->labels && !(e->call.fn->flags & PL__FN_KEEP_NAME)) {
        out->drop = !ex->conf->early_names; /* the groups have no names where they go at once */
        out->groups.metric = out->drop ? out->groups.metric : PL_STR_NULL;
    } else if (err >= 0 && !(e->call.fn->flags & PL__FN_KEEP_NAME)) {
        err = pl__rows_drop_names(ex, out, e->at);
    }
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}
