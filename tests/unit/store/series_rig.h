/* What the tests of series share: label sets by number, and a series table of them. */
#pragma once
#include "tests/unit/unit.h"
#include "core/store/series.h"
#include <stdio.h>
#include <stdlib.h>

/** Canonical labels of series i into b (cleared): hosts of ten, a label that not all have, one with
 *  a value of its own for each series. */
static inline void make_labels(struct pl_buf *b, uint32_t i)
{
    char metric[32], host[32], zone[32], uid[32];
    snprintf(metric, sizeof metric, "metric_%u", i % 10);
    snprintf(host, sizeof host, "h%u", i / 10);
    snprintf(zone, sizeof zone, "%s%u", i % 3 ? "zone-" : "", i % 3 ? i / 10 % 4 : 0);
    snprintf(uid, sizeof uid, "%08x", i * 2654435761u);
    struct pl_label l[] = {{PL_METRIC_NAME, pl_str_c(metric)},
                           {PL_STR("host"), pl_str_c(host)},
                           {PL_STR("job"), PL_STR("node")},
                           {PL_STR("uid"), pl_str_c(uid)},
                           {PL_STR("zone"), pl_str_c(i % 3 ? zone : "")}};
    pl_buf_clear(b);
    assert_true(pl_labels_canon(l, 5, b, NULL) > 0);
}

static inline struct pl_series *make_series(void)
{
    struct pl_series *s;
    struct pl_series_conf conf = {0};
    assert_int_equal(pl_series_new(&conf, &s), 0);
    return s;
}

/** Apply labels i as series id. */
static inline void apply_one(struct pl_series *s, uint32_t id, uint32_t i, bool replay)
{
    struct pl_buf b = PL_BUF_INIT;
    make_labels(&b, i);
    struct pl_series_def def = {.id = id, .canon = pl_buf_view(&b)};
    assert_int_equal(pl_series_apply(s, &def, 1, replay), 0);
    pl_buf_fini(&b);
}

/** Apply labels 0 .. n - 1 under the same ids, in batches. */
static inline void apply_many(struct pl_series *s, uint32_t n)
{
    struct pl_buf b[64] = {{0}};
    struct pl_series_def defs[64];
    for (uint32_t i = 0; i < n;) {
        size_t k = 0;
        for (; k < 64 && i < n; k++, i++) {
            make_labels(&b[k], i);
            defs[k] = (struct pl_series_def){.id = i, .canon = pl_buf_view(&b[k])};
        }
        assert_int_equal(pl_series_apply(s, defs, k, true), 0);
    }
    for (size_t k = 0; k < 64; k++) {
        pl_buf_fini(&b[k]);
    }
}
