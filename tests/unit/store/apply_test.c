/* Order: the last written of equal timestamps counts, whatever the order of arrival, over flush,
 * compaction, erasure, restart and crash; against a brute-force model, on both engines. And the
 * same with many threads: what is acknowledged is seen by every reader that begins afterwards. */
#include "tests/unit/store/histograms.h"
#include "tests/unit/store/store_fixture.h"
#include <sched.h>
#include <stdatomic.h>

#define SERIES 12
#define TIMES  160
#define STEP   1800000 /* half an hour: a few days in all */

static uint64_t rng;
static uint32_t rnd(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32) % n;
}

struct model {
    struct fixture f;
    bool lmdb;
    bool has[SERIES][TIMES];
    double v[SERIES][TIMES]; /* a boxed one stands for the histogram of that number */
    size_t read;
};

static int64_t time_of(uint32_t k) { return NOW_MS - (TIMES - (int64_t)k) * STEP; }

/** Some series are of histograms, some of both, most of floats. */
static double some_value(uint32_t series)
{
    if (series < 2 || (series == 2 && rnd(2))) {
        return pl_histogram_box(rnd(1000));
    }
    return rnd(4) ? (double)rnd(1000) / 8 : (double)rnd(3);
}

static int add_value(struct pl_batch *b, uint32_t id, int64_t t, double v)
{
    struct made_histogram x;
    if (!pl_is_histogram(v) || histogram_is_plain(pl_histogram_ref(v))) {
        return pl_batch_add(b, id, t, v);
    }
    histogram_make(pl_histogram_ref(v), &x);
    return pl_batch_add_histogram(b, id, t, &x.h);
}

static void write_some(struct model *m)
{
    struct pl_batch *b;
    assert_int_equal(pl_batch_new(m->f.t, &b), 0);
    for (uint32_t n = 1 + rnd(120); n > 0; n--) {
        uint32_t i = rnd(SERIES), k = rnd(TIMES), id;
        double v = some_value(i);
        assert_true(intern(m->f.t, i, &id) >= 0);
        assert_int_equal(add_value(b, id, time_of(k), v), 0);
        m->has[i][k] = true;
        m->v[i][k] = v;
    }
    assert_int_equal(write_wait(b), 0);
}

static void compare(void *ctx, uint32_t series, const struct pl_columns *c)
{
    struct model *m = ctx;
    for (size_t i = 0; i < c->n; i++) {
        int64_t back = (NOW_MS - c->t[i]) / STEP;
        assert_true(back > 0 && back <= TIMES && c->t[i] == NOW_MS - back * STEP);
        uint32_t k = (uint32_t)(TIMES - back);
        assert_true(m->has[series][k]);
        double want = m->v[series][k];
        if (pl_is_histogram(want)) {
            assert_true(is_histogram(pl_columns_histogram(c, c->v[i]), pl_histogram_ref(want)));
        } else {
            assert_true(want == c->v[i]);
        }
        assert_true(i == 0 || c->t[i - 1] < c->t[i]);
    }
    m->read += c->n;
}

static void check_range(struct model *m, uint32_t k0, uint32_t k1)
{
    size_t expected = 0;
    for (uint32_t i = 0; i < SERIES; i++) {
        for (uint32_t k = k0; k <= k1; k++) {
            expected += m->has[i][k];
        }
    }
    m->read = 0;
    read_all(&m->f, time_of(k0), time_of(k1), compare, m);
    assert_int_equal(m->read, expected);
}

static void erase_some(struct model *m)
{
    uint32_t k0 = rnd(TIMES), k1 = k0 + rnd(20);
    char name[16], why[64];
    struct pl_matcher match;
    uint64_t n;
    uint32_t i = rnd(SERIES);
    snprintf(name, sizeof name, "%06u", i);
    assert_int_equal(pl_matcher_init(&match, PL_MATCH_EQ, PL_STR("n"), pl_str_c(name), why, 64), 0);
    struct pl_selector sel = {&match, 1};
    assert_int_equal(pl_store_erase(m->f.t, &sel, 1, time_of(k0), time_of(k1), &n), 0);
    for (uint32_t k = k0; k <= k1 && k < TIMES; k++) {
        m->has[i][k] = false;
    }
    pl_matcher_fini(&match);
}

static void act(struct model *m)
{
    switch (rnd(14)) {
    case 0:
    case 1:
        assert_int_equal(pl_store_flush(m->f.s), 0);
        break;
    case 2:
        assert_int_equal(pl_store_compact(m->f.s), 0);
        break;
    case 3:
        erase_some(m);
        break;
    case 4:
        fixture_close(&m->f);
        fixture_open(&m->f);
        break;
    case 5:
        fixture_crash(&m->f);
        fixture_open(&m->f);
        break;
    default:
        write_some(m);
    }
}

static void property(bool lmdb, uint64_t seed, int rounds)
{
    static struct model m;
    memset(&m, 0, sizeof m);
    rng = seed;
    fixture_begin(&m.f);
    if (lmdb) {
        m.f.conf.engine = NULL;
    }
    fixture_open(&m.f);
    for (int i = 0; i < rounds; i++) {
        act(&m);
        uint32_t k = rnd(TIMES);
        check_range(&m, k, k + rnd(TIMES - k));
        check_range(&m, 0, TIMES - 1);
    }
    fixture_end(&m.f);
}

