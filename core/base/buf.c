/* Growable byte buffer: doubles; the first failed allocation sticks and later writes do nothing. */
#include "core/base/buf.h"
#include "core/base/bits.h"
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN 64

void pl_buf_fini(struct pl_buf *b)
{
    free(b->p);
    *b = PL_BUF_INIT;
}

uint8_t *pl_buf_reserve(struct pl_buf *b, size_t more)
{
    if (b->failed) {
        return NULL;
    }
    if (b->p && b->cap - b->n >= more) {
        return b->p + b->n;
    }
    if (more > SIZE_MAX / 4 || b->n > SIZE_MAX / 4) {
        b->failed = true;
        return NULL;
    }
    size_t cap = b->cap ? b->cap * 2 : CAP_MIN;
    cap = cap < b->n + more ? b->n + more : cap;
    uint8_t *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return NULL;
    }
    b->p = p;
    b->cap = cap;
    return p + b->n;
}

void pl_buf_add(struct pl_buf *b, const void *p, size_t n)
{
    uint8_t *to = n ? pl_buf_reserve(b, n) : NULL;
    if (to) {
        memcpy(to, p, n);
        b->n += n;
    }
}

void pl_buf_u8(struct pl_buf *b, uint8_t x)
{
    uint8_t *to = pl_buf_reserve(b, 1);
    if (to) {
        *to = x;
        b->n += 1;
    }
}

void pl_buf_u32(struct pl_buf *b, uint32_t x)
{
    uint8_t *to = pl_buf_reserve(b, 4);
    if (to) {
        pl_wr32(to, x);
        b->n += 4;
    }
}

void pl_buf_u64(struct pl_buf *b, uint64_t x)
{
    uint8_t *to = pl_buf_reserve(b, 8);
    if (to) {
        pl_wr64(to, x);
        b->n += 8;
    }
}

void pl_buf_varint(struct pl_buf *b, uint64_t x)
{
    uint8_t *to = pl_buf_reserve(b, PL_VARINT_MAX);
    if (to) {
        b->n += pl_varint_put(to, x);
    }
}

void pl_buf_f(struct pl_buf *b, const char *fmt, ...)
{
    char *to = (char *)pl_buf_reserve(b, 1);
    if (!to) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(to, b->cap - b->n, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if ((size_t)n >= b->cap - b->n) {
        to = (char *)pl_buf_reserve(b, (size_t)n + 1);
        if (!to) {
            return;
        }
        va_start(ap, fmt);
        vsnprintf(to, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    b->n += (size_t)n;
}
