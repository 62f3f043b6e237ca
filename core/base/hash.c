/* XXH3 by its authors' header. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/base/hash.h"

uint64_t pl_hash64(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

uint64_t pl_xxh64(const void *p, size_t n, uint64_t seed) { return XXH64(n ? p : "", n, seed); }

struct pl_hash128 pl_hash128(const void *p, size_t n, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(p, n, seed);
    return (struct pl_hash128){.lo = h.low64, .hi = h.high64};
}
