/* info(v, {selector}): adds to each sample the labels of the info series (target_info, unless the
 * selector says otherwise) that has the same job and instance at that step. Without a selector all
 * its labels are added, with one those it names; labels that v has stay as they are. A sample whose
 * info series is missing stays unless a matcher of the selector demands a value. */
#include "core/query/match.h"

#include <stdlib.h>

#define NONE UINT32_MAX

struct info {
    struct pl__exec *ex;
    struct pl_expr *e;
    struct pl_matcher *m; /* of the info series: name first */
    size_t n;
    bool demands;            /* some data label must have a value */
    struct pl__names wanted; /* data labels; none: all */
    struct pl__keys keys;
    struct pl__rows rows; /* of the info series: the times of their samples */
};

static bool identifies(pl_str name)
{
    return pl_str_eq(name, PL_STR("job")) || pl_str_eq(name, PL_STR("instance"));
}

/** Split the selector: which info series, which of their labels. */
static int split(struct info *x)
{
    const struct pl_expr *sel = x->e->call.n > 1 ? pl__unparen(x->e->call.args[1]) : NULL;
    size_t n = sel ? sel->sel.n : 0;
    bool named = false;
    x->m = calloc(n + 1, sizeof *x->m);
    x->wanted.v = pl_arena_alloc(x->ex->arena, (n + 1) * sizeof *x->wanted.v);
    if (!x->m || !x->wanted.v) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const struct pl_matcher *m = &sel->sel.m[i];
        char why[8];
        int err = pl_matcher_init(&x->m[x->n], m->kind, m->name, m->value, why, sizeof why);
        if (err < 0) {
            return err;
        }
        x->n++;
        if (pl_str_eq(m->name, PL_METRIC_NAME)) {
            named = true;
        } else {
            x->wanted.v[x->wanted.n++] = m->name;
            x->demands |= !pl_matcher_value(m, PL_STR(""));
        }
    }
    if (!named) {
        char why[8];
        int err = pl_matcher_init(&x->m[x->n], PL_MATCH_EQ, PL_METRIC_NAME, PL_STR("target_info"),
                                  why, sizeof why);
        x->n += err >= 0;
        return err;
    }
    return 0;
}

/** The info series at all steps: when their samples are of. */
static int select_info(struct info *x, const struct pl__frame *f)
{
    static const pl_str identity[] = {{"job", 3}, {"instance", 8}};
    struct pl__names names = {(pl_str *)identity, 2};
    struct pl_expr sel = {.kind = PL__SELECTOR, .type = PL__TYPE_VECTOR, .at = x->e->at};
    sel.sel.m = x->m;
    sel.sel.n = x->n;
    x->rows = (struct pl__rows){.steps = f->n, .range_ms = x->ex->lookback_ms, .as_time = true};
    int err = pl__cols_open(x->ex, f, &sel, &x->rows.cols, &x->rows.refs);
    if (err < 0) {
        return err;
    }
    x->rows.n = x->rows.cols.n;
    x->rows.labels = x->rows.cols.labels;
    err = pl__rows_materialise(x->ex, &x->rows);
    err = err < 0 ? err : pl__keys_make(x->ex, &x->rows, &names, true, &x->keys);
    return err;
}

/** Labels of a row with those of an info series. */
static int enrich(const struct info *x, pl_str labels, pl_str info, pl_str *out)
{
    struct pl_buf a = PL_BUF_INIT, b = PL_BUF_INIT;
    struct pl_label l;
    pl_buf_str(&a, labels);
    while (pl_labels_next(&info, &l)) {
        if (identifies(l.name) || pl_str_eq(l.name, PL_METRIC_NAME) ||
            (x->wanted.n && !pl__names_has(&x->wanted, l.name)) ||
            pl_labels_get(labels, l.name).n) {
            continue;
        }
        pl_buf_clear(&b);
        pl__set_label(&b, pl_buf_view(&a), l.name, l.value);
        struct pl_buf old = a;
        a = b;
        b = old;
    }
    *out = a.failed || b.failed ? PL_STR_NULL : pl_arena_dup(x->ex->arena, pl_buf_view(&a));
    pl_buf_fini(&a);
    pl_buf_fini(&b);
    return out->p ? 0 : PL_ENOMEM;
}

