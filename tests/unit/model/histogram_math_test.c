/* Sums, resets, quantiles and trimming of histograms. */
#include "core/model/model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pl_arena arena;

static int setup(void **state)
{
    (void)state;
    pl_arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pl_arena_fini(&arena);
    return 0;
}

static struct pl_hbuckets side(int32_t offset, const double *count, uint32_t n)
{
    struct pl_hspan *span = pl_arena_alloc(&arena, sizeof *span);
    double *v = pl_arena_alloc(&arena, (n + 1) * sizeof *v);
    memcpy(v, count, n * sizeof *v);
    *span = (struct pl_hspan){offset, n};
    return (struct pl_hbuckets){span, v, n > 0, n};
}

#define SIDE(offset, ...)                                                                          \
    side(offset, (double[]){__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double))

static const struct pl_histogram *sum_of(const struct pl_histogram *a, const struct pl_histogram *b,
                                         double factor, int *bits)
{
    struct pl_hsum s;
    assert_int_equal(pl_hsum_init(&s, &arena, a), 0);
    *bits = pl_hsum_add(&s, b, factor);
    return *bits < 0 ? NULL : pl_hsum_finish(&s, &arena, true, false);
}

static void assert_side(const struct pl_hbuckets *b, int32_t index, const double *count, uint32_t n)
{
    assert_int_equal(b->n, n);
    int32_t at = 0;
    uint32_t k = 0;
    for (uint32_t i = 0; i < b->n_spans; i++) {
        at += b->spans[i].offset;
        if (i == 0) {
            assert_int_equal(at, index);
        }
        k += b->spans[i].length;
        at += (int32_t)b->spans[i].length;
    }
    assert_int_equal(k, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(b->count[i] == count[i]);
    }
}

static void bounds_are_powers_of_two_to_the_resolution(void **state)
{
    (void)state;
    struct pl_histogram h = {.schema = 0};
    assert_true(pl_histogram_bound(&h, 0) == 1);
    assert_true(pl_histogram_bound(&h, 3) == 8);
    assert_true(pl_histogram_bound(&h, -2) == 0.25);
    assert_true(pl_histogram_bound(&h, 1024) == 0x1.fffffffffffffp1023);
    assert_true(pl_histogram_bound(&h, 1025) == INFINITY);
    h.schema = -1;
    assert_true(pl_histogram_bound(&h, 2) == 16);
    for (int schema = 1; schema <= 8; schema++) {
        h.schema = (int8_t)schema;
        assert_true(pl_histogram_bound(&h, 1 << schema) == 2);
        for (int i = -600; i < 600; i++) {
            double want = exp2((double)i / (1 << schema)), got = pl_histogram_bound(&h, i);
            assert_true(fabs(got / want - 1) < 1e-14);
            assert_true(got < pl_histogram_bound(&h, i + 1));
        }
    }
}

static void custom_bounds_end_in_infinity(void **state)
{
    (void)state;
    const double bounds[] = {5, 10};
    struct pl_histogram h = {.schema = PL_HISTOGRAM_CUSTOM, .bounds = bounds, .n_bounds = 2};
    assert_true(pl_histogram_bound(&h, -1) == -INFINITY);
    assert_true(pl_histogram_bound(&h, 1) == 10);
    assert_true(pl_histogram_bound(&h, 2) == INFINITY);
}

static void buckets_come_in_order_of_value_both_ways(void **state)
{
    (void)state;
    struct pl_histogram h = {
        .zero_threshold = 0.75, .zero_count = 5, .pos = SIDE(0, 1, 2, 3), .neg = SIDE(0, 4, 5)};
    const double lower[] = {-2, -1, -0.75, 0.75, 1, 2}, upper[] = {-1, -0.75, 0.75, 1, 2, 4};
    const double count[] = {5, 4, 5, 1, 2, 3};
    struct pl_hbucket b;
    struct pl_hiter it = pl_hiter(&h, false);
    for (int i = 0; i < 6; i++) {
        assert_true(pl_hiter_next(&it, &b));
        assert_true(b.lower == lower[i] && b.upper == upper[i] && b.count == count[i]);
    }
    assert_false(pl_hiter_next(&it, &b));
    it = pl_hiter(&h, true);
    for (int i = 5; i >= 0; i--) {
        assert_true(pl_hiter_next(&it, &b));
        assert_true(b.lower == lower[i] && b.count == count[i]);
    }
    assert_false(pl_hiter_next(&it, &b));
}

