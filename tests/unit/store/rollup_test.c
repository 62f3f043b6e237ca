/* Rollup tiers over a store: what a reader gives is what brute force over the samples gives, after
 * any sequence of writes (late, repeated, with resets, markers and NaN), flushes, compactions,
 * deletions, restarts and crashes. */
#include "tests/unit/store/histograms.h"
#include "tests/unit/store/store_fixture.h"
#include <math.h>
#include <time.h>
#include <unistd.h>

#define MINUTE  60000ll
#define HOUR    (60 * MINUTE)
#define DAY     (24 * HOUR)
#define SERIES  5
#define PLACES  4000 /* times a series can have samples at */
#define PLACE_0 ((NOW_MS / HOUR - 8) * HOUR)
#define STALE   pl_bits_f64(PL_STALE_BITS)

static const struct pl_tier tiers[] = {{MINUTE, 0}, {5 * MINUTE, 180 * DAY}, {HOUR, 730 * DAY}};
#define N_TIERS (sizeof tiers / sizeof *tiers)
#define PROMPT  (3 * DAY) /* a retention with which no tier waits */

struct world {
    struct fixture f;
    bool lmdb;
    uint64_t seed;
    bool there[SERIES][PLACES];
    double v[SERIES][PLACES];
    double counter[SERIES];
};

static uint32_t dice(struct world *w, uint32_t n)
{
    w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(w->seed >> 33) % n;
}

/* Irregular: some places lie exactly on the ends of buckets. */
static int64_t time_of(size_t place)
{
    return PLACE_0 + (int64_t)place * 9000 + (place % 20 ? (int64_t)place % 5 : 0);
}

static void world_open(struct world *w)
{
    w->f.conf.engine = w->lmdb ? NULL : &w->f.memory->base;
    fixture_open(&w->f);
}

static void world_begin(struct world *w, bool lmdb, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    fixture_begin(&w->f);
    w->lmdb = lmdb;
    w->seed = seed;
    w->f.conf.tiers = tiers;
    w->f.conf.n_tiers = N_TIERS;
    w->f.conf.retention_ms = PROMPT;
    world_open(w);
}

/* ------------------------------------------------------------------------------ brute force */

/** Values of the bucket that ends at `end`; false: it has no samples. */
static bool brute(const struct world *w, uint32_t series, int64_t end, int64_t resolution,
                  double out[PL_TIER_VALUES])
{
    double v[PLACES], t[PLACES], sum = 0;
    size_t n = 0;
    int64_t from = (end - resolution - PLACE_0) / 9000 - 1;
    for (size_t p = from < 0 ? 0 : (size_t)from; p < PLACES && time_of(p) <= end; p++) {
        int64_t at = time_of(p);
        if (w->there[series][p] && at > end - resolution && at <= end &&
            !pl_is_stale(w->v[series][p])) {
            t[n] = (double)at;
            v[n++] = w->v[series][p];
        }
    }
    if (n == 0) {
        return false;
    }
    double lo = NAN, hi = NAN, inc = v[n - 1] - v[0];
    for (size_t i = 0; i < n; i++) {
        sum += v[i];
        lo = isnan(lo) || v[i] < lo ? v[i] : lo;
        hi = isnan(hi) || v[i] > hi ? v[i] : hi;
        inc += i && v[i] < v[i - 1] ? v[i - 1] : 0;
    }
    const double all[PL_TIER_VALUES] = {(double)n, sum, lo,   hi,      v[0],
                                        v[n - 1],  inc, t[0], t[n - 1]};
    memcpy(out, all, sizeof all);
    return true;
}

static bool alike(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b) + 1);
}

static void check_series(struct world *w, struct pl_reader *r, size_t i, uint32_t series,
                         size_t tier, int64_t t0, int64_t t1, unsigned want)
{
    struct pl_tier_columns c = {0};
    int64_t res = tiers[tier].resolution_ms;
    size_t at = 0;
    assert_int_equal(pl_reader_tier(r, i, tier, t0, t1, want, &c), 0);
    for (int64_t end = (PLACE_0 / res - 1) * res; end <= NOW_MS + 4 * HOUR; end += res) {
        double expected[PL_TIER_VALUES];
        if (end < t0 || end > t1 || !brute(w, series, end, res, expected)) {
            continue;
        }
        if (at >= c.n || c.t[at] != end) {
            fail_msg("series %u tier %zu: bucket %lld is missing (there: %lld of %zu)", series,
                     tier, (long long)end, (long long)(at < c.n ? c.t[at] : 0), c.n);
        }
        for (int k = 0; k < PL_TIER_VALUES; k++) {
            if ((want >> k & 1) && !alike(c.v[k][at], expected[k])) {
                fail_msg("series %u tier %zu bucket %lld value %d: %.17g, not %.17g", series, tier,
                         (long long)end, k, c.v[k][at], expected[k]);
            }
        }
        at++;
    }
    assert_int_equal(at, c.n);
    pl_tier_columns_fini(&c);
}

