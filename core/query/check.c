/* Types: what each operator, function and aggregation takes. The order of the checks and their
 * words are those of Prometheus, since the first error is the one that is shown. Also finds which
 * parts of the tree do not depend on the step. */
#include "core/query/parse.h"

static bool check(struct pl__parser *p, struct pl_expr *e);

static bool expect(struct pl__parser *p, struct pl_expr *e, enum pl__type want, const char *where,
                   const char *what)
{
    if (!check(p, e)) {
        return false;
    }
    if (e->type != want) {
        pl__fail(p, PL_EPARSE, e->at, "expected type %s in %s%s, got %s", pl__type_doc(want), where,
                 what, pl__type_doc(e->type));
        return false;
    }
    return true;
}

/** First byte behind the left side that is not blank: the operator. */
static size_t op_at(const struct pl__parser *p, const struct pl_expr *e)
{
    size_t at = e->bin.l->end;
    while (at < p->text.n && strchr(" \t\r\n", p->text.p[at])) {
        at++;
    }
    return at;
}

static bool check_binary(struct pl__parser *p, struct pl_expr *e)
{
    struct pl_expr *l = e->bin.l, *r = e->bin.r;
    struct pl__matching *m = &e->bin.m;
    enum pl__op op = e->bin.op;
    if (!check(p, l) || !check(p, r)) {
        return false;
    }
    if (e->bin.returns_bool && !pl__op_compares(op)) {
        pl__fail(p, PL_EPARSE, op_at(p, e),
                 "bool modifier can only be used on comparison operators");
        return false;
    }
    bool scalars = l->type == PL__TYPE_SCALAR && r->type == PL__TYPE_SCALAR;
    if (pl__op_compares(op) && !e->bin.returns_bool && scalars) {
        pl__fail(p, PL_EPARSE, op_at(p, e), "comparisons between scalars must use BOOL modifier");
        return false;
    }
    if (pl__op_set(op) && m->card == PL__ONE_TO_ONE) {
        m->card = PL__MANY_TO_MANY;
    }
    for (size_t i = 0; m->on && i < m->labels.n; i++) {
        for (size_t k = 0; k < m->include.n; k++) {
            if (pl_str_eq(m->labels.v[i], m->include.v[k])) {
                pl__fail(p, PL_EPARSE, op_at(p, e),
                         "label %s must not occur in ON and GROUP clause at once",
                         pl__quoted(p, m->labels.v[i]));
                return false;
            }
        }
    }
    struct pl_expr *side[] = {l, r};
    for (int i = 0; i < 2; i++) {
        if (side[i]->type != PL__TYPE_SCALAR && side[i]->type != PL__TYPE_VECTOR) {
            pl__fail(p, PL_EPARSE, side[i]->at,
                     "binary expression must contain only scalar and instant vector types");
            return false;
        }
    }
    bool vectors = l->type == PL__TYPE_VECTOR && r->type == PL__TYPE_VECTOR;
    if (!vectors) {
        if (m->labels.n > 0) {
            pl__fail(p, PL_EPARSE, e->at, "vector matching only allowed between instant vectors");
            return false;
        }
        if (m->fill_l || m->fill_r) {
            pl__fail(p, PL_EPARSE, e->at,
                     "filling in missing series only allowed between instant vectors");
            return false;
        }
        if (pl__op_set(op) && (scalars || !pl__op_extension(op))) {
            pl__fail(p, PL_EPARSE, e->at,
                     "set operator \"%s\" not allowed in binary scalar expression",
                     pl__op_text(op));
            return false;
        }
        m->card = PL__ONE_TO_ONE;
        m->on = m->given = false;
    } else if (pl__op_set(op)) {
        if (m->card != PL__MANY_TO_MANY) {
            pl__fail(p, PL_EPARSE, e->at, "no grouping allowed for \"%s\" operation",
                     pl__op_text(op));
            return false;
        }
        if (m->fill_l || m->fill_r) {
            pl__fail(p, PL_EPARSE, e->at,
                     "filling in missing series not allowed for set operators");
            return false;
        }
    }
    return true;
}

/** A function of a script: which arguments it takes, it has said already. */
static bool check_hook(struct pl__parser *p, struct pl_expr *e)
{
    for (size_t i = 0; i < e->call.n; i++) {
        struct pl_expr *arg = e->call.args[i];
        if (!check(p, arg)) {
            return false;
        }
        if (arg->type != PL__TYPE_SCALAR && arg->type != PL__TYPE_VECTOR) {
            pl__fail(p, PL_EPARSE, arg->at,
                     "expected type scalar or instant vector in call to function \"%s\", got %s",
                     e->call.fn->name, pl__type_doc(arg->type));
            return false;
        }
    }
    return true;
}

