/* States: which runs, partitions and tombstones count. A state is immutable; a commit makes the
 * next one and swaps the pointer, views keep the one they began with. A partition that no state and
 * no view names any more takes its files with it. Any thread. */
#include "core/store/db.h"
#include <stdlib.h>

void pl__run_ref(struct pl_db_run *r) { atomic_fetch_add(&r->refs, 1); }

void pl__run_unref(struct pl_db_run *r)
{
    if (r && atomic_fetch_sub(&r->refs, 1) == 1) {
        roaring_bitmap_t *ids = atomic_load(&r->ids);
        if (ids) {
            roaring_bitmap_free(ids);
        }
        pl__part_unref(r->part);
        free(r);
    }
}

int pl__run_new(struct pl_db_part *p, const struct pl_db_run_meta *m, roaring_bitmap_t *ids,
                struct pl_db_run **out)
{
    struct pl_db_run *r = malloc(sizeof *r);
    if (!r) {
        return PL_ENOMEM;
    }
    pl__part_ref(p);
    *r = (struct pl_db_run){.part = p, .m = *m};
    atomic_init(&r->refs, 1);
    atomic_init(&r->ids, ids);
    *out = r;
    return PL_OK;
}

void pl__tomb_ref(struct pl_db_tomb *x) { atomic_fetch_add(&x->refs, 1); }

void pl__tomb_unref(struct pl_db_tomb *x)
{
    if (x && atomic_fetch_sub(&x->refs, 1) == 1) {
        if (x->ids) {
            roaring_bitmap_free(x->ids);
        }
        free(x);
    }
}

int pl__state_new(struct pl_db_state **out)
{
    struct pl_db_state *s = calloc(1, sizeof *s);
    if (!s) {
        return PL_ENOMEM;
    }
    atomic_init(&s->refs, 1);
    *out = s;
    return PL_OK;
}

void pl__state_unref(struct pl_db_state *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < s->n_runs; i++) {
        pl__run_unref(s->runs[i]);
    }
    for (size_t i = 0; i < s->n_parts; i++) {
        pl__part_unref(s->parts[i]);
    }
    for (size_t i = 0; i < s->n_tombs; i++) {
        pl__tomb_unref(s->tombs[i]);
    }
    free(s->runs);
    free(s->parts);
    free(s->tombs);
    free(s);
}

struct pl_db_state *pl__state_get(struct pl_engine_tenant *t)
{
    pthread_mutex_lock(&t->lock);
    struct pl_db_state *s = t->state;
    atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&t->lock);
    return s;
}

static int by_day_and_number(const void *a, const void *b)
{
    const struct pl_db_run *x = *(struct pl_db_run *const *)a, *y = *(struct pl_db_run *const *)b;
    if (x->part->day != y->part->day) {
        return x->part->day < y->part->day ? -1 : 1;
    }
    return (x->m.number > y->m.number) - (x->m.number < y->m.number);
}

static int by_part_number(const void *a, const void *b)
{
    const struct pl_db_part *x = *(struct pl_db_part *const *)a,
                            *y = *(struct pl_db_part *const *)b;
    return (x->number > y->number) - (x->number < y->number);
}

static bool has_part(struct pl_db_part *const *parts, size_t n, const struct pl_db_part *p)
{
    for (size_t i = 0; i < n; i++) {
        if (parts[i] == p) {
            return true;
        }
    }
    return false;
}

static void keep_part(struct pl_db_state *s, struct pl_db_part *p)
{
    pl__part_ref(p);
    s->parts[s->n_parts++] = p;
}

static void keep_run(struct pl_db_state *s, struct pl_db_run *r)
{
    pl__run_ref(r);
    s->runs[s->n_runs++] = r;
}

static bool drops_tomb(const struct pl_db_change *c, const struct pl_db_tomb *x)
{
    for (size_t i = 0; i < c->n_drop_tombs; i++) {
        if (c->drop_tombs[i] == x) {
            return true;
        }
    }
    return false;
}

int pl__state_next(const struct pl_db_state *s, const struct pl_db_change *c,
                   struct pl_db_state **out)
{
    struct pl_db_state *next;
    int err = pl__state_new(&next);
    if (err < 0) {
        return err;
    }
    next->runs = calloc(s->n_runs + c->n_add + 1, sizeof *next->runs);
    next->parts = calloc(s->n_parts + c->n_add + 1, sizeof *next->parts);
    next->tombs = calloc(s->n_tombs + 1, sizeof *next->tombs);
    if (!next->runs || !next->parts || !next->tombs) {
        pl__state_unref(next);
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < s->n_parts; i++) {
        if (!has_part(c->drop_parts, c->n_drop, s->parts[i])) {
            keep_part(next, s->parts[i]);
        }
    }
    for (size_t i = 0; i < s->n_runs; i++) {
        if (!has_part(c->drop_parts, c->n_drop, s->runs[i]->part)) {
            keep_run(next, s->runs[i]);
        }
    }
    for (size_t i = 0; i < c->n_add; i++) {
        keep_run(next, c->add_runs[i]);
        if (!has_part(next->parts, next->n_parts, c->add_runs[i]->part)) {
            keep_part(next, c->add_runs[i]->part);
        }
    }
    for (size_t i = 0; i < s->n_tombs; i++) {
        if (!drops_tomb(c, s->tombs[i])) {
            pl__tomb_ref(s->tombs[i]);
            next->tombs[next->n_tombs++] = s->tombs[i];
        }
    }
    if (c->add_tomb) {
        pl__tomb_ref(c->add_tomb);
        next->tombs[next->n_tombs++] = c->add_tomb;
    }
    qsort(next->runs, next->n_runs, sizeof *next->runs, by_day_and_number);
    qsort(next->parts, next->n_parts, sizeof *next->parts, by_part_number);
    *out = next;
    return PL_OK;
}

bool pl__tomb_hits(const struct pl_db_tomb *x, struct pl_db_run *r)
{
    if (x->number <= r->m.tomb || r->m.last_seq > x->seq || r->m.t_min > x->t1 ||
        r->m.t_max < x->t0) {
        return false;
    }
    const roaring_bitmap_t *ids = pl__run_ids(r);
    return !ids || roaring_bitmap_intersect(ids, x->ids);
}
