/* Every endpoint on one page. Thread: loops. */
#include "core/api/internal.h"

#define READ (PL_M_GET | PL_M_POST)

const struct pl_route pl__routes[] = {
    {PL_M_GET, "/", pl__ep_page, false, "this page"},
    {PL_M_GET, "/-/healthy", pl__ep_healthy, false, "200 while the process lives"},
    {PL_M_GET, "/-/ready", pl__ep_ready, false, "200 once it serves"},
    {PL_M_GET, "/metrics", pl__ep_metrics, false, "metrics about Perilune itself"},

    {PL_M_POST, "/api/v1/push", pl__ep_push, true, "push msgpack, JSON or JSON lines"},
    {PL_M_POST, "/api/v1/push/session", pl__ep_push_session, true, "a session for series handles"},
    {PL_M_POST, "/api/v1/write", pl__ep_remote_write, true, "Prometheus remote write 1.0"},
    {PL_M_POST, "/api/v1/import/prometheus", pl__ep_import_prometheus, true,
     "push Prometheus or OpenMetrics text"},
    {PL_M_POST, "/write", pl__ep_influx, true, "InfluxDB line protocol (1.x)"},
    {PL_M_POST, "/api/v2/write", pl__ep_influx, true, "InfluxDB line protocol (2.x)"},
    {PL_M_GET, "/ping", pl__ep_influx_ping, false, "what InfluxDB clients ask first"},

    {READ, "/api/v1/query", pl__ep_query, false, "PromQL at one time"},
    {READ, "/api/v1/query_range", pl__ep_query_range, false, "PromQL over a range"},
    {READ, "/api/v1/query_exemplars", pl__ep_query_exemplars, false, "exemplars of series"},
    {READ, "/api/v1/format_query", pl__ep_format_query, false, "PromQL, formatted"},
    {READ, "/api/v1/parse_query", pl__ep_parse_query, false, "the syntax tree of PromQL"},
    {READ, "/api/v1/series", pl__ep_series, false, "series that match"},
    {READ, "/api/v1/labels", pl__ep_labels, false, "label names"},
    {PL_M_GET, "/api/v1/label/*/values", pl__ep_label_values, false, "values of a label"},
    {PL_M_GET, "/api/v1/metadata", pl__ep_metadata, false, "type, unit and help of metrics"},
    {READ, "/api/v1/export", pl__ep_export, false, "samples of match[] as JSON lines"},

    {PL_M_POST, "/api/v1/admin/flush", pl__ep_flush, false, "move all samples into partitions"},
    {PL_M_POST, "/api/v1/admin/compact", pl__ep_compact, false, "seal all that can be sealed"},
    {PL_M_POST, "/api/v1/admin/backup", pl__ep_backup, false, "copy a consistent state to dir="},
    {PL_M_POST, "/api/v1/admin/scrub", pl__ep_scrub, false, "read all partitions and check them"},
    {PL_M_POST | PL_M_PUT, "/api/v1/admin/tsdb/delete_series", pl__ep_delete_series, false,
     "delete the samples of match[]"},
    {PL_M_POST | PL_M_PUT, "/api/v1/admin/tsdb/clean_tombstones", pl__ep_clean_tombstones, false,
     "free the disk of what was deleted"},
    {PL_M_GET, "/api/v1/rules", pl__ep_rules, false, "none yet: for Prometheus' clients"},
    {PL_M_GET, "/api/v1/alerts", pl__ep_alerts, false, "none yet"},
    {PL_M_GET, "/api/v1/targets", pl__ep_targets, false, "none: clients push"},
    {PL_M_GET, "/api/v1/status/buildinfo", pl__ep_buildinfo, false, "version"},
    {PL_M_GET, "/api/v1/status/runtimeinfo", pl__ep_runtimeinfo, false, "state of the process"},
    {PL_M_GET, "/api/v1/status/queries", pl__ep_queries, false, "queries that wait or run"},
    {PL_M_DELETE, "/api/v1/status/queries/*", pl__ep_query_kill, false, "end a query"},
    {PL_M_POST, "/api/v1/status/queries/*/kill", pl__ep_query_kill, false, "the same"},
    {PL_M_GET, "/api/v1/status/flags", pl__ep_flags, false, "settings in force"},
    {PL_M_GET, "/api/v1/status/tsdb", pl__ep_tsdb, false, "the store in numbers"},
};
const size_t pl__n_routes = sizeof(pl__routes) / sizeof(*pl__routes);
