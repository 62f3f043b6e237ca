/* Bytes of a connection -> requests. A head is collected until its empty line and parsed at once; a
 * body of known length is read straight into its buffer, which grows to twice of what has come,
 * never to what was merely announced; a chunked one is taken apart by chunked.c. Runs on the loop.
 */
#include "core/net/conn.h"

#define SKIP_MAX ((size_t)1 << 20) /* a refused body up to this is read and dropped */

bool pl__conn_can_take(const struct pl__conn *c)
{
    if (c->n_queue == 0) {
        return c->out.bytes < PL__OUT_HIGH;
    }
    /* no pipelining while memory is short: one request at a time is bounded by the connections */
    return c->n_queue < PL__QUEUE_MAX && c->out.bytes < PL__OUT_HIGH &&
           !pl__inflight_full(c->io.loop->net, 0);
}

static void enqueue(struct pl__conn *c, struct pl__request *r)
{
    if (c->last) {
        c->last->next = r;
    } else {
        c->first = r;
    }
    c->last = r;
    c->n_queue++;
}

void pl__conn_refuse(struct pl__conn *c, int status, const char *why, enum pl__refused reason)
{
    struct pl__request *r = c->cur;
    c->cur = NULL;
    pl__refused(c->io.loop->net, reason);
    pl__timeout_stop(&c->in_timeout);
    if (c->last != r) { /* the head was not complete: what it says cannot be trusted */
        r->head.http_1_1 = true;
        r->head.keep_alive = r->head.chunked = r->head.expect_continue = false;
        r->head.method = PL_POST;
        r->head.n_headers = 0;
        enqueue(c, r);
    }
    uint64_t left = r->head.content_length - r->body.n;
    if (r->head.keep_alive && !r->head.chunked && !r->head.expect_continue && left <= SKIP_MAX &&
        (c->state == PL__CONN_BODY || c->state == PL__CONN_HEAD) && status != 408) {
        c->state = left ? PL__CONN_SKIP : PL__CONN_HEAD;
        c->skip_left = left;
    } else {
        r->close_after = true;
        c->refused = true;
        c->state = PL__CONN_SINK;
    }
    r->whole = true;
    r->dispatched = true;
    r->want_continue = false;
    pl_buf_fini(&r->body);
    pl__request_account(r);
    if (status == 429 || status == 503) {
        pl_http_reply_header(&r->pub, "Retry-After", PL_STR("1"));
    } else if (status == 507) {
        pl_http_reply_header(&r->pub, "Retry-After", PL_STR("10"));
    }
    pl_http_reply_text(&r->pub, status, why);
}

static void dispatch(struct pl__conn *c)
{
    struct pl__request *r = c->cur;
    c->cur = NULL;
    c->state = r->head.keep_alive ? PL__CONN_HEAD : PL__CONN_SINK;
    pl__timeout_stop(&c->in_timeout);
    r->whole = true;
    r->dispatched = true;
    r->pub.body = r->body.n ? pl_buf_view(&r->body) : PL_STR("");
    c->h->request(c->h->ctx, &r->pub);
}

static void refuse_body(struct pl__conn *c)
{
    pl__conn_refuse(c, 413, "the body is larger than the limit", PL__REFUSED_BODY);
}

static void refuse_inflight(struct pl__conn *c)
{
    pl__conn_refuse(c, 429, "too many bytes in flight, try again", PL__REFUSED_INFLIGHT);
}

/* The head is parsed: may the body come? */
static void on_head(struct pl__conn *c)
{
    struct pl__request *r = c->cur;
    struct pl_net *n = c->io.loop->net;
    struct pl__head *h = &r->head;
    r->pub.method = h->method;
    r->pub.method_text = h->method_text;
    enqueue(c, r);
    if (c->n_queue > 1) {
        pl__request_account(r);
    }
    uint64_t length = h->chunked ? UINT64_MAX : h->content_length;
    if (!h->chunked && length > n->conf.http_max_body_bytes) {
        refuse_body(c);
        return;
    }
    const char *why = NULL;
    int status = c->h->admit ? c->h->admit(c->h->ctx, &r->pub, length, &why) : 0;
    if (status) {
        pl__conn_refuse(c, status, why ? why : "refused", PL__REFUSED_ADMIT);
        return;
    }
    if (length == 0) {
        dispatch(c);
        return;
    }
    if (pl__inflight_full(n, h->chunked ? 1 : length)) {
        refuse_inflight(c);
        return;
    }
    c->state = h->chunked ? PL__CONN_CHUNKED : PL__CONN_BODY;
    c->body_began_ms = pl__now(c->io.loop);
    c->body_got = 0;
    r->body_left = h->content_length;
    r->want_continue = h->expect_continue;
}

/* Parse head_bytes, which is complete. */
static void take_head(struct pl__conn *c)
{
    struct pl__request *r = c->cur;
    const char *why = "";
    pl__timeout_stop(&c->in_timeout);
    int status = pl__head_parse(pl_buf_view(&r->head_bytes), &r->head, &why);
    status = status ? status : pl__request_target(r, &why);
    if (status) {
        pl__conn_refuse(c, status, why,
                        status == 417   ? PL__REFUSED_EXPECT
                        : status == 431 ? PL__REFUSED_HEADER
                                        : PL__REFUSED_MALFORMED);
        return;
    }
    on_head(c);
}

