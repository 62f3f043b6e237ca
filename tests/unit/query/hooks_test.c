/* Functions of scripts, with C in their place: found while parsing, called once a series. */
#include "tests/unit/unit.h"
#include "core/kernel/kernel.h"
#include "core/query/source_mem.h"

#include <stdio.h>

static struct pl_source_mem *mem;
static struct pl_query_error error;
static int calls, key; /* key: what find gives, and call must get */

static void put(const char *name, const char *h, const double *v, size_t n)
{
    struct pl_buf canon = PL_BUF_INIT;
    struct pl_label l[] = {{PL_METRIC_NAME, pl_str_c(name)}, {PL_STR("h"), pl_str_c(h)}};
    int64_t t[8];
    for (size_t i = 0; i < n; i++) {
        t[i] = (int64_t)i * 10000;
    }
    assert_true(pl_labels_canon(l, 2, &canon, NULL) >= 0);
    assert_int_equal(pl_source_mem_put(mem, pl_buf_view(&canon), t, v, n), 0);
    pl_buf_fini(&canon);
}

static int fill(void **state)
{
    (void)state;
    assert_int_equal(pl_source_mem_new(&mem), 0);
    put("a", "x", (double[]){1, 2, 3}, 3);
    put("a", "y", (double[]){10, 20, 30}, 3);
    put("b", "x", (double[]){100, 200, 300}, 3);
    return 0;
}

static int empty(void **state)
{
    (void)state;
    pl_source_mem_free(mem);
    return 0;
}

static int find(void *ctx, pl_str name, size_t n_args, void **fn, char *why, size_t n_why)
{
    assert_ptr_equal(ctx, &calls);
    if (!pl_str_eq(name, PL_STR("add")) && !pl_str_eq(name, PL_STR("fail"))) {
        return PL_ENOTFOUND;
    }
    if (n_args > 2) {
        snprintf(why, n_why, "takes one or two arguments, got %zu", n_args);
        return PL_EINVAL;
    }
    *fn = name.n == 3 ? &key : NULL;
    return 0;
}

/** Sum of the arguments; the time in seconds where there is none. */
static int call(void *ctx, void *fn, pl_str labels, const int64_t *t, size_t n,
                const double *const *args, size_t n_args, double *out, char *why, size_t n_why)
{
    assert_ptr_equal(ctx, &calls);
    assert_true(pl_labels_get(labels, PL_METRIC_NAME).n == 0);
    if (fn != &key) {
        snprintf(why, n_why, "attempt to index a nil value");
        return PL_EINVAL;
    }
    calls++;
    for (size_t s = 0; s < n; s++) {
        double sum = n_args ? 0 : (double)t[s] / 1000;
        bool there = true;
        for (size_t i = 0; i < n_args; i++) {
            there = there && !pl_is_absent(args[i][s]);
            sum += args[i][s];
        }
        if (there) {
            out[s] = sum;
        }
    }
    return 0;
}

static const struct pl_query_hooks hooks = {&calls, find, call};

static int run(const char *text, const struct pl_query_hooks *h, bool strict, struct pl_result *r)
{
    struct pl_query_conf c = {.clock = &pl_clock_real,
                              .max_samples = 1000,
                              .max_memory_bytes = 16u << 20,
                              .strict = strict,
                              .hooks = h};
    struct pl_source src = pl_source_mem(mem);
    calls = 0;
    return pl_source_range(&c, &src, pl_str_c(text), 0, 20000, 10000, r, &error);
}

#define FAILS(query, h, strict, want)                                                              \
    do {                                                                                           \
        struct pl_result none;                                                                     \
        assert_true(run(query, h, strict, &none) < 0);                                             \
        assert_string_equal(error.text, want);                                                     \
    } while (0)

TEST(a_function_is_called_once_a_series_with_its_labels_and_all_steps)
{
    struct pl_result r;
    assert_int_equal(run("lua:add(a, 5)", &hooks, false, &r), 0);
    assert_int_equal(r.n, 2);
    assert_int_equal(calls, 2);
    assert_true(pl_str_eq(pl_labels_get(r.series[1].labels, PL_STR("h")), PL_STR("y")));
    assert_int_equal(r.series[1].n, 3);
    assert_true(r.series[1].v[2] == 35);
    pl_result_fini(&r);
}

TEST(other_vectors_are_matched_by_labels_and_absent_where_there_is_none)
{
    struct pl_result r;
    assert_int_equal(run("sum(lua:add(a, b))", &hooks, false, &r), 0);
    assert_int_equal(calls, 2);
    assert_int_equal(r.n, 1);
    assert_true(r.series[0].v[0] == 101 && r.series[0].v[2] == 303);
    pl_result_fini(&r);
    FAILS("lua:add(a, {h=\"x\"})", &hooks, false,
          "argument 2 of lua:add has several series of the same labels");
}

TEST(without_vectors_it_is_called_once_and_gives_one_series)
{
    struct pl_result r;
    assert_int_equal(run("lua:add() + lua:add(1)", &hooks, false, &r), 0);
    assert_int_equal(calls, 2);
    assert_int_equal(r.n, 1);
    assert_true(r.series[0].v[0] == 1 && r.series[0].v[2] == 21);
    pl_result_fini(&r);
}

TEST(what_no_script_registers_is_an_error_and_so_are_wrong_arguments)
{
    FAILS("1 + lua:other(a)", &hooks, false, "1:5: parse error: no script registers lua:other");
    FAILS("lua:add(a)", NULL, false, "1:1: parse error: no script registers lua:add");
    FAILS("lua:add(1, 2, 3)", &hooks, false,
          "1:1: parse error: lua:add: takes one or two arguments, got 3");
    FAILS("lua:add(a[5m])", &hooks, false,
          "1:9: parse error: expected type scalar or instant vector in call to function "
          "\"lua:add\", got range vector");
    FAILS("lua:fail(a)", &hooks, false, "lua:fail: attempt to index a nil value");
    FAILS("lua:add(a)", &hooks, true,
          "1:1: parse error: lua:add is an extension of PromQL, which strict mode refuses");
}

TEST(text_and_metrics_of_such_names_need_no_script)
{
    struct pl_arena a;
    struct pl_expr *e;
    struct pl_buf b = PL_BUF_INIT;
    struct pl_result r;
    pl_arena_init(&a, 0);
    assert_int_equal(pl_query_parse(&a, PL_STR("lua:f( x,1 )"), &e, &error), 0);
    pl_query_text(e, &b);
    assert_true(pl_str_eq(pl_buf_view(&b), PL_STR("lua:f(x, 1)")));
    pl_buf_fini(&b);
    pl_arena_fini(&a);
    assert_int_equal(run("lua:add{h=\"x\"} or lua:add", NULL, true, &r), 0);
    assert_int_equal(r.n, 0);
    pl_result_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_is_called_once_a_series_with_its_labels_and_all_steps),
        cmocka_unit_test(other_vectors_are_matched_by_labels_and_absent_where_there_is_none),
        cmocka_unit_test(without_vectors_it_is_called_once_and_gives_one_series),
        cmocka_unit_test(what_no_script_registers_is_an_error_and_so_are_wrong_arguments),
        cmocka_unit_test(text_and_metrics_of_such_names_need_no_script),
    };
    return cmocka_run_group_tests(tests, fill, empty);
}
