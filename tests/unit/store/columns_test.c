#include "core/store/columns.h"
#include "tests/unit/unit.h"

static void add(struct pl_columns *c, int64_t t, double v)
{
    assert_int_equal(pl_columns_reserve(c, 1), 0);
    c->t[c->n] = t;
    c->v[c->n++] = v;
}

/** Any bytes do: columns do not look into them. */
static void add_bytes(struct pl_columns *c, int64_t t, const char *bytes)
{
    double v;
    assert_int_equal(pl_columns_keep(c, pl_str_c(bytes), &v), 0);
    assert_true(pl_is_histogram(v));
    add(c, t, v);
}

static void is_float(const struct pl_columns *c, size_t i, int64_t t, double v)
{
    assert_true(i < c->n);
    assert_int_equal(c->t[i], t);
    assert_true(c->v[i] == v);
    assert_null(pl_columns_histogram(c, c->v[i]).p);
}

static void is_bytes(const struct pl_columns *c, size_t i, int64_t t, const char *bytes)
{
    assert_true(i < c->n);
    assert_int_equal(c->t[i], t);
    assert_true(pl_str_eq(pl_columns_histogram(c, c->v[i]), pl_str_c(bytes)));
}

TEST(a_reference_gives_its_bytes_and_a_wrong_one_none)
{
    struct pl_columns c = {0};
    assert_null(pl_columns_histogram(&c, pl_histogram_box(0)).p);
    add_bytes(&c, 1, "one");
    add_bytes(&c, 2, "second");
    is_bytes(&c, 0, 1, "one");
    is_bytes(&c, 1, 2, "second");
    assert_null(pl_columns_histogram(&c, pl_histogram_box(c.h.n)).p);
    assert_null(pl_columns_histogram(&c, pl_histogram_box(0xffffffffffff)).p);
    assert_null(pl_columns_histogram(&c, pl_histogram_box(1)).p); /* length 'o': cut short */
    assert_null(pl_columns_histogram(&c, 1.5).p);
    pl_columns_fini(&c);
    assert_null(c.h.p);
}

TEST(sorting_keeps_bytes_with_their_samples)
{
    struct pl_columns c = {0};
    add_bytes(&c, 5, "five");
    add(&c, 7, 7);
    add_bytes(&c, 1, "one");
    add_bytes(&c, 5, "five again");
    assert_int_equal(pl_columns_sort(&c), 0);
    assert_int_equal(c.n, 3);
    is_bytes(&c, 0, 1, "one");
    is_bytes(&c, 1, 5, "five again");
    is_float(&c, 2, 7, 7);
    pl_columns_fini(&c);
}

TEST(merging_moves_bytes_behind_and_between)
{
    struct pl_columns a = {0}, b = {0}, scratch = {0};
    add_bytes(&b, 1, "one");
    add_bytes(&b, 3, "three");
    assert_int_equal(pl_columns_merge(&a, &b, &scratch), 0); /* into nothing */
    pl_columns_clear(&b);
    add(&b, 4, 4);
    add_bytes(&b, 9, "nine");
    assert_int_equal(pl_columns_merge(&a, &b, &scratch), 0); /* behind */
    pl_columns_clear(&b);
    add_bytes(&b, 2, "two");
    add_bytes(&b, 3, "three again");
    add(&b, 9, 99);
    assert_int_equal(pl_columns_merge(&a, &b, &scratch), 0); /* between */
    assert_int_equal(a.n, 5);
    is_bytes(&a, 0, 1, "one");
    is_bytes(&a, 1, 2, "two");
    is_bytes(&a, 2, 3, "three again");
    is_float(&a, 3, 4, 4);
    is_float(&a, 4, 9, 99);
    pl_columns_clear(&b);
    add(&b, 0, 0.5);
    assert_int_equal(pl_columns_merge(&a, &b, &scratch), 0); /* only floats */
    is_float(&a, 0, 0, 0.5);
    is_bytes(&a, 1, 1, "one");
    pl_columns_fini(&a);
    pl_columns_fini(&b);
    pl_columns_fini(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_gives_its_bytes_and_a_wrong_one_none),
        cmocka_unit_test(sorting_keeps_bytes_with_their_samples),
        cmocka_unit_test(merging_moves_bytes_behind_and_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
