/* The series of a tenant: intern, apply, labels, drop; concurrent use. Finding, saving and loading
 * have tests of their own. */
#include "tests/unit/store/series_rig.h"
#include "core/store/frame.h"

static int n_defined;
static int define_err;
static int define(void *ctx, uint32_t id, pl_str canon)
{
    (void)ctx, (void)id, (void)canon;
    n_defined++;
    return define_err;
}

TEST(a_series_is_defined_once_and_known_from_then_on)
{
    struct pl_series *s;
    struct pl_series_conf conf = {.define = define};
    struct pl_buf b = PL_BUF_INIT;
    uint32_t id = 7;
    n_defined = 0;
    assert_int_equal(pl_series_new(&conf, &s), 0);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            make_labels(&b, i);
            assert_int_equal(
                pl_series_intern(s, pl_buf_view(&b), pl_labels_hash(pl_buf_view(&b)), &id),
                round == 0);
            assert_int_equal(id, i);
            uint32_t found = 0;
            assert_int_equal(pl_series_lookup(s, pl_labels_hash(pl_buf_view(&b)), &found), 0);
            assert_int_equal(found, i);
        }
    }
    assert_int_equal(n_defined, 5000);
    assert_int_equal(pl_series_count(s), 5000);
    assert_int_equal(pl_series_next_id(s), 5000);
    make_labels(&b, 5000);
    assert_int_equal(pl_series_lookup(s, pl_labels_hash(pl_buf_view(&b)), &id), PL_ENOTFOUND);
    assert_int_equal(pl_series_intern(s, PL_STR_NULL, pl_labels_hash(PL_STR_NULL), &id), PL_EINVAL);
    pl_buf_fini(&b);
    pl_series_free(s);
}

TEST(a_definition_that_is_refused_leaves_no_series_and_no_gap)
{
    struct pl_series *s;
    struct pl_series_conf conf = {.define = define, .max_series = 3};
    struct pl_buf b = PL_BUF_INIT;
    uint32_t id;
    assert_int_equal(pl_series_new(&conf, &s), 0);
    for (uint32_t i = 0; i < 5; i++) {
        make_labels(&b, i);
        define_err = i % 2 ? PL_ENOSPC : 0;
        int rc = pl_series_intern(s, pl_buf_view(&b), pl_labels_hash(pl_buf_view(&b)), &id);
        assert_int_equal(rc, i % 2 ? PL_ENOSPC : 1);
        assert_int_equal(id, i / 2);
    }
    define_err = 0;
    make_labels(&b, 5);
    assert_int_equal(pl_series_intern(s, pl_buf_view(&b), pl_labels_hash(pl_buf_view(&b)), &id),
                     PL_ELIMIT);
    assert_int_equal(pl_series_count(s), 3);
    pl_buf_fini(&b);
    pl_series_free(s);
}

TEST(labels_of_applied_series_come_back_in_any_order_of_ids)
{
    enum { N = 20000 };
    struct pl_series *s = make_series();
    struct pl_buf want = PL_BUF_INIT, got = PL_BUF_INIT;
    for (uint32_t i = 0; i < N; i++) { /* some out of order, some far away */
        uint32_t id = i % 10 == 3 ? i + 1 : i % 10 == 4 ? i - 1 : i;
        apply_one(s, id + (i >= N / 2 ? 200000 : 0), id, true);
    }
    apply_one(s, 5, 9999, true); /* an id is applied once */
    for (uint32_t i = 0; i < N; i++) {
        pl_buf_clear(&got);
        make_labels(&want, i);
        assert_int_equal(pl_series_labels(s, i + (i >= N / 2 ? 200000 : 0), &got), 0);
        assert_true(pl_str_eq(pl_buf_view(&want), pl_buf_view(&got)));
    }
    assert_int_equal(pl_series_labels(s, N / 2 + 5, &got), PL_ENOTFOUND);
    assert_int_equal(pl_series_labels(s, UINT32_MAX, &got), PL_ENOTFOUND);
    assert_int_equal(pl_series_next_id(s), N + 200000);
    pl_buf_fini(&want);
    pl_buf_fini(&got);
    pl_series_free(s);
}

