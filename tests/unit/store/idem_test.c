/* The idempotency table by itself: begin, done, abort, expiry, records. */
#include "core/store/idem.h"
#include "core/store/frame.h"
#include "tests/unit/unit.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct pl_clock_manual hand = {1000};

static struct pl_idem_table *table(uint32_t max)
{
    static struct pl_clock clock;
    struct pl_idem_table *x;
    atomic_store(&hand.ms, 1000);
    clock = pl_clock_manual(&hand);
    assert_int_equal(pl_idem_table_new(max, &clock, &x), 0);
    return x;
}

static int begin(struct pl_idem_table *x, const char *key, struct pl_idem_waiter *w,
                 struct pl_buf *reply)
{
    pl_buf_clear(reply);
    return pl_idem_table_begin(x, PL_STR("me"), pl_str_c(key), w, reply);
}

static void done(struct pl_idem_table *x, const char *key, const char *reply)
{
    struct pl_frame_idem r = {PL_STR("me"), pl_str_c(key), pl_str_c(reply), 0, hand.ms};
    assert_int_equal(pl_idem_table_done(x, &r), 0);
}

static int calls, last_err;
static char last_reply[64];
static void woken(struct pl_idem_waiter *w, int err, pl_str reply)
{
    (void)w;
    calls++;
    last_err = err;
    snprintf(last_reply, sizeof last_reply, "%.*s", PL_PRS(reply));
}

TEST(the_second_copy_waits_for_the_reply_of_the_first_and_the_third_has_it)
{
    struct pl_idem_table *x = table(10);
    struct pl_buf reply = PL_BUF_INIT;
    struct pl_idem_waiter w1 = {.done = woken}, w2 = {.done = woken}, w3 = {.done = woken};
    calls = 0;
    assert_int_equal(begin(x, "k", &w1, &reply), PL_IDEM_NEW);
    assert_int_equal(begin(x, "k", &w2, &reply), PL_IDEM_WAIT);
    assert_int_equal(begin(x, "k", &w3, &reply), PL_IDEM_WAIT);
    assert_int_equal(begin(x, "other", &w1, &reply), PL_IDEM_NEW);
    done(x, "k", "stored 3");
    assert_int_equal(calls, 2);
    assert_int_equal(last_err, 0);
    assert_string_equal(last_reply, "stored 3");
    assert_int_equal(begin(x, "k", &w1, &reply), PL_IDEM_DONE);
    assert_true(pl_str_eq(pl_buf_view(&reply), PL_STR("stored 3")));
    pl_buf_fini(&reply);
    pl_idem_table_free(x);
}

TEST(a_failed_first_copy_wakes_the_others_with_its_error_and_is_forgotten)
{
    struct pl_idem_table *x = table(10);
    struct pl_buf reply = PL_BUF_INIT;
    struct pl_idem_waiter w1 = {.done = woken}, w2 = {.done = woken};
    calls = 0;
    assert_int_equal(begin(x, "k", &w1, &reply), PL_IDEM_NEW);
    assert_int_equal(begin(x, "k", &w2, &reply), PL_IDEM_WAIT);
    pl_idem_table_abort(x, PL_STR("me"), PL_STR("k"), PL_ENOSPC);
    assert_int_equal(calls, 1);
    assert_int_equal(last_err, PL_ENOSPC);
    assert_int_equal(begin(x, "k", &w1, &reply), PL_IDEM_NEW);
    done(x, "k", "");
    pl_idem_table_abort(x, PL_STR("me"), PL_STR("k"), PL_EIO); /* too late: it is durable */
    assert_int_equal(begin(x, "k", &w1, &reply), PL_IDEM_DONE);
    assert_int_equal(pl_idem_table_begin(x, PL_STR("me"), PL_STR(""), &w1, &reply), PL_EINVAL);
    pl_buf_fini(&reply);
    pl_idem_table_free(x);
}

TEST(keys_are_kept_a_day_and_at_most_so_many)
{
    struct pl_idem_table *x = table(100);
    struct pl_buf reply = PL_BUF_INIT;
    struct pl_idem_waiter w = {.done = woken};
    char key[16];
    for (int i = 0; i < 250; i++) {
        atomic_fetch_add(&hand.ms, 1);
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(begin(x, key, &w, &reply), PL_IDEM_NEW);
        done(x, key, key);
    }
    assert_int_equal(pl_idem_table_count(x), 100);
    assert_int_equal(begin(x, "k149", &w, &reply), PL_IDEM_NEW);
    assert_int_equal(begin(x, "k150", &w, &reply), PL_IDEM_DONE);
    atomic_fetch_add(&hand.ms, PL_IDEM_KEEP_MS - 50);
    assert_int_equal(begin(x, "k198", &w, &reply), PL_IDEM_NEW);
    assert_int_equal(begin(x, "k200", &w, &reply), PL_IDEM_DONE);
    assert_true(pl_str_eq(pl_buf_view(&reply), PL_STR("k200")));
    pl_buf_fini(&reply);
    pl_idem_table_free(x);
}

