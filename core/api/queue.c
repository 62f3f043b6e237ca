/* Which query comes next. Jobs wait in queues of their tenants, which take turns; the pool is given
 * tickets, each of which runs whatever is next when its turn comes.
 *
 * A tenant's jobs are in two lines: those whose text took long the last time, and the others, which
 * go first (but for every fourth turn, so that nobody starves). Long ones may not take all threads
 * of the pool, and none begins while those that run hold half of the memory that all may have: then
 * a ticket is put aside until a job ends. How long a text took is remembered in a small table of
 * hashes, right or wrong only in the order it leads to. Any thread; queue_lock guards it all. */
#include "core/api/internal.h"
#include <stdatomic.h>
#include <stdlib.h>

#define LONG_MS 200

enum line { SHORT, LONG, LINES };

/** A tenant with jobs that wait; in a ring. */
struct pl__turn {
    struct pl__turn *next;
    struct pl_tenant *tenant;
    unsigned served;
    struct pl_job *first[LINES], **last[LINES];
};

struct ticket {
    struct pl_task task;
    struct pl_api *api;
    struct pl_pool *pool;
};

/* ------------------------------------------------------------------ how long it took */

static _Atomic uint32_t *slot(struct pl_api *a, const struct pl_job *job)
{
    uint64_t h = pl_hash64(job->args.text.p, job->args.text.n, (uintptr_t)job->work);
    return &a->took_ms[h % PL__TOOK];
}

static bool takes_long(struct pl_api *a, const struct pl_job *job)
{
    return atomic_load_explicit(slot(a, job), memory_order_relaxed) >= LONG_MS;
}

/* ------------------------------------------------------------------ the ring */

/** The tenant's place, made if it has none. Locked. */
static struct pl__turn *turn_of(struct pl_queries *q, struct pl_tenant *t)
{
    struct pl__turn *at = q->ring;
    for (size_t i = 0; i < q->n_ring; i++, at = at->next) {
        if (at->tenant == t) {
            return at;
        }
    }
    at = calloc(1, sizeof *at);
    if (!at) {
        return NULL;
    }
    at->tenant = t;
    for (int l = 0; l < LINES; l++) {
        at->last[l] = &at->first[l];
    }
    if (q->ring) { /* behind the one whose turn it is: last in line would need a back link */
        at->next = q->ring->next;
        q->ring->next = at;
    } else {
        at->next = at;
        q->ring = at;
    }
    q->n_ring++;
    return at;
}

/** The next tenant; the one before it goes if it has no more jobs. Locked. `before` precedes ring.
 */
static void step(struct pl_queries *q, struct pl__turn *before)
{
    struct pl__turn *at = q->ring;
    if (at->first[SHORT] || at->first[LONG]) {
        q->ring = at->next;
        return;
    }
    q->n_ring--;
    if (q->n_ring == 0) {
        q->ring = NULL;
    } else {
        before->next = at->next;
        q->ring = at->next;
    }
    free(at);
}

static struct pl_job *take(struct pl__turn *t, enum line line)
{
    struct pl_job *job = t->first[line];
    t->first[line] = job->waiting_next;
    t->last[line] = t->first[line] ? t->last[line] : &t->first[line];
    return job;
}

/** What may begin now; NULL: nothing may, until a job ends. Locked. */
static struct pl_job *next(struct pl_api *a)
{
    struct pl_queries *q = &a->waiting;
    bool room =
        q->n_running == 0 || !a->budget.max_bytes || a->budget.used < a->budget.max_bytes / 2;
    struct pl__turn *before = q->ring;
    for (size_t i = 1; i < q->n_ring; i++) {
        before = before->next;
    }
    for (size_t i = 0, n = q->n_ring; i < n && room; i++) {
        struct pl__turn *t = q->ring;
        bool may_long = t->first[LONG] && q->n_long < q->max_long;
        struct pl_job *job = NULL;
        if (may_long && (!t->first[SHORT] || t->served % 4 == 3)) {
            job = take(t, LONG);
            job->is_long = true;
            q->n_long++;
        } else if (t->first[SHORT]) {
            job = take(t, SHORT);
        }
        if (job) {
            t->served++;
            q->n_running++;
            step(q, before);
            return job;
        }
        before = t;
        q->ring = t->next;
    }
    return NULL;
}

