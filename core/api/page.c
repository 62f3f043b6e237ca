/* The plain page at /: what this is and where things are. Thread: loops. */
#include "core/api/internal.h"
#include "perilune/version.h"

static void escaped(struct pl_buf *out, pl_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '<':
            pl_buf_z(out, "&lt;");
            break;
        case '>':
            pl_buf_z(out, "&gt;");
            break;
        case '&':
            pl_buf_z(out, "&amp;");
            break;
        case '"':
            pl_buf_z(out, "&quot;");
            break;
        default:
            pl_buf_u8(out, (uint8_t)s.p[i]);
        }
    }
}

/* 1234567 as "1,234,567". */
static void grouped(struct pl_buf *out, uint64_t n)
{
    char text[32];
    size_t at = sizeof(text), digits = 0;
    do {
        if (digits && digits % 3 == 0) {
            text[--at] = ',';
        }
        text[--at] = (char)('0' + n % 10);
        digits++;
        n /= 10;
    } while (n);
    pl_buf_add(out, text + at, sizeof(text) - at);
}

static void counted(struct pl_buf *out, uint64_t n, const char *what)
{
    pl_buf_z(out, "<li><b>");
    grouped(out, n);
    pl_buf_f(out, "</b> %s</li>", what);
}

static void sized(struct pl_buf *out, uint64_t n, const char *what)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double x = (double)n;
    size_t u = 0;
    while (x >= 1000 && u < 4) {
        x /= 1000;
        u++;
    }
    pl_buf_f(out, "<li><b>%.*f %s</b> %s</li>", u && x < 100 ? 1 : 0, x, units[u], what);
}

static void numbers(struct pl_buf *out, struct pl_api *a)
{
    struct pl_store_stats s = {0};
    pl_store_stats(a->conf.store, &s);
    pl_buf_z(out, "<ul>");
    counted(out, s.n_series, "series");
    counted(out, s.n_head_samples, "samples in the head");
    counted(out, s.n_samples, "in partitions");
    sized(out, s.disk_bytes, "of partitions");
    sized(out, s.journal_bytes, "of journal");
    pl_buf_z(out, "</ul>");
}

/* Where a link leads: paths that want parameters get some, or are no link. */
static const char *example(const struct pl_route *r)
{
    static const char *const with[][2] = {
        {"/api/v1/query", "?query=temperature"},
        {"/api/v1/query_range", NULL},
        {"/api/v1/format_query", "?query=sum(rate(requests_total[5m]))by(job)"},
        {"/api/v1/parse_query", "?query=sum(rate(requests_total[5m]))by(job)"},
        {"/api/v1/series", "?match[]=temperature"},
        {"/api/v1/export", "?match[]=temperature"},
    };
    if (!(r->methods & PL_M_GET) || strchr(r->path, '*')) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(with) / sizeof(*with); i++) {
        if (strcmp(with[i][0], r->path) == 0) {
            return with[i][1];
        }
    }
    return "";
}

static void routes(struct pl_buf *out)
{
    pl_buf_z(out, "<table>");
    for (size_t i = 0; i < pl__n_routes; i++) {
        const struct pl_route *r = &pl__routes[i];
        const char *parameters = example(r);
        pl_buf_f(out, "<tr><td>%s%s%s%s</td><td><code>", (r->methods & PL_M_GET) ? "GET " : "",
                 (r->methods & PL_M_POST) ? "POST " : "", (r->methods & PL_M_PUT) ? "PUT " : "",
                 (r->methods & PL_M_DELETE) ? "DELETE" : "");
        if (parameters) {
            pl_buf_f(out, "<a href=\"%s%s\">%s</a>", r->path, parameters, r->path);
        } else {
            pl_buf_z(out, r->path);
        }
        pl_buf_z(out, "</code></td><td>");
        escaped(out, pl_str_c(r->help));
        pl_buf_z(out, "</td></tr>");
    }
    pl_buf_z(out, "</table>");
}

static const char style[] =
    ":root{color-scheme:light dark;--text:#23262b;--dim:#6a7078;--back:#fff;--box:#f5f6f7;"
    "--line:#e6e8eb;--link:#0b57a4}"
    "@media(prefers-color-scheme:dark){:root{--text:#dcdfe3;--dim:#8b929b;--back:#16181b;"
    "--box:#1f2226;--line:#2b2f34;--link:#8ab8e8}}"
    "body{font:15px/1.55 system-ui,sans-serif;max-width:56em;margin:2.5em auto;padding:0 1.2em;"
    "color:var(--text);background:var(--back)}"
    "h1{margin:0}h2{font-size:1.15em;margin:2em 0 .6em}h1 small{font:15px system-ui,sans-serif;"
    "color:var(--dim)}p{margin:.3em 0;color:var(--dim)}"
    "code,pre{font:13px/1.6 ui-monospace,monospace}"
    "pre{background:var(--box);border:1px solid var(--line);border-radius:6px;padding:.8em 1em;"
    "overflow:auto}"
    "ul{list-style:none;display:flex;flex-wrap:wrap;gap:.4em 1.6em;margin:1.2em 0;padding:0}"
    "li{color:var(--dim)}li b{color:var(--text)}"
    "table{border-collapse:collapse;width:100%}td{padding:.28em 1.2em .28em 0;"
    "border-top:1px solid var(--line);vertical-align:baseline}"
    "td:first-child{color:var(--dim);font-size:12px;white-space:nowrap}"
    "a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}"
    "@media(max-width:40em){tr{display:block;padding:.4em 0;border-top:1px solid var(--line)}"
    "td{display:inline-block;border:0;padding:0 .8em 0 0}td:last-child{display:block;"
    "color:var(--dim)}td code{overflow-wrap:anywhere}}";

void pl__ep_page(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    pl_str host = pl_http_header(req, "Host");
    pl_buf_z(&out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<title>Perilune</title><link rel=\"icon\" href=\"data:,\">"
                   "<meta name=\"viewport\" content=\"width=device-width\"><style>");
    pl_buf_z(&out, style);
    pl_buf_z(&out, "</style></head><body><h1>Perilune <small>" PL_VERSION "</small></h1>"
                   "<p>A metrics server: push to it, ask it in PromQL.</p>");
    numbers(&out, a);
    pl_buf_z(&out,
             "<h2>Try it</h2><pre>curl --data-binary 'temperature{room=\"attic\"} 21.5' http://");
    escaped(&out, host);
    pl_buf_z(&out, "/api/v1/import/prometheus\ncurl --data-urlencode 'query=temperature' http://");
    escaped(&out, host);
    pl_buf_z(&out, "/api/v1/query</pre><h2>Where things are</h2>");
    routes(&out);
    pl_buf_z(&out, "</body></html>\n");
    pl_http_reply(req, 200, "text/html; charset=utf-8", &out);
}
