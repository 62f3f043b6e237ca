/* What takes buckets away: deletion and retention; and which series are alive in a tier. Storage
 * thread.
 *
 * An erasure of samples comes here when the engine of the samples has it. Buckets that lie in it
 * are hidden; those that it touches at its ends are computed again from what is left, unless some
 * of their samples went with retention before: then they stay as they are. The new ones are written
 * first, with a number above that of the hiding, so that a reader finds one or the other at any
 * moment. A crash in between repeats all of it. */
#include "core/store/rollup.h"
#include "core/store/tenant.h"
#include <stdlib.h>

#define RUNS_MANY 8 /* in a partition */

/** Buckets of an edge, of all series. */
struct edges {
    struct pl_tenant *t;
    int64_t resolution, ends[2];
    size_t n_ends;
    struct pl__buckets buckets;
    struct pl__tier_series *series;
    size_t n;
};

static int edges_of(struct edges *e, struct pl_cursor *c, uint32_t id, struct pl_columns *samples)
{
    const struct pl_engine_ops *ops = e->t->s->engine->ops;
    struct pl_read_stats stats = {0};
    size_t from = e->buckets.c.n, h_from = e->buckets.n_with;
    int rc = 0;
    for (size_t i = 0; i < e->n_ends && rc >= 0; i++) {
        rc = ops->read(c, id, e->ends[i] - e->resolution + 1, e->ends[i], samples, &stats);
        rc = rc == PL_ECORRUPT ? 0 : rc;
        rc = rc < 0 ? rc : pl__buckets_take(samples, e->resolution, &e->buckets);
    }
    if (e->buckets.c.n > from) {
        e->series[e->n++] =
            (struct pl__tier_series){id, from, e->buckets.c.n, h_from, e->buckets.n_with};
    }
    return rc;
}

static int compute_edges(struct edges *e, size_t tier, const uint32_t *ids, size_t n)
{
    const struct pl_engine_ops *ops = e->t->s->engine->ops;
    struct pl_engine_tenant *raw = atomic_load(&e->t->et);
    struct pl_view *v = NULL;
    struct pl_cursor *c = NULL;
    struct pl_columns samples = {0};
    if (e->n_ends == 0 || !raw) {
        return 0;
    }
    e->series = calloc(n + 1, sizeof *e->series);
    int rc = e->series ? 0 : PL_ENOMEM;
    rc = rc < 0 ? rc : ops->view(raw, e->ends[0] - e->resolution + 1, e->ends[e->n_ends - 1], &v);
    rc = rc < 0 ? rc : ops->cursor(v, &c);
    for (size_t i = 0; i < n && rc >= 0; i++) {
        rc = pl__tier_has(e->t, ids[i], tier) ? edges_of(e, c, ids[i], &samples) : 0;
    }
    pl_columns_fini(&samples);
    if (c) {
        ops->cursor_free(c);
    }
    if (v) {
        ops->view_free(v);
    }
    return rc;
}

/** All values of the series that a tier can hold; malloc'ed. */
static uint32_t *values_of(const uint32_t *ids, size_t n, size_t *n_out)
{
    uint32_t *out = malloc((n * (PL__TIER_HISTOGRAMS + 1) + 1) * sizeof *out);
    size_t k = 0;
    for (size_t i = 0; out && i < n && ids[i] < PL__TIER_IDS; i++) {
        for (uint32_t v = 0; v <= PL__TIER_HISTOGRAMS; v++) {
            out[k++] = ids[i] * 16 + v;
        }
    }
    *n_out = k;
    return out;
}

static int erase_tier(struct pl_tenant *t, size_t tier, const uint32_t *ids, size_t n, int64_t t0,
                      int64_t t1)
{
    const struct pl__tier *x = &t->s->rollup.tiers[tier];
    struct pl_engine_tenant *et;
    struct pl__tier_state st;
    struct edges e = {.t = t, .resolution = x->conf.resolution_ms};
    int rc = pl__tier_open(t, tier, &et, &st);
    if (rc < 0) {
        return rc == PL_ENOTFOUND ? 0 : rc;
    }
    t0 = t0 < -PL__TIER_T_MAX ? -PL__TIER_T_MAX : t0;
    t1 = t1 > PL__TIER_T_MAX ? PL__TIER_T_MAX : t1;
    int64_t first = pl__bucket_end(t0, e.resolution), last = pl__bucket_end(t1, e.resolution);
    int64_t edge[2] = {first, last};
    bool part[2] = {t0 > first - e.resolution + 1 || (first == last && t1 < last), t1 < last};
    for (int i = 0; i < 2; i++) {
        if (!part[i] || (i == 1 && edge[0] == edge[1])) {
            continue;
        }
        if (st.raw_cut != INT64_MIN && edge[i] - e.resolution + 1 < st.raw_cut) {
            first += i == 0 ? e.resolution : 0; /* stays */
            last -= i == 1 ? e.resolution : 0;
        } else if (edge[i] <= st.horizon) {
            e.ends[e.n_ends++] = edge[i];
        }
    }
    size_t n_values;
    uint32_t *values = values_of(ids, n, &n_values);
    rc = values ? compute_edges(&e, tier, ids, n) : PL_ENOMEM;
    uint64_t hide = ++t->tiers.tier[tier].seq; /* below the number of what is written now */
    if (first <= last && n_values) {
        rc = rc < 0 ? rc : pl__tier_write(t, tier, e.series, e.n, &e.buckets, &st);
        rc = rc < 0 ? rc : PL_FAULT("rollup.erase");
        rc = rc < 0
                 ? rc
                 : x->engine->ops->erase(et, values, n_values, pl__tier_slot(first, e.resolution),
                                         pl__tier_slot(last, e.resolution), hide);
    }
    pl__buckets_fini(&e.buckets);
    free(e.series);
    free(values);
    return rc;
}

