/* Native histograms: are they sound, and their bytes. Pure; any thread.
 *
 *     histogram  = layout | values, or u8 255 | 8 bytes of a double
 *     layout     = u8 head | i8 schema | [f64 zero threshold] | [bounds] | spans | [spans]
 *     head       = reset (2 bits) | floats << 2 | threshold << 3 (2 bits) | negative << 5
 *     threshold    0: it is 0, 1: 2^-128, 2: 8 bytes follow
 *     bounds     = varint n | n x f64            where the schema is -53
 *     spans      = varint n | n x (zigzag offset, varint length)
 *                  of the positive buckets, then (negative) of the negative ones
 *     values     = count | zero count | f64 sum | counts of the positive, of the negative buckets
 *     count      = floats: f64. Else a varint, up to 2^53; those of buckets as zigzag differences
 *                  to the one before, the first of either sign to 0
 *
 * Source of what is sound: Prometheus, model/histogram, Validate and checkHistogramSpans. */
#include "core/model/histogram.h"
#include <math.h>

enum {
    HEAD_RESET = 3,
    HEAD_FLOATS = 1 << 2,
    HEAD_THRESHOLD = 3 << 3,
    HEAD_THRESHOLD_USUAL = 1 << 3,
    HEAD_THRESHOLD_BYTES = 2 << 3,
    HEAD_NEGATIVE = 1 << 5,
    HEAD_MAX = 63,
};
#define USUAL_THRESHOLD 0x1p-128
#define WHOLE_MAX       0x1p53

static bool is_whole(double x) { return x >= 0 && x <= WHOLE_MAX && x == floor(x); }

/* ---------------------------------------------------------------------------------------- checks
 */

/** Spans that stand for n buckets, indexes within [lo, hi]. NULL, or what is wrong. */
static const char *spans_wrong(const struct pl_hspan *spans, uint32_t n_spans, uint64_t n,
                               int64_t lo, int64_t hi)
{
    uint64_t total = 0;
    int64_t at = 0; /* the index behind the span before */
    for (uint32_t i = 0; i < n_spans; i++) {
        if (i > 0 && spans[i].offset < 0) {
            return "a span overlaps the one before";
        }
        at += spans[i].offset;
        total += spans[i].length;
        if (spans[i].length && (at < lo || at + (int64_t)spans[i].length - 1 > hi)) {
            return "a span leaves the range of bucket indexes";
        }
        at += spans[i].length;
    }
    return total == n ? NULL : "spans and numbers of buckets do not fit each other";
}

static const char *bounds_wrong(const double *bounds, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!isfinite(bounds[i])) {
            return "a custom bound is not finite";
        }
        if (i > 0 && !(bounds[i] > bounds[i - 1])) {
            return "custom bounds do not ascend";
        }
    }
    return NULL;
}

/** What makes its bytes readable: lengths, spans, bounds; NULL when all is well. */
static const char *structure_wrong(const struct pl_histogram *h)
{
    bool custom = h->schema == PL_HISTOGRAM_CUSTOM;
    if (!custom && (h->schema < -4 || h->schema > 8)) {
        return "unknown schema";
    }
    if (h->reset > PL_RESET_GAUGE) {
        return "unknown reset hint";
    }
    if ((uint64_t)h->pos.n + h->neg.n > PL_HISTOGRAM_BUCKETS_MAX ||
        (uint64_t)h->pos.n_spans + h->neg.n_spans > PL_HISTOGRAM_BUCKETS_MAX ||
        h->n_bounds > PL_HISTOGRAM_BUCKETS_MAX) {
        return "too many buckets";
    }
    if (custom && (h->neg.n_spans || h->neg.n)) {
        return "custom bounds have no negative buckets";
    }
    if (!custom && h->n_bounds) {
        return "custom bounds with an exponential schema";
    }
    const char *why = bounds_wrong(h->bounds, h->n_bounds);
    why = why ? why
              : spans_wrong(h->pos.spans, h->pos.n_spans, h->pos.n, custom ? 0 : INT32_MIN,
                            custom ? (int64_t)h->n_bounds : INT32_MAX);
    return why ? why : spans_wrong(h->neg.spans, h->neg.n_spans, h->neg.n, INT32_MIN, INT32_MAX);
}

