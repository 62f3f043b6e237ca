/* Snappy block format (remote write) and framed format, zstd, gzip, deflate: whole bodies with a
 * limit on what they inflate to. PL_ELIMIT over it (bombs cost no more than the limit). */
#pragma once
#include "core/base/base.h"

int pl_snappy_decode(pl_str src, size_t max, struct pl_buf *out);
int pl_snappy_encode(pl_str src, struct pl_buf *out);
int pl_zstd_decode(pl_str src, size_t max, struct pl_buf *out); /* any number of frames */
int pl_gzip_decode(pl_str src, size_t max, struct pl_buf *out); /* gzip and zlib, members joined */
int pl_deflate_decode(pl_str src, size_t max, struct pl_buf *out); /* zlib, or raw deflate */
int pl_gzip_encode(pl_str src, int level, struct pl_buf *out);
int pl_zstd_encode(pl_str src, int level, struct pl_buf *out);
