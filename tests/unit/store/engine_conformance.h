/* What every pl_engine must do. The test file of an engine sets how to open one (engine_place.h)
 * and has ENGINE_CONFORMANCE_TESTS in its list of tests. */
#pragma once
#include "tests/unit/store/engine_place.h"

TEST(what_is_flushed_is_read_back_bit_exact)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    const double odd[] = {0.0,
                          -0.0,
                          1.5,
                          1e300,
                          -1e-300,
                          pl_bits_f64(0x7ff0000000000002u),
                          pl_bits_f64(0x7ff8000000000000u),
                          pl_bits_f64(0x7ff0000000000000u),
                          pl_bits_f64(0xfff0000000000000u),
                          pl_bits_f64(1)};
    for (uint32_t id = 0; id < 50; id++) {
        for (int i = 0; i < 40; i++) {
            rows_add(&m.rows, id * 3, T0 + i * 15000 + id, odd[(id + (unsigned)i) % 10]);
        }
    }
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, 0), 0);
    same_as_model(&p, &m, 160, INT64_MIN, INT64_MAX);
    same_as_model(&p, &m, 160, T0 + 15000, T0 + 30000);
    place_reopen(&p);
    same_as_model(&p, &m, 160, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

TEST(the_last_written_of_equal_timestamps_counts)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    for (int round = 0; round < 5; round++) {
        size_t from = m.rows.n;
        for (int i = round; i < 100; i += 1 + round) {
            rows_add(&m.rows, 7, T0 + i * 1000, round * 1000 + i);
        }
        assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
        same_as_model(&p, &m, 8, INT64_MIN, INT64_MAX);
    }
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    same_as_model(&p, &m, 8, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

TEST(histograms_are_read_back_byte_by_byte_and_beside_floats)
{
    struct place p;
    struct model m = {0};
    const double stale = pl_bits_f64(0x7ff0000000000002u);
    place_begin(&p);
    for (int i = 0; i < 1500; i++) { /* of one kind, mixed, in turns */
        rows_add(&m.rows, 1, T0 + i * 15000, pl_histogram_box((uint64_t)i));
        rows_add(&m.rows, 2, T0 + i * 15000,
                 i % 100 < 40 ? (double)i : pl_histogram_box((uint64_t)i));
        rows_add(&m.rows, 3, T0 + i * 15000, i % 2 ? stale : pl_histogram_box(7));
        rows_add(&m.rows, 4, T0 + i * 15000, i);
    }
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, 0), 0);
    same_as_model(&p, &m, 6, INT64_MIN, INT64_MAX);
    same_as_model(&p, &m, 6, T0 + 777 * 15000, T0 + 1234 * 15000);
    place_reopen(&p);
    same_as_model(&p, &m, 6, INT64_MIN, INT64_MAX);
    size_t from = m.rows.n; /* late, over what is there, and of another type */
    for (int i = 0; i < 300; i++) {
        rows_add(&m.rows, 1, T0 + i * 20000, i % 3 ? pl_histogram_box(5000 + (uint64_t)i) : i);
        rows_add(&m.rows, 4, T0 + i * 20000, pl_histogram_box((uint64_t)i));
    }
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
    same_as_model(&p, &m, 6, INT64_MIN, INT64_MAX);
    const uint32_t ids[] = {1, 2};
    m.erased[m.n_erased++] = (struct erased){1, T0 + 100000, T0 + 900000, m.rows.seq};
    m.erased[m.n_erased++] = (struct erased){2, T0 + 100000, T0 + 900000, m.rows.seq};
    assert_int_equal(p.e->ops->erase(p.t, ids, 2, T0 + 100000, T0 + 900000, m.rows.seq), 0);
    same_as_model(&p, &m, 6, INT64_MIN, INT64_MAX);
    uint64_t packs = 0, findings = 0;
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    same_as_model(&p, &m, 6, INT64_MIN, INT64_MAX);
    assert_int_equal(p.e->ops->scrub(p.t, NULL, NULL, &packs, &findings), 0);
    assert_int_equal(findings, 0);
    place_reopen(&p);
    same_as_model(&p, &m, 6, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

TEST(flushed_seq_and_records_come_with_the_samples)
{
    struct place p;
    place_begin(&p);
    assert_int_equal(p.e->ops->flushed_seq(p.t), 0);
    const struct pl_record records[] = {
        {PL_RECORD_SERIES, false, PL_STR("b"), PL_STR("two")},
        {PL_RECORD_SERIES, false, PL_STR("a"), PL_STR("one")},
        {PL_RECORD_METADATA, false, PL_STR("a"), PL_STR("meta")},
        {PL_RECORD_SERIES, false, PL_STR("c"), PL_STR("")},
    };
    struct pl_flush f = {.first_seq = 1, .last_seq = 9, .records = records, .n_records = 4};
    assert_int_equal(p.e->ops->write(p.t, &f), 0);
    const struct pl_record gone = {PL_RECORD_SERIES, true, PL_STR("b"), PL_STR_NULL};
    f = (struct pl_flush){.first_seq = 10, .last_seq = 12, .records = &gone, .n_records = 1};
    assert_int_equal(p.e->ops->write(p.t, &f), 0);
    place_reopen(&p);
    assert_int_equal(p.e->ops->flushed_seq(p.t), 12);
    place_end(&p);
}

struct seen {
    char text[256];
};

static inline int see_record(void *ctx, pl_str key, pl_str value)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof s->text - n, "%.*s=%.*s;", PL_PRS(key), PL_PRS(value));
    return 0;
}

