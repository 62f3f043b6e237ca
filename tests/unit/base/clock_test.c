/* Time as a value. */
#include "tests/unit/unit.h"
#include "core/base/clock.h"

TEST(the_real_clock_is_past_2020_and_its_monotonic_time_never_goes_back)
{
    assert_true(pl_now_ms(&pl_clock_real) > 1577836800000);
    int64_t before = pl_mono_ns(&pl_clock_real);
    for (int i = 0; i < 1000; i++) {
        int64_t now = pl_mono_ns(&pl_clock_real);
        assert_true(now >= before);
        before = now;
    }
}

TEST(a_manual_clock_stands_until_it_is_advanced_and_two_are_apart)
{
    struct pl_clock_manual m = {.ms = 1000}, other = {.ms = 5};
    struct pl_clock c = pl_clock_manual(&m), d = pl_clock_manual(&other);
    assert_int_equal(pl_now_ms(&c), 1000);
    assert_int_equal(pl_now_ms(&c), 1000);
    m.ms += 250;
    assert_int_equal(pl_now_ms(&c), 1250);
    assert_true(pl_mono_ns(&c) == 1250000000);
    assert_int_equal(pl_now_ms(&d), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_clock_is_past_2020_and_its_monotonic_time_never_goes_back),
        cmocka_unit_test(a_manual_clock_stands_until_it_is_advanced_and_two_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
