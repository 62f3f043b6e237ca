/* Which tiers there are, their engines, what is known of each tenant in them, and which of them a
 * series belongs to. A tier lies in dir/rollup/<resolution>-<retention>; where only the retention
 * of the configuration has changed, the directory is renamed and its buckets stay. */
#include "core/store/rollup.h"
#include "core/store/tenant.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PAGE          65536u
#define PAGES         (PL__TIER_IDS / PAGE)
#define STATE_VERSION 1
#define STATE_BYTES   25

/* ---------------------------------------------------------------------------------- configuration
 */

static int tier_cmp(const struct pl_tier *a, const struct pl_tier *b)
{
    if (a->resolution_ms != b->resolution_ms) {
        return a->resolution_ms < b->resolution_ms ? -1 : 1;
    }
    int64_t x = a->retention_ms ? a->retention_ms : INT64_MAX;
    int64_t y = b->retention_ms ? b->retention_ms : INT64_MAX;
    return (x > y) - (x < y);
}

static int add_tier(struct pl__rollup *r, const struct pl_tier *x, char *why, size_t n_why)
{
    size_t at = 0;
    while (at < r->n && tier_cmp(&r->tiers[at].conf, x) < 0) {
        at++;
    }
    if (at < r->n && tier_cmp(&r->tiers[at].conf, x) == 0) {
        return 0;
    }
    if (x->resolution_ms < PL_TIER_RESOLUTION_MIN || x->resolution_ms > PL_TIER_RESOLUTION_MAX ||
        (x->retention_ms && x->retention_ms < x->resolution_ms) || x->retention_ms < 0) {
        snprintf(why, n_why,
                 "a rollup tier's resolution must lie between a second and a year, and not over "
                 "its retention");
        return PL_EINVAL;
    }
    if (r->n == PL__TIERS_MAX) {
        snprintf(why, n_why, "more than %d rollup tiers", PL__TIERS_MAX);
        return PL_ELIMIT;
    }
    memmove(r->tiers + at + 1, r->tiers + at, (r->n - at) * sizeof *r->tiers);
    r->tiers[at] = (struct pl__tier){.conf = *x};
    r->n++;
    return 0;
}

static uint32_t set_of(const struct pl__rollup *r, const struct pl_tier *tiers, size_t n)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < r->n; k++) {
            bits |= tier_cmp(&r->tiers[k].conf, &tiers[i]) == 0 ? 1u << k : 0;
        }
    }
    return bits;
}

static int64_t slots_now(void *ctx)
{
    const struct pl__tier *x = ctx;
    return pl__tier_slot(pl__bucket_floor(pl_now_ms(x->real), x->conf.resolution_ms),
                         x->conf.resolution_ms);
}

static int64_t slots_mono(void *ctx) { return pl_mono_ns(((const struct pl__tier *)ctx)->real); }

static void metrics(struct pl_store *s)
{
    struct pl__rollup *r = &s->rollup;
    struct pl_metrics *m = s->conf.metrics;
    r->n_passes = pl_metrics_counter(m, "perilune_rollup_passes_total",
                                     "Passes that brought a rollup tier up to date.", NULL);
    r->n_failures = pl_metrics_counter(m, "perilune_rollup_failures_total",
                                       "Passes that failed and are tried again.", NULL);
    r->n_buckets = pl_metrics_counter(m, "perilune_rollup_buckets_total",
                                      "Buckets written to rollup tiers.", NULL);
    r->n_skipped = pl_metrics_counter(
        m, "perilune_rollup_skipped_series_total",
        "Times a series was left out of a rollup tier because its number is over 2^28.", NULL);
    r->seconds = pl_metrics_histo(m, "perilune_rollup_pass_seconds",
                                  "Time of a pass over a rollup tier of a tenant.", NULL);
    pl_metrics_fn(m, "perilune_rollup_lag_seconds",
                  "How far the tier that is furthest behind is behind; queries read the samples of "
                  "that time instead.",
                  NULL, false, pl__rollup_lag, s);
}

static int name_tier(struct pl__tier *x)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_duration_text(x->conf.resolution_ms, &b);
    pl_buf_u8(&b, '-');
    if (x->conf.retention_ms) {
        pl_duration_text(x->conf.retention_ms, &b);
    } else {
        pl_buf_z(&b, "forever");
    }
    int rc = b.failed || b.n >= sizeof x->name ? PL_ENOMEM : 0;
    if (rc >= 0) {
        memcpy(x->name, b.p, b.n);
        x->name[b.n] = 0;
    }
    pl_buf_fini(&b);
    return rc;
}

