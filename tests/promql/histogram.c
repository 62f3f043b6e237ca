/* Reading, adding and comparing histograms of test files. */
#include "tests/promql/histogram.h"

#include "core/codec/codec.h"

#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ reading */

/** `[1 2 3]` or a single number; the rest of *s is behind it. */
static bool numbers(struct pl_arena *a, pl_str *s, double **out, uint32_t *n)
{
    bool list = s->n && s->p[0] == '[';
    double *v = pl_arena_alloc(a, (s->n + 1) * sizeof *v);
    s->p += list, s->n -= list;
    *n = 0;
    *out = v;
    while (s->n) {
        while (s->n && (s->p[0] == ' ' || s->p[0] == '\t')) {
            s->p++, s->n--;
        }
        if (list && s->n && s->p[0] == ']') {
            s->p++, s->n--;
            return true;
        }
        size_t end = 0;
        while (end < s->n && s->p[end] != ' ' && s->p[end] != ']' && s->p[end] != '}') {
            end++;
        }
        if (end == 0 || pl_number_parse(pl_str_mem(s->p, end), &v[*n]) < 0) {
            return false;
        }
        ++*n;
        s->p += end, s->n -= end;
        if (!list) {
            return true;
        }
    }
    return false;
}

static bool side(struct pl_arena *a, struct pl_hbuckets *b, const double *v, uint32_t n,
                 double offset)
{
    struct pl_hspan *span = pl_arena_alloc(a, sizeof *span);
    if (!span) {
        return false;
    }
    *span = (struct pl_hspan){(int32_t)offset, n};
    *b = n ? (struct pl_hbuckets){span, v, 1, n} : (struct pl_hbuckets){0};
    return true;
}

static bool hint(pl_str *s, struct written *w)
{
    static const char *const names[] = {"unknown", "reset", "not_reset", "gauge"};
    size_t n = 0;
    while (n < s->n && s->p[n] != ' ' && s->p[n] != '}') {
        n++;
    }
    for (uint8_t i = 0; i < 4; i++) {
        if (pl_str_eq(pl_str_mem(s->p, n), pl_str_c(names[i]))) {
            w->h.reset = i;
            w->hint = true;
            s->p += n, s->n -= n;
            return true;
        }
    }
    return false;
}

static bool field(struct pl_arena *a, pl_str key, pl_str *s, struct written *w, double **list,
                  uint32_t *n, double *offset)
{
    static const char *const names[] = {"schema",     "sum",          "count",    "z_bucket",
                                        "z_bucket_w", "offset",       "n_offset", "buckets",
                                        "n_buckets",  "custom_values"};
    double *v;
    uint32_t got;
    if (pl_str_eq(key, PL_STR("counter_reset_hint"))) {
        return hint(s, w);
    }
    size_t which = 0;
    while (which < 10 && !pl_str_eq(key, pl_str_c(names[which]))) {
        which++;
    }
    if (which == 10 || !numbers(a, s, &v, &got) || (which < 7 && got != 1)) {
        return false;
    }
    switch (which) {
    case 0:
        w->h.schema = (int8_t)v[0];
        break;
    case 1:
        w->h.sum = v[0];
        break;
    case 2:
        w->h.count = v[0];
        break;
    case 3:
        w->h.zero_count = v[0];
        break;
    case 4:
        w->h.zero_threshold = v[0];
        break;
    case 5:
    case 6:
        offset[which - 5] = v[0];
        break;
    case 7:
    case 8:
        list[which - 7] = v;
        n[which - 7] = got;
        break;
    default:
        w->h.bounds = v;
        w->h.n_bounds = got;
    }
    return true;
}

struct written *written_parse(struct pl_arena *a, pl_str *s)
{
    struct written *w = pl_arena_zalloc(a, sizeof *w);
    double *list[2] = {NULL, NULL}, offset[2] = {0, 0};
    uint32_t n[2] = {0, 0};
    if (!w || !pl_str_starts(*s, PL_STR("{{"))) {
        return NULL;
    }
    s->p += 2, s->n -= 2;
    w->h.floats = true;
    for (;;) {
        while (s->n && (s->p[0] == ' ' || s->p[0] == '\t')) {
            s->p++, s->n--;
        }
        if (pl_str_starts(*s, PL_STR("}}"))) {
            s->p += 2, s->n -= 2;
            return side(a, &w->h.pos, list[0], n[0], offset[0]) &&
                           side(a, &w->h.neg, list[1], n[1], offset[1])
                       ? w
                       : NULL;
        }
        size_t end = 0;
        while (end < s->n && s->p[end] != ':') {
            end++;
        }
        pl_str key = {s->p, end};
        if (end == s->n) {
            return NULL;
        }
        s->p += end + 1, s->n -= end + 1;
        if (!field(a, key, s, w, list, n, offset)) {
            return NULL;
        }
    }
}

