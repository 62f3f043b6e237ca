/* Definitions, series, rows and tables of docs/push.md. Thread: the loop that owns the pl_ingest.
 */
#include "core/ingest/histogram.h"

/* A handle's labels once more: its id may have ended. */
static int intern_again(void *ctx, pl_str raw, bool json, uint32_t *id)
{
    struct pl_doc labels = {.json = json, .kind = PL_DOC_MAP, .raw = raw};
    return pl__push_id(ctx, &labels, NULL, 0, id);
}

void pl__push_begin(struct pl_push_ctx *c, struct pl_ingest *g, struct pl_session *s,
                    struct pl_batch *b, struct pl_ingest_report *r)
{
    *c = (struct pl_push_ctx){.g = g, .b = b, .r = r, .session = s, .now_ms = pl_now_ms(g->clock)};
    pl_alias_begin(&g->alias, b->tenant, b->generation, PL_ALIAS_PUSH);
    if (s) {
        struct pl_ingest_report none = {.unit = r->unit};
        c->r = &none; /* what cannot be interned now is reported when it is used */
        pl_session_renew(s, intern_again, c);
        c->r = r;
        c->table = pl_session_table(s, &c->n_table);
    }
}

void pl__push_end(struct pl_push_ctx *c)
{
    pl_session_free(c->own);
    c->own = NULL;
}

/* Labels of a map into g->labels; the metric's name first, if given apart. PL_EINVAL with *why. */
static int collect(struct pl_ingest *g, const struct pl_doc *labels, const struct pl_doc *name,
                   size_t *n, const char **why)
{
    struct pl_doc_walk w;
    struct pl_doc key, value;
    *n = 0;
    *why = NULL;
    pl_buf_clear(&g->text);
    /* What is unescaped stays where it is: the buffer must not move while slices point into it. */
    if (!pl_buf_reserve(&g->text, labels->raw.n + (name ? name->raw.n : 0) + 1)) {
        return PL_ENOMEM;
    }
    if (name && name->kind != PL_DOC_NONE) {
        g->labels[*n].name = PL_METRIC_NAME;
        if (pl_doc_string(name, &g->text, &g->labels[(*n)++].value) < 0) {
            *why = "\"name\" must be a string";
            return PL_EINVAL;
        }
    }
    if (labels->kind == PL_DOC_NONE) {
        return 0;
    }
    pl_doc_walk(&w, labels);
    while (pl_doc_step(&w, &key, &value)) {
        if (*n > PL_LABELS_MAX) {
            break;
        }
        struct pl_label *l = &g->labels[(*n)++];
        if (pl_doc_string(&key, &g->text, &l->name) < 0 ||
            pl_doc_string(&value, &g->text, &l->value) < 0) {
            *why = "label names and values must be strings";
            return PL_EINVAL;
        }
    }
    return 0;
}

static int by_handle(struct pl_push_ctx *c, const struct pl_doc *handle, uint64_t n_samples,
                     uint32_t *id)
{
    int64_t h;
    if (pl_doc_i64(handle, &h) < 0 || h < 0 || (uint64_t)h >= c->n_table ||
        c->table[h] == PL_HANDLE_NONE) {
        pl_report_reject(c->r, c->at, PL_REJECT_HANDLE, n_samples, NULL);
        return PL_EINVAL;
    }
    *id = c->table[h];
    return 0;
}

int pl__push_id(struct pl_push_ctx *c, const struct pl_doc *labels, const struct pl_doc *name,
                uint64_t n_samples, uint32_t *id)
{
    struct pl_alias *a = &c->g->alias;
    bool named = name && name->kind != PL_DOC_NONE;
    const char *why;
    size_t n;
    if (labels->kind == PL_DOC_NUMBER) {
        return by_handle(c, labels, n_samples, id);
    }
    if (labels->kind != PL_DOC_MAP && !(labels->kind == PL_DOC_NONE && named)) {
        pl_report_reject(c->r, c->at, PL_REJECT_LABELS, n_samples,
                         "a map of labels or a handle is wanted");
        return PL_EINVAL;
    }
    pl_str raw = labels->raw;
    if (!named) {
        *id = pl_alias_guess(a) == raw.n ? pl_alias_confirm(a, raw.p) : PL_ALIAS_NONE;
        if (*id == PL_ALIAS_NONE) {
            *id = pl_alias_find(a, raw.p, raw.n);
        }
        if (*id != PL_ALIAS_NONE) {
            return 0;
        }
    }
    int e = collect(c->g, labels, name, &n, &why);
    e = e < 0 ? e : pl__intern(c->g, c->b, n, id, &why);
    if (e < 0) {
        return pl__rejected(c->r, c->at, e, n_samples, why) ? PL_EINVAL : e;
    }
    if (!named) {
        pl_alias_enter(a, raw.p, raw.n, *id);
    }
    return 0;
}

