/* Durations that are expressions: what they bind to, and what they are worth in a query. */
#include "tests/unit/unit.h"
#include "core/query/ast.h"

static struct pl_query_error error;

/** The range of the range vector, or what error.code says. step 10 s, from 0 to 1 h. */
static int64_t range_of(const char *text)
{
    struct pl_arena a;
    struct pl__ast ast;
    pl_arena_init(&a, 0);
    int64_t out = pl__parse(&a, pl_str_c(text), &ast, &error);
    if (out >= 0) {
        out = pl__durations_resolve(ast.root, 0, 3600000, 10000, &error);
        out = out < 0 ? out : ast.root->sel.range_ms;
        pl__ast_fini(&ast);
    }
    pl_arena_fini(&a);
    return out;
}

TEST(arithmetic_binds_as_in_expressions)
{
    assert_int_equal(range_of("m[5m]"), 300000);
    assert_int_equal(range_of("m[1+2*3]"), 7000);
    assert_int_equal(range_of("m[(1+2)*3]"), 9000);
    assert_int_equal(range_of("m[2^3^2s]"), 512000);
    assert_int_equal(range_of("m[100-2^2]"), 96000);
    assert_int_equal(range_of("m[100+-2^2]"), 96000);
    assert_int_equal(range_of("m[-2*3+10]"), 4000);
    assert_int_equal(range_of("m[10-3-2]"), 5000);
    assert_int_equal(range_of("m[1h30m%1h]"), 1800000);
    assert_int_equal(range_of("m[1/4]"), 250);
}

TEST(the_query_gives_step_and_range)
{
    assert_int_equal(range_of("m[step()]"), 10000);
    assert_int_equal(range_of("m[range()/2]"), 1800000);
    assert_int_equal(range_of("m[min_of(step(),5)]"), 5000);
    assert_int_equal(range_of("m[max(step(),5)]"), 10000);
}

TEST(what_is_not_positive_is_an_error_with_its_place)
{
    assert_int_equal(range_of("m[step()-10]"), PL_EINVAL);
    assert_string_equal(error.text, "2:11: duration must be greater than 0");
    assert_int_equal(range_of("m[1/(step()-10)]"), PL_EINVAL);
    assert_string_equal(error.text, "division by zero");
    assert_int_equal(range_of("m[10^20]"), PL_EINVAL);
    assert_string_equal(error.text, "2:7: duration is out of range");
}

TEST(durations_are_less_than_2_to_the_63_nanoseconds)
{
    assert_int_equal(range_of("m[9223372036s]"), 9223372036000);
    assert_int_equal(range_of("m[9223372036.854775808]"), PL_EPARSE);
    assert_int_equal(range_of("m[2^63/10^9]"), PL_EINVAL);
}

TEST(deep_durations_are_an_error_and_not_a_crash)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_z(&b, "m[1");
    for (int i = 0; i < 100000; i++) {
        pl_buf_z(&b, "+1");
    }
    pl_buf_z(&b, "]");
    pl_buf_u8(&b, 0);
    assert_int_equal(range_of((const char *)b.p), PL_EPARSE);
    pl_buf_clear(&b);
    pl_buf_z(&b, "m[");
    for (int i = 0; i < 100000; i++) {
        pl_buf_z(&b, i % 2 ? "(" : "-");
    }
    pl_buf_u8(&b, 0);
    assert_int_equal(range_of((const char *)b.p), PL_EPARSE);
    pl_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_binds_as_in_expressions),
        cmocka_unit_test(the_query_gives_step_and_range),
        cmocka_unit_test(what_is_not_positive_is_an_error_with_its_place),
        cmocka_unit_test(durations_are_less_than_2_to_the_63_nanoseconds),
        cmocka_unit_test(deep_durations_are_an_error_and_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
