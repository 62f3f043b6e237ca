/* The catalogue: one tree, keys by a leading byte, and its commits, which are the moments at which
 * things count. Every value ends with a CRC32C over key and value (LMDB has none).
 *
 *     0xf0               state      u8 version | u64 flushed_seq | u32 next run, part, tombstone
 *     0xf1 u32be part    manifest   u8 version | u8 kind | i32 day | u64 file bytes
 *                                   | u32 file crc | u32 n | n runs of 80 bytes
 *     0xf2 u32be number  tombstone  u8 version | u64 seq | i64 t0 | i64 t1 | ids
 *     1..127 key         record     as the caller gave it
 *
 *     run   u32 number | u32 tombstones applied | u64 first_seq | u64 last_seq | i64 t_min
 *           | i64 t_max | u64 samples | u64 bytes | u32 series | u32 chunks | u32 packs | u32 crc
 *           | u64 0
 *     ids   u32 bytes | roaring bitmap, portable form
 *
 * Commits: whoever holds tenant.commit. Reads: any thread. docs/formats.md#catalogue, #manifest. */
#include "core/store/db.h"
#include <stdio.h>
#include <stdlib.h>

#define VERSION      1
#define KEY_STATE    0xf0
#define KEY_MANIFEST 0xf1
#define KEY_TOMB     0xf2
#define KEY_MAX      501
#define STATE_BYTES  21u
#define PART_BYTES   22u

/* ---------------------------------------------------------------- encodings */

void pl__run_meta_encode(const struct pl_db_run_meta *m, struct pl_buf *out)
{
    pl_buf_u32(out, m->number);
    pl_buf_u32(out, m->tomb);
    pl_buf_u64(out, m->first_seq);
    pl_buf_u64(out, m->last_seq);
    pl_buf_u64(out, (uint64_t)m->t_min);
    pl_buf_u64(out, (uint64_t)m->t_max);
    pl_buf_u64(out, m->n_samples);
    pl_buf_u64(out, m->bytes);
    pl_buf_u32(out, m->n_series);
    pl_buf_u32(out, m->n_chunks);
    pl_buf_u32(out, m->n_packs);
    pl_buf_u32(out, m->crc);
    pl_buf_u64(out, 0);
}

void pl__run_meta_decode(const uint8_t *p, struct pl_db_run_meta *m)
{
    *m = (struct pl_db_run_meta){
        .number = pl_rd32(p),
        .tomb = pl_rd32(p + 4),
        .first_seq = pl_rd64(p + 8),
        .last_seq = pl_rd64(p + 16),
        .t_min = (int64_t)pl_rd64(p + 24),
        .t_max = (int64_t)pl_rd64(p + 32),
        .n_samples = pl_rd64(p + 40),
        .bytes = pl_rd64(p + 48),
        .n_series = pl_rd32(p + 56),
        .n_chunks = pl_rd32(p + 60),
        .n_packs = pl_rd32(p + 64),
        .crc = pl_rd32(p + 68),
    };
}

int pl__ids_encode(roaring_bitmap_t *ids, struct pl_buf *out)
{
    roaring_bitmap_run_optimize(ids);
    size_t n = roaring_bitmap_portable_size_in_bytes(ids);
    if (n > PL_DB_IDS_MAX) {
        return PL_ELIMIT;
    }
    pl_buf_u32(out, (uint32_t)n);
    uint8_t *p = pl_buf_reserve(out, n);
    if (!p) {
        return PL_ENOMEM;
    }
    roaring_bitmap_portable_serialize(ids, (char *)p);
    out->n += n;
    return PL_OK;
}

int pl__ids_decode(const uint8_t *p, size_t n, roaring_bitmap_t **out)
{
    if (n < 4 || pl_rd32(p) != n - 4 || n > PL_DB_IDS_MAX) {
        return PL_ECORRUPT;
    }
    if (roaring_bitmap_portable_deserialize_size((const char *)p + 4, n - 4) != n - 4) {
        return PL_ECORRUPT;
    }
    roaring_bitmap_t *ids = roaring_bitmap_portable_deserialize_safe((const char *)p + 4, n - 4);
    if (!ids) {
        return PL_ECORRUPT;
    }
    *out = ids;
    return PL_OK;
}

