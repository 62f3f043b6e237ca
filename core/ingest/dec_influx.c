/* InfluxDB line protocol.
 *
 *     measurement[,tag=value...] field=value[,field=value...] [timestamp]\n
 *
 * Escapes with a backslash: comma and space in measurements; comma, equals sign and space in tags
 * and field keys; quote and backslash in string values, which may hold newlines. `#` begins a
 * comment.
 *
 * The alias key of a field is the 128-bit hash of everything in front of the fields, and the
 * field's key as sent: so the long part is hashed once a line, and each known field costs one small
 * hash.
 *
 * Source: InfluxDB 1.8 and 2.7, "Line protocol reference". Thread: the loop that owns the
 * pl_ingest. */
#include "core/codec/codec.h"
#include "core/ingest/scratch.h"

struct lines {
    struct pl_ingest *g;
    struct pl_batch *b;
    struct pl_ingest_report *r;
    pl_str db;
    int64_t unit_ns, now_ms;
    uint64_t line;
    /* of the line at hand */
    pl_str series; /* measurement and tags, as sent */
    struct pl_hash128 series_hash;
    size_t first_row; /* in the batch: rows of this line get its timestamp at its end */
};

/* First unescaped c in [p, end), or end. */
static const char *find(const char *p, const char *end, char c)
{
    const char *q = p;
    while (q < end) {
        q = memchr(q, c, (size_t)(end - q));
        if (!q) {
            return end;
        }
        const char *b = q;
        while (b > p && b[-1] == '\\') {
            b--;
        }
        if (((q - b) & 1) == 0) {
            return q;
        }
        q++;
    }
    return end;
}

/* Without its escapes: borrowed from the input where there are none, else appended to g->text,
 * whose room was reserved for the whole line. */
static pl_str unescape(struct pl_ingest *g, pl_str s)
{
    if (!memchr(s.p, '\\', s.n)) {
        return s;
    }
    size_t at = g->text.n;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n && memchr(", =\"\\", s.p[i + 1], 5)) {
            i++;
        }
        g->text.p[g->text.n++] = (uint8_t)s.p[i];
    }
    return pl_str_mem(g->text.p + at, g->text.n - at);
}

static bool set_label(struct lines *l, size_t *n, pl_str name, pl_str value)
{
    if (*n > PL_LABELS_MAX) {
        return false;
    }
    l->g->labels[(*n)++] = (struct pl_label){name, value};
    return true;
}

/* Labels of a field of the line's series; the number of them, or 0 when a tag is not name=value. */
static size_t labels_of(struct lines *l, pl_str field)
{
    struct pl_ingest *g = l->g;
    const char *p = l->series.p, *end = p + l->series.n;
    size_t n = 0;
    pl_buf_clear(&g->text);
    if (!pl_buf_reserve(&g->text, 2 * (l->series.n + field.n) + 2)) {
        return 0;
    }
    const char *q = find(p, end, ',');
    pl_str measurement = unescape(g, pl_str_mem(p, (size_t)(q - p)));
    field = unescape(g, field);
    size_t at = g->text.n;
    memcpy(g->text.p + at, measurement.p, measurement.n);
    size_t n_name = measurement.n;
    if (n_name) {
        g->text.p[at + n_name++] = '_';
    }
    memcpy(g->text.p + at + n_name, field.p, field.n);
    n_name += field.n;
    g->text.n += n_name;
    set_label(l, &n, PL_METRIC_NAME, pl_str_mem(g->text.p + at, n_name));
    bool has_db = false;
    while (q < end) {
        p = q + 1;
        q = find(p, end, ',');
        const char *eq = find(p, q, '=');
        if (eq == p || eq == q) {
            return 0;
        }
        pl_str name = unescape(g, pl_str_mem(p, (size_t)(eq - p)));
        pl_str value = unescape(g, pl_str_mem(eq + 1, (size_t)(q - eq - 1)));
        has_db = has_db || pl_str_eq(name, PL_STR("db"));
        if (!set_label(l, &n, name, value)) {
            return n;
        }
    }
    if (l->db.n && !has_db) {
        set_label(l, &n, PL_STR("db"), l->db);
    }
    return n;
}

/* PL_EINVAL: rejected and reported. */
static int intern(struct lines *l, pl_str field, uint32_t *id)
{
    const char *why = NULL;
    size_t n = labels_of(l, field);
    if (n == 0) {
        pl_report_reject(l->r, l->line, PL_REJECT_SYNTAX, 1, "a tag is not name=value");
        return PL_EINVAL;
    }
    int e = pl__intern(l->g, l->b, n, id, &why);
    if (e < 0 && pl__rejected(l->r, l->line, e, 1, why)) {
        return PL_EINVAL;
    }
    return e;
}

