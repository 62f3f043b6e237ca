/* Tests of core/codec/number_text.c. */
#include "core/codec/number.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char *text(double v)
{
    static char out[PL_NUMBER_MAX + 1];
    memset(out, '#', sizeof out);
    size_t n = pl_number_text(v, out);
    assert_true(n <= PL_NUMBER_MAX);
    out[n] = 0;
    return out;
}

static void layout_is_that_of_prometheus(void **state)
{
    (void)state;
    assert_string_equal(text(0), "0");
    assert_string_equal(text(-0.0), "-0");
    assert_string_equal(text(0.1), "0.1");
    assert_string_equal(text(-1.5), "-1.5");
    assert_string_equal(text(100000), "100000");
    assert_string_equal(text(1e20), "100000000000000000000");
    assert_string_equal(text(1e21), "1e+21");
    assert_string_equal(text(123456789012345680000.0), "123456789012345680000");
    assert_string_equal(text(1.2345e22), "1.2345e+22");
    assert_string_equal(text(0.000001), "0.000001");
    assert_string_equal(text(0.0000012345678901234567), "0.0000012345678901234567");
    assert_string_equal(text(9.5367431640625e-07), "9.5367431640625e-07");
    assert_string_equal(text(1e-7), "1e-07");
    assert_string_equal(text(1e100), "1e+100");
    assert_string_equal(text(5e-324), "5e-324");
    assert_string_equal(text(-1.7976931348623157e308), "-1.7976931348623157e+308");
    assert_string_equal(text(2.2250738585072014e-308), "2.2250738585072014e-308");
    assert_string_equal(text(9007199254740993.0), "9007199254740992");
    assert_string_equal(text(1e23), "1e+23");
    assert_string_equal(text(2251799813685249.5), "2251799813685249.5");
    assert_string_equal(text(INFINITY), "+Inf");
    assert_string_equal(text(-INFINITY), "-Inf");
    assert_string_equal(text(pl_bits_f64(0x7ff0000000000002ull)), "NaN");
}

/* Significant digits of a text. */
static int digits_of(const char *s)
{
    int n = 0, zeros = 0;
    for (; *s && *s != 'e'; s++) {
        if (*s < '0' || *s > '9' || (n == 0 && *s == '0')) {
            continue;
        }
        zeros = *s == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

/* The least number of digits with which %e reads back, and its text has the nearest of these. */
static void check(double v)
{
    char want[40];
    const char *got = text(v);
    if (strtod(got, NULL) != v) {
        fail_msg("%a became %s", v, got);
    }
    int n = digits_of(got);
    if (n > 1) {
        snprintf(want, sizeof want, "%.*e", n - 2, v);
        if (strtod(want, NULL) == v) {
            fail_msg("%s is longer than %s", got, want);
        }
    }
    snprintf(want, sizeof want, "%.*e", n - 1, v);
    if (strtod(want, NULL) == v) { /* the nearest of that length, when it is inside */
        double p;
        assert_int_equal(pl_number_parse(pl_str_c(want), &p), 0);
        const char *a = want, *b = got;
        while (*b == '-' || *b == '0' || *b == '.') {
            b++;
        }
        a += *a == '-';
        for (int i = 0; i < n; i++, a++, b++) {
            a += *a == '.';
            b += *b == '.';
            if (*a != *b) {
                fail_msg("%s is not as near as %s", got, want);
            }
        }
    }
}

static void random_doubles_are_shortest_and_read_back(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252ull;
    for (int i = 0; i < 300000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        double v = pl_bits_f64(x);
        if (i % 3 == 1) {
            v = (double)(int64_t)(x >> (i % 60)) / 1000; /* what metrics are like */
        } else if (i % 3 == 2) {
            v = pl_bits_f64(x >> (2 + i % 60));
        }
        if (isfinite(v) && v != 0) {
            check(v);
        }
    }
}

static void powers_of_two_and_ten_are_shortest_and_read_back(void **state)
{
    (void)state;
    for (int e = -1074; e <= 1023; e++) {
        for (int64_t d = -1; d <= 1; d++) {
            double v = pl_bits_f64((uint64_t)((int64_t)pl_f64_bits(ldexp(1, e)) + d));
            if (v != 0) {
                check(v);
            }
        }
    }
    char buf[16];
    for (int e = -323; e <= 308; e++) {
        for (int d = 1; d <= 9; d++) {
            snprintf(buf, sizeof buf, "%de%d", d, e);
            double v = strtod(buf, NULL);
            if (isfinite(v)) {
                check(v);
            }
        }
    }
}

static void time_is_seconds_with_three_digits_or_none(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } cases[] = {{0, "0"},
                 {1435781451781, "1435781451.781"},
                 {3000, "3"},
                 {3100, "3.100"},
                 {7, "0.007"},
                 {-1500, "-1.500"},
                 {-5, "-0.005"},
                 {INT64_MIN, "-9223372036854775.808"},
                 {INT64_MAX, "9223372036854775.807"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[PL_NUMBER_MAX + 1];
        out[pl_number_time_ms(cases[i].ms, out)] = 0;
        assert_string_equal(out, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_that_of_prometheus),
        cmocka_unit_test(random_doubles_are_shortest_and_read_back),
        cmocka_unit_test(powers_of_two_and_ten_are_shortest_and_read_back),
        cmocka_unit_test(time_is_seconds_with_three_digits_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
