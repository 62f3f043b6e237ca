/* RE2's grammar to a tree, with Perl's flags as Prometheus sets them (syntax.Perl | syntax.DotNL).
 * Source: https://github.com/google/re2/wiki/Syntax, and Go's regexp/syntax for what is refused. */
#include "core/model/regex_ast.h"
#include <stdio.h>

enum flag { FOLD = 1, MULTI_LINE = 2, DOT_NL = 4, UNGREEDY = 8 };

#define REPEAT_MAX 1000
#define CLASS_ENUM 256 /* code points of a class that may be enumerated */

struct parser {
    const char *begin, *p, *end;
    struct pl_arena *arena;
    struct pl__re_tree *tree;
    size_t cap_names;
    int err;
    char *why;
    size_t n_why;
};

/* A class while it is read. */
struct class {
    struct pl_buf text;
    struct pl__re_range range[CLASS_ENUM];
    size_t n_range;
    bool odd; /* holds what is not in range[] */
};

static struct pl__re *fail(struct parser *p, const char *at, int err, const char *reason)
{
    if (p->err == 0) {
        p->err = err;
        if (p->n_why) {
            snprintf(p->why, p->n_why, "at byte %zu: %s", (size_t)(at - p->begin), reason);
        }
    }
    return NULL;
}

static struct pl__re *node(struct parser *p, enum pl__re_kind kind)
{
    struct pl__re *n = pl_arena_zalloc(p->arena, sizeof *n);
    if (!n) {
        return fail(p, p->p, PL_ENOMEM, "out of memory");
    }
    n->kind = kind;
    n->repeats = 1;
    return n;
}

static bool is(const struct parser *p, char c)
{
    return p->p < p->end && *p->p == c;
}

static bool take(struct parser *p, const char *z)
{
    size_t n = strlen(z);
    if ((size_t)(p->end - p->p) < n || memcmp(p->p, z, n) != 0) {
        return false;
    }
    p->p += n;
    return true;
}

