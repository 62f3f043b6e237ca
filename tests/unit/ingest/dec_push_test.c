/* Tests of core/ingest/dec_push.c: the body as a whole, and its envelope. */
#include "tests/unit/ingest/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *decode(struct fake *f, enum pl_push_format format, const char *text)
{
    fake_next(f);
    int e = pl_ingest_push(f->g, pl_str_c(text), format, NULL, f->b, &f->r);
    fake_check(f, e);
    return e < 0 ? f->r.error : fake_text(f);
}

static void json_series_rows_and_tables_are_read(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    for (int round = 0; round < 2; round++) {
        assert_string_equal(
            decode(f, PL_PUSH_JSON,
                   "{\"table\":{\"handles\":[1,2],\"t\":7,\"v\":[1,\"stale\"]},"
                   "\"series\":[{\"labels\":{\"a\":\"1\"},\"t\":[1,2],\"v\":[3,4.5]},"
                   "{\"name\":\"n\",\"v\":5}],"
                   "\"rows\":[[{\"b\":\"2\"},8,9],[1,9,\"NaN\"]],"
                   "\"metadata\":[{\"metric\":\"n\",\"type\":\"gauge\",\"help\":\"h\\n\"}],"
                   "\"define\":{\"1\":{\"__name__\":\"x\"},\"2\":{\"__name__\":\"y\"}}}"),
            "x 7 1\ny 7 stale\n{a=\"1\"} 1 3\n{a=\"1\"} 2 4.5\nn 1700000000000 5\n{b=\"2\"} 8 9\n"
            "x 9 nan\nn|gauge||h\n\n");
    }
    fake_free(f);
}

static void a_list_of_entries_and_a_single_series_need_no_envelope(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(
        decode(f, PL_PUSH_JSON, "[[{\"a\":\"1\"},5,6],{\"name\":\"n\",\"t\":1,\"v\":2}]"),
        "{a=\"1\"} 5 6\nn 1 2\n");
    assert_string_equal(decode(f, PL_PUSH_JSON, " {\"name\":\"n\",\"t\":1,\"v\":2} "), "n 1 2\n");
    assert_string_equal(decode(f, PL_PUSH_JSON, "[]"), "");
    fake_free(f);
}

static void bodies_that_say_nothing_we_know_are_refused(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_non_null(strstr(decode(f, PL_PUSH_JSON, "{\"sereis\":[]}"), "unknown key"));
    assert_non_null(strstr(decode(f, PL_PUSH_JSON, "{\"series\":{}}"), "at byte 10"));
    assert_non_null(strstr(decode(f, PL_PUSH_JSON, "{\"table\":[]}"), "wanted"));
    assert_non_null(strstr(decode(f, PL_PUSH_JSON, "{\"define\":1}"), "wanted"));
    assert_non_null(strstr(decode(f, PL_PUSH_JSON, "{\"key\":1}"), "wanted"));
    assert_non_null(strstr(decode(f, PL_PUSH_JSON, "5"), "wanted"));
    assert_non_null(strstr(decode(f, PL_PUSH_JSON, "{"), "JSON"));
    assert_non_null(strstr(decode(f, PL_PUSH_MSGPACK, "{"), "msgpack"));
    fake_free(f);
}

static void null_is_as_if_absent(void **state)
{
    static const char undefined[] = "\x83\xa1v\x05\xa1t\xd4\0\0\xa4name\xa1m";
    static const char record[] = "\xd4r\x40\x91\xa4rows\x90";
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(decode(f, PL_PUSH_JSON,
                               "{\"key\":null,\"session\":null,\"rows\":null,"
                               "\"define\":null,\"table\":null,\"series\":"
                               "[{\"name\":\"n\",\"labels\":null,\"t\":1,"
                               "\"handle\":null,\"v\":2}]}"),
                        "n 1 2\n");
    fake_next(f);
    pl_str body = {undefined, sizeof(undefined) - 1};
    assert_int_equal(pl_ingest_push(f->g, body, PL_PUSH_MSGPACK, NULL, f->b, &f->r), 0);
    assert_int_equal(f->b->n, 1);
    fake_next(f);
    body = (pl_str){record, sizeof(record) - 1};
    assert_int_equal(pl_ingest_push(f->g, body, PL_PUSH_MSGPACK, NULL, f->b, &f->r), PL_EPARSE);
    assert_non_null(strstr(f->r.error, "useRecords"));
    fake_free(f);
}

