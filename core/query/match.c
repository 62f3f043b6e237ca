/* Vector matching: one-to-one, many-to-one, one-to-many, with fill values. The labels are looked at
 * once for all steps; what may differ from step to step, which of several series of one match group
 * is there, is settled row by row. Errors as in Prometheus, also where a comparison would filter
 * the offending samples away. */
#include "core/query/match.h"
#include "core/query/hist.h"

#include <stdio.h>

#define NONE UINT32_MAX

struct pl__names pl__match_names(struct pl__exec *ex, const struct pl__matching *m)
{
    struct pl__names names = m->labels;
    if (!m->on) {
        names.v = pl_arena_alloc(ex->arena, (m->labels.n + 3) * sizeof *names.v);
        for (size_t i = 0; names.v && i < m->labels.n; i++) {
            names.v[i] = m->labels.v[i];
        }
        if (names.v) { /* what says something of the metric only does not keep series apart */
            names.v[names.n++] = PL_METRIC_NAME;
            names.v[names.n++] = PL_STR("__type__");
            names.v[names.n++] = PL_STR("__unit__");
        }
    }
    return names;
}

int pl__keys_make(struct pl__exec *ex, const struct pl__rows *r, const struct pl__names *names,
                  bool on, struct pl__keys *out)
{
    struct pl_buf key = PL_BUF_INIT;
    int err = 0;
    *out = (struct pl__keys){0};
    out->key = pl_arena_alloc(ex->arena, (r->n + 1) * sizeof *out->key);
    out->next = pl_arena_alloc(ex->arena, (r->n + 1) * sizeof *out->next);
    out->head = pl_arena_alloc(ex->arena, (r->n + 1) * sizeof *out->head);
    if (!out->key || !out->next || !out->head ||
        (!on && !names->v)) { /* pl__match_names had none */
        return PL_ENOMEM;
    }
    for (size_t i = r->n; i-- > 0 && err >= 0;) { /* backwards: the lists ascend */
        bool fresh = false;
        err = i % 4096 ? 0 : pl__tick(ex);
        pl_buf_clear(&key);
        pl__project(&key, r->labels[i], names, on);
        size_t k =
            key.failed ? PL__INDEX_NONE : pl__index_put(&out->index, pl_buf_view(&key), &fresh);
        if (k == PL__INDEX_NONE) {
            err = PL_ENOMEM;
            break;
        }
        if (fresh) {
            out->index.key[k] = pl_arena_dup(ex->arena, out->index.key[k]);
            err = out->index.key[k].p ? err : PL_ENOMEM;
            out->head[k] = NONE;
        }
        out->key[i] = (uint32_t)k;
        out->next[i] = out->head[k];
        out->head[k] = (uint32_t)i;
    }
    pl_buf_fini(&key);
    if (err < 0) {
        pl__keys_fini(out);
    }
    return err;
}

size_t pl__keys_find(const struct pl__keys *k, pl_str labels, const struct pl__names *names,
                     bool on, struct pl_buf *scratch)
{
    pl_buf_clear(scratch);
    pl__project(scratch, labels, names, on);
    return pl__index_get(&k->index, pl_buf_view(scratch));
}

/* ------------------------------------------------------------------ */

struct match {
    struct pl__exec *ex;
    const struct pl_expr *e;
    const struct pl__matching *m;
    struct pl__names names;
    const struct pl__rows *many, *one;
    struct pl__keys keys; /* of the one side */
    struct pl__keys many_keys;
    bool swapped; /* the one side stands on the left */
    bool drop_name;
    bool fill_one, fill_many;
    double one_value, many_value;
    double *single;      /* the one side of the group at hand, when several rows make it up */
    uint8_t *seen, *any; /* per step */
    bool any_known;
    bool hist; /* a side may hold histograms */
    bool trims;
    int err; /* of their arithmetic */
    struct pl__rows *out;
    size_t n_out;
    uint32_t *from; /* many row of each row of out; NONE: filled */
};

