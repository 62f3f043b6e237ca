/* Tests of core/model/matcher.c. */
#include "core/model/matcher.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool match(enum pl_match kind, const char *name, const char *value, pl_str canon)
{
    struct pl_matcher m;
    assert_int_equal(pl_matcher_init(&m, kind, pl_str_c(name), pl_str_c(value), NULL, 0), 0);
    bool yes = pl_matcher_labels(&m, 1, canon);
    pl_matcher_fini(&m);
    return yes;
}

static const pl_str canon = {"\x08__name__\x02up\x03job\x03"
                             "api",
                             20};

static void the_four_kinds_match(void **state)
{
    (void)state;
    assert_true(match(PL_MATCH_EQ, "job", "api", canon));
    assert_false(match(PL_MATCH_EQ, "job", "ap", canon));
    assert_false(match(PL_MATCH_NE, "job", "api", canon));
    assert_true(match(PL_MATCH_NE, "job", "web", canon));
    assert_true(match(PL_MATCH_RE, "job", "a.*", canon));
    assert_false(match(PL_MATCH_RE, "job", "p.*", canon));
    assert_false(match(PL_MATCH_NRE, "job", "a.i", canon));
    assert_true(match(PL_MATCH_NRE, "job", "a", canon));
}

static void an_absent_label_is_the_empty_value(void **state)
{
    (void)state;
    assert_true(match(PL_MATCH_EQ, "host", "", canon));
    assert_false(match(PL_MATCH_NE, "host", "", canon));
    assert_true(match(PL_MATCH_RE, "host", ".*", canon));
    assert_true(match(PL_MATCH_RE, "host", "a|", canon));
    assert_false(match(PL_MATCH_RE, "host", ".+", canon));
    assert_true(match(PL_MATCH_NRE, "host", ".+", canon));
    assert_true(match(PL_MATCH_RE, "host", "[a-z]*\\b?x?", canon));
}

static void all_matchers_must_agree(void **state)
{
    (void)state;
    struct pl_matcher m[2];
    assert_int_equal(pl_matcher_init(&m[0], PL_MATCH_EQ, PL_METRIC_NAME, PL_STR("up"), NULL, 0), 0);
    assert_int_equal(pl_matcher_init(&m[1], PL_MATCH_RE, PL_STR("job"), PL_STR("web|db"), NULL, 0),
                     0);
    assert_true(pl_matcher_labels(m, 1, canon));
    assert_false(pl_matcher_labels(m, 2, canon));
    assert_true(pl_matcher_labels(m, 0, canon));
    pl_matcher_fini(&m[0]);
    pl_matcher_fini(&m[1]);
}

static void a_bad_pattern_says_why_and_leaves_the_matcher_alone(void **state)
{
    (void)state;
    struct pl_matcher m = {.kind = PL_MATCH_NE};
    char why[100] = "";
    assert_int_equal(
        pl_matcher_init(&m, PL_MATCH_RE, PL_STR("a"), PL_STR("(?=x)"), why, sizeof why), PL_EPARSE);
    assert_non_null(strstr(why, "at byte 0"));
    assert_int_equal(m.kind, PL_MATCH_NE);
    assert_int_equal(
        pl_matcher_init(&m, PL_MATCH_EQ, PL_STR("a"), PL_STR("(?=x)"), why, sizeof why), 0);
    pl_matcher_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_four_kinds_match),
        cmocka_unit_test(an_absent_label_is_the_empty_value),
        cmocka_unit_test(all_matchers_must_agree),
        cmocka_unit_test(a_bad_pattern_says_why_and_leaves_the_matcher_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
