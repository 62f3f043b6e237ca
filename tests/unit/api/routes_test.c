/* The table of endpoints. */
#include "core/api/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void every_path_and_method_has_one_endpoint_and_a_help(void **state)
{
    (void)state;
    assert_true(pl__n_routes > 20);
    for (size_t i = 0; i < pl__n_routes; i++) {
        const struct pl_route *a = &pl__routes[i];
        assert_true(a->methods && a->path[0] == '/' && a->run && a->help[0]);
        assert_true(i == 0 || a->path[strlen(a->path) - 1] != '/'); /* a last slash is cut */
        for (size_t k = 0; k < i; k++) {
            assert_true(strcmp(a->path, pl__routes[k].path) != 0 ||
                        !(a->methods & pl__routes[k].methods));
        }
    }
}

static void only_what_is_posted_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < pl__n_routes; i++) {
        assert_true(!pl__routes[i].writes || pl__routes[i].methods == PL_M_POST);
    }
}

static void errors_become_the_status_that_clients_know(void **state)
{
    static const struct {
        int err, status;
    } cases[] = {{PL_EPARSE, 400},   {PL_EINVAL, 400}, {PL_ECORRUPT, 400},     {PL_ENOTFOUND, 404},
                 {PL_EEXIST, 409},   {PL_ELIMIT, 413}, {PL_EUNSUPPORTED, 415}, {PL_EBUSY, 429},
                 {PL_EIO, 500},      {PL_ENOSPC, 507}, {PL_EREADONLY, 503},    {PL_ECLOSED, 503},
                 {PL_ETIMEOUT, 503}, {PL_ENOMEM, 503}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(pl__status_of(cases[i].err), cases[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_and_method_has_one_endpoint_and_a_help),
        cmocka_unit_test(only_what_is_posted_writes),
        cmocka_unit_test(errors_become_the_status_that_clients_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
