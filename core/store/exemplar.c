/* Exemplars: slots in order of arrival, a ring once `max` of them are there. To find the newest of
 * a series there is a table of chains by id, newest first; a slot that is used again is taken out
 * of its chain. A query looks at all slots, which is a millisecond for 100,000 of them. They live
 * in memory only: after a restart there are none, as in Prometheus without its snapshots.
 *
 * Threads: the apply thread adds, any thread reads; all under the lock. */
#include "core/store/exemplar.h"
#include "core/store/tenant.h"
#include <stdlib.h>

#define NONE        UINT32_MAX
#define LABELS_MAX  128 /* characters of all names and values, as in Prometheus and OpenMetrics */
#define FIRST_SLOTS 256
#define BATCH_MAX   100000 /* exemplars of one batch: more are left out */

struct slot {
    struct pl_exemplar_entry e; /* labels: malloc'ed */
    uint32_t next, prev;        /* in its chain */
};

struct pl_exemplars {
    pthread_mutex_t lock; /* a leaf; of all below */
    struct slot *slot;
    uint32_t *chain; /* by id, newest first */
    uint32_t n, cap, max, oldest;
};

int pl_exemplars_new(uint32_t max, struct pl_exemplars **out)
{
    struct pl_exemplars *x = calloc(1, sizeof *x);
    if (!x) {
        return PL_ENOMEM;
    }
    pthread_mutex_init(&x->lock, NULL);
    x->max = max;
    *out = x;
    return 0;
}

