/* Loading series from engine records; format in series_save.c. Before other threads know of them.
 *
 * The labels of a block's dictionary are interned once and kept in canonical form side by side; a
 * series is then the concatenation of some of them: hashed, entered and indexed. */
#include "core/codec/codec.h"
#include "core/store/series_impl.h"
#include "core/store/series_block.h"
#include <stdlib.h>

#define SLACK 32 /* most labels are shorter */

struct label {
    uint32_t pair;
    uint32_t at, n; /* canonical bytes, in labels */
};
struct loading { /* one for all blocks: what it needs of memory stays */
    struct pl_series *s;
    void *zstd;
    struct pl_buf body;
    const uint8_t *p, *end; /* what is left of the body */
    struct pl_buf labels;
    struct label *label;
    uint32_t n_labels, cap_labels;
    pl_str *name;
    uint32_t n_names, cap_names;
    uint64_t *rows;         /* per name: series that have it */
    uint32_t *first;        /* per name: its first label; first[n_names] is the end */
    const uint8_t **column; /* per name: what is left of it */
    struct pl_buf value;    /* the value before, for shared bytes */
    struct {
        uint32_t at, n;
    } shape[PL__SAVE_SERIES];
    uint32_t *shape_name;
    uint32_t n_shape_name, n_shapes, cap_shapes;
    struct pl_buf canon;
    struct pl_hash128 hash[PL__SAVE_SERIES];
    uint32_t ids[PL__SAVE_SERIES];
};

static bool get(struct loading *l, uint64_t max, uint64_t *out)
{
    l->p = l->p ? pl_varint_get(l->p, l->end, out) : NULL;
    return l->p && *out <= max;
}

static bool get_bytes(struct loading *l, pl_str *out)
{
    uint64_t n;
    if (!get(l, (uint64_t)(l->end - l->p), &n) || n > (uint64_t)(l->end - l->p)) {
        return false;
    }
    *out = pl_str_mem(l->p, n);
    l->p += n;
    return true;
}

static int names_grow(struct loading *l, uint32_t cap)
{
    pl_str *name = realloc(l->name, cap * sizeof *name);
    l->name = name ? name : l->name;
    uint32_t *first = realloc(l->first, cap * sizeof *first);
    l->first = first ? first : l->first;
    const uint8_t **column = realloc(l->column, cap * sizeof *column);
    l->column = column ? column : l->column;
    uint64_t *rows = realloc(l->rows, cap * sizeof *rows);
    l->rows = rows ? rows : l->rows;
    if (!name || !first || !column || !rows) {
        return PL_ENOMEM;
    }
    l->cap_names = cap;
    return 0;
}

static int read_names(struct loading *l)
{
    uint64_t n;
    if (!get(l, (uint64_t)(l->end - l->p), &n)) {
        return PL_ECORRUPT;
    }
    if (n >= l->cap_names && names_grow(l, (uint32_t)n + 1) < 0) {
        return PL_ENOMEM;
    }
    l->n_names = (uint32_t)n;
    for (uint32_t i = 0; i < n; i++) {
        if (!get_bytes(l, &l->name[i]) || l->name[i].n == 0 ||
            (i && pl_str_cmp(l->name[i - 1], l->name[i]) >= 0)) {
            return PL_ECORRUPT;
        }
    }
    return 0;
}

/** One value: canonical bytes of its label, interned. */
static int read_label(struct loading *l, pl_str name)
{
    uint64_t shared;
    pl_str rest;
    if (!get(l, l->value.n, &shared) || !get_bytes(l, &rest) || shared + rest.n == 0 ||
        shared + rest.n > PL_LABELS_BYTES_MAX || name.n > PL_LABELS_BYTES_MAX) {
        return PL_ECORRUPT;
    }
    if (l->n_labels == l->cap_labels) {
        uint32_t cap = l->cap_labels ? l->cap_labels * 2 : 512;
        struct label *more = realloc(l->label, cap * sizeof *more);
        if (!more) {
            return PL_ENOMEM;
        }
        l->label = more;
        l->cap_labels = cap;
    }
    l->value.n = shared;
    pl_buf_str(&l->value, rest);
    size_t at = l->labels.n;
    pl_buf_varint(&l->labels, name.n);
    pl_buf_str(&l->labels, name);
    pl_buf_varint(&l->labels, l->value.n);
    pl_buf_str(&l->labels, pl_buf_view(&l->value));
    if (l->labels.failed || l->value.failed) {
        return PL_ENOMEM;
    }
    struct label *label = &l->label[l->n_labels++];
    label->at = (uint32_t)at;
    label->n = (uint32_t)(l->labels.n - at);
    return pl__symbols_intern(&l->s->y, l->labels.p + at, label->n, name, &label->pair);
}

