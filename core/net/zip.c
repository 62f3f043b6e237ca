/* gzip for replies, level 1: it is as fast as the network, and our JSON shrinks tenfold anyway.
 * What would hold up the loop for more than about a millisecond goes to libuv's thread pool; the
 * request keeps its place in the order of replies meanwhile. */
#include "core/net/zip.h"
#include "core/codec/codec.h"
#include "core/net/conn.h"
#include <stdlib.h>

#define ZIP_INLINE ((size_t)64 << 10)
#define ZIP_LEVEL  1

struct job {
    uv_work_t work;
    struct pl__request *r;
    struct pl_buf body, zipped;
    int status, result;
    char type[];
};

static bool is_text(pl_str type)
{
    static const char *const starts[] = {"text/",
                                         "application/json",
                                         "application/openmetrics-text",
                                         "application/javascript",
                                         "application/x-ndjson",
                                         "image/svg+xml"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (pl_str_starts(type, pl_str_c(starts[i]))) {
            return true;
        }
    }
    return false;
}

/* "gzip, deflate;q=0.5", "*", "gzip;q=0" (not acceptable). */
bool pl_http_takes_gzip(const struct pl_http_req *req)
{
    pl_str list = pl_http_header(req, "Accept-Encoding");
    bool any = false;
    while (list.p) {
        pl_str rest = pl_str_cut(&list, ',');
        pl_str name = pl_str_trim(pl_str_cut(&rest, ';'));
        pl_str q = pl_str_trim(rest);
        bool zero = pl_str_starts(q, PL_STR("q=0"));
        for (size_t i = 3; zero && i < q.n; i++) {
            zero = q.p[i] == '0' || q.p[i] == '.';
        }
        if (pl_str_ieq(name, PL_STR("gzip")) || pl_str_ieq(name, PL_STR("x-gzip"))) {
            return !zero;
        }
        any |= pl_str_eq(name, PL_STR("*")) && !zero;
    }
    return any;
}

bool pl__zip_wanted(const struct pl__request *r, pl_str type, size_t n)
{
    return n > PL_HTTP_ZIP_MIN && r->head.method != PL_HEAD && is_text(type) &&
           pl_http_takes_gzip(&r->pub) &&
           (r->extra.n == 0 || !memmem(r->extra.p, r->extra.n, "Content-Encoding:", 17));
}

bool pl_http_reply_zips(struct pl_http_req *req, const char *content_type)
{
    if (!pl__zip_wanted(pl__request_of(req), pl_str_c(content_type), SIZE_MAX)) {
        return false;
    }
    pl_http_reply_header(req, "Vary", PL_STR("Accept-Encoding"));
    pl_http_reply_header(req, "Content-Encoding", PL_STR("gzip"));
    return true;
}

static void answer(struct pl__request *r, int status, pl_str type, struct pl_buf *body,
                   struct pl_buf *zipped, int result)
{
    pl_http_reply_header(&r->pub, "Vary", PL_STR("Accept-Encoding"));
    if (result == 0 && zipped->n < body->n) {
        pl_buf_fini(body);
        pl_http_reply_header(&r->pub, "Content-Encoding", PL_STR("gzip"));
        pl__reply_whole(r, status, type, zipped);
    } else {
        pl_buf_fini(zipped);
        pl__reply_whole(r, status, type, body);
    }
}

static void zip(uv_work_t *w)
{
    struct job *j = w->data;
    j->result = pl_gzip_encode(pl_buf_view(&j->body), ZIP_LEVEL, &j->zipped);
}

static void zipped(uv_work_t *w, int status)
{
    struct job *j = w->data;
    struct pl__request *r = j->r;
    r->zipping = false;
    if (r->conn->io.closing) {
        pl_buf_fini(&j->body);
        pl_buf_fini(&j->zipped);
        pl__request_free(r);
    } else {
        answer(r, j->status, pl_str_c(j->type), &j->body, &j->zipped,
               status < 0 ? PL_ECANCELED : j->result);
    }
    free(j);
}

void pl__zip_reply(struct pl__request *r, int status, pl_str type, struct pl_buf *body)
{
    struct pl_buf out = PL_BUF_INIT;
    struct job *j = body->n > ZIP_INLINE ? calloc(1, sizeof(*j) + type.n + 1) : NULL;
    if (!j) {
        int result = pl_gzip_encode(pl_buf_view(body), ZIP_LEVEL, &out);
        answer(r, status, type, body, &out, result);
        return;
    }
    j->work.data = j;
    j->r = r;
    j->status = status;
    j->body = *body;
    memcpy(j->type, type.p, type.n);
    *body = PL_BUF_INIT;
    r->zipping = true;
    if (uv_queue_work(&r->pub.loop->uv, &j->work, zip, zipped) != 0) {
        zip(&j->work);
        zipped(&j->work, 0);
    }
}
