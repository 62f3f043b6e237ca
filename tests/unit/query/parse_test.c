/* Parser, checker and printer: what is understood, how it is printed, what is refused and where. */
#include "tests/unit/unit.h"
#include "core/query/ast.h"

#include <stdio.h>
#include <stdlib.h>

static struct pl_query_error error;

/** Parse and print; the error text on failure. Borrowed until the next call. */
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
        assert_false(b.failed);
        snprintf(out, sizeof out, "%.*s", PL_PRS(pl_buf_view(&b)));
    }
    pl_buf_fini(&b);
    pl_arena_fini(&a);
    return out;
}

struct pair {
    const char *in, *out;
};

static void check_all(const struct pair *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(printed(p[i].in), p[i].out);
    }
}
#define CHECK_ALL(list) check_all(list, sizeof list / sizeof *list)

TEST(what_is_printed_reads_the_same_again)
{
    static const char *const same[] = {
        "1",
        "-1",
        "+Inf",
        "NaN",
        "\"a\\nb\"",
        "5m",
        "1h30m",
        "up",
        "up{job=\"a\"}",
        "up{a!=\"1\",b=~\"x|y\",c!~\"z.*\"}",
        "{__name__=\"x y\"}",
        "up offset 5m",
        "up offset -1h",
        "up @ 1.500",
        "up @ start()",
        "up @ end() offset 1m",
        "rate(m[5m])",
        "rate(m[5m] @ 10.000 offset 1w)",
        "max_over_time(rate(m[5m])[1h:1m])",
        "max_over_time(m[1h:] offset 5m)",
        "a + b",
        "a + on (x, y) group_left (z) b",
        "a == bool b",
        "a > ignoring (l) b",
        "a and on () b",
        "a ^ -1",
        "(a + b) * c",
        "-a",
        "sum by (job) (rate(m[1m]))",
        "topk without (i) (5, m)",
        "count_values(\"v\", m)",
        "quantile(0.9, m)",
        "sum(m)",
        "a + fill (0) b",
        "a + on (x) fill_left (1) fill_right (2) b",
        "{\"my.label\"=\"x\",a=\"b\"}",
        "sum by (\"my.label\", b) (m)",
        "sum",
        "by{on=\"1\"}",
        "time()",
        "label_replace(a, \"d\", \"$1\", \"s\", \"(.*)\")",
        "a unless b or c",
        "minute()",
        "rate(m[5m * 2])",
        "rate(m[5m + (1h - 30) / 2 ^ 2])",
        "rate(m[step() * -2 + 1h])",
        "m offset (5m * 2)",
        "m offset -(5m * 2)",
        "m offset -step()",
        "max_over_time(m[range()] @ end())",
        "max_over_time(m[min_of(5m, step()):max_of(1m, step())])",
        "rate(m[5m] anchored @ 10.000 offset 1m)",
        "m @ 10.000 smoothed offset 1m",
        "m </ 5 >/ 2",
        "start() + end() - range() / step()",
        "fill + fill_left + anchored + smoothed + step + range + min_of",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_string_equal(printed(same[i]), same[i]);
    }
}

TEST(other_spellings_are_printed_in_one_way)
{
    static const struct pair list[] = {
        {"SUM(x) BY (a,)", "sum by (a) (x)"},
        {"sum by () (x)", "sum(x)"},
        {"sum without () (x)", "sum without () (x)"},
        {"x{b=\"1\",a='2',}", "x{a=\"2\",b=\"1\"}"},
        {"{\"my metric\", a=`b`}", "{__name__=\"my metric\",a=\"b\"}"},
        {"x[300]", "x[5m]"},
        {"x[5m*2] offset +(3m)", "x[5m * 2] offset (3m)"},
        {"x offset - 5m * 2", "x offset -5m * 2"},
        {"x[MIN(1m,STEP())]", "x[min(1m, step())]"},
        {"x smoothed smoothed", "x smoothed"},
        {"1e300 * 1e-7", "1"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         "0000000000"
                         " * 0.0000001"},
        {"x offset 90", "x offset 1m30s"},
        {"x@1m40s", "x @ 100.000"},
        {"0x1F", "31"},
        {"017", "15"},
        {"1_000.5", "1000.5"},
        {"1e3", "1000"},
        {".5", "0.5"},
        {"inf", "+Inf"},
        {"-INF", "-Inf"},
        {"- - 1", "1"},
        {"a # comment\n+ b", "a + b"},
        {"2^3^2 + -1", "2 ^ 3 ^ 2 + -1"},
        {"a + ON(x) GROUP_RIGHT b", "a + on (x) group_right () b"},
        {"'\\u00e9\\x41\\101'", "\"\xc3\xa9"
                                "AA\""},
    };
    CHECK_ALL(list);
}

