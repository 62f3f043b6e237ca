/* The tree as JSON, in the shape of Prometheus' parse_query. */
#include "tests/unit/unit.h"
#include "core/query/query.h"

#include <stdio.h>

static const char *json(const char *text)
{
    static char out[4000];
    struct pl_query_error error;
    struct pl_arena a;
    struct pl_expr *e;
    struct pl_buf b = PL_BUF_INIT;
    pl_arena_init(&a, 0);
    assert_int_equal(pl_query_parse(&a, pl_str_c(text), &e, &error), 0);
    assert_int_equal(pl_query_ast_json(e, &b), 0);
    snprintf(out, sizeof out, "%.*s", PL_PRS(pl_buf_view(&b)));
    pl_buf_fini(&b);
    pl_arena_fini(&a);
    return out;
}

#define NAME(n) "{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"" n "\"}"
#define SELECTOR(n)                                                                                \
    "{\"anchored\":false,\"matchers\":[" NAME(                                                     \
        n) "],\"name\":\"" n                                                                       \
           "\",\"offset\":0,\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":null,"            \
           "\"type\":\"vectorSelector\"}"

TEST(literals_signs_and_parentheses)
{
    assert_string_equal(json("1e3"), "{\"type\":\"numberLiteral\",\"val\":\"1000\"}");
    assert_string_equal(json("-5m"), "{\"type\":\"numberLiteral\",\"val\":\"-300\"}");
    assert_string_equal(json("Inf"), "{\"type\":\"numberLiteral\",\"val\":\"+Inf\"}");
    assert_string_equal(json("'a\"b'"), "{\"type\":\"stringLiteral\",\"val\":\"a\\\"b\"}");
    assert_string_equal(json("(1)"), "{\"expr\":{\"type\":\"numberLiteral\",\"val\":\"1\"},"
                                     "\"type\":\"parenExpr\"}");
    assert_string_equal(json("-m"),
                        "{\"expr\":" SELECTOR("m") ",\"op\":\"-\",\"type\":\"unaryExpr\"}");
}

TEST(selectors_with_all_that_may_follow)
{
    assert_string_equal(
        json("m{a!~\"x\"} @ 1.5 offset -1m"),
        "{\"anchored\":false,\"matchers\":[{\"name\":\"a\",\"type\":\"!~\",\"value\":\"x\"}," NAME(
            "m") "],\"name\":\"m\",\"offset\":-60000,\"smoothed\":false,\"startOrEnd\":null,"
                 "\"timestamp\":1500,\"type\":\"vectorSelector\"}");
    assert_string_equal(json("m[5m] smoothed @ end()"),
                        "{\"anchored\":false,\"matchers\":[" NAME(
                            "m") "],\"name\":\"m\",\"offset\":0,\"range\":300000,"
                                 "\"smoothed\":true,\"startOrEnd\":\"end\",\"timestamp\":null,"
                                 "\"type\":\"matrixSelector\"}");
    assert_string_equal(json("m[step()*2]"),
                        "{\"anchored\":false,\"matchers\":[" NAME(
                            "m") "],\"name\":\"m\",\"offset\":0,\"range\":0,\"smoothed\":false,"
                                 "\"startOrEnd\":null,\"timestamp\":null,"
                                 "\"type\":\"matrixSelector\"}");
    assert_string_equal(json("m[1h:1m]"),
                        "{\"expr\":" SELECTOR("m") ",\"offset\":0,\"range\":3600000,"
                                                   "\"startOrEnd\":null,\"step\":60000,"
                                                   "\"timestamp\":null,\"type\":\"subquery\"}");
}

TEST(operators_with_their_matching)
{
    assert_string_equal(
        json("a + on(x) group_left(y) fill_right(2) b"),
        "{\"bool\":false,\"lhs\":" SELECTOR(
            "a") ",\"matching\":{\"card\":\"many-to-one\",\"fillValues\":{\"lhs\":null,\"rhs\":2},"
                 "\"include\":[\"y\"],\"labels\":[\"x\"],\"on\":true},\"op\":\"+\","
                 "\"rhs\":" SELECTOR("b") ",\"type\":\"binaryExpr\"}");
    assert_string_equal(
        json("a and b"),
        "{\"bool\":false,\"lhs\":" SELECTOR(
            "a") ",\"matching\":{\"card\":\"many-to-many\",\"fillValues\":{\"lhs\":null,"
                 "\"rhs\":null},\"include\":[],\"labels\":[],\"on\":false},\"op\":\"and\","
                 "\"rhs\":" SELECTOR("b") ",\"type\":\"binaryExpr\"}");
    assert_string_equal(json("1 == bool 2"),
                        "{\"bool\":true,\"lhs\":{\"type\":\"numberLiteral\",\"val\":\"1\"},"
                        "\"matching\":null,\"op\":\"==\","
                        "\"rhs\":{\"type\":\"numberLiteral\",\"val\":\"2\"},"
                        "\"type\":\"binaryExpr\"}");
}

TEST(calls_and_aggregations)
{
    assert_string_equal(json("time()"),
                        "{\"args\":[],\"func\":{\"argTypes\":[],\"name\":\"time\","
                        "\"returnType\":\"scalar\",\"variadic\":0},\"type\":\"call\"}");
    assert_string_equal(
        json("round(m, 5)"),
        "{\"args\":[" SELECTOR("m") ",{\"type\":\"numberLiteral\",\"val\":\"5\"}],"
                                    "\"func\":{\"argTypes\":[\"vector\",\"scalar\"],"
                                    "\"name\":\"round\",\"returnType\":\"vector\","
                                    "\"variadic\":1},\"type\":\"call\"}");
    assert_string_equal(json("sum without(a) (m)"),
                        "{\"expr\":" SELECTOR("m") ",\"grouping\":[\"a\"],\"op\":\"sum\","
                                                   "\"param\":null,\"type\":\"aggregation\","
                                                   "\"without\":true}");
    assert_string_equal(
        json("topk(3, m)"),
        "{\"expr\":" SELECTOR("m") ",\"grouping\":[],\"op\":\"topk\","
                                   "\"param\":{\"type\":\"numberLiteral\",\"val\":\"3\"},"
                                   "\"type\":\"aggregation\",\"without\":false}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_signs_and_parentheses),
        cmocka_unit_test(selectors_with_all_that_may_follow),
        cmocka_unit_test(operators_with_their_matching),
        cmocka_unit_test(calls_and_aggregations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
