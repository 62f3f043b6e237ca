/* Durations of ranges, steps and offsets: numbers, and arithmetic on them with step() and range()
 * of the query (Prometheus' duration expressions, docs/feature_flags.md there). Behind `offset` a
 * number ends the duration unless it stands in parentheses: `m offset 5m * 2` doubles the samples.
 */
#include "core/query/parse.h"

#include <math.h>
#include <stdio.h>

#define SECONDS_MAX 9223372036.854775808 /* 2^63 ns: all durations are less */

bool pl__tok_is_duration(const struct pl__token *t)
{
    return t->kind == PL__T_NUMBER || t->kind == PL__T_DURATION || t->kind == PL__T_LPAREN ||
           (t->kind == PL__T_KEYWORD && t->sub >= PL__K_STEP) ||
           (t->kind == PL__T_AGG && (t->sub == PL__AGG_MIN || t->sub == PL__AGG_MAX)) ||
           (t->kind == PL__T_OP && (t->sub == PL__OP_ADD || t->sub == PL__OP_SUB));
}

struct grammar {
    struct pl__parser *p;
    const char *context, *expected; /* of errors */
};

static struct pl__dur *parse_binary(const struct grammar *g, int min_prec);

static struct pl__dur *unexpected(const struct grammar *g)
{
    return pl__unexpected(g->p, g->context, g->expected);
}

static struct pl__dur *node(struct pl__parser *p, enum pl__dur_kind kind, size_t at)
{
    struct pl__dur *d = pl_arena_zalloc(p->arena, sizeof *d);
    if (!d) {
        return pl__fail(p, PL_ENOMEM, at, "out of memory");
    }
    d->kind = kind;
    d->at = at;
    return d;
}

/** depth of d = 1 + that of its deepest part: they are walked by recursion. */
static struct pl__dur *adopt(struct pl__parser *p, struct pl__dur *d)
{
    unsigned l = d->l ? d->l->depth : 0, r = d->r ? d->r->depth : 0;
    d->depth = 1 + (l > r ? l : r);
    if (d->depth > PL__NEST_MAX) {
        return pl__fail(p, PL_EPARSE, d->at, "the duration is nested deeper than %d levels",
                        PL__NEST_MAX);
    }
    return d;
}

static struct pl__dur *parse_literal(struct pl__parser *p)
{
    struct pl__dur *d = node(p, PL__DUR_NUMBER, p->tok.at);
    int64_t ms;
    if (!d || !pl__parse_number(p, &d->v, &d->duration, &ms)) {
        return NULL;
    }
    d->end = p->last_end;
    if (!(d->v < SECONDS_MAX && d->v > -SECONDS_MAX)) {
        return pl__fail(p, PL_EPARSE, d->at, "duration out of range");
    }
    return d;
}

static struct pl__dur *negate(struct pl__parser *p, struct pl__dur *d, bool minus, size_t at)
{
    if (d->kind == PL__DUR_NUMBER && !d->wrapped) {
        d->v = minus ? -d->v : d->v;
        d->at = at;
        return d;
    }
    if (!minus) {
        return d;
    }
    struct pl__dur *e = node(p, PL__DUR_OP, at);
    if (e) {
        e->op = PL__OP_SUB;
        e->r = d;
        e->end = d->end;
    }
    return e ? adopt(p, e) : NULL;
}

/** step(), range(), min_of(a, b), max_of(a, b). */
static struct pl__dur *parse_word(const struct grammar *g)
{
    static const enum pl__dur_kind kinds[] = {PL__DUR_STEP, PL__DUR_RANGE, PL__DUR_MIN,
                                              PL__DUR_MAX};
    struct pl__parser *p = g->p;
    enum pl__dur_kind kind = p->tok.kind == PL__T_KEYWORD ? kinds[p->tok.sub - PL__K_STEP]
                             : p->tok.sub == PL__AGG_MIN  ? PL__DUR_MIN
                                                          : PL__DUR_MAX;
    struct pl__dur *d = node(p, kind, p->tok.at);
    if (!d) {
        return NULL;
    }
    d->name = p->tok.text;
    pl__advance(p);
    if (!pl__take(p, PL__T_LPAREN)) {
        return unexpected(g);
    }
    if (kind == PL__DUR_MIN || kind == PL__DUR_MAX) {
        if (!(d->l = parse_binary(g, 0))) {
            return NULL;
        }
        if (!pl__take(p, PL__T_COMMA)) {
            return unexpected(g);
        }
        if (!(d->r = parse_binary(g, 0))) {
            return NULL;
        }
    }
    if (!pl__take(p, PL__T_RPAREN)) {
        return unexpected(g);
    }
    d->end = p->last_end;
    return adopt(p, d);
}