int pl__rollup_init(struct pl_store *s, char *why, size_t n_why)
{
    struct pl__rollup *r = &s->rollup;
    const struct pl_store_conf *c = &s->conf;
    int rc = 0;
    if (c->n_tier_overrides >= PL__TIER_SETS) {
        snprintf(why, n_why, "more than %d rollup overrides", PL__TIER_SETS - 1);
        return PL_ELIMIT;
    }
    for (size_t i = 0; i < c->n_tiers && rc >= 0; i++) {
        rc = add_tier(r, &c->tiers[i], why, n_why);
    }
    for (size_t i = 0; i < c->n_tier_overrides; i++) {
        for (size_t k = 0; k < c->tier_overrides[i].n_tiers && rc >= 0; k++) {
            rc = add_tier(r, &c->tier_overrides[i].tiers[k], why, n_why);
        }
    }
    for (size_t i = 0; i < c->n_tier_overrides; i++) {
        r->sets[r->n_sets++] = set_of(r, c->tier_overrides[i].tiers, c->tier_overrides[i].n_tiers);
    }
    r->sets[r->n_sets++] = set_of(r, c->tiers, c->n_tiers);
    for (size_t i = 0; i < r->n && rc >= 0; i++) {
        rc = name_tier(&r->tiers[i]);
        r->tiers[i].real = c->clock;
        r->tiers[i].clock = (struct pl_clock){slots_now, slots_mono, &r->tiers[i]};
    }
    metrics(s);
    return rc;
}

/* ---------------------------------------------------------------------------------- engines */

static bool configured(const struct pl__rollup *r, pl_str name)
{
    bool found = false;
    for (size_t i = 0; i < r->n && !found; i++) {
        found = pl_str_eq(pl_str_c(r->tiers[i].name), name);
    }
    return found;
}

/** A directory of the same resolution that no tier of the configuration claims: it takes the name
 *  `to`. */
static int adopt(struct pl_store *s, const char *root, pl_str resolution, const char *to)
{
    DIR *d = opendir(root);
    struct dirent *e;
    int rc = 0;
    if (!d) {
        return errno == ENOENT ? 0 : pl_errno(errno);
    }
    while (rc == 0 && (e = readdir(d))) {
        pl_str rest = pl_str_c(e->d_name), head = pl_str_cut(&rest, '-');
        if (!rest.p || !pl_str_eq(head, resolution) ||
            configured(&s->rollup, pl_str_c(e->d_name))) {
            continue;
        }
        struct pl_buf from = PL_BUF_INIT;
        pl_buf_f(&from, "%s/%s%c", root, e->d_name, 0);
        rc = from.failed                            ? PL_ENOMEM
             : rename((const char *)from.p, to) < 0 ? pl_errno(errno)
                                                    : pl_dir_sync(root);
        if (rc >= 0) {
            pl_logf(s->conf.log, PL_INFO, "store", "a rollup tier has another retention now",
                    "was=%s dir=%s", e->d_name, to);
            rc = 1;
        }
        pl_buf_fini(&from);
    }
    closedir(d);
    return rc;
}

static int open_tier(struct pl_store *s, const char *root, struct pl__tier *x, char *why,
                     size_t n_why)
{
    struct pl_buf dir = PL_BUF_INIT, resolution = PL_BUF_INIT;
    struct stat st;
    pl_buf_f(&dir, "%s/%s%c", root, x->name, 0);
    pl_duration_text(x->conf.resolution_ms, &resolution);
    int rc = dir.failed || resolution.failed ? PL_ENOMEM : 0;
    if (rc >= 0 && stat((char *)dir.p, &st) < 0) {
        rc = adopt(s, root, pl_buf_view(&resolution), (char *)dir.p);
    }
    if (rc < 0) {
        snprintf(why, n_why, "%s: %s", root, pl_err_text(rc));
    } else {
        struct pl_engine_conf conf = {.dir = (char *)dir.p,
                                      .clock = &x->clock,
                                      .log = s->conf.log,
                                      .metrics = s->conf.metrics};
        rc = pl_lmdb_open(&conf, &x->engine, why, n_why);
    }
    pl_buf_fini(&dir);
    pl_buf_fini(&resolution);
    return rc;
}