static const char *counts_wrong(const struct pl_histogram *h, const struct pl_hbuckets *b,
                                double *total)
{
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->count[i] < 0) {
            return "a bucket has a negative count";
        }
        if (!h->floats && !is_whole(b->count[i])) {
            return "the count of a bucket is not whole, or too large";
        }
        *total += b->count[i];
    }
    return NULL;
}

int pl_histogram_check(const struct pl_histogram *h, const char **why)
{
    bool custom = h->schema == PL_HISTOGRAM_CUSTOM;
    double total = h->zero_count;
    const char *wrong = structure_wrong(h);
    if (!wrong && custom && (h->zero_count != 0 || h->zero_threshold != 0)) {
        wrong = "custom bounds have no zero bucket";
    }
    if (!wrong && !(h->zero_threshold >= 0)) {
        wrong = "the zero threshold is negative or no number";
    }
    if (!wrong && (h->count < 0 || h->zero_count < 0)) {
        wrong = "a count is negative";
    }
    if (!wrong && !h->floats && (!is_whole(h->count) || !is_whole(h->zero_count))) {
        wrong = "a count is not whole, or too large";
    }
    wrong = wrong ? wrong : counts_wrong(h, &h->pos, &total);
    wrong = wrong ? wrong : counts_wrong(h, &h->neg, &total);
    /* Observations of NaN are in no bucket; float counts may miss by rounding. */
    if (!wrong && !h->floats && (isnan(h->sum) ? total > h->count : total != h->count)) {
        wrong = "the count is not that of the buckets together";
    }
    if (wrong) {
        *why = wrong;
        return PL_EINVAL;
    }
    return 0;
}

/* --------------------------------------------------------------------------------------- writing
 */

static void put_f64(struct pl_buf *out, double x) { pl_buf_u64(out, pl_f64_bits(x)); }

static void put_spans(struct pl_buf *out, const struct pl_hbuckets *b)
{
    pl_buf_varint(out, b->n_spans);
    for (uint32_t i = 0; i < b->n_spans; i++) {
        pl_buf_varint(out, pl_zigzag(b->spans[i].offset));
        pl_buf_varint(out, b->spans[i].length);
    }
}

static bool all_whole(const double *v, size_t n, size_t stride)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_whole(v[i * stride])) {
            return false;
        }
    }
    return true;
}

static void put_counts(struct pl_buf *out, bool floats, const double *v, size_t n, size_t stride)
{
    uint8_t *p = pl_buf_reserve(out, n * PL_VARINT_MAX);
    int64_t before = 0;
    size_t at = 0;
    for (size_t i = 0; i < n && p; i++) {
        if (floats) {
            pl_wrf64(p + at, v[i * stride]);
            at += 8;
        } else {
            int64_t x = (int64_t)v[i * stride];
            at += pl_varint_put(p + at, pl_zigzag(x - before));
            before = x;
        }
    }
    out->n += at;
}

static void put_values(struct pl_buf *out, bool floats, double count, double zero, double sum)
{
    if (floats) {
        put_f64(out, count);
        put_f64(out, zero);
    } else {
        pl_buf_varint(out, (uint64_t)count);
        pl_buf_varint(out, (uint64_t)zero);
    }
    put_f64(out, sum);
}

