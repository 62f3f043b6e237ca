/* The msgpack stream: docs/push.md#stream. Messages are msgpack arrays, one behind the other. This
 * turns bytes into messages and messages into batches; api/stream.c joins it to a socket. */
#pragma once
#include "core/base/base.h"

struct pl_ingest;
struct pl_batch;
struct pl_session;
struct pl_tenant;
struct pl_ingest_report;

enum pl_stream_kind {
    PL_STREAM_HELLO = 0,   /* [0, {"version":1,"producer":..,"tenant":..}] */
    PL_STREAM_DEFINE = 1,  /* [1, handle, {labels}] or [1, [[handle, {labels}], ...]]; from the
                            * server [1, 400, text]: a definition was refused */
    PL_STREAM_ROWS = 2,    /* [2, seq, handles, t, v]   columns; t may be one integer for all */
    PL_STREAM_COLUMNS = 3, /* [3, seq, [[handle, t, v], ...]]   columns by series */
    PL_STREAM_ERROR = 15,  /* from the server only: [15, status, text] */
};
struct pl_stream_msg {
    enum pl_stream_kind kind;
    uint64_t seq;            /* ROWS, COLUMNS */
    pl_str producer, tenant; /* HELLO; p = NULL: none */
    pl_str body;             /* what follows kind (DEFINE) or seq */
    uint32_t n_body;         /* values in it */
};
/** The next whole message: bytes used (> 0), PL_EAGAIN (more input), PL_EPARSE with why. */
int64_t pl_stream_next(const uint8_t *p, size_t n, struct pl_stream_msg *out, char *why,
                       size_t n_why);
/** DEFINE into the session: interns. PL_EPARSE, PL_ELIMIT, PL_EINVAL with why (bad labels). */
int pl_stream_define(struct pl_ingest *g, const struct pl_stream_msg *m, struct pl_tenant *t,
                     struct pl_session *s, char *why, size_t n_why);
/** ROWS or COLUMNS into the batch. */
int pl_stream_samples(struct pl_ingest *g, const struct pl_stream_msg *m, struct pl_session *s,
                      struct pl_batch *b, struct pl_ingest_report *r);
