/* Groups of series, and labels of many, against each series' own labels. */
#include "tests/unit/store/series_rig.h"

enum { N = 2500 };

static void check(struct pl_series *s, const uint32_t *ids, size_t n, const char *const *names,
                  size_t n_names, bool without)
{
    pl_str list[4];
    static uint32_t group[N];
    struct pl_buf labels = PL_BUF_INIT, ends = PL_BUF_INIT, own = PL_BUF_INIT, want = PL_BUF_INIT;
    for (size_t i = 0; i < n_names; i++) {
        list[i] = pl_str_c(names[i]);
    }
    assert_int_equal(pl_series_group(s, ids, n, list, n_names, without, group, &labels, &ends), 0);
    size_t n_groups = ends.n / sizeof(size_t), seen = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(group[i] <= seen); /* in the order they come up */
        seen += group[i] == seen;
        size_t from = 0, to;
        if (group[i]) {
            memcpy(&from, ends.p + (group[i] - 1) * sizeof from, sizeof from);
        }
        memcpy(&to, ends.p + group[i] * sizeof to, sizeof to);
        pl_buf_clear(&own);
        pl_buf_clear(&want);
        assert_int_equal(pl_series_labels(s, ids[i], &own), 0);
        pl_str it = pl_buf_view(&own);
        struct pl_label l;
        for (const char *at = it.p; pl_labels_next(&it, &l); at = it.p) {
            bool named = false;
            for (size_t k = 0; k < n_names; k++) {
                named = named || pl_str_eq(l.name, list[k]);
            }
            if (named != without) {
                pl_buf_add(&want, at, (size_t)(l.value.p + l.value.n - at));
            }
        }
        assert_int_equal(to - from, want.n);
        assert_int_equal(
            memcmp(labels.p ? (char *)labels.p + from : "", want.p ? (char *)want.p : "", want.n),
            0);
    }
    assert_int_equal(seen, n_groups); /* no two with the same labels, or one would have none */
    for (size_t a = 0; a < n_groups && n_groups < 100; a++) {
        for (size_t b = a + 1; b < n_groups; b++) {
            size_t e[4] = {0};
            memcpy(&e[0], a ? ends.p + (a - 1) * sizeof *e : (uint8_t *)&e[0], sizeof *e);
            memcpy(&e[1], ends.p + a * sizeof *e, sizeof *e);
            memcpy(&e[2], ends.p + (b - 1) * sizeof *e, sizeof *e);
            memcpy(&e[3], ends.p + b * sizeof *e, sizeof *e);
            assert_false(pl_str_eq(pl_str_mem(labels.p + e[0], e[1] - e[0]),
                                   pl_str_mem(labels.p + e[2], e[3] - e[2])));
        }
    }
    pl_buf_fini(&labels);
    pl_buf_fini(&ends);
    pl_buf_fini(&own);
    pl_buf_fini(&want);
}

TEST(groups_are_those_that_the_labels_say)
{
    struct pl_series *s = make_series();
    apply_many(s, N);
    uint32_t ids[N];
    size_t n = 0;
    for (uint32_t i = 0; i < N; i += 1 + i % 7 / 6) {
        ids[n++] = i;
    }
    static const char *const zone[] = {"zone"}, *const two[] = {"zone", "__name__"},
                             *const twice[] = {"job", "zone", "job"},
                             *const none[] = {"nobody", "zone"},
                             *const rest[] = {"uid", "host", "__name__"}, *const own[] = {"uid"};
    for (int without = 0; without < 2; without++) {
        check(s, ids, n, NULL, 0, without);
        check(s, ids, n, zone, 1, without);
        check(s, ids, n, two, 2, without);
        check(s, ids, n, twice, 3, without);
        check(s, ids, n, none, 2, without);
        check(s, ids, n, rest, 3, without);
        check(s, ids, n, own, 1, without);
        check(s, ids, 0, zone, 1, without);
    }
    pl_series_free(s);
}

TEST(labels_of_many_are_those_of_each)
{
    struct pl_series *s = make_series();
    apply_many(s, N);
    uint32_t ids[N + 1];
    size_t ends[N + 1], at = 0;
    struct pl_buf all = PL_BUF_INIT, one = PL_BUF_INIT;
    for (uint32_t i = 0; i < N; i++) {
        ids[i] = i;
    }
    assert_int_equal(pl_series_labels_of(s, ids, N, &all, ends), 0);
    for (uint32_t i = 0; i < N; i++) {
        make_labels(&one, i);
        assert_true(pl_str_eq(pl_buf_view(&one), pl_str_mem(all.p + at, ends[i] - at)));
        at = ends[i];
    }
    ids[N] = N + 5;
    assert_int_equal(pl_series_labels_of(s, ids, N + 1, &all, ends), PL_ENOTFOUND);
    pl_buf_fini(&all);
    pl_buf_fini(&one);
    pl_series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_those_that_the_labels_say),
        cmocka_unit_test(labels_of_many_are_those_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
