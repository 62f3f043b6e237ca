/* Fault points: their grammar and when they strike; in a release build that they cost nothing. */
#include "tests/unit/unit.h"
#include "core/base/fault.h"
#include "perilune/err.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef PL_FAULTS
TEST(a_fault_strikes_at_its_point_only_and_until_it_is_cleared)
{
    assert_int_equal(pl_fault_set("journal.sync=EIO, flush.commit=short"), PL_OK);
    assert_int_equal(PL_FAULT("journal.sync"), PL_EIO);
    assert_int_equal(PL_FAULT("journal.sync"), PL_EIO);
    assert_int_equal(PL_FAULT("flush.commit"), PL_FAULT_SHORT);
    assert_int_equal(PL_FAULT("journal.write"), 0);
    assert_int_equal(pl_fault_set(NULL), PL_OK);
    assert_int_equal(PL_FAULT("journal.sync"), 0);
}

TEST(a_numbered_fault_strikes_at_that_pass_and_at_no_other)
{
    assert_int_equal(pl_fault_set("a.write=ENOSPC@3,a.write=ENOMEM@5"), PL_OK);
    static const int want[] = {0, 0, PL_ENOSPC, 0, PL_ENOMEM, 0};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(PL_FAULT("a.write"), want[i]);
    }
    pl_fault_set(NULL);
}

TEST(a_list_that_cannot_be_read_changes_nothing)
{
    static const char *const bad[] = {"a",       "a=",     "=EIO",    "a=EWHAT",
                                      "a=EIO@0", "a=EIO@", "a=EIO@x", "b=EIO,,c=EIO"};
    assert_int_equal(pl_fault_set("a.write=EIO"), PL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(pl_fault_set(bad[i]), PL_EPARSE);
    }
    assert_int_equal(PL_FAULT("a.write"), PL_EIO);
    pl_fault_set(NULL);
}

TEST(kill_ends_the_process_at_once)
{
    pid_t child = fork();
    if (child == 0) {
        pl_fault_set("here=kill");
        pl_fault("here");
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_strikes_at_its_point_only_and_until_it_is_cleared),
        cmocka_unit_test(a_numbered_fault_strikes_at_that_pass_and_at_no_other),
        cmocka_unit_test(a_list_that_cannot_be_read_changes_nothing),
        cmocka_unit_test(kill_ends_the_process_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
_Static_assert(PL_FAULT("anything") == 0, "a release build has no fault points");
TEST(a_release_build_has_no_fault_points) { assert_int_equal(PL_FAULT("journal.sync"), 0); }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_release_build_has_no_fault_points)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
