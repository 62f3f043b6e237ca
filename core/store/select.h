/* Reading. A pl_select pins one consistent state (head generations first, then partitions:
 * decisions.md 13) and resolves matchers to series; readers decode series to columns. Any thread;
 * a select may be shared by many readers, a reader belongs to one thread. */
#pragma once
#include "core/base/base.h"
#include "core/model/model.h"

struct pl_tenant;
struct pl_select;
struct pl_reader;

struct pl_selector {
    const struct pl_matcher *m;
    size_t n;
};

/** Series that match any of the selectors and have samples that may lie in [t0, t1] (ms, both
 *  inclusive). @param max_series  0 = no limit. PL_ELIMIT, PL_ENOMEM. */
int pl_select_new(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel, int64_t t0,
                  int64_t t1, size_t max_series, struct pl_select **out);
void pl_select_free(struct pl_select *s); /* after its readers */
size_t pl_select_count(const struct pl_select *s);
/** Append the canonical labels of series i. */
int pl_select_labels(const struct pl_select *s, size_t i, struct pl_buf *out);
/** Those of series [from, to); ends[i - from]: where those of series i end in out. */
int pl_select_labels_of(const struct pl_select *s, size_t from, size_t to, struct pl_buf *out,
                        size_t *ends);
/** Number all series by the labels that are among the names (or, `without`, are not), without a
 *  string for each series: group[i], dense, in the order they come up. The labels of each group go
 *  to `labels`, where they end there, a size_t each, to `ends`. PL_ENOMEM. */
int pl_select_group(const struct pl_select *s, const pl_str *names, size_t n_names, bool without,
                    uint32_t *group, struct pl_buf *labels, struct pl_buf *ends);

/** Samples of one series: ascending, unique timestamps, the last written value of each. A value
 * that is a boxed reference (model/histogram.h) stands for the bytes at that offset in `h`, which
 * is empty for series of floats. */
struct pl_columns {
    int64_t *t;
    double *v;
    size_t n, cap;
    struct pl_buf h; /* varint length | bytes of a histogram, one after another */
};
/** The bytes behind a boxed reference in c; empty for one that is none of c's. */
pl_str pl_columns_histogram(const struct pl_columns *c, double boxed);
void pl_columns_fini(struct pl_columns *c);

int pl_reader_new(struct pl_select *s, struct pl_reader **out);
void pl_reader_free(struct pl_reader *r);
/** Columns of series i in [t0, t1], replacing what is in out (which grows as needed). Reading i in
 *  ascending order is fastest (series share packs). PL_ECORRUPT (counted and logged with file and
 *  offset), PL_ENOMEM, PL_ELIMIT when over max_samples (0 = no limit). */
int pl_reader_read(struct pl_reader *r, size_t i, int64_t t0, int64_t t1, size_t max_samples,
                   struct pl_columns *out);
/** The latest sample of a series in a range. */
struct pl_latest {
    int64_t t; /* PL_LATEST_NONE; PL_LATEST_READ: only pl_reader_read can tell */
    double v;
};
#define PL_LATEST_NONE INT64_MIN
#define PL_LATEST_READ INT64_MAX
struct pl_read_stats {
    uint64_t samples, chunks, packs, bytes;
};
/** For each of n series from `from` on its latest sample in [t0, t1] alone: much faster than
 * reading them all, for series that stand where most do. Histograms and what is damaged are left to
 *  pl_reader_read. */
void pl_reader_latest(struct pl_reader *r, size_t from, size_t n, int64_t t0, int64_t t1,
                      struct pl_latest *out);
void pl_reader_stats(const struct pl_reader *r, struct pl_read_stats *out);

/* ---------------------------------------------------------------- rollup tiers: rollup.h
 * A tier has for each series and bucket what the samples in it come to. Bucket ends are multiples
 * of the resolution; a bucket holds (end - resolution, end], as PromQL's ranges do. Staleness
 * markers and histograms count as no samples. What a reader gives is exact: buckets that newer,
 * late or deleted samples touched after they were written are computed from the samples themselves.
 */
