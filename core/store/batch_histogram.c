/* Histograms of a batch: their bytes stand beside the rows, which hold references to them. What
 * decoders write into v as it came may be a double that looks like such a reference; which rows are
 * ours is kept in a list, and the others are found by one scan when the batch is written. */
#include "core/store/columns.h"
#include "core/store/tenant.h"
#include <stdlib.h>

pl_str pl_batch_bytes(const struct pl_batch *b, double boxed)
{
    return pl_is_histogram(boxed) ? pl__boxed_bytes(pl_buf_view(&b->h), pl_histogram_ref(boxed))
                                  : PL_STR_NULL;
}

/** Append bytes behind their length. */
static int keep(struct pl_batch *b, pl_str bytes, double *boxed)
{
    size_t at = b->h.n;
    if (at + bytes.n + PL_VARINT_MAX > PL_BATCH_MAX_BYTES) {
        return PL_ELIMIT;
    }
    pl_buf_varint(&b->h, bytes.n);
    pl_buf_str(&b->h, bytes);
    if (b->h.failed) {
        b->h.n = at;
        b->h.failed = false;
        return PL_ENOMEM;
    }
    *boxed = pl_histogram_box(at);
    return 0;
}

/** Room for one more in the list, which forgets rows that were taken back. */
static int list_reserve(struct pl_batch *b)
{
    struct pl_batch_more *more = b->more;
    while (more->n_boxed && more->boxed[more->n_boxed - 1] >= b->n) {
        more->n_boxed--;
    }
    if (pl_grow(&more->boxed, more->n_boxed, &more->cap_boxed, sizeof *more->boxed) < 0) {
        return PL_ENOMEM;
    }
    return 0;
}

int pl_batch_add_histogram(struct pl_batch *b, uint32_t id, int64_t t, const struct pl_histogram *h)
{
    struct pl_batch_more *more = b->more;
    const char *why;
    double boxed;
    size_t at = b->h.n;
    if (t < b->t_min || t > b->t_max) {
        return t < b->t_min ? PL_ETOOOLD : PL_EFUTURE;
    }
    if (pl_histogram_check(h, &why) < 0) {
        return PL_EINVAL;
    }
    pl_buf_clear(&more->one);
    int rc = list_reserve(b);
    rc = rc < 0 ? rc : pl_histogram_put(&more->one, h);
    rc = rc < 0 ? rc : keep(b, pl_buf_view(&more->one), &boxed);
    rc = rc < 0 ? rc : pl_batch_add(b, id, t, boxed);
    if (rc < 0) {
        b->h.n = at;
        return rc;
    }
    more->boxed[more->n_boxed++] = (uint32_t)(b->n - 1);
    return 0;
}

int pl__batch_box(struct pl_batch *b)
{
    const struct pl_batch_more *more = b->more;
    int rc = 0;
    for (size_t i = 0, k = 0; i < b->n && rc >= 0; i++) {
        while (k < more->n_boxed && more->boxed[k] < i) {
            k++;
        }
        bool ours = k < more->n_boxed && more->boxed[k] == i;
        if (pl_is_histogram(b->v[i]) && !ours) {
            struct pl_buf *one = &b->more->one;
            pl_buf_clear(one);
            pl_histogram_put_double(one, b->v[i]);
            rc = one->failed ? PL_ENOMEM : keep(b, pl_buf_view(one), &b->v[i]);
        }
    }
    return rc;
}
