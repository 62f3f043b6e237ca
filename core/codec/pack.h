/* A pack: the chunks of consecutive series ids in one value of tens of KB, for LMDB, files and
 * object storage. Chunks of one series are adjacent and ascending in time. Equal timestamp columns
 * are stored once. zstd over the body where it pays (SMALL). CRC32C over all that is stored.
 *
 * Drawn in docs/formats.md#pack and on top of pack.c. */
#pragma once
#include "core/codec/column.h"

/* Sample types on disk: decisions.md 1. */
enum pl_sample_type { PL_SAMPLE_FLOAT = 0, PL_SAMPLE_HISTOGRAM = 1 };

struct pl_pack_writer;
int pl_pack_writer_new(enum pl_effort effort, struct pl_pack_writer **out);
void pl_pack_writer_free(struct pl_pack_writer *w);
/** Add n samples of one series, cut evenly into chunks of at most PL_CHUNK_MAX; ids ascending, a
 *  series' calls ascending in time. t strictly ascending. PL_EINVAL where that is not so. */
int pl_pack_add(struct pl_pack_writer *w, uint32_t id, const int64_t *t, const double *v, size_t n);
/** Add one chunk of n native histograms (PL_SAMPLE_HISTOGRAM), n in [1, PL_CHUNK_MAX]: what they
 *  share as bytes, and n_cols values of each, value c of sample i at v[c * n + i]. n * n_cols is at
 *  most PL_HCOL_VALUES; n_cols alone may be it with n = 1. PL_EINVAL. */
#define PL_HCOL_VALUES 65536u
int pl_pack_add_histograms(struct pl_pack_writer *w, uint32_t id, const int64_t *t, size_t n,
                           pl_str layout, const double *v, uint32_t n_cols);
/** Size of what finish would write now, before zstd; cut at about PL_PACK_TARGET. */
size_t pl_pack_size(const struct pl_pack_writer *w);
#define PL_PACK_TARGET (60 * 1024)
#define PL_PACK_TARGET_SEALED                                                                      \
    (180 * 1024)                /* a value fills whole pages: the larger, the less waste */
#define PL_PACK_MAX (16u << 20) /* a reader refuses more, stored or inflated */
/** Append the pack's bytes to out and begin a new one. Returns chunks written (0: nothing added),
 *  PL_ENOMEM (also when an add before ran out: what was added is gone), PL_ELIMIT. */
int pl_pack_finish(struct pl_pack_writer *w, struct pl_buf *out);

/** A chunk of an opened pack: bytes stay where they are until decoded. */
struct pl_chunk {
    uint32_t id;
    uint16_t n;
    uint8_t type; /* enum pl_sample_type */
    int64_t t0, t1;
    const uint8_t *tcol, *vcol; /* borrowed from the pack's bytes or from the reader's scratch */
    uint32_t n_tcol, n_vcol;
    uint32_t tcol_ix; /* equal number = equal timestamp column inside this pack */
};

#define PL_PACK_CACHED                                                                             \
    16 /* decoded timestamp columns kept, so that a scrape's are decoded once                      \
        */

/** One open pack; reused for one after another. Not shared between threads. */
struct pl_pack {
    uint32_t first_id, last_id;
    uint32_t n_chunks;
    int64_t t0, t1;          /* over all chunks */
    struct pl_chunk *chunks; /* the directory, decoded; ids ascending, then time */
    /* private */
    size_t cap_chunks, cap_tcols; /* 0: chunks and tcols are another's */
    uint32_t n_tcols;
    struct pl_pack_tcol *tcols;
    uint32_t found, stride; /* of pl_pack_find: where it was last, and how far that was */
    struct pl_buf scratch;  /* inflated body */
    struct pl_buf values;   /* of the histograms last decoded */
    void *zstd;
    uint32_t cached[PL_PACK_CACHED];
    int64_t *cached_t;
};
void pl_pack_init(struct pl_pack *p);
void pl_pack_fini(struct pl_pack *p);
/** Check CRC and directory, inflate. src is borrowed while the pack is used. PL_ECORRUPT,
 *  PL_ENOMEM. No later decode of a pack that opened reads outside its bytes. */
int pl_pack_open(struct pl_pack *p, const uint8_t *src, size_t n_src);
/** Let p read what another one has open: its directory, and the body where that is inflated. `from`
 *  must stay open and unchanged while p is used; many may share one, on several threads. */
void pl_pack_share(struct pl_pack *p, const struct pl_pack *from);
/** Bytes of memory that an open pack holds. */
size_t pl_pack_bytes(const struct pl_pack *p);
/** Head of a pack only (no CRC of the body, no inflate): first and last id, time range, chunks. */
int pl_pack_peek(const uint8_t *src, size_t n_src, uint32_t *first_id, uint32_t *last_id,
                 int64_t *t0, int64_t *t1, uint32_t *n_chunks);
/** Chunks [*from, *to) of a series: 0, or PL_ENOTFOUND. Ids that are asked for in order and stand
 *  evenly among the others are found at the first look. */
int pl_pack_find(struct pl_pack *p, uint32_t id, uint32_t *from, uint32_t *to);
/** Decode chunk i of p; t, v with room for PL_CHUNK_MAX. @return samples, PL_ECORRUPT,
 *  PL_EUNSUPPORTED (not of floats: see pl_pack_histograms), PL_ENOMEM. */
int pl_pack_decode(struct pl_pack *p, uint32_t i, int64_t *t, double *v);
/** Its halves: the timestamps where they were decoded (borrowed until the next call on p), and the
 *  values alone. Chunks with equal tcol_ix have the same timestamps. */
int pl_pack_times(struct pl_pack *p, uint32_t i, const int64_t **t);
int pl_pack_values(struct pl_pack *p, uint32_t i, double *v);
/** Of a chunk of histograms: what was given to pl_pack_add_histograms, but the times; borrowed
 * until the next call on p. @return samples, PL_ECORRUPT, PL_EUNSUPPORTED (not of histograms),
 * PL_ENOMEM
 */
int pl_pack_histograms(struct pl_pack *p, uint32_t i, pl_str *layout, const double **v,
                       uint32_t *n_cols);
/** pl_vcol_summary of chunk i: without decoding; has = false where the chunk says nothing. */
int pl_pack_summary(const struct pl_pack *p, uint32_t i, struct pl_chunk_summary *out);
