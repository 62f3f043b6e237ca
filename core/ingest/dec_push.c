/* The body of POST /api/v1/push: docs/push.md. A map, a list of entries, or JSON lines:
 *
 *     {"producer":"p","key":"k","session":"token",
 *      "define":{"1":{"__name__":"up"}}, "metadata":[{"metric":..,"type":..}],
 *      "series":[{"labels":{..},"t":[..],"v":[..]}], "rows":[[{..},t,v]],
 *      "table":{"handles":..,"t":..,"v":..}}
 *
 * Definitions are read first, wherever they stand; a key whose value is null is as if absent.
 * Thread: the loop that owns the pl_ingest. */
#include "core/ingest/push.h"

static int cannot_read(struct pl_ingest_report *r, const char *what, const char *why, size_t at)
{
    snprintf(r->error, sizeof(r->error), "%s: %s at byte %zu", what, why, at);
    return PL_EPARSE;
}

/* msgpackr's default writes objects as "records": a definition in ext type 'r', then values behind
 * it that no other reader takes for one value. */
static bool has_records(pl_str body) { return memmem(body.p, body.n, "\xd4r", 2) != NULL; }

static int open_body(pl_str body, enum pl_push_format f, struct pl_doc *doc,
                     struct pl_ingest_report *r)
{
    const char *why = "";
    size_t at = 0;
    bool json = f == PL_PUSH_JSON;
    if (pl_doc_open(body, json, doc, &why, &at) < 0) {
        if (!json && has_records(body)) {
            why = "msgpackr's records are an extension: send with new Packr({useRecords: false})";
        }
        return cannot_read(r, json ? "JSON" : "msgpack", why, at);
    }
    if (doc->kind != PL_DOC_MAP && doc->kind != PL_DOC_ARRAY) {
        return cannot_read(r, json ? "JSON" : "msgpack", "a map or a list of entries is wanted", 0);
    }
    return 0;
}

int pl_ingest_push_envelope(pl_str body, enum pl_push_format f, struct pl_arena *a,
                            struct pl_push *out, struct pl_ingest_report *r)
{
    struct pl_doc_walk w;
    struct pl_doc doc, key, value;
    struct pl_buf text = PL_BUF_INIT;
    *out = (struct pl_push){0};
    r->unit = f == PL_PUSH_JSONL ? "line" : "row";
    if (f == PL_PUSH_JSONL) {
        return 0;
    }
    int e = open_body(body, f, &doc, r);
    if (e < 0 || doc.kind != PL_DOC_MAP) {
        return e;
    }
    pl_doc_walk(&w, &doc);
    while (e == 0 && pl_doc_step(&w, &key, &value)) {
        pl_str *to = pl_doc_is(&key, "producer")  ? &out->producer
                     : pl_doc_is(&key, "key")     ? &out->key
                     : pl_doc_is(&key, "session") ? &out->session
                                                  : NULL;
        if (!to || value.kind == PL_DOC_NULL) {
            continue;
        }
        pl_buf_clear(&text);
        if (pl_doc_string(&value, &text, to) < 0) {
            e = cannot_read(r, "producer, key, session", "a string is wanted", value.at);
        } else {
            *to = pl_arena_dup(a, *to);
            e = to->p ? 0 : PL_ENOMEM;
        }
    }
    pl_buf_fini(&text);
    return e;
}

static int entries(struct pl_push_ctx *c, const struct pl_doc *list)
{
    struct pl_doc_walk w;
    struct pl_doc none, entry;
    int e = 0;
    pl_doc_walk(&w, list);
    for (; e >= 0 && pl_doc_step(&w, &none, &entry); c->at++) {
        if (entry.kind == PL_DOC_MAP) {
            e = pl__push_series(c, &entry);
        } else if (entry.kind == PL_DOC_ARRAY) {
            e = pl__push_row(c, &entry);
        } else {
            pl_report_reject(c->r, c->at, PL_REJECT_SYNTAX, 1, "a series or a row is wanted");
        }
    }
    return e;
}

static int table(struct pl_push_ctx *c, const struct pl_doc *d)
{
    struct pl_doc_walk w;
    struct pl_doc key, value, handles = {0}, t = {0}, v = {0};
    pl_doc_walk(&w, d);
    while (pl_doc_step(&w, &key, &value)) {
        if (pl_doc_is(&key, "handles")) {
            handles = value;
        } else if (pl_doc_is(&key, "t")) {
            t = value;
        } else if (pl_doc_is(&key, "v")) {
            v = value;
        }
    }
    return pl__push_table(c, &handles, &t, &v);
}

