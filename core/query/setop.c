/* and, or, unless: which samples of a side stay depends on whether the other side has any sample
 * with the same matching labels at that step. */
#include "core/query/match.h"

/** For each key and step: is any row of this key there? */
static uint8_t *presence(struct pl__exec *ex, const struct pl__rows *r, const struct pl__keys *k,
                         int *err)
{
    uint8_t *there = pl__values_new(ex, k->index.n * r->steps, 1, err);
    if (!there) {
        return NULL;
    }
    memset(there, 0, k->index.n * r->steps);
    for (size_t i = 0; i < r->n; i++) {
        uint8_t *to = there + k->key[i] * r->steps;
        const double *row = r->v + i * r->steps;
        for (size_t s = 0; s < r->steps; s++) {
            to[s] |= !pl_is_absent(row[s]);
        }
    }
    return there;
}

/** Keep in r what is there (want) or not there (!want) in the other side. */
static int filter(struct pl__exec *ex, struct pl__rows *r, const struct pl__rows *other,
                  const struct pl__names *names, bool on, bool want)
{
    struct pl__keys keys;
    struct pl_buf key = PL_BUF_INIT;
    int err = pl__keys_make(ex, other, names, on, &keys);
    if (err < 0) {
        return err;
    }
    size_t room = keys.index.n * other->steps;
    uint8_t *there = presence(ex, other, &keys, &err);
    for (size_t i = 0; there && i < r->n && err >= 0; i++) {
        double *row = r->v + i * r->steps;
        size_t k = pl__keys_find(&keys, r->labels[i], names, on, &key);
        const uint8_t *is = k == PL__INDEX_NONE ? NULL : there + k * r->steps;
        err = key.failed ? PL_ENOMEM : i % 1024 ? 0 : pl__tick(ex);
        if (!is && !want) {
            continue;
        }
        for (size_t s = 0; s < r->steps; s++) {
            row[s] = (is && is[s]) == want ? row[s] : PL_ABSENT;
        }
    }
    pl__values_free(ex, there, room, 1);
    pl_buf_fini(&key);
    pl__keys_fini(&keys);
    return err;
}

static int concat(struct pl__exec *ex, const struct pl__rows *l, const struct pl__rows *r,
                  struct pl__rows *out)
{
    int err = pl__rows_new(ex, l->n + r->n, l->steps, out);
    if (err < 0) {
        return err;
    }
    out->hist = l->hist || r->hist;
    memcpy(out->v, l->v, l->n * l->steps * sizeof *out->v);
    memcpy(out->v + l->n * l->steps, r->v, r->n * r->steps * sizeof *out->v);
    memcpy(out->labels, l->labels, l->n * sizeof *out->labels);
    memcpy(out->labels + l->n, r->labels, r->n * sizeof *out->labels);
    out->drop = l->drop && r->drop;
    if (l->drops || r->drops || l->drop != r->drop) {
        if (pl__rows_marks(ex, out) < 0) {
            pl__rows_fini(ex, out);
            return PL_ENOMEM;
        }
        for (size_t i = 0; i < out->n; i++) {
            const struct pl__rows *of = i < l->n ? l : r;
            out->drops[i] = of->drops ? of->drops[i < l->n ? i : i - l->n] : of->drop;
        }
    }
    return 0;
}

int pl__eval_set(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *l,
                 struct pl__rows *r, struct pl__rows *out)
{
    struct pl__names names = pl__match_names(ex, &e->bin.m);
    bool on = e->bin.m.on;
    int err;
    if (e->bin.op == PL__OP_OR) {
        err = filter(ex, r, l, &names, on, false);
        if (err < 0) {
            return pl__error_code(ex, err, e->at);
        }
        pl__rows_prune(r);
        err = concat(ex, l, r, out);
        if (err < 0) {
            return pl__error_code(ex, err, e->at);
        }
        err = err < 0 ? err : pl__rows_merge(ex, out, e->at);
        if (err < 0) {
            pl__rows_fini(ex, out);
        }
        return err;
    }
    err = filter(ex, l, r, &names, on, e->bin.op == PL__OP_AND);
    if (err < 0) {
        return pl__error_code(ex, err, e->at);
    }
    pl__rows_prune(l);
    *out = *l;
    *l = (struct pl__rows){0}; /* moved */
    return 0;
}
