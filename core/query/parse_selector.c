/* Selectors: metric{label="value"}, ranges, subqueries, offset and @, and the numbers in them. */
#include "core/query/parse.h"

#include "core/codec/codec.h"

#include <math.h>
#include <stdlib.h>

#define MATCHERS_MAX 256

bool pl__tok_is_name(const struct pl__token *t)
{
    switch (t->kind) {
    case PL__T_IDENT:
    case PL__T_METRIC:
    case PL__T_AGG:
        return true;
    case PL__T_OP:
        return pl__op_set((enum pl__op)t->sub);
    case PL__T_KEYWORD:
        return t->sub != PL__K_ON && t->sub != PL__K_IGNORING && t->sub != PL__K_BOOL &&
               t->sub != PL__K_GROUP_LEFT && t->sub != PL__K_GROUP_RIGHT;
    default:
        return false;
    }
}

/** May the token be a label name in by (...)? Every word may. */
static bool is_label(const struct pl__token *t)
{
    return t->kind == PL__T_IDENT || t->kind == PL__T_METRIC || t->kind == PL__T_AGG ||
           t->kind == PL__T_KEYWORD ||
           (t->kind == PL__T_OP && t->sub >= PL__OP_ATAN2 && t->text.n > 1 && t->text.p[0] > '>') ||
           (t->kind == PL__T_NUMBER && (t->text.p[0] | 32) >= 'a');
}

bool pl__parse_labels(struct pl__parser *p, struct pl__names *out)
{
    if (!pl__take(p, PL__T_LPAREN)) {
        return pl__unexpected(p, "grouping opts", "\"(\""), false;
    }
    size_t cap = 0;
    *out = (struct pl__names){0};
    while (!pl__is(p, PL__T_RPAREN)) {
        pl_str name = p->tok.text;
        if (pl__is(p, PL__T_STRING)) {
            if (!pl__unquote(p->arena, p->tok.text, &name)) {
                return pl__fail(p, PL_ENOMEM, p->tok.at, "out of memory"), false;
            }
            if (name.n == 0 || pl_utf8_check(name) != name.n) {
                return pl__fail(p, PL_EPARSE, p->tok.at, "invalid label name for grouping: %s",
                                pl__quoted(p, name)),
                       false;
            }
        } else if (!is_label(&p->tok)) {
            return pl__unexpected(p, "grouping opts", "label"), false;
        }
        if (out->n == cap) {
            cap = cap ? cap * 2 : 4;
            pl_str *more = pl_arena_alloc(p->arena, cap * sizeof *more);
            if (!more) {
                return pl__fail(p, PL_ENOMEM, p->tok.at, "out of memory"), false;
            }
            for (size_t i = 0; i < out->n; i++) {
                more[i] = out->v[i];
            }
            out->v = more;
        }
        out->v[out->n++] = name;
        pl__advance(p);
        if (!pl__is(p, PL__T_RPAREN) && !pl__take(p, PL__T_COMMA)) {
            return pl__unexpected(p, "grouping opts", "\",\" or \")\""), false;
        }
    }
    pl__advance(p);
    return true;
}

static bool all_of(pl_str s, const char *set)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!strchr(set, s.p[i])) {
            return false;
        }
    }
    return true;
}

