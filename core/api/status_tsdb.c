/* /api/v1/status/tsdb: Prometheus' fields, and what our store has besides. Threads: parsed on the
 * loop, run on the pool. */
#include "core/api/internal.h"

#define LIMIT     10
#define LIMIT_MAX 10000

static void top(struct pl_json_w *w, const char *key, const struct pl_index_top *t)
{
    pl_json_key(w, key);
    pl_json_arr(w);
    for (size_t i = 0; i < t->n; i++) {
        pl_json_obj(w);
        pl_json_field_str(w, "name", t->at[i].name);
        pl_json_field_i64(w, "value", (int64_t)t->at[i].n);
        pl_json_obj_end(w);
    }
    pl_json_arr_end(w);
}

static void write_all(struct pl_json_w *w, const struct pl_store_stats *s,
                      const struct pl_index_stats *x)
{
    bool empty = s->t_min > s->t_max;
    pl_json_obj(w);
    pl_json_key(w, "headStats");
    pl_json_obj(w);
    pl_json_field_i64(w, "numSeries", (int64_t)s->n_series);
    pl_json_field_i64(w, "numLabelPairs", (int64_t)x->n_pairs);
    pl_json_field_i64(w, "chunkCount", (int64_t)s->n_chunks);
    pl_json_field_i64(w, "minTime", empty ? 0 : s->t_min);
    pl_json_field_i64(w, "maxTime", empty ? 0 : s->t_max);
    pl_json_field_i64(w, "numSamples", (int64_t)s->n_head_samples);
    pl_json_field_i64(w, "bytes", (int64_t)s->head_bytes);
    pl_json_field_i64(w, "seriesBytes", (int64_t)s->series_bytes);
    pl_json_obj_end(w);
    top(w, "seriesCountByMetricName", &x->series_by_metric);
    top(w, "labelValueCountByLabelName", &x->values_by_label);
    top(w, "memoryInBytesByLabelName", &x->bytes_by_label);
    top(w, "seriesCountByLabelValuePair", &x->series_by_pair);
    pl_json_key(w, "partitionStats");
    pl_json_obj(w);
    pl_json_field_i64(w, "numSamples", (int64_t)s->n_samples);
    pl_json_field_i64(w, "numChunks", (int64_t)s->n_chunks);
    pl_json_field_i64(w, "numPartitions", (int64_t)s->n_partitions);
    pl_json_field_i64(w, "numRuns", (int64_t)s->n_runs);
    pl_json_field_i64(w, "diskBytes", (int64_t)s->disk_bytes);
    pl_json_obj_end(w);
    pl_json_key(w, "journalStats");
    pl_json_obj(w);
    pl_json_field_i64(w, "bytes", (int64_t)s->journal_bytes);
    pl_json_field_i64(w, "sequence", (int64_t)s->journal_seq);
    pl_json_field_i64(w, "flushedSequence", (int64_t)s->flushed_seq);
    pl_json_obj_end(w);
    pl_json_obj_end(w);
}

static void work(struct pl_job *job)
{
    struct pl_store_stats s = {0};
    struct pl_index_stats x;
    struct pl_arena arena;
    pl_arena_init(&arena, 0);
    int e = pl_tenant_stats(job->args.tenant, &s);
    e = e < 0 ? e : pl_tenant_index_stats(job->args.tenant, (size_t)job->args.limit, &arena, &x);
    if (e < 0) {
        pl__job_error(job, e, "%s", pl_err_text(e));
    } else {
        struct pl_json_w w = pl_json_w(&job->out);
        pl_buf_z(&job->out, "{\"status\":\"success\",\"data\":");
        write_all(&w, &s, &x);
        pl_buf_u8(&job->out, '}');
    }
    pl_arena_fini(&arena);
}

void pl__ep_tsdb(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args with = {.limit = LIMIT};
    pl_str limit = pl_http_param(req, "limit");
    int64_t n = LIMIT;
    if (!pl__tenant(a, req, false, &with.tenant)) {
        return;
    }
    if (limit.n && (pl_str_i64(limit, &n) < 0 || n < 1)) {
        pl__reply_error(req, PL_EPARSE, "limit must be a positive number");
    } else if (n > LIMIT_MAX) {
        pl__reply_error(req, PL_EPARSE, "limit must not exceed %d", LIMIT_MAX);
    } else {
        with.limit = (uint64_t)n;
        pl__job_start(a, req, a->conf.pool, true, work, &with);
    }
}
