/* Parser of PromQL: precedence climbing over the tokens of lex.c into the tree of ast.h. One error
 * is reported, the first, in Prometheus' words: `1:7: parse error: unexpected ...`. */
#include "core/query/hints.h"
#include "core/query/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void pl__advance(struct pl__parser *p)
{
    p->last_end = p->tok.at + p->tok.text.n;
    p->tok = p->next;
    if (p->tok.kind != PL__T_EOF && p->tok.kind != PL__T_ERROR) {
        p->next = pl__lex_next(&p->lex);
    }
    pl__template_count(p);
}

bool pl__take(struct pl__parser *p, enum pl__tok kind)
{
    if (p->tok.kind != kind) {
        return false;
    }
    pl__advance(p);
    return true;
}

void *pl__fail(struct pl__parser *p, int code, size_t at, const char *fmt, ...)
{
    if (p->failed) {
        return NULL;
    }
    p->failed = true;
    size_t line, column;
    pl__line_column(p->text, at, &line, &column);
    p->err->code = code;
    p->err->at = at;
    int n = snprintf(p->err->text, sizeof p->err->text, "%zu:%zu: parse error: ", line, column);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->err->text + n, sizeof p->err->text - (size_t)n, fmt, ap);
    va_end(ap);
    return NULL;
}

void *pl__unexpected(struct pl__parser *p, const char *context, const char *expected)
{
    if (p->tok.kind == PL__T_ERROR) {
        return pl__fail(p, PL_EPARSE, p->tok.at, "%.*s", PL_PRS(p->tok.text));
    }
    struct pl_buf b = PL_BUF_INIT;
    pl_buf_z(&b, "unexpected ");
    pl__token_desc(&b, &p->tok);
    if (!context && p->in_aggregation) {
        context = "aggregation";
    }
    if (context) {
        pl_buf_f(&b, " in %s", context);
    }
    if (expected) {
        pl_buf_f(&b, ", expected %s", expected);
    }
    pl__fail(p, PL_EPARSE, p->tok.at, "%.*s", PL_PRS(pl_buf_view(&b)));
    pl_buf_fini(&b);
    return NULL;
}

const char *pl__quoted(struct pl__parser *p, pl_str s)
{
    struct pl_buf b = PL_BUF_INIT;
    pl__quote(&b, s);
    pl_str q = pl_arena_dup(p->arena, pl_buf_view(&b));
    pl_buf_fini(&b);
    return q.p ? q.p : "";
}

bool pl__extension(struct pl__parser *p, size_t at, const char *what)
{
    if (p->conf && p->conf->strict) {
        pl__fail(p, PL_EPARSE, at, "%s is an extension of PromQL, which strict mode refuses", what);
        return false;
    }
    return true;
}

struct pl_expr *pl__node(struct pl__parser *p, enum pl__kind kind, size_t at)
{
    struct pl_expr *e = pl_arena_zalloc(p->arena, sizeof *e);
    if (!e) {
        return pl__fail(p, PL_ENOMEM, at, "out of memory");
    }
    e->kind = kind;
    e->at = at;
    e->depth = 1;
    return e;
}

bool pl__adopt(struct pl__parser *p, struct pl_expr *e, const struct pl_expr *child)
{
    if (child->depth >= e->depth) {
        e->depth = child->depth + 1;
    }
    if (e->depth > PL_QUERY_DEPTH_MAX) {
        pl__fail(p, PL_EPARSE, e->at, "the query is nested deeper than %d levels",
                 PL_QUERY_DEPTH_MAX);
        return false;
    }
    return true;
}

bool pl__nest(struct pl__parser *p)
{
    if (++p->nest > PL__NEST_MAX) {
        pl__fail(p, PL_EPARSE, p->tok.at, "the query is nested deeper than %d levels",
                 PL__NEST_MAX);
        return false;
    }
    return true;
}

static struct pl_expr *parse_expr(struct pl__parser *p, int min_prec);

