/* When metric names go: from the result, or at once where the query has it so. What becomes of them
 * in each function is in tests/promql/names.test. */
#include "tests/unit/unit.h"
#include "core/query/source_mem.h"

static struct pl_source_mem *mem;
static struct pl_query_error error;

/** a{x="1"} 1, b{x="1"} 2, at 0 and 60 s. */
static int fill(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b"};
    if (pl_source_mem_new(&mem) < 0) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        struct pl_buf canon = PL_BUF_INIT;
        struct pl_label l[] = {{PL_METRIC_NAME, pl_str_c(names[i])}, {PL_STR("x"), PL_STR("1")}};
        const int64_t t[] = {0, 60000};
        const double v[] = {i + 1, i + 1};
        if (pl_labels_canon(l, 2, &canon, NULL) < 0 ||
            pl_source_mem_put(mem, pl_buf_view(&canon), t, v, 2) < 0) {
            return -1;
        }
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

/** Number of series of the result, or the error; *named of them have a name. */
static int series(bool early, const char *text, int *named)
{
    struct pl_source src = pl_source_mem(mem);
    struct pl_query_conf c = {.clock = &pl_clock_real,
                              .lookback_ms = 300000,
                              .max_memory_bytes = 1 << 20,
                              .early_names = early};
    struct pl_result r;
    error = (struct pl_query_error){0};
    *named = 0;
    int err = pl_source_range(&c, &src, pl_str_c(text), 0, 60000, 60000, &r, &error);
    if (err < 0) {
        return err;
    }
    int n = (int)r.n;
    for (size_t i = 0; i < r.n; i++) {
        *named += pl_labels_get(r.series[i].labels, PL_METRIC_NAME).n > 0;
    }
    pl_result_fini(&r);
    return n;
}

TEST(names_that_go_from_the_result_can_be_used_on_the_way)
{
    static const struct {
        const char *text;
        int late, late_named, early, early_named;
    } cases[] = {
        {"abs(a)", 1, 0, 1, 0},
        {"abs({__name__=~\"a|b\"})", PL_EINVAL, 0, PL_EINVAL, 0},
        {"max(abs({__name__=~\"a|b\"}))", 1, 0, PL_EINVAL, 0},
        {"max by (__name__) (abs({__name__=~\"a|b\"}))", PL_EINVAL, 0, PL_EINVAL, 0},
        {"max by (__name__) (abs(a))", 1, 0, 1, 0},
        {"max by (__name__) ({__name__=~\"a|b\"})", 2, 2, 2, 2},
        {"label_replace(-{__name__=~\"a|b\"}, \"of\", \"$1\", \"__name__\", \"(.)\")", 2, 0,
         PL_EINVAL, 0},
        {"label_replace(-a, \"__name__\", \"${1}x\", \"__name__\", \"(.+)\")", 1, 1, 1, 0},
        {"label_join(-a, \"__name__\", \"\", \"x\")", 1, 1, 1, 1},
        {"a == bool on (__name__) (a or b)", 1, 0, 1, 0},
        {"last_over_time(abs(a)[1m:1m])", 1, 0, 1, 0},
        {"abs(a) + abs(a)", 1, 0, 1, 0},
        {"a > bool b", 1, 0, 1, 0},
        {"a > -b", 1, 1, 1, 1},
        {"-a > -b * 2", 1, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int named;
        assert_int_equal(series(false, cases[i].text, &named), cases[i].late);
        assert_int_equal(named, cases[i].late_named);
        assert_int_equal(series(true, cases[i].text, &named), cases[i].early);
        assert_int_equal(named, cases[i].early_named);
    }
}

TEST(series_that_differ_by_the_name_alone_are_an_error_with_its_words)
{
    int named;
    assert_int_equal(series(false, "abs({__name__=~\"a|b\"})", &named), PL_EINVAL);
    assert_string_equal(error.text, "vector cannot contain metrics with the same labelset");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_that_go_from_the_result_can_be_used_on_the_way, fill,
                                        empty),
        cmocka_unit_test_setup_teardown(
            series_that_differ_by_the_name_alone_are_an_error_with_its_words, fill, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
