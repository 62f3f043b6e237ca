/* The series of a tenant: apply and drop (the apply thread), labels (any). The table of hashes,
 * labels by id, finding, listing, saving and loading stand in series_hash.c, series_labels.c,
 * series_find.c, series_list.c, series_save.c and series_load.c; the door series.h says what is
 * promised. */
#include "core/store/series_impl.h"
#include <stdatomic.h>
#include <stdlib.h>

#define AHEAD 32 /* definitions whose slots are fetched before they are entered */

int pl_series_new(const struct pl_series_conf *conf, struct pl_series **out)
{
    struct pl_series *s = aligned_alloc(64, (sizeof *s + 63) & ~(size_t)63);
    if (!s) {
        return PL_ENOMEM;
    }
    memset(s, 0, sizeof *s);
    s->dirty = roaring_bitmap_create();
    s->saving = roaring_bitmap_create();
    if (!s->dirty || !s->saving) {
        if (s->dirty) {
            roaring_bitmap_free(s->dirty);
        }
        if (s->saving) {
            roaring_bitmap_free(s->saving);
        }
        free(s);
        return PL_ENOMEM;
    }
    s->conf = *conf;
    s->last_dirty = UINT32_MAX;
    pl__series_hash_init(s);
    pthread_rwlockattr_t attr; /* a stream of readers must not hold up the apply thread */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    *out = s;
    return 0;
}

void pl_series_free(struct pl_series *s)
{
    if (!s) {
        return;
    }
    pl__series_hash_fini(s);
    pl__labels_fini(&s->labels);
    pl__symbols_fini(&s->y);
    pl__posting_fini(&s->all);
    free(s->un.p);
    roaring_bitmap_free(s->dirty);
    roaring_bitmap_free(s->saving);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

/* ------------------------------------------------------------------------------------ the labels
 */

uint32_t pl__series_pairs(const struct pl_series *s, uint32_t id, uint32_t pairs[PL_LABELS_MAX])
{
    return pl__labels_get(&s->labels, id, pairs);
}

static void labels_of(const struct pl_series *s, const uint32_t *pairs, uint32_t n,
                      struct pl_buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct pl__pair *p = pl__pair(&s->y, pairs[i]);
        pl_buf_add(out, p->label, p->n_label);
    }
}

int pl_series_labels(struct pl_series *s, uint32_t id, struct pl_buf *out)
{
    uint32_t pairs[PL_LABELS_MAX];
    size_t before = out->n;
    pthread_rwlock_rdlock(&s->lock);
    bool known = pl__labels_has(&s->labels, id);
    uint32_t n = pl__series_pairs(s, id, pairs);
    labels_of(s, pairs, n, out);
    pthread_rwlock_unlock(&s->lock);
    if (out->failed) {
        out->n = before;
        return PL_ENOMEM;
    }
    return known ? 0 : PL_ENOTFOUND;
}

/* ---------------------------------------------------------------------------------------- apply */

static int run_end(struct pl_series *s, struct pl__posting *p, struct pl__run *run)
{
    int rc = run->to > run->from ? pl__posting_add(p, run->from, run->to, &s->un) : 0;
    run->from = run->to = 0;
    return rc;
}

/** Add id to the run at a label's position, ending the one that stood there if it is another's. */
static int run_add(struct pl_series *s, struct pl__run *run, bool is_name, uint32_t number,
                   uint32_t id)
{
    if (run->number == number && run->to == id && run->to > run->from) {
        run->to++;
        return 0;
    }
    int rc = 0;
    if (run->to > run->from) {
        rc = run_end(
            s, is_name ? &s->y.names[run->number]->has : &pl__pair(&s->y, run->number)->post, run);
    }
    *run = (struct pl__run){number, id, id + 1};
    return rc;
}

int pl__series_index(struct pl_series *s, uint32_t id, const uint32_t *pairs, uint32_t n)
{
    if (pl__labels_has(&s->labels, id)) {
        return 0;
    }
    int rc = pl__labels_put(&s->labels, id, pairs, n);
    if (rc < 0) {
        return rc;
    }
    if (s->last_dirty != id / PL__SAVE_SERIES) {
        s->last_dirty = id / PL__SAVE_SERIES;
        roaring_bitmap_add(s->dirty, s->last_dirty);
    }
    if (s->all_run.to != id) {
        rc = run_end(s, &s->all, &s->all_run);
        s->all_run.from = id;
    }
    s->all_run.to = id + 1;
    for (uint32_t i = 0; i < n; i++) {
        struct pl__run *run = &s->pair_run[i];
        if (run->number == pairs[i] && run->to == id && run->to > run->from) {
            run->to++; /* and so does the run of its name, which began no later */
            s->name_run[i].to++;
            continue;
        }
        int e = run_add(s, run, false, pairs[i], id);
        int f = run_add(s, &s->name_run[i], true, pl__pair(&s->y, pairs[i])->name, id);
        rc = e < 0 ? e : f < 0 ? f : rc;
    }
    return rc;
}

