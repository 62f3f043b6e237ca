/* The check of a directory that no server has open: every page of every tree, every checksum, every
 * pack decoded, every count compared with what the run and the manifest say. Findings are reported
 * with file and offset, and the check goes on. */
#include "core/store/db.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct check {
    void (*report)(void *ctx, const char *file, int64_t offset, const char *what);
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
    int64_t found;
    uint64_t done, total;
    char file[4096]; /* the one looked at */
};

static void finding(struct check *c, int64_t offset, const char *what)
{
    c->found++;
    if (c->report) {
        c->report(c->ctx, c->file, offset, what);
    }
}

static void bad_entry(void *ctx, int64_t offset) { finding(ctx, offset, "checksum of an entry"); }

/* ---------------------------------------------------------------- packs */

static void check_chunks(struct check *c, struct pl_pack *p, int64_t at, struct pl_db_run_meta *sum,
                         roaring_bitmap_t *ids)
{
    int64_t t[PL_CHUNK_MAX];
    double v[PL_CHUNK_MAX];
    for (uint32_t i = 0; i < p->n_chunks; i++) {
        const struct pl_chunk *ch = &p->chunks[i];
        int n = pl_pack_decode(p, i, t, v);
        if (n <= 0 || n != ch->n) {
            finding(c, at, "a chunk cannot be decoded");
            continue;
        }
        bool ascending = t[0] == ch->t0 && t[n - 1] == ch->t1;
        for (int k = 1; k < n; k++) {
            ascending &= t[k - 1] < t[k];
        }
        if (!ascending) {
            finding(c, at, "timestamps of a chunk");
        }
        sum->n_samples += (uint64_t)n;
        sum->n_chunks++;
        roaring_bitmap_add(ids, ch->id);
    }
}

static void check_pack(struct check *c, const struct pl_db_env *e, struct pl_pack *p,
                       const struct pl_db_key *key, const MDB_val *v, struct pl_db_run_meta *sum,
                       roaring_bitmap_t *ids)
{
    int64_t at = pl__env_offset(e, v);
    if (!pl__env_value_ok(e, v) || pl_pack_open(p, v->mv_data, v->mv_size) < 0) {
        finding(c, at, "checksum or directory of a pack");
        return;
    }
    if (p->first_id != key->id) {
        finding(c, at, "a pack's first id differs from its key");
    }
    uint8_t crc[PL_DB_KEY + 4];
    pl__key(crc, 0, key->id, key->piece);
    pl_wr32(crc + PL_DB_KEY, pl_crc32c(0, v->mv_data, v->mv_size));
    sum->crc = pl_crc32c(sum->crc, crc, sizeof crc);
    sum->bytes += v->mv_size;
    sum->n_packs++;
    check_chunks(c, p, at, sum, ids);
}

/** All packs of one run; the counts must be those of its record and of the manifest. */
static void check_run(struct check *c, struct pl_db_env *e, const struct pl_db_run_meta *want)
{
    struct pl_db_run_meta said, sum = {0};
    struct pl_db_damage damage;
    roaring_bitmap_t *said_ids = NULL, *ids = roaring_bitmap_create();
    MDB_txn *txn = NULL;
    MDB_cursor *cur = NULL;
    struct pl_pack pack;
    pl_pack_init(&pack);
    int64_t before = c->found;
    if (pl__run_meta_read(e, want->number, &said, &said_ids, &damage) < 0) {
        finding(c, damage.at, damage.what);
    } else if (!pl__run_meta_eq(&said, want)) {
        finding(c, -1, "a run differs from the manifest");
    }
    int rc = ids ? mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn) : ENOMEM;
    rc = rc == MDB_SUCCESS ? mdb_cursor_open(txn, e->dbi, &cur) : rc;
    uint8_t buf[PL_DB_KEY];
    pl__key(buf, want->number, 0, 0);
    MDB_val k = {sizeof buf, buf}, v;
    rc = rc == MDB_SUCCESS ? mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE) : rc;
    struct pl_db_key key;
    while (rc == MDB_SUCCESS && pl__key_get(&k, &key) && key.run == want->number &&
           key.id != PL_DB_META_ID) {
        check_pack(c, e, &pack, &key, &v, &sum, ids);
        rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT);
    }
    if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        finding(c, -1, mdb_strerror(rc));
    } else if (c->found == before &&
               (sum.n_samples != want->n_samples || sum.n_chunks != want->n_chunks ||
                sum.n_packs != want->n_packs || sum.bytes != want->bytes || sum.crc != want->crc)) {
        finding(c, -1, "counts or checksum of a run");
    } else if (c->found == before && !roaring_bitmap_equals(ids, said_ids)) {
        finding(c, -1, "ids of a run");
    }
    if (cur) {
        mdb_cursor_close(cur);
    }
    if (txn) {
        mdb_txn_abort(txn);
    }
    if (ids) {
        roaring_bitmap_free(ids);
    }
    if (said_ids) {
        roaring_bitmap_free(said_ids);
    }
    pl_pack_fini(&pack);
}