void pl__manifest_encode(const struct pl_db_state *s, const struct pl_db_part *p,
                         struct pl_buf *out)
{
    pl_buf_u8(out, VERSION);
    pl_buf_u8(out, p->kind);
    pl_buf_u32(out, (uint32_t)p->day);
    pl_buf_u64(out, p->file_bytes);
    pl_buf_u32(out, p->file_crc);
    size_t at = out->n;
    uint32_t n = 0;
    pl_buf_u32(out, 0);
    for (size_t i = 0; i < s->n_runs; i++) {
        if (s->runs[i]->part == p) {
            pl__run_meta_encode(&s->runs[i]->m, out);
            n++;
        }
    }
    if (!out->failed) {
        pl_wr32(out->p + at, n);
    }
}

static void tomb_encode(const struct pl_db_tomb *x, struct pl_buf *out)
{
    pl_buf_u8(out, VERSION);
    pl_buf_u64(out, x->seq);
    pl_buf_u64(out, (uint64_t)x->t0);
    pl_buf_u64(out, (uint64_t)x->t1);
    if (pl__ids_encode(x->ids, out) < 0) {
        out->failed = true;
    }
}

/* ---------------------------------------------------------------- entries with checksums */

static size_t number_key(uint8_t *key, uint8_t kind, uint32_t number)
{
    key[0] = kind;
    for (int i = 0; i < 4; i++) {
        key[1 + i] = (uint8_t)(number >> (24 - 8 * i));
    }
    return 5;
}

static uint32_t key_number(const uint8_t *key)
{
    return (uint32_t)key[1] << 24 | (uint32_t)key[2] << 16 | (uint32_t)key[3] << 8 | key[4];
}

static int put(MDB_txn *txn, MDB_dbi dbi, const uint8_t *key, size_t n_key, pl_str value)
{
    MDB_val k = {n_key, (void *)(uintptr_t)key}, v = {value.n + 4, NULL};
    int rc = mdb_put(txn, dbi, &k, &v, MDB_RESERVE);
    if (rc == MDB_SUCCESS) {
        if (value.n) {
            memcpy(v.mv_data, value.p, value.n);
        }
        uint32_t crc = pl_crc32c(pl_crc32c(0, key, n_key), value.p, value.n);
        pl_wr32((uint8_t *)v.mv_data + value.n, crc);
    }
    return pl__env_error(rc);
}

/** The value of an entry without its checksum. */
static int unwrap(const struct pl_db_env *e, const MDB_val *k, const MDB_val *v, pl_str *out)
{
    if (v->mv_size < 4 || !pl__env_value_ok(e, v)) {
        return PL_ECORRUPT;
    }
    size_t n = v->mv_size - 4;
    uint32_t crc = pl_crc32c(pl_crc32c(0, k->mv_data, k->mv_size), v->mv_data, n);
    if (crc != pl_rd32((const uint8_t *)v->mv_data + n)) {
        return PL_ECORRUPT;
    }
    *out = pl_str_mem(v->mv_data, n);
    return PL_OK;
}

/** Each entry with this first byte; `bad` gets the offset of one whose checksum does not hold. */
static int each_entry(struct pl_db_env *e, uint8_t first,
                      int (*each)(void *ctx, pl_str key, pl_str v),
                      void (*bad)(void *ctx, int64_t at), void *ctx)
{
    MDB_txn *txn;
    MDB_cursor *c;
    int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);
    if (rc != MDB_SUCCESS) {
        return pl__env_error(rc);
    }
    rc = mdb_cursor_open(txn, e->dbi, &c);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return pl__env_error(rc);
    }
    int err = PL_OK;
    MDB_val k = {1, &first}, v;
    rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
    while (rc == MDB_SUCCESS && err >= 0 && *(const uint8_t *)k.mv_data == first) {
        pl_str value;
        if (unwrap(e, &k, &v, &value) < 0) {
            bad(ctx, pl__env_offset(e, &v));
        } else {
            err = each(ctx, pl_str_mem((const char *)k.mv_data + 1, k.mv_size - 1), value);
        }
        rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
    }
    if (err >= 0 && rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        err = pl__env_error(rc);
    }
    mdb_cursor_close(c);
    mdb_txn_abort(txn);
    return err;
}

struct scan {
    int err;
    void (*bad)(void *ctx, int64_t offset);
    void *ctx;
};

static void scan_bad(void *ctx, int64_t at)
{
    struct scan *s = ctx;
    s->err = PL_ECORRUPT;
    s->bad(s->ctx, at);
}

static int scan_each(void *ctx, pl_str key, pl_str value)
{
    (void)ctx, (void)key, (void)value;
    return PL_OK;
}

int pl__catalogue_scan(struct pl_db_env *e, void (*bad)(void *ctx, int64_t offset), void *ctx)
{
    struct scan s = {PL_OK, bad, ctx};
    for (unsigned kind = 0; kind < 256; kind++) {
        int err = each_entry(e, (uint8_t)kind, scan_each, scan_bad, &s);
        if (err < 0) {
            return err;
        }
    }
    return s.err;
}

