/* The head against a brute-force model; and readers beside a writer. */
#include "core/store/head.h"
#include "core/store/columns.h"
#include "tests/unit/store/histograms.h"
#include "tests/unit/unit.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static uint64_t rng = 88172645463325252ull;
static uint64_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

static void append(struct pl_head_gen *g, const uint32_t *id, const int64_t *t, const double *v,
                   size_t n, uint64_t seq, struct pl_head_counts *c)
{
    size_t done = 0;
    struct pl_head_counts own = {0};
    assert_int_equal(pl_head_append(g, id, t, v, n, PL_STR_NULL, seq, NULL, c ? c : &own, &done),
                     0);
    assert_int_equal(done, n);
}

static void add(struct pl_head_gen *g, uint32_t id, int64_t t, double v)
{
    append(g, &id, &t, &v, 1, 1, NULL);
}

TEST(samples_come_back_in_order_of_time)
{
    struct pl_head_gen *g;
    struct pl_columns c = {0};
    assert_int_equal(pl_head_gen_new(&g), 0);
    for (int i = 0; i < 1000; i++) {
        add(g, 7, 1000 * i, i);
    }
    assert_int_equal(pl_head_read(g, 7, INT64_MIN, INT64_MAX, &c), 0);
    assert_int_equal(c.n, 1000);
    for (size_t i = 0; i < c.n; i++) {
        assert_int_equal(c.t[i], 1000 * (int64_t)i);
        assert_true(c.v[i] == (double)i);
    }
    assert_int_equal(pl_head_read(g, 7, 500000, 500999, &c), 0);
    assert_int_equal(c.n, 1);
    assert_int_equal(pl_head_read(g, 8, INT64_MIN, INT64_MAX, &c), 0);
    assert_int_equal(c.n, 0);
    pl_columns_fini(&c);
    pl_head_gen_unref(g);
}

/** Append one sample with histogram k. */
static void add_histogram(struct pl_head_gen *g, uint32_t id, int64_t t, uint64_t k,
                          struct pl_head_counts *n, bool is_new)
{
    struct pl_columns c = {0};
    struct pl_buf one = PL_BUF_INIT;
    uint64_t bits = 0;
    double v, before;
    size_t done = 0;
    /* what stands before it in the batch: so that its reference is not 0 */
    assert_int_equal(pl_columns_keep(&c, PL_STR("other bytes"), &before), 0);
    histogram_bytes(k, &one);
    assert_int_equal(pl_columns_keep(&c, pl_buf_view(&one), &v), 0);
    assert_int_equal(pl_head_append(g, &id, &t, &v, 1, pl_buf_view(&c.h), 1, &bits, n, &done), 0);
    assert_int_equal(bits, is_new);
    assert_true(pl_head_has(g, id, t, v, pl_buf_view(&c.h)));
    assert_false(pl_head_has(g, id, t, before, pl_buf_view(&c.h)));
    assert_false(pl_head_has(g, id, t, 1, pl_buf_view(&c.h)));
    pl_buf_fini(&one);
    pl_columns_fini(&c);
}

TEST(histograms_are_kept_and_repetitions_told_by_their_bytes)
{
    struct pl_head_gen *g;
    struct pl_columns c = {0};
    struct pl_head_counts n = {0};
    assert_int_equal(pl_head_gen_new(&g), 0);
    size_t empty = pl_head_bytes(g);
    for (uint64_t k = 0; k < 2000; k++) {
        add_histogram(g, 5, 1000 * (int64_t)k, k, &n, true);
    }
    assert_true(pl_head_bytes(g) > empty + 2000 * 30);
    add_histogram(g, 5, 1999000, 1999, &n, false);
    assert_int_equal(n.duplicates, 1);
    add_histogram(g, 5, 1999000, 1998, &n, true); /* other bytes at the same time */
    add(g, 5, 2000000, 4);
    add_histogram(g, 5, 7000, 3, &n, true); /* late */
    add_histogram(g, 5, 8000, 8, &n, false);
    assert_int_equal(n.out_of_order, 1); /* the last that came was at 7000 */
    assert_int_equal(pl_head_read(g, 5, INT64_MIN, INT64_MAX, &c), 0);
    assert_int_equal(c.n, 2001);
    for (uint64_t k = 0; k < 2000; k++) {
        uint64_t want = k == 7 ? 3 : k == 1999 ? 1998 : k;
        assert_true(is_histogram(pl_columns_histogram(&c, c.v[k]), want));
    }
    assert_true(c.v[2000] == 4);
    assert_int_equal(pl_head_read(g, 5, 3000, 5000, &c), 0);
    assert_int_equal(c.n, 3);
    assert_true(is_histogram(pl_columns_histogram(&c, c.v[2]), 5));
    pl_columns_fini(&c);
    pl_head_gen_unref(g);
}

