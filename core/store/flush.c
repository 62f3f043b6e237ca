/* The storage thread: the only writer of the engine. It flushes when the head is large or old,
 * keeps an eye on the disk, compacts now and then, and does the jobs that others wait for, one at a
 * time.
 *
 * A flush: the apply thread freezes every tenant at one journal number; then, tenant by tenant and
 * in order, what is pending goes to the engine (a synced commit), after that the generation is
 * retired; at the end journal files that no tenant needs any more are removed. What fails stays
 * pending and readable, and is tried again with growing pauses; no further generation is frozen
 * meanwhile. */
#include "core/store/tenant.h"
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#define TICK_MS        100
#define DISK_NS        1000000000ll
#define BACKOFF_NS     1000000000ll
#define BACKOFF_MAX_NS (60 * 1000000000ll)

/* --------------------------------------------------------------------------------------- waiting
 */

void pl__wait_init(struct pl__wait *w)
{
    *w = (struct pl__wait){.done = false};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->cond, NULL);
}

void pl__wait_signal(struct pl__wait *w, int rc)
{
    pthread_mutex_lock(&w->lock);
    w->rc = rc;
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

int pl__wait_for(struct pl__wait *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->done) {
        pthread_cond_wait(&w->cond, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->cond);
    pthread_mutex_destroy(&w->lock);
    return w->rc;
}

/* Samples leave by whole days, when their partition is unlinked; so from a retention of a day on,
 * what shares the UTC day of the oldest sample to keep is taken and answered as well. */
int64_t pl__retention_start(const struct pl_store *s)
{
    if (s->conf.retention_ms <= 0) {
        return INT64_MIN;
    }
    int64_t start = pl_now_ms(s->conf.clock) - s->conf.retention_ms;
    int64_t in_day = ((start % PL__DAY_MS) + PL__DAY_MS) % PL__DAY_MS;
    return s->conf.retention_ms < PL__DAY_MS ? start : start - in_day;
}

/* --------------------------------------------------------------------------------------- pending
 */

void pl__pending_free(struct pl__pending *p)
{
    if (p) {
        pl_head_gen_unref(p->gen);
        pl_arena_fini(&p->arena);
        free(p->records);
        free(p->ids);
        free(p);
    }
}

/** Series of a frozen generation, one after the other, sorted and unique. */
struct walk {
    struct pl_store *s;
    const struct pl_head_gen *gen;
    uint64_t from; /* 2^32 at the end */
    struct pl_columns columns;
    uint64_t n_samples;
};

static bool walk_next(void *ctx, uint32_t *id, const struct pl_columns **c)
{
    struct walk *w = ctx;
    if (!w->gen || w->from > UINT32_MAX || !pl_head_next(w->gen, (uint32_t)w->from, id)) {
        return false;
    }
    while (pl_head_read(w->gen, *id, INT64_MIN, INT64_MAX, &w->columns) < 0) {
        pl_count(w->s->n_late_memory, 1); /* leaving one out would lose it: wait for memory */
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000}, NULL);
    }
    w->from = (uint64_t)*id + 1;
    w->n_samples += w->columns.n;
    *c = &w->columns;
    return true;
}

/** The tenant in the engine, made at its first flush. */
static int engine_tenant(struct pl_tenant *t, struct pl_engine_tenant **out)
{
    *out = atomic_load(&t->et);
    if (*out) {
        return 0;
    }
    int rc = t->s->engine->ops->tenant(t->s->engine, t->name, true, out);
    if (rc >= 0) {
        atomic_store(&t->et, *out);
    }
    return rc;
}

static int write_pending(struct pl_tenant *t, struct pl__pending *p)
{
    struct pl_store *s = t->s;
    struct pl_engine_tenant *et;
    struct walk w = {.s = s, .gen = p->gen};
    struct pl_flush f = {.first_seq = p->seq,
                         .last_seq = p->seq,
                         .next = walk_next,
                         .ctx = &w,
                         .records = p->records,
                         .n_records = p->n_records};
    if (p->gen) {
        int64_t t_min, t_max;
        uint64_t last;
        pl_head_span(p->gen, &t_min, &t_max, &f.first_seq, &last);
    }
    int rc = PL_FAULT("flush.write");
    rc = rc < 0 ? rc : engine_tenant(t, &et);
    rc = rc < 0 ? rc : s->engine->ops->write(et, &f);
    if (rc >= 0) {
        pl_count(s->n_flushed_samples, w.n_samples);
        rc = PL_FAULT("flush.done"); /* committed, not yet retired: "kill" here must lose nothing */
    }
    pl_columns_fini(&w.columns);
    return rc;
}

