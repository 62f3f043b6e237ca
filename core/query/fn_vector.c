/* Between scalars and vectors, absence, and order: scalar, vector, absent, sort. */
#include "core/query/exec.h"

#include <math.h>
#include <stdlib.h>

int pl__fn_scalar(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                  struct pl__rows *out)
{
    struct pl__rows r;
    int err = pl__eval_values(ex, f, e->call.args[0], &r);
    if (err < 0) {
        return err;
    }
    err = pl__rows_new(ex, 1, f->n, out);
    for (size_t s = 0; err >= 0 && s < f->n; s++) {
        size_t n = 0;
        out->v[s] = NAN;
        for (size_t i = 0; i < r.n && n < 2; i++) {
            double v = r.v[i * r.steps + s];
            if (!pl_is_absent(v) && !pl_is_histogram(v)) {
                out->v[s] = n++ ? NAN : v;
            }
        }
    }
    pl__rows_fini(ex, &r);
    return err;
}

int pl__fn_vector(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                  struct pl__rows *out)
{
    return pl__eval(ex, f, e->call.args[0], out); /* a scalar is a row without labels */
}

/* ------------------------------------------------------------------ absent */

/** Labels that the selector's equality matchers give: each name once, and only where no other
 *  matcher is on it. */
static int absent_labels(struct pl__exec *ex, const struct pl_expr *arg, pl_str *out)
{
    *out = PL_STR("");
    if (arg->kind != PL__SELECTOR) {
        return 0;
    }
    struct pl_buf a = PL_BUF_INIT, b = PL_BUF_INIT;
    for (size_t i = 0; i < arg->sel.n; i++) {
        const struct pl_matcher *m = &arg->sel.m[i];
        bool seen = false;
        if (pl_str_eq(m->name, PL_METRIC_NAME)) {
            continue;
        }
        for (size_t k = 0; k < i; k++) {
            seen |= pl_str_eq(arg->sel.m[k].name, m->name) && arg->sel.m[k].kind == PL_MATCH_EQ;
        }
        pl_buf_clear(&b);
        pl__set_label(&b, pl_buf_view(&a), m->name,
                      m->kind == PL_MATCH_EQ && !seen ? m->value : PL_STR_NULL);
        struct pl_buf old = a;
        a = b;
        b = old;
    }
    *out = a.failed || b.failed ? PL_STR_NULL : pl_arena_dup(ex->arena, pl_buf_view(&a));
    pl_buf_fini(&a);
    pl_buf_fini(&b);
    return out->p ? 0 : pl__error_code(ex, PL_ENOMEM, arg->at);
}

struct presence {
    struct pl__exec *ex;
    const struct pl__rows *rows;
    _Atomic uint8_t *there; /* a byte per step, set by any task */
};

static int find_present(void *ctx, size_t task, size_t from, size_t to)
{
    struct presence *p = ctx;
    struct pl__worker w;
    (void)task;
    int err = pl__worker_init(&w, p->ex, &p->rows->cols);
    for (size_t i = from; i < to && err >= 0; i++) {
        err = (i - from) % 16 ? 0 : pl__tick(p->ex);
        const double *row = err < 0 ? NULL : pl__row(p->rows, &w, i, &err);
        for (size_t s = 0; row && s < p->rows->steps; s++) {
            if (!pl_is_absent(row[s])) {
                p->there[s] = 1;
            }
        }
    }
    pl__worker_fini(&w);
    return err;
}

/** which: 0 absent, 1 absent_over_time. */
int pl__fn_absent(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                  struct pl__rows *out)
{
    struct pl_expr *arg = pl__unparen(e->call.args[0]);
    struct pl__rows r;
    pl_str labels;
    int err = absent_labels(ex, arg, &labels);
    if (err < 0) {
        return err;
    }
    if (e->call.fn->which) {
        r = (struct pl__rows){
            .steps = f->n,
            .range = pl__range_of(PL__RANGE_PRESENT_OVER_TIME),
            .which = PL__RANGE_PRESENT_OVER_TIME,
            .range_ms = pl__range_ms(arg),
        };
        err = pl__range_args(ex, f, e, &arg, NULL);
        err = err < 0 ? err : pl__cols_open(ex, f, arg, &r.cols, &r.refs);
        r.n = r.cols.n;
        r.labels = r.cols.labels;
    } else {
        err = pl__eval(ex, f, arg, &r);
    }
    if (err < 0) {
        return err;
    }
    struct presence p = {ex, &r, pl_arena_zalloc(ex->arena, f->n + 1)};
    err = p.there ? pl__parallel(ex, r.n, find_present, &p) : PL_ENOMEM;
    err = err < 0 ? pl__error_code(ex, err, e->at) : pl__rows_new(ex, 1, f->n, out);
    if (err >= 0) {
        out->labels[0] = labels;
        for (size_t s = 0; s < f->n; s++) {
            out->v[s] = p.there[s] ? PL_ABSENT : 1;
        }
    }
    pl__rows_fini(ex, &r);
    return err;
}