static void sums_take_in_buckets_before_between_and_behind(void **state)
{
    (void)state;
    int bits;
    struct pl_histogram a = {.count = 6, .sum = 6, .pos = SIDE(1, 1, 2, 3)};
    struct pl_histogram b = {.count = 4, .sum = 1, .pos = SIDE(-1, 1, 1, 1, 0, 0, 1)};
    const struct pl_histogram *s = sum_of(&a, &b, 1, &bits);
    assert_int_equal(bits, 0);
    assert_side(&s->pos, -1, (double[]){1, 1, 2, 2, 3, 1}, 6);
    assert_true(s->count == 10 && s->sum == 7);
    s = sum_of(s, &b, -1, &bits);
    assert_true(pl_histogram_equal(s, &a));
}

static void the_coarser_resolution_wins(void **state)
{
    (void)state;
    int bits;
    struct pl_histogram fine = {.schema = 1, .count = 4, .pos = SIDE(1, 1, 1, 1, 1)};
    struct pl_histogram coarse = {.schema = 0, .count = 1, .pos = SIDE(1, 1)};
    const struct pl_histogram *s = sum_of(&fine, &coarse, 1, &bits);
    assert_int_equal(s->schema, 0);
    assert_side(&s->pos, 1, (double[]){3, 2}, 2);
    s = sum_of(&coarse, &fine, 1, &bits);
    assert_int_equal(s->schema, 0);
    assert_side(&s->pos, 1, (double[]){3, 2}, 2);
}

static void a_wider_zero_bucket_swallows_buckets_whole(void **state)
{
    (void)state;
    int bits;
    struct pl_histogram a = {
        .zero_threshold = 0.001, .zero_count = 1, .count = 7, .pos = SIDE(0, 2, 3, 1)};
    struct pl_histogram b = {.zero_threshold = 1.5, .zero_count = 4, .count = 4};
    const struct pl_histogram *s = sum_of(&a, &b, 1, &bits);
    assert_true(s->zero_threshold == 2); /* 1.5 lies in a populated bucket, which ends at 2 */
    assert_true(s->zero_count == 10);
    assert_side(&s->pos, 2, (double[]){1}, 1);
    s = sum_of(&b, &a, 1, &bits);
    assert_true(s->zero_threshold == 2 && s->zero_count == 10);
    assert_side(&s->pos, 2, (double[]){1}, 1);
}

static void custom_bounds_are_reduced_to_those_in_common(void **state)
{
    (void)state;
    int bits;
    const double x[] = {2, 5, 10}, y[] = {5, 7, 10};
    struct pl_histogram a = {.schema = PL_HISTOGRAM_CUSTOM,
                             .count = 10,
                             .bounds = x,
                             .n_bounds = 3,
                             .pos = SIDE(0, 1, 2, 3, 4)};
    struct pl_histogram b = a, e = {.schema = 0};
    b.bounds = y;
    const struct pl_histogram *s = sum_of(&a, &b, 1, &bits);
    assert_int_equal(bits, PL_HSUM_RECONCILED);
    assert_int_equal(s->n_bounds, 2);
    assert_true(s->bounds[0] == 5 && s->bounds[1] == 10);
    assert_side(&s->pos, 0, (double[]){4, 8, 8}, 3);
    assert_null(sum_of(&a, &e, 1, &bits));
    assert_int_equal(bits, PL_EINVAL);
}

static void hints_of_sums_follow_what_is_added(void **state)
{
    (void)state;
    static const uint8_t want[4][4] = {{0, 0, 0, 3}, {0, 1, 0, 3}, {0, 0, 2, 3}, {3, 3, 3, 3}};
    for (uint8_t i = 0; i < 4; i++) {
        for (uint8_t k = 0; k < 4; k++) {
            int bits;
            struct pl_histogram a = {.reset = i}, b = {.reset = k};
            assert_int_equal(sum_of(&a, &b, 1, &bits)->reset, want[i][k]);
            assert_int_equal(bits, i + k == 3 && i && k && i < 3 && k < 3 ? PL_HSUM_COLLISION : 0);
        }
    }
}

