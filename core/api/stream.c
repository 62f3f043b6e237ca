/* The msgpack stream on a socket: docs/push.md#stream.
 *
 *     client                                        server
 *     [0, {"version":1, "producer":p, "tenant":t}]  [0, {"version":1, "last":seq, "max_bytes":n}]
 *     [1, handle, {labels}] ...
 *     [2, seq, handles, t, v] or [3, seq, [...]]    [2, seq]   all up to seq is durable
 *                                                   [3, seq, rejected, [[row, reason], ...]]
 *                                                   [1, 400, text]       a definition was refused
 *                                                   [15, status, text]   and the end
 *
 * A producer with a name may resume: after a break it connects, reads `last`, and sends on from
 * last + 1; what it sends twice is acknowledged and not stored twice.
 *
 * Threads: the connection's loop; `written` on the apply thread. A connection lives until its last
 * batch is back. */
#include "core/api/internal.h"
#include <stdlib.h>

#define IN_FLIGHT_MAX 64 /* batches; then reading pauses */
#define MESSAGE_MAX   (16u << 20)

struct conn {
    struct pl_api *api;
    struct pl_stream *s; /* NULL once closed */
    struct pl_loop *loop;
    struct pl_tenant *tenant;
    struct pl_session *session;
    struct pl_buf producer;
    uint64_t last_seq; /* accepted for writing */
    uint64_t durable;  /* acknowledged */
    size_t in_flight;
    bool greeted, paused;
    bool finishing; /* no more input: close when nothing is in flight */
};

struct flight {
    struct pl_task task;
    struct conn *c;
    uint64_t seq;
    int err;
    struct pl_ingest_report report;
};

static void conn_free(struct conn *c)
{
    if (c->session) {
        pl_session_free(c->session);
    }
    pl_buf_fini(&c->producer);
    free(c);
}

static void on_open(void *ctx, struct pl_stream *s)
{
    struct conn *c = calloc(1, sizeof(*c));
    s->user = c;
    if (!c) {
        pl_stream_close(s);
        return;
    }
    c->api = ctx;
    c->s = s;
    c->loop = s->loop;
}

static void on_close(void *ctx, struct pl_stream *s)
{
    struct conn *c = s->user;
    (void)ctx;
    if (!c) {
        return;
    }
    c->s = NULL;
    if (c->in_flight == 0) {
        conn_free(c);
    }
}

/* The client has ended its half, or the server shuts down: what is in flight is still acknowledged.
 */
static void on_finish(void *ctx, struct pl_stream *s)
{
    struct conn *c = s->user;
    (void)ctx;
    if (c && c->in_flight) {
        c->finishing = true;
        pl_stream_pause(s); /* what a client sends on while we shut down is not ours any more */
    } else {
        pl_stream_close(s);
    }
}

/* kind: PL_STREAM_ERROR, or PL_STREAM_DEFINE of a definition that was refused alone. */
static void say_error(struct conn *c, enum pl_stream_kind kind, int status, const char *text)
{
    struct pl_buf out = PL_BUF_INIT;
    pl_mp_w_array(&out, 3);
    pl_mp_w_uint(&out, kind);
    pl_mp_w_int(&out, status);
    pl_mp_w_str(&out, pl_str_c(text));
    pl_stream_write(c->s, &out);
}

static void say_ack(struct conn *c, uint64_t seq, const struct pl_ingest_report *r)
{
    struct pl_buf out = PL_BUF_INIT;
    if (r && r->rejected) {
        pl_mp_w_array(&out, 4);
        pl_mp_w_uint(&out, 3);
        pl_mp_w_uint(&out, seq);
        pl_mp_w_uint(&out, r->rejected);
        pl_mp_w_array(&out, (uint32_t)r->n_first);
        for (size_t i = 0; i < r->n_first; i++) {
            pl_mp_w_array(&out, 2);
            pl_mp_w_uint(&out, r->first[i].at);
            pl_mp_w_str(&out, pl_str_c(pl_reject_label(r->first[i].why)));
        }
    } else {
        pl_mp_w_array(&out, 2);
        pl_mp_w_uint(&out, 2);
        pl_mp_w_uint(&out, seq);
    }
    pl_stream_write(c->s, &out);
}

/* Back on the loop: a batch's fate is known. */
static void landed(struct pl_task *task)
{
    struct flight *f = (struct flight *)task;
    struct conn *c = f->c;
    c->in_flight--;
    if (!c->s) {
        if (c->in_flight == 0) {
            conn_free(c);
        }
    } else if (f->err < 0) {
        say_error(c, PL_STREAM_ERROR, pl__status_of(f->err), pl_err_text(f->err));
        pl_stream_close(c->s);
    } else {
        c->durable = f->seq;
        say_ack(c, f->seq, &f->report);
        if (c->paused && !c->finishing && c->in_flight < IN_FLIGHT_MAX / 2) {
            c->paused = false;
            pl_stream_resume(c->s);
        }
        if (c->finishing && c->in_flight == 0) {
            pl_stream_close(c->s);
        }
    }
    free(f);
}

static void written(struct pl_batch *b, int err)
{
    struct flight *f = b->user;
    f->err = err;
    pl_batch_free(b);
    pl_loop_post(f->c->loop, &f->task);
}

