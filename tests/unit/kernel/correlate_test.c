/* Correlation against numbers computed apart (python3). */
#include "tests/unit/unit.h"
#include "core/kernel/kernel.h"

#include <math.h>

TEST(correlation_is_that_of_the_textbook)
{
    const double a[] = {1, 2, 3, 4, 5, 6}, b[] = {2, 1, 4, 3, 7, 5};
    double c[6], d[6];
    for (int i = 0; i < 6; i++) {
        c[i] = 1e9 - 3 * a[i];
        d[i] = 1e9 + b[i];
    }
    assert_true(fabs(pl_pearson(a, b, 6) - 0.7917946548886297) < 1e-12);
    assert_true(fabs(pl_pearson(a, d, 6) - 0.7917946548886297) < 1e-9);
    assert_true(pl_pearson(a, c, 6) == -1);
    assert_true(pl_pearson(b, b, 6) == 1);
}

TEST(what_does_not_change_correlates_with_nothing)
{
    const double a[] = {1, 2, 3}, same[] = {5, 5, 5};
    assert_true(isnan(pl_pearson(a, same, 3)));
    assert_true(isnan(pl_pearson(a, a, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correlation_is_that_of_the_textbook),
        cmocka_unit_test(what_does_not_change_correlates_with_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
