/* An HTTP connection: its socket's events, sending, timeouts, closing. Runs on its loop.
 *
 * All work that can end a connection is done in pl__conn_service, which runs when a read or a write
 * is over, or before the loop polls; a handler that answers in the middle of parsing only appends.
 */
#include "core/net/conn.h"
#include <stdlib.h>

#define BODY_FIRST ((size_t)16 << 10) /* the first size of a body's buffer */
#define BODY_READ  ((size_t)4 << 10)  /* room under which it grows */

void pl__conn_dirty(struct pl__conn *c)
{
    if (!c->dirty.next && !c->io.closing) {
        pl__list_append(&c->io.loop->dirty, &c->dirty);
    }
}

void pl__conn_released(struct pl__conn *c)
{
    c->n_live--;
    if (c->gone && c->n_live == 0) {
        free(c);
    }
}

static void account(struct pl__conn *c)
{
    size_t bytes = (c->out.bytes > PL__SEG_BYTES ? c->out.bytes : 0) + c->stash.cap;
    pl__account(c->io.loop->net, &c->accounted, bytes);
}

static void shut(struct pl__conn *c, void (*how)(struct pl__io *io))
{
    if (c->io.closing) {
        return;
    }
    pl__timeout_stop(&c->in_timeout);
    pl__timeout_stop(&c->out_timeout);
    pl__list_remove(&c->dirty);
    how(&c->io);
    c->state = PL__CONN_SINK;
    pl_buf_fini(&c->stash);
    struct pl__request *r = c->first;
    if (c->cur && c->last != c->cur) {
        pl__request_free(c->cur);
    }
    c->first = c->last = c->cur = NULL;
    c->n_queue = 0;
    while (r) {
        struct pl__request *next = r->next;
        r->next = NULL;
        if (!r->dispatched || r->reply == PL__REPLY_DONE) {
            pl__request_free(r);
        } else if (r->pub.on_abort && !r->zipping) {
            r->pub.on_abort(&r->pub);
        }
        r = next;
    }
}

void pl__conn_close(struct pl__conn *c) { shut(c, c->io.t->close); }

void pl__conn_close_soon(struct pl__conn *c)
{
    c->broken = true;
    pl__conn_dirty(c);
}

void pl__conn_advance(struct pl__conn *c)
{
    struct pl__request *r;
    while (!c->close_when_sent && (r = c->first) != NULL) {
        if (r->want_continue && !r->whole) {
            static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
            pl__outq_add(&c->out, c->io.loop, text, sizeof(text) - 1);
            r->want_continue = false;
        }
        pl__outq_concat(&c->out, &r->out);
        if (r->reply != PL__REPLY_DONE) {
            return;
        }
        c->first = r->next;
        if (!c->first) {
            c->last = NULL;
        }
        c->n_queue--;
        if (r->close_after) { /* what came behind it is not answered */
            c->close_when_sent = true;
            c->state = PL__CONN_SINK;
        }
        pl__request_free(r);
    }
}

/* Tell a streaming writer that there is room. */
static void tell_drained(struct pl__conn *c)
{
    struct pl__request *r = c->first;
    if (r && r->reply == PL__REPLY_STREAMING && r->wrote && r->on_drained &&
        pl__outq_pending(&c->out, &c->io) <= PL__OUT_LOW) {
        r->wrote = false;
        r->on_drained(&r->pub);
    }
}

static void set_timers(struct pl__conn *c)
{
    struct pl_loop *l = c->io.loop;
    int64_t now = pl__now(l);
    if (c->lingering) {
        pl__timeout_keep(&l->linger, &c->in_timeout, now);
    } else if (c->state == PL__CONN_BODY || c->state == PL__CONN_CHUNKED ||
               c->state == PL__CONN_SKIP) {
        pl__timeout_keep(&l->body, &c->in_timeout, now);
    } else if (c->cur) {
        pl__timeout_keep(&l->header, &c->in_timeout, now);
    } else if (!c->first && c->out.bytes == 0) {
        pl__timeout_start(&l->idle, &c->in_timeout, now);
    } else {
        pl__timeout_stop(&c->in_timeout);
    }
    if (c->out.bytes == 0) {
        pl__timeout_stop(&c->out_timeout);
    } else if (!c->out_timeout.in) {
        c->sent_mark = c->sent;
        pl__timeout_start(&l->write, &c->out_timeout, now);
    }
}

