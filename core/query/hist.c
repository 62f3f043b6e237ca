/* Histograms of a query: their memory, how they are read, their notes and their text.
 *
 * Prometheus' storage gives every counter histogram it reads a reset hint: "not reset" to each but
 * the first of a chunk, "unknown" to that, and a chunk ends where a reset is, or where schema, zero
 * threshold or custom bounds change. The hint decides what is looked at for resets and is part of
 * some results, so it is found here in the same way. Below histogram_count(), histogram_sum() and
 * histogram_avg() Prometheus reads no buckets, and settles what is unknown on the way: "reset" or
 * "not reset". */
#include "core/query/hist.h"

#include "core/codec/codec.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ memory */

struct pl_arena *pl__heap(struct pl__worker *w)
{
    if (!w->heap) {
        w->heap = calloc(1, sizeof *w->heap);
        if (!w->heap) {
            return NULL;
        }
        pl_arena_init(&w->heap->arena, w->ex->conf->max_memory_bytes);
    }
    return &w->heap->arena;
}

int pl__heap_charge(struct pl__worker *w)
{
    struct pl__heap *h = w->heap;
    size_t more = h ? h->arena.used - h->charged : 0;
    if (more < 4096) {
        return 0;
    }
    h->charged += more;
    return pl__charge(w->ex, more);
}

void pl__heap_give(struct pl__worker *w)
{
    pl_arena_fini(&w->tmp);
    if (w->heap) {
        pthread_mutex_lock(&w->ex->lock);
        w->heap->next = w->ex->heaps;
        w->ex->heaps = w->heap;
        pthread_mutex_unlock(&w->ex->lock);
        w->heap = NULL;
    }
}

void pl__heaps_free(struct pl__exec *ex)
{
    while (ex->heaps) {
        struct pl__heap *next = ex->heaps->next;
        pl_arena_fini(&ex->heaps->arena);
        free(ex->heaps);
        ex->heaps = next;
    }
}

/* ------------------------------------------------------------------ reading */

static bool new_chunk(const struct pl_histogram *h, const struct pl_histogram *before)
{
    if (!before || h->reset == PL_RESET_YES ||
        (h->reset == PL_RESET_GAUGE) != (before->reset == PL_RESET_GAUGE) ||
        h->schema != before->schema || h->zero_threshold != before->zero_threshold ||
        h->n_bounds != before->n_bounds ||
        (h->n_bounds && memcmp(h->bounds, before->bounds, h->n_bounds * sizeof *h->bounds) != 0)) {
        return true;
    }
    struct pl_histogram plain = *h;
    plain.reset = PL_RESET_UNKNOWN;
    return pl_histogram_is_reset(&plain, before);
}

uint8_t pl__hist_hint(const struct pl_histogram *h, const struct pl_histogram *before)
{
    return h->reset == PL_RESET_GAUGE ? PL_RESET_GAUGE
           : new_chunk(h, before)     ? PL_RESET_UNKNOWN
                                      : PL_RESET_NO;
}

/** Pointers of a source in memory are taken as they are. */
static int unpack(struct pl__worker *w, struct pl_arena *a, double *v)
{
    struct pl_histogram *h;
    if (w->ex->src->ops->boxed) {
        return 1;
    }
    pl_str bytes = pl_columns_histogram(&w->col, *v);
    if (bytes.n == 0) {
        return PL_ECORRUPT;
    }
    if ((uint8_t)bytes.p[0] == PL_HISTOGRAM_DOUBLE) { /* a NaN that looks like a reference */
        *v = pl_bits_f64(0x7ff8000000000001u);
        return 0;
    }
    h = pl_arena_alloc(a, sizeof *h);
    int err = h ? pl_histogram_get(bytes, a, h) : PL_ENOMEM;
    if (err >= 0) {
        *v = pl_histogram_boxed(h);
    }
    return err < 0 ? err : 1;
}

