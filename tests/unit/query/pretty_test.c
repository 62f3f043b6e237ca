/* The printer of several lines: what fits stays on its line, what does not is set in. */
#include "tests/unit/unit.h"
#include "core/query/query.h"

#include <stdio.h>

static const char *pretty(const char *text)
{
    static char out[4000];
    struct pl_query_error error;
    struct pl_arena a;
    struct pl_expr *e;
    struct pl_buf b = PL_BUF_INIT;
    pl_arena_init(&a, 0);
    assert_int_equal(pl_query_parse(&a, pl_str_c(text), &e, &error), 0);
    pl_query_pretty(e, &b);
    assert_false(b.failed);
    snprintf(out, sizeof out, "%.*s", PL_PRS(pl_buf_view(&b)));
    pl_buf_fini(&b);
    pl_arena_fini(&a);
    return out;
}

#define LONG "a_metric_with_quite_a_long_name{label=\"and a value that makes it still longer\"}"

TEST(a_short_query_stays_on_its_line)
{
    assert_string_equal(pretty("sum(rate(x[5m]))by(host)"), "sum by (host) (rate(x[5m]))");
}

TEST(a_selector_is_never_split)
{
    assert_string_equal(pretty(LONG "+" LONG), "  " LONG "\n+\n  " LONG);
}

TEST(a_long_aggregation_has_its_arguments_set_in)
{
    assert_string_equal(pretty("topk by(job)(5," LONG "*on(a)group_left(b)" LONG ")"),
                        "topk by (job) (\n  5,\n    " LONG "\n  * on (a) group_left (b)\n    " LONG
                        "\n)");
}

TEST(calls_parentheses_subqueries_and_signs_are_set_in_too)
{
    assert_string_equal(pretty("clamp(" LONG ", 1234567890, 9876543210123)"),
                        "clamp(\n  " LONG ",\n  1234567890,\n  9876543210123\n)");
    assert_string_equal(pretty("(" LONG " > bool " LONG ")"),
                        "(\n    " LONG "\n  > bool\n    " LONG "\n)");
    assert_string_equal(pretty("-abs(" LONG " - 1234567890123456789012)"),
                        "-abs(\n    " LONG "\n  -\n    1234567890123456800000\n)");
    assert_string_equal(pretty("max_over_time(rate(" LONG "[5m])[1h:1m] offset 1d)"),
                        "max_over_time(\n  rate(" LONG "[5m])[1h:1m] offset 1d\n)");
}

TEST(a_deep_query_takes_the_time_of_its_text)
{
    struct pl_buf text = PL_BUF_INIT, out = PL_BUF_INIT;
    struct pl_query_error error;
    struct pl_arena a;
    struct pl_expr *e;
    pl_arena_init(&a, 0);
    for (int i = 0; i < 900; i++) {
        pl_buf_z(&text, "(");
    }
    pl_buf_z(&text, LONG);
    for (int i = 0; i < 900; i++) {
        pl_buf_z(&text, ")");
    }
    assert_int_equal(pl_query_parse(&a, pl_buf_view(&text), &e, &error), 0);
    pl_query_pretty(e, &out);
    assert_true(out.n > 900 * 900 && !out.failed);
    pl_buf_fini(&text);
    pl_buf_fini(&out);
    pl_arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_query_stays_on_its_line),
        cmocka_unit_test(a_selector_is_never_split),
        cmocka_unit_test(a_long_aggregation_has_its_arguments_set_in),
        cmocka_unit_test(calls_parentheses_subqueries_and_signs_are_set_in_too),
        cmocka_unit_test(a_deep_query_takes_the_time_of_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
