#include "core/codec/hcol.h"
#include "core/codec/pack.h"
#include "tests/unit/codec/columns.h"

enum { COLS = 9, ROWS = 40 };

/** Counters of different speeds, one column that never moves, one of anything. */
static void make(struct rng *r, double *v, uint32_t n_cols, size_t n)
{
    for (uint32_t c = 0; c < n_cols; c++) {
        double x = (double)below(r, 1000);
        for (size_t i = 0; i < n; i++) {
            v[c * n + i] = c % 4 == 3 ? pl_bits_f64(special_bits[below(r, N_SPECIAL)]) : x;
            x += c % 4 == 1 ? 0 : (double)below(r, 5 * (c + 1));
        }
    }
}

static void round_trip(pl_str layout, const double *v, uint32_t n_cols, size_t n,
                       enum pl_effort effort)
{
    struct pl_buf b = PL_BUF_INIT, room = PL_BUF_INIT;
    const double *got;
    pl_str said;
    uint32_t cols;
    int bytes = pl__hcol_encode(layout, v, n_cols, n, effort, &b);
    assert_true(bytes > 0 && (size_t)bytes == b.n);
    uint8_t *c = exact_copy(b.p, b.n);
    assert_int_equal(pl__hcol_decode(c, b.n, n, &room, &said, &cols, &got), 0);
    assert_true(pl_str_eq(said, layout));
    assert_int_equal(cols, n_cols);
    assert_memory_equal(got, v, n * n_cols * sizeof *v);
    free(c);
    pl_buf_fini(&b);
    pl_buf_fini(&room);
}

TEST(columns_of_any_shape_come_back_with_their_layout)
{
    struct rng r = {31};
    static double v[PL_HCOL_VALUES];
    for (size_t n = 1; n <= PL_CHUNK_MAX; n += n < 20 ? 1 : 41) {
        make(&r, v, COLS, n);
        round_trip(PL_STR("any layout"), v, COLS, n, PL_EFFORT_FAST);
        round_trip(PL_STR(""), v, 1, n, PL_EFFORT_SMALL);
    }
    make(&r, v, PL_HCOL_VALUES, 1);
    round_trip(PL_STR("wide"), v, PL_HCOL_VALUES, 1, PL_EFFORT_FAST);
    make(&r, v, PL_HCOL_VALUES / 512, 512);
    round_trip(PL_STR("full"), v, PL_HCOL_VALUES / 512, 512, PL_EFFORT_FAST);
}

TEST(what_is_too_much_is_refused)
{
    struct pl_buf b = PL_BUF_INIT;
    static double v[PL_HCOL_VALUES + 2];
    assert_int_equal(pl__hcol_encode(PL_STR(""), v, 0, 1, PL_EFFORT_FAST, &b), PL_EINVAL);
    assert_int_equal(pl__hcol_encode(PL_STR(""), v, 1, 0, PL_EFFORT_FAST, &b), PL_EINVAL);
    assert_int_equal(pl__hcol_encode(PL_STR(""), v, PL_HCOL_VALUES / 2 + 1, 2, PL_EFFORT_FAST, &b),
                     PL_EINVAL);
    assert_int_equal(pl__hcol_encode(PL_STR(""), v, PL_HCOL_VALUES + 1, 1, PL_EFFORT_FAST, &b),
                     PL_EINVAL);
    assert_int_equal(b.n, 0);
    pl_buf_fini(&b);
}

TEST(every_prefix_is_corrupt_and_every_flip_survived)
{
    struct rng r = {32};
    double v[COLS * ROWS];
    struct pl_buf b = PL_BUF_INIT, room = PL_BUF_INIT;
    const double *got;
    pl_str layout;
    uint32_t cols;
    make(&r, v, COLS, ROWS);
    assert_true(pl__hcol_encode(PL_STR("abc"), v, COLS, ROWS, PL_EFFORT_SMALL, &b) > 0);
    for (size_t n = 0; n < b.n; n++) {
        uint8_t *c = exact_copy(b.p, n);
        assert_int_equal(pl__hcol_decode(c, n, ROWS, &room, &layout, &cols, &got), PL_ECORRUPT);
        free(c);
    }
    for (size_t bit = 0; bit < 8 * b.n; bit++) {
        uint8_t *c = exact_copy(b.p, b.n);
        c[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int rc = pl__hcol_decode(c, b.n, ROWS, &room, &layout, &cols, &got);
        assert_true(rc == 0 || rc == PL_ECORRUPT);
        free(c);
    }
    pl_buf_fini(&b);
    pl_buf_fini(&room);
}

TEST(counters_over_time_take_about_a_byte_a_bucket)
{
    static double v[20 * 240];
    struct rng r = {33};
    struct pl_buf b = PL_BUF_INIT;
    for (int c = 0; c < 20; c++) {
        double x = 0;
        for (int i = 0; i < 240; i++) {
            x += (double)below(&r, 30);
            v[c * 240 + i] = x;
        }
    }
    int bytes = pl__hcol_encode(PL_STR("layout"), v, 20, 240, PL_EFFORT_FAST, &b);
    assert_true(bytes > 0 && bytes < 20 * 240);
    pl_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_of_any_shape_come_back_with_their_layout),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(every_prefix_is_corrupt_and_every_flip_survived),
        cmocka_unit_test(counters_over_time_take_about_a_byte_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
