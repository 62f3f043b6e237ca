/* Raw byte streams over TCP and Unix sockets. Everything here: the connection's loop. */
#pragma once
#include "core/base/base.h"

struct pl_loop;
struct pl_stream {
    struct pl_loop *loop;
    pl_str peer;
    void *user;
};
struct pl_stream_handler {
    void *ctx;
    void (*open)(void *ctx, struct pl_stream *s);
    /** Bytes since the last call that were not used, and new ones. @return bytes used; < 0 closes.
     *  A buffer of over max_buffer unused bytes closes the stream. */
    int64_t (*data)(void *ctx, struct pl_stream *s, const uint8_t *p, size_t n);
    void (*close)(void *ctx, struct pl_stream *s); /* last call for s */
    /** The peer has ended its half, or the server shuts down: finish what is under way, and call
     *  pl_stream_close. Called at most once. NULL: closed at once, when what is pending is sent. */
    void (*finish)(void *ctx, struct pl_stream *s);
    size_t max_buffer;       /* 0: 16 MB */
    int64_t idle_timeout_ms; /* 0: none */
};
/** Content is taken. false: closed already. */
bool pl_stream_write(struct pl_stream *s, struct pl_buf *part);
/** Back-pressure: stop and go on reading (TCP's window does the rest). */
void pl_stream_pause(struct pl_stream *s);
void pl_stream_resume(struct pl_stream *s); /* delivers what is buffered */
void pl_stream_close(struct pl_stream *s);  /* sends what is pending first; `close` follows */
