/* Whole answers from the result cache, and requests that share one run.
 *
 * The key of an answer is the request as it was sent (method, target, body and what kind of one,
 * Accept) and its tenant, so a look-up costs no parsing; it is made on the loop, before a thread is
 * asked. What is not there is computed once for all that ask for it at the same time: a job whose
 * key is under way joins it as a follower, and gets a copy of its bytes (or, where these are many,
 * the same result to write in pieces of its own), unless samples have become visible since the run
 * began (then what it would get could lack what its client knows to be written). A run is cancelled
 * when all that wait for it have gone. Threads: loops and the pool; flights_lock guards the table,
 * the followers, and what decides on cancellation.
 *
 * For clients that take gzip an answer is compressed once, on the pool, and kept like that: their
 * key differs by a byte. */
#include "core/api/internal.h"

#define KEY_MAX ((size_t)64 << 10)

void pl__reply_zipped(struct pl_http_req *req)
{
    pl_http_reply_header(req, "Vary", PL_STR("Accept-Encoding"));
    pl_http_reply_header(req, "Content-Encoding", PL_STR("gzip"));
}

/** The client's wish: nocache=1 (VictoriaMetrics' name), Cache-Control: no-cache or no-store. */
static bool refuses(struct pl_http_req *req)
{
    pl_str s = pl_http_param(req, "nocache");
    pl_str control = pl_http_header(req, "Cache-Control");
    return (s.n && !pl_str_eq(s, PL_STR("0"))) ||
           (control.n && (memmem(control.p, control.n, "no-cache", 8) ||
                          memmem(control.p, control.n, "no-store", 8)));
}

static void key_of(struct pl_http_req *req, const struct pl_job_args *args, struct pl_buf *key)
{
    pl_str type = pl_http_header(req, "Content-Type"); /* are there parameters in the body? */
    pl_str part[] = {req->path, req->query, req->body, type, pl_http_header(req, "Accept")};
    size_t n = 0, n_parts = sizeof(part) / sizeof(*part);
    for (size_t i = 0; i < n_parts; i++) {
        n += part[i].n;
    }
    if (n > KEY_MAX) {
        return;
    }
    pl_buf_u8(key, pl_http_takes_gzip(req) ? 'Z' : 'R');
    pl_buf_u8(key, (uint8_t)req->method);
    pl_buf_u64(key, (uint64_t)(uintptr_t)args->tenant);
    for (size_t i = 0; i < n_parts; i++) {
        pl_buf_varint(key, part[i].n);
        pl_buf_str(key, part[i]);
    }
    if (key->failed) {
        pl_buf_fini(key);
    }
}

bool pl__cached_answer(struct pl_api *a, struct pl_http_req *req, struct pl_job_args *args,
                       struct pl_buf *key)
{
    args->nocache = args->stats == PL__STATS_ALL || refuses(req);
    if (args->nocache || !args->repeats || args->stats != PL__STATS_NONE) {
        return false;
    }
    key_of(req, args, key);
    struct pl_buf out = PL_BUF_INIT;
    if (!key->n || !a->conf.cache || !pl_query_cache_find(a->conf.cache, pl_buf_view(key), &out)) {
        return false;
    }
    if (out.failed || out.n < 2) { /* compute it, then */
        pl_buf_fini(&out);
        return false;
    }
    char type[256]; /* body | content type | its length, a byte | zipped? a byte */
    bool zipped = out.p[out.n - 1];
    size_t n_type = out.p[out.n - 2];
    out.n -= n_type + 2;
    memcpy(type, out.p + out.n, n_type);
    type[n_type] = 0;
    if (zipped) {
        pl__reply_zipped(req);
    }
    pl_count(a->queries, 1);
    pl_http_reply(req, 200, type, &out);
    return true;
}

void pl__job_keep(struct pl_job *job, int64_t t0, int64_t t1, bool catalogue)
{
    job->span = (struct pl_query_span){t0, t1, catalogue};
    job->keep = true;
}

void pl__job_keep_result(struct pl_job *job, const struct pl_result *r)
{
    int64_t t0, t1;
    if (r->reads.known && !r->damaged) {
        bool reads = pl_query_reads_span(&r->reads, job->args.t0, job->args.t1, &t0, &t1);
        pl__job_keep(job, reads ? t0 : 1, reads ? t1 : 0, false);
    }
}

