/* /api/v1/export: the samples of match[] as JSON lines that /api/v1/push takes back:
 *
 *     {"labels":{"__name__":"up","job":"a"},"t":[1700000000000,...],"v":[1,"NaN",...]}
 *
 * A native histogram is a map in the place of a value, as docs/push.md has it.
 * One line a series, long series in several lines; an error on the way is a last line
 * {"error":"..."}. Written in pieces (pieces.c). Threads: parsed on the loop, written on the pool.
 */
#include "core/api/internal.h"
#include "core/codec/codec.h"
#include <stdlib.h>

#define LINE_SAMPLES 10000

struct export
{
    struct pl_select *sel;
    struct pl_reader *reader;
    struct pl_columns columns;
    struct pl_buf labels, *out; /* out: the job's */
    struct pl_arena arena;      /* of the histogram at hand */
    size_t i, at;               /* series, and sample in it, that come next */
    int64_t t0, t1;
    bool damaged; /* samples were left out: said at the end */
};

static void export_free(void *state)
{
    struct export *x = state;
    if (x->reader) {
        pl_reader_free(x->reader);
    }
    if (x->sel) {
        pl_select_free(x->sel);
    }
    pl_columns_fini(&x->columns);
    pl_buf_fini(&x->labels);
    pl_arena_fini(&x->arena);
    free(x);
}

/* As /api/v1/push reads it; NaN, infinities and the staleness marker are strings. */
static void value(struct pl_buf *out, double v)
{
    char text[PL_NUMBER_MAX];
    if (pl_is_stale(v)) {
        pl_buf_z(out, "\"stale\"");
        return;
    }
    size_t n = pl_number_text(v, text);
    bool quoted = v - v != 0;
    if (quoted) {
        pl_buf_u8(out, '"');
    }
    pl_buf_add(out, text, n);
    if (quoted) {
        pl_buf_u8(out, '"');
    }
}

static void numbers(struct pl_buf *out, const char *name, const double *v, size_t n)
{
    pl_buf_f(out, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        if (i) {
            pl_buf_u8(out, ',');
        }
        value(out, v[i]);
    }
    pl_buf_u8(out, ']');
}

static void buckets(struct pl_buf *out, const char *name, const struct pl_hbuckets *b)
{
    if (!b->n_spans) {
        return;
    }
    pl_buf_f(out, ",\"%s_spans\":[", name);
    for (uint32_t i = 0; i < b->n_spans; i++) {
        pl_buf_f(out, i ? ",[%d,%u]" : "[%d,%u]", (int)b->spans[i].offset,
                 (unsigned)b->spans[i].length);
    }
    pl_buf_u8(out, ']');
    numbers(out, name, b->count, b->n);
}

static void scalar(struct pl_buf *out, const char *name, double v)
{
    pl_buf_f(out, ",\"%s\":", name);
    value(out, v);
}

static void histogram(struct pl_buf *out, const struct pl_histogram *h)
{
    static const char *const resets[] = {"unknown", "yes", "no", "gauge"};
    pl_buf_f(out, "{\"schema\":%d", h->schema);
    scalar(out, "count", h->count);
    scalar(out, "sum", h->sum);
    if (h->zero_threshold != 0 || h->zero_count != 0) {
        scalar(out, "zero_threshold", h->zero_threshold);
        scalar(out, "zero_count", h->zero_count);
    }
    buckets(out, "positive", &h->pos);
    buckets(out, "negative", &h->neg);
    if (h->n_bounds) {
        numbers(out, "bounds", h->bounds, h->n_bounds);
    }
    if (h->reset != PL_RESET_UNKNOWN) {
        pl_buf_f(out, ",\"reset\":\"%s\"", resets[h->reset & 3]);
    }
    pl_buf_z(out, h->floats ? ",\"floats\":true}" : "}");
}

/** A value, or what a boxed one stands for. */
static void element(struct export *x, double v)
{
    pl_str bytes = pl_columns_histogram(&x->columns, v);
    struct pl_histogram h;
    double plain;
    if (!bytes.n) {
        value(x->out, v);
        return;
    }
    if (pl_histogram_double(bytes, &plain)) {
        value(x->out, plain);
        return;
    }
    pl_arena_reset(&x->arena);
    int e = pl_histogram_get(bytes, &x->arena, &h);
    if (e < 0) {
        x->damaged = x->damaged || e == PL_ECORRUPT;
        x->out->failed = x->out->failed || e == PL_ENOMEM;
        pl_buf_z(x->out, "null");
        return;
    }
    histogram(x->out, &h);
}

