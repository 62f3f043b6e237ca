/* Native histograms as they come in. Internal to ingest. Thread: the loop that owns it. */
#pragma once
#include "core/ingest/push.h"

/** Read a Histogram message of remote write 1.0; its arrays are in s until the next one. Not yet
 *  checked. 0; PL_EINVAL with *why (static): rejected; PL_ECORRUPT: no protobuf; PL_ENOMEM. */
int pl__histogram_pb(pl_str bytes, struct pl_ingest_histogram *s, struct pl_histogram *out,
                     int64_t *t, const char **why);
/** Read a map of docs/push.md (JSON or msgpack), likewise. PL_EINVAL, PL_ENOMEM. */
int pl__histogram_doc(const struct pl_doc *map, struct pl_ingest_histogram *s,
                      struct pl_histogram *out, const char **why);
/** Add it to the batch; what is at fault with it is reported at position `at`. 0 or an error of the
 *  whole request. A sum that is the staleness marker makes it one. */
int pl__histogram_add(struct pl_batch *b, struct pl_ingest_report *r, uint64_t at, uint32_t id,
                      int64_t t, const struct pl_histogram *h);
/** Forget what was read before. */
void pl__histogram_clear(struct pl_ingest_histogram *s);
/** Point out's arrays at what s holds. PL_ENOMEM. */
int pl__histogram_arrays(const struct pl_ingest_histogram *s, struct pl_histogram *out);
void pl__histogram_fini(struct pl_ingest_histogram *s);