int pl_histogram_put(struct pl_buf *out, const struct pl_histogram *h)
{
    if (structure_wrong(h)) {
        return PL_EINVAL;
    }
    size_t n_before = out->n;
    bool floats = h->floats || !is_whole(h->count) || !is_whole(h->zero_count) ||
                  !all_whole(h->pos.count, h->pos.n, 1) || !all_whole(h->neg.count, h->neg.n, 1);
    unsigned head = h->reset | (floats ? HEAD_FLOATS : 0);
    if (pl_f64_bits(h->zero_threshold) != 0) {
        head |= h->zero_threshold == USUAL_THRESHOLD ? HEAD_THRESHOLD_USUAL : HEAD_THRESHOLD_BYTES;
    }
    head |= h->neg.n_spans ? HEAD_NEGATIVE : 0;
    pl_buf_u8(out, (uint8_t)head);
    pl_buf_u8(out, (uint8_t)h->schema);
    if ((head & HEAD_THRESHOLD) == HEAD_THRESHOLD_BYTES) {
        put_f64(out, h->zero_threshold);
    }
    if (h->schema == PL_HISTOGRAM_CUSTOM) {
        pl_buf_varint(out, h->n_bounds);
        for (uint32_t i = 0; i < h->n_bounds; i++) {
            put_f64(out, h->bounds[i]);
        }
    }
    put_spans(out, &h->pos);
    if (head & HEAD_NEGATIVE) {
        put_spans(out, &h->neg);
    }
    put_values(out, floats, h->count, h->zero_count, h->sum);
    put_counts(out, floats, h->pos.count, h->pos.n, 1);
    put_counts(out, floats, h->neg.count, h->neg.n, 1);
    if (out->failed) {
        out->n = n_before;
        return PL_ENOMEM;
    }
    return 0;
}

void pl_histogram_put_double(struct pl_buf *out, double v)
{
    pl_buf_u8(out, PL_HISTOGRAM_DOUBLE);
    put_f64(out, v);
}

/* --------------------------------------------------------------------------------------- reading
 */

/** What a layout says; arrays only where an arena was given. */
struct layout {
    unsigned head;
    int8_t schema;
    double threshold;
    uint32_t n_bounds, n_spans[2], n[2];
    double *bounds;
    struct pl_hspan *spans[2];
};

static const uint8_t *get_bounds(const uint8_t *p, const uint8_t *end, struct pl_arena *a,
                                 struct layout *l, bool *no_memory)
{
    uint64_t n;
    double before = -INFINITY;
    p = pl_varint_get(p, end, &n);
    if (!p || n > PL_HISTOGRAM_BUCKETS_MAX || n > (size_t)(end - p) / 8) {
        return NULL;
    }
    l->n_bounds = (uint32_t)n;
    if (a && n && !(l->bounds = pl_arena_alloc(a, n * sizeof *l->bounds))) {
        *no_memory = true;
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++, p += 8) {
        double x = pl_rdf64(p);
        if (!isfinite(x) || !(x > before)) {
            return NULL;
        }
        before = x;
        if (a) {
            l->bounds[i] = x;
        }
    }
    return p;
}

static const uint8_t *get_spans(const uint8_t *p, const uint8_t *end, struct pl_arena *a,
                                struct layout *l, unsigned sign, bool *no_memory)
{
    bool custom = l->schema == PL_HISTOGRAM_CUSTOM;
    int64_t lo = custom ? 0 : INT32_MIN, hi = custom ? (int64_t)l->n_bounds : INT32_MAX, at = 0;
    uint64_t n, total = 0;
    p = pl_varint_get(p, end, &n);
    if (!p || n > PL_HISTOGRAM_BUCKETS_MAX || n > (size_t)(end - p) / 2) {
        return NULL;
    }
    l->n_spans[sign] = (uint32_t)n;
    if (a && n && !(l->spans[sign] = pl_arena_alloc(a, n * sizeof *l->spans[sign]))) {
        *no_memory = true;
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t z, length;
        p = pl_varint_get(p, end, &z);
        p = p ? pl_varint_get(p, end, &length) : NULL;
        int64_t offset = p ? pl_unzigzag(z) : 0;
        if (!p || z > UINT32_MAX || (i > 0 && offset < 0) || length > PL_HISTOGRAM_BUCKETS_MAX) {
            return NULL;
        }
        at += offset;
        total += length;
        if (total > PL_HISTOGRAM_BUCKETS_MAX ||
            (length && (at < lo || at + (int64_t)length - 1 > hi))) {
            return NULL;
        }
        at += (int64_t)length;
        if (a) {
            l->spans[sign][i] = (struct pl_hspan){(int32_t)offset, (uint32_t)length};
        }
    }
    l->n[sign] = (uint32_t)total;
    return p;
}

