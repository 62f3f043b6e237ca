/* Threads by pthread: a named start, a FIFO with a lock, a pool. */
#include "core/base/thread.h"
#include "perilune/err.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

int pl_thread_start(pthread_t *out, const char *name, void *(*fn)(void *), void *arg)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        return PL_EAGAIN;
    }
    char short_name[16]; /* the kernel's limit */
    snprintf(short_name, sizeof short_name, "%s", name);
    pthread_setname_np(thread, short_name);
    *out = thread;
    return PL_OK;
}

struct timespec pl_deadline_in(int64_t ms)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += ms / 1000;
    ts.tv_nsec += (long)(ms % 1000) * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return ts;
}

/* --- queue --- */

void pl_queue_init(struct pl_queue *q)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    *q = (struct pl_queue){.tail = NULL};
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->cond, &attr);
    pthread_condattr_destroy(&attr);
    q->tail = &q->head;
}

void pl_queue_fini(struct pl_queue *q)
{
    pthread_cond_destroy(&q->cond);
    pthread_mutex_destroy(&q->lock);
}

bool pl_queue_push(struct pl_queue *q, struct pl_node *node)
{
    pthread_mutex_lock(&q->lock);
    bool taken = !q->closed;
    if (taken) {
        node->next = NULL;
        *q->tail = node;
        q->tail = &node->next;
        q->n++;
        pthread_cond_signal(&q->cond);
    }
    pthread_mutex_unlock(&q->lock);
    return taken;
}

/** With the lock held: wait until there is a node, the queue is closed, or the time is over. */
static void wait_for_node(struct pl_queue *q, int timeout_ms)
{
    if (q->head || q->closed || timeout_ms == 0) {
        return;
    }
    struct timespec deadline = pl_deadline_in(timeout_ms > 0 ? timeout_ms : 0);
    while (!q->head && !q->closed) {
        if (timeout_ms < 0) {
            pthread_cond_wait(&q->cond, &q->lock);
        } else if (pthread_cond_timedwait(&q->cond, &q->lock, &deadline) == ETIMEDOUT) {
            return;
        }
    }
}

struct pl_node *pl_queue_take(struct pl_queue *q, int timeout_ms)
{
    pthread_mutex_lock(&q->lock);
    wait_for_node(q, timeout_ms);
    struct pl_node *all = q->head;
    q->head = NULL;
    q->tail = &q->head;
    q->n = 0;
    pthread_mutex_unlock(&q->lock);
    return all;
}

struct pl_node *pl_queue_take_one(struct pl_queue *q, int timeout_ms)
{
    pthread_mutex_lock(&q->lock);
    wait_for_node(q, timeout_ms);
    struct pl_node *one = q->head;
    if (one) {
        q->head = one->next;
        q->tail = q->head ? q->tail : &q->head;
        q->n--;
        one->next = NULL;
    }
    pthread_mutex_unlock(&q->lock);
    return one;
}

void pl_queue_close(struct pl_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->cond);
    pthread_mutex_unlock(&q->lock);
}

size_t pl_queue_len(struct pl_queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->n;
    pthread_mutex_unlock(&q->lock);
    return n;
}

/* --- pool --- */

/** One pl_pool_for: stands on its caller's stack, in the pool's list while it has indices left. */
struct share {
    struct share *next;
    void (*fn)(void *ctx, size_t i);
    void *ctx;
    size_t n;
    atomic_size_t at;    /* the next index */
    size_t helpers;      /* workers inside; locked by the pool */
    pthread_cond_t left; /* the last helper went */
};

struct worker {
    struct pl_pool *pool;
    pthread_t thread;
    int64_t began_ns; /* the task or share it runs; 0: none. Locked by the pool */
};

struct pl_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct pl_node *tasks, **tail; /* locked, as all below */
    atomic_size_t n_queued;        /* written under the lock */
    size_t n_idle, n_busy;         /* workers without, and with a task or a share */
    size_t n_run;                  /* so many at once, but for tasks that run for long */
    int64_t long_ns;               /* from then on a task does not count; 0: for ever */
    bool watched;                  /* an idle worker waits for a task to become long */
    struct share *shares;
    bool closing;
    size_t n_threads;
    struct worker worker[];
};

static void share_run(struct share *s)
{
    for (size_t i; (i = atomic_fetch_add(&s->at, 1)) < s->n;) {
        s->fn(s->ctx, i);
    }
}

/** The same, until there are tasks that wait. */
static void share_help(const struct pl_pool *p, struct share *s)
{
    for (size_t i; !atomic_load_explicit(&p->n_queued, memory_order_relaxed) &&
                   (i = atomic_fetch_add(&s->at, 1)) < s->n;) {
        s->fn(s->ctx, i);
    }
}

static struct share *share_find(const struct pl_pool *p)
{
    struct share *s = p->shares;
    while (s && atomic_load(&s->at) >= s->n) {
        s = s->next;
    }
    return s;
}

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/** May one more begin? 0, or how long until that may have changed by itself; -1: it will not. */
static int64_t wait_of(const struct pl_pool *p)
{
    if (p->n_busy < p->n_run) {
        return 0;
    }
    if (!p->long_ns) {
        return -1;
    }
    size_t n = p->n_busy;
    int64_t now = now_ns(), least = INT64_MAX;
    for (size_t i = 0; i < p->n_threads; i++) {
        int64_t left = p->worker[i].began_ns + p->long_ns - now;
        if (p->worker[i].began_ns && left <= 0) {
            n--;
        } else if (p->worker[i].began_ns && left < least) {
            least = left;
        }
    }
    return n < p->n_run ? 0 : least == INT64_MAX ? -1 : least;
}

