/* One reader over msgpack and JSON, so that docs/push.md is decoded by one piece of code. A value
 * is first taken as a slice of the body and looked into later, so keys may come in any order.
 * Internal to ingest. Thread: the loop that owns it. */
#pragma once
#include "core/base/base.h"
#include "core/codec/codec.h"

enum pl_doc_kind {
    PL_DOC_NONE, /* absent */
    PL_DOC_NULL,
    PL_DOC_BOOL,
    PL_DOC_NUMBER,
    PL_DOC_STRING,
    PL_DOC_ARRAY,
    PL_DOC_MAP,
    PL_DOC_PACKED, /* msgpack ext: a packed little-endian column */
    PL_DOC_TIME,   /* msgpack ext -1: a timestamp */
};

/** A value not looked into yet: its bytes in the body. */
struct pl_doc {
    bool json;
    enum pl_doc_kind kind;
    pl_str raw;
    size_t at; /* byte offset in the body, for errors */
};
/** The whole body as one value. PL_EPARSE with *why and *at. */
int pl_doc_open(pl_str body, bool json, struct pl_doc *out, const char **why, size_t *at);

/** Walk an array or map of an open body: `pl_doc_walk(&w, &doc); while (pl_doc_step(&w, &key,
 * &v))`; keys of maps are slices too. The body was checked when opened, so nothing can fail here.
 */
struct pl_doc_walk {
    bool json;
    const uint8_t *p, *end;
    const uint8_t *begin;
    size_t at;     /* of begin in the body */
    uint64_t left; /* msgpack: elements or pairs to come */
    bool map;
};
void pl_doc_walk(struct pl_doc_walk *w, const struct pl_doc *of);
bool pl_doc_step(struct pl_doc_walk *w, struct pl_doc *key, struct pl_doc *value);
/** Is this key (or string) the literal? Keys with escapes are not. */
bool pl_doc_is(const struct pl_doc *d, const char *literal);

/** Scalars. PL_EINVAL when it is of another kind. A string is borrowed from the body, or from
 * `text` (appended to) where JSON escapes had to be undone. */
int pl_doc_string(const struct pl_doc *d, struct pl_buf *text, pl_str *out);
/** A number, or one of the strings "NaN", "+Inf", "Inf", "-Inf", "stale". */
int pl_doc_f64(const struct pl_doc *d, double *out);
int pl_doc_i64(const struct pl_doc *d, int64_t *out);
/** A time in ms: a whole number, or msgpack's timestamp, of which parts of a ms are cut off. */
int pl_doc_time(const struct pl_doc *d, int64_t *out_ms);

/** Columns of docs/push.md. n elements: of a packed column or an array; a single number counts as a
 *  column of one. PL_EINVAL for others. */
int pl_doc_count(const struct pl_doc *d, size_t *n);
#define PL_EXT_U32 1 /* handles */
#define PL_EXT_I64 2 /* times, ms */
#define PL_EXT_F64 3 /* values */
/** Elements into out, which has room for n = pl_doc_count. An element that is no number sets
 *  mark[i] = bad. PL_EINVAL when it is no such column at all. */
int pl_doc_column_f64(const struct pl_doc *d, double *out, size_t n, uint32_t *mark, uint32_t bad);
int pl_doc_column_time(const struct pl_doc *d, int64_t *out, size_t n, uint32_t *mark,
                       uint32_t bad);
int pl_doc_column_u32(const struct pl_doc *d, uint32_t *out, size_t n, uint32_t bad);