/** The place behind the layout, or NULL: corrupt, or (*no_memory) the arena is full. */
static const uint8_t *get_layout(pl_str bytes, struct pl_arena *a, struct layout *l,
                                 bool *no_memory)
{
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    *l = (struct layout){0};
    if (bytes.n < 3 || p[0] > HEAD_MAX || (p[0] & HEAD_THRESHOLD) == HEAD_THRESHOLD) {
        return NULL;
    }
    l->head = *p++;
    l->schema = (int8_t)*p++;
    if (l->schema != PL_HISTOGRAM_CUSTOM && (l->schema < -4 || l->schema > 8)) {
        return NULL;
    }
    if ((l->head & HEAD_THRESHOLD) == HEAD_THRESHOLD_USUAL) {
        l->threshold = USUAL_THRESHOLD;
    } else if ((l->head & HEAD_THRESHOLD) == HEAD_THRESHOLD_BYTES) {
        if (end - p < 8) {
            return NULL;
        }
        l->threshold = pl_rdf64(p);
        p += 8;
    }
    if (l->schema == PL_HISTOGRAM_CUSTOM) {
        if (l->head & HEAD_NEGATIVE) {
            return NULL;
        }
        p = get_bounds(p, end, a, l, no_memory);
    }
    p = p ? get_spans(p, end, a, l, 0, no_memory) : NULL;
    if (p && (l->head & HEAD_NEGATIVE)) {
        p = get_spans(p, end, a, l, 1, no_memory);
    }
    return p && (uint64_t)l->n[0] + l->n[1] <= PL_HISTOGRAM_BUCKETS_MAX &&
                   (uint64_t)l->n_spans[0] + l->n_spans[1] <= PL_HISTOGRAM_BUCKETS_MAX
               ? p
               : NULL;
}

static const uint8_t *get_f64(const uint8_t *p, const uint8_t *end, double *out)
{
    if (!p || end - p < 8) {
        return NULL;
    }
    *out = pl_rdf64(p);
    return p + 8;
}

static const uint8_t *get_count(const uint8_t *p, const uint8_t *end, bool floats, double *out)
{
    uint64_t x;
    if (floats) {
        return get_f64(p, end, out);
    }
    p = p ? pl_varint_get(p, end, &x) : NULL;
    if (!p || x > (uint64_t)WHOLE_MAX) {
        return NULL;
    }
    *out = (double)x;
    return p;
}

static const uint8_t *get_counts(const uint8_t *p, const uint8_t *end, bool floats, double *v,
                                 size_t n, size_t stride)
{
    int64_t x = 0;
    for (size_t i = 0; i < n && p; i++) {
        if (floats) {
            p = get_f64(p, end, &v[i * stride]);
            continue;
        }
        uint64_t z;
        p = pl_varint_get(p, end, &z);
        if (!p || z > 2 * (uint64_t)WHOLE_MAX) {
            return NULL;
        }
        x += pl_unzigzag(z);
        if (x < 0 || x > (int64_t)WHOLE_MAX) {
            return NULL;
        }
        v[i * stride] = (double)x;
    }
    return p;
}

int pl_histogram_get(pl_str bytes, struct pl_arena *a, struct pl_histogram *out)
{
    const uint8_t *end = (const uint8_t *)bytes.p + bytes.n;
    struct layout l;
    double *count[2] = {NULL, NULL};
    bool no_memory = false;
    const uint8_t *p = get_layout(bytes, a, &l, &no_memory);
    if (no_memory) {
        return PL_ENOMEM;
    }
    if (!p || (size_t)l.n[0] + l.n[1] > (size_t)(end - p)) {
        return PL_ECORRUPT;
    }
    bool floats = l.head & HEAD_FLOATS;
    struct pl_histogram h = {.schema = l.schema,
                             .reset = l.head & HEAD_RESET,
                             .floats = floats,
                             .zero_threshold = l.threshold,
                             .bounds = l.bounds,
                             .n_bounds = l.n_bounds};
    p = get_count(p, end, floats, &h.count);
    p = get_count(p, end, floats, &h.zero_count);
    p = get_f64(p, end, &h.sum);
    for (unsigned s = 0; s < 2 && p; s++) {
        if (l.n[s] && !(count[s] = pl_arena_alloc(a, l.n[s] * sizeof *count[s]))) {
            return PL_ENOMEM;
        }
        p = get_counts(p, end, floats, count[s], l.n[s], 1);
    }
    if (p != end) {
        return PL_ECORRUPT;
    }
    h.pos = (struct pl_hbuckets){l.spans[0], count[0], l.n_spans[0], l.n[0]};
    h.neg = (struct pl_hbuckets){l.spans[1], count[1], l.n_spans[1], l.n[1]};
    *out = h;
    return 0;
}

