/* The door of store: everything durable. One pl_store is one data directory.
 *
 * Threads
 *   loops    intern labels, fill a batch, encode its journal frame, submit it
 *   journal  frames in order, writes, group commit (fdatasync); nothing else
 *   apply    takes synced frames in order: definitions -> index, samples -> head; then calls
 * `done`. One thread, so that the journal's number is the order of everything, live and on replay
 *   storage  the only writer of the engine: flush, compaction, retention, deletion
 *   readers  any other thread: pin head generations and partitions, read without blocking writers
 *
 * A sample: batch -> journal (synced) -> head -> (flush) engine run -> (compaction) sealed run.
 * It can be queried once its frame is durable and applied; `done` comes after that.
 *
 *   store.c tenant.c batch.c idem.c     the store itself
 *   journal.h series.h head.h           its parts, not included from outside
 *   engine.h                            what lies below the head: LMDB now, ClickHouse later */
#pragma once
#include "core/base/base.h"
#include "core/model/model.h"
#include "core/store/select.h" /* reading */

struct pl_store;
struct pl_batch;
struct pl_tenant;
struct pl_engine;

enum pl_durability {
    PL_DURABLE_DISK,    /* 2xx after fdatasync: survives a power cut */
    PL_DURABLE_PROCESS, /* 2xx after write: survives kill -9 only */
};

struct pl_store_conf {
    const char *dir;
    enum pl_durability durability;
    int64_t retention_ms;        /* 30 d, from a day on in whole UTC days; 0 = for ever */
    int64_t future_limit_ms;     /* 1 d: later samples are refused */
    size_t head_max_bytes;       /* 384 MB: over it the head is flushed */
    int64_t flush_interval_ms;   /* 10 min: oldest unflushed sample */
    int64_t compact_interval_ms; /* 30 min: look for something to seal */
    size_t journal_file_bytes;   /* 64 MB */
    size_t journal_queue_bytes;  /* 256 MB waiting to be synced or applied: PL_EBUSY over it */
    uint64_t
        disk_reserve_bytes; /* 256 MB: below it writes get PL_ENOSPC (507) until there is room */
    /** Rollup tiers besides the samples themselves (select.h). Default: 5 m for 180 d, 1 h for 2 y.
     */
    const struct pl_tier *tiers;
    size_t n_tiers;
    /** Other tiers for some series: the first override whose selector matches counts. */
    const struct pl_tier_override {
        struct pl_selector sel;
        const struct pl_tier *tiers;
        size_t n_tiers;
    } * tier_overrides;
    size_t n_tier_overrides;
    uint32_t max_exemplars;        /* per tenant: 100000, kept in memory; 0: none */
    uint32_t max_series;           /* per tenant, 0 = no limit: PL_ELIMIT for further new ones */
    uint32_t max_batch_partitions; /* 400 days touched by one batch: PL_ELIMIT */
    uint32_t max_tenants;          /* 1000 */
    bool tenants_auto;             /* create unknown tenants on first write */
    uint32_t idem_max;             /* 100000 keys a tenant, kept 24 h */
    const struct pl_clock *clock;
    const struct pl_log *log;
    struct pl_metrics *metrics;
    /** What lies below the head; taken (closed with the store). NULL: the embedded one, in dir. */
    struct pl_engine *engine;
    /** Replay and load progress, for /-/ready and the log; may be NULL. */
    void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);
    /** Called on the apply thread after a batch is in the head, with a bit per row (b->was_new)
     * that is set where the sample was new: not an identical repetition of one in the head (what is
     *  flushed is not asked). Stream aggregation hangs here. May be NULL: then nothing is computed.
     *  `replay` is true while the journal is read again at start (b has columns and a tenant only).
     */
    void (*applied)(void *ctx, const struct pl_batch *b, uint64_t seq, bool replay);
    void *ctx;
};
void pl_store_conf_default(struct pl_store_conf *c);

/** Open or create; replays the journal; blocks until ready. @param why  path and reason. */
int pl_store_open(const struct pl_store_conf *conf, struct pl_store **out, char *why, size_t n_why);
/** Stop taking writes, finish what was taken, flush, trim the journal, close. */
void pl_store_close(struct pl_store *s);

