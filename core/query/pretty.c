/* The tree as text of several lines where one would be over 100 bytes long, laid out as Prometheus'
 * format_query does (promql/parser/prettier.go there): a level of nesting is two blanks, what fits
 * on a line stays on it. Any thread. */
#include "core/query/print.h"

#include "core/query/functions.h"

#define LINE_MAX_BYTES 100

/** Take from *room at least... at most what the text of e needs: less than nothing left means that
 *  it is too long. Ends early, so that the cost of a deep tree is not that of all its lines. */
static void least(const struct pl_expr *e, long *room)
{
    if (*room < 0) {
        return;
    }
    switch (e->kind) {
    case PL__NUMBER:
        *room -= 1;
        return;
    case PL__STRING:
        *room -= (long)e->str.n;
        return;
    case PL__SELECTOR:
        for (size_t i = 0; i < e->sel.n && *room >= 0; i++) {
            *room -= (long)e->sel.m[i].value.n;
        }
        return;
    case PL__SUBQUERY:
        *room -= 3;
        least(e->sub.expr, room);
        return;
    case PL__CALL:
        *room -= 2;
        for (size_t i = 0; i < e->call.n; i++) {
            least(e->call.args[i], room);
        }
        return;
    case PL__AGGREGATE:
        *room -= 5;
        least(e->agg.expr, room);
        return;
    case PL__BINARY:
        *room -= 3;
        least(e->bin.l, room);
        least(e->bin.r, room);
        return;
    case PL__UNARY:
        *room -= 1;
        least(e->un.expr, room);
        return;
    case PL__PAREN:
        *room -= 2;
        least(e->paren, room);
        return;
    }
}

static bool too_long(const struct pl_expr *e)
{
    long room = LINE_MAX_BYTES;
    least(e, &room);
    if (room < 0) {
        return true;
    }
    struct pl_buf text = PL_BUF_INIT;
    pl_query_text(e, &text);
    bool is = text.n > LINE_MAX_BYTES;
    pl_buf_fini(&text);
    return is;
}

static void indent(struct pl_buf *b, size_t level)
{
    for (size_t i = 0; i < level; i++) {
        pl_buf_z(b, "  ");
    }
}

static void pretty(const struct pl_expr *e, size_t level, struct pl_buf *b);

static void pretty_binary(const struct pl_expr *e, size_t level, struct pl_buf *b)
{
    pretty(e->bin.l, level + 1, b);
    pl_buf_z(b, "\n");
    indent(b, level);
    pl__binary_op(e, b);
    pl_buf_z(b, "\n");
    pretty(e->bin.r, level + 1, b);
}

static void pretty_aggregate(const struct pl_expr *e, size_t level, struct pl_buf *b)
{
    pl__aggregate_op(e, b);
    pl_buf_z(b, "(\n");
    if (e->agg.param) {
        pretty(e->agg.param, level + 1, b);
        pl_buf_z(b, ",\n");
    }
    pretty(e->agg.expr, level + 1, b);
    pl_buf_z(b, "\n");
    indent(b, level);
    pl_buf_z(b, ")");
}

static void pretty_call(const struct pl_expr *e, size_t level, struct pl_buf *b)
{
    pl_buf_f(b, "%s(\n", e->call.fn->name);
    for (size_t i = 0; i < e->call.n; i++) {
        pl_buf_z(b, i ? ",\n" : "");
        pretty(e->call.args[i], level + 1, b);
    }
    pl_buf_z(b, "\n");
    indent(b, level);
    pl_buf_z(b, ")");
}

/** A sign stands before its operand without the operand's indent. */
static void pretty_unary(const struct pl_expr *e, size_t level, struct pl_buf *b)
{
    struct pl_buf child = PL_BUF_INIT;
    pretty(e->un.expr, level, &child);
    pl_str text = pl_str_trim(pl_buf_view(&child));
    indent(b, level);
    pl_buf_z(b, e->un.minus ? "-" : "+");
    pl_buf_str(b, text);
    b->failed |= child.failed;
    pl_buf_fini(&child);
}

static void pretty(const struct pl_expr *e, size_t level, struct pl_buf *b)
{
    if (e->kind == PL__UNARY) {
        pretty_unary(e, level, b);
        return;
    }
    bool leaf = e->kind == PL__NUMBER || e->kind == PL__STRING || e->kind == PL__SELECTOR;
    if (leaf || !too_long(e)) {
        indent(b,
               e->kind == PL__SUBQUERY ? 0 : level); /* as there: such a subquery is not set in */
        pl_query_text(e, b);
        return;
    }
    switch (e->kind) {
    case PL__SUBQUERY:
        pretty(e->sub.expr, level, b);
        pl__subquery_suffix(e, b);
        return;
    case PL__BINARY:
        pretty_binary(e, level, b);
        return;
    case PL__AGGREGATE:
        indent(b, level);
        pretty_aggregate(e, level, b);
        return;
    case PL__CALL:
        indent(b, level);
        if (e->call.n == 0) {
            pl_query_text(e, b);
            return;
        }
        pretty_call(e, level, b);
        return;
    default: /* PL__PAREN */
        indent(b, level);
        pl_buf_z(b, "(\n");
        pretty(e->paren, level + 1, b);
        pl_buf_z(b, "\n");
        indent(b, level);
        pl_buf_z(b, ")");
        return;
    }
}

void pl_query_pretty(const struct pl_expr *e, struct pl_buf *out) { pretty(e, 0, out); }
