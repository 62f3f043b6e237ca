/* histogram_quantile and histogram_fraction over classic histograms: series `..._bucket` with
 * cumulative counts by the upper bound in the label le. Native histograms are refused by name.
 * Interpolation and the repair of counts that are not monotonic are Prometheus'
 * (promql/quantile.go). */
#include "core/query/exec.h"

#include "core/codec/codec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define TOLERANCE 1e-12 /* relative; differences below it are rounding */

struct bucket {
    double le, count;
};
struct row {
    double le;
    uint32_t at;
};

static int by_le(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->le < y->le ? -1 : x->le > y->le ? 1 : x->at < y->at ? -1 : x->at > y->at;
}

static bool almost_equal(double a, double b)
{
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == b || (isnan(a) && isnan(b))) {
        return true;
    }
    if (a == 0 || b == 0 || sum < DBL_MIN) {
        return diff < TOLERANCE * DBL_MIN;
    }
    return diff / (sum < DBL_MAX ? sum : DBL_MAX) < TOLERANCE;
}

/** Counts never fall with the bound: true where one fell by more than rounding. */
static bool make_monotonic(struct bucket *b, size_t n)
{
    bool forced = false;
    double last = b[0].count;
    for (size_t i = 1; i < n; i++) {
        if (b[i].count == last) {
            continue;
        }
        bool near = almost_equal(last, b[i].count);
        if (near || b[i].count < last) {
            forced |= !near;
            b[i].count = last;
            continue;
        }
        last = b[i].count;
    }
    return forced;
}

static double bucket_quantile(double q, struct bucket *b, size_t n, bool *forced)
{
    if (isnan(q)) {
        return NAN;
    }
    if (q < 0 || q > 1) {
        return q < 0 ? -INFINITY : INFINITY;
    }
    if (b[n - 1].le != INFINITY) {
        return NAN;
    }
    *forced |= make_monotonic(b, n);
    double observations = b[n - 1].count;
    if (n < 2 || observations == 0) {
        return NAN;
    }
    double rank = q * observations;
    size_t lo = 0, hi = n - 1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (b[mid].count >= rank) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    if (lo == n - 1) {
        return b[n - 2].le;
    }
    if (lo == 0 && b[0].le <= 0) {
        return b[0].le;
    }
    double start = 0, end = b[lo].le, count = b[lo].count;
    if (lo > 0) {
        start = b[lo - 1].le;
        count -= b[lo - 1].count;
        rank -= b[lo - 1].count;
    }
    return start + (end - start) * (rank / count);
}

/** Observations up to v, interpolated; those of the outermost buckets cannot be divided. */
static double rank_of(double v, const struct bucket *b, size_t n)
{
    double before = 0;
    for (size_t i = 0; i < n; i++) {
        double lower = i > 0 ? b[i - 1].le : b[0].le > 0 ? 0 : -INFINITY;
        if (lower >= v) {
            return before;
        }
        if (b[i].le > v) {
            return lower == -INFINITY
                       ? b[i].count
                       : before + (b[i].count - before) * (v - lower) / (b[i].le - lower);
        }
        before = b[i].count;
    }
    return b[n - 1].count;
}

static double bucket_fraction(double lower, double upper, struct bucket *b, size_t n)
{
    if (b[n - 1].le != INFINITY) {
        return NAN;
    }
    double count = b[n - 1].count;
    if (count == 0 || isnan(lower) || isnan(upper)) {
        return NAN;
    }
    if (lower >= upper) {
        return 0;
    }
    double lo = rank_of(lower, b, n), hi = rank_of(upper, b, n);
    return ((hi > count ? count : hi) - (lo > count ? count : lo)) / count;
}

/** One histogram: its rows sorted by bound; all steps. */
static bool evaluate(const struct pl__rows *in, const struct row *rows, size_t n, struct bucket *b,
                     const double *p1, const double *p2, double *out)
{
    bool forced = false;
    for (size_t s = 0; s < in->steps; s++) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            double v = in->v[rows[i].at * in->steps + s];
            if (pl_is_absent(v)) {
                continue;
            }
            if (k > 0 && b[k - 1].le == rows[i].le) {
                b[k - 1].count += v;
            } else {
                b[k++] = (struct bucket){rows[i].le, v};
            }
        }
        out[s] = k == 0 ? PL_ABSENT
                 : p2   ? bucket_fraction(p1[s], p2[s], b, k)
                        : bucket_quantile(p1[s], b, k, &forced);
    }
    return forced;
}

