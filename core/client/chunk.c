/* perilune/chunk.h: a pack of one series, over core/codec. Any thread. */
#include "perilune/chunk.h"
#include "core/codec/codec.h"
#include <stdlib.h>

int pl_chunk_encode(const int64_t *t, const double *v, size_t n, int small, void **out,
                    size_t *n_out)
{
    struct pl_pack_writer *w;
    struct pl_buf b = PL_BUF_INIT;
    if (n == 0) {
        return PL_EINVAL;
    }
    int e = pl_pack_writer_new(small ? PL_EFFORT_SMALL : PL_EFFORT_FAST, &w);
    if (e < 0) {
        return e;
    }
    e = pl_pack_add(w, 0, t, v, n);
    e = e < 0 ? e : pl_pack_finish(w, &b);
    pl_pack_writer_free(w);
    if (e < 0) {
        pl_buf_fini(&b);
        return e;
    }
    *out = b.p;
    *n_out = b.n;
    return 0;
}

int pl_chunk_count(const void *src, size_t n_src, size_t *n)
{
    struct pl_pack p;
    pl_pack_init(&p);
    int e = pl_pack_open(&p, src, n_src);
    if (e >= 0) {
        *n = 0;
        for (uint32_t i = 0; i < p.n_chunks; i++) {
            *n += p.chunks[i].n;
        }
    }
    pl_pack_fini(&p);
    return e < 0 ? e : 0;
}

int pl_chunk_decode(const void *src, size_t n_src, int64_t *t, double *v, size_t room, size_t *n)
{
    int64_t ts[PL_CHUNK_MAX];
    double vs[PL_CHUNK_MAX];
    struct pl_pack p;
    size_t at = 0;
    pl_pack_init(&p);
    int e = pl_pack_open(&p, src, n_src);
    if (e >= 0 && p.first_id != p.last_id) {
        e = PL_ECORRUPT; /* of several series: not one of ours */
    }
    for (uint32_t i = 0; e >= 0 && i < p.n_chunks; i++) {
        e = p.chunks[i].n > room - at ? PL_ELIMIT : pl_pack_decode(&p, i, ts, vs);
        if (e > 0) {
            memcpy(t + at, ts, (size_t)e * sizeof(*t));
            memcpy(v + at, vs, (size_t)e * sizeof(*v));
            at += (size_t)e;
        }
    }
    pl_pack_fini(&p);
    if (e < 0) {
        return e;
    }
    *n = at;
    return 0;
}
