/* Regular expressions: choosing between the fast paths and PCRE2, matching, expanding. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/model/regex.h"
#include "core/model/regex_ast.h"
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

/* Beyond these PCRE2 hands over to its DFA matcher, whose time is linear. */
#define MATCH_LIMIT   10000
#define HEAP_LIMIT_KB 4096
#define GLOBS_MAX     16 /* tried one after another */
#define FEW_LITERALS  8  /* compared one after another */
#define COMPILED_MAX  (8u << 20)
#define DFA_WORKSPACE 1024 /* ints; grown to 4,096 times that */
#define EXPAND_LIMIT  10000000

struct pl_regex {
    struct pl_arena arena; /* strings below, and names */
    pl_str *strings;       /* n_strings, all literal or (globs) with gaps */
    size_t n_strings;
    bool globs;
    pl_str prefix;
    struct pl__re_name *names;
    size_t n_names;
    unsigned n_groups;
    pcre2_code *code; /* NULL where strings are all and no group is captured */
    pcre2_code *dfa;  /* the same without what the DFA matcher cannot */
    bool jit;
    pcre2_match_context *limits, *wide_limits;
};

/* --- PCRE2's memory for one match: on the stack, as long as it suffices --- */

struct scratch {
    size_t used;
    _Alignas(16) char bytes[2048];
};

static void *scratch_alloc(size_t n, void *ctx)
{
    struct scratch *s = ctx;
    n = (n + 15) & ~(size_t)15;
    if (n > sizeof s->bytes - s->used) {
        return malloc(n);
    }
    s->used += n;
    return s->bytes + s->used - n;
}

static void scratch_free(void *p, void *ctx)
{
    struct scratch *s = ctx;
    if (p && ((uintptr_t)p < (uintptr_t)s->bytes ||
              (uintptr_t)p >= (uintptr_t)s->bytes + sizeof s->bytes)) {
        free(p);
    }
}

/* --- making --- */

static pcre2_code *compile(pl_str text, uint32_t options, int *rc)
{
    int err;
    size_t at;
    pcre2_compile_context *c = pcre2_compile_context_create(NULL);
    if (!c) {
        *rc = PL_ENOMEM;
        return NULL;
    }
    pcre2_set_newline(c, PCRE2_NEWLINE_LF);
    pcre2_set_compile_extra_options(c, PCRE2_EXTRA_ALLOW_SURROGATE_ESCAPES);
    options |= PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text.p, text.n, options, &err, &at, c);
    pcre2_compile_context_free(c);
    size_t size = 0;
    if (!code) { /* the grammar is checked: what is left is size, and names of scripts */
        *rc = err == PCRE2_ERROR_HEAP_FAILED ? PL_ENOMEM
              : err == PCRE2_ERROR_UNKNOWN_UNICODE_PROPERTY ||
                      err == PCRE2_ERROR_MALFORMED_UNICODE_PROPERTY
                  ? PL_EPARSE
                  : PL_ELIMIT;
    } else if (pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size) == 0 && size > COMPILED_MAX) {
        pcre2_code_free(code);
        code = NULL;
        *rc = PL_ELIMIT;
    }
    return code;
}

static int make_code(struct pl_regex *re, const struct pl__re *root)
{
    struct pl_buf text = PL_BUF_INIT;
    int rc = 0;
    pl__re_emit(root, &text);
    if (text.failed) {
        rc = PL_ENOMEM;
        goto out;
    }
    re->code = compile(pl_buf_view(&text), PCRE2_MATCH_INVALID_UTF, &rc);
    re->dfa = re->code ? compile(pl_buf_view(&text), 0, &rc) : NULL;
    re->limits = pcre2_match_context_create(NULL);
    re->wide_limits = pcre2_match_context_create(NULL);
    if (rc == 0 && (!re->limits || !re->wide_limits)) {
        rc = PL_ENOMEM;
    }
    if (rc < 0) {
        goto out;
    }
    pcre2_set_match_limit(re->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(re->limits, HEAP_LIMIT_KB);
    pcre2_set_match_limit(re->wide_limits, EXPAND_LIMIT);
    pcre2_set_heap_limit(re->wide_limits, 16 * HEAP_LIMIT_KB);
    re->jit = re->n_strings == 0 && pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0;
out:
    pl_buf_fini(&text);
    return rc;
}

static bool gap(char c) { return c == PL__RE_GAP || c == PL__RE_GAP1; }

static bool has_gap(pl_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (gap(s.p[i])) {
            return true;
        }
    }
    return false;
}

