/* What a select and a reader are: shared by select.c and rollup_read.c. */
#pragma once
#include "core/store/columns.h"
#include "core/store/tenant.h"

struct pl__tier_reader;

struct pl_select {
    struct pl_tenant *t;
    struct pl_head_gen **gens; /* oldest first */
    size_t n_gens;
    struct pl_view *view; /* NULL: the engine has nothing */
    int64_t t0;           /* nothing older, whoever asks: retention */
    int64_t from, to;     /* what was asked for; tiers go beyond the retention of samples */
    uint32_t *ids;
    size_t n;
};

struct pl_reader {
    struct pl_select *s;
    struct pl_cursor *cursor;
    struct pl_columns head, scratch;
    struct pl_read_stats stats;
    struct pl__tier_reader *tiers; /* one a tier, when first asked for; NULL */
};

/** Samples of a series in [t0, t1] as pl_reader_read, but none hidden by retention. */
int pl__reader_samples(struct pl_reader *r, uint32_t id, int64_t t0, int64_t t1,
                       struct pl_columns *out);
/** rollup_read.c: what a reader holds of tiers. */
void pl__reader_tiers_free(struct pl_reader *r);
