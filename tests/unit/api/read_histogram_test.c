/* Histograms of remote read are what remote write reads. */
#include "core/api/read_request.h"
#include "core/ingest/histogram.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_comes_back(const struct pl_histogram *h, int64_t t)
{
    struct pl_buf out = PL_BUF_INIT, a = PL_BUF_INIT, b = PL_BUF_INIT;
    struct pl_ingest_histogram room = {0};
    struct pl_histogram back;
    const char *why = "";
    int64_t when;
    pl__read_histogram(&out, t, h);
    assert_int_equal(pl__histogram_pb(pl_buf_view(&out), &room, &back, &when, &why), 0);
    assert_int_equal(when, t);
    assert_int_equal(pl_histogram_put(&a, h), 0);
    assert_int_equal(pl_histogram_put(&b, &back), 0);
    assert_true(pl_str_eq(pl_buf_view(&a), pl_buf_view(&b)));
    pl__histogram_fini(&room);
    pl_buf_fini(&out);
    pl_buf_fini(&a);
    pl_buf_fini(&b);
}

static void whole_and_float_counts_and_custom_bounds_come_back(void **state)
{
    static const struct pl_hspan spans[] = {{-3, 2}, {4, 1}}, one[] = {{0, 3}};
    static const double counts[] = {5, 2, 9}, parts[] = {0.5, 0.25, 3};
    static const double bounds[] = {0.1, 1};
    struct pl_histogram h = {.schema = 3,
                             .reset = PL_RESET_NO,
                             .zero_threshold = 0.001,
                             .zero_count = 4,
                             .count = 36,
                             .sum = -12.5,
                             .pos = {spans, counts, 2, 3},
                             .neg = {spans, counts, 2, 3}};
    (void)state;
    assert_comes_back(&h, 1700000000000);
    h.schema = -4;
    h.reset = PL_RESET_GAUGE;
    h.floats = true;
    h.zero_count = 0.5;
    h.count = 8;
    h.pos.count = h.neg.count = parts;
    assert_comes_back(&h, -5);
    struct pl_histogram custom = {.schema = PL_HISTOGRAM_CUSTOM,
                                  .count = 16,
                                  .sum = 3,
                                  .pos = {one, counts, 1, 3},
                                  .bounds = bounds,
                                  .n_bounds = 2};
    assert_comes_back(&custom, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_and_float_counts_and_custom_bounds_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
