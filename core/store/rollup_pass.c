/* The pass that brings a tier up to date, on the storage thread, before a compaction seals the runs
 * it looks at. Two things are written:
 *
 *   buckets that end between the old horizon and the new one, from all their samples
 *   buckets up to the old horizon that samples of newer runs fall into: late data; written again
 *
 * in slices of bounded memory, each a run of the tier; the state moves with a last commit, so a
 * pass that was cut off is begun anew and overwrites what it had written. Between series a flush
 * that is wanted is made way for; where that brings an erasure, the pass begins again, since what
 * it holds may count erased samples. */
#include "core/store/rollup.h"
#include "core/store/tenant.h"
#include <stdlib.h>

#define SLICE_BUCKETS 400000          /* 80 bytes each */
#define FINE_MS       (30 * 60000ll)  /* resolutions below it wait for the end of the samples */
#define RECENT_MS     (6 * 3600000ll) /* is not written, even when all is asked for */
#define WAY_EVERY     64              /* series */
#define TRIES         4               /* the last one makes no way */

struct pass {
    struct pl_tenant *t;
    const struct pl_engine_ops *ops; /* of the samples */
    size_t tier;
    int64_t resolution;
    bool patient; /* makes way */
    struct pl__tier_state from, to;
    struct pl_view *recent, *old, *late; /* (horizon, new]; up to horizon; of that, new runs */
    struct pl_cursor *c_recent, *c_old, *c_late;
    struct pl__tier_series *series;
    size_t n_series, cap_series;
    struct pl__buckets buckets;
    struct pl_columns samples, touched;
    struct pl_read_stats stats;
};

static int64_t midnight(int64_t t) { return t - (t % PL__DAY_MS + PL__DAY_MS) % PL__DAY_MS; }

/** Up to where buckets are written; INT64_MIN: nowhere yet. A chunk costs as much for a few buckets
 * as for many, and readers compute what is not there: so whole UTC days at a time, which is also
 * what partitions of samples are, so that merging those of today makes nothing that is counted look
 * new; and nothing of the last hours when all is asked for.
 *
 * A bucket has nine values. A fine tier's hold few samples each, and would double the disk for data
 * whose samples are there: it is written when these are about to go. Where samples are kept for
 * less than that is worth: what is over. */
static int64_t until(const struct pl_store *s, bool all, int64_t resolution)
{
    int64_t now = pl_now_ms(s->conf.clock), kept = s->conf.retention_ms;
    int64_t over = now - s->conf.flush_interval_ms - 60000, end = midnight(over);
    if (kept && kept < 4 * PL__DAY_MS) {
        end = all ? now : kept < 2 * PL__DAY_MS ? over : end;
    } else if (resolution < FINE_MS) {
        int64_t before = kept / 10 > 2 * PL__DAY_MS ? kept / 10 : 2 * PL__DAY_MS;
        end = kept ? midnight(now - kept + before) : INT64_MIN;
    } else if (all && now - RECENT_MS > end) {
        end = now - RECENT_MS;
    }
    return end == INT64_MIN ? end : pl__bucket_floor(end, resolution);
}

static int write_slice(struct pass *p, const struct pl__tier_state *state)
{
    int rc = pl__tier_write(p->t, p->tier, p->series, p->n_series, &p->buckets, state);
    p->n_series = 0;
    p->buckets.c.n = p->buckets.n_with = 0;
    return rc;
}

/** The samples of id in (from - resolution, to]: their buckets go to the end of the slice. */
static int take(struct pass *p, struct pl_cursor *c, uint32_t id, int64_t t0, int64_t t1)
{
    int rc = p->ops->read(c, id, t0, t1, &p->samples, &p->stats);
    rc = rc == PL_ECORRUPT ? 0 : rc; /* said where; the rest is better than nothing */
    return rc < 0 ? rc : pl__buckets_take(&p->samples, p->resolution, &p->buckets);
}

