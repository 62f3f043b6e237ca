/* A range function at work on a series that holds histograms. */
#pragma once
#include "core/query/hist.h"

struct pl__ranges {
    const struct pl__rows *r;
    struct pl__worker *w;
    const struct pl__windows *win;
    struct pl_arena *heap;
    struct pl_arena step; /* of one step's arithmetic */
    unsigned notes;
    int err;
    size_t lo, hi; /* the window */
    double *reset; /* of each sample to the one before: 0 not known, 1 no, 2 yes */
};
static inline const struct pl_histogram *pl__range_at(const struct pl__ranges *x, size_t i)
{
    return pl_histogram_unboxed(x->win->v[i]);
}
/** Was a reset between sample i - 1 and i? */
bool pl__range_reset(struct pl__ranges *x, size_t i);
/** Over an anchored or smoothed range; the window is not empty and all of histograms. */
double pl__hist_edges(struct pl__ranges *x, size_t step, bool smoothed, bool counter,
                      bool per_second);
/** Let the window begin with the last sample at or before its start. @return is any behind it? */
bool pl__hist_anchor(struct pl__ranges *x, size_t step);
