/* Metrics about ourselves. Families sorted by name, series inside a family by their labels, both in
 * plain arrays: a few hundred at most, and added once. Counters and histograms live until the
 * registry goes, so that their owners may add to them without asking. Rendered in the Prometheus
 * text format 0.0.4. */
#include "core/base/metrics.h"
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define N_BOUNDS 15
static const char *const bound_text[N_BOUNDS] = {"1e-05", "3e-05", "0.0001", "0.0003", "0.001",
                                                 "0.003", "0.01",  "0.03",   "0.1",    "0.3",
                                                 "1",     "3",     "10",     "30",     "100"};
static const double bounds[N_BOUNDS] = {1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2,
                                        0.1,  0.3,  1,    3,    10,   30,   100};

struct pl_histo {
    _Atomic uint64_t buckets[N_BOUNDS + 1]; /* not cumulative; the last one is above all bounds */
    _Atomic uint64_t sum_ns;
};

enum kind { COUNTER, GAUGE_FN, COUNTER_FN, HISTO };

struct series {
    char *labels; /* "" for none */
    enum kind kind;
    struct pl_counter *counter;
    struct pl_histo *histo;
    double (*fn)(void *);
    void *ctx;
};

struct family {
    char *name, *help;
    enum kind kind;
    struct series *series;
    size_t n;
};

struct pl_metrics {
    pthread_mutex_t
        lock; /* of the arrays; held while functions are asked, so that forgetting waits */
    struct family *families;
    size_t n;
};

/* What is counted with no registry, or where memory ran out; nobody reads them. */
static struct pl_counter nobody_counter;
static struct pl_histo nobody_histo;

struct pl_metrics *pl_metrics_new(void)
{
    struct pl_metrics *m = calloc(1, sizeof *m);
    if (m) {
        pthread_mutex_init(&m->lock, NULL);
    }
    return m;
}

static void series_fini(struct series *s)
{
    free(s->labels);
    free(s->counter);
    free(s->histo);
}

void pl_metrics_free(struct pl_metrics *m)
{
    if (!m) {
        return;
    }
    for (size_t i = 0; i < m->n; i++) {
        struct family *f = &m->families[i];
        for (size_t k = 0; k < f->n; k++) {
            series_fini(&f->series[k]);
        }
        free(f->series);
        free(f->name);
        free(f->help);
    }
    free(m->families);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/** Place of name in the sorted families; *found says whether it is there. */
static size_t family_place(const struct pl_metrics *m, const char *name, bool *found)
{
    size_t lo = 0, hi = m->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(m->families[mid].name, name);
        if (c == 0) {
            *found = true;
            return mid;
        }
        lo = c < 0 ? mid + 1 : lo;
        hi = c < 0 ? hi : mid;
    }
    *found = false;
    return lo;
}

/** Room for one more of `size` bytes at place i of an array; NULL when out of memory. */
static void *insert(void *array, size_t n, size_t i, size_t size)
{
    char *p = realloc(array, (n + 1) * size);
    if (p) {
        memmove(p + (i + 1) * size, p + i * size, (n - i) * size);
        memset(p + i * size, 0, size);
    }
    return p;
}

static struct family *family_get(struct pl_metrics *m, const char *name, const char *help,
                                 enum kind kind)
{
    bool found;
    size_t i = family_place(m, name, &found);
    if (found) {
        return &m->families[i];
    }
    char *name_copy = strdup(name), *help_copy = strdup(help ? help : "");
    struct family *p = NULL;
    if (name_copy && help_copy) {
        p = insert(m->families, m->n, i, sizeof *p);
    }
    if (!p) {
        free(name_copy);
        free(help_copy);
        return NULL;
    }
    m->families = p;
    m->n++;
    p[i] = (struct family){.name = name_copy, .help = help_copy, .kind = kind};
    return &p[i];
}

/** TYPE as text. */
static const char *kind_name(enum kind kind)
{
    return kind == HISTO ? "histogram" : kind == GAUGE_FN ? "gauge" : "counter";
}

/** The series, made if absent (kind and labels set); NULL when memory ran out or when name is
 *  already of another type. The lock is held. */
static struct series *series_get(struct pl_metrics *m, const char *name, const char *help,
                                 const char *labels, enum kind kind)
{
    struct family *f = family_get(m, name, help, kind);
    if (!f || strcmp(kind_name(f->kind), kind_name(kind)) != 0) {
        return NULL;
    }
    labels = labels ? labels : "";
    size_t i = 0;
    for (; i < f->n; i++) {
        int c = strcmp(f->series[i].labels, labels);
        if (c == 0) {
            return f->series[i].kind == kind ? &f->series[i] : NULL;
        }
        if (c > 0) {
            break;
        }
    }
    char *copy = strdup(labels);
    struct series *p = copy ? insert(f->series, f->n, i, sizeof *p) : NULL;
    if (!p) {
        free(copy);
        return NULL;
    }
    f->series = p;
    f->n++;
    p[i] = (struct series){.labels = copy, .kind = kind};
    return &p[i];
}

struct pl_counter *pl_metrics_counter(struct pl_metrics *m, const char *name, const char *help,
                                      const char *labels)
{
    struct pl_counter *counter = NULL;
    if (m) {
        pthread_mutex_lock(&m->lock);
        struct series *s = series_get(m, name, help, labels, COUNTER);
        if (s && !s->counter) {
            s->counter = calloc(1, sizeof *s->counter);
        }
        counter = s ? s->counter : NULL;
        pthread_mutex_unlock(&m->lock);
    }
    return counter ? counter : &nobody_counter;
}

