/* Extensions on range vectors. Each fills all steps of one series from the samples of its windows;
 * names and meanings are those of MetricsQL but that a window is (T - range, T] and nothing before
 * it counts. */
#include "core/query/ext.h"

#include <math.h>

/** The samples of one window: n >= 1. */
struct window {
    const int64_t *t;
    const double *v;
    size_t n;
    double *scratch; /* n values */
    int64_t eval_ms, range_ms;
    double p;
};

static double *copied(const struct window *w)
{
    memcpy(w->scratch, w->v, w->n * sizeof *w->v);
    return w->scratch;
}

static double seconds(int64_t ms) { return (double)ms / 1000; }

static double median(const struct window *w) { return pl_quantile(0.5, copied(w), w->n); }
static double mode(const struct window *w) { return pl_mode(copied(w), w->n); }
static double geomean(const struct window *w) { return pl_geomean(w->v, w->n); }
static double distinct(const struct window *w) { return pl_distinct(copied(w), w->n); }
static double iqr(const struct window *w) { return pl_iqr(copied(w), w->n); }
static double range(const struct window *w) { return pl_max(w->v, w->n) - pl_min(w->v, w->n); }

static double sum2(const struct window *w)
{
    struct pl_ksum sum = PL_KSUM_INIT;
    for (size_t i = 0; i < w->n; i++) {
        pl_ksum_add(&sum, w->v[i] * w->v[i]);
    }
    return pl_ksum_value(sum);
}

static double zscore(const struct window *w)
{
    double d = w->v[w->n - 1] - pl_avg(w->v, w->n);
    return d == 0 ? 0 : d / sqrt(pl_stdvar(w->v, w->n));
}

/* clang-format off */
#define COMPARE(name, op)                                                                          \
    static double count_##name(const struct window *w)                                             \
    {                                                                                              \
        size_t count = 0;                                                                          \
        for (size_t i = 0; i < w->n; i++) {                                                        \
            count += w->v[i] op w->p;                                                              \
        }                                                                                          \
        return (double)count;                                                                      \
    }
#define SHARE(name)                                                                                \
    static double share_##name(const struct window *w)                                             \
    {                                                                                              \
        return count_##name(w) / (double)w->n;                                                     \
    }
#define SUM(name, op)                                                                              \
    static double sum_##name(const struct window *w)                                               \
    {                                                                                              \
        struct pl_ksum sum = {0, 0};                                                               \
        for (size_t i = 0; i < w->n; i++) {                                                        \
            if (w->v[i] op w->p) {                                                                 \
                pl_ksum_add(&sum, w->v[i]);                                                        \
            }                                                                                      \
        }                                                                                          \
        return pl_ksum_value(sum);                                                                 \
    }
COMPARE(gt, >)
COMPARE(le, <=)
COMPARE(eq, ==)
COMPARE(ne, !=)
SHARE(gt)
SHARE(le)
SHARE(eq)
SUM(gt, >)
SUM(le, <=)
SUM(eq, ==)
/* clang-format on */

static double rate_over_sum(const struct window *w)
{
    return pl_sum(w->v, w->n) / seconds(w->range_ms);
}

/** Sum of the differences of this sign, or how many they are. */
static double changes_of(const struct window *w, double sign, bool count)
{
    struct pl_ksum sum = {0, 0};
    for (size_t i = 1; i < w->n; i++) {
        double d = sign * (w->v[i] - w->v[i - 1]);
        if (d > 0) {
            pl_ksum_add(&sum, count ? 1 : d);
        }
    }
    return pl_ksum_value(sum);
}

static double ascent(const struct window *w) { return changes_of(w, 1, false); }
static double descent(const struct window *w) { return changes_of(w, -1, false); }
static double increases(const struct window *w) { return changes_of(w, 1, true); }
static double decreases(const struct window *w) { return changes_of(w, -1, true); }

