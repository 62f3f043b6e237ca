/* Idempotency: a chained hash table of entries by the 128-bit hash of (kind, producer, key), and a
 * list of the finished ones by age. Callbacks run after the lock is dropped.
 *
 *   record key    16 bytes: the hash
 *   record value  u8 1 | varint time (ms) | varint stream number (0: keyed) | reply */
#include "core/store/idem.h"
#include "core/store/frame.h"
#include <stdlib.h>

#define VALUE_VERSION 1
#define BUCKETS_MIN   64

struct entry {
    struct pl_hash128 hash;
    struct entry *chain;
    struct entry *older, *younger; /* among the finished ones */
    struct pl_idem_waiter *waiters;
    int64_t t_ms;
    uint64_t stream_seq;
    bool finished, dirty, saved; /* saved: the engine has a record of it, or will have */
    uint32_t n_reply;
    char *reply;
};

struct pl_idem_table {
    pthread_mutex_t lock; /* innermost */
    const struct pl_clock *clock;
    uint32_t max;
    struct entry **buckets;
    size_t n_buckets, n;
    struct entry *oldest, *youngest;
    size_t n_finished, reply_bytes;
    struct pl_hash128 *gone; /* saved and over: records to erase */
    size_t n_gone, cap_gone;
    bool lost_gone; /* no memory to remember one: it stays on disk until it is loaded and is over */
};

int pl_idem_table_new(uint32_t max, const struct pl_clock *clock, struct pl_idem_table **out)
{
    struct pl_idem_table *x = calloc(1, sizeof *x);
    struct entry **buckets = calloc(BUCKETS_MIN, sizeof *buckets);
    if (!x || !buckets) {
        free(x);
        free(buckets);
        return PL_ENOMEM;
    }
    pthread_mutex_init(&x->lock, NULL);
    x->clock = clock;
    x->max = max;
    x->buckets = buckets;
    x->n_buckets = BUCKETS_MIN;
    *out = x;
    return 0;
}

static void entry_free(struct entry *e)
{
    free(e->reply);
    free(e);
}

