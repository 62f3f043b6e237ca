/* What the files of net share: the server and its loops. */
#pragma once
#include "core/net/date.h"
#include "core/net/net.h"
#include "core/net/timeout.h"
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#define PL__READ_BYTES ((size_t)64 << 10) /* a loop's read buffer */
#define PL__TICK_MS    250

struct pl__request;
struct pl__conn;
struct pl__seg;
struct pl__listener;

enum pl__refused {
    PL__REFUSED_CONNECTIONS, /* http_max_connections, or out of descriptors */
    PL__REFUSED_HEADER,
    PL__REFUSED_BODY,
    PL__REFUSED_INFLIGHT,
    PL__REFUSED_HEADER_TIMEOUT,
    PL__REFUSED_BODY_TIMEOUT,
    PL__REFUSED_WRITE_TIMEOUT,
    PL__REFUSED_MALFORMED,
    PL__REFUSED_EXPECT,
    PL__REFUSED_ADMIT,
    PL__N_REFUSED
};

struct pl__net_metrics {
    struct pl_counter *accepted, *requests[6] /* by status / 100 */, *refused[PL__N_REFUSED];
    struct pl_counter *bytes_in, *bytes_out;
};

/** Locked by nothing: n_loops and the conf stand still; the rest says how. */
struct pl_net {
    struct pl_net_conf conf;
    struct pl_clock clock;
    size_t n_loops;
    struct pl_loop *loops;
    struct pl__net_metrics m;
    _Atomic size_t n_ios;      /* connections and streams: open, or on their way to a loop */
    _Atomic uint64_t inflight; /* bytes of bodies and of replies not sent yet */
    _Atomic bool draining;
    /* of loop 0 */
    struct pl__listener *listeners;
    int reserve_fd; /* given up to accept and refuse when descriptors run out */
    uv_timer_t accept_pause;
    int64_t fd_warned_ms;
    /* for those who wait for n_ios to become 0 */
    pthread_mutex_t lock;
    pthread_cond_t gone;
};

/** Thread: its own, but for what is locked by `lock` and the atomics. */
struct pl_loop {
    struct pl_net *net;
    size_t index;
    pthread_t thread;
    bool started;
    _Atomic size_t n_ios;
    pthread_mutex_t lock; /* of tasks, tasks_end, closed; a leaf */
    struct pl_node *tasks, **tasks_end;
    bool closed;

    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t tick;
    uv_prepare_t before_poll;
    uint8_t *read_buf; /* PL__READ_BYTES; whoever reads uses it up before returning */
    struct pl__list ios;
    struct pl__list dirty; /* connections with output or work left; served before the next poll */
    struct pl__timeouts idle, header, body, linger, write;
    struct pl__list requests; /* all that exist, in use or pooled */
    struct pl__request *free_requests;
    size_t n_free_requests;
    struct pl__seg *free_segs;
    size_t n_free_segs;
    struct pl__date date;
};

/** Monotonic, ms. */
static inline int64_t pl__now(const struct pl_loop *l)
{
    return pl_mono_ns(&l->net->clock) / 1000000;
}

/** Everything of a loop but its thread (a fuzzer runs one without). PL_ENOMEM, PL_EIO. */
int pl__loop_init(struct pl_loop *l, struct pl_net *n, size_t index);
int pl__loop_start(struct pl_loop *l);
/** Run what was posted, close all handles, free. The thread has ended or was never started. */
void pl__loop_fini(struct pl_loop *l);
/** End the thread: after the tasks posted so far, no more are taken. */
void pl__loop_stop(struct pl_loop *l);
/** Run fn on the loop's thread and wait for it. Never from a loop. */
void pl__loop_call(struct pl_loop *l, void (*fn)(struct pl_loop *l, void *arg), void *arg);

/** Add to the bytes in flight (negative: take away), and remember it in *account. */
void pl__account(struct pl_net *n, size_t *account, size_t now);
/** Register the metrics of n; m may be NULL. */
void pl__metrics_init(struct pl_net *n, struct pl_metrics *m);
void pl__refused(struct pl_net *n, enum pl__refused why);
/** An io has closed, or an accepted descriptor did not become one. */
void pl__net_io_gone(struct pl_net *n);

struct pl_http_handler;
struct pl_stream_handler;
/** Bind and start accepting; runs the accepting on loop 0. One of the handlers is given, and
 * copied. */
int pl__listen(struct pl_net *n, const char *addr, const struct pl_http_handler *http,
               const struct pl_stream_handler *stream, char *bound, char *why, size_t n_why);
/** A descriptor to hold in reserve, or -1. */
int pl__reserve_open(void);
/** Stop accepting; on loop 0. */
void pl__listeners_close(struct pl_net *n);
/** Free the listeners, when the loops are gone. */
void pl__listeners_free(struct pl_net *n);
/** Make a connection or a stream of a connected fd; on the loop it shall live on. */
void pl__conn_open(struct pl_loop *l, int fd, bool is_unix, const struct pl_http_handler *h);
void pl__stream_open(struct pl_loop *l, int fd, bool is_unix, const struct pl_stream_handler *h);
/** Close the streams that were idle for too long. */
void pl__streams_tick(struct pl_loop *l, int64_t now_ms);
