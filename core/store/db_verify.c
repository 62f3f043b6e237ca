/* Is a run what it says it is? Every pack's checksum, every chunk decoded, and the counts compared
 * with the run's own record and with the manifest. The check of a closed directory and the scrub of
 * an open one both ask here, so transactions are short: one for each STEP_BYTES of packs, and
 * between two of them the caller may pause or give up. */
#include "core/store/db.h"

#define STEP_BYTES (1u << 20)

/** A run on the way. */
struct walk {
    struct pl_db_env *e;
    struct pl_db_verify *v;
    struct pl_pack pack;
    struct pl_columns cols;
    struct pl_db_key next; /* where to go on */
    struct pl_db_run_meta sum;
    roaring_bitmap_t *ids;
};

static void found(struct pl_db_verify *v, const struct pl_db_key *key, int64_t at, const char *what)
{
    v->n_found++;
    v->found(v->ctx, key, at, what);
}

static int verify_chunks(struct walk *w, const struct pl_db_key *key, int64_t at)
{
    for (uint32_t i = 0; i < w->pack.n_chunks; i++) {
        const struct pl_chunk *ch = &w->pack.chunks[i];
        pl_columns_clear(&w->cols);
        int n = pl__chunk_take(&w->pack, i, &w->cols);
        const int64_t *t = w->cols.t;
        if (n == PL_ENOMEM) {
            return n;
        }
        if (n <= 0 || n != ch->n) {
            found(w->v, key, at, "a chunk cannot be decoded");
            continue;
        }
        bool ascending = t[0] == ch->t0 && t[n - 1] == ch->t1;
        for (int k = 1; k < n; k++) {
            ascending &= t[k - 1] < t[k];
        }
        if (!ascending) {
            found(w->v, key, at, "timestamps of a chunk");
        }
        w->sum.n_samples += (uint64_t)n;
        w->sum.n_chunks++;
        roaring_bitmap_add(w->ids, ch->id);
    }
    return PL_OK;
}

static int verify_pack(struct walk *w, const struct pl_db_key *key, const MDB_val *v)
{
    int64_t at = pl__env_offset(w->e, v);
    w->v->n_packs++;
    int err =
        pl__env_value_ok(w->e, v) ? pl_pack_open(&w->pack, v->mv_data, v->mv_size) : PL_ECORRUPT;
    if (err == PL_ECORRUPT) {
        found(w->v, key, at, "checksum or directory of a pack");
        return PL_OK;
    }
    if (err < 0) {
        return err;
    }
    if (w->pack.first_id != key->id) {
        found(w->v, key, at, "a pack's first id differs from its key");
    }
    uint8_t crc[PL_DB_KEY + 4];
    pl__key(crc, 0, key->id, key->piece);
    pl_wr32(crc + PL_DB_KEY, pl_crc32c(0, v->mv_data, v->mv_size));
    w->sum.crc = pl_crc32c(w->sum.crc, crc, sizeof crc);
    w->sum.bytes += v->mv_size;
    w->sum.n_packs++;
    return verify_chunks(w, key, at);
}

/** Packs from w->next on, about STEP_BYTES of them. 1: there are more; 0: the run ends. */
static int step(struct walk *w)
{
    MDB_txn *txn;
    MDB_cursor *cur;
    int rc = mdb_txn_begin(w->e->env, NULL, MDB_RDONLY, &txn);
    if (rc != MDB_SUCCESS) {
        return pl__env_error(rc);
    }
    rc = mdb_cursor_open(txn, w->e->dbi, &cur);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return pl__env_error(rc);
    }
    uint8_t buf[PL_DB_KEY];
    uint32_t run = w->next.run;
    pl__key(buf, run, w->next.id, w->next.piece);
    MDB_val k = {sizeof buf, buf}, v;
    struct pl_db_key key;
    size_t bytes = 0;
    int err = PL_OK;
    rc = mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE);
    while (rc == MDB_SUCCESS && err == PL_OK && pl__key_get(&k, &key) && key.run == run &&
           key.id != PL_DB_META_ID) {
        if (bytes >= STEP_BYTES) {
            w->next = key;
            err = 1;
            break;
        }
        bytes += v.mv_size;
        err = verify_pack(w, &key, &v);
        rc = err == PL_OK ? mdb_cursor_get(cur, &k, &v, MDB_NEXT) : rc;
    }
    if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        found(w->v, NULL, -1, mdb_strerror(rc));
    }
    mdb_cursor_close(cur);
    mdb_txn_abort(txn);
    return err;
}

static void verify_sums(struct walk *w, const struct pl_db_run_meta *want,
                        const roaring_bitmap_t *said_ids)
{
    const struct pl_db_run_meta *sum = &w->sum;
    if (sum->n_samples != want->n_samples || sum->n_chunks != want->n_chunks ||
        sum->n_packs != want->n_packs || sum->bytes != want->bytes || sum->crc != want->crc) {
        found(w->v, NULL, -1, "counts or checksum of a run");
    } else if (!roaring_bitmap_equals(w->ids, said_ids)) {
        found(w->v, NULL, -1, "ids of a run");
    }
}

int pl__run_verify(struct pl_db_env *e, const struct pl_db_run_meta *want, struct pl_db_verify *v)
{
    struct walk w = {.e = e, .v = v, .next = {.run = want->number}};
    struct pl_db_run_meta said;
    struct pl_db_damage damage;
    roaring_bitmap_t *said_ids = NULL;
    uint64_t before = v->n_found;
    w.ids = roaring_bitmap_create();
    if (!w.ids) {
        return PL_ENOMEM;
    }
    pl_pack_init(&w.pack);
    int err = pl__run_meta_read(e, want->number, &said, &said_ids, &damage);
    if (err == PL_ECORRUPT) {
        found(v, NULL, damage.at, damage.what);
        err = PL_OK;
    } else if (err == PL_OK && !pl__run_meta_eq(&said, want)) {
        found(v, NULL, -1, "a run differs from the manifest");
    }
    err = err < 0 ? err : 1;
    while (err > 0) {
        err = step(&w);
        if (err >= 0 && v->go_on && !v->go_on(v->ctx)) {
            err = PL_ECANCELED;
        }
    }
    if (err == PL_OK && v->n_found == before) {
        verify_sums(&w, want, said_ids);
    }
    roaring_bitmap_free(w.ids);
    if (said_ids) {
        roaring_bitmap_free(said_ids);
    }
    pl_pack_fini(&w.pack);
    pl_columns_fini(&w.cols);
    return err;
}
