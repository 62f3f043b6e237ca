/* Tests of core/codec/json.c. */
#include "core/codec/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* Tokens as letters, strings and numbers in brackets behind theirs; "!why" at an error. */
static void trace(pl_str text, struct pl_buf *out)
{
    static const char letter[] = "E{}[]KSNTF0";
    struct pl_json_r r;
    pl_json_r_init(&r, text);
    for (;;) {
        enum pl_json_tok t = pl_json_next(&r);
        if (t == PL_JSON_ERROR) {
            assert_true(r.at <= text.n);
            pl_buf_f(out, "!%s@%zu", r.why, r.at);
            break;
        }
        pl_buf_u8(out, (uint8_t)letter[t]);
        if (t == PL_JSON_KEY || t == PL_JSON_STR || t == PL_JSON_NUM) {
            pl_buf_u8(out, '<');
            pl_buf_str(out, r.str);
            pl_buf_u8(out, '>');
        }
        if (t == PL_JSON_END) {
            break;
        }
    }
    pl_json_r_fini(&r);
}

static void reads(const char *text, const char *want)
{
    struct pl_buf out = PL_BUF_INIT;
    trace(pl_str_c(text), &out);
    pl_buf_u8(&out, 0);
    assert_string_equal((char *)out.p, want);
    pl_buf_fini(&out);
}

static void tokens_come_in_order(void **state)
{
    (void)state;
    reads(" {\"a\": [1, -2.5e3, true,false ,null], \"b\":{}, \"c\" : \"x\"}\n",
          "{K<a>[N<1>N<-2.5e3>TF0]K<b>{}K<c>S<x>}E");
    reads("[]", "[]E");
    reads("\"\"", "S<>E");
    reads("0", "N<0>E");
    reads("[[[]],[{}]]", "[[[]][{}]]E");
}

static void escapes_are_undone(void **state)
{
    (void)state;
    reads("\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", "S<a\"\\/\b\f\n\r\tz>E");
    reads("\"\\u00e4\\u20AC\\ud83d\\ude00\"", "S<\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80>E");
    reads("\"\\ud83dx\\ude00\\ud83d\\u0041\"", "S<\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd"
                                               "A>E");
    reads("\"0123456789abcdef\\n0123456789abcdef\"", "S<0123456789abcdef\n0123456789abcdef>E");
}

static void strings_without_escapes_are_borrowed_from_the_text(void **state)
{
    (void)state;
    const char *text = "[\"a longer string without escapes \xc3\xa4\"]";
    struct pl_json_r r;
    pl_json_r_init(&r, pl_str_c(text));
    assert_int_equal(pl_json_next(&r), PL_JSON_ARR);
    assert_int_equal(pl_json_next(&r), PL_JSON_STR);
    assert_ptr_equal(r.str.p, text + 2);
    assert_null(r.text.p);
    pl_json_r_fini(&r);
}

static void what_is_no_json_is_refused_with_place_and_reason(void **state)
{
    (void)state;
    reads("", "!ends where a value should stand@0");
    reads("[1,]", "[N<1>!not a value@3");
    reads("[1 2]", "[N<1>!no comma or ] behind a value@3");
    reads("{\"a\" 1}", "{!no colon behind a key@5");
    reads("{a:1}", "{!not a key@1");
    reads("{\"a\":1,}", "{K<a>N<1>!not a key@7");
    reads("{\"a\":1]", "{K<a>N<1>!no comma or } behind a value@6");
    reads("1 1", "N<1>!more behind the value@2");
    reads("tru", "!unknown word@0");
    reads("\"a", "!string does not end@0");
    reads("\"a\\", "!bad escape in string@2");
    reads("\"\\x\"", "!bad escape in string@1");
    reads("\"\\u12g4\"", "!bad escape in string@1");
    reads("\"a\nb\"", "!control character in string@2");
    reads("\"\xff\"", "!string is not UTF-8@0");
    reads("\"abcdefghijkl\xc3\"", "!string is not UTF-8@0");
    reads("]", "!not a value@0");
    reads("NaN", "!not a value@0");
    static const char *const numbers[] = {"01",  "-",    "+1", "1.",        ".5", "1.e5", "1e",
                                          "1e+", "0x10", "-a", "-Infinity", "00", "--1"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct pl_json_r r;
        pl_json_r_init(&r, pl_str_c(numbers[i]));
        assert_int_equal(pl_json_next(&r), PL_JSON_ERROR);
        assert_int_equal(pl_json_next(&r), PL_JSON_ERROR);
        pl_json_r_fini(&r);
    }
    reads("1e999", "!number is too large@0");
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[2 * PL_JSON_DEPTH_MAX + 2];
    struct pl_json_r r;
    memset(text, '[', sizeof text);
    memset(text + PL_JSON_DEPTH_MAX, ']', PL_JSON_DEPTH_MAX);
    pl_json_r_init(&r, pl_str_mem(text, 2 * PL_JSON_DEPTH_MAX));
    assert_int_equal(pl_json_skip(&r), 0);
    assert_int_equal(pl_json_next(&r), PL_JSON_END);
    memset(text, '[', sizeof text);
    pl_json_r_init(&r, pl_str_mem(text, sizeof text));
    assert_int_equal(pl_json_skip(&r), PL_EPARSE);
    assert_string_equal(r.why, "nested too deeply");
    pl_json_r_fini(&r);
}

