/* The bytes of a journal file and the walk over a directory of them. Inside store's journal only.
 *
 *   file    head | frame*                           named %016x.pj by its first sequence number
 *   head    "PLJOURN1" | u32 version = 1 | u32 0 | u64 first sequence | u32 0 | u32 CRC32C of these
 * 28 frame   u32 "PLfr" | u32 n | u64 sequence | u32 tenant | u32 type | back << 8 | u32 CRC32C of
 * the payload | u32 CRC32C of these 28 bytes | n bytes payload | zeros up to a multiple of 8
 *
 * Sequences ascend by one over all files. `back` counts frames back to the first of the same group:
 * all before that one was synced before this frame was written. So a reader can tell a torn tail
 * (no later frame says that the missing one was synced: never acknowledged, cut) from damage
 * (reported; reading goes on at the next frame whose header's CRC is right). */
#pragma once
#include "core/base/base.h"
#include "core/store/journal.h"
#include <limits.h>

#define PL__JOURNAL_HEAD 32
#define PL__FRAME_HEAD   32
#define PL__FRAME_MARK   255   /* says only that what stands before it was synced */
#define PL__GROUP_FRAMES 65536 /* `back` has 24 bits */

struct pl__frame_head {
    uint32_t n, tenant, back, crc;
    uint64_t seq;
    uint8_t type;
};
static inline size_t pl__frame_span(size_t n) { return PL__FRAME_HEAD + ((n + 7) & ~(size_t)7); }
void pl__frame_head_put(uint8_t *to, const struct pl__frame_head *h);
/** false when it is none (magic, CRC). */
bool pl__frame_head_get(const uint8_t *p, struct pl__frame_head *out);
void pl__journal_head_put(uint8_t *to, uint64_t first_seq);
bool pl__journal_head_get(const uint8_t *p, uint64_t *first_seq);

struct pl__journal_file {
    uint64_t first, last; /* sequences, marks not counted; last < first: no frame */
    uint64_t bytes;       /* up to the end of its last frame */
};
void pl__journal_path(char out[PATH_MAX], const char *dir, uint64_t first);
/** Files of dir by name, malloc'ed; last and bytes are not known yet. */
int pl__journal_list(const char *dir, struct pl__journal_file **out, size_t *n);

/** Bytes of one file while it is read; counted, so that frames can be handed to another thread. */
struct pl__journal_data {
    _Atomic int refs;
    uint8_t *p;
    size_t cap;
};
void pl__journal_data_unref(struct pl__journal_data *d);

struct pl__journal_walk {
    const char *dir;
    uint64_t after;
    /** A frame with sequence > after, its CRCs right; < 0 stops the walk. */
    int (*each)(void *ctx, const struct pl__frame_head *h, const uint8_t *payload,
                struct pl__journal_data *data);
    void *ctx;
    void (*report)(void *ctx, const char *file, int64_t offset, const char *what);
    void *report_ctx;
    /* results */
    struct pl__journal_file *files; /* malloc'ed */
    size_t n_files;
    uint64_t next_seq;
    uint64_t findings;
};
/** Walk all files in order. 0, what each said, PL_EIO, PL_ENOMEM. */
int pl__journal_walk(struct pl__journal_walk *w);
