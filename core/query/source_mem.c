/* Samples in memory as a source. */
#include "core/query/source_mem.h"
#include "core/query/hist.h"

#include <stdlib.h>

struct series {
    pl_str labels; /* owned */
    int64_t *t;
    double *v;
    size_t n;
    struct pl_arena histograms;
};
struct pl_source_mem {
    struct series *series;
    size_t n, cap;
};
struct set {
    const struct pl_source_mem *mem;
    size_t n;
    uint32_t at[];
};
struct reader {
    const struct set *set;
    struct pl_read_stats stats;
};

int pl_source_mem_new(struct pl_source_mem **out)
{
    struct pl_source_mem *m = calloc(1, sizeof *m);
    if (!m) {
        return PL_ENOMEM;
    }
    *out = m;
    return 0;
}

void pl_source_mem_clear(struct pl_source_mem *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free((void *)m->series[i].labels.p);
        free(m->series[i].t);
        free(m->series[i].v);
        pl_arena_fini(&m->series[i].histograms);
    }
    m->n = 0;
}

void pl_source_mem_free(struct pl_source_mem *m)
{
    if (m) {
        pl_source_mem_clear(m);
        free(m->series);
        free(m);
    }
}

/** Copy the histograms, with the reset hints that stored ones have. */
static int own_histograms(struct series *s)
{
    const struct pl_histogram *before = NULL;
    for (size_t i = 0; i < s->n; i++) {
        if (!pl_is_histogram(s->v[i])) {
            before = NULL;
            continue;
        }
        const struct pl_histogram *given = pl_histogram_unboxed(s->v[i]);
        struct pl_histogram *h = pl_histogram_copy(&s->histograms, given);
        if (!h) {
            s->n = 0;
            return PL_ENOMEM;
        }
        h->reset = pl__hist_hint(given, before);
        s->v[i] = pl_histogram_boxed(h);
        before = h;
    }
    return 0;
}

int pl_source_mem_put(struct pl_source_mem *m, pl_str labels, const int64_t *t, const double *v,
                      size_t n)
{
    size_t i = 0;
    while (i < m->n && !pl_str_eq(m->series[i].labels, labels)) {
        i++;
    }
    if (i == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 16;
        struct series *more = realloc(m->series, cap * sizeof *more);
        if (!more) {
            return PL_ENOMEM;
        }
        m->series = more;
        m->cap = cap;
    }
    int64_t *to_t = malloc((n + 1) * sizeof *to_t);
    double *to_v = malloc((n + 1) * sizeof *to_v);
    char *copy = i == m->n ? malloc(labels.n + 1) : (char *)m->series[i].labels.p;
    if (!to_t || !to_v || !copy) {
        free(to_t);
        free(to_v);
        if (i == m->n) {
            free(copy);
        }
        return PL_ENOMEM;
    }
    if (i == m->n) {
        memcpy(copy, labels.n ? labels.p : "", labels.n);
        m->series[m->n++] = (struct series){.labels = {copy, labels.n}};
    }
    struct series *s = &m->series[i];
    free(s->t);
    free(s->v);
    if (n) {
        memcpy(to_t, t, n * sizeof *t);
        memcpy(to_v, v, n * sizeof *v);
    }
    pl_arena_fini(&s->histograms);
    s->t = to_t, s->v = to_v, s->n = n;
    return own_histograms(s);
}

static int mem_select(void *ctx, const struct pl_selector *sel, int64_t t0, int64_t t1,
                      size_t max_series, void **out)
{
    const struct pl_source_mem *m = ctx;
    struct set *set = malloc(sizeof *set + (m->n + 1) * sizeof *set->at);
    if (!set) {
        return PL_ENOMEM;
    }
    set->mem = m;
    set->n = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct series *s = &m->series[i];
        if (s->n && s->t[0] <= t1 && s->t[s->n - 1] >= t0 &&
            pl_matcher_labels(sel->m, sel->n, s->labels)) {
            set->at[set->n++] = (uint32_t)i;
        }
    }
    if (max_series && set->n > max_series) {
        free(set);
        return PL_ELIMIT;
    }
    *out = set;
    return 0;
}

static void mem_set_free(void *set) { free(set); }

static size_t mem_count(const void *set) { return ((const struct set *)set)->n; }

static int mem_labels(const void *ctx, size_t i, struct pl_buf *out)
{
    const struct set *set = ctx;
    pl_buf_str(out, set->mem->series[set->at[i]].labels);
    return out->failed ? PL_ENOMEM : 0;
}

static int mem_reader_new(void *set, void **out)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r) {
        return PL_ENOMEM;
    }
    r->set = set;
    *out = r;
    return 0;
}

static void mem_reader_free(void *reader) { free(reader); }

static size_t first_from(const struct series *s, int64_t t)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->t[mid] < t) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static int mem_read(void *ctx, size_t i, int64_t t0, int64_t t1, size_t max_samples,
                    struct pl_columns *out)
{
    struct reader *r = ctx;
    const struct series *s = &r->set->mem->series[r->set->at[i]];
    size_t from = first_from(s, t0), n = first_from(s, t1 + 1) - from;
    if (max_samples && n > max_samples) {
        return PL_ELIMIT;
    }
    if (out->cap < n) {
        int64_t *t = realloc(out->t, n * sizeof *t);
        out->t = t ? t : out->t;
        double *v = realloc(out->v, n * sizeof *v);
        out->v = v ? v : out->v;
        if (!t || !v) {
            return PL_ENOMEM;
        }
        out->cap = n;
    }
    if (n) {
        memcpy(out->t, s->t + from, n * sizeof *s->t);
        memcpy(out->v, s->v + from, n * sizeof *s->v);
    }
    out->n = n;
    r->stats.samples += n;
    return 0;
}

static void mem_stats(const void *reader, struct pl_read_stats *out)
{
    *out = ((const struct reader *)reader)->stats;
}

static const struct pl_source_ops mem_ops = {
    .select = mem_select,
    .set_free = mem_set_free,
    .count = mem_count,
    .labels = mem_labels,
    .reader_new = mem_reader_new,
    .reader_free = mem_reader_free,
    .read = mem_read,
    .stats = mem_stats,
    .boxed = true,
};

struct pl_source pl_source_mem(struct pl_source_mem *m) { return (struct pl_source){&mem_ops, m}; }