static double integrate(const struct window *w)
{
    struct pl_ksum sum = PL_KSUM_INIT;
    for (size_t i = 0; i < w->n; i++) {
        int64_t until = i + 1 < w->n ? w->t[i + 1] : w->eval_ms;
        pl_ksum_add(&sum, w->v[i] * seconds(until - w->t[i]));
    }
    return pl_ksum_value(sum);
}

static double lag(const struct window *w) { return seconds(w->eval_ms - w->t[w->n - 1]); }
static double lifetime(const struct window *w) { return seconds(w->t[w->n - 1] - w->t[0]); }

static double scrape_interval(const struct window *w)
{
    return w->n < 2 ? PL_ABSENT : lifetime(w) / (double)(w->n - 1);
}

static double duration(const struct window *w)
{
    int64_t sum = 0;
    for (size_t i = 1; i < w->n; i++) {
        int64_t d = w->t[i] - w->t[i - 1];
        sum += seconds(d) <= w->p ? d : 0;
    }
    return seconds(sum);
}

static double time_of_extreme(const struct window *w, double sign)
{
    size_t best = 0;
    for (size_t i = 1; i < w->n; i++) {
        best = sign * w->v[i] > sign * w->v[best] || isnan(w->v[best]) ? i : best;
    }
    return seconds(w->t[best]);
}

static double tmin(const struct window *w) { return time_of_extreme(w, -1); }
static double tmax(const struct window *w) { return time_of_extreme(w, 1); }
static double tfirst(const struct window *w) { return seconds(w->t[0]); }
static double tlast(const struct window *w) { return seconds(w->t[w->n - 1]); }

static double tlast_change(const struct window *w)
{
    for (size_t i = w->n; i-- > 1;) {
        if (w->v[i] != w->v[i - 1] && !(isnan(w->v[i]) && isnan(w->v[i - 1]))) {
            return seconds(w->t[i]);
        }
    }
    return PL_ABSENT;
}

static inline void each(const struct pl__windows *w, double *out,
                        double (*fn)(const struct window *))
{
    for (size_t s = 0; s < w->w.n; s++) {
        size_t lo = w->lo[s], hi = w->hi[s];
        struct window one = {
            .t = w->t + lo,
            .v = w->v + lo,
            .n = hi - lo,
            .scratch = w->scratch,
            /* where the window ends: the step less the offset */
            .eval_ms = w->w.start + (int64_t)s * w->w.step,
            .range_ms = w->w.range,
            .p = w->p1 ? w->p1[s] : 0,
        };
        out[s] = hi > lo ? fn(&one) : PL_ABSENT;
    }
}

#define EACH(name, fn)                                                                             \
    static void fn##_over_time(const struct pl__windows *w, double *out) { each(w, out, fn); }
PL__EXT_RANGES(EACH)

int pl__fn_ext_range(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    static const pl__range_fn fns[] = {
#define RANGE_FN(name, fn) fn##_over_time,
        PL__EXT_RANGES(RANGE_FN)};
    return pl__ext_range_rows(ex, f, e, fns[e->call.fn->which], out);
}

int pl__ext_range_rows(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                       pl__range_fn fn, struct pl__rows *out)
{
    struct pl_expr *range = NULL;
    const double *p[PL__RANGE_SCALARS] = {NULL};
    int err = pl__range_args(ex, f, e, &range, p);
    if (err < 0) {
        return err;
    }
    *out = (struct pl__rows){
        .steps = f->n,
        .range = fn,
        .floats_only = true,
        .eval0 = f->start,
        .eval_step = f->step,
        .p1 = p[0],
        .p2 = p[1],
        .p3 = p[2],
        .range_ms = pl__range_ms(range),
    };
    err = pl__cols_open(ex, f, range, &out->cols, &out->refs);
    if (err < 0) {
        return err;
    }
    out->n = out->cols.n;
    out->labels = out->cols.labels;
    err = pl__rows_drop_names(ex, out, e->at);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}
