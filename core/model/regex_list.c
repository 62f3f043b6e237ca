/* `a|b|c`, `(a|b|c)` and `(?:a|b|c)` of plain strings, as dashboards make them of a thousand chosen
 * hosts: read without a tree, so that they may be long. Escapes are a backslash before punctuation.
 */
#include "core/model/regex_ast.h"
#include <stdlib.h>

static bool punctuation(char c)
{
    return (unsigned char)c > ' ' && (unsigned char)c < 0x7f && !(c >= '0' && c <= '9') &&
           !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool meta(char c) { return c && strchr(".+*?()[]{}^$|\\", c); }

static int by_bytes(const void *a, const void *b)
{
    return pl_str_cmp(*(const pl_str *)a, *(const pl_str *)b);
}

static pl_str without_group(pl_str s)
{
    if (s.n < 2 || s.p[0] != '(' || s.p[s.n - 1] != ')') {
        return s;
    }
    size_t head = s.n > 3 && s.p[1] == '?' && s.p[2] == ':' ? 3 : 1;
    return pl_str_mem(s.p + head, s.n - head - 1);
}

/** One plain string up to a `|` or the end: bytes read, or 0 if it is none that is plain. */
static size_t plain(pl_str s, char *out, size_t *n_out)
{
    size_t i = 0, n = 0;
    for (; i < s.n && s.p[i] != '|'; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n && punctuation(s.p[i + 1])) {
            i++;
        } else if (meta(s.p[i])) {
            return 0;
        }
        out[n++] = s.p[i];
    }
    *n_out = n;
    return n ? i : 0;
}

int pl__re_list(pl_str pattern, struct pl_arena *a, pl_str **out)
{
    pl_str s = without_group(pattern);
    size_t n = 1;
    for (size_t i = 0; i < s.n; i++) {
        n += s.p[i] == '|';
    }
    if (pl_utf8_check(s) != s.n) {
        return 0;
    }
    pl_str *v = pl_arena_alloc(a, n * sizeof *v);
    char *text = pl_arena_alloc(a, s.n + 1);
    if (!v || !text) {
        return PL_ENOMEM;
    }
    size_t at = 0, used, len;
    for (n = 0; (used = plain(pl_str_mem(s.p + at, s.n - at), text, &len)) > 0;) {
        v[n++] = pl_str_mem(text, len);
        text += len;
        at += used;
        if (at == s.n) {
            break;
        }
        at++; /* the | */
    }
    if (used == 0) {
        return 0;
    }
    qsort(v, n, sizeof *v, by_bytes);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++) {
        if (!pl_str_eq(v[i], v[kept - 1])) {
            v[kept++] = v[i];
        }
    }
    *out = v;
    return (int)kept;
}