static void sums_are_compensated(void **state)
{
    (void)state;
    struct pl_hsum s;
    struct pl_histogram big = {.count = 1e16, .sum = 1e16, .pos = SIDE(0, 1e16)};
    struct pl_histogram one = {.count = 1, .sum = 1, .pos = SIDE(0, 1)};
    assert_int_equal(pl_hsum_init(&s, &arena, &big), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(pl_hsum_add(&s, &one, 1), 0);
    }
    const struct pl_histogram *h = pl_hsum_finish(&s, &arena, false, true);
    assert_true(h->count == 10000000000000010.0 && h->pos.count[0] == 10000000000000010.0);
    h = pl_hsum_finish(&s, &arena, false, false);
    assert_true(h->count == 1e16);
}

static void division_by_zero_leaves_no_buckets(void **state)
{
    (void)state;
    struct pl_histogram h = {.count = 3, .sum = 1, .zero_count = 2, .pos = SIDE(0, 1)};
    const struct pl_histogram *x = pl_histogram_scaled(&arena, &h, 0, true, true);
    assert_true(isinf(x->count) && isinf(x->zero_count) && x->pos.n == 0);
    x = pl_histogram_scaled(&arena, &h, -2, false, true);
    assert_true(x->count == -6 && x->reset == PL_RESET_GAUGE && x->pos.count[0] == -2);
}

static void a_reset_shows_in_any_count(void **state)
{
    (void)state;
    const struct pl_histogram was = {
        .schema = 1, .zero_threshold = 0.001, .zero_count = 1, .count = 4, .pos = SIDE(1, 1, 2)};
    struct pl_histogram now = was;
    assert_false(pl_histogram_is_reset(&now, &was));
    now.count = 3;
    assert_true(pl_histogram_is_reset(&now, &was));
    now = was;
    now.zero_count = 0;
    assert_true(pl_histogram_is_reset(&now, &was));
    now = was;
    now.pos = SIDE(1, 2, 1);
    assert_true(pl_histogram_is_reset(&now, &was));
    now.pos = SIDE(2, 2, 2);
    assert_true(pl_histogram_is_reset(&now, &was)); /* a bucket is gone */
    now.pos = SIDE(0, 0, 1, 2, 5);
    assert_false(pl_histogram_is_reset(&now, &was));
    now = was;
    now.schema = 2;
    assert_true(pl_histogram_is_reset(&now, &was)); /* finer than before */
    now.schema = 0;
    now.pos = SIDE(1, 3);
    assert_false(pl_histogram_is_reset(&now, &was));
    now.pos = SIDE(1, 2);
    assert_true(pl_histogram_is_reset(&now, &was));
    now = was;
    now.count = 1;
    now.reset = PL_RESET_NO;
    assert_false(pl_histogram_is_reset(&now, &was));
}

static void quantiles_interpolate_by_the_kind_of_bucket(void **state)
{
    (void)state;
    enum pl_hnote note = PL_HNOTE_NONE;
    struct pl_histogram h = {.count = 4, .sum = 5, .pos = SIDE(0, 1, 2, 1)};
    assert_true(fabs(pl_histogram_quantile(0.5, &h, &note) - sqrt(2)) < 1e-12);
    assert_true(pl_histogram_quantile(1, &h, &note) == 4);
    assert_true(pl_histogram_quantile(-1, &h, &note) == -INFINITY);
    assert_true(pl_histogram_quantile(2, &h, &note) == INFINITY);
    const double bounds[] = {5, 10};
    struct pl_histogram c = {.schema = PL_HISTOGRAM_CUSTOM,
                             .count = 4,
                             .sum = 1,
                             .bounds = bounds,
                             .n_bounds = 2,
                             .pos = SIDE(0, 1, 2, 1)};
    assert_true(pl_histogram_quantile(0.5, &c, &note) == 7.5);
    assert_true(pl_histogram_quantile(0.1, &c, &note) == 2);
    assert_true(pl_histogram_quantile(0.99, &c, &note) == 10);
    assert_int_equal(note, PL_HNOTE_NONE);
    h.count = 5;
    h.sum = NAN; /* one was NaN */
    assert_true(isnan(pl_histogram_quantile(0.9, &h, &note)));
    assert_int_equal(note, PL_HNOTE_NAN_RESULT);
    note = PL_HNOTE_NONE;
    assert_true(pl_histogram_quantile(0.2, &h, &note) == 1);
    assert_int_equal(note, PL_HNOTE_NAN_SKEW);
}

