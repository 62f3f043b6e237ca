/* What the files of the push client share. Internal to client. */
#pragma once
#include "core/base/base.h"
#include "core/codec/codec.h"
#include "perilune/push.h"

/* socket.c: sockets that do not block; waiting is by poll with a deadline. */

/** ms on the monotonic clock. */
int64_t pl__client_now(void);
/** ms until a deadline, for poll: 0 if it has passed, -1 for INT64_MAX (never). */
int pl__client_left(int64_t deadline_ms);
/** Connect to "host:port" or, with is_unix, to a path. A descriptor, or PL_EINVAL, PL_ENOTFOUND,
 *  PL_EIO, PL_ETIMEOUT with why. */
int pl__client_connect(const char *address, bool is_unix, int64_t deadline_ms, char *why,
                       size_t n_why);
/** Send what the socket takes: bytes, 0 if it takes none now, PL_EIO. */
int64_t pl__client_send(int fd, const void *p, size_t n);
/** Append what is there: bytes, 0 if nothing is there now, PL_ECLOSED at the end, PL_EIO,
 * PL_ENOMEM. */
int64_t pl__client_receive(int fd, struct pl_buf *in);
/** Wait until fd can be read, or written with `write`: 0, PL_ETIMEOUT, PL_EIO. */
int pl__client_poll(int fd, bool write, int64_t deadline_ms);

/** Append a msgpack map of labels. PL_EINVAL (none, or an empty name or value), PL_ENOMEM. */
int pl__client_labels(struct pl_buf *out, const struct pl_client_label *labels, size_t n_labels);
