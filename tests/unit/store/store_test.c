/* The store over the journal and the memory engine: write, read, flush, restart, crash, erase,
 * retention, keys, failures. */
#include "tests/unit/store/store_fixture.h"
#include <sys/stat.h>
#include <time.h>

TEST(what_was_written_is_read_at_once_after_a_flush_and_after_a_restart)
{
    struct fixture f;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1.5);
    put(&f, 2, NOW_MS, 2.5);
    put(&f, 1, NOW_MS - 1000, 0.5);
    assert_int_equal(n_samples(&f), 3);
    assert_int_equal(pl_store_flush(f.s), 0);
    assert_int_equal(atomic_load(&f.memory->writes), 1);
    assert_int_equal(n_samples(&f), 3);
    put(&f, 1, NOW_MS + 1000, 3.5);
    assert_int_equal(n_samples(&f), 4);
    struct pl_store_stats st;
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_true(st.n_series == 2 && st.n_head_samples == 1 && st.n_samples == 3);
    assert_true(st.t_min == NOW_MS - 1000 && st.t_max == NOW_MS + 1000);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(n_samples(&f), 4);
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_int_equal(st.n_head_samples, 0); /* a clean stop flushes */
    assert_int_equal(read_all(&f, NOW_MS, NOW_MS, NULL, NULL), 2);
    assert_int_equal(read_all(&f, NOW_MS + 1, NOW_MS + 1000, NULL, NULL), 1);
    fixture_end(&f);
}

TEST(what_was_acknowledged_is_there_after_a_crash)
{
    struct fixture f;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    assert_int_equal(pl_store_flush(f.s), 0);
    put(&f, 1, NOW_MS + 1, 2);
    put(&f, 2, NOW_MS + 1, 2);
    fixture_crash(&f);
    fixture_open(&f);
    assert_int_equal(n_samples(&f), 3);
    put(&f, 3, NOW_MS + 2, 3); /* ids go on behind those that were given */
    put(&f, 2, NOW_MS + 2, 3);
    assert_int_equal(n_samples(&f), 5);
    fixture_crash(&f);
    fixture_open(&f);
    assert_int_equal(n_samples(&f), 5);
    fixture_end(&f);
}

TEST(a_second_server_on_the_directory_is_refused_with_a_reason)
{
    struct fixture f;
    struct pl_store *other;
    char why[256];
    fixture_begin(&f);
    fixture_open(&f);
    assert_int_equal(pl_store_open(&f.conf, &other, why, sizeof why), PL_EBUSY);
    assert_non_null(strstr(why, "another process"));
    fixture_end(&f);
}

TEST(samples_outside_the_time_limits_are_refused_one_by_one)
{
    struct fixture f;
    struct pl_batch *b;
    uint32_t id;
    fixture_begin(&f);
    f.conf.max_batch_partitions = 3;
    fixture_open(&f);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(intern(f.t, 1, &id), 1);
    assert_int_equal(intern(f.t, 1, &id), 0);
    int64_t day = 24 * 3600 * 1000, oldest = (NOW_MS - f.conf.retention_ms) / day * day;
    assert_int_equal(pl_batch_add(b, id, oldest - 1, 1), PL_ETOOOLD);
    assert_int_equal(pl_batch_add(b, id, NOW_MS + f.conf.future_limit_ms + 1, 1), PL_EFUTURE);
    assert_int_equal(pl_batch_add(b, id, oldest, 1), 0);
    assert_int_equal(pl_batch_add(b, id, NOW_MS + f.conf.future_limit_ms, 1), 0);
    assert_int_equal(write_wait(b), 0);
    assert_int_equal(n_samples(&f), 2);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pl_batch_add(b, id, NOW_MS - i * 24 * 3600 * 1000ll, 1), 0);
    }
    assert_int_equal(write_wait(b), PL_ELIMIT);
    assert_int_equal(n_samples(&f), 2);
    assert_int_equal(pl_batch_new(f.t, &b), 0); /* an empty batch is fine */
    assert_int_equal(write_wait(b), 0);
    fixture_end(&f);
}

