/* Prometheus text format 0.0.4 and OpenMetrics 1.0.
 *
 *     # HELP name text        # TYPE name counter        # UNIT name seconds        # EOF
 *     name{label="value",...} value [timestamp] [# exemplar]
 *     {"name.with.dots","label.x"="value"} value
 *
 * A timestamp is in ms; in OpenMetrics, known by its last line `# EOF`, in seconds. Exemplars are
 * passed over. A known series is one hash over the bytes from the name to the closing brace.
 *
 * Source: prometheus.io "Exposition formats"; the OpenMetrics 1.0 specification; Prometheus 3 for
 * quoted names. Thread: the loop that owns the pl_ingest. */
#include "core/codec/codec.h"
#include "core/ingest/scratch.h"

struct text {
    struct pl_ingest *g;
    struct pl_batch *b;
    struct pl_ingest_report *r;
    const struct pl_label *extra;
    size_t n_extra;
    int64_t now_ms;
    uint64_t line;
    bool seconds;            /* OpenMetrics */
    struct pl_metadata meta; /* of the family being described; escapes not undone yet */
};

static const char *spaces(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    return p;
}

static const char *name_end(const char *p, const char *end)
{
    while (p < end && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                       (*p >= '0' && *p <= '9') || *p == '_' || *p == ':')) {
        p++;
    }
    return p;
}

/* Behind the closing quote of the string that opens at p; NULL if it never closes. */
static const char *quoted_end(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '\\') {
            p++;
        } else if (*p == '"') {
            return p + 1;
        }
    }
    return NULL;
}

/* Without the escapes \\, \n and, if quotes, \"; another backslash stands for itself. g->text has
 * room. */
static pl_str unescape(struct pl_ingest *g, pl_str s, bool quotes)
{
    if (!s.n || !memchr(s.p, '\\', s.n)) {
        return s;
    }
    size_t at = g->text.n;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\' && i + 1 < s.n) {
            c = s.p[++i];
            if (c == 'n') {
                c = '\n';
            } else if (c != '\\' && !(quotes && c == '"')) {
                g->text.p[g->text.n++] = '\\';
            }
        }
        g->text.p[g->text.n++] = (uint8_t)c;
    }
    return pl_str_mem(g->text.p + at, g->text.n - at);
}

/* Content of the quoted string [p, end). */
static pl_str unquote(struct pl_ingest *g, const char *p, const char *end)
{
    return unescape(g, pl_str_mem(p + 1, (size_t)(end - p - 2)), true);
}

static void add_label(struct text *x, size_t *n, pl_str name, pl_str value)
{
    for (size_t i = 0; i < x->n_extra; i++) {
        if (pl_str_eq(name, x->extra[i].name)) {
            return;
        }
    }
    if (*n <= PL_LABELS_MAX) {
        x->g->labels[(*n)++] = (struct pl_label){name, value};
    }
}

/* {a="b","c"="d","metric"}; p at the brace. Behind the closing one, or NULL with *why. */
static const char *braces(struct text *x, const char *p, const char *end, size_t *n,
                          const char **why)
{
    for (p = spaces(p + 1, end);; p = spaces(p, end)) {
        if (p < end && *p == '}') {
            return p + 1;
        }
        const char *q = p < end && *p == '"' ? quoted_end(p, end) : name_end(p, end);
        *why = "a label name is wanted";
        if (!q || q == p) {
            return NULL;
        }
        pl_str name = *p == '"' ? unquote(x->g, p, q) : pl_str_mem(p, (size_t)(q - p));
        bool quoted = *p == '"';
        p = spaces(q, end);
        if (p < end && *p == '=') {
            p = spaces(p + 1, end);
            q = p < end && *p == '"' ? quoted_end(p, end) : NULL;
            *why = "a quoted label value is wanted";
            if (!q) {
                return NULL;
            }
            add_label(x, n, name, unquote(x->g, p, q));
            p = spaces(q, end);
        } else if (quoted) {
            add_label(x, n, PL_METRIC_NAME, name);
        } else {
            *why = "`=` is wanted behind a label name";
            return NULL;
        }
        if (p < end && *p == ',') {
            p++;
        } else if (p == end || *p != '}') {
            *why = "`,` or `}` is wanted";
            return NULL;
        }
    }
}

