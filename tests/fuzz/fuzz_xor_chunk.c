/* Float chunks of remote read: any bytes give at most 65535 samples; what is read is written and
 * read again as it was. */
#include "core/codec/xor_chunk.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t *t = malloc(65535 * sizeof *t), *u = malloc(65535 * sizeof *u);
    double *v = malloc(65535 * sizeof *v), *w = malloc(65535 * sizeof *w);
    struct pl_buf b = PL_BUF_INIT;
    if (!t || !u || !v || !w) {
        abort();
    }
    int n = pl_xor_decode(pl_str_mem(data, size), t, v);
    if (n > 65535 || (n > 0 && pl_xor_encode(&b, t, v, (size_t)n) < 0) ||
        (n > 0 && pl_xor_decode(pl_buf_view(&b), u, w) != n)) {
        abort();
    }
    for (int i = 0; i < n; i++) {
        if (t[i] != u[i] || pl_f64_bits(v[i]) != pl_f64_bits(w[i])) {
            abort();
        }
    }
    pl_buf_fini(&b);
    free(t);
    free(u);
    free(v);
    free(w);
    return 0;
}
