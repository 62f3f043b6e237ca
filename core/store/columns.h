/* Columns as sets of samples: grow, sort, merge. Pure; any thread. Internal to store.
 *
 * Sorting and merging move boxed references like any value; only where the bytes they refer to move
 * to other columns are they rewritten. Bytes of samples that went may stay. */
#pragma once
#include "core/store/select.h"

/** Room for `more` further samples. PL_ENOMEM. */
int pl_columns_reserve(struct pl_columns *c, size_t more);
/** Sort by time, stably, and keep the last of equal timestamps. Natural merge sort: a few sorted
 *  runs, as blocks of a head are, cost one pass each. PL_ENOMEM. */
int pl_columns_sort(struct pl_columns *c);
/** Merge b over a: samples of both, those of b where timestamps are equal. Both sorted and unique.
 *  Appends in place where b begins behind a; else builds in scratch and swaps. b's references are
 *  then of a's bytes: clear b before it is used again. PL_ENOMEM. */
int pl_columns_merge(struct pl_columns *a, struct pl_columns *b, struct pl_columns *scratch);
/** No samples, no bytes; the room stays. */
static inline void pl_columns_clear(struct pl_columns *c)
{
    c->n = 0;
    pl_buf_clear(&c->h);
}
/** Append bytes of a histogram (borrowed; not those of c itself) and give the reference to them.
 *  PL_ENOMEM. */
int pl_columns_keep(struct pl_columns *c, pl_str bytes, double *boxed);
/** Does any of n values carry the tag? About a quarter of a nanosecond each. */
bool pl__has_boxed(const double *v, size_t n);
/** The bytes at `offset` of such bytes; empty where there are none: outside, or cut short. */
pl_str pl__boxed_bytes(pl_str all, uint64_t offset);
