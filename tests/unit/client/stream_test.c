/* Tests of core/client/stream.c against a small server in a thread, which reads whole messages and
 * does with the connection what the test's script says. */
#include "core/base/base.h"
#include "core/codec/codec.h"
#include "perilune/push.h"
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* One connection: how it begins and how long it goes. */
struct script {
    uint64_t last; /* told in hello */
    unsigned acks; /* batches acknowledged; the next one ends the connection */
    bool reject;   /* the first batch: handle unknown */
    int refuse;    /* answer hello with this status */
    bool garbage;  /* answer hello with what is no msgpack stream */
};

struct server {
    int fd;
    char url[64];
    pthread_t thread;
    const struct script *scripts;
    size_t n_scripts;
    /* what it saw */
    size_t n_connections, n_definitions, n_seqs;
    uint64_t seqs[64];
};

static void answer(int fd, struct pl_buf *out)
{
    assert_int_equal(send(fd, out->p, out->n, MSG_NOSIGNAL), out->n);
    pl_buf_clear(out);
}

static void say_hello(int fd, const struct script *s, struct pl_buf *out)
{
    if (s->garbage) {
        pl_buf_z(out, "HTTP/1.1 400 Bad Request\r\n\r\n");
    } else if (s->refuse) {
        pl_mp_w_array(out, 3);
        pl_mp_w_uint(out, 15);
        pl_mp_w_int(out, s->refuse);
        pl_mp_w_str(out, PL_STR("go away"));
    } else {
        pl_mp_w_array(out, 2);
        pl_mp_w_uint(out, 0);
        pl_mp_w_map(out, 2);
        pl_mp_w_str(out, PL_STR("version"));
        pl_mp_w_uint(out, 1);
        pl_mp_w_str(out, PL_STR("last"));
        pl_mp_w_uint(out, s->last);
    }
    answer(fd, out);
}

/* False: the connection is to end. */
static bool take(struct server *sv, int fd, const struct script *s, struct pl_mp m, unsigned *acked)
{
    struct pl_mp_val head, kind, seq;
    struct pl_buf out = PL_BUF_INIT;
    pl_mp_next(&m, &head);
    pl_mp_next(&m, &kind);
    if (kind.u == 0) {
        say_hello(fd, s, &out);
        pl_buf_fini(&out);
        return !s->refuse && !s->garbage;
    }
    pl_mp_next(&m, &seq);
    if (kind.u == 1) {
        sv->n_definitions++;
        return true;
    }
    if (*acked == s->acks) {
        return false;
    }
    sv->seqs[sv->n_seqs++ % 64] = seq.u;
    bool reject = s->reject && *acked == 0;
    pl_mp_w_array(&out, reject ? 4 : 2);
    pl_mp_w_uint(&out, reject ? 3 : 2);
    pl_mp_w_uint(&out, seq.u);
    if (reject) {
        pl_mp_w_uint(&out, 1);
        pl_mp_w_array(&out, 1);
        pl_mp_w_array(&out, 2);
        pl_mp_w_uint(&out, 0);
        pl_mp_w_str(&out, PL_STR("handle"));
    }
    ++*acked;
    answer(fd, &out);
    pl_buf_fini(&out);
    return true;
}

static void *serve(void *arg)
{
    struct server *sv = arg;
    for (size_t i = 0; i < sv->n_scripts; i++) {
        int fd = accept(sv->fd, NULL, NULL);
        struct pl_buf in = PL_BUF_INIT;
        unsigned acked = 0;
        bool on = fd >= 0;
        sv->n_connections++;
        while (on) {
            uint8_t *to = pl_buf_reserve(&in, 65536);
            ssize_t k = recv(fd, to, 65536, 0);
            struct pl_mp m;
            if (k <= 0) {
                break;
            }
            in.n += (size_t)k;
            for (m = pl_mp(pl_buf_view(&in)); on;) {
                struct pl_mp one = m;
                if (pl_mp_skip(&m) < 1) {
                    break;
                }
                on = take(sv, fd, &sv->scripts[i], one, &acked);
            }
            size_t left = (size_t)(m.end - m.p);
            memmove(in.p, m.p, left);
            in.n = left;
        }
        shutdown(fd, SHUT_WR);
        while (fd >= 0 && recv(fd, (char[256]){0}, 256, 0) > 0) {
        }
        close(fd);
        pl_buf_fini(&in);
    }
    return NULL;
}

