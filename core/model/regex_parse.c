/* RE2's grammar to a tree, with Perl's flags as Prometheus sets them (syntax.Perl | syntax.DotNL).
 * Source: https://github.com/google/re2/wiki/Syntax, and Go's regexp/syntax for what is refused. */
#include "core/model/regex_parse.h"
#include <stdio.h>

#define REPEAT_MAX 1000

struct pl__re *pl__re_fail(struct pl__re_parser *p, const char *at, int err, const char *reason)
{
    if (p->err == 0) {
        p->err = err;
        if (p->n_why) {
            snprintf(p->why, p->n_why, "at byte %zu: %s", (size_t)(at - p->begin), reason);
        }
    }
    return NULL;
}

struct pl__re *pl__re_node(struct pl__re_parser *p, enum pl__re_kind kind)
{
    struct pl__re *n = pl_arena_zalloc(p->arena, sizeof *n);
    if (!n) {
        return pl__re_fail(p, p->p, PL_ENOMEM, "out of memory");
    }
    n->kind = kind;
    n->repeats = 1;
    return n;
}

bool pl__re_take(struct pl__re_parser *p, const char *z)
{
    size_t n = strlen(z);
    if ((size_t)(p->end - p->p) < n || memcmp(p->p, z, n) != 0) {
        return false;
    }
    p->p += n;
    return true;
}

uint32_t pl__re_code_point(struct pl__re_parser *p)
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

struct pl__re *pl__re_literal(struct pl__re_parser *p, uint32_t cp, unsigned flags)
{
    struct pl__re *n = pl__re_node(p, PL__RE_LIT);
    if (n) {
        n->cp = cp;
        n->fold = (flags & PL__RE_FOLD) && (cp >= 0x80 || pl__re_letter(cp));
    }
    return n;
}

/* --- groups, repetition, sequences --- */

static struct pl__re *alternation(struct pl__re_parser *p, unsigned flags, unsigned depth);

/* `(` is at p->p and it captures; its name has been read. */
static struct pl__re *captured(struct pl__re_parser *p, const char *open, unsigned flags,
                               unsigned depth)
{
    struct pl__re *n = pl__re_node(p, PL__RE_GROUP);
    p->tree->n_groups++;
    if (n) {
        n->child = alternation(p, flags, depth + 1);
    }
    if (p->err) {
        return NULL;
    }
    if (!pl__re_take(p, ")")) {
        return pl__re_fail(p, open, PL_EPARSE, "missing closing )");
    }
    n->repeats = n->child->repeats;
    return n;
}

