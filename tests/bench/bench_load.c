/* Load for benchmarks and kill tests: makes the data and sends it as remote write, InfluxDB
 * lines or our msgpack stream, over several connections, and tells what it measured as one JSON
 * line.
 *
 *   bench_load --mode remote|influx|stream --port P [--data devops|dashboard|walk|pods]
 *              [--hosts 1000] [--metrics 100] [--samples 120] [--interval 10000] [--batch 10000]
 *              [--connections 2] [--start MS] [--rate SAMPLES_PER_SECOND] [--path /api/v1/write]
 *              [--seed 1]
 *
 * devops: 11 labels a series; 40 % counters with resets, 35 % two-decimal gauges, 15 % slow
 * integers, 10 % constants. dashboard: the same, but a team for each metric, so that series differ
 * without their names, and every total is a counter. walk: two-decimal random walks. pods: gauges
 * of pods (the hosts) in 100 namespaces. Every series of a connection is sent in the same order at
 * each step, as scrapers do.
 */
#include "core/base/base.h"
#include "core/codec/codec.h"
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    const char *mode, *data, *path;
    long port, hosts, metrics, samples, interval, batch, connections, start, rate, seed;
} opt = {.mode = "remote",
         .data = "devops",
         .port = 1969,
         .hosts = 1000,
         .metrics = 100,
         .samples = 120,
         .interval = 10000,
         .batch = 10000,
         .connections = 2,
         .seed = 1};

struct series {
    uint32_t wire, n_wire; /* label bytes (remote), or measurement,tags and field (influx) */
    uint8_t kind;
    double value;
};

struct worker {
    pthread_t thread;
    long index, first, n; /* number of the connection; its series */
    struct series *series;
    struct pl_buf wires, body, packed, request;
    uint64_t random, samples, requests, errors, bytes;
    double *latency; /* seconds, one a request */
    size_t n_latency, cap_latency;
    int fd;
};

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static double uniform(uint64_t *s) { return (double)(next_random(s) >> 11) / 9007199254740992.0; }

static double seconds(void) { return (double)pl_mono_ns(&pl_clock_real) / 1e9; }

/* ------------------------------------------------------------------ the data */

static const char *const names[] = {"usage_user",  "usage_system",  "reads_total", "writes_total",
                                    "bytes_total", "packets_total", "free_bytes",  "load",
                                    "temperature", "connections"};
static const char *const groups[] = {"cpu",   "disk", "net",   "mem",    "sys",
                                     "nginx", "pg",   "redis", "kernel", "app"};

static size_t labels_of(long id, char (*out)[2][64])
{
    long host = id / opt.metrics, metric = id % opt.metrics;
    size_t n = 0;
#define LABEL(name, ...)                                                                           \
    (snprintf(out[n][0], 64, "%s", name), snprintf(out[n][1], 64, __VA_ARGS__), n++)
    if (strcmp(opt.data, "pods") == 0) {
        LABEL("__name__", "pod_memory_bytes_%02ld", metric);
        LABEL("container", "c%ld", host % 7);
        LABEL("namespace", "namespace-%ld", host % 100);
        LABEL("node", "node-%ld", host / 64);
        LABEL("pod", "pod-%ld-%ld", host / 10, host % 10);
        return n;
    }
    LABEL("__name__", "%s_%s_%02ld", groups[metric / 10 % 10], names[metric % 10], metric / 100);
    LABEL("arch", "%s", host % 3 ? "x86_64" : "arm64");
    LABEL("datacenter", "eu-central-1%c", (char)('a' + host % 3));
    LABEL("hostname", "host_%ld", host);
    LABEL("os", "Debian%ld", 10 + host % 3);
    LABEL("rack", "%ld", host % 50);
    LABEL("region", "eu-central-%ld", host % 4);
    LABEL("service", "%ld", host % 20);
    LABEL("service_environment", "%s", host % 5 ? "production" : "staging");
    LABEL("service_version", "%ld", host % 2);
    if (strcmp(opt.data, "dashboard") == 0) {
        LABEL("team", "team_%ld", metric);
    } else {
        LABEL("team", "%s", host % 4 ? "NYC" : "LON");
    }
#undef LABEL
    return n;
}

