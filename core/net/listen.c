/* Listening: sockets are polled and accepted on loop 0; each connected descriptor goes to the loop
 * with the fewest connections. (SO_REUSEPORT would let a second server share the port unnoticed,
 * and would let few connections land on one loop.)
 *
 * When descriptors run out the listening socket stays readable, and a loop that only retries would
 * spin. So one descriptor is kept in reserve: give it up, accept, say 503, close, take it back.
 * Where even that fails, accepting rests for 100 ms. */
#include "core/net/addr.h"
#include "core/net/io.h"
#include "core/net/loop.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPT_BATCH 64
#define PAUSE_MS     100
#define WARN_MS      10000

struct pl__listener {
    struct pl__listener *next;
    struct pl_net *net;
    uv_poll_t poll;
    int fd;
    bool is_unix, is_http, polling;
    struct pl_http_handler http;
    struct pl_stream_handler stream;
    char bound[PL__ADDR_TEXT];
    char path[sizeof(
        ((struct sockaddr_un *)0)->sun_path)]; /* of a Unix socket, removed at the end */
};

struct hand_over {
    struct pl_task task;
    struct pl_loop *loop;
    struct pl__listener *from;
    int fd;
};

static void on_acceptable(uv_poll_t *p, int status, int events);

int pl__reserve_open(void) { return eventfd(0, EFD_CLOEXEC); }

static void open_on(struct pl_loop *l, struct pl__listener *from, int fd)
{
    if (atomic_load(&l->net->draining)) {
        pl__io_refused(l, fd);
    } else if (from->is_http) {
        pl__conn_open(l, fd, from->is_unix, &from->http);
    } else {
        pl__stream_open(l, fd, from->is_unix, &from->stream);
    }
}

static void hand_over_run(struct pl_task *t)
{
    struct hand_over *h = PL__CONTAINER(t, struct hand_over, task);
    open_on(h->loop, h->from, h->fd);
    free(h);
}

/* Say why in HTTP, without waiting, and close. */
static void refuse(const struct pl__listener *from, int fd)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Type: text/plain; charset=utf-8\r\n"
                               "Content-Length: 21\r\n"
                               "Retry-After: 1\r\n"
                               "Connection: close\r\n\r\n"
                               "too many connections\n";
    pl__refused(from->net, PL__REFUSED_CONNECTIONS);
    if (from->is_http) {
        char sink[4096];
        ssize_t n = send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        while (n > 0) { /* unread input would turn the close into a reset */
            n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
        }
    }
    close(fd);
}

static void dispatch(struct pl__listener *from, int fd)
{
    struct pl_net *n = from->net;
    pl_count(n->m.accepted, 1);
    if (atomic_load(&n->n_ios) >= n->conf.http_max_connections) {
        refuse(from, fd);
        return;
    }
    struct pl_loop *to = &n->loops[0];
    for (size_t i = 1; i < n->n_loops; i++) {
        if (atomic_load(&n->loops[i].n_ios) < atomic_load(&to->n_ios)) {
            to = &n->loops[i];
        }
    }
    atomic_fetch_add(&n->n_ios, 1);
    atomic_fetch_add(&to->n_ios, 1);
    if (to->index == 0) {
        open_on(to, from, fd);
        return;
    }
    struct hand_over *h = malloc(sizeof(*h));
    if (h) {
        *h = (struct hand_over){.task.run = hand_over_run, .loop = to, .from = from, .fd = fd};
        if (pl_loop_post(to, &h->task)) {
            return;
        }
        free(h);
    }
    pl__io_refused(to, fd);
}

static void poll_start(struct pl__listener *l)
{
    if (l->fd >= 0 && !l->polling) {
        l->polling = uv_poll_start(&l->poll, UV_READABLE, on_acceptable) == 0;
    }
}

static void on_pause_over(uv_timer_t *t)
{
    struct pl_net *n = t->data;
    if (n->reserve_fd < 0) {
        n->reserve_fd = pl__reserve_open();
    }
    for (struct pl__listener *l = n->listeners; l; l = l->next) {
        poll_start(l);
    }
}

