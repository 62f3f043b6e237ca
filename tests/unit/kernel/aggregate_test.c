#include "tests/unit/kernel/arrays.h"

TEST(the_vector_and_the_scalar_version_agree)
{
    struct rng r = {1};
    double v[300];
    for (int k = 0; k < 4000; k++) {
        size_t n = 1 + rnd(&r) % 300;
        bool wild = k & 1;
        fill(&r, v, n, wild);
        if (wild && k % 97 == 0) {
            for (size_t i = 0; i < n; i++) {
                v[i] = NAN;
            }
        }
        assert_true(same(pl_min(v, n), pl__min_scalar(v, n), 0));
        assert_true(same(pl_max(v, n), pl__max_scalar(v, n), 0));
        if (!wild) {
            long double exact = 0, magnitude = 0;
            for (size_t i = 0; i < n; i++) {
                exact += v[i];
                magnitude += fabsl(v[i]);
            }
            double room = (double)(magnitude * 4e-17L) + fabs((double)exact) * 3e-16;
            assert_true(fabs(pl_sum(v, n) - (double)exact) <= room);
            assert_true(fabs(pl__sum_scalar(v, n) - (double)exact) <= room);
        }
    }
}

TEST(infinities_and_nan_pass_through_sums)
{
    double v[64];
    for (size_t n = 3; n <= 64; n += 61) {
        for (size_t i = 0; i < n; i++) {
            v[i] = (double)i;
        }
        v[2] = INFINITY;
        assert_true(pl_sum(v, n) == INFINITY);
        v[1] = -INFINITY;
        assert_true(isnan(pl_sum(v, n)));
        v[1] = NAN;
        assert_true(isnan(pl_sum(v, n)));
        assert_true(pl_max(v, n) == INFINITY);
        assert_true(pl_min(v, n) == 0);
    }
    assert_true(pl_sum(v, 0) == 0);
}

TEST(sums_are_compensated)
{
    double v[4] = {2, 8, 1e100, -1e100}, long_v[128];
    assert_true(pl_sum(v, 4) == 10);
    assert_true(pl_avg(v, 4) == 2.5);
    for (int i = 0; i < 128; i++) {
        long_v[i] = i % 4 == 2 ? 1e100 : i % 4 == 3 ? -1e100 : 1;
    }
    assert_true(pl_sum(long_v, 128) == 64);
}

TEST(averages_survive_sums_over_the_largest_double)
{
    double big[4] = {9.988465674311579e+307, 9.988465674311579e+307, 9.988465674311579e+307,
                     9.988465674311579e+307};
    double cancel[4] = {-big[0], -big[0], big[0], big[0]};
    double inf[3] = {INFINITY, 0, INFINITY}, both[2] = {INFINITY, -INFINITY};
    assert_true(pl_avg(big, 4) == big[0]);
    assert_true(pl_avg(cancel, 4) == 0);
    assert_true(pl_avg(inf, 3) == INFINITY);
    assert_true(isnan(pl_avg(both, 2)));
    double same_value[12];
    for (int i = 0; i < 12; i++) {
        same_value[i] = 52;
    }
    assert_true(pl_avg(same_value, 12) == 52);
}

TEST(variance_of_a_known_set)
{
    double v[4] = {0, 1, 2, 5}, c[3] = {1.5990505637277868, 1.5990505637277868, 1.5990505637277868};
    assert_true(same(pl_stdvar(v, 4), 3.5, 2));
    assert_true(pl_stdvar(c, 3) == 0);
    double with_inf[2] = {1, INFINITY};
    assert_true(isnan(pl_stdvar(with_inf, 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_and_the_scalar_version_agree),
        cmocka_unit_test(infinities_and_nan_pass_through_sums),
        cmocka_unit_test(sums_are_compensated),
        cmocka_unit_test(averages_survive_sums_over_the_largest_double),
        cmocka_unit_test(variance_of_a_known_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