/* Strings that are all literal, or few with gaps, are the whole matcher. They are copied, so that
 * the tree can go. */
static int keep_strings(struct pl_regex *re, const pl_str *v, size_t n)
{
    size_t n_gaps = 0;
    for (size_t i = 0; i < n; i++) {
        n_gaps += has_gap(v[i]);
    }
    if (n == 0 || (n_gaps > 0 && n > GLOBS_MAX)) {
        return 0;
    }
    re->strings = pl_arena_alloc(&re->arena, n * sizeof *re->strings);
    for (size_t i = 0; i < n && re->strings; i++) {
        re->strings[i] = pl_arena_dup(&re->arena, v[i]);
        if (!re->strings[i].p) {
            return PL_ENOMEM;
        }
    }
    re->n_strings = n;
    re->globs = n_gaps > 0;
    return re->strings ? 0 : PL_ENOMEM;
}

static int keep_prefix(struct pl_regex *re, const struct pl__re *root)
{
    struct pl_buf b = PL_BUF_INIT;
    pl__re_prefix(root, &b);
    re->prefix = pl_arena_dup(&re->arena, pl_buf_view(&b));
    pl_buf_fini(&b);
    return re->prefix.p ? 0 : PL_ENOMEM;
}

static int keep_names(struct pl_regex *re, const struct pl__re_tree *t)
{
    re->n_groups = t->n_groups;
    re->n_names = t->n_names;
    re->names = pl_arena_alloc(&re->arena, (t->n_names + 1) * sizeof *re->names);
    for (size_t i = 0; i < t->n_names && re->names; i++) {
        re->names[i] = t->names[i];
        re->names[i].name = pl_arena_dup(&re->arena, t->names[i].name);
        if (!re->names[i].name.p) {
            return PL_ENOMEM;
        }
    }
    return re->names ? 0 : PL_ENOMEM;
}

static int make(struct pl_regex *re, const struct pl__re_tree *t, struct pl_arena *tree)
{
    pl_str *strings = NULL;
    int n = pl__re_strings(t->root, tree, &strings), rc;
    rc = n < 0 ? n : keep_strings(re, strings, (size_t)n);
    rc = rc < 0 ? rc : keep_prefix(re, t->root);
    rc = rc < 0 ? rc : keep_names(re, t);
    if (rc == 0 && (re->n_strings == 0 || t->n_groups > 0)) {
        rc = make_code(re, t->root);
    }
    return rc;
}

/** A long pattern: only as a list of strings. */
static int make_list(struct pl_regex *re, pl_str pattern, char *why, size_t n_why)
{
    int n = pl__re_list(pattern, &re->arena, &re->strings);
    if (n == 0 && n_why) {
        snprintf(why, n_why, "longer than %d bytes, and no alternation of plain strings",
                 PL_REGEX_CODE_MAX);
    }
    re->n_strings = n > 0 ? (size_t)n : 0;
    return n == 0 ? PL_ELIMIT : n < 0 ? n : 0;
}

int pl_regex_new(pl_str pattern, struct pl_regex **out, char *why, size_t n_why)
{
    if (pattern.n > PL_REGEX_PATTERN_MAX) {
        if (n_why) {
            snprintf(why, n_why, "longer than %d bytes", PL_REGEX_PATTERN_MAX);
        }
        return PL_ELIMIT;
    }
    struct pl_regex *re = calloc(1, sizeof *re);
    if (!re) {
        return PL_ENOMEM;
    }
    if (pattern.n > PL_REGEX_CODE_MAX) {
        pl_arena_init(&re->arena, 0);
        int rc = make_list(re, pattern, why, n_why);
        if (rc < 0) {
            pl_regex_free(re);
            return rc;
        }
        *out = re;
        return 0;
    }
    struct pl_arena tree;
    struct pl__re_tree t;
    pl_arena_init(&re->arena, 0);
    pl_arena_init(&tree, 64u << 20);
    int rc = pl__re_parse(pattern, &tree, &t, why, n_why);
    if (rc == 0) {
        rc = make(re, &t, &tree);
        if (rc < 0 && n_why) {
            snprintf(why, n_why, "%s",
                     rc == PL_EPARSE   ? "invalid character class range"
                     : rc == PL_ELIMIT ? "compiles too large"
                                       : pl_err_text(rc));
        }
    }
    pl_arena_fini(&tree);
    if (rc < 0) {
        pl_regex_free(re);
        return rc;
    }
    *out = re;
    return 0;
}

