/* The store as a whole: open (lock, tenants, engine, threads; start.c brings back what they hold)
 * and close. */
#include "core/store/tenant.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static const struct pl_tier default_tiers[] = {
    {5 * 60 * 1000, 180 * PL__DAY_MS},
    {60 * 60 * 1000, 2 * 365 * PL__DAY_MS},
};

void pl_store_conf_default(struct pl_store_conf *c)
{
    *c = (struct pl_store_conf){
        .durability = PL_DURABLE_DISK,
        .retention_ms = 30 * PL__DAY_MS,
        .future_limit_ms = PL__DAY_MS,
        .head_max_bytes = (size_t)384 << 20,
        .flush_interval_ms = 10 * 60 * 1000,
        .compact_interval_ms = 30 * 60 * 1000,
        .journal_file_bytes = (size_t)64 << 20,
        .journal_queue_bytes = (size_t)256 << 20,
        .disk_reserve_bytes = 256ull << 20,
        .tiers = default_tiers,
        .n_tiers = sizeof default_tiers / sizeof *default_tiers,
        .max_batch_partitions = 400,
        .max_tenants = 1000,
        .idem_max = 100000,
        .max_exemplars = 100000,
        .clock = &pl_clock_real,
    };
}

/** dir/name, NUL-terminated, malloc'ed. */
static char *path_of(const char *dir, const char *name)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_f(&b, "%s/%s%c", dir, name, 0);
    if (b.failed) {
        pl_buf_fini(&b);
        return NULL;
    }
    return (char *)b.p;
}

/* ---------------------------------------------------------------------------------------- opening
 */

static int lock_dir(struct pl_store *s, char *why, size_t n_why)
{
    char *path = path_of(s->dir, "LOCK");
    int rc = path ? pl_dir_make(s->dir) : PL_ENOMEM;
    if (rc >= 0) {
        s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        rc = s->lock_fd < 0 ? pl_errno(errno) : 0;
    }
    if (rc >= 0 && flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        rc = errno == EWOULDBLOCK ? PL_EBUSY : pl_errno(errno);
    }
    int err = errno;
    if (rc < 0) {
        snprintf(why, n_why, "%s: %s", s->dir,
                 rc == PL_EBUSY    ? "another process has this data directory open"
                 : rc == PL_ENOMEM ? pl_err_text(rc)
                                   : strerror(err));
    }
    free(path);
    return rc;
}

static int open_engine(struct pl_store *s, char *why, size_t n_why)
{
    if (s->conf.engine) {
        s->engine = s->conf.engine;
        return 0;
    }
    char *dir = path_of(s->dir, "tenants");
    struct pl_engine_conf conf = {
        .dir = dir, .clock = s->conf.clock, .log = s->conf.log, .metrics = s->conf.metrics};
    int rc = dir ? pl_dir_make(dir) : PL_ENOMEM;
    if (rc < 0) {
        snprintf(why, n_why, "%s/tenants: %s", s->dir, pl_err_text(rc));
    } else {
        rc = pl_lmdb_open(&conf, &s->engine, why, n_why);
    }
    free(dir);
    return rc;
}

static int start_threads(struct pl_store *s, char *why, size_t n_why)
{
    int rc = pl_thread_start(&s->apply_thread, "apply", pl__apply_main, s);
    s->apply_started = rc >= 0;
    if (rc >= 0) {
        rc = pl_thread_start(&s->storage_thread, "storage", pl__storage_main, s);
        pthread_mutex_lock(&s->st_lock);
        s->storage_started = rc >= 0;
        pthread_mutex_unlock(&s->st_lock);
    }
    if (rc < 0) {
        snprintf(why, n_why, "%s: cannot start a thread: %s", s->dir, pl_err_text(rc));
    }
    return rc;
}

static struct pl_store *store_alloc(const struct pl_store_conf *conf)
{
    struct pl_store *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->conf = *conf;
    s->conf.clock = conf->clock ? conf->clock : &pl_clock_real;
    s->lock_fd = -1;
    s->dir = strdup(conf->dir);
    s->tenants = calloc(PL__TENANTS_MAX, sizeof *s->tenants);
    pthread_mutex_init(&s->tenants_lock, NULL);
    pthread_mutex_init(&s->st_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->st_cond, &attr);
    pthread_condattr_destroy(&attr);
    pl_queue_init(&s->apply);
    s->jobs_tail = &s->jobs;
    s->retry_ns = INT64_MIN;
    s->next_disk_ns = INT64_MIN;
    s->next_compact_ns = pl_mono_ns(s->conf.clock) + s->conf.compact_interval_ms * 1000000;
    return s;
}

