/* Inside of the result cache: a bounded table of kept things by key, each counted by reference, so
 * that one can be read while it is replaced. Any thread. */
#pragma once
#include "core/query/source.h"
#include <stdatomic.h>

/** First member of what is kept. Immutable once put, but for the cache's own links. */
struct pl__kept {
    atomic_uint refs;
    struct pl__kept *next, *newer, *older; /* locked by the shard */
    uint64_t hash;
    size_t bytes; /* all of it */
    pl_str key;   /* owned */
    void (*free)(struct pl__kept *k);
};
/** Set what is common; one reference is the caller's. PL_ENOMEM. */
int pl__kept_init(struct pl__kept *k, pl_str key, size_t bytes, void (*free)(struct pl__kept *k));
void pl__kept_unref(struct pl__kept *k);
/** With a reference, now the most recently used; NULL. */
struct pl__kept *pl__cache_get(struct pl_query_cache *c, pl_str key);
/** Takes the caller's reference; replaces what has the key. */
void pl__cache_put(struct pl_query_cache *c, struct pl__kept *k);
/** Forget k if it still is what its key names. */
void pl__cache_drop(struct pl_query_cache *c, struct pl__kept *k);
/** The most that one thing may have. */
size_t pl__cache_item_max(const struct pl_query_cache *c);
enum pl__cache_kind { PL__CACHE_REPLY, PL__CACHE_STEPS };
enum pl__cache_event { PL__CACHE_HIT, PL__CACHE_PART, PL__CACHE_MISS };
void pl__cache_count(struct pl_query_cache *c, enum pl__cache_kind kind, enum pl__cache_event what);
/** Is what was made of samples of [t0, t1] at this mark still right? */
bool pl__mark_holds(const struct pl_query_mark *m, int64_t t0, int64_t t1);

/** pl_query_range with c->cache (cache_steps.c). `run` is the evaluation without it. */
int pl__cached_range(const struct pl_query_conf *c, const struct pl_source *src, pl_str text,
                     int64_t start, int64_t end, int64_t step, struct pl_result *out,
                     struct pl_query_error *err);
