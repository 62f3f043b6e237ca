/* A store in memory for tests and fuzz targets of ingest: series are numbered as they are first
 * seen, batches are only filled. It takes the place of core/store at link time. */
#pragma once
#include "core/codec/codec.h"
#include "core/ingest/ingest.h"
#include "core/model/model.h"
#include <stdio.h>
#include <stdlib.h>

#define FAKE_SERIES 4096
#define FAKE_NOW    1700000000000

struct pl_tenant {
    uint32_t generation;
    size_t n, max;
    struct pl_buf canon[FAKE_SERIES];
};
struct pl_batch_more {
    struct pl_buf text; /* metadata and exemplars, a line each: metric|type|unit|help, # .. */
};

static int64_t fake_ms(void *ctx)
{
    (void)ctx;
    return FAKE_NOW;
}
static int64_t fake_ns(void *ctx)
{
    (void)ctx;
    return 0;
}
static const struct pl_clock fake_clock = {fake_ms, fake_ns, NULL};

uint32_t pl_tenant_generation(const struct pl_tenant *t) { return t->generation; }

int pl_tenant_intern(struct pl_tenant *t, pl_str canon, struct pl_hash128 hash, uint32_t *id)
{
    (void)hash;
    if (pl_labels_check(canon) < 0) {
        abort();
    }
    for (size_t i = 0; i < t->n; i++) {
        if (pl_str_eq(pl_buf_view(&t->canon[i]), canon)) {
            *id = (uint32_t)i;
            return 0;
        }
    }
    if (t->n == (t->max ? t->max : FAKE_SERIES)) {
        return PL_ELIMIT;
    }
    pl_buf_str(&t->canon[t->n], canon);
    *id = (uint32_t)t->n++;
    return 1;
}

int pl_tenant_labels(struct pl_tenant *t, uint32_t id, struct pl_buf *out)
{
    if (id >= t->n) {
        return PL_ENOTFOUND;
    }
    pl_buf_str(out, pl_buf_view(&t->canon[id]));
    return 0;
}

int pl_batch_new(struct pl_tenant *t, struct pl_batch **out)
{
    struct pl_batch *b = calloc(1, sizeof(*b));
    if (!b || !(b->more = calloc(1, sizeof(*b->more)))) {
        abort();
    }
    b->tenant = t;
    b->t_min = 0;
    b->t_max = FAKE_NOW + 86400000;
    *out = b;
    return 0;
}

void pl_batch_free(struct pl_batch *b)
{
    if (b) {
        pl_buf_fini(&b->more->text);
        pl_buf_fini(&b->h);
        free(b->more);
        free(b->id);
        free(b->t);
        free(b->v);
        free(b);
    }
}

int pl_batch_reserve(struct pl_batch *b, size_t more)
{
    if (more > PL_BATCH_MAX_SAMPLES || b->n + more > PL_BATCH_MAX_SAMPLES) {
        return PL_ELIMIT;
    }
    b->cap = b->n + more > b->cap ? b->n + more : b->cap; /* to the row: what is over it is seen */
    b->id = realloc(b->id, (b->cap + 1) * sizeof(*b->id));
    b->t = realloc(b->t, (b->cap + 1) * sizeof(*b->t));
    b->v = realloc(b->v, (b->cap + 1) * sizeof(*b->v));
    if (!b->id || !b->t || !b->v) {
        abort();
    }
    return 0;
}

int pl_batch_add_histogram(struct pl_batch *b, uint32_t id, int64_t t, const struct pl_histogram *h)
{
    struct pl_buf one = PL_BUF_INIT;
    const char *why;
    if (pl_histogram_check(h, &why) < 0 || pl_histogram_put(&one, h) < 0) {
        abort(); /* what decoders give is sound */
    }
    size_t at = b->h.n;
    int e = pl_batch_add(b, id, t, pl_histogram_box(at));
    if (e >= 0) {
        pl_buf_varint(&b->h, one.n);
        pl_buf_str(&b->h, pl_buf_view(&one));
    }
    pl_buf_fini(&one);
    return e;
}

int pl_batch_metadata(struct pl_batch *b, const struct pl_metadata *m)
{
    pl_buf_f(&b->more->text, "%.*s|%s|%.*s|%.*s\n", PL_PRS(m->metric), pl_metric_type_text(m->type),
             PL_PRS(m->unit), PL_PRS(m->help));
    return 0;
}

int pl_batch_exemplar(struct pl_batch *b, uint32_t id, pl_str labels, int64_t t, double v)
{
    if (id >= b->tenant->n || pl_labels_check(labels) < 0) {
        abort();
    }
    pl_buf_z(&b->more->text, "# ");
    pl_labels_text(pl_buf_view(&b->tenant->canon[id]), &b->more->text);
    pl_buf_u8(&b->more->text, ' ');
    pl_labels_text(labels, &b->more->text);
    pl_buf_f(&b->more->text, " %lld %.17g\n", (long long)t, v);
    return 0;
}

/* One loop's ingest with its tenant, and the batch and report of the request at hand. */
struct fake {
    struct pl_tenant tenant;
    struct pl_ingest *g;
    struct pl_batch *b;
    struct pl_ingest_report r;
    struct pl_buf text;
};

