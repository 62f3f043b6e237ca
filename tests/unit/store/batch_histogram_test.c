#include "tests/unit/store/histograms.h"
#include "tests/unit/store/store_fixture.h"

static struct pl_batch *begin(struct fixture *f, uint32_t *id)
{
    struct pl_batch *b;
    assert_int_equal(pl_batch_new(f->t, &b), 0);
    assert_true(intern(f->t, 1, id) >= 0);
    return b;
}

static int add(struct pl_batch *b, uint32_t id, int64_t t, uint64_t k)
{
    struct made_histogram x;
    histogram_make(k, &x);
    return pl_batch_add_histogram(b, id, t, &x.h);
}

/** What read_all is to find: sample i at NOW_MS - 1000 + i is histogram i, a plain double that
 *  carries the tag, or the float i, in turns. */
static void in_turns(void *ctx, uint32_t series, const struct pl_columns *c)
{
    (void)series;
    assert_int_equal(c->n, 90);
    for (uint32_t i = 0; i < 90; i++) {
        pl_str bytes = pl_columns_histogram(c, c->v[i]);
        double plain = 0;
        assert_int_equal(c->t[i], NOW_MS - 1000 + i);
        if (i % 3 == 0) {
            assert_true(is_histogram(bytes, 102 + i));
        } else if (i % 3 == 1) {
            assert_true(pl_histogram_double(bytes, &plain));
            assert_true(pl_f64_bits(plain) == pl_f64_bits(pl_histogram_box(i)));
        } else {
            assert_true(c->v[i] == i && bytes.n == 0);
        }
    }
    ++*(int *)ctx;
}

TEST(a_double_that_carries_the_tag_is_told_from_a_histogram)
{
    struct fixture f;
    uint32_t id;
    int series = 0;
    fixture_begin(&f);
    fixture_open(&f);
    struct pl_batch *b = begin(&f, &id);
    for (uint32_t i = 0; i < 90; i++) {
        int64_t t = NOW_MS - 1000 + i;
        assert_int_equal(i % 3 == 0   ? add(b, id, t, 102 + i)
                         : i % 3 == 1 ? pl_batch_add(b, id, t, pl_histogram_box(i))
                                      : pl_batch_add(b, id, t, i),
                         0);
    }
    assert_int_equal(write_wait(b), 0);
    read_all(&f, INT64_MIN, INT64_MAX, in_turns, &series);
    fixture_crash(&f); /* from the journal */
    fixture_open(&f);
    read_all(&f, INT64_MIN, INT64_MAX, in_turns, &series);
    assert_int_equal(pl_store_flush(f.s), 0);
    read_all(&f, INT64_MIN, INT64_MAX, in_turns, &series);
    assert_int_equal(series, 3);
    fixture_end(&f);
}

TEST(rows_that_are_taken_back_leave_nothing)
{
    struct fixture f;
    uint32_t id;
    fixture_begin(&f);
    fixture_open(&f);
    struct pl_batch *b = begin(&f, &id);
    assert_int_equal(add(b, id, NOW_MS, 1), 0);
    double boxed = b->v[0];
    b->n = 0;
    assert_int_equal(pl_batch_add(b, id, NOW_MS - 1, 5), 0);
    assert_int_equal(add(b, id, NOW_MS, 2), 0);
    assert_true(pl_f64_bits(b->v[1]) != pl_f64_bits(boxed));
    b->n = 1;
    assert_int_equal(pl_batch_add(b, id, NOW_MS, 6), 0);
    assert_int_equal(write_wait(b), 0);
    assert_int_equal(n_samples(&f), 2);
    fixture_end(&f);
}

TEST(an_unsound_one_and_one_out_of_time_are_refused)
{
    struct fixture f;
    struct made_histogram x;
    uint32_t id;
    fixture_begin(&f);
    fixture_open(&f);
    struct pl_batch *b = begin(&f, &id);
    histogram_make(5, &x);
    x.h.count++;
    assert_int_equal(pl_batch_add_histogram(b, id, NOW_MS, &x.h), PL_EINVAL);
    assert_int_equal(add(b, id, b->t_max + 1, 5), PL_EFUTURE);
    b->t_min = NOW_MS - 10;
    assert_int_equal(add(b, id, b->t_min - 1, 5), PL_ETOOOLD);
    assert_int_equal(b->n, 0);
    assert_int_equal(b->h.n, 0);
    pl_batch_free(b);
    fixture_end(&f);
}

struct hook {
    size_t rows, new_rows;
};

static void see(void *ctx, const struct pl_batch *b, uint64_t seq, bool replay)
{
    struct hook *h = ctx;
    (void)seq;
    (void)replay;
    for (size_t i = 0; i < b->n; i++) {
        assert_true(is_histogram(pl_batch_bytes(b, b->v[i]), (uint64_t)b->t[i] % 1000));
        h->rows++;
        h->new_rows += b->was_new[i / 64] >> (i % 64) & 1;
    }
}

TEST(the_hook_sees_bytes_and_repetitions)
{
    struct fixture f;
    struct hook h = {0};
    uint32_t id;
    fixture_begin(&f);
    f.conf.applied = see;
    f.conf.ctx = &h;
    fixture_open(&f);
    const int64_t base = NOW_MS - NOW_MS % 1000 - 1000;
    for (int round = 0; round < 2; round++) {
        struct pl_batch *b = begin(&f, &id);
        for (uint64_t k = 0; k < 10; k++) {
            assert_int_equal(add(b, id, base + (int64_t)k, k), 0);
        }
        assert_int_equal(write_wait(b), 0);
    }
    assert_int_equal(h.rows, 20);
    assert_int_equal(h.new_rows, 10);
    assert_int_equal(n_samples(&f), 10);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_double_that_carries_the_tag_is_told_from_a_histogram),
        cmocka_unit_test(rows_that_are_taken_back_leave_nothing),
        cmocka_unit_test(an_unsound_one_and_one_out_of_time_are_refused),
        cmocka_unit_test(the_hook_sees_bytes_and_repetitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
