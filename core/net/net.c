/* The server as a value: its configuration, metrics, loops; graceful end. */
#include "core/net/loop.h"
#include "core/net/io.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void pl_net_conf_default(struct pl_net_conf *c)
{
    *c = (struct pl_net_conf){
        .clock = &pl_clock_real,
        .http_max_connections = 20000,
        .http_max_header_bytes = (size_t)64 << 10,
        .http_max_body_bytes = (size_t)64 << 20,
        .http_max_inflight_bytes = (size_t)1 << 30,
        .http_header_timeout_ms = 10000,
        .http_body_timeout_ms = 60000,
        .http_min_body_rate = 1024,
        .http_idle_timeout_ms = 120000,
        .http_write_timeout_ms = 60000,
    };
}

void pl__account(struct pl_net *n, size_t *account, size_t now)
{
    if (now != *account) {
        atomic_fetch_add_explicit(&n->inflight, (uint64_t)now - (uint64_t)*account,
                                  memory_order_relaxed);
        *account = now;
    }
}

void pl__refused(struct pl_net *n, enum pl__refused why) { pl_count(n->m.refused[why], 1); }

static double n_open(void *ctx) { return (double)atomic_load(&((struct pl_net *)ctx)->n_ios); }

static double n_inflight(void *ctx)
{
    return (double)atomic_load(&((struct pl_net *)ctx)->inflight);
}

void pl__metrics_init(struct pl_net *n, struct pl_metrics *m)
{
    static const char *const reasons[PL__N_REFUSED] = {
        [PL__REFUSED_CONNECTIONS] = "reason=\"connections\"",
        [PL__REFUSED_HEADER] = "reason=\"header_bytes\"",
        [PL__REFUSED_BODY] = "reason=\"body_bytes\"",
        [PL__REFUSED_INFLIGHT] = "reason=\"inflight_bytes\"",
        [PL__REFUSED_HEADER_TIMEOUT] = "reason=\"header_timeout\"",
        [PL__REFUSED_BODY_TIMEOUT] = "reason=\"body_timeout\"",
        [PL__REFUSED_WRITE_TIMEOUT] = "reason=\"write_timeout\"",
        [PL__REFUSED_MALFORMED] = "reason=\"malformed\"",
        [PL__REFUSED_EXPECT] = "reason=\"expectation\"",
        [PL__REFUSED_ADMIT] = "reason=\"not_admitted\"",
    };
    static const char *const classes[6] = {"code=\"other\"", "code=\"1xx\"", "code=\"2xx\"",
                                           "code=\"3xx\"",   "code=\"4xx\"", "code=\"5xx\""};
    n->m.accepted = pl_metrics_counter(m, "perilune_net_accepted_total",
                                       "Connections accepted, refused ones included.", NULL);
    for (size_t i = 0; i < 6; i++) {
        n->m.requests[i] =
            pl_metrics_counter(m, "perilune_http_requests_total",
                               "HTTP requests answered, by class of status.", classes[i]);
    }
    for (size_t i = 0; i < PL__N_REFUSED; i++) {
        n->m.refused[i] = pl_metrics_counter(
            m, "perilune_http_refused_total",
            "Connections and requests refused or cut before a handler saw them whole, by reason.",
            reasons[i]);
    }
    n->m.bytes_in =
        pl_metrics_counter(m, "perilune_net_received_bytes_total", "Bytes received.", NULL);
    n->m.bytes_out = pl_metrics_counter(m, "perilune_net_sent_bytes_total", "Bytes sent.", NULL);
    if (m) {
        pl_metrics_fn(m, "perilune_net_connections", "Connections open.", NULL, false, n_open, n);
        pl_metrics_fn(m, "perilune_http_inflight_bytes",
                      "Bytes held for request bodies and for replies not sent yet.", NULL, false,
                      n_inflight, n);
    }
}