static int do_pending(struct pl_tenant *t, struct pl__pending *p)
{
    if (!p->erase) {
        return write_pending(t, p);
    }
    struct pl_engine_tenant *et = atomic_load(&t->et);
    int rc = PL_FAULT("flush.erase");
    if (rc >= 0 && et && p->n_ids) {
        rc = t->s->engine->ops->erase(et, p->ids, p->n_ids, p->t0, p->t1, p->seq);
        rc = rc < 0 ? rc : pl__rollup_erase(t, p->ids, p->n_ids, p->t0, p->t1);
    }
    return rc;
}

/** Whoever waits for this erasure hears of it once, be it that it failed for now. */
static void tell(struct pl__pending *p, int rc)
{
    if (p->waiter) {
        struct pl__wait *w = p->waiter;
        p->waiter = NULL;
        pl__wait_signal(w, rc);
    }
}

static int drain_tenant(struct pl_tenant *t)
{
    for (;;) {
        pthread_mutex_lock(&t->heads_lock);
        struct pl__pending *p = t->pending;
        pthread_mutex_unlock(&t->heads_lock);
        if (!p) {
            return 0;
        }
        int rc = do_pending(t, p);
        if (rc < 0) {
            pl_logf(t->s->conf.log, PL_ERROR, "store", p->erase ? "erase failed" : "flush failed",
                    "tenant=%.*s seq=%llu err=%s", PL_PRS(t->name), (unsigned long long)p->seq,
                    pl_err_name(rc));
            pthread_mutex_lock(&t->heads_lock);
            for (; p; p = p->next) {
                tell(p, rc);
            }
            pthread_mutex_unlock(&t->heads_lock);
            return rc;
        }
        size_t bytes = p->gen ? pl_head_bytes(p->gen) : 0;
        pthread_mutex_lock(&t->heads_lock);
        t->pending = p->next;
        t->pending_last = t->pending ? t->pending_last : NULL;
        t->safe_seq = p->seq;
        pl__erasing(t);
        pthread_mutex_unlock(&t->heads_lock);
        atomic_fetch_sub(&t->s->frozen_bytes, bytes);
        tell(p, 0);
        pl__pending_free(p);
    }
}

int pl__drain(struct pl_store *s)
{
    int rc = 0;
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        int r = s->tenants[i] ? drain_tenant(s->tenants[i]) : 0;
        rc = r < 0 ? r : rc;
    }
    return rc;
}

/** Lowest number that some tenant still needs, less one. */
static uint64_t safe_seq(struct pl_store *s)
{
    uint64_t safe = UINT64_MAX;
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        struct pl_tenant *t = s->tenants[i];
        if (t) {
            pthread_mutex_lock(&t->heads_lock);
            safe = t->safe_seq < safe ? t->safe_seq : safe;
            pthread_mutex_unlock(&t->heads_lock);
        }
    }
    return safe;
}

static bool any_pending(struct pl_store *s)
{
    bool any = false;
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n && !any; i++) {
        if (s->tenants[i]) {
            pthread_mutex_lock(&s->tenants[i]->heads_lock);
            any = s->tenants[i]->pending != NULL;
            pthread_mutex_unlock(&s->tenants[i]->heads_lock);
        }
    }
    return any;
}

/** Freeze everything now. */
static int freeze(struct pl_store *s)
{
    int64_t begin = pl_mono_ns(s->conf.clock);
    struct pl__command c = {.run = pl__freeze_all};
    int rc = pl__apply_run(s, &c);
    pl_histo_observe(s->freeze_seconds, (double)(pl_mono_ns(s->conf.clock) - begin) * 1e-9);
    return rc;
}

