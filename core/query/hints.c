/* Advice for mistakes that are often made. The words of an error are Prometheus' and stay so; the
 * hint says what to write instead. Found by the words and by what stands at the place of the error;
 * the first rule that has something to say counts. */
#include "core/query/hints.h"

#include "core/query/ast.h"
#include "core/query/functions.h"

#include <ctype.h>
#include <stdio.h>

#define NEAR_MAX 40 /* bytes of names that are compared */

struct place {
    pl_str query;
    size_t at;
    pl_str words; /* of the error */
    struct pl_buf *out;
};

/* ------------------------------------------------------------------ looking at the text */

static bool word_byte(char c) { return isalnum((unsigned char)c) || c == '_' || c == ':'; }

static char byte_at(const struct place *p, size_t at)
{
    return at < p->query.n ? p->query.p[at] : '\0';
}

/** The word that begins at a place. */
static pl_str word_at(const struct place *p, size_t at)
{
    size_t end = at;
    while (end < p->query.n && word_byte(p->query.p[end])) {
        end++;
    }
    return at < end ? pl_str_mem(p->query.p + at, end - at) : PL_STR_NULL;
}

static size_t skip_blanks(const struct place *p, size_t at)
{
    while (at < p->query.n && isspace((unsigned char)p->query.p[at])) {
        at++;
    }
    return at;
}

/** The first text in quotes of the words. */
static pl_str quoted(const struct place *p)
{
    pl_str rest = p->words;
    pl_str_cut(&rest, '"');
    return rest.n ? pl_str_cut(&rest, '"') : PL_STR_NULL;
}

static bool same_word(pl_str a, const char *b)
{
    size_t n = strlen(b);
    return a.n == n && strncasecmp(a.p, b, n) == 0;
}

/** Is the word the name of an aggregation? */
static bool aggregation(pl_str word)
{
#define IS_AGG(name, text, param)                                                                  \
    if (same_word(word, text)) {                                                                   \
        return true;                                                                               \
    }
    PL__AGGS(IS_AGG)
#undef IS_AGG
    return false;
}

#define OPEN_MAX 64

/** Where the innermost parenthesis, brace or bracket that is never closed stands; strings and
 *  comments do not count. SIZE_MAX: there is none. */
static size_t unclosed(pl_str q, char which)
{
    size_t open[OPEN_MAX], n = 0;
    char close = which == '(' ? ')' : which == '{' ? '}' : ']', quote = 0;
    for (size_t i = 0; i < q.n; i++) {
        char c = q.p[i];
        if (quote) {
            i += c == '\\' && quote != '`';
            quote = c == quote ? 0 : quote;
        } else if (c == '"' || c == '\'' || c == '`') {
            quote = c;
        } else if (c == '#') {
            while (i < q.n && q.p[i] != '\n') {
                i++;
            }
        } else if (c == which) {
            if (n < OPEN_MAX) {
                open[n] = i;
            }
            n++;
        } else if (c == close) {
            n -= n > 0;
        }
    }
    return n == 0 ? SIZE_MAX : open[(n < OPEN_MAX ? n : OPEN_MAX) - 1];
}

static void line_column(pl_str q, size_t at, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < q.n; i++) {
        ++*column;
        if (q.p[i] == '\n') {
            ++*line;
            *column = 1;
        }
    }
}

/* ------------------------------------------------------------------ names that are near */

/** How many bytes to insert, remove, change or swap with the next. */
static size_t distance(pl_str a, pl_str b)
{
    size_t d[3][NEAR_MAX + 1];
    if (a.n > NEAR_MAX || b.n > NEAR_MAX) {
        return SIZE_MAX;
    }
    for (size_t k = 0; k <= b.n; k++) {
        d[0][k] = k;
    }
    for (size_t i = 1; i <= a.n; i++) {
        size_t *row = d[i % 3], *before = d[(i + 2) % 3], *two = d[(i + 1) % 3];
        row[0] = i;
        for (size_t k = 1; k <= b.n; k++) {
            size_t same = tolower((unsigned char)a.p[i - 1]) != tolower((unsigned char)b.p[k - 1]);
            size_t best = before[k - 1] + same;
            best = before[k] + 1 < best ? before[k] + 1 : best;
            best = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
            if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1] &&
                two[k - 2] + 1 < best) {
                best = two[k - 2] + 1;
            }
            row[k] = best;
        }
    }
    return d[a.n % 3][b.n];
}

struct nearest {
    pl_str word;
    const char *name;
    size_t far;
};

