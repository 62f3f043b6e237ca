/* Series by the hash of their labels: a table in shards, each with a mutex. Any thread.
 *
 * At start a million hashes come at once while nobody asks: they are put down by shard, and each
 * shard is built in one go, of the right size, when all are there. */
#include "core/store/series_impl.h"
#include <stdatomic.h>
#include <stdlib.h>

#define SLOT    12
#define CAP_MIN 32

void pl__series_hash_init(struct pl_series *s)
{
    for (size_t i = 0; i < PL__SHARDS; i++) {
        pthread_mutex_init(&s->shards[i].lock, NULL);
    }
}

void pl__series_hash_fini(struct pl_series *s)
{
    for (size_t i = 0; i < PL__SHARDS; i++) {
        pthread_mutex_destroy(&s->shards[i].lock);
        free(s->shards[i].slots);
        free(s->shards[i].waiting);
    }
}

size_t pl__series_hash_bytes(struct pl_series *s)
{
    size_t n = 0;
    for (size_t i = 0; i < PL__SHARDS; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        n += (size_t)s->shards[i].cap * SLOT;
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    return n;
}

static inline struct pl__shard *shard_of(struct pl_series *s, struct pl_hash128 hash)
{
    return &s->shards[hash.lo % PL__SHARDS];
}

static inline uint32_t place(const struct pl__shard *h, uint64_t tag)
{
    return (uint32_t)((tag >> 32) * h->cap >> 32);
}

static inline uint32_t next_place(const struct pl__shard *h, uint32_t i)
{
    return i + 1 == h->cap ? 0 : i + 1;
}

/** The slot of a tag, or the empty one where it would go. The shard is not full. */
static uint8_t *probe(const struct pl__shard *h, uint64_t tag)
{
    for (uint32_t i = place(h, tag);; i = next_place(h, i)) {
        uint8_t *slot = h->slots + (size_t)i * SLOT;
        if (pl_rd32(slot + 8) == 0 || pl_rd64(slot) == tag) {
            return slot;
        }
    }
}

static int shard_resize(struct pl__shard *h, uint32_t cap)
{
    struct pl__shard more = {.cap = cap};
    more.slots = calloc(more.cap, SLOT);
    if (!more.slots) {
        return PL_ENOMEM;
    }
    for (uint32_t i = 0; i < h->cap; i++) {
        const uint8_t *slot = h->slots + (size_t)i * SLOT;
        if (pl_rd32(slot + 8)) {
            memcpy(probe(&more, pl_rd64(slot)), slot, SLOT);
        }
    }
    free(h->slots);
    h->slots = more.slots;
    h->cap = more.cap;
    return 0;
}

/** Room for one more. */
static int shard_grow(struct pl__shard *h)
{
    if (h->n + 1 <= h->cap - h->cap / 5) {
        return 0;
    }
    return shard_resize(h, h->cap ? h->cap + h->cap / 4 : CAP_MIN);
}

static void shard_put(struct pl__shard *h, uint8_t *slot, uint64_t tag, uint32_t id)
{
    pl_wr64(slot, tag);
    pl_wr32(slot + 8, id + 1);
    h->n++;
}

/** A new id, defined. */
static int make_id(struct pl_series *s, pl_str canon, uint32_t *id)
{
    uint32_t n = atomic_fetch_add(&s->n_interned, 1);
    if (s->conf.max_series && n >= s->conf.max_series) {
        atomic_fetch_sub(&s->n_interned, 1);
        return PL_ELIMIT;
    }
    uint32_t mine = atomic_load(&s->next_id);
    do {
        if (mine > PL__ID_MAX) {
            atomic_fetch_sub(&s->n_interned, 1);
            return PL_ELIMIT;
        }
    } while (!atomic_compare_exchange_weak(&s->next_id, &mine, mine + 1));
    int rc = s->conf.define ? s->conf.define(s->conf.ctx, mine, canon) : 0;
    if (rc < 0) { /* give the id back where nobody took one meanwhile */
        uint32_t behind = mine + 1;
        atomic_compare_exchange_strong(&s->next_id, &behind, mine);
        atomic_fetch_sub(&s->n_interned, 1);
        return rc;
    }
    *id = mine;
    return 1;
}

int pl_series_intern(struct pl_series *s, pl_str canon, struct pl_hash128 hash, uint32_t *id)
{
    struct pl__shard *h = shard_of(s, hash);
    uint32_t made = 0;
    if (canon.n == 0) {
        return PL_EINVAL;
    }
    pthread_mutex_lock(&h->lock);
    int rc = shard_grow(h);
    if (rc == 0) {
        uint8_t *slot = probe(h, hash.hi);
        uint32_t known = pl_rd32(slot + 8);
        if (known) {
            made = known - 1;
        } else {
            rc = make_id(s, canon, &made);
            if (rc > 0) {
                shard_put(h, slot, hash.hi, made);
            }
        }
    }
    pthread_mutex_unlock(&h->lock);
    if (rc >= 0) {
        *id = made;
    }
    return rc;
}

int pl_series_lookup(struct pl_series *s, struct pl_hash128 hash, uint32_t *id)
{
    struct pl__shard *h = shard_of(s, hash);
    pthread_mutex_lock(&h->lock);
    uint32_t known = h->cap ? pl_rd32(probe(h, hash.hi) + 8) : 0;
    pthread_mutex_unlock(&h->lock);
    if (!known) {
        return PL_ENOTFOUND;
    }
    *id = known - 1;
    return 0;
}

/** While loading: put the slot down in order; the table is made of them at the end. */
static int enter_later(struct pl__shard *h, uint64_t tag, uint32_t id)
{
    if (h->n_waiting == h->cap_waiting) {
        uint32_t cap = h->cap_waiting ? h->cap_waiting * 2 : CAP_MIN;
        uint8_t *p = realloc(h->waiting, (size_t)cap * SLOT);
        if (!p) {
            return PL_ENOMEM;
        }
        h->waiting = p;
        h->cap_waiting = cap;
    }
    uint8_t *slot = h->waiting + (size_t)h->n_waiting++ * SLOT;
    pl_wr64(slot, tag);
    pl_wr32(slot + 8, id + 1);
    return 0;
}

/** Enter what waits. A shard fits the nearest cache, so this costs far less than one by one. */
static int shard_settle(struct pl_series *s, struct pl__shard *h)
{
    uint32_t need = h->n + h->n_waiting, before = h->n;
    if (need > h->cap - h->cap / 5 && shard_resize(h, need + need / 3 + CAP_MIN) < 0) {
        return PL_ENOMEM;
    }
    for (uint32_t i = 0; i < h->n_waiting; i++) {
        const uint8_t *from = h->waiting + (size_t)i * SLOT;
        uint8_t *slot = probe(h, pl_rd64(from));
        h->n += pl_rd32(slot + 8) == 0;
        memcpy(slot, from, SLOT);
    }
    atomic_fetch_add(&s->n_interned, h->n - before);
    free(h->waiting);
    h->waiting = NULL;
    h->n_waiting = h->cap_waiting = 0;
    return 0;
}

void pl_series_load_begin(struct pl_series *s) { s->loading = true; }

int pl_series_load_end(struct pl_series *s)
{
    for (size_t i = 0; i < PL__SHARDS; i++) {
        if (s->shards[i].n_waiting && shard_settle(s, &s->shards[i]) < 0) {
            return PL_ENOMEM;
        }
    }
    s->loading = false;
    return 0;
}

int pl__series_enter(struct pl_series *s, struct pl_hash128 hash, uint32_t id)
{
    struct pl__shard *h = shard_of(s, hash);
    if (s->loading) {
        return enter_later(h, hash.hi, id);
    }
    pthread_mutex_lock(&h->lock);
    int rc = shard_grow(h);
    if (rc == 0) {
        uint8_t *slot = probe(h, hash.hi);
        if (pl_rd32(slot + 8)) {
            pl_wr32(slot + 8, id + 1);
        } else {
            shard_put(h, slot, hash.hi, id);
            atomic_fetch_add(&s->n_interned, 1);
        }
    }
    pthread_mutex_unlock(&h->lock);
    return rc;
}

void pl__series_prefetch(struct pl_series *s, struct pl_hash128 hash)
{
    const struct pl__shard *h = shard_of(s, hash);
    if (h->slots && !s->loading) {
        __builtin_prefetch(h->slots + (size_t)place(h, hash.hi) * SLOT, 1);
    }
}

void pl__series_remove(struct pl_series *s, struct pl_hash128 hash, uint32_t id)
{
    struct pl__shard *h = shard_of(s, hash);
    pthread_mutex_lock(&h->lock);
    int rc = h->n_waiting ? shard_settle(s, h) : 0;
    uint8_t *slot = rc >= 0 && h->cap ? probe(h, hash.hi) : NULL;
    if (slot && pl_rd32(slot + 8) == id + 1) {
        uint32_t hole = (uint32_t)((size_t)(slot - h->slots) / SLOT);
        for (uint32_t i = next_place(h, hole);; i = next_place(h, i)) {
            const uint8_t *at = h->slots + (size_t)i * SLOT;
            if (pl_rd32(at + 8) == 0) {
                break;
            }
            uint32_t home = place(h, pl_rd64(at));
            /* it may move to the hole unless its home lies behind the hole, up to i */
            bool behind = hole <= i ? hole < home && home <= i : hole < home || home <= i;
            if (!behind) {
                memcpy(h->slots + (size_t)hole * SLOT, at, SLOT);
                hole = i;
            }
        }
        memset(h->slots + (size_t)hole * SLOT, 0, SLOT);
        h->n--;
        atomic_fetch_sub(&s->n_interned, 1);
    }
    pthread_mutex_unlock(&h->lock);
}

void pl__series_used(struct pl_series *s, uint32_t next)
{
    uint32_t now = atomic_load(&s->next_id);
    while (now < next && !atomic_compare_exchange_weak(&s->next_id, &now, next)) {
    }
}

void pl_series_skip(struct pl_series *s, uint32_t next) { pl__series_used(s, next); }
