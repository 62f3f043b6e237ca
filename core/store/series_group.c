/* Groups of series by some of their labels, and labels of many series: what a query needs of label
 * sets without a string for each series. A group is a list of label numbers; neighbours mostly have
 * a name at the same place, which is looked at first. Any thread; the lock is held for a block of
 * series. */
#include "core/store/series_impl.h"
#include <stdlib.h>

#define BLOCK 1024 /* series under one lock */

struct grouping {
    struct pl_series *s;
    uint32_t *name;  /* numbers of the names, in their order */
    uint32_t *place; /* where each one stood last */
    size_t n;
    bool without;
    /* groups seen: lists of label numbers, one after another, and a table of them */
    uint32_t *key;
    size_t n_key, cap_key;
    struct group {
        uint64_t hash;
        size_t key;
        uint32_t n;
    } * group;
    uint32_t n_groups, cap_groups, *slot, cap_slots;
};

static void grouping_fini(struct grouping *g)
{
    free(g->name);
    free(g->place);
    free(g->key);
    free(g->group);
    free(g->slot);
}

static int by_text(const void *a, const void *b)
{
    return pl_str_cmp(*(const pl_str *)a, *(const pl_str *)b);
}

/** The names that any series has, in order, each once. Lock held. */
static int grouping_init(struct grouping *g, struct pl_series *s, const pl_str *names, size_t n,
                         bool without)
{
    *g = (struct grouping){.s = s, .without = without};
    g->name = malloc((n + 1) * sizeof *g->name);
    g->place = calloc(n + 1, sizeof *g->place);
    pl_str *sorted = malloc((n + 1) * sizeof *sorted);
    if (!g->name || !g->place || !sorted) {
        free(sorted);
        return PL_ENOMEM;
    }
    memcpy(sorted, names ? names : sorted, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 0; i < n; i++) {
        if ((i == 0 || !pl_str_eq(sorted[i], sorted[i - 1])) &&
            pl__symbols_name(&s->y, sorted[i], &g->name[g->n])) {
            g->n++;
        }
    }
    free(sorted);
    return 0;
}

static uint32_t name_of(const struct grouping *g, uint32_t pair)
{
    return pl__pair(&g->s->y, pair)->name;
}

/** Those of a series' n labels that make its group. */
static uint32_t pick(struct grouping *g, const uint32_t *pairs, uint32_t n, uint32_t *out)
{
    uint32_t k = 0;
    for (uint32_t i = 0; g->without && i < n; i++) {
        uint32_t name = name_of(g, pairs[i]);
        bool named = false;
        for (size_t j = 0; j < g->n && !named; j++) {
            named = g->name[j] == name;
        }
        out[k] = pairs[i];
        k += !named;
    }
    for (size_t j = 0; !g->without && j < g->n; j++) {
        uint32_t at = g->place[j];
        if (at >= n || name_of(g, pairs[at]) != g->name[j]) {
            for (at = 0; at < n && name_of(g, pairs[at]) != g->name[j]; at++) {
            }
        }
        if (at < n) {
            g->place[j] = at;
            out[k++] = pairs[at];
        }
    }
    return k;
}

static int slots_grow(struct grouping *g)
{
    uint32_t cap = g->cap_slots ? g->cap_slots * 2 : 64;
    uint32_t *slot = calloc(cap, sizeof *slot);
    if (!slot) {
        return PL_ENOMEM;
    }
    for (uint32_t i = 0; i < g->n_groups; i++) {
        uint32_t at = (uint32_t)g->group[i].hash & (cap - 1);
        while (slot[at]) {
            at = (at + 1) & (cap - 1);
        }
        slot[at] = i + 1;
    }
    free(g->slot);
    g->slot = slot;
    g->cap_slots = cap;
    return 0;
}

static int group_add(struct grouping *g, const uint32_t *pairs, uint32_t n, uint64_t hash)
{
    if (g->n_groups == g->cap_groups) {
        uint32_t cap = g->cap_groups ? g->cap_groups * 2 : 32;
        struct group *more = realloc(g->group, cap * sizeof *more);
        if (!more) {
            return PL_ENOMEM;
        }
        g->group = more;
        g->cap_groups = cap;
    }
    if (g->n_key + n > g->cap_key) {
        size_t cap = g->cap_key * 2 + n + 64;
        uint32_t *more = realloc(g->key, cap * sizeof *more);
        if (!more) {
            return PL_ENOMEM;
        }
        g->key = more;
        g->cap_key = cap;
    }
    memcpy(g->key + g->n_key, pairs, n * sizeof *pairs);
    g->group[g->n_groups++] = (struct group){hash, g->n_key, n};
    g->n_key += n;
    return 0;
}

