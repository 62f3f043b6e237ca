/* Tests of core/codec/msgpack.c. */
#include "core/codec/msgpack.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pl_mp_val one(const char *bytes, size_t n)
{
    struct pl_mp m = pl_mp(pl_str_mem(bytes, n));
    struct pl_mp_val v;
    assert_int_equal(pl_mp_next(&m, &v), 1);
    assert_ptr_equal(m.p, m.end);
    return v;
}
#define ONE(literal) one(literal, sizeof(literal) - 1)

static void every_kind_of_the_specification_is_read(void **state)
{
    (void)state;
    assert_int_equal(ONE("\xc0").kind, PL_MP_NIL);
    assert_true(ONE("\xc3").b);
    assert_false(ONE("\xc2").b);
    assert_int_equal(ONE("\x7f").u, 127);
    assert_int_equal(ONE("\xe0").i, -32);
    assert_int_equal(ONE("\xff").i, -1);
    assert_int_equal(ONE("\xcc\xff").u, 255);
    assert_int_equal(ONE("\xcd\x01\x00").u, 256);
    assert_int_equal(ONE("\xce\xff\xff\xff\xff").u, UINT32_MAX);
    assert_true(ONE("\xcf\xff\xff\xff\xff\xff\xff\xff\xff").u == UINT64_MAX);
    assert_int_equal(ONE("\xd0\x80").i, -128);
    assert_int_equal(ONE("\xd0\x05").kind, PL_MP_UINT);
    assert_int_equal(ONE("\xd1\x80\x00").i, INT16_MIN);
    assert_int_equal(ONE("\xd2\x80\x00\x00\x00").i, INT32_MIN);
    assert_true(ONE("\xd3\x80\x00\x00\x00\x00\x00\x00\x00").i == INT64_MIN);
    assert_true(ONE("\xca\x3f\xc0\x00\x00").f == 1.5);
    assert_true(ONE("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00").f == 1.5);
    assert_true(pl_str_eq(ONE("\xa3"
                              "abc")
                              .s,
                          PL_STR("abc")));
    assert_true(pl_str_eq(ONE("\xd9\x03"
                              "abc")
                              .s,
                          PL_STR("abc")));
    assert_true(pl_str_eq(ONE("\xda\x00\x03"
                              "abc")
                              .s,
                          PL_STR("abc")));
    assert_true(pl_str_eq(ONE("\xdb\x00\x00\x00\x03"
                              "abc")
                              .s,
                          PL_STR("abc")));
    assert_int_equal(ONE("\xc4\x02"
                         "ab")
                         .kind,
                     PL_MP_BIN);
    assert_int_equal(ONE("\xc5\x00\x02"
                         "ab")
                         .s.n,
                     2);
    assert_int_equal(ONE("\xc6\x00\x00\x00\x02"
                         "ab")
                         .s.n,
                     2);
    struct pl_mp_val ext = ONE("\xd5\xfe"
                               "ab");
    assert_int_equal(ext.kind, PL_MP_EXT);
    assert_int_equal(ext.ext, -2);
    assert_true(pl_str_eq(ext.s, PL_STR("ab")));
    assert_true(pl_str_eq(ONE("\xc7\x03\x05"
                              "abc")
                              .s,
                          PL_STR("abc")));
    assert_int_equal(ONE("\xc8\x00\x03\x05"
                         "abc")
                         .ext,
                     5);
    assert_int_equal(ONE("\xc9\x00\x00\x00\x03\x05"
                         "abc")
                         .ext,
                     5);
    assert_int_equal(ONE("\xd8\x01"
                         "0123456789abcdef")
                         .s.n,
                     16);
    assert_int_equal(ONE("\x90").kind, PL_MP_ARRAY);
    assert_int_equal(ONE("\xdc\x00\x00").u, 0);
    assert_int_equal(ONE("\xdf\x00\x00\x00\x00").kind, PL_MP_MAP);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    static const int64_t ints[] = {
        0,         1,  127, 128, 255,  256,  65535,  65536,  UINT32_MAX, UINT32_MAX + 1ll,
        INT64_MAX, -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN,  INT32_MIN - 1ll,
        INT64_MIN};
    struct pl_buf b = PL_BUF_INIT;
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        pl_mp_w_int(&b, ints[i]);
    }
    pl_mp_w_f64(&b, pl_bits_f64(0x7ff0000000000002ull));
    struct pl_mp m = pl_mp(pl_buf_view(&b));
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        int64_t x;
        assert_int_equal(pl_mp_i64(&m, &x), 1);
        assert_true(x == ints[i]);
    }
    double d;
    assert_int_equal(pl_mp_f64(&m, &d), 1);
    assert_true(pl_f64_bits(d) == 0x7ff0000000000002ull);
    pl_buf_clear(&b);

    static char text[70000];
    memset(text, 'x', sizeof text);
    static const size_t lens[] = {0,  1,  2,  3,   4,   5,     8,     15,   16,
                                  17, 31, 32, 255, 256, 65535, 65536, 70000};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        pl_mp_w_str(&b, pl_str_mem(text, lens[i]));
        pl_mp_w_bin(&b, pl_str_mem(text, lens[i]));
        pl_mp_w_ext(&b, 7, pl_str_mem(text, lens[i]));
    }
    m = pl_mp(pl_buf_view(&b));
    for (size_t i = 0; i < 3 * (sizeof lens / sizeof lens[0]); i++) {
        struct pl_mp_val v;
        assert_int_equal(pl_mp_next(&m, &v), 1);
        assert_int_equal(v.kind, i % 3 == 0 ? PL_MP_STR : i % 3 == 1 ? PL_MP_BIN : PL_MP_EXT);
        assert_int_equal(v.s.n, lens[i / 3]);
    }
    assert_ptr_equal(m.p, m.end);
    pl_buf_fini(&b);
}

