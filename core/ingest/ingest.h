/* The door of ingest: the bytes of one request -> one batch. One decoder per file.
 *
 * A decoder never throws away what is good: a bad item (a series, a row, a line) is rejected alone,
 * with its position and the reason, in the report; only a body that cannot be read at all is an
 * error. One `pl_ingest` per loop: it owns the alias cache (wire bytes of a series -> id) and the
 * scratch buffers, so nothing here takes a lock or allocates per sample. */
#pragma once
#include "core/base/base.h"
#include "core/store/store.h"
#include "core/ingest/session.h"
#include "core/ingest/stream.h"

/* Why an item was rejected: name, label (metrics, JSON) and words. Add at the end. */
#define PL_REJECTS(X)                                                                              \
    X(SYNTAX, "syntax", "cannot be parsed")                                                        \
    X(LABELS, "labels", "labels are not valid")                                                    \
    X(VALUE, "value", "value is not a number")                                                     \
    X(TIMESTAMP, "timestamp", "timestamp is not valid")                                            \
    X(TOO_OLD, "too_old", "older than the retention")                                              \
    X(FUTURE, "future", "too far in the future")                                                   \
    X(SERIES_LIMIT, "series_limit", "too many series")                                             \
    X(HANDLE, "handle", "handle is not defined")                                                   \
    X(HISTOGRAM, "histogram", "native histogram is not sound")                                     \
    X(LENGTH, "length", "columns differ in length")                                                \
    X(FIELD, "field", "field cannot be stored")

enum pl_reject_why {
#define PL_REJECT_ENUM(name, label, text) PL_REJECT_##name,
    PL_REJECTS(PL_REJECT_ENUM)
#undef PL_REJECT_ENUM
        PL_REJECT_N
};
const char *pl_reject_label(enum pl_reject_why why);
const char *pl_reject_text(enum pl_reject_why why);

#define PL_REJECTS_SHOWN 20 /* positions a reply lists; all are counted */

struct pl_reject {
    uint64_t at; /* 1-based line, or 0-based item, as the report's unit says */
    enum pl_reject_why why;
    char text[120]; /* more than the reason's words, or empty */
};
struct pl_ingest_report {
    const char *unit;  /* "series", "line", "row" */
    uint64_t rejected; /* samples or items left out; accepted ones are in the batch */
    uint64_t by_why[PL_REJECT_N];
    struct pl_reject first[PL_REJECTS_SHOWN];
    size_t n_first;
    char error[200]; /* of a body that cannot be read at all; with its position */
};
/** Note `samples` rejected at a position; fmt (may be NULL) gives more than the reason's words. */
void pl_report_reject(struct pl_ingest_report *r, uint64_t at, enum pl_reject_why why,
                      uint64_t samples, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/** The reason behind what pl_batch_add, pl_tenant_intern or pl_labels_canon said; false when it is
 *  an error of the whole request (PL_ENOMEM, PL_EBUSY ...). */
bool pl_reject_of(int err, enum pl_reject_why *why);

struct pl_ingest;
struct pl_ingest_conf {
    size_t alias_max; /* entries of the alias cache: 4M of 32 bytes; it starts over when full */
    const struct pl_clock *clock;
    struct pl_metrics *metrics;
};
int pl_ingest_new(const struct pl_ingest_conf *conf, struct pl_ingest **out);
void pl_ingest_free(struct pl_ingest *g);

/* Every decoder: fills `b` and `r` (zeroed by the caller) from a whole, decoded body.
 * @return 0, or an error with r->error: PL_EPARSE (400), PL_ELIMIT (413), PL_ENOMEM; then the batch
 *         must not be written. Runs on one loop, does not block. */

/** Prometheus remote write 1.0: the protobuf, after snappy. Position: index of the series. */
int pl_ingest_remote_write(struct pl_ingest *g, pl_str body, struct pl_batch *b,
                           struct pl_ingest_report *r);

/** Prometheus text format 0.0.4 and OpenMetrics 1.0. Samples without a timestamp get now.
 *  @param extra  labels added to every sample (as `extra_label=a=b`); they win. Position: line. */
int pl_ingest_prom_text(struct pl_ingest *g, pl_str body, const struct pl_label *extra,
                        size_t n_extra, struct pl_batch *b, struct pl_ingest_report *r);

/** InfluxDB line protocol. Field `f` of measurement `m` is the metric `m_f` (`f` where `m` is
 *  empty), as VictoriaMetrics does; tags are labels; a database that is not empty is the label
 *  `db`. Booleans are 1 and 0; string fields are rejected with the reason `field` (the line's other
 *  fields are kept). @param unit_ns  length of the timestamp's unit in ns (1 by default; seconds
 *  1000000000). Lines without a timestamp get now. Position: line. */
int pl_ingest_influx(struct pl_ingest *g, pl_str body, pl_str db, int64_t unit_ns,
                     struct pl_batch *b, struct pl_ingest_report *r);

/* Our own format: docs/push.md. */
struct pl_push {
    pl_str producer, key; /* idempotency, borrowed from the body; p = NULL: none */
    pl_str session;       /* token, p = NULL: none */
};
enum pl_push_format { PL_PUSH_MSGPACK, PL_PUSH_JSON, PL_PUSH_JSONL };
/** The envelope only (producer, key, session) without the samples, to ask for idempotency first.
 *  JSON lines have none. PL_EPARSE with r->error. */
int pl_ingest_push_envelope(pl_str body, enum pl_push_format f, struct pl_arena *a,
                            struct pl_push *out, struct pl_ingest_report *r);
/** The body of POST /api/v1/push. @param s  handles known from before, or NULL. Position: row
 *  (series entries count as one), for JSON lines the line. */
int pl_ingest_push(struct pl_ingest *g, pl_str body, enum pl_push_format f, struct pl_session *s,
                   struct pl_batch *b, struct pl_ingest_report *r);