static uint8_t kind_of(long id)
{
    static const uint8_t kinds[20] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 2, 2, 0, 2, 3, 3};
    static const uint8_t by_name[20] = {1, 1, 0, 0, 0, 0, 2, 1, 1, 3, 1, 1, 0, 0, 0, 0, 2, 1, 2, 3};
    if (strcmp(opt.data, "dashboard") == 0) { /* what is called a total is a counter */
        return by_name[(id % opt.metrics) % 20];
    }
    return opt.data[0] != 'd' ? 1 : kinds[(id % opt.metrics) % 20];
}

static double advance(struct worker *w, struct series *s)
{
    switch (s->kind) {
    case 0: /* counter with resets */
        s->value = next_random(&w->random) % 5000 == 0
                       ? 0
                       : s->value + (double)(next_random(&w->random) % 1000);
        break;
    case 1: /* two-decimal gauge */
        s->value +=
            round((uniform(&w->random) + uniform(&w->random) + uniform(&w->random) - 1.5) * 200) /
            100;
        s->value = round(s->value * 100) / 100;
        break;
    case 2: /* slow integer */
        s->value +=
            next_random(&w->random) % 10 == 0 ? (double)(next_random(&w->random) % 3) - 1 : 0;
        break;
    }
    return s->value;
}

/* ------------------------------------------------------------------ the wire */

static void field(struct pl_buf *b, int number, const void *p, size_t n)
{
    pl_buf_u8(b, (uint8_t)(number << 3 | 2));
    pl_buf_varint(b, n);
    pl_buf_add(b, p, n);
}

static void make_wires(struct worker *w)
{
    char labels[16][2][64];
    struct pl_buf label = PL_BUF_INIT;
    bool influx = strcmp(opt.mode, "influx") == 0;
    for (long i = 0; i < w->n; i++) {
        struct series *s = &w->series[i];
        size_t n = labels_of(w->first + i, labels);
        s->kind = kind_of(w->first + i);
        s->value = s->kind == 0 ? (double)(next_random(&w->random) % 1000000000)
                                : round(uniform(&w->random) * 10000) / 100;
        if (s->kind == 2) {
            s->value = floor(s->value);
        }
        s->wire = (uint32_t)w->wires.n;
        if (influx) {
            char *field_name = strchr(labels[0][1], '_');
            *field_name++ = 0;
            pl_buf_z(&w->wires, labels[0][1]);
            for (size_t k = 1; k < n; k++) {
                pl_buf_f(&w->wires, ",%s=%s", labels[k][0], labels[k][1]);
            }
            pl_buf_f(&w->wires, " %s=", field_name);
        } else {
            for (size_t k = 0; k < n; k++) {
                pl_buf_clear(&label);
                field(&label, 1, labels[k][0], strlen(labels[k][0]));
                field(&label, 2, labels[k][1], strlen(labels[k][1]));
                field(&w->wires, 1, label.p, label.n);
            }
        }
        s->n_wire = (uint32_t)(w->wires.n - s->wire);
    }
    pl_buf_fini(&label);
}

static void add_remote(struct worker *w, struct series *s, int64_t t, double v)
{
    uint8_t sample[32];
    size_t n = 0;
    sample[n++] = 0x09;
    pl_wrf64(sample + n, v);
    n += 8;
    sample[n++] = 0x10;
    n += pl_varint_put(sample + n, (uint64_t)t);
    pl_buf_u8(&w->body, 0x0a);
    pl_buf_varint(&w->body, s->n_wire + 2 + n);
    pl_buf_add(&w->body, w->wires.p + s->wire, s->n_wire);
    field(&w->body, 2, sample, n);
}

