/* Columns as sets of samples: grow, sort, merge. Pure; any thread. Internal to store. */
#pragma once
#include "core/store/select.h"

/** Room for `more` further samples. PL_ENOMEM. */
int pl_columns_reserve(struct pl_columns *c, size_t more);
/** Sort by time, stably, and keep the last of equal timestamps. Natural merge sort: a few sorted
 *  runs, as blocks of a head are, cost one pass each. PL_ENOMEM. */
int pl_columns_sort(struct pl_columns *c);
/** Merge b over a: samples of both, those of b where timestamps are equal. Both sorted and unique.
 *  Appends in place where b begins behind a; else builds in scratch and swaps. PL_ENOMEM. */
int pl_columns_merge(struct pl_columns *a, const struct pl_columns *b, struct pl_columns *scratch);
