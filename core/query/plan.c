/* The plan of a query as explain shows it: which series its selectors match now, how many samples
 * and chunks they are likely to read (a few series are read over a few hours, the rest is taken to
 * be like them), how each node will run, and a rough cost in nanoseconds. */
#include "core/query/explain.h"

#include <math.h>

#define PROBE_SERIES  5
#define PROBE_MS      (6 * 3600000)
#define PROBE_SAMPLES 20000

/* Nanoseconds, of one core; measured once, good to a factor of three. */
#define COST_SERIES 1500.0 /* find, labels, reader */
#define COST_SAMPLE 4.0    /* decode */
#define COST_WINDOW 15.0   /* a range function at a step */
#define COST_LOOKUP 2.0    /* an instant selector at a step */
#define COST_CELL   1.0    /* a map or a fold, one value */
#define COST_RANK   20.0   /* topk, quantile, ...: one value */
#define COST_LABELS 300.0  /* match or change the labels of one series */

static int plan(struct pl__explain *x, struct pl__exec *ex, const struct pl__frame *f,
                struct pl_expr *e);

static struct pl__plan_node *node_of(const struct pl__explain *x, const struct pl_expr *e)
{
    return &x->node[e->id];
}

static double cells(const struct pl__plan_node *n) { return (double)n->rows * (double)n->frame.n; }

/** Samples and chunks of a selector, from a few of its series. */
static int probe(struct pl__exec *ex, const struct pl__cols *c, struct pl__plan_node *n)
{
    const struct pl_source_ops *ops = ex->src->ops;
    int64_t t0 = c->t1 - PROBE_MS > c->t0 ? c->t1 - PROBE_MS : c->t0;
    size_t many = c->n < PROBE_SERIES ? c->n : PROBE_SERIES;
    struct pl_columns col = {0};
    struct pl_read_stats stats = {0};
    double samples = 0;
    void *reader;
    if (c->n == 0 || !c->set) {
        return 0;
    }
    int err = ops->reader_new(c->set, &reader);
    if (err < 0) {
        return err;
    }
    for (size_t i = 0; i < many && err >= 0; i++) {
        err = ops->read(reader, c->n * i / many, t0, c->t1, PROBE_SAMPLES, &col);
        samples += err == PL_ELIMIT ? PROBE_SAMPLES : err < 0 ? 0 : (double)col.n;
        err = err == PL_ELIMIT || err == PL_ECORRUPT ? 0 : err;
        err = err < 0 ? err : pl__tick(ex);
    }
    ops->stats(reader, &stats);
    ops->reader_free(reader);
    pl_columns_fini(&col);
    double span = (double)(c->t1 - c->t0) / (double)(c->t1 - t0 > 0 ? c->t1 - t0 : 1);
    double scale = (double)c->n / (double)many * span;
    n->samples = ceil(samples * scale);
    n->chunks = ceil((double)stats.chunks * scale);
    return err;
}

/** The tier that a selector would read for `which` (a range function, or PL__TIER_INSTANT). */
static void plan_tier(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e, int which,
                      struct pl__plan_node *n)
{
    struct pl__tier_plan p;
    struct pl__refs refs = pl__refs(ex, f, &e->sel.when);
    pl__tier_plan(ex, e, which, e->sel.range_ms ? e->sel.range_ms : ex->lookback_ms, &refs, &p);
    n->tier_ms = p.exact || p.gone ? p.tier[p.at].resolution_ms : 0;
}

static int plan_selector(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                         struct pl__plan_node *n)
{
    struct pl__cols cols;
    struct pl__refs refs;
    int err = pl__cols_open(ex, f, e, &cols, &refs);
    if (err < 0) {
        return err;
    }
    n->rows = cols.n;
    n->series = (double)cols.n;
    n->labels = cols.labels;
    n->t0 = cols.t0, n->t1 = cols.t1;
    n->tasks = pl__tasks(ex, cols.n);
    err = probe(ex, &cols, n);
    n->cost = n->series * COST_SERIES + n->samples * COST_SAMPLE;
    n->cost += e->sel.range_ms ? 0 : cells(n) * COST_LOOKUP;
    if (!e->sel.range_ms) {
        plan_tier(ex, f, e, PL__TIER_INSTANT, n);
    }
    pl__cols_fini(ex, &cols);
    return err < 0 ? pl__error_code(ex, err, e->at) : 0;
}

static int plan_subquery(struct pl__explain *x, struct pl__exec *ex, const struct pl__frame *f,
                         struct pl_expr *e, struct pl__plan_node *n)
{
    struct pl__refs refs = pl__refs(ex, f, &e->sub.when);
    struct pl__frame inner;
    pl__subquery_frame(e, refs.ref0 - e->sub.range_ms + 1, refs.last, &inner);
    int err = plan(x, ex, &inner, e->sub.expr);
    const struct pl__plan_node *c = node_of(x, e->sub.expr);
    n->rows = c->rows, n->exact = c->exact, n->labels = c->labels;
    n->run = "held";
    n->frame = inner;
    return err;
}

static bool lazy(const struct pl__plan_node *n) { return n && strcmp(n->run, "lazy") == 0; }