/** Labels of a result. */
static pl_str result_labels(struct match *x, pl_str many, pl_str one)
{
    struct pl__exec *ex = x->ex;
    struct pl_buf a = PL_BUF_INIT, b = PL_BUF_INIT;
    pl_str out = x->drop_name ? pl__drop_name(ex->arena, many) : many;
    if (!out.p && many.p) {
        return PL_STR_NULL;
    }
    if (x->m->card == PL__ONE_TO_ONE && (x->m->on || x->m->labels.n)) {
        pl__project(&a, out, &x->m->labels, x->m->on);
        out = pl_buf_view(&a);
    }
    for (size_t i = 0; i < x->m->include.n; i++) {
        pl_buf_clear(&b);
        pl__set_label(&b, out, x->m->include.v[i], pl_labels_get(one, x->m->include.v[i]));
        struct pl_buf old = a;
        a = b;
        b = old;
        out = pl_buf_view(&a);
    }
    if (a.n || a.p) {
        out = a.failed || b.failed ? PL_STR_NULL : pl_arena_dup(ex->arena, out);
    } else if (!out.p) {
        out = PL_STR("");
    }
    pl_buf_fini(&a);
    pl_buf_fini(&b);
    return out;
}

/** Append the names of up to three labels by which two series differ. */
static void differing(struct pl_buf *out, pl_str a, pl_str b)
{
    pl_str sets[] = {a, b};
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        pl_str rest = sets[i];
        struct pl_label l;
        while (pl_labels_next(&rest, &l)) {
            pl_str other = pl_labels_get(sets[!i], l.name);
            if (pl_str_eq(other, l.value) || (i && other.n) || n == 3) {
                continue; /* in both: told already */
            }
            pl_buf_z(out, n++ ? ", " : "");
            pl_buf_str(out, l.name);
        }
    }
}

static int duplicate(struct match *x, pl_str key, pl_str a, pl_str b)
{
    struct pl_buf text = PL_BUF_INIT;
    bool in_order = pl_labels_cmp(a, b) <= 0;
    pl_buf_z(&text, "found duplicate series for the match group ");
    pl__labels_show(&text, key);
    pl_buf_f(&text, " on the %s hand-side of the operation: [", x->swapped ? "left" : "right");
    pl__labels_show(&text, in_order ? a : b);
    pl_buf_z(&text, ", ");
    pl__labels_show(&text, in_order ? b : a);
    pl_buf_z(&text,
             "];many-to-many matching not allowed: matching labels must be unique on one side");
    int err = pl__error(x->ex, PL_EINVAL, x->e->at, "%.*s", PL_PRS(pl_buf_view(&text)));
    pl_buf_clear(&text);
    differing(&text, a, b);
    if (text.n && !text.failed) {
        snprintf(x->ex->err->hint, sizeof x->ex->err->hint,
                 "they differ by %.*s: match by it, too, aggregate the %s side without it, or, if "
                 "it is the side with more series, write group_%s",
                 PL_PRS(pl_buf_view(&text)), x->swapped ? "left" : "right",
                 x->swapped ? "left" : "right");
    }
    pl_buf_fini(&text);
    return err;
}

/** Is any row of the many side there at step s? Without one Prometheus does not look at the other.
 */
static bool any_many(struct match *x, size_t s)
{
    size_t steps = x->many->steps;
    if (!x->any_known) {
        x->any_known = true;
        memset(x->any, 0, steps);
        for (size_t i = 0; i < x->many->n; i++) {
            for (size_t k = 0; k < steps; k++) {
                x->any[k] |= !pl_is_absent(x->many->v[i * steps + k]);
            }
        }
    }
    return x->any[s];
}

/** The rows of key g on the one side as a single row; an error where two are there at once. */
static int one_row(struct match *x, size_t g, const double **out)
{
    size_t steps = x->one->steps;
    uint32_t i = x->keys.head[g];
    *out = x->one->v + i * steps;
    if (x->keys.next[i] == NONE) {
        return 0;
    }
    memcpy(x->single, *out, steps * sizeof **out);
    *out = x->single;
    for (i = x->keys.next[i]; i != NONE; i = x->keys.next[i]) {
        const double *row = x->one->v + i * steps;
        for (size_t s = 0; s < steps; s++) {
            if (pl_is_absent(row[s])) {
                continue;
            }
            if (!pl_is_absent(x->single[s]) && any_many(x, s)) {
                uint32_t k = x->keys.head[g];
                while (pl_is_absent(x->one->v[k * steps + s])) {
                    k = x->keys.next[k];
                }
                return duplicate(x, x->keys.index.key[g], x->one->labels[k], x->one->labels[i]);
            }
            x->single[s] = row[s];
        }
    }
    return 0;
}

