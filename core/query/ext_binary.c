/* The operators default, if and ifnot. Sides are matched by labels as those of and, or, unless are;
 * a scalar is a series without labels. Such a series, where it is all of the right side and nothing
 * says on or ignoring, matches every series of the left.
 *
 *     a default b   a, its gaps filled from b; all of b where a has no series
 *     a if b        a where b has a value       a ifnot b   a where b has none */
#include "core/query/ext.h"
#include "core/query/match.h"

/** The first value that the rows of a key have at each step: into the first of them. */
static int gather(struct pl__exec *ex, const struct pl__keys *keys, struct pl__rows *r)
{
    int err = 0;
    for (size_t i = 0; i < r->n && err >= 0; i++) {
        size_t head = keys->head[keys->key[i]];
        double *to = r->v + head * r->steps;
        const double *from = r->v + i * r->steps;
        err = i % 256 ? 0 : pl__tick(ex);
        for (size_t s = 0; head != i && s < r->steps; s++) {
            to[s] = pl_is_absent(to[s]) ? from[s] : to[s];
        }
    }
    return err;
}

static int combine(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *l,
                   struct pl__rows *r)
{
    struct pl__names names = pl__match_names(ex, &e->bin.m);
    struct pl_buf key = PL_BUF_INIT;
    struct pl__keys keys;
    bool on = e->bin.m.on, any = r->n == 1 && r->labels[0].n == 0 && !e->bin.m.given;
    int err = pl__keys_make(ex, r, &names, on, &keys);
    if (err < 0) {
        return err;
    }
    err = gather(ex, &keys, r);
    for (size_t i = 0; i < l->n && err >= 0; i++) {
        double *row = l->v + i * l->steps;
        size_t k = any ? 0 : pl__keys_find(&keys, l->labels[i], &names, on, &key);
        err = key.failed ? PL_ENOMEM : i % 256 ? 0 : pl__tick(ex);
        const double *other = k == PL__INDEX_NONE ? NULL : r->v + keys.head[k] * r->steps;
        for (size_t s = 0; s < l->steps && err >= 0; s++) {
            double v = other ? other[s] : PL_ABSENT;
            if (e->bin.op == PL__OP_DEFAULT) {
                row[s] = pl_is_absent(row[s]) ? v : row[s];
            } else if (pl_is_absent(v) == (e->bin.op == PL__OP_IF)) {
                row[s] = PL_ABSENT;
            }
        }
    }
    pl_buf_fini(&key);
    pl__keys_fini(&keys);
    return err;
}

int pl__eval_ext_binary(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                        struct pl__rows *out)
{
    struct pl__rows l, r;
    int err = pl__eval_values(ex, f, e->bin.l, &l);
    if (err < 0) {
        return err;
    }
    err = pl__eval_values(ex, f, e->bin.r, &r);
    if (err < 0) {
        pl__rows_fini(ex, &l);
        return err;
    }
    pl__rows_prune(&r);
    if (e->bin.op == PL__OP_DEFAULT && l.n == 0) {
        pl__rows_fini(ex, &l);
        *out = r;
        return 0;
    }
    l.hist |= e->bin.op == PL__OP_DEFAULT && r.hist;
    err = combine(ex, e, &l, &r);
    pl__rows_fini(ex, &r);
    if (err < 0) {
        pl__rows_fini(ex, &l);
        return pl__error_code(ex, err, e->at);
    }
    pl__rows_prune(&l);
    *out = l;
    return 0;
}
