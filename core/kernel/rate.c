/* rate, increase, delta, irate, idelta as Prometheus 3 computes them (promql/functions.go:
 * extrapolatedRate, instantValue). A counter's resets inside a window are added in their order, so
 * the bits are Prometheus'; they are found while the windows move on, once a series. Any thread. */
#include "core/kernel/simd.h"

/* How far a difference is stretched to the ends of its window, seconds. */
struct stretch {
    double sampled, to_start, to_end;
};

static inline struct stretch stretch_of(int64_t t_first, int64_t t_last, size_t n, int64_t begin,
                                        int64_t end)
{
    struct stretch s = {.sampled = (double)(t_last - t_first) / 1000,
                        .to_start = (double)(t_first - begin) / 1000,
                        .to_end = (double)(end - t_last) / 1000};
    double between = s.sampled / (double)(n - 1), threshold = between * 1.1;
    s.to_start = s.to_start >= threshold ? between / 2 : s.to_start;
    s.to_end = s.to_end >= threshold ? between / 2 : s.to_end;
    return s;
}

static inline struct stretch stretch(const int64_t *t, size_t n, int64_t begin, int64_t end)
{
    return stretch_of(t[0], t[n - 1], n, begin, end);
}

static double extrapolate(double result, struct stretch s, double first, bool counter)
{
    if (counter && result > 0 && first >= 0) {
        /* a counter was not below zero: do not stretch beyond where it would have been zero */
        double to_zero = s.sampled * (first / result);
        s.to_start = to_zero < s.to_start ? to_zero : s.to_start;
    }
    return (s.sampled + s.to_start + s.to_end) / s.sampled;
}

double pl_rate_of(enum pl_rate op, double result, double first, int64_t t_first, int64_t t_last,
                  size_t n, int64_t begin, int64_t end)
{
    struct stretch s = stretch_of(t_first, t_last, n, begin, end);
    double factor = extrapolate(result, s, first, op != PL_DELTA);
    if (op == PL_RATE) {
        factor /= (double)(end - begin) / 1000;
    }
    return result * factor;
}

/* The next reset at or behind i: where v[i] < v[i - 1]; n if there is none. */
static size_t next_reset(const double *v, size_t i, size_t n)
{
    while (i < n && !(v[i] < v[i - 1])) {
        i++;
    }
    return i;
}

static void extrapolated(enum pl_rate op, const int64_t *t, const double *v,
                         const struct pl_windows *w, const uint32_t *from, const uint32_t *to,
                         double *out)
{
    bool counter = op != PL_DELTA;
    size_t n = w->n ? to[w->n - 1] : 0;
    size_t first_reset = 0; /* the first one behind `from`; 0: unknown */
    for (size_t k = 0; k < w->n; k++) {
        size_t a = from[k], b = to[k];
        if (b < a + 2) {
            out[k] = PL_ABSENT;
            continue;
        }
        double result = v[b - 1] - v[a];
        if (counter) {
            if (first_reset < a + 1) {
                first_reset = next_reset(v, a + 1, n);
            }
            for (size_t i = first_reset; i < b; i = next_reset(v, i + 1, b)) {
                result += v[i - 1];
            }
        }
        int64_t end = w->start + (int64_t)k * w->step;
        double factor =
            extrapolate(result, stretch(t + a, b - a, end - w->range, end), v[a], counter);
        if (op == PL_RATE) {
            factor /= (double)w->range / 1000;
        }
        out[k] = result * factor;
    }
}

static void instant(enum pl_rate op, const int64_t *t, const double *v, size_t n_windows,
                    const uint32_t *from, const uint32_t *to, double *out)
{
    for (size_t k = 0; k < n_windows; k++) {
        size_t b = to[k];
        if (b < (size_t)from[k] + 2) {
            out[k] = PL_ABSENT;
            continue;
        }
        double last = v[b - 1], before = v[b - 2];
        out[k] = op == PL_IRATE && last < before ? last : last - before;
        if (op == PL_IRATE) {
            out[k] /= (double)(t[b - 1] - t[b - 2]) / 1000;
        }
    }
}

void pl_rate(enum pl_rate op, const int64_t *t, const double *v, const struct pl_windows *w,
             const uint32_t *from, const uint32_t *to, double *out)
{
    if (op == PL_IRATE || op == PL_IDELTA) {
        instant(op, t, v, w->n, from, to, out);
    } else {
        extrapolated(op, t, v, w, from, to, out);
    }
}

