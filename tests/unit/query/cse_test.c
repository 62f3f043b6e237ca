/* What stands more than once in a query is read once, and the result is the same. */
#include "tests/unit/unit.h"
#include "core/query/source_mem.h"
#include <stdio.h>

static struct pl_source_mem *mem;
static struct pl_source inner;
static size_t n_selects;

static int count_select(void *ctx, const struct pl_selector *sel, int64_t t0, int64_t t1,
                        size_t max_series, void **set)
{
    n_selects++;
    return inner.ops->select(ctx, sel, t0, t1, max_series, set);
}

static int fill(void **state)
{
    (void)state;
    if (pl_source_mem_new(&mem) < 0) {
        return -1;
    }
    for (int i = 0; i < 40; i++) {
        struct pl_buf canon = PL_BUF_INIT;
        int64_t t[60];
        double v[60];
        char h[8], g[8];
        snprintf(h, sizeof h, "%d", i);
        snprintf(g, sizeof g, "%d", i % 4);
        struct pl_label l[] = {{PL_METRIC_NAME, i % 2 ? PL_STR("a_total") : PL_STR("b")},
                               {PL_STR("h"), pl_str_c(h)},
                               {PL_STR("g"), pl_str_c(g)}};
        for (int k = 0; k < 60; k++) {
            t[k] = k * 15000 + i;
            v[k] = (k * (i + 3)) % 53 * 0.7;
        }
        if (pl_labels_canon(l, 3, &canon, NULL) < 0 ||
            pl_source_mem_put(mem, pl_buf_view(&canon), t, v, 60) < 0) {
            return -1;
        }
        pl_buf_fini(&canon);
    }
    inner = pl_source_mem(mem);
    return 0;
}

static int empty(void **state)
{
    (void)state;
    pl_source_mem_free(mem);
    return 0;
}

/* Selects that a range query makes; shared: as it is run, else with nothing shared. */
static size_t selects(const char *text, bool shared, size_t max_memory, struct pl_result *out)
{
    struct pl_source_ops ops = *inner.ops;
    struct pl_source src = {&ops, inner.ctx};
    struct pl_query_error err = {0};
    struct pl_query_conf c = {.clock = &pl_clock_real,
                              .lookback_ms = 300000,
                              .max_samples = 10000000,
                              .max_memory_bytes = max_memory,
                              .step_stats = !shared};
    ops.select = count_select;
    n_selects = 0;
    int rc = pl_source_range(&c, &src, pl_str_c(text), 60000, 900000, 30000, out, &err);
    if (rc < 0) {
        fail_msg("%s: %s", text, err.text);
    }
    return n_selects;
}

static void check(const char *text, size_t shared, size_t alone)
{
    struct pl_result a, b;
    size_t n = selects(text, true, 64u << 20, &a), m = selects(text, false, 64u << 20, &b);
    if (n != shared || m != alone) {
        fail_msg("%s: %zu selects and %zu alone", text, n, m);
    }
    assert_int_equal(a.n, b.n);
    assert_int_equal(a.n_infos, b.n_infos);
    assert_int_equal(a.n_warnings, b.n_warnings);
    for (size_t i = 0; i < a.n; i++) {
        assert_true(pl_str_eq(a.series[i].labels, b.series[i].labels));
        assert_int_equal(a.series[i].n, b.series[i].n);
        assert_memory_equal(a.series[i].t, b.series[i].t, a.series[i].n * sizeof(int64_t));
        assert_memory_equal(a.series[i].v, b.series[i].v, a.series[i].n * sizeof(double));
    }
    for (size_t i = 0; i < b.n_infos; i++) {
        assert_true(pl_str_eq(a.infos[i], b.infos[i]));
    }
    pl_result_fini(&a);
    pl_result_fini(&b);
}

TEST(equal_sub_expressions_are_evaluated_once)
{
    check("sum(rate(a_total[5m])) / (sum(rate(a_total[5m])) + 1)", 1, 2);
    check("b / on () group_left () sum(b)", 1, 2);
    check("sum by (g) (b) / count by (g) (b)", 1, 2);
    check("(b - avg(b)) / stddev(b)", 1, 3);
    check("sum(b) + sum((b)) + sum ( b )", 1, 3);
    check("b > 3 or b < 2 or b", 1, 3);
    check("max_over_time(sum(b)[2m:30s]) - min_over_time(sum(b)[2m:30s])", 1, 2);
    check("label_replace(b, \"x\", \"$1\", \"h\", \"(.)\") * on (h, g) group_left () b", 1, 2);
    check("clamp_max(b, scalar(avg(b))) + b", 1, 3);
    check("topk(3, b) or bottomk(3, b)", 1, 2);
}

TEST(what_differs_is_evaluated_on_its_own)
{
    check("sum(rate(a_total[5m])) / sum(rate(a_total[4m]))", 2, 2);
    check("b - b offset 1m", 2, 2);
    check("b{g=\"1\"} or b{g=\"2\"}", 2, 2);
    check("max_over_time(sum(b)[2m:30s]) - sum(b)", 2, 2); /* over other steps */
    check("max_over_time(sum(b)[2m:30s]) - min_over_time(sum(b)[3m:30s])", 2, 2);
    check("b @ 600 - b", 2, 2);
    check("sum(b @ 600) + on () group_right () b", 2, 2);
}

TEST(notes_name_each_place)
{
    check("rate(b[5m]) + rate(b[5m])", 2, 2);
    check("sum(rate(b[5m])) / count(rate(b[5m]))", 2, 2);
    check("quantile(2, b) + quantile(2, b)", 2, 2);
}

TEST(what_is_too_large_to_be_held_is_computed_again)
{
    struct pl_result a;
    /* 20 series x 29 steps x 8 bytes are more than an eighth of this, and sums go by rows. */
    assert_int_equal(selects("sum(b) / count(b)", true, 30000, &a), 2);
    assert_int_equal(a.n, 1);
    pl_result_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_sub_expressions_are_evaluated_once),
        cmocka_unit_test(what_differs_is_evaluated_on_its_own),
        cmocka_unit_test(notes_name_each_place),
        cmocka_unit_test(what_is_too_large_to_be_held_is_computed_again),
    };
    return cmocka_run_group_tests_name("query/cse", tests, fill, empty);
}
