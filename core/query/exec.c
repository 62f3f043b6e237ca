/* Evaluation of the tree, and what all of it uses: errors, notes, budgets. */
#include "core/query/ext.h"
#include "core/query/hist.h"
#include "core/query/lex.h"
#include "core/query/print.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ errors, notes, budgets */

int pl__error(struct pl__exec *ex, int code, size_t at, const char *fmt, ...)
{
    if (ex->err->code < 0) {
        return ex->err->code; /* the first one counts */
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ex->err->text, sizeof ex->err->text, fmt, ap);
    va_end(ap);
    ex->err->code = code;
    ex->err->at = at;
    return code;
}

int pl__error_code(struct pl__exec *ex, int code, size_t at)
{
    if (code == PL_ENOMEM && (ex->arena->refused || (ex->told && ex->told->refused))) {
        code = ex->refused < 0 ? ex->refused : PL_ELIMIT; /* it was no lack of memory */
    }
    switch (code) {
    case PL_ETIMEOUT:
        return pl__error(ex, code, at, "query timed out in expression evaluation");
    case PL_ECANCELED:
        return pl__error(ex, code, at, "query was canceled in expression evaluation");
    case PL_EBUSY:
        return pl__error(ex, code, at,
                         "queries together need more than their %zu bytes of memory: try again "
                         "later",
                         ex->conf->budget ? ex->conf->budget->max_bytes : 0);
    case PL_ELIMIT:
        if (ex->conf->max_samples && ex->samples >= ex->conf->max_samples) {
            return pl__error(ex, code, at,
                             "query processing would load too many samples into memory in query "
                             "execution (limit %llu)",
                             (unsigned long long)ex->conf->max_samples);
        }
        return pl__error(ex, code, at,
                         "query needs more than its %zu bytes of memory: narrow the "
                         "selector, the time range, or take a longer step",
                         ex->conf->max_memory_bytes);
    default:
        return pl__error(ex, code, at, "%s", pl_err_text(code));
    }
}

/** Room for one more note; the lock is held. */
static bool note_room(struct pl__exec *ex, bool warning)
{
    size_t n = ex->n_notes[warning];
    if (n < ex->cap_notes[warning] || n >= PL__NOTED_MAX) {
        return n < ex->cap_notes[warning];
    }
    size_t cap = n ? 4 * n : 10;
    struct pl__noted *more = pl_arena_alloc(ex->arena, cap * sizeof *more);
    if (!more) {
        return false;
    }
    if (n) {
        memcpy(more, ex->notes[warning], n * sizeof *more);
    }
    ex->notes[warning] = more;
    ex->cap_notes[warning] = cap;
    return true;
}

void pl__note(struct pl__exec *ex, bool warning, size_t at, const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&ex->lock);
    size_t n = ex->n_notes[warning], i = 0;
    ex->noted++;
    while (i < n && !pl_str_eq(ex->notes[warning][i].text, pl_str_c(text))) {
        i++;
    }
    if (i < n) {
        ex->notes[warning][i].at = at;
    } else if (note_room(ex, warning)) {
        pl_str note = pl_arena_dup(ex->arena, pl_str_c(text));
        if (note.p) {
            ex->notes[warning][ex->n_notes[warning]++] = (struct pl__noted){note, at};
        }
    }
    pthread_mutex_unlock(&ex->lock);
}

void pl__note_quantile(struct pl__exec *ex, const struct pl_expr *e, double q)
{
    struct pl_buf text = PL_BUF_INIT;
    while (e->kind == PL__PAREN) {
        e = e->paren;
    }
    pl__go_number(&text, q);
    pl__note(ex, true, e->at, "quantile value should be between 0 and 1, got %.*s",
             PL_PRS(pl_buf_view(&text)));
    pl_buf_fini(&text);
}

int pl__tick(struct pl__exec *ex)
{
    const struct pl_query_conf *c = ex->conf;
    if (c->cancel && *c->cancel) {
        return PL_ECANCELED;
    }
    if (c->deadline_mono_ns && c->clock && pl_mono_ns(c->clock) > c->deadline_mono_ns) {
        return PL_ETIMEOUT;
    }
    return 0;
}

