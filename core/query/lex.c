/* Lexer of PromQL: text -> tokens, one at a time. The language is that of Prometheus 3 (its manual,
 * "Querying basics"), the words of the errors are those its users know. Context matters: inside
 * braces words are label names, inside brackets ':' stands between range and step. */
#include "core/query/lex.h"

static const struct {
    const char *word;
    enum pl__tok kind;
    int sub;
} words[] = {
    {"and", PL__T_OP, PL__OP_AND},
    {"or", PL__T_OP, PL__OP_OR},
    {"unless", PL__T_OP, PL__OP_UNLESS},
    {"atan2", PL__T_OP, PL__OP_ATAN2},
#define AGG_WORD(name, text, param) {text, PL__T_AGG, PL__AGG_##name},
    PL__AGGS(AGG_WORD)
#undef AGG_WORD
        {"offset", PL__T_KEYWORD, PL__K_OFFSET},
    {"by", PL__T_KEYWORD, PL__K_BY},
    {"without", PL__T_KEYWORD, PL__K_WITHOUT},
    {"on", PL__T_KEYWORD, PL__K_ON},
    {"ignoring", PL__T_KEYWORD, PL__K_IGNORING},
    {"group_left", PL__T_KEYWORD, PL__K_GROUP_LEFT},
    {"group_right", PL__T_KEYWORD, PL__K_GROUP_RIGHT},
    {"fill", PL__T_KEYWORD, PL__K_FILL},
    {"fill_left", PL__T_KEYWORD, PL__K_FILL_LEFT},
    {"fill_right", PL__T_KEYWORD, PL__K_FILL_RIGHT},
    {"bool", PL__T_KEYWORD, PL__K_BOOL},
    {"anchored", PL__T_KEYWORD, PL__K_ANCHORED},
    {"smoothed", PL__T_KEYWORD, PL__K_SMOOTHED},
    {"step", PL__T_KEYWORD, PL__K_STEP},
    {"range", PL__T_KEYWORD, PL__K_RANGE},
    {"min_of", PL__T_KEYWORD, PL__K_MIN_OF},
    {"max_of", PL__T_KEYWORD, PL__K_MAX_OF},
    {"start", PL__T_KEYWORD, PL__K_START},
    {"end", PL__T_KEYWORD, PL__K_END},
    {"inf", PL__T_NUMBER, 0},
    {"nan", PL__T_NUMBER, 0},
};

static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_alpha(int c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_alnum(int c) { return is_alpha(c) || is_digit(c); }
static bool is_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

void pl__lex_init(struct pl__lexer *l, struct pl_arena *a, pl_str text)
{
    *l = (struct pl__lexer){.in = text, .arena = a};
}

/** The byte `ahead` of the position, or -1. */
static int peek(const struct pl__lexer *l, size_t ahead)
{
    return l->pos + ahead < l->in.n ? (unsigned char)l->in.p[l->pos + ahead] : -1;
}

static struct pl__token make(struct pl__lexer *l, enum pl__tok kind, int sub, size_t at)
{
    return (struct pl__token){kind, sub, at, pl_str_mem(l->in.p + at, l->pos - at)};
}

static struct pl__token fail(struct pl__lexer *l, size_t at, const char *what)
{
    l->done = true;
    return (struct pl__token){PL__T_ERROR, 0, at, pl_arena_dup(l->arena, pl_str_c(what))};
}

/** Length of the UTF-8 sequence at p, at least 1. */
static size_t rune_len(pl_str s, size_t at)
{
    unsigned char c = (unsigned char)s.p[at];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n > s.n - at || pl_utf8_check(pl_str_mem(s.p + at, n)) != n) {
        return 1;
    }
    return n;
}

