/* How a store starts: what engine and journal hold is brought back, by three threads. The opener's
 * own reads tenants with their metadata and keys, then appends the journal's samples to the heads;
 * the indexer loads the engine's series and indexes the journal's definitions, in order; a third
 * reads the journal ahead (journal_read.c). Samples go by ids and need no index; what does need it
 * (tombstones, freezing, the hook) waits for the indexer. */
#include "core/store/tenant.h"
#include <stdio.h>
#include <stdlib.h>

#define PROGRESS_FRAMES 1024
#define AHEAD_BYTES     ((size_t)32 << 20) /* of definitions that wait for the indexer */

enum task { LOAD, DEFINE, END };

struct job {
    struct pl_node node;
    enum task task;
    struct pl_tenant *t;
    struct pl_engine_tenant *et; /* LOAD */
    uint64_t seq;                /* DEFINE: of its frame */
    size_t n;
    char payload[];
};

struct pl__start {
    struct pl_store *s;
    pthread_t indexer;
    struct pl_queue queue;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t less;
    size_t jobs, bytes; /* not done yet */
    int rc;             /* of the first that failed, */
    struct pl_tenant *failed;
};

/* ------------------------------------------------------------------------------------ the indexer
 */

static int run(const struct job *j)
{
    switch (j->task) {
    case LOAD:
        return pl__tenant_load_series(j->t, j->et);
    case DEFINE:
        pl__apply_define(j->t, (pl_str){j->payload, j->n}, j->seq, true);
        return 0;
    case END:
        break;
    }
    return pl_series_load_end(j->t->series);
}

static void *index_main(void *arg)
{
    struct pl__start *x = arg;
    struct pl_node *list;
    int rc = 0;
    while ((list = pl_queue_take(&x->queue, -1))) {
        for (struct pl_node *node = list, *next; node; node = next) {
            struct job *j = (struct job *)node; /* its first member */
            next = node->next;
            rc = rc < 0 ? rc : run(j);
            pthread_mutex_lock(&x->lock);
            x->jobs--;
            x->bytes -= j->n;
            if (rc < 0 && x->rc >= 0) {
                x->rc = rc;
                x->failed = j->t;
            }
            pthread_cond_signal(&x->less);
            pthread_mutex_unlock(&x->lock);
            free(j);
        }
    }
    return NULL;
}

/** Until the indexer has done all that it was given; what failed there. */
static int indexed(struct pl__start *x)
{
    pthread_mutex_lock(&x->lock);
    while (x->jobs) {
        pthread_cond_wait(&x->less, &x->lock);
    }
    int rc = x->rc;
    pthread_mutex_unlock(&x->lock);
    return rc;
}

static int give(struct pl__start *x, enum task task, struct pl_tenant *t,
                struct pl_engine_tenant *et, uint64_t seq, pl_str payload)
{
    struct job *j = malloc(sizeof *j + payload.n);
    if (!j) {
        return PL_ENOMEM;
    }
    *j = (struct job){.task = task, .t = t, .et = et, .seq = seq, .n = payload.n};
    memcpy(j->payload, payload.n ? payload.p : "", payload.n);
    pthread_mutex_lock(&x->lock);
    while (x->bytes > AHEAD_BYTES) {
        pthread_cond_wait(&x->less, &x->lock);
    }
    x->jobs++;
    x->bytes += j->n;
    int rc = x->rc;
    pl_queue_push(&x->queue, &j->node);
    pthread_mutex_unlock(&x->lock);
    return rc;
}

/* ------------------------------------------------------------------------------------ the engine
 */

struct names {
    struct pl_arena arena;
    pl_str *p;
    size_t n, cap;
};

static int keep_name(void *ctx, pl_str name)
{
    struct names *x = ctx;
    if (pl_grow(&x->p, x->n, &x->cap, sizeof *x->p) < 0) {
        return PL_ENOMEM;
    }
    x->p[x->n] = pl_arena_dup(&x->arena, name);
    return x->p[x->n++].p ? 0 : PL_ENOMEM;
}

