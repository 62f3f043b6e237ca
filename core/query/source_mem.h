/* A source of samples in memory: for tests, and for what is computed and then asked. Not for many
 * series: matchers are tried one by one. Filled on one thread, then read by any. */
#pragma once
#include "core/query/source.h"

struct pl_source_mem;
int pl_source_mem_new(struct pl_source_mem **out);
void pl_source_mem_free(struct pl_source_mem *m);
struct pl_source pl_source_mem(struct pl_source_mem *m);
/** Samples of the series with these canonical labels, replacing what it had; t ascends. A boxed
 *  value (model/histogram_math.h) is a pointer to a histogram, which is copied; it is not checked.
 *  PL_ENOMEM. */
int pl_source_mem_put(struct pl_source_mem *m, pl_str labels, const int64_t *t, const double *v,
                      size_t n);
void pl_source_mem_clear(struct pl_source_mem *m);
