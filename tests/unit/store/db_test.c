/* The LMDB engine does what every engine must. */
#include "tests/unit/store/engine_conformance.h"

static int open_lmdb(const char *dir, const struct pl_clock *clock, struct pl_engine **out)
{
    char why[256];
    struct pl_engine_conf conf = {.dir = dir, .clock = clock};
    return pl_lmdb_open(&conf, out, why, sizeof why);
}

static const struct engine_under_test lmdb = {open_lmdb};

int main(void)
{
    engine_conformance = &lmdb;
    const struct CMUnitTest tests[] = {ENGINE_CONFORMANCE_TESTS};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
