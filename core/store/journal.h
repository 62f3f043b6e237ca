/* The journal: our own append-only files, one writer thread, group commit (collect until the last
 * sync is back). Format in docs/formats.md#journal. Internal to store.
 *
 * Files journal/%016x.pj named by their first sequence number, preallocated, trimmed when idle and
 * on clean stop. Frames carry length, type, tenant, sequence, CRC32C. A torn tail is cut and
 * reported; damage before the tail is reported with file and offset, and what follows is still
 * read.
 *
 * Failure: ENOSPC and short writes fail the groups of that write (PL_ENOSPC) and the file is cut
 * back to the last good frame; a failed fdatasync is final: PL_EREADONLY for all that follows,
 * nothing past the last good frame is believed (decisions.md 14). Definitions of failed groups are
 * kept and written with the next group. */
#pragma once
#include "core/base/base.h"

enum pl_frame_type {                       /* on disk: never renumber */
                     PL_FRAME_DEFINE = 1,  /* series definitions */
                     PL_FRAME_SAMPLES = 2, /* with its idempotency record inside */
                     PL_FRAME_TOMBSTONE = 3,
                     PL_FRAME_METADATA = 4,
                     PL_FRAME_STATE = 5,  /* scripts, alerts, window checkpoints: reserved */
                     PL_FRAME_ALIAS = 6,  /* raw labels -> id: reserved for enrichment */
                     PL_FRAME_TENANT = 7, /* name of a tenant number; deletion of a tenant */
};

/** One frame to be written. Payload bytes and their CRC are made by the submitter. */
struct pl_frame {
    struct pl_node node;
    uint8_t type;
    uint32_t tenant;
    struct pl_buf payload;
    uint32_t crc; /* pl_crc32c(0, payload): set by pl_frame_seal */
    uint64_t seq; /* given by the journal thread */
    int err;
    void *user;
};
void pl_frame_seal(struct pl_frame *f);
/** Free the payload and the frame itself (malloc'ed). */
void pl_frame_free(struct pl_frame *f);
/** What a frame counts against queue_bytes. */
static inline size_t pl_frame_cost(const struct pl_frame *f) { return f->payload.n + 32; }

#define PL_FRAME_MAX (512u << 20) /* payload bytes */

struct pl_journal;
struct pl_journal_conf {
    const char *dir;
    size_t file_bytes, queue_bytes;
    bool sync; /* false: PL_DURABLE_PROCESS */
    const struct pl_clock *clock;
    const struct pl_log *log;
    struct pl_metrics *metrics;
    /** Frames of one group, in order, linked by node; on the journal thread. Those with err < 0
     * were not written, the others are durable. The receiver owns them, also the DEFINE frames that
     *  pl_journal_define made (user == NULL; pl_frame_free). Must be quick: push to the apply
     * queue. */
    void (*committed)(void *ctx, struct pl_node *frames);
    /** Damage found while reading, also logged and counted; may be NULL. Any thread. */
    void (*report)(void *ctx, const char *file, int64_t offset, const char *what);
    void *ctx;
};
/** Replay frames with seq > after in order through `each` (f is borrowed; return < 0 to stop, which
 *  is then returned), then open for writing. Decoding on the caller's thread while another reads
 * and checks CRCs ahead. Sequences go on behind the last frame ever written, after at least, also
 * when every file was cut. PL_EIO, PL_ENOMEM, PL_EAGAIN with the reason in why. */
int pl_journal_open(const struct pl_journal_conf *conf, uint64_t after,
                    int (*each)(void *ctx, const struct pl_frame *f), struct pl_journal **out,
                    char *why, size_t n_why);
/** Queue a sealed frame; FIFO over all threads. PL_EBUSY over queue_bytes, PL_EREADONLY, PL_ENOSPC
 *  (set_full), PL_ELIMIT (over PL_FRAME_MAX), PL_ECLOSED: the frame is not taken. */
int pl_journal_submit(struct pl_journal *j, struct pl_frame *f);
/** Queue a series definition; appended to an open DEFINE frame at the queue's end if there is one,
 *  so that a million new series are a few frames. Never PL_EBUSY; PL_EREADONLY, PL_ENOSPC
 * (set_full), PL_ECLOSED, PL_ENOMEM. Called with the series' shard locked, before its id is
 * visible. Once taken it is written before every frame submitted later, and with the next group if
 * a write fails. */
int pl_journal_define(struct pl_journal *j, uint32_t tenant, uint32_t id, pl_str canon);
/** Bytes that wait to be written or applied; for refusing early. */
size_t pl_journal_waiting(const struct pl_journal *j);
/** The apply thread tells when it is through with frames it got, failed ones too: the sum of their
 *  pl_frame_cost. */
void pl_journal_applied(struct pl_journal *j, size_t bytes);
uint64_t pl_journal_last_seq(const struct pl_journal *j); /* last committed */
/** 0, PL_EREADONLY (final), PL_ENOSPC (set_full, or the last write found no space). */
int pl_journal_state(const struct pl_journal *j);
/** Refuse writes while the disk is nearly full, and take them again; by the storage thread. */
void pl_journal_set_full(struct pl_journal *j, bool full);
/** Remove files that only hold frames <= seq; the newest is first replaced by an empty one, which
 *  carries the sequence on. Any thread, blocks. */
int pl_journal_cut(struct pl_journal *j, uint64_t seq);
uint64_t pl_journal_bytes(const struct pl_journal *j);
/** Commit what waits, trim the preallocated tail, stop the thread. */
void pl_journal_close(struct pl_journal *j);
/** Check files without opening for writing: findings through report (a torn tail is one; it was
 *  never acknowledged). @return findings, or PL_EIO, PL_ENOMEM, PL_ENOTFOUND */
int64_t pl_journal_check(const char *dir,
                         void (*report)(void *ctx, const char *file, int64_t offset,
                                        const char *what),
                         void *ctx);
