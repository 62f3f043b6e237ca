/* Gzip (RFC 1952), zlib (RFC 1950) and raw deflate (RFC 1951) bodies, by zlib. */
#include "core/codec/compress.h"
#include <stdlib.h>
#include <zlib.h>

#define WINDOW_AUTO (15 + 32) /* gzip or zlib, told by the header */
#define WINDOW_GZIP (15 + 16)
#define WINDOW_RAW  (-15)
#define ROOM_BYTES  ((size_t)64 << 10)
#define STEP_MAX    (1u << 30) /* zlib counts in unsigned int */

static int error_of(int z) { return z == Z_MEM_ERROR ? PL_ENOMEM : PL_ECORRUPT; }

/* Room to write into: twice what is there, within the limit and one byte over it, by which too
 * much is told from just enough. */
static int grow(struct pl_buf *out, size_t before, size_t hint, size_t max, z_stream *z)
{
    size_t have = out->n - before, most = max - have + 1, want = have ? have : hint;
    if (want < 4096) {
        want = 4096;
    }
    if (want > most) {
        want = most;
    }
    if (want > STEP_MAX) {
        want = STEP_MAX;
    }
    z->next_out = pl_buf_reserve(out, want);
    z->avail_out = (unsigned)want;
    return z->next_out ? 0 : PL_ENOMEM;
}

/* One stream or, where members may be joined, all of them. */
static int inflate_all(z_stream *z, pl_str src, bool joined, size_t max, struct pl_buf *out)
{
    size_t before = out->n, left = src.n;
    z->next_in = (Bytef *)(uintptr_t)src.p;
    for (;;) {
        if (z->avail_in == 0 && left > 0) {
            z->avail_in = left < STEP_MAX ? (unsigned)left : STEP_MAX;
            left -= z->avail_in;
        }
        int rc = grow(out, before, src.n < max / 4 ? src.n * 4 : max, max, z);
        if (rc < 0) {
            return rc;
        }
        unsigned room = z->avail_out;
        int s = inflate(z, Z_NO_FLUSH);
        out->n += room - z->avail_out;
        if (out->n - before > max) {
            return PL_ELIMIT;
        }
        bool all_read = z->avail_in == 0 && left == 0;
        if (s == Z_STREAM_END) {
            if (all_read) {
                return 0;
            }
            if (!joined || inflateReset(z) != Z_OK) {
                return PL_ECORRUPT;
            }
        } else if (s != Z_OK && !(s == Z_BUF_ERROR && !all_read)) {
            return error_of(s); /* no progress at the end of input: cut short */
        } else if (all_read && z->avail_out > 0) {
            return PL_ECORRUPT;
        }
    }
}

static int decode(pl_str src, int window, bool joined, size_t max, struct pl_buf *out)
{
    size_t before = out->n;
    z_stream z = {0};
    if (src.n == 0) {
        return PL_ECORRUPT;
    }
    int s = inflateInit2(&z, window);
    if (s != Z_OK) {
        return error_of(s);
    }
    max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2;
    int rc = inflate_all(&z, src, joined, max, out);
    inflateEnd(&z);
    if (rc < 0) {
        out->n = before;
    }
    return rc;
}

int pl_gzip_decode(pl_str src, size_t max, struct pl_buf *out)
{
    return decode(src, WINDOW_AUTO, true, max, out);
}

int pl_deflate_decode(pl_str src, size_t max, struct pl_buf *out)
{
    /* "deflate" in HTTP means zlib, yet some senders leave its header out; two bytes tell, and a
     * raw stream that looks like a header by chance is no zlib stream. */
    bool zlib = src.n >= 2 && (src.p[0] & 15) == 8 &&
                ((unsigned)(uint8_t)src.p[0] << 8 | (uint8_t)src.p[1]) % 31 == 0;
    int rc = zlib ? decode(src, 15, false, max, out) : PL_ECORRUPT;
    return rc == PL_ECORRUPT ? decode(src, WINDOW_RAW, false, max, out) : rc;
}

int pl_gzip_encode(pl_str src, int level, struct pl_buf *out)
{
    z_stream z = {0};
    if (src.n > STEP_MAX) {
        return PL_ELIMIT;
    }
    if (deflateInit2(&z, level, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return level < 0 || level > 9 ? PL_EINVAL : PL_ENOMEM;
    }
    size_t bound = deflateBound(&z, src.n);
    uint8_t *p = pl_buf_reserve(out, bound);
    int rc = PL_ENOMEM;
    if (p) {
        z.next_in = (Bytef *)(uintptr_t)src.p;
        z.avail_in = (unsigned)src.n;
        z.next_out = p;
        z.avail_out = (unsigned)bound;
        rc = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : PL_EINVAL;
        out->n += rc == 0 ? bound - z.avail_out : 0;
    }
    deflateEnd(&z);
    return rc;
}

struct pl_gzip {
    z_stream z;
    bool ended;
};

struct pl_gzip *pl_gzip_new(int level)
{
    struct pl_gzip *z = calloc(1, sizeof(*z));
    if (z && (level < 1 || level > 9 ||
              deflateInit2(&z->z, level, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)) {
        free(z);
        return NULL;
    }
    return z;
}

int pl_gzip_add(struct pl_gzip *gz, pl_str src, bool last, struct pl_buf *out)
{
    z_stream *z = &gz->z;
    size_t before = out->n, left = src.n;
    if (gz->ended) {
        return PL_EINVAL;
    }
    if (src.n == 0 && !last) {
        return 0; /* a second flush in a row would only add bytes */
    }
    z->next_in = (Bytef *)(uintptr_t)src.p;
    z->avail_in = 0;
    do {
        if (z->avail_in == 0 && left > 0) {
            z->avail_in = left < STEP_MAX ? (unsigned)left : STEP_MAX;
            left -= z->avail_in;
        }
        z->next_out = pl_buf_reserve(out, ROOM_BYTES);
        if (!z->next_out) {
            out->n = before;
            return PL_ENOMEM;
        }
        z->avail_out = (unsigned)ROOM_BYTES;
        int s = deflate(z, left ? Z_NO_FLUSH : last ? Z_FINISH : Z_SYNC_FLUSH);
        out->n += ROOM_BYTES - z->avail_out;
        gz->ended = s == Z_STREAM_END;
    } while (left || z->avail_in || z->avail_out == 0 || (last && !gz->ended));
    return 0;
}

void pl_gzip_free(struct pl_gzip *z)
{
    if (z) {
        deflateEnd(&z->z);
        free(z);
    }
}
