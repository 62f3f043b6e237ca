/* A pack, write side: cuts series into chunks, stores equal timestamp columns once, squeezes the
 * body by zstd where it pays. Format on top of pack.c. One thread at a time. */
#include "core/codec/hcol.h"
#include "core/codec/pack_format.h"
#include <stdlib.h>
#include <zstd.h>

enum { ZSTD_LEVEL = 6, ZSTD_FROM = 256, HEAD_MAX = 5 + 7 * PL_VARINT_MAX };

struct tcol {
    uint64_t hash;
    size_t at; /* its timestamps in seen */
    uint32_t n;
};

struct pl_pack_writer {
    enum pl_effort effort;
    bool failed; /* out of memory in an add: the parts do not fit each other */
    uint32_t first_id, last_id, n_chunks;
    int64_t t0, t1, last_t;
    struct pl_buf flags, lengths, extras; /* the directory's columns */
    struct pl_buf table, tcols, vcols;
    struct pl_buf seen;    /* all timestamps of the stored columns, to compare with */
    struct pl_buf entries; /* struct tcol, by number */
    uint32_t *slots;       /* hash -> number + 1, open addressing */
    size_t n_slots;
    uint32_t n_tcols, tcol, series_tcol, last_series_tcol;
    struct pl_buf body;
    ZSTD_CCtx *zstd;
};

int pl_pack_writer_new(enum pl_effort effort, struct pl_pack_writer **out)
{
    struct pl_pack_writer *w = calloc(1, sizeof *w);
    if (!w) {
        return PL_ENOMEM;
    }
    w->effort = effort;
    *out = w;
    return 0;
}

static struct pl_buf *const *all_bufs(struct pl_pack_writer *w, struct pl_buf *list[9])
{
    struct pl_buf *all[9] = {&w->flags, &w->lengths, &w->extras,  &w->table, &w->tcols,
                             &w->vcols, &w->seen,    &w->entries, &w->body};
    memcpy(list, all, sizeof all);
    return list;
}

void pl_pack_writer_free(struct pl_pack_writer *w)
{
    struct pl_buf *list[9];
    if (!w) {
        return;
    }
    all_bufs(w, list);
    for (size_t i = 0; i < 9; i++) {
        pl_buf_fini(list[i]);
    }
    free(w->slots);
    ZSTD_freeCCtx(w->zstd);
    free(w);
}

static void reset(struct pl_pack_writer *w)
{
    struct pl_buf *list[9];
    all_bufs(w, list);
    for (size_t i = 0; i < 9; i++) {
        pl_buf_clear(list[i]);
    }
    if (w->n_slots) {
        memset(w->slots, 0, w->n_slots * sizeof *w->slots);
    }
    w->failed = false;
    w->n_chunks = w->n_tcols = w->tcol = w->series_tcol = w->last_series_tcol = 0;
}

static const struct tcol *entry(const struct pl_pack_writer *w, uint32_t ix)
{
    return (const struct tcol *)w->entries.p + ix;
}

static bool is_tcol(const struct pl_pack_writer *w, uint32_t ix, const int64_t *t, size_t n)
{
    if (ix >= w->n_tcols || entry(w, ix)->n != n) {
        return false;
    }
    return memcmp(w->seen.p + entry(w, ix)->at, t, n * sizeof *t) == 0;
}

static int grow_slots(struct pl_pack_writer *w)
{
    size_t n = w->n_slots ? w->n_slots * 2 : 64;
    uint32_t *slots = calloc(n, sizeof *slots);
    if (!slots) {
        return PL_ENOMEM;
    }
    for (uint32_t ix = 0; ix < w->n_tcols; ix++) {
        size_t s = entry(w, ix)->hash & (n - 1);
        while (slots[s]) {
            s = (s + 1) & (n - 1);
        }
        slots[s] = ix + 1;
    }
    free(w->slots);
    w->slots = slots;
    w->n_slots = n;
    return 0;
}