/* ---------------------------------------------------------------- records */

struct records {
    struct pl_engine_tenant *t;
    int (*each)(void *ctx, pl_str key, pl_str value);
    void *ctx;
    bool damaged;
};

static int records_each(void *ctx, pl_str key, pl_str value)
{
    struct records *r = ctx;
    return r->each(r->ctx, key, value);
}

static void records_bad(void *ctx, int64_t at)
{
    struct records *r = ctx;
    r->damaged = true;
    pl_logf(r->t->db->conf.log, PL_ERROR, "store", "damaged record",
            "file=\"%s/catalogue/data.mdb\" offset=%lld", r->t->dir, (long long)at);
    pl_count(r->t->db->corrupt, 1);
}

int pl__catalogue_records(struct pl_engine_tenant *t, uint8_t kind,
                          int (*each)(void *ctx, pl_str key, pl_str value), void *ctx)
{
    struct records r = {t, each, ctx, false};
    int err = each_entry(t->catalogue, kind, records_each, records_bad, &r);
    return err < 0 ? err : r.damaged ? PL_ECORRUPT : PL_OK;
}

/* ---------------------------------------------------------------- load */

struct load {
    struct pl_engine_tenant *t;
    struct pl_db_state *s;
    size_t cap_parts, cap_runs, cap_tombs;
    char *why;
    size_t n_why;
    bool found, damaged;
};

static void load_bad(void *ctx, int64_t at)
{
    struct load *l = ctx;
    l->damaged = true;
    snprintf(l->why, l->n_why, "%s/catalogue/data.mdb: damaged entry at %lld", l->t->dir,
             (long long)at);
}

static int load_state(void *ctx, pl_str key, pl_str v)
{
    struct load *l = ctx;
    const uint8_t *p = (const uint8_t *)v.p;
    if (key.n != 0 || v.n < STATE_BYTES || p[0] != VERSION) {
        return PL_ECORRUPT;
    }
    atomic_store(&l->t->flushed_seq, pl_rd64(p + 1));
    l->t->next_run = pl_rd32(p + 9);
    l->t->next_part = pl_rd32(p + 13);
    l->t->next_tomb = pl_rd32(p + 17);
    l->found = true;
    return PL_OK;
}

static int grow(void *array, size_t *cap, size_t n, size_t size)
{
    if (n < *cap) {
        return PL_OK;
    }
    size_t more = *cap ? *cap * 2 : 16;
    void *p = realloc(*(void **)array, more * size);
    if (!p) {
        return PL_ENOMEM;
    }
    *(void **)array = p;
    *cap = more;
    return PL_OK;
}

static int load_runs(struct load *l, struct pl_db_part *part, const uint8_t *p, uint32_t n)
{
    struct pl_db_state *s = l->s;
    for (uint32_t i = 0; i < n; i++, p += PL_DB_RUN_META_BYTES) {
        struct pl_db_run_meta m;
        pl__run_meta_decode(p, &m);
        int err = grow(&s->runs, &l->cap_runs, s->n_runs, sizeof *s->runs);
        if (err == PL_OK) {
            err = pl__run_new(part, &m, NULL, &s->runs[s->n_runs]);
        }
        if (err < 0) {
            return err;
        }
        s->n_runs++;
    }
    return PL_OK;
}

static int load_part(void *ctx, pl_str key, pl_str v)
{
    struct load *l = ctx;
    struct pl_db_state *s = l->s;
    const uint8_t *p = (const uint8_t *)v.p;
    if (key.n != 4 || v.n < PART_BYTES || p[0] != VERSION ||
        (p[1] != PL_DB_PART_HOT && p[1] != PL_DB_PART_SEALED)) {
        return PL_ECORRUPT;
    }
    uint32_t n = pl_rd32(p + 18);
    if ((v.n - PART_BYTES) / PL_DB_RUN_META_BYTES != n ||
        (v.n - PART_BYTES) % PL_DB_RUN_META_BYTES) {
        return PL_ECORRUPT;
    }
    struct pl_db_part *part;
    int err = grow(&s->parts, &l->cap_parts, s->n_parts, sizeof *s->parts);
    if (err == PL_OK) {
        err = pl__part_new(l->t, p[1], (int32_t)pl_rd32(p + 2),
                           key_number((const uint8_t *)key.p - 1), &part);
    }
    if (err < 0) {
        return err;
    }
    part->file_bytes = pl_rd64(p + 6);
    part->file_crc = pl_rd32(p + 14);
    s->parts[s->n_parts++] = part;
    return load_runs(l, part, p + PART_BYTES, n);
}

