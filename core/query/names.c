/* The names of metrics in results, and rows of equal labels. What an operator or function makes of
 * a series is no sample of its metric any more: the name goes, and __type__ and __unit__ with it.
 * It goes late: such rows are marked, keep their names until the whole query is evaluated, and lose
 * them then; so a query can still group by the name or copy it, and two metrics get into each
 * other's way only where both are left in the result. Without that (pl_query_conf.early_names)
 * names go at once, as in Prometheus without its feature flag.
 *
 * Marks: `drop` for all rows, or a byte a row in `drops` where they differ. */
#include "core/query/exec.h"

/* ------------------------------------------------------------------ marks */

int pl__rows_marks(struct pl__exec *ex, struct pl__rows *r)
{
    if (r->drops) {
        return 0;
    }
    uint8_t *drops = pl_arena_alloc(ex->arena, r->n + 1);
    if (!drops) {
        return PL_ENOMEM;
    }
    memset(drops, r->drop, r->n);
    r->drops = drops;
    r->drop = false;
    return 0;
}

int pl__rows_marks_from(struct pl__exec *ex, struct pl__rows *r, const struct pl__rows *from,
                        const uint32_t *row)
{
    r->drop = from->drop;
    r->drops = NULL;
    if (!from->drops) {
        return 0;
    }
    int err = pl__rows_marks(ex, r);
    for (size_t i = 0; i < r->n && err >= 0; i++) {
        r->drops[i] = row[i] != UINT32_MAX && from->drops[row[i]];
    }
    return err;
}

/** Can group labels hold what goes with a name? */
static bool groups_named(const struct pl__names *by, bool without)
{
    return without || pl__names_has(by, PL_METRIC_NAME) || pl__names_has(by, PL_STR("__type__")) ||
           pl__names_has(by, PL_STR("__unit__"));
}

int pl__group_marks(struct pl__exec *ex, const struct pl__rows *r, const struct pl__names *by,
                    bool without, const uint32_t *group, struct pl__rows *out)
{
    if ((!r->drop && !r->drops) || !groups_named(by, without)) {
        return 0;
    }
    out->drop = r->drop;
    if (!r->drops) {
        return 0;
    }
    int err = pl__rows_marks(ex, out);
    for (size_t i = 0; i < r->n && err >= 0; i++) {
        out->drops[group[i]] |= r->drops[i];
    }
    return err;
}

/* ------------------------------------------------------------------ merging */

/** Labels seen; rows that lose their names and others are apart, as they will be. */
struct seen {
    struct pl__index x[2];
    uint32_t *row[2]; /* where the labels of a number stand; without marks: there */
};

static int seen_init(struct pl__exec *ex, const struct pl__rows *r, struct seen *s)
{
    *s = (struct seen){0};
    for (int i = 0; i < 2 && r->drops; i++) {
        s->row[i] = pl_arena_alloc(ex->arena, (r->n + 1) * sizeof *s->row[i]);
        if (!s->row[i]) {
            return PL_ENOMEM;
        }
    }
    return 0;
}

static void seen_fini(struct seen *s)
{
    pl__index_fini(&s->x[0]);
    pl__index_fini(&s->x[1]);
}

/** The row with the labels of row i; it will be row n if there was none. */
static size_t seen_put(struct seen *s, const struct pl__rows *r, size_t i, size_t n, bool *fresh)
{
    int which = r->drops && r->drops[i];
    size_t k = pl__index_put(&s->x[which], r->labels[i], fresh);
    if (k == PL__INDEX_NONE || !r->drops) {
        return k;
    }
    if (*fresh) {
        s->row[which][k] = (uint32_t)n;
    }
    return s->row[which][k];
}

/** Are there rows of equal labels? 0, 1, PL_ENOMEM. */
static int any_equal(struct pl__exec *ex, const struct pl__rows *r)
{
    struct seen seen;
    bool fresh = true;
    int err = seen_init(ex, r, &seen);
    for (size_t i = 0; i < r->n && fresh && err >= 0; i++) {
        err = seen_put(&seen, r, i, i, &fresh) == PL__INDEX_NONE ? PL_ENOMEM : 0;
    }
    seen_fini(&seen);
    return err < 0 ? err : !fresh;
}

