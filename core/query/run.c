/* A whole query: parse, evaluate, and shape the result. */
#include "core/query/hints.h"
#include "core/query/hist.h"
#include "core/query/explain.h"
#include "core/query/lex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define POINTS_MAX  11000 /* of a series, as in Prometheus */
#define LOOKBACK_MS 300000
#define TIME_MAX    800000000000000000ll
#define CHARGE_STEP ((size_t)64 << 10) /* of a result, charged at once */

static int by_labels(const void *a, const void *b)
{
    const struct pl_result_series *x = a, *y = b;
    return pl_labels_cmp(x->labels, y->labels);
}

/** Charge a result that grows, now and then. */
static int charge_some(struct pl__exec *ex, struct pl_result *r)
{
    size_t more = r->arena.used + r->value_bytes - r->charged;
    return more < CHARGE_STEP ? 0 : pl__charge_result(ex, r);
}

/** Histograms of a result are its own. */
static int own_histograms(struct pl_arena *a, double *v, size_t n)
{
    double last = 0, copy = 0;
    for (size_t i = 0; i < n; i++) {
        if (!pl_is_histogram(v[i])) {
            continue;
        }
        if (pl_f64_bits(v[i]) != pl_f64_bits(last)) {
            struct pl_histogram *h = pl_histogram_copy(a, pl_histogram_unboxed(v[i]));
            if (!h) {
                return PL_ENOMEM;
            }
            last = v[i];
            copy = pl_histogram_boxed(h);
        }
        v[i] = copy;
    }
    return 0;
}

int pl__result_row(struct pl_result *out, pl_str labels, const double *row, const int64_t *times,
                   size_t steps)
{
    struct pl_arena *a = &out->arena;
    size_t n = 0, k = 0;
    for (size_t s = 0; s < steps; s++) {
        n += !pl_is_absent(row[s]);
    }
    if (n == 0) {
        return 0;
    }
    bool taken = out->values && row >= out->values &&
                 row < out->values + out->value_bytes / sizeof *out->values;
    double *v = taken ? out->values + (row - out->values) : pl_arena_alloc(a, n * sizeof *v);
    int64_t *t = n == steps ? NULL : pl_arena_alloc(a, n * sizeof *t);
    pl_str own = pl_arena_dup(a, labels);
    if (!v || (n < steps && !t) || !own.p) {
        return PL_ENOMEM;
    }
    if (!t && !taken) {
        memcpy(v, row, n * sizeof *v);
    }
    for (size_t s = 0; t && s < steps; s++) {
        if (!pl_is_absent(row[s])) { /* k <= s: a row can be moved within itself */
            v[k] = row[s];
            t[k++] = times[s];
        }
    }
    out->series[out->n++] = (struct pl_result_series){own, n, t ? t : times, v};
    return 1;
}

/** The result takes the block of values itself, unless most of it is empty: as large a copy would
 * double what a query needs. */
static void take_values(struct pl__exec *ex, struct pl__rows *r, struct pl_result *out)
{
    size_t all = r->n * r->steps, there = 0;
    for (size_t i = 0; i < all; i++) {
        there += !pl_is_absent(r->v[i]);
    }
    if (there < r->cells / 2 || !there) {
        return;
    }
    out->values = r->v;
    out->value_bytes = r->cells * sizeof *r->v;
    out->charged += out->value_bytes; /* it was */
    ex->counts.held -= r->cells;
    r->v = NULL;
}

/** Rows -> series of the result; labels and times are in its arena. */
static int shape_rows(struct pl__exec *ex, const struct pl__frame *f, struct pl__rows *r,
                      struct pl_result *out)
{
    double *rows = r->v;
    struct pl_arena *a = &out->arena;
    take_values(ex, r, out);
    int64_t *times = pl_arena_alloc(a, (f->n + 1) * sizeof *times);
    out->series = pl_arena_alloc(a, (r->n + 1) * sizeof *out->series);
    int err = times && out->series ? 0 : PL_ENOMEM;
    for (size_t s = 0; err >= 0 && s < f->n; s++) {
        times[s] = f->start + (int64_t)s * f->step;
    }
    for (size_t i = 0; i < r->n && err >= 0; i++) {
        err = pl__result_row(out, r->labels[i], rows + i * r->steps, times, r->steps);
        if (err > 0 && r->hist) {
            const struct pl_result_series *x = &out->series[out->n - 1];
            err = own_histograms(a, (double *)x->v, x->n);
        }
        err = err < 0 ? err : charge_some(ex, out);
    }
    return err < 0 ? pl__error_code(ex, err, 0) : 0;
}

