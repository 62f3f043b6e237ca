/* Tests of core/client/embed.c, on a store in a temporary directory. */
#include "core/store/store.h"
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

static void free_batch(struct pl_batch *b, int err)
{
    pl_batch_free(b);
    if (err < 0) {
        abort();
    }
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

/* A sample of each kind, as a server may have stored them. */
static void server_writes(int64_t now)
{
    struct pl_label l[] = {{PL_STR("__name__"), PL_STR("mixed")}};
    const struct pl_histogram h = {.schema = 1, .zero_count = 3, .count = 3, .sum = 4};
    struct pl_store_conf conf;
    struct pl_store *s;
    struct pl_tenant *t;
    struct pl_batch *b;
    struct pl_buf canon = PL_BUF_INIT;
    uint32_t id;
    char why[200];
    pl_store_conf_default(&conf);
    conf.dir = dir;
    assert_int_equal(pl_store_open(&conf, &s, why, sizeof(why)), 0);
    assert_int_equal(pl_store_tenant(s, PL_STR("default"), true, &t), 0);
    assert_true(pl_labels_canon(l, 1, &canon, NULL) > 0);
    assert_int_equal(pl_batch_new(t, &b), 0);
    pl_str c = pl_buf_view(&canon);
    assert_true(pl_tenant_intern(t, c, pl_labels_hash(c), &id) >= 0);
    assert_int_equal(pl_batch_add(b, id, now - 3000, 1), 0);
    assert_int_equal(pl_batch_add_histogram(b, id, now - 2000, &h), 0);
    assert_int_equal(pl_batch_add(b, id, now - 1000, pl_histogram_box(0)), 0);
    assert_int_equal(pl_batch_add(b, id, now, 2), 0);
    pl_batch_write(b, free_batch);
    pl_store_close(s); /* writes what is queued */
    pl_buf_fini(&canon);
}

static void histograms_are_left_out_and_doubles_are_bit_exact(void **state)
{
    int64_t now = (int64_t)time(NULL) * 1000;
    struct pl_embed_matcher m[] = {{PL_EMBED_EQ, "__name__", "mixed"}};
    struct pl_embed_selection *s;
    const int64_t *t;
    const double *v;
    size_t n;
    (void)state;
    server_writes(now);
    struct pl_embed *e = must_open();
    assert_int_equal(pl_embed_select(e, m, 1, now - 60000, now, &s), 0);
    assert_int_equal(pl_embed_count(s), 1);
    assert_int_equal(pl_embed_read(s, 0, now - 60000, now, &t, &v, &n), 0);
    assert_int_equal(n, 3);
    assert_true(t[0] == now - 3000 && v[0] == 1 && t[2] == now && v[2] == 2);
    assert_true(t[1] == now - 1000);
    assert_true(pl_f64_bits(v[1]) == pl_f64_bits(pl_histogram_box(0)));
    pl_embed_selection_free(s);
    pl_embed_close(e);
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
        cmocka_unit_test_setup_teardown(histograms_are_left_out_and_doubles_are_bit_exact, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_as_a_whole, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_directory_is_opened_once_at_a_time, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
