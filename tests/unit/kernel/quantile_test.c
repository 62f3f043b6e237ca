#include "tests/unit/kernel/arrays.h"

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) {
        return isnan(y) - isnan(x);
    }
    return (x > y) - (x < y);
}

TEST(selection_agrees_with_sorting)
{
    struct rng r = {2};
    double v[200], sorted[200];
    for (int k = 0; k < 3000; k++) {
        size_t n = 1 + rnd(&r) % 200;
        double q = (double)(rnd(&r) % 1001) / 1000;
        fill(&r, v, n, k & 1);
        for (size_t i = 0; k % 3 == 0 && i < n; i++) {
            v[i] = (double)(rnd(&r) % 4);
        }
        memcpy(sorted, v, n * sizeof *v);
        qsort(sorted, n, sizeof *sorted, order);
        double rank = q * (double)(n - 1);
        size_t lo = (size_t)rank, hi = lo + 1 < n ? lo + 1 : n - 1;
        double want = sorted[lo] * (1 - (rank - floor(rank))) + sorted[hi] * (rank - floor(rank));
        assert_true(same(pl_quantile(q, v, n), want, 0));
    }
}

TEST(quantiles_outside_0_to_1_are_infinite)
{
    double v[3] = {3, 1, 2};
    assert_true(pl_quantile(-0.1, v, 3) == -INFINITY);
    assert_true(pl_quantile(1.1, v, 3) == INFINITY);
    assert_true(isnan(pl_quantile(NAN, v, 3)));
    assert_true(isnan(pl_quantile(0.5, v, 0)));
    assert_true(pl_quantile(0.5, v, 3) == 2);
    assert_true(pl_quantile(0.75, v, 3) == 2.5);
    assert_true(pl_quantile(1, v, 3) == 3);
    assert_true(pl_quantile(0, v, 3) == 1);
}

TEST(windows_leave_the_column_as_it_was)
{
    double v[6] = {5, 1, 4, 2, 3, 9}, before[6], scratch[6], out[3];
    uint32_t from[3] = {0, 2, 4}, to[3] = {3, 2, 6};
    memcpy(before, v, sizeof v);
    pl_over_time_quantile(0.5, v, from, to, 3, scratch, out);
    assert_memory_equal(v, before, sizeof v);
    assert_true(out[0] == 4 && pl_is_absent(out[1]) && out[2] == 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection_agrees_with_sorting),
        cmocka_unit_test(quantiles_outside_0_to_1_are_infinite),
        cmocka_unit_test(windows_leave_the_column_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