/** The tenant of a name (1-150 of [A-Za-z0-9_.-], not "." or ".."). Borrowed, lives as long as the
 *  store. @param create  where configuration allows it. PL_EINVAL, PL_ENOTFOUND, PL_ELIMIT. */
int pl_store_tenant(struct pl_store *s, pl_str name, bool create, struct pl_tenant **out);
pl_str pl_tenant_name(const struct pl_tenant *t);
/** Goes up when ids may have ended (a series expired or was deleted): caches label bytes -> id ask
 *  it before use and forget all when it has moved. */
uint32_t pl_tenant_generation(const struct pl_tenant *t);

/** Highest journal number that may have written or deleted a sample in [t0, t1]; 0 if none did
 * since the start. What was computed from samples of [t0, t1] when the applied number was at least
 * this is still right. Coarse on purpose (by the minute from the day before the newest sample's on,
 * by the day before): never too low. Retention it does not know: pl_tenant_oldest.
 *  @param applied  number up to which frames are visible now: read it before computing, and keep it
 *  with the result; may be NULL. Any thread. */
uint64_t pl_tenant_touched(struct pl_tenant *t, int64_t t0, int64_t t1, uint64_t *applied);
/** Oldest time that can be read now: what was computed from times before it is right only while
 *  this stands. Any thread. */
int64_t pl_tenant_oldest(const struct pl_tenant *t);
/** The store's clock, ms. Any thread. */
int64_t pl_tenant_now(const struct pl_tenant *t);
/** Moves after series were defined or forgotten: answers made of series alone are right while it
 *  stands. Read it before computing. Any thread. */
uint64_t pl_tenant_catalogue(const struct pl_tenant *t);

/* ---------------------------------------------------------------- writing: see batch.h */
#include "core/store/batch.h"

/* ---------------------------------------------------------------- tending: all of these block, any
 * thread */

/** All samples accepted before this call are in engine runs, synced, when it returns. */
int pl_store_flush(struct pl_store *s);
/** Flush, then merge runs into sealed ones, apply tombstones, drop what retention has ended. */
int pl_store_compact(struct pl_store *s);
/** Delete samples in [t0, t1] of the series that match any selector. In force, durable and
 * invisible when it returns; the disk is freed by the compaction it starts. @param n_series  how
 * many matched */
int pl_store_erase(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel, int64_t t0,
                   int64_t t1, uint64_t *n_series);
/** Copy a consistent state into an empty or earlier backup directory (then only what is new is
 *  copied: incremental). Usable as a data directory. */
int pl_store_backup(struct pl_store *s, const char *dir,
                    void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx);

/** Read every partition and check it, while everything goes on; on the caller's thread, slow on
 * purpose. Damage is logged with file and offset. `stop` (may be NULL) is asked often:
 *  PL_ECANCELED. @param packs, findings  how many were read, and found; set always */
int pl_store_scrub(struct pl_store *s, bool (*stop)(void *ctx), void *ctx, uint64_t *packs,
                   uint64_t *findings);

/** Copy a backup into a data directory that is empty or absent; no server is needed. */
int pl_store_restore(const char *backup, const char *dir,
                     void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                     char *why, size_t n_why);

/** Check every checksum and count of a directory without a running server (or of a backup).
 *  @param report  called for each finding: file, offset (-1: whole file), what. @return findings */
int64_t pl_store_check(const char *dir,
                       void (*report)(void *ctx, const char *file, int64_t offset,
                                      const char *what),
                       void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx);

struct pl_store_stats {
    uint64_t n_series, n_head_samples, head_bytes, series_bytes;
    uint64_t n_samples, n_chunks, n_partitions, n_runs; /* in the engine */
    uint64_t journal_bytes, journal_seq, flushed_seq;
    uint64_t disk_bytes;
    int64_t t_min, t_max; /* INT64_MAX, INT64_MIN when empty */
    bool readonly, full;
};
int pl_tenant_stats(struct pl_tenant *t, struct pl_store_stats *out);
int pl_store_stats(struct pl_store *s, struct pl_store_stats *out);
size_t pl_store_tenants(struct pl_store *s, void (*each)(void *ctx, struct pl_tenant *t),
                        void *ctx);
