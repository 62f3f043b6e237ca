/* POST /api/v1/push: our own format, with idempotency and sessions. docs/push.md.
 * Threads: the request's loop; a repeated push that waits for its first copy is woken on any
 * thread. */
#include "core/api/write.h"

#define NAME_MAX_BYTES 200 /* of a producer or a key */

static void answer_push(struct pl_write *w)
{
    struct pl_buf out = PL_BUF_INIT;
    pl__report_json(&out, w->accepted, &w->report);
    pl__reply_json(w->req, 200, &out);
}

/* By the content type, else by the first byte: `{` and `[` begin no msgpack map or list. */
static enum pl_push_format format_of(const struct pl_http_req *req, pl_str body)
{
    pl_str type = pl_http_header(req, "Content-Type");
    pl_str main = pl_str_trim(pl_str_cut(&type, ';'));
    if (pl_str_ieq(main, PL_STR("application/json"))) {
        return PL_PUSH_JSON;
    }
    if (pl_str_ieq(main, PL_STR("application/x-ndjson")) ||
        pl_str_ieq(main, PL_STR("application/jsonl")) ||
        pl_str_ieq(main, PL_STR("application/stream+json"))) {
        return PL_PUSH_JSONL;
    }
    if (pl_str_ieq(main, PL_STR("application/msgpack")) ||
        pl_str_ieq(main, PL_STR("application/x-msgpack")) ||
        pl_str_ieq(main, PL_STR("application/vnd.msgpack"))) {
        return PL_PUSH_MSGPACK;
    }
    body = pl_str_trim(body);
    return body.n && (*body.p == '{' || *body.p == '[') ? PL_PUSH_JSON : PL_PUSH_MSGPACK;
}

/* The first copy's answer, given again. */
static void repeated(struct pl_task *task)
{
    struct pl_write *w = (struct pl_write *)task;
    struct pl_buf reply = w->reply;
    w->reply = PL_BUF_INIT;
    if (w->err < 0) {
        pl_buf_fini(&reply);
        pl__write_error(w);
        return;
    }
    pl_http_reply_header(w->req, "Idempotent-Replay", PL_STR("true"));
    pl__reply_json(w->req, 200, &reply);
}

static void first_is_done(struct pl_idem_waiter *waiter, int err, pl_str reply)
{
    struct pl_write *w = waiter->user;
    w->err = err;
    pl_buf_clear(&w->reply);
    pl_buf_str(&w->reply, reply);
    w->task.run = repeated;
    pl_loop_post(w->req->loop, &w->task);
}

/* True: this is the first copy, go on. */
static bool first_copy(struct pl_write *w)
{
    w->waiter.done = first_is_done;
    w->waiter.user = w;
    bool named = w->producer.n > 0 && w->producer.n <= NAME_MAX_BYTES && w->key.n > 0 &&
                 w->key.n <= NAME_MAX_BYTES;
    int e =
        named ? pl_idem_begin(w->tenant, w->producer, w->key, &w->waiter, &w->reply) : PL_EINVAL;
    switch (e) {
    case PL_IDEM_NEW:
        return true;
    case PL_IDEM_DONE:
        repeated(&w->task);
        return false;
    case PL_IDEM_WAIT:
        return false;
    default:
        w->producer = PL_STR_NULL;
        w->err = e;
        if (!named) {
            snprintf(w->report.error, sizeof(w->report.error),
                     "producer and key: 1 to 200 bytes each");
        }
        pl__write_error(w);
        return false;
    }
}

/* False: answered, and no copy of this push waits any more. */
static bool borrow_session(struct pl_write *w, pl_str token, struct pl_session **out)
{
    *out = NULL;
    int e = token.p ? pl_sessions_get(w->api->sessions, w->tenant, token, out) : 0;
    if (e == 0) {
        return true;
    }
    if (w->producer.p) {
        pl_idem_abort(w->tenant, w->producer, w->key, e == PL_ENOTFOUND ? PL_EEXIST : e);
    }
    if (e == PL_ENOTFOUND) {
        pl__reply_error(w->req, PL_EEXIST,
                        "unknown session: open one with POST /api/v1/push/session and define the "
                        "handles again");
    } else {
        w->err = e;
        pl__write_error(w);
    }
    return false;
}

void pl__ep_push(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_ingest *g = a->ingest[pl_loop_index(req->loop)];
    struct pl_write *w = pl__write_new(a, req, answer_push); /* NULL: the request is gone */
    struct pl_push envelope = {0};
    struct pl_session *session;
    struct pl_batch *b;
    pl_str body;
    if (!w || !pl__write_open(w, false, &b, &body)) {
        return;
    }
    enum pl_push_format format = format_of(req, body);
    int e = pl_ingest_push_envelope(body, format, &req->arena, &envelope, &w->report);
    if (e < 0) {
        pl__write_commit(w, b, e);
        return;
    }
    pl_str header = pl_http_header(req, "Idempotency-Key");
    w->key = envelope.key.p ? envelope.key : header;
    w->producer = envelope.producer.p ? envelope.producer : w->key.p ? PL_STR("http") : PL_STR_NULL;
    if (!w->key.p) {
        w->producer = PL_STR_NULL;
    }
    if (w->producer.p && !first_copy(w)) {
        pl_batch_free(b);
        return;
    }
    if (!borrow_session(w, envelope.session, &session)) {
        pl_batch_free(b);
        return;
    }
    e = pl_ingest_push(g, body, format, session, b, &w->report);
    if (session) {
        pl_sessions_put(a->sessions, session);
    }
    if (e == 0 && w->producer.p) {
        struct pl_buf reply = PL_BUF_INIT;
        pl__report_json(&reply, b->n, &w->report);
        e = pl_batch_idem(b, w->producer, w->key, pl_buf_view(&reply));
        pl_buf_fini(&reply);
    }
    pl__write_commit(w, b, e);
}

void pl__ep_push_session(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_tenant *t;
    char token[33];
    if (!pl__tenant(a, req, true, &t)) {
        return;
    }
    int e = pl_sessions_open(a->sessions, t, token);
    if (e < 0) {
        pl__reply_error(req, PL_EBUSY, "too many sessions: idle ones end after an hour");
        return;
    }
    struct pl_buf out = PL_BUF_INIT;
    pl_buf_f(&out, "{\"status\":\"success\",\"data\":{\"session\":\"%s\"}}", token);
    pl__reply_json(req, 200, &out);
}
