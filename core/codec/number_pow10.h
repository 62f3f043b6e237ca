/* Inside of codec: 128-bit powers of ten. Constant. */
#pragma once
#include <stdint.h>

#define PL__POW10_MIN (-342)
#define PL__POW10_MAX 324

/** [q - PL__POW10_MIN]: high and low half of 10^q's first 128 bits, rounded down; drawn in
 *  number_pow10.c. */
extern const uint64_t pl__powers10[PL__POW10_MAX - PL__POW10_MIN + 1][2];

/** 10^q has no more than 128 bits: the table's number is all of it. */
static inline int pl__pow10_exact(int q) { return q >= 0 && q <= 55; }
/** floor(log2(10^q)) for |q| <= 1233. */
static inline int pl__log2_pow10(int q) { return (int)(((int64_t)q * 1741647) >> 19); }
