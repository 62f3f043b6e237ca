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

static void numbers(struct pl_buf *out, struct pl_api *a)
{
    struct pl_store_stats s = {0};
    pl_store_stats(a->conf.store, &s);
    pl_buf_f(
        out,
        "<p>%llu series, %llu samples on disk, %llu in the head, %.1f MB of partitions, %.1f MB "
        "of journal.</p>",
        (unsigned long long)s.n_series, (unsigned long long)s.n_samples,
        (unsigned long long)s.n_head_samples, (double)s.disk_bytes / 1e6,
        (double)s.journal_bytes / 1e6);
}

static void routes(struct pl_buf *out)
{
    pl_buf_z(out, "<table>");
    for (size_t i = 0; i < pl__n_routes; i++) {
        const struct pl_route *r = &pl__routes[i];
        bool link = (r->methods & PL_M_GET) && !strchr(r->path, '*');
        pl_buf_f(out, "<tr><td>%s%s%s</td><td>", (r->methods & PL_M_GET) ? "GET " : "",
                 (r->methods & PL_M_POST) ? "POST " : "", (r->methods & PL_M_PUT) ? "PUT " : "");
        pl_buf_f(out, link ? "<a href=\"%s\">" : "<!-- %s -->", r->path);
        pl_buf_f(out, "<code>%s</code>%s</td><td>", r->path, link ? "</a>" : "");
        escaped(out, pl_str_c(r->help));
        pl_buf_z(out, "</td></tr>");
    }
    pl_buf_z(out, "</table>");
}

void pl__ep_page(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    pl_str host = pl_http_header(req, "Host");
    pl_buf_z(&out,
             "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Perilune</title>"
             "<meta name=\"viewport\" content=\"width=device-width\"><style>"
             "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:3em auto;padding:0 1em;"
             "color:#222;background:#fff}code,pre{font:13px/1.5 ui-monospace,monospace}"
             "pre{background:#f4f4f2;padding:1em;overflow:auto}td{padding:.15em 1em .15em 0;"
             "vertical-align:top}td:first-child{color:#777}a{color:#0b57a4;text-decoration:none}"
             "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
             "pre{background:#222}a{color:#8ab8e8}}</style>"
             "<h1>Perilune</h1><p>A metrics platform that is scripted in Lua. Version " PL_VERSION
             ".</p>");
    numbers(&out, a);
    pl_buf_z(&out,
             "<h2>Try it</h2><pre>curl --data-binary 'temperature{room=\"attic\"} 21.5' http://");
    escaped(&out, host);
    pl_buf_z(&out, "/api/v1/import/prometheus\ncurl 'http://");
    escaped(&out, host);
    pl_buf_z(&out, "/api/v1/query?query=temperature'</pre><h2>Where things are</h2>");
    routes(&out);
    pl_buf_z(&out, "</html>\n");
    pl_http_reply(req, 200, "text/html; charset=utf-8", &out);
}
