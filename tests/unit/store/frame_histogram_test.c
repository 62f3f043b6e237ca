#include "core/store/columns.h"
#include "core/store/frame.h"
#include "tests/unit/store/histograms.h"
#include <stdlib.h>

enum { N = 200 };

/** Rows of histograms 0, 1, 2 ... with a float between each two. */
static void make_payload(struct pl_buf *out)
{
    struct pl_columns c = {0};
    uint32_t id[N];
    int64_t t[N];
    double v[N];
    for (uint32_t i = 0; i < N; i++) {
        struct pl_buf one = PL_BUF_INIT;
        id[i] = i;
        t[i] = 1000;
        v[i] = i;
        if (i % 2 == 0) {
            histogram_bytes(i / 2, &one);
            assert_int_equal(pl_columns_keep(&c, pl_buf_view(&one), &v[i]), 0);
        }
        pl_buf_fini(&one);
    }
    assert_int_equal(pl_frame_add_histograms(out, pl_buf_view(&c.h)), 0);
    assert_int_equal(pl_frame_add_rows(out, id, t, v, N), 0);
    pl_columns_fini(&c);
}

/** Read a payload as a replay does; all tagged values then have bytes that can be read. */
static void read_payload(const uint8_t *p, size_t n, struct pl_rows *r)
{
    pl_str it = pl_str_mem(p, n);
    struct pl_section s;
    int rc;
    while ((rc = pl_frame_next(&it, &s)) > 0) {
        rc = s.type == PL_SECTION_HISTOGRAMS ? pl_frame_histograms(s.bytes, r)
             : s.type == PL_SECTION_ROWS     ? pl_frame_rows(s.bytes, r)
                                             : 0;
        assert_true(rc == 0 || rc == PL_ECORRUPT);
    }
    assert_int_equal(pl_rows_settle(r), 0);
    for (size_t i = 0; i < r->n; i++) {
        size_t n_layout;
        double any;
        if (pl_is_histogram(r->v[i])) {
            pl_str b = pl__boxed_bytes(pl_buf_view(&r->h), pl_histogram_ref(r->v[i]));
            int n_values = pl_histogram_layout(b, &n_layout);
            assert_true(n_values > 0);
            assert_int_equal(pl_histogram_values(b, n_layout, &any, (size_t)n_values, 0), 0);
        }
    }
}

TEST(bytes_come_back_with_their_rows)
{
    struct pl_buf b = PL_BUF_INIT;
    struct pl_rows r = {0};
    make_payload(&b);
    read_payload(b.p, b.n, &r);
    assert_int_equal(r.n, N);
    for (uint32_t i = 0; i < N; i++) {
        if (i % 2) {
            assert_true(r.v[i] == i);
        } else {
            pl_str bytes = pl__boxed_bytes(pl_buf_view(&r.h), pl_histogram_ref(r.v[i]));
            assert_true(is_histogram(bytes, i / 2));
        }
    }
    pl_rows_clear(&r);
    assert_int_equal(r.h.n, 0);
    pl_rows_fini(&r);
    pl_buf_fini(&b);
}

TEST(a_double_that_looks_like_a_reference_is_kept_as_itself)
{
    uint32_t id[] = {1, 2, 3};
    int64_t t[] = {1, 1, 1};
    double v[] = {1.5, pl_histogram_box(0), pl_histogram_box(0xffffffffffff)};
    struct pl_buf b = PL_BUF_INIT;
    struct pl_rows r = {0};
    assert_int_equal(pl_frame_add_rows(&b, id, t, v, 3), 0); /* as from before histograms */
    read_payload(b.p, b.n, &r);
    assert_int_equal(r.n, 3);
    assert_true(r.v[0] == 1.5);
    for (size_t i = 1; i < 3; i++) {
        double got = 0;
        pl_str bytes = pl__boxed_bytes(pl_buf_view(&r.h), pl_histogram_ref(r.v[i]));
        assert_true(pl_histogram_double(bytes, &got));
        assert_true(pl_f64_bits(got) == pl_f64_bits(v[i]));
    }
    pl_rows_fini(&r);
    pl_buf_fini(&b);
}

TEST(every_prefix_and_every_bit_flip_is_survived)
{
    struct pl_buf b = PL_BUF_INIT;
    make_payload(&b);
    for (size_t n = 0; n < b.n; n += n < 300 ? 1 : 37) {
        struct pl_rows r = {0};
        uint8_t *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, b.p, n);
        read_payload(exact, n, &r);
        pl_rows_fini(&r);
        free(exact);
    }
    for (size_t bit = 0; bit < 8 * b.n; bit += bit < 4000 ? 1 : 13) {
        struct pl_rows r = {0};
        b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        read_payload(b.p, b.n, &r);
        b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        pl_rows_fini(&r);
    }
    pl_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back_with_their_rows),
        cmocka_unit_test(a_double_that_looks_like_a_reference_is_kept_as_itself),
        cmocka_unit_test(every_prefix_and_every_bit_flip_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
