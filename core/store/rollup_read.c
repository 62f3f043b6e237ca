/* Reading a tier: what it holds up to its horizon, over that the buckets that samples not yet
 * counted touch, and behind the horizon all of them, computed from the samples. A reader takes the
 * tier's state first and its view after it, so that the view holds all that the state promises; the
 * samples were pinned by the select before. Any thread; a reader's own. */
#include "core/store/rollup.h"
#include "core/store/select_impl.h"
#include <stdlib.h>

struct pl__tier_reader {
    bool ready, none; /* none: nothing is in the tier */
    struct pl__tier_state state;
    struct pl_view *view, *late; /* of the tier; of the samples, runs that are not counted */
    struct pl_cursor *cursor, *c_late;
};

struct reading {
    struct pl_reader *r;
    struct pl__tier_reader *x;
    const struct pl__tier *tier;
    uint32_t id;
    int64_t resolution;
    unsigned want;
    struct pl_tier_columns computed;
    struct pl_columns columns;
    int64_t *touched; /* bucket ends */
    size_t n_touched, cap_touched;
    int damaged;
};

static void release(const struct pl_engine_ops *ops, struct pl_view *view, struct pl_cursor *cursor)
{
    if (cursor) {
        ops->cursor_free(cursor);
    }
    if (view) {
        ops->view_free(view);
    }
}

/** What prepare took. */
static void tier_free(const struct pl_store *s, size_t tier, struct pl__tier_reader *x)
{
    release(s->rollup.tiers[tier].engine->ops, x->view, x->cursor);
    release(s->engine->ops, x->late, x->c_late);
    *x = (struct pl__tier_reader){0};
}

void pl__reader_tiers_free(struct pl_reader *r)
{
    const struct pl_store *s = r->s->t->s;
    for (size_t i = 0; r->tiers && i < s->rollup.n; i++) {
        tier_free(s, i, &r->tiers[i]);
    }
    free(r->tiers);
}

static int prepare(struct pl_reader *r, size_t tier, struct pl__tier_reader **out)
{
    struct pl_tenant *t = r->s->t;
    const struct pl_store *s = t->s;
    if (!r->tiers) {
        r->tiers = calloc(s->rollup.n, sizeof *r->tiers);
        if (!r->tiers) {
            return PL_ENOMEM;
        }
    }
    struct pl__tier_reader *x = &r->tiers[tier];
    *out = x;
    if (x->ready) {
        return 0;
    }
    const struct pl__tier *conf = &s->rollup.tiers[tier];
    int64_t resolution = conf->conf.resolution_ms;
    struct pl_engine_tenant *et;
    int rc = pl__tier_open(t, tier, &et, &x->state);
    x->none = rc == PL_ENOTFOUND;
    if (rc >= 0) {
        const struct pl_engine_ops *ops = conf->engine->ops;
        int64_t t0 = pl__tier_slot(pl__bucket_end(r->s->from, resolution), resolution);
        int64_t t1 = pl__tier_slot(pl__bucket_end(r->s->to, resolution), resolution);
        rc = ops->view(et, t0, t1, &x->view);
        rc = rc < 0 ? rc : ops->cursor(x->view, &x->cursor);
    }
    if (rc >= 0 && r->s->view) {
        rc = s->engine->ops->view_since(r->s->view, x->state.rolled, &x->late);
        rc = rc < 0 ? rc : s->engine->ops->cursor(x->late, &x->c_late);
    }
    if (rc < 0 && !x->none) {
        tier_free(s, tier, x); /* another try begins anew */
        return rc;
    }
    x->ready = true;
    return 0;
}

/* ---------------------------------------------------------------------------- what is computed */

static int touch(struct reading *g, const struct pl_columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        int64_t end = pl__bucket_end(c->t[i], g->resolution);
        if (g->n_touched && g->touched[g->n_touched - 1] == end) {
            continue;
        }
        if (pl_grow(&g->touched, g->n_touched, &g->cap_touched, sizeof *g->touched) < 0) {
            return PL_ENOMEM;
        }
        g->touched[g->n_touched++] = end;
    }
    return 0;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/** Buckets in [first, last] (ends) from their samples. */
static int compute(struct reading *g, int64_t first, int64_t last)
{
    int rc = pl__reader_samples(g->r, g->id, first - g->resolution + 1, last, &g->columns);
    g->damaged = rc == PL_ECORRUPT ? rc : g->damaged;
    rc = rc == PL_ECORRUPT ? 0 : rc;
    return rc < 0 ? rc : pl__buckets_add(&g->columns, g->resolution, &g->computed);
}

