/* Whole queries over samples in memory: budgets, errors, workers, shapes of results. What the
 * functions compute is in tests/promql. */
#include "tests/unit/unit.h"
#include "core/query/source_mem.h"

#include <math.h>
#include <stdio.h>

#define N_SERIES  1000
#define N_SAMPLES 50

static struct pl_source_mem *mem;
static struct pl_query_error error;

/** 1000 series m{h="h7",g="g3"}: a counter with resets, every 10 s. */
static int fill(void **state)
{
    (void)state;
    int64_t t[N_SAMPLES];
    double v[N_SAMPLES];
    if (pl_source_mem_new(&mem) < 0) {
        return -1;
    }
    for (int i = 0; i < N_SERIES; i++) {
        struct pl_buf canon = PL_BUF_INIT;
        char h[16], g[16];
        int n_h = snprintf(h, sizeof h, "h%d", i), n_g = snprintf(g, sizeof g, "g%d", i % 7);
        struct pl_label l[] = {
            {PL_METRIC_NAME, PL_STR("m")},
            {PL_STR("h"), pl_str_mem(h, (size_t)n_h)},
            {PL_STR("g"), pl_str_mem(g, (size_t)n_g)},
        };
        for (int k = 0; k < N_SAMPLES; k++) {
            t[k] = k * 10000;
            v[k] = (k * (i + 1)) % 97 * 0.1;
        }
        if (pl_labels_canon(l, 3, &canon, NULL) < 0 ||
            pl_source_mem_put(mem, pl_buf_view(&canon), t, v, N_SAMPLES) < 0) {
            return -1;
        }
        pl_buf_fini(&canon);
    }
    return 0;
}

static int empty(void **state)
{
    (void)state;
    pl_source_mem_free(mem);
    return 0;
}

static struct pl_query_conf conf(void)
{
    return (struct pl_query_conf){
        .clock = &pl_clock_real,
        .lookback_ms = 300000,
        .max_samples = 10000000,
        .max_memory_bytes = 256u << 20,
    };
}

static int range(const struct pl_query_conf *c, const char *text, struct pl_result *r)
{
    struct pl_source src = pl_source_mem(mem);
    return pl_source_range(c, &src, pl_str_c(text), 0, 490000, 10000, r, &error);
}

static const char *const queries[] = {
    "m",
    "sum by (g) (rate(m[1m]))",
    "avg(m)",
    "stddev by (g) (m * 2 + 1)",
    "count(m > 3)",
    "max without (h) (max_over_time(m[1m]))",
    "topk by (g) (2, m)",
    "quantile by (g) (0.3, m)",
    "m / on (h) m",
    "absent(m > 100)",
    "sum by (h) (m)",
    "sum_over_time(sum by (g) (m)[1m:10s])",
};

TEST(workers_give_what_one_thread_gives)
{
    struct pl_pool *pool;
    assert_int_equal(pl_pool_new(3, "query", &pool), 0);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct pl_query_conf one = conf(), many = conf();
        struct pl_result a, b;
        many.pool = pool;
        assert_int_equal(range(&one, queries[i], &a), 0);
        assert_int_equal(range(&many, queries[i], &b), 0);
        assert_int_equal(a.n, b.n);
        assert_true(a.n > 0);
        for (size_t k = 0; k < a.n; k++) {
            assert_true(pl_str_eq(a.series[k].labels, b.series[k].labels));
            assert_int_equal(a.series[k].n, b.series[k].n);
            for (size_t s = 0; s < a.series[k].n; s++) {
                double x = a.series[k].v[s], y = b.series[k].v[s];
                assert_int_equal(a.series[k].t[s], b.series[k].t[s]);
                assert_true((isnan(x) && isnan(y)) || fabs(x - y) <= 1e-12 * fabs(x));
            }
        }
        pl_result_fini(&a);
        pl_result_fini(&b);
    }
    pl_pool_free(pool);
}

