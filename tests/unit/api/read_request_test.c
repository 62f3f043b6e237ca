/* Remote read requests: what they ask for; cut short and damaged ones. */
#include "core/api/read_request.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* One query of [1000, 2000], {__name__="up",a!~"b.*"}, hints func rate and [1500, 1600]; STREAMED
 * before SAMPLES, packed. */
static const char usual[] = "\x0a\x30\x08\xe8\x07\x10\xd0\x0f"
                            "\x1a\x0e\x12\x08__name__\x1a\x02up"
                            "\x1a\x0a\x08\x03\x12\x01"
                            "a\x1a\x03"
                            "b.*"
                            "\x22\x0c\x12\x04rate\x18\xdc\x0b\x20\xc0\x0c"
                            "\x12\x02\x01\x00";

static int parse(const char *bytes, size_t n, struct pl__read_request *r)
{
    char why[200] = "";
    char *exact = malloc(n ? n : 1); /* exact size: the sanitizer sees an overrun */
    assert_non_null(exact);
    memcpy(exact, bytes, n);
    int e = pl__read_request_parse(pl_str_mem(exact, n), r, why, sizeof(why));
    assert_true(e == 0 || (e == PL_EPARSE && why[0]));
    free(exact);
    return e;
}

static void a_request_is_read(void **state)
{
    struct pl__read_request r;
    (void)state;
    assert_int_equal(parse(usual, sizeof(usual) - 1, &r), 0);
    assert_int_equal(r.n, 1);
    assert_true(r.streamed);
    assert_int_equal(r.query[0].t0, 1500);
    assert_int_equal(r.query[0].t1, 1600);
    assert_int_equal(r.query[0].n, 2);
    assert_int_equal(r.query[0].m[0].kind, PL_MATCH_EQ);
    assert_true(pl_str_eq(r.query[0].m[0].value, PL_STR("up")));
    assert_int_equal(r.query[0].m[1].kind, PL_MATCH_NRE);
    assert_false(pl_matcher_value(&r.query[0].m[1], PL_STR("bc")));
    pl__read_request_fini(&r);
}

static void what_is_accepted_is_the_first_type_that_we_know(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int e;
        bool streamed;
    } cases[] = {
        {"", 0, 0, false},
        {"\x12\x02\x00\x01", 4, 0, false},
        {"\x12\x02\x07\x01", 4, 0, true},
        {"\x10\x01\x10\x00", 4, 0, true}, /* not packed */
        {"\x12\x01\x07", 3, PL_EPARSE, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct pl__read_request r;
        assert_int_equal(parse(cases[i].bytes, cases[i].n, &r), cases[i].e);
        assert_true(cases[i].e < 0 || r.streamed == cases[i].streamed);
        pl__read_request_fini(&r);
    }
}

static void a_bad_matcher_is_refused(void **state)
{
    struct pl__read_request r;
    (void)state;
    assert_int_equal(parse("\x0a\x0a\x1a\x08\x08\x02\x12\x01"
                           "a\x1a\x01(",
                           12, &r),
                     PL_EPARSE);
    assert_int_equal(parse("\x0a\x04\x1a\x02\x08\x09", 6, &r), PL_EPARSE);
}

static void no_cut_and_no_flipped_bit_leads_astray(void **state)
{
    char damaged[sizeof(usual)];
    struct pl__read_request r;
    (void)state;
    for (size_t n = 0; n < sizeof(usual) - 1; n++) {
        if (parse(usual, n, &r) == 0) {
            pl__read_request_fini(&r);
        }
    }
    for (size_t bit = 0; bit < (sizeof(usual) - 1) * 8; bit++) {
        memcpy(damaged, usual, sizeof(usual));
        damaged[bit / 8] = (char)(damaged[bit / 8] ^ 1 << bit % 8);
        if (parse(damaged, sizeof(usual) - 1, &r) == 0) {
            pl__read_request_fini(&r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read),
        cmocka_unit_test(what_is_accepted_is_the_first_type_that_we_know),
        cmocka_unit_test(a_bad_matcher_is_refused),
        cmocka_unit_test(no_cut_and_no_flipped_bit_leads_astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
