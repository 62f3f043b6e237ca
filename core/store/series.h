/* The series of one tenant: labels -> id, id -> labels, posting lists. Internal to store.
 *
 *   intern     hash of labels -> dense u32 id; sharded by hash, each shard a table and a mutex; any
 *              thread. Ids start at 0, are never used twice
 *   apply      symbol-coded labels by id, postings; written by the apply thread only (and at load),
 *              read by any thread under a read-write lock taken in short pieces
 *   find       matchers -> ids: posting lists (a single id inline, a small sorted array, a roaring
 *              bitmap), equality first, literal alternations, prefix ranges over sorted values
 *
 * Memory is the point: 1M series of 11 labels within about 150 B a series, everything in this
 * file's structures included. On disk: blocks of 1,024 series, symbol-coded by a dictionary of
 * their own, zstd, as engine records (docs/formats.md#series); posting lists are built again at
 * load. */
#pragma once
#include "core/base/base.h"
#include "core/model/model.h"
#include "core/store/engine.h"
#include "core/store/select.h"

struct pl_series;
struct pl_series_conf {
    uint32_t max_series;
    /** Queue a definition before its id is visible: called with a shard locked. */
    int (*define)(void *ctx, uint32_t id, pl_str canon);
    void *ctx;
};
int pl_series_new(const struct pl_series_conf *conf, struct pl_series **out);
void pl_series_free(struct pl_series *s);

/** 0 known, 1 new, PL_ELIMIT, PL_ENOMEM, PL_EINVAL (no labels), or what define said. */
int pl_series_intern(struct pl_series *s, pl_str canon, struct pl_hash128 hash, uint32_t *id);
/** Look up only. PL_ENOTFOUND. */
int pl_series_lookup(struct pl_series *s, struct pl_hash128 hash, uint32_t *id);
/** A definition became durable (apply thread, replay, load): index it. Idempotent. On replay it
 * also enters the hash. Batches of them are faster: the lock is taken once, and neighbours share
 * labels. PL_ENOMEM; PL_ECORRUPT: some of them are no labels and were left out, the others are in.
 */
struct pl_series_def {
    uint32_t id;
    pl_str canon;
    uint64_t same; /* bit i: label i is label i of the definition before in this batch; 0 is fine */
};
int pl_series_apply(struct pl_series *s, const struct pl_series_def *defs, size_t n, bool replay);
/** Ids below `next` are used up, though their definitions are lost (damage in the journal). */
void pl_series_skip(struct pl_series *s, uint32_t next);
/** Append the canonical labels of an applied series. PL_ENOTFOUND, PL_ENOMEM. Any thread. */
int pl_series_labels(struct pl_series *s, uint32_t id, struct pl_buf *out);
/** The same of n series, one after another; ends[i]: where those of series i end in out. */
int pl_series_labels_of(struct pl_series *s, const uint32_t *ids, size_t n, struct pl_buf *out,
                        size_t *ends);
/** Number the n series by the labels that are among the names (or, `without`, are not): group[i],
 * dense, in the order they come up. Appends the canonical labels of each group to `labels`, and
 * where they end there, a size_t each, to `ends`. Any thread. PL_ENOMEM. */
int pl_series_group(struct pl_series *s, const uint32_t *ids, size_t n, const pl_str *names,
                    size_t n_names, bool without, uint32_t *group, struct pl_buf *labels,
                    struct pl_buf *ends);
/** Union over selectors: ascending ids, malloc'ed into *ids (to be freed also when *n is 0).
 * Matchers as in Prometheus: an absent label is the empty string. Any thread. PL_ENOMEM. */
int pl_series_find(struct pl_series *s, const struct pl_selector *sel, size_t n_sel, uint32_t **ids,
                   size_t *n);
/** Names, and values of a name, sorted, over all series; unless `all`: only of the n ids
 * (ascending). `each` borrows, is called without a lock, and returns false to stop. PL_ENOMEM. */
int pl_series_names(struct pl_series *s, const uint32_t *ids, size_t n, bool all,
                    bool (*each)(void *ctx, pl_str s), void *ctx);
int pl_series_values(struct pl_series *s, pl_str name, const uint32_t *ids, size_t n, bool all,
                     bool (*each)(void *ctx, pl_str s), void *ctx);
/** See pl_tenant_index_stats. */
int pl_series_stats(struct pl_series *s, size_t limit, struct pl_arena *a,
                    struct pl_index_stats *out);
uint32_t pl_series_count(const struct pl_series *s);   /* living */
uint32_t pl_series_next_id(const struct pl_series *s); /* ids below it were given */
size_t pl_series_bytes(const struct pl_series *s);

/** Forget series (expired, deleted): hash, postings, labels; the ids stay used up. Apply thread. */
int pl_series_drop(struct pl_series *s, const uint32_t *ids, size_t n);

/** Around loading and replay, before other threads know of s (no intern, no lookup in between):
 * hashes are collected and the table is built at the end, many times faster. PL_ENOMEM: again. */
void pl_series_load_begin(struct pl_series *s);
int pl_series_load_end(struct pl_series *s);

/** Records (PL_RECORD_SERIES) for the blocks of series that changed since the last call, to go into
 * the next flush. Call on the apply thread; `emit` copies; what it returns < 0 ends the call.
 * PL_ENOMEM. pl_series_saved() when they are durable or kept elsewhere until then, else the same
 * come again. */
int pl_series_save(struct pl_series *s, int (*emit)(void *ctx, const struct pl_record *r),
                   void *ctx);
void pl_series_saved(struct pl_series *s);
/** Load one record (PL_RECORD_SERIES). PL_ECORRUPT: its series are lost, their ids stay used up.
 *  PL_ENOMEM. Before other threads know of s. */
int pl_series_load_record(struct pl_series *s, pl_str key, pl_str value);
/** Load all records of an engine tenant: restart with 1M series in well under a second.
 *  @param damaged  called for each record that cannot be read; may be NULL */
int pl_series_load(struct pl_series *s, const struct pl_engine_ops *ops,
                   struct pl_engine_tenant *et, void (*damaged)(void *ctx, pl_str key), void *ctx);
