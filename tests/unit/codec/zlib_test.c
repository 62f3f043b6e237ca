/* Tests of core/codec/zlib.c. */
#include "compress_cases.h"
#include <zlib.h>

static void deflate_with(int window, pl_str src, struct pl_buf *out)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, src.n);
    z.next_in = (Bytef *)(uintptr_t)src.p;
    z.avail_in = (unsigned)src.n;
    z.next_out = pl_buf_reserve(out, bound);
    z.avail_out = (unsigned)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->n += bound - z.avail_out;
    deflateEnd(&z);
}

static const size_t sizes[] = {0, 1, 100, 4096, 65537, 300000};

static void gzip_zlib_and_raw_deflate_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pl_buf plain = PL_BUF_INIT, packed = PL_BUF_INIT;
        fill(&plain, sizes[i]);
        assert_int_equal(pl_gzip_encode(pl_buf_view(&plain), 1, &packed), 0);
        check_decodes(pl_gzip_decode, pl_buf_view(&packed), pl_buf_view(&plain));
        pl_buf_clear(&packed);
        deflate_with(15, pl_buf_view(&plain), &packed);
        check_decodes(pl_gzip_decode, pl_buf_view(&packed), pl_buf_view(&plain));
        check_decodes(pl_deflate_decode, pl_buf_view(&packed), pl_buf_view(&plain));
        pl_buf_clear(&packed);
        deflate_with(-15, pl_buf_view(&plain), &packed);
        check_decodes(pl_deflate_decode, pl_buf_view(&packed), pl_buf_view(&plain));
        pl_buf_fini(&plain);
        pl_buf_fini(&packed);
    }
}

static void members_are_joined_and_rubbish_behind_them_is_refused(void **state)
{
    (void)state;
    struct pl_buf packed = PL_BUF_INIT, out = PL_BUF_INIT;
    assert_int_equal(pl_gzip_encode(PL_STR("one "), 6, &packed), 0);
    assert_int_equal(pl_gzip_encode(PL_STR("two"), 6, &packed), 0);
    check_decodes(pl_gzip_decode, pl_buf_view(&packed), PL_STR("one two"));
    pl_buf_u8(&packed, 'x');
    assert_int_equal(pl_gzip_decode(pl_buf_view(&packed), 100, &out), PL_ECORRUPT);
    pl_buf_fini(&packed);
    pl_buf_fini(&out);
}

static void a_bomb_costs_no_more_than_the_limit(void **state)
{
    (void)state;
    struct pl_buf zeros = PL_BUF_INIT, packed = PL_BUF_INIT, out = PL_BUF_INIT;
    memset(pl_buf_reserve(&zeros, 8 << 20), 0, 8 << 20);
    zeros.n = 8 << 20;
    assert_int_equal(pl_gzip_encode(pl_buf_view(&zeros), 9, &packed), 0);
    assert_true(packed.n < 10000);
    assert_int_equal(pl_gzip_decode(pl_buf_view(&packed), 50000, &out), PL_ELIMIT);
    assert_int_equal(out.n, 0);
    assert_true(out.cap <= 200000);
    pl_buf_fini(&zeros);
    pl_buf_fini(&packed);
    pl_buf_fini(&out);
}

static void every_prefix_and_bit_flip_is_survived(void **state)
{
    (void)state;
    struct pl_buf plain = PL_BUF_INIT, packed = PL_BUF_INIT;
    fill(&plain, 600);
    assert_int_equal(pl_gzip_encode(pl_buf_view(&plain), 6, &packed), 0);
    size_t one = packed.n;
    assert_int_equal(pl_gzip_encode(pl_buf_view(&plain), 6, &packed), 0);
    check_prefixes(pl_gzip_decode, pl_buf_view(&packed), one);
    check_bit_flips(pl_gzip_decode, pl_buf_view(&packed));
    pl_buf_clear(&packed);
    deflate_with(-15, pl_buf_view(&plain), &packed);
    check_prefixes(pl_deflate_decode, pl_buf_view(&packed), 0);
    check_bit_flips(pl_deflate_decode, pl_buf_view(&packed));
    pl_buf_fini(&plain);
    pl_buf_fini(&packed);
}

static void a_member_in_pieces_comes_back_and_each_piece_can_be_read_at_once(void **state)
{
    static const size_t steps[] = {1, 7, 1000, 65536, 299999, 300000};
    struct pl_buf plain = PL_BUF_INIT, packed = PL_BUF_INIT;
    (void)state;
    fill(&plain, 300000);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t all = steps[i] < 100 ? 5000 : plain.n;
        struct pl_gzip *z = pl_gzip_new(1);
        z_stream in = {0};
        uint8_t *got = malloc(all + 1);
        assert_non_null(z);
        assert_non_null(got);
        assert_int_equal(inflateInit2(&in, 15 + 16), Z_OK);
        in.next_out = got;
        in.avail_out = (unsigned)all + 1;
        pl_buf_clear(&packed);
        for (size_t at = 0; at < all; at += steps[i]) {
            size_t n = all - at < steps[i] ? all - at : steps[i], before = packed.n;
            bool last = at + n == all && i % 2;
            assert_int_equal(pl_gzip_add(z, pl_str_mem(plain.p + at, n), last, &packed), 0);
            in.next_in = packed.p + before;
            in.avail_in = (unsigned)(packed.n - before);
            assert_int_equal(inflate(&in, Z_SYNC_FLUSH), last ? Z_STREAM_END : Z_OK);
            assert_int_equal(in.total_out, at + n);
        }
        if (i % 2 == 0) { /* the end alone */
            assert_int_equal(pl_gzip_add(z, PL_STR_NULL, true, &packed), 0);
        }
        assert_memory_equal(got, plain.p, all);
        check_decodes(pl_gzip_decode, pl_buf_view(&packed), pl_str_mem(plain.p, all));
        assert_int_equal(pl_gzip_add(z, PL_STR("x"), false, &packed), PL_EINVAL);
        inflateEnd(&in);
        free(got);
        pl_gzip_free(z);
    }
    pl_buf_fini(&plain);
    pl_buf_fini(&packed);
}

static void a_member_in_no_pieces_is_empty(void **state)
{
    struct pl_buf packed = PL_BUF_INIT;
    struct pl_gzip *z = pl_gzip_new(9);
    (void)state;
    assert_non_null(z);
    assert_int_equal(pl_gzip_add(z, PL_STR_NULL, false, &packed), 0);
    assert_int_equal(packed.n, 0);
    assert_int_equal(pl_gzip_add(z, PL_STR_NULL, true, &packed), 0);
    check_decodes(pl_gzip_decode, pl_buf_view(&packed), PL_STR(""));
    pl_gzip_free(z);
    pl_gzip_free(NULL);
    assert_null(pl_gzip_new(0));
    assert_null(pl_gzip_new(10));
    pl_buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_zlib_and_raw_deflate_come_back),
        cmocka_unit_test(members_are_joined_and_rubbish_behind_them_is_refused),
        cmocka_unit_test(a_bomb_costs_no_more_than_the_limit),
        cmocka_unit_test(every_prefix_and_bit_flip_is_survived),
        cmocka_unit_test(a_member_in_pieces_comes_back_and_each_piece_can_be_read_at_once),
        cmocka_unit_test(a_member_in_no_pieces_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
