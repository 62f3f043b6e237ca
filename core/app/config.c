/* See config.h. Thread: main. */
#include "core/app/config.h"
#include "core/codec/codec.h"
#include "core/model/model.h"
#include <stdlib.h>

#define O(flag, type, field, def, value, group, help)                                              \
    {                                                                                              \
        flag, PL_OPTION_##type, offsetof(struct pl_config, field), def, value, group, help         \
    }

const struct pl_option pl__options[] = {
    O("data", TEXT, data, "./data", "DIR", "Where", "directory of everything that is kept"),
    O("http", TEXT, http, "127.0.0.1:1969", "HOST:PORT", "Where",
      "listen here; 0.0.0.0:1969 or [::]:1969 for every interface, port 0 picks one"),
    O("stream", TEXT, stream, "", "HOST:PORT", "Where",
      "listen for the msgpack stream (docs/push.md), customarily on port 1968; off when empty"),
    O("stream-unix", TEXT, stream_unix, "", "PATH", "Where", "the same on a Unix socket"),
    O("tenants-auto", BOOL, tenants_auto, "false", NULL, "Where",
      "make the tenant an X-Scope-OrgID header names on its first write"),

    O("durability", TEXT, durability, "disk", "disk|process", "Store",
      "acknowledge after fdatasync (survives a power cut) or after write (survives kill -9 only)"),
    O("retention", DURATION, retention, "30d", "DURATION", "Store",
      "keep samples so long, from a day on in whole UTC days; 0 for ever"),
    O("rollup", TIERS, rollup, "5m:180d,1h:2y", "TIERS", "Store",
      "keep also what samples come to at these resolutions, each so long; empty: none"),
    O("future-limit", DURATION, future_limit, "1d", "DURATION", "Store",
      "refuse samples further in the future"),
    O("flush-interval", DURATION, flush_interval, "10m", "DURATION", "Store",
      "move samples from memory into partitions at least so often"),
    O("compact-interval", DURATION, compact_interval, "30m", "DURATION", "Store",
      "look so often for partitions to seal and for what retention has ended"),
    O("head-max-bytes", BYTES, head_max_bytes, "384MB", "BYTES", "Store",
      "move samples into partitions when they take more memory than this"),
    O("journal-file-bytes", BYTES, journal_file_bytes, "64MB", "BYTES", "Store",
      "size of a journal file"),
    O("journal-queue-bytes", BYTES, journal_queue_bytes, "256MB", "BYTES", "Store",
      "writes may wait in memory up to this; 429 over it"),
    O("disk-reserve-bytes", BYTES, disk_reserve_bytes, "256MB", "BYTES", "Store",
      "refuse writes (507) while the disk has less free than this"),
    O("max-series", COUNT, max_series, "0", "N", "Store",
      "refuse new series of a tenant over this; 0: no limit"),
    O("max-tenants", COUNT, max_tenants, "1000", "N", "Store", "refuse new tenants over this"),
    O("max-batch-partitions", COUNT, max_batch_partitions, "400", "DAYS", "Store",
      "days that one request may touch"),
    O("idempotency-keys", COUNT, idempotency_keys, "100000", "N", "Store",
      "keys of writes to remember for each tenant (24 h)"),
    O("max-exemplars", COUNT, max_exemplars, "100000", "N", "Store",
      "exemplars to keep in memory for each tenant, the oldest go; 0: none"),

    O("loops", COUNT, loops, "0", "N", "HTTP", "event loops; 0: one per core"),
    O("http-max-connections", COUNT, http_max_connections, "20000", "N", "HTTP",
      "503 for more connections"),
    O("http-max-header-bytes", BYTES, http_max_header_bytes, "64KB", "BYTES", "HTTP",
      "431 for larger headers"),
    O("http-max-body-bytes", BYTES, http_max_body_bytes, "64MB", "BYTES", "HTTP",
      "413 for larger bodies, as sent"),
    O("max-inflated-bytes", BYTES, max_inflated_bytes, "256MB", "BYTES", "HTTP",
      "413 for bodies that inflate to more"),
    O("http-max-inflight-bytes", BYTES, http_max_inflight_bytes, "1GB", "BYTES", "HTTP",
      "429 while the bodies of all requests take more"),
    O("http-min-body-rate", BYTES, http_min_body_rate, "1KB", "BYTES", "HTTP",
      "408 for clients that send fewer bytes a second"),
    O("http-header-timeout", DURATION, http_header_timeout, "10s", "DURATION", "HTTP",
      "408 for slower headers"),
    O("http-body-timeout", DURATION, http_body_timeout, "60s", "DURATION", "HTTP",
      "408 for slower bodies that also miss the rate"),
    O("http-idle-timeout", DURATION, http_idle_timeout, "120s", "DURATION", "HTTP",
      "close connections without a request for so long"),
    O("http-write-timeout", DURATION, http_write_timeout, "60s", "DURATION", "HTTP",
      "close connections that take no byte of an answer for so long"),
    O("push-sessions", COUNT, push_sessions, "10000", "N", "HTTP",
      "sessions of series handles at one time"),
    O("drain-timeout", DURATION, drain_timeout, "10s", "DURATION", "HTTP",
      "on SIGTERM let requests under way finish for so long"),

    O("query-threads", COUNT, query_threads, "0", "N", "Queries", "threads; 0: one per core"),
    O("query-max-waiting", COUNT, query_max_waiting, "1000", "N", "Queries",
      "503 for queries when so many wait for a thread"),
    O("query-timeout", DURATION, query_timeout, "2m", "DURATION", "Queries", "end longer queries"),
    O("query-lookback", DURATION, query_lookback, "5m", "DURATION", "Queries",
      "how old a sample may be to count at an instant"),
    O("query-max-samples", COUNT, query_max_samples, "50000000", "N", "Queries",
      "samples one query may hold"),
    O("query-max-series", COUNT, query_max_series, "0", "N", "Queries",
      "series one selector may match; 0: no limit"),
    O("query-max-memory-bytes", BYTES, query_max_memory_bytes, "1GB", "BYTES", "Queries",
      "memory one query may take"),
    O("query-strict", BOOL, query_strict, "false", NULL, "Queries",
      "refuse what is not in Prometheus' PromQL (docs/promql.md)"),
    O("query-delayed-name-removal", BOOL, query_delayed_name_removal, "true", NULL, "Queries",
      "metric names are removed from the result, not on the way (docs/promql.md)"),
    O("query-max-total-memory-bytes", BYTES, query_max_total_memory_bytes, "2GB", "BYTES",
      "Queries", "memory all queries together may take; 0: no limit"),
    O("query-cache-bytes", BYTES, query_cache_bytes, "128MB", "BYTES", "Queries",
      "memory of the cache of results; 0: none"),

    O("log-level", TEXT, log_level, "info", "debug|info|warn|error", "Log", "what to write"),
    O("log-format", TEXT, log_format, "logfmt", "logfmt|json", "Log", "how to write it"),
};
const size_t pl__n_options = sizeof(pl__options) / sizeof(*pl__options);