/** l op r, at least one of them a histogram. */
static double combine_histograms(struct match *x, double l, double r)
{
    bool keep;
    double y = pl__hist_op(x->ex, x->ex->arena, x->e, l, r, &keep, &x->err);
    if (!pl__op_compares(x->e->bin.op) || pl_is_absent(y)) {
        return y;
    }
    return x->e->bin.returns_bool ? keep : keep ? y : PL_ABSENT;
}

static void combine(struct match *x, const double *many, const double *one, double *to)
{
    enum pl__op op = x->e->bin.op;
    bool compares = pl__op_compares(op), returns_bool = x->e->bin.returns_bool;
    for (size_t s = 0; s < x->out->steps; s++) {
        double a = many ? many[s] : x->many_value, b = one ? one[s] : x->one_value;
        bool no_a = many && pl_is_absent(a), no_b = one && pl_is_absent(b);
        if (no_b && !no_a && x->fill_one) {
            b = x->one_value;
            no_b = false;
        }
        if (no_a || no_b) {
            to[s] = PL_ABSENT;
            continue;
        }
        double l = x->swapped ? b : a, r = x->swapped ? a : b;
        if (x->trims || (x->hist && (pl_is_histogram(l) || pl_is_histogram(r)))) {
            to[s] = combine_histograms(x, l, r);
            continue;
        }
        double y = pl__op_apply(op, l, r);
        to[s] = !compares || returns_bool ? y : y != 0 ? l : PL_ABSENT;
    }
}

/** Room for one more row of the result. */
static double *add_row(struct match *x, pl_str labels, uint32_t from)
{
    x->out->labels[x->n_out] = labels;
    x->from[x->n_out] = from;
    return x->out->v + x->n_out++ * x->out->steps;
}

/** In a one-to-one match a key may have one row of the many side at a time. */
static int check_single(struct match *x, size_t g, const double *one)
{
    size_t steps = x->many->steps;
    uint32_t i = x->many_keys.head[g];
    if (x->many_keys.next[i] == NONE) {
        return 0;
    }
    memset(x->seen, 0, steps);
    for (; i != NONE; i = x->many_keys.next[i]) {
        const double *row = x->many->v + i * steps;
        for (size_t s = 0; s < steps; s++) {
            bool there = !pl_is_absent(row[s]) && (x->fill_one || (one && !pl_is_absent(one[s])));
            if (there && x->seen[s]) {
                return pl__error(
                    x->ex, PL_EINVAL, x->e->at,
                    "multiple matches for labels: many-to-one matching must be explicit "
                    "(group_left/group_right)");
            }
            x->seen[s] |= there;
        }
    }
    return 0;
}

/** Rows of the many side with key g of that side. */
static int match_key(struct match *x, size_t g)
{
    size_t steps = x->many->steps;
    pl_str key = x->many_keys.index.key[g];
    size_t h = pl__index_get(&x->keys.index, key);
    const double *one = NULL;
    bool several = h != PL__INDEX_NONE && x->keys.next[x->keys.head[h]] != NONE;
    int err = h == PL__INDEX_NONE ? 0 : one_row(x, h, &one);
    if (err < 0 || (!one && !x->fill_one)) {
        return err;
    }
    if (x->m->card == PL__ONE_TO_ONE && (err = check_single(x, g, one)) < 0) {
        return err;
    }
    for (uint32_t i = x->many_keys.head[g]; i != NONE; i = x->many_keys.next[i]) {
        const double *many = x->many->v + i * steps;
        if (!several || !x->m->include.n) {
            pl_str labels =
                result_labels(x, x->many->labels[i], one ? x->one->labels[x->keys.head[h]] : key);
            if (!labels.p) {
                return pl__error_code(x->ex, PL_ENOMEM, x->e->at);
            }
            combine(x, many, one, add_row(x, labels, i));
            continue;
        }
        for (uint32_t k = x->keys.head[h]; k != NONE; k = x->keys.next[k]) {
            /* the included labels come from whichever row is there */
            pl_str labels = result_labels(x, x->many->labels[i], x->one->labels[k]);
            if (!labels.p) {
                return pl__error_code(x->ex, PL_ENOMEM, x->e->at);
            }
            bool fill = x->fill_one;
            x->fill_one = false;
            combine(x, many, x->one->v + k * steps, add_row(x, labels, i));
            x->fill_one = fill;
        }
    }
    return 0;
}

