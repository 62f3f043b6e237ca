/* The histograms section of a SAMPLES payload: the bytes that boxed values of its rows refer to, by
 * their offset in the section. Any thread.
 *
 *   histograms   ( varint n | n bytes of a histogram )*                  docs/formats.md#histogram
 */
#include "core/store/columns.h"
#include "core/store/frame.h"

#define SECTION_HEAD 5

int pl_frame_add_histograms(struct pl_buf *out, pl_str bytes)
{
    size_t at = out->n;
    pl_buf_u8(out, PL_SECTION_HISTOGRAMS);
    pl_buf_u32(out, (uint32_t)bytes.n);
    pl_buf_str(out, bytes);
    if (out->failed || bytes.n > UINT32_MAX - SECTION_HEAD) {
        out->n = at;
        out->failed = false;
        return PL_ENOMEM;
    }
    return 0;
}

int pl_frame_histograms(pl_str section, struct pl_rows *r)
{
    if (r->h.n) {
        return PL_ECORRUPT;
    }
    pl_buf_str(&r->h, section);
    if (r->h.failed) {
        pl_buf_clear(&r->h);
        return PL_ENOMEM;
    }
    return 0;
}

/** Can the bytes be read whole? */
static bool sound(pl_str bytes)
{
    size_t n_layout;
    double any;
    int n = bytes.n ? pl_histogram_layout(bytes, &n_layout) : 0;
    return n > 0 && pl_histogram_values(bytes, n_layout, &any, (size_t)n, 0) == 0;
}

int pl_rows_settle(struct pl_rows *r)
{
    if (!pl__has_boxed(r->v, r->n)) {
        pl_buf_clear(&r->h);
        return 0;
    }
    for (size_t i = 0; i < r->n; i++) {
        if (!pl_is_histogram(r->v[i]) ||
            sound(pl__boxed_bytes(pl_buf_view(&r->h), pl_histogram_ref(r->v[i])))) {
            continue;
        }
        size_t at = r->h.n;
        pl_buf_varint(&r->h, 1 + sizeof r->v[i]);
        pl_histogram_put_double(&r->h, r->v[i]);
        if (r->h.failed) {
            r->h.n = at;
            r->h.failed = false;
            return PL_ENOMEM;
        }
        r->v[i] = pl_histogram_box(at);
    }
    return 0;
}