/** `what` followed by the character at `where` in single quotes. */
static struct pl__token fail_char(struct pl__lexer *l, size_t at, const char *what, size_t where,
                                  const char *after)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_z(&b, what);
    pl_buf_z(&b, ": '");
    if (where < l->in.n) {
        size_t n = rune_len(l->in, where);
        unsigned char c = (unsigned char)l->in.p[where];
        if (n == 1 && (c < 0x20 || c == 0x7f)) {
            pl_buf_f(&b, "\\x%02x", c);
        } else if (n == 1 && c >= 0x80) {
            pl_buf_z(&b, "\xef\xbf\xbd");
        } else {
            if (c == '\'' || c == '\\') {
                pl_buf_z(&b, "\\");
            }
            pl_buf_add(&b, l->in.p + where, n);
        }
    } else {
        pl_buf_z(&b, "\xef\xbf\xbd");
    }
    pl_buf_z(&b, "'");
    pl_buf_z(&b, after);
    l->done = true;
    struct pl__token t = {PL__T_ERROR, 0, at, pl_arena_dup(l->arena, pl_buf_view(&b))};
    pl_buf_fini(&b);
    return t;
}

/** The character here between two texts, as Go's %#U: U+0041 'A'. */
static struct pl__token fail_rune(struct pl__lexer *l, size_t at, const char *before,
                                  const char *after)
{
    struct pl_buf b = PL_BUF_INIT;
    size_t n = rune_len(l->in, l->pos);
    const uint8_t *p = (const uint8_t *)l->in.p + l->pos;
    uint32_t x = n == 1 ? (p[0] < 0x80 ? p[0] : 0xfffd) : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        x = x << 6 | (p[i] & 63);
    }
    pl_buf_f(&b, "%sU+%04X", before, x);
    if (x >= 0x20 && x != 0x7f) {
        pl_buf_z(&b, " '");
        if (x == 0xfffd) {
            pl_buf_z(&b, "\xef\xbf\xbd");
        } else {
            pl_buf_add(&b, p, n);
        }
        pl_buf_z(&b, "'");
    }
    pl_buf_z(&b, after);
    struct pl__token t = {PL__T_ERROR, 0, at, pl_arena_dup(l->arena, pl_buf_view(&b))};
    l->done = true;
    pl_buf_fini(&b);
    return t;
}

/** A quoted string; the position is on its opening quote. */
static struct pl__token lex_string(struct pl__lexer *l, size_t at)
{
    int quote = peek(l, 0);
    l->pos++;
    for (;;) {
        int c = peek(l, 0);
        if (quote == '`') {
            if (c < 0) {
                return fail(l, at, "unterminated raw string");
            }
        } else if (c < 0 || c == '\n') {
            return fail(l, at,
                        c < 0 && l->in.p[l->pos - 1] == '\\' && l->pos - at > 1
                            ? "escape sequence not terminated"
                            : "unterminated quoted string");
        }
        if (c == quote) {
            l->pos++;
            return make(l, PL__T_STRING, 0, at);
        }
        if (c >= 0x80) {
            size_t n = rune_len(l->in, l->pos);
            if (n == 1) {
                return fail(l, at, "invalid UTF-8 rune");
            }
            l->pos += n;
            continue;
        }
        l->pos++;
        if (c != '\\' || quote == '`') {
            continue;
        }
        c = peek(l, 0);
        int digits = 0, base = 16;
        uint32_t max = 0x10ffff, x = 0;
        if (c < 0) {
            return fail(l, at, "escape sequence not terminated");
        } else if (strchr("abfnrtv\\", c) || c == quote) {
            l->pos++;
            continue;
        } else if (c >= '0' && c <= '7') {
            digits = 3, base = 8, max = 255;
        } else if (c == 'x') {
            digits = 2, max = 255;
            l->pos++;
        } else if (c == 'u' || c == 'U') {
            digits = c == 'u' ? 4 : 8;
            l->pos++;
        } else {
            return fail_rune(l, at, "unknown escape sequence ", "");
        }
        for (int i = 0; i < digits; i++, l->pos++) {
            c = peek(l, 0);
            int d = is_digit(c)                          ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : 99;
            if (c < 0) {
                return fail(l, at, "escape sequence not terminated");
            }
            if (d >= base) {
                return fail_rune(l, at, "illegal character ", " in escape sequence");
            }
            x = x > max ? x : x * (uint32_t)base + (uint32_t)d;
        }
        if (x > max || (x >= 0xd800 && x < 0xe000)) {
            return fail(l, at, "escape sequence is an invalid Unicode code point");
        }
    }
}

static bool in_set(int c, const char *set) { return c > 0 && strchr(set, c) != NULL; }

