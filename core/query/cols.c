/* Columns of samples: a selector's series, decoded from the source, or the steps of a subquery. */
#include "core/query/hist.h"

#include <stdlib.h>

#define SAMPLES_TOLD 16384 /* a worker keeps so many to itself before it counts them for all */

#define LATEST_BLOCK 32 /* series looked at together */

#define HISTOGRAM_BEFORE 900000 /* ms: so far back a sample counts as the one before */
#define TIME_MAX         900000000000000000ll /* ms; keeps sums of times and ranges within 64 bits */

struct pl__refs pl__refs(const struct pl__exec *ex, const struct pl__frame *f,
                         const struct pl__when *w)
{
    int64_t last = f->start + (int64_t)(f->n ? f->n - 1 : 0) * f->step;
    struct pl__refs r = {f->start, f->step, last};
    if (w->at != PL__AT_NONE) {
        r.ref0 = w->at == PL__AT_TIME ? w->at_ms : w->at == PL__AT_START ? ex->start : ex->end;
        r.last = r.ref0;
        r.step = 0;
    }
    r.ref0 -= w->offset_ms;
    r.last -= w->offset_ms;
    return r;
}

/** The labels of all series of a set. */
static int open_labels(struct pl__exec *ex, struct pl__cols *out)
{
    enum { BLOCK = 4096 };
    const struct pl_source_ops *ops = ex->src->ops;
    size_t n = out->n, ends[BLOCK], charged = 0; /* labels count against the memory, too */
    struct pl_buf *buf = pl__labelbuf_new(ex);
    out->labels = pl_arena_alloc(ex->arena, (n + 1) * sizeof *out->labels);
    int err = buf && out->labels ? 0 : PL_ENOMEM;
    for (size_t i = 0; i < n && err >= 0; i += BLOCK) {
        size_t at = buf->n, to = n - i < BLOCK ? n : i + BLOCK;
        if ((err = pl__tick(ex)) < 0 || (err = pl__charge(ex, at - charged)) < 0) {
            break;
        }
        charged = at;
        if (ops->labels_of) {
            err = ops->labels_of(out->set, i, to, buf, ends);
        }
        for (size_t k = i; k < to && err >= 0; k++) {
            if (!ops->labels_of) {
                err = ops->labels(out->set, k, buf);
                ends[k - i] = buf->n;
            }
            /* a place for now: the buffer moves */
            out->labels[k] = (pl_str){(char *)at, ends[k - i] - at};
            at = ends[k - i];
        }
    }
    if (err < 0 || buf->failed) {
        return err < 0 ? err : PL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        out->labels[i].p = buf->n ? (char *)buf->p + (size_t)out->labels[i].p : "";
    }
    return 0;
}

/** Groups instead of labels. */
static int open_groups(struct pl__exec *ex, const struct pl__group_by *by, struct pl__cols *out)
{
    struct pl_buf *labels = pl__labelbuf_new(ex), *ends = pl__labelbuf_new(ex);
    struct pl__groups *g = &out->groups;
    g->metric = by->metric;
    g->of = pl_arena_alloc(ex->arena, (out->n + 1) * sizeof *g->of);
    if (!labels || !ends || !g->of) {
        return PL_ENOMEM;
    }
    int err =
        ex->src->ops->group(out->set, by->names.v, by->names.n, by->without, g->of, labels, ends);
    if (err < 0) {
        return err;
    }
    g->n = ends->n / sizeof(size_t);
    g->labels = pl_arena_alloc(ex->arena, (g->n + 1) * sizeof *g->labels);
    err = g->labels ? pl__charge(ex, labels->n) : PL_ENOMEM;
    for (size_t i = 0, from = 0, to; i < g->n && err >= 0; i++, from = to) {
        memcpy(&to, ends->p + i * sizeof to, sizeof to);
        g->labels[i] = to > from ? pl_str_mem(labels->p + from, to - from) : pl_str_mem("", 0);
    }
    return err;
}

