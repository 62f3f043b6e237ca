/* The head: samples that are in the journal and not yet in the engine. Internal to store.
 *
 * A generation is a slot array by series id and a bump arena of blocks; the apply thread alone
 * appends. At a flush the generation is frozen (immutable) and a new one begins; once the engine has
 * the frozen one, it is retired and its memory is given back as a whole when the last reader lets
 * go. Block: next | base time | n | cap | i32 time offsets[cap] | f64 values[cap]; capacities 4, 8,
 * 16 ... 128; 12 bytes a sample. Samples stand in order of arrival; readers and the flush sort
 * (stably, the last written of equal timestamps counts) only where a block is marked unsorted. */
#pragma once
#include "core/base/base.h"
#include "core/store/batch.h"
#include "core/store/select.h"

struct pl_head_gen;

int pl_head_gen_new(struct pl_head_gen **out);
void pl_head_gen_ref(struct pl_head_gen *g);
void pl_head_gen_unref(struct pl_head_gen *g);
/** Append rows in order. Apply thread; readers may read at the same time. Prefetches ahead.
 *  PL_ENOMEM. */
int pl_head_append(struct pl_head_gen *g, const uint32_t *id, const int64_t *t, const double *v,
                   size_t n, uint64_t seq);
/** Samples of id in [t0, t1], sorted and unique; replaces out. Any thread. 0 or PL_ENOMEM. */
int pl_head_read(struct pl_head_gen *g, uint32_t id, int64_t t0, int64_t t1, struct pl_columns *out);
/** Keep of ids (ascending) those with samples in [t0, t1]. */
size_t pl_head_filter(struct pl_head_gen *g, uint32_t *ids, size_t n, int64_t t0, int64_t t1);
/** Next id >= from that has samples; false at the end. */
bool pl_head_next(struct pl_head_gen *g, uint32_t from, uint32_t *id);
size_t pl_head_bytes(const struct pl_head_gen *g);
uint64_t pl_head_samples(const struct pl_head_gen *g);
void pl_head_span(const struct pl_head_gen *g, int64_t *t_min, int64_t *t_max, uint64_t *first_seq,
                  uint64_t *last_seq);
