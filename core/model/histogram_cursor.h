/* Walking buckets by index, of a histogram or of a sum's cells, and what is said of the zero bucket
 * and of custom bounds: for sums (histogram_math.c) and comparing (histogram_compare.c). Internal
 * to model. Pure; any thread. */
#pragma once
#include "core/model/histogram_math.h"

/** Add x, and to the compensation what that rounds off. */
static inline void pl__hval_add(struct pl_hval *a, double x)
{
    double t = a->v + x;
    if (isinf(t)) {
        a->c = 0;
    } else if (fabs(a->v) >= fabs(x)) {
        a->c += (a->v - t) + x;
    } else {
        a->c += (x - t) + a->v;
    }
    a->v = t;
}

/** Walks the buckets of a histogram's side or of cells, ascending, at a lower resolution: buckets
 *  that fall into one are given one after another with the same index. */
struct pl__hcursor {
    const struct pl_hbuckets *b; /* or */
    const struct pl_hcells *cells;
    uint32_t span, in, at;
    int64_t next;
    int shift;
    int64_t index;
    struct pl_hval x;
};

static inline struct pl__hcursor pl__hcursor(const struct pl_hbuckets *b, int shift)
{
    return (struct pl__hcursor){
        .b = b, .shift = shift, .next = b->n_spans ? b->spans[0].offset : 0};
}

static inline struct pl__hcursor pl__hcursor_cells(const struct pl_hcells *c)
{
    return (struct pl__hcursor){.cells = c};
}

static inline bool pl__hcursor_next(struct pl__hcursor *c)
{
    if (c->cells) {
        if (c->at >= c->cells->n) {
            return false;
        }
        c->index = c->cells->cell[c->at].index;
        c->x = c->cells->cell[c->at++].x;
        return true;
    }
    if (c->at >= c->b->n || c->b->n_spans == 0) {
        return false;
    }
    while (c->in >= c->b->spans[c->span].length) {
        if (++c->span >= c->b->n_spans) {
            c->at = c->b->n;
            return false;
        }
        c->in = 0;
        c->next += c->b->spans[c->span].offset;
    }
    c->in++;
    c->index = c->next++;
    c->index = c->shift ? ((c->index - 1) >> c->shift) + 1 : c->index;
    c->x = (struct pl_hval){c->b->count[c->at++], 0};
    return true;
}

/** Skip what ends within the zero bucket. */
static inline bool pl__hcursor_begin(struct pl__hcursor *c, const struct pl_histogram *of,
                                     double threshold)
{
    while (pl__hcursor_next(c)) {
        if (threshold == 0 || pl_histogram_bound(of, c->index) > threshold) {
            return true;
        }
    }
    return false;
}

/** Enough of a histogram to ask for bounds. */
static inline struct pl_histogram pl__hschema(int schema)
{
    return (struct pl_histogram){.schema = (int8_t)schema};
}

struct pl__hzero {
    struct pl_hval count;
    double threshold;
};
/** The zero bucket as it were with a larger threshold. */
struct pl__hzero pl__hzero_widened(struct pl_hval count, double now, double threshold, int schema,
                                   struct pl__hcursor pos, struct pl__hcursor neg);
bool pl__hbounds_same(const double *a, uint32_t n_a, const double *b, uint32_t n_b);