bool pl__groupable(struct pl__exec *ex, const struct pl_expr *agg, struct pl__group_by *out)
{
    const struct pl__names *by = &agg->agg.by;
    struct pl_expr *e = agg->agg.expr;
    bool drops = false, without = agg->agg.without;
    /* names are not looked at when values are only counted */
    bool any_name = agg->agg.op == PL__AGG_COUNT || agg->agg.op == PL__AGG_GROUP;
    while (e->kind == PL__PAREN && !e->shared) {
        e = e->paren;
    }
    if (e->shared) { /* others want the labels */
        return false;
    }
    if (e->kind == PL__CALL && e->call.fn->eval == pl__fn_range && e->call.n == 1) {
        drops = !(e->call.fn->flags & PL__FN_KEEP_NAME);
        any_name = false;
        e = pl__unparen(e->call.args[0]);
    }
    if (e->kind != PL__SELECTOR) {
        return false;
    }
    pl_str metric = PL_STR_NULL;
    for (size_t i = 0; i < e->sel.n; i++) {
        const struct pl_matcher *m = &e->sel.m[i];
        if (m->kind == PL_MATCH_EQ && pl_str_eq(m->name, PL_METRIC_NAME)) {
            metric = m->value;
        }
    }
    if (metric.n == 0 && !any_name) { /* series may become equal without their names: an error */
        return false;
    }
    *out = (struct pl__group_by){.without = without, .metric = metric};
    out->names.v = pl_arena_alloc(ex->arena, (by->n + 1) * sizeof *out->names.v);
    for (size_t i = 0; out->names.v && i < by->n; i++) {
        if (without || !drops || !ex->conf->early_names || !pl__of_metric(by->v[i])) {
            out->names.v[out->names.n++] = by->v[i];
        }
    }
    if (without && out->names.v) { /* the metric name goes too */
        out->names.v[out->names.n++] = PL_METRIC_NAME;
    }
    return out->names.v != NULL;
}

static int open_selector(struct pl__exec *ex, struct pl_expr *e, struct pl__cols *out)
{
    const struct pl__group_by *group_by = ex->group_by;
    const struct pl_source_ops *ops = ex->src->ops;
    ex->group_by = NULL;
    struct pl_selector sel = {e->sel.m, e->sel.n};
    int err = ops->select(ex->src->ctx, &sel, out->t0, out->t1, ex->conf->max_series, &out->set);
    if (err < 0) {
        out->set = NULL;
        return err == PL_ELIMIT
                   ? pl__error(ex, err, e->at, "the selector matches more than %zu series",
                               ex->conf->max_series)
                   : pl__error_code(ex, err, e->at);
    }
    out->n = ops->count(out->set);
    ex->series += out->n;
    err = group_by && ops->group ? open_groups(ex, group_by, out) : open_labels(ex, out);
    return err < 0 ? pl__error_code(ex, err, e->at) : 0;
}

static int64_t floor_to(int64_t t, int64_t step) { return t - ((t % step) + step) % step; }

void pl__subquery_frame(const struct pl_expr *e, int64_t t0, int64_t t1, struct pl__frame *f)
{
    f->step = e->sub.step_ms ? e->sub.step_ms : PL__SUBQUERY_STEP_MS;
    f->start = floor_to(t0 - 1, f->step) + f->step; /* the first multiple in the left-open range */
    f->end = t1;
    f->n = f->end < f->start ? 0 : (size_t)((f->end - f->start) / f->step) + 1;
}

static int open_subquery(struct pl__exec *ex, struct pl_expr *e, struct pl__cols *out)
{
    struct pl__frame *f = &out->frame;
    pl__subquery_frame(e, out->t0, out->t1, f);
    out->inner = calloc(1, sizeof *out->inner);
    if (!out->inner) {
        return pl__error_code(ex, PL_ENOMEM, e->at);
    }
    if (f->n == 0) {
        return 0;
    }
    bool stats = ex->hist_stats;
    ex->hist_stats = false; /* resets between its steps are looked for in the buckets */
    bool counts = ex->counts.on;
    ex->counts.on = counts && ex->counts.whole;
    ex->counts.whole = false;
    int err = pl__eval_values(ex, f, e->sub.expr, out->inner);
    ex->counts.on = counts;
    ex->hist_stats = stats;
    if (err < 0) {
        free(out->inner);
        out->inner = NULL;
        return err;
    }
    out->n = out->inner->n;
    out->labels = out->inner->labels;
    return 0;
}

