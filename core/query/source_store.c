/* The store as a source of samples, and the door's queries over it. */
#include "core/query/cache_kept.h"

static int store_select(void *ctx, const struct pl_selector *sel, int64_t t0, int64_t t1,
                        size_t max_series, void **set)
{
    struct pl_select *s;
    int err = pl_select_new(ctx, sel, 1, t0, t1, max_series, &s);
    if (err >= 0) {
        *set = s;
    }
    return err;
}

static void store_set_free(void *set) { pl_select_free(set); }

static size_t store_count(const void *set) { return pl_select_count(set); }

static int store_labels(const void *set, size_t i, struct pl_buf *out)
{
    return pl_select_labels(set, i, out);
}

static int store_labels_of(const void *set, size_t from, size_t to, struct pl_buf *out,
                           size_t *ends)
{
    return pl_select_labels_of(set, from, to, out, ends);
}

static int store_group(const void *set, const pl_str *names, size_t n, bool without,
                       uint32_t *group, struct pl_buf *labels, struct pl_buf *ends)
{
    return pl_select_group(set, names, n, without, group, labels, ends);
}

static int store_reader_new(void *set, void **reader)
{
    struct pl_reader *r;
    int err = pl_reader_new(set, &r);
    if (err >= 0) {
        *reader = r;
    }
    return err;
}

static void store_reader_free(void *reader) { pl_reader_free(reader); }

static int store_read(void *reader, size_t i, int64_t t0, int64_t t1, size_t max_samples,
                      struct pl_columns *out)
{
    return pl_reader_read(reader, i, t0, t1, max_samples, out);
}

static void store_latest(void *reader, size_t from, size_t n, int64_t t0, int64_t t1,
                         struct pl_latest *out)
{
    pl_reader_latest(reader, from, n, t0, t1, out);
}

static void store_stats(const void *reader, struct pl_read_stats *out)
{
    pl_reader_stats(reader, out);
}

static size_t store_tiers(void *ctx, struct pl_tier *out, size_t cap, int64_t *horizons,
                          int64_t *oldest, int64_t *now)
{
    *oldest = pl_tenant_oldest(ctx);
    *now = pl_tenant_now(ctx);
    size_t n = pl_tenant_tiers(ctx, out, cap);
    for (size_t i = 0; i < n && i < cap; i++) {
        horizons[i] = pl_tenant_tier_horizon(ctx, i);
    }
    return n;
}

static int store_read_tier(void *reader, size_t i, size_t tier, int64_t t0, int64_t t1,
                           unsigned want, struct pl_tier_columns *out)
{
    return pl_reader_tier(reader, i, tier, t0, t1, want, out);
}

static const struct pl_source_ops store_ops = {
    .select = store_select,
    .set_free = store_set_free,
    .count = store_count,
    .labels = store_labels,
    .labels_of = store_labels_of,
    .group = store_group,
    .reader_new = store_reader_new,
    .reader_free = store_reader_free,
    .read = store_read,
    .latest = store_latest,
    .stats = store_stats,
    .tiers = store_tiers,
    .read_tier = store_read_tier,
};

struct pl_source pl_source_store(struct pl_tenant *t) { return (struct pl_source){&store_ops, t}; }

int pl_query_instant(const struct pl_query_conf *c, pl_str text, int64_t t, struct pl_result *out,
                     struct pl_query_error *err)
{
    struct pl_source src = pl_source_store(c->tenant);
    return pl_source_instant(c, &src, text, t, out, err);
}

int pl_query_range(const struct pl_query_conf *c, pl_str text, int64_t start, int64_t end,
                   int64_t step, struct pl_result *out, struct pl_query_error *err)
{
    struct pl_source src = pl_source_store(c->tenant);
    return c->cache && !c->step_stats ? pl__cached_range(c, &src, text, start, end, step, out, err)
                                      : pl_source_range(c, &src, text, start, end, step, out, err);
}

int pl_query_explain(const struct pl_query_conf *c, pl_str text, int64_t start, int64_t end,
                     int64_t step, bool analyze, struct pl_buf *json, struct pl_query_error *err)
{
    struct pl_source src = pl_source_store(c->tenant);
    return pl_source_explain(c, &src, text, start, end, step, analyze, json, err);
}
