/* Tests of core/codec/number.c and number_big.c. The oracle is strtod (correctly rounded in glibc).
 */
#include "core/codec/number.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static uint64_t seed = 88172645463325252ull;
static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void same_as_strtod(const char *text)
{
    double want = strtod(text, NULL), got = 42;
    int rc = pl_number_parse(pl_str_c(text), &got);
    if (isinf(want) ? rc != PL_ELIMIT : rc != 0 || pl_f64_bits(want) != pl_f64_bits(got)) {
        fail_msg("%s: rc %d, %a instead of %a", text, rc, got, want);
    }
}

static void hard_decimals_round_as_strtod_does(void **state)
{
    (void)state;
    static const char *const hard[] = {
        "0",
        "-0",
        "0.0",
        "1",
        "1.",
        ".5",
        "+1",
        "1e5",
        "1E+5",
        "1e-5",
        "00012.50",
        "1e308",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e309",
        "1e400",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0e99999999999",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.5e-324",
        "1e-323",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "2.225073858507201e-308",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740992.5",
        "9007199254740995",
        "9007199254740993.00000000000000000000000000000000000000000000000000000000000001",
        "9007199254740992.99999999999999999999999999999999999999999999999999999999999999",
        "123456789012345678901234567890",
        "0.000000000000000000000000000000000000000012345678901234567890",
        "6.631236846766476e-316",
        "3.237883913302901289588352412501532174863037669423108e-308",
        "7.2057594037927933e16",
        "5e-324",
        "1e23",
        "8.5e22",
        "1e22",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
        "0.1",
        "0.3",
        "1.1e-22",
    };
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++) {
        same_as_strtod(hard[i]);
    }
}

static void millions_of_random_decimals_round_as_strtod_does(void **state)
{
    (void)state;
    char text[64];
    for (int i = 0; i < 1000000; i++) { /* any exponent, 17 digits: the usual text of doubles */
        snprintf(text, sizeof text, "%.*e", (int)(next() % 20),
                 pl_bits_f64(next() % (0x7ffull << 52)));
        same_as_strtod(text);
    }
    for (int i = 0; i < 500000; i++) { /* a few digits and a moderate exponent */
        snprintf(text, sizeof text, "%llue%d", (unsigned long long)(next() >> next() % 64),
                 (int)(next() % 80) - 40);
        same_as_strtod(text);
    }
    for (int i = 0; i < 500000; i++) {
        snprintf(text, sizeof text, "%llu.%llu", (unsigned long long)(next() >> next() % 64),
                 (unsigned long long)(next() >> next() % 64));
        same_as_strtod(text);
    }
}

static void middles_between_doubles_and_their_neighbourhood_round_right(void **state)
{
    (void)state;
    static char text[1400];
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next() % (0x7fdull << 52);
        if (i % 4 == 0) {
            bits >>= 11 + next() % 50; /* subnormals */
        } else if (i % 4 == 1) {
            bits = (bits & ((1ull << 52) - 1)) | (1023 + next() % 80) << 52;
        }
        long double low = pl_bits_f64(bits), high = pl_bits_f64(bits + 1);
        int n = snprintf(text, sizeof text, "%.*Le", 780, (low + high) / 2); /* exact */
        same_as_strtod(text);
        char *e = strchr(text, 'e');
        e[-1] = '1'; /* a hair above */
        same_as_strtod(text);
        e[-1] = '0';
        for (char *p = e - 1; p > text; p--) { /* a hair below */
            if (*p == '.') {
                continue;
            }
            if (*p > '0') {
                --*p;
                break;
            }
            *p = '9';
        }
        same_as_strtod(text);
        assert_true(n > 0);
    }
}

static void words_and_hexadecimal_are_read(void **state)
{
    (void)state;
    static const char *const same[] = {"Inf", "-inf", "+Inf", "infinity", "-INFINITY"};
    double v = 0;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(pl_number_parse(pl_str_c(same[i]), &v), 0);
        assert_true(isinf(v) && signbit(v) == (same[i][0] == '-'));
    }
    assert_int_equal(pl_number_parse(PL_STR("nAn"), &v), 0);
    assert_true(pl_f64_bits(v) == 0x7ff8000000000001ull);
    static const char *const hex[] = {"0x10",
                                      "-0xff",
                                      "0x1p-2",
                                      "0x.8p1",
                                      "0X1.8P+3",
                                      "0x1p-1074",
                                      "0x1p-1075",
                                      "0x1.8p-1075",
                                      "0x1.fffffffffffff8p0",
                                      "0x1.fffffffffffff7p0",
                                      "0x20000000000001",
                                      "0x20000000000003",
                                      "0x200000000000010000000001",
                                      "0x1p1023",
                                      "0x1p1024",
                                      "0x0.0000000000000000000000001p0",
                                      "0x1.ffffffffffffffp1023",
                                      "0x8000000000000000000000000p-2",
                                      "0x0p9999999999"};
    for (size_t i = 0; i < sizeof hex / sizeof hex[0]; i++) {
        same_as_strtod(hex[i]);
    }
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        " ",     " 1",   "1 ",   "-",     "+",     ".",
                                      "-.",      "e5",    ".e5",  "1e",   "1e+",   "1.2.3", "0x",
                                      "0xg",     "0x.p1", "--1",  "1,5",  "1_000", "in",    "infx",
                                      "infinit", "+nan",  "-NaN", "nano", "0x1p",  "1e5.0", "٣"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double v = 42;
        if (pl_number_parse(pl_str_c(bad[i]), &v) != PL_EPARSE || v != 42) {
            fail_msg("%s was taken", bad[i]);
        }
    }
}

static void scan_stops_where_the_number_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t used;
        double v;
    } cases[] = {{"1.5,2", 3, 1.5}, {"1e", 1, 1},      {"1e+x", 1, 1},
                 {"0x", 1, 0},      {"-0xz", 2, -0.0}, {"12i", 2, 12},
                 {"5 6", 1, 5},     {"1.e2z", 4, 100}, {"infinite", 3, INFINITY}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double v;
        size_t used;
        assert_int_equal(pl_number_scan(pl_str_c(cases[i].text), &v, &used), 0);
        assert_int_equal(used, cases[i].used);
        assert_true(pl_f64_bits(v) == pl_f64_bits(cases[i].v));
    }
}

static void no_byte_behind_the_text_is_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"-123.456e-78",
                                        "0x1.8p+3",
                                        "infinity",
                                        "nan",
                                        ".5",
                                        "1e",
                                        "12345678901234567890.12345678901234567890e10"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t n = 0; n <= strlen(texts[i]); n++) {
            char *exact = malloc(n ? n : 1);
            memcpy(exact, texts[i], n);
            double v;
            int rc = pl_number_parse((pl_str){exact, n}, &v);
            assert_true(rc == 0 || rc == PL_EPARSE);
            free(exact);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hard_decimals_round_as_strtod_does),
        cmocka_unit_test(millions_of_random_decimals_round_as_strtod_does),
        cmocka_unit_test(middles_between_doubles_and_their_neighbourhood_round_right),
        cmocka_unit_test(words_and_hexadecimal_are_read),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(scan_stops_where_the_number_ends),
        cmocka_unit_test(no_byte_behind_the_text_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
