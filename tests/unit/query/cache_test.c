/* A result from the cache is the result: over random writes (late ones, deletions, flushes) and
 * random requests that roll, jump and grow, what the cache gives is bit for bit what a query
 * without it gives. And bounds, threads, marks. */
#include "tests/unit/store/store_fixture.h"
#include "core/query/query.h"
#include <stdatomic.h>

#define MINUTE 60000ll
#define HOUR   (60 * MINUTE)

static uint64_t rng = 88172645463325252ull;
static uint32_t rnd(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32) % n;
}

static struct pl_query_conf conf_of(struct fixture *f, struct pl_query_cache *cache)
{
    return (struct pl_query_conf){.tenant = f->t,
                                  .clock = &pl_clock_real,
                                  .lookback_ms = 300000,
                                  .max_samples = 10000000,
                                  .max_memory_bytes = 256u << 20,
                                  .cache = cache};
}

/* Series i of metric m (counters) or g (gauges), with a few labels; id in the batch. */
static void add(struct pl_batch *b, bool gauge, uint32_t i, int64_t t, double v)
{
    struct pl_buf canon = PL_BUF_INIT;
    char x[8], y[8];
    uint32_t id;
    snprintf(x, sizeof x, "%u", i % 3);
    snprintf(y, sizeof y, "%u", i);
    struct pl_label l[] = {{PL_METRIC_NAME, gauge ? PL_STR("g") : PL_STR("m_total")},
                           {PL_STR("i"), pl_str_c(y)},
                           {PL_STR("job"), PL_STR("j")},
                           {PL_STR("instance"), pl_str_c(y)},
                           {PL_STR("x"), pl_str_c(x)},
                           {PL_STR("le"), i % 4 == 3 ? PL_STR("+Inf") : pl_str_c(x)}};
    assert_true(pl_labels_canon(l, 6, &canon, NULL) > 0);
    pl_str c = pl_buf_view(&canon);
    assert_true(pl_tenant_intern(b->tenant, c, pl_labels_hash(c), &id) >= 0);
    assert_int_equal(pl_batch_add(b, id, t, v), 0);
    pl_buf_fini(&canon);
}

static void erase(struct fixture *f, int64_t t0, int64_t t1)
{
    struct pl_matcher m;
    char why[64], i[8];
    uint64_t n;
    snprintf(i, sizeof i, "%u", rnd(8));
    assert_int_equal(pl_matcher_init(&m, PL_MATCH_EQ, PL_STR("i"), pl_str_c(i), why, 64), 0);
    struct pl_selector sel = {&m, 1};
    assert_int_equal(pl_store_erase(f->t, &sel, 1, t0, t1, &n), 0);
    pl_matcher_fini(&m);
}

/** A note without what it counts: that is of the steps computed together, and joined answers are
 *  of several such runs. */
static pl_str words(pl_str note)
{
    static const char counts[] = ", from buckets ";
    const char *at = memmem(note.p, note.n, counts, sizeof counts - 1);
    return at ? pl_str_mem(note.p, (size_t)(at - note.p)) : note;
}

static bool has_note(const pl_str *list, size_t n, pl_str text)
{
    for (size_t i = 0; i < n; i++) {
        if (pl_str_eq(words(list[i]), words(text))) {
            return true;
        }
    }
    return false;
}

static const char *same(const struct pl_result *a, const struct pl_result *b)
{
    if (a->type != b->type || a->n != b->n) {
        return "another number of series";
    }
    for (size_t i = 0; i < a->n; i++) {
        const struct pl_result_series *x = &a->series[i], *y = &b->series[i];
        if (!pl_str_eq(x->labels, y->labels)) {
            return "other labels";
        }
        if (x->n != y->n || memcmp(x->t, y->t, x->n * sizeof *x->t) != 0) {
            return "other times";
        }
        if (memcmp(x->v, y->v, x->n * sizeof *x->v) != 0) {
            return "other values";
        }
    }
    for (size_t i = 0; i < b->n_warnings; i++) {
        if (!has_note(a->warnings, a->n_warnings, b->warnings[i])) {
            return "a warning is missing";
        }
    }
    for (size_t i = 0; i < b->n_infos; i++) {
        if (!has_note(a->infos, a->n_infos, b->infos[i])) {
            return "an info is missing";
        }
    }
    return NULL;
}

