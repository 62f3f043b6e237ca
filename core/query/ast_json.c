/* The tree as the JSON that Prometheus' /api/v1/parse_query gives (web/api/v1/translate_ast.go
 * there): an object a node, told apart by "type", its keys in order of bytes. A duration that is an
 * expression has no value before the query runs and is 0 here, as there. Any thread. */
#include "core/query/functions.h"
#include "core/query/print.h"

#include "core/codec/codec.h"

static void node(const struct pl_expr *e, struct pl_json_w *w);

static void put_bool(struct pl_json_w *w, const char *key, bool x)
{
    pl_json_key(w, key);
    pl_json_bool(w, x);
}

static void put_i64(struct pl_json_w *w, const char *key, int64_t x)
{
    pl_json_key(w, key);
    pl_json_i64(w, x);
}

static void put_str(struct pl_json_w *w, const char *key, pl_str s)
{
    pl_json_key(w, key);
    pl_json_str(w, s);
}

static void put_z(struct pl_json_w *w, const char *key, const char *s)
{
    put_str(w, key, pl_str_c(s));
}

static void put_node(struct pl_json_w *w, const char *key, const struct pl_expr *e)
{
    pl_json_key(w, key);
    node(e, w);
}

static void put_names(struct pl_json_w *w, const char *key, const struct pl__names *names)
{
    pl_json_key(w, key);
    pl_json_arr(w);
    for (size_t i = 0; i < names->n; i++) {
        pl_json_str(w, names->v[i]);
    }
    pl_json_arr_end(w);
}

static void put_fill(struct pl_json_w *w, const char *key, bool given, double v)
{
    pl_json_key(w, key);
    if (given) {
        pl_json_f64(w, v);
    } else {
        pl_json_null(w);
    }
}

/* ------------------------------------------------------------------ nodes, from "type" on last */

static void aggregation(const struct pl_expr *e, struct pl_json_w *w)
{
    put_node(w, "expr", e->agg.expr);
    put_names(w, "grouping", &e->agg.by);
    put_z(w, "op", pl__agg_text(e->agg.op));
    put_node(w, "param", e->agg.param);
    put_z(w, "type", "aggregation");
    put_bool(w, "without", e->agg.without);
}

static void matching(const struct pl_expr *e, struct pl_json_w *w)
{
    static const char *const cards[] = {"one-to-one", "many-to-one", "one-to-many", "many-to-many"};
    const struct pl__matching *m = &e->bin.m;
    if (e->bin.l->type != PL__TYPE_VECTOR || e->bin.r->type != PL__TYPE_VECTOR) {
        pl_json_null(w);
        return;
    }
    pl_json_obj(w);
    put_z(w, "card", cards[m->card]);
    pl_json_key(w, "fillValues");
    pl_json_obj(w);
    put_fill(w, "lhs", m->fill_l, m->fill_left);
    put_fill(w, "rhs", m->fill_r, m->fill_right);
    pl_json_obj_end(w);
    put_names(w, "include", &m->include);
    put_names(w, "labels", &m->labels);
    put_bool(w, "on", m->on);
    pl_json_obj_end(w);
}

static void binary(const struct pl_expr *e, struct pl_json_w *w)
{
    put_bool(w, "bool", e->bin.returns_bool);
    put_node(w, "lhs", e->bin.l);
    pl_json_key(w, "matching");
    matching(e, w);
    put_z(w, "op", pl__op_text(e->bin.op));
    put_node(w, "rhs", e->bin.r);
    put_z(w, "type", "binaryExpr");
}

static void call(const struct pl_expr *e, struct pl_json_w *w)
{
    const struct pl__func *fn = e->call.fn;
    pl_json_key(w, "args");
    pl_json_arr(w);
    for (size_t i = 0; i < e->call.n; i++) {
        node(e->call.args[i], w);
    }
    pl_json_arr_end(w);
    pl_json_key(w, "func");
    pl_json_obj(w);
    pl_json_key(w, "argTypes");
    pl_json_arr(w);
    for (size_t i = 0; i < strlen(fn->args); i++) {
        pl_json_str(w, pl_str_c(pl__type_text(pl__func_arg(fn, i))));
    }
    pl_json_arr_end(w);
    put_z(w, "name", fn->name);
    put_z(w, "returnType", pl__type_text(fn->returns));
    put_i64(w, "variadic", fn->variadic);
    pl_json_obj_end(w);
    put_z(w, "type", "call");
}

