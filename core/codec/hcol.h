/* Internal to codec: samples of many values each, as native histograms of one layout are, column by
 * column. Format in hcol.c. */
#pragma once
#include "core/codec/column.h"

/** Append n samples of n_cols values under one layout (any bytes): value c of sample i is
 *  v[c * n + i]. n in [1, PL_CHUNK_MAX], n * n_cols <= PL_HCOL_VALUES, or n = 1 and n_cols at most
 *  that. Returns bytes, PL_ENOMEM, PL_EINVAL. */
int pl__hcol_encode(pl_str layout, const double *v, uint32_t n_cols, size_t n,
                    enum pl_effort effort, struct pl_buf *out);
/** The other way, all of src; layout is borrowed from src, v from `room`, which grows as needed.
 *  0, PL_ECORRUPT, PL_ENOMEM. */
int pl__hcol_decode(const uint8_t *src, size_t n_src, size_t n, struct pl_buf *room, pl_str *layout,
                    uint32_t *n_cols, const double **v);
