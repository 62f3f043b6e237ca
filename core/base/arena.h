/* Bump allocator for one request or query: no frees, one fini. Owned by one thread at a time. */
#pragma once
#include "core/base/str.h"

struct pl_arena {
    struct pl_arena_block *head;
    size_t used, limit; /* bytes handed out; 0 = no limit */
    bool refused;       /* something was, for the limit or by `room` */
    /** Asked before a block of so many bytes is taken: false refuses it. May be NULL. */
    bool (*room)(void *ctx, size_t bytes);
    void *room_ctx;
};

void pl_arena_init(struct pl_arena *a, size_t limit_bytes);
void pl_arena_fini(struct pl_arena *a);
void pl_arena_reset(struct pl_arena *a); /* keeps one block */
/** 16-byte aligned, not zeroed. NULL when over the limit or out of memory. */
void *pl_arena_alloc(struct pl_arena *a, size_t n);
void *pl_arena_zalloc(struct pl_arena *a, size_t n);
/** NUL-terminated copy (the NUL is not counted); p = NULL on failure. */
pl_str pl_arena_dup(struct pl_arena *a, pl_str s);
pl_str pl_arena_f(struct pl_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
