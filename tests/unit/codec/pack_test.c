#include "core/codec/pack.h"
#include "tests/unit/codec/columns.h"

/* A pack of n_series, each of its own shape; what went in is kept to compare. */
enum { SERIES_MAX = 64, SAMPLES_MAX = 1200 };
struct made {
    size_t n_series;
    uint32_t id[SERIES_MAX];
    size_t n[SERIES_MAX];
    int64_t t[SERIES_MAX][SAMPLES_MAX];
    double v[SERIES_MAX][SAMPLES_MAX];
};

static void make(struct rng *r, struct made *m, size_t n_series, size_t n_max)
{
    uint32_t id = (uint32_t)below(r, 1000);
    m->n_series = n_series;
    for (size_t s = 0; s < n_series; s++) {
        id += (uint32_t)(below(r, 4) ? 1 : 1 + below(r, 500));
        m->id[s] = id;
        m->n[s] = below(r, 3) ? n_max : 1 + below(r, n_max);
        bool shared = below(r, 4);
        for (size_t i = 0; i < m->n[s]; i++) {
            m->t[s][i] = 1700000000000 + (int64_t)i * 10000 + (shared ? 0 : (int64_t)below(r, 50));
        }
        fill(r, (enum shape)below(r, N_SHAPES), m->v[s], m->n[s]);
    }
}

static void write_pack(const struct made *m, enum pl_effort effort, struct pl_buf *out)
{
    struct pl_pack_writer *w;
    assert_int_equal(pl_pack_writer_new(effort, &w), 0);
    for (size_t s = 0; s < m->n_series; s++) {
        assert_int_equal(pl_pack_add(w, m->id[s], m->t[s], m->v[s], m->n[s]), 0);
    }
    assert_true(pl_pack_size(w) > 0);
    assert_true(pl_pack_finish(w, out) > 0);
    assert_int_equal(pl_pack_size(w), 0);
    assert_int_equal(pl_pack_finish(w, out), 0);
    pl_pack_writer_free(w);
}

static void expect(struct pl_pack *p, const struct made *m)
{
    uint32_t at = 0;
    for (size_t s = 0; s < m->n_series; s++) {
        uint32_t from, to;
        assert_int_equal(pl_pack_find(p, m->id[s], &from, &to), 0);
        assert_int_equal(from, at);
        size_t done = 0;
        for (uint32_t i = from; i < to; i++) {
            int64_t t[PL_CHUNK_MAX];
            double v[PL_CHUNK_MAX];
            int n = pl_pack_decode(p, i, t, v);
            assert_int_equal(n, p->chunks[i].n);
            assert_memory_equal(t, m->t[s] + done, (size_t)n * sizeof *t);
            assert_memory_equal(v, m->v[s] + done, (size_t)n * sizeof *v);
            assert_true(p->chunks[i].t0 == t[0] && p->chunks[i].t1 == t[n - 1]);
            done += (size_t)n;
        }
        assert_int_equal(done, m->n[s]);
        at = to;
    }
    assert_int_equal(at, p->n_chunks);
}

TEST(what_goes_in_comes_out_whatever_the_effort)
{
    struct rng r = {11};
    struct made *m = malloc(sizeof *m);
    struct pl_pack p;
    pl_pack_init(&p);
    for (int k = 0; k < 40; k++) {
        struct pl_buf b = PL_BUF_INIT;
        make(&r, m, 1 + below(&r, SERIES_MAX), 1 + below(&r, SAMPLES_MAX));
        write_pack(m, k & 1 ? PL_EFFORT_SMALL : PL_EFFORT_FAST, &b);
        uint8_t *c = exact_copy(b.p, b.n);
        assert_int_equal(pl_pack_open(&p, c, b.n), 0);
        expect(&p, m);
        uint32_t first, last, n;
        int64_t t0, t1;
        assert_int_equal(pl_pack_peek(c, b.n, &first, &last, &t0, &t1, &n), 0);
        assert_true(first == m->id[0] && last == m->id[m->n_series - 1]);
        assert_true(t0 == p.t0 && t1 == p.t1 && n == p.n_chunks);
        uint32_t from, to;
        assert_int_equal(pl_pack_find(&p, m->id[m->n_series - 1] + 1, &from, &to), PL_ENOTFOUND);
        free(c);
        pl_buf_fini(&b);
    }
    pl_pack_fini(&p);
    free(m);
}

