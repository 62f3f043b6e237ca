/* Operators where a histogram stands on a side: histograms add and subtract, scale by numbers, and
 * are equal or not; all else has no result and says so. Between a vector and a scalar the map of
 * binary.c calls here, between vectors match.c. */
#include "core/query/hist.h"

static const char *kind(double v) { return pl_is_histogram(v) ? "histogram" : "float"; }

static double incompatible(struct pl__exec *ex, const struct pl_expr *e, double l, double r,
                           bool *keep)
{
    const char *op = pl__op_text(e->bin.op);
    *keep = false;
    pl__note(ex, false, e->at,
             "incompatible sample types encountered for binary operator \"%s\": %s %s %s", op,
             kind(l), op, kind(r));
    return PL_ABSENT;
}

static double boxed(const struct pl_histogram *h, int *err)
{
    if (!h) {
        *err = PL_ENOMEM;
        return PL_ABSENT;
    }
    return pl_histogram_boxed(h);
}

static double add(struct pl__exec *ex, struct pl_arena *a, const struct pl_expr *e,
                  const struct pl_histogram *l, const struct pl_histogram *r, bool *keep, int *err)
{
    bool minus = e->bin.op == PL__OP_SUB;
    struct pl_hsum s;
    int bits = pl_hsum_init(&s, a, l);
    bits = bits < 0 ? bits : pl_hsum_add(&s, r, minus ? -1 : 1);
    if (bits == PL_EINVAL) {
        pl__note(ex, true, e->at, "incompatible bucket layout encountered for binary operator %s",
                 pl__op_text(e->bin.op));
        *keep = false;
        return PL_ABSENT;
    }
    if (bits < 0) {
        *err = bits;
        return PL_ABSENT;
    }
    unsigned notes = 0;
    if (bits & PL_HSUM_COLLISION) {
        notes |= minus ? PL__HNOTE_RESET_SUB : PL__HNOTE_RESET_ADD;
    } else if (bits & PL_HSUM_RECONCILED) {
        notes |= minus ? PL__HNOTE_BOUNDS_SUB : PL__HNOTE_BOUNDS_ADD;
    }
    pl__hist_notes(ex, notes, e->at, PL_STR_NULL);
    if (bits & PL_HSUM_COLLISION) {
        *keep = false;
        return PL_ABSENT;
    }
    s.reset = minus ? PL_RESET_GAUGE : s.reset;
    return boxed(pl_hsum_finish(&s, a, true, false), err);
}

double pl__hist_op(struct pl__exec *ex, struct pl_arena *a, const struct pl_expr *e, double l,
                   double r, bool *keep, int *err)
{
    enum pl__op op = e->bin.op;
    const struct pl_histogram *hl = pl_is_histogram(l) ? pl_histogram_unboxed(l) : NULL;
    const struct pl_histogram *hr = pl_is_histogram(r) ? pl_histogram_unboxed(r) : NULL;
    *keep = true;
    if (hl && hr) {
        switch (op) {
        case PL__OP_ADD:
        case PL__OP_SUB:
            return add(ex, a, e, hl, hr, keep, err);
        case PL__OP_EQ:
        case PL__OP_NE:
            *keep = pl_histogram_equal(hl, hr) == (op == PL__OP_EQ);
            return l;
        default:
            return incompatible(ex, e, l, r, keep);
        }
    }
    if (op == PL__OP_MUL && (hl || hr)) {
        return boxed(pl_histogram_scaled(a, hl ? hl : hr, hl ? r : l, false, true), err);
    }
    if (hl && pl__op_trims(op)) {
        return boxed(pl_histogram_trim(a, hl, r, op == PL__OP_TRIM_LOWER), err);
    }
    if (op == PL__OP_DIV && hl) {
        return boxed(pl_histogram_scaled(a, hl, r, true, true), err);
    }
    return incompatible(ex, e, l, r, keep);
}
