/* Writes in other systems' formats: remote write, Prometheus text, InfluxDB lines. Each says what
 * it left out in the words its clients know (decisions.md 10). Thread: the request's loop. */
#include "core/api/write.h"

static void answer_remote(struct pl_write *w)
{
    if (!w->report.rejected) {
        pl_http_reply(w->req, 204, NULL, NULL);
        return;
    }
    struct pl_buf out = PL_BUF_INIT;
    pl__report_text(&out, &w->report);
    pl_buf_u8(&out, '\n');
    pl_http_reply(w->req, 400, "text/plain; charset=utf-8", &out);
}

void pl__ep_remote_write(struct pl_api *a, struct pl_http_req *req)
{
    pl_str version = pl_http_header(req, "Content-Type");
    struct pl_write *w = pl__write_new(a, req, answer_remote);
    struct pl_batch *b;
    pl_str body;
    if (!w) {
        return;
    }
    if (pl_str_starts(version, PL_STR("application/x-protobuf;")) &&
        memmem(version.p, version.n, "io.prometheus.write.v2", 22)) {
        w->err = PL_EUNSUPPORTED;
        snprintf(w->report.error, sizeof(w->report.error),
                 "remote write 2.0 is not spoken here: send prometheus.WriteRequest (1.0)");
        pl__write_error(w);
        return;
    }
    if (pl__write_open(w, true, &b, &body)) {
        pl__write_commit(
            w, b, pl_ingest_remote_write(a->ingest[pl_loop_index(req->loop)], body, b, &w->report));
    }
}

static void answer_text(struct pl_write *w)
{
    if (!w->report.rejected) {
        pl_http_reply(w->req, 204, NULL, NULL);
        return;
    }
    struct pl_buf out = PL_BUF_INIT;
    pl__report_json(&out, w->accepted, &w->report);
    pl__reply_json(w->req, 200, &out);
}

/* extra_label=name=value, any number of them. */
static bool extra_labels(struct pl_http_req *req, struct pl_label *out, size_t max, size_t *n)
{
    pl_str s;
    for (*n = 0; pl_http_param_at(req, "extra_label", *n, &s); (*n)++) {
        pl_str name = *n < max ? pl_str_cut(&s, '=') : PL_STR_NULL;
        if (!name.n || !s.p) {
            pl__reply_error(req, PL_EPARSE,
                            "invalid parameter \"extra_label\": give name=value, at most %zu times",
                            max);
            return false;
        }
        out[*n] = (struct pl_label){name, s};
    }
    return true;
}

void pl__ep_import_prometheus(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_label extra[16];
    size_t n;
    struct pl_batch *b;
    pl_str body;
    if (!extra_labels(req, extra, 16, &n)) {
        return;
    }
    struct pl_write *w = pl__write_new(a, req, answer_text);
    if (w && pl__write_open(w, false, &b, &body)) {
        pl__write_commit(w, b,
                         pl_ingest_prom_text(a->ingest[pl_loop_index(req->loop)], body, extra, n, b,
                                             &w->report));
    }
}

static void answer_influx(struct pl_write *w)
{
    pl_http_reply_header(w->req, "X-Influxdb-Version", PL_STR("1.8-perilune"));
    if (!w->report.rejected) {
        pl_http_reply(w->req, 204, NULL, NULL);
        return;
    }
    struct pl_buf text = PL_BUF_INIT, out = PL_BUF_INIT;
    pl_buf_z(&text, "partial write: ");
    pl__report_text(&text, &w->report);
    pl_buf_f(&text, " dropped=%llu", (unsigned long long)w->report.rejected);
    pl__influx_error(&out, 400, pl_buf_view(&text));
    pl_buf_fini(&text);
    pl__reply_json(w->req, 400, &out);
}

/* ns of a precision: v1 says n u ms s m h, v2 says ns us ms s. 0: unknown. */
static int64_t unit_of(pl_str s)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"n", 1},        {"ns", 1},         {"u", 1000},        {"us", 1000},
                 {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};
    if (!s.n) {
        return 1;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (pl_str_eq(s, pl_str_c(units[i].name))) {
            return units[i].ns;
        }
    }
    return 0;
}

void pl__ep_influx(struct pl_api *a, struct pl_http_req *req)
{
    pl_str db = pl_http_param(req, "db");
    int64_t unit = unit_of(pl_http_param(req, "precision"));
    struct pl_batch *b;
    pl_str body;
    if (!unit) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"precision\": one of ns, us, ms, s, m, h");
        return;
    }
    struct pl_write *w = pl__write_new(a, req, answer_influx);
    if (w && pl__write_open(w, false, &b, &body)) {
        pl__write_commit(
            w, b,
            pl_ingest_influx(a->ingest[pl_loop_index(req->loop)], body, db, unit, b, &w->report));
    }
}

void pl__ep_influx_ping(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    pl_http_reply_header(req, "X-Influxdb-Version", PL_STR("1.8-perilune"));
    pl_http_reply(req, 204, NULL, NULL);
}
