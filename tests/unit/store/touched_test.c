/* What caches ask: never too low, exact by the minute where it matters, right while a deletion is
 * on its way, and under threads. */
#include "tests/unit/store/store_fixture.h"
#include <stdatomic.h>

#define MINUTE 60000ll
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static uint64_t rng = 88172645463325252ull;
static uint32_t rnd(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32) % n;
}

static uint64_t touched(struct fixture *f, int64_t t0, int64_t t1)
{
    uint64_t applied;
    return pl_tenant_touched(f->t, t0, t1, &applied);
}

static uint64_t applied(struct fixture *f)
{
    uint64_t a = 0;
    pl_tenant_touched(f->t, 0, 0, &a);
    return a;
}

/* Samples of series 0 in one batch; its number. */
static uint64_t write_times(struct fixture *f, const int64_t *t, size_t n)
{
    struct waited w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, 0};
    struct pl_batch *b;
    uint32_t id;
    assert_int_equal(pl_batch_new(f->t, &b), 0);
    assert_true(intern(f->t, 0, &id) >= 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pl_batch_add(b, id, t[i], (double)i), 0);
    }
    b->user = &w;
    pl_batch_write(b, waited_done);
    pthread_mutex_lock(&w.lock);
    while (!w.done) {
        pthread_cond_wait(&w.cond, &w.lock);
    }
    pthread_mutex_unlock(&w.lock);
    assert_int_equal(w.err, 0);
    return w.seq;
}

TEST(nothing_is_touched_before_anything_is_written)
{
    struct fixture f;
    fixture_begin(&f);
    fixture_open(&f);
    assert_int_equal(touched(&f, INT64_MIN, INT64_MAX), 0);
    assert_int_equal(touched(&f, NOW_MS, NOW_MS), 0);
    fixture_end(&f);
}

TEST(a_write_touches_its_minutes_and_no_other)
{
    struct fixture f;
    fixture_begin(&f);
    fixture_open(&f);
    int64_t at = NOW_MS / MINUTE * MINUTE;
    uint64_t a = write_times(&f, (int64_t[]){at - HOUR, at}, 2);
    assert_true(a > 0);
    assert_true(applied(&f) >= a);
    assert_int_equal(touched(&f, at, at), a);
    assert_int_equal(touched(&f, at - HOUR, at - HOUR), a);
    assert_int_equal(touched(&f, at - HOUR + MINUTE, at - 1), 0);
    assert_int_equal(touched(&f, at + MINUTE, INT64_MAX), a); /* a whole ring: all of it */
    assert_int_equal(touched(&f, at + MINUTE, at + DAY), 0);
    assert_int_equal(touched(&f, INT64_MIN, at - DAY * 3), 0 + touched(&f, at, at));
    assert_int_equal(touched(&f, at - DAY * 9, at - DAY * 3), 0);
    uint64_t b = write_times(&f, (int64_t[]){at - DAY * 5}, 1);
    assert_true(b > a);
    assert_int_equal(touched(&f, at - DAY * 9, at - DAY * 3), b);
    assert_int_equal(touched(&f, at, at), a);
    assert_int_equal(touched(&f, at, at - 1), 0); /* an empty range */
    fixture_end(&f);
}

