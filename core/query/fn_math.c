/* Element-wise functions: mathematics, clamp, round. All are maps over lazy rows. */
#include "core/query/exec.h"

#include <math.h>

static double sgn(double x) { return x < 0 ? -1 : x > 0 ? 1 : x; }
static double deg(double x) { return x * 180 / M_PI; }
static double rad(double x) { return x * M_PI / 180; }
/* Go's end where exp() does, a little before the result itself is out of range. */
static double go_sinh(double x) { return fabs(x) > 21 ? copysign(exp(fabs(x)) * 0.5, x) : sinh(x); }
static double go_cosh(double x) { return fabs(x) > 21 ? exp(fabs(x)) * 0.5 : cosh(x); }

static void apply_fn(const struct pl__map *m, double *row, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        row[s] = pl_is_absent(row[s]) ? PL_ABSENT : m->fn(row[s]);
    }
}

/** Evaluate the vector argument without names and lay a map over it. */
static int map_vector(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                      struct pl_expr *vector, const struct pl__map *m, struct pl__rows *out)
{
    int err = pl__eval(ex, f, vector, out);
    if (err < 0) {
        return err;
    }
    err = pl__rows_drop_names(ex, out, e->at);
    err = err < 0 ? err : pl__rows_map(ex, out, m);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}

int pl__fn_math(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                struct pl__rows *out)
{
    static double (*const fns[])(double) = {
#define MATH_FN(name, fn) fn,
        PL__MATHS(MATH_FN)
#undef MATH_FN
    };
    struct pl__map m = {.apply = apply_fn, .fn = fns[e->call.fn->which]};
    return map_vector(ex, f, e, e->call.args[0], &m, out);
}

/* Greater and lesser as Go has them: an infinity of their own side first, then NaN. */
static double go_max(double a, double b)
{
    if (a == INFINITY || b == INFINITY) {
        return INFINITY;
    }
    return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
}

static double go_min(double a, double b)
{
    if (a == -INFINITY || b == -INFINITY) {
        return -INFINITY;
    }
    return isnan(a) || isnan(b) ? NAN : a < b ? a : b;
}

/** max_of, min_of: of two scalars. */
int pl__fn_extreme(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                   struct pl__rows *out)
{
    const double *b;
    int err = pl__eval_scalar(ex, f, e->call.args[1], &b);
    err = err < 0 ? err : pl__eval_values(ex, f, e->call.args[0], out);
    for (size_t s = 0; err >= 0 && s < f->n; s++) {
        double a = out->v[s];
        out->v[s] = e->call.fn->which == PL__EXTREME_MAX ? go_max(a, b[s]) : go_min(a, b[s]);
    }
    return err;
}

static void apply_clamp(const struct pl__map *m, double *row, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        double x = row[s];
        if (pl_is_absent(x)) {
            continue;
        }
        if (m->which == PL__CLAMP_MIN) {
            row[s] = go_max(m->a[s], x);
        } else if (m->which == PL__CLAMP_MAX) {
            row[s] = go_min(m->a[s], x);
        } else {
            row[s] = m->b[s] < m->a[s] ? PL_ABSENT : go_max(m->a[s], go_min(m->b[s], x));
        }
    }
}

int pl__fn_clamp(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                 struct pl__rows *out)
{
    struct pl__map m = {.apply = apply_clamp, .which = e->call.fn->which};
    int err = pl__eval_scalar(ex, f, e->call.args[1], &m.a);
    if (err >= 0 && m.which == PL__CLAMP_BOTH) {
        err = pl__eval_scalar(ex, f, e->call.args[2], &m.b);
    }
    return err < 0 ? err : map_vector(ex, f, e, e->call.args[0], &m, out);
}

static void apply_round(const struct pl__map *m, double *row, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        double inverse = m->a ? 1 / m->a[s] : 1; /* as Prometheus: less error for tenths */
        if (!pl_is_absent(row[s])) {
            row[s] = floor(row[s] * inverse + 0.5) / inverse;
        }
    }
}

int pl__fn_round(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                 struct pl__rows *out)
{
    struct pl__map m = {.apply = apply_round};
    int err = e->call.n > 1 ? pl__eval_scalar(ex, f, e->call.args[1], &m.a) : 0;
    return err < 0 ? err : map_vector(ex, f, e, e->call.args[0], &m, out);
}
