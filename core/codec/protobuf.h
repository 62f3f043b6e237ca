/* A protobuf cursor: fields one by one, no allocation. Wire types varint, 64, bytes, 32. */
#pragma once
#include "core/base/base.h"

struct pl_pb {
    const uint8_t *p, *end;
};
struct pl_pb_field {
    uint32_t number;
    uint8_t wire;   /* 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
    uint64_t u;     /* varint, fixed64, fixed32 */
    pl_str bytes;   /* wire 2 */
};
/** 1: a field, 0: the end, PL_ECORRUPT. Groups are refused. */
int pl_pb_next(struct pl_pb *pb, struct pl_pb_field *out);
static inline struct pl_pb pl_pb(pl_str s)
{
    return (struct pl_pb){(const uint8_t *)s.p, (const uint8_t *)s.p + s.n};
}
