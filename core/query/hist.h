/* Native histograms inside of the evaluator. Where a row or a column of samples holds a histogram,
 * its double is a boxed pointer (model/histogram_math.h). Histograms are never changed once made;
 * they live in heaps: one arena a worker, handed to the query when the worker ends, and kept until
 * the query's end, so that rows may be copied, merged and held as doubles.
 *
 * Series of floats do not pay: a worker knows whether the columns at hand hold histograms
 * (hist_cols) and whether the row it made does (hist); rows that are held know it of all (hist).
 * Only then is looked at each value.
 *
 *   hist.c        heaps, reading, notes, element-wise maps, text
 *   hist_range.c  range functions       hist_agg.c  sum, avg and their kin      hist_op.c operators
 */
#pragma once
#include "core/query/exec.h"

struct pl__heap {
    struct pl__heap *next;
    struct pl_arena arena;
    size_t charged;
};
/** The worker's heap; NULL without memory. */
struct pl_arena *pl__heap(struct pl__worker *w);
/** Account for what it has grown to. PL_ELIMIT. */
int pl__heap_charge(struct pl__worker *w);
/** Give the worker's heap to its query; at its end all are freed. */
void pl__heap_give(struct pl__worker *w);
void pl__heaps_free(struct pl__exec *ex);

static inline bool pl__any_histogram(const double *v, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        any |= pl_is_histogram(v[i]);
    }
    return any;
}
/** Boxed values of the columns just read become pointers, with the reset hint that Prometheus' own
 *  storage would give them. Samples before t0 are there for that only. Sets hist_cols. PL_ECORRUPT,
 * PL_ENOMEM. */
int pl__hist_read(struct pl__worker *w, int64_t t0);

/** Of steps of a subquery nothing is known of resets: make the hints unknown. PL_ENOMEM. */
int pl__hist_forget(struct pl__worker *w);
/** The hint that a histogram gets behind the one before in its series (NULL: none, or a float). */
uint8_t pl__hist_hint(const struct pl_histogram *h, const struct pl_histogram *before);

/* What histograms give rise to: each once a row. Names are those of Prometheus' annotations. */
enum pl__hnote {
    PL__HNOTE_MIXED_RANGE = 1,   /* floats and histograms in one range */
    PL__HNOTE_IGNORED = 2,       /* histograms in a range of floats */
    PL__HNOTE_NOT_COUNTER = 4,   /* rate of a gauge */
    PL__HNOTE_NOT_GAUGE = 8,     /* delta of a counter */
    PL__HNOTE_MIXED_SCHEMA = 16, /* exponential and custom buckets */
    PL__HNOTE_BOUNDS_ADD = 32,   /* custom bounds that differ were reduced */
    PL__HNOTE_BOUNDS_SUB = 64,
    PL__HNOTE_BOUNDS_AGG = 128,
    PL__HNOTE_RESET_ADD = 256, /* one says reset, the other not */
    PL__HNOTE_RESET_SUB = 512,
    PL__HNOTE_RESET_AGG = 1024,
    PL__HNOTE_MIXED_AGG = 2048, /* floats and histograms in one group */
};
/** Give the notes of these bits. Any thread. */
void pl__hist_notes(struct pl__exec *ex, unsigned bits, size_t at, pl_str name);

/** Apply a map to a row that holds histograms: floats by its `apply`, histograms by its `hist`,
 *  without one they are dropped. PL_ENOMEM. */
int pl__hist_map(const struct pl__map *m, struct pl__worker *w, double *row, size_t steps);
/** All steps of a range function over columns that hold histograms; windows are in w. */
int pl__hist_range(const struct pl__rows *r, struct pl__worker *w, size_t i,
                   const struct pl__windows *win, double *out);

/** l op r where at least one is a histogram. @param keep  of a comparison: does it hold?
 *  @return the value; PL_ABSENT where there is none (then *keep is false). *err: PL_ENOMEM */
double pl__hist_op(struct pl__exec *ex, struct pl_arena *a, const struct pl_expr *e, double l,
                   double r, bool *keep, int *err);

/** A sum or mean on its way. */
struct pl__hcell {
    struct pl_hsum sum; /* running: the mean */
    double count;
    bool any, running, incompatible, reset_seen, no_reset_seen, reconciled;
};
/** Take one in, its buckets kept in `a`; the same arena each time. PL_ENOMEM. */
int pl__hcell_add(struct pl__hcell *c, struct pl_arena *a, bool avg, const struct pl_histogram *h);
unsigned pl__hcell_notes(const struct pl__hcell *c); /* PL__HNOTE_ bits */
/** The result, in `a`. Changes the cell. NULL without memory. */
struct pl_histogram *pl__hcell_finish(struct pl__hcell *c, struct pl_arena *a, bool avg,
                                      bool compact);
/** Histograms of the rows of a group, added up step by step. */
struct pl__hgroup {
    struct pl__hcell *cell; /* a step each */
    size_t n;
};
/** Take in a row. PL_ENOMEM, PL_ELIMIT. */
int pl__hgroup_add(struct pl__hgroup *g, struct pl__worker *w, bool avg, const double *row,
                   size_t steps, pl_str name, size_t at);
/** Add what another task has. */
int pl__hgroup_merge(struct pl__hgroup *g, struct pl__worker *w, struct pl__hgroup *other,
                     size_t at);
/** Put the results into a row of what came of the floats; steps with both are emptied. */
int pl__hgroup_finish(struct pl__hgroup *g, struct pl__worker *w, bool avg, double *row,
                      size_t steps, size_t at);

/** Append a histogram as Prometheus prints it: {count:4, sum:5, (0.5,1]:1}. */
void pl__hist_text(const struct pl_histogram *h, struct pl_buf *out);
