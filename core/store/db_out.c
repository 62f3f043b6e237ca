/* Writing a run: series come in id order, are cut into packs of about PL_PACK_TARGET, and packs are
 * committed some megabytes at a time with MDB_APPEND, so that memory stays bounded and LMDB writes
 * each page once. Packs wait in memory until their commit has succeeded; when the environment is
 * full they move on to another one. A series too long for one pack goes on in pieces. One thread.
 */
#include "core/store/db.h"
#include <stdlib.h>

#define SLICE     (16 * PL_CHUNK_MAX)
#define PIECE_MAX (1u << 20) /* cut inside a series */
#define BATCH_MAX (8u << 20)
#define SLACK     (16u << 20) /* of the map, for the run's record and the pages of the tree */

struct pl_db_out_pack {
    uint32_t first_id, piece;
    size_t at, n;
    uint64_t n_samples;
    uint32_t n_chunks;
    int64_t t_min, t_max;
    size_t ids_end; /* its ids are those of pending up to here */
};

static void begin_pack(struct pl_db_out *o)
{
    o->open = false;
    o->now = (struct pl_db_out_now){.t_min = INT64_MAX, .t_max = INT64_MIN};
}

int pl__db_out_init(struct pl_db_out *o, struct pl_db_env *env, uint32_t run, enum pl_effort effort,
                    const char *fault)
{
    *o = (struct pl_db_out){.env = env, .fault = fault};
    o->raw_bytes = 0;
    o->m = (struct pl_db_run_meta){.number = run, .t_min = INT64_MAX, .t_max = INT64_MIN};
    begin_pack(o);
    o->ids = roaring_bitmap_create();
    if (!o->ids) {
        return PL_ENOMEM;
    }
    o->sealed = effort == PL_EFFORT_SMALL;
    return pl_pack_writer_new(effort, &o->w);
}

void pl__db_out_fini(struct pl_db_out *o)
{
    pl_pack_writer_free(o->w);
    if (o->ids) {
        roaring_bitmap_free(o->ids);
    }
    pl_buf_fini(&o->batch);
    pl_buf_fini(&o->cells);
    free(o->packs);
    free(o->pending);
    *o = (struct pl_db_out){0};
}

size_t pl__db_out_waiting(const struct pl_db_out *o)
{
    return o->batch.n + (o->open ? pl_pack_size(o->w) : 0);
}

static int close_pack(struct pl_db_out *o)
{
    if (!o->open) {
        return PL_OK;
    }
    if (pl_grow(&o->packs, o->n_packs, &o->cap_packs, sizeof *o->packs) < 0) {
        return PL_ENOMEM;
    }
    size_t at = o->batch.n;
    o->raw_bytes += pl_pack_size(o->w);
    int n = pl_pack_finish(o->w, &o->batch);
    if (n < 0 || o->batch.failed) {
        return n < 0 ? n : PL_ENOMEM;
    }
    o->packs[o->n_packs++] = (struct pl_db_out_pack){
        .first_id = o->first_id,
        .piece = o->piece,
        .at = at,
        .n = o->batch.n - at,
        .n_samples = o->now.n_samples,
        .n_chunks = (uint32_t)n,
        .t_min = o->now.t_min,
        .t_max = o->now.t_max,
        .ids_end = o->n_pending,
    };
    begin_pack(o);
    return PL_OK;
}

/** Where packs shrink by zstd, more goes into one: its value should end near the target. */
static size_t pack_target(const struct pl_db_out *o)
{
    uint64_t stored = o->m.bytes + o->batch.n;
    size_t wanted = o->sealed ? PL_PACK_TARGET_SEALED : PL_PACK_TARGET;
    if (stored == 0 || o->raw_bytes <= stored) {
        return wanted;
    }
    uint64_t target = wanted * o->raw_bytes / stored;
    return target < 4 * wanted ? target : 4 * wanted;
}

static int open_pack(struct pl_db_out *o, uint32_t id)
{
    bool goes_on = o->any && o->last_id == id;
    if (!o->open || o->pending[o->n_pending - 1] != id) {
        if (pl_grow(&o->pending, o->n_pending, &o->cap_pending, sizeof *o->pending) < 0) {
            return PL_ENOMEM;
        }
        o->pending[o->n_pending++] = id;
    }
    if (!o->open) {
        o->open = true;
        o->piece = goes_on ? o->pieces_of_last + 1 : 0;
        o->first_id = id;
    }
    o->pieces_of_last = o->first_id == id ? o->piece : 0;
    o->any = true;
    o->last_id = id;
    return PL_OK;
}