int pl__flush(struct pl_store *s)
{
    int64_t begin = pl_mono_ns(s->conf.clock);
    int rc = pl__drain(s); /* what failed before: nothing new is frozen until it is through */
    rc = rc < 0 ? rc : freeze(s);
    bool any = any_pending(s);
    rc = rc < 0 ? rc : pl__drain(s);
    uint64_t safe = safe_seq(s);
    if (safe != UINT64_MAX) {
        int r = pl_journal_cut(s->journal, safe);
        if (r < 0) {
            pl_logf(s->conf.log, PL_WARN, "store", "journal files cannot be removed", "err=%s",
                    pl_err_name(r));
        }
    }
    if (rc < 0) {
        pl_count(s->n_flush_failures, 1);
        s->backoff_ns = s->backoff_ns ? 2 * s->backoff_ns : BACKOFF_NS;
        s->backoff_ns = s->backoff_ns < BACKOFF_MAX_NS ? s->backoff_ns : BACKOFF_MAX_NS;
        s->retry_ns = pl_mono_ns(s->conf.clock) + s->backoff_ns;
        return rc;
    }
    s->backoff_ns = 0;
    s->retry_ns = INT64_MIN;
    if (any) {
        malloc_trim(0); /* what a flush needed lies in holes of several arenas */
        double seconds = (double)(pl_mono_ns(s->conf.clock) - begin) * 1e-9;
        pl_count(s->n_flushes, 1);
        pl_histo_observe(s->flush_seconds, seconds);
        pl_logf(s->conf.log, PL_INFO, "store", "flushed", "seq=%llu seconds=%.3f",
                (unsigned long long)safe, seconds);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------ jobs
 */

void pl__storage_want_flush(struct pl_store *s)
{
    pthread_mutex_lock(&s->st_lock);
    if (!s->want_flush) {
        s->want_flush = true;
        atomic_fetch_add(&s->n_urgent, 1);
        pthread_cond_signal(&s->st_cond);
    }
    pthread_mutex_unlock(&s->st_lock);
}

int pl__storage_job(struct pl_store *s, struct pl__job *job)
{
    job->next = NULL;
    pl__wait_init(&job->wait);
    pthread_mutex_lock(&s->st_lock);
    bool taken = s->storage_started && !s->stopping;
    if (taken) {
        *s->jobs_tail = job;
        s->jobs_tail = &job->next;
        if (job->kind == PL__JOB_FLUSH) {
            atomic_fetch_add(&s->n_urgent, 1);
        }
        pthread_cond_signal(&s->st_cond);
    }
    pthread_mutex_unlock(&s->st_lock);
    if (!taken) {
        pl__wait_signal(&job->wait, PL_ECLOSED);
    }
    return pl__wait_for(&job->wait);
}

/** Flushes that are wanted: one does for all that were asked for before it began. */
static void urgent(struct pl_store *s)
{
    struct pl__job *mine = NULL, **mine_tail = &mine;
    bool wanted;
    int64_t now = pl_mono_ns(s->conf.clock);
    pthread_mutex_lock(&s->st_lock);
    wanted = s->want_flush;
    if (wanted) {
        s->want_flush = false;
        atomic_fetch_sub(&s->n_urgent, 1);
    }
    for (struct pl__job **at = &s->jobs; *at;) {
        struct pl__job *j = *at;
        if (j->kind == PL__JOB_FLUSH) {
            *at = j->next;
            j->next = NULL;
            *mine_tail = j;
            mine_tail = &j->next;
            atomic_fetch_sub(&s->n_urgent, 1);
        } else {
            at = &j->next;
        }
    }
    s->jobs_tail = &s->jobs;
    while (*s->jobs_tail) {
        s->jobs_tail = &(*s->jobs_tail)->next;
    }
    pthread_mutex_unlock(&s->st_lock);
    bool force = atomic_exchange(&s->force_flush, false);
    if (!mine && !force && (!wanted || now < s->retry_ns)) {
        return; /* after a failure only the clock, or one who waits, tries again */
    }
    int rc = pl__flush(s);
    for (struct pl__job *j = mine, *next; j; j = next) {
        next = j->next;
        pl__wait_signal(&j->wait, rc);
    }
}

void pl__storage_make_way(struct pl_store *s) { urgent(s); }

/** Stop taking writes before the disk is full, and take them again when there is room. */
static void watch_disk(struct pl_store *s)
{
    uint64_t free_bytes;
    if (pl_disk_free(s->dir, &free_bytes) < 0) {
        return;
    }
    atomic_store(&s->disk_free, free_bytes);
    uint64_t reserve = s->conf.disk_reserve_bytes;
    bool full = atomic_load(&s->full);
    if (!full && free_bytes < reserve) {
        full = true;
        pl_logf(s->conf.log, PL_ERROR, "store", "the disk is nearly full: no writes are taken",
                "free_bytes=%llu reserve_bytes=%llu", (unsigned long long)free_bytes,
                (unsigned long long)reserve);
    } else if (full && free_bytes >= reserve + reserve / 20) {
        full = false;
        pl_logf(s->conf.log, PL_INFO, "store", "the disk has room again: writes are taken",
                "free_bytes=%llu", (unsigned long long)free_bytes);
    } else {
        return;
    }
    atomic_store(&s->full, full);
    pl_journal_set_full(s->journal, full);
}

/** Is the oldest sample not yet flushed older than it should be? */
static bool head_is_old(struct pl_store *s)
{
    int64_t before = pl_now_ms(s->conf.clock) - s->conf.flush_interval_ms;
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        if (s->tenants[i] && atomic_load(&s->tenants[i]->oldest_ms) <= before) {
            return true;
        }
    }
    return false;
}

static void tick(struct pl_store *s)
{
    int64_t now = pl_mono_ns(s->conf.clock);
    if (now >= s->next_disk_ns) {
        s->next_disk_ns = now + DISK_NS;
        watch_disk(s);
    }
    if (now >= s->retry_ns && (s->backoff_ns || head_is_old(s))) {
        pl__flush(s);
    }
    if (now >= s->next_compact_ns) {
        s->next_compact_ns = now + s->conf.compact_interval_ms * 1000000;
        pl__compact(s, false);
    }
}

static struct pl__job *take_job(struct pl_store *s, bool *stop)
{
    struct timespec until = pl_deadline_in(TICK_MS);
    pthread_mutex_lock(&s->st_lock);
    int rc = 0;
    while (!s->jobs && !s->want_flush && !s->stopping && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&s->st_cond, &s->st_lock, &until);
    }
    struct pl__job *j = NULL;
    if (atomic_load(&s->n_urgent) == 0 && s->jobs) {
        j = s->jobs;
        s->jobs = j->next;
        s->jobs_tail = s->jobs ? s->jobs_tail : &s->jobs;
    }
    *stop = s->stopping && !s->jobs && !j;
    pthread_mutex_unlock(&s->st_lock);
    return j;
}

static void run_job(struct pl_store *s, struct pl__job *j)
{
    int rc = pl__flush(s);
    if (rc >= 0 && j->kind == PL__JOB_COMPACT) {
        rc = pl__compact(s, true);
    } else if (rc >= 0 && j->kind == PL__JOB_BACKUP) {
        rc = pl__backup(s, j);
    }
    pl__wait_signal(&j->wait, rc);
}

void *pl__storage_main(void *arg)
{
    struct pl_store *s = arg;
    for (bool stop = false; !stop;) {
        struct pl__job *j = take_job(s, &stop);
        if (atomic_load(&s->n_urgent)) {
            urgent(s);
            stop = false;
        }
        if (j) {
            run_job(s, j);
        } else if (!stop) {
            tick(s);
        }
    }
    return NULL;
}

/* ----------------------------------------------------------------------------------- public calls
 */

int pl_store_flush(struct pl_store *s)
{
    return pl__storage_job(s, &(struct pl__job){.kind = PL__JOB_FLUSH});
}

int pl_store_compact(struct pl_store *s)
{
    return pl__storage_job(s, &(struct pl__job){.kind = PL__JOB_COMPACT});
}