int pl__rollup_erase(struct pl_tenant *t, const uint32_t *ids, size_t n, int64_t t0, int64_t t1)
{
    int result = 0;
    t->tiers.erasures++;
    for (size_t tier = 0; tier < t->s->rollup.n; tier++) {
        int rc = erase_tier(t, tier, ids, n, t0, t1);
        result = rc < 0 && rc != PL_ECORRUPT ? rc : result;
    }
    return result;
}

int pl__rollup_cut(struct pl_tenant *t, int64_t cut)
{
    int result = 0;
    for (size_t tier = 0; tier < t->s->rollup.n; tier++) {
        struct pl_engine_tenant *et;
        struct pl__tier_state st;
        struct pl__buckets none = {0};
        int rc = pl__tier_open(t, tier, &et, &st);
        if (rc >= 0 && cut > st.raw_cut) {
            st.raw_cut = cut;
            rc = pl__tier_write(t, tier, NULL, 0, &none, &st);
            result = rc < 0 ? rc : result;
        }
    }
    return result;
}

static bool closing(void *ctx) { return atomic_load(&((struct pl_store *)ctx)->closing); }

static bool busy(void *ctx)
{
    struct pl_store *s = ctx;
    return closing(s) || atomic_load(&s->n_urgent);
}

/** Merging makes buckets smaller and costs three times what writing them did: only where there are
 *  many runs in a partition, or something was erased. */
static bool worth_sealing(const struct pl_tenant *t, const struct pl__tier *x,
                          struct pl_engine_tenant *et)
{
    struct pl_engine_stats st;
    return t->tiers.erasures != t->tiers.sealed ||
           (x->engine->ops->stats(et, &st) >= 0 && st.n_runs > RUNS_MANY * st.n_partitions);
}

int pl__rollup_tend(struct pl_tenant *t, bool all)
{
    struct pl_store *s = t->s;
    int result = 0;
    for (size_t tier = 0; tier < s->rollup.n; tier++) {
        const struct pl__tier *x = &s->rollup.tiers[tier];
        struct pl_engine_tenant *et;
        struct pl__tier_state st;
        if (pl__tier_open(t, tier, &et, &st) < 0) {
            continue;
        }
        int64_t expired = pl__tier_expired(x), resolution = x->conf.resolution_ms;
        int rc = expired == INT64_MIN
                     ? 0
                     : x->engine->ops->retain(
                           et, pl__tier_slot(pl__bucket_floor(expired, resolution), resolution));
        if (!all && !worth_sealing(t, x, et)) {
            result = rc < 0 ? rc : result;
            continue;
        }
        int r = x->engine->ops->seal(et, all, busy, s);
        while (r == PL_ECANCELED && !closing(s)) {
            pl__storage_make_way(s);
            r = x->engine->ops->seal(et, all, busy, s);
        }
        if (closing(s)) {
            return PL_ECLOSED;
        }
        rc = r < 0 ? r : rc;
        result = rc < 0 ? rc : result;
    }
    t->tiers.sealed = t->tiers.erasures;
    return result;
}

struct ranges {
    void (*range)(void *ctx, uint32_t from, uint32_t to);
    void *ctx;
};

static void one_range(void *ctx, uint32_t from, uint32_t to)
{
    struct ranges *r = ctx;
    r->range(r->ctx, from / 16, to / 16);
}

int pl__rollup_live(struct pl_tenant *t, void (*range)(void *ctx, uint32_t from, uint32_t to),
                    void *ctx)
{
    int rc = 0;
    struct ranges r = {range, ctx};
    for (size_t tier = 0; tier < t->s->rollup.n && rc >= 0; tier++) {
        struct pl_engine_tenant *et;
        struct pl__tier_state st;
        int e = pl__tier_open(t, tier, &et, &st);
        rc = e == PL_ENOTFOUND ? 0
             : e < 0           ? e
                               : t->s->rollup.tiers[tier].engine->ops->live(et, one_range, &r);
    }
    return rc;
}

double pl__rollup_lag(void *store)
{
    struct pl_store *s = store;
    int64_t now = pl_now_ms(s->conf.clock), behind = 0;
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        struct pl_tenant *t = s->tenants[i];
        for (size_t tier = 0; t && tier < s->rollup.n; tier++) {
            struct pl__tier_tenant *x = &t->tiers.tier[tier];
            pthread_mutex_lock(&x->lock);
            int64_t lag = x->et && x->state.horizon != INT64_MIN ? now - x->state.horizon : 0;
            pthread_mutex_unlock(&x->lock);
            behind = lag > behind ? lag : behind;
        }
    }
    return (double)behind / 1000;
}
