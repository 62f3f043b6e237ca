/* Results in Prometheus' JSON: {"resultType":..,"result":[..]}; whole, or a piece at a time, which
 * may end within a series. Any thread. */
#include "core/api/internal.h"

void pl__labels_json(struct pl_buf *out, pl_str canon)
{
    struct pl_json_w w = pl_json_w(out);
    struct pl_label l;
    pl_json_obj(&w);
    while (pl_labels_next(&canon, &l)) {
        pl_json_key_s(&w, l.name);
        pl_json_str(&w, l.value);
    }
    pl_json_obj_end(&w);
}

/* [1435781451.781,"1.5"] */
static void point(struct pl_buf *out, int64_t t, double v)
{
    uint8_t *p = pl_buf_reserve(out, 2 * PL_NUMBER_MAX + 8);
    if (!p) {
        return;
    }
    uint8_t *q = p;
    *q++ = '[';
    q += pl_number_time_ms(t, (char *)q);
    *q++ = ',';
    *q++ = '"';
    q += pl_number_text(v, (char *)q);
    *q++ = '"';
    *q++ = ']';
    out->n += (size_t)(q - p);
}

static void quoted(struct pl_buf *out, const char *before, double v)
{
    char text[PL_NUMBER_MAX];
    pl_buf_z(out, before);
    pl_buf_u8(out, '"');
    pl_buf_add(out, text, pl_number_text(v, text));
    pl_buf_u8(out, '"');
}

/* [1435781451.781,{"count":"3","sum":"3.5","buckets":[[0,"0.5","1","3"]]}], each bucket with which
 * of its bounds belong to it: 0 the upper, 1 the lower, 2 none, 3 both. Empty ones are not there.
 */
static void histogram_point(struct pl_buf *out, int64_t t, const struct pl_histogram *h)
{
    char text[PL_NUMBER_MAX];
    struct pl_hiter it = pl_hiter(h, false);
    struct pl_hbucket b;
    bool any = false;
    pl_buf_u8(out, '[');
    pl_buf_add(out, text, pl_number_time_ms(t, text));
    quoted(out, ",{\"count\":", h->count);
    quoted(out, ",\"sum\":", h->sum);
    while (pl_hiter_next(&it, &b)) {
        if (b.count == 0) {
            continue;
        }
        pl_buf_z(out, any ? "," : ",\"buckets\":[");
        any = true;
        pl_buf_f(out, "[%d", b.lower_in ? b.upper_in ? 3 : 1 : b.upper_in ? 0 : 2);
        quoted(out, ",", b.lower);
        quoted(out, ",", b.upper);
        quoted(out, ",", b.count);
        pl_buf_u8(out, ']');
    }
    pl_buf_z(out, any ? "]}]" : "}]");
}

/* The floats or the histograms of a series, under their keys, from where the cursor is.
 * @return false: out is full */
static bool points(struct pl_buf *out, const struct pl_result_series *s, bool matrix,
                   bool histograms, struct pl__cursor *at, size_t full)
{
    bool any = at->any;
    for (size_t i = at->point; i < s->n; i++) {
        if (pl_is_histogram(s->v[i]) != histograms) {
            continue;
        }
        if (out->n >= full) {
            at->point = i;
            at->any = any;
            return false;
        }
        if (any) {
            pl_buf_u8(out, ',');
        } else {
            pl_buf_f(out, ",\"%s%s\":%s", histograms ? "histogram" : "value", matrix ? "s" : "",
                     matrix ? "[" : "");
        }
        any = true;
        if (histograms) {
            histogram_point(out, s->t[i], pl_result_histogram(s->v[i]));
        } else {
            point(out, s->t[i], s->v[i]);
        }
    }
    if (any && matrix) {
        pl_buf_u8(out, ']');
    }
    at->point = 0;
    at->any = false;
    at->part++;
    return true;
}

/* The series where the cursor is, or what is left of it. @return false: out is full */
static bool one_series(struct pl_buf *out, const struct pl_result_series *s, bool matrix,
                       struct pl__cursor *at, size_t full)
{
    enum { LABELS, FLOATS, HISTOGRAMS };
    if (at->part == LABELS) {
        pl_buf_z(out, "{\"metric\":");
        pl__labels_json(out, s->labels);
        at->part = FLOATS;
    }
    if ((at->part == FLOATS && !points(out, s, matrix, false, at, full)) ||
        (at->part == HISTOGRAMS && !points(out, s, matrix, true, at, full))) {
        return false;
    }
    pl_buf_u8(out, '}');
    at->part = LABELS;
    return true;
}

/* more: one in words of our own, or NULL. */
static void notes(struct pl_buf *out, const char *name, const pl_str *s, size_t n, const char *more)
{
    if (!n && !more) {
        return;
    }
    pl_buf_f(out, ",\"%s\":[", name);
    struct pl_json_w w = pl_json_w(out);
    for (size_t i = 0; i < n; i++) {
        pl_json_str(&w, s[i]);
    }
    if (more) {
        pl_json_str(&w, pl_str_c(more));
    }
    pl_buf_u8(out, ']');
}

static void seconds(struct pl_json_w *w, const char *key, int64_t ns)
{
    pl_json_key(w, key);
    pl_json_f64(w, (double)ns / 1e9);
}

