/* Grids and classical decomposition, against numbers computed apart (python3, the algorithm of
 * statsmodels' seasonal_decompose with extrapolate_trend = period). */
#include "tests/unit/unit.h"
#include "core/kernel/kernel.h"

#include <math.h>

#define NEAR(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * fmax(1, fabs((double)(b))))

TEST(decomposition_gives_trend_and_season_to_the_ends)
{
    const double y[] = {10, 20, 15, 5, 14, 25, 18, 9, 19, 28, 24, 13};
    const double want[] = {11.0625, 12.0625, 13,    14.125, 15.125,  16,
                           17.125,  18.125,  19.25, 20.5,   21.5625, 22.6875};
    const double phases[] = {-0.760416666666667, 8.197916666666668, 1.8229166666666663,
                             -9.260416666666668};
    double trend[12], season[4];
    pl_decompose(y, 12, 4, trend, season);
    for (int i = 0; i < 12; i++) {
        NEAR(trend[i], want[i]);
    }
    for (int i = 0; i < 4; i++) {
        NEAR(season[i], phases[i]);
    }
}

TEST(an_odd_period_and_a_clean_signal_come_back_exactly)
{
    static const double shape[] = {3, -1, -2};
    double y[15], trend[15], season[3];
    for (int i = 0; i < 15; i++) {
        y[i] = 5 + 0.5 * i + shape[i % 3];
    }
    pl_decompose(y, 15, 3, trend, season);
    for (int i = 0; i < 15; i++) {
        NEAR(trend[i], 5 + 0.5 * i);
        NEAR(season[i % 3], shape[i % 3]);
    }
}

TEST(a_grid_ends_at_the_last_sample_and_fills_gaps_with_lines)
{
    static struct pl_grid g;
    int64_t t[20];
    double v[20], scratch[20];
    size_t n = 0;
    for (int i = 0; i < 16; i++) {
        if (i != 5 && i != 6) {
            t[n] = 1000 + i * 10000 + (i % 2 ? 300 : 0);
            v[n++] = i;
        }
    }
    assert_true(pl_grid_make(t, v, n, 40000, scratch, &g));
    assert_int_equal(g.m, 4);
    assert_int_equal(g.n, 16);
    assert_true(g.step_ms == 10000);
    for (size_t i = 0; i < g.n; i++) {
        NEAR(g.y[i], (double)i);
    }
}

TEST(a_grid_needs_two_periods_and_never_has_too_many_points)
{
    static struct pl_grid g;
    static int64_t t[20000];
    static double v[20000], scratch[20000];
    for (int i = 0; i < 20000; i++) {
        t[i] = (int64_t)i * 15000;
        v[i] = i % 2;
    }
    assert_false(pl_grid_make(t, v, 7, 60000, scratch, &g));
    assert_true(pl_grid_make(t, v, 8, 60000, scratch, &g));
    assert_false(pl_grid_make(t, v, 3, 30000, scratch, &g));
    assert_false(pl_grid_make(t, v, 8, 0, scratch, &g));
    assert_false(pl_grid_make(t, v, 8, 15000, scratch, &g)); /* one point a period */
    assert_true(pl_grid_make(t, v, 20000, 86400000, scratch, &g));
    assert_true(g.n <= PL_GRID_MAX && g.n >= 2 * g.m);
    NEAR(g.step_ms * (double)g.m, 86400000);
    for (size_t i = 0; i < g.n; i++) {
        assert_true(g.y[i] >= 0 && g.y[i] <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decomposition_gives_trend_and_season_to_the_ends),
        cmocka_unit_test(an_odd_period_and_a_clean_signal_come_back_exactly),
        cmocka_unit_test(a_grid_ends_at_the_last_sample_and_fills_gaps_with_lines),
        cmocka_unit_test(a_grid_needs_two_periods_and_never_has_too_many_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
