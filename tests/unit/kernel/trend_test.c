/* Trends against numbers computed apart (python3, from the formulas in the literature). */
#include "tests/unit/unit.h"
#include "core/kernel/kernel.h"

#include <math.h>

#define NEAR(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * fmax(1, fabs((double)(b))))

static const int64_t t[] = {0, 10000, 20000, 30000, 40000, 50000, 60000, 70000};

TEST(theil_sen_is_not_moved_by_an_outlier_and_least_squares_is)
{
    const double v[] = {1, 2.1, 2.9, 4.2, 50, 6.1, 6.8};
    double scratch[7];
    /* statistics.median((v[j]-v[i])/(t[j]-t[i]) for i < j) */
    NEAR(pl_trend(PL_TREND_THEIL_SEN, t, v, 7, scratch), 0.1);
    NEAR(pl_trend(PL_TREND_OLS, t, v, 7, scratch), 0.25892857142857145);
    assert_true(v[4] == 50);
}

TEST(kendall_and_mann_kendall_count_pairs_and_correct_for_ties)
{
    const double v[] = {1, 2.1, 2.9, 4.2, 50, 6.1, 6.8}, tied[] = {1, 1, 2, 3, 3, 3, 5, 4};
    double scratch[8];
    NEAR(pl_trend(PL_TREND_KENDALL, t, v, 7, scratch), 0.8095238095238095); /* 17 / 21 */
    NEAR(pl_trend(PL_TREND_MANN_KENDALL, t, v, 7, scratch),
         2.4030056367444423); /* 16 / sqrt(133/3) */
    NEAR(pl_trend(PL_TREND_KENDALL, t, tied, 8, scratch), 0.8486684247915055);
    NEAR(pl_trend(PL_TREND_MANN_KENDALL, t, tied, 8, scratch), 2.6961511028187513);
}

TEST(what_does_not_change_has_no_trend)
{
    const double v[] = {4, 4, 4, 4};
    double scratch[4];
    assert_true(pl_trend(PL_TREND_THEIL_SEN, t, v, 4, scratch) == 0);
    assert_true(pl_trend(PL_TREND_OLS, t, v, 4, scratch) == 0);
    assert_true(isnan(pl_trend(PL_TREND_KENDALL, t, v, 4, scratch)));
    assert_true(pl_trend(PL_TREND_MANN_KENDALL, t, v, 4, scratch) == 0);
}

TEST(many_samples_are_taken_in_groups_and_give_the_same_slope)
{
    static int64_t times[5000];
    static double v[5000], scratch[5000];
    for (int i = 0; i < 5000; i++) {
        times[i] = (int64_t)i * 15000;
        v[i] = 7 - 0.002 * i * 15 + (i % 37 == 0 ? 1e6 : 0) + (i % 5 - 2) * 0.01;
    }
    double slope = pl_trend(PL_TREND_THEIL_SEN, times, v, 5000, scratch);
    assert_true(fabs(slope + 0.002) < 1e-5);
    NEAR(pl_trend(PL_TREND_KENDALL, times, v, 5000, scratch), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(theil_sen_is_not_moved_by_an_outlier_and_least_squares_is),
        cmocka_unit_test(kendall_and_mann_kendall_count_pairs_and_correct_for_ties),
        cmocka_unit_test(what_does_not_change_has_no_trend),
        cmocka_unit_test(many_samples_are_taken_in_groups_and_give_the_same_slope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
