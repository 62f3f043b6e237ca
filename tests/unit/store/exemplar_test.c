/* The ring of exemplars: what it keeps, in which order, and what it forgets. */
#include "core/store/exemplar.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static int put(struct pl_exemplars *x, uint32_t id, const char *labels, int64_t t, double v)
{
    return pl_exemplars_add(x, &(struct pl_exemplar_entry){id, pl_str_c(labels), t, v});
}

/* "id:labels@t=v " of those found. */
static void assert_found(struct pl_exemplars *x, const uint32_t *ids, size_t n, int64_t t0,
                         int64_t t1, const char *wanted)
{
    struct pl_arena a;
    struct pl_exemplar_entry *list;
    size_t found;
    struct pl_buf text = PL_BUF_INIT;
    pl_arena_init(&a, 0);
    assert_int_equal(pl_exemplars_find(x, ids, n, t0, t1, &a, &list, &found), 0);
    for (size_t i = 0; i < found; i++) {
        pl_buf_f(&text, "%u:%.*s@%lld=%g ", list[i].id, PL_PRS(list[i].labels),
                 (long long)list[i].t, list[i].v);
    }
    pl_buf_u8(&text, 0);
    assert_string_equal((char *)text.p, wanted);
    pl_buf_fini(&text);
    pl_arena_fini(&a);
}

static void they_come_back_by_series_and_time(void **state)
{
    struct pl_exemplars *x;
    uint32_t both[] = {3, 7}, one[] = {7}, other[] = {8};
    (void)state;
    assert_int_equal(pl_exemplars_new(10, &x), 0);
    assert_int_equal(put(x, 7, "a", 10, 1), 1);
    assert_int_equal(put(x, 3, "b", 20, 2), 1);
    assert_int_equal(put(x, 7, "c", 30, 3), 1);
    assert_found(x, both, 2, INT64_MIN, INT64_MAX, "3:b@20=2 7:a@10=1 7:c@30=3 ");
    assert_found(x, one, 1, 11, 30, "7:c@30=3 ");
    assert_found(x, one, 1, 11, 29, "");
    assert_found(x, other, 1, INT64_MIN, INT64_MAX, "");
    assert_found(x, NULL, 0, INT64_MIN, INT64_MAX, "");
    pl_exemplars_free(x);
}

static void repeated_and_late_ones_are_left_out(void **state)
{
    struct pl_exemplars *x;
    uint32_t ids[] = {1, 2};
    (void)state;
    assert_int_equal(pl_exemplars_new(10, &x), 0);
    assert_int_equal(put(x, 1, "a", 10, 1), 1);
    assert_int_equal(put(x, 1, "a", 10, 1), 0);
    assert_int_equal(put(x, 1, "b", 10, 1), 1);
    assert_int_equal(put(x, 1, "b", 9, 1), 0);
    assert_int_equal(put(x, 2, "b", 9, 1), 1);
    assert_found(x, ids, 2, 0, 100, "1:a@10=1 1:b@10=1 2:b@9=1 ");
    pl_exemplars_free(x);
}

static void the_oldest_written_go_first_and_the_newest_of_a_series_is_known(void **state)
{
    struct pl_exemplars *x;
    uint32_t all[1000];
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        all[i] = i;
    }
    assert_int_equal(pl_exemplars_new(3, &x), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(put(x, (uint32_t)i % 2, "l", i, i), 1);
    }
    assert_found(x, all, 2, 0, 100, "0:l@2=2 0:l@4=4 1:l@3=3 ");
    assert_int_equal(put(x, 1, "l", 2, 0), 0); /* before the 3 that is there */
    pl_exemplars_free(x);
    /* against a plain list, over growing and many turns */
    assert_int_equal(pl_exemplars_new(700, &x), 0);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(put(x, (uint32_t)(i * 7919) % 1000, "l", i, i), 1);
    }
    assert_int_equal(pl_exemplars_count(x), 700);
    struct pl_arena a;
    struct pl_exemplar_entry *list;
    size_t n;
    pl_arena_init(&a, 0);
    assert_int_equal(pl_exemplars_find(x, all, 1000, 0, 10000, &a, &list, &n), 0);
    assert_int_equal(n, 700);
    for (size_t i = 0; i < n; i++) {
        assert_true(list[i].t >= 4300 && list[i].id == (uint32_t)(list[i].t * 7919) % 1000);
    }
    pl_arena_fini(&a);
    pl_exemplars_free(x);
}

static void none_are_kept_where_there_is_room_for_none(void **state)
{
    struct pl_exemplars *x;
    (void)state;
    assert_int_equal(pl_exemplars_new(0, &x), 0);
    assert_int_equal(put(x, 1, "a", 10, 1), 0);
    assert_int_equal(pl_exemplars_count(x), 0);
    pl_exemplars_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_back_by_series_and_time),
        cmocka_unit_test(repeated_and_late_ones_are_left_out),
        cmocka_unit_test(the_oldest_written_go_first_and_the_newest_of_a_series_is_known),
        cmocka_unit_test(none_are_kept_where_there_is_room_for_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
