/* What names an answer, and who waits with whom. What is kept, and for how long, is the query
 * cache's (tests/unit/query), and is tested over HTTP (tests/e2e). */
#include "core/api/internal.h"
#include "core/net/request.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct asked {
    enum pl_http_method method;
    const char *path, *query, *body, *type, *accept, *encoding;
    uintptr_t tenant;
    enum pl__stats stats;
};

static const struct asked usual = {.method = PL_POST,
                                   .path = "/api/v1/query",
                                   .query = "query=up&time=1",
                                   .body = "query=down",
                                   .type = "application/x-www-form-urlencoded",
                                   .accept = "application/json",
                                   .encoding = "identity",
                                   .tenant = 64};

/** Appends the key of what was asked; none where its answer is not kept. */
static void key_of(const struct asked *q, struct pl_buf *key)
{
    struct pl_api *a = calloc(1, sizeof(*a));
    struct pl__request *r = calloc(1, sizeof(*r));
    const struct pl__header header[] = {{PL_STR("Content-Type"), pl_str_c(q->type)},
                                        {PL_STR("Accept"), pl_str_c(q->accept)},
                                        {PL_STR("Accept-Encoding"), pl_str_c(q->encoding)}};
    struct pl_job_args args = {
        .tenant = (struct pl_tenant *)q->tenant, .stats = q->stats, .repeats = true};
    pl_arena_init(&r->pub.arena, 0);
    r->pub.method = q->method;
    r->pub.path = pl_str_c(q->path);
    r->pub.query = pl_str_c(q->query);
    r->pub.body = pl_str_c(q->body);
    memcpy(r->head.header, header, sizeof(header));
    r->head.n_headers = 3;
    assert_false(pl__cached_answer(a, &r->pub, &args, key));
    pl_arena_fini(&r->pub.arena);
    free(r);
    free(a);
}

static bool same_key(const struct asked *x, const struct asked *y)
{
    struct pl_buf one = PL_BUF_INIT, two = PL_BUF_INIT;
    key_of(x, &one);
    key_of(y, &two);
    assert_true(one.n && two.n);
    bool same = pl_str_eq(pl_buf_view(&one), pl_buf_view(&two));
    pl_buf_fini(&one);
    pl_buf_fini(&two);
    return same;
}

static void the_same_request_has_the_same_key(void **state)
{
    (void)state;
    assert_true(same_key(&usual, &usual));
}

static void all_that_an_answer_depends_on_is_in_its_key(void **state)
{
    struct asked other[9];
    (void)state;
    for (size_t i = 0; i < 9; i++) {
        other[i] = usual;
    }
    other[0].method = PL_GET; /* whose body is no parameters */
    other[1].path = "/api/v1/query_range";
    other[2].query = "query=up&time=2";
    other[3].body = "query=gone";
    other[4].type = "text/plain"; /* likewise */
    other[5].accept = "text/csv";
    other[6].encoding = "gzip";
    other[7].tenant = 128;
    other[8].query = "query=up&time=1query=down"; /* parts do not run into each other */
    other[8].body = "";
    for (size_t i = 0; i < 9; i++) {
        if (same_key(&usual, &other[i])) {
            fail_msg("request %zu has the key of another", i);
        }
    }
}

static void a_weight_of_gzip_over_zero_is_a_wish_for_it(void **state)
{
    struct asked weighed = usual, zipped = usual, refused = usual;
    (void)state;
    zipped.encoding = "gzip";
    weighed.encoding = "br;q=0, gzip;q=0.5";
    refused.encoding = "gzip;q=0";
    assert_true(same_key(&zipped, &weighed));
    assert_true(same_key(&usual, &refused));
}

static void what_is_not_to_be_kept_has_no_key(void **state)
{
    struct pl_buf key = PL_BUF_INIT;
    struct asked fresh = usual, told = usual;
    (void)state;
    fresh.query = "query=up&time=1&nocache=1";
    key_of(&fresh, &key);
    assert_int_equal(key.n, 0);
    told.stats = PL__STATS_ALL;
    key_of(&told, &key);
    assert_int_equal(key.n, 0);
    pl_buf_fini(&key);
}

/* ------------------------------------------------------------------ flights */

struct jobs {
    struct pl_api *a;
    struct pl_job job[3];
};

static void jobs_begin(struct jobs *x)
{
    *x = (struct jobs){.a = calloc(1, sizeof(*x->a))};
    pthread_mutex_init(&x->a->flights_lock, NULL);
    for (size_t i = 0; i < 3; i++) {
        x->job[i].api = x->a;
        x->job[i].content_type = "application/json";
        pl_buf_z(&x->job[i].key, "R the same");
    }
}

static void jobs_end(struct jobs *x)
{
    for (size_t i = 0; i < 3; i++) {
        pl_buf_fini(&x->job[i].key);
    }
    pthread_mutex_destroy(&x->a->flights_lock);
    free(x->a);
}

static void equal_requests_wait_for_the_first_one(void **state)
{
    struct jobs x;
    (void)state;
    jobs_begin(&x);
    assert_false(pl__flight_join(&x.job[0]));
    assert_true(pl__flight_join(&x.job[1]));
    struct pl_job *with = pl__flight_end(&x.job[0]);
    assert_ptr_equal(with, &x.job[1]);
    assert_null(with->followers);
    assert_false(pl__flight_join(&x.job[2])); /* it came too late */
    assert_null(pl__flight_end(&x.job[2]));
    jobs_end(&x);
}

static void a_run_is_cancelled_when_all_that_wait_for_it_have_gone(void **state)
{
    struct jobs x;
    (void)state;
    jobs_begin(&x);
    assert_false(pl__flight_join(&x.job[0]));
    assert_true(pl__flight_join(&x.job[1]));
    pl__flight_abort(&x.job[0]);
    assert_false(x.job[0].cancel);
    pl__flight_abort(&x.job[1]);
    assert_true(x.job[0].cancel);
    assert_false(pl__flight_join(&x.job[2]));
    (void)pl__flight_end(&x.job[2]);
    (void)pl__flight_end(&x.job[0]);
    jobs_end(&x);
}

static void nobody_waits_with_a_query_that_was_killed(void **state)
{
    struct jobs x;
    (void)state;
    jobs_begin(&x);
    assert_false(pl__flight_join(&x.job[0]));
    x.job[0].cancel = true;
    assert_false(pl__flight_join(&x.job[1]));
    assert_true(pl__flight_join(&x.job[2]));
    assert_null(pl__flight_end(&x.job[0]));
    assert_ptr_equal(pl__flight_end(&x.job[1]), &x.job[2]);
    jobs_end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_request_has_the_same_key),
        cmocka_unit_test(all_that_an_answer_depends_on_is_in_its_key),
        cmocka_unit_test(a_weight_of_gzip_over_zero_is_a_wish_for_it),
        cmocka_unit_test(what_is_not_to_be_kept_has_no_key),
        cmocka_unit_test(equal_requests_wait_for_the_first_one),
        cmocka_unit_test(a_run_is_cancelled_when_all_that_wait_for_it_have_gone),
        cmocka_unit_test(nobody_waits_with_a_query_that_was_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
