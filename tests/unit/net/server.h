/* A server on a free port and a plain socket client for the tests of net. Every read has a deadline
 * of 10 s, so that a test fails instead of hanging; none sleeps. */
#pragma once
#include "core/net/net.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define DEADLINE_MS 10000

struct server {
    struct pl_net *net;
    struct pl_metrics *metrics;
    char bound[64];
    struct pl_http_handler h;
};

static inline void server_start(struct server *s, struct pl_net_conf *conf)
{
    char why[256] = "";
    s->metrics = pl_metrics_new();
    conf->metrics = s->metrics;
    assert_int_equal(pl_net_new(conf, &s->net), 0);
    if (pl_net_http(s->net, "127.0.0.1:0", &s->h, s->bound, why, sizeof(why)) < 0) {
        fail_msg("%s", why);
    }
}

static inline void server_stop(struct server *s)
{
    pl_net_drain(s->net, 5000);
    pl_net_free(s->net);
    pl_metrics_free(s->metrics);
}

/** Is this line among the metrics? */
static inline bool server_metric(struct server *s, const char *line)
{
    struct pl_buf b = PL_BUF_INIT;
    pl_metrics_render(s->metrics, &b);
    pl_buf_u8(&b, 0);
    bool found = strstr((char *)b.p, line) != NULL;
    pl_buf_fini(&b);
    return found;
}

static inline int dial(const char *bound)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    const char *colon = strrchr(bound, ':');
    char host[64];
    snprintf(host, sizeof(host), "%.*s", (int)(colon - bound), bound);
    sa.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    assert_int_equal(inet_pton(AF_INET, host, &sa.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static inline void send_all(int fd, const void *p, size_t n)
{
    while (n) {
        ssize_t r = send(fd, p, n, MSG_NOSIGNAL);
        assert_true(r > 0);
        p = (const char *)p + r;
        n -= (size_t)r;
    }
}

static inline void send_z(int fd, const char *z) { send_all(fd, z, strlen(z)); }

/** Some bytes more into b. @return their number, 0 at the end, -1 when reset */
static inline ssize_t receive(int fd, struct pl_buf *b)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, DEADLINE_MS) != 1) {
        fail_msg("nothing came for %d ms after: %.*s", DEADLINE_MS, (int)b->n, (char *)b->p);
    }
    uint8_t *to = pl_buf_reserve(b, 65536);
    assert_non_null(to);
    ssize_t n = recv(fd, to, 65536, 0);
    if (n > 0) {
        b->n += (size_t)n;
    }
    return n;
}

static inline void receive_to_end(int fd, struct pl_buf *b)
{
    while (receive(fd, b) > 0) {
    }
    pl_buf_u8(b, 0);
    b->n--;
}

/** A header of the reply in b, or "". */
static inline const char *reply_header(const struct pl_buf *b, const char *name, char *out,
                                       size_t n)
{
    pl_str head = pl_buf_view(b);
    out[0] = 0;
    pl_str_cut(&head, '\n');
    while (head.n && head.p[0] != '\r') {
        pl_str value = pl_str_cut(&head, '\n');
        if (pl_str_ieq(pl_str_cut(&value, ':'), pl_str_c(name))) {
            value = pl_str_trim(value);
            snprintf(out, n, "%.*s", PL_PRS(value));
            break;
        }
    }
    return out;
}

/** Read one reply with Content-Length (or without a body). b holds what was read beyond the reply
 *  before. @param head, body  NUL-terminated copies; body may be NULL. @return the status */
static inline int receive_reply(int fd, struct pl_buf *b, char head[4096], struct pl_buf *body)
{
    const char *end;
    while (b->n < 4 || !(end = memmem(b->p, b->n, "\r\n\r\n", 4))) {
        if (receive(fd, b) <= 0) {
            return -1;
        }
    }
    size_t n_head = (size_t)(end + 4 - (char *)b->p), n_body = 0;
    char value[64];
    assert_true(n_head < 4096);
    memcpy(head, b->p, n_head);
    head[n_head] = 0;
    if (reply_header(b, "Content-Length", value, sizeof(value))[0]) {
        n_body = strtoull(value, NULL, 10);
    }
    while (b->n < n_head + n_body) {
        if (receive(fd, b) <= 0) {
            return -1;
        }
    }
    if (body) {
        pl_buf_clear(body);
        pl_buf_add(body, b->p + n_head, n_body);
        pl_buf_u8(body, 0);
        body->n--;
    }
    memmove(b->p, b->p + n_head + n_body, b->n - n_head - n_body);
    b->n -= n_head + n_body;
    return atoi(head + 9);
}

/** One request on a connection of its own, one reply. @return the status */
static inline int ask(const char *bound, const char *request, char head[4096], struct pl_buf *body)
{
    struct pl_buf b = PL_BUF_INIT;
    int fd = dial(bound);
    assert_true(fd >= 0);
    send_z(fd, request);
    int status = receive_reply(fd, &b, head, body);
    close(fd);
    pl_buf_fini(&b);
    return status;
}
