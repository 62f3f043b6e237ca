/* The head of a request (RFC 9112): the lines are found here, strictly; llhttp parses the whole
 * head in one go; what concerns framing is checked here again, because Debian 12's llhttp 8.1.0
 * lets a bare CR end a line and knows no limits. Sources: RFC 9112, sections 2 to 6; RFC
 * 9110, 5.6.2 (token), 7.2 (Host), 10.1.1 (Expect). */
#include "core/net/head.h"
#include <llhttp.h>

int pl__head_end(pl_str bytes, size_t *scan, size_t *end, const char **why)
{
    const char *p = bytes.p + *scan, *e = bytes.p + bytes.n;
    while (p < e) { /* p is at the start of a line */
        if (*p == ' ' || *p == '\t') {
            *why = "a header line begins with white space";
            return PL_EPARSE;
        }
        const char *lf = memchr(p, '\n', (size_t)(e - p));
        const char *cr = memchr(p, '\r', (size_t)((lf ? lf : e) - p));
        if (cr ? cr + 1 != (lf ? lf : e) : lf != NULL) {
            *why = "a header line does not end in CR LF";
            return PL_EPARSE;
        }
        if (!lf) {
            break;
        }
        if (cr == p) {
            *end = (size_t)(lf + 1 - bytes.p);
            return 1;
        }
        p = lf + 1;
    }
    *scan = (size_t)(p - bytes.p);
    return 0;
}

struct parse {
    struct pl__head *h;
    bool too_many;
    const char *name_end, *value_end; /* where the last span ended: a span may come in pieces */
};

static int on_method(llhttp_t *ll, const char *at, size_t n)
{
    struct pl__head *h = ((struct parse *)ll->data)->h;
    if (!h->method_text.p) {
        h->method_text.p = at;
    }
    h->method_text.n = (size_t)(at + n - h->method_text.p);
    return 0;
}

static int on_url(llhttp_t *ll, const char *at, size_t n)
{
    struct pl__head *h = ((struct parse *)ll->data)->h;
    if (!h->target.p) {
        h->target.p = at;
    }
    h->target.n = (size_t)(at + n - h->target.p);
    return 0;
}

static int on_field(llhttp_t *ll, const char *at, size_t n)
{
    struct parse *ps = ll->data;
    struct pl__head *h = ps->h;
    if (ps->name_end == at && h->n_headers) {
        h->header[h->n_headers - 1].name.n += n;
    } else if (h->n_headers == PL__HEADERS_MAX) {
        ps->too_many = true;
        return HPE_USER;
    } else {
        h->header[h->n_headers++] = (struct pl__header){{at, n}, {"", 0}};
    }
    ps->name_end = at + n;
    return 0;
}

static int on_value(llhttp_t *ll, const char *at, size_t n)
{
    struct parse *ps = ll->data;
    pl_str *v = &ps->h->header[ps->h->n_headers - 1].value;
    if (ps->value_end == at && v->n) {
        v->n += n;
    } else {
        *v = (pl_str){at, n};
    }
    ps->value_end = at + n;
    return 0;
}

static int on_complete(llhttp_t *ll)
{
    (void)ll;
    return HPE_PAUSED; /* the body is not llhttp's */
}

static const llhttp_settings_t settings = {
    .on_method = on_method,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_complete,
};

static bool is_token(pl_str s)
{
    static const char other[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        unsigned char low = c | 0x20;
        if (!((c >= '0' && c <= '9') || (low >= 'a' && low <= 'z') ||
              (c && memchr(other, c, sizeof(other) - 1)))) {
            return false;
        }
    }
    return s.n > 0;
}

static enum pl_http_method method_of(uint8_t m)
{
    switch (m) {
    case HTTP_GET:
        return PL_GET;
    case HTTP_HEAD:
        return PL_HEAD;
    case HTTP_POST:
        return PL_POST;
    case HTTP_PUT:
        return PL_PUT;
    case HTTP_DELETE:
        return PL_DELETE;
    case HTTP_OPTIONS:
        return PL_OPTIONS;
    default:
        return PL_METHOD_OTHER;
    }
}

/* A list of tokens: is `token` among them? */
static bool lists(pl_str value, pl_str token)
{
    while (value.p) {
        if (pl_str_ieq(pl_str_trim(pl_str_cut(&value, ',')), token)) {
            return true;
        }
    }
    return false;
}

static int refuse(int status, const char *text, const char **why)
{
    *why = text;
    return status;
}