static void json_lines_reject_a_bad_line_alone(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(
        decode(f, PL_PUSH_JSONL,
               "{\"name\":\"a\",\"t\":1,\"v\":2}\r\n\n[{\"b\":\"c\"},3,4]\n{\"name\n5\n"
               "{\"name\":\"d\",\"t\":[1,2],\"v\":[5,null]}"),
        "a 1 2\n{b=\"c\"} 3 4\nd 1 5\n!4 syntax\n!5 syntax\n!6 value\n3 rejected\n");
    assert_string_equal(f->r.unit, "line");
    fake_free(f);
}

static void the_envelope_alone_is_read_without_the_samples(void **state)
{
    struct fake *f = fake_new();
    struct pl_arena a;
    struct pl_push p;
    (void)state;
    pl_arena_init(&a, 0);
    pl_str body = PL_STR("{\"series\":[1],\"key\":\"k\\n\",\"producer\":\"p\",\"session\":\"s\"}");
    assert_int_equal(pl_ingest_push_envelope(body, PL_PUSH_JSON, &a, &p, &f->r), 0);
    assert_true(pl_str_eq(p.key, PL_STR("k\n")));
    assert_true(pl_str_eq(p.producer, PL_STR("p")));
    assert_true(pl_str_eq(p.session, PL_STR("s")));
    assert_int_equal(pl_ingest_push_envelope(PL_STR("[]"), PL_PUSH_JSON, &a, &p, &f->r), 0);
    assert_null(p.key.p);
    assert_int_equal(pl_ingest_push_envelope(PL_STR("{\"key\":1}"), PL_PUSH_JSON, &a, &p, &f->r),
                     PL_EPARSE);
    assert_int_equal(pl_ingest_push_envelope(PL_STR("{\n"), PL_PUSH_JSONL, &a, &p, &f->r), 0);
    pl_arena_fini(&a);
    fake_free(f);
}

static void mp_body(struct pl_buf *b)
{
    static const uint32_t h[2] = {1, 3};
    static const int64_t t[2] = {5, 6};
    static const double v[2] = {1.5, -2};
    pl_mp_w_map(b, 4);
    pl_mp_w_str(b, PL_STR("define"));
    pl_mp_w_map(b, 1);
    pl_mp_w_uint(b, 1);
    pl_mp_w_map(b, 1);
    pl_mp_w_str(b, PL_STR("a"));
    pl_mp_w_str(b, PL_STR("b"));
    pl_mp_w_str(b, PL_STR("table"));
    pl_mp_w_map(b, 3);
    pl_mp_w_str(b, PL_STR("handles"));
    pl_mp_w_ext(b, 1, pl_str_mem(h, sizeof(h)));
    pl_mp_w_str(b, PL_STR("t"));
    pl_mp_w_ext(b, 2, pl_str_mem(t, sizeof(t)));
    pl_mp_w_str(b, PL_STR("v"));
    pl_mp_w_ext(b, 3, pl_str_mem(v, sizeof(v)));
    pl_mp_w_str(b, PL_STR("series"));
    pl_mp_w_array(b, 1);
    pl_mp_w_map(b, 3);
    pl_mp_w_str(b, PL_STR("handle"));
    pl_mp_w_uint(b, 1);
    pl_mp_w_str(b, PL_STR("t"));
    pl_mp_w_ext(b, 2, pl_str_mem(t, sizeof(t)));
    pl_mp_w_str(b, PL_STR("v"));
    pl_mp_w_array(b, 2);
    pl_mp_w_int(b, -7);
    pl_mp_w_f64(b, 8);
    pl_mp_w_str(b, PL_STR("rows"));
    pl_mp_w_array(b, 1);
    pl_mp_w_array(b, 3);
    pl_mp_w_uint(b, 1);
    pl_mp_w_uint(b, 9);
    pl_mp_w_uint(b, 9);
}

