/* Results as CSV: columns, quoting, histograms; numbers as Go prints them. */
#include "core/api/internal.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_csv(const struct pl_result *r, const char *wanted)
{
    struct pl_buf out = PL_BUF_INIT;
    pl__result_csv(&out, r, &(struct pl__shape){0});
    pl_buf_u8(&out, 0);
    assert_string_equal((char *)out.p, wanted);
    pl_buf_fini(&out);
}

static pl_str canon(struct pl_buf *out, const char *name, const char *value)
{
    struct pl_label l[] = {{PL_STR("__name__"), PL_STR("up")}, {pl_str_c(name), pl_str_c(value)}};
    const char *why;
    assert_true(pl_labels_canon(l, 2, out, &why) > 0);
    return pl_buf_view(out);
}

static void columns_are_all_labels_and_cells_are_quoted_where_they_must_be(void **state)
{
    static const int64_t t[] = {1000, 2500};
    static const double v[] = {1.5, NAN}, w[] = {-INFINITY};
    struct pl_buf a = PL_BUF_INIT, b = PL_BUF_INIT;
    struct pl_result_series s[] = {{canon(&a, "x", "a,\"b\"\nc"), 2, t, v},
                                   {canon(&b, "A", "plain"), 1, t, w}};
    struct pl_result r = {.type = PL_VALUE_MATRIX, .series = s, .n = 2};
    (void)state;
    assert_csv(&r, "A,__name__,x,timestamp,value\n"
                   ",up,\"a,\"\"b\"\"\nc\",1,1.5\n"
                   ",up,\"a,\"\"b\"\"\nc\",2.500,NaN\n"
                   "plain,up,,1,-Inf\n");
    r.n = 0;
    assert_csv(&r, "timestamp,value\n");
    pl_buf_fini(&a);
    pl_buf_fini(&b);
}

static void a_histogram_is_printed_as_prometheus_does(void **state)
{
    static const struct pl_hspan span = {0, 2};
    static const double counts[] = {0, 3};
    static const struct pl_histogram h = {.schema = 0,
                                          .count = 5,
                                          .sum = 4.5e6,
                                          .zero_threshold = 0.001,
                                          .zero_count = 2,
                                          .pos = {&span, counts, 1, 2}};
    const int64_t t = 1000;
    double v = pl_histogram_box((uint64_t)(uintptr_t)&h);
    struct pl_result_series s = {.n = 1, .t = &t, .v = &v};
    struct pl_result r = {.type = PL_VALUE_VECTOR, .series = &s, .n = 1};
    (void)state;
    assert_csv(&r, "timestamp,value\n1,\"{count:5, sum:4.5e+06, [-0.001,0.001]:2, (1,2]:3}\"\n");
}

static void numbers_are_those_of_go(void **state)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {100000, "100000"},
                 {1e6, "1e+06"},
                 {1234567, "1.234567e+06"},
                 {123456.7, "123456.7"},
                 {0.0001, "0.0001"},
                 {0.00001, "1e-05"},
                 {-1.5e-9, "-1.5e-09"},
                 {1e21, "1e+21"},
                 {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {5e-324, "5e-324"},
                 {NAN, "NaN"},
                 {INFINITY, "+Inf"},
                 {-INFINITY, "-Inf"},
                 {1700000000.25, "1.70000000025e+09"},
                 {0.1, "0.1"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[2 * PL_NUMBER_MAX + 1];
        text[pl__number_g(cases[i].v, text)] = 0;
        assert_string_equal(text, cases[i].text);
    }
}

static void pieces_of_any_size_are_the_whole(void **state)
{
    static const int64_t t[] = {1000, 2000, 3000, 4000};
    struct pl_hspan span = {0, 1};
    double one = 3;
    struct pl_histogram h = {
        .count = 3, .sum = 4, .pos = {.spans = &span, .n_spans = 1, .count = &one, .n = 1}};
    double mixed[] = {1, pl_histogram_boxed(&h), 2.5, pl_histogram_boxed(&h)}, v[] = {0.1, 2, 3, 4};
    pl_str warning = PL_STR("w");
    struct pl_buf a = PL_BUF_INIT, whole = PL_BUF_INIT;
    canon(&a, "x", "y,z");
    struct pl_result_series s[] = {{pl_buf_view(&a), 4, t, mixed},
                                   {{0}, 3, t, v},
                                   {pl_buf_view(&a), 1, t, mixed + 1},
                                   {{0}, 4, t, v}};
    struct pl__shape shapes[] = {{0}, {.limit = 2}, {.stats = PL__STATS_SOME}};
    (void)state;
    for (size_t k = 0; k < 6; k++) {
        const struct pl__shape *shape = &shapes[k / 2];
        struct pl_result r = {.type = k % 2 ? PL_VALUE_MATRIX : PL_VALUE_VECTOR,
                              .series = s,
                              .n = 4,
                              .warnings = &warning,
                              .n_warnings = 1};
        for (size_t i = 0; i < 4 && k % 2 == 0; i++) {
            s[i].n = 1;
        }
        for (size_t i = 0; i < 4 && k % 2; i++) {
            s[i].n = 4 - (i == 1) - 3 * (i == 2);
        }
        pl_buf_clear(&whole);
        pl__result_csv(&whole, &r, shape);
        for (size_t size = 1; size < whole.n + 2; size++) {
            struct pl_buf out = PL_BUF_INIT;
            struct pl__cursor at = {0};
            size_t before, pieces = 1;
            do {
                before = out.n;
                pieces++;
            } while (!pl__result_csv_piece(&out, &r, shape, &at, out.n + size) && out.n > before);
            pl__cursor_fini(&at);
            assert_int_equal(out.n, whole.n);
            assert_memory_equal(out.p, whole.p, whole.n);
            assert_true(size > 1 || pieces > 4);
            pl_buf_fini(&out);
        }
    }
    pl_buf_fini(&a);
    pl_buf_fini(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_all_labels_and_cells_are_quoted_where_they_must_be),
        cmocka_unit_test(a_histogram_is_printed_as_prometheus_does),
        cmocka_unit_test(numbers_are_those_of_go),
        cmocka_unit_test(pieces_of_any_size_are_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
