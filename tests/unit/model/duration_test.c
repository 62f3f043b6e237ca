/* Tests of core/model/duration.c. */
#include "core/model/duration.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int64_t ms(const char *s)
{
    int64_t out = -1;
    assert_int_equal(pl_duration_parse(pl_str_c(s), &out), 0);
    return out;
}

static void units_add_up(void **state)
{
    (void)state;
    assert_int_equal(ms("5m"), 300000);
    assert_int_equal(ms("1h30m"), 5400000);
    assert_int_equal(ms("100ms"), 100);
    assert_int_equal(ms("1y"), 365 * 86400000ll);
    assert_int_equal(ms("1w2d3h4m5s6ms"), 604800000 + 2 * 86400000 + 3 * 3600000 + 245006);
    assert_int_equal(ms("0s"), 0);
    assert_int_equal(ms("292y"), 292 * 365 * 86400000ll);
}

static void a_plain_number_is_seconds_to_the_nearest_millisecond(void **state)
{
    (void)state;
    assert_int_equal(ms("90"), 90000);
    assert_int_equal(ms("0"), 0);
    assert_int_equal(ms("1.5"), 1500);
    assert_int_equal(ms("1.001"), 1001);
    assert_int_equal(ms(".25"), 250);
    assert_int_equal(ms("2."), 2000);
    assert_int_equal(ms("2e3"), 2000000);
    assert_int_equal(ms("25e-1"), 2500);
    assert_int_equal(ms("0.0004"), 0);
    assert_int_equal(ms("0.0005"), 1);
    assert_int_equal(ms("0.00009"), 0);
    assert_int_equal(ms("0.1234567890123456789012345"), 123);
    assert_int_equal(ms("5e-999999999999"), 0);
    assert_int_equal(ms("0e999999999999"), 0);
}

static void what_is_no_duration_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    " ",    "m",    "5mm", "5m5m", "5m1h", "1ms1s", "-5m",
                                      "+5m", "1.5h", "5 m",  "5M",  "1e",   "1e+",  "-1",    "0x10",
                                      "NaN", "5m ",  "1..5", ".",   "5mx",  "5s1",  "s1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t out = 42;
        assert_int_equal(pl_duration_parse(pl_str_c(bad[i]), &out), PL_EPARSE);
        assert_int_equal(out, 42);
    }
}

static void over_292_years_is_over_the_limit(void **state)
{
    (void)state;
    static const char *const big[] = {"293y",     "9999999999999999999999y",
                                      "1e300",    "99999999999999999999",
                                      "292y999d", "9223372036855"};
    for (size_t i = 0; i < sizeof big / sizeof big[0]; i++) {
        int64_t out;
        assert_int_equal(pl_duration_parse(pl_str_c(big[i]), &out), PL_ELIMIT);
    }
}

static void text_is_what_prometheus_prints(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0s"},
                 {1, "1ms"},
                 {5400000, "1h30m"},
                 {86400000, "1d"},
                 {604800000, "1w"},
                 {90 * 86400000ll, "90d"},
                 {365 * 86400000ll, "1y"},
                 {61001, "1m1s1ms"},
                 {-1500, "-1s500ms"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pl_buf b = PL_BUF_INIT;
        pl_duration_text(cases[i].ms, &b);
        assert_true(pl_str_eq(pl_buf_view(&b), pl_str_c(cases[i].text)));
        pl_buf_fini(&b);
    }
}

static void every_text_parses_back(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    uint64_t x = 1;
    for (int i = 0; i < 20000; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        int64_t want = (int64_t)((x >> 1) % 9000000000000ull) >> (i % 40), got;
        pl_buf_clear(&b);
        pl_duration_text(want, &b);
        assert_int_equal(pl_duration_parse(pl_buf_view(&b), &got), 0);
        assert_int_equal(got, want);
    }
    pl_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_add_up),
        cmocka_unit_test(a_plain_number_is_seconds_to_the_nearest_millisecond),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(over_292_years_is_over_the_limit),
        cmocka_unit_test(text_is_what_prometheus_prints),
        cmocka_unit_test(every_text_parses_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
