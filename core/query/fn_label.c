/* label_replace and label_join: values stay, labels change. */
#include "core/query/exec.h"

#define TICKS 16 /* rows of at most PL__LABELS_MAX bytes between two looks at the clock */

/** A label name that Prometheus accepts: UTF-8, not empty. */
static int check_label(struct pl__exec *ex, const struct pl_expr *e, const char *what, pl_str name)
{
    if (name.n && pl_utf8_check(name) == name.n) {
        return 0;
    }
    return pl__error(ex, PL_EINVAL, e->at, "invalid %s label name in %s(): %.*s", what,
                     e->call.fn->name, PL_PRS(name));
}

static int too_long(struct pl__exec *ex, const struct pl_expr *e)
{
    return pl__error(ex, PL_ELIMIT, e->at, "%s() makes labels of more than %zu bytes",
                     e->call.fn->name, PL__LABELS_MAX);
}

/** Give row i the labels in b. */
static int set_labels(struct pl__exec *ex, const struct pl_expr *e, pl_str *labels, size_t i,
                      const struct pl_buf *b)
{
    if (!b->failed && b->n > PL__LABELS_MAX) {
        return too_long(ex, e);
    }
    labels[i] = b->failed ? PL_STR_NULL : pl_arena_dup(ex->arena, pl_buf_view(b));
    return labels[i].p ? 0 : PL_ENOMEM;
}

static int finish(struct pl__exec *ex, struct pl_expr *e, struct pl__rows *out, pl_str *labels,
                  int err)
{
    if (err < 0) {
        err = pl__error_code(ex, err, e->at);
    } else {
        out->labels = labels;
        err = pl__rows_merge(ex, out, e->at);
    }
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}

int pl__fn_label_replace(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                         struct pl__rows *out)
{
    pl_str arg[5];
    for (size_t i = 1; i < 5; i++) {
        arg[i] = pl__unparen(e->call.args[i])->str;
    }
    pl_str dst = arg[1], replacement = arg[2], src = arg[3], pattern = arg[4];
    struct pl_regex *re;
    char why[200] = "";
    if (pattern.n > PL_REGEX_CODE_MAX) {
        return pl__error(ex, PL_EINVAL, e->call.args[4]->at,
                         "regular expression in label_replace() is longer than %d bytes",
                         PL_REGEX_CODE_MAX);
    }
    int err = pl_regex_new(pattern, &re, why, sizeof why);
    if (err < 0) {
        return pl__error(ex, err == PL_ENOMEM ? err : PL_EINVAL, e->call.args[4]->at,
                         "invalid regular expression in label_replace(): %.*s: %s", PL_PRS(pattern),
                         why);
    }
    err = check_label(ex, e, "destination", dst);
    err = err < 0 ? err : pl__eval(ex, f, e->call.args[0], out);
    if (err < 0) {
        pl_regex_free(re);
        return err;
    }
    pl_str *labels = pl_arena_alloc(ex->arena, (out->n + 1) * sizeof *labels);
    struct pl_buf value = PL_BUF_INIT, changed = PL_BUF_INIT;
    bool names = (out->drop || out->drops) && pl_str_eq(dst, PL_METRIC_NAME);
    err = labels ? names ? pl__rows_marks(ex, out) : 0 : PL_ENOMEM;
    for (size_t i = 0; i < out->n && err >= 0; i++) {
        err = i % TICKS ? 0 : pl__tick(ex);
        pl_buf_clear(&value);
        pl_buf_clear(&changed);
        labels[i] = out->labels[i];
        if (err >= 0 && pl_regex_expand(re, pl_labels_get(labels[i], src), replacement,
                                        PL__LABELS_MAX, &value)) {
            err = value.n > PL__LABELS_MAX ? too_long(ex, e) : 0;
            pl__set_label(&changed, labels[i], dst, pl_buf_view(&value));
            err = err < 0 ? err : value.failed ? PL_ENOMEM : set_labels(ex, e, labels, i, &changed);
            if (names) { /* a name that is given stays */
                out->drops[i] = 0;
            }
        }
    }
    pl_buf_fini(&value);
    pl_buf_fini(&changed);
    pl_regex_free(re);
    return finish(ex, e, out, labels, err);
}

int pl__fn_label_join(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                      struct pl__rows *out)
{
    pl_str dst = pl__unparen(e->call.args[1])->str, separator = pl__unparen(e->call.args[2])->str;
    int err = check_label(ex, e, "destination", dst);
    for (size_t k = 3; k < e->call.n && err >= 0; k++) {
        err = check_label(ex, e, "source", pl__unparen(e->call.args[k])->str);
    }
    err = err < 0 ? err : pl__eval(ex, f, e->call.args[0], out);
    if (err < 0) {
        return err;
    }
    pl_str *labels = pl_arena_alloc(ex->arena, (out->n + 1) * sizeof *labels);
    struct pl_buf value = PL_BUF_INIT, changed = PL_BUF_INIT;
    err = labels ? 0 : PL_ENOMEM;
    if (pl_str_eq(dst, PL_METRIC_NAME)) { /* a name that is given stays */
        out->drop = false;
        out->drops = NULL;
    }
    for (size_t i = 0; i < out->n && err >= 0; i++) {
        err = i % TICKS ? 0 : pl__tick(ex);
        pl_buf_clear(&value);
        pl_buf_clear(&changed);
        for (size_t k = 3; k < e->call.n && value.n <= PL__LABELS_MAX; k++) {
            if (k > 3) {
                pl_buf_str(&value, separator);
            }
            pl_buf_str(&value, pl_labels_get(out->labels[i], pl__unparen(e->call.args[k])->str));
        }
        pl__set_label(&changed, out->labels[i], dst, pl_buf_view(&value));
        err = err < 0 ? err : value.failed ? PL_ENOMEM : set_labels(ex, e, labels, i, &changed);
    }
    pl_buf_fini(&value);
    pl_buf_fini(&changed);
    return finish(ex, e, out, labels, err);
}
