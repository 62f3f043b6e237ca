/* Chunked transfer coding:
 *
 *     chunked-body = *chunk last-chunk trailer-section CRLF
 *     chunk        = 1*HEXDIG [ ";" extension ] CRLF data CRLF
 *     last-chunk   = 1*"0" [ ";" extension ] CRLF
 *
 * Our own and not llhttp's, because Debian 12's llhttp 8.1.0 lets a bare CR end a line
 * (CVE-2023-30589) and lets extensions be endless (CVE-2024-22019). Here every line ends in CRLF, a
 * size has at most 15 digits, extensions and trailers are counted, checked for control bytes and
 * dropped. */
#include "core/net/chunked.h"

enum state {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER,
    TRAILER_LF,
    END_LF,
    DONE
};

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_text(uint8_t c) { return c == '\t' || (c >= 0x20 && c != 0x7f); }

/* One byte outside of data. @return the next state, or an error */
static int step(struct pl__chunked *c, uint8_t b)
{
    switch (c->state) {
    case SIZE:
        if (hex(b) >= 0) {
            c->left = c->left << 4 | (uint64_t)hex(b);
            return ++c->digits > 15 ? PL_EPARSE : SIZE;
        }
        if (c->digits == 0) {
            return PL_EPARSE;
        }
        return b == '\r' ? SIZE_LF : b == ';' || b == ' ' || b == '\t' ? EXTENSION : PL_EPARSE;
    case EXTENSION:
        return b == '\r' ? SIZE_LF : is_text(b) ? EXTENSION : PL_EPARSE;
    case SIZE_LF:
        return b != '\n' ? PL_EPARSE : c->left ? DATA : TRAILER_START;
    case DATA_CR:
        return b == '\r' ? DATA_LF : PL_EPARSE;
    case DATA_LF:
        c->digits = 0;
        return b == '\n' ? SIZE : PL_EPARSE;
    case TRAILER_START:
        return b == '\r' ? END_LF : b != ' ' && is_text(b) ? TRAILER : PL_EPARSE;
    case TRAILER:
        return b == '\r' ? TRAILER_LF : is_text(b) ? TRAILER : PL_EPARSE;
    case TRAILER_LF:
        return b == '\n' ? TRAILER_START : PL_EPARSE;
    case END_LF:
        return b == '\n' ? DONE : PL_EPARSE;
    default:
        return PL_EPARSE;
    }
}

int pl__chunked_read(struct pl__chunked *c, pl_str src, size_t *used, pl_str *data)
{
    size_t i = 0;
    *data = (pl_str){src.p, 0};
    while (i < src.n) {
        if (c->state == DATA) {
            size_t n = src.n - i < c->left ? src.n - i : (size_t)c->left;
            *data = (pl_str){src.p + i, n};
            c->left -= n;
            c->state = c->left ? DATA : DATA_CR;
            *used = i + n;
            return 0;
        }
        int next = step(c, (uint8_t)src.p[i]);
        if (next < 0) {
            return next;
        }
        i++;
        if ((next == EXTENSION || next == TRAILER) && ++c->overhead > PL__CHUNKED_OVERHEAD) {
            return PL_ELIMIT;
        }
        c->state = (uint8_t)next;
        if (next == DONE) {
            *used = i;
            return 1;
        }
    }
    *used = i;
    return 0;
}
