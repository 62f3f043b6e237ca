/* /-/healthy, /-/ready, /metrics, /api/v1/status, rules, alerts, targets. Thread: loops; nothing
 * here blocks for long. */
#include "core/api/internal.h"
#include "perilune/version.h"
#include <unistd.h>

void pl__ep_healthy(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    pl_http_reply_text(req, 200, "Perilune is healthy.\n");
}

void pl__ep_ready(struct pl_api *a, struct pl_http_req *req)
{
    if (a->ready) {
        pl_http_reply_text(req, 200, "Perilune is ready.\n");
    } else {
        pl_http_reply_header(req, "Retry-After", PL_STR("1"));
        pl_http_reply_text(req, 503, "Perilune is starting or stopping.\n");
    }
}

void pl__ep_metrics(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    pl_metrics_render(a->conf.metrics, &out);
    pl_http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

static struct pl_json_w begin(struct pl_buf *out)
{
    struct pl_json_w w = pl_json_w(out);
    pl_json_obj(&w);
    pl_json_key(&w, "status");
    pl_json_str(&w, PL_STR("success"));
    pl_json_key(&w, "data");
    return w;
}

static void text_field(struct pl_json_w *w, const char *key, const char *value)
{
    pl_json_key(w, key);
    pl_json_str(w, pl_str_c(value));
}

static void int_field(struct pl_json_w *w, const char *key, int64_t value)
{
    pl_json_key(w, key);
    pl_json_i64(w, value);
}

/* What Prometheus answers when it has none of these; Grafana asks. */
static void none(struct pl_http_req *req, const char *data)
{
    struct pl_buf out = PL_BUF_INIT;
    pl_buf_f(&out, "{\"status\":\"success\",\"data\":%s}", data);
    pl__reply_json(req, 200, &out);
}

void pl__ep_rules(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    none(req, "{\"groups\":[]}");
}

void pl__ep_alerts(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    none(req, "{\"alerts\":[]}");
}

void pl__ep_targets(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    none(req, "{\"activeTargets\":[],\"droppedTargets\":[]}");
}

void pl__ep_buildinfo(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    struct pl_json_w w = begin(&out);
    (void)a;
    pl_json_obj(&w);
    text_field(&w, "version", PL_VERSION);
    text_field(&w, "revision", PL_REVISION);
    text_field(&w, "branch", "");
    text_field(&w, "buildUser", "");
    text_field(&w, "buildDate", "");
    text_field(&w, "goVersion", "");
    text_field(&w, "application", "perilune");
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
    pl__reply_json(req, 200, &out);
}

void pl__ep_runtimeinfo(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    struct pl_json_w w = begin(&out);
    struct pl_store_stats s = {0};
    struct pl_buf text = PL_BUF_INIT;
    char cwd[4096];
    pl_store_stats(a->conf.store, &s);
    pl_json_obj(&w);
    pl_json_key(&w, "startTime");
    pl_time_text(a->started_ms, &text);
    pl_json_str(&w, pl_buf_view(&text));
    pl_buf_fini(&text);
    text_field(&w, "CWD", getcwd(cwd, sizeof(cwd)) ? cwd : "");
    int_field(&w, "loops", (int64_t)a->n_loops);
    int_field(&w, "journalSequence", (int64_t)s.journal_seq);
    int_field(&w, "flushedSequence", (int64_t)s.flushed_seq);
    pl_json_key(&w, "readOnly");
    pl_json_bool(&w, s.readonly);
    pl_json_key(&w, "diskFull");
    pl_json_bool(&w, s.full);
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
    pl__reply_json(req, 200, &out);
}

void pl__ep_flags(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    struct pl_json_w w = begin(&out);
    if (a->conf.flags) {
        a->conf.flags(a->conf.ctx, &out);
    } else {
        pl_json_obj(&w);
        pl_json_obj_end(&w);
    }
    w.comma = true;
    pl_json_obj_end(&w);
    pl__reply_json(req, 200, &out);
}

static void work_tsdb(struct pl_job *job)
{
    struct pl_store_stats s = {0};
    int e = pl_tenant_stats(job->args.tenant, &s);
    if (e < 0) {
        pl__job_error(job, e, "%s", pl_err_text(e));
        return;
    }
    bool empty = s.t_min > s.t_max;
    struct pl_json_w w = begin(&job->out);
    pl_json_obj(&w);
    pl_json_key(&w, "headStats");
    pl_json_obj(&w);
    int_field(&w, "numSeries", (int64_t)s.n_series);
    int_field(&w, "numSamples", (int64_t)s.n_head_samples);
    int_field(&w, "bytes", (int64_t)s.head_bytes);
    int_field(&w, "seriesBytes", (int64_t)s.series_bytes);
    int_field(&w, "minTime", empty ? 0 : s.t_min);
    int_field(&w, "maxTime", empty ? 0 : s.t_max);
    pl_json_obj_end(&w);
    pl_json_key(&w, "partitionStats");
    pl_json_obj(&w);
    int_field(&w, "numSamples", (int64_t)s.n_samples);
    int_field(&w, "numChunks", (int64_t)s.n_chunks);
    int_field(&w, "numPartitions", (int64_t)s.n_partitions);
    int_field(&w, "numRuns", (int64_t)s.n_runs);
    int_field(&w, "diskBytes", (int64_t)s.disk_bytes);
    pl_json_obj_end(&w);
    pl_json_key(&w, "journalStats");
    pl_json_obj(&w);
    int_field(&w, "bytes", (int64_t)s.journal_bytes);
    int_field(&w, "sequence", (int64_t)s.journal_seq);
    int_field(&w, "flushedSequence", (int64_t)s.flushed_seq);
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
}

void pl__ep_tsdb(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_job_args args = {0};
    if (pl__tenant(a, req, false, &args.tenant)) {
        pl__job_start(a, req, a->conf.pool, true, work_tsdb, &args);
    }
}