/** Should a worker be woken for a task? Not where none may begin and one watches already: it costs
 *  a switch for nothing. */
static bool wants_worker(const struct pl_pool *p)
{
    return p->n_idle && (p->n_busy < p->n_run || (p->long_ns && !p->watched));
}

static void run_task(struct pl_pool *p, struct worker *w)
{
    struct pl_node *node = p->tasks;
    p->tasks = node->next;
    p->tail = p->tasks ? p->tail : &p->tasks;
    atomic_fetch_sub(&p->n_queued, 1);
    p->n_busy++;
    w->began_ns = p->long_ns ? now_ns() : 1;
    bool wake = p->tasks && wants_worker(p); /* somebody else looks after the rest */
    pthread_mutex_unlock(&p->lock);
    if (wake) {
        pthread_cond_signal(&p->work);
    }
    struct pl_task *task = (struct pl_task *)node; /* node is its first member */
    task->run(task);
    pthread_mutex_lock(&p->lock);
    w->began_ns = 0;
    p->n_busy--;
}

static void run_share(struct pl_pool *p, struct worker *w, struct share *s)
{
    s->helpers++;
    p->n_busy++;
    w->began_ns = p->long_ns ? now_ns() : 1; /* one step of it may take long, too */
    pthread_mutex_unlock(&p->lock);
    share_help(p, s);
    pthread_mutex_lock(&p->lock);
    w->began_ns = 0;
    p->n_busy--;
    if (--s->helpers == 0) {
        pthread_cond_signal(&s->left);
    }
}

/** @param wait  for ever (-1), or so many ns: then this worker is the one that watches. */
static void idle(struct pl_pool *p, int64_t wait)
{
    p->n_idle++;
    if (wait <= 0 || p->watched) {
        pthread_cond_wait(&p->work, &p->lock);
    } else {
        struct timespec until = pl_deadline_in(wait / 1000000 + 1);
        p->watched = true;
        pthread_cond_timedwait(&p->work, &p->lock, &until);
        p->watched = false;
    }
    p->n_idle--;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct pl_pool *p = w->pool;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        int64_t wait = p->tasks ? wait_of(p) : -1;
        struct share *s;
        if (p->tasks && wait == 0) {
            run_task(p, w);
        } else if (p->n_busy < p->n_run && (s = share_find(p))) {
            run_share(p, w, s);
        } else if (p->closing && !p->tasks) {
            break;
        } else {
            idle(p, wait);
        }
    }
    pthread_cond_broadcast(&p->work); /* those that could not begin the last tasks */
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int pl_pool_new_spare(size_t n_run, size_t n_spare, int64_t long_ms, const char *name,
                      struct pl_pool **out)
{
    size_t n = n_run + n_spare;
    if (n_run == 0 || n > 4096) {
        return PL_EINVAL;
    }
    struct pl_pool *p = calloc(1, sizeof *p + n * sizeof *p->worker);
    if (!p) {
        return PL_ENOMEM;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, &attr);
    pthread_condattr_destroy(&attr);
    p->tail = &p->tasks;
    p->n_run = n_run;
    p->long_ns = n_spare ? long_ms * 1000000 : 0;
    int rc = PL_OK;
    pthread_mutex_lock(&p->lock); /* workers count themselves from the first moment on */
    for (; p->n_threads < n && rc >= 0; p->n_threads += rc >= 0) {
        struct worker *w = &p->worker[p->n_threads];
        w->pool = p;
        rc = pl_thread_start(&w->thread, name, work, w);
    }
    pthread_mutex_unlock(&p->lock);
    if (rc < 0) {
        pl_pool_free(p);
        return rc;
    }
    *out = p;
    return PL_OK;
}

int pl_pool_new(size_t n_threads, const char *name, struct pl_pool **out)
{
    return pl_pool_new_spare(n_threads, 0, 0, name, out);
}

bool pl_pool_submit(struct pl_pool *p, struct pl_task *t)
{
    pthread_mutex_lock(&p->lock);
    bool taken = !p->closing, wake = false;
    if (taken) {
        t->node.next = NULL;
        *p->tail = &t->node;
        p->tail = &t->node.next;
        atomic_fetch_add(&p->n_queued, 1);
        wake = wants_worker(p);
    }
    pthread_mutex_unlock(&p->lock);
    if (wake) {
        pthread_cond_signal(&p->work); /* workers outlive this: the pool is freed by its owner */
    }
    return taken;
}

size_t pl_pool_queued(struct pl_pool *p) { return atomic_load(&p->n_queued); }

void pl_pool_for(struct pl_pool *p, size_t n, void (*fn)(void *ctx, size_t i), void *ctx)
{
    struct share s = {.fn = fn, .ctx = ctx, .n = n};
    if (n <= 1) {
        share_run(&s);
        return;
    }
    pthread_cond_init(&s.left, NULL);
    pthread_mutex_lock(&p->lock);
    s.next = p->shares;
    p->shares = &s;
    size_t wake = p->n_idle < n - 1 ? p->n_idle : n - 1;
    size_t room = p->n_busy < p->n_run ? p->n_run - p->n_busy : 0;
    wake = wake < room ? wake : room;
    for (size_t i = 0; i < wake; i++) {
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    share_run(&s);
    pthread_mutex_lock(&p->lock);
    struct share **at = &p->shares;
    while (*at != &s) {
        at = &(*at)->next;
    }
    *at = s.next;
    while (s.helpers) {
        pthread_cond_wait(&s.left, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    pthread_cond_destroy(&s.left);
}

void pl_pool_free(struct pl_pool *p)
{
    if (!p) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->n_threads; i++) {
        pthread_join(p->worker[i].thread, NULL);
    }
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
