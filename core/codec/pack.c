/* A pack, read side. The writer is pack_write.c; who reads must trust nothing in it.
 *
 *     pack  = u32 crc32c of all that follows | u8 form | head | body
 *     form  = 1, or 0x81: body is one zstd frame
 *     head  = varints: first_id, last_id - first_id, zigzag t0, t1 - t0 (t1: the largest),
 *             n_chunks, n_tcols, n_body (bytes, inflated)
 *     body  = n_tcols x (varint n, varint bytes)    the timestamp columns
 *             n_chunks x u8 flags                   the directory, column by column
 *             n_chunks x varint bytes of the value column
 *             varints that flags ask for, chunk after chunk: id, timestamp column, type
 *             timestamp columns | value columns
 *     flags = id (2 bits):   0 as before (first_id at first), 1 one more, 2 varint more
 *             tcol << 2 (2): 0 as before (0 at first), 1 one more, 2 that of the first chunk of the
 *                            series before, 3 varint
 *             typed << 4:    varint enum pl_sample_type, PL_SAMPLE_FLOAT if not set
 *     the three high bits are 0
 *
 * The value column of a chunk of histograms is an hcol (hcol.c).
 *
 * A chunk of ten samples among dense ids so costs two bytes beside its values. Not shared between
 * threads. */
#include "core/codec/hcol.h"
#include "core/codec/pack_format.h"
#include "core/codec/tcol.h"
#include <stdlib.h>
#include <zstd.h>

struct pl_pack_tcol {
    const uint8_t *p;
    uint32_t bytes;
    uint16_t n;
    int64_t t0, t1;
};

struct head {
    uint64_t first_id, n_ids, t_span, n_chunks, n_tcols, n_body;
    int64_t t0;
};

static const uint8_t *get_head(const uint8_t *src, size_t n_src, struct head *h)
{
    const uint8_t *p = src + PL__PACK_CRC + 1, *end = src + n_src;
    if (n_src < PL__PACK_CRC + 1 || (src[4] & ~PL__PACK_ZSTD) != PL__PACK_FORM) {
        return NULL;
    }
    p = pl_varint_get(p, end, &h->first_id);
    p = p ? pl_varint_get(p, end, &h->n_ids) : NULL;
    p = p ? pl__get_zigzag(p, end, &h->t0) : NULL;
    p = p ? pl_varint_get(p, end, &h->t_span) : NULL;
    p = p ? pl_varint_get(p, end, &h->n_chunks) : NULL;
    p = p ? pl_varint_get(p, end, &h->n_tcols) : NULL;
    p = p ? pl_varint_get(p, end, &h->n_body) : NULL;
    if (!p || h->first_id > UINT32_MAX || h->n_ids > UINT32_MAX - h->first_id ||
        h->t_span > (uint64_t)INT64_MAX - (uint64_t)h->t0 || h->n_body > PL_PACK_MAX ||
        h->n_chunks == 0 || h->n_chunks > h->n_body || h->n_tcols == 0 ||
        h->n_tcols > h->n_chunks) {
        return NULL;
    }
    return p;
}

int pl_pack_peek(const uint8_t *src, size_t n_src, uint32_t *first_id, uint32_t *last_id,
                 int64_t *t0, int64_t *t1, uint32_t *n_chunks)
{
    struct head h;
    if (!get_head(src, n_src, &h)) {
        return PL_ECORRUPT;
    }
    *first_id = (uint32_t)h.first_id;
    *last_id = (uint32_t)(h.first_id + h.n_ids);
    *t0 = h.t0;
    *t1 = (int64_t)((uint64_t)h.t0 + h.t_span);
    *n_chunks = (uint32_t)h.n_chunks;
    return 0;
}

void pl_pack_init(struct pl_pack *p) { memset(p, 0, sizeof *p); }

/** Give up the directory, one's own or another's. */
static void drop_directory(struct pl_pack *p)
{
    if (p->cap_chunks) {
        free(p->chunks);
    }
    if (p->cap_tcols) {
        free(p->tcols);
    }
    p->chunks = NULL;
    p->tcols = NULL;
    p->cap_chunks = p->cap_tcols = 0;
}

