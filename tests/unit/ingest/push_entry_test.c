/* Tests of core/ingest/push_entry.c: entries one by one, what is taken and what rejected. */
#include "tests/unit/ingest/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *entry(struct fake *f, const char *json)
{
    struct pl_buf body = PL_BUF_INIT;
    pl_buf_f(&body, "[%s]", json);
    fake_next(f);
    int e = pl_ingest_push(f->g, pl_buf_view(&body), PL_PUSH_JSON, NULL, f->b, &f->r);
    assert_int_equal(e, 0);
    fake_check(f, e);
    pl_buf_fini(&body);
    return fake_text(f);
}

static void a_regular_series_is_a_start_and_a_step(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(entry(f, "{\"name\":\"n\",\"start\":10,\"step\":5,\"v\":[1,2,3]}"),
                        "n 10 1\nn 15 2\nn 20 3\n");
    assert_string_equal(entry(f, "{\"name\":\"n\",\"start\":9223372036854775807,"
                                 "\"step\":9223372036854775807,\"v\":[1,2,3]}"),
                        "!0 future\n!0 timestamp\n!0 timestamp\n3 rejected\n");
    assert_string_equal(entry(f, "{\"name\":\"n\",\"start\":\"x\",\"step\":1,\"v\":[1,2,3]}"),
                        "!0 timestamp\n3 rejected\n");
    fake_free(f);
}

static void elements_that_are_no_numbers_are_rejected_alone(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(entry(f, "{\"name\":\"n\",\"t\":[1,2,1.5,4],\"v\":[1,\"x\",3,4]}"),
                        "n 1 1\nn 4 4\n!0 value\n!0 timestamp\n2 rejected\n");
    assert_string_equal(f->r.first[0].text, "element 1");
    assert_string_equal(entry(f, "{\"name\":\"n\",\"t\":[-1,2,9999999999999999],\"v\":[1,2,3]}"),
                        "n 2 2\n!0 too_old\n!0 future\n2 rejected\n");
    fake_free(f);
}

#define H1                                                                                         \
    "{\"schema\":1,\"count\":12,\"sum\":18.5,\"zero_threshold\":0.5,\"zero_count\":2,"             \
    "\"positive_spans\":[[-3,2],[4,2]],\"positive\":[1,3,0,5],\"negative_spans\":[[0,1]],"         \
    "\"negative\":[1],\"reset\":\"no\"}"
#define H1_TEXT                                                                                    \
    "histogram schema 1 reset 2 count 12 sum 18.5 zero 0.5:2 +-3:1 +-2:3 +3:0 +4:5 -0:1\n"

static void a_map_in_place_of_a_value_is_a_native_histogram(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(entry(f, "{\"name\":\"n\",\"t\":5,\"v\":" H1 "},[{\"a\":\"b\"},6," H1 "]"),
                        "n 5 " H1_TEXT "{a=\"b\"} 6 " H1_TEXT);
    assert_string_equal(entry(f, "{\"name\":\"n\",\"t\":[1,2,3],\"v\":[7," H1 ",8]}"),
                        "n 1 7\nn 3 8\nn 2 " H1_TEXT);
    assert_string_equal(entry(f, "{\"name\":\"n\",\"start\":10,\"step\":5,\"v\":[" H1 "," H1 "]}"),
                        "n 10 " H1_TEXT "n 15 " H1_TEXT);
    assert_string_equal(entry(f, "{\"name\":\"n\",\"t\":1,\"v\":{\"schema\":-53,\"count\":2.5,"
                                 "\"sum\":\"NaN\",\"bounds\":[1,2.5],\"positive_spans\":[[1,2]],"
                                 "\"positive\":[0.5,2],\"floats\":true,\"negative\":null}}"),
                        "n 1 floats schema -53 reset 0 count 2.5 sum nan zero 0:0 +1:0.5 +2:2 <=1 "
                        "<=2.5\n");
    assert_string_equal(entry(f, "{\"name\":\"n\",\"t\":1,\"v\":{\"count\":0,\"sum\":\"stale\"}}"),
                        "n 1 stale\n");
    fake_free(f);
}

