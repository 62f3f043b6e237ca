/* A request finds its endpoint. Thread: loops. */
#include "core/api/write.h"
#include <stdlib.h>

static bool path_matches(const char *pattern, pl_str path)
{
    const char *p = path.p, *end = path.p + path.n;
    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            if (p == end || *p == '/') {
                return false;
            }
            while (p < end && *p != '/') {
                p++;
            }
        } else if (p == end || *p++ != *pattern) {
            return false;
        }
    }
    return p == end;
}

static unsigned method_bit(enum pl_http_method m)
{
    switch (m) {
    case PL_GET:
    case PL_HEAD:
        return PL_M_GET;
    case PL_POST:
        return PL_M_POST;
    case PL_PUT:
        return PL_M_PUT;
    case PL_DELETE:
        return PL_M_DELETE;
    default:
        return 0;
    }
}

/* The route of a request; *allowed collects the methods its path knows. */
static const struct pl_route *find_route(const struct pl_http_req *req, unsigned *allowed)
{
    *allowed = 0;
    pl_str path = req->path;
    if (path.n > 1 && path.p[path.n - 1] == '/') {
        path.n--;
    }
    for (size_t i = 0; i < pl__n_routes; i++) {
        const struct pl_route *r = &pl__routes[i];
        if (path_matches(r->path, path)) {
            *allowed |= r->methods;
            if (r->methods & method_bit(req->method)) {
                return r;
            }
        }
    }
    return NULL;
}

/* Refuse a body before it is sent where the store would not take it. */
static int admit(void *ctx, struct pl_http_req *req, uint64_t content_length, const char **why)
{
    struct pl_api *a = ctx;
    unsigned allowed;
    (void)content_length;
    const struct pl_route *r = find_route(req, &allowed);
    if (!r || !r->writes) {
        return 0;
    }
    struct pl_tenant *t;
    struct pl_batch *b;
    if (!a->ready) {
        *why = "starting: the journal is being read, try again soon\n";
        return 503;
    }
    if (pl_store_tenant(a->conf.store, PL_STR("default"), true, &t) < 0) {
        return 0;
    }
    int e = pl_batch_new(t, &b);
    if (e < 0) {
        *why = pl__write_words(e);
        return pl__status_of(e);
    }
    pl_batch_free(b);
    return 0;
}

/* "GET, HEAD, POST": what Allow says. */
static pl_str methods_text(unsigned allowed, char out[40])
{
    int n = snprintf(out, 40, "%s%s%s%sOPTIONS", (allowed & PL_M_GET) ? "GET, HEAD, " : "",
                     (allowed & PL_M_POST) ? "POST, " : "", (allowed & PL_M_PUT) ? "PUT, " : "",
                     (allowed & PL_M_DELETE) ? "DELETE, " : "");
    return pl_str_mem(out, (size_t)n);
}

static void not_found(struct pl_http_req *req, unsigned allowed)
{
    char text[40];
    if (req->method == PL_OPTIONS && allowed) {
        pl_http_reply_header(req, "Access-Control-Allow-Methods", methods_text(allowed, text));
        pl_http_reply_header(req, "Access-Control-Allow-Headers",
                             PL_STR("Accept, Authorization, Content-Encoding, Content-Type, "
                                    "Idempotency-Key, Origin, X-Scope-OrgID"));
        pl_http_reply(req, 204, NULL, NULL);
    } else if (allowed) {
        pl_http_reply_header(req, "Allow", methods_text(allowed, text));
        pl_http_reply_text(req, 405, "method not allowed here: see Allow\n");
    } else {
        pl_http_reply_text(req, 404, "no such path: GET / lists what there is\n");
    }
}

/* As Prometheus: only who names an origin hears of it. */
static void cors(struct pl_http_req *req)
{
    if (pl_http_header(req, "Origin").p) {
        pl_http_reply_header(req, "Access-Control-Allow-Origin", PL_STR("*"));
        pl_http_reply_header(req, "Access-Control-Expose-Headers", PL_STR("Date"));
        pl_http_reply_header(req, "Vary", PL_STR("Origin"));
    }
}

static void request(void *ctx, struct pl_http_req *req)
{
    struct pl_api *a = ctx;
    unsigned allowed;
    const struct pl_route *r = find_route(req, &allowed);
    cors(req);
    if (!r) {
        not_found(req, allowed);
    } else {
        req->body_is_data = r->writes;
        r->run(a, req);
    }
}

