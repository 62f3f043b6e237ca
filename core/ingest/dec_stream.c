/* Messages of the msgpack stream: docs/push.md#stream. Thread: the connection's loop. */
#include "core/ingest/push.h"

static int64_t bad(char *why, size_t n_why, const char *text)
{
    snprintf(why, n_why, "%s", text);
    return PL_EPARSE;
}

static int hello(const struct pl_doc *map, struct pl_stream_msg *out)
{
    struct pl_doc_walk w;
    struct pl_doc key, value;
    struct pl_buf none = PL_BUF_INIT;
    int64_t version = 1;
    pl_doc_walk(&w, map);
    while (pl_doc_step(&w, &key, &value)) {
        if (pl_doc_is(&key, "producer")) {
            pl_doc_string(&value, &none, &out->producer);
        } else if (pl_doc_is(&key, "tenant")) {
            pl_doc_string(&value, &none, &out->tenant);
        } else if (pl_doc_is(&key, "version")) {
            pl_doc_i64(&value, &version);
        }
    }
    return version == 1 ? 0 : PL_EUNSUPPORTED;
}

int64_t pl_stream_next(const uint8_t *p, size_t n, struct pl_stream_msg *out, char *why,
                       size_t n_why)
{
    struct pl_mp whole = {p, p + n, p}, m = whole;
    struct pl_mp_val head, kind, seq;
    int e = pl_mp_skip(&whole);
    if (e == PL_EAGAIN) {
        return PL_EAGAIN;
    }
    *out = (struct pl_stream_msg){0};
    if (e < 0 || pl_mp_next(&m, &head) < 0 || head.kind != PL_MP_ARRAY || head.u < 2 ||
        pl_mp_next(&m, &kind) < 0 || kind.kind != PL_MP_UINT || kind.u > PL_STREAM_COLUMNS) {
        return bad(why, n_why, "a message is an array [kind, ...] with kind 0 to 3");
    }
    out->kind = (enum pl_stream_kind)kind.u;
    out->n_body = (uint32_t)head.u - 1;
    if (out->kind == PL_STREAM_ROWS || out->kind == PL_STREAM_COLUMNS) {
        if (pl_mp_next(&m, &seq) < 0 || seq.kind != PL_MP_UINT || seq.u == 0) {
            return bad(why, n_why, "a sequence number from 1 on is wanted");
        }
        out->seq = seq.u;
        out->n_body--;
    }
    out->body = pl_str_mem(m.p, (size_t)(whole.p - m.p));
    if (out->kind == PL_STREAM_HELLO) {
        struct pl_doc map = {.kind = PL_DOC_MAP, .raw = out->body};
        struct pl_mp look = m;
        if (pl_mp_next(&look, &head) < 0 || head.kind != PL_MP_MAP || hello(&map, out) < 0) {
            return bad(why, n_why, "hello: a map with version 1 is wanted");
        }
    }
    return (int64_t)(whole.p - p);
}

/* The i-th value of the body. */
static void value_at(const struct pl_stream_msg *m, uint32_t i, struct pl_doc *out)
{
    struct pl_mp mp = pl_mp(m->body);
    for (uint32_t k = 0; k < i; k++) {
        pl_mp_skip(&mp);
    }
    const uint8_t *from = mp.p;
    const char *why;
    size_t at;
    pl_mp_skip(&mp);
    pl_doc_open(pl_str_mem(from, (size_t)(mp.p - from)), false, out, &why, &at);
}

int pl_stream_define(struct pl_ingest *g, const struct pl_stream_msg *m, struct pl_tenant *t,
                     struct pl_session *s, char *why, size_t n_why)
{
    struct pl_batch *b;
    struct pl_ingest_report r = {.unit = "definition"};
    struct pl_push_ctx c;
    struct pl_doc first, pair = {0};
    int e = pl_batch_new(t, &b); /* for its tenant; nothing is written with it */
    if (e < 0) {
        snprintf(why, n_why, "%s", pl_err_text(e));
        return e;
    }
    value_at(m, 0, &first);
    bool one_pair = m->n_body == 2 && first.kind == PL_DOC_NUMBER;
    if (!one_pair && (m->n_body != 1 || (first.kind != PL_DOC_ARRAY && first.kind != PL_DOC_MAP))) {
        pl_batch_free(b);
        snprintf(why, n_why, "[1, handle, {labels}] or [1, [[handle, {labels}], ...]] is wanted");
        return PL_EPARSE;
    }
    pl__push_begin(&c, g, s, b, &r);
    if (one_pair) { /* [1, handle, {labels}]: as a list of one */
        struct pl_buf one = PL_BUF_INIT;
        pl_mp_w_array(&one, 1);
        pl_mp_w_array(&one, 2);
        pl_buf_str(&one, m->body);
        pair = (struct pl_doc){.kind = PL_DOC_ARRAY, .raw = pl_buf_view(&one)};
        e = one.failed ? PL_ENOMEM : pl__push_define(&c, &pair);
        pl_buf_fini(&one);
    } else {
        e = pl__push_define(&c, &first);
    }
    pl__push_end(&c);
    pl_batch_free(b);
    if (e == 0 && r.rejected) {
        snprintf(why, n_why, "definition %llu: %s: %s", (unsigned long long)r.first[0].at,
                 pl_reject_text(r.first[0].why), r.first[0].text);
        return PL_EINVAL;
    }
    return e;
}

int pl_stream_samples(struct pl_ingest *g, const struct pl_stream_msg *m, struct pl_session *s,
                      struct pl_batch *b, struct pl_ingest_report *r)
{
    struct pl_push_ctx c;
    struct pl_doc a, t, v, none;
    struct pl_doc_walk w;
    int e = 0;
    r->unit = "row";
    if (m->n_body != (m->kind == PL_STREAM_ROWS ? 3 : 1)) {
        snprintf(r->error, sizeof(r->error), "%s",
                 m->kind == PL_STREAM_ROWS ? "[2, seq, handles, t, v] is wanted"
                                           : "[3, seq, [[handle, t, v], ...]] is wanted");
        return PL_EPARSE;
    }
    pl__push_begin(&c, g, s, b, r);
    value_at(m, 0, &a);
    if (m->kind == PL_STREAM_ROWS) {
        value_at(m, 1, &t);
        value_at(m, 2, &v);
        e = pl__push_table(&c, &a, &t, &v);
    } else {
        if (a.kind != PL_DOC_ARRAY) {
            pl_report_reject(r, 0, PL_REJECT_SYNTAX, 1, "a list of [handle, t, v] is wanted");
        }
        pl_doc_walk(&w, &a);
        for (; e >= 0 && pl_doc_step(&w, &none, &v); c.at++) {
            e = pl__push_row(&c, &v);
        }
    }
    pl__push_end(&c);
    pl__counted(g, b, r);
    return e < 0 ? e : 0;
}
