/* Connections over time, on a clock that the test owns: slow clients, idle ones, those who go away,
 * and the graceful end. The clock is advanced until what must happen happens. */
#include "tests/unit/net/server.h"
#include <pthread.h>
#include <stdatomic.h>

struct fixture {
    struct server s;
    struct pl_clock_manual clock;
    struct pl_clock value;
    struct pl_http_req *_Atomic held;
    _Atomic int aborted, drained;
};

static struct fixture F;
static char head[4096];
static struct pl_buf body, in;

static void on_abort(struct pl_http_req *req)
{
    (void)req;
    F.aborted++;
}

static void more(struct pl_http_req *req)
{
    struct pl_buf part = PL_BUF_INIT;
    if (F.drained++ < 20) {
        memset(pl_buf_reserve(&part, 1 << 20), 'x', 1 << 20);
        part.n = 1 << 20;
        pl_http_reply_write(req, &part);
    } else {
        pl_http_reply_end(req);
    }
}

static void on_request(void *ctx, struct pl_http_req *req)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)ctx;
    if (pl_str_eq(req->path, PL_STR("/hold"))) {
        req->on_abort = on_abort;
        F.held = req;
    } else if (pl_str_eq(req->path, PL_STR("/later"))) {
        F.held = req; /* does not care whether the client is there */
    } else if (pl_str_eq(req->path, PL_STR("/large"))) {
        memset(pl_buf_reserve(&b, 32 << 20), 'x', 32 << 20);
        b.n = 32 << 20;
        pl_http_reply(req, 200, "application/octet-stream", &b);
    } else if (pl_str_eq(req->path, PL_STR("/stream"))) {
        F.drained = 0;
        pl_http_reply_begin(req, 200, "text/plain");
        pl_http_reply_on_drained(req, more);
        more(req);
    } else {
        pl_http_reply_text(req, 200, "ok");
    }
}

static int setup(void **state)
{
    struct pl_net_conf conf;
    (void)state;
    pl_net_conf_default(&conf);
    conf.n_loops = 1;
    F.clock.ms = 1000000;
    F.value = pl_clock_manual(&F.clock);
    conf.clock = &F.value;
    F.held = NULL;
    F.aborted = 0;
    F.s.h = (struct pl_http_handler){.request = on_request};
    server_start(&F.s, &conf);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(&F.s);
    pl_buf_fini(&body);
    pl_buf_fini(&in);
    return 0;
}

/* Advance the clock step by step until fd can be read. @return ms that had to pass */
static int64_t advance_until_readable(int fd, int64_t step)
{
    int64_t from = F.clock.ms;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (int i = 0; poll(&p, 1, 300) == 0; i++) { /* a tick takes 250 ms */
        assert_true(i < 100);
        F.clock.ms += step;
    }
    return F.clock.ms - from;
}

static void post_reply(struct pl_task *t)
{
    struct pl_http_req *req = F.held;
    F.held = NULL;
    pl_http_reply_text(req, 200, "later");
    free(t);
}

static void release(void)
{
    struct pl_task *t = calloc(1, sizeof(*t));
    t->run = post_reply;
    assert_true(pl_loop_post(pl_net_loop(F.s.net, 0), t));
}

