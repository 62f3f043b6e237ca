/* A partition: its environment, opened when somebody reads or writes it and kept open while there
 * is room (file descriptors), and what its runs say about themselves.
 *
 *     dir/data.mdb   key  u32be run | u32be first id | u32be piece
 *                    value  a pack (docs/formats.md#pack); pieces 1, 2 .. go on with one series
 *     the last key of a run has id and piece 0xffffffff: u8 version | run (80 bytes, as in the
 *     manifest) | ids | u32 CRC32C of key and all before
 *
 * Any thread. docs/formats.md#partition. */
#include "core/store/db.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define VERSION    1
#define META_FIXED (1 + PL_DB_RUN_META_BYTES)

void pl__key(uint8_t key[PL_DB_KEY], uint32_t run, uint32_t id, uint32_t piece)
{
    const uint32_t part[3] = {run, id, piece};
    for (int i = 0; i < PL_DB_KEY; i++) {
        key[i] = (uint8_t)(part[i / 4] >> (24 - 8 * (i % 4)));
    }
}

static uint32_t read_be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool pl__key_get(const MDB_val *k, struct pl_db_key *out)
{
    if (k->mv_size != PL_DB_KEY) {
        return false;
    }
    const uint8_t *p = k->mv_data;
    *out = (struct pl_db_key){read_be(p), read_be(p + 4), read_be(p + 8)};
    return true;
}

void pl__part_name(char out[40], uint8_t kind, int32_t day, uint32_t number)
{
    time_t at = (time_t)day * 86400;
    struct tm tm = {0};
    char date[20];
    if (!gmtime_r(&at, &tm) || tm.tm_year > 8000 || tm.tm_year < -1900) {
        snprintf(date, sizeof date, "d%d", (int)day);
    } else {
        snprintf(date, sizeof date, "%04d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    }
    snprintf(out, 40, "%s-%s-%06u", kind == PL_DB_PART_HOT ? "hot" : "sealed", date, number);
}

int pl__part_new(struct pl_engine_tenant *t, uint8_t kind, int32_t day, uint32_t number,
                 struct pl_db_part **out)
{
    struct pl_db_part *p = calloc(1, sizeof *p);
    size_t n = strlen(t->dir) + 42;
    char *dir = malloc(n);
    if (!p || !dir) {
        free(p);
        free(dir);
        return PL_ENOMEM;
    }
    char name[40];
    pl__part_name(name, kind, day, number);
    snprintf(dir, n, "%s/%s", t->dir, name);
    p->t = t;
    p->kind = kind;
    p->day = day;
    p->number = number;
    p->dir = dir;
    atomic_init(&p->refs, 1);
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return PL_OK;
}

void pl__part_ref(struct pl_db_part *p) { atomic_fetch_add(&p->refs, 1); }

void pl__part_unref(struct pl_db_part *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1) {
        return;
    }
    pl__part_close(p);
    if (atomic_load(&p->gone)) {
        int err = pl_path_remove(p->dir);
        if (err < 0) { /* the next start removes it */
            pl_logf(p->t->db->conf.log, PL_WARN, "store", "cannot remove a partition",
                    "dir=\"%s\" err=\"%s\"", p->dir, pl_err_text(err));
        }
    }
    pthread_mutex_destroy(&p->lock);
    free(p->dir);
    free(p);
}

/* ---------------------------------------------------------------- open environments */

static void cache_remove(struct pl_db_cache *c, struct pl_db_part *p)
{
    if (p->prev) {
        *p->prev = p->next;
        if (p->next) {
            p->next->prev = p->prev;
        }
        p->next = NULL;
        p->prev = NULL;
        c->n_open--;
    }
}

static void cache_add(struct pl_db_cache *c, struct pl_db_part *p)
{
    p->next = c->head;
    p->prev = &c->head;
    if (c->head) {
        c->head->prev = &p->next;
    }
    c->head = p;
    c->n_open++;
}

/** With the cache locked: take the idle environment that was used longest ago off the list, its
 *  partition locked. NULL when there is no need or none is idle. */
static struct pl_db_env *cache_evict(struct pl_db_cache *c, const struct pl_db_part *not_this)
{
    if (c->n_open <= c->cap) {
        return NULL;
    }
    struct pl_db_part *oldest = NULL;
    for (struct pl_db_part *p = c->head; p; p = p->next) {
        if (p == not_this || (oldest && p->used_at >= oldest->used_at) ||
            pthread_mutex_trylock(&p->lock) != 0) {
            continue;
        }
        if (p->users) {
            pthread_mutex_unlock(&p->lock);
            continue;
        }
        if (oldest) {
            pthread_mutex_unlock(&oldest->lock);
        }
        oldest = p;
    }
    if (!oldest) {
        return NULL;
    }
    struct pl_db_env *env = oldest->env;
    oldest->env = NULL;
    cache_remove(c, oldest);
    pthread_mutex_unlock(&oldest->lock);
    return env;
}

/** p was opened or used; makes room. Caller holds p->lock. */
static void cache_touch(struct pl_db_part *p)
{
    struct pl_db_cache *c = &p->t->db->cache;
    pthread_mutex_lock(&c->lock);
    p->used_at = ++c->tick;
    if (!p->prev) {
        cache_add(c, p);
    }
    for (struct pl_db_env *env; (env = cache_evict(c, p));) {
        pl__packs_forget(p->t->db->packs, env);
        pl__env_close(env);
    }
    pthread_mutex_unlock(&c->lock);
}

void pl__part_close(struct pl_db_part *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->env && p->users == 0) {
        struct pl_db_cache *c = &p->t->db->cache;
        pthread_mutex_lock(&c->lock);
        cache_remove(c, p);
        pthread_mutex_unlock(&c->lock);
        pl__packs_forget(p->t->db->packs, p->env);
        pl__env_close(p->env);
        p->env = NULL;
    }
    pthread_mutex_unlock(&p->lock);
}

