/* Series as engine records: blocks of 1,024 ids, symbol-coded by a dictionary of their own, zstd.
 * So a damaged block costs its own series only, and nothing on disk is left over when series are
 * dropped. Apply thread.
 *
 *   key      u32 big-endian number of the block (id / 1024); 0xffffffff: the next id
 *   value    u32 CRC32C of the rest | u8 version = 1 | zstd of the body
 *            of the next id: u32 CRC32C of the rest | u8 1 | u32 next id
 *   body     names | values of each name | 128 bytes: which ids are there, low bit first
 *            | shapes | columns
 *   names    varint count | ( varint n | name )*                           ascending
 *   values   varint count | ( varint shared | varint n | rest of value )*   ascending
 *   shapes   varint count | ( varint n | n * varint number of a name, ascending )*
 *   columns  the number of each series' shape; then for each name the number of each series' value,
 *            of those that have it. A number takes no bytes where there is one choice, one where
 *            there are up to 256, else two. */
#include "core/codec/codec.h"
#include "core/store/series_impl.h"
#include "core/store/series_block.h"
#include <stdlib.h>

/* What is known of a block while it is written. */
struct writing {
    struct pl_series *s;
    uint32_t *local;    /* per pair of the tenant: its number in the block + 1, or 0 */
    uint32_t *distinct; /* pairs of the block: by name, then by value */
    uint32_t n_distinct;
    uint32_t *pairs, *at; /* labels of its series, joined; at[i] .. at[i + 1] are series i's */
    uint32_t n_series;
    uint8_t present[PL__SAVE_SERIES / 8];
    uint32_t *name_of;    /* per distinct pair: the number of its name in the block */
    struct pl_buf shapes; /* encoded, distinct */
    uint32_t *shape_at;   /* where each begins; shape_at[n_shapes] is the end */
    uint32_t n_shapes;
    uint16_t shape[PL__SAVE_SERIES];
    struct pl_buf body, stored;
};

static int by_label(const void *a, const void *b, void *ctx)
{
    const struct pl__symbols *y = ctx;
    const struct pl__pair *x = pl__pair(y, *(const uint32_t *)a),
                          *z = pl__pair(y, *(const uint32_t *)b);
    if (x->name != z->name) {
        return pl_str_cmp(y->names[x->name]->s, y->names[z->name]->s);
    }
    return pl_str_cmp(pl__pair_value(x), pl__pair_value(z));
}

/** Collect the block's series and the labels they use. */
static void collect(struct writing *w, uint32_t block)
{
    const struct pl_series *s = w->s;
    uint32_t n_pairs = 0;
    w->n_series = w->n_distinct = 0;
    memset(w->present, 0, sizeof w->present);
    for (uint32_t i = 0; i < PL__SAVE_SERIES; i++) {
        uint32_t id = block * PL__SAVE_SERIES + i;
        uint32_t n = pl__series_pairs(s, id, w->pairs + n_pairs);
        if (n == 0) {
            continue;
        }
        for (uint32_t k = 0; k < n; k++) {
            uint32_t pair = w->pairs[n_pairs + k];
            if (!w->local[pair]) {
                w->local[pair] = 1;
                w->distinct[w->n_distinct++] = pair;
            }
        }
        w->present[i / 8] |= (uint8_t)(1u << i % 8);
        w->at[w->n_series++] = n_pairs;
        n_pairs += n;
    }
    w->at[w->n_series] = n_pairs;
    qsort_r(w->distinct, w->n_distinct, sizeof *w->distinct, by_label, (void *)&s->y);
}

