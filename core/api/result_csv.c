/* Results as CSV (RFC 4180, lines end with \n): a row a sample. A column for each label that any
 * series has, by name, empty where a series lacks it; then `timestamp` in seconds, then `value`.
 * Any thread. */
#include "core/api/internal.h"
#include <stdlib.h>

/* A cell, quoted where it has to be. */
static void cell(struct pl_buf *out, pl_str s)
{
    bool plain = true;
    for (size_t i = 0; i < s.n && plain; i++) {
        plain = s.p[i] != ',' && s.p[i] != '"' && s.p[i] != '\n' && s.p[i] != '\r';
    }
    if (plain) {
        pl_buf_str(out, s);
        return;
    }
    pl_buf_u8(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') {
            pl_buf_u8(out, '"');
        }
        pl_buf_u8(out, (uint8_t)s.p[i]);
    }
    pl_buf_u8(out, '"');
}

/* Names of labels, sorted; borrowed. */
struct columns {
    pl_str *name;
    size_t n, cap;
    bool failed;
};

static size_t place_of(const struct columns *c, pl_str name, bool *there)
{
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int cmp = pl_str_cmp(c->name[mid], name);
        if (cmp == 0) {
            *there = true;
            return mid;
        }
        *(cmp < 0 ? &lo : &hi) = cmp < 0 ? mid + 1 : mid;
    }
    *there = false;
    return lo;
}

static void add_columns(struct columns *c, pl_str canon)
{
    struct pl_label l;
    bool there;
    while (!c->failed && pl_labels_next(&canon, &l)) {
        size_t at = place_of(c, l.name, &there);
        if (there) {
            continue;
        }
        if (c->n == c->cap) {
            size_t cap = c->cap ? 2 * c->cap : 32;
            pl_str *p = realloc(c->name, cap * sizeof(*p));
            if (!p) {
                c->failed = true;
                return;
            }
            c->name = p;
            c->cap = cap;
        }
        memmove(&c->name[at + 1], &c->name[at], (c->n - at) * sizeof(*c->name));
        c->name[at] = l.name;
        c->n++;
    }
}

/* The cells of a series, a comma between them: both lists are sorted. */
static void label_cells(struct pl_buf *out, const struct columns *c, pl_str canon)
{
    struct pl_label l;
    bool more = pl_labels_next(&canon, &l);
    for (size_t i = 0; i < c->n; i++) {
        if (i) {
            pl_buf_u8(out, ',');
        }
        if (more && pl_str_eq(l.name, c->name[i])) {
            cell(out, l.value);
            more = pl_labels_next(&canon, &l);
        }
    }
}

static void time_cell(struct pl_buf *out, int64_t t)
{
    char text[PL_NUMBER_MAX];
    pl_buf_add(out, text, pl_number_time_ms(t, text));
}

static void number(struct pl_buf *out, double v)
{
    char text[2 * PL_NUMBER_MAX];
    pl_buf_add(out, text, pl__number_g(v, text));
}

/* As Prometheus prints one: "{count:3, sum:4.5, (1,2]:3}". */
static void histogram_cell(struct pl_buf *out, const struct pl_histogram *h)
{
    struct pl_hiter it = pl_hiter(h, false);
    struct pl_hbucket b;
    pl_buf_z(out, "\"{count:");
    number(out, h->count);
    pl_buf_z(out, ", sum:");
    number(out, h->sum);
    while (pl_hiter_next(&it, &b)) {
        if (b.count != 0) {
            pl_buf_z(out, b.lower_in ? ", [" : ", (");
            number(out, b.lower);
            pl_buf_u8(out, ',');
            number(out, b.upper);
            pl_buf_z(out, b.upper_in ? "]:" : "):");
            number(out, b.count);
        }
    }
    pl_buf_z(out, "}\"");
}

