/* What takes the place in the index, against counting by hand. */
#include "tests/unit/store/series_rig.h"

static void assert_top(const struct pl_index_top *top, size_t i, const char *name, uint64_t n)
{
    assert_true(i < top->n);
    if (!pl_str_eq(top->at[i].name, pl_str_c(name)) || top->at[i].n != n) {
        fail_msg("%zu is %.*s, %llu", i, PL_PRS(top->at[i].name), (unsigned long long)top->at[i].n);
    }
}

TEST(the_greatest_counts_come_first_and_no_more_than_the_limit)
{
    struct pl_series *s = make_series();
    struct pl_index_stats x;
    struct pl_arena a;
    pl_arena_init(&a, 0);
    apply_many(s, 1005); /* metric_0 to metric_4 have one series more */
    assert_int_equal(pl_series_stats(s, 3, &a, &x), 0);
    /* 10 metrics, 101 hosts, a job, 1005 uids, 4 zones */
    assert_int_equal(x.n_pairs, 10 + 101 + 1 + 1005 + 4);
    assert_int_equal(x.series_by_metric.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(x.series_by_metric.at[i].n, 101);
    }
    assert_int_equal(x.values_by_label.n, 3);
    assert_top(&x.values_by_label, 0, "uid", 1005);
    assert_top(&x.values_by_label, 1, "host", 101);
    assert_top(&x.values_by_label, 2, "__name__", 10);
    assert_top(&x.bytes_by_label, 0, "uid", 1005 * 8);
    assert_top(&x.bytes_by_label, 1, "host", 10 * 2 + 90 * 3 + 4);
    assert_top(&x.bytes_by_label, 2, "__name__", 10 * 8);
    assert_top(&x.series_by_pair, 0, "job=node", 1005);
    assert_int_equal(x.series_by_pair.n, 3);
    pl_arena_fini(&a);
    pl_series_free(s);
}

TEST(a_limit_over_all_there_is_gives_all)
{
    struct pl_series *s = make_series();
    struct pl_index_stats x;
    struct pl_arena a;
    uint64_t sum = 0;
    pl_arena_init(&a, 0);
    apply_many(s, 95);
    assert_int_equal(pl_series_stats(s, 10000, &a, &x), 0);
    assert_int_equal(x.series_by_metric.n, 10);
    assert_int_equal(x.values_by_label.n, 5);
    assert_int_equal(x.series_by_pair.n, x.n_pairs);
    for (size_t i = 0; i < x.series_by_metric.n; i++) {
        sum += x.series_by_metric.at[i].n;
        assert_true(i == 0 || x.series_by_metric.at[i].n <= x.series_by_metric.at[i - 1].n);
    }
    assert_int_equal(sum, 95);
    pl_arena_fini(&a);
    pl_series_free(s);
}

TEST(an_index_without_series_has_nothing_to_tell)
{
    struct pl_series *s = make_series();
    struct pl_index_stats x;
    struct pl_arena a;
    pl_arena_init(&a, 0);
    assert_int_equal(pl_series_stats(s, 10, &a, &x), 0);
    assert_int_equal(x.n_pairs, 0);
    assert_int_equal(x.series_by_metric.n, 0);
    assert_int_equal(x.series_by_pair.n, 0);
    pl_arena_fini(&a);
    pl_series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greatest_counts_come_first_and_no_more_than_the_limit),
        cmocka_unit_test(a_limit_over_all_there_is_gives_all),
        cmocka_unit_test(an_index_without_series_has_nothing_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
