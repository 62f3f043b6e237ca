/* Strings with a length: comparing, cutting, checking UTF-8 (RFC 3629), reading integers. */
#include "core/base/str.h"
#include "core/base/bits.h"
#include "perilune/err.h"

bool pl_str_starts(pl_str s, pl_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool pl_str_ends(pl_str s, pl_str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

static unsigned char lower(char c) { return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c); }

bool pl_str_ieq(pl_str a, pl_str b)
{
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

pl_str pl_str_trim(pl_str s)
{
    while (s.n && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_space(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

pl_str pl_str_cut(pl_str *rest, char c)
{
    pl_str all = *rest;
    const char *at = all.n ? memchr(all.p, c, all.n) : NULL;
    if (!at) {
        *rest = PL_STR_NULL;
        return all;
    }
    size_t n = (size_t)(at - all.p);
    *rest = (pl_str){at + 1, all.n - n - 1};
    return (pl_str){all.p, n};
}

/** Length of the valid sequence at p (n > 0 bytes, the first one >= 0x80), or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    unsigned char lo = 0x80, hi = 0xbf; /* bounds of the second byte */
    size_t len;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        lo = p[0] == 0xe0 ? 0xa0 : lo; /* shorter forms exist */
        hi = p[0] == 0xed ? 0x9f : hi; /* surrogates */
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        lo = p[0] == 0xf0 ? 0x90 : lo;
        hi = p[0] == 0xf4 ? 0x8f : hi; /* above U+10FFFF */
    } else {
        return 0;
    }
    if (n < len || p[1] < lo || p[1] > hi) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

size_t pl_utf8_put(char out[PL_UTF8_MAX], uint32_t cp)
{
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    size_t more = cp < 0x80 ? 0 : cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, cp >>= 6) {
        out[i] = (char)(0x80 | (cp & 63));
    }
    out[0] = (char)(lead[more] | cp);
    return more + 1;
}

size_t pl_utf8_check(pl_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        uint64_t word;
        while (s.n - i >= 8) {
            memcpy(&word, p + i, 8);
            if (word & 0x8080808080808080u) {
                break;
            }
            i += 8;
        }
        if (i == s.n) {
            break;
        }
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        size_t len = utf8_sequence(p + i, s.n - i);
        if (len == 0) {
            return i;
        }
        i += len;
    }
    return s.n;
}

/* Eight digits at p as a number: three multiplications instead of eight. false: not all digits.
 * Source: Daniel Lemire, "Quickly parsing eight digits", 2018. */
static bool eight_digits(const char *p, uint64_t *out)
{
    uint64_t v = pl_rd64(p);
    if (((v & 0xf0f0f0f0f0f0f0f0) | (((v + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4)) !=
        0x3333333333333333) {
        return false;
    }
    v = (v & 0x0f0f0f0f0f0f0f0f) * 2561 >> 8;
    v = (v & 0x00ff00ff00ff00ff) * 6553601 >> 16;
    *out = (v & 0x0000ffff0000ffff) * 42949672960001 >> 32;
    return true;
}

int pl_str_u64(pl_str s, uint64_t *out)
{
    if (s.n == 0) {
        return PL_EPARSE;
    }
    uint64_t x = 0, eight;
    bool over = false;
    size_t i = 0;
    for (; i + 8 <= s.n && i < 16 && eight_digits(s.p + i, &eight); i += 8) {
        x = x * 100000000 + eight;
    }
    for (; i < s.n; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';
        if (digit > 9) {
            return PL_EPARSE;
        }
        over |= __builtin_mul_overflow(x, 10, &x);
        over |= __builtin_add_overflow(x, digit, &x);
    }
    if (over) {
        return PL_ELIMIT;
    }
    *out = x;
    return PL_OK;
}

int pl_str_i64(pl_str s, int64_t *out)
{
    bool minus = s.n && s.p[0] == '-';
    if (s.n && (minus || s.p[0] == '+')) {
        s.p++;
        s.n--;
    }
    uint64_t x;
    int rc = pl_str_u64(s, &x);
    if (rc < 0) {
        return rc;
    }
    if (x > (uint64_t)INT64_MAX + minus) {
        return PL_ELIMIT;
    }
    *out = minus ? (int64_t)(0 - x) : (int64_t)x;
    return PL_OK;
}
