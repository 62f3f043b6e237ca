/* A request from its first byte to the last of its reply. Lives on its connection's loop, which
 * keeps a pool of them: an idle connection has none. */
#pragma once
#include "core/net/chunked.h"
#include "core/net/head.h"
#include "core/net/list.h"
#include "core/net/out.h"

struct pl__conn;

enum pl__reply_state { PL__REPLY_NONE, PL__REPLY_STREAMING, PL__REPLY_DONE };

struct pl__request {
    struct pl_http_req pub; /* first */
    struct pl__conn *conn;
    struct pl__request *next; /* in the connection's queue or in the pool */
    struct pl__list all;      /* in loop->requests */

    /* incoming */
    struct pl_buf head_bytes;
    size_t scan;
    struct pl__head head;
    struct pl__chunked chunked;
    struct pl_buf body;
    uint64_t body_left; /* with a known length */
    int64_t body_began_ms;
    size_t accounted; /* bytes of the body that count as in flight */

    /* for the handler */
    pl_str *params; /* pairs of name and value, made when first asked for */
    size_t n_params;
    bool params_made;

    /* outgoing */
    struct pl_buf extra; /* header lines of the reply */
    struct pl__out out;  /* until it is this request's turn */
    void (*on_drained)(struct pl_http_req *req);
    enum pl__reply_state reply;
    bool dispatched;    /* the handler has it */
    bool whole;         /* the body has come, or is not wanted */
    bool want_continue; /* 100 Continue is due when it is this request's turn */
    bool close_after;   /* the reply says so */
    bool reply_chunked, no_body;
    bool wrote;   /* since on_drained was called last */
    bool zipping; /* on a thread of libuv's pool */
};

static inline struct pl__request *pl__request_of(const struct pl_http_req *req)
{
    return (struct pl__request *)req;
}

/** From the pool or new, for this connection; NULL when out of memory. */
struct pl__request *pl__request_new(struct pl_loop *l, struct pl__conn *c);
/** Back to the pool, or freed. */
void pl__request_free(struct pl__request *r);
/** Free all of a loop, pooled or not. */
void pl__requests_free(struct pl_loop *l);
/** Split the target into path (decoded) and query. @return 0, or 400 and *why */
int pl__request_target(struct pl__request *r, const char **why);
/** Recount the bytes held for the body. */
void pl__request_account(struct pl__request *r);
/** Do bytes in flight, and `more`, go over the limit? */
bool pl__inflight_full(const struct pl_net *n, uint64_t more);