static void consider(struct nearest *n, const char *name)
{
    size_t far = distance(n->word, pl_str_c(name));
    if (far < n->far) {
        n->far = far;
        n->name = name;
    }
}

/** What other systems call them. */
static const char *const other_names[][2] = {
    {"mean", "avg"},
    {"average", "avg"},
    {"total", "sum"},
    {"percentile", "quantile"},
    {"log", "ln"},
    {"pow", "^"},
    {"power", "^"},
    {"mod", "%"},
    {"len", "count"},
    {"now", "time"},
    {"increment", "increase"},
    {"derivative", "deriv"},
    {"top", "topk"},
    {"bottom", "bottomk"},
    {"uniq", "count_values"},
    {"replace", "label_replace"},
    {"sqr", "^ 2"},
    {"if", "and"},
    {"coalesce", "or"},
    {"ifnull", "or"},
    {"stdev", "stddev"},
    {"std", "stddev"},
    {"moving_average", "avg_over_time"},
    {"shift", "offset"},
};

static bool unknown_function(struct place *p, const char *text)
{
    struct nearest n = {quoted(p), NULL, 3};
    const struct pl__func *fn;
    (void)text;
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++) {
        if (same_word(n.word, other_names[i][0])) {
            pl_buf_f(p->out, "PromQL has %s for that", other_names[i][1]);
            return true;
        }
    }
    for (size_t i = pl__func_all(&fn); i-- > 0;) {
        consider(&n, fn[i].name);
    }
#define CONSIDER(name, words, param) consider(&n, words);
    PL__AGGS(CONSIDER)
#undef CONSIDER
    if (!n.name || n.far * 2 >= n.word.n) {
        return false;
    }
    pl_buf_f(p->out, "did you mean %s()?", n.name);
    return true;
}

/* ------------------------------------------------------------------ types */

/** In a call of a function of ranges: what stands there has none. */
static bool wants_range(struct place *p, const char *text)
{
    pl_str fn = quoted(p), word = word_at(p, p->at);
    char next = byte_at(p, skip_blanks(p, p->at + word.n));
    (void)text;
    if (aggregation(word) &&
        (next == '(' || same_word(word_at(p, skip_blanks(p, p->at + word.n)), "by"))) {
        pl_buf_f(p->out, "aggregate after %.*s: %.*s(%.*s(x[5m]))", PL_PRS(fn), PL_PRS(word),
                 PL_PRS(fn));
    } else if (next == '(' || !word.n) {
        pl_buf_f(p->out,
                 "%.*s() needs a range; of what is computed take a subquery, as in (...)[1h:1m]",
                 PL_PRS(fn));
    } else {
        pl_buf_f(p->out, "%.*s() needs a range, as in %.*s[5m]", PL_PRS(fn), PL_PRS(word));
    }
    return true;
}

static bool range_behind_call(struct place *p, const char *text)
{
    (void)text;
    if (p->at && byte_at(p, p->at - 1) == ']') {
        pl_buf_z(p->out, "one range is enough: x[5m], or of its values a subquery x[1h:1m]");
    } else {
        pl_buf_z(p->out, "put the range behind the selector, as in rate(x[5m]); a range of what is "
                         "computed is a subquery with a colon: (...)[1h:1m]");
    }
    return true;
}

/** A number first, then the vector: which function or aggregation is it? */
static bool number_first(struct place *p, const char *text)
{
    pl_str name = quoted(p);
    if (!name.n) { /* an aggregation: look back for its name */
        size_t open = p->at;
        while (open > 0 && byte_at(p, open) != '(') {
            open--;
        }
        size_t end = open;
        while (end > 0 && isspace((unsigned char)byte_at(p, end - 1))) {
            end--;
        }
        size_t from = end;
        while (from > 0 && word_byte(byte_at(p, from - 1))) {
            from--;
        }
        name = pl_str_mem(p->query.p + from, end - from);
        if (!aggregation(name)) {
            return false;
        }
    }
    const char *number = pl_str_ends(name, PL_STR("k")) ? "5" : "0.9";
    if (pl_str_starts(name, PL_STR("clamp")) || pl_str_eq(name, PL_STR("round")) ||
        pl_str_eq(name, PL_STR("predict_linear"))) {
        return false;
    }
    pl_buf_f(p->out, "%s: %.*s(%s, x)", text, PL_PRS(name), number);
    return true;
}