/* ------------------------------------------------------------------ sort */

struct sorting {
    const struct pl__rows *r;
    struct pl_expr *e;
    int which;
    struct pl__exec *ex;
    unsigned compared;
    int err; /* then the order is of no use any more */
};

static bool is_digit(pl_str s, size_t i) { return i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; }

/** The run of digits, or of anything else, that begins at i. */
static pl_str run_at(pl_str s, size_t i)
{
    size_t end = i + 1;
    while (end < s.n && is_digit(s, end) == is_digit(s, i)) {
        end++;
    }
    return pl_str_mem(s.p + i, end - i);
}

/** Natural order: runs of digits compare as numbers, all other runs as strings. */
static int natural_cmp(pl_str a, pl_str b)
{
    size_t i = 0, k = 0;
    while (i < a.n && k < b.n) {
        pl_str x = run_at(a, i), y = run_at(b, k);
        int64_t n, m;
        int c;
        if (is_digit(a, i) && is_digit(b, k) && pl_str_i64(x, &n) >= 0 && pl_str_i64(y, &m) >= 0) {
            c = n < m ? -1 : n > m;
        } else {
            c = pl_str_cmp(x, y);
        }
        if (c) {
            return c;
        }
        i += x.n, k += y.n;
    }
    return a.n - i < b.n - k ? -1 : a.n - i > b.n - k;
}

static int by_value(double a, double b, bool descending)
{
    if (isnan(a) || isnan(b)) {
        return (int)isnan(a) - (int)isnan(b); /* NaN last, either way */
    }
    return a == b ? 0 : (a < b) == descending ? 1 : -1;
}

static int compare(const void *a, const void *b, void *ctx)
{
    struct sorting *s = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int c = 0;
    if (s->which == PL__SORT_ASC || s->which == PL__SORT_DESC) {
        c = by_value(s->r->v[x], s->r->v[y], s->which == PL__SORT_DESC);
        return c ? c : x < y ? -1 : x > y;
    }
    if (s->err >= 0 && s->compared++ % 16 == 0) { /* thousands of labels can be named */
        s->err = pl__tick(s->ex);
    }
    if (s->err < 0) {
        return x < y ? -1 : x > y;
    }
    for (size_t i = 1; i < s->e->call.n && c == 0; i++) {
        pl_str name = pl__unparen(s->e->call.args[i])->str;
        c = natural_cmp(pl_labels_get(s->r->labels[x], name), pl_labels_get(s->r->labels[y], name));
    }
    c = c ? c : pl_labels_cmp(s->r->labels[x], s->r->labels[y]);
    return s->which == PL__SORT_LABEL_DESC ? -c : c;
}

int pl__fn_sort(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                struct pl__rows *out)
{
    int err = pl__eval_values(ex, f, e->call.args[0], out);
    if (f->start != f->end) {
        pl__note(ex, true, e->at,
                 "sort is ineffective for range queries since results are always ordered by "
                 "labels");
    }
    if (err < 0 || !ex->instant || f->n != 1) {
        return err; /* a range result has an order of its own */
    }
    struct pl__rows sorted;
    bool by_value = e->call.fn->which == PL__SORT_ASC || e->call.fn->which == PL__SORT_DESC;
    for (size_t i = 0; by_value && out->hist && i < out->n; i++) { /* one step: rows are values */
        out->v[i] = pl_is_histogram(out->v[i]) ? PL_ABSENT : out->v[i];
    }
    pl__rows_prune(out);
    err = pl__rows_new(ex, out->n, 1, &sorted);
    uint32_t *order = err < 0 ? NULL : pl_arena_alloc(ex->arena, (out->n + 1) * sizeof *order);
    if (!order) {
        if (err >= 0) {
            pl__rows_fini(ex, &sorted);
        }
        pl__rows_fini(ex, out);
        return pl__error_code(ex, PL_ENOMEM, e->at);
    }
    struct sorting s = {.r = out, .e = e, .which = e->call.fn->which, .ex = ex};
    for (size_t i = 0; i < out->n; i++) {
        order[i] = (uint32_t)i;
    }
    qsort_r(order, out->n, sizeof *order, compare, &s);
    if (pl__rows_marks_from(ex, &sorted, out, order) < 0) {
        pl__rows_fini(ex, &sorted);
        pl__rows_fini(ex, out);
        return pl__error_code(ex, PL_ENOMEM, e->at);
    }
    for (size_t i = 0; i < out->n; i++) {
        sorted.v[i] = out->v[order[i]];
        sorted.labels[i] = out->labels[order[i]];
    }
    sorted.ordered = true;
    sorted.hist = out->hist;
    pl__rows_fini(ex, out);
    *out = sorted;
    if (s.err < 0) {
        pl__rows_fini(ex, out);
        return pl__error_code(ex, s.err, e->at);
    }
    return 0;
}