int pl__charge(struct pl__exec *ex, size_t bytes)
{
    size_t limit = ex->conf->max_memory_bytes;
    size_t now = atomic_fetch_add(&ex->memory, bytes) + bytes;
    if (limit && (now > limit || now < bytes)) {
        ex->memory -= bytes;
        return PL_ELIMIT;
    }
    struct pl_query_budget *all = ex->conf->budget;
    if (all && atomic_fetch_add(&all->used, bytes) + bytes > all->max_bytes) {
        pl__uncharge(ex, bytes);
        return PL_EBUSY;
    }
    return 0;
}

bool pl__arena_room(void *ctx, size_t bytes)
{
    struct pl__exec *ex = ctx;
    int err = pl__charge(ex, bytes);
    ex->refused = err < 0 ? err : ex->refused;
    return err >= 0;
}

void pl__uncharge(struct pl__exec *ex, size_t bytes)
{
    ex->memory -= bytes;
    if (ex->conf->budget) {
        ex->conf->budget->used -= bytes;
    }
}

int pl__charge_result(struct pl__exec *ex, struct pl_result *r)
{
    size_t more = r->arena.used + r->value_bytes - r->charged;
    int e = pl__charge(ex, more);
    r->charged += e < 0 ? 0 : more;
    return e;
}

void *pl__values_new(struct pl__exec *ex, size_t n, size_t size, int *err)
{
    *err = n > SIZE_MAX / 2 / size ? PL_ELIMIT : pl__charge(ex, n * size);
    if (*err < 0) {
        return NULL;
    }
    void *p = PL_FAULT("query.values") < 0 ? NULL : malloc(n ? n * size : 1);
    if (!p) {
        pl__uncharge(ex, n * size);
        *err = PL_ENOMEM;
    } else if (size == sizeof(double)) {
        pl__count_held(ex, n);
    }
    return p;
}

void pl__values_free(struct pl__exec *ex, void *p, size_t n, size_t size)
{
    if (p) {
        free(p);
        pl__uncharge(ex, n * size);
        ex->counts.held -= size == sizeof(double) ? n : 0;
    }
}

struct pl_buf *pl__labelbuf_new(struct pl__exec *ex)
{
    struct pl__labelbuf *b = calloc(1, sizeof *b);
    if (!b) {
        return NULL;
    }
    b->next = ex->bufs;
    ex->bufs = b;
    return &b->buf;
}

/* ------------------------------------------------------------------ the tree */

static int eval_selector(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                         struct pl__rows *out)
{
    *out = (struct pl__rows){.steps = f->n, .range_ms = ex->lookback_ms};
    int err = pl__cols_open_tiers(ex, f, e, PL__TIER_INSTANT, &out->cols, &out->refs, &out->tier);
    if (err >= 0) {
        out->n = out->cols.n;
        out->labels = out->cols.labels;
        out->groups = out->cols.groups;
        out->smoothed = e->sel.edges == PL__EDGES_SMOOTHED;
        out->latest = f->n == 1 && e->sel.edges == PL__EDGES_PLAIN && ex->src->ops->latest &&
                      !out->tier.exact && !out->tier.gone;
    }
    return err;
}

static void apply_negate(const struct pl__map *m, double *row, size_t steps)
{
    (void)m;
    for (size_t s = 0; s < steps; s++) {
        row[s] = pl_is_absent(row[s]) ? PL_ABSENT : -row[s];
    }
}

static double negate_histogram(const struct pl__map *m, struct pl__worker *w, double boxed,
                               size_t step, int *err)
{
    (void)m, (void)step;
    struct pl_arena *a = pl__heap(w);
    struct pl_histogram *h =
        a ? pl_histogram_scaled(a, pl_histogram_unboxed(boxed), -1, false, false) : NULL;
    *err = h ? *err : PL_ENOMEM;
    return h ? pl_histogram_boxed(h) : PL_ABSENT;
}

static int eval_unary(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                      struct pl__rows *out)
{
    int err = pl__eval(ex, f, e->un.expr, out);
    if (err < 0 || !e->un.minus) {
        return err;
    }
    struct pl__map m = {.apply = apply_negate, .hist = negate_histogram};
    err = pl__rows_drop_names(ex, out, e->at);
    err = err < 0 ? err : pl__rows_map(ex, out, &m);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}

