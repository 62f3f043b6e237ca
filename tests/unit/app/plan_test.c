/* Plans of queries, read for printing. */
#include "core/app/plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const char plan[] =
    "{\"status\":\"success\",\"data\":{\"query\":\"sum(up)\",\"plan\":{\"id\":0,\"text\":\"sum(up)"
    "\","
    "\"run\":\"aggregate\",\"once\":true,\"rows\":1,\"totalCost\":0.0025,\"actual\":{\"seconds\":2}"
    ","
    "\"children\":[{\"id\":1,\"text\":\"up\",\"run\":\"select\",\"rows\":12000,\"tasks\":2,"
    "\"samples\":3500000,\"series\":12000,\"totalCost\":1e-6,\"sameAs\":7,\"other\":[{\"x\":1}]}]},"
    "\"stats\":{\"n\":1}}}";

static int read(pl_str json, struct pl_buf *out)
{
    pl_buf_clear(out);
    return pl_plan_text(json, out);
}

static void a_plan_is_a_line_or_two_for_each_node_indented_as_the_tree_is(void **state)
{
    struct pl_buf out = PL_BUF_INIT;
    (void)state;
    assert_int_equal(read(pl_str_c(plan), &out), 0);
    pl_buf_u8(&out, 0);
    assert_string_equal((char *)out.p,
                        "sum(up)\n"
                        "  aggregate once, rows 1, cost 2.5 ms, took 2 s\n"
                        "  up\n"
                        "    select, rows 12.0k, tasks 2, series 12.0k, samples 3.5M, cost 1 us, "
                        "same as node 7\n");
    pl_buf_fini(&out);
}

static void what_is_no_plan_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "null",
                                        "[]",
                                        "{}",
                                        "{\"data\":{}}",
                                        "{\"data\":{\"plan\":[]}}",
                                        "{\"data\":{\"plan\":{\"rows\":\"1\"}}}",
                                        "{\"data\":{\"plan\":{\"children\":[1]}}}",
                                        "{\"data\":{\"plan\":{\"text\":1}}}",
                                        "{\"data\":{\"plan\":{\"actual\":2}}}"};
    struct pl_buf out = PL_BUF_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        if (read(pl_str_c(wrong[i]), &out) != PL_EPARSE) {
            fail_msg("taken for a plan: %s", wrong[i]);
        }
    }
    pl_buf_fini(&out);
}

static void every_prefix_within_the_plan_is_refused(void **state)
{
    struct pl_buf out = PL_BUF_INIT;
    size_t end = (size_t)(strstr(plan, "\"stats\"") - plan) - 2; /* before the plan's brace */
    (void)state;
    for (size_t n = 0; n <= end; n++) {
        char *copy = malloc(n + 1); /* so that a sanitizer sees what is read behind it */
        memcpy(copy, plan, n);
        assert_int_equal(read(pl_str_mem(copy, n), &out), PL_EPARSE);
        free(copy);
    }
    pl_buf_fini(&out);
}

static void no_flipped_bit_does_harm(void **state)
{
    struct pl_buf out = PL_BUF_INIT;
    char copy[sizeof(plan)];
    (void)state;
    for (size_t bit = 0; bit < (sizeof(plan) - 1) * 8; bit++) {
        memcpy(copy, plan, sizeof(plan));
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        int e = read(pl_str_mem(copy, sizeof(plan) - 1), &out);
        assert_true(e == 0 || e == PL_EPARSE);
    }
    pl_buf_fini(&out);
}

static void too_deep_a_plan_is_refused(void **state)
{
    struct pl_buf json = PL_BUF_INIT, out = PL_BUF_INIT;
    (void)state;
    pl_buf_z(&json, "{\"data\":{\"plan\":{");
    for (int i = 0; i < 10000; i++) {
        pl_buf_z(&json, "\"children\":[{");
    }
    assert_int_equal(read(pl_buf_view(&json), &out), PL_EPARSE);
    pl_buf_fini(&json);
    pl_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_a_line_or_two_for_each_node_indented_as_the_tree_is),
        cmocka_unit_test(what_is_no_plan_is_refused),
        cmocka_unit_test(every_prefix_within_the_plan_is_refused),
        cmocka_unit_test(no_flipped_bit_does_harm),
        cmocka_unit_test(too_deep_a_plan_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