/** Late samples of a series: their buckets, neighbours in one go. */
static int take_late(struct pass *p, uint32_t id)
{
    int rc = p->ops->read(p->c_late, id, INT64_MIN, p->from.horizon, &p->touched, &p->stats);
    const struct pl_columns *c = &p->touched;
    rc = rc == PL_ECORRUPT ? 0 : rc;
    for (size_t a = 0, b; a < c->n && rc >= 0; a = b) {
        int64_t first = pl__bucket_end(c->t[a], p->resolution), last = first;
        for (b = a + 1; b < c->n && c->t[b] <= last + p->resolution; b++) {
            last = pl__bucket_end(c->t[b], p->resolution);
        }
        /* a bucket of which samples may be gone stays as it is */
        int64_t cut = p->from.raw_cut;
        if (cut != INT64_MIN && first - p->resolution + 1 < cut) {
            first = pl__bucket_end(cut + p->resolution - 1, p->resolution);
        }
        rc = first > last ? 0 : take(p, p->c_old, id, first - p->resolution + 1, last);
    }
    return rc;
}

static int one_series(struct pass *p, uint32_t id, bool late, bool recent)
{
    if (!pl__tier_has(p->t, id, p->tier)) {
        return 0;
    }
    if (pl_grow(&p->series, p->n_series, &p->cap_series, sizeof *p->series) < 0) {
        return PL_ENOMEM;
    }
    size_t from = p->buckets.c.n, h_from = p->buckets.n_with;
    int64_t t0 = p->from.horizon == INT64_MIN ? INT64_MIN : p->from.horizon + 1;
    int rc = late ? take_late(p, id) : 0;
    rc = rc >= 0 && recent ? take(p, p->c_recent, id, t0, p->to.horizon) : rc;
    if (rc >= 0 && p->buckets.c.n > from) {
        p->series[p->n_series++] =
            (struct pl__tier_series){id, from, p->buckets.c.n, h_from, p->buckets.n_with};
    }
    return rc < 0 || p->buckets.c.n < SLICE_BUCKETS ? rc : write_slice(p, &p->from);
}

/** A flush that is wanted goes first. PL_EAGAIN: it brought an erasure. */
static int make_way(struct pass *p)
{
    struct pl_store *s = p->t->s;
    if (atomic_load(&s->closing)) {
        return PL_ECLOSED;
    }
    if (p->patient && atomic_load(&s->n_urgent)) {
        uint32_t before = p->t->tiers.erasures;
        pl__storage_make_way(s);
        return p->t->tiers.erasures != before ? PL_EAGAIN : 0;
    }
    return 0;
}

static int all_series(struct pass *p)
{
    uint32_t end = pl_series_next_id(p->t->series);
    if (end > PL__TIER_IDS) {
        pl_count(p->t->s->rollup.n_skipped, end - PL__TIER_IDS);
        end = PL__TIER_IDS;
    }
    uint32_t *recent = malloc(((size_t)end + 1) * sizeof *recent);
    uint32_t *late = malloc(((size_t)end + 1) * sizeof *late);
    size_t n_recent = 0, n_late = 0;
    int rc = recent && late ? 0 : PL_ENOMEM;
    for (uint32_t id = 0; id < end && rc >= 0; id++) {
        recent[id] = late[id] = id;
    }
    if (rc >= 0) {
        n_recent = p->recent ? p->ops->view_filter(p->recent, recent, end) : 0;
        n_late = p->late ? p->ops->view_filter(p->late, late, end) : 0;
    }
    for (size_t i = 0, k = 0, n = 0; (i < n_recent || k < n_late) && rc >= 0; n++) {
        bool is_late = k < n_late && (i == n_recent || late[k] <= recent[i]);
        bool is_recent = i < n_recent && (k == n_late || recent[i] <= late[k]);
        rc = n % WAY_EVERY ? 0 : make_way(p);
        rc = rc < 0 ? rc : one_series(p, is_late ? late[k] : recent[i], is_late, is_recent);
        i += is_recent;
        k += is_late;
    }
    free(recent);
    free(late);
    return rc;
}

