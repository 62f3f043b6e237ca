/* The bump allocator. */
#include "tests/unit/unit.h"
#include "core/base/arena.h"

TEST(places_are_aligned_and_do_not_overlap)
{
    struct pl_arena a;
    unsigned char *places[500];
    pl_arena_init(&a, 0);
    for (size_t i = 0; i < 500; i++) {
        places[i] = pl_arena_alloc(&a, i * 7 % 300);
        assert_non_null(places[i]);
        assert_int_equal((uintptr_t)places[i] % 16, 0);
        memset(places[i], (int)(i & 0xff), i * 7 % 300);
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t k = 0; k < i * 7 % 300; k++) {
            assert_int_equal(places[i][k], i & 0xff);
        }
    }
    pl_arena_fini(&a);
}

TEST(a_large_request_does_not_end_the_filling_of_the_first_block)
{
    struct pl_arena a;
    pl_arena_init(&a, 0);
    char *before = pl_arena_alloc(&a, 16);
    assert_non_null(pl_arena_alloc(&a, 5 << 20));
    assert_ptr_equal(pl_arena_alloc(&a, 16), before + 16);
    pl_arena_fini(&a);
}

TEST(the_limit_holds_and_what_was_refused_costs_nothing)
{
    struct pl_arena a;
    pl_arena_init(&a, 1024);
    assert_non_null(pl_arena_alloc(&a, 1000));
    assert_null(pl_arena_alloc(&a, 32));
    assert_null(pl_arena_alloc(&a, SIZE_MAX));
    assert_null(pl_arena_alloc(&a, SIZE_MAX - 8));
    assert_non_null(pl_arena_alloc(&a, 16));
    assert_int_equal(a.used, 1024);
    pl_arena_fini(&a);
}

TEST(after_a_reset_one_block_is_used_again)
{
    struct pl_arena a;
    pl_arena_init(&a, 0);
    for (int i = 0; i < 100; i++) {
        pl_arena_alloc(&a, 1000);
    }
    pl_arena_alloc(&a, 8 << 20);
    pl_arena_reset(&a);
    assert_int_equal(a.used, 0);
    struct pl_arena_block *kept = a.head;
    assert_non_null(kept);
    char *p = pl_arena_zalloc(&a, 2000);
    assert_ptr_equal(a.head, kept);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(p[i], 0);
    }
    pl_arena_fini(&a);
    pl_arena_reset(&a);
    assert_null(a.head);
}

TEST(copies_and_formatted_text_end_in_nul)
{
    struct pl_arena a;
    pl_arena_init(&a, 256);
    pl_str s = pl_arena_dup(&a, pl_str_mem("abcdef", 3));
    assert_int_equal(s.n, 3);
    assert_string_equal(s.p, "abc");
    assert_string_equal(pl_arena_dup(&a, PL_STR_NULL).p, "");
    s = pl_arena_f(&a, "%d-%s", 12, "x");
    assert_int_equal(s.n, 4);
    assert_string_equal(s.p, "12-x");
    assert_null(pl_arena_f(&a, "%300d", 1).p);
    pl_arena_fini(&a);
}

static bool room_for_two(void *ctx, size_t bytes)
{
    size_t *blocks = ctx;
    assert_true(bytes > 1000);
    return ++*blocks <= 2;
}

TEST(the_owner_is_asked_before_each_block)
{
    struct pl_arena a;
    size_t blocks = 0;
    pl_arena_init(&a, 0);
    a.room = room_for_two;
    a.room_ctx = &blocks;
    assert_non_null(pl_arena_alloc(&a, 1000));
    assert_non_null(pl_arena_alloc(&a, 1000));
    assert_int_equal(blocks, 1);
    assert_non_null(pl_arena_alloc(&a, 100000));
    assert_false(a.refused);
    assert_null(pl_arena_alloc(&a, 100000));
    assert_true(a.refused);
    assert_non_null(pl_arena_alloc(&a, 16)); /* the block that is open */
    pl_arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_aligned_and_do_not_overlap),
        cmocka_unit_test(a_large_request_does_not_end_the_filling_of_the_first_block),
        cmocka_unit_test(the_limit_holds_and_what_was_refused_costs_nothing),
        cmocka_unit_test(after_a_reset_one_block_is_used_again),
        cmocka_unit_test(copies_and_formatted_text_end_in_nul),
        cmocka_unit_test(the_owner_is_asked_before_each_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
