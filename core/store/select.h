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
uint32_t pl_select_id(const struct pl_select *s, size_t i); /* ascending */
/** Append the canonical labels of series i. */
int pl_select_labels(const struct pl_select *s, size_t i, struct pl_buf *out);

/** Samples of one series: ascending, unique timestamps, the last written value of each. */
struct pl_columns {
    int64_t *t;
    double *v;
    size_t n, cap;
};
void pl_columns_fini(struct pl_columns *c);

int pl_reader_new(struct pl_select *s, struct pl_reader **out);
void pl_reader_free(struct pl_reader *r);
/** Columns of series i in [t0, t1], replacing what is in out (which grows as needed). Reading i in
 *  ascending order is fastest (series share packs). PL_ECORRUPT (counted and logged with file and
 *  offset), PL_ENOMEM, PL_ELIMIT when over max_samples (0 = no limit). */
int pl_reader_read(struct pl_reader *r, size_t i, int64_t t0, int64_t t1, size_t max_samples,
                   struct pl_columns *out);
struct pl_read_stats {
    uint64_t samples, chunks, packs, bytes;
};
void pl_reader_stats(const struct pl_reader *r, struct pl_read_stats *out);

/** Label names, and values of a name, of the series that match (n_sel = 0: all) with data in
 *  [t0, t1]: sorted, unique, each given to `each` (borrowed; return false to stop). */
int pl_tenant_label_names(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel,
                          int64_t t0, int64_t t1, bool (*each)(void *ctx, pl_str s), void *ctx);
int pl_tenant_label_values(struct pl_tenant *t, pl_str name, const struct pl_selector *sel,
                           size_t n_sel, int64_t t0, int64_t t1, bool (*each)(void *ctx, pl_str s),
                           void *ctx);
/** Metadata of a metric, or of all (metric.p = NULL). */
int pl_tenant_metadata(struct pl_tenant *t, pl_str metric,
                       bool (*each)(void *ctx, const struct pl_metadata *m), void *ctx);
