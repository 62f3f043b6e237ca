/* The start of a store: series, definitions, samples and erasures come back in their order though
 * more than one thread brings them. */
#include "tests/unit/store/store_fixture.h"

/** n samples at t of series [from, to). */
static void put_many(struct fixture *f, uint32_t from, uint32_t to, int64_t t)
{
    struct pl_batch *b;
    assert_int_equal(pl_batch_new(f->t, &b), 0);
    for (uint32_t i = from; i < to; i++) {
        uint32_t id;
        assert_true(intern(f->t, i, &id) >= 0);
        assert_int_equal(pl_batch_add(b, id, t, i), 0);
    }
    assert_int_equal(write_wait(b), 0);
}

static void check_series(struct fixture *f, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = n;
        assert_int_equal(intern(f->t, i, &id), 0);
        assert_int_equal(id, i);
    }
    uint32_t fresh;
    assert_int_equal(intern(f->t, n, &fresh), 1);
    assert_int_equal(fresh, n);
}

static void values_match(void *ctx, uint32_t series, const struct pl_columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        assert_true(c->v[i] == series);
    }
    *(size_t *)ctx += c->n;
}

TEST(series_of_the_engine_and_of_the_journal_are_known_with_their_samples_after_a_crash)
{
    struct fixture f;
    fixture_begin(&f);
    fixture_open(&f);
    put_many(&f, 0, 3000, NOW_MS);
    assert_int_equal(pl_store_flush(f.s), 0);
    for (uint32_t i = 0; i < 20; i++) { /* definitions and samples take turns */
        put_many(&f, 0, 3000 + 100 * (i + 1), NOW_MS + 1 + i);
    }
    fixture_crash(&f);
    fixture_open(&f);
    size_t n = 0;
    assert_int_equal(read_all(&f, INT64_MIN, INT64_MAX, values_match, &n), 5000);
    assert_int_equal(n, 3000 + 20 * 3000 + 100 * (20 * 21 / 2));
    check_series(&f, 5000);
    fixture_end(&f);
}

TEST(an_erasure_in_the_journal_takes_what_stands_before_it_and_no_more)
{
    struct fixture f;
    struct pl_selector sel = select_all();
    uint64_t n_series;
    size_t n = 0;
    fixture_begin(&f);
    fixture_open(&f);
    put_many(&f, 0, 500, NOW_MS);
    atomic_store(&f.memory->erase_error,
                 PL_ENOSPC); /* the engine cannot have it before the crash */
    assert_int_equal(pl_store_erase(f.t, &sel, 1, NOW_MS, NOW_MS, &n_series), PL_ENOSPC);
    put_many(&f, 400, 700, NOW_MS);
    fixture_crash(&f);
    fixture_open(&f);
    assert_int_equal(read_all(&f, INT64_MIN, INT64_MAX, values_match, &n), 300);
    assert_int_equal(n, 300);
    check_series(&f, 700);
    fixture_end(&f);
}

static size_t n_named;

/** The hook may ask for the labels of what it is shown. */
static void ask_labels(void *ctx, const struct pl_batch *b, uint64_t seq, bool replay)
{
    struct pl_buf labels = PL_BUF_INIT;
    (void)ctx, (void)seq;
    for (size_t i = 0; replay && i < b->n; i++) {
        pl_buf_clear(&labels);
        n_named += pl_tenant_labels(b->tenant, b->id[i], &labels) == 0 && labels.n > 0;
    }
    pl_buf_fini(&labels);
}

TEST(the_hook_sees_replayed_samples_when_their_series_are_known)
{
    struct fixture f;
    fixture_begin(&f);
    f.conf.applied = ask_labels;
    fixture_open(&f);
    put_many(&f, 0, 300, NOW_MS);
    assert_int_equal(pl_store_flush(f.s), 0);
    for (uint32_t i = 0; i < 10; i++) {
        put_many(&f, 0, 300 + 50 * (i + 1), NOW_MS + 1 + i);
    }
    fixture_crash(&f);
    n_named = 0;
    fixture_open(&f);
    assert_int_equal(n_named, 10 * 300 + 50 * (10 * 11 / 2));
    fixture_end(&f);
}

TEST(tenants_come_back_each_with_its_own)
{
    struct fixture f;
    struct pl_tenant *other, *first;
    fixture_begin(&f);
    fixture_open(&f);
    first = f.t;
    put_many(&f, 0, 100, NOW_MS);
    assert_int_equal(pl_store_tenant(f.s, PL_STR("other"), true, &other), 0);
    f.t = other;
    put_many(&f, 0, 40, NOW_MS);
    assert_int_equal(pl_store_flush(f.s), 0);
    put_many(&f, 0, 60, NOW_MS + 1);
    f.t = first;
    put_many(&f, 0, 120, NOW_MS + 1);
    fixture_crash(&f);
    fixture_open(&f);
    size_t n = 0;
    assert_int_equal(read_all(&f, INT64_MIN, INT64_MAX, values_match, &n), 120);
    assert_int_equal(n, 220);
    assert_int_equal(pl_store_tenant(f.s, PL_STR("other"), false, &f.t), 0);
    n = 0;
    assert_int_equal(read_all(&f, INT64_MIN, INT64_MAX, values_match, &n), 60);
    assert_int_equal(n, 100);
    check_series(&f, 60);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            series_of_the_engine_and_of_the_journal_are_known_with_their_samples_after_a_crash),
        cmocka_unit_test(an_erasure_in_the_journal_takes_what_stands_before_it_and_no_more),
        cmocka_unit_test(the_hook_sees_replayed_samples_when_their_series_are_known),
        cmocka_unit_test(tenants_come_back_each_with_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
