/* Tests of core/codec/zstd.c. */
#include "compress_cases.h"
#include <zstd.h>

/* A frame that does not state its size, as streaming senders write it. */
static void stream(pl_str src, int window_log, struct pl_buf *out)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t bound = ZSTD_compressBound(src.n) + 64;
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    ZSTD_inBuffer in = {src.p, src.n / 2, 0};
    ZSTD_outBuffer o = {pl_buf_reserve(out, bound), bound, 0};
    assert_false(ZSTD_isError(ZSTD_compressStream2(c, &o, &in, ZSTD_e_flush)));
    in.size = src.n;
    assert_int_equal(ZSTD_compressStream2(c, &o, &in, ZSTD_e_end), 0);
    out->n += o.pos;
    ZSTD_freeCCtx(c);
}

static const size_t sizes[] = {0, 1, 100, 4096, 65537, 300000};

static void frames_with_and_without_their_size_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pl_buf plain = PL_BUF_INIT, packed = PL_BUF_INIT;
        fill(&plain, sizes[i]);
        assert_int_equal(pl_zstd_encode(pl_buf_view(&plain), 1, &packed), 0);
        check_decodes(pl_zstd_decode, pl_buf_view(&packed), pl_buf_view(&plain));
        pl_buf_clear(&packed);
        stream(pl_buf_view(&plain), 20, &packed);
        check_decodes(pl_zstd_decode, pl_buf_view(&packed), pl_buf_view(&plain));
        pl_buf_fini(&plain);
        pl_buf_fini(&packed);
    }
}

static void frames_are_joined_and_skippable_ones_skipped(void **state)
{
    (void)state;
    struct pl_buf packed = PL_BUF_INIT;
    assert_int_equal(pl_zstd_encode(PL_STR("one "), 1, &packed), 0);
    pl_buf_add(&packed, "\x50\x2a\x4d\x18\x03\x00\x00\x00***", 11);
    stream(PL_STR("two"), 10, &packed);
    check_decodes(pl_zstd_decode, pl_buf_view(&packed), PL_STR("one two"));
    pl_buf_fini(&packed);
}

static void a_bomb_costs_no_more_than_the_limit(void **state)
{
    (void)state;
    struct pl_buf zeros = PL_BUF_INIT, packed = PL_BUF_INIT, out = PL_BUF_INIT;
    memset(pl_buf_reserve(&zeros, 8 << 20), 0, 8 << 20);
    zeros.n = 8 << 20;
    stream(pl_buf_view(&zeros), 20, &packed);
    assert_true(packed.n < 2000);
    assert_int_equal(pl_zstd_decode(pl_buf_view(&packed), 50000, &out), PL_ELIMIT);
    assert_int_equal(out.n, 0);
    assert_true(out.cap <= 200000);
    pl_buf_clear(&packed);
    stream(pl_buf_view(&zeros), 27, &packed); /* and a window of 128 MB is not granted */
    assert_int_equal(pl_zstd_decode(pl_buf_view(&packed), 50000, &out), PL_ELIMIT);
    pl_buf_fini(&zeros);
    pl_buf_fini(&packed);
    pl_buf_fini(&out);
}

static void every_prefix_and_bit_flip_is_survived(void **state)
{
    (void)state;
    struct pl_buf plain = PL_BUF_INIT, packed = PL_BUF_INIT;
    fill(&plain, 600);
    stream(pl_buf_view(&plain), 10, &packed);
    check_prefixes(pl_zstd_decode, pl_buf_view(&packed), 0);
    check_bit_flips(pl_zstd_decode, pl_buf_view(&packed));
    pl_buf_clear(&packed);
    assert_int_equal(pl_zstd_encode(pl_buf_view(&plain), 3, &packed), 0);
    check_prefixes(pl_zstd_decode, pl_buf_view(&packed), 0);
    check_bit_flips(pl_zstd_decode, pl_buf_view(&packed));
    pl_buf_fini(&plain);
    pl_buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_with_and_without_their_size_come_back),
        cmocka_unit_test(frames_are_joined_and_skippable_ones_skipped),
        cmocka_unit_test(a_bomb_costs_no_more_than_the_limit),
        cmocka_unit_test(every_prefix_and_bit_flip_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