/** which: of the function, where tiers may be read. */
static int open_planned(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                        const int *which, struct pl__cols *out, struct pl__refs *refs,
                        struct pl__tier_plan *p)
{
    bool sub = e->kind == PL__SUBQUERY;
    int64_t range = sub ? e->sub.range_ms : e->sel.range_ms ? e->sel.range_ms : ex->lookback_ms;
    *out = (struct pl__cols){.hist_stats = ex->hist_stats && !sub};
    *refs = pl__refs(ex, f, sub ? &e->sub.when : &e->sel.when);
    if (refs->ref0 > TIME_MAX || refs->last > TIME_MAX || refs->ref0 < -TIME_MAX ||
        refs->last < -TIME_MAX) {
        return pl__error(ex, PL_EINVAL, e->at, "time out of range");
    }
    out->t0 = refs->ref0 - range + 1;
    out->t1 = refs->last;
    if (!sub && e->sel.edges != PL__EDGES_PLAIN) { /* what the ends of the range are made of */
        out->t0 -= e->sel.range_ms ? ex->lookback_ms : 0;
        out->t1 += e->sel.edges == PL__EDGES_SMOOTHED ? ex->lookback_ms : 0;
    }
    if (which) {
        pl__tier_plan(ex, e, *which, range, refs, p);
        out->t0 -= p->before_ms;
        out->t1 += p->after_ms;
    }
    int err = sub ? open_subquery(ex, e, out) : open_selector(ex, e, out);
    if (err < 0) {
        pl__cols_fini(ex, out);
    }
    return err;
}

int pl__cols_open(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                  struct pl__cols *out, struct pl__refs *refs)
{
    struct pl__tier_plan none = {.n = 0};
    return open_planned(ex, f, e, NULL, out, refs, &none);
}

int pl__cols_open_tiers(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                        int which, struct pl__cols *out, struct pl__refs *refs,
                        struct pl__tier_plan *p)
{
    int err = open_planned(ex, f, e, &which, out, refs, p);
    if (err >= 0) {
        pl__tier_note(ex, e, p, out->n);
    }
    return err;
}

void pl__cols_fini(struct pl__exec *ex, struct pl__cols *c)
{
    if (c->set) {
        ex->src->ops->set_free(c->set);
    }
    if (c->inner) {
        pl__rows_fini(ex, c->inner);
        free(c->inner);
    }
    *c = (struct pl__cols){0};
}

int pl__worker_init(struct pl__worker *w, struct pl__exec *ex, const struct pl__cols *c)
{
    *w = (struct pl__worker){.ex = ex, .cols = c};
    return c->set ? ex->src->ops->reader_new(c->set, &w->reader) : 0;
}

/** Count for all what a worker counted for itself. */
static void tell(struct pl__worker *w)
{
    w->ex->samples += w->samples;
    if (w->ex->conf->progress) {
        *w->ex->conf->progress += w->samples;
    }
    w->samples = 0;
    pl__count_worker(w);
}

void pl__worker_fini(struct pl__worker *w)
{
    tell(w);
    if (w->reader) {
        struct pl_read_stats stats = {0};
        w->ex->src->ops->stats(w->reader, &stats);
        w->ex->chunks += stats.chunks;
        w->ex->src->ops->reader_free(w->reader);
    }
    pl__heap_give(w);
    pl_columns_fini(&w->col);
    pl_tier_columns_fini(&w->tier);
    free(w->lo);
    free(w->hi);
    free(w->row);
    free(w->scratch);
    free(w->times);
    free(w->plan_memory);
    free(w->latest);
}

