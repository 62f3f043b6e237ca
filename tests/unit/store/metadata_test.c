/* The metadata table by itself. */
#include "core/store/metadata.h"
#include "tests/unit/unit.h"
#include <stdio.h>
#include <stdlib.h>

static struct pl_metadata md(const char *metric, enum pl_metric_type type, const char *unit,
                             const char *help)
{
    return (struct pl_metadata){pl_str_c(metric), pl_str_c(unit), pl_str_c(help), type};
}

struct seen {
    size_t n;
    char text[256];
};
static bool see(void *ctx, const struct pl_metadata *m)
{
    struct seen *s = ctx;
    s->n++;
    snprintf(s->text, sizeof s->text, "%.*s|%d|%.*s|%.*s", PL_PRS(m->metric), (int)m->type,
             PL_PRS(m->unit), PL_PRS(m->help));
    return true;
}

TEST(unchanged_metadata_is_the_same_and_changed_metadata_replaces)
{
    struct pl_metadata_table *x;
    struct seen s = {0};
    assert_int_equal(pl_metadata_table_new(&x), 0);
    struct pl_metadata a = md("up", PL_TYPE_GAUGE, "", "is it up");
    assert_false(pl_metadata_table_same(x, &a));
    assert_int_equal(pl_metadata_table_put(x, &a), 1);
    assert_true(pl_metadata_table_same(x, &a));
    assert_int_equal(pl_metadata_table_put(x, &a), 0);
    a.unit = PL_STR("bool");
    assert_false(pl_metadata_table_same(x, &a));
    assert_int_equal(pl_metadata_table_put(x, &a), 1);
    assert_int_equal(pl_metadata_table_each(x, PL_STR("up"), see, &s), 0);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.text, "up|2|bool|is it up");
    assert_int_equal(pl_metadata_table_each(x, PL_STR("down"), see, &s), 0);
    assert_int_equal(s.n, 1);
    struct pl_metadata none = md("", PL_TYPE_GAUGE, "", "");
    assert_int_equal(pl_metadata_table_put(x, &none), PL_EINVAL);
    pl_metadata_table_free(x);
}

TEST(a_long_help_is_cut_between_characters)
{
    struct pl_metadata_table *x;
    static char help[PL_METADATA_HELP_MAX + 2];
    assert_int_equal(pl_metadata_table_new(&x), 0);
    memset(help, 'h', sizeof help);
    memcpy(help + PL_METADATA_HELP_MAX - 1, "\xc3\xa4", 2); /* one character over the edge */
    struct pl_metadata a = {PL_STR("m"), PL_STR(""), {help, sizeof help - 1}, PL_TYPE_COUNTER};
    assert_int_equal(pl_metadata_table_put(x, &a), 1);
    assert_true(pl_metadata_table_same(x, &a));
    a.help.n = PL_METADATA_HELP_MAX - 1;
    assert_true(pl_metadata_table_same(x, &a));
    pl_metadata_table_free(x);
}

struct copies {
    struct pl_metadata_table *to;
    size_t n;
};
static int copy(void *ctx, const struct pl_record *r)
{
    struct copies *c = ctx;
    assert_int_equal(r->kind, PL_RECORD_METADATA);
    for (size_t cut = 0; cut < 4 && cut < r->value.n; cut++) {
        assert_int_equal(pl_metadata_table_load(c->to, r->key, (pl_str){r->value.p, cut}),
                         PL_ECORRUPT);
    }
    assert_int_equal(pl_metadata_table_load(c->to, r->key, r->value), 0);
    c->n++;
    return 0;
}

TEST(records_bring_a_thousand_metrics_back)
{
    struct pl_metadata_table *x, *y;
    struct seen s = {0};
    assert_int_equal(pl_metadata_table_new(&x), 0);
    assert_int_equal(pl_metadata_table_new(&y), 0);
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "metric_%03d", i);
        struct pl_metadata a = md(name, PL_TYPE_COUNTER, i % 2 ? "bytes" : "", name);
        assert_int_equal(pl_metadata_table_put(x, &a), 1);
    }
    struct copies c = {y, 0};
    assert_int_equal(pl_metadata_table_save(x, copy, &c), 0);
    assert_int_equal(c.n, 1000);
    assert_int_equal(pl_metadata_table_save(x, copy, &c), 0);
    assert_int_equal(c.n, 1000);
    assert_int_equal(pl_metadata_table_save(y, copy, &c), 0); /* loaded is saved */
    assert_int_equal(c.n, 1000);
    assert_int_equal(pl_metadata_table_each(y, PL_STR_NULL, see, &s), 0);
    assert_int_equal(s.n, 1000);
    assert_string_equal(s.text, "metric_999|1|bytes|metric_999");
    pl_metadata_table_free(x);
    pl_metadata_table_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unchanged_metadata_is_the_same_and_changed_metadata_replaces),
        cmocka_unit_test(a_long_help_is_cut_between_characters),
        cmocka_unit_test(records_bring_a_thousand_metrics_back),
    };
    return cmocka_run_group_tests_name("store/metadata", tests, NULL, NULL);
}