static const char *const queries[] = {
    "g",
    "g offset -7m",
    "g offset 3h",
    "rate(m_total[5m])",
    "sum by (x) (rate(m_total[10m]))",
    "avg_over_time(g[30m:2m])",
    "max_over_time(sum(g)[20m:90s] offset 10m)",
    "sum(rate(m_total[5m])) / count(rate(m_total[5m]))",
    "topk(2, g)",
    "bottomk by (x) (1, m_total)",
    "limitk(2, g)",
    "limit_ratio(0.5, g)",
    "quantile by (x) (0.7, g)",
    "quantile(2, g)",
    "count_values(\"v\", round(g))",
    "absent(g{i=\"3\"})",
    "absent_over_time(g{i=\"3\"}[3m])",
    "g > 50 or m_total{i=~\"1|2\"}",
    "g and on (i) (m_total > 200)",
    "g unless on (i) m_total{x=\"1\"}",
    "g * on (i) group_left () m_total",
    "label_replace(g, \"z\", \"$1\", \"i\", \"(.)\")",
    "histogram_quantile(0.9, sum by (le) (rate(m_total[10m])))",
    "changes(g[15m]) + resets(m_total[15m])",
    "deriv(g[10m]) + predict_linear(g[10m], 60)",
    "timestamp(g) - time()",
    "vector(time())",
    "minute()",
    "time() % 7",
    "stddev by (x) (g) + stdvar by (x) (g)",
    "quantile_over_time(0.3, g[12m])",
    "irate(m_total[4m]) - idelta(g[4m])",
    "last_over_time(g[7m]) + first_over_time(g[7m])",
    "sort_desc(g)",
    "rate(g[5m])",
    "sum(g) + scalar(max(g))",
    "info(g)",
    "double_exponential_smoothing(g[10m], 0.3, 0.4)",
    "g @ end()",
    "sum(g @ start()) + g",
    "increase(m_total[1h] offset 20m) > 3",
    "-g ^ 2 % 5",
    "clamp(g, 10, 60)",
};

struct world {
    struct fixture f;
    struct pl_query_cache *cache;
    int64_t now, fixed;
    double counter[8];
};

static void some_writes(struct world *w)
{
    struct pl_batch *b;
    assert_int_equal(pl_batch_new(w->f.t, &b), 0);
    for (uint32_t i = 0; i < 8; i++) {
        if (rnd(10)) {
            w->counter[i] = rnd(40) ? w->counter[i] + rnd(100) : 0;
            add(b, false, i, w->now, w->counter[i]);
            double stale = pl_bits_f64(0x7ff0000000000002ull);
            add(b, true, i, w->now - rnd(3000), rnd(30) ? (double)rnd(1000) / 8 : stale);
        }
    }
    if (rnd(4) == 0) { /* late */
        int64_t t = w->now - (int64_t)rnd(8 * 3600) * 1000;
        add(b, rnd(2), rnd(12), t, rnd(500));
    }
    assert_int_equal(write_wait(b), 0);
    if (rnd(60) == 0) {
        int64_t t0 = w->now - (int64_t)rnd(6 * 3600) * 1000;
        erase(&w->f, t0, t0 + rnd(3600) * 1000);
    }
    if (rnd(80) == 0) {
        assert_int_equal(rnd(3) ? pl_store_flush(w->f.s) : pl_store_compact(w->f.s), 0);
    }
}

static void one_request(struct world *w, const char *text, int64_t start, int64_t end, int64_t step)
{
    struct pl_query_conf with = conf_of(&w->f, w->cache), without = conf_of(&w->f, NULL);
    struct pl_result a, b;
    struct pl_query_error ea = {0}, eb = {0};
    int ra = pl_query_range(&with, pl_str_c(text), start, end, step, &a, &ea);
    int rb = pl_query_range(&without, pl_str_c(text), start, end, step, &b, &eb);
    assert_int_equal(ra, rb);
    if (ra < 0) {
        assert_string_equal(ea.text, eb.text);
        return;
    }
    const char *what = same(&a, &b);
    if (what) {
        fail_msg("%s [%lld, %lld] step %lld: %s", text, (long long)start, (long long)end,
                 (long long)step, what);
    }
    pl_result_fini(&a);
    pl_result_fini(&b);
}

static uint64_t requests(const char *metrics, const char *what)
{
    char name[100];
    uint64_t n = 0;
    snprintf(name, sizeof name,
             "perilune_query_cache_requests_total{kind=\"steps\",result=\"%s\"} ", what);
    const char *at = strstr(metrics, name);
    assert_non_null(at);
    at += strlen(name);
    pl_str s = {at, strcspn(at, "\n")};
    assert_int_equal(pl_str_u64(s, &n), 0);
    return n;
}

