/* Label names, and the sorted values of a name. Any thread. Texts are borrowed from the symbols
 * (see pl__series_borrow), so the caller is called without the lock. */
#include "core/store/series_impl.h"
#include <stdlib.h>

struct listed {
    pl_str s;
    uint32_t number;
};

static int by_text(const void *a, const void *b)
{
    return pl_str_cmp(((const struct listed *)a)->s, ((const struct listed *)b)->s);
}

int pl__series_sort(struct pl_series *s, struct pl__name *name)
{
    pl__series_read_lock(s);
    uint32_t n = name->n, sorted = name->n_sorted;
    struct listed *list = malloc((n + 1) * sizeof *list);
    for (uint32_t i = 0; list && i < n; i++) {
        list[i] = (struct listed){pl__pair_value(pl__pair(&s->y, name->pairs[i])), name->pairs[i]};
    }
    pthread_rwlock_unlock(&s->lock);
    if (!list) {
        return PL_ENOMEM;
    }
    if (sorted < n) {
        qsort(list, n, sizeof *list, by_text);
        pthread_rwlock_wrlock(&s->lock);
        if (name->n_sorted == sorted) { /* else another has sorted meanwhile */
            for (uint32_t i = 0; i < n; i++) {
                name->pairs[i] = list[i].number;
            }
            name->n_sorted = n;
        }
        pthread_rwlock_unlock(&s->lock);
    }
    free(list);
    return 0;
}

static void give(struct listed *list, size_t n, bool (*each)(void *ctx, pl_str s), void *ctx)
{
    qsort(list, n, sizeof *list, by_text);
    for (size_t i = 0; i < n; i++) {
        if (!each(ctx, list[i].s)) {
            return;
        }
    }
}

static bool any_of(const struct pl__posting *p, const roaring_bitmap_t *ids)
{
    if (!ids) {
        return p->n > 0;
    }
    bool owned;
    const roaring_bitmap_t *r = pl__posting_bitmap(p, &owned);
    bool any = r && roaring_bitmap_intersect(r, ids);
    if (owned && r) {
        roaring_bitmap_free((roaring_bitmap_t *)r);
    }
    return any;
}

int pl_series_names(struct pl_series *s, const uint32_t *ids, size_t n, bool all,
                    bool (*each)(void *ctx, pl_str s), void *ctx)
{
    roaring_bitmap_t *set = all ? NULL : roaring_bitmap_of_ptr(n, ids);
    if (!all && !set) {
        return PL_ENOMEM;
    }
    pl__series_borrow(s);
    pl__series_read_lock(s);
    struct listed *list = malloc((s->y.n_names + 1) * sizeof *list);
    size_t n_list = 0;
    for (uint32_t i = 0; list && i < s->y.n_names; i++) {
        if (any_of(&s->y.names[i]->has, set)) {
            list[n_list++] = (struct listed){s->y.names[i]->s, i};
        }
    }
    pthread_rwlock_unlock(&s->lock);
    if (list) {
        give(list, n_list, each, ctx);
    }
    pl__series_return(s);
    free(list);
    if (set) {
        roaring_bitmap_free(set);
    }
    return list ? 0 : PL_ENOMEM;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const struct listed *)a)->number, y = ((const struct listed *)b)->number;
    return (x > y) - (x < y);
}

/** Values that these ids have for a name, each once. The lock is held. */
static size_t values_of_ids(struct pl_series *s, uint32_t name, const uint32_t *ids, size_t n,
                            struct listed *list)
{
    uint32_t pairs[PL_LABELS_MAX];
    size_t found = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t n_pairs = pl__series_pairs(s, ids[i], pairs);
        for (uint32_t k = 0; k < n_pairs; k++) {
            const struct pl__pair *p = pl__pair(&s->y, pairs[k]);
            if (p->name == name && (found == 0 || list[found - 1].number != pairs[k])) {
                list[found++] = (struct listed){pl__pair_value(p), pairs[k]};
            }
        }
    }
    qsort(list, found, sizeof *list, by_number);
    for (size_t i = 0; i < found; i++) {
        if (i == 0 || list[i].number != list[kept - 1].number) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

int pl_series_values(struct pl_series *s, pl_str name, const uint32_t *ids, size_t n, bool all,
                     bool (*each)(void *ctx, pl_str s), void *ctx)
{
    uint32_t number;
    size_t n_list = 0;
    int rc = 0;
    pl__series_borrow(s);
    pl__series_read_lock(s);
    struct pl__name *of = pl__symbols_name(&s->y, name, &number) ? s->y.names[number] : NULL;
    size_t n_values = of ? of->n : 0;
    bool by_ids = !all && n < n_values * 4;
    struct listed *list = malloc(((by_ids ? n : n_values) + 1) * sizeof *list);
    roaring_bitmap_t *set = all || by_ids ? NULL : roaring_bitmap_of_ptr(n, ids);
    if (!list || (!all && !by_ids && !set)) {
        rc = PL_ENOMEM;
    } else if (by_ids) {
        n_list = values_of_ids(s, number, ids, n, list);
    } else {
        for (size_t i = 0; i < n_values; i++) {
            const struct pl__pair *p = pl__pair(&s->y, of->pairs[i]);
            if (any_of(&p->post, set)) {
                list[n_list++] = (struct listed){pl__pair_value(p), of->pairs[i]};
            }
        }
    }
    pthread_rwlock_unlock(&s->lock);
    if (rc >= 0) {
        give(list, n_list, each, ctx);
    }
    pl__series_return(s);
    free(list);
    if (set) {
        roaring_bitmap_free(set);
    }
    return rc;
}