TEST(a_range_result_is_sorted_by_labels_and_counts_what_it_read)
{
    struct pl_query_conf c = conf();
    struct pl_result r;
    assert_int_equal(range(&c, "sum by (g) (m)", &r), 0);
    assert_int_equal(r.type, PL_VALUE_MATRIX);
    assert_int_equal(r.n, 7);
    for (size_t i = 0; i < r.n; i++) {
        char g[3] = {'g', (char)('0' + i), 0};
        assert_true(pl_str_eq(pl_labels_get(r.series[i].labels, PL_STR("g")), pl_str_c(g)));
    }
    assert_int_equal(r.stats.series, N_SERIES);
    assert_int_equal(r.stats.samples, N_SERIES * N_SAMPLES);
    pl_result_fini(&r);
}

TEST(too_many_samples_are_an_error_in_prometheus_words)
{
    struct pl_query_conf c = conf();
    struct pl_result r;
    c.max_samples = 1000;
    assert_int_equal(range(&c, "sum(m)", &r), PL_ELIMIT);
    assert_non_null(strstr(error.text, "query processing would load too many samples into memory"));
}

TEST(too_many_series_are_an_error_that_names_the_limit)
{
    struct pl_query_conf c = conf();
    struct pl_result r;
    c.max_series = 10;
    assert_int_equal(range(&c, "1 + m", &r), PL_ELIMIT);
    assert_non_null(strstr(error.text, "more than 10 series"));
    assert_int_equal(error.at, 4);
}

TEST(memory_over_the_budget_is_an_error_and_aggregation_needs_little_of_it)
{
    struct pl_query_conf c = conf();
    struct pl_result r;
    c.max_memory_bytes = 300000; /* 1000 x 50 values are 400,000 bytes */
    assert_int_equal(range(&c, "m", &r), PL_ELIMIT);
    assert_int_equal(range(&c, "m + m", &r), PL_ELIMIT);
    assert_int_equal(range(&c, "vector(time())[200y:1ms]", &r), PL_EPARSE);
    assert_int_equal(range(&c, "sum_over_time(vector(time())[100y:1ms])", &r), PL_ELIMIT);
    assert_int_equal(range(&c, "sum(rate(m[1m]))", &r), 0);
    pl_result_fini(&r);
}

TEST(labels_that_multiply_meet_limits_and_not_the_end_of_memory)
{
    struct pl_query_conf c = conf();
    struct pl_query_budget all = {.max_bytes = 8u << 20};
    struct pl_result r;
    struct pl_buf text = PL_BUF_INIT;
    for (int i = 0; i < 20; i++) { /* 3 to the power of 20 bytes */
        pl_buf_z(&text, "label_join(");
    }
    pl_buf_z(&text, "limitk(1, m)");
    for (int i = 0; i < 20; i++) {
        pl_buf_z(&text, ", 'h', 'x', 'h', 'h', 'h')");
    }
    pl_buf_u8(&text, 0);
    assert_int_equal(range(&c, (char *)text.p, &r), PL_ELIMIT);
    assert_non_null(strstr(error.text, "label_join() makes labels of more than 1048576 bytes"));
    pl_buf_clear(&text);
    pl_buf_z(&text, "label_replace(label_replace(m, 'h', '");
    for (int i = 0; i < 20000; i++) {
        pl_buf_z(&text, "$1");
    }
    pl_buf_z(&text,
             "', 'h', '(.*)'), 'h', '$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1', 'h', '(.*)')");
    pl_buf_u8(&text, 0);
    c.max_memory_bytes = (size_t)1 << 30;
    assert_int_equal(range(&c, (char *)text.p, &r), PL_ELIMIT);
    assert_non_null(strstr(error.text, "label_replace() makes labels of more than"));
    pl_buf_clear(&text);
    pl_buf_z(&text, "label_join(m, 'x', '");
    for (int i = 0; i < 100000; i++) {
        pl_buf_u8(&text, 's');
    }
    pl_buf_z(&text, "', 'h', 'h')");
    pl_buf_u8(&text, 0);
    c.max_memory_bytes = 16u << 20; /* of 1000 x 100 kB */
    assert_int_equal(range(&c, (char *)text.p, &r), PL_ELIMIT);
    assert_non_null(strstr(error.text, "query needs more than its 16777216 bytes of memory"));
    c.budget = &all;
    assert_int_equal(range(&c, (char *)text.p, &r), PL_EBUSY);
    assert_non_null(strstr(error.text, "queries together need more than"));
    assert_int_equal(all.used, 0);
    pl_buf_fini(&text);
}

