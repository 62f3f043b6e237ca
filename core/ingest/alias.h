/* The alias cache: wire bytes of a series' labels -> id, so that a known series costs one hash and
 * no parsing, sorting or locking. Internal to ingest; one per loop, no locks.
 *
 * Senders repeat themselves: the series after this one is most likely the one that followed it last
 * time. So entries stand in an array in order of first sight and each names its successor; a
 * predicted entry knows the length of its bytes, and one hash over that many proves it. Only a
 * wrong guess looks into the hash index.
 *
 * Memory: 24 bytes an entry and 8 of index. Over `max` entries it forgets all and begins again.
 * Equality is by 96 bits of XXH3-128, salted by tenant, its generation and the format, so that what
 * belongs to another tenant, or to series that have ended, is simply not found. */
#pragma once
#include "core/base/base.h"

enum pl_alias_format { PL_ALIAS_REMOTE_WRITE, PL_ALIAS_TEXT, PL_ALIAS_INFLUX, PL_ALIAS_PUSH };

#define PL_ALIAS_NONE UINT32_MAX

struct pl_alias_entry {
    uint64_t lo;
    uint32_t hi;
    uint32_t id;
    uint32_t len;  /* of the bytes */
    uint32_t next; /* entry that followed last time, or PL_ALIAS_NONE */
};
struct pl_alias {
    struct pl_alias_entry *entries;
    uint32_t n, cap, max;
    uint32_t *index; /* entry number + 1 by hash, open addressing */
    uint32_t n_index;
    uint32_t last; /* entry used last: the prediction is its successor */
    uint64_t salt;
};
void pl_alias_init(struct pl_alias *a, uint32_t max);
void pl_alias_fini(struct pl_alias *a);
/** Before each request. */
void pl_alias_begin(struct pl_alias *a, const void *tenant, uint32_t generation,
                    enum pl_alias_format format);
/** Length of the predicted series' bytes; 0 without a prediction. */
static inline uint32_t pl_alias_guess(const struct pl_alias *a)
{
    uint32_t next = a->last < a->n ? a->entries[a->last].next : PL_ALIAS_NONE;
    return next < a->n ? a->entries[next].len : 0;
}
/** After a guess: is p[0, guess) the predicted series? Its id, or PL_ALIAS_NONE. */
uint32_t pl_alias_confirm(struct pl_alias *a, const void *p);
/** By the index; learns the succession. PL_ALIAS_NONE if unknown. */
uint32_t pl_alias_find(struct pl_alias *a, const void *p, size_t n);
/** Enter bytes that find did not know. Failing to grow is harmless: it is a cache. */
void pl_alias_enter(struct pl_alias *a, const void *p, size_t n, uint32_t id);
