/* What takes the place in the index: for status/tsdb. Any thread. */
#include "core/store/series_impl.h"
#include <stdlib.h>

/* The greatest counts seen so far: a list twice as long as wanted, cut when it is full. */
struct top {
    struct entry {
        uint64_t n;
        const struct pl__name *name;
        const struct pl__pair *pair;
    } * at;
    size_t n, limit;
    uint64_t least; /* what does not exceed it has no place any more */
};

static int by_count(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->n < y->n) - (x->n > y->n);
}

static void cut(struct top *t)
{
    qsort(t->at, t->n, sizeof *t->at, by_count);
    if (t->n > t->limit) {
        t->n = t->limit;
        t->least = t->at[t->n - 1].n;
    }
}

static void offer(struct top *t, uint64_t n, const struct pl__name *name,
                  const struct pl__pair *pair)
{
    if (n > t->least) {
        t->at[t->n++] = (struct entry){n, name, pair};
        if (t->n == 2 * t->limit) {
            cut(t);
        }
    }
}

/* Texts into the arena. The lock is held. */
static int give(struct top *t, bool value_only, struct pl_arena *a, struct pl_index_top *out)
{
    cut(t);
    *out = (struct pl_index_top){pl_arena_alloc(a, (t->n + 1) * sizeof *out->at), 0};
    for (size_t i = 0; out->at && i < t->n; i++) {
        const struct entry *e = &t->at[i];
        pl_str value = e->pair ? pl__pair_value(e->pair) : PL_STR_NULL;
        pl_str text = !e->pair     ? pl_arena_dup(a, e->name->s)
                      : value_only ? pl_arena_dup(a, value)
                                   : pl_arena_f(a, "%.*s=%.*s", PL_PRS(e->name->s), PL_PRS(value));
        if (!text.p) {
            return PL_ENOMEM;
        }
        out->at[out->n].name = text;
        out->at[out->n++].n = e->n;
    }
    return out->at ? 0 : PL_ENOMEM;
}

int pl_series_stats(struct pl_series *s, size_t limit, struct pl_arena *a,
                    struct pl_index_stats *out)
{
    struct top tops[4] = {0};
    int rc = 0;
    *out = (struct pl_index_stats){0};
    for (size_t i = 0; i < 4; i++) {
        tops[i].limit = limit;
        tops[i].at = malloc(2 * limit * sizeof *tops[i].at);
        rc = tops[i].at ? rc : PL_ENOMEM;
    }
    pl__series_read_lock(s);
    for (uint32_t i = 0; rc == 0 && i < s->y.n_names; i++) {
        const struct pl__name *name = s->y.names[i];
        bool metric = pl_str_eq(name->s, PL_METRIC_NAME);
        uint64_t bytes = 0, values = 0;
        for (uint32_t k = 0; k < name->n; k++) {
            const struct pl__pair *p = pl__pair(&s->y, name->pairs[k]);
            uint64_t n = p->post.n;
            values += n > 0;
            bytes += n > 0 ? pl__pair_value(p).n : 0;
            offer(&tops[3], n, name, p);
            if (metric) {
                offer(&tops[0], n, name, p);
            }
        }
        out->n_pairs += values;
        offer(&tops[1], values, name, NULL);
        offer(&tops[2], bytes, name, NULL);
    }
    struct pl_index_top *to[4] = {&out->series_by_metric, &out->values_by_label,
                                  &out->bytes_by_label, &out->series_by_pair};
    for (size_t i = 0; rc == 0 && i < 4; i++) {
        rc = give(&tops[i], i == 0, a, to[i]);
    }
    pthread_rwlock_unlock(&s->lock);
    for (size_t i = 0; i < 4; i++) {
        free(tops[i].at);
    }
    return rc;
}
