/* Threads, a pool of them, and a queue between them. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/** Start a named thread with every signal blocked. PL_EAGAIN when the system refuses. */
int pl_thread_start(pthread_t *out, const char *name, void *(*fn)(void *), void *arg);

/** For pthread_cond_timedwait on a condition whose clock is CLOCK_MONOTONIC: so long from now. */
struct timespec pl_deadline_in(int64_t ms);

/** Unbounded intrusive FIFO with a lock: embed a node, push on any thread, take all on one. */
struct pl_node {
    struct pl_node *next;
};
struct pl_queue {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct pl_node *head, **tail;
    size_t n;
    bool closed;
};
void pl_queue_init(struct pl_queue *q);
void pl_queue_fini(struct pl_queue *q);
/** false when the queue is closed (node not taken). */
bool pl_queue_push(struct pl_queue *q, struct pl_node *node);
/** All nodes in order, as a list; waits for one up to timeout_ms (-1 for ever, 0 not at all);
 *  NULL at timeout, or when closed and empty. */
struct pl_node *pl_queue_take(struct pl_queue *q, int timeout_ms);
struct pl_node *pl_queue_take_one(struct pl_queue *q, int timeout_ms);
void pl_queue_close(struct pl_queue *q);
size_t pl_queue_len(struct pl_queue *q);

/** A pool of worker threads. A task is embedded in its owner's struct and not copied. */
struct pl_task {
    struct pl_node node;
    void (*run)(struct pl_task *);
};
struct pl_pool;
int pl_pool_new(size_t n_threads, const char *name, struct pl_pool **out);
/** A pool that long tasks do not block: n_run tasks at once, and one more for each that has run for
 *  long_ms or longer, as long as there are spare threads. */
int pl_pool_new_spare(size_t n_run, size_t n_spare, int64_t long_ms, const char *name,
                      struct pl_pool **out);
bool pl_pool_submit(struct pl_pool *p, struct pl_task *t);
size_t pl_pool_queued(struct pl_pool *p);
/** Run fn(ctx, i) for i in [0, n) on idle workers (n_run busy ones at most) and on the calling
 *  thread; returns when all are done. Never waits for a busy worker: with none idle the caller does
 *  it all. Workers that help leave for tasks that wait. */
void pl_pool_for(struct pl_pool *p, size_t n, void (*fn)(void *ctx, size_t i), void *ctx);
void pl_pool_free(struct pl_pool *p); /* waits for queued tasks */
