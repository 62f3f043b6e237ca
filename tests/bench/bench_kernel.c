/* Kernels: nanoseconds a sample or step, on one core, best of 20 rounds. `sum` is shown beside
 * the plain loop that a memory-bound machine would allow. */
#include "core/kernel/kernel.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N = 4096, STEPS = 512, ROUNDS = 20, REPEAT = 200 };

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int64_t t[N];
static double v[N], out[STEPS], scratch[N];
static uint32_t from[STEPS], to[STEPS];
static struct pl_windows w = {.start = 600000, .step = 8000, .n = STEPS, .range = 300000};
static double memory[4 * STEPS];
static struct pl_agg_state agg;
static volatile double sink;

static void plain(void)
{
    double s[4] = {0};
    for (size_t i = 0; i < N; i++) {
        s[i & 3] += v[i];
    }
    sink = s[0] + s[1] + s[2] + s[3];
}
static void sum(void) { sink = pl_sum(v, N); }
static void max(void) { sink = pl_max(v, N); }
static void stdvar(void) { sink = pl_stdvar(v, N); }
static void find(void) { pl_windows_find(t, N, &w, from, to); }
static void rate(void) { pl_rate(PL_RATE, t, v, &w, from, to, out); }
static void over_sum(void) { pl_over_time(PL_OVER_SUM, v, from, to, STEPS, out); }
static void over_max(void) { pl_over_time(PL_OVER_MAX, v, from, to, STEPS, out); }
static void over_avg(void) { pl_over_time(PL_OVER_AVG, v, from, to, STEPS, out); }
static void over_quantile(void) { pl_over_time_quantile(0.9, v, from, to, STEPS, scratch, out); }
static void group(void) { pl_agg_add(&agg, v); }

static void bench(const char *name, void (*fn)(void), double per)
{
    double best = 1e300;
    for (int k = 0; k < ROUNDS; k++) {
        double start = now();
        for (int r = 0; r < REPEAT; r++) {
            fn();
        }
        double took = (now() - start) / REPEAT / per;
        best = took < best ? took : best;
    }
    printf("%-34s %8.3f ns\n", name, best);
}

int main(void)
{
    double x = 0, in_windows = 0;
    for (int i = 0; i < N; i++) {
        t[i] = i * 1000LL;
        v[i] = x += (double)(rand() % 100) / 4;
        x = rand() % 500 ? x : 0;
    }
    bench("plain sum, a sample", plain, N);
    bench("compensated sum, a sample", sum, N);
    bench("max, a sample", max, N);
    bench("stdvar, a sample", stdvar, N);
    bench("windows_find, a step", find, STEPS);
    for (int k = 0; k < STEPS; k++) {
        in_windows += to[k] - from[k];
    }
    bench("rate, 300 s windows, a step", rate, STEPS);
    bench("sum_over_time, a sample seen", over_sum, in_windows);
    bench("max_over_time, a sample seen", over_max, in_windows);
    bench("avg_over_time, a sample seen", over_avg, in_windows);
    bench("quantile_over_time, a sample seen", over_quantile, in_windows);
    for (int op = PL_AGG_SUM; op <= PL_AGG_STDVAR; op++) {
        const char *name[] = {"group sum, a step",   "group avg, a step", "group count, a step",
                              "group min, a step",   "group max, a step", "group stddev, a step",
                              "group stdvar, a step"};
        pl_agg_init(&agg, op, STEPS, memory);
        bench(name[op], group, STEPS);
    }
    return 0;
}
