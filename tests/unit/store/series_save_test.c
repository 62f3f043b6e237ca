/* Series as engine records: what was saved loads again; what is damaged costs its block only. */
#include "tests/unit/store/series_rig.h"

/* Records in memory, behind an engine's `records`. */
struct pl_engine_tenant {
    struct {
        struct pl_buf key, value;
    } r[64];
    size_t n, emitted;
    int fail;
};

static int emit(void *ctx, const struct pl_record *r)
{
    struct pl_engine_tenant *t = ctx;
    size_t i = 0;
    assert_int_equal(r->kind, PL_RECORD_SERIES);
    if (t->fail) {
        return t->fail;
    }
    t->emitted++;
    while (i < t->n && !pl_str_eq(pl_buf_view(&t->r[i].key), r->key)) {
        i++;
    }
    assert_true(i < 64);
    t->n += i == t->n;
    pl_buf_clear(&t->r[i].key);
    pl_buf_clear(&t->r[i].value);
    pl_buf_str(&t->r[i].key, r->key);
    pl_buf_str(&t->r[i].value, r->value);
    if (r->erase) {
        t->n--;
        pl_buf_fini(&t->r[i].key);
        pl_buf_fini(&t->r[i].value);
        t->r[i] = t->r[t->n];
        memset(&t->r[t->n], 0, sizeof t->r[i]);
    }
    return 0;
}

static int records(struct pl_engine_tenant *t, uint8_t kind,
                   int (*each)(void *ctx, pl_str key, pl_str value), void *ctx)
{
    int rc = kind == PL_RECORD_SERIES ? 0 : PL_EINVAL;
    for (size_t i = 0; i < t->n && rc >= 0; i++) {
        rc = each(ctx, pl_buf_view(&t->r[i].key), pl_buf_view(&t->r[i].value));
    }
    return rc;
}

static const struct pl_engine_ops ops = {.name = "memory", .records = records};

static void tenant_fini(struct pl_engine_tenant *t)
{
    for (size_t i = 0; i < t->n; i++) {
        pl_buf_fini(&t->r[i].key);
        pl_buf_fini(&t->r[i].value);
    }
}

static void count_damaged(void *ctx, pl_str key)
{
    (void)key;
    ++*(size_t *)ctx;
}

static struct pl_series *load(struct pl_engine_tenant *t, size_t n_damaged)
{
    struct pl_series *s = make_series();
    size_t damaged = 0;
    assert_int_equal(pl_series_load(s, &ops, t, count_damaged, &damaged), 0);
    assert_int_equal(damaged, n_damaged);
    return s;
}

/** Series i in [0, n) is there, under id i, unless gone(i). */
static void check_same(struct pl_series *s, uint32_t n, bool (*gone)(uint32_t i))
{
    struct pl_buf want = PL_BUF_INIT, got = PL_BUF_INIT;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id;
        make_labels(&want, i);
        pl_buf_clear(&got);
        int rc = gone && gone(i) ? PL_ENOTFOUND : 0;
        assert_int_equal(pl_series_lookup(s, pl_labels_hash(pl_buf_view(&want)), &id), rc);
        assert_int_equal(pl_series_labels(s, i, &got), rc);
        assert_true(rc || (id == i && pl_str_eq(pl_buf_view(&want), pl_buf_view(&got))));
    }
    pl_buf_fini(&want);
    pl_buf_fini(&got);
}

static size_t n_found(struct pl_series *s, const char *name, const char *value)
{
    struct pl_matcher m;
    uint32_t *ids;
    size_t n;
    assert_int_equal(pl_matcher_init(&m, PL_MATCH_EQ, pl_str_c(name), pl_str_c(value), NULL, 0), 0);
    assert_int_equal(pl_series_find(s, &(struct pl_selector){&m, 1}, 1, &ids, &n), 0);
    free(ids);
    pl_matcher_fini(&m);
    return n;
}

TEST(what_was_saved_is_loaded_with_its_index_and_the_next_id)
{
    struct pl_engine_tenant t = {0};
    struct pl_series *s = make_series();
    apply_many(s, 5000);
    pl_series_skip(s, 7777);
    assert_int_equal(pl_series_save(s, emit, &t), 0);
    pl_series_saved(s);
    pl_series_free(s);
    assert_int_equal(t.n, 6);
    s = load(&t, 0);
    check_same(s, 5000, NULL);
    assert_int_equal(pl_series_count(s), 5000);
    assert_int_equal(pl_series_next_id(s), 7777);
    assert_int_equal(n_found(s, "host", "h33"), 10);
    assert_int_equal(n_found(s, "__name__", "metric_1"), 500);
    assert_int_equal(n_found(s, "job", "node"), 5000);
    t.emitted = 0;
    assert_int_equal(pl_series_save(s, emit, &t), 0);
    assert_int_equal(t.emitted, 0); /* nothing is new */
    pl_series_free(s);
    tenant_fini(&t);
}

