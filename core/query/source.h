/* Where samples come from: the store in life, memory in tests and backtests. A set is what one
 * selector matched, pinned; readers decode its series, one reader per thread. The verbs are those
 * of core/store/select.h. */
#pragma once
#include "core/query/query.h"

struct pl_source_ops {
    /** @param max_series  0 = no limit. PL_ELIMIT, PL_ENOMEM. */
    int (*select)(void *ctx, const struct pl_selector *sel, int64_t t0, int64_t t1,
                  size_t max_series, void **set);
    void (*set_free)(void *set);
    size_t (*count)(const void *set);
    int (*labels)(const void *set, size_t i, struct pl_buf *out);
    /** For many series at once, as pl_select_labels_of and pl_select_group; may be NULL. */
    int (*labels_of)(const void *set, size_t from, size_t to, struct pl_buf *out, size_t *ends);
    int (*group)(const void *set, const pl_str *names, size_t n, bool without, uint32_t *group,
                 struct pl_buf *labels, struct pl_buf *ends);
    int (*reader_new)(void *set, void **reader);
    void (*reader_free)(void *reader);
    int (*read)(void *reader, size_t i, int64_t t0, int64_t t1, size_t max_samples,
                struct pl_columns *out);
    /** As pl_reader_latest; may be NULL. */
    void (*latest)(void *reader, size_t from, size_t n, int64_t t0, int64_t t1,
                   struct pl_latest *out);
    void (*stats)(const void *reader, struct pl_read_stats *out);
    /** Boxed values that are read are pointers to histograms that live as long as the source, with
     * the reset hints they are to have; else as in select.h. */
    bool boxed;
    /** Rollup tiers (core/store/select.h), finest first; both may be NULL: there are none.
     *  @param horizons  of each; behind it buckets are made of samples when they are read
     *  @param oldest  samples before it are no longer kept; @param now  of the source's clock */
    size_t (*tiers)(void *ctx, struct pl_tier *out, size_t cap, int64_t *horizons, int64_t *oldest,
                    int64_t *now);
    int (*read_tier)(void *reader, size_t i, size_t tier, int64_t t0, int64_t t1, unsigned want,
                     struct pl_tier_columns *out);
};
struct pl_source {
    const struct pl_source_ops *ops;
    void *ctx;
};
/** The samples of a tenant. */
struct pl_source pl_source_store(struct pl_tenant *t);

/** The queries of query.h over any source; conf->tenant is not looked at. */
int pl_source_instant(const struct pl_query_conf *c, const struct pl_source *src, pl_str text,
                      int64_t t, struct pl_result *out, struct pl_query_error *err);
int pl_source_explain(const struct pl_query_conf *c, const struct pl_source *src, pl_str text,
                      int64_t start, int64_t end, int64_t step, bool analyze, struct pl_buf *json,
                      struct pl_query_error *err);
int pl_source_range(const struct pl_query_conf *c, const struct pl_source *src, pl_str text,
                    int64_t start, int64_t end, int64_t step, struct pl_result *out,
                    struct pl_query_error *err);
