/* /api/v1/admin: flush, compact, deletion, backup, scrub. Threads: parsed on the loop, run on the
 * one thread for tasks, so that a long one never holds up queries. */
#include "core/api/internal.h"

static void finish(struct pl_job *job, int e, const char *what)
{
    if (e < 0) {
        pl__job_error(job, e, "%s: %s", what, pl_err_text(e));
    } else {
        pl_buf_z(&job->out, "{\"status\":\"success\"}");
    }
}

static void start(struct pl_api *a, struct pl_http_req *req, void (*work)(struct pl_job *))
{
    pl__job_start(a, req, a->conf.tasks, false, work, NULL);
}

static void work_flush(struct pl_job *job)
{
    finish(job, pl_store_flush(job->api->conf.store), "flush");
}

void pl__ep_flush(struct pl_api *a, struct pl_http_req *req) { start(a, req, work_flush); }

static void work_compact(struct pl_job *job)
{
    finish(job, pl_store_compact(job->api->conf.store), "compact");
}

void pl__ep_compact(struct pl_api *a, struct pl_http_req *req) { start(a, req, work_compact); }

void pl__ep_clean_tombstones(struct pl_api *a, struct pl_http_req *req)
{
    start(a, req, work_compact);
}

static void work_delete(struct pl_job *job)
{
    uint64_t n = 0;
    int e = pl_store_erase(job->args.tenant, job->args.sel.sel, job->args.sel.n, job->args.t0,
                           job->args.t1, &n);
    if (e < 0) {
        finish(job, e, "delete_series");
        return;
    }
    job->status = 204;
    job->content_type = NULL;
}

void pl__ep_delete_series(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {.t0 = INT64_MIN, .t1 = INT64_MAX};
    if (!pl__tenant(a, req, false, &with.tenant) || !pl__time_param(req, "start", &with.t0) ||
        !pl__time_param(req, "end", &with.t1) || !pl__selectors(req, &with.sel)) {
        return;
    }
    if (!with.sel.n || with.t1 < with.t0) {
        pl__reply_error(req, PL_EPARSE, "%s",
                        with.sel.n ? "invalid parameter \"end\": it is before start"
                                   : "no match[] parameter provided");
        pl__selectors_fini(&with.sel);
        return;
    }
    pl__job_start(a, req, a->conf.tasks, false, work_delete, &with);
}

/* A server that stops does not wait for a scrub. */
static bool stopping(void *ctx) { return !((struct pl_api *)ctx)->ready; }

static void work_scrub(struct pl_job *job)
{
    uint64_t packs, findings;
    int e = pl_store_scrub(job->api->conf.store, stopping, job->api, &packs, &findings);
    if (e < 0) {
        finish(job, e == PL_ECANCELED ? PL_ECLOSED : e, "scrub");
        return;
    }
    pl_buf_f(&job->out, "{\"status\":\"success\",\"data\":{\"packs\":%llu,\"findings\":%llu}}",
             (unsigned long long)packs, (unsigned long long)findings);
}

void pl__ep_scrub(struct pl_api *a, struct pl_http_req *req) { start(a, req, work_scrub); }

/* Progress is a metric, so that any client can show it. */
static void progress(void *ctx, uint64_t done, uint64_t total)
{
    struct pl_api *a = ctx;
    a->backup_done = done;
    a->backup_total = total;
}

static void work_backup(struct pl_job *job)
{
    struct pl_api *a = job->api;
    a->backup_done = a->backup_total = 0;
    int e = pl_store_backup(a->conf.store, job->args.text.p, progress, a);
    if (e == PL_EEXIST) {
        pl__job_error(job, e,
                      "backup: %s holds a data directory (it has a file LOCK): name another",
                      job->args.text.p);
    } else if (e < 0) {
        pl__job_error(job, e == PL_ENOTFOUND ? PL_EIO : e, "backup into %s: %s", job->args.text.p,
                      pl_err_text(e));
    } else {
        pl_buf_f(&job->out, "{\"status\":\"success\",\"data\":{\"bytes\":%llu}}",
                 (unsigned long long)a->backup_done);
    }
}

void pl__ep_backup(struct pl_api *a, struct pl_http_req *req)
{
    pl_str dir = pl_arena_dup(&req->arena, pl_http_param(req, "dir"));
    if (!dir.n || dir.p[0] != '/') {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"dir\": an absolute path on the server is needed");
        return;
    }
    struct pl_job_args with = {.text = dir};
    pl__job_start(a, req, a->conf.tasks, false, work_backup, &with);
}

/* A backup under the data directory, as Prometheus names it: 20240102T030405Z-0123456789abcdef. */
static void work_snapshot(struct pl_job *job)
{
    struct pl_api *a = job->api;
    struct pl_buf name = PL_BUF_INIT, dir = PL_BUF_INIT;
    struct pl_buf when = PL_BUF_INIT;
    int64_t now = pl_now_ms(a->conf.clock), unique[2] = {now, pl_mono_ns(a->conf.clock)};
    pl_time_text(now, &when); /* 2024-01-02T03:04:05.678Z */
    for (size_t i = 0; i < 19 && i < when.n; i++) {
        if (when.p[i] != '-' && when.p[i] != ':') {
            pl_buf_u8(&name, when.p[i]);
        }
    }
    pl_buf_f(&name, "Z-%016llx",
             (unsigned long long)(pl_hash64(unique, sizeof(unique), 0) & INT64_MAX));
    pl_buf_f(&dir, "%s/snapshots/%.*s%c", a->conf.data_dir, PL_PRS(pl_buf_view(&name)), 0);
    a->backup_done = a->backup_total = 0;
    int e = dir.failed ? PL_ENOMEM : pl_store_backup(a->conf.store, (char *)dir.p, progress, a);
    if (e < 0) {
        finish(job, e == PL_ENOTFOUND ? PL_EIO : e, "create snapshot");
    } else {
        pl_buf_f(&job->out, "{\"status\":\"success\",\"data\":{\"name\":\"%.*s\"}}",
                 PL_PRS(pl_buf_view(&name)));
    }
    pl_buf_fini(&when);
    pl_buf_fini(&name);
    pl_buf_fini(&dir);
}

void pl__ep_snapshot(struct pl_api *a, struct pl_http_req *req)
{
    if (!a->conf.data_dir) {
        pl__reply_error(req, PL_EINVAL, "there is no data directory to put it in");
    } else if (pl__bool_param(req, "skip_head")) { /* what is in the head is flushed either way */
        start(a, req, work_snapshot);
    }
}
