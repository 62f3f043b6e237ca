/* Content-Encoding of request bodies (RFC 9110, 8.4): the encodings are undone from the last
 * applied to the first. Runs on the loop. */
#include "core/codec/codec.h"
#include "core/net/loop.h"
#include "core/net/request.h"

#define CHAIN_MAX 4

typedef int (*decoder)(pl_str src, size_t max, struct pl_buf *out);

/* NULL: identity. @return false: not known */
static bool find(pl_str name, decoder *out)
{
    static const struct {
        const char *name;
        decoder decode;
    } known[] = {
        {"snappy", pl_snappy_decode},
        {"gzip", pl_gzip_decode},
        {"zstd", pl_zstd_decode},
        {"x-gzip", pl_gzip_decode},
        {"deflate", pl_deflate_decode},
        {"identity", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (pl_str_ieq(name, pl_str_c(known[i].name))) {
            *out = known[i].decode;
            return true;
        }
    }
    return false;
}

int pl_http_body_decode(struct pl_http_req *req, size_t max, struct pl_buf *room, pl_str *out)
{
    struct pl__request *r = pl__request_of(req);
    decoder chain[CHAIN_MAX];
    size_t n = 0;
    /* several lines are one list */
    for (size_t i = 0; i < r->head.n_headers; i++) {
        if (!pl_str_ieq(r->head.header[i].name, PL_STR("content-encoding"))) {
            continue;
        }
        for (pl_str list = r->head.header[i].value; list.p;) {
            decoder d = NULL;
            if (!find(pl_str_trim(pl_str_cut(&list, ',')), &d) || (d && n == CHAIN_MAX)) {
                return PL_EUNSUPPORTED;
            }
            if (d) {
                chain[n++] = d;
            }
        }
    }
    if (n == 0) {
        *out = req->body;
        return req->body.n > max ? PL_ELIMIT : 0;
    }
    if (pl__inflight_full(req->loop->net, 0)) {
        return PL_EBUSY;
    }
    struct pl_buf between = PL_BUF_INIT; /* of a chain of encodings */
    pl_str src = req->body;
    int e = 0;
    while (n && e == 0) {
        pl_buf_clear(room);
        e = chain[--n](src, max, room);
        if (n && e == 0) {
            struct pl_buf done = *room;
            *room = between;
            between = done;
        }
        src = pl_buf_view(n ? &between : room);
    }
    pl_buf_fini(&between);
    if (e == 0) {
        *out = src.n ? src : PL_STR("");
    }
    return e;
}
