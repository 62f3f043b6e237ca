/* Interned labels: every distinct (name, value) has a number, its canonical bytes and its posting
 * list; every name has its labels and the series that carry it. Never forgotten one by one, so that
 * bytes can be borrowed without the lock; series_tidy.c replaces the whole. Inside store's series
 * only; written by the apply thread under the series' lock. */
#pragma once
#include "core/model/model.h"
#include "core/store/postings.h"

/* Numbers found by hash: open addressing over {u32 tag, u32 number + 1}. The place goes by the
 * tag's high bits, so that growing by a quarter is one pass in order. */
struct pl__map {
    uint64_t *slot;
    uint32_t n, cap;
};
/** Next number (+ 1) with this tag, 0 at the end; *at is UINT64_MAX to begin with. */
uint32_t pl__map_next(const struct pl__map *m, uint32_t tag, uint64_t *at);
int pl__map_put(struct pl__map *m, uint32_t tag, uint32_t number);

struct pl__pair {
    const uint8_t *label; /* varint n | name | varint n | value */
    uint32_t n_label;
    uint32_t name;
    struct pl__posting post;
};
struct pl__name {
    pl_str s;
    uint32_t *pairs;
    uint32_t n, cap;
    uint32_t n_sorted;      /* of pairs, by value */
    struct pl__posting has; /* series with this name */
};

#define PL__PAIR_PAGE 1024
struct pl__symbols {
    struct pl__pair **pages;
    uint32_t n_pairs, n_pages, cap_pages;
    struct pl__name **names;
    uint32_t n_names, cap_names;
    struct pl__map pair_map, name_map;
    struct pl__chunk {
        struct pl__chunk *next;
        size_t n, cap;
        uint8_t p[];
    } * chunk;    /* of bytes, newest first */
    size_t bytes; /* of everything but postings */
};
static inline struct pl__pair *pl__pair(const struct pl__symbols *y, uint32_t pair)
{
    return &y->pages[pair / PL__PAIR_PAGE][pair % PL__PAIR_PAGE];
}
/** Value of an interned label. */
pl_str pl__pair_value(const struct pl__pair *p);

void pl__symbols_fini(struct pl__symbols *y);
/** Number of a label given by its canonical bytes, whose name is `name`; made if new. PL_ENOMEM. */
int pl__symbols_intern(struct pl__symbols *y, const uint8_t *label, size_t n_label, pl_str name,
                       uint32_t *pair);
/** Look up only: false if it was never seen. */
bool pl__symbols_find(const struct pl__symbols *y, pl_str name, pl_str value, uint32_t *pair);
bool pl__symbols_name(const struct pl__symbols *y, pl_str name, uint32_t *number);
