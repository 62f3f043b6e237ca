/* Durations: what is read is written in a text that reads back the same. */
#include "core/model/duration.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t ms, again;
    if (pl_duration_parse(pl_str_mem(data, size), &ms) == 0) {
        struct pl_buf b = PL_BUF_INIT;
        pl_duration_text(ms, &b);
        if (ms < 0 || pl_duration_parse(pl_buf_view(&b), &again) < 0 || again != ms) {
            abort();
        }
        pl_buf_fini(&b);
    }
    return 0;
}