TEST(what_are_no_labels_is_left_out_and_the_rest_is_applied)
{
    struct pl_series *s = make_series();
    struct pl_buf good = PL_BUF_INIT, out = PL_BUF_INIT;
    make_labels(&good, 1);
    const pl_str canon[] = {
        pl_buf_view(&good),     PL_STR("\1b\1v\1a\1v"), /* not sorted */
        PL_STR("\1a\1v\1a\1w"),                         /* twice */
        PL_STR("\1a\1v\200"),                           /* cut short */
        PL_STR("\1a\0"),                                /* empty value */
        PL_STR("\0\1v"),                                /* empty name */
        PL_STR("\1a\3v"),       PL_STR_NULL,
        PL_STR("\1a\1v"),       PL_STR("\1a\1v"),
    };
    static const uint32_t ids[] = {0, 1, 2, 3, 4, 5, 6, 7, UINT32_MAX, 8};
    struct pl_series_def defs[10];
    for (size_t i = 0; i < 10; i++) {
        defs[i] = (struct pl_series_def){.id = ids[i], .canon = canon[i]};
    }
    assert_int_equal(pl_series_apply(s, defs, sizeof defs / sizeof defs[0], true), PL_ECORRUPT);
    for (uint32_t i = 0; i < 9; i++) {
        assert_int_equal(pl_series_labels(s, i, &out), i == 0 || i == 8 ? 0 : PL_ENOTFOUND);
    }
    pl_buf_fini(&good);
    pl_buf_fini(&out);
    pl_series_free(s);
}

TEST(definitions_that_say_what_they_share_are_indexed_like_those_that_do_not)
{
    struct pl_series *s = make_series();
    struct pl_buf out = PL_BUF_INIT, got = PL_BUF_INIT, want = PL_BUF_INIT;
    struct pl_define_writer w = {.n = 0};
    struct pl_define_reader r = {.n = 0};
    struct pl_series_def defs[100];
    int n;
    pl_define_writer_reset(&w);
    for (uint32_t i = 0; i < 1000; i++) {
        make_labels(&want, i * 7 % 1000);
        assert_int_equal(pl_define_add(&w, &out, i, pl_buf_view(&want)), 0);
    }
    uint64_t hints = 0;
    pl_define_reader_begin(&r, pl_buf_view(&out));
    for (int round = 0; (n = pl_define_read(&r, defs, 100)) > 0; round++) {
        assert_int_equal(defs[0].same, 0); /* the one before is not in this batch */
        for (int i = 0; i < n; i++) {
            hints |= defs[i].same;
        }
        if (round == 3) { /* what stands behind a damaged one cannot lean on it */
            defs[50].canon.n = 0;
        }
        assert_int_equal(pl_series_apply(s, defs, (size_t)n, true), round == 3 ? PL_ECORRUPT : 0);
    }
    assert_int_equal(n, 0);
    assert_true(hints & 1 << 2); /* job is the same everywhere */
    for (uint32_t i = 0; i < 1000; i++) {
        pl_buf_clear(&got);
        make_labels(&want, i * 7 % 1000);
        assert_int_equal(pl_series_labels(s, i, &got), i == 350 ? PL_ENOTFOUND : 0);
        assert_true(i == 350 || pl_str_eq(pl_buf_view(&got), pl_buf_view(&want)));
    }
    pl_define_writer_fini(&w);
    pl_define_reader_fini(&r);
    pl_buf_fini(&out);
    pl_buf_fini(&got);
    pl_buf_fini(&want);
    pl_series_free(s);
}

TEST(dropped_series_are_gone_and_their_ids_stay_used_up)
{
    enum { N = 3000 };
    struct pl_series *s = make_series();
    struct pl_buf b = PL_BUF_INIT, out = PL_BUF_INIT;
    uint32_t ids[N], n = 0, id;
    for (uint32_t i = 0; i < N; i++) {
        apply_one(s, i, i, true);
        if (i % 3 != 1 || (i >= 640 && i < 704)) {
            ids[n++] = i;
        }
    }
    assert_int_equal(pl_series_drop(s, ids, n), 0);
    assert_int_equal(pl_series_drop(s, ids, n), 0); /* again: nothing to do */
    assert_int_equal(pl_series_count(s), N - n);
    for (uint32_t i = 0; i < N; i++) {
        bool gone = i % 3 != 1 || (i >= 640 && i < 704);
        make_labels(&b, i);
        pl_buf_clear(&out);
        assert_int_equal(pl_series_lookup(s, pl_labels_hash(pl_buf_view(&b)), &id),
                         gone ? PL_ENOTFOUND : 0);
        assert_int_equal(pl_series_labels(s, i, &out), gone ? PL_ENOTFOUND : 0);
        assert_true(gone || (id == i && pl_str_eq(pl_buf_view(&out), pl_buf_view(&b))));
    }
    make_labels(&b, 0);
    assert_int_equal(pl_series_intern(s, pl_buf_view(&b), pl_labels_hash(pl_buf_view(&b)), &id), 1);
    assert_int_equal(id, N);
    pl_buf_fini(&b);
    pl_buf_fini(&out);
    pl_series_free(s);
}

