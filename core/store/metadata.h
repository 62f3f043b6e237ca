/* Metadata of metrics (type, unit, help) of one tenant: a table that forgets nothing and grows only
 * with new metrics. Internal to store. Locked inside; any thread.
 * Record (PL_RECORD_METADATA): docs/formats.md#metadata. */
#pragma once
#include "core/base/base.h"
#include "core/model/model.h"
#include "core/store/engine.h"

#define PL_METADATA_MAX      200000 /* metrics of a tenant */
#define PL_METADATA_UNIT_MAX 256

struct pl_metadata_table;
int pl_metadata_table_new(struct pl_metadata_table **out);
void pl_metadata_table_free(struct pl_metadata_table *x);
/** Would a put change anything? */
bool pl_metadata_table_same(struct pl_metadata_table *x, const struct pl_metadata *m);
/** 1 changed, 0 as before, PL_ELIMIT (further metrics), PL_ENOMEM. */
int pl_metadata_table_put(struct pl_metadata_table *x, const struct pl_metadata *m);
/** Metadata of a metric, or of all (metric.p = NULL) by name; each gets borrowed copies, no lock is
 *  held. PL_ENOMEM. */
int pl_metadata_table_each(struct pl_metadata_table *x, pl_str metric,
                           bool (*each)(void *ctx, const struct pl_metadata *m), void *ctx);
/** Emit what was put since the last save. On failure the same comes again. */
int pl_metadata_table_save(struct pl_metadata_table *x,
                           int (*emit)(void *ctx, const struct pl_record *r), void *ctx);
/** PL_ECORRUPT, PL_ENOMEM. */
int pl_metadata_table_load(struct pl_metadata_table *x, pl_str key, pl_str value);
