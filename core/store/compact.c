/* Compaction as the storage thread runs it: what retention has ended is unlinked, runs are merged,
 * and series without any sample are forgotten. A flush has priority: the engine asks `stop` often,
 * makes way, and goes on afterwards.
 *
 * Forgetting a series must not race with a batch that carries its id:
 *   1. t->gc is set: from now on every intern marks the id it gives out
 *   2. the tenant's generation moves: caches of ids forget them (and come through intern)
 *   3. batches of the generation before drain; what they carried is then in the head
 *   4. ids that the engine has (live), that a head has or that are marked, are kept; the others are
 *      dropped on the apply thread under gc_lock, so that an intern comes before (marked) or after
 *      (a new id)
 * Between 2 and 4 nobody waits: if batches are still there, the round goes on at the next one. */
#include "core/store/tenant.h"
#include <stdlib.h>

static bool make_way(void *ctx)
{
    struct pl_store *s = ctx;
    if (atomic_load(&s->n_urgent) || atomic_load(&s->closing)) {
        s->stopped = true;
    }
    return s->stopped;
}

static int seal(struct pl_store *s, struct pl_engine_tenant *et, bool all)
{
    for (;;) {
        s->stopped = false;
        int rc = s->engine->ops->seal(et, all, make_way, s);
        if (!s->stopped || (rc < 0 && rc != PL_ECANCELED)) {
            return rc;
        }
        if (atomic_load(&s->closing)) {
            return PL_ECLOSED;
        }
        pl__storage_make_way(s);
    }
}

/* -------------------------------------------------------------------------- series that have ended
 */

static void set_range(void *ctx, uint32_t from, uint32_t to)
{
    struct pl__gc *gc = ctx;
    for (uint64_t id = from; id <= to && id < gc->end; id++) {
        atomic_fetch_or_explicit(&gc->touched[id / 64], 1ull << (id % 64), memory_order_relaxed);
    }
}

static void keep_gen(struct pl__gc *gc, const struct pl_head_gen *g)
{
    uint32_t id;
    for (uint64_t from = 0; g && from < gc->end && pl_head_next(g, (uint32_t)from, &id);
         from = (uint64_t)id + 1) {
        set_range(gc, id, id);
    }
}

/** On the apply thread: what has samples in memory. */
static void keep_heads(struct pl_tenant *t, struct pl__gc *gc)
{
    keep_gen(gc, t->cur);
    pthread_mutex_lock(&t->heads_lock); /* generations in the list are not freed under it */
    for (const struct pl__pending *p = t->pending; p; p = p->next) {
        keep_gen(gc, p->gen);
    }
    pthread_mutex_unlock(&t->heads_lock);
}

static size_t unmarked(const struct pl__gc *gc)
{
    size_t n = 0;
    for (uint32_t w = 0; w < (gc->end + 63) / 64; w++) {
        n += 64 - (size_t)__builtin_popcountll(atomic_load(&gc->touched[w]));
    }
    return n - (64 - gc->end % 64) % 64;
}

/** On the apply thread. Ids that are already gone are dropped again, which does nothing. */
static int drop_unmarked(struct pl_store *s, struct pl__command *c)
{
    struct pl_tenant *t = c->arg;
    struct pl__gc *gc = atomic_load(&t->gc);
    keep_heads(t, gc);
    pthread_rwlock_wrlock(&t->gc_lock);
    uint32_t before = pl_series_count(t->series);
    size_t n = unmarked(gc), k = 0;
    uint32_t *ids = malloc((n + 1) * sizeof *ids);
    int rc = ids ? 0 : PL_ENOMEM;
    for (uint32_t id = 0; ids && id < gc->end && k < n; id++) {
        if (!(atomic_load(&gc->touched[id / 64]) >> (id % 64) & 1)) {
            ids[k++] = id;
        }
    }
    rc = rc < 0 || k == 0 ? rc : pl_series_drop(t->series, ids, k);
    uint32_t dropped = before - pl_series_count(t->series);
    atomic_store(&t->gc, NULL);
    pthread_rwlock_unlock(&t->gc_lock);
    free(ids);
    if (dropped) {
        t->dirty = true;
        atomic_fetch_add_explicit(&t->catalogue, 1, memory_order_release);
        pl_count(s->n_dropped, dropped);
        pl_logf(s->conf.log, PL_INFO, "store", "series without samples are forgotten",
                "tenant=%.*s n=%u", PL_PRS(t->name), dropped);
    }
    return rc;
}

