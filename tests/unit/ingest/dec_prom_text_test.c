/* Tests of core/ingest/dec_prom_text.c. */
#include "tests/unit/ingest/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *decode(struct fake *f, const char *text)
{
    fake_next(f);
    assert_int_equal(pl_ingest_prom_text(f->g, pl_str_c(text), NULL, 0, f->b, &f->r), 0);
    fake_check(f, 0);
    return fake_text(f);
}

static void samples_with_and_without_labels_and_times_are_read(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    for (int round = 0; round < 3; round++) { /* cold, then by the alias cache */
        assert_string_equal(decode(f, "# a comment\n\nup 1\nup{job=\"a\",x=\"y\"} 2.5 5000\r\n"
                                      " up { job = \"b\" , } +Inf -0\nlast -1e3"),
                            "up 1700000000000 1\nup{job=\"a\",x=\"y\"} 5000 2.5\n"
                            "up{job=\"b\"} 0 inf\nlast 1700000000000 -1000\n");
    }
    assert_int_equal(f->tenant.n, 4);
    fake_free(f);
}

static void a_known_name_does_not_hide_labels_behind_a_blank(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    decode(f, "up 1\nup 2\nup 3\n");
    assert_string_equal(decode(f, "up {a=\"b\"} 4 7\nup 5 8\n"), "up{a=\"b\"} 7 4\nup 8 5\n");
    fake_free(f);
}

static void escapes_in_values_and_quoted_names_are_undone(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    decode(f, "m{a=\"1\\\\2\\\"3\\n4\\x\"} 1 1\n{\"my.name\",\"la.bel\"=\"v}\"} 2 2\n");
    assert_int_equal(f->b->n, 2);
    assert_true(pl_str_eq(pl_labels_get(pl_buf_view(&f->tenant.canon[0]), PL_STR("a")),
                          PL_STR("1\\2\"3\n4\\x")));
    assert_true(pl_str_eq(pl_labels_get(pl_buf_view(&f->tenant.canon[1]), PL_METRIC_NAME),
                          PL_STR("my.name")));
    assert_true(
        pl_str_eq(pl_labels_get(pl_buf_view(&f->tenant.canon[1]), PL_STR("la.bel")), PL_STR("v}")));
    fake_free(f);
}

static void metadata_is_kept_with_its_escapes_undone(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(decode(f, "# HELP a one\\\\two\\nthree \\\"four\\\"\n# TYPE a counter\n"
                                  "a{x=\"\\\\\"} 1 1\n# TYPE b gauge\nb 2 2\n"),
                        "a{x=\"\\\\\"} 1 1\nb 2 2\na|counter||one\\two\nthree \\\"four\\\"\n"
                        "b|gauge||\n");
    assert_string_equal(decode(f, "# TYPE s seconds\n# UNIT s seconds\n# HELP s say \\\"it\\\"\n"
                                  "# EOF\n"),
                        "s|unknown|seconds|say \"it\"\n");
    fake_free(f);
}

static void times_of_openmetrics_are_seconds_and_exemplars_are_kept(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(decode(f, "a_total 5 1700000000.25 # {id=\"x\"} 0.5 1.0\n"
                                  "a_total 6 # {id=\"x\"} 0.5\n# EOF\n"),
                        "a_total 1700000000250 5\na_total 1700000000000 6\n"
                        "# a_total {id=\"x\"} 1000 0.5\n# a_total {id=\"x\"} 1700000000000 0.5\n");
    static const char *const odd[] = {
        "#", "# {", "# {}", "# {} x", "# {} 1 x", "# {a=\"1\",a=\"2\"} 1", "# {a} 1", "# x 1"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) { /* the sample stands */
        char text[100];
        snprintf(text, sizeof(text), "b 1 1 %s\n# EOF\n", odd[i]);
        assert_string_equal(decode(f, text), "b 1000 1\n");
    }
    fake_free(f);
}

static void a_bad_line_is_rejected_alone_with_its_number(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_string_equal(decode(f, "a 1 1\n!bad\nb x 1\nc 1 x\nd{a=\"b\" 1\ne{a=1} 1\nf 1 1 1\n"
                                  "g{a=\"1\",a=\"2\"} 1\nh 1 -5\ni 1 99999999999999\nj 1 2\n"
                                  "k{l 5\nm{\"n\"=\"o} 5\n"),
                        "a 1 1\nj 2 1\n!2 syntax\n!3 value\n!4 timestamp\n!5 syntax\n!6 syntax\n"
                        "!7 syntax\n!8 labels\n!9 too_old\n!10 future\n!12 syntax\n!13 syntax\n"
                        "11 rejected\n");
    fake_free(f);
}

static void extra_labels_win_and_are_part_of_the_identity(void **state)
{
    struct fake *f = fake_new();
    struct pl_label extra = {PL_STR("job"), PL_STR("mine")};
    (void)state;
    decode(f, "up{job=\"theirs\"} 1 1\n");
    fake_next(f);
    assert_int_equal(
        pl_ingest_prom_text(f->g, PL_STR("up{job=\"theirs\"} 1 1\n"), &extra, 1, f->b, &f->r), 0);
    assert_string_equal(fake_text(f), "up{job=\"mine\"} 1 1\n");
    fake_free(f);
}

static void hurt(struct fake *f, pl_str body)
{
    struct pl_label extra = {PL_STR("x"), PL_STR("y")};
    fake_check(f, pl_ingest_prom_text(f->g, body, &extra, 1, f->b, &f->r));
}

static void no_cut_and_no_flipped_bit_leads_astray(void **state)
{
    (void)state;
    fake_hurt(PL_STR("# HELP a b\\\\c\n# TYPE \"a.b\" counter\na{b=\"c\\n\",\"d\"=\"e\"} 1 2\n"
                     "up 1 # {x=\"y\"} 1\nup 2\n# EOF"),
              hurt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_with_and_without_labels_and_times_are_read),
        cmocka_unit_test(a_known_name_does_not_hide_labels_behind_a_blank),
        cmocka_unit_test(escapes_in_values_and_quoted_names_are_undone),
        cmocka_unit_test(metadata_is_kept_with_its_escapes_undone),
        cmocka_unit_test(times_of_openmetrics_are_seconds_and_exemplars_are_kept),
        cmocka_unit_test(a_bad_line_is_rejected_alone_with_its_number),
        cmocka_unit_test(extra_labels_win_and_are_part_of_the_identity),
        cmocka_unit_test(no_cut_and_no_flipped_bit_leads_astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