/** Number of the group of these labels; *fresh: it is new. PL_ENOMEM. */
static int64_t group_of(struct grouping *g, const uint32_t *pairs, uint32_t n, bool *fresh)
{
    uint64_t hash = pl_hash64(pairs, n * sizeof *pairs, 0);
    if (g->n_groups * 2 >= g->cap_slots && slots_grow(g) < 0) {
        return PL_ENOMEM;
    }
    uint32_t at = (uint32_t)hash & (g->cap_slots - 1);
    for (; g->slot[at]; at = (at + 1) & (g->cap_slots - 1)) {
        const struct group *x = &g->group[g->slot[at] - 1];
        /* (no labels have no address: comparing none of them there is slow) */
        if (x->hash == hash && x->n == n &&
            (n == 0 || !memcmp(g->key + x->key, pairs, n * sizeof *pairs))) {
            *fresh = false;
            return g->slot[at] - 1;
        }
    }
    if (group_add(g, pairs, n, hash) < 0) {
        return PL_ENOMEM;
    }
    *fresh = true;
    g->slot[at] = g->n_groups;
    return g->n_groups - 1;
}

static void put_labels(const struct pl_series *s, const uint32_t *pairs, uint32_t n,
                       struct pl_buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct pl__pair *p = pl__pair(&s->y, pairs[i]);
        pl_buf_add(out, p->label, p->n_label);
    }
}

/** A block of series. Lock held. */
static int group_block(struct grouping *g, const uint32_t *ids, size_t n, uint32_t *group,
                       struct pl_buf *labels, struct pl_buf *ends)
{
    uint32_t pairs[PL_LABELS_MAX], key[PL_LABELS_MAX];
    for (size_t i = 0; i < n; i++) {
        bool fresh = false;
        uint32_t k = pick(g, pairs, pl__series_pairs(g->s, ids[i], pairs), key);
        int64_t number = group_of(g, key, k, &fresh);
        if (number < 0) {
            return PL_ENOMEM;
        }
        group[i] = (uint32_t)number;
        if (fresh) {
            put_labels(g->s, key, k, labels);
            size_t end = labels->n;
            pl_buf_add(ends, &end, sizeof end);
        }
    }
    return labels->failed || ends->failed ? PL_ENOMEM : 0;
}

int pl_series_group(struct pl_series *s, const uint32_t *ids, size_t n, const pl_str *names,
                    size_t n_names, bool without, uint32_t *group, struct pl_buf *labels,
                    struct pl_buf *ends)
{
    struct grouping g;
    pl__series_borrow(s); /* label numbers stay what they are between the blocks */
    pl__series_read_lock(s);
    int rc = grouping_init(&g, s, names, n_names, without);
    for (size_t i = 0; i < n && rc >= 0; i += BLOCK) {
        if (i > 0) {
            pthread_rwlock_unlock(&s->lock);
            pthread_rwlock_rdlock(&s->lock);
        }
        rc = group_block(&g, ids + i, n - i < BLOCK ? n - i : BLOCK, group + i, labels, ends);
    }
    pthread_rwlock_unlock(&s->lock);
    pl__series_return(s);
    grouping_fini(&g);
    return rc;
}

int pl_series_labels_of(struct pl_series *s, const uint32_t *ids, size_t n, struct pl_buf *out,
                        size_t *ends)
{
    uint32_t pairs[PL_LABELS_MAX];
    bool known = true;
    for (size_t i = 0; i < n && known && !out->failed; i += BLOCK) {
        size_t to = n - i < BLOCK ? n : i + BLOCK;
        pthread_rwlock_rdlock(&s->lock);
        for (size_t k = i; k < to && known; k++) {
            uint32_t count = pl__series_pairs(s, ids[k], pairs);
            known = count > 0;
            put_labels(s, pairs, count, out);
            ends[k] = out->n;
        }
        pthread_rwlock_unlock(&s->lock);
    }
    return out->failed ? PL_ENOMEM : known ? 0 : PL_ENOTFOUND;
}