static int check_header(struct pl__head *h, const struct pl__header *f, size_t *hosts,
                        const char **why)
{
    switch (f->name.n) {
    case 4:
        *hosts += pl_str_ieq(f->name, PL_STR("host"));
        break;
    case 6:
        if (pl_str_ieq(f->name, PL_STR("expect")) && h->http_1_1) {
            if (!pl_str_ieq(f->value, PL_STR("100-continue"))) {
                return refuse(417, "the only expectation known here is 100-continue", why);
            }
            h->expect_continue = true;
        }
        break;
    case 10:
        if (pl_str_ieq(f->name, PL_STR("connection"))) {
            if (lists(f->value, PL_STR("close"))) {
                h->keep_alive = false;
            } else if (!h->http_1_1 && lists(f->value, PL_STR("keep-alive"))) {
                h->keep_alive = true;
            }
        }
        break;
    case 14:
        if (pl_str_ieq(f->name, PL_STR("content-length"))) {
            if (h->has_length) {
                return refuse(400, "more than one Content-Length", why);
            }
            if (f->value.n == 0 || f->value.p[0] < '0' || f->value.p[0] > '9' ||
                pl_str_u64(f->value, &h->content_length) < 0) {
                return refuse(400, "Content-Length is not a number", why);
            }
            h->has_length = true;
        }
        break;
    case 17:
        if (pl_str_ieq(f->name, PL_STR("transfer-encoding"))) {
            if (h->chunked || !pl_str_ieq(f->value, PL_STR("chunked"))) {
                return refuse(501, "the only transfer encoding known here is chunked, once", why);
            }
            h->chunked = true;
        }
        break;
    default:
        break;
    }
    return 0;
}

static int check(struct pl__head *h, const char **why)
{
    size_t hosts = 0;
    bool close_asked = false;
    h->keep_alive = h->http_1_1;
    for (size_t i = 0; i < h->n_headers; i++) {
        struct pl__header *f = &h->header[i];
        if (!is_token(f->name)) {
            return refuse(400, "a header name with a character that is not allowed", why);
        }
        f->value = pl_str_trim(f->value);
        bool before = h->keep_alive;
        int status = check_header(h, f, &hosts, why);
        if (status) {
            return status;
        }
        close_asked |= before && !h->keep_alive;
    }
    h->keep_alive &= !close_asked;
    if (hosts != 1 && (h->http_1_1 || hosts > 1)) {
        return refuse(400, hosts ? "more than one Host" : "Host is missing", why);
    }
    if (h->chunked && (h->has_length || !h->http_1_1)) {
        return refuse(400,
                      h->has_length ? "both Transfer-Encoding and Content-Length"
                                    : "Transfer-Encoding in HTTP/1.0",
                      why);
    }
    return 0;
}

static int refuse_llhttp(llhttp_errno_t e, const struct parse *ps, const char **why)
{
    switch (e) {
    case HPE_USER:
        return refuse(431, ps->too_many ? "more than 100 headers" : "bad header", why);
    case HPE_INVALID_VERSION:
        return refuse(505, "HTTP/1.1 and HTTP/1.0 are spoken here", why);
    case HPE_INVALID_METHOD:
        return refuse(400, "not an HTTP method", why);
    case HPE_INVALID_URL:
        return refuse(400, "bad request target", why);
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse(400, "bad, repeated or contradicted Content-Length", why);
    case HPE_INVALID_TRANSFER_ENCODING:
        return refuse(400, "bad or contradicted Transfer-Encoding", why);
    case HPE_INVALID_HEADER_TOKEN:
        return refuse(400, "a character that is not allowed in a header", why);
    default:
        return refuse(400, "not an HTTP request", why);
    }
}

int pl__head_parse(pl_str head, struct pl__head *h, const char **why)
{
    struct parse ps = {.h = h};
    llhttp_t ll;
    if (pl_str_starts(head, PL_STR("PRI * HTTP/2.0\r\n"))) {
        return refuse(505, "HTTP/1.1 and HTTP/1.0 are spoken here", why);
    }
    llhttp_init(&ll, HTTP_REQUEST, &settings);
    ll.data = &ps;
    h->method_text = h->target = PL_STR_NULL;
    h->n_headers = 0;
    h->chunked = h->expect_continue = h->has_length = false;
    h->content_length = 0;
    llhttp_errno_t e = llhttp_execute(&ll, head.p, head.n);
    if (e != HPE_PAUSED) {
        return refuse_llhttp(e, &ps, why);
    }
    if (ll.http_major != 1 || ll.http_minor > 1) {
        return refuse(505, "HTTP/1.1 and HTTP/1.0 are spoken here", why);
    }
    h->method = method_of(ll.method);
    h->http_1_1 = ll.http_minor == 1;
    return check(h, why);
}
