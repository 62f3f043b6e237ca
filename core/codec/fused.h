/* Internal to codec: the commonest columns straight from bytes to doubles. Any thread. */
#pragma once
#include "core/codec/ints.h"

/** Decode ints that are PLAIN or DELTA over a bit-packed stream of at most 25 bits, scaled by 10^e,
 *  with AVX2 and FMA. Returns the place behind them, or NULL where they are not such ints or are
 *  corrupt: then ask pl__ints_get and pl__decimal_decode, whose results it shares. */
const uint8_t *pl__fused_get(const uint8_t *p, const uint8_t *end, size_t n,
                             enum pl__ints_order order, int e, double *v);
