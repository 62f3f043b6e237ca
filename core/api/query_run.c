/* A query on the pool: run it, and write the answer in the format that was asked for. What has more
 * than FIRST_BYTES of JSON or CSV is sent in pieces, while the result stays in memory, charged to
 * the budget of all queries; those that asked for the same share it. */
#include "core/api/internal.h"
#include <stdlib.h>

#define FIRST_BYTES ((size_t)8 << 20)

/* Prometheus counts the time in the queue as well. */
static bool late(const struct pl_job *job)
{
    return job->args.deadline_ns && pl_mono_ns(job->api->conf.clock) >= job->args.deadline_ns;
}

/* A result that is sent in pieces, to one client or several. */
struct told {
    _Atomic size_t refs;
    struct pl_result result;
    struct pl__shape shape;
    bool csv;
};
struct telling {
    struct told *told;
    struct pl__cursor at;
};

static bool piece(struct pl_buf *out, bool csv, const struct pl_result *r,
                  const struct pl__shape *shape, struct pl__cursor *at, size_t more)
{
    return (csv ? pl__result_csv_piece : pl__result_json_piece)(out, r, shape, at, out->n + more);
}

static int fill(struct pl_job *job)
{
    struct telling *x = job->pieces.state;
    struct told *told = x->told;
    return piece(&job->out, told->csv, &told->result, &told->shape, &x->at, PL__PIECE);
}

static void *share(void *state)
{
    struct told *told = ((struct telling *)state)->told;
    struct telling *x = calloc(1, sizeof(*x));
    if (x) {
        told->refs++;
        x->told = told;
    }
    return x;
}

static void telling_free(void *state)
{
    struct telling *x = state;
    if (--x->told->refs == 0) {
        pl_result_fini(&x->told->result);
        free(x->told);
    }
    pl__cursor_fini(&x->at);
    free(x);
}

static const struct pl__pieces_ops pieces = {.fill = fill, .share = share, .free = telling_free};

/* The rest of a long answer is sent in pieces; the result is taken. */
static void in_pieces(struct pl_job *job, struct pl_result *r, const struct pl__shape *shape,
                      struct pl__cursor *at, bool csv)
{
    struct telling *x = calloc(1, sizeof(*x));
    struct told *told = calloc(1, sizeof(*told));
    if (!x || !told) {
        free(x);
        free(told);
        pl__cursor_fini(at);
        pl_result_fini(r);
        job->out.failed = true;
        return;
    }
    *told = (struct told){.refs = 1, .result = *r, .shape = *shape, .csv = csv};
    *x = (struct telling){told, *at};
    job->pieces.ops = &pieces;
    job->pieces.state = x;
}

/* Text is made by all idle threads where there is much of it, and not so much that it is sent in
 * pieces. */
#define PARTS        8
#define PARTS_POINTS 20000
#define POINT_BYTES  40 /* at most, nearly always */

struct parts {
    const struct pl_result *r;
    size_t n; /* series */
    struct pl_buf out[PARTS];
};

static void make_part(void *ctx, size_t i)
{
    struct parts *p = ctx;
    pl__result_json_series(&p->out[i], p->r, p->n * i / PARTS, p->n * (i + 1) / PARTS);
}

/** The series of a matrix, all of them; or nothing, if it does not pay. */
static void in_parallel(struct pl_job *job, const struct pl_result *r,
                        const struct pl__shape *shape, struct pl__cursor *at)
{
    struct parts p = {.r = r, .n = shape->limit && shape->limit < r->n ? shape->limit : r->n};
    size_t points = 0, bytes = 0;
    for (size_t i = 0; i < p.n && r->type == PL_VALUE_MATRIX; i++) {
        points += r->series[i].n;
        bytes += r->series[i].labels.n + r->series[i].n * POINT_BYTES;
    }
    if (points < PARTS_POINTS || bytes > FIRST_BYTES || p.n < PARTS || !job->api->conf.pool) {
        return;
    }
    piece(&job->out, false, r, shape, at, 0); /* what comes before them */
    pl_pool_for(job->api->conf.pool, PARTS, make_part, &p);
    for (size_t i = 0; i < PARTS; i++) {
        pl_buf_add(&job->out, p.out[i].p, p.out[i].n);
        job->out.failed |= p.out[i].failed;
        pl_buf_fini(&p.out[i]);
    }
    at->series = p.n;
}

