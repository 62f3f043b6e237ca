/* Metadata of a metric: type, unit, help. */
#pragma once
#include "core/base/base.h"

#define PL_METRIC_TYPES(X)                                                                         \
    X(UNKNOWN, "unknown")                                                                          \
    X(COUNTER, "counter")                                                                          \
    X(GAUGE, "gauge")                                                                              \
    X(HISTOGRAM, "histogram")                                                                      \
    X(GAUGEHISTOGRAM, "gaugehistogram")                                                            \
    X(SUMMARY, "summary")                                                                          \
    X(INFO, "info")                                                                                \
    X(STATESET, "stateset")

enum pl_metric_type {
#define PL_TYPE_ENUM(name, text) PL_TYPE_##name,
    PL_METRIC_TYPES(PL_TYPE_ENUM)
#undef PL_TYPE_ENUM
};
/** Values above are on disk and in remote write's MetricType (same numbers): never renumber. */
const char *pl_metric_type_text(enum pl_metric_type t);
enum pl_metric_type pl_metric_type_parse(pl_str s); /* UNKNOWN for anything else ("untyped" too) */

struct pl_metadata {
    pl_str metric, unit, help;
    enum pl_metric_type type;
};
#define PL_METADATA_HELP_MAX 4096 /* longer help is cut */

/** The staleness marker, bit-exact: 0x7ff0000000000002. */
#define PL_STALE_BITS 0x7ff0000000000002ull
static inline bool pl_is_stale(double v) { return pl_f64_bits(v) == PL_STALE_BITS; }
