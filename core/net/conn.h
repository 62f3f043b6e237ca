/* An HTTP connection: bytes in -> requests, replies in the order of the requests -> bytes out.
 * Lives on one loop. */
#pragma once
#include "core/net/io.h"
#include "core/net/loop.h"
#include "core/net/out.h"
#include "core/net/request.h"

#define PL__QUEUE_MAX  64                  /* requests of a connection under way */
#define PL__OUT_HIGH   ((size_t)1 << 20)   /* unsent bytes over which no further request is read */
#define PL__OUT_LOW    ((size_t)256 << 10) /* unsent bytes under which a streaming writer goes on */
#define PL__LINGER_MS  2000
#define PL__BODY_GRACE 5000 /* ms before the rate of a body counts */

enum pl__conn_state {
    PL__CONN_HEAD,
    PL__CONN_BODY, /* of a known length */
    PL__CONN_CHUNKED,
    PL__CONN_SKIP, /* the body of a refused request; the connection lives on */
    PL__CONN_SINK, /* no more requests: input is dropped */
};

struct pl__conn {
    struct pl__io io; /* first */
    const struct pl_http_handler *h;
    enum pl__conn_state state;
    struct pl__list dirty;            /* in loop->dirty */
    struct pl__request *first, *last; /* in order; the head of each is complete */
    size_t n_queue;
    struct pl__request *cur; /* coming in; the last of the queue once its head is complete */
    size_t n_live;           /* requests that point here */
    struct pl__out out;
    size_t accounted;         /* bytes of out and stash that count as in flight */
    uint64_t sent, sent_mark; /* bytes; at the begin of the write timeout's window */
    struct pl_buf stash;      /* input that waits for room in the queue */
    size_t stash_used;
    uint64_t skip_left;
    int64_t body_began_ms;
    uint64_t body_got;
    struct pl__timeout in_timeout, out_timeout;
    bool eof;     /* the client will send no more */
    bool refused; /* close slowly, so that the reason arrives */
    bool close_when_sent;
    bool lingering;
    bool broken; /* a reply cannot be completed */
    bool gone;   /* the io is closed: free when no request points here */
};

void pl__conn_timeouts_init(struct pl_loop *l);
/** A new connection without an io (a fuzzer gives its own); NULL when out of memory. */
struct pl__conn *pl__conn_new(struct pl_loop *l, const struct pl_http_handler *h);
/** Serve c before the loop polls. */
void pl__conn_dirty(struct pl__conn *c);
/** Send what can be sent, read on where that was held up, close when all is done. */
void pl__conn_service(struct pl__conn *c);
/** A request that pointed here is gone. */
void pl__conn_released(struct pl__conn *c);
/** Append complete replies, in order, to the output; drop their requests. */
void pl__conn_advance(struct pl__conn *c);
void pl__conn_close(struct pl__conn *c);
/** Close when the loop serves c next: for a reply that cannot be completed. */
void pl__conn_close_soon(struct pl__conn *c);

/* incoming.c */
/** Take input. @return bytes used: all, unless the queue is full */
size_t pl__conn_feed(struct pl__conn *c, pl_str in);
/** Bytes that were read straight into the body's buffer. */
void pl__conn_body_read(struct pl__conn *c, size_t n);
/** May another request be taken up? */
bool pl__conn_can_take(const struct pl__conn *c);
/** Refuse the request that is coming in. */
void pl__conn_refuse(struct pl__conn *c, int status, const char *why, enum pl__refused reason);
