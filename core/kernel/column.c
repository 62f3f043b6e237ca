/* Grouping: columns of steps added into one, step by step, four steps at a time. Vectorising over
 * steps keeps the order in which one step sees its series, so the bits are those of the scalar
 * loop. Semantics: Prometheus 3, promql/engine.go aggregation. Any thread. */
#include "core/kernel/simd.h"
#include <math.h>

size_t pl_agg_bytes(size_t n) { return n * (3 * sizeof(double) + 1) + 8; }

void pl_agg_init(struct pl_agg_state *s, enum pl_agg op, size_t n, void *memory)
{
    double *m = memory, start = op == PL_AGG_MIN || op == PL_AGG_MAX ? NAN : 0;
    if (op == PL_AGG_SUM || op == PL_AGG_AVG) {
        start = -0.0;
    }
    *s = (struct pl_agg_state){.op = op,
                               .n = n,
                               .a = m,
                               .b = m + n,
                               .count = m + 2 * n,
                               .running = (uint8_t *)(m + 3 * n)};
    for (size_t i = 0; i < n; i++) {
        s->a[i] = start;
        s->b[i] = s->count[i] = 0;
    }
    memset(s->running, 0, n);
}

void pl__agg_step(struct pl_agg_state *s, size_t i, double v)
{
    if (pl_is_absent(v)) {
        return;
    }
    switch (s->op) {
    case PL_AGG_SUM: {
        struct pl_ksum k = {s->a[i], s->b[i]};
        pl_ksum_add(&k, v);
        s->a[i] = k.sum;
        s->b[i] = k.c;
        break;
    }
    case PL_AGG_AVG: {
        struct pl__mean m = {s->a[i], s->b[i], s->count[i], s->running[i]};
        pl__mean_add(&m, v);
        s->a[i] = m.sum;
        s->b[i] = m.c;
        s->running[i] = m.running;
        break;
    }
    case PL_AGG_MIN:
        s->a[i] = v < s->a[i] || s->a[i] != s->a[i] ? v : s->a[i];
        break;
    case PL_AGG_MAX:
        s->a[i] = v > s->a[i] || s->a[i] != s->a[i] ? v : s->a[i];
        break;
    case PL_AGG_STDDEV:
    case PL_AGG_STDVAR: {
        double delta = v - s->b[i];
        s->b[i] += delta / (s->count[i] + 1);
        s->a[i] += delta * (v - s->b[i]);
        break;
    }
    default:
        break;
    }
    s->count[i]++;
}

void pl_agg_add_one(struct pl_agg_state *s, double v) { pl__agg_step(s, 0, v); }

void pl__agg_add_scalar(struct pl_agg_state *s, const double *v, size_t from)
{
    for (size_t i = from; i < s->n; i++) {
        pl__agg_step(s, i, v[i]);
    }
}

#ifdef PL__X86
#include <immintrin.h>

#define PRESENT(x)                                                                                 \
    _mm256_xor_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(                                          \
                      _mm256_castpd_si256(x), _mm256_set1_epi64x((int64_t)PL_ABSENT_BITS))),       \
                  _mm256_castsi256_pd(_mm256_set1_epi64x(-1)))

PL__AVX2 static inline void count_in(double *count, __m256d present)
{
    __m256d one = _mm256_and_pd(present, _mm256_set1_pd(1));
    _mm256_storeu_pd(count, _mm256_add_pd(_mm256_loadu_pd(count), one));
}

