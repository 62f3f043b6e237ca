/* XXH3 (stable since xxHash 0.8) for hashes in memory and on disk, CRC32C (Castagnoli, RFC 3720)
 * for everything written to disk. Any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_hash128 {
    uint64_t lo, hi;
};
static inline bool pl_hash128_eq(struct pl_hash128 a, struct pl_hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}
uint64_t pl_hash64(const void *p, size_t n, uint64_t seed);
/** The elder XXH64, where others' hashes have to be met. */
uint64_t pl_xxh64(const void *p, size_t n, uint64_t seed);
struct pl_hash128 pl_hash128(const void *p, size_t n, uint64_t seed);
/** Continue `crc` (0 to begin) over n bytes: pl_crc32c(0, "123456789", 9) == 0xe3069283.
 *  SSE4.2 where the CPU has it, tables elsewhere. */
uint32_t pl_crc32c(uint32_t crc, const void *p, size_t n);
