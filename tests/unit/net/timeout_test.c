/* Coarse timeouts expire once, in order, and not when they were stopped or started anew. */
#include "core/net/timeout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct thing {
    struct pl__timeout t;
    int fired;
    struct pl__timeouts *again;
    int64_t again_at;
};

static void fire(struct pl__timeout *t)
{
    struct thing *x = PL__CONTAINER(t, struct thing, t);
    assert_null(t->in);
    x->fired++;
    if (x->again) {
        pl__timeout_start(x->again, t, x->again_at);
    }
}

static void a_timeout_fires_once_at_its_time(void **state)
{
    struct pl__timeouts ts;
    struct thing a = {0}, b = {0}, c = {0};
    (void)state;
    pl__timeouts_init(&ts, 100, fire);
    pl__timeout_start(&ts, &a.t, 0);
    pl__timeout_start(&ts, &b.t, 50);
    pl__timeout_start(&ts, &c.t, 60);
    pl__timeouts_tick(&ts, 99);
    assert_int_equal(a.fired, 0);
    pl__timeouts_tick(&ts, 100);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    pl__timeout_stop(&b.t);
    pl__timeout_stop(&b.t);
    pl__timeouts_tick(&ts, 1000);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    assert_int_equal(c.fired, 1);
}

static void starting_again_moves_the_deadline_and_keeping_does_not(void **state)
{
    struct pl__timeouts ts;
    struct thing a = {0}, b = {0};
    (void)state;
    pl__timeouts_init(&ts, 100, fire);
    pl__timeout_start(&ts, &a.t, 0);
    pl__timeout_start(&ts, &b.t, 0);
    pl__timeout_start(&ts, &a.t, 50);
    pl__timeout_keep(&ts, &b.t, 50);
    pl__timeouts_tick(&ts, 100);
    assert_int_equal(a.fired, 0);
    assert_int_equal(b.fired, 1);
    pl__timeouts_tick(&ts, 150);
    assert_int_equal(a.fired, 1);
}

static void one_that_starts_itself_again_waits_its_time(void **state)
{
    struct pl__timeouts ts;
    struct thing a = {.again = &ts, .again_at = 100};
    (void)state;
    pl__timeouts_init(&ts, 100, fire);
    pl__timeout_start(&ts, &a.t, 0);
    pl__timeouts_tick(&ts, 100);
    pl__timeouts_tick(&ts, 199);
    assert_int_equal(a.fired, 1);
    a.again = NULL;
    pl__timeouts_tick(&ts, 200);
    assert_int_equal(a.fired, 2);
}

static void a_span_of_zero_never_expires(void **state)
{
    struct pl__timeouts ts;
    struct thing a = {0};
    (void)state;
    pl__timeouts_init(&ts, 0, fire);
    pl__timeout_start(&ts, &a.t, 0);
    pl__timeouts_tick(&ts, INT64_MAX);
    assert_int_equal(a.fired, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timeout_fires_once_at_its_time),
        cmocka_unit_test(starting_again_moves_the_deadline_and_keeping_does_not),
        cmocka_unit_test(one_that_starts_itself_again_waits_its_time),
        cmocka_unit_test(a_span_of_zero_never_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
