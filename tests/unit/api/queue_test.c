/* Who comes next. The work is replaced: jobs tell that they began, and end when they are let go. */
#include "core/api/internal.h"
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define JOBS 16

struct rig {
    struct pl_api *a;
    struct pl_pool *pool;
    struct pl_clock clock;
    struct pl_clock_manual hand;
    sem_t go, ended;
    pthread_mutex_t lock;
    char order[2 * JOBS]; /* names of jobs as they began; a dot where one was let go */
    size_t n_order;
    struct job {
        struct pl_job job; /* first */
        struct rig *rig;
        char name;
        bool gate; /* waits until it is let go */
        int64_t takes_ms;
    } job[JOBS];
    size_t n;
};

/* In the place of job.c's. */
void pl__job_run(struct pl_job *job)
{
    struct job *j = (struct job *)job;
    struct rig *r = j->rig;
    pthread_mutex_lock(&r->lock);
    r->order[r->n_order++] = j->name;
    pthread_mutex_unlock(&r->lock);
    if (j->gate) {
        sem_post(&r->ended); /* it runs */
        sem_wait(&r->go);
        pthread_mutex_lock(&r->lock);
        r->order[r->n_order++] = '.';
        pthread_mutex_unlock(&r->lock);
        r->a->budget.used = 0; /* what it held is free before it has ended */
    }
    r->hand.ms += j->takes_ms;
    sem_post(&r->ended);
}

static void begin(struct rig *r, size_t threads, size_t max_long)
{
    memset(r, 0, sizeof(*r));
    r->a = calloc(1, sizeof(*r->a));
    r->clock = pl_clock_manual(&r->hand);
    r->a->conf.clock = &r->clock;
    r->a->conf.query_max_long = max_long;
    r->a->conf.query_max_total_memory_bytes = 1000;
    pl__queue_init(r->a);
    pthread_mutex_init(&r->lock, NULL);
    sem_init(&r->go, 0, 0);
    sem_init(&r->ended, 0, 0);
    assert_int_equal(pl_pool_new(threads, "test", &r->pool), 0);
}

static void end(struct rig *r)
{
    pl_pool_free(r->pool);
    assert_int_equal(r->a->waiting.n_running, 0);
    assert_int_equal(r->a->waiting.n_long, 0);
    assert_int_equal(r->a->queries_waiting, 0);
    assert_null(r->a->waiting.ring);
    assert_null(r->a->waiting.aside);
    pl__queue_fini(r->a);
    sem_destroy(&r->go);
    sem_destroy(&r->ended);
    pthread_mutex_destroy(&r->lock);
    free(r->a);
}

static void put(struct rig *r, char name, uintptr_t tenant, const char *text, bool gate,
                int64_t takes_ms)
{
    struct job *j = &r->job[r->n++];
    *j = (struct job){.rig = r, .name = name, .gate = gate, .takes_ms = takes_ms};
    j->job.api = r->a;
    j->job.args.tenant = (struct pl_tenant *)(tenant * 64);
    j->job.args.text = pl_str_c(text);
    r->a->queries_waiting++;
    assert_int_equal(pl__queue_put(r->a, r->pool, &j->job), 0);
}

static void wait_for(struct rig *r, size_t n)
{
    while (n--) {
        sem_wait(&r->ended);
    }
}

/** Until all jobs have ended and what they took is known: that is after they tell. */
static void settle(struct rig *r)
{
    for (bool running = true; running; sched_yield()) {
        pthread_mutex_lock(&r->a->waiting.lock);
        running = r->a->waiting.n_running > 0;
        pthread_mutex_unlock(&r->a->waiting.lock);
    }
}

/** A text of which it is known that it takes long. */
static void teach(struct rig *r, const char *text)
{
    put(r, 'T', 9, text, false, 200);
    wait_for(r, 1);
    settle(r);
}

