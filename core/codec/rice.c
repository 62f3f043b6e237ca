/* Rice coding (Golomb with a power of two, Rice and Plaunt 1971), laid out for decoding: remainders
 * are bit packed and come out of the vector unpacker, quotients stand in one bitmap and are found
 * by counting trailing zeros word by word. For residuals near a geometric or a normal distribution
 * it stays within 1-2 % of their entropy. Format in stream.h. Any thread. */
#include "core/codec/stream.h"

size_t pl__rice_bytes(const uint64_t *u, size_t n, unsigned k)
{
    uint64_t bits = n;
    for (size_t i = 0; i < n; i++) {
        bits += u[i] >> k;
    }
    return pl__packed_bytes(n, k) + (bits + 7) / 8;
}

void pl__rice_put(const uint64_t *u, size_t n, unsigned k, struct pl_buf *out)
{
    uint64_t rest[PL_CHUNK_MAX], mask = pl__mask(k);
    size_t n_rest = pl__packed_bytes(n, k), n_all = pl__rice_bytes(u, n, k);
    uint8_t *p = pl_buf_reserve(out, n_all);
    if (!p) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        rest[i] = u[i] & mask;
    }
    pl__pack_bits(rest, n, k, p);
    memset(p + n_rest, 0, n_all - n_rest);
    size_t at = 0;
    for (size_t i = 0; i < n; i++, at++) {
        at += u[i] >> k;
        p[n_rest + (at >> 3)] |= (uint8_t)(1u << (at & 7));
    }
    out->n += n_all;
}

const uint8_t *pl__rice_get(const uint8_t *p, const uint8_t *end, size_t n, unsigned k, int64_t *u)
{
    int used = pl__unpack_bits(p, (size_t)(end - p), n, k, 0, u);
    if (used < 0) {
        return NULL;
    }
    p += used;
    size_t i = 0, left = (size_t)(end - p);
    uint64_t at = 0, prev = (uint64_t)-1; /* bit position of this word; of the last one found */
    while (i < n && at / 8 + 8 <= left) {
        uint64_t word = pl_rd64(p + at / 8);
        size_t ones = (size_t)__builtin_popcountll(word), take = ones < n - i ? ones : n - i;
        for (size_t j = 0; j < take; j++) {
            uint64_t pos = at + (unsigned)__builtin_ctzll(word);
            word &= word - 1;
            u[i + j] |= (int64_t)((pos - prev - 1) << k);
            prev = pos;
        }
        i += take;
        at += 64;
    }
    for (; i < n; at += 8) {
        if (at / 8 >= left) {
            return NULL;
        }
        for (unsigned byte = p[at / 8]; byte && i < n; byte &= byte - 1) {
            uint64_t pos = at + (unsigned)__builtin_ctz(byte);
            u[i++] |= (int64_t)((pos - prev - 1) << k);
            prev = pos;
        }
    }
    return p + (n ? prev / 8 + 1 : 0);
}