static bool aggregation_count(struct place *p, const char *text)
{
    pl_str name = word_at(p, p->at);
    (void)text;
    if (memmem(p->words.p, p->words.n, "expected 1", 10)) {
        pl_buf_f(p->out, "%.*s takes one vector: %.*s(a or b) of two, or add them as a + b",
                 PL_PRS(name), PL_PRS(name));
    } else if (same_word(name, "count_values")) {
        pl_buf_z(p->out, "count_values takes the name of a label first: count_values(\"v\", x)");
    } else {
        pl_buf_f(p->out, "%.*s takes a number first: %.*s(%s, x)", PL_PRS(name), PL_PRS(name),
                 pl_str_ends(name, PL_STR("k")) ? "5" : "0.9");
    }
    return true;
}

/* ------------------------------------------------------------------ selectors */

static bool equals_twice(struct place *p, const char *text)
{
    if (p->at == 0 || byte_at(p, p->at - 1) != '=') {
        return false;
    }
    pl_buf_z(p->out, text);
    return true;
}

static bool unquoted_value(struct place *p, const char *text)
{
    pl_str word = word_at(p, p->at);
    (void)text;
    pl_buf_f(p->out, "quote the value: \"%.*s\"", PL_PRS(word));
    return word.n > 0;
}

static bool number_in_braces(struct place *p, const char *text)
{
    pl_buf_z(p->out, text);
    return isdigit((unsigned char)byte_at(p, p->at)) != 0;
}

static bool between_matchers(struct place *p, const char *text)
{
    pl_str word = word_at(p, p->at);
    if (same_word(word, "or")) {
        pl_buf_z(p->out, "one of two values is one matcher: job=~\"a|b\"");
    } else {
        pl_buf_z(p->out, text);
    }
    return true;
}

static bool typographic(struct place *p, const char *text)
{
    pl_str rest =
        p->at < p->query.n ? pl_str_mem(p->query.p + p->at, p->query.n - p->at) : PL_STR_NULL;
    if (!pl_str_starts(rest, PL_STR("\xe2\x80"))) { /* U+2018 .. U+201F among others */
        return false;
    }
    pl_buf_z(p->out, text);
    return true;
}

static bool escape(struct place *p, const char *text)
{
    size_t n = p->words.n;
    (void)text;
    char c = n > 1 ? p->words.p[n - 2] : 'd'; /* ... U+0064 'd' */
    pl_buf_f(p->out, "double the backslash, \"\\\\%c\", or quote with backticks, `\\%c`", c, c);
    return true;
}

/* ------------------------------------------------------------------ parentheses, words */

static bool never_closed(struct place *p, const char *text)
{
    size_t line, column, at = unclosed(p->query, text[0]);
    if (at == SIZE_MAX) {
        return false;
    }
    line_column(p->query, at, &line, &column);
    pl_buf_f(p->out, "the %c at %zu:%zu is never closed", text[0], line, column);
    return true;
}

static bool lone_equals(struct place *p, const char *text)
{
    char before = p->at ? byte_at(p, p->at - 1) : 0, behind = byte_at(p, p->at + 1);
    if (behind == '>' || behind == '<') {
        pl_buf_f(p->out, "write %c=", behind);
    } else if (before == '<' || before == '>') {
        pl_buf_f(p->out, "write %c=", before);
    } else {
        pl_buf_z(p->out, text);
    }
    return true;
}

/** Words of other languages, and what PromQL has for them. */
static const char *const foreign[][2] = {
    {"not", "PromQL has no \"not\": a unless b keeps what has no match, a == bool 0 turns a value"},
    {"where", "labels are chosen in braces: x{job=\"api\"}"},
    {"from", "a metric is its name alone, as in sum(x)"},
    {"select", "a metric is its name alone, as in sum(x)"},
    {"for", "\"for\" belongs to an alerting rule, not to its expression"},
    {"like", "a label is matched by a regular expression in braces: x{job=~\"api.*\"}"},
    {"in", "one of several values is one matcher: job=~\"a|b\""},
    {"xor", "PromQL has no \"xor\": (a unless b) or (b unless a)"},
    {"else", "there is no \"else\": (a and cond) or b"},
    {"group", "to group write sum by (job) (x)"},
    {"distinct", "to count distinct values of a label: count(count by (job) (x))"},
    {"is", "comparisons are ==, !=, <, <=, > and >="},
};