TEST(series_of_one_scrape_store_their_timestamps_once)
{
    struct pl_pack_writer *w;
    struct pl_pack p;
    struct pl_buf b = PL_BUF_INIT;
    struct rng r = {3};
    int64_t t[1000];
    double v[1000];
    for (int i = 0; i < 1000; i++) {
        t[i] = i * 1000 + (int64_t)below(&r, 200);
        v[i] = 1;
    }
    assert_int_equal(pl_pack_writer_new(PL_EFFORT_FAST, &w), 0);
    for (uint32_t id = 0; id < 100; id++) {
        assert_int_equal(pl_pack_add(w, id, t, v, 1000), 0);
    }
    assert_int_equal(pl_pack_finish(w, &b), 200);
    assert_true(b.n < 1000 + 300 + 200 * 6);
    pl_pack_init(&p);
    assert_int_equal(pl_pack_open(&p, b.p, b.n), 0);
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(p.chunks[i].tcol_ix, i % 2);
        assert_int_equal(p.chunks[i].n, 500);
    }
    pl_pack_fini(&p);
    pl_pack_writer_free(w);
    pl_buf_fini(&b);
}

TEST(ten_samples_a_series_cost_little)
{
    struct pl_pack_writer *w;
    struct pl_buf b = PL_BUF_INIT;
    struct rng r = {8};
    int64_t t[10];
    double v[10];
    assert_int_equal(pl_pack_writer_new(PL_EFFORT_SMALL, &w), 0);
    for (uint32_t id = 0; id < 1000; id++) {
        for (int i = 0; i < 10; i++) {
            t[i] = 1700000000000 + i * 10000;
        }
        fill(&r, id & 1 ? COUNTER : GAUGE2, v, 10);
        assert_int_equal(pl_pack_add(w, id, t, v, 10), 0);
    }
    assert_int_equal(pl_pack_finish(w, &b), 1000);
    assert_true(b.n < 1000 * 10 * 3);
    pl_pack_writer_free(w);
    pl_buf_fini(&b);
}

TEST(ids_and_times_that_step_back_are_refused)
{
    struct pl_pack_writer *w;
    int64_t t[2] = {1000, 2000}, later[1] = {2001}, flat[2] = {5000, 5000};
    double v[2] = {1, 2};
    assert_int_equal(pl_pack_writer_new(PL_EFFORT_FAST, &w), 0);
    assert_int_equal(pl_pack_add(w, 5, t, v, 2), 0);
    assert_int_equal(pl_pack_add(w, 4, t, v, 2), PL_EINVAL);
    assert_int_equal(pl_pack_add(w, 5, t, v, 2), PL_EINVAL);
    assert_int_equal(pl_pack_add(w, 6, flat, v, 2), PL_EINVAL);
    assert_int_equal(pl_pack_add(w, 5, later, v, 1), 0);
    struct pl_buf b = PL_BUF_INIT;
    assert_int_equal(pl_pack_finish(w, &b), 2);
    struct pl_pack p;
    pl_pack_init(&p);
    assert_int_equal(pl_pack_open(&p, b.p, b.n), 0);
    pl_pack_fini(&p);
    pl_buf_fini(&b);
    pl_pack_writer_free(w);
}

/** A series of floats, then histograms, then floats; another one of histograms. */
static void add_mixed(struct pl_pack_writer *w, const int64_t *t, const double *v)
{
    assert_int_equal(pl_pack_add(w, 3, t, v, 10), 0);
    assert_int_equal(pl_pack_add_histograms(w, 3, t + 10, 10, PL_STR("one"), v, 4), 0);
    assert_int_equal(pl_pack_add_histograms(w, 3, t + 20, 1, PL_STR("two"), v + 7, 3), 0);
    assert_int_equal(pl_pack_add(w, 3, t + 21, v + 21, 10), 0);
    assert_int_equal(pl_pack_add_histograms(w, 9, t, 10, PL_STR("one"), v, 4), 0);
}

static void expect_histograms(struct pl_pack *p, uint32_t i, size_t n, const char *want,
                              const double *v, uint32_t n_cols)
{
    pl_str layout;
    const double *cols;
    uint32_t n_got;
    int64_t t[PL_CHUNK_MAX];
    double f[PL_CHUNK_MAX];
    struct pl_chunk_summary s;
    assert_int_equal(p->chunks[i].type, PL_SAMPLE_HISTOGRAM);
    assert_int_equal(pl_pack_histograms(p, i, &layout, &cols, &n_got), n);
    assert_true(pl_str_eq(layout, pl_str_c(want)));
    assert_int_equal(n_got, n_cols);
    assert_memory_equal(cols, v, n * n_cols * sizeof *v);
    assert_int_equal(pl_pack_decode(p, i, t, f), PL_EUNSUPPORTED);
    assert_int_equal(pl_pack_summary(p, i, &s), PL_EUNSUPPORTED);
}