TEST(dropping_an_older_id_leaves_the_newer_one_of_the_same_labels)
{
    struct pl_series *s = make_series();
    struct pl_buf b = PL_BUF_INIT;
    uint32_t id, old = 3;
    apply_one(s, 3, 77, true);
    apply_one(s, 9, 77, true); /* dropped, came again: both definitions are in the journal */
    assert_int_equal(pl_series_drop(s, &old, 1), 0);
    make_labels(&b, 77);
    assert_int_equal(pl_series_lookup(s, pl_labels_hash(pl_buf_view(&b)), &id), 0);
    assert_int_equal(id, 9);
    pl_buf_fini(&b);
    pl_series_free(s);
}

TEST(skipped_ids_are_not_given_again)
{
    struct pl_series *s = make_series();
    struct pl_buf b = PL_BUF_INIT;
    uint32_t id;
    pl_series_skip(s, 100);
    pl_series_skip(s, 50);
    make_labels(&b, 1);
    assert_int_equal(pl_series_intern(s, pl_buf_view(&b), pl_labels_hash(pl_buf_view(&b)), &id), 1);
    assert_int_equal(id, 100);
    pl_buf_fini(&b);
    pl_series_free(s);
}

/* ------------------------------------------------------------------------------------ concurrency
 */

struct crowd {
    struct pl_series *s;
    uint32_t from;
    _Atomic int done;
    _Atomic uint32_t n_new;
};

static void *intern_many(void *arg)
{
    struct crowd *c = arg;
    struct pl_buf b = PL_BUF_INIT;
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t id;
        make_labels(&b, i);
        int rc = pl_series_intern(c->s, pl_buf_view(&b), pl_labels_hash(pl_buf_view(&b)), &id);
        assert_true(rc >= 0);
        c->n_new += (uint32_t)rc;
    }
    pl_buf_fini(&b);
    c->done++;
    return NULL;
}

static bool count_each(void *ctx, pl_str s)
{
    *(size_t *)ctx += s.n > 0;
    return true;
}

static void *read_many(void *arg)
{
    struct crowd *c = arg;
    struct pl_matcher m;
    struct pl_buf b = PL_BUF_INIT;
    assert_int_equal(pl_matcher_init(&m, PL_MATCH_RE, PL_STR("host"), PL_STR("h1.*"), NULL, 0), 0);
    struct pl_selector sel = {&m, 1};
    while (c->done < 3) {
        uint32_t *ids;
        size_t n, values = 0;
        assert_int_equal(pl_series_find(c->s, &sel, 1, &ids, &n), 0);
        for (size_t i = 0; i < n; i += 97) {
            pl_buf_clear(&b);
            assert_int_equal(pl_series_labels(c->s, ids[i], &b), 0);
            assert_true(pl_matcher_labels(&m, 1, pl_buf_view(&b)));
        }
        free(ids);
        assert_int_equal(pl_series_values(c->s, PL_STR("host"), NULL, 0, true, count_each, &values),
                         0);
        assert_true(pl_series_bytes(c->s) > 0);
    }
    pl_matcher_fini(&m);
    pl_buf_fini(&b);
    return NULL;
}

TEST(threads_intern_while_one_applies_and_others_read)
{
    struct crowd c = {.s = make_series()};
    pthread_t t[4];
    assert_int_equal(pl_thread_start(&t[0], "intern", intern_many, &c), 0);
    assert_int_equal(pl_thread_start(&t[1], "intern", intern_many, &c), 0);
    assert_int_equal(pl_thread_start(&t[2], "read", read_many, &c), 0);
    assert_int_equal(pl_thread_start(&t[3], "read", read_many, &c), 0);
    for (uint32_t i = 0; i < 4000; i++) {
        apply_one(c.s, i, i, false);
    }
    c.done++;
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    assert_int_equal(c.n_new, 4000);
    assert_int_equal(pl_series_count(c.s), 4000);
    pl_series_free(c.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_is_defined_once_and_known_from_then_on),
        cmocka_unit_test(a_definition_that_is_refused_leaves_no_series_and_no_gap),
        cmocka_unit_test(labels_of_applied_series_come_back_in_any_order_of_ids),
        cmocka_unit_test(what_are_no_labels_is_left_out_and_the_rest_is_applied),
        cmocka_unit_test(definitions_that_say_what_they_share_are_indexed_like_those_that_do_not),
        cmocka_unit_test(dropped_series_are_gone_and_their_ids_stay_used_up),
        cmocka_unit_test(dropping_an_older_id_leaves_the_newer_one_of_the_same_labels),
        cmocka_unit_test(skipped_ids_are_not_given_again),
        cmocka_unit_test(threads_intern_while_one_applies_and_others_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
