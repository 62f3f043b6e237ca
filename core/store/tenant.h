/* The inside of store: the structs that store.c, start.c, tenant.c, batch.c, apply.c, flush.c,
 * select.c, erase.c and backup.c share. Not included from outside the folder.
 *
 * Locks, in order: st_lock | tenants_lock > gc_lock > (a series' shard > the journal's) |
 * heads_lock. No callback is made under any of them. */
#pragma once
#include "core/base/base.h"
#include "core/store/engine.h"
#include "core/store/exemplar.h"
#include "core/store/frame.h"
#include "core/store/head.h"
#include "core/store/idem.h"
#include "core/store/journal.h"
#include "core/store/metadata.h"
#include "core/store/rollup.h"
#include "core/store/series.h"
#include "core/store/store.h"
#include <stdatomic.h>

#define PL__COMMAND     0     /* frame "type" in the apply queue: a struct pl__command */
#define PL__HEAD_OVER   3     /* times head_max_bytes: writes are refused over it (PL_EBUSY) */
#define PL__TENANTS_MAX 65536 /* numbers */
#define PL__DAY_MS      (24 * 3600 * 1000ll)

/** Somebody waits for another thread. */
struct pl__wait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    int rc;
};
void pl__wait_init(struct pl__wait *w);
void pl__wait_signal(struct pl__wait *w, int rc);
/** Waits, destroys w, returns rc. */
int pl__wait_for(struct pl__wait *w);

/** Something to run on the apply thread, between two frames. */
struct pl__command {
    struct pl_frame frame; /* type PL__COMMAND */
    int (*run)(struct pl_store *s, struct pl__command *c);
    struct pl__wait wait;
    void *arg;
};
/** Run on the apply thread and wait; PL_ECLOSED. Not from the apply thread. */
int pl__apply_run(struct pl_store *s, struct pl__command *c);

/** What the engine still has to take, in order of journal numbers: frozen generations with the
 *  records up to them, and erasures. */
struct pl__pending {
    struct pl__pending *next;
    bool erase;
    uint64_t seq;            /* flush: last number in it; erase: of its tombstone */
    struct pl_head_gen *gen; /* flush; NULL: records only */
    struct pl_arena arena;   /* flush: the records */
    struct pl_record *records;
    size_t n_records, cap_records;
    uint32_t *ids; /* erase; ascending */
    size_t n_ids;
    int64_t t0, t1;
    struct pl__wait *waiter; /* erase; borrowed, may be NULL */
};

/** A round of forgetting series (gc.c). */
struct pl__gc {
    uint32_t end;              /* ids below it may go */
    _Atomic uint64_t *touched; /* a bit an id: interned since the round began */
    unsigned old;              /* which of inflight[] must drain */
};

struct pl_tenant {
    struct pl_store *s;
    uint32_t number; /* in frames */
    pl_str name;
    struct pl_series *series;
    struct pl_idem_table *idem;
    struct pl_metadata_table *metadata;
    struct pl__tenant_tiers tiers;
    struct pl_exemplars *exemplars;
    _Atomic(struct pl_engine_tenant *) et; /* NULL until the first flush */

    pthread_mutex_t heads_lock;
    struct pl_head_gen *cur;                    /* changed by apply under heads_lock */
    struct pl__pending *pending, *pending_last; /* heads_lock; items are the storage thread's */
    uint64_t safe_seq;                          /* heads_lock: frames up to it are in the engine */
    uint64_t skip_seq;         /* replay: frames up to it were in the engine at start */
    _Atomic int64_t oldest_ms; /* when the first sample came into cur; INT64_MAX */
    bool dirty;                /* apply: definitions, metadata or keys since the freeze */
    _Atomic(struct pl__touched *) touched; /* touched.c; made by apply */
    _Atomic uint64_t erasing;              /* of the first deletion not in force yet; 0: none */
    _Atomic uint64_t catalogue;            /* goes up after series came or went */

    atomic_uint generation, inflight[2]; /* batches by generation & 1 */
    pthread_rwlock_t gc_lock;
    _Atomic(struct pl__gc *) gc; /* set and cleared by the storage thread */
};

enum pl__job_kind { PL__JOB_FLUSH, PL__JOB_COMPACT, PL__JOB_BACKUP };
struct pl__job {
    struct pl__job *next;
    enum pl__job_kind kind;
    struct pl__wait wait;
    const char *dir; /* backup */
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
};

struct pl_store {
    struct pl_store_conf conf;
    char *dir;
    int lock_fd;
    struct pl_engine *engine;
    struct pl__rollup rollup;
    struct pl_journal *journal;

    pthread_mutex_t tenants_lock; /* creation; readers go by n_tenants */
    struct pl_tenant **tenants;   /* by number; PL__TENANTS_MAX entries, some NULL */
    atomic_uint n_tenants;

    pthread_t apply_thread, storage_thread;
    bool apply_started, storage_started;
    struct pl_queue apply;
    _Atomic uint64_t applied_seq; /* last frame applied; written by apply */
    struct pl_rows rows;          /* replay */
    struct pl_define_reader defines;
    uint64_t *was_new; /* apply; scratch of the hook */
    size_t cap_was_new;

    pthread_mutex_t st_lock;
    pthread_cond_t st_cond;
    uint64_t n_replayed;
    struct pl__start *start;           /* while the store starts */
    struct pl__job *jobs, **jobs_tail; /* st_lock */
    bool want_flush, stopping;         /* st_lock */
    atomic_uint n_urgent;              /* flushes wanted: a seal makes way */
    atomic_bool closing;
    atomic_uint writers; /* threads inside pl_batch_write and the like */
    atomic_bool full;
    atomic_bool force_flush; /* somebody waits for it: no back-off */

