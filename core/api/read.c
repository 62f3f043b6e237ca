/* /api/v1/read: Prometheus' remote read. One of two answers, as the client prefers.
 *
 * SAMPLES: a ReadResponse, snappy. STREAMED_XOR_CHUNKS: frames, sent in pieces (pieces.c):
 *
 *     ReadResponse        { repeated QueryResult = 1 }
 *     QueryResult         { repeated TimeSeries = 1 }
 *     TimeSeries          { repeated Label = 1; repeated Sample = 2; repeated Histogram = 4 }
 *     Sample              { double value = 1; int64 ms = 2 }
 *
 *     frame               varint length | u32 big-endian CRC32C | ChunkedReadResponse
 *     ChunkedReadResponse { ChunkedSeries = 1; int64 query_index = 2 }
 *     ChunkedSeries       { repeated Label = 1; repeated Chunk = 2 }
 *     Chunk               { int64 min_ms = 1; int64 max_ms = 2; type = 3 (1: XOR); bytes data = 4 }
 *
 * Series come in the order of their labels, since clients merge. Samples are those stored,
 * staleness markers too. Native histograms are in SAMPLES (read_histogram.c); their own chunk types
 * are not written, so a stream leaves them out. Thread: the pool. Source: prometheus
 * prompb/remote.proto, storage/remote/chunked.go. */
#include "core/api/internal.h"
#include "core/api/read_request.h"
#include <stdlib.h>

#define FRAME_CHUNKS 600 /* about 1 MB at the most */

/* A series of the query at hand. */
struct one {
    pl_str labels; /* canonical, in the arena */
    size_t i;
};
struct read {
    struct pl_api *api;
    struct pl_tenant *tenant;
    struct pl__read_request request;
    size_t q; /* query at hand */
    struct pl_select *sel;
    struct pl_reader *reader;
    struct pl_arena arena;
    struct one *list;
    size_t n, at; /* series of it, and which comes next */
    struct pl_columns columns;
    struct pl_buf *out; /* the job's */
    struct pl_buf result, body, part;
    uint64_t samples;
};

static void close_query(struct read *x)
{
    if (x->reader) {
        pl_reader_free(x->reader);
    }
    if (x->sel) {
        pl_select_free(x->sel);
    }
    x->reader = NULL;
    x->sel = NULL;
    pl_arena_fini(&x->arena);
    x->n = x->at = 0;
}

static void read_free(void *state)
{
    struct read *x = state;
    close_query(x);
    pl__read_request_fini(&x->request);
    pl_columns_fini(&x->columns);
    pl_buf_fini(&x->result);
    pl_buf_fini(&x->body);
    pl_buf_fini(&x->part);
    free(x);
}

static int by_labels(const void *a, const void *b)
{
    return pl_labels_cmp(((const struct one *)a)->labels, ((const struct one *)b)->labels);
}

static int open_query(struct read *x)
{
    const struct pl__read_query *q = &x->request.query[x->q];
    struct pl_selector sel = {q->m, q->n};
    struct pl_buf labels = PL_BUF_INIT;
    pl_arena_init(&x->arena, x->api->conf.query_max_memory_bytes);
    int e = pl_select_new(x->tenant, &sel, 1, q->t0, q->t1, x->api->conf.query_max_series, &x->sel);
    e = e < 0 ? e : pl_reader_new(x->sel, &x->reader);
    size_t n = e < 0 ? 0 : pl_select_count(x->sel);
    x->list = e < 0 ? NULL : pl_arena_alloc(&x->arena, (n + 1) * sizeof(*x->list));
    e = e < 0 ? e : x->list ? 0 : PL_ELIMIT;
    for (size_t i = 0; e >= 0 && i < n; i++) {
        pl_buf_clear(&labels);
        e = pl_select_labels(x->sel, i, &labels);
        if (e >= 0) {
            x->list[x->n] = (struct one){pl_arena_dup(&x->arena, pl_buf_view(&labels)), i};
            e = x->list[x->n++].labels.p ? 0 : PL_ELIMIT;
        } else if (e == PL_ENOTFOUND) { /* it ended just now */
            e = 0;
        }
    }
    if (e >= 0 && x->n) {
        qsort(x->list, x->n, sizeof(*x->list), by_labels);
    }
    pl_buf_fini(&labels);
    return e;
}

/* ---------------------------------------------------------------------------------- protobuf */

static void varint_field(struct pl_buf *out, unsigned number, uint64_t x)
{
    pl_buf_varint(out, number << 3);
    pl_buf_varint(out, x);
}

static void bytes_field(struct pl_buf *out, unsigned number, pl_str s)
{
    pl_buf_varint(out, number << 3 | 2);
    pl_buf_varint(out, s.n);
    pl_buf_str(out, s);
}

