/* /api/v1/series, labels, label/<name>/values, metadata. Threads: parsed on the loop, run on the
 * pool. */
#include "core/api/internal.h"

/* The answer as it grows: {"status":"success","data":[ ... ]}. */
struct list {
    struct pl_job *job;
    uint64_t n;
    bool cut; /* more than the limit */
};

static struct list list_begin(struct pl_job *job)
{
    pl_buf_z(&job->out, "{\"status\":\"success\",\"data\":[");
    return (struct list){job, 0, false};
}

static bool list_room(struct list *l)
{
    l->cut = l->job->args.limit && l->n >= l->job->args.limit;
    if (l->job->cancel || l->cut) {
        return false;
    }
    if (l->n++) {
        pl_buf_u8(&l->job->out, ',');
    }
    return true;
}

static bool list_string(void *ctx, pl_str s)
{
    struct list *l = ctx;
    if (!list_room(l)) {
        return false;
    }
    struct pl_json_w w = pl_json_w(&l->job->out);
    pl_json_str(&w, s);
    return true;
}

static void list_end(struct list *l, int e)
{
    if (e < 0) {
        pl__job_error(l->job, e, "%s", pl_err_text(e));
    } else {
        pl_buf_z(&l->job->out, l->cut ? "],\"warnings\":[\"" PL__TRUNCATED "\"]}" : "]}");
    }
}

static void work_series(struct pl_job *job)
{
    struct pl_select *sel;
    struct pl_buf labels = PL_BUF_INIT;
    struct list l = list_begin(job);
    int e = pl_select_new(job->args.tenant, job->args.sel.sel, job->args.sel.n, job->args.t0,
                          job->args.t1, job->api->conf.query_max_series, &sel);
    if (e < 0) {
        list_end(&l, e);
        return;
    }
    for (size_t i = 0, n = pl_select_count(sel); i < n && list_room(&l); i++) {
        pl_buf_clear(&labels);
        if (pl_select_labels(sel, i, &labels) >= 0) {
            pl__labels_json(&job->out, pl_buf_view(&labels));
        }
    }
    pl_select_free(sel);
    pl_buf_fini(&labels);
    list_end(&l, 0);
}

static void work_labels(struct pl_job *job)
{
    struct list l = list_begin(job);
    list_end(&l, pl_tenant_label_names(job->args.tenant, job->args.sel.sel, job->args.sel.n,
                                       job->args.t0, job->args.t1, list_string, &l));
}

static void work_values(struct pl_job *job)
{
    struct list l = list_begin(job);
    list_end(&l,
             pl_tenant_label_values(job->args.tenant, job->args.text, job->args.sel.sel,
                                    job->args.sel.n, job->args.t0, job->args.t1, list_string, &l));
}

/* match[], start, end, limit, then the pool. Without start and end: all times. */
static void start(struct pl_api *a, struct pl_http_req *req, bool needs_match, pl_str text,
                  void (*work)(struct pl_job *))
{
    struct pl_job_args with = {.text = text, .t0 = INT64_MIN, .t1 = INT64_MAX};
    if (!pl__tenant(a, req, false, &with.tenant) || !pl__time_param(req, "start", &with.t0) ||
        !pl__time_param(req, "end", &with.t1) || !pl__limit_param(req, "limit", &with.limit) ||
        !pl__selectors(req, &with.sel)) {
        return;
    }
    if (needs_match && !with.sel.n) {
        pl__reply_error(req, PL_EPARSE, "no match[] parameter provided");
        pl__selectors_fini(&with.sel);
        return;
    }
    if (with.t1 < with.t0) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"end\": end timestamp must not be before start time");
        pl__selectors_fini(&with.sel);
        return;
    }
    pl__job_start(a, req, a->conf.pool, true, work, &with);
}

void pl__ep_series(struct pl_api *a, struct pl_http_req *req)
{
    start(a, req, true, PL_STR_NULL, work_series);
}

void pl__ep_labels(struct pl_api *a, struct pl_http_req *req)
{
    start(a, req, false, PL_STR_NULL, work_labels);
}

void pl__ep_label_values(struct pl_api *a, struct pl_http_req *req)
{
    start(a, req, false, pl__segment(req->path, 3), work_values);
}

static bool one_metadata(void *ctx, const struct pl_metadata *m)
{
    struct list *l = ctx;
    if (!list_room(l)) {
        return false;
    }
    struct pl_json_w w = pl_json_w(&l->job->out);
    pl_json_str(&w, m->metric);
    pl_buf_z(&l->job->out, ":[");
    w.comma = false;
    pl_json_obj(&w);
    pl_json_key(&w, "type");
    pl_json_str(&w, pl_str_c(pl_metric_type_text(m->type)));
    pl_json_key(&w, "help");
    pl_json_str(&w, m->help);
    pl_json_key(&w, "unit");
    pl_json_str(&w, m->unit);
    pl_json_obj_end(&w);
    pl_buf_u8(&l->job->out, ']');
    return true;
}

static void work_metadata(struct pl_job *job)
{
    struct list l = {job, 0, false};
    pl_buf_z(&job->out, "{\"status\":\"success\",\"data\":{");
    int e = pl_tenant_metadata(job->args.tenant, job->args.text, one_metadata, &l);
    if (e < 0 && e != PL_ENOTFOUND) {
        pl__job_error(job, e, "%s", pl_err_text(e));
    } else {
        pl_buf_z(&job->out, "}}");
    }
}

void pl__ep_metadata(struct pl_api *a, struct pl_http_req *req)
{
    pl_str metric = pl_http_param(req, "metric");
    start(a, req, false, metric.n ? metric : PL_STR_NULL, work_metadata);
}
