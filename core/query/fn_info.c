/* info(v, {selector}): adds to each sample the labels of info series (target_info, unless the
 * selector has matchers of the name) that have the same job and instance at that step: of each info
 * metric the one with the latest sample. Without data matchers all their labels are added, with
 * some those they name; labels that v has stay as they are. What is itself an info series as the
 * selector names them is left alone. A sample without info stays unless a data matcher demands a
 * value. */
#include "core/query/match.h"

#include <stdlib.h>

#define NONE UINT32_MAX

static const pl_str identity[] = {{"instance", 8}, {"job", 3}};
static const struct pl__names identity_names = {(pl_str *)identity, 2};

/** Rows of the result: a row of v with info series, one of each metric or NONE. */
struct combination {
    uint32_t row;
    const uint32_t *chosen; /* NULL: as it is */
};

struct info {
    struct pl__exec *ex;
    struct pl_expr *e;
    struct pl_matcher *m; /* of the info series; those of the name come first */
    size_t n, n_names;
    bool demands;            /* some data label must have a value */
    struct pl__names wanted; /* data labels; none: all */
    struct pl__keys keys;
    struct pl__rows rows;   /* of the info series: the times of their samples */
    struct pl__rows values; /* and those, where there are histograms */
    uint32_t *metric;       /* number of the name of each info series */
    size_t n_metrics;
    struct combination *combination;
    size_t n_combinations, cap;
    uint32_t *chosen; /* of the step at hand */
};

/* ------------------------------------------------------------------ the selector */

static int add_matcher(struct info *x, enum pl_match kind, pl_str name, pl_str value)
{
    char why[8];
    int err = pl_matcher_init(&x->m[x->n], kind, name, value, why, sizeof why);
    x->n += err >= 0;
    return err;
}

/** Split the selector: which info series, which of their labels. */
static int split(struct info *x)
{
    const struct pl_expr *sel = x->e->call.n > 1 ? pl__unparen(x->e->call.args[1]) : NULL;
    size_t n = sel ? sel->sel.n : 0;
    bool named = false, positive = false;
    int err = 0;
    x->m = calloc(n + 1, sizeof *x->m);
    x->wanted.v = pl_arena_alloc(x->ex->arena, (n + 1) * sizeof *x->wanted.v);
    if (!x->m || !x->wanted.v) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < n && err >= 0; i++) {
        const struct pl_matcher *m = &sel->sel.m[i];
        if (pl_str_eq(m->name, PL_METRIC_NAME)) {
            named = true;
            positive |= m->kind == PL_MATCH_EQ || m->kind == PL_MATCH_RE;
            err = add_matcher(x, m->kind, m->name, m->value);
        }
    }
    if (err >= 0 && !named) {
        err = add_matcher(x, PL_MATCH_EQ, PL_METRIC_NAME, PL_STR("target_info"));
    } else if (err >= 0 && !positive) { /* which names it is not says nothing of what is info */
        err = add_matcher(x, PL_MATCH_RE, PL_METRIC_NAME, PL_STR(".+_info"));
    }
    x->n_names = x->n;
    for (size_t i = 0; i < n && err >= 0; i++) {
        const struct pl_matcher *m = &sel->sel.m[i];
        if (!pl_str_eq(m->name, PL_METRIC_NAME)) {
            x->wanted.v[x->wanted.n++] = m->name;
            x->demands |= !pl_matcher_value(m, PL_STR(""));
            err = add_matcher(x, m->kind, m->name, m->value);
        }
    }
    return err;
}

