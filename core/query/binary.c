/* Binary operators between scalars, and between a vector and a scalar (an element-wise map, lazy
 * like all maps). Between vectors: match.c, setop.c. */
#include "core/query/ext.h"
#include "core/query/hist.h"

#include <math.h>

double pl__op_apply(enum pl__op op, double a, double b)
{
    switch (op) {
    case PL__OP_ADD:
        return a + b;
    case PL__OP_SUB:
        return a - b;
    case PL__OP_MUL:
        return a * b;
    case PL__OP_DIV:
        return a / b;
    case PL__OP_MOD:
        return fmod(a, b);
    case PL__OP_POW:
        return pow(a, b);
    case PL__OP_ATAN2:
        return atan2(a, b);
    case PL__OP_EQ:
        return a == b;
    case PL__OP_NE:
        return a != b;
    case PL__OP_LT:
        return a < b;
    case PL__OP_LE:
        return a <= b;
    case PL__OP_GT:
        return a > b;
    case PL__OP_GE:
        return a >= b;
    default:
        return NAN; /* set operators take vectors only: the checker sees to it */
    }
}

static enum pl__op mirrored(enum pl__op op)
{
    switch (op) {
    case PL__OP_LT:
        return PL__OP_GT;
    case PL__OP_LE:
        return PL__OP_GE;
    case PL__OP_GT:
        return PL__OP_LT;
    case PL__OP_GE:
        return PL__OP_LE;
    default:
        return op;
    }
}

/* flag: the scalar stands on the left. Of `absent ? x : x + k` clang makes `x + (absent ? -0.0 :
 * k)`, which is another NaN; so what is absent is written as the constant. */
static void apply_arithmetic(const struct pl__map *m, double *row, size_t steps)
{
    enum pl__op op = (enum pl__op)m->which;
    const double *k = m->a;
#define LOOP(expr)                                                                                 \
    for (size_t s = 0; s < steps; s++) {                                                           \
        double x = row[s], y = expr;                                                               \
        row[s] = pl_is_absent(x) ? PL_ABSENT : y;                                                  \
    }                                                                                              \
    return
    switch (op) {
    case PL__OP_ADD:
        LOOP(x + k[s]);
    case PL__OP_MUL:
        LOOP(x * k[s]);
    case PL__OP_SUB:
        if (m->flag) {
            LOOP(k[s] - x);
        }
        LOOP(x - k[s]);
    case PL__OP_DIV:
        if (m->flag) {
            LOOP(k[s] / x);
        }
        LOOP(x / k[s]);
    default:
        LOOP(m->flag ? pl__op_apply(op, k[s], x) : pl__op_apply(op, x, k[s]));
    }
}

/* flag: bool. The operator is written for the vector on the left. */
static void apply_compare(const struct pl__map *m, double *row, size_t steps)
{
    enum pl__op op = (enum pl__op)m->which;
    const double *k = m->a;
    for (size_t s = 0; s < steps; s++) {
        double x = row[s];
        if (!pl_is_absent(x)) {
            double is = pl__op_apply(op, x, k[s]);
            row[s] = m->flag ? is : is != 0 ? x : PL_ABSENT;
        }
    }
}

/** A histogram and a scalar. Comparisons do not know them: those have no result. */
static double apply_histogram(const struct pl__map *m, struct pl__worker *w, double boxed,
                              size_t step, int *err)
{
    bool left = m->e->bin.l->type == PL__TYPE_SCALAR, keep;
    struct pl_arena *a = pl__heap(w);
    double k = m->a[step];
    if (!a) {
        *err = PL_ENOMEM;
        return PL_ABSENT;
    }
    return pl__hist_op(w->ex, a, m->e, left ? k : boxed, left ? boxed : k, &keep, err);
}

/** Trimming is for histograms: floats have no result. */
static void apply_trim(const struct pl__map *m, double *row, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        bool keep;
        int err = 0;
        if (!pl_is_absent(row[s])) {
            row[s] = pl__hist_op(m->ex, NULL, m->e, row[s], m->a[s], &keep, &err);
        }
    }
}

static int vector_scalar(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                         struct pl__rows *out)
{
    bool left = e->bin.l->type == PL__TYPE_SCALAR, compares = pl__op_compares(e->bin.op);
    struct pl__map m = {
        .apply = compares                  ? apply_compare
                 : pl__op_trims(e->bin.op) ? apply_trim
                                           : apply_arithmetic,
        .ex = ex,
        .which = (int)(compares && left ? mirrored(e->bin.op) : e->bin.op),
        .flag = compares ? e->bin.returns_bool : left,
        .hist = apply_histogram,
        .e = e,
    };
    int err = pl__eval_scalar(ex, f, left ? e->bin.l : e->bin.r, &m.a);
    err = err < 0 ? err : pl__eval(ex, f, left ? e->bin.r : e->bin.l, out);
    if (err < 0) {
        return err;
    }
    if ((!compares && !pl__op_trims(e->bin.op)) || e->bin.returns_bool) {
        err = pl__rows_drop_names(ex, out, e->at);
    }
    err = err < 0 ? err : pl__rows_map(ex, out, &m);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}

static int scalar_scalar(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                         struct pl__rows *out)
{
    const double *b;
    if (pl__op_trims(e->bin.op)) {
        return pl__error(ex, PL_EINVAL, e->at, "operator \"%s\" not allowed for Scalar operations",
                         pl__op_text(e->bin.op));
    }
    int err = pl__eval_scalar(ex, f, e->bin.r, &b);
    err = err < 0 ? err : pl__eval_values(ex, f, e->bin.l, out);
    for (size_t s = 0; err >= 0 && s < f->n; s++) {
        out->v[s] = pl__op_apply(e->bin.op, out->v[s], b[s]);
    }
    return err;
}

int pl__eval_binary(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                    struct pl__rows *out)
{
    struct pl__rows l, r;
    if (pl__op_extension(e->bin.op)) {
        return pl__eval_ext_binary(ex, f, e, out);
    }
    if (e->type == PL__TYPE_SCALAR) {
        return scalar_scalar(ex, f, e, out);
    }
    if (e->bin.l->type == PL__TYPE_SCALAR || e->bin.r->type == PL__TYPE_SCALAR) {
        return vector_scalar(ex, f, e, out);
    }
    int err = pl__eval_values(ex, f, e->bin.l, &l);
    if (err < 0) {
        return err;
    }
    err = pl__eval_values(ex, f, e->bin.r, &r);
    if (err >= 0) {
        err = pl__op_set(e->bin.op) ? pl__eval_set(ex, e, &l, &r, out)
                                    : pl__eval_match(ex, e, &l, &r, out);
        pl__rows_fini(ex, &r);
    }
    pl__rows_fini(ex, &l);
    return err;
}
