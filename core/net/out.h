/* Bytes on their way out: a queue of segments. Small pieces are copied together into pooled
 * segments, large ones are taken as they are, and all leave by one writev. Owned by one loop. */
#pragma once
#include "core/base/base.h"
#include "core/net/io.h"

#define PL__SEG_BYTES 4096 /* of a pooled segment, header included */

struct pl__seg {
    struct pl__seg *next;
    uint8_t *p; /* own bytes follow the struct, or a taken block */
    size_t off, n, cap;
    bool taken, pooled;
    uint8_t own[];
};

struct pl__out {
    struct pl__seg *first, *last;
    size_t bytes; /* not handed to the transport yet, or in its running write */
};

/** A place for n contiguous bytes at the end, or NULL; pl__outq_commit says how many were used. */
uint8_t *pl__outq_reserve(struct pl__out *o, struct pl_loop *l, size_t n);
void pl__outq_commit(struct pl__out *o, size_t n);
/** Copy. @return false: out of memory */
bool pl__outq_add(struct pl__out *o, struct pl_loop *l, const void *p, size_t n);
/** Take the buffer's content (b is empty after), or copy it where that is cheaper. */
bool pl__outq_take(struct pl__out *o, struct pl_loop *l, struct pl_buf *b);
/** Move all of `from` behind `to`. */
void pl__outq_concat(struct pl__out *to, struct pl__out *from);
void pl__outq_clear(struct pl__out *o, struct pl_loop *l);
/** Send what the socket takes; the rest in one write of the transport (io->writing is set then).
 *  @return bytes sent now, < 0: the peer is gone */
ssize_t pl__outq_flush(struct pl__out *o, struct pl__io *io);
/** The transport's write is done: drop what it sent. @return its bytes */
size_t pl__outq_written(struct pl__out *o, struct pl__io *io);
/** Pending bytes, what the running write has sent already not counted. */
size_t pl__outq_pending(const struct pl__out *o, const struct pl__io *io);

/** Give the pooled segments of a loop back to the system. */
void pl__outq_pool_free(struct pl_loop *l);
