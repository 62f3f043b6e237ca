/* The door of api: HTTP endpoints over ingest, query and store. One endpoint family a file, and one
 * table of routes (routes.c). Requests arrive on loops: decoding is done there, whatever may block
 * (queries, flushes, backups) on the pool. */
#pragma once
#include "core/base/base.h"
#include "core/net/net.h"
#include "core/query/query.h"
#include "core/store/store.h"

struct pl_api;
struct pl_api_conf {
    struct pl_store *store;
    const char *data_dir; /* snapshots go to snapshots/ in it */
    struct pl_net *net;
    struct pl_pool *pool;  /* queries */
    struct pl_pool *tasks; /* flush, compact, backup: one thread */
    const struct pl_clock *clock;
    const struct pl_log *log;
    struct pl_metrics *metrics;
    bool tenants_auto;            /* create unknown tenants on the first write */
    size_t max_inflated_bytes;    /* of a request body: 256 MB */
    struct pl_query_cache *cache; /* results; NULL: none */
    size_t query_max_long;        /* queries known to take long that may run at once; 0: no limit */
    size_t query_max_total_memory_bytes; /* of all queries together; 0: no limit */
    size_t query_max_waiting;            /* queries that may wait for a thread: 1000; 503 over it */
    int64_t query_timeout_ms;            /* 2 min; `timeout=` may lower it */
    int64_t query_lookback_ms;           /* 5 min */
    uint64_t query_max_samples;          /* 50M */
    size_t query_max_series;             /* 0: no limit */
    size_t query_max_memory_bytes;       /* 1 GB */
    bool query_early_names;              /* metric names are removed at once, not from the result */
    bool query_strict;   /* extensions of PromQL are errors; `strict=1` asks for it */
    size_t sessions_max; /* push sessions: 10000 */
    void (*flags)(void *ctx, struct pl_buf *json_object); /* for status/flags; may be NULL */
    void *ctx;
};
int pl_api_new(const struct pl_api_conf *conf, struct pl_api **out);
/** To be given to pl_net_http and pl_net_stream. Borrowed. */
const struct pl_http_handler *pl_api_http(struct pl_api *a);
const struct pl_stream_handler *pl_api_stream(struct pl_api *a);
/** /-/ready answers 503 until this says true; any thread. */
void pl_api_set_ready(struct pl_api *a, bool ready);
void pl_api_free(struct pl_api *a); /* after pl_net_free */
