/* Columns: growth, stable natural merge sort, merge with "the later one counts". Any thread. */
#include "core/store/columns.h"
#include <stdlib.h>

void pl_columns_fini(struct pl_columns *c)
{
    free(c->t);
    free(c->v);
    pl_buf_fini(&c->h);
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

pl_str pl__boxed_bytes(pl_str all, uint64_t offset)
{
    uint64_t n;
    const uint8_t *p = (const uint8_t *)all.p, *end = p + all.n;
    if (offset >= all.n || !(p = pl_varint_get(p + offset, end, &n)) || n > (size_t)(end - p)) {
        return PL_STR_NULL;
    }
    return pl_str_mem(p, n);
}

bool pl__has_boxed(const double *v, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) { /* the top bit comes up only where 1 is taken from 0 */
        any |= (pl_f64_bits(v[i]) >> 48 ^ PL_HISTOGRAM_TAG) - 1;
    }
    return any >> 63;
}

pl_str pl_columns_histogram(const struct pl_columns *c, double boxed)
{
    if (c->h.n == 0 || !pl_is_histogram(boxed)) {
        return PL_STR_NULL;
    }
    return pl__boxed_bytes(pl_buf_view(&c->h), pl_histogram_ref(boxed));
}

int pl_columns_keep(struct pl_columns *c, pl_str bytes, double *boxed)
{
    size_t at = c->h.n;
    pl_buf_varint(&c->h, bytes.n);
    pl_buf_str(&c->h, bytes);
    if (c->h.failed) {
        c->h.n = at;
        c->h.failed = false;
        return PL_ENOMEM;
    }
    *boxed = pl_histogram_box(at);
    return 0;
}

/** Append b's bytes to a's and let b's values refer to them there. */
static int move_bytes(struct pl_columns *a, struct pl_columns *b)
{
    size_t base = a->h.n;
    pl_buf_add(&a->h, b->h.p, b->h.n);
    if (a->h.failed) {
        a->h.failed = false;
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < b->n && base; i++) {
        if (pl_is_histogram(b->v[i])) {
            b->v[i] = pl_histogram_box(base + pl_histogram_ref(b->v[i]));
        }
    }
    b->h.n = 0;
    return 0;
}

/** Samples change places, bytes stay where they are. */
static void swap(struct pl_columns *a, struct pl_columns *b)
{
    struct pl_columns x = *a;
    struct pl_buf h = b->h;
    *a = *b;
    a->h = x.h;
    *b = x;
    b->h = h;
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

int pl_columns_merge(struct pl_columns *a, struct pl_columns *b, struct pl_columns *scratch)
{
    if (b->n == 0) {
        return 0;
    }
    if (b->h.n && move_bytes(a, b) < 0) {
        return PL_ENOMEM;
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
