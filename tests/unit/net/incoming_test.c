/* Requests as they come over the wire: bodies, expectations, limits, encodings, bad input. */
#include "tests/unit/net/server.h"
#include "core/codec/codec.h"

#define MAX_HEADER   4096
#define MAX_BODY     400000
#define MAX_INFLIGHT 600000

static struct server S;
static char head[4096];
static struct pl_buf body, in;
static struct pl_http_req *_Atomic held; /* written by the only loop */

static int on_admit(void *ctx, struct pl_http_req *req, uint64_t length, const char **why)
{
    (void)ctx;
    (void)length;
    if (pl_str_eq(req->path, PL_STR("/secret"))) {
        *why = "who are you?";
        return 401;
    }
    return 0;
}

static void answer_decoded(struct pl_http_req *req)
{
    pl_str plain;
    struct pl_buf b = PL_BUF_INIT, room = PL_BUF_INIT;
    int r = pl_http_body_decode(req, 1000000, &room, &plain);
    if (r < 0) {
        pl_buf_fini(&room);
        pl_http_reply_text(req,
                           r == PL_ELIMIT         ? 413
                           : r == PL_EUNSUPPORTED ? 415
                           : r == PL_EBUSY        ? 429
                                                  : 400,
                           pl_err_text(r));
        return;
    }
    pl_buf_str(&b, plain);
    pl_buf_fini(&room);
    pl_http_reply(req, 200, "application/octet-stream", &b);
}

static void on_request(void *ctx, struct pl_http_req *req)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)ctx;
    if (pl_str_eq(req->path, PL_STR("/hold"))) {
        held = req;
    } else if (pl_str_eq(req->path, PL_STR("/release"))) {
        pl_http_reply_text(held, 200, "held");
        pl_http_reply_text(req, 200, "released");
    } else if (pl_str_eq(req->path, PL_STR("/decode"))) {
        answer_decoded(req);
    } else if (pl_str_eq(req->path, PL_STR("/about"))) {
        pl_buf_f(&b, "%.*s|%.*s|%.*s|%.*s", PL_PRS(req->method_text), PL_PRS(req->target),
                 PL_PRS(req->path), PL_PRS(req->query));
        pl_http_reply(req, 200, "text/plain", &b);
    } else {
        pl_buf_str(&b, req->body);
        pl_http_reply(req, 200, "application/octet-stream", &b);
    }
}

static int setup(void **state)
{
    struct pl_net_conf conf;
    (void)state;
    pl_net_conf_default(&conf);
    conf.n_loops = 1;
    conf.http_max_header_bytes = MAX_HEADER;
    conf.http_max_body_bytes = MAX_BODY;
    conf.http_max_inflight_bytes = MAX_INFLIGHT;
    S.h = (struct pl_http_handler){.request = on_request, .admit = on_admit};
    server_start(&S, &conf);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(&S);
    pl_buf_fini(&body);
    pl_buf_fini(&in);
    return 0;
}

static struct pl_buf bytes(size_t n)
{
    struct pl_buf b = PL_BUF_INIT;
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        pl_buf_u8(&b, (uint8_t)(x >> 24));
    }
    return b;
}

static void a_request_is_understood_one_byte_at_a_time(void **state)
{
    static const char text[] =
        "\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;x\r\nbye\r\n0\r\n\r\n";
    (void)state;
    int fd = dial(S.bound);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        send_all(fd, text + i, 1);
    }
    pl_buf_clear(&in);
    assert_int_equal(receive_reply(fd, &in, head, &body), 200);
    assert_string_equal((char *)body.p, "hello");
    assert_int_equal(receive_reply(fd, &in, head, &body), 200);
    assert_string_equal((char *)body.p, "bye");
    close(fd);
}

