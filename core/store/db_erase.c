/* Tombstones, retention, and what is alive. An erase is one durable entry of the catalogue that
 * reads obey at once; sealing rewrites the runs it hits, and when none is left the tombstone goes.
 */
#include "core/store/db.h"
#include <stdlib.h>

int pl__db_erase(struct pl_engine_tenant *t, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                 uint64_t seq)
{
    if (n == 0 || t0 > t1) {
        return PL_OK;
    }
    struct pl_db_tomb *x = calloc(1, sizeof *x);
    if (!x) {
        return PL_ENOMEM;
    }
    atomic_init(&x->refs, 1);
    x->seq = seq;
    x->t0 = t0;
    x->t1 = t1;
    x->ids = roaring_bitmap_of_ptr(n, ids);
    if (!x->ids) {
        pl__tomb_unref(x);
        return PL_ENOMEM;
    }
    pthread_mutex_lock(&t->commit);
    x->number = t->next_tomb++;
    struct pl_db_change c = {.add_tomb = x, .fault = "erase.catalogue"};
    int err = pl__catalogue_commit(t, &c);
    pthread_mutex_unlock(&t->commit);
    pl__tomb_unref(x);
    return err;
}

/** May a run that is still to be flushed fall under x? */
static bool awaited(const struct pl_engine_tenant *t, const struct pl_db_tomb *x)
{
    return atomic_load(&t->flushed_seq) < x->seq;
}

int pl__db_tombs_done(struct pl_engine_tenant *t)
{
    struct pl_db_state *s = t->state;
    struct pl_db_tomb **done = calloc(s->n_tombs + 1, sizeof *done);
    size_t n = 0;
    if (!done) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < s->n_tombs; i++) {
        bool needed = awaited(t, s->tombs[i]);
        for (size_t k = 0; k < s->n_runs && !needed; k++) {
            needed = pl__tomb_hits(s->tombs[i], s->runs[k]);
        }
        if (!needed) {
            done[n++] = s->tombs[i];
        }
    }
    struct pl_db_change c = {.drop_tombs = done, .n_drop_tombs = n, .fault = "erase.done"};
    int err = n ? pl__catalogue_commit(t, &c) : PL_OK;
    free(done);
    return err;
}

int pl__db_retain(struct pl_engine_tenant *t, int64_t cutoff)
{
    pthread_mutex_lock(&t->commit);
    struct pl_db_state *s = t->state;
    struct pl_db_part **drop = calloc(s->n_parts + 1, sizeof *drop);
    size_t n = 0;
    int err = drop ? PL_OK : PL_ENOMEM;
    for (size_t i = 0; drop && i < s->n_parts; i++) {
        struct pl_db_part *p = s->parts[i];
        if (pl__day_end(p->day) < cutoff && !p->writing) {
            drop[n++] = p;
        }
    }
    if (n) {
        struct pl_db_change c = {.drop_parts = drop, .n_drop = n, .fault = "retain.manifest"};
        err = pl__catalogue_commit(t, &c);
        if (err == PL_OK) {
            pl_logf(t->db->conf.log, PL_INFO, "store", "dropped expired partitions",
                    "tenant=\"%s\" n=%zu", t->name, n);
            err = pl__db_tombs_done(t);
        }
    }
    pthread_mutex_unlock(&t->commit);
    free(drop);
    return err;
}

struct ranges {
    void (*range)(void *ctx, uint32_t from, uint32_t to);
    void *ctx;
    uint32_t from, to;
    bool any;
};

static bool add_id(uint32_t id, void *ctx)
{
    struct ranges *r = ctx;
    if (r->any && id == r->to + 1) {
        r->to = id;
        return true;
    }
    if (r->any) {
        r->range(r->ctx, r->from, r->to);
    }
    r->from = r->to = id;
    r->any = true;
    return true;
}

int pl__db_live(struct pl_engine_tenant *t, void (*range)(void *ctx, uint32_t from, uint32_t to),
                void *ctx)
{
    struct pl_db_state *s = pl__state_get(t);
    roaring_bitmap_t *all = roaring_bitmap_create();
    int err = all ? PL_OK : PL_ENOMEM;
    for (size_t i = 0; i < s->n_runs && err == PL_OK; i++) {
        const roaring_bitmap_t *ids = pl__run_ids(s->runs[i]);
        if (ids) {
            roaring_bitmap_or_inplace(all, ids);
        } else {
            err = PL_ECORRUPT;
        }
    }
    if (err == PL_OK) {
        struct ranges r = {.range = range, .ctx = ctx};
        roaring_iterate(all, add_id, &r);
        if (r.any) {
            range(ctx, r.from, r.to);
        }
    }
    if (all) {
        roaring_bitmap_free(all);
    }
    pl__state_unref(s);
    return err;
}

int pl__db_stats(struct pl_engine_tenant *t, struct pl_engine_stats *out)
{
    struct pl_db_state *s = pl__state_get(t);
    struct pl_engine_stats x = {.t_min = INT64_MAX, .t_max = INT64_MIN};
    x.n_partitions = s->n_parts;
    x.n_runs = s->n_runs;
    for (size_t i = 0; i < s->n_runs; i++) {
        const struct pl_db_run_meta *m = &s->runs[i]->m;
        x.n_samples += m->n_samples;
        x.n_chunks += m->n_chunks;
        x.t_min = m->t_min < x.t_min ? m->t_min : x.t_min;
        x.t_max = m->t_max > x.t_max ? m->t_max : x.t_max;
    }
    pl__state_unref(s);
    int err = pl_disk_used(t->dir, &x.disk_bytes);
    if (err == PL_OK) {
        *out = x;
    }
    return err;
}