/* Name and labels from p into g->labels. Behind them, or NULL with *why. */
static const char *parse_series(struct text *x, const char *p, const char *end, size_t *n,
                                const char **why)
{
    *n = 0;
    pl_buf_clear(&x->g->text);
    if (!pl_buf_reserve(&x->g->text, (size_t)(end - p) + 1)) {
        *why = "out of memory";
        return NULL;
    }
    const char *q = name_end(p, end);
    if (q > p) {
        add_label(x, n, PL_METRIC_NAME, pl_str_mem(p, (size_t)(q - p)));
    }
    const char *brace = spaces(q, end);
    if (brace < end && *brace == '{') {
        q = braces(x, brace, end, n, why);
    } else if (q == p) {
        *why = "a metric name is wanted";
        return NULL;
    }
    for (size_t i = 0; q && i < x->n_extra && *n <= PL_LABELS_MAX; i++) {
        x->g->labels[(*n)++] = x->extra[i];
    }
    return q;
}

/* Where the series' bytes end, without looking inside: for the alias key. */
static const char *series_end(const char *p, const char *end)
{
    const char *q = name_end(p, end), *brace = spaces(q, end);
    if (brace == end || *brace != '{') {
        return q;
    }
    for (q = brace + 1; q && q < end && *q != '}';) {
        q = *q == '"' ? quoted_end(q, end) : q + 1;
    }
    return q && q < end ? q + 1 : end;
}

/* The id, and *p behind the series. PL_EINVAL: rejected and reported. */
static int series_id(struct text *x, const char **p, const char *end, uint32_t *id)
{
    struct pl_alias *a = &x->g->alias;
    size_t n = pl_alias_guess(a), left = (size_t)(end - *p);
    *id = PL_ALIAS_NONE;
    if (n && n < left && ((*p)[n] == ' ' || (*p)[n] == '\t') && *spaces(*p + n, end - 1) != '{') {
        *id = pl_alias_confirm(a, *p);
    }
    if (*id == PL_ALIAS_NONE) {
        n = (size_t)(series_end(*p, end) - *p);
        *id = pl_alias_find(a, *p, n);
    }
    if (*id != PL_ALIAS_NONE) {
        *p += n;
        return 0;
    }
    size_t n_labels;
    const char *why = NULL, *q = parse_series(x, *p, end, &n_labels, &why);
    if (!q) {
        pl_report_reject(x->r, x->line, PL_REJECT_SYNTAX, 1, "%s", why);
        return PL_EINVAL;
    }
    int e = pl__intern(x->g, x->b, n_labels, id, &why);
    if (e < 0) {
        return pl__rejected(x->r, x->line, e, 1, why) ? PL_EINVAL : e;
    }
    pl_alias_enter(a, *p, (size_t)(q - *p), *id);
    *p = q;
    return 0;
}

static const char *token_end(const char *p, const char *end)
{
    while (p < end && *p != ' ' && *p != '\t' && *p != '\r') {
        p++;
    }
    return p;
}

static bool timestamp(const struct text *x, pl_str s, int64_t *t)
{
    double seconds;
    if (!x->seconds) {
        return pl_str_i64(s, t) == 0;
    }
    if (pl_number_parse(s, &seconds) < 0 || !(seconds > -9e15 && seconds < 9e15)) {
        return false;
    }
    double ms = seconds * 1000;
    *t = (int64_t)(ms < 0 ? ms - 0.5 : ms + 0.5);
    return true;
}

/* ` # {trace_id="a"} 0.5 1700000000.123` behind a sample at t: labels, value, perhaps seconds. What
 * cannot be read is passed over; the sample stands. */
static int exemplar(struct text *x, uint32_t id, const char *p, const char *end, int64_t t)
{
    const char *why;
    size_t n = 0;
    double v, s;
    p = spaces(p + 1, end);
    pl_buf_clear(&x->g->text);
    if (p == end || *p != '{' || !pl_buf_reserve(&x->g->text, (size_t)(end - p) + 1)) {
        return 0;
    }
    p = braces(x, p, end, &n, &why);
    p = p ? spaces(p, end) : end;
    const char *q = token_end(p, end);
    if (pl_number_parse(pl_str_mem(p, (size_t)(q - p)), &v) < 0) {
        return 0;
    }
    p = spaces(q, end);
    q = token_end(p, end);
    if (q > p) {
        if (pl_number_parse(pl_str_mem(p, (size_t)(q - p)), &s) < 0 || !(s > -9e15 && s < 9e15)) {
            return 0;
        }
        double ms = s * 1000;
        t = (int64_t)(ms < 0 ? ms - 0.5 : ms + 0.5);
    }
    return pl__exemplar(x->g, x->b, id, n, t, v);
}

