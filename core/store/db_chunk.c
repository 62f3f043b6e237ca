/* Samples of a series <-> chunks of a pack. Floats are what they are in memory; a run of histograms
 * with one layout is transposed, so that the count of each bucket is a column over time. A series
 * that changes its type or layout goes on in another chunk. Pure; any thread. */
#include "core/store/db.h"

/** A histogram as columns hold it. */
struct cell {
    pl_str bytes;
    size_t n_layout;
    int n_values; /* 0: not one that can be read */
};

static struct cell look(const struct pl_columns *c, size_t i)
{
    struct cell x = {.bytes = pl_columns_histogram(c, c->v[i])};
    int n = x.bytes.n ? pl_histogram_layout(x.bytes, &x.n_layout) : 0;
    x.n_values = n > 0 ? n : 0;
    return x;
}

/** Samples from i on that are plain, at most max. */
static size_t floats(const struct pl_columns *c, size_t i, size_t max)
{
    size_t k = 0;
    while (k < max && !pl_is_histogram(c->v[i + k])) {
        k++;
    }
    return k;
}

/** Samples from i on with the layout of x, at most max. */
static size_t alike(const struct pl_columns *c, size_t i, size_t max, const struct cell *x)
{
    size_t k = 1;
    while (k < max && pl_is_histogram(c->v[i + k])) {
        pl_str b = pl_columns_histogram(c, c->v[i + k]);
        if (b.n < x->n_layout || memcmp(b.p, x->bytes.p, x->n_layout) != 0) {
            break;
        }
        k++;
    }
    return k;
}

/** A reference to nothing that can be read: kept as the double it is. */
static int add_double(struct pl_pack_writer *w, uint32_t id, const int64_t *t, double v)
{
    const char layout[1] = {(char)PL_HISTOGRAM_DOUBLE};
    int err = pl_pack_add_histograms(w, id, t, 1, (pl_str){layout, 1}, &v, 1);
    return err < 0 ? err : 1;
}

static int add_histograms(struct pl_pack_writer *w, uint32_t id, const struct pl_columns *c,
                          size_t from, size_t n, struct pl_buf *cells)
{
    struct cell x = look(c, from);
    if (x.n_values == 0) {
        return add_double(w, id, c->t + from, c->v[from]);
    }
    size_t most = PL_HCOL_VALUES / (size_t)x.n_values;
    most = most < 1 ? 1 : most > PL_CHUNK_MAX ? PL_CHUNK_MAX : most;
    size_t k = alike(c, from, n < 2 * most ? n : 2 * most, &x);
    if (k >= 2 * most) {
        k = most;
    } else if (k > most) { /* two of one size, rather than a whole one and a rest */
        k = (k + 1) / 2;
    }
    pl_buf_clear(cells);
    double *v = (double *)pl_buf_reserve(cells, k * (size_t)x.n_values * sizeof *v);
    if (!v) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < k; i++) {
        pl_str b = pl_columns_histogram(c, c->v[from + i]);
        if (pl_histogram_values(b, x.n_layout, v + i, (size_t)x.n_values, k) < 0) {
            return i == 0 ? add_double(w, id, c->t + from, c->v[from])
                          : add_histograms(w, id, c, from, i, cells);
        }
    }
    int err = pl_pack_add_histograms(w, id, c->t + from, k, (pl_str){x.bytes.p, x.n_layout}, v,
                                     (uint32_t)x.n_values);
    return err < 0 ? err : (int)k;
}

int pl__chunk_add(struct pl_pack_writer *w, uint32_t id, const struct pl_columns *c, size_t from,
                  size_t n, size_t max, struct pl_buf *cells)
{
    size_t k = n < max ? n : max;
    if (c->h.n) {
        k = floats(c, from, k);
    }
    if (k == 0) {
        return add_histograms(w, id, c, from, n, cells);
    }
    int err = pl_pack_add(w, id, c->t + from, c->v + from, k);
    return err < 0 ? err : (int)k;
}

static int take_histograms(struct pl_pack *p, uint32_t i, struct pl_columns *out)
{
    pl_str layout;
    const double *v;
    uint32_t n_values;
    size_t n_layout, bytes = out->h.n;
    int n = pl_pack_histograms(p, i, &layout, &v, &n_values);
    if (n < 0) {
        return n;
    }
    if (pl_histogram_layout(layout, &n_layout) != (int)n_values || n_layout != layout.n) {
        return PL_ECORRUPT;
    }
    struct pl_buf one = PL_BUF_INIT;
    int err = 0;
    for (int k = 0; k < n && err >= 0; k++) {
        pl_buf_clear(&one);
        err = pl_histogram_join(&one, layout, v + k, n_values, (size_t)n);
        err = err < 0 ? err : pl_columns_keep(out, pl_buf_view(&one), &out->v[out->n + (size_t)k]);
    }
    pl_buf_fini(&one);
    if (err < 0) {
        out->h.n = bytes;
        return err;
    }
    return n;
}

int pl__chunk_take(struct pl_pack *p, uint32_t i, struct pl_columns *out)
{
    int n;
    if (pl_columns_reserve(out, PL_CHUNK_MAX) < 0) {
        return PL_ENOMEM;
    }
    switch (p->chunks[i].type) {
    case PL_SAMPLE_FLOAT:
        n = pl_pack_decode(p, i, out->t + out->n, out->v + out->n);
        break;
    case PL_SAMPLE_HISTOGRAM: {
        const int64_t *t;
        n = pl_pack_times(p, i, &t);
        if (n >= 0) {
            memcpy(out->t + out->n, t, (size_t)n * sizeof *t);
            n = take_histograms(p, i, out);
        }
        break;
    }
    default:
        return PL_ECORRUPT; /* of a later version */
    }
    out->n += n < 0 ? 0 : (size_t)n;
    return n;
}
