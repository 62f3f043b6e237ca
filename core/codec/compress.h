/* Compressed bodies as a whole: snappy's block format (remote write) and framed format, zstd, gzip,
 * deflate. Each decoder appends to out, at most `max` bytes: a bomb costs no more than the limit.
 * Any thread.
 *
 * All return 0; PL_ECORRUPT (also for input cut short), PL_ELIMIT (would inflate to more than max,
 * or asks for a window of more), PL_ENOMEM. On failure out holds what it held before. */
#pragma once
#include "core/base/base.h"

/** Block or framed: the framed format begins with its stream identifier. CRCs are checked. */
int pl_snappy_decode(pl_str src, size_t max, struct pl_buf *out);
/** Block format. */
int pl_snappy_encode(pl_str src, struct pl_buf *out);
int pl_zstd_decode(pl_str src, size_t max, struct pl_buf *out); /* any number of frames */
/** The same with a decoder that is kept for the next one: *kept is NULL to begin with. */
int pl_zstd_decode_kept(void **kept, pl_str src, size_t max, struct pl_buf *out);
void pl_zstd_kept_free(void *kept);
int pl_gzip_decode(pl_str src, size_t max, struct pl_buf *out); /* gzip and zlib, members joined */
int pl_deflate_decode(pl_str src, size_t max, struct pl_buf *out); /* zlib, or raw deflate */
/** One gzip member. @param level 1 (fast) to 9 */
int pl_gzip_encode(pl_str src, int level, struct pl_buf *out);

/** One gzip member in pieces: what each call appends can be decoded as soon as it is there. The
 * encoder belongs to one thread at a time. NULL: out of memory, or no such level. */
struct pl_gzip *pl_gzip_new(int level);
/** The next bytes; `last` ends the member, after which nothing may be added. */
int pl_gzip_add(struct pl_gzip *z, pl_str src, bool last, struct pl_buf *out);
void pl_gzip_free(struct pl_gzip *z);

/** One frame with its content size. @param level 1 (fast) to 19 */
int pl_zstd_encode(pl_str src, int level, struct pl_buf *out);
