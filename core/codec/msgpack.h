/* A msgpack cursor for ingest: no objects, no allocation, 100M values/s (dependencies.md, 3), and a
 * small writer. The format: msgpack's spec.md; heads are big-endian. Any thread, one cursor each.
 *
 * Whatever cannot be read leaves the cursor where it was. */
#pragma once
#include "core/base/base.h"

enum pl_mp_kind {
    PL_MP_NIL,
    PL_MP_BOOL,
    PL_MP_INT,
    PL_MP_UINT,
    PL_MP_F64,
    PL_MP_STR,
    PL_MP_BIN,
    PL_MP_EXT,
    PL_MP_ARRAY,
    PL_MP_MAP,
};
struct pl_mp {
    const uint8_t *p, *end, *begin;
};
struct pl_mp_val {
    enum pl_mp_kind kind;
    int8_t ext; /* EXT */
    union {
        bool b;
        int64_t i;  /* INT: negative only */
        uint64_t u; /* UINT; ARRAY: elements; MAP: pairs */
        double f;   /* also from float32 */
    };
    pl_str s; /* STR, BIN, EXT payload; borrowed */
};
#define PL_MP_DEPTH_MAX 64
static inline struct pl_mp pl_mp(pl_str s)
{
    const uint8_t *b = (const uint8_t *)s.p;
    return (struct pl_mp){b, s.n ? b + s.n : b, b};
}
/** The general cases of the functions below, same contracts. */
int pl__mp_next(struct pl_mp *m, struct pl_mp_val *out);
int pl__mp_f64(struct pl_mp *m, double *out);
int pl__mp_i64(struct pl_mp *m, int64_t *out);

/** One value's head (for ARRAY and MAP its elements follow). 1, 0 at the end, PL_EAGAIN when cut
 *  short, PL_ECORRUPT (0xc1). A count larger than the bytes left could hold is cut short too, so a
 *  count that was read never exceeds the input; a whole body takes PL_EAGAIN as corrupt. */
static inline int pl_mp_next(struct pl_mp *m, struct pl_mp_val *out)
{
    if (m->p < m->end) {
        uint8_t c = *m->p;
        size_t left = (size_t)(m->end - m->p) - 1;
        if (c < 0x80) {
            out->kind = PL_MP_UINT;
            out->u = c;
            m->p++;
            return 1;
        }
        if (c >= 0xa0 && c < 0xc0 && left >= (c & 31u)) {
            out->kind = PL_MP_STR;
            out->s = pl_str_mem(m->p + 1, c & 31u);
            m->p += 1 + (c & 31u);
            return 1;
        }
        if (c == 0xcb && left >= 8) {
            out->kind = PL_MP_F64;
            out->f = pl_bits_f64(__builtin_bswap64(pl_rd64(m->p + 1)));
            m->p += 9;
            return 1;
        }
        if (c == 0xcf && left >= 8) {
            out->kind = PL_MP_UINT;
            out->u = __builtin_bswap64(pl_rd64(m->p + 1));
            m->p += 9;
            return 1;
        }
    }
    return pl__mp_next(m, out);
}
/** One whole value. As pl_mp_next, but PL_EAGAIN at the end; PL_ELIMIT deeper than
 *  PL_MP_DEPTH_MAX; 1 when skipped. Thus also: is a whole value there? */
int pl_mp_skip(struct pl_mp *m);
/** A number of any kind as double / as int64 (integral floats too); PL_EINVAL for others and for
 *  what does not fit, PL_EAGAIN at the end or cut short, PL_ECORRUPT. 1 when read. */
static inline int pl_mp_f64(struct pl_mp *m, double *out)
{
    if (m->end - m->p >= 9 && *m->p == 0xcb) {
        *out = pl_bits_f64(__builtin_bswap64(pl_rd64(m->p + 1)));
        m->p += 9;
        return 1;
    }
    return pl__mp_f64(m, out);
}
static inline int pl_mp_i64(struct pl_mp *m, int64_t *out)
{
    if (m->end - m->p >= 9 && *m->p == 0xcf && m->p[1] < 0x80) {
        *out = (int64_t)__builtin_bswap64(pl_rd64(m->p + 1));
        m->p += 9;
        return 1;
    }
    return pl__mp_i64(m, out);
}

/* Writers append, always in the shortest form; a failed allocation is the buffer's to tell. */
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
