#include "core/codec/decimal.h"
#include "tests/unit/codec/columns.h"

TEST(two_fused_steps_divide_as_correctly_as_the_divider)
{
    struct rng r = {31};
    int64_t m[64];
    double a[64], b[64];
    for (int k = 0; k < 20000; k++) {
        int e = (int)below(&r, PL__DECIMAL_MAX + 1);
        for (int i = 0; i < 64; i++) {
            unsigned bits = 1 + (unsigned)below(&r, 51);
            m[i] = (int64_t)(rnd(&r) >> (64 - bits)) * (below(&r, 2) ? 1 : -1);
        }
        pl__decimal_decode(m, 64, e, a);
        pl__decimal_decode_scalar(m, 64, e, b);
        assert_memory_equal(a, b, sizeof a);
    }
}

TEST(all_64_bits_of_an_integer_convert_as_the_machine_does)
{
    struct rng r = {32};
    int64_t m[64];
    double a[64], b[64];
    for (int k = 0; k < 2000; k++) {
        for (int i = 0; i < 64; i++) {
            m[i] = (int64_t)rnd(&r) >> below(&r, 64);
        }
        m[0] = INT64_MIN;
        m[1] = INT64_MAX;
        pl__decimal_decode(m, 64, 0, a);
        pl__decimal_decode_scalar(m, 64, 0, b);
        assert_memory_equal(a, b, sizeof a);
    }
}

TEST(scaling_by_vector_and_by_scalar_find_the_same_odd_values)
{
    struct rng r = {33};
    double v[101];
    int64_t a[101], b[101];
    uint16_t odd_a[101], odd_b[101];
    for (int k = 0; k < 3000; k++) {
        fill(&r, (enum shape)below(&r, N_SHAPES), v, 101);
        for (size_t j = below(&r, 8); j > 0; j--) {
            v[below(&r, 101)] = pl_bits_f64(special_bits[below(&r, N_SPECIAL)]);
        }
        int e = (int)below(&r, 12);
        size_t n_a = pl__decimal_apply(v, 101, e, a, odd_a);
        size_t n_b = pl__decimal_apply_scalar(v, 0, 101, e, b, odd_b, 0);
        assert_int_equal(n_a, n_b);
        assert_memory_equal(a, b, sizeof a);
        assert_memory_equal(odd_a, odd_b, n_a * sizeof *odd_a);
    }
}

TEST(the_smallest_exponent_that_suits_all_is_chosen)
{
    double v[20];
    int64_t m[20];
    struct pl__decimal d;
    for (int i = 0; i < 20; i++) {
        v[i] = i / 10.0;
    }
    v[11] = 1.2345; /* not among the samples */
    pl__decimal_encode(v, 20, &d, m);
    assert_true(d.e == 4 && d.n_odd == 0 && m[11] == 12345 && m[3] == 3000);
    v[0] = NAN;
    v[1] = -0.0;
    pl__decimal_encode(v, 20, &d, m);
    assert_true(d.e == 4 && d.n_odd == 2 && m[0] == m[2] && m[1] == m[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_fused_steps_divide_as_correctly_as_the_divider),
        cmocka_unit_test(all_64_bits_of_an_integer_convert_as_the_machine_does),
        cmocka_unit_test(scaling_by_vector_and_by_scalar_find_the_same_odd_values),
        cmocka_unit_test(the_smallest_exponent_that_suits_all_is_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
