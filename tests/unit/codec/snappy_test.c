/* Tests of core/codec/snappy.c. */
#include "compress_cases.h"

static const size_t sizes[] = {0, 1, 100, 65536, 65537, 300000};

static void blocks_of_any_size_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pl_buf plain = PL_BUF_INIT, packed = PL_BUF_INIT;
        fill(&plain, sizes[i]);
        assert_int_equal(pl_snappy_encode(pl_buf_view(&plain), &packed), 0);
        check_decodes(pl_snappy_decode, pl_buf_view(&packed), pl_buf_view(&plain));
        pl_buf_fini(&plain);
        pl_buf_fini(&packed);
    }
}

static void chunk(struct pl_buf *out, uint8_t type, pl_str body, pl_str plain)
{
    uint32_t crc = pl_crc32c(0, plain.p, plain.n);
    pl_buf_u32(out, (uint32_t)(body.n + 4) << 8 | type);
    pl_buf_u32(out, (crc >> 15 | crc << 17) + 0xa282ead8u);
    pl_buf_str(out, body);
}

/* Stream id, a packed chunk, padding, a chunk as it is. */
static void framed(struct pl_buf *plain, struct pl_buf *out)
{
    struct pl_buf block = PL_BUF_INIT;
    fill(plain, 600);
    pl_str a = pl_str_mem(plain->p, 500), b = pl_str_mem(plain->p + 500, 100);
    pl_buf_add(out, "\xff\x06\x00\x00sNaPpY", 10);
    assert_int_equal(pl_snappy_encode(a, &block), 0);
    chunk(out, 0, pl_buf_view(&block), a);
    pl_buf_add(out, "\xfe\x03\x00\x00***", 7);
    chunk(out, 1, b, b);
    pl_buf_fini(&block);
}

static void the_framed_format_is_told_from_a_block(void **state)
{
    (void)state;
    struct pl_buf plain = PL_BUF_INIT, packed = PL_BUF_INIT;
    framed(&plain, &packed);
    check_decodes(pl_snappy_decode, pl_buf_view(&packed), pl_buf_view(&plain));
    check_bit_flips(pl_snappy_decode, pl_buf_view(&packed));
    packed.p[packed.n - 1] ^= 1; /* data behind its CRC */
    struct pl_buf out = PL_BUF_INIT;
    assert_int_equal(pl_snappy_decode(pl_buf_view(&packed), 1000, &out), PL_ECORRUPT);
    pl_buf_fini(&out);
    pl_buf_fini(&plain);
    pl_buf_fini(&packed);
}

static void every_prefix_and_bit_flip_of_a_block_is_survived(void **state)
{
    (void)state;
    struct pl_buf plain = PL_BUF_INIT, packed = PL_BUF_INIT;
    fill(&plain, 700);
    assert_int_equal(pl_snappy_encode(pl_buf_view(&plain), &packed), 0);
    check_prefixes(pl_snappy_decode, pl_buf_view(&packed), 0);
    check_bit_flips(pl_snappy_decode, pl_buf_view(&packed));
    pl_buf_fini(&plain);
    pl_buf_fini(&packed);
}

static void a_length_that_the_bytes_cannot_make_allocates_nothing(void **state)
{
    (void)state;
    struct pl_buf out = PL_BUF_INIT;
    assert_int_equal(pl_snappy_decode(PL_STR("\xff\xff\xff\x7f\x00x"), 1u << 30, &out),
                     PL_ECORRUPT);
    assert_null(out.p);
    pl_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_any_size_come_back),
        cmocka_unit_test(the_framed_format_is_told_from_a_block),
        cmocka_unit_test(every_prefix_and_bit_flip_of_a_block_is_survived),
        cmocka_unit_test(a_length_that_the_bytes_cannot_make_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
