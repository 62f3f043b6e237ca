/* The ends of anchored and smoothed ranges. */
#include "tests/unit/unit.h"
#include "core/query/exec.h"

static const int64_t t[] = {0, 10, 20, 40, 50};
static const double v[] = {1, 3, 5, 2, 4};

static void check(enum pl__edges edges, int64_t from, int64_t to, size_t n, const int64_t *want_t,
                  const double *want_v)
{
    int64_t got_t[7];
    double got_v[7];
    assert_int_equal(pl__edges_points(edges, t, v, 5, from, to, got_t, got_v), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got_t[i], want_t[i]);
        assert_true(got_v[i] == want_v[i]);
    }
}

TEST(an_anchored_range_begins_with_the_sample_before_it)
{
    check(PL__EDGES_ANCHORED, 15, 45, 4, (int64_t[]){15, 20, 40, 45}, (double[]){3, 5, 2, 4});
    check(PL__EDGES_ANCHORED, 50, 60, 0, NULL, NULL); /* nothing inside */
}

TEST(a_smoothed_range_interpolates_its_ends)
{
    check(PL__EDGES_SMOOTHED, 15, 45, 4, (int64_t[]){15, 20, 40, 45}, (double[]){4, 5, 2, 3});
    check(PL__EDGES_SMOOTHED, 10, 20, 2, (int64_t[]){10, 20}, (double[]){3, 5});
    check(PL__EDGES_SMOOTHED, -20, -10, 0, NULL, NULL);
}

TEST(a_smoothed_instant_lies_between_its_neighbours)
{
    size_t k = 0;
    assert_true(pl_is_absent(pl__edges_at(t, v, 5, -100, 50, &k)));
    assert_true(pl__edges_at(t, v, 5, -10, 50, &k) == 1); /* only a later one */
    assert_true(pl__edges_at(t, v, 5, 5, 50, &k) == 2);
    assert_true(pl__edges_at(t, v, 5, 10, 50, &k) == 3);
    assert_true(pl__edges_at(t, v, 5, 30, 50, &k) == 3.5);
    assert_true(pl__edges_at(t, v, 5, 60, 50, &k) == 4); /* only an earlier one */
    assert_true(pl_is_absent(pl__edges_at(t, v, 5, 100, 50, &k)));
}

TEST(only_some_functions_take_such_ranges)
{
    assert_non_null(pl__range_edges(PL__RANGE_RATE, PL__EDGES_SMOOTHED));
    assert_non_null(pl__range_edges(PL__RANGE_RESETS, PL__EDGES_ANCHORED));
    assert_null(pl__range_edges(PL__RANGE_RESETS, PL__EDGES_SMOOTHED));
    assert_null(pl__range_edges(PL__RANGE_DERIV, PL__EDGES_ANCHORED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_anchored_range_begins_with_the_sample_before_it),
        cmocka_unit_test(a_smoothed_range_interpolates_its_ends),
        cmocka_unit_test(a_smoothed_instant_lies_between_its_neighbours),
        cmocka_unit_test(only_some_functions_take_such_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