static int load_tomb(void *ctx, pl_str key, pl_str v)
{
    struct load *l = ctx;
    struct pl_db_state *s = l->s;
    const uint8_t *p = (const uint8_t *)v.p;
    if (key.n != 4 || v.n < 25 || p[0] != VERSION) {
        return PL_ECORRUPT;
    }
    int err = grow(&s->tombs, &l->cap_tombs, s->n_tombs, sizeof *s->tombs);
    struct pl_db_tomb *x = err == PL_OK ? calloc(1, sizeof *x) : NULL;
    if (!x) {
        return PL_ENOMEM;
    }
    atomic_init(&x->refs, 1);
    x->number = key_number((const uint8_t *)key.p - 1);
    x->seq = pl_rd64(p + 1);
    x->t0 = (int64_t)pl_rd64(p + 9);
    x->t1 = (int64_t)pl_rd64(p + 17);
    err = pl__ids_decode(p + 25, v.n - 25, &x->ids);
    if (err < 0) {
        free(x);
        return err;
    }
    s->tombs[s->n_tombs++] = x;
    return PL_OK;
}

int pl__catalogue_load(struct pl_engine_tenant *t, char *why, size_t n_why)
{
    struct load l = {.t = t, .why = why, .n_why = n_why};
    struct pl_db_change none = {0};
    struct pl_db_state *sorted = NULL;
    int err = pl__state_new(&l.s);
    if (err < 0) {
        return err;
    }
    t->next_run = t->next_part = t->next_tomb = 1;
    err = each_entry(t->catalogue, KEY_STATE, load_state, load_bad, &l);
    if (err == PL_OK) {
        err = each_entry(t->catalogue, KEY_MANIFEST, load_part, load_bad, &l);
    }
    if (err == PL_OK) {
        err = each_entry(t->catalogue, KEY_TOMB, load_tomb, load_bad, &l);
    }
    if (err == PL_OK && (l.damaged || (!l.found && l.s->n_parts))) {
        err = PL_ECORRUPT;
    }
    if (err == PL_OK) {
        err = pl__state_next(l.s, &none, &sorted);
    }
    if (err < 0) {
        if (!l.damaged) {
            snprintf(why, n_why, "%s/catalogue/data.mdb: manifest: %s", t->dir, pl_err_text(err));
        }
    } else {
        t->state = sorted;
    }
    pl__state_unref(l.s);
    return err;
}

struct entry {
    struct pl_buf *out;
    uint32_t number;
    bool found;
};

static int entry_each(void *ctx, pl_str key, pl_str v)
{
    struct entry *x = ctx;
    if (key.n == 4 && key_number((const uint8_t *)key.p - 1) == x->number) {
        pl_buf_str(x->out, v);
        x->found = true;
    }
    return x->out->failed ? PL_ENOMEM : PL_OK;
}

static void entry_bad(void *ctx, int64_t at) { (void)ctx, (void)at; }

int pl__manifest_entry(struct pl_db_env *e, uint32_t part, struct pl_buf *out)
{
    struct entry x = {out, part, false};
    int err = each_entry(e, KEY_MANIFEST, entry_each, entry_bad, &x);
    return err < 0 ? err : x.found ? PL_OK : PL_ENOTFOUND;
}

/* ---------------------------------------------------------------- commit */

static int put_records(MDB_txn *txn, MDB_dbi dbi, const struct pl_db_change *c)
{
    uint8_t key[KEY_MAX];
    for (size_t i = 0; i < c->n_records; i++) {
        const struct pl_record *r = &c->records[i];
        if (r->kind == 0 || r->kind > 127 || r->key.n == 0 || r->key.n >= KEY_MAX) {
            return PL_EINVAL;
        }
        key[0] = r->kind;
        memcpy(key + 1, r->key.p, r->key.n);
        int err;
        if (r->erase) {
            MDB_val k = {1 + r->key.n, key};
            int rc = mdb_del(txn, dbi, &k, NULL);
            err = rc == MDB_NOTFOUND ? PL_OK : pl__env_error(rc);
        } else {
            err = put(txn, dbi, key, 1 + r->key.n, r->value);
        }
        if (err < 0) {
            return err;
        }
    }
    return PL_OK;
}