/** `( expr, expr )`: arguments of a function or an aggregation. */
static bool parse_args(struct pl__parser *p, struct pl_expr ***out, size_t *n)
{
    struct pl_expr **args = NULL;
    size_t used = 0, cap = 0;
    if (!pl__take(p, PL__T_LPAREN)) {
        pl__unexpected(p, NULL, NULL);
        return false;
    }
    while (!pl__is(p, PL__T_RPAREN)) {
        struct pl_expr *e = parse_expr(p, PL__PREC_MIN);
        if (!e) {
            return false;
        }
        if (used == cap) {
            cap = cap ? cap * 2 : 4;
            struct pl_expr **more = pl_arena_alloc(p->arena, cap * sizeof *more);
            if (!more) {
                pl__fail(p, PL_ENOMEM, p->tok.at, "out of memory");
                return false;
            }
            for (size_t i = 0; i < used; i++) {
                more[i] = args[i];
            }
            args = more;
        }
        args[used++] = e;
        if (pl__is(p, PL__T_RPAREN)) {
            break;
        }
        size_t comma = p->tok.at;
        if (!pl__take(p, PL__T_COMMA)) {
            pl__unexpected(p, NULL, NULL);
            return false;
        }
        if (pl__is(p, PL__T_RPAREN)) {
            pl__fail(p, PL_EPARSE, comma, "trailing commas not allowed in function call args");
            return false;
        }
    }
    pl__advance(p);
    *out = args, *n = used;
    return true;
}

/** The function of a call, or NULL with the error. */
static const struct pl__func *call_fn(struct pl__parser *p, struct pl_expr *e, pl_str name)
{
    if (pl_str_starts(name, PL_STR(PL__HOOK_PREFIX))) {
        return pl__hook_find(p, e, name);
    }
    const struct pl__func *fn = pl__func_find(name);
    if (!fn) {
        return pl__fail(p, PL_EPARSE, e->at, "unknown function with name %s", pl__quoted(p, name));
    }
    if ((fn->flags & PL__FN_EXTENSION) && !pl__extension(p, e->at, fn->name)) {
        return NULL;
    }
    return fn;
}

static struct pl_expr *parse_call(struct pl__parser *p)
{
    struct pl_expr *e = pl__node(p, PL__CALL, p->tok.at);
    pl_str name = p->tok.text; /* of words too, as they are written: START() is unknown */
    pl__advance(p);
    if (!e || !parse_args(p, &e->call.args, &e->call.n)) {
        return NULL;
    }
    e->end = p->last_end;
    e->call.fn = call_fn(p, e, name);
    if (!e->call.fn) {
        return NULL;
    }
    for (size_t i = 0; i < e->call.n; i++) {
        if (!pl__adopt(p, e, e->call.args[i])) {
            return NULL;
        }
    }
    e->type = e->call.fn->returns;
    return e;
}

/** by (...) or without (...), if it stands here. */
static bool parse_grouping(struct pl__parser *p, struct pl_expr *e, bool *found)
{
    bool by = pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_BY);
    if (!by && !pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_WITHOUT)) {
        *found = false;
        return true;
    }
    *found = true;
    pl__advance(p);
    e->agg.without = !by;
    return pl__parse_labels(p, &e->agg.by);
}

static struct pl_expr *parse_aggregate(struct pl__parser *p, enum pl__agg op)
{
    struct pl_expr *e = pl__node(p, PL__AGGREGATE, p->tok.at);
    if (!e || (pl__agg_extension(op) && !pl__extension(p, e->at, pl__agg_text(op)))) {
        return NULL;
    }
    e->type = PL__TYPE_VECTOR;
    e->agg.op = op;
    pl__advance(p);
    struct pl_expr **args = NULL;
    size_t n = 0;
    bool before, after = false;
    p->in_aggregation++;
    if (!parse_grouping(p, e, &before) || !parse_args(p, &args, &n) ||
        (!before && !parse_grouping(p, e, &after))) {
        return NULL;
    }
    p->in_aggregation--;
    e->end = p->last_end;
    size_t want = pl__agg_param(e->agg.op) == PL__TYPE_NONE ? 1 : 2;
    if (n == 0) {
        return pl__fail(p, PL_EPARSE, e->at, "no arguments for aggregate expression provided");
    }
    if (n != want) {
        return pl__fail(p, PL_EPARSE, e->at,
                        "wrong number of arguments for aggregate expression provided, "
                        "expected %zu, got %zu",
                        want, n);
    }
    e->agg.expr = args[want - 1];
    e->agg.param = want == 2 ? args[0] : NULL;
    if (!pl__adopt(p, e, e->agg.expr) || (want == 2 && !pl__adopt(p, e, e->agg.param))) {
        return NULL;
    }
    return e;
}

