/* What the decoders of one loop share. Internal to ingest. Thread: the loop that owns it. */
#pragma once
#include "core/ingest/alias.h"
#include "core/ingest/ingest.h"

/** Arrays of the native histogram at hand: [0] of positive, [1] of negative buckets. */
struct pl_ingest_histogram {
    struct pl_buf spans[2];  /* struct pl_hspan */
    struct pl_buf counts[2]; /* double */
    struct pl_buf deltas[2]; /* int64: whole counts, summed up */
    struct pl_buf bounds;    /* double */
    struct pl_buf picked;    /* push_entry.c: elements of a column that are histograms */
};

struct pl_ingest {
    struct pl_alias alias;
    struct pl_label labels[PL_LABELS_MAX + 1]; /* one more than allowed, so that too many is seen */
    struct pl_buf canon;                       /* canonical labels of the series at hand */
    struct pl_buf text;                        /* unescaped strings, wire keys */
    struct pl_ingest_histogram histogram;
    struct pl_buf exemplar; /* canonical labels of one */
    const struct pl_clock *clock;
    struct pl_counter *samples, *rejected[PL_REJECT_N], *alias_misses;
};

/** The id of n labels in g->labels (order is changed), made if new.
 *  0 or 1 as pl_tenant_intern, or an error; *why is a sentence when the labels are at fault. */
int pl__intern(struct pl_ingest *g, struct pl_batch *b, size_t n, uint32_t *id, const char **why);

/** Reject `samples` for an error of interning or adding; false when the error is of the whole
 *  request and the decoder must return it. */
static inline bool pl__rejected(struct pl_ingest_report *r, uint64_t at, int err, uint64_t samples,
                                const char *text)
{
    enum pl_reject_why why;
    if (!pl_reject_of(err, &why)) {
        return false;
    }
    pl_report_reject(r, at, why, samples, text ? "%s" : NULL, text);
    return true;
}

/** An exemplar of series id whose n labels are in g->labels. What is not sound is left out: an
 *  exemplar is no reason to refuse its sample. 0, PL_ENOMEM. */
int pl__exemplar(struct pl_ingest *g, struct pl_batch *b, uint32_t id, size_t n, int64_t t,
                 double v);

/** Count what a request brought, at its end. */
void pl__counted(struct pl_ingest *g, const struct pl_batch *b, const struct pl_ingest_report *r);
