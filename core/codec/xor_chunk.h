/* Float chunks as Prometheus' remote read sends them (tsdb/chunkenc, XOR). The format is drawn in
 * xor_chunk.c. Any thread. */
#pragma once
#include "core/base/base.h"

#define PL_XOR_SAMPLES 120 /* of a chunk, as Prometheus cuts them */

/** Append one chunk of n (1 to 65535) samples; times ascending. PL_ENOMEM. */
int pl_xor_encode(struct pl_buf *out, const int64_t *t, const double *v, size_t n);
/** Read a whole chunk into t and v, which have room for 65535. @return samples, or PL_ECORRUPT */
int pl_xor_decode(pl_str chunk, int64_t *t, double *v);
