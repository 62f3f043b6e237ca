/* multipart/form-data bodies: whole, cut short, damaged. */
#include "core/net/multipart.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define TYPE "multipart/form-data; boundary=abc"
static const char body[] = "--abc\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nup\r\n"
                           "--abc\r\nContent-Disposition: form-data; name=\"time\"\r\n\r\n\r\n"
                           "--abc--\r\n";

static size_t fields(const char *type, const char *bytes, size_t n, pl_str pairs[8])
{
    char *copy = malloc(n + 1); /* exact size: the sanitizer sees an overrun */
    assert_non_null(copy);
    char *exact = realloc(copy, n ? n : 1);
    if (n) {
        memcpy(exact, bytes, n);
    }
    size_t found = pl__multipart(pl_str_c(type), pl_str_mem(exact, n), pairs, 4);
    for (size_t i = 0; i < found && i < 4; i++) {
        assert_true(pairs[2 * i].p >= exact || pairs[2 * i].n == 0);
        assert_true(pairs[2 * i + 1].n <= n);
    }
    free(exact);
    return found;
}

static void fields_are_found_in_their_order(void **state)
{
    pl_str pairs[8];
    (void)state;
    assert_int_equal(pl__multipart(PL_STR(TYPE), pl_str_c(body), pairs, 4), 2);
    assert_true(pl_str_eq(pairs[0], PL_STR("query")) && pl_str_eq(pairs[1], PL_STR("up")));
    assert_true(pl_str_eq(pairs[2], PL_STR("time")) && pairs[3].n == 0);
    assert_int_equal(pl__multipart(PL_STR(TYPE), pl_str_c(body), NULL, 0), 2);
}

static void what_is_no_such_body_has_none(void **state)
{
    static const char *const types[] = {"",
                                        "text/plain",
                                        "multipart/form-data",
                                        "multipart/form-data; boundary=",
                                        "multipart/form-data; boundary=\"abc",
                                        "multipart/form-data; x=y; boundary=other",
                                        "multipart/mixed; boundary=abc"};
    pl_str pairs[8];
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        assert_int_equal(fields(types[i], body, sizeof(body) - 1, pairs), 0);
    }
}

static void every_prefix_and_every_flipped_bit_is_survived(void **state)
{
    pl_str pairs[8];
    char damaged[sizeof(body)];
    (void)state;
    for (size_t n = 0; n < sizeof(body); n++) {
        assert_true(fields(TYPE, body, n, pairs) <= 2);
    }
    for (size_t bit = 0; bit < (sizeof(body) - 1) * 8; bit++) {
        memcpy(damaged, body, sizeof(body));
        damaged[bit / 8] = (char)(damaged[bit / 8] ^ 1 << bit % 8);
        assert_true(fields(TYPE, damaged, sizeof(body) - 1, pairs) <= 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_in_their_order),
        cmocka_unit_test(what_is_no_such_body_has_none),
        cmocka_unit_test(every_prefix_and_every_flipped_bit_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
