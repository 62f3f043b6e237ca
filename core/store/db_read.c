/* Views and cursors. A view pins the runs and tombstones of one moment; a cursor is one thread's
 * way through it: per partition one LMDB read transaction (begun when first needed), per run the
 * pack it has open, so that ascending ids open each pack once. A partition's files only ever grow
 * while they are pinned, so a transaction begun after the view still finds every run of it, and one
 * that lasts as long as a query keeps only the few tree pages that a commit replaces. */
#include "core/store/db_cursor.h"
#include <stdlib.h>

/* ---------------------------------------------------------------- views */

int pl__db_view_of(struct pl_engine_tenant *t, struct pl_db_state *s, struct pl_db_run *const *runs,
                   size_t n, int64_t t0, int64_t t1, struct pl_view **out)
{
    struct pl_view *v = calloc(1, sizeof *v);
    struct pl_db_run **kept = calloc(n + 1, sizeof *kept);
    if (!v || !kept) {
        free(v);
        free(kept);
        return PL_ENOMEM;
    }
    v->t = t;
    v->t0 = t0;
    v->t1 = t1;
    v->state = s;
    v->runs = kept;
    atomic_fetch_add(&s->refs, 1);
    pthread_mutex_init(&v->lock, NULL);
    for (size_t i = 0; i < n; i++) {
        if (runs[i]->m.t_min <= t1 && runs[i]->m.t_max >= t0) {
            pl__run_ref(runs[i]);
            v->runs[v->n_runs++] = runs[i];
        }
    }
    *out = v;
    return PL_OK;
}

int pl__db_view(struct pl_engine_tenant *t, int64_t t0, int64_t t1, struct pl_view **out)
{
    struct pl_db_state *s = pl__state_get(t);
    int err = pl__db_view_of(t, s, s->runs, s->n_runs, t0, t1, out);
    if (err == PL_OK) {
        (*out)->shares = true;
    }
    pl__state_unref(s);
    return err;
}

void pl__db_view_free(struct pl_view *v)
{
    if (!v) {
        return;
    }
    for (size_t i = 0; i < v->n_runs; i++) {
        pl__run_unref(v->runs[i]);
    }
    if (v->ids) {
        roaring_bitmap_free(v->ids);
    }
    pl__state_unref(v->state);
    pthread_mutex_destroy(&v->lock);
    free(v->runs);
    free(v);
}

int pl__db_view_since(struct pl_view *v, uint64_t seq, struct pl_view **out)
{
    struct pl_db_run **runs = calloc(v->n_runs + 1, sizeof *runs);
    size_t n = 0;
    if (!runs) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < v->n_runs; i++) {
        if (v->runs[i]->m.last_seq > seq) {
            runs[n++] = v->runs[i];
        }
    }
    int err = pl__db_view_of(v->t, v->state, runs, n, v->t0, v->t1, out);
    free(runs);
    return err;
}

/** The union of all ids, made once; NULL when it is not known. */
static const roaring_bitmap_t *view_ids(struct pl_view *v)
{
    pthread_mutex_lock(&v->lock);
    if (!v->ids && !v->ids_unknown) {
        v->ids = roaring_bitmap_create();
        v->ids_unknown = !v->ids;
        for (size_t i = 0; i < v->n_runs && !v->ids_unknown; i++) {
            const roaring_bitmap_t *ids = pl__run_ids(v->runs[i]);
            if (ids) {
                roaring_bitmap_lazy_or_inplace(v->ids, ids, false);
            } else {
                v->ids_unknown = true;
            }
        }
        if (v->ids) {
            roaring_bitmap_repair_after_lazy(v->ids);
        }
    }
    const roaring_bitmap_t *ids = v->ids_unknown ? NULL : v->ids;
    pthread_mutex_unlock(&v->lock);
    return ids;
}

static size_t keep_few(const roaring_bitmap_t *have, uint32_t *ids, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (roaring_bitmap_contains(have, ids[i])) {
            ids[kept++] = ids[i];
        }
    }
    return kept;
}

/** Both walked through in order. */
static size_t keep_many(const roaring_bitmap_t *have, uint32_t *ids, size_t n)
{
    uint32_t block[512], count = 0, k = 0;
    size_t kept = 0;
    roaring_uint32_iterator_t it;
    roaring_init_iterator(have, &it);
    for (size_t i = 0; i < n; i++) {
        while (k == count || block[k] < ids[i]) {
            if (k < count) {
                k++;
                continue;
            }
            count = roaring_read_uint32_iterator(&it, block, sizeof block / sizeof *block);
            if (count == 0) {
                return kept;
            }
            k = 0;
        }
        if (block[k] == ids[i]) {
            ids[kept++] = ids[i];
        }
    }
    return kept;
}