static int define_one(struct pl_push_ctx *c, int64_t handle, const struct pl_doc *labels)
{
    uint32_t id;
    if (handle < 0 || handle >= (int64_t)PL_SESSION_HANDLES_MAX) {
        pl_report_reject(c->r, c->at, PL_REJECT_HANDLE, 1, "a handle is 0 to %u",
                         PL_SESSION_HANDLES_MAX - 1);
        return 0;
    }
    if (labels->kind != PL_DOC_MAP) {
        pl_report_reject(c->r, c->at, PL_REJECT_LABELS, 1, "handle %lld: a map of labels is wanted",
                         (long long)handle);
        return 0;
    }
    int e = pl__push_id(c, labels, NULL, 1, &id);
    if (e < 0) {
        return e == PL_EINVAL ? 0 : e;
    }
    if (!c->session) {
        e = pl_session_new(c->b->tenant, &c->own);
        if (e < 0) {
            return e;
        }
        c->session = c->own;
    }
    e = pl_session_define(c->session, (uint32_t)handle, id);
    if (e == 0 && c->session != c->own) {
        e = pl_session_keep(c->session, (uint32_t)handle, labels->raw, labels->json);
    }
    return e;
}

/* A key of JSON is a string, of msgpack usually a number. */
static int handle_of(const struct pl_doc *key, int64_t *out)
{
    struct pl_buf none = PL_BUF_INIT;
    pl_str s;
    if (key->kind == PL_DOC_NUMBER) {
        return pl_doc_i64(key, out);
    }
    int e = pl_doc_string(key, &none, &s);
    e = e < 0 ? e : pl_str_i64(s, out);
    pl_buf_fini(&none);
    return e < 0 ? PL_EINVAL : 0;
}

int pl__push_define(struct pl_push_ctx *c, const struct pl_doc *define)
{
    struct pl_doc_walk w, pair;
    struct pl_doc key, value, first = {0}, second = {0};
    int64_t handle;
    int e = 0;
    pl_doc_walk(&w, define);
    for (c->at = 0; e >= 0 && pl_doc_step(&w, &key, &value); c->at++) {
        const struct pl_doc *h = &key, *labels = &value;
        if (define->kind == PL_DOC_ARRAY) { /* [[handle, {labels}], ...] */
            first.kind = second.kind = PL_DOC_NONE;
            pl_doc_walk(&pair, &value);
            if (value.kind == PL_DOC_ARRAY && pl_doc_step(&pair, &first, &first)) {
                pl_doc_step(&pair, &second, &second);
            }
            h = &first;
            labels = &second;
        }
        if (handle_of(h, &handle) < 0) {
            handle = -1;
        }
        e = define_one(c, handle, labels);
    }
    c->at = 0;
    if (c->session) {
        c->table = pl_session_table(c->session, &c->n_table);
    }
    return e;
}

int pl__push_metadata(struct pl_push_ctx *c, const struct pl_doc *list)
{
    struct pl_doc_walk w, fields;
    struct pl_doc none, entry, key, value;
    int e = 0;
    pl_doc_walk(&w, list);
    for (uint64_t i = 0; e >= 0 && pl_doc_step(&w, &none, &entry); i++) {
        struct pl_metadata m = {0};
        pl_str s;
        pl_buf_clear(&c->g->text);
        if (!pl_buf_reserve(&c->g->text, entry.raw.n + 1)) {
            return PL_ENOMEM;
        }
        pl_doc_walk(&fields, &entry);
        while (entry.kind == PL_DOC_MAP && pl_doc_step(&fields, &key, &value)) {
            if (pl_doc_string(&value, &c->g->text, &s) < 0) {
                continue;
            }
            if (pl_doc_is(&key, "metric")) {
                m.metric = s;
            } else if (pl_doc_is(&key, "type")) {
                m.type = pl_metric_type_parse(s);
            } else if (pl_doc_is(&key, "unit")) {
                m.unit = s;
            } else if (pl_doc_is(&key, "help")) {
                m.help = s;
            }
        }
        if (m.metric.n) {
            e = pl_batch_metadata(c->b, &m);
        } else {
            pl_report_reject(c->r, i, PL_REJECT_SYNTAX, 1, "metadata without \"metric\"");
        }
    }
    return e < 0 ? e : 0;
}