/** Where the client takes it, and it becomes smaller. */
static void compress(struct pl_job *job)
{
    struct pl_buf zipped = PL_BUF_INIT;
    bool is_text = strcmp(job->content_type, "application/msgpack") != 0;
    if (job->key.p[0] != 'Z' || !is_text || job->status != 200 || job->cancel || job->out.failed ||
        job->out.n <= PL_HTTP_ZIP_MIN) {
        return;
    }
    if (pl_gzip_encode(pl_buf_view(&job->out), 1, &zipped) >= 0 && !zipped.failed &&
        zipped.n < job->out.n) {
        pl_buf_fini(&job->out);
        job->out = zipped;
        job->zipped = true;
    } else {
        pl_buf_fini(&zipped);
    }
}

static void keep(struct pl_job *job)
{
    if (job->pieces.ops) { /* too large */
        return;
    }
    compress(job);
    size_t n = job->out.n, n_type = strlen(job->content_type);
    if (!job->keep || job->cancel || !job->api->conf.cache || job->status != 200 ||
        job->out.failed || n_type > 255) {
        return;
    }
    pl_buf_add(&job->out, job->content_type, n_type);
    pl_buf_u8(&job->out, (uint8_t)n_type);
    pl_buf_u8(&job->out, job->zipped);
    if (!job->out.failed) {
        pl_query_cache_keep(job->api->conf.cache, pl_buf_view(&job->key), &job->mark, &job->span,
                            pl_buf_view(&job->out));
    }
    job->out.failed = false; /* the body itself is whole */
    job->out.n = n;
}

/* ------------------------------------------------------------------ flights */

static struct pl_job **bucket_of(struct pl_api *a, const struct pl_job *job)
{
    return &a->flights[job->key_hash % PL__FLIGHTS];
}

static void take_off(struct pl_api *a, struct pl_job *job)
{
    struct pl_job **at = bucket_of(a, job);
    while (*at && *at != job) {
        at = &(*at)->flight_next;
    }
    if (*at) {
        *at = job->flight_next;
    }
}

/** Would its answer come, and have all that is visible now? */
static bool is_fresh(const struct pl_job *leader)
{
    if (leader->cancel || !leader->running) {
        return !leader->cancel;
    }
    struct pl_query_mark now = pl_query_mark(leader->args.tenant);
    return now.applied == leader->mark.applied && now.catalogue == leader->mark.catalogue;
}

bool pl__flight_join(struct pl_job *job)
{
    struct pl_api *a = job->api;
    bool joined = false;
    job->n_alive = 1;
    if (!job->key.n) {
        return false;
    }
    job->key_hash = pl_hash64(job->key.p, job->key.n, 0);
    pthread_mutex_lock(&a->flights_lock);
    struct pl_job *leader = *bucket_of(a, job);
    while (leader &&
           !(leader->key_hash == job->key_hash &&
             pl_str_eq(pl_buf_view(&leader->key), pl_buf_view(&job->key)) && is_fresh(leader))) {
        leader = leader->flight_next;
    }
    if (leader) {
        job->leader = leader;
        job->followers = leader->followers;
        leader->followers = job;
        leader->n_alive++;
        joined = true;
    } else {
        job->flight_next = *bucket_of(a, job);
        *bucket_of(a, job) = job;
    }
    pthread_mutex_unlock(&a->flights_lock);
    return joined;
}

void pl__flight_abort(struct pl_job *job)
{
    struct pl_api *a = job->api;
    pthread_mutex_lock(&a->flights_lock);
    struct pl_job *leader = job->leader ? job->leader : job;
    job->cancel = job->cancel || leader != job;
    if (--leader->n_alive == 0) {
        leader->cancel = true;
        if (leader->key.n) {
            take_off(a, leader);
        }
    }
    pthread_mutex_unlock(&a->flights_lock);
}

void pl__flight_begin(struct pl_job *job)
{
    if (job->key.n) {
        pthread_mutex_lock(&job->api->flights_lock);
        job->mark = pl_query_mark(job->args.tenant);
        job->running = true;
        pthread_mutex_unlock(&job->api->flights_lock);
    }
}

struct pl_job *pl__flight_end(struct pl_job *job)
{
    if (!job->key.n) {
        return NULL;
    }
    keep(job);
    pthread_mutex_lock(&job->api->flights_lock);
    take_off(job->api, job);
    struct pl_job *followers = job->followers;
    job->followers = NULL;
    for (struct pl_job *f = followers; f; f = f->followers) {
        f->leader = NULL;
    }
    pthread_mutex_unlock(&job->api->flights_lock);
    return followers;
}
