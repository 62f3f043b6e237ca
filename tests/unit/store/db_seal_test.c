/* When days are merged, and flushes and erases beside a merge. */
#include "tests/unit/store/engine_place.h"

static int open_lmdb(const char *dir, const struct pl_clock *clock, struct pl_engine **out)
{
    char why[256];
    struct pl_engine_conf conf = {.dir = dir, .clock = clock};
    return pl_lmdb_open(&conf, out, why, sizeof why);
}

static const struct engine_under_test lmdb = {open_lmdb};

static void flush_some(struct place *p, struct rows *x, int64_t t, int n)
{
    size_t from = x->n;
    for (uint32_t id = 0; id < 5; id++) {
        for (int i = 0; i < n; i++) {
            uint64_t h = pl_hash64(&t, sizeof t, id * 100000u + (uint64_t)i);
            rows_add(x, id, t + i, pl_bits_f64(h >> 2));
        }
    }
    assert_int_equal(rows_flush(p->t, p->e, x, from), 0);
}

static uint64_t runs(struct place *p)
{
    struct pl_engine_stats st;
    assert_int_equal(p->e->ops->stats(p->t, &st), 0);
    return st.n_runs;
}

static uint64_t seal_what_pays(struct place *p)
{
    assert_int_equal(p->e->ops->seal(p->t, false, NULL, NULL), 0);
    return runs(p);
}

TEST(a_day_that_goes_on_is_merged_when_it_has_many_runs)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    for (int i = 0; i < 32; i++) {
        flush_some(&p, &m.rows, T0 + i * 1000, 3);
    }
    assert_int_equal(seal_what_pays(&p), 32);
    flush_some(&p, &m.rows, T0 + 99000, 3);
    assert_int_equal(seal_what_pays(&p), 1);
    same_as_model(&p, &m, 5, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

TEST(a_day_that_is_over_is_merged_and_late_samples_leave_a_large_run_alone)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    flush_some(&p, &m.rows, T0, 20000);
    flush_some(&p, &m.rows, T0 + 30000, 3);
    assert_int_equal(seal_what_pays(&p), 2);
    p.manual.ms = T0 + DAY + 2 * 3600000;
    assert_int_equal(seal_what_pays(&p), 1);
    assert_int_equal(seal_what_pays(&p), 1);
    flush_some(&p, &m.rows, T0 + 40000, 3);
    assert_int_equal(seal_what_pays(&p), 2); /* sealed alone: the old one is much larger */
    flush_some(&p, &m.rows, T0 + 50000, 3);
    assert_int_equal(seal_what_pays(&p), 2);
    same_as_model(&p, &m, 5, INT64_MIN, INT64_MAX);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    assert_int_equal(runs(&p), 1);
    same_as_model(&p, &m, 5, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

TEST(a_tombstone_has_the_days_it_hits_rewritten_and_no_others)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    flush_some(&p, &m.rows, T0 - 2 * DAY, 10);
    flush_some(&p, &m.rows, T0 - DAY, 10);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    struct pl_engine_stats before, after;
    assert_int_equal(p.e->ops->stats(p.t, &before), 0);
    const uint32_t ids[] = {2, 77};
    assert_int_equal(p.e->ops->erase(p.t, ids, 2, T0 - DAY, T0 - DAY + 4, m.rows.seq), 0);
    m.erased[m.n_erased++] = (struct erased){2, T0 - DAY, T0 - DAY + 4, m.rows.seq};
    assert_int_equal(seal_what_pays(&p), 2);
    same_as_model(&p, &m, 5, INT64_MIN, INT64_MAX);
    assert_int_equal(p.e->ops->stats(p.t, &after), 0);
    assert_int_equal(after.n_samples, before.n_samples - 5);
    /* all of a day: nothing is left of it */
    const uint32_t all[] = {0, 1, 2, 3, 4};
    assert_int_equal(p.e->ops->erase(p.t, all, 5, T0 - DAY, T0, m.rows.seq), 0);
    assert_int_equal(seal_what_pays(&p), 1);
    free(m.rows.r);
    place_end(&p);
}

struct sealer {
    struct place *p;
    _Atomic bool stop;
    _Atomic int err, rounds;
};

static void *seal_on(void *arg)
{
    struct sealer *s = arg;
    while (!s->stop && s->err == 0) {
        s->err = s->p->e->ops->seal(s->p->t, s->rounds++ % 2 == 0, NULL, NULL);
    }
    return NULL;
}

TEST(flushes_and_erases_go_on_while_days_are_merged)
{
    struct place p;
    struct model m = {0};
    struct sealer s = {.p = &p};
    pthread_t thread;
    uint64_t rnd = 4711;
    place_begin(&p);
    assert_int_equal(pl_thread_start(&thread, "sealer", seal_on, &s), 0);
    for (int round = 0; round < 60; round++) {
        size_t from = m.rows.n;
        for (int i = 0; i < 200; i++) {
            uint32_t id = (uint32_t)(next_random(&rnd) % 16);
            rows_add(&m.rows, id, T0 + (int64_t)(next_random(&rnd) % (2 * DAY) / 200000 * 200000),
                     (double)(next_random(&rnd) % 1000));
        }
        assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
        if (round % 7 == 3) {
            uint32_t id = (uint32_t)round % 16;
            uint64_t seq = m.rows.seq;
            assert_int_equal(p.e->ops->erase(p.t, &id, 1, T0 + DAY / 4, T0 + DAY, seq), 0);
            m.erased[m.n_erased++] = (struct erased){id, T0 + DAY / 4, T0 + DAY, seq};
        }
    }
    s.stop = true;
    pthread_join(thread, NULL);
    assert_int_equal(s.err, 0);
    assert_true(s.rounds > 0);
    same_as_model(&p, &m, 16, INT64_MIN, INT64_MAX);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    same_as_model(&p, &m, 16, INT64_MIN, INT64_MAX);
    assert_int_equal(runs(&p), 2);
    free(m.rows.r);
    place_end(&p);
}

int main(void)
{
    engine_conformance = &lmdb;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_that_goes_on_is_merged_when_it_has_many_runs),
        cmocka_unit_test(a_day_that_is_over_is_merged_and_late_samples_leave_a_large_run_alone),
        cmocka_unit_test(a_tombstone_has_the_days_it_hits_rewritten_and_no_others),
        cmocka_unit_test(flushes_and_erases_go_on_while_days_are_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
