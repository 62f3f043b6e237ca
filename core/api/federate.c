/* /federate: the last sample of each series of match[], as Prometheus text (0.0.4), for a
 * Prometheus that scrapes us. As Prometheus answers it: no older than the lookback, nothing of
 * series that have ended, families untyped and by name, and instance="" where a series has no
 * instance, so that the scraper does not put its own there. Native histograms have no place in this
 * format. Threads: parsed on the loop, run on the pool. */
#include "core/api/internal.h"
#include <stdlib.h>

struct last {
    pl_str name, labels; /* in the arena */
    int64_t t;
    double v;
};
struct lasts {
    struct last *at;
    size_t n, next; /* series; the one to be written next */
    struct pl_arena arena;
};

size_t pl__number_g(double v, char *out)
{
    char text[PL_NUMBER_MAX], digits[PL_NUMBER_MAX];
    size_t n = pl_number_text(v, text), n_digits = 0, i = 0, o = 0;
    if (v - v != 0 || v == 0) {
        memcpy(out, text, n);
        return n;
    }
    int point = 0, exponent = 0;
    bool behind = false, minus = text[0] == '-';
    for (i = minus; i < n && text[i] != 'e'; i++) {
        if (text[i] == '.') {
            behind = true;
        } else if (n_digits || text[i] != '0') {
            digits[n_digits++] = text[i];
            point += !behind;
        } else {
            point -= behind;
        }
    }
    if (i < n) { /* e+21, e-07 */
        for (size_t k = i + 2; k < n; k++) {
            exponent = exponent * 10 + (text[k] - '0');
        }
        point += text[i + 1] == '-' ? -exponent : exponent;
    }
    exponent = point - 1;
    if (exponent >= -4 && exponent < 6) {
        memcpy(out, text, n); /* such a number has no exponent in either form */
        return n;
    }
    while (n_digits > 1 && digits[n_digits - 1] == '0') {
        n_digits--;
    }
    if (minus) {
        out[o++] = '-';
    }
    out[o++] = digits[0];
    if (n_digits > 1) {
        out[o++] = '.';
        memcpy(out + o, digits + 1, n_digits - 1);
        o += n_digits - 1;
    }
    return o + (size_t)snprintf(out + o, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

/* With quotes; \, " and line feeds escaped. */
static void quoted(struct pl_buf *out, pl_str s)
{
    pl_buf_u8(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n') {
            pl_buf_z(out, "\\n");
            continue;
        }
        if (s.p[i] == '\\' || s.p[i] == '"') {
            pl_buf_u8(out, '\\');
        }
        pl_buf_u8(out, (uint8_t)s.p[i]);
    }
    pl_buf_u8(out, '"');
}

static void name_or_quoted(struct pl_buf *out, pl_str name, bool classic)
{
    if (classic) {
        pl_buf_str(out, name);
    } else {
        quoted(out, name);
    }
}

static void line(struct pl_buf *out, const struct last *x)
{
    char number[2 * PL_NUMBER_MAX];
    struct pl_label l;
    pl_str rest = x->labels;
    bool classic = pl_metric_name_classic(x->name), instance = false;
    if (classic) {
        pl_buf_str(out, x->name);
        pl_buf_u8(out, '{');
    } else { /* Prometheus 3: {"name",a="b"} */
        pl_buf_u8(out, '{');
        quoted(out, x->name);
        pl_buf_u8(out, ',');
    }
    while (pl_labels_next(&rest, &l)) {
        if (!pl_str_eq(l.name, PL_METRIC_NAME)) {
            instance |= pl_str_eq(l.name, PL_STR("instance"));
            name_or_quoted(out, l.name, pl_label_name_classic(l.name));
            pl_buf_u8(out, '=');
            quoted(out, l.value);
            pl_buf_u8(out, ',');
        }
    }
    if (!instance) {
        pl_buf_z(out, "instance=\"\",");
    }
    if (!out->failed) {
        out->p[out->n - 1] = '}';
    }
    pl_buf_u8(out, ' ');
    pl_buf_add(out, number, pl__number_g(x->v, number));
    pl_buf_f(out, " %lld\n", (long long)x->t);
}

static int by_name(const void *a, const void *b)
{
    const struct last *x = a, *y = b;
    int c = pl_str_cmp(x->name, y->name);
    return c ? c : pl_labels_cmp(x->labels, y->labels);
}

/* The last sample of series i, if it is one to be told. */
static int read_one(struct pl_job *job, struct pl_select *sel, struct pl_reader *r, size_t i,
                    struct pl_columns *c, struct pl_buf *labels, struct lasts *out)
{
    pl_buf_clear(labels);
    int e = pl_select_labels(sel, i, labels);
    e = e < 0 ? e : pl_reader_read(r, i, job->args.t0, job->args.t1, 0, c);
    if (e < 0 && e != PL_ECORRUPT) { /* damage: the rest is there, and the log says where */
        return e;
    }
    if (!c->n || pl_is_stale(c->v[c->n - 1]) || pl_is_histogram(c->v[c->n - 1])) {
        return 0;
    }
    pl_str kept = pl_arena_dup(&out->arena, pl_buf_view(labels));
    if (!kept.p) {
        return PL_ENOMEM;
    }
    pl_str name = pl_labels_get(kept, PL_METRIC_NAME);
    if (name.n) {
        out->at[out->n++] = (struct last){name, kept, c->t[c->n - 1], c->v[c->n - 1]};
    }
    return 0;
}

static int read_all(struct pl_job *job, struct lasts *out)
{
    struct pl_select *sel = NULL;
    struct pl_reader *reader = NULL;
    struct pl_columns columns = {0};
    struct pl_buf labels = PL_BUF_INIT;
    int e = pl_select_new(job->args.tenant, job->args.sel.sel, job->args.sel.n, job->args.t0,
                          job->args.t1, job->api->conf.query_max_series, &sel);
    e = e < 0 ? e : pl_reader_new(sel, &reader);
    size_t n = e < 0 ? 0 : pl_select_count(sel);
    out->at = malloc((n + 1) * sizeof(*out->at));
    e = e < 0 ? e : out->at ? 0 : PL_ENOMEM;
    for (size_t i = 0; e >= 0 && i < n; i++) {
        e = job->cancel ? PL_ECANCELED : read_one(job, sel, reader, i, &columns, &labels, out);
    }
    pl_columns_fini(&columns);
    pl_buf_fini(&labels);
    if (reader) {
        pl_reader_free(reader);
    }
    if (sel) {
        pl_select_free(sel);
    }
    return e;
}

static int fill(struct pl_job *job)
{
    struct lasts *found = job->pieces.state;
    size_t full = job->out.n + PL__PIECE;
    for (; found->next < found->n && job->out.n < full; found->next++) {
        const struct last *x = &found->at[found->next];
        if (found->next == 0 || !pl_str_eq(x[-1].name, x->name)) {
            pl_buf_z(&job->out, "# TYPE ");
            name_or_quoted(&job->out, x->name, pl_metric_name_classic(x->name));
            pl_buf_z(&job->out, " untyped\n");
        }
        line(&job->out, x);
    }
    return found->next == found->n;
}

static void lasts_free(void *state)
{
    struct lasts *found = state;
    free(found->at);
    pl_arena_fini(&found->arena);
    free(found);
}

static const struct pl__pieces_ops pieces = {.fill = fill, .free = lasts_free};

static void work(struct pl_job *job)
{
    struct lasts *found = calloc(1, sizeof(*found));
    if (!found) {
        pl__job_error(job, PL_ENOMEM, "out of memory");
        return;
    }
    pl_arena_init(&found->arena, job->api->conf.query_max_memory_bytes);
    int e = job->args.sel.n ? read_all(job, found) : 0;
    if (e < 0) {
        lasts_free(found);
    } else {
        if (found->n) {
            qsort(found->at, found->n, sizeof(*found->at), by_name);
        }
        job->content_type = "text/plain; version=0.0.4; charset=utf-8";
        e = pl__pieces_first(job, &pieces, found, PL__PIECE);
    }
    if (e < 0) {
        pl__job_error(job, e, "%s", pl_err_text(e));
    }
}

void pl__ep_federate(struct pl_api *a, struct pl_http_req *req)
{
    int64_t now = pl_now_ms(a->conf.clock);
    struct pl_job_args with = {.t0 = now - a->conf.query_lookback_ms, .t1 = now};
    if (pl__tenant(a, req, false, &with.tenant) && pl__selectors(req, &with.sel)) {
        pl__job_start(a, req, a->conf.pool, true, work, &with);
    }
}
