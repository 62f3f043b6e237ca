/* See client.h. Any thread. */
#include "core/client/client.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int64_t pl__client_now(void) { return pl_mono_ns(&pl_clock_real) / 1000000; }

int pl__client_left(int64_t deadline_ms)
{
    if (deadline_ms == INT64_MAX) {
        return -1;
    }
    int64_t left = deadline_ms - pl__client_now();
    return left < 0 ? 0 : left > 1000000 ? 1000000 : (int)left;
}

int pl__client_poll(int fd, bool write, int64_t deadline_ms)
{
    struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (write ? POLLOUT : 0))};
    int k;
    do {
        k = poll(&p, 1, pl__client_left(deadline_ms));
    } while (k < 0 && errno == EINTR);
    return k == 0 ? PL_ETIMEOUT : k < 0 ? PL_EIO : 0;
}

/* A descriptor connected to one address. */
static int connect_to(const struct sockaddr *a, socklen_t n, int64_t deadline_ms, char *why,
                      size_t n_why)
{
    int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, err = 0;
    socklen_t n_err = sizeof(err);
    if (fd < 0) {
        snprintf(why, n_why, "socket: %s", strerror(errno));
        return PL_EIO;
    }
    if (connect(fd, a, n) < 0) {
        err = errno;
        if (err == EINPROGRESS) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            err = ETIMEDOUT;
            if (poll(&p, 1, pl__client_left(deadline_ms)) > 0 &&
                getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n_err) < 0) {
                err = errno;
            }
        }
    }
    if (err) {
        snprintf(why, n_why, "connect: %s", strerror(err));
        close(fd);
        return err == ETIMEDOUT ? PL_ETIMEOUT : PL_EIO;
    }
    if (a->sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    return fd;
}

static int connect_unix(const char *path, int64_t deadline_ms, char *why, size_t n_why)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(a.sun_path)) {
        snprintf(why, n_why, "path of a socket: 1 to %zu bytes", sizeof(a.sun_path) - 1);
        return PL_EINVAL;
    }
    memcpy(a.sun_path, path, n);
    return connect_to((struct sockaddr *)&a, sizeof(a), deadline_ms, why, n_why);
}

int pl__client_connect(const char *address, bool is_unix, int64_t deadline_ms, char *why,
                       size_t n_why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    const char *colon = strrchr(address, ':');
    char host[256];
    if (is_unix) {
        return connect_unix(address, deadline_ms, why, n_why);
    }
    size_t n = colon ? (size_t)(colon - address) : 0;
    if (n >= 2 && address[0] == '[' && address[n - 1] == ']') { /* [::1]:1968 */
        address++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof(host)) {
        snprintf(why, n_why, "\"%s\": host:port is wanted", address);
        return PL_EINVAL;
    }
    memcpy(host, address, n);
    host[n] = 0;
    int k = getaddrinfo(host, colon + 1, &hints, &list), fd = PL_ENOTFOUND;
    if (k) {
        snprintf(why, n_why, "%s: %s", host, gai_strerror(k));
        return PL_ENOTFOUND;
    }
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = connect_to(a->ai_addr, a->ai_addrlen, deadline_ms, why, n_why);
    }
    freeaddrinfo(list);
    return fd;
}

int64_t pl__client_send(int fd, const void *p, size_t n)
{
    ssize_t k;
    do {
        k = send(fd, p, n, MSG_NOSIGNAL);
    } while (k < 0 && errno == EINTR);
    return k >= 0 ? k : errno == EAGAIN || errno == EWOULDBLOCK ? 0 : PL_EIO;
}

int64_t pl__client_receive(int fd, struct pl_buf *in)
{
    uint8_t *to = pl_buf_reserve(in, 16384);
    ssize_t k;
    if (!to) {
        return PL_ENOMEM;
    }
    do {
        k = recv(fd, to, 16384, 0);
    } while (k < 0 && errno == EINTR);
    if (k > 0) {
        in->n += (size_t)k;
        return k;
    }
    return k == 0 ? PL_ECLOSED : errno == EAGAIN || errno == EWOULDBLOCK ? 0 : PL_EIO;
}

int pl__client_labels(struct pl_buf *out, const struct pl_client_label *labels, size_t n_labels)
{
    if (n_labels == 0 || n_labels > 128) {
        return PL_EINVAL;
    }
    pl_mp_w_map(out, (uint32_t)n_labels);
    for (size_t i = 0; i < n_labels; i++) {
        pl_str name = pl_str_c(labels[i].name), value = pl_str_c(labels[i].value);
        if (!name.n || !value.n) {
            return PL_EINVAL;
        }
        pl_mp_w_str(out, name);
        pl_mp_w_str(out, value);
    }
    return out->failed ? PL_ENOMEM : 0;
}