/* Whatever is refused first: the answer is whole, or the error is about the budget. */
TEST(any_memory_budget_is_kept_and_named)
{
    static const char *const more[] = {
        "m / ignoring (g) m",
        "m and ignoring (g) m",
        "m default ignoring (g) m",
        "sum by (h) (m) or sum without (h) (m)",
        "count_values by (g) (\"v\", m)",
        "label_replace(m, \"x\", \"$1\", \"h\", \"(.)\")",
        "label_set(m, \"x\", \"y\")",
        "median by (g) (m)",
        "histogram_quantile(0.5, label_move(m, \"h\", \"le\"))",
        "absent(m) or timestamp(m)",
    };
    size_t n = sizeof queries / sizeof *queries, n_more = sizeof more / sizeof *more;
    for (size_t i = 0; i < n + n_more; i++) {
        const char *text = i < n ? queries[i] : more[i - n];
        struct pl_query_conf c = conf();
        struct pl_result whole, r;
        size_t limits = 0;
        assert_int_equal(range(&c, text, &whole), 0);
        for (c.max_memory_bytes = 20000; c.max_memory_bytes < 8000000;
             c.max_memory_bytes += c.max_memory_bytes / 6) {
            int e = range(&c, text, &r);
            if (e >= 0) {
                assert_int_equal(r.n, whole.n);
                pl_result_fini(&r);
            } else if (e != PL_ELIMIT || !strstr(error.text, "query needs more than its ")) {
                fail_msg("%s in %zu bytes: %d, %s", text, c.max_memory_bytes, e, error.text);
            }
            limits += e < 0;
        }
        assert_true(limits > 0);
        pl_result_fini(&whole);
    }
}

TEST(a_result_with_gaps_has_the_points_of_a_full_one)
{
    static const struct {
        const char *text;
        double least;
    } cases[] = {{"m > 0.5", 0.5}, {"m > 3", 3}, {"m > 8", 8}, {"m > 9.5", 9.5}};
    struct pl_query_conf c = conf();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pl_result all, some;
        size_t at = 0;
        assert_int_equal(range(&c, "m", &all), 0);
        assert_int_equal(range(&c, cases[i].text, &some), 0);
        assert_int_equal(all.n, N_SERIES);
        for (size_t k = 0; k < all.n; k++) {
            const struct pl_result_series *full = &all.series[k], *s = &some.series[at];
            size_t n = 0;
            for (size_t p = 0; p < full->n; p++) {
                if (full->v[p] > cases[i].least) {
                    assert_true(at < some.n && n < s->n);
                    assert_true(s->v[n] == full->v[p] && s->t[n] == full->t[p]);
                    n++;
                }
            }
            if (n) {
                assert_int_equal(s->n, n);
                assert_true(pl_str_eq(s->labels, full->labels));
                at++;
            }
        }
        assert_int_equal(at, some.n);
        assert_true(at > 0);
        pl_result_fini(&all);
        pl_result_fini(&some);
    }
}

