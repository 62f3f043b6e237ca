/* Tests of core/ingest/session.c. */
#include "tests/unit/ingest/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void handles_are_kept_in_a_dense_table(void **state)
{
    static struct pl_tenant t;
    struct pl_session *s;
    size_t n;
    (void)state;
    assert_int_equal(pl_session_new(&t, &s), 0);
    pl_session_table(s, &n);
    assert_int_equal(n, 0);
    assert_int_equal(pl_session_define(s, 70, 5), 0);
    assert_int_equal(pl_session_define(s, 2, 9), 0);
    assert_int_equal(pl_session_define(s, 2, 10), 0);
    const uint32_t *table = pl_session_table(s, &n);
    assert_int_equal(n, 71);
    assert_int_equal(table[70], 5);
    assert_int_equal(table[2], 10);
    assert_int_equal(table[0], PL_HANDLE_NONE);
    assert_int_equal(pl_session_define(s, PL_SESSION_HANDLES_MAX, 1), PL_ELIMIT);
    pl_session_free(s);
}

struct asked {
    char labels[8];
    size_t n;
};

static int again(void *ctx, pl_str labels, bool json, uint32_t *id)
{
    struct asked *a = ctx;
    assert_true(json);
    assert_int_equal(labels.n, 1);
    a->labels[a->n++] = labels.p[0];
    if (labels.p[0] == 'x') {
        return PL_EINVAL;
    }
    *id = 100 + (uint32_t)labels.p[0];
    return 0;
}

static void a_new_generation_of_the_tenant_asks_for_each_id_again(void **state)
{
    static struct pl_tenant t;
    struct pl_session *s;
    struct asked asked = {.n = 0};
    size_t n;
    (void)state;
    assert_int_equal(pl_session_new(&t, &s), 0);
    assert_int_equal(pl_session_keep(s, 0, PL_STR("a"), true), PL_ENOTFOUND);
    for (uint32_t h = 0; h < 5; h++) {
        assert_int_equal(pl_session_define(s, 40 * h, h), 0); /* grows with labels kept */
        if (h != 3) {
            assert_int_equal(pl_session_keep(s, 40 * h, PL_STR("y"), true), 0);
            assert_int_equal(pl_session_keep(s, 40 * h, h == 2 ? PL_STR("x") : PL_STR("a"), true),
                             0);
        }
    }
    pl_session_renew(s, again, &asked);
    assert_int_equal(asked.n, 0);
    t.generation++;
    pl_session_renew(s, again, &asked);
    assert_memory_equal(asked.labels, "aaxa", 4);
    const uint32_t *table = pl_session_table(s, &n);
    assert_int_equal(n, 161);
    assert_int_equal(table[0], 100 + 'a');
    assert_int_equal(table[40], 100 + 'a');
    assert_int_equal(table[80], PL_HANDLE_NONE);
    assert_int_equal(table[120], PL_HANDLE_NONE); /* its labels were not kept */
    assert_int_equal(table[160], 100 + 'a');
    assert_int_equal(table[1], PL_HANDLE_NONE);
    pl_session_renew(s, again, &asked);
    assert_int_equal(asked.n, 4);
    pl_session_free(s);
}

static void a_token_lends_its_session_to_one_request_at_a_time(void **state)
{
    static struct pl_tenant t, other;
    struct pl_sessions *ss;
    struct pl_session *s, *again;
    char token[33];
    (void)state;
    assert_int_equal(pl_sessions_new(&fake_clock, 10, &ss), 0);
    assert_int_equal(pl_sessions_open(ss, &t, token), 0);
    assert_int_equal(strlen(token), 32);
    assert_int_equal(pl_sessions_get(ss, &t, PL_STR("nothing"), &s), PL_ENOTFOUND);
    assert_int_equal(pl_sessions_get(ss, &other, pl_str_c(token), &s), PL_ENOTFOUND);
    assert_int_equal(pl_sessions_get(ss, &t, pl_str_c(token), &s), 0);
    assert_int_equal(pl_sessions_get(ss, &t, pl_str_c(token), &again), PL_EBUSY);
    pl_sessions_put(ss, s);
    assert_int_equal(pl_sessions_get(ss, &t, pl_str_c(token), &again), 0);
    assert_ptr_equal(s, again);
    pl_sessions_put(ss, again);
    pl_sessions_free(ss);
}

static void idle_sessions_end_after_an_hour_and_make_room(void **state)
{
    static struct pl_tenant t;
    struct pl_clock_manual m = {1000};
    struct pl_clock clock = pl_clock_manual(&m);
    struct pl_sessions *ss;
    struct pl_session *s;
    char first[33], second[33], third[33];
    (void)state;
    assert_int_equal(pl_sessions_new(&clock, 2, &ss), 0);
    assert_int_equal(pl_sessions_open(ss, &t, first), 0);
    m.ms += 3599 * 1000;
    assert_int_equal(pl_sessions_open(ss, &t, second), 0);
    assert_int_equal(pl_sessions_open(ss, &t, third), PL_ELIMIT);
    assert_int_equal(pl_sessions_get(ss, &t, pl_str_c(first), &s), 0);
    pl_sessions_put(ss, s);
    m.ms += 3601 * 1000;
    assert_int_equal(pl_sessions_get(ss, &t, pl_str_c(second), &s), PL_ENOTFOUND);
    assert_int_equal(pl_sessions_open(ss, &t, third), 0);
    assert_int_equal(pl_sessions_get(ss, &t, pl_str_c(third), &s), 0);
    m.ms += 7200 * 1000; /* borrowed all the while: it does not end */
    assert_int_equal(pl_sessions_open(ss, &t, first), 0);
    pl_sessions_put(ss, s);
    assert_int_equal(pl_sessions_get(ss, &t, pl_str_c(third), &s), 0);
    pl_sessions_put(ss, s);
    pl_sessions_free(ss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_are_kept_in_a_dense_table),
        cmocka_unit_test(a_new_generation_of_the_tenant_asks_for_each_id_again),
        cmocka_unit_test(a_token_lends_its_session_to_one_request_at_a_time),
        cmocka_unit_test(idle_sessions_end_after_an_hour_and_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