TEST(records_come_by_kind_in_order_of_their_keys)
{
    struct place p;
    place_begin(&p);
    const struct pl_record records[] = {
        {PL_RECORD_SERIES, false, PL_STR("b"), PL_STR("two")},
        {PL_RECORD_SERIES, false, PL_STR("a"), PL_STR("one")},
        {PL_RECORD_METADATA, false, PL_STR("z"), PL_STR("meta")},
    };
    const struct pl_record more[] = {
        {PL_RECORD_SERIES, true, PL_STR("b"), PL_STR_NULL},
        {PL_RECORD_SERIES, false, PL_STR("a"), PL_STR("new")},
        {PL_RECORD_SERIES, true, PL_STR("never was"), PL_STR_NULL},
        {PL_RECORD_SERIES, false, PL_STR("c"), PL_STR("three")},
    };
    struct pl_flush f = {.first_seq = 1, .last_seq = 1, .records = records, .n_records = 3};
    assert_int_equal(p.e->ops->write(p.t, &f), 0);
    struct seen s = {""};
    assert_int_equal(p.e->ops->records(p.t, PL_RECORD_SERIES, see_record, &s), 0);
    assert_string_equal(s.text, "a=one;b=two;");
    f = (struct pl_flush){.first_seq = 2, .last_seq = 2, .records = more, .n_records = 4};
    assert_int_equal(p.e->ops->write(p.t, &f), 0);
    place_reopen(&p);
    s = (struct seen){""};
    assert_int_equal(p.e->ops->records(p.t, PL_RECORD_SERIES, see_record, &s), 0);
    assert_string_equal(s.text, "a=new;c=three;");
    s = (struct seen){""};
    assert_int_equal(p.e->ops->records(p.t, PL_RECORD_METADATA, see_record, &s), 0);
    assert_string_equal(s.text, "z=meta;");
    place_end(&p);
}

TEST(late_samples_of_any_age_find_their_day)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    for (int round = 0; round < 6; round++) {
        size_t from = m.rows.n;
        for (int day = -3; day < 12; day++) {
            for (uint32_t id = 0; id < 4; id++) {
                rows_add(&m.rows, id, (day - round) * DAY + round * 60000 + id, day + 0.5);
            }
        }
        assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
    }
    same_as_model(&p, &m, 5, INT64_MIN, INT64_MAX);
    same_as_model(&p, &m, 5, -DAY, 2 * DAY);
    assert_int_equal(p.e->ops->seal(p.t, false, NULL, NULL), 0);
    same_as_model(&p, &m, 5, INT64_MIN, INT64_MAX);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    same_as_model(&p, &m, 5, INT64_MIN, INT64_MAX);
    struct pl_engine_stats st;
    assert_int_equal(p.e->ops->stats(p.t, &st), 0);
    assert_int_equal(st.n_samples, m.rows.n);
    assert_int_equal(st.n_runs, st.n_partitions);
    place_reopen(&p);
    same_as_model(&p, &m, 5, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

TEST(a_view_stays_as_it_was_while_days_are_merged_and_dropped)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    for (int round = 0; round < 3; round++) {
        size_t from = m.rows.n;
        for (int i = 0; i < 200; i++) {
            rows_add(&m.rows, (uint32_t)i % 10, T0 + round * 40000 + i * 100, i);
        }
        assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
    }
    struct pl_view *v;
    assert_int_equal(p.e->ops->view(p.t, INT64_MIN, INT64_MAX, &v), 0);
    struct rows more = {.seq = m.rows.seq};
    rows_add(&more, 3, T0 + 5, 99);
    assert_int_equal(rows_flush(p.t, p.e, &more, 0), 0);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    same_view(p.e, v, &m, 10, INT64_MIN, INT64_MAX);
    assert_int_equal(p.e->ops->retain(p.t, T0 + 3 * DAY), 0);
    same_view(p.e, v, &m, 10, INT64_MIN, INT64_MAX);
    p.e->ops->view_free(v);
    assert_int_equal(count_samples(&p, 10), 0);
    free(more.r);
    free(m.rows.r);
    place_end(&p);
}

