/* Raw streams: bytes go to the handler straight from the loop's read buffer; what it does not use
 * yet waits in the stream's own. Runs on the loop. */
#include "core/net/io.h"
#include "core/net/loop.h"
#include "core/net/out.h"
#include <stdlib.h>

#define MAX_BUFFER  ((size_t)16 << 20)
#define KEEP_BUFFER ((size_t)64 << 10)
#define READ_ROOM   ((size_t)16 << 10)

struct stream {
    struct pl__io io; /* first */
    struct pl_stream pub;
    const struct pl_stream_handler *h;
    struct pl_buf in; /* bytes the handler has not used */
    struct pl__out out;
    size_t accounted; /* bytes of in and out that count as in flight */
    int64_t active_ms;
    bool paused, eof, finishing, in_data;
    bool closing; /* when all is sent */
};

static struct stream *stream_of(const struct pl_stream *s)
{
    return PL__CONTAINER(s, struct stream, pub);
}

static void stream_kill(struct stream *s)
{
    if (!s->io.closing) {
        s->closing = true;
        s->io.t->close(&s->io);
    }
}

static void account(struct stream *s)
{
    size_t held = s->in.cap + s->out.bytes;
    pl__account(s->io.loop->net, &s->accounted, held > KEEP_BUFFER ? held : 0);
}

/* Send; end when that was wanted; go on reading. */
static void service(struct stream *s)
{
    if (s->io.closing || s->in_data) {
        return;
    }
    ssize_t sent = pl__outq_flush(&s->out, &s->io);
    if (sent < 0) {
        stream_kill(s);
        return;
    }
    pl_count(s->io.loop->net->m.bytes_out, (uint64_t)sent);
    account(s);
    if (s->closing && s->out.bytes == 0) {
        stream_kill(s);
    } else if (s->paused || s->closing || s->eof) {
        s->io.t->read_stop(&s->io);
    } else if (s->io.t->read_start(&s->io) < 0) {
        stream_kill(s);
    }
}

/* No more input: the handler may still have answers to give. */
static void finish(struct stream *s)
{
    if (s->io.closing || s->finishing) {
        return;
    }
    s->finishing = true;
    if (s->h->finish) {
        s->h->finish(s->h->ctx, &s->pub);
    } else {
        pl_stream_close(&s->pub);
    }
}

static size_t max_buffer(const struct stream *s)
{
    return s->h->max_buffer ? s->h->max_buffer : MAX_BUFFER;
}

/* Give bytes to the handler until it wants more than there are. @return bytes used */
static size_t deliver(struct stream *s, const uint8_t *p, size_t n)
{
    size_t used = 0;
    s->in_data = true;
    while (used < n && !s->paused && !s->closing && !s->io.closing) {
        int64_t r = s->h->data(s->h->ctx, &s->pub, p + used, n - used);
        if (r < 0 || (uint64_t)r > n - used) {
            s->closing = true;
            break;
        }
        if (r == 0) {
            break;
        }
        used += (size_t)r;
    }
    s->in_data = false;
    return used;
}

static void deliver_buffered(struct stream *s)
{
    size_t used = deliver(s, s->in.p, s->in.n);
    s->in.n -= used;
    if (s->in.n) {
        memmove(s->in.p, s->in.p + used, used ? s->in.n : 0);
    } else if (s->in.cap > KEEP_BUFFER) {
        pl_buf_fini(&s->in);
    }
}

static void on_room(struct pl__io *io, size_t hint, uv_buf_t *buf)
{
    struct stream *s = (struct stream *)io;
    (void)hint;
    if (s->in.n) {
        uint8_t *p = pl_buf_reserve(&s->in, READ_ROOM);
        *buf = uv_buf_init((char *)p, p ? (unsigned)(s->in.cap - s->in.n) : 0);
    } else {
        *buf = uv_buf_init((char *)io->loop->read_buf, PL__READ_BYTES);
    }
}

