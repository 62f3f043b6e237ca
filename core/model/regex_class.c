/* Character classes and escapes of RE2's grammar. A class is kept as text for PCRE2, with every
 * character by its number, and as ranges where it may be enumerated. */
#include "core/model/regex_parse.h"

#define CLASS_ENUM 256 /* code points of a class that may be enumerated */

/* A class while it is read. */
struct class
{
    struct pl_buf text;
    struct pl__re_range range[CLASS_ENUM];
    size_t n_range;
    bool odd; /* holds what is not in range[] */
};

static int hex(char c)
{
    return pl__re_digit((uint8_t)c)                 ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* Behind `\x`: two hexadecimal digits, or any number in braces. */
static bool escape_hex(struct pl__re_parser *p, uint32_t *out)
{
    uint32_t x = 0;
    if (!pl__re_is(p, '{')) {
        for (int i = 0; i < 2; i++) {
            int h = p->p < p->end ? hex(*p->p) : -1;
            if (h < 0) {
                return false;
            }
            x = x * 16 + (uint32_t)h;
            p->p++;
        }
        *out = x;
        return true;
    }
    size_t n = 0;
    for (p->p++; p->p < p->end && hex(*p->p) >= 0; p->p++, n++) {
        x = x * 16 + (uint32_t)hex(*p->p);
        if (x > 0x10ffff) {
            return false;
        }
    }
    *out = x;
    return n > 0 && pl__re_take(p, "}");
}

/* A backslash is at p->p: the one code point it stands for. */
bool pl__re_escape(struct pl__re_parser *p, uint32_t *out)
{
    static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
    const char *at = p->p++;
    if (p->p == p->end) {
        pl__re_fail(p, at, PL_EPARSE, "backslash at the end of the pattern");
        return false;
    }
    uint32_t c = pl__re_code_point(p);
    bool second = p->p < p->end && *p->p >= '0' && *p->p <= '7';
    const char *found = c && c < 0x80 ? strchr(from, (int)c) : NULL;
    if (c == '0' || (c >= '1' && c <= '7' && second)) { /* \1 alone would be a backreference */
        uint32_t x = c - '0';
        for (int i = 0; i < 2 && p->p < p->end && *p->p >= '0' && *p->p <= '7'; i++) {
            x = x * 8 + (uint32_t)(*p->p++ - '0');
        }
        *out = x;
        return true;
    }
    if (c == 'x' && escape_hex(p, out)) {
        return true;
    }
    if (found) {
        *out = (uint32_t)to[found - from];
        return true;
    }
    if (c < 0x80 && !pl__re_letter(c) && !pl__re_digit(c)) {
        *out = c;
        return true;
    }
    pl__re_fail(p, at, PL_EPARSE, "invalid escape sequence");
    return false;
}

static void class_range(struct class *c, uint32_t lo, uint32_t hi)
{
    pl_buf_f(&c->text, "\\x{%x}", lo);
    if (hi > lo) {
        pl_buf_f(&c->text, "-\\x{%x}", hi);
    }
    if (c->n_range < CLASS_ENUM) {
        c->range[c->n_range++] = (struct pl__re_range){lo, hi};
    } else {
        c->odd = true;
    }
}

/* \d \s \w and their opposites, ASCII as in RE2, at p->p. PCRE2's \s has \v, RE2's not. */
static bool class_perl(struct pl__re_parser *p, struct class *c)
{
    if (p->end - p->p < 2 || *p->p != '\\' || p->p[1] == 0 || !strchr("dDsSwW", p->p[1])) {
        return false;
    }
    char kind = p->p[1];
    p->p += 2;
    if (kind == 'd') {
        class_range(c, '0', '9');
    } else if (kind == 's') {
        class_range(c, '\t', '\n');
        class_range(c, '\f', '\r');
        class_range(c, ' ', ' ');
    } else if (kind == 'S') {
        c->odd = true;
        pl_buf_z(&c->text, "\\x{0}-\\x{8}\\x{b}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}");
    } else { /* PCRE2's own: (?i) must not fold them */
        c->odd = true;
        pl_buf_u8(&c->text, '\\');
        pl_buf_u8(&c->text, (uint8_t)kind);
    }
    return true;
}

/* \pN \PN \p{Greek} \p{^Lu} at p->p. PCRE2 wants `sc:`, since its plain script names mean the
 * scripts' extensions. false: there is none, or p->err. */
static bool class_unicode(struct pl__re_parser *p, struct class *c)
{
    const char *at = p->p;
    if (p->end - at < 2 || at[0] != '\\' || (at[1] | 0x20) != 'p') {
        return false;
    }
    bool negated = at[1] == 'P';
    pl_str name;
    p->p += 2;
    if (pl__re_is(p, '{')) {
        const char *close = memchr(p->p, '}', (size_t)(p->end - p->p));
        if (!close) {
            pl__re_fail(p, at, PL_EPARSE, "invalid character class range");
            return false;
        }
        name = pl_str_mem(p->p + 1, (size_t)(close - p->p - 1));
        p->p = close + 1;
    } else {
        name = pl_str_mem(p->p, p->p < p->end);
        p->p += name.n;
    }
    if (name.n > 0 && *name.p == '^') {
        negated = !negated;
        name = pl_str_mem(name.p + 1, name.n - 1);
    }
    bool good = name.n > 0 && name.n < 40 && *name.p >= 'A' && *name.p <= 'Z';
    for (size_t i = 0; i < name.n; i++) {
        good = good && (pl__re_letter((uint8_t)name.p[i]) || name.p[i] == '_');
    }
    if (!good) {
        pl__re_fail(p, at, PL_EPARSE, "invalid character class range");
        return false;
    }
    bool category = name.n <= 2 || pl_str_eq(name, PL_STR("Any"));
    pl_buf_f(&c->text, "\\%c{%s%.*s}", negated ? 'P' : 'p', category ? "" : "sc:", PL_PRS(name));
    c->odd = true;
    return true;
}

/* [:alpha:] inside of brackets, at p->p. false: there is none, or p->err. */
static bool class_posix(struct pl__re_parser *p, struct class *c)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                        "digit", "graph", "lower", "print", "punct",
                                        "space", "upper", "word",  "xdigit"};
    const char *at = p->p, *close = NULL;
    if (p->end - at < 4 || at[0] != '[' || at[1] != ':') {
        return false;
    }
    for (const char *q = at + 2; q + 1 < p->end && !close; q++) {
        close = q[0] == ':' && q[1] == ']' ? q : NULL;
    }
    if (!close) {
        return false; /* then these are literals, as in RE2 */
    }
    pl_str name = pl_str_mem(at + 2, (size_t)(close - at - 2));
    bool negated = name.n > 0 && *name.p == '^';
    name = pl_str_mem(name.p + negated, name.n - negated);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (pl_str_eq(name, pl_str_c(names[i]))) {
            pl_buf_f(&c->text, "[:%s%s:]", negated ? "^" : "", names[i]);
            c->odd = true;
            p->p = close + 2;
            return true;
        }
    }
    pl__re_fail(p, at, PL_EPARSE, "invalid character class range");
    return false;
}

