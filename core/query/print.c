/* The tree as text, the way Prometheus prints it (format_query, parse_query). */
#include "core/query/print.h"
#include "core/query/functions.h"
#include "core/query/lex.h"

#include "core/codec/codec.h"

#include <math.h>

static void print(const struct pl_expr *e, struct pl_buf *b);
static void put_matchers(struct pl_buf *b, const struct pl_expr *e);

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

static void put_number(struct pl_buf *b, double v) { pl__plain_number(b, v); }

/** Digits of a finite number and the place of its point: 0.d1d2... * 10^*point. 0: it has none. */
static size_t shortest(double v, char *digits, int64_t *point)
{
    char text[PL_NUMBER_MAX];
    size_t n = pl_number_text(v, text), n_digits = 0;
    int64_t exponent = 0;
    bool fraction = false;
    *point = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == 'e') {
            size_t sign = i + 1 < n && (text[i + 1] == '+' || text[i + 1] == '-');
            pl_str_i64(pl_str_mem(text + i + 1 + sign, n - i - 1 - sign), &exponent);
            exponent = text[i + 1] == '-' ? -exponent : exponent;
            break;
        }
        if (c == '.') {
            fraction = true;
        } else if (c >= '0' && c <= '9') {
            if (n_digits || c != '0') {
                digits[n_digits++] = c;
                *point += !fraction;
            } else {
                *point -= fraction;
            }
        }
    }
    *point += exponent;
    while (n_digits && digits[n_digits - 1] == '0') {
        n_digits--;
    }
    return n_digits;
}

static bool put_special(struct pl_buf *b, double v)
{
    if (isnan(v)) {
        pl_buf_z(b, "NaN");
    } else if (isinf(v)) {
        pl_buf_z(b, v < 0 ? "-Inf" : "+Inf");
    } else {
        return false;
    }
    return true;
}

