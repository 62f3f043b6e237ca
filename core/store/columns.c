/* Columns: growth, stable natural merge sort, merge with "the later one counts". Any thread. */
#include "core/store/columns.h"
#include <stdlib.h>

void pl_columns_fini(struct pl_columns *c)
{
    free(c->t);
    free(c->v);
    *c = (struct pl_columns){0};
}

int pl_columns_reserve(struct pl_columns *c, size_t more)
{
    if (more <= c->cap - c->n) {
        return 0;
    }
    if (more > (SIZE_MAX / 16) - c->n) {
        return PL_ENOMEM;
    }
    size_t cap = c->n + more;
    if (cap < c->cap + c->cap / 2) {
        cap = c->cap + c->cap / 2;
    }
    cap = cap < 128 ? 128 : cap;
    int64_t *t = realloc(c->t, cap * sizeof *t);
    c->t = t ? t : c->t;
    double *v = t ? realloc(c->v, cap * sizeof *v) : NULL;
    c->v = v ? v : c->v;
    if (!v) {
        return PL_ENOMEM;
    }
    c->cap = cap;
    return 0;
}

static void swap(struct pl_columns *a, struct pl_columns *b)
{
    struct pl_columns x = *a;
    *a = *b;
    *b = x;
}

/** Append [from, to) of src; room is there. */
static void copy(struct pl_columns *dst, const struct pl_columns *src, size_t from, size_t to)
{
    memcpy(dst->t + dst->n, src->t + from, (to - from) * sizeof *dst->t);
    memcpy(dst->v + dst->n, src->v + from, (to - from) * sizeof *dst->v);
    dst->n += to - from;
}

static void put(struct pl_columns *dst, int64_t t, double v)
{
    dst->t[dst->n] = t;
    dst->v[dst->n] = v;
    dst->n++;
}

/** End of the run (strictly ascending) that begins at i. */
static size_t run_end(const struct pl_columns *c, size_t i)
{
    size_t k = i + 1;
    while (k < c->n && c->t[k] > c->t[k - 1]) {
        k++;
    }
    return k;
}

/** Merge runs [i, m) and [m, e) of src to the end of dst: of equal times that of the second. */
static void merge_runs(struct pl_columns *dst, const struct pl_columns *src, size_t i, size_t m,
                       size_t e)
{
    size_t k = m;
    while (i < m && k < e) {
        if (src->t[i] < src->t[k]) {
            put(dst, src->t[i], src->v[i]);
            i++;
        } else {
            i += src->t[i] == src->t[k];
            put(dst, src->t[k], src->v[k]);
            k++;
        }
    }
    copy(dst, src, i, m);
    copy(dst, src, k, e);
}

int pl_columns_sort(struct pl_columns *c)
{
    if (c->n < 2 || run_end(c, 0) == c->n) {
        return 0;
    }
    struct pl_columns other = {0};
    if (pl_columns_reserve(&other, c->n) < 0) {
        pl_columns_fini(&other);
        return PL_ENOMEM;
    }
    /* Each pass merges neighbouring runs, the later over the earlier, until one is left. */
    while (run_end(c, 0) < c->n) {
        other.n = 0;
        for (size_t i = 0, m, e; i < c->n; i = e) {
            m = run_end(c, i);
            e = m < c->n ? run_end(c, m) : m;
            merge_runs(&other, c, i, m, e);
        }
        swap(c, &other);
    }
    pl_columns_fini(&other);
    return 0;
}

int pl_columns_merge(struct pl_columns *a, const struct pl_columns *b, struct pl_columns *scratch)
{
    if (b->n == 0) {
        return 0;
    }
    if (a->n == 0 || a->t[a->n - 1] < b->t[0]) {
        if (pl_columns_reserve(a, b->n) < 0) {
            return PL_ENOMEM;
        }
        copy(a, b, 0, b->n);
        return 0;
    }
    scratch->n = 0;
    if (pl_columns_reserve(scratch, a->n + b->n) < 0) {
        return PL_ENOMEM;
    }
    size_t i = 0, k = 0;
    while (i < a->n && k < b->n) {
        if (a->t[i] < b->t[k]) {
            put(scratch, a->t[i], a->v[i]);
            i++;
        } else {
            i += a->t[i] == b->t[k];
            put(scratch, b->t[k], b->v[k]);
            k++;
        }
    }
    copy(scratch, a, i, a->n);
    copy(scratch, b, k, b->n);
    swap(a, scratch);
    return 0;
}
