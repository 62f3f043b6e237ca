/* Remote read requests: any bytes are a request or an error in words. */
#include "core/api/read_request.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl__read_request r;
    char why[200] = "";
    int e = pl__read_request_parse(pl_str_mem(data, size), &r, why, sizeof(why));
    if (e == PL_EPARSE && !why[0]) {
        abort();
    }
    if (e == 0) {
        pl__read_request_fini(&r);
    }
    return 0;
}