TEST(a_histogram_larger_than_a_piece_of_the_arena_is_kept)
{
    struct pl_head_gen *g;
    struct pl_columns c = {0}, got = {0};
    struct pl_buf big = PL_BUF_INIT;
    uint32_t id = 3;
    int64_t t = 1000;
    double v;
    size_t done = 0;
    struct pl_head_counts n = {0};
    assert_int_equal(pl_head_gen_new(&g), 0);
    add(g, 3, 500, 1);
    assert_non_null(pl_buf_reserve(&big, 3 << 20));
    memset(big.p, 'x', 3 << 20);
    big.n = 3 << 20;
    assert_int_equal(pl_columns_keep(&c, pl_buf_view(&big), &v), 0);
    assert_int_equal(pl_head_append(g, &id, &t, &v, 1, pl_buf_view(&c.h), 1, NULL, &n, &done), 0);
    add(g, 3, 2000, 2);
    assert_int_equal(pl_head_read(g, 3, INT64_MIN, INT64_MAX, &got), 0);
    assert_int_equal(got.n, 3);
    assert_true(pl_str_eq(pl_columns_histogram(&got, got.v[1]), pl_buf_view(&big)));
    pl_buf_fini(&big);
    pl_columns_fini(&c);
    pl_columns_fini(&got);
    pl_head_gen_unref(g);
}

TEST(extreme_times_and_bits_are_kept)
{
    const int64_t t[] = {INT64_MIN,     INT64_MAX,     0,         -1,
                         INT64_MAX - 1, INT64_MIN + 1, 1ll << 31, 1ll << 32};
    const uint64_t bits[] = {PL_STALE_BITS,
                             0x8000000000000000ull,
                             0x7ff0000000000000ull,
                             0xfff8000000000123ull,
                             1,
                             0,
                             0x7ff8000000000000ull,
                             0xfff0000000000000ull};
    struct pl_head_gen *g;
    struct pl_columns c = {0};
    assert_int_equal(pl_head_gen_new(&g), 0);
    for (size_t i = 0; i < 8; i++) {
        add(g, UINT32_MAX, t[i], pl_bits_f64(bits[i]));
    }
    assert_int_equal(pl_head_read(g, UINT32_MAX, INT64_MIN, INT64_MAX, &c), 0);
    assert_int_equal(c.n, 8);
    for (size_t i = 0; i < 8; i++) {
        bool found = false;
        for (size_t k = 0; k < 8; k++) {
            found |= c.t[k] == t[i] && pl_f64_bits(c.v[k]) == bits[i];
        }
        assert_true(found);
    }
    uint32_t id;
    assert_true(pl_head_next(g, 0, &id));
    assert_true(id == UINT32_MAX);
    pl_columns_fini(&c);
    pl_head_gen_unref(g);
}

TEST(identical_repetitions_of_the_last_sample_are_dropped_and_counted)
{
    struct pl_head_gen *g;
    struct pl_head_counts n = {0};
    assert_int_equal(pl_head_gen_new(&g), 0);
    uint32_t id[] = {1, 1, 1, 1, 1};
    int64_t t[] = {10, 10, 10, 5, 20};
    double v[] = {1, 1, 2, 1, pl_bits_f64(PL_STALE_BITS)};
    append(g, id, t, v, 5, 3, &n);
    append(g, id + 4, t + 4, v + 4, 1, 4, &n);
    assert_int_equal(n.samples, 4);
    assert_int_equal(n.duplicates, 2);
    assert_int_equal(n.out_of_order, 1);
    assert_int_equal(pl_head_samples(g), 4);
    int64_t lo, hi;
    uint64_t first, last;
    pl_head_span(g, &lo, &hi, &first, &last);
    assert_true(lo == 5 && hi == 20 && first == 3 && last == 4);
    pl_head_gen_unref(g);
}

