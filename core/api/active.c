/* The queries that wait, run or send: /api/v1/status/queries shows them, DELETE ends one. A job is
 * in the list from when it is given to the pool until the end of its answer; whoever looks at one
 * holds the lock, so that it cannot go. Thread: loops; `samples` and `running` are written by the
 * query. */
#include "core/api/internal.h"

static struct pl_job *job_of(struct pl__active *x)
{
    return (struct pl_job *)((char *)x - offsetof(struct pl_job, active));
}

void pl__active_add(struct pl_job *job)
{
    struct pl_api *a = job->api;
    struct pl__active *x = &job->active;
    x->started_ms = pl_now_ms(a->conf.clock);
    pthread_mutex_lock(&a->active_lock);
    x->id = ++a->active_id;
    x->prev = NULL;
    x->next = a->active;
    if (x->next) {
        x->next->prev = x;
    }
    a->active = x;
    pthread_mutex_unlock(&a->active_lock);
}

void pl__active_remove(struct pl_job *job)
{
    struct pl_api *a = job->api;
    struct pl__active *x = &job->active;
    if (!x->id) {
        return;
    }
    pthread_mutex_lock(&a->active_lock);
    *(x->prev ? &x->prev->next : &a->active) = x->next;
    if (x->next) {
        x->next->prev = x->prev;
    }
    pthread_mutex_unlock(&a->active_lock);
    x->id = 0;
}

void pl__active_sends(struct pl_job *job)
{
    struct pl_api *a = job->api;
    if (!job->args.listed) {
        return;
    }
    if (!job->active.id) { /* it ran on its loop, or waited with another */
        pl__active_add(job);
    }
    pthread_mutex_lock(&a->active_lock);
    job->active.sends = true;
    pthread_mutex_unlock(&a->active_lock);
}

static void one(struct pl_json_w *w, struct pl__active *x)
{
    const struct pl_job *job = job_of(x);
    int64_t ns = pl_mono_ns(job->api->conf.clock) - job->begun_ns;
    pl_json_obj(w);
    pl_json_field_i64(w, "id", (int64_t)x->id);
    pl_json_field_str(w, "tenant", pl_tenant_name(job->args.tenant));
    pl_json_field_str(w, "client", job->req->peer);
    pl_json_field_str(w, "kind", pl_str_c(job->args.listed));
    pl_json_field_str(w, "query", job->args.text);
    pl__json_time(w, "start", job->args.t0);
    pl__json_time(w, "end", job->args.t1);
    pl_json_field_f64(w, "step", (double)job->args.step / 1000);
    pl_json_field_str(w, "state",
                      x->killed    ? PL_STR("killed")
                      : x->sends   ? PL_STR("sending")
                      : x->running ? PL_STR("running")
                                   : PL_STR("waiting"));
    pl__json_time(w, "since", x->started_ms);
    pl_json_field_f64(w, "elapsedSeconds", (double)ns / 1e9);
    pl_json_field_i64(w, "samples", (int64_t)x->samples);
    pl_json_obj_end(w);
}

/* With X-Scope-OrgID only those of that tenant. */
static bool shown(const struct pl_http_req *req, const struct pl__active *x)
{
    pl_str name = pl_http_header(req, "X-Scope-OrgID");
    const struct pl_job *job = job_of((struct pl__active *)x);
    return !name.n || pl_str_eq(name, pl_tenant_name(job->args.tenant));
}

void pl__ep_queries(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    struct pl_json_w w = pl_json_w(&out);
    pl_buf_z(&out, "{\"status\":\"success\",\"data\":{\"queries\":");
    pl_json_arr(&w);
    pthread_mutex_lock(&a->active_lock);
    for (struct pl__active *x = a->active; x; x = x->next) {
        if (shown(req, x)) {
            one(&w, x);
        }
    }
    pthread_mutex_unlock(&a->active_lock);
    pl_json_arr_end(&w);
    pl_buf_z(&out, "}}");
    pl__reply_json(req, 200, &out);
}

void pl__ep_query_kill(struct pl_api *a, struct pl_http_req *req)
{
    pl_str text = pl__segment(req->path, 4);
    uint64_t id;
    bool found = false;
    if (pl_str_u64(text, &id) < 0) {
        pl__reply_error(req, PL_EPARSE,
                        "\"%.*s\" is not the id of a query: GET /api/v1/status/queries "
                        "lists them",
                        PL_PRS(text));
        return;
    }
    pthread_mutex_lock(&a->active_lock);
    for (struct pl__active *x = a->active; x && !found; x = x->next) {
        if (x->id == id && shown(req, x)) {
            struct pl_job *job = job_of(x);
            found = true;
            job->cancel = true;
            if (x->sends && !x->killed) {
                job->pieces.kill_posted = true;
                pl_loop_post(job->pieces.loop, &job->pieces.kill);
            }
            x->killed = true;
        }
    }
    pthread_mutex_unlock(&a->active_lock);
    if (!found) {
        pl__reply_error(req, PL_ENOTFOUND, "no query %llu is waiting or running",
                        (unsigned long long)id);
        return;
    }
    struct pl_buf out = PL_BUF_INIT;
    pl_buf_f(&out, "{\"status\":\"success\",\"data\":{\"id\":%llu}}", (unsigned long long)id);
    pl__reply_json(req, 200, &out);
}