/** With what is unknown settled, from the second one on. */
static int settle(struct pl_arena *a, double *v, const struct pl_histogram *before)
{
    const struct pl_histogram *h = pl_histogram_unboxed(*v);
    if (before && h->reset == PL_RESET_UNKNOWN) {
        struct pl_histogram *copy = pl_arena_alloc(a, sizeof *copy);
        if (!copy) {
            return PL_ENOMEM;
        }
        *copy = *h;
        copy->reset = pl_histogram_is_reset(h, before) ? PL_RESET_YES : PL_RESET_NO;
        *v = pl_histogram_boxed(copy);
    }
    return 0;
}

int pl__hist_read(struct pl__worker *w, int64_t t0)
{
    struct pl_columns *c = &w->col;
    bool memory = w->ex->src->ops->boxed;
    w->hist_cols = false;
    if (memory ? !pl__any_histogram(c->v, c->n) : c->h.n == 0) {
        return 0;
    }
    struct pl_arena *a = pl__heap(w);
    const struct pl_histogram *before = NULL, *settled = NULL;
    int damaged = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (!pl_is_histogram(c->v[i])) {
            before = NULL;
            continue;
        }
        int err = a ? unpack(w, a, &c->v[i]) : PL_ENOMEM;
        if (err == PL_ECORRUPT) { /* left out; the caller says so */
            c->v[i] = pl_bits_f64(PL_STALE_BITS);
            damaged = PL_ECORRUPT;
            err = 0;
        }
        if (err < 0) {
            return err;
        }
        if (err == 0) {
            before = NULL;
            continue;
        }
        w->hist_cols = true;
        const struct pl_histogram *h = pl_histogram_unboxed(c->v[i]);
        if (!memory) { /* ours: just unpacked */
            struct pl_histogram *own = (struct pl_histogram *)(uintptr_t)h;
            own->reset = pl__hist_hint(h, before);
        }
        before = h;
        if (w->cols->hist_stats && c->t[i] >= t0) {
            if ((err = settle(a, &c->v[i], settled)) < 0) {
                return err;
            }
            settled = h;
        }
        if (i % 64 == 0 && (err = pl__heap_charge(w)) < 0) {
            return err;
        }
    }
    int charged = pl__heap_charge(w);
    return charged < 0 ? charged : damaged;
}

int pl__hist_forget(struct pl__worker *w)
{
    struct pl_arena *a = pl__heap(w);
    for (size_t i = 0; i < w->col.n; i++) {
        double *v = &w->col.v[i];
        const struct pl_histogram *h = pl_is_histogram(*v) ? pl_histogram_unboxed(*v) : NULL;
        if (h && (h->reset == PL_RESET_YES || h->reset == PL_RESET_NO)) {
            struct pl_histogram *copy = a ? pl_arena_alloc(a, sizeof *copy) : NULL;
            if (!copy) {
                return PL_ENOMEM;
            }
            *copy = *h;
            copy->reset = PL_RESET_UNKNOWN;
            *v = pl_histogram_boxed(copy);
        }
    }
    return pl__heap_charge(w);
}

/* ------------------------------------------------------------------ notes */

void pl__hist_notes(struct pl__exec *ex, unsigned bits, size_t at, pl_str name)
{
    static const struct {
        enum pl__hnote bit;
        bool warning, named;
        const char *text;
    } notes[] = {
        {PL__HNOTE_MIXED_RANGE, true, true,
         "encountered a mix of histograms and floats for metric name"},
        {PL__HNOTE_IGNORED, false, true,
         "ignored histograms in a range containing both floats and histograms for metric name"},
        {PL__HNOTE_NOT_COUNTER, true, true, "this native histogram metric is not a counter:"},
        {PL__HNOTE_NOT_GAUGE, true, true, "this native histogram metric is not a gauge:"},
        {PL__HNOTE_MIXED_SCHEMA, true, true,
         "vector contains a mix of histograms with exponential and custom buckets schemas for "
         "metric name"},
        {PL__HNOTE_BOUNDS_ADD, false, false,
         "mismatched custom buckets were reconciled during addition"},
        {PL__HNOTE_BOUNDS_SUB, false, false,
         "mismatched custom buckets were reconciled during subtraction"},
        {PL__HNOTE_BOUNDS_AGG, false, false,
         "mismatched custom buckets were reconciled during aggregation"},
        {PL__HNOTE_RESET_ADD, true, false, "conflicting counter resets during histogram addition"},
        {PL__HNOTE_RESET_SUB, true, false,
         "conflicting counter resets during histogram subtraction"},
        {PL__HNOTE_RESET_AGG, true, false,
         "conflicting counter resets during histogram aggregation"},
        {PL__HNOTE_MIXED_AGG, true, false,
         "encountered a mix of histograms and floats for aggregation"},
    };
    for (size_t i = 0; bits && i < sizeof notes / sizeof *notes; i++) {
        if (!(bits & notes[i].bit)) {
            continue;
        }
        if (notes[i].named) {
            pl__note(ex, notes[i].warning, at, "%s \"%.*s\"", notes[i].text, PL_PRS(name));
        } else {
            pl__note(ex, notes[i].warning, at, "%s", notes[i].text);
        }
    }
}

