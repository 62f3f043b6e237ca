/* Tests of core/ingest/dec_stream.c. */
#include "tests/unit/ingest/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void w_hello(struct pl_buf *b)
{
    pl_mp_w_array(b, 2);
    pl_mp_w_uint(b, 0);
    pl_mp_w_map(b, 3);
    pl_mp_w_str(b, PL_STR("version"));
    pl_mp_w_uint(b, 1);
    pl_mp_w_str(b, PL_STR("producer"));
    pl_mp_w_str(b, PL_STR("p"));
    pl_mp_w_str(b, PL_STR("tenant"));
    pl_mp_w_str(b, PL_STR("t"));
}

static void w_labels(struct pl_buf *b, const char *value)
{
    pl_mp_w_map(b, 1);
    pl_mp_w_str(b, PL_STR("a"));
    pl_mp_w_str(b, pl_str_c(value));
}

static void w_rows(struct pl_buf *b, uint64_t seq)
{
    static const uint32_t h[2] = {0, 1};
    static const double v[2] = {1.5, 2.5};
    pl_mp_w_array(b, 5);
    pl_mp_w_uint(b, 2);
    pl_mp_w_uint(b, seq);
    pl_mp_w_ext(b, 1, pl_str_mem(h, sizeof(h)));
    pl_mp_w_uint(b, 1000);
    pl_mp_w_ext(b, 3, pl_str_mem(v, sizeof(v)));
}

static void w_columns(struct pl_buf *b, uint64_t seq)
{
    pl_mp_w_array(b, 3);
    pl_mp_w_uint(b, 3);
    pl_mp_w_uint(b, seq);
    pl_mp_w_array(b, 1);
    pl_mp_w_array(b, 3);
    pl_mp_w_uint(b, 0);
    pl_mp_w_array(b, 2);
    pl_mp_w_uint(b, 5);
    pl_mp_w_uint(b, 6);
    pl_mp_w_array(b, 2);
    pl_mp_w_f64(b, 0.5);
    pl_mp_w_nil(b);
}

static void w_all(struct pl_buf *b)
{
    w_hello(b);
    pl_mp_w_array(b, 3);
    pl_mp_w_uint(b, 1);
    pl_mp_w_uint(b, 0);
    w_labels(b, "one");
    pl_mp_w_array(b, 2);
    pl_mp_w_uint(b, 1);
    pl_mp_w_array(b, 1);
    pl_mp_w_array(b, 2);
    pl_mp_w_uint(b, 1);
    w_labels(b, "two");
    w_rows(b, 1);
    w_columns(b, 2);
}

/* All messages of some bytes, as a server would; bytes used. */
static size_t run(struct fake *f, struct pl_session *s, pl_str in, bool *bad)
{
    char why[200];
    size_t used = 0;
    *bad = false;
    while (used < in.n) {
        struct pl_stream_msg m;
        int64_t k = pl_stream_next((const uint8_t *)in.p + used, in.n - used, &m, why, sizeof(why));
        int e = 0;
        if (k == PL_EAGAIN) {
            break;
        }
        if (k <= 0 || used + (size_t)k > in.n) {
            *bad = true;
            assert_int_equal(k, PL_EPARSE);
            break;
        }
        if (m.kind == PL_STREAM_DEFINE) {
            e = pl_stream_define(f->g, &m, &f->tenant, s, why, sizeof(why));
        } else if (m.kind != PL_STREAM_HELLO) {
            e = pl_stream_samples(f->g, &m, s, f->b, &f->r);
            fake_check(f, e);
        }
        if (e < 0) {
            *bad = true;
            break;
        }
        used += (size_t)k;
    }
    return used;
}

static void a_conversation_is_read_message_by_message(void **state)
{
    struct fake *f = fake_new();
    struct pl_session *s;
    struct pl_buf b = PL_BUF_INIT;
    bool bad;
    (void)state;
    assert_int_equal(pl_session_new(&f->tenant, &s), 0);
    w_all(&b);
    assert_int_equal(run(f, s, pl_buf_view(&b), &bad), b.n);
    assert_false(bad);
    assert_string_equal(fake_text(f), "{a=\"one\"} 1000 1.5\n{a=\"two\"} 1000 2.5\n"
                                      "{a=\"one\"} 5 0.5\n!0 value\n1 rejected\n");
    pl_session_free(s);
    pl_buf_fini(&b);
    fake_free(f);
}

