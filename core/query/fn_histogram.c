/* histogram_quantile, histogram_quantiles and histogram_fraction, over classic histograms (series
 * `..._bucket` with cumulative counts by the upper bound in the label le) and over native ones; and
 * what a native histogram says of itself: count, sum, avg, stddev, stdvar. Interpolation and the
 * repair of counts that are not monotonic are Prometheus' (promql/quantile.go). */
#include "core/query/hist.h"
#include "core/query/lex.h"
#include "core/query/print.h"

#include "core/codec/codec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

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

/** What had to be repaired: buckets, and by how much at most. */
struct repair {
    bool any;
    double first, last, most; /* bounds of buckets; a difference of counts */
    int64_t t0, t1;
    size_t n; /* steps */
};

/** Counts never fall with the bound; one that falls by more than rounding is noted. */
static bool make_monotonic(struct bucket *b, size_t n, struct repair *r)
{
    bool forced = false;
    double last = b[0].count;
    for (size_t i = 1; i < n; i++) {
        if (b[i].count == last) {
            continue;
        }
        bool near = almost_equal(last, b[i].count);
        if (near || b[i].count < last) {
            if (!near) {
                r->first = r->any && r->first < b[i].le ? r->first : b[i].le;
                r->last = r->any && r->last > b[i].le ? r->last : b[i].le;
                r->most = fmax(r->most, last - b[i].count);
                r->any = forced = true;
            }
            b[i].count = last;
            continue;
        }
        last = b[i].count;
    }
    return forced;
}

/** forced: the counts had to be repaired. */
static double bucket_quantile(double q, struct bucket *b, size_t n, struct repair *r, bool *forced)
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
    *forced = make_monotonic(b, n, r);
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

/** Which quantile or fraction, at each step. */
struct ask {
    const struct pl_expr *e;
    const double *p1, *p2; /* p2: a fraction */
    size_t at, at_native;  /* the vector; what notes on native histograms point to */
    bool varies;           /* only steps where p1 is `value` */
    double value;
    int64_t t0, step; /* of evaluation */
};
static bool asked(const struct ask *q, size_t s)
{
    return !q->varies || pl_f64_bits(q->p1[s]) == pl_f64_bits(q->value);
}

/** One histogram: its rows sorted by bound; all steps. hidden: steps that do not count. */
static void evaluate(const struct pl__rows *in, const struct row *rows, size_t n, struct bucket *b,
                     const struct ask *q, const uint8_t *hidden, struct repair *r, double *out)
{
    for (size_t s = 0; s < in->steps; s++) {
        size_t k = 0;
        for (size_t i = 0; i < n && !(hidden && hidden[s]) && asked(q, s); i++) {
            double v = in->v[rows[i].at * in->steps + s];
            if (pl_is_absent(v) || pl_is_histogram(v)) {
                continue;
            }
            if (k > 0 && b[k - 1].le == rows[i].le) {
                b[k - 1].count += v;
            } else {
                b[k++] = (struct bucket){rows[i].le, v};
            }
        }
        bool forced = false;
        out[s] = k == 0  ? PL_ABSENT
                 : q->p2 ? bucket_fraction(q->p1[s], q->p2[s], b, k)
                         : bucket_quantile(q->p1[s], b, k, r, &forced);
        if (forced) {
            int64_t t = q->t0 + (int64_t)s * q->step;
            r->t0 = r->n && r->t0 < t ? r->t0 : t;
            r->t1 = r->n && r->t1 > t ? r->t1 : t;
            r->n++;
        }
    }
}

