/* Parameters of requests that are as they should be; what is wrong is answered, and is tested over
 * HTTP (tests/e2e). */
#include "core/api/internal.h"
#include "core/net/request.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pl__request *request(const char *query)
{
    struct pl__request *r = calloc(1, sizeof(*r));
    pl_arena_init(&r->pub.arena, 0);
    r->pub.query = pl_str_c(query);
    return r;
}

static void drop(struct pl__request *r)
{
    pl_arena_fini(&r->pub.arena);
    free(r);
}

static void booleans_are_taken_as_go_takes_them(void **state)
{
    struct pl__request *r = request("a=1&b=False&c=T&empty=");
    (void)state;
    assert_true(pl__bool_param(&r->pub, "a") && pl__bool_param(&r->pub, "b") &&
                pl__bool_param(&r->pub, "c") && pl__bool_param(&r->pub, "empty") &&
                pl__bool_param(&r->pub, "absent"));
    drop(r);
}

static void what_is_absent_or_empty_leaves_the_default(void **state)
{
    struct pl__request *r = request("empty=&other=1");
    int64_t t = 77;
    uint64_t n = 77;
    (void)state;
    assert_true(pl__time_param(&r->pub, "absent", &t) && pl__time_param(&r->pub, "empty", &t));
    assert_true(pl__duration_param(&r->pub, "absent", &t) &&
                pl__duration_param(&r->pub, "empty", &t));
    assert_true(pl__limit_param(&r->pub, "absent", &n) && pl__limit_param(&r->pub, "empty", &n));
    assert_int_equal(t, 77);
    assert_int_equal(n, 77);
    drop(r);
}

static void times_durations_and_numbers_are_read(void **state)
{
    struct pl__request *r = request("t=2023-11-14T23:13:20%2B01:00&u=1700000000.5&s=1h30m&p=0.25&"
                                    "m=-5s&n=9223372036854775807&plus=%2B5");
    int64_t t;
    uint64_t n;
    (void)state;
    assert_true(pl__time_param(&r->pub, "t", &t));
    assert_int_equal(t, 1700000000000);
    assert_true(pl__time_param(&r->pub, "u", &t));
    assert_int_equal(t, 1700000000500);
    assert_true(pl__duration_param(&r->pub, "s", &t));
    assert_int_equal(t, 5400000);
    assert_true(pl__duration_param(&r->pub, "p", &t));
    assert_int_equal(t, 250);
    assert_true(pl__duration_param(&r->pub, "m", &t));
    assert_int_equal(t, -5000);
    assert_true(pl__limit_param(&r->pub, "n", &n));
    assert_true(n == INT64_MAX);
    assert_true(pl__limit_param(&r->pub, "plus", &n));
    assert_int_equal(n, 5);
    drop(r);
}

static void a_segment_of_the_path_is_found_by_its_number(void **state)
{
    pl_str path = PL_STR("/api/v1/label/job/values");
    (void)state;
    assert_true(pl_str_eq(pl__segment(path, 0), PL_STR("api")));
    assert_true(pl_str_eq(pl__segment(path, 3), PL_STR("job")));
    assert_true(pl_str_eq(pl__segment(path, 4), PL_STR("values")));
    assert_int_equal(pl__segment(path, 5).n, 0);
    assert_int_equal(pl__segment(PL_STR("/"), 2).n, 0);
}

static void selectors_are_parsed_in_their_order(void **state)
{
    struct pl__request *r = request("match[]=up&match%5B%5D=%7Bjob%3D%22a%22%7D");
    struct pl__selectors s;
    (void)state;
    assert_true(pl__selectors(&r->pub, &s));
    assert_int_equal(s.n, 2);
    pl__selectors_fini(&s);
    drop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booleans_are_taken_as_go_takes_them),
        cmocka_unit_test(what_is_absent_or_empty_leaves_the_default),
        cmocka_unit_test(times_durations_and_numbers_are_read),
        cmocka_unit_test(a_segment_of_the_path_is_found_by_its_number),
        cmocka_unit_test(selectors_are_parsed_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