static void add_influx(struct worker *w, struct series *s, int64_t t, double v)
{
    char text[PL_NUMBER_MAX];
    pl_buf_add(&w->body, w->wires.p + s->wire, s->n_wire);
    pl_buf_add(&w->body, text, pl_number_text(v, text));
    pl_buf_f(&w->body, " %lld\n", (long long)t * 1000000);
}

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        fprintf(stderr, "bench_load: cannot connect to port %ld: %s\n", opt.port, strerror(errno));
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void send_all(struct worker *w, const void *p, size_t n)
{
    const char *c = p;
    while (n > 0) {
        ssize_t k = send(w->fd, c, n, MSG_NOSIGNAL);
        if (k <= 0) {
            fprintf(stderr, "bench_load: connection lost\n");
            exit(1);
        }
        c += k;
        n -= (size_t)k;
        w->bytes += (uint64_t)k;
    }
}

/* The status of the answer; its body is read away. */
static int read_answer(struct worker *w)
{
    char buf[16384];
    size_t n = 0;
    for (;;) {
        ssize_t k = recv(w->fd, buf + n, sizeof(buf) - 1 - n, 0);
        if (k <= 0) {
            fprintf(stderr, "bench_load: connection lost while waiting for an answer\n");
            exit(1);
        }
        n += (size_t)k;
        buf[n] = 0;
        char *end = strstr(buf, "\r\n\r\n");
        if (!end) {
            continue;
        }
        char *length = strcasestr(buf, "\r\ncontent-length:");
        size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
        if (n >= (size_t)(end + 4 - buf) + body) {
            int status = atoi(buf + 9);
            if (status > 299) {
                fprintf(stderr, "bench_load: %.300s\n", buf);
            }
            return status;
        }
    }
}

static void note_latency(struct worker *w, double s)
{
    if (w->n_latency == w->cap_latency) {
        w->cap_latency = w->cap_latency ? w->cap_latency * 2 : 1024;
        w->latency = realloc(w->latency, w->cap_latency * sizeof(*w->latency));
    }
    w->latency[w->n_latency++] = s;
}

/* One request, again while the server says 429 or 503. */
static void post(struct worker *w)
{
    const char *default_path = strcmp(opt.mode, "influx") == 0 ? "/write?db=" : "/api/v1/write";
    pl_buf_clear(&w->packed);
    bool remote = strcmp(opt.mode, "remote") == 0;
    if (remote) {
        pl_snappy_encode(pl_buf_view(&w->body), &w->packed);
    }
    struct pl_buf *body = remote ? &w->packed : &w->body;
    pl_buf_clear(&w->request);
    pl_buf_f(&w->request, "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n",
             opt.path ? opt.path : default_path,
             remote ? "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n"
                      "X-Prometheus-Remote-Write-Version: 0.1.0\r\n"
                    : "Content-Type: text/plain\r\n",
             body->n);
    pl_buf_add(&w->request, body->p, body->n);
    for (;;) {
        double begun = seconds();
        send_all(w, w->request.p, w->request.n);
        int status = read_answer(w);
        if (status == 429 || status == 503) {
            w->errors++;
            usleep(100000);
            continue;
        }
        note_latency(w, seconds() - begun);
        w->requests++;
        w->errors += status > 299;
        return;
    }
}

/* ------------------------------------------------------------------ the stream */

#define WINDOW 32

struct stream {
    uint64_t sent, acked;
    double sent_at[WINDOW];
    uint8_t in[65536];
    size_t n_in;
};

static void read_acks(struct worker *w, struct stream *st, uint64_t until)
{
    while (st->acked < until) {
        ssize_t k = recv(w->fd, st->in + st->n_in, sizeof(st->in) - st->n_in, 0);
        if (k <= 0) {
            fprintf(stderr, "bench_load: stream lost\n");
            exit(1);
        }
        st->n_in += (size_t)k;
        size_t used = 0;
        for (;;) {
            struct pl_mp whole = {st->in + used, st->in + st->n_in, st->in + used}, m = whole;
            struct pl_mp_val v, kind, seq;
            if (pl_mp_skip(&whole) < 0) {
                break;
            }
            pl_mp_next(&m, &v);
            pl_mp_next(&m, &kind);
            pl_mp_next(&m, &seq);
            if (kind.u == 2 || kind.u == 3) {
                while (st->acked < seq.u) {
                    st->acked++;
                    note_latency(w, seconds() - st->sent_at[st->acked % WINDOW]);
                }
                w->errors += kind.u == 3;
            } else if (kind.u == 15) {
                fprintf(stderr, "bench_load: stream error %llu: %.*s\n", (unsigned long long)seq.u,
                        (int)(whole.p - m.p), (const char *)m.p);
                exit(1);
            }
            used = (size_t)(whole.p - st->in);
        }
        memmove(st->in, st->in + used, st->n_in - used);
        st->n_in -= used;
    }
}

