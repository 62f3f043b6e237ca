/* Arguments of the commands. */
#include "core/app/cli.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define N(args) (int)(sizeof(args) / sizeof(*args))

struct parsed {
    struct pl_cli cli;
    const char *format, *force;
    struct pl_cli_option options[2];
    int code;
    char *text; /* what was written to stderr */
};

static void parse(struct parsed *p, int argc, const char **argv)
{
    size_t n = 0;
    FILE *keep = stderr;
    *p = (struct parsed){.format = "table"};
    p->options[0] = (struct pl_cli_option){"format", "FORMAT", "how", &p->format};
    p->options[1] = (struct pl_cli_option){"force", NULL, "yes", &p->force};
    p->cli = (struct pl_cli){
        .command = "query", .arguments = "", .about = "", .options = p->options, .n_options = 2};
    p->cli.server = true;
    stderr = open_memstream(&p->text, &n);
    p->code = pl_cli_parse(&p->cli, argc, (char **)argv);
    fclose(stderr);
    stderr = keep;
}

static void drop(struct parsed *p)
{
    pl_cli_fini(&p->cli);
    free(p->text);
}

static void options_and_arguments_may_be_mixed(void **state)
{
    const char *argv[] = {"a",       "--format",       "json",     "b",
                          "--force", "--url=http://h", "--tenant", "t"};
    struct parsed p;
    (void)state;
    parse(&p, N(argv), argv);
    assert_int_equal(p.code, -1);
    assert_string_equal(p.format, "json");
    assert_string_equal(p.cli.url, "http://h");
    assert_string_equal(p.cli.tenant, "t");
    assert_non_null(p.force);
    assert_int_equal(p.cli.n_args, 2);
    assert_string_equal(p.cli.args[1], "b");
    drop(&p);
}

static void a_dash_a_negative_number_and_what_follows_two_dashes_are_arguments(void **state)
{
    const char *argv[] = {"-", "-1", "-.5", "--", "--format", "-x"};
    struct parsed p;
    (void)state;
    parse(&p, N(argv), argv);
    assert_int_equal(p.code, -1);
    assert_int_equal(p.cli.n_args, 5);
    assert_string_equal(p.cli.args[3], "--format");
    assert_string_equal(p.format, "table");
    drop(&p);
}

static void wrong_use_is_told_with_what_would_be_right(void **state)
{
    static const struct {
        const char *arg, *text;
    } cases[] = {
        {"--fromat=json", "perilune query: unknown option --fromat=json: did you mean --format\n"},
        {"--ulr", "perilune query: unknown option --ulr: did you mean --url\n"},
        {"--something-else",
         "perilune query: unknown option --something-else: --help lists them\n"},
        {"--format", "perilune query: --format needs a value\n"},
        {"--force=no", "perilune query: --force takes no value\n"},
        {"-f", "perilune query: unknown option -f: options begin with two dashes\n"},
    };
    struct parsed p;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        parse(&p, 1, (const char **)&cases[i].arg);
        assert_int_equal(p.code, PL_EXIT_USAGE);
        assert_string_equal(p.text, cases[i].text);
        assert_null(p.force);
        drop(&p);
    }
}

static void a_command_without_a_server_knows_no_url(void **state)
{
    const char *argv[] = {"--url=http://a"};
    struct pl_cli c = {.command = "check-store", .arguments = "", .about = ""};
    (void)state;
    assert_int_equal(pl_cli_parse(&c, 1, (char **)argv), PL_EXIT_USAGE);
    pl_cli_fini(&c);
}

static void parameters_are_appended_and_encoded(void **state)
{
    struct pl_buf path = PL_BUF_INIT;
    (void)state;
    pl_buf_z(&path, "/api/v1/query");
    pl_cli_param(&path, "query", PL_STR("a{b=\"c\"} + 1"));
    pl_cli_param(&path, "match[]", PL_STR(""));
    assert_true(pl_str_eq(pl_buf_view(&path),
                          PL_STR("/api/v1/query?query=a%7Bb%3D%22c%22%7D%20%2B%201&match%5B%5D=")));
    pl_buf_fini(&path);
}

static void a_server_that_is_not_there_is_an_exit_code_of_its_own(void **state)
{
    struct pl_cli c = {.command = "query", .url = "http://127.0.0.1:1"};
    struct pl_client *client;
    struct pl_client_reply r;
    (void)state;
    assert_int_equal(pl_cli_client(&c, &client), 0);
    assert_int_equal(pl_cli_request(&c, client, "GET", "/", NULL, PL_STR_NULL, &r),
                     PL_EXIT_UNREACHABLE);
    pl_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_may_be_mixed),
        cmocka_unit_test(a_dash_a_negative_number_and_what_follows_two_dashes_are_arguments),
        cmocka_unit_test(wrong_use_is_told_with_what_would_be_right),
        cmocka_unit_test(a_command_without_a_server_knows_no_url),
        cmocka_unit_test(parameters_are_appended_and_encoded),
        cmocka_unit_test(a_server_that_is_not_there_is_an_exit_code_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
