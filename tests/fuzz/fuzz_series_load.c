/* Loading hostile series records: the input is a record's value, and once more the body of one,
 * with the CRC and the compression around it set right. What was loaded can be read and saved. */
#include "core/codec/codec.h"
#include "core/store/series.h"
#include <stdlib.h>

static int nothing(void *ctx, const struct pl_record *r)
{
    *(size_t *)ctx += r->value.n;
    return 0;
}

static void load(pl_str value)
{
    struct pl_series_conf conf = {0};
    struct pl_series *s;
    struct pl_buf b = PL_BUF_INIT;
    size_t n = 0;
    if (pl_series_new(&conf, &s) < 0) {
        return;
    }
    (void)pl_series_load_record(s, PL_STR("\0\0\0\2"), value);
    for (uint32_t id = 2048; id < 3072; id++) {
        pl_buf_clear(&b);
        if (pl_series_labels(s, id, &b) == 0 && b.n == 0) {
            abort();
        }
    }
    (void)pl_series_save(s, nothing, &n);
    pl_buf_fini(&b);
    pl_series_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    load(pl_str_mem(data, size));
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_u32(&b, 0);
    pl_buf_u8(&b, 1);
    if (pl_zstd_encode(pl_str_mem(data, size), 1, &b) == 0 && !b.failed) {
        pl_wr32(b.p, pl_crc32c(0, b.p + 4, b.n - 4));
        load(pl_buf_view(&b));
    }
    pl_buf_fini(&b);
    return 0;
}