/* All is answered and sent: is this the end? @return true: closed */
static bool finish(struct pl__conn *c)
{
    bool draining = atomic_load_explicit(&c->io.loop->net->draining, memory_order_relaxed);
    bool idle = !c->first && !c->cur && c->out.bytes == 0;
    if (c->lingering || !(c->close_when_sent ? c->out.bytes == 0 : idle && (c->eof || draining))) {
        return false;
    }
    if (c->eof || !(c->refused || (draining && c->sent))) {
        pl__conn_close(c);
        return true;
    }
    /* Unread input would turn the close into a reset, which may overtake the reply. */
    c->io.t->shutdown(&c->io);
    c->state = PL__CONN_SINK;
    c->lingering = true;
    return false;
}

static bool unstash(struct pl__conn *c)
{
    if (c->stash.n == 0 || !pl__conn_can_take(c)) {
        return false;
    }
    pl_str left = {(char *)c->stash.p + c->stash_used, c->stash.n - c->stash_used};
    c->stash_used += pl__conn_feed(c, left);
    if (c->stash_used >= c->stash.n) {
        pl_buf_fini(&c->stash);
        c->stash_used = 0;
    }
    return true;
}

void pl__conn_service(struct pl__conn *c)
{
    do {
        if (c->io.closing) {
            return;
        }
        if (c->broken) {
            pl__conn_close(c);
            return;
        }
        pl__conn_advance(c);
        ssize_t sent = pl__outq_flush(&c->out, &c->io);
        if (sent < 0) {
            pl__conn_close(c);
            return;
        }
        if (sent) {
            c->sent += (uint64_t)sent;
            pl_count(c->io.loop->net->m.bytes_out, (uint64_t)sent);
        }
        tell_drained(c);
    } while (unstash(c));
    if (c->io.closing || finish(c)) {
        return;
    }
    account(c);
    bool read =
        !c->eof && c->stash.n == 0 && (c->state != PL__CONN_HEAD || c->cur || pl__conn_can_take(c));
    if (!read) {
        c->io.t->read_stop(&c->io);
    } else if (c->io.t->read_start(&c->io) < 0) {
        pl__conn_close(c);
        return;
    }
    set_timers(c);
}

/* --- events of the socket --- */

static void on_room(struct pl__io *io, size_t hint, uv_buf_t *buf)
{
    struct pl__conn *c = (struct pl__conn *)io;
    (void)hint;
    if (c->state == PL__CONN_BODY) {
        struct pl_buf *b = &c->cur->body;
        uint64_t left = c->cur->body_left;
        if (b->cap - b->n < left && b->cap - b->n < BODY_READ) {
            uint64_t more = b->n > BODY_FIRST ? b->n : BODY_FIRST;
            pl_buf_reserve(b, (size_t)(more < left ? more : left));
        }
        uint64_t room = b->cap - b->n;
        if (!b->failed && room) {
            *buf = uv_buf_init((char *)b->p + b->n, (unsigned)(room < left ? room : left));
            return;
        }
    }
    *buf = uv_buf_init((char *)io->loop->read_buf, PL__READ_BYTES);
}

static void drop_incoming(struct pl__conn *c)
{
    struct pl__request *r = c->cur;
    c->cur = NULL;
    if (r == c->last) { /* its head is complete: take it out of the queue */
        struct pl__request *before = NULL;
        for (struct pl__request *q = c->first; q != r; q = q->next) {
            before = q;
        }
        c->last = before;
        if (before) {
            before->next = NULL;
        } else {
            c->first = NULL;
        }
        c->n_queue--;
    }
    pl__request_free(r);
}

static void on_eof(struct pl__conn *c)
{
    if (c->lingering) {
        pl__conn_close(c);
        return;
    }
    c->eof = true;
    c->state = PL__CONN_SINK;
    if (c->cur) {
        drop_incoming(c);
    }
    /* The client may have closed only its half; but whoever wants to know of a client that goes
     * away does long work, and a client that is gone looks the same. */
    for (struct pl__request *r = c->first; r; r = r->next) {
        if (r->pub.on_abort && r->reply != PL__REPLY_DONE) {
            pl__conn_close(c);
            return;
        }
    }
    pl__conn_service(c);
}

static void on_read(struct pl__io *io, const uint8_t *p, ssize_t n)
{
    struct pl__conn *c = (struct pl__conn *)io;
    if (n < 0) {
        pl__conn_close(c);
        return;
    }
    if (n == 0) {
        on_eof(c);
        return;
    }
    pl_count(io->loop->net->m.bytes_in, (uint64_t)n);
    if (p != io->loop->read_buf) {
        pl__conn_body_read(c, (size_t)n);
    } else {
        size_t used = pl__conn_feed(c, pl_str_mem(p, (size_t)n));
        if (used < (size_t)n && !io->closing) {
            pl_buf_add(&c->stash, p + used, (size_t)n - used);
            if (c->stash.failed) {
                pl__conn_close(c);
            }
        }
    }
    pl__conn_service(c);
}

