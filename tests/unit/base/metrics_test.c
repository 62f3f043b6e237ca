/* The registry and its text. */
#include "tests/unit/unit.h"
#include "core/base/metrics.h"
#include "core/base/thread.h"
#include <math.h>

static double value_of(void *ctx) { return *(double *)ctx; }

static bool renders(struct pl_metrics *m, const char *want)
{
    struct pl_buf out = PL_BUF_INIT;
    pl_metrics_render(m, &out);
    bool same = pl_str_eq(pl_buf_view(&out), pl_str_c(want));
    if (!same) {
        print_message("--- got ---\n%.*s--- want ---\n%s", PL_PRS(pl_buf_view(&out)), want);
    }
    pl_buf_fini(&out);
    return same;
}

TEST(families_are_sorted_and_described_once)
{
    struct pl_metrics *m = pl_metrics_new();
    double up = 1.5, big = 3e9;
    struct pl_counter *b = pl_metrics_counter(m, "z_total", "Last.", "reason=\"b\"");
    struct pl_counter *a = pl_metrics_counter(m, "z_total", "Last.", "reason=\"a\"");
    pl_metrics_fn(m, "a_bytes", "A \\ and\na line.", NULL, false, value_of, &up);
    pl_metrics_fn(m, "m_total", "By function.", NULL, true, value_of, &big);
    pl_count(a, 2);
    pl_count(b, 40);
    pl_count(pl_metrics_counter(m, "z_total", "Last.", "reason=\"b\""), 2);
    assert_true(renders(m, "# HELP a_bytes A \\\\ and\\na line.\n# TYPE a_bytes gauge\n"
                           "a_bytes 1.5\n"
                           "# HELP m_total By function.\n# TYPE m_total counter\n"
                           "m_total 3000000000\n"
                           "# HELP z_total Last.\n# TYPE z_total counter\n"
                           "z_total{reason=\"a\"} 2\nz_total{reason=\"b\"} 42\n"));
    pl_metrics_free(m);
}

TEST(a_histogram_is_cumulative_and_its_count_is_its_last_bucket)
{
    struct pl_metrics *m = pl_metrics_new();
    struct pl_histo *h = pl_metrics_histo(m, "t_seconds", "Time.", "op=\"x\"");
    pl_histo_observe(h, 0.00001); /* a bound is inside its bucket */
    pl_histo_observe(h, 0.002);
    pl_histo_observe(h, 1000);
    pl_histo_observe(h, -1);
    pl_histo_observe(h, NAN);
    assert_ptr_equal(pl_metrics_histo(m, "t_seconds", "Time.", "op=\"x\""), h);
    struct pl_buf out = PL_BUF_INIT;
    pl_metrics_render(m, &out);
    pl_buf_u8(&out, 0);
    const char *text = (const char *)out.p;
    assert_non_null(strstr(text, "# TYPE t_seconds histogram\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{op=\"x\",le=\"1e-05\"} 3\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{op=\"x\",le=\"0.001\"} 3\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{op=\"x\",le=\"0.003\"} 4\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{op=\"x\",le=\"100\"} 4\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{op=\"x\",le=\"+Inf\"} 5\n"));
    assert_non_null(strstr(text, "t_seconds_sum{op=\"x\"} 1000.002010000\n"));
    assert_non_null(strstr(text, "t_seconds_count{op=\"x\"} 5\n"));
    pl_buf_fini(&out);
    pl_metrics_free(m);
}

TEST(what_is_forgotten_is_not_asked_again_and_leaves_no_heading)
{
    struct pl_metrics *m = pl_metrics_new();
    double x = NAN, y = -INFINITY;
    pl_metrics_fn(m, "a", "A.", "k=\"x\"", false, value_of, &x);
    pl_metrics_fn(m, "a", "A.", "k=\"y\"", false, value_of, &y);
    pl_metrics_fn(m, "b", "B.", NULL, false, value_of, &x);
    assert_true(renders(m, "# HELP a A.\n# TYPE a gauge\na{k=\"x\"} NaN\na{k=\"y\"} -Inf\n"
                           "# HELP b B.\n# TYPE b gauge\nb NaN\n"));
    pl_metrics_forget(m, &x);
    assert_true(renders(m, "# HELP a A.\n# TYPE a gauge\na{k=\"y\"} -Inf\n"));
    pl_metrics_fn(m, "a", "A.", "k=\"y\"", false, value_of, &(double){4});
    assert_true(renders(m, "# HELP a A.\n# TYPE a gauge\na{k=\"y\"} 4\n"));
    pl_metrics_free(m);
}

TEST(without_a_registry_or_with_another_type_nobody_reads_the_counter)
{
    struct pl_metrics *m = pl_metrics_new();
    pl_count(pl_metrics_counter(NULL, "a_total", "A.", NULL), 1);
    pl_histo_observe(pl_metrics_histo(NULL, "a_seconds", "A.", NULL), 1);
    pl_metrics_fn(NULL, "a", "A.", NULL, false, value_of, NULL);
    pl_metrics_forget(NULL, NULL);
    pl_count(pl_metrics_counter(m, "n_total", "N.", NULL), 1);
    pl_histo_observe(pl_metrics_histo(m, "n_total", "N.", NULL), 1);
    pl_metrics_fn(m, "n_total", "N.", NULL, false, value_of, NULL);
    assert_true(renders(m, "# HELP n_total N.\n# TYPE n_total counter\nn_total 1\n"));
    pl_metrics_free(m);
    pl_metrics_free(NULL);
}

TEST(label_values_of_others_are_escaped)
{
    struct pl_buf labels = PL_BUF_INIT;
    pl_metrics_label(&labels, "tenant", PL_STR("a\"b\\c\nd"));
    pl_metrics_label(&labels, "x", PL_STR(""));
    assert_true(pl_str_eq(pl_buf_view(&labels), PL_STR("tenant=\"a\\\"b\\\\c\\nd\",x=\"\"")));
    pl_buf_fini(&labels);
}

static void *count_much(void *counter)
{
    for (int i = 0; i < 20000; i++) {
        pl_count(counter, 1);
    }
    return NULL;
}

TEST(threads_add_without_losing_any)
{
    struct pl_metrics *m = pl_metrics_new();
    struct pl_counter *c = pl_metrics_counter(m, "n_total", "N.", NULL);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pl_thread_start(&threads[i], "count", count_much, c), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(renders(m, "# HELP n_total N.\n# TYPE n_total counter\nn_total 60000\n"));
    pl_metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_sorted_and_described_once),
        cmocka_unit_test(a_histogram_is_cumulative_and_its_count_is_its_last_bucket),
        cmocka_unit_test(what_is_forgotten_is_not_asked_again_and_leaves_no_heading),
        cmocka_unit_test(without_a_registry_or_with_another_type_nobody_reads_the_counter),
        cmocka_unit_test(label_values_of_others_are_escaped),
        cmocka_unit_test(threads_add_without_losing_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
