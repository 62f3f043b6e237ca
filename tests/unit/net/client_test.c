/* The blocking client against our own server. */
#include "tests/unit/net/server.h"

static void on_request(void *ctx, struct pl_http_req *req)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)ctx;
    if (pl_str_eq(req->path, PL_STR("/busy"))) {
        pl_http_reply_header(req, "Retry-After", PL_STR("7"));
        pl_http_reply_text(req, 429, "later");
    } else if (pl_str_eq(req->path, PL_STR("/parts"))) {
        pl_http_reply_begin(req, 200, "text/plain");
        for (int i = 0; i < 100; i++) {
            pl_buf_f(&b, "part %d\n", i);
            pl_http_reply_write(req, &b);
        }
        pl_http_reply_end(req);
    } else if (pl_str_eq(req->path, PL_STR("/large"))) {
        memset(pl_buf_reserve(&b, 500000), 'y', 500000);
        b.n = 500000;
        pl_http_reply(req, 200, "text/plain", &b);
    } else {
        pl_str type = pl_http_header(req, "Content-Type");
        pl_str coding = pl_http_header(req, "content-encoding");
        pl_buf_f(&b, "%.*s %.*s %.*s %.*s %.*s", PL_PRS(req->method_text), PL_PRS(req->target),
                 PL_PRS(type), PL_PRS(coding), PL_PRS(req->body));
        pl_http_reply(req, 200, "application/json", &b);
    }
}

static struct server S;
static struct pl_client *C;
static char why[256];

static int setup(void **state)
{
    struct pl_net_conf conf;
    char base[128];
    (void)state;
    pl_net_conf_default(&conf);
    conf.n_loops = 1;
    S.h = (struct pl_http_handler){.request = on_request};
    server_start(&S, &conf);
    snprintf(base, sizeof(base), "http://%s/", S.bound);
    return pl_client_new(base, NULL, &C);
}

static int teardown(void **state)
{
    (void)state;
    pl_client_free(C);
    server_stop(&S);
    return 0;
}

static void what_is_asked_arrives_and_so_does_the_reply(void **state)
{
    struct pl_client_reply r;
    (void)state;
    assert_int_equal(
        pl_client_do(C, "POST", "/a?b=c", "text/x", "gzip", PL_STR("body"), &r, why, sizeof(why)),
        0);
    assert_int_equal(r.status, 200);
    assert_true(pl_str_eq(pl_buf_view(&r.body), PL_STR("POST /a?b=c text/x gzip body")));
    assert_string_equal(r.content_type, "application/json");
    assert_int_equal(r.retry_after_s, -1);
    pl_client_reply_fini(&r);
    assert_int_equal(pl_client_do(C, "DELETE", "/a", NULL, NULL, PL_STR_NULL, &r, why, sizeof(why)),
                     0);
    assert_true(pl_str_starts(pl_buf_view(&r.body), PL_STR("DELETE /a")));
    pl_client_reply_fini(&r);
    assert_int_equal(
        pl_client_do(C, "GET", "/large", NULL, NULL, PL_STR_NULL, &r, why, sizeof(why)), 0);
    assert_int_equal(r.body.n, 500000); /* it came zipped */
    pl_client_reply_fini(&r);
    assert_int_equal(pl_client_do(C, "GET", "/busy", NULL, NULL, PL_STR_NULL, &r, why, sizeof(why)),
                     0);
    assert_int_equal(r.status, 429);
    assert_int_equal(r.retry_after_s, 7);
    pl_client_reply_fini(&r);
}

struct parts {
    size_t n;
    bool stop;
};

static int on_part(void *ctx, pl_str part)
{
    struct parts *p = ctx;
    p->n += part.n;
    return p->stop ? PL_ECANCELED : 0;
}

static void a_stream_comes_in_parts_and_can_be_stopped(void **state)
{
    struct parts p = {0};
    int status = 0;
    (void)state;
    assert_int_equal(pl_client_stream(C, "GET", "/parts", NULL, PL_STR_NULL, on_part, &p, &status,
                                      why, sizeof(why)),
                     0);
    assert_int_equal(status, 200);
    assert_int_equal(p.n, 10 * 7 + 90 * 8);
    p = (struct parts){.stop = true};
    assert_int_equal(pl_client_stream(C, "GET", "/large", NULL, PL_STR_NULL, on_part, &p, &status,
                                      why, sizeof(why)),
                     0);
    assert_in_range(p.n, 1, 499999);
}

static void a_server_that_is_not_there_is_named(void **state)
{
    struct pl_client *nobody;
    struct pl_client_reply r;
    (void)state;
    assert_int_equal(pl_client_new("http://127.0.0.1:1", "team", &nobody), 0);
    why[0] = 0;
    assert_int_equal(
        pl_client_do(nobody, "GET", "/", NULL, NULL, PL_STR_NULL, &r, why, sizeof(why)), PL_EIO);
    assert_non_null(strstr(why, "127.0.0.1:1"));
    pl_client_free(nobody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_arrives_and_so_does_the_reply),
        cmocka_unit_test(a_stream_comes_in_parts_and_can_be_stopped),
        cmocka_unit_test(a_server_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
