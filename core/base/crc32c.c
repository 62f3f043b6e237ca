/* CRC32C (Castagnoli, RFC 3720). On x86-64 with SSE4.2 and PCLMULQDQ three streams run at once,
 * because the instruction has a latency of three cycles, and their sums are joined by one
 * carry-less multiplication each; elsewhere eight tables take eight bytes a step.
 *
 * Joining: with A the sum of a block and n bytes behind it, A is to be multiplied by x^8n mod P.
 * The product of two reflected 32-bit polynomials, read as a reflected 64-bit one, is A K x, and
 * the instruction multiplies by x^32; so K = x^(8n-33) mod P, reflected. The test checks the
 * constants. Sources: Gopal et al., Fast CRC Computation for iSCSI Polynomial Using CRC32
 * Instruction, 2011; Kounavis, Berry: Novel Table Lookup-Based Algorithms for High-Performance CRC
 * Generation, 2008. */
#include "core/base/hash.h"
#include "core/base/bits.h"
#include <pthread.h>

#define POLY_REFLECTED 0x82f63b78u

static uint32_t table[8][256]; /* immutable after table_once */
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) {
            c = (c >> 1) ^ (c & 1 ? POLY_REFLECTED : 0);
        }
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int t = 1; t < 8; t++) {
            table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xff];
        }
    }
}

/** The portable version; declared in the test as well, which compares the two. */
uint32_t pl__crc32c_tables(uint32_t crc, const void *data, size_t n);

uint32_t pl__crc32c_tables(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    pthread_once(&table_once, table_init);
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t x = pl_rd64(p) ^ crc;
        crc = table[7][x & 0xff] ^ table[6][x >> 8 & 0xff] ^ table[5][x >> 16 & 0xff] ^
              table[4][x >> 24 & 0xff] ^ table[3][x >> 32 & 0xff] ^ table[2][x >> 40 & 0xff] ^
              table[1][x >> 48 & 0xff] ^ table[0][x >> 56];
    }
    for (; n; n--, p++) {
        crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
    }
    return ~crc;
}

#ifdef __x86_64__
#include <immintrin.h>

#define LONG     2048
#define LONG_K2  0x82f89c77u /* over two blocks */
#define LONG_K1  0xa51b6135u /* over one */
#define SHORT    128
#define SHORT_K2 0xb9e02b86u
#define SHORT_K1 0x0d3b6092u

/** Three blocks of `block` bytes each at p, joined. */
__attribute__((target("sse4.2,pclmul"))) static inline uint64_t
three_blocks(uint64_t a, const uint8_t *p, size_t block, uint32_t k2, uint32_t k1)
{
    uint64_t b = 0, c = 0;
    for (size_t i = 0; i < block; i += 8) {
        a = _mm_crc32_u64(a, pl_rd64(p + i));
        b = _mm_crc32_u64(b, pl_rd64(p + block + i));
        c = _mm_crc32_u64(c, pl_rd64(p + 2 * block + i));
    }
    __m128i keys = _mm_set_epi64x(k1, k2);
    __m128i join = _mm_xor_si128(_mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)a), keys, 0x00),
                                 _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)b), keys, 0x10));
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(join)) ^ c;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc32c_sse42(uint32_t crc,
                                                                      const void *data, size_t n)
{
    const uint8_t *p = data;
    uint64_t c = (uint32_t)~crc;
    for (; n >= 3 * LONG; n -= 3 * LONG, p += 3 * LONG) {
        c = three_blocks(c, p, LONG, LONG_K2, LONG_K1);
    }
    for (; n >= 3 * SHORT; n -= 3 * SHORT, p += 3 * SHORT) {
        c = three_blocks(c, p, SHORT, SHORT_K2, SHORT_K1);
    }
    for (; n >= 8; n -= 8, p += 8) {
        c = _mm_crc32_u64(c, pl_rd64(p));
    }
    for (; n; n--, p++) {
        c = _mm_crc32_u8((uint32_t)c, *p);
    }
    return ~(uint32_t)c;
}
#endif

uint32_t pl_crc32c(uint32_t crc, const void *p, size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
        return crc32c_sse42(crc, p, n);
    }
#endif
    return pl__crc32c_tables(crc, p, n);
}
