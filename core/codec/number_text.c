/* Double to the shortest text that reads back as the same double; of several that short, the
 * nearest. Source: Raffaello Giulietti, The Schubfach way to render doubles (2021). The layout is
 * that of Prometheus' JSON (util/jsonutil): Go's format 'f', and 'e' with an exponent of at least
 * two digits below 1e-6 and from 1e21. */
#include "core/codec/number.h"
#include "core/codec/number_pow10.h"

struct decimal {
    uint64_t digits;
    int power; /* value = digits * 10^power */
};

/* x * 10^q scaled by the table: its integer part, with the lowest bit set ("round to odd") where
 * something is left, so that later comparisons see it. g is 10^q's first 128 bits rounded up. */
static uint64_t scale_to_odd(const uint64_t g[2], uint64_t x)
{
    unsigned __int128 low = (unsigned __int128)g[1] * x;
    unsigned __int128 mid = (unsigned __int128)g[0] * x + (uint64_t)(low >> 64);
    return (uint64_t)(mid >> 64) | ((uint64_t)mid > 1);
}

/* v = c * 2^q; c != 0. */
static struct decimal shortest(uint64_t c, int q, bool lower_is_closer)
{
    /* Everything below is in quarters: 4c is v, the interval of v ends at cl and cr. */
    uint64_t odd = c & 1, cl = 4 * c - 2 + lower_is_closer, cr = 4 * c + 2;
    int k =
        (q * 1262611 - (lower_is_closer ? 524031 : 0)) >> 22; /* floor(log10(2^q or 3/4 of it)) */
    int h = q + pl__log2_pow10(-k) + 1;
    const uint64_t *t = pl__powers10[-k - PL__POW10_MIN];
    uint64_t g[2] = {t[0], t[1]};
    if (!pl__pow10_exact(-k)) {
        g[1]++;
        g[0] += g[1] == 0;
    }
    uint64_t vl = scale_to_odd(g, cl << h) + odd, v = scale_to_odd(g, (4 * c) << h);
    uint64_t vr = scale_to_odd(g, cr << h) - odd; /* the ends belong to even c only */
    uint64_t s = v / 4;
    if (s >= 10) { /* one digit fewer, where just one such number lies inside */
        uint64_t tens = s / 10;
        bool down = vl <= 40 * tens, up = 40 * tens + 40 <= vr;
        if (down != up) {
            return (struct decimal){tens + up, k + 1};
        }
    }
    bool down = vl <= 4 * s, up = 4 * s + 4 <= vr;
    if (down != up) {
        return (struct decimal){s + up, k};
    }
    uint64_t middle = 4 * s + 2;
    return (struct decimal){s + (v > middle || (v == middle && (s & 1))), k};
}

static struct decimal to_decimal(uint64_t bits)
{
    uint64_t mantissa = bits & ((1ull << 52) - 1);
    int exponent = (int)(bits >> 52);
    uint64_t c = exponent ? mantissa | 1ull << 52 : mantissa;
    int q = (exponent ? exponent : 1) - 1075;
    struct decimal d;
    if (q <= 0 && q > -53 && (c & ((1ull << -q) - 1)) == 0) {
        d = (struct decimal){c >> -q, 0}; /* an integer below 2^53 is its own digits */
    } else {
        d = shortest(c, q, mantissa == 0 && exponent > 1);
    }
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        d.power++;
    }
    return d;
}

/* Decimal digits of x to the left of end; where they begin. */
static char *digits_before(char *end, uint64_t x)
{
    do {
        *--end = (char)('0' + x % 10);
        x /= 10;
    } while (x);
    return end;
}

static char *put(char *o, const char *p, size_t n)
{
    memcpy(o, p, n);
    return o + n;
}

static char *put_zeros(char *o, int n)
{
    for (; n > 0; n--) {
        *o++ = '0';
    }
    return o;
}

/* 1.5e-07 */
static char *put_exponential(char *o, const char *digits, int n, int exponent)
{
    *o++ = digits[0];
    if (n > 1) {
        *o++ = '.';
        o = put(o, digits + 1, (size_t)n - 1);
    }
    *o++ = 'e';
    *o++ = exponent < 0 ? '-' : '+';
    unsigned e = (unsigned)(exponent < 0 ? -exponent : exponent);
    char buf[8], *end = buf + sizeof buf, *p = digits_before(end, e);
    o = put_zeros(o, 2 - (int)(end - p));
    return put(o, p, (size_t)(end - p));
}

size_t pl_number_text(double v, char *out)
{
    uint64_t bits = pl_f64_bits(v), magnitude = bits & ~(1ull << 63);
    char *o = out;
    if (magnitude > 0x7ffull << 52) {
        return (size_t)(put(out, "NaN", 3) - out);
    }
    if (magnitude == 0x7ffull << 52) {
        return (size_t)(put(out, bits >> 63 ? "-Inf" : "+Inf", 4) - out);
    }
    if (bits >> 63) {
        *o++ = '-';
    }
    if (magnitude == 0) {
        *o++ = '0';
        return (size_t)(o - out);
    }
    struct decimal d = to_decimal(magnitude);
    char buf[24], *end = buf + sizeof buf, *digits = digits_before(end, d.digits);
    int n = (int)(end - digits), point = n + d.power; /* digits before the point */
    double abs = pl_bits_f64(magnitude);
    if (abs < 1e-6 || abs >= 1e21) {
        o = put_exponential(o, digits, n, point - 1);
    } else if (point <= 0) {
        o = put_zeros(put(o, "0.", 2), -point);
        o = put(o, digits, (size_t)n);
    } else if (point >= n) {
        o = put_zeros(put(o, digits, (size_t)n), point - n);
    } else {
        o = put(o, digits, (size_t)point);
        *o++ = '.';
        o = put(o, digits + point, (size_t)(n - point));
    }
    return (size_t)(o - out);
}

size_t pl_number_time_ms(int64_t ms, char *out)
{
    uint64_t x = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    char buf[24], *end = buf + sizeof buf, *p = digits_before(end, x / 1000), *o = out;
    if (ms < 0) {
        *o++ = '-';
    }
    o = put(o, p, (size_t)(end - p));
    unsigned rest = (unsigned)(x % 1000);
    if (rest) {
        *o++ = '.';
        p = digits_before(end, rest);
        o = put_zeros(o, 3 - (int)(end - p));
        o = put(o, p, (size_t)(end - p));
    }
    return (size_t)(o - out);
}