static struct pl_expr *parse_unary(struct pl__parser *p)
{
    size_t at = p->tok.at;
    bool minus = p->tok.sub == PL__OP_SUB;
    pl__advance(p);
    struct pl_expr *operand = parse_expr(p, pl__op_prec(PL__OP_POW));
    if (!operand) {
        return NULL;
    }
    if (operand->kind == PL__NUMBER) {
        operand->at = at;
        if (minus) {
            operand->num.v = -operand->num.v;
            operand->num.ms = -operand->num.ms;
        }
        return operand;
    }
    struct pl_expr *e = pl__node(p, PL__UNARY, at);
    if (!e || !pl__adopt(p, e, operand)) {
        return NULL;
    }
    e->un.minus = minus;
    e->un.expr = operand;
    e->end = operand->end;
    e->type = operand->type;
    return e;
}

/** Does an aggregation's name here stand for a metric of that name? Only `(`, by and without make
 * it an aggregation; other tokens that cannot follow a metric make it a broken one. */
static bool agg_is_metric(const struct pl__parser *p)
{
    switch (p->next.kind) {
    case PL__T_LPAREN:
    case PL__T_IDENT:
    case PL__T_METRIC:
    case PL__T_NUMBER:
    case PL__T_STRING:
    case PL__T_AGG:
        return false;
    case PL__T_KEYWORD:
        return p->next.sub != PL__K_BY && p->next.sub != PL__K_WITHOUT;
    default:
        return true;
    }
}

static struct pl_expr *parse_primary(struct pl__parser *p)
{
    struct pl_expr *e;
    switch (p->tok.kind) {
    case PL__T_NUMBER:
    case PL__T_DURATION:
        if (!(e = pl__node(p, PL__NUMBER, p->tok.at)) ||
            !pl__parse_number(p, &e->num.v, &e->num.duration, &e->num.ms)) {
            return NULL;
        }
        e->end = p->last_end;
        e->type = PL__TYPE_SCALAR;
        return e;
    case PL__T_STRING:
        if (!(e = pl__node(p, PL__STRING, p->tok.at))) {
            return NULL;
        }
        if (!pl__unquote(p->arena, p->tok.text, &e->str)) {
            return pl__fail(p, PL_ENOMEM, p->tok.at, "out of memory");
        }
        pl__advance(p);
        e->end = p->last_end;
        e->type = PL__TYPE_STRING;
        return e;
    case PL__T_LPAREN:
        e = pl__node(p, PL__PAREN, p->tok.at);
        pl__advance(p);
        if (!e || !(e->paren = parse_expr(p, PL__PREC_MIN)) || !pl__adopt(p, e, e->paren)) {
            return NULL;
        }
        if (!pl__take(p, PL__T_RPAREN)) {
            return pl__unexpected(p, NULL, NULL);
        }
        e->end = p->last_end;
        e->type = e->paren->type;
        return e;
    case PL__T_OP:
        if (p->tok.sub == PL__OP_ADD || p->tok.sub == PL__OP_SUB) {
            return parse_unary(p);
        }
        break;
    case PL__T_AGG:
        if (!agg_is_metric(p)) {
            return parse_aggregate(p, (enum pl__agg)p->tok.sub);
        }
        break;
    case PL__T_IDENT:
        if (p->next.kind == PL__T_LPAREN && pl_str_ieq(p->tok.text, PL_STR("with"))) {
            return pl__parse_with(p);
        }
        if (p->templates) {
            const struct pl__template *t = pl__template_find(p, p->tok.text);
            if (t && (pl__template_function(t) || p->next.kind != PL__T_LPAREN)) {
                return pl__parse_template(p, t);
            }
        }
        if (p->next.kind == PL__T_LPAREN || pl__is_sub(&p->next, PL__T_KEYWORD, PL__K_BY) ||
            pl__is_sub(&p->next, PL__T_KEYWORD, PL__K_WITHOUT)) {
            int agg = pl__agg_extension_find(p->tok.text);
            if (agg >= 0) {
                return parse_aggregate(p, (enum pl__agg)agg);
            }
        }
        if (p->next.kind == PL__T_LPAREN) {
            return parse_call(p);
        }
        break;
    case PL__T_KEYWORD: /* start(), end(), step(), range(), min_of(), max_of() */
        if (p->tok.sub >= PL__K_START && p->next.kind == PL__T_LPAREN) {
            return parse_call(p);
        }
        break;
    case PL__T_METRIC:
        if (p->next.kind == PL__T_LPAREN && pl_str_starts(p->tok.text, PL_STR(PL__HOOK_PREFIX))) {
            return parse_call(p);
        }
        break;
    default:
        break;
    }
    if (pl__tok_is_name(&p->tok) || pl__is(p, PL__T_LBRACE)) {
        return pl__parse_selector(p);
    }
    return pl__unexpected(p, NULL, NULL);
}

