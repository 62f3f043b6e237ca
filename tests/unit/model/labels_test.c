/* Tests of core/model/labels.c. */
#include "core/model/labels.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define L(n, v)                                                                                    \
    {                                                                                              \
        PL_STR(n), PL_STR(v)                                                                       \
    }
#define N(a) (sizeof(a) / sizeof((a)[0]))

static void sorted_labels_become_their_canonical_form(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    struct pl_label l[] = {L("__name__", "up"), L("job", "api")};
    pl_buf_z(&b, "kept");
    assert_int_equal(pl_labels_canon(l, N(l), &b, NULL), 20);
    assert_true(pl_str_eq(pl_buf_view(&b), PL_STR("kept\x08__name__\x02up\x03job\x03"
                                                  "api")));
    pl_buf_fini(&b);
}

static void order_and_empty_values_do_not_matter(void **state)
{
    (void)state;
    struct pl_buf a = PL_BUF_INIT, b = PL_BUF_INIT;
    struct pl_label x[] = {L("a", "1"), L("b", "2"), L("ba", "3"), L("c", "4")};
    struct pl_label y[] = {L("c", "4"), L("e", ""),  L("ba", "3"),
                           L("", ""),   L("a", "1"), L("b", "2")};
    assert_true(pl_labels_canon(x, N(x), &a, NULL) > 0);
    assert_int_equal(pl_labels_canon(y, N(y), &b, NULL), a.n);
    assert_true(pl_str_eq(pl_buf_view(&a), pl_buf_view(&b)));
    assert_true(pl_hash128_eq(pl_labels_hash(pl_buf_view(&a)), pl_labels_hash(pl_buf_view(&b))));
    struct pl_label z[] = {L("e", "")};
    assert_int_equal(pl_labels_canon(z, 1, &b, NULL), 0);
    assert_int_equal(pl_labels_canon(NULL, 0, &b, NULL), 0);
    pl_buf_fini(&a);
    pl_buf_fini(&b);
}

static void refused(struct pl_label *l, size_t n, int err, const char *sentence)
{
    struct pl_buf b = PL_BUF_INIT;
    const char *why = NULL;
    pl_buf_z(&b, "kept");
    assert_int_equal(pl_labels_canon(l, n, &b, &why), err);
    assert_string_equal(why, sentence);
    assert_int_equal(b.n, 4);
    pl_buf_fini(&b);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    struct pl_label twice[] = {L("b", "1"), L("a", "2"), L("b", "3")};
    refused(twice, 3, PL_EINVAL, "label name twice");
    struct pl_label next[] = {L("b", "1"), L("b", "1")};
    refused(next, 2, PL_EINVAL, "label name twice");
    struct pl_label nameless[] = {L("", "1")};
    refused(nameless, 1, PL_EINVAL, "label name is empty");
    struct pl_label name[] = {L("a\xff", "1")};
    refused(name, 1, PL_EINVAL, "label name is not UTF-8");
    struct pl_label value[] = {L("a", "\xc3")};
    refused(value, 1, PL_EINVAL, "label value is not UTF-8");
    static char big[PL_LABEL_VALUE_MAX + 1];
    memset(big, 'x', sizeof big);
    struct pl_label long_value[] = {{PL_STR("a"), {big, PL_LABEL_VALUE_MAX + 1}}};
    refused(long_value, 1, PL_ELIMIT, "label value is over 16384 bytes");
    struct pl_label long_name[] = {{{big, PL_LABEL_NAME_MAX + 1}, PL_STR("a")}};
    refused(long_name, 1, PL_ELIMIT, "label name is over 1024 bytes");
    struct pl_label sum[5];
    struct pl_label many[PL_LABELS_MAX + 1];
    for (size_t i = 0; i < N(many); i++) {
        many[i] = (struct pl_label){{big, i + 1}, PL_STR("v")};
    }
    refused(many, N(many), PL_ELIMIT, "more than 128 labels");
    for (size_t i = 0; i < N(sum); i++) {
        sum[i] = (struct pl_label){{big, i + 1}, {big, PL_LABEL_VALUE_MAX}};
    }
    refused(sum, N(sum), PL_ELIMIT, "labels are over 65536 bytes together");
}

