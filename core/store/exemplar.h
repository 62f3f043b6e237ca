/* Exemplars of one tenant: a bounded ring in memory, the oldest written go first. Internal to
 * store. Locked inside; any thread. */
#pragma once
#include "core/base/base.h"

struct pl_exemplars;
struct pl_exemplar_entry {
    uint32_t id; /* of the series */
    pl_str labels;
    int64_t t;
    double v;
};
/** Memory grows with what comes, up to `max` of them. */
int pl_exemplars_new(uint32_t max, struct pl_exemplars **out);
void pl_exemplars_free(struct pl_exemplars *x);
/** Labels are copied. 1 kept; 0 left out: the newest of its series is the same, or later (as in
 *  Prometheus). PL_ENOMEM. */
int pl_exemplars_add(struct pl_exemplars *x, const struct pl_exemplar_entry *e);
/** Those of the series ids (n, ascending) in [t0, t1], by id, then by time; labels in the arena.
 *  PL_ENOMEM. */
int pl_exemplars_find(struct pl_exemplars *x, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                      struct pl_arena *a, struct pl_exemplar_entry **out, size_t *n_out);
size_t pl_exemplars_count(struct pl_exemplars *x);
