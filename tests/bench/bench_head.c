/* Appends to the head: 100k series round robin and 1M series, ns a sample. */
#include "core/store/head.h"
#include <stdio.h>
#include <stdlib.h>

static void run(const char *name, uint32_t n_series, int rounds, bool shuffled)
{
    enum { BATCH = 10000 };
    uint32_t *order = malloc(n_series * sizeof *order);
    for (uint32_t i = 0; i < n_series; i++) {
        order[i] = i;
    }
    uint64_t x = 88172645463325252ull;
    for (uint32_t i = n_series - 1; shuffled && i > 0; i--) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint32_t k = (uint32_t)(x % (i + 1)), o = order[i];
        order[i] = order[k], order[k] = o;
    }
    static int64_t t[BATCH];
    static double v[BATCH];
    struct pl_head_gen *g;
    struct pl_head_counts c = {0};
    size_t done, total = 0;
    if (!order || pl_head_gen_new(&g) < 0) {
        return;
    }
    int64_t begin = pl_mono_ns(&pl_clock_real);
    for (int r = 0; r < rounds; r++) {
        for (uint32_t at = 0; at + BATCH <= n_series; at += BATCH) {
            for (int i = 0; i < BATCH; i++) {
                t[i] = 1700000000000 + r * 10000, v[i] = r + i;
            }
            done = 0;
            pl_head_append(g, order + at, t, v, BATCH, PL_STR_NULL, 1, NULL, &c, &done);
            total += BATCH;
        }
    }
    int64_t end = pl_mono_ns(&pl_clock_real);
    struct pl_columns col = {0};
    size_t n = 0;
    uint32_t id;
    for (uint32_t from = 0; pl_head_next(g, from, &id); from = id + 1) {
        pl_head_read(g, id, INT64_MIN, INT64_MAX, &col);
        n += col.n;
    }
    int64_t read = pl_mono_ns(&pl_clock_real);
    printf("%-28s append %6.1f ns/sample  read %6.1f ns/sample  %5.1f B/sample  %zu\n", name,
           (double)(end - begin) / (double)total, (double)(read - end) / (double)n,
           (double)pl_head_bytes(g) / (double)total, n);
    pl_columns_fini(&col);
    pl_head_gen_unref(g);
    free(order);
}

int main(void)
{
    run("100k series, in order x100", 100000, 100, false);
    run("100k series, shuffled x100", 100000, 100, true);
    run("1M series, in order x10", 1000000, 10, false);
    run("1M series, shuffled x10", 1000000, 10, true);
    return 0;
}
