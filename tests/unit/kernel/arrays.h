/* Arrays for the kernel's tests: seeded, with NaN, infinities, resets and gaps. */
#pragma once
#include "core/kernel/simd.h"
#include "tests/unit/unit.h"
#include <math.h>
#include <stdlib.h>

struct rng {
    uint64_t s;
};
static inline uint64_t rnd(struct rng *r)
{
    r->s ^= r->s << 13;
    r->s ^= r->s >> 7;
    r->s ^= r->s << 17;
    return (r->s * 0x2545f4914f6cdd1dULL) >> 11;
}
static inline double number(struct rng *r)
{
    double scale[4] = {1, 1e-3, 1e9, 1e100};
    return ((double)(rnd(r) % 2000001) - 1000000) / 1000 * scale[rnd(r) % 3 + (rnd(r) % 50 == 0)];
}
/** wild: some NaN, infinities, zeros of both signs and absent ones. */
static inline void fill(struct rng *r, double *v, size_t n, bool wild)
{
    const double odd[7] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 1.7e308, -1.7e308};
    for (size_t i = 0; i < n; i++) {
        v[i] = number(r);
        if (wild && rnd(r) % 12 == 0) {
            v[i] = odd[rnd(r) % 7];
        }
    }
}
/** The same number, both NaN, or within `ulps` of the larger of both and 1e-300. */
static inline bool same(double a, double b, double ulps)
{
    if (a == b || (isnan(a) && isnan(b))) {
        return true;
    }
    double big = fmax(fabs(a), fabs(b));
    return fabs(a - b) <= big * 2.3e-16 * ulps + 1e-300;
}