static void move_row(struct pl__rows *r, size_t from, size_t to)
{
    if (from == to) {
        return;
    }
    memcpy(r->v + to * r->steps, r->v + from * r->steps, r->steps * sizeof *r->v);
    r->labels[to] = r->labels[from];
    if (r->drops) {
        r->drops[to] = r->drops[from];
    }
}

int pl__rows_merge(struct pl__exec *ex, struct pl__rows *r, size_t at)
{
    struct seen seen;
    size_t n = 0;
    int err = any_equal(ex, r);
    if (err <= 0) {
        return err < 0 ? pl__error_code(ex, err, at) : 0;
    }
    err = pl__rows_materialise(ex, r);
    if (err < 0) {
        return err;
    }
    err = seen_init(ex, r, &seen);
    err = err < 0 ? pl__error_code(ex, err, at) : 0;
    for (size_t i = 0; i < r->n && err >= 0; i++) {
        bool fresh = true;
        size_t k = seen_put(&seen, r, i, n, &fresh);
        if (k == PL__INDEX_NONE) {
            err = pl__error_code(ex, PL_ENOMEM, at);
            break;
        }
        if (fresh) { /* k == n */
            move_row(r, i, n++);
            continue;
        }
        double *from = r->v + i * r->steps, *to = r->v + k * r->steps;
        for (size_t s = 0; s < r->steps; s++) {
            if (pl_is_absent(from[s])) {
                continue;
            }
            if (!pl_is_absent(to[s])) {
                err = pl__error(ex, PL_EINVAL, at,
                                "vector cannot contain metrics with the same labelset");
                break;
            }
            to[s] = from[s];
        }
    }
    seen_fini(&seen);
    r->n = err < 0 ? r->n : n;
    return err;
}

void pl__rows_prune(struct pl__rows *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const double *row = r->v + i * r->steps;
        size_t s = 0;
        while (s < r->steps && pl_is_absent(row[s])) {
            s++;
        }
        if (s < r->steps) {
            move_row(r, i, n++);
        }
    }
    r->n = n;
}

/* ------------------------------------------------------------------ names that go */

/** Bytes of the name where it is the first label, else 0. */
static size_t name_bytes(pl_str labels)
{
    pl_str it = labels;
    struct pl_label l;
    return pl_labels_next(&it, &l) && pl_str_eq(l.name, PL_METRIC_NAME) ? labels.n - it.n : 0;
}

int pl__rows_names_now(struct pl__exec *ex, struct pl__rows *r, size_t at)
{
    if ((!r->drop && !r->drops) || r->n == 0) {
        r->drop = false;
        r->drops = NULL;
        return 0;
    }
    pl_str *labels = pl_arena_alloc(ex->arena, r->n * sizeof *labels);
    if (!labels) {
        return pl__error_code(ex, PL_ENOMEM, at);
    }
    pl_str first = pl_labels_get(r->labels[0], PL_METRIC_NAME);
    size_t bytes = name_bytes(r->labels[0]);
    bool same = r->drop; /* all lose the same name and nothing else: what remains is unique */
    for (size_t i = 0; i < r->n; i++) {
        if (r->drops && !r->drops[i]) {
            labels[i] = r->labels[i];
            continue;
        }
        labels[i] = pl__drop_name(ex->arena, r->labels[i]);
        if (!labels[i].p && labels[i].n == 0 && r->labels[i].n) {
            return pl__error_code(ex, PL_ENOMEM, at);
        }
        same = same && r->labels[i].n - labels[i].n == bytes &&
               pl_str_eq(first, pl_labels_get(r->labels[i], PL_METRIC_NAME));
    }
    r->labels = labels;
    r->drop = false;
    r->drops = NULL;
    return same ? 0 : pl__rows_merge(ex, r, at);
}

int pl__rows_drop_names(struct pl__exec *ex, struct pl__rows *r, size_t at)
{
    r->drop = true;
    r->drops = NULL;
    return ex->conf->early_names ? pl__rows_names_now(ex, r, at) : 0;
}