/** Directories that nobody claims are left as they are, and told of. */
static void tell_of_others(struct pl_store *s, const char *root)
{
    DIR *d = opendir(root);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        if (e->d_name[0] != '.' && !configured(&s->rollup, pl_str_c(e->d_name))) {
            pl_logf(s->conf.log, PL_WARN, "store",
                    "a rollup tier that is not configured is left as it is: not read, not written, "
                    "not expired",
                    "dir=%s/%s", root, e->d_name);
        }
    }
    if (d) {
        closedir(d);
    }
}

int pl__rollup_open(struct pl_store *s, char *why, size_t n_why)
{
    struct pl_buf root = PL_BUF_INIT;
    pl_buf_f(&root, "%s/rollup%c", s->dir, 0);
    int rc = root.failed ? PL_ENOMEM : 0;
    for (size_t i = 0; i < s->rollup.n && rc >= 0; i++) {
        rc = open_tier(s, (char *)root.p, &s->rollup.tiers[i], why, n_why);
    }
    if (rc >= 0) {
        tell_of_others(s, (char *)root.p);
    }
    pl_buf_fini(&root);
    return rc < 0 ? rc : 0;
}

void pl__rollup_close(struct pl_store *s)
{
    for (size_t i = 0; i < s->rollup.n; i++) {
        struct pl_engine *e = s->rollup.tiers[i].engine;
        if (e) {
            e->ops->close(e);
        }
    }
}

int64_t pl__tier_expired(const struct pl__tier *x)
{
    return x->conf.retention_ms ? pl_now_ms(x->real) - x->conf.retention_ms : INT64_MIN;
}

int64_t pl_tenant_tier_horizon(struct pl_tenant *t, size_t tier)
{
    struct pl_engine_tenant *et;
    struct pl__tier_state st;
    return tier < t->s->rollup.n && pl__tier_open(t, tier, &et, &st) >= 0 ? st.horizon : INT64_MIN;
}

int64_t pl_tenant_now(const struct pl_tenant *t) { return pl_now_ms(t->s->conf.clock); }

size_t pl_tenant_tiers(struct pl_tenant *t, struct pl_tier *out, size_t cap)
{
    const struct pl__rollup *r = &t->s->rollup;
    for (size_t i = 0; i < r->n && i < cap; i++) {
        out[i] = r->tiers[i].conf;
    }
    return r->n;
}

/* ---------------------------------------------------------------------------------- tenants */

int pl__rollup_tenant_init(struct pl_tenant *t)
{
    const struct pl__rollup *r = &t->s->rollup;
    t->tiers.tier = calloc(r->n + 1, sizeof *t->tiers.tier);
    t->tiers.sets = r->n_sets > 1 ? calloc(PAGES, sizeof *t->tiers.sets) : NULL;
    if (!t->tiers.tier || (r->n_sets > 1 && !t->tiers.sets)) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < r->n; i++) {
        pthread_mutex_init(&t->tiers.tier[i].lock, NULL);
        t->tiers.tier[i].state = (struct pl__tier_state){0, INT64_MIN, INT64_MIN};
    }
    return 0;
}

void pl__rollup_tenant_fini(struct pl_tenant *t)
{
    for (size_t i = 0; t->tiers.tier && i < t->s->rollup.n; i++) {
        pthread_mutex_destroy(&t->tiers.tier[i].lock);
    }
    for (size_t i = 0; t->tiers.sets && i < PAGES; i++) {
        free(atomic_load(&t->tiers.sets[i]));
    }
    free(t->tiers.sets);
    free(t->tiers.tier);
}

static int load_state(void *ctx, pl_str key, pl_str value)
{
    struct pl__tier_state *st = ctx;
    if (!pl_str_eq(key, PL_STR("rollup"))) {
        return 0;
    }
    if (value.n != STATE_BYTES || value.p[0] != STATE_VERSION) {
        return PL_ECORRUPT;
    }
    st->rolled = pl_rd64((const uint8_t *)value.p + 1);
    st->horizon = (int64_t)pl_rd64((const uint8_t *)value.p + 9);
    st->raw_cut = (int64_t)pl_rd64((const uint8_t *)value.p + 17);
    return 0;
}