struct written *written_add(struct pl_arena *a, const struct written *x, const struct written *y,
                            double factor)
{
    struct written *w = pl_arena_zalloc(a, sizeof *w);
    struct pl_hsum s;
    if (!w || pl_hsum_init(&s, a, &x->h) < 0 || pl_hsum_add(&s, &y->h, factor) < 0) {
        return NULL;
    }
    struct pl_histogram *h = pl_hsum_finish(&s, a, false, false);
    if (h) {
        w->h = *h;
        w->hint = x->hint;
    }
    return h ? w : NULL;
}

/* ------------------------------------------------------------------ comparing */

static bool side_matches(const struct pl_hbuckets *x, const struct pl_hbuckets *y,
                         bool (*close_to)(double, double))
{
    if (x->n != y->n || x->n_spans != y->n_spans) {
        return false;
    }
    for (uint32_t i = 0; i < x->n_spans; i++) {
        if (x->spans[i].offset != y->spans[i].offset || x->spans[i].length != y->spans[i].length) {
            return false;
        }
    }
    for (uint32_t i = 0; i < x->n; i++) {
        if (!close_to(x->count[i], y->count[i])) {
            return false;
        }
    }
    return true;
}

bool written_matches(const struct written *want, const struct pl_histogram *got,
                     bool (*close_to)(double, double))
{
    struct pl_arena a;
    pl_arena_init(&a, 0);
    struct pl_histogram *x = pl_histogram_scaled(&a, &want->h, 1, false, true);
    struct pl_histogram *y = pl_histogram_scaled(&a, got, 1, false, true);
    bool same = x && y && x->schema == y->schema &&
                close_to(x->zero_threshold, y->zero_threshold) && close_to(x->count, y->count) &&
                close_to(x->sum, y->sum) && close_to(x->zero_count, y->zero_count) &&
                x->n_bounds == y->n_bounds && side_matches(&x->pos, &y->pos, close_to) &&
                side_matches(&x->neg, &y->neg, close_to) &&
                (!want->hint || want->h.reset == got->reset);
    for (uint32_t i = 0; same && i < x->n_bounds; i++) {
        same = x->bounds[i] == y->bounds[i];
    }
    pl_arena_fini(&a);
    return same;
}

/* ------------------------------------------------------------------ load_with_nhcb */

struct classic_sample {
    int64_t t;
    double le, v; /* le: NaN of a count, -Inf of a sum */
    size_t at;    /* order of coming */
};
struct classic_series {
    struct pl_buf labels;
    struct classic_sample *sample;
    size_t n, cap;
};
struct classic_set {
    struct classic_series *series;
    size_t n;
};