size_t pl__db_view_filter(struct pl_view *v, uint32_t *ids, size_t n)
{
    const roaring_bitmap_t *have = n && v->n_runs ? view_ids(v) : NULL;
    if (v->n_runs == 0 || n == 0) {
        return 0;
    }
    if (!have) {
        return n;
    }
    return n < roaring_bitmap_get_cardinality(have) / 16 ? keep_few(have, ids, n)
                                                         : keep_many(have, ids, n);
}

/* ---------------------------------------------------------------- cursors */

int pl__db_cursor(struct pl_view *v, struct pl_cursor **out)
{
    struct pl_cursor *c = calloc(1, sizeof *c);
    if (!c) {
        return PL_ENOMEM;
    }
    c->view = v;
    c->slots = calloc(v->n_runs + 1, sizeof *c->slots);
    c->uses = calloc(v->n_runs + 1, sizeof *c->uses);
    if (!c->slots || !c->uses) {
        pl__db_cursor_free(c);
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < v->n_runs; i++) {
        c->slots[i].run = v->runs[i];
        pl_pack_init(&c->slots[i].pack);
    }
    *out = c;
    return PL_OK;
}

void pl__db_cursor_free(struct pl_cursor *c)
{
    if (!c) {
        return;
    }
    for (size_t i = 0; c->slots && i < c->view->n_runs; i++) {
        if (c->slots[i].run) {
            pl_pack_fini(&c->slots[i].pack);
            pl__packs_release(c->view->t->db->packs, c->slots[i].packed);
        }
        if (c->slots[i].c) {
            mdb_cursor_close(c->slots[i].c);
        }
    }
    for (size_t i = 0; i < c->n_uses; i++) {
        mdb_txn_abort(c->uses[i].txn);
        pl__part_release(c->uses[i].part);
    }
    free(c->slots);
    free(c->uses);
    free(c);
}

/** The cursor's use of a run's partition; begins its transaction. */
static int use_part(struct pl_cursor *c, struct pl_db_part *p, struct pl__use **out)
{
    for (size_t i = c->n_uses; i > 0; i--) { /* the last ones are the likely ones */
        if (c->uses[i - 1].part == p) {
            *out = &c->uses[i - 1];
            return PL_OK;
        }
    }
    struct pl__use u = {.part = p};
    int err = pl__part_acquire(p, &u.env);
    if (err < 0) {
        return err;
    }
    err = pl__env_error(mdb_txn_begin(u.env->env, NULL, MDB_RDONLY, &u.txn));
    if (err < 0) {
        pl__part_release(p);
        return err;
    }
    c->uses[c->n_uses] = u;
    *out = &c->uses[c->n_uses++];
    return PL_OK;
}

int pl__slot_prepare(struct pl_cursor *c, struct pl__slot *s)
{
    s->ready = true;
    s->failed = true;
    int err = use_part(c, s->run->part, &s->use);
    if (err == PL_OK) {
        err = pl__env_error(mdb_cursor_open(s->use->txn, s->use->env->dbi, &s->c));
    }
    if (err < 0) {
        return err;
    }
    s->ids = pl__run_ids(s->run);
    s->failed = false;
    return PL_OK;
}

/** The pack under the LMDB cursor could not be opened: remember which ids that concerns. */
static int bad_pack(struct pl__slot *s, const struct pl_db_key *key, const MDB_val *v,
                    const char *what)
{
    MDB_val k, next;
    struct pl_db_key nk;
    s->open = false;
    s->bad = true;
    s->bad_from = key->id;
    s->bad_to = UINT32_MAX;
    pl__part_corrupt(s->run->part, key, pl__env_offset(s->use->env, v), what);
    if (mdb_cursor_get(s->c, &k, &next, MDB_NEXT) == MDB_SUCCESS && pl__key_get(&k, &nk) &&
        nk.run == key->run) {
        s->bad_to = nk.piece && nk.id != PL_DB_META_ID ? nk.id : nk.id - 1;
    }
    return PL_ECORRUPT;
}

