/* Bytes of a histogram: what is read has a sound structure and, put again, reads the same; its
 * layout and values join to the same. */
#include "core/model/histogram.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_buf put = PL_BUF_INIT, joined = PL_BUF_INIT;
    struct pl_histogram h, again;
    struct pl_arena a;
    size_t n_layout = 0;
    const char *why = NULL;
    pl_str bytes = pl_str_mem(data, size);
    pl_arena_init(&a, 0);
    int rc = pl_histogram_get(bytes, &a, &h), n = pl_histogram_layout(bytes, &n_layout);
    double *v = n > 0 ? malloc((size_t)n * sizeof *v) : NULL;
    int values = v ? pl_histogram_values(bytes, n_layout, v, (size_t)n, 1) : PL_ECORRUPT;
    double plain;
    check((rc == 0 || pl_histogram_double(bytes, &plain)) == (values == 0));
    if (rc == 0) {
        check(n == (int)(3 + h.pos.n + h.neg.n));
        pl_histogram_check(&h, &why);
        check(pl_histogram_put(&put, &h) == 0);
        check(pl_histogram_get(pl_buf_view(&put), &a, &again) == 0);
        check(pl_histogram_layout(pl_buf_view(&put), &n_layout) == n);
        check(pl_histogram_join(&joined, (pl_str){(char *)put.p, n_layout}, v, (size_t)n, 1) == 0);
        check(pl_str_eq(pl_buf_view(&joined), pl_buf_view(&put)) == 1);
    }
    free(v);
    pl_arena_fini(&a);
    pl_buf_fini(&put);
    pl_buf_fini(&joined);
    return 0;
}