/** `(number)` of a fill modifier. */
static bool parse_fill(struct pl__parser *p, double *out)
{
    pl__advance(p);
    if (!pl__take(p, PL__T_LPAREN)) {
        return pl__unexpected(p, "fill modifier", "\"(\""), false;
    }
    bool minus = pl__is_sub(&p->tok, PL__T_OP, PL__OP_SUB);
    if (minus || pl__is_sub(&p->tok, PL__T_OP, PL__OP_ADD)) {
        pl__advance(p);
    }
    bool duration;
    int64_t ms;
    if (!pl__is(p, PL__T_NUMBER) && !pl__is(p, PL__T_DURATION)) {
        return pl__unexpected(p, "fill modifier", "number"), false;
    }
    if (!pl__parse_number(p, out, &duration, &ms)) {
        return false;
    }
    *out = minus ? -*out : *out;
    if (!pl__take(p, PL__T_RPAREN)) {
        return pl__unexpected(p, "fill modifier", "\")\""), false;
    }
    return true;
}

/** bool, on, ignoring, group_left, group_right, fill behind an operator. */
static bool parse_modifiers(struct pl__parser *p, struct pl_expr *e)
{
    struct pl__matching *m = &e->bin.m;
    if (pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_BOOL)) {
        e->bin.returns_bool = true;
        pl__advance(p);
    }
    m->on = pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_ON);
    if (m->on || pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_IGNORING)) {
        m->given = true;
        pl__advance(p);
        if (!pl__parse_labels(p, &m->labels)) {
            return false;
        }
        bool left = pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_GROUP_LEFT);
        if (left || pl__is_sub(&p->tok, PL__T_KEYWORD, PL__K_GROUP_RIGHT)) {
            m->card = left ? PL__MANY_TO_ONE : PL__ONE_TO_MANY;
            pl__advance(p);
            if (pl__is(p, PL__T_LPAREN) && !pl__parse_labels(p, &m->include)) {
                return false;
            }
        }
    }
    while (p->tok.kind == PL__T_KEYWORD && p->tok.sub >= PL__K_FILL &&
           p->tok.sub <= PL__K_FILL_RIGHT && p->next.kind == PL__T_LPAREN) {
        int which = p->tok.sub;
        double v;
        if (!parse_fill(p, &v)) {
            return false;
        }
        if (which != PL__K_FILL_RIGHT) {
            m->fill_l = true, m->fill_left = v;
        }
        if (which != PL__K_FILL_LEFT) {
            m->fill_r = true, m->fill_right = v;
        }
    }
    return true;
}

/** default, if and ifnot are operators only where one can stand: else they are names. */
static bool word_operator(struct pl__parser *p)
{
    for (enum pl__op op = PL__OP_DEFAULT; p->tok.kind == PL__T_IDENT && op <= PL__OP_IFNOT; op++) {
        if (pl_str_ieq(p->tok.text, pl_str_c(pl__op_text(op)))) {
            if (!pl__extension(p, p->tok.at, pl__op_text(op))) {
                return false;
            }
            p->tok.kind = PL__T_OP;
            p->tok.sub = (int)op;
        }
    }
    return true;
}

