/* Zstandard bodies (RFC 8878), by libzstd: frames that state their size straight into the buffer,
 * others streamed. */
#include "core/codec/compress.h"
#include <zstd.h>
#include <zstd_errors.h>

/* What any decoder should grant (RFC 8878, 3.1.1.1.2), and what this one grants at most. */
#define WINDOW_LOG_LEAST 23
#define WINDOW_LOG_MOST  27

static int window_log(size_t max)
{
    int log = WINDOW_LOG_LEAST;
    while (log < WINDOW_LOG_MOST && (size_t)1 << log < max) {
        log++;
    }
    return log;
}

/* One frame of unknown size; *used bytes of src were read. */
static int decode_stream(ZSTD_DCtx *ctx, pl_str src, size_t max, struct pl_buf *out, size_t *used)
{
    ZSTD_inBuffer in = {src.p, src.n, 0};
    size_t before = out->n;
    if (ZSTD_isError(ZSTD_DCtx_reset(ctx, ZSTD_reset_session_only)) ||
        ZSTD_isError(ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, window_log(max)))) {
        return PL_EINVAL;
    }
    for (;;) {
        size_t have = out->n - before, most = max - have + 1, want = have ? have : src.n * 4;
        want = want < 4096 ? 4096 : want;
        want = want > most ? most : want;
        uint8_t *p = pl_buf_reserve(out, want);
        if (!p) {
            return PL_ENOMEM;
        }
        ZSTD_outBuffer o = {p, want, 0};
        size_t rc = ZSTD_decompressStream(ctx, &o, &in);
        out->n += o.pos;
        if (out->n - before > max) {
            return PL_ELIMIT;
        }
        if (ZSTD_isError(rc)) {
            bool window = ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge;
            return window ? PL_ELIMIT : PL_ECORRUPT;
        }
        if (rc == 0) {
            *used = in.pos;
            return 0;
        }
        if (in.pos == in.size && o.pos < o.size) {
            return PL_ECORRUPT; /* cut short */
        }
    }
}

static int decode_frame(ZSTD_DCtx *ctx, pl_str src, size_t max, struct pl_buf *out, size_t *used)
{
    unsigned long long n = ZSTD_getFrameContentSize(src.p, src.n);
    if (n == ZSTD_CONTENTSIZE_ERROR) {
        return PL_ECORRUPT;
    }
    if (n == ZSTD_CONTENTSIZE_UNKNOWN) {
        return decode_stream(ctx, src, max, out, used);
    }
    if (n > max) {
        return PL_ELIMIT;
    }
    size_t frame = ZSTD_findFrameCompressedSize(src.p, src.n);
    if (ZSTD_isError(frame)) {
        return PL_ECORRUPT;
    }
    uint8_t *p = pl_buf_reserve(out, n + 1);
    if (!p) {
        return PL_ENOMEM;
    }
    size_t got = ZSTD_decompressDCtx(ctx, p, n, src.p, frame);
    if (ZSTD_isError(got) || got != n) {
        return PL_ECORRUPT;
    }
    out->n += got;
    *used = frame;
    return 0;
}

int pl_zstd_decode_kept(void **kept, pl_str src, size_t max, struct pl_buf *out)
{
    size_t before = out->n;
    if (src.n == 0) {
        return PL_ECORRUPT;
    }
    ZSTD_DCtx *ctx = *kept ? *kept : ZSTD_createDCtx();
    if (!ctx) {
        return PL_ENOMEM;
    }
    *kept = ctx;
    int rc = 0;
    max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2;
    while (rc == 0 && src.n > 0) {
        size_t used = 0;
        rc = decode_frame(ctx, src, max - (out->n - before), out, &used);
        src = pl_str_mem(src.p + used, src.n - used);
    }
    if (rc < 0) {
        out->n = before;
    }
    return rc;
}

void pl_zstd_kept_free(void *kept) { ZSTD_freeDCtx(kept); }

int pl_zstd_decode(pl_str src, size_t max, struct pl_buf *out)
{
    void *kept = NULL;
    int rc = pl_zstd_decode_kept(&kept, src, max, out);
    pl_zstd_kept_free(kept);
    return rc;
}

int pl_zstd_encode(pl_str src, int level, struct pl_buf *out)
{
    size_t bound = ZSTD_compressBound(src.n);
    uint8_t *p = pl_buf_reserve(out, bound);
    if (!p) {
        return PL_ENOMEM;
    }
    size_t n = ZSTD_compress(p, bound, src.p, src.n, level);
    if (ZSTD_isError(n)) {
        return PL_ENOMEM;
    }
    out->n += n;
    return 0;
}
