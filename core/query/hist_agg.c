/* sum and avg of histograms: one cell a step, or a window. The mean is the sum divided by the
 * count, as long as the sum does not overflow; from there on it is kept as a running mean. */
#include "core/query/hist.h"

#include <float.h>
#include <stdlib.h>

#define BIG (DBL_MAX / 4) /* two below it do not overflow when added */

static bool side_big(const struct pl_hbuckets *b)
{
    bool any = false;
    for (uint32_t i = 0; i < b->n; i++) {
        any |= !(fabs(b->count[i]) < BIG);
    }
    return any;
}

static bool is_big(const struct pl_histogram *h)
{
    return !(fabs(h->count) < BIG) || !(fabs(h->sum) < BIG) || !(fabs(h->zero_count) < BIG) ||
           side_big(&h->pos) || side_big(&h->neg);
}

static bool sum_big(const struct pl_hsum *s)
{
    bool any = !(fabs(s->count.v) < BIG) || !(fabs(s->sum.v) < BIG) || !(fabs(s->zero.v) < BIG);
    for (uint32_t i = 0; i < s->pos.n; i++) {
        any |= !(fabs(s->pos.cell[i].x.v) < BIG);
    }
    for (uint32_t i = 0; i < s->neg.n; i++) {
        any |= !(fabs(s->neg.cell[i].x.v) < BIG);
    }
    return any;
}

static int copy_sum(struct pl_hsum *to, const struct pl_hsum *s)
{
    *to = *s;
    struct pl_hcells *sides[] = {&to->pos, &to->neg};
    for (int i = 0; i < 2; i++) {
        struct pl_hcells *c = sides[i];
        struct pl_hcell *cell = pl_arena_alloc(s->arena, (c->n + 1) * sizeof *cell);
        if (!cell) {
            return PL_ENOMEM;
        }
        if (c->n) {
            memcpy(cell, c->cell, c->n * sizeof *cell);
        }
        *c = (struct pl_hcells){cell, c->n, c->n};
    }
    return 0;
}

/** The mean of n - 1 becomes that of n. */
static int running(struct pl__hcell *c, const struct pl_histogram *h)
{
    double n = c->count;
    struct pl_histogram *part = pl_histogram_scaled(c->sum.arena, h, n, true, false);
    if (!part) {
        return PL_ENOMEM;
    }
    part->reset = h->reset;
    pl_hsum_mul(&c->sum, (n - 1) / n);
    return pl_hsum_add(&c->sum, part, 1);
}

static int avg_add(struct pl__hcell *c, const struct pl_histogram *h)
{
    if (!c->running && (is_big(h) || sum_big(&c->sum))) {
        struct pl_hsum tried;
        int bits = copy_sum(&tried, &c->sum);
        bits = bits < 0 ? bits : pl_hsum_add(&tried, h, 1);
        if (bits < 0 || !pl_hsum_overflow(&tried)) {
            c->sum = bits < 0 ? c->sum : tried;
            return bits;
        }
        c->running = true;
        pl_hsum_div(&c->sum, c->count - 1);
    }
    return c->running ? running(c, h) : pl_hsum_add(&c->sum, h, 1);
}

int pl__hcell_add(struct pl__hcell *c, struct pl_arena *a, bool avg, const struct pl_histogram *h)
{
    int bits = 0;
    if (c->incompatible) {
        return 0;
    }
    c->reset_seen |= h->reset == PL_RESET_YES;
    c->no_reset_seen |= h->reset == PL_RESET_NO;
    c->count++;
    if (!c->any) {
        c->any = true;
        bits = pl_hsum_init(&c->sum, a, h);
    } else {
        bits = avg ? avg_add(c, h) : pl_hsum_add(&c->sum, h, 1);
    }
    if (bits == PL_EINVAL) {
        c->incompatible = true;
        return 0;
    }
    c->reconciled |= bits >= 0 && bits & PL_HSUM_RECONCILED;
    return bits < 0 ? bits : 0;
}

unsigned pl__hcell_notes(const struct pl__hcell *c)
{
    return (c->reset_seen && c->no_reset_seen ? PL__HNOTE_RESET_AGG : 0u) |
           (c->reconciled ? PL__HNOTE_BOUNDS_AGG : 0u);
}

struct pl_histogram *pl__hcell_finish(struct pl__hcell *c, struct pl_arena *a, bool avg,
                                      bool compact)
{
    if (avg && !c->running) {
        pl_hsum_div(&c->sum, c->count);
    }
    return pl_hsum_finish(&c->sum, a, compact, true);
}