static void hello(struct worker *w)
{
    char labels[16][2][64];
    struct pl_buf b = PL_BUF_INIT;
    pl_mp_w_array(&b, 2);
    pl_mp_w_uint(&b, 0);
    pl_mp_w_map(&b, 1);
    pl_mp_w_str(&b, PL_STR("version"));
    pl_mp_w_uint(&b, 1);
    for (long i = 0; i < w->n; i++) {
        size_t n = labels_of(w->first + i, labels);
        w->series[i].kind = kind_of(w->first + i);
        pl_mp_w_array(&b, 3);
        pl_mp_w_uint(&b, 1);
        pl_mp_w_uint(&b, (uint64_t)i);
        pl_mp_w_map(&b, (uint32_t)n);
        for (size_t k = 0; k < n; k++) {
            pl_mp_w_str(&b, pl_str_c(labels[k][0]));
            pl_mp_w_str(&b, pl_str_c(labels[k][1]));
        }
    }
    send_all(w, b.p, b.n);
    pl_buf_fini(&b);
}

/* Rows of one step: handles, one time, values, as packed columns. */
static void stream_rows(struct worker *w, struct stream *st, const uint32_t *handles,
                        const double *values, size_t n, int64_t t)
{
    if (st->sent - st->acked >= WINDOW - 1) {
        read_acks(w, st, st->sent - WINDOW / 2);
    }
    st->sent++;
    st->sent_at[st->sent % WINDOW] = seconds();
    pl_buf_clear(&w->body);
    pl_mp_w_array(&w->body, 5);
    pl_mp_w_uint(&w->body, 2);
    pl_mp_w_uint(&w->body, st->sent);
    pl_mp_w_ext(&w->body, 1, pl_str_mem(handles, n * 4));
    pl_mp_w_int(&w->body, t);
    pl_mp_w_ext(&w->body, 3, pl_str_mem(values, n * 8));
    send_all(w, w->body.p, w->body.n);
    w->requests++;
    w->samples += n;
}

static void run_stream(struct worker *w)
{
    struct stream *st = calloc(1, sizeof(*st));
    uint32_t *handles = malloc((size_t)w->n * 4);
    double *values = malloc((size_t)w->n * 8);
    hello(w);
    for (long i = 0; i < w->n; i++) {
        handles[i] = (uint32_t)i;
    }
    for (long step = 0; step < opt.samples; step++) {
        for (long i = 0; i < w->n; i++) {
            values[i] = advance(w, &w->series[i]);
        }
        for (long i = 0; i < w->n; i += opt.batch) {
            long n = w->n - i < opt.batch ? w->n - i : opt.batch;
            stream_rows(w, st, handles + i, values + i, (size_t)n, opt.start + step * opt.interval);
        }
    }
    read_acks(w, st, st->sent);
    free(st);
    free(handles);
    free(values);
}

/* ------------------------------------------------------------------ workers */

