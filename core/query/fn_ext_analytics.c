/* Analytics as functions: trend, forecast and seasonal_decompose over the windows of a series.
 * docs/promql.md has the mathematics, core/kernel the arithmetic. */
#include "core/query/ext.h"

#include <math.h>

/* ------------------------------------------------------------------ trend */

static void trend(const struct pl__windows *w, double *out, enum pl_trend which)
{
    for (size_t s = 0; s < w->w.n; s++) {
        size_t lo = w->lo[s], n = w->hi[s] - lo;
        out[s] = n < 2 ? PL_ABSENT : pl_trend(which, w->t + lo, w->v + lo, n, w->scratch);
    }
}

static void trend_theil_sen(const struct pl__windows *w, double *out)
{
    trend(w, out, PL_TREND_THEIL_SEN);
}
static void trend_ols(const struct pl__windows *w, double *out) { trend(w, out, PL_TREND_OLS); }
static void trend_tau(const struct pl__windows *w, double *out) { trend(w, out, PL_TREND_KENDALL); }
static void trend_z(const struct pl__windows *w, double *out)
{
    trend(w, out, PL_TREND_MANN_KENDALL);
}

/* ------------------------------------------------------------------ forecast */

static double forecast_one(const struct pl__windows *w, size_t s)
{
    size_t lo = w->lo[s], n = w->hi[s] - lo;
    double season = w->p2 ? w->p2[s] * 1000 : 0, z = w->p3 ? w->p3[s] : 0;
    double at = (double)(w->eval0 + (int64_t)s * w->eval_step) + w->p1[s] * 1000;
    if (n < 2) {
        return PL_ABSENT;
    }
    if (!(fabs(at) < 9e15)) {
        return NAN;
    }
    if (!(season > 0)) {
        return pl_forecast_linear(w->t + lo, w->v + lo, n, (int64_t)at, z);
    }
    struct pl_grid grid;
    if (!(season < 9e15) ||
        !pl_grid_make(w->t + lo, w->v + lo, n, (int64_t)season, w->scratch, &grid)) {
        return PL_ABSENT;
    }
    double steps = floor((at - (double)w->t[w->hi[s] - 1]) / grid.step_ms + 0.5);
    return steps > 1e9 ? NAN : pl_forecast_seasonal(&grid, steps < 1 ? 1 : (size_t)steps, z);
}

static void forecast(const struct pl__windows *w, double *out)
{
    for (size_t s = 0; s < w->w.n; s++) {
        out[s] = forecast_one(w, s);
    }
}

/* ------------------------------------------------------------------ seasonal_decompose */

enum part { PART_TREND, PART_SEASONAL, PART_RESIDUAL };

static void decompose(const struct pl__windows *w, double *out, enum part part)
{
    struct pl_grid grid;
    double level[PL_GRID_MAX], season[PL_GRID_MAX];
    for (size_t s = 0; s < w->w.n; s++) {
        size_t lo = w->lo[s], n = w->hi[s] - lo;
        double period = w->p1[s] * 1000;
        out[s] = PL_ABSENT;
        if (period >= 1 && period < 9e15 &&
            pl_grid_make(w->t + lo, w->v + lo, n, (int64_t)period, w->scratch, &grid)) {
            size_t last = grid.n - 1;
            pl_decompose(grid.y, grid.n, grid.m, level, season);
            double seasonal = season[last % grid.m];
            out[s] = part == PART_TREND      ? level[last]
                     : part == PART_SEASONAL ? seasonal
                                             : grid.y[last] - level[last] - seasonal;
        }
    }
}

static void decompose_trend(const struct pl__windows *w, double *out)
{
    decompose(w, out, PART_TREND);
}
static void decompose_seasonal(const struct pl__windows *w, double *out)
{
    decompose(w, out, PART_SEASONAL);
}
static void decompose_residual(const struct pl__windows *w, double *out)
{
    decompose(w, out, PART_RESIDUAL);
}

/* ------------------------------------------------------------------ */

struct named {
    const char *name;
    pl__range_fn fn;
};

/** The function that the last argument, a string, names. */
static int named_fn(struct pl__exec *ex, const struct pl_expr *e, const struct named *list,
                    size_t n, pl__range_fn *out)
{
    const struct pl_expr *arg = pl__unparen(e->call.args[e->call.n - 1]);
    struct pl_buf names = PL_BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        if (pl_str_eq(arg->str, pl_str_c(list[i].name))) {
            pl_buf_fini(&names);
            *out = list[i].fn;
            return 0;
        }
        pl_buf_f(&names, "%s\"%s\"", i ? ", " : "", list[i].name);
    }
    int err = pl__error(ex, PL_EINVAL, arg->at, "%s() knows %.*s, not \"%.*s\"", e->call.fn->name,
                        PL_PRS(pl_buf_view(&names)), PL_PRS(arg->str));
    pl_buf_fini(&names);
    return err;
}

int pl__fn_ext_trend(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    static const struct named methods[] = {
        {"theil_sen", trend_theil_sen},
        {"ols", trend_ols},
        {"tau", trend_tau},
        {"mann_kendall", trend_z},
    };
    pl__range_fn fn = trend_theil_sen;
    int err = e->call.n > 1 ? named_fn(ex, e, methods, 4, &fn) : 0;
    return err < 0 ? err : pl__ext_range_rows(ex, f, e, fn, out);
}

int pl__fn_ext_forecast(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                        struct pl__rows *out)
{
    return pl__ext_range_rows(ex, f, e, forecast, out);
}

int pl__fn_ext_decompose(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                         struct pl__rows *out)
{
    static const struct named parts[] = {
        {"trend", decompose_trend},
        {"seasonal", decompose_seasonal},
        {"residual", decompose_residual},
    };
    pl__range_fn fn = NULL;
    int err = named_fn(ex, e, parts, 3, &fn);
    return err < 0 ? err : pl__ext_range_rows(ex, f, e, fn, out);
}
