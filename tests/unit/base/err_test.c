/* Error names and messages. */
#include "tests/unit/unit.h"
#include "perilune/err.h"
#include <string.h>

TEST(every_code_has_its_own_name_and_a_lower_case_message)
{
    static const int codes[] = {
#define CODE(name, value, text) PL_##name,
        PL_ERRORS(CODE)
#undef CODE
    };
    size_t n = sizeof codes / sizeof *codes;
    for (size_t i = 0; i < n; i++) {
        const char *text = pl_err_text(codes[i]);
        assert_true(codes[i] < 0);
        assert_int_equal(pl_err_name(codes[i])[0], 'E');
        assert_true(text[0] >= 'a' && text[0] <= 'z' && text[strlen(text) - 1] != '.');
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(codes[i], codes[k]);
            assert_string_not_equal(pl_err_name(codes[i]), pl_err_name(codes[k]));
        }
    }
}

TEST(what_is_not_an_error_is_ok_and_what_is_not_in_the_list_is_unknown)
{
    assert_string_equal(pl_err_name(PL_EIO), "EIO");
    assert_string_equal(pl_err_text(PL_ENOTFOUND), "not found");
    assert_string_equal(pl_err_name(0), "OK");
    assert_string_equal(pl_err_name(17), "OK");
    assert_string_equal(pl_err_text(3), "ok");
    assert_string_equal(pl_err_name(-1000), "EUNKNOWN");
    assert_string_equal(pl_err_text(-1000), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_name_and_a_lower_case_message),
        cmocka_unit_test(what_is_not_an_error_is_ok_and_what_is_not_in_the_list_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