static void on_written(struct pl__io *io, int status)
{
    struct pl__conn *c = (struct pl__conn *)io;
    size_t n = pl__outq_written(&c->out, io);
    if (status < 0) {
        pl__conn_close(c);
        return;
    }
    c->sent += n;
    pl_count(io->loop->net->m.bytes_out, n);
    pl__conn_service(c);
}

static void on_closed(struct pl__io *io)
{
    struct pl__conn *c = (struct pl__conn *)io;
    pl__outq_clear(&c->out, io->loop);
    pl__account(io->loop->net, &c->accounted, 0);
    c->gone = true;
    if (c->n_live == 0) {
        free(c);
    }
}

static void on_drain(struct pl__io *io)
{
    struct pl__conn *c = (struct pl__conn *)io;
    if (!io->closing) {
        pl__conn_service(c);
    }
}

static void on_kill(struct pl__io *io) { pl__conn_close((struct pl__conn *)io); }

static const struct pl__io_events events = {on_room,   on_read,  on_written,
                                            on_closed, on_drain, on_kill};

/* --- timeouts --- */

static struct pl__conn *by_in(struct pl__timeout *t)
{
    return PL__CONTAINER(t, struct pl__conn, in_timeout);
}

static void on_quiet(struct pl__timeout *t) { pl__conn_close(by_in(t)); }

static void on_header_timeout(struct pl__timeout *t)
{
    struct pl__conn *c = by_in(t);
    pl__conn_refuse(c, 408, "the headers took too long", PL__REFUSED_HEADER_TIMEOUT);
    pl__conn_service(c);
}

static void on_body_check(struct pl__timeout *t)
{
    struct pl__conn *c = by_in(t);
    struct pl_loop *l = c->io.loop;
    const struct pl_net_conf *conf = &l->net->conf;
    int64_t now = pl__now(l), took = now - c->body_began_ms;
    bool slow = took >= PL__BODY_GRACE &&
                (double)c->body_got < (double)conf->http_min_body_rate * ((double)took / 1000);
    if (took < conf->http_body_timeout_ms && !slow) {
        pl__timeout_start(&l->body, t, now);
    } else if (c->cur) {
        pl__conn_refuse(c, 408, slow ? "the body comes too slowly" : "the body took too long",
                        PL__REFUSED_BODY_TIMEOUT);
        pl__conn_service(c);
    } else {
        pl__conn_close(c); /* a body that is skipped: its reply was sent */
    }
}

static void on_write_timeout(struct pl__timeout *t)
{
    struct pl__conn *c = PL__CONTAINER(t, struct pl__conn, out_timeout);
    struct pl_loop *l = c->io.loop;
    const struct pl_net_conf *conf = &l->net->conf;
    uint64_t sent = c->sent + (c->out.bytes - pl__outq_pending(&c->out, &c->io));
    uint64_t least =
        (uint64_t)conf->http_min_body_rate * (uint64_t)(conf->http_write_timeout_ms / 1000);
    if (sent - c->sent_mark < (least ? least : 1)) {
        pl__refused(l->net, PL__REFUSED_WRITE_TIMEOUT);
        shut(c, c->io.t->reset);
        return;
    }
    c->sent_mark = sent;
    pl__timeout_start(&l->write, t, pl__now(l));
}

void pl__conn_timeouts_init(struct pl_loop *l)
{
    const struct pl_net_conf *conf = &l->net->conf;
    int64_t check = conf->http_body_timeout_ms < 1000 ? conf->http_body_timeout_ms : 1000;
    pl__timeouts_init(&l->idle, conf->http_idle_timeout_ms, on_quiet);
    pl__timeouts_init(&l->header, conf->http_header_timeout_ms, on_header_timeout);
    pl__timeouts_init(&l->body, check, on_body_check);
    pl__timeouts_init(&l->linger, PL__LINGER_MS, on_quiet);
    pl__timeouts_init(&l->write, conf->http_write_timeout_ms, on_write_timeout);
}

struct pl__conn *pl__conn_new(struct pl_loop *l, const struct pl_http_handler *h)
{
    struct pl__conn *c = calloc(1, sizeof(*c));
    if (c) {
        c->io.loop = l;
        c->io.ev = &events;
        c->h = h;
    }
    return c;
}

void pl__conn_open(struct pl_loop *l, int fd, bool is_unix, const struct pl_http_handler *h)
{
    struct pl__conn *c = pl__conn_new(l, h);
    if (!c) {
        pl__io_refused(l, fd);
        return;
    }
    if (pl__io_open(&c->io, fd, is_unix) == 0) {
        pl__conn_service(c);
    }
}