void pl_exemplars_free(struct pl_exemplars *x)
{
    if (!x) {
        return;
    }
    for (uint32_t i = 0; i < x->n; i++) {
        free((char *)x->slot[i].e.labels.p);
    }
    free(x->slot);
    free(x->chain);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* Chains are as many as slots, a power of two. */
static uint32_t *chain_of(struct pl_exemplars *x, uint32_t id)
{
    return &x->chain[(id * 2654435761u) >> 7 & (x->cap - 1)];
}

static void enter(struct pl_exemplars *x, uint32_t i)
{
    uint32_t *head = chain_of(x, x->slot[i].e.id);
    x->slot[i].prev = NONE;
    x->slot[i].next = *head;
    if (*head != NONE) {
        x->slot[*head].prev = i;
    }
    *head = i;
}

static void leave(struct pl_exemplars *x, uint32_t i)
{
    struct slot *s = &x->slot[i];
    *(s->prev == NONE ? chain_of(x, s->e.id) : &x->slot[s->prev].next) = s->next;
    if (s->next != NONE) {
        x->slot[s->next].prev = s->prev;
    }
}

/* Room for one more slot: the chains are made anew, in the order of arrival. */
static int grow(struct pl_exemplars *x)
{
    uint32_t cap = x->cap ? 2 * x->cap : FIRST_SLOTS;
    struct slot *slot = realloc(x->slot, cap * sizeof *slot);
    if (!slot) {
        return PL_ENOMEM;
    }
    x->slot = slot;
    uint32_t *chain = malloc(cap * sizeof *chain);
    if (!chain) {
        return PL_ENOMEM;
    }
    free(x->chain);
    x->chain = chain;
    x->cap = cap;
    memset(chain, 0xff, cap * sizeof *chain);
    for (uint32_t i = 0; i < x->n; i++) {
        enter(x, i);
    }
    return 0;
}

/* Is it new to its series? */
static bool is_later(struct pl_exemplars *x, const struct pl_exemplar_entry *e)
{
    uint32_t i = x->cap ? *chain_of(x, e->id) : NONE;
    while (i != NONE && x->slot[i].e.id != e->id) {
        i = x->slot[i].next;
    }
    if (i == NONE) {
        return true;
    }
    const struct pl_exemplar_entry *newest = &x->slot[i].e;
    bool same = e->t == newest->t && pl_f64_bits(e->v) == pl_f64_bits(newest->v) &&
                pl_str_eq(e->labels, newest->labels);
    return e->t >= newest->t && !same;
}

static int add(struct pl_exemplars *x, const struct pl_exemplar_entry *e)
{
    if (!x->max || !is_later(x, e)) {
        return 0;
    }
    if (x->n == x->cap && x->n < x->max && grow(x) < 0) {
        return PL_ENOMEM;
    }
    char *labels = malloc(e->labels.n + 1);
    if (!labels) {
        return PL_ENOMEM;
    }
    if (e->labels.n) {
        memcpy(labels, e->labels.p, e->labels.n);
    }
    uint32_t i = x->n;
    if (x->n < x->max) {
        x->n++;
    } else {
        i = x->oldest;
        x->oldest = i + 1 == x->max ? 0 : i + 1;
        leave(x, i);
        free((char *)x->slot[i].e.labels.p);
    }
    x->slot[i].e = *e;
    x->slot[i].e.labels = pl_str_mem(labels, e->labels.n);
    enter(x, i);
    return 1;
}

int pl_exemplars_add(struct pl_exemplars *x, const struct pl_exemplar_entry *e)
{
    pthread_mutex_lock(&x->lock);
    int rc = add(x, e);
    pthread_mutex_unlock(&x->lock);
    return rc;
}

size_t pl_exemplars_count(struct pl_exemplars *x)
{
    pthread_mutex_lock(&x->lock);
    size_t n = x->n;
    pthread_mutex_unlock(&x->lock);
    return n;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_series_and_time(const void *a, const void *b)
{
    const struct pl_exemplar_entry *x = a, *y = b;
    int c = by_id(&x->id, &y->id);
    c = c ? c : (x->t > y->t) - (x->t < y->t);
    return c ? c : (x->v > y->v) - (x->v < y->v);
}

int pl_exemplars_find(struct pl_exemplars *x, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                      struct pl_arena *a, struct pl_exemplar_entry **out, size_t *n_out)
{
    int rc = 0;
    size_t found = 0;
    pthread_mutex_lock(&x->lock);
    struct pl_exemplar_entry *list = pl_arena_alloc(a, (x->n + 1) * sizeof *list);
    for (uint32_t i = 0; list && i < x->n && rc == 0; i++) {
        const struct pl_exemplar_entry *e = &x->slot[i].e;
        if (e->t >= t0 && e->t <= t1 && n && bsearch(&e->id, ids, n, sizeof *ids, by_id)) {
            list[found] = *e;
            list[found].labels = pl_arena_dup(a, e->labels);
            rc = list[found++].labels.p ? 0 : PL_ENOMEM;
        }
    }
    pthread_mutex_unlock(&x->lock);
    if (!list || rc < 0) {
        return PL_ENOMEM;
    }
    qsort(list, found, sizeof *list, by_series_and_time);
    *out = list;
    *n_out = found;
    return 0;
}

/* ------------------------------------------------------------------------------------- the doors
 */

static size_t characters(pl_str canon)
{
    struct pl_label l;
    size_t n = 0;
    while (pl_labels_next(&canon, &l)) {
        for (size_t i = 0; i < l.name.n; i++) {
            n += ((unsigned char)l.name.p[i] & 0xc0) != 0x80;
        }
        for (size_t i = 0; i < l.value.n; i++) {
            n += ((unsigned char)l.value.p[i] & 0xc0) != 0x80;
        }
    }
    return n;
}

int pl_batch_exemplar(struct pl_batch *b, uint32_t id, pl_str labels, int64_t t, double v)
{
    struct pl_batch_more *more = b->more;
    struct pl_store *s = b->tenant->s;
    if (!s->conf.max_exemplars) {
        return 0;
    }
    if (t < b->t_min || t > b->t_max || characters(labels) > LABELS_MAX ||
        more->n_exemplars >= BATCH_MAX) {
        pl_count(s->n_exemplars_dropped, 1);
        return 0;
    }
    if (pl_grow(&more->exemplars, more->n_exemplars, &more->cap_exemplars,
                sizeof *more->exemplars) < 0) {
        return PL_ENOMEM;
    }
    pl_str copy = pl_arena_dup(&more->arena, labels);
    if (!copy.p) {
        return PL_ENOMEM;
    }
    more->exemplars[more->n_exemplars++] = (struct pl_exemplar_entry){id, copy, t, v};
    return 0;
}

void pl__batch_exemplars(struct pl_batch *b)
{
    struct pl_store *s = b->tenant->s;
    for (size_t i = 0; i < b->more->n_exemplars; i++) {
        int rc = pl_exemplars_add(b->tenant->exemplars, &b->more->exemplars[i]);
        pl_count(rc > 0 ? s->n_exemplars : s->n_exemplars_dropped, 1);
    }
}

/* A series that has some, to be put in the order of labels. */
struct owner {
    pl_str labels;
    size_t first, n;
};

static int by_labels(const void *a, const void *b)
{
    return pl_labels_cmp(((const struct owner *)a)->labels, ((const struct owner *)b)->labels);
}

/* The owners of n entries that stand by id. Series that have ended are left out. */
static int owners(struct pl_tenant *t, const struct pl_exemplar_entry *list, size_t n,
                  struct pl_arena *a, struct owner **out, size_t *n_out)
{
    struct owner *o = pl_arena_alloc(a, (n + 1) * sizeof *o);
    struct pl_buf labels = PL_BUF_INIT;
    size_t found = 0;
    int rc = o ? 0 : PL_ENOMEM;
    for (size_t i = 0, next; rc == 0 && i < n; i = next) {
        for (next = i + 1; next < n && list[next].id == list[i].id; next++) {
        }
        pl_buf_clear(&labels);
        rc = pl_tenant_labels(t, list[i].id, &labels);
        if (rc == PL_ENOTFOUND) {
            rc = 0;
        } else if (rc >= 0) {
            o[found] = (struct owner){pl_arena_dup(a, pl_buf_view(&labels)), i, next - i};
            rc = o[found++].labels.p ? 0 : PL_ENOMEM;
        }
    }
    pl_buf_fini(&labels);
    if (rc == 0) {
        qsort(o, found, sizeof *o, by_labels);
        *out = o;
        *n_out = found;
    }
    return rc;
}

int pl_tenant_exemplars(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel,
                        int64_t t0, int64_t t1,
                        bool (*each)(void *ctx, const struct pl_exemplar *e), void *ctx)
{
    struct pl_arena a;
    uint32_t *ids = NULL;
    size_t n = 0, n_list = 0, n_owners = 0;
    struct pl_exemplar_entry *list = NULL;
    struct owner *o = NULL;
    pl_arena_init(&a, 0);
    int rc = pl_series_find(t->series, sel, n_sel, &ids, &n);
    rc = rc < 0 ? rc : pl_exemplars_find(t->exemplars, ids, n, t0, t1, &a, &list, &n_list);
    rc = rc < 0 ? rc : owners(t, list, n_list, &a, &o, &n_owners);
    for (size_t i = 0; rc == 0 && i < n_owners; i++) {
        for (size_t k = 0; k < o[i].n; k++) {
            const struct pl_exemplar_entry *e = &list[o[i].first + k];
            struct pl_exemplar given = {o[i].labels, e->labels, e->t, e->v, k == 0};
            if (!each(ctx, &given)) {
                n_owners = i;
                break;
            }
        }
    }
    free(ids);
    pl_arena_fini(&a);
    return rc;
}
