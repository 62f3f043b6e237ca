/* Groups of series by some of their labels, and labels of many series: what a query needs of label
 * sets without a string for each series. A group is a list of label numbers; neighbours mostly have
 * a name at the same place, which is looked at first. Where names have few values beside the
 * series, the posting lists of these say for all series which one they have, without looking at a
 * label. Any thread; the lock is held for a block of series, or of a list. */
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
    if (g->n_key + n >= g->cap_key) {
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

/* ------------------------------------------------------------------ by posting lists */

#define LISTS_FROM  256        /* series; fewer are looked at one by one */
#define LISTS_CELLS (1u << 20) /* groups x values of one name at most */
#define LISTS_LOCK  65536      /* ids under one lock */

/** Where each id stands among those that are grouped. */
struct places {
    uint32_t first;
    size_t span, done; /* done: ids walked through since the lock was taken */
    uint32_t *at;      /* NULL: there is no gap between them */
};

/** Do the values of the names stand in few lists, not much longer than the ids? Lock held. */
static bool lists_pay(const struct grouping *g, const uint32_t *ids, size_t n)
{
    if (g->without || n < LISTS_FROM || (ids[n - 1] - ids[0]) / 4 > n) {
        return false;
    }
    for (size_t j = 0; j < g->n; j++) {
        const struct pl__name *name = g->s->y.names[g->name[j]];
        if (name->n > n / 16 || name->has.n / 4 > n) {
            return false;
        }
    }
    return true;
}

static int places_init(struct places *p, const uint32_t *ids, size_t n)
{
    *p = (struct places){.first = ids[0], .span = (size_t)(ids[n - 1] - ids[0]) + 1};
    if (p->span == n) {
        return 0;
    }
    p->at = malloc(p->span * sizeof *p->at);
    if (!p->at) {
        return PL_ENOMEM;
    }
    memset(p->at, 0xff, p->span * sizeof *p->at);
    for (size_t i = 0; i < n; i++) {
        p->at[ids[i] - p->first] = (uint32_t)i;
    }
    return 0;
}

static void mark_ids(struct places *p, const uint32_t *ids, size_t n, uint32_t value, uint32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t x = ids[i] - p->first; /* wraps where it is less */
        if (x < p->span && (!p->at || p->at[x] != UINT32_MAX)) {
            out[p->at ? p->at[x] : x] = value;
        }
    }
    p->done += n;
}

/** out[i] = value for the series of a list. Lock held. */
static void mark_list(struct places *p, const struct pl__posting *post, uint32_t value,
                      uint32_t *out)
{
    const uint32_t *list = pl__posting_list(post);
    uint32_t block[1024], n;
    if (list) {
        mark_ids(p, list, post->n, value, out);
        return;
    }
    roaring_uint32_iterator_t it;
    roaring_init_iterator(post->u.big->r, &it);
    roaring_move_uint32_iterator_equalorlarger(&it, p->first);
    while ((n = roaring_read_uint32_iterator(&it, block, 1024)) > 0 &&
           block[0] - p->first < p->span) {
        mark_ids(p, block, n, value, out);
    }
}

/** Which value of a name each series has: its place among them and one; 0: none. Lock held, and
 *  given up in between. */
static void mark_values(struct grouping *g, const struct pl__name *name, struct places *p,
                        uint32_t n_values, uint32_t *out)
{
    for (uint32_t k = 0; k < n_values; k++) {
        mark_list(p, &pl__pair(&g->s->y, name->pairs[k])->post, k + 1, out);
        if (p->done > LISTS_LOCK) {
            p->done = 0;
            pthread_rwlock_unlock(&g->s->lock);
            pl__series_read_lock(g->s);
        }
    }
}

/** Groups made of what the names before gave and the values of one more, numbered as they come up:
 *  of[i] and value[i] -> of[i]. Of each group: the one before and the value. */
static size_t refine(uint32_t *of, const uint32_t *value, size_t n, size_t n_values,
                     uint32_t *number, uint32_t *made_of)
{
    size_t n_groups = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t *x = &number[of[i] * (n_values + 1) + value[i]];
        if (*x == 0) {
            made_of[2 * n_groups] = of[i];
            made_of[2 * n_groups + 1] = value[i];
            *x = (uint32_t)++n_groups;
        }
        of[i] = *x - 1;
    }
    return n_groups;
}