/* ---------------------------------------------------------------- what runs say of themselves */

bool pl__run_meta_eq(const struct pl_db_run_meta *a, const struct pl_db_run_meta *b)
{
    return a->number == b->number && a->tomb == b->tomb && a->first_seq == b->first_seq &&
           a->last_seq == b->last_seq && a->t_min == b->t_min && a->t_max == b->t_max &&
           a->n_samples == b->n_samples && a->bytes == b->bytes && a->n_series == b->n_series &&
           a->n_chunks == b->n_chunks && a->n_packs == b->n_packs && a->crc == b->crc;
}

static int parse_meta(const struct pl_db_env *e, const MDB_val *k, const MDB_val *v,
                      struct pl_db_run_meta *m, roaring_bitmap_t **ids)
{
    const uint8_t *p = v->mv_data;
    if (!pl__env_value_ok(e, v) || v->mv_size < META_FIXED + 8) {
        return PL_ECORRUPT;
    }
    size_t n = v->mv_size - 4;
    if (pl_crc32c(pl_crc32c(0, k->mv_data, k->mv_size), p, n) != pl_rd32(p + n) ||
        p[0] != VERSION) {
        return PL_ECORRUPT;
    }
    pl__run_meta_decode(p + 1, m);
    return ids ? pl__ids_decode(p + META_FIXED, n - META_FIXED, ids) : PL_OK;
}

int pl__run_meta_read(struct pl_db_env *e, uint32_t run, struct pl_db_run_meta *m,
                      roaring_bitmap_t **ids, struct pl_db_damage *damage)
{
    *damage = (struct pl_db_damage){-1, "a run of the manifest is missing"};
    uint8_t key[PL_DB_KEY];
    pl__key(key, run, PL_DB_META_ID, PL_DB_META_ID);
    MDB_val k = {sizeof key, key}, v;
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);
    if (rc != MDB_SUCCESS) {
        return pl__env_error(rc);
    }
    rc = mdb_get(txn, e->dbi, &k, &v);
    int err = rc == MDB_NOTFOUND ? PL_ECORRUPT : pl__env_error(rc);
    if (err == PL_OK) {
        err = parse_meta(e, &k, &v, m, ids);
        *damage = (struct pl_db_damage){pl__env_offset(e, &v), "a run's own record"};
    }
    mdb_txn_abort(txn);
    return err;
}

/** Compare an opened environment with what the manifest says of it. */
static int verify(struct pl_db_part *p, struct pl_db_env *e, struct pl_db_damage *damage)
{
    struct pl_db_state *s = pl__state_get(p->t);
    uint64_t entries = 0, expected = 0, bytes;
    int err = pl__env_used(e, &bytes, &entries);
    for (size_t i = 0; i < s->n_runs && err == PL_OK; i++) {
        const struct pl_db_run *r = s->runs[i];
        if (r->part != p) {
            continue;
        }
        struct pl_db_run_meta m;
        err = pl__run_meta_read(e, r->m.number, &m, NULL, damage);
        if (err == PL_OK && !pl__run_meta_eq(&m, &r->m)) {
            damage->what = "a run differs from the manifest";
            err = PL_ECORRUPT;
        }
        expected += r->m.n_packs + 1ull;
    }
    if (err == PL_OK && expected &&
        (p->kind == PL_DB_PART_SEALED ? entries != expected : entries < expected)) {
        *damage = (struct pl_db_damage){-1, "number of entries differs from the manifest"};
        err = PL_ECORRUPT;
    }
    pl__state_unref(s);
    return err;
}

