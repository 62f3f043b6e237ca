/* Steps of range queries that are kept, so that a query that rolls forward computes only what is
 * new, or was touched.
 *
 * Kept under (tenant, text, step, start modulo step, what else counts): a matrix of series x steps
 * over one stretch of time, with the mark of the store's state at which all of it was right. A
 * request asks which of the steps are still right (halving the stretch until a part is untouched),
 * evaluates the missing ones as queries of their own, and joins them by labels; what comes out is
 * kept in place of the old matrix, with the mark taken before anything was asked. Only queries
 * whose steps are independent of each other (pl_query_reads.local) are kept, and none whose values
 * are native histograms. Query threads; what is kept is immutable. */
#include "core/query/cache_kept.h"
#include "core/query/exec.h"
#include <stdlib.h>

#define PARTS_MAX 4   /* evaluations of one request; more: all of it anew */
#define ASKS_MAX  128 /* of the store, a request */

struct note {
    bool warning;
    pl_str text;
    int64_t t0, t1; /* steps of the evaluation that gave it */
};

struct steps {
    struct pl__kept kept;
    struct pl_query_mark mark;
    struct pl_query_reads reads;
    int64_t start, step;
    size_t n, n_rows;
    pl_str *labels; /* sorted */
    double *v;      /* n_rows x n */
    struct note *notes;
    size_t n_notes;
    struct pl_arena arena; /* labels, notes */
};

/** Steps [from, to) of the request, evaluated. */
struct part {
    size_t from, to;
    struct pl_result result;
};

struct request {
    const struct pl_query_conf *c;
    const struct pl_source *src;
    pl_str text;
    int64_t start, end, step; /* end need not be the time of a step: `@ end()` asks for it */
    size_t n;
    struct pl_query_mark mark;
    struct pl_query_error *err;
    const struct steps *old; /* NULL: nothing */
    uint8_t *right;          /* a byte a step of old */
    int64_t shift;           /* step i here is step i + shift of old */
    struct part part[PARTS_MAX];
    size_t n_parts;
};

static void steps_free(struct pl__kept *k)
{
    struct steps *s = (struct steps *)k; /* its first member */
    pl_arena_fini(&s->arena);
    free(s->v);
    free(s);
}

static int64_t time_of(const struct request *q, int64_t i) { return q->start + i * q->step; }

static bool has(const struct request *q, int64_t i)
{
    i += q->shift;
    return q->old && i >= 0 && i < (int64_t)q->old->n && q->right[i];
}

/* ------------------------------------------------------------------ what is still right */

static bool holds(const struct steps *s, size_t from, size_t to)
{
    const struct pl_query_reads *r = &s->reads;
    int64_t a = s->start + (int64_t)from * s->step, b = s->start + (int64_t)(to - 1) * s->step;
    if (r->from > r->to) {
        return true;
    }
    bool far = __builtin_add_overflow(a, r->from, &a) || __builtin_add_overflow(b, r->to, &b);
    return !far && pl__mark_holds(&s->mark, a, b);
}

static void find_right(const struct request *q, size_t from, size_t to, int *asks)
{
    if (from >= to || --*asks < 0) {
        return;
    }
    if (holds(q->old, from, to)) {
        memset(q->right + from, 1, to - from);
    } else if (to - from > 1) {
        size_t mid = from + (to - from) / 2;
        find_right(q, from, mid, asks);
        find_right(q, mid, to, asks);
    }
}

/** Which steps of old can be used, near the request (a length of it before, and behind). */
static int ask(struct request *q)
{
    const struct steps *s = q->old;
    int asks = ASKS_MAX;
    q->shift = (q->start - s->start) / q->step;
    q->right = calloc(s->n, 1);
    if (!q->right) {
        return PL_ENOMEM;
    }
    int64_t n = (int64_t)q->n, size = (int64_t)s->n;
    int64_t from = q->shift - n > 0 ? q->shift - n : 0;
    int64_t to = q->shift + 2 * n < size ? q->shift + 2 * n : size;
    if (from < to && pl__mark_holds(&s->mark, s->reads.t0, s->reads.t1)) {
        find_right(q, (size_t)from, (size_t)to, &asks);
    }
    return 0;
}

