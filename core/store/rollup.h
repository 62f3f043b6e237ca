/* Rollup tiers. Internal to store; docs/formats.md#rollup, docs/decisions/0009-rollup-tiers.md.
 *
 * A tier is an engine of its own beside the one of the samples. For each bucket it keeps what the
 * samples in (end - resolution, end] come to; always computed from all of them, so that late data
 * is a rewrite. Its times are slots: one bucket is a minute of engine time, so that a "day" holds
 * 1,440 buckets whatever the resolution. Its numbers are its own: one for each write or erasure.
 *
 *   rollup.c         which tiers there are, which a series belongs to; open, close, state
 *   rollup_bucket.c  samples -> buckets
 *   rollup_pass.c    the pass that brings a tier up to date (storage thread)
 *   rollup_erase.c   deletion, retention, what is alive (storage thread)
 *   rollup_read.c    reading (any thread)
 *   rollup_copy.c    backup, check, scrub, statistics
 *
 * What a tier holds of a tenant is right up to its state: every bucket that ends by `horizon`
 * counts all samples of engine runs up to `rolled`; what came later, and later buckets, the reader
 * computes from the samples themselves. */
#pragma once
#include "core/base/base.h"
#include "core/store/engine.h"
#include "core/store/store.h"
#include <pthread.h>
#include <stdatomic.h>

#define PL__TIERS_MAX    16
#define PL__TIER_SETS    255         /* overrides at most, less one for the default */
#define PL__TIER_SLOT_MS 60000       /* of engine time for a bucket */
#define PL__TIER_IDS     (1u << 28)  /* series with a higher id are in no tier */
#define PL__TIER_T_MAX   (1ll << 52) /* ms: times beyond are in no bucket */

/* Behind the values, in the engine: 1 for each bucket that has histograms, nothing for others. */
enum { PL__TIER_HISTOGRAMS = PL_TIER_VALUES };

struct pl_tenant;

struct pl__tier {
    struct pl_tier conf;
    char name[80]; /* of its directory */
    struct pl_engine *engine;
    struct pl_clock clock; /* of the engine: slots */
    const struct pl_clock *real;
};
struct pl__rollup {
    struct pl__tier tiers[PL__TIERS_MAX]; /* finest first */
    size_t n;
    uint32_t sets[PL__TIER_SETS]; /* tiers of a set, a bit each; overrides, then the default */
    size_t n_sets;
    struct pl_counter *n_passes, *n_failures, *n_buckets, *n_skipped;
    struct pl_histo *seconds;
};
struct pl__tier_state {
    uint64_t rolled; /* engine runs up to this journal number are in the tier */
    int64_t horizon;
    int64_t raw_cut; /* samples before it may be gone: such buckets stay as they are */
};
/** A tier of a tenant. The storage thread writes; `state` and `et` under lock. */
struct pl__tier_tenant {
    pthread_mutex_t lock;
    bool opened, failed; /* failed: cannot be opened, so it is as if there were none */
    struct pl_engine_tenant *et;
    struct pl__tier_state state;
    uint64_t seq; /* storage: last one used */
};
/** What a tenant knows of tiers. */
struct pl__tenant_tiers {
    struct pl__tier_tenant *tier;
    _Atomic(atomic_uchar *) *sets; /* by id: its set + 1, 0 unknown; pages on demand */
    uint32_t erasures, sealed;     /* storage; erasures when tiers were last sealed */
};

/* rollup.c */
/** Which tiers the configuration asks for. PL_EINVAL, PL_ELIMIT with a reason. */
int pl__rollup_init(struct pl_store *s, char *why, size_t n_why);
/** Their engines, in dir/rollup. */
int pl__rollup_open(struct pl_store *s, char *why, size_t n_why);
void pl__rollup_close(struct pl_store *s);
int pl__rollup_tenant_init(struct pl_tenant *t);
void pl__rollup_tenant_fini(struct pl_tenant *t);
/** The tier's engine and state, for a reader or the pass. PL_ENOTFOUND: nothing is in it. */
int pl__tier_open(struct pl_tenant *t, size_t tier, struct pl_engine_tenant **et,
                  struct pl__tier_state *state);
/** The same for writing: made where it is not there. Storage thread. */
int pl__tier_make(struct pl_tenant *t, size_t tier, struct pl_engine_tenant **et,
                  struct pl__tier_state *state);
