/* Frame payloads: rows of samples, metadata and idempotency records, series definitions. */
#include "tests/unit/unit.h"
#include "core/store/frame.h"
#include <math.h>
#include <stdlib.h>

static uint64_t rng_state = 1;
static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static void round_trip(const uint32_t *id, const int64_t *t, const double *v, size_t n)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_z(&b, "before");
    assert_int_equal(pl_frame_add_rows(&b, id, t, v, n), 0);
    pl_str it = {(char *)b.p + 6, b.n - 6};
    struct pl_section s;
    struct pl_rows r = {0};
    assert_int_equal(pl_frame_next(&it, &s), 1);
    assert_int_equal(s.type, PL_SECTION_ROWS);
    uint8_t *exact = malloc(s.bytes.n);
    assert_non_null(exact);
    memcpy(exact, s.bytes.p, s.bytes.n);
    assert_int_equal(pl_frame_rows(pl_str_mem(exact, s.bytes.n), &r), 0);
    assert_int_equal(r.n, n);
    assert_memory_equal(r.id, id, n * sizeof *id);
    assert_memory_equal(r.t, t, n * sizeof *t);
    assert_memory_equal(r.v, v, n * sizeof *v);
    assert_int_equal(pl_frame_next(&it, &s), 0);
    free(exact);
    pl_rows_fini(&r);
    pl_buf_fini(&b);
}

TEST(special_doubles_and_extreme_times_come_back_bit_exact)
{
    double v[] = {0.0,
                  -0.0,
                  1,
                  -1,
                  0.1,
                  0.25,
                  1e300,
                  -1e-300,
                  5e-324,
                  INFINITY,
                  -INFINITY,
                  pl_bits_f64(PL_STALE_BITS),
                  pl_bits_f64(PL_STALE_BITS),
                  NAN,
                  -NAN,
                  pl_bits_f64(0x7ff8dead0000beef),
                  pl_bits_f64(0xfff0000000000001),
                  9007199254740993.0,
                  70368744177663.0,
                  70368744177664.0,
                  -70368744177665.0,
                  1.5f,
                  3.14159274101257324,
                  123456.78,
                  1234.567,
                  99999.999999,
                  1e15,
                  255,
                  256,
                  65535,
                  65536,
                  127.5};
    size_t n = sizeof v / sizeof v[0];
    uint32_t id[64];
    int64_t t[64];
    for (size_t i = 0; i < n; i++) {
        id[i] = i % 3 ? (uint32_t)(i * 0x9e3779b9u) : UINT32_MAX - (uint32_t)i;
        t[i] = i % 4 == 0 ? INT64_MIN : i % 4 == 1 ? INT64_MAX : (int64_t)(i * 1000) - 5;
    }
    for (size_t len = 1; len <= n; len++) {
        for (size_t at = 0; at + len <= n; at += 3) {
            round_trip(id + at, t + at, v + at, len);
        }
    }
}

TEST(rows_of_every_shape_and_length_come_back)
{
    enum { N = 5000 };
    uint32_t *id = malloc(N * sizeof *id);
    int64_t *t = malloc(N * sizeof *t);
    double *v = malloc(N * sizeof *v);
    assert_true(id && t && v);
    for (int shape = 0; shape < 60; shape++) {
        size_t n = shape < 20 ? (size_t)shape + 1020 : rng() % N + 1;
        for (size_t i = 0; i < n; i++) {
            uint64_t x = rng();
            id[i] = shape % 3 == 0   ? (uint32_t)i
                    : shape % 3 == 1 ? (uint32_t)(x % 100000)
                                     : (uint32_t)(i / 10);
            t[i] = shape % 4 == 0 ? 1700000000000
                                  : 1700000000000 + (int64_t)(i % 10) * 10000 +
                                        (shape % 4 == 1 ? (int64_t)(x % 7) : 0);
            v[i] = shape % 5 == 0   ? (double)(x % 1000) / 100
                   : shape % 5 == 1 ? (double)(int64_t)(x % 100000)
                   : shape % 5 == 2 ? pl_bits_f64(x)
                   : shape % 5 == 3 ? (x % 2 ? 7.0 : (double)(x % 100000) / 1000)
                                    : 42.5;
        }
        round_trip(id, t, v, n);
    }
    free(id);
    free(t);
    free(v);
}

