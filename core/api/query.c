/* /api/v1/query, query_range, format_query. Threads: parsed on the loop, run on the pool. */
#include "core/api/internal.h"

static int64_t deadline(struct pl_api *a, int64_t timeout_ms)
{
    if (timeout_ms <= 0 || timeout_ms > a->conf.query_timeout_ms) {
        timeout_ms = a->conf.query_timeout_ms;
    }
    int64_t ns; /* of 292 years and more: none */
    return __builtin_mul_overflow(timeout_ms, 1000000, &ns) ||
                   __builtin_add_overflow(ns, pl_mono_ns(a->conf.clock), &ns)
               ? 0
               : ns;
}

static void run(struct pl_job *job)
{
    struct pl_api *a = job->api;
    struct pl_query_conf conf = {
        .tenant = job->args.tenant,
        .pool = a->conf.pool,
        .clock = a->conf.clock,
        .lookback_ms = a->conf.query_lookback_ms,
        .deadline_mono_ns = job->args.deadline_ns,
        .max_samples = a->conf.query_max_samples,
        .max_series = a->conf.query_max_series,
        .max_memory_bytes = a->conf.query_max_memory_bytes,
        .cancel = &job->cancel,
    };
    struct pl_result result = {0};
    struct pl_query_error err = {0};
    int64_t begun = pl_mono_ns(a->conf.clock);
    int e = job->args.step ? pl_query_range(&conf, job->args.text, job->args.t0, job->args.t1,
                                            job->args.step, &result, &err)
                           : pl_query_instant(&conf, job->args.text, job->args.t0, &result, &err);
    pl_count(a->queries, 1);
    if (e < 0) {
        pl_count(a->query_errors, 1);
        pl__job_error(job, e, "%s%s", e == PL_EPARSE ? "invalid parameter \"query\": " : "",
                      err.text);
        return;
    }
    pl_count(a->query_samples, result.stats.samples);
    pl__result_json(&job->out, &result, job->args.limit);
    pl_result_fini(&result);
    pl_histo_observe(a->query_seconds, (double)(pl_mono_ns(a->conf.clock) - begun) / 1e9);
}

static bool text_param(struct pl_http_req *req, pl_str *out)
{
    *out = pl_http_param(req, "query");
    if (!out->p || !out->n) {
        pl__reply_error(req, PL_EPARSE, "invalid parameter \"query\": it is missing or empty");
        return false;
    }
    return true;
}

static void start(struct pl_api *a, struct pl_http_req *req, struct pl_job_args *args,
                  int64_t timeout_ms)
{
    args->deadline_ns = deadline(a, timeout_ms);
    pl__job_start(a, req, a->conf.pool, true, run, args);
}

void pl__ep_query(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {.t0 = pl_now_ms(a->conf.clock)};
    int64_t timeout_ms = 0;
    if (pl__tenant(a, req, false, &with.tenant) && text_param(req, &with.text) &&
        pl__time_param(req, "time", &with.t0) && pl__duration_param(req, "timeout", &timeout_ms) &&
        pl__u64_param(req, "limit", &with.limit)) {
        start(a, req, &with, timeout_ms);
    }
}

void pl__ep_query_range(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {.t0 = INT64_MIN, .t1 = INT64_MIN};
    int64_t timeout_ms = 0;
    if (!pl__tenant(a, req, false, &with.tenant) || !text_param(req, &with.text) ||
        !pl__time_param(req, "start", &with.t0) || !pl__time_param(req, "end", &with.t1) ||
        !pl__duration_param(req, "step", &with.step) ||
        !pl__duration_param(req, "timeout", &timeout_ms) ||
        !pl__u64_param(req, "limit", &with.limit)) {
        return;
    }
    if (with.t0 == INT64_MIN || with.t1 == INT64_MIN) {
        pl__reply_error(req, PL_EPARSE, "invalid parameter \"%s\": it is missing",
                        with.t0 == INT64_MIN ? "start" : "end");
    } else if (with.t1 < with.t0) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"end\": end timestamp must not be before start time");
    } else if (with.step <= 0) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"step\": zero or negative query resolution step widths "
                        "are not accepted. Try a positive integer");
    } else if ((with.t1 - with.t0) / with.step > 11000) {
        pl__reply_error(
            req, PL_EPARSE,
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing "
            "the query resolution (?step=XX)");
    } else {
        start(a, req, &with, timeout_ms);
    }
}

void pl__ep_format_query(struct pl_api *a, struct pl_http_req *req)
{
    pl_str text;
    struct pl_expr *expr;
    struct pl_query_error err;
    struct pl_arena arena;
    struct pl_buf out = PL_BUF_INIT, formatted = PL_BUF_INIT;
    (void)a;
    if (!text_param(req, &text)) {
        return;
    }
    pl_arena_init(&arena, 64u << 20);
    if (pl_query_parse(&arena, text, &expr, &err) < 0) {
        pl__reply_error(req, PL_EPARSE, "invalid parameter \"query\": %s", err.text);
    } else {
        pl_query_text(expr, &formatted);
        pl_buf_z(&out, "{\"status\":\"success\",\"data\":");
        struct pl_json_w w = pl_json_w(&out);
        pl_json_str(&w, pl_buf_view(&formatted));
        pl_buf_u8(&out, '}');
        pl__reply_json(req, 200, &out);
    }
    pl_buf_fini(&formatted);
    pl_arena_fini(&arena);
}
