/* The strings a regular expression matches, when they are few, and what every match begins with.
 *
 * Strings are enumerated with gaps: `.*` is the byte 0xfe in them, `.+` is 0xff, neither of which
 * occurs in UTF-8. So `(a|b)-.*` is the two strings a-<fe> and b-<fe>, and the same code finds
 * literals, prefixes and suffixes. */
#include "core/model/regex_ast.h"
#include <stdlib.h>

/* A pattern's own alternatives may be many; what classes and products multiply is bounded. */
#define PRODUCT_MAX 256
#define STRINGS_MAX 16384
#define BYTES_MAX   (1u << 20)
#define PREFIX_MAX  256

struct set {
    struct pl_arena *arena;
    pl_str *v;
    size_t n, cap, bytes;
};

void pl__re_utf8(struct pl_buf *out, uint32_t cp)
{
    char text[PL_UTF8_MAX];
    pl_buf_add(out, text, pl_utf8_put(text, cp));
}

static bool is_gap(char c) { return c == PL__RE_GAP || c == PL__RE_GAP1; }

/* Append s; it stays where it is. */
static bool add(struct set *out, pl_str s)
{
    if (out->n == STRINGS_MAX || out->bytes + s.n > BYTES_MAX) {
        return false;
    }
    if (out->n == out->cap) {
        size_t cap = out->cap ? 2 * out->cap : 4;
        pl_str *v = pl_arena_alloc(out->arena, cap * sizeof *v);
        if (!v) {
            return false;
        }
        if (out->n) {
            memcpy(v, out->v, out->n * sizeof *v);
        }
        out->v = v;
        out->cap = cap;
    }
    out->v[out->n++] = s;
    out->bytes += s.n;
    return true;
}

/* Append a followed by b. Two gaps in a row are one; of two `.+` that would be two characters. */
static bool add_joined(struct set *out, pl_str a, pl_str b)
{
    if (a.n == 0 || b.n == 0) {
        return add(out, a.n ? a : b);
    }
    bool meet = is_gap(a.p[a.n - 1]) && is_gap(b.p[0]);
    if (meet && a.p[a.n - 1] == PL__RE_GAP1 && b.p[0] == PL__RE_GAP1) {
        return false;
    }
    size_t n = a.n + b.n - meet;
    char *p = out->bytes + n > BYTES_MAX ? NULL : pl_arena_alloc(out->arena, n);
    if (!p) {
        return false;
    }
    memcpy(p, a.p, a.n);
    memcpy(p + a.n - meet, b.p, b.n);
    if (meet && a.p[a.n - 1] == PL__RE_GAP1) {
        p[a.n - 1] = PL__RE_GAP1;
    }
    return add(out, pl_str_mem(p, n));
}

/* a becomes a times b. */
static bool multiply(struct set *a, const struct set *b)
{
    struct set out = {.arena = a->arena};
    if (a->n > 1 && b->n > 1 && a->n * b->n > PRODUCT_MAX) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < b->n; k++) {
            if (!add_joined(&out, a->v[i], b->v[k])) {
                return false;
            }
        }
    }
    *a = out;
    return true;
}

static bool add_utf8(struct set *out, const uint32_t *cp, size_t n)
{
    struct pl_buf b = PL_BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        pl__re_utf8(&b, cp[i]);
    }
    pl_str s = pl_arena_dup(out->arena, pl_buf_view(&b));
    bool fine = !b.failed && s.p && add(out, s);
    pl_buf_fini(&b);
    return fine;
}

static bool zero_width(const struct pl__re *re)
{
    return re->kind == PL__RE_EMPTY || (re->kind >= PL__RE_BOL && re->kind <= PL__RE_EOT);
}

static bool plain(const struct pl__re *re) { return re && re->kind == PL__RE_LIT && !re->fold; }

static bool strings(const struct pl__re *re, bool at_start, bool at_end, struct set *out);

static bool add_all(struct set *out, const struct set *more)
{
    for (size_t i = 0; i < more->n; i++) {
        if (!add(out, more->v[i])) {
            return false;
        }
    }
    return true;
}

static bool cat_strings(const struct pl__re *re, bool at_start, bool at_end, struct set *out)
{
    struct set product = {.arena = out->arena};
    const struct pl__re *last = NULL; /* the last that has a width */
    for (const struct pl__re *c = re->child; c; c = c->next) {
        last = zero_width(c) ? last : c;
    }
    bool ended = !last; /* only anchors come */
    if (!add(&product, PL_STR(""))) {
        return false;
    }
    for (const struct pl__re *c = re->child; c; c = c->next) {
        struct set part = {.arena = out->arena};
        bool fine;
        if (plain(c)) { /* a run of characters at once */
            uint32_t run[64];
            size_t n = 0;
            for (;; c = c->next) {
                run[n++] = c->cp;
                ended = ended || c == last;
                if (!plain(c->next) || n == 64) {
                    break;
                }
            }
            at_start = false;
            fine = add_utf8(&part, run, n);
        } else {
            ended = ended || c == last;
            fine = strings(c, at_start, at_end && ended, &part);
            at_start = at_start && zero_width(c);
        }
        if (!fine || !multiply(&product, &part)) {
            return false;
        }
    }
    return add_all(out, &product);
}

