/* The series of one tenant: labels -> id, id -> labels, posting lists. Internal to store.
 *
 *   intern     hash of labels -> dense u32 id; sharded by hash, each shard a table and a mutex; any
 *              thread. Ids start at 0, are never used twice
 *   apply      symbol-coded labels by id, postings; written by the apply thread only (and at load),
 *              read by any thread under a read-write lock taken in short pieces
 *   find       matchers -> ids: posting lists (a single id inline, a small sorted array, a roaring
 *              bitmap), equality first, literal alternations, prefix ranges over sorted values
 *
 * Memory is the point: 1M series of 11 labels within about 150 B a series, everything in this file's
 * structures included. On disk: blocks of symbols and of symbol-coded labels, zstd, as engine
 * records (docs/formats.md#series). */
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

/** 0 known, 1 new, PL_ELIMIT, PL_ENOMEM, or what define said. */
int pl_series_intern(struct pl_series *s, pl_str canon, struct pl_hash128 hash, uint32_t *id);
/** Look up only. PL_ENOTFOUND. */
int pl_series_lookup(struct pl_series *s, struct pl_hash128 hash, uint32_t *id);
/** A definition became durable (apply thread, replay, load): index it. Idempotent. On replay it also
 *  enters the hash. Batches of them are faster: the lock is taken once. */
struct pl_series_def {
    uint32_t id;
    pl_str canon;
};
int pl_series_apply(struct pl_series *s, const struct pl_series_def *defs, size_t n, bool replay);
int pl_series_labels(struct pl_series *s, uint32_t id, struct pl_buf *out);
/** Union over selectors: ascending ids, malloc'ed into *ids. */
int pl_series_find(struct pl_series *s, const struct pl_selector *sel, size_t n_sel, uint32_t **ids,
                   size_t *n);
/** Names and values over all series (no matchers): sorted. With ids: only of those. */
int pl_series_names(struct pl_series *s, const uint32_t *ids, size_t n, bool all,
                    bool (*each)(void *ctx, pl_str s), void *ctx);
int pl_series_values(struct pl_series *s, pl_str name, const uint32_t *ids, size_t n, bool all,
                     bool (*each)(void *ctx, pl_str s), void *ctx);
uint32_t pl_series_count(const struct pl_series *s);   /* living */
uint32_t pl_series_next_id(const struct pl_series *s); /* ids below it were given */
size_t pl_series_bytes(const struct pl_series *s);

/** Forget series (expired, deleted): hash, postings, labels; the ids stay used up. Apply thread. */
int pl_series_drop(struct pl_series *s, const uint32_t *ids, size_t n);

/** Records for what was applied since the last call (PL_RECORD_SYMBOLS, PL_RECORD_SERIES, and
 *  rewritten blocks after drops), to go into the next flush. Call on the apply thread; `emit` copies.
 *  pl_series_saved() when that flush is durable, else the same comes again. */
int pl_series_save(struct pl_series *s, int (*emit)(void *ctx, const struct pl_record *r), void *ctx);
void pl_series_saved(struct pl_series *s);
/** Load all records of an engine tenant: restart with 1M series in well under a second. */
int pl_series_load(struct pl_series *s, struct pl_engine_tenant *et);