int pl__db_out_add(struct pl_db_out *o, uint32_t id, const struct pl_columns *c, size_t from,
                   size_t n)
{
    const int64_t *t = c->t + from;
    if (id == PL_DB_META_ID || (o->any && id < o->last_id)) {
        return PL_EINVAL;
    }
    for (size_t i = 0; i < n;) {
        int err = open_pack(o, id);
        if (err == PL_OK) {
            err = pl__chunk_add(o->w, id, c, from + i, n - i, SLICE, &o->cells);
        }
        if (err < 0) {
            return err;
        }
        size_t slice = (size_t)err;
        o->now.n_samples += slice;
        o->now.t_min = t[i] < o->now.t_min ? t[i] : o->now.t_min;
        o->now.t_max = t[i + slice - 1] > o->now.t_max ? t[i + slice - 1] : o->now.t_max;
        i += slice;
        if (i < n && pl_pack_size(o->w) >= PIECE_MAX) {
            err = close_pack(o);
            if (err < 0) {
                return err;
            }
        }
    }
    if (o->open && pl_pack_size(o->w) >= pack_target(o)) {
        int err = close_pack(o);
        if (err < 0) {
            return err;
        }
    }
    return o->batch.n >= BATCH_MAX ? pl__db_out_flush(o, false) : PL_OK;
}

/** Is there room for what is waiting and for the end of the run? */
static int room(struct pl_db_out *o)
{
    uint64_t used, entries;
    int err = pl__env_used(o->env, &used, &entries);
    if (err < 0) {
        return err;
    }
    if (PL_FAULT("db.full") ||
        used + o->batch.n + o->batch.n / 8 + SLACK + PL_DB_IDS_MAX > o->env->map_bytes) {
        return PL_EAGAIN;
    }
    return PL_OK;
}

static int put_packs(struct pl_db_out *o, MDB_txn *txn)
{
    for (size_t i = 0; i < o->n_packs; i++) {
        const struct pl_db_out_pack *p = &o->packs[i];
        uint8_t key[PL_DB_KEY];
        pl__key(key, o->m.number, p->first_id, p->piece);
        MDB_val k = {sizeof key, key}, v = {p->n, o->batch.p + p->at};
        int rc = mdb_put(txn, o->env->dbi, &k, &v, MDB_APPEND);
        if (rc != MDB_SUCCESS) {
            return rc == MDB_MAP_FULL ? PL_EAGAIN : pl__env_error(rc);
        }
    }
    return PL_OK;
}

static int commit(struct pl_db_out *o, MDB_txn *txn)
{
    (void)o;
    int err = PL_FAULT(o->fault);
    if (err) {
        mdb_txn_abort(txn);
        return err > 0 ? PL_EIO : err;
    }
    int rc = mdb_txn_commit(txn);
    return rc == MDB_MAP_FULL ? PL_EAGAIN : pl__env_error(rc);
}

/** The packs of the batch are committed: they belong to the run now. */
static void account(struct pl_db_out *o)
{
    for (size_t i = 0; i < o->n_packs; i++) {
        const struct pl_db_out_pack *p = &o->packs[i];
        uint8_t sum[PL_DB_KEY + 4];
        pl__key(sum, 0, p->first_id, p->piece);
        pl_wr32(sum + PL_DB_KEY, pl_crc32c(0, o->batch.p + p->at, p->n));
        o->m.crc = pl_crc32c(o->m.crc, sum, sizeof sum);
        o->m.n_samples += p->n_samples;
        o->m.n_chunks += p->n_chunks;
        o->m.n_packs++;
        o->m.bytes += p->n;
        o->m.t_min = p->t_min < o->m.t_min ? p->t_min : o->m.t_min;
        o->m.t_max = p->t_max > o->m.t_max ? p->t_max : o->m.t_max;
    }
    size_t done = o->n_packs ? o->packs[o->n_packs - 1].ids_end : 0;
    roaring_bitmap_add_many(o->ids, done, o->pending);
    memmove(o->pending, o->pending + done, (o->n_pending - done) * sizeof *o->pending);
    o->n_pending -= done;
    o->n_packs = 0;
    pl_buf_clear(&o->batch);
}

