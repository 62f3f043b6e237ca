/* Answers in pieces, for what is too large to be built whole: the pool writes a piece of the answer
 * (and compresses it, where the client takes gzip), the loop sends it, and asks for the next one
 * when the client has taken the last. So an answer holds a piece or two, however slow its client
 * is; one that takes nothing for --http-write-timeout is cut off by net.
 *
 * The work of a job begins: pl__pieces_first writes the first piece. If that was all, the answer is
 * a whole one like any other. Else the job lives on until its end:
 *
 *     loop   begin -> send -> (drained) -> next      ended by: the last piece, an error, a client
 *     pool     first ^        write a piece <-'      that goes away, a kill
 *
 * An error on the way can only be told in the last words of a format that has such; or the
 * connection is cut before its last chunk, and the client sees that something is missing.
 *
 * Threads: loop and pool in turn, told by `busy`; `kill` is posted by any loop. */
#include "core/api/internal.h"

#define PIECE_ROOM ((size_t)64 << 10) /* what a piece may be larger than it should */

static void free_later(struct pl_task *task) { pl__job_free((struct pl_job *)task); }

/* What it holds may be large: the pool frees it. */
static void let_go(struct pl_job *job)
{
    job->task.run = free_later;
    if (!pl_pool_submit(job->api->conf.pool, &job->task)) {
        pl__job_free(job);
    }
}

/* The request has its end, and so has the job; but not before a kill that was posted has come. */
static void end(struct pl_job *job, bool whole)
{
    pl__active_remove(job);
    (whole ? pl_http_reply_end : pl_http_reply_abort)(job->req);
    job->req = NULL;
    job->pieces.ended = true;
    if (!job->pieces.kill_posted) {
        let_go(job);
    }
}

static void next(struct pl_job *job);

/* On the loop: a piece is there. */
static void send(struct pl_job *job)
{
    struct pl__pieces *p = &job->pieces;
    bool some = job->out.n > 0;
    if (job->cancel || p->rc < 0 || !pl_http_reply_write(job->req, &job->out)) {
        end(job, false);
    } else if (p->rc > 0) {
        end(job, true);
    } else if (!some) { /* nothing to be drained */
        next(job);
    }
}

static void arrived(struct pl_task *task)
{
    struct pl_job *job = (struct pl_job *)task;
    job->pieces.busy = false;
    send(job);
}

/* Replace the piece by what it is compressed. */
static int zip(struct pl_job *job)
{
    struct pl_buf zipped = PL_BUF_INIT;
    struct pl__pieces *p = &job->pieces;
    if (!p->gzip && !(p->gzip = pl_gzip_new(1))) {
        return PL_ENOMEM;
    }
    int e = pl_gzip_add(p->gzip, pl_buf_view(&job->out), p->rc > 0, &zipped);
    pl_buf_fini(&job->out);
    job->out = zipped;
    return e;
}

/* On the pool. The first piece is there already when it comes here to be compressed. */
static void write_piece(struct pl_task *task)
{
    struct pl_job *job = (struct pl_job *)task;
    struct pl__pieces *p = &job->pieces;
    if (!job->cancel && !job->out.n) {
        pl_buf_reserve(&job->out, PL__PIECE + PIECE_ROOM);
        p->rc = p->ops->fill(job);
        if (p->rc >= 0 && job->out.failed) {
            p->rc = PL_ENOMEM;
        }
        if (p->rc < 0 && p->ops->last_words) {
            if (job->out.failed) {
                pl_buf_fini(&job->out);
            }
            p->ops->last_words(job, p->rc);
            p->rc = job->out.failed ? PL_ENOMEM : 1;
        }
    }
    if (p->zips && p->rc >= 0 && !job->cancel) {
        int e = zip(job);
        p->rc = e < 0 ? e : p->rc;
    }
    job->task.run = arrived;
    pl_loop_post(p->loop, &job->task);
}

static void next(struct pl_job *job)
{
    job->task.run = write_piece;
    job->pieces.busy = true;
    if (!pl_pool_submit(job->api->conf.pool, &job->task)) { /* it closes */
        job->pieces.busy = false;
        end(job, false);
    }
}

static void on_drained(struct pl_http_req *req)
{
    struct pl_job *job = req->user;
    if (!job->pieces.busy) {
        next(job);
    }
}

/* The client has gone. */
static void on_abort(struct pl_http_req *req)
{
    struct pl_job *job = req->user;
    job->cancel = true;
    if (!job->pieces.busy) {
        end(job, false);
    }
}

/* Killed while it may wait for its client. */
static void on_kill(struct pl_task *task)
{
    struct pl_job *job = (struct pl_job *)((char *)task - offsetof(struct pl_job, pieces.kill));
    job->pieces.kill_posted = false; /* nobody posts another */
    if (job->pieces.ended) {
        let_go(job);
    } else if (!job->pieces.busy) {
        end(job, false);
    }
}

void pl__pieces_begin(struct pl_job *job)
{
    struct pl_http_req *req = job->req;
    struct pl__pieces *p = &job->pieces;
    p->loop = req->loop;
    p->kill.run = on_kill;
    req->user = job;
    req->on_abort = on_abort;
    pl__active_sends(job);
    p->zips = pl_http_reply_zips(req, job->content_type);
    bool begun = pl_http_reply_begin(req, job->status, job->content_type) >= 0;
    pl_http_reply_on_drained(req, on_drained);
    if (!begun || job->cancel) {
        end(job, false);
    } else if (req->method == PL_HEAD) {
        end(job, true);
    } else if (p->zips || !job->out.n) {
        next(job);
    } else {
        send(job);
    }
}

int pl__pieces_first(struct pl_job *job, const struct pl__pieces_ops *ops, void *state, size_t most)
{
    int rc = 0;
    job->pieces.ops = ops;
    job->pieces.state = state;
    while (rc == 0 && job->out.n < most && !job->out.failed) {
        rc = job->cancel ? PL_ECANCELED : ops->fill(job);
    }
    if (rc != 0 || job->out.failed) {
        pl__pieces_drop(job);
    }
    return rc < 0 ? rc : job->out.failed ? PL_ENOMEM : 0;
}

void pl__pieces_share(const struct pl_job *job, struct pl_job *follower)
{
    const struct pl__pieces_ops *ops = job->pieces.ops;
    void *state = ops->share ? ops->share(job->pieces.state) : NULL;
    if (state) {
        follower->pieces.ops = ops;
        follower->pieces.state = state;
    } else {
        pl__job_error(follower, PL_ENOMEM, "out of memory");
    }
}

void pl__pieces_drop(struct pl_job *job)
{
    struct pl__pieces *p = &job->pieces;
    if (p->ops) {
        p->ops->free(p->state);
        p->ops = NULL;
        p->state = NULL;
    }
    pl_gzip_free(p->gzip);
    p->gzip = NULL;
}
