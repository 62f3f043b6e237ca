/* Internal to codec: what a pack asks of a timestamp column. */
#pragma once
#include "core/codec/column.h"

/** First and last timestamp of a column of n, from its head alone. PL_ECORRUPT. */
int pl__tcol_range(const uint8_t *src, size_t n_src, size_t n, int64_t *t0, int64_t *t1);