static int series_id(struct lines *l, pl_str field, uint32_t *id)
{
    struct pl_alias *a = &l->g->alias;
    uint8_t key[16 + 240];
    if (field.n > 240) {
        return intern(l, field, id);
    }
    memcpy(key, &l->series_hash, 16);
    memcpy(key + 16, field.p, field.n);
    size_t n = 16 + field.n;
    *id = pl_alias_guess(a) == n ? pl_alias_confirm(a, key) : PL_ALIAS_NONE;
    if (*id == PL_ALIAS_NONE) {
        *id = pl_alias_find(a, key, n);
    }
    if (*id != PL_ALIAS_NONE) {
        return 0;
    }
    int e = intern(l, field, id);
    if (e >= 0) {
        pl_alias_enter(a, key, n, *id);
    }
    return e;
}

static bool word(pl_str s, const char *lower, const char *title, const char *upper)
{
    return pl_str_eq(s, pl_str_c(lower)) || pl_str_eq(s, pl_str_c(title)) ||
           pl_str_eq(s, pl_str_c(upper)) ||
           (s.n == 1 && (s.p[0] == lower[0] || s.p[0] == upper[0]));
}

/* 3i, 3u: false when the digits in front are none. */
static bool integer(pl_str s, double *v)
{
    int64_t i;
    uint64_t u;
    bool is_signed = s.p[--s.n] == 'i';
    if (is_signed ? pl_str_i64(s, &i) < 0 : pl_str_u64(s, &u) < 0) {
        return false;
    }
    *v = is_signed ? (double)i : (double)u;
    return true;
}

/* A value that is not a string: float, 3i, 3u, booleans. */
static bool number(pl_str s, double *v)
{
    if (!s.n) {
        return false;
    }
    if (s.p[0] <= '9') { /* a digit, a sign or a point: nearly always */
        char last = s.p[s.n - 1];
        return last == 'i' || last == 'u' ? integer(s, v) : pl_number_parse(s, v) == 0;
    }
    if (word(s, "true", "True", "TRUE") || word(s, "false", "False", "FALSE")) {
        *v = s.p[0] == 't' || s.p[0] == 'T';
        return true;
    }
    return pl_number_parse(s, v) == 0;
}

/* Behind the closing quote, or NULL when there is none. */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '\\' && p + 1 < end) {
            p++;
        } else if (*p == '"') {
            return p + 1;
        }
    }
    return NULL;
}

/* One field; *p stands at its key and moves behind its value. PL_EPARSE: the line cannot be read
 * on. */
static int field(struct lines *l, const char **p, const char *end)
{
    const char *key = *p, *eq = key;
    while (eq < end && *eq != '=' && *eq != '\n' && *eq != ' ' && *eq != ',') {
        eq += *eq == '\\' && eq + 1 < end && eq[1] != '\n' ? 2 : 1;
    }
    if (eq >= end || *eq != '=' || eq == key) {
        return PL_EPARSE;
    }
    const char *value = eq + 1, *stop = value;
    pl_str name = pl_str_mem(key, (size_t)(eq - key));
    if (value < end && *value == '"') {
        stop = string_end(value, end);
        if (!stop) {
            return PL_EPARSE;
        }
        *p = stop;
        pl_report_reject(l->r, l->line, PL_REJECT_FIELD, 1, "field \"%.*s\" is a string",
                         name.n < 60 ? (int)name.n : 60, name.p);
        return 0;
    }
    while (stop < end && *stop != ',' && *stop != ' ' && *stop != '\n' && *stop != '\r') {
        stop++;
    }
    *p = stop;
    double v;
    if (!number(pl_str_mem(value, (size_t)(stop - value)), &v)) {
        pl_report_reject(l->r, l->line, PL_REJECT_VALUE, 1, "field \"%.*s\"",
                         name.n < 60 ? (int)name.n : 60, name.p);
        return 0;
    }
    uint32_t id;
    int e = series_id(l, name, &id);
    if (e >= 0) {
        e = pl_batch_add(l->b, id, l->b->t_max, v); /* its time comes at the end of the line */
    }
    return e == PL_EINVAL ? 0 : e;
}

