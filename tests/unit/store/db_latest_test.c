/* The latest samples of many series against reading each of them: over several runs, heads, late
 * samples, histograms, tombstones and a compaction. */
#include "tests/unit/store/histograms.h"
#include "tests/unit/store/store_fixture.h"

#define SERIES 700
#define MINUTE 60000ll

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static double value_of(uint64_t x)
{
    return x % 23 == 0   ? pl_bits_f64(0x7ff0000000000002u)
           : x % 19 == 0 ? __builtin_nan("")
           : x % 3 == 0  ? (double)(x % 100000) / 100
                         : (double)(x % 1000);
}

/** A batch of samples between from and to minutes ago: most series in order, some late. */
static void write_some(struct fixture *f, uint64_t *state, int64_t from, int64_t to, unsigned every)
{
    struct pl_batch *b;
    assert_int_equal(pl_batch_new(f->t, &b), 0);
    for (uint32_t i = 0; i < SERIES; i++) {
        uint32_t id;
        if (next(state) % every) {
            continue;
        }
        assert_true(intern(f->t, i, &id) >= 0);
        for (int64_t m = from; m > to; m -= 1 + (int64_t)(next(state) % 3)) {
            uint64_t x = next(state);
            int64_t t = NOW_MS - m * MINUTE + (i % 10 == 0 ? (int64_t)(x % 300000) - 150000 : 0);
            if (i % 50 == 7 && x % 2) {
                struct made_histogram h;
                histogram_make(x % 40, &h);
                assert_int_equal(pl_batch_add_histogram(b, id, t, &h.h), 0);
            } else {
                assert_int_equal(pl_batch_add(b, id, t, value_of(x)), 0);
            }
        }
    }
    assert_int_equal(write_wait(b), 0);
}

/** Compare over [t0, t1]; returns how many were told without reading. */
static size_t compare(struct fixture *f, int64_t t0, int64_t t1)
{
    static struct pl_latest latest[SERIES];
    struct pl_selector sel = select_all();
    struct pl_select *s;
    struct pl_reader *r, *other;
    struct pl_columns c = {0};
    size_t told = 0;
    assert_int_equal(pl_select_new(f->t, &sel, 1, t0, t1, 0, &s), 0);
    assert_int_equal(pl_reader_new(s, &r), 0);
    assert_int_equal(pl_reader_new(s, &other), 0);
    size_t n = pl_select_count(s);
    for (size_t from = 0; from < n; from += 37) {
        pl_reader_latest(r, from, n - from < 37 ? n - from : 37, t0, t1, latest + from);
        /* as a query does: what is not told is read by the same reader */
        for (size_t i = from; i < n && i < from + 37; i++) {
            if (latest[i].t == PL_LATEST_READ) {
                assert_int_equal(pl_reader_read(r, i, t0, t1, 0, &c), 0);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pl_reader_read(other, i, t0, t1, 0, &c), 0);
        if (latest[i].t == PL_LATEST_READ) {
            continue;
        }
        told++;
        assert_int_equal(latest[i].t, c.n ? c.t[c.n - 1] : PL_LATEST_NONE);
        if (c.n) {
            assert_int_equal(pl_f64_bits(latest[i].v), pl_f64_bits(c.v[c.n - 1]));
        }
    }
    pl_columns_fini(&c);
    pl_reader_free(r);
    pl_reader_free(other);
    pl_select_free(s);
    return told;
}

static size_t compare_all(struct fixture *f)
{
    size_t told = 0;
    const int64_t ago[] = {0, 3, 29, 30, 61, 90, 125, 200};
    for (size_t i = 0; i < sizeof ago / sizeof *ago; i++) {
        int64_t t1 = NOW_MS - ago[i] * MINUTE;
        told += compare(f, t1 - 5 * MINUTE + 1, t1);
        told += compare(f, t1 - 45 * MINUTE, t1 + 1234);
    }
    return told + compare(f, INT64_MIN, INT64_MAX);
}

static void the_latest_samples_are_those_that_reading_gives(void **state)
{
    (void)state;
    struct fixture f;
    struct pl_selector sel = select_all();
    uint64_t seed = 5, n;
    fixture_begin(&f);
    f.conf.engine = NULL;
    fixture_open(&f);
    write_some(&f, &seed, 120, 90, 1);
    size_t head = compare_all(&f);
    assert_true(head > SERIES * 2);
    assert_int_equal(pl_store_flush(f.s), 0);
    assert_true(compare_all(&f) > SERIES * 2);
    write_some(&f, &seed, 90, 30, 1);
    write_some(&f, &seed, 100, 20, 5);
    assert_true(compare_all(&f) > SERIES * 2);
    assert_int_equal(pl_store_flush(f.s), 0);
    write_some(&f, &seed, 29, 0, 2);
    assert_true(compare_all(&f) > SERIES * 2);
    assert_int_equal(pl_store_flush(f.s), 0);
    write_some(&f, &seed, 110, 0, 30);
    assert_true(compare_all(&f) > SERIES * 2);
    assert_int_equal(pl_store_erase(f.t, &sel, 1, NOW_MS - 60 * MINUTE, NOW_MS - 10 * MINUTE, &n),
                     0);
    compare_all(&f);
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_true(compare_all(&f) > SERIES);
    write_some(&f, &seed, 20, 0, 3);
    assert_true(compare_all(&f) > SERIES * 2);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_samples_are_those_that_reading_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