void pl_idem_table_free(struct pl_idem_table *x)
{
    if (!x) {
        return;
    }
    for (size_t i = 0; i < x->n_buckets; i++) {
        for (struct entry *e = x->buckets[i], *next; e; e = next) {
            next = e->chain;
            entry_free(e);
        }
    }
    free(x->buckets);
    free(x->gone);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/** Streams have one entry a producer, keyed requests one a key. */
static struct pl_hash128 hash_of(pl_str producer, pl_str key, bool stream)
{
    struct pl_hash128 p = pl_hash128(producer.p, producer.n, stream ? 2 : 1);
    if (!stream) {
        struct pl_hash128 k = pl_hash128(key.p, key.n, p.lo);
        p.lo = k.lo;
        p.hi ^= k.hi;
    }
    return p;
}

static struct entry **place(struct pl_idem_table *x, struct pl_hash128 h)
{
    struct entry **at = &x->buckets[h.lo & (x->n_buckets - 1)];
    while (*at && !pl_hash128_eq((*at)->hash, h)) {
        at = &(*at)->chain;
    }
    return at;
}

static void grow(struct pl_idem_table *x)
{
    size_t n = x->n_buckets * 2;
    struct entry **buckets = calloc(n, sizeof *buckets);
    if (!buckets) {
        return; /* longer chains */
    }
    for (size_t i = 0; i < x->n_buckets; i++) {
        for (struct entry *e = x->buckets[i], *next; e; e = next) {
            next = e->chain;
            e->chain = buckets[e->hash.lo & (n - 1)];
            buckets[e->hash.lo & (n - 1)] = e;
        }
    }
    free(x->buckets);
    x->buckets = buckets;
    x->n_buckets = n;
}

/** The entry of a hash, made if absent; NULL without memory. */
static struct entry *obtain(struct pl_idem_table *x, struct pl_hash128 h)
{
    struct entry **at = place(x, h);
    if (!*at) {
        struct entry *e = calloc(1, sizeof *e);
        if (!e) {
            return NULL;
        }
        e->hash = h;
        *at = e;
        if (++x->n > x->n_buckets) {
            grow(x);
        }
        return e;
    }
    return *at;
}

static void unlist(struct pl_idem_table *x, struct entry *e)
{
    *(e->older ? &e->older->younger : &x->oldest) = e->younger;
    *(e->younger ? &e->younger->older : &x->youngest) = e->older;
    e->older = e->younger = NULL;
    x->n_finished--;
}

/** By age; most come in order, so the place is found from the young end. */
static void enlist(struct pl_idem_table *x, struct entry *e)
{
    struct entry *at = x->youngest;
    while (at && at->t_ms > e->t_ms) {
        at = at->older;
    }
    e->older = at;
    e->younger = at ? at->younger : x->oldest;
    *(e->older ? &e->older->younger : &x->oldest) = e;
    *(e->younger ? &e->younger->older : &x->youngest) = e;
    x->n_finished++;
}

static void remember_gone(struct pl_idem_table *x, struct pl_hash128 h)
{
    if (pl_grow(&x->gone, x->n_gone, &x->cap_gone, sizeof *x->gone) < 0) {
        x->lost_gone = true;
        return;
    }
    x->gone[x->n_gone++] = h;
}

/** Take out of the table; the caller frees it. */
static void take_out(struct pl_idem_table *x, struct entry *e)
{
    *place(x, e->hash) = e->chain;
    x->n--;
    if (e->finished) {
        unlist(x, e);
        x->reply_bytes -= e->n_reply;
        if (e->saved) {
            remember_gone(x, e->hash);
        }
    }
}

static void expire(struct pl_idem_table *x)
{
    int64_t before = pl_now_ms(x->clock) - PL_IDEM_KEEP_MS;
    while (x->oldest && (x->oldest->t_ms < before || x->n_finished > x->max ||
                         x->reply_bytes > PL_IDEM_BYTES_MAX)) {
        struct entry *e = x->oldest;
        take_out(x, e);
        entry_free(e);
    }
}

static bool name_ok(pl_str s) { return s.n >= 1 && s.n <= PL_IDEM_NAME_MAX; }

int pl_idem_table_begin(struct pl_idem_table *x, pl_str producer, pl_str key,
                        struct pl_idem_waiter *w, struct pl_buf *reply)
{
    if (producer.n > PL_IDEM_NAME_MAX || !name_ok(key)) {
        return PL_EINVAL;
    }
    struct pl_hash128 h = hash_of(producer, key, false);
    int rc;
    pthread_mutex_lock(&x->lock);
    expire(x);
    struct entry *e = *place(x, h);
    if (!e) {
        rc = obtain(x, h) ? PL_IDEM_NEW : PL_ENOMEM;
    } else if (e->finished) {
        pl_buf_add(reply, e->reply, e->n_reply);
        rc = reply->failed ? PL_ENOMEM : PL_IDEM_DONE;
    } else {
        w->node.next = e->waiters ? &e->waiters->node : NULL;
        e->waiters = w;
        rc = PL_IDEM_WAIT;
    }
    pthread_mutex_unlock(&x->lock);
    return rc;
}

static void wake(struct pl_idem_waiter *w, int err, pl_str reply)
{
    while (w) {
        struct pl_idem_waiter *next = (struct pl_idem_waiter *)w->node.next; /* its first member */
        w->node.next = NULL;
        w->done(w, err, reply);
        w = next;
    }
}

void pl_idem_table_abort(struct pl_idem_table *x, pl_str producer, pl_str key, int err)
{
    struct pl_idem_waiter *w = NULL;
    pthread_mutex_lock(&x->lock);
    struct entry *e = *place(x, hash_of(producer, key, false));
    if (e && !e->finished) {
        w = e->waiters;
        take_out(x, e);
        entry_free(e);
    }
    pthread_mutex_unlock(&x->lock);
    wake(w, err, PL_STR_NULL);
}

/** With the lock held: set an entry's finished state. PL_ENOMEM: it is then gone. */
static int finish(struct pl_idem_table *x, struct entry *e, int64_t t_ms, uint64_t stream_seq,
                  pl_str reply)
{
    char *copy = NULL;
    if (reply.n && !(copy = malloc(reply.n))) {
        take_out(x, e);
        entry_free(e);
        return PL_ENOMEM;
    }
    if (reply.n) {
        memcpy(copy, reply.p, reply.n);
    }
    if (e->finished) {
        unlist(x, e);
        x->reply_bytes -= e->n_reply;
        free(e->reply);
    }
    e->reply = copy;
    e->n_reply = (uint32_t)reply.n;
    e->t_ms = t_ms;
    e->stream_seq = stream_seq;
    e->finished = true;
    e->dirty = true;
    x->reply_bytes += reply.n;
    enlist(x, e);
    return 0;
}

int pl_idem_table_done(struct pl_idem_table *x, const struct pl_frame_idem *r)
{
    bool stream = r->stream_seq != 0;
    struct pl_idem_waiter *w = NULL;
    int rc = 0;
    pthread_mutex_lock(&x->lock);
    struct pl_hash128 h = hash_of(r->producer, r->key, stream);
    struct entry *e = *place(x, h);
    /* A batch before this one may have failed while this one was on its way. Then the producer
     * sends both again; the number must not say before that they are kept. */
    uint64_t last = e && e->finished ? e->stream_seq : 0;
    if (stream && r->stream_seq != last + 1) {
        pthread_mutex_unlock(&x->lock);
        return 0;
    }
    e = obtain(x, h);
    if (!e) {
        rc = PL_ENOMEM;
    } else {
        w = e->waiters;
        e->waiters = NULL;
        rc = finish(x, e, r->t_ms, r->stream_seq, r->reply);
        expire(x);
    }
    pthread_mutex_unlock(&x->lock);
    wake(w, 0, r->reply);
    return rc;
}

uint64_t pl_idem_table_last(struct pl_idem_table *x, pl_str producer)
{
    pthread_mutex_lock(&x->lock);
    expire(x);
    struct entry *e = *place(x, hash_of(producer, PL_STR_NULL, true));
    uint64_t seq = e && e->finished ? e->stream_seq : 0;
    pthread_mutex_unlock(&x->lock);
    return seq;
}

/** Little-endian bytes of the hash: lo, hi. */
static pl_str hash_key(struct pl_hash128 h, uint8_t bytes[16])
{
    pl_wr64(bytes, h.lo);
    pl_wr64(bytes + 8, h.hi);
    return pl_str_mem(bytes, 16);
}

int pl_idem_table_save(struct pl_idem_table *x, int (*emit)(void *ctx, const struct pl_record *r),
                       void *ctx)
{
    struct pl_buf value = PL_BUF_INIT;
    uint8_t key[16];
    int rc = 0;
    pthread_mutex_lock(&x->lock); /* emit copies, it is ours */
    expire(x);
    for (size_t i = 0; i < x->n_gone && rc >= 0; i++) {
        struct entry *again = *place(x, x->gone[i]);
        if (!again || !again->finished) {
            struct pl_record r = {PL_RECORD_IDEM, true, hash_key(x->gone[i], key), PL_STR_NULL};
            rc = emit(ctx, &r);
        }
    }
    for (struct entry *e = x->oldest; e && rc >= 0; e = e->younger) {
        if (!e->dirty) {
            continue;
        }
        pl_buf_clear(&value);
        pl_buf_u8(&value, VALUE_VERSION);
        pl_buf_varint(&value, (uint64_t)e->t_ms);
        pl_buf_varint(&value, e->stream_seq);
        pl_buf_add(&value, e->reply, e->n_reply);
        struct pl_record r = {PL_RECORD_IDEM, false, hash_key(e->hash, key), pl_buf_view(&value)};
        rc = value.failed ? PL_ENOMEM : emit(ctx, &r);
    }
    if (rc >= 0) {
        rc = 0;
        x->n_gone = 0;
        for (struct entry *e = x->oldest; e; e = e->younger) {
            e->saved |= e->dirty;
            e->dirty = false;
        }
    }
    pthread_mutex_unlock(&x->lock);
    pl_buf_fini(&value);
    return rc;
}

int pl_idem_table_load(struct pl_idem_table *x, pl_str key, pl_str value)
{
    const uint8_t *p = (const uint8_t *)value.p, *end = p + value.n;
    uint64_t t_ms, seq;
    if (key.n != 16 || value.n < 1 || *p++ != VALUE_VERSION) {
        return PL_ECORRUPT;
    }
    p = pl_varint_get(p, end, &t_ms);
    p = p ? pl_varint_get(p, end, &seq) : NULL;
    if (!p || end - p > PL_IDEM_REPLY_MAX) {
        return PL_ECORRUPT;
    }
    struct pl_hash128 h = {pl_rd64(key.p), pl_rd64(key.p + 8)};
    pthread_mutex_lock(&x->lock);
    struct entry *e = obtain(x, h);
    int rc = e ? finish(x, e, (int64_t)t_ms, seq, pl_str_mem(p, (size_t)(end - p))) : PL_ENOMEM;
    if (rc == 0) {
        e->dirty = false;
        e->saved = true;
        expire(x);
    }
    pthread_mutex_unlock(&x->lock);
    return rc;
}

size_t pl_idem_table_count(struct pl_idem_table *x)
{
    pthread_mutex_lock(&x->lock);
    size_t n = x->n_finished;
    pthread_mutex_unlock(&x->lock);
    return n;
}
