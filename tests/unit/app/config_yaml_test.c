/* Settings from YAML: what is wrong is named at its line and column. */
#include "core/app/config.h"
#include "tests/unit/app/files.h"

static int load(struct pl_config *c, const char *text, char *why, size_t n_why)
{
    char path[64], inner[400] = "";
    make_file(path, text);
    int e = pl_config_yaml(c, path, inner, sizeof(inner));
    const char *rest = strncmp(inner, path, strlen(path)) == 0 ? inner + strlen(path) : inner;
    snprintf(why, n_why, "%s", rest); /* without the path */
    unlink(path);
    return e;
}

static void keys_are_options_and_values_are_theirs(void **state)
{
    struct pl_config c;
    char why[400];
    (void)state;
    pl_config_default(&c);
    assert_int_equal(load(&c,
                          "# a comment\n"
                          "http: 0.0.0.0:9000\n"
                          "retention: 90d\n"
                          "max-series: 1000\n"
                          "tenants-auto: true\n"
                          "data: \"/srv/peri lune\"\n"
                          "stream:\n",
                          why, sizeof(why)),
                     0);
    assert_string_equal(c.http, "0.0.0.0:9000");
    assert_int_equal(c.retention, 90 * INT64_C(86400000));
    assert_int_equal(c.max_series, 1000);
    assert_true(c.tenants_auto);
    assert_string_equal(c.data, "/srv/peri lune");
    assert_string_equal(c.stream, "");
    pl_config_fini(&c);
}

static void a_file_without_settings_changes_nothing(void **state)
{
    static const char *const texts[] = {"", "\n", "# nothing\n", "---\n", "{}\n"};
    struct pl_config c;
    char why[400];
    (void)state;
    pl_config_default(&c);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        int e = load(&c, texts[i], why, sizeof(why));
        if (strcmp(texts[i], "---\n") == 0) { /* an empty scalar is no mapping, and is said so */
            assert_int_equal(e, PL_EPARSE);
        } else {
            assert_int_equal(e, 0);
        }
        assert_string_equal(c.http, "127.0.0.1:1969");
    }
    pl_config_fini(&c);
}

static void what_is_wrong_is_refused_at_its_line_and_column(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"http: a:1\nretension: 30d\n", ":2:1: unknown key \"retension\": did you mean retention"},
        {"what_is_this: 1\n", ":1:1: unknown key \"what_is_this\""},
        {"retention:   soon\n", ":1:14: retention: \"soon\" is not a duration, as 15s, 5m, 30d"},
        {"retention: [30d]\n", ":1:12: retention: one value is wanted"},
        {"http: a:1\nhttp: b:1\n", ":2:1: given twice: http"},
        {"[http]\n", ":1:1: settings are wanted, as `http: 127.0.0.1:1969`"},
        {"? [a]\n: b\n", ":1:3: a key must be a name"},
        {"http: a:1\n---\nhttp: b:1\n", ":3:1: a second document: one is read"},
        {"scrape_configs: []\n",
         ":1:1: \"scrape_configs\" is a key of Prometheus' or Alertmanager's configuration, which "
         "this version does not read"},
    };
    struct pl_config c;
    char why[400];
    (void)state;
    pl_config_default(&c);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(load(&c, cases[i].text, why, sizeof(why)), PL_EPARSE);
        assert_string_equal(why, cases[i].why);
    }
    pl_config_fini(&c);
}

static void what_is_no_yaml_is_refused_at_its_line(void **state)
{
    static const char *const texts[] = {"http: \"a\nretention: 3d\n", "http: a\n  b: c: d\n",
                                        "\t- a\n", "http: &a\n*b\n"};
    struct pl_config c;
    char why[400];
    (void)state;
    pl_config_default(&c);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_int_equal(load(&c, texts[i], why, sizeof(why)), PL_EPARSE);
        assert_true(why[0] == ':' && why[1] >= '1' && why[1] <= '9');
        assert_non_null(strstr(why, "not YAML: "));
    }
    pl_config_fini(&c);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    struct pl_config c;
    char why[400];
    (void)state;
    pl_config_default(&c);
    assert_true(pl_config_yaml(&c, "/nowhere/perilune.yml", why, sizeof(why)) < 0);
    assert_string_equal(why, "/nowhere/perilune.yml: cannot be read: not found");
    pl_config_fini(&c);
}

static void every_prefix_and_every_flipped_bit_is_taken_or_refused(void **state)
{
    const char *text = "http: 127.0.0.1:80\nretention: 7d # a week\nlog-level: 'warn'\n";
    char copy[128], why[400];
    (void)state;
    for (size_t n = 0; n <= strlen(text); n++) {
        struct pl_config c;
        pl_config_default(&c);
        snprintf(copy, sizeof(copy), "%.*s", (int)n, text);
        int e = load(&c, copy, why, sizeof(why));
        assert_true(e == 0 || (e == PL_EPARSE && why[0] == ':'));
        pl_config_fini(&c);
    }
    for (size_t bit = 0; bit < strlen(text) * 8; bit++) {
        struct pl_config c;
        pl_config_default(&c);
        snprintf(copy, sizeof(copy), "%s", text);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        int e = load(&c, copy, why, sizeof(why));
        assert_true(e == 0 || (e == PL_EPARSE && why[0] == ':'));
        pl_config_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_options_and_values_are_theirs),
        cmocka_unit_test(a_file_without_settings_changes_nothing),
        cmocka_unit_test(what_is_wrong_is_refused_at_its_line_and_column),
        cmocka_unit_test(what_is_no_yaml_is_refused_at_its_line),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(every_prefix_and_every_flipped_bit_is_taken_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
