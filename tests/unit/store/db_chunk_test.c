#include "core/store/db.h"
#include "tests/unit/store/histograms.h"
#include <stdlib.h>

static void add(struct pl_columns *c, int64_t t, pl_str bytes, double v)
{
    assert_int_equal(pl_columns_reserve(c, 1), 0);
    c->t[c->n] = t;
    c->v[c->n] = v;
    if (bytes.n) {
        assert_int_equal(pl_columns_keep(c, bytes, &c->v[c->n]), 0);
    }
    c->n++;
}

static void add_number(struct pl_columns *c, int64_t t, uint64_t k)
{
    struct pl_buf b = PL_BUF_INIT;
    histogram_bytes(k, &b);
    add(c, t, pl_buf_view(&b), 0);
    pl_buf_fini(&b);
}

/** Through one pack and back. @return chunks */
static uint32_t there_and_back(const struct pl_columns *c, size_t max, struct pl_columns *got)
{
    struct pl_pack_writer *w;
    struct pl_buf bytes = PL_BUF_INIT, cells = PL_BUF_INIT;
    struct pl_pack p;
    assert_int_equal(pl_pack_writer_new(PL_EFFORT_FAST, &w), 0);
    for (size_t i = 0; i < c->n;) {
        int n = pl__chunk_add(w, 7, c, i, c->n - i, max, &cells);
        assert_in_range(n, 1, c->n - i);
        i += (size_t)n;
    }
    assert_true(pl_pack_finish(w, &bytes) > 0);
    pl_pack_init(&p);
    assert_int_equal(pl_pack_open(&p, bytes.p, bytes.n), 0);
    for (uint32_t i = 0; i < p.n_chunks; i++) {
        assert_int_equal(pl__chunk_take(&p, i, got), p.chunks[i].n);
    }
    uint32_t n_chunks = p.n_chunks;
    assert_int_equal(got->n, c->n);
    for (size_t i = 0; i < c->n; i++) {
        assert_int_equal(got->t[i], c->t[i]);
        pl_str want = pl_columns_histogram(c, c->v[i]);
        if (want.n) {
            assert_true(pl_str_eq(pl_columns_histogram(got, got->v[i]), want));
        } else if (!pl_is_histogram(c->v[i])) {
            assert_true(pl_f64_bits(got->v[i]) == pl_f64_bits(c->v[i]));
        }
    }
    pl_pack_fini(&p);
    pl_pack_writer_free(w);
    pl_buf_fini(&bytes);
    pl_buf_fini(&cells);
    return n_chunks;
}

TEST(one_layout_is_cut_into_chunks_of_like_size)
{
    struct pl_columns c = {0}, got = {0};
    for (int i = 0; i < 700; i++) {
        add_number(&c, i, 2);
    }
    assert_int_equal(there_and_back(&c, 10000, &got), 2);
    pl_columns_fini(&c);
    pl_columns_fini(&got);
}

TEST(floats_histograms_and_doubles_take_turns)
{
    struct pl_columns c = {0}, got = {0};
    for (int i = 0; i < 50; i++) {
        add(&c, i, PL_STR_NULL, i);
    }
    for (int i = 50; i < 400; i++) {
        add_number(&c, i, (uint64_t)i);
    }
    for (int i = 400; i < 450; i++) {
        add(&c, i, PL_STR_NULL, i / 2.0);
    }
    assert_in_range(there_and_back(&c, 20, &got), 8, 40);
    pl_columns_fini(&c);
    pl_columns_fini(&got);
}

TEST(a_reference_to_nothing_is_kept_as_the_double_it_is)
{
    struct pl_columns c = {0}, got = {0};
    double plain = 0;
    add_number(&c, 1, 3);
    add(&c, 2, PL_STR_NULL, pl_histogram_box(0xfffffff));
    add_number(&c, 3, 4);
    assert_int_equal(there_and_back(&c, 100, &got), 3);
    assert_true(pl_histogram_double(pl_columns_histogram(&got, got.v[1]), &plain));
    assert_true(pl_f64_bits(plain) == pl_f64_bits(pl_histogram_box(0xfffffff)));
    pl_columns_fini(&c);
    pl_columns_fini(&got);
}

TEST(the_widest_histograms_share_a_chunk_by_threes)
{
    static double count[PL_HISTOGRAM_BUCKETS_MAX];
    const struct pl_hspan span = {-5000, PL_HISTOGRAM_BUCKETS_MAX};
    struct pl_histogram h = {.schema = 8, .pos = {&span, count, 1, PL_HISTOGRAM_BUCKETS_MAX}};
    struct pl_columns c = {0}, got = {0};
    for (int i = 0; i < 9; i++) {
        struct pl_buf b = PL_BUF_INIT;
        for (uint32_t k = 0; k < PL_HISTOGRAM_BUCKETS_MAX; k++) {
            count[k] += k % (unsigned)(i + 2);
            h.count += k % (unsigned)(i + 2);
        }
        const char *why = NULL;
        assert_int_equal(pl_histogram_check(&h, &why), 0);
        assert_int_equal(pl_histogram_put(&b, &h), 0);
        add(&c, i, pl_buf_view(&b), 0);
        pl_buf_fini(&b);
    }
    assert_int_equal(there_and_back(&c, 100, &got), 3);
    pl_columns_fini(&c);
    pl_columns_fini(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_layout_is_cut_into_chunks_of_like_size),
        cmocka_unit_test(floats_histograms_and_doubles_take_turns),
        cmocka_unit_test(a_reference_to_nothing_is_kept_as_the_double_it_is),
        cmocka_unit_test(the_widest_histograms_share_a_chunk_by_threes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