/** Groups of one more name, as lists of labels. Lock held. 0, 1: too many, PL_ENOMEM. */
static int group_more(struct grouping *g, uint32_t name_number, struct places *p, uint32_t *of,
                      uint32_t *value, size_t n)
{
    const struct pl__name *name = g->s->y.names[name_number];
    uint32_t n_values = name->n; /* later ones are of series that are not among these */
    size_t cells = (size_t)g->n_groups * (n_values + 1);
    if (cells > LISTS_CELLS) {
        return 1;
    }
    memset(value, 0, n * sizeof *value);
    mark_values(g, name, p, n_values, value);
    struct grouping next = {.s = g->s};
    uint32_t *number = calloc(cells, sizeof *number);
    uint32_t *made_of = malloc(2 * cells * sizeof *made_of), key[PL_LABELS_MAX];
    size_t n_groups = 0;
    int rc = number && made_of ? 0 : PL_ENOMEM;
    if (rc == 0) {
        n_groups = refine(of, value, n, n_values, number, made_of);
    }
    for (size_t i = 0; i < n_groups && rc == 0; i++) {
        const struct group *x = &g->group[made_of[2 * i]];
        uint32_t v = made_of[2 * i + 1], k = x->n;
        memcpy(key, g->key + x->key, k * sizeof *key);
        if (v) {
            key[k++] = name->pairs[v - 1];
        }
        rc = group_add(&next, key, k, 0);
    }
    free(number);
    free(made_of);
    free(g->key);
    free(g->group);
    g->key = next.key, g->n_key = next.n_key, g->cap_key = next.cap_key;
    g->group = next.group, g->n_groups = next.n_groups, g->cap_groups = next.cap_groups;
    return rc;
}

/** All series at once. Lock held, and given up in between. 0, 1: this is not the way, PL_ENOMEM. */
static int group_by_lists(struct grouping *g, const uint32_t *ids, size_t n, uint32_t *group,
                          struct pl_buf *labels, struct pl_buf *ends)
{
    struct places p = {0};
    uint32_t *value = NULL;
    int rc = group_add(g, ids, 0, 0); /* one of all, without labels */
    memset(group, 0, n * sizeof *group);
    if (rc == 0 && g->n) {
        rc = places_init(&p, ids, n);
        value = malloc(n * sizeof *value);
        rc = value ? rc : PL_ENOMEM;
    }
    for (size_t j = 0; j < g->n && rc == 0; j++) {
        rc = group_more(g, g->name[j], &p, group, value, n);
    }
    for (size_t i = 0; i < g->n_groups && rc == 0; i++) {
        put_labels(g->s, g->key + g->group[i].key, g->group[i].n, labels);
        size_t end = labels->n;
        pl_buf_add(ends, &end, sizeof end);
    }
    free(p.at);
    free(value);
    g->n_groups = 0;
    g->n_key = 0;
    return rc ? rc : labels->failed || ends->failed ? PL_ENOMEM : 0;
}

int pl_series_group(struct pl_series *s, const uint32_t *ids, size_t n, const pl_str *names,
                    size_t n_names, bool without, uint32_t *group, struct pl_buf *labels,
                    struct pl_buf *ends)
{
    struct grouping g;
    pl__series_borrow(s); /* label numbers stay what they are between the blocks */
    pl__series_read_lock(s);
    int rc = grouping_init(&g, s, names, n_names, without);
    bool lists = rc >= 0 && n > 0 && ((g.n == 0 && !without) || lists_pay(&g, ids, n));
    rc = lists ? group_by_lists(&g, ids, n, group, labels, ends) : rc < 0 ? rc : 1;
    for (size_t i = 0; i < n && rc == 1; i += BLOCK) {
        if (i > 0) {
            pthread_rwlock_unlock(&s->lock);
            pthread_rwlock_rdlock(&s->lock);
        }
        int err = group_block(&g, ids + i, n - i < BLOCK ? n - i : BLOCK, group + i, labels, ends);
        rc = err < 0 ? err : rc;
    }
    rc = rc < 0 ? rc : 0;
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
