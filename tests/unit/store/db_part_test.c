/* Environments on demand: few are open, all can be read. */
#include "tests/unit/store/engine_place.h"
#include "core/store/db.h"

static int open_lmdb(const char *dir, const struct pl_clock *clock, struct pl_engine **out)
{
    char why[256];
    struct pl_engine_conf conf = {.dir = dir, .clock = clock};
    return pl_lmdb_open(&conf, out, why, sizeof why);
}

static const struct engine_under_test lmdb = {open_lmdb};

TEST(more_days_than_may_be_open_are_read)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    for (int day = 0; day < 12; day++) {
        for (uint32_t id = 0; id < 3; id++) {
            rows_add(&m.rows, id, T0 - day * DAY + id, day);
        }
    }
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, 0), 0);
    struct pl_db_cache *cache = &((struct pl_db *)p.e)->cache;
    assert_int_equal(cache->n_open, 12);
    cache->cap = 3;
    for (int day = 0; day < 12; day++) {
        same_as_model(&p, &m, 3, T0 - day * DAY, T0 - day * DAY + DAY - 1);
        assert_int_equal(cache->n_open, 3);
    }
    same_as_model(&p, &m, 3, INT64_MIN, INT64_MAX); /* all at once: more than the cap, in use */
    assert_int_equal(cache->n_open, 12);
    same_as_model(&p, &m, 3, T0, T0 + DAY);
    assert_int_equal(cache->n_open, 3);
    free(m.rows.r);
    place_end(&p);
}

TEST(keys_sort_as_their_numbers)
{
    uint8_t a[PL_DB_KEY], b[PL_DB_KEY];
    const uint32_t x[] = {0, 1, 255, 256, 65536, 0x80000000u, UINT32_MAX};
    const size_t n = sizeof x / sizeof *x;
    for (size_t i = 0; i < n * n * n; i++) {
        struct pl_db_key k = {x[i / n / n], x[i / n % n], x[i % n]}, got;
        pl__key(a, k.run, k.id, k.piece);
        MDB_val v = {sizeof a, a};
        assert_true(pl__key_get(&v, &got));
        assert_int_equal(got.run, k.run);
        assert_int_equal(got.id, k.id);
        assert_int_equal(got.piece, k.piece);
        if (i) {
            assert_true(memcmp(b, a, sizeof a) < 0);
        }
        memcpy(b, a, sizeof a);
    }
    MDB_val wrong = {PL_DB_KEY - 1, a};
    struct pl_db_key got;
    assert_false(pl__key_get(&wrong, &got));
}

TEST(days_are_cut_at_midnight_utc_before_1970_too)
{
    assert_int_equal(pl__day(0), 0);
    assert_int_equal(pl__day(DAY - 1), 0);
    assert_int_equal(pl__day(DAY), 1);
    assert_int_equal(pl__day(-1), -1);
    assert_int_equal(pl__day(-DAY), -1);
    assert_int_equal(pl__day(-DAY - 1), -2);
    char name[40];
    pl__part_name(name, PL_DB_PART_HOT, 20000, 7);
    assert_string_equal(name, "hot-20241004-000007");
    pl__part_name(name, PL_DB_PART_SEALED, -1, 8);
    assert_string_equal(name, "sealed-19691231-000008");
}

int main(void)
{
    engine_conformance = &lmdb;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_days_than_may_be_open_are_read),
        cmocka_unit_test(keys_sort_as_their_numbers),
        cmocka_unit_test(days_are_cut_at_midnight_utc_before_1970_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
