#include "core/codec/bitpack.h"
#include "tests/unit/codec/columns.h"

TEST(every_width_and_count_comes_back_by_both_versions)
{
    struct rng r = {17};
    uint64_t u[PL_CHUNK_MAX];
    int64_t a[PL_CHUNK_MAX], b[PL_CHUNK_MAX];
    for (unsigned w = 0; w <= 64; w++) {
        for (size_t n = 0; n <= 130; n += n < 34 ? 1 : 19) {
            int64_t base = (int64_t)rnd(&r);
            size_t bytes = pl__packed_bytes(n, w);
            uint8_t *p = exact_copy((const uint8_t *)u, bytes);
            for (size_t i = 0; i < n; i++) {
                u[i] = rnd(&r) & pl__mask(w);
            }
            pl__pack_bits(u, n, w, p);
            pl__unpack_scalar(p, n, w, base, a);
            assert_int_equal(pl__unpack_bits(p, bytes, n, w, base, b), bytes);
            for (size_t i = 0; i < n; i++) {
                assert_true((uint64_t)a[i] - (uint64_t)base == u[i]);
                assert_true(a[i] == b[i]);
            }
            if (bytes > 0) {
                assert_int_equal(pl__unpack_bits(p, bytes - 1, n, w, base, b), PL_ECORRUPT);
            }
            free(p);
        }
    }
}

TEST(unused_bits_of_the_last_byte_are_zero)
{
    uint64_t u[3] = {7, 7, 7};
    uint8_t p[2] = {0xff, 0xff};
    pl__pack_bits(u, 3, 3, p);
    assert_true(p[0] == 0xff && p[1] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width_and_count_comes_back_by_both_versions),
        cmocka_unit_test(unused_bits_of_the_last_byte_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