TEST(a_section_without_rows_is_fine)
{
    struct pl_buf b = PL_BUF_INIT;
    struct pl_rows r = {0};
    struct pl_section s;
    assert_int_equal(pl_frame_add_rows(&b, NULL, NULL, NULL, 0), 0);
    pl_str it = pl_buf_view(&b);
    assert_int_equal(pl_frame_next(&it, &s), 1);
    assert_int_equal(pl_frame_rows(s.bytes, &r), 0);
    assert_int_equal(r.n, 0);
    pl_rows_fini(&r);
    pl_buf_fini(&b);
}

TEST(a_scrape_of_mixed_values_takes_under_four_bytes_a_row)
{
    enum { N = 10000 };
    static uint32_t id[N];
    static int64_t t[N];
    static double v[N];
    for (size_t i = 0; i < N; i++) {
        uint64_t x = rng();
        id[i] = (uint32_t)i;
        t[i] = 1700000000000;
        v[i] = i % 20 < 8    ? (double)(x % 10000000)
               : i % 20 < 15 ? (double)(x % 10000) / 100
               : i % 20 < 18 ? (double)(x % 100)
                             : 1;
    }
    struct pl_buf b = PL_BUF_INIT;
    assert_int_equal(pl_frame_add_rows(&b, id, t, v, N), 0);
    assert_in_range(b.n, N, 4 * N);
    pl_buf_fini(&b);
}

/** Decode whatever it is; it must not crash and must leave r usable. */
static void decode_any(const uint8_t *p, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    assert_non_null(exact);
    memcpy(exact, p, n);
    pl_str it = pl_str_mem(exact, n);
    struct pl_section s;
    struct pl_rows r = {0};
    struct pl_metadata m;
    struct pl_frame_idem k;
    while (pl_frame_next(&it, &s) > 0) {
        if (pl_frame_rows(s.bytes, &r) < 0) {
            assert_int_equal(r.n, 0);
        }
        r.n = 0;
        (void)pl_frame_metadata(s.bytes, &m);
        (void)pl_frame_idem(s.bytes, &k);
    }
    pl_rows_fini(&r);
    free(exact);
}

static void whole_payload(struct pl_buf *b)
{
    uint32_t id[] = {7, 8, 9, 10, 11, 3, 3, 3};
    int64_t t[] = {1000, 1000, 1000, 1000, 1000, 0, 10, 20};
    double v[] = {1, 2.5, 2.25, NAN, 1e300, 5, 5, 123456.5};
    struct pl_metadata m = {PL_STR("m"), PL_STR("s"), PL_STR("help"), PL_TYPE_COUNTER};
    struct pl_frame_idem k = {PL_STR("producer"), PL_STR("key"), PL_STR("reply"), 17, -5};
    assert_int_equal(pl_frame_add_rows(b, id, t, v, 8), 0);
    assert_int_equal(pl_frame_add_metadata(b, &m), 0);
    assert_int_equal(pl_frame_add_idem(b, &k), 0);
}

TEST(metadata_and_idempotency_come_back_and_unknown_sections_are_skipped)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_u8(&b, 200);
    pl_buf_u32(&b, 3);
    pl_buf_z(&b, "xyz");
    whole_payload(&b);
    pl_str it = pl_buf_view(&b);
    struct pl_section s;
    assert_int_equal(pl_frame_next(&it, &s), 1);
    assert_int_equal(s.type, 200);
    assert_int_equal(pl_frame_next(&it, &s), 1);
    assert_int_equal(pl_frame_next(&it, &s), 1);
    struct pl_metadata m;
    assert_int_equal(pl_frame_metadata(s.bytes, &m), 0);
    assert_true(pl_str_eq(m.metric, PL_STR("m")) && pl_str_eq(m.unit, PL_STR("s")) &&
                pl_str_eq(m.help, PL_STR("help")) && m.type == PL_TYPE_COUNTER);
    assert_int_equal(pl_frame_next(&it, &s), 1);
    struct pl_frame_idem k;
    assert_int_equal(pl_frame_idem(s.bytes, &k), 0);
    assert_true(pl_str_eq(k.producer, PL_STR("producer")) && pl_str_eq(k.key, PL_STR("key")) &&
                pl_str_eq(k.reply, PL_STR("reply")) && k.stream_seq == 17 && k.t_ms == -5);
    assert_int_equal(pl_frame_next(&it, &s), 0);
    pl_buf_fini(&b);
}