/** Samples of id 1 that a view shows in runs above seq. */
static inline size_t samples_since(struct place *p, struct pl_view *v, uint64_t seq)
{
    struct pl_view *late;
    struct pl_cursor *c;
    struct pl_columns cols = {0};
    struct pl_read_stats stats = {0};
    assert_int_equal(p->e->ops->view_since(v, seq, &late), 0);
    assert_int_equal(p->e->ops->cursor(late, &c), 0);
    assert_int_equal(p->e->ops->read(c, 1, INT64_MIN, INT64_MAX, &cols, &stats), 0);
    size_t n = cols.n;
    uint32_t ids[] = {1, 2};
    assert_int_equal(p->e->ops->view_filter(late, ids, 2), n > 0);
    pl_columns_fini(&cols);
    p->e->ops->cursor_free(c);
    p->e->ops->view_free(late);
    return n;
}

TEST(a_view_shows_the_samples_of_runs_above_a_number)
{
    struct place p;
    struct rows x = {0};
    struct pl_view *v;
    place_begin(&p);
    for (int round = 0; round < 3; round++) {
        size_t from = x.n;
        for (int i = 0; i < 10 + round; i++) {
            rows_add(&x, 1, T0 + round * 100000 + i * 1000, i);
        }
        assert_int_equal(rows_flush(p.t, p.e, &x, from), 0);
    }
    assert_int_equal(p.e->ops->view(p.t, INT64_MIN, INT64_MAX, &v), 0);
    assert_int_equal(samples_since(&p, v, 0), 33);
    assert_int_equal(samples_since(&p, v, 1), 23);
    assert_int_equal(samples_since(&p, v, 2), 12);
    assert_int_equal(samples_since(&p, v, 3), 0);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    assert_int_equal(samples_since(&p, v, 2), 12); /* the view is of before */
    p.e->ops->view_free(v);
    assert_int_equal(p.e->ops->view(p.t, INT64_MIN, INT64_MAX, &v), 0);
    assert_int_equal(samples_since(&p, v, 2), 33); /* merged: all counts as new */
    assert_int_equal(samples_since(&p, v, 3), 0);
    p.e->ops->view_free(v);
    free(x.r);
    place_end(&p);
}

