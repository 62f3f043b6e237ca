/* Tests of core/client/http.c against a server in a thread that gives one canned answer. */
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

struct server {
    int fd;
    char url[64];
    const char *answer;
    size_t n_body; /* of the request, to wait for */
    struct pl_buf seen;
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct server *s = arg;
    int fd = accept(s->fd, NULL, NULL);
    for (;;) {
        const char *end = memmem(s->seen.p, s->seen.n, "\r\n\r\n", 4);
        if (end && (size_t)((char *)s->seen.p + s->seen.n - end) >= 4 + s->n_body) {
            break;
        }
        ssize_t k = recv(fd, pl_buf_reserve(&s->seen, 4096), 4096, 0);
        if (k <= 0) {
            break;
        }
        s->seen.n += (size_t)k;
    }
    if (send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL) < 0) {
        abort();
    }
    close(fd);
    return NULL;
}

/* One request and its answer; what the server saw is in s->seen. */
static int push(struct server *s, const char *answer, const char *body, int *status, char *reply)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    *s = (struct server){.answer = answer, .n_body = strlen(body)};
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(s->fd, 1), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    struct pl_push_request r = {
        .url = s->url, .content_type = "application/json", .tenant = "t", .key = "k"};
    int e = pl_push_http(&r, body, strlen(body), status, reply, 100);
    pthread_join(s->thread, NULL);
    close(s->fd);
    pl_buf_u8(&s->seen, 0);
    return e;
}

static void a_body_is_posted_and_the_answer_given(void **state)
{
    struct server s;
    char reply[100];
    int status;
    (void)state;
    int e = push(&s, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                 "[1]", &status, reply);
    assert_int_equal(e, 0);
    assert_int_equal(status, 200);
    assert_string_equal(reply, "{}");
    const char *seen = (const char *)s.seen.p;
    assert_memory_equal(seen, "POST /api/v1/push HTTP/1.1\r\nHost: 127.0.0.1:", 44);
    assert_non_null(strstr(seen, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(seen, "\r\nX-Scope-OrgID: t\r\n"));
    assert_non_null(strstr(seen, "\r\nIdempotency-Key: k\r\n"));
    assert_non_null(strstr(seen, "\r\nContent-Length: 3\r\n"));
    assert_non_null(strstr(seen, "\r\n\r\n[1]"));
    pl_buf_fini(&s.seen);
}

static void each_status_has_its_error(void **state)
{
    static const struct {
        int status, err;
    } cases[] = {{204, 0},         {400, PL_EINVAL},       {404, PL_ENOTFOUND}, {409, PL_EINVAL},
                 {413, PL_ELIMIT}, {415, PL_EUNSUPPORTED}, {429, PL_EBUSY},     {500, PL_EIO},
                 {503, PL_EBUSY},  {507, PL_ENOSPC}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct server s;
        char answer[100], reply[100];
        int status;
        snprintf(answer, sizeof(answer), "HTTP/1.1 %d X\r\n\r\nwords", cases[i].status);
        assert_int_equal(push(&s, answer, "", &status, reply), cases[i].err);
        assert_int_equal(status, cases[i].status);
        assert_string_equal(reply, "words");
        pl_buf_fini(&s.seen);
    }
}

static void what_is_no_answer_is_an_error(void **state)
{
    static const char *const answers[] = {"", "HTTP/1.1 200", "HTTP/1.1 2x0 OK\r\n\r\n", "garbage",
                                          "HTTP/1.1 100 Continue\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        struct server s;
        char reply[100];
        int status;
        assert_int_equal(push(&s, answers[i], "x", &status, reply), PL_EIO);
        assert_int_equal(status, 0);
        assert_true(strlen(reply) > 5);
        pl_buf_fini(&s.seen);
    }
}

static void arguments_that_cannot_be_sent_are_refused(void **state)
{
    struct pl_push_request r = {.url = "https://x"};
    struct pl_client_label none[] = {{"a", ""}};
    char reply[100];
    int status;
    (void)state;
    assert_int_equal(pl_push_http(&r, "", 0, &status, reply, sizeof(reply)), PL_EINVAL);
    r.url = "http://";
    assert_int_equal(pl_push_http(&r, "", 0, &status, reply, sizeof(reply)), PL_EINVAL);
    r.url = "http://x/ y";
    assert_int_equal(pl_push_http(&r, "", 0, &status, reply, sizeof(reply)), PL_EINVAL);
    r.url = "http://127.0.0.1:1";
    r.key = "a\r\nb: c";
    assert_int_equal(pl_push_http(&r, "", 0, &status, reply, sizeof(reply)), PL_EINVAL);
    r.key = NULL;
    assert_int_equal(pl_push_series(&r, none, 1, NULL, NULL, 0, &status, reply, sizeof(reply)),
                     PL_EINVAL);
    assert_int_equal(pl_push_http(&r, "", 0, &status, reply, sizeof(reply)), PL_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_posted_and_the_answer_given),
        cmocka_unit_test(each_status_has_its_error),
        cmocka_unit_test(what_is_no_answer_is_an_error),
        cmocka_unit_test(arguments_that_cannot_be_sent_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
