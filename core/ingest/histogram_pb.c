/* A native histogram of remote write 1.0:
 *
 *     Histogram {
 *       uint64 count_int = 1; double count_float = 2; double sum = 3; sint32 schema = 4;
 *       double zero_threshold = 5; uint64 zero_count_int = 6; double zero_count_float = 7;
 *       repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9;
 *       repeated double negative_counts = 10; repeated BucketSpan positive_spans = 11;
 *       repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
 *       ResetHint reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16
 *     }
 *     BucketSpan { sint32 offset = 1; uint32 length = 2 }
 *
 * Whole counts come as differences, those of floats as they are: which of the two, count_float
 * says. Repeated numbers may be packed or not. Source: prometheus/prometheus prompb/types.proto.
 * Thread: the loop that owns the pl_ingest. */
#include "core/codec/codec.h"
#include "core/ingest/histogram.h"

static bool too_many(const struct pl_buf *b, size_t size)
{
    return b->n / size >= PL_HISTOGRAM_BUCKETS_MAX;
}

static int add_f64(struct pl_buf *to, double x)
{
    if (too_many(to, sizeof x)) {
        return PL_ELIMIT;
    }
    pl_buf_add(to, &x, sizeof x);
    return 0;
}

/** Doubles, packed or one of them. */
static int get_f64s(const struct pl_pb_field *f, struct pl_buf *to)
{
    if (f->wire == 1) {
        return add_f64(to, pl_pb_f64(f));
    }
    if (f->wire != 2 || f->bytes.n % 8) {
        return PL_ECORRUPT;
    }
    int e = 0;
    for (size_t i = 0; i < f->bytes.n && e >= 0; i += 8) {
        e = add_f64(to, pl_rdf64(f->bytes.p + i));
    }
    return e;
}

/** Differences, packed or one of them: what they sum up to, one after the other. */
static int get_deltas(const struct pl_pb_field *f, struct pl_buf *to)
{
    const uint8_t *p = (const uint8_t *)f->bytes.p, *end = p + f->bytes.n;
    int64_t sum = 0;
    uint64_t z = f->u;
    if (f->wire != 0 && f->wire != 2) {
        return PL_ECORRUPT;
    }
    if (to->n) {
        memcpy(&sum, to->p + to->n - sizeof sum, sizeof sum);
    }
    while (f->wire == 0 || p < end) {
        if (f->wire == 2 && !(p = pl_varint_get(p, end, &z))) {
            return PL_ECORRUPT;
        }
        if (too_many(to, sizeof sum)) {
            return PL_ELIMIT;
        }
        sum = (int64_t)((uint64_t)sum + (uint64_t)pl_unzigzag(z));
        pl_buf_add(to, &sum, sizeof sum);
        if (f->wire == 0) {
            break;
        }
    }
    return 0;
}

static int get_span(const struct pl_pb_field *f, struct pl_buf *to)
{
    struct pl_hspan span = {0, 0};
    struct pl_pb pb = pl_pb(f->bytes);
    struct pl_pb_field x;
    int e;
    if (f->wire != 2) {
        return PL_ECORRUPT;
    }
    if (too_many(to, sizeof span)) {
        return PL_ELIMIT;
    }
    while ((e = pl_pb_next(&pb, &x)) > 0) {
        if (x.wire == 0 && x.number == 1) {
            span.offset = (int32_t)pl_unzigzag(x.u & UINT32_MAX);
        } else if (x.wire == 0 && x.number == 2) {
            span.length = (uint32_t)x.u;
        }
    }
    pl_buf_add(to, &span, sizeof span);
    return e;
}

/** A number of the message itself. */
static void get_number(const struct pl_pb_field *f, struct pl_histogram *h, int64_t *t)
{
    bool fixed = f->wire == 1, varint = f->wire == 0;
    int64_t schema;
    switch (f->number) {
    case 1:
        h->count = varint ? (double)f->u : h->count;
        break;
    case 2:
        h->count = fixed ? pl_pb_f64(f) : h->count;
        h->floats |= fixed;
        break;
    case 3:
        h->sum = fixed ? pl_pb_f64(f) : h->sum;
        break;
    case 4:
        schema = varint ? pl_unzigzag(f->u) : h->schema;
        h->schema = (int8_t)(schema >= INT8_MIN && schema <= INT8_MAX ? schema : INT8_MAX);
        break;
    case 5:
        h->zero_threshold = fixed ? pl_pb_f64(f) : h->zero_threshold;
        break;
    case 6:
        h->zero_count = varint ? (double)f->u : h->zero_count;
        break;
    case 7:
        h->zero_count = fixed ? pl_pb_f64(f) : h->zero_count;
        break;
    case 14:
        h->reset = varint && f->u <= PL_RESET_GAUGE ? (uint8_t)f->u : PL_RESET_UNKNOWN;
        break;
    case 15:
        *t = varint ? (int64_t)f->u : *t;
        break;
    default:
        break;
    }
}

static int get_field(const struct pl_pb_field *f, struct pl_ingest_histogram *s,
                     struct pl_histogram *h, int64_t *t)
{
    switch (f->number) {
    case 8:
    case 11:
        return get_span(f, &s->spans[f->number == 8]);
    case 9:
    case 12:
        return get_deltas(f, &s->deltas[f->number == 9]);
    case 10:
    case 13:
        return get_f64s(f, &s->counts[f->number == 10]);
    case 16:
        return get_f64s(f, &s->bounds);
    default:
        get_number(f, h, t);
        return 0;
    }
}

/** Whole counts are given as sums of differences: as doubles, in place of s->counts. */
static void whole_counts(struct pl_ingest_histogram *s)
{
    for (int sign = 0; sign < 2; sign++) {
        const struct pl_buf *from = &s->deltas[sign];
        pl_buf_clear(&s->counts[sign]);
        for (size_t i = 0; i < from->n; i += 8) {
            int64_t x;
            memcpy(&x, from->p + i, sizeof x);
            add_f64(&s->counts[sign], (double)x);
        }
    }
}

int pl__histogram_pb(pl_str bytes, struct pl_ingest_histogram *s, struct pl_histogram *out,
                     int64_t *t, const char **why)
{
    struct pl_pb pb = pl_pb(bytes);
    struct pl_pb_field f;
    int e;
    *out = (struct pl_histogram){0};
    *t = 0;
    pl__histogram_clear(s);
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        e = get_field(&f, s, out, t);
        if (e < 0) {
            break;
        }
    }
    if (e == PL_ELIMIT) {
        *why = "too many buckets";
        return PL_EINVAL;
    }
    if (e < 0) {
        return e;
    }
    if (!out->floats) {
        whole_counts(s);
    }
    return pl__histogram_arrays(s, out);
}