TEST(operators_bind_as_in_mathematics)
{
    static const struct pair list[] = {
        {"a + b * c", "a + b * c"}, /* the shape is tested by the evaluator's tests */
        {"-a ^ 2", "-a ^ 2"},
        {"a or b and c", "a or b and c"},
    };
    CHECK_ALL(list);
    struct pl_arena a;
    struct pl__ast ast;
    pl_arena_init(&a, 0);
    assert_int_equal(pl__parse(&a, PL_STR("1 - 2 - 3 * 4 ^ 5 ^ 6 == bool 7"), &ast, &error), 0);
    struct pl_expr *e = ast.root;
    assert_int_equal(e->bin.op, PL__OP_EQ);
    e = e->bin.l;
    assert_int_equal(e->bin.op, PL__OP_SUB);
    assert_int_equal(e->bin.l->bin.op, PL__OP_SUB); /* to the left */
    assert_int_equal(e->bin.r->bin.op, PL__OP_MUL);
    assert_int_equal(e->bin.r->bin.r->bin.op, PL__OP_POW);
    assert_int_equal(e->bin.r->bin.r->bin.r->bin.op, PL__OP_POW); /* to the right */
    pl__ast_fini(&ast);
    assert_int_equal(pl__parse(&a, PL_STR("-a ^ 2"), &ast, &error), 0);
    assert_int_equal(ast.root->kind, PL__UNARY);
    pl__ast_fini(&ast);
    assert_int_equal(pl__parse(&a, PL_STR("-a * 2"), &ast, &error), 0);
    assert_int_equal(ast.root->kind, PL__BINARY);
    pl__ast_fini(&ast);
    pl_arena_fini(&a);
}