/** The stretches of the request that are missing; all of it where they are many. */
static void split(struct request *q)
{
    size_t missing = 0;
    q->n_parts = 0;
    for (size_t i = 0, k; i < q->n; i = k) {
        for (k = i; k < q->n && !has(q, (int64_t)k); k++) {
        }
        if (k > i) {
            if (q->n_parts == PARTS_MAX) {
                missing = q->n;
                break;
            }
            q->part[q->n_parts++] = (struct part){.from = i, .to = k};
            missing += k - i;
        }
        for (; k < q->n && has(q, (int64_t)k); k++) {
        }
    }
    if (missing > q->n - q->n / 4) {
        q->old = NULL;
        q->n_parts = 1;
        q->part[0] = (struct part){.from = 0, .to = q->n};
    }
}

/* ------------------------------------------------------------------ a matrix, and a result of it
 */

static int add_notes(struct steps *s, const struct pl_result *r, int64_t t0, int64_t t1, size_t cap)
{
    for (int w = 0; w < 2; w++) {
        const pl_str *list = w ? r->warnings : r->infos;
        size_t n = w ? r->n_warnings : r->n_infos;
        for (size_t i = 0; i < n && s->n_notes < cap; i++) {
            struct note *note = &s->notes[s->n_notes++];
            *note = (struct note){w, pl_arena_dup(&s->arena, list[i]), t0, t1};
            if (!note->text.p) {
                return PL_ENOMEM;
            }
        }
    }
    return 0;
}

/** Notes of old that concern [from, to), then those of the parts. */
static int join_notes(const struct request *q, struct steps *s)
{
    size_t cap = q->old ? q->old->n_notes : 0;
    int err = 0;
    for (size_t p = 0; p < q->n_parts; p++) {
        cap += q->part[p].result.n_warnings + q->part[p].result.n_infos;
    }
    s->notes = pl_arena_alloc(&s->arena, (cap + 1) * sizeof *s->notes);
    if (!s->notes) {
        return PL_ENOMEM;
    }
    int64_t t1 = s->start + (int64_t)(s->n - 1) * s->step;
    for (size_t i = 0; q->old && i < q->old->n_notes && err >= 0; i++) {
        struct note note = q->old->notes[i];
        if (note.t1 >= s->start && note.t0 <= t1) {
            note.text = pl_arena_dup(&s->arena, note.text);
            err = note.text.p ? 0 : PL_ENOMEM;
            s->notes[s->n_notes++] = note;
        }
    }
    for (size_t p = 0; p < q->n_parts && err >= 0; p++) {
        const struct part *part = &q->part[p];
        err = add_notes(s, &part->result, time_of(q, (int64_t)part->from),
                        time_of(q, (int64_t)part->to - 1), cap);
    }
    return err;
}

/* The same text over stretches that meet is one note: otherwise they would grow with each step. */
static void merge_notes(struct steps *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_notes; i++) {
        struct note *a = &s->notes[i];
        size_t k = 0;
        while (k < n &&
               !(s->notes[k].warning == a->warning && pl_str_eq(s->notes[k].text, a->text) &&
                 a->t0 <= s->notes[k].t1 + s->step && s->notes[k].t0 <= a->t1 + s->step)) {
            k++;
        }
        if (k == n) {
            s->notes[n++] = *a;
            continue;
        }
        struct note *b = &s->notes[k];
        b->t0 = a->t0 < b->t0 ? a->t0 : b->t0;
        b->t1 = a->t1 > b->t1 ? a->t1 : b->t1;
    }
    s->n_notes = n;
}

static int by_label(const void *a, const void *b)
{
    const pl_str *const *x = a, *const *y = b;
    return pl_labels_cmp(**x, **y);
}

/** Numbers of labels in x -> their places in order. */
static int order(const struct request *q, const struct pl__index *x, size_t *place)
{
    if (x->n == (q->old ? q->old->n_rows : 0) || (!q->old && q->n_parts == 1)) {
        for (size_t i = 0; i < x->n; i++) { /* as it was */
            place[i] = i;
        }
        return 0;
    }
    const pl_str **sorted = malloc((x->n + 1) * sizeof *sorted);
    if (!sorted) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < x->n; i++) {
        sorted[i] = &x->key[i];
    }
    qsort(sorted, x->n, sizeof *sorted, by_label);
    for (size_t i = 0; i < x->n; i++) {
        place[sorted[i] - x->key] = i;
    }
    free(sorted);
    return 0;
}

