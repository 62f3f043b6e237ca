/* A native histogram in docs/push.md: a map in the place of a value,
 *
 *     {"schema":3,"count":12,"sum":18.5,"zero_threshold":0.5,"zero_count":2,
 *      "positive_spans":[[-3,2],[4,2]],"positive":[1,3,0,5],
 *      "negative_spans":[[0,1]],"negative":[1],"bounds":[..],"reset":"no","floats":true}
 *
 * Counts are absolute. All but count and sum may be left out: 0, empty, unknown, false. Thread: the
 * loop that owns the pl_ingest. */
#include "core/ingest/histogram.h"

static const char *const reset_names[] = {"unknown", "yes", "no", "gauge"};

/** A column of numbers; false when it is none, or too long. */
static bool numbers(const struct pl_doc *d, struct pl_buf *to, struct pl_buf *marks)
{
    size_t n;
    pl_buf_clear(to);
    pl_buf_clear(marks);
    if (d->kind == PL_DOC_NULL) {
        return true;
    }
    if (d->kind == PL_DOC_NUMBER || pl_doc_count(d, &n) < 0 || n > PL_HISTOGRAM_BUCKETS_MAX) {
        return false;
    }
    double *v = (double *)pl_buf_reserve(to, n * sizeof *v);
    uint32_t *mark = (uint32_t *)pl_buf_reserve(marks, n * sizeof *mark);
    if (n == 0 || !v || !mark) {
        return true; /* without memory pl__histogram_arrays says so */
    }
    memset(mark, 0, n * sizeof *mark);
    if (pl_doc_column_f64(d, v, n, mark, 1) < 0) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (mark[i]) {
            return false;
        }
    }
    to->n = n * sizeof *v;
    return true;
}

/** [[offset, length], ...] */
static bool spans(const struct pl_doc *d, struct pl_buf *to)
{
    struct pl_doc_walk w, pair;
    struct pl_doc none = {0}, v = {0}, x = {0};
    pl_buf_clear(to);
    if (d->kind == PL_DOC_NULL) {
        return true;
    }
    if (d->kind != PL_DOC_ARRAY) {
        return false;
    }
    pl_doc_walk(&w, d);
    while (pl_doc_step(&w, &none, &v)) {
        int64_t number[2];
        size_t n = 0;
        if (v.kind != PL_DOC_ARRAY || to->n / sizeof(struct pl_hspan) >= PL_HISTOGRAM_BUCKETS_MAX) {
            return false;
        }
        pl_doc_walk(&pair, &v);
        while (pl_doc_step(&pair, &none, &x)) {
            if (n == 2 || pl_doc_i64(&x, &number[n++]) < 0) {
                return false;
            }
        }
        if (n != 2 || number[0] < INT32_MIN || number[0] > INT32_MAX || number[1] < 0 ||
            number[1] > PL_HISTOGRAM_BUCKETS_MAX) {
            return false;
        }
        struct pl_hspan span = {(int32_t)number[0], (uint32_t)number[1]};
        pl_buf_add(to, &span, sizeof span);
    }
    return true;
}

static bool is_true(const struct pl_doc *d)
{
    return d->raw.n && (d->json ? d->raw.p[0] == 't' : (uint8_t)d->raw.p[0] == 0xc3);
}

static bool schema(const struct pl_doc *d, struct pl_histogram *out)
{
    int64_t x;
    if (pl_doc_i64(d, &x) < 0 || x < INT8_MIN || x > INT8_MAX) {
        return false;
    }
    out->schema = (int8_t)x;
    return true;
}

static bool reset(const struct pl_doc *d, struct pl_histogram *out)
{
    for (uint8_t i = 0; i < 4; i++) {
        if (d->kind == PL_DOC_STRING && pl_doc_is(d, reset_names[i])) {
            out->reset = i;
            return true;
        }
    }
    return false;
}

/** One field; NULL, or what is wrong with it. */
static const char *field(const struct pl_doc *key, const struct pl_doc *v,
                         struct pl_ingest_histogram *s, struct pl_histogram *out)
{
    const struct {
        const char *name;
        double *to;
    } scalar[] = {{"count", &out->count},
                  {"sum", &out->sum},
                  {"zero_count", &out->zero_count},
                  {"zero_threshold", &out->zero_threshold}};
    if (v->kind == PL_DOC_NULL) {
        return NULL;
    }
    for (size_t i = 0; i < 4; i++) {
        if (pl_doc_is(key, scalar[i].name)) {
            return pl_doc_f64(v, scalar[i].to) < 0 ? "a count, or the sum, is not a number" : NULL;
        }
    }
    for (int i = 0; i < 2; i++) {
        if (pl_doc_is(key, i ? "negative_spans" : "positive_spans")) {
            return spans(v, &s->spans[i]) ? NULL : "spans are [[offset, length], ...]";
        }
        if (pl_doc_is(key, i ? "negative" : "positive")) {
            return numbers(v, &s->counts[i], &s->deltas[0]) ? NULL
                                                            : "buckets are a column of counts";
        }
    }
    if (pl_doc_is(key, "bounds")) {
        return numbers(v, &s->bounds, &s->deltas[0]) ? NULL : "bounds are a column of numbers";
    }
    if (pl_doc_is(key, "schema")) {
        return schema(v, out) ? NULL : "unknown schema";
    }
    if (pl_doc_is(key, "reset")) {
        return reset(v, out) ? NULL : "reset is unknown, yes, no or gauge";
    }
    if (pl_doc_is(key, "floats") && v->kind == PL_DOC_BOOL) {
        out->floats = is_true(v);
        return NULL;
    }
    return "a key that is not known, or not of its kind";
}

int pl__histogram_doc(const struct pl_doc *map, struct pl_ingest_histogram *s,
                      struct pl_histogram *out, const char **why)
{
    struct pl_doc_walk w;
    struct pl_doc key, value;
    *out = (struct pl_histogram){0};
    *why = NULL;
    pl__histogram_clear(s);
    pl_doc_walk(&w, map);
    bool count = false, sum = false;
    while (!*why && pl_doc_step(&w, &key, &value)) {
        count |= pl_doc_is(&key, "count");
        sum |= pl_doc_is(&key, "sum");
        *why = field(&key, &value, s, out);
    }
    if (!*why && !(count && sum)) {
        *why = "a histogram has count and sum";
    }
    return *why ? PL_EINVAL : pl__histogram_arrays(s, out);
}
