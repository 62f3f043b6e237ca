/* Output queue: segments, small ones filled by copying, large ones taken over. While the transport
 * writes, the segments it was given stay at the front untouched (their cap is set to n, so that
 * nothing is appended to them) and leave the queue when it reports. Runs on the loop. */
#include "core/net/out.h"
#include "core/net/loop.h"
#include <stdlib.h>

#define PL__OUT_IOVS 64
#define COPY_MAX     2048 /* smaller than this is copied, not taken */
#define POOL_MAX     256  /* segments a loop keeps */

static struct pl__seg *seg_new(struct pl_loop *l, size_t cap)
{
    const size_t small = PL__SEG_BYTES - sizeof(struct pl__seg);
    struct pl__seg *s;
    if (cap <= small) {
        s = l->free_segs;
        if (s) {
            l->free_segs = s->next;
            l->n_free_segs--;
        } else {
            s = malloc(PL__SEG_BYTES);
        }
        cap = small;
    } else {
        s = cap < SIZE_MAX / 2 ? malloc(sizeof(*s) + cap) : NULL;
    }
    if (s) {
        *s = (struct pl__seg){.cap = cap, .pooled = cap == small};
        s->p = s->own;
    }
    return s;
}

static void seg_free(struct pl_loop *l, struct pl__seg *s)
{
    if (s->taken) {
        free(s->p);
    }
    if (s->pooled && l->n_free_segs < POOL_MAX) {
        s->next = l->free_segs;
        l->free_segs = s;
        l->n_free_segs++;
    } else {
        free(s);
    }
}

static void push(struct pl__out *o, struct pl__seg *s)
{
    if (o->last) {
        o->last->next = s;
    } else {
        o->first = s;
    }
    o->last = s;
}

uint8_t *pl__outq_reserve(struct pl__out *o, struct pl_loop *l, size_t n)
{
    struct pl__seg *s = o->last;
    if (!s || s->cap - s->n < n) {
        s = seg_new(l, n);
        if (!s) {
            return NULL;
        }
        push(o, s);
    }
    return s->p + s->n;
}

void pl__outq_commit(struct pl__out *o, size_t n)
{
    o->last->n += n;
    o->bytes += n;
}

bool pl__outq_add(struct pl__out *o, struct pl_loop *l, const void *p, size_t n)
{
    uint8_t *to = n ? pl__outq_reserve(o, l, n) : NULL;
    if (to) {
        memcpy(to, p, n);
        pl__outq_commit(o, n);
    }
    return to || n == 0;
}

bool pl__outq_take(struct pl__out *o, struct pl_loop *l, struct pl_buf *b)
{
    bool ok = true;
    if (b->n <= COPY_MAX) {
        ok = pl__outq_add(o, l, b->p, b->n);
        pl_buf_fini(b);
        return ok;
    }
    struct pl__seg *s = malloc(sizeof(*s));
    if (!s) {
        pl_buf_fini(b);
        return false;
    }
    *s = (struct pl__seg){.p = b->p, .n = b->n, .cap = b->n, .taken = true};
    push(o, s);
    o->bytes += b->n;
    *b = PL_BUF_INIT;
    return true;
}

void pl__outq_concat(struct pl__out *to, struct pl__out *from)
{
    if (from->first) {
        if (to->last) {
            to->last->next = from->first;
        } else {
            to->first = from->first;
        }
        to->last = from->last;
        to->bytes += from->bytes;
        *from = (struct pl__out){0};
    }
}

static void pop(struct pl__out *o, struct pl_loop *l)
{
    struct pl__seg *s = o->first;
    o->first = s->next;
    if (!o->first) {
        o->last = NULL;
    }
    seg_free(l, s);
}

void pl__outq_clear(struct pl__out *o, struct pl_loop *l)
{
    while (o->first) {
        pop(o, l);
    }
    o->bytes = 0;
}

static void consume(struct pl__out *o, struct pl_loop *l, size_t n)
{
    o->bytes -= n;
    while (o->first) {
        struct pl__seg *s = o->first;
        size_t left = s->n - s->off;
        if (n < left) {
            s->off += n;
            return;
        }
        n -= left;
        pop(o, l);
    }
}

static unsigned gather(struct pl__out *o, uv_buf_t *bufs)
{
    unsigned n = 0;
    for (struct pl__seg *s = o->first; s && n < PL__OUT_IOVS; s = s->next) {
        bufs[n++] = uv_buf_init((char *)s->p + s->off, (unsigned)(s->n - s->off));
    }
    return n;
}

ssize_t pl__outq_flush(struct pl__out *o, struct pl__io *io)
{
    uv_buf_t bufs[PL__OUT_IOVS];
    ssize_t sent = 0;
    while (o->bytes && !io->writing) {
        unsigned n = gather(o, bufs);
        size_t want = 0;
        for (unsigned i = 0; i < n; i++) {
            want += bufs[i].len;
        }
        ssize_t r = io->t->try_write(io, bufs, n);
        if (r < 0) {
            return -1;
        }
        consume(o, io->loop, (size_t)r);
        sent += r;
        if ((size_t)r < want) {
            n = gather(o, bufs);
            io->write_bytes = 0;
            struct pl__seg *s = o->first;
            for (unsigned i = 0; i < n; i++, s = s->next) {
                io->write_bytes += bufs[i].len;
                s->cap = s->n; /* nothing may be appended to what is being written */
            }
            if (io->t->write(io, bufs, n) < 0) {
                return -1;
            }
        }
    }
    return sent;
}

size_t pl__outq_written(struct pl__out *o, struct pl__io *io)
{
    size_t n = io->write_bytes;
    io->write_bytes = 0;
    consume(o, io->loop, n);
    return n;
}

size_t pl__outq_pending(const struct pl__out *o, const struct pl__io *io)
{
    size_t unsent = io->writing ? io->t->unsent(io) : 0;
    return o->bytes - (io->writing ? io->write_bytes - unsent : 0);
}

void pl__outq_pool_free(struct pl_loop *l)
{
    while (l->free_segs) {
        struct pl__seg *s = l->free_segs;
        l->free_segs = s->next;
        free(s);
    }
    l->n_free_segs = 0;
}