/** Seconds since the epoch as 2006-01-02T15:04:05Z. */
static void put_time(struct pl_buf *b, int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    pl_buf_f(b, "%04lld-%02d-%02dT%02d:%02d:%02dZ", (long long)tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/** Of which metric a note is, as long as it has a name. */
static void put_metric(struct pl_buf *b, pl_str metric)
{
    if (metric.n) {
        pl_buf_z(b, " for metric name ");
        pl__quote(b, metric);
    }
}

static void note_repair(struct pl__exec *ex, size_t at, pl_str metric, const struct repair *r)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_z(&b, "input to histogram_quantile needed to be fixed for monotonicity (see "
                 "https://prometheus.io/docs/prometheus/latest/querying/functions/"
                 "#histogram_quantile)");
    put_metric(&b, metric);
    pl_buf_z(&b, ", from buckets ");
    pl__go_number(&b, r->first);
    pl_buf_z(&b, " to ");
    pl__go_number(&b, r->last);
    pl_buf_f(&b, ", with a max diff of %.2g, over %zu samples from ", r->most, r->n);
    put_time(&b, r->t0);
    pl_buf_z(&b, " to ");
    put_time(&b, r->t1);
    pl__note(ex, false, at, "%.*s", PL_PRS(pl_buf_view(&b)));
    pl_buf_fini(&b);
}

/** The classic histograms of a vector: rows by label set without le (the name included). */
struct classic {
    struct pl__index keys;
    uint32_t *group; /* of each row; UINT32_MAX: no bucket */
    size_t *first;   /* rows of histogram g are row[first[g]] .. row[first[g + 1]] */
    struct row *row;
    uint8_t **hidden; /* of each histogram: steps with a native one of the same labels, or NULL */
};

static bool has_floats(const double *row, size_t steps)
{
    bool any = false;
    for (size_t s = 0; s < steps; s++) {
        any |= !pl_is_absent(row[s]) && !pl_is_histogram(row[s]);
    }
    return any;
}

static int classic_make(struct pl__exec *ex, size_t at, const struct pl__rows *in,
                        struct classic *c)
{
    struct pl_buf key = PL_BUF_INIT;
    double *le = pl_arena_alloc(ex->arena, (in->n + 1) * sizeof *le);
    *c = (struct classic){.group = pl_arena_alloc(ex->arena, (in->n + 1) * sizeof *c->group)};
    int err = le && c->group ? 0 : PL_ENOMEM;
    for (size_t i = 0; i < in->n && err >= 0; i++) {
        pl_str text = pl_labels_get(in->labels[i], PL_STR("le"));
        bool fresh = false;
        c->group[i] = UINT32_MAX;
        err = i % 1024 ? 0 : pl__tick(ex);
        if (in->hist && !has_floats(in->v + i * in->steps, in->steps)) {
            continue;
        }
        if (pl_number_parse(text, &le[i]) < 0) {
            pl_buf_clear(&key);
            pl__quote(&key, text);
            put_metric(&key, pl_labels_get(in->labels[i], PL_METRIC_NAME));
            pl__note(ex, true, at,
                     "bucket label \"le\" is missing or has a malformed value of %.*s",
                     PL_PRS(pl_buf_view(&key)));
            continue;
        }
        pl_buf_clear(&key);
        pl__set_label(&key, in->labels[i], PL_STR("le"), PL_STR_NULL);
        size_t g = key.failed ? PL__INDEX_NONE : pl__index_put(&c->keys, pl_buf_view(&key), &fresh);
        if (g != PL__INDEX_NONE && fresh) {
            c->keys.key[g] = pl_arena_dup(ex->arena, c->keys.key[g]);
        }
        if (g == PL__INDEX_NONE || !c->keys.key[g].p) {
            err = PL_ENOMEM;
            break;
        }
        c->group[i] = (uint32_t)g;
    }
    pl_buf_fini(&key);
    c->first = pl_arena_zalloc(ex->arena, (c->keys.n + 2) * sizeof *c->first);
    c->row = pl_arena_alloc(ex->arena, (in->n + 1) * sizeof *c->row);
    c->hidden = pl_arena_zalloc(ex->arena, (c->keys.n + 1) * sizeof *c->hidden);
    err = err < 0 || (c->first && c->row && c->hidden) ? err : PL_ENOMEM;
    for (size_t i = 0; i < in->n && err >= 0; i++) {
        if (c->group[i] != UINT32_MAX) {
            c->first[c->group[i] + 2]++;
        }
    }
    for (size_t g = 2; g < c->keys.n + 2 && err >= 0; g++) {
        c->first[g] += c->first[g - 1];
    }
    for (size_t i = 0; i < in->n && err >= 0; i++) {
        if (c->group[i] != UINT32_MAX) {
            c->row[c->first[c->group[i] + 1]++] = (struct row){le[i], (uint32_t)i};
        }
    }
    for (size_t g = 0; g < c->keys.n && err >= 0; g++) {
        qsort(c->row + c->first[g], c->first[g + 1] - c->first[g], sizeof *c->row, by_le);
    }
    return err;
}

/** Where native row i stands beside a classic histogram of its labels, at the same step, neither
 *  counts. */
static int hide_both(struct pl__exec *ex, size_t at, const struct pl__rows *in, size_t i,
                     struct classic *c)
{
    size_t g = pl__index_get(&c->keys, in->labels[i]);
    double *native = in->v + i * in->steps;
    bool any = false;
    for (size_t s = 0; g != PL__INDEX_NONE && s < in->steps; s++) {
        bool there = false;
        for (size_t k = c->first[g]; pl_is_histogram(native[s]) && k < c->first[g + 1]; k++) {
            double v = in->v[c->row[k].at * in->steps + s];
            there |= !pl_is_absent(v) && !pl_is_histogram(v);
        }
        if (!there) {
            continue;
        }
        if (!c->hidden[g]) {
            c->hidden[g] = pl_arena_zalloc(ex->arena, in->steps);
            if (!c->hidden[g]) {
                return PL_ENOMEM;
            }
        }
        c->hidden[g][s] = 1;
        native[s] = PL_ABSENT;
        any = true;
    }
    if (any) {
        pl_str name = pl_labels_get(in->labels[i], PL_METRIC_NAME);
        pl__note(ex, true, at, "vector contains a mix of classic and native histograms%s%.*s%s",
                 name.n ? " for metric name \"" : "", PL_PRS(name), name.n ? "\"" : "");
    }
    return 0;
}

/** All steps of a native row. */
static void native_row(struct pl__exec *ex, const struct ask *q, const double *row, size_t steps,
                       pl_str name, double *out)
{
    static const char *const texts[] = {
        [PL_HNOTE_NAN_RESULT] = "input to histogram_quantile has NaN observations, result is NaN",
        [PL_HNOTE_NAN_SKEW] =
            "input to histogram_quantile has NaN observations, result is skewed higher",
        [PL_HNOTE_NAN_FRACTION] = "input to histogram_fraction has NaN observations, which are "
                                  "excluded from all fractions",
    };
    bool seen[PL_HNOTE_NAN_FRACTION + 1] = {false};
    for (size_t s = 0; s < steps; s++) {
        enum pl_hnote note = PL_HNOTE_NONE;
        out[s] = PL_ABSENT;
        if (pl_is_histogram(row[s]) && asked(q, s)) {
            const struct pl_histogram *h = pl_histogram_unboxed(row[s]);
            out[s] = q->p2 ? pl_histogram_fraction(q->p1[s], q->p2[s], h, &note)
                           : pl_histogram_quantile(q->p1[s], h, &note);
            seen[note] = true;
        }
    }
    for (int i = 1; i <= PL_HNOTE_NAN_FRACTION; i++) {
        if (seen[i]) {
            pl__note(ex, false, q->at_native, "%s%s%.*s%s", texts[i],
                     name.n ? " for metric name \"" : "", PL_PRS(name), name.n ? "\"" : "");
        }
    }
}

/** Rows of one quantile or fraction behind the first `n` of out. */
static int histograms(struct pl__exec *ex, const struct ask *q, const struct pl__rows *in,
                      struct classic *c, struct pl__rows *out, size_t *n)
{
    struct bucket *b = pl_arena_alloc(ex->arena, (in->n + 1) * sizeof *b);
    struct repair repair = {0};
    int err = b ? 0 : PL_ENOMEM;
    for (size_t i = 0; i < in->n && in->hist && err >= 0; i++) {
        const double *row = in->v + i * in->steps;
        if (pl__any_histogram(row, in->steps)) {
            native_row(ex, q, row, in->steps, pl_labels_get(in->labels[i], PL_METRIC_NAME),
                       out->v + *n * out->steps);
            out->labels[*n] = in->labels[i];
            (*n)++;
        }
        err = i % 64 ? 0 : pl__tick(ex);
    }
    pl_str metric = PL_STR_NULL;
    for (size_t g = 0; g < c->keys.n && err >= 0; g++) {
        pl_str name = pl_labels_get(c->keys.key[g], PL_METRIC_NAME);
        err = g % 64 ? 0 : pl__tick(ex);
        if (!pl_str_eq(name, metric)) { /* a note for each metric */
            if (repair.any) {
                note_repair(ex, q->at, metric, &repair);
            }
            repair = (struct repair){0};
            metric = name;
        }
        out->labels[*n] = c->keys.key[g];
        evaluate(in, c->row + c->first[g], c->first[g + 1] - c->first[g], b, q, c->hidden[g],
                 &repair, out->v + *n * out->steps);
        (*n)++;
    }
    if (repair.any && err >= 0) {
        note_repair(ex, q->at, metric, &repair);
    }
    return err;
}

static void check_quantile(struct pl__exec *ex, const double *q, size_t steps,
                           const struct pl_expr *e)
{
    for (size_t s = 0; s < steps; s++) {
        if (!(q[s] >= 0 && q[s] <= 1)) {
            pl__note_quantile(ex, e, q[s]);
        }
    }
}

/** With the quantile as a label, laid out as OpenMetrics has floats: 0.5, 1.0. */
static int label_quantile(struct pl__exec *ex, const struct ask *q, pl_str name, pl_str *labels)
{
    char text[PL_NUMBER_MAX + 2];
    size_t n = pl_number_text(q->value, text);
    bool whole = isfinite(q->value);
    for (size_t i = 0; i < n; i++) {
        whole = whole && text[i] != '.' && text[i] != 'e';
    }
    if (whole) {
        memcpy(text + n, ".0", 2);
        n += 2;
    }
    struct pl_buf b = PL_BUF_INIT;
    pl__set_label(&b, *labels, name, pl_str_mem(text, n));
    *labels = b.failed ? PL_STR_NULL : pl_arena_dup(ex->arena, pl_buf_view(&b));
    pl_buf_fini(&b);
    return labels->p ? 0 : PL_ENOMEM;
}

/** Rows of all quantiles; `name` is the label that tells them apart, null for a single one. */
static int all_rows(struct pl__exec *ex, const struct ask *q, size_t n_q, pl_str name,
                    struct pl__rows *in, struct pl__rows *out)
{
    struct classic c;
    size_t n = 0;
    int err = classic_make(ex, q->at, in, &c);
    for (size_t i = 0; i < in->n && in->hist && err >= 0; i++) {
        err = hide_both(ex, q->at, in, i, &c);
    }
    err = err < 0 ? err : pl__rows_new(ex, (in->n + c.keys.n) * n_q, in->steps, out);
    if (err >= 0) {
        for (size_t k = 0; k < n_q && err >= 0; k++) {
            size_t from = n;
            err = histograms(ex, &q[k], in, &c, out, &n);
            for (size_t i = from; name.p && i < n && err >= 0; i++) {
                err = label_quantile(ex, &q[k], name, &out->labels[i]);
            }
        }
        out->n = n;
        if (err < 0) {
            pl__rows_fini(ex, out);
        }
    }
    pl__index_fini(&c.keys);
    if (err < 0) {
        return pl__error_code(ex, err, q->e->at);
    }
    pl__rows_prune(out);
    err = pl__rows_merge(ex, out, q->e->at);
    err = err < 0 ? err : pl__rows_drop_names(ex, out, q->e->at);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}

/** What to ask for quantile p: where it changes from step to step, so does its label, and each
 * value is asked for at its own steps. @return how many, PL_ENOMEM */
static int split_quantile(struct pl__exec *ex, const struct pl__frame *f, const struct ask *like,
                          const double *p, struct ask **out)
{
    struct pl__index values = {0};
    struct ask *q = NULL;
    int err = 0;
    for (size_t s = 0; s < f->n && err >= 0; s++) {
        bool fresh = false;
        size_t k = pl__index_put(&values, pl_str_mem(&p[s], sizeof *p), &fresh);
        err = k == PL__INDEX_NONE ? PL_ENOMEM : s % 1024 ? 0 : pl__tick(ex);
    }
    q = err < 0 ? NULL : pl_arena_alloc(ex->arena, (values.n + 1) * sizeof *q);
    for (size_t k = 0; q && k < values.n; k++) {
        q[k] = *like;
        q[k].p1 = p;
        q[k].varies = values.n > 1;
        memcpy(&q[k].value, values.key[k].p, sizeof q[k].value);
    }
    *out = q;
    int n = (int)values.n;
    pl__index_fini(&values);
    return err < 0 ? err : q ? n : PL_ENOMEM;
}

/** histogram_quantiles(v, label, q...): a row for each histogram and quantile. */
static int quantiles(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    struct pl__rows in;
    size_t n = e->call.n - 2, total = 0;
    size_t vector = pl__unparen(e->call.args[0])->at;
    struct ask like = {.e = e, .at = vector, .at_native = vector, .t0 = f->start, .step = f->step};
    struct ask **q = pl_arena_alloc(ex->arena, n * sizeof *q), *flat = NULL;
    size_t *count = pl_arena_alloc(ex->arena, n * sizeof *count);
    int err = q && count ? 0 : pl__error_code(ex, PL_ENOMEM, e->at);
    for (size_t k = 0; k < n && err >= 0; k++) {
        const double *p;
        err = pl__eval_scalar(ex, f, e->call.args[k + 2], &p);
        if (err >= 0) {
            check_quantile(ex, p, f->n, e->call.args[k + 2]);
            err = split_quantile(ex, f, &like, p, &q[k]);
            count[k] = err < 0 ? 0 : (size_t)err;
            total += count[k];
            err = err < 0 ? pl__error_code(ex, err, e->at) : 0;
        }
    }
    if (err >= 0) {
        flat = pl_arena_alloc(ex->arena, (total + 1) * sizeof *flat);
        err = flat ? 0 : pl__error_code(ex, PL_ENOMEM, e->at);
    }
    for (size_t k = 0, at = 0; k < n && err >= 0; at += count[k++]) {
        memcpy(flat + at, q[k], count[k] * sizeof *flat);
    }
    err = err < 0 ? err : pl__eval_values(ex, f, e->call.args[0], &in);
    if (err < 0) {
        return err;
    }
    err = all_rows(ex, flat, total, pl__unparen(e->call.args[1])->str, &in, out);
    pl__rows_fini(ex, &in);
    return err;
}

int pl__fn_histogram(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    struct pl__rows in;
    struct ask q = {.e = e,
                    .at = pl__unparen(e->call.args[e->call.n - 1])->at,
                    .at_native = pl__unparen(e->call.args[0])->at,
                    .t0 = f->start,
                    .step = f->step};
    bool stats = ex->hist_stats;
    int err;
    ex->hist_stats = false; /* buckets are needed */
    if (e->call.fn->which == PL__HIST_QUANTILES) {
        err = quantiles(ex, f, e, out);
        ex->hist_stats = stats;
        return err;
    }
    err = pl__eval_scalar(ex, f, e->call.args[0], &q.p1);
    if (err >= 0 && e->call.fn->which == PL__HIST_FRACTION) {
        err = pl__eval_scalar(ex, f, e->call.args[1], &q.p2);
    } else if (err >= 0) {
        check_quantile(ex, q.p1, f->n, e->call.args[0]);
    }
    err = err < 0 ? err : pl__eval_values(ex, f, e->call.args[e->call.n - 1], &in);
    ex->hist_stats = stats;
    if (err < 0) {
        return err;
    }
    err = all_rows(ex, &q, 1, PL_STR_NULL, &in, out);
    pl__rows_fini(ex, &in);
    return err;
}

/* ------------------------------------------------------------------ of native histograms alone */

static void apply_none(const struct pl__map *m, double *row, size_t steps)
{
    (void)m;
    for (size_t s = 0; s < steps; s++) {
        row[s] = PL_ABSENT;
    }
}

static double apply_native(const struct pl__map *m, struct pl__worker *w, double boxed, size_t step,
                           int *err)
{
    const struct pl_histogram *h = pl_histogram_unboxed(boxed);
    (void)w, (void)step, (void)err;
    switch (m->which) {
    case PL__NATIVE_COUNT:
        return h->count;
    case PL__NATIVE_SUM:
        return h->sum;
    case PL__NATIVE_AVG:
        return h->sum / h->count;
    case PL__NATIVE_STDDEV:
        return sqrt(pl_histogram_variance(h));
    default:
        return pl_histogram_variance(h);
    }
}

int pl__fn_native(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                  struct pl__rows *out)
{
    struct pl__map m = {.apply = apply_none, .hist = apply_native, .which = e->call.fn->which};
    bool stats = ex->hist_stats;
    ex->hist_stats = m.which <= PL__NATIVE_AVG;
    int err = pl__eval(ex, f, e->call.args[0], out);
    ex->hist_stats = stats;
    if (err < 0) {
        return err;
    }
    err = pl__rows_drop_names(ex, out, e->at);
    err = err < 0 ? err : pl__rows_map(ex, out, &m);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}