TEST(a_row_is_new_unless_it_repeats_what_is_there)
{
    struct pl_head_gen *g;
    struct pl_head_counts n = {0};
    size_t done = 0;
    assert_int_equal(pl_head_gen_new(&g), 0);
    uint32_t id[130];
    int64_t t[130];
    double v[130];
    for (int i = 0; i < 130; i++) {
        id[i] = 3, t[i] = i * 10, v[i] = i;
    }
    uint64_t bits[3] = {0};
    assert_int_equal(pl_head_append(g, id, t, v, 130, PL_STR_NULL, 1, bits, &n, &done), 0);
    assert_true(bits[0] == UINT64_MAX && bits[1] == UINT64_MAX && bits[2] == 3);
    memset(bits, 0, sizeof bits);
    done = 0;
    v[100] = -1; /* the same batch again, one row is another */
    assert_int_equal(pl_head_append(g, id, t, v, 130, PL_STR_NULL, 2, bits, &n, &done), 0);
    assert_true(bits[0] == 0 && bits[1] == 1ull << 36 && bits[2] == 0);
    pl_head_gen_unref(g);
}

struct model {
    uint32_t id;
    int64_t t;
    double v;
};

TEST(any_order_of_arrival_reads_as_the_last_written_of_each_time)
{
    enum { N = 20000, IDS = 40 };
    static struct model m[N];
    struct pl_head_gen *g;
    struct pl_columns c = {0};
    for (int round = 0; round < 4; round++) {
        assert_int_equal(pl_head_gen_new(&g), 0);
        int64_t spread = round == 0 ? 100 : round == 1 ? 100000 : round == 2 ? 1ll << 40 : 500;
        for (int i = 0; i < N;) {
            uint32_t id[64];
            int64_t t[64];
            double v[64];
            size_t n = 0;
            for (; n < 64 && i < N; n++, i++) {
                id[n] = (uint32_t)(rnd() % IDS) * 5000; /* over several slot chunks */
                t[n] = round == 3 ? i / 20 : (int64_t)(rnd() % (uint64_t)spread) - spread / 2;
                v[n] = (double)(rnd() % 3);
                m[i] = (struct model){id[n], t[n], v[n]};
            }
            append(g, id, t, v, n, (uint64_t)i, NULL);
        }
        size_t total = 0;
        uint32_t id = 0;
        for (uint32_t from = 0; pl_head_next(g, from, &id); from = id + 1) {
            assert_int_equal(pl_head_read(g, id, -spread / 4, spread / 3, &c), 0);
            size_t expected = 0;
            for (int i = 0; i < N; i++) {
                if (m[i].id != id || m[i].t < -spread / 4 || m[i].t > spread / 3) {
                    continue;
                }
                size_t lo = 0, hi = c.n;
                while (lo < hi) {
                    size_t mid = (lo + hi) / 2;
                    if (c.t[mid] < m[i].t) {
                        lo = mid + 1;
                    } else {
                        hi = mid;
                    }
                }
                assert_true(lo < c.n && c.t[lo] == m[i].t);
                bool last = true;
                for (int k = i + 1; k < N && last && k < i + 3000; k++) {
                    last = m[k].id != id || m[k].t != m[i].t;
                }
                for (int k = i + 3000; k < N && last; k++) {
                    last = m[k].id != id || m[k].t != m[i].t;
                }
                if (last) {
                    expected++;
                    assert_true(c.v[lo] == m[i].v);
                    assert_int_equal(pl_head_has(g, id, m[i].t, m[i].v, PL_STR_NULL), true);
                    assert_int_equal(pl_head_has(g, id, m[i].t, -1, PL_STR_NULL), false);
                }
            }
            for (size_t i = 1; i < c.n; i++) {
                assert_true(c.t[i - 1] < c.t[i]);
            }
            assert_int_equal(c.n, expected);
            total++;
        }
        assert_int_equal(total, IDS);
        pl_head_gen_unref(g);
    }
    pl_columns_fini(&c);
}

TEST(the_filter_keeps_series_with_samples_in_the_range)
{
    struct pl_head_gen *g;
    assert_int_equal(pl_head_gen_new(&g), 0);
    add(g, 1, 100, 1);
    add(g, 2, 200, 1);
    add(g, 90000, 300, 1);
    add(g, 90000, 50, 1);
    uint32_t all[] = {0, 1, 2, 3, 89999, 90000, 90001};
    uint32_t ids[7];
    memcpy(ids, all, sizeof all);
    assert_int_equal(pl_head_filter(g, ids, 7, 0, 1000), 3);
    assert_true(ids[0] == 1 && ids[1] == 2 && ids[2] == 90000);
    memcpy(ids, all, sizeof all);
    assert_int_equal(pl_head_filter(g, ids, 7, 50, 99), 1);
    assert_true(ids[0] == 90000);
    memcpy(ids, all, sizeof all);
    assert_int_equal(pl_head_filter(g, ids, 7, 301, 999), 0);
    pl_head_gen_unref(g);
}

