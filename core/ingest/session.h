/* Handles: small numbers that a client gives to series, so that it sends labels once.
 * A handle over HTTP lives in the body that defines it, or in a session: a token made by the server
 * (POST /api/v1/push/session), which any connection may use; an unknown token is 409 and the client
 * defines again. On the stream the session is the connection. decisions.md 9. */
#pragma once
#include "core/base/base.h"

struct pl_tenant;
struct pl_session;

#define PL_SESSION_HANDLES_MAX (4u << 20)
#define PL_HANDLE_NONE         UINT32_MAX

/** Without a token: for one connection or one body. One thread at a time. */
int pl_session_new(struct pl_tenant *t, struct pl_session **out);
void pl_session_free(struct pl_session *s);
/** PL_ELIMIT for a handle over PL_SESSION_HANDLES_MAX, PL_ENOMEM. Defining again replaces. */
int pl_session_define(struct pl_session *s, uint32_t handle, uint32_t id);
/** Keep the labels of a defined handle as they were sent, for pl_session_renew. PL_ENOMEM. */
int pl_session_keep(struct pl_session *s, uint32_t handle, pl_str labels, bool json);
/** Before a request: when the tenant's generation has moved, ids may have ended (a series that was
 *  deleted, or defined and never written). `intern` then says the id of each handle anew; a handle
 *  for which it fails, or whose labels were not kept, is not defined any more. */
void pl_session_renew(struct pl_session *s,
                      int (*intern)(void *ctx, pl_str labels, bool json, uint32_t *id), void *ctx);
/** The dense table handle -> id for column loops: n entries, PL_HANDLE_NONE where not defined.
 *  Valid until the next definition. */
const uint32_t *pl_session_table(struct pl_session *s, size_t *n);

/* Sessions by token; any thread. A session is used by one request at a time; idle ones end after
 * an hour. */
struct pl_sessions;
int pl_sessions_new(const struct pl_clock *clock, size_t max, struct pl_sessions **out);
void pl_sessions_free(struct pl_sessions *ss);
/** @param token  room for 33, NUL-terminated. PL_ELIMIT when max are in use. */
int pl_sessions_open(struct pl_sessions *ss, struct pl_tenant *t, char *token);
/** Borrow until put; PL_ENOTFOUND (answer 409), PL_EBUSY (in use by another request: 429). */
int pl_sessions_get(struct pl_sessions *ss, struct pl_tenant *t, pl_str token,
                    struct pl_session **out);
void pl_sessions_put(struct pl_sessions *ss, struct pl_session *s);
