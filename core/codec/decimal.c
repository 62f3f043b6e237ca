/* Doubles as decimal-scaled integers, after ALP (Afroozeh, Kuffo, Boncz: SIGMOD 2024), with one
 * change: a value is m / 10^e, correctly rounded, where ALP multiplies by an inexact 10^-e. So
 * every decimal of up to 15 digits passes, and there is one exponent to choose instead of two.
 *
 * The division costs no divider: with y = RN(10^-e), q = RN(m * y), r = m - 10^e * q, the result
 * RN(q + r * y) is RN(m / 10^e) for |m| < 2^53 and e <= 22 (after Markstein 1990): q is within 1.5
 * ulp, 5^e has at most 52 bits, so r is exact; r * y errs by at most 1.5 * 2^-53 ulp, while
 * m / 10^e is a double or at least 2^-52.1 ulp away from every midpoint of two doubles, as 5^22 <
 * 2^51.1. Integers (e = 0) may have any 64 bits: conversion rounds, and encoding has checked that
 * it did not. Any thread. */
#include "core/codec/decimal.h"
#include <math.h>

const double pl__pow10_f64[PL__DECIMAL_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

#define M_LIMIT 2251799813685248.0     /* 2^51: the magic number below rounds up to here */
#define MAGIC   6755399441055744.0     /* 1.5 * 2^52 */
enum { FIX_MAX = 31, FIX_SAMPLE = 4 }; /* ulps */
enum { SAMPLES = 9, SAMPLES_SHORT = 3, RAISES = 4 };

/* m for v at e; false where v is no such decimal. */
static inline bool scale(double v, int e, int64_t *m)
{
    double x = v * pl__pow10_f64[e];
    if (!(fabs(x) < M_LIMIT)) {
        return false;
    }
    double r = (x + MAGIC) - MAGIC;
    *m = (int64_t)r;
    return pl_f64_bits(r / pl__pow10_f64[e]) == pl_f64_bits(v); /* r is never -0.0 */
}

/* Like it for integers of up to 63 bits. */
static inline bool scale_large(double v, int64_t *m)
{
    if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0)) {
        return false;
    }
    *m = (int64_t)v;
    return pl_f64_bits((double)*m) == pl_f64_bits(v);
}

/* The smallest e >= from that suits v, or -1. */
static int exponent_of(double v, int from)
{
    int64_t m;
    if (from == 0 && scale_large(v, &m)) {
        return 0;
    }
    for (int e = from; e <= PL__DECIMAL_MAX && fabs(v) * pl__pow10_f64[e] < M_LIMIT; e++) {
        if (scale(v, e, &m)) {
            return e;
        }
    }
    return -1;
}

size_t pl__decimal_apply_scalar(const double *v, size_t from, size_t n, int e, int64_t *m,
                                uint16_t *odd, size_t n_odd)
{
    for (size_t i = from; i < n; i++) {
        if (!scale(v[i], e, &m[i]) && !(e == 0 && scale_large(v[i], &m[i]))) {
            m[i] = i ? m[i - 1] : 0;
            odd[n_odd++] = (uint16_t)i;
        }
    }
    return n_odd;
}

#ifdef PL__X86
#include <immintrin.h>