void pl_pack_fini(struct pl_pack *p)
{
    drop_directory(p);
    free(p->cached_t);
    pl_buf_fini(&p->scratch);
    pl_buf_fini(&p->values);
    ZSTD_freeDCtx(p->zstd);
    pl_pack_init(p);
}

static int inflate_body(struct pl_pack *p, const uint8_t *src, size_t n_src, size_t n_body)
{
    if (!p->zstd && !(p->zstd = ZSTD_createDCtx())) {
        return PL_ENOMEM;
    }
    pl_buf_clear(&p->scratch);
    uint8_t *room = pl_buf_reserve(&p->scratch, n_body);
    if (!room) {
        return PL_ENOMEM;
    }
    if (ZSTD_decompressDCtx(p->zstd, room, n_body, src, n_src) != n_body) {
        return PL_ECORRUPT;
    }
    p->scratch.n = n_body;
    return 0;
}

/* Room for the directory; what was there is not kept. */
static int make_room(struct pl_pack *p, size_t n_chunks, size_t n_tcols)
{
    if (n_chunks > p->cap_chunks || n_tcols > p->cap_tcols) {
        drop_directory(p);
        p->chunks = malloc(n_chunks * sizeof *p->chunks);
        p->cap_chunks = p->chunks ? n_chunks : 0;
        p->tcols = malloc(n_tcols * sizeof *p->tcols);
        p->cap_tcols = p->tcols ? n_tcols : 0;
    }
    return p->cap_chunks && p->cap_tcols ? 0 : PL_ENOMEM;
}

/* The table of timestamp columns; places are set by place_columns. */
static const uint8_t *read_tcols(struct pl_pack *p, const uint8_t *at, const uint8_t *end,
                                 uint64_t *total)
{
    *total = 0;
    for (uint32_t i = 0; i < p->n_tcols; i++) {
        uint64_t n, bytes;
        at = pl_varint_get(at, end, &n);
        at = at ? pl_varint_get(at, end, &bytes) : NULL;
        if (!at || n == 0 || n > PL_CHUNK_MAX || bytes > PL_PACK_MAX) {
            return NULL;
        }
        p->tcols[i].n = (uint16_t)n;
        p->tcols[i].bytes = (uint32_t)bytes;
        *total += bytes;
    }
    return at;
}

/* Value column lengths, then what the flags say. */
static const uint8_t *read_directory(struct pl_pack *p, const uint8_t *at, const uint8_t *end,
                                     uint64_t *total)
{
    const uint8_t *flags = at;
    if ((size_t)(end - at) < p->n_chunks) {
        return NULL;
    }
    at += p->n_chunks;
    *total = 0;
    for (uint32_t i = 0; i < p->n_chunks; i++) {
        uint64_t bytes;
        at = pl_varint_get(at, end, &bytes);
        if (!at || bytes > PL_PACK_MAX) {
            return NULL;
        }
        p->chunks[i].n_vcol = (uint32_t)bytes;
        *total += bytes;
    }
    uint64_t id = p->first_id, tcol = 0, series_tcol = 0, last_series_tcol = 0;
    for (uint32_t i = 0; i < p->n_chunks; i++) {
        unsigned f = flags[i];
        uint64_t more = f & 3, type = PL_SAMPLE_FLOAT;
        if (more == PL__PACK_ID_VARINT) {
            at = pl_varint_get(at, end, &more);
        }
        if (!at || f > PL__PACK_FLAGS_MAX || (f & 3) == 3 || more > UINT32_MAX) {
            return NULL;
        }
        id += more;
        switch (f & PL__PACK_TCOL_MASK) {
        case PL__PACK_TCOL_NEXT:
            tcol++;
            break;
        case PL__PACK_TCOL_SERIES:
            tcol = more ? series_tcol : last_series_tcol;
            break;
        case PL__PACK_TCOL_VARINT:
            at = pl_varint_get(at, end, &tcol);
            break;
        }
        if (at && f & PL__PACK_TYPED) {
            at = pl_varint_get(at, end, &type);
        }
        if (!at || tcol >= p->n_tcols || id > p->last_id || type > UINT8_MAX) {
            return NULL;
        }
        if (more || i == 0) {
            last_series_tcol = i ? series_tcol : 0;
            series_tcol = tcol;
        }
        p->chunks[i].id = (uint32_t)id;
        p->chunks[i].tcol_ix = (uint32_t)tcol;
        p->chunks[i].type = (uint8_t)type;
    }
    return id == p->last_id ? at : NULL;
}

