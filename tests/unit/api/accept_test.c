/* What an Accept header asks for. */
#include "core/api/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void the_heaviest_known_type_wins(void **state)
{
    static const struct {
        const char *header;
        enum pl__format want;
    } cases[] = {
        {"", PL__JSON},
        {"application/json", PL__JSON},
        {"text/csv", PL__CSV},
        {"Application/MsgPack", PL__MSGPACK},
        {"application/msgpack;q=0.1, text/csv;q=0.2", PL__CSV},
        {"application/msgpack ; q = 0.3 , text/csv;q=0.2", PL__MSGPACK},
        {"*/*, text/csv", PL__CSV}, /* equal weight: the whole type */
        {"text/*", PL__CSV},
        {"application/*;q=0.5, */*", PL__JSON},
        {"text/csv;q=0", PL__JSON},
        {"text/csv;q=nonsense", PL__JSON},
        {"text/html, image/png;q=0.9", PL__JSON},
        {",,;,=;q", PL__JSON},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(pl__accept(pl_str_c(cases[i].header)), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_heaviest_known_type_wins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
