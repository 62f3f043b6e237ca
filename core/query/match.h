/* Rows of both sides of an operator by their matching labels. */
#pragma once
#include "core/query/exec.h"

/** Keys of one side: which rows have the key g: head[g], next[...], ended by UINT32_MAX. */
struct pl__keys {
    struct pl__index index; /* keys in the arena */
    uint32_t *key;          /* of each row */
    uint32_t *head, *next;
};
/** The labels on(...) keeps, or all but those of ignoring(...) and the name; without memory
 *  pl__keys_make says so. */
struct pl__names pl__match_names(struct pl__exec *ex, const struct pl__matching *m);
int pl__keys_make(struct pl__exec *ex, const struct pl__rows *r, const struct pl__names *names,
                  bool on, struct pl__keys *out);
/** The key of a label set among those of k, or PL__INDEX_NONE. */
size_t pl__keys_find(const struct pl__keys *k, pl_str labels, const struct pl__names *names,
                     bool on, struct pl_buf *scratch);
static inline void pl__keys_fini(struct pl__keys *k) { pl__index_fini(&k->index); }
