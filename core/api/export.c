/* /api/v1/export: the samples of match[] as JSON lines that /api/v1/push takes back:
 *
 *     {"labels":{"__name__":"up","job":"a"},"t":[1700000000000,...],"v":[1,"NaN",...]}
 *
 * A native histogram is a map in the place of a value, as docs/push.md has it.
 * One line a series, long series in several lines; an error on the way is a last line
 * {"error":"..."}. Written in pieces with back-pressure: the pool fills a piece, the loop sends it
 * and asks for the next when the client has taken the last. Threads: loop and pool in turn. */
#include "core/api/internal.h"
#include "core/codec/codec.h"
#include <stdlib.h>

#define PIECE_BYTES  (1u << 20)
#define LINE_SAMPLES 10000

struct export
{
    struct pl_task task;
    struct pl_api *api;
    struct pl_http_req *req;
    struct pl_loop *loop;
    struct pl_tenant *tenant;
    struct pl__selectors matchers;
    struct pl_select *sel;
    struct pl_reader *reader;
    struct pl_columns columns;
    struct pl_buf labels, out;
    struct pl_arena arena; /* of the histogram at hand */
    size_t i, at;          /* series, and sample in it, that come next */
    int64_t t0, t1;
    int err;
    bool begun;
    bool damaged; /* samples were left out: said at the end */
    _Atomic bool cancel;
};

static void export_free(struct export *x)
{
    if (x->reader) {
        pl_reader_free(x->reader);
    }
    if (x->sel) {
        pl_select_free(x->sel);
    }
    pl__selectors_fini(&x->matchers);
    pl_columns_fini(&x->columns);
    pl_buf_fini(&x->labels);
    pl_buf_fini(&x->out);
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
        value(&x->out, v);
        return;
    }
    if (pl_histogram_double(bytes, &plain)) {
        value(&x->out, plain);
        return;
    }
    pl_arena_reset(&x->arena);
    int e = pl_histogram_get(bytes, &x->arena, &h);
    if (e < 0) {
        x->damaged = x->damaged || e == PL_ECORRUPT;
        x->out.failed = x->out.failed || e == PL_ENOMEM;
        pl_buf_z(&x->out, "null");
        return;
    }
    histogram(&x->out, &h);
}

/** Samples that make a line of a piece's size at most, where some are histograms. */
static size_t line_samples(const struct export *x)
{
    if (!x->columns.h.n) {
        return LINE_SAMPLES;
    }
    size_t each = 4 * x->columns.h.n / x->columns.n + 64;
    size_t n = PIECE_BYTES / each;
    return n < 1 ? 1 : n < LINE_SAMPLES ? n : LINE_SAMPLES;
}

static void line(struct export *x, size_t n)
{
    pl_buf_z(&x->out, "{\"labels\":");
    pl__labels_json(&x->out, pl_buf_view(&x->labels));
    pl_buf_z(&x->out, ",\"t\":[");
    for (size_t k = 0; k < n; k++) {
        pl_buf_f(&x->out, k ? ",%lld" : "%lld", (long long)x->columns.t[x->at + k]);
    }
    pl_buf_z(&x->out, "],\"v\":[");
    for (size_t k = 0; k < n; k++) {
        if (k) {
            pl_buf_u8(&x->out, ',');
        }
        element(x, x->columns.v[x->at + k]);
    }
    pl_buf_z(&x->out, "]}\n");
    x->at += n;
}

static int open_select(struct export *x)
{
    int e = pl_select_new(x->tenant, x->matchers.sel, x->matchers.n, x->t0, x->t1, 0, &x->sel);
    return e < 0 ? e : pl_reader_new(x->sel, &x->reader);
}

/* Until a piece is full or all is out. */
static int fill(struct export *x)
{
    int e = x->sel ? 0 : open_select(x);
    while (e >= 0 && x->out.n < PIECE_BYTES && x->i < pl_select_count(x->sel) && !x->cancel) {
        if (x->at == 0) {
            pl_buf_clear(&x->labels);
            e = pl_select_labels(x->sel, x->i, &x->labels);
            e = e < 0 ? e : pl_reader_read(x->reader, x->i, x->t0, x->t1, 0, &x->columns);
            if (e == PL_ECORRUPT) { /* the rest of it is there */
                x->damaged = true;
                e = 0;
            }
            if (e < 0) {
                break;
            }
        }
        size_t left = x->columns.n - x->at;
        if (left) {
            size_t most = line_samples(x);
            line(x, left < most ? left : most);
        }
        if (x->at >= x->columns.n) {
            x->i++;
            x->at = 0;
        }
    }
    return e < 0 ? e : x->out.failed ? PL_ENOMEM : 0;
}

static void work(struct pl_task *task);

static void next_piece(struct export *x)
{
    x->task.run = work;
    if (!pl_pool_submit(x->api->conf.pool, &x->task)) {
        x->cancel = true;
        pl_http_reply_end(x->req);
        export_free(x);
    }
}

static void on_drained(struct pl_http_req *req) { next_piece(req->user); }

/* On the loop: a piece is there. */
static void send(struct pl_task *task)
{
    struct export *x = (struct export *)task;
    if (x->err < 0 && !x->begun) {
        pl__reply_error(x->req, x->err, "%s", pl_err_text(x->err));
        export_free(x);
        return;
    }
    if (!x->begun) {
        pl_http_reply_begin(x->req, 200, "application/x-ndjson");
        x->begun = true;
    }
    if (x->err < 0) {
        pl_buf_clear(&x->out);
        pl_buf_f(&x->out, "{\"error\":\"%s\"}\n", pl_err_text(x->err));
    }
    bool last = x->err < 0 || x->cancel || x->i >= pl_select_count(x->sel);
    if (last && x->err >= 0 && x->damaged) {
        pl_buf_z(&x->out,
                 "{\"error\":\"some samples are damaged on disk and left out; the log says "
                 "where\"}\n");
    }
    bool sent = x->out.n == 0 || pl_http_reply_write(x->req, &x->out);
    if (last || !sent) {
        pl_http_reply_end(x->req);
        export_free(x);
    } else if (pl_http_reply_pending(x->req)) {
        pl_http_reply_on_drained(x->req, on_drained);
    } else {
        next_piece(x);
    }
}

static void work(struct pl_task *task)
{
    struct export *x = (struct export *)task;
    x->err = fill(x);
    x->task.run = send;
    pl_loop_post(x->loop, &x->task);
}

static void on_abort(struct pl_http_req *req)
{
    struct export *x = req->user;
    x->cancel = true;
}

void pl__ep_export(struct pl_api *a, struct pl_http_req *req)
{
    struct export *x = calloc(1, sizeof(*x));
    if (!x) {
        pl__reply_error(req, PL_ENOMEM, "out of memory");
        return;
    }
    *x = (struct export){.api = a, .req = req, .loop = req->loop, .t0 = INT64_MIN, .t1 = INT64_MAX};
    pl_arena_init(&x->arena, 0);
    if (!pl__tenant(a, req, false, &x->tenant) || !pl__time_param(req, "start", &x->t0) ||
        !pl__time_param(req, "end", &x->t1) || !pl__selectors(req, &x->matchers)) {
        free(x);
        return;
    }
    if (!x->matchers.n) {
        pl__reply_error(req, PL_EPARSE,
                        "no match[] parameter provided: match[]={__name__=~\".+\"} is everything");
        export_free(x);
        return;
    }
    if (x->t1 < x->t0) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"end\": end timestamp must not be before start time");
        export_free(x);
        return;
    }
    req->user = x;
    req->on_abort = on_abort;
    next_piece(x);
}
