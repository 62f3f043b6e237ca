/* The door of net: event loops, an HTTP/1.1 server on them, raw streams, a blocking client.
 *
 * Threads: `pl_net` owns one thread and one libuv loop per core. Connections are accepted on loop 0
 * and handed to the loop with the fewest. Handlers run on the connection's loop and must not block;
 * an answer may come later, on the same loop (use pl_loop_post from elsewhere).
 * No singletons: a test can make two servers. */
#pragma once
#include "core/base/base.h"
#include "core/net/http.h"
#include "core/net/stream.h"
#include "core/net/client.h"

struct pl_net;
struct pl_loop;

struct pl_net_conf {
    size_t n_loops; /* 0: as many as cores */
    const struct pl_clock *clock;
    const struct pl_log *log;
    struct pl_metrics *metrics;
    /* HTTP limits: each has a flag of the same name and a metric that counts its refusals */
    size_t http_max_connections;  /* 20000; over it 503 and close, also when descriptors run out */
    size_t http_max_header_bytes; /* 64 KB: 431 */
    size_t http_max_body_bytes;   /* 64 MB as received: 413 */
    size_t http_max_inflight_bytes; /* 1 GB over all connections: 429 with Retry-After: 1 */
    int64_t http_header_timeout_ms; /* 10 s from the first byte to the end of the headers: 408 */
    int64_t http_body_timeout_ms;   /* 60 s for the whole body ... */
    size_t http_min_body_rate; /* ... and at least this many bytes/s (1024): 408 (slow clients) */
    int64_t http_idle_timeout_ms;  /* 120 s between requests: close */
    int64_t http_write_timeout_ms; /* 60 s without progress in sending: close */
};
void pl_net_conf_default(struct pl_net_conf *c);

int pl_net_new(const struct pl_net_conf *conf, struct pl_net **out); /* starts the loops */
/** Listen for HTTP. addr "HOST:PORT", "[::1]:0", ":1969"; port 0 picks one.
 *  @param why  what failed, for people ("127.0.0.1:1969: address already in use")
 *  @param bound  room for 64: the address with its real port, NUL-terminated; may be NULL */
int pl_net_http(struct pl_net *n, const char *addr, const struct pl_http_handler *h, char *bound,
                char *why, size_t n_why);
/** Listen for raw streams: "HOST:PORT" or "unix:/path" (a stale socket file is replaced). */
int pl_net_stream(struct pl_net *n, const char *addr, const struct pl_stream_handler *h,
                  char *bound, char *why, size_t n_why);
/** Graceful: stop accepting, let requests under way finish (Connection: close), at most timeout_ms,
 *  then close the rest. Blocking; any thread but a loop. */
void pl_net_drain(struct pl_net *n, int64_t timeout_ms);
void pl_net_free(struct pl_net *n);

/** Are more than http_max_inflight_bytes held for bodies and unsent replies? Requests with a body
 * are refused by net itself then; a handler of large replies may want to ask. Any thread. */
bool pl_net_full(const struct pl_net *n);

size_t pl_net_loops(const struct pl_net *n);
struct pl_loop *pl_net_loop(struct pl_net *n, size_t i);
size_t pl_loop_index(const struct pl_loop *l);
/** Run task on the loop's thread; any thread. The task is not copied. false: the loop is gone. */
bool pl_loop_post(struct pl_loop *l, struct pl_task *task);
