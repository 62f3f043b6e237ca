/* The result cache: what queries came to, kept until the store says that samples they were made of
 * have been touched (pl_tenant_touched). One for all tenants and threads, bounded in bytes; the
 * least recently used goes first. Two kinds of things are in it: whole answers, as bytes, and the
 * steps of range queries, so that one that rolls forward computes its new steps only.
 *
 * Asked before a query is run, told after:
 *
 *   struct pl_query_mark mark = pl_query_mark(tenant);   before anything is computed
 *   ... pl_query_range(...)
 *   pl_query_cache_keep(cache, key, &mark, &span, body)  any thread */
#pragma once
#include "core/base/base.h"
#include "core/store/store.h"

struct pl_query_cache;
/** @param max_bytes  of everything kept. @param metrics  may be NULL. PL_ENOMEM. */
int pl_query_cache_new(size_t max_bytes, struct pl_metrics *metrics, struct pl_query_cache **out);
void pl_query_cache_free(struct pl_query_cache *c);
/** Forget everything. */
void pl_query_cache_clear(struct pl_query_cache *c);
size_t pl_query_cache_bytes(const struct pl_query_cache *c);

/** The state of a tenant before something was computed. */
struct pl_query_mark {
    struct pl_tenant *tenant;
    uint64_t applied, catalogue;
    int64_t oldest;
};
struct pl_query_mark pl_query_mark(struct pl_tenant *t);
/** What it was made of, then. */
struct pl_query_span {
    int64_t t0, t1; /* samples of these times; t0 > t1: none */
    bool catalogue; /* and of the list of series */
};

/** Keep the bytes of an answer. The key names everything the answer depends on but samples: tenant,
 *  path, query, times, limits, format; it and the body are copied. Too large a body is not kept. */
void pl_query_cache_keep(struct pl_query_cache *c, pl_str key, const struct pl_query_mark *mark,
                         const struct pl_query_span *span, pl_str body);
/** Append the answer kept under this key, if it still is right. Never waits for long. */
bool pl_query_cache_find(struct pl_query_cache *c, pl_str key, struct pl_buf *out);