static void end(struct pass *p)
{
    struct pl_cursor *cursors[] = {p->c_recent, p->c_late, p->c_old};
    struct pl_view *views[] = {p->recent, p->late, p->old};
    for (size_t i = 0; i < 3; i++) {
        if (cursors[i]) {
            p->ops->cursor_free(cursors[i]);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        if (views[i]) {
            p->ops->view_free(views[i]);
        }
    }
    pl__buckets_fini(&p->buckets);
    pl_columns_fini(&p->samples);
    pl_columns_fini(&p->touched);
    free(p->series);
}

static int begin(struct pass *p, struct pl_engine_tenant *raw)
{
    int rc = 0;
    int64_t horizon = p->from.horizon;
    if (p->to.horizon > horizon) {
        int64_t t0 = horizon == INT64_MIN ? INT64_MIN : horizon + 1;
        rc = p->ops->view(raw, t0, p->to.horizon, &p->recent);
        rc = rc < 0 ? rc : p->ops->cursor(p->recent, &p->c_recent);
    }
    if (rc >= 0 && horizon != INT64_MIN && p->to.rolled > p->from.rolled) {
        rc = p->ops->view(raw, INT64_MIN, horizon, &p->old);
        rc = rc < 0 ? rc : p->ops->cursor(p->old, &p->c_old);
        rc = rc < 0 ? rc : p->ops->view_since(p->old, p->from.rolled, &p->late);
        rc = rc < 0 ? rc : p->ops->cursor(p->late, &p->c_late);
    }
    return rc;
}

static int attempt(struct pl_tenant *t, struct pl_engine_tenant *raw, size_t tier, bool all,
                   int64_t cut, bool patient)
{
    struct pl_store *s = t->s;
    struct pl_engine_tenant *et;
    struct pass p = {.t = t, .ops = s->engine->ops, .tier = tier, .patient = patient};
    p.resolution = s->rollup.tiers[tier].conf.resolution_ms;
    int rc = pl__tier_open(t, tier, &et, &p.from);
    if (rc < 0 && rc != PL_ENOTFOUND) {
        return rc;
    }
    int64_t horizon = until(s, all, p.resolution);
    p.to = p.from;
    p.to.rolled = p.ops->flushed_seq(raw);
    p.to.horizon = horizon > p.from.horizon ? horizon : p.from.horizon;
    if (p.to.horizon == INT64_MIN) {
        return 0;
    }
    if (p.to.horizon == p.from.horizon &&
        (p.to.rolled == p.from.rolled || !(all || cut > p.from.raw_cut))) {
        return 0;
    }
    int64_t began = pl_mono_ns(s->conf.clock);
    rc = pl__tier_make(t, tier, &et, &p.from);
    rc = rc < 0 ? rc : begin(&p, raw);
    rc = rc < 0 ? rc : all_series(&p);
    rc = rc < 0 ? rc : write_slice(&p, &p.to);
    end(&p);
    if (rc >= 0) {
        pl_count(s->rollup.n_passes, 1);
        pl_histo_observe(s->rollup.seconds, (double)(pl_mono_ns(s->conf.clock) - began) * 1e-9);
    }
    return rc;
}

int pl__rollup_pass(struct pl_tenant *t, bool all, int64_t cut)
{
    struct pl_store *s = t->s;
    struct pl_engine_tenant *raw = atomic_load(&t->et);
    int result = 0;
    for (size_t tier = 0; raw && tier < s->rollup.n; tier++) {
        int rc = PL_EAGAIN;
        for (int i = 1; i <= TRIES && rc == PL_EAGAIN; i++) {
            rc = attempt(t, raw, tier, all, cut, i < TRIES);
        }
        if (rc == PL_ECLOSED) {
            return rc;
        }
        if (rc < 0) {
            pl_count(s->rollup.n_failures, 1);
            pl_logf(s->conf.log, PL_ERROR, "store", "a rollup tier cannot be brought up to date",
                    "tenant=%.*s resolution_ms=%lld err=%s", PL_PRS(t->name),
                    (long long)s->rollup.tiers[tier].conf.resolution_ms, pl_err_name(rc));
            result = rc;
        }
    }
    return result;
}
