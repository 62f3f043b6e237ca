/* Internal to codec: a column of int64, as timestamps and scaled values are. Format in ints.c. */
#pragma once
#include "core/codec/stream.h"

enum pl__ints_order {
    PL__INTS_PLAIN,  /* the values */
    PL__INTS_DELTA,  /* m0, then differences */
    PL__INTS_DELTA2, /* m0, m1 - m0, then differences of differences */
    PL__INTS_LINE,   /* m0, slope, then the distance of m[1..n) from the line through m0 */
};

struct pl__ints_plan {
    enum pl__ints_order order;
    int64_t slope;
    uint64_t step; /* all differences are multiples of it; 1 = not used */
    uint32_t bytes;
    struct pl__stream_plan stream;
};

/** n in [1, PL_CHUNK_MAX]. FAST looks at PLAIN and DELTA; LINE is looked at where `lines`. */
void pl__ints_plan(const int64_t *m, size_t n, enum pl_effort effort, bool lines,
                   struct pl__ints_plan *out);
/** Append what follows order and the step flag (which stand in the caller's head byte). */
void pl__ints_put(const int64_t *m, size_t n, const struct pl__ints_plan *plan, struct pl_buf *out);
/** NULL when corrupt. */
const uint8_t *pl__ints_get(const uint8_t *p, const uint8_t *end, size_t n,
                            enum pl__ints_order order, bool has_step, int64_t *m);
/** True when the column (without a step) is a straight line, x[i] = first + i * slope, told from
 *  its head. */
bool pl__ints_line(const uint8_t *p, const uint8_t *end, size_t n, enum pl__ints_order order,
                   int64_t *first, int64_t *slope);
