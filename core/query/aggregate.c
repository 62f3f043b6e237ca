/* sum, avg, count, min, max, group, stddev, stdvar: rows are folded into one accumulator per group
 * as they are computed, so that series x steps is never held. Each task has accumulators of its
 * own, which are merged in order: the result does not depend on which worker was idle. */
#include "core/query/exec.h"

#include <stdlib.h>

struct fold {
    struct pl__exec *ex;
    const struct pl__rows *rows;
    const uint32_t *group;
    enum pl_agg op;
    size_t n_groups, bytes, tasks; /* bytes of one accumulator */
    struct pl_agg_state *acc;      /* tasks x groups */
    uint8_t *memory;
};

static int fold_rows(void *ctx, size_t task, size_t from, size_t to)
{
    struct fold *f = ctx;
    struct pl__worker w;
    struct pl_agg_state *acc = f->acc + task * f->n_groups;
    for (size_t g = 0; g < f->n_groups; g++) {
        pl_agg_init(&acc[g], f->op, f->rows->steps,
                    f->memory + (task * f->n_groups + g) * f->bytes);
    }
    int err = pl__worker_init(&w, f->ex, &f->rows->cols);
    for (size_t i = from; i < to && err >= 0; i++) {
        err = (i - from) % 16 ? 0 : pl__tick(f->ex);
        const double *row = err < 0 ? NULL : pl__row(f->rows, &w, i, &err);
        if (row) {
            pl_agg_add(&acc[f->group[i]], row);
        }
    }
    pl__worker_fini(&w);
    return err;
}

static int fold_all(struct fold *f, struct pl__rows *out, const pl_str *labels)
{
    struct pl__exec *ex = f->ex;
    size_t cells = f->tasks * f->n_groups;
    int err = 0;
    f->bytes = (pl_agg_bytes(f->rows->steps) + 63) & ~(size_t)63;
    f->memory = pl__values_new(ex, cells, f->bytes, &err);
    f->acc = f->memory ? pl__values_new(ex, cells, sizeof *f->acc, &err) : NULL;
    if (f->acc && f->tasks > 1) {
        err = pl__parallel(ex, f->rows->n, fold_rows, f);
    } else if (f->acc) {
        err = fold_rows(f, 0, 0, f->rows->n);
    }
    if (err >= 0) {
        err = pl__rows_new(ex, f->n_groups, f->rows->steps, out);
    }
    for (size_t g = 0; g < f->n_groups && err >= 0; g++) {
        for (size_t task = 1; task < f->tasks; task++) {
            pl_agg_merge(&f->acc[g], &f->acc[task * f->n_groups + g]);
        }
        pl_agg_finish(&f->acc[g], out->v + g * out->steps);
        out->labels[g] = labels[g];
    }
    pl__values_free(ex, f->acc, cells, sizeof *f->acc);
    pl__values_free(ex, f->memory, cells, f->bytes);
    return err < 0 ? pl__error_code(ex, err, 0) : 0;
}

int pl__eval_aggregate(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                       struct pl__rows *out)
{
    static const enum pl_agg ops[] = {
        [PL__AGG_SUM] = PL_AGG_SUM,       [PL__AGG_AVG] = PL_AGG_AVG,
        [PL__AGG_COUNT] = PL_AGG_COUNT,   [PL__AGG_MIN] = PL_AGG_MIN,
        [PL__AGG_MAX] = PL_AGG_MAX,       [PL__AGG_GROUP] = PL_AGG_GROUP,
        [PL__AGG_STDDEV] = PL_AGG_STDDEV, [PL__AGG_STDVAR] = PL_AGG_STDVAR,
    };
    struct pl__rows rows;
    pl_str *labels;
    int err = pl__eval(ex, f, e->agg.expr, &rows);
    if (err < 0) {
        return err;
    }
    struct fold fold = {.ex = ex, .rows = &rows, .op = ops[e->agg.op]};
    uint32_t *group = pl__values_new(ex, rows.n, sizeof *group, &err);
    if (group) {
        err = pl__group(ex, rows.labels, rows.n, &e->agg.by, e->agg.without, group, &labels,
                        &fold.n_groups);
    }
    if (err < 0) {
        err = pl__error_code(ex, err, e->at);
    } else {
        fold.group = group;
        fold.tasks = pl__tasks(ex, rows.n);
        if (fold.tasks > 1 && fold.tasks * fold.n_groups > rows.n / 4) {
            /* Many groups: compute in parallel, fold in one go. */
            err = pl__rows_materialise(ex, &rows);
            fold.tasks = 1;
        }
        err = err < 0 ? err : fold_all(&fold, out, labels);
    }
    pl__values_free(ex, group, rows.n, sizeof *group);
    pl__rows_fini(ex, &rows);
    return err;
}