/** Expressions joined by operators that bind at least as tightly as min_prec. */
static struct pl_expr *parse_expr(struct pl__parser *p, int min_prec)
{
    if (!pl__nest(p)) {
        return NULL;
    }
    struct pl_expr *l = parse_primary(p);
    l = l ? pl__parse_postfix(p, l) : NULL;
    while (l && word_operator(p) && p->tok.kind == PL__T_OP) {
        enum pl__op op = (enum pl__op)p->tok.sub;
        int prec = pl__op_prec(op);
        if (prec < min_prec) {
            break;
        }
        struct pl_expr *e = pl__node(p, PL__BINARY, l->at);
        pl__advance(p);
        if (!e || !parse_modifiers(p, e)) {
            return NULL;
        }
        e->bin.op = op;
        e->bin.l = l;
        e->bin.r = parse_expr(p, op == PL__OP_POW ? prec : prec + 1);
        if (!e->bin.r || !pl__adopt(p, e, l) || !pl__adopt(p, e, e->bin.r)) {
            return NULL;
        }
        e->end = e->bin.r->end;
        e->type = l->type == PL__TYPE_SCALAR && e->bin.r->type == PL__TYPE_SCALAR ? PL__TYPE_SCALAR
                                                                                  : PL__TYPE_VECTOR;
        l = e;
    }
    p->nest--;
    return l;
}

struct pl_expr *pl__parse_expr(struct pl__parser *p) { return parse_expr(p, PL__PREC_MIN); }

static void free_owned(struct pl__owned *o)
{
    while (o) {
        struct pl__owned *next = o->next;
        for (size_t i = 0; i < o->n; i++) {
            pl_matcher_fini(&o->m[i]);
        }
        free(o);
        o = next;
    }
}

void pl__ast_fini(struct pl__ast *ast)
{
    free_owned(ast->owned);
    ast->owned = NULL;
}

int pl__ast_disown(struct pl__ast *ast)
{
    int err = 0;
    for (struct pl__owned *o = ast->owned; o; o = o->next) {
        struct pl_matcher *m = pl_arena_zalloc(ast->arena, (o->n + 1) * sizeof *m);
        for (size_t i = 0; m && i < o->n; i++) {
            m[i].kind = o->m[i].kind;
            m[i].name = pl_arena_dup(ast->arena, o->m[i].name);
            m[i].value = pl_arena_dup(ast->arena, o->m[i].value);
            err = m[i].name.p && m[i].value.p ? err : PL_ENOMEM;
        }
        err = m ? err : PL_ENOMEM;
        o->expr->sel.m = m;
        o->expr->sel.n = m ? o->n : 0;
    }
    pl__ast_fini(ast);
    return err;
}

int pl__parse(struct pl_arena *a, pl_str text, struct pl__ast *ast, struct pl_query_error *err)
{
    return pl__parse_conf(NULL, a, text, ast, err);
}

int pl__parse_conf(const struct pl_query_conf *c, struct pl_arena *a, pl_str text,
                   struct pl__ast *ast, struct pl_query_error *err)
{
    struct pl__parser p = {.arena = a, .conf = c, .text = text, .err = err};
    *err = (struct pl_query_error){0};
    if (text.n > PL_QUERY_TEXT_MAX) {
        pl__fail(&p, PL_ELIMIT, 0, "the query is longer than %u bytes", PL_QUERY_TEXT_MAX);
        return err->code;
    }
    pl__lex_init(&p.lex, a, text);
    p.next = pl__lex_next(&p.lex);
    pl__advance(&p);
    p.last_end = 0;
    struct pl_expr *e = NULL;
    if (pl__is(&p, PL__T_EOF)) {
        pl__fail(&p, PL_EPARSE, 0, "no expression found in input");
    } else {
        e = parse_expr(&p, PL__PREC_MIN);
        if (e && !pl__is(&p, PL__T_EOF)) {
            pl__unexpected(&p, NULL, NULL);
        }
    }
    if (e && !p.failed) {
        pl__check(&p, e);
    }
    if (!e || p.failed) {
        if (!p.failed) {
            pl__fail(&p, PL_ENOMEM, 0, "out of memory");
        }
        free_owned(p.owned);
        pl__hint(text, err);
        return err->code;
    }
    *ast = (struct pl__ast){a, text, e, p.owned};
    return 0;
}
