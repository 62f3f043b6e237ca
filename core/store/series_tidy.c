/* What series leave behind when they are dropped: labels that belong to none any more. They are not
 * forgotten one by one (others borrow them without the lock), so under churn they would pile up
 * until the next start. Where half of them are garbage, the tables are made anew without them:
 * beside the old ones, which are only read meanwhile, and put in their place under the lock when
 * nobody borrows. Apply thread. */
#include "core/store/series_impl.h"
#include <stdlib.h>

#define PAIRS_LEAST 4096 /* fewer are not worth it */
#define GONE        UINT32_MAX

struct tidying {
    struct pl_series *s;
    struct pl__symbols y;
    struct pl__labels labels;
    uint32_t *number; /* of an old pair, its new one, or GONE */
};

static bool half_garbage(const struct pl_series *s)
{
    uint32_t live = 0;
    if (s->y.n_pairs < PAIRS_LEAST) {
        return false;
    }
    for (uint32_t i = 0; i < s->y.n_pairs; i++) {
        live += pl__pair(&s->y, i)->post.n > 0;
    }
    return live < s->y.n_pairs / 2;
}

static int copy_pair(struct tidying *x, uint32_t pair)
{
    const struct pl__pair *p = pl__pair(&x->s->y, pair);
    return pl__symbols_intern(&x->y, p->label, p->n_label, x->s->y.names[p->name]->s,
                              &x->number[pair]);
}

/** Living labels, in the order they had. */
static int copy_pairs(struct tidying *x)
{
    const struct pl__symbols *old = &x->s->y;
    int rc = 0;
    for (uint32_t i = 0; i < old->n_pairs && rc >= 0; i++) {
        x->number[i] = GONE;
        rc = pl__pair(old, i)->post.n ? copy_pair(x, i) : 0;
    }
    return rc;
}

static int copy_labels(struct tidying *x)
{
    const struct pl__labels *old = &x->s->labels;
    uint32_t pairs[PL_LABELS_MAX];
    int rc = 0;
    for (uint32_t page = 0; page < old->n_pages; page++) {
        for (uint32_t i = 0; old->pages[page] && i < PL__ID_PAGE && rc >= 0; i++) {
            uint32_t id = page * PL__ID_PAGE + i, n = pl__labels_get(old, id, pairs);
            for (uint32_t k = 0; k < n && rc >= 0; k++) {
                /* in no list only where memory for that was short */
                rc = x->number[pairs[k]] == GONE ? copy_pair(x, pairs[k]) : 0;
                pairs[k] = x->number[pairs[k]];
            }
            rc = rc < 0 ? rc : n ? pl__labels_put(&x->labels, id, pairs, n) : 0;
        }
    }
    return rc;
}

/** Posting lists move over. Lock held for writing. */
static void swap(struct tidying *x)
{
    struct pl_series *s = x->s;
    pl__postings_settle(&s->un);
    for (uint32_t i = 0; i < s->y.n_pairs; i++) {
        if (x->number[i] != GONE) {
            struct pl__pair *from = pl__pair(&s->y, i);
            pl__pair(&x->y, x->number[i])->post = from->post;
            from->post = (struct pl__posting){0};
        }
    }
    for (uint32_t i = 0; i < x->y.n_names; i++) {
        uint32_t before = 0;
        if (pl__symbols_name(&s->y, x->y.names[i]->s, &before)) {
            x->y.names[i]->has = s->y.names[before]->has;
            s->y.names[before]->has = (struct pl__posting){0};
        }
    }
    struct pl__symbols y = s->y;
    struct pl__labels labels = s->labels;
    s->y = x->y;
    s->labels = x->labels;
    x->y = y;
    x->labels = labels;
    s->posting_count = 0; /* count again */
}

void pl__series_tidy(struct pl_series *s)
{
    struct tidying x = {.s = s};
    if (!s->untidy || atomic_load(&s->borrowers)) {
        return;
    }
    s->untidy = half_garbage(s);
    if (!s->untidy) {
        return;
    }
    x.number = malloc(s->y.n_pairs * sizeof *x.number);
    int rc = x.number ? copy_pairs(&x) : PL_ENOMEM;
    rc = rc < 0 ? rc : copy_labels(&x);
    if (rc >= 0) {
        pthread_rwlock_wrlock(&s->lock);
        /* Who borrows from now on has nothing before the lock is free. */
        if (!atomic_load(&s->borrowers)) {
            swap(&x);
            s->untidy = false;
        }
        pthread_rwlock_unlock(&s->lock);
    }
    pl__symbols_fini(&x.y);
    pl__labels_fini(&x.labels);
    free(x.number);
}