TEST(only_blocks_that_changed_are_written_again_and_again_until_saved)
{
    struct pl_engine_tenant t = {0};
    struct pl_series *s = make_series();
    apply_many(s, 3000);
    t.fail = PL_ENOSPC;
    assert_int_equal(pl_series_save(s, emit, &t), PL_ENOSPC);
    t.fail = 0;
    assert_int_equal(pl_series_save(s, emit, &t), 0);
    assert_int_equal(t.emitted, 4);
    assert_int_equal(pl_series_save(s, emit, &t), 0); /* that flush had failed */
    assert_int_equal(t.emitted, 8);
    pl_series_saved(s);
    apply_one(s, 3000, 3000, true);
    assert_int_equal(pl_series_save(s, emit, &t), 0);
    assert_int_equal(t.emitted, 10);
    apply_one(s, 3001, 3001, true); /* after the save: belongs to the next */
    pl_series_saved(s);
    assert_int_equal(pl_series_save(s, emit, &t), 0);
    assert_int_equal(t.emitted, 12);
    pl_series_free(s);
    s = load(&t, 0);
    check_same(s, 3002, NULL);
    pl_series_free(s);
    tenant_fini(&t);
}

static bool gone_1024_to_2100(uint32_t i) { return i >= 1024 && i < 2100; }

TEST(dropped_series_leave_the_records_and_their_ids_stay_used_up)
{
    struct pl_engine_tenant t = {0};
    struct pl_series *s = make_series();
    uint32_t ids[5000], n = 0;
    apply_many(s, 3000);
    assert_int_equal(pl_series_save(s, emit, &t), 0);
    pl_series_saved(s);
    for (uint32_t i = 0; i < 3000; i++) {
        ids[n] = i;
        n += gone_1024_to_2100(i);
    }
    assert_int_equal(pl_series_drop(s, ids, n), 0);
    assert_int_equal(pl_series_save(s, emit, &t), 0);
    assert_int_equal(t.n, 3); /* one block is gone as a whole */
    pl_series_free(s);
    s = load(&t, 0);
    check_same(s, 3000, gone_1024_to_2100);
    n = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        ids[n++] = i;
    }
    assert_int_equal(pl_series_drop(s, ids, n), 0);
    assert_int_equal(pl_series_save(s, emit, &t), 0);
    pl_series_free(s);
    s = load(&t, 0);
    assert_int_equal(pl_series_count(s), 0);
    assert_int_equal(pl_series_next_id(s), 3000);
    pl_series_free(s);
    tenant_fini(&t);
}

static bool gone_second_block(uint32_t i) { return i / 1024 == 1; }

TEST(a_damaged_block_is_told_and_the_others_are_loaded)
{
    struct pl_engine_tenant t = {0};
    struct pl_series *s = make_series();
    apply_many(s, 3000);
    assert_int_equal(pl_series_save(s, emit, &t), 0);
    pl_series_free(s);
    size_t bits = t.r[1].value.n * 8;
    for (size_t bit = 0; bit < bits; bit += bit < 200 ? 1 : 211) {
        t.r[1].value.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        s = load(&t, 1);
        if (bit % 40 == 0) {
            check_same(s, 3000, gone_second_block);
        }
        assert_int_equal(pl_series_count(s), 3000 - 1024);
        pl_series_free(s);
        t.r[1].value.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < t.r[1].value.n; n += n < 100 ? 1 : 97) {
        size_t whole = t.r[1].value.n;
        t.r[1].value.n = n;
        s = load(&t, 1);
        assert_int_equal(pl_series_next_id(s), 3000);
        pl_series_free(s);
        t.r[1].value.n = whole;
    }
    t.r[3].value.n--; /* the record of the next id: blocks still say what is used */
    s = load(&t, 1);
    assert_int_equal(pl_series_next_id(s), 3000);
    pl_series_free(s);
    t.r[3].value.n++;
    tenant_fini(&t);
}

TEST(unlike_series_of_many_shapes_come_back)
{
    enum { N = 1500 };
    struct pl_engine_tenant t = {0};
    struct pl_series *s = make_series();
    struct pl_buf b = PL_BUF_INIT, got = PL_BUF_INIT;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < N; i++) {
            char text[3][40];
            snprintf(text[0], 40, "n%u", i); /* each has a name of its own: as many shapes */
            snprintf(text[1], 40, "%s%u", "the same beginning ", i * 7919);
            snprintf(text[2], 40, "%u", i % 300);
            struct pl_label l[] = {{pl_str_c(text[0]), PL_STR("v")},
                                   {PL_STR("x"), pl_str_c(text[1])},
                                   {PL_STR("y"), pl_str_c(i % 4 ? text[2] : "")}};
            pl_buf_clear(&b);
            pl_buf_clear(&got);
            assert_true(pl_labels_canon(l, 3, &b, NULL) > 0);
            if (pass == 0) {
                struct pl_series_def def = {.id = i, .canon = pl_buf_view(&b)};
                assert_int_equal(pl_series_apply(s, &def, 1, true), 0);
            } else {
                assert_int_equal(pl_series_labels(s, i, &got), 0);
                assert_true(pl_str_eq(pl_buf_view(&b), pl_buf_view(&got)));
            }
        }
        if (pass == 0) {
            assert_int_equal(pl_series_save(s, emit, &t), 0);
            pl_series_free(s);
            s = load(&t, 0);
        }
    }
    pl_series_free(s);
    pl_buf_fini(&b);
    pl_buf_fini(&got);
    tenant_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_loaded_with_its_index_and_the_next_id),
        cmocka_unit_test(only_blocks_that_changed_are_written_again_and_again_until_saved),
        cmocka_unit_test(dropped_series_leave_the_records_and_their_ids_stay_used_up),
        cmocka_unit_test(a_damaged_block_is_told_and_the_others_are_loaded),
        cmocka_unit_test(unlike_series_of_many_shapes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
