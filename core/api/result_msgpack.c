/* Results as msgpack, columnar: docs/http-api.md#msgpack. A column of numbers is `bin`,
 * little-endian, so that a client maps it without a loop. Any thread.
 *
 *     {"status": "success", "data": {...}, "warnings": [..], "infos": [..]}
 *     data of a scalar   {"resultType": "scalar", "t": ms, "v": number}
 *             a string   {"resultType": "string", "t": ms, "v": text}
 *             a vector   {"resultType": "vector", "t": ms, "v": bin of f64, "series": [{..}]}
 *             a matrix   {"resultType": "matrix", "start": ms, "step": ms, "n": steps,
 *                         "series": [{"metric": {..}, "v": bin of f64}]}
 *     of a series        "i": bin of u32, which steps, where some are absent
 *                        "t": bin of i64, ms, where it has its own times (`up[5m]`)
 *                        "h": [[place in v, {..}]] native histograms (v is NaN there) */
#include "core/api/internal.h"

/* The head of a bin of n bytes, and room for them. */
static uint8_t *bin(struct pl_buf *out, size_t n)
{
    uint8_t *p = pl_buf_reserve(out, n + 5);
    if (!p) {
        return NULL;
    }
    *p++ = 0xc6;
    for (int shift = 24; shift >= 0; shift -= 8) {
        *p++ = (uint8_t)(n >> shift);
    }
    out->n += n + 5;
    return p;
}

static void key(struct pl_buf *out, const char *name) { pl_mp_w_str(out, pl_str_c(name)); }

static void key_int(struct pl_buf *out, const char *name, int64_t x)
{
    key(out, name);
    pl_mp_w_int(out, x);
}

static void key_text(struct pl_buf *out, const char *name, pl_str text)
{
    key(out, name);
    pl_mp_w_str(out, text);
}

static void key_f64(struct pl_buf *out, const char *name, double x)
{
    key(out, name);
    pl_mp_w_f64(out, x);
}

void pl__labels_msgpack(struct pl_buf *out, pl_str canon)
{
    struct pl_label l;
    pl_str rest = canon;
    uint32_t n = 0;
    while (pl_labels_next(&rest, &l)) {
        n++;
    }
    pl_mp_w_map(out, n);
    while (pl_labels_next(&canon, &l)) {
        pl_mp_w_str(out, l.name);
        pl_mp_w_str(out, l.value);
    }
}

/* n doubles, a stride apart: of a vector each series has one. */
static void doubles(struct pl_buf *out, const char *name, const struct pl_result_series *s,
                    size_t n, bool vector)
{
    key(out, name);
    uint8_t *p = bin(out, 8 * n);
    for (size_t i = 0; p && i < n; i++) {
        double v = vector ? s[i].v[0] : s->v[i];
        pl_wrf64(p + 8 * i, pl_is_histogram(v) ? __builtin_nan("") : v);
    }
}

static void spans(struct pl_buf *out, const char *name, const struct pl_hbuckets *b)
{
    char text[16];
    snprintf(text, sizeof(text), "%s_spans", name);
    key(out, text);
    pl_mp_w_array(out, b->n_spans);
    for (uint32_t i = 0; i < b->n_spans; i++) {
        pl_mp_w_array(out, 2);
        pl_mp_w_int(out, b->spans[i].offset);
        pl_mp_w_uint(out, b->spans[i].length);
    }
    key(out, name);
    uint8_t *p = bin(out, 8 * (size_t)b->n);
    for (uint32_t i = 0; p && i < b->n; i++) {
        pl_wrf64(p + 8 * i, b->count[i]);
    }
}

static void histogram(struct pl_buf *out, const struct pl_histogram *h)
{
    bool custom = h->schema == PL_HISTOGRAM_CUSTOM;
    pl_mp_w_map(out, 9 + (custom ? 1 : 0));
    key_int(out, "schema", h->schema);
    key_f64(out, "count", h->count);
    key_f64(out, "sum", h->sum);
    key_f64(out, "zero_count", h->zero_count);
    key_f64(out, "zero_threshold", h->zero_threshold);
    spans(out, "positive", &h->pos);
    spans(out, "negative", &h->neg);
    if (custom) {
        key(out, "bounds");
        uint8_t *p = bin(out, 8 * (size_t)h->n_bounds);
        for (uint32_t i = 0; p && i < h->n_bounds; i++) {
            pl_wrf64(p + 8 * i, h->bounds[i]);
        }
    }
}

static uint32_t count_histograms(const struct pl_result_series *s, size_t n, bool vector)
{
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) {
        found += pl_is_histogram(vector ? s[i].v[0] : s->v[i]);
    }
    return found;
}

static void histograms(struct pl_buf *out, const struct pl_result_series *s, size_t n, bool vector,
                       uint32_t n_histograms)
{
    key(out, "h");
    pl_mp_w_array(out, n_histograms);
    for (size_t i = 0; i < n; i++) {
        double v = vector ? s[i].v[0] : s->v[i];
        if (pl_is_histogram(v)) {
            pl_mp_w_array(out, 2);
            pl_mp_w_uint(out, i);
            histogram(out, pl_result_histogram(v));
        }
    }
}

