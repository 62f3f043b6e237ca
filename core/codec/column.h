/* Columns: a run of timestamps or of values of one series, each encoded by the best of several
 * codecs, chosen per column by size. Bit-exact for every double: NaN payloads, -0.0, infinities.
 *
 *     column = u8 codec | codec's bytes          the count is known from outside (the pack's directory)
 *
 * Timestamps: fixed interval; delta-of-delta with frame-of-reference bit packing (exceptions
 * patched); raw. Values: constant; linear; decimal-scaled integers (ALP, Afroozeh et al., SIGMOD
 * 2024: exponent and factor chosen per column, values that do not round-trip patched) then the best
 * of frame-of-reference, delta, delta-of-delta with bit packing in blocks, and an entropy-coded
 * (Rice or similar, per block) form for sealed data; XOR (Gorilla VLDB 2015, Chimp VLDB 2022) for
 * true doubles; raw. Decoding is vectorised (AVX2 by run-time dispatch, scalar reference beside it). */
#pragma once
#include "core/base/base.h"

#define PL_CHUNK_MAX 512 /* samples of a chunk at most */

/** How hard the encoder searches. FAST for flushes (about 10 ns a sample), SMALL for sealing. */
enum pl_effort { PL_EFFORT_FAST, PL_EFFORT_SMALL };

/** Append a column. n in [1, PL_CHUNK_MAX]; t ascending (strictly). Returns bytes, PL_ENOMEM. */
int pl_tcol_encode(const int64_t *t, size_t n, enum pl_effort effort, struct pl_buf *out);
int pl_vcol_encode(const double *v, size_t n, enum pl_effort effort, struct pl_buf *out);
/** Decode exactly n values from n_src bytes. t, v hold room for PL_CHUNK_MAX. @return bytes read,
 *  PL_ECORRUPT (outputs undefined). Never reads outside src. */
int pl_tcol_decode(const uint8_t *src, size_t n_src, size_t n, int64_t *t);
int pl_vcol_decode(const uint8_t *src, size_t n_src, size_t n, double *v);

/** What a chunk's header says without decoding; `sum` and `increase` only where has_sums. Exact:
 *  for decimal columns whose integers stay below 2^53 the sum is of the integers, scaled once. */
struct pl_chunk_summary {
    double first, last, min, max; /* min, max without NaN */
    double sum, increase;         /* increase is counter-aware */
    bool has, has_sums;
};