/** Digits, one dot, one exponent, underscores between digits, or hexadecimal. */
static bool scan_number(struct pl__lexer *l)
{
    size_t begin = l->pos;
    bool hex = peek(l, 0) == '0' && (peek(l, 1) | 32) == 'x', dot = false, exponent = false;
    if (hex) {
        l->pos += 2;
        l->pos += peek(l, 0) == '_';
    }
    const char *digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
    if (peek(l, 0) == '.') {
        l->pos++;
    }
    for (;;) {
        int c = peek(l, 0);
        if (in_set(c, digits)) {
            l->pos++;
        } else if (c == '.') {
            l->pos++;
            if (dot || hex || in_set(peek(l, 0), "_.")) {
                l->pos += !dot && !hex;
                return false;
            }
            dot = true;
        } else if (!hex && (c == 'e' || c == 'E')) {
            l->pos++;
            if (exponent) {
                return false;
            }
            exponent = true;
            l->pos += in_set(peek(l, 0), "+-");
            if (peek(l, 0) < 0 || in_set(peek(l, 0), "._eE")) {
                l->pos += peek(l, 0) >= 0;
                return false;
            }
        } else if (c == '_') {
            l->pos++;
            if (peek(l, 0) < 0 || in_set(peek(l, 0), "._eE")) {
                l->pos += peek(l, 0) >= 0;
                return false;
            }
        } else {
            break;
        }
    }
    return l->pos > begin + (hex ? 2 : 0) && !is_alnum(peek(l, 0));
}

/** What follows the digits of a duration: units and further digits. */
static bool scan_duration(struct pl__lexer *l)
{
    if (!in_set(peek(l, 0), "smhdwy")) {
        return false;
    }
    l->pos++;
    l->pos += peek(l, 0) == 's';
    while (is_digit(peek(l, 0))) {
        while (is_digit(peek(l, 0))) {
            l->pos++;
        }
        if (!in_set(peek(l, 0), "smhdw")) {
            l->pos += is_alnum(peek(l, 0));
            return false;
        }
        l->pos++;
        l->pos += peek(l, 0) == 's';
    }
    if (is_alnum(peek(l, 0))) {
        l->pos++;
        return false;
    }
    return true;
}

/** K, M, G, T or Ki, Mi, Gi, Ti behind the digits: an extension. Its bytes, or 0. */
static size_t scan_suffix(struct pl__lexer *l)
{
    size_t n = in_set(peek(l, 0), "KMGT") ? 1 + (peek(l, 1) == 'i') : 0;
    if (n == 0 || is_alnum(peek(l, n))) {
        return 0;
    }
    l->pos += n;
    return n;
}

static struct pl__token lex_number(struct pl__lexer *l, size_t at)
{
    if (scan_number(l)) {
        return make(l, PL__T_NUMBER, 0, at);
    }
    size_t suffix = scan_suffix(l);
    if (suffix) {
        return make(l, PL__T_NUMBER, (int)suffix, at);
    }
    if (scan_duration(l)) {
        return make(l, PL__T_DURATION, 0, at);
    }
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_z(&b, "bad number or duration syntax: ");
    pl__quote(&b, pl_str_mem(l->in.p + at, l->pos - at));
    pl_str why = pl_arena_dup(l->arena, pl_buf_view(&b));
    pl_buf_fini(&b);
    l->done = true;
    return (struct pl__token){PL__T_ERROR, 0, at, why};
}

/** Does a parenthesis follow, blanks aside? Only then fill and its kin are modifiers, else metrics.
 */
static bool before_paren(const struct pl__lexer *l)
{
    size_t ahead = 0;
    while (is_space(peek(l, ahead))) {
        ahead++;
    }
    return peek(l, ahead) == '(';
}

