/* The LMDB engine: flush, seal and read n series x 10 samples: time and CPU a sample, bytes a
 * sample. bench_engine [series, default 200000] [directory, default /tmp] */
#include "core/base/base.h"
#include "core/store/columns.h"
#include "core/store/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PER_FLUSH 5
#define FLUSHES   2
#define T0        (20000ll * 86400000)

struct feed {
    uint32_t id, n;
    int flush;
    int64_t t[PER_FLUSH];
    double v[PER_FLUSH];
    struct pl_columns c;
};

static bool next(void *ctx, uint32_t *id, const struct pl_columns **c)
{
    struct feed *f = ctx;
    if (f->id == f->n) {
        return false;
    }
    for (int i = 0; i < PER_FLUSH; i++) {
        uint64_t h = pl_hash64(&f->id, sizeof f->id, (uint64_t)(f->flush * PER_FLUSH + i));
        f->t[i] = T0 + (f->flush * PER_FLUSH + i) * 10000;
        f->v[i] = f->id % 10 < 4 ? (double)(f->id + 17 * (unsigned)(f->flush * PER_FLUSH + i))
                                 : (double)(h % 10000) / 100;
    }
    *id = f->id++;
    f->c = (struct pl_columns){.t = f->t, .v = f->v, .n = PER_FLUSH};
    *c = &f->c;
    return true;
}

static double cpu_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct span {
    double wall, cpu;
};

static struct span span_begin(void)
{
    return (struct span){(double)pl_mono_ns(&pl_clock_real) / 1e9, cpu_now()};
}

static void span_end(struct span s, const char *what, double n, double bytes)
{
    double wall = (double)pl_mono_ns(&pl_clock_real) / 1e9 - s.wall, cpu = cpu_now() - s.cpu;
    printf("%-28s %8.0f ms %7.1f ns CPU a sample %7.3f bytes a sample\n", what, wall * 1e3,
           cpu * 1e9 / n, bytes / n);
}

static double disk(struct pl_engine *e, struct pl_engine_tenant *t)
{
    struct pl_engine_stats st;
    return e->ops->stats(t, &st) < 0 ? 0 : (double)st.disk_bytes;
}

static void read_all(struct pl_engine *e, struct pl_engine_tenant *t, uint32_t n, const char *what)
{
    struct pl_view *v;
    struct pl_cursor *c;
    struct pl_columns cols = {0};
    struct span s = span_begin();
    double total = 0;
    if (e->ops->view(t, INT64_MIN, INT64_MAX, &v) < 0 || e->ops->cursor(v, &c) < 0) {
        exit(1);
    }
    for (uint32_t id = 0; id < n; id++) {
        if (e->ops->read(c, id, INT64_MIN, INT64_MAX, &cols, NULL) < 0) {
            exit(1);
        }
        total += (double)cols.n;
    }
    span_end(s, what, total, 0);
    e->ops->cursor_free(c);
    e->ops->view_free(v);
    pl_columns_fini(&cols);
    if (total != (double)n * PER_FLUSH * FLUSHES) {
        printf("lost samples: %.0f\n", total);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 200000;
    char dir[256], why[256];
    snprintf(dir, sizeof dir, "%s/perilune-bench-XXXXXX", argc > 2 ? argv[2] : "/tmp");
    if (!mkdtemp(dir)) {
        return 1;
    }
    struct pl_engine *e;
    struct pl_engine_tenant *t;
    struct pl_engine_conf conf = {.dir = dir, .clock = &pl_clock_real};
    if (pl_lmdb_open(&conf, &e, why, sizeof why) < 0 ||
        e->ops->tenant(e, PL_STR("default"), true, &t) < 0) {
        return 1;
    }
    double per_flush = (double)n * PER_FLUSH;
    for (int i = 0; i < FLUSHES; i++) {
        struct feed f = {.n = n, .flush = i};
        struct pl_flush fl = {
            .first_seq = (uint64_t)i + 1, .last_seq = (uint64_t)i + 1, .next = next, .ctx = &f};
        struct span s = span_begin();
        if (e->ops->write(t, &fl) < 0) {
            return 1;
        }
        span_end(s, "flush", per_flush, i ? 0 : disk(e, t));
    }
    read_all(e, t, n, "read, two runs");
    struct span s = span_begin();
    if (e->ops->seal(t, true, NULL, NULL) < 0) {
        return 1;
    }
    span_end(s, "seal", per_flush * FLUSHES, disk(e, t));
    read_all(e, t, n, "read, sealed");
    s = span_begin();
    e->ops->close(e);
    int64_t found = pl_lmdb_check(dir, NULL, NULL, NULL);
    span_end(s, "check", per_flush * FLUSHES, 0);
    pl_path_remove(dir);
    return found != 0;
}
