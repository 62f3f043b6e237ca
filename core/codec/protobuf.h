/* A protobuf cursor: fields one by one, no allocation (protobuf.dev, "Encoding"). Any thread.
 *
 *     field = varint (number << 3 | wire) | payload       wire 0: varint, 1: 8 bytes,
 *                                                         2: varint n and n bytes, 5: 4 bytes */
#pragma once
#include "core/base/base.h"

struct pl_pb {
    const uint8_t *p, *end;
};
struct pl_pb_field {
    uint32_t number;
    uint8_t wire; /* 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
    uint64_t u;   /* varint, fixed64, fixed32 */
    pl_str bytes; /* wire 2; borrowed from the input */
};
static inline struct pl_pb pl_pb(pl_str s)
{
    const uint8_t *b = (const uint8_t *)s.p;
    return (struct pl_pb){b, s.n ? b + s.n : b};
}
/** The general case of pl_pb_next, same contract. */
int pl__pb_next(struct pl_pb *pb, struct pl_pb_field *out);
/** 1: a field, 0: the end, PL_ECORRUPT (the cursor then stays). Groups are refused. */
static inline int pl_pb_next(struct pl_pb *pb, struct pl_pb_field *out)
{
    const uint8_t *p = pb->p;
    if (pb->end - p >= 2 && p[0] < 0x80 && p[0] >= 8 && p[1] < 0x80) { /* short tag, short length */
        out->number = p[0] >> 3;
        out->wire = p[0] & 7;
        if (out->wire == 2 && (size_t)(pb->end - p - 2) >= p[1]) {
            out->bytes = pl_str_mem(p + 2, p[1]);
            pb->p = p + 2 + p[1];
            return 1;
        }
        if (out->wire == 0) {
            out->u = p[1];
            pb->p = p + 2;
            return 1;
        }
    }
    return pl__pb_next(pb, out);
}
/** A fixed64 field as double. */
static inline double pl_pb_f64(const struct pl_pb_field *f) { return pl_bits_f64(f->u); }
