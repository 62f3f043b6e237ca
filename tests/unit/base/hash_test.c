/* XXH3: values that are on disk must never change. */
#include "tests/unit/unit.h"
#include "core/base/hash.h"

TEST(hashes_of_the_empty_string_are_those_of_xxhash)
{
    struct pl_hash128 h = pl_hash128("", 0, 0);
    assert_true(pl_hash64("", 0, 0) == 0x2d06800538d394c2u);
    assert_true(h.hi == 0x99aa06d3014798d8u && h.lo == 0x6001c324468d497fu);
}

TEST(the_seed_and_every_byte_matter)
{
    char text[] = "instance=\"a:9100\",job=\"node\"";
    size_t n = sizeof text - 1;
    uint64_t h = pl_hash64(text, n, 0);
    struct pl_hash128 wide = pl_hash128(text, n, 0);
    assert_true(h != pl_hash64(text, n, 1));
    assert_false(pl_hash128_eq(wide, pl_hash128(text, n, 1)));
    for (size_t i = 0; i < n; i++) {
        text[i] ^= 1;
        assert_true(h != pl_hash64(text, n, 0));
        assert_false(pl_hash128_eq(wide, pl_hash128(text, n, 0)));
        text[i] ^= 1;
    }
    assert_true(pl_hash128_eq(wide, pl_hash128(text, n, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_the_empty_string_are_those_of_xxhash),
        cmocka_unit_test(the_seed_and_every_byte_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