static void tenants_take_turns(void **state)
{
    struct rig r;
    (void)state;
    begin(&r, 1, 0);
    put(&r, 'g', 1, "gate", true, 0);
    wait_for(&r, 1);
    put(&r, 'a', 1, "q", false, 0);
    put(&r, 'b', 1, "q", false, 0);
    put(&r, 'c', 1, "q", false, 0);
    put(&r, 'd', 1, "q", false, 0);
    put(&r, 'x', 2, "q", false, 0);
    put(&r, 'y', 2, "q", false, 0);
    sem_post(&r.go);
    wait_for(&r, 7);
    end(&r);
    assert_string_equal(r.order, "g.axbycd");
}

static void short_ones_go_before_long_ones_but_not_for_ever(void **state)
{
    struct rig r;
    (void)state;
    begin(&r, 1, 0);
    teach(&r, "long");
    put(&r, 'g', 1, "gate", true, 0);
    wait_for(&r, 1);
    put(&r, 'L', 1, "long", false, 0);
    put(&r, 'a', 1, "q", false, 0);
    put(&r, 'b', 1, "q", false, 0);
    put(&r, 'c', 1, "q", false, 0);
    put(&r, 'd', 1, "q", false, 0);
    sem_post(&r.go);
    wait_for(&r, 6);
    end(&r);
    assert_string_equal(r.order, "Tg.abcLd");
}

static void a_text_that_took_no_time_is_short_again(void **state)
{
    struct rig r;
    (void)state;
    begin(&r, 1, 0);
    teach(&r, "q");
    put(&r, 'u', 1, "q", false, 0);
    wait_for(&r, 1);
    settle(&r);
    put(&r, 'g', 1, "gate", true, 0);
    wait_for(&r, 1);
    put(&r, 'a', 1, "q", false, 0);
    put(&r, 'b', 1, "other", false, 0);
    sem_post(&r.go);
    wait_for(&r, 3);
    end(&r);
    assert_string_equal(r.order, "Tug.ab");
}

static void long_ones_do_not_take_all_threads(void **state)
{
    struct rig r;
    (void)state;
    begin(&r, 2, 1);
    teach(&r, "long");
    put(&r, 'L', 1, "long", true, 0);
    wait_for(&r, 1);
    put(&r, 'M', 1, "long", false, 0);
    put(&r, 's', 1, "q", false, 0);
    wait_for(&r, 1); /* s, although it came behind M, and a thread is free for M */
    sem_post(&r.go);
    wait_for(&r, 2);
    end(&r);
    assert_string_equal(r.order, "TLs.M");
}

static void none_begins_while_those_that_run_hold_half_of_the_memory(void **state)
{
    struct rig r;
    (void)state;
    begin(&r, 2, 0);
    put(&r, 'g', 1, "gate", true, 0);
    wait_for(&r, 1);
    r.a->budget.used = 500;
    put(&r, 'a', 1, "q", false, 0);
    put(&r, 'b', 2, "q", false, 0);
    sem_post(&r.go);
    wait_for(&r, 3);
    end(&r);
    assert_true(pl_str_starts(pl_str_c(r.order), PL_STR("g."))); /* then a and b, on two threads */
    assert_int_equal(r.n_order, 4);
}

static void what_waits_runs_before_a_pool_that_closes_is_gone(void **state)
{
    struct rig r;
    (void)state;
    begin(&r, 2, 1);
    teach(&r, "long");
    put(&r, 'L', 1, "long", true, 0);
    wait_for(&r, 1);
    for (int i = 0; i < 8; i++) {
        put(&r, 'M', 1 + (uintptr_t)i % 3, "long", false, 0);
    }
    sem_post(&r.go);
    end(&r); /* looks that nothing is left */
    assert_string_equal(r.order, "TL.MMMMMMMM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenants_take_turns),
        cmocka_unit_test(short_ones_go_before_long_ones_but_not_for_ever),
        cmocka_unit_test(a_text_that_took_no_time_is_short_again),
        cmocka_unit_test(long_ones_do_not_take_all_threads),
        cmocka_unit_test(none_begins_while_those_that_run_hold_half_of_the_memory),
        cmocka_unit_test(what_waits_runs_before_a_pool_that_closes_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
