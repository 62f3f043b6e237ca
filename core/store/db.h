/* Inside of the LMDB engine; included by db*.c only. Formats: docs/formats.md#catalogue, #manifest,
 * #partition.
 *
 *   tenants/<name>/catalogue/            synced; state, manifest, tombstones, records
 *   tenants/<name>/hot-<day>-<number>/   the runs of flushes, one day (UTC), appended to
 *   tenants/<name>/sealed-<day>-<number>/ one run, merged from others, never written again
 *   tenants/<name>/tmp-<number>/         a sealed one being built
 *
 * What is there is what the manifest in the catalogue says; the catalogue's commit is the moment at
 * which a flush, a sealing or a removal counts. Anything else found on disk is left over from a
 * crash and removed when the tenant is opened.
 *
 *   db.c            the door: open, close, tenants, the operations
 *   db_env.c        LMDB environments: the only place with its flags
 *   db_page.c       is a file's tree sound? asked before LMDB may walk it
 *   db_catalogue.c  entries of the catalogue and its commits
 *   db_state.c      runs, partitions, tombstones: one immutable, counted state after another
 *   db_part.c       a partition's environment on demand, and what a run says about itself
 *   db_out.c        writing a run
 *   db_write.c      a flush      db_read.c  views and cursors
 *   db_seal.c       merging      db_erase.c tombstones, retention, what is alive
 *   db_open.c       opening a tenant, cleaning up behind a crash
 *   db_verify.c     is a run what it says it is?
 *   db_backup.c, db_check.c (nobody has it open), db_scrub.c (in use)
 *
 * Locks, in this order: tenant.commit (a catalogue commit and all that must not change around it),
 * part.lock (its environment), cache.lock (which environments are open), tenant.lock (the pointer
 * to the current state; held for a few instructions). */
#pragma once
#include "core/base/base.h"
#include "core/codec/codec.h"
#include "core/store/columns.h"
#include "core/store/engine.h"
#include <lmdb.h>
#include <pthread.h>
#include <roaring/roaring.h>
#include <stdatomic.h>

#define PL_DB_DAY_MS   86400000ll
#define PL_DB_NAME_MAX 150
#define PL_DB_IDS_MAX  (64u << 20) /* serialised ids of one run */
#define PL_DB_META_ID  UINT32_MAX  /* in a pack's key: what the run says about itself */

/* ---------------------------------------------------------------- environments: db_env.c */
enum pl_db_mode {
    PL_DB_CATALOGUE, /* read and write, synced */
    PL_DB_HOT,       /* read and write, synced */
    PL_DB_BUILD,     /* a new file of one owner, synced once at the end */
    PL_DB_SEALED,    /* read only, no locks: nobody ever writes it */
    PL_DB_LOOK,      /* read only, for files that nobody writes now: checks and backups */
};
#define PL_DB_CREATE 16 /* with a mode that writes: make data.mdb if it is not there */
struct pl_db_env {
    MDB_env *env;
    MDB_dbi dbi;
    size_t map_bytes, page_bytes;
};
/** Where damage was found. */
struct pl_db_damage {
    int64_t at; /* offset in the file, or -1 */
    const char *what;
};
/** Open dir/data.mdb; the tree of a file that was there is checked first.
 *  PL_ENOTFOUND, PL_ECORRUPT, PL_EIO, PL_ENOSPC, PL_ELIMIT (file descriptors). */
int pl__env_open(const char *dir, int mode, struct pl_db_env **out, struct pl_db_damage *damage);
void pl__env_close(struct pl_db_env *e);
/** A code of ours for one of LMDB's or errno. */
int pl__env_error(int rc);
/** Is a value that LMDB gave inside its page or pages? */
bool pl__env_value_ok(const struct pl_db_env *e, const MDB_val *v);
/** File offset of a value that LMDB gave. */
int64_t pl__env_offset(const struct pl_db_env *e, const MDB_val *v);
/** Bytes up to the last page in use, and entries. */
int pl__env_used(struct pl_db_env *e, uint64_t *bytes, uint64_t *entries);
int pl__env_sync(struct pl_db_env *e);
/** Copy of the state that is committed now, into a file that must not exist, synced. */
int pl__env_copy(struct pl_db_env *e, const char *path);

/* db_page.c */
/** Walk the trees of an LMDB data file without LMDB: every page header, node, key order, page
 * number and the free list. Reads no values. 0, PL_ECORRUPT, PL_EIO, PL_ENOTFOUND, PL_ENOMEM. */
