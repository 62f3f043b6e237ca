/* See doc.h. pl_doc_open checks the whole body once; walking then only finds boundaries. */
#include "core/ingest/doc.h"
#include "core/model/model.h"

static enum pl_doc_kind json_kind(char c)
{
    switch (c) {
    case '{':
        return PL_DOC_MAP;
    case '[':
        return PL_DOC_ARRAY;
    case '"':
        return PL_DOC_STRING;
    case 't':
    case 'f':
        return PL_DOC_BOOL;
    case 'n':
        return PL_DOC_NULL;
    default:
        return PL_DOC_NUMBER;
    }
}

/* Of msgpack's own ext types there is the timestamp; ext 0 of one byte 0 is how msgpackr writes
 * JavaScript's undefined. */
static enum pl_doc_kind ext_kind(const struct pl_mp_val *v)
{
    if (v->ext == -1 && (v->s.n == 4 || v->s.n == 8 || v->s.n == 12)) {
        return PL_DOC_TIME;
    }
    return v->ext == 0 && v->s.n == 1 && v->s.p[0] == 0 ? PL_DOC_NULL : PL_DOC_PACKED;
}

static enum pl_doc_kind mp_kind(const struct pl_mp_val *v)
{
    switch (v->kind) {
    case PL_MP_NIL:
        return PL_DOC_NULL;
    case PL_MP_BOOL:
        return PL_DOC_BOOL;
    case PL_MP_STR:
    case PL_MP_BIN:
        return PL_DOC_STRING;
    case PL_MP_EXT:
        return ext_kind(v);
    case PL_MP_ARRAY:
        return PL_DOC_ARRAY;
    case PL_MP_MAP:
        return PL_DOC_MAP;
    default:
        return PL_DOC_NUMBER;
    }
}

static const uint8_t *json_blank(const uint8_t *p, const uint8_t *end)
{
    while (p < end &&
           (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r' || *p == ',' || *p == ':')) {
        p++;
    }
    return p;
}

/* Behind the value that begins at p; the JSON is valid. */
static const uint8_t *json_behind(const uint8_t *p, const uint8_t *end)
{
    unsigned depth = 0;
    do {
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++) {
                p += *p == '\\';
            }
            p++;
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            depth--;
            p++;
        } else if (depth) {
            while (p < end && !memchr("\"{}[]", *p, 5)) {
                p++;
            }
        } else {
            while (p < end && !memchr(" \t\r\n,]}:", *p, 8)) {
                p++;
            }
        }
    } while (depth && p < end);
    return p < end ? p : end;
}

static int open_json(pl_str body, struct pl_doc *out, const char **why, size_t *at)
{
    struct pl_json_r r;
    enum pl_json_tok t;
    pl_json_r_init(&r, body);
    while ((t = pl_json_next(&r)) != PL_JSON_END && t != PL_JSON_ERROR) {
    }
    *why = r.why;
    *at = r.at;
    pl_json_r_fini(&r);
    if (t == PL_JSON_ERROR) {
        return PL_EPARSE;
    }
    const uint8_t *p = (const uint8_t *)body.p, *end = p + body.n;
    p = json_blank(p, end);
    *out = (struct pl_doc){true, json_kind((char)*p), pl_str_mem(p, (size_t)(end - p)),
                           (size_t)(p - (const uint8_t *)body.p)};
    return 0;
}

int pl_doc_open(pl_str body, bool json, struct pl_doc *out, const char **why, size_t *at)
{
    if (json) {
        return open_json(body, out, why, at);
    }
    struct pl_mp m = pl_mp(body), head = m;
    struct pl_mp_val v = {0};
    int e = pl_mp_skip(&m);
    *at = (size_t)(m.p - m.begin);
    if (e < 0 || body.n == 0) {
        *why = e == PL_EAGAIN || body.n == 0 ? "msgpack ends early" : "not msgpack";
        return PL_EPARSE;
    }
    if (m.p != m.end) {
        *why = "bytes behind the msgpack value";
        return PL_EPARSE;
    }
    pl_mp_next(&head, &v);
    *out = (struct pl_doc){false, mp_kind(&v), body, 0};
    return 0;
}

void pl_doc_walk(struct pl_doc_walk *w, const struct pl_doc *of)
{
    const uint8_t *p = (const uint8_t *)of->raw.p;
    *w = (struct pl_doc_walk){.json = of->json,
                              .p = p,
                              .begin = p,
                              .end = p + of->raw.n,
                              .at = of->at,
                              .map = of->kind == PL_DOC_MAP};
    if (of->kind != PL_DOC_MAP && of->kind != PL_DOC_ARRAY) {
        w->end = w->p;
        return;
    }
    if (w->json) {
        w->p++;
        return;
    }
    struct pl_mp m = pl_mp(of->raw);
    struct pl_mp_val v = {0};
    pl_mp_next(&m, &v);
    w->left = v.u;
    w->p = m.p;
}

