/* A native histogram as remote read's SAMPLES have it:
 *
 *     Histogram  { uint64 count_int = 1, or double count_float = 2
 *                  double sum = 3; sint32 schema = 4; double zero_threshold = 5
 *                  uint64 zero_count_int = 6, or double zero_count_float = 7
 *                  repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9
 *                  repeated double negative_counts = 10; the same of positive ones = 11, 12, 13
 *                  ResetHint reset_hint = 14; int64 timestamp = 15
 *                  repeated double custom_values = 16 }
 *     BucketSpan { sint32 offset = 1; uint32 length = 2 }
 *
 * Whole counts go as differences from bucket to bucket, others as they are.
 * Source: prometheus/prometheus prompb/types.proto. Any thread. */
#include "core/api/read_request.h"
#include "core/codec/codec.h"

static void varint_field(struct pl_buf *out, unsigned number, uint64_t x)
{
    pl_buf_varint(out, number << 3);
    pl_buf_varint(out, x);
}

static void f64_field(struct pl_buf *out, unsigned number, double x, bool always)
{
    if (always || pl_f64_bits(x) != 0) {
        pl_buf_varint(out, number << 3 | 1);
        pl_buf_u64(out, pl_f64_bits(x));
    }
}

static void bytes_field(struct pl_buf *out, unsigned number, pl_str s)
{
    pl_buf_varint(out, number << 3 | 2);
    pl_buf_varint(out, s.n);
    pl_buf_str(out, s);
}

static void f64s_field(struct pl_buf *out, unsigned number, const double *x, uint32_t n)
{
    if (n) {
        pl_buf_varint(out, number << 3 | 2);
        pl_buf_varint(out, 8 * (uint64_t)n);
        for (uint32_t i = 0; i < n; i++) {
            pl_buf_u64(out, pl_f64_bits(x[i]));
        }
    }
}

/* Spans, deltas and counts of one side; `first` is the number of the spans' field. */
static void side(struct pl_buf *out, unsigned first, const struct pl_hbuckets *b, bool floats,
                 struct pl_buf *part)
{
    for (uint32_t i = 0; i < b->n_spans; i++) {
        pl_buf_clear(part);
        if (b->spans[i].offset) {
            varint_field(part, 1, (uint32_t)pl_zigzag(b->spans[i].offset));
        }
        if (b->spans[i].length) {
            varint_field(part, 2, b->spans[i].length);
        }
        bytes_field(out, first, pl_buf_view(part));
    }
    if (floats) {
        f64s_field(out, first + 2, b->count, b->n);
    } else if (b->n) {
        int64_t before = 0;
        pl_buf_clear(part);
        for (uint32_t i = 0; i < b->n; i++) {
            int64_t count = (int64_t)b->count[i];
            pl_buf_varint(part, pl_zigzag(count - before));
            before = count;
        }
        bytes_field(out, first + 1, pl_buf_view(part));
    }
    out->failed |= part->failed;
}

void pl__read_histogram(struct pl_buf *out, int64_t t, const struct pl_histogram *h)
{
    struct pl_buf part = PL_BUF_INIT;
    if (h->floats) {
        f64_field(out, 2, h->count, true);
    } else {
        varint_field(out, 1, (uint64_t)h->count);
    }
    f64_field(out, 3, h->sum, false);
    if (h->schema) {
        varint_field(out, 4, (uint32_t)pl_zigzag(h->schema));
    }
    f64_field(out, 5, h->zero_threshold, false);
    if (h->floats) {
        f64_field(out, 7, h->zero_count, true);
    } else {
        varint_field(out, 6, (uint64_t)h->zero_count);
    }
    side(out, 8, &h->neg, h->floats, &part);
    side(out, 11, &h->pos, h->floats, &part);
    if (h->reset) {
        varint_field(out, 14, h->reset);
    }
    if (t) {
        varint_field(out, 15, (uint64_t)t);
    }
    f64s_field(out, 16, h->bounds, h->schema == PL_HISTOGRAM_CUSTOM ? h->n_bounds : 0);
    pl_buf_fini(&part);
}
