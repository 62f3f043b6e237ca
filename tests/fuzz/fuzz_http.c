/* A connection without a socket: the input is fed through a fake transport, once whole and once in
 * pieces that the first byte chooses, with a transport that takes replies in pieces too. Both times
 * the same requests must come out, and the same statuses. The handler refuses some, answers some
 * later, streams some, decodes bodies. */
#include "core/net/conn.h"
#include "core/net/loop.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct run {
    struct pl_buf requests; /* what the handler saw */
    struct pl_buf wire;     /* what was sent */
    struct pl_http_req *later[PL__QUEUE_MAX + 1];
    size_t n_later;
    uint32_t random;
    bool pieces, closing;
};

struct world {
    struct pl_net net;
    struct pl_loop loop;
    struct pl_clock_manual clock;
};

static uint32_t next_random(struct run *run)
{
    run->random = run->random * 1664525 + 1013904223;
    return run->random >> 16;
}

/* --- the transport --- */

static struct run *run_of(struct pl__io *io)
{
    struct pl__conn *c = (struct pl__conn *)io;
    return c->h->ctx;
}

static int fake_start(struct pl__io *io)
{
    io->reading = true;
    return 0;
}

static void fake_stop(struct pl__io *io) { io->reading = false; }

static ssize_t fake_try_write(struct pl__io *io, const uv_buf_t *bufs, unsigned n)
{
    struct run *run = run_of(io);
    size_t sent = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t part = bufs[i].len;
        if (run->pieces && next_random(run) % 4 == 0) {
            part = next_random(run) % (part + 1);
        }
        pl_buf_add(&run->wire, bufs[i].base, part);
        sent += part;
        if (part < bufs[i].len) {
            break;
        }
    }
    return (ssize_t)sent;
}

static int fake_write(struct pl__io *io, const uv_buf_t *bufs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        pl_buf_add(&run_of(io)->wire, bufs[i].base, bufs[i].len);
    }
    io->writing = true;
    return 0;
}

static size_t fake_unsent(const struct pl__io *io) { return io->write_bytes; }

static void fake_shutdown(struct pl__io *io) { (void)io; }

static void fake_close(struct pl__io *io)
{
    io->closing = true;
    io->reading = false;
    run_of(io)->closing = true;
}

static const struct pl__transport fake = {
    .read_start = fake_start,
    .read_stop = fake_stop,
    .try_write = fake_try_write,
    .write = fake_write,
    .unsent = fake_unsent,
    .shutdown = fake_shutdown,
    .close = fake_close,
    .reset = fake_close,
};

/* --- the handler --- */

static int on_admit(void *ctx, struct pl_http_req *req, uint64_t length, const char **why)
{
    (void)ctx;
    *why = "no";
    return length == 7 || pl_str_eq(req->path, PL_STR("/no")) ? 403 : 0;
}

static void answer(struct pl_http_req *req)
{
    struct pl_buf b = PL_BUF_INIT;
    /* (a stream ends an HTTP/1.0 connection: what follows it depends on when it is answered) */
    if (req->target.n % 3 == 0 && pl__request_of(req)->head.http_1_1) {
        pl_http_reply_begin(req, 200, "text/plain");
        pl_buf_str(&b, req->body);
        pl_http_reply_write(req, &b);
        pl_http_reply_end(req);
    } else {
        pl_buf_f(&b, "%zu", req->body.n);
        pl_http_reply(req, 200, "text/plain", &b);
    }
}

static void on_request(void *ctx, struct pl_http_req *req)
{
    struct run *run = ctx;
    pl_str plain, v;
    struct pl_buf room = PL_BUF_INIT;
    int r = pl_http_body_decode(req, 100000, &room, &plain);
    pl_buf_fini(&room);
    pl_buf_f(&run->requests, "%.*s %.*s %zu %d:", PL_PRS(req->method_text), PL_PRS(req->target),
             req->body.n, r);
    pl_buf_str(&run->requests, req->body);
    for (size_t i = 0; pl_http_param_at(req, "q", i, &v); i++) {
        pl_buf_str(&run->requests, v);
    }
    if (run->pieces && next_random(run) % 3 == 0) {
        run->later[run->n_later++] = req;
    } else {
        answer(req);
    }
}

/* --- one life of a connection --- */

