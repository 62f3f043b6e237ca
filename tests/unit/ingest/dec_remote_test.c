/* Tests of core/ingest/dec_remote.c. */
#include "tests/unit/ingest/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void bytes(struct pl_buf *b, unsigned field, pl_str s)
{
    pl_buf_varint(b, field << 3 | 2);
    pl_buf_varint(b, s.n);
    pl_buf_str(b, s);
}

static void label(struct pl_buf *b, const char *name, const char *value)
{
    struct pl_buf l = PL_BUF_INIT;
    bytes(&l, 1, pl_str_c(name));
    bytes(&l, 2, pl_str_c(value));
    bytes(b, 1, pl_buf_view(&l));
    pl_buf_fini(&l);
}

static void sample(struct pl_buf *b, double v, int64_t t)
{
    struct pl_buf s = PL_BUF_INIT;
    pl_buf_varint(&s, 1 << 3 | 1);
    pl_buf_u64(&s, pl_f64_bits(v));
    pl_buf_varint(&s, 2 << 3);
    pl_buf_varint(&s, (uint64_t)t);
    bytes(b, 2, pl_buf_view(&s));
    pl_buf_fini(&s);
}

static void end_series(struct pl_buf *body, struct pl_buf *ts)
{
    bytes(body, 1, pl_buf_view(ts));
    pl_buf_clear(ts);
}

static const char *decode(struct fake *f, const struct pl_buf *body)
{
    fake_next(f);
    int e = pl_ingest_remote_write(f->g, pl_buf_view(body), f->b, &f->r);
    assert_int_equal(e, 0);
    fake_check(f, e);
    return fake_text(f);
}

/* Two series of two samples and one, metadata, and a field that nobody knows. */
static void usual(struct pl_buf *body)
{
    struct pl_buf ts = PL_BUF_INIT;
    label(&ts, "__name__", "up");
    label(&ts, "job", "a");
    sample(&ts, 1.5, 1000);
    sample(&ts, -0.0, FAKE_NOW);
    end_series(body, &ts);
    label(&ts, "__name__", "down");
    sample(&ts, pl_bits_f64(PL_STALE_BITS), 5);
    end_series(body, &ts);
    pl_buf_varint(&ts, 1 << 3);
    pl_buf_varint(&ts, 1);
    bytes(&ts, 2, PL_STR("up"));
    bytes(&ts, 4, PL_STR("help"));
    bytes(&ts, 5, PL_STR("unit"));
    bytes(body, 3, pl_buf_view(&ts));
    bytes(body, 9, PL_STR("??"));
    pl_buf_fini(&ts);
}

static void series_and_metadata_of_a_request_are_read(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf body = PL_BUF_INIT;
    (void)state;
    usual(&body);
    for (int round = 0; round < 3; round++) {
        assert_string_equal(decode(f, &body),
                            "up{job=\"a\"} 1000 1.5\nup{job=\"a\"} 1700000000000 -0\ndown 5 stale\n"
                            "up|counter|unit|help\n");
    }
    assert_int_equal(f->tenant.n, 2);
    pl_buf_fini(&body);
    fake_free(f);
}

static void exemplars_of_a_series_are_kept(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf body = PL_BUF_INIT, ts = PL_BUF_INIT, x = PL_BUF_INIT;
    (void)state;
    label(&ts, "__name__", "up");
    label(&x, "trace_id", "t");
    label(&x, "a", "b");
    pl_buf_varint(&x, 2 << 3 | 1);
    pl_buf_u64(&x, pl_f64_bits(2.5));
    pl_buf_varint(&x, 3 << 3);
    pl_buf_varint(&x, 77);
    sample(&ts, 1, 5);
    bytes(&ts, 3, pl_buf_view(&x));
    bytes(&ts, 3, PL_STR(""));
    sample(&ts, 2, 6);
    end_series(&body, &ts);
    assert_string_equal(decode(f, &body), "up 5 1\nup 6 2\n# up {a=\"b\",trace_id=\"t\"} 77 2.5\n"
                                          "# up {} 0 0\n");
    pl_buf_fini(&body);
    pl_buf_fini(&ts);
    pl_buf_fini(&x);
    fake_free(f);
}