TEST(a_result_counts_for_the_budget_of_all_until_it_is_freed)
{
    static const char *const texts[] = {"m", "m > 9.5", "1", "m @ 100", "sum(m)"};
    struct pl_query_budget all = {.max_bytes = 900000};
    struct pl_query_conf c = conf();
    struct pl_result r, more;
    c.budget = &all;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t bytes = 0;
        assert_int_equal(range(&c, texts[i], &r), 0);
        for (size_t k = 0; k < r.n; k++) {
            bytes += r.series[k].n * sizeof(double) + r.series[k].labels.n;
        }
        assert_true(all.used >= bytes);
        assert_true(all.used <= 500000 + 4 * bytes);
        pl_result_fini(&r);
        assert_int_equal(all.used, 0);
    }
    struct pl_source src = pl_source_mem(mem);
    assert_int_equal(pl_source_instant(&c, &src, PL_STR("m{g='g1'}[10m]"), 490000, &r, &error), 0);
    assert_true(all.used >= r.n * N_SAMPLES * 2 * sizeof(double));
    pl_result_fini(&r);
    assert_int_equal(all.used, 0);
    assert_int_equal(range(&c, "m", &r), 0);
    size_t held = all.used;
    assert_int_equal(range(&c, "m", &more), PL_EBUSY);
    assert_int_equal(all.used, held);
    pl_result_fini(&r);
    assert_int_equal(range(&c, "m", &more), 0);
    pl_result_fini(&more);
    assert_int_equal(all.used, 0);
}

TEST(a_query_ends_at_its_deadline)
{
    struct pl_clock_manual manual = {1000};
    struct pl_clock clock = pl_clock_manual(&manual);
    struct pl_query_conf c = conf();
    struct pl_result r;
    c.clock = &clock;
    c.deadline_mono_ns = pl_mono_ns(&clock) - 1;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        assert_int_equal(range(&c, queries[i], &r), PL_ETIMEOUT);
        assert_string_equal(error.text, "query timed out in expression evaluation");
    }
}

static int64_t asked;

static int64_t count_asked(void *ctx)
{
    (void)ctx;
    return ++asked;
}

/* The series of all of m are one group: work on a group must not run on to its end. */
TEST(the_deadline_is_looked_at_within_large_groups)
{
    static const char *const of_groups[] = {
        "median(m)", "mode(m)", "share(m)", "zscore(m)", "outliersk(3, m)", "quantile(0.5, m)",
    };
    const struct pl_clock clock = {count_asked, count_asked, NULL};
    struct pl_query_conf c = conf();
    c.clock = &clock;
    c.deadline_mono_ns = INT64_MAX;
    for (size_t i = 0; i < sizeof of_groups / sizeof *of_groups; i++) {
        struct pl_result r;
        asked = 0;
        assert_int_equal(range(&c, "m", &r), 0);
        int64_t reading = asked;
        pl_result_fini(&r);
        asked = 0;
        assert_int_equal(range(&c, of_groups[i], &r), 0);
        if (asked < reading + 50 / 8) {
            fail_msg("%s: looked %lld times in 50 steps", of_groups[i],
                     (long long)(asked - reading));
        }
        pl_result_fini(&r);
    }
}

TEST(a_canceled_query_ends)
{
    _Atomic bool cancel = true;
    struct pl_query_conf c = conf();
    struct pl_result r;
    c.cancel = &cancel;
    assert_int_equal(range(&c, "sum(m)", &r), PL_ECANCELED);
    assert_string_equal(error.text, "query was canceled in expression evaluation");
}

#ifdef PL_FAULTS
TEST(memory_that_fails_is_an_error_and_leaks_nothing)
{
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct pl_query_conf c = conf();
        struct pl_result r;
        char spec[40];
        int failures = 0;
        for (int n = 1; n < 100; n++) {
            snprintf(spec, sizeof spec, "query.values=ENOMEM@%d", n);
            pl_fault_set(spec);
            int e = range(&c, queries[i], &r);
            if (e == 0) {
                pl_result_fini(&r);
                break;
            }
            assert_int_equal(e, PL_ENOMEM);
            failures++;
        }
        pl_fault_set(NULL);
        assert_true(failures > 0 && failures < 99);
    }
}
#endif