TEST(what_is_joined_from_the_cache_is_what_a_query_without_it_gives)
{
    static struct world w;
    const size_t n_queries = sizeof queries / sizeof *queries;
    struct pl_metrics *metrics = pl_metrics_new();
    memset(&w, 0, sizeof w);
    fixture_begin(&w.f);
    fixture_open(&w.f);
    assert_int_equal(pl_query_cache_new(2 << 20, metrics, &w.cache), 0);
    w.now = NOW_MS - 12 * HOUR;
    w.fixed = w.now - HOUR;
    for (int round = 0; round < 3000; round++) {
        w.now += 1000 * (1 + rnd(25));
        if (rnd(3)) {
            some_writes(&w);
        }
        const char *text = queries[rnd(4) ? rnd(6) : rnd((uint32_t)n_queries)];
        int64_t step = rnd(3) ? 60000 : rnd(2) ? 15000 : 7000;
        int64_t end = rnd(3) ? w.now : w.now - rnd(7200) * 1000ll;
        int64_t length = rnd(5) ? HOUR : rnd(2 * 3600) * 1000;
        int64_t phase = rnd(4) ? 0 : 1234;
        if (rnd(30) == 0) { /* by a fixed time, whose samples may come late, too */
            static char at[64];
            snprintf(at, sizeof at, "g - (m_total @ %lld offset 5m)", (long long)w.fixed / 1000);
            text = at;
        }
        end = end - end % step + phase;
        int64_t behind = rnd(3) ? 0 : rnd((uint32_t)step); /* the end need not be a step */
        one_request(&w, text, end - length / step * step, end + behind, step);
        assert_true(pl_query_cache_bytes(w.cache) <= 2 << 20);
    }
    struct pl_buf out = PL_BUF_INIT;
    pl_metrics_render(metrics, &out);
    pl_buf_u8(&out, 0);
    assert_true(requests((char *)out.p, "part") > 300);
    assert_true(requests((char *)out.p, "hit") > 20);
    pl_buf_fini(&out);
    pl_query_cache_free(w.cache);
    pl_metrics_free(metrics);
    fixture_end(&w.f);
}

TEST(a_query_that_rolls_reads_the_samples_of_its_new_steps_only)
{
    struct world w = {.now = 0};
    struct pl_result r;
    struct pl_query_error err;
    fixture_begin(&w.f);
    fixture_open(&w.f);
    assert_int_equal(pl_query_cache_new(8 << 20, NULL, &w.cache), 0);
    struct pl_query_conf c = conf_of(&w.f, w.cache);
    w.now = NOW_MS / MINUTE * MINUTE - 10 * HOUR;
    for (int i = 0; i < 300; i++, w.now += MINUTE) {
        struct pl_batch *b;
        assert_int_equal(pl_batch_new(w.f.t, &b), 0);
        add(b, true, 0, w.now, i);
        assert_int_equal(write_wait(b), 0);
    }
    pl_str q = PL_STR("max_over_time(g[5m])");
    int64_t start = w.now - 4 * HOUR, end = w.now - MINUTE;
    assert_int_equal(pl_query_range(&c, q, start, end, MINUTE, &r, &err), 0);
    assert_true(r.stats.samples >= 240);
    pl_result_fini(&r);
    assert_int_equal(pl_query_range(&c, q, start, end, MINUTE, &r, &err), 0);
    assert_int_equal(r.stats.samples, 0);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.series[0].n, 240);
    pl_result_fini(&r);
    struct pl_batch *b;
    assert_int_equal(pl_batch_new(w.f.t, &b), 0);
    add(b, true, 0, w.now, 1000);
    assert_int_equal(write_wait(b), 0);
    assert_int_equal(pl_query_range(&c, q, start + MINUTE, end + MINUTE, MINUTE, &r, &err), 0);
    assert_true(r.stats.samples > 0 && r.stats.samples <= 12);
    assert_int_equal(r.series[0].n, 240);
    assert_true(r.series[0].v[239] == 1000);
    pl_result_fini(&r);
    pl_query_cache_free(w.cache);
    fixture_end(&w.f);
}