static void limits_themselves_and_utf8_are_fine(void **state)
{
    (void)state;
    static char big[PL_LABEL_VALUE_MAX];
    memset(big, 'x', sizeof big);
    static const size_t lens[] = {1,  2,  3,  4,  5,   7,   8,    9,     15,
                                  16, 17, 31, 33, 127, 128, 1000, 16383, 16384};
    for (size_t i = 0; i < N(lens); i++) {
        size_t n_name = lens[i] < PL_LABEL_NAME_MAX ? lens[i] : PL_LABEL_NAME_MAX;
        struct pl_label l[] = {{{big, n_name}, {big, lens[i]}}, L("\xc3\xa4", "\xe2\x82\xac")}, got;
        struct pl_buf b = PL_BUF_INIT;
        int n = pl_labels_canon(l, 2, &b, NULL);
        assert_int_equal(n, b.n);
        assert_int_equal(pl_labels_check(pl_buf_view(&b)), 0);
        pl_str it = pl_buf_view(&b);
        assert_true(pl_labels_next(&it, &got));
        assert_int_equal(got.name.n, n_name);
        assert_true(pl_str_eq(got.value, (pl_str){big, lens[i]}));
        assert_true(pl_labels_next(&it, &got));
        assert_true(pl_str_eq(got.value, PL_STR("\xe2\x82\xac")));
        assert_false(pl_labels_next(&it, &got));
        pl_buf_fini(&b);
    }
}

static void canonical_bytes_are_walked_and_searched(void **state)
{
    (void)state;
    pl_str canon = PL_STR("\x08__name__\x02up\x03job\x03"
                          "api");
    assert_int_equal(pl_labels_count(canon), 2);
    assert_true(pl_str_eq(pl_labels_get(canon, PL_STR("job")), PL_STR("api")));
    assert_true(pl_str_eq(pl_labels_get(canon, PL_METRIC_NAME), PL_STR("up")));
    assert_null(pl_labels_get(canon, PL_STR("host")).p);
    assert_null(pl_labels_get(canon, PL_STR("zone")).p);
}

