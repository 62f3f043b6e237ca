#include "core/base/base.h"
#include "tests/unit/unit.h"
#include <stdlib.h>

TEST(an_array_grows_and_keeps_what_is_in_it)
{
    uint32_t *v = NULL;
    size_t n = 0, cap = 0, moves = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        size_t before = cap;
        assert_int_equal(pl_grow(&v, n, &cap, sizeof *v), 0);
        moves += cap != before;
        assert_true(cap > n);
        v[n++] = i;
    }
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(v[i], i);
    }
    assert_true(moves < 16);
    free(v);
}

TEST(what_cannot_be_had_leaves_all_as_before)
{
    char *v = NULL, *was;
    size_t cap = 0;
    assert_int_equal(pl_grow(&v, 0, &cap, SIZE_MAX / 8), PL_ENOMEM);
    assert_null(v);
    assert_int_equal(cap, 0);
    assert_int_equal(pl_grow(&v, 0, &cap, 1), 0);
    was = v;
    cap = SIZE_MAX / 2 + 1;
    assert_int_equal(pl_grow(&v, cap, &cap, 1), PL_ENOMEM);
    assert_ptr_equal(v, was);
    assert_true(cap == SIZE_MAX / 2 + 1);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_grows_and_keeps_what_is_in_it),
        cmocka_unit_test(what_cannot_be_had_leaves_all_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
