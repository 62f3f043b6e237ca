/* For tests of engines: a place to work in, flushes out of rows, and a model to compare with: a
 * plain array of (id, time, value, journal number) in order of writing. The test file sets what is
 * tested:
 *
 *     static const struct engine_under_test under_test = {open_it};
 *     engine_conformance = &under_test;        in main */
#pragma once
#include "core/base/base.h"
#include "core/store/columns.h"
#include "core/store/engine.h"
#include "tests/unit/store/histograms.h"
#include "tests/unit/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct engine_under_test {
    int (*open)(const char *dir, const struct pl_clock *clock, struct pl_engine **out);
};
static const struct engine_under_test *engine_conformance;

#define DAY 86400000ll
#define T0  (20000 * DAY)

/* ---------------------------------------------------------------- a place to work in */

struct place {
    char dir[128];
    struct pl_clock_manual manual;
    struct pl_clock clock;
    struct pl_engine *e;
    struct pl_engine_tenant *t;
};

static inline void place_open(struct place *p)
{
    assert_int_equal(engine_conformance->open(p->dir, &p->clock, &p->e), 0);
    assert_int_equal(p->e->ops->tenant(p->e, PL_STR("default"), true, &p->t), 0);
}

static inline void place_begin(struct place *p)
{
    memset(p, 0, sizeof *p);
    snprintf(p->dir, sizeof p->dir, "/tmp/perilune-engine-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->manual.ms = T0 + DAY / 2;
    p->clock = pl_clock_manual(&p->manual);
    place_open(p);
}

static inline void place_reopen(struct place *p)
{
    p->e->ops->close(p->e);
    place_open(p);
}

static inline void place_end(struct place *p)
{
    p->e->ops->close(p->e);
    pl_path_remove(p->dir);
}

/* ---------------------------------------------------------------- rows and flushes */

struct row {
    uint32_t id;
    int64_t t;
    double v;
    uint64_t seq;
};
struct rows {
    struct row *r;
    size_t n, cap;
    uint64_t seq; /* of the last flush */
};

static inline void rows_add(struct rows *x, uint32_t id, int64_t t, double v)
{
    if (x->n == x->cap) {
        x->cap = x->cap ? 2 * x->cap : 1024;
        x->r = realloc(x->r, x->cap * sizeof *x->r);
        assert_non_null(x->r);
    }
    x->r[x->n++] = (struct row){id, t, v, 0};
}

/** The value of a row: in rows, a boxed value stands for histogram number k. */
static inline void rows_value(struct pl_columns *c, size_t at, double v)
{
    struct pl_buf b = PL_BUF_INIT;
    c->v[at] = v;
    if (pl_is_histogram(v)) {
        histogram_bytes(pl_histogram_ref(v), &b);
        assert_int_equal(pl_columns_keep(c, pl_buf_view(&b), &c->v[at]), 0);
    }
    pl_buf_fini(&b);
}

static inline int row_order(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->id != y->id) {
        return x->id < y->id ? -1 : 1;
    }
    if (x->t != y->t) {
        return x->t < y->t ? -1 : 1;
    }
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/** Series by series out of sorted rows. */
struct feed {
    const struct row *r;
    size_t n, at;
    struct pl_columns cols;
};

static inline bool feed_next(void *ctx, uint32_t *id, const struct pl_columns **c)
{
    struct feed *f = ctx;
    if (f->at == f->n) {
        return false;
    }
    pl_columns_clear(&f->cols);
    *id = f->r[f->at].id;
    for (; f->at < f->n && f->r[f->at].id == *id; f->at++) {
        size_t last = f->cols.n;
        if (last && f->cols.t[last - 1] == f->r[f->at].t) {
            last--; /* the last written counts */
        } else {
            assert_int_equal(pl_columns_reserve(&f->cols, 1), 0);
            f->cols.n++;
        }
        f->cols.t[last] = f->r[f->at].t;
        rows_value(&f->cols, last, f->r[f->at].v);
    }
    *c = &f->cols;
    return true;
}

/** Write rows [from, x->n) as one flush. */
static inline int rows_flush(struct pl_engine_tenant *t, const struct pl_engine *e, struct rows *x,
                             size_t from)
{
    size_t n = x->n - from;
    struct row *sorted = calloc(n + 1, sizeof *sorted);
    assert_non_null(sorted);
    memcpy(sorted, x->r + from, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++) {
        sorted[i].seq = i; /* order of writing */
        x->r[from + i].seq = x->seq + 1;
    }
    qsort(sorted, n, sizeof *sorted, row_order);
    struct feed feed = {.r = sorted, .n = n};
    struct pl_flush f = {
        .first_seq = x->seq + 1, .last_seq = x->seq + 1, .next = feed_next, .ctx = &feed};
    int err = e->ops->write(t, &f);
    x->seq++;
    pl_columns_fini(&feed.cols);
    free(sorted);
    return err;
}

/* ---------------------------------------------------------------- reading and comparing */

struct erased {
    uint32_t id;
    int64_t t0, t1;
    uint64_t seq;
};
struct model {
    struct rows rows;
    struct erased erased[64];
    size_t n_erased;
    int64_t cutoff; /* what is in days that end before it is gone */
};

static inline bool model_hidden(const struct model *m, const struct row *r)
{
    if (m->cutoff && r->t < m->cutoff - m->cutoff % DAY) {
        return true;
    }
    for (size_t i = 0; i < m->n_erased; i++) {
        const struct erased *x = &m->erased[i];
        if (x->id == r->id && r->t >= x->t0 && r->t <= x->t1 && r->seq <= x->seq) {
            return true;
        }
    }
    return false;
}

static inline void model_read(const struct model *m, uint32_t id, int64_t t0, int64_t t1,
                              struct pl_columns *out)
{
    pl_columns_clear(out);
    for (size_t i = 0; i < m->rows.n; i++) {
        const struct row *r = &m->rows.r[i];
        if (r->id == id && r->t >= t0 && r->t <= t1 && !model_hidden(m, r)) {
            assert_int_equal(pl_columns_reserve(out, 1), 0);
            out->t[out->n] = r->t;
            rows_value(out, out->n++, r->v);
        }
    }
    assert_int_equal(pl_columns_sort(out), 0);
}

static inline void same_columns(const struct pl_columns *got, const struct pl_columns *want)
{
    assert_int_equal(got->n, want->n);
    for (size_t i = 0; i < got->n; i++) {
        pl_str a = pl_columns_histogram(got, got->v[i]), b = pl_columns_histogram(want, want->v[i]);
        if (b.n && got->t[i] == want->t[i] && pl_is_histogram(got->v[i]) && pl_str_eq(a, b)) {
            continue;
        }
        if (got->t[i] != want->t[i] || pl_f64_bits(got->v[i]) != pl_f64_bits(want->v[i])) {
            fail_msg("sample %zu: got %lld %.17g, want %lld %.17g", i, (long long)got->t[i],
                     got->v[i], (long long)want->t[i], want->v[i]);
        }
    }
}

/** Every series of the model, read through one cursor, is what the model says. */
static inline void same_view(const struct pl_engine *e, struct pl_view *v, const struct model *m,
                             uint32_t n_ids, int64_t t0, int64_t t1)
{
    struct pl_cursor *c;
    struct pl_columns got = {0}, want = {0};
    assert_int_equal(e->ops->cursor(v, &c), 0);
    for (uint32_t id = 0; id < n_ids; id++) {
        assert_int_equal(e->ops->read(c, id, t0, t1, &got, NULL), 0);
        model_read(m, id, t0, t1, &want);
        same_columns(&got, &want);
    }
    e->ops->cursor_free(c);
    pl_columns_fini(&got);
    pl_columns_fini(&want);
}

static inline void same_as_model(struct place *p, const struct model *m, uint32_t n_ids, int64_t t0,
                                 int64_t t1)
{
    struct pl_view *v;
    assert_int_equal(p->e->ops->view(p->t, t0, t1, &v), 0);
    same_view(p->e, v, m, n_ids, t0, t1);
    p->e->ops->view_free(v);
}

/** Samples over all ids below n_ids. */
static inline size_t count_samples(struct place *p, uint32_t n_ids)
{
    struct pl_view *v;
    struct pl_cursor *c;
    struct pl_columns cols = {0};
    size_t n = 0;
    assert_int_equal(p->e->ops->view(p->t, INT64_MIN, INT64_MAX, &v), 0);
    assert_int_equal(p->e->ops->cursor(v, &c), 0);
    for (uint32_t id = 0; id < n_ids; id++) {
        assert_int_equal(p->e->ops->read(c, id, INT64_MIN, INT64_MAX, &cols, NULL), 0);
        n += cols.n;
    }
    p->e->ops->cursor_free(c);
    p->e->ops->view_free(v);
    pl_columns_fini(&cols);
    return n;
}

static inline uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}
