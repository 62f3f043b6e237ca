/* Inside of model: the parser's state and what regex_parse.c (the grammar) and regex_class.c
 * (character classes and escapes) call of each other. */
#pragma once
#include "core/model/regex_ast.h"

enum pl__re_flag {
    PL__RE_FOLD = 1,       /* i */
    PL__RE_MULTI_LINE = 2, /* m */
    PL__RE_DOT_NL = 4,     /* s */
    PL__RE_UNGREEDY = 8,   /* U */
};

struct pl__re_parser {
    const char *begin, *p, *end;
    struct pl_arena *arena;
    struct pl__re_tree *tree;
    size_t cap_names;
    int err;
    char *why;
    size_t n_why;
};

/** Note the first error, with its place. Always NULL. */
struct pl__re *pl__re_fail(struct pl__re_parser *p, const char *at, int err, const char *reason);
/** A node of its kind, all else zero; NULL with p->err. */
struct pl__re *pl__re_node(struct pl__re_parser *p, enum pl__re_kind kind);
/** One code point; folds only what has cases. */
struct pl__re *pl__re_literal(struct pl__re_parser *p, uint32_t cp, unsigned flags);
/** z is at p->p and is passed. */
bool pl__re_take(struct pl__re_parser *p, const char *z);
/** The code point at p->p, passed; the pattern is known to be UTF-8. */
uint32_t pl__re_code_point(struct pl__re_parser *p);
/** A backslash is at p->p: the one code point it stands for. false with p->err. */
bool pl__re_escape(struct pl__re_parser *p, uint32_t *out);
/** `[` is at p->p: the class up to its `]`. NULL with p->err. */
struct pl__re *pl__re_bracket(struct pl__re_parser *p, unsigned flags);
/** \d \s \w \p and their opposites at p->p. NULL: there is none, or p->err. */
struct pl__re *pl__re_class_escape(struct pl__re_parser *p, unsigned flags);

static inline bool pl__re_letter(uint32_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

static inline bool pl__re_digit(uint32_t c) { return c >= '0' && c <= '9'; }

static inline bool pl__re_is(const struct pl__re_parser *p, char c)
{
    return p->p < p->end && *p->p == c;
}
