/* CRC32C: the known sums, and the fast version against the tables at every length and alignment. */
#include "tests/unit/unit.h"
#include "core/base/hash.h"
#include <string.h>

uint32_t pl__crc32c_tables(uint32_t crc, const void *data, size_t n);

TEST(known_sums_of_rfc_3720_come_out)
{
    uint8_t buf[32];
    assert_int_equal(pl_crc32c(0, "123456789", 9), 0xe3069283u);
    memset(buf, 0, sizeof buf);
    assert_int_equal(pl_crc32c(0, buf, 32), 0x8a9136aau);
    memset(buf, 0xff, sizeof buf);
    assert_int_equal(pl_crc32c(0, buf, 32), 0x62a8ab43u);
    for (int i = 0; i < 32; i++) {
        buf[i] = (uint8_t)i;
    }
    assert_int_equal(pl_crc32c(0, buf, 32), 0x46dd794eu);
    assert_int_equal(pl__crc32c_tables(0, buf, 32), 0x46dd794eu);
    assert_int_equal(pl_crc32c(0, NULL, 0), 0);
}

static void fill(uint8_t *p, size_t n)
{
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        p[i] = (uint8_t)x;
    }
}

TEST(both_versions_agree_at_every_length_and_alignment)
{
    static uint8_t buf[20000];
    fill(buf, sizeof buf);
    for (size_t n = 0; n < 1300; n++) {
        size_t at = n % 9;
        assert_int_equal(pl_crc32c(7, buf + at, n), pl__crc32c_tables(7, buf + at, n));
    }
    for (size_t n = 6100; n < 6200; n++) {
        assert_int_equal(pl_crc32c(0, buf + 3, n), pl__crc32c_tables(0, buf + 3, n));
    }
    assert_int_equal(pl_crc32c(1, buf, sizeof buf), pl__crc32c_tables(1, buf, sizeof buf));
}

TEST(a_sum_can_be_continued)
{
    static uint8_t buf[9000];
    fill(buf, sizeof buf);
    uint32_t whole = pl_crc32c(0, buf, sizeof buf);
    for (size_t cut = 0; cut <= sizeof buf; cut += 37) {
        uint32_t head = pl_crc32c(0, buf, cut);
        assert_int_equal(pl_crc32c(head, buf + cut, sizeof buf - cut), whole);
    }
}

TEST(every_single_bit_flip_changes_the_sum)
{
    uint8_t buf[400];
    fill(buf, sizeof buf);
    uint32_t whole = pl_crc32c(0, buf, sizeof buf);
    for (size_t bit = 0; bit < sizeof buf * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(pl_crc32c(0, buf, sizeof buf), whole);
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_sums_of_rfc_3720_come_out),
        cmocka_unit_test(both_versions_agree_at_every_length_and_alignment),
        cmocka_unit_test(a_sum_can_be_continued),
        cmocka_unit_test(every_single_bit_flip_changes_the_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
