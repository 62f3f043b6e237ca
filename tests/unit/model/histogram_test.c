#include "core/model/histogram.h"
#include "tests/unit/unit.h"
#include <math.h>
#include <stdlib.h>

static const struct pl_hspan two_spans[] = {{-3, 2}, {4, 3}};
static const struct pl_hspan one_span[] = {{0, 2}};
static const double five[] = {1, 0, 7, 3, 300}, two[] = {2, 5}, bounds[] = {-1.5, 0, 2.25};

/** Whole counts, both signs, a zero bucket. */
static struct pl_histogram whole(void)
{
    return (struct pl_histogram){.schema = 3,
                                 .reset = PL_RESET_NO,
                                 .zero_threshold = 0x1p-128,
                                 .zero_count = 4,
                                 .count = 322,
                                 .sum = 17.25,
                                 .pos = {two_spans, five, 2, 5},
                                 .neg = {one_span, two, 1, 2}};
}

static struct pl_histogram floats(void)
{
    static const double counts[] = {0.5, 1e300, 0x1p-1074, 4, 0};
    struct pl_histogram h = whole();
    h.floats = true;
    h.zero_threshold = 0.125;
    h.pos.count = counts;
    h.reset = PL_RESET_GAUGE;
    h.sum = pl_bits_f64(0x7ff6000000000005);
    return h;
}

static struct pl_histogram custom(void)
{
    static const struct pl_hspan spans[] = {{1, 2}, {0, 1}};
    static const double counts[] = {3, 9, 1};
    return (struct pl_histogram){.schema = PL_HISTOGRAM_CUSTOM,
                                 .count = 13,
                                 .sum = -4,
                                 .pos = {spans, counts, 2, 3},
                                 .bounds = bounds,
                                 .n_bounds = 3};
}

static void same_buckets(const struct pl_hbuckets *a, const struct pl_hbuckets *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->n_spans, b->n_spans);
    for (uint32_t i = 0; i < a->n; i++) {
        assert_true(pl_f64_bits(a->count[i]) == pl_f64_bits(b->count[i]));
    }
    for (uint32_t i = 0; i < a->n_spans; i++) {
        assert_int_equal(a->spans[i].offset, b->spans[i].offset);
        assert_int_equal(a->spans[i].length, b->spans[i].length);
    }
}

static void same(const struct pl_histogram *a, const struct pl_histogram *b)
{
    assert_int_equal(a->schema, b->schema);
    assert_int_equal(a->reset, b->reset);
    assert_int_equal(a->floats, b->floats);
    assert_true(a->zero_threshold == b->zero_threshold && a->zero_count == b->zero_count);
    assert_true(a->count == b->count && pl_f64_bits(a->sum) == pl_f64_bits(b->sum));
    assert_int_equal(a->n_bounds, b->n_bounds);
    for (uint32_t i = 0; i < a->n_bounds; i++) {
        assert_true(a->bounds[i] == b->bounds[i]);
    }
    same_buckets(&a->pos, &b->pos);
    same_buckets(&a->neg, &b->neg);
}

/** A copy that ends where the heap block ends, so that the sanitizer sees a read behind it. */
static pl_str exact(const uint8_t *p, size_t n)
{
    char *c = malloc(n ? n : 1);
    assert_non_null(c);
    memcpy(c, p, n);
    return (pl_str){c, n};
}

static void comes_back(const struct pl_histogram *h)
{
    struct pl_buf b = PL_BUF_INIT, joined = PL_BUF_INIT;
    struct pl_arena a;
    struct pl_histogram got;
    size_t n_layout = 0;
    double v[64];
    pl_arena_init(&a, 0);
    assert_int_equal(pl_histogram_put(&b, h), 0);
    pl_str bytes = exact(b.p, b.n);
    assert_int_equal(pl_histogram_get(bytes, &a, &got), 0);
    same(&got, h);
    int n = pl_histogram_layout(bytes, &n_layout);
    assert_int_equal(n, 3 + h->pos.n + h->neg.n);
    assert_int_equal(pl_histogram_values(bytes, n_layout, v, (size_t)n, 1), 0);
    assert_true(v[0] == h->count && v[1] == h->zero_count);
    assert_true(pl_f64_bits(v[2]) == pl_f64_bits(h->sum));
    for (uint32_t i = 0; i < h->neg.n; i++) {
        assert_true(v[3 + h->pos.n + i] == h->neg.count[i]);
    }
    pl_str layout = {bytes.p, n_layout};
    assert_int_equal(pl_histogram_join(&joined, layout, v, (size_t)n, 1), 0);
    assert_true(pl_str_eq(pl_buf_view(&joined), bytes));
    free((char *)bytes.p);
    pl_arena_fini(&a);
    pl_buf_fini(&b);
    pl_buf_fini(&joined);
}

