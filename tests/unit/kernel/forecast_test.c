/* Forecasts against numbers computed apart (python3, from the formulas). */
#include "tests/unit/unit.h"
#include "core/kernel/kernel.h"

#include <math.h>

#define NEAR(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * fmax(1, fabs((double)(b))))

TEST(a_line_goes_on_with_the_error_of_a_prediction)
{
    const int64_t t[] = {0, 10000, 20000, 30000, 40000};
    const double v[] = {1, 2.5, 2, 4.5, 4};
    NEAR(pl_forecast_linear(t, v, 5, 70000, 0), 6.8);
    NEAR(pl_forecast_linear(t, v, 5, 70000, 1), 6.8 + 1.530795000427338);
    NEAR(pl_forecast_linear(t, v, 5, 70000, -2), 6.8 - 2 * 1.530795000427338);
    NEAR(pl_forecast_linear(t, v, 2, 20000, 0), 4);
    assert_true(isnan(pl_forecast_linear(t, v, 2, 20000, 1)));
}

TEST(seasons_go_on_with_the_trend_and_bands_widen)
{
    static struct pl_grid g = {
        .n = 12, .m = 4, .step_ms = 1, .y = {10, 20, 15, 5, 14, 25, 18, 9, 19, 28, 24, 13}};
    NEAR(pl_forecast_seasonal(&g, 1, 0), 22.376098807388242);
    NEAR(pl_forecast_seasonal(&g, 2, 0), 32.33734815795593);
    NEAR(pl_forecast_seasonal(&g, 1, 2), 23.493490693941137);
    NEAR(pl_forecast_seasonal(&g, 2, 2), 33.456135912494105);
    NEAR(pl_forecast_seasonal(&g, 6, 2), 37.46558547426477);
}

TEST(a_clean_season_on_a_line_is_forecast_exactly)
{
    static struct pl_grid g = {.n = 40, .m = 8, .step_ms = 1};
    for (int i = 0; i < 60; i++) {
        double y = 3 - 0.25 * i + (i % 8 == 3 ? 7 : -1);
        if (i < 40) {
            g.y[i] = y;
        } else {
            NEAR(pl_forecast_seasonal(&g, (size_t)(i - 39), 0), y);
            assert_true(fabs(pl_forecast_seasonal(&g, (size_t)(i - 39), 3) - y) < 1e-6);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_goes_on_with_the_error_of_a_prediction),
        cmocka_unit_test(seasons_go_on_with_the_trend_and_bands_widen),
        cmocka_unit_test(a_clean_season_on_a_line_is_forecast_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
