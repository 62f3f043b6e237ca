/* Entries of docs/push.md, shared by the HTTP push and the stream. Internal to ingest. */
#pragma once
#include "core/ingest/doc.h"
#include "core/ingest/scratch.h"

struct pl_push_ctx {
    struct pl_ingest *g;
    struct pl_batch *b;
    struct pl_ingest_report *r;
    struct pl_session *session; /* handles; may be NULL until the first definition */
    struct pl_session *own;     /* made here, for one body */
    const uint32_t *table;      /* of session */
    size_t n_table;
    int64_t now_ms;
    uint64_t at; /* position of the entry at hand */
};

/** Before the first entry; begins the alias cache. After the last: frees what is its own. */
void pl__push_begin(struct pl_push_ctx *c, struct pl_ingest *g, struct pl_session *s,
                    struct pl_batch *b, struct pl_ingest_report *r);
void pl__push_end(struct pl_push_ctx *c);

/* Each: 0, or an error of the whole request (PL_ENOMEM, PL_ELIMIT, PL_EBUSY). Bad entries are
 * rejected and reported. */
int pl__push_define(struct pl_push_ctx *c, const struct pl_doc *define);
int pl__push_metadata(struct pl_push_ctx *c, const struct pl_doc *list);
/** {"labels":..,"t":..,"v":..} */
int pl__push_series(struct pl_push_ctx *c, const struct pl_doc *entry);
/** [labels or handle, t, v] */
int pl__push_row(struct pl_push_ctx *c, const struct pl_doc *row);
/** Columns of handles, times (or one time) and values, row by row. */
int pl__push_table(struct pl_push_ctx *c, const struct pl_doc *handles, const struct pl_doc *t,
                   const struct pl_doc *v);
/** The series of a map of labels (name = the metric, p = NULL: none) or of a handle. 0; PL_EINVAL:
 *  rejected and reported (n_samples lost); or an error of the request. */
int pl__push_id(struct pl_push_ctx *c, const struct pl_doc *labels, const struct pl_doc *name,
                uint64_t n_samples, uint32_t *id);
/** Columns of one series: n times and values; t may be absent (now) where n is 1. */
int pl__push_columns(struct pl_push_ctx *c, uint32_t id, const struct pl_doc *t,
                     const struct pl_doc *v, const int64_t *start, int64_t step);