static int hello(struct conn *c, const struct pl_stream_msg *m, char *why, size_t n_why)
{
    struct pl_api *a = c->api;
    pl_str name = m->tenant.n ? m->tenant : PL_STR("default");
    bool create = a->conf.tenants_auto || pl_str_eq(name, PL_STR("default"));
    int e = pl_store_tenant(a->conf.store, name, create, &c->tenant);
    if (e < 0 || m->producer.n > 200) {
        snprintf(why, n_why,
                 e < 0 ? "unknown tenant \"%.*s\"" : "producer \"%.*s\": over 200 bytes",
                 PL_PRS(e < 0 ? name : m->producer));
        return e < 0 ? e : PL_EINVAL;
    }
    e = pl_session_new(c->tenant, &c->session);
    if (e < 0) {
        snprintf(why, n_why, "%s", pl_err_text(e));
        return e;
    }
    pl_buf_str(&c->producer, m->producer);
    c->last_seq = c->durable = m->producer.n ? pl_idem_last(c->tenant, m->producer) : 0;
    c->greeted = true;
    struct pl_buf out = PL_BUF_INIT;
    pl_mp_w_array(&out, 2);
    pl_mp_w_uint(&out, PL_STREAM_HELLO);
    pl_mp_w_map(&out, 3);
    pl_mp_w_str(&out, PL_STR("version"));
    pl_mp_w_uint(&out, 1);
    pl_mp_w_str(&out, PL_STR("last"));
    pl_mp_w_uint(&out, c->last_seq);
    pl_mp_w_str(&out, PL_STR("max_bytes"));
    pl_mp_w_uint(&out, MESSAGE_MAX);
    pl_stream_write(c->s, &out);
    return 0;
}

/* 0, PL_EAGAIN (pause: too much is in flight), or an error that ends the connection. */
static int samples(struct conn *c, const struct pl_stream_msg *m, char *why, size_t n_why)
{
    struct pl_api *a = c->api;
    if (m->seq <= c->last_seq && c->producer.n) { /* sent again */
        if (m->seq <= c->durable) {
            say_ack(c, m->seq, NULL);
        } /* else it is in flight, and its acknowledgement will come */
        return 0;
    }
    if (c->producer.n && m->seq != c->last_seq + 1) {
        snprintf(why, n_why, "sequence %llu follows %llu: it must go up by one",
                 (unsigned long long)m->seq, (unsigned long long)c->last_seq);
        return PL_EINVAL;
    }
    if (c->in_flight >= IN_FLIGHT_MAX) {
        return PL_EAGAIN;
    }
    struct pl_batch *b;
    int e = pl_batch_new(c->tenant, &b);
    if (e == PL_EBUSY && c->in_flight) {
        return PL_EAGAIN;
    }
    if (e < 0) {
        snprintf(why, n_why, "%s", pl_err_text(e));
        return e;
    }
    struct flight *f = calloc(1, sizeof(*f));
    e = f ? pl_stream_samples(a->ingest[pl_loop_index(c->loop)], m, c->session, b, &f->report)
          : PL_ENOMEM;
    if (e == 0 && c->producer.n) {
        e = pl_batch_stream_seq(b, pl_buf_view(&c->producer), m->seq);
    }
    if (e < 0) {
        snprintf(why, n_why, "sequence %llu: %.150s", (unsigned long long)m->seq,
                 f && f->report.error[0] ? f->report.error : pl_err_text(e));
        pl_batch_free(b);
        free(f);
        return e;
    }
    f->task.run = landed;
    f->c = c;
    f->seq = c->last_seq = m->seq;
    b->user = f;
    c->in_flight++;
    pl_batch_write(b, written);
    return 0;
}

static int message(struct conn *c, const struct pl_stream_msg *m, char *why, size_t n_why)
{
    if (m->kind == PL_STREAM_HELLO && !c->greeted) {
        return hello(c, m, why, n_why);
    }
    if (!c->greeted || m->kind == PL_STREAM_HELLO) {
        snprintf(why, n_why, c->greeted ? "a second hello" : "the first message must be a hello");
        return PL_EINVAL;
    }
    if (m->kind == PL_STREAM_DEFINE) {
        int e = pl_stream_define(c->api->ingest[pl_loop_index(c->loop)], m, c->tenant, c->session,
                                 why, n_why);
        if (e == PL_EINVAL) { /* bad labels: this handle is not defined, the rest goes on */
            say_error(c, PL_STREAM_DEFINE, 400, why);
            return 0;
        }
        return e == PL_EBUSY && c->in_flight ? PL_EAGAIN : e;
    }
    return samples(c, m, why, n_why);
}

static int64_t on_data(void *ctx, struct pl_stream *s, const uint8_t *p, size_t n)
{
    struct conn *c = s->user;
    size_t used = 0;
    char why[200] = "";
    (void)ctx;
    if (!c) {
        return PL_ENOMEM;
    }
    while (used < n) {
        struct pl_stream_msg m;
        int64_t k = pl_stream_next(p + used, n - used, &m, why, sizeof(why));
        int e = k == PL_EAGAIN ? 0 : k < 0 ? (int)k : message(c, &m, why, sizeof(why));
        if (e == PL_EAGAIN) {
            c->paused = true;
            pl_stream_pause(s);
            break;
        }
        if (e < 0) {
            say_error(c, PL_STREAM_ERROR, pl__status_of(e), why);
            pl_stream_close(s);
            return (int64_t)n;
        }
        if (k == PL_EAGAIN) {
            break;
        }
        used += (size_t)k;
    }
    return (int64_t)used;
}

void pl__stream_init(struct pl_api *a)
{
    a->stream = (struct pl_stream_handler){.ctx = a,
                                           .open = on_open,
                                           .data = on_data,
                                           .close = on_close,
                                           .finish = on_finish,
                                           .max_buffer = MESSAGE_MAX + 4096};
}
