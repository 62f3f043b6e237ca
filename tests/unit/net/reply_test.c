/* Replies as they go over the wire: framing, order, streaming, compression, HEAD, HTTP/1.0. */
#include "tests/unit/net/server.h"
#include "core/codec/codec.h"

static void fill(struct pl_buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pl_buf_u8(b, (uint8_t)("0123456789abcdef"[(i * 2654435761u >> 7) & 15]));
    }
}

static void on_request(void *ctx, struct pl_http_req *req)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)ctx;
    if (pl_str_eq(req->path, PL_STR("/echo"))) {
        pl_buf_str(&b, req->body);
        pl_http_reply(req, 200, "application/octet-stream", &b);
    } else if (pl_str_eq(req->path, PL_STR("/text"))) {
        uint64_t n = 0;
        pl_str_u64(pl_http_param(req, "n"), &n);
        fill(&b, n);
        pl_http_reply(req, 200, "text/plain", &b);
    } else if (pl_str_eq(req->path, PL_STR("/none"))) {
        pl_http_reply(req, 204, NULL, NULL);
    } else if (pl_str_eq(req->path, PL_STR("/split"))) {
        pl_http_reply_header(req, "X-Sent", PL_STR("a\r\nX-Evil: 1"));
        pl_http_reply_text(req, 200, "ok");
    } else if (pl_str_eq(req->path, PL_STR("/stream"))) {
        assert_int_equal(pl_http_reply_begin(req, 200, "text/plain"), 0);
        for (int i = 0; i < 3; i++) {
            pl_buf_f(&b, "part %d\n", i);
            pl_http_reply_write(req, &b);
        }
        pl_http_reply_end(req);
    } else if (pl_str_eq(req->path, PL_STR("/zipped"))) {
        struct pl_gzip *z = pl_http_reply_zips(req, "text/plain") ? pl_gzip_new(1) : NULL;
        assert_int_equal(pl_http_reply_begin(req, 200, "text/plain"), 0);
        for (int i = 0; i < 3; i++) {
            pl_str part = PL_STR("part\n");
            assert_int_equal(z ? pl_gzip_add(z, part, i == 2, &b) : 0, 0);
            pl_buf_str(&b, z ? PL_STR_NULL : part);
            pl_http_reply_write(req, &b);
        }
        pl_gzip_free(z);
        pl_http_reply_end(req);
    } else if (pl_str_eq(req->path, PL_STR("/cut"))) {
        assert_int_equal(pl_http_reply_begin(req, 200, "text/plain"), 0);
        pl_buf_z(&b, "part\n");
        pl_http_reply_write(req, &b);
        pl_http_reply_abort(req);
    } else {
        pl_http_reply_text(req, 404, "no such thing");
    }
}

static struct server S;
static char head[4096];
static struct pl_buf body;

static int setup(void **state)
{
    struct pl_net_conf conf;
    (void)state;
    pl_net_conf_default(&conf);
    conf.n_loops = 2;
    S.h = (struct pl_http_handler){.request = on_request};
    server_start(&S, &conf);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(&S);
    pl_buf_fini(&body);
    return 0;
}