static bool group_name(struct pl__re_parser *p, const char *open)
{
    const char *begin = p->p;
    while (p->p < p->end &&
           (pl__re_letter((uint8_t)*p->p) || pl__re_digit((uint8_t)*p->p) || *p->p == '_')) {
        p->p++;
    }
    pl_str name = pl_str_mem(begin, (size_t)(p->p - begin));
    struct pl__re_tree *t = p->tree;
    if (name.n == 0 || !pl__re_take(p, ">")) {
        pl__re_fail(p, open, PL_EPARSE, "invalid or unsupported group (RE2 has no lookaround)");
        return false;
    }
    for (size_t i = 0; i < t->n_names; i++) {
        if (pl_str_eq(t->names[i].name, name)) {
            pl__re_fail(p, open, PL_EPARSE, "duplicate capture group name");
            return false;
        }
    }
    if (t->n_names == p->cap_names) {
        size_t cap = p->cap_names ? 2 * p->cap_names : 8;
        struct pl__re_name *more = pl_arena_alloc(p->arena, cap * sizeof *more);
        if (!more) {
            pl__re_fail(p, open, PL_ENOMEM, "out of memory");
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
    return name.p || pl__re_fail(p, open, PL_ENOMEM, "out of memory");
}

/* Flags up to `:` or `)`, which is taken into *stop. */
static bool group_flags(struct pl__re_parser *p, const char *open, unsigned *flags, char *stop)
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
    pl__re_fail(p, open, PL_EPARSE, "invalid or unsupported group (RE2 has no lookaround)");
    return false;
}

/* `(` is at p->p. NULL without p->err: it only changed *flags. */
static struct pl__re *group(struct pl__re_parser *p, unsigned *flags, unsigned depth)
{
    const char *open = p->p++;
    if (depth == PL__RE_DEPTH_MAX) {
        return pl__re_fail(p, open, PL_ELIMIT, "nested too deeply");
    }
    if (!pl__re_take(p, "?")) {
        return captured(p, open, *flags, depth);
    }
    if (pl__re_take(p, "P<") || pl__re_take(p, "<")) {
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
    if (n && !pl__re_take(p, ")")) {
        return pl__re_fail(p, open, PL_EPARSE, "missing closing )");
    }
    return n;
}

/* A count in braces; no leading zero. */
static bool count(struct pl__re_parser *p, int *out)
{
    const char *begin = p->p;
    int x = 0;
    for (; p->p < p->end && pl__re_digit((uint8_t)*p->p); p->p++) {
        x = x <= REPEAT_MAX ? x * 10 + (*p->p - '0') : x;
    }
    *out = x;
    return p->p > begin && !(*begin == '0' && p->p - begin > 1);
}

/* A repetition operator at p->p, if there is one; `{` that begins none is a literal. */
static bool repetition(struct pl__re_parser *p, int *min, int *max)
{
    const char *at = p->p;
    *max = -1;
    if (pl__re_take(p, "*")) {
        *min = 0;
    } else if (pl__re_take(p, "+")) {
        *min = 1;
    } else if (pl__re_take(p, "?")) {
        *min = 0;
        *max = 1;
    } else if (pl__re_take(p, "{")) {
        bool fine = count(p, min);
        *max = *min;
        if (fine && pl__re_take(p, ",")) {
            *max = -1;
            fine = pl__re_is(p, '}') || count(p, max);
        }
        if (!fine || !pl__re_take(p, "}")) {
            p->p = at;
            return false;
        }
    } else {
        return false;
    }
    return true;
}

/* last becomes the repetition of what it was. */
static void repeat(struct pl__re_parser *p, const char *at, struct pl__re *last, int min, int max,
                   unsigned flags)
{
    if (!last) {
        pl__re_fail(p, at, PL_EPARSE, "missing argument to repetition operator");
        return;
    }
    unsigned times = max > 1 ? (unsigned)max : min > 1 ? (unsigned)min : 1;
    if (min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && min > max) ||
        (max < 0 || max > 1 ? times * last->repeats : last->repeats) > REPEAT_MAX) {
        pl__re_fail(p, at, PL_EPARSE, "invalid repeat count");
        return;
    }
    bool lazy = pl__re_take(p, "?");
    struct pl__re *child = pl__re_node(p, PL__RE_EMPTY);
    if (!child) {
        return;
    }
    *child = *last;
    *last = (struct pl__re){.kind = PL__RE_REPEAT,
                            .min = min,
                            .max = max,
                            .lazy = lazy != ((flags & PL__RE_UNGREEDY) != 0),
                            .repeats = times * child->repeats,
                            .child = child};
}

/* One node for an escape that is more than a character, at p->p. NULL: there is none, or p->err. */
static struct pl__re *special_escape(struct pl__re_parser *p, unsigned flags)
{
    static const struct {
        char c;
        enum pl__re_kind kind;
    } anchors[] = {
        {'A', PL__RE_BOT}, {'z', PL__RE_EOT}, {'b', PL__RE_WORDB}, {'B', PL__RE_NO_WORDB}};
    for (size_t i = 0; p->end - p->p >= 2 && i < sizeof anchors / sizeof anchors[0]; i++) {
        if (p->p[1] == anchors[i].c) {
            p->p += 2;
            return pl__re_node(p, anchors[i].kind);
        }
    }
    return pl__re_class_escape(p, flags);
}

/* One atom at p->p, which is none of | ) and no repetition operator. NULL as in group. */
static struct pl__re *atom(struct pl__re_parser *p, unsigned *flags, unsigned depth)
{
    uint32_t cp;
    switch (*p->p) {
    case '(':
        return group(p, flags, depth);
    case '[':
        return pl__re_bracket(p, *flags);
    case '.':
        p->p++;
        return pl__re_node(p, *flags & PL__RE_DOT_NL ? PL__RE_ANY : PL__RE_ANY_BUT_NL);
    case '^':
        p->p++;
        return pl__re_node(p, *flags & PL__RE_MULTI_LINE ? PL__RE_BOL : PL__RE_BOT);
    case '$':
        p->p++;
        return pl__re_node(p, *flags & PL__RE_MULTI_LINE ? PL__RE_EOL : PL__RE_EOT);
    case '\\': {
        struct pl__re *n = special_escape(p, *flags);
        if (n || p->err || !pl__re_escape(p, &cp)) {
            return n;
        }
        return pl__re_literal(p, cp, *flags);
    }
    default:
        return pl__re_literal(p, pl__re_code_point(p), *flags);
    }
}

/* Nodes in a row: none is EMPTY, one is itself. */
static struct pl__re *sequence_of(struct pl__re_parser *p, enum pl__re_kind kind,
                                  struct pl__re *first)
{
    if (first && !first->next) {
        return first;
    }
    struct pl__re *n = pl__re_node(p, first ? kind : PL__RE_EMPTY);
    if (n) {
        n->child = first;
        for (const struct pl__re *c = first; c; c = c->next) {
            n->repeats = c->repeats > n->repeats ? c->repeats : n->repeats;
        }
    }
    return n;
}

/* Up to `|`, `)` or the end. Flags may change on the way. */
static struct pl__re *concatenation(struct pl__re_parser *p, unsigned *flags, unsigned depth)
{
    struct pl__re *first = NULL, *last = NULL;
    bool quoting = false, repeated = false;
    while (p->p < p->end && p->err == 0) {
        const char *at = p->p;
        struct pl__re *n;
        int min, max;
        if (quoting) {
            if (pl__re_take(p, "\\E")) {
                quoting = false;
                continue;
            }
            n = pl__re_literal(p, pl__re_code_point(p), *flags);
        } else if (pl__re_take(p, "\\Q")) {
            quoting = true;
            repeated = false;
            continue;
        } else if (pl__re_take(p, "\\E")) {
            pl__re_fail(p, at, PL_EPARSE, "invalid escape sequence");
            break;
        } else if (*at == '|' || *at == ')') {
            break;
        } else if (repetition(p, &min, &max)) {
            if (repeated) {
                pl__re_fail(p, at, PL_EPARSE, "invalid nested repetition operator");
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

static struct pl__re *alternation(struct pl__re_parser *p, unsigned flags, unsigned depth)
{
    struct pl__re *first = NULL, **slot = &first;
    do {
        struct pl__re *n = concatenation(p, &flags, depth);
        if (!n) {
            return NULL;
        }
        *slot = n;
        slot = &n->next;
    } while (pl__re_take(p, "|"));
    return sequence_of(p, PL__RE_ALT, first);
}

int pl__re_parse(pl_str pattern, struct pl_arena *a, struct pl__re_tree *out, char *why,
                 size_t n_why)
{
    const char *begin = pattern.n ? pattern.p : "";
    struct pl__re_parser p = {.begin = begin,
                              .p = begin,
                              .end = begin + pattern.n,
                              .arena = a,
                              .tree = out,
                              .why = why,
                              .n_why = n_why};
    *out = (struct pl__re_tree){0};
    size_t bad = pl_utf8_check(pattern);
    if (bad != pattern.n) {
        pl__re_fail(&p, begin + bad, PL_EPARSE, "invalid UTF-8");
        return p.err;
    }
    out->root = alternation(&p, PL__RE_DOT_NL, 0);
    if (p.err == 0 && p.p != p.end) {
        pl__re_fail(&p, p.p, PL_EPARSE, "unexpected )");
    }
    return p.err;
}
