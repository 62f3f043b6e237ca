/* Text to double, correctly rounded.
 *
 * Up to 19 digits are an integer w, the rest is a power of ten: v = w * 10^q. Three ways, the first
 * that is sure wins:
 * 1. w < 2^53 and |q| <= 22: both are exact doubles, one operation rounds once
 *    (Clinger, PLDI 1990).
 * 2. w times the first 128 bits of 10^q, with a bound on the error; sure unless the middle between
 *    two doubles lies inside the bound (in the manner of Lemire: Number parsing at a gigabyte per
 *    second, 2021). More than 19 digits: w and w + 1 must give the same double.
 * 3. Integers of any size (number_big.c). */
#include "core/codec/number.h"
#include "core/codec/number_big.h"
#include "core/codec/number_pow10.h"

#define INF_BITS (0x7ffull << 52)
#define NAN_BITS 0x7ff8000000000001ull /* as Prometheus' normal NaN */

typedef unsigned __int128 u128;

/* The double nearest to v * 2^e2, where v has its highest bit set and the truth lies in
 * [v, v + err). false where err leaves it open; *bits is then a double near to it. */
static bool round_bits(u128 v, int e2, unsigned err, uint64_t *bits)
{
    int biased = e2 + 127 + 1023, drop = 128 - 53;
    if (biased >= 0x7ff) {
        *bits = INF_BITS;
        return true; /* a middle is never reached: it lies below 2^1024 */
    }
    if (biased <= 0) { /* subnormal: fewer bits stay */
        drop += 1 - biased;
    }
    if (drop > 128) { /* below the middle of 0 and the least double, or just about there */
        *bits = 0;
        return drop > 129 || v + err >= v;
    }
    u128 half = (u128)1 << (drop - 1), rest = drop == 128 ? v : v & (half * 2 - 1);
    uint64_t mantissa = drop == 128 ? 0 : (uint64_t)(v >> drop);
    bool sure = rest > half || half - rest >= err;
    mantissa += rest > half || (rest == half && (mantissa & 1));
    *bits = (biased > 0 ? (uint64_t)(biased - 1) << 52 : 0) + mantissa;
    if (!sure && *bits >= INF_BITS) {
        *bits = INF_BITS - 1;
    }
    return sure;
}

/* w * 10^q; q within the table. As round_bits. */
static bool scale(uint64_t w, int q, uint64_t *bits)
{
    const uint64_t *g = pl__powers10[q - PL__POW10_MIN];
    int zeros = __builtin_clzll(w);
    w <<= zeros;
    u128 low = (u128)w * g[1], v = (u128)w * g[0] + (uint64_t)(low >> 64);
    int e2 = pl__log2_pow10(q) - 127 + 64 - zeros;
    /* Below v: what was cut off of low, and w times the table's own error, less than 1 each. */
    unsigned err = pl__pow10_exact(q) && (uint64_t)low == 0 ? 0 : 2;
    if (!(v >> 127)) {
        v <<= 1;
        err *= 2;
        e2--;
    }
    return round_bits(v, e2, err, bits);
}

static const double small_pow10[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* What 19 digits left open. digits_q: the power of ten behind the last digit of the text. */
static uint64_t settle(uint64_t w, int64_t q, bool cut, pl_str digits, int64_t digits_q)
{
    uint64_t a, b;
    bool sure = scale(w, (int)q, &a);
    if (!cut) {
        return sure ? a : pl__number_nearest(digits, digits_q, a);
    }
    if (sure && scale(w + 1, (int)q, &b) && a == b) {
        return a;
    }
    return pl__number_nearest(digits, digits_q, a < INF_BITS ? a : INF_BITS - 1);
}

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && (uint8_t)(*p - '0') < 10;
}

/* `e-12` at p, or nothing; saturates far outside of any double. */
static const char *scan_exponent(const char *p, const char *end, int64_t *out)
{
    const char *q = p + 1;
    bool minus = q < end && *q == '-';
    q += minus || (q < end && *q == '+');
    if (!is_digit(q, end)) {
        return p;
    }
    int64_t e = 0;
    for (; is_digit(q, end); q++) {
        e = e < 100000000 ? e * 10 + (*q - '0') : e;
    }
    *out = minus ? -e : e;
    return q;
}

