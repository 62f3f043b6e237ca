/* A connected socket under a connection or a raw stream. What is below (plain sockets now, TLS when
 * it comes) is a vtable, and so is what is above. Owned by one loop. */
#pragma once
#include "core/net/list.h"
#include "core/net/net.h"
#include <uv.h>

struct pl__io;

/** Below: how bytes move. */
struct pl__transport {
    int (*read_start)(struct pl__io *io);
    void (*read_stop)(struct pl__io *io);
    /** @return bytes taken now (0: none fit), or < 0 when the peer is gone */
    ssize_t (*try_write)(struct pl__io *io, const uv_buf_t *bufs, unsigned n);
    /** Send all; the bytes stay the caller's until ev->written. One at a time. */
    int (*write)(struct pl__io *io, const uv_buf_t *bufs, unsigned n);
    /** Bytes of the running write that are not sent yet. */
    size_t (*unsent)(const struct pl__io *io);
    /** No more will be sent: the peer sees the end. */
    void (*shutdown)(struct pl__io *io);
    void (*close)(struct pl__io *io); /* ev->closed follows, later */
    /** Close and forget what the peer has not taken: the kernel would hold it for minutes. */
    void (*reset)(struct pl__io *io);
};

/** Above: what becomes of them. */
struct pl__io_events {
    /** A place for up to `hint` bytes; len 0 stops reading with an error. */
    void (*room)(struct pl__io *io, size_t hint, uv_buf_t *buf);
    /** n bytes at p, which lies in the room given; n == 0: end of input; n < 0: broken. */
    void (*read)(struct pl__io *io, const uint8_t *p, ssize_t n);
    void (*written)(struct pl__io *io, int status);
    void (*closed)(struct pl__io *io); /* last call */
    void (*drain)(struct pl__io *io);  /* the server shuts down: finish, then close */
    void (*kill)(struct pl__io *io);   /* close now */
};

struct pl__io {
    struct pl__list link; /* in loop->ios */
    const struct pl__transport *t;
    const struct pl__io_events *ev;
    struct pl_loop *loop;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_write_t write;
    size_t write_bytes; /* of the running write */
    bool reading, writing, closing;
    char peer[64];
};

extern const struct pl__transport pl__transport_socket;

/** Take over a connected fd (closed on failure). The caller has set ev and loop, and zeroed the
 * rest.
 *  @param is_unix  a Unix socket, else TCP */
int pl__io_open(struct pl__io *io, int fd, bool is_unix);
/** A descriptor that was counted for this loop does not become an io: close it. */
void pl__io_refused(struct pl_loop *l, int fd);