/* ------------------------------------------------------------------ groups */

static int reserve(struct pl__hgroup *g, struct pl__worker *w, size_t steps)
{
    if (g->cell) {
        return 0;
    }
    struct pl_arena *a = pl__heap(w);
    g->cell = a ? pl_arena_zalloc(a, steps * sizeof *g->cell) : NULL;
    g->n = steps;
    return g->cell ? 0 : PL_ENOMEM;
}

int pl__hgroup_add(struct pl__hgroup *g, struct pl__worker *w, bool avg, const double *row,
                   size_t steps, pl_str name, size_t at)
{
    bool clash = false;
    int err = reserve(g, w, steps);
    for (size_t s = 0; s < steps && err >= 0; s++) {
        if (pl_is_histogram(row[s])) {
            struct pl__hcell *c = &g->cell[s];
            bool was = c->incompatible;
            err = pl__hcell_add(c, pl__heap(w), avg, pl_histogram_unboxed(row[s]));
            clash |= c->incompatible && !was;
        }
    }
    if (clash) {
        pl__hist_notes(w->ex, PL__HNOTE_MIXED_SCHEMA, at, name);
    }
    return err < 0 ? err : pl__heap_charge(w);
}

/** Add another's cell. Both are sums, or both become means. */
static int merge_cell(struct pl__hcell *c, struct pl__hcell *o, struct pl_arena *a, bool *clash)
{
    if (!o->any || c->incompatible) {
        return 0;
    }
    if (!c->any || o->incompatible) {
        *c = *o;
        return 0;
    }
    double n = c->count + o->count;
    if (c->running || o->running) {
        struct pl__hcell *both[] = {c, o};
        for (int i = 0; i < 2; i++) {
            if (!both[i]->running) {
                pl_hsum_div(&both[i]->sum, both[i]->count);
            }
            pl_hsum_mul(&both[i]->sum, both[i]->count / n);
        }
        c->running = true;
    }
    struct pl_histogram *h = pl_hsum_finish(&o->sum, a, false, true);
    int bits = h ? pl_hsum_add(&c->sum, h, 1) : PL_ENOMEM;
    if (bits == PL_EINVAL) {
        c->incompatible = *clash = true;
        return 0;
    }
    c->count = n;
    c->reset_seen |= o->reset_seen;
    c->no_reset_seen |= o->no_reset_seen;
    c->reconciled |= o->reconciled || (bits >= 0 && bits & PL_HSUM_RECONCILED);
    return bits < 0 ? bits : 0;
}

int pl__hgroup_merge(struct pl__hgroup *g, struct pl__worker *w, struct pl__hgroup *other,
                     size_t at)
{
    bool clash = false;
    int err = other->cell ? reserve(g, w, other->n) : 0;
    for (size_t s = 0; other->cell && s < other->n && err >= 0; s++) {
        g->cell[s].sum.arena = g->cell[s].any ? pl__heap(w) : NULL;
        err = merge_cell(&g->cell[s], &other->cell[s], pl__heap(w), &clash);
    }
    if (clash) {
        pl__hist_notes(w->ex, PL__HNOTE_MIXED_SCHEMA, at, PL_STR(""));
    }
    return err;
}

int pl__hgroup_finish(struct pl__hgroup *g, struct pl__worker *w, bool avg, double *row,
                      size_t steps, size_t at)
{
    unsigned notes = 0;
    int err = 0;
    for (size_t s = 0; g->cell && s < steps && err >= 0; s++) {
        struct pl__hcell *c = &g->cell[s];
        if (!c->any) {
            continue;
        }
        notes |= c->reconciled ? PL__HNOTE_BOUNDS_AGG : 0u;
        if (!pl_is_absent(row[s])) {
            notes |= PL__HNOTE_MIXED_AGG;
            row[s] = PL_ABSENT;
        } else if (!c->incompatible) {
            struct pl_histogram *h = pl__hcell_finish(c, pl__heap(w), avg, true);
            err = h ? pl__heap_charge(w) : PL_ENOMEM;
            row[s] = h ? pl_histogram_boxed(h) : PL_ABSENT;
            notes |= pl__hcell_notes(c);
        }
    }
    pl__hist_notes(w->ex, notes, at, PL_STR_NULL);
    return err;
}
