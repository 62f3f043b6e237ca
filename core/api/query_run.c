/* A query on the pool: run it, and write the answer in the format that was asked for. */
#include "core/api/internal.h"

/* Prometheus counts the time in the queue as well. */
static bool late(const struct pl_job *job)
{
    return job->args.deadline_ns && pl_mono_ns(job->api->conf.clock) >= job->args.deadline_ns;
}

static void answer(struct pl_job *job, const struct pl_result *r)
{
    const struct pl_job_args *args = &job->args;
    struct pl__shape shape = {.limit = args->limit,
                              .stats = args->stats,
                              .queue_ns = job->queue_ns,
                              .start = args->t0,
                              .end = args->t1,
                              .step = args->step};
    pl__result_json(&job->out, r, &shape);
}

void pl__query_run(struct pl_job *job)
{
    struct pl_api *a = job->api;
    const struct pl_job_args *args = &job->args;
    struct pl_query_conf conf = {
        .tenant = args->tenant,
        .pool = a->conf.pool,
        .clock = a->conf.clock,
        .lookback_ms = args->lookback_ms > 0 ? args->lookback_ms : a->conf.query_lookback_ms,
        .deadline_mono_ns = args->deadline_ns,
        .max_samples = a->conf.query_max_samples,
        .max_series = a->conf.query_max_series,
        .max_memory_bytes = a->conf.query_max_memory_bytes,
        .cancel = &job->cancel,
    };
    struct pl_result result = {0};
    struct pl_query_error err = {0};
    pl_count(a->queries, 1);
    if (late(job)) {
        pl_count(a->query_errors, 1);
        pl__job_error(job, PL_ETIMEOUT, "query timed out in query queue");
        return;
    }
    int64_t begun = pl_mono_ns(a->conf.clock);
    int e = args->step
                ? pl_query_range(&conf, args->text, args->t0, args->t1, args->step, &result, &err)
                : pl_query_instant(&conf, args->text, args->t0, &result, &err);
    if (e < 0) {
        pl_count(a->query_errors, 1);
        pl__job_error(job, e, "%s%s", e == PL_EPARSE ? "invalid parameter \"query\": " : "",
                      err.text);
        return;
    }
    pl_count(a->query_samples, result.stats.samples);
    answer(job, &result);
    pl_result_fini(&result);
    pl_histo_observe(a->query_seconds, (double)(pl_mono_ns(a->conf.clock) - begun) / 1e9);
}