/* The value at w->p. */
static void take(struct pl_doc_walk *w, struct pl_doc *out)
{
    const uint8_t *p = w->p;
    if (w->json) {
        w->p = json_behind(p, w->end);
        out->kind = json_kind((char)*p);
    } else {
        struct pl_mp m = {p, w->end, p}, head = m;
        struct pl_mp_val v = {0};
        pl_mp_next(&head, &v);
        pl_mp_skip(&m);
        w->p = m.p;
        out->kind = mp_kind(&v);
    }
    out->json = w->json;
    out->raw = pl_str_mem(p, (size_t)(w->p - p));
    out->at = w->at + (size_t)(p - w->begin);
}

bool pl_doc_step(struct pl_doc_walk *w, struct pl_doc *key, struct pl_doc *value)
{
    if (w->json) {
        w->p = json_blank(w->p, w->end);
        if (w->p >= w->end || *w->p == ']' || *w->p == '}') {
            return false;
        }
    } else if (w->left == 0 || w->p >= w->end) {
        return false;
    } else {
        w->left--;
    }
    if (w->map) {
        take(w, key);
        w->p = w->json ? json_blank(w->p, w->end) : w->p;
    }
    take(w, value);
    return true;
}

/* Bytes of a string as they stand, JSON escapes included. */
static bool string_bytes(const struct pl_doc *d, pl_str *out)
{
    if (d->kind != PL_DOC_STRING) {
        return false;
    }
    if (d->json) {
        *out = (pl_str){d->raw.p + 1, d->raw.n - 2};
        return true;
    }
    struct pl_mp m = pl_mp(d->raw);
    struct pl_mp_val v = {0};
    pl_mp_next(&m, &v);
    *out = v.s;
    return true;
}

bool pl_doc_is(const struct pl_doc *d, const char *literal)
{
    pl_str s;
    return string_bytes(d, &s) && pl_str_eq(s, pl_str_c(literal));
}

int pl_doc_string(const struct pl_doc *d, struct pl_buf *text, pl_str *out)
{
    pl_str s;
    if (!string_bytes(d, &s)) {
        return PL_EINVAL;
    }
    if (!d->json || !memchr(s.p, '\\', s.n)) {
        *out = s;
        return 0;
    }
    struct pl_json_r r;
    size_t at = text->n;
    pl_json_r_init(&r, d->raw);
    pl_json_next(&r);
    pl_buf_str(text, r.str);
    *out = pl_str_mem(text->p + at, r.str.n);
    pl_json_r_fini(&r);
    return text->failed ? PL_ENOMEM : 0;
}

/* "NaN", "+Inf", "Inf", "-Inf", "stale". */
static int special(pl_str s, double *out)
{
    if (pl_str_eq(s, PL_STR("stale"))) {
        *out = pl_bits_f64(PL_STALE_BITS);
        return 0;
    }
    bool known = pl_str_eq(s, PL_STR("NaN")) || pl_str_eq(s, PL_STR("Inf")) ||
                 pl_str_eq(s, PL_STR("+Inf")) || pl_str_eq(s, PL_STR("-Inf"));
    return known && pl_number_parse(s, out) == 0 ? 0 : PL_EINVAL;
}

int pl_doc_f64(const struct pl_doc *d, double *out)
{
    pl_str s;
    if (string_bytes(d, &s)) {
        return special(s, out);
    }
    if (d->kind != PL_DOC_NUMBER) {
        return PL_EINVAL;
    }
    if (d->json) {
        return pl_number_parse(d->raw, out) == 0 ? 0 : PL_EINVAL;
    }
    struct pl_mp m = pl_mp(d->raw);
    return pl_mp_f64(&m, out) < 0 ? PL_EINVAL : 0;
}

int pl_doc_i64(const struct pl_doc *d, int64_t *out)
{
    double x;
    if (d->kind != PL_DOC_NUMBER) {
        return PL_EINVAL;
    }
    if (!d->json) {
        struct pl_mp m = pl_mp(d->raw);
        return pl_mp_i64(&m, out) < 0 ? PL_EINVAL : 0;
    }
    if (pl_str_i64(d->raw, out) == 0) {
        return 0;
    }
    if (pl_number_parse(d->raw, &x) < 0 || !(x > -9.2e18 && x < 9.2e18) ||
        x != (double)(int64_t)x) {
        return PL_EINVAL;
    }
    *out = (int64_t)x;
    return 0;
}

/* Payload of a packed column and its ext type. */
static pl_str packed(const struct pl_doc *d, int *ext)
{
    struct pl_mp m = pl_mp(d->raw);
    struct pl_mp_val v = {0};
    pl_mp_next(&m, &v);
    *ext = v.ext;
    return v.s;
}

static uint64_t big_endian(const char *p, size_t n)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++) {
        x = x << 8 | (uint8_t)p[i];
    }
    return x;
}

