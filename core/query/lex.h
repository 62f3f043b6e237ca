/* Tokens of PromQL. */
#pragma once
#include "core/query/ast.h"

enum pl__tok {
    PL__T_EOF,
    PL__T_ERROR,  /* text: what is wrong */
    PL__T_IDENT,  /* without colon */
    PL__T_METRIC, /* with colon */
    PL__T_NUMBER, /* sub: bytes of a suffix such as Ki */
    PL__T_DURATION,
    PL__T_STRING, /* text: as written, with its quotes */
    PL__T_LPAREN,
    PL__T_RPAREN,
    PL__T_LBRACE,
    PL__T_RBRACE,
    PL__T_LBRACKET,
    PL__T_RBRACKET,
    PL__T_COMMA,
    PL__T_COLON,
    PL__T_EQL, /* = */
    PL__T_EQL_REGEX,
    PL__T_NEQ_REGEX,
    PL__T_AT,
    PL__T_OP,      /* sub: enum pl__op */
    PL__T_AGG,     /* sub: enum pl__agg */
    PL__T_KEYWORD, /* sub: enum pl__keyword */
};
enum pl__keyword {
    PL__K_OFFSET,
    PL__K_BY,
    PL__K_WITHOUT,
    PL__K_ON,
    PL__K_IGNORING,
    PL__K_GROUP_LEFT,
    PL__K_GROUP_RIGHT,
    PL__K_FILL,
    PL__K_FILL_LEFT,
    PL__K_FILL_RIGHT,
    PL__K_BOOL,
    PL__K_ANCHORED,
    PL__K_SMOOTHED,
    PL__K_START, /* from here on Prometheus calls them preprocessors */
    PL__K_END,
    PL__K_STEP,
    PL__K_RANGE,
    PL__K_MIN_OF,
    PL__K_MAX_OF,
};

struct pl__token {
    enum pl__tok kind;
    int sub;
    size_t at;
    pl_str text;
};

struct pl__lexer {
    pl_str in;
    size_t pos;
    unsigned parens;
    bool brace, bracket, colon, done;
    bool duration;          /* behind '[' until its first number: no words but those of durations */
    bool had_duration;      /* a number stood in brackets before */
    struct pl_arena *arena; /* for error texts */
};
void pl__lex_init(struct pl__lexer *l, struct pl_arena *a, pl_str text);
/** The next token. After EOF or ERROR the same kind comes again. */
struct pl__token pl__lex_next(struct pl__lexer *l);

/** The place of a byte as errors and notes tell it, both from 1. */
void pl__line_column(pl_str text, size_t at, size_t *line, size_t *column);
/** Resolve quotes and escapes of a STRING token; false: invalid (the lexer let it pass: never). */
bool pl__unquote(struct pl_arena *a, pl_str quoted, pl_str *out);
/** Append s as Go's %q does. */
void pl__quote(struct pl_buf *b, pl_str s);
/** Append a token as an error message names it: `identifier "x"`, `<op:+>`, `end of input`. */
void pl__token_desc(struct pl_buf *b, const struct pl__token *t);
