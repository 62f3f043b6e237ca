/* A load generator for HTTP GET on keep-alive connections, one request at a time on each: epoll,
 * one thread. Answers are counted by status; a time is from the request's first byte to its
 * answer's last.
 *
 *   bench_wrk PORT CONNECTIONS SECONDS [REQUESTS] <paths
 *
 * Paths come from standard input, one a line, and are taken in turn. With REQUESTS it ends after so
 * many answers, else after SECONDS. Prints one JSON line. */
#include "core/base/base.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 20000
#define PATHS_MAX       100000

struct connection {
    int fd;
    int64_t begun;
    char head[4096]; /* of the answer, until its end is seen */
    size_t n_head;
    size_t left; /* bytes of the body still to come */
    bool in_body, chunked;
    char tail[5]; /* last bytes of a chunked body */
    const char *send;
    size_t n_send;
};

static struct {
    char **request;
    size_t *n_request, n, next;
    uint64_t status[6], answers, sent, limit, bytes;
    float *ms;
    size_t n_ms, cap_ms;
} all;

static int64_t now(void) { return pl_mono_ns(&pl_clock_real); }

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void read_paths(void)
{
    char line[16384];
    all.request = calloc(PATHS_MAX, sizeof *all.request);
    all.n_request = calloc(PATHS_MAX, sizeof *all.n_request);
    while (all.n < PATHS_MAX && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        struct pl_buf b = PL_BUF_INIT;
        pl_buf_f(&b, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", line);
        all.n_request[all.n] = b.n;
        all.request[all.n++] = (char *)b.p;
    }
    if (!all.n) {
        fprintf(stderr, "bench_wrk: no paths on standard input\n");
        exit(2);
    }
}

static void flush(struct connection *c)
{
    while (c->n_send > 0) {
        ssize_t k = send(c->fd, c->send, c->n_send, MSG_NOSIGNAL);
        if (k <= 0) {
            die("bench_wrk: send");
        }
        c->send += k;
        c->n_send -= (size_t)k;
    }
}

static bool request(struct connection *c)
{
    if (all.limit && all.sent >= all.limit) {
        return false;
    }
    all.sent++;
    size_t i = all.next++ % all.n;
    c->begun = now();
    c->n_head = 0;
    c->in_body = false;
    c->send = all.request[i];
    c->n_send = all.n_request[i];
    flush(c);
    return true;
}

static void answered(struct connection *c)
{
    int class = c->head[9] - '0';
    all.status[class >= 0 && class < 6 ? class : 0]++;
    all.answers++;
    if (all.n_ms == all.cap_ms) {
        all.cap_ms = all.cap_ms ? all.cap_ms * 2 : 65536;
        all.ms = realloc(all.ms, all.cap_ms * sizeof *all.ms);
    }
    all.ms[all.n_ms++] = (float)(now() - c->begun) / 1e6f;
}

/* Body bytes; true at the end of the answer. */
static bool body(struct connection *c, const char *p, size_t n)
{
    if (!c->chunked) {
        c->left -= n < c->left ? n : c->left;
        return c->left == 0;
    }
    for (size_t i = n > 5 ? n - 5 : 0; i < n; i++) {
        memmove(c->tail, c->tail + 1, 4);
        c->tail[4] = p[i];
    }
    return memcmp(c->tail, "0\r\n\r\n", 5) == 0;
}

static bool head(struct connection *c, const char *p, size_t n)
{
    size_t had = c->n_head, room = sizeof c->head - 1 - had;
    size_t k = n < room ? n : room;
    memcpy(c->head + had, p, k);
    c->n_head += k;
    c->head[c->n_head] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        return false;
    }
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    c->chunked = !length || length > end;
    c->left = c->chunked ? 0 : strtoul(length + 17, NULL, 10);
    c->in_body = true;
    memset(c->tail, 0, sizeof c->tail);
    size_t used = (size_t)(end + 4 - c->head) - had;
    return body(c, p + used, n - used);
}

/* True when the connection has no more to do. */
static bool readable(struct connection *c)
{
    static char in[1 << 20];
    ssize_t k = recv(c->fd, in, sizeof in, MSG_DONTWAIT);
    if (k < 0) {
        return false;
    }
    if (k == 0) {
        fprintf(stderr, "bench_wrk: the server closed a connection\n");
        exit(1);
    }
    all.bytes += (uint64_t)k;
    if (c->in_body ? body(c, in, (size_t)k) : head(c, in, (size_t)k)) {
        answered(c);
        return !request(c);
    }
    return false;
}

static int dial(long port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        die("bench_wrk: connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "bench_wrk PORT CONNECTIONS SECONDS [REQUESTS] <paths\n");
        return 2;
    }
    long port = strtol(argv[1], NULL, 10), n = strtol(argv[2], NULL, 10);
    int64_t limit_ns = strtol(argv[3], NULL, 10) * 1000000000ll;
    all.limit = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    if (n < 1 || n > CONNECTIONS_MAX) {
        fprintf(stderr, "bench_wrk: 1 to %d connections\n", CONNECTIONS_MAX);
        return 2;
    }
    read_paths();
    struct connection *c = calloc((size_t)n, sizeof *c);
    int poll = epoll_create1(0);
    for (long i = 0; i < n; i++) {
        c[i].fd = dial(port);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &c[i]};
        epoll_ctl(poll, EPOLL_CTL_ADD, c[i].fd, &e);
    }
    int64_t begun = now(), end = begun + limit_ns;
    long busy = 0;
    for (long i = 0; i < n; i++) {
        busy += request(&c[i]);
    }
    struct epoll_event events[256];
    while (busy > 0 && now() < end) {
        int k = epoll_wait(poll, events, 256, 100);
        for (int i = 0; i < k; i++) {
            busy -= readable(events[i].data.ptr);
        }
    }
    double took = (double)(now() - begun) / 1e9;
    qsort(all.ms, all.n_ms, sizeof *all.ms, by_value);
    size_t m = all.n_ms;
    printf("{\"answers\":%llu,\"ok\":%llu,\"seconds\":%.3f,\"per_second\":%.0f,\"p50_ms\":%.3f,"
           "\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"bytes\":%llu}\n",
           (unsigned long long)all.answers, (unsigned long long)all.status[2], took,
           (double)all.answers / took, m ? (double)all.ms[m / 2] : 0,
           m ? (double)all.ms[m * 95 / 100] : 0, m ? (double)all.ms[m * 99 / 100] : 0,
           m ? (double)all.ms[m - 1] : 0, (unsigned long long)all.bytes);
    return 0;
}
