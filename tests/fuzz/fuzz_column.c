/* Columns: the first byte chooses. Even: the rest is a column (the second and third byte its count)
 * that a decoder must survive. Odd: the rest are doubles (and, summed up, timestamps) that must
 * come back bit by bit. */
#include "core/codec/column.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const uint8_t *p, size_t size)
{
    int64_t t[PL_CHUNK_MAX];
    double v[PL_CHUNK_MAX];
    struct pl_chunk_summary s;
    size_t n = pl_rd16(p) % (PL_CHUNK_MAX + 2);
    pl_vcol_decode(p + 2, size - 2, n, v);
    pl_vcol_summary(p + 2, size - 2, n, &s);
    int got = pl_tcol_decode(p + 2, size - 2, n, t);
    for (size_t i = 1; got >= 0 && i < n; i++) {
        if (t[i] <= t[i - 1]) {
            abort();
        }
    }
}

static void round_trip(const uint8_t *p, size_t size, enum pl_effort effort)
{
    double v[PL_CHUNK_MAX], v2[PL_CHUNK_MAX];
    int64_t t[PL_CHUNK_MAX], t2[PL_CHUNK_MAX];
    size_t n = size / 8 < PL_CHUNK_MAX ? size / 8 : PL_CHUNK_MAX;
    uint64_t at = 0;
    struct pl_buf b = PL_BUF_INIT;
    memcpy(v, p, n * 8);
    for (size_t i = 0; i < n; i++) {
        at += 1 + (pl_f64_bits(v[i]) >> 16);
        t[i] = (int64_t)(at >> 2) + (int64_t)i;
    }
    if (n == 0) {
        return;
    }
    if (pl_vcol_encode(v, n, effort, &b) < 0 || pl_vcol_decode(b.p, b.n, n, v2) != (int)b.n ||
        memcmp(v, v2, n * 8) != 0) {
        abort();
    }
    pl_buf_clear(&b);
    int bytes = pl_tcol_encode(t, n, effort, &b);
    if (bytes >= 0 && (pl_tcol_decode(b.p, b.n, n, t2) != bytes || memcmp(t, t2, n * 8) != 0)) {
        abort();
    }
    pl_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    if (data[0] & 1) {
        round_trip(data + 1, size - 1, data[0] & 2 ? PL_EFFORT_SMALL : PL_EFFORT_FAST);
    } else {
        decode(data + 1, size - 1);
    }
    return 0;
}
