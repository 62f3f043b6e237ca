/* A remote read request, parsed. Internal to api. Any thread. */
#pragma once
#include "core/base/base.h"
#include "core/model/model.h"

#define PL__READ_QUERIES 64

struct pl__read_query {
    struct pl_matcher *m; /* malloc'ed */
    size_t n;
    int64_t t0, t1;   /* by the hints where there are some */
    bool series_only; /* the hint "series": no samples are wanted */
};
struct pl__read_request {
    struct pl__read_query query[PL__READ_QUERIES];
    size_t n;
    bool streamed; /* STREAMED_XOR_CHUNKS is accepted before SAMPLES */
};
/** Parse what snappy held. 0; PL_EPARSE with words in `why`, PL_ENOMEM; then out holds nothing. */
int pl__read_request_parse(pl_str bytes, struct pl__read_request *out, char *why, size_t n_why);
/** Append a Histogram message. read_histogram.c */
void pl__read_histogram(struct pl_buf *out, int64_t t, const struct pl_histogram *h);
void pl__read_request_fini(struct pl__read_request *r);
