/* Mode, distinct values, geometric mean, quartiles, median absolute deviation. */
#include "tests/unit/unit.h"
#include "core/kernel/kernel.h"

#include <math.h>

#define N(a) (sizeof(a) / sizeof *(a))

TEST(mode_is_the_most_frequent_value_and_the_least_of_several)
{
    double a[] = {3, 1, 2, 3, 2, 3}, b[] = {5, 4, 5, 4, 1}, one[] = {7};
    double nan[] = {NAN, 1, NAN, 2};
    assert_true(pl_mode(a, N(a)) == 3);
    assert_true(pl_mode(b, N(b)) == 4);
    assert_true(pl_mode(one, 1) == 7);
    assert_true(isnan(pl_mode(nan, N(nan))));
}

TEST(distinct_counts_values_and_all_nan_as_one)
{
    double a[] = {1, 2, 1, 2, 3}, b[] = {NAN, 1, NAN, -0.0, 0.0}, one[] = {4};
    assert_true(pl_distinct(a, N(a)) == 3);
    assert_true(pl_distinct(b, N(b)) == 3);
    assert_true(pl_distinct(one, 1) == 1);
}

TEST(geometric_mean_is_that_of_logarithms_and_does_not_overflow)
{
    const double a[] = {2, 8}, zero[] = {0, 5}, minus[] = {0, -1, 4}, big[] = {1e300, 1e300, 1e300};
    assert_true(fabs(pl_geomean(a, N(a)) - 4) < 1e-12);
    assert_true(pl_geomean(zero, N(zero)) == 0);
    assert_true(isnan(pl_geomean(minus, N(minus))));
    assert_true(fabs(pl_geomean(big, N(big)) / 1e300 - 1) < 1e-12);
}

TEST(interquartile_range_and_median_deviation_are_those_of_the_textbook)
{
    /* python3: statistics.quantiles([1,2,4,7,11,16], n=4, method="inclusive") = 2.5, 5.5, 10.0;
     * |v - 5.5| sorted: 1.5 1.5 3.5 4.5 5.5 10.5, median 4 */
    double v[] = {16, 1, 7, 4, 11, 2}, scratch[6];
    assert_true(pl_mad(v, N(v), scratch) == 4);
    assert_true(v[0] == 16 && v[5] == 2);
    assert_true(pl_iqr(v, N(v)) == 7.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mode_is_the_most_frequent_value_and_the_least_of_several),
        cmocka_unit_test(distinct_counts_values_and_all_nan_as_one),
        cmocka_unit_test(geometric_mean_is_that_of_logarithms_and_does_not_overflow),
        cmocka_unit_test(interquartile_range_and_median_deviation_are_those_of_the_textbook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
