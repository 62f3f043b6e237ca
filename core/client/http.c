/* One HTTP request on one connection, RFC 9112: only what talking to our own server needs. The
 * answer is read until the server closes, as the request asks for. Any thread. */
#include "core/client/client.h"
#include <stdio.h>
#include <unistd.h>

#define ANSWER_MAX (1u << 20)

struct target {
    char address[300]; /* host:port */
    const char *host;  /* as it stands in the URL, with its port */
    int n_host;
    const char *path;
};

static int parse_url(const char *url, struct target *t)
{
    if (!url || strncmp(url, "http://", 7) != 0) {
        return PL_EINVAL;
    }
    t->host = url + 7;
    t->path = strchr(t->host, '/');
    size_t n = t->path ? (size_t)(t->path - t->host) : strlen(t->host);
    if (!t->path || !t->path[1]) {
        t->path = "/api/v1/push";
    }
    if (n == 0 || n > 250 || strpbrk(t->host, " \r\n")) {
        return PL_EINVAL;
    }
    const char *colon = memchr(t->host, ':', n), *bracket = memchr(t->host, ']', n);
    bool port = bracket ? bracket + 1 < t->host + n : colon != NULL;
    t->n_host = (int)n;
    snprintf(t->address, sizeof(t->address), "%.*s%s", t->n_host, t->host, port ? "" : ":80");
    return 0;
}

static bool header(struct pl_buf *out, const char *name, const char *value)
{
    if (value && strpbrk(value, "\r\n")) {
        return false;
    }
    if (value) {
        pl_buf_f(out, "%s: %s\r\n", name, value);
    }
    return true;
}

static int send_all(int fd, const void *p, size_t n, int64_t deadline)
{
    const uint8_t *at = p;
    while (n) {
        int64_t k = pl__client_send(fd, at, n);
        if (k < 0) {
            return (int)k;
        }
        if (k == 0 && pl__client_poll(fd, true, deadline) < 0) {
            return PL_ETIMEOUT;
        }
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

/* The whole answer, until the server closes. */
static int receive_all(int fd, struct pl_buf *in, int64_t deadline)
{
    for (;;) {
        int64_t k = pl__client_receive(fd, in);
        if (k == PL_ECLOSED) {
            return 0;
        }
        if (k < 0 || in->n > ANSWER_MAX) {
            return k < 0 ? (int)k : PL_ELIMIT;
        }
        if (k == 0 && pl__client_poll(fd, false, deadline) < 0) {
            return PL_ETIMEOUT;
        }
    }
}

static int error_of(int status)
{
    switch (status) {
    case 404:
        return PL_ENOTFOUND;
    case 408:
        return PL_ETIMEOUT;
    case 413:
        return PL_ELIMIT;
    case 415:
        return PL_EUNSUPPORTED;
    case 429:
    case 503:
        return PL_EBUSY;
    case 507:
        return PL_ENOSPC;
    default:
        return status >= 200 && status < 300 ? 0 : status >= 500 ? PL_EIO : PL_EINVAL;
    }
}

/* Status line and body of the answer; an interim 100 is passed over. */
static int read_answer(const struct pl_buf *in, int *status, char *reply, size_t n_reply)
{
    pl_str rest = pl_buf_view(in);
    int64_t code = 0;
    while (code < 200) {
        pl_str_cut(&rest, ' ');
        const char *end = rest.p ? memmem(rest.p, rest.n, "\r\n\r\n", 4) : NULL;
        if (!end || rest.n < 3 || pl_str_i64((pl_str){rest.p, 3}, &code) < 0) {
            snprintf(reply, n_reply, "no answer of HTTP");
            return PL_EIO;
        }
        rest = pl_str_mem(end + 4, (size_t)(rest.p + rest.n - end - 4));
    }
    *status = (int)code;
    snprintf(reply, n_reply, "%.*s", PL_PRS(rest));
    return error_of(*status);
}

/* Send and read on a connection. */
static int converse(int fd, const struct pl_buf *head, const void *body, size_t n_body,
                    int64_t deadline, int *status, char *reply, size_t n_reply)
{
    struct pl_buf in = PL_BUF_INIT;
    int e = send_all(fd, head->p, head->n, deadline);
    e = e < 0 ? e : send_all(fd, body, n_body, deadline);
    int got =
        e == PL_ETIMEOUT ? e : receive_all(fd, &in, deadline); /* also where it refused early */
    if (in.n) {
        e = read_answer(&in, status, reply, n_reply);
    } else {
        e = e < 0 ? e : got < 0 ? got : PL_EIO;
        snprintf(reply, n_reply, "no answer: %s", pl_err_text(e));
    }
    pl_buf_fini(&in);
    return e;
}

int pl_push_http(const struct pl_push_request *r, const void *body, size_t n_body, int *status,
                 char *reply, size_t n_reply)
{
    struct pl_buf head = PL_BUF_INIT;
    int64_t deadline = pl__client_now() + (r->timeout_ms ? r->timeout_ms : 10000);
    struct target t;
    *status = 0;
    if (parse_url(r->url, &t) < 0) {
        snprintf(reply, n_reply, "a URL is http://host[:port][/path]");
        return PL_EINVAL;
    }
    pl_buf_f(&head,
             "POST %s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\nContent-Length: %zu\r\n",
             t.path, t.n_host, t.host, n_body);
    int e = 0;
    if (!header(&head, "Content-Type", r->content_type ? r->content_type : "application/msgpack") ||
        !header(&head, "X-Scope-OrgID", r->tenant) || !header(&head, "Idempotency-Key", r->key)) {
        snprintf(reply, n_reply, "a header cannot hold a line break");
        e = PL_EINVAL;
    }
    pl_buf_z(&head, "\r\n");
    e = e == 0 && head.failed ? PL_ENOMEM : e;
    if (e == 0) {
        int fd = pl__client_connect(t.address, false, deadline, reply, n_reply);
        e = fd < 0 ? fd : converse(fd, &head, body, n_body, deadline, status, reply, n_reply);
        if (fd >= 0) {
            close(fd);
        }
    }
    pl_buf_fini(&head);
    return e;
}

int pl_push_series(const struct pl_push_request *r, const struct pl_client_label *labels,
                   size_t n_labels, const int64_t *t_ms, const double *v, size_t n, int *status,
                   char *reply, size_t n_reply)
{
    struct pl_buf b = PL_BUF_INIT;
    struct pl_push_request mine = *r;
    *status = 0;
    mine.content_type = NULL;
    pl_mp_w_map(&b, 3);
    pl_mp_w_str(&b, PL_STR("labels"));
    int e = pl__client_labels(&b, labels, n_labels);
    if (e == PL_EINVAL) {
        snprintf(reply, n_reply, "1 to 128 labels with a name and a value are wanted");
    }
    pl_mp_w_str(&b, PL_STR("t"));
    pl_mp_w_ext(&b, 2, pl_str_mem(t_ms, n * sizeof(*t_ms)));
    pl_mp_w_str(&b, PL_STR("v"));
    pl_mp_w_ext(&b, 3, pl_str_mem(v, n * sizeof(*v)));
    e = e < 0 ? e : b.failed ? PL_ENOMEM : pl_push_http(&mine, b.p, b.n, status, reply, n_reply);
    pl_buf_fini(&b);
    return e;
}