TEST(a_range_query_wants_a_scalar_or_a_vector_and_sane_times)
{
    struct pl_query_conf c = conf();
    struct pl_source src = pl_source_mem(mem);
    struct pl_result r;
    assert_int_equal(range(&c, "m[5m]", &r), PL_EPARSE);
    assert_string_equal(error.text,
                        "invalid expression type \"range vector\" for range query, must "
                        "be Scalar or instant Vector");
    assert_int_equal(pl_source_range(&c, &src, PL_STR("m"), 10, 0, 1, &r, &error), PL_EINVAL);
    assert_int_equal(pl_source_range(&c, &src, PL_STR("m"), 0, 10, 0, &r, &error), PL_EINVAL);
    assert_int_equal(pl_source_range(&c, &src, PL_STR("m"), 0, 11001, 1, &r, &error), PL_EINVAL);
    assert_non_null(strstr(error.text, "exceeded maximum resolution of 11,000 points"));
    assert_int_equal(pl_source_instant(&c, &src, PL_STR("m"), INT64_MIN, &r, &error), PL_EINVAL);
    assert_int_equal(pl_source_instant(&c, &src, PL_STR("m @ 800000000000000"), 0, &r, &error), 0);
    pl_result_fini(&r);
}

TEST(an_instant_query_of_each_type_has_its_shape)
{
    struct pl_query_conf c = conf();
    struct pl_source src = pl_source_mem(mem);
    struct pl_result r;
    assert_int_equal(pl_source_instant(&c, &src, PL_STR("1 + 1"), 5000, &r, &error), 0);
    assert_int_equal(r.type, PL_VALUE_SCALAR);
    assert_int_equal(r.t, 5000);
    assert_true(r.n == 1 && r.series[0].v[0] == 2);
    pl_result_fini(&r);
    assert_int_equal(pl_source_instant(&c, &src, PL_STR("'x'"), 5000, &r, &error), 0);
    assert_int_equal(r.type, PL_VALUE_STRING);
    assert_true(pl_str_eq(r.string, PL_STR("x")));
    pl_result_fini(&r);
    assert_int_equal(pl_source_instant(&c, &src, PL_STR("m{h='h1'}[25s]"), 60000, &r, &error), 0);
    assert_int_equal(r.type, PL_VALUE_MATRIX);
    assert_true(r.n == 1 && r.series[0].n == 3 && r.series[0].t[0] == 40000);
    pl_result_fini(&r);
    assert_int_equal(pl_source_instant(&c, &src, PL_STR("m"), 60000, &r, &error), 0);
    assert_int_equal(r.type, PL_VALUE_VECTOR);
    assert_true(r.n == N_SERIES && r.series[0].n == 1 && r.series[0].t[0] == 60000);
    pl_result_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_give_what_one_thread_gives),
        cmocka_unit_test(a_range_result_is_sorted_by_labels_and_counts_what_it_read),
        cmocka_unit_test(too_many_samples_are_an_error_in_prometheus_words),
        cmocka_unit_test(too_many_series_are_an_error_that_names_the_limit),
        cmocka_unit_test(memory_over_the_budget_is_an_error_and_aggregation_needs_little_of_it),
        cmocka_unit_test(labels_that_multiply_meet_limits_and_not_the_end_of_memory),
        cmocka_unit_test(any_memory_budget_is_kept_and_named),
        cmocka_unit_test(a_result_with_gaps_has_the_points_of_a_full_one),
        cmocka_unit_test(a_result_counts_for_the_budget_of_all_until_it_is_freed),
        cmocka_unit_test(a_query_ends_at_its_deadline),
        cmocka_unit_test(the_deadline_is_looked_at_within_large_groups),
        cmocka_unit_test(a_canceled_query_ends),
#ifdef PL_FAULTS
        cmocka_unit_test(memory_that_fails_is_an_error_and_leaks_nothing),
#endif
        cmocka_unit_test(a_range_query_wants_a_scalar_or_a_vector_and_sane_times),
        cmocka_unit_test(an_instant_query_of_each_type_has_its_shape),
    };
    return cmocka_run_group_tests(tests, fill, empty);
}
