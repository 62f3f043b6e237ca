/* Tests of core/codec/protobuf.c. */
#include "core/codec/protobuf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* Fields 1 (varint 150), 2 ("testing"), 3 (fixed64 1.5), 4 (fixed32 7), 1000 (varint of 10 bytes),
 * 5 (200 bytes). */
static void sample(struct pl_buf *b)
{
    pl_buf_z(b, "\x08\x96\x01\x12\x07testing\x19");
    pl_buf_u64(b, pl_f64_bits(1.5));
    pl_buf_u8(b, 4 << 3 | 5);
    pl_buf_u32(b, 7);
    pl_buf_varint(b, 1000 << 3);
    pl_buf_varint(b, UINT64_MAX);
    pl_buf_varint(b, 5 << 3 | 2);
    pl_buf_varint(b, 200);
    for (int i = 0; i < 200; i++) {
        pl_buf_u8(b, 'x');
    }
}

static void every_wire_type_is_read(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    sample(&b);
    struct pl_pb pb = pl_pb(pl_buf_view(&b));
    struct pl_pb_field f;
    assert_int_equal(pl_pb_next(&pb, &f), 1);
    assert_int_equal(f.number, 1);
    assert_int_equal(f.u, 150);
    assert_int_equal(pl_pb_next(&pb, &f), 1);
    assert_int_equal(f.number, 2);
    assert_true(pl_str_eq(f.bytes, PL_STR("testing")));
    assert_int_equal(pl_pb_next(&pb, &f), 1);
    assert_int_equal(f.wire, 1);
    assert_true(pl_pb_f64(&f) == 1.5);
    assert_int_equal(pl_pb_next(&pb, &f), 1);
    assert_int_equal(f.u, 7);
    assert_int_equal(pl_pb_next(&pb, &f), 1);
    assert_int_equal(f.number, 1000);
    assert_true(f.u == UINT64_MAX);
    assert_int_equal(pl_pb_next(&pb, &f), 1);
    assert_int_equal(f.bytes.n, 200);
    assert_int_equal(pl_pb_next(&pb, &f), 0);
    pl_buf_fini(&b);
}

static void a_prefix_that_ends_inside_a_field_is_corrupt(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    sample(&b);
    static const size_t ends[] = {0, 3, 12, 21, 26, 38, 0};
    size_t k = 0;
    for (size_t n = 0; n < b.n; n++) {
        char *exact = malloc(n + 1);
        memcpy(exact, b.p, n);
        struct pl_pb pb = pl_pb(pl_str_mem(exact, n));
        struct pl_pb_field f;
        int rc;
        while ((rc = pl_pb_next(&pb, &f)) > 0) {
        }
        bool at_end = n == ends[k];
        k += at_end;
        assert_int_equal(rc, at_end ? 0 : PL_ECORRUPT);
        free(exact);
    }
    assert_int_equal(k, 6);
    pl_buf_fini(&b);
}

static void every_bit_flip_ends_in_bounds(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    sample(&b);
    for (size_t bit = 0; bit < 8 * b.n; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct pl_pb pb = pl_pb(pl_buf_view(&b));
        struct pl_pb_field f;
        int rc;
        while ((rc = pl_pb_next(&pb, &f)) > 0) {
            assert_true(pb.p <= pb.end);
            if (f.wire == 2) {
                assert_true((const uint8_t *)f.bytes.p + f.bytes.n <= pb.end);
            }
        }
        assert_true(rc == 0 || rc == PL_ECORRUPT);
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    pl_buf_fini(&b);
}

static void field_zero_groups_and_long_varints_are_refused(void **state)
{
    (void)state;
    static const pl_str bad[] = {
        {"\x00\x01", 2},
        {"\x0b\x01", 2},
        {"\x0c\x01", 2},
        {"\x0e\x01", 2},
        {"\x0f\x01", 2},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11},
        {"\x80\x80\x80\x80\x10\x01", 6},
        {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pl_pb pb = pl_pb(bad[i]);
        struct pl_pb_field f;
        assert_int_equal(pl_pb_next(&pb, &f), PL_ECORRUPT);
        assert_ptr_equal(pb.p, bad[i].p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wire_type_is_read),
        cmocka_unit_test(a_prefix_that_ends_inside_a_field_is_corrupt),
        cmocka_unit_test(every_bit_flip_ends_in_bounds),
        cmocka_unit_test(field_zero_groups_and_long_varints_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