static void check(struct world *w)
{
    struct pl_selector sel = select_all();
    struct pl_select *s;
    struct pl_reader *r;
    int64_t t0 = INT64_MIN, t1 = INT64_MAX;
    if (dice(w, 2)) {
        t0 = (PLACE_0 + (int64_t)dice(w, 8) * HOUR) / HOUR * HOUR;
        t1 = t0 + (int64_t)dice(w, 5) * HOUR;
    }
    /* the select has whole buckets: from one resolution before the first end */
    assert_int_equal(
        pl_select_new(w->f.t, &sel, 1, t0 == INT64_MIN ? t0 : t0 - HOUR + 1, t1, 0, &s), 0);
    assert_int_equal(pl_reader_new(s, &r), 0);
    for (size_t i = 0; i < pl_select_count(s); i++) {
        for (size_t tier = 0; tier < N_TIERS; tier++) {
            unsigned want = dice(w, 3) ? (1u << PL_TIER_VALUES) - 1 : 1 + dice(w, 511);
            check_series(w, r, i, index_of(s, i), tier, t0, t1, want);
        }
    }
    pl_reader_free(r);
    pl_select_free(s);
}

/* -------------------------------------------------------------------------------- what happens */

static void write_some(struct world *w)
{
    struct pl_batch *b;
    assert_int_equal(pl_batch_new(w->f.t, &b), 0);
    size_t n = 1 + dice(w, 200), at = dice(w, PLACES), step = dice(w, 3);
    bool behind_now = dice(w, 4) != 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t series = dice(w, SERIES), id;
        size_t p = step ? (at + i * step) % PLACES : dice(w, PLACES);
        if (behind_now && time_of(p) > pl_now_ms(&w->f.clock)) {
            continue;
        }
        double v = w->counter[series] += dice(w, 100) / 8.0;
        switch (dice(w, 20)) {
        case 0:
            v = STALE;
            break;
        case 1:
            v = NAN;
            break;
        case 2:
            w->counter[series] = v = 0;
            break;
        }
        assert_true(intern(w->f.t, series, &id) >= 0);
        assert_int_equal(pl_batch_add(b, id, time_of(p), v), 0);
        w->there[series][p] = true;
        w->v[series][p] = v;
    }
    assert_int_equal(write_wait(b), 0);
}

static void erase_some(struct world *w)
{
    char text[16], why[64];
    uint32_t series = dice(w, SERIES);
    int64_t t0 = PLACE_0 + dice(w, 36000) * 1000ll, t1 = t0 + dice(w, 3) * dice(w, 7200) * 1000ll;
    t0 = dice(w, 3) ? t0 : t0 / HOUR * HOUR + 1;
    t1 = dice(w, 3) ? t1 : t1 / (5 * MINUTE) * (5 * MINUTE);
    t1 = t1 < t0 ? t0 : t1;
    int k = snprintf(text, sizeof text, "%06u", series);
    struct pl_matcher m;
    assert_int_equal(
        pl_matcher_init(&m, PL_MATCH_EQ, PL_STR("n"), (pl_str){text, (size_t)k}, why, sizeof why),
        0);
    uint64_t n;
    assert_int_equal(pl_store_erase(w->f.t, &(struct pl_selector){&m, 1}, 1, t0, t1, &n), 0);
    pl_matcher_fini(&m);
    for (size_t p = 0; p < PLACES; p++) {
        if (time_of(p) >= t0 && time_of(p) <= t1) {
            w->there[series][p] = false;
        }
    }
}

