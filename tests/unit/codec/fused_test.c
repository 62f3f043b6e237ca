#include "core/codec/fused.h"
#include "core/codec/decimal.h"
#include "tests/unit/codec/columns.h"

/* Ints as bytes: order DELTA has x0 before, then a packed stream of this base and width. */
static void build(struct rng *r, bool delta, int64_t x0, int64_t base, unsigned w, size_t n,
                  struct pl_buf *out)
{
    uint64_t u[PL_CHUNK_MAX];
    size_t n_u = n - delta;
    for (size_t i = 0; i < n_u; i++) {
        u[i] = rnd(r) & pl__mask(w);
    }
    if (delta) {
        pl__put_zigzag(out, x0);
    }
    pl_buf_u8(out, (uint8_t)w);
    pl__put_zigzag(out, base);
    pl__pack_bits(u, n_u, w, pl_buf_reserve(out, 8192));
    out->n += pl__packed_bytes(n_u, w);
}

TEST(the_fused_decoder_gives_the_bits_of_the_one_step_after_another)
{
    struct rng r = {51};
    int64_t m[PL_CHUNK_MAX];
    double a[PL_CHUNK_MAX], b[PL_CHUNK_MAX];
    int fused = 0;
    for (int k = 0; k < 20000; k++) {
        bool delta = k & 1;
        unsigned w = 1 + (unsigned)below(&r, 27);
        size_t n = 1 + below(&r, k & 2 ? 40 : PL_CHUNK_MAX);
        int64_t base = (int64_t)below(&r, 1ULL << 27) - (1 << 26);
        int64_t x0 = ((int64_t)rnd(&r) >> (12 + below(&r, 40)));
        int e = (int)below(&r, 10);
        struct pl_buf bytes = PL_BUF_INIT;
        build(&r, delta, x0, base, w, n, &bytes);
        uint8_t *c = exact_copy(bytes.p, bytes.n);
        enum pl__ints_order order = delta ? PL__INTS_DELTA : PL__INTS_PLAIN;
        const uint8_t *end = pl__fused_get(c, c + bytes.n, n, order, e, a);
        if (end) {
            fused++;
            assert_ptr_equal(end, pl__ints_get(c, c + bytes.n, n, order, false, m));
            pl__decimal_decode_scalar(m, n, e, b);
            assert_memory_equal(a, b, n * sizeof *a);
            assert_null(pl__fused_get(c, c + bytes.n - 1, n, order, e, a));
        }
        free(c);
        pl_buf_fini(&bytes);
    }
    assert_true(fused > 15000 || !pl__have_avx2());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fused_decoder_gives_the_bits_of_the_one_step_after_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
