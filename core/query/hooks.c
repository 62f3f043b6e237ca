/* Functions of scripts: lua:name(arg, ...). What runs them is not known here: the configuration of
 * the query has two pointers, one that finds a function while parsing, one that calls it for a row.
 * The first vector among the arguments gives the rows; the others are looked up by its labels. */
#include "core/query/ext.h"
#include "core/query/match.h"
#include "core/query/parse.h"

#define ARGS_MAX 16

const struct pl__func *pl__hook_find(struct pl__parser *p, struct pl_expr *e, pl_str name)
{
    pl_str full = pl_arena_dup(p->arena, name);
    struct pl__func *fn = pl_arena_zalloc(p->arena, sizeof *fn);
    if (!fn || !full.p) {
        return pl__fail(p, PL_ENOMEM, e->at, "out of memory");
    }
    *fn = (struct pl__func){
        .name = full.p,
        .args = "v",
        .variadic = -1,
        .returns = PL__TYPE_VECTOR,
        .flags = PL__FN_HOOK | PL__FN_EXTENSION | PL__FN_TIME | PL__FN_WHOLE_RANGE | PL__FN_IMPURE,
        .eval = pl__fn_hook,
        .doc = "a function of a script",
    };
    if (!pl__extension(p, e->at, fn->name)) {
        return NULL;
    }
    if (e->call.n > ARGS_MAX) {
        return pl__fail(p, PL_ELIMIT, e->at, "more than %d arguments of %s", ARGS_MAX, fn->name);
    }
    if (!p->conf) {
        return fn; /* for the text alone: nothing will be called */
    }
    char why[200] = "";
    size_t prefix = sizeof PL__HOOK_PREFIX - 1;
    const struct pl_query_hooks *hooks = p->conf->hooks;
    int err = hooks ? hooks->find(hooks->ctx, (pl_str){name.p + prefix, name.n - prefix}, e->call.n,
                                  &e->call.hook, why, sizeof why)
                    : PL_ENOTFOUND;
    if (err == PL_ENOTFOUND) {
        return pl__fail(p, PL_EPARSE, e->at, "no script registers %s", fn->name);
    }
    if (err < 0) {
        return pl__fail(p, err == PL_ENOMEM ? err : PL_EPARSE, e->at, "%s: %s", fn->name,
                        why[0] ? why : pl_err_text(err));
    }
    return fn;
}

/** The arguments, all of them rows. */
struct hook {
    size_t n, driver; /* driver: the first vector; n where there is none */
    struct pl__rows rows[ARGS_MAX];
    struct pl__keys keys[ARGS_MAX];
    bool keyed[ARGS_MAX];
};

static void drop_histograms(struct pl__rows *r)
{
    for (size_t i = 0; i < r->n * r->steps; i++) {
        r->v[i] = pl_is_histogram(r->v[i]) ? PL_ABSENT : r->v[i];
    }
}

static int open_args(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct hook *h)
{
    static const struct pl__matching by_all = {0};
    h->driver = e->call.n;
    for (size_t i = 0; i < e->call.n; i++) {
        struct pl_expr *arg = e->call.args[i];
        int err = pl__eval_values(ex, f, arg, &h->rows[i]);
        if (err < 0) {
            return err;
        }
        h->n = i + 1;
        drop_histograms(&h->rows[i]);
        if (arg->type != PL__TYPE_VECTOR) {
            continue;
        }
        if (h->driver == e->call.n) {
            h->driver = i;
            err = pl__rows_drop_names(ex, &h->rows[i], arg->at);
            err = err < 0 ? err : pl__rows_names_now(ex, &h->rows[i], arg->at);
        } else {
            struct pl__names names = pl__match_names(ex, &by_all);
            err = pl__keys_make(ex, &h->rows[i], &names, false, &h->keys[i]);
            err = err < 0 ? pl__error_code(ex, err, arg->at) : 0;
            h->keyed[i] = err >= 0;
        }
        for (size_t k = 0; h->keyed[i] && k < h->rows[i].n; k++) {
            if (h->keys[i].next[k] != UINT32_MAX) {
                return pl__error(ex, PL_EINVAL, arg->at,
                                 "argument %zu of %s has several series of the same labels", i + 1,
                                 e->call.fn->name);
            }
        }
        if (err < 0) {
            return err;
        }
    }
    return 0;
}

static void close_args(struct pl__exec *ex, struct hook *h)
{
    for (size_t i = 0; i < h->n; i++) {
        pl__rows_fini(ex, &h->rows[i]);
        if (h->keyed[i]) {
            pl__keys_fini(&h->keys[i]);
        }
    }
}

/** The rows of the arguments for a series: what is missing is `absent`. */
static int gather(struct pl__exec *ex, struct hook *h, size_t row, pl_str labels,
                  const double *absent, struct pl_buf *key, const double **args)
{
    struct pl__names names = {(pl_str[]){PL_METRIC_NAME}, 1};
    for (size_t i = 0; i < h->n; i++) {
        size_t at = i == h->driver ? row : 0;
        if (h->keyed[i]) {
            size_t k = pl__keys_find(&h->keys[i], labels, &names, false, key);
            at = k == PL__INDEX_NONE ? SIZE_MAX : h->keys[i].head[k];
        }
        args[i] = at == SIZE_MAX ? absent : h->rows[i].v + at * h->rows[i].steps;
    }
    return key->failed ? PL_ENOMEM : pl__tick(ex);
}

static int call_rows(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct hook *h, struct pl__rows *out)
{
    const struct pl_query_hooks *hooks = ex->conf->hooks;
    const double *args[ARGS_MAX];
    struct pl_buf key = PL_BUF_INIT;
    int64_t *t = pl_arena_alloc(ex->arena, (f->n + 1) * sizeof *t);
    double *absent = pl_arena_alloc(ex->arena, (f->n + 1) * sizeof *absent);
    int err = t && absent ? 0 : PL_ENOMEM;
    for (size_t s = 0; s < f->n && err >= 0; s++) {
        t[s] = f->start + (int64_t)s * f->step;
        absent[s] = PL_ABSENT;
    }
    for (size_t i = 0; i < out->n && err >= 0; i++) {
        char why[300] = "";
        if (h->driver < h->n) {
            out->labels[i] = h->rows[h->driver].labels[i];
        }
        err = gather(ex, h, i, out->labels[i], absent, &key, args);
        if (err >= 0) {
            double *v = out->v + i * f->n;
            memcpy(v, absent, f->n * sizeof *v);
            err = hooks->call(hooks->ctx, e->call.hook, out->labels[i], t, f->n, args, h->n, v, why,
                              sizeof why);
            if (err < 0 && why[0]) {
                err = pl__error(ex, PL_EINVAL, e->at, "%s: %s", e->call.fn->name, why);
            }
        }
    }
    pl_buf_fini(&key);
    return err < 0 ? pl__error_code(ex, err, e->at) : 0;
}

int pl__fn_hook(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                struct pl__rows *out)
{
    struct hook h = {0};
    int err = open_args(ex, f, e, &h);
    if (err >= 0) {
        err = pl__rows_new(ex, h.driver < h.n ? h.rows[h.driver].n : 1, f->n, out);
    }
    if (err >= 0) {
        err = call_rows(ex, f, e, &h, out);
        if (err < 0) {
            pl__rows_fini(ex, out);
        }
    }
    close_args(ex, &h);
    return err;
}