static void something(struct world *w)
{
    switch (dice(w, 12)) {
    case 0:
    case 1:
        assert_int_equal(pl_store_flush(w->f.s), 0);
        break;
    case 2:
    case 3:
        assert_int_equal(pl_store_compact(w->f.s), 0);
        break;
    case 4:
        erase_some(w);
        break;
    case 5:
        fixture_close(&w->f);
        world_open(w);
        break;
    case 6:
        if (dice(w, 4) == 0) {
            fixture_crash(&w->f);
            world_open(w);
        }
        break;
    case 7:
        atomic_fetch_add(&w->f.hand.ms, (int64_t)dice(w, 20) * MINUTE);
        break;
    default:
        write_some(w);
    }
}

static void live_and_check(bool lmdb, uint64_t seeds, int steps)
{
    struct world *w = malloc(sizeof *w);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        world_begin(w, lmdb, seed);
        for (int i = 0; i < steps; i++) {
            something(w);
            check(w);
        }
        fixture_end(&w->f);
    }
    free(w);
}

TEST(a_reader_gives_what_brute_force_gives_after_anything_over_memory)
{
    live_and_check(false, 4, 50);
}

TEST(a_reader_gives_what_brute_force_gives_after_anything_over_partitions)
{
    live_and_check(true, 2, 50);
}

/* ------------------------------------------------------------------------------- ends and edges */

/** Of series 1 in [t0, t1]: how many buckets, and their counts summed. */
static size_t buckets(struct fixture *f, size_t tier, int64_t t0, int64_t t1, double *count)
{
    struct pl_selector sel = select_all();
    struct pl_select *s;
    struct pl_reader *r;
    struct pl_tier_columns c = {0};
    size_t n = 0;
    *count = 0;
    assert_int_equal(pl_select_new(f->t, &sel, 1, t0, t1, 0, &s), 0);
    assert_int_equal(pl_reader_new(s, &r), 0);
    for (size_t i = 0; i < pl_select_count(s); i++) {
        if (index_of(s, i) == 1) {
            assert_int_equal(pl_reader_tier(r, i, tier, t0, t1, 1 << PL_TIER_COUNT, &c), 0);
            n = c.n;
            for (size_t k = 0; k < c.n; k++) {
                *count += c.v[PL_TIER_COUNT][k];
            }
        }
    }
    pl_tier_columns_fini(&c);
    pl_reader_free(r);
    pl_select_free(s);
    return n;
}

static void begin_default(struct fixture *f)
{
    fixture_begin(f);
    f->conf.tiers = tiers + 1;
    f->conf.n_tiers = 2;
    f->conf.retention_ms = DAY;
    fixture_open(f);
}

static bool stop_at_first(void *ctx, pl_str s)
{
    (void)s;
    *(bool *)ctx = true;
    return false;
}

TEST(buckets_outlive_the_samples_and_end_with_their_tier)
{
    struct fixture f;
    double count;
    uint64_t disk;
    struct pl_store_stats st;
    int64_t hour = NOW_MS / HOUR * HOUR;
    begin_default(&f);
    for (int i = 0; i < 120; i++) {
        put(&f, 1, hour - i * MINUTE, i);
    }
    assert_int_equal(pl_store_compact(f.s), 0);
    atomic_fetch_add(&f.hand.ms, 3 * DAY);
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(pl_store_compact(f.s), 0);
    size_t n = 0;
    read_all(&f, INT64_MIN, INT64_MAX, count_samples, &n);
    assert_int_equal(n, 0);
    assert_int_equal(buckets(&f, 0, INT64_MIN, INT64_MAX, &count), 24);
    assert_true(count == 120);
    assert_int_equal(buckets(&f, 1, hour - 2 * HOUR + 1, hour, &count), 2);
    assert_true(count == 120);
    assert_int_equal(buckets(&f, 1, hour - HOUR, hour, &count), 1); /* one is not whole */
    bool listed = false;
    assert_int_equal(pl_tenant_label_values(f.t, PL_STR("n"), &(struct pl_selector){NULL, 0}, 1,
                                            hour - HOUR, hour, stop_at_first, &listed),
                     0);
    assert_true(listed);
    listed = false;
    assert_int_equal(pl_tenant_label_values(f.t, PL_STR("n"), &(struct pl_selector){NULL, 0}, 1,
                                            hour + 8 * DAY, hour + 9 * DAY, stop_at_first, &listed),
                     0);
    assert_false(listed);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(buckets(&f, 0, INT64_MIN, INT64_MAX, &count), 24);
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_int_equal(st.n_series, 1);
    disk = st.disk_bytes;
    assert_true(disk > 0);
    atomic_fetch_add(&f.hand.ms, 190 * DAY); /* 5 m ends, 1 h goes on */
    assert_int_equal(buckets(&f, 0, INT64_MIN, INT64_MAX, &count), 0);
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(buckets(&f, 1, INT64_MIN, INT64_MAX, &count), 2);
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_int_equal(st.n_series, 1);
    atomic_fetch_add(&f.hand.ms, 900 * DAY); /* a partition of 1 h spans 60 days */
    assert_int_equal(buckets(&f, 1, INT64_MIN, INT64_MAX, &count), 0);
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_int_equal(st.n_series, 0);
    fixture_end(&f);
}