static bool letter(uint32_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

/* The code point at p->p; the pattern is known to be UTF-8. */
static uint32_t code_point(struct parser *p)
{
    uint8_t c = (uint8_t)*p->p++;
    if (c < 0x80) {
        return c;
    }
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    uint32_t x = c & (0x3fu >> more);
    for (; more > 0; more--) {
        x = x << 6 | ((uint8_t)*p->p++ & 63);
    }
    return x;
}

static int hex(char c)
{
    return digit((uint8_t)c) ? c - '0' :
           (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* Behind `\x`: two hexadecimal digits, or any number in braces. */
static bool escape_hex(struct parser *p, uint32_t *out)
{
    uint32_t x = 0;
    if (!is(p, '{')) {
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
    return n > 0 && take(p, "}");
}

/* A backslash is at p->p: the one code point it stands for. */
static bool escape(struct parser *p, uint32_t *out)
{
    static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
    const char *at = p->p++;
    if (p->p == p->end) {
        fail(p, at, PL_EPARSE, "backslash at the end of the pattern");
        return false;
    }
    uint32_t c = code_point(p);
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
    if (c < 0x80 && !letter(c) && !digit(c)) {
        *out = c;
        return true;
    }
    fail(p, at, PL_EPARSE, "invalid escape sequence");
    return false;
}

static struct pl__re *literal(struct parser *p, uint32_t cp, unsigned flags)
{
    struct pl__re *n = node(p, PL__RE_LIT);
    if (n) {
        n->cp = cp;
        n->fold = (flags & FOLD) && (cp >= 0x80 || letter(cp));
    }
    return n;
}

/* --- classes --- */

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
static bool class_perl(struct parser *p, struct class *c)
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
static bool class_unicode(struct parser *p, struct class *c)
{
    const char *at = p->p;
    if (p->end - at < 2 || at[0] != '\\' || (at[1] | 0x20) != 'p') {
        return false;
    }
    bool negated = at[1] == 'P';
    pl_str name;
    p->p += 2;
    if (is(p, '{')) {
        const char *close = memchr(p->p, '}', (size_t)(p->end - p->p));
        if (!close) {
            fail(p, at, PL_EPARSE, "invalid character class range");
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
        good = good && (letter((uint8_t)name.p[i]) || name.p[i] == '_');
    }
    if (!good) {
        fail(p, at, PL_EPARSE, "invalid character class range");
        return false;
    }
    bool category = name.n <= 2 || pl_str_eq(name, PL_STR("Any"));
    pl_buf_f(&c->text, "\\%c{%s%.*s}", negated ? 'P' : 'p', category ? "" : "sc:", PL_PRS(name));
    c->odd = true;
    return true;
}

/* [:alpha:] inside of brackets, at p->p. false: there is none, or p->err. */
static bool class_posix(struct parser *p, struct class *c)
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
    fail(p, at, PL_EPARSE, "invalid character class range");
    return false;
}

static bool class_char(struct parser *p, uint32_t *out)
{
    if (p->p == p->end) {
        fail(p, p->end, PL_EPARSE, "missing closing ]");
        return false;
    }
    if (*p->p == '\\') {
        return escape(p, out);
    }
    *out = code_point(p);
    return true;
}

/* A class that has been read becomes a node; frees c. */
static struct pl__re *class_node(struct parser *p, struct class *c, bool negated, unsigned flags)
{
    struct pl__re *n = NULL;
    uint64_t count = 0;
    for (size_t i = 0; i < c->n_range; i++) {
        count += c->range[i].hi - c->range[i].lo + 1;
    }
    if (c->text.failed) {
        fail(p, p->p, PL_ENOMEM, "out of memory");
    } else if (!negated && !c->odd && count == 1) {
        n = literal(p, c->range[0].lo, flags);
    } else if ((n = node(p, PL__RE_CLASS)) != NULL) {
        n->fold = flags & FOLD;
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
            n = fail(p, p->p, PL_ENOMEM, "out of memory");
        }
    }
    pl_buf_fini(&c->text);
    return n;
}

/* `[` is at p->p. */
static struct pl__re *bracket(struct parser *p, unsigned flags)
{
    const char *open = p->p++;
    struct class c = {.n_range = 0};
    bool negated = take(p, "^");
    for (bool first = true; p->err == 0 && (first || !is(p, ']')); first = false) {
        uint32_t lo, hi;
        if (p->p == p->end) {
            fail(p, open, PL_EPARSE, "missing closing ]");
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
                    fail(p, at, PL_EPARSE, "invalid character class range");
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

/* --- groups, repetition, sequences --- */

static struct pl__re *alternation(struct parser *p, unsigned flags, unsigned depth);

/* `(` is at p->p and it captures; its name has been read. */
static struct pl__re *captured(struct parser *p, const char *open, unsigned flags, unsigned depth)
{
    struct pl__re *n = node(p, PL__RE_GROUP);
    p->tree->n_groups++;
    if (n) {
        n->child = alternation(p, flags, depth + 1);
    }
    if (p->err) {
        return NULL;
    }
    if (!take(p, ")")) {
        return fail(p, open, PL_EPARSE, "missing closing )");
    }
    n->repeats = n->child->repeats;
    return n;
}

static bool group_name(struct parser *p, const char *open)
{
    const char *begin = p->p;
    while (p->p < p->end && (letter((uint8_t)*p->p) || digit((uint8_t)*p->p) || *p->p == '_')) {
        p->p++;
    }
    pl_str name = pl_str_mem(begin, (size_t)(p->p - begin));
    struct pl__re_tree *t = p->tree;
    if (name.n == 0 || !take(p, ">")) {
        fail(p, open, PL_EPARSE, "invalid or unsupported group (RE2 has no lookaround)");
        return false;
    }
    for (size_t i = 0; i < t->n_names; i++) {
        if (pl_str_eq(t->names[i].name, name)) {
            fail(p, open, PL_EPARSE, "duplicate capture group name");
            return false;
        }
    }
    if (t->n_names == p->cap_names) {
        size_t cap = p->cap_names ? 2 * p->cap_names : 8;
        struct pl__re_name *more = pl_arena_alloc(p->arena, cap * sizeof *more);
        if (!more) {
            fail(p, open, PL_ENOMEM, "out of memory");
            return false;
        }
        if (t->n_names) {
            memcpy(more, t->names, t->n_names * sizeof *more);
        }
        t->names = more;
        p->cap_names = cap;
    }
    name = pl_arena_dup(p->arena, name);
    t->names[t->n_names++] = (struct pl__re_name){name, t->n_groups + 1};
    return name.p || fail(p, open, PL_ENOMEM, "out of memory");
}

/* Flags up to `:` or `)`, which is taken into *stop. */
static bool group_flags(struct parser *p, const char *open, unsigned *flags, char *stop)
{
    static const char names[] = "imsU";
    bool minus = false, seen = true; /* something must follow a minus */
    while (p->p < p->end) {
        char c = *p->p++;
        const char *found = c ? strchr(names, c) : NULL;
        if (found) {
            unsigned bit = 1u << (found - names);
            *flags = minus ? *flags & ~bit : *flags | bit;
            seen = true;
        } else if (c == '-' && !minus) {
            minus = true;
            seen = false;
        } else if ((c == ':' || c == ')') && seen) {
            *stop = c;
            return true;
        } else {
            break;
        }
    }
    fail(p, open, PL_EPARSE, "invalid or unsupported group (RE2 has no lookaround)");
    return false;
}

/* `(` is at p->p. NULL without p->err: it only changed *flags. */
static struct pl__re *group(struct parser *p, unsigned *flags, unsigned depth)
{
    const char *open = p->p++;
    if (depth == PL__RE_DEPTH_MAX) {
        return fail(p, open, PL_ELIMIT, "nested too deeply");
    }
    if (!take(p, "?")) {
        return captured(p, open, *flags, depth);
    }
    if (take(p, "P<") || take(p, "<")) {
        return group_name(p, open) ? captured(p, open, *flags, depth) : NULL;
    }
    unsigned inner = *flags;
    char stop;
    if (!group_flags(p, open, &inner, &stop)) {
        return NULL;
    }
    if (stop == ')') {
        *flags = inner;
        return NULL;
    }
    struct pl__re *n = alternation(p, inner, depth + 1);
    if (n && !take(p, ")")) {
        return fail(p, open, PL_EPARSE, "missing closing )");
    }
    return n;
}

/* A count in braces; no leading zero. */
static bool count(struct parser *p, int *out)
{
    const char *begin = p->p;
    int x = 0;
    for (; p->p < p->end && digit((uint8_t)*p->p); p->p++) {
        x = x <= REPEAT_MAX ? x * 10 + (*p->p - '0') : x;
    }
    *out = x;
    return p->p > begin && !(*begin == '0' && p->p - begin > 1);
}

/* A repetition operator at p->p, if there is one; `{` that begins none is a literal. */
static bool repetition(struct parser *p, int *min, int *max)
{
    const char *at = p->p;
    *max = -1;
    if (take(p, "*")) {
        *min = 0;
    } else if (take(p, "+")) {
        *min = 1;
    } else if (take(p, "?")) {
        *min = 0;
        *max = 1;
    } else if (take(p, "{")) {
        bool fine = count(p, min);
        *max = *min;
        if (fine && take(p, ",")) {
            *max = -1;
            fine = is(p, '}') || count(p, max);
        }
        if (!fine || !take(p, "}")) {
            p->p = at;
            return false;
        }
    } else {
        return false;
    }
    return true;
}

/* last becomes the repetition of what it was. */
static void repeat(struct parser *p, const char *at, struct pl__re *last, int min, int max,
                   unsigned flags)
{
    if (!last) {
        fail(p, at, PL_EPARSE, "missing argument to repetition operator");
        return;
    }
    unsigned times = max > 1 ? (unsigned)max : min > 1 ? (unsigned)min : 1;
    if (min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && min > max) ||
        (max < 0 || max > 1 ? times * last->repeats : last->repeats) > REPEAT_MAX) {
        fail(p, at, PL_EPARSE, "invalid repeat count");
        return;
    }
    bool lazy = take(p, "?");
    struct pl__re *child = node(p, PL__RE_EMPTY);
    if (!child) {
        return;
    }
    *child = *last;
    *last = (struct pl__re){.kind = PL__RE_REPEAT,
                            .min = min,
                            .max = max,
                            .lazy = lazy != ((flags & UNGREEDY) != 0),
                            .repeats = times * child->repeats,
                            .child = child};
}

/* One node for an escape that is more than a character, at p->p. NULL: there is none, or p->err. */
static struct pl__re *special_escape(struct parser *p, unsigned flags)
{
    static const struct {
        char c;
        enum pl__re_kind kind;
    } anchors[] = {
        {'A', PL__RE_BOT}, {'z', PL__RE_EOT}, {'b', PL__RE_WORDB}, {'B', PL__RE_NO_WORDB}};
    for (size_t i = 0; p->end - p->p >= 2 && i < sizeof anchors / sizeof anchors[0]; i++) {
        if (p->p[1] == anchors[i].c) {
            p->p += 2;
            return node(p, anchors[i].kind);
        }
    }
    struct class c = {.n_range = 0};
    if (class_perl(p, &c) || class_unicode(p, &c)) {
        return class_node(p, &c, false, flags);
    }
    return NULL;
}

/* One atom at p->p, which is none of | ) and no repetition operator. NULL as in group. */
static struct pl__re *atom(struct parser *p, unsigned *flags, unsigned depth)
{
    uint32_t cp;
    switch (*p->p) {
    case '(':
        return group(p, flags, depth);
    case '[':
        return bracket(p, *flags);
    case '.':
        p->p++;
        return node(p, *flags & DOT_NL ? PL__RE_ANY : PL__RE_ANY_BUT_NL);
    case '^':
        p->p++;
        return node(p, *flags & MULTI_LINE ? PL__RE_BOL : PL__RE_BOT);
    case '$':
        p->p++;
        return node(p, *flags & MULTI_LINE ? PL__RE_EOL : PL__RE_EOT);
    case '\\': {
        struct pl__re *n = special_escape(p, *flags);
        if (n || p->err || !escape(p, &cp)) {
            return n;
        }
        return literal(p, cp, *flags);
    }
    default:
        return literal(p, code_point(p), *flags);
    }
}

/* Nodes in a row: none is EMPTY, one is itself. */
static struct pl__re *sequence_of(struct parser *p, enum pl__re_kind kind, struct pl__re *first)
{
    if (first && !first->next) {
        return first;
    }
    struct pl__re *n = node(p, first ? kind : PL__RE_EMPTY);
    if (n) {
        n->child = first;
        for (const struct pl__re *c = first; c; c = c->next) {
            n->repeats = c->repeats > n->repeats ? c->repeats : n->repeats;
        }
    }
    return n;
}

/* Up to `|`, `)` or the end. Flags may change on the way. */
static struct pl__re *concatenation(struct parser *p, unsigned *flags, unsigned depth)
{
    struct pl__re *first = NULL, *last = NULL;
    bool quoting = false, repeated = false;
    while (p->p < p->end && p->err == 0) {
        const char *at = p->p;
        struct pl__re *n;
        int min, max;
        if (quoting) {
            if (take(p, "\\E")) {
                quoting = false;
                continue;
            }
            n = literal(p, code_point(p), *flags);
        } else if (take(p, "\\Q")) {
            quoting = true;
            repeated = false;
            continue;
        } else if (take(p, "\\E")) {
            fail(p, at, PL_EPARSE, "invalid escape sequence");
            break;
        } else if (*at == '|' || *at == ')') {
            break;
        } else if (repetition(p, &min, &max)) {
            if (repeated) {
                fail(p, at, PL_EPARSE, "invalid nested repetition operator");
            }
            repeat(p, at, last, min, max, *flags);
            repeated = true;
            continue;
        } else {
            n = atom(p, flags, depth);
        }
        repeated = false;
        if (n) {
            *(last ? &last->next : &first) = n;
            last = n;
        }
    }
    return p->err ? NULL : sequence_of(p, PL__RE_CAT, first);
}

static struct pl__re *alternation(struct parser *p, unsigned flags, unsigned depth)
{
    struct pl__re *first = NULL, **slot = &first;
    do {
        struct pl__re *n = concatenation(p, &flags, depth);
        if (!n) {
            return NULL;
        }
        *slot = n;
        slot = &n->next;
    } while (take(p, "|"));
    return sequence_of(p, PL__RE_ALT, first);
}

int pl__re_parse(pl_str pattern, struct pl_arena *a, struct pl__re_tree *out, char *why,
                 size_t n_why)
{
    const char *begin = pattern.n ? pattern.p : "";
    struct parser p = {.begin = begin,
                       .p = begin,
                       .end = begin + pattern.n,
                       .arena = a,
                       .tree = out,
                       .why = why,
                       .n_why = n_why};
    *out = (struct pl__re_tree){0};
    size_t bad = pl_utf8_check(pattern);
    if (bad != pattern.n) {
        fail(&p, begin + bad, PL_EPARSE, "invalid UTF-8");
        return p.err;
    }
    out->root = alternation(&p, DOT_NL, 0);
    if (p.err == 0 && p.p != p.end) {
        fail(&p, p.p, PL_EPARSE, "unexpected )");
    }
    return p.err;
}
