/* Series come and go: what they leave behind goes too, and nobody who reads meanwhile is hurt. */
#include "tests/unit/store/series_rig.h"
#include "core/store/engine.h"
#include <stdatomic.h>

static int ignore(void *ctx, const struct pl_record *r)
{
    (void)ctx, (void)r;
    return 0;
}

/** A flush: where tables are made anew. */
static void save(struct pl_series *s)
{
    assert_int_equal(pl_series_save(s, ignore, NULL), 0);
    pl_series_saved(s);
}

static void apply_range(struct pl_series *s, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        apply_one(s, i, i, true);
    }
}

static void drop_range(struct pl_series *s, uint32_t from, uint32_t to)
{
    uint32_t *ids = malloc((to - from) * sizeof *ids);
    for (uint32_t i = from; i < to; i++) {
        ids[i - from] = i;
    }
    assert_int_equal(pl_series_drop(s, ids, to - from), 0);
    free(ids);
}

static size_t find(struct pl_series *s, pl_str name, pl_str value)
{
    struct pl_matcher m;
    char why[64];
    uint32_t *ids = NULL;
    size_t n = 0;
    assert_int_equal(pl_matcher_init(&m, PL_MATCH_EQ, name, value, why, sizeof why), 0);
    assert_int_equal(pl_series_find(s, &(struct pl_selector){&m, 1}, 1, &ids, &n), 0);
    free(ids);
    pl_matcher_fini(&m);
    return n;
}

static bool count_one(void *ctx, pl_str text)
{
    *(size_t *)ctx += text.n > 0;
    return true;
}

/** Series [from, to) and the keepers [0, 10) are there, and no others. */
static void check(struct pl_series *s, uint32_t from, uint32_t to)
{
    struct pl_buf got = PL_BUF_INIT, want = PL_BUF_INIT;
    uint32_t id;
    for (uint32_t i = 0; i < to; i++) {
        bool there = i < 10 || i >= from;
        pl_buf_clear(&got);
        make_labels(&want, i);
        assert_int_equal(pl_series_labels(s, i, &got), there ? 0 : PL_ENOTFOUND);
        assert_true(!there || pl_str_eq(pl_buf_view(&got), pl_buf_view(&want)));
        assert_int_equal(pl_series_lookup(s, pl_labels_hash(pl_buf_view(&want)), &id),
                         there ? 0 : PL_ENOTFOUND);
        pl_str uid = pl_labels_get(pl_buf_view(&want), PL_STR("uid"));
        assert_int_equal(find(s, PL_STR("uid"), uid), there);
    }
    assert_int_equal(find(s, PL_STR("job"), PL_STR("node")), 10 + to - from);
    size_t n = 0;
    assert_int_equal(pl_series_values(s, PL_STR("uid"), NULL, 0, true, count_one, &n), 0);
    assert_int_equal(n, 10 + to - from);
    pl_buf_fini(&got);
    pl_buf_fini(&want);
}

enum { ROUND = 6000 };

TEST(memory_stays_bounded_while_series_come_and_go)
{
    struct pl_series *s = make_series();
    size_t first = 0;
    apply_range(s, 0, 10);
    for (uint32_t round = 0; round < 12; round++) {
        uint32_t from = 10 + round * ROUND;
        apply_range(s, from, from + ROUND);
        if (round == 0) {
            first = pl_series_bytes(s);
        }
        if (round == 11) {
            check(s, from, from + ROUND);
        }
        drop_range(s, from, from + ROUND);
        save(s);
    }
    size_t pages = (size_t)13 * ROUND / 65536 * (150 << 10); /* the last ids need one more */
    assert_true(pl_series_bytes(s) < first + pages);
    check(s, 10 + 12 * ROUND, 10 + 12 * ROUND);
    apply_range(s, 10 + 12 * ROUND, 10 + 13 * ROUND); /* and all goes on */
    check(s, 10 + 12 * ROUND, 10 + 13 * ROUND);
    pl_series_free(s);
}

/* ------------------------------------------------------------------------- readers at the same
 * time
 */

struct readers {
    struct pl_series *s;
    atomic_bool stop;
};

static void *read_on(void *arg)
{
    struct readers *r = arg;
    while (!atomic_load(&r->stop)) {
        size_t n = 0;
        assert_int_equal(pl_series_values(r->s, PL_STR("uid"), NULL, 0, true, count_one, &n), 0);
        assert_int_equal(pl_series_names(r->s, NULL, 0, true, count_one, &n), 0);
        struct pl_matcher m;
        char why[64];
        uint32_t *ids = NULL;
        assert_int_equal(
            pl_matcher_init(&m, PL_MATCH_RE, PL_STR("uid"), PL_STR("0.*7|f.*"), why, sizeof why),
            0);
        assert_int_equal(pl_series_find(r->s, &(struct pl_selector){&m, 1}, 1, &ids, &n), 0);
        free(ids);
        pl_matcher_fini(&m);
    }
    return NULL;
}

TEST(readers_are_not_hurt_when_tables_are_made_anew)
{
    struct readers r = {.s = make_series()};
    pthread_t thread[2];
    apply_range(r.s, 0, 10);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, read_on, &r), 0);
    }
    for (uint32_t round = 0; round < 6; round++) {
        uint32_t from = 10 + round * ROUND;
        apply_range(r.s, from, from + ROUND);
        drop_range(r.s, from, from + ROUND);
        save(r.s);
    }
    atomic_store(&r.stop, true);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    save(r.s);
    check(r.s, 10 + 6 * ROUND, 10 + 6 * ROUND);
    pl_series_free(r.s);
}

/** Inside a listing, whose texts are borrowed, all else goes and the tables are due. */
static bool drop_inside(void *ctx, pl_str text)
{
    struct pl_series *s = ctx;
    char copy[16];
    assert_int_equal(text.n, 8);
    memcpy(copy, text.p, 8);
    drop_range(s, 10, 10 + ROUND);
    save(s);
    assert_memory_equal(text.p, copy, 8);
    return false;
}

TEST(texts_that_are_borrowed_stay_until_they_are_given_back)
{
    struct pl_series *s = make_series();
    apply_range(s, 0, 10 + ROUND);
    size_t full = pl_series_bytes(s);
    assert_int_equal(pl_series_values(s, PL_STR("uid"), NULL, 0, true, drop_inside, s), 0);
    size_t dropped = pl_series_bytes(s);
    save(s);
    assert_true(pl_series_bytes(s) < dropped - (full - dropped) / 4);
    check(s, 10 + ROUND, 10 + ROUND);
    pl_series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays_bounded_while_series_come_and_go),
        cmocka_unit_test(readers_are_not_hurt_when_tables_are_made_anew),
        cmocka_unit_test(texts_that_are_borrowed_stay_until_they_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
