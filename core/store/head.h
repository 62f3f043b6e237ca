/* The head: samples that are in the journal and not yet in the engine. Internal to store.
 *
 * A generation is a slot array by series id and a bump arena of blocks; the apply thread alone
 * appends. At a flush the generation is frozen (immutable) and a new one begins; once the engine
 * has the frozen one, it is retired and its memory is given back as a whole when the last reader
 * lets go. Samples stand in order of arrival, 12 bytes each; readers and the flush sort (stably,
 * the last written of equal timestamps counts) only what did not arrive in order. Bytes of
 * histograms stand in the same arena; a boxed value of the head is their address. Drawn on top of
 * head.c. */
#pragma once
#include "core/base/base.h"
#include "core/store/select.h"

struct pl_head_gen;

/** What an append did with its rows, counted up. */
struct pl_head_counts {
    uint64_t samples;      /* kept */
    uint64_t duplicates;   /* identical to the last sample of their series: not kept twice */
    uint64_t out_of_order; /* kept, but older than the last sample of their series */
};

int pl_head_gen_new(struct pl_head_gen **out);
void pl_head_gen_ref(struct pl_head_gen *g);
void pl_head_gen_unref(struct pl_head_gen *g);
/** Append rows [*done, n) in order. Apply thread; readers may read at the same time. Prefetches
 * ahead: a row of a random series costs two cache misses that overlap with those of its neighbours.
 *  @param h        bytes that boxed values refer to; empty where there are none
 *  @param was_new  n bits, cleared by the caller: set where the sample is not an identical
 *                  repetition of one that this generation holds; or NULL
 *  @param done     moves on; less than n afterwards only with PL_ENOMEM: call again
 *  @return 0 or PL_ENOMEM */
int pl_head_append(struct pl_head_gen *g, const uint32_t *id, const int64_t *t, const double *v,
                   size_t n, pl_str h, uint64_t seq, uint64_t *was_new,
                   struct pl_head_counts *counts, size_t *done);
/** Samples of id in [t0, t1], sorted and unique; replaces out. Any thread. 0 or PL_ENOMEM. */
int pl_head_read(const struct pl_head_gen *g, uint32_t id, int64_t t0, int64_t t1,
                 struct pl_columns *out);
/** The latest samples of ids in [t0, t1], into what is in out: there they replace what is not
 *  younger. As pl_reader_latest. */
void pl_head_latest(const struct pl_head_gen *g, const uint32_t *ids, size_t n, int64_t t0,
                    int64_t t1, struct pl_latest *out, struct pl_read_stats *stats);
/** Does id have a sample at t with these bits, or (boxed, h as above) these bytes? Any thread. */
bool pl_head_has(const struct pl_head_gen *g, uint32_t id, int64_t t, double v, pl_str h);
/** Keep of ids (ascending) those with samples in [t0, t1]. */
size_t pl_head_filter(const struct pl_head_gen *g, uint32_t *ids, size_t n, int64_t t0, int64_t t1);
/** Next id >= from that has samples; false at the end. */
bool pl_head_next(const struct pl_head_gen *g, uint32_t from, uint32_t *id);
/** Bytes of the arena, and of slots in use. */
size_t pl_head_bytes(const struct pl_head_gen *g);
uint64_t pl_head_samples(const struct pl_head_gen *g);
/** Times are INT64_MAX, INT64_MIN and numbers 0 when empty. */
void pl_head_span(const struct pl_head_gen *g, int64_t *t_min, int64_t *t_max, uint64_t *first_seq,
                  uint64_t *last_seq);