static int read_values(struct loading *l)
{
    int rc = 0;
    for (uint32_t i = 0; i < l->n_names && rc >= 0; i++) {
        uint64_t n;
        if (!get(l, 65536, &n) || n == 0) {
            return PL_ECORRUPT;
        }
        l->first[i] = l->n_labels;
        pl_buf_clear(&l->value);
        for (uint64_t k = 0; k < n && rc >= 0; k++) {
            rc = read_label(l, l->name[i]);
        }
    }
    l->first[l->n_names] = l->n_labels;
    return rc;
}

static int read_shapes(struct loading *l)
{
    uint64_t n;
    if (!get(l, PL__SAVE_SERIES, &n) || n == 0) {
        return PL_ECORRUPT;
    }
    l->n_shapes = (uint32_t)n;
    l->n_shape_name = 0;
    if (n > l->cap_shapes) {
        uint32_t *p = realloc(l->shape_name, n * PL_LABELS_MAX * sizeof *p);
        if (!p) {
            return PL_ENOMEM;
        }
        l->shape_name = p;
        l->cap_shapes = (uint32_t)n;
    }
    for (uint32_t i = 0; i < l->n_shapes; i++) {
        uint64_t count, x, before = 0;
        if (!get(l, PL_LABELS_MAX, &count) || count == 0) {
            return PL_ECORRUPT;
        }
        l->shape[i].at = l->n_shape_name;
        l->shape[i].n = (uint32_t)count;
        for (uint64_t k = 0; k < count; k++) {
            if (!get(l, l->n_names, &x) || x >= l->n_names || (k && x <= before)) {
                return PL_ECORRUPT;
            }
            l->shape_name[l->n_shape_name++] = (uint32_t)x;
            before = x;
        }
    }
    return 0;
}

static inline unsigned width(uint32_t choices) { return choices > 256 ? 2 : choices > 1; }

static inline uint32_t number_at(const uint8_t *p, unsigned w)
{
    return w == 2 ? pl_rd16(p) : w == 1 ? *p : 0;
}

/** Check that the columns are there as a whole, and find where each begins. */
static int find_columns(struct loading *l, uint32_t n_series)
{
    unsigned w = width(l->n_shapes);
    const uint8_t *shapes = l->p;
    if ((size_t)(l->end - l->p) < (size_t)n_series * w) {
        return PL_ECORRUPT;
    }
    uint64_t *rows = l->rows;
    memset(rows, 0, l->n_names * sizeof *rows);
    int rc = 0;
    for (uint32_t i = 0; i < n_series && rc >= 0; i++) {
        uint32_t shape = number_at(shapes + (size_t)i * w, w);
        if (shape >= l->n_shapes) {
            rc = PL_ECORRUPT;
            break;
        }
        for (uint32_t k = 0; k < l->shape[shape].n; k++) {
            rows[l->shape_name[l->shape[shape].at + k]]++;
        }
    }
    const uint8_t *p = shapes + (size_t)n_series * w;
    for (uint32_t i = 0; i < l->n_names && rc >= 0; i++) {
        uint64_t bytes = rows[i] * width(l->first[i + 1] - l->first[i]);
        l->column[i] = p;
        if (bytes > (uint64_t)(l->end - p)) {
            rc = PL_ECORRUPT;
        } else {
            p += bytes;
        }
    }
    return rc < 0 ? rc : p == l->end ? 0 : PL_ECORRUPT;
}

