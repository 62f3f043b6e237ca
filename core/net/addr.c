/* Addresses: text -> listening socket, socket -> text. No SO_REUSEPORT: a second server would share
 * the port unnoticed. SO_REUSEADDR, so that a restart need not wait for old connections. */
#include "core/net/addr.h"
#include "perilune/err.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

static const char *errno_text(int e, char *buf, size_t n)
{
    const char *s = strerror_r(e, buf, n);
    if (s != buf) {
        snprintf(buf, n, "%s", s);
    }
    if (buf[0] >= 'A' && buf[0] <= 'Z') {
        buf[0] = (char)(buf[0] | 0x20);
    }
    return buf;
}

static int fail(int e, const char *addr, char *why, size_t n_why)
{
    char text[128];
    snprintf(why, n_why, "%s: %s", addr, errno_text(e, text, sizeof(text)));
    return e == EADDRINUSE ? PL_EEXIST : e == EINVAL ? PL_EINVAL : PL_EIO;
}

bool pl__addr_is_unix(const char *addr) { return strncmp(addr, "unix:", 5) == 0; }

static void format(const struct sockaddr_storage *sa, char *out, size_t n)
{
    char host[INET6_ADDRSTRLEN];
    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)sa;
        inet_ntop(AF_INET, &a->sin_addr, host, sizeof(host));
        snprintf(out, n, "%s:%u", host, ntohs(a->sin_port));
    } else if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)sa;
        if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr)) {
            inet_ntop(AF_INET, &a->sin6_addr.s6_addr[12], host, sizeof(host));
            snprintf(out, n, "%s:%u", host, ntohs(a->sin6_port));
        } else {
            inet_ntop(AF_INET6, &a->sin6_addr, host, sizeof(host));
            snprintf(out, n, "[%s]:%u", host, ntohs(a->sin6_port));
        }
    } else {
        snprintf(out, n, "unix");
    }
}

void pl__addr_peer(int fd, char *out, size_t n)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0) {
        snprintf(out, n, "?");
        return;
    }
    format(&sa, out, n);
}

/* A socket file is stale when nobody answers behind it. */
static bool is_stale(const struct sockaddr_un *sa)
{
    struct stat st;
    if (lstat(sa->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    int r = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
    int e = errno;
    close(fd);
    return r != 0 && e == ECONNREFUSED;
}

static int listen_unix(const char *addr, char *bound, char *why, size_t n_why)
{
    const char *path = addr + 5;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(sa.sun_path)) {
        snprintf(why, n_why, "%s: a socket path has 1 to %zu bytes", addr, sizeof(sa.sun_path) - 1);
        return PL_EINVAL;
    }
    memcpy(sa.sun_path, path, n + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return fail(errno, addr, why, n_why);
    }
    int r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
    if (r != 0 && errno == EADDRINUSE && is_stale(&sa)) {
        unlink(path);
        r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
    }
    if (r == 0) {
        r = chmod(path, 0660); /* owner and group only */
    }
    if (r != 0 || listen(fd, BACKLOG) != 0) {
        int e = errno;
        close(fd);
        return fail(e, addr, why, n_why);
    }
    snprintf(bound, PL__ADDR_TEXT, "%.*s", PL__ADDR_TEXT - 1, addr);
    return fd;
}

/* "HOST:PORT" -> host (may be empty) and port. */
static bool split(const char *addr, char host[256], char port[8])
{
    const char *colon = strrchr(addr, ':');
    if (!colon) {
        return false;
    }
    size_t n = (size_t)(colon - addr);
    if (n >= 2 && addr[0] == '[' && addr[n - 1] == ']') {
        addr++;
        n -= 2;
    } else if (memchr(addr, ':', n)) {
        return false; /* a bare IPv6 address */
    }
    size_t n_port = strlen(colon + 1);
    if (n >= 256 || n_port == 0 || n_port > 5 || strspn(colon + 1, "0123456789") != n_port) {
        return false;
    }
    memcpy(host, addr, n);
    host[n] = 0;
    memcpy(port, colon + 1, n_port + 1);
    return true;
}

static int bind_one(const struct addrinfo *ai, bool dual)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, dual ? &off : &on, sizeof(on));
    }
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static int listen_tcp(const char *addr, char *bound, char *why, size_t n_why)
{
    char host[256], port[8];
    if (!split(addr, host, port)) {
        snprintf(why, n_why, "%s: not an address: HOST:PORT, [IPV6]:PORT, :PORT or unix:/PATH",
                 addr);
        return PL_EINVAL;
    }
    bool any = host[0] == 0;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int r = getaddrinfo(any ? "::" : host, port, &hints, &list);
    if (r != 0) {
        snprintf(why, n_why, "%s: %s", addr, gai_strerror(r));
        return PL_EINVAL;
    }
    int fd = -1, e = EADDRNOTAVAIL;
    for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
        fd = bind_one(ai, any);
        e = fd < 0 ? errno : 0;
        if (e == EADDRINUSE) {
            break; /* the next address of the name is another place, not a way out */
        }
    }
    freeaddrinfo(list);
    if (fd < 0 && any && e != EADDRINUSE) { /* no IPv6 here */
        hints.ai_family = AF_INET;
        if (getaddrinfo(NULL, port, &hints, &list) == 0) {
            fd = bind_one(list, false);
            e = errno;
            freeaddrinfo(list);
        }
    }
    if (fd < 0) {
        return fail(e, addr, why, n_why);
    }
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    getsockname(fd, (struct sockaddr *)&sa, &len);
    format(&sa, bound, PL__ADDR_TEXT);
    return fd;
}

int pl__addr_listen(const char *addr, char *bound, char *why, size_t n_why)
{
    return pl__addr_is_unix(addr) ? listen_unix(addr, bound, why, n_why)
                                  : listen_tcp(addr, bound, why, n_why);
}