/** fill: the one side's samples of key h at steps where no row of the many side has this key. */
static int fill_key(struct match *x, size_t h)
{
    size_t steps = x->one->steps;
    pl_str key = x->keys.index.key[h];
    size_t g = pl__index_get(&x->many_keys.index, key);
    for (uint32_t k = x->keys.head[h]; k != NONE; k = x->keys.next[k]) {
        pl_str labels = result_labels(x, key, x->one->labels[k]);
        if (!labels.p) {
            return pl__error_code(x->ex, PL_ENOMEM, x->e->at);
        }
        double *to = add_row(x, labels, NONE);
        bool fill = x->fill_one;
        x->fill_one = false;
        combine(x, NULL, x->one->v + k * steps, to);
        x->fill_one = fill;
        for (uint32_t i = g == PL__INDEX_NONE ? NONE : x->many_keys.head[g]; i != NONE;
             i = x->many_keys.next[i]) {
            for (size_t s = 0; s < steps; s++) {
                if (!pl_is_absent(x->many->v[i * steps + s])) {
                    to[s] = PL_ABSENT;
                }
            }
        }
    }
    return 0;
}

/** The grouping labels have to keep the rows of one key apart, at each step where both are there,
 *  kept by a comparison or not. */
static int check_grouping(struct match *x)
{
    struct pl__index labels = {0};
    size_t steps = x->many->steps;
    int err = 0;
    uint32_t *row = pl_arena_alloc(x->ex->arena, (x->n_out + 1) * sizeof *row); /* of a label set */
    for (size_t r = 0; r < x->n_out && err >= 0; r++) {
        bool fresh = false;
        size_t k = row ? pl__index_put(&labels, x->out->labels[r], &fresh) : PL__INDEX_NONE;
        if (k == PL__INDEX_NONE) {
            err = pl__error_code(x->ex, PL_ENOMEM, x->e->at);
            break;
        }
        if (fresh) {
            row[k] = (uint32_t)r;
            continue;
        }
        size_t q = row[k];
        if (x->from[q] == NONE || x->from[r] == NONE || x->from[q] == x->from[r] ||
            x->many_keys.key[x->from[q]] != x->many_keys.key[x->from[r]]) {
            continue;
        }
        const double *a = x->many->v + x->from[q] * steps, *b = x->many->v + x->from[r] * steps;
        size_t h =
            pl__index_get(&x->keys.index, x->many_keys.index.key[x->many_keys.key[x->from[r]]]);
        const double *one = NULL;
        err = h == PL__INDEX_NONE ? 0 : one_row(x, h, &one);
        for (size_t s = 0; s < steps && err >= 0; s++) {
            if (!pl_is_absent(a[s]) && !pl_is_absent(b[s]) && one && !pl_is_absent(one[s])) {
                err = pl__error(x->ex, PL_EINVAL, x->e->at,
                                "multiple matches for labels: grouping labels must ensure unique "
                                "matches");
            }
        }
    }
    pl__index_fini(&labels);
    return err;
}

