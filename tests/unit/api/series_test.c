/* Escaped names in paths. */
#include "core/api/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void escaped_names_are_what_they_stand_for(void **state)
{
    static const char *const cases[][2] = {
        {"U__a_2e_b", "a.b"},
        {"U__", ""},
        {"U__a__b", "a_b"},
        {"U___fc_", "\xc3\xbc"},
        {"U___1F600_x", "\xf0\x9f\x98\x80x"},
        {"U___20ac_", "\xe2\x82\xac"},
        {"U__a_2e", "U__a_2e"},
        {"U__a_zz_", "U__a_zz_"},
        {"U__a_d800_", "U__a_d800_"},
        {"U__a_1234567_", "U__a_1234567_"},
        {"U__a_110000_", "U__a_110000_"},
    };
    struct pl_arena arena;
    (void)state;
    pl_arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        pl_str found = pl__unescape_name(&arena, pl_str_c(cases[i][0]));
        assert_true(pl_str_eq(found, pl_str_c(cases[i][1])));
    }
    pl_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(escaped_names_are_what_they_stand_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