static struct pl__dur *parse_paren(const struct grammar *g)
{
    struct pl__parser *p = g->p;
    size_t at = p->tok.at;
    pl__advance(p);
    struct pl__dur *d = parse_binary(g, 0);
    if (!d) {
        return NULL;
    }
    if (!pl__take(p, PL__T_RPAREN)) {
        return unexpected(g);
    }
    if (d->kind != PL__DUR_NUMBER) {
        d->wrapped = true;
        return d;
    }
    struct pl__dur *e = node(p, PL__DUR_OP, at); /* (5m) stays an expression, as it was written */
    if (e) {
        e->op = PL__OP_ADD;
        e->r = d;
        e->wrapped = true;
        e->end = p->last_end;
    }
    return e ? adopt(p, e) : NULL;
}

static struct pl__dur *parse_primary(const struct grammar *g)
{
    struct pl__parser *p = g->p;
    if (!pl__tok_is_duration(&p->tok) || p->tok.kind == PL__T_OP) {
        return unexpected(g);
    }
    switch (p->tok.kind) {
    case PL__T_NUMBER:
    case PL__T_DURATION:
        return parse_literal(p);
    case PL__T_LPAREN:
        return parse_paren(g);
    default:
        return parse_word(g);
    }
}

static bool is_sign(const struct pl__token *t)
{
    return pl__is_sub(t, PL__T_OP, PL__OP_ADD) || pl__is_sub(t, PL__T_OP, PL__OP_SUB);
}

static bool arithmetic(const struct pl__token *t)
{
    return t->kind == PL__T_OP && t->sub <= PL__OP_POW;
}

/** Operands joined by operators that bind at least as tightly as min_prec. */
static struct pl__dur *parse_binary(const struct grammar *g, int min_prec)
{
    struct pl__parser *p = g->p;
    struct pl__dur *l;
    if (!pl__nest(p)) {
        return NULL;
    }
    if (is_sign(&p->tok)) {
        size_t at = p->tok.at;
        bool minus = p->tok.sub == PL__OP_SUB;
        pl__advance(p);
        l = parse_binary(g, pl__op_prec(PL__OP_POW));
        l = l ? negate(p, l, minus, at) : NULL;
    } else {
        l = parse_primary(g);
    }
    while (l && arithmetic(&p->tok)) {
        enum pl__op op = (enum pl__op)p->tok.sub;
        int prec = pl__op_prec(op);
        size_t at = p->tok.at;
        if (prec < min_prec) {
            break;
        }
        pl__advance(p);
        struct pl__dur *r = parse_binary(g, op == PL__OP_POW ? prec : prec + 1);
        if (!r) {
            return NULL;
        }
        if ((op == PL__OP_DIV || op == PL__OP_MOD) && r->kind == PL__DUR_NUMBER && r->v == 0) {
            return pl__fail(p, PL_EPARSE, at, "%s by zero",
                            op == PL__OP_DIV ? "division" : "modulo");
        }
        struct pl__dur *e = node(p, PL__DUR_OP, l->at);
        if (!e) {
            return NULL;
        }
        e->op = op;
        e->l = l;
        e->r = r;
        e->end = r->end;
        l = adopt(p, e);
    }
    p->nest--;
    return l;
}

/** Seconds -> ms, by way of ns as Prometheus has them. */
static int64_t to_ms(double seconds) { return (int64_t)round(seconds * 1e9) / 1000000; }

/** The value where it is known already: of numbers; else anything of the right kind. */
static void settle(struct pl__dur *d, int64_t *ms, struct pl__dur **expr)
{
    bool number = d->kind == PL__DUR_NUMBER;
    *expr = number ? NULL : d;
    *ms = number ? to_ms(d->v) : 1;
}

bool pl__parse_range(struct pl__parser *p, const char *context, const char *expected, int64_t *ms,
                     struct pl__dur **expr)
{
    struct grammar g = {p, context, expected};
    struct pl__dur *d = parse_binary(&g, 0);
    if (!d) {
        return false;
    }
    if (d->kind == PL__DUR_NUMBER && !(d->v > 0)) {
        return pl__fail(p, PL_EPARSE, d->at, "duration must be greater than 0"), false;
    }
    settle(d, ms, expr);
    *ms = *ms > 0 ? *ms : 1; /* below a millisecond */
    return true;
}

