/* Strings with a length. Bytes are borrowed and not NUL-terminated. Any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct pl_str {
    const char *p;
    size_t n;
} pl_str;

#define PL_STR(literal) ((pl_str){"" literal, sizeof(literal) - 1})
#define PL_STR_NULL     ((pl_str){NULL, 0})
/** For printf: `"%.*s", PL_PRS(s)`. */
#define PL_PRS(s) (int)(s).n, (s).p

static inline pl_str pl_str_c(const char *z) { return (pl_str){z, z ? strlen(z) : 0}; }
static inline pl_str pl_str_mem(const void *p, size_t n) { return (pl_str){(const char *)p, n}; }
static inline bool pl_str_eq(pl_str a, pl_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
/** Byte order, shorter first on a common prefix. */
static inline int pl_str_cmp(pl_str a, pl_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}
bool pl_str_starts(pl_str s, pl_str prefix);
bool pl_str_ends(pl_str s, pl_str suffix);
/** ASCII only. */
bool pl_str_ieq(pl_str a, pl_str b);
/** Without ASCII white space at both ends. */
pl_str pl_str_trim(pl_str s);
/** Cut at the first c: returns what stands before it and moves *rest behind it; all and an empty
 *  *rest (p = NULL) where there is no c. */
pl_str pl_str_cut(pl_str *rest, char c);
/** Position of the first invalid byte of UTF-8, or s.n if all is valid. */
size_t pl_utf8_check(pl_str s);
#define PL_UTF8_MAX 4
/** Write a code point (up to U+10FFFF; surrogates too, as three bytes): the bytes written. */
size_t pl_utf8_put(char out[PL_UTF8_MAX], uint32_t cp);
/** Decimal, the whole of s; PL_EPARSE, PL_ELIMIT on overflow. */
int pl_str_i64(pl_str s, int64_t *out);
int pl_str_u64(pl_str s, uint64_t *out);
