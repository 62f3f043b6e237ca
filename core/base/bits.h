/* Unaligned little-endian access, varints (LEB128, as protobuf), zigzag. Any thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* clang-format off: one line each */
static inline uint16_t pl_rd16(const void *p)
{
    uint16_t x;
    memcpy(&x, p, 2);
    return x;
}
static inline uint32_t pl_rd32(const void *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}
static inline uint64_t pl_rd64(const void *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}
static inline double pl_rdf64(const void *p)
{
    double x;
    memcpy(&x, p, 8);
    return x;
}
static inline void pl_wr16(void *p, uint16_t x) { memcpy(p, &x, 2); }
static inline void pl_wr32(void *p, uint32_t x) { memcpy(p, &x, 4); }
static inline void pl_wr64(void *p, uint64_t x) { memcpy(p, &x, 8); }
static inline void pl_wrf64(void *p, double x) { memcpy(p, &x, 8); }
static inline uint64_t pl_f64_bits(double x)
{
    uint64_t u;
    memcpy(&u, &x, 8);
    return u;
}
static inline double pl_bits_f64(uint64_t u)
{
    double x;
    memcpy(&x, &u, 8);
    return x;
}
static inline uint64_t pl_zigzag(int64_t x) { return ((uint64_t)x << 1) ^ (uint64_t)(x >> 63); }
static inline int64_t pl_unzigzag(uint64_t x) { return (int64_t)(x >> 1) ^ -(int64_t)(x & 1); }
/* clang-format on */

#define PL_VARINT_MAX 10
/** Write at p (room for PL_VARINT_MAX); returns the byte count. */
static inline size_t pl_varint_put(uint8_t *p, uint64_t x)
{
    size_t n = 0;
    while (x >= 0x80) {
        p[n++] = (uint8_t)(x | 0x80);
        x >>= 7;
    }
    p[n++] = (uint8_t)x;
    return n;
}
/** Read from [p, end); returns the place behind it, or NULL if cut short or over 64 bits. */
static inline const uint8_t *pl_varint_get(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
    if (p < end && *p < 0x80) {
        *out = *p;
        return p + 1;
    }
    uint64_t x = 0;
    for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
        uint8_t b = *p++;
        if (shift == 63 && b > 1) {
            return NULL;
        }
        x |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *out = x;
            return p;
        }
    }
    return NULL;
}