/* SUM and AVG. AVG goes one by one where a sum overflows or has. */
PL__AVX2 static size_t sums_avx2(struct pl_agg_state *s, const double *v)
{
    const __m256d sign = _mm256_set1_pd(-0.0), inf = _mm256_set1_pd(__builtin_inf());
    size_t i = 0;
    for (; i + 4 <= s->n; i += 4) {
        __m256d x = _mm256_loadu_pd(v + i), present = PRESENT(x);
        __m256d sum = _mm256_loadu_pd(s->a + i), c = _mm256_loadu_pd(s->b + i);
        __m256d t = _mm256_add_pd(sum, x);
        __m256d s_big =
            _mm256_cmp_pd(_mm256_andnot_pd(sign, sum), _mm256_andnot_pd(sign, x), _CMP_GE_OQ);
        __m256d big = _mm256_blendv_pd(x, sum, s_big), small = _mm256_blendv_pd(sum, x, s_big);
        __m256d c2 = _mm256_add_pd(c, _mm256_add_pd(_mm256_sub_pd(big, t), small));
        __m256d is_inf = _mm256_cmp_pd(_mm256_andnot_pd(sign, t), inf, _CMP_EQ_OQ);
        if (s->op == PL_AGG_AVG && (_mm256_movemask_pd(is_inf) || pl_rd32(s->running + i))) {
            for (size_t k = i; k < i + 4; k++) {
                pl__agg_step(s, k, v[k]);
            }
            continue;
        }
        c2 = _mm256_andnot_pd(is_inf, c2);
        _mm256_storeu_pd(s->a + i, _mm256_blendv_pd(sum, t, present));
        _mm256_storeu_pd(s->b + i, _mm256_blendv_pd(c, c2, present));
        count_in(s->count + i, present);
    }
    return i;
}

PL__AVX2 static size_t extremes_avx2(struct pl_agg_state *s, const double *v)
{
    bool max = s->op == PL_AGG_MAX;
    size_t i = 0;
    for (; i + 4 <= s->n; i += 4) {
        __m256d x = _mm256_loadu_pd(v + i), best = _mm256_loadu_pd(s->a + i);
        __m256d present = PRESENT(x);
        __m256d better =
            max ? _mm256_cmp_pd(x, best, _CMP_GT_OQ) : _mm256_cmp_pd(x, best, _CMP_LT_OQ);
        better = _mm256_or_pd(better, _mm256_cmp_pd(best, best, _CMP_UNORD_Q));
        better = _mm256_and_pd(better, present);
        _mm256_storeu_pd(s->a + i, _mm256_blendv_pd(best, x, better));
        count_in(s->count + i, present);
    }
    return i;
}

PL__AVX2 static size_t variances_avx2(struct pl_agg_state *s, const double *v)
{
    size_t i = 0;
    for (; i + 4 <= s->n; i += 4) {
        __m256d x = _mm256_loadu_pd(v + i), present = PRESENT(x);
        __m256d mean = _mm256_loadu_pd(s->b + i), a = _mm256_loadu_pd(s->a + i);
        __m256d n = _mm256_add_pd(_mm256_loadu_pd(s->count + i), _mm256_set1_pd(1));
        __m256d delta = _mm256_sub_pd(x, mean);
        __m256d mean2 = _mm256_add_pd(mean, _mm256_div_pd(delta, n));
        __m256d a2 = _mm256_add_pd(a, _mm256_mul_pd(delta, _mm256_sub_pd(x, mean2)));
        _mm256_storeu_pd(s->b + i, _mm256_blendv_pd(mean, mean2, present));
        _mm256_storeu_pd(s->a + i, _mm256_blendv_pd(a, a2, present));
        count_in(s->count + i, present);
    }
    return i;
}

PL__AVX2 static size_t counts_avx2(struct pl_agg_state *s, const double *v)
{
    size_t i = 0;
    for (; i + 4 <= s->n; i += 4) {
        count_in(s->count + i, PRESENT(_mm256_loadu_pd(v + i)));
    }
    return i;
}

static size_t add_avx2(struct pl_agg_state *s, const double *v)
{
    switch (s->op) {
    case PL_AGG_SUM:
    case PL_AGG_AVG:
        return sums_avx2(s, v);
    case PL_AGG_MIN:
    case PL_AGG_MAX:
        return extremes_avx2(s, v);
    case PL_AGG_STDDEV:
    case PL_AGG_STDVAR:
        return variances_avx2(s, v);
    default:
        return counts_avx2(s, v);
    }
}
#endif

void pl_agg_add(struct pl_agg_state *s, const double *v)
{
    size_t done = 0;
#ifdef PL__X86
    if (pl__avx2()) {
        done = add_avx2(s, v);
    }
#endif
    pl__agg_add_scalar(s, v, done);
}