static inline struct fake *fake_new(void)
{
    struct fake *f = calloc(1, sizeof(*f));
    struct pl_ingest_conf conf = {.clock = &fake_clock, .alias_max = 512};
    if (!f || pl_ingest_new(&conf, &f->g) < 0) {
        abort();
    }
    pl_batch_new(&f->tenant, &f->b);
    return f;
}

/* A new batch and report; the series and the alias cache stay. */
static inline void fake_next(struct fake *f)
{
    pl_batch_free(f->b);
    pl_batch_new(&f->tenant, &f->b);
    f->r = (struct pl_ingest_report){0};
}

static inline void fake_free(struct fake *f)
{
    pl_batch_free(f->b);
    pl_ingest_free(f->g);
    for (size_t i = 0; i < f->tenant.n; i++) {
        pl_buf_fini(&f->tenant.canon[i]);
    }
    pl_buf_fini(&f->text);
    free(f);
}

/* What must hold after any input: every row has a series and a time that is accepted. */
static inline void fake_check(const struct fake *f, int e)
{
    uint64_t sum = 0;
    for (size_t i = 0; e == 0 && i < f->b->n; i++) {
        if (f->b->id[i] >= f->tenant.n || f->b->t[i] < f->b->t_min || f->b->t[i] > f->b->t_max) {
            abort();
        }
    }
    for (size_t i = 0; i < PL_REJECT_N; i++) {
        sum += f->r.by_why[i];
    }
    if (sum != f->r.rejected || f->r.n_first > PL_REJECTS_SHOWN || !f->r.unit || e > 0) {
        abort();
    }
}

static inline void fake_buckets(struct pl_buf *out, char sign, const struct pl_hbuckets *b)
{
    uint32_t at = 0;
    int64_t index = 0;
    for (uint32_t i = 0; i < b->n_spans; i++) {
        index += b->spans[i].offset;
        for (uint32_t k = 0; k < b->spans[i].length; k++) {
            pl_buf_f(out, " %c%lld:%g", sign, (long long)index++, b->count[at++]);
        }
    }
}

/* A histogram as `histogram schema 3 count 7 ...`. */
static inline void fake_histogram(struct fake *f, double v)
{
    struct pl_histogram h;
    struct pl_arena a;
    uint64_t n;
    const uint8_t *p = pl_varint_get(f->b->h.p + pl_histogram_ref(v), f->b->h.p + f->b->h.n, &n);
    pl_arena_init(&a, 0);
    if (!p || pl_histogram_get(pl_str_mem(p, n), &a, &h) < 0) {
        abort();
    }
    pl_buf_f(&f->text, "%s schema %d reset %d count %g sum %g zero %g:%g",
             h.floats ? "floats" : "histogram", h.schema, h.reset, h.count, h.sum, h.zero_threshold,
             h.zero_count);
    fake_buckets(&f->text, '+', &h.pos);
    fake_buckets(&f->text, '-', &h.neg);
    for (uint32_t i = 0; i < h.n_bounds; i++) {
        pl_buf_f(&f->text, " <=%g", h.bounds[i]);
    }
    pl_arena_fini(&a);
}

/* The batch as text: `{a="b"} t v` a line, then metadata, then rejects as `!at reason samples`. */
static inline const char *fake_text(struct fake *f)
{
    pl_buf_clear(&f->text);
    for (size_t i = 0; i < f->b->n; i++) {
        char v[64];
        snprintf(v, sizeof(v), "%.17g", f->b->v[i]);
        pl_labels_text(pl_buf_view(&f->tenant.canon[f->b->id[i]]), &f->text);
        pl_buf_f(&f->text, " %lld ", (long long)f->b->t[i]);
        if (pl_is_histogram(f->b->v[i]) && f->b->h.n) {
            fake_histogram(f, f->b->v[i]);
        } else {
            pl_buf_z(&f->text, pl_is_stale(f->b->v[i]) ? "stale" : v);
        }
        pl_buf_u8(&f->text, '\n');
    }
    pl_buf_str(&f->text, pl_buf_view(&f->b->more->text));
    for (size_t i = 0; i < f->r.n_first; i++) {
        pl_buf_f(&f->text, "!%llu %s\n", (unsigned long long)f->r.first[i].at,
                 pl_reject_label(f->r.first[i].why));
    }
    if (f->r.rejected) {
        pl_buf_f(&f->text, "%llu rejected\n", (unsigned long long)f->r.rejected);
    }
    pl_buf_u8(&f->text, 0);
    return (const char *)f->text.p;
}

/* Every prefix of a valid input and every single-bit flip of it. The copy is exact in length, so
 * that a sanitizer sees each byte too far. */
static inline void fake_hurt(pl_str input, void (*run)(struct fake *f, pl_str body))
{
    for (size_t i = 0; i < input.n * 9; i++) {
        size_t n = i < input.n ? i : input.n, bit = i - input.n;
        char *copy = malloc(n ? n : 1);
        struct fake *f = fake_new();
        if (!copy) {
            abort();
        }
        memcpy(copy, input.p, n);
        if (i >= input.n) {
            copy[bit / 8] ^= (char)(1 << (bit % 8));
        }
        run(f, pl_str_mem(copy, n));
        fake_next(f); /* again, with a warm alias cache */
        run(f, pl_str_mem(copy, n));
        free(copy);
        fake_free(f);
    }
}
