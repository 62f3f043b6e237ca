/* Inside of the parser: state and helpers shared by parse.c, parse_selector.c and check.c. */
#pragma once
#include "core/query/functions.h"
#include "core/query/lex.h"

/** Compiled matchers, outside the arena because their expressions are. */
struct pl__owned {
    struct pl__owned *next;
    struct pl_expr *expr; /* the selector they belong to */
    size_t n;
    struct pl_matcher m[];
};

struct pl__parser {
    struct pl__lexer lex;
    struct pl__token tok, next; /* the current token and the one behind it */
    struct pl_arena *arena;
    const struct pl_query_conf *conf; /* strict, functions of scripts; may be NULL */
    pl_str text;
    struct pl_query_error *err;
    struct pl__owned *owned;
    unsigned nest, in_aggregation;
    struct pl__template *templates; /* WITH: those that are seen here, the latest first */
    unsigned template_depth, template_tokens;
    bool template_told;
    size_t last_end; /* where the last consumed token ended */
    bool failed;
};

void pl__advance(struct pl__parser *p);
static inline bool pl__is(const struct pl__parser *p, enum pl__tok kind)
{
    return p->tok.kind == kind;
}
static inline bool pl__is_sub(const struct pl__token *t, enum pl__tok kind, int sub)
{
    return t->kind == kind && t->sub == sub;
}
/** Consume the token if it is of this kind. */
bool pl__take(struct pl__parser *p, enum pl__tok kind);
/** Record an error at a byte of the text; only the first counts. Returns NULL. */
void *pl__fail(struct pl__parser *p, int code, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/** `unexpected TOKEN in CONTEXT, expected EXPECTED`; context and expected may be NULL. */
void *pl__unexpected(struct pl__parser *p, const char *context, const char *expected);
/** A string in Go's quotes, in the arena, NUL-terminated. */
const char *pl__quoted(struct pl__parser *p, pl_str s);

#define PL__NEST_MAX 1000 /* open parentheses, calls, unary signs */
/** One level deeper (p->nest-- when done); false where it is too deep. */
bool pl__nest(struct pl__parser *p);
struct pl_expr *pl__node(struct pl__parser *p, enum pl__kind kind, size_t at);
/** depth of e = 1 + that of child; false when too deep. */
bool pl__adopt(struct pl__parser *p, struct pl_expr *e, const struct pl_expr *child);

/* parse_selector.c */
struct pl_expr *pl__parse_selector(struct pl__parser *p);
/** The selector e (of a template) with the matchers of the braces here. */
struct pl_expr *pl__parse_more_matchers(struct pl__parser *p, const struct pl_expr *e);
/** `(a, b)` of by, on, group_left: label names. */
bool pl__parse_labels(struct pl__parser *p, struct pl__names *out);
/** A number or duration, in seconds; the token is consumed. false: an error is recorded. */
bool pl__parse_number(struct pl__parser *p, double *out, bool *is_duration, int64_t *ms);
/** What may follow any expression: [range], [range:step], offset, @. */
struct pl_expr *pl__parse_postfix(struct pl__parser *p, struct pl_expr *e);
bool pl__tok_is_name(const struct pl__token *t);

/** Is an extension allowed here? In strict mode an error that says that it is one. */
bool pl__extension(struct pl__parser *p, size_t at, const char *what);

/* parse.c */
struct pl_expr *pl__parse_expr(struct pl__parser *p);

/* with.c: templates. The token is WITH, or the name of the template. */
struct pl__place {
    struct pl__lexer lex;
    struct pl__token tok, next;
    size_t last_end;
    unsigned in_aggregation;
};
struct pl__template;
struct pl__entered { /* a template being read, and where to go on behind it */
    const struct pl__template *template;
    struct pl__template *templates;
    struct pl__place back;
    size_t at;
};
const struct pl__template *pl__template_find(const struct pl__parser *p, pl_str name);
bool pl__template_function(const struct pl__template *t); /* has parameters? */
/** A token more was read: an error when templates make too many of them. */
void pl__template_count(struct pl__parser *p);
struct pl_expr *pl__parse_with(struct pl__parser *p);
struct pl_expr *pl__parse_template(struct pl__parser *p, const struct pl__template *t);
/** Read the text of a template with other eyes than those for expressions. false: failed. */
bool pl__template_enter(struct pl__parser *p, const struct pl__template *t,
                        struct pl__entered *out);
bool pl__template_leave(struct pl__parser *p, const struct pl__entered *in);

/* hooks.c */
#define PL__HOOK_PREFIX "lua:"
/** The function of a script, as a row of the table; e's arguments are known. NULL with the error.
 */
const struct pl__func *pl__hook_find(struct pl__parser *p, struct pl_expr *e, pl_str name);

/* parse_duration.c */
/** A range or step between brackets: positive. *expr: NULL where a number gave *ms. */
bool pl__parse_range(struct pl__parser *p, const char *context, const char *expected, int64_t *ms,
                     struct pl__dur **expr);
/** What follows `offset`. */
bool pl__parse_offset(struct pl__parser *p, int64_t *ms, struct pl__dur **expr);
/** Can a duration begin with this token? */
bool pl__tok_is_duration(const struct pl__token *t);
#define PL__DURATION_EXPECTED "number, duration, step(), or range()"

/* check.c */
bool pl__check(struct pl__parser *p, struct pl_expr *e);