/** All labels of old and of the parts. */
static int collect(const struct request *q, struct pl__index *x)
{
    bool fresh;
    for (size_t i = 0; q->old && i < q->old->n_rows; i++) {
        if (pl__index_put(x, q->old->labels[i], &fresh) == PL__INDEX_NONE) {
            return PL_ENOMEM;
        }
    }
    for (size_t p = 0; p < q->n_parts; p++) {
        for (size_t i = 0; i < q->part[p].result.n; i++) {
            pl_str labels = q->part[p].result.series[i].labels;
            if (pl__index_put(x, labels, &fresh) == PL__INDEX_NONE) {
                return PL_ENOMEM;
            }
        }
    }
    return 0;
}

/** Steps [lo, lo + s->n) of the request: values of old where they are right, then the parts'. */
static void fill(const struct request *q, struct steps *s, const struct pl__index *x,
                 const size_t *place, int64_t lo)
{
    for (size_t i = 0; i < s->n_rows * s->n; i++) {
        s->v[i] = PL_ABSENT;
    }
    for (int64_t a = lo, b; q->old && a < lo + (int64_t)s->n; a = b) {
        for (b = a; b < lo + (int64_t)s->n && has(q, b); b++) {
        }
        for (size_t r = 0; r < q->old->n_rows && b > a; r++) { /* its number is its row */
            memcpy(s->v + place[r] * s->n + (a - lo), q->old->v + r * q->old->n + (a + q->shift),
                   (size_t)(b - a) * sizeof *s->v);
        }
        b += b == a;
    }
    for (size_t p = 0; p < q->n_parts; p++) {
        for (size_t i = 0; i < q->part[p].result.n; i++) {
            const struct pl_result_series *from = &q->part[p].result.series[i];
            double *row = s->v + place[pl__index_get(x, from->labels)] * s->n;
            for (size_t k = 0; k < from->n; k++) {
                row[(from->t[k] - s->start) / s->step] = from->v[k];
            }
        }
    }
}

static void prune(struct steps *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_rows; i++) {
        const double *row = s->v + i * s->n;
        size_t k = 0;
        while (k < s->n && pl_is_absent(row[k])) {
            k++;
        }
        if (k == s->n) {
            continue;
        }
        if (n != i) {
            memcpy(s->v + n * s->n, row, s->n * sizeof *row);
            s->labels[n] = s->labels[i];
        }
        n++;
    }
    s->n_rows = n;
}

/** Old and parts, joined; steps next to the request are kept as well, at most its length on either
 * side. NULL without memory. */
static struct steps *join(const struct request *q, pl_str key, const struct pl_query_reads *reads)
{
    int64_t lo = 0, hi = (int64_t)q->n, n = hi;
    while (lo > -n && has(q, lo - 1)) {
        lo--;
    }
    while (hi < 2 * n && has(q, hi)) {
        hi++;
    }
    struct pl__index x = {0};
    struct steps *s = calloc(1, sizeof *s);
    size_t *place = NULL;
    if (!s) {
        return NULL;
    }
    pl_arena_init(&s->arena, 0);
    s->mark = q->mark;
    s->reads = *reads;
    s->start = time_of(q, lo);
    s->step = q->step;
    s->n = (size_t)(hi - lo);
    int err = collect(q, &x);
    s->n_rows = x.n;
    if (err >= 0) {
        place = malloc((x.n + 1) * sizeof *place);
        s->labels = pl_arena_alloc(&s->arena, (x.n + 1) * sizeof *s->labels);
        s->v = malloc((x.n * s->n + 1) * sizeof *s->v);
        err = place && s->labels && s->v ? order(q, &x, place) : PL_ENOMEM;
    }
    for (size_t i = 0; i < x.n && err >= 0; i++) {
        s->labels[place[i]] = pl_arena_dup(&s->arena, x.key[i]);
        err = s->labels[place[i]].p ? 0 : PL_ENOMEM;
    }
    if (err >= 0) {
        fill(q, s, &x, place, lo);
        prune(s);
        err = join_notes(q, s);
    }
    if (err >= 0) {
        merge_notes(s);
        size_t bytes = sizeof *s + x.n * s->n * sizeof *s->v + 2 * s->arena.used + 4096;
        err = pl__kept_init(&s->kept, key, bytes, steps_free);
    }
    pl__index_fini(&x);
    free(place);
    if (err < 0) {
        steps_free(&s->kept);
        return NULL;
    }
    return s;
}