/* Until cond holds: other requests make sure that the loop comes round. */
#define AWAIT(cond)                                                                                \
    for (int tries_ = 0; !(cond); tries_++) {                                                      \
        assert_true(tries_ < 20000);                                                               \
        assert_int_equal(ask(F.s.bound, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", head, NULL), 200);    \
    }

static void headers_that_never_end_get_408(void **state)
{
    (void)state;
    int fd = dial(F.s.bound);
    send_z(fd, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    int64_t took = advance_until_readable(fd, 4000);
    assert_in_range(took, 10000, 16000);
    pl_buf_clear(&in);
    assert_int_equal(receive_reply(fd, &in, head, &body), 408);
    assert_non_null(strstr(head, "Connection: close"));
    assert_int_equal(receive(fd, &in), 0);
    close(fd);
    assert_true(server_metric(&F.s, "refused_total{reason=\"header_timeout\"} 1\n"));
}

static void headers_trickled_in_get_no_more_time(void **state)
{
    (void)state;
    int fd = dial(F.s.bound);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t from = F.clock.ms;
    send_z(fd, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    while (poll(&p, 1, 300) == 0) {
        send_z(fd, "x");
        F.clock.ms += 2500;
        assert_true(F.clock.ms - from < 60000);
    }
    pl_buf_clear(&in);
    assert_int_equal(receive_reply(fd, &in, head, &body), 408);
    close(fd);
}

static void a_body_that_comes_too_slowly_gets_408(void **state)
{
    (void)state;
    int fd = dial(F.s.bound);
    send_z(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc");
    int64_t took = advance_until_readable(fd, 2000);
    assert_in_range(took, 5000, 9000);
    pl_buf_clear(&in);
    assert_int_equal(receive_reply(fd, &in, head, &body), 408);
    assert_string_equal((char *)body.p, "the body comes too slowly\n");
    close(fd);
}

static void an_idle_connection_is_closed_silently(void **state)
{
    (void)state;
    int fd = dial(F.s.bound);
    pl_buf_clear(&in);
    send_z(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(receive_reply(fd, &in, head, &body), 200);
    int64_t took = advance_until_readable(fd, 50000);
    assert_in_range(took, 120000, 200000);
    assert_int_equal(receive(fd, &in), 0);
    close(fd);
}

static void a_client_that_does_not_read_is_cut(void **state)
{
    (void)state;
    int fd = dial(F.s.bound);
    send_z(fd, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
    bool cut = false;
    for (int i = 0; i < 100 && !cut; i++) {
        struct pollfd gone = {.fd = fd, .events = 0 /* POLLHUP, POLLERR */};
        F.clock.ms += 30000;
        cut = poll(&gone, 1, 300) == 1;
    }
    assert_true(cut);
    assert_true(server_metric(&F.s, "refused_total{reason=\"write_timeout\"} 1\n"));
    close(fd);
    AWAIT(server_metric(&F.s, "\nperilune_http_inflight_bytes 0\n"));
}

static void a_streaming_writer_goes_on_when_there_is_room(void **state)
{
    size_t got = 0;
    (void)state;
    int fd = dial(F.s.bound);
    send_z(fd, "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    pl_buf_clear(&in);
    for (ssize_t n; (n = receive(fd, &in)) > 0; in.n = 0) {
        got += (size_t)n;
    }
    assert_true(got > (20 << 20) && got < (20 << 20) + 4096);
    assert_int_equal(F.drained, 21);
    close(fd);
}

static void an_answer_may_come_later_and_keeps_its_place(void **state)
{
    (void)state;
    int fd = dial(F.s.bound);
    send_z(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    AWAIT(F.held);
    release();
    pl_buf_clear(&in);
    assert_int_equal(receive_reply(fd, &in, head, &body), 200);
    assert_string_equal((char *)body.p, "later\n");
    assert_int_equal(receive_reply(fd, &in, head, &body), 200);
    assert_string_equal((char *)body.p, "ok\n");
    close(fd);
}

static void a_handler_hears_of_a_client_that_goes_away(void **state)
{
    (void)state;
    int fd = dial(F.s.bound);
    F.aborted = 0;
    send_z(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    AWAIT(F.held);
    close(fd);
    AWAIT(F.aborted == 1);
    release(); /* drops, and frees */
    AWAIT(!F.held);
}

static void a_client_that_closed_its_half_still_gets_its_answer(void **state)
{
    (void)state;
    int fd = dial(F.s.bound);
    send_z(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(fd, SHUT_WR);
    AWAIT(F.held);
    release();
    pl_buf_clear(&in);
    assert_int_equal(receive_reply(fd, &in, head, &body), 200);
    assert_int_equal(receive(fd, &in), 0);
    close(fd);
}

static void *drain(void *arg)
{
    (void)arg;
    pl_net_drain(F.s.net, 8000);
    return NULL;
}

static void draining_finishes_what_is_under_way_and_takes_no_more(void **state)
{
    pthread_t thread;
    struct pollfd p = {.events = POLLIN};
    (void)state;
    int idle = dial(F.s.bound), busy = dial(F.s.bound);
    pl_buf_clear(&in);
    send_z(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(receive_reply(idle, &in, head, &body), 200);
    send_z(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    AWAIT(F.held);
    assert_int_equal(pthread_create(&thread, NULL, drain, NULL), 0);
    p.fd = idle;
    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
    assert_int_equal(receive(idle, &in), 0);
    assert_int_equal(dial(F.s.bound), -1);
    release();
    pl_buf_clear(&in);
    assert_int_equal(receive_reply(busy, &in, head, &body), 200);
    assert_non_null(strstr(head, "Connection: close"));
    assert_int_equal(receive(busy, &in), 0);
    close(busy);
    close(idle);
    pthread_join(thread, NULL);
    assert_true(server_metric(&F.s, "\nperilune_net_connections 0\n"));
}

static void what_does_not_end_in_time_is_cut_when_draining(void **state)
{
    (void)state;
    int fd = dial(F.s.bound);
    F.aborted = 0;
    send_z(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    AWAIT(F.held);
    pl_net_drain(F.s.net, 50);
    assert_int_equal(F.aborted, 1);
    pl_buf_clear(&in);
    assert_true(receive(fd, &in) <= 0);
    close(fd);
    /* it is never answered: pl_net_free frees it (the sanitizer looks) */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(headers_that_never_end_get_408),
        TEST(headers_trickled_in_get_no_more_time),
        TEST(a_body_that_comes_too_slowly_gets_408),
        TEST(an_idle_connection_is_closed_silently),
        TEST(a_client_that_does_not_read_is_cut),
        TEST(a_streaming_writer_goes_on_when_there_is_room),
        TEST(an_answer_may_come_later_and_keeps_its_place),
        TEST(a_handler_hears_of_a_client_that_goes_away),
        TEST(a_client_that_closed_its_half_still_gets_its_answer),
        TEST(draining_finishes_what_is_under_way_and_takes_no_more),
        TEST(what_does_not_end_in_time_is_cut_when_draining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