static int histograms(struct pl__exec *ex, struct pl_expr *e, const struct pl__rows *in,
                      const double *p1, const double *p2, struct pl__rows *out)
{
    pl_str drop[] = {PL_STR("le")}, *labels;
    struct pl__names names = {drop, 1};
    size_t n_groups, at = e->call.args[e->call.n - 1]->at;
    uint32_t *group = pl_arena_alloc(ex->arena, (in->n + 1) * sizeof *group);
    struct row *row = pl_arena_alloc(ex->arena, (in->n + 1) * sizeof *row);
    struct bucket *b = pl_arena_alloc(ex->arena, (in->n + 1) * sizeof *b);
    int err = group && row && b
                  ? pl__group(ex, in->labels, in->n, &names, true, group, &labels, &n_groups)
                  : PL_ENOMEM;
    size_t *first = err < 0 ? NULL : pl_arena_zalloc(ex->arena, (n_groups + 2) * sizeof *first);
    if (!first) {
        return pl__error_code(ex, err < 0 ? err : PL_ENOMEM, e->at);
    }
    for (size_t i = 0; i < in->n; i++) {
        double le;
        pl_str text = pl_labels_get(in->labels[i], PL_STR("le"));
        if (pl_number_parse(text, &le) < 0) {
            pl_str name = pl_labels_get(in->labels[i], PL_METRIC_NAME);
            pl__note(ex, true, at,
                     "bucket label \"le\" is missing or has a malformed value of \"%.*s\""
                     " for metric name \"%.*s\"",
                     PL_PRS(text), PL_PRS(name));
            group[i] = UINT32_MAX;
            continue;
        }
        first[group[i] + 2]++;
    }
    for (size_t g = 2; g < n_groups + 2; g++) {
        first[g] += first[g - 1];
    }
    for (size_t i = 0; i < in->n; i++) {
        double le;
        if (group[i] != UINT32_MAX) {
            pl_number_parse(pl_labels_get(in->labels[i], PL_STR("le")), &le);
            row[first[group[i] + 1]++] = (struct row){le, (uint32_t)i};
        }
    }
    err = pl__rows_new(ex, n_groups, in->steps, out);
    for (size_t g = 0; g < n_groups && err >= 0; g++) {
        size_t n = first[g + 1] - first[g];
        err = g % 64 ? 0 : pl__tick(ex);
        qsort(row + first[g], n, sizeof *row, by_le);
        out->labels[g] = labels[g];
        if (evaluate(in, row + first[g], n, b, p1, p2, out->v + g * out->steps)) {
            pl_str name =
                n ? pl_labels_get(in->labels[row[first[g]].at], PL_METRIC_NAME) : PL_STR("");
            pl__note(ex, false, at,
                     "input to histogram_quantile needed to be fixed for monotonicity "
                     "(see https://prometheus.io/docs/prometheus/latest/querying/functions/"
                     "#histogram_quantile) for metric name \"%.*s\"",
                     PL_PRS(name));
        }
    }
    if (err < 0) {
        pl__rows_fini(ex, out);
        return pl__error_code(ex, err, e->at);
    }
    return 0;
}

int pl__fn_histogram(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    const double *p1, *p2 = NULL;
    struct pl__rows in;
    bool quantile = e->call.fn->which == PL__HIST_QUANTILE;
    int err = pl__eval_scalar(ex, f, e->call.args[0], &p1);
    if (err >= 0 && !quantile) {
        err = pl__eval_scalar(ex, f, e->call.args[1], &p2);
    }
    for (size_t s = 0; quantile && err >= 0 && s < f->n; s++) {
        if (!(p1[s] >= 0 && p1[s] <= 1)) {
            char text[PL_NUMBER_MAX];
            size_t n = pl_number_text(p1[s], text);
            pl__note(ex, true, e->call.args[0]->at,
                     "quantile value should be between 0 and 1, got %.*s", (int)n, text);
        }
    }
    err = err < 0 ? err : pl__eval_values(ex, f, e->call.args[e->call.n - 1], &in);
    if (err < 0) {
        return err;
    }
    err = histograms(ex, e, &in, p1, p2, out);
    pl__rows_fini(ex, &in);
    return err;
}

int pl__fn_native(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                  struct pl__rows *out)
{
    (void)f, (void)out;
    return pl__error(ex, PL_EUNSUPPORTED, e->at,
                     "%s() works on native histograms, which are not supported: take the series "
                     "_sum, _count and _bucket of a classic histogram",
                     e->call.fn->name);
}
