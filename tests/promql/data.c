/* Data of a test file. The store's clock stands at day 20: the samples of the tests are at time 0.
 */
#include "tests/promql/data.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static void must(int err, const char *what)
{
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", what, pl_err_text(err));
        exit(2);
    }
}

void data_open(struct data *d, enum data_kind kind)
{
    *d = (struct data){.kind = kind};
    if (kind == DATA_MEMORY) {
        must(pl_source_mem_new(&d->mem), "memory");
        return;
    }
    must(pl_source_mem_new(&d->shadow), "memory");
    struct pl_store_conf conf;
    char why[256] = "";
    snprintf(d->dir, sizeof d->dir, "/tmp/promql_XXXXXX");
    must(mkdtemp(d->dir) ? 0 : PL_EIO, "mkdtemp");
    atomic_init(&d->hand.ms, 20 * 86400000ll);
    d->clock = pl_clock_manual(&d->hand);
    pl_store_conf_default(&conf);
    conf.dir = d->dir;
    conf.clock = &d->clock;
    conf.retention_ms = 0;
    conf.tenants_auto = true;
    conf.durability = PL_DURABLE_PROCESS;
    conf.journal_file_bytes = 1 << 20;
    conf.disk_reserve_bytes = 0;
    int err = pl_store_open(&conf, &d->store, why, sizeof why);
    must(err, why[0] ? why : "open the store");
    data_clear(d);
}

void data_close(struct data *d)
{
    pl_source_mem_free(d->mem);
    pl_source_mem_free(d->shadow);
    if (d->store) {
        pl_store_close(d->store);
        pl_path_remove(d->dir);
    }
}

void data_clear(struct data *d)
{
    if (d->mem) {
        pl_source_mem_clear(d->mem);
        return;
    }
    char name[32];
    pl_source_mem_clear(d->shadow);
    d->refused = false;
    int n = snprintf(name, sizeof name, "t%u", d->n_tenants++);
    must(pl_store_tenant(d->store, pl_str_mem(name, (size_t)n), true, &d->tenant), "tenant");
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    int err;
};

static void written(struct pl_batch *b, int err)
{
    struct waiter *w = b->user;
    pl_batch_free(b);
    pthread_mutex_lock(&w->lock);
    w->err = err;
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

void data_put(struct data *d, pl_str labels, const int64_t *t, const double *v, size_t n)
{
    if (d->mem) {
        must(pl_source_mem_put(d->mem, labels, t, v, n), "memory");
        return;
    }
    must(pl_source_mem_put(d->shadow, labels, t, v, n), "memory");
    for (size_t i = 0; i < n; i++) {
        const char *why;
        d->refused |=
            pl_is_histogram(v[i]) && pl_histogram_check(pl_histogram_unboxed(v[i]), &why) < 0;
    }
    if (d->refused) { /* the store takes sound histograms only; Prometheus' tests have others */
        return;
    }
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    struct pl_batch *b;
    uint32_t id;
    must(pl_batch_new(d->tenant, &b), "batch");
    must(pl_tenant_intern(d->tenant, labels, pl_labels_hash(labels), &id), "series");
    for (size_t i = 0; i < n; i++) {
        must(pl_is_histogram(v[i]) ? pl_batch_add_histogram(b, id, t[i], pl_histogram_unboxed(v[i]))
                                   : pl_batch_add(b, id, t[i], v[i]),
             "sample");
    }
    b->user = &w;
    pl_batch_write(b, written);
    pthread_mutex_lock(&w.lock);
    while (!w.done) {
        pthread_cond_wait(&w.cond, &w.lock);
    }
    pthread_mutex_unlock(&w.lock);
    must(w.err, "write");
}

void data_loaded(struct data *d)
{
    if (d->kind == DATA_FLUSHED) {
        must(pl_store_flush(d->store), "flush");
    }
}

struct pl_source data_source(struct data *d)
{
    return d->mem       ? pl_source_mem(d->mem)
           : d->refused ? pl_source_mem(d->shadow)
                        : pl_source_store(d->tenant);
}
