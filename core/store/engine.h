/* The engine: what lies below the head and keeps runs of samples for good. LMDB in one directory is
 * the embedded default (db.c); ClickHouse is to be the second, so nothing here knows LMDB. One
 * conformance suite (tests/unit/store/engine_conformance.h) runs over every engine.
 *
 * All calls block and are made on pool or storage threads. write and erase: the storage thread
 * only. seal, retain and backup may run on one further thread at the same time, so that a long
 * merge holds up no flush. Views and cursors: any thread, many at once, meanwhile.
 *
 * A run is what one flush (or one sealing) wrote into one day: series ascending, each with
 * ascending unique timestamps, and the span of journal numbers it stands for. Of two samples with
 * one timestamp, that of the run with the higher number counts. */
#pragma once
#include "core/base/base.h"
#include "core/store/select.h"

struct pl_engine;
struct pl_engine_tenant;
struct pl_view;
struct pl_cursor;

/* Small things kept beside the samples, key -> value by kind; on disk: never renumber. */
enum pl_record_kind {
    PL_RECORD_SYMBOLS = 1,
    PL_RECORD_SERIES = 2,
    PL_RECORD_METADATA = 3,
    PL_RECORD_IDEM = 4,
    PL_RECORD_STATE = 5,
    PL_RECORD_TENANT = 6,
};
struct pl_record {
    uint8_t kind;
    bool erase;
    pl_str key;   /* 1 to 500 bytes, sorted by bytes */
    pl_str value; /* best just under 2,000 bytes or tens of KB: values fill pages */
};

/** One flush: samples and records up to a journal number. */
struct pl_flush {
    uint64_t first_seq, last_seq;
    /** The next series, ids ascending; false at the end. Columns borrowed until the next call, with
     * the bytes behind boxed values. NULL: no samples, records only. Days are 32 bits: times beyond
     * them are PL_EINVAL. */
    bool (*next)(void *ctx, uint32_t *id, const struct pl_columns **c);
    void *ctx;
    const struct pl_record *records;
    size_t n_records;
};

enum { PL_ENGINE_AGGREGATE = 1, PL_ENGINE_REMOTE = 2, PL_ENGINE_QUORUM = 4 }; /* capability bits */

struct pl_engine_stats {
    uint64_t n_samples, n_chunks, n_partitions, n_runs, disk_bytes;
    int64_t t_min, t_max;
};

struct pl_engine_ops {
    const char *name;
    uint32_t caps;
    void (*close)(struct pl_engine *e);
    /** PL_ENOTFOUND when absent and not create. Lives as long as the engine. */
    int (*tenant)(struct pl_engine *e, pl_str name, bool create, struct pl_engine_tenant **out);
    int (*tenants)(struct pl_engine *e, int (*each)(void *ctx, pl_str name), void *ctx);

    /** Durable when it returns 0: samples, then records and last_seq in one commit. A flush seen
     *  before (after a crash in between) may be written again. PL_ENOSPC, PL_EIO: nothing of it
     * counts. */
    int (*write)(struct pl_engine_tenant *t, const struct pl_flush *f);
    uint64_t (*flushed_seq)(struct pl_engine_tenant *t);
    /** Each record of a kind, by key, borrowed; a negative `each` ends it and is returned. Damaged
     * ones are left out, logged and counted: then PL_ECORRUPT at the end. */
    int (*records)(struct pl_engine_tenant *t, uint8_t kind,
                   int (*each)(void *ctx, pl_str key, pl_str value), void *ctx);

    /** Pin the runs that touch [t0, t1]. */
    int (*view)(struct pl_engine_tenant *t, int64_t t0, int64_t t1, struct pl_view **out);
    void (*view_free)(struct pl_view *v);
    /** Of a view the runs that have numbers above seq (a merged one may have lower ones besides);
     *  freed before it. */
    int (*view_since)(struct pl_view *v, uint64_t seq, struct pl_view **out);
    /** Keep of ids (ascending) those with samples in the view; returns how many. */
    size_t (*view_filter)(struct pl_view *v, uint32_t *ids, size_t n);
    int (*cursor)(struct pl_view *v, struct pl_cursor **out);
    void (*cursor_free)(struct pl_cursor *c);
    /** Samples of id in [t0, t1]: all runs merged, tombstones applied; replaces out. Ascending ids
     * are fastest. A damaged pack: PL_ECORRUPT, logged with file and offset, counted, and the rest
     * of the series is in out. */
    int (*read)(struct pl_cursor *c, uint32_t id, int64_t t0, int64_t t1, struct pl_columns *out,
                struct pl_read_stats *stats);

    /** The latest samples of ids (ascending) in [t0, t1], into what is in out: there they replace
     *  what is not younger. As in pl_reader_latest; may be NULL. */
    void (*latest)(struct pl_cursor *c, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                   struct pl_latest *out, struct pl_read_stats *stats);

    /** Hide samples in [t0, t1] of ids (ascending) in all runs whose last_seq <= seq, those still
     * to be flushed included; durable. Cut flushes at seq, so that no run stands astride it. */
    int (*erase)(struct pl_engine_tenant *t, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                 uint64_t seq);
    /** Unlink days that end before cutoff (ms). */
    int (*retain)(struct pl_engine_tenant *t, int64_t cutoff);
    /** Merge the runs of each day into one sealed run, tombstones applied. all: also the day that
     * is still written and small gains; else only what pays. Readers and flushes go on; `stop` (may
     * be NULL) is asked often: PL_ECANCELED. PL_ECORRUPT: a damaged day stays as it is, the others
     * are done. */
    int (*seal)(struct pl_engine_tenant *t, bool all, bool (*stop)(void *ctx), void *ctx);
    /** Ids that have samples in any run (erased ones until sealed): calls each ascending range
     *  [from, to]. PL_ECORRUPT: not known, nothing was called. */
    int (*live)(struct pl_engine_tenant *t, void (*range)(void *ctx, uint32_t from, uint32_t to),
                void *ctx);
    int (*stats)(struct pl_engine_tenant *t, struct pl_engine_stats *out);
    /** Copy all tenants, each consistent, into dir; what is there already and equal is kept. dir is
     *  usable as .../tenants. PL_ECORRUPT: something damaged was left out, the rest is copied. */
    int (*backup)(struct pl_engine *e, const char *dir,
                  void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx);
    /** Read all that is kept and check it, on any thread, beside everything else; slow on purpose.
     * Damage is logged with file and offset and added to *findings, what was read to *packs. `stop`
     *  (may be NULL) is asked often: PL_ECANCELED. */
    int (*scrub)(struct pl_engine_tenant *t, bool (*stop)(void *ctx), void *ctx, uint64_t *packs,
                 uint64_t *findings);
};
struct pl_engine {
    const struct pl_engine_ops *ops;
};

struct pl_engine_conf {
    const char *dir; /* .../tenants */
    const struct pl_clock *clock;
    const struct pl_log *log;
    struct pl_metrics *metrics;
};
/** The embedded engine. */
int pl_lmdb_open(const struct pl_engine_conf *conf, struct pl_engine **out, char *why,
                 size_t n_why);
/** Check a .../tenants directory that nobody has open: pages, checksums, packs, counts.
 *  @return findings, each reported with file and offset (-1: the whole file) */
int64_t pl_lmdb_check(const char *dir,
                      void (*report)(void *ctx, const char *file, int64_t offset, const char *what),
                      void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx);
