/* A process killed at any step of a flush, a sealing, an erase or a removal: the next one finds the
 * state before or after it, whole, and nothing left lying about. */
/* faults */
#include "tests/unit/store/engine_place.h"
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

static int open_lmdb(const char *dir, const struct pl_clock *clock, struct pl_engine **out)
{
    char why[256];
    struct pl_engine_conf conf = {.dir = dir, .clock = clock};
    return pl_lmdb_open(&conf, out, why, sizeof why);
}

static const struct engine_under_test lmdb = {open_lmdb};

#define N_IDS 40

/** Two days, three flushes. */
static void fill(struct place *p, struct rows *x)
{
    for (int round = 0; round < 3; round++) {
        size_t from = x->n;
        for (uint32_t id = 0; id < N_IDS; id++) {
            rows_add(x, id, T0 + round * 1000, round);
            rows_add(x, id, T0 - DAY + round * 1000, round);
        }
        assert_int_equal(rows_flush(p->t, p->e, x, from), 0);
    }
}

/** Directories of partitions, and what else begins like one. */
static size_t count_dirs(const struct place *p)
{
    char path[160];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/default", p->dir);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        n += strncmp(e->d_name, "hot-", 4) == 0 || strncmp(e->d_name, "sealed-", 7) == 0 ||
             strncmp(e->d_name, "tmp-", 4) == 0;
    }
    closedir(d);
    return n;
}

/** Run `act` in a child that dies at the fault; false when it came through. */
static bool dies(struct place *p, struct rows *x, const char *fault,
                 void (*act)(struct place *p, struct rows *x))
{
    p->e->ops->close(p->e);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        place_open(p);
        pl_fault_set(fault);
        act(p, x);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    place_open(p);
    return WIFSIGNALED(status);
}

static void flush_two_days(struct place *p, struct rows *x)
{
    struct rows more = {.seq = x->seq};
    for (uint32_t id = 0; id < N_IDS; id++) {
        rows_add(&more, id, T0 + 77000, 7);
        rows_add(&more, id, T0 - DAY + 77000, 7);
    }
    rows_flush(p->t, p->e, &more, 0);
    free(more.r);
}

static void seal_all(struct place *p, struct rows *x)
{
    (void)x;
    p->e->ops->seal(p->t, true, NULL, NULL);
}

static void retain_today(struct place *p, struct rows *x)
{
    (void)x;
    p->e->ops->retain(p->t, T0);
}

TEST(a_flush_that_is_killed_counts_whole_or_not_at_all)
{
    const char *faults[] = {"flush.commit=kill@1", "flush.commit=kill@2", "flush.commit=kill@3",
                            "flush.commit=kill@4", "flush.catalogue=kill"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct place p;
        struct model m = {0};
        place_begin(&p);
        fill(&p, &m.rows);
        assert_true(dies(&p, &m.rows, faults[i], flush_two_days));
        assert_int_equal(p.e->ops->flushed_seq(p.t), 3);
        same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
        flush_two_days(&p, &m.rows);
        assert_int_equal(p.e->ops->flushed_seq(p.t), 4);
        assert_int_equal(count_samples(&p, N_IDS), m.rows.n + 2 * N_IDS);
        assert_int_equal(count_dirs(&p), 2);
        place_reopen(&p);
        assert_int_equal(count_samples(&p, N_IDS), m.rows.n + 2 * N_IDS);
        assert_int_equal(pl_lmdb_check(p.dir, NULL, NULL, NULL), 0);
        free(m.rows.r);
        place_end(&p);
    }
}

TEST(the_first_flush_of_a_day_that_is_killed_leaves_no_directory)
{
    struct place p;
    struct rows x = {0};
    place_begin(&p);
    assert_true(dies(&p, &x, "flush.catalogue=kill", flush_two_days));
    assert_int_equal(count_dirs(&p), 0);
    assert_int_equal(count_samples(&p, N_IDS), 0);
    flush_two_days(&p, &x);
    assert_int_equal(count_samples(&p, N_IDS), 2 * N_IDS);
    place_end(&p);
}

TEST(a_sealing_that_is_killed_loses_nothing)
{
    const char *faults[] = {"seal.write=kill@1",  "seal.write=kill@2",    "seal.write=kill@3",
                            "seal.sync=kill@1",   "seal.sync=kill@2",     "seal.rename=kill@1",
                            "seal.rename=kill@2", "seal.manifest=kill@1", "seal.manifest=kill@2",
                            "erase.done=kill"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct place p;
        struct model m = {0};
        place_begin(&p);
        fill(&p, &m.rows);
        const uint32_t id = 4;
        assert_int_equal(p.e->ops->erase(p.t, &id, 1, T0, T0 + 1000, m.rows.seq), 0);
        m.erased[m.n_erased++] = (struct erased){id, T0, T0 + 1000, m.rows.seq};
        assert_true(dies(&p, &m.rows, faults[i], seal_all));
        same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
        assert_int_equal(count_dirs(&p), 2);
        assert_int_equal(pl_lmdb_check(p.dir, NULL, NULL, NULL), 0);
        assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
        same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
        struct pl_engine_stats st;
        assert_int_equal(p.e->ops->stats(p.t, &st), 0);
        assert_int_equal(st.n_samples, m.rows.n - 2);
        assert_int_equal(st.n_runs, 2);
        free(m.rows.r);
        place_end(&p);
    }
}