int pl__page_check(const char *path, struct pl_db_damage *damage);

/* ---------------------------------------------------------------- runs and partitions */
/** What is known of a run without opening its environment. */
struct pl_db_run_meta {
    uint32_t number;
    uint32_t tomb; /* tombstones up to this number are already applied */
    uint64_t first_seq, last_seq;
    int64_t t_min, t_max;
    uint64_t n_samples, bytes;
    uint32_t n_series, n_chunks, n_packs;
    uint32_t crc; /* CRC32C over first id, piece and CRC32C of each pack, in order */
};
struct pl_db_run { /* immutable but for ids; counted; any thread */
    atomic_uint refs;
    struct pl_db_part *part; /* counted */
    struct pl_db_run_meta m;
    _Atomic(roaring_bitmap_t *) ids; /* loaded on first need */
};
enum pl_db_part_kind { PL_DB_PART_HOT = 1, PL_DB_PART_SEALED = 2 }; /* on disk */
struct pl_db_part {                                                 /* counted; any thread */
    atomic_uint refs;
    struct pl_engine_tenant *t;
    uint32_t number;
    uint8_t kind;
    int32_t day;
    uint64_t file_bytes; /* sealed: the file's length and CRC32C */
    uint32_t file_crc;
    char *dir;
    atomic_bool gone;     /* out of the manifest: unlinked with the last reference */
    atomic_bool damaged;  /* cannot be read at all */
    atomic_bool bad_pack; /* some pack cannot: not merged, so that nothing more is lost */
    bool frozen;          /* commit: no further runs: full, or failed */
    bool merging;         /* commit: no further runs while a sealing is at it */
    bool writing;         /* commit: a flush is at it, and it is in the tenant's list of these */
    struct pl_db_part *next_writing; /* commit */
    bool checked;                    /* lock: metas compared with the manifest */
    pthread_mutex_t lock;
    struct pl_db_env *env;           /* lock */
    unsigned users;                  /* lock */
    uint64_t used_at;                /* cache.lock */
    struct pl_db_part *next, **prev; /* cache.lock: list of open ones */
};
struct pl_db_tomb { /* immutable, counted */
    atomic_uint refs;
    uint32_t number;
    uint64_t seq;
    int64_t t0, t1;
    roaring_bitmap_t *ids;
};
/** One consistent state: immutable, counted. */
struct pl_db_state {
    atomic_uint refs;
    struct pl_db_run **runs; /* by day, then number */
    size_t n_runs;
    struct pl_db_part **parts; /* by number */
    size_t n_parts;
    struct pl_db_tomb **tombs; /* by number */
    size_t n_tombs;
};

struct pl_db_cache {
    pthread_mutex_t lock;
    struct pl_db_part *head;
    size_t n_open, cap;
    uint64_t tick;
};
struct pl_db_packs;  /* db_packs.c */
struct pl_db_packed; /* one open pack of it */
struct pl_db {
    struct pl_engine base;
    struct pl_engine_conf conf;
    char *dir;
    struct pl_counter *corrupt;
    struct pl_db_cache cache;
    struct pl_db_packs *packs; /* open ones */
    pthread_mutex_t lock;      /* the list of tenants */
    struct pl_engine_tenant *tenants;
};
struct pl_engine_tenant {
    struct pl_engine_tenant *next;
    struct pl_db *db;
    char *dir, *name;
    struct pl_db_env *catalogue;
    pthread_mutex_t commit;
    pthread_cond_t idle;        /* with commit: a flush has ended */
    struct pl_db_part *writing; /* commit: partitions being written, new ones included */
    uint32_t next_run, next_part, next_tomb; /* commit */
    _Atomic uint64_t flushed_seq;
    atomic_bool broken; /* the catalogue could not be synced: no further commits */
    pthread_mutex_t lock;
    struct pl_db_state *state; /* lock */
};

#define PL_DB_T_MAX (PL_DB_DAY_MS * INT32_MAX) /* days are 32 bits */
static inline int32_t pl__day(int64_t t)
{
    return (int32_t)(t / PL_DB_DAY_MS - (t % PL_DB_DAY_MS < 0));
}
static inline int64_t pl__day_start(int32_t day) { return (int64_t)day * PL_DB_DAY_MS; }
static inline int64_t pl__day_end(int32_t day) { return pl__day_start(day) + PL_DB_DAY_MS - 1; }

