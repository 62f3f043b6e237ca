/* Reading: a select pins the head's generations first and the engine's runs after them (what is
 * flushed in between is in both, and merges away), then resolves matchers and keeps the series that
 * have samples in the range. A reader decodes: engine columns, then generations from old to new
 * over them; where they do not overlap, which is the rule, that is an append. */
#include "core/store/select_impl.h"
#include <stdlib.h>

/** Set a bit for each id of `some` that stands in `all` (both ascending). */
static void mark(uint64_t *bits, const uint32_t *all, size_t n, const uint32_t *some, size_t n_some)
{
    for (size_t i = 0, k = 0; i < n && k < n_some; i++) {
        if (all[i] == some[k]) {
            bits[i / 64] |= 1ull << (i % 64);
            k++;
        }
    }
}

struct marks {
    uint64_t *bits;
    const struct pl_select *s;
};

static void mark_found(void *ctx, const uint32_t *ids, size_t n)
{
    struct marks *m = ctx;
    mark(m->bits, m->s->ids, m->s->n, ids, n);
}

/** Keep of s->ids those with samples in [t0, t1], wherever they are, or with buckets from before
 *  the retention of samples. */
static int keep_with_samples(struct pl_select *s, int64_t t0, int64_t t1)
{
    if (s->n == 0) {
        return 0;
    }
    uint64_t *bits = calloc(s->n / 64 + 1, sizeof *bits);
    uint32_t *some = malloc(s->n * sizeof *some);
    int rc = bits && some ? 0 : PL_ENOMEM;
    bool all = false;
    for (size_t g = 0; g <= s->n_gens && rc == 0 && t0 <= t1 && !all; g++) {
        if (g == 0 && !s->view) {
            continue;
        }
        memcpy(some, s->ids, s->n * sizeof *some);
        size_t n = g == 0 ? s->t->s->engine->ops->view_filter(s->view, some, s->n)
                          : pl_head_filter(s->gens[g - 1], some, s->n, t0, t1);
        all = n == s->n;
        if (!all) {
            mark(bits, s->ids, s->n, some, n);
        }
    }
    if (all) {
        memset(bits, 0xff, (s->n / 64 + 1) * sizeof *bits);
    } else if (rc == 0 && s->from < t0) {
        struct marks m = {bits, s};
        rc =
            pl__rollup_filter(s->t, s->ids, s->n, s->from, s->to < t0 ? s->to : t0, mark_found, &m);
    }
    size_t kept = 0;
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        if (bits[i / 64] >> (i % 64) & 1) {
            s->ids[kept++] = s->ids[i];
        }
    }
    s->n = rc == 0 ? kept : s->n;
    free(bits);
    free(some);
    return rc;
}

/** Pin heads, then the engine; the order matters. */
static int pin(struct pl_select *s, int64_t t0, int64_t t1)
{
    int rc = pl__tenant_pin(s->t, &s->gens, &s->n_gens);
    struct pl_engine_tenant *et = atomic_load(&s->t->et);
    if (rc >= 0 && et && t0 <= t1) {
        rc = s->t->s->engine->ops->view(et, t0, t1, &s->view);
    }
    return rc;
}

