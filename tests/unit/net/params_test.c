/* Percent-coding, and parameters from query string and form body. */
#include "core/net/request.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void decoding_undoes_what_encoding_did(void **state)
{
    struct pl_arena a;
    struct pl_buf all = PL_BUF_INIT, coded = PL_BUF_INIT;
    (void)state;
    pl_arena_init(&a, 0);
    for (int c = 0; c < 256; c++) {
        pl_buf_u8(&all, (uint8_t)c);
    }
    pl_url_encode(&coded, pl_buf_view(&all));
    for (size_t i = 0; i < coded.n; i++) {
        assert_true(coded.p[i] > ' ' && coded.p[i] < 0x7f && coded.p[i] != '&' &&
                    coded.p[i] != '=');
    }
    assert_true(pl_str_eq(pl_url_decode(&a, pl_buf_view(&coded), true), pl_buf_view(&all)));
    assert_true(pl_str_eq(pl_url_decode(&a, PL_STR("a+b%2B"), true), PL_STR("a b+")));
    assert_true(pl_str_eq(pl_url_decode(&a, PL_STR("a+b%2b"), false), PL_STR("a+b+")));
    assert_non_null(pl_url_decode(&a, PL_STR(""), false).p);
    pl_buf_fini(&all);
    pl_buf_fini(&coded);
    pl_arena_fini(&a);
}

static void a_wrong_escape_is_refused(void **state)
{
    static const char *const bad[] = {"%", "%4", "a%", "%g0", "%0g", "%%41", "% 41"};
    struct pl_arena a;
    (void)state;
    pl_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *copy = strdup(bad[i]); /* exact size: the sanitizer sees an overrun */
        assert_null(pl_url_decode(&a, pl_str_c(copy), true).p);
        free(copy);
    }
    pl_arena_fini(&a);
}

static struct pl__request *request(const char *query, const char *type, const char *form)
{
    struct pl__request *r = calloc(1, sizeof(*r));
    pl_arena_init(&r->pub.arena, 0);
    r->pub.query = pl_str_c(query);
    r->pub.body = pl_str_c(form);
    r->pub.method = PL_POST;
    if (type) {
        r->head.header[0] = (struct pl__header){PL_STR("content-type"), pl_str_c(type)};
        r->head.n_headers = 1;
    }
    return r;
}

static void drop(struct pl__request *r)
{
    pl_arena_fini(&r->pub.arena);
    free(r);
}

static void parameters_come_from_query_and_form(void **state)
{
    struct pl__request *r =
        request("match%5B%5D=a&x=&match[]=b+c&&flag&match%5b]=%zz",
                "application/x-www-form-urlencoded; charset=utf-8", "match[]=d%20e&query=up%7B%7D");
    static const char *const want[] = {"d e", "a", "b c", "%zz"}; /* as in Go */
    pl_str v;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(pl_http_param_at(&r->pub, "match[]", i, &v));
        assert_true(pl_str_eq(v, pl_str_c(want[i])));
    }
    assert_false(pl_http_param_at(&r->pub, "match[]", 4, &v));
    assert_true(pl_str_eq(pl_http_param(&r->pub, "query"), PL_STR("up{}")));
    v = pl_http_param(&r->pub, "x");
    assert_true(v.p && v.n == 0);
    assert_true(pl_http_param_at(&r->pub, "flag", 0, &v) && v.n == 0);
    assert_null(pl_http_param(&r->pub, "absent").p);
    drop(r);
}

static void a_body_that_is_no_form_has_no_parameters(void **state)
{
    struct pl__request *r = request("", "text/plain", "x=1");
    (void)state;
    assert_null(pl_http_param(&r->pub, "x").p);
    drop(r);
    r = request("", NULL, "x=1");
    assert_null(pl_http_param(&r->pub, "x").p);
    drop(r);
}

static void a_body_that_is_data_or_of_a_get_has_no_parameters(void **state)
{
    struct pl__request *r = request("a=1", "application/x-www-form-urlencoded", "x=1");
    (void)state;
    r->pub.body_is_data = true;
    assert_null(pl_http_param(&r->pub, "x").p);
    assert_true(pl_str_eq(pl_http_param(&r->pub, "a"), PL_STR("1")));
    drop(r);
    r = request("a=1", "application/x-www-form-urlencoded", "x=1");
    r->pub.method = PL_GET;
    assert_null(pl_http_param(&r->pub, "x").p);
    drop(r);
}

static void parts_of_a_multipart_body_stand_behind_the_query_string(void **state)
{
    struct pl__request *r =
        request("match[]=a", "multipart/form-data; charset=utf-8; boundary=\"x y\"",
                "before\r\n--x y\r\nContent-Disposition: form-data; name=\"match[]\"\r\n\r\n"
                "b\r\n+%41\r\n--x y\r\ncontent-disposition: form-data; name=query\r\n"
                "Content-Type: text/plain\r\n\r\n\r\n--x y\r\nContent-Disposition: form-data; "
                "name=\"f\"; filename=\"f\"\r\n\r\nfile\r\n--x y--\r\nbehind");
    pl_str v;
    (void)state;
    assert_true(pl_http_param_at(&r->pub, "match[]", 0, &v) && pl_str_eq(v, PL_STR("a")));
    assert_true(pl_http_param_at(&r->pub, "match[]", 1, &v) && pl_str_eq(v, PL_STR("b\r\n+%41")));
    assert_false(pl_http_param_at(&r->pub, "match[]", 2, &v));
    v = pl_http_param(&r->pub, "query");
    assert_true(v.p && v.n == 0);
    assert_null(pl_http_param(&r->pub, "f").p);
    drop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_undoes_what_encoding_did),
        cmocka_unit_test(a_wrong_escape_is_refused),
        cmocka_unit_test(parameters_come_from_query_and_form),
        cmocka_unit_test(a_body_that_is_no_form_has_no_parameters),
        cmocka_unit_test(a_body_that_is_data_or_of_a_get_has_no_parameters),
        cmocka_unit_test(parts_of_a_multipart_body_stand_behind_the_query_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
