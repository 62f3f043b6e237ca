#include "core/store/db.h"
#include "tests/unit/unit.h"
#include <stdlib.h>

/* A pack of n series of one sample, value = id + more. */
static struct pl_buf make_pack(uint32_t n, double more)
{
    struct pl_pack_writer *w;
    struct pl_buf out = PL_BUF_INIT;
    assert_int_equal(pl_pack_writer_new(PL_EFFORT_FAST, &w), 0);
    for (uint32_t id = 0; id < n; id++) {
        int64_t t = 1000;
        double v = id + more;
        assert_int_equal(pl_pack_add(w, id, &t, &v, 1), 0);
    }
    assert_true(pl_pack_finish(w, &out) > 0);
    pl_pack_writer_free(w);
    return out;
}

static double value_of(struct pl_pack *p, uint32_t id)
{
    uint32_t from, to;
    int64_t t[PL_CHUNK_MAX];
    double v[PL_CHUNK_MAX];
    assert_int_equal(pl_pack_find(p, id, &from, &to), 0);
    assert_int_equal(pl_pack_decode(p, from, t, v), 1);
    return v[0];
}

TEST(a_pack_that_is_open_is_shared_until_its_environment_goes)
{
    struct pl_db_packs *c;
    struct pl_db_packed *a, *b;
    struct pl_pack p, q;
    struct pl_db_env env = {0}, other = {0};
    struct pl_buf bytes = make_pack(100, 0.5);
    MDB_val v = {bytes.n, bytes.p};
    pl_pack_init(&p);
    pl_pack_init(&q);
    assert_int_equal(pl__packs_new(&c), 0);
    assert_int_equal(pl__packs_open(c, &env, &v, &p, &a), 0);
    assert_int_equal(pl__packs_open(c, &env, &v, &q, &b), 0);
    assert_ptr_equal(a, b);
    assert_true(value_of(&p, 7) == 7.5 && value_of(&q, 99) == 99.5);
    pl__packs_release(c, b);
    assert_true(pl__packs_bytes(c) > 0);
    pl__packs_forget(c, &other);
    assert_true(pl__packs_bytes(c) > 0);
    pl__packs_forget(c, &env); /* p still reads it */
    assert_int_equal(pl__packs_bytes(c), 0);
    assert_true(value_of(&p, 8) == 8.5);
    pl__packs_release(c, a);
    pl__packs_free(c);
    pl_pack_fini(&p);
    pl_pack_fini(&q);
    pl_buf_fini(&bytes);
}

TEST(other_bytes_at_the_same_place_are_opened_anew_and_damaged_ones_refused)
{
    struct pl_db_packs *c;
    struct pl_db_packed *a;
    struct pl_pack p;
    struct pl_db_env env = {0};
    struct pl_buf one = make_pack(100, 0.5);
    MDB_val v = {one.n, one.p};
    pl_pack_init(&p);
    assert_int_equal(pl__packs_new(&c), 0);
    assert_int_equal(pl__packs_open(c, &env, &v, &p, &a), 0);
    double before = value_of(&p, 99);
    pl__packs_release(c, a);
    one.p[one.n - 1] ^= 3; /* of the last value */
    pl_wr32(one.p, pl_crc32c(0, one.p + 4, one.n - 4));
    assert_int_equal(pl__packs_open(c, &env, &v, &p, &a), 0);
    assert_true(value_of(&p, 99) != before);
    pl__packs_release(c, a);
    pl__packs_forget(c, &env);
    one.p[one.n - 1] ^= 1;
    assert_int_equal(pl__packs_open(c, &env, &v, &p, &a), PL_ECORRUPT);
    v.mv_size = 3;
    assert_int_equal(pl__packs_open(c, &env, &v, &p, &a), PL_ECORRUPT);
    assert_int_equal(pl__packs_bytes(c), 0);
    pl__packs_free(c);
    pl_pack_fini(&p);
    pl_buf_fini(&one);
}

TEST(memory_stays_within_its_bound_and_what_is_read_stays_open)
{
    struct pl_db_packs *c;
    struct pl_db_packed *held, *a;
    struct pl_pack p, q;
    struct pl_db_env env = {0};
    struct pl_buf bytes = make_pack(8000, 0.5);
    enum { N = 400 };
    uint8_t *copies[N];
    pl_pack_init(&p);
    pl_pack_init(&q);
    assert_int_equal(pl__packs_new(&c), 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++) {
            if (round == 0) {
                copies[i] = malloc(bytes.n);
                memcpy(copies[i], bytes.p, bytes.n);
            }
            MDB_val v = {bytes.n, copies[i]};
            bool hold = round == 0 && i == 0;
            assert_int_equal(pl__packs_open(c, &env, &v, hold ? &q : &p, hold ? &held : &a), 0);
            if (!hold) {
                assert_true(value_of(&p, 7999) == 7999.5);
                pl__packs_release(c, a);
            }
            assert_true(pl__packs_bytes(c) <= PL_DB_PACKS_BYTES);
        }
    }
    assert_true(pl__packs_bytes(c) > PL_DB_PACKS_BYTES / 2);
    assert_true(value_of(&q, 5) == 5.5);
    pl__packs_release(c, held);
    pl__packs_free(c);
    for (int i = 0; i < N; i++) {
        free(copies[i]);
    }
    pl_pack_fini(&p);
    pl_pack_fini(&q);
    pl_buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_that_is_open_is_shared_until_its_environment_goes),
        cmocka_unit_test(other_bytes_at_the_same_place_are_opened_anew_and_damaged_ones_refused),
        cmocka_unit_test(memory_stays_within_its_bound_and_what_is_read_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
