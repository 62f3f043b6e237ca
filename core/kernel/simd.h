/* Internal to kernel: run-time dispatch, and what the loops share. */
#pragma once
#include "core/kernel/kernel.h"

#if defined(__x86_64__)
#define PL__X86  1
#define PL__AVX2 __attribute__((target("avx2")))
static inline bool pl__avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
static inline bool pl__avx2(void) { return false; }
#endif

/** One value into one step; the vector loops fall back to it. */
void pl__agg_step(struct pl_agg_state *s, size_t i, double v);
/** The scalar loop from step `from` on. */
void pl__agg_add_scalar(struct pl_agg_state *s, const double *v, size_t from);
double pl__sum_scalar(const double *v, size_t n);
double pl__min_scalar(const double *v, size_t n);
double pl__max_scalar(const double *v, size_t n);

/** avg: a mean that survives sums over the largest double. */
struct pl__mean {
    double sum, c, count;
    bool running; /* sum holds the mean */
};
static inline void pl__mean_add(struct pl__mean *m, double x)
{
    m->count++;
    if (!m->running) {
        struct pl_ksum k = {m->sum, m->c};
        pl_ksum_add(&k, x);
        if (!__builtin_isinf(k.sum) || m->count == 1) {
            m->sum = k.sum;
            m->c = k.c;
            return;
        }
        m->running = true;
        m->sum /= m->count - 1;
        m->c /= m->count - 1;
    }
    double q = (m->count - 1) / m->count;
    struct pl_ksum k = {q * m->sum, q * m->c};
    pl_ksum_add(&k, x / m->count);
    m->sum = k.sum;
    m->c = k.c;
}
static inline double pl__mean_value(const struct pl__mean *m)
{
    return m->running ? m->sum + m->c : m->sum / m->count + m->c / m->count;
}