/** The samples of a range vector, at one time. */
static int shape_matrix(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                        struct pl_result *out)
{
    struct pl__cols cols;
    struct pl__refs refs;
    struct pl__worker w;
    uint64_t before = pl__count_repeated(ex);
    ex->counts.whole = e->kind == PL__SUBQUERY;
    int err = pl__cols_open(ex, f, e, &cols, &refs);
    if (err >= 0 && cols.inner) {
        err = pl__rows_names_now(ex, cols.inner, e->at);
        cols.n = cols.inner->n;
        cols.labels = cols.inner->labels;
        if (err < 0) {
            pl__cols_fini(ex, &cols);
        }
    }
    if (err < 0) {
        return err;
    }
    out->series = pl_arena_alloc(&out->arena, (cols.n + 1) * sizeof *out->series);
    err = pl__worker_init(&w, ex, &cols);
    err = out->series ? err : PL_ENOMEM;
    for (size_t i = 0; i < cols.n && err >= 0; i++) {
        err = pl__tick(ex);
        err = err < 0 ? err : pl__cols_read(&w, i, false);
        if (err < 0 || w.col.n == 0) {
            continue;
        }
        struct pl_result_series *s = &out->series[out->n];
        int64_t *t = pl_arena_alloc(&out->arena, (w.col.n + 2) * sizeof *t);
        double *v = pl_arena_alloc(&out->arena, (w.col.n + 2) * sizeof *v);
        s->labels = pl_arena_dup(&out->arena, cols.labels[i]);
        if (!t || !v || !s->labels.p) {
            err = PL_ENOMEM;
            continue;
        }
        s->t = t, s->v = v, s->n = w.col.n;
        if (e->kind == PL__SELECTOR && e->sel.edges != PL__EDGES_PLAIN) {
            s->n = pl__edges_points(e->sel.edges, w.col.t, w.col.v, w.col.n,
                                    refs.ref0 - e->sel.range_ms, refs.ref0, t, v);
        } else {
            memcpy(t, w.col.t, w.col.n * sizeof *t);
            memcpy(v, w.col.v, w.col.n * sizeof *v);
        }
        out->n += s->n > 0;
        w.queryable += e->kind == PL__SELECTOR ? w.col.n : 0;
        pl__count_held(ex, w.col.n);
        err = w.hist_cols && s->n ? own_histograms(&out->arena, v, s->n) : 0;
        err = err < 0 ? err : charge_some(ex, out);
    }
    pl__worker_fini(&w);
    pl__count_repeat(ex, before, 1);
    pl__cols_fini(ex, &cols);
    return err < 0 ? pl__error_code(ex, err, e->at) : 0;
}

static int shape(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *root,
                 struct pl_result *out)
{
    struct pl_expr *e = pl__unparen(root);
    struct pl__rows r;
    int err = 0;
    out->t = f->start;
    if (e->type == PL__TYPE_STRING) {
        out->type = PL_VALUE_STRING;
        out->string = pl_arena_dup(&out->arena, e->str);
        return out->string.p ? 0 : pl__error_code(ex, PL_ENOMEM, 0);
    }
    if (e->type == PL__TYPE_MATRIX) {
        out->type = PL_VALUE_MATRIX;
        err = shape_matrix(ex, f, e, out);
        if (err >= 0) {
            qsort(out->series, out->n, sizeof *out->series, by_labels);
        }
        return err;
    }
    if ((err = pl__eval_values(ex, f, root, &r)) < 0) {
        return err;
    }
    if ((err = pl__rows_names_now(ex, &r, root->at)) < 0) {
        pl__rows_fini(ex, &r);
        return err;
    }
    out->type = !ex->instant                 ? PL_VALUE_MATRIX
                : e->type == PL__TYPE_SCALAR ? PL_VALUE_SCALAR
                                             : PL_VALUE_VECTOR;
    err = shape_rows(ex, f, &r, out);
    pl__rows_fini(ex, &r);
    if (err >= 0 && !ex->instant) {
        qsort(out->series, out->n, sizeof *out->series, by_labels);
    }
    return err;
}