/* The result is taken. */
static void answer(struct pl_job *job, struct pl_result *r)
{
    const struct pl_job_args *args = &job->args;
    struct pl__shape shape = {.limit = args->limit,
                              .stats = args->stats,
                              .queue_ns = job->queue_ns,
                              .start = args->t0,
                              .end = args->t1,
                              .step = args->step};
    job->content_type = pl__content_type(args->format);
    if (args->format == PL__MSGPACK) {
        pl__result_msgpack(&job->out, r, &shape);
    } else {
        struct pl__cursor at = {0};
        bool csv = args->format == PL__CSV;
        if (!csv) {
            in_parallel(job, r, &shape, &at);
        }
        if (!piece(&job->out, csv, r, &shape, &at, FIRST_BYTES) && !job->out.failed) {
            in_pieces(job, r, &shape, &at, csv);
            return;
        }
        pl__cursor_fini(&at);
    }
    pl_result_fini(r);
}

static void fail(struct pl_job *job, int e, const struct pl_query_error *err)
{
    pl_count(job->api->query_errors, 1);
    if (e == PL_ECANCELED && job->active.killed) {
        pl__job_error(job, e, "query was canceled: killed through /api/v1/status/queries");
    } else {
        pl__job_query_error(job, e, e == PL_EPARSE ? "invalid parameter \"query\": " : "", err);
    }
}

static struct pl_query_conf conf_of(struct pl_job *job)
{
    const struct pl_api_conf *c = &job->api->conf;
    const struct pl_job_args *args = &job->args;
    return (struct pl_query_conf){
        .tenant = args->tenant,
        .pool = c->pool,
        .clock = c->clock,
        .lookback_ms = args->lookback_ms > 0 ? args->lookback_ms : c->query_lookback_ms,
        .deadline_mono_ns = args->deadline_ns,
        .max_samples = c->query_max_samples,
        .max_series = c->query_max_series,
        .max_memory_bytes = c->query_max_memory_bytes,
        .cancel = &job->cancel,
        .step_stats = args->stats == PL__STATS_ALL,
        .progress = &job->active.samples,
        .strict = args->strict,
        .early_names = c->query_early_names,
        .budget = job->api->budget.max_bytes ? &job->api->budget : NULL,
        .cache = args->nocache ? NULL : c->cache,
    };
}

/** Did it wait for too long, or for nobody? Then the answer is there. */
static bool gone(struct pl_job *job)
{
    struct pl_query_error err = {0};
    bool canceled = job->cancel;
    if (!canceled && !late(job)) {
        return false;
    }
    snprintf(err.text, sizeof(err.text), "query %s in query queue",
             canceled ? "was canceled" : "timed out");
    fail(job, canceled ? PL_ECANCELED : PL_ETIMEOUT, &err);
    return true;
}

void pl__query_run(struct pl_job *job)
{
    struct pl_api *a = job->api;
    const struct pl_job_args *args = &job->args;
    struct pl_query_conf conf = conf_of(job);
    struct pl_result result = {0};
    struct pl_query_error err = {0};
    if (!job->light) { /* that one is counted when it is answered */
        pl_count(a->queries, 1);
    }
    if (gone(job)) {
        return;
    }
    pl__light_limits(job, &conf);
    int64_t begun = pl_mono_ns(a->conf.clock);
    int e = args->step
                ? pl_query_range(&conf, args->text, args->t0, args->t1, args->step, &result, &err)
                : pl_query_instant(&conf, args->text, args->t0, &result, &err);
    job->heavy = job->light && e == PL_ELIMIT;
    if (job->heavy) {
        return;
    }
    if (job->light) {
        pl_count(a->queries, 1);
        pl_count(a->queries_on_loop, 1);
    }
    if (e < 0) {
        fail(job, e, &err);
        return;
    }
    pl_count(a->query_samples, result.stats.samples);
    struct pl_query_stats stats = result.stats;
    pl__job_keep_result(job, &result);
    answer(job, &result);
    int64_t ns = pl_mono_ns(a->conf.clock) - begun;
    pl__light_learn(job, &stats, ns);
    pl_histo_observe(a->query_seconds, (double)ns / 1e9);
}

void pl__explain_run(struct pl_job *job)
{
    const struct pl_job_args *args = &job->args;
    struct pl_query_conf conf = conf_of(job);
    struct pl_query_error err = {0};
    pl_count(job->api->queries, 1);
    if (gone(job)) {
        return;
    }
    pl_buf_z(&job->out, "{\"status\":\"success\",\"data\":");
    int e = pl_query_explain(&conf, args->text, args->t0, args->t1, args->step, args->analyze,
                             &job->out, &err);
    if (e < 0) {
        pl_buf_clear(&job->out);
        fail(job, e, &err);
        return;
    }
    pl_buf_u8(&job->out, '}');
}
