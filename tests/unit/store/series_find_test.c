/* Matchers -> series, against asking each series' labels; and the lists of names and values. */
#include "tests/unit/store/series_rig.h"

enum { N = 1300 };

struct want {
    enum pl_match kind;
    const char *name, *value;
};

/** Find by both ways; every k-th series was dropped (0: none). */
static size_t check_find(struct pl_series *s, const struct want *w, size_t n, uint32_t drop)
{
    struct pl_matcher m[6];
    char why[100];
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pl_matcher_init(&m[i], w[i].kind, pl_str_c(w[i].name),
                                         pl_str_c(w[i].value), why, sizeof why),
                         0);
    }
    struct pl_selector sel = {m, n};
    struct pl_buf b = PL_BUF_INIT;
    uint32_t *ids;
    size_t n_ids, k = 0;
    assert_int_equal(pl_series_find(s, &sel, 1, &ids, &n_ids), 0);
    for (uint32_t i = 0; i < N; i++) {
        make_labels(&b, i);
        if ((!drop || i % drop) && pl_matcher_labels(m, n, pl_buf_view(&b))) {
            assert_true(k < n_ids);
            assert_int_equal(ids[k], i);
            k++;
        }
    }
    assert_int_equal(k, n_ids);
    free(ids);
    for (size_t i = 0; i < n; i++) {
        pl_matcher_fini(&m[i]);
    }
    pl_buf_fini(&b);
    return n_ids;
}

static const struct want wants[] = {
    {PL_MATCH_EQ, "__name__", "metric_3"},
    {PL_MATCH_EQ, "host", "h17"},
    {PL_MATCH_EQ, "host", "absent"},
    {PL_MATCH_EQ, "nobody", "x"},
    {PL_MATCH_EQ, "nobody", ""},
    {PL_MATCH_EQ, "zone", ""},
    {PL_MATCH_EQ, "job", "node"},
    {PL_MATCH_EQ, "uid", "0032e9a8"},
    {PL_MATCH_NE, "zone", ""},
    {PL_MATCH_NE, "zone", "zone-2"},
    {PL_MATCH_NE, "nobody", "x"},
    {PL_MATCH_NE, "nobody", ""},
    {PL_MATCH_NE, "job", "node"},
    {PL_MATCH_RE, "__name__", ".+"},
    {PL_MATCH_RE, "zone", ".+"},
    {PL_MATCH_RE, "zone", ".*"},
    {PL_MATCH_RE, "zone", "zone-1|zone-3"},
    {PL_MATCH_RE, "zone", "zone-1||zone-3"},
    {PL_MATCH_RE, "zone", "(zone-1)?"},
    {PL_MATCH_RE, "host", "h1.*"},
    {PL_MATCH_RE, "host", "h[0-9]5"},
    {PL_MATCH_RE, "host", ".*"},
    {PL_MATCH_RE, "host", "h(.+)"},
    {PL_MATCH_RE, "uid", ".*a"},
    {PL_MATCH_RE, "uid", "0.*"},
    {PL_MATCH_RE, "uid", "[0-9a-e].*"},
    {PL_MATCH_RE, "nobody", "x.+"},
    {PL_MATCH_RE, "nobody", "x*"},
    {PL_MATCH_NRE, "zone", "zone-1|zone-3"},
    {PL_MATCH_NRE, "zone", "zone-1|"},
    {PL_MATCH_NRE, "zone", ".+"},
    {PL_MATCH_NRE, "zone", ".*"},
    {PL_MATCH_NRE, "host", "h1.*"},
    {PL_MATCH_NRE, "uid", "[0-9a-e].*"},
    {PL_MATCH_NRE, "nobody", "x"},
    {PL_MATCH_NRE, "nobody", ".*"},
};
#define N_WANTS (sizeof wants / sizeof wants[0])

TEST(every_matcher_alone_finds_what_the_labels_say)
{
    struct pl_series *s = make_series();
    size_t found = 0;
    apply_many(s, N);
    for (size_t i = 0; i < N_WANTS; i++) {
        found += check_find(s, &wants[i], 1, 0);
    }
    assert_true(found > N);
    assert_int_equal(check_find(s, NULL, 0, 0), N);
    pl_series_free(s);
}

TEST(matchers_together_find_what_the_labels_say)
{
    struct pl_series *s = make_series();
    apply_many(s, N);
    for (size_t i = 0; i < N_WANTS; i++) {
        for (size_t k = 0; k < N_WANTS; k++) {
            struct want w[] = {wants[i], wants[k], wants[(i * 7 + k * 3) % N_WANTS]};
            check_find(s, w, (i + k) % 3 == 0 ? 3 : 2, 0);
        }
    }
    pl_series_free(s);
}

