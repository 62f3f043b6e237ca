/* Prometheus remote write 1.0: protobuf WriteRequest, after snappy.
 *
 *     WriteRequest { repeated TimeSeries = 1; repeated MetricMetadata = 3 }
 *     TimeSeries   { repeated Label = 1; repeated Sample = 2; repeated Exemplar = 3;
 *                    repeated Histogram = 4 }
 *     Label        { string name = 1; string value = 2 }
 *     Sample       { double value = 1; int64 timestamp = 2 }     ms
 *     MetricMetadata { MetricType type = 1; string metric_family_name = 2; string help = 4;
 *                      string unit = 5 }
 *     Exemplar     { repeated Label = 1; double value = 2; int64 timestamp = 3 }
 *
 * The label fields stand in front, in every sender known, and are the same bytes in each request: a
 * known series is one hash over them (alias.h). A series with a label behind its samples, which no
 * sender makes, is rejected.
 *
 * Source: prometheus/prometheus prompb/types.proto, prompb/remote.proto; the Remote-Write 1.0
 * specification. Thread: the loop that owns the pl_ingest. */
#include "core/codec/codec.h"
#include "core/ingest/histogram.h"

enum {
    TAG_SERIES = 0x0a,
    TAG_LABEL = 0x0a,
    TAG_SAMPLE = 0x12,
    TAG_HISTOGRAM = 0x22,
    TAG_VALUE = 0x09,
    TAG_TIME = 0x10
};

struct series {
    struct pl_ingest *g;
    struct pl_batch *b;
    struct pl_ingest_report *r;
    uint64_t at; /* its index in the request */
};

static int parse_label(pl_str bytes, struct pl_label *out)
{
    *out = (struct pl_label){PL_STR(""), PL_STR("")};
    struct pl_pb pb = pl_pb(bytes);
    struct pl_pb_field f;
    int e;
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        if (f.wire == 2 && f.number == 1) {
            out->name = f.bytes;
        } else if (f.wire == 2 && f.number == 2) {
            out->value = f.bytes;
        }
    }
    return e;
}

static int parse_sample(pl_str bytes, int64_t *t, double *v)
{
    *t = 0;
    *v = 0;
    struct pl_pb pb = pl_pb(bytes);
    struct pl_pb_field f;
    int e;
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        if (f.wire == 1 && f.number == 1) {
            *v = pl_bits_f64(f.u);
        } else if (f.wire == 0 && f.number == 2) {
            *t = (int64_t)f.u;
        }
    }
    return e;
}

/* Samples that a series brings, for counting a reject. */
static uint64_t count_samples(pl_str ts)
{
    struct pl_pb pb = pl_pb(ts);
    struct pl_pb_field f;
    uint64_t n = 0;
    while (pl_pb_next(&pb, &f) > 0) {
        n += f.wire == 2 && (f.number == 2 || f.number == 4);
    }
    return n;
}

/* The id by parsing, sorting and interning the label fields in front. 0, 1 or an error; a reject is
 * reported here and gives PL_EINVAL. */
static int intern(struct series *s, pl_str front, pl_str ts, uint32_t *id)
{
    struct pl_pb pb = pl_pb(front);
    struct pl_pb_field f;
    size_t n = 0;
    int e;
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        e = n <= PL_LABELS_MAX ? parse_label(f.bytes, &s->g->labels[n++]) : 0;
        if (e < 0) {
            return e;
        }
    }
    if (e < 0) {
        return e;
    }
    const char *why = NULL;
    e = pl__intern(s->g, s->b, n, id, &why);
    if (e < 0 && pl__rejected(s->r, s->at, e, count_samples(ts), why)) {
        return PL_EINVAL;
    }
    return e;
}

static int add(struct series *s, uint32_t id, int64_t t, double v)
{
    int e = pl_batch_add(s->b, id, t, v);
    if (e < 0 && pl__rejected(s->r, s->at, e, 1, NULL)) {
        return 0;
    }
    return e;
}

static int add_histogram(struct series *s, uint32_t id, pl_str bytes)
{
    struct pl_histogram h;
    const char *why;
    int64_t t;
    int e = pl__histogram_pb(bytes, &s->g->histogram, &h, &t, &why);
    if (e == PL_EINVAL) {
        pl_report_reject(s->r, s->at, PL_REJECT_HISTOGRAM, 1, "%s", why);
        return 0;
    }
    return e < 0 ? e : pl__histogram_add(s->b, s->r, s->at, id, t, &h);
}

static int exemplar(struct series *s, uint32_t id, pl_str bytes)
{
    struct pl_pb pb = pl_pb(bytes);
    struct pl_pb_field f;
    size_t n = 0;
    int64_t t = 0;
    double v = 0;
    int e;
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        if (f.wire == 2 && f.number == 1) {
            e = n <= PL_LABELS_MAX ? parse_label(f.bytes, &s->g->labels[n++]) : 0;
            if (e < 0) {
                return e;
            }
        } else if (f.wire == 1 && f.number == 2) {
            v = pl_bits_f64(f.u);
        } else if (f.wire == 0 && f.number == 3) {
            t = (int64_t)f.u;
        }
    }
    return e < 0 ? e : pl__exemplar(s->g, s->b, id, n, t, v);
}

/* What follows the labels: samples, and fields that are passed over. PL_EINVAL: a label again, and
 * what was taken so far is reported and gone. */
