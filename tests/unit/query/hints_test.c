/* That a hint teaches: for each mistake what it has to say. */
#include "tests/unit/unit.h"
#include "core/query/source_mem.h"

#include <string.h>

static struct pl_source_mem *mem;
static struct pl_query_error error;

static int put(const char *name, const char *x, const char *y)
{
    struct pl_buf canon = PL_BUF_INIT;
    struct pl_label l[] = {
        {PL_METRIC_NAME, pl_str_c(name)}, {PL_STR("x"), pl_str_c(x)}, {PL_STR("y"), pl_str_c(y)}};
    const int64_t t[] = {0};
    const double v[] = {1};
    int err = pl_labels_canon(l, 3, &canon, NULL);
    err = err < 0 ? err : pl_source_mem_put(mem, pl_buf_view(&canon), t, v, 1);
    pl_buf_fini(&canon);
    return err;
}

static int fill(void **state)
{
    (void)state;
    return pl_source_mem_new(&mem) < 0 || put("a", "1", "1") < 0 || put("b", "1", "1") < 0 ||
                   put("b", "1", "2") < 0
               ? -1
               : 0;
}

static int empty(void **state)
{
    (void)state;
    pl_source_mem_free(mem);
    return 0;
}

static void ask(const char *text, bool range)
{
    struct pl_source src = pl_source_mem(mem);
    struct pl_query_conf c = {
        .clock = &pl_clock_real, .lookback_ms = 300000, .max_memory_bytes = 1 << 20};
    struct pl_result r;
    memset(&error, 0xff, sizeof error); /* what is left of it would show */
    int err = range ? pl_source_range(&c, &src, pl_str_c(text), 0, 60000, 1000, &r, &error)
                    : pl_source_instant(&c, &src, pl_str_c(text), 0, &r, &error);
    assert_true(err < 0);
}

TEST(a_mistake_is_answered_with_what_to_write_instead)
{
    static const char *const cases[][2] = {
        {"rte(x[5m])", "did you mean rate()?"},
        {"avg_over_tiem(x[5m])", "did you mean avg_over_time()?"},
        {"mean(x)", "PromQL has avg for that"},
        {"rate(sum(x))", "aggregate after rate: sum(rate(x[5m]))"},
        {"rate(sum by (a) (x))", "aggregate after rate: sum(rate(x[5m]))"},
        {"rate(x)", "rate() needs a range, as in x[5m]"},
        {"rate(x{a=\"b\"})", "rate() needs a range, as in x[5m]"},
        {"deriv(abs(x))", "subquery"},
        {"sum(x)[5m]", "(...)[1h:1m]"},
        {"x[5m][1h]", "one range is enough"},
        {"abs(x[5m])", "make one value of the range first"},
        {"sum(x[5m])", "make one value of the range first"},
        {"x[5m] + 1", "rate(x[5m]) + 1"},
        {"histogram_quantile(x, 0.9)", "histogram_quantile(0.9, x)"},
        {"topk(x, 5)", "the number comes first: topk(5, x)"},
        {"topk(x)", "topk(5, x)"},
        {"count_values(x)", "count_values(\"v\", x)"},
        {"sum(a, b)", "a + b"},
        {"1 > 2", "bool"},
        {"a and on(x) group_left b", "leave out group_left"},
        {"x offset 1h[5m]", "x[5m] offset 1h"},
        {"{}", "{__name__=~\".+\"}"},
        {"x{job=~\"*a\"}", ".* stands for anything"},
        {"x{job==\"a\"}", "one = compares"},
        {"x{job=api}", "quote the value: \"api\""},
        {"x{code=500}", "quote the number"},
        {"x{a=\"b\" c=\"d\"}", "comma"},
        {"x{a=\"b\" or a=\"c\"}", "a|b"},
        {"x{a in (\"b\")}", "a|b"},
        {"x{a:\"b\"}", "=~"},
        {"x{a=\"b\" && c=\"d\"}", "comma"},
        {"x{a=\xe2\x80\x9c"
         "b\xe2\x80\x9d}",
         "typographic"},
        {"a && b", "write and"},
        {"a || b", "write or"},
        {"a.b", "{\"a.b\"}"},
        {"!a", "unless"},
        {"a and not b", "unless"},
        {"x{a=~\"\\d\"}", "\\\\d"},
        {"x{a=\"b}", "no closing quote"},
        {"sum(rate(x[5m])", "the ( at 1:4 is never closed"},
        {"sum(\"(\", rate(x[5m])", "the ( at 1:4 is never closed"},
        {"sum(\n  (x)", "the ( at 1:4 is never closed"},
        {"x{a=\"}\"", "the { at 1:2 is never closed"},
        {"a +", "something must follow"},
        {"sum(x))", "one ) is too many"},
        {"sum by x (a)", "(x)"},
        {"x by (a)", "sum by (job) (x)"},
        {"sum(x by (a))", "sum by (job) (x)"},
        {"a ** 2", "x ^ 2"},
        {"a <> b", "!="},
        {"a = 1", "== compares"},
        {"a => 1", "write >="},
        {"x[5 m]", "no blanks"},
        {"x[5min]", "units of time"},
        {"x @ now", "start() or end()"},
        {"a > 1 for 5m", "alerting rule"},
        {"x where a=\"b\"", "braces"},
        {"a unles b", "did you mean unless?"},
        {"a + on (x) b", "they differ by y"},
        {"b + on (x) a", "write group_left behind on(...)"},
        {"abs({__name__=~\"a|b\", y=\"1\"})", "label_replace"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(cases[i][0], false);
        if (!strstr(error.hint, cases[i][1]) || strstr(error.text, cases[i][1])) {
            print_message("%s: %s\n  hint: %s\n", cases[i][0], error.text, error.hint);
        }
        assert_non_null(strstr(error.hint, cases[i][1]));
        assert_null(strstr(error.text, cases[i][1])); /* the words stay Prometheus' */
    }
}

TEST(a_range_vector_in_a_graph_is_answered_with_a_function)
{
    ask("a[5m]", true);
    assert_non_null(strstr(error.hint, "wrap it in rate(...)"));
}

TEST(where_nothing_helps_there_is_no_hint)
{
    ask("quux_frobnicate(a)", false);
    assert_string_equal(error.hint, "");
    ask("a ) ] }", false);
    assert_non_null(strstr(error.hint, "one ) is too many"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mistake_is_answered_with_what_to_write_instead, fill,
                                        empty),
        cmocka_unit_test_setup_teardown(a_range_vector_in_a_graph_is_answered_with_a_function, fill,
                                        empty),
        cmocka_unit_test_setup_teardown(where_nothing_helps_there_is_no_hint, fill, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