TEST(what_was_put_comes_back)
{
    struct pl_histogram h = whole();
    comes_back(&h);
    h = floats();
    comes_back(&h);
    h = custom();
    comes_back(&h);
    h = (struct pl_histogram){.schema = -4};
    comes_back(&h);
}

TEST(a_count_that_is_not_whole_makes_it_one_of_floats)
{
    struct pl_histogram h = whole(), got;
    struct pl_buf b = PL_BUF_INIT;
    struct pl_arena a;
    pl_arena_init(&a, 0);
    h.zero_count = 4.5;
    assert_int_equal(pl_histogram_put(&b, &h), 0);
    assert_int_equal(pl_histogram_get(pl_buf_view(&b), &a, &got), 0);
    h.floats = true;
    same(&got, &h);
    pl_arena_fini(&a);
    pl_buf_fini(&b);
}

TEST(a_usual_histogram_takes_few_bytes)
{
    struct pl_histogram h = whole();
    struct pl_buf b = PL_BUF_INIT;
    assert_int_equal(pl_histogram_put(&b, &h), 0);
    assert_true(b.n <= 32);
    pl_buf_fini(&b);
}

TEST(every_prefix_is_corrupt_and_so_is_a_longer_one)
{
    struct pl_histogram all[] = {whole(), floats(), custom()}, got;
    for (size_t k = 0; k < 3; k++) {
        struct pl_buf b = PL_BUF_INIT;
        struct pl_arena a;
        pl_arena_init(&a, 0);
        assert_int_equal(pl_histogram_put(&b, &all[k]), 0);
        for (size_t n = 0; n < b.n; n++) {
            pl_str bytes = exact(b.p, n);
            size_t n_layout;
            double v[64];
            assert_int_equal(pl_histogram_get(bytes, &a, &got), PL_ECORRUPT);
            int rc = pl_histogram_layout(bytes, &n_layout);
            if (rc > 0) {
                rc = pl_histogram_values(bytes, n_layout, v, (size_t)rc, 1);
            }
            assert_int_equal(rc, PL_ECORRUPT);
            free((char *)bytes.p);
        }
        pl_buf_u8(&b, 0);
        assert_int_equal(pl_histogram_get(pl_buf_view(&b), &a, &got), PL_ECORRUPT);
        pl_arena_fini(&a);
        pl_buf_fini(&b);
    }
}