/* In place of an id: why the row is not taken. Ids and handles stay far below. */
#define HISTOGRAM  (UINT32_MAX - 3) /* added behind the floats */
#define BAD_TIME   (UINT32_MAX - 2)
#define BAD_VALUE  (UINT32_MAX - 1)
#define BAD_HANDLE PL_HANDLE_NONE

static enum pl_reject_why why_bad(const struct pl_batch *b, size_t i)
{
    switch (b->id[i]) {
    case BAD_TIME:
        return PL_REJECT_TIMESTAMP;
    case BAD_VALUE:
        return PL_REJECT_VALUE;
    case BAD_HANDLE:
        return PL_REJECT_HANDLE;
    default:
        return b->t[i] < b->t_min ? PL_REJECT_TOO_OLD : PL_REJECT_FUTURE;
    }
}

/* Of the n rows behind the batch's end, take those that are good. by_row: their index is the
 * position to report, else it is the entry's. */
static void keep_rows(struct pl_push_ctx *c, size_t n, bool by_row)
{
    struct pl_batch *b = c->b;
    size_t from = b->n, to = from;
    for (size_t i = from; i < from + n; i++) {
        if (b->id[i] == HISTOGRAM) {
            continue;
        }
        if (b->id[i] < HISTOGRAM && b->t[i] >= b->t_min && b->t[i] <= b->t_max) {
            b->id[to] = b->id[i];
            b->t[to] = b->t[i];
            b->v[to++] = b->v[i];
        } else if (by_row) {
            pl_report_reject(c->r, i - from, why_bad(b, i), 1, NULL);
        } else {
            pl_report_reject(c->r, c->at, why_bad(b, i), 1, n > 1 ? "element %zu" : NULL, i - from);
        }
    }
    b->n = to;
}

static int wrong_length(struct pl_push_ctx *c, size_t n_t, size_t n_v)
{
    pl_report_reject(c->r, c->at, PL_REJECT_LENGTH, n_v ? n_v : 1, "%zu times, %zu values", n_t,
                     n_v);
    return 0;
}

/* start + i * step; false where that is no time. */
static bool at_step(int64_t start, int64_t step, size_t i, int64_t *t)
{
    int64_t far;
    return !__builtin_mul_overflow(step, (int64_t)i, &far) &&
           !__builtin_add_overflow(start, far, t);
}

/** An element that is a histogram. */
struct picked {
    struct pl_doc doc;
    size_t i;
    int64_t t;
};

/** Is any of n elements marked as no number? Packed columns are numbers. */
static bool any_bad(const struct pl_doc *v, const uint32_t *ids, size_t n)
{
    for (size_t i = 0; v->kind != PL_DOC_PACKED && i < n; i++) {
        if (ids[i] == BAD_VALUE) {
            return true;
        }
    }
    return false;
}

/** Elements of the column that are no numbers but maps; what else is not stays marked. Times may
 *  have been marked before and that be lost: they are looked at again. */
static int pick(struct pl_push_ctx *c, const struct pl_doc *t, const struct pl_doc *v, size_t n,
                const int64_t *start, int64_t step)
{
    struct pl_batch *b = c->b;
    struct pl_buf *out = &c->g->histogram.picked;
    struct pl_doc_walk w, times;
    struct pl_doc none = {0}, time = {0};
    struct picked x = {0};
    bool single = v->kind == PL_DOC_MAP, has_t = t->kind != PL_DOC_NONE && t->kind != PL_DOC_NULL;
    if (!single) {
        pl_doc_walk(&w, v);
    }
    if (t->kind == PL_DOC_ARRAY) {
        pl_doc_walk(&times, t);
    }
    for (x.i = 0; x.i < n; x.i++) {
        uint32_t *id = &b->id[b->n + x.i];
        bool good = true;
        x.doc = *v;
        x.t = b->t[b->n + x.i];
        if (!single && !pl_doc_step(&w, &none, &x.doc)) {
            break;
        }
        if (t->kind == PL_DOC_ARRAY) {
            good = pl_doc_step(&times, &none, &time) && pl_doc_time(&time, &x.t) == 0;
        } else if (!has_t) {
            good = at_step(start ? *start : c->now_ms, step, x.i, &x.t);
        }
        if (*id == BAD_VALUE && x.doc.kind == PL_DOC_MAP) {
            *id = good ? HISTOGRAM : BAD_TIME;
            if (good) {
                pl_buf_add(out, &x, sizeof x);
            }
        }
    }
    return out->failed ? PL_ENOMEM : 0;
}

