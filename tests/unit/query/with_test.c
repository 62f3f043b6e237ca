/* Templates: what they expand to, where their errors are, and that they cannot explode. */
#include "tests/unit/unit.h"
#include "core/query/ast.h"

#include <stdio.h>
#include <stdlib.h>

static struct pl_query_error error;

static const char *printed(const char *text)
{
    static char out[2000];
    struct pl_arena a;
    struct pl_expr *e;
    struct pl_buf b = PL_BUF_INIT;
    pl_arena_init(&a, 0);
    if (pl_query_parse(&a, pl_str_c(text), &e, &error) < 0) {
        snprintf(out, sizeof out, "%s", error.text);
    } else {
        pl_query_text(e, &b);
        snprintf(out, sizeof out, "%.*s", PL_PRS(pl_buf_view(&b)));
    }
    pl_buf_fini(&b);
    pl_arena_fini(&a);
    return out;
}

#define IS(text, want) assert_string_equal(printed(text), want)

TEST(templates_stand_for_their_expressions)
{
    IS("WITH (x = 5) x", "5");
    IS("with (x = foo) sum(x) / count(x)", "sum(foo) / count(foo)");
    IS("WITH (x = a + b) x * x", "(a + b) * (a + b)");
    IS("WITH (x = -1) 2 ^ x", "2 ^ (-1)");
    IS("WITH (x = foo{a=\"1\"}) rate(x[5m] offset 1m)", "rate(foo{a=\"1\"}[5m] offset 1m)");
    IS("WITH (x = foo{a=\"1\"}) x{b=\"2\"}[5m]", "foo{a=\"1\",b=\"2\"}[5m]");
    IS("1 + WITH (x = 2) x + 3", "1 + 2 + 3");
    IS("WITH (x = 1,) x", "1");
    IS("WITH () up", "up");
    IS("with", "with");
    IS("with{a=\"b\"} + 1", "with{a=\"b\"} + 1");
}

TEST(templates_take_arguments)
{
    IS("WITH (f(a, b) = a / (a + b)) f(x, y)", "(x / (x + y))");
    IS("WITH (r(m) = sum by (job) (rate(m[5m]))) r(x{y=\"z\"}) - r(w)",
       "sum by (job) (rate(x{y=\"z\"}[5m])) - sum by (job) (rate(w[5m]))");
}

TEST(filters_join_those_of_the_selector)
{
    IS("WITH (f = {job=\"x\", env!=\"y\"}) a{f} + b{c=\"d\", f}",
       "a{env!=\"y\",job=\"x\"} + b{c=\"d\",env!=\"y\",job=\"x\"}");
    IS("WITH (f = {job=\"x\"}, g = {f, a=\"b\"}, h = g) m{h}", "m{a=\"b\",job=\"x\"}");
    IS("WITH (j = \"api\", f(x) = m{job=x}) f(j) + f(\"b\")", "m{job=\"api\"} + m{job=\"b\"}");
}

TEST(a_template_sees_what_was_defined_before_it_and_arguments_see_their_own_place)
{
    IS("WITH (x = 1, y = x, x = 2) x - y", "2 - 1");
    IS("WITH (x = x + 1) x", "(x + 1)");
    IS("WITH (x = 1, f(x) = x) f(x) + x", "1 + 1");
    IS("WITH (y = 1, f(x) = x - y) f(y) + WITH (y = 2) f(y)", "(1 - 1) + (2 - 1)");
    IS("WITH (x = 1) (WITH (x = 2) x) + x", "(2) + 1");
    IS("WITH (f(x) = g(x), g(x) = x) f(1)",
       "1:14: parse error: unknown function with name \"g\" (in the template f, used at 1:30)");
}