static void hello_names_producer_and_tenant_and_asks_for_version_1(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    struct pl_stream_msg m;
    char why[200] = "";
    (void)state;
    w_hello(&b);
    assert_int_equal(pl_stream_next(b.p, b.n, &m, why, sizeof(why)), b.n);
    assert_int_equal(m.kind, PL_STREAM_HELLO);
    assert_true(pl_str_eq(m.producer, PL_STR("p")));
    assert_true(pl_str_eq(m.tenant, PL_STR("t")));
    for (size_t n = 0; n < b.n; n++) {
        assert_int_equal(pl_stream_next(b.p, n, &m, why, sizeof(why)), PL_EAGAIN);
    }
    pl_buf_clear(&b);
    pl_buf_z(&b, "\x92\x01\x81\xa7version\x02");
    b.p[1] = 0;
    assert_int_equal(pl_stream_next(b.p, b.n, &m, why, sizeof(why)), PL_EPARSE);
    assert_non_null(strstr(why, "version 1"));
    pl_buf_fini(&b);
}

static void messages_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {{"\x05", 1},          {"\x91\x02", 2},         {"\x92\x04\x01", 3},
               {"\x92\xa1x\x01", 4}, {"\x93\x02\x00\xc0", 4}, {"\x93\x02\xff\xc0", 4},
               {"\xc1", 1},          {"\x92\x00\x05", 3}};
    struct pl_stream_msg m;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char why[200] = "";
        assert_int_equal(
            pl_stream_next((const uint8_t *)bad[i].bytes, bad[i].n, &m, why, sizeof(why)),
            PL_EPARSE);
        assert_true(strlen(why) > 10);
    }
}

static void a_definition_that_cannot_be_taken_says_why(void **state)
{
    static const char *const bad[] = {"\x92\x01\x05", "\x94\x01\x01\x80\x80", "\x92\x01\xc0",
                                      "\x93\x01\x01\x80", "\x92\x01\x91\x92\x01\xc0"};
    struct fake *f = fake_new();
    struct pl_session *s;
    (void)state;
    assert_int_equal(pl_session_new(&f->tenant, &s), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct pl_stream_msg m;
        char why[200] = "";
        assert_true(pl_stream_next((const uint8_t *)bad[i], strlen(bad[i]), &m, why, sizeof(why)) >
                    0);
        int e = pl_stream_define(f->g, &m, &f->tenant, s, why, sizeof(why));
        assert_int_equal(e, i < 3 ? PL_EPARSE : PL_EINVAL);
        assert_true(strlen(why) > 10);
    }
    pl_session_free(s);
    fake_free(f);
}

static void samples_of_a_wrong_shape_are_an_error_or_rejected(void **state)
{
    struct fake *f = fake_new();
    struct pl_session *s;
    struct pl_stream_msg m;
    char why[200];
    (void)state;
    assert_int_equal(pl_session_new(&f->tenant, &s), 0);
    assert_true(pl_stream_next((const uint8_t *)"\x93\x02\x01\x90", 4, &m, why, sizeof(why)) > 0);
    assert_int_equal(pl_stream_samples(f->g, &m, s, f->b, &f->r), PL_EPARSE);
    assert_true(strlen(f->r.error) > 10);
    fake_next(f);
    assert_true(pl_stream_next((const uint8_t *)"\x93\x03\x01\x05", 4, &m, why, sizeof(why)) > 0);
    assert_int_equal(pl_stream_samples(f->g, &m, s, f->b, &f->r), 0);
    assert_int_equal(f->r.rejected, 1);
    fake_next(f);
    assert_true(pl_stream_next((const uint8_t *)"\x95\x02\x01\x91\x63\x05\x91\x01", 8, &m, why,
                               sizeof(why)) > 0);
    assert_int_equal(pl_stream_samples(f->g, &m, s, f->b, &f->r), 0);
    assert_int_equal(f->r.by_why[PL_REJECT_HANDLE], 1);
    pl_session_free(s);
    fake_free(f);
}

static void hurt(struct fake *f, pl_str in)
{
    struct pl_session *s;
    bool bad;
    if (pl_session_new(&f->tenant, &s) < 0) {
        abort();
    }
    run(f, s, in, &bad);
    pl_session_free(s);
}

static void no_cut_and_no_flipped_bit_leads_astray(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    w_all(&b);
    fake_hurt(pl_buf_view(&b), hurt);
    pl_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation_is_read_message_by_message),
        cmocka_unit_test(hello_names_producer_and_tenant_and_asks_for_version_1),
        cmocka_unit_test(messages_that_are_none_are_refused),
        cmocka_unit_test(a_definition_that_cannot_be_taken_says_why),
        cmocka_unit_test(samples_of_a_wrong_shape_are_an_error_or_rejected),
        cmocka_unit_test(no_cut_and_no_flipped_bit_leads_astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