/* ------------------------------------------------------------------ plans */

size_t pl_rate_plan_bytes(size_t n) { return 4 * n * sizeof(double); }

void pl_rate_plan_make(struct pl_rate_plan *p, enum pl_rate op, const int64_t *t,
                       const struct pl_windows *w, const uint32_t *from, const uint32_t *to,
                       void *memory)
{
    double *m = memory;
    *p = (struct pl_rate_plan){.n = w->n,
                               .counter = op != PL_DELTA,
                               .per_second = op == PL_RATE ? (double)w->range / 1000 : 0,
                               .from = from,
                               .to = to,
                               .factor = m,
                               .sampled = m + w->n,
                               .to_start = m + 2 * w->n,
                               .to_end = m + 3 * w->n};
    for (size_t k = 0; k < w->n; k++) {
        size_t a = from[k], b = to[k];
        if (b < a + 2) {
            p->factor[k] = PL_ABSENT;
            p->sampled[k] = p->to_start[k] = p->to_end[k] = 0;
            continue;
        }
        int64_t end = w->start + (int64_t)k * w->step;
        struct stretch s = stretch(t + a, b - a, end - w->range, end);
        p->sampled[k] = s.sampled;
        p->to_start[k] = s.to_start;
        p->to_end[k] = s.to_end;
        p->factor[k] = (s.sampled + s.to_start + s.to_end) / s.sampled;
        if (op == PL_RATE) {
            p->factor[k] /= p->per_second;
        }
    }
}

/** The difference of window k, resets included, stretched. */
static inline double stretched(const struct pl_rate_plan *p, double first, double result, size_t k)
{
    double factor = p->factor[k];
    if (p->counter && result > 0 && first >= 0) {
        double to_zero = p->sampled[k] * (first / result);
        if (to_zero < p->to_start[k]) {
            factor = (p->sampled[k] + to_zero + p->to_end[k]) / p->sampled[k];
            if (p->per_second != 0) {
                factor /= p->per_second;
            }
        }
    }
    return result * factor;
}

/** The scalar loops from window k on. */
static void differences(const struct pl_rate_plan *p, const double *v, size_t k, double *out)
{
    for (; k < p->n; k++) {
        bool there = p->to[k] >= p->from[k] + 2;
        out[k] = there ? v[p->to[k] - 1] - v[p->from[k]] : 0;
    }
}

static void stretch_all(const struct pl_rate_plan *p, const double *v, size_t k, double *out)
{
    for (; k < p->n; k++) {
        bool there = p->to[k] >= p->from[k] + 2;
        out[k] = there ? stretched(p, v[p->from[k]], out[k], k) : PL_ABSENT;
    }
}

/** Places behind which v falls, and what it fell from. */
static size_t find_resets(const double *v, size_t n, double *value, uint32_t *place)
{
    size_t m = 0;
    for (size_t i = 1; i < n; i++) {
        value[m] = v[i - 1];
        place[m] = (uint32_t)i;
        m += v[i] < v[i - 1];
    }
    return m;
}

#define RESETS_MAX (1u << 20) /* added in one call */

/** Add to each window what fell in it, in order. */
static bool add_resets(const struct pl_rate_plan *p, const double *value, const uint32_t *place,
                       size_t n, double *out)
{
    size_t lo = 0, hi = 0, total = 0;
    for (size_t k = 0; k < p->n; k++) {
        while (lo < n && place[lo] <= p->from[k]) {
            lo++;
        }
        hi = hi < lo ? lo : hi;
        while (hi < n && place[hi] < p->to[k]) {
            hi++;
        }
        double result = out[k];
        for (size_t i = lo; i < hi; i++) {
            result += value[i];
        }
        out[k] = result;
        total += hi - lo;
        if (total > RESETS_MAX) {
            return false;
        }
    }
    return true;
}

#ifdef PL__X86
#include <immintrin.h>

/** Lanes of four windows with fewer than two samples. */
PL__AVX2 static inline __m128i few_of(__m128i from, __m128i to)
{
    return _mm_cmpgt_epi32(_mm_add_epi32(from, _mm_set1_epi32(2)), to);
}

