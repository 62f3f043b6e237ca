/* Perilune's columns: samples of one series as few bytes, bit-exact for every double.
 *
 * The bytes are a pack of docs/formats.md with one series: self-contained, with a CRC32C. A pack of
 * this version will be readable by all later ones. Any thread. */
#ifndef PERILUNE_CHUNK_H
#define PERILUNE_CHUNK_H
#include "perilune/err.h"
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/** Encode n samples.
 *  @param t      ms, strictly ascending
 *  @param v      any doubles; NaN payloads and -0.0 are kept
 *  @param small  0: about 10 ns a sample; 1: searches longer, and zstd where it pays
 *  @param out    malloc'ed, free() it; n_out bytes
 *  @return 0; PL_EINVAL (n is 0, t does not ascend), PL_ELIMIT (over 16 MB encoded), PL_ENOMEM */
int pl_chunk_encode(const int64_t *t, const double *v, size_t n, int small, void **out,
                    size_t *n_out);
/** Samples in src, to make room for them: 0, PL_ECORRUPT, PL_ENOMEM. */
int pl_chunk_count(const void *src, size_t n_src, size_t *n);
/** Decode into t and v, which have room for `room` samples; *n are written, ascending.
 *  0; PL_ECORRUPT (t, v then undefined), PL_ELIMIT (no room), PL_ENOMEM. */
int pl_chunk_decode(const void *src, size_t n_src, int64_t *t, double *v, size_t room, size_t *n);

#ifdef __cplusplus
}
#endif
#endif
