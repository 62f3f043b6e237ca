#include "core/codec/tcol.h"
#include "tests/unit/codec/columns.h"

static size_t round_trip(const int64_t *t, size_t n, enum pl_effort effort)
{
    struct pl_buf b = PL_BUF_INIT;
    int64_t got[PL_CHUNK_MAX], t0, t1;
    int bytes = pl_tcol_encode(t, n, effort, &b);
    assert_true(bytes > 0 && (size_t)bytes == b.n);
    uint8_t *c = exact_copy(b.p, b.n);
    assert_int_equal(pl_tcol_decode(c, b.n, n, got), bytes);
    assert_memory_equal(got, t, n * sizeof *t);
    assert_int_equal(pl__tcol_range(c, b.n, n, &t0, &t1), 0);
    assert_true(t0 == t[0] && t1 == t[n - 1]);
    free(c);
    pl_buf_fini(&b);
    return (size_t)bytes;
}

static void jittered(struct rng *r, int64_t *t, size_t n, int64_t step, uint64_t jitter)
{
    for (size_t i = 0; i < n; i++) {
        t[i] = 1700000000000 + (int64_t)i * step + (int64_t)below(r, jitter);
    }
}

TEST(regular_timestamps_take_a_few_bytes)
{
    struct rng r = {1};
    int64_t t[PL_CHUNK_MAX];
    for (size_t n = 1; n <= PL_CHUNK_MAX; n++) {
        jittered(&r, t, n, 10000, 1);
        assert_true(round_trip(t, n, PL_EFFORT_FAST) <= 10);
    }
}

TEST(jitter_costs_its_own_bits_only)
{
    struct rng r = {2};
    int64_t t[PL_CHUNK_MAX];
    jittered(&r, t, 480, 1000, 4);
    assert_true(round_trip(t, 480, PL_EFFORT_SMALL) <= 480 * 2 / 8 + 30);
    assert_true(round_trip(t, 480, PL_EFFORT_FAST) <= 480 * 3 / 8 + 30);
    jittered(&r, t, 480, 15000, 100);
    assert_true(round_trip(t, 480, PL_EFFORT_SMALL) <= 480 * 8 / 8 + 30);
}

TEST(gaps_and_any_ascending_int64_come_back)
{
    struct rng r = {3};
    int64_t t[PL_CHUNK_MAX];
    for (int k = 0; k < 400; k++) {
        size_t n = 1 + below(&r, PL_CHUNK_MAX);
        t[0] = (int64_t)rnd(&r) / 4;
        for (size_t i = 1; i < n; i++) {
            int64_t far = k & 1 ? 1 + (int64_t)below(&r, 1ULL << below(&r, 50)) : 7;
            t[i] = t[i - 1] + (below(&r, 20) ? 1000 : far);
        }
        round_trip(t, n, k & 2 ? PL_EFFORT_SMALL : PL_EFFORT_FAST);
    }
    int64_t ends[4] = {INT64_MIN, -1, 0, INT64_MAX};
    round_trip(ends, 4, PL_EFFORT_SMALL);
    ends[1] = INT64_MAX;
    round_trip(ends, 2, PL_EFFORT_FAST);
    round_trip(ends, 1, PL_EFFORT_FAST);
}

TEST(what_does_not_ascend_is_refused)
{
    struct pl_buf b = PL_BUF_INIT;
    int64_t same[3] = {1, 2, 2}, back[3] = {1, 3, 2};
    assert_int_equal(pl_tcol_encode(same, 3, PL_EFFORT_FAST, &b), PL_EINVAL);
    assert_int_equal(pl_tcol_encode(back, 3, PL_EFFORT_FAST, &b), PL_EINVAL);
    assert_int_equal(pl_tcol_encode(back, 0, PL_EFFORT_FAST, &b), PL_EINVAL);
    assert_int_equal(b.n, 0);
    pl_buf_fini(&b);
}

TEST(a_decoded_column_ascends_or_is_corrupt_whatever_bit_flips)
{
    struct rng r = {4};
    int64_t t[60], got[PL_CHUNK_MAX], t0, t1;
    for (int k = 0; k < 3; k++) {
        jittered(&r, t, 60, 1000, k ? 50 : 1);
        t[59] += k == 2 ? 5000000 : 0;
        struct pl_buf b = PL_BUF_INIT;
        assert_true(pl_tcol_encode(t, 60, PL_EFFORT_SMALL, &b) > 0);
        for (size_t n = 0; n < b.n; n++) {
            uint8_t *c = exact_copy(b.p, n);
            assert_int_equal(pl_tcol_decode(c, n, 60, got), PL_ECORRUPT);
            free(c);
        }
        for (size_t bit = 0; bit < b.n * 8; bit++) {
            uint8_t *c = exact_copy(b.p, b.n);
            c[bit / 8] ^= (uint8_t)(1u << (bit & 7));
            int n = pl_tcol_decode(c, b.n, 60, got);
            if (n >= 0) {
                assert_int_equal(pl__tcol_range(c, b.n, 60, &t0, &t1), 0);
                assert_true(t0 == got[0] && t1 == got[59]);
                for (int i = 1; i < 60; i++) {
                    assert_true(got[i] > got[i - 1]);
                }
            }
            free(c);
        }
        pl_buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regular_timestamps_take_a_few_bytes),
        cmocka_unit_test(jitter_costs_its_own_bits_only),
        cmocka_unit_test(gaps_and_any_ascending_int64_come_back),
        cmocka_unit_test(what_does_not_ascend_is_refused),
        cmocka_unit_test(a_decoded_column_ascends_or_is_corrupt_whatever_bit_flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
