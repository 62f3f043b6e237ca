/* Series at the scale that counts: hosts x 100 metrics, 11 labels and about 250 bytes each.
 * Nanoseconds of CPU and bytes a series for each step of a series' life.
 *
 *   bench_series [hosts, default 10000] */
#include "core/store/frame.h"
#include "core/store/series.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void labels(struct pl_buf *b, uint32_t host, uint32_t metric)
{
    char name[64], h[32], rack[16], service[16], version[8];
    static const char *const regions[] = {"us-east-1", "us-west-2", "eu-central-1",
                                          "ap-southeast-2"};
    static const char *const teams[] = {"SF", "NYC", "LON", "CHI"};
    snprintf(name, sizeof name, "cpu_subsystem_%u_usage_seconds_total", metric);
    snprintf(h, sizeof h, "host_%u", host);
    snprintf(rack, sizeof rack, "%u", host * 7 % 100);
    snprintf(service, sizeof service, "%u", host * 3 % 20);
    snprintf(version, sizeof version, "%u", host % 2);
    struct pl_label l[] = {
        {PL_METRIC_NAME, pl_str_c(name)},
        {PL_STR("arch"), host % 2 ? PL_STR("x64") : PL_STR("x86")},
        {PL_STR("datacenter"), host % 3 ? PL_STR("eu-central-1a") : PL_STR("us-1b")},
        {PL_STR("hostname"), pl_str_c(h)},
        {PL_STR("os"), host % 5 ? PL_STR("Ubuntu16.10") : PL_STR("Ubuntu15.10")},
        {PL_STR("rack"), pl_str_c(rack)},
        {PL_STR("region"), pl_str_c(regions[host % 4])},
        {PL_STR("service"), pl_str_c(service)},
        {PL_STR("service_environment"), host % 7 ? PL_STR("production") : PL_STR("staging")},
        {PL_STR("service_version"), pl_str_c(version)},
        {PL_STR("team"), pl_str_c(teams[host / 3 % 4])}};
    pl_labels_canon(l, 11, b, NULL);
}