TEST(every_flipped_bit_is_corrupt_or_another_histogram)
{
    struct pl_histogram all[] = {whole(), floats(), custom()}, got;
    for (size_t k = 0; k < 3; k++) {
        struct pl_buf b = PL_BUF_INIT;
        struct pl_arena a;
        pl_arena_init(&a, 0);
        assert_int_equal(pl_histogram_put(&b, &all[k]), 0);
        for (size_t bit = 0; bit < 8 * b.n; bit++) {
            b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            pl_str bytes = exact(b.p, b.n);
            size_t n_layout;
            double v[PL_HISTOGRAM_BUCKETS_MAX + 3];
            int rc = pl_histogram_get(bytes, &a, &got);
            int n = pl_histogram_layout(bytes, &n_layout);
            if (rc == 0) {
                assert_int_equal(n, 3 + got.pos.n + got.neg.n);
                comes_back(&got);
            } else {
                assert_int_equal(rc, PL_ECORRUPT);
                assert_true(n < 0 ||
                            pl_histogram_values(bytes, n_layout, v, (size_t)n, 1) == PL_ECORRUPT);
            }
            free((char *)bytes.p);
            b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        pl_arena_fini(&a);
        pl_buf_fini(&b);
    }
}

TEST(a_plain_double_with_the_tag_is_kept_bit_by_bit)
{
    double v = pl_histogram_box(77), got = 0, w;
    struct pl_buf b = PL_BUF_INIT, joined = PL_BUF_INIT;
    struct pl_histogram h;
    struct pl_arena a;
    size_t n_layout;
    pl_arena_init(&a, 0);
    assert_true(pl_is_histogram(v) && pl_histogram_ref(v) == 77);
    pl_histogram_put_double(&b, v);
    assert_true(pl_histogram_double(pl_buf_view(&b), &got));
    assert_true(pl_f64_bits(got) == pl_f64_bits(v));
    assert_int_equal(pl_histogram_get(pl_buf_view(&b), &a, &h), PL_ECORRUPT);
    assert_int_equal(pl_histogram_layout(pl_buf_view(&b), &n_layout), 1);
    assert_int_equal(pl_histogram_values(pl_buf_view(&b), n_layout, &w, 1, 1), 0);
    assert_true(pl_f64_bits(w) == pl_f64_bits(v));
    pl_str layout = {(const char *)b.p, n_layout};
    assert_int_equal(pl_histogram_join(&joined, layout, &w, 1, 1), 0);
    assert_true(pl_str_eq(pl_buf_view(&joined), pl_buf_view(&b)));
    pl_buf_fini(&b);
    pl_buf_fini(&joined);
    pl_arena_fini(&a);
}

TEST(values_that_do_not_fit_their_layout_are_refused)
{
    struct pl_histogram h = whole();
    struct pl_buf b = PL_BUF_INIT, out = PL_BUF_INIT;
    size_t n_layout;
    double v[10];
    assert_int_equal(pl_histogram_put(&b, &h), 0);
    assert_int_equal(pl_histogram_layout(pl_buf_view(&b), &n_layout), 10);
    assert_int_equal(pl_histogram_values(pl_buf_view(&b), n_layout, v, 10, 1), 0);
    pl_str layout = {(const char *)b.p, n_layout};
    assert_int_equal(pl_histogram_join(&out, layout, v, 9, 1), PL_ECORRUPT);
    v[4] = 0.5;
    assert_int_equal(pl_histogram_join(&out, layout, v, 10, 1), PL_ECORRUPT);
    v[4] = 0x1p54;
    assert_int_equal(pl_histogram_join(&out, layout, v, 10, 1), PL_ECORRUPT);
    v[4] = -1;
    assert_int_equal(pl_histogram_join(&out, layout, v, 10, 1), PL_ECORRUPT);
    assert_int_equal(out.n, 0);
    pl_buf_fini(&b);
    pl_buf_fini(&out);
}

static void refused(const struct pl_histogram *h, const char *part)
{
    const char *why = "";
    assert_int_equal(pl_histogram_check(h, &why), PL_EINVAL);
    if (!strstr(why, part)) {
        fail_msg("'%s' says nothing of '%s'", why, part);
    }
}

TEST(sound_ones_pass_the_check)
{
    const char *why = NULL;
    struct pl_histogram h = whole();
    assert_int_equal(pl_histogram_check(&h, &why), 0);
    h.sum = NAN; /* observations of NaN are in no bucket */
    h.count = 400;
    assert_int_equal(pl_histogram_check(&h, &why), 0);
    h = floats();
    assert_int_equal(pl_histogram_check(&h, &why), 0);
    h = custom();
    assert_int_equal(pl_histogram_check(&h, &why), 0);
}

TEST(unsound_ones_are_refused_with_the_reason)
{
    struct pl_hspan bad[] = {{-3, 2}, {-1, 3}}, far[] = {{2, 3}};
    double down[] = {1, 1, 2}, negative[] = {1, -1, 7, 3, 300};
    struct pl_histogram h = whole();
    h.count = 323;
    refused(&h, "not that of the buckets");
    h = whole();
    h.schema = 9;
    refused(&h, "schema");
    h = whole();
    h.pos.n = 4;
    refused(&h, "do not fit");
    h = whole();
    h.pos.spans = bad;
    refused(&h, "overlaps");
    h = whole();
    h.pos.count = negative;
    refused(&h, "negative count");
    h = whole();
    h.zero_threshold = NAN;
    refused(&h, "threshold");
    h = whole();
    h.count = -1;
    refused(&h, "negative");
    h = whole();
    h.bounds = bounds;
    h.n_bounds = 3;
    refused(&h, "exponential");
    h = whole();
    h.sum = NAN;
    h.count = 321;
    refused(&h, "not that of the buckets");
    h = custom();
    h.bounds = down;
    refused(&h, "ascend");
    h = custom();
    h.pos.spans = far;
    h.pos.n_spans = 1;
    refused(&h, "range");
    h = custom();
    h.zero_count = 1;
    refused(&h, "zero bucket");
    h = custom();
    h.neg = whole().neg;
    refused(&h, "negative buckets");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_comes_back),
        cmocka_unit_test(a_count_that_is_not_whole_makes_it_one_of_floats),
        cmocka_unit_test(a_usual_histogram_takes_few_bytes),
        cmocka_unit_test(every_prefix_is_corrupt_and_so_is_a_longer_one),
        cmocka_unit_test(every_flipped_bit_is_corrupt_or_another_histogram),
        cmocka_unit_test(a_plain_double_with_the_tag_is_kept_bit_by_bit),
        cmocka_unit_test(values_that_do_not_fit_their_layout_are_refused),
        cmocka_unit_test(sound_ones_pass_the_check),
        cmocka_unit_test(unsound_ones_are_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