/* Put every column at its place; the body must end with the last one. */
static bool place_columns(struct pl_pack *p, const uint8_t *at)
{
    for (uint32_t i = 0; i < p->n_tcols; i++) {
        struct pl_pack_tcol *t = &p->tcols[i];
        t->p = at;
        at += t->bytes;
        if (pl__tcol_range(t->p, t->bytes, t->n, &t->t0, &t->t1) < 0) {
            return false;
        }
    }
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    for (uint32_t i = 0; i < p->n_chunks; i++) {
        struct pl_chunk *c = &p->chunks[i];
        const struct pl_pack_tcol *t = &p->tcols[c->tcol_ix];
        c->n = t->n;
        c->t0 = t->t0;
        c->t1 = t->t1;
        c->tcol = t->p;
        c->n_tcol = t->bytes;
        c->vcol = at;
        at += c->n_vcol;
        lo = c->t0 < lo ? c->t0 : lo;
        hi = c->t1 > hi ? c->t1 : hi;
        if (i > 0 && c->id == c[-1].id && c->t0 <= c[-1].t1) {
            return false;
        }
    }
    return lo == p->t0 && hi == p->t1;
}

int pl_pack_open(struct pl_pack *p, const uint8_t *src, size_t n_src)
{
    struct head h;
    uint64_t n_tcols = 0, n_vcols = 0;
    p->n_chunks = p->n_tcols = 0;
    p->found = p->stride = 0;
    memset(p->cached, 0xff, sizeof p->cached);
    const uint8_t *at = get_head(src, n_src, &h), *end = src + n_src;
    if (!at || pl_rd32(src) != pl_crc32c(0, src + PL__PACK_CRC, n_src - PL__PACK_CRC)) {
        return PL_ECORRUPT;
    }
    if (src[4] & PL__PACK_ZSTD) {
        int err = inflate_body(p, at, (size_t)(end - at), (size_t)h.n_body);
        if (err < 0) {
            return err;
        }
        at = p->scratch.p;
        end = at + p->scratch.n;
    }
    if ((uint64_t)(end - at) != h.n_body) {
        return PL_ECORRUPT;
    }
    if (make_room(p, (size_t)h.n_chunks, (size_t)h.n_tcols) < 0) {
        return PL_ENOMEM;
    }
    p->first_id = (uint32_t)h.first_id;
    p->last_id = (uint32_t)(h.first_id + h.n_ids);
    p->t0 = h.t0;
    p->t1 = (int64_t)((uint64_t)h.t0 + h.t_span);
    p->n_chunks = (uint32_t)h.n_chunks;
    p->n_tcols = (uint32_t)h.n_tcols;
    at = read_tcols(p, at, end, &n_tcols);
    at = at ? read_directory(p, at, end, &n_vcols) : NULL;
    if (!at || n_tcols + n_vcols != (uint64_t)(end - at) || !place_columns(p, at)) {
        p->n_chunks = p->n_tcols = 0;
        return PL_ECORRUPT;
    }
    return 0;
}

void pl_pack_share(struct pl_pack *p, const struct pl_pack *from)
{
    drop_directory(p);
    p->first_id = from->first_id;
    p->last_id = from->last_id;
    p->n_chunks = from->n_chunks;
    p->t0 = from->t0;
    p->t1 = from->t1;
    p->chunks = from->chunks;
    p->n_tcols = from->n_tcols;
    p->tcols = from->tcols;
    p->found = p->stride = 0;
    memset(p->cached, 0xff, sizeof p->cached);
}

size_t pl_pack_bytes(const struct pl_pack *p)
{
    return p->cap_chunks * sizeof *p->chunks + p->cap_tcols * sizeof *p->tcols + p->scratch.cap;
}

