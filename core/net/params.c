/* Parameters: percent-coding (RFC 3986, 2.1), the query string and form bodies
 * (application/x-www-form-urlencoded, WHATWG URL 5; multipart/form-data). Their order is that of
 * Go's net/http, which Prometheus' clients know: a urlencoded body before the query string, parts
 * behind it. Any thread for the coding, else the loop. */
#include "core/net/multipart.h"
#include "core/net/request.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

pl_str pl_url_decode(struct pl_arena *a, pl_str s, bool plus)
{
    if (s.n == 0) {
        return PL_STR("");
    }
    if (!memchr(s.p, '%', s.n) && !(plus && memchr(s.p, '+', s.n))) {
        return s;
    }
    char *out = pl_arena_alloc(a, s.n);
    if (!out) {
        return PL_STR_NULL;
    }
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            int hi = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
            int lo = i + 2 < s.n ? hex(s.p[i + 2]) : -1;
            if (hi < 0 || lo < 0) {
                return PL_STR_NULL;
            }
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        out[n++] = c;
    }
    return (pl_str){out, n};
}

void pl_url_encode(struct pl_buf *out, pl_str s)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i], low = c | 0x20;
        if ((c >= '0' && c <= '9') || (low >= 'a' && low <= 'z') || c == '-' || c == '.' ||
            c == '_' || c == '~') {
            pl_buf_u8(out, c);
        } else {
            char code[3] = {'%', digits[c >> 4], digits[c & 15]};
            pl_buf_add(out, code, 3);
        }
    }
}

/* curl calls every body a form: a larger one is data, and is not searched for parameters. */
#define FORM_BYTES_MAX (10u << 20) /* as Go reads forms */

static bool is_form(const struct pl__request *r)
{
    pl_str type = pl_http_header(&r->pub, "Content-Type");
    type = pl_str_trim(pl_str_cut(&type, ';'));
    return pl_str_ieq(type, PL_STR("application/x-www-form-urlencoded"));
}

static size_t count(pl_str s)
{
    size_t n = s.n > 0;
    for (size_t i = 0; i < s.n; i++) {
        n += s.p[i] == '&';
    }
    return n;
}

static void collect(struct pl__request *r, pl_str s)
{
    while (s.p && s.n) {
        pl_str value = pl_str_cut(&s, '&');
        pl_str name = pl_str_cut(&value, '=');
        if (name.n == 0 && value.n == 0) {
            continue;
        }
        /* what is escaped wrongly is taken as it was sent */
        pl_str plain_name = pl_url_decode(&r->pub.arena, name, true);
        pl_str plain_value = pl_url_decode(&r->pub.arena, value, true);
        r->params[2 * r->n_params] = plain_name.p ? plain_name : name;
        r->params[2 * r->n_params + 1] = plain_value.p ? plain_value : value;
        r->n_params++;
    }
}

/* A body that may hold parameters. */
static pl_str form_body(const struct pl__request *r)
{
    bool may = (r->pub.method == PL_POST || r->pub.method == PL_PUT) && !r->pub.body_is_data;
    return may && r->pub.body.n <= FORM_BYTES_MAX ? r->pub.body : PL_STR_NULL;
}

static void make(struct pl__request *r)
{
    pl_str body = form_body(r), type = pl_http_header(&r->pub, "Content-Type");
    pl_str form = body.n && is_form(r) ? body : PL_STR_NULL;
    size_t parts = body.n ? pl__multipart(type, body, NULL, 0) : 0;
    size_t n = count(r->pub.query) + count(form) + parts;
    r->params_made = true;
    if (!n) {
        return;
    }
    r->params = pl_arena_alloc(&r->pub.arena, n * 2 * sizeof(*r->params));
    if (r->params) {
        collect(r, form);
        collect(r, r->pub.query);
        pl__multipart(type, body, r->params + 2 * r->n_params, parts);
        r->n_params += parts;
    }
}

bool pl_http_param_at(struct pl_http_req *req, const char *name, size_t i, pl_str *out)
{
    struct pl__request *r = pl__request_of(req);
    if (!r->params_made) {
        make(r);
    }
    pl_str want = pl_str_c(name);
    for (size_t k = 0; k < r->n_params; k++) {
        if (pl_str_eq(r->params[2 * k], want) && i-- == 0) {
            *out = r->params[2 * k + 1];
            return true;
        }
    }
    return false;
}

pl_str pl_http_param(struct pl_http_req *req, const char *name)
{
    pl_str value = PL_STR_NULL;
    pl_http_param_at(req, name, 0, &value);
    return value;
}
