/* One value of a whole array: sum, min, max, avg, stdvar. Semantics: Prometheus 3, promql
 * functions of the same names over time. Any thread. */
#include "core/kernel/simd.h"

enum { LANES_FROM = 32 };

double pl__sum_scalar(const double *v, size_t n)
{
    struct pl_ksum k = PL_KSUM_INIT;
    for (size_t i = 0; i < n; i++) {
        pl_ksum_add(&k, v[i]);
    }
    return n ? pl_ksum_value(k) : 0;
}

double pl__min_scalar(const double *v, size_t n)
{
    double best = v[0];
    for (size_t i = 1; i < n; i++) {
        if (v[i] < best || best != best) {
            best = v[i];
        }
    }
    return best;
}

double pl__max_scalar(const double *v, size_t n)
{
    double best = v[0];
    for (size_t i = 1; i < n; i++) {
        if (v[i] > best || best != best) {
            best = v[i];
        }
    }
    return best;
}

#ifdef PL__X86
#include <immintrin.h>

PL__AVX2 static double sum_avx2(const double *v, size_t n)
{
    const __m256d sign = _mm256_set1_pd(-0.0), inf = _mm256_set1_pd(__builtin_inf());
    __m256d sum[2] = {sign, sign}, c[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int k = 0; k < 2; k++) {
            __m256d x = _mm256_loadu_pd(v + i + 4 * k), s = sum[k], t = _mm256_add_pd(s, x);
            __m256d s_big =
                _mm256_cmp_pd(_mm256_andnot_pd(sign, s), _mm256_andnot_pd(sign, x), _CMP_GE_OQ);
            __m256d big = _mm256_blendv_pd(x, s, s_big), small = _mm256_blendv_pd(s, x, s_big);
            __m256d lost = _mm256_add_pd(_mm256_sub_pd(big, t), small);
            __m256d is_inf = _mm256_cmp_pd(_mm256_andnot_pd(sign, t), inf, _CMP_EQ_OQ);
            c[k] = _mm256_andnot_pd(is_inf, _mm256_add_pd(c[k], lost));
            sum[k] = t;
        }
    }
    double part[8], rest[8];
    _mm256_storeu_pd(part, sum[0]);
    _mm256_storeu_pd(part + 4, sum[1]);
    _mm256_storeu_pd(rest, c[0]);
    _mm256_storeu_pd(rest + 4, c[1]);
    struct pl_ksum k = PL_KSUM_INIT;
    for (int j = 0; j < 8; j++) {
        pl_ksum_add(&k, part[j]);
    }
    for (; i < n; i++) {
        pl_ksum_add(&k, v[i]);
    }
    for (int j = 0; j < 8; j++) {
        pl_ksum_add(&k, rest[j]);
    }
    return pl_ksum_value(k);
}

/* max_pd(x, best) keeps best where x is NaN; best begins at the other infinity. */
PL__AVX2 static double extreme_avx2(const double *v, size_t n, bool max)
{
    double start = max ? -__builtin_inf() : __builtin_inf();
    __m256d best = _mm256_set1_pd(start), any = _mm256_setzero_pd();
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d x = _mm256_loadu_pd(v + i);
        best = max ? _mm256_max_pd(x, best) : _mm256_min_pd(x, best);
        any = _mm256_or_pd(any, _mm256_cmp_pd(x, x, _CMP_ORD_Q));
    }
    double lane[5];
    size_t m = 0;
    if (_mm256_movemask_pd(any)) {
        _mm256_storeu_pd(lane, best);
        m = 4;
    }
    if (i < n) {
        lane[m++] = max ? pl__max_scalar(v + i, n - i) : pl__min_scalar(v + i, n - i);
    }
    if (m == 0) {
        return v[0]; /* all NaN */
    }
    return max ? pl__max_scalar(lane, m) : pl__min_scalar(lane, m);
}
#endif

double pl_sum(const double *v, size_t n)
{
#ifdef PL__X86
    if (n >= LANES_FROM && pl__avx2()) {
        return sum_avx2(v, n);
    }
#endif
    return pl__sum_scalar(v, n);
}

double pl_min(const double *v, size_t n)
{
#ifdef PL__X86
    if (n >= LANES_FROM && pl__avx2()) {
        return extreme_avx2(v, n, false);
    }
#endif
    return pl__min_scalar(v, n);
}

double pl_max(const double *v, size_t n)
{
#ifdef PL__X86
    if (n >= LANES_FROM && pl__avx2()) {
        return extreme_avx2(v, n, true);
    }
#endif
    return pl__max_scalar(v, n);
}

double pl_avg(const double *v, size_t n)
{
    struct pl__mean m = {.sum = -0.0};
    for (size_t i = 0; i < n; i++) {
        pl__mean_add(&m, v[i]);
    }
    return pl__mean_value(&m);
}

double pl_stdvar(const double *v, size_t n)
{
    struct pl_ksum mean = {0, 0}, squares = {0, 0};
    double count = 0;
    for (size_t i = 0; i < n; i++) {
        count++;
        double delta = v[i] - (mean.sum + mean.c);
        pl_ksum_add(&mean, delta / count);
        pl_ksum_add(&squares, delta * (v[i] - (mean.sum + mean.c)));
    }
    return (squares.sum + squares.c) / count;
}