__attribute__((target("avx2"))) static size_t apply_avx2(const double *v, size_t n, int e,
                                                         int64_t *m, uint16_t *odd)
{
    const __m256d p = _mm256_set1_pd(pl__pow10_f64[e]), magic = _mm256_set1_pd(MAGIC);
    const __m256d limit = _mm256_set1_pd(M_LIMIT), sign = _mm256_set1_pd(-0.0);
    size_t n_odd = 0, i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d x = _mm256_loadu_pd(v + i), s = _mm256_mul_pd(x, p);
        __m256d t = _mm256_add_pd(s, magic), r = _mm256_sub_pd(t, magic);
        __m256d back = e ? _mm256_div_pd(r, p) : r;
        __m256d ok = _mm256_cmp_pd(_mm256_andnot_pd(sign, s), limit, _CMP_LT_OQ);
        __m256i same = _mm256_cmpeq_epi64(_mm256_castpd_si256(back), _mm256_castpd_si256(x));
        ok = _mm256_and_pd(ok, _mm256_castsi256_pd(same));
        _mm256_storeu_si256((__m256i *)(m + i),
                            _mm256_sub_epi64(_mm256_castpd_si256(t), _mm256_castpd_si256(magic)));
        if (_mm256_movemask_pd(ok) != 15) {
            n_odd = pl__decimal_apply_scalar(v, i, i + 4, e, m, odd, n_odd);
        }
    }
    if (i + 1 == n) {
        return pl__decimal_apply_scalar(v, i, n, e, m, odd, n_odd);
    }
    if (i < n) {
        /* the last two or three, padded by repeating one */
        double x[4] = {v[i], v[i + 1], v[n - 1], v[n - 1]};
        int64_t y[4];
        uint16_t bad[4];
        if (apply_avx2(x, 4, e, y, bad) == 0) {
            memcpy(m + i, y, (n - i) * sizeof *m);
        } else {
            n_odd = pl__decimal_apply_scalar(v, i, n, e, m, odd, n_odd);
        }
    }
    return n_odd;
}

/* int64 -> double for all 64 bits: both halves as doubles with fixed exponents, then their sum. */
__attribute__((target("avx2,fma"))) static inline __m256d to_double(__m256i x)
{
    const __m256d high_magic = _mm256_set1_pd(442721857769029238784.0); /* 3 * 2^67 */
    const __m256d both_magic = _mm256_set1_pd(442726361368656609280.0); /* 3 * 2^67 + 2^52 */
    const __m256d low_magic = _mm256_set1_pd(4503599627370496.0);       /* 2^52 */
    __m256i hi = _mm256_blend_epi16(_mm256_srai_epi32(x, 16), _mm256_setzero_si256(), 0x33);
    hi = _mm256_add_epi64(hi, _mm256_castpd_si256(high_magic));
    __m256i lo = _mm256_blend_epi16(x, _mm256_castpd_si256(low_magic), 0x88);
    __m256d f = _mm256_sub_pd(_mm256_castsi256_pd(hi), both_magic);
    return _mm256_add_pd(f, _mm256_castsi256_pd(lo));
}

__attribute__((target("avx2,fma"))) static void decode_avx2(const int64_t *m, size_t n, int e,
                                                            double *v)
{
    size_t i = 0;
    if (e == 0) {
        for (; i + 4 <= n; i += 4) {
            _mm256_storeu_pd(v + i, to_double(_mm256_loadu_si256((const __m256i *)(m + i))));
        }
    } else {
        const __m256d p = _mm256_set1_pd(pl__pow10_f64[e]),
                      y = _mm256_set1_pd(1.0 / pl__pow10_f64[e]);
        for (; i + 4 <= n; i += 4) {
            __m256d x = to_double(_mm256_loadu_si256((const __m256i *)(m + i)));
            __m256d q = _mm256_mul_pd(x, y);
            _mm256_storeu_pd(v + i, _mm256_fmadd_pd(_mm256_fnmadd_pd(q, p, x), y, q));
        }
    }
    pl__decimal_decode_scalar(m + i, n - i, e, v + i);
}
#endif

size_t pl__decimal_apply(const double *v, size_t n, int e, int64_t *m, uint16_t *odd)
{
#ifdef PL__X86
    if (pl__have_avx2()) {
        return apply_avx2(v, n, e, m, odd);
    }
#endif
    return pl__decimal_apply_scalar(v, 0, n, e, m, odd, 0);
}

void pl__decimal_decode_scalar(const int64_t *m, size_t n, int e, double *v)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = (double)m[i] / pl__pow10_f64[e];
    }
}