TEST(syntax_errors_say_where_and_what)
{
    static const struct pair list[] = {
        {"", "1:1: parse error: no expression found in input"},
        {"# only a comment", "1:1: parse error: no expression found in input"},
        {"1+", "1:3: parse error: unexpected end of input"},
        {".", "1:1: parse error: unexpected character: '.'"},
        {"100..4", "1:1: parse error: bad number or duration syntax: \"100..\""},
        {"0deadbeef", "1:1: parse error: bad number or duration syntax: \"0de\""},
        {"*1", "1:1: parse error: unexpected <op:*>"},
        {"(1))", "1:4: parse error: unexpected right parenthesis ')'"},
        {"((1)", "1:5: parse error: unclosed left parenthesis"},
        {"1 !~ 1", "1:3: parse error: unexpected character after '!': '~'"},
        {"1 =~ 1", "1:3: parse error: unexpected character after '=': '~'"},
        {"a b", "1:3: parse error: unexpected identifier \"b\""},
        {"a\n+ b c", "2:5: parse error: unexpected identifier \"c\""},
        {"foo{", "1:5: parse error: unexpected end of input inside braces"},
        {"foo}", "1:4: parse error: unexpected character: '}'"},
        {"foo{a=b}",
         "1:7: parse error: unexpected identifier \"b\" in label matching, expected string"},
        {"foo{a*\"b\"}", "1:6: parse error: unexpected character inside braces: '*'"},
        {"foo{gibberish}", "1:14: parse error: unexpected \"}\" in label matching, expected label "
                           "matching operator"},
        {"foo{,}",
         "1:5: parse error: unexpected \",\" in label matching, expected identifier or \"}\""},
        {"foo{a=\"1\" b=\"2\"}",
         "1:11: parse error: unexpected identifier \"b\" in label matching, "
         "expected \",\" or \"}\""},
        {"sum without(==)(m)",
         "1:13: parse error: unexpected <op:==> in grouping opts, expected label"},
        {"sum some_metric by (test)", "1:5: parse error: unexpected identifier \"some_metric\" in "
                                      "aggregation"},
        {"sum(a b)", "1:7: parse error: unexpected identifier \"b\" in aggregation"},
        {"rate(a b)", "1:8: parse error: unexpected identifier \"b\""},
        {"floor(a,)", "1:8: parse error: trailing commas not allowed in function call args"},
        {"foo[5mm]", "1:5: parse error: bad number or duration syntax: \"5mm\""},
        {"foo[0m]", "1:5: parse error: duration must be greater than 0"},
        {"foo[]",
         "1:5: parse error: unexpected \"]\" in subquery or range selector, expected number, "
         "duration, step(), or range()"},
        {"foo[x]", "1:5: parse error: unexpected character in duration expression: 'x'"},
        {"foo[5m x]", "1:8: parse error: unexpected character: 'x', expected ':'"},
        {"foo[", "1:5: parse error: unexpected end of input in duration expression"},
        {"foo[:1m]", "1:5: parse error: unexpected colon before duration in duration expression"},
        {"foo[5m 1m]", "1:8: parse error: unexpected duration \"1m\" in subquery or range, "
                       "expected \":\" or \"]\""},
        {"foo[5m*]", "1:8: parse error: unexpected \"]\" in subquery or range selector, expected "
                     "number, duration, step(), or range()"},
        {"foo[5m:1m*]", "1:11: parse error: unexpected \"]\" in subquery selector, expected "
                        "number, duration, step(), range(), or \"]\""},
        {"foo[5m/0]", "1:7: parse error: division by zero"},
        {"foo[5m%0]", "1:7: parse error: modulo by zero"},
        {"foo[-5m]", "1:5: parse error: duration must be greater than 0"},
        {"foo[1e10]", "1:5: parse error: duration out of range"},
        {"foo anchored smoothed",
         "1:1: parse error: anchored and smoothed modifiers cannot be used together"},
        {"foo[5m:1m] smoothed",
         "1:1: parse error: smoothed modifier is not supported for subqueries"},
        {"rate(foo[5m]) anchored", "1:1: parse error: anchored modifier not implemented"},
        {"foo[5m:1m:1m]", "1:10: parse error: unexpected colon: ':'"},
        {"foo[5m", "1:7: parse error: unclosed left bracket"},
        {"foo offset",
         "1:11: parse error: unexpected end of input in offset, expected number, duration, "
         "step(), or range()"},
        {"foo @", "1:6: parse error: unexpected end of input in @, expected timestamp"},
        {"foo @ bar", "1:7: parse error: unexpected identifier \"bar\" in @, expected timestamp"},
        {"\"abc", "1:1: parse error: unterminated quoted string"},
        {"`abc", "1:1: parse error: unterminated raw string"},
        {"\"\\q\"", "1:1: parse error: unknown escape sequence U+0071 'q'"},
        {"\"\\xg1\"", "1:1: parse error: illegal character U+0067 'g' in escape sequence"},
        {"sum by (\"\") (a)", "1:9: parse error: invalid label name for grouping: \"\""},
        {"a + group_left(x) b", "1:5: parse error: unexpected <group_left>"},
    };
    CHECK_ALL(list);
}