static void *field(const struct pl_config *c, const struct pl_option *o)
{
    return (char *)c + o->offset;
}

void pl_config_default(struct pl_config *c)
{
    char why[64];
    *c = (struct pl_config){0};
    for (size_t i = 0; i < pl__n_options; i++) {
        pl_config_set(c, &pl__options[i], pl__options[i].def, why, sizeof(why));
    }
}

void pl_config_fini(struct pl_config *c)
{
    for (size_t i = 0; i < pl__n_options; i++) {
        if (pl__options[i].type == PL_OPTION_TEXT || pl__options[i].type == PL_OPTION_TIERS) {
            free(*(char **)field(c, &pl__options[i]));
        }
    }
    pl_config_overrides_fini(c);
    *c = (struct pl_config){0};
}

static int parse_bytes(pl_str s, uint64_t *out)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = {{"KB", 10}, {"MB", 20}, {"GB", 30}, {"TB", 40}, {"K", 10},
                 {"M", 20},  {"G", 30},  {"T", 40},  {"B", 0},   {"", 0}};
    size_t n = 0;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9') {
        n++;
    }
    pl_str unit = {s.p + n, s.n - n};
    uint64_t x;
    if (pl_str_u64((pl_str){s.p, n}, &x) < 0) {
        return PL_EPARSE;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (pl_str_ieq(unit, pl_str_c(units[i].unit))) {
            if (x > UINT64_MAX >> units[i].shift) {
                return PL_ELIMIT;
            }
            *out = x << units[i].shift;
            return 0;
        }
    }
    return PL_EPARSE;
}

/* What counts things fits 32 bits wherever it goes. */
static int parse_count(pl_str s, uint64_t *out)
{
    uint64_t x;
    if (pl_str_u64(s, &x) < 0 || x > UINT32_MAX) {
        return PL_EPARSE;
    }
    *out = x;
    return 0;
}

static int parse_bool(pl_str s, bool *out)
{
    bool yes = pl_str_ieq(s, PL_STR("true")) || pl_str_ieq(s, PL_STR("yes")) ||
               pl_str_eq(s, PL_STR("1")) || pl_str_ieq(s, PL_STR("on"));
    bool no = pl_str_ieq(s, PL_STR("false")) || pl_str_ieq(s, PL_STR("no")) ||
              pl_str_eq(s, PL_STR("0")) || pl_str_ieq(s, PL_STR("off"));
    *out = yes;
    return yes || no ? 0 : PL_EPARSE;
}