/* Truth: for each sample of the past, its time and number. */
TEST(the_number_is_never_too_low_and_exact_by_the_minute_of_late)
{
    enum { N = 3000 };
    static int64_t when[N];
    static uint64_t number[N];
    struct fixture f;
    size_t n = 0;
    int64_t newest = INT64_MIN;
    fixture_begin(&f);
    f.conf.retention_ms = 0;
    fixture_open(&f);
    while (n < N) {
        int64_t t[8];
        size_t k = 1 + rnd(8);
        for (size_t i = 0; i < k; i++) { /* mostly live, some late, some very late or ahead */
            uint32_t kind = rnd(20);
            int64_t now = NOW_MS - (int64_t)(N - n) * 90000;
            t[i] = kind < 14   ? now - rnd(30) * 1000
                   : kind < 17 ? now - rnd(2 * 24 * 60) * MINUTE
                   : kind < 18 ? now - (int64_t)rnd(1500) * DAY
                   : kind < 19 ? now + rnd(60) * MINUTE
                               : (int64_t)rnd(100000) - 50000;
        }
        uint64_t seq = write_times(&f, t, k);
        for (size_t i = 0; i < k && n < N; i++, n++) {
            when[n] = t[i];
            number[n] = seq;
            newest = t[i] > newest ? t[i] : newest;
        }
        if (rnd(200) == 0) {
            assert_int_equal(pl_store_flush(f.s), 0);
        }
        int64_t t0 = rnd(4) ? newest - rnd(5 * 24 * 60) * MINUTE : (int64_t)rnd(100000) - 50000;
        int64_t t1 = rnd(8) ? t0 + rnd(3 * 24 * 60) * 20000ll : INT64_MAX;
        uint64_t truth = 0, coarse = 0;
        int64_t from = t0 - (t0 % MINUTE + MINUTE) % MINUTE;
        for (size_t i = 0; i < n; i++) {
            truth = when[i] >= t0 && when[i] <= t1 && number[i] > truth ? number[i] : truth;
            bool near =
                when[i] >= from && (t1 == INT64_MAX || when[i] < t1 / MINUTE * MINUTE + MINUTE);
            coarse = near && number[i] > coarse ? number[i] : coarse;
        }
        uint64_t said = touched(&f, t0, t1);
        assert_true(said >= truth);
        if (t0 > newest - DAY && t1 < newest + HOUR) {
            assert_int_equal(said, coarse);
        }
    }
    fixture_end(&f);
}

TEST(while_a_deletion_waits_what_is_computed_counts_as_before_it)
{
    struct fixture f;
    struct pl_selector sel = select_all();
    uint64_t n;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    put(&f, 1, NOW_MS - DAY * 6, 1);
    assert_int_equal(pl_store_flush(f.s), 0);
    uint64_t before = applied(&f);
    atomic_store(&f.memory->erase_error, PL_EIO);
    assert_int_equal(pl_store_erase(f.t, &sel, 1, NOW_MS - HOUR, NOW_MS, &n), PL_EIO);
    uint64_t meanwhile = applied(&f);
    assert_true(touched(&f, NOW_MS - MINUTE, NOW_MS) > meanwhile);
    put(&f, 2, NOW_MS - DAY * 6,
        1); /* by now its frame has been applied, and still does not count */
    meanwhile = applied(&f);
    assert_true(touched(&f, NOW_MS - MINUTE, NOW_MS) > meanwhile);
    put(&f, 2, NOW_MS - DAY * 6 + 1, 1);
    assert_int_equal(applied(&f), meanwhile);
    assert_true(touched(&f, NOW_MS - DAY, NOW_MS - 2 * HOUR) <= before);
    assert_int_equal(n_samples(&f), 4); /* it is not in force */
    atomic_store(&f.memory->erase_error, 0);
    assert_int_equal(pl_store_flush(f.s), 0);
    assert_int_equal(n_samples(&f), 3);
    assert_true(touched(&f, NOW_MS - MINUTE, NOW_MS) <= applied(&f));
    assert_true(applied(&f) > meanwhile);
    fixture_end(&f);
}

TEST(a_replay_touches_what_it_brings_back)
{
    struct fixture f;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    fixture_crash(&f);
    fixture_open(&f);
    assert_true(touched(&f, NOW_MS, NOW_MS) > 0);
    assert_true(touched(&f, NOW_MS, NOW_MS) <= applied(&f));
    fixture_end(&f);
}

TEST(the_catalogue_moves_with_new_series_only)
{
    struct fixture f;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    uint64_t one = pl_tenant_catalogue(f.t);
    assert_true(one > 0);
    put(&f, 1, NOW_MS + 1, 1);
    assert_int_equal(pl_tenant_catalogue(f.t), one);
    put(&f, 2, NOW_MS + 1, 1);
    assert_true(pl_tenant_catalogue(f.t) > one);
    fixture_end(&f);
}