static void *work(void *arg)
{
    struct worker *w = arg;
    bool influx = strcmp(opt.mode, "influx") == 0;
    w->fd = dial();
    if (strcmp(opt.mode, "stream") == 0) {
        run_stream(w);
        close(w->fd);
        return NULL;
    }
    long in_batch = 0;
    double begun =
        seconds(); /* connections take turns, as senders that know nothing of each other */
    begun += opt.rate ? (double)opt.batch / (double)opt.rate * (double)w->index : 0;
    for (long step = 0; step < opt.samples; step++) {
        for (long i = 0; i < w->n; i++) {
            struct series *s = &w->series[i];
            int64_t t = opt.start + step * opt.interval;
            (influx ? add_influx : add_remote)(w, s, t, advance(w, s));
            bool last = step == opt.samples - 1 && i == w->n - 1;
            if (++in_batch == opt.batch || last) {
                double due = opt.rate ? begun + (double)(w->samples * (uint64_t)opt.connections) /
                                                    (double)opt.rate
                                      : 0;
                double ahead = due - seconds();
                if (ahead > 0) {
                    usleep((useconds_t)(ahead * 1e6));
                }
                post(w);
                pl_buf_clear(&w->body);
                w->samples += (uint64_t)in_batch;
                in_batch = 0;
            }
        }
    }
    close(w->fd);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(struct worker *w, double took)
{
    uint64_t samples = 0, requests = 0, errors = 0, bytes = 0;
    size_t n = 0;
    for (long i = 0; i < opt.connections; i++) {
        n += w[i].n_latency;
    }
    double *all = malloc((n + 1) * sizeof(*all));
    n = 0;
    for (long i = 0; i < opt.connections; i++) {
        memcpy(all + n, w[i].latency, w[i].n_latency * sizeof(*all));
        n += w[i].n_latency;
        samples += w[i].samples;
        requests += w[i].requests;
        errors += w[i].errors;
        bytes += w[i].bytes;
    }
    qsort(all, n, sizeof(*all), by_value);
    printf("{\"samples\":%llu,\"requests\":%llu,\"errors\":%llu,\"bytes\":%llu,\"seconds\":%.3f,"
           "\"samples_per_second\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,\"start\":%"
           "ld}\n",
           (unsigned long long)samples, (unsigned long long)requests, (unsigned long long)errors,
           (unsigned long long)bytes, took, (double)samples / took, n ? all[n / 2] * 1e3 : 0,
           n ? all[n * 99 / 100] * 1e3 : 0, n ? all[n - 1] * 1e3 : 0, opt.start);
    free(all);
}

static void options(int argc, char **argv)
{
    const struct {
        const char *name;
        long *number;
        const char **text;
    } known[] = {{"--mode", NULL, &opt.mode},       {"--data", NULL, &opt.data},
                 {"--path", NULL, &opt.path},       {"--port", &opt.port, NULL},
                 {"--hosts", &opt.hosts, NULL},     {"--metrics", &opt.metrics, NULL},
                 {"--samples", &opt.samples, NULL}, {"--interval", &opt.interval, NULL},
                 {"--batch", &opt.batch, NULL},     {"--connections", &opt.connections, NULL},
                 {"--start", &opt.start, NULL},     {"--rate", &opt.rate, NULL},
                 {"--seed", &opt.seed, NULL}};
    for (int i = 1; i + 1 < argc; i += 2) {
        bool found = false;
        for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++) {
            if (strcmp(argv[i], known[k].name) == 0) {
                found = true;
                if (known[k].number) {
                    *known[k].number = strtol(argv[i + 1], NULL, 10);
                } else {
                    *known[k].text = argv[i + 1];
                }
            }
        }
        if (!found) {
            fprintf(stderr, "bench_load: unknown option %s\n", argv[i]);
            exit(2);
        }
    }
    if (!opt.start) {
        opt.start = pl_now_ms(&pl_clock_real) - opt.samples * opt.interval;
        opt.start -= opt.start % opt.interval;
    }
}

int main(int argc, char **argv)
{
    options(argc, argv);
    long n = opt.hosts * opt.metrics;
    struct worker *w = calloc((size_t)opt.connections, sizeof(*w));
    struct series *series = calloc((size_t)n, sizeof(*series));
    for (long i = 0; i < opt.connections; i++) {
        w[i].index = i;
        w[i].first = n * i / opt.connections;
        w[i].n = n * (i + 1) / opt.connections - w[i].first;
        w[i].series = series + w[i].first;
        w[i].random = (uint64_t)opt.seed * 0x9e3779b97f4a7c15ull + (uint64_t)i + 1;
        if (strcmp(opt.mode, "stream") != 0) {
            make_wires(&w[i]);
        }
    }
    double begun = seconds();
    for (long i = 0; i < opt.connections; i++) {
        pl_thread_start(&w[i].thread, "load", work, &w[i]);
    }
    for (long i = 0; i < opt.connections; i++) {
        pthread_join(w[i].thread, NULL);
    }
    report(w, seconds() - begun);
    return 0;
}
