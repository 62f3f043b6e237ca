/* Plots for the terminal. */
#include "core/app/answer.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* Two dots a column, four a row: with width 2 and height 2 there are 4 x 8. The caller frees. */
static char *plot(const double *t, const double *v, size_t n, int width, int height, bool colour)
{
    struct pl_answer_series s = {.labels = PL_STR("a"), .t = (double *)t, .v = (double *)v, .n = n};
    struct pl_answer a = {.series = &s, .n = 1, .range = true};
    struct pl_buf out = PL_BUF_INIT;
    pl_answer_plot(&a, width, height, colour, &out);
    pl_buf_u8(&out, 0);
    return (char *)out.p;
}

static void a_rising_line_goes_from_the_lower_left_to_the_upper_right(void **state)
{
    const double t[] = {0, 3}, v[] = {0, 7};
    (void)state;
    char *text = plot(t, v, 2, 2, 2, false);
    assert_string_equal(text, "           7 \xe2\xa2\x80\xe2\xa0\x8e\n"
                              "           0 \xe2\xa1\x8e \n"
                              "             1970-01-01T00:00:00.000Z 1970-01-01T00:00:03.000Z\n"
                              "  -- a\n");
    free(text);
}

static void values_that_are_no_numbers_leave_gaps(void **state)
{
    const double t[] = {0, 1, 2, 3}, v[] = {1, NAN, INFINITY, 1},
                 none[] = {NAN, NAN, -INFINITY, NAN};
    (void)state;
    char *text = plot(t, v, 4, 2, 1, false);
    assert_non_null(text);
    assert_null(strstr(text, "nan"));
    free(text);
    text = plot(t, none, 4, 2, 1, false);
    assert_string_equal(text, "no points\n");
    free(text);
    text = plot(t, v, 0, 2, 1, false);
    assert_string_equal(text, "no points\n");
    free(text);
}

static void the_ends_of_what_a_double_holds_stay_inside_the_plot(void **state)
{
    static const double values[][3] = {
        {-DBL_MAX, 0, DBL_MAX},   {DBL_MAX, DBL_MAX, DBL_MAX}, {-DBL_MAX, -DBL_MAX, -DBL_MAX},
        {5e-324, 5e-324, 5e-324}, {0, 5e-324, 1e-323},         {-0.0, 0, -0.0}};
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        const double near[] = {0, 1, 2};
        char *text = plot(near, values[i], 3, 30, 8, false);
        assert_non_null(strstr(text, "\xe2")); /* some dot is there */
        free(text);
    }
}

static void colours_are_there_only_when_asked_for(void **state)
{
    const double t[] = {0, 1}, v[] = {0, 1};
    (void)state;
    char *with = plot(t, v, 2, 4, 2, true), *without = plot(t, v, 2, 4, 2, false);
    assert_non_null(strchr(with, '\033'));
    assert_null(strchr(without, '\033'));
    free(with);
    free(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rising_line_goes_from_the_lower_left_to_the_upper_right),
        cmocka_unit_test(values_that_are_no_numbers_leave_gaps),
        cmocka_unit_test(the_ends_of_what_a_double_holds_stay_inside_the_plot),
        cmocka_unit_test(colours_are_there_only_when_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