static bool foreign_word(struct place *p, const char *text)
{
    pl_str word = word_at(p, p->at), before = PL_STR_NULL;
    size_t end = p->at;
    (void)text;
    while (end > 0 && isspace((unsigned char)byte_at(p, end - 1))) {
        end--;
    }
    size_t from = end;
    while (from > 0 && word_byte(byte_at(p, from - 1))) {
        from--;
    }
    before = pl_str_mem(p->query.p + from, end - from);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        if (same_word(word, foreign[i][0]) || same_word(before, foreign[i][0])) {
            pl_buf_z(p->out, foreign[i][1]);
            return true;
        }
    }
    static const char *const keywords[] = {"and",        "or",          "unless",   "offset",
                                           "by",         "on",          "bool",     "atan2",
                                           "group_left", "group_right", "ignoring", "without"};
    struct nearest n = {word, NULL, 3};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        consider(&n, keywords[i]);
    }
    if (n.name && n.far * 2 < word.n) {
        pl_buf_f(p->out, "did you mean %s?", n.name);
        return true;
    }
    return false;
}

static bool placed_wrongly(struct place *p, const char *text)
{
    pl_str word = word_at(p, p->at);
    (void)text;
    pl_buf_f(p->out,
             "%.*s (...) stands right before or behind the parentheses of an aggregation: "
             "sum %.*s (job) (x)",
             PL_PRS(word), PL_PRS(word));
    return word.n > 0;
}

static bool grouping(struct place *p, const char *text)
{
    pl_str word = word_at(p, p->at);
    (void)text;
    pl_buf_f(p->out, "labels to group by stand in parentheses: (%.*s)", PL_PRS(word));
    return word.n > 0;
}

static bool other_operator(struct place *p, const char *text)
{
    if (p->at == 0 || byte_at(p, p->at) != text[0] || byte_at(p, p->at - 1) != text[1]) {
        return false;
    }
    pl_buf_z(p->out, text + 2);
    return true;
}

/* ------------------------------------------------------------------ the rules */