TEST(tenants_are_apart_and_their_numbers_survive)
{
    struct fixture f;
    struct pl_tenant *a, *none;
    fixture_begin(&f);
    f.conf.max_tenants = 3;
    fixture_open(&f);
    const char *bad[] = {"", ".", "..", "a/b", "a b", "\xc3\xa4"};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(pl_store_tenant(f.s, pl_str_c(bad[i]), true, &none), PL_EINVAL);
    }
    assert_int_equal(pl_store_tenant(f.s, PL_STR("team-a"), false, &none), PL_ENOTFOUND);
    assert_int_equal(pl_store_tenant(f.s, PL_STR("unused"), true, &a), 0);
    assert_int_equal(pl_store_tenant(f.s, PL_STR("team-a"), true, &a), 0);
    assert_int_equal(pl_store_tenant(f.s, PL_STR("one.more"), true, &none), PL_ELIMIT);
    put(&f, 1, NOW_MS, 1);
    struct pl_tenant *home = f.t;
    f.t = a;
    put(&f, 1, NOW_MS, 2);
    put(&f, 2, NOW_MS, 2);
    assert_int_equal(n_samples(&f), 2);
    f.t = home;
    assert_int_equal(n_samples(&f), 1);
    for (int round = 0; round < 3; round++) {
        if (round == 1) {
            assert_int_equal(pl_store_flush(f.s), 0);
        }
        fixture_crash(&f);
        fixture_open(&f);
        assert_int_equal(n_samples(&f), 1);
        assert_int_equal(pl_store_tenant(f.s, PL_STR("team-a"), false, &f.t), 0);
        assert_int_equal(n_samples(&f), 2);
        assert_int_equal(pl_store_tenants(f.s, NULL, NULL), 3);
    }
    fixture_end(&f);
}

TEST(a_damaged_list_of_tenants_is_read_from_its_copy_and_refused_without_one)
{
    struct fixture f;
    char path[128], copy[140], why[256];
    struct pl_buf text = PL_BUF_INIT;
    fixture_begin(&f);
    fixture_open(&f);
    fixture_close(&f);
    snprintf(path, sizeof path, "%s/TENANTS", f.dir);
    assert_int_equal(pl_file_read(path, 4096, &text), 0);
    for (size_t i = 0; i < text.n; i += 7) {
        text.p[i] ^= 4;
        assert_int_equal(pl_file_replace(path, text.p, text.n), 0);
        fixture_open(&f);
        fixture_close(&f);
        snprintf(copy, sizeof copy, "%s.copy", path);
        assert_int_equal(pl_file_replace(copy, text.p, text.n), 0);
        assert_int_equal(pl_store_open(&f.conf, &f.s, why, sizeof why), PL_ECORRUPT);
        assert_non_null(strstr(why, "TENANTS"));
        text.p[i] ^= 4;
        assert_int_equal(pl_file_replace(copy, text.p, text.n), 0);
        text.p[i] ^= 4;
        text.p[i] ^= 4;
    }
    assert_int_equal(pl_file_replace(path, text.p, text.n), 0);
    fixture_open(&f);
    pl_buf_fini(&text);
    fixture_end(&f);
}

TEST(numbers_go_on_behind_the_engine_when_the_journal_is_lost)
{
    struct fixture f;
    char path[128];
    fixture_begin(&f);
    fixture_open(&f);
    for (int i = 0; i < 20; i++) {
        put(&f, 1, NOW_MS + i, i);
    }
    fixture_close(&f);
    snprintf(path, sizeof path, "%s/journal", f.dir);
    assert_int_equal(pl_path_remove(path), 0);
    fixture_open(&f);
    assert_int_equal(n_samples(&f), 20);
    put(&f, 1, NOW_MS, -1); /* must count above what was flushed, and survive */
    fixture_crash(&f);
    fixture_open(&f);
    struct pl_selector sel = select_all();
    struct pl_select *s;
    struct pl_reader *r;
    struct pl_columns c = {0};
    assert_int_equal(pl_select_new(f.t, &sel, 1, NOW_MS, NOW_MS, 0, &s), 0);
    assert_int_equal(pl_reader_new(s, &r), 0);
    assert_int_equal(pl_reader_read(r, 0, NOW_MS, NOW_MS, 0, &c), 0);
    assert_true(c.n == 1 && c.v[0] == -1);
    pl_columns_fini(&c);
    pl_reader_free(r);
    pl_select_free(s);
    fixture_end(&f);
}

