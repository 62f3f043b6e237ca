/* Msgpack: the cursor's general case and the writer (github.com/msgpack/msgpack, spec.md).
 *
 *     00-7f  fixint      c0 nil           c4-c6 bin 8,16,32     ca,cb  float 32,64
 *     80-8f  fixmap      c1 never used    c7-c9 ext 8,16,32     cc-cf  uint 8,16,32,64
 *     90-9f  fixarray    c2 false         d4-d8 fixext 1..16    d0-d3  int 8,16,32,64
 *     a0-bf  fixstr      c3 true          d9-db str 8,16,32     dc,dd array  de,df map  16,32
 *     e0-ff  negative fixint                                    numbers are big-endian */
#include "core/codec/msgpack.h"

static uint64_t be(const uint8_t *p, size_t n)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++) {
        x = x << 8 | p[i];
    }
    return x;
}

static double f32(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Payload of n bytes at p: STR, BIN and EXT. */
static int payload(struct pl_mp *m, const uint8_t *p, uint64_t n, enum pl_mp_kind kind,
                   struct pl_mp_val *out)
{
    if (n > (size_t)(m->end - p)) {
        return PL_EAGAIN;
    }
    out->kind = kind;
    out->s = pl_str_mem(p, n);
    m->p = p + n;
    return 1;
}

static int container(struct pl_mp *m, const uint8_t *p, uint64_t n, enum pl_mp_kind kind,
                     struct pl_mp_val *out)
{
    uint64_t least_bytes = kind == PL_MP_MAP ? 2 * n : n; /* n has 32 bits */
    if (least_bytes > (size_t)(m->end - p)) {
        return PL_EAGAIN;
    }
    out->kind = kind;
    out->u = n;
    m->p = p;
    return 1;
}

static int integer(struct pl_mp *m, const uint8_t *next, int64_t x, struct pl_mp_val *out)
{
    if (x < 0) {
        out->kind = PL_MP_INT;
        out->i = x;
    } else {
        out->kind = PL_MP_UINT;
        out->u = (uint64_t)x;
    }
    m->p = next;
    return 1;
}

/* Bytes behind the first one that the head of 0xc0..0xdf has: length, count or number. */
static const uint8_t head_bytes[32] = {
    0, 0, 0, 0, 1, 2, 4, 2, 3, 5, 4, 8, 1, 2, 4, 8, /* c0..cf */
    1, 2, 4, 8, 1, 1, 1, 1, 1, 1, 2, 4, 2, 4, 2, 4, /* d0..df */
};

int pl__mp_next(struct pl_mp *m, struct pl_mp_val *out)
{
    const uint8_t *p = m->p;
    if (p == m->end) {
        return 0;
    }
    uint8_t c = *p++;
    if (c < 0x80 || c >= 0xe0) {
        return integer(m, p, (int8_t)c, out);
    }
    if (c < 0x90) {
        return container(m, p, c & 15, PL_MP_MAP, out);
    }
    if (c < 0xa0) {
        return container(m, p, c & 15, PL_MP_ARRAY, out);
    }
    if (c < 0xc0) {
        return payload(m, p, c & 31, PL_MP_STR, out);
    }
    size_t n = head_bytes[c - 0xc0];
    if ((size_t)(m->end - p) < n) {
        return PL_EAGAIN;
    }
    uint64_t x = be(p, n);
    const uint8_t *q = p + n;
    switch (c) {
    case 0xc0:
        out->kind = PL_MP_NIL;
        m->p = p;
        return 1;
    case 0xc2:
    case 0xc3:
        out->kind = PL_MP_BOOL;
        out->b = c == 0xc3;
        m->p = p;
        return 1;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return payload(m, q, x, PL_MP_BIN, out);
    case 0xc7:
    case 0xc8:
    case 0xc9:
        out->ext = (int8_t)(x & 0xff); /* the type stands behind the length */
        return payload(m, q, x >> 8, PL_MP_EXT, out);
    case 0xca:
        out->kind = PL_MP_F64;
        out->f = f32((uint32_t)x);
        m->p = q;
        return 1;
    case 0xcb:
        out->kind = PL_MP_F64;
        out->f = pl_bits_f64(x);
        m->p = q;
        return 1;
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        out->kind = PL_MP_UINT;
        out->u = x;
        m->p = q;
        return 1;
    case 0xd0:
        return integer(m, q, (int8_t)x, out);
    case 0xd1:
        return integer(m, q, (int16_t)x, out);
    case 0xd2:
        return integer(m, q, (int32_t)x, out);
    case 0xd3:
        return integer(m, q, (int64_t)x, out);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        out->ext = (int8_t)x;
        return payload(m, q, 1u << (c - 0xd4), PL_MP_EXT, out);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return payload(m, q, x, PL_MP_STR, out);
    case 0xdc:
    case 0xdd:
        return container(m, q, x, PL_MP_ARRAY, out);
    case 0xde:
    case 0xdf:
        return container(m, q, x, PL_MP_MAP, out);
    default: /* 0xc1 */
        return PL_ECORRUPT;
    }
}

int pl_mp_skip(struct pl_mp *m)
{
    struct pl_mp at = *m;
    uint64_t left[PL_MP_DEPTH_MAX + 1]; /* values to come, per level */
    size_t depth = 0;
    left[0] = 1;
    for (;;) {
        struct pl_mp_val v;
        int rc = pl_mp_next(&at, &v);
        if (rc <= 0) {
            return rc ? rc : PL_EAGAIN;
        }
        left[depth]--;
        if ((v.kind == PL_MP_ARRAY || v.kind == PL_MP_MAP) && v.u > 0) {
            if (depth == PL_MP_DEPTH_MAX) {
                return PL_ELIMIT;
            }
            left[++depth] = v.kind == PL_MP_MAP ? 2 * v.u : v.u;
        }
        while (left[depth] == 0) {
            if (depth == 0) {
                m->p = at.p;
                return 1;
            }
            depth--;
        }
    }
}

int pl__mp_f64(struct pl_mp *m, double *out)
{
    struct pl_mp at = *m;
    struct pl_mp_val v;
    int rc = pl_mp_next(&at, &v);
    if (rc <= 0) {
        return rc ? rc : PL_EAGAIN;
    }
    switch (v.kind) {
    case PL_MP_F64:
        *out = v.f;
        break;
    case PL_MP_UINT:
        *out = (double)v.u;
        break;
    case PL_MP_INT:
        *out = (double)v.i;
        break;
    default:
        return PL_EINVAL;
    }
    m->p = at.p;
    return 1;
}

int pl__mp_i64(struct pl_mp *m, int64_t *out)
{
    struct pl_mp at = *m;
    struct pl_mp_val v;
    int rc = pl_mp_next(&at, &v);
    if (rc <= 0) {
        return rc ? rc : PL_EAGAIN;
    }
    if (v.kind == PL_MP_UINT && v.u <= INT64_MAX) {
        *out = (int64_t)v.u;
    } else if (v.kind == PL_MP_INT) {
        *out = v.i;
    } else if (v.kind == PL_MP_F64 && v.f >= -0x1p63 && v.f < 0x1p63 &&
               (double)(int64_t)v.f == v.f) {
        *out = (int64_t)v.f;
    } else {
        return PL_EINVAL;
    }
    m->p = at.p;
    return 1;
}

/* --- writer --- */

/* A first byte and n big-endian bytes of x. */
static void head(struct pl_buf *b, uint8_t c, uint64_t x, size_t n)
{
    uint8_t *p = pl_buf_reserve(b, 9);
    if (!p) {
        return;
    }
    *p = c;
    for (size_t i = 0; i < n; i++) {
        p[1 + i] = (uint8_t)(x >> (8 * (n - 1 - i)));
    }
    b->n += 1 + n;
}

/* A length or count: 8 bits with c8 (0: there is none), 16 and 32 with the two codes above it. */
static void sized(struct pl_buf *b, uint8_t c8, uint8_t c16, uint64_t n)
{
    if (n < 0x100 && c8) {
        head(b, c8, n, 1);
    } else if (n < 0x10000) {
        head(b, c16, n, 2);
    } else if (n <= UINT32_MAX) {
        head(b, (uint8_t)(c16 + 1), n, 4);
    } else {
        b->failed = true; /* the format ends here */
    }
}

void pl_mp_w_nil(struct pl_buf *b) { pl_buf_u8(b, 0xc0); }

void pl_mp_w_bool(struct pl_buf *b, bool x) { pl_buf_u8(b, x ? 0xc3 : 0xc2); }

void pl_mp_w_int(struct pl_buf *b, int64_t x)
{
    if (x >= 0) {
        pl_mp_w_uint(b, (uint64_t)x);
    } else if (x >= -32) {
        pl_buf_u8(b, (uint8_t)x);
    } else if (x >= INT8_MIN) {
        head(b, 0xd0, (uint64_t)x, 1);
    } else if (x >= INT16_MIN) {
        head(b, 0xd1, (uint64_t)x, 2);
    } else if (x >= INT32_MIN) {
        head(b, 0xd2, (uint64_t)x, 4);
    } else {
        head(b, 0xd3, (uint64_t)x, 8);
    }
}

void pl_mp_w_uint(struct pl_buf *b, uint64_t x)
{
    if (x < 0x80) {
        pl_buf_u8(b, (uint8_t)x);
    } else if (x < 0x100) {
        head(b, 0xcc, x, 1);
    } else if (x < 0x10000) {
        head(b, 0xcd, x, 2);
    } else if (x <= UINT32_MAX) {
        head(b, 0xce, x, 4);
    } else {
        head(b, 0xcf, x, 8);
    }
}

void pl_mp_w_f64(struct pl_buf *b, double x) { head(b, 0xcb, pl_f64_bits(x), 8); }

void pl_mp_w_str(struct pl_buf *b, pl_str s)
{
    if (s.n < 32) {
        pl_buf_u8(b, (uint8_t)(0xa0 | s.n));
    } else {
        sized(b, 0xd9, 0xda, s.n);
    }
    pl_buf_str(b, s);
}

void pl_mp_w_bin(struct pl_buf *b, pl_str s)
{
    sized(b, 0xc4, 0xc5, s.n);
    pl_buf_str(b, s);
}

void pl_mp_w_ext(struct pl_buf *b, int8_t type, pl_str s)
{
    if (s.n > 0 && s.n <= 16 && (s.n & (s.n - 1)) == 0) {
        pl_buf_u8(b, (uint8_t)(0xd4 + __builtin_ctz((unsigned)s.n)));
    } else {
        sized(b, 0xc7, 0xc8, s.n);
    }
    pl_buf_u8(b, (uint8_t)type);
    pl_buf_str(b, s);
}

void pl_mp_w_array(struct pl_buf *b, uint32_t n)
{
    if (n < 16) {
        pl_buf_u8(b, (uint8_t)(0x90 | n));
    } else {
        sized(b, 0, 0xdc, n);
    }
}

void pl_mp_w_map(struct pl_buf *b, uint32_t n)
{
    if (n < 16) {
        pl_buf_u8(b, (uint8_t)(0x80 | n));
    } else {
        sized(b, 0, 0xde, n);
    }
}