int pl__series_index_end(struct pl_series *s)
{
    int rc = run_end(s, &s->all, &s->all_run);
    for (uint32_t i = 0; i < PL_LABELS_MAX; i++) {
        struct pl__run *pair = &s->pair_run[i], *name = &s->name_run[i];
        int e = pair->to > pair->from ? run_end(s, &pl__pair(&s->y, pair->number)->post, pair) : 0;
        int f = name->to > name->from ? run_end(s, &s->y.names[name->number]->has, name) : 0;
        rc = e < 0 ? e : f < 0 ? f : rc;
    }
    return rc;
}

/* A series' labels as they stood in the definition, with their numbers. */
struct parsed {
    const uint8_t *at[PL_LABELS_MAX + 1];
    uint32_t pair[PL_LABELS_MAX];
    uint32_t n;
};

/** The canonical label at p: its name and its end; NULL if it is none. */
static const uint8_t *label_end(const uint8_t *p, const uint8_t *end, pl_str *name)
{
    uint64_t n;
    p = pl_varint_get(p, end, &n);
    if (!p || n == 0 || n > (uint64_t)(end - p)) {
        return NULL;
    }
    *name = pl_str_mem(p, n);
    p = pl_varint_get(p + n, end, &n);
    return p && n && n <= (uint64_t)(end - p) ? p + n : NULL;
}

/** Does the name of label i stand in order behind that of the label before it? */
static bool in_order(const struct parsed *l, uint32_t i, const uint8_t *end)
{
    pl_str a, b;
    return i == 0 || (label_end(l->at[i - 1], end, &a) && label_end(l->at[i], end, &b) &&
                      pl_str_cmp(a, b) < 0);
}

/** Numbers of a series' labels; those it shares with the series before at the same position cost a
 *  comparison only, or not even that where its definition was coded so. */
static int parse(struct pl_series *s, const struct pl_series_def *def, const struct parsed *before,
                 struct parsed *out)
{
    const uint8_t *p = (const uint8_t *)def->canon.p, *end = p + def->canon.n;
    bool was_same = false;
    uint32_t i = 0;
    if (def->canon.n == 0) {
        return PL_ECORRUPT;
    }
    for (; p < end; i++) {
        size_t n = i < before->n ? (size_t)(before->at[i + 1] - before->at[i]) : 0;
        bool same = n && i < 64 && (def->same >> i & 1) && n <= (size_t)(end - p);
        out->at[i] = p;
        if (!(same && was_same)) { /* else both stood so in the one before */
            pl_str name;
            const uint8_t *q = i == PL_LABELS_MAX ? NULL : label_end(p, end, &name);
            if (!q || !in_order(out, i, end)) {
                return PL_ECORRUPT;
            }
            same = same || (n == (size_t)(q - p) && memcmp(before->at[i], p, n) == 0);
            n = (size_t)(q - p);
            int rc = same ? 0 : pl__symbols_intern(&s->y, p, n, name, &out->pair[i]);
            if (rc < 0) {
                return rc;
            }
        }
        if (same) {
            out->pair[i] = before->pair[i];
        }
        was_same = same;
        p += n;
    }
    out->at[i] = p;
    out->n = i;
    return 0;
}

/** Enter the hashes of definitions that are replayed; their slots are fetched ahead. */
static int enter_all(struct pl_series *s, const struct pl_series_def *defs, size_t n)
{
    struct pl_hash128 hash[AHEAD];
    for (size_t at = 0; at < n; at += AHEAD) {
        size_t m = n - at < AHEAD ? n - at : AHEAD;
        for (size_t i = 0; i < m; i++) {
            hash[i] = pl_labels_hash(defs[at + i].canon);
            pl__series_prefetch(s, hash[i]);
        }
        for (size_t i = 0; i < m; i++) {
            if (defs[at + i].id > PL__ID_MAX) {
                continue;
            }
            int rc = pl__series_enter(s, hash[i], defs[at + i].id);
            if (rc < 0) {
                return rc;
            }
            pl__series_used(s, defs[at + i].id + 1);
        }
    }
    return 0;
}

