/* Replies. A small one is written straight into the connection's output (when it is its turn), a
 * large body is taken; streamed ones are chunked, or end with the connection in HTTP/1.0. Runs on
 * the loop. Source: RFC 9112, 6 and 7; RFC 9110, 6.6.1 (Date) and 15. */
#include "core/net/conn.h"
#include "core/net/status.h"
#include "core/net/zip.h"
#include <stdio.h>

#define SMALL_BODY 2048

static bool aborted(const struct pl__request *r) { return r->conn->io.closing; }

/* Where the bytes of r go now. */
static struct pl__out *out_of(struct pl__request *r)
{
    return r->conn->first == r ? &r->conn->out : &r->out;
}

static void done(struct pl__request *r)
{
    struct pl__conn *c = r->conn;
    r->reply = PL__REPLY_DONE;
    pl__conn_advance(c);
    pl__conn_dirty(c);
}

/* Memory ran out in the middle: what was sent cannot be taken back. */
static void give_up(struct pl__request *r) { pl__conn_close_soon(r->conn); }

/* Header lines must not be able to end early (response splitting). */
static void add_clean(struct pl_buf *b, pl_str s)
{
    uint8_t *to = pl_buf_reserve(b, s.n);
    if (to) {
        for (size_t i = 0; i < s.n; i++) {
            unsigned char c = (unsigned char)s.p[i];
            to[i] = c == '\r' || c == '\n' || c == 0 ? ' ' : c;
        }
        b->n += s.n;
    }
}

void pl_http_reply_header(struct pl_http_req *req, const char *name, pl_str value)
{
    struct pl__request *r = pl__request_of(req);
    add_clean(&r->extra, pl_str_c(name));
    pl_buf_z(&r->extra, ": ");
    add_clean(&r->extra, value);
    pl_buf_z(&r->extra, "\r\n");
}

static uint8_t *put(uint8_t *p, pl_str s)
{
    if (s.n) {
        memcpy(p, s.p, s.n);
    }
    return p + s.n;
}

static uint8_t *put_number(uint8_t *p, size_t x)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + x % 10);
        x /= 10;
    } while (x);
    while (n) {
        *p++ = (uint8_t)digits[--n];
    }
    return p;
}

static bool is_last(const struct pl__request *r) { return r->conn->last == r && !r->conn->cur; }

/* Status line and headers, and a small body behind them.
 * @param length  of the body; SIZE_MAX: not known */
static bool put_head(struct pl__request *r, int status, pl_str type, size_t length, pl_str body)
{
    struct pl__conn *c = r->conn;
    struct pl_loop *l = c->io.loop;
    struct pl_net *n = l->net;
    char number[16];
    if (status < 100 || status > 999) {
        status = 500;
    }
    bool bodiless = status < 200 || status == 204 || status == 304;
    r->no_body = bodiless || r->head.method == PL_HEAD;
    r->close_after |= !r->head.keep_alive ||
                      (atomic_load_explicit(&n->draining, memory_order_relaxed) && is_last(r));
    if (length == SIZE_MAX && !r->no_body) {
        r->reply_chunked = r->head.http_1_1;
        r->close_after |= !r->head.http_1_1;
    }
    struct pl__out *o = out_of(r);
    uint8_t *start = pl__outq_reserve(o, l, 256 + type.n + r->extra.n + body.n);
    if (!start || r->extra.failed) {
        give_up(r);
        return false;
    }
    uint8_t *p = put(start, PL_STR("HTTP/1.1 "));
    p = put(p, pl__status_line(status, number));
    p = put(p, PL_STR("\r\nDate: "));
    p = put(p, (pl_str){pl__date(&l->date, pl_now_ms(&n->clock)), PL__DATE_LEN});
    if (type.n) {
        p = put(put(p, PL_STR("\r\nContent-Type: ")), type);
    }
    if (r->reply_chunked) {
        p = put(p, PL_STR("\r\nTransfer-Encoding: chunked"));
    } else if (!bodiless && length != SIZE_MAX) {
        p = put_number(put(p, PL_STR("\r\nContent-Length: ")), length);
    }
    if (r->close_after) {
        p = put(p, PL_STR("\r\nConnection: close"));
    } else if (!r->head.http_1_1) {
        p = put(p, PL_STR("\r\nConnection: keep-alive"));
    }
    p = put(p, PL_STR("\r\n"));
    p = put(p, pl_buf_view(&r->extra));
    p = put(p, PL_STR("\r\n"));
    p = r->no_body ? p : put(p, body);
    pl__outq_commit(o, (size_t)(p - start));
    pl_count(n->m.requests[status < 600 ? status / 100 : 0], 1);
    return true;
}