/** Buckets up to the horizon that samples not yet counted touch, of those in [first, last]. */
static int compute_late(struct reading *g, int64_t first, int64_t last)
{
    const struct pl_select *s = g->r->s;
    int64_t t0 = first - g->resolution + 1, cut = g->x->state.raw_cut;
    int rc = 0;
    if (g->x->c_late) {
        rc = s->t->s->engine->ops->read(g->x->c_late, g->id, t0, last, &g->columns, &g->r->stats);
        rc = rc < 0 && rc != PL_ECORRUPT ? rc : touch(g, &g->columns);
    }
    for (size_t i = 0; i < s->n_gens && rc >= 0; i++) {
        rc = pl_head_read(s->gens[i], g->id, t0, last, &g->columns);
        rc = rc < 0 ? rc : touch(g, &g->columns);
    }
    if (g->n_touched == 0 || rc < 0) {
        return rc;
    }
    qsort(g->touched, g->n_touched, sizeof *g->touched, by_time);
    /* Where samples of a bucket went with retention, or are not pinned, it stays as it is. */
    cut = s->t0 > cut ? s->t0 : cut;
    for (size_t a = 0, b; a < g->n_touched && rc >= 0; a = b) {
        int64_t from = g->touched[a], to = from;
        for (b = a + 1; b < g->n_touched && g->touched[b] <= to + g->resolution; b++) {
            to = g->touched[b];
        }
        if (cut != INT64_MIN && from - g->resolution + 1 < cut) {
            from = pl__bucket_end(cut + g->resolution - 1, g->resolution);
        }
        rc = from > to ? 0 : compute(g, from, to);
    }
    return rc;
}

/* ------------------------------------------------------------------------------ what is stored */

/** Keep of out and c (values of k) the buckets that both have: they differ only by damage. */
static void intersect(struct reading *g, struct pl_tier_columns *out, struct pl_columns *c, int k)
{
    size_t n = 0;
    for (size_t i = 0, j = 0; i < out->n && j < c->n;) {
        if (out->t[i] != c->t[j]) {
            *(out->t[i] < c->t[j] ? &i : &j) += 1;
            continue;
        }
        for (int b = 0; b < k; b++) {
            if (g->want >> b & 1) {
                out->v[b][n] = out->v[b][i];
            }
        }
        out->t[n] = out->t[i];
        c->v[n++] = c->v[j];
        i++, j++;
    }
    out->n = c->n = n;
}

/** Stored buckets in [first, last]: slots in out->t for now. */
static int read_stored(struct reading *g, int64_t first, int64_t last, struct pl_tier_columns *out)
{
    const struct pl_engine_ops *ops = g->tier->engine->ops;
    bool any = false;
    for (int k = 0; k < PL_TIER_VALUES; k++) {
        if (!(g->want >> k & 1)) {
            continue;
        }
        int rc =
            ops->read(g->x->cursor, g->id * 16 + (uint32_t)k, pl__tier_slot(first, g->resolution),
                      pl__tier_slot(last, g->resolution), &g->columns, &g->r->stats);
        g->damaged = rc == PL_ECORRUPT ? rc : g->damaged;
        if (rc < 0 && rc != PL_ECORRUPT) {
            return rc;
        }
        struct pl_columns *c = &g->columns;
        if (!any) {
            out->n = 0;
            rc = pl__buckets_reserve(out, c->n);
            if (rc < 0) {
                return rc;
            }
            out->n = c->n;
            if (c->n) {
                memcpy(out->t, c->t, c->n * sizeof *out->t);
            }
        } else if (c->n != out->n || (c->n && memcmp(c->t, out->t, c->n * sizeof *c->t) != 0)) {
            intersect(g, out, c, k);
        }
        any = true;
        if (c->n) {
            memcpy(out->v[k], c->v, c->n * sizeof *c->v);
        }
    }
    for (size_t i = 0; i < out->n; i++) {
        out->t[i] = out->t[i] / PL__TIER_SLOT_MS * g->resolution;
    }
    int rc = ops->read(g->x->cursor, g->id * 16 + PL__TIER_HISTOGRAMS,
                       pl__tier_slot(first, g->resolution), pl__tier_slot(last, g->resolution),
                       &g->columns, &g->r->stats);
    if (rc < 0 && rc != PL_ECORRUPT) {
        return rc;
    }
    out->histograms = g->columns.n > 0;
    for (int k = PL_TIER_T_FIRST; k <= PL_TIER_T_LAST; k++) {
        for (size_t i = 0; (g->want >> k & 1) && i < out->n; i++) {
            if (!pl_is_stale(out->v[k][i])) {
                out->v[k][i] = (double)out->t[i] - out->v[k][i];
            }
        }
    }
    return 0;
}