/* Value, timestamp, exemplar. */
static int sample(struct text *x, uint32_t id, const char *p, const char *end)
{
    double v;
    int64_t t = x->now_ms;
    p = spaces(p, end);
    const char *q = token_end(p, end);
    if (pl_number_parse(pl_str_mem(p, (size_t)(q - p)), &v) < 0) {
        pl_report_reject(x->r, x->line, PL_REJECT_VALUE, 1, "\"%.*s\"",
                         q - p < 60 ? (int)(q - p) : 60, p);
        return 0;
    }
    p = spaces(q, end);
    if (p < end && *p != '#' && *p != '\r') {
        q = token_end(p, end);
        if (!timestamp(x, pl_str_mem(p, (size_t)(q - p)), &t)) {
            pl_report_reject(x->r, x->line, PL_REJECT_TIMESTAMP, 1, "\"%.*s\"",
                             q - p < 60 ? (int)(q - p) : 60, p);
            return 0;
        }
        p = spaces(q, end);
        if (p < end && *p != '#' && *p != '\r') {
            pl_report_reject(x->r, x->line, PL_REJECT_SYNTAX, 1, "text behind the timestamp");
            return 0;
        }
    }
    int e = pl_batch_add(x->b, id, t, v);
    if (e < 0) {
        return pl__rejected(x->r, x->line, e, 1, NULL) ? 0 : e;
    }
    return p < end && *p == '#' ? exemplar(x, id, p, end, t) : 0;
}

static int keep_metadata(struct text *x)
{
    struct pl_metadata *m = &x->meta;
    int e = 0;
    if (m->metric.n) {
        pl_buf_clear(&x->g->text);
        if (!pl_buf_reserve(&x->g->text, m->metric.n + m->help.n + 1)) {
            return PL_ENOMEM;
        }
        m->metric = unescape(x->g, m->metric, true);
        m->help = unescape(x->g, m->help, x->seconds); /* 0.0.4 knows no \" in HELP */
        e = pl_batch_metadata(x->b, m);
    }
    *m = (struct pl_metadata){0};
    return e < 0 ? e : 0;
}

/* # HELP name text, # TYPE name type, # UNIT name unit; any other comment is passed over. */
static int comment(struct text *x, const char *p, const char *end)
{
    p = spaces(p + 1, end);
    const char *q = token_end(p, end);
    pl_str word = pl_str_mem(p, (size_t)(q - p));
    bool help = pl_str_eq(word, PL_STR("HELP")), type = pl_str_eq(word, PL_STR("TYPE"));
    if (!help && !type && !pl_str_eq(word, PL_STR("UNIT"))) {
        return 0;
    }
    p = spaces(q, end);
    q = p < end && *p == '"' ? quoted_end(p, end) : token_end(p, end);
    if (!q || q == p) {
        return 0;
    }
    pl_str name =
        *p == '"' ? pl_str_mem(p + 1, (size_t)(q - p - 2)) : pl_str_mem(p, (size_t)(q - p));
    pl_str rest = pl_str_trim(pl_str_mem(q, (size_t)(end - q)));
    int e = pl_str_eq(name, x->meta.metric) ? 0 : keep_metadata(x);
    x->meta.metric = name;
    if (help) {
        x->meta.help = rest;
    } else if (type) {
        x->meta.type = pl_metric_type_parse(rest);
    } else {
        x->meta.unit = rest;
    }
    return e;
}

static int line(struct text *x, const char *p, const char *end)
{
    uint32_t id;
    p = spaces(p, end);
    if (p == end || *p == '\r') {
        return 0;
    }
    if (*p == '#') {
        return comment(x, p, end);
    }
    int e = series_id(x, &p, end, &id);
    return e == PL_EINVAL ? 0 : e < 0 ? e : sample(x, id, p, end);
}

int pl_ingest_prom_text(struct pl_ingest *g, pl_str body, const struct pl_label *extra,
                        size_t n_extra, struct pl_batch *b, struct pl_ingest_report *r)
{
    struct text x = {
        .g = g, .b = b, .r = r, .extra = extra, .n_extra = n_extra, .now_ms = pl_now_ms(g->clock)};
    const char *p = body.p, *end = body.p + body.n;
    int e = 0;
    r->unit = "line";
    x.seconds = pl_str_ends(pl_str_trim(body), PL_STR("# EOF"));
    pl_alias_begin(&g->alias, b->tenant, b->generation, PL_ALIAS_TEXT);
    for (size_t i = 0; i < n_extra; i++) { /* extra labels are part of the identity */
        g->alias.salt = pl_hash64(extra[i].name.p, extra[i].name.n, g->alias.salt);
        g->alias.salt = pl_hash64(extra[i].value.p, extra[i].value.n, g->alias.salt);
    }
    while (e >= 0 && p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        eol = eol ? eol : end;
        x.line++;
        e = line(&x, p, eol);
        p = eol + (eol < end);
    }
    e = e < 0 ? e : keep_metadata(&x);
    pl__counted(g, b, r);
    return e;
}
