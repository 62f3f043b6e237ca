/* A job: the work of one request on a pool, and the answer back on its loop.
 *
 * Threads: made and answered on the request's loop, worked on a pool thread; in between it belongs
 * to the pool, but for `cancel`. */
#include "core/api/internal.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void pl__job_free(struct pl_job *job)
{
    pl__pieces_drop(job);
    pl__selectors_fini(&job->args.sel);
    pl_buf_fini(&job->out);
    pl_buf_fini(&job->key);
    free(job);
}

static void on_abort(struct pl_http_req *req) { pl__flight_abort(req->user); }

/** Nothing of it has been sent yet: it need not begin. */
static void drop_canceled(struct pl_job *job)
{
    if (job->pieces.ops && job->cancel) {
        pl__pieces_drop(job);
        pl__job_error(job, PL_ECANCELED, "query was canceled");
    }
}

static void answer(struct pl_task *task)
{
    struct pl_job *job = (struct pl_job *)task;
    struct pl_http_req *req = job->req;
    drop_canceled(job);
    if (job->pieces.ops) {
        pl__pieces_begin(job);
        return;
    }
    pl__active_remove(job);
    if (job->out.failed) {
        pl__reply_error(req, PL_ENOMEM, "out of memory while writing the answer");
    } else {
        if (job->status == 429 || job->status == 503 || job->status == 507) {
            pl_http_reply_header(req, "Retry-After",
                                 job->status == 507 ? PL_STR("10") : PL_STR("1"));
        }
        if (job->zipped) {
            pl__reply_zipped(req);
        }
        if (job->snappy) {
            pl_http_reply_header(req, "Content-Encoding", PL_STR("snappy"));
        }
        pl_http_reply(req, job->status, job->content_type, &job->out);
    }
    pl__job_free(job);
}

/** A copy of what the job answers, for one that waited with it. */
static void answer_too(const struct pl_job *job, struct pl_job *follower)
{
    follower->status = job->status;
    follower->content_type = job->content_type;
    follower->zipped = job->zipped;
    if (job->pieces.ops) {
        pl__pieces_share(job, follower);
    } else {
        pl_buf_add(&follower->out, job->out.p, job->out.n);
        follower->out.failed |= job->out.failed;
    }
    follower->task.run = answer;
    pl_loop_post(follower->req->loop, &follower->task);
}

/** To the loops of all that wait for the answer. */
static void finish(struct pl_job *job)
{
    struct pl_loop *loop = job->req->loop;
    drop_canceled(job); /* here, since what it holds may be large */
    for (struct pl_job *f = pl__flight_end(job), *next; f; f = next) {
        next = f->followers;
        answer_too(job, f);
    }
    job->task.run = answer;
    pl_loop_post(loop, &job->task);
}

void pl__job_run(struct pl_job *job)
{
    job->queue_ns = pl_mono_ns(job->api->conf.clock) - job->begun_ns;
    job->active.running = true;
    pl__flight_begin(job);
    job->work(job);
    finish(job);
}

static void on_pool(struct pl_task *task) { pl__job_run((struct pl_job *)task); }

static struct pl_job *job_new(struct pl_api *a, struct pl_http_req *req,
                              void (*work)(struct pl_job *job), const struct pl_job_args *args)
{
    struct pl_job *job = calloc(1, sizeof(*job));
    if (job) {
        job->api = a;
        job->req = req;
        job->work = work;
        job->args = *args;
        job->begun_ns = pl_mono_ns(a->conf.clock);
        job->status = 200;
        job->content_type = "application/json";
    }
    return job;
}

void pl__job_start(struct pl_api *a, struct pl_http_req *req, struct pl_pool *pool, bool limited,
                   void (*work)(struct pl_job *job), const struct pl_job_args *args)
{
    struct pl_job_args with = args ? *args : (struct pl_job_args){.nocache = true};
    struct pl_buf key = PL_BUF_INIT;
    if (args && pl__cached_answer(a, req, &with, &key)) {
        pl__selectors_fini(&with.sel);
        pl_buf_fini(&key);
        return;
    }
    struct pl_job *job = job_new(a, req, work, &with);
    if (!job) {
        pl__selectors_fini(&with.sel);
        pl_buf_fini(&key);
        pl__reply_error(req, PL_ENOMEM, "out of memory");
        return;
    }
    job->key = key;
    if (limited && pl__light_run(job)) {
        pl__flight_end(job);
        answer(&job->task);
        return;
    }
    if (limited && ++a->queries_waiting > a->conf.query_max_waiting) {
        a->queries_waiting--;
        pl_count(a->query_refused, 1);
        pl__reply_error(req, PL_ECLOSED,
                        "too many queries wait (limit %zu, --query-max-waiting): try again",
                        a->conf.query_max_waiting);
        pl__job_free(job);
        return;
    }
    req->user = job;
    req->on_abort = on_abort;
    if (pl__flight_join(job)) {
        a->queries_waiting -= limited;
        return;
    }
    job->task.run = on_pool;
    if (job->args.listed) {
        pl__active_add(job);
    }
    int e = limited                            ? pl__queue_put(a, pool, job)
            : pl_pool_submit(pool, &job->task) ? 0
                                               : PL_ECLOSED;
    if (e < 0) {
        a->queries_waiting -= limited;
        pl__job_error(job, PL_ECLOSED, e == PL_ENOMEM ? "out of memory" : "shutting down");
        finish(job);
    }
}

/** The error object in out, with a hint unless it is empty. */
static void put_error(struct pl_job *job, int err, const char *text, const char *hint)
{
    static const struct {
        int err, status;
        const char *type;
    } kinds[] = {
        {PL_EPARSE, 400, "bad_data"},     {PL_EINVAL, 422, "execution"},
        {PL_ELIMIT, 422, "execution"},    {PL_ETIMEOUT, 503, "timeout"},
        {PL_ECANCELED, 499, "canceled"},  {PL_EUNSUPPORTED, 422, "execution"},
        {PL_ENOTFOUND, 404, "not_found"}, {PL_EBUSY, 429, "unavailable"},
        {PL_EEXIST, 409, "bad_data"},     {PL_ECLOSED, 503, "unavailable"},
        {PL_ENOSPC, 507, "unavailable"},  {PL_EREADONLY, 503, "unavailable"},
    };
    const char *type = "internal";
    job->status = 500;
    job->content_type = "application/json";
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (kinds[i].err == err) {
            job->status = kinds[i].status;
            type = kinds[i].type;
        }
    }
    pl_buf_clear(&job->out);
    struct pl_json_w w = pl_json_w(&job->out);
    pl_json_obj(&w);
    pl_json_field_str(&w, "status", PL_STR("error"));
    pl_json_field_str(&w, "errorType", pl_str_c(type));
    pl_json_field_str(&w, "error", pl_str_c(text));
    if (hint[0]) {
        pl_json_field_str(&w, "hint", pl_str_c(hint));
    }
    pl_json_obj_end(&w);
}

void pl__job_error(struct pl_job *job, int err, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put_error(job, err, text, "");
}

void pl__job_query_error(struct pl_job *job, int err, const char *before,
                         const struct pl_query_error *why)
{
    char text[1024];
    snprintf(text, sizeof(text), "%s%s", before, why->text);
    put_error(job, err, text, why->hint);
}
