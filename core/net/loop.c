/* A loop: a thread, a libuv loop, tasks posted from elsewhere, a coarse tick for timeouts, and one
 * flush of all connections that have something to send before each poll, so that answers which
 * became ready together leave together. */
#include "core/net/loop.h"
#include "core/net/conn.h"
#include "core/net/io.h"
#include "core/net/out.h"
#include "core/net/request.h"
#include <stdlib.h>

static struct pl_node *take_tasks(struct pl_loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct pl_node *node = l->tasks;
    l->tasks = NULL;
    l->tasks_end = &l->tasks;
    pthread_mutex_unlock(&l->lock);
    return node;
}

static void run_tasks(struct pl_loop *l)
{
    for (struct pl_node *node = take_tasks(l), *next; node; node = next) {
        next = node->next;
        struct pl_task *t = PL__CONTAINER(node, struct pl_task, node);
        t->run(t);
    }
}

static void on_wake(uv_async_t *a) { run_tasks(a->data); }

static void on_tick(uv_timer_t *t)
{
    struct pl_loop *l = t->data;
    int64_t now = pl__now(l);
    struct pl__timeouts *all[] = {&l->idle, &l->header, &l->body, &l->linger, &l->write};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        pl__timeouts_tick(all[i], now);
    }
    pl__streams_tick(l, now);
}

static void on_before_poll(uv_prepare_t *p)
{
    struct pl_loop *l = p->data;
    struct pl__list mark; /* what becomes dirty meanwhile waits for the next round */
    pl__list_append(&l->dirty, &mark);
    while (l->dirty.next != &mark) {
        struct pl__conn *c = PL__CONTAINER(l->dirty.next, struct pl__conn, dirty);
        pl__list_remove(&c->dirty);
        pl__conn_service(c);
    }
    pl__list_remove(&mark);
    if (!pl__list_empty(&l->dirty)) {
        uv_async_send(&l->wake);
    }
}

int pl__loop_init(struct pl_loop *l, struct pl_net *n, size_t index)
{
    l->net = n;
    l->index = index;
    l->tasks_end = &l->tasks;
    pthread_mutex_init(&l->lock, NULL);
    pl__list_init(&l->ios);
    pl__list_init(&l->dirty);
    pl__list_init(&l->requests);
    pl__conn_timeouts_init(l);
    l->read_buf = malloc(PL__READ_BYTES);
    if (!l->read_buf) {
        return PL_ENOMEM;
    }
    if (uv_loop_init(&l->uv) != 0) {
        free(l->read_buf);
        l->read_buf = NULL;
        return PL_EIO;
    }
    l->wake.data = l->tick.data = l->before_poll.data = l;
    uv_timer_init(&l->uv, &l->tick);
    uv_timer_start(&l->tick, on_tick, PL__TICK_MS, PL__TICK_MS);
    uv_prepare_init(&l->uv, &l->before_poll);
    uv_prepare_start(&l->before_poll, on_before_poll);
    return uv_async_init(&l->uv, &l->wake, on_wake) ? PL_EIO : 0;
}

static void *loop_main(void *arg)
{
    struct pl_loop *l = arg;
    uv_run(&l->uv, UV_RUN_DEFAULT);
    return NULL;
}

int pl__loop_start(struct pl_loop *l)
{
    char name[16];
    snprintf(name, sizeof(name), "loop-%zu", l->index);
    int r = pl_thread_start(&l->thread, name, loop_main, l);
    l->started = r == 0;
    return r;
}

bool pl_loop_post(struct pl_loop *l, struct pl_task *task)
{
    pthread_mutex_lock(&l->lock);
    bool ok = !l->closed;
    if (ok) {
        bool first = !l->tasks;
        task->node.next = NULL;
        *l->tasks_end = &task->node;
        l->tasks_end = &task->node.next;
        if (first) {
            uv_async_send(&l->wake); /* under the lock: the loop closes it only after `closed` */
        }
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

struct call {
    struct pl_task task;
    struct pl_loop *loop;
    void (*fn)(struct pl_loop *l, void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

static void call_run(struct pl_task *t)
{
    struct call *c = PL__CONTAINER(t, struct call, task);
    c->fn(c->loop, c->arg);
    pthread_mutex_lock(&c->lock);
    c->done = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

void pl__loop_call(struct pl_loop *l, void (*fn)(struct pl_loop *l, void *arg), void *arg)
{
    struct call c = {.task.run = call_run, .loop = l, .fn = fn, .arg = arg};
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.cond, NULL);
    if (pl_loop_post(l, &c.task)) {
        pthread_mutex_lock(&c.lock);
        while (!c.done) {
            pthread_cond_wait(&c.cond, &c.lock);
        }
        pthread_mutex_unlock(&c.lock);
    }
    pthread_cond_destroy(&c.cond);
    pthread_mutex_destroy(&c.lock);
}

static void stop(struct pl_loop *l, void *arg)
{
    (void)arg;
    uv_stop(&l->uv);
}

void pl__loop_stop(struct pl_loop *l)
{
    if (l->started) {
        pl__loop_call(l, stop, NULL);
        pthread_join(l->thread, NULL);
        l->started = false;
    }
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    pthread_mutex_unlock(&l->lock);
}

static void close_handle(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (!uv_is_closing(h)) {
        uv_close(h, NULL);
    }
}

void pl__loop_fini(struct pl_loop *l)
{
    if (!l->read_buf) {
        return;
    }
    run_tasks(l);
    for (struct pl__list *i = l->ios.next, *next; i != &l->ios; i = next) {
        next = i->next;
        struct pl__io *io = PL__CONTAINER(i, struct pl__io, link);
        io->ev->kill(io);
    }
    uv_walk(&l->uv, close_handle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT); /* closing callbacks, and zipping that still runs */
    uv_loop_close(&l->uv);
    pl__requests_free(l);
    pl__outq_pool_free(l);
    free(l->read_buf);
    l->read_buf = NULL;
    pthread_mutex_destroy(&l->lock);
}

size_t pl_loop_index(const struct pl_loop *l) { return l->index; }