/** An integer in base 8 or 16: values as Go's ParseInt with base 0 gives them. */
static bool parse_based(pl_str s, unsigned base, double *out)
{
    uint64_t x = 0;
    double d = 0;
    for (size_t i = 0; i < s.n; i++) {
        int c = s.p[i] | 32;
        unsigned digit = (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0');
        if (digit >= base) {
            return false;
        }
        x = x * base + digit;
        d = d * base + digit;
    }
    *out = d < 9.2e18 ? (double)x : d;
    return s.n > 0;
}

bool pl__parse_number(struct pl__parser *p, double *out, bool *is_duration, int64_t *ms)
{
    struct pl__token t = p->tok;
    *is_duration = t.kind == PL__T_DURATION;
    if (*is_duration) {
        int e = pl_duration_parse(t.text, ms);
        if (e < 0) {
            return pl__fail(p, PL_EPARSE, t.at,
                            e == PL_ELIMIT ? "duration out of range"
                                           : "not a valid duration string: %s",
                            pl__quoted(p, t.text)),
                   false;
        }
        *out = (double)*ms / 1000;
        pl__advance(p);
        return true;
    }
    double scale = 1;
    pl_str s = {t.text.p, t.text.n - (size_t)t.sub};
    if (t.sub) {
        if (!pl__extension(p, t.at, "a number with a suffix")) {
            return false;
        }
        for (const char *k = "KMGT"; *k; k++) {
            scale *= t.sub == 2 ? 1024 : 1000;
            if (*k == s.p[s.n]) {
                break;
            }
        }
    }
    if (memchr(s.p, '_', s.n)) {
        char *plain = pl_arena_alloc(p->arena, s.n);
        size_t n = 0;
        for (size_t i = 0; plain && i < s.n; i++) {
            if (s.p[i] != '_') {
                plain[n++] = s.p[i];
            }
        }
        s = pl_str_mem(plain, n);
        if (!plain) {
            return pl__fail(p, PL_ENOMEM, t.at, "out of memory"), false;
        }
    }
    bool ok;
    if (s.n > 2 && s.p[0] == '0' && (s.p[1] | 32) == 'x') {
        ok = parse_based(pl_str_mem(s.p + 2, s.n - 2), 16, out);
    } else if (s.n > 1 && s.p[0] == '0' && all_of(s, "01234567")) {
        ok = parse_based(s, 8, out);
    } else {
        ok = pl_number_parse(s, out) >= 0;
    }
    if (!ok) {
        return pl__fail(p, PL_EPARSE, t.at, "error parsing number: %s", pl__quoted(p, s)), false;
    }
    *out *= scale;
    *ms = 0;
    pl__advance(p);
    return true;
}

static bool number_here(const struct pl__parser *p)
{
    return pl__is(p, PL__T_NUMBER) || pl__is(p, PL__T_DURATION);
}

struct raw_matcher {
    enum pl_match kind;
    pl_str name, value;
    size_t at;
};

/** Inside the braces, one `name op "value"` or `"metric name"`. */
static bool parse_matcher(struct pl__parser *p, struct raw_matcher *m)
{
    bool quoted = pl__is(p, PL__T_STRING);
    m->at = p->tok.at;
    m->name = p->tok.text;
    if (!quoted && !pl__is(p, PL__T_IDENT)) {
        return pl__unexpected(p, "label matching", "identifier or \"}\""), false;
    }
    if (quoted && !pl__unquote(p->arena, p->tok.text, &m->name)) {
        return pl__fail(p, PL_ENOMEM, m->at, "out of memory"), false;
    }
    pl__advance(p);
    switch (p->tok.kind) {
    case PL__T_EQL:
        m->kind = PL_MATCH_EQ;
        break;
    case PL__T_EQL_REGEX:
        m->kind = PL_MATCH_RE;
        break;
    case PL__T_NEQ_REGEX:
        m->kind = PL_MATCH_NRE;
        break;
    case PL__T_OP: /* only != comes inside braces */
        m->kind = PL_MATCH_NE;
        break;
    default:
        if (!quoted) {
            return pl__unexpected(p, "label matching", "label matching operator"), false;
        }
        m->kind = PL_MATCH_EQ;
        m->value = m->name;
        m->name = PL_METRIC_NAME;
        return true;
    }
    pl__advance(p);
    const struct pl__template *t =
        pl__is(p, PL__T_IDENT) && p->templates ? pl__template_find(p, p->tok.text) : NULL;
    if (t) {
        const struct pl_expr *value = pl__parse_template(p, t);
        if (value && value->kind != PL__STRING) {
            return pl__fail(p, PL_EPARSE, m->at, "the value of label %s is no string",
                            pl__quoted(p, m->name)),
                   false;
        }
        m->value = value ? value->str : PL_STR_NULL;
        return value != NULL;
    }
    if (!pl__is(p, PL__T_STRING)) {
        return pl__unexpected(p, "label matching", "string"), false;
    }
    if (!pl__unquote(p->arena, p->tok.text, &m->value)) {
        return pl__fail(p, PL_ENOMEM, m->at, "out of memory"), false;
    }
    pl__advance(p);
    return true;
}

/** Copy and compile the matchers, the one of the name last. */
static bool compile(struct pl__parser *p, struct pl_expr *e, const struct raw_matcher *raw,
                    size_t n)
{
    struct pl__owned *o = calloc(1, sizeof *o + n * sizeof *o->m);
    if (!o) {
        return pl__fail(p, PL_ENOMEM, e->at, "out of memory"), false;
    }
    o->next = p->owned;
    o->expr = e;
    p->owned = o;
    for (size_t i = 0; i < n; i++) {
        char why[256] = "";
        int err =
            pl_matcher_init(&o->m[i], raw[i].kind, raw[i].name, raw[i].value, why, sizeof why);
        if (err < 0) {
            return pl__fail(p, err == PL_ENOMEM ? err : PL_EPARSE, raw[i].at, "%s",
                            why[0] ? why : pl_err_text(err)),
                   false;
        }
        o->n++;
    }
    e->sel.m = o->m;
    e->sel.n = n;
    return true;
}

static bool parse_filters(struct pl__parser *p, struct raw_matcher *raw, size_t *n);

/** The matchers in braces; a template among them stands for its own. */
static bool parse_braces(struct pl__parser *p, struct raw_matcher *raw, size_t *n)
{
    if (!pl__take(p, PL__T_LBRACE)) {
        return pl__unexpected(p, "label matching", "\"{\""), false;
    }
    while (!pl__is(p, PL__T_RBRACE)) {
        const struct pl__template *t = NULL;
        if (p->templates && pl__is(p, PL__T_IDENT) &&
            (p->next.kind == PL__T_COMMA || p->next.kind == PL__T_RBRACE)) {
            t = pl__template_find(p, p->tok.text);
        }
        struct pl__entered in;
        if (*n == MATCHERS_MAX) {
            return pl__fail(p, PL_ELIMIT, p->tok.at, "more than %d label matchers", MATCHERS_MAX),
                   false;
        }
        if (t) {
            if (!pl__template_enter(p, t, &in)) {
                return false;
            }
            bool ok = parse_filters(p, raw, n);
            if (!pl__template_leave(p, &in) || !ok) { /* leaving adds to the error */
                return false;
            }
        } else if (!parse_matcher(p, &raw[(*n)++])) {
            return false;
        }
        if (!pl__is(p, PL__T_RBRACE) && !pl__take(p, PL__T_COMMA)) {
            return pl__unexpected(p, "label matching", "\",\" or \"}\""), false;
        }
    }
    pl__advance(p);
    return true;
}

/** What a template of filters is: braces, or the name of another one. */
static bool parse_filters(struct pl__parser *p, struct raw_matcher *raw, size_t *n)
{
    const struct pl__template *t =
        pl__is(p, PL__T_IDENT) ? pl__template_find(p, p->tok.text) : NULL;
    if (!t) {
        return parse_braces(p, raw, n);
    }
    struct pl__entered in;
    if (!pl__template_enter(p, t, &in)) {
        return false;
    }
    bool ok = parse_filters(p, raw, n);
    return pl__template_leave(p, &in) && ok;
}

struct pl_expr *pl__parse_selector(struct pl__parser *p)
{
    struct raw_matcher raw[MATCHERS_MAX + 1];
    struct pl_expr *e = pl__node(p, PL__SELECTOR, p->tok.at);
    size_t n = 0;
    if (!e) {
        return NULL;
    }
    e->type = PL__TYPE_VECTOR;
    if (!pl__is(p, PL__T_LBRACE)) {
        e->sel.name = p->tok.text;
        pl__advance(p);
    }
    if (pl__is(p, PL__T_LBRACE) && !parse_braces(p, raw, &n)) {
        return NULL;
    }
    e->end = p->last_end;
    if (e->sel.name.n) {
        raw[n++] = (struct raw_matcher){PL_MATCH_EQ, PL_METRIC_NAME, e->sel.name, e->at};
    }
    return compile(p, e, raw, n) ? e : NULL;
}

struct pl_expr *pl__parse_more_matchers(struct pl__parser *p, const struct pl_expr *from)
{
    struct raw_matcher raw[MATCHERS_MAX + 1];
    struct pl_expr *e = pl__node(p, PL__SELECTOR, from->at);
    size_t n = 0, named = from->sel.name.n > 0;
    if (!e) {
        return NULL;
    }
    if (from->sel.range_ms || from->sel.when.offset_set || from->sel.when.at != PL__AT_NONE) {
        return pl__fail(p, PL_EPARSE, p->tok.at,
                        "no label matchers allowed behind a range, offset or @");
    }
    for (; n + named < from->sel.n; n++) {
        const struct pl_matcher *m = &from->sel.m[n];
        raw[n] = (struct raw_matcher){m->kind, m->name, m->value, from->at};
    }
    if (!parse_braces(p, raw, &n)) {
        return NULL;
    }
    e->type = PL__TYPE_VECTOR;
    e->sel.name = from->sel.name;
    e->end = from->end;
    if (named) {
        raw[n++] = (struct raw_matcher){PL_MATCH_EQ, PL_METRIC_NAME, e->sel.name, e->at};
    }
    return compile(p, e, raw, n) ? e : NULL;
}

/** The place of offset and @ of an expression; NULL where it has none. */
static struct pl__when *when_of(struct pl_expr *e)
{
    return e->kind == PL__SELECTOR ? &e->sel.when : e->kind == PL__SUBQUERY ? &e->sub.when : NULL;
}

static bool parse_offset(struct pl__parser *p, struct pl_expr *e)
{
    int64_t ms;
    struct pl__dur *expr;
    pl__advance(p);
    if (!pl__parse_offset(p, &ms, &expr)) {
        return false;
    }
    struct pl__when *w = when_of(e);
    if (!w) {
        return pl__fail(p, PL_EPARSE, e->at,
                        "offset modifier must be preceded by an instant vector selector or range "
                        "vector selector or a subquery"),
               false;
    }
    if (w->offset_expr || (w->offset_set && w->offset_ms != 0)) {
        return pl__fail(p, PL_EPARSE, e->at, "offset may not be set multiple times"), false;
    }
    w->offset_set = true;
    w->offset_ms = ms;
    w->offset_expr = expr;
    e->end = p->last_end;
    return true;
}

/** anchored or smoothed. */
static bool parse_edges(struct pl__parser *p, struct pl_expr *e)
{
    bool anchored = p->tok.sub == PL__K_ANCHORED;
    enum pl__edges edges = anchored ? PL__EDGES_ANCHORED : PL__EDGES_SMOOTHED;
    const char *name = anchored ? "anchored" : "smoothed";
    pl__advance(p);
    if (e->kind == PL__SUBQUERY) {
        return pl__fail(p, PL_EPARSE, e->at, "%s modifier is not supported for subqueries", name),
               false;
    }
    if (e->kind != PL__SELECTOR) {
        return pl__fail(p, PL_EPARSE, e->at, "%s modifier not implemented", name), false;
    }
    if (e->sel.edges != PL__EDGES_PLAIN && e->sel.edges != edges) {
        return pl__fail(p, PL_EPARSE, e->at,
                        "anchored and smoothed modifiers cannot be used together"),
               false;
    }
    e->sel.edges = edges;
    return true;
}

static bool parse_at(struct pl__parser *p, struct pl_expr *e)
{
    enum pl__at at = PL__AT_TIME;
    double v = 0;
    pl__advance(p);
    if (pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_START) ||
        pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_END)) {
        at = p->tok.sub == PL__K_START ? PL__AT_START : PL__AT_END;
        pl__advance(p);
        if (!pl__take(p, PL__T_LPAREN) || !pl__take(p, PL__T_RPAREN)) {
            return pl__unexpected(p, "@", "timestamp"), false;
        }
    } else {
        bool minus = pl__is_sub(&p->tok, PL__T_OP, PL__OP_SUB), duration;
        int64_t ms;
        if (minus || pl__is_sub(&p->tok, PL__T_OP, PL__OP_ADD)) {
            pl__advance(p);
        }
        if (!number_here(p)) {
            return pl__unexpected(p, "@", "timestamp"), false;
        }
        if (!pl__parse_number(p, &v, &duration, &ms)) {
            return false;
        }
        v = minus ? -v : v;
        if (!(fabs(v) < 9.2e15)) {
            return pl__fail(p, PL_EPARSE, e->at, "timestamp out of bounds for @ modifier: %f", v),
                   false;
        }
    }
    struct pl__when *w = when_of(e);
    if (!w) {
        return pl__fail(p, PL_EPARSE, e->at,
                        "@ modifier must be preceded by an instant vector selector or range vector "
                        "selector or a subquery"),
               false;
    }
    if (w->at != PL__AT_NONE) {
        return pl__fail(p, PL_EPARSE, e->at, "@ <timestamp> may not be set multiple times"), false;
    }
    w->at = at;
    w->at_ms = (int64_t)round(v * 1000);
    e->end = p->last_end;
    return true;
}