/** Open the pack the LMDB cursor stands on. */
static int open_at(struct pl__slot *s, bool shares, const struct pl_db_key *key, const MDB_val *v,
                   struct pl_read_stats *stats)
{
    s->open = false;
    if (!pl__env_value_ok(s->use->env, v)) {
        return bad_pack(s, key, v, "value size");
    }
    struct pl_db_packs *packs = s->run->part->t->db->packs;
    pl__packs_release(packs, s->packed);
    s->packed = NULL;
    int err = shares && !s->run->part->bad_pack
                  ? pl__packs_open(packs, s->use->env, v, &s->pack, &s->packed)
                  : pl_pack_open(&s->pack, v->mv_data, v->mv_size);
    if (err == PL_ECORRUPT) {
        return bad_pack(s, key, v, "checksum or directory");
    }
    if (err < 0) {
        return err;
    }
    if (s->pack.first_id != key->id) {
        return bad_pack(s, key, v, "first id differs from its key");
    }
    s->open = true;
    s->key = *key;
    stats->packs++;
    stats->bytes += v->mv_size;
    return PL_OK;
}

int pl__slot_seek(struct pl__slot *s, bool shares, uint32_t id, struct pl_read_stats *stats)
{
    uint8_t buf[PL_DB_KEY];
    uint32_t run = s->run->m.number;
    pl__key(buf, run, id, 0);
    MDB_val k = {sizeof buf, buf}, v;
    struct pl_db_key key;
    int rc = mdb_cursor_get(s->c, &k, &v, MDB_SET_RANGE);
    bool here = rc == MDB_SUCCESS && pl__key_get(&k, &key) && key.run == run && key.id == id;
    if (!here || key.piece) { /* it begins in the pack before */
        int back = mdb_cursor_get(s->c, &k, &v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
        if (back == MDB_SUCCESS && pl__key_get(&k, &key) && key.run == run &&
            key.id != PL_DB_META_ID) {
            return open_at(s, shares, &key, &v, stats);
        }
        if (!here) {
            return back == MDB_SUCCESS || back == MDB_NOTFOUND ? PL_ENOTFOUND : pl__env_error(back);
        }
        /* the series goes on from another run: nothing before this piece */
        pl__key(buf, run, id, 0);
        k = (MDB_val){sizeof buf, buf};
        rc = mdb_cursor_get(s->c, &k, &v, MDB_SET_RANGE);
        if (rc != MDB_SUCCESS || !pl__key_get(&k, &key)) {
            return PL_ECORRUPT;
        }
    }
    return open_at(s, shares, &key, &v, stats);
}

/** The next piece of the same series, if there is one. 1, 0, or an error. */
static int next_piece(struct pl__slot *s, bool shares, uint32_t id, struct pl_read_stats *stats)
{
    MDB_val k, v;
    struct pl_db_key key;
    uint8_t buf[PL_DB_KEY];
    pl__key(buf, s->key.run, id, s->key.id == id ? s->key.piece + 1 : 1);
    k = (MDB_val){sizeof buf, buf};
    int rc = mdb_cursor_get(s->c, &k, &v, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND) {
        return 0;
    }
    if (rc != MDB_SUCCESS) {
        return pl__env_error(rc);
    }
    if (!pl__key_get(&k, &key) || key.run != s->run->m.number || key.id != id) {
        return 0;
    }
    int err = open_at(s, shares, &key, &v, stats);
    return err < 0 ? err : 1;
}

/** First position in [lo, hi) with t[i] >= x. */
static size_t lower_bound(const int64_t *t, size_t lo, size_t hi, int64_t x)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t[mid] < x) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/** Remove what lies in [t0, t1] from the columns' end, which is ascending from `at` on. */
static void cut(struct pl_columns *c, size_t at, int64_t t0, int64_t t1)
{
    size_t from = lower_bound(c->t, at, c->n, t0);
    size_t to = t1 == INT64_MAX ? c->n : lower_bound(c->t, from, c->n, t1 + 1);
    memmove(c->t + from, c->t + to, (c->n - to) * sizeof *c->t);
    memmove(c->v + from, c->v + to, (c->n - to) * sizeof *c->v);
    c->n -= to - from;
}