static size_t feed_head(struct pl__conn *c, pl_str in)
{
    size_t skipped = 0;
    if (!c->cur) {
        while (skipped < in.n && (in.p[skipped] == '\r' || in.p[skipped] == '\n')) {
            skipped++; /* empty lines before a request are allowed (RFC 9112, 2.2) */
        }
        if (skipped == in.n) {
            return in.n;
        }
        c->cur = pl__request_new(c->io.loop, c);
        if (!c->cur) {
            pl__conn_close(c);
            return in.n;
        }
    }
    struct pl__request *r = c->cur;
    const char *why = "";
    size_t limit = c->io.loop->net->conf.http_max_header_bytes;
    size_t old = r->head_bytes.n, more = in.n - skipped, end = 0;
    if (more > limit + 1 - old) {
        more = limit + 1 - old;
    }
    int found;
    if (old == 0) { /* most often all is here: copy the head, not what follows */
        found = pl__head_end((pl_str){in.p + skipped, more}, &r->scan, &end, &why);
        pl_buf_add(&r->head_bytes, in.p + skipped, found == 1 ? end : more);
    } else {
        pl_buf_add(&r->head_bytes, in.p + skipped, more);
        found = pl__head_end(pl_buf_view(&r->head_bytes), &r->scan, &end, &why);
    }
    if (r->head_bytes.failed) {
        pl__conn_close(c);
    } else if (found < 0) {
        pl__conn_refuse(c, 400, why, PL__REFUSED_MALFORMED);
    } else if ((found ? end : r->head_bytes.n) > limit) {
        pl__conn_refuse(c, 431, "the headers are larger than the limit", PL__REFUSED_HEADER);
    } else if (found) {
        r->head_bytes.n = end;
        take_head(c);
        return skipped + (end - old);
    } else {
        pl__request_account(r);
        if (r->accounted && pl__inflight_full(c->io.loop->net, 0)) {
            refuse_inflight(c);
        }
    }
    return skipped + more;
}

/* Body bytes have come: is the body too large, or the server too full?
 * @return false: it was refused */
static bool body_fits(struct pl__conn *c)
{
    struct pl__request *r = c->cur;
    struct pl_net *n = c->io.loop->net;
    pl__request_account(r);
    if (r->body.failed) {
        pl__conn_refuse(c, 503, "out of memory", PL__REFUSED_INFLIGHT);
        return false;
    }
    if (r->body.n > n->conf.http_max_body_bytes) {
        refuse_body(c);
        return false;
    }
    if (r->accounted && pl__inflight_full(n, 0)) {
        refuse_inflight(c);
        return false;
    }
    return true;
}

void pl__conn_body_read(struct pl__conn *c, size_t n)
{
    struct pl__request *r = c->cur;
    r->body.n += n;
    r->body_left -= n;
    c->body_got += n;
    if (r->body_left == 0) {
        pl__request_account(r);
        dispatch(c);
    } else {
        body_fits(c);
    }
}

static size_t feed_body(struct pl__conn *c, pl_str in)
{
    struct pl__request *r = c->cur;
    size_t n = in.n < r->body_left ? in.n : (size_t)r->body_left;
    pl_buf_add(&r->body, in.p, n);
    if (r->body.failed) {
        body_fits(c);
        return n;
    }
    r->body.n -= n;
    pl__conn_body_read(c, n);
    return n;
}

static size_t feed_chunked(struct pl__conn *c, pl_str in)
{
    struct pl__request *r = c->cur;
    size_t used = 0;
    pl_str data;
    int done = pl__chunked_read(&r->chunked, in, &used, &data);
    if (done < 0) {
        pl__conn_refuse(c, 400,
                        done == PL_ELIMIT ? "chunk extensions or trailers are too long"
                                          : "the chunked body is malformed",
                        PL__REFUSED_MALFORMED);
        return in.n;
    }
    c->body_got += used;
    if (data.n) {
        pl_buf_add(&r->body, data.p, data.n);
        if (!body_fits(c)) {
            return used;
        }
    }
    if (done) {
        dispatch(c);
    }
    return used;
}

size_t pl__conn_feed(struct pl__conn *c, pl_str in)
{
    size_t at = 0;
    while (at < in.n && !c->io.closing) {
        pl_str rest = {in.p + at, in.n - at};
        switch (c->state) {
        case PL__CONN_HEAD:
            if (!c->cur && !pl__conn_can_take(c)) {
                return at;
            }
            at += feed_head(c, rest);
            break;
        case PL__CONN_BODY:
            at += feed_body(c, rest);
            break;
        case PL__CONN_CHUNKED:
            at += feed_chunked(c, rest);
            break;
        case PL__CONN_SKIP: {
            size_t n = rest.n < c->skip_left ? rest.n : (size_t)c->skip_left;
            at += n;
            c->body_got += n;
            c->skip_left -= n;
            if (c->skip_left == 0) {
                c->state = PL__CONN_HEAD;
                pl__timeout_stop(&c->in_timeout);
            }
            break;
        }
        case PL__CONN_SINK:
            return in.n;
        }
    }
    return in.n;
}