/** Lock held. */
static int open_locked(struct pl_tenant *t, size_t tier, bool create)
{
    struct pl__tier_tenant *x = &t->tiers.tier[tier];
    struct pl_engine *e = t->s->rollup.tiers[tier].engine;
    if (x->et || (x->opened && !create) || x->failed) {
        return x->et ? 0 : x->failed ? PL_ECORRUPT : PL_ENOTFOUND;
    }
    struct pl_engine_tenant *et = NULL;
    struct pl__tier_state st = {0, INT64_MIN, INT64_MIN};
    x->opened = true;
    int rc = e->ops->tenant(e, t->name, create, &et);
    rc = rc < 0 ? rc : e->ops->records(et, PL_RECORD_STATE, load_state, &st);
    if (rc == PL_ENOTFOUND) {
        return rc;
    }
    if (rc < 0) {
        x->failed = rc == PL_ECORRUPT;
        pl_logf(t->s->conf.log, PL_ERROR, "store", "a rollup tier cannot be opened",
                "tenant=%.*s resolution_ms=%lld err=%s", PL_PRS(t->name),
                (long long)t->s->rollup.tiers[tier].conf.resolution_ms, pl_err_name(rc));
        return rc;
    }
    /* Of samples that are no longer there (a directory put together from others): begin anew. */
    struct pl_engine_tenant *raw = atomic_load(&t->et);
    if (st.rolled > (raw ? t->s->engine->ops->flushed_seq(raw) : 0)) {
        st.rolled = 0;
        st.horizon = INT64_MIN;
    }
    x->state = st;
    x->seq = e->ops->flushed_seq(et);
    x->et = et;
    return 0;
}

static int open_tenant(struct pl_tenant *t, size_t tier, bool create, struct pl_engine_tenant **et,
                       struct pl__tier_state *state)
{
    struct pl__tier_tenant *x = &t->tiers.tier[tier];
    pthread_mutex_lock(&x->lock);
    int rc = open_locked(t, tier, create);
    *et = x->et;
    *state = x->state;
    pthread_mutex_unlock(&x->lock);
    return rc;
}

int pl__tier_open(struct pl_tenant *t, size_t tier, struct pl_engine_tenant **et,
                  struct pl__tier_state *state)
{
    return open_tenant(t, tier, false, et, state);
}

int pl__tier_make(struct pl_tenant *t, size_t tier, struct pl_engine_tenant **et,
                  struct pl__tier_state *state)
{
    return open_tenant(t, tier, true, et, state);
}

/* ---------------------------------------------------------------------------------- writing */

struct feed {
    const struct pl__tier_series *series;
    size_t n, at;
    int value;
    const struct pl__buckets *b;
    int64_t *slots, *h_slots; /* of the buckets, and of those with histograms */
    double *ones;
    struct pl_columns now;
};

static bool feed_next(void *ctx, uint32_t *id, const struct pl_columns **out)
{
    struct feed *f = ctx;
    const struct pl__tier_series *s = &f->series[f->at];
    if (f->at < f->n && f->value == PL__TIER_HISTOGRAMS && s->h_from == s->h_to) {
        f->value++;
    }
    if (f->at < f->n && f->value > PL__TIER_HISTOGRAMS) {
        f->value = 0;
        f->at++;
        s++;
    }
    if (f->at >= f->n) {
        return false;
    }
    *id = s->id * 16 + (uint32_t)f->value;
    if (f->value == PL__TIER_HISTOGRAMS) {
        f->now = (struct pl_columns){
            .t = f->h_slots + s->h_from, .v = f->ones, .n = s->h_to - s->h_from};
    } else {
        f->now = (struct pl_columns){
            .t = f->slots + s->from, .v = f->b->c.v[f->value] + s->from, .n = s->to - s->from};
    }
    *out = &f->now;
    f->value++;
    return true;
}

static int feed_init(struct feed *f, size_t rows, size_t with, int64_t resolution)
{
    f->slots = malloc((rows + 1) * sizeof *f->slots);
    f->h_slots = malloc((with + 1) * sizeof *f->h_slots);
    f->ones = malloc((with + 1) * sizeof *f->ones);
    if (!f->slots || !f->h_slots || !f->ones) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < rows; i++) {
        f->slots[i] = pl__tier_slot(f->b->c.t[i], resolution);
    }
    for (size_t i = 0; i < with; i++) {
        f->h_slots[i] = pl__tier_slot(f->b->with_histograms[i], resolution);
        f->ones[i] = 1;
    }
    return 0;
}