static void numbers_of_other_kinds_convert_only_where_exact(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    int64_t i;
    double d;
    pl_mp_w_f64(&b, 3.0);
    struct pl_mp m = pl_mp(pl_buf_view(&b));
    assert_int_equal(pl_mp_i64(&m, &i), 1);
    assert_int_equal(i, 3);
    static const double no_int[] = {3.5, NAN, INFINITY, 0x1p63};
    for (size_t k = 0; k < 4; k++) {
        pl_buf_clear(&b);
        pl_mp_w_f64(&b, no_int[k]);
        m = pl_mp(pl_buf_view(&b));
        assert_int_equal(pl_mp_i64(&m, &i), PL_EINVAL);
        assert_ptr_equal(m.p, m.begin);
    }
    pl_buf_clear(&b);
    pl_mp_w_uint(&b, UINT64_MAX);
    m = pl_mp(pl_buf_view(&b));
    assert_int_equal(pl_mp_i64(&m, &i), PL_EINVAL);
    assert_int_equal(pl_mp_f64(&m, &d), 1);
    assert_true(d == 0x1p64);
    m = pl_mp(PL_STR("\xa1"
                     "a"));
    assert_int_equal(pl_mp_f64(&m, &d), PL_EINVAL);
    m = pl_mp(PL_STR(""));
    assert_int_equal(pl_mp_f64(&m, &d), PL_EAGAIN);
    pl_buf_fini(&b);
}

static void skip_takes_exactly_one_value_and_bounds_the_depth(void **state)
{
    (void)state;
    struct pl_mp m = pl_mp(PL_STR("\x82\xa1"
                                  "a\x93\x01\x02\x80\xa1"
                                  "b\xc0\x05"));
    assert_int_equal(pl_mp_skip(&m), 1);
    assert_int_equal(*m.p, 5);
    assert_int_equal(pl_mp_skip(&m), 1);
    assert_int_equal(pl_mp_skip(&m), PL_EAGAIN);
    char deep[100];
    memset(deep, '\x91', sizeof deep);
    deep[64] = 1;
    m = pl_mp(pl_str_mem(deep, 65));
    assert_int_equal(pl_mp_skip(&m), 1);
    memset(deep, '\x91', sizeof deep);
    m = pl_mp(pl_str_mem(deep, sizeof deep));
    assert_int_equal(pl_mp_skip(&m), PL_ELIMIT);
    assert_ptr_equal(m.p, m.begin);
}

static void sample(struct pl_buf *b)
{
    pl_mp_w_map(b, 3);
    pl_mp_w_str(b, PL_STR("labels"));
    pl_mp_w_map(b, 1);
    pl_mp_w_str(b, PL_STR("__name__"));
    pl_mp_w_str(b, PL_STR("a metric whose name has more than 32 bytes"));
    pl_mp_w_str(b, PL_STR("t"));
    pl_mp_w_array(b, 2);
    pl_mp_w_uint(b, 1700000000000);
    pl_mp_w_int(b, -5);
    pl_mp_w_ext(b, 1, PL_STR("01234567"));
    pl_mp_w_f64(b, 0.1);
}

static void every_prefix_asks_for_more(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    sample(&b);
    for (size_t n = 0; n < b.n; n++) {
        char *exact = malloc(n + 1); /* sanitizers see a read behind it */
        memcpy(exact, b.p, n);
        struct pl_mp m = pl_mp(pl_str_mem(exact, n));
        assert_int_equal(pl_mp_skip(&m), PL_EAGAIN);
        free(exact);
    }
    struct pl_mp m = pl_mp(pl_buf_view(&b));
    assert_int_equal(pl_mp_skip(&m), 1);
    assert_ptr_equal(m.p, m.end);
    pl_buf_fini(&b);
}

static void every_bit_flip_ends_in_bounds(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    sample(&b);
    for (size_t bit = 0; bit < 8 * b.n; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct pl_mp m = pl_mp(pl_buf_view(&b));
        int rc = pl_mp_skip(&m);
        assert_true(rc == 1 || rc == PL_EAGAIN || rc == PL_ECORRUPT || rc == PL_ELIMIT);
        assert_true(m.p <= m.end);
        struct pl_mp_val v;
        m = pl_mp(pl_buf_view(&b));
        while (pl_mp_next(&m, &v) > 0) {
            assert_true(m.p <= m.end);
        }
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    pl_buf_fini(&b);
}

static void a_count_the_bytes_cannot_hold_is_cut_short(void **state)
{
    (void)state;
    struct pl_mp_val v;
    struct pl_mp m = pl_mp(PL_STR("\xdd\xff\xff\xff\xff\x01\x02"));
    assert_int_equal(pl_mp_next(&m, &v), PL_EAGAIN);
    m = pl_mp(PL_STR("\x82\x01\x02\x03"));
    assert_int_equal(pl_mp_next(&m, &v), PL_EAGAIN);
    m = pl_mp(PL_STR("\xc1"));
    assert_int_equal(pl_mp_next(&m, &v), PL_ECORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_the_specification_is_read),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(numbers_of_other_kinds_convert_only_where_exact),
        cmocka_unit_test(skip_takes_exactly_one_value_and_bounds_the_depth),
        cmocka_unit_test(every_prefix_asks_for_more),
        cmocka_unit_test(every_bit_flip_ends_in_bounds),
        cmocka_unit_test(a_count_the_bytes_cannot_hold_is_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
