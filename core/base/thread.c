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

struct pl_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct pl_node *tasks, **tail; /* locked, as all below */
    size_t n_queued, n_idle;
    struct share *shares;
    bool closing;
    size_t n_threads;
    pthread_t threads[];
};

static void share_run(struct share *s)
{
    for (size_t i; (i = atomic_fetch_add(&s->at, 1)) < s->n;) {
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

static void *worker(void *arg)
{
    struct pl_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct share *s = share_find(p);
        if (s) {
            s->helpers++;
            pthread_mutex_unlock(&p->lock);
            share_run(s);
            pthread_mutex_lock(&p->lock);
            if (--s->helpers == 0) {
                pthread_cond_signal(&s->left);
            }
        } else if (p->tasks) {
            struct pl_node *node = p->tasks;
            p->tasks = node->next;
            p->tail = p->tasks ? p->tail : &p->tasks;
            p->n_queued--;
            pthread_mutex_unlock(&p->lock);
            struct pl_task *task = (struct pl_task *)node; /* node is its first member */
            task->run(task);
            pthread_mutex_lock(&p->lock);
        } else if (p->closing) {
            break;
        } else {
            p->n_idle++;
            pthread_cond_wait(&p->work, &p->lock);
            p->n_idle--;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int pl_pool_new(size_t n_threads, const char *name, struct pl_pool **out)
{
    if (n_threads == 0 || n_threads > 4096) {
        return PL_EINVAL;
    }
    struct pl_pool *p = calloc(1, sizeof *p + n_threads * sizeof *p->threads);
    if (!p) {
        return PL_ENOMEM;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    p->tail = &p->tasks;
    for (; p->n_threads < n_threads; p->n_threads++) {
        int rc = pl_thread_start(&p->threads[p->n_threads], name, worker, p);
        if (rc < 0) {
            pl_pool_free(p);
            return rc;
        }
    }
    *out = p;
    return PL_OK;
}

bool pl_pool_submit(struct pl_pool *p, struct pl_task *t)
{
    pthread_mutex_lock(&p->lock);
    bool taken = !p->closing;
    if (taken) {
        t->node.next = NULL;
        *p->tail = &t->node;
        p->tail = &t->node.next;
        p->n_queued++;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    return taken;
}

size_t pl_pool_queued(struct pl_pool *p)
{
    pthread_mutex_lock(&p->lock);
    size_t n = p->n_queued;
    pthread_mutex_unlock(&p->lock);
    return n;
}

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
        pthread_join(p->threads[i], NULL);
    }
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
