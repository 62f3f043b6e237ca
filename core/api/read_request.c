/* Prometheus' remote read request:
 *
 *     ReadRequest  { repeated Query queries = 1; repeated ResponseType accepted = 2 }   0: SAMPLES,
 *     Query        { int64 start_ms = 1; int64 end_ms = 2;            1: STREAMED_XOR_CHUNKS
 *                    repeated LabelMatcher = 3; ReadHints hints = 4 }
 *     LabelMatcher { Type type = 1; string name = 2; string value = 3 }     =, !=, =~, !~
 *     ReadHints    { int64 step_ms = 1; string func = 2; int64 start_ms = 3; int64 end_ms = 4; .. }
 *
 * Source: prometheus/prometheus prompb/remote.proto, prompb/types.proto. */
#include "core/api/read_request.h"
#include "core/codec/codec.h"
#include <stdio.h>
#include <stdlib.h>

struct parse {
    char *why;
    size_t n_why;
};

static int damaged(const struct parse *p)
{
    snprintf(p->why, p->n_why, "not a remote read request: the protobuf is damaged");
    return PL_EPARSE;
}

static int matcher(const struct parse *p, pl_str bytes, struct pl__read_query *q)
{
    struct pl_pb pb = pl_pb(bytes);
    struct pl_pb_field f;
    uint64_t kind = 0;
    pl_str name = PL_STR(""), value = PL_STR("");
    int e;
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        if (f.wire == 0 && f.number == 1) {
            kind = f.u;
        } else if (f.wire == 2 && f.number == 2) {
            name = f.bytes;
        } else if (f.wire == 2 && f.number == 3) {
            value = f.bytes;
        }
    }
    if (e < 0) {
        return damaged(p);
    }
    if (kind > 3) {
        snprintf(p->why, p->n_why, "invalid matcher type");
        return PL_EPARSE;
    }
    if (q->n == PL_LABELS_MAX) {
        snprintf(p->why, p->n_why, "more than %d matchers", PL_LABELS_MAX);
        return PL_EPARSE;
    }
    struct pl_matcher *m = realloc(q->m, (q->n + 1) * sizeof(*m));
    if (!m) {
        return PL_ENOMEM;
    }
    q->m = m;
    e = pl_matcher_init(&m[q->n], (enum pl_match)kind, name, value, p->why, p->n_why);
    q->n += e >= 0;
    return e == PL_ENOMEM ? e : e < 0 ? PL_EPARSE : 0;
}

static int hints(const struct parse *p, pl_str bytes, struct pl__read_query *q)
{
    struct pl_pb pb = pl_pb(bytes);
    struct pl_pb_field f;
    int64_t t0 = 0, t1 = 0;
    int e;
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        if (f.wire == 2 && f.number == 2) {
            q->series_only = pl_str_eq(f.bytes, PL_STR("series"));
        } else if (f.wire == 0 && f.number == 3) {
            t0 = (int64_t)f.u;
        } else if (f.wire == 0 && f.number == 4) {
            t1 = (int64_t)f.u;
        }
    }
    if (t0 != 0 || t1 != 0) {
        q->t0 = t0;
        q->t1 = t1;
    }
    return e < 0 ? damaged(p) : 0;
}

static int query(const struct parse *p, pl_str bytes, struct pl__read_query *q)
{
    struct pl_pb pb = pl_pb(bytes);
    struct pl_pb_field f;
    pl_str hint = PL_STR_NULL;
    int e;
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        if (f.wire == 0 && f.number == 1) {
            q->t0 = (int64_t)f.u;
        } else if (f.wire == 0 && f.number == 2) {
            q->t1 = (int64_t)f.u;
        } else if (f.wire == 2 && f.number == 3) {
            e = matcher(p, f.bytes, q);
            if (e < 0) {
                return e;
            }
        } else if (f.wire == 2 && f.number == 4) {
            hint = f.bytes;
        }
    }
    return e < 0 ? damaged(p) : hint.p ? hints(p, hint, q) : 0;
}

/* The accepted types, packed or one by one: the first that we know counts. */
static int accepted(const struct parse *p, const struct pl_pb_field *f, int *type)
{
    const uint8_t *at = (const uint8_t *)f->bytes.p, *end = at + (f->wire == 2 ? f->bytes.n : 0);
    uint64_t x = f->u;
    if (f->wire == 0 && *type < 0 && x <= 1) {
        *type = (int)x;
    }
    while (f->wire == 2 && at < end) {
        at = pl_varint_get(at, end, &x);
        if (!at) {
            return damaged(p);
        }
        if (*type < 0 && x <= 1) {
            *type = (int)x;
        }
    }
    return 0;
}

static int parse_all(const struct parse *p, pl_str bytes, struct pl__read_request *out)
{
    struct pl_pb pb = pl_pb(bytes);
    struct pl_pb_field f;
    int e, type = -1;
    bool asked = false;
    while ((e = pl_pb_next(&pb, &f)) > 0) {
        if (f.number == 1 && f.wire == 2) {
            if (out->n == PL__READ_QUERIES) {
                snprintf(p->why, p->n_why, "more than %d queries", PL__READ_QUERIES);
                return PL_EPARSE;
            }
            e = query(p, f.bytes, &out->query[out->n++]);
        } else if (f.number == 2) {
            asked = true;
            e = accepted(p, &f, &type);
        }
        if (e < 0) {
            return e;
        }
    }
    if (e < 0) {
        return damaged(p);
    }
    if (asked && type < 0) {
        snprintf(p->why, p->n_why,
                 "server does not support any of the requested response types; supported: SAMPLES, "
                 "STREAMED_XOR_CHUNKS");
        return PL_EPARSE;
    }
    out->streamed = type == 1;
    return 0;
}

int pl__read_request_parse(pl_str bytes, struct pl__read_request *out, char *why, size_t n_why)
{
    struct parse p = {why, n_why};
    *out = (struct pl__read_request){0};
    int e = parse_all(&p, bytes, out);
    if (e < 0) {
        pl__read_request_fini(out);
    }
    return e;
}

void pl__read_request_fini(struct pl__read_request *r)
{
    for (size_t i = 0; i < r->n; i++) {
        for (size_t k = 0; k < r->query[i].n; k++) {
            pl_matcher_fini(&r->query[i].m[k]);
        }
        free(r->query[i].m);
    }
    r->n = 0;
}
