/* Push samples to a Perilune server: docs/push.md.
 *
 *     struct pl_client_conf conf;
 *     struct pl_client *c;
 *     char why[200];
 *     uint32_t up;
 *     pl_client_conf_default(&conf);
 *     conf.url = "tcp://127.0.0.1:1968";
 *     struct pl_client_label labels[] = {{"__name__", "up"}, {"job", "a"}};
 *     if (pl_client_open(&conf, &c, why, sizeof(why)) < 0) ...
 *     pl_client_define(c, labels, 2, &up);
 *     pl_client_add(c, up, 1700000000000, 1.0);
 *     pl_client_wait(c, -1);                        all of it is durable
 *     pl_client_close(c);
 *
 * A client speaks the msgpack stream: series are named once, samples go in columns, the server
 * acknowledges each batch when it is on disk. What is not acknowledged is kept in the client and
 * sent again after the connection broke; the producer's name and the batches' numbers let the
 * server see what it has already, so nothing is stored twice. Reconnecting goes by itself, within
 * the calls below; there is no thread.
 *
 * A client belongs to one thread at a time. Functions return 0, or < 0: a code of perilune/err.h.
 */
#ifndef PERILUNE_PUSH_H
#define PERILUNE_PUSH_H
#include "perilune/err.h"
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

struct pl_client;

/** A label; both NUL-terminated UTF-8, not empty. The metric's name is the label __name__. */
struct pl_client_label {
    const char *name, *value;
};

struct pl_client_conf {
    const char *url;      /* "tcp://host:port" or "unix:/path" */
    const char *producer; /* 1 to 200 bytes, the same after a restart of the sender and unique among
                             those that send now; NULL: a random one */
    const char *tenant;   /* NULL: "default" */
    size_t buffer_bytes;  /* kept until acknowledged; 64 MB */
    size_t batch_samples; /* pl_client_add sends by itself at so many; 8192 */
    int timeout_ms;       /* for connecting, and for room in a full buffer; 10000 */
    /** Told of samples the server did not take, from within the calls below; may be NULL.
     *  @param row     index in its batch of the first such sample
     *  @param reason  of that one, as in docs/push.md ("too_old", "handle" ...); borrowed */
    void (*rejected)(void *ctx, uint64_t seq, uint64_t n_samples, uint64_t row, const char *reason);
    void *ctx;
};
void pl_client_conf_default(struct pl_client_conf *conf);

/** Connect and say hello. @param why  what went wrong, at most n_why bytes with the NUL
 *  PL_EINVAL (url, producer), PL_ENOTFOUND (host, tenant), PL_EIO, PL_ETIMEOUT, PL_ENOMEM,
 *  PL_EUNSUPPORTED (no such server there). */
int pl_client_open(const struct pl_client_conf *conf, struct pl_client **out, char *why,
                   size_t n_why);

/** A handle for a series, for this client; the labels are copied and sent with the next batch.
 *  Labels that the server refuses show as rejected samples. PL_EINVAL, PL_ENOMEM, PL_ELIMIT. */
int pl_client_define(struct pl_client *c, const struct pl_client_label *labels, size_t n_labels,
                     uint32_t *handle);

/** One sample into the batch at hand. t_ms: ms since the epoch. Errors as pl_client_write. */
int pl_client_add(struct pl_client *c, uint32_t handle, int64_t t_ms, double v);
/** n samples as three columns: one batch, behind what was added. Returns when it is in the buffer
 *  and as much as the socket takes is sent. @param seq  its number, or NULL
 *  PL_EINVAL (a handle that is not defined), PL_ELIMIT (over 500000 samples), PL_ENOMEM;
 *  PL_EBUSY: the buffer was full for timeout_ms, none of it is taken. A connection that is down is
 *  no error here. Once the server refuses the client as such: that error, for ever. */
int pl_client_write(struct pl_client *c, const uint32_t *handles, const int64_t *t_ms,
                    const double *v, size_t n, uint64_t *seq);
/** Send the batch at hand (an empty one is none). Errors as pl_client_write. */
int pl_client_flush(struct pl_client *c);
/** Flush, and wait until all is acknowledged, reconnecting as needed.
 *  @param timeout_ms  -1: no limit. PL_ETIMEOUT: call again to wait on; others as pl_client_write
 */
int pl_client_wait(struct pl_client *c, int timeout_ms);

/** The last batch that is durable on the server, and bytes not acknowledged yet. */
uint64_t pl_client_acknowledged(const struct pl_client *c);
size_t pl_client_pending(const struct pl_client *c);
/** What went wrong last, borrowed; "" if nothing did. */
const char *pl_client_error(const struct pl_client *c);
/** Gives up what is not acknowledged: pl_client_wait first. NULL is fine. */
void pl_client_close(struct pl_client *c);

/* One request over HTTP, for who sends now and then. */

struct pl_push_request {
    const char *url;          /* "http://host[:port][/path]"; path /api/v1/push if none */
    const char *content_type; /* NULL: application/msgpack */
    const char *tenant;       /* NULL: "default" */
    const char *key; /* Idempotency-Key, or NULL: a repetition with the same is not stored */
    int timeout_ms;  /* 0: 10000, for the whole of it */
};
/** POST a body. @param status  of HTTP, 0 without an answer @param reply  beginning of the answer's
 *  body, NUL-terminated, at most n_reply bytes; or what went wrong
 *  0 for a 2xx (the reply tells of rejects). PL_EINVAL (url; 400, 409), PL_EBUSY (429, 503: send
 *  again later), PL_ENOSPC (507), PL_ELIMIT (413), PL_EUNSUPPORTED (415), PL_ENOTFOUND (host; 404),
 *  PL_EIO, PL_ETIMEOUT (it may have arrived: repeat it with the same key), PL_ENOMEM. */
int pl_push_http(const struct pl_push_request *request, const void *body, size_t n_body,
                 int *status, char *reply, size_t n_reply);
/** The same with n samples of one series as the body. */
int pl_push_series(const struct pl_push_request *request, const struct pl_client_label *labels,
                   size_t n_labels, const int64_t *t_ms, const double *v, size_t n, int *status,
                   char *reply, size_t n_reply);

#ifdef __cplusplus
}
#endif
#endif
