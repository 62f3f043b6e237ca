/* Tests of core/client/chunk.c. */
#include "perilune/chunk.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void samples_come_back_bit_by_bit(void **state)
{
    enum { N = 2000 };
    static int64_t t[N], t2[N];
    static double v[N], v2[N];
    (void)state;
    for (size_t i = 0; i < N; i++) {
        t[i] = 1700000000000 + (int64_t)i * 1000;
        v[i] = i % 7 == 3 ? NAN : i % 7 == 4 ? -0.0 : (double)i / 10;
    }
    for (size_t n = 1; n <= N; n = n * 3 + 1) {
        for (int small = 0; small < 2; small++) {
            void *p;
            size_t n_p, count = 0, got = 0;
            assert_int_equal(pl_chunk_encode(t, v, n, small, &p, &n_p), 0);
            assert_int_equal(pl_chunk_count(p, n_p, &count), 0);
            assert_int_equal(count, n);
            assert_int_equal(pl_chunk_decode(p, n_p, t2, v2, n, &got), 0);
            assert_int_equal(got, n);
            assert_memory_equal(t, t2, n * 8);
            assert_memory_equal(v, v2, n * 8);
            assert_int_equal(pl_chunk_decode(p, n_p, t2, v2, n - 1, &got), PL_ELIMIT);
            free(p);
        }
    }
}

static void what_cannot_be_encoded_is_refused(void **state)
{
    int64_t t[2] = {2, 1};
    double v[2] = {0, 0};
    void *p = NULL;
    size_t n;
    (void)state;
    assert_int_equal(pl_chunk_encode(t, v, 2, 0, &p, &n), PL_EINVAL);
    assert_int_equal(pl_chunk_encode(t, v, 0, 0, &p, &n), PL_EINVAL);
    assert_null(p);
}

static void cut_and_flipped_bytes_are_found(void **state)
{
    int64_t t[3] = {1, 2, 3}, t2[3];
    double v[3] = {1, 2.5, 3}, v2[3];
    void *p;
    size_t n_p, n;
    (void)state;
    assert_int_equal(pl_chunk_encode(t, v, 3, 0, &p, &n_p), 0);
    for (size_t i = 0; i < n_p * 9; i++) {
        size_t n_copy = i < n_p ? i : n_p;
        uint8_t *copy = malloc(n_copy ? n_copy : 1);
        memcpy(copy, p, n_copy);
        if (i >= n_p) {
            copy[(i - n_p) / 8] ^= (uint8_t)(1 << ((i - n_p) % 8));
        }
        assert_int_equal(pl_chunk_decode(copy, n_copy, t2, v2, 3, &n), PL_ECORRUPT);
        free(copy);
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_come_back_bit_by_bit),
        cmocka_unit_test(what_cannot_be_encoded_is_refused),
        cmocka_unit_test(cut_and_flipped_bytes_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
