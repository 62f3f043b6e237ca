/* Extensions on labels: values stay, labels change, or choose the series. The metric name is the
 * label __name__, as everywhere. */
#include "core/query/ext.h"

#include "core/codec/codec.h"

/** The string argument i. */
static pl_str text_arg(const struct pl_expr *e, size_t i)
{
    return pl__unparen(e->call.args[i])->str;
}

static void put_value(struct pl_buf *out, pl_str value, int which)
{
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (which == PL__XLABEL_UPPERCASE && c >= 'a' && c <= 'z') {
            c = (char)(c - 32);
        } else if (which == PL__XLABEL_LOWERCASE && c >= 'A' && c <= 'Z') {
            c = (char)(c + 32);
        }
        pl_buf_u8(out, (uint8_t)c);
    }
}

/** One change after the other: `from` and `to` swap, the result is in *from. */
static void set(struct pl_buf *from, struct pl_buf *to, pl_str name, pl_str value)
{
    struct pl_buf old = *from;
    pl_buf_clear(to);
    pl__set_label(to, pl_buf_view(from), name, value);
    to->failed |= from->failed;
    *from = *to;
    *to = old;
}

/** The labels of one series after the call: in *b; c and value are scratch. */
static void change(const struct pl_expr *e, struct pl_buf *b, struct pl_buf *c,
                   struct pl_buf *value)
{
    int which = e->call.fn->which;
    if (which == PL__XLABEL_ALIAS) {
        set(b, c, PL_METRIC_NAME, text_arg(e, 1));
    }
    for (size_t i = 1; i < e->call.n && which != PL__XLABEL_ALIAS; i++) {
        pl_str name = text_arg(e, i);
        pl_buf_clear(value);
        switch (which) {
        case PL__XLABEL_SET:
            set(b, c, name, text_arg(e, ++i));
            break;
        case PL__XLABEL_DEL:
            set(b, c, name, PL_STR_NULL);
            break;
        case PL__XLABEL_COPY:
        case PL__XLABEL_MOVE:
            pl_buf_str(value, pl_labels_get(pl_buf_view(b), name));
            i++;
            if (value->n && !pl_str_eq(name, text_arg(e, i))) {
                set(b, c, text_arg(e, i), pl_buf_view(value));
                if (which == PL__XLABEL_MOVE) {
                    set(b, c, name, PL_STR_NULL);
                }
            }
            break;
        default:
            put_value(value, pl_labels_get(pl_buf_view(b), name), which);
            set(b, c, name, pl_buf_view(value));
            break;
        }
        b->failed |= value->failed;
    }
}

/** Pairs where there are pairs, and names that can be names. */
static int check_args(struct pl__exec *ex, const struct pl_expr *e)
{
    int which = e->call.fn->which;
    bool pairs = which == PL__XLABEL_SET || which == PL__XLABEL_COPY || which == PL__XLABEL_MOVE;
    if (pairs && e->call.n % 2 == 0) {
        return pl__error(ex, PL_EINVAL, e->at, "%s() takes labels in pairs after the vector",
                         e->call.fn->name);
    }
    for (size_t i = 1; i < e->call.n; i++) {
        bool name = which != PL__XLABEL_ALIAS && !(which == PL__XLABEL_SET && i % 2 == 0) &&
                    !(which >= PL__XLABEL_MATCH && which <= PL__XLABEL_MISMATCH && i == 2);
        pl_str s = text_arg(e, i);
        if (pl_utf8_check(s) != s.n || (name && s.n == 0)) {
            return pl__error(ex, PL_EINVAL, e->call.args[i]->at, "invalid label %s in %s(): %.*s",
                             name ? "name" : "value", e->call.fn->name, PL_PRS(s));
        }
    }
    return 0;
}

/** label_match, label_mismatch: remove the rows that are not wanted. */
static int match(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *out)
{
    struct pl_regex *re;
    char why[200] = "";
    pl_str name = text_arg(e, 1), pattern = text_arg(e, 2);
    int err = pl__rows_materialise(ex, out);
    if (err < 0) {
        return err;
    }
    err = pl_regex_new(pattern, &re, why, sizeof why);
    if (err < 0) {
        return pl__error(ex, err == PL_ENOMEM ? err : PL_EINVAL, e->call.args[2]->at,
                         "invalid regular expression in %s(): %.*s: %s", e->call.fn->name,
                         PL_PRS(pattern), why);
    }
    size_t n = 0;
    for (size_t i = 0; i < out->n && err >= 0; i++) {
        bool is = pl_regex_match(re, pl_labels_get(out->labels[i], name));
        if (is == (e->call.fn->which == PL__XLABEL_MATCH)) {
            if (n != i) {
                memcpy(out->v + n * out->steps, out->v + i * out->steps,
                       out->steps * sizeof *out->v);
                out->labels[n] = out->labels[i];
            }
            n++;
        }
        err = i % 256 ? 0 : pl__tick(ex);
    }
    out->n = n;
    pl_regex_free(re);
    return err < 0 ? pl__error_code(ex, err, e->at) : 0;
}