static bool check_call(struct pl__parser *p, struct pl_expr *e)
{
    const struct pl__func *fn = e->call.fn;
    if (fn->flags & PL__FN_HOOK) {
        return check_hook(p, e);
    }
    size_t want = strlen(fn->args), n = e->call.n;
    if (fn->variadic == 0) {
        if (n != want) {
            pl__fail(p, PL_EPARSE, e->at, "expected %zu argument(s) in call to \"%s\", got %zu",
                     want, fn->name, n);
            return false;
        }
    } else if (n + 1 < want) {
        pl__fail(p, PL_EPARSE, e->at,
                 "expected at least %zu argument(s) in call to \"%s\", got %zu", want - 1, fn->name,
                 n);
        return false;
    } else if (fn->variadic > 0 && n > want - 1 + (size_t)fn->variadic) {
        pl__fail(p, PL_EPARSE, e->at, "expected at most %zu argument(s) in call to \"%s\", got %zu",
                 want - 1 + (size_t)fn->variadic, fn->name, n);
        return false;
    }
    bool info = strcmp(fn->name, "info") == 0 && n > 1;
    const struct pl_expr *labels = info ? e->call.args[1] : NULL;
    if (info && labels->type != PL__TYPE_VECTOR) {
        pl__fail(p, PL_EPARSE, e->at,
                 "expected type instant vector in call to function \"info\", got %s",
                 pl__type_doc(labels->type));
        return false;
    }
    if (info && (labels->kind != PL__SELECTOR || labels->sel.name.n)) {
        pl__fail(p, PL_EPARSE, labels->at, "expected label selectors only%s",
                 labels->kind == PL__SELECTOR ? ", got vector selector instead" : "");
        return false;
    }
    char what[80];
    size_t k = strlen(fn->name);
    memcpy(what, "\"", 1);
    memcpy(what + 1, fn->name, k);
    memcpy(what + 1 + k, "\"", 2);
    for (size_t i = 0; i < n; i++) {
        if (info && i == 1) {
            continue; /* its matchers may all be empty */
        }
        if (!expect(p, e->call.args[i], pl__func_arg(fn, i), "call to function ", what)) {
            return false;
        }
    }
    return true;
}

static bool check_selector(struct pl__parser *p, struct pl_expr *e)
{
    bool named = e->sel.name.n > 0;
    for (size_t i = 0; i + named < e->sel.n && named; i++) {
        if (pl_str_eq(e->sel.m[i].name, PL_METRIC_NAME)) {
            pl__fail(p, PL_EPARSE, e->at, "metric name must not be set twice: %s or %s",
                     pl__quoted(p, e->sel.name), pl__quoted(p, e->sel.m[i].value));
            return false;
        }
    }
    for (size_t i = 0; i < e->sel.n; i++) {
        if (!pl_matcher_value(&e->sel.m[i], PL_STR(""))) {
            return true;
        }
    }
    pl__fail(p, PL_EPARSE, e->at, "vector selector must contain at least one non-empty matcher");
    return false;
}

static bool check_aggregate(struct pl__parser *p, struct pl_expr *e)
{
    enum pl__type param = pl__agg_param(e->agg.op);
    return expect(p, e->agg.expr, PL__TYPE_VECTOR, "aggregation expression", "") &&
           (param == PL__TYPE_NONE || expect(p, e->agg.param, param, "aggregation parameter", ""));
}

static bool check(struct pl__parser *p, struct pl_expr *e)
{
    switch (e->kind) {
    case PL__NUMBER:
    case PL__STRING:
        return true;
    case PL__SELECTOR:
        return check_selector(p, e);
    case PL__SUBQUERY:
        if (!check(p, e->sub.expr)) {
            return false;
        }
        if (e->sub.expr->type != PL__TYPE_VECTOR) {
            pl__fail(p, PL_EPARSE, e->at,
                     "subquery is only allowed on instant vector, got %s instead",
                     pl__type_text(e->sub.expr->type));
            return false;
        }
        return true;
    case PL__CALL:
        return check_call(p, e);
    case PL__AGGREGATE:
        return check_aggregate(p, e);
    case PL__BINARY:
        return check_binary(p, e);
    case PL__UNARY:
        if (!check(p, e->un.expr)) {
            return false;
        }
        if (e->un.expr->type != PL__TYPE_SCALAR && e->un.expr->type != PL__TYPE_VECTOR) {
            pl__fail(
                p, PL_EPARSE, e->at,
                "unary expression only allowed on expressions of type scalar or instant vector, "
                "got \"%s\"",
                pl__type_doc(e->un.expr->type));
            return false;
        }
        return true;
    case PL__PAREN:
        return check(p, e->paren);
    }
    return false;
}

/** Mark what has the same value at every step. */
static bool invariant(struct pl_expr *e)
{
    bool is = true;
    switch (e->kind) {
    case PL__NUMBER:
    case PL__STRING:
        break;
    case PL__SELECTOR:
        is = e->sel.when.at != PL__AT_NONE;
        break;
    case PL__SUBQUERY:
        invariant(e->sub.expr);
        is = e->sub.when.at != PL__AT_NONE;
        break;
    case PL__CALL:
        for (size_t i = 0; i < e->call.n; i++) {
            is &= invariant(e->call.args[i]);
        }
        is = is && !(e->call.fn->flags & PL__FN_TIME);
        break;
    case PL__AGGREGATE:
        is = invariant(e->agg.expr);
        is &= !e->agg.param || invariant(e->agg.param);
        break;
    case PL__BINARY:
        is = invariant(e->bin.l);
        is &= invariant(e->bin.r);
        break;
    case PL__UNARY:
        is = invariant(e->un.expr);
        break;
    case PL__PAREN:
        is = invariant(e->paren);
        break;
    }
    e->invariant = is;
    return is;
}

bool pl__check(struct pl__parser *p, struct pl_expr *e)
{
    if (!check(p, e)) {
        return false;
    }
    invariant(e);
    return true;
}