/** Notes that concern the request. */
static int give_notes(const struct request *q, const struct steps *s, struct pl_result *out)
{
    int64_t t1 = time_of(q, (int64_t)q->n - 1);
    out->warnings = pl_arena_alloc(&out->arena, (s->n_notes + 1) * sizeof *out->warnings);
    out->infos = pl_arena_alloc(&out->arena, (s->n_notes + 1) * sizeof *out->infos);
    if (!out->warnings || !out->infos) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < s->n_notes; i++) {
        const struct note *note = &s->notes[i];
        pl_str *list = note->warning ? out->warnings : out->infos;
        size_t *n = note->warning ? &out->n_warnings : &out->n_infos, k = 0;
        while (k < *n && !pl_str_eq(list[k], note->text)) {
            k++;
        }
        if (k == *n && k < PL__NOTES_MAX && note->t1 >= q->start && note->t0 <= t1) {
            list[k] = pl_arena_dup(&out->arena, note->text);
            if (!list[k].p) {
                return PL_ENOMEM;
            }
            ++*n;
        }
    }
    return 0;
}

/** A result that was not computed counts as one that was. */
static int charge(const struct request *q, struct pl_result *out)
{
    struct pl_query_budget *all = q->c->budget;
    out->budget = all;
    out->charged = out->arena.used;
    return all && atomic_fetch_add(&all->used, out->charged) + out->charged > all->max_bytes
               ? PL_EAGAIN /* the error gets its words when it is computed */
               : 0;
}

/** The request's steps of s, which has them all. */
static int give(const struct request *q, const struct steps *s, struct pl_result *out)
{
    struct pl_arena *a = &out->arena;
    size_t at = (size_t)((q->start - s->start) / q->step);
    pl_arena_init(a, q->c->max_memory_bytes);
    int64_t *times = pl_arena_alloc(a, (q->n + 1) * sizeof *times);
    out->series = pl_arena_alloc(a, (s->n_rows + 1) * sizeof *out->series);
    if (!times || !out->series) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < q->n; i++) {
        times[i] = time_of(q, (int64_t)i);
    }
    for (size_t r = 0; r < s->n_rows; r++) {
        if (pl__result_row(out, s->labels[r], s->v + r * s->n + at, times, q->n) < 0) {
            return PL_ENOMEM;
        }
    }
    int err = give_notes(q, s, out);
    return err < 0 ? err : charge(q, out);
}

/* ------------------------------------------------------------------ a request */

static int evaluate(struct request *q, struct part *p)
{
    int64_t end = p->to == q->n ? q->end : time_of(q, (int64_t)p->to - 1);
    return pl_source_range(q->c, q->src, q->text, time_of(q, (int64_t)p->from), end, q->step,
                           &p->result, q->err);
}

/** May a matrix be made of it? */
static bool keeps(const struct pl_result *r)
{
    bool plain = r->reads.known && r->reads.local && !r->damaged && r->type == PL_VALUE_MATRIX;
    for (size_t i = 0; i < r->n && plain; i++) {
        for (size_t k = 0; k < r->series[i].n && plain; k++) {
            plain = !pl_is_histogram(r->series[i].v[k]);
        }
    }
    return plain;
}

/** Would the matrix be too large to be kept, or for the query? */
static bool fits(const struct request *q)
{
    size_t rows = q->old ? q->old->n_rows : 0;
    for (size_t p = 0; p < q->n_parts; p++) {
        rows += q->part[p].result.n;
    }
    return rows <= pl__cache_item_max(q->c->cache) / sizeof(double) / (3 * q->n);
}

static int key_of(const struct request *q, struct pl_buf *key)
{
    const struct pl_query_conf *c = q->c;
    int64_t phase = q->start % q->step;
    pl_buf_u8(key, 'S');
    pl_buf_u8(key, (uint8_t)(c->strict | c->raw_only << 1 | c->early_names << 2));
    pl_buf_u64(key, (uint64_t)(uintptr_t)c->tenant);
    pl_buf_u64(key, (uint64_t)(uintptr_t)c->hooks);
    pl_buf_u64(key, (uint64_t)c->lookback_ms);
    pl_buf_u64(key, (uint64_t)q->step);
    pl_buf_u64(key, (uint64_t)(phase < 0 ? phase + q->step : phase));
    pl_buf_str(key, q->text);
    return key->failed ? PL_ENOMEM : 0;
}

