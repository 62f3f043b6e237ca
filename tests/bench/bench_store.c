/* The store from batches to a restart: bench_store DIR SERIES SAMPLES [crash].
 * Known series in batches of 10k rows from one thread, 16 in flight; then a flush and a clean stop,
 * or none of it: the next run, with 0 series, then shows a restart by the journal. */
#include "core/store/store.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static atomic_uint in_flight;

static void done(struct pl_batch *b, int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", pl_err_name(err));
        exit(1);
    }
    pl_batch_free(b);
    atomic_fetch_sub(&in_flight, 1);
}

static double cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static double seconds(void) { return (double)pl_mono_ns(&pl_clock_real) * 1e-9; }

static struct pl_batch *batch(struct pl_tenant *t)
{
    struct pl_batch *b;
    while (atomic_load(&in_flight) >= 16 || pl_batch_new(t, &b) < 0) {
        usleep(100);
    }
    atomic_fetch_add(&in_flight, 1);
    return b;
}

static uint32_t *define(struct pl_tenant *t, uint32_t n)
{
    uint32_t *ids = malloc(n * sizeof *ids);
    struct pl_buf canon = PL_BUF_INIT;
    for (uint32_t i = 0; i < n && ids; i++) {
        char host[32], metric[32];
        snprintf(host, sizeof host, "host-%05u.example.org", i / 100);
        snprintf(metric, sizeof metric, "node_metric_%02u_total", i % 100);
        struct pl_label l[] = {{PL_STR("__name__"), pl_str_c(metric)},
                               {PL_STR("instance"), pl_str_c(host)},
                               {PL_STR("job"), PL_STR("node")},
                               {PL_STR("region"), PL_STR("eu-central-1")},
                               {PL_STR("zone"), PL_STR("eu-central-1a")}};
        pl_buf_clear(&canon);
        pl_labels_canon(l, 5, &canon, NULL);
        pl_tenant_intern(t, pl_buf_view(&canon), pl_labels_hash(pl_buf_view(&canon)), &ids[i]);
    }
    pl_buf_fini(&canon);
    return ids;
}

int main(int argc, char **argv)
{
    struct pl_store_conf conf;
    struct pl_store *s;
    struct pl_tenant *t;
    char why[256];
    uint32_t n = argc > 2 ? (uint32_t)atoi(argv[2]) : 100000;
    int each = argc > 3 ? atoi(argv[3]) : 60;
    pl_store_conf_default(&conf);
    conf.dir = argc > 1 ? argv[1] : "/tmp/bench_store";
    double begin = seconds();
    if (pl_store_open(&conf, &s, why, sizeof why) < 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    pl_store_tenant(s, PL_STR("default"), true, &t);
    struct pl_store_stats st;
    pl_store_stats(s, &st);
    printf("open    %.3f s: %llu series, %llu samples in the head\n", seconds() - begin,
           (unsigned long long)st.n_series, (unsigned long long)st.n_head_samples);
    if (n == 0) {
        fflush(stdout);
        _exit(0);
    }
    double c = cpu(), w = seconds();
    uint32_t *ids = define(t, n);
    printf("define  %u series: %.0f ns each, CPU of all threads\n", n, (cpu() - c) * 1e9 / n);
    int64_t now = pl_now_ms(conf.clock);
    c = cpu(), w = seconds();
    for (int r = 0; r < each; r++) {
        struct pl_batch *b = NULL;
        for (uint32_t i = 0; i < n; i++) {
            b = b ? b : batch(t);
            pl_batch_add(b, ids[i], now - (each - r) * 10000, (double)(r * 7 + i % 1000) / 100);
            if (b->n == 10000 || i + 1 == n) {
                pl_batch_write(b, done);
                b = NULL;
            }
        }
    }
    while (atomic_load(&in_flight)) {
        usleep(100);
    }
    double total = (double)n * each;
    printf("write   %.0f samples: %.1f M/s, %.0f ns of CPU each\n", total,
           total / (seconds() - w) * 1e-6, (cpu() - c) * 1e9 / total);
    if (argc > 4) {
        fflush(stdout);
        _exit(0);
    }
    w = seconds(), c = cpu();
    int rc = pl_store_flush(s);
    printf("flush   %.2f s: %s\n", seconds() - w, pl_err_name(rc));
    free(ids);
    pl_store_close(s);
    return 0;
}