static void default_values_that_are_left_out_are_zero(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf body = PL_BUF_INIT, ts = PL_BUF_INIT;
    (void)state;
    label(&ts, "__name__", "z");
    bytes(&ts, 2, PL_STR(""));
    end_series(&body, &ts);
    assert_string_equal(decode(f, &body), "z 0 0\n");
    pl_buf_fini(&body);
    pl_buf_fini(&ts);
    fake_free(f);
}

static void a_bad_series_is_rejected_alone_and_its_samples_counted_once(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf body = PL_BUF_INIT, ts = PL_BUF_INIT;
    (void)state;
    sample(&ts, 1, 1); /* 0: no labels */
    sample(&ts, 1, 2);
    end_series(&body, &ts);
    label(&ts, "a", "1"); /* 1: a label twice */
    label(&ts, "a", "2");
    sample(&ts, 1, 1);
    end_series(&body, &ts);
    label(&ts, "good", "1"); /* 2: one of its samples too old, one in the future */
    sample(&ts, 1, -1);
    sample(&ts, 2, 2);
    sample(&ts, 3, FAKE_NOW * 2);
    end_series(&body, &ts);
    label(&ts, "late", "1"); /* 3: too old, good, a label behind, good */
    sample(&ts, 1, -1);
    sample(&ts, 1, 1);
    label(&ts, "label", "1");
    sample(&ts, 1, 2);
    end_series(&body, &ts);
    label(&ts, "histogram", "1"); /* 4: one observation, and no bucket that it is in */
    bytes(&ts, 4, PL_STR("\x08\x01"));
    sample(&ts, 9, 9);
    end_series(&body, &ts);
    assert_string_equal(decode(f, &body),
                        "{good=\"1\"} 2 2\n{histogram=\"1\"} 9 9\n!0 labels\n!1 labels\n"
                        "!2 too_old\n!2 future\n!3 too_old\n!3 labels\n!4 histogram\n9 rejected\n");
    pl_buf_fini(&body);
    pl_buf_fini(&ts);
    fake_free(f);
}

static void f64(struct pl_buf *b, unsigned field, double v)
{
    pl_buf_varint(b, field << 3 | 1);
    pl_buf_u64(b, pl_f64_bits(v));
}

static void number(struct pl_buf *b, unsigned field, uint64_t v)
{
    pl_buf_varint(b, field << 3);
    pl_buf_varint(b, v);
}

static void span(struct pl_buf *b, unsigned field, int offset, unsigned length)
{
    struct pl_buf s = PL_BUF_INIT;
    number(&s, 1, pl_zigzag(offset));
    number(&s, 2, length);
    bytes(b, field, pl_buf_view(&s));
    pl_buf_fini(&s);
}

static void deltas(struct pl_buf *b, unsigned field, size_t n, const int *d)
{
    struct pl_buf s = PL_BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        pl_buf_varint(&s, pl_zigzag(d[i]));
    }
    bytes(b, field, pl_buf_view(&s));
    pl_buf_fini(&s);
}

static void counts(struct pl_buf *b, unsigned field, size_t n, const double *d)
{
    bytes(b, field, pl_str_mem(d, n * sizeof *d));
}

