/* The table of the result cache, and whole answers in it.
 *
 * Keys are hashed over a few shards, each with a lock, buckets and a list by last use. The bytes of
 * all are counted in one number; over the limit the shard that is being put into lets go of its
 * oldest, then the others of theirs. Locks are held for look-ups and links only; nothing is
 * computed, copied or freed under one. Any thread. */
#include "core/query/cache_kept.h"
#include <stdlib.h>

#define SHARDS  8
#define BUCKETS 1024 /* a shard; chains are short until a million things are kept */

struct shard {
    pthread_mutex_t lock;
    struct pl__kept *bucket[BUCKETS];
    struct pl__kept *newest, *oldest;
};

struct pl_query_cache {
    size_t max_bytes;
    atomic_size_t bytes, n, hand;
    struct pl_metrics *metrics;
    struct pl_counter *count[2][3], *evicted;
    struct shard shard[SHARDS];
};

/* ------------------------------------------------------------------ things that are kept */

int pl__kept_init(struct pl__kept *k, pl_str key, size_t bytes, void (*free_it)(struct pl__kept *k))
{
    char *copy = malloc(key.n + 1);
    if (!copy) {
        return PL_ENOMEM;
    }
    memcpy(copy, key.n ? key.p : "", key.n);
    k->key = (pl_str){copy, key.n};
    k->hash = pl_hash64(key.p, key.n, 0);
    k->bytes = bytes + key.n + 64;
    k->free = free_it;
    k->next = k->newer = k->older = NULL;
    atomic_init(&k->refs, 1);
    return 0;
}

void pl__kept_unref(struct pl__kept *k)
{
    if (k && atomic_fetch_sub(&k->refs, 1) == 1) {
        free((char *)k->key.p);
        k->free(k);
    }
}

/* ------------------------------------------------------------------ shards */

static struct shard *shard_of(struct pl_query_cache *c, uint64_t hash)
{
    return &c->shard[hash % SHARDS];
}

static struct pl__kept **bucket_of(struct shard *s, uint64_t hash)
{
    return &s->bucket[hash / SHARDS % BUCKETS];
}

static void unlink_use(struct shard *s, struct pl__kept *k)
{
    *(k->newer ? &k->newer->older : &s->newest) = k->older;
    *(k->older ? &k->older->newer : &s->oldest) = k->newer;
}

static void link_newest(struct shard *s, struct pl__kept *k)
{
    k->newer = NULL;
    k->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = k;
    s->newest = k;
}

/** Out of the shard; the table's reference is the caller's now. */
static void take_out(struct pl_query_cache *c, struct shard *s, struct pl__kept *k)
{
    struct pl__kept **at = bucket_of(s, k->hash);
    while (*at != k) {
        at = &(*at)->next;
    }
    *at = k->next;
    unlink_use(s, k);
    atomic_fetch_sub(&c->bytes, k->bytes);
    atomic_fetch_sub(&c->n, 1);
}

static struct pl__kept *find(struct shard *s, uint64_t hash, pl_str key)
{
    struct pl__kept *k = *bucket_of(s, hash);
    while (k && (k->hash != hash || !pl_str_eq(k->key, key))) {
        k = k->next;
    }
    return k;
}

struct pl__kept *pl__cache_get(struct pl_query_cache *c, pl_str key)
{
    uint64_t hash = pl_hash64(key.p, key.n, 0);
    struct shard *s = shard_of(c, hash);
    pthread_mutex_lock(&s->lock);
    struct pl__kept *k = find(s, hash, key);
    if (k) {
        atomic_fetch_add(&k->refs, 1);
        if (s->newest != k) {
            unlink_use(s, k);
            link_newest(s, k);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return k;
}

/** Let go of the oldest, of one shard after the other, until all is within bounds; not of `fresh`.
 */
static void evict(struct pl_query_cache *c, const struct pl__kept *fresh)
{
    for (size_t idle = 0; idle < SHARDS && atomic_load(&c->bytes) > c->max_bytes;) {
        struct shard *s = &c->shard[atomic_fetch_add(&c->hand, 1) % SHARDS];
        pthread_mutex_lock(&s->lock);
        struct pl__kept *k = s->oldest == fresh && fresh ? fresh->newer : s->oldest;
        if (k) {
            take_out(c, s, k);
        }
        pthread_mutex_unlock(&s->lock);
        idle = k ? 0 : idle + 1;
        if (k) {
            pl_count(c->evicted, 1);
            pl__kept_unref(k);
        }
    }
}

void pl__cache_put(struct pl_query_cache *c, struct pl__kept *k)
{
    struct shard *s = shard_of(c, k->hash);
    if (k->bytes > pl__cache_item_max(c)) {
        pl__kept_unref(k);
        return;
    }
    pthread_mutex_lock(&s->lock);
    struct pl__kept *before = find(s, k->hash, k->key);
    if (before) {
        take_out(c, s, before);
    }
    struct pl__kept **bucket = bucket_of(s, k->hash);
    k->next = *bucket;
    *bucket = k;
    link_newest(s, k);
    atomic_fetch_add(&k->refs, 1); /* one for the table, one until evict has looked at it */
    atomic_fetch_add(&c->bytes, k->bytes);
    atomic_fetch_add(&c->n, 1);
    pthread_mutex_unlock(&s->lock);
    pl__kept_unref(before);
    evict(c, k);
    pl__kept_unref(k);
}

void pl__cache_drop(struct pl_query_cache *c, struct pl__kept *k)
{
    struct shard *s = shard_of(c, k->hash);
    pthread_mutex_lock(&s->lock);
    bool there = find(s, k->hash, k->key) == k;
    if (there) {
        take_out(c, s, k);
    }
    pthread_mutex_unlock(&s->lock);
    if (there) {
        pl__kept_unref(k);
    }
}

/* ------------------------------------------------------------------ the cache */

static double bytes(void *ctx) { return (double)((struct pl_query_cache *)ctx)->bytes; }

static double entries(void *ctx) { return (double)((struct pl_query_cache *)ctx)->n; }

int pl_query_cache_new(size_t max_bytes, struct pl_metrics *m, struct pl_query_cache **out)
{
    static const char *const labels[2][3] = {
        {"kind=\"reply\",result=\"hit\"", "kind=\"reply\",result=\"part\"",
         "kind=\"reply\",result=\"miss\""},
        {"kind=\"steps\",result=\"hit\"", "kind=\"steps\",result=\"part\"",
         "kind=\"steps\",result=\"miss\""}};
    struct pl_query_cache *c = calloc(1, sizeof *c);
    if (!c) {
        return PL_ENOMEM;
    }
    c->max_bytes = max_bytes;
    c->metrics = m;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&c->shard[i].lock, NULL);
    }
    for (int kind = 0; kind < 2; kind++) {
        for (int what = 0; what < 3; what++) {
            c->count[kind][what] =
                pl_metrics_counter(m, "perilune_query_cache_requests_total",
                                   "Look-ups in the result cache: whole replies, and steps of "
                                   "range queries.",
                                   labels[kind][what]);
        }
    }
    c->evicted = pl_metrics_counter(m, "perilune_query_cache_evictions_total",
                                    "Results that had to make room for others.", NULL);
    pl_metrics_fn(m, "perilune_query_cache_bytes", "Bytes of the result cache.", NULL, false, bytes,
                  c);
    pl_metrics_fn(m, "perilune_query_cache_entries", "Results in the result cache.", NULL, false,
                  entries, c);
    *out = c;
    return 0;
}

