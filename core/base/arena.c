/* Bump allocator: a list of blocks, the newest first; each is twice as large as the one before it,
 * up to BLOCK_MAX. What does not fit a block of the usual size gets one of its own, behind the
 * first, so that the first goes on being filled. */
#include "core/base/arena.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MIN ((size_t)4 << 10)
#define BLOCK_MAX ((size_t)1 << 20)

struct pl_arena_block {
    struct pl_arena_block *next;
    size_t size, used;
    size_t pad; /* data is 16-byte aligned */
    unsigned char data[];
};

_Static_assert(sizeof(struct pl_arena_block) % 16 == 0, "blocks keep malloc's alignment");

void pl_arena_init(struct pl_arena *a, size_t limit_bytes)
{
    *a = (struct pl_arena){.limit = limit_bytes};
}

void pl_arena_fini(struct pl_arena *a)
{
    for (struct pl_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    a->head = NULL;
    a->used = 0;
}

void pl_arena_reset(struct pl_arena *a)
{
    struct pl_arena_block *keep = NULL;
    for (struct pl_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        if (b->size <= BLOCK_MAX && (!keep || b->size > keep->size)) {
            free(keep);
            keep = b;
        } else {
            free(b);
        }
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
    }
    a->head = keep;
    a->used = 0;
}

static struct pl_arena_block *block_new(struct pl_arena *a, size_t size)
{
    if (a->room && !a->room(a->room_ctx, sizeof(struct pl_arena_block) + size)) {
        a->refused = true;
        return NULL;
    }
    struct pl_arena_block *b = malloc(sizeof *b + size);
    if (b) {
        *b = (struct pl_arena_block){.size = size};
    }
    return b;
}

/** A place for n bytes (a multiple of 16) in a new block. */
static void *alloc_slow(struct pl_arena *a, size_t n)
{
    size_t size = a->head ? a->head->size * 2 : BLOCK_MIN;
    size = size > BLOCK_MAX ? BLOCK_MAX : size;
    struct pl_arena_block *b;
    if (n > size / 2 && a->head) {
        b = block_new(a, n);
        if (!b) {
            return NULL;
        }
        b->next = a->head->next;
        a->head->next = b;
    } else {
        b = block_new(a, n > size ? n : size);
        if (!b) {
            return NULL;
        }
        b->next = a->head;
        a->head = b;
    }
    b->used = n;
    return b->data;
}

void *pl_arena_alloc(struct pl_arena *a, size_t n)
{
    if (n > SIZE_MAX / 2) {
        return NULL;
    }
    n = (n + 15) & ~(size_t)15;
    n = n ? n : 16;
    if (a->limit && n > a->limit - (a->used < a->limit ? a->used : a->limit)) {
        a->refused = true;
        return NULL;
    }
    struct pl_arena_block *b = a->head;
    void *p;
    if (b && b->size - b->used >= n) {
        p = b->data + b->used;
        b->used += n;
    } else {
        p = alloc_slow(a, n);
        if (!p) {
            return NULL;
        }
    }
    a->used += n;
    return p;
}

void *pl_arena_zalloc(struct pl_arena *a, size_t n)
{
    void *p = pl_arena_alloc(a, n);
    return p ? memset(p, 0, n) : NULL;
}

pl_str pl_arena_dup(struct pl_arena *a, pl_str s)
{
    char *p = s.n < SIZE_MAX ? pl_arena_alloc(a, s.n + 1) : NULL;
    if (!p) {
        return PL_STR_NULL;
    }
    if (s.n) {
        memcpy(p, s.p, s.n);
    }
    p[s.n] = '\0';
    return (pl_str){p, s.n};
}

pl_str pl_arena_f(struct pl_arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n >= 0 ? pl_arena_alloc(a, (size_t)n + 1) : NULL;
    if (!p) {
        return PL_STR_NULL;
    }
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return (pl_str){p, (size_t)n};
}