static void accept_rest(struct pl_net *n)
{
    for (struct pl__listener *l = n->listeners; l; l = l->next) {
        if (l->polling) {
            uv_poll_stop(&l->poll);
            l->polling = false;
        }
    }
    uv_timer_start(&n->accept_pause, on_pause_over, PAUSE_MS, 0);
}

/* No descriptor was free. @return true: one waiting connection was refused, go on */
static bool refuse_by_reserve(struct pl__listener *l)
{
    struct pl_net *n = l->net;
    int64_t now = pl__now(&n->loops[0]);
    if (n->fd_warned_ms == 0 || now - n->fd_warned_ms > WARN_MS) {
        n->fd_warned_ms = now;
        pl_logf(n->conf.log, PL_WARN, "net", "out of file descriptors, refusing connections",
                "addr=%s open=%zu", l->bound, atomic_load(&n->n_ios));
    }
    if (n->reserve_fd < 0) {
        return false;
    }
    close(n->reserve_fd);
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        pl_count(n->m.accepted, 1);
        refuse(l, fd);
    }
    n->reserve_fd = pl__reserve_open();
    return fd >= 0 && n->reserve_fd >= 0;
}

static void on_acceptable(uv_poll_t *p, int status, int events)
{
    struct pl__listener *l = p->data;
    (void)events;
    if (status < 0) {
        accept_rest(l->net);
        return;
    }
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            dispatch(l, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE) {
            if (!refuse_by_reserve(l)) {
                accept_rest(l->net);
                return;
            }
        } else if (errno == ENOBUFS || errno == ENOMEM) {
            accept_rest(l->net);
            return;
        } /* else: this one went away before it was accepted */
    }
}

struct start {
    struct pl__listener *l;
    int result;
};

static void start(struct pl_loop *loop, void *arg)
{
    struct start *s = arg;
    struct pl__listener *l = s->l;
    if (uv_poll_init(&loop->uv, &l->poll, l->fd) != 0) {
        s->result = PL_EIO;
        return;
    }
    l->poll.data = l;
    poll_start(l);
    l->next = l->net->listeners;
    l->net->listeners = l;
}

int pl__listen(struct pl_net *n, const char *addr, const struct pl_http_handler *http,
               const struct pl_stream_handler *stream, char *bound, char *why, size_t n_why)
{
    char text[PL__ADDR_TEXT];
    int fd = pl__addr_listen(addr, text, why, n_why);
    if (fd < 0) {
        return fd;
    }
    struct pl__listener *l = calloc(1, sizeof(*l));
    if (!l) {
        close(fd);
        snprintf(why, n_why, "%s: out of memory", addr);
        return PL_ENOMEM;
    }
    l->net = n;
    l->fd = fd;
    l->is_unix = pl__addr_is_unix(addr);
    l->is_http = http != NULL;
    if (http) {
        l->http = *http;
    } else {
        l->stream = *stream;
    }
    memcpy(l->bound, text, sizeof(text));
    snprintf(l->path, sizeof(l->path), "%s", l->is_unix ? addr + 5 : "");
    struct start s = {.l = l};
    pl__loop_call(&n->loops[0], start, &s);
    if (s.result < 0) {
        snprintf(why, n_why, "%s: cannot be polled", addr);
        close(fd);
        free(l);
        return s.result;
    }
    if (bound) {
        memcpy(bound, text, sizeof(text));
    }
    pl_logf(n->conf.log, PL_INFO, "net", "listening", "addr=%s protocol=%s", text,
            http ? "http" : "stream");
    return 0;
}

void pl__listeners_close(struct pl_net *n)
{
    uv_timer_stop(&n->accept_pause);
    for (struct pl__listener *l = n->listeners; l; l = l->next) {
        if (l->fd >= 0) {
            uv_close((uv_handle_t *)&l->poll, NULL);
            close(l->fd);
            l->fd = -1;
            l->polling = false;
            if (l->is_unix) {
                unlink(l->path);
            }
        }
    }
}

void pl__listeners_free(struct pl_net *n)
{
    while (n->listeners) {
        struct pl__listener *l = n->listeners;
        n->listeners = l->next;
        free(l);
    }
}
