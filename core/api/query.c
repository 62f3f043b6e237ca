/* /api/v1/query and query_range: their parameters. Parsed on the loop; query_run.c runs them on the
 * pool. */
#include "core/api/internal.h"

bool pl__query_param(struct pl_http_req *req, pl_str *out)
{
    *out = pl_http_param(req, "query");
    if (!out->p || !out->n) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"query\": unknown position: parse error: no expression "
                        "found in input");
        return false;
    }
    return true;
}

/* What both take. `timeout=` may lower --query-timeout; at 0 or below it the time is up already. */
static bool options(struct pl_api *a, struct pl_http_req *req, struct pl_job_args *args)
{
    int64_t ms = a->conf.query_timeout_ms, ns;
    pl_str stats = pl_http_param(req, "stats");
    args->format = pl__accept(pl_http_header(req, "Accept"));
    if (!pl__limit_param(req, "limit", &args->limit) || !pl__duration_param(req, "timeout", &ms) ||
        !pl__duration_param(req, "lookback_delta", &args->lookback_ms)) {
        return false;
    }
    args->strict = a->conf.query_strict || pl_str_eq(pl_http_param(req, "strict"), PL_STR("1"));
    args->stats = !stats.n                          ? PL__STATS_NONE
                  : pl_str_eq(stats, PL_STR("all")) ? PL__STATS_ALL
                                                    : PL__STATS_SOME;
    if (ms > a->conf.query_timeout_ms) {
        ms = a->conf.query_timeout_ms;
    }
    args->deadline_ns = __builtin_mul_overflow(ms, 1000000, &ns) ||
                                __builtin_add_overflow(ns, pl_mono_ns(a->conf.clock), &ns)
                            ? 0 /* of 292 years and more: none */
                            : ns;
    return true;
}

void pl__ep_query(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {.t0 = pl_now_ms(a->conf.clock), .listed = "instant"};
    if (pl__tenant(a, req, false, &with.tenant) && options(a, req, &with) &&
        pl__time_param(req, "time", &with.t0) && pl__query_param(req, &with.text)) {
        with.t1 = with.t0;
        with.repeats = pl_http_param(req, "time").n > 0;
        pl__job_start(a, req, a->conf.pool, true, pl__query_run, &with);
    }
}

/* The checks of a range, in Prometheus' order and words. */
static const char *bad_range(const struct pl_job_args *args)
{
    if (args->t1 < args->t0) {
        return "invalid parameter \"end\": end timestamp must not be before start time";
    }
    if (args->step <= 0) {
        return "invalid parameter \"step\": zero or negative query resolution step widths are not "
               "accepted. Try a positive integer";
    }
    /* in unsigned arithmetic: the difference of any two times fits */
    if (((uint64_t)args->t1 - (uint64_t)args->t0) / (uint64_t)args->step > 11000) {
        return "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
               "query resolution (?step=XX)";
    }
    return NULL;
}

static void range(struct pl_api *a, struct pl_http_req *req, struct pl_job_args with,
                  void (*work)(struct pl_job *job))
{
    static const char *const needed[] = {"start", "end", "step"};
    if (!pl__tenant(a, req, false, &with.tenant)) {
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        if (!pl_http_param(req, needed[i]).n) {
            pl__reply_error(req, PL_EPARSE,
                            "invalid parameter \"%s\": cannot parse \"\" to a valid %s", needed[i],
                            i == 2 ? "duration" : "timestamp");
            return;
        }
    }
    if (!options(a, req, &with) || !pl__time_param(req, "start", &with.t0) ||
        !pl__time_param(req, "end", &with.t1) || !pl__duration_param(req, "step", &with.step)) {
        return;
    }
    const char *why = bad_range(&with);
    if (why) {
        pl__reply_error(req, PL_EPARSE, "%s", why);
    } else if (pl__query_param(req, &with.text)) {
        pl__job_start(a, req, a->conf.pool, true, work, &with);
    }
}

void pl__ep_query_range(struct pl_api *a, struct pl_http_req *req)
{
    range(a, req, (struct pl_job_args){.listed = "range", .repeats = true}, pl__query_run);
}

/* Of a range where one is given, else of an instant. */
void pl__ep_explain(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {.listed = "explain"};
    with.analyze = pl_str_eq(pl_http_param(req, "analyze"), PL_STR("1"));
    if (pl_http_param(req, "start").n || pl_http_param(req, "step").n) {
        range(a, req, with, pl__explain_run);
        return;
    }
    with.t0 = pl_now_ms(a->conf.clock);
    if (pl__tenant(a, req, false, &with.tenant) && options(a, req, &with) &&
        pl__time_param(req, "time", &with.t0) && pl__query_param(req, &with.text)) {
        with.t1 = with.t0;
        pl__job_start(a, req, a->conf.pool, true, pl__explain_run, &with);
    }
}