/* ---------------------------------------------------------------- db_state.c */
void pl__run_ref(struct pl_db_run *r);
void pl__run_unref(struct pl_db_run *r);
/** A new run (one reference); takes ids, which may be NULL: loaded when needed. */
int pl__run_new(struct pl_db_part *p, const struct pl_db_run_meta *m, roaring_bitmap_t *ids,
                struct pl_db_run **out);
void pl__tomb_ref(struct pl_db_tomb *x);
void pl__tomb_unref(struct pl_db_tomb *x);
int pl__state_new(struct pl_db_state **out);
void pl__state_unref(struct pl_db_state *s);
/** The current state, one reference more. */
struct pl_db_state *pl__state_get(struct pl_engine_tenant *t);

/** From one state to the next, and what goes with it into one catalogue commit. */
struct pl_db_change {
    struct pl_db_run *const *add_runs; /* their partitions may be new */
    size_t n_add;
    struct pl_db_part *const *drop_parts; /* with their runs */
    size_t n_drop;
    struct pl_db_tomb *add_tomb;
    struct pl_db_tomb *const *drop_tombs;
    size_t n_drop_tombs;
    const struct pl_record *records;
    size_t n_records;
    uint64_t flushed_seq; /* 0: as it is */
    const char *fault;    /* point passed before the commit */
};
/** The state after a change; neither is shared yet. */
int pl__state_next(const struct pl_db_state *s, const struct pl_db_change *c,
                   struct pl_db_state **out);
/** Does x hide something of r that is not yet applied? Loads r's ids where needed. */
bool pl__tomb_hits(const struct pl_db_tomb *x, struct pl_db_run *r);

/* ---------------------------------------------------------------- db_catalogue.c */
/** Load state record, manifest and tombstones. Partitions are not touched. */
int pl__catalogue_load(struct pl_engine_tenant *t, char *why, size_t n_why);
/** Commit durably and make it the current state. Caller holds t->commit. */
int pl__catalogue_commit(struct pl_engine_tenant *t, const struct pl_db_change *c);
int pl__catalogue_records(struct pl_engine_tenant *t, uint8_t kind,
                          int (*each)(void *ctx, pl_str key, pl_str value), void *ctx);
/** Every entry's checksum: calls bad(offset) for each that does not hold. */
int pl__catalogue_scan(struct pl_db_env *e, void (*bad)(void *ctx, int64_t offset), void *ctx);
/** The manifest's entry of a partition, as stored without its checksum. PL_ENOTFOUND. */
int pl__manifest_entry(struct pl_db_env *e, uint32_t part, struct pl_buf *out);
void pl__manifest_encode(const struct pl_db_state *s, const struct pl_db_part *p,
                         struct pl_buf *out);
void pl__run_meta_encode(const struct pl_db_run_meta *m, struct pl_buf *out);
#define PL_DB_RUN_META_BYTES 80
void pl__run_meta_decode(const uint8_t *p, struct pl_db_run_meta *m);
/** ids as bytes, and back: the portable form of roaring behind a length. */
int pl__ids_encode(roaring_bitmap_t *ids, struct pl_buf *out);
int pl__ids_decode(const uint8_t *p, size_t n, roaring_bitmap_t **out);

/* ---------------------------------------------------------------- db_part.c */
#define PL_DB_KEY 12
/** Key of a pack: run | first id | piece, big-endian, so that bytes sort as numbers. */
void pl__key(uint8_t key[PL_DB_KEY], uint32_t run, uint32_t id, uint32_t piece);
struct pl_db_key {
    uint32_t run, id, piece;
};
/** false: not a key of ours. */
bool pl__key_get(const MDB_val *k, struct pl_db_key *out);

/** dir is made from kind, day and number. One reference. */
int pl__part_new(struct pl_engine_tenant *t, uint8_t kind, int32_t day, uint32_t number,
                 struct pl_db_part **out);
void pl__part_ref(struct pl_db_part *p);
void pl__part_unref(struct pl_db_part *p);
/** The directory's name: for a partition, and NULL or the number for a name found on disk. */
void pl__part_name(char out[40], uint8_t kind, int32_t day, uint32_t number);
/** Open (or find open) the environment; it stays open until released. On damage the partition is
 *  marked, logged and counted: PL_ECORRUPT now and later. */