static void settle(struct world *w, struct pl__conn *c, struct run *run)
{
    for (int i = 0; i < 4; i++) {
        if (c->io.writing && !c->io.closing) {
            c->io.writing = false;
            c->io.ev->written(&c->io, 0);
        }
        uv_run(&w->loop.uv, UV_RUN_NOWAIT); /* serves what is dirty */
    }
    if (run->n_later && !c->io.closing) {
        struct pl_http_req *req = run->later[--run->n_later];
        answer(req);
        uv_run(&w->loop.uv, UV_RUN_NOWAIT);
    }
}

static void live(struct world *w, struct run *run, const uint8_t *data, size_t n)
{
    struct pl_http_handler h = {.ctx = run, .admit = on_admit, .request = on_request};
    struct pl__conn *c = pl__conn_new(&w->loop, &h);
    if (!c) {
        abort();
    }
    c->io.t = &fake;
    c->io.reading = true;
    size_t at = 0;
    for (int stuck = 0; at < n && !c->io.closing && stuck < 1000;) {
        if (!c->io.reading) { /* held up: let replies go out */
            settle(w, c, run);
            stuck++;
            continue;
        }
        stuck = 0;
        uv_buf_t buf;
        size_t part = n - at;
        c->io.ev->room(&c->io, 65536, &buf);
        if (run->pieces && part > 1) {
            part = 1 + next_random(run) % (part < 40 ? part : 40);
        }
        part = part < buf.len ? part : buf.len;
        memcpy(buf.base, data + at, part);
        at += part;
        c->io.ev->read(&c->io, (const uint8_t *)buf.base, (ssize_t)part);
        if (run->pieces && next_random(run) % 2) {
            settle(w, c, run);
        }
    }
    for (int i = 0; i < 200 && (run->n_later || c->io.writing) && !c->io.closing; i++) {
        settle(w, c, run);
    }
    if (!c->io.closing) {
        settle(w, c, run);
    }
    if (!c->io.closing) {
        c->io.ev->read(&c->io, NULL, 0); /* the client ends */
        settle(w, c, run);
    }
    c->io.ev->kill(&c->io);
    while (run->n_later) { /* answered when nobody is there any more */
        answer(run->later[--run->n_later]);
    }
    if (c->n_live) {
        abort();
    }
    c->io.ev->closed(&c->io);
    if (w->net.inflight) {
        abort();
    }
}

/* The statuses on the wire, but for 100 Continue, which depends on how the body is cut. */
static void statuses(const struct pl_buf *wire, struct pl_buf *out)
{
    if (wire->n == 0) {
        return;
    }
    const char *p = (const char *)wire->p, *end = p + wire->n;
    while ((p = memmem(p, (size_t)(end - p), "HTTP/1.1 ", 9)) != NULL && end - p > 12) {
        if (memcmp(p + 9, "100", 3) != 0) {
            pl_buf_add(out, p + 9, 3);
        }
        p += 9;
    }
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));
    if (!w) {
        abort();
    }
    pl_net_conf_default(&w->net.conf);
    w->net.conf.http_max_header_bytes = 2000;
    w->net.conf.http_max_body_bytes = 60000;
    w->clock.ms = 1000000;
    w->net.clock = pl_clock_manual(&w->clock);
    w->net.loops = &w->loop;
    w->net.n_loops = 1;
    pl__metrics_init(&w->net, NULL);
    if (pl__loop_init(&w->loop, &w->net, 0) < 0) {
        abort();
    }
    return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct world *w; /* a loop for all inputs; reachable until the end */
    if (!w) {
        w = world_new();
    }
    if (n < 1) {
        return 0;
    }
    struct run whole = {.random = data[0]}, pieces = {.random = data[0], .pieces = true};
    struct pl_buf a = PL_BUF_INIT, b = PL_BUF_INIT;
    live(w, &whole, data + 1, n - 1);
    live(w, &pieces, data + 1, n - 1);
    if (!pl_str_eq(pl_buf_view(&whole.requests), pl_buf_view(&pieces.requests))) {
        abort();
    }
    statuses(&whole.wire, &a);
    statuses(&pieces.wire, &b);
    if (!pl_str_eq(pl_buf_view(&a), pl_buf_view(&b))) {
        abort();
    }
    struct pl_buf *all[] = {&a, &b, &whole.requests, &whole.wire, &pieces.requests, &pieces.wire};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        pl_buf_fini(all[i]);
    }
    return 0;
}
