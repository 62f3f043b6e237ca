/* Settings of `perilune serve`. One table (config.c) from which flags, environment variables, YAML
 * keys, --help, completion and status/flags are made, so that they cannot disagree:
 *
 *     --http-max-body-bytes 64MB      PERILUNE_HTTP_MAX_BODY_BYTES=64MB      http-max-body-bytes:
 * 64MB
 *
 * A flag wins over the environment, that over the files, those over the default. Of several files
 * the later wins. Thread: main, before anything is started. */
#pragma once
#include "core/base/base.h"
#include "core/store/store.h"

enum pl_option_type {
    PL_OPTION_TEXT,
    PL_OPTION_BOOL,
    PL_OPTION_COUNT,    /* uint64_t */
    PL_OPTION_BYTES,    /* uint64_t: 64MB, 1GB, 4096 */
    PL_OPTION_DURATION, /* int64_t, ms: 30d, 15s; 0 */
    PL_OPTION_TIERS,    /* text: 5m:180d,1h:2y; may be empty */
};

#define PL_CONFIG_TIERS 8 /* of a list */
#define PL_CONFIG_TIERS_WANTED                                                                     \
    "tiers, as 5m:180d,1h:2y (a resolution from 1s to 1y and how long to keep it, 0 for ever)"
/** Tiers of their own for the series that match. */
struct pl_config_override {
    struct pl_selector sel;
    struct pl_tier tiers[PL_CONFIG_TIERS];
    size_t n_tiers;
};

struct pl_config {
    /* where */
    char *data, *http, *stream, *stream_unix;
    bool tenants_auto;
    /* the store */
    char *durability;
    int64_t retention, future_limit, flush_interval, compact_interval;
    uint64_t head_max_bytes, journal_file_bytes, journal_queue_bytes, disk_reserve_bytes;
    char *rollup;
    struct pl_config_override *rollup_overrides; /* from files only */
    size_t n_rollup_overrides;
    struct pl_tier rollup_tiers[PL_CONFIG_TIERS]; /* what pl_config_tiers gives the store */
    struct pl_tier_override *store_overrides;
    uint64_t max_series, max_tenants, max_batch_partitions, idempotency_keys, max_exemplars;
    /* HTTP */
    uint64_t loops, http_max_connections, http_max_header_bytes, http_max_body_bytes;
    uint64_t http_max_inflight_bytes, max_inflated_bytes, http_min_body_rate, push_sessions;
    int64_t http_header_timeout, http_body_timeout, http_idle_timeout, http_write_timeout;
    int64_t drain_timeout;
    /* queries */
    uint64_t query_threads, query_max_waiting, query_max_samples, query_max_series;
    uint64_t query_max_memory_bytes, query_max_total_memory_bytes, query_cache_bytes;
    int64_t query_timeout, query_lookback;
    bool query_strict, query_delayed_name_removal;
    /* the log */
    char *log_level, *log_format;
};

struct pl_option {
    const char *name; /* of the flag, without dashes */
    enum pl_option_type type;
    size_t offset;
    const char *def, *value_name, *group, *help;
};
extern const struct pl_option pl__options[];
extern const size_t pl__n_options;

void pl_config_default(struct pl_config *c);
void pl_config_fini(struct pl_config *c);
/** Set one option from text. PL_EPARSE with what is wrong and what would be right. */
int pl_config_set(struct pl_config *c, const struct pl_option *o, const char *text, char *why,
                  size_t n_why);
const struct pl_option *pl_option_find(pl_str name);
/** The option whose name is nearest, or NULL when none is near. */
const struct pl_option *pl_option_near(pl_str name);
/** Changes of one character that make one of the names of the other: Levenshtein's distance, 64 and
 *  more for names that are no names. Up to PL_NEAR it is worth a "did you mean". */
size_t pl_name_distance(pl_str a, pl_str b);
#define PL_NEAR 3
/** Files named by PERILUNE_CONFIG and --config, then the environment, then the flags of argv.
 *  PL_EPARSE with the reason; PL_ECANCELED: --help was asked for and printed. */
int pl_config_load(struct pl_config *c, int argc, char **argv, char **environ_, char *why,
                   size_t n_why);
/** One YAML file; errors as `file:line:column: what`. */
int pl_config_yaml(struct pl_config *c, const char *path, char *why, size_t n_why);
/** All settings in force as a JSON object of strings. */
void pl_config_json(const struct pl_config *c, struct pl_buf *out);
void pl_config_help(FILE *out);

/* config_rollup.c */
/** `5m:180d,1h:2y`; empty: none. out has room for PL_CONFIG_TIERS. PL_EPARSE. */
int pl_tiers_parse(pl_str text, struct pl_tier *out, size_t *n);
/** One of rollup_overrides. PL_EPARSE, PL_ELIMIT with the reason. */
int pl_config_override(struct pl_config *c, const char *match, const char *tiers, char *why,
                       size_t n_why);
void pl_config_overrides_fini(struct pl_config *c);
/** Tiers and overrides for the store, borrowed from c. */
int pl_config_tiers(struct pl_config *c, struct pl_store_conf *conf);
