/* topk, bottomk, limitk, limit_ratio (which rows of a group stay), quantile and count_values (which
 * need all values of a group at once). */
#include "core/query/hist.h"
#include "core/query/lex.h"
#include "core/query/print.h"

#include "core/codec/codec.h"

#include <math.h>
#include <stdlib.h>

/** Rows sorted by group: members of group g are row[first[g]] .. row[first[g + 1]]. */
struct groups {
    size_t n;
    size_t *first;
    uint32_t *row, *group; /* group: of each row */
    pl_str *labels;
};

static int groups_make(struct pl__exec *ex, const struct pl_expr *e, const struct pl__rows *r,
                       struct groups *out)
{
    uint32_t *group = pl_arena_alloc(ex->arena, (r->n + 1) * sizeof *group);
    int err = group ? 0 : PL_ENOMEM;
    if (group && r->groups.of) {
        memcpy(group, r->groups.of, r->n * sizeof *group);
        out->labels = r->groups.labels;
        out->n = r->groups.n;
    } else if (group) {
        err = pl__group(ex, r->labels, r->n, &e->agg.by, e->agg.without, group, &out->labels,
                        &out->n);
    }
    if (err < 0) {
        return pl__error_code(ex, err, e->at);
    }
    out->group = group;
    out->first = pl_arena_zalloc(ex->arena, (out->n + 2) * sizeof *out->first);
    out->row = pl_arena_alloc(ex->arena, (r->n + 1) * sizeof *out->row);
    if (!out->first || !out->row) {
        return pl__error_code(ex, PL_ENOMEM, e->at);
    }
    for (size_t i = 0; i < r->n; i++) {
        out->first[group[i] + 2]++;
    }
    for (size_t g = 2; g < out->n + 2; g++) {
        out->first[g] += out->first[g - 1];
    }
    for (size_t i = 0; i < r->n; i++) {
        out->row[out->first[group[i] + 1]++] = (uint32_t)i;
    }
    return 0;
}

/** Histograms out of the rows, as topk, bottomk and quantile have it. */
static void ignore_histograms(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *r)
{
    bool any = false;
    for (size_t i = 0; r->hist && i < r->n * r->steps; i++) {
        if (pl_is_histogram(r->v[i])) {
            r->v[i] = PL_ABSENT;
            any = true;
        }
    }
    r->hist = false;
    if (any) {
        pl__note(ex, false, e->agg.expr->at, "ignored histogram in %s aggregation",
                 pl__agg_text(e->agg.op));
    }
}

/* ------------------------------------------------------------------ topk, bottomk */

struct entry {
    double v;
    uint32_t row;
};

/** Does a leave the heap before b? */
static bool before(struct entry a, struct entry b, bool top)
{
    return isnan(a.v) || (top ? a.v < b.v : a.v > b.v);
}

static void sift_down(struct entry *h, size_t n, size_t i, bool top)
{
    for (size_t k; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && before(h[k + 1], h[k], top)) {
            k++;
        }
        if (!before(h[k], h[i], top)) {
            return;
        }
        struct entry x = h[i];
        h[i] = h[k];
        h[k] = x;
    }
}

static void sift_up(struct entry *h, size_t i, bool top)
{
    while (i > 0 && before(h[i], h[(i - 1) / 2], top)) {
        struct entry x = h[i];
        h[i] = h[(i - 1) / 2];
        h[(i - 1) / 2] = x;
        i = (i - 1) / 2;
    }
}

static void offer(struct entry *h, size_t *n, size_t k, struct entry x, bool top)
{
    if (*n < k) {
        h[(*n)++] = x;
        sift_up(h, *n - 1, top);
    } else if ((top ? h[0].v < x.v : h[0].v > x.v) || (isnan(h[0].v) && !isnan(x.v))) {
        h[0] = x;
        sift_down(h, *n, 0, top);
    }
}