static bool class_char(struct pl__re_parser *p, uint32_t *out)
{
    if (p->p == p->end) {
        pl__re_fail(p, p->end, PL_EPARSE, "missing closing ]");
        return false;
    }
    if (*p->p == '\\') {
        return pl__re_escape(p, out);
    }
    *out = pl__re_code_point(p);
    return true;
}

/* A class that has been read becomes a node; frees c. */
static struct pl__re *class_node(struct pl__re_parser *p, struct class *c, bool negated,
                                 unsigned flags)
{
    struct pl__re *n = NULL;
    uint64_t count = 0;
    for (size_t i = 0; i < c->n_range; i++) {
        count += c->range[i].hi - c->range[i].lo + 1;
    }
    if (c->text.failed) {
        pl__re_fail(p, p->p, PL_ENOMEM, "out of memory");
    } else if (!negated && !c->odd && count == 1) {
        n = pl__re_literal(p, c->range[0].lo, flags);
    } else if ((n = pl__re_node(p, PL__RE_CLASS)) != NULL) {
        n->fold = flags & PL__RE_FOLD;
        n->text = pl_arena_f(p->arena, "[%s%.*s]", negated ? "^" : "", (int)c->text.n,
                             (const char *)c->text.p);
        if (!negated && !c->odd && count <= CLASS_ENUM) {
            size_t bytes = c->n_range * sizeof c->range[0];
            n->range = pl_arena_alloc(p->arena, bytes);
            if (n->range) {
                memcpy(n->range, c->range, bytes);
                n->n_range = c->n_range;
            }
        }
        if (!n->text.p) {
            n = pl__re_fail(p, p->p, PL_ENOMEM, "out of memory");
        }
    }
    pl_buf_fini(&c->text);
    return n;
}

/* `[` is at p->p. */
struct pl__re *pl__re_bracket(struct pl__re_parser *p, unsigned flags)
{
    const char *open = p->p++;
    struct class c = {.n_range = 0};
    bool negated = pl__re_take(p, "^");
    for (bool first = true; p->err == 0 && (first || !pl__re_is(p, ']')); first = false) {
        uint32_t lo, hi;
        if (p->p == p->end) {
            pl__re_fail(p, open, PL_EPARSE, "missing closing ]");
        } else if (class_posix(p, &c) || class_perl(p, &c) || class_unicode(p, &c) || p->err) {
            continue;
        } else {
            const char *at = p->p;
            if (!class_char(p, &lo)) {
                break;
            }
            hi = lo;
            if (p->end - p->p >= 2 && *p->p == '-' && p->p[1] != ']') {
                p->p++;
                if (!class_char(p, &hi)) {
                    break;
                }
                if (hi < lo) {
                    pl__re_fail(p, at, PL_EPARSE, "invalid character class range");
                    break;
                }
            }
            class_range(&c, lo, hi);
        }
    }
    if (p->err) {
        pl_buf_fini(&c.text);
        return NULL;
    }
    p->p++;
    return class_node(p, &c, negated, flags);
}

struct pl__re *pl__re_class_escape(struct pl__re_parser *p, unsigned flags)
{
    struct class c = {.n_range = 0};
    if (class_perl(p, &c) || class_unicode(p, &c)) {
        return class_node(p, &c, false, flags);
    }
    return NULL;
}