int pl_net_new(const struct pl_net_conf *conf, struct pl_net **out)
{
    struct pl_net *n = calloc(1, sizeof(*n));
    if (!n) {
        return PL_ENOMEM;
    }
    n->conf = *conf;
    n->clock = conf->clock ? *conf->clock : pl_clock_real;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    n->n_loops = conf->n_loops ? conf->n_loops : cores > 0 ? (size_t)cores : 1;
    n->reserve_fd = pl__reserve_open();
    pthread_mutex_init(&n->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&n->gone, &attr);
    pthread_condattr_destroy(&attr);
    pl__metrics_init(n, conf->metrics);
    n->loops = calloc(n->n_loops, sizeof(*n->loops));
    int r = n->loops ? 0 : PL_ENOMEM;
    for (size_t i = 0; i < n->n_loops && r == 0; i++) {
        r = pl__loop_init(&n->loops[i], n, i);
    }
    if (r == 0) {
        uv_timer_init(&n->loops[0].uv, &n->accept_pause);
        n->accept_pause.data = n;
    }
    for (size_t i = 0; i < n->n_loops && r == 0; i++) {
        r = pl__loop_start(&n->loops[i]);
    }
    if (r < 0) {
        pl_net_free(n);
        return r;
    }
    *out = n;
    return 0;
}

int pl_net_http(struct pl_net *n, const char *addr, const struct pl_http_handler *h, char *bound,
                char *why, size_t n_why)
{
    return pl__listen(n, addr, h, NULL, bound, why, n_why);
}

int pl_net_stream(struct pl_net *n, const char *addr, const struct pl_stream_handler *h,
                  char *bound, char *why, size_t n_why)
{
    return pl__listen(n, addr, NULL, h, bound, why, n_why);
}

void pl__net_io_gone(struct pl_net *n)
{
    if (atomic_fetch_sub(&n->n_ios, 1) == 1) {
        pthread_mutex_lock(&n->lock);
        pthread_cond_broadcast(&n->gone);
        pthread_mutex_unlock(&n->lock);
    }
}

static void wait_gone(struct pl_net *n, int64_t timeout_ms)
{
    struct timespec until = pl_deadline_in(timeout_ms);
    pthread_mutex_lock(&n->lock);
    while (atomic_load(&n->n_ios) != 0 &&
           pthread_cond_timedwait(&n->gone, &n->lock, &until) != ETIMEDOUT) {
    }
    pthread_mutex_unlock(&n->lock);
}

static void stop_listening(struct pl_loop *l, void *arg)
{
    (void)arg;
    pl__listeners_close(l->net);
}

static void drain(struct pl_loop *l, void *arg)
{
    (void)arg;
    for (struct pl__list *i = l->ios.next, *next; i != &l->ios; i = next) {
        next = i->next;
        struct pl__io *io = PL__CONTAINER(i, struct pl__io, link);
        io->ev->drain(io);
    }
}

static void kill_all(struct pl_loop *l, void *arg)
{
    (void)arg;
    for (struct pl__list *i = l->ios.next, *next; i != &l->ios; i = next) {
        next = i->next;
        struct pl__io *io = PL__CONTAINER(i, struct pl__io, link);
        io->ev->kill(io);
    }
}

void pl_net_drain(struct pl_net *n, int64_t timeout_ms)
{
    pl__loop_call(&n->loops[0], stop_listening, NULL);
    atomic_store(&n->draining, true);
    for (size_t i = 0; i < n->n_loops; i++) {
        pl__loop_call(&n->loops[i], drain, NULL);
    }
    wait_gone(n, timeout_ms);
    for (size_t i = 0; i < n->n_loops; i++) {
        pl__loop_call(&n->loops[i], kill_all, NULL);
    }
    wait_gone(n, 1000);
}

void pl_net_free(struct pl_net *n)
{
    if (!n) {
        return;
    }
    if (n->loops && n->loops[0].started) {
        pl__loop_call(&n->loops[0], stop_listening, NULL);
    }
    for (size_t i = 0; n->loops && i < n->n_loops; i++) {
        pl__loop_stop(&n->loops[i]);
    }
    for (size_t i = 0; n->loops && i < n->n_loops; i++) {
        pl__loop_fini(&n->loops[i]);
    }
    pl__listeners_free(n);
    if (n->conf.metrics) {
        pl_metrics_forget(n->conf.metrics, n);
    }
    if (n->reserve_fd >= 0) {
        close(n->reserve_fd);
    }
    pthread_cond_destroy(&n->gone);
    pthread_mutex_destroy(&n->lock);
    free(n->loops);
    free(n);
}

size_t pl_net_loops(const struct pl_net *n) { return n->n_loops; }

struct pl_loop *pl_net_loop(struct pl_net *n, size_t i) { return &n->loops[i]; }
