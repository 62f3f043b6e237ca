/* The table of functions, and strict mode: what is an extension is refused by name. */
#include "tests/unit/unit.h"
#include "core/query/functions.h"

#include <stdio.h>

static struct pl_query_error error;

static int parse(const char *text, bool strict)
{
    struct pl_query_conf c = {.strict = strict};
    struct pl_arena a;
    struct pl__ast ast;
    pl_arena_init(&a, 0);
    int e = pl__parse_conf(&c, &a, pl_str_c(text), &ast, &error);
    if (e >= 0) {
        pl__ast_fini(&ast);
    }
    pl_arena_fini(&a);
    return e;
}

TEST(both_tables_are_sorted_found_and_documented_and_share_no_name)
{
    const struct pl__func *table[2];
    size_t n[2] = {pl__func_all(&table[0]), pl__func_extensions(&table[1])};
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < n[k]; i++) {
            const struct pl__func *fn = &table[k][i];
            assert_ptr_equal(pl__func_find(pl_str_c(fn->name)), fn);
            assert_true(i == 0 || strcmp(fn[-1].name, fn->name) < 0);
            assert_true(strlen(fn->doc) > 5);
            assert_int_equal(!!(fn->flags & PL__FN_EXTENSION), k);
            assert_true(pl__agg_extension_find(pl_str_c(fn->name)) < 0);
        }
    }
    assert_null(pl__func_find(PL_STR("nothing")));
}

/** A call of the function with arguments of the right types. */
static void put_call(const struct pl__func *fn, char *out, size_t n)
{
    size_t at = (size_t)snprintf(out, n, "%s(", fn->name), args = strlen(fn->args);
    for (size_t i = 0; i < args; i++) {
        enum pl__type t = pl__func_arg(fn, i);
        at += (size_t)snprintf(out + at, n - at, "%s%s", i ? ", " : "",
                               t == PL__TYPE_VECTOR   ? "m"
                               : t == PL__TYPE_MATRIX ? "m[5m]"
                               : t == PL__TYPE_SCALAR ? "1"
                                                      : "\"x\"");
    }
    snprintf(out + at, n - at, ")");
}

TEST(strict_mode_refuses_every_extension_by_name_and_nothing_else)
{
    const struct pl__func *table;
    char text[200], want[200];
    for (size_t i = 0, n = pl__func_all(&table); i < n; i++) {
        put_call(&table[i], text, sizeof text);
        if (strcmp(table[i].name, "info") != 0) {
            assert_int_equal(parse(text, true), 0);
        }
    }
    for (size_t i = 0, n = pl__func_extensions(&table); i < n; i++) {
        put_call(&table[i], text, sizeof text);
        assert_int_equal(parse(text, false), 0);
        assert_int_equal(parse(text, true), PL_EPARSE);
        snprintf(want, sizeof want,
                 "1:1: parse error: %s is an extension of PromQL, which strict mode refuses",
                 table[i].name);
        assert_string_equal(error.text, want);
    }
    for (int agg = PL__AGG_MEDIAN; agg <= PL__AGG_BOTTOMK_MEDIAN; agg++) {
        bool k = pl__agg_param((enum pl__agg)agg) == PL__TYPE_SCALAR;
        snprintf(text, sizeof text, "2 * %s by (a) (%sm)", pl__agg_text((enum pl__agg)agg),
                 k ? "1, " : "");
        assert_int_equal(parse(text, false), 0);
        assert_int_equal(parse(text, true), PL_EPARSE);
        snprintf(want, sizeof want,
                 "1:5: parse error: %s is an extension of PromQL, which strict mode refuses",
                 pl__agg_text((enum pl__agg)agg));
        assert_string_equal(error.text, want);
    }
    for (int op = PL__OP_DEFAULT; op <= PL__OP_IFNOT; op++) {
        snprintf(text, sizeof text, "a %s b", pl__op_text((enum pl__op)op));
        assert_int_equal(parse(text, false), 0);
        assert_int_equal(parse(text, true), PL_EPARSE);
        snprintf(want, sizeof want,
                 "1:3: parse error: %s is an extension of PromQL, which strict mode refuses",
                 pl__op_text((enum pl__op)op));
        assert_string_equal(error.text, want);
    }
}

TEST(words_of_extensions_stay_names_of_metrics_in_strict_mode)
{
    static const char *const fine[] = {"median", "default + if", "any{mode=\"x\"}[5m]",
                                       "sum by (share, default) (mode offset 5m)", "ifnot"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        assert_int_equal(parse(fine[i], true), 0);
        assert_int_equal(parse(fine[i], false), 0);
    }
}

TEST(numbers_may_have_suffixes_of_thousands_and_of_1024)
{
    static const struct {
        const char *text;
        double v;
    } list[] = {{"1K", 1e3},     {"2.5Mi", 2621440}, {"1e3M", 1e9},  {"3G", 3e9},
                {"1Ti", 0x1p40}, {"0x10Ki", 16384},  {"1_000K", 1e6}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct pl_arena a;
        struct pl_expr *e;
        pl_arena_init(&a, 0);
        assert_int_equal(pl_query_parse(&a, pl_str_c(list[i].text), &e, &error), 0);
        assert_int_equal(e->kind, PL__NUMBER);
        assert_true(e->num.v == list[i].v);
        pl_arena_fini(&a);
        assert_int_equal(parse(list[i].text, true), PL_EPARSE);
        assert_string_equal(error.text, "1:1: parse error: a number with a suffix is an extension "
                                        "of PromQL, which strict mode refuses");
    }
    static const char *const bad[] = {"1k", "1Kb", "1KiB", "1mi", "1P"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse(bad[i], false), PL_EPARSE);
    }
    assert_int_equal(parse("m > 5Mi", false), 0);
    assert_int_equal(parse("K + M", true), 0);
}

TEST(operators_that_are_extensions_need_a_vector_on_one_side)
{
    assert_int_equal(parse("1 default 2", false), PL_EPARSE);
    assert_int_equal(parse("m default 2", false), 0);
    assert_int_equal(parse("1 if m", false), 0);
    assert_int_equal(parse("m default on (a) group_left () n", false), PL_EPARSE);
    assert_int_equal(parse("m[5m] default 0", false), PL_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_tables_are_sorted_found_and_documented_and_share_no_name),
        cmocka_unit_test(strict_mode_refuses_every_extension_by_name_and_nothing_else),
        cmocka_unit_test(words_of_extensions_stay_names_of_metrics_in_strict_mode),
        cmocka_unit_test(numbers_may_have_suffixes_of_thousands_and_of_1024),
        cmocka_unit_test(operators_that_are_extensions_need_a_vector_on_one_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