/* AVG: bring a sum to a mean before it meets one. */
static void to_mean(double *sum, double *c, double count)
{
    *sum /= count;
    *c /= count;
}

static void merge_avg(struct pl_agg_state *s, size_t i, const struct pl_agg_state *o)
{
    double a = o->a[i], b = o->b[i], n = s->count[i], m = o->count[i];
    if (!s->running[i] && !o->running[i]) {
        struct pl_ksum k = {s->a[i], s->b[i]};
        pl_ksum_add(&k, a);
        pl_ksum_add(&k, b);
        if (!isinf(k.sum) || isinf(s->a[i]) || isinf(a)) {
            s->a[i] = k.sum;
            s->b[i] = k.c;
            return;
        }
    }
    if (!s->running[i]) {
        to_mean(&s->a[i], &s->b[i], n);
    }
    if (!o->running[i]) {
        to_mean(&a, &b, m);
    }
    double p = n / (n + m), q = m / (n + m);
    struct pl_ksum k = {p * s->a[i], p * s->b[i]};
    pl_ksum_add(&k, q * a);
    pl_ksum_add(&k, q * b);
    s->a[i] = k.sum;
    s->b[i] = k.c;
    s->running[i] = 1;
}

/* Two variances by their means: Chan, Golub, LeVeque 1979. */
static void merge_variance(struct pl_agg_state *s, size_t i, const struct pl_agg_state *o)
{
    double n = s->count[i], m = o->count[i], delta = o->b[i] - s->b[i];
    s->b[i] += delta * (m / (n + m));
    s->a[i] += o->a[i] + delta * delta * (n * m / (n + m));
}

void pl_agg_merge(struct pl_agg_state *s, const struct pl_agg_state *o)
{
    for (size_t i = 0; i < s->n; i++) {
        if (o->count[i] == 0) {
            continue;
        }
        if (s->count[i] == 0) {
            s->a[i] = o->a[i];
            s->b[i] = o->b[i];
            s->count[i] = o->count[i];
            s->running[i] = o->running[i];
            continue;
        }
        struct pl_ksum k = {s->a[i], s->b[i]};
        switch (s->op) {
        case PL_AGG_SUM:
            pl_ksum_add(&k, o->a[i]);
            pl_ksum_add(&k, o->b[i]);
            s->a[i] = k.sum;
            s->b[i] = k.c;
            break;
        case PL_AGG_AVG:
            merge_avg(s, i, o);
            break;
        case PL_AGG_MIN:
            s->a[i] = o->a[i] < s->a[i] || isnan(s->a[i]) ? o->a[i] : s->a[i];
            break;
        case PL_AGG_MAX:
            s->a[i] = o->a[i] > s->a[i] || isnan(s->a[i]) ? o->a[i] : s->a[i];
            break;
        case PL_AGG_STDDEV:
        case PL_AGG_STDVAR:
            merge_variance(s, i, o);
            break;
        default:
            break;
        }
        s->count[i] += o->count[i];
    }
}

void pl_agg_finish(const struct pl_agg_state *s, double *out)
{
    for (size_t i = 0; i < s->n; i++) {
        double n = s->count[i];
        if (n == 0) {
            out[i] = PL_ABSENT;
            continue;
        }
        switch (s->op) {
        case PL_AGG_SUM:
            out[i] = pl_ksum_value((struct pl_ksum){s->a[i], s->b[i]});
            break;
        case PL_AGG_AVG: {
            struct pl__mean m = {s->a[i], s->b[i], n, s->running[i]};
            out[i] = pl__mean_value(&m);
            break;
        }
        case PL_AGG_COUNT:
            out[i] = n;
            break;
        case PL_AGG_STDDEV:
            out[i] = sqrt(s->a[i] / n);
            break;
        case PL_AGG_STDVAR:
            out[i] = s->a[i] / n;
            break;
        case PL_AGG_GROUP:
            out[i] = 1;
            break;
        default:
            out[i] = s->a[i];
        }
    }
}