static void check_finds_every_prefix_and_what_is_out_of_order(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    struct pl_label l[] = {L("__name__", "up"), L("\xc3\xa4", "1"), L("job", "api")};
    pl_labels_canon(l, N(l), &b, NULL);
    pl_str canon = pl_buf_view(&b);
    assert_int_equal(pl_labels_check(canon), 0);
    for (size_t n = 1; n < canon.n; n++) {
        char *exact = malloc(n);
        memcpy(exact, canon.p, n);
        bool whole = n == 12 || n == 20;
        assert_int_equal(pl_labels_check((pl_str){exact, n}), whole ? 0 : PL_ECORRUPT);
        free(exact);
    }
    for (size_t bit = 0; bit < 8 * canon.n; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (pl_labels_check(canon) == 0) { /* then it is what canon makes of its labels */
            struct pl_buf again = PL_BUF_INIT;
            struct pl_label got[8];
            size_t n = 0;
            pl_str it = canon;
            while (n < 8 && pl_labels_next(&it, &got[n])) {
                n++;
            }
            assert_int_equal(pl_labels_canon(got, n, &again, NULL), canon.n);
            assert_true(pl_str_eq(pl_buf_view(&again), canon));
            pl_buf_fini(&again);
        }
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(pl_labels_check(PL_STR("\x01"
                                            "b\x01x\x01"
                                            "a\x01x")),
                     PL_ECORRUPT);
    assert_int_equal(pl_labels_check(PL_STR("\x01"
                                            "a\x01x\x01"
                                            "a\x01x")),
                     PL_ECORRUPT);
    assert_int_equal(pl_labels_check(PL_STR("\x01"
                                            "a\x00")),
                     PL_ECORRUPT);
    assert_int_equal(pl_labels_check(PL_STR("\x81\x00"
                                            "a\x01x")),
                     PL_ECORRUPT);
    assert_int_equal(pl_labels_check(PL_STR_NULL), 0);
    pl_buf_fini(&b);
}

static void text(const char *want, struct pl_label *l, size_t n)
{
    struct pl_buf canon = PL_BUF_INIT, b = PL_BUF_INIT;
    assert_true(pl_labels_canon(l, n, &canon, NULL) >= 0);
    pl_labels_text(pl_buf_view(&canon), &b);
    pl_buf_u8(&b, 0);
    assert_string_equal((char *)b.p, want);
    pl_buf_fini(&canon);
    pl_buf_fini(&b);
}

static void text_is_promql_that_selects_the_series(void **state)
{
    (void)state;
    struct pl_label a[] = {L("__name__", "up"), L("job", "a\"\\\n\x01")};
    text("up{job=\"a\\\"\\\\\\n\\x01\"}", a, 2);
    text("up", a, 1);
    struct pl_label b[] = {L("a", "1"), L("b.c", "\xc3\xa4")};
    text("{a=\"1\",\"b.c\"=\"\xc3\xa4\"}", b, 2);
    struct pl_label c[] = {L("__name__", "http.duration"), L("a", "1")};
    text("{\"http.duration\",a=\"1\"}", c, 2);
    text("{}", NULL, 0);
}

static void classic_names_are_told(void **state)
{
    (void)state;
    assert_true(pl_metric_name_classic(PL_STR("job:http_requests:rate5m")));
    assert_false(pl_label_name_classic(PL_STR("a:b")));
    assert_true(pl_label_name_classic(PL_STR("_a9Z")));
    assert_false(pl_label_name_classic(PL_STR("9a")));
    assert_false(pl_label_name_classic(PL_STR("")));
    assert_false(pl_metric_name_classic(PL_STR("a.b")));
}

static void label_sets_are_ordered_label_by_label(void **state)
{
    /* ascending; the bytes of the canonical form, lengths first, would put "b" before "aa" */
    struct pl_label sets[][2] = {
        {{PL_STR("a"), PL_STR("xxxxxxxxx")}, {PL_STR("b"), PL_STR("1")}},
        {{PL_STR("a"), PL_STR("z")}, {PL_STR_NULL, PL_STR_NULL}},
        {{PL_STR("a"), PL_STR("z")}, {PL_STR("b"), PL_STR("1")}},
        {{PL_STR("aa"), PL_STR("1")}, {PL_STR_NULL, PL_STR_NULL}},
        {{PL_STR("b"), PL_STR("1")}, {PL_STR_NULL, PL_STR_NULL}},
    };
    enum { N = sizeof(sets) / sizeof(*sets) };
    struct pl_buf canon[N + 1] = {0}; /* and the one without labels, before all */
    (void)state;
    for (size_t i = 0; i < N; i++) {
        assert_true(pl_labels_canon(sets[i], 1 + (sets[i][1].name.n > 0), &canon[i + 1], NULL) > 0);
    }
    for (size_t i = 0; i <= N; i++) {
        for (size_t k = 0; k <= N; k++) {
            int c = pl_labels_cmp(pl_buf_view(&canon[i]), pl_buf_view(&canon[k]));
            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
        }
    }
    for (size_t i = 0; i <= N; i++) {
        pl_buf_fini(&canon[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_labels_become_their_canonical_form),
        cmocka_unit_test(order_and_empty_values_do_not_matter),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(limits_themselves_and_utf8_are_fine),
        cmocka_unit_test(canonical_bytes_are_walked_and_searched),
        cmocka_unit_test(check_finds_every_prefix_and_what_is_out_of_order),
        cmocka_unit_test(text_is_promql_that_selects_the_series),
        cmocka_unit_test(classic_names_are_told),
        cmocka_unit_test(label_sets_are_ordered_label_by_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
