/* Internal to codec: a run of int64 as bytes. Timestamps and decimal values both end here, as
 * residuals. The byte format is on top of stream.c. Any thread. */
#pragma once
#include "core/codec/bitpack.h"

enum pl__stream_kind {
    PL__STREAM_PACK,   /* base + u, u in w bits */
    PL__STREAM_RICE,   /* base + u, u Rice coded */
    PL__STREAM_RICEZ,  /* base + unzigzag(u), u Rice coded */
    PL__STREAM_CONST,  /* all equal base */
    PL__STREAM_SPARSE, /* nearly all equal base */
};

/** A way to write a run. Values outside [lo, hi] are patched. */
struct pl__stream_plan {
    enum pl__stream_kind kind;
    unsigned w; /* width, or Rice's k */
    int64_t base, lo, hi;
    uint32_t n_patches;
    uint32_t bytes; /* exact; with patches or SPARSE it may be a few short or long */
};

/** Find the smallest (FAST: a small) plan for r[0..n), n in [0, PL_CHUNK_MAX]. */
void pl__stream_plan(const int64_t *r, size_t n, enum pl_effort effort,
                     struct pl__stream_plan *out);
/** Append r as planned. */
void pl__stream_put(const int64_t *r, size_t n, const struct pl__stream_plan *plan,
                    struct pl_buf *out);
/** Read n values from [p, end). Returns the place behind them, or NULL (corrupt). */
const uint8_t *pl__stream_get(const uint8_t *p, const uint8_t *end, size_t n, int64_t *r);

/** Whether the stream at p says one value for all. */
bool pl__stream_is_const(const uint8_t *p, const uint8_t *end, int64_t *base);

/** rice.c: Rice coding with the quotients in a bitmap of their own.
 *
 *      n remainders of k bits, bit packed | n quotients in unary: q zeros, then a one; padded
 */
size_t pl__rice_bytes(const uint64_t *u, size_t n, unsigned k);
void pl__rice_put(const uint64_t *u, size_t n, unsigned k, struct pl_buf *out);
/** k <= 56. Returns the place behind, or NULL when cut short. */
const uint8_t *pl__rice_get(const uint8_t *p, const uint8_t *end, size_t n, unsigned k, int64_t *u);

static inline void pl__put_zigzag(struct pl_buf *out, int64_t x)
{
    pl_buf_varint(out, pl_zigzag(x));
}
static inline const uint8_t *pl__get_zigzag(const uint8_t *p, const uint8_t *end, int64_t *out)
{
    uint64_t u;
    p = pl_varint_get(p, end, &u);
    if (p) {
        *out = pl_unzigzag(u);
    }
    return p;
}
static inline unsigned pl__varint_bytes(uint64_t u) { return u ? (pl__bits(u) + 6) / 7 : 1; }