TEST(times_beyond_all_bounds_are_refused_before_anything_is_looked_up)
{
    static const int64_t times[][3] = {
        {INT64_MIN, INT64_MIN + 1, 1},
        {INT64_MAX - 1, INT64_MAX, INT64_MAX},
        {INT64_MIN, 0, 1},
        {5, 4, 1},
        {0, 1, 0},
    };
    struct fixture f;
    struct pl_query_cache *cache;
    struct pl_query_error err = {0};
    struct pl_result r;
    fixture_begin(&f);
    fixture_open(&f);
    assert_int_equal(pl_query_cache_new(1 << 20, NULL, &cache), 0);
    struct pl_query_conf c = conf_of(&f, cache);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        const int64_t *t = times[i];
        assert_int_equal(pl_query_range(&c, PL_STR("g"), t[0], t[1], t[2], &r, &err), PL_EINVAL);
    }
    for (int again = 0; again < 2; again++) { /* one step, however long */
        assert_int_equal(pl_query_range(&c, PL_STR("g"), 7, 8, INT64_MAX, &r, &err), 0);
        pl_result_fini(&r);
    }
    pl_query_cache_free(cache);
    fixture_end(&f);
}

TEST(a_kept_answer_is_given_until_its_samples_are_touched)
{
    struct world w;
    struct pl_buf out = PL_BUF_INIT;
    fixture_begin(&w.f);
    fixture_open(&w.f);
    assert_int_equal(pl_query_cache_new(1 << 20, NULL, &w.cache), 0);
    put(&w.f, 1, NOW_MS, 1);
    pl_str key = PL_STR("key"), body = PL_STR("body");
    struct pl_query_mark mark = pl_query_mark(w.f.t);
    struct pl_query_span span = {NOW_MS - HOUR, NOW_MS, false};
    assert_false(pl_query_cache_find(w.cache, key, &out));
    pl_query_cache_keep(w.cache, key, &mark, &span, body);
    assert_true(pl_query_cache_find(w.cache, key, &out));
    assert_true(pl_str_eq(pl_buf_view(&out), body));
    assert_false(pl_query_cache_find(w.cache, PL_STR("kex"), &out));
    put(&w.f, 1, NOW_MS - 2 * HOUR, 1); /* elsewhere */
    assert_true(pl_query_cache_find(w.cache, key, &out));
    put(&w.f, 1, NOW_MS - HOUR / 2, 1);
    assert_false(pl_query_cache_find(w.cache, key, &out));
    assert_int_equal(pl_query_cache_bytes(w.cache), 0);    /* it is gone */
    pl_query_cache_keep(w.cache, key, &mark, &span, body); /* too late: its mark is old */
    assert_false(pl_query_cache_find(w.cache, key, &out));
    mark = pl_query_mark(w.f.t);
    span.catalogue = true;
    span.t1 = span.t0 - 1;
    pl_query_cache_keep(w.cache, key, &mark, &span, body);
    put(&w.f, 1, NOW_MS - HOUR / 2, 2);
    assert_true(pl_query_cache_find(w.cache, key, &out));
    put(&w.f, 7, NOW_MS - HOUR / 2, 2); /* a new series */
    assert_false(pl_query_cache_find(w.cache, key, &out));
    pl_buf_fini(&out);
    pl_query_cache_free(w.cache);
    fixture_end(&w.f);
}

TEST(what_was_made_of_samples_that_retention_ends_is_not_given)
{
    struct world w;
    struct pl_buf out = PL_BUF_INIT;
    fixture_begin(&w.f);
    fixture_open(&w.f);
    assert_int_equal(pl_query_cache_new(1 << 20, NULL, &w.cache), 0);
    struct pl_query_mark mark = pl_query_mark(w.f.t);
    struct pl_query_span old = {0, NOW_MS, false}, recent = {NOW_MS - HOUR, NOW_MS, false};
    pl_query_cache_keep(w.cache, PL_STR("old"), &mark, &old, PL_STR("x"));
    pl_query_cache_keep(w.cache, PL_STR("recent"), &mark, &recent, PL_STR("x"));
    assert_true(pl_query_cache_find(w.cache, PL_STR("old"), &out));
    atomic_store(&w.f.hand.ms, NOW_MS + 25 * HOUR);
    assert_false(pl_query_cache_find(w.cache, PL_STR("old"), &out));
    assert_true(pl_query_cache_find(w.cache, PL_STR("recent"), &out));
    pl_buf_fini(&out);
    pl_query_cache_free(w.cache);
    fixture_end(&w.f);
}

