/* The inside of pl_series: shared by series*.c. */
#pragma once
#include "core/store/series.h"
#include "core/store/symbols.h"
#include <stdatomic.h>

#define PL__SHARDS      64
#define PL__IDS         64    /* series in a block of labels */
#define PL__ID_PAGE     65536 /* series in a page of blocks */
#define PL__SAVE_SERIES 1024  /* series in a block on disk */
#define PL__ID_MAX      (UINT32_MAX - 2)

/* Labels -> id. Open addressing over {u64 tag = hash.hi, u32 id + 1}; the shard goes by hash.lo,
 * the place by the tag's high bits (growing is one pass in order). So 70 bits of the identity are
 * compared: two of ten million series are taken for one with a probability of 4e-8. */
struct pl__shard {
    pthread_mutex_t lock; /* the journal's lock is taken under it */
    uint8_t *slots;
    uint32_t n, cap;
    uint8_t *waiting; /* slots that are entered at the end of loading, in order */
    uint32_t n_waiting, cap_waiting;
} __attribute__((aligned(64)));

/* id -> labels: varint count | varint pair number each. Place 0 means none. */
struct pl__id_block {
    uint8_t *p;
    uint32_t n, cap;
    uint16_t at[PL__IDS];
};
struct pl__id_page {
    struct pl__id_block blocks[PL__ID_PAGE / PL__IDS];
};
struct pl__labels {
    struct pl__id_page **pages; /* some NULL */
    uint32_t n_pages;
    uint32_t block_bytes; /* of the last full block */
    size_t bytes;         /* of everything */
};
bool pl__labels_has(const struct pl__labels *l, uint32_t id);
/** Numbers of the labels of an id; their count, 0: none. */
uint32_t pl__labels_get(const struct pl__labels *l, uint32_t id, uint32_t pairs[PL_LABELS_MAX]);
/** For an id that has none yet. PL_ENOMEM. */
int pl__labels_put(struct pl__labels *l, uint32_t id, const uint32_t *pairs, uint32_t n);
/** Of an id that has some; tidy: no more of its block are to go. */
void pl__labels_remove(struct pl__labels *l, uint32_t id, bool tidy);
void pl__labels_fini(struct pl__labels *l);

/* Neighbours share labels: ids of one label that follow each other are added at once. */
struct pl__run {
    uint32_t number, from, to;
};

struct pl_series {
    struct pl_series_conf conf;
    struct pl__shard shards[PL__SHARDS];
    _Atomic uint32_t next_id, n_interned;
    bool loading;

    pthread_rwlock_t
        lock; /* of what follows; written by the apply thread, readers hold it shortly */
    struct pl__symbols y;
    struct pl__labels labels;
    struct pl__posting all; /* applied and not dropped */
    struct pl__unsettled un;
    atomic_uint borrowers;  /* calls that hold texts and numbers of y while they do not hold lock */
    size_t posting_bytes;   /* at the last save or count */
    uint32_t posting_count; /* series counted then */

    /* the apply thread's own */
    bool untidy;         /* look whether half of the labels are garbage */
    uint32_t last_dirty; /* the block that was added to dirty last; UINT32_MAX */
    struct pl__run pair_run[PL_LABELS_MAX], name_run[PL_LABELS_MAX], all_run;
    roaring_bitmap_t *dirty, *saving; /* blocks on disk that are out of date */
};

void pl__series_hash_init(struct pl_series *s);
void pl__series_hash_fini(struct pl_series *s);
size_t pl__series_hash_bytes(struct pl_series *s);
/** Take a hash out where it leads to id; what stands behind moves up. */
void pl__series_remove(struct pl_series *s, struct pl_hash128 hash, uint32_t id);
/** Enter a hash with its id, over an older id. PL_ENOMEM. */
int pl__series_enter(struct pl_series *s, struct pl_hash128 hash, uint32_t id);
/** Fetch the slot of a hash that is entered soon; while nobody else enters. */
void pl__series_prefetch(struct pl_series *s, struct pl_hash128 hash);
/** Note that ids below `next` are used up. */
void pl__series_used(struct pl_series *s, uint32_t next);
/** Labels of an id as pair numbers; their count, 0: no such series. Lock held. */
uint32_t pl__series_pairs(const struct pl_series *s, uint32_t id, uint32_t pairs[PL_LABELS_MAX]);
/** Index a series by its pairs (names ascending). Idempotent. Lock held for writing. */
int pl__series_index(struct pl_series *s, uint32_t id, const uint32_t *pairs, uint32_t n);
/** End the runs of the last calls of pl__series_index. Lock held for writing. */
int pl__series_index_end(struct pl_series *s);
/** Take the lock for reading, with all postings settled. */
void pl__series_read_lock(struct pl_series *s);
/** Sort the values of a name; lock not held. PL_ENOMEM. */
int pl__series_sort(struct pl_series *s, struct pl__name *name);
/** Around what goes on using texts, numbers or names of symbols after it gave up the lock. */
static inline void pl__series_borrow(struct pl_series *s) { atomic_fetch_add(&s->borrowers, 1); }
static inline void pl__series_return(struct pl_series *s) { atomic_fetch_sub(&s->borrowers, 1); }
/** After series were dropped: where most labels belong to none any more, make the tables anew
 *  without them. Not while somebody borrows: then at the next save. Apply thread. */
void pl__series_tidy(struct pl_series *s);