/* ------------------------------------------------------------------------------------ erase, age
 */

TEST(an_erasure_is_in_force_when_it_returns_and_stays_so)
{
    struct fixture f;
    uint64_t n;
    fixture_begin(&f);
    fixture_open(&f);
    for (uint32_t i = 0; i < 10; i++) {
        for (int k = 0; k < 10; k++) {
            put(&f, i, NOW_MS + k, k);
        }
    }
    struct pl_selector sel = select_all();
    assert_int_equal(pl_store_erase(f.t, &sel, 1, NOW_MS + 2, NOW_MS + 4, &n), 0);
    assert_int_equal(n, 10);
    assert_int_equal(n_samples(&f), 70);
    put(&f, 3, NOW_MS + 3, 33); /* written after it: stays */
    assert_int_equal(n_samples(&f), 71);
    fixture_crash(&f);
    fixture_open(&f);
    assert_int_equal(n_samples(&f), 71);
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(n_samples(&f), 71);
    assert_int_equal(pl_store_erase(f.t, &sel, 1, 5, 4, &n), PL_EINVAL);
    fixture_end(&f);
}

TEST(an_erasure_that_the_engine_refuses_is_repeated_until_it_is_done)
{
    struct fixture f;
    uint64_t n;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    put(&f, 1, NOW_MS + 1, 1);
    atomic_store(&f.memory->erase_error, PL_ENOSPC);
    struct pl_selector sel = select_all();
    assert_int_equal(pl_store_erase(f.t, &sel, 1, NOW_MS, NOW_MS, &n), PL_ENOSPC);
    put(&f, 1, NOW_MS, 2); /* a later sample at an erased time is not erased */
    fixture_crash(&f);
    fixture_open(&f);
    assert_int_equal(n_samples(&f), 2);
    assert_int_equal(pl_store_flush(f.s), 0);
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(n_samples(&f), 2);
    struct pl_store_stats st;
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_int_equal(st.n_samples, 2);
    fixture_end(&f);
}

TEST(nothing_older_than_the_retention_is_read_and_series_without_samples_end)
{
    struct fixture f;
    uint32_t before, after;
    const int64_t day = 24 * 3600 * 1000;
    fixture_begin(&f);
    fixture_open(&f);
    for (uint32_t i = 0; i < 100; i++) {
        put(&f, i, NOW_MS - (i < 90 ? 29 * day : 0), i);
    }
    uint32_t generation = pl_tenant_generation(f.t);
    assert_int_equal(intern(f.t, 5, &before), 0);
    atomic_fetch_add(&f.hand.ms, 2 * day);
    assert_int_equal(n_samples(&f), 10); /* also while they lie in the head */
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(n_samples(&f), 10);
    assert_int_not_equal(pl_tenant_generation(f.t), generation);
    struct pl_store_stats st;
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_int_equal(st.n_series, 10);
    assert_int_equal(st.n_samples, 10);
    struct pl_batch *b;
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(intern(f.t, 5, &after), 1); /* it begins anew, under a new id */
    assert_int_not_equal(before, after);
    assert_int_equal(pl_batch_add(b, after, NOW_MS + 2 * day, 5), 0);
    assert_int_equal(write_wait(b), 0);
    assert_int_equal(n_samples(&f), 11);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(n_samples(&f), 11);
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_int_equal(st.n_series, 11);
    fixture_end(&f);
}

