#include "tests/unit/codec/columns.h"

static void round_trip(const double *v, size_t n, enum pl_effort effort)
{
    struct pl_buf b = PL_BUF_INIT;
    double got[PL_CHUNK_MAX];
    int bytes = pl_vcol_encode(v, n, effort, &b);
    assert_true(bytes > 0 && (size_t)bytes == b.n);
    assert_true(b.n <= n * 8 + 1);
    uint8_t *c = exact_copy(b.p, b.n);
    assert_int_equal(pl_vcol_decode(c, b.n, n, got), bytes);
    assert_memory_equal(got, v, n * sizeof *v);
    struct pl_chunk_summary s;
    assert_int_equal(pl_vcol_summary(c, b.n, n, &s), 0);
    if (s.has) {
        double lo = v[0], hi = v[0], sum = 0, inc = 0;
        for (size_t i = 0; i < n; i++) {
            lo = v[i] < lo ? v[i] : lo;
            hi = v[i] > hi ? v[i] : hi;
            sum += v[i];
            inc += i == 0 ? 0 : v[i] < v[i - 1] ? v[i] : v[i] - v[i - 1];
        }
        assert_true(s.first == v[0] && s.last == v[n - 1] && s.min == lo && s.max == hi);
        if (s.has_sums) {
            assert_true(s.sum == sum && s.increase == inc);
        }
    }
    free(c);
    pl_buf_fini(&b);
}

TEST(every_shape_and_length_comes_back_bit_by_bit)
{
    struct rng r = {12345};
    double v[PL_CHUNK_MAX];
    for (int shape = 0; shape < N_SHAPES; shape++) {
        for (size_t n = 1; n <= PL_CHUNK_MAX; n += n < 40 ? 1 : 59) {
            fill(&r, shape, v, n);
            round_trip(v, n, PL_EFFORT_FAST);
            round_trip(v, n, PL_EFFORT_SMALL);
        }
        fill(&r, shape, v, PL_CHUNK_MAX);
        round_trip(v, PL_CHUNK_MAX, PL_EFFORT_SMALL);
    }
}

TEST(special_doubles_anywhere_come_back_bit_by_bit)
{
    struct rng r = {99};
    double v[PL_CHUNK_MAX];
    for (int k = 0; k < 600; k++) {
        size_t n = 1 + below(&r, 200);
        fill(&r, (enum shape)below(&r, N_SHAPES), v, n);
        for (size_t j = below(&r, 6); j > 0; j--) {
            v[below(&r, n)] = pl_bits_f64(special_bits[below(&r, N_SPECIAL)]);
        }
        round_trip(v, n, k & 1 ? PL_EFFORT_SMALL : PL_EFFORT_FAST);
    }
    for (int k = 0; k < N_SPECIAL; k++) {
        v[0] = v[1] = v[2] = pl_bits_f64(special_bits[k]);
        round_trip(v, 1, PL_EFFORT_FAST);
        round_trip(v, 3, PL_EFFORT_SMALL);
    }
    for (int k = 0; k < N_SPECIAL; k++) {
        v[k] = pl_bits_f64(special_bits[k]);
    }
    round_trip(v, N_SPECIAL, PL_EFFORT_SMALL);
}

TEST(integers_at_the_ends_of_int64_do_not_overflow)
{
    double v[64];
    for (int k = 0; k < 64; k++) {
        v[k] = k & 1 ? 9223372036854774784.0 : -9223372036854775808.0;
    }
    round_trip(v, 64, PL_EFFORT_SMALL);
    round_trip(v, 64, PL_EFFORT_FAST);
    for (int k = 0; k < 63; k++) {
        v[k] = (k & 1 ? 1 : -1) * (double)(1ULL << k);
    }
    round_trip(v, 63, PL_EFFORT_SMALL);
}

static size_t bytes_of(const double *v, size_t n)
{
    struct pl_buf b = PL_BUF_INIT;
    int bytes = pl_vcol_encode(v, n, PL_EFFORT_SMALL, &b);
    pl_buf_fini(&b);
    return (size_t)bytes;
}