static void store_free(struct pl_store *s)
{
    pl_metrics_forget(s->conf.metrics, s);
    for (unsigned i = 0; s->tenants && i < atomic_load(&s->n_tenants); i++) {
        pl__tenant_free(s->tenants[i]);
    }
    if (s->engine) {
        s->engine->ops->close(s->engine);
    }
    pl__rollup_close(s);
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    pl_rows_fini(&s->rows);
    pl_define_reader_fini(&s->defines);
    pl_queue_fini(&s->apply);
    pthread_cond_destroy(&s->st_cond);
    pthread_mutex_destroy(&s->st_lock);
    pthread_mutex_destroy(&s->tenants_lock);
    free(s->was_new);
    free(s->tenants);
    free(s->dir);
    free(s);
}

static void stop(struct pl_store *s);

int pl_store_open(const struct pl_store_conf *conf, struct pl_store **out, char *why, size_t n_why)
{
    struct pl_store *s = store_alloc(conf);
    if (!s || !s->dir || !s->tenants) {
        snprintf(why, n_why, "%s: out of memory", conf->dir);
        if (s) {
            store_free(s);
        }
        return PL_ENOMEM;
    }
    int64_t begin = pl_mono_ns(s->conf.clock);
    pl__store_metrics(s);
    int rc = lock_dir(s, why, n_why);
    rc = rc < 0 ? rc : pl__rollup_init(s, why, n_why);
    rc = rc < 0 ? rc : pl__tenants_load(s, why, n_why);
    rc = rc < 0 ? rc : open_engine(s, why, n_why);
    rc = rc < 0 ? rc : pl__rollup_open(s, why, n_why);
    rc = rc < 0 ? rc : pl__start(s, why, n_why);
    if (rc >= 0) {
        pl_rows_fini(&s->rows); /* a start's worth of room is not needed again */
        rc = pl__drain(s);      /* erasures are in force before anyone reads */
        if (rc < 0) {
            snprintf(why, n_why, "%s: cannot repeat an erasure: %s", s->dir, pl_err_text(rc));
        }
    }
    rc = rc < 0 ? rc : start_threads(s, why, n_why);
    if (rc < 0) {
        stop(s);
        store_free(s);
        return rc;
    }
    pl_logf(s->conf.log, PL_INFO, "store", "open", "dir=%s frames=%llu seconds=%.3f", s->dir,
            (unsigned long long)s->n_replayed, (double)(pl_mono_ns(s->conf.clock) - begin) * 1e-9);
    *out = s;
    return 0;
}

/* ---------------------------------------------------------------------------------------- closing
 */

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL); }

/** Until all that was taken is written and applied. Definitions that a full disk keeps back would
 *  wait for ever: give up on them after a while, their batches were refused as well. */
static void quiesce(struct pl_store *s)
{
    while (atomic_load(&s->writers)) {
        nap();
    }
    for (int i = 0; pl_journal_waiting(s->journal) && (i < 2000 || !pl_journal_state(s->journal));
         i++) {
        nap();
    }
}

static void stop(struct pl_store *s)
{
    pthread_mutex_lock(&s->st_lock);
    s->stopping = true;
    bool storage = s->storage_started;
    pthread_cond_signal(&s->st_cond);
    pthread_mutex_unlock(&s->st_lock);
    if (storage) {
        pthread_join(s->storage_thread, NULL);
    }
    if (s->journal) {
        pl_journal_close(s->journal);
    }
    pl_queue_close(&s->apply);
    if (s->apply_started) {
        pthread_join(s->apply_thread, NULL);
        s->apply_started = false;
    }
}

void pl_store_close(struct pl_store *s)
{
    if (!s) {
        return;
    }
    atomic_store(&s->closing, true);
    quiesce(s);
    int rc = pl_store_flush(s);
    if (rc < 0) {
        pl_logf(s->conf.log, PL_WARN, "store", "not flushed at the end, the journal keeps it",
                "err=%s", pl_err_name(rc));
    }
    stop(s);
    store_free(s);
}
