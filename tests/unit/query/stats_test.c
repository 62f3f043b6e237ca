/* What a query says it has looked at: samples in windows and at steps, as Prometheus counts them.
 */
#include "tests/unit/unit.h"
#include "core/query/source_mem.h"

#include <stdio.h>

static struct pl_source_mem *mem;
static struct pl_query_error error;

/** one{} and three{h="0".."2"}, every 10 s from 0 to 1000 s. */
static int fill(void **state)
{
    (void)state;
    int64_t t[101];
    double v[101];
    for (int i = 0; i <= 100; i++) {
        t[i] = i * 10000;
        v[i] = i;
    }
    assert_int_equal(pl_source_mem_new(&mem), 0);
    for (int k = 0; k < 4; k++) {
        struct pl_buf canon = PL_BUF_INIT;
        char h[2] = {(char)('0' + k)};
        struct pl_label l[] = {{PL_METRIC_NAME, k == 3 ? PL_STR("one") : PL_STR("three")},
                               {PL_STR("h"), pl_str_mem(h, k < 3)}};
        assert_true(pl_labels_canon(l, 2, &canon, NULL) >= 0);
        assert_int_equal(pl_source_mem_put(mem, pl_buf_view(&canon), t, v, 101), 0);
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

static struct pl_query_stats stats;
static uint64_t steps[16];

/** step 0: at `start`. */
static void run(const char *text, int64_t start, int64_t end, int64_t step)
{
    struct pl_query_conf c = {.clock = &pl_clock_real,
                              .max_samples = 100000,
                              .max_memory_bytes = 64u << 20,
                              .step_stats = true};
    struct pl_source src = pl_source_mem(mem);
    struct pl_result r;
    int e = step ? pl_source_range(&c, &src, pl_str_c(text), start, end, step, &r, &error)
                 : pl_source_instant(&c, &src, pl_str_c(text), start, &r, &error);
    if (e < 0) {
        fail_msg("%s: %s", text, error.text);
    }
    stats = r.stats;
    size_t n = step ? (size_t)((end - start) / step) + 1 : 1;
    assert_non_null(stats.step_samples);
    for (size_t i = 0; i < n; i++) {
        steps[i] = stats.step_samples[i];
    }
    stats.step_samples = NULL;
    pl_result_fini(&r);
}

struct at {
    const char *text;
    uint64_t samples;
};

TEST(at_one_time_samples_of_selectors_and_windows_count)
{
    static const struct at list[] = {
        {"1", 0},
        {"\"text\"", 0},
        {"one", 1},
        {"three", 3},
        {"three @ 15", 3},
        {"one[60s]", 6},
        {"one[60s] @ 30", 4},
        {"three[60s] offset 10s", 18},
        {"max_over_time(three[60s])", 18},
        {"sum(max_over_time(three[60s] @ 30))", 12},
        {"median(median_over_time(three[60s]))", 18},
        {"timestamp(one)", 1},
        {"absent_over_time(one[60s])", 6},
        {"one[60s:5s]", 12},
        {"max_over_time(one[60s])[20s:5s]", 24},
        {"max_over_time(three[60s:5s])", 36},
        {"sum(max_over_time(three[60s:5s])) + sum(max_over_time(three[60s:5s]))", 72},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        run(list[i].text, 201000, 0, 0);
        if (stats.queryable != list[i].samples || steps[0] != list[i].samples) {
            fail_msg("%s: %zu, at the step %zu", list[i].text, (size_t)stats.queryable,
                     (size_t)steps[0]);
        }
    }
}

static void check_steps(const char *text, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    run(text, 991000, 1021000, 10000);
    if (steps[0] != a || steps[1] != b || steps[2] != c || steps[3] != d) {
        fail_msg("%s: %zu %zu %zu %zu", text, (size_t)steps[0], (size_t)steps[1], (size_t)steps[2],
                 (size_t)steps[3]);
    }
    assert_true(stats.queryable == a + b + c + d);
}

TEST(over_a_range_they_count_at_each_step)
{
    check_steps("one", 1, 1, 1, 1);
    check_steps("rate(three[10s])", 3, 3, 0, 0);
    check_steps("max_over_time(one[20s])", 2, 2, 1, 0);
    check_steps("sum by (h) (three) / 2", 3, 3, 3, 3);
    check_steps("sum_over_time(one[20s:10s])", 2, 2, 2, 2);
    check_steps("vector(1)", 0, 0, 0, 0);
}

TEST(what_is_evaluated_once_counts_at_every_step)
{
    check_steps("three @ 15", 3, 3, 3, 3);
    check_steps("max_over_time(three[60s] @ 30)", 12, 12, 12, 12);
    check_steps("one + on () sum(max_over_time(three[60s] @ 30))", 13, 13, 13, 13);
}

TEST(the_peak_is_of_values_held_at_once)
{
    run("one", 201000, 0, 0);
    assert_true(stats.peak_samples == 1);
    run("three", 201000, 216000, 5000);
    assert_true(stats.peak_samples == 12);
    run("three[60s]", 201000, 0, 0);
    assert_true(stats.peak_samples >= 18 && stats.peak_samples <= 24);
    run("sum(three)", 201000, 216000, 5000);
    assert_true(stats.peak_samples < 12 + 8);
    run("max_over_time(one[60s])", 201000, 0, 0);
    assert_true(stats.peak_samples == 7);
}

TEST(series_samples_and_chunks_are_what_was_read)
{
    run("sum(three)", 201000, 0, 0);
    assert_true(stats.series == 3);
    assert_true(stats.samples == 3 * 21); /* the lookback, from 0 to 200 s */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_one_time_samples_of_selectors_and_windows_count),
        cmocka_unit_test(over_a_range_they_count_at_each_step),
        cmocka_unit_test(what_is_evaluated_once_counts_at_every_step),
        cmocka_unit_test(the_peak_is_of_values_held_at_once),
        cmocka_unit_test(series_samples_and_chunks_are_what_was_read),
    };
    return cmocka_run_group_tests(tests, fill, empty);
}
