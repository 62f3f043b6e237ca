/* Aggregations that are extensions: over the values of a group at each step (median, ...), each
 * value set against its group (share, zscore), and series chosen by all their steps (any,
 * outliersk, topk_avg, ...). Rows are held; groups are worked on one after the other. */
#include "core/query/ext.h"

#include <math.h>
#include <stdlib.h>

struct agg {
    struct pl__exec *ex;
    const struct pl_expr *e;
    struct pl__rows *r;
    const uint32_t *member; /* rows of the group at hand */
    size_t n;
    double *x, *scratch; /* room for as many values as rows, and as steps */
};

/** The floats of the group at a step: in a->x. */
static size_t gather(const struct agg *a, size_t s)
{
    size_t n = 0;
    for (size_t m = 0; m < a->n; m++) {
        double v = a->r->v[a->member[m] * a->r->steps + s];
        a->x[n] = v;
        n += pl__is_float(v);
    }
    return n;
}

/* ------------------------------------------------------------------ values of a group */

static double value(const struct agg *a, size_t n)
{
    struct pl_ksum sum = PL_KSUM_INIT;
    switch (a->e->agg.op) {
    case PL__AGG_MODE:
        return pl_mode(a->x, n);
    case PL__AGG_GEOMEAN:
        return pl_geomean(a->x, n);
    case PL__AGG_DISTINCT:
        return pl_distinct(a->x, n);
    case PL__AGG_SUM2:
        for (size_t i = 0; i < n; i++) {
            pl_ksum_add(&sum, a->x[i] * a->x[i]);
        }
        return pl_ksum_value(sum);
    default:
        return pl_quantile(0.5, a->x, n);
    }
}

static int values(const struct agg *a, double *out)
{
    int err = 0;
    for (size_t s = 0; s < a->r->steps && err >= 0; s++) {
        size_t n = gather(a, s);
        out[s] = n ? value(a, n) : PL_ABSENT;
        err = pl__tick(a->ex);
    }
    return err;
}

/** share, zscore: in place. */
static int relate(const struct agg *a)
{
    bool share = a->e->agg.op == PL__AGG_SHARE;
    int err = 0;
    for (size_t s = 0; s < a->r->steps && err >= 0; s++) {
        size_t n = gather(a, s), k = 0;
        for (size_t i = 0; i < n; i++) { /* of a share only what is not negative counts */
            a->x[k] = a->x[i];
            k += !share || a->x[i] >= 0;
        }
        double mean = !share && k ? pl_avg(a->x, k) : 0;
        double scale = k == 0 ? 0 : share ? pl_sum(a->x, k) : sqrt(pl_stdvar(a->x, k));
        for (size_t m = 0; m < a->n; m++) {
            double *v = &a->r->v[a->member[m] * a->r->steps + s];
            *v = !pl__is_float(*v) || (share && !(*v >= 0)) ? PL_ABSENT : (*v - mean) / scale;
        }
        err = pl__tick(a->ex);
    }
    return err;
}

/* ------------------------------------------------------------------ series of a group */

struct scored {
    double score;
    pl_str labels;
    uint32_t row;
    bool top;
};

/** Best first, NaN and rows without values last, then by labels. */
static int best_first(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (isnan(x->score) || isnan(y->score)) {
        if (isnan(x->score) != isnan(y->score)) {
            return isnan(x->score) ? 1 : -1;
        }
    } else if (x->score != y->score) {
        return (x->score > y->score) == x->top ? -1 : 1;
    }
    return pl_labels_cmp(x->labels, y->labels);
}

static double score(const struct agg *a, uint32_t row, const double *median)
{
    const double *v = a->r->v + row * a->r->steps;
    struct pl_ksum sum = PL_KSUM_INIT;
    size_t n = 0;
    for (size_t s = 0; s < a->r->steps; s++) {
        if (pl__is_float(v[s])) {
            a->scratch[n++] = v[s];
            if (median) {
                pl_ksum_add(&sum, (v[s] - median[s]) * (v[s] - median[s]));
            }
        }
    }
    if (n == 0) {
        return NAN;
    }
    switch (a->e->agg.op) {
    case PL__AGG_ANY:
        return 0; /* by labels alone */
    case PL__AGG_OUTLIERSK:
        return pl_ksum_value(sum);
    case PL__AGG_TOPK_MIN:
    case PL__AGG_BOTTOMK_MIN:
        return pl_min(a->scratch, n);
    case PL__AGG_TOPK_MAX:
    case PL__AGG_BOTTOMK_MAX:
        return pl_max(a->scratch, n);
    case PL__AGG_TOPK_LAST:
    case PL__AGG_BOTTOMK_LAST:
        return a->scratch[n - 1];
    case PL__AGG_TOPK_MEDIAN:
    case PL__AGG_BOTTOMK_MEDIAN:
        return pl_quantile(0.5, a->scratch, n);
    default:
        return pl_avg(a->scratch, n);
    }
}