/** Is the series kept in the tier? PL_ENOMEM and the like count as no. */
bool pl__tier_has(struct pl_tenant *t, uint32_t id, size_t tier);
/** End of the bucket that t is in. */
static inline int64_t pl__bucket_end(int64_t t, int64_t resolution)
{
    t = t < -PL__TIER_T_MAX ? -PL__TIER_T_MAX : t > PL__TIER_T_MAX ? PL__TIER_T_MAX : t;
    int64_t over = ((t % resolution) + resolution) % resolution;
    return over ? t - over + resolution : t;
}
/** The last bucket end at or before t. */
static inline int64_t pl__bucket_floor(int64_t t, int64_t resolution)
{
    return pl__bucket_end(t, resolution) - (pl__bucket_end(t, resolution) > t ? resolution : 0);
}
static inline int64_t pl__tier_slot(int64_t end, int64_t resolution)
{
    return end / resolution * PL__TIER_SLOT_MS;
}
/** Bucket ends at or before this one are past the tier's retention; INT64_MIN: none. */
int64_t pl__tier_expired(const struct pl__tier *x);

/* rollup_bucket.c */
int pl__buckets_reserve(struct pl_tier_columns *c, size_t more);
/** Append the buckets of samples (ascending; c is spent): all values. A bucket without samples but
 *  with markers or histograms has PL_STALE_BITS in each of them. PL_ENOMEM. */
int pl__buckets_add(struct pl_columns *c, int64_t resolution, struct pl_tier_columns *out);
/** Between values and what is on disk: T_FIRST and T_LAST as milliseconds before the bucket's end.
 */
void pl__buckets_code(const struct pl_tier_columns *c, size_t from, size_t to);
/** The pass: buckets with a note which of them have histograms. */
struct pl__buckets {
    struct pl_tier_columns c;
    int64_t *with_histograms; /* ends; ascending for each series */
    size_t n_with, cap_with;
};

/* rollup_pass.c */
/** Bring all tiers of a tenant up to date. all: nearly up to now, else up to the last midnight, and
 *  late samples only then or when those before cut are about to go. PL_ECLOSED. */
int pl__rollup_pass(struct pl_tenant *t, bool all, int64_t cut);
/** Write buckets with the state after them; next may be NULL. */
struct pl__tier_series {
    uint32_t id;
    size_t from, to;     /* in the columns */
    size_t h_from, h_to; /* in with_histograms */
};
int pl__tier_write(struct pl_tenant *t, size_t tier, const struct pl__tier_series *series, size_t n,
                   const struct pl__buckets *b, const struct pl__tier_state *state);
/** pl__buckets_add, and with_histograms. */
int pl__buckets_take(struct pl_columns *c, int64_t resolution, struct pl__buckets *out);
void pl__buckets_fini(struct pl__buckets *b);

/* rollup_erase.c */
/** Samples of ids (ascending) in [t0, t1] were erased: so are the buckets. */
int pl__rollup_erase(struct pl_tenant *t, const uint32_t *ids, size_t n, int64_t t0, int64_t t1);
/** Samples before cut are about to go: remembered, durably, before they do. */
int pl__rollup_cut(struct pl_tenant *t, int64_t cut);
/** Retention and sealing of all tiers of a tenant; stop as in engine.h. */
int pl__rollup_tend(struct pl_tenant *t, bool all);
/** Series that are alive in a tier: ranges of ids. */
int pl__rollup_live(struct pl_tenant *t, void (*range)(void *ctx, uint32_t from, uint32_t to),
                    void *ctx);
/** The seconds by which the tiers are behind; of the tenant that is furthest. */
double pl__rollup_lag(void *store);

/* rollup_copy.c: tiers in what is done with a whole store */
int pl__rollup_backup(struct pl_store *s, const char *dir,
                      void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx);
/** Of a directory that nobody has open. @return findings */
int64_t pl__rollup_check(const char *dir,
                         void (*report)(void *ctx, const char *file, int64_t offset,
                                        const char *what),
                         void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx);
/** Adds to packs and findings. */
int pl__rollup_scrub(struct pl_tenant *t, bool (*stop)(void *ctx), void *ctx, uint64_t *packs,
                     uint64_t *findings);
/** Adds to disk_bytes. */
int pl__rollup_stats(struct pl_tenant *t, uint64_t *disk_bytes);

/* rollup_read.c */
/** Of the n ids (ascending), those that have buckets in [t0, t1] in some tier: called with each. */
int pl__rollup_filter(struct pl_tenant *t, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                      void (*found)(void *ctx, const uint32_t *ids, size_t n), void *ctx);
