/* Settings: defaults, values, names. */
#include "core/app/config.h"
#include "core/codec/codec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int set(struct pl_config *c, const char *name, const char *text, char *why, size_t n_why)
{
    const struct pl_option *o = pl_option_find(pl_str_c(name));
    assert_non_null(o);
    return pl_config_set(c, o, text, why, n_why);
}

static void every_default_is_a_value_that_its_option_takes(void **state)
{
    struct pl_config c;
    char why[300];
    (void)state;
    pl_config_default(&c);
    for (size_t i = 0; i < pl__n_options; i++) {
        if (pl_config_set(&c, &pl__options[i], pl__options[i].def, why, sizeof(why)) != 0) {
            fail_msg("%s", why);
        }
    }
    assert_string_equal(c.http, "127.0.0.1:1969");
    assert_int_equal(c.retention, 30 * INT64_C(86400000));
    assert_int_equal(c.http_max_body_bytes, 64u << 20);
    pl_config_fini(&c);
}

static void every_option_has_its_own_name_and_field_and_a_help(void **state)
{
    (void)state;
    for (size_t i = 0; i < pl__n_options; i++) {
        const struct pl_option *a = &pl__options[i];
        assert_true(a->help[0] && a->group[0]);
        assert_true((a->type == PL_OPTION_BOOL) == (a->value_name == NULL));
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(a->name, pl__options[k].name);
            assert_int_not_equal(a->offset, pl__options[k].offset);
        }
    }
}

static void bytes_take_units_of_1024(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},         {"4096", 4096},      {"4096B", 4096},
                {"64KB", 65536},  {"64k", 65536},      {"1MB", 1u << 20},
                {"2G", 2u << 30}, {"1tb", 1ull << 40}, {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {
        "",    "MB",   "-1",   "1.5MB",         "1 MB",
        "1EB", "1MBs", "0x10", "17179869184GB", "99999999999999999999"};
    struct pl_config c;
    char why[300];
    (void)state;
    pl_config_default(&c);
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_int_equal(set(&c, "head-max-bytes", good[i].text, why, sizeof(why)), 0);
        assert_true(c.head_max_bytes == good[i].bytes);
    }
    c.head_max_bytes = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (set(&c, "head-max-bytes", bad[i], why, sizeof(why)) >= 0) {
            fail_msg("\"%s\" is taken", bad[i]);
        }
        assert_true(c.head_max_bytes == 7);
    }
    pl_config_fini(&c);
}

static void a_wrong_value_is_refused_with_what_would_be_right(void **state)
{
    static const struct {
        const char *name, *text, *why;
    } cases[] = {
        {"retention", "30 days", "retention: \"30 days\" is not a duration, as 15s, 5m, 30d"},
        {"retention", "-1d", "retention: \"-1d\" is not a duration, as 15s, 5m, 30d"},
        {"tenants-auto", "maybe", "tenants-auto: \"maybe\" is not true or false"},
        {"loops", "two", "loops: \"two\" is not a number up to 4294967295"},
        {"max-series", "4294967296", "max-series: \"4294967296\" is not a number up to 4294967295"},
        {"durability", "maximal", "durability: \"maximal\" is not disk|process"},
        {"durability", "", "durability: \"\" is not disk|process"},
        {"log-level", "disk|process", "log-level: \"disk|process\" is not debug|info|warn|error"},
        {"http-max-body-bytes", "much",
         "http-max-body-bytes: \"much\" is not bytes, as 4096, 64MB, 1GB"},
    };
    struct pl_config c;
    char why[300];
    (void)state;
    pl_config_default(&c);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_true(set(&c, cases[i].name, cases[i].text, why, sizeof(why)) < 0);
        assert_string_equal(why, cases[i].why);
    }
    assert_string_equal(c.durability, "disk");
    pl_config_fini(&c);
}

static void booleans_take_the_words_of_yaml(void **state)
{
    struct pl_config c;
    char why[300];
    (void)state;
    pl_config_default(&c);
    static const char *const yes[] = {"true", "True", "yes", "on", "1"};
    static const char *const no[] = {"false", "No", "OFF", "0"};
    for (size_t i = 0; i < 5; i++) {
        c.tenants_auto = false;
        assert_int_equal(set(&c, "tenants-auto", yes[i], why, sizeof(why)), 0);
        assert_true(c.tenants_auto);
    }
    for (size_t i = 0; i < 4; i++) {
        c.tenants_auto = true;
        assert_int_equal(set(&c, "tenants-auto", no[i], why, sizeof(why)), 0);
        assert_false(c.tenants_auto);
    }
    pl_config_fini(&c);
}

static void a_near_name_is_found_and_a_far_one_is_not(void **state)
{
    (void)state;
    assert_string_equal(pl_option_near(PL_STR("retension"))->name, "retention");
    assert_string_equal(pl_option_near(PL_STR("htpp"))->name, "http");
    assert_string_equal(pl_option_near(PL_STR("max_series"))->name, "max-series");
    assert_null(pl_option_near(PL_STR("completely-different")));
    assert_int_equal(pl_name_distance(PL_STR("kitten"), PL_STR("sitting")), 3);
    assert_int_equal(pl_name_distance(PL_STR(""), PL_STR("abc")), 3);
    assert_int_equal(pl_name_distance(PL_STR("abc"), PL_STR("abc")), 0);
    char long_name[100];
    memset(long_name, 'a', sizeof(long_name));
    assert_null(pl_option_near(pl_str_mem(long_name, sizeof(long_name))));
}

static void what_is_shown_as_json_can_be_set_again(void **state)
{
    struct pl_config c, again;
    struct pl_buf json = PL_BUF_INIT, second = PL_BUF_INIT;
    struct pl_json_r r;
    char why[300], text[300];
    (void)state;
    pl_config_default(&c);
    assert_int_equal(set(&c, "data", "/tmp/a \"b\"", why, sizeof(why)), 0);
    assert_int_equal(set(&c, "query-timeout", "1h30m5s", why, sizeof(why)), 0);
    pl_config_json(&c, &json);
    pl_config_default(&again);
    pl_json_r_init(&r, pl_buf_view(&json));
    assert_int_equal(pl_json_next(&r), PL_JSON_OBJ);
    size_t n = 0;
    while (pl_json_next(&r) == PL_JSON_KEY) {
        const struct pl_option *o = pl_option_find(r.str);
        assert_non_null(o);
        assert_int_equal(pl_json_next(&r), PL_JSON_STR);
        snprintf(text, sizeof(text), "%.*s", PL_PRS(r.str));
        if (pl_config_set(&again, o, text, why, sizeof(why)) != 0) {
            fail_msg("%s", why);
        }
        n++;
    }
    assert_int_equal(n, pl__n_options);
    pl_json_r_fini(&r);
    pl_config_json(&again, &second);
    assert_true(pl_str_eq(pl_buf_view(&json), pl_buf_view(&second)));
    pl_buf_fini(&json);
    pl_buf_fini(&second);
    pl_config_fini(&c);
    pl_config_fini(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_a_value_that_its_option_takes),
        cmocka_unit_test(every_option_has_its_own_name_and_field_and_a_help),
        cmocka_unit_test(bytes_take_units_of_1024),
        cmocka_unit_test(a_wrong_value_is_refused_with_what_would_be_right),
        cmocka_unit_test(booleans_take_the_words_of_yaml),
        cmocka_unit_test(a_near_name_is_found_and_a_far_one_is_not),
        cmocka_unit_test(what_is_shown_as_json_can_be_set_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
