/* Fields of a multipart/form-data body. Internal to net. Any thread. */
#pragma once
#include "core/base/base.h"

/** Fields without a file name, as pairs of name and value, borrowed from the body.
 *  @param content_type  the whole header, for its boundary
 *  @param pairs         2 * cap strings; may be NULL with cap 0, to count
 *  @return how many fields there are, at most 1000; 0 for what is no such body. A body that ends
 *          early gives the fields before its end. */
size_t pl__multipart(pl_str content_type, pl_str body, pl_str *pairs, size_t cap);