/* Is this map one series itself, without an envelope? */
static bool is_series(const struct pl_doc *doc)
{
    struct pl_doc_walk w;
    struct pl_doc key, value;
    pl_doc_walk(&w, doc);
    while (pl_doc_step(&w, &key, &value)) {
        if (pl_doc_is(&key, "v")) {
            return true;
        }
    }
    return false;
}

/* Every key must be known and of its kind, so that a slip of the pen is not taken for no samples.
 */
static int check_envelope(struct pl_push_ctx *c, const struct pl_doc *doc)
{
    struct pl_doc_walk w;
    struct pl_doc key, value;
    pl_doc_walk(&w, doc);
    while (pl_doc_step(&w, &key, &value)) {
        bool list = value.kind == PL_DOC_ARRAY, map = value.kind == PL_DOC_MAP;
        bool fine = value.kind == PL_DOC_NULL;
        if (pl_doc_is(&key, "series") || pl_doc_is(&key, "rows") || pl_doc_is(&key, "metadata")) {
            fine = fine || list;
        } else if (pl_doc_is(&key, "define")) {
            fine = fine || list || map;
        } else if (pl_doc_is(&key, "table")) {
            fine = fine || map;
        } else if (pl_doc_is(&key, "producer") || pl_doc_is(&key, "key") ||
                   pl_doc_is(&key, "session")) {
            fine = fine || value.kind == PL_DOC_STRING;
        } else {
            return cannot_read(c->r, "unknown key",
                               "producer, key, session, define, metadata, series, rows, table are "
                               "known; it stands",
                               key.at);
        }
        if (!fine) {
            return cannot_read(c->r, "series, rows, metadata, define, table",
                               "lists are wanted, for table a map, for define either, but not",
                               value.at);
        }
    }
    return 0;
}

static int envelope(struct pl_push_ctx *c, const struct pl_doc *doc)
{
    struct pl_doc_walk w;
    struct pl_doc key, value;
    int e = check_envelope(c, doc);
    pl_doc_walk(&w, doc);
    while (e >= 0 && pl_doc_step(&w, &key, &value)) {
        if (pl_doc_is(&key, "define")) {
            e = pl__push_define(c, &value);
        }
    }
    pl_doc_walk(&w, doc);
    while (e >= 0 && pl_doc_step(&w, &key, &value)) {
        if (value.kind == PL_DOC_NULL) {
            continue;
        }
        if (pl_doc_is(&key, "series") || pl_doc_is(&key, "rows")) {
            e = entries(c, &value);
        } else if (pl_doc_is(&key, "table")) {
            e = table(c, &value);
        } else if (pl_doc_is(&key, "metadata")) {
            e = pl__push_metadata(c, &value);
        }
    }
    return e;
}

static int document(struct pl_push_ctx *c, const struct pl_doc *doc)
{
    if (doc->kind == PL_DOC_ARRAY) {
        return entries(c, doc);
    }
    return is_series(doc) ? pl__push_series(c, doc) : envelope(c, doc);
}

/* Each line is a series or a row; a bad line is rejected alone. */
static int json_lines(struct pl_push_ctx *c, pl_str body)
{
    pl_str rest = body;
    uint64_t line = 0;
    int e = 0;
    while (e >= 0 && rest.p) {
        struct pl_doc doc;
        const char *why;
        size_t at;
        pl_str text = pl_str_trim(pl_str_cut(&rest, '\n'));
        c->at = ++line;
        if (!text.n) {
            continue;
        }
        if (pl_doc_open(text, true, &doc, &why, &at) < 0) {
            pl_report_reject(c->r, line, PL_REJECT_SYNTAX, 1, "%s at byte %zu", why, at);
        } else if (doc.kind == PL_DOC_ARRAY) {
            e = pl__push_row(c, &doc);
        } else if (doc.kind == PL_DOC_MAP) {
            e = pl__push_series(c, &doc);
        } else {
            pl_report_reject(c->r, line, PL_REJECT_SYNTAX, 1, "a series or a row is wanted");
        }
    }
    return e;
}

int pl_ingest_push(struct pl_ingest *g, pl_str body, enum pl_push_format f, struct pl_session *s,
                   struct pl_batch *b, struct pl_ingest_report *r)
{
    struct pl_push_ctx c;
    struct pl_doc doc;
    int e;
    pl__push_begin(&c, g, s, b, r);
    if (f == PL_PUSH_JSONL) {
        r->unit = "line";
        e = json_lines(&c, body);
    } else {
        r->unit = "row";
        e = open_body(body, f, &doc, r);
        e = e < 0 ? e : document(&c, &doc);
    }
    pl__push_end(&c);
    pl__counted(g, b, r);
    return e < 0 ? e : 0;
}