static void label_fields(struct read *x, struct pl_buf *out, pl_str canon)
{
    struct pl_label l;
    while (pl_labels_next(&canon, &l)) {
        pl_buf_clear(&x->part);
        bytes_field(&x->part, 1, l.name);
        bytes_field(&x->part, 2, l.value);
        bytes_field(out, 1, pl_buf_view(&x->part));
    }
}

/* Zeros are left out, as protobuf 3 has it. */
static void sample_field(struct pl_buf *out, int64_t t, double v)
{
    uint8_t time[10];
    size_t n = t ? pl_varint_put(time, (uint64_t)t) : 0;
    bool zero = pl_f64_bits(v) == 0;
    pl_buf_u8(out, 2 << 3 | 2);
    pl_buf_u8(out, (uint8_t)((zero ? 0 : 9) + (n ? n + 1 : 0)));
    if (!zero) {
        pl_buf_u8(out, 1 << 3 | 1);
        pl_buf_u64(out, pl_f64_bits(v));
    }
    if (n) {
        pl_buf_u8(out, 2 << 3);
        pl_buf_add(out, time, n);
    }
}

/* The histograms of a series into its TimeSeries. A double that only looks like one is left out. */
static int histograms_of(struct read *x)
{
    struct pl_arena a;
    int e = 0;
    pl_arena_init(&a, 0);
    for (size_t i = 0; i < x->columns.n && e >= 0; i++) {
        pl_str bytes = pl_columns_histogram(&x->columns, x->columns.v[i]);
        struct pl_histogram h;
        if (!bytes.n || (uint8_t)bytes.p[0] == PL_HISTOGRAM_DOUBLE) {
            continue;
        }
        pl_arena_reset(&a);
        e = pl_histogram_get(bytes, &a, &h);
        if (e >= 0) {
            pl_buf_clear(&x->part);
            pl__read_histogram(&x->part, x->columns.t[i], &h);
            bytes_field(&x->body, 4, pl_buf_view(&x->part));
            x->body.failed |= x->part.failed;
        }
    }
    pl_arena_fini(&a);
    return e;
}

/* A TimeSeries into the result at hand. */
static int samples_of(struct read *x, pl_str labels)
{
    pl_buf_clear(&x->body);
    label_fields(x, &x->body, labels);
    size_t histograms = 0;
    for (size_t i = 0; i < x->columns.n; i++) {
        if (pl_is_histogram(x->columns.v[i])) {
            histograms++;
        } else {
            sample_field(&x->body, x->columns.t[i], x->columns.v[i]);
        }
    }
    int e = histograms ? histograms_of(x) : 0;
    bytes_field(&x->result, 1, pl_buf_view(&x->body));
    return e;
}

static void chunk_field(struct read *x, size_t from, size_t n)
{
    struct pl_buf data = PL_BUF_INIT;
    const int64_t *t = x->columns.t + from;
    pl_xor_encode(&data, t, x->columns.v + from, n);
    pl_buf_clear(&x->part);
    varint_field(&x->part, 1, (uint64_t)t[0]);
    varint_field(&x->part, 2, (uint64_t)t[n - 1]);
    varint_field(&x->part, 3, 1);
    bytes_field(&x->part, 4, pl_buf_view(&data));
    bytes_field(&x->body, 2, pl_buf_view(&x->part));
    x->body.failed |= data.failed;
    pl_buf_fini(&data);
}

/* A frame around the ChunkedSeries in body. */
static void frame(struct read *x)
{
    pl_buf_clear(&x->part);
    bytes_field(&x->part, 1, pl_buf_view(&x->body));
    if (x->q) {
        varint_field(&x->part, 2, x->q);
    }
    uint32_t crc = pl_crc32c(0, x->part.p, x->part.n);
    pl_buf_varint(x->out, x->part.n);
    for (int shift = 24; shift >= 0; shift -= 8) {
        pl_buf_u8(x->out, (uint8_t)(crc >> shift));
    }
    pl_buf_str(x->out, pl_buf_view(&x->part));
    x->out->failed |= x->body.failed || x->part.failed;
}

static void chunks_of(struct read *x, pl_str labels)
{
    size_t chunks = 0;
    pl_buf_clear(&x->body);
    label_fields(x, &x->body, labels);
    for (size_t i = 0; i < x->columns.n; i += PL_XOR_SAMPLES) {
        size_t left = x->columns.n - i;
        if (chunks++ == FRAME_CHUNKS) {
            frame(x);
            pl_buf_clear(&x->body);
            label_fields(x, &x->body, labels);
            chunks = 1;
        }
        chunk_field(x, i, left < PL_XOR_SAMPLES ? left : PL_XOR_SAMPLES);
    }
    frame(x);
}

