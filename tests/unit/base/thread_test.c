/* Queue and pool, under TSan as well. */
#include "tests/unit/unit.h"
#include "core/base/thread.h"
#include "perilune/err.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

struct item {
    struct pl_node node;
    size_t from, at;
};

struct pusher {
    struct pl_queue *q;
    struct item *items;
    size_t n;
};

static void *push_all(void *arg)
{
    struct pusher *p = arg;
    for (size_t i = 0; i < p->n; i++) {
        pl_queue_push(p->q, &p->items[i].node);
    }
    return NULL;
}

TEST(nodes_of_each_pusher_come_out_in_its_order_and_none_is_lost)
{
    enum { PUSHERS = 3, EACH = 2000 };
    struct pl_queue q;
    static struct item items[PUSHERS][EACH];
    struct pusher pushers[PUSHERS];
    pthread_t threads[PUSHERS];
    size_t next[PUSHERS] = {0}, seen = 0;
    pl_queue_init(&q);
    for (size_t i = 0; i < PUSHERS; i++) {
        for (size_t k = 0; k < EACH; k++) {
            items[i][k].from = i;
            items[i][k].at = k;
        }
        pushers[i] = (struct pusher){&q, items[i], EACH};
        assert_int_equal(pl_thread_start(&threads[i], "pusher", push_all, &pushers[i]), PL_OK);
    }
    while (seen < PUSHERS * EACH) {
        struct pl_node *node = pl_queue_take(&q, -1);
        for (struct pl_node *after; node; node = after) {
            struct item *it = (struct item *)node;
            after = node->next;
            assert_int_equal(it->at, next[it->from]++);
            seen++;
        }
    }
    for (size_t i = 0; i < PUSHERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(pl_queue_len(&q), 0);
    pl_queue_fini(&q);
}

TEST(a_closed_queue_gives_what_it_holds_and_takes_nothing_more)
{
    struct pl_queue q;
    struct item a = {.at = 1}, b = {.at = 2}, c = {.at = 3};
    pl_queue_init(&q);
    assert_null(pl_queue_take(&q, 0));
    assert_null(pl_queue_take(&q, 1));
    assert_true(pl_queue_push(&q, &a.node));
    assert_true(pl_queue_push(&q, &b.node));
    assert_int_equal(pl_queue_len(&q), 2);
    pl_queue_close(&q);
    assert_false(pl_queue_push(&q, &c.node));
    assert_ptr_equal(pl_queue_take_one(&q, -1), &a.node);
    assert_null(a.node.next);
    assert_ptr_equal(pl_queue_take_one(&q, -1), &b.node);
    assert_null(pl_queue_take_one(&q, -1));
    pl_queue_fini(&q);
}

TEST(a_deadline_lies_ahead_with_its_nanoseconds_in_range)
{
    struct timespec before = pl_deadline_in(0);
    for (int64_t ms = 0; ms < 3000; ms += 7) {
        struct timespec at = pl_deadline_in(ms);
        int64_t ahead = (at.tv_sec - before.tv_sec) * 1000000000 + at.tv_nsec - before.tv_nsec;
        assert_true(at.tv_nsec >= 0 && at.tv_nsec < 1000000000 && ahead >= ms * 1000000);
    }
}

static void *has_signals_blocked(void *arg)
{
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    *(bool *)arg = sigismember(&set, SIGTERM) && sigismember(&set, SIGINT);
    return NULL;
}

TEST(a_thread_is_started_with_signals_blocked)
{
    pthread_t thread;
    bool blocked = false;
    assert_int_equal(pl_thread_start(&thread, "a name longer than the kernel takes",
                                     has_signals_blocked, &blocked),
                     PL_OK);
    pthread_join(thread, NULL);
    assert_true(blocked);
}

struct job {
    struct pl_task task;
    atomic_size_t *done;
};

static void count_job(struct pl_task *t) { atomic_fetch_add(((struct job *)t)->done, 1); }

TEST(every_submitted_task_has_run_when_the_pool_is_freed)
{
    enum { N = 500 };
    static struct job jobs[N];
    atomic_size_t done = 0;
    struct pl_pool *pool = NULL;
    assert_int_equal(pl_pool_new(0, "none", &pool), PL_EINVAL);
    assert_int_equal(pl_pool_new(3, "pool", &pool), PL_OK);
    for (size_t i = 0; i < N; i++) {
        jobs[i] = (struct job){.task.run = count_job, .done = &done};
        assert_true(pl_pool_submit(pool, &jobs[i].task));
    }
    pl_pool_free(pool);
    assert_int_equal(done, N);
    pl_pool_free(NULL);
}

static void mark(void *ctx, size_t i) { atomic_fetch_add(&((atomic_uint *)ctx)[i], 1); }

TEST(a_parallel_for_visits_each_index_once)
{
    enum { N = 1000 };
    static atomic_uint marks[N];
    struct pl_pool *pool = NULL;
    assert_int_equal(pl_pool_new(2, "pool", &pool), PL_OK);
    for (unsigned round = 1; round <= 50; round++) {
        pl_pool_for(pool, N, mark, marks);
        for (size_t i = 0; i < N; i++) {
            assert_int_equal(marks[i], round);
        }
    }
    pl_pool_for(pool, 0, mark, NULL);
    pl_pool_for(pool, 1, mark, marks);
    assert_int_equal(marks[0], 51);
    pl_pool_free(pool);
}

struct gate {
    struct pl_task task;
    pthread_mutex_t lock; /* held by the test while the worker is to be busy */
    atomic_bool entered;
};

static void wait_at_gate(struct pl_task *t)
{
    struct gate *g = (struct gate *)t;
    g->entered = true;
    pthread_mutex_lock(&g->lock);
    pthread_mutex_unlock(&g->lock);
}

TEST(with_every_worker_busy_the_caller_does_it_all)
{
    static atomic_uint marks[64];
    struct gate g = {.task.run = wait_at_gate, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct pl_pool *pool = NULL;
    assert_int_equal(pl_pool_new(1, "pool", &pool), PL_OK);
    pthread_mutex_lock(&g.lock);
    assert_true(pl_pool_submit(pool, &g.task));
    while (!g.entered) {
    }
    atomic_size_t done = 0;
    struct job queued = {.task.run = count_job, .done = &done};
    assert_true(pl_pool_submit(pool, &queued.task));
    assert_int_equal(pl_pool_queued(pool), 1);
    pl_pool_for(pool, 64, mark, marks);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(marks[i], 1);
    }
    pthread_mutex_unlock(&g.lock);
    pl_pool_free(pool);
    assert_int_equal(done, 1);
}

TEST(a_task_that_runs_for_long_lets_the_next_one_begin)
{
    struct gate g = {.task.run = wait_at_gate, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct pl_pool *pool = NULL;
    atomic_size_t done = 0;
    struct job jobs[20];
    assert_int_equal(pl_pool_new_spare(1, 1, 5, "pool", &pool), PL_OK);
    pthread_mutex_lock(&g.lock);
    assert_true(pl_pool_submit(pool, &g.task));
    for (size_t i = 0; i < 20; i++) {
        jobs[i] = (struct job){.task.run = count_job, .done = &done};
        assert_true(pl_pool_submit(pool, &jobs[i].task));
    }
    while (done < 20) { /* they end while the gate is shut */
    }
    assert_true(g.entered);
    pthread_mutex_unlock(&g.lock);
    pl_pool_free(pool);
}

static void wait_or_mark(void *ctx, size_t i)
{
    struct gate *g = ctx;
    if (i == 0) {
        wait_at_gate(&g->task);
    }
}

struct nested_for {
    struct pl_pool *pool;
    struct gate *gate;
};

static void *for_at_gate(void *arg)
{
    struct nested_for *f = arg;
    pl_pool_for(f->pool, 8, wait_or_mark, f->gate);
    return NULL;
}

TEST(tasks_begin_while_a_parallel_for_goes_on)
{
    struct gate g = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct pl_pool *pool = NULL;
    atomic_size_t done = 0;
    struct job job = {.task.run = count_job, .done = &done};
    assert_int_equal(pl_pool_new_spare(1, 2, 5, "pool", &pool), PL_OK);
    pthread_mutex_lock(&g.lock);
    pthread_t other;
    struct nested_for arg = {pool, &g};
    assert_int_equal(pl_thread_start(&other, "for", for_at_gate, &arg), PL_OK);
    while (!g.entered) {
    }
    assert_true(pl_pool_submit(pool, &job.task));
    while (done < 1) {
    }
    pthread_mutex_unlock(&g.lock);
    pthread_join(other, NULL);
    pl_pool_free(pool);
}

struct helped {
    struct gate gate;
    pthread_t caller;
};

/** The caller waits until a worker helps; the worker waits at the gate. */
static void help_at_gate(void *ctx, size_t i)
{
    struct helped *h = ctx;
    (void)i;
    if (!pthread_equal(pthread_self(), h->caller)) {
        wait_at_gate(&h->gate.task);
    }
    while (!h->gate.entered) {
    }
}

static void *for_helped(void *arg)
{
    struct nested_for *f = arg;
    struct helped *h = (struct helped *)f->gate; /* its first member */
    h->caller = pthread_self();
    pl_pool_for(f->pool, 2, help_at_gate, h);
    return NULL;
}

TEST(a_worker_that_helps_for_long_lets_a_task_begin)
{
    struct helped h = {.gate.lock = PTHREAD_MUTEX_INITIALIZER};
    struct pl_pool *pool = NULL;
    atomic_size_t done = 0;
    struct job job = {.task.run = count_job, .done = &done};
    assert_int_equal(pl_pool_new_spare(1, 2, 5, "pool", &pool), PL_OK);
    pthread_mutex_lock(&h.gate.lock);
    pthread_t other;
    struct nested_for arg = {pool, &h.gate};
    assert_int_equal(pl_thread_start(&other, "for", for_helped, &arg), PL_OK);
    while (!h.gate.entered) {
    }
    assert_true(pl_pool_submit(pool, &job.task));
    while (done < 1) { /* it ends while the gate is shut */
    }
    pthread_mutex_unlock(&h.gate.lock);
    pthread_join(other, NULL);
    pl_pool_free(pool);
}

struct nested {
    struct pl_pool *pool;
    atomic_uint *marks;
};

static void run_nested(void *ctx, size_t i)
{
    struct nested *n = ctx;
    pl_pool_for(n->pool, 16, mark, n->marks + i * 16);
}

TEST(a_parallel_for_inside_another_ends)
{
    static atomic_uint marks[16 * 16];
    struct nested n = {.marks = marks};
    assert_int_equal(pl_pool_new(2, "pool", &n.pool), PL_OK);
    pl_pool_for(n.pool, 16, run_nested, &n);
    for (size_t i = 0; i < 16 * 16; i++) {
        assert_int_equal(marks[i], 1);
    }
    pl_pool_free(n.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_of_each_pusher_come_out_in_its_order_and_none_is_lost),
        cmocka_unit_test(a_closed_queue_gives_what_it_holds_and_takes_nothing_more),
        cmocka_unit_test(a_deadline_lies_ahead_with_its_nanoseconds_in_range),
        cmocka_unit_test(a_thread_is_started_with_signals_blocked),
        cmocka_unit_test(every_submitted_task_has_run_when_the_pool_is_freed),
        cmocka_unit_test(a_parallel_for_visits_each_index_once),
        cmocka_unit_test(with_every_worker_busy_the_caller_does_it_all),
        cmocka_unit_test(a_task_that_runs_for_long_lets_the_next_one_begin),
        cmocka_unit_test(tasks_begin_while_a_parallel_for_goes_on),
        cmocka_unit_test(a_worker_that_helps_for_long_lets_a_task_begin),
        cmocka_unit_test(a_parallel_for_inside_another_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
