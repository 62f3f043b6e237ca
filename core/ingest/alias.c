/* See alias.h. Thread: the loop that owns it. */
#include "core/ingest/alias.h"
#include <stdlib.h>

static struct pl_hash128 key_of(const struct pl_alias *a, const void *p, size_t n)
{
    struct pl_hash128 h = pl_hash128(p, n, 0);
    h.lo ^= a->salt;
    return h;
}

void pl_alias_init(struct pl_alias *a, uint32_t max)
{
    *a = (struct pl_alias){.max = max, .last = PL_ALIAS_NONE};
}

void pl_alias_fini(struct pl_alias *a)
{
    free(a->entries);
    free(a->index);
    *a = (struct pl_alias){0};
}

void pl_alias_begin(struct pl_alias *a, const void *tenant, uint32_t generation,
                    enum pl_alias_format format)
{
    uint64_t key[3] = {(uint64_t)(uintptr_t)tenant, generation, (uint64_t)format};
    a->salt = pl_hash64(key, sizeof(key), 0);
}

static bool same(const struct pl_alias_entry *e, struct pl_hash128 h, size_t n)
{
    return e->lo == h.lo && e->hi == (uint32_t)h.hi && e->len == n;
}

uint32_t pl_alias_confirm(struct pl_alias *a, const void *p)
{
    uint32_t i = a->entries[a->last].next;
    const struct pl_alias_entry *e = &a->entries[i];
    if (!same(e, key_of(a, p, e->len), e->len)) {
        return PL_ALIAS_NONE;
    }
    a->last = i;
    return e->id;
}

/* The slot of the index that holds h, or the empty one where it belongs. */
static uint32_t slot_of(const struct pl_alias *a, struct pl_hash128 h, size_t n)
{
    uint32_t mask = a->n_index - 1;
    uint32_t s = (uint32_t)(h.lo >> 32) & mask;
    while (a->index[s] && !same(&a->entries[a->index[s] - 1], h, n)) {
        s = (s + 1) & mask;
    }
    return s;
}

static void follow(struct pl_alias *a, uint32_t i)
{
    if (a->last < a->n) {
        a->entries[a->last].next = i;
    }
    a->last = i;
}

uint32_t pl_alias_find(struct pl_alias *a, const void *p, size_t n)
{
    if (a->n == 0) {
        return PL_ALIAS_NONE;
    }
    uint32_t s = slot_of(a, key_of(a, p, n), n);
    if (!a->index[s]) {
        return PL_ALIAS_NONE;
    }
    follow(a, a->index[s] - 1);
    return a->entries[a->last].id;
}

static bool grow_entries(struct pl_alias *a)
{
    uint32_t cap = a->cap ? a->cap * 2 : 1024;
    void *e = realloc(a->entries, (size_t)cap * sizeof(*a->entries));
    if (!e) {
        return false;
    }
    a->entries = e;
    a->cap = cap;
    return true;
}

static bool grow_index(struct pl_alias *a)
{
    uint32_t n_index = a->n_index ? a->n_index * 2 : 2048;
    uint32_t *index = calloc(n_index, sizeof(*index));
    if (!index) {
        return false;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t s = (uint32_t)(a->entries[i].lo >> 32) & (n_index - 1);
        while (index[s]) {
            s = (s + 1) & (n_index - 1);
        }
        index[s] = i + 1;
    }
    free(a->index);
    a->index = index;
    a->n_index = n_index;
    return true;
}

void pl_alias_enter(struct pl_alias *a, const void *p, size_t n, uint32_t id)
{
    if (n > UINT32_MAX) {
        return;
    }
    if (a->n >= a->max) {
        a->n = 0;
        a->last = PL_ALIAS_NONE;
        memset(a->index, 0, a->n_index * sizeof(*a->index));
    }
    if ((a->n == a->cap && !grow_entries(a)) ||
        ((uint64_t)a->n_index < 2 * ((uint64_t)a->n + 1) && !grow_index(a))) {
        return;
    }
    struct pl_hash128 h = key_of(a, p, n);
    uint32_t s = slot_of(a, h, n);
    if (!a->index[s]) {
        a->entries[a->n] = (struct pl_alias_entry){
            .lo = h.lo, .hi = (uint32_t)h.hi, .id = id, .len = (uint32_t)n, .next = PL_ALIAS_NONE};
        a->index[s] = ++a->n;
    }
    follow(a, a->index[s] - 1);
}