/** The best k of a group stay, the rest becomes absent. */
static int choose(const struct agg *a, double k)
{
    size_t steps = a->r->steps;
    int err = 0;
    struct scored *list = pl__values_new(a->ex, a->n, sizeof *list, &err);
    double *median = list ? pl__values_new(a->ex, steps, sizeof *median, &err) : NULL;
    for (size_t s = 0; s < steps && err >= 0 && a->e->agg.op == PL__AGG_OUTLIERSK; s++) {
        size_t n = gather(a, s);
        median[s] = n ? pl_quantile(0.5, a->x, n) : PL_ABSENT;
        err = pl__tick(a->ex);
    }
    for (size_t m = 0; m < a->n && err >= 0; m++) {
        uint32_t row = a->member[m];
        double v = score(a, row, a->e->agg.op == PL__AGG_OUTLIERSK ? median : NULL);
        list[m] = (struct scored){v, a->r->labels[row], row, a->e->agg.op < PL__AGG_BOTTOMK_AVG};
        err = m % 64 ? 0 : pl__tick(a->ex);
    }
    if (err >= 0) {
        qsort(list, a->n, sizeof *list, best_first);
        for (size_t m = k >= 1 ? (k < (double)a->n ? (size_t)k : a->n) : 0; m < a->n; m++) {
            for (size_t s = 0; s < steps; s++) {
                a->r->v[list[m].row * steps + s] = PL_ABSENT;
            }
        }
    }
    pl__values_free(a->ex, median, steps, sizeof *median);
    pl__values_free(a->ex, list, a->n, sizeof *list);
    return err;
}

/* ------------------------------------------------------------------ */

/** Members of group g: member[first[g]] .. member[first[g + 1]]. */
static int sort_members(struct pl__exec *ex, const uint32_t *group, size_t n, size_t n_groups,
                        size_t **first, uint32_t **member)
{
    size_t *at = pl_arena_zalloc(ex->arena, (n_groups + 2) * sizeof *at);
    *member = pl_arena_alloc(ex->arena, (n + 1) * sizeof **member);
    if (!at || !*member) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        at[group[i] + 2]++;
    }
    for (size_t g = 2; g < n_groups + 2; g++) {
        at[g] += at[g - 1];
    }
    for (size_t i = 0; i < n; i++) {
        (*member)[at[group[i] + 1]++] = (uint32_t)i;
    }
    *first = at;
    return 0;
}

static int aggregate(struct pl__exec *ex, struct pl_expr *e, struct pl__rows *r, double k,
                     struct pl__rows *out)
{
    size_t n_groups = 0, *first = NULL;
    pl_str *labels = NULL;
    uint32_t *member = NULL;
    bool shrinks = e->agg.op <= PL__AGG_DISTINCT;
    uint32_t *group = pl_arena_alloc(ex->arena, (r->n + 1) * sizeof *group);
    int err = group ? pl__group(ex, r->labels, r->n, &e->agg.by, e->agg.without, group, &labels,
                                &n_groups)
                    : PL_ENOMEM;
    err = err < 0 ? err : sort_members(ex, group, r->n, n_groups, &first, &member);
    struct agg a = {.ex = ex, .e = e, .r = r};
    size_t room = r->n + r->steps;
    a.x = err < 0 ? NULL : pl__values_new(ex, room, sizeof *a.x, &err);
    if (a.x && shrinks) {
        err = pl__rows_new(ex, n_groups, r->steps, out);
    }
    for (size_t g = 0; g < n_groups && err >= 0; g++) {
        a.scratch = a.x + r->n;
        a.member = member + first[g];
        a.n = first[g + 1] - first[g];
        if (shrinks) {
            out->labels[g] = labels[g];
            err = values(&a, out->v + g * r->steps);
        } else if (e->agg.op <= PL__AGG_ZSCORE && e->agg.op != PL__AGG_ANY) {
            err = relate(&a);
        } else {
            err = choose(&a, k);
        }
        if (err < 0 && shrinks) {
            pl__rows_fini(ex, out);
        }
    }
    pl__values_free(ex, a.x, room, sizeof *a.x);
    return err < 0 ? pl__error_code(ex, err, e->at) : 0;
}

int pl__eval_ext_agg(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    const double *p = NULL;
    struct pl__rows r;
    int err = e->agg.param ? pl__eval_scalar(ex, f, e->agg.param, &p) : 0;
    if (err < 0) {
        return err;
    }
    if (p && f->n && isnan(p[0])) {
        return pl__error(ex, PL_EINVAL, e->agg.param->at, "Parameter value is NaN");
    }
    err = pl__eval_values(ex, f, e->agg.expr, &r);
    if (err < 0) {
        return err;
    }
    err = pl__rows_names_now(ex, &r, e->at);
    if (err < 0) {
        pl__rows_fini(ex, &r);
        return err;
    }
    err = aggregate(ex, e, &r, p && f->n ? p[0] : 1, out);
    if (err >= 0 && e->agg.op > PL__AGG_DISTINCT) {
        pl__rows_prune(&r);
        *out = r;
        return 0;
    }
    pl__rows_fini(ex, &r);
    return err;
}