static int load_tenant(struct pl__start *x, pl_str name)
{
    struct pl_store *s = x->s;
    struct pl_tenant *t;
    struct pl_engine_tenant *et;
    int rc = pl_store_tenant(s, name, true, &t);
    rc = rc < 0 ? rc : s->engine->ops->tenant(s->engine, name, false, &et);
    rc = rc < 0 ? rc : pl__tenant_load(t, et);
    if (rc >= 0) {
        pl_series_load_begin(t->series);
        rc = give(x, LOAD, t, et, 0, PL_STR(""));
    }
    return rc;
}

/** All tenants of the engine, also those that TENANTS does not name (a backup taken apart). */
static int load_tenants(struct pl__start *x, char *why, size_t n_why)
{
    struct pl_store *s = x->s;
    struct names names = {.n = 0};
    pl_arena_init(&names.arena, 0);
    int rc = s->engine->ops->tenants(s->engine, keep_name, &names);
    uint32_t limit = s->conf.max_tenants;
    s->conf.max_tenants = PL__TENANTS_MAX;
    for (size_t i = 0; i < names.n && rc >= 0; i++) {
        rc = load_tenant(x, names.p[i]);
        if (rc < 0) {
            snprintf(why, n_why, "%s: tenant %.*s: %s", s->dir, PL_PRS(names.p[i]),
                     pl_err_text(rc));
        } else if (s->conf.progress) {
            s->conf.progress(s->conf.ctx, "tenants", i + 1, names.n);
        }
    }
    if (rc >= 0) {
        struct pl_tenant *t;
        rc = pl_store_tenant(s, PL_STR("default"), true, &t);
        if (rc < 0) {
            snprintf(why, n_why, "%s: tenant default: %s", s->dir, pl_err_text(rc));
        }
    } else if (!names.n) {
        snprintf(why, n_why, "%s: cannot list tenants: %s", s->dir, pl_err_text(rc));
    }
    s->conf.max_tenants = limit;
    pl_arena_fini(&names.arena);
    free(names.p);
    return rc;
}

/* ----------------------------------------------------------------------------------- the journal
 */

static int apply(struct pl__start *x, struct pl_tenant *t, const struct pl_frame *f)
{
    int rc = 0;
    if (f->type == PL_FRAME_DEFINE) {
        t->dirty = true;
        rc = give(x, DEFINE, t, NULL, f->seq, pl_buf_view(&f->payload));
        atomic_store_explicit(&x->s->applied_seq, f->seq, memory_order_release);
        return rc;
    }
    if (f->type != PL_FRAME_SAMPLES || x->s->conf.applied) {
        rc = indexed(x);
    }
    if (rc >= 0) {
        pl__apply_frame(x->s, f, true);
    }
    return rc;
}

/** A frame; what its tenant's engine has already is passed by. */
static int replay(void *ctx, const struct pl_frame *f)
{
    struct pl_store *s = ctx;
    struct pl__start *x = s->start;
    struct pl_tenant *t = pl__tenant_at(s, f->tenant);
    if (!t) {
        pl_logf(s->conf.log, PL_ERROR, "store", "the journal names a tenant that TENANTS does not",
                "tenant=%u seq=%llu", f->tenant, (unsigned long long)f->seq);
        return PL_ECORRUPT;
    }
    int rc = f->seq > t->skip_seq ? apply(x, t, f) : 0;
    if (rc >= 0 && ++s->n_replayed % PROGRESS_FRAMES == 0) {
        if (s->conf.progress) {
            s->conf.progress(s->conf.ctx, "journal", s->n_replayed, 0);
        }
        /* The engine took nothing for long before the last stop: make room as a flush would. */
        if (atomic_load(&s->cur_bytes) / 2 > s->conf.head_max_bytes) {
            rc = indexed(x);
            rc = rc < 0 ? rc : pl__freeze_all(s, NULL);
            rc = rc < 0 ? rc : pl__drain(s);
        }
    }
    return rc;
}

static int pass_by(void *ctx, const struct pl_frame *f)
{
    (void)ctx, (void)f;
    return 0;
}

