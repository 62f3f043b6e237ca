/* The protobuf cursor's general case; the format is drawn in protobuf.h. */
#include "core/codec/protobuf.h"

#define NUMBER_MAX ((1u << 29) - 1)

int pl__pb_next(struct pl_pb *pb, struct pl_pb_field *out)
{
    const uint8_t *p = pb->p, *end = pb->end;
    uint64_t tag, n;
    if (p == end) {
        return 0;
    }
    p = pl_varint_get(p, end, &tag);
    if (!p || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX) {
        return PL_ECORRUPT;
    }
    struct pl_pb_field f = {.number = (uint32_t)(tag >> 3), .wire = (uint8_t)(tag & 7)};
    size_t left = (size_t)(end - p);
    switch (f.wire) {
    case 0:
        p = pl_varint_get(p, end, &f.u);
        if (!p) {
            return PL_ECORRUPT;
        }
        break;
    case 1:
        if (left < 8) {
            return PL_ECORRUPT;
        }
        f.u = pl_rd64(p);
        p += 8;
        break;
    case 2:
        p = pl_varint_get(p, end, &n);
        if (!p || n > (size_t)(end - p)) {
            return PL_ECORRUPT;
        }
        f.bytes = pl_str_mem(p, n);
        p += n;
        break;
    case 5:
        if (left < 4) {
            return PL_ECORRUPT;
        }
        f.u = pl_rd32(p);
        p += 4;
        break;
    default:
        return PL_ECORRUPT;
    }
    *out = f;
    pb->p = p;
    return 1;
}
