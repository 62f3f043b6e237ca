/* Templates: WITH (name = expr, f(a, b) = expr, filters = {job="x"}) expr. An extension.
 *
 * A template is a place in the text and the names its own text sees: those defined before it and
 * around it. Using it parses that text again where it is used, its parameters standing for the
 * texts of the arguments, which see the names of the place that gives them. So errors and the nodes
 * of the tree have places in the text that was written, and nothing can refer to itself. What is
 * read inside of templates is counted: text that doubles itself again and again is refused. */
#include "core/query/parse.h"

#include <stdio.h>

#define WITH_TOKENS_MAX 100000 /* read inside of templates */
#define WITH_DEPTH_MAX  100    /* templates within templates */
#define PARAMS_MAX      64

struct pl__template {
    struct pl__template *next; /* defined before, or around */
    pl_str name;
    bool function;
    struct pl__names params;
    const struct pl__template *sees; /* what its text sees */
    struct pl__place begin;
    size_t end; /* where the token behind its text begins */
};

static struct pl__place here(const struct pl__parser *p)
{
    return (struct pl__place){p->lex, p->tok, p->next, p->last_end, p->in_aggregation};
}

static void go(struct pl__parser *p, const struct pl__place *to)
{
    p->lex = to->lex;
    p->tok = to->tok;
    p->next = to->next;
    p->last_end = to->last_end;
    p->in_aggregation = to->in_aggregation;
}

const struct pl__template *pl__template_find(const struct pl__parser *p, pl_str name)
{
    const struct pl__template *t = p->templates;
    while (t && !pl_str_eq(t->name, name)) {
        t = t->next;
    }
    return t;
}

bool pl__template_function(const struct pl__template *t) { return t->function; }

void pl__template_count(struct pl__parser *p)
{
    if (p->template_depth && ++p->template_tokens > WITH_TOKENS_MAX) {
        pl__fail(p, PL_ELIMIT, p->tok.at, "templates expand to more than %d tokens",
                 WITH_TOKENS_MAX);
        p->tok.kind = p->next.kind = PL__T_EOF; /* all that is being parsed ends here */
    }
}

/** Go to the comma or parenthesis that ends the text at hand; false: there is none. */
static bool skip(struct pl__parser *p)
{
    for (size_t depth = 0;; pl__advance(p)) {
        switch (p->tok.kind) {
        case PL__T_LPAREN:
        case PL__T_LBRACE:
        case PL__T_LBRACKET:
            depth++;
            break;
        case PL__T_RPAREN:
        case PL__T_COMMA:
            if (depth == 0) {
                return true;
            }
            depth -= p->tok.kind == PL__T_RPAREN;
            break;
        case PL__T_RBRACE:
        case PL__T_RBRACKET:
            depth -= depth > 0;
            break;
        case PL__T_EOF:
        case PL__T_ERROR:
            pl__unexpected(p, "WITH", NULL);
            return false;
        default:
            break;
        }
    }
}

/** The text from here to the comma or parenthesis, as a template. */
static struct pl__template *text_here(struct pl__parser *p, pl_str name,
                                      const struct pl__template *sees, struct pl__template *next)
{
    struct pl__template *t = pl_arena_zalloc(p->arena, sizeof *t);
    if (!t) {
        return pl__fail(p, PL_ENOMEM, p->tok.at, "out of memory");
    }
    if (pl__is(p, PL__T_COMMA) || pl__is(p, PL__T_RPAREN)) {
        return pl__unexpected(p, "WITH", "expression");
    }
    t->name = name;
    t->sees = sees;
    t->next = next;
    t->begin = here(p);
    if (!skip(p)) {
        return NULL;
    }
    t->end = p->tok.at;
    return t;
}

static bool named(const struct pl__names *names, pl_str name)
{
    size_t i = 0;
    while (i < names->n && !pl_str_eq(names->v[i], name)) {
        i++;
    }
    return i < names->n;
}

/** `(a, b)` behind a template's name. */
static bool parse_params(struct pl__parser *p, struct pl__names *out)
{
    out->v = pl_arena_alloc(p->arena, PARAMS_MAX * sizeof *out->v);
    if (!out->v) {
        return pl__fail(p, PL_ENOMEM, p->tok.at, "out of memory"), false;
    }
    for (pl__advance(p); !pl__is(p, PL__T_RPAREN);) {
        if (!pl__is(p, PL__T_IDENT)) {
            return pl__unexpected(p, "WITH", "parameter name"), false;
        }
        if (named(out, p->tok.text)) {
            return pl__fail(p, PL_EPARSE, p->tok.at, "parameter %s twice",
                            pl__quoted(p, p->tok.text)),
                   false;
        }
        if (out->n == PARAMS_MAX) {
            return pl__fail(p, PL_ELIMIT, p->tok.at, "more than %d parameters", PARAMS_MAX), false;
        }
        out->v[out->n++] = p->tok.text;
        pl__advance(p);
        if (!pl__is(p, PL__T_RPAREN) && !pl__take(p, PL__T_COMMA)) {
            return pl__unexpected(p, "WITH", "\",\" or \")\""), false;
        }
    }
    pl__advance(p);
    return true;
}