/** label_value: the number in a label, where there is a sample. */
static int value_of(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *out)
{
    int err = pl__rows_materialise(ex, out);
    for (size_t i = 0; i < out->n && err >= 0; i++) {
        double number, *row = out->v + i * out->steps;
        if (pl_number_parse(pl_labels_get(out->labels[i], text_arg(e, 1)), &number) < 0) {
            number = PL_ABSENT;
        }
        for (size_t s = 0; s < out->steps; s++) {
            row[s] = pl_is_absent(row[s]) ? PL_ABSENT : number;
        }
    }
    if (err >= 0) {
        pl__rows_prune(out);
        err = pl__rows_drop_names(ex, out, e->at);
    }
    return err;
}

static int relabel(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *out)
{
    struct pl_buf b = PL_BUF_INIT, c = PL_BUF_INIT, value = PL_BUF_INIT;
    pl_str *labels = pl_arena_alloc(ex->arena, (out->n + 1) * sizeof *labels);
    struct pl__names kept = {pl_arena_alloc(ex->arena, e->call.n * sizeof *kept.v), 0};
    int err = labels && kept.v ? 0 : PL_ENOMEM;
    for (size_t i = 1; i < e->call.n && err >= 0; i++) {
        kept.v[kept.n++] = text_arg(e, i);
    }
    for (size_t i = 0; i < out->n && err >= 0; i++) {
        err = i % 256 ? 0 : pl__tick(ex);
        pl_buf_clear(&b);
        if (e->call.fn->which == PL__XLABEL_KEEP) {
            pl__project(&b, out->labels[i], &kept, true);
        } else {
            pl_buf_str(&b, out->labels[i]);
            change(e, &b, &c, &value);
        }
        labels[i] = b.failed ? PL_STR_NULL : pl_arena_dup(ex->arena, pl_buf_view(&b));
        err = labels[i].p ? err : PL_ENOMEM;
    }
    pl_buf_fini(&b);
    pl_buf_fini(&c);
    pl_buf_fini(&value);
    if (err < 0) {
        return pl__error_code(ex, err, e->at);
    }
    out->labels = labels;
    return pl__rows_merge(ex, out, e->at);
}

int pl__fn_ext_label(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    int err = check_args(ex, e);
    err = err < 0 ? err : pl__eval(ex, f, e->call.args[0], out);
    if (err < 0) {
        return err;
    }
    err = pl__rows_names_now(ex, out, e->at);
    switch (err < 0 ? -1 : e->call.fn->which) {
    case -1:
        break;
    case PL__XLABEL_MATCH:
    case PL__XLABEL_MISMATCH:
        err = match(ex, e, out);
        break;
    case PL__XLABEL_VALUE:
        err = value_of(ex, e, out);
        break;
    default:
        err = relabel(ex, e, out);
        break;
    }
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}

int pl__fn_ext_union(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    struct pl__index seen = {0};
    *out = (struct pl__rows){.steps = f->n};
    int err = e->call.n ? 0 : pl__rows_new(ex, 0, f->n, out);
    for (size_t a = 0; a < e->call.n && err >= 0; a++) {
        struct pl__rows r, both;
        err = pl__eval_values(ex, f, e->call.args[a], &r);
        if (err < 0) {
            break;
        }
        pl__rows_prune(&r);
        err = pl__rows_names_now(ex, &r, e->at);
        err = err < 0 ? err : pl__rows_new(ex, out->n + r.n, f->n, &both);
        if (err < 0) {
            pl__rows_fini(ex, &r);
            break;
        }
        size_t n = out->n;
        memcpy(both.labels, out->labels ? out->labels : both.labels, n * sizeof *both.labels);
        memcpy(both.v, out->v ? out->v : both.v, n * f->n * sizeof *both.v);
        for (size_t i = 0; i < r.n && err >= 0; i++) {
            bool fresh = true;
            size_t k = pl__index_put(&seen, r.labels[i], &fresh);
            err = k == PL__INDEX_NONE ? PL_ENOMEM : i % 256 ? 0 : pl__tick(ex);
            if (fresh && err >= 0) {
                both.labels[n] = r.labels[i];
                memcpy(both.v + n++ * f->n, r.v + i * f->n, f->n * sizeof *both.v);
            }
        }
        both.n = n;
        both.hist = out->hist || r.hist;
        err = err < 0 ? pl__error_code(ex, err, e->at) : 0;
        pl__rows_fini(ex, &r);
        pl__rows_fini(ex, out);
        *out = both;
    }
    pl__index_fini(&seen);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}
