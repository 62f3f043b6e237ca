/* Replies compressed with gzip. On the loop, and for large ones on a thread of libuv's pool. */
#pragma once
#include "core/net/request.h"

/** Does the client take gzip, and is this worth it: text of more than 1 KB not encoded yet? */
bool pl__zip_wanted(const struct pl__request *r, pl_str type, size_t n);
/** Answer with body (taken), compressed; now or a little later. */
void pl__zip_reply(struct pl__request *r, int status, pl_str type, struct pl_buf *body);
/** Answer with body (taken; may be NULL) as it is. In reply.c. */
void pl__reply_whole(struct pl__request *r, int status, pl_str type, struct pl_buf *body);
