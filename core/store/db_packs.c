/* Packs that queries have opened: checksum verified, directory decoded, body inflated. A dashboard
 * asks for the same packs again and again, and for one metric of many hosts it needs one chunk of
 * each: what it takes to open a pack would be most of the work.
 *
 * An entry stands for bytes at a place of a mapped environment; place, length and the pack's own
 * CRC32C are compared before it is used, so that a pack written where another one was is opened
 * anew. The entries of an environment go before it is closed; a partition in which damage was found
 * has none. Bounded by bytes, evicted by a clock. Only what the scrub reads is checked again while
 * it is here (docs/formats.md#pack). Any thread; one lock, held for a look-up. */
#include "core/store/db.h"
#include <stdlib.h>

#define BUCKETS 4096

struct pl_db_packed {
    struct pl_db_packed *next;          /* lock: of the bucket */
    struct pl_db_packed *newer, **link; /* lock: of the ring, as a list */
    const struct pl_db_env *env;
    const uint8_t *src;
    size_t n_src, bytes;
    uint32_t crc;
    unsigned users; /* lock: readers; those without users may go */
    bool listed;    /* lock */
    bool used;      /* lock: since the hand passed */
    struct pl_pack pack;
};

struct pl_db_packs {
    pthread_mutex_t lock;
    struct pl_db_packed *bucket[BUCKETS];
    struct pl_db_packed *oldest, **end;
    size_t n, bytes;
};

int pl__packs_new(struct pl_db_packs **out)
{
    struct pl_db_packs *c = calloc(1, sizeof *c);
    if (!c) {
        return PL_ENOMEM;
    }
    pthread_mutex_init(&c->lock, NULL);
    c->end = &c->oldest;
    *out = c;
    return PL_OK;
}

static void packed_free(struct pl_db_packed *e)
{
    pl_pack_fini(&e->pack);
    free(e);
}

static struct pl_db_packed **bucket_of(struct pl_db_packs *c, const uint8_t *src)
{
    return &c->bucket[pl_hash64(&src, sizeof src, 0) % BUCKETS];
}

/** To the end of the ring. Locked. */
static void ring_add(struct pl_db_packs *c, struct pl_db_packed *e)
{
    e->newer = NULL;
    e->link = c->end;
    *c->end = e;
    c->end = &e->newer;
}

static void ring_remove(struct pl_db_packs *c, struct pl_db_packed *e)
{
    *e->link = e->newer;
    if (e->newer) {
        e->newer->link = e->link;
    } else {
        c->end = e->link;
    }
}

/** Out of bucket and ring; freed by the last reader. Locked. */
static void unlist(struct pl_db_packs *c, struct pl_db_packed *e)
{
    struct pl_db_packed **at = bucket_of(c, e->src);
    while (*at != e) {
        at = &(*at)->next;
    }
    *at = e->next;
    ring_remove(c, e);
    c->bytes -= e->bytes;
    c->n--;
    e->listed = false;
    if (e->users == 0) {
        packed_free(e);
    }
}

void pl__packs_forget(struct pl_db_packs *c, const struct pl_db_env *env)
{
    if (!c) { /* one that only checks files */
        return;
    }
    pthread_mutex_lock(&c->lock);
    for (struct pl_db_packed *e = c->oldest, *newer; e; e = newer) {
        newer = e->newer;
        if (e->env == env) {
            unlist(c, e);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

void pl__packs_free(struct pl_db_packs *c)
{
    if (!c) {
        return;
    }
    while (c->oldest) {
        unlist(c, c->oldest);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/** Make room: what was not used since the hand was here last goes. Locked. */
static void evict(struct pl_db_packs *c)
{
    for (size_t left = 2 * c->n; left > 0 && c->bytes > PL_DB_PACKS_BYTES; left--) {
        struct pl_db_packed *e = c->oldest;
        if (e->users == 0 && !e->used) {
            unlist(c, e);
        } else {
            e->used = false;
            ring_remove(c, e);
            ring_add(c, e);
        }
    }
}

static struct pl_db_packed *look_up(struct pl_db_packs *c, const struct pl_db_env *env,
                                    const MDB_val *v)
{
    const uint8_t *src = v->mv_data;
    for (struct pl_db_packed *e = *bucket_of(c, src); e; e = e->next) {
        if (e->src == src && e->n_src == v->mv_size && e->env == env && e->crc == pl_rd32(src)) {
            return e;
        }
    }
    return NULL;
}

/** Bytes an entry holds. */
static size_t bytes_of(const struct pl_db_packed *e) { return sizeof *e + pl_pack_bytes(&e->pack); }

int pl__packs_open(struct pl_db_packs *c, const struct pl_db_env *env, const MDB_val *v,
                   struct pl_pack *pack, struct pl_db_packed **out)
{
    if (v->mv_size < 4) {
        return PL_ECORRUPT;
    }
    pthread_mutex_lock(&c->lock);
    struct pl_db_packed *e = look_up(c, env, v);
    if (e) {
        e->users++;
        e->used = true;
    }
    pthread_mutex_unlock(&c->lock);
    if (!e) {
        e = calloc(1, sizeof *e);
        if (!e) {
            return PL_ENOMEM;
        }
        pl_pack_init(&e->pack);
        int err = pl_pack_open(&e->pack, v->mv_data, v->mv_size);
        if (err < 0) {
            packed_free(e);
            return err;
        }
        e->env = env;
        e->src = v->mv_data;
        e->n_src = v->mv_size;
        e->crc = pl_rd32(v->mv_data);
        e->bytes = bytes_of(e);
        e->users = 1;
        pthread_mutex_lock(&c->lock);
        if (!look_up(c, env, v)) { /* else another one was faster, and this is for us alone */
            struct pl_db_packed **at = bucket_of(c, e->src);
            e->next = *at;
            *at = e;
            e->listed = true;
            ring_add(c, e);
            c->bytes += e->bytes;
            c->n++;
            evict(c);
        }
        pthread_mutex_unlock(&c->lock);
    }
    pl_pack_share(pack, &e->pack);
    *out = e;
    return PL_OK;
}

void pl__packs_release(struct pl_db_packs *c, struct pl_db_packed *e)
{
    if (!e) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    bool last = --e->users == 0 && !e->listed;
    pthread_mutex_unlock(&c->lock);
    if (last) {
        packed_free(e);
    }
}

size_t pl__packs_bytes(struct pl_db_packs *c)
{
    pthread_mutex_lock(&c->lock);
    size_t bytes = c->bytes;
    pthread_mutex_unlock(&c->lock);
    return bytes;
}
