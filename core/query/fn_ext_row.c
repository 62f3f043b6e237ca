/* Extensions that see all steps of a row at once: range_* (one value for all steps, or each step
 * set against all), running_* (the steps so far), gaps filled. Rows are held, and done in parallel.
 * In a subquery the steps are those of the subquery. */
#include "core/query/ext.h"

#include <math.h>
#include <stdlib.h>

/** A row at work: v[steps], and its floats alone in x[n]; scratch has room for n. */
struct row {
    double *v, *x, *scratch;
    size_t steps, n;
    double p;
};

/* ------------------------------------------------------------------ one value for all steps */

static double avg(const struct row *r) { return pl_avg(r->x, r->n); }
static double sum(const struct row *r) { return pl_sum(r->x, r->n); }
static double min(const struct row *r) { return pl_min(r->x, r->n); }
static double max(const struct row *r) { return pl_max(r->x, r->n); }
static double first(const struct row *r) { return r->x[0]; }
static double last(const struct row *r) { return r->x[r->n - 1]; }
static double median(const struct row *r) { return pl_quantile(0.5, r->x, r->n); }
static double quantile(const struct row *r) { return pl_quantile(r->p, r->x, r->n); }
static double stdvar(const struct row *r) { return pl_stdvar(r->x, r->n); }
static double stddev(const struct row *r) { return sqrt(pl_stdvar(r->x, r->n)); }
static double mad(const struct row *r) { return pl_mad(r->x, r->n, r->scratch); }

/* ------------------------------------------------------------------ each step against all */

#define STEPS(s)                                                                                   \
    for (size_t s = 0; s < r->steps; s++)                                                          \
        if (pl__is_float(r->v[s]))

static void normalize(struct row *r)
{
    double lo = pl_min(r->x, r->n), width = pl_max(r->x, r->n) - lo;
    STEPS(s) { r->v[s] = (r->v[s] - lo) / width; }
}

static void zscore(struct row *r)
{
    double mean = avg(r), sd = stddev(r);
    STEPS(s) { r->v[s] = (r->v[s] - mean) / sd; }
}

static void linear_regression(struct row *r)
{
    struct pl_ksum sx = PL_KSUM_INIT, sy = PL_KSUM_INIT, sxx = PL_KSUM_INIT, sxy = PL_KSUM_INIT;
    double middle = (double)(r->steps - 1) / 2; /* so that sums stay small */
    STEPS(s)
    {
        double x = (double)s - middle;
        pl_ksum_add(&sx, x);
        pl_ksum_add(&sy, r->v[s]);
        pl_ksum_add(&sxx, x * x);
        pl_ksum_add(&sxy, x * r->v[s]);
    }
    double n = (double)r->n, mx = pl_ksum_value(sx) / n, my = pl_ksum_value(sy) / n;
    double var = pl_ksum_value(sxx) - n * mx * mx;
    double slope = r->n < 2 ? 0 : (pl_ksum_value(sxy) - n * mx * my) / var;
    for (size_t s = 0; s < r->steps; s++) {
        r->v[s] = my + slope * ((double)s - middle - mx);
    }
}

static void keep_between(struct row *r, double lo, double hi)
{
    STEPS(s) { r->v[s] = r->v[s] < lo || r->v[s] > hi ? PL_ABSENT : r->v[s]; }
}

static void trim_spikes(struct row *r)
{
    double lo = pl_quantile(r->p / 2, r->x, r->n), hi = pl_quantile(1 - r->p / 2, r->x, r->n);
    keep_between(r, lo, hi);
}

static void trim_outliers(struct row *r)
{
    double d = r->p * mad(r), m = median(r);
    keep_between(r, m - d, m + d);
}

static void trim_zscore(struct row *r)
{
    double d = r->p * stddev(r), m = avg(r);
    keep_between(r, m - d, m + d);
}

/* ------------------------------------------------------------------ the steps so far */

static void running_sum(struct row *r)
{
    struct pl_ksum k = PL_KSUM_INIT;
    STEPS(s)
    {
        pl_ksum_add(&k, r->v[s]);
        r->v[s] = pl_ksum_value(k);
    }
}

static void running_avg(struct row *r)
{
    struct pl_ksum k = PL_KSUM_INIT;
    double n = 0;
    STEPS(s)
    {
        pl_ksum_add(&k, r->v[s]);
        r->v[s] = pl_ksum_value(k) / ++n;
    }
}

static void running_extreme(struct row *r, double sign)
{
    double best = NAN;
    STEPS(s)
    {
        best = isnan(best) || sign * r->v[s] > sign * best ? r->v[s] : best;
        r->v[s] = best;
    }
}

static void running_min(struct row *r) { running_extreme(r, -1); }
static void running_max(struct row *r) { running_extreme(r, 1); }