TEST(errors_say_where_in_the_text_and_which_template)
{
    IS("WITH (x = foo) x y", "1:18: parse error: unexpected identifier \"y\"");
    IS("WITH (x = a b) 1 + x", "1:13: parse error: unexpected identifier \"b\" (in the template x, "
                               "used at 1:20)");
    IS("WITH (f(a) = a) f(1, 2)", "1:18: parse error: template \"f\" takes 1 argument(s), got 2");
    IS("WITH (f(a) = a) f",
       "1:18: parse error: unexpected end of input in template, expected \"(\"");
    IS("WITH (f(a, a) = a) f(1, 2)", "1:12: parse error: parameter \"a\" twice");
    IS("WITH (x 5) x", "1:9: parse error: unexpected number \"5\" in WITH, expected \"=\"");
    IS("WITH (x = ) x", "1:11: parse error: unexpected \")\" in WITH, expected expression");
    IS("WITH (x = 5", "1:12: parse error: unclosed left parenthesis");
    IS("WITH (sum = 5) 1",
       "1:7: parse error: unexpected <aggr:sum> in WITH, expected template name");
    IS("WITH (x = foo[5m]) x{a=\"b\"}",
       "1:21: parse error: no label matchers allowed behind a range, offset or @");
    IS("WITH (x = 5) m{x}",
       "1:11: parse error: unexpected number \"5\" in label matching, expected "
       "\"{\" (in the template x, used at 1:16)");
    IS("WITH (x = 5) m{a=x}", "1:16: parse error: the value of label \"a\" is no string");
}

/** Each level uses the one before twice. */
static void doubled(char *out, size_t n, int levels, const char *joint)
{
    size_t at = (size_t)snprintf(out, n, "WITH (a0 = x");
    for (int i = 1; i <= levels; i++) {
        at += (size_t)snprintf(out + at, n - at, ", a%d = a%d %s a%d", i, i - 1, joint, i - 1);
    }
    snprintf(out + at, n - at, ") a%d", levels);
}

TEST(text_that_doubles_itself_again_and_again_is_refused)
{
    char text[4000];
    doubled(text, sizeof text, 10, "+");
    assert_null(strstr(printed(text), "error"));
    doubled(text, sizeof text, 60, "+");
    assert_non_null(strstr(printed(text), "templates expand to more than 100000 tokens"));
    assert_int_equal(error.code, PL_ELIMIT);
    size_t at = (size_t)snprintf(text, sizeof text, "WITH (f(x) = x + x) ");
    for (int i = 0; i < 80; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "f(");
    }
    at += (size_t)snprintf(text + at, sizeof text - at, "1");
    for (int i = 0; i < 80; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, ")");
    }
    printed(text);
    assert_int_equal(error.code, PL_ELIMIT);
    at = (size_t)snprintf(text, sizeof text, "WITH (a0 = x");
    for (int i = 1; i <= 150; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, ", a%d = a%d", i, i - 1);
    }
    snprintf(text + at, sizeof text - at, ") a150");
    assert_non_null(strstr(printed(text), "templates are nested deeper than 100 levels"));
}

TEST(every_prefix_and_every_flipped_bit_ends_in_a_tree_or_an_error)
{
    static const char text[] = "WITH (f = {a=\"b\"}, g(x, y) = sum(x{f}) / y, h = m{f}) "
                               "g(h[5m:1m], -h{c=v}) + WITH (f = 1) f";
    char changed[sizeof text];
    for (size_t n = 0; n < sizeof text - 1; n++) {
        memcpy(changed, text, n);
        changed[n] = 0;
        printed(changed);
        for (int bit = 0; bit < 8; bit++) {
            memcpy(changed, text, sizeof text);
            changed[n] = (char)(changed[n] ^ (1 << bit));
            printed(changed);
        }
    }
    IS("WITH (f = {a=\"b\"}, g(x, y) = sum(x{f}) / y, h = m{f}) g(h, -h{c=\"v\"})",
       "(sum(m{a=\"b\",a=\"b\"}) / (-m{a=\"b\",c=\"v\"}))");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_stand_for_their_expressions),
        cmocka_unit_test(templates_take_arguments),
        cmocka_unit_test(filters_join_those_of_the_selector),
        cmocka_unit_test(
            a_template_sees_what_was_defined_before_it_and_arguments_see_their_own_place),
        cmocka_unit_test(errors_say_where_in_the_text_and_which_template),
        cmocka_unit_test(text_that_doubles_itself_again_and_again_is_refused),
        cmocka_unit_test(every_prefix_and_every_flipped_bit_ends_in_a_tree_or_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