/* A series of a matrix; steps: of its grid, 0 where it has its own times. */
static void matrix_series(struct pl_buf *out, const struct pl_result_series *s, size_t steps,
                          const struct pl__shape *shape)
{
    uint32_t h = count_histograms(s, s->n, false);
    bool times = steps == 0, gaps = !times && s->n < steps;
    pl_mp_w_map(out, 2 + (times || gaps) + (h > 0));
    key(out, "metric");
    pl__labels_msgpack(out, s->labels);
    if (times) {
        key(out, "t");
        uint8_t *p = bin(out, 8 * s->n);
        for (size_t i = 0; p && i < s->n; i++) {
            pl_wr64(p + 8 * i, (uint64_t)s->t[i]);
        }
    } else if (gaps) {
        key(out, "i");
        uint8_t *p = bin(out, 4 * s->n);
        for (size_t i = 0; p && i < s->n; i++) {
            pl_wr32(p + 4 * i, (uint32_t)((s->t[i] - shape->start) / shape->step));
        }
    }
    doubles(out, "v", s, s->n, false);
    if (h) {
        histograms(out, s, s->n, false, h);
    }
}

static void matrix(struct pl_buf *out, const struct pl_result *r, const struct pl__shape *shape,
                   size_t n, bool stats)
{
    size_t steps = shape->step ? (size_t)((shape->end - shape->start) / shape->step) + 1 : 0;
    pl_mp_w_map(out, 2 + (steps ? 3 : 0) + stats);
    key_text(out, "resultType", PL_STR("matrix"));
    if (steps) {
        key_int(out, "start", shape->start);
        key_int(out, "step", shape->step);
        key_int(out, "n", (int64_t)steps);
    }
    key(out, "series");
    pl_mp_w_array(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        matrix_series(out, &r->series[i], steps, shape);
    }
}

static void vector(struct pl_buf *out, const struct pl_result *r, const struct pl__shape *shape,
                   size_t n, bool stats)
{
    uint32_t h = count_histograms(r->series, n, true);
    pl_mp_w_map(out, 4 + (h > 0) + stats);
    key_text(out, "resultType", PL_STR("vector"));
    key_int(out, "t", shape->start);
    doubles(out, "v", r->series, n, true);
    if (h) {
        histograms(out, r->series, n, true, h);
    }
    key(out, "series");
    pl_mp_w_array(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        pl__labels_msgpack(out, r->series[i].labels);
    }
}

static void stats_map(struct pl_buf *out, const struct pl_query_stats *s,
                      const struct pl__shape *shape)
{
    bool steps = shape->stats == PL__STATS_ALL && s->step_samples;
    key(out, "stats");
    pl_mp_w_map(out, 8 + steps);
    key_int(out, "series", (int64_t)s->series);
    key_int(out, "chunks", (int64_t)s->chunks);
    key_int(out, "samples", (int64_t)s->samples);
    key_int(out, "peak_samples", (int64_t)s->peak_samples);
    key_int(out, "tier_ms", s->tier_ms);
    key_int(out, "queue_ns", shape->queue_ns);
    key_int(out, "parse_ns", s->parse_ns);
    key_int(out, "exec_ns", s->exec_ns);
    if (steps) {
        size_t n = shape->step ? (size_t)((shape->end - shape->start) / shape->step) + 1 : 1;
        key(out, "step_samples");
        uint8_t *p = bin(out, 8 * n);
        for (size_t i = 0; p && i < n; i++) {
            pl_wr64(p + 8 * i, s->step_samples[i]);
        }
    }
}

static void notes(struct pl_buf *out, const char *name, const pl_str *s, size_t n, const char *more)
{
    if (n || more) {
        key(out, name);
        pl_mp_w_array(out, (uint32_t)n + (more != NULL));
        for (size_t i = 0; i < n; i++) {
            pl_mp_w_str(out, s[i]);
        }
        if (more) {
            pl_mp_w_str(out, pl_str_c(more));
        }
    }
}

void pl__result_msgpack(struct pl_buf *out, const struct pl_result *r,
                        const struct pl__shape *shape)
{
    size_t n = shape->limit && shape->limit < r->n ? (size_t)shape->limit : r->n;
    bool series = r->type == PL_VALUE_VECTOR || r->type == PL_VALUE_MATRIX;
    const char *cut = series && n < r->n ? PL__TRUNCATED : NULL;
    bool stats = shape->stats != PL__STATS_NONE;
    pl_mp_w_map(out, 2 + (r->n_warnings || cut) + (r->n_infos > 0));
    key_text(out, "status", PL_STR("success"));
    key(out, "data");
    if (r->type == PL_VALUE_MATRIX) {
        matrix(out, r, shape, n, stats);
    } else if (r->type == PL_VALUE_VECTOR) {
        vector(out, r, shape, n, stats);
    } else {
        bool text = r->type == PL_VALUE_STRING;
        pl_mp_w_map(out, 3 + stats);
        key_text(out, "resultType", text ? PL_STR("string") : PL_STR("scalar"));
        key_int(out, "t", r->t);
        key(out, "v");
        if (text) {
            pl_mp_w_str(out, r->string);
        } else {
            pl_mp_w_f64(out, r->series[0].v[0]);
        }
    }
    if (stats) {
        stats_map(out, &r->stats, shape);
    }
    notes(out, "warnings", r->warnings, r->n_warnings, cut);
    notes(out, "infos", r->infos, r->n_infos, NULL);
}