static void value_cell(struct pl_buf *out, double v)
{
    char text[PL_NUMBER_MAX];
    if (pl_is_histogram(v)) {
        histogram_cell(out, pl_result_histogram(v));
    } else {
        pl_buf_add(out, text, pl_number_text(v, text));
    }
}

/* The line of names; they are kept in the cursor. */
static void heading(struct pl_buf *out, const struct pl_result *r, size_t n, struct pl__cursor *at)
{
    struct columns c = {0};
    for (size_t i = 0; i < n; i++) {
        add_columns(&c, r->series[i].labels);
    }
    for (size_t i = 0; i < c.n; i++) {
        cell(out, c.name[i]);
        pl_buf_u8(out, ',');
    }
    pl_buf_z(out, "timestamp,value\n");
    out->failed |= c.failed;
    at->column = c.name;
    at->n_columns = c.n;
}

static bool series(struct pl_buf *out, const struct pl_result *r, size_t n, struct pl__cursor *at,
                   size_t full)
{
    if (!at->begun) {
        heading(out, r, n, at);
        at->begun = true;
    }
    struct columns c = {.name = at->column, .n = at->n_columns};
    struct pl_buf cells = PL_BUF_INIT;
    for (; at->series < n && out->n < full; at->series += out->n < full) {
        const struct pl_result_series *s = &r->series[at->series];
        pl_buf_clear(&cells);
        label_cells(&cells, &c, s->labels);
        if (c.n) {
            pl_buf_u8(&cells, ',');
        }
        for (; at->point < s->n && out->n < full; at->point++) {
            pl_buf_str(out, pl_buf_view(&cells));
            time_cell(out, s->t[at->point]);
            pl_buf_u8(out, ',');
            value_cell(out, s->v[at->point]);
            pl_buf_u8(out, '\n');
        }
        if (out->n < full) {
            at->point = 0;
        }
    }
    out->failed |= cells.failed;
    pl_buf_fini(&cells);
    return at->series >= n;
}

void pl__cursor_fini(struct pl__cursor *at)
{
    free(at->column);
    *at = (struct pl__cursor){0};
}

void pl__result_csv(struct pl_buf *out, const struct pl_result *r, const struct pl__shape *shape)
{
    struct pl__cursor at = {0};
    pl__result_csv_piece(out, r, shape, &at, SIZE_MAX);
    pl__cursor_fini(&at);
}

bool pl__result_csv_piece(struct pl_buf *out, const struct pl_result *r,
                          const struct pl__shape *shape, struct pl__cursor *at, size_t full)
{
    size_t n = shape->limit && shape->limit < r->n ? (size_t)shape->limit : r->n;
    if (r->type == PL_VALUE_VECTOR || r->type == PL_VALUE_MATRIX) {
        return series(out, r, n, at, full);
    }
    pl_buf_z(out, "timestamp,value\n");
    time_cell(out, r->t);
    pl_buf_u8(out, ',');
    if (r->type == PL_VALUE_STRING) {
        cell(out, r->string);
    } else {
        value_cell(out, r->series[0].v[0]);
    }
    pl_buf_u8(out, '\n');
    return true;
}

void pl__texts_csv(struct pl_buf *out, const char *heading, const pl_str *text, size_t n)
{
    pl_buf_z(out, heading);
    pl_buf_u8(out, '\n');
    for (size_t i = 0; i < n; i++) {
        cell(out, text[i]);
        pl_buf_u8(out, '\n');
    }
}

void pl__labels_csv(struct pl_buf *out, const pl_str *canon, size_t n)
{
    struct columns c = {0};
    for (size_t i = 0; i < n; i++) {
        add_columns(&c, canon[i]);
    }
    for (size_t i = 0; i < c.n; i++) {
        pl_buf_z(out, i ? "," : "");
        cell(out, c.name[i]);
    }
    pl_buf_u8(out, '\n');
    for (size_t i = 0; i < n; i++) {
        label_cells(out, &c, canon[i]);
        pl_buf_u8(out, '\n');
    }
    out->failed |= c.failed;
    free(c.name);
}
