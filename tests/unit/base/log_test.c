/* Log lines as they arrive at the other end of a pipe. */
#include "tests/unit/unit.h"
#include "core/base/log.h"
#include "perilune/err.h"
#include <string.h>
#include <unistd.h>

static int ends[2];
static struct pl_clock_manual clock_ms = {.ms = 1767323045678}; /* 2026-01-02T03:04:05.678Z */
static char line[8192];

static struct pl_log log_to_pipe(bool json)
{
    return (struct pl_log){
        .level = PL_INFO, .json = json, .fd = ends[1], .clock = pl_clock_manual(&clock_ms)};
}

static const char *arrived(void)
{
    ssize_t n = read(ends[0], line, sizeof line - 1);
    line[n > 0 ? n : 0] = '\0';
    return line;
}

TEST(an_event_is_one_logfmt_line)
{
    struct pl_log log = log_to_pipe(false);
    pl_logf(&log, PL_INFO, "store", "flushed", "samples=%zu path=%s", (size_t)12, "/x");
    assert_string_equal(arrived(), "ts=2026-01-02T03:04:05.678Z level=info component=store "
                                   "msg=flushed samples=12 path=/x\n");
    pl_logf(&log, PL_ERROR, "net", "two words", NULL);
    assert_string_equal(arrived(), "ts=2026-01-02T03:04:05.678Z level=error component=net "
                                   "msg=\"two words\"\n");
}

TEST(an_event_is_one_json_object_with_numbers_as_numbers)
{
    struct pl_log log = log_to_pipe(true);
    pl_logf(&log, PL_WARN, "net", "slow \"client\"",
            "n=%d s=-1.5 v=1.2.3 zero=007 who=\"a b\" e=\"\" last=%s", 3, "x");
    assert_string_equal(arrived(),
                        "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\","
                        "\"component\":\"net\",\"msg\":\"slow \\\"client\\\"\",\"n\":3,\"s\":-1.5,"
                        "\"v\":\"1.2.3\",\"zero\":\"007\",\"who\":\"a b\",\"e\":\"\","
                        "\"last\":\"x\"}\n");
}

TEST(text_of_others_cannot_forge_a_line)
{
    for (int json = 0; json <= 1; json++) {
        struct pl_log log = log_to_pipe(json);
        pl_logf(&log, PL_INFO, "api", "rejected", "label=\"%s\"", "a\nts=0 level=error\x1b[31m");
        const char *text = arrived();
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        assert_null(strchr(text, '\x1b'));
    }
}

TEST(below_the_level_and_without_a_log_nothing_is_written)
{
    struct pl_log log = log_to_pipe(false);
    pl_logf(&log, PL_DEBUG, "store", "unseen", NULL);
    pl_logf(NULL, PL_ERROR, "store", "unseen", NULL);
    pl_logf(&log, PL_INFO, "store", "seen", NULL);
    assert_non_null(strstr(arrived(), "msg=seen\n"));
    assert_null(strstr(line, "unseen"));
}

TEST(a_long_event_is_whole)
{
    struct pl_log log = log_to_pipe(false);
    pl_logf(&log, PL_INFO, "store", "long", "a=%03000d", 7);
    assert_int_equal(strlen(arrived()), strlen("ts=2026-01-02T03:04:05.678Z level=info "
                                               "component=store msg=long a=\n") +
                                            3000);
}

TEST(levels_are_read_by_name)
{
    enum pl_level level = PL_INFO;
    assert_int_equal(pl_level_parse("WARN", &level), PL_OK);
    assert_int_equal(level, PL_WARN);
    assert_int_equal(pl_level_parse("loud", &level), PL_EPARSE);
    assert_int_equal(level, PL_WARN);
}

TEST(times_before_the_epoch_are_right_too)
{
    struct pl_log log = log_to_pipe(false);
    struct pl_clock_manual before = {.ms = -1};
    log.clock = pl_clock_manual(&before);
    pl_logf(&log, PL_INFO, "a", "b", NULL);
    assert_non_null(strstr(arrived(), "ts=1969-12-31T23:59:59.999Z "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_logfmt_line),
        cmocka_unit_test(an_event_is_one_json_object_with_numbers_as_numbers),
        cmocka_unit_test(text_of_others_cannot_forge_a_line),
        cmocka_unit_test(below_the_level_and_without_a_log_nothing_is_written),
        cmocka_unit_test(a_long_event_is_whole),
        cmocka_unit_test(levels_are_read_by_name),
        cmocka_unit_test(times_before_the_epoch_are_right_too),
    };
    if (pipe(ends) != 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