bool pl__parse_offset(struct pl__parser *p, int64_t *ms, struct pl__dur **expr)
{
    struct grammar g = {p, "offset", PL__DURATION_EXPECTED};
    bool sign = is_sign(&p->tok), minus = sign && p->tok.sub == PL__OP_SUB;
    size_t at = p->tok.at;
    if (sign) {
        pl__advance(p);
    }
    struct pl__dur *d = parse_primary(&g);
    d = d && sign ? negate(p, d, minus, at) : d;
    if (!d) {
        return false;
    }
    settle(d, ms, expr);
    return true;
}

/* ------------------------------------------------------------------ values */

struct times {
    double step, range; /* of the query, seconds */
    struct pl_query_error *err;
};

static bool failed(const struct times *t, const char *fmt)
{
    t->err->code = PL_EINVAL;
    snprintf(t->err->text, sizeof t->err->text, "%s", fmt);
    return false;
}

static bool evaluate(const struct times *t, const struct pl__dur *d, double *out)
{
    double l = 0, r = 0;
    if ((d->l && !evaluate(t, d->l, &l)) || (d->r && !evaluate(t, d->r, &r))) {
        return false;
    }
    switch (d->kind) {
    case PL__DUR_NUMBER:
        *out = d->v;
        return true;
    case PL__DUR_STEP:
        *out = t->step;
        return true;
    case PL__DUR_RANGE:
        *out = t->range;
        return true;
    case PL__DUR_MIN:
        *out = fmin(l, r);
        return true;
    case PL__DUR_MAX:
        *out = fmax(l, r);
        return true;
    case PL__DUR_OP:
        break;
    }
    switch (d->op) {
    case PL__OP_ADD:
        *out = l + r;
        return true;
    case PL__OP_SUB:
        *out = d->l ? l - r : -r;
        return true;
    case PL__OP_MUL:
        *out = l * r;
        return true;
    case PL__OP_DIV:
        *out = l / r;
        return r != 0 || failed(t, "division by zero");
    case PL__OP_MOD:
        *out = fmod(l, r);
        return r != 0 || failed(t, "modulo by zero");
    default:
        *out = pow(l, r);
        return true;
    }
}

static bool resolve(const struct times *t, const struct pl__dur *d, bool positive, int64_t *ms)
{
    double v;
    if (!d) {
        return true;
    }
    if (!evaluate(t, d, &v)) {
        t->err->at = d->at;
        return false;
    }
    if (positive && !(v > 0)) {
        t->err->at = d->at;
        t->err->code = PL_EINVAL;
        snprintf(t->err->text, sizeof t->err->text, "%zu:%zu: duration must be greater than 0",
                 d->at, d->end);
        return false;
    }
    if (!(v < SECONDS_MAX && v > -SECONDS_MAX)) {
        t->err->at = d->at;
        t->err->code = PL_EINVAL;
        snprintf(t->err->text, sizeof t->err->text, "%zu:%zu: duration is out of range", d->at,
                 d->end);
        return false;
    }
    *ms = (int64_t)(v * 1000);
    *ms = positive && *ms < 1 ? 1 : *ms;
    return true;
}

static bool walk(const struct times *t, struct pl_expr *e)
{
    switch (e->kind) {
    case PL__SELECTOR:
        return resolve(t, e->sel.when.offset_expr, false, &e->sel.when.offset_ms) &&
               resolve(t, e->sel.range_expr, true, &e->sel.range_ms);
    case PL__SUBQUERY:
        return resolve(t, e->sub.when.offset_expr, false, &e->sub.when.offset_ms) &&
               resolve(t, e->sub.step_expr, true, &e->sub.step_ms) &&
               resolve(t, e->sub.range_expr, true, &e->sub.range_ms) && walk(t, e->sub.expr);
    case PL__CALL:
        for (size_t i = 0; i < e->call.n; i++) {
            if (!walk(t, e->call.args[i])) {
                return false;
            }
        }
        return true;
    case PL__AGGREGATE:
        return walk(t, e->agg.expr) && (!e->agg.param || walk(t, e->agg.param));
    case PL__BINARY:
        return walk(t, e->bin.l) && walk(t, e->bin.r);
    case PL__UNARY:
        return walk(t, e->un.expr);
    case PL__PAREN:
        return walk(t, e->paren);
    default:
        return true;
    }
}

int pl__durations_resolve(struct pl_expr *root, int64_t start, int64_t end, int64_t step,
                          struct pl_query_error *err)
{
    struct times t = {
        .step = (double)step / 1000,
        .range = (double)(end - start) / 1000,
        .err = err,
    };
    return walk(&t, root) ? 0 : err->code;
}
