/* `perilune serve`: settings -> store -> loops -> endpoints, and back in order on SIGTERM.
 * Thread: main, which then waits for signals. */
#include "core/api/api.h"
#include "core/app/app.h"
#include "core/app/config.h"
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

#define LONG_MS 25

struct server {
    struct pl_config config;
    struct pl_log log;
    struct pl_metrics *metrics;
    struct pl_pool *queries, *tasks;
    struct pl_query_cache *cache;
    struct pl_store *store;
    struct pl_net *net;
    struct pl_api *api;
    int64_t told_ms;
    double started_s;
};

static double process_cpu(void *ctx)
{
    struct rusage u;
    (void)ctx;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double process_memory(void *ctx)
{
    (void)ctx;
    struct pl_buf text = PL_BUF_INIT;
    double pages = 0;
    if (pl_file_read("/proc/self/statm", 4096, &text) == 0) {
        pl_str rest = pl_buf_view(&text);
        uint64_t n;
        pl_str_cut(&rest, ' ');
        pages = rest.p && pl_str_u64(pl_str_cut(&rest, ' '), &n) == 0 ? (double)n : 0;
    }
    pl_buf_fini(&text);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

static double process_start(void *ctx)
{
    struct server *s = ctx;
    return s->started_s;
}

static void process_metrics(struct server *s)
{
    s->started_s = (double)pl_now_ms(&pl_clock_real) / 1e3;
    pl_metrics_fn(s->metrics, "process_cpu_seconds_total", "User and system CPU time.", NULL, true,
                  process_cpu, s);
    pl_metrics_fn(s->metrics, "process_resident_memory_bytes", "Resident memory.", NULL, false,
                  process_memory, s);
    pl_metrics_fn(s->metrics, "process_start_time_seconds", "Start, since the epoch.", NULL, false,
                  process_start, s);
}

/* As many descriptors as the system lets us have. */
static void raise_limits(const struct pl_log *log)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
    pl_logf(log, PL_DEBUG, "app", "limits", "descriptors=%llu", (unsigned long long)r.rlim_cur);
}

static void progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    struct server *s = ctx;
    int64_t now = pl_now_ms(&pl_clock_real);
    if (now - s->told_ms > 1000) {
        s->told_ms = now;
        pl_logf(&s->log, PL_INFO, "store", what, "done=%llu total=%llu", (unsigned long long)done,
                (unsigned long long)total);
    }
}

static int open_store(struct server *s, char *why, size_t n_why)
{
    struct pl_config *c = &s->config;
    struct pl_store_conf conf;
    pl_store_conf_default(&conf);
    int e = pl_config_tiers(c, &conf);
    if (e < 0) {
        return e;
    }
    conf.dir = c->data;
    conf.durability = strcmp(c->durability, "process") == 0 ? PL_DURABLE_PROCESS : PL_DURABLE_DISK;
    conf.retention_ms = c->retention;
    conf.future_limit_ms = c->future_limit;
    conf.head_max_bytes = c->head_max_bytes;
    conf.flush_interval_ms = c->flush_interval;
    conf.compact_interval_ms = c->compact_interval;
    conf.journal_file_bytes = c->journal_file_bytes;
    conf.journal_queue_bytes = c->journal_queue_bytes;
    conf.disk_reserve_bytes = c->disk_reserve_bytes;
    conf.max_series = (uint32_t)c->max_series;
    conf.max_batch_partitions = (uint32_t)c->max_batch_partitions;
    conf.max_tenants = (uint32_t)c->max_tenants;
    conf.tenants_auto = c->tenants_auto;
    conf.idem_max = (uint32_t)c->idempotency_keys;
    conf.max_exemplars = (uint32_t)c->max_exemplars;
    conf.clock = &pl_clock_real;
    conf.log = &s->log;
    conf.metrics = s->metrics;
    conf.progress = progress;
    conf.ctx = s;
    return pl_store_open(&conf, &s->store, why, n_why);
}

static int open_net(struct server *s)
{
    const struct pl_config *c = &s->config;
    struct pl_net_conf conf;
    pl_net_conf_default(&conf);
    conf.n_loops = c->loops;
    conf.clock = &pl_clock_real;
    conf.log = &s->log;
    conf.metrics = s->metrics;
    conf.http_max_connections = c->http_max_connections;
    conf.http_max_header_bytes = c->http_max_header_bytes;
    conf.http_max_body_bytes = c->http_max_body_bytes;
    conf.http_max_inflight_bytes = c->http_max_inflight_bytes;
    conf.http_min_body_rate = c->http_min_body_rate;
    conf.http_header_timeout_ms = c->http_header_timeout;
    conf.http_body_timeout_ms = c->http_body_timeout;
    conf.http_idle_timeout_ms = c->http_idle_timeout;
    conf.http_write_timeout_ms = c->http_write_timeout;
    return pl_net_new(&conf, &s->net);
}

static void flags(void *ctx, struct pl_buf *out)
{
    struct server *s = ctx;
    pl_config_json(&s->config, out);
}