static void a_reply_has_date_length_and_type_and_no_server(void **state)
{
    (void)state;
    assert_int_equal(ask(S.bound, "GET /text?n=5 HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 200);
    assert_int_equal(body.n, 5);
    assert_non_null(strstr(head, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Length: 5\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(head, " GMT\r\n"));
    assert_null(strstr(head, "Server:"));
}

static void a_head_request_gets_the_length_and_no_body(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    int fd = dial(S.bound);
    send_z(fd, "HEAD /text?n=5000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    receive_to_end(fd, &b);
    assert_non_null(strstr((char *)b.p, "\r\nContent-Length: 5000\r\n"));
    assert_memory_equal(b.p + b.n - 4, "\r\n\r\n", 4);
    close(fd);
    pl_buf_fini(&b);
}

static void status_204_has_neither_length_nor_body(void **state)
{
    (void)state;
    assert_int_equal(ask(S.bound, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 204);
    assert_null(strstr(head, "Content-Length"));
}

static void a_header_value_cannot_split_the_reply(void **state)
{
    (void)state;
    assert_int_equal(ask(S.bound, "GET /split HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 200);
    assert_non_null(strstr(head, "\r\nX-Sent: a  X-Evil: 1\r\n"));
}

static void pipelined_requests_are_answered_in_their_order(void **state)
{
    struct pl_buf b = PL_BUF_INIT, all = PL_BUF_INIT;
    (void)state;
    int fd = dial(S.bound);
    for (int i = 0; i < 300; i++) { /* over the bound of requests under way */
        char text[16];
        int n = snprintf(text, sizeof(text), "%d", i);
        pl_buf_f(&all, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, text);
    }
    send_all(fd, all.p, all.n);
    for (int i = 0; i < 300; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(receive_reply(fd, &b, head, &body), 200);
        assert_string_equal((char *)body.p, text);
    }
    close(fd);
    pl_buf_fini(&b);
    pl_buf_fini(&all);
}

static void a_large_reply_arrives_whole_behind_small_ones(void **state)
{
    struct pl_buf b = PL_BUF_INIT, want = PL_BUF_INIT;
    (void)state;
    int fd = dial(S.bound);
    send_z(
        fd,
        "GET /text?n=3 HTTP/1.1\r\nHost: a\r\n\r\nGET /text?n=9000000 HTTP/1.1\r\nHost: a\r\n\r\n"
        "GET /text?n=3 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(receive_reply(fd, &b, head, &body), 200);
    assert_int_equal(body.n, 3);
    assert_int_equal(receive_reply(fd, &b, head, &body), 200);
    fill(&want, 9000000);
    assert_int_equal(body.n, want.n);
    assert_memory_equal(body.p, want.p, want.n);
    assert_int_equal(receive_reply(fd, &b, head, &body), 200);
    assert_int_equal(body.n, 3);
    close(fd);
    pl_buf_fini(&b);
    pl_buf_fini(&want);
}

static void a_stream_is_chunked_in_1_1_and_ends_with_the_connection_in_1_0(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    int fd = dial(S.bound);
    send_z(fd, "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    receive_to_end(fd, &b);
    assert_non_null(strstr((char *)b.p, "Transfer-Encoding: chunked"));
    assert_non_null(strstr((char *)b.p,
                           "\r\n\r\n7\r\npart 0\n\r\n7\r\npart 1\n\r\n7\r\npart 2\n\r\n0\r\n\r\n"));
    close(fd);
    pl_buf_clear(&b);
    fd = dial(S.bound);
    send_z(fd, "GET /stream HTTP/1.0\r\n\r\n");
    receive_to_end(fd, &b);
    assert_null(strstr((char *)b.p, "chunked"));
    assert_non_null(strstr((char *)b.p, "\r\n\r\npart 0\npart 1\npart 2\n"));
    close(fd);
    pl_buf_clear(&b); /* and what came behind it is not answered, as nobody could tell it apart */
    fd = dial(S.bound);
    send_z(fd, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /none HTTP/1.0\r\n\r\n");
    receive_to_end(fd, &b);
    assert_non_null(strstr((char *)b.p, "\r\n\r\npart 0\npart 1\npart 2\n"));
    assert_null(strstr((char *)b.p, "204"));
    close(fd);
    pl_buf_fini(&b);
}

/* An answer in HTTP/1.0: the body is what comes behind the head. */
static pl_str ask_1_0(const char *request, struct pl_buf *b)
{
    int fd = dial(S.bound);
    pl_buf_clear(b);
    send_z(fd, request);
    receive_to_end(fd, b);
    close(fd);
    const char *end = memmem(b->p, b->n, "\r\n\r\n", 4);
    assert_non_null(end);
    size_t n = (size_t)(end + 4 - (char *)b->p);
    assert_true(n < sizeof(head));
    memcpy(head, b->p, n);
    head[n] = 0;
    return pl_str_mem(end + 4, b->n - n);
}

static void a_stream_is_one_gzip_member_for_who_takes_it(void **state)
{
    struct pl_buf b = PL_BUF_INIT, plain = PL_BUF_INIT;
    (void)state;
    pl_str got = ask_1_0("GET /zipped HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n", &b);
    assert_non_null(strstr(head, "\r\nContent-Encoding: gzip\r\n"));
    assert_non_null(strstr(head, "\r\nVary: Accept-Encoding\r\n"));
    assert_int_equal(pl_gzip_decode(got, 100, &plain), 0);
    assert_true(pl_str_eq(pl_buf_view(&plain), PL_STR("part\npart\npart\n")));
    got = ask_1_0("GET /zipped HTTP/1.0\r\nAccept-Encoding: gzip;q=0\r\n\r\n", &b);
    assert_null(strstr(head, "Content-Encoding"));
    assert_true(pl_str_eq(got, PL_STR("part\npart\npart\n")));
    pl_buf_fini(&plain);
    pl_buf_fini(&b);
}

static void a_stream_that_is_cut_has_no_last_chunk(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    int fd = dial(S.bound);
    send_z(fd, "GET /cut HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    receive_to_end(fd, &b);
    assert_null(strstr((char *)b.p, "\r\n0\r\n"));
    assert_null(strstr((char *)b.p, "204"));
    close(fd);
    pl_buf_fini(&b);
}

static void http_1_0_closes_unless_keep_alive_is_asked_for(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    int fd = dial(S.bound);
    send_z(fd, "GET /text?n=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(receive_reply(fd, &b, head, &body), 200);
    assert_non_null(strstr(head, "Connection: keep-alive"));
    send_z(fd, "GET /text?n=1 HTTP/1.0\r\n\r\n");
    assert_int_equal(receive_reply(fd, &b, head, &body), 200);
    assert_non_null(strstr(head, "Connection: close"));
    assert_int_equal(receive(fd, &b), 0);
    close(fd);
    pl_buf_fini(&b);
}

static void check_gzip(const char *request, size_t n)
{
    struct pl_buf plain = PL_BUF_INIT, want = PL_BUF_INIT;
    assert_int_equal(ask(S.bound, request, head, &body), 200);
    assert_non_null(strstr(head, "Content-Encoding: gzip\r\n"));
    assert_non_null(strstr(head, "Vary: Accept-Encoding\r\n"));
    assert_true(body.n < n);
    assert_int_equal(pl_gzip_decode(pl_buf_view(&body), n + 1, &plain), 0);
    fill(&want, n);
    assert_int_equal(plain.n, n);
    assert_memory_equal(plain.p, want.p, n);
    pl_buf_fini(&plain);
    pl_buf_fini(&want);
}

static void text_is_zipped_for_those_who_take_it(void **state)
{
    (void)state;
    check_gzip("GET /text?n=5000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br, gzip;q=0.5\r\n\r\n",
               5000);
    check_gzip("GET /text?n=2000000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", 2000000);
    ask(S.bound, "GET /text?n=5000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip;q=0\r\n\r\n", head,
        &body);
    assert_null(strstr(head, "gzip"));
    ask(S.bound, "GET /text?n=500 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", head,
        &body);
    assert_null(strstr(head, "gzip"));
}

static void a_reply_on_the_zipping_thread_keeps_its_place(void **state)
{
    struct pl_buf b = PL_BUF_INIT;
    (void)state;
    int fd = dial(S.bound);
    send_z(fd, "GET /text?n=3000000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
               "GET /text?n=2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(receive_reply(fd, &b, head, &body), 200);
    assert_non_null(strstr(head, "gzip"));
    assert_int_equal(receive_reply(fd, &b, head, &body), 200);
    assert_int_equal(body.n, 2);
    close(fd);
    pl_buf_fini(&b);
}

static void a_client_that_leaves_while_its_reply_is_zipped_harms_nobody(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = dial(S.bound);
        send_z(fd, "GET /text?n=300000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
        struct linger now = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        close(fd);
    }
    assert_int_equal(ask(S.bound, "GET /text?n=5 HTTP/1.1\r\nHost: a\r\n\r\n", head, &body), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_has_date_length_and_type_and_no_server),
        cmocka_unit_test(a_head_request_gets_the_length_and_no_body),
        cmocka_unit_test(status_204_has_neither_length_nor_body),
        cmocka_unit_test(a_header_value_cannot_split_the_reply),
        cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
        cmocka_unit_test(a_large_reply_arrives_whole_behind_small_ones),
        cmocka_unit_test(a_stream_is_chunked_in_1_1_and_ends_with_the_connection_in_1_0),
        cmocka_unit_test(a_stream_is_one_gzip_member_for_who_takes_it),
        cmocka_unit_test(a_stream_that_is_cut_has_no_last_chunk),
        cmocka_unit_test(http_1_0_closes_unless_keep_alive_is_asked_for),
        cmocka_unit_test(text_is_zipped_for_those_who_take_it),
        cmocka_unit_test(a_reply_on_the_zipping_thread_keeps_its_place),
        cmocka_unit_test(a_client_that_leaves_while_its_reply_is_zipped_harms_nobody),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
