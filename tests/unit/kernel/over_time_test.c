#include "tests/unit/kernel/arrays.h"

TEST(windows_are_left_open_and_right_closed)
{
    int64_t t[5] = {1000, 2000, 3000, 4000, 9000};
    struct pl_windows w = {.start = 0, .step = 1000, .n = 12, .range = 2000};
    uint32_t from[12], to[12];
    pl_windows_find(t, 5, &w, from, to);
    for (size_t k = 0; k < 12; k++) {
        int64_t end = (int64_t)k * 1000;
        for (size_t i = 0; i < 5; i++) {
            bool in = t[i] > end - 2000 && t[i] <= end;
            assert_int_equal(in, i >= from[k] && i < to[k]);
        }
    }
    pl_windows_find(t, 0, &w, from, to);
    assert_int_equal(to[11], 0);
}

TEST(every_function_agrees_with_a_look_at_each_window)
{
    struct rng r = {3};
    int64_t t[400];
    double v[400], out[60];
    uint32_t from[60], to[60];
    for (int k = 0; k < 300; k++) {
        size_t n = rnd(&r) % 400;
        int64_t at = (int64_t)(rnd(&r) % 1000);
        fill(&r, v, n, k & 1);
        for (size_t i = 0; i < n; i++) {
            t[i] = at += 1 + (int64_t)(rnd(&r) % 30) * (rnd(&r) % 40 ? 1 : 100);
        }
        struct pl_windows w = {.start = (int64_t)(rnd(&r) % 500),
                               .step = 1 + (int64_t)(rnd(&r) % 300),
                               .n = 60,
                               .range = 1 + (int64_t)(rnd(&r) % 3000)};
        pl_windows_find(t, n, &w, from, to);
        for (int op = PL_OVER_SUM; op <= PL_OVER_RESETS; op++) {
            pl_over_time(op, v, from, to, 60, out);
            for (size_t j = 0; j < 60; j++) {
                double x[400], want = 1;
                size_t m = 0;
                int64_t end = w.start + (int64_t)j * w.step;
                for (size_t i = 0; i < n; i++) {
                    if (t[i] > end - w.range && t[i] <= end) {
                        x[m++] = v[i];
                    }
                }
                if (m == 0) {
                    assert_true(pl_is_absent(out[j]));
                    continue;
                }
                double n_changes = 0, n_resets = 0;
                for (size_t i = 1; i < m; i++) {
                    n_changes += x[i] != x[i - 1] && !(isnan(x[i]) && isnan(x[i - 1]));
                    n_resets += x[i] < x[i - 1];
                }
                switch (op) {
                case PL_OVER_SUM:
                    want = pl_sum(x, m);
                    break;
                case PL_OVER_AVG:
                    want = pl_avg(x, m);
                    break;
                case PL_OVER_MIN:
                    want = pl__min_scalar(x, m);
                    break;
                case PL_OVER_MAX:
                    want = pl__max_scalar(x, m);
                    break;
                case PL_OVER_COUNT:
                    want = (double)m;
                    break;
                case PL_OVER_LAST:
                    want = x[m - 1];
                    break;
                case PL_OVER_FIRST:
                    want = x[0];
                    break;
                case PL_OVER_STDDEV:
                    want = sqrt(pl_stdvar(x, m));
                    break;
                case PL_OVER_STDVAR:
                    want = pl_stdvar(x, m);
                    break;
                case PL_OVER_CHANGES:
                    want = n_changes;
                    break;
                case PL_OVER_RESETS:
                    want = n_resets;
                    break;
                }
                assert_true(same(out[j], want, 0));
            }
        }
    }
}

TEST(staleness_markers_are_taken_out_and_other_nan_stay)
{
    int64_t t[4] = {1, 2, 3, 4};
    double v[4] = {1, PL_ABSENT, NAN, PL_ABSENT};
    assert_int_equal(pl_drop_stale(t, v, 4), 2);
    assert_true(t[0] == 1 && t[1] == 3 && v[0] == 1 && isnan(v[1]));
    assert_int_equal(pl_drop_stale(t, v, 2), 2);
    assert_int_equal(pl_drop_stale(t, v, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_left_open_and_right_closed),
        cmocka_unit_test(every_function_agrees_with_a_look_at_each_window),
        cmocka_unit_test(staleness_markers_are_taken_out_and_other_nan_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
