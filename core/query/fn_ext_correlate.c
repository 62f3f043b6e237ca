/* correlate(a[d], b[d], lag): Pearson's correlation of two series over a window. Each sample of a
 * in (T - d, T] is paired with the latest sample of b at `lag` before it, if that is not older than
 * the lookback. Series are matched by their labels without the name; where b is a single series, it
 * is matched with all of a. */
#include "core/query/ext.h"
#include "core/query/match.h"

#include <math.h>
#include <stdlib.h>

#define PAIRS_MIN 3 /* of less samples there is no correlation to speak of */

struct correlate {
    struct pl__exec *ex;
    const struct pl__frame *f;
    struct pl__cols a, b;
    struct pl__refs refs;
    int64_t range_ms, lag_ms;
    int64_t shift_ms; /* times of a less those of b: another offset, another @ */
    size_t *other;    /* series of b for each of a; SIZE_MAX: none */
    struct pl__rows *out;
};

/** The column of b, read once for runs of the same series. */
static int read_other(struct pl__worker *w, size_t i, size_t *at)
{
    if (*at == i) {
        return 0;
    }
    int err = pl__cols_read(w, i, false);
    pl__drop_histograms(&w->col);
    *at = err < 0 ? SIZE_MAX : i;
    return err;
}

/** Pairs of the samples of a with those of b, in order: x, y and the time of a's. */
static size_t pair(const struct correlate *c, const struct pl_columns *a,
                   const struct pl_columns *b, int64_t *t, double *x, double *y)
{
    size_t n = 0, k = 0;
    for (size_t i = 0; i < a->n; i++) {
        int64_t at = a->t[i] - c->shift_ms - c->lag_ms;
        while (k < b->n && b->t[k] <= at) {
            k++;
        }
        if (k > 0 && b->t[k - 1] > at - c->ex->lookback_ms) {
            t[n] = a->t[i], x[n] = a->v[i], y[n] = b->v[k - 1];
            n++;
        }
    }
    return n;
}

static int one_series(const struct correlate *c, const struct pl_columns *a,
                      const struct pl_columns *b, double *out)
{
    int64_t *t = malloc((a->n + 1) * sizeof *t);
    double *x = malloc((2 * a->n + 1) * sizeof *x), *y = x ? x + a->n : NULL;
    int err = t && x ? 0 : PL_ENOMEM;
    size_t n = err < 0 ? 0 : pair(c, a, b, t, x, y), lo = 0, hi = 0;
    for (size_t s = 0; s < c->f->n && err >= 0; s++) {
        int64_t ref = c->refs.ref0 + (int64_t)s * c->refs.step;
        while (hi < n && t[hi] <= ref) {
            hi++;
        }
        while (lo < hi && t[lo] <= ref - c->range_ms) {
            lo++;
        }
        out[s] = hi - lo < PAIRS_MIN ? PL_ABSENT : pl_pearson(x + lo, y + lo, hi - lo);
        err = s % 64 ? 0 : pl__tick(c->ex);
    }
    free(t);
    free(x);
    return err;
}

static int some_series(void *ctx, size_t task, size_t from, size_t to)
{
    struct correlate *c = ctx;
    struct pl__worker a, b;
    size_t at = SIZE_MAX;
    (void)task;
    int err = pl__worker_init(&a, c->ex, &c->a), err_b = pl__worker_init(&b, c->ex, &c->b);
    err = err < 0 ? err : err_b;
    for (size_t i = from; i < to && err >= 0; i++) {
        double *row = c->out->v + i * c->f->n;
        if (c->other[i] == SIZE_MAX) {
            for (size_t s = 0; s < c->f->n; s++) {
                row[s] = PL_ABSENT;
            }
            continue;
        }
        err = pl__cols_read(&a, i, false);
        err = err < 0 ? err : read_other(&b, c->other[i], &at);
        if (err >= 0) {
            pl__drop_histograms(&a.col);
            err = one_series(c, &a.col, &b.col, row);
        }
    }
    pl__worker_fini(&a);
    pl__worker_fini(&b);
    return err;
}