enum pl_tier_value { /* on disk: never renumber; at most 16 */
                     PL_TIER_COUNT = 0,
                     PL_TIER_SUM = 1,
                     PL_TIER_MIN = 2,
                     PL_TIER_MAX = 3,
                     PL_TIER_FIRST = 4,
                     PL_TIER_LAST = 5,
                     PL_TIER_INCREASE = 6, /* last - first, resets added back */
                     PL_TIER_T_FIRST = 7,  /* ms */
                     PL_TIER_T_LAST = 8,
                     PL_TIER_VALUES,
};
struct pl_tier_columns {
    int64_t *t;                /* bucket ends, ascending; empty buckets are not there */
    double *v[PL_TIER_VALUES]; /* those asked for */
    size_t n, cap;
    bool histograms; /* there are histograms in the range, which count in none of the values */
};
void pl_tier_columns_fini(struct pl_tier_columns *c);
/** What tiers the tenant's store keeps, finest first; at most cap. @return how many there are */
struct pl_tier {
    int64_t resolution_ms, retention_ms; /* 0: for ever */
};
#define PL_TIER_RESOLUTION_MIN 1000ll /* ms */
#define PL_TIER_RESOLUTION_MAX (366 * 86400000ll)
size_t pl_tenant_tiers(struct pl_tenant *t, struct pl_tier *out, size_t cap);
/** Up to where buckets of a tier are there to be read; behind it readers compute them from the
 *  samples. INT64_MIN: none. */
int64_t pl_tenant_tier_horizon(struct pl_tenant *t, size_t tier);
/** Buckets of series i with ends in [t0, t1], replacing out: those of which the select's range
 *  holds all. @param want  bits 1 << pl_tier_value.
 *  PL_ENOTFOUND: this series is not kept in the tier (a per-selector override). PL_EINVAL,
 *  PL_ENOMEM; PL_ECORRUPT: the rest is in out. */
int pl_reader_tier(struct pl_reader *r, size_t i, size_t tier, int64_t t0, int64_t t1,
                   unsigned want, struct pl_tier_columns *out);

/** Label names, and values of a name, of the series that match (n_sel = 0: all) with data in
 *  [t0, t1]: sorted, unique, each given to `each` (borrowed; return false to stop). */
int pl_tenant_label_names(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel,
                          int64_t t0, int64_t t1, bool (*each)(void *ctx, pl_str s), void *ctx);
int pl_tenant_label_values(struct pl_tenant *t, pl_str name, const struct pl_selector *sel,
                           size_t n_sel, int64_t t0, int64_t t1, bool (*each)(void *ctx, pl_str s),
                           void *ctx);
/** Exemplars in memory of the series that match any selector, in [t0, t1]: by series in the order
 * of their labels, then by time (borrowed; return false to stop). */
struct pl_exemplar {
    pl_str series, labels; /* canonical */
    int64_t t;
    double v;
    bool first; /* of its series */
};
int pl_tenant_exemplars(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel,
                        int64_t t0, int64_t t1,
                        bool (*each)(void *ctx, const struct pl_exemplar *e), void *ctx);
/** What takes the place in the index: the greatest counts, at most `limit` of each (> 0). */
struct pl_index_top {
    struct {
        pl_str name;
        uint64_t n;
    } * at;
    size_t n;
};
struct pl_index_stats {
    uint64_t n_pairs; /* distinct labels in use */
    struct pl_index_top series_by_metric, values_by_label, bytes_by_label, series_by_pair;
};
/** Texts are in the arena. PL_ENOMEM. */
int pl_tenant_index_stats(struct pl_tenant *t, size_t limit, struct pl_arena *a,
                          struct pl_index_stats *out);
/** Metadata of a metric, or of all (metric.p = NULL). */
int pl_tenant_metadata(struct pl_tenant *t, pl_str metric,
                       bool (*each)(void *ctx, const struct pl_metadata *m), void *ctx);