/** Add what was picked; the column's other rows are in the batch already. */
static int add_picked(struct pl_push_ctx *c, uint32_t id)
{
    struct pl_ingest_histogram *s = &c->g->histogram;
    int e = 0;
    for (size_t at = 0; at < s->picked.n && e >= 0; at += sizeof(struct picked)) {
        struct picked x;
        struct pl_histogram h;
        const char *why;
        memcpy(&x, s->picked.p + at, sizeof x);
        e = pl__histogram_doc(&x.doc, s, &h, &why);
        if (e == PL_EINVAL) {
            pl_report_reject(c->r, c->at, PL_REJECT_HISTOGRAM, 1, "element %zu: %s", x.i, why);
            e = 0;
        } else if (e >= 0) {
            e = pl__histogram_add(c->b, c->r, c->at, id, x.t, &h);
        }
    }
    return e;
}

int pl__push_columns(struct pl_push_ctx *c, uint32_t id, const struct pl_doc *t,
                     const struct pl_doc *v, const int64_t *start, int64_t step)
{
    struct pl_batch *b = c->b;
    size_t n = 0, n_t = 0;
    bool map = v->kind == PL_DOC_MAP;
    if (map) {
        n = 1;
    } else if (pl_doc_count(v, &n) < 0) {
        pl_report_reject(c->r, c->at, PL_REJECT_VALUE, 1, "\"v\" must be a number or a column");
        return 0;
    }
    bool has_t = t->kind != PL_DOC_NONE && t->kind != PL_DOC_NULL; /* null: of a row */
    if (has_t && pl_doc_count(t, &n_t) < 0) {
        pl_report_reject(c->r, c->at, PL_REJECT_TIMESTAMP, n, "\"t\" must be ms or a column of ms");
        return 0;
    }
    if (has_t ? n_t != n : n != 1 && !start) {
        return wrong_length(c, n_t, n);
    }
    int e = pl_batch_reserve(b, n);
    if (e < 0) {
        return e;
    }
    uint32_t *ids = b->id + b->n;
    for (size_t i = 0; i < n; i++) {
        ids[i] = id;
        if (!has_t && !at_step(start ? *start : c->now_ms, step, i, &b->t[b->n + i])) {
            ids[i] = BAD_TIME;
        }
    }
    if (has_t && pl_doc_column_time(t, b->t + b->n, n, ids, BAD_TIME) < 0) {
        pl_report_reject(c->r, c->at, PL_REJECT_TIMESTAMP, n, "\"t\" must be ms or a column of ms");
        return 0;
    }
    if (map) {
        ids[0] = BAD_VALUE; /* until it is looked into */
    } else if (pl_doc_column_f64(v, b->v + b->n, n, ids, BAD_VALUE) < 0) {
        pl_report_reject(c->r, c->at, PL_REJECT_VALUE, n, "\"v\" must be a number or a column");
        return 0;
    }
    pl_buf_clear(&c->g->histogram.picked);
    if (any_bad(v, ids, n)) {
        e = pick(c, t, v, n, start, step);
    }
    keep_rows(c, n, false);
    return e < 0 ? e : add_picked(c, id);
}

