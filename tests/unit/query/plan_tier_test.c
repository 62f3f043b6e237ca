/* Queries that read rollup tiers: where the planner takes one the answer is what samples give;
 * where samples are gone the tier stands in, and the answer says so. */
#include "core/query/query.h"
#include "tests/unit/store/store_fixture.h"
#include <math.h>

#define MINUTE 60000ll
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define END    (NOW_MS / HOUR * HOUR)
#define HOURS  10
#define SERIES 6

static const struct pl_tier tiers[] = {{5 * MINUTE, 180 * DAY}, {HOUR, 730 * DAY}};
static struct fixture f;

/* 0-2 counters with resets, 3 a gauge with NaN, 4 with gaps and markers, 5 with infinities. */
static double value(uint32_t series, int k)
{
    switch (series) {
    case 3:
        return k % 50 == 7 ? NAN : sin(k * 0.1) * 100;
    case 4:
        return k % 90 == 0 ? pl_bits_f64(PL_STALE_BITS) : k * 0.25;
    case 5:
        return k % 400 == 3 ? (k % 800 == 3 ? INFINITY : -INFINITY) : k;
    default:
        return (k * (series + 3)) % (700 + (int)series) * 0.5;
    }
}

static void write_part(int from, int to, int step)
{
    struct pl_batch *b;
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    for (uint32_t i = 0; i < SERIES; i++) {
        uint32_t id;
        assert_true(intern(f.t, i, &id) >= 0);
        for (int k = from; k < to; k += step) {
            if (i == 4 && k % 300 > 120) {
                continue;
            }
            int64_t t = END - HOURS * HOUR + k * 20000ll + (k % 15 ? (k * 7 + (int)i) % 900 : 0);
            assert_int_equal(pl_batch_add(b, id, t, value(i, k)), 0);
        }
    }
    assert_int_equal(write_wait(b), 0);
}

static int begin(void **state)
{
    (void)state;
    const int n = HOURS * 180;
    fixture_begin(&f);
    f.conf.tiers = tiers;
    f.conf.n_tiers = 2;
    f.conf.retention_ms = 2 * DAY;
    fixture_open(&f);
    write_part(0, n - 300, 2);
    assert_int_equal(pl_store_compact(f.s), 0);
    write_part(n - 300, n, 1); /* behind what the tier knows */
    assert_int_equal(pl_store_flush(f.s), 0);
    write_part(1, n - 300, 2); /* late: not in the tier yet */
    return 0;
}

static int end(void **state)
{
    (void)state;
    fixture_end(&f);
    return 0;
}

static void ask(const char *text, int64_t start, int64_t last, int64_t step, bool raw,
                struct pl_result *out)
{
    struct pl_query_error err = {0};
    struct pl_query_conf c = {.tenant = f.t,
                              .clock = &f.clock,
                              .lookback_ms = 5 * MINUTE,
                              .max_samples = 50000000,
                              .max_memory_bytes = 256u << 20,
                              .raw_only = raw};
    int rc = pl_query_range(&c, pl_str_c(text), start, last, step, out, &err);
    if (rc < 0) {
        fail_msg("%s: %s", text, err.text);
    }
}

static bool alike(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static void same(const char *text, const struct pl_result *a, const struct pl_result *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct pl_result_series *x = &a->series[i], *y = &b->series[i];
        if (x->n != y->n) {
            fail_msg("%s: series %zu: %zu points, not %zu", text, i, x->n, y->n);
        }
        for (size_t k = 0; k < x->n; k++) {
            if (x->t[k] != y->t[k] || !alike(x->v[k], y->v[k])) {
                fail_msg("%s: series %zu at %lld: %.17g, not %.17g", text, i, (long long)x->t[k],
                         x->v[k], y->v[k]);
            }
        }
    }
}

static const char *const functions[] = {
    "count_over_time", "sum_over_time",   "avg_over_time",     "min_over_time", "max_over_time",
    "last_over_time",  "first_over_time", "present_over_time", "rate",          "increase",
    "delta",
};
#define N_FUNCTIONS (sizeof functions / sizeof *functions)

TEST(a_tier_answers_what_samples_answer_and_the_statistics_say_so)
{
    static const struct {
        const char *range;
        int64_t step, shift, tier;
    } shapes[] = {
        {"1h", HOUR, 0, HOUR},
        {"2h", HOUR, 0, HOUR},
        {"1h", 5 * MINUTE, 0, 5 * MINUTE},
        {"25m", 10 * MINUTE, 5 * MINUTE, 5 * MINUTE},
        {"5m", 15 * MINUTE, 0, 5 * MINUTE},
        {"1h", HOUR, MINUTE, 0},  /* windows begin inside buckets */
        {"7m", 5 * MINUTE, 0, 0}, /* windows are not whole buckets */
        {"1h", 7 * MINUTE, 0, 0}, /* steps go off them */
    };
    struct pl_result a, b;
    char text[128];
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (size_t k = 0; k < N_FUNCTIONS; k++) {
            snprintf(text, sizeof text, "%s(m[%s])", functions[k], shapes[s].range);
            int64_t start = END - (HOURS + 1) * HOUR + shapes[s].shift;
            ask(text, start, END + 2 * HOUR, shapes[s].step, true, &a);
            ask(text, start, END + 2 * HOUR, shapes[s].step, false, &b);
            assert_int_equal(a.n, SERIES);
            assert_int_equal(a.stats.tier_ms, 0);
            assert_int_equal(b.stats.tier_ms, shapes[s].tier);
            assert_int_equal(b.n_infos, a.n_infos);
            same(text, &b, &a);
            pl_result_fini(&a);
            pl_result_fini(&b);
        }
    }
}

