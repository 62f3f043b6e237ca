/* /api/v1/metadata. Threads: parsed on the loop, run on the pool. */
#include "core/api/internal.h"

struct entries {
    struct pl_job *job;
    struct pl_json_w w;
    uint64_t n;
};

static bool one(void *ctx, const struct pl_metadata *m)
{
    struct entries *e = ctx;
    if (e->n >= e->job->args.limit || e->job->cancel) {
        return false;
    }
    e->n++;
    pl_json_key_s(&e->w, m->metric);
    pl_json_arr(&e->w);
    pl_json_obj(&e->w);
    pl_json_field_str(&e->w, "type", pl_str_c(pl_metric_type_text(m->type)));
    pl_json_field_str(&e->w, "help", m->help);
    pl_json_field_str(&e->w, "unit", m->unit);
    pl_json_obj_end(&e->w);
    pl_json_arr_end(&e->w);
    return true;
}

static void work(struct pl_job *job)
{
    struct entries x = {.job = job, .w = pl_json_w(&job->out)};
    pl_buf_z(&job->out, "{\"status\":\"success\",\"data\":");
    pl_json_obj(&x.w);
    int e = pl_tenant_metadata(job->args.tenant, job->args.text, one, &x);
    pl_json_obj_end(&x.w);
    if (e < 0 && e != PL_ENOTFOUND) {
        pl__job_error(job, e, "%s", pl_err_text(e));
    } else {
        pl_buf_u8(&job->out, '}');
    }
}

/* A limit in the words that Prometheus has for these: 0 is nothing at all, below it there is none.
 */
static bool limit_param(struct pl_http_req *req, const char *name, uint64_t *out)
{
    pl_str s = pl_http_param(req, name);
    int64_t n = -1;
    if (s.n && pl_str_i64(s, &n) < 0) {
        pl__reply_error(req, PL_EPARSE, "%s must be a number", name);
        return false;
    }
    *out = n >= 0 ? (uint64_t)n : UINT64_MAX;
    return true;
}

void pl__ep_metadata(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {0};
    uint64_t per_metric; /* we keep one entry a metric: any limit is kept */
    pl_str metric = pl_http_param(req, "metric");
    with.text = metric.n ? metric : PL_STR_NULL;
    if (pl__tenant(a, req, false, &with.tenant) && limit_param(req, "limit", &with.limit) &&
        limit_param(req, "limit_per_metric", &per_metric)) {
        pl__job_start(a, req, a->conf.pool, true, work, &with);
    }
}