/** As MetricsQL: a fall by less than an eighth is taken for disorder, not for a reset, and adds the
 *  difference only. */
static void remove_resets(struct row *r)
{
    double correction = 0, before = r->x[0];
    STEPS(s)
    {
        double v = r->v[s], d = v - before;
        if (d < 0) {
            correction += -d * 8 < before ? before - v : before;
        }
        before = v;
        r->v[s] = v + correction;
    }
}

/* ------------------------------------------------------------------ gaps */

static void interpolate(struct row *r)
{
    size_t before = SIZE_MAX;
    STEPS(s)
    {
        for (size_t k = before + 1; before != SIZE_MAX && k < s; k++) {
            double share = (double)(k - before) / (double)(s - before);
            r->v[k] = r->v[before] + (r->v[s] - r->v[before]) * share;
        }
        before = s;
    }
}

static void keep_last(struct row *r)
{
    for (size_t s = 1; s < r->steps; s++) {
        r->v[s] = pl_is_absent(r->v[s]) ? r->v[s - 1] : r->v[s];
    }
}

static void keep_next(struct row *r)
{
    for (size_t s = r->steps - 1; s-- > 0;) {
        r->v[s] = pl_is_absent(r->v[s]) ? r->v[s + 1] : r->v[s];
    }
}

/* ------------------------------------------------------------------ */

struct work {
    struct pl__rows *rows;
    int which;
    double p;
    struct pl__exec *ex;
};

static void one_row(struct row *r, int which)
{
    double (*const value[])(const struct row *) = {
        [PL__XROW_AVG] = avg,       [PL__XROW_SUM] = sum,           [PL__XROW_MIN] = min,
        [PL__XROW_MAX] = max,       [PL__XROW_FIRST] = first,       [PL__XROW_LAST] = last,
        [PL__XROW_MEDIAN] = median, [PL__XROW_QUANTILE] = quantile, [PL__XROW_STDDEV] = stddev,
        [PL__XROW_STDVAR] = stdvar, [PL__XROW_MAD] = mad,
    };
    void (*const change[])(struct row *) = {
        [PL__XROW_NORMALIZE] = normalize,
        [PL__XROW_ZSCORE] = zscore,
        [PL__XROW_LINEAR_REGRESSION] = linear_regression,
        [PL__XROW_TRIM_SPIKES] = trim_spikes,
        [PL__XROW_TRIM_OUTLIERS] = trim_outliers,
        [PL__XROW_TRIM_ZSCORE] = trim_zscore,
        [PL__XROW_RUNNING_AVG] = running_avg,
        [PL__XROW_RUNNING_SUM] = running_sum,
        [PL__XROW_RUNNING_MIN] = running_min,
        [PL__XROW_RUNNING_MAX] = running_max,
        [PL__XROW_REMOVE_RESETS] = remove_resets,
        [PL__XROW_INTERPOLATE] = interpolate,
        [PL__XROW_KEEP_LAST] = keep_last,
        [PL__XROW_KEEP_NEXT] = keep_next,
    };
    if (which > PL__XROW_MAD) {
        change[which](r);
        return;
    }
    double v = value[which](r);
    for (size_t s = 0; s < r->steps; s++) {
        r->v[s] = v;
    }
}

static int some_rows(void *ctx, size_t task, size_t from, size_t to)
{
    struct work *w = ctx;
    size_t steps = w->rows->steps;
    (void)task;
    double *room = malloc(2 * steps * sizeof *room + 1);
    int err = room ? 0 : PL_ENOMEM;
    for (size_t i = from; i < to && err >= 0; i++) {
        struct row r = {w->rows->v + i * steps, room, room + steps, steps, 0, w->p};
        for (size_t s = 0; s < steps; s++) {
            r.v[s] = pl_is_histogram(r.v[s]) ? PL_ABSENT : r.v[s];
            r.x[r.n] = r.v[s];
            r.n += !pl_is_absent(r.v[s]);
        }
        if (r.n) {
            one_row(&r, w->which);
        }
        err = i % 16 ? 0 : pl__tick(w->ex);
    }
    free(room);
    return err;
}

int pl__fn_ext_row(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                   struct pl__rows *out)
{
    struct pl_expr *vector = e->call.args[e->call.n - 1];
    const double *p = NULL;
    int err = e->call.n > 1 ? pl__eval_scalar(ex, f, e->call.args[0], &p) : 0;
    err = err < 0 ? err : pl__eval_values(ex, f, vector, out);
    if (err < 0) {
        return err;
    }
    struct work w = {out, e->call.fn->which, p && f->n ? p[0] : 0, ex};
    err = f->n ? pl__parallel(ex, out->n, some_rows, &w) : 0;
    if (err < 0) {
        pl__rows_fini(ex, out);
        return pl__error_code(ex, err, e->at);
    }
    return 0;
}
