/* XOR chunks: bytes that Prometheus writes, round trips, damage. */
#include "core/codec/xor_chunk.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static int64_t t_out[65535];
static double v_out[65535];

static void round_trip(const int64_t *t, const double *v, size_t n)
{
    struct pl_buf b = PL_BUF_INIT;
    assert_int_equal(pl_xor_encode(&b, t, v, n), 0);
    assert_int_equal(pl_xor_decode(pl_buf_view(&b), t_out, v_out), (int)n);
    for (size_t i = 0; i < n; i++) {
        assert_true(t_out[i] == t[i] && pl_f64_bits(v_out[i]) == pl_f64_bits(v[i]));
    }
    pl_buf_fini(&b);
}

static void bytes_are_those_of_the_format(void **state)
{
    /* by hand, from the drawing: 1000 -> zigzag 2000 = d0 0f; 1.0 = 3ff0..; + 15: 0f; the same
     * value: 0; dod 0: 0, same: 0; dod 1: 10 00000000000001, 2.0 (x = 7ff0..: 1 leading, 11 bits):
     * 11 00001 001011 11111111111 */
    static const int64_t t[] = {1000, 1015, 1030, 1046};
    static const double v[] = {1, 1, 1, 2};
    static const uint8_t want[] = {0x00, 0x04, 0xd0, 0x0f, 0x3f, 0xf0, 0,    0,    0,   0,
                                   0,    0,    0x0f, 0x10, 0x00, 0x38, 0x4b, 0xff, 0xe0};
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    assert_int_equal(pl_xor_encode(&b, t, v, 4), 0);
    assert_int_equal(b.n, sizeof(want));
    assert_memory_equal(b.p, want, sizeof(want));
    pl_buf_fini(&b);
}

static void what_is_written_is_read(void **state)
{
    static const double odd[] = {
        0, -0.0, INFINITY, -INFINITY, NAN, 5e-324, 1.7976931348623157e308, 0.1, 1e21, -1};
    static const int64_t steps[] = {1,       15000,   15001,   0x1fff,  0x2000,    0x2001,
                                    0x10000, 0x10001, 0x80000, 0x80001, 1ll << 40, 0};
    int64_t t[500];
    double v[500];
    uint64_t random = 1;
    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t n = 1 + (size_t)round;
        int64_t now = round % 2 ? -5000 : 1700000000000;
        for (size_t i = 0; i < n; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            now += round < 10 ? 15000 : steps[random >> 60 < 12 ? random >> 60 : 1];
            t[i] = now;
            v[i] = round % 3 == 0   ? (double)(random >> 40) / 8
                   : round % 3 == 1 ? odd[(random >> 33) % 10]
                                    : pl_bits_f64(random);
        }
        round_trip(t, v, n);
    }
    v[0] = pl_bits_f64(0x7ff0000000000002); /* a staleness marker */
    round_trip(t, v, 1);
}

static void no_cut_and_no_flipped_bit_leads_astray(void **state)
{
    static const int64_t t[] = {1000, 1015, 1030, 1046, 900000};
    static const double v[] = {1, 1.5, -3, 2, 0.1};
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    assert_int_equal(pl_xor_encode(&b, t, v, 5), 0);
    for (size_t n = 0; n < b.n; n++) {
        uint8_t *cut = malloc(n ? n : 1);
        assert_non_null(cut);
        memcpy(cut, b.p, n);
        assert_int_equal(pl_xor_decode(pl_str_mem(cut, n), t_out, v_out), PL_ECORRUPT);
        free(cut);
    }
    for (size_t bit = 0; bit < 8 * b.n; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int n = pl_xor_decode(pl_buf_view(&b), t_out, v_out);
        assert_true(n == PL_ECORRUPT || (n >= 0 && n <= 65535));
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    pl_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_the_format),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(no_cut_and_no_flipped_bit_leads_astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