/** Samples that make a line of a piece's size at most, where some are histograms. */
static size_t line_samples(const struct export *x)
{
    if (!x->columns.h.n) {
        return LINE_SAMPLES;
    }
    size_t each = 4 * x->columns.h.n / x->columns.n + 64;
    size_t n = PL__PIECE / each;
    return n < 1 ? 1 : n < LINE_SAMPLES ? n : LINE_SAMPLES;
}

static void line(struct export *x, size_t n)
{
    pl_buf_z(x->out, "{\"labels\":");
    pl__labels_json(x->out, pl_buf_view(&x->labels));
    pl_buf_z(x->out, ",\"t\":[");
    for (size_t k = 0; k < n; k++) {
        pl_buf_f(x->out, k ? ",%lld" : "%lld", (long long)x->columns.t[x->at + k]);
    }
    pl_buf_z(x->out, "],\"v\":[");
    for (size_t k = 0; k < n; k++) {
        if (k) {
            pl_buf_u8(x->out, ',');
        }
        element(x, x->columns.v[x->at + k]);
    }
    pl_buf_z(x->out, "]}\n");
    x->at += n;
}

static int read_series(struct export *x)
{
    pl_buf_clear(&x->labels);
    int e = pl_select_labels(x->sel, x->i, &x->labels);
    e = e < 0 ? e : pl_reader_read(x->reader, x->i, x->t0, x->t1, 0, &x->columns);
    if (e == PL_ECORRUPT) { /* the rest of it is there */
        x->damaged = true;
        return 0;
    }
    return e;
}

static int fill(struct pl_job *job)
{
    struct export *x = job->pieces.state;
    size_t full = job->out.n + PL__PIECE;
    int e = 0;
    x->out = &job->out;
    while (e >= 0 && x->out->n < full && x->i < pl_select_count(x->sel) && !job->cancel) {
        e = x->at ? 0 : read_series(x);
        size_t left = x->columns.n - x->at;
        if (e >= 0 && left) {
            size_t most = line_samples(x);
            line(x, left < most ? left : most);
        }
        if (e >= 0 && x->at >= x->columns.n) {
            x->i++;
            x->at = 0;
        }
    }
    if (e < 0 || x->i < pl_select_count(x->sel)) {
        return e < 0 ? e : job->cancel ? PL_ECANCELED : 0;
    }
    if (x->damaged) {
        pl_buf_z(x->out, "{\"error\":\"some samples are damaged on disk and left out; the log says "
                         "where\"}\n");
    }
    return 1;
}

static void last_words(struct pl_job *job, int err)
{
    pl_buf_f(&job->out, "{\"error\":\"%s\"}\n", pl_err_text(err));
}

static const struct pl__pieces_ops pieces = {
    .fill = fill, .last_words = last_words, .free = export_free};

static void work(struct pl_job *job)
{
    const struct pl_job_args *args = &job->args;
    struct export *x = calloc(1, sizeof(*x));
    if (!x) {
        pl__job_error(job, PL_ENOMEM, "out of memory");
        return;
    }
    *x = (struct export){.t0 = args->t0, .t1 = args->t1};
    pl_arena_init(&x->arena, 0);
    int e = pl_select_new(args->tenant, args->sel.sel, args->sel.n, args->t0, args->t1, 0, &x->sel);
    e = e < 0 ? e : pl_reader_new(x->sel, &x->reader);
    if (e < 0) {
        export_free(x);
    } else {
        job->content_type = "application/x-ndjson";
        e = pl__pieces_first(job, &pieces, x, PL__PIECE);
    }
    if (e < 0) {
        pl__job_error(job, e, "%s", pl_err_text(e));
    }
}

void pl__ep_export(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {.t0 = INT64_MIN, .t1 = INT64_MAX};
    if (!pl__tenant(a, req, false, &with.tenant) || !pl__time_param(req, "start", &with.t0) ||
        !pl__time_param(req, "end", &with.t1) || !pl__selectors(req, &with.sel)) {
        return;
    }
    const char *why =
        !with.sel.n ? "no match[] parameter provided: match[]={__name__=~\".+\"} is everything"
        : with.t1 < with.t0
            ? "invalid parameter \"end\": end timestamp must not be before start time"
            : NULL;
    if (why) {
        pl__selectors_fini(&with.sel);
        pl__reply_error(req, PL_EPARSE, "%s", why);
        return;
    }
    pl__job_start(a, req, a->conf.pool, false, work, &with);
}
