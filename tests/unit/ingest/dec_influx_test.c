/* Tests of core/ingest/dec_influx.c. */
#include "tests/unit/ingest/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *decode(struct fake *f, const char *text, const char *db, int64_t unit_ns)
{
    fake_next(f);
    assert_int_equal(pl_ingest_influx(f->g, pl_str_c(text), pl_str_c(db), unit_ns, f->b, &f->r), 0);
    fake_check(f, 0);
    return fake_text(f);
}

static void fields_become_metrics_and_tags_labels(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_string_equal(
            decode(f,
                   "# comment\ncpu,host=a,zone=z user=1.5,sys=2i,idle=3u,up=true,down=F 1500000\n"
                   "mem free=-4e2\r\n",
                   "", 1),
            "cpu_user{host=\"a\",zone=\"z\"} 1 1.5\ncpu_sys{host=\"a\",zone=\"z\"} 1 2\n"
            "cpu_idle{host=\"a\",zone=\"z\"} 1 3\ncpu_up{host=\"a\",zone=\"z\"} 1 1\n"
            "cpu_down{host=\"a\",zone=\"z\"} 1 0\nmem_free 1700000000000 -400\n");
    }
    assert_int_equal(f->tenant.n, 6);
    fake_free(f);
}

static void the_database_is_a_label_unless_a_tag_says_otherwise(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    decode(f, "m v=1 1\n", "", 1000000);
    assert_string_equal(decode(f, "m v=1 1\nm,db=mine v=2 2\n", "prod", 1000000),
                        "m_v{db=\"prod\"} 1 1\nm_v{db=\"mine\"} 2 2\n");
    fake_free(f);
}

static void times_are_floored_to_milliseconds_in_every_unit(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(decode(f, "m v=1 1999999\n", "", 1), "m_v 1 1\n");
    assert_string_equal(decode(f, "m v=1 1999\n", "", 1000), "m_v 1 1\n");
    assert_string_equal(decode(f, "m v=1 5\n", "", 1000000000), "m_v 5000 1\n");
    assert_string_equal(decode(f, "m v=1 -1\n", "", 1), "!1 too_old\n1 rejected\n");
    assert_string_equal(decode(f, "m v=1 9223372036854775807\n", "", 1000000000),
                        "!1 timestamp\n1 rejected\n");
    fake_free(f);
}

static void escapes_are_undone(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    decode(f, "my\\ m\\,x,ta\\=g=va\\ l,o=p\\\\ fi\\ eld=1 1000000\n", "", 1);
    assert_int_equal(f->b->n, 1);
    pl_str canon = pl_buf_view(&f->tenant.canon[0]);
    assert_true(pl_str_eq(pl_labels_get(canon, PL_METRIC_NAME), PL_STR("my m,x_fi eld")));
    assert_true(pl_str_eq(pl_labels_get(canon, PL_STR("ta=g")), PL_STR("va l")));
    assert_true(pl_str_eq(pl_labels_get(canon, PL_STR("o")), PL_STR("p\\")));
    fake_free(f);
}

static void string_fields_are_rejected_and_the_rest_of_the_line_is_kept(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(decode(f, "m s=\"a, b=\\\"c\n d\",v=1 7\nm v=2 8\nm v=x 9\n", "", 1000000),
                        "m_v 7 1\nm_v 8 2\n!1 field\n!4 value\n2 rejected\n");
    fake_free(f);
}

static void a_bad_line_is_rejected_alone(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(decode(f,
                               "m v=1 1\nm\n,a=b v=1\nm v 1\nm v=1,w 1\nm,t v=1 1\nm v=1 x\n"
                               "m a\\\nm s=\"open\nm v=2 2\n",
                               "", 1000000),
                        "m_v 1 1\nm_v 2 2\n!2 syntax\n!3 syntax\n!4 syntax\n!5 syntax\n!6 syntax\n"
                        "!7 timestamp\n!8 syntax\n!9 syntax\n8 rejected\n");
    fake_free(f);
}

static void hurt(struct fake *f, pl_str body)
{
    fake_check(f, pl_ingest_influx(f->g, body, PL_STR("d"), 1, f->b, &f->r));
}

static void no_cut_and_no_flipped_bit_leads_astray(void **state)
{
    (void)state;
    fake_hurt(PL_STR("m\\ ,a=b\\=,c=d v=1,s=\"x\\\"\n\",t=t 1500000\nn v=2i\n#c\nn v=3u 2"), hurt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_become_metrics_and_tags_labels),
        cmocka_unit_test(the_database_is_a_label_unless_a_tag_says_otherwise),
        cmocka_unit_test(times_are_floored_to_milliseconds_in_every_unit),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(string_fields_are_rejected_and_the_rest_of_the_line_is_kept),
        cmocka_unit_test(a_bad_line_is_rejected_alone),
        cmocka_unit_test(no_cut_and_no_flipped_bit_leads_astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
