/* Packs: any bytes may be opened; with the checksum made good, so that what lies behind it is
 * reached, and every chunk of what opens may be decoded. */
#include "core/codec/pack.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_pack p;
    int64_t t[PL_CHUNK_MAX];
    double v[PL_CHUNK_MAX];
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, size);
    if (size > 4) {
        pl_wr32(copy, pl_crc32c(0, copy + 4, size - 4));
    }
    pl_pack_init(&p);
    uint32_t first, last, n, from, to;
    int64_t t0, t1;
    int peeked = pl_pack_peek(copy, size, &first, &last, &t0, &t1, &n);
    if (pl_pack_open(&p, copy, size) == 0) {
        if (peeked < 0 || n != p.n_chunks || first != p.first_id || last != p.last_id) {
            abort();
        }
        for (uint32_t i = 0; i < p.n_chunks; i++) {
            struct pl_chunk_summary s;
            int got = pl_pack_decode(&p, i, t, v);
            if (got > 0 && (t[0] != p.chunks[i].t0 || t[got - 1] != p.chunks[i].t1)) {
                abort();
            }
            pl_pack_summary(&p, i, &s);
            pl_str layout;
            const double *cols;
            uint32_t n_cols;
            got = pl_pack_histograms(&p, i, &layout, &cols, &n_cols);
            if (got > 0) { /* all of them can be read */
                memcpy(v, cols + (size_t)(n_cols - 1) * (size_t)got, (size_t)got * sizeof *v);
            }
            if (pl_pack_find(&p, p.chunks[i].id, &from, &to) < 0 || from > i || to <= i) {
                abort();
            }
        }
    }
    pl_pack_fini(&p);
    free(copy);
    return 0;
}
