/* Times from text and back. */
#include "core/model/model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_time(const char *text, int64_t ms)
{
    int64_t got = -1;
    if (pl_time_parse(pl_str_c(text), &got) != 0 || got != ms) {
        fail_msg("%s: %lld instead of %lld", text, (long long)got, (long long)ms);
    }
}

static void seconds_are_read_to_the_millisecond(void **state)
{
    (void)state;
    assert_time("0", 0);
    assert_time("1700000000", 1700000000000);
    assert_time("1700000000.781", 1700000000781);
    assert_time("1700000000.7815", 1700000000782);
    assert_time("1.7e9", 1700000000000);
    assert_time("-1.5", -1500);
    assert_time("+2", 2000);
    assert_time(".5", 500);
}

static void rfc_3339_is_read_with_zones_and_fractions(void **state)
{
    (void)state;
    assert_time("1970-01-01T00:00:00Z", 0);
    assert_time("2023-11-14T22:13:20Z", 1700000000000);
    assert_time("2023-11-14t22:13:20.5z", 1700000000500);
    assert_time("2023-11-14 22:13:20.1239Z", 1700000000124);
    assert_time("2023-11-14T23:13:20+01:00", 1700000000000);
    assert_time("2023-11-14T16:43:20-05:30", 1700000000000);
    assert_time("1969-12-31T23:59:59.999Z", -1);
    assert_time("2024-02-29T00:00:00Z", 1709164800000);
    assert_time("2016-12-31T23:59:60Z", 1483228800000); /* a leap second */
    assert_time("0000-03-01T00:00:00Z", -62162035200000);
}

static void what_clients_send_for_the_ends_of_time_is_known(void **state)
{
    (void)state;
    assert_time("-292273086-05-16T16:47:06Z", PL_TIME_MIN);
    assert_time("292277025-08-18T07:12:54.999999999Z", PL_TIME_MAX);
    assert_time("-9223372036854775808", PL_TIME_MIN);
    assert_time("1e300", PL_TIME_MAX);
}

static void what_is_no_time_is_refused_and_leaves_the_result_alone(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "-",
                                      "now",
                                      "5m",
                                      "1700000000s",
                                      "NaN",
                                      "Inf",
                                      "1e",
                                      "0x10",
                                      "--1",
                                      "2023-11-14",
                                      "2023-11-14T22:13Z",
                                      "2023-11-14T22:13:20",
                                      "2023-11-14T22:13:20.Z",
                                      "2023-11-14T22:13:20Zx",
                                      "2023-11-14T22:13:20+0100",
                                      "2023-11-14T22:13:20+24:00",
                                      "2023-00-14T22:13:20Z",
                                      "2023-13-14T22:13:20Z",
                                      "2023-02-29T22:13:20Z",
                                      "2100-02-29T22:13:20Z",
                                      "2023-04-31T22:13:20Z",
                                      "2023-11-00T22:13:20Z",
                                      "2023-11-14T24:13:20Z",
                                      "2023-11-14T22:60:20Z",
                                      "2023-11-14T22:13:61Z",
                                      "23-11-14T22:13:20Z"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int64_t t = 77;
        if (pl_time_parse(pl_str_c(bad[i]), &t) != PL_EPARSE || t != 77) {
            fail_msg("\"%s\" is taken as %lld", bad[i], (long long)t);
        }
    }
    int64_t t = 77;
    assert_int_equal(pl_time_parse(PL_STR("1\0002"), &t), PL_EPARSE);
}

static void every_prefix_of_a_time_is_refused_or_a_time_of_its_own(void **state)
{
    const char *text = "2023-11-14T23:13:20.25+01:00";
    (void)state;
    for (size_t n = 0; n < strlen(text); n++) {
        char *exact = malloc(n + 1); /* the sanitizer sees a read behind it */
        int64_t t;
        memcpy(exact, text, n);
        assert_int_equal(pl_time_parse((pl_str){exact, n}, &t), n == 4           ? 0
                                                                : n > 0 && n < 4 ? 0
                                                                                 : PL_EPARSE);
        free(exact);
    }
}

static void a_time_becomes_text_that_is_read_back(void **state)
{
    static const int64_t times[] = {0,
                                    -1,
                                    1,
                                    999,
                                    1700000000500,
                                    951782400000, /* 2000-02-29 */
                                    -62167219200000,
                                    253402300799999};
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        int64_t t;
        pl_buf_clear(&b);
        pl_time_text(times[i], &b);
        assert_int_equal(pl_time_parse(pl_buf_view(&b), &t), 0);
        if (t != times[i]) {
            fail_msg("%lld became %.*s", (long long)times[i], PL_PRS(pl_buf_view(&b)));
        }
    }
    pl_buf_clear(&b);
    pl_time_text(1700000000500, &b);
    assert_true(pl_str_eq(pl_buf_view(&b), PL_STR("2023-11-14T22:13:20.500Z")));
    pl_buf_fini(&b);
}

static void each_day_of_four_hundred_years_has_its_date(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    for (int64_t day = -146097 / 2; day < 146097 / 2; day++) {
        int64_t t;
        pl_buf_clear(&b);
        pl_time_text(day * 86400000, &b);
        assert_int_equal(pl_time_parse(pl_buf_view(&b), &t), 0);
        assert_true(t == day * 86400000);
    }
    pl_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_read_to_the_millisecond),
        cmocka_unit_test(rfc_3339_is_read_with_zones_and_fractions),
        cmocka_unit_test(what_clients_send_for_the_ends_of_time_is_known),
        cmocka_unit_test(what_is_no_time_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(every_prefix_of_a_time_is_refused_or_a_time_of_its_own),
        cmocka_unit_test(a_time_becomes_text_that_is_read_back),
        cmocka_unit_test(each_day_of_four_hundred_years_has_its_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