/** The info series of a key whose sample is the latest at step s; NONE if there is none. */
static uint32_t latest(const struct info *x, size_t key, size_t s)
{
    uint32_t best = NONE;
    for (uint32_t i = key == PL__INDEX_NONE ? NONE : x->keys.head[key]; i != NONE;
         i = x->keys.next[i]) {
        double t = x->rows.v[i * x->rows.steps + s];
        if (!pl_is_absent(t) && (best == NONE || t > x->rows.v[best * x->rows.steps + s])) {
            best = i;
        }
    }
    return best;
}

static size_t key_size(const struct info *x, size_t key)
{
    size_t n = 0;
    for (uint32_t i = key == PL__INDEX_NONE ? NONE : x->keys.head[key]; i != NONE;
         i = x->keys.next[i]) {
        n++;
    }
    return n;
}

static int join(struct info *x, const struct pl__rows *v, struct pl__rows *out)
{
    static const pl_str identity[] = {{"job", 3}, {"instance", 8}};
    struct pl__names names = {(pl_str *)identity, 2};
    struct pl_buf scratch = PL_BUF_INIT;
    size_t n = 0, at = 0;
    size_t *key = pl_arena_alloc(x->ex->arena, (v->n + 1) * sizeof *key);
    int err = key ? 0 : PL_ENOMEM;
    for (size_t i = 0; i < v->n && err >= 0; i++) {
        key[i] = pl__keys_find(&x->keys, v->labels[i], &names, true, &scratch);
        n += 1 + key_size(x, key[i]);
        err = i % 1024 ? 0 : pl__tick(x->ex);
    }
    err = err < 0 ? err : pl__rows_new(x->ex, n, v->steps, out);
    pl_buf_fini(&scratch);
    if (err < 0) {
        return err;
    }
    out->hist = v->hist;
    for (size_t i = 0; i < n * v->steps; i++) {
        out->v[i] = PL_ABSENT;
    }
    /* Row `at` keeps its labels, those behind it are joined to one info series each. */
    for (size_t i = 0; i < v->n && err >= 0; i++) {
        const double *row = v->v + i * v->steps;
        size_t members = key_size(x, key[i]);
        out->labels[at] = v->labels[i];
        for (size_t s = 0; s < v->steps; s++) {
            uint32_t best = latest(x, key[i], s), place = 0;
            for (uint32_t k = best == NONE ? NONE : x->keys.head[key[i]]; k != NONE;
                 k = x->keys.next[k]) {
                place++;
                if (k == best) {
                    break;
                }
            }
            if (best != NONE || !x->demands) {
                out->v[(at + place) * v->steps + s] = row[s];
            }
        }
        uint32_t k = members ? x->keys.head[key[i]] : NONE;
        for (size_t m = 1; m <= members && err >= 0; m++, k = x->keys.next[k]) {
            err = enrich(x, v->labels[i], x->rows.labels[k], &out->labels[at + m]);
        }
        at += 1 + members;
    }
    return err;
}

int pl__fn_info(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                struct pl__rows *out)
{
    struct info x = {.ex = ex, .e = e};
    struct pl__rows v;
    int err = pl__eval_values(ex, f, e->call.args[0], &v);
    if (err < 0) {
        return err;
    }
    *out = (struct pl__rows){0};
    err = split(&x);
    err = err < 0 ? err : select_info(&x, f);
    err = err < 0 ? err : join(&x, &v, out);
    if (err >= 0) {
        pl__rows_prune(out);
        err = pl__rows_merge(ex, out, e->at);
    }
    if (err < 0) {
        err = pl__error_code(ex, err, e->at);
        pl__rows_fini(ex, out);
    }
    pl__keys_fini(&x.keys);
    pl__rows_fini(ex, &x.rows);
    for (size_t i = 0; i < x.n; i++) {
        pl_matcher_fini(&x.m[i]);
    }
    free(x.m);
    pl__rows_fini(ex, &v);
    return err;
}