/* Behind the sign. NULL: no number. */
static const char *scan_decimal(const char *p, const char *end, uint64_t *bits)
{
    const char *begin = p;
    uint64_t w = 0;
    int64_t n_frac = 0, e = 0;
    for (; is_digit(p, end); p++) {
        w = w * 10 + (uint64_t)(*p - '0'); /* may wrap: then it is read again below */
    }
    int64_t n_digits = p - begin;
    if (p < end && *p == '.') {
        const char *frac = ++p;
        for (; is_digit(p, end); p++) {
            w = w * 10 + (uint64_t)(*p - '0');
        }
        n_frac = p - frac;
        n_digits += n_frac;
    }
    if (n_digits == 0) {
        return NULL;
    }
    pl_str digits = pl_str_mem(begin, (size_t)(p - begin));
    if (p < end && (*p == 'e' || *p == 'E')) {
        p = scan_exponent(p, end, &e);
    }
    int64_t q = e - n_frac, digits_q = q;
    bool cut = false;
    if (n_digits > 19) { /* leading zeros do not count; of the others the first 19 */
        size_t i = 0;
        for (; i < digits.n && (digits.p[i] == '0' || digits.p[i] == '.'); i++) {
            n_digits -= digits.p[i] == '0';
        }
        if (n_digits > 19) {
            cut = true;
            q += n_digits - 19;
            n_digits = 19;
        }
        w = 0;
        for (int64_t k = 0; k < n_digits; i++) {
            if (digits.p[i] != '.') {
                w = w * 10 + (uint64_t)(digits.p[i] - '0');
                k++;
            }
        }
    }
    if (w == 0) {
        *bits = 0;
    } else if (w <= 1ull << 53 && q >= -22 && q <= 22 && !cut) {
        double v = (double)w;
        *bits = pl_f64_bits(q < 0 ? v / small_pow10[-q] : v * small_pow10[q]);
    } else if (q > 308) { /* w is 1 at least */
        *bits = INF_BITS;
    } else if (q < PL__POW10_MIN) { /* and below 10^19 */
        *bits = 0;
    } else {
        *bits = settle(w, q, cut, digits, digits_q);
    }
    return p;
}

static int hex_digit(const char *p, const char *end)
{
    if (p == end) {
        return -1;
    }
    char c = (char)(*p | 0x20);
    return is_digit(p, end) ? *p - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind `0x`: digits with or without a point, then perhaps p and a power of two. */
static const char *scan_hex(const char *p, const char *end, uint64_t *bits)
{
    uint64_t w = 0;
    int64_t e2 = 0, n_digits = 0, power = 0;
    bool dot = false, rest = false;
    for (;; p++) {
        int x = hex_digit(p, end);
        if (x < 0 && (dot || p == end || *p != '.')) {
            break;
        }
        if (x < 0) {
            dot = true;
            continue;
        }
        n_digits++;
        if (w >> 60) {
            rest |= x != 0;
            e2 += dot ? 0 : 4;
        } else {
            w = w << 4 | (uint64_t)x;
            e2 -= dot ? 4 : 0;
        }
    }
    if (n_digits == 0) {
        return NULL;
    }
    if (p < end && (*p == 'p' || *p == 'P')) {
        p = scan_exponent(p, end, &power);
    }
    e2 += power;
    if (w == 0) {
        *bits = 0;
    } else if (e2 > 2000 || e2 < -2000) {
        *bits = e2 > 0 ? INF_BITS : 0;
    } else {
        int zeros = __builtin_clzll(w);
        round_bits((u128)(w << zeros) << 64 | rest, (int)e2 - zeros - 64, 0, bits);
    }
    return p;
}

/* Case-insensitive. Bytes of s read: all of word (lower case) or none. */
static size_t scan_word(const char *p, const char *end, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(end - p) < n) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if ((p[i] | 0x20) != word[i]) {
            return 0;
        }
    }
    return n;
}

int pl_number_scan(pl_str s, double *out, size_t *used)
{
    if (s.n == 0) {
        return PL_EPARSE;
    }
    const char *p = s.p, *end = p + s.n, *rest = NULL;
    bool sign = *p == '-' || *p == '+', minus = *p == '-', word = false;
    uint64_t bits = 0;
    p += sign;
    if (p < end && ((uint8_t)(*p - '0') < 10 || *p == '.')) {
        if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
            rest = scan_hex(p + 2, end, &bits);
        }
        if (!rest) {
            rest = scan_decimal(p, end, &bits);
        }
        if (!rest) {
            return PL_EPARSE;
        }
    } else {
        size_t n = scan_word(p, end, "infinity");
        n = n ? n : scan_word(p, end, "inf");
        bits = INF_BITS;
        if (n == 0 && !sign) {
            n = scan_word(p, end, "nan");
            bits = NAN_BITS;
        }
        if (n == 0) {
            return PL_EPARSE;
        }
        rest = p + n;
        word = true;
    }
    if (bits == INF_BITS && !word) {
        return PL_ELIMIT;
    }
    *out = pl_bits_f64(bits | (uint64_t)minus << 63);
    *used = (size_t)(rest - s.p);
    return 0;
}

int pl_number_parse(pl_str s, double *out)
{
    double v;
    size_t used = 0;
    int rc = pl_number_scan(s, &v, &used);
    if (rc < 0) {
        return rc;
    }
    if (used != s.n) {
        return PL_EPARSE;
    }
    *out = v;
    return 0;
}
