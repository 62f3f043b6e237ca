/* The plain transport: TCP and Unix sockets on libuv. Runs on the loop of the io. */
#include "core/net/io.h"
#include "core/net/addr.h"
#include "core/net/loop.h"
#include <sys/socket.h>
#include <unistd.h>

static void on_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct pl__io *io = h->data;
    *buf = uv_buf_init(NULL, 0);
    io->ev->room(io, hint, buf);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct pl__io *io = s->data;
    if (n == 0 || io->closing) {
        return; /* EAGAIN */
    }
    if (n == UV_EOF) {
        io->reading = false;
        uv_read_stop(s);
        n = 0;
    }
    io->ev->read(io, (const uint8_t *)buf->base, n);
}

static void on_written(uv_write_t *w, int status)
{
    struct pl__io *io = w->data;
    io->writing = false;
    io->ev->written(io, status);
}

static void on_closed(uv_handle_t *h)
{
    struct pl__io *io = h->data;
    struct pl_loop *l = io->loop;
    pl__list_remove(&io->link);
    atomic_fetch_sub(&l->n_ios, 1);
    io->ev->closed(io);
    pl__net_io_gone(l->net);
}

static int sock_read_start(struct pl__io *io)
{
    if (io->reading || io->closing) {
        return 0;
    }
    io->reading = true;
    return uv_read_start(&io->uv.stream, on_room, on_read) ? PL_EIO : 0;
}

static void sock_read_stop(struct pl__io *io)
{
    if (io->reading) {
        io->reading = false;
        uv_read_stop(&io->uv.stream);
    }
}

static ssize_t sock_try_write(struct pl__io *io, const uv_buf_t *bufs, unsigned n)
{
    int r = uv_try_write(&io->uv.stream, bufs, n);
    return r == UV_EAGAIN ? 0 : r;
}

static int sock_write(struct pl__io *io, const uv_buf_t *bufs, unsigned n)
{
    io->write.data = io;
    int r = uv_write(&io->write, &io->uv.stream, bufs, n, on_written);
    io->writing = r == 0;
    return r ? PL_EIO : 0;
}

static size_t sock_unsent(const struct pl__io *io)
{
    return uv_stream_get_write_queue_size(&io->uv.stream);
}

static void sock_shutdown(struct pl__io *io)
{
    uv_os_fd_t fd;
    if (uv_fileno(&io->uv.handle, &fd) == 0) {
        shutdown(fd, SHUT_WR);
    }
}

static void sock_close(struct pl__io *io)
{
    if (!io->closing) {
        io->closing = true;
        io->reading = false;
        uv_close(&io->uv.handle, on_closed);
    }
}

static void sock_reset(struct pl__io *io)
{
    struct linger none = {.l_onoff = 1};
    uv_os_fd_t fd;
    if (!io->closing && uv_fileno(&io->uv.handle, &fd) == 0) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    }
    sock_close(io);
}

const struct pl__transport pl__transport_socket = {
    .read_start = sock_read_start,
    .read_stop = sock_read_stop,
    .try_write = sock_try_write,
    .write = sock_write,
    .unsent = sock_unsent,
    .shutdown = sock_shutdown,
    .close = sock_close,
    .reset = sock_reset,
};

int pl__io_open(struct pl__io *io, int fd, bool is_unix)
{
    int r;
    io->t = &pl__transport_socket;
    if (is_unix) {
        memcpy(io->peer, "unix", 5);
        r = uv_pipe_init(&io->loop->uv, &io->uv.pipe, 0);
        io->uv.handle.data = io;
        r = r ? r : uv_pipe_open(&io->uv.pipe, fd);
    } else {
        pl__addr_peer(fd, io->peer, sizeof(io->peer));
        r = uv_tcp_init(&io->loop->uv, &io->uv.tcp);
        io->uv.handle.data = io;
        r = r ? r : uv_tcp_open(&io->uv.tcp, fd);
        if (!r) {
            uv_tcp_nodelay(&io->uv.tcp, 1);
        }
    }
    pl__list_append(&io->loop->ios, &io->link);
    if (r) {
        close(fd);
        sock_close(io);
        return PL_EIO;
    }
    return 0;
}

void pl__io_refused(struct pl_loop *l, int fd)
{
    close(fd);
    atomic_fetch_sub(&l->n_ios, 1);
    pl__net_io_gone(l->net);
}
