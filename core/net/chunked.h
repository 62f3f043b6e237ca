/* Chunked transfer coding, incoming (RFC 9112, 7.1). Pure. */
#pragma once
#include "core/base/base.h"

#define PL__CHUNKED_OVERHEAD 16384 /* extensions and trailers of one body, together */

struct pl__chunked {
    uint8_t state, digits;
    uint32_t overhead; /* bytes of extensions and trailers so far */
    uint64_t left;     /* of this chunk */
};

/** Take what src gives, up to the end of a run of data or of the body.
 *  @param c  zeroed before the first byte
 *  @param used  bytes of src used
 *  @param data  those among them that belong to the body (n may be 0); points into src
 *  @return 1: the body is complete, 0: call again with what is left or comes, PL_EPARSE: not
 *          chunked, PL_ELIMIT: extensions or trailers too long */
int pl__chunked_read(struct pl__chunked *c, pl_str src, size_t *used, pl_str *data);
