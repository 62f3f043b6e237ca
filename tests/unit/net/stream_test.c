/* Raw streams over TCP and Unix sockets. */
#include "tests/unit/net/server.h"
#include <stdatomic.h>
#include <sys/stat.h>

/* The protocol of this test: lines; each is echoed. "bye" closes, "bad" is an error, "wait" pauses
 * the stream until the next tick of `resume`. */
static _Atomic int opened, closed, finished;
static struct pl_stream *_Atomic paused;

static void on_open(void *ctx, struct pl_stream *s)
{
    (void)ctx;
    s->user = calloc(1, 16); /* the sanitizer looks whether close comes */
    assert_true(s->peer.n > 0);
    opened++;
}

static void on_close(void *ctx, struct pl_stream *s)
{
    (void)ctx;
    free(s->user);
    closed++;
}

static int64_t on_data(void *ctx, struct pl_stream *s, const uint8_t *p, size_t n)
{
    struct pl_buf out = PL_BUF_INIT;
    const uint8_t *lf = memchr(p, '\n', n);
    (void)ctx;
    if (!lf) {
        return 0;
    }
    size_t line = (size_t)(lf + 1 - p);
    pl_str text = pl_str_mem(p, line - 1);
    if (pl_str_eq(text, PL_STR("bad"))) {
        return PL_ECORRUPT;
    }
    pl_buf_add(&out, p, line);
    pl_stream_write(s, &out);
    if (pl_str_eq(text, PL_STR("bye"))) {
        pl_stream_close(s);
    } else if (pl_str_eq(text, PL_STR("wait"))) {
        pl_stream_pause(s);
        paused = s;
    }
    return (int64_t)line;
}

static void on_finish(void *ctx, struct pl_stream *s)
{
    struct pl_buf out = PL_BUF_INIT;
    (void)ctx;
    finished++;
    pl_buf_z(&out, "the end\n");
    pl_stream_write(s, &out);
    pl_stream_close(s);
}

static struct pl_net *net;
static struct pl_clock_manual manual;
static struct pl_clock mono;
static char bound[64];
static struct pl_buf in;

static int setup(void **state)
{
    struct pl_net_conf conf;
    struct pl_stream_handler h = {.open = on_open,
                                  .data = on_data,
                                  .close = on_close,
                                  .finish = on_finish,
                                  .max_buffer = 100000,
                                  .idle_timeout_ms = 30000};
    char why[256] = "";
    (void)state;
    pl_net_conf_default(&conf);
    conf.n_loops = 2;
    manual.ms = 1000000;
    mono = pl_clock_manual(&manual);
    conf.clock = &mono;
    opened = closed = finished = 0;
    paused = NULL;
    assert_int_equal(pl_net_new(&conf, &net), 0);
    if (pl_net_stream(net, "127.0.0.1:0", &h, bound, why, sizeof(why)) < 0) {
        fail_msg("%s", why);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pl_net_drain(net, 5000);
    pl_net_free(net);
    assert_int_equal(opened, closed);
    pl_buf_fini(&in);
    return 0;
}

static void expect(int fd, const char *want)
{
    while (in.n < strlen(want) && receive(fd, &in) > 0) {
    }
    assert_int_equal(in.n, strlen(want));
    assert_memory_equal(in.p, want, in.n);
    in.n = 0;
}

static void what_is_not_used_comes_again_with_more(void **state)
{
    static const char text[] = "one\ntwo\nthree\n";
    (void)state;
    int fd = dial(bound);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        send_all(fd, text + i, 1);
    }
    expect(fd, text);
    send_z(fd, "a\nb\nc\nd");
    expect(fd, "a\nb\nc\n");
    send_z(fd, "e\n");
    expect(fd, "de\n");
    close(fd);
}

static void an_error_of_the_handler_closes(void **state)
{
    (void)state;
    int fd = dial(bound);
    send_z(fd, "ok\nbad\nnever\n");
    expect(fd, "ok\n");
    assert_true(receive(fd, &in) <= 0);
    close(fd);
}

