/* The stream: any bytes are cut into messages, whose samples have a series and an accepted time. */
#include "tests/unit/ingest/fake_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fake *f = fake_new();
    struct pl_session *s;
    struct pl_stream_msg m;
    char why[200];
    int e = 0;
    if (pl_session_new(&f->tenant, &s) < 0) {
        abort();
    }
    for (size_t used = 0; e >= 0 && used < size;) {
        int64_t k = pl_stream_next(data + used, size - used, &m, why, sizeof(why));
        if (k == PL_EAGAIN || k == PL_EPARSE) {
            break;
        }
        if (k <= 0 || (size_t)k > size - used) {
            abort();
        }
        if (m.kind == PL_STREAM_DEFINE) {
            e = pl_stream_define(f->g, &m, &f->tenant, s, why, sizeof(why));
        } else if (m.kind != PL_STREAM_HELLO) {
            fake_next(f);
            e = pl_stream_samples(f->g, &m, s, f->b, &f->r);
            fake_check(f, e);
        }
        used += (size_t)k;
    }
    pl_session_free(s);
    fake_free(f);
    return 0;
}