/* ---------------------------------------------------------------- files */

static void check_part(struct check *c, const struct pl_db_state *s, struct pl_db_part *p)
{
    struct pl_db_env *e;
    struct pl_db_damage damage;
    snprintf(c->file, sizeof c->file, "%s/data.mdb", p->dir);
    if (p->kind == PL_DB_PART_SEALED) {
        uint64_t bytes;
        uint32_t crc;
        if (pl__file_sum(c->file, &bytes, &crc) == PL_OK &&
            (bytes != p->file_bytes || crc != p->file_crc)) {
            finding(c, -1, bytes == p->file_bytes ? "checksum of the file" : "length of the file");
        }
    }
    int err = pl__env_open(p->dir, PL_DB_LOOK, &e, &damage);
    if (err < 0) {
        finding(c, damage.at, err == PL_ENOTFOUND ? "missing" : damage.what);
        return;
    }
    for (size_t i = 0; i < s->n_runs; i++) {
        if (s->runs[i]->part == p) {
            check_run(c, e, &s->runs[i]->m);
        }
    }
    pl__env_close(e);
}

static uint64_t part_bytes(const struct pl_db_state *s, const struct pl_db_part *p)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_runs; i++) {
        n += s->runs[i]->part == p ? s->runs[i]->m.bytes : 0;
    }
    return n;
}

static void check_tenant(struct check *c, struct pl_engine_tenant *t)
{
    char why[256] = "";
    int64_t before = c->found;
    int err = pl__catalogue_scan(t->catalogue, bad_entry, c);
    if (err < 0 && err != PL_ECORRUPT) {
        finding(c, -1, pl_err_text(err));
    }
    err = pl__catalogue_load(t, why, sizeof why);
    if (err < 0) {
        if (c->found == before) {
            finding(c, -1, "manifest");
        }
        return;
    }
    for (size_t i = 0; i < t->state->n_parts; i++) {
        c->total += part_bytes(t->state, t->state->parts[i]);
    }
    for (size_t i = 0; i < t->state->n_parts; i++) {
        check_part(c, t->state, t->state->parts[i]);
        c->done += part_bytes(t->state, t->state->parts[i]);
        if (c->progress) {
            c->progress(c->ctx, c->done, c->total);
        }
    }
}

static void check_dir(struct check *c, struct pl_db *db, const char *dir, const char *name)
{
    struct pl_engine_tenant t = {.db = db};
    struct pl_db_damage damage;
    char path[2048], catalogue[2100];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(catalogue, sizeof catalogue, "%s/catalogue", path);
    snprintf(c->file, sizeof c->file, "%s/data.mdb", catalogue);
    t.dir = path;
    pthread_mutex_init(&t.lock, NULL);
    int err = pl__env_open(catalogue, PL_DB_LOOK, &t.catalogue, &damage);
    if (err < 0) {
        finding(c, damage.at, err == PL_ENOTFOUND ? "missing" : damage.what);
    } else {
        check_tenant(c, &t);
        pl__state_unref(t.state);
        pl__env_close(t.catalogue);
    }
    pthread_mutex_destroy(&t.lock);
}

int64_t pl_lmdb_check(const char *dir,
                      void (*report)(void *ctx, const char *file, int64_t offset, const char *what),
                      void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx)
{
    struct check c = {.report = report, .progress = progress, .ctx = ctx};
    struct pl_db db = {.corrupt = pl_metrics_counter(NULL, "", "", NULL)};
    DIR *d = opendir(dir);
    snprintf(c.file, sizeof c.file, "%s", dir);
    if (!d) {
        finding(&c, -1, "cannot be read");
        return c.found;
    }
    pthread_mutex_init(&db.cache.lock, NULL);
    struct dirent *e;
    while ((e = readdir(d))) {
        if (pl__db_name_ok(pl_str_c(e->d_name))) {
            check_dir(&c, &db, dir, e->d_name);
        }
    }
    closedir(d);
    pthread_mutex_destroy(&db.cache.lock);
    return c.found;
}
