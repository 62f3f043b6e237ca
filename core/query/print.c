/* The tree as text, the way Prometheus prints it (format_query, parse_query). */
#include "core/query/functions.h"
#include "core/query/lex.h"

#include "core/codec/codec.h"

#include <math.h>

static void print(const struct pl_expr *e, struct pl_buf *b);

static bool name_classic(pl_str s) { return pl_label_name_classic(s); }

static void put_name(struct pl_buf *b, pl_str s)
{
    if (name_classic(s)) {
        pl_buf_str(b, s);
    } else {
        pl__quote(b, s);
    }
}

static void put_names(struct pl_buf *b, const struct pl__names *n)
{
    pl_buf_z(b, "(");
    for (size_t i = 0; i < n->n; i++) {
        pl_buf_z(b, i ? ", " : "");
        put_name(b, n->v[i]);
    }
    pl_buf_z(b, ")");
}

static void put_number(struct pl_buf *b, double v)
{
    char text[PL_NUMBER_MAX];
    pl_buf_add(b, text, pl_number_text(v, text));
}

/** " @ 1.000 offset 5m" */
static void put_when(struct pl_buf *b, const struct pl__when *w)
{
    if (w->at == PL__AT_TIME) {
        int64_t ms = w->at_ms < 0 ? -w->at_ms : w->at_ms;
        pl_buf_f(b, " @ %s%lld.%03d", w->at_ms < 0 ? "-" : "", (long long)(ms / 1000),
                 (int)(ms % 1000));
    } else if (w->at != PL__AT_NONE) {
        pl_buf_z(b, w->at == PL__AT_START ? " @ start()" : " @ end()");
    }
    if (w->offset_ms) {
        pl_buf_z(b, w->offset_ms < 0 ? " offset -" : " offset ");
        pl_duration_text(w->offset_ms < 0 ? -w->offset_ms : w->offset_ms, b);
    }
}

static void put_matcher(struct pl_buf *b, const struct pl_matcher *m)
{
    static const char *const op[] = {"=", "!=", "=~", "!~"};
    put_name(b, m->name);
    pl_buf_z(b, op[m->kind]);
    pl__quote(b, m->value);
}

/** The matchers as texts in order of bytes. */
static void put_matchers(struct pl_buf *b, const struct pl_expr *e)
{
    struct pl_buf text = PL_BUF_INIT;
    struct {
        size_t at, n;
    } piece[300];
    size_t n = 0;
    bool name = e->sel.name.n > 0, quoted = name && !pl_metric_name_classic(e->sel.name);
    if (name && !quoted) {
        pl_buf_str(b, e->sel.name);
    }
    for (size_t i = 0; i + name < e->sel.n && n < sizeof piece / sizeof *piece; i++) {
        size_t at = text.n;
        put_matcher(&text, &e->sel.m[i]);
        size_t k = n++;
        for (; k > 0; k--) { /* few: by insertion */
            pl_str a = {(char *)text.p + piece[k - 1].at, piece[k - 1].n};
            if (pl_str_cmp(a, pl_str_mem(text.p + at, text.n - at)) <= 0) {
                break;
            }
            piece[k] = piece[k - 1];
        }
        piece[k].at = at, piece[k].n = text.n - at;
    }
    if (n || quoted) {
        pl_buf_z(b, "{");
        if (quoted) {
            pl__quote(b, e->sel.name);
        }
        for (size_t i = 0; i < n; i++) {
            pl_buf_z(b, i || quoted ? "," : "");
            pl_buf_add(b, text.p + piece[i].at, piece[i].n);
        }
        pl_buf_z(b, "}");
    }
    b->failed |= text.failed;
    pl_buf_fini(&text);
}

static void print_binary(const struct pl_expr *e, struct pl_buf *b)
{
    const struct pl__matching *m = &e->bin.m;
    bool grouped = m->card == PL__MANY_TO_ONE || m->card == PL__ONE_TO_MANY;
    print(e->bin.l, b);
    pl_buf_f(b, " %s%s", pl__op_text(e->bin.op), e->bin.returns_bool ? " bool" : "");
    if (m->labels.n || m->on || grouped) {
        pl_buf_z(b, m->on ? " on " : " ignoring ");
        put_names(b, &m->labels);
    }
    if (grouped) {
        pl_buf_z(b, m->card == PL__MANY_TO_ONE ? " group_left " : " group_right ");
        put_names(b, &m->include);
    }
    if (m->fill_l && m->fill_r && m->fill_left == m->fill_right) {
        pl_buf_z(b, " fill (");
        put_number(b, m->fill_left);
        pl_buf_z(b, ")");
    } else {
        for (int right = 0; right < 2; right++) {
            if (right ? m->fill_r : m->fill_l) {
                pl_buf_z(b, right ? " fill_right (" : " fill_left (");
                put_number(b, right ? m->fill_right : m->fill_left);
                pl_buf_z(b, ")");
            }
        }
    }
    pl_buf_z(b, " ");
    print(e->bin.r, b);
}

static void print_aggregate(const struct pl_expr *e, struct pl_buf *b)
{
    pl_buf_z(b, pl__agg_text(e->agg.op));
    if (e->agg.without || e->agg.by.n) {
        pl_buf_z(b, e->agg.without ? " without " : " by ");
        put_names(b, &e->agg.by);
        pl_buf_z(b, " ");
    }
    pl_buf_z(b, "(");
    if (e->agg.param) {
        print(e->agg.param, b);
        pl_buf_z(b, ", ");
    }
    print(e->agg.expr, b);
    pl_buf_z(b, ")");
}

static void print(const struct pl_expr *e, struct pl_buf *b)
{
    switch (e->kind) {
    case PL__NUMBER:
        if (e->num.duration) {
            pl_buf_z(b, e->num.ms < 0 ? "-" : "");
            pl_duration_text(e->num.ms < 0 ? -e->num.ms : e->num.ms, b);
        } else {
            put_number(b, e->num.v);
        }
        return;
    case PL__STRING:
        pl__quote(b, e->str);
        return;
    case PL__SELECTOR:
        put_matchers(b, e);
        if (e->sel.range_ms) {
            pl_buf_z(b, "[");
            pl_duration_text(e->sel.range_ms, b);
            pl_buf_z(b, "]");
        }
        put_when(b, &e->sel.when);
        return;
    case PL__SUBQUERY:
        print(e->sub.expr, b);
        pl_buf_z(b, "[");
        pl_duration_text(e->sub.range_ms, b);
        pl_buf_z(b, ":");
        if (e->sub.step_ms) {
            pl_duration_text(e->sub.step_ms, b);
        }
        pl_buf_z(b, "]");
        put_when(b, &e->sub.when);
        return;
    case PL__CALL:
        pl_buf_z(b, e->call.fn->name);
        pl_buf_z(b, "(");
        for (size_t i = 0; i < e->call.n; i++) {
            pl_buf_z(b, i ? ", " : "");
            print(e->call.args[i], b);
        }
        pl_buf_z(b, ")");
        return;
    case PL__AGGREGATE:
        print_aggregate(e, b);
        return;
    case PL__BINARY:
        print_binary(e, b);
        return;
    case PL__UNARY:
        pl_buf_z(b, e->un.minus ? "-" : "+");
        print(e->un.expr, b);
        return;
    case PL__PAREN:
        pl_buf_z(b, "(");
        print(e->paren, b);
        pl_buf_z(b, ")");
        return;
    }
}

void pl_query_text(const struct pl_expr *e, struct pl_buf *out) { print(e, out); }