int pl_series_apply(struct pl_series *s, const struct pl_series_def *defs, size_t n, bool replay)
{
    int rc = replay ? enter_all(s, defs, n) : 0;
    struct parsed *both = rc < 0 ? NULL : malloc(2 * sizeof *both);
    if (!both) {
        return rc < 0 ? rc : PL_ENOMEM;
    }
    struct parsed *before = &both[0], *now = &both[1];
    before->n = 0;
    int damaged = 0;
    pthread_rwlock_wrlock(&s->lock);
    for (size_t i = 0; i < n && rc >= 0; i++) {
        rc = defs[i].id > PL__ID_MAX ? PL_ECORRUPT : parse(s, &defs[i], before, now);
        if (rc == PL_ECORRUPT) {
            damaged = rc;
            rc = 0;
            before->n = 0;
            continue;
        }
        rc = rc < 0 ? rc : pl__series_index(s, defs[i].id, now->pair, now->n);
        struct parsed *t = before;
        before = now;
        now = t;
    }
    int e = pl__series_index_end(s);
    pthread_rwlock_unlock(&s->lock);
    free(both);
    return rc < 0 ? rc : e < 0 ? e : damaged;
}

/* ----------------------------------------------------------------------------------------- drop */

int pl_series_drop(struct pl_series *s, const uint32_t *ids, size_t n)
{
    struct pl_buf canon = PL_BUF_INIT;
    uint32_t pairs[PL_LABELS_MAX];
    int rc = 0;
    pthread_rwlock_wrlock(&s->lock);
    pl__postings_settle(&s->un);
    for (size_t i = 0; i < n; i++) {
        if (!pl__labels_has(&s->labels, ids[i])) {
            continue;
        }
        uint32_t n_pairs = pl__series_pairs(s, ids[i], pairs);
        pl_buf_clear(&canon);
        labels_of(s, pairs, n_pairs, &canon);
        if (canon.failed) {
            rc = PL_ENOMEM;
            break;
        }
        pl__series_remove(s, pl_labels_hash(pl_buf_view(&canon)), ids[i]);
        for (uint32_t k = 0; k < n_pairs; k++) {
            struct pl__pair *p = pl__pair(&s->y, pairs[k]);
            pl__posting_remove(&p->post, ids[i]);
            pl__posting_remove(&s->y.names[p->name]->has, ids[i]);
        }
        pl__posting_remove(&s->all, ids[i]);
        roaring_bitmap_add(s->dirty, ids[i] / PL__SAVE_SERIES);
        bool last = i + 1 == n || ids[i + 1] / PL__IDS != ids[i] / PL__IDS;
        pl__labels_remove(&s->labels, ids[i], last);
    }
    pthread_rwlock_unlock(&s->lock);
    pl_buf_fini(&canon);
    s->untidy = true; /* at the next save */
    return rc;
}

/* --------------------------------------------------------------------------------------- counts */

uint32_t pl_series_count(const struct pl_series *s) { return s->n_interned; }

uint32_t pl_series_next_id(const struct pl_series *s) { return s->next_id; }

void pl__series_read_lock(struct pl_series *s)
{
    pthread_rwlock_rdlock(&s->lock);
    while (s->un.n) {
        pthread_rwlock_unlock(&s->lock);
        pthread_rwlock_wrlock(&s->lock);
        pl__postings_settle(&s->un);
        pthread_rwlock_unlock(&s->lock);
        pthread_rwlock_rdlock(&s->lock);
    }
}

static size_t count_postings(const struct pl_series *s)
{
    size_t n = pl__posting_bytes(&s->all);
    for (uint32_t i = 0; i < s->y.n_pairs; i++) {
        n += pl__posting_bytes(&pl__pair(&s->y, i)->post);
    }
    for (uint32_t i = 0; i < s->y.n_names; i++) {
        n += pl__posting_bytes(&s->y.names[i]->has);
    }
    return n;
}

size_t pl_series_bytes(const struct pl_series *const_s)
{
    struct pl_series *s = (struct pl_series *)const_s; /* only its locks are touched, and a count */
    size_t n = sizeof *s + pl__series_hash_bytes(s);
    pl__series_read_lock(s);
    size_t postings = s->posting_bytes, counted = s->posting_count, all = s->all.n;
    bool stale = counted == 0 || all > counted + counted / 8 || all < counted - counted / 8;
    postings = stale ? count_postings(s) : postings;
    n += postings + s->labels.bytes + s->y.bytes +
         ((size_t)s->y.pair_map.cap + s->y.name_map.cap) * sizeof(uint64_t) +
         s->un.cap * sizeof(void *);
    pthread_rwlock_unlock(&s->lock);
    if (stale) {
        pthread_rwlock_wrlock(&s->lock);
        s->posting_bytes = postings;
        s->posting_count = (uint32_t)all;
        pthread_rwlock_unlock(&s->lock);
    }
    return n;
}
