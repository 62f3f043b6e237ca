/* Which samples a query can be made of, and whether each step is made of its own alone: what a
 * cache of results must know. The tree is walked with the interval of evaluation times that reach a
 * node, relative to a step or (behind an @) absolute. Pure. */
#include "core/query/exec.h"

struct span {
    bool fixed;     /* behind an @: times; else distances from the step */
    int64_t t0, t1; /* of evaluation */
};

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return !__builtin_add_overflow(a, b, &sum) ? sum : b < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t sub(int64_t a, int64_t b) { return b == INT64_MIN ? INT64_MAX : add(a, -b); }

struct walk {
    struct pl_query_reads *out;
    int64_t start, end, lookback_ms;
};

/** Where a selector or subquery at `when`, evaluated in s, puts its references. */
static struct span look(struct walk *w, struct span s, const struct pl__when *when)
{
    if (when->at != PL__AT_NONE) {
        int64_t at = when->at == PL__AT_TIME    ? when->at_ms
                     : when->at == PL__AT_START ? w->start
                                                : w->end;
        w->out->local = w->out->local && when->at == PL__AT_TIME;
        s = (struct span){true, at, at};
    }
    w->out->local = w->out->local && !when->offset_expr; /* may be made of range() */
    w->out->known = w->out->known && !when->offset_expr; /* not settled before the query runs */
    s.t0 = sub(s.t0, when->offset_ms);
    s.t1 = sub(s.t1, when->offset_ms);
    return s;
}

static void samples(struct walk *w, struct span s, int64_t range_ms)
{
    struct pl_query_reads *r = w->out;
    int64_t t0 = add(sub(s.t0, range_ms), 1), t1 = s.t1;
    if (s.fixed) {
        r->t0 = t0 < r->t0 ? t0 : r->t0;
        r->t1 = t1 > r->t1 ? t1 : r->t1;
    } else {
        r->from = t0 < r->from ? t0 : r->from;
        r->to = t1 > r->to ? t1 : r->to;
    }
}

/** Of the extensions those that look at the time go over rows of steps. */
static bool whole_range(unsigned flags)
{
    return flags & PL__FN_WHOLE_RANGE || (flags & PL__FN_EXTENSION && flags & PL__FN_TIME);
}

static void visit(struct walk *w, struct span s, const struct pl_expr *e)
{
    switch (e->kind) {
    case PL__NUMBER:
    case PL__STRING:
        break;
    case PL__SELECTOR:
        w->out->known = w->out->known && !e->sel.range_expr;
        s = look(w, s, &e->sel.when);
        if (e->sel.edges != PL__EDGES_PLAIN) { /* also what lies around the range */
            s.t0 = sub(s.t0, w->lookback_ms);
            s.t1 = add(s.t1, w->lookback_ms);
        }
        samples(w, s, e->sel.range_ms ? e->sel.range_ms : w->lookback_ms);
        break;
    case PL__SUBQUERY:
        w->out->known = w->out->known && !e->sub.range_expr && !e->sub.step_expr;
        s = look(w, s, &e->sub.when);
        s.t0 = sub(s.t0, e->sub.range_ms);
        w->out->local = w->out->local && !e->sub.range_expr && !e->sub.step_expr;
        visit(w, s, e->sub.expr);
        break;
    case PL__CALL:
        if (e->call.fn->eval == pl__fn_info) { /* selects by itself */
            samples(w, s, w->lookback_ms);
        }
        w->out->known = w->out->known && !(e->call.fn->flags & PL__FN_IMPURE);
        w->out->local =
            w->out->local && !whole_range(e->call.fn->flags) && !(e->call.fn->flags & PL__FN_SPAN);
        for (size_t i = 0; i < e->call.n; i++) {
            visit(w, s, e->call.args[i]);
        }
        break;
    case PL__AGGREGATE: /* of the extensions some rank whole ranges */
        w->out->local = w->out->local && e->agg.op <= PL__AGG_LIMIT_RATIO;
        visit(w, s, e->agg.expr);
        if (e->agg.param) {
            visit(w, s, e->agg.param);
        }
        break;
    case PL__BINARY: /* which rows `default` fills depends on which there are in all of the range */
        w->out->local = w->out->local && e->bin.op != PL__OP_DEFAULT;
        visit(w, s, e->bin.l);
        visit(w, s, e->bin.r);
        break;
    case PL__UNARY:
        visit(w, s, e->un.expr);
        break;
    case PL__PAREN:
        visit(w, s, e->paren);
        break;
    default:
        w->out->known = false;
        break;
    }
}

void pl__reads_of(const struct pl_expr *e, int64_t start, int64_t end, int64_t lookback_ms,
                  struct pl_query_reads *out)
{
    struct walk w = {out, start, end, lookback_ms};
    *out = (struct pl_query_reads){.known = true,
                                   .local = true,
                                   .from = INT64_MAX,
                                   .to = INT64_MIN,
                                   .t0 = INT64_MAX,
                                   .t1 = INT64_MIN};
    visit(&w, (struct span){false, 0, 0}, e);
}

bool pl_query_reads_span(const struct pl_query_reads *r, int64_t start, int64_t end, int64_t *t0,
                         int64_t *t1)
{
    *t0 = r->t0;
    *t1 = r->t1;
    if (r->from <= r->to) {
        int64_t a = add(start, r->from), b = add(end, r->to);
        *t0 = a < *t0 ? a : *t0;
        *t1 = b > *t1 ? b : *t1;
    }
    return *t0 <= *t1;
}