/* ------------------------------------------------------------------ maps */

int pl__hist_map(const struct pl__map *m, struct pl__worker *w, double *row, size_t steps)
{
    int err = 0;
    double *boxed = pl_arena_alloc(&w->tmp, steps * sizeof *boxed);
    if (!boxed) {
        return PL_ENOMEM;
    }
    memcpy(boxed, row, steps * sizeof *boxed);
    for (size_t s = 0; s < steps; s++) {
        row[s] = pl_is_histogram(row[s]) ? PL_ABSENT : row[s];
    }
    m->apply(m, row, steps);
    for (size_t s = 0; s < steps && err >= 0; s++) {
        if (pl_is_histogram(boxed[s])) {
            row[s] = m->hist ? m->hist(m, w, boxed[s], s, &err) : PL_ABSENT;
        }
    }
    pl_arena_reset(&w->tmp);
    w->hist = pl__any_histogram(row, steps);
    err = err < 0 ? err : pl__heap_charge(w);
    return err;
}

/* ------------------------------------------------------------------ text */

/** A number as Go's %g: the fewest digits, an exponent from 1e21 on and below 1e-4. */
static void number(struct pl_buf *out, double v)
{
    char text[PL_NUMBER_MAX], digits[PL_NUMBER_MAX];
    size_t n = pl_number_text(v, text), n_digits = 0, i = 0;
    int exponent = -1, given = 0;
    bool point = false, seen = false;
    if (!(fabs(v) >= 0) || isinf(v) || v == 0) {
        pl_buf_add(out, text, n);
        return;
    }
    i = text[0] == '-';
    for (; i < n && text[i] != 'e'; i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        seen = seen || text[i] != '0';
        if (seen) {
            digits[n_digits++] = text[i];
            exponent += !point;
        } else {
            exponent -= point;
        }
    }
    if (i < n) {
        int64_t e = 0;
        pl_str_i64(pl_str_mem(text + i + 2, n - i - 2), &e);
        given = text[i + 1] == '-' ? (int)-e : (int)e;
    }
    exponent += given;
    while (n_digits > 1 && digits[n_digits - 1] == '0') {
        n_digits--;
    }
    if (exponent >= -4 && exponent < 21) {
        pl_buf_add(out, text, n);
        return;
    }
    pl_buf_z(out, v < 0 ? "-" : "");
    pl_buf_add(out, digits, 1);
    if (n_digits > 1) {
        pl_buf_z(out, ".");
        pl_buf_add(out, digits + 1, n_digits - 1);
    }
    pl_buf_f(out, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

void pl__hist_text(const struct pl_histogram *h, struct pl_buf *out)
{
    struct pl_hiter it = pl_hiter(h, false);
    struct pl_hbucket b;
    pl_buf_z(out, "{count:");
    number(out, h->count);
    pl_buf_z(out, ", sum:");
    number(out, h->sum);
    while (pl_hiter_next(&it, &b)) {
        if (b.count == 0) {
            continue;
        }
        pl_buf_f(out, ", %c", b.lower_in ? '[' : '(');
        number(out, b.lower);
        pl_buf_z(out, ",");
        number(out, b.upper);
        pl_buf_f(out, "%c:", b.upper_in ? ']' : ')');
        number(out, b.count);
    }
    pl_buf_z(out, "}");
}