static bool call_is(const struct pl_expr *e, const pl__fn *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (e->call.fn->eval == list[i]) {
            return true;
        }
    }
    return false;
}
#define CALL_IS(e, ...)                                                                            \
    call_is(e, (const pl__fn[]){__VA_ARGS__},                                                      \
            sizeof((const pl__fn[]){__VA_ARGS__}) / sizeof(pl__fn))

static void plan_call(const struct pl__explain *x, struct pl__exec *ex, struct pl_expr *e,
                      struct pl__plan_node *n)
{
    struct pl__plan_node *rows = NULL;
    for (size_t i = 0; i < e->call.n; i++) {
        struct pl__plan_node *arg = node_of(x, e->call.args[i]);
        if (!rows && (arg->e->type == PL__TYPE_VECTOR || arg->e->type == PL__TYPE_MATRIX)) {
            rows = arg;
        }
    }
    bool range = CALL_IS(e, pl__fn_range, pl__fn_ext_range, pl__fn_ext_trend, pl__fn_ext_forecast,
                         pl__fn_ext_decompose);
    if (rows && e->call.fn->eval == pl__fn_range && pl__unparen(rows->e)->kind == PL__SELECTOR) {
        struct pl__plan_node *selector = node_of(x, pl__unparen(rows->e));
        plan_tier(ex, &selector->frame, selector->e, e->call.fn->which, selector);
    }
    bool map = CALL_IS(e, pl__fn_math, pl__fn_clamp, pl__fn_round, pl__fn_date, pl__fn_timestamp);
    bool relabel = CALL_IS(e, pl__fn_label_replace, pl__fn_label_join, pl__fn_ext_label);
    if (!rows || CALL_IS(e, pl__fn_absent, pl__fn_scalar, pl__fn_vector)) {
        n->rows = 1;
        n->run = n->e->type == PL__TYPE_SCALAR ? "scalar" : "held";
    } else {
        n->rows = rows->rows;
        n->exact = rows->exact && (range || map || CALL_IS(e, pl__fn_ext_row, pl__fn_sort));
        n->labels = n->exact ? rows->labels : NULL;
        n->run = range || ((map || relabel) && lazy(rows)) ? "lazy" : "held";
        n->tasks = pl__tasks(ex, rows->rows);
    }
    n->cost = cells(n) * (range ? COST_WINDOW : COST_CELL);
    n->cost += range || map ? 0 : (double)n->rows * COST_LABELS;
}

/** Groups of an aggregation, where the labels are known. */
static int count_groups(struct pl__exec *ex, const struct pl_expr *e,
                        const struct pl__plan_node *rows, struct pl__plan_node *n)
{
    pl_str *labels = NULL;
    uint32_t *group = pl_arena_alloc(ex->arena, (rows->rows + 1) * sizeof *group);
    int err = group ? pl__group(ex, rows->labels, rows->rows, &e->agg.by, e->agg.without, group,
                                &labels, &n->rows)
                    : PL_ENOMEM;
    n->labels = labels;
    n->exact = rows->exact;
    return err < 0 ? pl__error_code(ex, err, e->at) : 0;
}

static int plan_aggregate(const struct pl__explain *x, struct pl__exec *ex, struct pl_expr *e,
                          struct pl__plan_node *n)
{
    const struct pl__plan_node *rows = node_of(x, e->agg.expr);
    bool folds = e->agg.op <= PL__AGG_STDVAR;
    bool groups = folds || e->agg.op == PL__AGG_QUANTILE ||
                  (e->agg.op >= PL__AGG_MEDIAN && e->agg.op <= PL__AGG_DISTINCT);
    int err = 0;
    n->run = !folds ? "held" : lazy(rows) ? "fused" : "folded";
    n->tasks = pl__tasks(ex, rows->rows);
    n->rows = !e->agg.without && e->agg.by.n == 0 && groups ? rows->rows > 0 : rows->rows;
    n->exact = rows->exact && n->rows <= 1;
    if (groups && rows->labels) {
        err = count_groups(ex, e, rows, n);
    }
    n->cost = cells(rows) * (folds ? COST_CELL : COST_RANK) + (double)rows->rows * COST_LABELS;
    return err;
}

static void plan_binary(const struct pl__explain *x, struct pl_expr *e, struct pl__plan_node *n)
{
    const struct pl__plan_node *l = node_of(x, e->bin.l), *r = node_of(x, e->bin.r);
    bool ls = l->e->type == PL__TYPE_SCALAR, rs = r->e->type == PL__TYPE_SCALAR;
    n->run = "held";
    if (ls && rs) {
        n->run = "scalar";
        n->rows = 1, n->exact = true;
    } else if ((ls || rs) && !pl__op_extension(e->bin.op)) {
        const struct pl__plan_node *v = ls ? r : l;
        n->rows = v->rows, n->exact = v->exact && !pl__op_compares(e->bin.op);
        n->labels = v->labels;
        n->run = lazy(v) ? "lazy" : "held";
        n->cost = cells(n) * COST_CELL;
        return;
    } else if (e->bin.op == PL__OP_OR || e->bin.op == PL__OP_DEFAULT) {
        n->rows = l->rows + (e->bin.op == PL__OP_OR || l->rows == 0 ? r->rows : 0);
    } else if (pl__op_set(e->bin.op) || e->bin.m.card == PL__MANY_TO_ONE) {
        n->rows = l->rows;
    } else if (e->bin.m.card == PL__ONE_TO_MANY) {
        n->rows = r->rows;
    } else {
        n->rows = l->rows < r->rows ? l->rows : r->rows;
    }
    n->cost = (double)(l->rows + r->rows) * COST_LABELS + (cells(l) + cells(r)) * COST_CELL;
}

