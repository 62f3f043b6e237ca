/* sum, avg, count, min, max, group, stddev, stdvar: rows are folded into one accumulator per group
 * as they are computed, so that series x steps is never held. Each task has accumulators of its
 * own, which are merged in order: the result does not depend on which worker was idle. */
#include "core/query/hist.h"

#include <stdlib.h>

struct fold {
    struct pl__exec *ex;
    const struct pl__rows *rows;
    const uint32_t *group;
    enum pl_agg op;
    size_t n_groups, bytes, tasks; /* bytes of one accumulator */
    struct pl_agg_state *acc;      /* tasks x groups */
    uint8_t *memory;
    struct pl__hgroup *hist; /* tasks x groups; of sum and avg */
    size_t at;               /* what is aggregated */
    const char *name;        /* of the operator */
    const struct pl__names *by;
    bool without;
};

/** A row that holds histograms: count and group take them as they come, sum and avg add them up
 *  apart from the floats, the rest ignore them. */
static int fold_histograms(struct fold *f, struct pl__worker *w, size_t cell, size_t i,
                           const double *row)
{
    size_t steps = f->rows->steps;
    double *floats = pl_arena_alloc(&w->tmp, steps * sizeof *floats);
    bool counts = f->op == PL_AGG_COUNT || f->op == PL_AGG_GROUP;
    if (!floats) {
        return PL_ENOMEM;
    }
    for (size_t s = 0; s < steps; s++) {
        floats[s] = !pl_is_histogram(row[s]) ? row[s] : counts ? 1 : PL_ABSENT;
    }
    pl_agg_add(&f->acc[cell], floats);
    pl_arena_reset(&w->tmp);
    if (f->hist) {
        return pl__hgroup_add(&f->hist[cell], w, f->op == PL_AGG_AVG, row, steps,
                              f->rows->labels ? pl_labels_get(f->rows->labels[i], PL_METRIC_NAME)
                                              : f->rows->groups.metric,
                              f->at);
    }
    if (!counts) {
        pl__note(f->ex, false, f->at, "ignored histogram in %s aggregation", f->name);
    }
    return 0;
}

/** Rows of one step that the source tells many of at once: series [from, to), up to one that it
 *  does not tell, where *at stands then. */
static int fold_latest(struct fold *f, struct pl__worker *w, struct pl_agg_state *acc, size_t *at,
                       size_t to)
{
    bool counts = w->ex->counts.on;
    int err = 1;
    for (size_t i = *at; i < to; i++) {
        double v;
        err = i % 64 ? 0 : pl__tick(f->ex);
        err = err < 0 ? err : pl__cols_latest(w, i, &v);
        if (err <= 0) {
            break;
        }
        if (!pl_is_absent(v)) {
            pl_agg_add_one(&acc[f->group[i]], v);
            w->queryable += counts;
        }
        *at = i + 1;
    }
    return err < 0 ? err : 0;
}

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
    bool latest = f->rows->latest && !f->rows->v && f->rows->n_maps == 0 && !f->rows->counts &&
                  !f->ex->counts.step;
    for (size_t i = from; i < to && err >= 0; i++) {
        if (latest && ((err = fold_latest(f, &w, acc, &i, to)) < 0 || i == to)) {
            break;
        }
        err = (i - from) % 16 ? 0 : pl__tick(f->ex);
        const double *row = err < 0 ? NULL : pl__row(f->rows, &w, i, &err);
        if (row && w.hist) {
            err = fold_histograms(f, &w, task * f->n_groups + f->group[i], i, row);
        } else if (row) {
            pl_agg_add(&acc[f->group[i]], row);
        }
    }
    pl__worker_fini(&w);
    return err;
}

/** What came of the histograms of group g, into its row. */
static int finish_histograms(struct fold *f, struct pl__worker *w, size_t g, struct pl__rows *out)
{
    double *row = out->v + g * out->steps;
    int err = 0;
    for (size_t task = 1; task < f->tasks && err >= 0; task++) {
        err = pl__hgroup_merge(&f->hist[g], w, &f->hist[task * f->n_groups + g], f->at);
    }
    if (err >= 0 && f->hist[g].cell) {
        err = pl__hgroup_finish(&f->hist[g], w, f->op == PL_AGG_AVG, row, out->steps, f->at);
        out->hist = true;
    }
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
    if (f->acc && (f->op == PL_AGG_SUM || f->op == PL_AGG_AVG)) {
        f->hist = pl__values_new(ex, cells, sizeof *f->hist, &err);
        if (f->hist) {
            memset(f->hist, 0, cells * sizeof *f->hist);
        }
    }
    if (err >= 0 && f->acc && f->tasks > 1) {
        err = pl__parallel(ex, f->rows->n, fold_rows, f);
    } else if (err >= 0 && f->acc) {
        err = fold_rows(f, 0, 0, f->rows->n);
    }
    if (err >= 0) {
        err = pl__rows_new(ex, f->n_groups, f->rows->steps, out);
    }
    struct pl__worker w;
    int ready = err < 0 ? err : pl__worker_init(&w, ex, &out->cols);
    err = ready < 0 ? ready : pl__group_marks(ex, f->rows, f->by, f->without, f->group, out);
    for (size_t g = 0; g < f->n_groups && err >= 0; g++) {
        for (size_t task = 1; task < f->tasks; task++) {
            pl_agg_merge(&f->acc[g], &f->acc[task * f->n_groups + g]);
        }
        pl_agg_finish(&f->acc[g], out->v + g * out->steps);
        out->labels[g] = labels[g];
        err = f->hist ? finish_histograms(f, &w, g, out) : 0;
    }
    if (ready >= 0) {
        pl__worker_fini(&w);
        if (err < 0) {
            pl__rows_fini(ex, out);
        }
    }
    pl__values_free(ex, f->hist, cells, sizeof *f->hist);
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
    struct pl__group_by by;
    pl_str *labels;
    ex->group_by = pl__groupable(ex, e, &by) ? &by : NULL;
    int err = pl__eval(ex, f, e->agg.expr, &rows);
    ex->group_by = NULL;
    if (err < 0) {
        return err;
    }
    struct fold fold = {
        .ex = ex,
        .rows = &rows,
        .op = ops[e->agg.op],
        .at = e->agg.expr->at,
        .name = pl__agg_text(e->agg.op),
        .by = &e->agg.by,
        .without = e->agg.without,
    };
    if (rows.drops) { /* series that are not there have no say in whether a name stays */
        err = pl__rows_materialise(ex, &rows);
        if (err < 0) {
            pl__rows_fini(ex, &rows);
            return err;
        }
        pl__rows_prune(&rows);
    }
    uint32_t *group = pl__values_new(ex, rows.n, sizeof *group, &err);
    if (group && rows.groups.of) {
        memcpy(group, rows.groups.of, rows.n * sizeof *group);
        labels = rows.groups.labels;
        fold.n_groups = rows.groups.n;
    } else if (group) {
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