void pl_query_cache_clear(struct pl_query_cache *c)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shard[i];
        for (struct pl__kept *k = NULL;; pl__kept_unref(k)) {
            pthread_mutex_lock(&s->lock);
            k = s->oldest;
            if (k) {
                take_out(c, s, k);
            }
            pthread_mutex_unlock(&s->lock);
            if (!k) {
                break;
            }
        }
    }
}

void pl_query_cache_free(struct pl_query_cache *c)
{
    if (!c) {
        return;
    }
    pl_metrics_forget(c->metrics, c);
    pl_query_cache_clear(c);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&c->shard[i].lock);
    }
    free(c);
}

size_t pl_query_cache_bytes(const struct pl_query_cache *c) { return atomic_load(&c->bytes); }

size_t pl__cache_item_max(const struct pl_query_cache *c) { return c->max_bytes / 4; }

void pl__cache_count(struct pl_query_cache *c, enum pl__cache_kind kind, enum pl__cache_event what)
{
    pl_count(c->count[kind][what], 1);
}

/* ------------------------------------------------------------------ marks */

struct pl_query_mark pl_query_mark(struct pl_tenant *t)
{
    struct pl_query_mark m = {
        .tenant = t, .oldest = pl_tenant_oldest(t), .catalogue = pl_tenant_catalogue(t)};
    pl_tenant_touched(t, 1, 0, &m.applied);
    return m;
}

bool pl__mark_holds(const struct pl_query_mark *m, int64_t t0, int64_t t1)
{
    if (t0 > t1) {
        return true;
    }
    return pl_tenant_touched(m->tenant, t0, t1, NULL) <= m->applied &&
           (t0 >= pl_tenant_oldest(m->tenant) || m->oldest == pl_tenant_oldest(m->tenant));
}

/* ------------------------------------------------------------------ whole answers */

struct reply {
    struct pl__kept kept;
    struct pl_query_mark mark;
    struct pl_query_span span;
    size_t n;
    uint8_t body[];
};

static void reply_free(struct pl__kept *k) { free(k); }

void pl_query_cache_keep(struct pl_query_cache *c, pl_str key, const struct pl_query_mark *mark,
                         const struct pl_query_span *span, pl_str body)
{
    if (sizeof(struct reply) + body.n + key.n > pl__cache_item_max(c)) {
        return;
    }
    struct reply *r = malloc(sizeof *r + body.n);
    if (!r || pl__kept_init(&r->kept, key, sizeof *r + body.n, reply_free) < 0) {
        free(r);
        return;
    }
    r->mark = *mark;
    r->span = *span;
    r->n = body.n;
    memcpy(r->body, body.n ? body.p : "", body.n);
    pl__cache_put(c, &r->kept);
}

bool pl_query_cache_find(struct pl_query_cache *c, pl_str key, struct pl_buf *out)
{
    struct reply *r = (struct reply *)pl__cache_get(c, key); /* kept is its first member */
    bool right = r && pl__mark_holds(&r->mark, r->span.t0, r->span.t1) &&
                 (!r->span.catalogue || pl_tenant_catalogue(r->mark.tenant) == r->mark.catalogue);
    if (right) {
        pl_buf_add(out, r->body, r->n);
    } else if (r) {
        pl__cache_drop(c, &r->kept);
    }
    if (r) {
        pl__kept_unref(&r->kept);
    }
    pl__cache_count(c, PL__CACHE_REPLY, right ? PL__CACHE_HIT : PL__CACHE_MISS);
    return right;
}