static void start(struct server *sv, const struct script *scripts, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n_a = sizeof(a);
    *sv = (struct server){.scripts = scripts, .n_scripts = n};
    sv->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(sv->fd, (struct sockaddr *)&a, n_a), 0);
    assert_int_equal(listen(sv->fd, 8), 0);
    assert_int_equal(getsockname(sv->fd, (struct sockaddr *)&a, &n_a), 0);
    snprintf(sv->url, sizeof(sv->url), "tcp://127.0.0.1:%d", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&sv->thread, NULL, serve, sv), 0);
}

static void stop(struct server *sv)
{
    pthread_join(sv->thread, NULL);
    close(sv->fd);
}

static struct pl_client_conf conf_of(const struct server *sv)
{
    struct pl_client_conf conf;
    pl_client_conf_default(&conf);
    conf.url = sv->url;
    conf.producer = "test";
    conf.batch_samples = 2;
    return conf;
}

static const struct pl_client_label labels[] = {{"__name__", "up"}, {"job", "a"}};

static struct pl_client *must_open(const struct pl_client_conf *conf, uint32_t *handle)
{
    struct pl_client *c = NULL;
    char why[200] = "";
    if (pl_client_open(conf, &c, why, sizeof(why)) < 0) {
        fail_msg("%s", why);
    }
    assert_int_equal(pl_client_define(c, labels, 2, handle), 0);
    return c;
}

static void samples_go_in_numbered_batches_from_where_the_server_stands(void **state)
{
    static const struct script scripts[] = {{.last = 40, .acks = 99}};
    struct server sv;
    uint32_t h;
    (void)state;
    start(&sv, scripts, 1);
    struct pl_client_conf conf = conf_of(&sv);
    struct pl_client *c = must_open(&conf, &h);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pl_client_add(c, h, 1000 + i, i), 0);
    }
    assert_int_equal(pl_client_wait(c, 10000), 0);
    assert_int_equal(pl_client_acknowledged(c), 43);
    assert_int_equal(pl_client_pending(c), 0);
    uint32_t bad = 7;
    int64_t t = 1;
    double v = 1;
    assert_int_equal(pl_client_write(c, &bad, &t, &v, 1, NULL), PL_EINVAL);
    assert_int_equal(pl_client_add(c, bad, t, v), PL_EINVAL);
    pl_client_close(c);
    stop(&sv);
    assert_int_equal(sv.n_definitions, 1);
    assert_int_equal(sv.n_seqs, 3);
    assert_int_equal(sv.seqs[0], 41);
}

static void after_a_break_it_goes_on_behind_what_the_server_has(void **state)
{
    /* Acknowledges 1, gets 2 and 3 and has made 2 durable without a word. */
    static const struct script scripts[] = {{.last = 0, .acks = 1}, {.last = 2, .acks = 99}};
    struct server sv;
    uint32_t h;
    (void)state;
    start(&sv, scripts, 2);
    struct pl_client_conf conf = conf_of(&sv);
    struct pl_client *c = must_open(&conf, &h);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pl_client_add(c, h, 1000 + i, i), 0);
    }
    assert_int_equal(pl_client_wait(c, 10000), 0);
    assert_int_equal(pl_client_acknowledged(c), 3);
    pl_client_close(c);
    stop(&sv);
    assert_int_equal(sv.n_connections, 2);
    assert_int_equal(sv.n_definitions, 2);
    assert_int_equal(sv.n_seqs, 2);
    assert_int_equal(sv.seqs[0], 1);
    assert_int_equal(sv.seqs[1], 3);
}