static void put_matchers(struct pl_json_w *w, const struct pl_expr *e)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    pl_json_key(w, "matchers");
    pl_json_arr(w);
    for (size_t i = 0; i < e->sel.n; i++) {
        const struct pl_matcher *m = &e->sel.m[i];
        pl_json_obj(w);
        put_str(w, "name", m->name);
        put_z(w, "type", ops[m->kind]);
        put_str(w, "value", m->value);
        pl_json_obj_end(w);
    }
    pl_json_arr_end(w);
}

static int64_t offset_ms(const struct pl__when *when)
{
    return when->offset_expr ? 0 : when->offset_ms;
}

static void put_at(struct pl_json_w *w, const struct pl__when *when)
{
    pl_json_key(w, "startOrEnd");
    if (when->at == PL__AT_START || when->at == PL__AT_END) {
        pl_json_str(w, when->at == PL__AT_START ? PL_STR("start") : PL_STR("end"));
    } else {
        pl_json_null(w);
    }
}

static void put_timestamp(struct pl_json_w *w, const struct pl__when *when)
{
    pl_json_key(w, "timestamp");
    if (when->at == PL__AT_TIME) {
        pl_json_i64(w, when->at_ms);
    } else {
        pl_json_null(w);
    }
}

static void selector(const struct pl_expr *e, struct pl_json_w *w)
{
    bool matrix = e->sel.range_ms > 0;
    put_bool(w, "anchored", e->sel.edges == PL__EDGES_ANCHORED);
    put_matchers(w, e);
    put_str(w, "name", e->sel.name);
    put_i64(w, "offset", offset_ms(&e->sel.when));
    if (matrix) {
        put_i64(w, "range", e->sel.range_expr ? 0 : e->sel.range_ms);
    }
    put_bool(w, "smoothed", e->sel.edges == PL__EDGES_SMOOTHED);
    put_at(w, &e->sel.when);
    put_timestamp(w, &e->sel.when);
    put_z(w, "type", matrix ? "matrixSelector" : "vectorSelector");
}

static void subquery(const struct pl_expr *e, struct pl_json_w *w)
{
    put_node(w, "expr", e->sub.expr);
    put_i64(w, "offset", offset_ms(&e->sub.when));
    put_i64(w, "range", e->sub.range_expr ? 0 : e->sub.range_ms);
    put_at(w, &e->sub.when);
    put_i64(w, "step", e->sub.step_expr ? 0 : e->sub.step_ms);
    put_timestamp(w, &e->sub.when);
    put_z(w, "type", "subquery");
}

static void number(const struct pl_expr *e, struct pl_json_w *w)
{
    struct pl_buf text = PL_BUF_INIT;
    pl__plain_number(&text, e->num.v);
    put_z(w, "type", "numberLiteral");
    put_str(w, "val", pl_buf_view(&text));
    w->out->failed |= text.failed;
    pl_buf_fini(&text);
}

static void node(const struct pl_expr *e, struct pl_json_w *w)
{
    if (!e) {
        pl_json_null(w);
        return;
    }
    pl_json_obj(w);
    switch (e->kind) {
    case PL__AGGREGATE:
        aggregation(e, w);
        break;
    case PL__BINARY:
        binary(e, w);
        break;
    case PL__CALL:
        call(e, w);
        break;
    case PL__SELECTOR:
        selector(e, w);
        break;
    case PL__SUBQUERY:
        subquery(e, w);
        break;
    case PL__NUMBER:
        number(e, w);
        break;
    case PL__STRING:
        put_z(w, "type", "stringLiteral");
        put_str(w, "val", e->str);
        break;
    case PL__UNARY:
        put_node(w, "expr", e->un.expr);
        put_z(w, "op", e->un.minus ? "-" : "+");
        put_z(w, "type", "unaryExpr");
        break;
    case PL__PAREN:
        put_node(w, "expr", e->paren);
        put_z(w, "type", "parenExpr");
        break;
    }
    pl_json_obj_end(w);
}

int pl_query_ast_json(const struct pl_expr *e, struct pl_buf *out)
{
    struct pl_json_w w = pl_json_w(out);
    node(e, &w);
    return out->failed ? PL_ENOMEM : 0;
}