/** `name = expr` or `f(a, b) = expr`, put before the templates that there are. */
static bool parse_definition(struct pl__parser *p)
{
    pl_str name = p->tok.text;
    struct pl__names params = {0};
    if (!pl__is(p, PL__T_IDENT)) {
        return pl__unexpected(p, "WITH", "template name"), false;
    }
    pl__advance(p);
    bool function = pl__is(p, PL__T_LPAREN);
    if (function && !parse_params(p, &params)) {
        return false;
    }
    if (!pl__take(p, PL__T_EQL)) {
        return pl__unexpected(p, "WITH", "\"=\""), false;
    }
    struct pl__template *t = text_here(p, name, p->templates, p->templates);
    if (t) {
        t->function = function;
        t->params = params;
        p->templates = t;
    }
    return t != NULL;
}

struct pl_expr *pl__parse_with(struct pl__parser *p)
{
    struct pl__template *around = p->templates;
    if (!pl__extension(p, p->tok.at, "WITH")) {
        return NULL;
    }
    pl__advance(p);
    pl__advance(p);
    do {
        if (pl__is(p, PL__T_RPAREN)) {
            break;
        }
        if (!parse_definition(p)) {
            return NULL;
        }
    } while (pl__take(p, PL__T_COMMA));
    if (!pl__take(p, PL__T_RPAREN)) {
        return pl__unexpected(p, "WITH", "\",\" or \")\"");
    }
    struct pl_expr *e = pl__parse_expr(p);
    p->templates = around;
    return e;
}

/** The arguments as templates of the parameters' names, in front of what the template sees. */
static bool parse_args(struct pl__parser *p, const struct pl__template *t,
                       struct pl__template **out)
{
    size_t at = p->tok.at, n = 0;
    struct pl__template *list = (struct pl__template *)t->sees;
    if (!pl__take(p, PL__T_LPAREN)) {
        return pl__unexpected(p, "template", "\"(\""), false;
    }
    while (!pl__is(p, PL__T_RPAREN)) {
        pl_str name = n < t->params.n ? t->params.v[n] : PL_STR_NULL;
        n++;
        if (!(list = text_here(p, name, p->templates, list))) {
            return false;
        }
        if (pl__take(p, PL__T_COMMA) && pl__is(p, PL__T_RPAREN)) {
            return pl__unexpected(p, "template", "expression"), false;
        }
    }
    pl__advance(p);
    if (n != t->params.n) {
        return pl__fail(p, PL_EPARSE, at, "template %s takes %zu argument(s), got %zu",
                        pl__quoted(p, t->name), t->params.n, n),
               false;
    }
    *out = list;
    return true;
}

bool pl__template_enter(struct pl__parser *p, const struct pl__template *t, struct pl__entered *out)
{
    struct pl__template *sees = (struct pl__template *)t->sees;
    out->at = p->tok.at;
    out->template = t;
    pl__advance(p);
    if (t->function && !parse_args(p, t, &sees)) {
        return false;
    }
    if (p->template_depth >= WITH_DEPTH_MAX) {
        return pl__fail(p, PL_ELIMIT, out->at, "templates are nested deeper than %d levels",
                        WITH_DEPTH_MAX),
               false;
    }
    out->back = here(p);
    out->templates = p->templates;
    p->template_depth++;
    p->templates = sees;
    go(p, &t->begin);
    p->in_aggregation = 0;
    pl__template_count(p);
    return !p->failed;
}

/** Add to the error where the template was used that it came from. */
static void tell_use(struct pl__parser *p, const struct pl__entered *in)
{
    if (p->template_told || !p->failed) {
        return;
    }
    size_t line, column, n = strlen(p->err->text);
    pl__line_column(p->text, in->at, &line, &column);
    p->template_told = true;
    snprintf(p->err->text + n, sizeof p->err->text - n, " (in the template %.*s, used at %zu:%zu)",
             PL_PRS(in->template->name), line, column);
}

bool pl__template_leave(struct pl__parser *p, const struct pl__entered *in)
{
    if (!p->failed && p->tok.at != in->template->end) {
        pl__unexpected(p, NULL, NULL);
    }
    tell_use(p, in);
    if (p->failed) {
        return false;
    }
    p->template_depth--;
    p->templates = in->templates;
    go(p, &in->back);
    return true;
}

struct pl_expr *pl__parse_template(struct pl__parser *p, const struct pl__template *t)
{
    struct pl__entered in;
    if (!pl__template_enter(p, t, &in)) {
        return NULL;
    }
    struct pl_expr *e = pl__parse_expr(p);
    if (!pl__template_leave(p, &in) || !e) {
        return NULL;
    }
    if (e->kind == PL__BINARY || e->kind == PL__UNARY || (e->kind == PL__NUMBER && e->num.v < 0)) {
        struct pl_expr *paren = pl__node(p, PL__PAREN, e->at); /* it is one thing where it stands */
        if (!paren || !pl__adopt(p, paren, e)) {
            return NULL;
        }
        paren->paren = e;
        paren->end = e->end;
        paren->type = e->type;
        e = paren;
    }
    return e->kind == PL__SELECTOR && pl__is(p, PL__T_LBRACE) ? pl__parse_more_matchers(p, e) : e;
}