static void msgpack_is_read_with_packed_columns(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    mp_body(&b);
    assert_int_equal(pl_ingest_push(f->g, pl_buf_view(&b), PL_PUSH_MSGPACK, NULL, f->b, &f->r), 0);
    assert_string_equal(fake_text(f),
                        "{a=\"b\"} 5 1.5\n{a=\"b\"} 5 -7\n{a=\"b\"} 6 8\n{a=\"b\"} 9 9\n"
                        "!1 handle\n1 rejected\n");
    pl_buf_fini(&b);
    fake_free(f);
}

static void handles_of_a_session_outlive_the_body(void **state)
{
    struct fake *f = fake_new();
    struct pl_session *s;
    (void)state;
    assert_int_equal(pl_session_new(&f->tenant, &s), 0);
    assert_int_equal(pl_ingest_push(f->g, PL_STR("{\"define\":[[0,{\"a\":\"b\"}],[1,5],[-1,{}]]}"),
                                    PL_PUSH_JSON, s, f->b, &f->r),
                     0);
    assert_string_equal(fake_text(f), "!1 labels\n!2 handle\n2 rejected\n");
    fake_next(f);
    assert_int_equal(
        pl_ingest_push(f->g, PL_STR("{\"rows\":[[0,1,2],[1,1,2]]}"), PL_PUSH_JSON, s, f->b, &f->r),
        0);
    assert_string_equal(fake_text(f), "{a=\"b\"} 1 2\n!1 handle\n1 rejected\n");
    pl_session_free(s);
    fake_free(f);
}

static void hurt_mp(struct fake *f, pl_str body)
{
    fake_check(f, pl_ingest_push(f->g, body, PL_PUSH_MSGPACK, NULL, f->b, &f->r));
}

static void hurt_json(struct fake *f, pl_str body)
{
    fake_check(f, pl_ingest_push(f->g, body, PL_PUSH_JSON, NULL, f->b, &f->r));
}

static void hurt_jsonl(struct fake *f, pl_str body)
{
    fake_check(f, pl_ingest_push(f->g, body, PL_PUSH_JSONL, NULL, f->b, &f->r));
}

static void no_cut_and_no_flipped_bit_leads_astray(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    mp_body(&b);
    fake_hurt(pl_buf_view(&b), hurt_mp);
    pl_buf_fini(&b);
    fake_hurt(PL_STR("{\"define\":{\"1\":{\"a\":\"b\\n\"}},\"rows\":[[1,2,3]],\"series\":"
                     "[{\"name\":\"n\",\"start\":1,\"step\":2,\"v\":[1,2]}]}"),
              hurt_json);
    fake_hurt(PL_STR("{\"name\":\"n\",\"v\":1}\n[{\"a\":\"b\"},5,\"stale\"]\n"), hurt_jsonl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_series_rows_and_tables_are_read),
        cmocka_unit_test(a_list_of_entries_and_a_single_series_need_no_envelope),
        cmocka_unit_test(bodies_that_say_nothing_we_know_are_refused),
        cmocka_unit_test(null_is_as_if_absent),
        cmocka_unit_test(json_lines_reject_a_bad_line_alone),
        cmocka_unit_test(the_envelope_alone_is_read_without_the_samples),
        cmocka_unit_test(msgpack_is_read_with_packed_columns),
        cmocka_unit_test(handles_of_a_session_outlive_the_body),
        cmocka_unit_test(no_cut_and_no_flipped_bit_leads_astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