int pl__push_series(struct pl_push_ctx *c, const struct pl_doc *entry)
{
    struct pl_doc_walk w;
    struct pl_doc key, value, labels = {0}, name = {0}, t = {0}, v = {0};
    int64_t start = 0, step = 0;
    bool has_start = false, no_time = false, unknown = false;
    uint32_t id;
    size_t n;
    if (entry->kind != PL_DOC_MAP) {
        pl_report_reject(c->r, c->at, PL_REJECT_SYNTAX, 1, "a series is a map");
        return 0;
    }
    pl_doc_walk(&w, entry);
    while (pl_doc_step(&w, &key, &value)) {
        if (value.kind == PL_DOC_NULL) {
            continue; /* as if it was absent */
        }
        if (pl_doc_is(&key, "labels") || pl_doc_is(&key, "handle")) {
            labels = value;
        } else if (pl_doc_is(&key, "name")) {
            name = value;
        } else if (pl_doc_is(&key, "t")) {
            t = value;
        } else if (pl_doc_is(&key, "v")) {
            v = value;
        } else if (pl_doc_is(&key, "start") || pl_doc_is(&key, "step")) {
            bool is_start = pl_doc_is(&key, "start");
            has_start = has_start || is_start;
            no_time =
                no_time || (is_start ? pl_doc_time(&value, &start) : pl_doc_i64(&value, &step)) < 0;
        } else {
            unknown = true;
        }
    }
    if (pl_doc_count(&v, &n) < 0) {
        n = 1;
    }
    if (unknown || no_time) {
        pl_report_reject(c->r, c->at, unknown ? PL_REJECT_SYNTAX : PL_REJECT_TIMESTAMP, n,
                         unknown ? "labels, handle, name, t, v, start, step are known"
                                 : "\"start\" and \"step\" must be ms");
        return 0;
    }
    int e = pl__push_id(c, &labels, &name, n, &id);
    if (e < 0) {
        return e == PL_EINVAL ? 0 : e;
    }
    return pl__push_columns(c, id, &t, &v, has_start ? &start : NULL, step);
}

int pl__push_row(struct pl_push_ctx *c, const struct pl_doc *row)
{
    struct pl_doc_walk w;
    struct pl_doc key, cell[3] = {{0}}, more;
    uint32_t id;
    size_t n = 0;
    pl_doc_walk(&w, row);
    while (n < 3 && pl_doc_step(&w, &key, &cell[n])) {
        n++;
    }
    if (n < 3 || pl_doc_step(&w, &key, &more)) {
        pl_report_reject(c->r, c->at, PL_REJECT_SYNTAX, 1, "a row is [labels or handle, t, v]");
        return 0;
    }
    int e = pl__push_id(c, &cell[0], NULL, 1, &id);
    if (e < 0) {
        return e == PL_EINVAL ? 0 : e;
    }
    return pl__push_columns(c, id, &cell[1], &cell[2], NULL, 0);
}

int pl__push_table(struct pl_push_ctx *c, const struct pl_doc *handles, const struct pl_doc *t,
                   const struct pl_doc *v)
{
    struct pl_batch *b = c->b;
    size_t n = 0, n_t = 0, n_v = 0;
    int64_t one;
    bool same_t = t->kind != PL_DOC_PACKED && pl_doc_time(t, &one) == 0;
    if (handles->kind == PL_DOC_NUMBER || pl_doc_count(handles, &n) < 0 ||
        pl_doc_count(v, &n_v) < 0 || (!same_t && pl_doc_count(t, &n_t) < 0)) {
        pl_report_reject(c->r, c->at, PL_REJECT_SYNTAX, 1,
                         "columns of handles, times (or one time) and values are wanted");
        return 0;
    }
    if (n != n_v || (!same_t && n != n_t)) {
        return wrong_length(c, same_t ? 1 : n_t, n_v);
    }
    int e = pl_batch_reserve(b, n);
    if (e < 0) {
        return e;
    }
    uint32_t *id = b->id + b->n;
    int64_t *times = b->t + b->n;
    e = pl_doc_column_u32(handles, id, n, BAD_HANDLE);
    for (size_t i = 0; e == 0 && i < n; i++) {
        id[i] = id[i] < c->n_table ? c->table[id[i]] : BAD_HANDLE;
    }
    for (size_t i = 0; same_t && i < n; i++) {
        times[i] = one;
    }
    if (e < 0 || (!same_t && pl_doc_column_time(t, times, n, id, BAD_TIME) < 0) ||
        pl_doc_column_f64(v, b->v + b->n, n, id, BAD_VALUE) < 0) {
        pl_report_reject(c->r, 0, PL_REJECT_SYNTAX, n,
                         "a packed column is of ext type 1 (handles), 2 (times) or 3 (values)");
        return 0;
    }
    keep_rows(c, n, true);
    return 0;
}