PL__AVX2 static size_t differences_avx2(const struct pl_rate_plan *p, const double *v, double *out)
{
    size_t k = 0;
    for (; k + 4 <= p->n; k += 4) {
        __m128i a = _mm_loadu_si128((const __m128i *)(p->from + k));
        __m128i b = _mm_loadu_si128((const __m128i *)(p->to + k));
        __m128i few = few_of(a, b); /* those read v[0], which is there */
        a = _mm_andnot_si128(few, a);
        b = _mm_andnot_si128(few, _mm_add_epi32(b, _mm_set1_epi32(-1)));
        __m256d first = _mm256_i32gather_pd(v, a, 8), last = _mm256_i32gather_pd(v, b, 8);
        _mm256_storeu_pd(out + k, _mm256_sub_pd(last, first));
    }
    return k;
}

/** Where a counter may have been at zero (sampled * first below to_start * result, with room for
 *  rounding) the exact question is asked one by one. */
PL__AVX2 static size_t stretch_avx2(const struct pl_rate_plan *p, const double *v, double *out)
{
    const __m256d zero = _mm256_setzero_pd(), room = _mm256_set1_pd(1 + 1e-9);
    const __m256d absent = _mm256_set1_pd(PL_ABSENT);
    size_t k = 0;
    for (; k + 4 <= p->n; k += 4) {
        __m128i a = _mm_loadu_si128((const __m128i *)(p->from + k));
        __m128i few = few_of(a, _mm_loadu_si128((const __m128i *)(p->to + k)));
        __m256d none = _mm256_castsi256_pd(_mm256_cvtepi32_epi64(few));
        __m256d result = _mm256_loadu_pd(out + k);
        __m256d value = _mm256_mul_pd(result, _mm256_loadu_pd(p->factor + k));
        if (p->counter) {
            __m256d first = _mm256_i32gather_pd(v, _mm_andnot_si128(few, a), 8);
            __m256d rises = _mm256_and_pd(_mm256_cmp_pd(result, zero, _CMP_GT_OQ),
                                          _mm256_cmp_pd(first, zero, _CMP_GE_OQ));
            __m256d x = _mm256_mul_pd(_mm256_loadu_pd(p->sampled + k), first);
            __m256d y = _mm256_mul_pd(_mm256_loadu_pd(p->to_start + k), result);
            __m256d far = _mm256_cmp_pd(x, _mm256_mul_pd(y, room), _CMP_GT_OQ);
            unsigned near =
                (unsigned)_mm256_movemask_pd(_mm256_andnot_pd(none, _mm256_andnot_pd(far, rises)));
            _mm256_storeu_pd(out + k, _mm256_blendv_pd(value, absent, none));
            for (; near; near &= near - 1) {
                size_t i = k + (size_t)__builtin_ctz(near);
                double d[4];
                _mm256_storeu_pd(d, result);
                out[i] = stretched(p, v[p->from[i]], d[i - k], i);
            }
            continue;
        }
        _mm256_storeu_pd(out + k, _mm256_blendv_pd(value, absent, none));
    }
    return k;
}

PL__AVX2 static bool falls_avx2(const double *v, size_t n)
{
    __m256d any = _mm256_setzero_pd();
    size_t i = 1;
    for (; i + 4 <= n; i += 4) {
        any = _mm256_or_pd(
            any, _mm256_cmp_pd(_mm256_loadu_pd(v + i), _mm256_loadu_pd(v + i - 1), _CMP_LT_OQ));
    }
    return _mm256_movemask_pd(any) || next_reset(v, i, n) < n;
}
#endif

bool pl_rate_planned(const struct pl_rate_plan *p, const double *v, size_t n_v, double *scratch,
                     double *out)
{
    size_t done = 0;
    bool wide = false;
    if (n_v > UINT32_MAX / 2) {
        return false;
    }
#ifdef PL__X86
    wide = pl__avx2() && n_v > 0;
    done = wide ? differences_avx2(p, v, out) : 0;
#endif
    differences(p, v, done, out);
    bool falls = p->counter && n_v > 1;
#ifdef PL__X86
    falls = falls && (!wide || falls_avx2(v, n_v));
#endif
    if (falls) {
        uint32_t *place = (uint32_t *)(scratch + n_v);
        size_t n = find_resets(v, n_v, scratch, place);
        if (!add_resets(p, scratch, place, n, out)) {
            return false;
        }
    }
    done = 0;
#ifdef PL__X86
    done = wide ? stretch_avx2(p, v, out) : 0;
#endif
    stretch_all(p, v, done, out);
    return true;
}
