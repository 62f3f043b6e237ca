/* Compressed bodies: the first byte chooses the decoder; nothing exceeds the limit. */
#include "core/codec/compress.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const decode[])(pl_str, size_t, struct pl_buf *) = {
        pl_snappy_decode, pl_zstd_decode, pl_gzip_decode, pl_deflate_decode};
    if (size == 0) {
        return 0;
    }
    struct pl_buf out = PL_BUF_INIT;
    pl_buf_z(&out, "kept");
    int rc = decode[data[0] % 4](pl_str_mem(data + 1, size - 1), MAX, &out);
    if (out.n < 4 || out.n > MAX + 4 || (rc < 0 && out.n != 4) || memcmp(out.p, "kept", 4) != 0) {
        abort();
    }
    pl_buf_fini(&out);
    return 0;
}
