/* Tests of core/client/embed.c, on a store in a temporary directory. */
#include "perilune/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/perilune-embed-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

static struct pl_embed *must_open(void)
{
    struct pl_embed *e = NULL;
    char why[200] = "";
    if (pl_embed_open(dir, NULL, &e, why, sizeof(why)) < 0) {
        fail_msg("%s", why);
    }
    return e;
}

static void check_read(struct pl_embed *e, int64_t now)
{
    struct pl_embed_matcher m[] = {{PL_EMBED_EQ, "__name__", "up"}, {PL_EMBED_RE, "job", "a|b"}};
    struct pl_embed_selection *s;
    const int64_t *t;
    const double *v;
    size_t n;
    assert_int_equal(pl_embed_select(e, m, 2, now - 60000, now, &s), 0);
    assert_int_equal(pl_embed_count(s), 2);
    assert_string_equal(pl_embed_labels(s, 0), "up{job=\"a\"}");
    assert_int_equal(pl_embed_read(s, 0, now - 60000, now, &t, &v, &n), 0);
    assert_int_equal(n, 2);
    assert_true(t[0] == now - 2000 && v[0] == 1 && t[1] == now - 1000 && v[1] == 2);
    assert_int_equal(pl_embed_read(s, 1, now - 60000, now, &t, &v, &n), 0);
    assert_true(n == 1 && v[0] == 3);
    assert_null(pl_embed_labels(s, 2));
    assert_int_equal(pl_embed_read(s, 2, 0, now, &t, &v, &n), PL_EINVAL);
    pl_embed_selection_free(s);
}

static void what_is_written_is_read_before_and_after_a_flush_and_an_opening(void **state)
{
    struct pl_embed_label a[] = {{"__name__", "up"}, {"job", "a"}};
    struct pl_embed_label b[] = {{"job", "b"}, {"__name__", "up"}};
    int64_t now = (int64_t)time(NULL) * 1000, t[3] = {now - 2000, now - 1000, now - 1000};
    double v[3] = {1, 2, 3};
    uint32_t ids[3];
    struct pl_embed *e = must_open();
    (void)state;
    assert_int_equal(pl_embed_series(e, a, 2, &ids[0]), 0);
    ids[1] = ids[0];
    assert_int_equal(pl_embed_series(e, b, 2, &ids[2]), 0);
    assert_int_equal(pl_embed_write(e, ids, t, v, 3), 0);
    check_read(e, now);
    assert_int_equal(pl_embed_flush(e), 0);
    check_read(e, now);
    pl_embed_close(e);
    e = must_open();
    check_read(e, now);
    pl_embed_close(e);
}

static void what_is_wrong_is_refused_as_a_whole(void **state)
{
    struct pl_embed_label a[] = {{"__name__", "x"}}, twice[] = {{"a", "1"}, {"a", "2"}};
    struct pl_embed_matcher m = {PL_EMBED_EQ, "__name__", "x"}, bad = {PL_EMBED_RE, "a", "("};
    int64_t now = (int64_t)time(NULL) * 1000, t[2] = {now, now + 3ll * 86400000};
    double v[2] = {1, 2};
    uint32_t ids[2] = {0, 0}, none = 7;
    struct pl_embed *e = must_open();
    struct pl_embed_selection *s;
    (void)state;
    assert_int_equal(pl_embed_series(e, twice, 2, &none), PL_EINVAL);
    assert_int_equal(pl_embed_series(e, a, 0, &none), PL_EINVAL);
    assert_int_equal(pl_embed_write(e, &none, t, v, 1), PL_EINVAL);
    assert_int_equal(pl_embed_series(e, a, 1, &ids[0]), 0);
    ids[1] = ids[0];
    assert_int_equal(pl_embed_write(e, ids, t, v, 2), PL_EFUTURE);
    t[1] = now - 40ll * 86400000;
    assert_int_equal(pl_embed_write(e, ids, t, v, 2), PL_ETOOOLD);
    assert_int_equal(pl_embed_select(e, &m, 1, 0, now, &s), 0);
    assert_int_equal(pl_embed_count(s), 0);
    pl_embed_selection_free(s);
    assert_true(pl_embed_select(e, &bad, 1, 0, now, &s) < 0);
    pl_embed_close(e);
}

static void a_directory_is_opened_once_at_a_time(void **state)
{
    struct pl_embed *e = must_open(), *second;
    char why[200] = "";
    (void)state;
    assert_true(pl_embed_open(dir, NULL, &second, why, sizeof(why)) < 0);
    assert_true(strlen(why) > 5);
    pl_embed_close(e);
    pl_embed_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_is_written_is_read_before_and_after_a_flush_and_an_opening, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_as_a_whole, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_directory_is_opened_once_at_a_time, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