    atomic_size_t cur_bytes, frozen_bytes; /* of heads */
    /* storage thread */
    int64_t next_disk_ns, next_compact_ns, retry_ns, backoff_ns;
    bool stopped; /* the seal was asked to make way */
    _Atomic uint64_t disk_free;
    _Atomic int64_t scrubbed_ms; /* end of the last scrub; 0: none yet */

    struct pl_counter *n_samples, *n_duplicates, *n_out_of_order, *n_batches, *n_batches_failed,
        *n_flushes, *n_flush_failures, *n_flushed_samples, *n_compactions, *n_erasures, *n_dropped,
        *n_idem_hits, *n_late_memory, *n_scrub_packs, *n_scrub_findings, *n_exemplars,
        *n_exemplars_dropped;
    struct pl_histo *flush_seconds, *freeze_seconds, *compact_seconds;
};

/* start.c */
/** Bring back what engine and journal hold; the journal is open then. */
int pl__start(struct pl_store *s, char *why, size_t n_why);

/* tenant.c */
void pl__tenant_free(struct pl_tenant *t);
/** Tenant of a number in a frame; NULL. */
struct pl_tenant *pl__tenant_at(struct pl_store *s, uint32_t number);
bool pl__tenant_name_ok(pl_str name);
/** Read the file TENANTS (docs/formats.md#tenants) if there is one. PL_ECORRUPT. */
int pl__tenants_load(struct pl_store *s, char *why, size_t n_why);
/** Render what TENANTS is to hold. */
void pl__tenants_text(struct pl_store *s, struct pl_buf *out);
/** Check the bytes of such a file. PL_ECORRUPT. */
int pl__tenants_check(pl_str text);
/** What the engine holds of a tenant: metadata and keys. */
int pl__tenant_load(struct pl_tenant *t, struct pl_engine_tenant *et);
/** And its series. */
int pl__tenant_load_series(struct pl_tenant *t, struct pl_engine_tenant *et);
/** Head generations that hold samples, oldest first, each with a reference; malloc'ed. PL_ENOMEM.
 */
int pl__tenant_pin(struct pl_tenant *t, struct pl_head_gen ***gens, size_t *n);

/* apply.c */
void *pl__apply_main(void *store);
/** Index the definitions of a frame's payload. Apply thread, or before it runs. */
void pl__apply_define(struct pl_tenant *t, pl_str payload, uint64_t seq, bool replay);
/** Apply a frame whose rows are b's, or (replay) are in its payload. */
void pl__apply_frame(struct pl_store *s, const struct pl_frame *f, bool replay);
/** Freeze what a tenant has; frames up to seq are in it. Apply thread, or before it runs.
 * PL_ENOMEM. */
int pl__freeze(struct pl_tenant *t, uint64_t seq);
/** A command: freeze all tenants at this point. */
int pl__freeze_all(struct pl_store *s, struct pl__command *c);

/* batch.c */
struct pl_batch_more {
    struct pl_frame frame;
    struct pl_batch *batch;
    struct pl_arena arena; /* strings of what follows */
    struct pl_metadata *metadata;
    size_t n_metadata, cap_metadata;
    struct pl_exemplar_entry *exemplars;
    size_t n_exemplars, cap_exemplars;
    struct pl_frame_idem idem;
    bool has_idem, counted, empty;
    struct pl_buf one; /* batch_histogram.c: scratch */
    uint32_t *boxed;   /* rows that pl_batch_add_histogram wrote, ascending */
    size_t n_boxed, cap_boxed;
};
/** Give every tagged value that is a plain double bytes of its own. PL_ENOMEM, PL_ELIMIT. */
int pl__batch_box(struct pl_batch *b);
/** It is applied, or failed: no longer in flight, waiters are woken, done is called. */
void pl__batch_finish(struct pl_batch *b, int err);

/* flush.c */
void *pl__storage_main(void *store);
/** Do the flushes that are wanted: from inside a compaction. Storage thread. */
void pl__storage_make_way(struct pl_store *s);
/** Ask for a flush soon; any thread. */
void pl__storage_want_flush(struct pl_store *s);
/** Queue a job and wait for it. PL_ECLOSED. */
int pl__storage_job(struct pl_store *s, struct pl__job *job);
/** Bring everything pending to the engine, in order. Storage thread (or the opener, before it
 * runs). */
int pl__drain(struct pl_store *s);
/** Freeze all, drain, cut the journal. */
int pl__flush(struct pl_store *s);
void pl__pending_free(struct pl__pending *p);
/** Oldest time that may be read or written. */
int64_t pl__retention_start(const struct pl_store *s);

/* compact.c */
/** Retention, sealing, series that ended. all: also what hardly pays. Storage thread. */
int pl__compact(struct pl_store *s, bool all);

/* erase.c */
/** A tombstone, live or replayed. Apply thread. */
void pl__erase_apply(struct pl_tenant *t, const struct pl_frame *f, struct pl__wait *waiter);

/* touched.c */
/** Rows of frame seq, or (range) a deletion, before they are applied. Apply thread. PL_ENOMEM. */
int pl__touch_rows(struct pl_tenant *t, const int64_t *times, size_t n, uint64_t seq);
int pl__touch_range(struct pl_tenant *t, int64_t t0, int64_t t1, uint64_t seq);
/** The list of what is pending has changed; with heads_lock held. */
void pl__erasing(struct pl_tenant *t);
void pl__touched_free(struct pl_tenant *t);

/* exemplar.c */
/** Keep the exemplars of a batch that is durable. */
void pl__batch_exemplars(struct pl_batch *b);

/* backup.c */
int pl__backup(struct pl_store *s, struct pl__job *job);

/* stats.c */
void pl__store_metrics(struct pl_store *s);

/* compact.c, when the store closes */
void pl__gc_abandon(struct pl_tenant *t);