/** A copy of a short label, without a call; SLACK bytes may be read and written behind it. */
static inline uint8_t *put_label(uint8_t *to, const uint8_t *p, uint32_t n)
{
    memcpy(to, p, SLACK);
    if (n > SLACK) {
        memcpy(to + SLACK, p + SLACK, n - SLACK);
    }
    return to + n;
}

/** Take the numbers of one series from the columns, and its canonical bytes. */
static int read_series(struct loading *l, uint32_t shape, uint32_t *pairs, uint32_t *n)
{
    const uint32_t *names = l->shape_name + l->shape[shape].at;
    const struct label *label[PL_LABELS_MAX];
    size_t bytes = 0;
    *n = l->shape[shape].n;
    for (uint32_t k = 0; k < *n; k++) {
        uint32_t name = names[k], choices = l->first[name + 1] - l->first[name];
        unsigned w = width(choices);
        uint32_t number = number_at(l->column[name], w);
        l->column[name] += w;
        if (number >= choices) {
            return PL_ECORRUPT;
        }
        label[k] = &l->label[l->first[name] + number];
        pairs[k] = label[k]->pair;
        bytes += label[k]->n;
    }
    pl_buf_clear(&l->canon);
    uint8_t *to = pl_buf_reserve(&l->canon, bytes + SLACK);
    if (!to) {
        return PL_ENOMEM;
    }
    for (uint32_t k = 0; k < *n; k++) {
        to = put_label(to, l->labels.p + label[k]->at, label[k]->n);
    }
    l->canon.n = bytes;
    return 0;
}

/** All series of the block, indexed; their hashes are entered behind, so that what they need of the
 *  tables is fetched meanwhile. */
static int read_rows(struct loading *l, uint32_t block, const uint8_t *present, uint32_t n_series)
{
    uint32_t pairs[PL_LABELS_MAX], n, row = 0;
    unsigned w = width(l->n_shapes);
    const uint8_t *shapes = l->p;
    int rc = find_columns(l, n_series);
    rc = rc < 0 ? rc : pl_buf_reserve(&l->labels, SLACK) ? 0 : PL_ENOMEM;
    for (uint32_t i = 0; i < PL__SAVE_SERIES && rc >= 0; i++) {
        if (!(present[i / 8] >> i % 8 & 1)) {
            continue;
        }
        l->ids[row] = block * PL__SAVE_SERIES + i;
        rc = read_series(l, number_at(shapes + (size_t)row * w, w), pairs, &n);
        if (rc >= 0) {
            l->hash[row++] = pl_labels_hash(pl_buf_view(&l->canon));
            rc = pl__series_index(l->s, l->ids[row - 1], pairs, n);
        }
    }
    int e = pl__series_index_end(l->s);
    rc = rc < 0 ? rc : e;
    pl__series_used(l->s, row ? l->ids[row - 1] + 1 : 0);
    for (uint32_t i = 0; i < row && rc >= 0; i++) {
        if (i + 16 < row) {
            pl__series_prefetch(l->s, l->hash[i + 16]);
        }
        rc = pl__series_enter(l->s, l->hash[i], l->ids[i]);
    }
    return rc;
}

static int load_body(struct loading *l, uint32_t block)
{
    int rc = read_names(l);
    rc = rc < 0 ? rc : read_values(l);
    if (rc < 0 || l->end - l->p < PL__SAVE_SERIES / 8) {
        return rc < 0 ? rc : PL_ECORRUPT;
    }
    const uint8_t *present = l->p;
    uint32_t n_series = 0;
    for (uint32_t i = 0; i < PL__SAVE_SERIES / 8; i++) {
        n_series += (uint32_t)__builtin_popcount(present[i]);
    }
    l->p += PL__SAVE_SERIES / 8;
    rc = read_shapes(l);
    return rc < 0 ? rc : read_rows(l, block, present, n_series);
}

static struct loading *loading_new(struct pl_series *s)
{
    struct loading *l = calloc(1, sizeof *l);
    if (l) {
        l->s = s;
    }
    return l;
}

