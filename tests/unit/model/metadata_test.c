/* Tests of core/model/metadata.c. */
#include "core/model/metadata.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void every_type_is_read_as_it_is_written(void **state)
{
    (void)state;
    for (int t = PL_TYPE_UNKNOWN; t <= PL_TYPE_STATESET; t++) {
        const char *text = pl_metric_type_text((enum pl_metric_type)t);
        assert_int_equal(pl_metric_type_parse(pl_str_c(text)), t);
    }
}

static void the_numbers_are_those_of_remote_write(void **state)
{
    (void)state;
    assert_int_equal(PL_TYPE_COUNTER, 1);
    assert_int_equal(PL_TYPE_GAUGE, 2);
    assert_int_equal(PL_TYPE_HISTOGRAM, 3);
    assert_int_equal(PL_TYPE_SUMMARY, 5);
    assert_int_equal(PL_TYPE_STATESET, 7);
}

static void anything_else_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(pl_metric_type_parse(PL_STR("untyped")), PL_TYPE_UNKNOWN);
    assert_int_equal(pl_metric_type_parse(PL_STR("")), PL_TYPE_UNKNOWN);
    assert_string_equal(pl_metric_type_text((enum pl_metric_type)99), "unknown");
}

static void the_staleness_marker_is_told_from_other_nans(void **state)
{
    (void)state;
    assert_true(pl_is_stale(pl_bits_f64(0x7ff0000000000002ull)));
    assert_false(pl_is_stale(pl_bits_f64(0x7ff8000000000001ull)));
    assert_false(pl_is_stale(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read_as_it_is_written),
        cmocka_unit_test(the_numbers_are_those_of_remote_write),
        cmocka_unit_test(anything_else_is_unknown),
        cmocka_unit_test(the_staleness_marker_is_told_from_other_nans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