void pl__reply_whole(struct pl__request *r, int status, pl_str type, struct pl_buf *body)
{
    pl_str text = body ? pl_buf_view(body) : PL_STR_NULL;
    bool small = text.n <= SMALL_BODY;
    if (put_head(r, status, type, text.n, small ? text : PL_STR_NULL) && !small && !r->no_body &&
        !pl__outq_take(out_of(r), r->pub.loop, body)) {
        give_up(r);
    }
    if (body) {
        pl_buf_fini(body);
    }
    done(r);
}

void pl_http_reply(struct pl_http_req *req, int status, const char *content_type,
                   struct pl_buf *body)
{
    struct pl__request *r = pl__request_of(req);
    if (aborted(r)) {
        if (body) {
            pl_buf_fini(body);
        }
        pl__request_free(r);
        return;
    }
    pl_str type = pl_str_c(content_type);
    if (body && body->failed) {
        pl_buf_fini(body);
        pl_buf_z(body, "out of memory\n");
        status = 503;
        type = PL_STR("text/plain; charset=utf-8");
    } else if (body && pl__zip_wanted(r, type, body->n)) {
        pl__zip_reply(r, status, type, body);
        return;
    }
    pl__reply_whole(r, status, type, body);
}

void pl_http_reply_text(struct pl_http_req *req, int status, const char *text)
{
    struct pl__request *r = pl__request_of(req);
    struct pl_buf body = PL_BUF_INIT;
    pl_buf_z(&body, text);
    if (body.n && body.p[body.n - 1] != '\n') {
        pl_buf_u8(&body, '\n');
    }
    pl_http_reply(&r->pub, status, "text/plain; charset=utf-8", &body);
}

int pl_http_reply_begin(struct pl_http_req *req, int status, const char *content_type)
{
    struct pl__request *r = pl__request_of(req);
    r->reply = PL__REPLY_STREAMING;
    if (aborted(r)) {
        return PL_ECLOSED;
    }
    bool ok = put_head(r, status, pl_str_c(content_type), SIZE_MAX, PL_STR_NULL);
    pl__conn_dirty(r->conn);
    return ok ? 0 : PL_ENOMEM;
}

bool pl_http_reply_write(struct pl_http_req *req, struct pl_buf *part)
{
    struct pl__request *r = pl__request_of(req);
    struct pl_loop *l = req->loop;
    bool ok = !aborted(r) && !part->failed;
    if (ok && part->n && !r->no_body) {
        struct pl__out *o = out_of(r);
        char size[24];
        int n = snprintf(size, sizeof(size), "%zx\r\n", part->n);
        ok = (!r->reply_chunked || pl__outq_add(o, l, size, (size_t)n)) &&
             pl__outq_take(o, l, part) && (!r->reply_chunked || pl__outq_add(o, l, "\r\n", 2));
        r->wrote = true;
        pl__conn_dirty(r->conn);
    }
    pl_buf_fini(part);
    if (!ok && !aborted(r)) {
        give_up(r);
    }
    return ok;
}

size_t pl_http_reply_pending(const struct pl_http_req *req)
{
    const struct pl__request *r = (const struct pl__request *)req;
    const struct pl__conn *c = r->conn;
    return r->out.bytes + (c->first == r ? pl__outq_pending(&c->out, &c->io) : 0);
}

void pl_http_reply_on_drained(struct pl_http_req *req, void (*drained)(struct pl_http_req *))
{
    pl__request_of(req)->on_drained = drained;
}

void pl_http_reply_end(struct pl_http_req *req)
{
    struct pl__request *r = pl__request_of(req);
    if (aborted(r)) {
        pl__request_free(r);
        return;
    }
    if (r->reply_chunked && !pl__outq_add(out_of(r), req->loop, "0\r\n\r\n", 5)) {
        give_up(r);
    }
    done(r);
}

void pl_http_reply_abort(struct pl_http_req *req)
{
    struct pl__request *r = pl__request_of(req);
    if (aborted(r)) {
        pl__request_free(r);
        return;
    }
    give_up(r);
    done(r);
}