static void on_read(struct pl__io *io, const uint8_t *p, ssize_t n)
{
    struct stream *s = (struct stream *)io;
    if (n < 0) {
        stream_kill(s);
        return;
    }
    s->active_ms = pl__now(io->loop);
    if (n == 0) {
        s->eof = true;
        if (!s->paused) {
            finish(s);
        }
        return;
    }
    pl_count(io->loop->net->m.bytes_in, (uint64_t)n);
    if (p == io->loop->read_buf) {
        size_t used = deliver(s, p, (size_t)n);
        pl_buf_add(&s->in, p + used, (size_t)n - used);
    } else {
        s->in.n += (size_t)n;
        deliver_buffered(s);
    }
    account(s);
    if (s->accounted && pl_net_full(io->loop->net)) {
        pl__refused(io->loop->net, PL__REFUSED_INFLIGHT);
        stream_kill(s);
        return;
    }
    if (s->in.failed || s->in.n > max_buffer(s)) {
        stream_kill(s);
        return;
    }
    service(s);
}

static void on_written(struct pl__io *io, int status)
{
    struct stream *s = (struct stream *)io;
    size_t n = pl__outq_written(&s->out, io);
    if (status < 0) {
        stream_kill(s);
        return;
    }
    pl_count(io->loop->net->m.bytes_out, n);
    s->active_ms = pl__now(io->loop);
    service(s);
}

static void on_closed(struct pl__io *io)
{
    struct stream *s = (struct stream *)io;
    s->h->close(s->h->ctx, &s->pub);
    pl__outq_clear(&s->out, io->loop);
    pl__account(io->loop->net, &s->accounted, 0);
    pl_buf_fini(&s->in);
    free(s);
}

static void on_drain(struct pl__io *io) { finish((struct stream *)io); }

static void on_kill(struct pl__io *io) { stream_kill((struct stream *)io); }

static const struct pl__io_events events = {on_room,   on_read,  on_written,
                                            on_closed, on_drain, on_kill};

void pl__stream_open(struct pl_loop *l, int fd, bool is_unix, const struct pl_stream_handler *h)
{
    struct stream *s = calloc(1, sizeof(*s));
    if (!s) {
        pl__io_refused(l, fd);
        return;
    }
    s->io.loop = l;
    s->io.ev = &events;
    s->h = h;
    s->pub.loop = l;
    s->active_ms = pl__now(l);
    int r = pl__io_open(&s->io, fd, is_unix);
    s->pub.peer = pl_str_c(s->io.peer);
    h->open(h->ctx, &s->pub);
    if (r == 0) {
        service(s);
    }
}

void pl__streams_tick(struct pl_loop *l, int64_t now_ms)
{
    for (struct pl__list *i = l->ios.next, *next; i != &l->ios; i = next) {
        next = i->next;
        struct pl__io *io = PL__CONTAINER(i, struct pl__io, link);
        struct stream *s = (struct stream *)io;
        if (io->ev == &events && s->h->idle_timeout_ms > 0 &&
            now_ms - s->active_ms > s->h->idle_timeout_ms) {
            stream_kill(s);
        }
    }
}

bool pl_stream_write(struct pl_stream *pub, struct pl_buf *part)
{
    struct stream *s = stream_of(pub);
    bool ok = !s->io.closing && !s->closing && !part->failed;
    if (ok && part->n) {
        ok = pl__outq_take(&s->out, pub->loop, part);
        service(s);
    }
    pl_buf_fini(part);
    return ok;
}

void pl_stream_pause(struct pl_stream *pub)
{
    struct stream *s = stream_of(pub);
    s->paused = true;
    service(s);
}

void pl_stream_resume(struct pl_stream *pub)
{
    struct stream *s = stream_of(pub);
    if (s->paused && !s->io.closing) {
        s->paused = false;
        if (!s->in_data) {
            deliver_buffered(s);
        }
        if (s->eof && !s->paused) {
            finish(s);
        }
        service(s);
    }
}

void pl_stream_close(struct pl_stream *pub)
{
    struct stream *s = stream_of(pub);
    s->closing = true;
    service(s);
}
