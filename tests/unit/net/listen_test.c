/* Accepting: hand-over, limits, running out of descriptors, addresses that cannot be listened on,
 * and what an idle connection costs. */
#include "tests/unit/net/server.h"
#include "core/net/loop.h"
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>

static void on_request(void *ctx, struct pl_http_req *req)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)ctx;
    pl_buf_f(&b, "loop %zu", pl_loop_index(req->loop));
    pl_http_reply(req, 200, "text/plain", &b);
}

static struct server S;
static char head[4096];
static struct pl_buf body, in;
static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static void start(size_t n_loops, size_t max_connections)
{
    struct pl_net_conf conf;
    pl_net_conf_default(&conf);
    conf.n_loops = n_loops;
    conf.http_max_connections = max_connections;
    S.h = (struct pl_http_handler){.request = on_request};
    server_start(&S, &conf);
}

static int stop(void **state)
{
    (void)state;
    server_stop(&S);
    pl_buf_fini(&body);
    pl_buf_fini(&in);
    return 0;
}

static int ask_on(int fd)
{
    pl_buf_clear(&in);
    send_z(fd, get);
    return receive_reply(fd, &in, head, &body);
}

static void connections_are_spread_over_the_loops(void **state)
{
    int fd[30];
    int on[3] = {0};
    (void)state;
    start(3, 100);
    for (int i = 0; i < 30; i++) {
        fd[i] = dial(S.bound);
        assert_int_equal(ask_on(fd[i]), 200);
        on[body.p[5] - '0']++;
    }
    assert_int_equal(on[0], 10);
    assert_int_equal(on[1], 10);
    assert_int_equal(on[2], 10);
    for (int i = 0; i < 30; i++) {
        close(fd[i]);
    }
}

static void one_connection_too_many_gets_503_and_the_next_is_served(void **state)
{
    int fd[4];
    (void)state;
    start(2, 4);
    for (int i = 0; i < 4; i++) {
        fd[i] = dial(S.bound);
        assert_int_equal(ask_on(fd[i]), 200);
    }
    int more = dial(S.bound);
    pl_buf_clear(&in);
    assert_int_equal(receive_reply(more, &in, head, &body), 503);
    assert_non_null(strstr(head, "Retry-After: 1\r\n"));
    assert_int_equal(receive(more, &in), 0);
    close(more);
    assert_true(server_metric(&S, "perilune_http_refused_total{reason=\"connections\"} 1\n"));
    close(fd[0]);
    int status;
    do { /* until the server has seen the close */
        status = ask(S.bound, get, head, &body);
    } while (status == 503);
    assert_int_equal(status, 200);
    for (int i = 1; i < 4; i++) {
        close(fd[i]);
    }
}

/* Connect n sockets while not one more descriptor can be opened in this process. */
static void connect_without_descriptors(int *fd, int n, struct rlimit *before)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    struct rlimit now;
    sa.sin_port = htons((uint16_t)strtoul(strrchr(S.bound, ':') + 1, NULL, 10));
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < n; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd[i] >= 0);
    }
    int lowest_free = dup(0);
    close(lowest_free);
    getrlimit(RLIMIT_NOFILE, before);
    now = *before;
    now.rlim_cur = (rlim_t)lowest_free;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    for (int i = 0; i < n; i++) {
        assert_int_equal(connect(fd[i], (struct sockaddr *)&sa, sizeof(sa)), 0);
    }
}

static void without_descriptors_new_connections_get_503_and_old_ones_go_on(void **state)
{
    int fd[20];
    struct rlimit before;
    (void)state;
    start(2, 100);
    int old = dial(S.bound);
    assert_int_equal(ask_on(old), 200);
    connect_without_descriptors(fd, 20, &before);
    for (int i = 0; i < 20; i++) {
        pl_buf_clear(&in);
        assert_int_equal(receive_reply(fd[i], &in, head, &body), 503);
    }
    assert_int_equal(ask_on(old), 200);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(ask(S.bound, get, head, &body), 200);
    for (int i = 0; i < 20; i++) {
        close(fd[i]);
    }
    close(old);
}

static void lose_reserve(struct pl_loop *l, void *arg)
{
    (void)arg;
    close(l->net->reserve_fd);
    l->net->reserve_fd = -1;
}

static void without_even_the_reserve_accepting_rests_and_resumes(void **state)
{
    int fd[3];
    struct rlimit before;
    (void)state;
    start(2, 100);
    pl__loop_call(pl_net_loop(S.net, 0), lose_reserve, NULL);
    int filler = dup(0); /* takes the place of the reserve */
    connect_without_descriptors(fd, 3, &before);
    struct timespec t0, t1;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
    struct pollfd p = {.fd = fd[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, 300), 0); /* nobody is accepted */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
    int64_t cpu_ms = (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000;
    assert_in_range(cpu_ms, 0, 150); /* a spinning loop would need all of the 300 ms */
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_on(fd[i]), 200);
        close(fd[i]);
    }
    close(filler);
}

static void a_port_in_use_is_said_so(void **state)
{
    char why[256] = "";
    (void)state;
    start(1, 10);
    assert_int_equal(pl_net_http(S.net, S.bound, &S.h, NULL, why, sizeof(why)), PL_EEXIST);
    assert_non_null(strstr(why, "address already in use"));
    assert_non_null(strstr(why, S.bound));
    static const char *const bad[] = {"",           "nonsense",    "127.0.0.1",
                                      "127.0.0.1:", "127.0.0.1:x", "1.2.3.4:99999",
                                      "::1:80",     "unix:"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why[0] = 0;
        assert_true(pl_net_http(S.net, bad[i], &S.h, NULL, why, sizeof(why)) < 0);
        assert_true(why[0]);
    }
    char bound[64];
    assert_int_equal(pl_net_http(S.net, "localhost:0", &S.h, bound, why, sizeof(why)), 0);
    assert_int_equal(pl_net_http(S.net, ":0", &S.h, bound, why, sizeof(why)), 0);
}

static void an_idle_connection_costs_little_memory(void **state)
{
    enum { N = 1500 };
    static int fd[N];
    struct rlimit limit;
    (void)state;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    start(1, N + 10);
    assert_int_equal(ask(S.bound, get, head, &body), 200);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < N; i++) {
        fd[i] = dial(S.bound);
        assert_true(fd[i] >= 0);
        assert_int_equal(ask_on(fd[i]), 200);
    }
    struct mallinfo2 after = mallinfo2();
    size_t each = (after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / N;
    assert_in_range(each, 0, 2048);
    for (int i = 0; i < N; i++) {
        close(fd[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(connections_are_spread_over_the_loops, stop),
        cmocka_unit_test_teardown(one_connection_too_many_gets_503_and_the_next_is_served, stop),
        cmocka_unit_test_teardown(without_descriptors_new_connections_get_503_and_old_ones_go_on,
                                  stop),
        cmocka_unit_test_teardown(without_even_the_reserve_accepting_rests_and_resumes, stop),
        cmocka_unit_test_teardown(a_port_in_use_is_said_so, stop),
        cmocka_unit_test_teardown(an_idle_connection_costs_little_memory, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