int pl__db_out_flush(struct pl_db_out *o, bool all)
{
    int err = all ? close_pack(o) : PL_OK;
    if (err < 0 || o->n_packs == 0) {
        return err;
    }
    err = room(o);
    if (err < 0) {
        return err;
    }
    MDB_txn *txn;
    err = pl__env_error(mdb_txn_begin(o->env->env, NULL, 0, &txn));
    if (err < 0) {
        return err;
    }
    err = put_packs(o, txn);
    if (err < 0) {
        mdb_txn_abort(txn);
        return err;
    }
    err = commit(o, txn);
    if (err == PL_OK) {
        account(o);
    }
    return err;
}

/** The run's own record, for what is committed. */
static int put_meta(struct pl_db_out *o)
{
    struct pl_buf buf = PL_BUF_INIT;
    uint8_t key[PL_DB_KEY];
    pl__key(key, o->m.number, PL_DB_META_ID, PL_DB_META_ID);
    o->m.n_series = (uint32_t)roaring_bitmap_get_cardinality(o->ids);
    pl_buf_u8(&buf, 1);
    pl__run_meta_encode(&o->m, &buf);
    int err = pl__ids_encode(o->ids, &buf);
    pl_buf_u32(&buf, buf.failed ? 0 : pl_crc32c(pl_crc32c(0, key, sizeof key), buf.p, buf.n));
    MDB_txn *txn = NULL;
    if (err == PL_OK) {
        err = buf.failed ? PL_ENOMEM : pl__env_error(mdb_txn_begin(o->env->env, NULL, 0, &txn));
    }
    if (err == PL_OK) {
        MDB_val k = {sizeof key, key}, v = {buf.n, buf.p};
        err = pl__env_error(mdb_put(txn, o->env->dbi, &k, &v, MDB_APPEND));
        if (err < 0) {
            mdb_txn_abort(txn);
        } else {
            err = commit(o, txn);
            err = err == PL_EAGAIN ? PL_ENOSPC : err;
        }
    }
    pl_buf_fini(&buf);
    return err;
}

int pl__db_out_finish(struct pl_db_out *o)
{
    int err = pl__db_out_flush(o, true);
    return err < 0 || o->m.n_packs == 0 ? err : put_meta(o);
}

int pl__db_out_move(struct pl_db_out *o, struct pl_db_env *env, uint32_t run,
                    struct pl_db_run_meta *m, roaring_bitmap_t **ids)
{
    roaring_bitmap_t *fresh = roaring_bitmap_create();
    if (!fresh) {
        return PL_ENOMEM;
    }
    int err = o->m.n_packs ? put_meta(o) : PL_OK;
    if (err < 0) {
        roaring_bitmap_free(fresh);
        return err;
    }
    *m = o->m;
    *ids = o->ids;
    o->ids = fresh;
    o->env = env;
    o->raw_bytes = 0;
    o->m = (struct pl_db_run_meta){.number = run,
                                   .tomb = m->tomb,
                                   .first_seq = m->first_seq,
                                   .last_seq = m->last_seq,
                                   .t_min = INT64_MAX,
                                   .t_max = INT64_MIN};
    return PL_OK;
}

int pl__db_out_clean(struct pl_db_env *e, bool (*keep)(void *ctx, uint32_t run), void *ctx)
{
    MDB_txn *txn;
    MDB_cursor *c = NULL;
    int err = pl__env_error(mdb_txn_begin(e->env, NULL, 0, &txn));
    if (err < 0) {
        return err;
    }
    int rc = mdb_cursor_open(txn, e->dbi, &c);
    MDB_val k, v;
    struct pl_db_key key;
    rc = rc == MDB_SUCCESS ? mdb_cursor_get(c, &k, &v, MDB_FIRST) : rc;
    while (rc == MDB_SUCCESS) {
        if (!pl__key_get(&k, &key) || !keep(ctx, key.run)) {
            rc = mdb_cursor_del(c, 0);
            rc = rc == MDB_SUCCESS ? mdb_cursor_get(c, &k, &v, MDB_NEXT) : rc;
            continue;
        }
        uint8_t next[PL_DB_KEY];
        pl__key(next, key.run, PL_DB_META_ID, PL_DB_META_ID);
        k = (MDB_val){sizeof next, next};
        rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
        if (rc == MDB_SUCCESS && pl__key_get(&k, &key) && key.id == PL_DB_META_ID) {
            rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
        }
    }
    if (c) {
        mdb_cursor_close(c);
    }
    if (rc != MDB_NOTFOUND) {
        mdb_txn_abort(txn);
        return pl__env_error(rc);
    }
    return pl__env_error(mdb_txn_commit(txn));
}