static bool repeat_strings(const struct pl__re *re, struct set *out)
{
    if (re->max < 0) {
        bool gap = re->child->kind == PL__RE_ANY && re->min <= 1;
        return gap && add(out, re->min ? PL_STR("\xff") : PL_STR("\xfe"));
    }
    struct set one = {.arena = out->arena}, power = {.arena = out->arena};
    if (!strings(re->child, false, false, &one) || !add(&power, PL_STR(""))) {
        return false;
    }
    size_t n = 0;
    for (int i = 0; i <= re->max; i++) {
        if (i >= re->min) {
            n += power.n;
            if (n > PRODUCT_MAX || !add_all(out, &power)) {
                return false;
            }
        }
        if (i < re->max && (power.n * one.n > PRODUCT_MAX || !multiply(&power, &one))) {
            return false;
        }
    }
    return true;
}

static bool class_strings(const struct pl__re *re, struct set *out)
{
    if (re->fold || re->n_range == 0) {
        return false;
    }
    for (size_t i = 0; i < re->n_range; i++) {
        for (uint32_t c = re->range[i].lo; c <= re->range[i].hi; c++) {
            if (!add_utf8(out, &c, 1)) {
                return false;
            }
        }
    }
    return true;
}

/* Append what re matches. at_start, at_end: it stands at that end of the whole pattern. */
static bool strings(const struct pl__re *re, bool at_start, bool at_end, struct set *out)
{
    switch (re->kind) {
    case PL__RE_EMPTY:
        return add(out, PL_STR(""));
    case PL__RE_BOL:
    case PL__RE_BOT:
        return at_start && add(out, PL_STR(""));
    case PL__RE_EOL:
    case PL__RE_EOT:
        return at_end && add(out, PL_STR(""));
    case PL__RE_LIT:
        return !re->fold && add_utf8(out, &re->cp, 1);
    case PL__RE_CLASS:
        return class_strings(re, out);
    case PL__RE_GROUP:
        return strings(re->child, at_start, at_end, out);
    case PL__RE_REPEAT:
        return repeat_strings(re, out);
    case PL__RE_CAT:
        return cat_strings(re, at_start, at_end, out);
    case PL__RE_ALT:
        for (const struct pl__re *c = re->child; c; c = c->next) {
            if (!strings(c, at_start, at_end, out)) {
                return false;
            }
        }
        return true;
    default:
        return false;
    }
}

static int by_bytes(const void *a, const void *b)
{
    return pl_str_cmp(*(const pl_str *)a, *(const pl_str *)b);
}

int pl__re_strings(const struct pl__re *root, struct pl_arena *a, pl_str **out)
{
    struct set s = {.arena = a};
    if (!strings(root, true, true, &s)) {
        return 0;
    }
    qsort(s.v, s.n, sizeof s.v[0], by_bytes);
    size_t n = 1;
    for (size_t i = 1; i < s.n; i++) {
        if (!pl_str_eq(s.v[i], s.v[n - 1])) {
            s.v[n++] = s.v[i];
        }
    }
    *out = s.v;
    return (int)n;
}

/* Append; true when re is wholly what was appended, so that what follows may be appended too. */
static bool prefix(const struct pl__re *re, bool at_start, struct pl_buf *out)
{
    size_t before = out->n;
    if (before >= PREFIX_MAX) {
        return false;
    }
    switch (re->kind) {
    case PL__RE_EMPTY:
        return true;
    case PL__RE_BOT:
    case PL__RE_BOL:
        return at_start;
    case PL__RE_LIT:
        if (!re->fold) {
            pl__re_utf8(out, re->cp);
        }
        return !re->fold;
    case PL__RE_GROUP:
        return prefix(re->child, at_start, out);
    case PL__RE_REPEAT:
        for (int i = 0; i < re->min; i++) {
            if (!prefix(re->child, false, out)) {
                return false;
            }
        }
        return re->min == re->max;
    case PL__RE_CAT:
        for (const struct pl__re *c = re->child; c; c = c->next) {
            if (!prefix(c, at_start, out)) {
                return false;
            }
            at_start = at_start && zero_width(c);
        }
        return true;
    case PL__RE_ALT: {
        struct pl_buf other = PL_BUF_INIT;
        prefix(re->child, at_start, out);
        for (const struct pl__re *c = re->child->next; c; c = c->next) {
            size_t same = 0;
            pl_buf_clear(&other);
            prefix(c, at_start, &other);
            while (same < other.n && before + same < out->n &&
                   other.p[same] == out->p[before + same]) {
                same++;
            }
            out->n = before + same;
        }
        pl_buf_fini(&other);
        return false;
    }
    default:
        return false;
    }
}

void pl__re_prefix(const struct pl__re *root, struct pl_buf *out)
{
    size_t before = out->n;
    prefix(root, true, out);
    if (out->failed) {
        out->n = before;
    }
}