TEST(the_last_written_counts_over_everything_that_happens_in_memory)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        property(false, seed * 0x9e3779b97f4a7c15ull, 60);
    }
}

TEST(the_last_written_counts_over_everything_that_happens_on_disk)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        property(true, seed * 0xd1342543de82ef95ull, 60);
    }
}

/* ---------------------------------------------------------------------------------- many threads
 */

#define WRITERS 4
#define OWN     8 /* series of a writer */
#define BATCHES 60
#define ROWS    10 /* a series, a batch */

struct race {
    struct fixture f;
    atomic_uint acknowledged[WRITERS]; /* batches */
    atomic_uint errors, writers;
};
struct writer {
    struct race *r;
    unsigned w;
};

/* cmocka's assertions belong to its thread: the others count what is wrong. */
static void *write_thread(void *arg)
{
    struct writer *me = arg;
    struct race *r = me->r;
    for (int k = 0; k < BATCHES; k++) {
        struct pl_batch *b;
        int rc;
        while ((rc = pl_batch_new(r->f.t, &b)) == PL_EBUSY) { /* the head is over its bound */
            sched_yield();
        }
        if (rc < 0) {
            atomic_fetch_add(&r->errors, 1);
            continue;
        }
        for (unsigned i = 0; i < OWN * ROWS; i++) {
            uint32_t id;
            int64_t t = NOW_MS + k * ROWS + i % ROWS;
            if (intern(r->f.t, me->w * OWN + i / ROWS, &id) < 0 ||
                pl_batch_add(b, id, t, (double)t) < 0) {
                atomic_fetch_add(&r->errors, 1);
            }
        }
        if (write_wait(b) < 0) {
            atomic_fetch_add(&r->errors, 1);
        }
        atomic_fetch_add(&r->acknowledged[me->w], 1);
    }
    atomic_fetch_sub(&r->writers, 1);
    return NULL;
}

static void *read_thread(void *arg)
{
    struct race *r = arg;
    struct pl_selector sel = select_all();
    struct pl_columns c = {0};
    while (atomic_load(&r->writers)) {
        unsigned before[WRITERS];
        struct pl_select *s;
        struct pl_reader *rd;
        for (int w = 0; w < WRITERS; w++) {
            before[w] = atomic_load(&r->acknowledged[w]);
        }
        if (pl_select_new(r->f.t, &sel, 1, INT64_MIN, INT64_MAX, 0, &s) < 0) {
            atomic_fetch_add(&r->errors, 1);
            continue;
        }
        if (pl_reader_new(s, &rd) == 0) {
            for (size_t i = 0; i < pl_select_count(s); i++) {
                bool ok = pl_reader_read(rd, i, INT64_MIN, INT64_MAX, 0, &c) == 0 &&
                          c.n >= before[index_of(s, i) / OWN] * ROWS;
                for (size_t k = 0; k < c.n; k++) {
                    ok &= c.v[k] == (double)c.t[k] && c.t[k] == NOW_MS + (int64_t)k;
                }
                atomic_fetch_add(&r->errors, !ok);
            }
            pl_reader_free(rd);
        }
        pl_select_free(s);
    }
    pl_columns_fini(&c);
    return NULL;
}

static void race(bool lmdb)
{
    static struct race r;
    struct writer writers[WRITERS];
    pthread_t th[WRITERS + 2];
    memset(&r, 0, sizeof r);
    select_all(); /* made before there are threads */
    fixture_begin(&r.f);
    if (lmdb) {
        r.f.conf.engine = NULL;
    }
    r.f.conf.head_max_bytes = 60000;
    fixture_open(&r.f);
    atomic_store(&r.writers, WRITERS);
    for (unsigned w = 0; w < WRITERS; w++) {
        writers[w] = (struct writer){&r, w};
        assert_int_equal(pl_thread_start(&th[w], "writer", write_thread, &writers[w]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pl_thread_start(&th[WRITERS + i], "reader", read_thread, &r), 0);
    }
    for (int i = 0; atomic_load(&r.writers); i++) {
        assert_int_equal(i % 4 == 3 ? pl_store_compact(r.f.s) : pl_store_flush(r.f.s), 0);
    }
    for (int i = 0; i < WRITERS + 2; i++) {
        pthread_join(th[i], NULL);
    }
    assert_int_equal(atomic_load(&r.errors), 0);
    const size_t all = (size_t)WRITERS * OWN * BATCHES * ROWS;
    assert_int_equal(n_samples(&r.f), all);
    fixture_crash(&r.f);
    fixture_open(&r.f);
    assert_int_equal(n_samples(&r.f), all);
    fixture_end(&r.f);
}

TEST(readers_see_all_that_was_acknowledged_while_writers_and_flushes_go_on) { race(false); }

TEST(readers_see_all_that_was_acknowledged_on_disk_too) { race(true); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_written_counts_over_everything_that_happens_in_memory),
        cmocka_unit_test(the_last_written_counts_over_everything_that_happens_on_disk),
        cmocka_unit_test(readers_see_all_that_was_acknowledged_while_writers_and_flushes_go_on),
        cmocka_unit_test(readers_see_all_that_was_acknowledged_on_disk_too),
    };
    return cmocka_run_group_tests_name("store/apply", tests, NULL, NULL);
}