TEST(a_bucket_whose_samples_have_gone_is_final)
{
    struct fixture f;
    double count;
    uint64_t erased;
    int64_t hour = NOW_MS / HOUR * HOUR;
    struct pl_selector sel = select_all();
    begin_default(&f);
    for (int i = 0; i < 120; i++) {
        put(&f, 1, hour - i * MINUTE, i);
    }
    assert_int_equal(pl_store_compact(f.s), 0);
    atomic_fetch_add(&f.hand.ms, 3 * DAY);
    assert_int_equal(pl_store_compact(f.s), 0);
    fixture_close(&f);
    f.conf.retention_ms = 30 * DAY; /* now late samples of that time are taken again */
    fixture_open(&f);
    put(&f, 1, hour - 90000, 7);
    assert_int_equal(n_samples(&f), 1);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(buckets(&f, 0, hour - 2 * HOUR + 1, hour, &count), 24);
        assert_true(count == 120);
        assert_int_equal(round ? pl_store_compact(f.s) : pl_store_flush(f.s), 0);
    }
    /* A deletion takes whole buckets; those at its ends stay, since they cannot be made again. */
    assert_int_equal(
        pl_store_erase(f.t, &sel, 1, hour - 20 * MINUTE - 1000, hour - 8 * MINUTE, &erased), 0);
    assert_int_equal(buckets(&f, 0, hour - 2 * HOUR + 1, hour, &count), 22);
    assert_true(count == 110);
    assert_int_equal(buckets(&f, 1, hour - 2 * HOUR + 1, hour, &count), 2);
    assert_true(count == 120);
    fixture_end(&f);
}

TEST(a_series_is_kept_in_the_tiers_of_the_first_override_that_matches)
{
    struct fixture f;
    struct pl_matcher one, two;
    char why[64];
    struct pl_tier_columns c = {0};
    struct pl_tier have[4];
    struct pl_select *s;
    struct pl_reader *r;
    struct pl_selector all = select_all();
    static const struct pl_tier day = {DAY, 365 * DAY};
    assert_int_equal(
        pl_matcher_init(&one, PL_MATCH_EQ, PL_STR("n"), PL_STR("000001"), why, sizeof why), 0);
    assert_int_equal(
        pl_matcher_init(&two, PL_MATCH_RE, PL_STR("n"), PL_STR("00000[12]"), why, sizeof why), 0);
    const struct pl_tier_override overrides[] = {{{&one, 1}, &day, 1}, {{&two, 1}, NULL, 0}};
    fixture_begin(&f);
    f.conf.tiers = tiers + 1;
    f.conf.n_tiers = 2;
    f.conf.tier_overrides = overrides;
    f.conf.n_tier_overrides = 2;
    f.conf.retention_ms = PROMPT;
    fixture_open(&f);
    for (uint32_t i = 0; i < 4; i++) {
        put(&f, i, NOW_MS - 3 * DAY, 1);
    }
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(pl_tenant_tiers(f.t, have, 4), 3);
    assert_true(have[0].resolution_ms == 5 * MINUTE && have[2].resolution_ms == DAY);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(pl_select_new(f.t, &all, 1, INT64_MIN, INT64_MAX, 0, &s), 0);
        assert_int_equal(pl_reader_new(s, &r), 0);
        for (size_t i = 0; i < pl_select_count(s); i++) {
            uint32_t n = index_of(s, i);
            for (size_t tier = 0; tier < 3; tier++) {
                bool kept = n == 1 ? tier == 2 : n == 2 ? false : tier < 2;
                int rc = pl_reader_tier(r, i, tier, INT64_MIN, INT64_MAX, 1, &c);
                assert_int_equal(rc, kept ? 0 : PL_ENOTFOUND);
                assert_int_equal(c.n, kept);
            }
        }
        pl_reader_free(r);
        pl_select_free(s);
        fixture_close(&f);
        fixture_open(&f);
    }
    pl_tier_columns_fini(&c);
    fixture_end(&f);
    pl_matcher_fini(&one);
    pl_matcher_fini(&two);
}

