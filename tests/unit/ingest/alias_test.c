/* Tests of core/ingest/alias.c. */
#include "core/ingest/alias.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static uint32_t find(struct pl_alias *a, const char *s) { return pl_alias_find(a, s, strlen(s)); }

static void enter(struct pl_alias *a, const char *s, uint32_t id)
{
    pl_alias_enter(a, s, strlen(s), id);
}

static int tenant_a, tenant_b;

static void what_was_entered_is_found_and_nothing_else(void **state)
{
    struct pl_alias a;
    (void)state;
    pl_alias_init(&a, 100000);
    pl_alias_begin(&a, &tenant_a, 1, PL_ALIAS_TEXT);
    assert_int_equal(find(&a, "one"), PL_ALIAS_NONE);
    for (uint32_t i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "series-%u", i);
        enter(&a, name, i * 3);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "series-%u", i);
        assert_int_equal(find(&a, name), i * 3);
    }
    assert_int_equal(find(&a, "series-5000"), PL_ALIAS_NONE);
    assert_int_equal(find(&a, ""), PL_ALIAS_NONE);
    pl_alias_fini(&a);
}

static void tenant_generation_and_format_keep_entries_apart(void **state)
{
    struct pl_alias a;
    (void)state;
    pl_alias_init(&a, 100);
    pl_alias_begin(&a, &tenant_a, 1, PL_ALIAS_TEXT);
    enter(&a, "up", 7);
    pl_alias_begin(&a, &tenant_b, 1, PL_ALIAS_TEXT);
    assert_int_equal(find(&a, "up"), PL_ALIAS_NONE);
    pl_alias_begin(&a, &tenant_a, 2, PL_ALIAS_TEXT);
    assert_int_equal(find(&a, "up"), PL_ALIAS_NONE);
    pl_alias_begin(&a, &tenant_a, 1, PL_ALIAS_PUSH);
    assert_int_equal(find(&a, "up"), PL_ALIAS_NONE);
    pl_alias_begin(&a, &tenant_a, 1, PL_ALIAS_TEXT);
    assert_int_equal(find(&a, "up"), 7);
    pl_alias_fini(&a);
}

static void the_successor_is_predicted_from_the_second_round_on(void **state)
{
    static const char *const names[] = {"a", "bb", "ccc"};
    struct pl_alias a;
    (void)state;
    pl_alias_init(&a, 100);
    pl_alias_begin(&a, &tenant_a, 1, PL_ALIAS_TEXT);
    assert_int_equal(pl_alias_guess(&a), 0);
    for (uint32_t i = 0; i < 3; i++) {
        enter(&a, names[i], i);
    }
    assert_int_equal(find(&a, "a"), 0); /* "a" follows "ccc" */
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 1; i < 4; i++) {
            assert_int_equal(pl_alias_guess(&a), strlen(names[i % 3]));
            assert_int_equal(pl_alias_confirm(&a, names[i % 3]), i % 3);
        }
    }
    assert_int_equal(pl_alias_confirm(&a, "xx"), PL_ALIAS_NONE); /* "bb" was expected */
    assert_int_equal(find(&a, "ccc"), 2);
    assert_int_equal(find(&a, "a"), 0);
    assert_int_equal(pl_alias_guess(&a), 3);
    pl_alias_fini(&a);
}

static void a_full_cache_begins_again_and_stays_right(void **state)
{
    struct pl_alias a;
    (void)state;
    pl_alias_init(&a, 8);
    pl_alias_begin(&a, &tenant_a, 1, PL_ALIAS_TEXT);
    for (uint32_t i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "series-%u", i);
        assert_int_equal(find(&a, name), PL_ALIAS_NONE);
        enter(&a, name, i);
        assert_int_equal(find(&a, name), i);
        assert_true(a.n <= 8);
    }
    pl_alias_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_entered_is_found_and_nothing_else),
        cmocka_unit_test(tenant_generation_and_format_keep_entries_apart),
        cmocka_unit_test(the_successor_is_predicted_from_the_second_round_on),
        cmocka_unit_test(a_full_cache_begins_again_and_stays_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