/** Lay the computed buckets over the stored ones, and leave out the empty ones. */
static int combine(struct reading *g, struct pl_tier_columns *out)
{
    const struct pl_tier_columns *c = &g->computed;
    struct pl_tier_columns all = {0};
    int one = __builtin_ctz(g->want), rc = 0;
    if (c->n && out->n && c->t[0] <= out->t[out->n - 1]) {
        rc = pl__buckets_reserve(&all, out->n + c->n);
    } else {
        rc = pl__buckets_reserve(out, c->n);
    }
    if (rc < 0) {
        pl_tier_columns_fini(&all);
        return rc;
    }
    struct pl_tier_columns *to = all.cap ? &all : out;
    size_t n = 0, i = 0, k = 0, n_out = out->n;
    while (i < n_out || k < c->n) {
        bool fresh = k < c->n && (i == n_out || c->t[k] <= out->t[i]);
        const struct pl_tier_columns *from = fresh ? c : out;
        size_t at = fresh ? k : i;
        if (fresh && i < n_out && c->t[k] == out->t[i]) {
            i++;
        }
        *(fresh ? &k : &i) += 1;
        if (pl_is_stale(from->v[one][at])) {
            continue;
        }
        to->t[n] = from->t[at];
        for (int b = 0; b < PL_TIER_VALUES; b++) {
            if (g->want >> b & 1) {
                to->v[b][n] = from->v[b][at];
            }
        }
        n++;
    }
    to->n = n;
    to->histograms = out->histograms || c->histograms;
    if (all.cap) {
        pl_tier_columns_fini(out);
        *out = all;
    }
    return 0;
}

static int read_tier(struct reading *g, int64_t t0, int64_t t1, struct pl_tier_columns *out)
{
    const struct pl_select *s = g->r->s;
    int64_t expired = pl__tier_expired(g->tier), horizon = g->x->state.horizon;
    horizon = g->x->none ? INT64_MIN : horizon;
    /* whole buckets of what the select was asked for, and not expired */
    int64_t least = s->from < -PL__TIER_T_MAX ? -PL__TIER_T_MAX : s->from;
    int64_t first = pl__bucket_end(least + g->resolution - 1, g->resolution);
    int64_t last = pl__bucket_floor(s->to < t1 ? s->to : t1, g->resolution);
    t0 = t0 > expired ? t0 : expired + 1;
    t0 = pl__bucket_end(t0, g->resolution);
    first = t0 > first ? t0 : first;
    int rc = 0;
    if (first <= last && first <= horizon) {
        int64_t end = last < horizon ? last : horizon;
        rc = read_stored(g, first, end, out);
        rc = rc < 0 ? rc : compute_late(g, first, end);
    }
    if (rc >= 0 && last > horizon && first <= last) {
        int64_t from = horizon == INT64_MIN || horizon < first ? first : horizon + g->resolution;
        rc = compute(g, from, last);
    }
    return rc < 0 ? rc : combine(g, out);
}

int pl_reader_tier(struct pl_reader *r, size_t i, size_t tier, int64_t t0, int64_t t1,
                   unsigned want, struct pl_tier_columns *out)
{
    struct pl_tenant *t = r->s->t;
    struct reading g = {.r = r, .id = r->s->ids[i], .want = want};
    out->n = 0;
    out->histograms = false;
    if (tier >= t->s->rollup.n || want == 0 || want >> PL_TIER_VALUES) {
        return PL_EINVAL;
    }
    if (!pl__tier_has(t, g.id, tier)) {
        return PL_ENOTFOUND;
    }
    g.tier = &t->s->rollup.tiers[tier];
    g.resolution = g.tier->conf.resolution_ms;
    int rc = prepare(r, tier, &g.x);
    rc = rc < 0 ? rc : read_tier(&g, t0, t1, out);
    pl_tier_columns_fini(&g.computed);
    pl_columns_fini(&g.columns);
    free(g.touched);
    return rc < 0 ? rc : g.damaged;
}

/* --------------------------------------------------------------------------- who has something */

int pl__rollup_filter(struct pl_tenant *t, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                      void (*found)(void *ctx, const uint32_t *ids, size_t n), void *ctx)
{
    uint32_t *some = malloc((n + 1) * sizeof *some);
    int rc = some ? 0 : PL_ENOMEM;
    for (size_t tier = 0; tier < t->s->rollup.n && rc >= 0; tier++) {
        const struct pl__tier *x = &t->s->rollup.tiers[tier];
        int64_t expired = pl__tier_expired(x), resolution = x->conf.resolution_ms;
        int64_t from = t0 > expired ? t0 : expired + 1;
        struct pl_engine_tenant *et;
        struct pl__tier_state st;
        struct pl_view *v;
        size_t k = 0;
        if (from > t1 || pl__tier_open(t, tier, &et, &st) < 0) {
            continue;
        }
        rc = x->engine->ops->view(et, pl__tier_slot(pl__bucket_end(from, resolution), resolution),
                                  pl__tier_slot(pl__bucket_end(t1, resolution), resolution), &v);
        if (rc < 0) {
            break;
        }
        while (k < n && ids[k] < PL__TIER_IDS) {
            some[k] = ids[k] * 16 + PL_TIER_COUNT;
            k++;
        }
        k = x->engine->ops->view_filter(v, some, k);
        for (size_t i = 0; i < k; i++) {
            some[i] /= 16;
        }
        x->engine->ops->view_free(v);
        found(ctx, some, k);
    }
    free(some);
    return rc;
}
