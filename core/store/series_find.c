/* Matchers -> ids. Any thread; the lock is held for reading while lists are combined, not while a
 * regular expression looks at values.
 *
 * A matcher that does not match the empty string keeps the series of the values it matches; one
 * that does takes away those of the values it does not match (so that series without the label
 * stay). Equality, literal alternations and "any value" need posting lists only and go first, the
 * smallest first. The other regular expressions then look at the values of what is left, or at all
 * values of the name where these are fewer (only those with the pattern's literal prefix). */
#include "core/store/series_impl.h"
#include <stdlib.h>

/* One matcher of a selector. */
struct term {
    const struct pl_matcher *m;
    bool take;  /* keep what matches; else take away what does not */
    bool lists; /* posting lists alone say it: those of the pairs, or of the name (has) */
    bool has;
    struct pl__name *name; /* NULL: no series has it */
    uint32_t *pairs;
    size_t n_pairs;
    uint64_t n; /* series in the lists */
};

static int add_pair(struct term *t, uint32_t pair)
{
    uint32_t *more = realloc(t->pairs, (t->n_pairs + 1) * sizeof *more);
    if (!more) {
        return PL_ENOMEM;
    }
    t->pairs = more;
    t->pairs[t->n_pairs++] = pair;
    return 0;
}

/** Add the list of one literal value, once. */
static int add_value(struct pl_series *s, struct term *t, pl_str value)
{
    uint32_t pair;
    if (!pl__symbols_find(&s->y, t->m->name, value, &pair)) {
        return 0;
    }
    for (size_t i = 0; i < t->n_pairs; i++) {
        if (t->pairs[i] == pair) {
            return 0;
        }
    }
    t->n += pl__pair(&s->y, pair)->post.n;
    return add_pair(t, pair);
}

