/* Internal to codec: bit packing, and what the column files share. Any thread.
 *
 *     n values of w bits, the first in the lowest bits of the first byte; ceil(n * w / 8) bytes,
 *     unused high bits of the last byte are 0
 *
 * Eight values are w bytes whatever w is, so a group of eight is two (w <= 25) or four (w <= 57)
 * 16-byte loads, a byte shuffle, a shift per lane and a mask, with constants looked up by w. */
#pragma once
#include "core/codec/column.h"

#if defined(__x86_64__)
#define PL__X86 1
#endif

/** The number of bits of u, 0 for 0. */
static inline unsigned pl__bits(uint64_t u) { return u ? 64u - (unsigned)__builtin_clzll(u) : 0; }
static inline uint64_t pl__mask(unsigned w) { return w >= 64 ? UINT64_MAX : (1ULL << w) - 1; }
static inline size_t pl__packed_bytes(size_t n, unsigned w) { return (n * w + 7) / 8; }
/** Wrapping arithmetic: a column may hold any int64. */
static inline int64_t pl__wadd(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}
static inline int64_t pl__wsub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}
static inline int64_t pl__wmul(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

/** Pack u[0..n) (each below 2^w, w <= 64) into exactly pl__packed_bytes(n, w) bytes. */
void pl__pack_bits(const uint64_t *u, size_t n, unsigned w, uint8_t *out);
/** out[i] = base + value i (wrapping), from n_src bytes; nothing outside them is read.
 *  @return bytes used, or PL_ECORRUPT when n_src is too short. */
int pl__unpack_bits(const uint8_t *src, size_t n_src, size_t n, unsigned w, int64_t base,
                    int64_t *out);
/** The reference that the vector version is tested against. src holds pl__packed_bytes(n, w). */
void pl__unpack_scalar(const uint8_t *src, size_t n, unsigned w, int64_t base, int64_t *out);
#ifdef PL__X86
#define PL__AVX2 __attribute__((target("avx2")))
enum { PL__TAIL_BYTES = 256 };
/** Like it; src holds at least pl__packed_bytes(n, w) in its n_src bytes. 1 <= w <= 57. */
void pl__unpack_avx2(const uint8_t *src, size_t n_src, size_t n, unsigned w, int64_t base,
                     int64_t *out);
/** For w <= 25, at [w - 1]: eight values as 32-bit lanes, the lower four from a load at byte 0 of
 *  the group, the upper four from one at byte 4w / 8. */
extern const struct pl__narrow {
    uint8_t shuffle[32];
    uint32_t shift[8];
} pl__narrow[25];
#endif
/** Whether the machine runs the AVX2 and FMA versions. */
static inline bool pl__have_avx2(void)
{
#ifdef PL__X86
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}