static int open_api(struct server *s)
{
    const struct pl_config *c = &s->config;
    size_t cores = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    /* A query that runs for LONG_MS or more makes way: a spare thread takes the next one. */
    size_t threads = c->query_threads ? c->query_threads : cores, spare = 2 * threads + 4;
    int e = pl_pool_new_spare(threads, spare, LONG_MS, "query", &s->queries);
    e = e < 0 ? e : pl_pool_new(1, "task", &s->tasks);
    if (e >= 0 && c->query_cache_bytes) {
        e = pl_query_cache_new(c->query_cache_bytes, s->metrics, &s->cache);
    }
    if (e < 0) {
        return e;
    }
    struct pl_api_conf conf = {
        .store = s->store,
        .data_dir = c->data,
        .net = s->net,
        .pool = s->queries,
        .tasks = s->tasks,
        .clock = &pl_clock_real,
        .log = &s->log,
        .metrics = s->metrics,
        .tenants_auto = c->tenants_auto,
        .max_inflated_bytes = c->max_inflated_bytes,
        .cache = s->cache,
        .query_max_long = threads + spare / 2,
        .query_max_total_memory_bytes = c->query_max_total_memory_bytes,
        .query_max_waiting = c->query_max_waiting,
        .query_timeout_ms = c->query_timeout,
        .query_lookback_ms = c->query_lookback,
        .query_max_samples = c->query_max_samples,
        .query_max_series = c->query_max_series,
        .query_max_memory_bytes = c->query_max_memory_bytes,
        .query_strict = c->query_strict,
        .query_early_names = !c->query_delayed_name_removal,
        .sessions_max = c->push_sessions,
        .flags = flags,
        .ctx = s,
    };
    return pl_api_new(&conf, &s->api);
}

static int listen_all(struct server *s, char *why, size_t n_why)
{
    char bound[64], address[4200];
    int e = pl_net_http(s->net, s->config.http, pl_api_http(s->api), bound, why, n_why);
    if (e < 0) {
        return e;
    }
    if (s->config.stream[0]) {
        e = pl_net_stream(s->net, s->config.stream, pl_api_stream(s->api), bound, why, n_why);
        if (e < 0) {
            return e;
        }
    }
    if (s->config.stream_unix[0]) {
        snprintf(address, sizeof(address), "unix:%s", s->config.stream_unix);
        e = pl_net_stream(s->net, address, pl_api_stream(s->api), NULL, why, n_why);
        if (e < 0) {
            return e;
        }
    }
    return 0;
}

static int start(struct server *s, char *why, size_t n_why)
{
    int64_t begun = pl_now_ms(&pl_clock_real);
    s->metrics = pl_metrics_new();
    if (!s->metrics) {
        return PL_ENOMEM;
    }
    process_metrics(s);
    int e = open_store(s, why, n_why);
    e = e < 0 ? e : open_net(s);
    e = e < 0 ? e : open_api(s);
    e = e < 0 ? e : listen_all(s, why, n_why);
    if (e < 0) {
        return e;
    }
    pl_api_set_ready(s->api, true);
    pl_logf(&s->log, PL_INFO, "app", "ready", "data=%s took_ms=%lld", s->config.data,
            (long long)(pl_now_ms(&pl_clock_real) - begun));
    return 0;
}

/* In order: no new requests, those under way finish, then what they use goes. */
static void stop(struct server *s)
{
    if (s->api) {
        pl_api_set_ready(s->api, false);
    }
    if (s->net) {
        pl_net_drain(s->net, s->config.drain_timeout);
    }
    if (s->queries) {
        pl_pool_free(s->queries);
    }
    if (s->tasks) {
        pl_pool_free(s->tasks);
    }
    if (s->store) {
        pl_store_close(s->store);
    }
    if (s->net) {
        pl_net_free(s->net);
    }
    pl_query_cache_free(s->cache);
    pl_api_free(s->api);
    if (s->metrics) {
        pl_metrics_free(s->metrics);
    }
    pl_config_fini(&s->config);
}

static void wait_for_signal(const struct pl_log *log, const sigset_t *set)
{
    int sig = 0;
    sigwait(set, &sig);
    pl_logf(log, PL_INFO, "app", "stopping", "signal=%s", sig == SIGINT ? "SIGINT" : "SIGTERM");
}

int pl_cmd_serve(int argc, char **argv)
{
    struct server s = {0};
    char why[1024] = "";
    sigset_t set;
    pl_config_default(&s.config);
    int e = pl_config_load(&s.config, argc, argv, environ, why, sizeof(why));
    if (e < 0) {
        pl_config_fini(&s.config);
        if (e == PL_ECANCELED) {
            return PL_EXIT_OK;
        }
        fprintf(stderr, "perilune: %s\n", why);
        return PL_EXIT_USAGE;
    }
    s.log = (struct pl_log){.fd = 2, .clock = pl_clock_real};
    s.log.json = strcmp(s.config.log_format, "json") == 0;
    pl_level_parse(s.config.log_level, &s.log.level);
    /* Large buffers go back to the system when freed; few arenas, since threads are few. */
    mallopt(M_MMAP_THRESHOLD, 16 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
    mallopt(M_ARENA_MAX, 4);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    raise_limits(&s.log);
    e = start(&s, why, sizeof(why));
    if (e == 0) {
        wait_for_signal(&s.log, &set);
    } else {
        pl_logf(&s.log, PL_ERROR, "app", "cannot start", "reason=\"%s\"",
                why[0] ? why : pl_err_text(e));
    }
    stop(&s);
    return e == 0 ? PL_EXIT_OK : PL_EXIT_FAILED;
}