TEST(dropped_series_are_not_found)
{
    struct pl_series *s = make_series();
    uint32_t ids[N], n = 0;
    apply_many(s, N);
    for (uint32_t i = 0; i < N; i += 4) {
        ids[n++] = i;
    }
    assert_int_equal(pl_series_drop(s, ids, n), 0);
    for (size_t i = 0; i < N_WANTS; i++) {
        check_find(s, &wants[i], 1, 4);
    }
    pl_series_free(s);
}

TEST(several_selectors_are_a_union)
{
    struct pl_series *s = make_series();
    struct pl_matcher m[2];
    uint32_t *ids;
    size_t n;
    apply_many(s, N);
    assert_int_equal(pl_matcher_init(&m[0], PL_MATCH_EQ, PL_STR("host"), PL_STR("h2"), NULL, 0), 0);
    assert_int_equal(pl_matcher_init(&m[1], PL_MATCH_RE, PL_STR("host"), PL_STR("h[12]"), NULL, 0),
                     0);
    struct pl_selector sel[] = {{&m[0], 1}, {&m[1], 1}};
    assert_int_equal(pl_series_find(s, sel, 2, &ids, &n), 0);
    assert_int_equal(n, 20);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(ids[i], 10 + i);
    }
    free(ids);
    assert_int_equal(pl_series_find(s, sel, 0, &ids, &n), 0);
    assert_int_equal(n, 0);
    free(ids);
    pl_matcher_fini(&m[0]);
    pl_matcher_fini(&m[1]);
    pl_series_free(s);
}

struct list {
    struct pl_buf text;
    size_t n, stop;
};
static bool list_each(void *ctx, pl_str s)
{
    struct list *l = ctx;
    pl_buf_str(&l->text, s);
    pl_buf_u8(&l->text, ',');
    return ++l->n != l->stop;
}

TEST(names_and_values_are_listed_sorted_for_all_and_for_some)
{
    struct pl_series *s = make_series();
    struct list l = {0};
    apply_many(s, 200);
    assert_int_equal(pl_series_names(s, NULL, 0, true, list_each, &l), 0);
    assert_true(pl_str_eq(pl_buf_view(&l.text), PL_STR("__name__,host,job,uid,zone,")));
    uint32_t none_with_zone[] = {0, 3, 6};
    pl_buf_clear(&l.text);
    assert_int_equal(pl_series_names(s, none_with_zone, 3, false, list_each, &l), 0);
    assert_true(pl_str_eq(pl_buf_view(&l.text), PL_STR("__name__,host,job,uid,")));
    pl_buf_clear(&l.text);
    assert_int_equal(pl_series_values(s, PL_STR("zone"), NULL, 0, true, list_each, &l), 0);
    assert_true(pl_str_eq(pl_buf_view(&l.text), PL_STR("zone-0,zone-1,zone-2,zone-3,")));
    uint32_t some[] = {1, 2, 3, 14, 199};
    pl_buf_clear(&l.text);
    assert_int_equal(pl_series_values(s, PL_STR("host"), some, 5, false, list_each, &l), 0);
    assert_true(pl_str_eq(pl_buf_view(&l.text), PL_STR("h0,h1,h19,")));
    uint32_t many[200];
    for (uint32_t i = 0; i < 200; i++) {
        many[i] = i;
    }
    pl_buf_clear(&l.text); /* few values, many ids: by posting lists */
    assert_int_equal(pl_series_values(s, PL_STR("zone"), many, 30, false, list_each, &l), 0);
    assert_true(pl_str_eq(pl_buf_view(&l.text), PL_STR("zone-0,zone-1,zone-2,")));
    pl_buf_clear(&l.text);
    assert_int_equal(pl_series_values(s, PL_STR("nobody"), many, 30, false, list_each, &l), 0);
    assert_int_equal(pl_series_values(s, PL_STR("nobody"), NULL, 0, true, list_each, &l), 0);
    assert_int_equal(pl_series_values(s, PL_STR("host"), NULL, 0, false, list_each, &l), 0);
    assert_int_equal(l.text.n, 0);
    l.n = 0;
    l.stop = 2;
    assert_int_equal(pl_series_values(s, PL_STR("host"), NULL, 0, true, list_each, &l), 0);
    assert_true(pl_str_eq(pl_buf_view(&l.text), PL_STR("h0,h1,")));
    assert_int_equal(pl_series_drop(s, many, 200), 0);
    pl_buf_clear(&l.text);
    assert_int_equal(pl_series_names(s, NULL, 0, true, list_each, &l), 0);
    assert_int_equal(pl_series_values(s, PL_STR("host"), NULL, 0, true, list_each, &l), 0);
    assert_int_equal(l.text.n, 0);
    pl_buf_fini(&l.text);
    pl_series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_matcher_alone_finds_what_the_labels_say),
        cmocka_unit_test(matchers_together_find_what_the_labels_say),
        cmocka_unit_test(dropped_series_are_not_found),
        cmocka_unit_test(several_selectors_are_a_union),
        cmocka_unit_test(names_and_values_are_listed_sorted_for_all_and_for_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
