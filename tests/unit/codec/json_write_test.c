/* Tests of core/codec/json_write.c. */
#include "core/codec/json.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void is(struct pl_buf *b, const char *want)
{
    pl_buf_u8(b, 0);
    assert_string_equal((char *)b->p, want);
    pl_buf_fini(b);
}

static void commas_stand_where_they_belong(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    struct pl_json_w w = pl_json_w(&b);
    pl_json_obj(&w);
    pl_json_key(&w, "a");
    pl_json_arr(&w);
    pl_json_i64(&w, 1);
    pl_json_i64(&w, INT64_MIN);
    pl_json_arr(&w);
    pl_json_arr_end(&w);
    pl_json_arr_end(&w);
    pl_json_key_s(&w, PL_STR("b"));
    pl_json_obj(&w);
    pl_json_obj_end(&w);
    pl_json_key(&w, "c");
    pl_json_bool(&w, true);
    pl_json_key(&w, "d");
    pl_json_null(&w);
    pl_json_key(&w, "e");
    pl_json_raw(&w, PL_STR("[0]"));
    pl_json_obj_end(&w);
    is(&b, "{\"a\":[1,-9223372036854775808,[]],\"b\":{},\"c\":true,\"d\":null,\"e\":[0]}");
}

static void numbers_that_json_lacks_are_strings(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    struct pl_json_w w = pl_json_w(&b);
    pl_json_arr(&w);
    pl_json_f64(&w, 0.1);
    pl_json_f64(&w, NAN);
    pl_json_f64(&w, -INFINITY);
    pl_json_arr_end(&w);
    is(&b, "[0.1,\"NaN\",\"-Inf\"]");
}

static void strings_are_escaped_and_always_utf8(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    struct pl_json_w w = pl_json_w(&b);
    pl_json_str(&w,
                pl_str_mem("a\"\\\n\r\t\x01\x00\x1f\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 19));
    is(&b, "\"a\\\"\\\\\\n\\r\\t\\u0001\\u0000\\u001f\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    w = pl_json_w(&b);
    pl_json_str(&w, PL_STR("\xff"
                           "a\xc3\xe2\x82z\xc0\x80\xed\xa0\x80\xf0\x9f\x98"));
    is(&b, "\"\xef\xbf\xbd"
           "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd"
           "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x800; c++) {
        char s[4] = {(char)c, 0, 0, 0};
        size_t n = 1;
        if (c >= 0x80) {
            s[0] = (char)(0xc0 | c >> 6);
            s[1] = (char)(0x80 | (c & 63));
            n = 2;
        }
        struct pl_buf b = PL_BUF_INIT;
        struct pl_json_w w = pl_json_w(&b);
        pl_json_str(&w, pl_str_mem(s, n));
        struct pl_json_r r;
        pl_json_r_init(&r, pl_buf_view(&b));
        assert_int_equal(pl_json_next(&r), PL_JSON_STR);
        assert_true(pl_str_eq(r.str, pl_str_mem(s, n)));
        assert_int_equal(pl_json_next(&r), PL_JSON_END);
        pl_json_r_fini(&r);
        pl_buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_where_they_belong),
        cmocka_unit_test(numbers_that_json_lacks_are_strings),
        cmocka_unit_test(strings_are_escaped_and_always_utf8),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