int pl__part_acquire(struct pl_db_part *p, struct pl_db_env **out);
void pl__part_release(struct pl_db_part *p);
/** Make a hot partition's directory and an empty environment in it, acquired; the names are durable
 *  when it returns. */
int pl__part_create(struct pl_db_part *p, struct pl_db_env **out);
/** Close an idle environment, for good reason or to make room. */
void pl__part_close(struct pl_db_part *p);
/** The ids of a run (borrowed, as long as the run); NULL when they cannot be read. */
const roaring_bitmap_t *pl__run_ids(struct pl_db_run *r);
/** Read what the run in env says of itself. ids may be NULL. */
int pl__run_meta_read(struct pl_db_env *e, uint32_t run, struct pl_db_run_meta *m,
                      roaring_bitmap_t **ids, struct pl_db_damage *damage);
bool pl__run_meta_eq(const struct pl_db_run_meta *a, const struct pl_db_run_meta *b);
/** It cannot be read at all: marked, and the first time logged and counted. */
void pl__part_damaged(struct pl_db_part *p, const struct pl_db_damage *damage);
/** Damage found while reading: logged with partition, key and offset, and counted. */
void pl__part_corrupt(struct pl_db_part *p, const struct pl_db_key *key, int64_t at,
                      const char *what);

/* ---------------------------------------------------------------- db_packs.c */
int pl__packs_new(struct pl_db_packs **out);
void pl__packs_free(struct pl_db_packs *c); /* after its readers */
/** Open the pack that a value holds, or share it where it is open: `pack` reads it until the entry
 * is released, and the transaction that v came from is needed as long. As pl_pack_open. */
int pl__packs_open(struct pl_db_packs *c, const struct pl_db_env *env, const MDB_val *v,
                   struct pl_pack *pack, struct pl_db_packed **out);
void pl__packs_release(struct pl_db_packs *c, struct pl_db_packed *e); /* may be NULL */
#define PL_DB_PACKS_BYTES (64u << 20) /* of memory, at most, but for what is being read */
size_t pl__packs_bytes(struct pl_db_packs *c);
/** Before an environment is closed. */
void pl__packs_forget(struct pl_db_packs *c, const struct pl_db_env *env);

/* ---------------------------------------------------------------- db_out.c */
/** The pack being filled. */
struct pl_db_out_now {
    uint64_t n_samples;
    int64_t t_min, t_max;
};
/** A run being written into an environment. One thread. */
struct pl_db_out {
    struct pl_db_env *env;
    struct pl_pack_writer *w;
    struct pl_db_run_meta m;
    roaring_bitmap_t *ids;
    struct pl_buf batch; /* packs not yet committed */
    struct pl_db_out_pack *packs;
    size_t n_packs, cap_packs;
    uint32_t *pending; /* ids in packs not yet committed, and in the open one */
    size_t n_pending, cap_pending;
    struct pl_db_out_now now;
    uint32_t first_id, piece; /* of the open pack */
    uint32_t last_id, pieces_of_last;
    bool open; /* the pack writer has something */
    bool any;
    bool sealed;         /* large packs */
    struct pl_buf cells; /* values of histograms on their way into columns */
    uint64_t raw_bytes;  /* before zstd, of the packs so far */
    const char *fault;   /* point passed before a commit */
};
int pl__db_out_init(struct pl_db_out *o, struct pl_db_env *env, uint32_t run, enum pl_effort effort,
                    const char *fault);
void pl__db_out_fini(struct pl_db_out *o);
/** ids ascending, each series' calls ascending in time. PL_EAGAIN: the environment is full, nothing
 *  of this call is lost; pl__db_out_move and go on (do not add again). */
int pl__db_out_add(struct pl_db_out *o, uint32_t id, const struct pl_columns *c, size_t from,
                   size_t n);
/** Commit what is waiting. PL_EAGAIN as above. */
int pl__db_out_flush(struct pl_db_out *o, bool all);
size_t pl__db_out_waiting(const struct pl_db_out *o);
/** Write the run's own record behind its packs and commit; takes nothing, o->m is then complete. */
int pl__db_out_finish(struct pl_db_out *o);
/** What is committed stays as a run of its own (finished here, *m and *ids for the caller; none
 * when m->n_packs is 0), the rest goes on as run `run` in another environment. */