TEST(type_errors_say_what_was_expected)
{
    static const struct pair list[] = {
        {"1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
        {"1 and 1",
         "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
        {"a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"},
        {"-\"s\"",
         "1:1: parse error: unary expression only allowed on expressions of type scalar or "
         "instant vector, got \"string\""},
        {"-m[5m]",
         "1:1: parse error: unary expression only allowed on expressions of type scalar or "
         "instant vector, got \"range vector\""},
        {"a + \"s\"",
         "1:5: parse error: binary expression must contain only scalar and instant vector "
         "types"},
        {"1 + on(a) b", "1:1: parse error: vector matching only allowed between instant vectors"},
        {"a and on(x) group_left(y) b",
         "1:1: parse error: no grouping allowed for \"and\" operation"},
        {"a + on(x) group_left(x) b",
         "1:3: parse error: label \"x\" must not occur in ON and GROUP "
         "clause at once"},
        {"rate(m)",
         "1:6: parse error: expected type range vector in call to function \"rate\", got "
         "instant vector"},
        {"floor(1)",
         "1:7: parse error: expected type instant vector in call to function \"floor\", got "
         "scalar"},
        {"floor()", "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 0"},
        {"round()",
         "1:1: parse error: expected at least 1 argument(s) in call to \"round\", got 0"},
        {"round(m, 1, 2)",
         "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"},
        {"nope(m)", "1:1: parse error: unknown function with name \"nope\""},
        {"sum()", "1:1: parse error: no arguments for aggregate expression provided"},
        {"topk(m)",
         "1:1: parse error: wrong number of arguments for aggregate expression provided, "
         "expected 2, got 1"},
        {"topk(m, m)",
         "1:6: parse error: expected type scalar in aggregation parameter, got instant "
         "vector"},
        {"count_values(5, m)",
         "1:14: parse error: expected type string in aggregation parameter, got "
         "scalar"},
        {"sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got "
                   "scalar"},
        {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
        {"{x=\"\"}",
         "1:1: parse error: vector selector must contain at least one non-empty matcher"},
        {"foo{__name__=\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or "
                                  "\"bar\""},
        {"1 offset 1d", "1:1: parse error: offset modifier must be preceded by an instant vector "
                        "selector or range vector selector or a subquery"},
        {"m offset 1s offset 2s", "1:1: parse error: offset may not be set multiple times"},
        {"m @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"},
        {"m offset 1m[5m]", "1:12: parse error: no offset modifiers allowed before range"},
        {"(a + b)[5m]", "1:8: parse error: ranges only allowed for vector selectors"},
        {"m[5m][5m:1m]", "1:1: parse error: subquery is only allowed on instant vector, got matrix "
                         "instead"},
    };
    CHECK_ALL(list);
}

TEST(deep_nesting_is_an_error_and_not_a_crash)
{
    struct pl_arena a;
    struct pl_expr *e;
    static char text[400000];
    static const struct {
        const char *open, *close;
    } kinds[] = {{"(", ")"}, {"-", ""}, {"abs(", ")"}, {"sum(", ")"}, {"1+", ""}, {"1^", ""}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t at = 0;
        for (int i = 0; i < 50000; i++) {
            at += (size_t)snprintf(text + at, sizeof text - at, "%s", kinds[k].open);
        }
        at += (size_t)snprintf(text + at, sizeof text - at, "m");
        for (int i = 0; i < 20000; i++) {
            at += (size_t)snprintf(text + at, sizeof text - at, "%s", kinds[k].close);
        }
        pl_arena_init(&a, 0);
        assert_int_equal(pl_query_parse(&a, pl_str_mem(text, at), &e, &error), PL_EPARSE);
        pl_arena_fini(&a);
    }
}

TEST(every_prefix_and_every_flipped_bit_ends_in_a_tree_or_an_error)
{
    static const char text[] =
        "sum by (a, \"b.c\") (rate(m{x=~\"y|z\",n!=\"\"}[5m:1m] offset -1h @ end())) / on (a) "
        "group_left (q) fill (1) topk(0x5, m @ 1.5) > bool -2^3 # end";
    char copy[sizeof text];
    struct pl_arena a;
    struct pl_expr *e;
    for (size_t n = 0; n < sizeof text; n++) {
        char *cut = malloc(n ? n : 1); /* exactly so long: a sanitizer sees a read behind it */
        memcpy(cut, text, n);
        pl_arena_init(&a, 0);
        int err = pl_query_parse(&a, pl_str_mem(cut, n), &e, &error);
        assert_true(err == 0 || (err < 0 && error.text[0]));
        pl_arena_fini(&a);
        free(cut);
    }
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        memcpy(copy, text, sizeof text);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        pl_arena_init(&a, 0);
        int err = pl_query_parse(&a, pl_str_mem(copy, sizeof text - 1), &e, &error);
        assert_true(err == 0 || (err < 0 && error.text[0]));
        pl_arena_fini(&a);
    }
}

TEST(a_selector_alone_gives_its_matchers)
{
    struct pl_arena a;
    struct pl_selector s;
    pl_arena_init(&a, 0);
    assert_int_equal(pl_query_selector(&a, PL_STR("up{job=~\"a.*\"}"), &s, &error), 0);
    assert_int_equal(s.n, 2);
    assert_true(pl_matcher_value(&s.m[0], PL_STR("abc")));
    assert_true(pl_str_eq(s.m[1].value, PL_STR("up")));
    pl_query_selector_fini(&s);
    assert_int_equal(pl_query_selector(&a, PL_STR("up[5m]"), &s, &error), PL_EPARSE);
    assert_int_equal(pl_query_selector(&a, PL_STR("sum(up)"), &s, &error), PL_EPARSE);
    assert_int_equal(pl_query_selector(&a, PL_STR("up offset 1m"), &s, &error), PL_EPARSE);
    pl_arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_reads_the_same_again),
        cmocka_unit_test(other_spellings_are_printed_in_one_way),
        cmocka_unit_test(operators_bind_as_in_mathematics),
        cmocka_unit_test(syntax_errors_say_where_and_what),
        cmocka_unit_test(type_errors_say_what_was_expected),
        cmocka_unit_test(deep_nesting_is_an_error_and_not_a_crash),
        cmocka_unit_test(every_prefix_and_every_flipped_bit_ends_in_a_tree_or_an_error),
        cmocka_unit_test(a_selector_alone_gives_its_matchers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