static void loading_free(struct loading *l)
{
    if (!l) {
        return;
    }
    pl_zstd_kept_free(l->zstd);
    pl_buf_fini(&l->body);
    pl_buf_fini(&l->labels);
    pl_buf_fini(&l->value);
    pl_buf_fini(&l->canon);
    free(l->label);
    free(l->name);
    free(l->first);
    free(l->column);
    free(l->rows);
    free(l->shape_name);
    free(l);
}

static int load_block(struct loading *l, uint32_t block, pl_str value)
{
    if (value.n < 5 || pl_rd32(value.p) != pl_crc32c(0, value.p + 4, value.n - 4)) {
        return PL_ECORRUPT;
    }
    if (value.p[4] != PL__SERIES_VERSION) {
        return PL_EUNSUPPORTED;
    }
    pl_buf_clear(&l->body);
    pl_buf_clear(&l->labels);
    l->n_labels = 0;
    int rc = pl_zstd_decode_kept(&l->zstd, (pl_str){value.p + 5, value.n - 5}, PL__SERIES_BODY_MAX,
                                 &l->body);
    if (rc >= 0) {
        l->p = l->body.p;
        l->end = l->p + l->body.n;
        pthread_rwlock_wrlock(&l->s->lock);
        rc = l->body.n ? load_body(l, block) : PL_ECORRUPT;
        pthread_rwlock_unlock(&l->s->lock);
    }
    return rc == PL_ELIMIT ? PL_ECORRUPT : rc;
}

static int load_record(struct loading *l, pl_str key, pl_str value)
{
    const uint8_t *k = (const uint8_t *)key.p;
    if (key.n != 4 || (k[0] & k[1] & k[2] & k[3]) == 0xff) {
        bool sound = key.n == 4 && value.n == 9 && value.p[4] == PL__SERIES_VERSION &&
                     pl_rd32(value.p) == pl_crc32c(0, value.p + 4, 5);
        if (sound) {
            pl__series_used(l->s, pl_rd32(value.p + 5));
        }
        return sound ? 0 : PL_ECORRUPT;
    }
    uint32_t block = (uint32_t)k[0] << 24 | (uint32_t)k[1] << 16 | (uint32_t)k[2] << 8 | k[3];
    if (block >= PL__ID_MAX / PL__SAVE_SERIES) {
        return PL_ECORRUPT;
    }
    int rc = load_block(l, block, value);
    if (rc < 0) {
        pl__series_used(l->s, (block + 1) * PL__SAVE_SERIES);
    }
    return rc;
}

int pl_series_load_record(struct pl_series *s, pl_str key, pl_str value)
{
    struct loading *l = loading_new(s);
    int rc = l ? load_record(l, key, value) : PL_ENOMEM;
    loading_free(l);
    return rc;
}

struct load_all {
    struct loading *l;
    void (*damaged)(void *ctx, pl_str key);
    void *ctx;
};

static int load_each(void *ctx, pl_str key, pl_str value)
{
    struct load_all *a = ctx;
    int rc = load_record(a->l, key, value);
    if (rc == PL_ECORRUPT || rc == PL_EUNSUPPORTED) {
        if (a->damaged) {
            a->damaged(a->ctx, key);
        }
        rc = 0;
    }
    return rc;
}

int pl_series_load(struct pl_series *s, const struct pl_engine_ops *ops,
                   struct pl_engine_tenant *et, void (*damaged)(void *ctx, pl_str key), void *ctx)
{
    struct load_all all = {loading_new(s), damaged, ctx};
    if (!all.l) {
        return PL_ENOMEM;
    }
    bool part = s->loading; /* of a longer one */
    pl_series_load_begin(s);
    int rc = ops->records(et, PL_RECORD_SERIES, load_each, &all);
    roaring_bitmap_clear(s->dirty); /* what was loaded is on disk already */
    s->last_dirty = UINT32_MAX;
    loading_free(all.l);
    int e = part ? 0 : pl_series_load_end(s);
    return rc < 0 ? rc : e;
}
