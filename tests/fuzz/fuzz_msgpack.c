/* Msgpack: any bytes are walked within bounds; skipping takes what walking takes. */
#include "core/codec/msgpack.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_mp m = pl_mp(pl_str_mem(data, size)), s = m;
    struct pl_mp_val v;
    int rc;
    uint64_t sum = 0;
    while ((rc = pl_mp_next(&m, &v)) > 0) {
        if (m.p > m.end || (v.kind >= PL_MP_ARRAY && v.u > size)) {
            abort();
        }
        if (v.kind == PL_MP_STR || v.kind == PL_MP_BIN || v.kind == PL_MP_EXT) {
            sum += pl_hash64(v.s.p, v.s.n, sum);
        }
    }
    if (rc == 0 && m.p != m.end) {
        abort();
    }
    const uint8_t *before = s.p;
    while ((rc = pl_mp_skip(&s)) == 1) {
        struct pl_mp one = {before, s.p, before};
        double d;
        int64_t i;
        if (s.p <= before || s.p > s.end || pl_mp_skip(&one) != 1 || one.p != s.p) {
            abort();
        }
        one.p = before;
        if (pl_mp_i64(&one, &i) == 1 && one.p != s.p) {
            abort();
        }
        one.p = before;
        if (pl_mp_f64(&one, &d) == 1 && one.p != s.p) {
            abort();
        }
        before = s.p;
    }
    return s.p == before && sum != 1 ? 0 : -1;
}
