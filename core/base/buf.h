/* Growable byte buffer. A failed allocation is sticky: write on, ask `failed` once at the end.
 * Owned by one thread at a time. */
#pragma once
#include "core/base/str.h"
#include <stdarg.h>

struct pl_buf {
    uint8_t *p;
    size_t n, cap;
    bool failed;
};

#define PL_BUF_INIT ((struct pl_buf){0})

void pl_buf_fini(struct pl_buf *b); /* frees; b is empty and usable after */
static inline void pl_buf_clear(struct pl_buf *b) { b->n = 0, b->failed = false; }
/** Room for `more` further bytes; the place to write at, or NULL (then failed is set). */
uint8_t *pl_buf_reserve(struct pl_buf *b, size_t more);
void pl_buf_add(struct pl_buf *b, const void *p, size_t n);
static inline void pl_buf_str(struct pl_buf *b, pl_str s) { pl_buf_add(b, s.p, s.n); }
static inline void pl_buf_z(struct pl_buf *b, const char *z) { pl_buf_add(b, z, strlen(z)); }
void pl_buf_u8(struct pl_buf *b, uint8_t x);
void pl_buf_u32(struct pl_buf *b, uint32_t x); /* little-endian */
void pl_buf_u64(struct pl_buf *b, uint64_t x);
void pl_buf_varint(struct pl_buf *b, uint64_t x);
void pl_buf_f(struct pl_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline pl_str pl_buf_view(const struct pl_buf *b) { return (pl_str){(char *)b->p, b->n}; }