static void put_plain(struct pl_buf *b, const char *digits, int64_t n, int64_t point)
{
    if (point <= 0) {
        pl_buf_z(b, n ? "0." : "0");
        for (int64_t i = point; i < 0 && n; i++) {
            pl_buf_u8(b, '0');
        }
        pl_buf_add(b, digits, (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n || i < point; i++) {
        if (i == point) {
            pl_buf_u8(b, '.');
        }
        pl_buf_u8(b, (uint8_t)(i < n ? digits[i] : '0'));
    }
}

void pl__plain_number(struct pl_buf *b, double v)
{
    char digits[PL_NUMBER_MAX];
    int64_t point;
    if (!put_special(b, v)) {
        size_t n = shortest(v, digits, &point);
        pl_buf_z(b, signbit(v) ? "-" : "");
        put_plain(b, digits, (int64_t)n, n ? point : 0);
    }
}

void pl__go_number(struct pl_buf *b, double v)
{
    char digits[PL_NUMBER_MAX];
    int64_t point;
    if (put_special(b, v)) {
        return;
    }
    size_t n = shortest(v, digits, &point);
    int64_t exponent = n ? point - 1 : 0;
    pl_buf_z(b, signbit(v) ? "-" : "");
    if (exponent >= -4 && exponent < 6) {
        put_plain(b, digits, (int64_t)n, n ? point : 0);
        return;
    }
    pl_buf_u8(b, (uint8_t)digits[0]);
    if (n > 1) {
        pl_buf_u8(b, '.');
        pl_buf_add(b, digits + 1, n - 1);
    }
    pl_buf_f(b, "e%c%02lld", exponent < 0 ? '-' : '+',
             (long long)(exponent < 0 ? -exponent : exponent));
}

static void put_duration(struct pl_buf *b, int64_t ms)
{
    pl_buf_z(b, ms < 0 ? "-" : "");
    pl_duration_text(ms < 0 ? -ms : ms, b);
}

/** A duration expression, blanks between its parts. */
static void put_dur(struct pl_buf *b, const struct pl__dur *d)
{
    pl_buf_z(b, d->wrapped ? "(" : "");
    switch (d->kind) {
    case PL__DUR_NUMBER:
        if (d->duration) {
            put_duration(b, (int64_t)round(d->v * 1000));
        } else {
            put_number(b, d->v);
        }
        break;
    case PL__DUR_STEP:
        pl_buf_z(b, "step()");
        break;
    case PL__DUR_RANGE:
        pl_buf_z(b, "range()");
        break;
    case PL__DUR_MIN:
    case PL__DUR_MAX:
        for (size_t i = 0; i < d->name.n; i++) {
            char c = d->name.p[i];
            pl_buf_u8(b, (uint8_t)(c >= 'A' && c <= 'Z' ? c | 32 : c));
        }
        pl_buf_z(b, "(");
        put_dur(b, d->l);
        pl_buf_z(b, ", ");
        put_dur(b, d->r);
        pl_buf_z(b, ")");
        break;
    case PL__DUR_OP:
        if (d->l) {
            put_dur(b, d->l);
            pl_buf_f(b, " %s ", pl__op_text(d->op));
        } else if (d->op == PL__OP_SUB) {
            pl_buf_z(b, "-");
        }
        put_dur(b, d->r);
        break;
    }
    pl_buf_z(b, d->wrapped ? ")" : "");
}

static void put_range(struct pl_buf *b, int64_t ms, const struct pl__dur *expr)
{
    if (expr) {
        put_dur(b, expr);
    } else if (ms) {
        pl_duration_text(ms, b);
    }
}

static void put_at(struct pl_buf *b, const struct pl__when *w)
{
    if (w->at == PL__AT_TIME) {
        int64_t ms = w->at_ms < 0 ? -w->at_ms : w->at_ms;
        pl_buf_f(b, " @ %s%lld.%03d", w->at_ms < 0 ? "-" : "", (long long)(ms / 1000),
                 (int)(ms % 1000));
    } else if (w->at != PL__AT_NONE) {
        pl_buf_z(b, w->at == PL__AT_START ? " @ start()" : " @ end()");
    }
}

static void put_offset(struct pl_buf *b, const struct pl__when *w)
{
    if (w->offset_expr) {
        pl_buf_z(b, " offset ");
        put_dur(b, w->offset_expr);
    } else if (w->offset_ms) {
        pl_buf_z(b, " offset ");
        put_duration(b, w->offset_ms);
    }
}

static void put_edges(struct pl_buf *b, enum pl__edges edges)
{
    static const char *const text[] = {"", " anchored", " smoothed"};
    pl_buf_z(b, text[edges]);
}

/** The range, step and times behind a subquery. */
void pl__subquery_suffix(const struct pl_expr *e, struct pl_buf *b)
{
    pl_buf_z(b, "[");
    put_range(b, e->sub.range_ms, e->sub.range_expr);
    pl_buf_z(b, ":");
    put_range(b, e->sub.step_ms, e->sub.step_expr);
    pl_buf_z(b, "]");
    put_at(b, &e->sub.when);
    put_offset(b, &e->sub.when);
}

static void print_selector(const struct pl_expr *e, struct pl_buf *b)
{
    put_matchers(b, e);
    if (e->sel.range_ms) {
        pl_buf_z(b, "[");
        put_range(b, e->sel.range_ms, e->sel.range_expr);
        pl_buf_z(b, "]");
        put_edges(b, e->sel.edges);
        put_at(b, &e->sel.when);
    } else {
        put_at(b, &e->sel.when);
        put_edges(b, e->sel.edges);
    }
    put_offset(b, &e->sel.when);
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

/** The operator with its modifiers, a blank before each of them. */
void pl__binary_op(const struct pl_expr *e, struct pl_buf *b)
{
    const struct pl__matching *m = &e->bin.m;
    bool grouped = m->card == PL__MANY_TO_ONE || m->card == PL__ONE_TO_MANY;
    pl_buf_f(b, "%s%s", pl__op_text(e->bin.op), e->bin.returns_bool ? " bool" : "");
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
        pl__go_number(b, m->fill_left);
        pl_buf_z(b, ")");
        return;
    }
    for (int right = 0; right < 2; right++) {
        if (right ? m->fill_r : m->fill_l) {
            pl_buf_z(b, right ? " fill_right (" : " fill_left (");
            pl__go_number(b, right ? m->fill_right : m->fill_left);
            pl_buf_z(b, ")");
        }
    }
}

/** The aggregation up to its parenthesis. */
void pl__aggregate_op(const struct pl_expr *e, struct pl_buf *b)
{
    pl_buf_z(b, pl__agg_text(e->agg.op));
    if (e->agg.without || e->agg.by.n) {
        pl_buf_z(b, e->agg.without ? " without " : " by ");
        put_names(b, &e->agg.by);
        pl_buf_z(b, " ");
    }
}

static void print_aggregate(const struct pl_expr *e, struct pl_buf *b)
{
    pl__aggregate_op(e, b);
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
            put_duration(b, e->num.ms);
        } else {
            put_number(b, e->num.v);
        }
        return;
    case PL__STRING:
        pl__quote(b, e->str);
        return;
    case PL__SELECTOR:
        print_selector(e, b);
        return;
    case PL__SUBQUERY:
        print(e->sub.expr, b);
        pl__subquery_suffix(e, b);
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
        print(e->bin.l, b);
        pl_buf_z(b, " ");
        pl__binary_op(e, b);
        pl_buf_z(b, " ");
        print(e->bin.r, b);
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