int pl__tier_write(struct pl_tenant *t, size_t tier, const struct pl__tier_series *series, size_t n,
                   const struct pl__buckets *b, const struct pl__tier_state *state)
{
    const struct pl__tier *x = &t->s->rollup.tiers[tier];
    struct pl__tier_tenant *mine = &t->tiers.tier[tier];
    uint8_t value[STATE_BYTES] = {STATE_VERSION};
    struct pl_record record = {
        .kind = PL_RECORD_STATE, .key = PL_STR("rollup"), .value = pl_str_mem(value, sizeof value)};
    struct feed feed = {.series = series, .n = n, .b = b};
    size_t rows = n ? series[n - 1].to : 0;
    int rc = feed_init(&feed, rows, n ? series[n - 1].h_to : 0, x->conf.resolution_ms);
    if (rc >= 0 && rows) {
        pl__buckets_code(&b->c, 0, rows);
    }
    pl_wr64(value + 1, state->rolled);
    pl_wr64(value + 9, (uint64_t)state->horizon);
    pl_wr64(value + 17, (uint64_t)state->raw_cut);
    uint64_t seq = ++mine->seq;
    struct pl_flush f = {.first_seq = seq,
                         .last_seq = seq,
                         .next = feed_next,
                         .ctx = &feed,
                         .records = &record,
                         .n_records = 1};
    rc = rc < 0 ? rc : PL_FAULT("rollup.write");
    rc = rc < 0 ? rc : x->engine->ops->write(mine->et, &f);
    rc = rc < 0 ? rc : PL_FAULT("rollup.done");
    free(feed.slots);
    free(feed.h_slots);
    free(feed.ones);
    if (rc >= 0) {
        pl_count(t->s->rollup.n_buckets, rows);
        pthread_mutex_lock(&mine->lock);
        mine->state = *state;
        pthread_mutex_unlock(&mine->lock);
    }
    return rc < 0 ? rc : 0;
}

/* ---------------------------------------------------------------------------------- which series
 */

/** The set of a series: its labels against the overrides, in order. */
static unsigned find_set(struct pl_tenant *t, uint32_t id)
{
    const struct pl_store_conf *c = &t->s->conf;
    struct pl_buf labels = PL_BUF_INIT;
    unsigned set = 0;
    if (pl_series_labels(t->series, id, &labels) < 0) {
        pl_buf_fini(&labels);
        return PL__TIER_SETS;
    }
    while (set < c->n_tier_overrides &&
           !pl_matcher_labels(c->tier_overrides[set].sel.m, c->tier_overrides[set].sel.n,
                              pl_buf_view(&labels))) {
        set++;
    }
    pl_buf_fini(&labels);
    return set;
}

/** The byte where the set of a series is remembered; NULL without memory. */
static atomic_uchar *place_of(struct pl_tenant *t, uint32_t id)
{
    _Atomic(atomic_uchar *) *page = &t->tiers.sets[id / PAGE];
    atomic_uchar *have = atomic_load(page);
    if (!have) {
        atomic_uchar *fresh = calloc(PAGE, sizeof *fresh);
        if (fresh && atomic_compare_exchange_strong(page, &have, fresh)) {
            have = fresh;
        } else {
            free(fresh);
        }
    }
    return have ? have + id % PAGE : NULL;
}

bool pl__tier_has(struct pl_tenant *t, uint32_t id, size_t tier)
{
    const struct pl__rollup *r = &t->s->rollup;
    if (id >= PL__TIER_IDS) {
        return false;
    }
    if (r->n_sets == 1) {
        return r->sets[0] >> tier & 1;
    }
    atomic_uchar *place = place_of(t, id);
    unsigned set = place ? atomic_load_explicit(place, memory_order_relaxed) : 0;
    if (set == 0) {
        set = find_set(t, id) + 1;
        if (place && set <= PL__TIER_SETS) {
            atomic_store_explicit(place, (unsigned char)set, memory_order_relaxed);
        }
    }
    return set <= r->n_sets && (r->sets[set - 1] >> tier & 1);
}