/* The number of the column with these timestamps, stored now if it is new. */
static int tcol_of(struct pl_pack_writer *w, bool new_series, const int64_t *t, size_t n,
                   uint32_t *out)
{
    uint32_t likely[3] = {w->tcol, w->tcol + 1, new_series ? w->series_tcol : w->last_series_tcol};
    for (size_t i = 0; i < 3; i++) {
        if (is_tcol(w, likely[i], t, n)) {
            *out = likely[i];
            return 0;
        }
    }
    if ((w->n_tcols + 1) * 2 > w->n_slots && grow_slots(w) < 0) {
        return PL_ENOMEM;
    }
    struct tcol e = {.hash = pl_hash64(t, n * sizeof *t, 0), .at = w->seen.n, .n = (uint32_t)n};
    size_t s = e.hash & (w->n_slots - 1);
    for (; w->slots[s]; s = (s + 1) & (w->n_slots - 1)) {
        uint32_t ix = w->slots[s] - 1;
        if (entry(w, ix)->hash == e.hash && is_tcol(w, ix, t, n)) {
            *out = ix;
            return 0;
        }
    }
    int bytes = pl_tcol_encode(t, n, w->effort, &w->tcols);
    if (bytes < 0) {
        return bytes;
    }
    pl_buf_add(&w->seen, t, n * sizeof *t);
    pl_buf_add(&w->entries, &e, sizeof e);
    pl_buf_varint(&w->table, n);
    pl_buf_varint(&w->table, (uint64_t)bytes);
    if (w->seen.failed || w->entries.failed || w->table.failed) {
        return PL_ENOMEM;
    }
    *out = w->n_tcols++;
    w->slots[s] = *out + 1;
    return 0;
}

/** What the values of a chunk are: floats, or (n_cols > 0) histograms of a layout. */
struct values {
    const double *v;
    uint32_t n_cols;
    pl_str layout;
};

static int add_chunk(struct pl_pack_writer *w, uint32_t id, const int64_t *t,
                     const struct values *x, size_t n)
{
    bool first = w->n_chunks == 0, new_series = first || id != w->last_id;
    uint32_t tcol = 0;
    int err = tcol_of(w, new_series, t, n, &tcol);
    int bytes = err;
    if (err >= 0) {
        bytes = x->n_cols == 0
                    ? pl_vcol_encode(x->v, n, w->effort, &w->vcols)
                    : pl__hcol_encode(x->layout, x->v, x->n_cols, n, w->effort, &w->vcols);
    }
    if (bytes < 0) {
        return bytes;
    }
    uint32_t more = first ? 0 : id - w->last_id;
    unsigned flags = more < PL__PACK_ID_VARINT ? more : PL__PACK_ID_VARINT;
    if (more >= PL__PACK_ID_VARINT) {
        pl_buf_varint(&w->extras, more);
    }
    if (tcol == w->tcol) {
        /* as before */
    } else if (tcol == w->tcol + 1) {
        flags |= PL__PACK_TCOL_NEXT;
    } else if (tcol == (more ? w->series_tcol : w->last_series_tcol)) {
        flags |= PL__PACK_TCOL_SERIES;
    } else {
        flags |= PL__PACK_TCOL_VARINT;
        pl_buf_varint(&w->extras, tcol);
    }
    if (x->n_cols) {
        flags |= PL__PACK_TYPED;
        pl_buf_varint(&w->extras, PL_SAMPLE_HISTOGRAM);
    }
    pl_buf_u8(&w->flags, (uint8_t)flags);
    pl_buf_varint(&w->lengths, (uint64_t)bytes);
    if (w->flags.failed || w->lengths.failed || w->extras.failed) {
        return PL_ENOMEM;
    }
    if (new_series) {
        w->last_series_tcol = first ? 0 : w->series_tcol;
        w->series_tcol = tcol;
    }
    w->t0 = first || t[0] < w->t0 ? t[0] : w->t0;
    w->t1 = first || t[n - 1] > w->t1 ? t[n - 1] : w->t1;
    w->first_id = first ? id : w->first_id;
    w->last_id = id;
    w->last_t = t[n - 1];
    w->tcol = tcol;
    w->n_chunks++;
    return 0;
}

static bool in_order(const struct pl_pack_writer *w, uint32_t id, const int64_t *t, size_t n)
{
    return w->n_chunks == 0 || id > w->last_id ||
           (id == w->last_id && (n == 0 || t[0] > w->last_t));
}