/** Best first, NaN last; equals in the order of the rows. */
static int best_first(const void *a, const void *b, void *top)
{
    const struct entry *x = a, *y = b;
    if (isnan(x->v) || isnan(y->v)) {
        if (isnan(x->v) != isnan(y->v)) {
            return isnan(x->v) ? 1 : -1;
        }
    } else if (x->v != y->v) {
        return (x->v > y->v) == (*(const bool *)top) ? -1 : 1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

/** k of each step, at most `most`; 0 for k < 1. */
static int steps_k(struct pl__exec *ex, const struct pl_expr *e, const double *p, size_t steps,
                   size_t most, size_t *k)
{
    for (size_t s = 0; s < steps; s++) {
        if (isnan(p[s])) {
            return pl__error(ex, PL_EINVAL, e->agg.param->at, "Parameter value is NaN");
        }
        if (p[s] <= -9223372036854775808.0 || p[s] >= 9223372036854775808.0) {
            struct pl_buf text = PL_BUF_INIT;
            pl__go_number(&text, p[s]);
            int err = pl__error(ex, PL_EINVAL, e->agg.param->at, "Scalar value %.*s %s int64",
                                PL_PRS(pl_buf_view(&text)), p[s] < 0 ? "underflows" : "overflows");
            pl_buf_fini(&text);
            return err;
        }
        k[s] = p[s] < 1 ? 0 : p[s] > (double)most ? most : (size_t)p[s];
    }
    return 0;
}

static void clear_rows(struct pl__rows *r, const struct groups *g, size_t i)
{
    for (size_t m = g->first[i]; m < g->first[i + 1]; m++) {
        double *row = r->v + g->row[m] * r->steps;
        for (size_t s = 0; s < r->steps; s++) {
            row[s] = PL_ABSENT;
        }
    }
}

/** One group: the best k of each step stay, all else becomes absent. order: where the rows of the
 *  first step go, best first. */
static int topk_group(struct pl__exec *ex, struct pl__rows *r, const struct groups *g, size_t i,
                      const size_t *k, bool top, uint32_t *order, size_t *n_order)
{
    size_t steps = r->steps, members = g->first[i + 1] - g->first[i], room = 0;
    int err = 0;
    for (size_t s = 0; s < steps; s++) {
        size_t want = k[s] < members ? k[s] : members;
        room = want > room ? want : room;
    }
    struct entry *heap = pl__values_new(ex, steps * room, sizeof *heap, &err);
    size_t *n = heap ? pl__values_new(ex, steps, sizeof *n, &err) : NULL;
    if (n) {
        memset(n, 0, steps * sizeof *n);
        for (size_t m = g->first[i]; m < g->first[i + 1] && room; m++) {
            const double *row = r->v + g->row[m] * steps;
            for (size_t s = 0; s < steps; s++) {
                if (!pl_is_absent(row[s]) && k[s]) {
                    offer(heap + s * room, &n[s], k[s] < room ? k[s] : room,
                          (struct entry){row[s], g->row[m]}, top);
                }
            }
        }
        clear_rows(r, g, i);
        for (size_t s = 0; s < steps; s++) {
            if (order) {
                qsort_r(heap, n[s], sizeof *heap, best_first, &top);
            }
            for (size_t x = 0; x < n[s]; x++) {
                const struct entry *h = &heap[s * room + x];
                r->v[h->row * steps + s] = h->v;
                if (order) {
                    order[(*n_order)++] = h->row;
                }
            }
        }
    }
    pl__values_free(ex, n, steps, sizeof *n);
    pl__values_free(ex, heap, steps * room, sizeof *heap);
    return err < 0 ? pl__error_code(ex, err, 0) : 0;
}

static int topk(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *r,
                const struct groups *g, const double *p)
{
    size_t *k = pl_arena_alloc(ex->arena, (r->steps + 1) * sizeof *k), n_order = 0;
    uint32_t *order = NULL;
    if (ex->instant && r->steps == 1) {
        order = pl_arena_alloc(ex->arena, (r->n + 1) * sizeof *order);
    }
    if (!k || (ex->instant && r->steps == 1 && !order)) {
        return pl__error_code(ex, PL_ENOMEM, e->at);
    }
    int err = steps_k(ex, e, p, r->steps, r->n, k);
    for (size_t i = 0; i < g->n && err >= 0; i++) {
        err = pl__tick(ex);
        err = err < 0 ? pl__error_code(ex, err, e->at)
                      : topk_group(ex, r, g, i, k, e->agg.op == PL__AGG_TOPK, order, &n_order);
    }
    if (err < 0 || !order) {
        if (err >= 0) {
            pl__rows_prune(r);
        }
        return err;
    }
    struct pl__rows sorted;
    if ((err = pl__rows_new(ex, n_order, 1, &sorted)) < 0) {
        return err;
    }
    if (pl__rows_marks_from(ex, &sorted, r, order) < 0) {
        pl__rows_fini(ex, &sorted);
        return pl__error_code(ex, PL_ENOMEM, e->at);
    }
    for (size_t i = 0; i < n_order; i++) {
        sorted.v[i] = r->v[order[i]];
        sorted.labels[i] = r->labels[order[i]];
    }
    sorted.ordered = true;
    pl__rows_fini(ex, r);
    *r = sorted;
    return 0;
}

/* ------------------------------------------------------------------ limitk, limit_ratio */

static int limitk(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *r,
                  const struct groups *g, const double *p)
{
    size_t *k = pl_arena_alloc(ex->arena, (r->steps + 1) * sizeof *k);
    size_t *taken = pl_arena_alloc(ex->arena, (r->steps + 1) * sizeof *taken);
    if (!k || !taken) {
        return pl__error_code(ex, PL_ENOMEM, e->at);
    }
    int err = steps_k(ex, e, p, r->steps, r->n, k);
    for (size_t i = 0; i < g->n && err >= 0; i++) {
        memset(taken, 0, r->steps * sizeof *taken);
        for (size_t m = g->first[i]; m < g->first[i + 1]; m++) {
            double *row = r->v + g->row[m] * r->steps;
            for (size_t s = 0; s < r->steps; s++) {
                if (!pl_is_absent(row[s]) && taken[s]++ >= k[s]) {
                    row[s] = PL_ABSENT;
                }
            }
        }
    }
    if (err >= 0) {
        pl__rows_prune(r);
    }
    return err;
}

/** The hash that Prometheus' released builds have of labels: XXH64 of name and value of each label,
 *  each behind its length, in a byte below 255, else 255 and three (model/labels, stringlabels). */
static uint64_t labels_hash(pl_str canon, struct pl_buf *bytes)
{
    struct pl_label l;
    pl_buf_clear(bytes);
    while (pl_labels_next(&canon, &l)) {
        const pl_str part[] = {l.name, l.value};
        for (int i = 0; i < 2; i++) {
            if (part[i].n < 255) {
                pl_buf_u8(bytes, (uint8_t)part[i].n);
            } else {
                uint32_t n = (uint32_t)part[i].n;
                uint8_t size[] = {255, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)};
                pl_buf_add(bytes, size, sizeof size);
            }
            pl_buf_str(bytes, part[i]);
        }
    }
    return pl_xxh64(bytes->p, bytes->n, 0);
}

/** A share of the series, the same ones at every query: by the hash of their labels. Those of r and
 *  of r - 1 are each other's complement. */
static int limit_ratio(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *r,
                       const double *p)
{
    double *ratio = pl_arena_alloc(ex->arena, (r->steps + 1) * sizeof *ratio), end[2] = {0, 0};
    struct pl_buf bytes = PL_BUF_INIT;
    if (!ratio) {
        return pl__error_code(ex, PL_ENOMEM, e->at);
    }
    for (size_t s = 0; s < r->steps; s++) {
        if (isnan(p[s])) {
            return pl__error(ex, PL_EINVAL, e->agg.param->at, "Ratio value is NaN");
        }
        ratio[s] = p[s] > 1 ? 1 : p[s] < -1 ? -1 : p[s];
        end[0] = fmin(end[0], p[s]);
        end[1] = fmax(end[1], p[s]);
    }
    for (int i = 1; i >= 0; i--) { /* the greatest and the least say enough */
        if (end[i] > 1 || end[i] < -1) {
            struct pl_buf text = PL_BUF_INIT;
            pl__go_number(&text, end[i]);
            pl__note(ex, true, pl__unparen(e->agg.param)->at,
                     "ratio value should be between -1 and 1, got %.*s, capping to %d",
                     PL_PRS(pl_buf_view(&text)), i ? 1 : -1);
            pl_buf_fini(&text);
        }
    }
    for (size_t i = 0; i < r->n; i++) {
        double *row = r->v + i * r->steps;
        double place = (double)labels_hash(r->labels[i], &bytes) / 18446744073709551615.0;
        for (size_t s = 0; s < r->steps; s++) {
            if (!(ratio[s] >= 0 ? place < ratio[s] : place >= 1 + ratio[s])) {
                row[s] = PL_ABSENT;
            }
        }
    }
    bool failed = bytes.failed;
    pl_buf_fini(&bytes);
    pl__rows_prune(r);
    return failed ? pl__error_code(ex, PL_ENOMEM, e->at) : 0;
}

/* ------------------------------------------------------------------ quantile */

#define BLOCK 8 /* steps gathered at once: a cache line of each row */

static int quantile(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *r,
                    const struct groups *g, const double *p, struct pl__rows *out)
{
    size_t most = 0;
    double end[2] = {0, 1};
    bool nan = false;
    for (size_t s = 0; s < r->steps; s++) {
        nan |= isnan(p[s]);
        end[0] = fmin(end[0], p[s]);
        end[1] = fmax(end[1], p[s]);
    }
    if (nan) {
        pl__note_quantile(ex, e->agg.param, NAN);
    }
    for (int i = 1; i >= 0; i--) {
        if (end[i] > 1 || end[i] < 0) {
            pl__note_quantile(ex, e->agg.param, end[i]);
        }
    }
    for (size_t i = 0; i < g->n; i++) {
        size_t members = g->first[i + 1] - g->first[i];
        most = members > most ? members : most;
    }
    int err = pl__rows_new(ex, g->n, r->steps, out);
    if (err < 0) {
        return err;
    }
    err = pl__group_marks(ex, r, &e->agg.by, e->agg.without, g->group, out);
    double *v = err < 0 ? NULL : pl__values_new(ex, most * BLOCK, sizeof *v, &err);
    for (size_t i = 0; i < g->n && v && err >= 0; i++) {
        out->labels[i] = g->labels[i];
        for (size_t s0 = 0; s0 < r->steps && err >= 0; s0 += BLOCK) {
            size_t block = r->steps - s0 < BLOCK ? r->steps - s0 : BLOCK, n[BLOCK] = {0};
            for (size_t m = g->first[i]; m < g->first[i + 1]; m++) {
                const double *row = r->v + g->row[m] * r->steps + s0;
                for (size_t s = 0; s < block; s++) {
                    v[s * most + n[s]] = row[s];
                    n[s] += !pl_is_absent(row[s]);
                }
            }
            for (size_t s = 0; s < block; s++) {
                out->v[i * r->steps + s0 + s] =
                    n[s] ? pl_quantile(p[s0 + s], v + s * most, n[s]) : PL_ABSENT;
            }
            err = pl__tick(ex);
        }
    }
    pl__values_free(ex, v, most * BLOCK, sizeof *v);
    if (err < 0) {
        pl__rows_fini(ex, out);
        return pl__error_code(ex, err, e->at);
    }
    return 0;
}

/* ------------------------------------------------------------------ count_values */

/** The counts as they come up: a row per label set of the result; several values and groups may
 * share one, where the value's label is one of those grouped by. */
struct counts {
    struct pl__index keys; /* group and bits of the value */
    struct pl__index rows; /* labels of the result */
    uint32_t *at;          /* row of each key */
    double **row;
    size_t cap_keys, cap_rows;
};

static bool grow(void *list, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 16;
    void *p = realloc(*(void **)list, more * size);
    if (!p) {
        return false;
    }
    *(void **)list = p;
    *cap = more;
    return true;
}

/** The row of a label set. */
static int counts_labels(struct pl__exec *ex, struct counts *c, pl_str labels, size_t steps,
                         size_t *at)
{
    bool fresh;
    size_t i = *at = pl__index_put(&c->rows, labels, &fresh);
    if (i == PL__INDEX_NONE ||
        (fresh && i == c->cap_rows && !grow(&c->row, &c->cap_rows, sizeof *c->row))) {
        return PL_ENOMEM;
    }
    if (fresh) {
        c->rows.key[i] = pl_arena_dup(ex->arena, labels);
        c->row[i] = pl_arena_zalloc(ex->arena, (steps + 1) * sizeof **c->row);
        return c->rows.key[i].p && c->row[i] ? 0 : PL_ENOMEM;
    }
    return 0;
}

static int counts_row(struct pl__exec *ex, struct counts *c, const struct pl_expr *e, size_t steps,
                      uint32_t group, pl_str group_labels, double v, size_t *at)
{
    uint8_t key[12];
    bool fresh, histogram = pl_is_histogram(v); /* told apart by their text */
    struct pl_buf text = PL_BUF_INIT, labels = PL_BUF_INIT;
    pl_wr32(key, group);
    pl_wr64(key + 4, isnan(v) ? 0x7ff8000000000001u : pl_f64_bits(v)); /* -0 and 0: two texts */
    size_t i = histogram ? 0 : pl__index_put(&c->keys, pl_str_mem(key, sizeof key), &fresh);
    if (i == PL__INDEX_NONE) {
        return PL_ENOMEM;
    }
    if (!histogram && !fresh) {
        *at = c->at[i];
        return 0;
    }
    if (!histogram) {
        c->keys.key[i] = pl_arena_dup(ex->arena, c->keys.key[i]);
        if (!c->keys.key[i].p || (i == c->cap_keys && !grow(&c->at, &c->cap_keys, sizeof *c->at))) {
            return PL_ENOMEM;
        }
    }
    bool hidden = e->agg.without && pl__names_has(&e->agg.by, e->agg.param->str);
    if (!hidden && histogram) {
        pl__hist_text(pl_histogram_unboxed(v), &text);
    } else if (!hidden) {
        pl__plain_number(&text, v);
    }
    pl__set_label(&labels, group_labels, e->agg.param->str, pl_buf_view(&text));
    int err = text.failed || labels.failed ? PL_ENOMEM
                                           : counts_labels(ex, c, pl_buf_view(&labels), steps, at);
    if (err == 0 && !histogram) {
        c->at[i] = (uint32_t)*at;
    }
    pl_buf_fini(&text);
    pl_buf_fini(&labels);
    return err;
}

static int count_values(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *r,
                        const struct groups *g, struct pl__rows *out)
{
    struct counts c = {0};
    int err = 0;
    for (uint32_t i = 0; i < g->n && err >= 0; i++) {
        for (size_t m = g->first[i]; m < g->first[i + 1] && err >= 0; m++) {
            const double *row = r->v + g->row[m] * r->steps;
            err = m % 64 ? 0 : pl__tick(ex);
            for (size_t s = 0; s < r->steps && err >= 0; s++) {
                size_t at;
                if (!pl_is_absent(row[s])) {
                    err = counts_row(ex, &c, e, r->steps, i, g->labels[i], row[s], &at);
                    if (err >= 0) {
                        c.row[at][s]++;
                    }
                }
            }
        }
    }
    err = err < 0 ? pl__error_code(ex, err, e->at) : pl__rows_new(ex, c.rows.n, r->steps, out);
    if (err >= 0) { /* a name made of values stays */
        out->drop = r->drop && !pl_str_eq(e->agg.param->str, PL_METRIC_NAME);
    }
    for (size_t i = 0; i < c.rows.n && err >= 0; i++) {
        out->labels[i] = c.rows.key[i];
        for (size_t s = 0; s < r->steps; s++) {
            out->v[i * r->steps + s] = c.row[i][s] > 0 ? c.row[i][s] : PL_ABSENT;
        }
    }
    pl__index_fini(&c.keys);
    pl__index_fini(&c.rows);
    free(c.at);
    free(c.row);
    return err;
}

int pl__eval_select(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                    struct pl__rows *out)
{
    const double *p = NULL;
    struct groups g;
    struct pl__rows r;
    struct pl_expr *param = pl__unparen(e->agg.param);
    int err = 0;
    if (e->agg.op == PL__AGG_COUNT_VALUES) {
        if (param->str.n == 0 || pl_utf8_check(param->str) != param->str.n) {
            struct pl_buf q = PL_BUF_INIT;
            pl__quote(&q, param->str);
            err = pl__error(ex, PL_EINVAL, param->at, "invalid label name %.*s",
                            PL_PRS(pl_buf_view(&q)));
            pl_buf_fini(&q);
            return err;
        }
        e->agg.param = param;
    } else if ((err = pl__eval_scalar(ex, f, e->agg.param, &p)) < 0) {
        return err;
    }
    struct pl__group_by by;
    if (e->agg.op == PL__AGG_QUANTILE && pl__groupable(ex, e, &by)) {
        ex->group_by = &by;
    }
    err = pl__eval_values(ex, f, e->agg.expr, &r);
    ex->group_by = NULL;
    if (err < 0) {
        return err;
    }
    if (e->agg.op == PL__AGG_TOPK || e->agg.op == PL__AGG_BOTTOMK ||
        e->agg.op == PL__AGG_QUANTILE) {
        ignore_histograms(ex, e, &r);
    }
    if (r.drops) {
        pl__rows_prune(&r);
        err = e->agg.op == PL__AGG_COUNT_VALUES ? pl__rows_names_now(ex, &r, e->at) : 0;
    }
    err = err < 0 ? err : groups_make(ex, e, &r, &g);
    bool in_place = false;
    if (err >= 0) {
        switch (e->agg.op) {
        case PL__AGG_QUANTILE:
            err = quantile(ex, e, &r, &g, p, out);
            break;
        case PL__AGG_COUNT_VALUES:
            err = count_values(ex, e, &r, &g, out);
            break;
        case PL__AGG_LIMITK:
            err = limitk(ex, e, &r, &g, p);
            in_place = true;
            break;
        case PL__AGG_LIMIT_RATIO:
            err = limit_ratio(ex, e, &r, p);
            in_place = true;
            break;
        default:
            err = topk(ex, e, &r, &g, p);
            in_place = true;
            break;
        }
    }
    if (err >= 0 && in_place) {
        *out = r;
        return 0;
    }
    pl__rows_fini(ex, &r);
    return err;
}