void pl_regex_free(struct pl_regex *re)
{
    if (!re) {
        return;
    }
    pcre2_code_free(re->code);
    pcre2_code_free(re->dfa);
    pcre2_match_context_free(re->limits);
    pcre2_match_context_free(re->wide_limits);
    pl_arena_fini(&re->arena);
    free(re);
}

/* --- matching --- */

/* Literal pieces between gaps: the first and the last stand at the ends, each other one at the
 * first place behind its predecessor, which leaves most to those behind it. */
static bool match_glob(pl_str g, pl_str s)
{
    size_t at = 0, i = 0, least = 0; /* least: bytes the gap before this piece takes */
    bool first = true;
    for (;;) {
        size_t n = 0;
        while (i + n < g.n && !gap(g.p[i + n])) {
            n++;
        }
        const char *piece = g.p + i;
        bool last = i + n == g.n;
        if (s.n - at < least + n) {
            return false;
        }
        if (first || last) {
            size_t from = first ? 0 : s.n - n;
            if ((first && last && s.n != n) || memcmp(s.p + from, piece, n) != 0) {
                return false;
            }
            if (last) {
                return true;
            }
            at = n;
        } else if (n > 0) {
            const char *found = memmem(s.p + at + least, s.n - at - least, piece, n);
            if (!found) {
                return false;
            }
            at = (size_t)(found - s.p) + n;
        } else {
            at += least;
        }
        i += n;
        least = g.p[i] == PL__RE_GAP1;
        i++;
        first = false;
    }
}

static bool match_strings(const struct pl_regex *re, pl_str s)
{
    if (re->globs) {
        for (size_t i = 0; i < re->n_strings; i++) {
            if (match_glob(re->strings[i], s)) {
                return true;
            }
        }
        return false;
    }
    if (re->n_strings <= FEW_LITERALS) {
        for (size_t i = 0; i < re->n_strings; i++) {
            if (pl_str_eq(re->strings[i], s)) {
                return true;
            }
        }
        return false;
    }
    size_t lo = 0, hi = re->n_strings;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = pl_str_cmp(re->strings[mid], s);
        if (c == 0) {
            return true;
        }
        *(c < 0 ? &lo : &hi) = c < 0 ? mid + 1 : mid;
    }
    return false;
}

/* The slow sure way. Its workspace grows with the states that are alive at once. */
static bool match_dfa(const struct pl_regex *re, pl_str s)
{
    bool found = false;
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);
    for (size_t n = DFA_WORKSPACE; md && n <= (size_t)DFA_WORKSPACE << 12; n *= 4) {
        int *space = malloc(n * sizeof *space);
        int rc = space ? pcre2_dfa_match(re->dfa, (PCRE2_SPTR)s.p, s.n, 0, PCRE2_DFA_SHORTEST, md,
                                         re->wide_limits, space, n)
                       : PCRE2_ERROR_NOMEMORY;
        free(space);
        found = rc >= 0;
        if (rc != PCRE2_ERROR_DFA_WSSIZE) {
            break;
        }
    }
    pcre2_match_data_free(md);
    return found;
}

/* PCRE2's answer into md: >= 0, PCRE2_ERROR_NOMATCH, or a limit struck. */
static int match_code(const struct pl_regex *re, pl_str s, pcre2_match_data *md,
                      pcre2_match_context *limits)
{
    PCRE2_SPTR p = (PCRE2_SPTR)s.p;
    if (re->jit) {
        int rc = pcre2_jit_match(re->code, p, s.n, 0, 0, md, limits);
        if (rc != PCRE2_ERROR_JIT_STACKLIMIT) {
            return rc;
        }
    }
    return pcre2_match(re->code, p, s.n, 0, PCRE2_NO_JIT, md, limits);
}

