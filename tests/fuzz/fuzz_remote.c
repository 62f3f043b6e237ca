/* Remote write: any protobuf leaves a batch whose rows have a series and an accepted time. */
#include "tests/unit/ingest/fake_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fake *f = fake_new();
    pl_str body = pl_str_mem(data, size);
    for (int round = 0; round < 2; round++) { /* cold, then by the alias cache */
        fake_next(f);
        fake_check(f, pl_ingest_remote_write(f->g, body, f->b, &f->r));
    }
    fake_free(f);
    return 0;
}
