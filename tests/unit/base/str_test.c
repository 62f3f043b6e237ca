/* Strings with a length. */
#include "tests/unit/unit.h"
#include "core/base/str.h"
#include "perilune/err.h"

static bool is(pl_str s, const char *text) { return pl_str_eq(s, pl_str_c(text)); }

TEST(prefixes_and_suffixes_are_found_and_the_empty_one_always)
{
    assert_true(pl_str_starts(PL_STR("metrics"), PL_STR("met")));
    assert_false(pl_str_starts(PL_STR("met"), PL_STR("metrics")));
    assert_true(pl_str_ends(PL_STR("a_total"), PL_STR("_total")));
    assert_false(pl_str_ends(PL_STR("total"), PL_STR("_total")));
    assert_true(pl_str_starts(PL_STR_NULL, PL_STR_NULL) && pl_str_ends(PL_STR_NULL, PL_STR_NULL));
}

TEST(case_is_ignored_for_ascii_letters_only)
{
    assert_true(pl_str_ieq(PL_STR("Content-TYPE"), PL_STR("content-type")));
    assert_false(pl_str_ieq(PL_STR("@"), PL_STR("`")));
    assert_false(pl_str_ieq(PL_STR("a"), PL_STR("ab")));
}

TEST(white_space_is_trimmed_at_both_ends)
{
    assert_true(is(pl_str_trim(PL_STR(" \t a b\r\n")), "a b"));
    assert_int_equal(pl_str_trim(PL_STR(" \n ")).n, 0);
    assert_int_equal(pl_str_trim(PL_STR_NULL).n, 0);
}

TEST(cutting_yields_all_parts_and_then_the_null_string)
{
    pl_str rest = PL_STR("a,,b");
    assert_true(is(pl_str_cut(&rest, ','), "a"));
    assert_true(is(pl_str_cut(&rest, ','), ""));
    assert_true(is(pl_str_cut(&rest, ','), "b"));
    assert_null(rest.p);
    rest = PL_STR("x,");
    assert_true(is(pl_str_cut(&rest, ','), "x"));
    assert_true(rest.p && rest.n == 0);
}

TEST(the_order_is_by_bytes_with_the_shorter_first)
{
    assert_true(pl_str_cmp(PL_STR("a"), PL_STR("ab")) < 0);
    assert_true(pl_str_cmp(PL_STR("b"), PL_STR("ab")) > 0);
    assert_true(pl_str_cmp(PL_STR("\xff"), PL_STR("a")) > 0);
    assert_int_equal(pl_str_cmp(PL_STR("same"), PL_STR("same")), 0);
}

TEST(utf8_is_valid_up_to_the_first_bad_byte)
{
    static const struct {
        const char *text;
        size_t n, at;
    } cases[] = {
        {"plain ascii text of some length", 31, 31},
        {"gr\xc3\xbc\xc3\x9f", 6, 6},
        {"\xe2\x82\xac", 3, 3},
        {"\xf0\x9f\x8c\x99", 4, 4},
        {"12345678\xff", 9, 8},
        {"a\x80", 2, 1},            /* a continuation alone */
        {"\xc0\xaf", 2, 0},         /* longer than need be */
        {"\xe0\x80\xaf", 3, 0},     /* the same */
        {"\xed\xa0\x80", 3, 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 4, 0}, /* above U+10FFFF */
        {"ab\xe2\x82", 4, 2},       /* cut short */
        {"\xe2\x82z", 3, 0},
        {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(pl_utf8_check(pl_str_mem(cases[i].text, cases[i].n)), cases[i].at);
    }
}

TEST(integers_are_read_to_their_bounds_and_not_beyond)
{
    int64_t i = 5;
    uint64_t u = 5;
    assert_int_equal(pl_str_i64(PL_STR("-9223372036854775808"), &i), PL_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(pl_str_i64(PL_STR("9223372036854775807"), &i), PL_OK);
    assert_true(i == INT64_MAX);
    assert_int_equal(pl_str_i64(PL_STR("9223372036854775808"), &i), PL_ELIMIT);
    assert_int_equal(pl_str_i64(PL_STR("-9223372036854775809"), &i), PL_ELIMIT);
    assert_true(i == INT64_MAX);
    assert_int_equal(pl_str_u64(PL_STR("18446744073709551615"), &u), PL_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(pl_str_u64(PL_STR("18446744073709551616"), &u), PL_ELIMIT);
    assert_int_equal(pl_str_u64(PL_STR("99999999999999999999999"), &u), PL_ELIMIT);
    assert_int_equal(pl_str_i64(PL_STR("+12"), &i), PL_OK);
    assert_int_equal(i, 12);
}

TEST(what_is_not_a_whole_integer_is_refused)
{
    static const char *const bad[] = {"", "-", "+", "1x", " 1", "1 ", "--1", "1.0", "0x1"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        int64_t i = 7;
        uint64_t u = 7;
        assert_int_equal(pl_str_i64(pl_str_c(bad[k]), &i), PL_EPARSE);
        assert_int_equal(pl_str_u64(pl_str_c(bad[k]), &u), PL_EPARSE);
        assert_true(i == 7 && u == 7);
    }
}

TEST(code_points_are_written_in_one_to_four_bytes)
{
    const struct {
        uint32_t cp;
        const char *text;
    } cases[] = {{0, ""},
                 {0x7f, "\x7f"},
                 {0x80, "\xc2\x80"},
                 {0x7ff, "\xdf\xbf"},
                 {0x800, "\xe0\xa0\x80"},
                 {0xd800, "\xed\xa0\x80"},
                 {0xffff, "\xef\xbf\xbf"},
                 {0x10000, "\xf0\x90\x80\x80"},
                 {0x10ffff, "\xf4\x8f\xbf\xbf"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[PL_UTF8_MAX];
        size_t n = cases[i].cp ? strlen(cases[i].text) : 1;
        assert_int_equal(pl_utf8_put(out, cases[i].cp), n);
        assert_memory_equal(out, cases[i].text, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_and_suffixes_are_found_and_the_empty_one_always),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(white_space_is_trimmed_at_both_ends),
        cmocka_unit_test(cutting_yields_all_parts_and_then_the_null_string),
        cmocka_unit_test(the_order_is_by_bytes_with_the_shorter_first),
        cmocka_unit_test(utf8_is_valid_up_to_the_first_bad_byte),
        cmocka_unit_test(code_points_are_written_in_one_to_four_bytes),
        cmocka_unit_test(integers_are_read_to_their_bounds_and_not_beyond),
        cmocka_unit_test(what_is_not_a_whole_integer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