TEST(every_prefix_and_every_bit_flip_of_a_payload_is_survived)
{
    struct pl_buf b = PL_BUF_INIT;
    whole_payload(&b);
    for (size_t n = 0; n <= b.n; n++) {
        decode_any(b.p, n);
    }
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        decode_any(b.p, b.n);
        b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    pl_buf_fini(&b);
}

/* ------------------------------------------------------------------------------------ definitions
 */

static void canon(struct pl_buf *b, const char *metric, unsigned host, unsigned cpu)
{
    char h[64], c[300];
    snprintf(h, sizeof h, "host_%u", host);
    snprintf(c, sizeof c, "%u%0*u", cpu, (int)(cpu % 200), 7u);
    struct pl_label l[] = {{PL_METRIC_NAME, pl_str_c(metric)},
                           {PL_STR("cpu"), pl_str_c(cpu ? c : "")},
                           {PL_STR("host"), pl_str_c(h)},
                           {PL_STR("region"), PL_STR("eu-central-1")}};
    pl_buf_clear(b);
    assert_true(pl_labels_canon(l, 4, b, NULL) > 0);
}

static void define(uint32_t i, struct pl_buf *b)
{
    static const char *const names[] = {"cpu_user", "cpu_usage_total", "mem"};
    canon(b, names[i % 3], i / 7, i % 5 * 41);
}

TEST(definitions_come_back_in_batches_of_any_size)
{
    enum { N = 500 };
    struct pl_define_writer w = {0};
    struct pl_buf out = PL_BUF_INIT, b = PL_BUF_INIT;
    pl_define_writer_reset(&w);
    for (uint32_t i = 0; i < N; i++) {
        define(i, &b);
        assert_int_equal(pl_define_add(&w, &out, i < 400 ? i + 5 : UINT32_MAX - i, pl_buf_view(&b)),
                         0);
    }
    struct pl_define_reader r = {0};
    for (size_t cap = 1; cap <= 600; cap += 43) {
        struct pl_series_def defs[600];
        uint32_t i = 0;
        int n;
        pl_define_reader_begin(&r, pl_buf_view(&out));
        while ((n = pl_define_read(&r, defs, cap)) > 0) {
            for (int k = 0; k < n; k++, i++) {
                define(i, &b);
                assert_int_equal(defs[k].id, i < 400 ? i + 5 : UINT32_MAX - i);
                assert_true(pl_str_eq(defs[k].canon, pl_buf_view(&b)));
            }
        }
        assert_int_equal(n, 0);
        assert_int_equal(i, N);
    }
    pl_define_reader_fini(&r);
    pl_define_writer_fini(&w);
    pl_buf_fini(&out);
    pl_buf_fini(&b);
}

