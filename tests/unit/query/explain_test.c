/* Plans of queries over samples in memory: what is counted, how parts run, and that nothing runs.
 */
#include "tests/unit/unit.h"
#include "core/query/source_mem.h"

#include <stdio.h>

static struct pl_source_mem *mem;
static struct pl_query_error error;
static char json[200000];

/** m{h="0".."99",g="0".."3"} every 10 s over 1000 s. */
static int fill(void **state)
{
    (void)state;
    int64_t t[101];
    double v[101];
    for (int i = 0; i <= 100; i++) {
        t[i] = i * 10000, v[i] = i;
    }
    assert_int_equal(pl_source_mem_new(&mem), 0);
    for (int k = 0; k < 100; k++) {
        struct pl_buf canon = PL_BUF_INIT;
        char h[16], g[16];
        struct pl_label l[] = {
            {PL_METRIC_NAME, PL_STR("m")},
            {PL_STR("h"), pl_str_mem(h, (size_t)snprintf(h, sizeof h, "%d", k))},
            {PL_STR("g"), pl_str_mem(g, (size_t)snprintf(g, sizeof g, "%d", k % 4))},
        };
        assert_true(pl_labels_canon(l, 3, &canon, NULL) >= 0);
        assert_int_equal(pl_source_mem_put(mem, pl_buf_view(&canon), t, v, 101), 0);
        pl_buf_fini(&canon);
    }
    return 0;
}

static int empty(void **state)
{
    (void)state;
    pl_source_mem_free(mem);
    return 0;
}

static int explain(const char *text, int64_t step, bool analyze)
{
    struct pl_query_conf c = {
        .clock = &pl_clock_real, .max_samples = 1000000, .max_memory_bytes = 64u << 20};
    struct pl_source src = pl_source_mem(mem);
    struct pl_buf out = PL_BUF_INIT;
    int e =
        pl_source_explain(&c, &src, pl_str_c(text), 500000, 1000000, step, analyze, &out, &error);
    assert_true(out.n < sizeof json);
    memcpy(json, out.p ? (char *)out.p : "", out.n);
    json[out.n] = 0;
    pl_buf_fini(&out);
    return e;
}

#define HAS(piece)                                                                                 \
    if (!strstr(json, piece)) {                                                                    \
        fail_msg("%s\n  is not in\n%s", piece, json);                                              \
    }

TEST(a_plan_has_the_tree_with_what_its_selectors_match)
{
    assert_int_equal(explain("sum by(g)(rate(m[1m]))", 10000, false), 0);
    HAS("{\"query\":\"sum by (g) (rate(m[1m]))\",\"start\":500,\"end\":1000,\"step\":10,"
        "\"steps\":51,");
    HAS("\"kind\":\"aggregate\",\"of\":\"sum\",\"type\":\"vector\",\"run\":\"fused\",\"steps\":51,"
        "\"rows\":4,\"exact\":true");
    HAS("\"kind\":\"call\",\"of\":\"rate\",\"type\":\"vector\",\"run\":\"lazy\",\"steps\":51,"
        "\"rows\":100,\"exact\":true");
    HAS("\"text\":\"m[1m]\",\"kind\":\"range selector\"");
    HAS("\"from\":440.001,\"to\":1000,\"series\":100,\"samples\":5600,");
    assert_null(strstr(json, "actual"));
}

TEST(how_parts_run_and_what_is_done_once_is_said)
{
    assert_int_equal(explain("abs(m) * 2 > 1", 10000, false), 0);
    HAS("\"of\":\">\",\"type\":\"vector\",\"run\":\"lazy\"");
    assert_int_equal(explain("m + on (h) topk(3, m @ 600)", 10000, false), 0);
    HAS("\"of\":\"+\",\"type\":\"vector\",\"run\":\"held\"");
    HAS("\"of\":\"topk\",\"type\":\"vector\",\"run\":\"held\",\"once\":true,\"steps\":1");
    assert_int_equal(explain("max_over_time(sum(m)[5m:1m])", 0, false), 0);
    HAS("\"kind\":\"subquery\",\"type\":\"matrix\",\"run\":\"held\",\"steps\":5,\"rows\":1");
    HAS("\"text\":\"sum(m)\",\"kind\":\"aggregate\",\"of\":\"sum\",\"type\":\"vector\","
        "\"run\":\"fused\",\"steps\":5");
}

TEST(equal_parts_are_pointed_out)
{
    assert_int_equal(explain("sum(rate(m[1m])) / sum(rate(m[1m]))", 10000, false), 0);
    HAS("\"sameAs\":1");
    HAS("\"sameAs\":2");
    HAS("\"sameAs\":3");
    assert_int_equal(explain("m offset 1m + m", 10000, false), 0);
    assert_null(strstr(json, "sameAs"));
}

TEST(analyzing_runs_the_query_and_says_what_it_took)
{
    assert_int_equal(explain("sum(m)", 10000, true), 0);
    HAS("\"actual\":{\"series\":100,\"samples\":8000,");
    HAS("\"queryableSamples\":5100,");
    HAS("\"actual\":{\"calls\":1,\"seconds\":");
    HAS("\"rows\":1,\"series\":100,\"samples\":8000,\"chunks\":");
}

TEST(what_cannot_be_explained_is_an_error)
{
    static char big[20000];
    assert_int_equal(explain("sum(", 0, false), PL_EPARSE);
    assert_int_equal(explain("m[5m]", 10000, false), PL_EPARSE);
    assert_int_equal(explain("m", 10, false), PL_EINVAL);
    for (int i = 0; i < 4000; i++) {
        memcpy(big + 2 * i, "1+", 2);
    }
    big[8000] = '1';
    assert_true(explain(big, 0, false) < 0);
    assert_string_equal(json, "");
}

TEST(every_kind_of_node_has_its_place)
{
    assert_int_equal(explain("-(label_replace(m, \"a\", \"b\", \"c\", \"\")) unless vector(1) or "
                             "absent(m) == bool 2 default count_values(\"x\", m)",
                             10000, true),
                     0);
    HAS("\"kind\":\"unary\"");
    HAS("\"kind\":\"paren\"");
    HAS("\"kind\":\"string\"");
    assert_int_equal(explain("\"text\"", 0, false), 0);
    assert_int_equal(explain("m[1m]", 0, true), 0);
    assert_int_equal(explain("info(m, {a=\"b\"})", 0, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_has_the_tree_with_what_its_selectors_match),
        cmocka_unit_test(how_parts_run_and_what_is_done_once_is_said),
        cmocka_unit_test(equal_parts_are_pointed_out),
        cmocka_unit_test(analyzing_runs_the_query_and_says_what_it_took),
        cmocka_unit_test(what_cannot_be_explained_is_an_error),
        cmocka_unit_test(every_kind_of_node_has_its_place),
    };
    return cmocka_run_group_tests(tests, fill, empty);
}
