/* Metrics about ourselves: a registry given at init, counters that any thread adds to without a
 * lock, functions asked at the time of a scrape. Rendered as Prometheus text. Any thread. */
#pragma once
#include "core/base/buf.h"

struct pl_metrics; /* the registry */
struct pl_counter {
    _Atomic uint64_t n;
};
struct pl_histo; /* fixed exponential bounds, seconds */

struct pl_metrics *pl_metrics_new(void);
void pl_metrics_free(struct pl_metrics *m);
/** @param name  perilune_..._total, copied; @param labels `reason="x",b="y"` or NULL, copied.
 *  The same name and labels give the same counter again. With m == NULL a counter that nobody
 *  reads, so that callers need not ask. Valid as long as m. */
struct pl_counter *pl_metrics_counter(struct pl_metrics *m, const char *name, const char *help,
                                      const char *labels);
/** A gauge (is_counter: a counter) read by fn at scrape time. fn may run on any thread, with the
 *  registry's lock held: it must not call the registry. The same name and labels replace it. */
void pl_metrics_fn(struct pl_metrics *m, const char *name, const char *help, const char *labels,
                   bool is_counter, double (*fn)(void *), void *ctx);
/** Forget every fn registered with this ctx; returns when none is running. Call before ctx is
 * freed. */
void pl_metrics_forget(struct pl_metrics *m, void *ctx);
/** Buckets 10 us .. 100 s, half decades; name ends in _seconds. */
struct pl_histo *pl_metrics_histo(struct pl_metrics *m, const char *name, const char *help,
                                  const char *labels);
void pl_histo_observe(struct pl_histo *h, double seconds);
/** Append `name="value"`, escaped and with a comma where needed: for labels that hold text of
 * others. */
void pl_metrics_label(struct pl_buf *labels, const char *name, pl_str value);
/** Append everything in the Prometheus text format: families by name, series by labels. */
void pl_metrics_render(struct pl_metrics *m, struct pl_buf *out);

static inline void pl_count(struct pl_counter *c, uint64_t n)
{
    __atomic_fetch_add((uint64_t *)&c->n, n, __ATOMIC_RELAXED);
}
