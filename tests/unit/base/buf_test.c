/* The growable buffer, and the bytes of bits.h. */
#include "tests/unit/unit.h"
#include "core/base/bits.h"
#include "core/base/buf.h"

TEST(what_is_added_is_there_in_order)
{
    struct pl_buf b = PL_BUF_INIT;
    for (int i = 0; i < 1000; i++) {
        pl_buf_f(&b, "%03d", i);
    }
    assert_false(b.failed);
    assert_int_equal(b.n, 3000);
    assert_memory_equal(b.p + 999 * 3, "999", 3);
    assert_memory_equal(b.p + 57 * 3, "057", 3);
    pl_buf_clear(&b);
    pl_buf_add(&b, NULL, 0);
    pl_buf_str(&b, PL_STR("ab"));
    pl_buf_z(&b, "c");
    assert_true(pl_str_eq(pl_buf_view(&b), PL_STR("abc")));
    pl_buf_fini(&b);
    assert_null(b.p);
}

TEST(formatted_text_longer_than_the_room_is_whole)
{
    struct pl_buf b = PL_BUF_INIT;
    for (int width = 1; width < 300; width++) {
        pl_buf_clear(&b);
        pl_buf_f(&b, "%*d", width, 7);
        assert_int_equal(b.n, width);
        assert_int_equal(b.p[width - 1], '7');
    }
    pl_buf_fini(&b);
}

TEST(integers_are_little_endian_on_every_machine)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_u8(&b, 1);
    pl_buf_u32(&b, 0x05040302);
    pl_buf_u64(&b, 0x0d0c0b0a09080706);
    assert_int_equal(b.n, 13);
    for (size_t i = 0; i < b.n; i++) {
        assert_int_equal(b.p[i], i + 1);
    }
    pl_buf_fini(&b);
}

TEST(a_failed_growth_sticks_and_keeps_what_was_written)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_z(&b, "kept");
    assert_null(pl_buf_reserve(&b, SIZE_MAX / 2));
    assert_true(b.failed);
    pl_buf_z(&b, "lost");
    assert_true(pl_str_eq(pl_buf_view(&b), PL_STR("kept")));
    pl_buf_clear(&b);
    pl_buf_z(&b, "again");
    assert_false(b.failed);
    assert_int_equal(b.n, 5);
    pl_buf_fini(&b);
}

TEST(varints_round_trip_and_every_prefix_is_refused)
{
    static const uint64_t values[] = {0, 1, 127, 128, 300, 1u << 21, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct pl_buf b = PL_BUF_INIT;
        uint64_t x = 42;
        pl_buf_varint(&b, values[i]);
        assert_ptr_equal(pl_varint_get(b.p, b.p + b.n, &x), b.p + b.n);
        assert_true(x == values[i]);
        for (size_t n = 0; n < b.n; n++) {
            assert_null(pl_varint_get(b.p, b.p + n, &x));
        }
        pl_buf_fini(&b);
    }
}

TEST(varints_over_64_bits_are_refused)
{
    static const uint8_t over[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    static const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                     0x80, 0x80, 0x80, 0x80, 0x00};
    uint64_t x;
    assert_null(pl_varint_get(over, over + sizeof over, &x));
    assert_null(pl_varint_get(eleven, eleven + sizeof eleven, &x));
}

TEST(zigzag_keeps_small_numbers_small)
{
    static const int64_t values[] = {0, -1, 1, -64, 63, INT64_MIN, INT64_MAX};
    assert_true(pl_zigzag(-1) == 1 && pl_zigzag(1) == 2);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_true(pl_unzigzag(pl_zigzag(values[i])) == values[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_there_in_order),
        cmocka_unit_test(formatted_text_longer_than_the_room_is_whole),
        cmocka_unit_test(integers_are_little_endian_on_every_machine),
        cmocka_unit_test(a_failed_growth_sticks_and_keeps_what_was_written),
        cmocka_unit_test(varints_round_trip_and_every_prefix_is_refused),
        cmocka_unit_test(varints_over_64_bits_are_refused),
        cmocka_unit_test(zigzag_keeps_small_numbers_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