static int put_manifest(MDB_txn *txn, MDB_dbi dbi, const struct pl_db_change *c,
                        const struct pl_db_state *next, struct pl_buf *buf)
{
    uint8_t key[5];
    for (size_t i = 0; i < c->n_drop; i++) {
        MDB_val k = {number_key(key, KEY_MANIFEST, c->drop_parts[i]->number), key};
        int rc = mdb_del(txn, dbi, &k, NULL);
        if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
            return pl__env_error(rc);
        }
    }
    for (size_t i = 0; i < c->n_add; i++) {
        const struct pl_db_part *p = c->add_runs[i]->part;
        if (i && c->add_runs[i - 1]->part == p) {
            continue;
        }
        pl_buf_clear(buf);
        pl__manifest_encode(next, p, buf);
        int err = buf->failed ? PL_ENOMEM
                              : put(txn, dbi, key, number_key(key, KEY_MANIFEST, p->number),
                                    pl_buf_view(buf));
        if (err < 0) {
            return err;
        }
    }
    return PL_OK;
}

static int put_tombs(MDB_txn *txn, MDB_dbi dbi, const struct pl_db_change *c, struct pl_buf *buf)
{
    uint8_t key[5];
    for (size_t i = 0; i < c->n_drop_tombs; i++) {
        MDB_val k = {number_key(key, KEY_TOMB, c->drop_tombs[i]->number), key};
        int rc = mdb_del(txn, dbi, &k, NULL);
        if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
            return pl__env_error(rc);
        }
    }
    if (!c->add_tomb) {
        return PL_OK;
    }
    pl_buf_clear(buf);
    tomb_encode(c->add_tomb, buf);
    return buf->failed ? PL_ENOMEM
                       : put(txn, dbi, key, number_key(key, KEY_TOMB, c->add_tomb->number),
                             pl_buf_view(buf));
}

static int put_state(MDB_txn *txn, const struct pl_engine_tenant *t, uint64_t flushed_seq,
                     struct pl_buf *buf)
{
    const uint8_t key = KEY_STATE;
    pl_buf_clear(buf);
    pl_buf_u8(buf, VERSION);
    pl_buf_u64(buf, flushed_seq);
    pl_buf_u32(buf, t->next_run);
    pl_buf_u32(buf, t->next_part);
    pl_buf_u32(buf, t->next_tomb);
    return buf->failed ? PL_ENOMEM : put(txn, t->catalogue->dbi, &key, 1, pl_buf_view(buf));
}

static int commit(struct pl_engine_tenant *t, const struct pl_db_change *c,
                  const struct pl_db_state *next, uint64_t flushed_seq)
{
    struct pl_buf buf = PL_BUF_INIT;
    MDB_dbi dbi = t->catalogue->dbi;
    MDB_txn *txn;
    int err = pl__env_error(mdb_txn_begin(t->catalogue->env, NULL, 0, &txn));
    if (err < 0) {
        return err;
    }
    err = put_manifest(txn, dbi, c, next, &buf);
    err = err < 0 ? err : put_tombs(txn, dbi, c, &buf);
    err = err < 0 ? err : put_records(txn, dbi, c);
    err = err < 0 ? err : put_state(txn, t, flushed_seq, &buf);
    if (err == PL_OK && c->fault) {
        err = PL_FAULT(c->fault);
        err = err > 0 ? PL_EIO : err;
    }
    if (err < 0) {
        mdb_txn_abort(txn);
    } else {
        err = pl__env_error(mdb_txn_commit(txn));
        if (err == PL_EIO) { /* pages of unknown fate: never again on this file */
            err = PL_EREADONLY;
        }
    }
    pl_buf_fini(&buf);
    return err;
}

int pl__catalogue_commit(struct pl_engine_tenant *t, const struct pl_db_change *c)
{
    if (atomic_load(&t->broken)) {
        return PL_EREADONLY;
    }
    struct pl_db_state *next;
    int err = pl__state_next(t->state, c, &next);
    if (err < 0) {
        return err;
    }
    uint64_t flushed_seq = atomic_load(&t->flushed_seq);
    if (c->flushed_seq > flushed_seq) {
        flushed_seq = c->flushed_seq;
    }
    err = commit(t, c, next, flushed_seq);
    if (err < 0) {
        if (err == PL_EREADONLY) {
            atomic_store(&t->broken, true);
            pl_logf(t->db->conf.log, PL_ERROR, "store", "the catalogue cannot be synced",
                    "dir=\"%s\"", t->dir);
        }
        pl__state_unref(next);
        return err;
    }
    atomic_store(&t->flushed_seq, flushed_seq);
    pthread_mutex_lock(&t->lock);
    struct pl_db_state *last = t->state;
    t->state = next;
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < c->n_drop; i++) {
        atomic_store(&c->drop_parts[i]->gone, true);
    }
    pl__state_unref(last);
    return PL_OK;
}