TEST(histograms_stand_between_floats)
{
    struct rng r = {23};
    int64_t t[64];
    double v[64], got[PL_CHUNK_MAX];
    int64_t got_t[PL_CHUNK_MAX];
    fill(&r, (enum shape)0, v, 64);
    for (int i = 0; i < 64; i++) {
        t[i] = 1000 + i * 15000;
    }
    for (int k = 0; k < 2; k++) {
        struct pl_pack_writer *w;
        struct pl_buf b = PL_BUF_INIT;
        struct pl_pack p;
        uint32_t from, to;
        pl_pack_init(&p);
        assert_int_equal(pl_pack_writer_new(k ? PL_EFFORT_SMALL : PL_EFFORT_FAST, &w), 0);
        add_mixed(w, t, v);
        assert_int_equal(pl_pack_add_histograms(w, 9, t, 1, PL_STR("one"), v, 4), PL_EINVAL);
        assert_int_equal(pl_pack_add_histograms(w, 9, t + 40, 0, PL_STR("one"), v, 4), PL_EINVAL);
        assert_int_equal(pl_pack_finish(w, &b), 5);
        assert_int_equal(pl_pack_open(&p, b.p, b.n), 0);
        assert_int_equal(pl_pack_find(&p, 3, &from, &to), 0);
        assert_int_equal(to - from, 4);
        assert_int_equal(pl_pack_decode(&p, 0, got_t, got), 10);
        assert_memory_equal(got, v, 10 * sizeof *v);
        assert_int_equal(pl_pack_decode(&p, 3, got_t, got), 10);
        assert_memory_equal(got, v + 21, 10 * sizeof *v);
        expect_histograms(&p, 1, 10, "one", v, 4);
        expect_histograms(&p, 2, 1, "two", v + 7, 3);
        expect_histograms(&p, 4, 10, "one", v, 4);
        assert_int_equal(p.chunks[4].tcol_ix, p.chunks[0].tcol_ix); /* the same times, once */
        pl_pack_fini(&p);
        pl_buf_fini(&b);
        pl_pack_writer_free(w);
    }
}

/* With a CRC made good again, so that the directory's own checks are what is tested. */
static void open_damaged(uint8_t *c, size_t n, bool mend)
{
    struct pl_pack p;
    int64_t t[PL_CHUNK_MAX];
    double v[PL_CHUNK_MAX];
    pl_pack_init(&p);
    if (mend && n > 4) {
        pl_wr32(c, pl_crc32c(0, c + 4, n - 4));
    }
    int err = pl_pack_open(&p, c, n);
    assert_true(err == 0 || err == PL_ECORRUPT);
    assert_true(mend || err == PL_ECORRUPT);
    for (uint32_t i = 0; i < p.n_chunks; i++) {
        int got = pl_pack_decode(&p, i, t, v);
        struct pl_chunk_summary s;
        pl_str layout;
        const double *cols;
        uint32_t n_cols;
        int histograms = pl_pack_histograms(&p, i, &layout, &cols, &n_cols);
        assert_true(histograms == PL_ECORRUPT || histograms == PL_EUNSUPPORTED ||
                    histograms == p.chunks[i].n);
        assert_true(got == PL_ECORRUPT || got == PL_EUNSUPPORTED || got == p.chunks[i].n);
        assert_true(pl_pack_summary(&p, i, &s) <= 0);
    }
    pl_pack_fini(&p);
}

TEST(damage_is_found_by_the_checksum_and_survived_without_it)
{
    struct rng r = {21};
    struct made *m = malloc(sizeof *m);
    for (int k = 0; k < 3; k++) {
        struct pl_buf b = PL_BUF_INIT;
        make(&r, m, 6, 30);
        if (k < 2) {
            write_pack(m, k ? PL_EFFORT_SMALL : PL_EFFORT_FAST, &b);
        } else { /* with histograms */
            struct pl_pack_writer *w;
            assert_int_equal(pl_pack_writer_new(PL_EFFORT_FAST, &w), 0);
            for (int i = 0; i < 31; i++) {
                m->t[0][i] = 1000 + i;
                m->v[0][i] = i * 3;
            }
            add_mixed(w, m->t[0], m->v[0]);
            assert_true(pl_pack_finish(w, &b) > 0);
            pl_pack_writer_free(w);
        }
        for (int mend = 0; mend < 2; mend++) {
            for (size_t n = 0; n < b.n; n++) {
                uint8_t *c = exact_copy(b.p, n);
                open_damaged(c, n, mend);
                free(c);
            }
            for (size_t bit = mend ? 32 : 0; bit < b.n * 8; bit++) {
                uint8_t *c = exact_copy(b.p, b.n);
                c[bit / 8] ^= (uint8_t)(1u << (bit & 7));
                open_damaged(c, b.n, mend);
                free(c);
            }
        }
        pl_buf_fini(&b);
    }
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_whatever_the_effort),
        cmocka_unit_test(series_of_one_scrape_store_their_timestamps_once),
        cmocka_unit_test(ten_samples_a_series_cost_little),
        cmocka_unit_test(ids_and_times_that_step_back_are_refused),
        cmocka_unit_test(histograms_stand_between_floats),
        cmocka_unit_test(damage_is_found_by_the_checksum_and_survived_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