/* ---------------------------------------------------------------------------- layout and values
 */

int pl_histogram_layout(pl_str bytes, size_t *n_layout)
{
    struct layout l;
    bool no_memory = false;
    if (bytes.n && (uint8_t)bytes.p[0] == PL_HISTOGRAM_DOUBLE) {
        *n_layout = 1;
        return 1;
    }
    const uint8_t *p = get_layout(bytes, NULL, &l, &no_memory);
    if (!p) {
        return PL_ECORRUPT;
    }
    *n_layout = (size_t)(p - (const uint8_t *)bytes.p);
    return (int)(3 + l.n[0] + l.n[1]);
}

/** Buckets of the positive sign: where the differences of whole counts begin anew. */
static int n_positive(pl_str layout, size_t n_layout, uint32_t *n)
{
    struct layout l;
    bool no_memory = false;
    const uint8_t *p = get_layout(layout, NULL, &l, &no_memory);
    if (!p || (size_t)(p - (const uint8_t *)layout.p) != n_layout) {
        return PL_ECORRUPT;
    }
    *n = l.n[0];
    return (int)(3 + l.n[0] + l.n[1]);
}

int pl_histogram_values(pl_str bytes, size_t n_layout, double *v, size_t n, size_t stride)
{
    const uint8_t *p = (const uint8_t *)bytes.p + n_layout;
    const uint8_t *end = (const uint8_t *)bytes.p + bytes.n;
    uint32_t n_pos = 0;
    if (n_layout == 0 || n_layout > bytes.n) {
        return PL_ECORRUPT;
    }
    uint8_t head = (uint8_t)bytes.p[0];
    if (head == PL_HISTOGRAM_DOUBLE) {
        return n == 1 && get_f64(p, end, v) == end ? 0 : PL_ECORRUPT;
    }
    bool floats = head & HEAD_FLOATS;
    if (n < 3) {
        return PL_ECORRUPT;
    }
    if (head & HEAD_NEGATIVE) {
        if (n_positive(bytes, n_layout, &n_pos) != (int)n) {
            return PL_ECORRUPT;
        }
    } else {
        n_pos = (uint32_t)n - 3;
    }
    p = get_count(p, end, floats, v);
    p = get_count(p, end, floats, v + stride);
    p = get_f64(p, end, v + 2 * stride);
    p = p ? get_counts(p, end, floats, v + 3 * stride, n_pos, stride) : NULL;
    p = p ? get_counts(p, end, floats, v + (3 + n_pos) * stride, n - 3 - n_pos, stride) : NULL;
    return p == end ? 0 : PL_ECORRUPT;
}

int pl_histogram_join(struct pl_buf *out, pl_str layout, const double *v, size_t n, size_t stride)
{
    size_t before = out->n;
    uint32_t n_pos = 0;
    if (layout.n == 1 && (uint8_t)layout.p[0] == PL_HISTOGRAM_DOUBLE && n == 1) {
        pl_histogram_put_double(out, v[0]);
    } else {
        if (layout.n == 0 || n_positive(layout, layout.n, &n_pos) != (int)n) {
            return PL_ECORRUPT;
        }
        bool floats = (uint8_t)layout.p[0] & HEAD_FLOATS;
        if (!floats && !(all_whole(v, 2, stride) && all_whole(v + 3 * stride, n - 3, stride))) {
            return PL_ECORRUPT;
        }
        pl_buf_str(out, layout);
        put_values(out, floats, v[0], v[stride], v[2 * stride]);
        put_counts(out, floats, v + 3 * stride, n_pos, stride);
        put_counts(out, floats, v + (3 + n_pos) * stride, n - 3 - n_pos, stride);
    }
    if (out->failed) {
        out->n = before;
        return PL_ENOMEM;
    }
    return 0;
}