static void committed(void *ctx, struct pl_node *frames)
{
    struct pl_store *s = ctx;
    for (struct pl_node *node = frames, *next; node; node = next) {
        next = node->next;
        pl_queue_push(&s->apply, node);
    }
}

static int open_journal(struct pl__start *x, char *why, size_t n_why)
{
    struct pl_store *s = x->s;
    uint64_t lowest = UINT64_MAX, highest = 0;
    for (unsigned i = 0; i < atomic_load(&s->n_tenants); i++) {
        if (s->tenants[i]) {
            uint64_t seq = s->tenants[i]->skip_seq;
            lowest = seq < lowest ? seq : lowest;
            highest = seq > highest ? seq : highest;
        }
    }
    struct pl_buf dir = PL_BUF_INIT;
    pl_buf_f(&dir, "%s/journal%c", s->dir, 0);
    if (dir.failed) {
        pl_buf_fini(&dir);
        return PL_ENOMEM;
    }
    struct pl_journal_conf conf = {.dir = (char *)dir.p,
                                   .file_bytes = s->conf.journal_file_bytes,
                                   .queue_bytes = s->conf.journal_queue_bytes,
                                   .sync = s->conf.durability == PL_DURABLE_DISK,
                                   .clock = s->conf.clock,
                                   .log = s->conf.log,
                                   .metrics = s->conf.metrics,
                                   .committed = committed,
                                   .ctx = s};
    int rc = pl_journal_open(&conf, lowest, replay, &s->journal, why, n_why);
    if (rc >= 0 && pl_journal_last_seq(s->journal) < highest) {
        /* The journal is not there (a backup) or was lost: numbers must go on behind the engine's.
         */
        pl_journal_close(s->journal);
        s->journal = NULL;
        rc = pl_journal_open(&conf, highest, pass_by, &s->journal, why, n_why);
    }
    if (rc >= 0) {
        atomic_store(&s->applied_seq, pl_journal_last_seq(s->journal));
    }
    pl_buf_fini(&dir);
    return rc;
}

/* ------------------------------------------------------------------------------------- the start
 */

static int begin(struct pl__start *x, struct pl_store *s)
{
    *x = (struct pl__start){.s = s};
    pl_queue_init(&x->queue);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->less, NULL);
    s->start = x;
    return pl_thread_start(&x->indexer, "index", index_main, x);
}

static void end(struct pl__start *x, bool started)
{
    pl_queue_close(&x->queue);
    if (started) {
        pthread_join(x->indexer, NULL);
    }
    pl_queue_fini(&x->queue);
    pthread_mutex_destroy(&x->lock);
    pthread_cond_destroy(&x->less);
    x->s->start = NULL;
}

static int finish(struct pl__start *x)
{
    struct pl_store *s = x->s;
    int rc = 0;
    for (unsigned i = 0; i < atomic_load(&s->n_tenants) && rc >= 0; i++) {
        rc = s->tenants[i] ? give(x, END, s->tenants[i], NULL, 0, PL_STR("")) : 0;
    }
    int e = indexed(x);
    return rc < 0 ? rc : e;
}

int pl__start(struct pl_store *s, char *why, size_t n_why)
{
    struct pl__start x;
    int rc = begin(&x, s);
    bool started = rc >= 0;
    if (rc < 0) {
        snprintf(why, n_why, "%s: cannot start a thread: %s", s->dir, pl_err_text(rc));
    }
    for (unsigned i = 0; i < atomic_load(&s->n_tenants); i++) {
        if (s->tenants[i]) { /* also those that the engine does not know yet */
            pl_series_load_begin(s->tenants[i]->series);
        }
    }
    rc = rc < 0 ? rc : load_tenants(&x, why, n_why);
    rc = rc < 0 ? rc : open_journal(&x, why, n_why);
    if (rc >= 0) {
        rc = finish(&x);
        snprintf(why, n_why, "%s: %s", s->dir, pl_err_text(rc));
    }
    end(&x, started);
    if (x.rc < 0) {
        snprintf(why, n_why, "%s: tenant %.*s: %s", s->dir, PL_PRS(x.failed->name),
                 pl_err_text(x.rc));
    }
    return rc;
}
