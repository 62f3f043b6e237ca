/* Exact rounding for the few decimals that 128 bits cannot settle: the decimal and the middle
 * between two neighbouring doubles are both made integers and compared. A middle has at most 767
 * significant decimal digits, so of longer input it only matters whether a digit that is not 0
 * follows. */
#include "core/codec/number_big.h"

#define DIGITS_MAX 768
/* The most: 769 digits and 5^1100 have 2,555 bits each, shifts bring it to some 3,700. */
#define LIMBS 72

struct big {
    size_t n;
    uint64_t d[LIMBS]; /* least significant first; d[n - 1] != 0 */
};

static void mul_add(struct big *b, uint64_t m, uint64_t add)
{
    unsigned __int128 carry = add;
    for (size_t i = 0; i < b->n; i++) {
        carry += (unsigned __int128)b->d[i] * m;
        b->d[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry && b->n < LIMBS) {
        b->d[b->n++] = (uint64_t)carry;
    }
}

static void mul_pow5(struct big *b, int64_t e)
{
    for (; e >= 27; e -= 27) {
        mul_add(b, 7450580596923828125u, 0); /* 5^27 */
    }
    for (; e > 0; e--) {
        mul_add(b, 5, 0);
    }
}

static void shift_left(struct big *b, int64_t bits)
{
    size_t limbs = (size_t)bits / 64;
    if (b->n == 0 || limbs + b->n > LIMBS) {
        return;
    }
    mul_add(b, 1ull << (bits % 64), 0);
    if (limbs + b->n > LIMBS) {
        return;
    }
    memmove(b->d + limbs, b->d, b->n * sizeof b->d[0]);
    memset(b->d, 0, limbs * sizeof b->d[0]);
    b->n += limbs;
}

static int compare(const struct big *a, const struct big *b)
{
    if (a->n != b->n) {
        return a->n < b->n ? -1 : 1;
    }
    for (size_t i = a->n; i-- > 0;) {
        if (a->d[i] != b->d[i]) {
            return a->d[i] < b->d[i] ? -1 : 1;
        }
    }
    return 0;
}

/* Digits of text, at most DIGITS_MAX and one that stands for the rest; q is mended. */
static void digits(pl_str text, int64_t *q, struct big *out)
{
    size_t used = 0;
    bool rest = false;
    out->n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '.') {
            continue;
        }
        uint64_t digit = (uint64_t)(text.p[i] - '0');
        if (used == DIGITS_MAX) {
            rest |= digit != 0;
            ++*q;
            continue;
        }
        used += used > 0 || digit > 0;
        mul_add(out, 10, digit);
    }
    if (rest) {
        mul_add(out, 10, 1);
        --*q;
    }
}

/* Decimal d * 10^q against the middle between the doubles of `bits` and bits + 1. */
static int against_middle(const struct big *d, int64_t q, uint64_t bits)
{
    uint64_t exponent = bits >> 52, mantissa = bits & ((1ull << 52) - 1);
    mantissa |= exponent ? 1ull << 52 : 0;
    int64_t e2 = (int64_t)(exponent ? exponent : 1) - 1075 - 1; /* of 2 * mantissa + 1 */
    struct big left = *d, right = {1, {2 * mantissa + 1}};
    mul_pow5(q >= 0 ? &left : &right, q >= 0 ? q : -q);
    shift_left(q >= e2 ? &left : &right, q >= e2 ? q - e2 : e2 - q);
    return compare(&left, &right);
}

uint64_t pl__number_nearest(pl_str text, int64_t q, uint64_t near)
{
    const uint64_t inf = 0x7ffull << 52;
    struct big d;
    digits(text, &q, &d);
    for (; near < inf; near++) {
        int c = against_middle(&d, q, near);
        if (c < 0 || (c == 0 && (near & 1) == 0)) {
            break;
        }
    }
    for (; near > 0; near--) {
        int c = against_middle(&d, q, near - 1);
        if (c > 0 || (c == 0 && (near & 1) == 0)) {
            break;
        }
    }
    return near;
}