/** The present steps of an inner row as samples. */
static int read_inner(struct pl__worker *w, size_t i)
{
    const struct pl__frame *f = &w->cols->frame;
    struct pl_columns *c = &w->col;
    if (c->cap < f->n) {
        int64_t *t = realloc(c->t, f->n * sizeof *t);
        c->t = t ? t : c->t;
        double *v = realloc(c->v, f->n * sizeof *v);
        c->v = v ? v : c->v;
        if (!t || !v) {
            return PL_ENOMEM;
        }
        c->cap = f->n;
    }
    const double *row = w->cols->inner->v + i * f->n;
    size_t n = 0;
    for (size_t s = 0; s < f->n; s++) {
        c->t[n] = f->start + (int64_t)s * f->step;
        c->v[n] = row[s];
        n += !pl_is_absent(row[s]);
    }
    c->n = n;
    w->hist_cols = w->cols->inner->hist && pl__any_histogram(c->v, n);
    return w->hist_cols ? pl__hist_forget(w) : 0;
}

static void drop_before(struct pl_columns *c, int64_t t0)
{
    size_t k = 0;
    while (k < c->n && c->t[k] < t0) {
        k++;
    }
    if (k > 0) {
        c->n -= k;
        memmove(c->t, c->t + k, c->n * sizeof *c->t);
        memmove(c->v, c->v + k, c->n * sizeof *c->v);
    }
}

int pl__cols_latest(struct pl__worker *w, size_t i, double *v)
{
    const struct pl__cols *c = w->cols;
    if (i < w->latest_from || i >= w->latest_to) {
        struct pl__exec *ex = w->ex;
        size_t to = i / LATEST_BLOCK * LATEST_BLOCK + LATEST_BLOCK;
        to = to < c->n ? to : c->n;
        if (w->samples >= SAMPLES_TOLD) {
            tell(w);
        }
        if (ex->conf->max_samples && ex->samples + w->samples >= ex->conf->max_samples) {
            return PL_ELIMIT;
        }
        if (!w->latest && !(w->latest = malloc(LATEST_BLOCK * sizeof *w->latest))) {
            return PL_ENOMEM;
        }
        ex->src->ops->latest(w->reader, i, to - i, c->t0, c->t1, w->latest);
        w->latest_from = i;
        w->latest_to = to;
    }
    const struct pl_latest *x = &w->latest[i - w->latest_from];
    if (x->t == PL_LATEST_READ) {
        return 0;
    }
    *v = x->t == PL_LATEST_NONE ? PL_ABSENT : x->v;
    w->samples += x->t != PL_LATEST_NONE;
    return 1;
}

int pl__cols_read(struct pl__worker *w, size_t i, bool raw)
{
    const struct pl__cols *c = w->cols;
    struct pl__exec *ex = w->ex;
    if (c->inner) {
        return read_inner(w, i);
    }
    if (w->samples >= SAMPLES_TOLD) {
        tell(w);
    }
    uint64_t limit = ex->conf->max_samples, used = ex->samples + w->samples;
    if (limit && used >= limit) {
        return PL_ELIMIT;
    }
    size_t most = limit ? (size_t)(limit - used) : 0;
    int64_t before = w->hist_before ? HISTOGRAM_BEFORE : 0;
    int err = ex->src->ops->read(w->reader, i, c->t0 - before, c->t1, most, &w->col);
    if (w->col.h.n && !before && err >= 0) { /* the first one's hint is about the one before it */
        w->hist_before = true;               /* of those to come, too: mostly they are alike */
        before = HISTOGRAM_BEFORE;
        err = ex->src->ops->read(w->reader, i, c->t0 - before, c->t1, most, &w->col);
    }
    if (err == PL_ECORRUPT) { /* the rest is in col; the store has said where */
        ex->damaged = true;
        err = 0;
    }
    if (err < 0) {
        return err;
    }
    err = pl__hist_read(w, c->t0);
    if (err == PL_ECORRUPT) {
        ex->damaged = true;
    } else if (err < 0) {
        return err;
    }
    if (before) {
        drop_before(&w->col, c->t0);
    }
    w->samples += w->col.n;
    if (raw) {
        return 0;
    }
    w->col.n = pl_drop_stale(w->col.t, w->col.v, w->col.n);
    return 0;
}