TEST(the_cache_stays_within_its_bytes_and_keeps_what_was_used_last)
{
    struct world w;
    struct pl_buf out = PL_BUF_INIT;
    static char body[10000];
    fixture_begin(&w.f);
    fixture_open(&w.f);
    assert_int_equal(pl_query_cache_new(200000, NULL, &w.cache), 0);
    struct pl_query_mark mark = pl_query_mark(w.f.t);
    struct pl_query_span none = {1, 0, false};
    for (uint32_t i = 0; i < 500; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        pl_query_cache_keep(w.cache, pl_str_c(key), &mark, &none, (pl_str){body, sizeof body});
        assert_true(pl_query_cache_find(w.cache, pl_str_c(key), &out));
        assert_true(pl_query_cache_bytes(w.cache) <= 200000);
        pl_buf_clear(&out);
    }
    assert_true(pl_query_cache_bytes(w.cache) > 150000);
    pl_query_cache_keep(w.cache, PL_STR("huge"), &mark, &none, (pl_str){body, 0});
    assert_true(pl_query_cache_find(w.cache, PL_STR("huge"), &out));
    pl_query_cache_clear(w.cache);
    assert_int_equal(pl_query_cache_bytes(w.cache), 0);
    pl_buf_fini(&out);
    pl_query_cache_free(w.cache);
    fixture_end(&w.f);
}

/* ------------------------------------------------------------------------------------- threads */

struct race {
    struct world w;
    _Atomic int64_t acknowledged; /* samples of the series, one a second from NOW_MS - 1000 s on */
    atomic_bool stop;
    atomic_uint wrong, asked;
};

static void *ask(void *arg)
{
    struct race *r = arg;
    struct pl_query_conf c = conf_of(&r->w.f, r->w.cache);
    while (!atomic_load(&r->stop)) {
        struct pl_result out;
        struct pl_query_error err;
        int64_t n = atomic_load(&r->acknowledged), t0 = NOW_MS - 1000000;
        if (pl_query_range(&c, PL_STR("count_over_time(g[1m])"), t0, NOW_MS, 10000, &out, &err) <
            0) {
            atomic_fetch_add(&r->wrong, 1);
            continue;
        }
        for (size_t i = 0; out.n == 1 && i < out.series[0].n; i++) { /* of (t - 1m, t] */
            int64_t last = (out.series[0].t[i] - t0) / 1000, first = last - 59;
            int64_t least = (last < n ? last + 1 : n) - (first > 0 ? first : 0);
            atomic_fetch_add(&r->wrong, out.series[0].v[i] < (double)least);
        }
        atomic_fetch_add(&r->wrong, n > 0 && out.n != 1);
        atomic_fetch_add(&r->asked, 1);
        pl_result_fini(&out);
    }
    return NULL;
}

TEST(what_is_acknowledged_is_in_every_answer_while_many_threads_share_the_cache)
{
    static struct race r;
    pthread_t th[3];
    memset(&r, 0, sizeof r);
    fixture_begin(&r.w.f);
    r.w.f.conf.head_max_bytes = 4000;
    fixture_open(&r.w.f);
    assert_int_equal(pl_query_cache_new(1 << 20, NULL, &r.w.cache), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pl_thread_start(&th[i], "ask", ask, &r), 0);
    }
    for (int64_t i = 0; i < 1000; i += 4) {
        struct pl_batch *b;
        while (pl_batch_new(r.w.f.t, &b) < 0) {
        }
        for (int64_t k = i; k < i + 4; k++) {
            add(b, true, 0, NOW_MS - 1000000 + k * 1000, 1);
        }
        assert_int_equal(write_wait(b), 0);
        atomic_store(&r.acknowledged, i + 4);
    }
    atomic_store(&r.stop, true);
    for (int i = 0; i < 3; i++) {
        pthread_join(th[i], NULL);
    }
    assert_int_equal(atomic_load(&r.wrong), 0);
    assert_true(atomic_load(&r.asked) > 0);
    one_request(&r.w, "count_over_time(g[1m])", NOW_MS - 1000000, NOW_MS, 10000);
    pl_query_cache_free(r.w.cache);
    fixture_end(&r.w.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_joined_from_the_cache_is_what_a_query_without_it_gives),
        cmocka_unit_test(a_query_that_rolls_reads_the_samples_of_its_new_steps_only),
        cmocka_unit_test(times_beyond_all_bounds_are_refused_before_anything_is_looked_up),
        cmocka_unit_test(a_kept_answer_is_given_until_its_samples_are_touched),
        cmocka_unit_test(what_was_made_of_samples_that_retention_ends_is_not_given),
        cmocka_unit_test(the_cache_stays_within_its_bytes_and_keeps_what_was_used_last),
        cmocka_unit_test(
            what_is_acknowledged_is_in_every_answer_while_many_threads_share_the_cache),
    };
    return cmocka_run_group_tests_name("query/cache", tests, NULL, NULL);
}