static void path_and_query_are_given_decoded_and_as_sent(void **state)
{
    (void)state;
    ask(S.bound, "GET /%61bout?a=%20+b HTTP/1.1\r\nHost: a\r\n\r\n", head, &body);
    assert_string_equal((char *)body.p, "GET|/%61bout?a=%20+b|/about|a=%20+b");
    ask(S.bound, "GET http://a:1/about?x HTTP/1.1\r\nHost: a\r\n\r\n", head, &body);
    assert_string_equal((char *)body.p, "GET|http://a:1/about?x|/about|x");
    ask(S.bound, "PATCH /about HTTP/1.1\r\nHost: a\r\n\r\n", head, &body);
    assert_string_equal((char *)body.p, "PATCH|/about|/about|");
    assert_int_equal(ask(S.bound, "GET /%6 HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 400);
    assert_int_equal(ask(S.bound, "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 400);
}

static void large_bodies_arrive_whole(void **state)
{
    struct pl_buf b = bytes(MAX_BODY), request = PL_BUF_INIT;
    (void)state;
    int fd = dial(S.bound);
    pl_buf_clear(&in);
    for (int chunked = 0; chunked < 2; chunked++) {
        pl_buf_clear(&request);
        if (chunked) {
            pl_buf_z(&request,
                     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (size_t i = 0; i < b.n; i += 100000) {
                pl_buf_f(&request, "%x\r\n", 100000);
                pl_buf_add(&request, b.p + i, 100000);
                pl_buf_z(&request, "\r\n");
            }
            pl_buf_z(&request, "0\r\n\r\n");
        } else {
            pl_buf_f(&request, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                     b.n);
            pl_buf_add(&request, b.p, b.n);
        }
        send_all(fd, request.p, request.n);
        assert_int_equal(receive_reply(fd, &in, head, &body), 200);
        assert_int_equal(body.n, b.n);
        assert_memory_equal(body.p, b.p, b.n);
    }
    close(fd);
    pl_buf_fini(&b);
    pl_buf_fini(&request);
}

static void continue_is_sent_only_when_the_request_is_admitted(void **state)
{
    (void)state;
    int fd = dial(S.bound);
    pl_buf_clear(&in);
    send_z(fd,
           "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n");
    assert_int_equal(receive_reply(fd, &in, head, &body), 100);
    send_z(fd, "ok");
    assert_int_equal(receive_reply(fd, &in, head, &body), 200);
    assert_string_equal((char *)body.p, "ok");
    send_z(fd,
           "POST /secret HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(receive_reply(fd, &in, head, &body), 401);
    assert_string_equal((char *)body.p, "who are you?\n");
    close(fd);
    assert_int_equal(
        ask(S.bound, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: tea\r\n\r\n",
            head, &body),
        417);
}

static void a_refused_small_body_does_not_cost_the_connection(void **state)
{
    (void)state;
    int fd = dial(S.bound);
    pl_buf_clear(&in);
    send_z(fd, "POST /secret HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nGET / "
               "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
    assert_int_equal(receive_reply(fd, &in, head, &body), 401);
    assert_null(strstr(head, "close"));
    assert_int_equal(receive_reply(fd, &in, head, &body), 200);
    assert_string_equal((char *)body.p, "ok");
    close(fd);
}

static void too_much_is_refused_by_its_name(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    pl_buf_z(&b, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 70000; i++) {
        pl_buf_u8(&b, 'x');
    }
    pl_buf_u8(&b, 0);
    assert_int_equal(ask(S.bound, (char *)b.p, head, &body), 431);
    assert_non_null(strstr(head, "Connection: close"));
    assert_int_equal(ask(S.bound,
                         "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 400001\r\n\r\n", head,
                         &body),
                     413);
    pl_buf_clear(&b); /* all of it is sent: the reason must arrive in spite of what is unread */
    pl_buf_z(&b, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7a120\r\n");
    for (int i = 0; i < 500000; i++) {
        pl_buf_u8(&b, 'x');
    }
    pl_buf_z(&b, "\r\n0\r\n\r\n");
    int fd = dial(S.bound);
    pl_buf_clear(&in);
    send_all(fd, b.p, b.n);
    assert_int_equal(receive_reply(fd, &in, head, &body), 413);
    assert_string_equal((char *)body.p, "the body is larger than the limit\n");
    close(fd);
    pl_buf_fini(&b);
}

static void bad_requests_get_400_and_a_reason(void **state)
{
    (void)state;
    assert_int_equal(ask(S.bound,
                         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
                         "chunked\r\n\r\n0\r\n\r\n",
                         head, &body),
                     400);
    assert_true(body.n > 10);
    assert_non_null(strstr(head, "Connection: close"));
    assert_int_equal(ask(S.bound, "hello\r\n\r\n", head, &body), 400);
    assert_int_equal(ask(S.bound,
                         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                         head, &body),
                     400);
    assert_string_equal((char *)body.p, "the chunked body is malformed\n");
    assert_true(server_metric(&S, "perilune_http_refused_total{reason=\"malformed\"}"));
}

static void bytes_in_flight_are_bounded_over_all_connections(void **state)
{
    struct pl_buf b = bytes(350000), first = PL_BUF_INIT, other = PL_BUF_INIT;
    (void)state;
    int a = dial(S.bound);
    pl_buf_f(&first, "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", b.n);
    pl_buf_add(&first, b.p, b.n);
    send_all(a, first.p, first.n);
    /* the second one may come before the first is held whole: announced and growing count alike */
    int c = dial(S.bound);
    pl_buf_z(&other,
             "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n55730\r\n");
    pl_buf_add(&other, b.p, b.n);
    pl_buf_clear(&in);
    while (!held) { /* the loop's own order makes it visible: each reply comes after */
        assert_int_equal(ask(S.bound, "GET /about HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 200);
    }
    send_all(c, other.p, other.n);
    assert_int_equal(receive_reply(c, &in, head, &body), 429);
    assert_non_null(strstr(head, "\r\nRetry-After: 1\r\n"));
    close(c);
    assert_int_equal(ask(S.bound,
                         "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 350000\r\n\r\n", head,
                         &body),
                     429);
    assert_non_null(strstr(head, "\r\nRetry-After: 1\r\n"));
    assert_int_equal(ask(S.bound, "GET /release HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 200);
    pl_buf_clear(&in);
    assert_int_equal(receive_reply(a, &in, head, &body), 200);
    pl_buf_clear(&first);
    pl_buf_f(&first, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", b.n);
    pl_buf_add(&first, b.p, b.n);
    send_all(a, first.p, first.n);
    assert_int_equal(receive_reply(a, &in, head, &body), 200);
    assert_int_equal(body.n, b.n);
    close(a);
    pl_buf_fini(&b);
    pl_buf_fini(&first);
    pl_buf_fini(&other);
}

static void unfinished_headers_count_as_bytes_in_flight(void **state)
{
    enum { N = 8, PART = 60000 };
    struct server small = {.h = {.request = on_request}};
    struct pl_net_conf conf;
    int fd[N], refused = 0;
    char *part = malloc(PART);
    (void)state;
    pl_net_conf_default(&conf);
    conf.n_loops = 1;
    conf.http_max_inflight_bytes = 200000; /* of 8 x 60,000 */
    server_start(&small, &conf);
    memset(part, 'x', PART);
    memcpy(part, "GET /about HTTP/1.1\r\nHost: a\r\nX: ", 33);
    for (int i = 0; i < N; i++) {
        fd[i] = dial(small.bound);
        send_all(fd[i], part, PART);
    }
    for (int i = 0; i < N; i++) { /* after this the others can end their headers */
        send(fd[i], "\r\n\r\n", 4, MSG_NOSIGNAL);
        pl_buf_clear(&in);
        int status = receive_reply(fd[i], &in, head, &body);
        assert_true(status == 200 || status == 429);
        refused += status == 429;
        close(fd[i]);
    }
    assert_in_range(refused, 1, N - 1);
    assert_int_equal(ask(small.bound, "GET /about HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 200);
    free(part);
    server_stop(&small);
}

static void requests_without_a_body_are_served_while_memory_is_short(void **state)
{
    struct pl_buf b = bytes(350000), request = PL_BUF_INIT;
    int holder[2];
    (void)state;
    for (int i = 0; i < 2; i++) { /* 700,000 announced, and held or refused: near the limit */
        holder[i] = dial(S.bound);
        pl_buf_clear(&request);
        pl_buf_f(&request, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", b.n);
        pl_buf_add(&request, b.p, b.n - 1);
        send_all(holder[i], request.p, request.n);
    }
    int fd = dial(S.bound);
    pl_buf_clear(&in);
    for (int i = 0; i < 20; i++) {
        send_z(fd,
               "GET /about?1 HTTP/1.1\r\nHost: a\r\n\r\nGET /about?2 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(receive_reply(fd, &in, head, &body), 200);
        assert_string_equal((char *)body.p, "GET|/about?1|/about|1");
        assert_int_equal(receive_reply(fd, &in, head, &body), 200);
        assert_string_equal((char *)body.p, "GET|/about?2|/about|2");
    }
    close(fd);
    close(holder[0]);
    close(holder[1]);
    while (!server_metric(&S, "\nperilune_http_inflight_bytes 0\n")) {
        ask(S.bound, "GET /about HTTP/1.1\r\nHost: a\r\n\r\n", head, &body);
    }
    pl_buf_fini(&b);
    pl_buf_fini(&request);
}

static int post_encoded(const char *encoding, pl_str payload)
{
    struct pl_buf request = PL_BUF_INIT;
    int fd = dial(S.bound);
    pl_buf_f(
        &request,
        "POST /decode HTTP/1.1\r\nHost: a\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
        encoding, payload.n);
    pl_buf_str(&request, payload);
    send_all(fd, request.p, request.n);
    pl_buf_clear(&in);
    int status = receive_reply(fd, &in, head, &body);
    close(fd);
    pl_buf_fini(&request);
    return status;
}

static int gzip(pl_str src, struct pl_buf *out) { return pl_gzip_encode(src, 1, out); }

static int zstd(pl_str src, struct pl_buf *out) { return pl_zstd_encode(src, 1, out); }

static void encoded_bodies_are_undone_and_bombs_refused(void **state)
{
    static const struct {
        const char *name;
        int (*encode)(pl_str src, struct pl_buf *out);
    } codings[] = {{"gzip", gzip}, {"x-gzip", gzip}, {"zstd", zstd}, {"Snappy", pl_snappy_encode}};
    struct pl_buf plain = bytes(10000), bomb = PL_BUF_INIT;
    (void)state;
    memset(pl_buf_reserve(&bomb, 2000000), 0, 2000000);
    bomb.n = 2000000;
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct pl_buf z = PL_BUF_INIT;
        assert_int_equal(codings[i].encode(pl_buf_view(&plain), &z), 0);
        assert_int_equal(post_encoded(codings[i].name, pl_buf_view(&z)), 200);
        assert_int_equal(body.n, plain.n);
        assert_memory_equal(body.p, plain.p, plain.n);
        assert_int_equal(post_encoded(codings[i].name, (pl_str){(char *)z.p, z.n / 2}), 400);
        pl_buf_clear(&z);
        assert_int_equal(codings[i].encode(pl_buf_view(&bomb), &z), 0);
        assert_int_equal(post_encoded(codings[i].name, pl_buf_view(&z)), 413);
        pl_buf_fini(&z);
    }
    pl_buf_fini(&bomb);
    struct pl_buf once = PL_BUF_INIT, twice = PL_BUF_INIT;
    gzip(pl_buf_view(&plain), &once);
    zstd(pl_buf_view(&once), &twice);
    assert_int_equal(post_encoded("gzip, zstd", pl_buf_view(&twice)), 200);
    assert_int_equal(body.n, plain.n);
    assert_int_equal(post_encoded("identity", pl_buf_view(&plain)), 200);
    assert_int_equal(post_encoded("br", pl_buf_view(&plain)), 415);
    assert_int_equal(post_encoded("gzip,gzip,gzip,gzip,gzip", pl_buf_view(&plain)), 415);
    pl_buf_fini(&once);
    pl_buf_fini(&twice);
    pl_buf_fini(&plain);
}

static void bytes_in_flight_return_to_zero(void **state)
{
    (void)state;
    assert_int_equal(ask(S.bound, "GET /about HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 200);
    assert_true(server_metric(&S, "\nperilune_http_inflight_bytes 0\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_understood_one_byte_at_a_time),
        cmocka_unit_test(path_and_query_are_given_decoded_and_as_sent),
        cmocka_unit_test(large_bodies_arrive_whole),
        cmocka_unit_test(continue_is_sent_only_when_the_request_is_admitted),
        cmocka_unit_test(a_refused_small_body_does_not_cost_the_connection),
        cmocka_unit_test(too_much_is_refused_by_its_name),
        cmocka_unit_test(bad_requests_get_400_and_a_reason),
        cmocka_unit_test(bytes_in_flight_are_bounded_over_all_connections),
        cmocka_unit_test(unfinished_headers_count_as_bytes_in_flight),
        cmocka_unit_test(requests_without_a_body_are_served_while_memory_is_short),
        cmocka_unit_test(encoded_bodies_are_undone_and_bombs_refused),
        cmocka_unit_test(bytes_in_flight_return_to_zero),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