static void closing_sends_what_is_pending_first(void **state)
{
    struct pl_buf line = PL_BUF_INIT;
    (void)state;
    int fd = dial(bound);
    memset(pl_buf_reserve(&line, 90000), 'x', 90000);
    line.n = 90000;
    pl_buf_z(&line, "\nbye\nnever\n");
    for (int i = 0; i < 3; i++) {
        send_all(fd, line.p, 90001);
    }
    send_all(fd, line.p, line.n);
    receive_to_end(fd, &in);
    assert_int_equal(in.n, 4 * 90001 + 4);
    assert_string_equal((char *)in.p + in.n - 4, "bye\n");
    in.n = 0;
    close(fd);
    pl_buf_fini(&line);
}

static void resume_task(struct pl_task *t)
{
    struct pl_stream *s = paused;
    paused = NULL;
    pl_stream_resume(s);
    free(t);
}

static void a_paused_stream_gets_nothing_until_it_is_resumed(void **state)
{
    (void)state;
    int fd = dial(bound);
    send_z(fd, "wait\nmore\nand more\n");
    expect(fd, "wait\n");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20), 0);
    while (!paused) {
    }
    struct pl_stream *s = paused;
    struct pl_task *t = calloc(1, sizeof(*t));
    t->run = resume_task;
    assert_true(pl_loop_post(s->loop, t));
    expect(fd, "more\nand more\n");
    close(fd);
}

static void an_endless_line_is_cut_at_the_limit(void **state)
{
    char *x = malloc(300000);
    (void)state;
    int fd = dial(bound);
    memset(x, 'x', 300000);
    ssize_t sent = 0;
    while (sent >= 0 && sent < 300000) {
        ssize_t n = send(fd, x, (size_t)(300000 - sent), MSG_NOSIGNAL);
        sent = n < 0 ? -1 : sent + n;
    }
    assert_true(receive(fd, &in) <= 0);
    free(x);
    close(fd);
}

static void one_who_closes_its_half_gets_the_last_answers(void **state)
{
    (void)state;
    int fd = dial(bound);
    send_z(fd, "last\n");
    shutdown(fd, SHUT_WR);
    expect(fd, "last\nthe end\n");
    assert_int_equal(receive(fd, &in), 0);
    assert_int_equal(finished, 1);
    close(fd);
}

static void draining_lets_the_handler_finish(void **state)
{
    (void)state;
    int fd = dial(bound);
    send_z(fd, "x\n");
    expect(fd, "x\n");
    pl_net_drain(net, 5000);
    expect(fd, "the end\n");
    assert_int_equal(receive(fd, &in), 0);
    close(fd);
}

static void a_silent_stream_is_closed(void **state)
{
    struct pollfd p = {.events = POLLIN};
    (void)state;
    p.fd = dial(bound);
    send_z(p.fd, "x\n");
    expect(p.fd, "x\n");
    for (int i = 0; poll(&p, 1, 300) == 0; i++) {
        assert_true(i < 50);
        manual.ms += 20000;
    }
    assert_int_equal(receive(p.fd, &in), 0);
    close(p.fd);
}

static void a_unix_socket_serves_and_a_stale_one_is_replaced(void **state)
{
    char dir[] = "/tmp/pl_stream_XXXXXX", addr[128], got[64], why[256] = "";
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct pl_stream_handler h = {.open = on_open, .data = on_data, .close = on_close};
    struct stat st;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", dir);
    snprintf(addr, sizeof(addr), "unix:%s", sa.sun_path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(stale, (struct sockaddr *)&sa, sizeof(sa)), 0);
    close(stale);
    if (pl_net_stream(net, addr, &h, got, why, sizeof(why)) < 0) {
        fail_msg("%s", why);
    }
    assert_string_equal(got, addr);
    assert_int_equal(pl_net_stream(net, addr, &h, got, why, sizeof(why)), PL_EEXIST);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    send_z(fd, "hello\n");
    expect(fd, "hello\n");
    pl_net_drain(net, 5000); /* no finish: closed at once */
    assert_int_equal(receive(fd, &in), 0);
    assert_int_equal(stat(sa.sun_path, &st), -1);
    close(fd);
    rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_used_comes_again_with_more),
        TEST(an_error_of_the_handler_closes),
        TEST(closing_sends_what_is_pending_first),
        TEST(a_paused_stream_gets_nothing_until_it_is_resumed),
        TEST(an_endless_line_is_cut_at_the_limit),
        TEST(one_who_closes_its_half_gets_the_last_answers),
        TEST(draining_lets_the_handler_finish),
        TEST(a_silent_stream_is_closed),
        TEST(a_unix_socket_serves_and_a_stale_one_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
