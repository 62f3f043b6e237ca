/* Posting lists: the ids of the series that carry one label. Three forms by size: up to two ids
 * inline, a small sorted array, a roaring bitmap. Ids come mostly ascending and in runs, so a
 * bitmap has a short tail that is merged when a reader comes (pl__postings_settle). Inside store's
 * series only; locked by the series' lock. */
#pragma once
#include "core/base/base.h"
#include <roaring/roaring.h>

enum pl__posting_kind { PL__POSTING_FEW, PL__POSTING_LIST, PL__POSTING_BIG };
#define PL__POSTING_LIST_MAX 64
#define PL__POSTING_TAIL     29

struct pl__posting_big {
    roaring_bitmap_t *r;
    bool unsettled;
    uint32_t n_tail;
    uint32_t tail[PL__POSTING_TAIL];
};
struct pl__posting {
    uint32_t n;
    uint8_t kind, cap_log2;
    union {
        uint32_t few[2];
        uint32_t *list;
        struct pl__posting_big *big;
    } u;
};

/** Postings with a tail. */
struct pl__unsettled {
    struct pl__posting_big **p;
    size_t n, cap;
};

/** Add ids [from, to), none of which is in yet. PL_ENOMEM. */
int pl__posting_add(struct pl__posting *p, uint32_t from, uint32_t to, struct pl__unsettled *un);
/** Take one id out; fine if absent. Settled. */
void pl__posting_remove(struct pl__posting *p, uint32_t id);
void pl__posting_fini(struct pl__posting *p);
size_t pl__posting_bytes(const struct pl__posting *p);
void pl__postings_settle(struct pl__unsettled *un);

/* What follows is for settled postings. */
bool pl__posting_has(const struct pl__posting *p, uint32_t id);
/** The ids as a bitmap: borrowed where there is one, else made (*owned). NULL: out of memory. */
const roaring_bitmap_t *pl__posting_bitmap(const struct pl__posting *p, bool *owned);
/** The ids where there are few, ascending; NULL: there is a bitmap. */
const uint32_t *pl__posting_list(const struct pl__posting *p);
/** Union into r, which is to be repaired (roaring_bitmap_repair_after_lazy) before it is used;
 * lists must come before bitmaps. */
void pl__posting_or_lazy(roaring_bitmap_t *r, const struct pl__posting *p);