/* The rows of this line get its time, or go when the time is not taken. */
static void stamp(struct lines *l, int64_t t)
{
    struct pl_batch *b = l->b;
    size_t n = b->n - l->first_row;
    if (t < b->t_min || t > b->t_max) {
        pl_report_reject(l->r, l->line, t < b->t_min ? PL_REJECT_TOO_OLD : PL_REJECT_FUTURE, n,
                         NULL);
        b->n = l->first_row;
        return;
    }
    for (size_t i = l->first_row; i < b->n; i++) {
        b->t[i] = t;
    }
}

/* Floor of x units in ms; false when it is out of range. */
static bool to_ms(int64_t x, int64_t unit_ns, int64_t *ms)
{
    if (unit_ns >= 1000000) {
        return !__builtin_mul_overflow(x, unit_ns / 1000000, ms);
    }
    int64_t per_ms = 1000000 / unit_ns;
    *ms = x / per_ms - (x % per_ms < 0);
    return true;
}

static bool timestamp(struct lines *l, pl_str s, int64_t *t)
{
    int64_t x;
    s = pl_str_trim(s);
    if (!s.n) {
        *t = l->now_ms;
        return true;
    }
    return pl_str_i64(s, &x) == 0 && to_ms(x, l->unit_ns, t);
}

/* Fields and timestamp; *p moves to the end of the line. 0, PL_EPARSE (line rejected), or an error
 * of the request. */
static int fields(struct lines *l, const char **p, const char *end)
{
    for (;;) {
        int e = field(l, p, end);
        if (e < 0) {
            return e;
        }
        if (*p == end || **p != ',') {
            break;
        }
        (*p)++;
    }
    const char *eol = memchr(*p, '\n', (size_t)(end - *p));
    eol = eol ? eol : end;
    int64_t t;
    if (!timestamp(l, pl_str_mem(*p, (size_t)(eol - *p)), &t)) {
        pl_report_reject(l->r, l->line, PL_REJECT_TIMESTAMP, l->b->n - l->first_row, NULL);
        l->b->n = l->first_row;
    } else {
        stamp(l, t);
    }
    *p = eol;
    return 0;
}

static uint64_t newlines(const char *p, const char *end)
{
    uint64_t n = 0;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        n++;
        p++;
    }
    return n;
}

/* One line from *p; *p moves behind it. */
static int line(struct lines *l, const char **p, const char *end)
{
    const char *begin = *p;
    while (begin < end && (*begin == ' ' || *begin == '\t' || *begin == '\r')) {
        begin++;
    }
    const char *eol = memchr(begin, '\n', (size_t)(end - begin));
    eol = eol ? eol : end;
    *p = eol;
    if (begin == eol || *begin == '#') {
        return 0;
    }
    const char *space = find(begin, eol, ' ');
    l->series = pl_str_mem(begin, (size_t)(space - begin));
    l->first_row = l->b->n;
    const char *q = space;
    while (q < eol && *q == ' ') {
        q++;
    }
    if (q == eol || *begin == ',') {
        pl_report_reject(l->r, l->line, PL_REJECT_SYNTAX, 1, "%s",
                         *begin == ',' ? "measurement is missing" : "fields are missing");
        return 0;
    }
    l->series_hash = pl_hash128(l->series.p, l->series.n, 0);
    int e = fields(l, &q, end);
    if (e == PL_EPARSE) {
        l->b->n = l->first_row;
        pl_report_reject(l->r, l->line, PL_REJECT_SYNTAX, 1, "at byte %zu: field=value is wanted",
                         (size_t)(q - begin));
        return 0;
    }
    l->line += newlines(begin, q); /* in string values */
    *p = q;
    return e;
}

int pl_ingest_influx(struct pl_ingest *g, pl_str body, pl_str db, int64_t unit_ns,
                     struct pl_batch *b, struct pl_ingest_report *r)
{
    struct lines l = {.g = g,
                      .b = b,
                      .r = r,
                      .db = db,
                      .unit_ns = unit_ns,
                      .now_ms = pl_now_ms(g->clock),
                      .line = 1};
    const char *p = body.p, *end = body.p + body.n;
    int e = 0;
    r->unit = "line";
    pl_alias_begin(&g->alias, b->tenant, b->generation, PL_ALIAS_INFLUX);
    /* The database is part of the identity: it goes into the salt. */
    g->alias.salt ^= pl_hash64(db.p, db.n, 1);
    for (; e >= 0 && p < end; l.line++) {
        e = line(&l, &p, end);
        p += p < end;
    }
    pl__counted(g, b, r);
    return e < 0 ? e : 0;
}