TEST(erased_samples_are_hidden_at_once_and_later_ones_are_not)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    for (int i = 0; i < 100; i++) {
        for (uint32_t id = 0; id < 4; id++) {
            rows_add(&m.rows, id, T0 + i * 1000, i);
        }
    }
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, 0), 0);
    const uint32_t ids[] = {1, 3};
    assert_int_equal(p.e->ops->erase(p.t, ids, 2, T0 + 20000, T0 + 50000, m.rows.seq), 0);
    m.erased[0] = (struct erased){1, T0 + 20000, T0 + 50000, m.rows.seq};
    m.erased[1] = (struct erased){3, T0 + 20000, T0 + 50000, m.rows.seq};
    m.n_erased = 2;
    same_as_model(&p, &m, 4, INT64_MIN, INT64_MAX);
    place_reopen(&p);
    same_as_model(&p, &m, 4, INT64_MIN, INT64_MAX);
    size_t from = m.rows.n;
    rows_add(&m.rows, 3, T0 + 30000, 77);
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
    same_as_model(&p, &m, 4, INT64_MIN, INT64_MAX);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    same_as_model(&p, &m, 4, INT64_MIN, INT64_MAX);
    struct pl_engine_stats st;
    assert_int_equal(p.e->ops->stats(p.t, &st), 0);
    assert_int_equal(st.n_samples, 400 - 2 * 31 + 1);
    place_reopen(&p);
    same_as_model(&p, &m, 4, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

static inline void mark_live(void *ctx, uint32_t from, uint32_t to)
{
    for (uint32_t id = from; id <= to && id < 64; id++) {
        ((bool *)ctx)[id] = true;
    }
}

TEST(live_ids_are_those_with_samples_left)
{
    struct place p;
    struct rows x = {0};
    place_begin(&p);
    for (uint32_t id = 0; id < 20; id++) {
        rows_add(&x, id, T0 + (id < 10 ? 0 : 2 * DAY), 1);
    }
    assert_int_equal(rows_flush(p.t, p.e, &x, 0), 0);
    const uint32_t ids[] = {15};
    assert_int_equal(p.e->ops->erase(p.t, ids, 1, INT64_MIN, INT64_MAX, x.seq), 0);
    assert_int_equal(p.e->ops->retain(p.t, T0 + DAY), 0);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    bool live[64] = {false};
    assert_int_equal(p.e->ops->live(p.t, mark_live, live), 0);
    for (uint32_t id = 0; id < 20; id++) {
        assert_int_equal(live[id], id >= 10 && id != 15);
    }
    place_reopen(&p);
    struct pl_view *v;
    uint32_t some[] = {2, 11, 15, 19, 40};
    assert_int_equal(p.e->ops->view(p.t, INT64_MIN, INT64_MAX, &v), 0);
    assert_int_equal(p.e->ops->view_filter(v, some, 5), 2);
    assert_int_equal(some[0], 11);
    assert_int_equal(some[1], 19);
    p.e->ops->view_free(v);
    free(x.r);
    place_end(&p);
}

TEST(tenants_are_apart)
{
    struct place p;
    struct rows x = {0};
    place_begin(&p);
    struct pl_engine_tenant *other, *again;
    assert_int_equal(p.e->ops->tenant(p.e, PL_STR("other"), false, &other), PL_ENOTFOUND);
    assert_int_equal(p.e->ops->tenant(p.e, PL_STR(".."), true, &other), PL_EINVAL);
    assert_int_equal(p.e->ops->tenant(p.e, PL_STR("a/b"), true, &other), PL_EINVAL);
    assert_int_equal(p.e->ops->tenant(p.e, PL_STR("other"), true, &other), 0);
    assert_int_equal(p.e->ops->tenant(p.e, PL_STR("other"), false, &again), 0);
    assert_ptr_equal(other, again);
    rows_add(&x, 1, T0, 5);
    assert_int_equal(rows_flush(other, p.e, &x, 0), 0);
    assert_int_equal(count_samples(&p, 4), 0);
    assert_int_equal(p.e->ops->flushed_seq(p.t), 0);
    assert_int_equal(p.e->ops->flushed_seq(other), 1);
    free(x.r);
    place_end(&p);
}

TEST(a_long_random_life_ends_as_the_model_says)
{
    struct place p;
    struct model m = {0};
    uint64_t rnd = 88172645463325252u;
    place_begin(&p);
    for (int step = 0; step < 60; step++) {
        size_t from = m.rows.n, n = 1 + next_random(&rnd) % 400;
        int64_t base = T0 + (int64_t)(next_random(&rnd) % 4) * DAY;
        for (size_t i = 0; i < n; i++) {
            uint32_t id = (uint32_t)(next_random(&rnd) % 24);
            int64_t t = base + (int64_t)(next_random(&rnd) % 1000) * 60000;
            double v = (double)(next_random(&rnd) % 10000) / 100;
            if (id >= 18 && next_random(&rnd) % 2) {
                v = pl_histogram_box(next_random(&rnd) % 3000);
            }
            rows_add(&m.rows, id, t, v);
        }
        assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
        uint64_t what = next_random(&rnd) % 10;
        if (what == 0) {
            assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
        } else if (what <= 2) {
            p.manual.ms += DAY / 4;
            assert_int_equal(p.e->ops->seal(p.t, false, NULL, NULL), 0);
        } else if (what == 3 && m.n_erased < 60) {
            uint32_t id = (uint32_t)(next_random(&rnd) % 24);
            int64_t t0 = T0 + (int64_t)(next_random(&rnd) % 4000) * 60000;
            int64_t t1 = t0 + (int64_t)(next_random(&rnd) % 1000) * 60000;
            assert_int_equal(p.e->ops->erase(p.t, &id, 1, t0, t1, m.rows.seq), 0);
            m.erased[m.n_erased++] = (struct erased){id, t0, t1, m.rows.seq};
        } else if (what == 4) {
            place_reopen(&p);
        }
        if (step % 10 == 9) {
            same_as_model(&p, &m, 24, INT64_MIN, INT64_MAX);
            same_as_model(&p, &m, 24, T0 + DAY / 3, T0 + DAY + DAY / 2);
        }
    }
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    same_as_model(&p, &m, 24, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

TEST(a_series_too_long_for_one_pack_is_read_whole)
{
    struct place p;
    struct model m = {0};
    uint64_t rnd = 42;
    place_begin(&p);
    rows_add(&m.rows, 1, T0, 1);
    for (int i = 0; i < 400000; i++) {
        rows_add(&m.rows, 2, T0 + i * 100 + (int64_t)(next_random(&rnd) % 90),
                 pl_bits_f64(next_random(&rnd) >> 2));
    }
    rows_add(&m.rows, 3, T0, 3);
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, 0), 0);
    for (int round = 0; round < 2; round++) {
        same_as_model(&p, &m, 5, INT64_MIN, INT64_MAX);
        same_as_model(&p, &m, 5, T0 + 5000000, T0 + 5001000);
        struct pl_view *v;
        struct pl_cursor *c;
        struct pl_columns got = {0};
        assert_int_equal(p.e->ops->view(p.t, INT64_MIN, INT64_MAX, &v), 0);
        assert_int_equal(p.e->ops->cursor(v, &c), 0);
        const uint32_t order[] = {3, 2, 2, 1, 2, 3, 1};
        for (size_t i = 0; i < sizeof order / sizeof *order; i++) { /* in any order */
            assert_int_equal(p.e->ops->read(c, order[i], INT64_MIN, INT64_MAX, &got, NULL), 0);
            assert_int_equal(got.n, order[i] == 2 ? 400000 : 1);
        }
        p.e->ops->cursor_free(c);
        p.e->ops->view_free(v);
        pl_columns_fini(&got);
        assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    }
    free(m.rows.r);
    place_end(&p);
}

struct reader {
    struct place *p;
    const struct model *m;
    _Atomic bool stop;
    _Atomic int rounds;
    pthread_t thread;
};

/** Readers must never see less than what was there when they began. */
static inline void *read_on(void *arg)
{
    struct reader *r = arg;
    struct pl_columns got = {0};
    while (!r->stop || r->rounds == 0) {
        struct pl_view *v;
        struct pl_cursor *c;
        if (r->p->e->ops->view(r->p->t, INT64_MIN, INT64_MAX, &v) < 0 ||
            r->p->e->ops->cursor(v, &c) < 0) {
            break;
        }
        for (uint32_t id = 0; id < 10; id++) {
            if (r->p->e->ops->read(c, id, T0, T0 + 100000, &got, NULL) < 0 || got.n != 101) {
                r->rounds = -1;
                r->stop = true;
            }
        }
        r->p->e->ops->cursor_free(c);
        r->p->e->ops->view_free(v);
        if (r->rounds < 0) {
            break;
        }
        r->rounds++;
    }
    pl_columns_fini(&got);
    return NULL;
}

TEST(readers_go_on_while_runs_are_written_and_merged)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    for (uint32_t id = 0; id < 10; id++) {
        for (int i = 0; i <= 100; i++) {
            rows_add(&m.rows, id, T0 + i * 1000, i);
        }
    }
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, 0), 0);
    struct reader r[2] = {{.p = &p, .m = &m}, {.p = &p, .m = &m}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pl_thread_start(&r[i].thread, "reader", read_on, &r[i]), 0);
    }
    for (int round = 0; round < 12; round++) {
        size_t from = m.rows.n;
        for (uint32_t id = 0; id < 10; id++) {
            rows_add(&m.rows, id, T0 + (round % 3) * DAY + 200000 + round * 1000, round);
        }
        assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
        if (round % 4 == 3) {
            assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
        }
    }
    for (int i = 0; i < 2; i++) {
        r[i].stop = true;
        pthread_join(r[i].thread, NULL);
        assert_true(r[i].rounds > 0);
    }
    same_as_model(&p, &m, 10, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

static inline bool stop_soon(void *ctx) { return --*(int *)ctx < 0; }

TEST(a_sealing_that_is_stopped_leaves_all_as_it_was)
{
    struct place p;
    struct model m = {0};
    place_begin(&p);
    for (int round = 0; round < 3; round++) {
        size_t from = m.rows.n;
        for (uint32_t id = 0; id < 300; id++) {
            rows_add(&m.rows, id, T0 + round * 1000, round);
        }
        assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
    }
    int calls = 2;
    assert_int_equal(p.e->ops->seal(p.t, true, stop_soon, &calls), PL_ECANCELED);
    same_as_model(&p, &m, 300, INT64_MIN, INT64_MAX);
    size_t from = m.rows.n;
    rows_add(&m.rows, 5, T0 + 9000, 1);
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    same_as_model(&p, &m, 300, INT64_MIN, INT64_MAX);
    free(m.rows.r);
    place_end(&p);
}

struct steps {
    uint64_t last, total;
    bool fell;
};

static inline void note_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct steps *s = ctx;
    s->fell |= done < s->last || done > total;
    s->last = done;
    s->total = total;
}

