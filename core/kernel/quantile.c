/* Quantiles by selection (Hoare 1961), interpolated as Prometheus does. Any thread. */
#include "core/kernel/simd.h"
#include <math.h>

/* NaN before all numbers. */
static bool less(double a, double b) { return a < b || (isnan(a) && !isnan(b)); }

static void swap(double *a, double *b)
{
    double x = *a;
    *a = *b;
    *b = x;
}

static void sift(double *v, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        child += child + 1 < n && less(v[child], v[child + 1]);
        if (!less(v[root], v[child])) {
            return;
        }
        swap(&v[root], &v[child]);
    }
}

static void heap_sort(double *v, size_t n)
{
    for (size_t i = n / 2; i-- > 0;) {
        sift(v, i, n);
    }
    for (size_t i = n; i-- > 1;) {
        swap(&v[0], &v[i]);
        sift(v, 0, i);
    }
}

/* Put the k-th smallest at k, none greater before it, none smaller behind. */
static void select_kth(double *v, size_t n, size_t k)
{
    size_t lo = 0, hi = n - 1;
    for (unsigned rounds = 0; lo < hi; rounds++) {
        if (rounds > 64) { /* unlucky pivots must not cost n^2 */
            heap_sort(v + lo, hi - lo + 1);
            return;
        }
        size_t mid = lo + (hi - lo) / 2;
        if (less(v[mid], v[lo])) {
            swap(&v[mid], &v[lo]);
        }
        if (less(v[hi], v[lo])) {
            swap(&v[hi], &v[lo]);
        }
        if (less(v[hi], v[mid])) {
            swap(&v[hi], &v[mid]);
        }
        double pivot = v[mid];
        size_t i = lo, j = hi;
        while (i <= j) {
            while (less(v[i], pivot)) {
                i++;
            }
            while (less(pivot, v[j])) {
                j--;
            }
            if (i <= j) {
                swap(&v[i], &v[j]);
                i++;
                if (j == 0) {
                    break;
                }
                j--;
            }
        }
        if (k <= j) {
            hi = j;
        } else if (k >= i) {
            lo = i;
        } else {
            return;
        }
    }
}

double pl_quantile(double q, double *v, size_t n)
{
    if (n == 0 || isnan(q)) {
        return NAN;
    }
    if (q < 0 || q > 1) {
        return q < 0 ? -INFINITY : INFINITY;
    }
    double rank = q * (double)(n - 1), weight = rank - floor(rank);
    size_t lower = (size_t)floor(rank), upper = lower + 1 < n ? lower + 1 : n - 1;
    select_kth(v, n, lower);
    double next = v[lower];
    if (upper > lower) {
        next = v[upper];
        for (size_t i = upper + 1; i < n; i++) {
            next = less(v[i], next) ? v[i] : next;
        }
    }
    return v[lower] * (1 - weight) + next * weight;
}

void pl_over_time_quantile(double q, const double *v, const uint32_t *from, const uint32_t *to,
                           size_t n_windows, double *scratch, double *out)
{
    for (size_t k = 0; k < n_windows; k++) {
        size_t n = to[k] - from[k];
        if (n == 0) {
            out[k] = PL_ABSENT;
            continue;
        }
        memcpy(scratch, v + from[k], n * sizeof *v);
        out[k] = pl_quantile(q, scratch, n);
    }
}