/** Words of the error (both), and how to help: fn, or the text as it is. */
static const struct rule {
    const char *says, *too;
    bool (*fn)(struct place *p, const char *text);
    const char *text;
} rules[] = {
    {"unknown function with name", "", unknown_function, NULL},
    {"expected type range vector in call", "got instant vector", wants_range, NULL},
    {"expected type range vector in call", "got scalar", NULL, "a range is of a metric: x[5m]"},
    {"ranges only allowed for vector selectors", "", range_behind_call, NULL},
    {"expected type instant vector", "got range vector", NULL,
     "make one value of the range first: rate(x[5m]), avg_over_time(x[5m])"},
    {"binary expression must contain", "", NULL,
     "operators take values, not ranges or strings: rate(x[5m]) + 1"},
    {"expected type scalar in call", "got instant vector", number_first, "a number comes first"},
    {"expected type scalar in", "got instant vector", NULL,
     "of a vector of one series scalar(x) makes a number"},
    {"expected type instant vector in aggregation", "got scalar", number_first,
     "the number comes first"},
    {"expected type instant vector in call", "got scalar", NULL,
     "of a number vector(1) makes a series without labels"},
    {"expected type string in call", "", NULL, "quote names of labels and patterns: \"job\""},
    {"wrong number of arguments for aggregate", "", aggregation_count, NULL},
    {"comparisons between scalars must use BOOL", "", NULL, "write it with bool: 1 > bool 2"},
    {"no grouping allowed for", "", NULL,
     "and, or and unless match whole groups: leave out group_left and group_right"},
    {"no offset modifiers allowed before range", "", NULL,
     "offset goes behind the range: x[5m] offset 1h"},
    {"no @ modifiers allowed before range", "", NULL, "@ goes behind the range: x[5m] @ end()"},
    {"at least one non-empty matcher", "", NULL,
     "name a metric or the value of a label, as in {job=\"api\"}; all series are "
     "{__name__=~\".+\"}"},
    {"missing argument to repetition operator", "", NULL,
     "this is a regular expression, not a pattern of file names: .* stands for anything"},
    {"unexpected \"=\" in label matching", "", equals_twice,
     "in braces one = compares: {job=\"api\"}"},
    {"in label matching, expected string", "identifier", unquoted_value, NULL},
    {"unexpected character inside braces", "", number_in_braces,
     "values of labels are strings: quote the number, as in {code=\"500\"}"},
    {"in label matching, expected \",\"", "", between_matchers,
     "put a comma between matchers: {job=\"a\", instance=\"b\"}"},
    {"expected label matching operator", "identifier", foreign_word, NULL},
    {"expected label matching operator", "", NULL,
     "a matcher has an operator and a value: job=\"api\", job!=\"\", job=~\"a.*\""},
    {"unexpected character", "", typographic, "these are typographic quotes: write \" or '"},
    {"inside braces: ':'", "", NULL, "labels are matched with =, !=, =~ or !~: {job=\"api\"}"},
    {"inside braces: '&'", "", NULL, "put a comma between matchers: {job=\"a\", instance=\"b\"}"},
    {"inside braces: '|'", "", NULL, "one of two values is one matcher: job=~\"a|b\""},
    {"unexpected character: '&'", "", NULL, "write and"},
    {"unexpected character: '|'", "", NULL, "write or"},
    {"unexpected character: '.'", "", NULL, "quote names with dots: {\"a.b\"}"},
    {"unexpected character after '!'", "", NULL,
     "PromQL has no \"not\": a unless b keeps what has no match, a == bool 0 turns a value"},
    {"unknown escape sequence", "", escape, NULL},
    {"unterminated quoted string", "", NULL, "the string that begins here has no closing quote"},
    {"unterminated raw string", "", NULL, "the string that begins here has no closing backtick"},
    {"unclosed left parenthesis", "", never_closed, "("},
    {"unexpected end of input", "", never_closed, "{"},
    {"unexpected end of input", "", never_closed, "["},
    {"unexpected end of input", "", never_closed, "("},
    {"unexpected end of input in offset", "", NULL, "say how far, as in offset 1h"},
    {"unexpected end of input", "", NULL,
     "the query ends where something must follow: an operand, or what is aggregated"},
    {"unexpected right parenthesis", "", NULL, "there is none open here: one ) is too many"},
    {"in grouping opts, expected \"(\"", "", grouping, NULL},
    {"unexpected <by>", "", placed_wrongly, NULL},
    {"unexpected <without>", "", placed_wrongly, NULL},
    {"unexpected <op:*>", "", other_operator, "**the power is ^: x ^ 2"},
    {"unexpected <op:>>", "", other_operator, "><unequal is !="},
    {"unexpected \"=\"", "", lone_equals,
     "== compares values; a label is matched in braces: x{job=\"api\"}"},
    {"bad number or duration syntax", "", NULL,
     "units of time are ms, s, m, h, d, w and y, as in 5m or 1h30m"},
    {"in duration expression", "", NULL,
     "units of time are ms, s, m, h, d, w and y, as in 5m or 1h30m"},
    {"expected ':'", "unexpected character", NULL,
     "a duration has no blanks: [5m], of a subquery [1h:5m]"},
    {"in @, expected timestamp", "", NULL,
     "a time is seconds since 1970, start() or end(): x @ 1700000000"},
    {"unexpected identifier", "", foreign_word, NULL},
    {"invalid expression type \"range vector\" for range query", "", NULL,
     "a range vector cannot be graphed: wrap it in rate(...), avg_over_time(...) or the like"},
    {"invalid expression type \"string\" for range query", "", NULL, "a string cannot be graphed"},
    {"many-to-one matching must be explicit", "", NULL,
     "several series on the left match one on the right: write group_left behind on(...) or "
     "ignoring(...), or aggregate the left side"},
    {"grouping labels must ensure unique matches", "", NULL,
     "labels that group_left(...) copies made two series equal: copy others, or fewer"},
    {"vector cannot contain metrics with the same labelset", "", NULL,
     "series of the result are equal but for what was removed, mostly the metric name: keep it "
     "with label_replace, or aggregate them"},
    {"too many samples", "", NULL, "narrow the selector or the time range, or take a longer step"},
    {"bytes of memory: narrow", "", NULL, "aggregate earlier, or ask for fewer series at a time"},
    {"the selector matches more than", "", NULL, "narrow it by another label"},
    {"query timed out", "", NULL,
     "narrow the selector or the time range, take a longer step, or record parts of it by a rule"},
    {"exceeded maximum resolution", "", NULL, "take a longer step, or ask for parts of the range"},
};

void pl__hint(pl_str query, struct pl_query_error *err)
{
    struct pl_buf out = PL_BUF_INIT;
    struct place p = {query, err->at, pl_str_c(err->text), &out};
    if (err->hint[0]) {
        return;
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        if (!strstr(err->text, r->says) || !strstr(err->text, r->too)) {
            continue;
        }
        pl_buf_clear(&out);
        if (!r->fn) {
            pl_buf_z(&out, r->text);
        } else if (!r->fn(&p, r->text)) {
            continue;
        }
        if (!out.failed) {
            snprintf(err->hint, sizeof err->hint, "%.*s", PL_PRS(pl_buf_view(&out)));
        }
        break;
    }
    pl_buf_fini(&out);
}