static void number(struct pl_json_w *w, const char *key, uint64_t x)
{
    pl_json_key(w, key);
    pl_json_i64(w, (int64_t)x);
}

static void per_step(struct pl_json_w *w, const struct pl_query_stats *s,
                     const struct pl__shape *shape)
{
    char t[PL_NUMBER_MAX];
    int64_t n = shape->step ? (shape->end - shape->start) / shape->step + 1 : 1;
    pl_json_key(w, "totalQueryableSamplesPerStep");
    pl_json_arr(w);
    for (int64_t i = 0; i < n; i++) {
        pl_json_arr(w);
        pl_json_raw(w, pl_str_mem(t, pl_number_time_ms(shape->start + i * shape->step, t)));
        pl_json_i64(w, (int64_t)s->step_samples[i]);
        pl_json_arr_end(w);
    }
    pl_json_arr_end(w);
}

/* Prometheus' timings and samples, and ours: what was read, and from which tier. */
static void stats_json(struct pl_buf *out, const struct pl_query_stats *s,
                       const struct pl__shape *shape)
{
    struct pl_json_w w = pl_json_w(out);
    struct pl_buf tier = PL_BUF_INIT;
    pl_buf_z(out, ",\"stats\":");
    pl_json_obj(&w);
    pl_json_key(&w, "timings");
    pl_json_obj(&w);
    seconds(&w, "evalTotalTime", s->parse_ns + s->exec_ns);
    seconds(&w, "resultSortTime", 0);
    seconds(&w, "queryPreparationTime", s->parse_ns);
    seconds(&w, "innerEvalTime", s->exec_ns);
    seconds(&w, "execQueueTime", shape->queue_ns);
    seconds(&w, "execTotalTime", shape->queue_ns + s->parse_ns + s->exec_ns);
    pl_json_obj_end(&w);
    pl_json_key(&w, "samples");
    pl_json_obj(&w);
    if (shape->stats == PL__STATS_ALL && s->step_samples) {
        per_step(&w, s, shape);
    }
    number(&w, "totalQueryableSamples", s->queryable);
    number(&w, "peakSamples", s->peak_samples);
    pl_json_obj_end(&w);
    pl_json_key(&w, "read");
    pl_json_obj(&w);
    number(&w, "series", s->series);
    number(&w, "chunks", s->chunks);
    number(&w, "samples", s->samples);
    if (s->tier_ms) {
        pl_duration_text(s->tier_ms, &tier);
    }
    pl_json_key(&w, "tier");
    pl_json_str(&w, s->tier_ms ? pl_buf_view(&tier) : PL_STR("raw"));
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
    pl_buf_fini(&tier);
}

/* What is before the series, or instead of them. */
static void begin(struct pl_buf *out, const struct pl_result *r)
{
    static const char *const types[] = {"scalar", "string", "vector", "matrix"};
    pl_buf_f(out,
             "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":", types[r->type]);
    if (r->type == PL_VALUE_SCALAR) {
        point(out, r->t, r->series[0].v[0]);
    } else if (r->type == PL_VALUE_STRING) {
        char t[PL_NUMBER_MAX];
        pl_buf_u8(out, '[');
        pl_buf_add(out, t, pl_number_time_ms(r->t, t));
        pl_buf_u8(out, ',');
        struct pl_json_w w = pl_json_w(out);
        pl_json_str(&w, r->string);
        pl_buf_u8(out, ']');
    } else {
        pl_buf_u8(out, '[');
    }
}

void pl__result_json_series(struct pl_buf *out, const struct pl_result *r, size_t from, size_t to)
{
    struct pl__cursor at = {0};
    for (size_t i = from; i < to; i++) {
        if (i) {
            pl_buf_u8(out, ',');
        }
        one_series(out, &r->series[i], r->type == PL_VALUE_MATRIX, &at, SIZE_MAX);
    }
}

bool pl__result_json_piece(struct pl_buf *out, const struct pl_result *r,
                           const struct pl__shape *shape, struct pl__cursor *at, size_t full)
{
    size_t n = shape->limit && shape->limit < r->n ? (size_t)shape->limit : r->n;
    bool list = r->type == PL_VALUE_VECTOR || r->type == PL_VALUE_MATRIX;
    if (!at->begun) {
        begin(out, r);
        at->begun = true;
    }
    for (; list && at->series < n; at->series++) {
        if (out->n >= full) {
            return false;
        }
        if (at->series && !at->part) {
            pl_buf_u8(out, ',');
        }
        if (!one_series(out, &r->series[at->series], r->type == PL_VALUE_MATRIX, at, full)) {
            return false;
        }
    }
    if (list) {
        pl_buf_u8(out, ']');
    }
    if (shape->stats) {
        stats_json(out, &r->stats, shape);
    }
    pl_buf_u8(out, '}');
    bool cut = n < r->n && list;
    notes(out, "warnings", r->warnings, r->n_warnings, cut ? PL__TRUNCATED : NULL);
    notes(out, "infos", r->infos, r->n_infos, NULL);
    pl_buf_u8(out, '}');
    return true;
}

void pl__result_json(struct pl_buf *out, const struct pl_result *r, const struct pl__shape *shape)
{
    struct pl__cursor at = {0};
    pl__result_json_piece(out, r, shape, &at, SIZE_MAX);
}
