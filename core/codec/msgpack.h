/* A msgpack cursor for ingest: no objects, no allocation, 100M values/s (dependencies.md, 3), and a
 * small writer. */
#pragma once
#include "core/base/base.h"

enum pl_mp_kind {
    PL_MP_NIL, PL_MP_BOOL, PL_MP_INT, PL_MP_UINT, PL_MP_F64, PL_MP_STR, PL_MP_BIN, PL_MP_EXT,
    PL_MP_ARRAY, PL_MP_MAP,
};
struct pl_mp {
    const uint8_t *p, *end, *begin;
};
struct pl_mp_val {
    enum pl_mp_kind kind;
    int8_t ext;     /* EXT */
    union {
        bool b;
        int64_t i;  /* INT: negative only */
        uint64_t u; /* UINT; ARRAY: elements; MAP: pairs */
        double f;   /* also from float32 */
    };
    pl_str s;       /* STR, BIN, EXT payload; borrowed */
};
static inline struct pl_mp pl_mp(pl_str s)
{
    const uint8_t *b = (const uint8_t *)s.p;
    return (struct pl_mp){b, b + s.n, b};
}
/** One value's head (for ARRAY and MAP its elements follow). 1, 0 at the end, PL_EAGAIN when cut
 *  short, PL_ECORRUPT (0xc1). A count larger than the bytes left could hold is PL_ECORRUPT. */
int pl_mp_next(struct pl_mp *m, struct pl_mp_val *out);
int pl_mp_skip(struct pl_mp *m); /* one whole value; depth at most 64 */
/** A number of any kind as double / as int64 (integral floats too); PL_EINVAL for others. */
int pl_mp_f64(struct pl_mp *m, double *out);
int pl_mp_i64(struct pl_mp *m, int64_t *out);

void pl_mp_w_nil(struct pl_buf *b);
void pl_mp_w_bool(struct pl_buf *b, bool x);
void pl_mp_w_int(struct pl_buf *b, int64_t x);
void pl_mp_w_uint(struct pl_buf *b, uint64_t x);
void pl_mp_w_f64(struct pl_buf *b, double x);
void pl_mp_w_str(struct pl_buf *b, pl_str s);
void pl_mp_w_bin(struct pl_buf *b, pl_str s);
void pl_mp_w_ext(struct pl_buf *b, int8_t type, pl_str s);
void pl_mp_w_array(struct pl_buf *b, uint32_t n);
void pl_mp_w_map(struct pl_buf *b, uint32_t n);