/** Names and their values; numbers the distinct pairs within their names. @return names */
static uint32_t put_dictionary(struct writing *w)
{
    const struct pl__symbols *y = &w->s->y;
    struct pl_buf *b = &w->body;
    uint32_t n_names = 0;
    for (uint32_t i = 0; i < w->n_distinct; i++) {
        bool first =
            i == 0 || pl__pair(y, w->distinct[i])->name != pl__pair(y, w->distinct[i - 1])->name;
        n_names += first;
        w->name_of[i] = n_names - 1;
    }
    pl_buf_varint(b, n_names);
    for (uint32_t i = 0; i < w->n_distinct; i++) {
        if (i == 0 || w->name_of[i] != w->name_of[i - 1]) {
            pl_str name = y->names[pl__pair(y, w->distinct[i])->name]->s;
            pl_buf_varint(b, name.n);
            pl_buf_str(b, name);
        }
    }
    for (uint32_t i = 0, n; i < w->n_distinct; i += n) {
        pl_str before = PL_STR_NULL;
        for (n = 1; i + n < w->n_distinct && w->name_of[i + n] == w->name_of[i]; n++) {
        }
        pl_buf_varint(b, n);
        for (uint32_t k = 0; k < n; k++) {
            pl_str value = pl__pair_value(pl__pair(y, w->distinct[i + k]));
            size_t shared = 0;
            while (shared < before.n && shared < value.n && before.p[shared] == value.p[shared]) {
                shared++;
            }
            pl_buf_varint(b, shared);
            pl_buf_varint(b, value.n - shared);
            pl_buf_add(b, value.p + shared, value.n - shared);
            before = value;
            w->local[w->distinct[i + k]] = i + k + 1;
        }
    }
    return n_names;
}

/** Number the sets of names that the series have. */
static void find_shapes(struct writing *w)
{
    pl_buf_clear(&w->shapes);
    w->n_shapes = 0;
    for (uint32_t i = 0; i < w->n_series; i++) {
        size_t start = w->shapes.n;
        pl_buf_varint(&w->shapes, w->at[i + 1] - w->at[i]);
        for (uint32_t k = w->at[i]; k < w->at[i + 1]; k++) {
            pl_buf_varint(&w->shapes, w->name_of[w->local[w->pairs[k]] - 1]);
        }
        if (w->shapes.failed) {
            return;
        }
        size_t n = w->shapes.n - start;
        uint32_t found = w->n_shapes; /* the latest first: neighbours are alike */
        while (found > 0 &&
               (w->shape_at[found] - w->shape_at[found - 1] != n ||
                memcmp(w->shapes.p + w->shape_at[found - 1], w->shapes.p + start, n) != 0)) {
            found--;
        }
        if (found) {
            w->shapes.n = start;
            w->shape[i] = (uint16_t)(found - 1);
        } else {
            w->shape[i] = (uint16_t)w->n_shapes;
            w->shape_at[w->n_shapes++] = (uint32_t)start;
            w->shape_at[w->n_shapes] = (uint32_t)w->shapes.n;
        }
    }
}

static void put_number(struct pl_buf *b, uint32_t number, uint32_t choices)
{
    if (choices > 256) {
        uint8_t two[2];
        pl_wr16(two, (uint16_t)number);
        pl_buf_add(b, two, 2);
    } else if (choices > 1) {
        pl_buf_u8(b, (uint8_t)number);
    }
}

/** One column a name: rows are few and names are fewer, so each column passes over all labels. */
static int put_columns(struct writing *w, uint32_t n_names)
{
    struct pl_buf *b = &w->body;
    for (uint32_t i = 0; i < w->n_series; i++) {
        put_number(b, w->shape[i], w->n_shapes);
    }
    uint32_t *first = calloc(2 * ((size_t)n_names + 1), sizeof *first);
    struct pl_buf *column = calloc((size_t)n_names + 1, sizeof *column);
    int rc = first && column ? 0 : PL_ENOMEM;
    uint32_t *count = rc < 0 ? NULL : first + n_names + 1;
    for (uint32_t i = w->n_distinct; rc >= 0 && i-- > 0;) {
        first[w->name_of[i]] = i;
        count[w->name_of[i]]++;
    }
    for (uint32_t k = 0; rc >= 0 && k < w->at[w->n_series]; k++) {
        uint32_t local = w->local[w->pairs[k]] - 1, name = w->name_of[local];
        put_number(&column[name], local - first[name], count[name]);
    }
    for (uint32_t i = 0; rc >= 0 && i < n_names; i++) {
        pl_buf_add(b, column[i].p, column[i].n);
        b->failed |= column[i].failed;
    }
    for (uint32_t i = 0; column && i < n_names; i++) {
        pl_buf_fini(&column[i]);
    }
    free(first);
    free(column);
    return b->failed ? PL_ENOMEM : rc;
}

