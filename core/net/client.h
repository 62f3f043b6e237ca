/* A blocking HTTP client on libcurl, for the command line. Any thread, never a loop. */
#pragma once
#include "core/base/base.h"

struct pl_client_reply {
    int status;
    struct pl_buf body;
    char content_type[64];
    int64_t retry_after_s; /* -1: none */
};
struct pl_client;
int pl_client_new(const char *base_url, const char *tenant /* or NULL */, struct pl_client **out);
void pl_client_free(struct pl_client *c);
/** @param path  with its query. @param content_encoding  NULL or "gzip", as the body already is.
 *  @return 0 (any status), or PL_EIO with why: could not connect, reset, timeout */
int pl_client_do(struct pl_client *c, const char *method, const char *path,
                 const char *content_type, const char *content_encoding, pl_str body,
                 struct pl_client_reply *out, char *why, size_t n_why);
/** A reply given piece by piece as it comes; on_data < 0 stops. */
int pl_client_stream(struct pl_client *c, const char *method, const char *path,
                     const char *content_type, pl_str body, int (*on_data)(void *ctx, pl_str part),
                     void *ctx, int *status, char *why, size_t n_why);
void pl_client_reply_fini(struct pl_client_reply *r);
