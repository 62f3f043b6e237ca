/* Common sub-expressions: what stands more than once in a query, and would be evaluated over the
 * same steps, is evaluated once.
 *
 * Before a query is run its tree is walked: expressions are known by the hash of their canonical
 * text and of the subqueries around them (which decide on the steps). Where one comes again it is
 * marked, and what is inside it is not looked at again: sharing the whole shares its parts. At
 * evaluation the first one that comes by is materialised and kept for the others, who get copies
 * (the last one the values themselves). That is given up where it does not pay or would be seen:
 * rows that are lazy and too large to be held, values that are histograms, notes (they name
 * places), steps that differ after all (an expression that does not depend on the step is evaluated
 * at one). The query's thread. */
#include "core/query/exec.h"

#include <stdlib.h>

#define TEXT_MAX    4096 /* longer queries are not searched: texts of all levels are hashed */
#define ENTRIES_MAX 256
#define BYTES_MAX   ((size_t)64 << 20) /* of rows that are materialised only for this */

struct entry {
    uint64_t key;
    struct pl_expr *first;
    size_t uses;
};

struct walk {
    struct pl__exec *ex;
    struct pl_buf text;
    struct entry *entry;
    size_t n;
};

struct pl__shared {
    size_t left; /* evaluations to come */
    bool ready, refused;
    struct pl__frame frame;
    struct pl__rows rows;
};

/** Numbers and range vectors are not worth it; strings are no rows. */
static bool is_worth_it(const struct pl_expr *e)
{
    switch (e->kind) {
    case PL__SELECTOR:
        return e->type == PL__TYPE_VECTOR;
    case PL__CALL:
        return e->call.n > 0;
    case PL__AGGREGATE:
    case PL__BINARY:
    case PL__UNARY:
        return true;
    default:
        return false;
    }
}

/** Known already? Then it is marked. */
static bool is_again(struct walk *w, struct pl_expr *e, uint64_t around)
{
    pl_buf_clear(&w->text);
    pl_query_text(e, &w->text);
    if (w->text.failed) {
        return false;
    }
    uint64_t key = pl_hash64(w->text.p, w->text.n, around);
    for (size_t i = 0; i < w->n; i++) {
        struct entry *x = &w->entry[i];
        if (x->key == key) {
            x->uses++;
            x->first->shared = e->shared = (uint32_t)i + 1;
            return true;
        }
    }
    if (w->n < ENTRIES_MAX) {
        w->entry[w->n++] = (struct entry){key, e, 1};
    }
    return false;
}

static void visit(struct walk *w, struct pl_expr *e, uint64_t around)
{
    if (is_worth_it(e) && is_again(w, e, around)) {
        return;
    }
    switch (e->kind) {
    case PL__SUBQUERY: {
        const int64_t frame[] = {e->sub.range_ms, e->sub.step_ms, e->sub.when.offset_ms,
                                 (int64_t)e->sub.when.at, e->sub.when.at_ms};
        visit(w, e->sub.expr, pl_hash64(frame, sizeof frame, around));
        break;
    }
    case PL__CALL:
        for (size_t i = 0; i < e->call.n; i++) {
            visit(w, e->call.args[i], around);
        }
        break;
    case PL__AGGREGATE:
        visit(w, e->agg.expr, around);
        if (e->agg.param) {
            visit(w, e->agg.param, around);
        }
        break;
    case PL__BINARY:
        visit(w, e->bin.l, around);
        visit(w, e->bin.r, around);
        break;
    case PL__UNARY:
        visit(w, e->un.expr, around);
        break;
    case PL__PAREN:
        visit(w, e->paren, around);
        break;
    default:
        break;
    }
}

int pl__share_mark(struct pl__exec *ex, struct pl_expr *root)
{
    struct pl_query_reads reads;
    if (ex->text.n > TEXT_MAX || ex->conf->step_stats) { /* they count what each would read */
        return 0;
    }
    pl__reads_of(root, ex->start, ex->end, ex->lookback_ms, &reads);
    if (!reads.known) {
        return 0;
    }
    struct walk w = {.ex = ex, .text = PL_BUF_INIT};
    w.entry = pl_arena_alloc(ex->arena, ENTRIES_MAX * sizeof *w.entry);
    if (!w.entry) {
        return PL_ENOMEM;
    }
    visit(&w, root, 0);
    pl_buf_fini(&w.text);
    struct pl__shared *s = pl_arena_zalloc(ex->arena, (w.n + 1) * sizeof *s);
    if (!s) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < w.n; i++) {
        s[i].left = w.entry[i].uses;
        ex->n_shared = w.entry[i].uses > 1 ? i + 1 : ex->n_shared;
    }
    ex->shared = s;
    return 0;
}

void pl__share_fini(struct pl__exec *ex)
{
    for (size_t i = 0; i < ex->n_shared; i++) {
        if (ex->shared[i].ready) {
            pl__rows_fini(ex, &ex->shared[i].rows);
        }
    }
    ex->n_shared = 0;
}

/** Rows of their own with the same values and labels. Without memory: false, and no error. */
static bool copy(struct pl__exec *ex, const struct pl__rows *from, struct pl__rows *to)
{
    int err = 0;
    *to = (struct pl__rows){.n = from->n, .steps = from->steps, .ordered = from->ordered};
    to->labels = pl_arena_alloc(ex->arena, (from->n + 1) * sizeof *to->labels);
    to->v = to->labels ? pl__values_new(ex, from->n * from->steps, sizeof *to->v, &err) : NULL;
    if (!to->v) {
        return false;
    }
    to->cells = from->n * from->steps;
    memcpy(to->labels, from->labels, from->n * sizeof *to->labels);
    memcpy(to->v, from->v, to->cells * sizeof *to->v);
    to->drop = from->drop;
    if (from->drops) {
        if (pl__rows_marks(ex, to) < 0) {
            pl__rows_fini(ex, to);
            return false;
        }
        memcpy(to->drops, from->drops, from->n);
    }
    return true;
}

bool pl__share_get(struct pl__exec *ex, const struct pl__frame *f, const struct pl_expr *e,
                   struct pl__rows *out)
{
    struct pl__shared *s = &ex->shared[e->shared - 1];
    if (!s->ready || memcmp(&s->frame, f, sizeof *f) != 0) {
        return false;
    }
    if (s->left <= 1) {
        *out = s->rows;
        s->ready = false;
        return true;
    }
    bool copied = copy(ex, &s->rows, out);
    s->left -= copied;
    return copied;
}

static bool has_histograms(const struct pl__rows *r)
{
    bool any = false;
    for (size_t i = 0; i < r->n * r->steps && !any; i++) {
        any = pl_is_histogram(r->v[i]);
    }
    return any;
}

int pl__share_put(struct pl__exec *ex, const struct pl__frame *f, const struct pl_expr *e,
                  bool notes, struct pl__rows *rows)
{
    struct pl__shared *s = &ex->shared[e->shared - 1];
    size_t bytes = rows->n * rows->steps * sizeof *rows->v, limit = ex->conf->max_memory_bytes / 8;
    if (s->refused || s->ready || s->left <= 1) {
        return 0;
    }
    s->refused = true; /* or it is ready: no second attempt either way */
    if (notes || bytes > BYTES_MAX || (limit && bytes > limit)) {
        return 0;
    }
    size_t noted = ex->noted; /* lazy rows give theirs only now */
    int err = pl__rows_materialise(ex, rows);
    if (err >= 0 && ex->noted == noted && !has_histograms(rows) && copy(ex, rows, &s->rows)) {
        s->frame = *f;
        s->ready = true;
        s->left--;
    }
    return err;
}