bool pl_regex_match(const struct pl_regex *re, pl_str s)
{
    if (s.n == 0) {
        s.p = "";
    }
    if (re->n_strings > 0) {
        return match_strings(re, s);
    }
    if (!pl_str_starts(s, re->prefix)) {
        return false;
    }
    struct scratch scratch;
    scratch.used = 0;
    pcre2_general_context *g = pcre2_general_context_create(scratch_alloc, scratch_free, &scratch);
    pcre2_match_data *md = g ? pcre2_match_data_create(1, g) : NULL;
    int rc = md ? match_code(re, s, md, re->limits) : PCRE2_ERROR_NOMEMORY;
    pcre2_match_data_free(md);
    pcre2_general_context_free(g);
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) {
        return rc >= 0; /* 0: matched, groups left out */
    }
    return match_dfa(re, s);
}

size_t pl_regex_literals(const struct pl_regex *re, const pl_str **out)
{
    if (re->globs) {
        return 0;
    }
    *out = re->strings;
    return re->n_strings;
}

pl_str pl_regex_prefix(const struct pl_regex *re) { return re->prefix; }

/* --- expanding --- */

static bool word_char(char c)
{
    return (c >= '0' && c <= '9') || c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* `$name` or `${name}` behind the dollar: bytes used, 0 if it is none. */
static size_t reference(pl_str t, pl_str *name)
{
    size_t brace = t.n > 0 && t.p[0] == '{', n = brace;
    while (n < t.n && word_char(t.p[n])) {
        n++;
    }
    *name = pl_str_mem(t.p + brace, n - brace);
    if (name->n == 0 || (brace && (n == t.n || t.p[n] != '}'))) {
        return 0;
    }
    return n + brace;
}

/* Number of the group; PL_ENOTFOUND if there is none of that name or number. */
static int group_of(const struct pl_regex *re, pl_str name)
{
    int64_t x;
    if (pl_str_i64(name, &x) == 0) {
        return x <= re->n_groups ? (int)x : PL_ENOTFOUND;
    }
    for (size_t i = 0; i < re->n_names; i++) {
        if (pl_str_eq(re->names[i].name, name)) {
            return (int)re->names[i].group;
        }
    }
    return PL_ENOTFOUND;
}

/* ov: pairs of offsets, n_pairs of them; unset where a group took no part. */
static void expand(const struct pl_regex *re, pl_str s, const PCRE2_SIZE *ov, size_t n_pairs,
                   pl_str t, size_t max, struct pl_buf *out)
{
    while (t.n > 0 && out->n <= max) {
        const char *dollar = memchr(t.p, '$', t.n);
        size_t n = dollar ? (size_t)(dollar - t.p) : t.n;
        pl_buf_add(out, t.p, n);
        t = pl_str_mem(t.p + n, t.n - n);
        if (t.n == 0) {
            break;
        }
        t = pl_str_mem(t.p + 1, t.n - 1);
        pl_str name;
        size_t used = reference(t, &name);
        if (used == 0) { /* `$$` is a dollar, and so is one before anything else */
            used = t.n > 0 && t.p[0] == '$';
            pl_buf_u8(out, '$');
        } else {
            int g = group_of(re, name);
            if (g >= 0 && (size_t)g < n_pairs && ov[2 * g] != PCRE2_UNSET) {
                pl_buf_add(out, s.p + ov[2 * g], ov[2 * g + 1] - ov[2 * g]);
            }
        }
        t = pl_str_mem(t.p + used, t.n - used);
    }
}

bool pl_regex_expand(const struct pl_regex *re, pl_str s, pl_str template, size_t max,
                     struct pl_buf *out)
{
    if (s.n == 0) {
        s.p = "";
    }
    if (!pl_regex_match(re, s)) {
        return false;
    }
    if (!re->code || re->n_groups == 0) { /* $0 is all there is */
        PCRE2_SIZE all[2] = {0, s.n};
        expand(re, s, all, 1, template, max, out);
        return true;
    }
    pcre2_match_data *md = pcre2_match_data_create_from_pattern(re->code, NULL);
    int rc = md ? match_code(re, s, md, re->wide_limits) : PCRE2_ERROR_NOMEMORY;
    if (rc > 0) {
        expand(re, s, pcre2_get_ovector_pointer(md), (size_t)rc, template, max, out);
    }
    pcre2_match_data_free(md);
    return rc > 0;
}
