/* What a view and a cursor are: shared by db_read.c and db_latest.c. */
#pragma once
#include "core/store/db.h"

struct pl_view {
    struct pl_engine_tenant *t;
    struct pl_db_state *state; /* counted */
    struct pl_db_run **runs;   /* counted; by day, then number */
    size_t n_runs;
    int64_t t0, t1;
    pthread_mutex_t lock;
    bool shares;           /* packs, with other queries */
    roaring_bitmap_t *ids; /* lock: union over the runs, when asked for */
    bool ids_unknown;      /* lock: some run's ids cannot be read */
};
/** A partition as a cursor uses it. */
struct pl__use {
    struct pl_db_part *part;
    struct pl_db_env *env;
    MDB_txn *txn;
};
/** A run as a cursor reads it. */
struct pl__slot {
    struct pl_db_run *run;
    const roaring_bitmap_t *ids;
    struct pl__use *use;
    MDB_cursor *c;
    struct pl_pack pack;
    struct pl_db_packed *packed; /* what it shares, or NULL */
    struct pl_db_key key;        /* of the open pack */
    bool ready, open, failed;    /* failed: the partition cannot be read */
    bool bad;                    /* ids [bad_from, bad_to] stand in a damaged pack */
    uint32_t bad_from, bad_to;
    bool told; /* of a series that is missing */
};
struct pl_cursor {
    struct pl_view *view;
    struct pl__slot *slots;
    struct pl__use *uses;
    size_t n_uses;
};

/** Begin what the cursor needs to read a run. */
int pl__slot_prepare(struct pl_cursor *c, struct pl__slot *s);
/** Stand on the first pack of this run that may hold id, and open it. PL_ENOTFOUND. */
int pl__slot_seek(struct pl__slot *s, bool shares, uint32_t id, struct pl_read_stats *stats);
/** Does the tombstone hide samples of this run? */
static inline bool pl__slot_erased(const struct pl__slot *s, const struct pl_db_tomb *x)
{
    return x->number > s->run->m.tomb && s->run->m.last_seq <= x->seq && x->t0 <= s->run->m.t_max &&
           x->t1 >= s->run->m.t_min;
}
/** Is the open pack the first one that may hold id? */
static inline bool pl__slot_stands_on(const struct pl__slot *s, uint32_t id)
{
    return s->open && id >= s->pack.first_id && id <= s->pack.last_id &&
           (id != s->pack.first_id || s->key.piece == 0);
}
