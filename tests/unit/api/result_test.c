/* Results in Prometheus' JSON. */
#include "core/api/internal.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_limited(const struct pl_result *r, uint64_t limit, const char *wanted)
{
    struct pl_buf out = PL_BUF_INIT;
    pl__result_json(&out, r, &(struct pl__shape){.limit = limit});
    pl_buf_u8(&out, 0);
    assert_string_equal((char *)out.p, wanted);
    pl_buf_fini(&out);
}

static void assert_json(const struct pl_result *r, const char *wanted)
{
    assert_limited(r, 0, wanted);
}

static void a_limit_cuts_and_says_so_behind_other_warnings(void **state)
{
    const int64_t t = 1000;
    const double v = 1;
    struct pl_result_series s[2] = {{.n = 1, .t = &t, .v = &v}, {.n = 1, .t = &t, .v = &v}};
    pl_str warning = PL_STR("w");
    struct pl_result r = {
        .type = PL_VALUE_VECTOR, .series = s, .n = 2, .warnings = &warning, .n_warnings = 1};
    (void)state;
    assert_limited(&r, 1,
                   "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
                   "{\"metric\":{},\"value\":[1,\"1\"]}]},"
                   "\"warnings\":[\"w\",\"results truncated due to limit\"]}");
    assert_limited(&r, 2,
                   "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
                   "{\"metric\":{},\"value\":[1,\"1\"]},{\"metric\":{},\"value\":[1,\"1\"]}]},"
                   "\"warnings\":[\"w\"]}");
}

static void canon(struct pl_buf *out)
{
    struct pl_label l[] = {{PL_STR("__name__"), PL_STR("up")}, {PL_STR("job"), PL_STR("a\"\n")}};
    const char *why;
    assert_true(pl_labels_canon(l, 2, out, &why) > 0);
}

static void a_scalar_is_a_point(void **state)
{
    double v = 0.1;
    struct pl_result_series s = {.n = 1, .v = &v};
    struct pl_result r = {.type = PL_VALUE_SCALAR, .series = &s, .n = 1, .t = 1700000000500};
    (void)state;
    assert_json(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":"
                    "[1700000000.500,\"0.1\"]}}");
}

static void a_string_is_escaped(void **state)
{
    struct pl_result r = {.type = PL_VALUE_STRING, .string = PL_STR("say \"hi\"\n"), .t = -1};
    (void)state;
    assert_json(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":"
                    "[-0.001,\"say \\\"hi\\\"\\n\"]}}");
}

static void a_vector_has_a_value_and_a_matrix_values(void **state)
{
    struct pl_buf labels = PL_BUF_INIT;
    const int64_t t[] = {1000, 2000};
    const double v[] = {NAN, -INFINITY};
    (void)state;
    canon(&labels);
    struct pl_result_series s = {.labels = pl_buf_view(&labels), .n = 1, .t = t, .v = v};
    struct pl_result r = {.type = PL_VALUE_VECTOR, .series = &s, .n = 1};
    assert_json(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
                    "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\\\"\\n\"},"
                    "\"value\":[1,\"NaN\"]}]}}");
    s.n = 2;
    r.type = PL_VALUE_MATRIX;
    assert_json(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
                    "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\\\"\\n\"},"
                    "\"values\":[[1,\"NaN\"],[2,\"-Inf\"]]}]}}");
    pl_buf_fini(&labels);
}

static void histograms_stand_under_a_key_of_their_own(void **state)
{
    const struct pl_hspan span = {0, 3}, minus = {1, 1};
    const double count[] = {1, 0, 2.5}, negative[] = {4}, bounds[] = {0.5, 1};
    const struct pl_histogram h = {.count = 8.5,
                                   .sum = -3,
                                   .zero_threshold = 0.001,
                                   .zero_count = 1,
                                   .pos = {&span, count, 1, 3},
                                   .neg = {&minus, negative, 1, 1}};
    const struct pl_histogram custom = {.schema = PL_HISTOGRAM_CUSTOM,
                                        .count = 3.5,
                                        .sum = NAN,
                                        .pos = {&span, count, 1, 3},
                                        .bounds = bounds,
                                        .n_bounds = 2};
    const struct pl_histogram none = {.count = 0};
    const int64_t t[] = {1000, 2000, 3000, 4000};
    const double v[] = {1, pl_histogram_boxed(&h), 2, pl_histogram_boxed(&none)};
    const double c = pl_histogram_boxed(&custom);
    struct pl_result_series s = {.n = 4, .t = t, .v = v};
    struct pl_result r = {.type = PL_VALUE_MATRIX, .series = &s, .n = 1};
    (void)state;
    assert_json(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
                    "{\"metric\":{},\"values\":[[1,\"1\"],[3,\"2\"]],\"histograms\":[[2,{"
                    "\"count\":\"8.5\",\"sum\":\"-3\",\"buckets\":[[1,\"-2\",\"-1\",\"4\"],"
                    "[3,\"-0.001\",\"0.001\",\"1\"],[0,\"0.5\",\"1\",\"1\"],"
                    "[0,\"2\",\"4\",\"2.5\"]]}],[4,{\"count\":\"0\",\"sum\":\"0\"}]]}]}}");
    s = (struct pl_result_series){.n = 1, .t = t, .v = &c};
    r.type = PL_VALUE_VECTOR;
    assert_json(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
                    "{\"metric\":{},\"histogram\":[1,{\"count\":\"3.5\",\"sum\":\"NaN\","
                    "\"buckets\":[[3,\"-Inf\",\"0.5\",\"1\"],[0,\"1\",\"+Inf\",\"2.5\"]]}]}]}}");
}

static void an_empty_result_and_notes_are_said(void **state)
{
    pl_str warnings[] = {PL_STR("one"), PL_STR("two")}, infos[] = {PL_STR("three")};
    struct pl_result r = {.type = PL_VALUE_VECTOR};
    (void)state;
    assert_json(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}");
    r.warnings = warnings;
    r.n_warnings = 2;
    r.infos = infos;
    r.n_infos = 1;
    assert_json(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]},"
                    "\"warnings\":[\"one\",\"two\"],\"infos\":[\"three\"]}");
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
    canon(&a);
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
        pl__result_json(&whole, &r, shape);
        for (size_t size = 1; size < whole.n + 2; size++) {
            struct pl_buf out = PL_BUF_INIT;
            struct pl__cursor at = {0};
            size_t before, pieces = 1;
            do {
                before = out.n;
                pieces++;
            } while (!pl__result_json_piece(&out, &r, shape, &at, out.n + size) && out.n > before);
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
        cmocka_unit_test(a_limit_cuts_and_says_so_behind_other_warnings),
        cmocka_unit_test(a_scalar_is_a_point),
        cmocka_unit_test(a_string_is_escaped),
        cmocka_unit_test(a_vector_has_a_value_and_a_matrix_values),
        cmocka_unit_test(histograms_stand_under_a_key_of_their_own),
        cmocka_unit_test(an_empty_result_and_notes_are_said),
        cmocka_unit_test(pieces_of_any_size_are_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