static int write_block(struct writing *w, uint32_t block, struct pl_record *r)
{
    pl_buf_clear(&w->body);
    pl_buf_clear(&w->stored);
    collect(w, block);
    r->erase = w->n_series == 0;
    int rc = 0;
    if (!r->erase) {
        uint32_t n_names = put_dictionary(w);
        find_shapes(w);
        pl_buf_add(&w->body, w->present, sizeof w->present);
        pl_buf_varint(&w->body, w->n_shapes);
        pl_buf_add(&w->body, w->shapes.p, w->shapes.n);
        rc = w->shapes.failed ? PL_ENOMEM : put_columns(w, n_names);
        pl_buf_u32(&w->stored, 0);
        pl_buf_u8(&w->stored, PL__SERIES_VERSION);
        rc = rc < 0 ? rc : pl_zstd_encode(pl_buf_view(&w->body), 3, &w->stored);
        if (rc >= 0 && !w->stored.failed) {
            pl_wr32(w->stored.p, pl_crc32c(0, w->stored.p + 4, w->stored.n - 4));
        }
        rc = rc < 0 ? rc : w->stored.failed ? PL_ENOMEM : 0;
    }
    for (uint32_t i = 0; i < w->n_distinct; i++) {
        w->local[w->distinct[i]] = 0;
    }
    r->value = pl_buf_view(&w->stored);
    return rc;
}

/** The record of the next id. */
static int emit_next(struct pl_series *s, int (*emit)(void *ctx, const struct pl_record *r),
                     void *ctx)
{
    uint8_t key[4], value[9];
    memset(key, 0xff, sizeof key);
    value[4] = PL__SERIES_VERSION;
    pl_wr32(value + 5, pl_series_next_id(s));
    pl_wr32(value, pl_crc32c(0, value + 4, 5));
    struct pl_record r = {.kind = PL_RECORD_SERIES,
                          .key = pl_str_mem(key, sizeof key),
                          .value = pl_str_mem(value, sizeof value)};
    return emit(ctx, &r);
}

static int emit_blocks(struct writing *w, int (*emit)(void *ctx, const struct pl_record *r),
                       void *ctx)
{
    int rc = 0;
    roaring_uint32_iterator_t it;
    for (roaring_init_iterator(w->s->dirty, &it); it.has_value && rc >= 0;
         roaring_advance_uint32_iterator(&it)) {
        uint32_t block = it.current_value;
        uint8_t key[4] = {(uint8_t)(block >> 24), (uint8_t)(block >> 16), (uint8_t)(block >> 8),
                          (uint8_t)block};
        struct pl_record r = {.kind = PL_RECORD_SERIES, .key = pl_str_mem(key, sizeof key)};
        rc = write_block(w, block, &r);
        rc = rc < 0 ? rc : emit(ctx, &r);
    }
    return rc;
}

/* This thread alone writes the index, so it reads it here without the lock. */
int pl_series_save(struct pl_series *s, int (*emit)(void *ctx, const struct pl_record *r),
                   void *ctx)
{
    pl__series_tidy(s);
    s->last_dirty = UINT32_MAX;
    roaring_bitmap_or_inplace(s->dirty, s->saving);
    roaring_bitmap_clear(s->saving);
    if (roaring_bitmap_is_empty(s->dirty)) {
        return 0;
    }
    size_t most = (size_t)PL__SAVE_SERIES * PL_LABELS_MAX;
    struct writing w = {.s = s};
    w.local = calloc((size_t)s->y.n_pairs + 1, sizeof *w.local);
    w.distinct = malloc(most * sizeof *w.distinct);
    w.name_of = malloc(most * sizeof *w.name_of);
    w.pairs = malloc(most * sizeof *w.pairs);
    w.at = malloc((PL__SAVE_SERIES + 1) * sizeof *w.at);
    w.shape_at = malloc((PL__SAVE_SERIES + 1) * sizeof *w.shape_at);
    int rc = PL_ENOMEM;
    if (w.local && w.distinct && w.name_of && w.pairs && w.at && w.shape_at) {
        rc = emit_blocks(&w, emit, ctx);
        rc = rc < 0 ? rc : emit_next(s, emit, ctx);
    }
    if (rc >= 0) {
        roaring_bitmap_t *t = s->saving;
        s->saving = s->dirty;
        s->dirty = t;
    }
    free(w.local);
    free(w.distinct);
    free(w.name_of);
    free(w.pairs);
    free(w.at);
    free(w.shape_at);
    pl_buf_fini(&w.shapes);
    pl_buf_fini(&w.body);
    pl_buf_fini(&w.stored);
    return rc < 0 ? rc : 0;
}

void pl_series_saved(struct pl_series *s) { roaring_bitmap_clear(s->saving); }