/** "PromQL info: words (line:column)", the place in the text of the query. */
static pl_str note_text(const struct pl__exec *ex, struct pl_arena *a, bool warning,
                        const struct pl__noted *note)
{
    size_t line, column;
    pl__line_column(ex->text, note->at, &line, &column);
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_f(&b, "PromQL %s: ", warning ? "warning" : "info");
    pl_buf_str(&b, note->text);
    pl_buf_f(&b, " (%zu:%zu)", line, column);
    pl_str out = b.failed ? PL_STR_NULL : pl_arena_dup(a, pl_buf_view(&b));
    pl_buf_fini(&b);
    return out;
}

static int keep_notes(struct pl__exec *ex, struct pl_result *out)
{
    if (ex->damaged) {
        pl__note(ex, true, 0, "some samples are damaged on disk and left out; the log says where");
    }
    for (int w = 0; w < 2; w++) {
        size_t all = ex->n_notes[w], n = all > PL__NOTES_MAX ? PL__NOTES_MAX : all;
        pl_str *list = pl_arena_alloc(&out->arena, (n + 2) * sizeof *list);
        for (size_t i = 0; i < n && list; i++) {
            list[i] = note_text(ex, &out->arena, w, &ex->notes[w][i]);
        }
        if (list && n < all) {
            list[n++] = pl_arena_f(&out->arena, "%zu more %s annotations omitted",
                                   all - PL__NOTES_MAX, w ? "warning" : "info");
        }
        for (size_t i = 0; i < n && list; i++) {
            list = list[i].p ? list : NULL;
        }
        if (!list) {
            return pl__error_code(ex, PL_ENOMEM, 0);
        }
        *(w ? &out->warnings : &out->infos) = list;
        *(w ? &out->n_warnings : &out->n_infos) = n;
    }
    return 0;
}

/** x: explain it, and run it only to analyse it; else NULL. */
static int run(const struct pl_query_conf *c, const struct pl_source *src, pl_str text,
               struct pl__frame f, bool instant, struct pl__explain *x, struct pl_result *out,
               struct pl_query_error *err)
{
    struct pl_arena arena;
    struct pl__ast ast;
    const struct pl_clock *clock = c->clock ? c->clock : &pl_clock_real;
    int64_t t0 = pl_mono_ns(clock);
    *out = (struct pl_result){0};
    pl_arena_init(&arena, c->max_memory_bytes);
    int e = pl__parse_conf(c, &arena, text, &ast, err);
    if (e < 0) {
        pl_arena_fini(&arena);
        return e;
    }
    struct pl__exec ex = {
        .conf = c,
        .src = src,
        .arena = &arena,
        .told = &out->arena,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .err = err,
        .text = text,
        .start = f.start,
        .end = f.end,
        .step = instant ? 0 : f.step,
        .instant = instant,
        .lookback_ms = c->lookback_ms > 0 ? c->lookback_ms : LOOKBACK_MS,
    };
    arena.room = pl__arena_room;
    arena.room_ctx = &ex;
    pl_arena_init(&out->arena, c->max_memory_bytes);
    out->stats.parse_ns = pl_mono_ns(clock) - t0;
    e = pl__counts_init(&ex.counts, f.n, c->step_stats);
    if (e < 0) {
        e = pl__error_code(&ex, e, 0);
    } else if (!instant && ast.root->type != PL__TYPE_SCALAR && ast.root->type != PL__TYPE_VECTOR) {
        e = pl__error(
            &ex, PL_EPARSE, 0,
            "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
            pl__type_doc(ast.root->type));
    } else {
        e = pl__durations_resolve(ast.root, f.start, f.end, instant ? 0 : f.step, err);
        if (e >= 0 && pl__share_mark(&ex, ast.root) < 0) {
            e = pl__error_code(&ex, PL_ENOMEM, 0);
        }
        e = e < 0 || !x ? e : pl__explain_begin(x, &ex, ast.root);
        e = e < 0 || (x && !x->analyze) ? e : shape(&ex, &f, ast.root, out);
    }
    pl__share_fini(&ex);
    e = e < 0 ? e : keep_notes(&ex, out);
    if (e >= 0 && pl__counts_tell(&ex.counts, &out->arena, &out->stats) < 0) {
        e = pl__error_code(&ex, PL_ENOMEM, 0);
    }
    pl__counts_fini(&ex.counts);
    int charged = e < 0 ? e : pl__charge_result(&ex, out);
    e = charged < 0 && e >= 0 ? pl__error_code(&ex, charged, 0) : e;
    out->budget = c->budget;
    out->damaged = ex.damaged;
    pl__reads_of(ast.root, f.start, f.end, ex.lookback_ms, &out->reads);
    out->stats.exec_ns = pl_mono_ns(clock) - t0 - out->stats.parse_ns;
    e = e < 0 || !x ? e : pl__explain_end(x, &ex, &f, ast.root, &out->stats);
    out->stats.samples = ex.samples;
    out->stats.chunks = ex.chunks;
    out->stats.series = ex.series;
    out->stats.tier_ms = ex.tier_ms;
    out->reads.known = out->reads.known && !ex.tier_gone; /* buckets reach beyond the windows */
    pl__uncharge(&ex, ex.memory - out->charged);          /* labels; what remains is the result's */
    while (ex.bufs) {
        struct pl__labelbuf *next = ex.bufs->next;
        pl_buf_fini(&ex.bufs->buf);
        free(ex.bufs);
        ex.bufs = next;
    }
    pl__heaps_free(&ex);
    pthread_mutex_destroy(&ex.lock);
    pl__ast_fini(&ast);
    pl_arena_fini(&arena);
    if (e < 0) {
        pl__hint(text, err);
        pl_result_fini(out);
    }
    return e;
}

