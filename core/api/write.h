/* A write: the request's body through a decoder into the store, and the acknowledgement back.
 * Internal to api. */
#pragma once
#include "core/api/internal.h"

struct pl_write {
    struct pl_task task; /* back to the loop */
    struct pl_api *api;
    struct pl_http_req *req;
    struct pl_tenant *tenant;
    struct pl_ingest_report report;
    size_t accepted;
    int err;
    int64_t begun_ns;
    void (*answer)(struct pl_write *w); /* on the loop, once the fate of the batch is known */
    /* of pushes: */
    pl_str producer, key;
    struct pl_idem_waiter waiter;
    struct pl_buf reply; /* of the first copy of a repeated push */
};

/** In the request's arena; NULL: answered already. Finds the tenant. */
struct pl_write *pl__write_new(struct pl_api *a, struct pl_http_req *req,
                               void (*answer)(struct pl_write *w));
/** A new batch and the inflated body (borrowed until pl__write_commit), or the request is answered
 *  (false).
 *  @param snappy  the body is in snappy's block format where no Content-Encoding says otherwise */
bool pl__write_open(struct pl_write *w, bool snappy, struct pl_batch **b, pl_str *body);
/** Hand over what the decoder made, with its return value; every path leads to `answer`. */
void pl__write_commit(struct pl_write *w, struct pl_batch *b, int err);
/** Answer an error of the whole request: 400, 413, 429, 503, 507. */
void pl__write_error(struct pl_write *w);
/** What a client is told when the store does not take a write. */
const char *pl__write_words(int err);
/** The reply to a push: {"status":"success","data":{"accepted":..,"rejected":..,"rejects":[..]}}.
 */
void pl__report_json(struct pl_buf *out, size_t accepted, const struct pl_ingest_report *r);
/** "3 rejected: series 7: labels are not valid: label name twice; ..." */
void pl__report_text(struct pl_buf *out, const struct pl_ingest_report *r);
