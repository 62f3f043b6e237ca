/* What a query has looked at, as Prometheus counts it (util/stats): a selector counts one sample
 * for each series and step where it has one, a range function the samples of each window, so that a
 * sample in many windows counts in each. A subquery counts by the windows over its steps, not by
 * what is read for these. What does not depend on the step counts at every step.
 *
 * The peak is of values held at once by rows, plus the largest window at hand; Prometheus holds
 * more, since it never folds. */
#include "core/query/exec.h"

#include <stdlib.h>

int pl__counts_init(struct pl__counts *c, size_t steps, bool per_step)
{
    c->on = true;
    c->steps = steps;
    c->step = per_step ? calloc(steps + 1, sizeof *c->step) : NULL;
    return per_step && !c->step ? PL_ENOMEM : 0;
}

void pl__counts_fini(struct pl__counts *c)
{
    free(c->step);
    c->step = NULL;
}

void pl__count_row(const struct pl__rows *r, struct pl__worker *w, const double *row)
{
    struct pl__counts *c = &w->ex->counts;
    bool per_step = c->step && !c->repeated && r->steps == c->steps;
    uint64_t total = 0;
    uint32_t widest = 0;
    if (r->range && w->counted_of == r) { /* the windows of the series before */
        total = w->counted;
        widest = w->widest;
    } else if (r->range) {
        for (size_t s = 0; s < r->steps; s++) {
            uint32_t n = w->hi[s] - w->lo[s];
            total += n;
            widest = n > widest ? n : widest;
        }
        w->counted = total;
        w->counted_of = r;
    } else {
        for (size_t s = 0; s < r->steps; s++) {
            total += !pl_is_absent(row[s]);
        }
    }
    for (size_t s = 0; per_step && s < r->steps; s++) {
        uint32_t n = r->range ? w->hi[s] - w->lo[s] : !pl_is_absent(row[s]);
        atomic_fetch_add_explicit(&c->step[s], n, memory_order_relaxed);
    }
    w->queryable += total;
    w->widest = r->range && widest > w->widest ? widest : w->widest;
}

void pl__count_held(struct pl__exec *ex, size_t more)
{
    struct pl__counts *c = &ex->counts;
    size_t now = atomic_fetch_add(&c->held, more) + more, peak = c->peak;
    while (now > peak && !atomic_compare_exchange_weak(&c->peak, &peak, now)) {
    }
}

void pl__count_worker(struct pl__worker *w)
{
    struct pl__counts *c = &w->ex->counts;
    c->queryable += w->queryable;
    pl__count_held(w->ex, w->widest);
    c->held -= w->widest;
    w->queryable = 0;
    w->widest = 0;
    w->counted_of = NULL;
}

uint64_t pl__count_repeated(struct pl__exec *ex)
{
    ex->counts.repeated++;
    return ex->counts.queryable;
}

void pl__count_repeat(struct pl__exec *ex, uint64_t before, size_t steps)
{
    struct pl__counts *c = &ex->counts;
    uint64_t one = c->queryable - before;
    c->repeated--;
    if (!c->on || c->repeated) {
        return;
    }
    c->queryable += one * (steps - 1);
    for (size_t s = 0; c->step && s < steps && steps == c->steps; s++) {
        c->step[s] += one;
    }
}

int pl__counts_tell(const struct pl__counts *c, struct pl_arena *a, struct pl_query_stats *out)
{
    out->queryable = c->queryable;
    out->peak_samples = c->peak;
    if (c->step) {
        out->step_samples = pl_arena_alloc(a, (c->steps + 1) * sizeof *out->step_samples);
        if (!out->step_samples) {
            return PL_ENOMEM;
        }
        for (size_t s = 0; s < c->steps; s++) {
            out->step_samples[s] = c->step[s];
        }
    }
    return 0;
}