/** Buckets of series 1 in the 5 m tier; are there histograms besides? */
static size_t with_histograms(struct fixture *f, bool *histograms)
{
    struct pl_selector sel = select_all();
    struct pl_select *s;
    struct pl_reader *r;
    struct pl_tier_columns c = {0};
    assert_int_equal(pl_select_new(f->t, &sel, 1, NOW_MS - DAY, NOW_MS, 0, &s), 0);
    assert_int_equal(pl_reader_new(s, &r), 0);
    assert_int_equal(pl_reader_tier(r, 0, 0, NOW_MS - DAY, NOW_MS, 1 << PL_TIER_SUM, &c), 0);
    size_t n = c.n;
    *histograms = c.histograms;
    pl_tier_columns_fini(&c);
    pl_reader_free(r);
    pl_select_free(s);
    return n;
}

TEST(histograms_count_in_no_bucket_and_are_told_of)
{
    struct fixture f;
    struct pl_batch *b;
    struct made_histogram x;
    uint32_t id;
    bool histograms;
    begin_default(&f);
    put(&f, 1, NOW_MS - HOUR, 1);
    put(&f, 1, NOW_MS - HOUR + 10 * MINUTE, 1);
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(with_histograms(&f, &histograms), 2);
    assert_false(histograms);
    histogram_make(1, &x);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_true(intern(f.t, 1, &id) >= 0);
    assert_int_equal(pl_batch_add_histogram(b, id, NOW_MS - HOUR, &x.h), 0); /* over the float */
    assert_int_equal(pl_batch_add_histogram(b, id, NOW_MS - HOUR + 11 * MINUTE, &x.h), 0);
    assert_int_equal(write_wait(b), 0);
    for (int round = 0; round < 4; round++) { /* from the head, a run, the tier, after a restart */
        assert_int_equal(with_histograms(&f, &histograms), 1);
        assert_true(histograms);
        if (round == 2) {
            fixture_close(&f);
            fixture_open(&f);
        } else {
            assert_int_equal(round ? pl_store_compact(f.s) : pl_store_flush(f.s), 0);
        }
    }
    fixture_end(&f);
}