/** Append the chunks of id in the open pack that touch [t0, t1], trimmed. 1: it has some of id. */
static int take_chunks(struct pl__slot *s, uint32_t id, int64_t t0, int64_t t1,
                       struct pl_columns *out, struct pl_read_stats *stats)
{
    uint32_t from, to;
    if (pl_pack_find(&s->pack, id, &from, &to) < 0) {
        return PL_OK;
    }
    int result = 1;
    for (uint32_t i = from; i < to; i++) {
        const struct pl_chunk *ch = &s->pack.chunks[i];
        if (ch->t1 < t0 || ch->t0 > t1) {
            continue;
        }
        size_t at = out->n;
        int n = pl__chunk_take(&s->pack, i, out);
        if (n == PL_ENOMEM) {
            return n;
        }
        if (n < 0) {
            pl__part_corrupt(s->run->part, &s->key, -1, "chunk");
            result = n;
            continue;
        }
        if (ch->t1 > t1) {
            cut(out, at, t1 + 1, INT64_MAX);
        }
        if (ch->t0 < t0) {
            cut(out, at, INT64_MIN, t0 - 1);
        }
        stats->chunks++;
    }
    return result;
}

/** The run says that it has id, and no pack does. */
static int missing(struct pl__slot *s, uint32_t id)
{
    struct pl_db_key key = {s->run->m.number, id, 0};
    s->bad = true;
    s->bad_from = s->bad_to = id;
    if (!s->told) {
        s->told = true;
        pl__part_corrupt(s->run->part, &key, -1, "a series is missing");
    }
    return PL_ECORRUPT;
}

static int read_run(struct pl_cursor *c, struct pl__slot *s, uint32_t id, int64_t t0, int64_t t1,
                    struct pl_columns *out, struct pl_read_stats *stats)
{
    int err = s->ready ? PL_OK : pl__slot_prepare(c, s);
    if (s->failed || err < 0) {
        return err < 0 ? err : PL_ECORRUPT;
    }
    if (s->ids && !roaring_bitmap_contains(s->ids, id)) {
        return PL_OK;
    }
    if (s->bad && id >= s->bad_from && id <= s->bad_to) {
        return PL_ECORRUPT;
    }
    err = pl__slot_stands_on(s, id) ? PL_OK : pl__slot_seek(s, c->view->shares, id, stats);
    int result = err < 0 ? err : take_chunks(s, id, t0, t1, out, stats);
    while (err == PL_OK && s->pack.last_id == id && result != PL_ENOMEM) {
        int more = next_piece(s, c->view->shares, id, stats);
        if (more <= 0) {
            return more < 0 ? more : result;
        }
        int got = take_chunks(s, id, t0, t1, out, stats);
        result = got < 0 || result == 0 ? got : result;
    }
    if ((result == 0 || result == PL_ENOTFOUND) && s->ids) {
        return missing(s, id);
    }
    return result == PL_ENOTFOUND ? PL_OK : result;
}

static void apply_tombs(const struct pl_view *v, const struct pl__slot *s, uint32_t id,
                        struct pl_columns *out, size_t at)
{
    for (size_t i = 0; i < v->state->n_tombs && out->n > at; i++) {
        const struct pl_db_tomb *x = v->state->tombs[i];
        if (pl__slot_erased(s, x) && roaring_bitmap_contains(x->ids, id)) {
            cut(out, at, x->t0, x->t1);
        }
    }
}

int pl__db_read(struct pl_cursor *c, uint32_t id, int64_t t0, int64_t t1, struct pl_columns *out,
                struct pl_read_stats *stats)
{
    struct pl_view *v = c->view;
    struct pl_read_stats ignored = {0};
    stats = stats ? stats : &ignored;
    int result = PL_OK;
    bool sorted = true;
    pl_columns_clear(out);
    for (size_t i = 0; i < v->n_runs; i++) {
        struct pl__slot *s = &c->slots[i];
        if (s->run->m.t_min > t1 || s->run->m.t_max < t0) {
            continue;
        }
        size_t at = out->n;
        int err = read_run(c, s, id, t0, t1, out, stats);
        if (err == PL_ENOMEM) {
            return err;
        }
        result = err < 0 ? err : result;
        apply_tombs(v, s, id, out, at);
        sorted &= at == 0 || at == out->n || out->t[at - 1] < out->t[at];
    }
    /* runs in order of their numbers, so the last of equal timestamps is the one that counts */
    if (!sorted && pl_columns_sort(out) < 0) {
        return PL_ENOMEM;
    }
    stats->samples += out->n;
    return result;
}
