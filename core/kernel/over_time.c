/* Windows over one series. Bounds move forward with the steps and are found once for all series
 * that share timestamps; then each function runs over its window. Any thread. */
#include "core/kernel/simd.h"
#include <math.h>

void pl_windows_find(const int64_t *t, size_t n, const struct pl_windows *w, uint32_t *from,
                     uint32_t *to)
{
    size_t lo = 0, hi = 0;
    for (size_t k = 0; k < w->n; k++) {
        int64_t end = w->start + (int64_t)k * w->step, begin;
        if (__builtin_sub_overflow(end, w->range, &begin)) {
            begin = INT64_MIN;
        }
        while (hi < n && t[hi] <= end) {
            hi++;
        }
        while (lo < hi && t[lo] <= begin) {
            lo++;
        }
        from[k] = (uint32_t)lo;
        to[k] = (uint32_t)hi;
    }
}

#ifdef PL__X86
#include <immintrin.h>

/** Values before the first four with a marker among them. */
PL__AVX2 static size_t fresh_avx2(const double *v, size_t n)
{
    const __m256i marker = _mm256_set1_epi64x((int64_t)PL_ABSENT_BITS);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(v + i));
        if (_mm256_movemask_epi8(_mm256_cmpeq_epi64(x, marker))) {
            break;
        }
    }
    return i;
}
#endif

size_t pl_drop_stale(int64_t *t, double *v, size_t n)
{
    size_t i = 0;
#ifdef PL__X86
    i = pl__avx2() ? fresh_avx2(v, n) : 0;
#endif
    while (i < n && !pl_is_absent(v[i])) {
        i++;
    }
    if (i == n) {
        return n;
    }
    size_t m = i;
    for (; i < n; i++) {
        if (!pl_is_absent(v[i])) {
            t[m] = t[i];
            v[m++] = v[i];
        }
    }
    return m;
}

static double changes(const double *v, size_t n)
{
    size_t c = 0;
    for (size_t i = 1; i < n; i++) {
        c += v[i] != v[i - 1] && !(v[i] != v[i] && v[i - 1] != v[i - 1]);
    }
    return (double)c;
}

static double resets(const double *v, size_t n)
{
    size_t c = 0;
    for (size_t i = 1; i < n; i++) {
        c += v[i] < v[i - 1];
    }
    return (double)c;
}

static double over(enum pl_over op, const double *v, size_t n)
{
    switch (op) {
    case PL_OVER_SUM:
        return pl_sum(v, n);
    case PL_OVER_AVG:
        return pl_avg(v, n);
    case PL_OVER_MIN:
        return pl_min(v, n);
    case PL_OVER_MAX:
        return pl_max(v, n);
    case PL_OVER_COUNT:
        return (double)n;
    case PL_OVER_LAST:
        return v[n - 1];
    case PL_OVER_FIRST:
        return v[0];
    case PL_OVER_STDDEV:
        return sqrt(pl_stdvar(v, n));
    case PL_OVER_STDVAR:
        return pl_stdvar(v, n);
    case PL_OVER_CHANGES:
        return changes(v, n);
    case PL_OVER_RESETS:
        return resets(v, n);
    default:
        return 1;
    }
}

void pl_over_time(enum pl_over op, const double *v, const uint32_t *from, const uint32_t *to,
                  size_t n_windows, double *out)
{
    for (size_t k = 0; k < n_windows; k++) {
        out[k] = from[k] < to[k] ? over(op, v + from[k], to[k] - from[k]) : PL_ABSENT;
    }
}