static void *must_have(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

struct classic_set *classic_new(void) { return must_have(calloc(1, sizeof(struct classic_set))); }

void classic_add(struct classic_set *c, pl_str labels, const int64_t *t, const double *v, size_t n)
{
    pl_str name = pl_labels_get(labels, PL_METRIC_NAME),
           ends[] = {PL_STR("_bucket"), PL_STR("_count"), PL_STR("_sum")};
    double le = NAN;
    int which = 0;
    while (which < 3 && !pl_str_ends(name, ends[which])) {
        which++;
    }
    if (which == 3 ||
        (which == 0 && pl_number_parse(pl_labels_get(labels, PL_STR("le")), &le) < 0)) {
        return;
    }
    le = which == 0 ? le : which == 1 ? NAN : -INFINITY;
    struct pl_label l[64];
    struct pl_label one;
    size_t n_l = 0;
    pl_str rest = labels;
    while (pl_labels_next(&rest, &one) && n_l < 64) {
        if (pl_str_eq(one.name, PL_METRIC_NAME)) {
            one.value.n -= ends[which].n;
        }
        if (!pl_str_eq(one.name, PL_STR("le")) || which) {
            l[n_l++] = one;
        }
    }
    struct pl_buf canon = PL_BUF_INIT;
    pl_labels_canon(l, n_l, &canon, NULL);
    size_t i = 0;
    while (i < c->n && !pl_str_eq(pl_buf_view(&c->series[i].labels), pl_buf_view(&canon))) {
        i++;
    }
    if (i == c->n) {
        c->series = must_have(realloc(c->series, ++c->n * sizeof *c->series));
        c->series[i] = (struct classic_series){.labels = canon};
    } else {
        pl_buf_fini(&canon);
    }
    struct classic_series *s = &c->series[i];
    s->sample = must_have(realloc(s->sample, (s->n + n + 1) * sizeof *s->sample));
    for (size_t k = 0; k < n; k++) {
        s->sample[s->n] = (struct classic_sample){t[k], le, v[k], s->n};
        s->n++;
    }
}

/** By time; the count first, then the sum, then the buckets by bound. */
static int by_time(const void *a, const void *b)
{
    const struct classic_sample *x = a, *y = b;
    if (x->t != y->t) {
        return x->t < y->t ? -1 : 1;
    }
    if (isnan(x->le) || isnan(y->le)) {
        return (int)isnan(y->le) - (int)isnan(x->le);
    }
    return x->le < y->le ? -1 : x->le > y->le ? 1 : x->at < y->at ? -1 : x->at > y->at;
}

/** The histogram of the n samples of one time; NULL where they make none. */
static struct pl_histogram *convert(struct pl_arena *a, const struct classic_sample *x, size_t n)
{
    struct pl_histogram *h = must_have(pl_arena_zalloc(a, sizeof *h));
    double *bounds = must_have(pl_arena_alloc(a, (n + 1) * sizeof *bounds));
    double *count = must_have(pl_arena_alloc(a, (n + 2) * sizeof *count));
    struct pl_hspan *span = must_have(pl_arena_alloc(a, sizeof *span));
    bool has_count = false, has_inf = false;
    double before = 0;
    uint32_t buckets = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i].le)) {
            h->count = x[i].v;
            has_count = true;
        } else if (x[i].le == -INFINITY) {
            h->sum = x[i].v;
        } else {
            if (x[i].v < before) {
                return NULL;
            }
            count[buckets] = x[i].v - before;
            before = x[i].v;
            has_inf = x[i].le == INFINITY;
            if (!has_inf) {
                bounds[h->n_bounds++] = x[i].le;
            }
            buckets++;
        }
    }
    if (buckets == 0 && !has_count) {
        return NULL;
    }
    if (!has_inf) {
        count[buckets++] = has_count ? h->count - before : 0;
    }
    h->count = has_count ? h->count : before;
    h->schema = PL_HISTOGRAM_CUSTOM;
    h->floats = true;
    h->bounds = bounds;
    *span = (struct pl_hspan){0, buckets};
    h->pos = (struct pl_hbuckets){span, count, 1, buckets};
    return pl_histogram_scaled(a, h, 1, false, true);
}

void classic_finish(struct classic_set *c,
                    void (*put)(void *ctx, pl_str labels, const int64_t *t, const double *v,
                                size_t n),
                    void *ctx)
{
    for (size_t i = 0; i < c->n; i++) {
        struct classic_series *s = &c->series[i];
        struct pl_arena a;
        pl_arena_init(&a, 0);
        int64_t *t = must_have(malloc((s->n + 1) * sizeof *t));
        double *v = must_have(malloc((s->n + 1) * sizeof *v));
        size_t n = 0, until = 0;
        qsort(s->sample, s->n, sizeof *s->sample, by_time);
        for (size_t from = 0; from < s->n; from = until) {
            bool any = false, stale = false;
            for (until = from; until < s->n && s->sample[until].t == s->sample[from].t; until++) {
                any |= s->sample[until].le > -INFINITY;
                stale |= pl_is_stale(s->sample[until].v);
            }
            struct pl_histogram *h =
                any && !stale ? convert(&a, s->sample + from, until - from) : NULL;
            if (h || stale) {
                t[n] = s->sample[from].t;
                v[n++] = h ? pl_histogram_boxed(h) : pl_bits_f64(PL_STALE_BITS);
            }
        }
        if (n) {
            put(ctx, pl_buf_view(&s->labels), t, v, n);
        }
        free(t);
        free(v);
        free(s->sample);
        pl_buf_fini(&s->labels);
        pl_arena_fini(&a);
    }
    free(c->series);
    free(c);
}