void pl__decimal_decode(const int64_t *m, size_t n, int e, double *v)
{
#ifdef PL__X86
    if (pl__have_avx2()) {
        decode_avx2(m, n, e, v);
        return;
    }
#endif
    pl__decimal_decode_scalar(m, n, e, v);
}

/* The largest exponent that one of a few samples wants; -1: none is decimal. */
static int sampled_exponent(const double *v, size_t n)
{
    size_t samples = n >= 32 ? SAMPLES : n < SAMPLES_SHORT ? n : SAMPLES_SHORT, hopeless = 0;
    int e = -1;
    for (size_t s = 0; s < samples && hopeless < 3; s++) {
        size_t i = samples > 1 ? s * (n - 1) / (samples - 1) : 0;
        int mine = exponent_of(v[i], e < 0 ? 0 : e);
        e = mine > e ? mine : e;
        hopeless += mine < 0 && v[i] == v[i];
    }
    return hopeless < 3 ? e : -1;
}

/* Odd values at the front repeat the first good one. */
static void fill_front(const struct pl__decimal *d, size_t n, int64_t *m)
{
    size_t k = 0;
    while (k < d->n_odd && d->odd[k] == k) {
        k++;
    }
    for (size_t i = 0; i < k && k < n; i++) {
        m[i] = m[k];
    }
}

void pl__decimal_encode(const double *v, size_t n, struct pl__decimal *d, int64_t *m)
{
    int e = sampled_exponent(v, n);
    d->e = e;
    d->n_odd = n;
    if (e < 0) {
        return;
    }
    d->n_odd = pl__decimal_apply(v, n, e, m, d->odd);
    /* odd values may only want more digits than the sample had: raise e while that helps */
    for (int raise = 0; raise < RAISES && d->n_odd > 0; raise++) {
        int next = -1;
        for (size_t i = 0; i < d->n_odd && next < 0; i++) {
            next = exponent_of(v[d->odd[i]], e + 1);
        }
        if (next < 0) {
            break;
        }
        int64_t m2[PL_CHUNK_MAX];
        uint16_t odd2[PL_CHUNK_MAX];
        size_t n2 = pl__decimal_apply(v, n, next, m2, odd2);
        if (n2 >= d->n_odd) {
            break;
        }
        d->e = e = next;
        d->n_odd = n2;
        memcpy(m, m2, n * sizeof *m);
        memcpy(d->odd, odd2, n2 * sizeof *odd2);
    }
    fill_front(d, n, m);
}

/* m and the ulps that v lies above m / 10^e; false where that is more than `most`. */
static bool near(double v, int e, int64_t most, int64_t *m, int64_t *fix)
{
    double x = v * pl__pow10_f64[e];
    if (!(fabs(x) < M_LIMIT)) {
        return false;
    }
    double r = (x + MAGIC) - MAGIC;
    uint64_t have = pl_f64_bits(r / pl__pow10_f64[e]), want = pl_f64_bits(v);
    *m = (int64_t)r;
    *fix = (int64_t)(want - have);
    return *fix >= -most && *fix <= most;
}

void pl__decimal_near(const double *v, size_t n, struct pl__decimal *d, int64_t *m, int64_t *fix)
{
    size_t samples = n < SAMPLES ? n : SAMPLES;
    int e = 0;
    d->e = -1;
    d->n_odd = 0;
    for (size_t s = 0; s < samples; s++) {
        double x = v[(2 * s + 1) * n / (2 * samples)];
        int mine = e;
        while (mine <= PL__DECIMAL_MAX && !near(x, mine, FIX_SAMPLE, &m[0], &fix[0])) {
            mine++;
        }
        e = mine <= PL__DECIMAL_MAX ? mine : e;
    }
    for (size_t i = 0; i < n; i++) {
        if (!near(v[i], e, FIX_MAX, &m[i], &fix[i])) {
            m[i] = i ? m[i - 1] : 0;
            fix[i] = 0;
            d->odd[d->n_odd++] = (uint16_t)i;
        }
    }
    fill_front(d, n, m);
    d->e = e;
}