TEST(a_series_that_a_batch_in_flight_carries_does_not_end)
{
    struct fixture f;
    struct pl_batch *b;
    uint32_t id, again;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(intern(f.t, 2, &id), 1);
    assert_int_equal(pl_store_compact(f.s), 0); /* 2 has no samples yet, but b lives */
    assert_int_equal(intern(f.t, 2, &again), 0);
    assert_int_equal(id, again);
    assert_int_equal(pl_batch_add(b, id, NOW_MS, 2), 0);
    assert_int_equal(write_wait(b), 0);
    assert_int_equal(pl_store_compact(f.s), 0); /* the round ends; both live */
    assert_int_equal(n_samples(&f), 2);
    struct pl_store_stats st;
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_int_equal(st.n_series, 2);
    fixture_end(&f);
}

/* -------------------------------------------------------------------------------- flush, failures
 */

TEST(the_head_is_flushed_when_it_is_old_by_the_clock)
{
    struct fixture f;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    atomic_fetch_add(&f.hand.ms, f.conf.flush_interval_ms + 1);
    for (int i = 0; i < 5000 && atomic_load(&f.memory->writes) == 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    assert_int_equal(atomic_load(&f.memory->writes), 1);
    fixture_end(&f);
}

TEST(the_head_is_flushed_when_it_is_large)
{
    struct fixture f;
    fixture_begin(&f);
    f.conf.head_max_bytes = 100000;
    fixture_open(&f);
    struct pl_batch *b;
    uint32_t id;
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(intern(f.t, 1, &id), 1);
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(pl_batch_add(b, id, NOW_MS + i, i), 0);
    }
    assert_int_equal(write_wait(b), 0);
    for (int i = 0; i < 5000 && atomic_load(&f.memory->writes) == 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    assert_int_equal(atomic_load(&f.memory->writes), 1);
    assert_int_equal(n_samples(&f), 20000);
    fixture_end(&f);
}

TEST(a_flush_that_fails_keeps_everything_readable_and_is_repeated)
{
    struct fixture f;
    fixture_begin(&f);
    f.conf.head_max_bytes = 20000;
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    atomic_store(&f.memory->write_error, PL_ENOSPC);
    assert_int_equal(pl_store_flush(f.s), PL_ENOSPC);
    put(&f, 1, NOW_MS, 2);
    put(&f, 2, NOW_MS, 2);
    assert_int_equal(n_samples(&f), 2);
    struct pl_batch *b;
    uint32_t id;
    int rc = 0; /* memory stays bounded: writes are refused in the end */
    for (int k = 0; k < 1000 && rc == 0; k++) {
        rc = pl_batch_new(f.t, &b);
        if (rc == 0) {
            assert_int_equal(intern(f.t, 3, &id) >= 0, true);
            for (int i = 0; i < 100; i++) {
                assert_int_equal(pl_batch_add(b, id, NOW_MS + 100 * k + i, i), 0);
            }
            assert_int_equal(write_wait(b), 0);
        }
    }
    assert_int_equal(rc, PL_EBUSY);
    size_t before = n_samples(&f);
    atomic_store(&f.memory->write_error, 0);
    assert_int_equal(pl_store_flush(f.s), 0);
    assert_int_equal(n_samples(&f), before);
    put(&f, 4, NOW_MS, 4);
    fixture_crash(&f);
    fixture_open(&f);
    assert_int_equal(n_samples(&f), before + 1);
    fixture_end(&f);
}

#ifdef PL_FAULTS
TEST(writes_stop_before_the_disk_is_full_and_resume_by_themselves)
{
    struct fixture f;
    struct pl_batch *b;
    fixture_begin(&f);
    f.conf.disk_reserve_bytes = 1;
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    assert_int_equal(pl_fault_set("disk.free=ENOSPC"), 0);
    int rc = 0;
    for (int i = 0; i < 5000 && rc == 0; i++) {
        atomic_fetch_add(&f.hand.ms, 1000);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        rc = pl_batch_new(f.t, &b);
        if (rc == 0) {
            pl_batch_free(b);
        }
    }
    assert_int_equal(rc, PL_ENOSPC);
    assert_int_equal(n_samples(&f), 1);
    pl_fault_set(NULL);
    for (int i = 0; i < 5000 && rc < 0; i++) {
        atomic_fetch_add(&f.hand.ms, 1000);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        rc = pl_batch_new(f.t, &b);
    }
    assert_int_equal(rc, 0);
    pl_batch_free(b);
    fixture_end(&f);
}

TEST(a_failed_sync_makes_the_store_read_only_and_loses_nothing_acknowledged)
{
    struct fixture f;
    struct pl_batch *b;
    uint32_t id;
    fixture_begin(&f);
    f.conf.durability = PL_DURABLE_DISK;
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(intern(f.t, 1, &id), 0);
    assert_int_equal(pl_batch_add(b, id, NOW_MS + 1, 2), 0);
    assert_int_equal(pl_fault_set("journal.sync=EIO"), 0);
    assert_int_equal(write_wait(b), PL_EREADONLY);
    pl_fault_set(NULL);
    assert_int_equal(pl_batch_new(f.t, &b), PL_EREADONLY);
    assert_int_equal(n_samples(&f), 1);
    struct pl_store_stats st;
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_true(st.readonly);
    fixture_end(&f);
}

TEST(a_journal_write_without_space_fails_its_batch_only)
{
    struct fixture f;
    struct pl_batch *b;
    uint32_t id;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(intern(f.t, 2, &id), 1); /* its definition waits for the next group */
    assert_int_equal(pl_batch_add(b, id, NOW_MS + 1, 2), 0);
    assert_int_equal(pl_fault_set("journal.write=ENOSPC"), 0);
    assert_int_equal(write_wait(b), PL_ENOSPC);
    pl_fault_set(NULL);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(pl_batch_add(b, id, NOW_MS + 2, 2), 0);
    assert_int_equal(write_wait(b), 0);
    assert_int_equal(n_samples(&f), 2);
    fixture_crash(&f);
    fixture_open(&f);
    assert_int_equal(n_samples(&f), 2);
    fixture_end(&f);
}
#endif

TEST(a_compaction_makes_way_for_a_flush_and_goes_on)
{
    struct fixture f;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    assert_int_equal(pl_store_flush(f.s), 0);
    put(&f, 1, NOW_MS + 1, 1);
    assert_int_equal(pl_store_compact(f.s), 0);
    struct pl_store_stats st;
    assert_int_equal(pl_store_stats(f.s, &st), 0);
    assert_int_equal(st.n_runs, 1);
    assert_true(atomic_load(&f.memory->seals) >= 1);
    fixture_end(&f);
}

/* ------------------------------------------------------------------------- keys, metadata, hook */

static int idem_write(struct fixture *f, const char *key, int64_t t)
{
    struct pl_batch *b;
    struct pl_buf reply = PL_BUF_INIT;
    struct pl_idem_waiter w = {0};
    uint32_t id;
    int rc = pl_idem_begin(f->t, PL_STR("p"), pl_str_c(key), &w, &reply);
    if (rc == PL_IDEM_NEW) {
        assert_int_equal(pl_batch_new(f->t, &b), 0);
        assert_true(intern(f->t, 1, &id) >= 0);
        assert_int_equal(pl_batch_add(b, id, t, 1), 0);
        assert_int_equal(pl_batch_idem(b, PL_STR("p"), pl_str_c(key), PL_STR("done")), 0);
        assert_int_equal(write_wait(b), 0);
    } else if (rc == PL_IDEM_DONE) {
        assert_true(pl_str_eq(pl_buf_view(&reply), PL_STR("done")));
    }
    pl_buf_fini(&reply);
    return rc;
}

TEST(a_repeated_request_is_known_after_a_crash_and_after_a_restart)
{
    struct fixture f;
    struct pl_batch *b;
    fixture_begin(&f);
    fixture_open(&f);
    assert_int_equal(idem_write(&f, "a", NOW_MS), PL_IDEM_NEW);
    assert_int_equal(idem_write(&f, "a", NOW_MS + 1), PL_IDEM_DONE);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(pl_batch_stream_seq(b, PL_STR("stream"), 1), 0);
    assert_int_equal(write_wait(b), 0);
    fixture_crash(&f);
    fixture_open(&f);
    assert_int_equal(idem_write(&f, "a", NOW_MS + 1), PL_IDEM_DONE);
    assert_int_equal(pl_idem_last(f.t, PL_STR("stream")), 1);
    assert_int_equal(idem_write(&f, "b", NOW_MS + 2), PL_IDEM_NEW);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(idem_write(&f, "a", NOW_MS + 1), PL_IDEM_DONE);
    assert_int_equal(idem_write(&f, "b", NOW_MS + 1), PL_IDEM_DONE);
    assert_int_equal(pl_idem_last(f.t, PL_STR("stream")), 1);
    assert_int_equal(n_samples(&f), 2);
    atomic_fetch_add(&f.hand.ms, 24 * 3600 * 1000 + 1);
    assert_int_equal(idem_write(&f, "a", NOW_MS + 3), PL_IDEM_NEW);
    /* A batch thrown away gives its key back. */
    struct pl_buf reply = PL_BUF_INIT;
    struct pl_idem_waiter w = {0};
    assert_int_equal(pl_idem_begin(f.t, PL_STR("p"), PL_STR("c"), &w, &reply), PL_IDEM_NEW);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(pl_batch_idem(b, PL_STR("p"), PL_STR("c"), PL_STR("")), 0);
    pl_batch_free(b);
    assert_int_equal(pl_idem_begin(f.t, PL_STR("p"), PL_STR("c"), &w, &reply), PL_IDEM_NEW);
    pl_buf_fini(&reply);
    fixture_end(&f);
}

static bool see_help(void *ctx, const struct pl_metadata *m)
{
    snprintf(ctx, 64, "%.*s:%.*s", PL_PRS(m->metric), PL_PRS(m->help));
    return true;
}

TEST(metadata_comes_with_a_batch_and_stays)
{
    struct fixture f;
    struct pl_batch *b;
    char seen[64] = "";
    struct pl_metadata m = {PL_STR("up"), PL_STR(""), PL_STR("help"), PL_TYPE_GAUGE};
    fixture_begin(&f);
    fixture_open(&f);
    assert_int_equal(pl_batch_new(f.t, &b), 0);
    assert_int_equal(pl_batch_metadata(b, &m), 0);
    assert_int_equal(write_wait(b), 0);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(pl_tenant_metadata(f.t, PL_STR_NULL, see_help, seen), 0);
        assert_string_equal(seen, "up:help");
        seen[0] = 0;
        if (round == 0) {
            fixture_crash(&f);
        } else {
            fixture_close(&f);
        }
        fixture_open(&f);
    }
    fixture_end(&f);
}