/* -------------------------------------------------------------------------------------- work */

static void drop_histograms(struct pl_columns *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (!pl_is_histogram(c->v[i])) {
            c->t[n] = c->t[i];
            c->v[n++] = c->v[i];
        }
    }
    c->n = n;
}

static int read_series(struct read *x)
{
    const struct pl__read_query *q = &x->request.query[x->q];
    const struct one *s = &x->list[x->at++];
    int e = 0;
    x->columns.n = 0;
    if (!q->series_only) {
        e = pl_reader_read(x->reader, s->i, q->t0, q->t1, 0, &x->columns);
        e = e == PL_ECORRUPT ? 0 : e; /* the rest is there; the log says where */
        if (x->request.streamed) {
            drop_histograms(&x->columns);
        }
        if (e < 0 || !x->columns.n) {
            return e;
        }
    }
    x->samples += x->columns.n;
    if (x->request.streamed) {
        chunks_of(x, s->labels);
    } else if (x->samples > x->api->conf.query_max_samples ||
               x->result.n > x->api->conf.query_max_memory_bytes) {
        return PL_ELIMIT;
    } else {
        return samples_of(x, s->labels);
    }
    return 0;
}

/* Until a piece is full, or all is out: all of it where it is not streamed. */
static int fill(struct pl_job *job)
{
    struct read *x = job->pieces.state;
    bool streamed = x->request.streamed;
    size_t full = job->out.n + PL__PIECE;
    int e = 0;
    x->out = &job->out;
    while (e >= 0 && x->q < x->request.n && !job->cancel && !(streamed && x->out->n >= full)) {
        if (!x->sel) {
            e = open_query(x);
        } else if (x->at < x->n) {
            e = read_series(x);
        } else {
            close_query(x);
            if (!streamed) {
                bytes_field(x->out, 1, pl_buf_view(&x->result));
                x->out->failed |= x->result.failed;
                pl_buf_clear(&x->result);
            }
            x->q++;
        }
    }
    e = e < 0 ? e : x->body.failed ? PL_ENOMEM : job->cancel ? PL_ECANCELED : 0;
    return e < 0 ? e : x->q == x->request.n;
}

/* Half a frame: the client sees that this is not the end. */
static void last_words(struct pl_job *job, int err)
{
    (void)err;
    pl_buf_varint(&job->out, 1);
}

static const struct pl__pieces_ops pieces = {
    .fill = fill, .last_words = last_words, .free = read_free};

static void refuse(struct pl_job *job, int status, const char *why)
{
    pl_buf_clear(&job->out);
    pl_buf_z(&job->out, why);
    pl_buf_u8(&job->out, '\n');
    job->status = status;
    job->content_type = "text/plain; charset=utf-8";
}

static void pack(struct pl_job *job)
{
    struct pl_buf packed = PL_BUF_INIT;
    int e = pl_snappy_encode(pl_buf_view(&job->out), &packed);
    pl_buf_fini(&job->out);
    job->out = packed;
    job->out.failed |= e < 0;
    job->snappy = true;
    job->content_type = "application/x-protobuf";
}

static void work(struct pl_job *job)
{
    struct pl_buf bytes = PL_BUF_INIT;
    char why[300] = "out of memory";
    struct read *x = calloc(1, sizeof(*x));
    if (!x) {
        refuse(job, 503, why);
        return;
    }
    x->api = job->api;
    x->tenant = job->args.tenant;
    int e = pl_snappy_decode(job->req->body, 16u << 20, &bytes);
    if (e < 0) {
        snprintf(why, sizeof(why),
                 "the body is not snappy (block format), or inflates to over 16 MB");
    } else {
        e = pl__read_request_parse(pl_buf_view(&bytes), &x->request, why, sizeof(why));
    }
    pl_buf_fini(&bytes);
    if (e < 0) {
        refuse(job, e == PL_ENOMEM ? 503 : 400, why);
        free(x);
        return;
    }
    bool streamed = x->request.streamed;
    job->content_type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    e = pl__pieces_first(job, &pieces, x, PL__PIECE);
    if (e == PL_ELIMIT) {
        refuse(job, 400,
               "exceeded sample limit (--query-max-samples) or memory: "
               "accept STREAMED_XOR_CHUNKS, or ask for less");
    } else if (e < 0) {
        refuse(job, 500, pl_err_text(e));
    } else if (!streamed) {
        pack(job);
    }
}

void pl__ep_remote_read(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {0};
    if (pl__tenant(a, req, false, &with.tenant)) {
        pl__job_start(a, req, a->conf.pool, false, work, &with);
    }
}