static void a_histogram_that_is_wrong_is_rejected_alone(void **state)
{
    static const char *const bad[][2] = {
        {"{\"count\":1,\"sum\":1}", "not that of the buckets"},
        {"{\"count\":\"x\",\"sum\":1}", "not a number"},
        {"{\"cuont\":0}", "not known"},
        {"{}", "count and sum"},
        {"{\"count\":0}", "count and sum"},
        {"{\"schema\":300}", "unknown schema"},
        {"{\"positive_spans\":[[1,2,3]]}", "spans are"},
        {"{\"positive_spans\":[[1]]}", "spans are"},
        {"{\"positive_spans\":7}", "spans are"},
        {"{\"negative\":[1,\"x\"]}", "buckets are"},
        {"{\"bounds\":{}}", "bounds are"},
        {"{\"reset\":\"never\"}", "reset is"},
        {"{\"floats\":1}", "not known"},
        {"{\"count\":0.5,\"zero_count\":0.5,\"sum\":1}", "not whole"},
    };
    struct fake *f = fake_new();
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[400];
        snprintf(text, sizeof text, "{\"name\":\"n\",\"t\":[1,2,3],\"v\":[1,%s,3]}", bad[i][0]);
        assert_string_equal(entry(f, text), "n 1 1\nn 3 3\n!0 histogram\n1 rejected\n");
        if (!strstr(f->r.first[0].text, bad[i][1])) {
            fail_msg("'%s' says nothing of '%s'", f->r.first[0].text, bad[i][1]);
        }
    }
    assert_string_equal(entry(f, "{\"name\":\"n\",\"t\":[\"x\",-5,3],\"v\":[" H1 "," H1
                                 ",{\"count\":0,\"sum\":0}]}"),
                        "n 3 histogram schema 0 reset 0 count 0 sum 0 zero 0:0\n!0 timestamp\n"
                        "!0 too_old\n2 rejected\n");
    fake_free(f);
}

static void columns_must_be_equally_long(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(
        entry(f, "{\"name\":\"n\",\"t\":[1,2],\"v\":[1]},{\"name\":\"n\",\"v\":[1,2]}"),
        "!0 length\n!1 length\n3 rejected\n");
    fake_free(f);
}

static void labels_are_checked(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(entry(f, "[{},1,1],[{\"a\":1},1,1],[[],1,1],[\"x\",1,1],[7,1,1],"
                                 "[{\"a\":\"1\",\"a\":\"2\"},1,1],{\"name\":5,\"t\":1,\"v\":1},"
                                 "[{\"a\":\"\"},1,1],{\"v\":1,\"t\":1}"),
                        "!0 labels\n!1 labels\n!2 labels\n!3 labels\n!4 handle\n!5 labels\n"
                        "!6 labels\n!7 labels\n!8 labels\n9 rejected\n");
    fake_free(f);
}

static void what_is_not_an_entry_is_rejected(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(
        entry(f, "5,[{\"a\":\"b\"},1],[{\"a\":\"b\"},1,2,3],"
                 "{\"name\":\"n\",\"value\":[1],\"v\":[1,2]},"
                 "{\"name\":\"n\",\"t\":1,\"v\":{}},{\"name\":\"n\",\"t\":{},\"v\":1}"),
        "!0 syntax\n!1 syntax\n!2 syntax\n!3 syntax\n!4 histogram\n!5 timestamp\n"
        "7 rejected\n");
    fake_free(f);
}

static void a_series_of_129_labels_is_rejected_and_one_of_128_is_not(void **state)
{
    struct fake *f = fake_new();
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    for (int n = 128; n <= 129; n++) {
        pl_buf_clear(&b);
        pl_buf_z(&b, "[{");
        for (int i = 0; i < n; i++) {
            pl_buf_f(&b, "%s\"l%d\":\"v\"", i ? "," : "", i);
        }
        pl_buf_z(&b, "},1,1]");
        pl_buf_u8(&b, 0);
        entry(f, (char *)b.p);
        assert_int_equal(f->b->n, n == 128);
        assert_int_equal(f->r.by_why[PL_REJECT_LABELS], n == 129);
    }
    pl_buf_fini(&b);
    fake_free(f);
}

static void metadata_without_a_metric_is_reported(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    pl_str body =
        PL_STR("{\"metadata\":[{\"metric\":\"m\",\"unit\":\"s\"},{\"type\":\"gauge\"},3]}");
    assert_int_equal(pl_ingest_push(f->g, body, PL_PUSH_JSON, NULL, f->b, &f->r), 0);
    assert_string_equal(fake_text(f), "m|unknown|s|\n!1 syntax\n!2 syntax\n2 rejected\n");
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_regular_series_is_a_start_and_a_step),
        cmocka_unit_test(elements_that_are_no_numbers_are_rejected_alone),
        cmocka_unit_test(a_map_in_place_of_a_value_is_a_native_histogram),
        cmocka_unit_test(a_histogram_that_is_wrong_is_rejected_alone),
        cmocka_unit_test(columns_must_be_equally_long),
        cmocka_unit_test(labels_are_checked),
        cmocka_unit_test(what_is_not_an_entry_is_rejected),
        cmocka_unit_test(a_series_of_129_labels_is_rejected_and_one_of_128_is_not),
        cmocka_unit_test(metadata_without_a_metric_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
