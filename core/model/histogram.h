/* Native histograms, as Prometheus has them: how many observations fell into each of many buckets,
 * whose bounds grow by the factor 2^(2^-schema), or are listed (custom bounds).
 *
 * Bucket i of an exponential schema holds (base^(i-1), base^i], the negative ones mirrored; the
 * zero bucket holds [-zero_threshold, zero_threshold]. With custom bounds, bucket i holds
 * (bounds[i-1], bounds[i]], the first from -Inf, the last to +Inf; there is no zero bucket and
 * there are no negative ones. Populated buckets are said by spans: `offset` from the end of the
 * span before (for the first: the index itself), `length` consecutive ones. Counts are absolute and
 * doubles (integers are exact up to 2^53).
 *
 * Where a column of doubles holds a histogram (store, query), its place holds a *boxed reference*:
 * a signalling NaN with PL_HISTOGRAM_TAG in its upper 16 bits and 48 bits that the column's owner
 * gives a meaning (an offset into its bytes, or a pointer). A double that a client sends with that
 * tag is kept as bytes, too (PL_HISTOGRAM_DOUBLE), so that every double stays bit-exact. A
 * staleness marker of a histogram series is the ordinary one, a float.
 *
 * Source: Prometheus, model/histogram and the native histogram specification. Pure; any thread. */
#pragma once
#include "core/base/base.h"

#define PL_HISTOGRAM_TAG    0x7ff6u
#define PL_HISTOGRAM_CUSTOM (-53) /* the schema of custom bounds */
#define PL_HISTOGRAM_BUCKETS_MAX                                                                   \
    16384u /* populated buckets of both signs together; as many spans and bounds */

static inline bool pl_is_histogram(double v) { return pl_f64_bits(v) >> 48 == PL_HISTOGRAM_TAG; }
static inline uint64_t pl_histogram_ref(double v) { return pl_f64_bits(v) & 0xffffffffffffu; }
static inline double pl_histogram_box(uint64_t ref)
{
    return pl_bits_f64((uint64_t)PL_HISTOGRAM_TAG << 48 | ref);
}

enum pl_histogram_reset { /* on disk: never renumber */
                          PL_RESET_UNKNOWN = 0,
                          PL_RESET_YES = 1,
                          PL_RESET_NO = 2,
                          PL_RESET_GAUGE = 3,
};
struct pl_hspan {
    int32_t offset;
    uint32_t length;
};
struct pl_hbuckets {
    const struct pl_hspan *spans;
    const double *count; /* of each populated bucket, in order */
    uint32_t n_spans, n;
};
struct pl_histogram {
    int8_t schema; /* -4 .. 8, or PL_HISTOGRAM_CUSTOM */
    uint8_t reset; /* enum pl_histogram_reset */
    bool floats;   /* came with float counts; else all counts are whole */
    double zero_threshold, zero_count, count, sum;
    struct pl_hbuckets pos, neg;
    const double *bounds; /* custom: upper bounds, ascending, without +Inf */
    uint32_t n_bounds;
};

/** Is it one that Prometheus would take? 0, or PL_EINVAL with the reason in *why (static). */
int pl_histogram_check(const struct pl_histogram *h, const char **why);

/* Bytes of one histogram: what journals, heads and columns hold. Drawn in docs/formats.md. They are
 * a layout, which is the same for most samples of a series (schema, thresholds, bounds, spans,
 * reset, kind of counts), and behind it the values: count, zero count, sum, then the counts of the
 * positive and of the negative buckets. */
enum { PL_HISTOGRAM_DOUBLE = 255 }; /* first byte: not a histogram, 8 bytes of a double follow */
/** Append its bytes; not checked, so results of arithmetic can be put too. Where not all counts are
 *  whole it counts as of floats. PL_ENOMEM, PL_EINVAL (it could not be read again). */
int pl_histogram_put(struct pl_buf *out, const struct pl_histogram *h);
/** Read all of `bytes`; arrays are in the arena. The structure is sound then: spans, bounds and
 *  numbers of buckets fit each other; counts of floats may be anything. PL_ECORRUPT (also a
 * double), PL_ENOMEM. */
int pl_histogram_get(pl_str bytes, struct pl_arena *a, struct pl_histogram *out);
/** Append the bytes of a plain double that carries the tag. */
void pl_histogram_put_double(struct pl_buf *out, double v);
/** Are the bytes those of a plain double? Empty ones (a reference to nothing) are not. */
static inline bool pl_histogram_double(pl_str bytes, double *out)
{
    if (bytes.n != 9 || (uint8_t)bytes.p[0] != PL_HISTOGRAM_DOUBLE) {
        return false;
    }
    *out = pl_rdf64(bytes.p + 1);
    return true;
}

/** Number of values behind this layout, of which the bytes are the beginning: 3 and the buckets, or
 *  1 for a double. *n_layout: its bytes. PL_ECORRUPT. */
int pl_histogram_layout(pl_str bytes, size_t *n_layout);
/** The n values behind the first n_layout bytes, as pl_histogram_layout found them; value i goes to
 *  v[i * stride]. 0, PL_ECORRUPT. */
int pl_histogram_values(pl_str bytes, size_t n_layout, double *v, size_t n, size_t stride);
/** The other way: append layout and n values from v[i * stride]. PL_ECORRUPT where they do not fit
 *  (a count that is not whole, too large a number), PL_ENOMEM; out is then as before. */
int pl_histogram_join(struct pl_buf *out, pl_str layout, const double *v, size_t n, size_t stride);