/** Evaluate all of it as if there were no cache, and keep that if it can be. */
static int anew(struct request *q, pl_str key, struct pl_result *out)
{
    q->old = NULL;
    q->n_parts = 1;
    q->part[0] = (struct part){.from = 0, .to = q->n};
    q->mark = pl_query_mark(q->c->tenant);
    int err = evaluate(q, &q->part[0]);
    if (err < 0) {
        return err;
    }
    struct pl_result *r = &q->part[0].result;
    struct steps *s = keeps(r) && fits(q) ? join(q, key, &r->reads) : NULL;
    if (s) {
        pl__cache_put(q->c->cache, &s->kept);
    }
    *out = *r;
    return 0;
}

static void add_stats(struct pl_query_stats *to, const struct pl_query_stats *s)
{
    to->series += s->series;
    to->samples += s->samples;
    to->queryable += s->queryable;
    to->chunks += s->chunks;
    to->parse_ns += s->parse_ns;
    to->exec_ns += s->exec_ns;
    to->peak_samples = s->peak_samples > to->peak_samples ? s->peak_samples : to->peak_samples;
    to->tier_ms = s->tier_ms > to->tier_ms ? s->tier_ms : to->tier_ms;
}

/** Evaluate the parts and join them with what is there. PL_EAGAIN: it has to be done anew. */
static int complete(struct request *q, pl_str key, struct pl_result *out)
{
    size_t done = 0;
    int err = 0;
    struct steps *s = NULL;
    struct pl_query_reads reads = q->old->reads;
    while (done < q->n_parts && err >= 0) {
        err = evaluate(q, &q->part[done]);
        if (err >= 0) {
            err = keeps(&q->part[done].result) ? 0 : PL_EAGAIN;
            done++;
        }
    }
    if (err >= 0) {
        s = fits(q) ? join(q, key, &reads) : NULL;
        err = s ? 0 : PL_EAGAIN;
    }
    if (s) {
        *out = (struct pl_result){.type = PL_VALUE_MATRIX, .reads = reads};
        out->t = q->start;
        err = give(q, s, out);
        for (size_t p = 0; p < q->n_parts; p++) {
            add_stats(&out->stats, &q->part[p].result.stats);
        }
        if (err < 0) {
            pl_result_fini(out);
            pl__kept_unref(&s->kept);
        } else {
            pl__cache_put(q->c->cache, &s->kept);
        }
    }
    for (size_t p = 0; p < done; p++) {
        pl_result_fini(&q->part[p].result);
    }
    return err;
}

int pl__cached_range(const struct pl_query_conf *c, const struct pl_source *src, pl_str text,
                     int64_t start, int64_t end, int64_t step, struct pl_result *out,
                     struct pl_query_error *err)
{
    struct request q = {.c = c, .src = src, .text = text, .err = err};
    q.start = start, q.end = end, q.step = step;
    struct pl_buf key = PL_BUF_INIT;
    int e = pl__check_range(start, end, step, err);
    if (e < 0) {
        return e;
    }
    q.n = (size_t)((end - start) / step) + 1;
    if (key_of(&q, &key) < 0) {
        pl_buf_fini(&key);
        return pl_source_range(c, src, text, start, end, step, out, err);
    }
    struct steps *old = (struct steps *)pl__cache_get(c->cache, pl_buf_view(&key));
    q.mark = pl_query_mark(c->tenant);
    q.old = old;
    e = old ? ask(&q) : 0;
    q.old = e < 0 ? NULL : q.old;
    if (q.old) {
        split(&q);
    }
    enum pl__cache_event event = !q.old      ? PL__CACHE_MISS
                                 : q.n_parts ? PL__CACHE_PART
                                             : PL__CACHE_HIT;
    e = PL_EAGAIN;
    if (event == PL__CACHE_HIT) {
        *out = (struct pl_result){.type = PL_VALUE_MATRIX, .reads = old->reads, .t = start};
        e = give(&q, old, out);
        if (e < 0) {
            pl_result_fini(out);
            e = PL_EAGAIN;
        }
    } else if (event == PL__CACHE_PART) {
        e = complete(&q, pl_buf_view(&key), out);
    }
    if (e == PL_EAGAIN) {
        *err = (struct pl_query_error){0};
        e = anew(&q, pl_buf_view(&key), out);
    }
    pl__cache_count(c->cache, PL__CACHE_STEPS, event);
    if (old) {
        pl__kept_unref(&old->kept);
    }
    free(q.right);
    pl_buf_fini(&key);
    return e;
}
