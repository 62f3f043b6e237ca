/* Internal to codec: doubles as decimal-scaled integers. Idea and proof: decimal.c. Any thread. */
#pragma once
#include "core/codec/bitpack.h"

#define PL__DECIMAL_MAX 22 /* 10^22 is the largest power of ten that is a double */

extern const double pl__pow10_f64[PL__DECIMAL_MAX + 1];

/** How a column scales, or that it does not. */
struct pl__decimal {
    int e;                      /* value = m / 10^e; -1: not decimal */
    size_t n_odd;               /* values that are not so; m repeats its neighbour there */
    uint16_t odd[PL_CHUNK_MAX]; /* their places, ascending */
};
/** Choose e and fill m. */
void pl__decimal_encode(const double *v, size_t n, struct pl__decimal *d, int64_t *m);
/** Like it for values that miss m / 10^e by a few ulps, as sums of decimals do: fix[i] is what to
 *  add to the bits of m[i] / 10^e. */
void pl__decimal_near(const double *v, size_t n, struct pl__decimal *d, int64_t *m, int64_t *fix);
/** v[i] = m[i] / 10^e, correctly rounded. 0 <= e <= 22. */
void pl__decimal_decode(const int64_t *m, size_t n, int e, double *v);
void pl__decimal_decode_scalar(const int64_t *m, size_t n, int e, double *v);
/** Try one e for all of v; returns the number of odd values. */
size_t pl__decimal_apply(const double *v, size_t n, int e, int64_t *m, uint16_t *odd);
size_t pl__decimal_apply_scalar(const double *v, size_t from, size_t n, int e, int64_t *m,
                                uint16_t *odd, size_t n_odd);