TEST(constants_and_straight_lines_are_a_few_bytes)
{
    double v[PL_CHUNK_MAX];
    for (int i = 0; i < PL_CHUNK_MAX; i++) {
        v[i] = 42;
    }
    assert_true(bytes_of(v, PL_CHUNK_MAX) <= 3);
    for (int i = 0; i < PL_CHUNK_MAX; i++) {
        v[i] = 1000 + 15 * i;
    }
    assert_true(bytes_of(v, PL_CHUNK_MAX) <= 6);
    v[PL_CHUNK_MAX - 1] = pl_bits_f64(0x7ff0000000000002ULL);
    assert_true(bytes_of(v, PL_CHUNK_MAX) <= 20);
}

TEST(a_counter_reset_does_not_widen_its_column)
{
    struct rng r = {5};
    double v[240], x = 1e6;
    for (int i = 0; i < 240; i++) {
        v[i] = x = i == 100 ? 0 : x + (double)below(&r, 16);
    }
    assert_true(bytes_of(v, 240) <= 240 * 4 / 8 + 20);
}

TEST(sums_of_decimals_cost_their_digits_and_a_bit_or_two)
{
    struct rng r = {6};
    double v[400];
    fill(&r, SUMMED, v, 400);
    assert_true(bytes_of(v, 400) <= 400 * 14 / 8);
}

TEST(every_prefix_is_corrupt_and_every_bit_flip_is_survived)
{
    struct rng r = {7};
    double v[40], got[PL_CHUNK_MAX];
    for (int shape = 0; shape < N_SHAPES; shape++) {
        fill(&r, shape, v, 40);
        struct pl_buf b = PL_BUF_INIT;
        assert_true(pl_vcol_encode(v, 40, PL_EFFORT_SMALL, &b) > 0);
        struct pl_chunk_summary s;
        for (size_t n = 0; n < b.n; n++) {
            uint8_t *c = exact_copy(b.p, n);
            assert_int_equal(pl_vcol_decode(c, n, 40, got), PL_ECORRUPT);
            pl_vcol_summary(c, n, 40, &s);
            free(c);
        }
        for (size_t bit = 0; bit < b.n * 8; bit++) {
            uint8_t *c = exact_copy(b.p, b.n);
            c[bit / 8] ^= (uint8_t)(1u << (bit & 7));
            int n = pl_vcol_decode(c, b.n, 40, got);
            assert_true(n == PL_ECORRUPT || (n > 0 && (size_t)n <= b.n));
            pl_vcol_summary(c, b.n, 40, &s);
            free(c);
        }
        pl_buf_fini(&b);
    }
}

TEST(a_count_outside_the_limits_is_refused)
{
    struct pl_buf b = PL_BUF_INIT;
    double v[1] = {1};
    assert_int_equal(pl_vcol_encode(v, 0, PL_EFFORT_FAST, &b), PL_EINVAL);
    assert_int_equal(pl_vcol_encode(v, PL_CHUNK_MAX + 1, PL_EFFORT_FAST, &b), PL_EINVAL);
    assert_int_equal(pl_vcol_decode((const uint8_t *)"\0\0\0", 3, 0, v), PL_ECORRUPT);
    assert_int_equal(pl_vcol_decode((const uint8_t *)"\0\0\0", 3, 513, v), PL_ECORRUPT);
    pl_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_and_length_comes_back_bit_by_bit),
        cmocka_unit_test(special_doubles_anywhere_come_back_bit_by_bit),
        cmocka_unit_test(integers_at_the_ends_of_int64_do_not_overflow),
        cmocka_unit_test(constants_and_straight_lines_are_a_few_bytes),
        cmocka_unit_test(a_counter_reset_does_not_widen_its_column),
        cmocka_unit_test(sums_of_decimals_cost_their_digits_and_a_bit_or_two),
        cmocka_unit_test(every_prefix_is_corrupt_and_every_bit_flip_is_survived),
        cmocka_unit_test(a_count_outside_the_limits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
