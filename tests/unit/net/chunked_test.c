/* Chunked bodies: taken apart the same however the bytes are cut; what is not chunked is refused.
 */
#include "core/net/chunked.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* Feed in pieces of at most `step` bytes. @return the last result; body appended to out */
static int feed(pl_str src, size_t step, struct pl_buf *out, size_t *used_all)
{
    struct pl__chunked c = {0};
    size_t at = 0;
    int r = 0;
    while (at < src.n && r == 0) {
        size_t used = 0, n = src.n - at < step ? src.n - at : step;
        pl_str data = PL_STR_NULL;
        r = pl__chunked_read(&c, (pl_str){src.p + at, n}, &used, &data);
        if (r >= 0) {
            assert_true(used <= n && (used > 0 || r == 1));
            pl_buf_str(out, data);
            at += used;
        }
    }
    *used_all = at;
    return r;
}

static void chunks_join_to_the_body_however_they_are_cut(void **state)
{
    pl_str src = PL_STR("4\r\nWiki\r\n006\r\npedia \r\nE;name=\"v;x\"\r\nin \r\n\r\nchunks.\r\n"
                        "0\r\nTrailer: x\r\n\r\nGET /");
    (void)state;
    for (size_t step = 1; step <= src.n; step++) {
        struct pl_buf out = PL_BUF_INIT;
        size_t used;
        assert_int_equal(feed(src, step, &out, &used), 1);
        assert_true(pl_str_eq(pl_buf_view(&out), PL_STR("Wikipedia in \r\n\r\nchunks.")));
        assert_int_equal(used, src.n - 5);
        pl_buf_fini(&out);
    }
}

static void what_is_not_chunked_is_refused(void **state)
{
    static const char *const bad[] = {
        "\r\n",
        "g\r\n",
        "-1\r\nx\r\n",
        "0x4\r\nWiki\r\n",
        "4\nWiki\r\n",
        "4\r\nWikip\r\n",
        "4\r\nWiki\n0\r\n",
        "4\rWiki\r\n",
        ";x\r\n",
        "4;\x01\r\n",
        "1234567890abcdef\r\n",
        "4\r\nWiki\rX",
        "0\r\n X: 1\r\n\r\n",
        "0\r\nX\x02: 1\r\n\r\n",
        "0\r\nX: 1\n\r\n",
        "0\r\n\rX",
        "4;a\nWiki\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t step = 1; step < 40; step += 38) {
            struct pl_buf out = PL_BUF_INIT;
            size_t used;
            if (feed(pl_str_c(bad[i]), step, &out, &used) != PL_EPARSE) {
                fail_msg("taken: %s", bad[i]);
            }
            pl_buf_fini(&out);
        }
    }
}

static void extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct pl_buf src = PL_BUF_INIT, out = PL_BUF_INIT;
        size_t used;
        pl_buf_z(&src, kind ? "0\r\n" : "1;");
        for (int i = 0; i <= PL__CHUNKED_OVERHEAD; i++) {
            pl_buf_u8(&src, 'x');
        }
        assert_int_equal(feed(pl_buf_view(&src), 1000, &out, &used), PL_ELIMIT);
        pl_buf_fini(&src);
        pl_buf_fini(&out);
    }
    /* many chunks, each with a small extension: the sum counts */
    struct pl_buf src = PL_BUF_INIT, out = PL_BUF_INIT;
    size_t used;
    for (int i = 0; i < PL__CHUNKED_OVERHEAD; i++) {
        pl_buf_z(&src, "1;x\r\na\r\n");
    }
    assert_int_equal(feed(pl_buf_view(&src), 1000, &out, &used), PL_ELIMIT);
    pl_buf_fini(&src);
    pl_buf_fini(&out);
}

static void every_prefix_wants_more_and_every_bit_flip_ends(void **state)
{
    static const char text[] = "3\r\nabc\r\n2;e\r\nde\r\n0\r\nT: x\r\n\r\n";
    const size_t n = sizeof(text) - 1;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct pl_buf out = PL_BUF_INIT;
        size_t used;
        assert_int_equal(feed((pl_str){text, i}, n, &out, &used), 0);
        pl_buf_fini(&out);
    }
    for (size_t bit = 0; bit < n * 8; bit++) {
        struct pl_buf out = PL_BUF_INIT;
        size_t used;
        char *copy = malloc(n);
        memcpy(copy, text, n);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        feed((pl_str){copy, n}, 3, &out, &used);
        assert_true(out.n < n);
        free(copy);
        pl_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_join_to_the_body_however_they_are_cut),
        cmocka_unit_test(what_is_not_chunked_is_refused),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
        cmocka_unit_test(every_prefix_wants_more_and_every_bit_flip_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