/* ------------------------------------------------------------------ tickets */

static void run_ticket(struct pl_task *task);

/** Tickets that were put aside try again, as a job has ended. */
static void again(struct pl_api *a, struct pl_pool *pool)
{
    struct pl_queries *q = &a->waiting;
    for (int i = 0; i < 2; i++) { /* it may have made room for more than one */
        pthread_mutex_lock(&q->lock);
        struct pl_node *node = q->aside;
        q->aside = node ? node->next : NULL;
        pthread_mutex_unlock(&q->lock);
        struct ticket *ticket = (struct ticket *)node; /* the node of its task comes first */
        if (ticket && !pl_pool_submit(pool, &ticket->task)) {
            run_ticket(&ticket->task); /* the pool closes: what it took is done */
        }
    }
}

static void run_ticket(struct pl_task *task)
{
    struct ticket *ticket = (struct ticket *)task; /* its first member */
    struct pl_api *a = ticket->api;
    struct pl_pool *pool = ticket->pool;
    struct pl_queries *q = &a->waiting;
    pthread_mutex_lock(&q->lock);
    struct pl_job *job = next(a);
    if (!job) {
        task->node.next = q->aside;
        q->aside = &task->node;
        pthread_mutex_unlock(&q->lock);
        return;
    }
    pthread_mutex_unlock(&q->lock);
    free(ticket);
    _Atomic uint32_t *took = slot(a, job);
    bool is_long = job->is_long;
    int64_t begun = pl_mono_ns(a->conf.clock);
    a->queries_waiting--;
    pl__job_run(job);
    int64_t ms = (pl_mono_ns(a->conf.clock) - begun) / 1000000;
    atomic_store_explicit(took, ms < 1000000 ? (uint32_t)ms : 1000000, memory_order_relaxed);
    pthread_mutex_lock(&q->lock);
    q->n_running--;
    q->n_long -= is_long;
    pthread_mutex_unlock(&q->lock);
    again(a, pool);
}

int pl__queue_put(struct pl_api *a, struct pl_pool *pool, struct pl_job *job)
{
    struct pl_queries *q = &a->waiting;
    struct ticket *ticket = malloc(sizeof *ticket);
    if (!ticket) {
        return PL_ENOMEM;
    }
    *ticket = (struct ticket){.task.run = run_ticket, .api = a, .pool = pool};
    enum line line = takes_long(a, job) ? LONG : SHORT;
    pthread_mutex_lock(&q->lock);
    struct pl__turn *t = turn_of(q, job->args.tenant);
    bool put = t != NULL;
    if (put) { /* under the lock, so that no ticket is there before its job */
        job->waiting_next = NULL;
        *t->last[line] = job;
        t->last[line] = &job->waiting_next;
    }
    pthread_mutex_unlock(&q->lock);
    if (put && !pl_pool_submit(pool, &ticket->task)) {
        run_ticket(&ticket->task); /* the pool closes: here, then */
        return 0;
    }
    if (!put) {
        free(ticket);
    }
    return put ? 0 : PL_ENOMEM;
}

void pl__queue_init(struct pl_api *a)
{
    a->waiting.max_long = a->conf.query_max_long ? a->conf.query_max_long : SIZE_MAX;
    a->budget.max_bytes = a->conf.query_max_total_memory_bytes;
    pthread_mutex_init(&a->waiting.lock, NULL);
}

void pl__queue_fini(struct pl_api *a) { pthread_mutex_destroy(&a->waiting.lock); }
