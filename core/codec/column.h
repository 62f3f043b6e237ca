/* Columns: a run of timestamps or of values of one series, each encoded by the best of several
 * codecs, chosen per column by size. Bit-exact for every double: NaN payloads, -0.0, infinities.
 *
 * A column does not say how many it holds: the pack's directory does. Timestamps: fixed interval,
 * or integers. Values: integers m with value = m / 10^e (ALP, Afroozeh et al., SIGMOD 2024; what
 * does not fit is patched), the bits of true doubles as integers, or raw. Integers: plain,
 * differences, differences of differences, or distances from a line, with a common step taken out;
 * then the smallest of constant, bit packed with patches, Rice coded (SMALL), or sparse. Decoding
 * is vectorised (AVX2 by run-time dispatch, a scalar reference beside it). The bytes are drawn on
 * top of vcol.c, tcol.c, ints.c and stream.c, and in docs/formats.md#column.
 */
#pragma once
#include "core/base/base.h"

#define PL_CHUNK_MAX 512 /* samples of a chunk at most */

/** How hard the encoder searches. FAST for flushes (about 10 ns a sample), SMALL for sealing. */
enum pl_effort { PL_EFFORT_FAST, PL_EFFORT_SMALL };

/** Append a column. n in [1, PL_CHUNK_MAX]; t ascending (strictly). Returns bytes, PL_ENOMEM,
 *  PL_EINVAL (n, or t that does not ascend). */
int pl_tcol_encode(const int64_t *t, size_t n, enum pl_effort effort, struct pl_buf *out);
int pl_vcol_encode(const double *v, size_t n, enum pl_effort effort, struct pl_buf *out);
/** Decode exactly n values from n_src bytes. t, v hold room for PL_CHUNK_MAX. @return bytes read,
 *  PL_ECORRUPT (outputs undefined). Never reads outside src. */
int pl_tcol_decode(const uint8_t *src, size_t n_src, size_t n, int64_t *t);
int pl_vcol_decode(const uint8_t *src, size_t n_src, size_t n, double *v);

/** What a value column says without decoding: constant columns and straight lines do, others have
 *  `has` false. Exact: first, last, min and max are the doubles of the column; sum and increase
 *  only where has_sums, which is for integers whose sums stay below 2^53, so that every order of
 * adding gives the same double. */
struct pl_chunk_summary {
    double first, last, min, max;
    double sum, increase; /* increase is counter-aware */
    bool has, has_sums;
};
/** 0 or PL_ECORRUPT. */
int pl_vcol_summary(const uint8_t *src, size_t n_src, size_t n, struct pl_chunk_summary *out);
