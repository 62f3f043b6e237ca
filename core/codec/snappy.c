/* Snappy bodies. Block format by libsnappy; the framed format (framing_format.txt) around it here:
 *
 *     stream = ff 06 00 00 "sNaPpY" chunk*
 *     chunk  = u8 type | u24 length | body       type 00: u32 masked CRC32C | block
 *                                                     01: u32 masked CRC32C | bytes as they are
 *                                                     80..fe: skipped, 02..7f: refused */
#include "core/codec/compress.h"
#include <snappy-c.h>

#define FRAME_BLOCK_MAX 65536
#define STREAM_ID       PL_STR("\xff\x06\x00\x00sNaPpY")
/* A copy element makes 64 bytes of 3, so no honest block grows more than this. */
#define RATIO_MAX 22

static int decode_block(pl_str src, size_t max, struct pl_buf *out)
{
    size_t n;
    if (snappy_uncompressed_length(src.p, src.n, &n) != SNAPPY_OK) {
        return PL_ECORRUPT;
    }
    if (n > max) {
        return PL_ELIMIT;
    }
    if (n > src.n * RATIO_MAX) {
        return PL_ECORRUPT;
    }
    uint8_t *p = pl_buf_reserve(out, n + 1);
    if (!p) {
        return PL_ENOMEM;
    }
    if (snappy_uncompress(src.p, src.n, (char *)p, &n) != SNAPPY_OK) {
        return PL_ECORRUPT;
    }
    out->n += n;
    return 0;
}

static int decode_chunk(uint8_t type, pl_str body, size_t max, struct pl_buf *out)
{
    if (type >= 0x80) {
        bool odd_id = type == 0xff && !pl_str_eq(body, PL_STR("sNaPpY"));
        return odd_id ? PL_ECORRUPT : 0;
    }
    if (type > 1 || body.n < 4) {
        return PL_ECORRUPT;
    }
    size_t before = out->n, most = max < FRAME_BLOCK_MAX ? max : FRAME_BLOCK_MAX;
    uint32_t masked = pl_rd32(body.p);
    pl_str data = pl_str_mem(body.p + 4, body.n - 4);
    if (type == 0) {
        int rc = decode_block(data, most, out);
        if (rc < 0) {
            return rc == PL_ELIMIT && max >= FRAME_BLOCK_MAX ? PL_ECORRUPT : rc;
        }
    } else if (data.n > most) {
        return max >= FRAME_BLOCK_MAX ? PL_ECORRUPT : PL_ELIMIT;
    } else {
        pl_buf_str(out, data);
        if (out->failed) {
            return PL_ENOMEM;
        }
    }
    uint32_t crc = pl_crc32c(0, out->p + before, out->n - before);
    return masked == (crc >> 15 | crc << 17) + 0xa282ead8u ? 0 : PL_ECORRUPT;
}

static int decode_framed(pl_str src, size_t max, struct pl_buf *out)
{
    size_t before = out->n;
    for (size_t at = 0; at < src.n;) {
        if (src.n - at < 4) {
            return PL_ECORRUPT;
        }
        size_t n = pl_rd32(src.p + at) >> 8;
        if (n > src.n - at - 4) {
            return PL_ECORRUPT;
        }
        int rc = decode_chunk((uint8_t)src.p[at], pl_str_mem(src.p + at + 4, n),
                              max - (out->n - before), out);
        if (rc < 0) {
            return rc;
        }
        at += 4 + n;
    }
    return 0;
}

int pl_snappy_decode(pl_str src, size_t max, struct pl_buf *out)
{
    size_t before = out->n;
    bool framed = src.n >= STREAM_ID.n && memcmp(src.p, STREAM_ID.p, STREAM_ID.n) == 0;
    int rc = framed ? decode_framed(src, max, out) : decode_block(src, max, out);
    if (rc < 0) {
        out->n = before;
    }
    return rc;
}

int pl_snappy_encode(pl_str src, struct pl_buf *out)
{
    size_t n = snappy_max_compressed_length(src.n);
    uint8_t *p = pl_buf_reserve(out, n);
    if (!p) {
        return PL_ENOMEM;
    }
    if (snappy_compress(src.p ? src.p : "", src.n, (char *)p, &n) != SNAPPY_OK) {
        return PL_EINVAL;
    }
    out->n += n;
    return 0;
}
