/* Histograms for tests of store, by number: of a few layouts, whole and of floats; some numbers
 * stand for a plain double that carries the tag. */
#pragma once
#include "core/model/model.h"
#include "tests/unit/unit.h"

struct made_histogram {
    struct pl_hspan spans[2];
    double count[4];
    struct pl_histogram h;
};

static inline bool histogram_is_plain(uint64_t k) { return k % 50 == 13; }

static inline void histogram_make(uint64_t k, struct made_histogram *x)
{
    const char *why = NULL;
    x->spans[0] = (struct pl_hspan){(int32_t)(k / 200 % 3), 2};
    x->spans[1] = (struct pl_hspan){3, (uint32_t)(k / 100 % 2) + 1};
    x->h = (struct pl_histogram){.schema = (int8_t)(k / 50 % 3),
                                 .zero_threshold = 0x1p-128,
                                 .reset = k / 100 % 2,
                                 .floats = k / 300 % 2,
                                 .zero_count = (double)(k % 7),
                                 .sum = (double)k * 1.5,
                                 .pos = {x->spans, x->count, 2, 2 + x->spans[1].length}};
    x->h.count = x->h.zero_count;
    for (uint32_t i = 0; i < x->h.pos.n; i++) {
        x->count[i] = (double)(k * (i + 1) % 1000) + (x->h.floats ? 0.5 : 0);
        x->h.count += x->count[i];
    }
    if (pl_histogram_check(&x->h, &why) < 0) {
        fail_msg("%s", why);
    }
}

/** What stands behind a boxed value. */
static inline void histogram_bytes(uint64_t k, struct pl_buf *out)
{
    struct made_histogram x;
    histogram_make(k, &x);
    if (histogram_is_plain(k)) {
        pl_histogram_put_double(out, pl_histogram_box(k));
    } else {
        assert_int_equal(pl_histogram_put(out, &x.h), 0);
    }
}

static inline bool is_histogram(pl_str bytes, uint64_t k)
{
    struct pl_buf b = PL_BUF_INIT;
    histogram_bytes(k, &b);
    bool same = pl_str_eq(bytes, pl_buf_view(&b));
    pl_buf_fini(&b);
    return same;
}
