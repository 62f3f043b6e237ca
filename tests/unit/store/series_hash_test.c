/* Hashes that are collected while loading, and the table that is built of them. */
#include "tests/unit/store/series_rig.h"

static struct pl_hash128 hash_of(struct pl_buf *b, uint32_t i)
{
    make_labels(b, i);
    return pl_labels_hash(pl_buf_view(b));
}

TEST(what_is_entered_while_loading_is_known_at_the_end_and_can_grow_on)
{
    enum { N = 20000 };
    struct pl_series *s = make_series();
    struct pl_buf b = PL_BUF_INIT;
    uint32_t id;
    pl_series_load_begin(s);
    apply_many(s, N);
    assert_int_equal(pl_series_load_end(s), 0);
    assert_int_equal(pl_series_count(s), N);
    assert_int_equal(pl_series_next_id(s), N);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(pl_series_lookup(s, hash_of(&b, i), &id), 0);
        assert_int_equal(id, i);
    }
    assert_int_equal(pl_series_lookup(s, hash_of(&b, N), &id), PL_ENOTFOUND);
    for (uint32_t i = N; i < N + 5000; i++) {
        struct pl_hash128 h = hash_of(&b, i);
        assert_int_equal(pl_series_intern(s, pl_buf_view(&b), h, &id), 1);
        assert_int_equal(id, i);
    }
    for (uint32_t i = 0; i < N + 5000; i++) {
        assert_int_equal(pl_series_lookup(s, hash_of(&b, i), &id), 0);
        assert_int_equal(id, i);
    }
    assert_int_equal(pl_series_count(s), N + 5000);
    pl_buf_fini(&b);
    pl_series_free(s);
}

TEST(of_two_ids_for_the_same_labels_the_one_loaded_last_counts)
{
    struct pl_series *s = make_series();
    struct pl_buf b = PL_BUF_INIT;
    uint32_t id;
    pl_series_load_begin(s);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 500; i++) {
            apply_one(s, round * 500 + i, i, true);
        }
    }
    assert_int_equal(pl_series_load_end(s), 0);
    assert_int_equal(pl_series_count(s), 500);
    for (uint32_t i = 0; i < 500; i++) {
        assert_int_equal(pl_series_lookup(s, hash_of(&b, i), &id), 0);
        assert_int_equal(id, 500 + i);
    }
    pl_buf_fini(&b);
    pl_series_free(s);
}

TEST(series_can_be_dropped_in_the_middle_of_loading)
{
    struct pl_series *s = make_series();
    struct pl_buf b = PL_BUF_INIT;
    uint32_t id, gone[] = {3, 7};
    pl_series_load_begin(s);
    apply_many(s, 100);
    assert_int_equal(pl_series_drop(s, gone, 2), 0);
    apply_one(s, 100, 7, true);
    assert_int_equal(pl_series_load_end(s), 0);
    assert_int_equal(pl_series_count(s), 99);
    assert_int_equal(pl_series_lookup(s, hash_of(&b, 3), &id), PL_ENOTFOUND);
    assert_int_equal(pl_series_lookup(s, hash_of(&b, 7), &id), 0);
    assert_int_equal(id, 100);
    pl_buf_fini(&b);
    pl_series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_entered_while_loading_is_known_at_the_end_and_can_grow_on),
        cmocka_unit_test(of_two_ids_for_the_same_labels_the_one_loaded_last_counts),
        cmocka_unit_test(series_can_be_dropped_in_the_middle_of_loading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
