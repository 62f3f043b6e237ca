#include "tests/unit/kernel/arrays.h"

/* Prometheus' definition, one window at a time, written as its documentation tells it. */
static double reference(enum pl_rate op, const int64_t *t, const double *v, size_t n, int64_t begin,
                        int64_t end)
{
    if (n < 2) {
        return PL_ABSENT;
    }
    bool counter = op != PL_DELTA;
    double result = v[n - 1] - v[0];
    for (size_t i = 1; counter && i < n; i++) {
        result += v[i] < v[i - 1] ? v[i - 1] : 0;
    }
    double to_start = (double)(t[0] - begin) / 1000, to_end = (double)(end - t[n - 1]) / 1000;
    double sampled = (double)(t[n - 1] - t[0]) / 1000, average = sampled / (double)(n - 1);
    to_start = to_start >= average * 1.1 ? average / 2 : to_start;
    if (counter && result > 0 && v[0] >= 0 && sampled * (v[0] / result) < to_start) {
        to_start = sampled * (v[0] / result);
    }
    to_end = to_end >= average * 1.1 ? average / 2 : to_end;
    double factor = (sampled + to_start + to_end) / sampled;
    if (op == PL_RATE) {
        factor /= (double)(end - begin) / 1000;
    }
    return result * factor;
}

TEST(every_window_is_as_if_looked_at_alone)
{
    struct rng r = {9};
    int64_t t[300];
    double v[300], out[50], planned[50], memory[200], scratch[600];
    uint32_t from[50], to[50];
    assert_true(pl_rate_plan_bytes(50) <= sizeof memory);
    for (int k = 0; k < 600; k++) {
        size_t n = rnd(&r) % 300;
        int64_t at = 0;
        double x = 0;
        for (size_t i = 0; i < n; i++) {
            t[i] = at += 1 + (int64_t)(rnd(&r) % 20000);
            v[i] = x =
                k % 2 || rnd(&r) % 15 ? x + (double)(rnd(&r) % 100) / 7 : (double)(rnd(&r) % 5);
            if (k % 5 == 0 && rnd(&r) % 30 == 0) {
                v[i] = rnd(&r) % 2 ? NAN : INFINITY;
            }
        }
        struct pl_windows w = {.start = (int64_t)(rnd(&r) % 100000),
                               .n = 50,
                               .step = 1 + (int64_t)(rnd(&r) % 60000),
                               .range = 1 + (int64_t)(rnd(&r) % 300000)};
        pl_windows_find(t, n, &w, from, to);
        for (int op = PL_RATE; op <= PL_DELTA; op++) {
            struct pl_rate_plan plan;
            pl_rate(op, t, v, &w, from, to, out);
            pl_rate_plan_make(&plan, op, t, &w, from, to, memory);
            assert_true(pl_rate_planned(&plan, v, n, scratch, planned));
            assert_memory_equal(planned, out, sizeof out); /* bit by bit */
            for (size_t j = 0; j < 50; j++) {
                int64_t end = w.start + (int64_t)j * w.step;
                double want =
                    reference(op, t + from[j], v + from[j], to[j] - from[j], end - w.range, end);
                assert_true(same(out[j], want, 0));
                assert_int_equal(pl_is_absent(out[j]), pl_is_absent(want));
            }
        }
    }
}

TEST(rates_of_hand_made_counters)
{
    int64_t t[6] = {0, 10000, 20000, 30000, 40000, 50000};
    double v[6] = {0, 10, 20, 30, 40, 50}, reset[6] = {10, 20, 30, 0, 10, 20}, out[1];
    struct pl_windows w = {.start = 50000, .step = 1, .n = 1, .range = 50001};
    uint32_t from[1], to[1];
    pl_windows_find(t, 6, &w, from, to);
    pl_rate(PL_INCREASE, t, v, &w, from, to, out);
    assert_true(same(out[0], 50, 4)); /* began at 0: nothing to stretch to */
    pl_rate(PL_RATE, t, v, &w, from, to, out);
    assert_true(same(out[0], 50 / 50.001, 4));
    w.range = 50000; /* t = 0 falls out; stretched over the 10 s before 10000 */
    pl_windows_find(t, 6, &w, from, to);
    pl_rate(PL_INCREASE, t, v, &w, from, to, out);
    assert_true(same(out[0], 50, 4));
    pl_rate(PL_INCREASE, t, reset, &w, from, to, out);
    assert_true(same(out[0], 30 * 50 / 40.0, 4));
    pl_rate(PL_DELTA, t, reset, &w, from, to, out);
    assert_true(out[0] == 0);
    pl_rate(PL_IRATE, t, v, &w, from, to, out);
    assert_true(out[0] == 1);
    pl_rate(PL_IDELTA, t, reset, &w, from, to, out);
    assert_true(out[0] == 10);
    v[5] = 4;
    pl_rate(PL_IRATE, t, v, &w, from, to, out);
    assert_true(same(out[0], 0.4, 1));
    pl_rate(PL_IDELTA, t, v, &w, from, to, out);
    assert_true(out[0] == -36);
    w.range = 5000;
    pl_windows_find(t, 6, &w, from, to);
    pl_rate(PL_IRATE, t, v, &w, from, to, out);
    assert_true(pl_is_absent(out[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_window_is_as_if_looked_at_alone),
        cmocka_unit_test(rates_of_hand_made_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
