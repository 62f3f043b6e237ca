/* Flags before the environment before files before defaults. */
#include "core/app/config.h"
#include "tests/unit/app/files.h"

#define N(args) (int)(sizeof(args) / sizeof(*args))

static int load(struct pl_config *c, int argc, const char **argv, const char **env, char *why,
                size_t n_why)
{
    pl_config_default(c);
    return pl_config_load(c, argc, (char **)argv, (char **)env, why, n_why);
}

static void flags_win_over_the_environment_over_files_over_defaults(void **state)
{
    struct pl_config c;
    char first[64], second[64], third[64], why[400], env_config[100];
    (void)state;
    make_file(first,
              "retention: 1d\nloops: 1\nmax-series: 1\nquery-threads: 1\npush-sessions: 1\n");
    make_file(second, "retention: 2d\nloops: 2\nmax-series: 2\nquery-threads: 2\n");
    make_file(third, "retention: 3d\nloops: 3\nmax-series: 3\n");
    snprintf(env_config, sizeof(env_config), "PERILUNE_CONFIG=%s", first);
    const char *env[] = {"HOME=/", env_config, "PERILUNE_LOOPS=4", "PERILUNE_RETENTION=4d", NULL};
    const char *argv[] = {"--retention=5d", "--config", second, "--config", third};
    assert_int_equal(load(&c, N(argv), argv, env, why, sizeof(why)), 0);
    assert_int_equal(c.retention,
                     5 * INT64_C(86400000)); /* the flag, though files stand behind it */
    assert_int_equal(c.loops, 4);            /* the environment */
    assert_int_equal(c.max_series, 3);       /* the last file */
    assert_int_equal(c.query_threads, 2);    /* the file before it */
    assert_int_equal(c.push_sessions, 1);    /* that of the environment */
    assert_int_equal(c.max_tenants, 1000);   /* the default */
    pl_config_fini(&c);
    unlink(first);
    unlink(second);
    unlink(third);
}

static void a_flag_takes_its_value_behind_an_equals_sign_or_as_the_next_argument(void **state)
{
    struct pl_config c;
    char why[400];
    const char *argv[] = {
        "--http", "a:1", "--data=b", "--stream=", "--tenants-auto", "--loops", "3"};
    (void)state;
    assert_int_equal(load(&c, N(argv), argv, NULL, why, sizeof(why)), 0);
    assert_string_equal(c.http, "a:1");
    assert_string_equal(c.data, "b");
    assert_string_equal(c.stream, "");
    assert_true(c.tenants_auto);
    assert_int_equal(c.loops, 3);
    pl_config_fini(&c);
    const char *off[] = {"--tenants-auto=false"};
    assert_int_equal(load(&c, N(off), off, NULL, why, sizeof(why)), 0);
    assert_false(c.tenants_auto);
    pl_config_fini(&c);
}

static void wrong_flags_are_refused_with_what_would_be_right(void **state)
{
    static const struct {
        const char *arg, *why;
    } cases[] = {
        {"--retension=3d", "unknown option --retension=3d: did you mean --retention"},
        {"--brightness", "unknown option --brightness: `perilune serve --help` lists them"},
        {"--http", "--http needs a value"},
        {"--config", "--config needs a value"},
        {"data", "unexpected argument \"data\""},
        {"-v", "unexpected argument \"-v\""},
        {"--loops=x", "--loops: \"x\" is not a number up to 4294967295"},
        {"--config=/nowhere.yml", "/nowhere.yml: cannot be read: not found"},
    };
    struct pl_config c;
    char why[400];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_true(load(&c, 1, (const char **)&cases[i].arg, NULL, why, sizeof(why)) < 0);
        assert_string_equal(why, cases[i].why);
        pl_config_fini(&c);
    }
}

static void wrong_variables_are_refused_and_those_of_others_are_left_alone(void **state)
{
    static const struct {
        const char *env, *why;
    } cases[] = {
        {"PERILUNE_RETENSION=3d",
         "unknown environment variable PERILUNE_RETENSION: did you mean PERILUNE_RETENTION"},
        {"PERILUNE_BRIGHTNESS=1", "unknown environment variable PERILUNE_BRIGHTNESS: `perilune "
                                  "serve --help` lists the options"},
        {"PERILUNE_LOOPS=x",
         "environment variable PERILUNE_LOOPS: loops: \"x\" is not a number up to 4294967295"},
        {"PERILUNE_CONFIG=/nowhere.yml", "/nowhere.yml: cannot be read: not found"},
    };
    static const char *others[] = {"PATH=/bin",
                                   "PERILUNE_URL=http://a",
                                   "PERILUNE_TENANT=b",
                                   "PERILUNE_CONFIG=",
                                   "PERILUNE_SERVICE_HOST=10.0.0.1", /* set by Kubernetes */
                                   "PERILUNE_SERVICE_PORT_HTTP=1969",
                                   "PERILUNE_PORT=tcp://10.0.0.1:1969",
                                   "PERILUNE_PORT_1969_TCP=tcp://10.0.0.1:1969",
                                   NULL};
    struct pl_config c;
    char why[400];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *env[] = {cases[i].env, NULL};
        assert_true(load(&c, 0, NULL, env, why, sizeof(why)) < 0);
        assert_string_equal(why, cases[i].why);
        pl_config_fini(&c);
    }
    assert_int_equal(load(&c, 0, NULL, others, why, sizeof(why)), 0);
    pl_config_fini(&c);
}

static void the_help_names_every_option_and_its_default(void **state)
{
    char *text = NULL, line[200];
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    (void)state;
    pl_config_help(out);
    fclose(out);
    for (size_t i = 0; i < pl__n_options; i++) {
        const struct pl_option *o = &pl__options[i];
        snprintf(line, sizeof(line), "\n  --%s%s%s ", o->name, o->value_name ? " " : "",
                 o->value_name ? o->value_name : "");
        const char *at = strstr(text, line);
        assert_non_null(at);
        assert_non_null(strstr(at, o->help));
        assert_non_null(strstr(at, o->def));
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_win_over_the_environment_over_files_over_defaults),
        cmocka_unit_test(a_flag_takes_its_value_behind_an_equals_sign_or_as_the_next_argument),
        cmocka_unit_test(wrong_flags_are_refused_with_what_would_be_right),
        cmocka_unit_test(wrong_variables_are_refused_and_those_of_others_are_left_alone),
        cmocka_unit_test(the_help_names_every_option_and_its_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