/* One of "a|b|c"? */
static bool one_of(pl_str s, const char *choices)
{
    pl_str rest = pl_str_c(choices);
    while (rest.p) {
        if (pl_str_eq(pl_str_cut(&rest, '|'), s)) {
            return true;
        }
    }
    return false;
}

static int set_text(char **to, const char *text)
{
    char *copy = strdup(text);
    if (!copy) {
        return PL_ENOMEM;
    }
    free(*to);
    *to = copy;
    return 0;
}

int pl_config_set(struct pl_config *c, const struct pl_option *o, const char *text, char *why,
                  size_t n_why)
{
    pl_str s = pl_str_c(text);
    const char *wanted = "";
    int e = 0;
    switch (o->type) {
    case PL_OPTION_TEXT:
        if (strchr(o->value_name, '|') && !one_of(s, o->value_name)) {
            e = PL_EPARSE;
            wanted = o->value_name;
            break;
        }
        if (set_text(field(c, o), text) < 0) {
            return PL_ENOMEM;
        }
        break;
    case PL_OPTION_TIERS:
        e = pl_tiers_parse(s, (struct pl_tier[PL_CONFIG_TIERS]){{0, 0}}, &(size_t){0});
        wanted = PL_CONFIG_TIERS_WANTED;
        if (e >= 0 && set_text(field(c, o), text) < 0) {
            return PL_ENOMEM;
        }
        break;
    case PL_OPTION_BOOL:
        e = parse_bool(s, field(c, o));
        wanted = "true or false";
        break;
    case PL_OPTION_COUNT:
        e = parse_count(s, field(c, o));
        wanted = "a number up to 4294967295";
        break;
    case PL_OPTION_BYTES:
        e = parse_bytes(s, field(c, o));
        wanted = "bytes, as 4096, 64MB, 1GB";
        break;
    case PL_OPTION_DURATION:
        e = pl_duration_parse(s, field(c, o));
        wanted = "a duration, as 15s, 5m, 30d";
        break;
    }
    if (e < 0) {
        snprintf(why, n_why, "%s: \"%s\" is not %s", o->name, text, wanted);
    }
    return e;
}

const struct pl_option *pl_option_find(pl_str name)
{
    for (size_t i = 0; i < pl__n_options; i++) {
        if (pl_str_eq(name, pl_str_c(pl__options[i].name))) {
            return &pl__options[i];
        }
    }
    return NULL;
}

size_t pl_name_distance(pl_str a, pl_str b)
{
    size_t row[64];
    if (a.n > 63 || b.n > 63) {
        return 64;
    }
    for (size_t j = 0; j <= b.n; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t change = diagonal + (a.p[i - 1] != b.p[j - 1]);
            size_t insert = row[j - 1] + 1, erase = row[j] + 1;
            diagonal = row[j];
            row[j] = change < insert ? change : insert;
            row[j] = row[j] < erase ? row[j] : erase;
        }
    }
    return row[b.n];
}

const struct pl_option *pl_option_near(pl_str name)
{
    const struct pl_option *best = NULL;
    size_t best_distance = PL_NEAR + 1;
    for (size_t i = 0; i < pl__n_options; i++) {
        size_t d = pl_name_distance(name, pl_str_c(pl__options[i].name));
        if (d < best_distance) {
            best_distance = d;
            best = &pl__options[i];
        }
    }
    return best;
}

void pl_config_json(const struct pl_config *c, struct pl_buf *out)
{
    struct pl_json_w w = pl_json_w(out);
    pl_json_obj(&w);
    for (size_t i = 0; i < pl__n_options; i++) {
        const struct pl_option *o = &pl__options[i];
        struct pl_buf text = PL_BUF_INIT;
        switch (o->type) {
        case PL_OPTION_TEXT:
        case PL_OPTION_TIERS:
            pl_buf_z(&text, *(char **)field(c, o));
            break;
        case PL_OPTION_BOOL:
            pl_buf_z(&text, *(bool *)field(c, o) ? "true" : "false");
            break;
        case PL_OPTION_COUNT:
        case PL_OPTION_BYTES:
            pl_buf_f(&text, "%llu", (unsigned long long)*(uint64_t *)field(c, o));
            break;
        case PL_OPTION_DURATION:
            pl_duration_text(*(int64_t *)field(c, o), &text);
            break;
        }
        pl_json_key(&w, o->name);
        pl_json_str(&w, pl_buf_view(&text));
        pl_buf_fini(&text);
    }
    pl_json_obj_end(&w);
}
