/* Samples -> buckets: one pass over the columns of a series. Staleness markers and histograms are
 * no samples. Pure; any thread. */
#include "core/kernel/kernel.h"
#include "core/store/rollup.h"
#include <stdlib.h>

void pl_tier_columns_fini(struct pl_tier_columns *c)
{
    free(c->t);
    for (int k = 0; k < PL_TIER_VALUES; k++) {
        free(c->v[k]);
    }
    *c = (struct pl_tier_columns){0};
}

int pl__buckets_reserve(struct pl_tier_columns *c, size_t more)
{
    if (more <= c->cap - c->n) {
        return 0;
    }
    size_t cap = c->n + more;
    cap = cap < c->cap + c->cap / 2 ? c->cap + c->cap / 2 : cap;
    cap = cap < 64 ? 64 : cap;
    int64_t *t = realloc(c->t, cap * sizeof *t);
    c->t = t ? t : c->t;
    bool failed = !t;
    for (int k = 0; k < PL_TIER_VALUES; k++) {
        double *v = realloc(c->v[k], cap * sizeof *v);
        c->v[k] = v ? v : c->v[k];
        failed |= !v;
    }
    if (failed) {
        return PL_ENOMEM;
    }
    c->cap = cap;
    return 0;
}

/** Move what is a sample to the front of [a, b); returns its end. */
static size_t drop_markers(struct pl_columns *c, size_t a, size_t b, bool *histograms)
{
    size_t k = a;
    while (k < b && !pl_is_stale(c->v[k]) && !pl_is_histogram(c->v[k])) {
        k++;
    }
    for (size_t i = k; i < b; i++) {
        *histograms |= pl_is_histogram(c->v[i]);
        if (!pl_is_stale(c->v[i]) && !pl_is_histogram(c->v[i])) {
            c->t[k] = c->t[i];
            c->v[k++] = c->v[i];
        }
    }
    return k;
}

static double increase(const double *v, size_t n)
{
    double x = v[n - 1] - v[0];
    for (size_t i = 1; i < n; i++) {
        if (v[i] < v[i - 1]) {
            x += v[i - 1];
        }
    }
    return x;
}

static void fill(struct pl_tier_columns *out, const int64_t *t, const double *v, size_t n)
{
    size_t at = out->n;
    out->v[PL_TIER_COUNT][at] = (double)n;
    out->v[PL_TIER_SUM][at] = pl_sum(v, n);
    out->v[PL_TIER_MIN][at] = pl_min(v, n);
    out->v[PL_TIER_MAX][at] = pl_max(v, n);
    out->v[PL_TIER_FIRST][at] = v[0];
    out->v[PL_TIER_LAST][at] = v[n - 1];
    out->v[PL_TIER_INCREASE][at] = increase(v, n);
    out->v[PL_TIER_T_FIRST][at] = (double)t[0];
    out->v[PL_TIER_T_LAST][at] = (double)t[n - 1];
}

static int note_histograms(struct pl__buckets *b, int64_t end)
{
    if (pl_grow(&b->with_histograms, b->n_with, &b->cap_with, sizeof *b->with_histograms) < 0) {
        return PL_ENOMEM;
    }
    b->with_histograms[b->n_with++] = end;
    return 0;
}

static int add(struct pl_columns *c, int64_t resolution, struct pl_tier_columns *out,
               struct pl__buckets *with)
{
    for (size_t a = 0, b; a < c->n; a = b) {
        int64_t end = pl__bucket_end(c->t[a], resolution);
        for (b = a + 1; b < c->n && c->t[b] <= end; b++) {
        }
        if (c->t[a] < -PL__TIER_T_MAX || c->t[a] > PL__TIER_T_MAX) {
            continue;
        }
        if (pl__buckets_reserve(out, 1) < 0) {
            return PL_ENOMEM;
        }
        bool histograms = false;
        size_t e = drop_markers(c, a, b, &histograms);
        if (e > a) {
            fill(out, c->t + a, c->v + a, e - a);
        } else {
            for (int k = 0; k < PL_TIER_VALUES; k++) {
                out->v[k][out->n] = pl_bits_f64(PL_STALE_BITS);
            }
        }
        out->t[out->n++] = end;
        out->histograms |= histograms;
        if (histograms && with && note_histograms(with, end) < 0) {
            return PL_ENOMEM;
        }
    }
    return 0;
}

int pl__buckets_add(struct pl_columns *c, int64_t resolution, struct pl_tier_columns *out)
{
    return add(c, resolution, out, NULL);
}

int pl__buckets_take(struct pl_columns *c, int64_t resolution, struct pl__buckets *out)
{
    return add(c, resolution, &out->c, out);
}

void pl__buckets_fini(struct pl__buckets *b)
{
    pl_tier_columns_fini(&b->c);
    free(b->with_histograms);
    *b = (struct pl__buckets){0};
}

void pl__buckets_code(const struct pl_tier_columns *c, size_t from, size_t to)
{
    for (int k = PL_TIER_T_FIRST; k <= PL_TIER_T_LAST; k++) {
        for (size_t i = from; c->v[k] && i < to; i++) {
            if (!pl_is_stale(c->v[k][i])) {
                c->v[k][i] = (double)c->t[i] - c->v[k][i];
            }
        }
    }
}