static int refuse(struct pl_query_error *err, const char *why)
{
    *err = (struct pl_query_error){.code = PL_EINVAL};
    snprintf(err->text, sizeof err->text, "%s", why);
    pl__hint(PL_STR_NULL, err);
    return PL_EINVAL;
}

int pl_source_instant(const struct pl_query_conf *c, const struct pl_source *src, pl_str text,
                      int64_t t, struct pl_result *out, struct pl_query_error *err)
{
    if (t > TIME_MAX || t < -TIME_MAX) {
        return refuse(err, "time out of range");
    }
    return run(c, src, text, (struct pl__frame){t, t, 1, 1}, true, NULL, out, err);
}

int pl__check_range(int64_t start, int64_t end, int64_t step, struct pl_query_error *err)
{
    if (start > TIME_MAX || start < -TIME_MAX || end > TIME_MAX || end < -TIME_MAX) {
        return refuse(err, "time out of range");
    }
    if (end < start) {
        return refuse(err, "end timestamp must not be before start time");
    }
    if (step <= 0) {
        return refuse(err, "zero or negative query resolution step widths are not accepted. Try a "
                           "positive integer");
    }
    if ((end - start) / step > POINTS_MAX) {
        return refuse(err, "exceeded maximum resolution of 11,000 points per timeseries. Try "
                           "decreasing the query resolution (?step=XX)");
    }
    return 0;
}

int pl_source_range(const struct pl_query_conf *c, const struct pl_source *src, pl_str text,
                    int64_t start, int64_t end, int64_t step, struct pl_result *out,
                    struct pl_query_error *err)
{
    int e = pl__check_range(start, end, step, err);
    if (e < 0) {
        return e;
    }
    struct pl__frame f = {start, end, step, (size_t)((end - start) / step) + 1};
    return run(c, src, text, f, false, NULL, out, err);
}

int pl_source_explain(const struct pl_query_conf *c, const struct pl_source *src, pl_str text,
                      int64_t start, int64_t end, int64_t step, bool analyze, struct pl_buf *json,
                      struct pl_query_error *err)
{
    struct pl__explain x = {.analyze = analyze, .out = json};
    struct pl__frame f = {start, start, 1, 1};
    struct pl_result r;
    int e = pl__check_range(start, step ? end : start, step ? step : 1, err);
    if (e < 0) {
        return e;
    }
    if (step) {
        f = (struct pl__frame){start, end, step, (size_t)((end - start) / step) + 1};
    }
    e = run(c, src, text, f, !step, &x, &r, err);
    if (e >= 0) {
        pl_result_fini(&r);
    }
    return e;
}

void pl_result_fini(struct pl_result *r)
{
    pl_arena_fini(&r->arena);
    free(r->values);
    if (r->budget) {
        r->budget->used -= r->charged;
    }
    *r = (struct pl_result){0};
}
