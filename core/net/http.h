/* HTTP/1.1 server (RFC 9112) on llhttp: keep-alive, pipelining (answers in order), chunked bodies,
 * Expect: 100-continue, HEAD, compressed replies. TLS has its place in the transport below
 * (conn.c reads and writes through a vtable). Everything here: the connection's loop. */
#pragma once
#include "core/base/base.h"

struct pl_loop;

enum pl_http_method { PL_GET, PL_HEAD, PL_POST, PL_PUT, PL_DELETE, PL_OPTIONS, PL_METHOD_OTHER };

struct pl_http_req {
    enum pl_http_method method;
    pl_str method_text;
    pl_str target, path, query; /* as sent; path percent-decoded */
    pl_str body;           /* whole, as sent (still content-encoded); borrowed until the reply */
    struct pl_arena arena; /* of this request; freed after the reply */
    struct pl_loop *loop;
    pl_str peer;       /* "127.0.0.1:4711" */
    bool body_is_data; /* set by the handler: a body is not searched for parameters */
    void *user;        /* the handler's own */
    /** Set by a handler that answers later: called on the loop when the client goes away before the
     *  answer. The request stays valid; pl_http_reply must still be called, and then drops. */
    void (*on_abort)(struct pl_http_req *req);
};

struct pl_http_handler {
    void *ctx;
    /** After the headers, before the body (content_length is UINT64_MAX when chunked): 0 to go on,
     * or the status to refuse with (the reply's text in *why). Decides before `100 Continue` is
     * sent. May be NULL. */
    int (*admit)(void *ctx, struct pl_http_req *req, uint64_t content_length, const char **why);
    /** The whole request is here. Must lead to exactly one pl_http_reply, now or later. */
    void (*request)(void *ctx, struct pl_http_req *req);
};

/** Header by name (ASCII case ignored); p = NULL if absent. */
pl_str pl_http_header(const struct pl_http_req *req, const char *name);
/** Parameter of a POST's or PUT's x-www-form-urlencoded body up to 10 MB, else of the query string,
 * else of a multipart/form-data body; percent-decoded into the arena; p = NULL if absent. */
pl_str pl_http_param(struct pl_http_req *req, const char *name);
/** The i-th value of a repeated parameter; false when there are no more. */
bool pl_http_param_at(struct pl_http_req *req, const char *name, size_t i, pl_str *out);
#define PL_HTTP_ZIP_MIN 1024 /* bytes: a smaller reply is not compressed */
/** Does Accept-Encoding allow gzip in the reply? */
bool pl_http_takes_gzip(const struct pl_http_req *req);
/** Undo Content-Encoding (gzip, zstd, deflate, snappy block format, identity; a chain of them).
 *  @param max   limit of the inflated size
 *  @param room  where to inflate: the caller's, so that it can serve one request after another
 *  @param out   the content: borrowed from room, or from req where nothing was encoded
 *  @return 0, PL_ELIMIT (answer 413), PL_ECORRUPT (400), PL_EUNSUPPORTED (415), PL_EBUSY (429: over
 *          http_max_inflight_bytes), PL_ENOMEM (503) */
int pl_http_body_decode(struct pl_http_req *req, size_t max, struct pl_buf *room, pl_str *out);

/** Add a header to the reply; name and value copied. */
void pl_http_reply_header(struct pl_http_req *req, const char *name, pl_str value);
/** Answer, and end the request: req and all borrowed from it are gone after.
 *  @param body  content is taken (the struct is left empty); may be NULL. Compressed with gzip
 *         when the client accepts it, the type is text-like and it is over 1 KB. */
void pl_http_reply(struct pl_http_req *req, int status, const char *content_type,
                   struct pl_buf *body);
void pl_http_reply_text(struct pl_http_req *req, int status, const char *text);
/* Streaming: status and headers now, chunks after, then the end. write: false when the client is
 * gone. A writer should stop while pending is over a few MB and go on in `drained`. */
/** Before pl_http_reply_begin: shall what is written be gzip, since the client takes it and the
 * type is text? Then the headers say so, and the writer compresses (codec/compress.h). */
bool pl_http_reply_zips(struct pl_http_req *req, const char *content_type);
int pl_http_reply_begin(struct pl_http_req *req, int status, const char *content_type);
bool pl_http_reply_write(struct pl_http_req *req, struct pl_buf *part /* content taken */);
size_t pl_http_reply_pending(const struct pl_http_req *req);
void pl_http_reply_on_drained(struct pl_http_req *req, void (*drained)(struct pl_http_req *));
void pl_http_reply_end(struct pl_http_req *req);
/** End what cannot be completed: the connection closes without the last chunk, so that the client
 * sees that the answer is not whole. The request is gone after. */
void pl_http_reply_abort(struct pl_http_req *req);

/** Percent-decode (plus: '+' is a space); into the arena. */
pl_str pl_url_decode(struct pl_arena *a, pl_str s, bool plus);
void pl_url_encode(struct pl_buf *out, pl_str s);