struct hooked {
    size_t rows, fresh, replayed;
};
static void on_applied(void *ctx, const struct pl_batch *b, uint64_t seq, bool replay)
{
    struct hooked *h = ctx;
    assert_true(seq > 0);
    for (size_t i = 0; i < b->n; i++) {
        h->rows++;
        h->fresh += b->was_new[i / 64] >> (i % 64) & 1;
        h->replayed += replay;
    }
}

TEST(the_hook_sees_every_row_and_which_are_new_live_and_on_replay)
{
    struct fixture f;
    struct hooked h = {0};
    fixture_begin(&f);
    f.conf.applied = on_applied;
    f.conf.ctx = &h;
    fixture_open(&f);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5; i++) {
            put(&f, 1, NOW_MS + i, i);
        }
    }
    assert_int_equal(h.rows, 10);
    assert_int_equal(h.fresh, 5);
    fixture_crash(&f);
    h = (struct hooked){0};
    fixture_open(&f);
    assert_int_equal(h.rows, 10);
    assert_int_equal(h.replayed, 10);
    assert_int_equal(h.fresh, 5);
    fixture_end(&f);
}

static bool count_str(void *ctx, pl_str s)
{
    (void)s;
    ++*(size_t *)ctx;
    return true;
}

TEST(label_names_and_values_are_those_of_series_with_samples_in_the_range)
{
    struct fixture f;
    size_t n = 0;
    fixture_begin(&f);
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    put(&f, 2, NOW_MS + 1000, 1);
    assert_int_equal(pl_tenant_label_names(f.t, NULL, 0, INT64_MIN, INT64_MAX, count_str, &n), 0);
    assert_int_equal(n, 2);
    n = 0;
    assert_int_equal(
        pl_tenant_label_values(f.t, PL_STR("n"), NULL, 0, INT64_MIN, INT64_MAX, count_str, &n), 0);
    assert_int_equal(n, 2);
    n = 0;
    assert_int_equal(
        pl_tenant_label_values(f.t, PL_STR("n"), NULL, 0, NOW_MS + 1, NOW_MS + 2000, count_str, &n),
        0);
    assert_int_equal(n, 1);
    n = 0;
    struct pl_selector sel = select_all();
    assert_int_equal(
        pl_tenant_label_values(f.t, PL_STR("n"), &sel, 1, NOW_MS - 5, NOW_MS + 5, count_str, &n),
        0);
    assert_int_equal(n, 1);
    struct pl_select *s;
    assert_int_equal(pl_select_new(f.t, &sel, 1, INT64_MIN, INT64_MAX, 1, &s), PL_ELIMIT);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_at_once_after_a_flush_and_after_a_restart),
        cmocka_unit_test(what_was_acknowledged_is_there_after_a_crash),
        cmocka_unit_test(a_second_server_on_the_directory_is_refused_with_a_reason),
        cmocka_unit_test(samples_outside_the_time_limits_are_refused_one_by_one),
        cmocka_unit_test(tenants_are_apart_and_their_numbers_survive),
        cmocka_unit_test(a_damaged_list_of_tenants_is_read_from_its_copy_and_refused_without_one),
        cmocka_unit_test(numbers_go_on_behind_the_engine_when_the_journal_is_lost),
        cmocka_unit_test(an_erasure_is_in_force_when_it_returns_and_stays_so),
        cmocka_unit_test(an_erasure_that_the_engine_refuses_is_repeated_until_it_is_done),
        cmocka_unit_test(nothing_older_than_the_retention_is_read_and_series_without_samples_end),
        cmocka_unit_test(a_series_that_a_batch_in_flight_carries_does_not_end),
        cmocka_unit_test(the_head_is_flushed_when_it_is_old_by_the_clock),
        cmocka_unit_test(the_head_is_flushed_when_it_is_large),
        cmocka_unit_test(a_flush_that_fails_keeps_everything_readable_and_is_repeated),
#ifdef PL_FAULTS
        cmocka_unit_test(writes_stop_before_the_disk_is_full_and_resume_by_themselves),
        cmocka_unit_test(a_failed_sync_makes_the_store_read_only_and_loses_nothing_acknowledged),
        cmocka_unit_test(a_journal_write_without_space_fails_its_batch_only),
#endif
        cmocka_unit_test(a_compaction_makes_way_for_a_flush_and_goes_on),
        cmocka_unit_test(a_repeated_request_is_known_after_a_crash_and_after_a_restart),
        cmocka_unit_test(metadata_comes_with_a_batch_and_stays),
        cmocka_unit_test(the_hook_sees_every_row_and_which_are_new_live_and_on_replay),
        cmocka_unit_test(label_names_and_values_are_those_of_series_with_samples_in_the_range),
    };
    return cmocka_run_group_tests_name("store/store", tests, NULL, NULL);
}