/* Source: msgpack's spec.md, "Timestamp extension type". */
int pl_doc_time(const struct pl_doc *d, int64_t *out_ms)
{
    int ext;
    int64_t s, ns = 0;
    if (d->kind != PL_DOC_TIME) {
        return pl_doc_i64(d, out_ms);
    }
    pl_str bytes = packed(d, &ext);
    if (bytes.n == 4) {
        s = (int64_t)big_endian(bytes.p, 4);
    } else if (bytes.n == 8) {
        uint64_t x = big_endian(bytes.p, 8);
        s = (int64_t)(x & ((1ull << 34) - 1));
        ns = (int64_t)(x >> 34);
    } else {
        ns = (int64_t)big_endian(bytes.p, 4);
        s = (int64_t)big_endian(bytes.p + 4, 8);
    }
    if (ns > 999999999 || s < INT64_MIN / 1000 || s >= INT64_MAX / 1000) {
        return PL_EINVAL;
    }
    *out_ms = s * 1000 + ns / 1000000;
    return 0;
}

static size_t width_of(int ext)
{
    return ext == PL_EXT_U32 ? 4 : ext == PL_EXT_I64 || ext == PL_EXT_F64 ? 8 : 0;
}

int pl_doc_count(const struct pl_doc *d, size_t *n)
{
    struct pl_doc_walk w;
    struct pl_doc v = {0};
    int ext;
    switch (d->kind) {
    case PL_DOC_PACKED: {
        pl_str bytes = packed(d, &ext);
        size_t width = width_of(ext);
        if (!width || bytes.n % width) {
            return PL_EINVAL;
        }
        *n = bytes.n / width;
        return 0;
    }
    case PL_DOC_ARRAY:
        pl_doc_walk(&w, d);
        *n = (size_t)w.left;
        for (; d->json && pl_doc_step(&w, &v, &v); (*n)++) {
        }
        return 0;
    case PL_DOC_NUMBER:
    case PL_DOC_STRING:
    case PL_DOC_TIME:
        *n = 1;
        return 0;
    default:
        return PL_EINVAL;
    }
}

/* Copy a packed column of this ext type; PL_EINVAL for another. */
static int unpack(const struct pl_doc *d, int ext, void *out, size_t n)
{
    int is;
    pl_str bytes = packed(d, &is);
    if (is != ext) {
        return PL_EINVAL;
    }
    memcpy(out, bytes.p, n * width_of(ext));
    return 0;
}

int pl_doc_column_f64(const struct pl_doc *d, double *out, size_t n, uint32_t *mark, uint32_t bad)
{
    struct pl_doc_walk w;
    struct pl_doc none = {0}, v = {0};
    if (d->kind == PL_DOC_PACKED) {
        return unpack(d, PL_EXT_F64, out, n);
    }
    if (d->kind != PL_DOC_ARRAY) {
        return pl_doc_f64(d, out);
    }
    pl_doc_walk(&w, d);
    size_t i = 0;
    if (!d->json) { /* the usual elements: numbers in place */
        struct pl_mp m = {w.p, w.end, w.p};
        while (i < n && pl_mp_f64(&m, &out[i]) > 0) {
            i++;
        }
        w.p = m.p;
        w.left -= i;
    }
    for (; i < n && pl_doc_step(&w, &none, &v); i++) {
        if (pl_doc_f64(&v, &out[i]) < 0) {
            mark[i] = bad;
        }
    }
    return 0;
}

int pl_doc_column_time(const struct pl_doc *d, int64_t *out, size_t n, uint32_t *mark, uint32_t bad)
{
    struct pl_doc_walk w;
    struct pl_doc none = {0}, v = {0};
    if (d->kind == PL_DOC_PACKED) {
        return unpack(d, PL_EXT_I64, out, n);
    }
    if (d->kind != PL_DOC_ARRAY) {
        return pl_doc_time(d, out);
    }
    pl_doc_walk(&w, d);
    for (size_t i = 0; i < n && pl_doc_step(&w, &none, &v); i++) {
        if (pl_doc_time(&v, &out[i]) < 0) {
            mark[i] = bad;
        }
    }
    return 0;
}

int pl_doc_column_u32(const struct pl_doc *d, uint32_t *out, size_t n, uint32_t bad)
{
    struct pl_doc_walk w;
    struct pl_doc none = {0}, v = {0};
    int64_t x;
    if (d->kind == PL_DOC_PACKED) {
        return unpack(d, PL_EXT_U32, out, n);
    }
    if (d->kind != PL_DOC_ARRAY) {
        return PL_EINVAL;
    }
    pl_doc_walk(&w, d);
    for (size_t i = 0; i < n && pl_doc_step(&w, &none, &v); i++) {
        bool ok = pl_doc_i64(&v, &x) == 0 && x >= 0 && x < bad;
        out[i] = ok ? (uint32_t)x : bad;
    }
    return 0;
}
