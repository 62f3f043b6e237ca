/* What stands inside journal frames: rows of samples with their metadata and idempotency record,
 * and series definitions. Bytes in docs/formats.md#journal. Pure functions; any thread. Internal to
 * store.
 *
 * A SAMPLES payload is a list of sections; a reader skips those it does not know:
 *
 *     struct pl_buf b = PL_BUF_INIT;
 *     pl_frame_add_rows(&b, id, t, v, n);          in order of arrival
 *     pl_frame_add_histograms(&b, bytes);          what boxed values refer to, if there are any
 *     pl_frame_add_metadata(&b, &m);
 *     pl_frame_add_idem(&b, &idem);
 *
 *     pl_str it = payload;
 *     struct pl_section s;
 *     while ((rc = pl_frame_next(&it, &s)) > 0) {
 *         if (s.type == PL_SECTION_ROWS) rc = pl_frame_rows(s.bytes, &rows);
 *     }
 *     pl_rows_settle(&rows);
 */
#pragma once
#include "core/base/base.h"
#include "core/model/model.h"
#include "core/store/series.h"

enum pl_section_type {                          /* on disk: never renumber */
                       PL_SECTION_ROWS = 1,     /* float samples */
                       PL_SECTION_METADATA = 2, /* of one metric */
                       PL_SECTION_IDEM = 3,
                       PL_SECTION_HISTOGRAMS = 4, /* bytes behind the boxed values of rows */
};
struct pl_section {
    uint8_t type;
    pl_str bytes; /* borrowed from the payload */
};
/** 1: a section in *out; 0: the end; PL_ECORRUPT. */
int pl_frame_next(pl_str *it, struct pl_section *out);

/** Append a rows section: n rows (at most 2^31) in order of arrival, every double bit-exact.
 *  About 3 to 6 bytes a row. 0 or PL_ENOMEM (out is then as before). */
int pl_frame_add_rows(struct pl_buf *out, const uint32_t *id, const int64_t *t, const double *v,
                      size_t n);

/** Rows that grow as needed; all zero to begin with. */
struct pl_rows {
    uint32_t *id;
    int64_t *t;
    double *v;
    size_t n, cap;
    struct pl_buf h; /* bytes that boxed values refer to */
};
/** No rows, no bytes; the room stays. */
static inline void pl_rows_clear(struct pl_rows *r)
{
    r->n = 0;
    pl_buf_clear(&r->h);
}
void pl_rows_fini(struct pl_rows *r);
/** Append the rows of a section. PL_ECORRUPT, PL_ENOMEM: r is then as before. */
int pl_frame_rows(pl_str section, struct pl_rows *r);

/** Append a section of bytes of histograms, each behind its length; references are offsets in it.
 *  PL_ENOMEM. */
int pl_frame_add_histograms(struct pl_buf *out, pl_str bytes);
/** Take the bytes of such a section. PL_ECORRUPT: r has some already; PL_ENOMEM. */
int pl_frame_histograms(pl_str section, struct pl_rows *r);
/** When all sections are read: every value that carries the tag then refers to bytes that can be
 *  read. A plain double of a frame from before histograms, and a reference to nothing, get bytes
 * that say so. PL_ENOMEM: call again. */
int pl_rows_settle(struct pl_rows *r);

/** Append a metadata section. PL_ENOMEM. */
int pl_frame_add_metadata(struct pl_buf *out, const struct pl_metadata *m);
/** Its parts are borrowed from the section. PL_ECORRUPT. */
int pl_frame_metadata(pl_str section, struct pl_metadata *out);

/** What makes a batch repeatable: the key of a request with its reply, or a stream's sequence. */
struct pl_frame_idem {
    pl_str producer, key, reply;
    uint64_t stream_seq; /* 0: a keyed request */
    int64_t t_ms;        /* when it was taken */
};
/** Append an idempotency section. PL_ENOMEM. */
int pl_frame_add_idem(struct pl_buf *out, const struct pl_frame_idem *r);
/** Its parts are borrowed from the section. PL_ECORRUPT. */
int pl_frame_idem(pl_str section, struct pl_frame_idem *out);

/* A DEFINE payload: series definitions, each coded against the one before it in the same frame. */

struct pl_define_writer {
    struct pl_buf last; /* canonical labels of the definition before */
    uint32_t last_id;
    uint32_t n;                     /* its labels, */
    uint32_t at[PL_LABELS_MAX + 1]; /* and where they begin in last; at[n] is the end */
};
void pl_define_writer_fini(struct pl_define_writer *w);
/** Begin a payload (all zero will not do): its first definition stands alone. */
void pl_define_writer_reset(struct pl_define_writer *w);
/** Append one definition. canon is canonical (pl_labels_canon). PL_ENOMEM: out is then as before.
 */
int pl_define_add(struct pl_define_writer *w, struct pl_buf *out, uint32_t id, pl_str canon);

struct pl_define_reader {
    pl_str rest;
    struct pl_buf canon; /* of the definitions last given */
    size_t last;         /* where in canon the definition before begins */
    uint32_t last_id;
    uint32_t n;
    uint32_t at[PL_LABELS_MAX + 1]; /* its labels, counted from last */
};
/** Read a payload (borrowed). r is all zero, or was used for another payload before. */
void pl_define_reader_begin(struct pl_define_reader *r, pl_str payload);
void pl_define_reader_fini(struct pl_define_reader *r);
/** The next definitions, at most cap; their labels are borrowed until the next call. Checked as
 *  pl_labels_check does not: lengths are sound, so they can be walked, no more.
 *  @return how many, 0 at the end, PL_ECORRUPT, PL_ENOMEM */
int pl_define_read(struct pl_define_reader *r, struct pl_series_def *defs, size_t cap);