TEST(offsets_and_fixed_times_and_aggregations_read_tiers_too)
{
    static const char *const texts[] = {
        "sum by (n) (rate(m[1h] offset 2h))",
        "avg(avg_over_time(m{n!=\"000005\"}[1h]))",
        "max_over_time(m[5h] @ 1699999200)",
        "max_over_time(avg_over_time(m{n=\"000001\"}[1h])[4h:1h])",
    };
    struct pl_result a, b;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ask(texts[i], END - 8 * HOUR, END, HOUR, true, &a);
        ask(texts[i], END - 8 * HOUR, END, HOUR, false, &b);
        assert_true(a.n > 0);
        same(texts[i], &b, &a);
        assert_int_equal(b.stats.tier_ms, HOUR);
        pl_result_fini(&a);
        pl_result_fini(&b);
    }
    ask("stddev_over_time(m[1h])", END - 8 * HOUR, END, HOUR, false, &b);
    assert_int_equal(b.stats.tier_ms, 0); /* cannot be made of buckets */
    pl_result_fini(&b);
    ask("rate(m[1h])", END - HOUR, END, HOUR, false, &b);
    assert_int_equal(b.stats.tier_ms, 0); /* samples are as cheap */
    pl_result_fini(&b);
}

static void says_the_tier(const struct pl_result *r, const char *tier)
{
    for (size_t i = 0; i < r->n_infos; i++) {
        pl_str s = r->infos[i];
        char text[300];
        snprintf(text, sizeof text, "%.*s", PL_PRS(s));
        if (strstr(text, "no longer kept") && strstr(text, tier)) {
            return;
        }
    }
    fail_msg("no info names the %s tier", tier);
}

TEST(where_samples_are_gone_a_tier_stands_in_and_an_info_says_so)
{
    struct pl_result before[N_FUNCTIONS], raw, r, selector;
    char text[128];
    for (size_t k = 0; k < N_FUNCTIONS; k++) {
        snprintf(text, sizeof text, "%s(m[1h])", functions[k]);
        ask(text, END - 8 * HOUR, END, HOUR, true, &before[k]);
    }
    ask("last_over_time(m{n=~\"00000[0-2]\"}[5m])", END - 8 * HOUR, END, 10 * MINUTE, true,
        &selector);
    assert_int_equal(pl_store_compact(f.s), 0);
    atomic_fetch_add(&f.hand.ms, 4 * DAY);
    assert_int_equal(pl_store_compact(f.s), 0);
    for (size_t k = 0; k < N_FUNCTIONS; k++) {
        snprintf(text, sizeof text, "%s(m{n!=\"000005\"}[1h])", functions[k]);
        ask(text, END - 8 * HOUR, END, HOUR, true, &raw);
        assert_int_equal(raw.n, 0);
        ask(text, END - 8 * HOUR, END, HOUR, false, &r);
        assert_int_equal(r.stats.tier_ms, HOUR);
        says_the_tier(&r, "1h");
        before[k].n--; /* the series with infinities is the last one */
        same(text, &r, &before[k]);
        pl_result_fini(&raw);
        pl_result_fini(&r);
        pl_result_fini(&before[k]);
    }
    /* An instant selector has the last sample of the bucket that ends there. */
    ask("m{n=~\"00000[0-2]\"}", END - 8 * HOUR, END, 10 * MINUTE, false, &r);
    says_the_tier(&r, "5m");
    assert_int_equal(r.n, selector.n);
    for (size_t i = 0; i < r.n; i++) {
        assert_int_equal(r.series[i].n, selector.series[i].n);
        for (size_t k = 0; k < r.series[i].n; k++) {
            assert_true(r.series[i].v[k] == selector.series[i].v[k]);
        }
    }
    assert_false(r.reads.known); /* not for a cache: buckets reach beyond the windows */
    pl_result_fini(&r);
    pl_result_fini(&selector);
    /* Off the buckets: those that lie in the window. A rate is near, a count of the whole ones. */
    ask("rate(m{n=\"000001\"}[33m])", END - 8 * HOUR + 123456, END - HOUR, 7 * MINUTE, false, &r);
    says_the_tier(&r, "5m");
    assert_true(r.n == 1 && r.series[0].n > 50 && r.series[0].v[3] > 0);
    pl_result_fini(&r);
    ask("count_over_time(m{n=\"000001\"}[13m])", END - 8 * HOUR + 1000, END - HOUR, HOUR, false,
        &r);
    assert_true(r.n == 1 && r.series[0].v[0] == 30); /* two of 15 */
    pl_result_fini(&r);
    /* Shorter than a bucket: that around the end, but no counts. */
    ask("avg_over_time(m{n=\"000001\"}[1m])", END - 8 * HOUR, END - HOUR, HOUR, false, &r);
    assert_true(r.n == 1 && r.series[0].n == 8);
    pl_result_fini(&r);
    ask("count_over_time(m{n=\"000001\"}[1m])", END - 8 * HOUR, END - HOUR, HOUR, false, &r);
    assert_int_equal(r.n, 0);
    pl_result_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tier_answers_what_samples_answer_and_the_statistics_say_so),
        cmocka_unit_test(offsets_and_fixed_times_and_aggregations_read_tiers_too),
        cmocka_unit_test(where_samples_are_gone_a_tier_stands_in_and_an_info_says_so),
    };
    return cmocka_run_group_tests_name("query/plan_tier", tests, begin, end);
}
