/* Prometheus' JSON, read for printing. */
#include "core/app/answer.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const char vector[] =
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
    "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\\\"b\"},\"value\":[1700000000.5,\"1\"]},"
    "{\"metric\":{},\"value\":[1700000000.5,\"NaN\"]}]}}";

static void a_vector_has_a_point_for_each_series(void **state)
{
    struct pl_answer a;
    (void)state;
    assert_int_equal(pl_answer_parse(pl_str_c(vector), &a), 0);
    assert_false(a.range);
    assert_int_equal(a.n, 2);
    assert_true(pl_str_eq(a.series[0].labels, PL_STR("up{job=\"a\\\"b\"}")));
    assert_int_equal(a.series[0].n, 1);
    assert_true(a.series[0].t[0] == 1700000000.5 && a.series[0].v[0] == 1);
    assert_true(isnan(a.series[1].v[0]));
    pl_answer_fini(&a);
}

static void a_matrix_has_many_points_and_notes_are_collected(void **state)
{
    struct pl_answer a;
    (void)state;
    assert_int_equal(
        pl_answer_parse(
            PL_STR("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\","
                   "\"result\":[{\"metric\":{\"metric\":\"values\"},\"values\":[[1,\"1\"],"
                   "[2,\"+Inf\"],[3,\"-0\"]]}]},\"warnings\":[\"w1\",\"w2\"],"
                   "\"infos\":[\"i\"]}"),
            &a),
        0);
    assert_true(a.range);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.series[0].n, 3);
    assert_true(isinf(a.series[0].v[1]));
    assert_true(signbit(a.series[0].v[2]));
    assert_true(pl_str_eq(pl_buf_view(&a.notes), PL_STR("warning: w1\nwarning: w2\ninfo: i\n")));
    pl_answer_fini(&a);
}

static void scalars_strings_and_nothing_are_answers_too(void **state)
{
    struct pl_answer a;
    (void)state;
    assert_int_equal(pl_answer_parse(PL_STR("{\"status\":\"success\",\"data\":{\"resultType\":"
                                            "\"scalar\",\"result\":[1,\"2.5\"]}}"),
                                     &a),
                     0);
    assert_int_equal(a.n, 1);
    assert_true(a.series[0].v[0] == 2.5);
    pl_answer_fini(&a);
    assert_int_equal(pl_answer_parse(PL_STR("{\"status\":\"success\",\"data\":{\"resultType\":"
                                            "\"string\",\"result\":[1,\"a word\"]}}"),
                                     &a),
                     0);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.series[0].n, 0);
    assert_true(pl_str_eq(a.series[0].labels, PL_STR("a word")));
    pl_answer_fini(&a);
    assert_int_equal(pl_answer_parse(PL_STR("{\"status\":\"success\",\"data\":{\"resultType\":"
                                            "\"vector\",\"result\":[]}}"),
                                     &a),
                     0);
    assert_int_equal(a.n, 0);
    pl_answer_fini(&a);
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(vector) - 1; n++) {
        struct pl_answer a;
        char *exact = malloc(n + 1);
        memcpy(exact, vector, n);
        assert_int_equal(pl_answer_parse((pl_str){exact, n}, &a), PL_EPARSE);
        pl_answer_fini(&a);
        free(exact);
    }
}

static void every_flipped_bit_is_taken_or_refused(void **state)
{
    char copy[sizeof(vector)];
    (void)state;
    for (size_t bit = 0; bit < (sizeof(vector) - 1) * 8; bit++) {
        struct pl_answer a;
        memcpy(copy, vector, sizeof(vector));
        copy[bit / 8] ^= (char)(1 << bit % 8);
        int e = pl_answer_parse(pl_str_mem(copy, sizeof(vector) - 1), &a);
        assert_true(e == 0 || e == PL_EPARSE);
        pl_answer_fini(&a);
    }
}

static void another_document_is_no_answer(void **state)
{
    struct pl_answer a;
    (void)state;
    assert_int_equal(pl_answer_parse(PL_STR("{\"hello\":\"world\"}"), &a), PL_EPARSE);
    pl_answer_fini(&a);
    assert_int_equal(pl_answer_parse(PL_STR("<html>"), &a), PL_EPARSE);
    pl_answer_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vector_has_a_point_for_each_series),
        cmocka_unit_test(a_matrix_has_many_points_and_notes_are_collected),
        cmocka_unit_test(scalars_strings_and_nothing_are_answers_too),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_flipped_bit_is_taken_or_refused),
        cmocka_unit_test(another_document_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