int pl_select_new(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel, int64_t t0,
                  int64_t t1, size_t max_series, struct pl_select **out)
{
    struct pl_select *s = calloc(1, sizeof *s);
    if (!s) {
        return PL_ENOMEM;
    }
    s->t = t;
    s->from = t0;
    s->to = t1;
    s->t0 = pl__retention_start(t->s);
    t0 = t0 > s->t0 ? t0 : s->t0;
    int rc = pin(s, t0, t1);
    if (rc >= 0 && (t0 <= t1 || (t->s->rollup.n && s->from <= t1))) {
        rc = pl_series_find(t->series, sel, n_sel, &s->ids, &s->n);
        rc = rc < 0 ? rc : keep_with_samples(s, t0, t1);
    }
    if (rc >= 0 && max_series && s->n > max_series) {
        rc = PL_ELIMIT;
    }
    if (rc < 0) {
        pl_select_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void pl_select_free(struct pl_select *s)
{
    if (!s) {
        return;
    }
    if (s->view) {
        s->t->s->engine->ops->view_free(s->view);
    }
    for (size_t i = 0; i < s->n_gens; i++) {
        pl_head_gen_unref(s->gens[i]);
    }
    free(s->gens);
    free(s->ids);
    free(s);
}

size_t pl_select_count(const struct pl_select *s) { return s->n; }

int pl_select_labels(const struct pl_select *s, size_t i, struct pl_buf *out)
{
    return pl_series_labels(s->t->series, s->ids[i], out);
}

int pl_select_labels_of(const struct pl_select *s, size_t from, size_t to, struct pl_buf *out,
                        size_t *ends)
{
    return pl_series_labels_of(s->t->series, s->ids + from, to - from, out, ends);
}

int pl_select_group(const struct pl_select *s, const pl_str *names, size_t n_names, bool without,
                    uint32_t *group, struct pl_buf *labels, struct pl_buf *ends)
{
    return pl_series_group(s->t->series, s->ids, s->n, names, n_names, without, group, labels,
                           ends);
}

/* ---------------------------------------------------------------------------------------- readers
 */

int pl_reader_new(struct pl_select *s, struct pl_reader **out)
{
    struct pl_reader *r = calloc(1, sizeof *r);
    if (!r) {
        return PL_ENOMEM;
    }
    r->s = s;
    int rc = s->view ? s->t->s->engine->ops->cursor(s->view, &r->cursor) : 0;
    if (rc < 0) {
        free(r);
        return rc;
    }
    *out = r;
    return 0;
}

void pl_reader_free(struct pl_reader *r)
{
    if (!r) {
        return;
    }
    if (r->cursor) {
        r->s->t->s->engine->ops->cursor_free(r->cursor);
    }
    pl__reader_tiers_free(r);
    pl_columns_fini(&r->head);
    pl_columns_fini(&r->scratch);
    free(r);
}

int pl__reader_samples(struct pl_reader *r, uint32_t id, int64_t t0, int64_t t1,
                       struct pl_columns *out)
{
    struct pl_select *s = r->s;
    int damaged = 0, rc = 0;
    pl_columns_clear(out);
    if (r->cursor) {
        rc = s->t->s->engine->ops->read(r->cursor, id, t0, t1, out, &r->stats);
        damaged = rc == PL_ECORRUPT ? rc : 0; /* the rest is in out */
        rc = damaged ? 0 : rc;
    }
    for (size_t g = 0; g < s->n_gens && rc >= 0; g++) {
        rc = pl_head_read(s->gens[g], id, t0, t1, &r->head);
        r->stats.samples += rc < 0 ? 0 : r->head.n;
        rc = rc < 0 ? rc : pl_columns_merge(out, &r->head, &r->scratch);
    }
    return rc < 0 ? rc : damaged;
}

int pl_reader_read(struct pl_reader *r, size_t i, int64_t t0, int64_t t1, size_t max_samples,
                   struct pl_columns *out)
{
    int64_t start = r->s->t0;
    int rc = pl__reader_samples(r, r->s->ids[i], t0 > start ? t0 : start, t1, out);
    return (rc >= 0 || rc == PL_ECORRUPT) && max_samples && out->n > max_samples ? PL_ELIMIT : rc;
}

void pl_reader_latest(struct pl_reader *r, size_t from, size_t n, int64_t t0, int64_t t1,
                      struct pl_latest *out)
{
    const struct pl_select *s = r->s;
    const struct pl_engine_ops *ops = s->t->s->engine->ops;
    t0 = t0 > s->t0 ? t0 : s->t0;
    for (size_t i = 0; i < n; i++) {
        out[i].t = r->cursor && !ops->latest ? PL_LATEST_READ : PL_LATEST_NONE;
    }
    if (r->cursor && ops->latest) {
        ops->latest(r->cursor, s->ids + from, n, t0, t1, out, &r->stats);
    }
    for (size_t g = 0; g < s->n_gens; g++) {
        pl_head_latest(s->gens[g], s->ids + from, n, t0, t1, out, &r->stats);
    }
}

void pl_reader_stats(const struct pl_reader *r, struct pl_read_stats *out) { *out = r->stats; }

/* ------------------------------------------------------------------------- labels and metadata */

/** Does [t0, t1] hold all there can be? Then nobody need look for samples. */
static bool is_all_time(struct pl_tenant *t, int64_t t0, int64_t t1)
{
    int64_t now = pl_now_ms(t->s->conf.clock), ahead = t->s->conf.future_limit_ms;
    return t0 <= pl__retention_start(t->s) && (now > INT64_MAX - ahead || t1 >= now + ahead);
}

struct label_query {
    bool names;
    pl_str name;
    bool (*each)(void *ctx, pl_str s);
    void *ctx;
};

static int give(struct pl_tenant *t, const struct label_query *q, const uint32_t *ids, size_t n,
                bool all)
{
    return q->names ? pl_series_names(t->series, ids, n, all, q->each, q->ctx)
                    : pl_series_values(t->series, q->name, ids, n, all, q->each, q->ctx);
}

static int label_query(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel, int64_t t0,
                       int64_t t1, const struct label_query *q)
{
    const struct pl_selector everything = {NULL, 0};
    struct pl_select *s;
    if (n_sel == 0 && is_all_time(t, t0, t1)) {
        return give(t, q, NULL, 0, true);
    }
    int rc = pl_select_new(t, n_sel ? sel : &everything, n_sel ? n_sel : 1, t0, t1, 0, &s);
    if (rc >= 0) {
        rc = give(t, q, s->ids, s->n, false);
        pl_select_free(s);
    }
    return rc;
}

int pl_tenant_label_names(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel,
                          int64_t t0, int64_t t1, bool (*each)(void *ctx, pl_str s), void *ctx)
{
    struct label_query q = {.names = true, .each = each, .ctx = ctx};
    return label_query(t, sel, n_sel, t0, t1, &q);
}

int pl_tenant_label_values(struct pl_tenant *t, pl_str name, const struct pl_selector *sel,
                           size_t n_sel, int64_t t0, int64_t t1, bool (*each)(void *ctx, pl_str s),
                           void *ctx)
{
    struct label_query q = {.name = name, .each = each, .ctx = ctx};
    return label_query(t, sel, n_sel, t0, t1, &q);
}

int pl_tenant_metadata(struct pl_tenant *t, pl_str metric,
                       bool (*each)(void *ctx, const struct pl_metadata *m), void *ctx)
{
    return pl_metadata_table_each(t->metadata, metric, each, ctx);
}

int pl_tenant_index_stats(struct pl_tenant *t, size_t limit, struct pl_arena *a,
                          struct pl_index_stats *out)
{
    return pl_series_stats(t->series, limit, a, out);
}