int pl_pack_add_histograms(struct pl_pack_writer *w, uint32_t id, const int64_t *t, size_t n,
                           pl_str layout, const double *v, uint32_t n_cols)
{
    const struct values x = {.v = v, .n_cols = n_cols, .layout = layout};
    if (n == 0 || n > PL_CHUNK_MAX || n_cols == 0 || n_cols > PL_HCOL_VALUES ||
        (n > 1 && n * n_cols > PL_HCOL_VALUES) || !in_order(w, id, t, n)) {
        return PL_EINVAL;
    }
    int err = add_chunk(w, id, t, &x, n);
    w->failed |= err == PL_ENOMEM;
    return err;
}

int pl_pack_add(struct pl_pack_writer *w, uint32_t id, const int64_t *t, const double *v, size_t n)
{
    if (!in_order(w, id, t, n)) {
        return PL_EINVAL;
    }
    size_t n_chunks = (n + PL_CHUNK_MAX - 1) / PL_CHUNK_MAX;
    for (size_t i = 0; i < n_chunks; i++) {
        size_t from = n * i / n_chunks, to = n * (i + 1) / n_chunks;
        const struct values x = {.v = v + from};
        int err = add_chunk(w, id, t + from, &x, to - from);
        if (err < 0) {
            w->failed |= err == PL_ENOMEM;
            return err;
        }
    }
    return 0;
}

static size_t body_size(const struct pl_pack_writer *w)
{
    return w->table.n + w->flags.n + w->lengths.n + w->extras.n + w->tcols.n + w->vcols.n;
}

size_t pl_pack_size(const struct pl_pack_writer *w) { return w->n_chunks ? body_size(w) + 32 : 0; }

/* Squeeze the body in place where that saves a twentieth. 1: done, 0: does not pay. */
static int squeeze(struct pl_pack_writer *w, const uint8_t *body, size_t n_body, struct pl_buf *out)
{
    if (!w->zstd && !(w->zstd = ZSTD_createCCtx())) {
        return PL_ENOMEM;
    }
    size_t room = n_body - n_body / 20;
    uint8_t *p = pl_buf_reserve(out, room);
    if (!p) {
        return PL_ENOMEM;
    }
    size_t n = ZSTD_compressCCtx(w->zstd, p, room, body, n_body, ZSTD_LEVEL);
    if (ZSTD_isError(n)) {
        return 0;
    }
    out->n += n;
    return 1;
}

int pl_pack_finish(struct pl_pack_writer *w, struct pl_buf *out)
{
    if (w->failed) {
        reset(w);
        return PL_ENOMEM;
    }
    if (w->n_chunks == 0) {
        return 0;
    }
    size_t at = out->n, n_body = body_size(w);
    const struct pl_buf *parts[6] = {&w->table,  &w->flags, &w->lengths,
                                     &w->extras, &w->tcols, &w->vcols};
    int err = 0, n_chunks = (int)w->n_chunks;
    if (n_body > PL_PACK_MAX) {
        return PL_ELIMIT;
    }
    pl_buf_u32(out, 0);
    pl_buf_u8(out, PL__PACK_FORM);
    pl_buf_varint(out, w->first_id);
    pl_buf_varint(out, w->last_id - w->first_id);
    pl_buf_varint(out, pl_zigzag(w->t0));
    pl_buf_varint(out, (uint64_t)w->t1 - (uint64_t)w->t0);
    pl_buf_varint(out, w->n_chunks);
    pl_buf_varint(out, w->n_tcols);
    pl_buf_varint(out, n_body);
    pl_buf_clear(&w->body);
    for (size_t i = 0; i < 6; i++) {
        pl_buf_add(&w->body, parts[i]->p, parts[i]->n);
    }
    if (out->failed || w->body.failed) {
        err = PL_ENOMEM;
    } else if (w->effort == PL_EFFORT_SMALL && n_body >= ZSTD_FROM) {
        err = squeeze(w, w->body.p, n_body, out);
    }
    if (err == 1) {
        out->p[at + PL__PACK_CRC] |= PL__PACK_ZSTD;
    } else if (err == 0) {
        pl_buf_add(out, w->body.p, n_body);
        err = out->failed ? PL_ENOMEM : 0;
    }
    if (err < 0) {
        out->n = at;
        return err;
    }
    pl_wr32(out->p + at, pl_crc32c(0, out->p + at + PL__PACK_CRC, out->n - at - PL__PACK_CRC));
    reset(w);
    return n_chunks;
}
