/* Protobuf: any bytes are walked within bounds, two levels into what may be a message. */
#include "core/codec/protobuf.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(pl_str s, int depth)
{
    struct pl_pb pb = pl_pb(s);
    struct pl_pb_field f;
    int rc;
    while ((rc = pl_pb_next(&pb, &f)) > 0) {
        if (f.number == 0 || pb.p > pb.end) {
            abort();
        }
        if (f.wire == 2) {
            if (f.bytes.p < s.p || f.bytes.p + f.bytes.n > s.p + s.n) {
                abort();
            }
            if (depth > 0) {
                walk(f.bytes, depth - 1);
            }
        }
    }
    if (rc == 0 && pb.p != pb.end) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    walk(pl_str_mem(data, size), 3);
    return 0;
}