static void handles_that_the_server_forgot_are_defined_again_and_the_batch_is_repeated(void **state)
{
    static const struct script scripts[] = {{.last = 0, .acks = 99, .reject = true}};
    struct server sv;
    uint32_t h;
    (void)state;
    start(&sv, scripts, 1);
    struct pl_client_conf conf = conf_of(&sv);
    struct pl_client *c = must_open(&conf, &h);
    assert_int_equal(pl_client_add(c, h, 1000, 1), 0);
    assert_int_equal(pl_client_wait(c, 10000), 0);
    pl_client_close(c);
    stop(&sv);
    assert_int_equal(sv.n_definitions, 2);
    assert_int_equal(sv.n_seqs, 2);
    assert_int_equal(sv.seqs[1], 2);
}

static void a_full_buffer_is_an_error_after_a_time_and_nothing_is_lost(void **state)
{
    static const struct script scripts[] = {{.last = 0, .acks = 0}, {.last = 0, .acks = 99}};
    struct server sv;
    uint32_t h;
    uint64_t seq = 0;
    (void)state;
    start(&sv, scripts, 1); /* the second connection waits to be accepted */
    struct pl_client_conf conf = conf_of(&sv);
    conf.buffer_bytes = 100;
    conf.timeout_ms = 50;
    struct pl_client *c = must_open(&conf, &h);
    int64_t t = 1000;
    double v = 1;
    assert_int_equal(pl_client_write(c, &h, &t, &v, 1, &seq), 0);
    int e = 0;
    while (e == 0 && seq < 10) {
        e = pl_client_write(c, &h, &t, &v, 1, &seq);
    }
    assert_int_equal(e, PL_EBUSY);
    assert_true(pl_client_pending(c) <= 100);
    assert_int_equal(pl_client_wait(c, 1), PL_ETIMEOUT);
    pthread_join(sv.thread, NULL);
    sv.scripts = scripts + 1;
    assert_int_equal(pthread_create(&sv.thread, NULL, serve, &sv), 0);
    assert_int_equal(pl_client_wait(c, 10000), 0);
    assert_int_equal(pl_client_acknowledged(c), seq);
    pl_client_close(c);
    stop(&sv);
}

static void a_server_that_refuses_or_is_none_says_so_at_once(void **state)
{
    static const struct script scripts[] = {{.refuse = 404}, {.garbage = true}};
    struct server sv;
    struct pl_client *c;
    char why[200];
    (void)state;
    start(&sv, scripts, 2);
    struct pl_client_conf conf = conf_of(&sv);
    assert_int_equal(pl_client_open(&conf, &c, why, sizeof(why)), PL_ENOTFOUND);
    assert_non_null(strstr(why, "go away"));
    assert_int_equal(pl_client_open(&conf, &c, why, sizeof(why)), PL_EUNSUPPORTED);
    stop(&sv);
    assert_int_equal(pl_client_open(&conf, &c, why, sizeof(why)), PL_EIO); /* nobody listens now */
    conf.url = "http://x";
    assert_int_equal(pl_client_open(&conf, &c, why, sizeof(why)), PL_EINVAL);
    conf.url = "unix:/nonexistent/socket";
    assert_int_equal(pl_client_open(&conf, &c, why, sizeof(why)), PL_EIO);
    conf.producer = "";
    assert_int_equal(pl_client_open(&conf, &c, why, sizeof(why)), PL_EINVAL);
    pl_client_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_go_in_numbered_batches_from_where_the_server_stands),
        cmocka_unit_test(after_a_break_it_goes_on_behind_what_the_server_has),
        cmocka_unit_test(
            handles_that_the_server_forgot_are_defined_again_and_the_batch_is_repeated),
        cmocka_unit_test(a_full_buffer_is_an_error_after_a_time_and_nothing_is_lost),
        cmocka_unit_test(a_server_that_refuses_or_is_none_says_so_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