static int samples(struct series *s, const uint8_t *p, const uint8_t *end, uint32_t id)
{
    size_t before = s->b->n;
    while (p < end) {
        /* The usual sample: 12 len(10..) 09 <double> 10 <varint>, 13 to 20 bytes. */
        if (end - p >= 13 && p[0] == TAG_SAMPLE && p[1] < 0x80 && p[1] >= 11 &&
            p[1] <= end - p - 2 && p[2] == TAG_VALUE && p[11] == TAG_TIME) {
            const uint8_t *stop = p + 2 + p[1];
            uint64_t t;
            if (pl_varint_get(p + 12, stop, &t) == stop) {
                int e = add(s, id, (int64_t)t, pl_rdf64(p + 3));
                if (e < 0) {
                    return e;
                }
                p = stop;
                continue;
            }
        }
        struct pl_pb pb = {p, end};
        struct pl_pb_field f;
        int e = pl_pb_next(&pb, &f);
        if (e < 0) {
            return e;
        }
        p = pb.p;
        if (f.wire != 2) {
            continue;
        }
        if (f.number == 1) {
            uint64_t lost = s->b->n - before + count_samples(pl_str_mem(p, (size_t)(end - p)));
            s->b->n = before;
            pl_report_reject(s->r, s->at, PL_REJECT_LABELS, lost, "label behind a sample");
            return PL_EINVAL;
        }
        if (f.number == 2) {
            int64_t t;
            double v;
            e = parse_sample(f.bytes, &t, &v);
            e = e < 0 ? e : add(s, id, t, v);
            if (e < 0) {
                return e;
            }
        } else if (f.number == 3) {
            e = exemplar(s, id, f.bytes);
            if (e < 0) {
                return e;
            }
        } else if (f.number == 4) {
            e = add_histogram(s, id, f.bytes);
            if (e < 0) {
                return e;
            }
        }
    }
    return 0;
}

/* Length of the label fields that stand in front. */
static int labels_length(const uint8_t *p, const uint8_t *end, size_t *out)
{
    const uint8_t *q = p;
    while (q < end && *q == TAG_LABEL) {
        uint64_t n;
        q = pl_varint_get(q + 1, end, &n);
        if (!q || n > (uint64_t)(end - q)) {
            return PL_ECORRUPT;
        }
        q += n;
    }
    *out = (size_t)(q - p);
    return 0;
}

static int series(struct series *s, pl_str ts)
{
    const uint8_t *p = (const uint8_t *)ts.p, *end = p + ts.n;
    struct pl_alias *a = &s->g->alias;
    size_t n = pl_alias_guess(a);
    uint32_t id = PL_ALIAS_NONE;
    int e;
    if (n && n < ts.n && (p[n] == TAG_SAMPLE || p[n] == TAG_HISTOGRAM)) {
        id = pl_alias_confirm(a, p);
    }
    if (id == PL_ALIAS_NONE) {
        e = labels_length(p, end, &n);
        if (e < 0) {
            return e;
        }
        id = pl_alias_find(a, p, n);
    }
    if (id == PL_ALIAS_NONE) {
        e = intern(s, pl_str_mem(p, n), ts, &id);
        if (e < 0) {
            return e == PL_EINVAL ? 0 : e;
        }
        pl_alias_enter(a, p, n, id);
    }
    e = samples(s, p + n, end, id);
    return e == PL_EINVAL ? 0 : e;
}

static int metadata(struct pl_batch *b, pl_str bytes)
{
    struct pl_metadata m = {.type = PL_TYPE_UNKNOWN};
    struct pl_pb pb = pl_pb(bytes);
    struct pl_pb_field f;
    int e;
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        if (f.wire == 0 && f.number == 1) {
            m.type = f.u <= PL_TYPE_STATESET ? (enum pl_metric_type)f.u : PL_TYPE_UNKNOWN;
        } else if (f.wire == 2) {
            switch (f.number) {
            case 2:
                m.metric = f.bytes;
                break;
            case 4:
                m.help = f.bytes;
                break;
            case 5:
                m.unit = f.bytes;
                break;
            }
        }
    }
    if (e == 0 && m.metric.n > 0) {
        e = pl_batch_metadata(b, &m);
    }
    return e < 0 ? e : 0;
}

/* The usual field of a request, a series: as pl_pb_next gives it, but in place. */
static inline bool next_series(struct pl_pb *pb, pl_str *out)
{
    uint64_t n;
    if (pb->p == pb->end || *pb->p != TAG_SERIES) {
        return false;
    }
    const uint8_t *p = pl_varint_get(pb->p + 1, pb->end, &n);
    if (!p || n > (uint64_t)(pb->end - p)) {
        return false;
    }
    *out = pl_str_mem(p, n);
    pb->p = p + n;
    return true;
}

/* The next field of a request; 0 at the end. */
static int next_field(struct series *s, struct pl_pb *pb)
{
    struct pl_pb_field f = {.wire = 2, .number = 1};
    int e = next_series(pb, &f.bytes) ? 1 : pl_pb_next(pb, &f);
    if (e <= 0 || f.wire != 2) {
        return e;
    }
    if (f.number == 1) {
        e = series(s, f.bytes);
        s->at++;
    } else if (f.number == 3) {
        e = metadata(s->b, f.bytes);
    }
    return e < 0 ? e : 1;
}

int pl_ingest_remote_write(struct pl_ingest *g, pl_str body, struct pl_batch *b,
                           struct pl_ingest_report *r)
{
    struct series s = {.g = g, .b = b, .r = r};
    struct pl_pb pb = pl_pb(body);
    int e;
    r->unit = "series";
    pl_alias_begin(&g->alias, b->tenant, b->generation, PL_ALIAS_REMOTE_WRITE);
    do {
        e = next_field(&s, &pb);
    } while (e > 0);
    if (e == PL_ECORRUPT) {
        snprintf(r->error, sizeof(r->error),
                 "not a remote write 1.0 request: protobuf ends early or is damaged in series %llu",
                 (unsigned long long)s.at);
        return PL_EPARSE;
    }
    pl__counted(g, b, r);
    return e;
}
