/* Correlation of two columns (Pearson 1895), in two passes. Any thread. */
#include "core/kernel/kernel.h"

#include <math.h>

double pl_pearson(const double *a, const double *b, size_t n)
{
    struct pl_ksum x = PL_KSUM_INIT, y = PL_KSUM_INIT;
    struct pl_ksum xx = PL_KSUM_INIT, yy = PL_KSUM_INIT, xy = PL_KSUM_INIT;
    if (n < 2) {
        return NAN;
    }
    for (size_t i = 0; i < n; i++) {
        pl_ksum_add(&x, a[i]);
        pl_ksum_add(&y, b[i]);
    }
    double mx = pl_ksum_value(x) / (double)n, my = pl_ksum_value(y) / (double)n;
    for (size_t i = 0; i < n; i++) {
        pl_ksum_add(&xx, (a[i] - mx) * (a[i] - mx));
        pl_ksum_add(&yy, (b[i] - my) * (b[i] - my));
        pl_ksum_add(&xy, (a[i] - mx) * (b[i] - my));
    }
    double r = pl_ksum_value(xy) / sqrt(pl_ksum_value(xx)) / sqrt(pl_ksum_value(yy));
    return r > 1 ? 1 : r < -1 ? -1 : r;
}