static void whole_histogram(struct pl_buf *ts, int64_t t, uint64_t count)
{
    struct pl_buf h = PL_BUF_INIT;
    number(&h, 1, count);
    f64(&h, 3, 18.5);
    number(&h, 4, pl_zigzag(1));
    f64(&h, 5, 0.5);
    number(&h, 6, 2);
    span(&h, 8, 0, 1);
    deltas(&h, 9, 1, (int[]){1});
    span(&h, 11, -3, 2);
    span(&h, 11, 4, 2);
    deltas(&h, 12, 2, (int[]){1, 2}); /* packed, in two pieces */
    number(&h, 12, pl_zigzag(-3));
    number(&h, 12, pl_zigzag(5));
    number(&h, 14, 2);
    number(&h, 15, (uint64_t)t);
    bytes(ts, 4, pl_buf_view(&h));
    pl_buf_fini(&h);
}

static void histograms_of_ints_floats_and_custom_bounds_are_read(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf body = PL_BUF_INIT, ts = PL_BUF_INIT, h = PL_BUF_INIT;
    (void)state;
    label(&ts, "a", "1");
    sample(&ts, 4, 500);
    whole_histogram(&ts, 1000, 12);
    f64(&h, 3, pl_bits_f64(PL_STALE_BITS)); /* a staleness marker */
    number(&h, 15, 2000);
    bytes(&ts, 4, pl_buf_view(&h));
    end_series(&body, &ts);
    label(&ts, "a", "2");
    pl_buf_clear(&h);
    f64(&h, 2, 4.5);
    f64(&h, 3, -1);
    f64(&h, 7, 0.5);
    span(&h, 11, 1, 2);
    counts(&h, 13, 1, (double[]){1.5});
    f64(&h, 13, 2.5);
    number(&h, 14, 3);
    number(&h, 15, 1000);
    bytes(&ts, 4, pl_buf_view(&h));
    pl_buf_clear(&h);
    number(&h, 1, 5);
    f64(&h, 3, 7);
    number(&h, 4, pl_zigzag(-53));
    span(&h, 11, 0, 3);
    deltas(&h, 12, 3, (int[]){2, -2, 3});
    number(&h, 15, 3000);
    counts(&h, 16, 2, (double[]){0.25, 10});
    bytes(&ts, 4, pl_buf_view(&h));
    end_series(&body, &ts);
    for (int round = 0; round < 2; round++) {
        assert_string_equal(
            decode(f, &body),
            "{a=\"1\"} 500 4\n"
            "{a=\"1\"} 1000 histogram schema 1 reset 2 count 12 sum 18.5 zero 0.5:2 +-3:1 +-2:3 "
            "+3:0 +4:5 -0:1\n"
            "{a=\"1\"} 2000 stale\n"
            "{a=\"2\"} 1000 floats schema 0 reset 3 count 4.5 sum -1 zero 0:0.5 +1:1.5 +2:2.5\n"
            "{a=\"2\"} 3000 histogram schema -53 reset 0 count 5 sum 7 zero 0:0 +0:2 +1:0 +2:3 "
            "<=0.25 <=10\n");
    }
    pl_buf_fini(&h);
    pl_buf_fini(&body);
    pl_buf_fini(&ts);
    fake_free(f);
}

static void an_unsound_histogram_is_rejected_alone_with_the_reason(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf body = PL_BUF_INIT, ts = PL_BUF_INIT, h = PL_BUF_INIT;
    (void)state;
    label(&ts, "a", "1");
    whole_histogram(&ts, 1000, 13); /* the buckets have 12 */
    whole_histogram(&ts, -1, 12);
    whole_histogram(&ts, 2000, 12);
    number(&h, 4, pl_zigzag(-54));
    bytes(&ts, 4, pl_buf_view(&h));
    pl_buf_clear(&h);
    for (uint32_t i = 0; i <= PL_HISTOGRAM_BUCKETS_MAX; i++) {
        number(&h, 12, 0);
    }
    bytes(&ts, 4, pl_buf_view(&h));
    end_series(&body, &ts);
    assert_string_equal(
        decode(f, &body),
        "{a=\"1\"} 2000 histogram schema 1 reset 2 count 12 sum 18.5 zero 0.5:2 +-3:1 +-2:3 +3:0 "
        "+4:5 -0:1\n!0 histogram\n!0 too_old\n!0 histogram\n!0 histogram\n4 rejected\n");
    assert_string_equal(f->r.first[0].text, "the count is not that of the buckets together");
    assert_string_equal(f->r.first[2].text, "unknown schema");
    assert_string_equal(f->r.first[3].text, "too many buckets");
    pl_buf_clear(&ts); /* packed doubles that are none end the request */
    pl_buf_clear(&body);
    pl_buf_clear(&h);
    label(&ts, "a", "1");
    bytes(&h, 13, PL_STR("1234567"));
    bytes(&ts, 4, pl_buf_view(&h));
    end_series(&body, &ts);
    fake_next(f);
    assert_int_equal(pl_ingest_remote_write(f->g, pl_buf_view(&body), f->b, &f->r), PL_EPARSE);
    pl_buf_fini(&h);
    pl_buf_fini(&body);
    pl_buf_fini(&ts);
    fake_free(f);
}