static struct pl__token lex_word(struct pl__lexer *l, size_t at)
{
    bool colon = false;
    for (int c; is_alnum(c = peek(l, 0)) || c == ':'; l->pos++) {
        colon |= c == ':';
    }
    struct pl__token t = make(l, colon ? PL__T_METRIC : PL__T_IDENT, 0, at);
    for (size_t i = 0; !colon && i < sizeof words / sizeof *words; i++) {
        if (pl_str_ieq(t.text, pl_str_c(words[i].word))) {
            bool fill = words[i].kind == PL__T_KEYWORD && words[i].sub >= PL__K_FILL &&
                        words[i].sub <= PL__K_FILL_RIGHT;
            if (!fill || before_paren(l)) {
                t.kind = words[i].kind;
                t.sub = words[i].sub;
            }
            break;
        }
    }
    return t;
}

/** A word inside brackets: step, range, min, max, min_of, max_of. */
static struct pl__token lex_duration_word(struct pl__lexer *l, size_t at)
{
    static const struct {
        const char *word;
        int sub;
    } known[] = {{"step", PL__K_STEP},     {"range", PL__K_RANGE}, {"min", PL__K_MIN_OF},
                 {"min_of", PL__K_MIN_OF}, {"max", PL__K_MAX_OF},  {"max_of", PL__K_MAX_OF}};
    while (is_alpha(peek(l, 0))) {
        l->pos++;
    }
    struct pl__token t = make(l, PL__T_KEYWORD, 0, at);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (pl_str_ieq(t.text, pl_str_c(known[i].word))) {
            t.sub = known[i].sub;
            return t;
        }
    }
    return l->duration ? fail_char(l, at, "unexpected character in duration expression", at, "")
                       : fail_char(l, at, "unexpected character", at, ", expected ':'");
}

/** Behind '[', before the first number: fewer characters may come. */
static bool duration_char(int c)
{
    return is_digit(c) || is_alpha(c) || (c > 0 && strchr("+-*/%^(),.:]", c));
}

static void skip_blank(struct pl__lexer *l)
{
    for (;;) {
        if (is_space(peek(l, 0))) {
            l->pos++;
        } else if (peek(l, 0) == '#') {
            while (peek(l, 0) >= 0 && peek(l, 0) != '\n') {
                l->pos++;
            }
        } else {
            return;
        }
    }
}

static struct pl__token lex_in_braces(struct pl__lexer *l, size_t at)
{
    int c = peek(l, 0), d = peek(l, 1);
    if (c < 0) {
        return fail(l, at, "unexpected end of input inside braces");
    }
    if (is_alpha(c)) {
        while (is_alnum(peek(l, 0))) {
            l->pos++;
        }
        return make(l, PL__T_IDENT, 0, at);
    }
    switch (c) {
    case '"':
    case '\'':
    case '`':
        return lex_string(l, at);
    case ',':
        l->pos++;
        return make(l, PL__T_COMMA, 0, at);
    case '=':
        l->pos += d == '~' ? 2 : 1;
        return make(l, d == '~' ? PL__T_EQL_REGEX : PL__T_EQL, 0, at);
    case '!':
        if (d != '~' && d != '=') {
            return fail_char(l, at, "unexpected character after '!' inside braces", l->pos + 1, "");
        }
        l->pos += 2;
        return d == '~' ? make(l, PL__T_NEQ_REGEX, 0, at) : make(l, PL__T_OP, PL__OP_NE, at);
    case '{':
        return fail_char(l, at, "unexpected left brace", l->pos, "");
    case '}':
        l->pos++;
        l->brace = false;
        return make(l, PL__T_RBRACE, 0, at);
    default:
        return fail_char(l, at, "unexpected character inside braces", l->pos, "");
    }
}

/** An operator of `n` bytes. */
static struct pl__token lex_op(struct pl__lexer *l, size_t at, enum pl__op op, size_t n)
{
    l->pos += n;
    return make(l, PL__T_OP, (int)op, at);
}

static struct pl__token lex_one(struct pl__lexer *l, enum pl__tok kind, size_t at)
{
    l->pos++;
    return make(l, kind, 0, at);
}