static double waiting(void *ctx)
{
    struct pl_api *a = ctx;
    return (double)a->queries_waiting;
}

static double budget_used(void *ctx)
{
    struct pl_api *a = ctx;
    return (double)a->budget.used;
}

static double backup_done(void *ctx)
{
    struct pl_api *a = ctx;
    return (double)a->backup_done;
}

static double backup_total(void *ctx)
{
    struct pl_api *a = ctx;
    return (double)a->backup_total;
}

static int init(struct pl_api *a)
{
    const struct pl_api_conf *c = &a->conf;
    struct pl_ingest_conf ic = {.clock = c->clock, .metrics = c->metrics};
    size_t n = a->n_loops = pl_net_loops(c->net);
    a->ingest = calloc(n, sizeof(*a->ingest));
    a->rooms = calloc(n, sizeof(*a->rooms));
    if (!a->ingest || !a->rooms) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        int e = pl_ingest_new(&ic, &a->ingest[i]);
        if (e < 0) {
            return e;
        }
    }
    a->queries = pl_metrics_counter(c->metrics, "perilune_queries_total", "Queries begun.", NULL);
    a->query_errors = pl_metrics_counter(c->metrics, "perilune_query_errors_total",
                                         "Queries that ended with an error.", NULL);
    a->queries_on_loop = pl_metrics_counter(
        c->metrics, "perilune_queries_on_loop_total",
        "Queries answered by the loop that read them, as they are known to be light.", NULL);
    a->query_refused = pl_metrics_counter(c->metrics, "perilune_query_refused_total",
                                          "Queries refused because too many waited.", NULL);
    a->query_samples = pl_metrics_counter(c->metrics, "perilune_query_samples_total",
                                          "Samples read by queries.", NULL);
    a->query_seconds = pl_metrics_histo(c->metrics, "perilune_query_duration_seconds",
                                        "From the request to the answer of a query.", NULL);
    a->write_seconds =
        pl_metrics_histo(c->metrics, "perilune_write_duration_seconds",
                         "From the request to the acknowledgement of a write.", NULL);
    pl_metrics_fn(c->metrics, "perilune_queries_waiting", "Queries that wait for a thread.", NULL,
                  false, waiting, a);
    pl_metrics_fn(c->metrics, "perilune_query_memory_bytes",
                  "Values and results that queries hold, until these are sent.", NULL, false,
                  budget_used, a);
    pl_metrics_fn(c->metrics, "perilune_backup_done_bytes",
                  "Bytes of the last backup written so far.", NULL, false, backup_done, a);
    pl_metrics_fn(c->metrics, "perilune_backup_size_bytes", "Bytes of the last backup in all.",
                  NULL, false, backup_total, a);
    return pl_sessions_new(c->clock, c->sessions_max ? c->sessions_max : 10000, &a->sessions);
}

int pl_api_new(const struct pl_api_conf *conf, struct pl_api **out)
{
    struct pl_api *a = calloc(1, sizeof(*a));
    if (!a) {
        return PL_ENOMEM;
    }
    a->conf = *conf;
    pthread_mutex_init(&a->active_lock, NULL);
    pthread_mutex_init(&a->flights_lock, NULL);
    pl__queue_init(a);
    a->started_ms = pl_now_ms(conf->clock);
    a->http = (struct pl_http_handler){.ctx = a, .admit = admit, .request = request};
    pl__stream_init(a);
    int e = init(a);
    if (e < 0) {
        pl_api_free(a);
        return e;
    }
    *out = a;
    return 0;
}

const struct pl_http_handler *pl_api_http(struct pl_api *a) { return &a->http; }

const struct pl_stream_handler *pl_api_stream(struct pl_api *a) { return &a->stream; }

void pl_api_set_ready(struct pl_api *a, bool ready) { a->ready = ready; }

void pl_api_free(struct pl_api *a)
{
    if (!a) {
        return;
    }
    pl_metrics_forget(a->conf.metrics, a);
    for (size_t i = 0; a->ingest && a->rooms && i < a->n_loops; i++) {
        pl_ingest_free(a->ingest[i]);
        pl_buf_fini(&a->rooms[i]);
    }
    free(a->ingest);
    free(a->rooms);
    pl_sessions_free(a->sessions);
    pthread_mutex_destroy(&a->active_lock);
    pthread_mutex_destroy(&a->flights_lock);
    pl__queue_fini(a);
    free(a);
}