static struct pl_expr *parse_bracket(struct pl__parser *p, struct pl_expr *e)
{
    size_t open = p->tok.at;
    int64_t range, step = 0;
    struct pl__dur *range_expr, *step_expr = NULL;
    pl__advance(p);
    if (!pl__parse_range(p, "subquery or range selector", PL__DURATION_EXPECTED, &range,
                         &range_expr)) {
        return NULL;
    }
    if (pl__take(p, PL__T_RBRACKET)) {
        if (e->kind != PL__SELECTOR || e->sel.range_ms) {
            return pl__fail(p, PL_EPARSE, open, "ranges only allowed for vector selectors");
        }
        if (e->sel.when.offset_ms != 0 || e->sel.when.offset_expr) {
            return pl__fail(p, PL_EPARSE, open, "no offset modifiers allowed before range");
        }
        if (e->sel.when.at != PL__AT_NONE) {
            return pl__fail(p, PL_EPARSE, open, "no @ modifiers allowed before range");
        }
        e->sel.range_ms = range;
        e->sel.range_expr = range_expr;
        e->type = PL__TYPE_MATRIX;
        e->end = p->last_end;
        return e;
    }
    if (!pl__take(p, PL__T_COLON)) {
        return pl__unexpected(p, "subquery or range", "\":\" or \"]\"");
    }
    static const char expected[] = "number, duration, step(), range(), or \"]\"";
    if (pl__tok_is_duration(&p->tok)) {
        if (!pl__parse_range(p, "subquery selector", expected, &step, &step_expr)) {
            return NULL;
        }
        if (!pl__take(p, PL__T_RBRACKET)) {
            return pl__unexpected(p, "subquery selector", "\"]\"");
        }
    } else if (!pl__take(p, PL__T_RBRACKET)) {
        return pl__unexpected(p, "subquery selector", expected);
    }
    struct pl_expr *sub = pl__node(p, PL__SUBQUERY, e->at);
    if (!sub || !pl__adopt(p, sub, e)) {
        return NULL;
    }
    sub->type = PL__TYPE_MATRIX;
    sub->end = p->last_end;
    sub->sub.expr = e;
    sub->sub.range_ms = range;
    sub->sub.step_ms = step;
    sub->sub.range_expr = range_expr;
    sub->sub.step_expr = step_expr;
    return sub;
}

struct pl_expr *pl__parse_postfix(struct pl__parser *p, struct pl_expr *e)
{
    while (e) {
        if (pl__is(p, PL__T_LBRACKET)) {
            e = parse_bracket(p, e);
        } else if (pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_OFFSET)) {
            e = parse_offset(p, e) ? e : NULL;
        } else if (pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_ANCHORED) ||
                   pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_SMOOTHED)) {
            e = parse_edges(p, e) ? e : NULL;
        } else if (pl__is(p, PL__T_AT)) {
            e = parse_at(p, e) ? e : NULL;
        } else {
            break;
        }
    }
    return e;
}
