/* Tests of core/ingest/doc.c. */
#include "core/ingest/doc.h"
#include "core/model/model.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pl_doc open_json(const char *text)
{
    struct pl_doc d;
    const char *why;
    size_t at;
    assert_int_equal(pl_doc_open(pl_str_c(text), true, &d, &why, &at), 0);
    return d;
}

static struct pl_doc open_mp(const struct pl_buf *b)
{
    struct pl_doc d;
    const char *why;
    size_t at;
    assert_int_equal(pl_doc_open(pl_buf_view(b), false, &d, &why, &at), 0);
    return d;
}

static void maps_of_json_are_walked_in_order(void **state)
{
    struct pl_doc d = open_json(" {\"a\" : [1, {\"x\":\"]}\\\"\"}] , \"b\":null,\"c\":-1.5e3}");
    struct pl_doc_walk w;
    struct pl_doc k, v;
    double x;
    (void)state;
    pl_doc_walk(&w, &d);
    assert_true(pl_doc_step(&w, &k, &v));
    assert_true(pl_doc_is(&k, "a"));
    assert_int_equal(v.kind, PL_DOC_ARRAY);
    assert_int_equal(v.at, 8);
    size_t n;
    assert_int_equal(pl_doc_count(&v, &n), 0);
    assert_int_equal(n, 2);
    assert_true(pl_doc_step(&w, &k, &v));
    assert_int_equal(v.kind, PL_DOC_NULL);
    assert_true(pl_doc_step(&w, &k, &v));
    assert_true(pl_doc_is(&k, "c"));
    assert_int_equal(pl_doc_f64(&v, &x), 0);
    assert_true(x == -1500);
    assert_false(pl_doc_step(&w, &k, &v));
}

static void strings_of_json_lose_their_escapes(void **state)
{
    struct pl_buf text = PL_BUF_INIT;
    struct pl_doc d = open_json("\"a\\n\\u00e9\\\"\"");
    pl_str s;
    (void)state;
    pl_buf_reserve(&text, 100);
    assert_int_equal(pl_doc_string(&d, &text, &s), 0);
    assert_true(pl_str_eq(s, PL_STR("a\n\xc3\xa9\"")));
    d = open_json("5");
    assert_int_equal(pl_doc_string(&d, &text, &s), PL_EINVAL);
    pl_buf_fini(&text);
}

static void numbers_may_be_the_words_that_json_has_none_for(void **state)
{
    struct pl_doc d;
    double x;
    (void)state;
    d = open_json("\"NaN\"");
    assert_int_equal(pl_doc_f64(&d, &x), 0);
    assert_true(isnan(x));
    d = open_json("\"-Inf\"");
    assert_int_equal(pl_doc_f64(&d, &x), 0);
    assert_true(x == -INFINITY);
    d = open_json("\"stale\"");
    assert_int_equal(pl_doc_f64(&d, &x), 0);
    assert_true(pl_is_stale(x));
    d = open_json("\"5\"");
    assert_int_equal(pl_doc_f64(&d, &x), PL_EINVAL);
    d = open_json("true");
    assert_int_equal(pl_doc_f64(&d, &x), PL_EINVAL);
}

static void times_are_whole_numbers(void **state)
{
    struct pl_doc d;
    int64_t t;
    (void)state;
    d = open_json("1.7e12");
    assert_int_equal(pl_doc_i64(&d, &t), 0);
    assert_true(t == 1700000000000);
    d = open_json("9007199254740993");
    assert_int_equal(pl_doc_i64(&d, &t), 0);
    assert_true(t == 9007199254740993);
    d = open_json("1.5");
    assert_int_equal(pl_doc_i64(&d, &t), PL_EINVAL);
    d = open_json("1e300");
    assert_int_equal(pl_doc_i64(&d, &t), PL_EINVAL);
    d = open_json("\"5\"");
    assert_int_equal(pl_doc_i64(&d, &t), PL_EINVAL);
}

