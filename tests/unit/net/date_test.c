/* The Date header. */
#include "core/net/date.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void dates_are_in_the_form_of_rfc_9110(void **state)
{
    struct pl__date d = {0};
    (void)state;
    assert_string_equal(pl__date(&d, 0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(pl__date(&d, 784111777999), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(pl__date(&d, 951782400000), "Tue, 29 Feb 2000 00:00:00 GMT");
    assert_string_equal(pl__date(&d, 4102444799000), "Thu, 31 Dec 2099 23:59:59 GMT");
    assert_string_equal(pl__date(&d, -5), "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void the_text_is_made_anew_only_when_the_second_changes(void **state)
{
    struct pl__date d = {0};
    (void)state;
    pl__date(&d, 1000);
    d.text[0] = '!';
    assert_int_equal(pl__date(&d, 1999)[0], '!');
    assert_int_equal(pl__date(&d, 2000)[0], 'T');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_in_the_form_of_rfc_9110),
        cmocka_unit_test(the_text_is_made_anew_only_when_the_second_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