struct pl__token pl__lex_next(struct pl__lexer *l)
{
    if (l->done) {
        return (struct pl__token){PL__T_EOF, 0, l->in.n, PL_STR_NULL};
    }
    skip_blank(l);
    size_t at = l->pos;
    if (l->brace) {
        return lex_in_braces(l, at);
    }
    int c = peek(l, 0), d = peek(l, 1);
    if (l->duration && c < 0) {
        return fail(l, at, "unexpected end of input in duration expression");
    }
    if (l->duration && (!duration_char(c) || (c == '.' && !is_digit(d)))) {
        return fail_char(l, at, "unexpected character in duration expression", at, "");
    }
    if (is_digit(c) || (c == '.' && is_digit(d))) {
        l->had_duration |= l->duration;
        l->duration = false;
        return lex_number(l, at);
    }
    if (c == ':' && l->bracket) {
        if (l->duration && (l->colon || !l->had_duration)) {
            return fail(l, at,
                        l->had_duration
                            ? "unexpected repeated colon in duration expression"
                            : "unexpected colon before duration in duration expression");
        }
        if (l->colon) {
            return fail_char(l, at, "unexpected colon", at, "");
        }
        l->colon = true;
        return lex_one(l, PL__T_COLON, at);
    }
    if (is_alpha(c) || c == ':') {
        return l->bracket ? lex_duration_word(l, at) : lex_word(l, at);
    }
    switch (c) {
    case -1:
        if (l->parens) {
            return fail(l, at, "unclosed left parenthesis");
        }
        if (l->bracket) {
            return fail(l, at, "unclosed left bracket");
        }
        l->done = true;
        return (struct pl__token){PL__T_EOF, 0, at, PL_STR_NULL};
    case ',':
        return lex_one(l, PL__T_COMMA, at);
    case '*':
        return lex_op(l, at, PL__OP_MUL, 1);
    case '/':
        return lex_op(l, at, PL__OP_DIV, 1);
    case '%':
        return lex_op(l, at, PL__OP_MOD, 1);
    case '+':
        return lex_op(l, at, PL__OP_ADD, 1);
    case '-':
        return lex_op(l, at, PL__OP_SUB, 1);
    case '^':
        return lex_op(l, at, PL__OP_POW, 1);
    case '<':
        return d == '='   ? lex_op(l, at, PL__OP_LE, 2)
               : d == '/' ? lex_op(l, at, PL__OP_TRIM_UPPER, 2)
                          : lex_op(l, at, PL__OP_LT, 1);
    case '>':
        return d == '='   ? lex_op(l, at, PL__OP_GE, 2)
               : d == '/' ? lex_op(l, at, PL__OP_TRIM_LOWER, 2)
                          : lex_op(l, at, PL__OP_GT, 1);
    case '@':
        return lex_one(l, PL__T_AT, at);
    case '=':
        if (d == '=') {
            return lex_op(l, at, PL__OP_EQ, 2);
        }
        if (d == '~') {
            return fail_char(l, at, "unexpected character after '='", at + 1, "");
        }
        return lex_one(l, PL__T_EQL, at);
    case '!':
        if (d != '=') {
            return fail_char(l, at, "unexpected character after '!'", at + 1, "");
        }
        return lex_op(l, at, PL__OP_NE, 2);
    case '"':
    case '\'':
    case '`':
        return lex_string(l, at);
    case '(':
        l->parens++;
        return lex_one(l, PL__T_LPAREN, at);
    case ')':
        if (l->parens == 0) {
            return fail(l, at, "unexpected right parenthesis ')'");
        }
        l->parens--;
        return lex_one(l, PL__T_RPAREN, at);
    case '{':
        l->brace = true;
        return lex_one(l, PL__T_LBRACE, at);
    case '[':
        if (l->bracket) {
            return fail(l, at, "unexpected left bracket '['");
        }
        l->bracket = true;
        l->duration = true;
        l->colon = false;
        return lex_one(l, PL__T_LBRACKET, at);
    case ']':
        if (!l->bracket) {
            return fail(l, at, "unexpected right bracket ']'");
        }
        l->bracket = l->duration = false;
        return lex_one(l, PL__T_RBRACKET, at);
    default:
        return fail_char(l, at, "unexpected character", at, "");
    }
}

void pl__line_column(pl_str text, size_t at, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < text.n; i++) {
        ++*column;
        if (text.p[i] == '\n') {
            ++*line;
            *column = 1;
        }
    }
}