/** What a matcher needs. Lock held. */
static int term_init(struct pl_series *s, const struct pl_matcher *m, struct term *t)
{
    uint32_t number;
    *t = (struct term){.m = m};
    t->take = !pl_matcher_value(m, (pl_str){"", 0});
    if (pl__symbols_name(&s->y, m->name, &number)) {
        t->name = s->y.names[number];
    }
    bool regex = m->kind == PL_MATCH_RE || m->kind == PL_MATCH_NRE;
    bool negative = m->kind == PL_MATCH_NE || m->kind == PL_MATCH_NRE;
    bool literal = !regex;
    const pl_str *values = &m->value;
    size_t n = 1;
    if (regex) {
        n = pl_regex_literals(m->regex, &values);
        literal = n > 0;
    }
    if (!t->name) {
        t->lists = true;
        return 0;
    }
    if (!regex && m->value.n == 0) { /* ="" takes away, !="" keeps those with any value */
        t->lists = t->has = true;
        t->n = t->name->has.n;
        return 0;
    }
    if (regex && !negative && pl_str_eq(m->value, PL_STR(".+"))) {
        t->lists = t->has = true;
        t->n = t->name->has.n;
        return 0;
    }
    /* the listed values are those to keep (=, =~) or those to take away (!=, !~) */
    if (literal && t->take == !negative) {
        t->lists = true;
        for (size_t i = 0; i < n; i++) {
            int rc = add_value(s, t, values[i]);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

static void term_fini(struct term *t) { free(t->pairs); }

/** Union of a term's lists: borrowed, or made (*owned). */
static const roaring_bitmap_t *term_bitmap(struct pl_series *s, const struct term *t, bool *owned)
{
    if (t->has) {
        return pl__posting_bitmap(&t->name->has, owned);
    }
    if (t->n_pairs == 1) {
        return pl__posting_bitmap(&pl__pair(&s->y, t->pairs[0])->post, owned);
    }
    roaring_bitmap_t *r = roaring_bitmap_create();
    *owned = true;
    for (int big = 0; r && big < 2; big++) { /* bitmaps last: what is lazy takes no single ids */
        for (size_t i = 0; i < t->n_pairs; i++) {
            const struct pl__posting *p = &pl__pair(&s->y, t->pairs[i])->post;
            if ((p->kind == PL__POSTING_BIG) == big) {
                pl__posting_or_lazy(r, p);
            }
        }
    }
    if (r) {
        roaring_bitmap_repair_after_lazy(r);
    }
    return r;
}

static bool term_has(struct pl_series *s, const struct term *t, uint32_t id)
{
    if (t->has) {
        return pl__posting_has(&t->name->has, id);
    }
    for (size_t i = 0; i < t->n_pairs; i++) {
        if (pl__posting_has(&pl__pair(&s->y, t->pairs[i])->post, id)) {
            return true;
        }
    }
    return false;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/** The pair that a series has for a name; false if none. */
static bool pair_of(const struct pl_series *s, uint32_t id, uint32_t name, uint32_t *pair)
{
    uint32_t pairs[PL_LABELS_MAX];
    uint32_t n = pl__series_pairs(s, id, pairs);
    for (uint32_t i = 0; i < n; i++) {
        if (pl__pair(&s->y, pairs[i])->name == name) {
            *pair = pairs[i];
            return true;
        }
    }
    return false;
}

/** set = set & lists, or & ~lists, where few series are in the set for so many in the lists: each
 * is asked for its value. */
static int combine_by_values(struct pl_series *s, roaring_bitmap_t **set, struct term *t)
{
    uint32_t name = 0, pair;
    uint64_t have = roaring_bitmap_get_cardinality(*set);
    uint32_t *ids = malloc((have + 1) * sizeof *ids);
    if (!ids) {
        return PL_ENOMEM;
    }
    qsort(t->pairs, t->n_pairs, sizeof *t->pairs, by_number);
    roaring_bitmap_to_uint32_array(*set, ids);
    bool known = pl__symbols_name(&s->y, t->m->name, &name);
    size_t n = 0;
    for (uint64_t i = 0; i < have; i++) {
        bool in = known && pair_of(s, ids[i], name, &pair) &&
                  bsearch(&pair, t->pairs, t->n_pairs, sizeof pair, by_number);
        ids[n] = ids[i];
        n += in == t->take;
    }
    roaring_bitmap_free(*set);
    *set = roaring_bitmap_of_ptr(n, ids);
    free(ids);
    return *set ? 0 : PL_ENOMEM;
}

/** set = set & lists, or & ~lists. */
static int combine(struct pl_series *s, roaring_bitmap_t **set, struct term *t)
{
    uint64_t have = *set ? roaring_bitmap_get_cardinality(*set) : 0;
    if (*set && have <= 128 && t->n > 16 * have) { /* few are left: ask for each */
        uint32_t ids[128];
        size_t n = 0;
        roaring_bitmap_to_uint32_array(*set, ids);
        for (size_t i = 0; i < have; i++) {
            ids[n] = ids[i];
            n += term_has(s, t, ids[i]) == t->take;
        }
        roaring_bitmap_free(*set);
        *set = roaring_bitmap_of_ptr(n, ids);
        return *set ? 0 : PL_ENOMEM;
    }
    if (*set && t->n_pairs > 1 && t->n > 4 * have) {
        return combine_by_values(s, set, t);
    }
    bool owned;
    const roaring_bitmap_t *r = term_bitmap(s, t, &owned);
    if (!r) {
        return PL_ENOMEM;
    }
    if (!*set) { /* the first, which keeps */
        *set = owned ? (roaring_bitmap_t *)r : roaring_bitmap_copy(r);
        return *set ? 0 : PL_ENOMEM;
    }
    if (t->take) {
        roaring_bitmap_and_inplace(*set, r);
    } else {
        roaring_bitmap_andnot_inplace(*set, r);
    }
    if (owned) {
        roaring_bitmap_free((roaring_bitmap_t *)r);
    }
    return 0;
}

/* --------------------------------------------------------------------------- looking at values */

struct values {
    uint32_t *pair;
    pl_str *value; /* borrowed from the symbols */
    bool *match;
    size_t n;
};

static void values_fini(struct values *v)
{
    free(v->pair);
    free(v->value);
    free(v->match);
}

static int values_init(struct values *v, size_t n)
{
    n = n ? n : 1;
    v->n = 0;
    v->pair = malloc(n * sizeof *v->pair);
    v->value = malloc(n * sizeof *v->value);
    v->match = malloc(n * sizeof *v->match);
    if (!v->pair || !v->value || !v->match) {
        values_fini(v);
        return PL_ENOMEM;
    }
    return 0;
}

/** First of the sorted values that is not less than s (all those that begin with s: not greater).
 */
static uint32_t lower_bound(struct pl_series *s, const struct pl__name *name, pl_str text,
                            bool behind)
{
    uint32_t lo = 0, hi = name->n_sorted;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        pl_str v = pl__pair_value(pl__pair(&s->y, name->pairs[mid]));
        bool less = pl_str_cmp(v, text) < 0 || (behind && pl_str_starts(v, text));
        lo = less ? mid + 1 : lo;
        hi = less ? hi : mid;
    }
    return lo;
}

static void add_candidate(struct pl_series *s, struct values *v, uint32_t pair)
{
    if (pl__pair(&s->y, pair)->post.n) {
        v->pair[v->n] = pair;
        v->value[v->n++] = pl__pair_value(pl__pair(&s->y, pair));
    }
}

/** Values of a name that a pattern can match: all (*whole), or those with the prefix it must have.
 */
static int values_of_name(struct pl_series *s, const struct term *t, struct values *v, bool *whole)
{
    const struct pl__name *name = t->name;
    pl_str prefix =
        t->m->kind == PL_MATCH_RE && t->take ? pl_regex_prefix(t->m->regex) : PL_STR_NULL;
    uint32_t from = 0, to = name->n_sorted;
    *whole = prefix.n == 0;
    if (prefix.n) {
        from = lower_bound(s, name, prefix, false);
        to = lower_bound(s, name, prefix, true);
    }
    int rc = values_init(v, (to - from) + (name->n - name->n_sorted));
    for (uint32_t i = from; rc >= 0 && i < to; i++) {
        add_candidate(s, v, name->pairs[i]);
    }
    for (uint32_t i = name->n_sorted; rc >= 0 && i < name->n; i++) {
        add_candidate(s, v, name->pairs[i]);
    }
    return rc;
}

/** Distinct values that the series of a set have for the term's name. */
static int values_of_set(struct pl_series *s, const struct term *t, const roaring_bitmap_t *set,
                         struct values *v)
{
    uint32_t name = 0;
    int rc = values_init(v, roaring_bitmap_get_cardinality(set));
    if (rc < 0 || !pl__symbols_name(&s->y, t->m->name, &name)) {
        return rc;
    }
    size_t n = 0;
    roaring_uint32_iterator_t it;
    for (roaring_init_iterator(set, &it); it.has_value; roaring_advance_uint32_iterator(&it)) {
        n += pair_of(s, it.current_value, name, &v->pair[n]);
    }
    qsort(v->pair, n, sizeof *v->pair, by_number);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || v->pair[i] != v->pair[i - 1]) {
            uint32_t pair = v->pair[i];
            v->pair[v->n] = pair;
            v->value[v->n++] = pl__pair_value(pl__pair(&s->y, pair));
        }
    }
    return 0;
}

/** A matcher that must look at values. set may be NULL: all series. The lock is held, and given up
 *  while the pattern runs. */
static int look(struct pl_series *s, roaring_bitmap_t **set, struct term *t)
{
    struct values v = {0};
    bool whole = !*set || roaring_bitmap_get_cardinality(*set) >= t->name->n / 4;
    int rc = whole ? values_of_name(s, t, &v, &whole) : values_of_set(s, t, *set, &v);
    if (rc < 0) {
        return rc;
    }
    pthread_rwlock_unlock(&s->lock);
    size_t n_match = 0;
    for (size_t i = 0; i < v.n; i++) {
        v.match[i] = pl_matcher_value(t->m, v.value[i]);
        n_match += v.match[i];
    }
    pl__series_read_lock(s);
    t->lists = true;
    /* Most values match: keep all with the name, then take the others away. Where a value came
     * meanwhile, its series are newer than this question. */
    bool most = t->take && whole && v.n > 16 && n_match > v.n / 2;
    if (most) {
        struct term any = {.name = t->name, .take = true, .has = true, .n = t->name->has.n};
        rc = combine(s, set, &any);
        t->take = false;
    }
    bool listed = most ? false : t->take; /* of the values that match, or of those that do not */
    t->pairs = malloc((v.n + 1) * sizeof *t->pairs);
    rc = rc < 0 ? rc : t->pairs ? 0 : PL_ENOMEM;
    for (size_t i = 0; rc >= 0 && i < v.n; i++) {
        if (v.match[i] == listed) {
            t->pairs[t->n_pairs++] = v.pair[i];
            t->n += pl__pair(&s->y, v.pair[i])->post.n;
        }
    }
    values_fini(&v);
    return rc < 0 ? rc : combine(s, set, t);
}

/* ------------------------------------------------------------------------------------- selectors
 */

/** The next term to take: keeping lists first, the smallest first, then lists to take away, then
 *  patterns. */
static int by_cost(const void *a, const void *b)
{
    const struct term *x = a, *y = b;
    int rx = !x->lists * 2 + !x->take, ry = !y->lists * 2 + !y->take;
    return rx != ry ? rx - ry : (x->n > y->n) - (x->n < y->n);
}

/** All series as a set of our own. */
static roaring_bitmap_t *all_of(struct pl_series *s)
{
    bool owned;
    const roaring_bitmap_t *r = pl__posting_bitmap(&s->all, &owned);
    return owned ? (roaring_bitmap_t *)r : roaring_bitmap_copy(r);
}

static int find_terms(struct pl_series *s, struct term *t, size_t n, roaring_bitmap_t **set)
{
    int rc = 0;
    qsort(t, n, sizeof *t, by_cost);
    for (size_t i = 0; i < n && rc >= 0; i++) {
        if (!t[i].name && !t[i].take) {
            continue; /* nobody has the label: nothing to take away */
        }
        if (!*set && !t[i].take && !(*set = all_of(s))) {
            return PL_ENOMEM;
        }
        rc = t[i].lists ? combine(s, set, &t[i]) : look(s, set, &t[i]);
        if (rc >= 0 && roaring_bitmap_is_empty(*set)) {
            return 0;
        }
    }
    if (rc >= 0 && !*set && !(*set = all_of(s))) {
        return PL_ENOMEM;
    }
    return rc;
}

/** One selector. The lock is held. */
static int find_one(struct pl_series *s, const struct pl_selector *sel, roaring_bitmap_t **set)
{
    struct term *t = calloc(sel->n + 1, sizeof *t);
    int rc = t ? 0 : PL_ENOMEM;
    size_t n = 0;
    while (n < sel->n && rc >= 0) {
        const struct pl_matcher *m = &sel->m[n];
        rc = term_init(s, m, &t[n++]);
    }
    *set = NULL;
    rc = rc < 0 ? rc : find_terms(s, t, n, set);
    for (size_t i = 0; i < n; i++) {
        term_fini(&t[i]);
    }
    free(t);
    if (rc < 0 && *set) {
        roaring_bitmap_free(*set);
    }
    return rc;
}

/** Have the values of names sorted that a pattern with a prefix asks for. */
static int sort_names(struct pl_series *s, const struct pl_selector *sel)
{
    for (size_t i = 0; i < sel->n; i++) {
        const struct pl_matcher *m = &sel->m[i];
        uint32_t number;
        if (m->kind != PL_MATCH_RE || pl_regex_prefix(m->regex).n == 0) {
            continue;
        }
        pl__series_read_lock(s);
        struct pl__name *name =
            pl__symbols_name(&s->y, m->name, &number) ? s->y.names[number] : NULL;
        bool worth = name && name->n - name->n_sorted > 64 + name->n / 16;
        pthread_rwlock_unlock(&s->lock);
        int rc = worth ? pl__series_sort(s, name) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int pl_series_find(struct pl_series *s, const struct pl_selector *sel, size_t n_sel, uint32_t **ids,
                   size_t *n)
{
    roaring_bitmap_t *set = NULL;
    int rc = 0;
    pl__series_borrow(s);
    for (size_t i = 0; i < n_sel && rc >= 0; i++) {
        roaring_bitmap_t *one = NULL;
        rc = sort_names(s, &sel[i]);
        if (rc >= 0) {
            pl__series_read_lock(s);
            rc = find_one(s, &sel[i], &one);
            pthread_rwlock_unlock(&s->lock);
        }
        if (rc >= 0 && set) {
            roaring_bitmap_or_inplace(set, one);
            roaring_bitmap_free(one);
        } else if (rc >= 0) {
            set = one;
        }
    }
    pl__series_return(s);
    size_t count = rc >= 0 && set ? roaring_bitmap_get_cardinality(set) : 0;
    uint32_t *out = rc >= 0 ? malloc((count + 1) * sizeof *out) : NULL;
    if (out) {
        if (count) {
            roaring_bitmap_to_uint32_array(set, out);
        }
        *ids = out;
        *n = count;
    } else if (rc >= 0) {
        rc = PL_ENOMEM;
    }
    if (set) {
        roaring_bitmap_free(set);
    }
    return rc;
}