/** Does the series begin at chunk i? */
static bool begins(const struct pl_pack *p, uint32_t i, uint32_t id)
{
    return i < p->n_chunks && p->chunks[i].id == id && (i == 0 || p->chunks[i - 1].id != id);
}

int pl_pack_find(struct pl_pack *p, uint32_t id, uint32_t *from, uint32_t *to)
{
    uint32_t lo = 0, hi = p->n_chunks, before = p->found;
    if (begins(p, before + p->stride, id)) {
        lo = hi = before + p->stride;
    }
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (p->chunks[mid].id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == p->n_chunks || p->chunks[lo].id != id) {
        return PL_ENOTFOUND;
    }
    for (hi = lo + 1; hi < p->n_chunks && p->chunks[hi].id == id; hi++) {
    }
    p->stride = lo > before ? lo - before : 0;
    p->found = lo;
    if (p->stride && lo + 2 * (size_t)p->stride < p->n_chunks) { /* what is asked for next */
        __builtin_prefetch(&p->chunks[lo + 2 * p->stride]);
        __builtin_prefetch(p->chunks[lo + p->stride].vcol);
    }
    *from = lo;
    *to = hi;
    return 0;
}

int pl_pack_times(struct pl_pack *p, uint32_t i, const int64_t **t)
{
    if (i >= p->n_chunks) {
        return PL_EINVAL;
    }
    const struct pl_chunk *c = &p->chunks[i];
    uint32_t slot = c->tcol_ix % PL_PACK_CACHED;
    if (!p->cached_t && !(p->cached_t = malloc(PL_PACK_CACHED * PL_CHUNK_MAX * sizeof(int64_t)))) {
        return PL_ENOMEM;
    }
    int64_t *cached = p->cached_t + slot * (size_t)PL_CHUNK_MAX;
    if (p->cached[slot] != c->tcol_ix) {
        p->cached[slot] = UINT32_MAX;
        if (pl_tcol_decode(c->tcol, c->n_tcol, c->n, cached) != (int)c->n_tcol) {
            return PL_ECORRUPT;
        }
        p->cached[slot] = c->tcol_ix;
    }
    *t = cached;
    return c->n;
}

int pl_pack_values(struct pl_pack *p, uint32_t i, double *v)
{
    if (i >= p->n_chunks) {
        return PL_EINVAL;
    }
    const struct pl_chunk *c = &p->chunks[i];
    if (c->type != PL_SAMPLE_FLOAT) {
        return PL_EUNSUPPORTED;
    }
    return pl_vcol_decode(c->vcol, c->n_vcol, c->n, v) == (int)c->n_vcol ? c->n : PL_ECORRUPT;
}

int pl_pack_histograms(struct pl_pack *p, uint32_t i, pl_str *layout, const double **v,
                       uint32_t *n_cols)
{
    if (i >= p->n_chunks) {
        return PL_EINVAL;
    }
    const struct pl_chunk *c = &p->chunks[i];
    if (c->type != PL_SAMPLE_HISTOGRAM) {
        return PL_EUNSUPPORTED;
    }
    int err = pl__hcol_decode(c->vcol, c->n_vcol, c->n, &p->values, layout, n_cols, v);
    return err < 0 ? err : c->n;
}

int pl_pack_decode(struct pl_pack *p, uint32_t i, int64_t *t, double *v)
{
    const int64_t *cached;
    int n = pl_pack_times(p, i, &cached);
    if (n < 0) {
        return n;
    }
    memcpy(t, cached, (size_t)n * sizeof *t);
    return pl_pack_values(p, i, v);
}

int pl_pack_summary(const struct pl_pack *p, uint32_t i, struct pl_chunk_summary *out)
{
    if (i >= p->n_chunks) {
        return PL_EINVAL;
    }
    const struct pl_chunk *c = &p->chunks[i];
    return c->type == PL_SAMPLE_FLOAT ? pl_vcol_summary(c->vcol, c->n_vcol, c->n, out)
                                      : PL_EUNSUPPORTED;
}