bool pl__unquote(struct pl_arena *a, pl_str quoted, pl_str *out)
{
    if (quoted.n < 2) {
        return false;
    }
    pl_str in = {quoted.p + 1, quoted.n - 2};
    if (quoted.p[0] == '`' || !in.n || !memchr(in.p, '\\', in.n)) {
        *out = in;
        return true;
    }
    char *to = pl_arena_alloc(a, in.n + 1);
    if (!to) {
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < in.n;) {
        char c = in.p[i++];
        if (c != '\\' || i == in.n) {
            to[n++] = c;
            continue;
        }
        c = in.p[i++];
        static const char from[] = "abfnrtv", into[] = "\a\b\f\n\r\t\v";
        const char *simple = strchr(from, c);
        int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : is_digit(c) ? 3 : 0;
        if (simple && c) {
            to[n++] = into[simple - from];
        } else if (!digits) {
            to[n++] = c;
        } else {
            uint32_t x = 0;
            unsigned base = digits == 3 ? 8 : 16;
            i -= digits == 3;
            for (int k = 0; k < digits && i < in.n; k++, i++) {
                int h = in.p[i];
                x = x * base + (uint32_t)(is_digit(h) ? h - '0' : (h | 32) - 'a' + 10);
            }
            if (digits <= 3) {
                to[n++] = (char)x;
            } else {
                n += pl_utf8_put(to + n, x);
            }
        }
    }
    *out = pl_str_mem(to, n);
    return true;
}

void pl__quote(struct pl_buf *b, pl_str s)
{
    pl_buf_u8(b, '"');
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x80) {
            size_t n = rune_len(s, i);
            if (n == 1) {
                pl_buf_f(b, "\\x%02x", c);
            } else {
                pl_buf_add(b, s.p + i, n);
            }
            i += n;
            continue;
        }
        static const char from[] = "\a\b\f\n\r\t\v\"\\", into[] = "abfnrtv\"\\";
        const char *simple = c ? strchr(from, c) : NULL;
        if (simple) {
            pl_buf_u8(b, '\\');
            pl_buf_u8(b, (uint8_t)into[simple - from]);
        } else if (c < 0x20 || c == 0x7f) {
            pl_buf_f(b, "\\x%02x", c);
        } else {
            pl_buf_u8(b, c);
        }
        i++;
    }
    pl_buf_u8(b, '"');
}

/** As Go's %.10q with dots: the first ten characters. */
static void quote_short(struct pl_buf *b, pl_str s)
{
    if (s.n <= 10) {
        pl__quote(b, s);
        return;
    }
    size_t at = 0;
    for (int i = 0; i < 10 && at < s.n; i++) {
        at += rune_len(s, at);
    }
    pl__quote(b, pl_str_mem(s.p, at));
    pl_buf_z(b, "...");
}

void pl__token_desc(struct pl_buf *b, const struct pl__token *t)
{
    switch (t->kind) {
    case PL__T_EOF:
        pl_buf_z(b, "end of input");
        return;
    case PL__T_ERROR:
        pl_buf_str(b, t->text);
        return;
    case PL__T_IDENT:
        pl_buf_z(b, "identifier ");
        pl__quote(b, t->text);
        return;
    case PL__T_METRIC:
        pl_buf_z(b, "metric identifier ");
        pl__quote(b, t->text);
        return;
    case PL__T_NUMBER:
        pl_buf_z(b, "number ");
        quote_short(b, t->text);
        return;
    case PL__T_DURATION:
        pl_buf_z(b, "duration ");
        quote_short(b, t->text);
        return;
    case PL__T_STRING:
        pl_buf_z(b, "string ");
        quote_short(b, t->text);
        return;
    case PL__T_OP:
    case PL__T_AT:
    case PL__T_EQL_REGEX:
    case PL__T_NEQ_REGEX:
        pl_buf_f(b, "<op:%.*s>", PL_PRS(t->text));
        return;
    case PL__T_AGG:
        pl_buf_f(b, "<aggr:%.*s>", PL_PRS(t->text));
        return;
    case PL__T_KEYWORD:
        if (t->sub < PL__K_START) {
            pl_buf_f(b, "<%.*s>", PL_PRS(t->text));
            return;
        }
        pl__quote(b, t->text);
        return;
    default:
        pl__quote(b, t->text);
        return;
    }
}
