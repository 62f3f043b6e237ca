/* Which queries a loop runs itself. The work is replaced: what counts is who is let in. */
#include "core/api/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pl_clock_manual hand;
static size_t runs;
static int64_t takes_ms;
static bool is_heavy;

/* In the place of query_run.c's. */
void pl__query_run(struct pl_job *job)
{
    runs++;
    hand.ms += takes_ms;
    job->heavy = is_heavy;
}

struct asked {
    struct pl_api *a;
    struct pl_clock clock;
};

static void begin(struct asked *x)
{
    runs = 0;
    takes_ms = 0;
    is_heavy = false;
    x->clock = pl_clock_manual(&hand);
    x->a = calloc(1, sizeof(*x->a));
    x->a->conf.clock = &x->clock;
}

static struct pl_job job_of(struct asked *x, const char *text, int64_t t0, int64_t t1, int64_t step)
{
    return (struct pl_job){.api = x->a,
                           .work = pl__query_run,
                           .begun_ns = pl_mono_ns(&x->clock),
                           .args = {.text = pl_str_c(text), .t0 = t0, .t1 = t1, .step = step}};
}

static bool runs_here(struct pl_job job)
{
    bool here = pl__light_run(&job);
    assert_false(job.light || job.heavy);
    return here;
}

static void learn(struct pl_job job, uint64_t series, uint64_t samples, int64_t ns)
{
    struct pl_query_stats s = {.series = series, .samples = samples};
    pl__light_learn(&job, &s, ns);
}

static void what_was_light_is_run_here_and_what_is_not_known_is_not(void **state)
{
    struct asked x;
    (void)state;
    begin(&x);
    assert_false(runs_here(job_of(&x, "up", 1, 1, 0)));
    assert_int_equal(runs, 0);
    learn(job_of(&x, "up", 1, 1, 0), 1, 1, 1000);
    assert_true(runs_here(job_of(&x, "up", 1, 1, 0)));
    assert_true(runs_here(job_of(&x, "up", 999, 999, 0))); /* another time is the same shape */
    assert_int_equal(runs, 2);
    free(x.a);
}

static void the_shape_leaves_out_what_is_quoted_but_for_regular_expressions(void **state)
{
    struct asked x;
    (void)state;
    begin(&x);
    learn(job_of(&x, "up{host=\"a\"}", 1, 1, 0), 1, 1, 1000);
    assert_true(runs_here(job_of(&x, "up{host=\"another \\\" one\"}", 1, 1, 0)));
    assert_false(runs_here(job_of(&x, "up{job=\"a\"}", 1, 1, 0)));
    learn(job_of(&x, "up{host=~\"a\"}", 1, 1, 0), 1, 1, 1000);
    assert_true(runs_here(job_of(&x, "up{host=~\"a\"}", 1, 1, 0)));
    assert_false(runs_here(job_of(&x, "up{host=~\".*\"}", 1, 1, 0)));
    free(x.a);
}

static void a_range_counts_by_its_length_and_its_step(void **state)
{
    struct asked x;
    (void)state;
    begin(&x);
    learn(job_of(&x, "up", 0, 1000000, 1000), 1, 1000, 1000);
    assert_true(runs_here(job_of(&x, "up", 5, 1000005, 1000)));
    assert_false(runs_here(job_of(&x, "up", 0, 2000000, 2000)));
    assert_false(runs_here(job_of(&x, "up", 0, 1000000, 2000)));
    assert_false(runs_here(job_of(&x, "up", 0, 0, 0)));
    free(x.a);
}

static void too_many_steps_too_long_a_text_and_all_statistics_are_never_light(void **state)
{
    struct asked x;
    char text[2000];
    (void)state;
    begin(&x);
    memset(text, 'u', sizeof(text));
    text[sizeof(text) - 1] = 0;
    struct pl_job jobs[] = {
        job_of(&x, "up", 0, 2000000, 1000), job_of(&x, text, 1, 1, 0), job_of(&x, "up", 1, 1, 0),
        /* the length of this range is no int64_t */
        job_of(&x, "up", -9000000000000000000, 9000000000000000000, 1000000000000000)};
    jobs[2].args.stats = PL__STATS_ALL;
    for (size_t i = 0; i < sizeof(jobs) / sizeof(*jobs); i++) {
        learn(jobs[i], 1, 1, 1000);
        assert_false(runs_here(jobs[i]));
    }
    assert_int_equal(runs, 0);
    free(x.a);
}

static void what_read_much_or_took_long_is_not_learnt(void **state)
{
    struct asked x;
    (void)state;
    begin(&x);
    learn(job_of(&x, "up", 1, 1, 0), 33, 1, 1000);
    learn(job_of(&x, "up", 1, 1, 0), 1, 10001, 1000);
    learn(job_of(&x, "up", 1, 1, 0), 1, 1, 300001);
    assert_false(runs_here(job_of(&x, "up", 1, 1, 0)));
    learn(job_of(&x, "up", 1, 1, 0), 32, 10000, 300000);
    assert_true(runs_here(job_of(&x, "up", 1, 1, 0)));
    free(x.a);
}

static void what_was_slow_here_is_forgotten(void **state)
{
    struct asked x;
    (void)state;
    begin(&x);
    learn(job_of(&x, "up", 1, 1, 0), 1, 1, 1000);
    takes_ms = 2;
    assert_true(runs_here(job_of(&x, "up", 1, 1, 0))); /* it has its answer */
    assert_false(runs_here(job_of(&x, "up", 1, 1, 0)));
    free(x.a);
}

static void what_was_too_much_for_the_limits_goes_to_the_pool_and_is_forgotten(void **state)
{
    struct asked x;
    (void)state;
    begin(&x);
    learn(job_of(&x, "up", 1, 1, 0), 1, 1, 1000);
    is_heavy = true;
    assert_false(runs_here(job_of(&x, "up", 1, 1, 0)));
    assert_int_equal(runs, 1);
    assert_false(runs_here(job_of(&x, "up", 1, 1, 0)));
    assert_int_equal(runs, 1);
    free(x.a);
}

static void only_a_light_one_has_low_limits(void **state)
{
    struct asked x;
    struct pl_pool *pool = (struct pl_pool *)&x;
    (void)state;
    begin(&x);
    struct pl_job job = job_of(&x, "up", 1, 1, 0);
    struct pl_query_conf conf = {.pool = pool, .max_samples = 1 << 30, .max_series = 1 << 30};
    pl__light_limits(&job, &conf);
    assert_ptr_equal(conf.pool, pool);
    assert_int_equal(conf.max_samples, 1 << 30);
    job.light = true;
    pl__light_limits(&job, &conf);
    assert_null(conf.pool);
    assert_int_equal(conf.max_samples, 10000);
    assert_int_equal(conf.max_series, 32);
    free(x.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_light_is_run_here_and_what_is_not_known_is_not),
        cmocka_unit_test(the_shape_leaves_out_what_is_quoted_but_for_regular_expressions),
        cmocka_unit_test(a_range_counts_by_its_length_and_its_step),
        cmocka_unit_test(too_many_steps_too_long_a_text_and_all_statistics_are_never_light),
        cmocka_unit_test(what_read_much_or_took_long_is_not_learnt),
        cmocka_unit_test(what_was_slow_here_is_forgotten),
        cmocka_unit_test(what_was_too_much_for_the_limits_goes_to_the_pool_and_is_forgotten),
        cmocka_unit_test(only_a_light_one_has_low_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
