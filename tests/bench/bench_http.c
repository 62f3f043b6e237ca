/* A server with a tiny reply, for an HTTP load generator: how fast is core/net alone?
 *
 *     bench_http [ADDR [LOOPS [SECONDS]]]      prints its address; ends after SECONDS (default 60)
 *     wrk -c 64 -t 1 -d 10 http://ADDR/
 *
 * GET / answers "ok\n", GET /big 1 MB, POST anything its size. */
#include "core/net/net.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void on_request(void *ctx, struct pl_http_req *req)
{
    struct pl_buf body = PL_BUF_INIT;
    (void)ctx;
    if (pl_str_eq(req->path, PL_STR("/big"))) {
        uint8_t *p = pl_buf_reserve(&body, 1 << 20);
        if (p) {
            memset(p, 'x', 1 << 20);
            body.n = 1 << 20;
        }
        pl_http_reply(req, 200, "text/plain", &body);
    } else if (req->method == PL_POST) {
        pl_buf_f(&body, "%zu\n", req->body.n);
        pl_http_reply(req, 200, "text/plain", &body);
    } else {
        pl_http_reply_text(req, 200, "ok");
    }
}

int main(int argc, char **argv)
{
    struct pl_net_conf conf;
    struct pl_http_handler h = {.request = on_request};
    struct pl_net *net;
    char bound[64], why[256];
    int64_t loops = 0, seconds = 60;
    pl_net_conf_default(&conf);
    if ((argc > 2 && pl_str_i64(pl_str_c(argv[2]), &loops) < 0) ||
        (argc > 3 && pl_str_i64(pl_str_c(argv[3]), &seconds) < 0)) {
        fprintf(stderr, "usage: bench_http [ADDR [LOOPS [SECONDS]]]\n");
        return 2;
    }
    conf.n_loops = (size_t)loops;
    if (pl_net_new(&conf, &net) < 0 ||
        pl_net_http(net, argc > 1 ? argv[1] : "127.0.0.1:0", &h, bound, why, sizeof(why)) < 0) {
        fprintf(stderr, "bench_http: %s\n", why);
        return 1;
    }
    printf("%s\n", bound);
    fflush(stdout);
    nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
    pl_net_drain(net, 1000);
    pl_net_free(net);
    return 0;
}