int pl__db_out_move(struct pl_db_out *o, struct pl_db_env *env, uint32_t run,
                    struct pl_db_run_meta *m, roaring_bitmap_t **ids);
/** Remove all keys of the runs that `keep` does not want. */
int pl__db_out_clean(struct pl_db_env *e, bool (*keep)(void *ctx, uint32_t run), void *ctx);

/* ---------------------------------------------------------------- db_chunk.c */
/** Add the first of samples [from, from + n), n > 0, in one or several chunks of one type: at most
 *  max, and not so much that a pack grows over all bounds. cells is scratch.
 *  @return how many, or an error of pl_pack_add */
int pl__chunk_add(struct pl_pack_writer *w, uint32_t id, const struct pl_columns *c, size_t from,
                  size_t n, size_t max, struct pl_buf *cells);
/** Append chunk i, of whatever type. @return samples, PL_ECORRUPT (out as before), PL_ENOMEM */
int pl__chunk_take(struct pl_pack *p, uint32_t i, struct pl_columns *out);

/* ---------------------------------------------------------------- the operations */
int pl__db_tenant_open(struct pl_db *db, pl_str name, bool create, struct pl_engine_tenant **out,
                       char *why, size_t n_why);
void pl__db_tenant_close(struct pl_engine_tenant *t);
bool pl__db_name_ok(pl_str name);

int pl__db_write(struct pl_engine_tenant *t, const struct pl_flush *f);
int pl__db_view(struct pl_engine_tenant *t, int64_t t0, int64_t t1, struct pl_view **out);
void pl__db_view_free(struct pl_view *v);
int pl__db_view_since(struct pl_view *v, uint64_t seq, struct pl_view **out);
size_t pl__db_view_filter(struct pl_view *v, uint32_t *ids, size_t n);
void pl__db_latest(struct pl_cursor *c, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                   struct pl_latest *out, struct pl_read_stats *stats);
int pl__db_cursor(struct pl_view *v, struct pl_cursor **out);
void pl__db_cursor_free(struct pl_cursor *c);
int pl__db_read(struct pl_cursor *c, uint32_t id, int64_t t0, int64_t t1, struct pl_columns *out,
                struct pl_read_stats *stats);
/** A view over these runs only (by number), with the tombstones of s; takes references. */
int pl__db_view_of(struct pl_engine_tenant *t, struct pl_db_state *s, struct pl_db_run *const *runs,
                   size_t n, int64_t t0, int64_t t1, struct pl_view **out);

int pl__db_erase(struct pl_engine_tenant *t, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                 uint64_t seq);
int pl__db_retain(struct pl_engine_tenant *t, int64_t cutoff);
/** Forget tombstones that no run needs any more. Caller holds t->commit. */
int pl__db_tombs_done(struct pl_engine_tenant *t);
int pl__db_live(struct pl_engine_tenant *t, void (*range)(void *ctx, uint32_t from, uint32_t to),
                void *ctx);
int pl__db_stats(struct pl_engine_tenant *t, struct pl_engine_stats *out);
/** Length and CRC32C of a file. */
int pl__file_sum(const char *path, uint64_t *bytes, uint32_t *crc);
/** The same; go_on (may be NULL) is asked after each megabyte: PL_ECANCELED. */
int pl__file_sum_paced(const char *path, uint64_t *bytes, uint32_t *crc, bool (*go_on)(void *ctx),
                       void *ctx);
/* db_verify.c */
struct pl_db_verify {
    /** key: of the pack, or NULL; at: offset in the file, or -1 */
    void (*found)(void *ctx, const struct pl_db_key *key, int64_t at, const char *what);
    bool (*go_on)(void *ctx); /* asked after each megabyte, no transaction open; may be NULL */
    void *ctx;
    uint64_t n_found, n_packs; /* added to */
};
/** All packs of a run, and its counts. Damage is told, not returned. PL_ECANCELED, PL_ENOMEM, ...
 */
int pl__run_verify(struct pl_db_env *e, const struct pl_db_run_meta *want, struct pl_db_verify *v);
int pl__db_scrub(struct pl_engine_tenant *t, bool (*stop)(void *ctx), void *ctx, uint64_t *packs,
                 uint64_t *findings);
int pl__db_seal(struct pl_engine_tenant *t, bool all, bool (*stop)(void *ctx), void *ctx);
int pl__db_backup(struct pl_engine *e, const char *dir,
                  void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx);
