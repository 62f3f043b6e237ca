/* A chunk of samples that are many numbers each: native histograms. What they share stands once;
 * every number is a column of its own, so the count of a bucket over time is coded as a counter is.
 *
 *     hcol  = varint bytes | layout | varint n_cols | n_cols x value column (vcol.c)
 *
 * What the layout means is the store's and the model's (model/histogram.h). Pure; any thread. */
#include "core/codec/hcol.h"
#include "core/codec/pack.h"

static bool fits(uint64_t n_cols, size_t n)
{
    return n_cols >= 1 && n_cols <= PL_HCOL_VALUES && (n == 1 || n_cols * n <= PL_HCOL_VALUES);
}

int pl__hcol_encode(pl_str layout, const double *v, uint32_t n_cols, size_t n,
                    enum pl_effort effort, struct pl_buf *out)
{
    size_t at = out->n;
    if (n == 0 || n > PL_CHUNK_MAX || !fits(n_cols, n)) {
        return PL_EINVAL;
    }
    pl_buf_varint(out, layout.n);
    pl_buf_str(out, layout);
    pl_buf_varint(out, n_cols);
    int err = out->failed ? PL_ENOMEM : 0;
    for (uint32_t c = 0; c < n_cols && err >= 0; c++) {
        err = pl_vcol_encode(v + (size_t)c * n, n, effort, out);
    }
    if (err < 0) {
        out->n = at;
        return err;
    }
    return (int)(out->n - at);
}

int pl__hcol_decode(const uint8_t *src, size_t n_src, size_t n, struct pl_buf *room, pl_str *layout,
                    uint32_t *n_cols, const double **v)
{
    const uint8_t *p = src, *end = src + n_src;
    uint64_t bytes, cols;
    p = pl_varint_get(p, end, &bytes);
    if (!p || bytes > (size_t)(end - p)) {
        return PL_ECORRUPT;
    }
    *layout = pl_str_mem(p, (size_t)bytes);
    p = pl_varint_get(p + bytes, end, &cols);
    if (!p || cols > (size_t)(end - p) || !fits(cols, n)) {
        return PL_ECORRUPT;
    }
    pl_buf_clear(room);
    /* a column is decoded into room for a whole chunk: the last one needs some behind it */
    double *to = (double *)pl_buf_reserve(room, ((size_t)cols * n + PL_CHUNK_MAX) * sizeof *to);
    if (!to) {
        return PL_ENOMEM;
    }
    for (uint64_t c = 0; c < cols; c++) {
        int used = pl_vcol_decode(p, (size_t)(end - p), n, to + c * n);
        if (used < 0) {
            return PL_ECORRUPT;
        }
        p += used;
    }
    *n_cols = (uint32_t)cols;
    *v = to;
    return p == end ? 0 : PL_ECORRUPT;
}