static void columns_come_packed_or_as_lists(void **state)
{
    double in[3] = {1.5, -0.0, NAN}, v[3] = {0};
    int64_t t[3];
    uint32_t mark[3] = {0}, h[3];
    struct pl_buf b = PL_BUF_INIT;
    struct pl_doc d;
    size_t n;
    (void)state;
    pl_mp_w_ext(&b, PL_EXT_F64, pl_str_mem(in, sizeof(in)));
    d = open_mp(&b);
    assert_int_equal(pl_doc_count(&d, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(pl_doc_column_f64(&d, v, n, mark, 7), 0);
    assert_memory_equal(in, v, sizeof(in));
    assert_int_equal(pl_doc_column_time(&d, t, n, mark, 7), PL_EINVAL);
    assert_int_equal(pl_doc_column_u32(&d, h, n, 7), PL_EINVAL);
    pl_buf_clear(&b);
    pl_mp_w_ext(&b, PL_EXT_I64, pl_str_mem(in, 23)); /* not a multiple of 8 */
    d = open_mp(&b);
    assert_int_equal(pl_doc_count(&d, &n), PL_EINVAL);
    pl_buf_clear(&b);
    pl_mp_w_ext(&b, 9, pl_str_mem(in, 24));
    d = open_mp(&b);
    assert_int_equal(pl_doc_count(&d, &n), PL_EINVAL);
    pl_buf_clear(&b);
    pl_mp_w_array(&b, 3);
    pl_mp_w_int(&b, -5);
    pl_mp_w_nil(&b);
    pl_mp_w_f64(&b, 2);
    d = open_mp(&b);
    assert_int_equal(pl_doc_column_f64(&d, v, 3, mark, 7), 0);
    assert_true(v[0] == -5 && v[2] == 2);
    assert_true(mark[0] == 0 && mark[1] == 7 && mark[2] == 0);
    assert_int_equal(pl_doc_column_u32(&d, h, 3, 7), 0);
    assert_true(h[0] == 7 && h[1] == 7 && h[2] == 2);
    pl_buf_fini(&b);
}

static int time_of(const char *bytes, size_t n, int64_t *ms)
{
    struct pl_buf b = PL_BUF_INIT;
    struct pl_doc d;
    size_t count = 0;
    pl_mp_w_ext(&b, -1, pl_str_mem(bytes, n));
    d = open_mp(&b);
    if (d.kind == PL_DOC_TIME) {
        assert_int_equal(pl_doc_count(&d, &count), 0);
        assert_int_equal(count, 1);
        assert_int_equal(pl_doc_i64(&d, ms), PL_EINVAL); /* no handle, no number */
    }
    int e = d.kind == PL_DOC_TIME ? pl_doc_time(&d, ms) : PL_EUNSUPPORTED;
    pl_buf_fini(&b);
    return e;
}

static void timestamps_of_msgpack_are_times_in_each_of_their_lengths(void **state)
{
    int64_t ms = 0;
    (void)state;
    assert_int_equal(time_of("\x65\x53\xf1\x00", 4, &ms), 0);
    assert_int_equal(ms, 1700000000000);
    /* 999999999 ns << 34 | 1700000000 */
    assert_int_equal(time_of("\xee\x6b\x27\xfc\x65\x53\xf1\x00", 8, &ms), 0);
    assert_int_equal(ms, 1700000000999);
    assert_int_equal(time_of("\x00\x0f\x42\x40\xff\xff\xff\xff\xff\xff\xff\xff", 12, &ms), 0);
    assert_int_equal(ms, -999);
    assert_int_equal(time_of("\x3b\x9a\xca\x00\0\0\0\0\0\0\0\1", 12, &ms), PL_EINVAL);
    assert_int_equal(time_of("\0\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, &ms), PL_EINVAL);
    assert_int_equal(time_of("\0\0\0\0\x80\0\0\0\0\0\0\0", 12, &ms), PL_EINVAL);
    assert_int_equal(time_of("\0\0\0\0\0", 5, &ms), PL_EUNSUPPORTED);
}

static void bodies_that_cannot_be_read_say_why_and_where(void **state)
{
    struct pl_doc d;
    const char *why = NULL;
    size_t at;
    (void)state;
    assert_int_equal(pl_doc_open(PL_STR("{\"a\":}"), true, &d, &why, &at), PL_EPARSE);
    assert_int_equal(at, 5);
    assert_non_null(why);
    assert_int_equal(pl_doc_open(PL_STR(""), true, &d, &why, &at), PL_EPARSE);
    assert_int_equal(pl_doc_open(PL_STR(""), false, &d, &why, &at), PL_EPARSE);
    assert_int_equal(pl_doc_open(PL_STR("\x92\x01"), false, &d, &why, &at), PL_EPARSE);
    assert_non_null(strstr(why, "early"));
    assert_int_equal(pl_doc_open(PL_STR("\x01\x01"), false, &d, &why, &at), PL_EPARSE);
    assert_non_null(strstr(why, "behind"));
}

static unsigned tree(const struct pl_doc *d)
{
    struct pl_doc_walk w;
    struct pl_doc k, v;
    unsigned n = 1;
    pl_doc_walk(&w, d);
    while (pl_doc_step(&w, &k, &v)) {
        n += tree(&v);
    }
    return n;
}

static void flipped_and_cut_bodies_are_refused_or_walked_within_their_bytes(void **state)
{
    static const char json[] = "{\"a\":[1,{\"b\":\"c\\\\\"}],\"d\":[[],{}]}";
    struct pl_buf mp = PL_BUF_INIT;
    (void)state;
    pl_mp_w_map(&mp, 2);
    pl_mp_w_str(&mp, PL_STR("a"));
    pl_mp_w_array(&mp, 2);
    pl_mp_w_f64(&mp, 1);
    pl_mp_w_ext(&mp, 3, PL_STR("12345678"));
    pl_mp_w_str(&mp, PL_STR("b"));
    pl_mp_w_array(&mp, 0);
    for (int is_json = 0; is_json < 2; is_json++) {
        pl_str in = is_json ? pl_str_c(json) : pl_buf_view(&mp);
        for (size_t i = 0; i < in.n * 9; i++) {
            size_t n = i < in.n ? i : in.n;
            char *copy = malloc(n ? n : 1);
            struct pl_doc d;
            const char *why;
            size_t at;
            memcpy(copy, in.p, n);
            if (i >= in.n) {
                copy[(i - in.n) / 8] ^= (char)(1 << ((i - in.n) % 8));
            }
            if (pl_doc_open(pl_str_mem(copy, n), is_json, &d, &why, &at) == 0) {
                assert_true(i >= in.n && tree(&d) >= 1);
            } else {
                assert_true(at <= n);
            }
            free(copy);
        }
    }
    pl_buf_fini(&mp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_of_json_are_walked_in_order),
        cmocka_unit_test(strings_of_json_lose_their_escapes),
        cmocka_unit_test(numbers_may_be_the_words_that_json_has_none_for),
        cmocka_unit_test(times_are_whole_numbers),
        cmocka_unit_test(columns_come_packed_or_as_lists),
        cmocka_unit_test(timestamps_of_msgpack_are_times_in_each_of_their_lengths),
        cmocka_unit_test(bodies_that_cannot_be_read_say_why_and_where),
        cmocka_unit_test(flipped_and_cut_bodies_are_refused_or_walked_within_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