#ifdef PL_FAULTS
TEST(an_append_without_memory_goes_on_where_it_stopped)
{
    struct pl_head_gen *g;
    struct pl_columns c = {0};
    struct pl_head_counts n = {0};
    size_t done = 0;
    assert_int_equal(pl_head_gen_new(&g), 0);
    uint32_t id[] = {1, 2, 1u << 20, 3};
    int64_t t[] = {1, 2, 3, 4};
    double v[] = {1, 2, 3, 4};
    assert_int_equal(pl_fault_set("head.map=ENOMEM@3"), 0); /* slots, piece, slots */
    assert_int_equal(pl_head_append(g, id, t, v, 4, PL_STR_NULL, 1, NULL, &n, &done), PL_ENOMEM);
    assert_int_equal(done, 2);
    assert_int_equal(pl_head_append(g, id, t, v, 4, PL_STR_NULL, 1, NULL, &n, &done), 0);
    assert_int_equal(done, 4);
    assert_int_equal(n.samples, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pl_head_read(g, id[i], 0, 9, &c), 0);
        assert_true(c.n == 1 && c.t[0] == t[i]);
    }
    pl_fault_set(NULL);
    pl_columns_fini(&c);
    pl_head_gen_unref(g);
}
#endif

/* A writer appends value = time, ascending for even series and descending for odd ones; a reader
 * must see what was written, never less than before. */
struct race {
    struct pl_head_gen *g;
    atomic_bool stop;
    atomic_uint errors;
};

static void *reader(void *arg)
{
    struct race *r = arg;
    struct pl_columns c = {0};
    size_t seen[64] = {0};
    while (!atomic_load(&r->stop)) {
        for (uint32_t id = 0; id < 64; id++) {
            if (pl_head_read(r->g, id, INT64_MIN, INT64_MAX, &c) < 0 || c.n < seen[id]) {
                atomic_fetch_add(&r->errors, 1);
            }
            seen[id] = c.n;
            for (size_t i = 0; i < c.n; i++) {
                if (c.v[i] != (double)c.t[i] || (i && c.t[i] <= c.t[i - 1])) {
                    atomic_fetch_add(&r->errors, 1);
                }
            }
        }
        uint32_t id;
        for (uint32_t from = 0; pl_head_next(r->g, from, &id); from = id + 1) {
        }
    }
    pl_columns_fini(&c);
    return NULL;
}

TEST(readers_see_a_consistent_prefix_while_the_writer_appends)
{
    struct race r = {.stop = false};
    assert_int_equal(pl_head_gen_new(&r.g), 0);
    pthread_t th[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pl_thread_start(&th[i], "reader", reader, &r), 0);
    }
    for (int k = 0; k < 600; k++) {
        uint32_t id[64];
        int64_t t[64];
        double v[64];
        for (uint32_t i = 0; i < 64; i++) {
            id[i] = i;
            t[i] = i % 2 ? 1000000 - k : k;
            v[i] = (double)t[i];
        }
        append(r.g, id, t, v, 64, (uint64_t)k + 1, NULL);
    }
    atomic_store(&r.stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(th[i], NULL);
    }
    assert_int_equal(atomic_load(&r.errors), 0);
    assert_int_equal(pl_head_samples(r.g), 600 * 64);
    pl_head_gen_unref(r.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_come_back_in_order_of_time),
        cmocka_unit_test(histograms_are_kept_and_repetitions_told_by_their_bytes),
        cmocka_unit_test(a_histogram_larger_than_a_piece_of_the_arena_is_kept),
        cmocka_unit_test(extreme_times_and_bits_are_kept),
        cmocka_unit_test(identical_repetitions_of_the_last_sample_are_dropped_and_counted),
        cmocka_unit_test(a_row_is_new_unless_it_repeats_what_is_there),
        cmocka_unit_test(any_order_of_arrival_reads_as_the_last_written_of_each_time),
        cmocka_unit_test(the_filter_keeps_series_with_samples_in_the_range),
#ifdef PL_FAULTS
        cmocka_unit_test(an_append_without_memory_goes_on_where_it_stopped),
#endif
        cmocka_unit_test(readers_see_a_consistent_prefix_while_the_writer_appends),
    };
    return cmocka_run_group_tests_name("store/head", tests, NULL, NULL);
}