static void skip_passes_one_value_wherever_the_parser_stands(void **state)
{
    (void)state;
    struct pl_json_r r;
    pl_json_r_init(&r, PL_STR("{\"a\":{\"x\":[1,{}]},\"b\":2,\"c\":[3,[4]],\"d\":5}"));
    assert_int_equal(pl_json_next(&r), PL_JSON_OBJ);
    assert_int_equal(pl_json_next(&r), PL_JSON_KEY);
    assert_int_equal(pl_json_skip(&r), 0); /* the value of a */
    assert_int_equal(pl_json_skip(&r), 0); /* b with its value */
    assert_int_equal(pl_json_next(&r), PL_JSON_KEY);
    assert_true(pl_str_eq(r.str, PL_STR("c")));
    assert_int_equal(pl_json_next(&r), PL_JSON_ARR);
    assert_int_equal(pl_json_skip(&r), 0); /* the rest of the array just begun */
    assert_int_equal(pl_json_next(&r), PL_JSON_KEY);
    assert_true(pl_str_eq(r.str, PL_STR("d")));
    assert_int_equal(pl_json_skip(&r), 0);
    assert_int_equal(pl_json_next(&r), PL_JSON_OBJ_END);
    assert_int_equal(pl_json_next(&r), PL_JSON_END);
    pl_json_r_reset(&r, PL_STR("[1"));
    assert_int_equal(pl_json_skip(&r), PL_EPARSE);
    pl_json_r_reset(&r, PL_STR("[]"));
    assert_int_equal(pl_json_next(&r), PL_JSON_ARR);
    assert_int_equal(pl_json_skip(&r), 0);
    assert_int_equal(pl_json_next(&r), PL_JSON_END);
    pl_json_r_fini(&r);
}

static const char sample[] =
    "{\"a\":[1,-2.5e-3,true,null],\"b\\u00e4\":\"\\ud83d\\ude00 \xc3\xa4\"}";

static void every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof sample - 1; n++) {
        char *exact = malloc(n + 1);
        memcpy(exact, sample, n);
        struct pl_json_r r;
        pl_json_r_init(&r, pl_str_mem(exact, n));
        assert_int_equal(pl_json_skip(&r), PL_EPARSE);
        pl_json_r_fini(&r);
        free(exact);
    }
}

static void every_bit_flip_ends_in_bounds(void **state)
{
    (void)state;
    char copy[sizeof sample];
    memcpy(copy, sample, sizeof sample);
    for (size_t bit = 0; bit < 8 * (sizeof sample - 1); bit++) {
        struct pl_buf out = PL_BUF_INIT;
        copy[bit / 8] ^= (char)(1 << bit % 8);
        trace(pl_str_mem(copy, sizeof sample - 1), &out);
        assert_true(out.n > 0);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        pl_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_come_in_order),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(strings_without_escapes_are_borrowed_from_the_text),
        cmocka_unit_test(what_is_no_json_is_refused_with_place_and_reason),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(skip_passes_one_value_wherever_the_parser_stands),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_bit_flip_ends_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