/** Which series of b goes with each of a. */
static int match(struct correlate *c, struct pl_expr *e)
{
    static const struct pl__matching by_all = {0};
    struct pl__exec *ex = c->ex;
    struct pl__rows b = {.n = c->b.n, .labels = c->b.labels};
    struct pl__names names = pl__match_names(ex, &by_all);
    struct pl_buf key = PL_BUF_INIT;
    struct pl__keys keys;
    c->other = pl_arena_alloc(ex->arena, (c->a.n + 1) * sizeof *c->other);
    int err = c->other ? pl__keys_make(ex, &b, &names, false, &keys) : PL_ENOMEM;
    if (err < 0) {
        return pl__error_code(ex, err, e->at);
    }
    for (size_t k = 0; k < b.n && err >= 0; k++) {
        if (keys.next[k] != UINT32_MAX) {
            err = pl__error(ex, PL_EINVAL, e->call.args[1]->at,
                            "several series of the second argument of correlate() have the same "
                            "labels but for the name");
        }
    }
    for (size_t i = 0; i < c->a.n && err >= 0; i++) {
        size_t k = b.n == 1 ? 0 : pl__keys_find(&keys, c->a.labels[i], &names, false, &key);
        c->other[i] = k == PL__INDEX_NONE ? SIZE_MAX : keys.head[k];
        err = key.failed ? pl__error_code(ex, PL_ENOMEM, e->at) : 0;
    }
    pl_buf_fini(&key);
    pl__keys_fini(&keys);
    return err;
}

/** Columns of both sides; those of b reach back by the lag and the lookback. */
static int open_both(struct correlate *c, struct pl_expr *e)
{
    struct pl_expr *a = pl__unparen(e->call.args[0]), *second, b;
    struct pl__refs refs;
    const double *lag = NULL;
    int err = pl__range_args(c->ex, c->f, e, &second, &lag);
    if (err < 0) {
        return err;
    }
    b = *second;
    c->range_ms = pl__range_ms(a);
    if (pl__range_ms(&b) != c->range_ms) {
        return pl__error(c->ex, PL_EINVAL, e->call.args[1]->at,
                         "both ranges of correlate() must be the same");
    }
    double seconds = lag && c->f->n ? lag[0] : 0;
    if (!(seconds >= 0 && seconds < 1e10)) {
        return pl__error(c->ex, PL_EINVAL, e->call.args[2]->at,
                         "the lag of correlate() must not be negative: swap the arguments");
    }
    c->lag_ms = (int64_t)(seconds * 1000);
    *(b.kind == PL__SUBQUERY ? &b.sub.range_ms : &b.sel.range_ms) += c->lag_ms + c->ex->lookback_ms;
    err = pl__cols_open(c->ex, c->f, a, &c->a, &c->refs);
    err = err < 0 ? err : pl__cols_open(c->ex, c->f, &b, &c->b, &refs);
    if (err >= 0 && refs.step != c->refs.step && c->f->n > 1) {
        err = pl__error(c->ex, PL_EINVAL, e->call.args[1]->at,
                        "both ranges of correlate() must move with the step, or neither");
    }
    c->shift_ms = err < 0 ? 0 : c->refs.ref0 - refs.ref0;
    return err;
}

int pl__fn_ext_correlate(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                         struct pl__rows *out)
{
    struct correlate c = {.ex = ex, .f = f, .out = out};
    int err = open_both(&c, e);
    err = err < 0 ? err : match(&c, e);
    err = err < 0 ? err : pl__rows_new(ex, c.a.n, f->n, out);
    if (err >= 0) {
        memcpy(out->labels, c.a.labels, c.a.n * sizeof *out->labels);
        err = pl__parallel(ex, c.a.n, some_series, &c);
        err = err < 0 ? pl__error_code(ex, err, e->at) : pl__rows_drop_names(ex, out, e->at);
        if (err < 0) {
            pl__rows_fini(ex, out);
        }
    }
    pl__cols_fini(ex, &c.a);
    pl__cols_fini(ex, &c.b);
    return err;
}