/* Records kept in memory. */
struct pl_engine_tenant {
    struct pl_buf bytes;
    struct {
        size_t at, n_key, n;
    } * r;
    size_t n;
};
static int emit(void *ctx, const struct pl_record *r)
{
    struct pl_engine_tenant *t = ctx;
    t->r = realloc(t->r, (t->n + 1) * sizeof *t->r);
    t->r[t->n].at = t->bytes.n;
    t->r[t->n].n_key = r->key.n;
    t->r[t->n++].n = r->value.n;
    pl_buf_str(&t->bytes, r->key);
    pl_buf_str(&t->bytes, r->value);
    return 0;
}
static int records(struct pl_engine_tenant *t, uint8_t kind,
                   int (*each)(void *ctx, pl_str key, pl_str value), void *ctx)
{
    (void)kind;
    for (size_t i = 0; i < t->n; i++) {
        const char *p = (char *)t->bytes.p + t->r[i].at;
        int rc = each(ctx, (pl_str){p, t->r[i].n_key}, (pl_str){p + t->r[i].n_key, t->r[i].n});
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static void row(const char *what, double ns, double n, const char *more)
{
    printf("%-34s %8.1f ns a series  %s\n", what, ns / n, more);
}

static void find(struct pl_series *s, const char *what, const struct pl_matcher *m, size_t n)
{
    uint32_t *ids;
    size_t n_ids = 0;
    double t0 = now();
    if (pl_series_find(s, &(struct pl_selector){m, n}, 1, &ids, &n_ids) == 0) {
        free(ids);
    }
    printf("%-34s %8.3f ms, %zu series\n", what, (now() - t0) / 1e6, n_ids);
}

static void run(uint32_t hosts, bool by_metric)
{
    size_t n = (size_t)hosts * 100;
    struct pl_series_def *defs = calloc(n, sizeof *defs);
    struct pl_buf all = PL_BUF_INIT, frame = PL_BUF_INIT;
    struct pl_series *s;
    struct pl_series_conf conf = {0};
    char more[100];
    if (!defs || pl_series_new(&conf, &s) < 0) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        size_t before = all.n;
        labels(&all, (uint32_t)(by_metric ? i % hosts : i / 100),
               (uint32_t)(by_metric ? i / hosts : i % 100));
        defs[i].canon = (pl_str){NULL, all.n - before};
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        defs[i].canon.p = (char *)all.p + at;
        at += defs[i].canon.n;
    }
    printf("-- %zu series, %s, %.0f bytes each\n", n,
           by_metric ? "metric by metric" : "host by host", (double)all.n / (double)n);
    double t0 = now();
    for (size_t i = 0; i < n; i++) {
        pl_series_intern(s, defs[i].canon, pl_labels_hash(defs[i].canon), &defs[i].id);
    }
    row("hash and intern, new", now() - t0, (double)n, "");
    t0 = now();
    for (size_t i = 0; i < n; i++) {
        pl_series_intern(s, defs[i].canon, pl_labels_hash(defs[i].canon), &defs[i].id);
    }
    row("hash and intern, known", now() - t0, (double)n, "");
    t0 = now();
    struct pl_define_writer w = {0};
    pl_define_writer_reset(&w);
    for (size_t i = 0; i < n; i++) {
        pl_define_add(&w, &frame, defs[i].id, defs[i].canon);
    }
    snprintf(more, sizeof more, "%.1f bytes", (double)frame.n / (double)n);
    row("encode definitions", now() - t0, (double)n, more);
    t0 = now();
    for (size_t i = 0; i < n; i += 256) {
        pl_series_apply(s, defs + i, n - i < 256 ? n - i : 256, false);
    }
    double took = now() - t0;
    double shards = (double)pl_series_bytes(s) / (double)n;
    snprintf(more, sizeof more, "%.1f bytes of memory", shards);
    row("apply", took, (double)n, more);
    struct pl_matcher m[2];
    char why[100];
    pl_matcher_init(&m[0], PL_MATCH_RE, PL_METRIC_NAME, PL_STR(".+"), why, sizeof why);
    find(s, "{__name__=~\".+\"}", m, 1);
    find(s, "{__name__=~\".+\"} again", m, 1);
    pl_matcher_fini(&m[0]);
    pl_matcher_init(&m[0], PL_MATCH_EQ, PL_STR("hostname"), PL_STR("host_7"), why, sizeof why);
    pl_matcher_init(&m[1], PL_MATCH_RE, PL_METRIC_NAME, PL_STR("cpu_subsystem_1.*"), why,
                    sizeof why);
    find(s, "host=, name=~prefix", m, 2);
    pl_matcher_fini(&m[0]);
    pl_matcher_init(&m[0], PL_MATCH_RE, PL_STR("hostname"), PL_STR("host_[0-9]*7"), why,
                    sizeof why);
    find(s, "host=~pattern", m, 1);
    find(s, "host=~pattern, name=~prefix", m, 2);
    pl_matcher_fini(&m[0]);
    pl_matcher_init(&m[0], PL_MATCH_NE, PL_STR("region"), PL_STR("us-east-1"), why, sizeof why);
    find(s, "region!=", m, 1);
    pl_matcher_fini(&m[0]);
    pl_matcher_fini(&m[1]);
    struct pl_engine_tenant t = {0};
    t0 = now();
    pl_series_save(s, emit, &t);
    snprintf(more, sizeof more, "%.2f bytes on disk", (double)t.bytes.n / (double)n);
    row("save", now() - t0, (double)n, more);
    pl_series_free(s);

    pl_series_new(&conf, &s);
    struct pl_define_reader r = {0};
    struct pl_series_def some[256];
    int k;
    t0 = now();
    pl_define_reader_begin(&r, pl_buf_view(&frame));
    while ((k = pl_define_read(&r, some, 256)) > 0) {
    }
    row("decode definitions", now() - t0, (double)n, "");
    t0 = now();
    pl_define_reader_begin(&r, pl_buf_view(&frame));
    while ((k = pl_define_read(&r, some, 256)) > 0) {
        pl_series_apply(s, some, (size_t)k, true);
    }
    row("replay (decode, hash, enter, apply)", now() - t0, (double)n, "");
    pl_series_free(s);
    pl_series_new(&conf, &s);
    struct pl_engine_ops ops = {.records = records};
    t0 = now();
    pl_series_load(s, &ops, &t, NULL, NULL);
    snprintf(more, sizeof more, "%.1f bytes of memory", (double)pl_series_bytes(s) / (double)n);
    row("load", now() - t0, (double)n, more);
    if (pl_series_count(s) != n) {
        abort();
    }
    pl_series_free(s);
    pl_define_writer_fini(&w);
    pl_define_reader_fini(&r);
    pl_buf_fini(&all);
    pl_buf_fini(&frame);
    pl_buf_fini(&t.bytes);
    free(t.r);
    free(defs);
}

int main(int argc, char **argv)
{
    uint32_t hosts = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
    run(hosts, false);
    run(hosts, true);
    return 0;
}