static void a_fraction_is_the_inverse_of_a_quantile(void **state)
{
    (void)state;
    enum pl_hnote note = PL_HNOTE_NONE;
    struct pl_histogram h = {.zero_threshold = 0.001,
                             .zero_count = 4,
                             .count = 24,
                             .sum = 1,
                             .pos = SIDE(0, 2, 3, 0, 1, 4),
                             .neg = SIDE(0, 2, 3, 0, 1, 4)};
    for (double q = 0.01; q < 1; q += 0.01) {
        double v = pl_histogram_quantile(q, &h, &note);
        assert_true(fabs(pl_histogram_fraction(-INFINITY, v, &h, &note) - q) < 1e-9);
    }
    assert_true(pl_histogram_fraction(-INFINITY, INFINITY, &h, &note) == 1);
    assert_true(pl_histogram_fraction(3, 2, &h, &note) == 0);
    assert_true(isnan(pl_histogram_fraction(NAN, 2, &h, &note)));
}

static void trimming_divides_the_bucket_it_cuts(void **state)
{
    (void)state;
    struct pl_histogram h = {.count = 4, .sum = 5, .pos = SIDE(0, 1, 2, 1)};
    const struct pl_histogram *x = pl_histogram_trim(&arena, &h, 2, false);
    assert_side(&x->pos, 0, (double[]){1, 2}, 2);
    assert_true(x->count == 3);
    x = pl_histogram_trim(&arena, &h, 2, true);
    assert_side(&x->pos, 2, (double[]){1}, 1);
    x = pl_histogram_trim(&arena, &h, sqrt(2), false);
    assert_true(fabs(x->count - 2) < 1e-12);
    x = pl_histogram_trim(&arena, &h, 100, false);
    assert_true(pl_histogram_equal(x, &h)); /* nothing cut: the sum stays, too */
}

static void the_lowest_bucket_of_all_keeps_its_sign_at_a_lower_resolution(void **state)
{
    int bits;
    const struct pl_histogram fine = {.schema = 1, .count = 1, .pos = SIDE(INT32_MIN, 1)};
    const struct pl_histogram coarse = {.schema = 0, .count = 2, .pos = SIDE(INT32_MIN / 2, 2)};
    (void)state;
    const struct pl_histogram *h = sum_of(&fine, &coarse, 1, &bits);
    assert_int_equal(bits, 0);
    assert_side(&h->pos, INT32_MIN / 2, (double[]){3}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_powers_of_two_to_the_resolution),
        cmocka_unit_test(custom_bounds_end_in_infinity),
        cmocka_unit_test(buckets_come_in_order_of_value_both_ways),
        cmocka_unit_test(sums_take_in_buckets_before_between_and_behind),
        cmocka_unit_test(the_coarser_resolution_wins),
        cmocka_unit_test(a_wider_zero_bucket_swallows_buckets_whole),
        cmocka_unit_test(custom_bounds_are_reduced_to_those_in_common),
        cmocka_unit_test(hints_of_sums_follow_what_is_added),
        cmocka_unit_test(sums_are_compensated),
        cmocka_unit_test(division_by_zero_leaves_no_buckets),
        cmocka_unit_test(a_reset_shows_in_any_count),
        cmocka_unit_test(quantiles_interpolate_by_the_kind_of_bucket),
        cmocka_unit_test(a_fraction_is_the_inverse_of_a_quantile),
        cmocka_unit_test(trimming_divides_the_bucket_it_cuts),
        cmocka_unit_test(the_lowest_bucket_of_all_keeps_its_sign_at_a_lower_resolution),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