static int eval_here(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    switch (e->kind) {
    case PL__NUMBER:
        return pl__rows_scalar(ex, f, e->num.v, out);
    case PL__SELECTOR:
        return eval_selector(ex, f, e, out);
    case PL__CALL:
        return e->call.fn->eval(ex, f, e, out);
    case PL__AGGREGATE:
        if (pl__agg_extension(e->agg.op)) {
            return pl__eval_ext_agg(ex, f, e, out);
        }
        return pl__agg_param(e->agg.op) == PL__TYPE_NONE ? pl__eval_aggregate(ex, f, e, out)
                                                         : pl__eval_select(ex, f, e, out);
    case PL__BINARY:
        return pl__eval_binary(ex, f, e, out);
    case PL__UNARY:
        return eval_unary(ex, f, e, out);
    case PL__PAREN:
        return pl__eval(ex, f, e->paren, out);
    case PL__STRING:
    case PL__SUBQUERY:
        break; /* the checker lets none through to here */
    }
    return pl__error(ex, PL_EINVAL, e->at, "a %s cannot be evaluated here", pl__type_doc(e->type));
}

/** One step repeated n times. */
static int repeat(struct pl__exec *ex, struct pl__rows *r, size_t steps)
{
    struct pl__rows one = *r;
    int err = 0;
    double *v = pl__values_new(ex, one.n * steps, sizeof *v, &err);
    if (!v) {
        pl__rows_fini(ex, r);
        return pl__error_code(ex, err, 0);
    }
    for (size_t i = 0; i < one.n; i++) {
        for (size_t s = 0; s < steps; s++) {
            v[i * steps + s] = one.v[i];
        }
    }
    pl__values_free(ex, one.v, one.cells, sizeof *one.v);
    r->v = v; /* histograms are shared */
    r->cells = one.n * steps;
    r->steps = steps;
    return 0;
}

static int eval_alone(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                      struct pl__rows *out)
{
    int err;
    if (!e->invariant || f->n <= 1 || e->kind == PL__NUMBER) {
        return eval_here(ex, f, e, out);
    }
    struct pl__frame first = {f->start, f->start, f->step, 1};
    uint64_t before = pl__count_repeated(ex);
    err = eval_here(ex, &first, e, out);
    if (err < 0) {
        return err;
    }
    err = pl__rows_materialise(ex, out);
    pl__count_repeat(ex, before, f->n);
    if (err < 0) {
        pl__rows_fini(ex, out);
        return err;
    }
    return repeat(ex, out, f->n);
}

static int eval(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                struct pl__rows *out)
{
    int err = pl__tick(ex);
    if (err < 0) {
        return pl__error_code(ex, err, e->at);
    }
    if (!e->shared || !ex->n_shared) {
        return eval_alone(ex, f, e, out);
    }
    if (pl__share_get(ex, f, e, out)) {
        return 0;
    }
    size_t noted = ex->noted;
    err = eval_alone(ex, f, e, out);
    if (err >= 0) {
        err = pl__share_put(ex, f, e, ex->noted != noted, out);
        if (err < 0) {
            pl__rows_fini(ex, out);
        }
    }
    return err;
}

static int eval_values(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                       struct pl__rows *out)
{
    int err = eval(ex, f, e, out);
    if (err < 0) {
        return err;
    }
    err = pl__rows_materialise(ex, out);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}

int pl__eval(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
             struct pl__rows *out)
{
    return ex->analysis ? pl__analysed(ex, f, e, out, eval) : eval(ex, f, e, out);
}

int pl__eval_values(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                    struct pl__rows *out)
{
    return ex->analysis ? pl__analysed(ex, f, e, out, eval_values) : eval_values(ex, f, e, out);
}

int pl__eval_scalar(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                    const double **out)
{
    struct pl__rows r;
    int err = pl__eval_values(ex, f, e, &r);
    if (err < 0) {
        return err;
    }
    double *v = pl_arena_alloc(ex->arena, (f->n + 1) * sizeof *v);
    if (v) {
        memcpy(v, r.v, f->n * sizeof *v);
        *out = v;
    }
    pl__rows_fini(ex, &r);
    return v ? 0 : pl__error_code(ex, PL_ENOMEM, e->at);
}