TEST(a_backup_is_a_directory_that_opens_and_is_continued)
{
    struct place p, copy = {0};
    struct model m = {0};
    char dir[128];
    place_begin(&p);
    snprintf(dir, sizeof dir, "%.100s.backup", p.dir);
    for (int round = 0; round < 4; round++) {
        size_t from = m.rows.n;
        for (uint32_t id = 0; id < 50; id++) {
            rows_add(&m.rows, id, T0 + (round % 2) * DAY + round * 1000, round);
        }
        assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
        if (round == 2) {
            assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
        }
        struct steps s = {0};
        assert_int_equal(p.e->ops->backup(p.e, dir, note_progress, &s), 0);
        assert_false(s.fell);
        assert_int_equal(s.last, s.total);
        copy.clock = p.clock;
        snprintf(copy.dir, sizeof copy.dir, "%s", dir);
        place_open(&copy);
        same_as_model(&copy, &m, 50, INT64_MIN, INT64_MAX);
        assert_int_equal(copy.e->ops->flushed_seq(copy.t), m.rows.seq);
        copy.e->ops->close(copy.e);
    }
    pl_path_remove(dir);
    free(m.rows.r);
    place_end(&p);
}

#define ENGINE_CONFORMANCE_TESTS                                                                   \
    cmocka_unit_test(what_is_flushed_is_read_back_bit_exact),                                      \
        cmocka_unit_test(the_last_written_of_equal_timestamps_counts),                             \
        cmocka_unit_test(histograms_are_read_back_byte_by_byte_and_beside_floats),                 \
        cmocka_unit_test(flushed_seq_and_records_come_with_the_samples),                           \
        cmocka_unit_test(records_come_by_kind_in_order_of_their_keys),                             \
        cmocka_unit_test(late_samples_of_any_age_find_their_day),                                  \
        cmocka_unit_test(a_view_stays_as_it_was_while_days_are_merged_and_dropped),                \
        cmocka_unit_test(a_view_shows_the_samples_of_runs_above_a_number),                         \
        cmocka_unit_test(erased_samples_are_hidden_at_once_and_later_ones_are_not),                \
        cmocka_unit_test(live_ids_are_those_with_samples_left),                                    \
        cmocka_unit_test(tenants_are_apart),                                                       \
        cmocka_unit_test(a_series_too_long_for_one_pack_is_read_whole),                            \
        cmocka_unit_test(readers_go_on_while_runs_are_written_and_merged),                         \
        cmocka_unit_test(a_sealing_that_is_stopped_leaves_all_as_it_was),                          \
        cmocka_unit_test(a_backup_is_a_directory_that_opens_and_is_continued),                     \
        cmocka_unit_test(a_long_random_life_ends_as_the_model_says)
