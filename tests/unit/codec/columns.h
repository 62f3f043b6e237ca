/* Columns for the codec's tests: a seeded generator of the shapes that metrics have. */
#pragma once
#include "core/codec/column.h"
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
    return r->s * 0x2545f4914f6cdd1dULL;
}
static inline uint64_t below(struct rng *r, uint64_t n) { return (rnd(r) >> 11) % n; }

enum shape {
    CONSTANT,
    ZERO,
    COUNTER,
    COUNTER_RESETS,
    GAUGE2,
    SLOW,
    WALK,
    TRUE_DOUBLE,
    LARGE,
    PAGES,
    STALE_END,
    MIXED,
    ANY_BITS,
    FLOATS,
    DIGITS14,
    SUMMED,
    NEGATIVE,
    N_SHAPES
};
static inline void fill(struct rng *r, enum shape shape, double *v, size_t n)
{
    double x = (double)below(r, 100000);
    for (size_t i = 0; i < n; i++) {
        switch (shape) {
        case CONSTANT:
            v[i] = x / 8;
            break;
        case ZERO:
            v[i] = 0;
            break;
        case COUNTER:
            v[i] = x += (double)below(r, 200);
            break;
        case COUNTER_RESETS:
            v[i] = x = below(r, 60) ? x + (double)below(r, 50) : 3;
            break;
        case GAUGE2:
            v[i] = (double)below(r, 10000) / 100;
            break;
        case SLOW:
            v[i] = x += below(r, 30) ? 0 : 1;
            break;
        case WALK:
            v[i] = (x += (double)below(r, 400) - 200) / 100;
            break;
        case TRUE_DOUBLE:
            v[i] = sqrt(x += 1);
            break;
        case LARGE:
            v[i] = 1e18 + (double)below(r, 1000) * 1024;
            break;
        case PAGES:
            v[i] = 4096.0 * (double)below(r, 1000) + 512;
            break;
        case STALE_END:
            v[i] = i + 1 < n ? x : pl_bits_f64(0x7ff0000000000002ULL);
            break;
        case MIXED:
            v[i] = below(r, 9) ? x / 10 : pl_bits_f64(rnd(r));
            break;
        case ANY_BITS:
            v[i] = pl_bits_f64(rnd(r));
            break;
        case FLOATS:
            v[i] = (float)sqrt(x += 3);
            break;
        case DIGITS14:
            v[i] = (double)below(r, 99999999999999ULL) / 1e9;
            break;
        case SUMMED:
            v[i] = i ? v[i - 1] + (double)below(r, 1000) / 1e4 : 8.4;
            break;
        default:
            v[i] = -(double)below(r, 1000) / 10;
            break;
        }
    }
}
/** Special doubles that must come back bit by bit. */
static const uint64_t special_bits[] = {0x7ff0000000000002ULL,
                                        0x7ff8000000000001ULL,
                                        0xfff8000000000000ULL,
                                        0x7ff0000000000001ULL,
                                        0x7ff0000000000000ULL,
                                        0xfff0000000000000ULL,
                                        0x8000000000000000ULL,
                                        0,
                                        1,
                                        0x800000000000000fULL,
                                        0x7fefffffffffffffULL,
                                        0xffefffffffffffffULL,
                                        0x43dfffffffffffffULL,
                                        0xc3e0000000000000ULL,
                                        0x43e0000000000000ULL,
                                        0x432fffffffffffffULL,
                                        0x4330000000000001ULL,
                                        0x3ff0000000000000ULL};
enum { N_SPECIAL = sizeof special_bits / sizeof *special_bits };

/** A copy of exactly n bytes on the heap, so that a sanitizer sees reads outside. */
static inline uint8_t *exact_copy(const uint8_t *p, size_t n)
{
    uint8_t *c = malloc(n ? n : 1);
    assert_non_null(c);
    memcpy(c, p, n);
    return c;
}
