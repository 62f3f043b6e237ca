/* Quantiles by selection (Hoare 1961), interpolated as Prometheus does. Any thread. */
#include "core/kernel/simd.h"
#include <math.h>

enum { FEW = 8 }; /* are sorted */

static void swap(double *a, double *b)
{
    double x = *a;
    *a = *b;
    *b = x;
}

static void sift(double *v, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        child += child + 1 < n && v[child] < v[child + 1];
        if (!(v[root] < v[child])) {
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

static double median(double a, double b, double c)
{
    double lo = a < b ? a : b, hi = a < b ? b : a;
    return c < lo ? lo : c > hi ? hi : c;
}

/** A pivot for the k-th of n: of three, the one that most likely leaves little. */
static double pivot_of(const double *v, size_t n, size_t k)
{
    double a = v[n / 4], b = v[n / 2], c = v[n - n / 4 - 1];
    if (k > n / 10 * 7) {
        double x = a > b ? a : b;
        return x > c ? x : c;
    }
    if (k < n / 10 * 3) {
        double x = a < b ? a : b;
        return x < c ? x : c;
    }
    return median(a, b, c);
}

/* Put the k-th smallest at k, none greater before it, none smaller behind. The partitions (Lomuto)
 * do not branch on values: every element changes places with the first one that is to stay behind.
 */
static void select_kth(double *v, size_t n, size_t k)
{
    size_t lo = 0, hi = n;
    for (size_t i = 0; i < n; i++) { /* NaN first; no more of them after this */
        double x = v[i];
        v[i] = v[lo];
        v[lo] = x;
        lo += x != x;
    }
    if (k < lo) {
        return;
    }
    for (unsigned rounds = 0; hi - lo > FEW; rounds++) {
        if (rounds > 64) { /* unlucky pivots must not cost n^2 */
            break;
        }
        double pivot = pivot_of(v + lo, hi - lo, k - lo);
        size_t less_end = lo;
        for (size_t i = lo; i < hi; i++) {
            double x = v[i];
            v[i] = v[less_end];
            v[less_end] = x;
            less_end += x < pivot;
        }
        if (k < less_end) {
            hi = less_end;
            continue;
        }
        if (less_end > lo) {
            lo = less_end;
            continue;
        }
        size_t equal_end = lo; /* none is less: those that are equal go */
        for (size_t i = lo; i < hi; i++) {
            double x = v[i];
            v[i] = v[equal_end];
            v[equal_end] = x;
            equal_end += x == pivot;
        }
        if (k < equal_end) {
            return;
        }
        lo = equal_end;
    }
    heap_sort(v + lo, hi - lo);
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
            next = v[i] < next ? v[i] : next; /* with NaN before it, it does not count */
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