/** Is it an info series itself? */
static bool is_info(const struct info *x, pl_str labels)
{
    pl_str name = pl_labels_get(labels, PL_METRIC_NAME);
    for (size_t i = 0; i < x->n_names; i++) {
        if (!pl_matcher_value(&x->m[i], name)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ the info series */

static int open_rows(struct info *x, const struct pl__frame *f, bool as_time, struct pl__rows *r)
{
    struct pl_expr sel = {.kind = PL__SELECTOR, .type = PL__TYPE_VECTOR, .at = x->e->at};
    sel.sel.m = x->m;
    sel.sel.n = x->n;
    *r = (struct pl__rows){.steps = f->n, .range_ms = x->ex->lookback_ms, .as_time = as_time};
    int err = pl__cols_open(x->ex, f, &sel, &r->cols, &r->refs);
    if (err < 0) {
        return err;
    }
    r->n = r->cols.n;
    r->labels = r->cols.labels;
    return pl__rows_materialise(x->ex, r);
}

/** The info series at all steps: when their samples are of. */
static int select_info(struct info *x, const struct pl__frame *f)
{
    struct pl__index names = {0};
    int err = open_rows(x, f, true, &x->rows);
    err = err < 0 ? err : open_rows(x, f, false, &x->values);
    err = err < 0 ? err : pl__keys_make(x->ex, &x->rows, &identity_names, true, &x->keys);
    x->metric = err < 0 ? NULL : pl_arena_alloc(x->ex->arena, (x->rows.n + 1) * sizeof *x->metric);
    err = err < 0 || x->metric ? err : PL_ENOMEM;
    for (size_t i = 0; i < x->rows.n && err >= 0; i++) {
        bool fresh;
        size_t k = pl__index_put(&names, pl_labels_get(x->rows.labels[i], PL_METRIC_NAME), &fresh);
        err = k == PL__INDEX_NONE ? PL_ENOMEM : 0;
        x->metric[i] = (uint32_t)k;
    }
    x->n_metrics = names.n;
    pl__index_fini(&names);
    if (err >= 0) {
        x->chosen = pl_arena_alloc(x->ex->arena, (x->n_metrics + 1) * sizeof *x->chosen);
        err = x->chosen ? 0 : PL_ENOMEM;
    }
    return err;
}

static int duplicate(struct info *x, uint32_t a, uint32_t b, double t)
{
    struct pl_buf text = PL_BUF_INIT;
    pl_buf_z(&text, "found duplicate series for info metric: existing ");
    pl__labels_show(&text, x->rows.labels[a]);
    pl_buf_f(&text, " @ %.0f, new ", t * 1000);
    pl__labels_show(&text, x->rows.labels[b]);
    pl_buf_f(&text, " @ %.0f", t * 1000);
    int err = pl__error(x->ex, PL_EINVAL, x->e->at, "%.*s", PL_PRS(pl_buf_view(&text)));
    pl_buf_fini(&text);
    return err;
}

/** The info series of a key at step s, one of each metric, in x->chosen. 1, 0: none, error. */
static int choose(struct info *x, size_t key, size_t s)
{
    int any = 0;
    for (size_t k = 0; k < x->n_metrics; k++) {
        x->chosen[k] = NONE;
    }
    for (uint32_t i = key == PL__INDEX_NONE ? NONE : x->keys.head[key]; i != NONE;
         i = x->keys.next[i]) {
        double t = x->rows.v[i * x->rows.steps + s];
        if (pl_is_absent(t)) {
            continue;
        }
        if (x->values.hist && pl_is_histogram(x->values.v[i * x->rows.steps + s])) {
            return pl__error(x->ex, PL_EINVAL, x->e->at, "info sample should be float");
        }
        uint32_t *best = &x->chosen[x->metric[i]];
        double had = *best == NONE ? 0 : x->rows.v[*best * x->rows.steps + s];
        if (*best != NONE && had == t) {
            return duplicate(x, *best, i, t);
        }
        if (*best == NONE || t > had) {
            *best = i;
        }
        any = 1;
    }
    return any;
}

/* ------------------------------------------------------------------ joining */

/** The number of the combination of a row and x->chosen (any) or nothing; those of a row are at
 *  `from` and behind it. */
static int combine(struct info *x, uint32_t row, bool any, size_t from, uint32_t *out)
{
    size_t bytes = x->n_metrics * sizeof *x->chosen;
    for (size_t i = x->n_combinations; i-- > from;) {
        const struct combination *c = &x->combination[i];
        if (any ? c->chosen && !memcmp(c->chosen, x->chosen, bytes) : !c->chosen) {
            *out = (uint32_t)i;
            return 0;
        }
    }
    if (x->n_combinations == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 64;
        struct combination *more = realloc(x->combination, cap * sizeof *more);
        if (!more) {
            return PL_ENOMEM;
        }
        x->combination = more;
        x->cap = cap;
    }
    struct combination *c = &x->combination[x->n_combinations];
    *c = (struct combination){row, NULL};
    if (any) {
        uint32_t *chosen = pl_arena_alloc(x->ex->arena, bytes);
        if (!chosen) {
            return PL_ENOMEM;
        }
        memcpy(chosen, x->chosen, bytes);
        c->chosen = chosen;
    }
    *out = (uint32_t)x->n_combinations++;
    return 0;
}

/** The labels of a row with those of its info series. */
static int enrich(const struct info *x, pl_str labels, const struct combination *c, pl_str *out)
{
    struct pl_buf a = PL_BUF_INIT, b = PL_BUF_INIT;
    int err = 0;
    pl_buf_str(&a, labels);
    for (size_t k = 0; k < x->n_metrics && err >= 0; k++) {
        pl_str info = c->chosen[k] == NONE ? PL_STR_NULL : x->rows.labels[c->chosen[k]];
        struct pl_label l;
        while (pl_labels_next(&info, &l) && err >= 0) {
            if (pl_str_eq(l.name, PL_METRIC_NAME) ||
                (x->wanted.n && !pl__names_has(&x->wanted, l.name)) ||
                pl_labels_get(labels, l.name).n) {
                continue;
            }
            pl_str had = pl_labels_get(pl_buf_view(&a), l.name);
            if (had.n) {
                err = pl_str_eq(had, l.value)
                          ? 0
                          : pl__error(x->ex, PL_EINVAL, x->e->at, "conflicting label: %.*s",
                                      PL_PRS(l.name));
                continue;
            }
            pl_buf_clear(&b);
            pl__set_label(&b, pl_buf_view(&a), l.name, l.value);
            struct pl_buf old = a;
            a = b;
            b = old;
        }
    }
    if (err >= 0) {
        *out = a.failed || b.failed ? PL_STR_NULL : pl_arena_dup(x->ex->arena, pl_buf_view(&a));
        err = out->p ? 0 : PL_ENOMEM;
    }
    pl_buf_fini(&a);
    pl_buf_fini(&b);
    return err;
}

/** Which combination each sample of v belongs to; NONE: it is not there, or to be left out. */
static int find_combinations(struct info *x, const struct pl__rows *v, uint32_t *at)
{
    struct pl_buf scratch = PL_BUF_INIT;
    int err = 0;
    for (size_t i = 0; i < v->n && err >= 0; i++) {
        bool alone = is_info(x, v->labels[i]);
        size_t from = x->n_combinations;
        size_t key = pl__keys_find(&x->keys, v->labels[i], &identity_names, true, &scratch);
        if (scratch.n == 0) { /* neither job nor instance */
            key = PL__INDEX_NONE;
        }
        err = scratch.failed ? PL_ENOMEM : i % 64 ? 0 : pl__tick(x->ex);
        for (size_t s = 0; s < v->steps && err >= 0; s++) {
            uint32_t *to = &at[i * v->steps + s];
            *to = NONE;
            if (pl_is_absent(v->v[i * v->steps + s])) {
                continue;
            }
            int any = alone ? 0 : choose(x, key, s);
            err = any < 0 ? any : 0;
            if (err >= 0 && (any || alone || !x->demands)) {
                err = combine(x, (uint32_t)i, any, from, to);
            }
        }
    }
    pl_buf_fini(&scratch);
    return err;
}

static int fill(struct info *x, const struct pl__rows *v, const uint32_t *at, struct pl__rows *out)
{
    int err = pl__rows_new(x->ex, x->n_combinations, v->steps, out);
    uint32_t *row = err < 0 ? NULL : pl_arena_alloc(x->ex->arena, (out->n + 1) * sizeof *row);
    err = err < 0 || row ? err : PL_ENOMEM;
    for (size_t i = 0; i < x->n_combinations && err >= 0; i++) {
        const struct combination *c = &x->combination[i];
        row[i] = c->row;
        out->labels[i] = v->labels[c->row];
        err = c->chosen ? enrich(x, v->labels[c->row], c, &out->labels[i]) : 0;
    }
    if (err < 0) {
        return err;
    }
    out->hist = v->hist;
    for (size_t i = 0; i < out->n * out->steps; i++) {
        out->v[i] = PL_ABSENT;
    }
    for (size_t i = 0; i < v->n * v->steps; i++) {
        if (at[i] != NONE) {
            out->v[at[i] * v->steps + i % v->steps] = v->v[i];
        }
    }
    err = pl__rows_marks_from(x->ex, out, v, row);
    return err < 0 ? err : pl__rows_merge(x->ex, out, x->e->at);
}

static int join(struct info *x, const struct pl__rows *v, struct pl__rows *out)
{
    int err = 0;
    size_t n = v->n * v->steps;
    uint32_t *at = pl__values_new(x->ex, n, sizeof *at, &err);
    err = at ? find_combinations(x, v, at) : err;
    err = err < 0 ? err : fill(x, v, at, out);
    pl__values_free(x->ex, at, n, sizeof *at);
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
    if (err < 0) {
        err = pl__error_code(ex, err, e->at);
        pl__rows_fini(ex, out);
    }
    pl__keys_fini(&x.keys);
    pl__rows_fini(ex, &x.rows);
    pl__rows_fini(ex, &x.values);
    for (size_t i = 0; i < x.n; i++) {
        pl_matcher_fini(&x.m[i]);
    }
    free(x.m);
    free(x.combination);
    pl__rows_fini(ex, &v);
    return err;
}
