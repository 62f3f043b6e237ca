/* explain: the plan of a query as JSON, and what running it came to. Nodes are numbered in the
 * order of the text, parents first. */
#include "core/query/explain.h"

#include "core/codec/codec.h"

#define TEXT_SHOWN 300 /* bytes of a node's text */

size_t pl__children(const struct pl_expr *e)
{
    switch (e->kind) {
    case PL__NUMBER:
    case PL__STRING:
    case PL__SELECTOR:
        return 0;
    case PL__CALL:
        return e->call.n;
    case PL__AGGREGATE:
        return e->agg.param ? 2 : 1;
    case PL__BINARY:
        return 2;
    default:
        return 1;
    }
}

struct pl_expr *pl__child(const struct pl_expr *e, size_t i)
{
    switch (e->kind) {
    case PL__SUBQUERY:
        return e->sub.expr;
    case PL__CALL:
        return e->call.args[i];
    case PL__AGGREGATE:
        return i == 0 && e->agg.param ? e->agg.param : e->agg.expr;
    case PL__BINARY:
        return i ? e->bin.r : e->bin.l;
    case PL__UNARY:
        return e->un.expr;
    default:
        return e->paren;
    }
}

static bool number(struct pl_expr *e, size_t *n)
{
    e->id = (uint32_t)(*n)++;
    for (size_t i = 0; i < pl__children(e) && *n <= PL__EXPLAIN_NODES; i++) {
        number(pl__child(e, i), n);
    }
    return *n <= PL__EXPLAIN_NODES;
}

static void enter(struct pl__explain *x, struct pl_expr *e)
{
    x->node[e->id].e = e;
    for (size_t i = 0; i < pl__children(e); i++) {
        enter(x, pl__child(e, i));
    }
}

int pl__explain_begin(struct pl__explain *x, struct pl__exec *ex, struct pl_expr *root)
{
    x->n = 0;
    if (!number(root, &x->n)) {
        return pl__error(ex, PL_ELIMIT, 0, "a query of more than %d parts cannot be explained",
                         PL__EXPLAIN_NODES);
    }
    x->node = pl_arena_zalloc(ex->arena, x->n * sizeof *x->node);
    if (!x->node) {
        return pl__error_code(ex, PL_ENOMEM, 0);
    }
    enter(x, root);
    ex->analysis = x->analyze ? x : NULL;
    return 0;
}

int pl__analysed(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                 struct pl__rows *out,
                 int (*eval)(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                             struct pl__rows *out))
{
    struct pl__actual *a = &ex->analysis->node[e->id].actual;
    const struct pl_clock *clock = ex->conf->clock ? ex->conf->clock : &pl_clock_real;
    uint64_t series = ex->series, samples = ex->samples, chunks = ex->chunks;
    int64_t begun = pl_mono_ns(clock);
    int err = eval(ex, f, e, out);
    a->calls++;
    a->ns += pl_mono_ns(clock) - begun;
    a->series += ex->series - series;
    a->samples += ex->samples - samples;
    a->chunks += ex->chunks - chunks;
    a->rows = err < 0 ? 0 : out->n;
    return err;
}

/* ------------------------------------------------------------------ JSON */

static void number_field(struct pl_json_w *w, const char *key, double v)
{
    pl_json_key(w, key);
    pl_json_f64(w, v);
}

static void text_field(struct pl_json_w *w, const char *key, pl_str v)
{
    pl_json_key(w, key);
    pl_json_str(w, v);
}

static void seconds_field(struct pl_json_w *w, const char *key, int64_t ms)
{
    number_field(w, key, (double)ms / 1000);
}

static const char *kind_text(const struct pl_expr *e)
{
    static const char *const kinds[] = {"number",    "string", "selector", "subquery", "call",
                                        "aggregate", "binary", "unary",    "paren"};
    return e->kind == PL__SELECTOR && e->sel.range_ms ? "range selector" : kinds[e->kind];
}

/** What the node is, in a word: the function, aggregation or operator. */
static const char *word(const struct pl_expr *e)
{
    switch (e->kind) {
    case PL__CALL:
        return e->call.fn->name;
    case PL__AGGREGATE:
        return pl__agg_text(e->agg.op);
    case PL__BINARY:
        return pl__op_text(e->bin.op);
    default:
        return NULL;
    }
}

/** Formatted; as it was written where it is large. */
static void put_text(struct pl_json_w *w, pl_str query, const struct pl_expr *e)
{
    struct pl_buf text = PL_BUF_INIT;
    bool large = e->depth > 50 || e->end > e->at + 4096;
    if (large && e->end > e->at && e->end <= query.n) {
        pl_buf_add(&text, query.p + e->at, e->end - e->at);
    } else if (!large) {
        pl_query_text(e, &text);
    }
    size_t n = text.n;
    while (n > TEXT_SHOWN || (n < text.n && (text.p[n] & 0xc0) == 0x80)) {
        n = n > TEXT_SHOWN ? TEXT_SHOWN : n - 1; /* whole characters */
    }
    text.n = n < text.n ? n : text.n;
    text_field(w, "text", pl_buf_view(&text));
    pl_buf_fini(&text);
}

