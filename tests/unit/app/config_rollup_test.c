/* Rollup tiers in settings: what is taken, and what is refused where. */
#include "core/app/config.h"
#include "tests/unit/app/files.h"

#define H INT64_C(3600000)

static int load(struct pl_config *c, const char *text, char *why, size_t n_why)
{
    char path[64], inner[800] = "";
    make_file(path, text);
    int e = pl_config_yaml(c, path, inner, sizeof(inner));
    const char *rest = strncmp(inner, path, strlen(path)) == 0 ? inner + strlen(path) : inner;
    snprintf(why, n_why, "%s", rest); /* without the path */
    unlink(path);
    return e;
}

static void a_list_of_tiers_is_resolution_and_retention(void **state)
{
    struct pl_tier t[PL_CONFIG_TIERS];
    size_t n = 9;
    (void)state;
    assert_int_equal(pl_tiers_parse(PL_STR("5m:180d,1h:2y,1d:0"), t, &n), 0);
    assert_int_equal(n, 3);
    assert_true(t[0].resolution_ms == H / 12 && t[0].retention_ms == 180 * 24 * H);
    assert_true(t[1].resolution_ms == H && t[1].retention_ms == 730 * 24 * H);
    assert_true(t[2].resolution_ms == 24 * H && t[2].retention_ms == 0);
    assert_int_equal(pl_tiers_parse(PL_STR(""), t, &n), 0);
    assert_int_equal(n, 0);
    static const char *const bad[] = {"5m",    "5m:",      "5m:180d,", ",5m:1d", "5m:1d:2d",
                                      "0:1d",  "10ms:1d",  "2y:5y",    "1h:5m",  "x:1d",
                                      "5m:-1", "5m:1d;1h", " "};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(pl_tiers_parse(pl_str_c(bad[i]), t, &n), PL_EPARSE);
    }
    assert_int_equal(
        pl_tiers_parse(PL_STR("1m:1d,2m:1d,3m:1d,4m:1d,5m:1d,6m:1d,7m:1d,8m:1d,9m:1d"), t, &n),
        PL_EPARSE);
}

static void a_wrong_list_is_refused_with_an_example(void **state)
{
    struct pl_config c;
    char why[300];
    (void)state;
    pl_config_default(&c);
    assert_string_equal(c.rollup, "5m:180d,1h:2y");
    const struct pl_option *o = pl_option_find(PL_STR("rollup"));
    assert_int_equal(pl_config_set(&c, o, "5m", why, sizeof(why)), PL_EPARSE);
    assert_non_null(strstr(why, "rollup: \"5m\" is not tiers, as 5m:180d,1h:2y"));
    assert_int_equal(pl_config_set(&c, o, "", why, sizeof(why)), 0);
    assert_string_equal(c.rollup, "");
    pl_config_fini(&c);
}

static void overrides_of_a_file_reach_the_store(void **state)
{
    struct pl_config c;
    struct pl_store_conf conf = {0};
    char why[400];
    (void)state;
    pl_config_default(&c);
    assert_int_equal(load(&c,
                          "rollup: 1h:30d\n"
                          "rollup_overrides:\n"
                          "  - match: '{job=\"node\"}'\n"
                          "    tiers: '5m:90d,1d:1y'\n"
                          "  - {match: 'debug_total', tiers: ''}\n",
                          why, sizeof(why)),
                     0);
    assert_int_equal(pl_config_tiers(&c, &conf), 0);
    assert_int_equal(conf.n_tiers, 1);
    assert_int_equal(conf.n_tier_overrides, 2);
    assert_int_equal(conf.tier_overrides[0].n_tiers, 2);
    assert_true(conf.tier_overrides[0].tiers[1].resolution_ms == 24 * H);
    assert_int_equal(conf.tier_overrides[0].sel.n, 1);
    assert_int_equal(conf.tier_overrides[1].n_tiers, 0);
    assert_int_equal(load(&c, "rollup_overrides: []\n", why, sizeof(why)), 0); /* a later file */
    assert_int_equal(pl_config_tiers(&c, &conf), 0);
    assert_int_equal(conf.n_tier_overrides, 0);
    pl_config_fini(&c);
}

static void what_is_wrong_in_an_override_is_refused_where_it_stands(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"rollup_overrides: 5m:1d\n", ":1:19: rollup_overrides: a list is wanted"},
        {"rollup_overrides:\n  - x\n", ":2:5: rollup_overrides: match and tiers are wanted"},
        {"rollup_overrides:\n  - match: up\n", ":2:5: rollup_overrides: tiers is missing"},
        {"rollup_overrides:\n  - tiers: 5m:1d\n", ":2:5: rollup_overrides: match is missing"},
        {"rollup_overrides:\n  - match: up\n    tiers: 5m\n", ":3:12: tiers: \"5m\" is not tiers"},
        {"rollup_overrides:\n  - match: 'up{'\n    tiers: 5m:1d\n", ":2:12: match: \"up{\": "},
        {"rollup_overrides:\n  - match: '{}'\n    tiers: 5m:1d\n", ":2:12: match: \"{}\": "},
        {"rollup_overrides:\n  - match: 'rate(up[5m])'\n    tiers: 5m:1d\n", ":2:12: match: "},
        {"rollup_overrides:\n  - match: [up]\n    tiers: 5m:1d\n", ":2:12: match: one value"},
        {"rollup_overrides:\n  - match: up\n    match: up\n", ":3:5: given twice: match"},
        {"rollup_overrides:\n  - match: up\n    tier: 5m:1d\n",
         ":3:5: rollup_overrides: its keys are match and tiers"},
        {"rollup: 5m\n", ":1:9: rollup: \"5m\" is not tiers"},
    };
    struct pl_config c;
    char why[800];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        pl_config_default(&c);
        assert_int_equal(load(&c, cases[i].text, why, sizeof(why)), PL_EPARSE);
        if (strncmp(why, cases[i].why, strlen(cases[i].why)) != 0) {
            fail_msg("%s, not %s", why, cases[i].why);
        }
        pl_config_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_tiers_is_resolution_and_retention),
        cmocka_unit_test(a_wrong_list_is_refused_with_an_example),
        cmocka_unit_test(overrides_of_a_file_reach_the_store),
        cmocka_unit_test(what_is_wrong_in_an_override_is_refused_where_it_stands),
    };
    return cmocka_run_group_tests_name("app/config_rollup", tests, NULL, NULL);
}