static struct pl__gc *gc_new(uint32_t end)
{
    struct pl__gc *gc = calloc(1, sizeof *gc);
    if (gc) {
        gc->end = end;
        gc->touched = calloc((size_t)end / 64 + 1, sizeof *gc->touched);
        if (!gc->touched) {
            free(gc);
            gc = NULL;
        }
    }
    return gc;
}

static void gc_free(struct pl__gc *gc)
{
    if (gc) {
        free((void *)gc->touched);
        free(gc);
    }
}

/** Is there anything to forget? A look without stopping anybody, on the apply thread. */
static int count_living(struct pl_store *s, struct pl__command *c)
{
    void **arg = c->arg;
    (void)s;
    keep_heads(arg[0], arg[1]);
    return 0;
}

static bool worth_it(struct pl_tenant *t, struct pl_engine_tenant *et)
{
    struct pl__gc *look = gc_new(pl_series_next_id(t->series));
    if (!look) {
        return false;
    }
    void *arg[2] = {t, look};
    struct pl__command c = {.run = count_living, .arg = arg};
    bool worth = (!et || t->s->engine->ops->live(et, set_range, look) >= 0) &&
                 pl__rollup_live(t, set_range, look) >= 0 && pl__apply_run(t->s, &c) >= 0 &&
                 look->end - unmarked(look) < pl_series_count(t->series);
    gc_free(look);
    return worth;
}

static int forget_series(struct pl_tenant *t)
{
    struct pl_engine_tenant *et = atomic_load(&t->et);
    struct pl__gc *gc = atomic_load(&t->gc);
    if (!gc) {
        if (pl_series_count(t->series) == 0 || !worth_it(t, et)) {
            return 0;
        }
        gc = gc_new(pl_series_next_id(t->series));
        if (!gc) {
            return PL_ENOMEM;
        }
        gc->old = atomic_load(&t->generation) & 1;
        atomic_store(&t->gc, gc);
        atomic_fetch_add(&t->generation, 1);
    }
    if (atomic_load(&t->inflight[gc->old])) {
        return 0;
    }
    int rc = et ? t->s->engine->ops->live(et, set_range, gc) : 0;
    rc = rc < 0 ? rc : pl__rollup_live(t, set_range, gc);
    if (rc >= 0) {
        struct pl__command c = {.run = drop_unmarked, .arg = t};
        rc = pl__apply_run(t->s, &c);
    }
    if (!atomic_load(&t->gc)) {
        gc_free(gc);
    }
    return rc;
}

void pl__gc_abandon(struct pl_tenant *t) { gc_free(atomic_exchange(&t->gc, NULL)); }

/* ---------------------------------------------------------------------------------------- all of
 * it */

static int compact_tenant(struct pl_tenant *t, bool all)
{
    struct pl_store *s = t->s;
    struct pl_engine_tenant *et = atomic_load(&t->et);
    int64_t start = pl__retention_start(s), cut = INT64_MIN;
    if (start != INT64_MIN) {
        cut = start - (start % PL__DAY_MS + PL__DAY_MS) % PL__DAY_MS;
    }
    int rc = pl__rollup_pass(t, all, cut), r; /* before runs are merged, or go */
    if (rc == PL_ECLOSED) {
        return rc;
    }
    if (et && s->conf.retention_ms > 0) {
        /* A tier that cannot be written is no reason to keep what fills the disk. */
        r = pl__rollup_cut(t, cut);
        rc = r < 0 ? r : rc;
        r = s->engine->ops->retain(et, start);
        rc = r < 0 ? r : rc;
    }
    if (et) {
        r = seal(s, et, all);
        rc = r < 0 ? r : rc;
    }
    r = rc == PL_ECLOSED ? rc : pl__rollup_tend(t, all);
    rc = r < 0 ? r : rc;
    r = rc == PL_ECLOSED ? rc : forget_series(t);
    return r < 0 ? r : rc;
}

int pl__compact(struct pl_store *s, bool all)
{
    int64_t begin = pl_mono_ns(s->conf.clock);
    int rc = 0;
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n && !atomic_load(&s->closing); i++) {
        int r = s->tenants[i] ? compact_tenant(s->tenants[i], all) : 0;
        if (r < 0 && r != PL_ECLOSED) {
            pl_logf(s->conf.log, PL_ERROR, "store", "compaction failed", "tenant=%.*s err=%s",
                    PL_PRS(s->tenants[i]->name), pl_err_name(r));
        }
        rc = r < 0 ? r : rc;
    }
    pl_count(s->n_compactions, 1);
    pl_histo_observe(s->compact_seconds, (double)(pl_mono_ns(s->conf.clock) - begin) * 1e-9);
    return rc;
}
