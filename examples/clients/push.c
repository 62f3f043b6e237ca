/* Push by the stream: push tcp://127.0.0.1:1968
 *     cc push.c $(pkg-config --cflags --libs perilune) */
#include <perilune/push.h>
#include <stdio.h>
#include <time.h>

int main(int argc, char **argv)
{
    struct pl_client_label a[] = {{"__name__", "example_c"}, {"room", "kitchen"}};
    struct pl_client_label b[] = {{"__name__", "example_c"}, {"room", "cellar"}};
    struct pl_client_conf conf;
    struct pl_client *client;
    char why[200];
    uint32_t kitchen, cellar;
    int64_t now = (int64_t)time(NULL) * 1000;

    pl_client_conf_default(&conf);
    conf.url = argc > 1 ? argv[1] : "tcp://127.0.0.1:1968";
    if (pl_client_open(&conf, &client, why, sizeof(why)) < 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    pl_client_define(client, a, 2, &kitchen);
    pl_client_define(client, b, 2, &cellar);
    for (int i = 0; i < 100; i++) {
        pl_client_add(client, kitchen, now - i * 1000, 20 + i * 0.1);
        pl_client_add(client, cellar, now - i * 1000, 12);
    }
    int e = pl_client_wait(client, 10000); /* all of it is on disk */
    printf("%s\n", e < 0 ? pl_client_error(client) : "200 samples are durable");
    pl_client_close(client);
    return e < 0;
}