void pl_metrics_fn(struct pl_metrics *m, const char *name, const char *help, const char *labels,
                   bool is_counter, double (*fn)(void *), void *ctx)
{
    if (!m) {
        return;
    }
    pthread_mutex_lock(&m->lock);
    struct series *s = series_get(m, name, help, labels, is_counter ? COUNTER_FN : GAUGE_FN);
    if (s) {
        s->fn = fn;
        s->ctx = ctx;
    }
    pthread_mutex_unlock(&m->lock);
}

void pl_metrics_forget(struct pl_metrics *m, void *ctx)
{
    if (!m) {
        return;
    }
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->n; i++) {
        struct family *f = &m->families[i];
        size_t kept = 0;
        for (size_t k = 0; k < f->n; k++) {
            if (f->series[k].fn && f->series[k].ctx == ctx) {
                series_fini(&f->series[k]);
            } else {
                f->series[kept++] = f->series[k];
            }
        }
        f->n = kept;
    }
    pthread_mutex_unlock(&m->lock);
}

struct pl_histo *pl_metrics_histo(struct pl_metrics *m, const char *name, const char *help,
                                  const char *labels)
{
    struct pl_histo *histo = NULL;
    if (m) {
        pthread_mutex_lock(&m->lock);
        struct series *s = series_get(m, name, help, labels, HISTO);
        if (s && !s->histo) {
            s->histo = calloc(1, sizeof *s->histo);
        }
        histo = s ? s->histo : NULL;
        pthread_mutex_unlock(&m->lock);
    }
    return histo ? histo : &nobody_histo;
}

void pl_histo_observe(struct pl_histo *h, double seconds)
{
    if (!(seconds >= 0)) {
        seconds = 0;
    }
    if (seconds > 1e9) {
        seconds = 1e9;
    }
    size_t i = 0;
    while (i < N_BOUNDS && seconds > bounds[i]) {
        i++;
    }
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ns, (uint64_t)(seconds * 1e9), memory_order_relaxed);
}

void pl_metrics_label(struct pl_buf *labels, const char *name, pl_str value)
{
    if (labels->n) {
        pl_buf_u8(labels, ',');
    }
    pl_buf_f(labels, "%s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\n') {
            pl_buf_z(labels, "\\n");
            continue;
        }
        if (c == '"' || c == '\\') {
            pl_buf_u8(labels, '\\');
        }
        pl_buf_u8(labels, (uint8_t)c);
    }
    pl_buf_u8(labels, '"');
}

static void add_value(struct pl_buf *out, double v)
{
    if (isnan(v)) {
        pl_buf_z(out, "NaN\n");
    } else if (isinf(v)) {
        pl_buf_z(out, v > 0 ? "+Inf\n" : "-Inf\n");
    } else if (fabs(v) < 1e15 && v == (double)(int64_t)v) {
        pl_buf_f(out, "%lld\n", (long long)v);
    } else {
        pl_buf_f(out, "%.12g\n", v);
    }
}

/** `name{labels} `, with a suffix on the name; an end of line inside labels is escaped. */
static void add_name(struct pl_buf *out, const char *name, const char *suffix, const char *labels)
{
    pl_buf_f(out, "%s%s", name, suffix);
    if (*labels) {
        pl_buf_u8(out, '{');
        for (const char *c = labels; *c; c++) {
            if (*c == '\n') {
                pl_buf_z(out, "\\n");
            } else {
                pl_buf_u8(out, (uint8_t)*c);
            }
        }
        pl_buf_u8(out, '}');
    }
    pl_buf_u8(out, ' ');
}

static void add_histo(struct pl_buf *out, const char *name, const struct series *s)
{
    uint64_t below = 0;
    const char *comma = *s->labels ? "," : "";
    for (size_t i = 0; i <= N_BOUNDS; i++) {
        below += atomic_load_explicit(&s->histo->buckets[i], memory_order_relaxed);
        pl_buf_f(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", name, s->labels, comma,
                 i < N_BOUNDS ? bound_text[i] : "+Inf", (unsigned long long)below);
    }
    uint64_t ns = atomic_load_explicit(&s->histo->sum_ns, memory_order_relaxed);
    add_name(out, name, "_sum", s->labels);
    pl_buf_f(out, "%llu.%09u\n", (unsigned long long)(ns / 1000000000),
             (unsigned)(ns % 1000000000));
    add_name(out, name, "_count", s->labels);
    pl_buf_f(out, "%llu\n", (unsigned long long)below);
}

static void add_help(struct pl_buf *out, const struct family *f)
{
    pl_buf_f(out, "# HELP %s ", f->name);
    for (const char *c = f->help; *c; c++) {
        if (*c == '\n' || *c == '\\') {
            pl_buf_z(out, *c == '\n' ? "\\n" : "\\\\");
        } else {
            pl_buf_u8(out, (uint8_t)*c);
        }
    }
    pl_buf_f(out, "\n# TYPE %s %s\n", f->name, kind_name(f->kind));
}

void pl_metrics_render(struct pl_metrics *m, struct pl_buf *out)
{
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->n; i++) {
        const struct family *f = &m->families[i];
        if (f->n == 0) {
            continue;
        }
        add_help(out, f);
        for (size_t k = 0; k < f->n; k++) {
            const struct series *s = &f->series[k];
            if (s->kind == HISTO) {
                if (s->histo) {
                    add_histo(out, f->name, s);
                }
                continue;
            }
            add_name(out, f->name, "", s->labels);
            if (s->kind == COUNTER) {
                uint64_t n =
                    s->counter ? atomic_load_explicit(&s->counter->n, memory_order_relaxed) : 0;
                pl_buf_f(out, "%llu\n", (unsigned long long)n);
            } else {
                add_value(out, s->fn(s->ctx));
            }
        }
    }
    pthread_mutex_unlock(&m->lock);
}