TEST(a_removal_that_is_killed_is_done_again)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    fill(&p, &m.rows);
    assert_true(dies(&p, &m.rows, "retain.manifest=kill", retain_today));
    same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
    retain_today(&p, &m.rows);
    m.cutoff = T0;
    same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
    assert_int_equal(count_dirs(&p), 1);
    free(m.rows.r);
    place_end(&p);
}

TEST(a_flush_that_fails_counts_not_and_the_next_one_does)
{
    const struct {
        const char *fault;
        int err;
    } cases[] = {{"flush.commit=ENOSPC@1", PL_ENOSPC},
                 {"flush.commit=ENOSPC@3", PL_ENOSPC},
                 {"flush.commit=EIO@2", PL_EIO},
                 {"flush.catalogue=ENOSPC", PL_ENOSPC}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct place p;
        struct model m = {0};
        place_begin(&p);
        fill(&p, &m.rows);
        size_t from = m.rows.n;
        for (uint32_t id = 0; id < N_IDS; id++) {
            rows_add(&m.rows, id, T0 + 55000, 1);
            rows_add(&m.rows, id, T0 - DAY + 55000, 1);
        }
        size_t n = m.rows.n;
        for (int tries = 0; tries < 3; tries++) {
            pl_fault_set(cases[i].fault);
            assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), cases[i].err);
            pl_fault_set(NULL);
            m.rows.n = from;
            same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
            m.rows.n = n;
        }
        assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
        same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
        place_reopen(&p);
        same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
        assert_int_equal(pl_lmdb_check(p.dir, NULL, NULL, NULL), 0);
        free(m.rows.r);
        place_end(&p);
    }
}

TEST(a_catalogue_that_cannot_be_synced_takes_no_more)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    fill(&p, &m.rows);
    struct rows more = {.seq = m.rows.seq};
    rows_add(&more, 1, T0 + 1, 1);
    pl_fault_set("flush.catalogue=EREADONLY@1");
    assert_int_equal(rows_flush(p.t, p.e, &more, 0), PL_EREADONLY);
    pl_fault_set(NULL);
    assert_int_equal(rows_flush(p.t, p.e, &more, 0), PL_EREADONLY);
    same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
    free(more.r);
    free(m.rows.r);
    place_end(&p);
}

TEST(a_full_environment_is_followed_by_a_new_one)
{
    struct place p;
    struct model m = {0};
    uint64_t rnd = 7;
    place_begin(&p);
    fill(&p, &m.rows);
    size_t from = m.rows.n;
    for (uint32_t id = 0; id < 30; id++) { /* several batches, a series cut by the move */
        for (int i = 0; i < 60000; i++) {
            rows_add(&m.rows, id, T0 + 100000 + i * 1000, pl_bits_f64(next_random(&rnd) >> 3));
        }
    }
    pl_fault_set("db.full=ENOSPC@2");
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
    pl_fault_set(NULL);
    assert_int_equal(count_dirs(&p), 3);
    assert_int_equal(count_samples(&p, N_IDS), m.rows.n);
    place_reopen(&p);
    assert_int_equal(count_samples(&p, N_IDS), m.rows.n);
    from = m.rows.n;
    rows_add(&m.rows, 3, T0 + 2, 9);
    pl_fault_set("db.full=ENOSPC@1");
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
    pl_fault_set(NULL);
    assert_int_equal(count_samples(&p, N_IDS), m.rows.n);
    assert_int_equal(pl_lmdb_check(p.dir, NULL, NULL, NULL), 0);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    assert_int_equal(count_samples(&p, N_IDS), m.rows.n);
    assert_int_equal(count_dirs(&p), 2);
    free(m.rows.r);
    place_end(&p);
}

TEST(partitions_without_a_catalogue_are_not_taken_for_leftovers)
{
    struct place p;
    struct rows x = {0};
    char path[160];
    place_begin(&p);
    fill(&p, &x);
    p.e->ops->close(p.e);
    snprintf(path, sizeof path, "%s/default/catalogue", p.dir);
    assert_int_equal(pl_path_remove(path), 0);
    assert_int_equal(open_lmdb(p.dir, &p.clock, &p.e), 0);
    assert_int_equal(p.e->ops->tenant(p.e, PL_STR("default"), true, &p.t), PL_ECORRUPT);
    assert_int_equal(count_dirs(&p), 2);
    free(x.r);
    place_end(&p);
}

int main(void)
{
    engine_conformance = &lmdb;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flush_that_is_killed_counts_whole_or_not_at_all),
        cmocka_unit_test(the_first_flush_of_a_day_that_is_killed_leaves_no_directory),
        cmocka_unit_test(a_sealing_that_is_killed_loses_nothing),
        cmocka_unit_test(a_removal_that_is_killed_is_done_again),
        cmocka_unit_test(a_flush_that_fails_counts_not_and_the_next_one_does),
        cmocka_unit_test(a_catalogue_that_cannot_be_synced_takes_no_more),
        cmocka_unit_test(a_full_environment_is_followed_by_a_new_one),
        cmocka_unit_test(partitions_without_a_catalogue_are_not_taken_for_leftovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