void pl__part_damaged(struct pl_db_part *p, const struct pl_db_damage *damage)
{
    if (!atomic_exchange(&p->damaged, true)) {
        pl_logf(p->t->db->conf.log, PL_ERROR, "store", "damaged partition",
                "file=\"%s/data.mdb\" offset=%" PRId64 " what=\"%s\"", p->dir, damage->at,
                damage->what);
        pl_count(p->t->db->corrupt, 1);
    }
}

static int open_env(struct pl_db_part *p)
{
    struct pl_db_damage damage = {-1, "file is missing"};
    int mode = p->kind == PL_DB_PART_HOT ? PL_DB_HOT : PL_DB_SEALED;
    struct pl_db_env *e = NULL;
    int err = pl__env_open(p->dir, mode, &e, &damage);
    if (err == PL_ENOTFOUND) {
        err = PL_ECORRUPT;
    }
    if (err == PL_OK && !p->checked) {
        err = verify(p, e, &damage);
        p->checked = err == PL_OK;
    }
    if (err < 0) {
        pl__env_close(e);
        if (err == PL_ECORRUPT) {
            pl__part_damaged(p, &damage);
        }
        return err;
    }
    p->env = e;
    return PL_OK;
}

int pl__part_acquire(struct pl_db_part *p, struct pl_db_env **out)
{
    if (atomic_load(&p->damaged)) {
        return PL_ECORRUPT;
    }
    pthread_mutex_lock(&p->lock);
    int err = p->env ? PL_OK : open_env(p);
    if (err == PL_OK) {
        p->users++;
        *out = p->env;
        cache_touch(p);
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

void pl__part_release(struct pl_db_part *p)
{
    pthread_mutex_lock(&p->lock);
    p->users--;
    pthread_mutex_unlock(&p->lock);
}

int pl__part_create(struct pl_db_part *p, struct pl_db_env **out)
{
    struct pl_db_damage damage;
    int err = pl_dir_make(p->dir);
    if (err < 0) {
        return err;
    }
    pthread_mutex_lock(&p->lock);
    err = pl__env_open(p->dir, PL_DB_HOT | PL_DB_CREATE, &p->env, &damage);
    if (err == PL_OK) {
        p->checked = true;
        p->users++;
        *out = p->env;
        cache_touch(p);
    }
    pthread_mutex_unlock(&p->lock);
    if (err < 0) {
        return err;
    }
    err = pl_dir_sync(p->dir);
    err = err < 0 ? err : pl_dir_sync(p->t->dir);
    if (err < 0) {
        pl__part_release(p);
    }
    return err;
}

/* ---------------------------------------------------------------- ids, damage */

const roaring_bitmap_t *pl__run_ids(struct pl_db_run *r)
{
    roaring_bitmap_t *ids = atomic_load(&r->ids);
    if (ids) {
        return ids;
    }
    struct pl_db_env *e;
    if (pl__part_acquire(r->part, &e) < 0) {
        return NULL;
    }
    struct pl_db_run_meta m;
    struct pl_db_damage damage;
    int err = pl__run_meta_read(e, r->m.number, &m, &ids, &damage);
    pl__part_release(r->part);
    if (err < 0) {
        return NULL;
    }
    roaring_bitmap_t *none = NULL;
    if (!atomic_compare_exchange_strong(&r->ids, &none, ids)) {
        roaring_bitmap_free(ids);
        ids = none;
    }
    return ids;
}

void pl__part_corrupt(struct pl_db_part *p, const struct pl_db_key *key, int64_t at,
                      const char *what)
{
    pl_logf(p->t->db->conf.log, PL_ERROR, "store", "damaged pack",
            "file=\"%s/data.mdb\" offset=%" PRId64 " run=%u first_id=%u piece=%u what=\"%s\"",
            p->dir, at, key->run, key->id, key->piece, what);
    pl_count(p->t->db->corrupt, 1);
    atomic_store(&p->bad_pack, true);
}
