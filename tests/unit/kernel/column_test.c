#include "tests/unit/kernel/arrays.h"

enum { STEPS = 37, SERIES = 23 };
static const enum pl_agg ops[] = {PL_AGG_SUM, PL_AGG_AVG,    PL_AGG_COUNT,  PL_AGG_MIN,
                                  PL_AGG_MAX, PL_AGG_STDDEV, PL_AGG_STDVAR, PL_AGG_GROUP};
enum { N_OPS = sizeof ops / sizeof *ops };

static void columns(struct rng *r, double v[SERIES][STEPS], bool wild)
{
    for (int s = 0; s < SERIES; s++) {
        fill(r, v[s], STEPS, wild);
        for (int i = 0; i < STEPS; i++) {
            if (rnd(r) % 4 == 0 || i == 5) {
                v[s][i] = PL_ABSENT;
            }
        }
    }
}

TEST(the_vector_version_gives_the_bits_of_the_scalar_one)
{
    struct rng r = {4};
    double v[SERIES][STEPS], out[2][STEPS];
    for (int k = 0; k < 400; k++) {
        struct pl_agg_state s[2];
        void *mem[2] = {malloc(pl_agg_bytes(STEPS)), malloc(pl_agg_bytes(STEPS))};
        columns(&r, v, k & 1);
        for (int j = 0; j < 2; j++) {
            assert_non_null(mem[j]);
            pl_agg_init(&s[j], ops[k % N_OPS], STEPS, mem[j]);
            for (int c = 0; c < SERIES; c++) {
                if (j) {
                    pl_agg_add(&s[j], v[c]);
                } else {
                    pl__agg_add_scalar(&s[j], v[c], 0);
                }
            }
            pl_agg_finish(&s[j], out[j]);
            free(mem[j]);
        }
        for (int i = 0; i < STEPS; i++) {
            assert_true(same(out[0][i], out[1][i], 0));
            assert_int_equal(pl_is_absent(out[0][i]), pl_is_absent(out[1][i]));
        }
        assert_true(pl_is_absent(out[1][5]));
    }
}

TEST(one_step_agrees_with_the_array_functions)
{
    struct rng r = {5};
    double v[SERIES][STEPS], one[SERIES], out[STEPS];
    for (int k = 0; k < 200; k++) {
        columns(&r, v, false);
        enum pl_agg op = ops[k % N_OPS];
        struct pl_agg_state s;
        double aligned[256];
        assert_true(pl_agg_bytes(STEPS) <= sizeof aligned);
        pl_agg_init(&s, op, STEPS, aligned);
        for (int c = 0; c < SERIES; c++) {
            pl_agg_add(&s, v[c]);
        }
        pl_agg_finish(&s, out);
        for (int i = 0; i < STEPS; i++) {
            size_t n = 0;
            for (int c = 0; c < SERIES; c++) {
                if (!pl_is_absent(v[c][i])) {
                    one[n++] = v[c][i];
                }
            }
            if (n == 0) {
                assert_true(pl_is_absent(out[i]));
                continue;
            }
            double want = op == PL_AGG_SUM      ? pl__sum_scalar(one, n)
                          : op == PL_AGG_AVG    ? pl_avg(one, n)
                          : op == PL_AGG_COUNT  ? (double)n
                          : op == PL_AGG_MIN    ? pl_min(one, n)
                          : op == PL_AGG_MAX    ? pl_max(one, n)
                          : op == PL_AGG_STDDEV ? sqrt(pl_stdvar(one, n))
                          : op == PL_AGG_STDVAR ? pl_stdvar(one, n)
                                                : 1;
            bool moment = op == PL_AGG_STDDEV || op == PL_AGG_STDVAR;
            assert_true(same(out[i], want, moment ? 1000 : 0));
        }
    }
}

TEST(halves_merge_to_the_whole)
{
    struct rng r = {6};
    double v[SERIES][STEPS], whole[STEPS], merged[STEPS], mem[3][256];
    for (int k = 0; k < 200; k++) {
        columns(&r, v, false);
        enum pl_agg op = ops[k % N_OPS];
        struct pl_agg_state s[3];
        for (int j = 0; j < 3; j++) {
            pl_agg_init(&s[j], op, STEPS, mem[j]);
        }
        size_t cut = rnd(&r) % (SERIES + 1);
        for (size_t c = 0; c < SERIES; c++) {
            pl_agg_add(&s[0], v[c]);
            pl_agg_add(&s[c < cut ? 1 : 2], v[c]);
        }
        pl_agg_merge(&s[1], &s[2]);
        pl_agg_finish(&s[0], whole);
        pl_agg_finish(&s[1], merged);
        for (int i = 0; i < STEPS; i++) {
            assert_int_equal(pl_is_absent(whole[i]), pl_is_absent(merged[i]));
            assert_true(same(whole[i], merged[i], 1000));
        }
    }
    /* sums that overflow in one half, or only together */
    double big = 9e307, a[4] = {big, big, 1, INFINITY}, b[4] = {big, 1, big, 2};
    struct pl_agg_state s[2];
    pl_agg_init(&s[0], PL_AGG_AVG, 4, mem[0]);
    pl_agg_init(&s[1], PL_AGG_AVG, 4, mem[1]);
    pl_agg_add(&s[0], a);
    pl_agg_add(&s[1], b);
    pl_agg_add(&s[1], b);
    pl_agg_merge(&s[0], &s[1]);
    pl_agg_finish(&s[0], merged);
    assert_true(same(merged[0], big, 4));
    assert_true(same(merged[1], big / 3, 4));
    assert_true(same(merged[2], big / 3 * 2, 4));
    assert_true(merged[3] == INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_version_gives_the_bits_of_the_scalar_one),
        cmocka_unit_test(one_step_agrees_with_the_array_functions),
        cmocka_unit_test(halves_merge_to_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