/* ------------------------------------------------------------------------------------- threads */

struct race {
    struct fixture f;
    atomic_bool stop;
    atomic_uint wrong, checked, errors;
};

static void *write_late(void *arg)
{
    struct race *r = arg;
    uint64_t x = 7;
    /* Readers that got no processor meanwhile are waited for. */
    for (int k = 0; k < 600 || (k < 100000 && atomic_load(&r->checked) == 0); k++) {
        struct pl_batch *b;
        uint32_t id;
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        /* A time of its own each, so that the number of samples only grows. */
        int64_t t = NOW_MS - (int64_t)(x >> 33) % 50 * HOUR - k;
        if (pl_batch_new(r->f.t, &b) < 0) {
            continue;
        }
        if (intern(r->f.t, (uint32_t)k % 5, &id) < 0 || pl_batch_add(b, id, t, 1) < 0 ||
            write_wait(b) < 0) {
            atomic_fetch_add(&r->errors, 1);
        }
    }
    atomic_store(&r->stop, true);
    return NULL;
}

static size_t count_in(struct race *r, int64_t t0, int64_t t1)
{
    struct pl_selector sel = select_all();
    struct pl_select *s;
    struct pl_reader *rd;
    struct pl_columns c = {0};
    size_t n = 0;
    if (pl_select_new(r->f.t, &sel, 1, t0, t1, 0, &s) < 0) {
        return SIZE_MAX;
    }
    if (pl_reader_new(s, &rd) >= 0) {
        for (size_t i = 0; i < pl_select_count(s); i++) {
            n += pl_reader_read(rd, i, t0, t1, 0, &c) >= 0 ? c.n : 0;
        }
        pl_reader_free(rd);
    }
    pl_columns_fini(&c);
    pl_select_free(s);
    return n;
}

static void *ask(void *arg)
{
    struct race *r = arg;
    for (int64_t h = 0; !atomic_load(&r->stop); h = (h + 7) % 50) {
        uint64_t number;
        int64_t t0 = NOW_MS - (h + 3) * HOUR, t1 = NOW_MS - h * HOUR;
        pl_tenant_touched(r->f.t, t0, t1, &number);
        size_t kept = count_in(r, t0, t1);
        for (int i = 0; i < 4; i++) {
            size_t now = count_in(r, t0, t1);
            if (pl_tenant_touched(r->f.t, t0, t1, NULL) <= number) {
                atomic_fetch_add(&r->checked, 1);
                atomic_fetch_add(&r->wrong, now != kept);
            }
        }
    }
    return NULL;
}

TEST(what_is_said_to_be_untouched_has_not_changed_while_many_write)
{
    static struct race r;
    pthread_t w, readers[2];
    memset(&r, 0, sizeof r);
    select_all();
    fixture_begin(&r.f);
    r.f.conf.head_max_bytes = 4000; /* flushes all the time */
    fixture_open(&r.f);
    assert_int_equal(pl_thread_start(&w, "writer", write_late, &r), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pl_thread_start(&readers[i], "ask", ask, &r), 0);
    }
    pthread_join(w, NULL);
    for (int i = 0; i < 2; i++) {
        pthread_join(readers[i], NULL);
    }
    assert_int_equal(atomic_load(&r.wrong), 0);
    assert_int_equal(atomic_load(&r.errors), 0);
    assert_true(atomic_load(&r.checked) > 0);
    fixture_end(&r.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_touched_before_anything_is_written),
        cmocka_unit_test(a_write_touches_its_minutes_and_no_other),
        cmocka_unit_test(the_number_is_never_too_low_and_exact_by_the_minute_of_late),
        cmocka_unit_test(while_a_deletion_waits_what_is_computed_counts_as_before_it),
        cmocka_unit_test(a_replay_touches_what_it_brings_back),
        cmocka_unit_test(the_catalogue_moves_with_new_series_only),
        cmocka_unit_test(what_is_said_to_be_untouched_has_not_changed_while_many_write),
    };
    return cmocka_run_group_tests_name("store/touched", tests, NULL, NULL);
}