TEST(a_stream_keeps_the_number_up_to_which_all_is_there)
{
    struct pl_idem_table *x = table(10);
    const uint64_t seqs[] = {2, 1, 2, 7, 1, 3, 5}; /* 4 failed: 5 and 7 will come again */
    for (size_t i = 0; i < 7; i++) {
        struct pl_frame_idem r = {.producer = PL_STR("s"), .stream_seq = seqs[i], .t_ms = hand.ms};
        assert_int_equal(pl_idem_table_done(x, &r), 0);
    }
    assert_int_equal(pl_idem_table_last(x, PL_STR("s")), 3);
    assert_int_equal(pl_idem_table_last(x, PL_STR("t")), 0);
    assert_int_equal(pl_idem_table_count(x), 1);
    pl_idem_table_free(x);
}

/* Records as an engine would keep them. */
struct kept {
    size_t n, erased;
    char key[64][16], value[64][256];
    size_t n_value[64];
};
static int keep(void *ctx, const struct pl_record *r)
{
    struct kept *k = ctx;
    assert_int_equal(r->kind, PL_RECORD_IDEM);
    assert_int_equal(r->key.n, 16);
    if (r->erase) {
        k->erased++;
        return 0;
    }
    memcpy(k->key[k->n], r->key.p, 16);
    memcpy(k->value[k->n], r->value.p, r->value.n);
    k->n_value[k->n++] = r->value.n;
    return 0;
}

TEST(records_bring_keys_and_streams_back_and_what_is_over_is_erased)
{
    struct pl_idem_table *x = table(10), *y;
    struct pl_buf reply = PL_BUF_INIT;
    struct pl_idem_waiter w = {.done = woken};
    static struct kept k;
    memset(&k, 0, sizeof k);
    begin(x, "a", &w, &reply);
    done(x, "a", "reply of a");
    begin(x, "in flight", &w, &reply);
    struct pl_frame_idem stream = {.producer = PL_STR("s"), .stream_seq = 1, .t_ms = hand.ms};
    assert_int_equal(pl_idem_table_done(x, &stream), 0);
    assert_int_equal(pl_idem_table_save(x, keep, &k), 0);
    assert_int_equal(k.n, 2);
    assert_int_equal(pl_idem_table_save(x, keep, &k), 0);
    assert_int_equal(k.n, 2); /* nothing new */

    y = table(10);
    for (size_t i = 0; i < k.n; i++) {
        pl_str key = {k.key[i], 16}, value = {k.value[i], k.n_value[i]};
        for (size_t cut = 0; cut < 3; cut++) { /* version, time and number are cut */
            assert_int_equal(pl_idem_table_load(y, key, (pl_str){value.p, cut}), PL_ECORRUPT);
        }
        assert_int_equal(pl_idem_table_load(y, key, value), 0);
    }
    assert_int_equal(begin(y, "a", &w, &reply), PL_IDEM_DONE);
    assert_true(pl_str_eq(pl_buf_view(&reply), PL_STR("reply of a")));
    assert_true(pl_idem_table_last(y, PL_STR("s")) == 1);
    assert_int_equal(begin(y, "in flight", &w, &reply), PL_IDEM_NEW);
    atomic_fetch_add(&hand.ms, PL_IDEM_KEEP_MS + 1);
    assert_int_equal(pl_idem_table_save(y, keep, &k), 0);
    assert_int_equal(k.erased, 2);
    pl_buf_fini(&reply);
    pl_idem_table_free(x);
    pl_idem_table_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_copy_waits_for_the_reply_of_the_first_and_the_third_has_it),
        cmocka_unit_test(a_failed_first_copy_wakes_the_others_with_its_error_and_is_forgotten),
        cmocka_unit_test(keys_are_kept_a_day_and_at_most_so_many),
        cmocka_unit_test(a_stream_keeps_the_number_up_to_which_all_is_there),
        cmocka_unit_test(records_bring_keys_and_streams_back_and_what_is_over_is_erased),
    };
    return cmocka_run_group_tests_name("store/idem", tests, NULL, NULL);
}