static int plan_kind(struct pl__explain *x, struct pl__exec *ex, const struct pl__frame *f,
                     struct pl_expr *e, struct pl__plan_node *n)
{
    const struct pl__plan_node *c;
    switch (e->kind) {
    case PL__NUMBER:
    case PL__STRING:
        n->run = "constant";
        n->rows = 1, n->exact = true;
        return 0;
    case PL__SELECTOR:
        n->exact = true;
        return plan_selector(ex, f, e, n);
    case PL__SUBQUERY:
        return plan_subquery(x, ex, f, e, n);
    case PL__CALL:
        plan_call(x, ex, e, n);
        return 0;
    case PL__AGGREGATE:
        return plan_aggregate(x, ex, e, n);
    case PL__BINARY:
        plan_binary(x, e, n);
        return 0;
    case PL__UNARY:
    case PL__PAREN:
        c = node_of(x, pl__child(e, 0));
        n->rows = c->rows, n->exact = c->exact, n->labels = c->labels, n->run = c->run;
        n->cost = e->kind == PL__UNARY ? cells(n) * COST_CELL : 0;
        return 0;
    }
    return 0;
}

/** The second argument of info() chooses labels; it is no vector of its own. */
static bool skipped(const struct pl_expr *e, size_t i)
{
    return e->kind == PL__CALL && e->call.fn->eval == pl__fn_info && i == 1;
}

static int plan(struct pl__explain *x, struct pl__exec *ex, const struct pl__frame *f,
                struct pl_expr *e)
{
    struct pl__plan_node *n = node_of(x, e);
    int err = pl__tick(ex);
    if (err < 0) {
        return pl__error_code(ex, err, e->at);
    }
    n->frame = *f;
    n->run = "lazy";
    n->once = e->invariant && f->n > 1 && e->kind != PL__NUMBER && e->kind != PL__STRING;
    if (n->once) {
        n->frame.n = 1;
        n->frame.end = f->start;
    }
    struct pl__frame frame = n->frame;
    for (size_t i = 0; i < pl__children(e) && err >= 0 && e->kind != PL__SUBQUERY; i++) {
        if (!skipped(e, i)) {
            err = plan(x, ex, &frame, pl__child(e, i));
        }
    }
    err = err < 0 ? err : plan_kind(x, ex, &frame, e, n);
    if (n->once && lazy(n)) {
        n->run = "held";
    }
    n->total = n->cost;
    for (size_t i = 0; i < pl__children(e) && err >= 0; i++) {
        n->total += node_of(x, pl__child(e, i))->total;
    }
    return err;
}

/** Nodes with the text and the steps of one before them. */
static int find_same(struct pl__explain *x, struct pl__exec *ex)
{
    struct pl__index seen = {0};
    uint32_t *first = pl_arena_alloc(ex->arena, (x->n + 1) * sizeof *first);
    struct pl_buf key = PL_BUF_INIT;
    int err = first ? 0 : PL_ENOMEM;
    for (size_t i = 0; i < x->n && err >= 0; i++) {
        struct pl__plan_node *n = &x->node[i];
        bool fresh = true, worth = n->e->kind >= PL__SELECTOR && n->e->kind <= PL__BINARY;
        n->same_as = PL__NO_NODE;
        if (!worth || !n->run || n->e->depth > 100) {
            continue;
        }
        pl_buf_clear(&key);
        pl_buf_u64(&key, (uint64_t)n->frame.start);
        pl_buf_u64(&key, (uint64_t)n->frame.step);
        pl_buf_u64(&key, n->frame.n);
        pl_query_text(n->e, &key);
        pl_str kept = key.failed ? PL_STR_NULL : pl_arena_dup(ex->arena, pl_buf_view(&key));
        size_t k = kept.p ? pl__index_put(&seen, kept, &fresh) : PL__INDEX_NONE;
        if (k == PL__INDEX_NONE) {
            err = PL_ENOMEM;
        } else if (fresh) {
            first[k] = (uint32_t)i;
        } else {
            n->same_as = first[k];
        }
    }
    pl_buf_fini(&key);
    pl__index_fini(&seen);
    return err < 0 ? pl__error_code(ex, err, 0) : 0;
}

int pl__plan(struct pl__explain *x, struct pl__exec *ex, const struct pl__frame *f,
             struct pl_expr *root)
{
    int err = plan(x, ex, f, root);
    return err < 0 ? err : find_same(x, ex);
}