TEST(a_definition_without_labels_and_one_with_the_most_come_back)
{
    struct pl_define_writer w = {0};
    struct pl_define_reader r = {0};
    struct pl_buf out = PL_BUF_INIT, b = PL_BUF_INIT;
    struct pl_series_def defs[4];
    for (unsigned i = 0; i < PL_LABELS_MAX; i++) {
        pl_buf_u8(&b, 2);
        pl_buf_u8(&b, (uint8_t)('a' + i / 16));
        pl_buf_u8(&b, (uint8_t)('a' + i % 16));
        pl_buf_u8(&b, 1);
        pl_buf_u8(&b, 'v');
    }
    pl_define_writer_reset(&w);
    assert_int_equal(pl_define_add(&w, &out, 0, PL_STR_NULL), 0);
    assert_int_equal(pl_define_add(&w, &out, 1, pl_buf_view(&b)), 0);
    assert_int_equal(pl_define_add(&w, &out, 2, pl_buf_view(&b)), 0);
    assert_int_equal(pl_define_add(&w, &out, 3, PL_STR_NULL), 0);
    pl_define_reader_begin(&r, pl_buf_view(&out));
    assert_int_equal(pl_define_read(&r, defs, 4), 4);
    assert_int_equal(defs[0].canon.n, 0);
    assert_true(pl_str_eq(defs[1].canon, pl_buf_view(&b)));
    assert_true(pl_str_eq(defs[2].canon, pl_buf_view(&b)));
    assert_int_equal(defs[3].canon.n, 0);
    pl_define_reader_fini(&r);
    pl_define_writer_fini(&w);
    pl_buf_fini(&out);
    pl_buf_fini(&b);
}

TEST(definitions_without_any_labels_come_back)
{
    struct pl_define_writer w = {0};
    struct pl_define_reader r = {0};
    struct pl_buf out = PL_BUF_INIT;
    struct pl_series_def defs[4];
    pl_define_writer_reset(&w);
    assert_int_equal(pl_define_add(&w, &out, 4, PL_STR_NULL), 0);
    assert_int_equal(pl_define_add(&w, &out, 2, PL_STR_NULL), 0);
    pl_define_reader_begin(&r, pl_buf_view(&out));
    assert_int_equal(pl_define_read(&r, defs, 4), 2);
    assert_true(defs[0].id == 4 && defs[1].id == 2 && defs[0].canon.n + defs[1].canon.n == 0);
    assert_int_equal(pl_define_read(&r, defs, 4), 0);
    pl_define_reader_fini(&r);
    pl_define_writer_fini(&w);
    pl_buf_fini(&out);
}

/** Whatever is read can be walked. */
static void read_any(const uint8_t *p, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    assert_non_null(exact);
    memcpy(exact, p, n);
    struct pl_define_reader r = {0};
    struct pl_series_def defs[3];
    int k;
    pl_define_reader_begin(&r, pl_str_mem(exact, n));
    while ((k = pl_define_read(&r, defs, 3)) > 0) {
        for (int i = 0; i < k; i++) {
            pl_str it = defs[i].canon;
            struct pl_label l;
            while (pl_labels_next(&it, &l)) {
                assert_true(l.value.p + l.value.n <= defs[i].canon.p + defs[i].canon.n);
            }
        }
    }
    pl_define_reader_fini(&r);
    free(exact);
}

TEST(every_prefix_and_every_bit_flip_of_definitions_is_survived)
{
    struct pl_define_writer w = {0};
    struct pl_buf out = PL_BUF_INIT, b = PL_BUF_INIT;
    pl_define_writer_reset(&w);
    for (uint32_t i = 0; i < 12; i++) {
        define(i, &b);
        assert_int_equal(pl_define_add(&w, &out, i, pl_buf_view(&b)), 0);
    }
    for (size_t n = 0; n <= out.n; n++) {
        read_any(out.p, n);
    }
    for (size_t bit = 0; bit < out.n * 8; bit++) {
        out.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        read_any(out.p, out.n);
        out.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    pl_define_writer_fini(&w);
    pl_buf_fini(&out);
    pl_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_doubles_and_extreme_times_come_back_bit_exact),
        cmocka_unit_test(rows_of_every_shape_and_length_come_back),
        cmocka_unit_test(a_section_without_rows_is_fine),
        cmocka_unit_test(a_scrape_of_mixed_values_takes_under_four_bytes_a_row),
        cmocka_unit_test(metadata_and_idempotency_come_back_and_unknown_sections_are_skipped),
        cmocka_unit_test(every_prefix_and_every_bit_flip_of_a_payload_is_survived),
        cmocka_unit_test(definitions_come_back_in_batches_of_any_size),
        cmocka_unit_test(a_definition_without_labels_and_one_with_the_most_come_back),
        cmocka_unit_test(definitions_without_any_labels_come_back),
        cmocka_unit_test(every_prefix_and_every_bit_flip_of_definitions_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