static void put_reads(struct pl_json_w *w, const struct pl__plan_node *n)
{
    seconds_field(w, "from", n->t0);
    seconds_field(w, "to", n->t1);
    number_field(w, "series", n->series);
    number_field(w, "samples", n->samples);
    number_field(w, "chunks", n->chunks);
    struct pl_buf tier = PL_BUF_INIT;
    if (n->tier_ms) {
        pl_duration_text(n->tier_ms, &tier);
    }
    text_field(w, "tier", n->tier_ms ? pl_buf_view(&tier) : PL_STR("raw"));
    pl_buf_fini(&tier);
}

static void put_actual(struct pl_json_w *w, const struct pl__actual *a)
{
    pl_json_key(w, "actual");
    pl_json_obj(w);
    number_field(w, "calls", (double)a->calls);
    number_field(w, "seconds", (double)a->ns / 1e9);
    number_field(w, "rows", (double)a->rows);
    number_field(w, "series", (double)a->series);
    number_field(w, "samples", (double)a->samples);
    number_field(w, "chunks", (double)a->chunks);
    pl_json_obj_end(w);
}

static void put_node(struct pl_json_w *w, const struct pl__explain *x, pl_str query,
                     const struct pl_expr *e)
{
    const struct pl__plan_node *n = &x->node[e->id];
    const char *of = word(e);
    pl_json_obj(w);
    number_field(w, "id", e->id);
    put_text(w, query, e);
    text_field(w, "kind", pl_str_c(kind_text(e)));
    if (of) {
        text_field(w, "of", pl_str_c(of));
    }
    text_field(w, "type", pl_str_c(pl__type_text(e->type)));
    if (n->run) { /* else it is not evaluated by itself */
        text_field(w, "run", pl_str_c(n->run));
        if (n->once) {
            pl_json_key(w, "once");
            pl_json_bool(w, true);
        }
        if (n->tasks > 1) {
            number_field(w, "tasks", (double)n->tasks);
        }
        number_field(w, "steps", (double)n->frame.n);
        number_field(w, "rows", (double)n->rows);
        pl_json_key(w, "exact");
        pl_json_bool(w, n->exact);
        if (e->kind == PL__SELECTOR) {
            put_reads(w, n);
        }
        number_field(w, "cost", n->cost / 1e9);
        number_field(w, "totalCost", n->total / 1e9);
        if (e->shared) {
            pl_json_key(w, "shared");
            pl_json_bool(w, true);
        }
        if (n->same_as != PL__NO_NODE) {
            number_field(w, "sameAs", n->same_as);
        }
        if (n->actual.calls) {
            put_actual(w, &n->actual);
        }
    }
    if (pl__children(e)) {
        pl_json_key(w, "children");
        pl_json_arr(w);
        for (size_t i = 0; i < pl__children(e); i++) {
            put_node(w, x, query, pl__child(e, i));
        }
        pl_json_arr_end(w);
    }
    pl_json_obj_end(w);
}

static void put_totals(struct pl_json_w *w, const struct pl__explain *x, const struct pl_expr *root)
{
    double series = 0, samples = 0, chunks = 0;
    for (size_t i = 0; i < x->n; i++) {
        series += x->node[i].series;
        samples += x->node[i].samples;
        chunks += x->node[i].chunks;
    }
    pl_json_key(w, "estimate");
    pl_json_obj(w);
    number_field(w, "series", series);
    number_field(w, "samples", samples);
    number_field(w, "chunks", chunks);
    number_field(w, "cost", x->node[root->id].total / 1e9);
    pl_json_obj_end(w);
}

static void put_stats(struct pl_json_w *w, const struct pl_query_stats *s)
{
    pl_json_key(w, "actual");
    pl_json_obj(w);
    number_field(w, "series", (double)s->series);
    number_field(w, "samples", (double)s->samples);
    number_field(w, "chunks", (double)s->chunks);
    number_field(w, "queryableSamples", (double)s->queryable);
    number_field(w, "peakSamples", (double)s->peak_samples);
    number_field(w, "parseSeconds", (double)s->parse_ns / 1e9);
    number_field(w, "seconds", (double)s->exec_ns / 1e9);
    pl_json_obj_end(w);
}

int pl__explain_end(struct pl__explain *x, struct pl__exec *ex, const struct pl__frame *f,
                    struct pl_expr *root, const struct pl_query_stats *stats)
{
    struct pl_query_stats ran = *stats; /* before the plan selects, too */
    ran.samples = ex->samples;
    ran.chunks = ex->chunks;
    ran.series = ex->series;
    ex->analysis = NULL;
    int err = pl__plan(x, ex, f, root);
    if (err < 0) {
        return err;
    }
    struct pl_json_w w = pl_json_w(x->out);
    struct pl_buf text = PL_BUF_INIT;
    pl_json_obj(&w);
    pl_query_text(root, &text);
    text_field(&w, "query", pl_buf_view(&text));
    pl_buf_fini(&text);
    seconds_field(&w, "start", f->start);
    seconds_field(&w, "end", f->end);
    if (!ex->instant) {
        seconds_field(&w, "step", f->step);
    }
    number_field(&w, "steps", (double)f->n);
    put_totals(&w, x, root);
    if (x->analyze) {
        put_stats(&w, &ran);
    }
    pl_json_key(&w, "plan");
    put_node(&w, x, ex->text, root);
    pl_json_obj_end(&w);
    return x->out->failed ? pl__error_code(ex, PL_ENOMEM, 0) : 0;
}