TEST(by_itself_a_tier_is_brought_up_to_the_last_midnight_but_a_fine_one_waits)
{
    struct fixture f;
    double count;
    int64_t midnight = NOW_MS / DAY * DAY;
    fixture_begin(&f);
    f.conf.tiers = tiers + 1;
    f.conf.n_tiers = 2;
    fixture_open(&f);
    for (int i = 0; i < 100; i++) {
        put(&f, 1, midnight + (i - 50) * MINUTE, i);
    }
    assert_int_equal(pl_tenant_tier_horizon(f.t, 0), INT64_MIN);
    assert_int_equal(pl_store_flush(f.s), 0);
    atomic_fetch_add(&f.hand.ms, f.conf.compact_interval_ms + 1);
    for (int i = 0; i < 5000 && pl_tenant_tier_horizon(f.t, 1) == INT64_MIN; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    assert_int_equal(pl_tenant_tier_horizon(f.t, 0), midnight - 27 * DAY); /* of 30 */
    assert_int_equal(pl_tenant_tier_horizon(f.t, 1), midnight);
    assert_int_equal(pl_store_compact(f.s), 0); /* all, but not of the last hours */
    assert_int_equal(pl_tenant_tier_horizon(f.t, 0), midnight - 27 * DAY);
    assert_int_equal(pl_tenant_tier_horizon(f.t, 1),
                     (atomic_load(&f.hand.ms) - 6 * HOUR) / HOUR * HOUR);
    assert_int_equal(buckets(&f, 0, midnight - HOUR, NOW_MS, &count), 21);
    assert_true(count == 100);
    fixture_end(&f);
}

static void no_finding(void *ctx, const char *file, int64_t offset, const char *what)
{
    (void)ctx;
    fail_msg("%s: %lld: %s", file, (long long)offset, what);
}

TEST(a_backup_holds_the_tiers_and_they_check_and_scrub)
{
    struct fixture f;
    double count;
    uint64_t packs, findings;
    char backup[100], name[160];
    fixture_begin(&f);
    f.conf.engine = NULL;
    f.conf.tiers = tiers + 1;
    f.conf.n_tiers = 2;
    f.conf.retention_ms = PROMPT;
    fixture_open(&f);
    for (int i = 0; i < 120; i++) {
        put(&f, 1, NOW_MS - i * MINUTE, i);
    }
    assert_int_equal(pl_store_compact(f.s), 0);
    size_t n = buckets(&f, 0, INT64_MIN, INT64_MAX, &count);
    snprintf(backup, sizeof backup, "%s.backup", f.dir);
    assert_int_equal(pl_store_backup(f.s, backup, NULL, NULL), 0);
    assert_int_equal(pl_store_scrub(f.s, NULL, NULL, &packs, &findings), 0);
    assert_true(packs >= 3 && findings == 0);
    fixture_close(&f);
    assert_int_equal(pl_store_check(f.dir, no_finding, NULL, NULL), 0);
    assert_int_equal(pl_store_check(backup, no_finding, NULL, NULL), 0);
    f.conf.dir = backup;
    /* Another retention of the same resolution: the buckets stay, under another name. */
    static const struct pl_tier other[] = {{5 * MINUTE, 100 * DAY}, {HOUR, 0}};
    f.conf.tiers = other;
    fixture_open(&f);
    snprintf(name, sizeof name, "%s/rollup/1h-forever/default/catalogue", backup);
    assert_int_equal(access(name, F_OK), 0);
    double again;
    assert_int_equal(buckets(&f, 0, INT64_MIN, INT64_MAX, &again), n);
    assert_true(again == count);
    fixture_close(&f);
    f.conf.dir = f.dir;
    fixture_open(&f);
    fixture_end(&f);
    pl_path_remove(backup);
}

#ifdef PL_FAULTS
TEST(a_pass_or_an_erasure_that_fails_leaves_readers_exact)
{
    static const char *const points[] = {"rollup.write", "rollup.done", "rollup.erase"};
    struct world *w = malloc(sizeof *w);
    world_begin(w, true, 77);
    for (int i = 0; i < 30; i++) {
        char spec[64];
        write_some(w);
        snprintf(spec, sizeof spec, "%s=EIO@%u", points[dice(w, 3)], 1 + dice(w, 4));
        assert_int_equal(pl_store_flush(w->f.s), 0);
        assert_int_equal(pl_fault_set(spec), 0);
        (void)pl_store_compact(w->f.s);
        check(w);
        write_some(w);
        check(w);
        if (dice(w, 3) == 0) { /* cut off there, and begun again */
            fixture_crash(&w->f);
            world_open(w);
            check(w);
        }
        assert_int_equal(pl_fault_set(NULL), 0);
        if (dice(w, 2)) {
            erase_some(w);
            check(w);
        }
    }
    assert_int_equal(pl_store_compact(w->f.s), 0);
    check(w);
    fixture_end(&w->f);
    free(w);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_gives_what_brute_force_gives_after_anything_over_memory),
        cmocka_unit_test(a_reader_gives_what_brute_force_gives_after_anything_over_partitions),
        cmocka_unit_test(buckets_outlive_the_samples_and_end_with_their_tier),
        cmocka_unit_test(a_bucket_whose_samples_have_gone_is_final),
        cmocka_unit_test(a_series_is_kept_in_the_tiers_of_the_first_override_that_matches),
        cmocka_unit_test(by_itself_a_tier_is_brought_up_to_the_last_midnight_but_a_fine_one_waits),
        cmocka_unit_test(histograms_count_in_no_bucket_and_are_told_of),
        cmocka_unit_test(a_backup_holds_the_tiers_and_they_check_and_scrub),
#ifdef PL_FAULTS
        cmocka_unit_test(a_pass_or_an_erasure_that_fails_leaves_readers_exact),
#endif
    };
    return cmocka_run_group_tests_name("store/rollup", tests, NULL, NULL);
}
