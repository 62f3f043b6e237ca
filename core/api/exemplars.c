/* /api/v1/query_exemplars. Threads: parsed on the loop, run on the pool. */
#include "core/api/internal.h"

struct answer {
    struct pl_job *job;
    struct pl_json_w w;
    bool open; /* a series has begun */
};

static void close_series(struct answer *x)
{
    if (x->open) {
        pl_json_arr_end(&x->w);
        pl_json_obj_end(&x->w);
    }
    x->open = false;
}

static void labels_field(struct answer *x, const char *key, pl_str canon)
{
    pl_json_key(&x->w, key);
    pl__labels_json(x->w.out, canon);
    x->w.comma = true;
}

static bool one(void *ctx, const struct pl_exemplar *e)
{
    struct answer *x = ctx;
    char text[PL_NUMBER_MAX];
    if (e->first) {
        close_series(x);
        pl_json_obj(&x->w);
        labels_field(x, "seriesLabels", e->series);
        pl_json_key(&x->w, "exemplars");
        pl_json_arr(&x->w);
        x->open = true;
    }
    pl_json_obj(&x->w);
    labels_field(x, "labels", e->labels);
    pl_json_field_str(&x->w, "value", pl_str_mem(text, pl_number_text(e->v, text)));
    pl_json_key(&x->w, "timestamp");
    pl_json_raw(&x->w, pl_str_mem(text, pl_number_time_ms(e->t, text)));
    pl_json_obj_end(&x->w);
    return !x->job->cancel;
}

static void work(struct pl_job *job)
{
    struct answer x = {.job = job, .w = pl_json_w(&job->out)};
    pl_buf_z(&job->out, "{\"status\":\"success\",\"data\":");
    pl_json_arr(&x.w);
    int e = pl_tenant_exemplars(job->args.tenant, job->args.sel.sel, job->args.sel.n, job->args.t0,
                                job->args.t1, one, &x);
    if (e < 0) {
        pl__job_error(job, e, "%s", pl_err_text(e));
        return;
    }
    close_series(&x);
    pl_json_arr_end(&x.w);
    pl_buf_u8(&job->out, '}');
}

void pl__ep_query_exemplars(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {.t0 = INT64_MIN, .t1 = INT64_MAX};
    struct pl_query_error err;
    if (!pl__tenant(a, req, false, &with.tenant) || !pl__time_param(req, "start", &with.t0) ||
        !pl__time_param(req, "end", &with.t1)) {
        return;
    }
    if (with.t1 < with.t0) {
        pl__reply_error(req, PL_EPARSE, "end timestamp must not be before start timestamp");
        return;
    }
    if (!pl__query_param(req, &with.text)) {
        return;
    }
    pl_arena_init(&with.sel.arena, PL__ARENA_MAX);
    if (pl_query_selectors(&with.sel.arena, with.text, &with.sel.sel, &with.sel.n, &err) < 0) {
        pl__selectors_fini(&with.sel);
        pl__reply_query_error(req, "", &err);
        return;
    }
    if (!with.sel.n) { /* as Prometheus */
        pl__selectors_fini(&with.sel);
        pl_http_reply(req, 204, NULL, NULL);
        return;
    }
    pl__job_start(a, req, a->conf.pool, true, work, &with);
}