/** How many rows the result may get. */
static size_t count_out(const struct match *x)
{
    size_t n = 0;
    for (size_t g = 0; g < x->many_keys.index.n; g++) {
        size_t h = pl__index_get(&x->keys.index, x->many_keys.index.key[g]);
        size_t ones = h != PL__INDEX_NONE || x->fill_one, members = 0;
        for (uint32_t k = h != PL__INDEX_NONE && x->m->include.n ? x->keys.next[x->keys.head[h]]
                                                                 : NONE;
             k != NONE; k = x->keys.next[k]) {
            ones++;
        }
        for (uint32_t i = x->many_keys.head[g]; ones && i != NONE; i = x->many_keys.next[i]) {
            members++;
        }
        n += ones * members;
    }
    return n + (x->fill_many ? x->one->n : 0);
}

int pl__eval_match(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *l,
                   struct pl__rows *r, struct pl__rows *out)
{
    const struct pl__matching *m = &e->bin.m;
    bool swapped = m->card == PL__ONE_TO_MANY;
    struct match x = {
        .ex = ex,
        .e = e,
        .m = m,
        .many = swapped ? r : l,
        .one = swapped ? l : r,
        .swapped = swapped,
        .names = pl__match_names(ex, m),
        .out = out,
        .hist = l->hist || r->hist,
        .trims = pl__op_trims(e->bin.op),
        .drop_name = (!pl__op_compares(e->bin.op) && !pl__op_trims(e->bin.op)) ||
                     (e->bin.returns_bool && ex->conf->early_names),
        .fill_one = swapped ? m->fill_l : m->fill_r,
        .fill_many = swapped ? m->fill_r : m->fill_l,
        .one_value = swapped ? m->fill_left : m->fill_right,
        .many_value = swapped ? m->fill_right : m->fill_left,
    };
    x.single = pl_arena_alloc(ex->arena, (l->steps + 1) * sizeof *x.single);
    x.seen = pl_arena_alloc(ex->arena, l->steps + 1);
    x.any = pl_arena_alloc(ex->arena, l->steps + 1);
    int err = x.single && x.seen && x.any ? 0 : PL_ENOMEM;
    err = err < 0 ? err : pl__keys_make(ex, x.one, &x.names, m->on, &x.keys);
    err = err < 0 ? err : pl__keys_make(ex, x.many, &x.names, m->on, &x.many_keys);
    if (err >= 0) {
        size_t n = count_out(&x);
        x.from = pl_arena_alloc(ex->arena, (n + 1) * sizeof *x.from);
        err = x.from ? pl__rows_new(ex, n, l->steps, out) : PL_ENOMEM;
    }
    if (err < 0) {
        pl__keys_fini(&x.keys);
        pl__keys_fini(&x.many_keys);
        return pl__error_code(ex, err, e->at);
    }
    const double *unused;
    for (size_t h = 0; h < x.keys.index.n && err >= 0; h++) { /* also keys that nothing matches */
        err = x.keys.next[x.keys.head[h]] == NONE ? 0 : one_row(&x, h, &unused);
    }
    for (size_t g = 0; g < x.many_keys.index.n && err >= 0; g++) {
        err = g % 256 ? 0 : pl__tick(ex);
        err = err < 0 ? pl__error_code(ex, err, e->at) : match_key(&x, g);
    }
    for (size_t h = 0; h < x.keys.index.n && x.fill_many && err >= 0; h++) {
        err = fill_key(&x, h);
    }
    out->n = x.n_out;
    out->hist = x.hist;
    err = err >= 0 && x.err < 0 ? pl__error_code(ex, x.err, e->at) : err;
    if (err >= 0 && m->card != PL__ONE_TO_ONE) {
        err = check_grouping(&x);
    }
    if (err >= 0 && e->bin.returns_bool) {
        out->drop = true; /* the names are gone already where they go at once */
    } else if (err >= 0 && !x.drop_name && !pl__names_has(&m->include, PL_METRIC_NAME)) {
        err = pl__rows_marks_from(ex, out, x.many, x.from);
        err = err < 0 ? pl__error_code(ex, err, e->at) : 0;
    }
    err = err < 0 ? err : pl__rows_merge(ex, out, e->at);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    pl__keys_fini(&x.keys);
    pl__keys_fini(&x.many_keys);
    return err;
}