static void run_histogram(struct fake *f, pl_str body)
{
    fake_check(f, pl_ingest_remote_write(f->g, body, f->b, &f->r));
    fake_text(f);
}

static void a_histogram_may_be_cut_anywhere_and_any_bit_be_wrong(void **state)
{
    struct pl_buf body = PL_BUF_INIT, ts = PL_BUF_INIT;
    (void)state;
    label(&ts, "a", "1");
    whole_histogram(&ts, 1000, 12);
    end_series(&body, &ts);
    fake_hurt(pl_buf_view(&body), run_histogram);
    pl_buf_fini(&body);
    pl_buf_fini(&ts);
}

static void over_the_limit_of_series_the_known_ones_go_on(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf body = PL_BUF_INIT, ts = PL_BUF_INIT;
    (void)state;
    f->tenant.max = 1;
    label(&ts, "a", "1");
    sample(&ts, 1, 1);
    end_series(&body, &ts);
    label(&ts, "a", "2");
    sample(&ts, 1, 1);
    end_series(&body, &ts);
    assert_string_equal(decode(f, &body), "{a=\"1\"} 1 1\n!1 series_limit\n1 rejected\n");
    pl_buf_fini(&body);
    pl_buf_fini(&ts);
    fake_free(f);
}

static void a_body_that_is_no_protobuf_is_an_error_with_its_place(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf body = PL_BUF_INIT;
    (void)state;
    usual(&body);
    int e = pl_ingest_remote_write(f->g, pl_str_mem(body.p, body.n - 1), f->b, &f->r);
    assert_int_equal(e, PL_EPARSE);
    assert_non_null(strstr(f->r.error, "series 2"));
    pl_buf_fini(&body);
    fake_free(f);
}

static void hurt(struct fake *f, pl_str body)
{
    fake_check(f, pl_ingest_remote_write(f->g, body, f->b, &f->r));
}

static void no_cut_and_no_flipped_bit_leads_astray(void **state)
{
    struct pl_buf body = PL_BUF_INIT;
    (void)state;
    usual(&body);
    fake_hurt(pl_buf_view(&body), hurt);
    pl_buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_and_metadata_of_a_request_are_read),
        cmocka_unit_test(exemplars_of_a_series_are_kept),
        cmocka_unit_test(default_values_that_are_left_out_are_zero),
        cmocka_unit_test(a_bad_series_is_rejected_alone_and_its_samples_counted_once),
        cmocka_unit_test(histograms_of_ints_floats_and_custom_bounds_are_read),
        cmocka_unit_test(an_unsound_histogram_is_rejected_alone_with_the_reason),
        cmocka_unit_test(a_histogram_may_be_cut_anywhere_and_any_bit_be_wrong),
        cmocka_unit_test(over_the_limit_of_series_the_known_ones_go_on),
        cmocka_unit_test(a_body_that_is_no_protobuf_is_an_error_with_its_place),
        cmocka_unit_test(no_cut_and_no_flipped_bit_leads_astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
