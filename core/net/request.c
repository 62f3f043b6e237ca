/* Requests: the pool, the target, header look-up. Runs on the loop. */
#include "core/net/request.h"
#include "core/net/conn.h"
#include "core/net/loop.h"
#include <stdlib.h>

#define POOL_MAX       64
#define KEEP_HEAD      8192
#define KEEP_BODY      16384
#define KEEP_ARENA     (64 << 10)
#define KEEP_LARGE_MAX 8 /* so many pooled requests may keep large arenas */

struct pl__request *pl__request_new(struct pl_loop *l, struct pl__conn *c)
{
    struct pl__request *r = l->free_requests;
    if (r) {
        l->free_requests = r->next;
        l->n_free_requests--;
    } else {
        r = calloc(1, sizeof(*r));
        if (!r) {
            return NULL;
        }
        pl_arena_init(&r->pub.arena, l->net->conf.http_max_inflight_bytes);
        pl__list_append(&l->requests, &r->all);
    }
    r->conn = c;
    r->next = NULL;
    r->out = (struct pl__out){0};
    r->pub.loop = l;
    r->pub.peer = pl_str_c(c->io.peer);
    c->n_live++;
    return r;
}

static void destroy(struct pl__request *r)
{
    pl__list_remove(&r->all);
    pl_buf_fini(&r->head_bytes);
    pl_buf_fini(&r->body);
    pl_buf_fini(&r->extra);
    pl_arena_fini(&r->pub.arena);
    free(r);
}

static void clear(struct pl_buf *b, size_t keep)
{
    if (b->cap > keep) {
        pl_buf_fini(b);
    }
    pl_buf_clear(b);
}

void pl__request_free(struct pl__request *r)
{
    struct pl_loop *l = r->pub.loop;
    struct pl__conn *c = r->conn;
    pl__account(l->net, &r->accounted, 0);
    pl__outq_clear(&r->out, l);
    if (l->n_free_requests >= POOL_MAX) {
        destroy(r);
    } else {
        clear(&r->head_bytes, KEEP_HEAD);
        clear(&r->body, KEEP_BODY);
        clear(&r->extra, KEEP_HEAD);
        if (r->pub.arena.used > KEEP_ARENA && l->n_free_requests >= KEEP_LARGE_MAX) {
            pl_arena_fini(&r->pub.arena);
        } else if (r->pub.arena.used) {
            pl_arena_reset(&r->pub.arena);
        }
        struct pl_arena arena = r->pub.arena;
        r->pub = (struct pl_http_req){.arena = arena};
        r->conn = NULL;
        r->scan = 0;
        r->head.n_headers = 0;
        r->chunked = (struct pl__chunked){0};
        r->body_left = 0;
        r->params = NULL;
        r->n_params = 0;
        r->params_made = false;
        r->on_drained = NULL;
        r->reply = PL__REPLY_NONE;
        r->dispatched = r->whole = r->want_continue = r->close_after = false;
        r->reply_chunked = r->no_body = r->wrote = r->zipping = false;
        r->next = l->free_requests;
        l->free_requests = r;
        l->n_free_requests++;
    }
    pl__conn_released(c);
}

void pl__requests_free(struct pl_loop *l)
{
    while (!pl__list_empty(&l->requests)) {
        struct pl__request *r = PL__CONTAINER(l->requests.next, struct pl__request, all);
        if (r->conn) { /* its handler has never answered */
            pl__outq_clear(&r->out, l);
            pl__conn_released(r->conn);
        }
        destroy(r);
    }
    l->free_requests = NULL;
    l->n_free_requests = 0;
}

bool pl_net_full(const struct pl_net *n) { return pl__inflight_full(n, 0); }

bool pl__inflight_full(const struct pl_net *n, uint64_t more)
{
    uint64_t now = atomic_load_explicit(&n->inflight, memory_order_relaxed);
    return more > n->conf.http_max_inflight_bytes || now > n->conf.http_max_inflight_bytes - more;
}

void pl__request_account(struct pl__request *r)
{
    size_t held = r->body.n ? r->body.cap : 0;
    held += r->head_bytes.cap > KEEP_HEAD ? r->head_bytes.cap : 0;
    held += r->conn->n_queue > 1 ? sizeof(*r) : 0; /* one a connection is bounded by their number */
    pl__account(r->pub.loop->net, &r->accounted, held);
}

int pl__request_target(struct pl__request *r, const char **why)
{
    pl_str t = r->head.target;
    r->pub.target = t;
    if (t.n && t.p[0] != '/' && r->head.method != PL_METHOD_OTHER) {
        pl_str rest = t; /* absolute-form: "http://host/path?query" */
        const char *slashes = memmem(t.p, t.n, "://", 3);
        if (slashes) {
            rest.p = slashes + 3;
            rest.n = (size_t)(t.p + t.n - rest.p);
            const char *slash = memchr(rest.p, '/', rest.n);
            t = slash ? (pl_str){slash, (size_t)(rest.p + rest.n - slash)} : PL_STR("/");
        }
    }
    pl_str path = pl_str_cut(&t, '?');
    r->pub.query = t.p ? t : PL_STR("");
    if (memchr(path.p, '%', path.n)) {
        path = pl_url_decode(&r->pub.arena, path, false);
        if (!path.p || memchr(path.p, 0, path.n)) {
            *why = "bad escape in the path";
            return 400;
        }
    }
    r->pub.path = path;
    return 0;
}

pl_str pl_http_header(const struct pl_http_req *req, const char *name)
{
    const struct pl__head *h = &pl__request_of(req)->head;
    pl_str want = pl_str_c(name);
    for (size_t i = 0; i < h->n_headers; i++) {
        if (h->header[i].name.n == want.n && pl_str_ieq(h->header[i].name, want)) {
            return h->header[i].value;
        }
    }
    return PL_STR_NULL;
}
