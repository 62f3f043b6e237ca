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
    label(&ts, "histogram", "1"); /* 4 */
    bytes(&ts, 4, PL_STR(""));
    sample(&ts, 9, 9);
    end_series(&body, &ts);
    assert_string_equal(decode(f, &body),
                        "{good=\"1\"} 2 2\n{histogram=\"1\"} 9 9\n!0 labels\n!1 labels\n"
                        "!2 too_old\n!2 future\n!3 too_old\n!3 labels\n!4 histogram\n9 rejected\n");
    pl_buf_fini(&body);
    pl_buf_fini(&ts);
    fake_free(f);
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
        cmocka_unit_test(default_values_that_are_left_out_are_zero),
        cmocka_unit_test(a_bad_series_is_rejected_alone_and_its_samples_counted_once),
        cmocka_unit_test(over_the_limit_of_series_the_known_ones_go_on),
        cmocka_unit_test(a_body_that_is_no_protobuf_is_an_error_with_its_place),
        cmocka_unit_test(no_cut_and_no_flipped_bit_leads_astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
