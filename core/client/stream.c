/* The push client: perilune/push.h over the stream of docs/push.md.
 *
 * What was not acknowledged stands in a list of batches, each the bytes of its message. `out` holds
 * what is being sent on this connection: hello, definitions, then batches as they are. After a
 * reconnect the server's hello tells the last batch it has; the list is cut there, every handle is
 * defined anew and the rest of the list is sent again. A batch of which the server did not know the
 * handles (it forgets those of series that ended) is sent once more as a new one.
 *
 * Thread: one at a time. */
#include "core/client/client.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define BATCH_MAX   500000 /* samples: 20 bytes each, below the server's 16 MB a message */
#define HANDLES_MAX (4u << 20)
#define PAUSE_MAX   2000 /* ms between attempts to connect */

enum { HELLO = 0, DEFINE = 1, ACK = 2, ACK_WITH_REJECTS = 3, REFUSAL = 15 };

struct batch {
    struct batch *next;
    uint64_t seq;
    bool again;  /* sent a second time already, for its handles */
    size_t head; /* bytes of msg in front of the columns: the number stands there */
    struct pl_buf msg;
};

struct pl_client {
    char *address, *producer, *tenant;
    bool is_unix;
    struct pl_client_conf conf; /* its strings are not kept */

    struct pl_buf *handles; /* maps of labels, msgpack */
    size_t n_handles, cap_handles;
    size_t n_defined; /* on this connection */

    uint32_t *id; /* the batch at hand */
    int64_t *t;
    double *v;
    size_t n;

    struct batch *first, **last, *unsent; /* not acknowledged; the first not put into out yet */
    size_t pending;                       /* bytes of it */
    uint64_t seq, acked;

    int fd; /* -1: down */
    bool greeted, ever_greeted;
    struct pl_buf out, in;
    size_t n_sent;              /* of out */
    int64_t retry_ms, pause_ms; /* when to connect again */
    int refused;                /* the server ended this connection by its word: as an error */
    int dead;                   /* for ever */
    char error[240];
};

void pl_client_conf_default(struct pl_client_conf *conf)
{
    *conf = (struct pl_client_conf){
        .buffer_bytes = (size_t)64 << 20, .batch_samples = 8192, .timeout_ms = 10000};
}

static void down(struct pl_client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    c->greeted = false;
    c->pause_ms = !c->pause_ms ? 20 : c->pause_ms < PAUSE_MAX / 2 ? c->pause_ms * 2 : PAUSE_MAX;
    c->retry_ms = pl__client_now() + c->pause_ms;
    c->dead = c->refused; /* its word, not an accident: it would say the same again */
}

/* Connect and put hello into out. */
static int up(struct pl_client *c, int64_t deadline)
{
    int64_t soon = pl__client_now() + c->conf.timeout_ms;
    int fd = pl__client_connect(c->address, c->is_unix, soon < deadline ? soon : deadline, c->error,
                                sizeof(c->error));
    if (fd < 0) {
        down(c);
        return fd;
    }
    c->fd = fd;
    c->n_defined = 0;
    c->n_sent = 0;
    pl_buf_clear(&c->in);
    pl_buf_clear(&c->out);
    pl_mp_w_array(&c->out, 2);
    pl_mp_w_uint(&c->out, HELLO);
    pl_mp_w_map(&c->out, c->tenant ? 3 : 2);
    pl_mp_w_str(&c->out, PL_STR("version"));
    pl_mp_w_uint(&c->out, 1);
    pl_mp_w_str(&c->out, PL_STR("producer"));
    pl_mp_w_str(&c->out, pl_str_c(c->producer));
    if (c->tenant) {
        pl_mp_w_str(&c->out, PL_STR("tenant"));
        pl_mp_w_str(&c->out, pl_str_c(c->tenant));
    }
    return c->out.failed ? PL_ENOMEM : 0;
}

/* The server has all up to seq. */
static void acknowledge(struct pl_client *c, uint64_t seq)
{
    while (c->first && c->first->seq <= seq) {
        struct batch *b = c->first;
        c->first = b->next;
        if (c->unsent == b) {
            c->unsent = b->next;
        }
        c->pending -= b->msg.n;
        pl_buf_fini(&b->msg);
        free(b);
    }
    if (!c->first) {
        c->last = &c->first;
    }
    c->acked = seq > c->acked ? seq : c->acked;
    c->pause_ms = 0;
}

/* Put the batch's next number in front of its columns: [2, seq, handles, t, v]. */
static int number(struct batch *b, uint64_t seq)
{
    struct pl_buf msg = PL_BUF_INIT;
    pl_mp_w_array(&msg, 5);
    pl_mp_w_uint(&msg, 2);
    pl_mp_w_uint(&msg, seq);
    size_t head = msg.n;
    pl_buf_add(&msg, b->msg.p + b->head, b->msg.n - b->head);
    if (msg.failed) {
        pl_buf_fini(&msg);
        return PL_ENOMEM;
    }
    pl_buf_fini(&b->msg);
    b->msg = msg;
    b->head = head;
    b->seq = seq;
    return 0;
}

/* Takes the columns. A new batch at the end of the list. */
static int append(struct pl_client *c, struct pl_buf *columns, bool again)
{
    struct batch *b = columns->failed ? NULL : calloc(1, sizeof(*b));
    if (!b) {
        pl_buf_fini(columns);
        return PL_ENOMEM;
    }
    b->msg = *columns;
    b->again = again;
    if (number(b, c->seq + 1) < 0) {
        pl_buf_fini(&b->msg);
        free(b);
        return PL_ENOMEM;
    }
    c->seq++;
    *c->last = b;
    c->last = &b->next;
    c->pending += b->msg.n;
    c->unsent = c->unsent ? c->unsent : b;
    return 0;
}

/* What the server has of us. */
static int resume(struct pl_client *c, uint64_t last)
{
    if (!c->ever_greeted) { /* go on where an earlier life of this producer ended */
        c->seq = c->acked = last;
    } else if (last < c->acked) { /* another server, or one that lost data: number from there */
        c->seq = c->acked = last;
        for (struct batch *b = c->first; b; b = b->next) {
            c->pending -= b->msg.n;
            int e = number(b, c->seq + 1);
            c->pending += b->msg.n;
            if (e < 0) {
                return e;
            }
            c->seq++;
        }
    } else {
        acknowledge(c, last);
    }
    c->unsent = c->first;
    c->greeted = c->ever_greeted = true;
    return 0;
}

static int hello(struct pl_client *c, struct pl_mp *m)
{
    struct pl_mp_val v;
    int64_t last = 0;
    if (pl_mp_next(m, &v) < 1 || v.kind != PL_MP_MAP) {
        return PL_EPARSE;
    }
    for (uint64_t n = v.u; n > 0; n--) {
        if (pl_mp_next(m, &v) < 1 || v.kind != PL_MP_STR) {
            return PL_EPARSE;
        }
        bool known = pl_str_eq(v.s, PL_STR("last"));
        if (known ? pl_mp_i64(m, &last) < 1 || last < 0 : pl_mp_skip(m) < 1) {
            return PL_EPARSE;
        }
    }
    return resume(c, (uint64_t)last);
}

/* Samples were refused. Those whose handles the server had forgotten are sent once more. */
static int rejects(struct pl_client *c, uint64_t seq, uint64_t n, struct pl_mp *m)
{
    struct pl_mp_val list, pair, reason = {.s = PL_STR("")};
    struct batch *b = c->first;
    int64_t row = 0;
    char text[64];
    if (pl_mp_next(m, &list) < 1 || list.kind != PL_MP_ARRAY ||
        (list.u &&
         (pl_mp_next(m, &pair) < 1 || pair.kind != PL_MP_ARRAY || pair.u != 2 ||
          pl_mp_i64(m, &row) < 1 || pl_mp_next(m, &reason) < 1 || reason.kind != PL_MP_STR))) {
        return PL_EPARSE;
    }
    while (b && b->seq < seq) {
        b = b->next;
    }
    if (b && b->seq == seq && !b->again && pl_str_eq(reason.s, PL_STR("handle"))) {
        struct pl_buf columns = PL_BUF_INIT;
        pl_buf_add(&columns, b->msg.p + b->head, b->msg.n - b->head);
        c->n_defined = 0;
        return append(c, &columns, true);
    }
    snprintf(text, sizeof(text), "%.*s", PL_PRS(reason.s));
    snprintf(c->error, sizeof(c->error),
             "batch %llu: %llu samples rejected, the first at row %lld: %s",
             (unsigned long long)seq, (unsigned long long)n, (long long)row, text);
    if (c->conf.rejected) {
        c->conf.rejected(c->conf.ctx, seq, n, (uint64_t)row, text);
    }
    return 0;
}

static int error_of(int64_t status)
{
    return status == 404 ? PL_ENOTFOUND : status == 413 ? PL_ELIMIT : PL_EINVAL;
}

static int message(struct pl_client *c, pl_str bytes)
{
    struct pl_mp m = pl_mp(bytes);
    struct pl_mp_val head, v;
    int64_t kind, x, n;
    if (pl_mp_next(&m, &head) < 1 || head.kind != PL_MP_ARRAY || head.u < 2 ||
        pl_mp_i64(&m, &kind) < 1) {
        return PL_EPARSE;
    }
    if (kind == HELLO && !c->greeted) {
        return hello(c, &m);
    }
    if (pl_mp_i64(&m, &x) < 1 || x < 0) {
        return PL_EPARSE;
    }
    if (kind == ACK && c->greeted) {
        acknowledge(c, (uint64_t)x);
        return 0;
    }
    if (kind == ACK_WITH_REJECTS && c->greeted && head.u == 4 && pl_mp_i64(&m, &n) == 1 && n >= 0) {
        int e = rejects(c, (uint64_t)x, (uint64_t)n, &m);
        if (e == 0) {
            acknowledge(c, (uint64_t)x);
        }
        return e;
    }
    if ((kind != REFUSAL && kind != DEFINE) || head.u != 3 || pl_mp_next(&m, &v) < 1 ||
        v.kind != PL_MP_STR) {
        return PL_EPARSE;
    }
    snprintf(c->error, sizeof(c->error), "%.*s", PL_PRS(v.s));
    if (kind == REFUSAL && x >= 400 && x < 500 && x != 429) {
        c->refused = error_of(x);
    }
    return 0;
}

/* Everything that came. */
static int receive(struct pl_client *c)
{
    int64_t k;
    size_t used = 0;
    int e = 0;
    while ((k = pl__client_receive(c->fd, &c->in)) > 0) {
    }
    while (e == 0 && used < c->in.n) {
        struct pl_mp m = pl_mp(pl_str_mem(c->in.p + used, c->in.n - used));
        int whole = pl_mp_skip(&m);
        if (whole == PL_EAGAIN && c->in.n - used < (1u << 20)) {
            break;
        }
        size_t n = (size_t)(m.p - m.begin);
        e = whole < 0 ? PL_EPARSE : message(c, pl_str_mem(m.begin, n));
        used += n;
    }
    memmove(c->in.p, c->in.p + used, c->in.n - used);
    c->in.n -= used;
    if (e == PL_EPARSE) {
        snprintf(c->error, sizeof(c->error),
                 "what answers does not speak the stream of docs/push.md");
        c->refused = PL_EUNSUPPORTED;
    } else if (e == 0 && k < 0 && !c->refused) {
        snprintf(c->error, sizeof(c->error), "connection lost");
    }
    return e < 0 ? e : k < 0 ? (int)k : 0;
}

/* Definitions and batches into out, and out into the socket, as far as it goes. */
static int transmit(struct pl_client *c)
{
    for (;;) {
        while (c->n_sent < c->out.n) {
            int64_t k = pl__client_send(c->fd, c->out.p + c->n_sent, c->out.n - c->n_sent);
            if (k <= 0) {
                return (int)k;
            }
            c->n_sent += (size_t)k;
        }
        pl_buf_clear(&c->out);
        c->n_sent = 0;
        if (!c->greeted || (!c->unsent && c->n_defined == c->n_handles)) {
            return 0;
        }
        for (size_t i = 0; c->n_defined < c->n_handles && i < 1000; i++, c->n_defined++) {
            pl_mp_w_array(&c->out, 3);
            pl_mp_w_uint(&c->out, DEFINE);
            pl_mp_w_uint(&c->out, c->n_defined);
            pl_buf_str(&c->out, pl_buf_view(&c->handles[c->n_defined]));
        }
        if (c->n_defined == c->n_handles && c->unsent) {
            pl_buf_str(&c->out, pl_buf_view(&c->unsent->msg));
            c->unsent = c->unsent->next;
        }
        if (c->out.failed) {
            return PL_ENOMEM; /* the connection begins anew, and with it what was put into out */
        }
    }
}

/* One round: connect if it is time, send, read what came; then wait at most until the deadline for
 * something to happen, and read that. */
static void pump(struct pl_client *c, int64_t deadline)
{
    if (c->fd < 0) {
        if (c->retry_ms > pl__client_now()) {
            poll(NULL, 0, pl__client_left(c->retry_ms < deadline ? c->retry_ms : deadline));
            return;
        }
        if (up(c, deadline) < 0) {
            return;
        }
    }
    int e = transmit(c);
    e = e < 0 ? e : receive(c);
    e = e < 0 ? e : transmit(c);
    if (e == 0 && (c->first || !c->greeted) && pl__client_left(deadline) != 0) {
        pl__client_poll(c->fd, c->n_sent < c->out.n, deadline);
        e = receive(c);
    }
    if (e < 0) {
        down(c);
    }
}

static char *random_name(void)
{
    uint64_t bits[2];
    char name[64];
    if (getrandom(bits, sizeof(bits), 0) != (ssize_t)sizeof(bits)) {
        return NULL;
    }
    snprintf(name, sizeof(name), "libperilune-%016llx%016llx", (unsigned long long)bits[0],
             (unsigned long long)bits[1]);
    return strdup(name);
}

static int configure(struct pl_client *c, const struct pl_client_conf *conf, char *why,
                     size_t n_why)
{
    size_t n = conf->producer ? strlen(conf->producer) : 1;
    c->is_unix = conf->url && strncmp(conf->url, "unix:", 5) == 0;
    if (!c->is_unix && (!conf->url || strncmp(conf->url, "tcp://", 6) != 0)) {
        snprintf(why, n_why, "a URL is tcp://host:port or unix:/path");
        return PL_EINVAL;
    }
    if (n == 0 || n > 200) {
        snprintf(why, n_why, "producer: 1 to 200 bytes");
        return PL_EINVAL;
    }
    if (conf->batch_samples == 0 || conf->batch_samples > BATCH_MAX) {
        snprintf(why, n_why, "batch_samples: 1 to %d", BATCH_MAX);
        return PL_EINVAL;
    }
    c->conf = *conf;
    c->address = strdup(conf->url + (c->is_unix ? 5 : 6));
    c->producer = conf->producer ? strdup(conf->producer) : random_name();
    c->tenant = conf->tenant ? strdup(conf->tenant) : NULL;
    c->id = malloc(conf->batch_samples * sizeof(*c->id));
    c->t = malloc(conf->batch_samples * sizeof(*c->t));
    c->v = malloc(conf->batch_samples * sizeof(*c->v));
    bool fine = c->address && c->producer && (c->tenant || !conf->tenant) && c->id && c->t && c->v;
    snprintf(why, n_why, "%s", fine ? "" : pl_err_text(PL_ENOMEM));
    return fine ? 0 : PL_ENOMEM;
}

int pl_client_open(const struct pl_client_conf *conf, struct pl_client **out, char *why,
                   size_t n_why)
{
    struct pl_client *c = calloc(1, sizeof(*c));
    if (!c) {
        snprintf(why, n_why, "%s", pl_err_text(PL_ENOMEM));
        return PL_ENOMEM;
    }
    c->fd = -1;
    c->last = &c->first;
    int e = configure(c, conf, why, n_why);
    if (e == 0) {
        int64_t deadline = pl__client_now() + conf->timeout_ms;
        e = up(c, deadline);
        while (e == 0 && !c->greeted) {
            pump(c, deadline);
            e = c->greeted                       ? 0
                : c->dead                        ? c->dead
                : c->fd < 0                      ? PL_EIO
                : pl__client_left(deadline) == 0 ? PL_ETIMEOUT
                                                 : 0;
        }
        if (e < 0) {
            snprintf(why, n_why, "%s: %s", c->address, c->error[0] ? c->error : pl_err_text(e));
        }
    }
    if (e < 0) {
        pl_client_close(c);
        return e;
    }
    *out = c;
    return 0;
}

int pl_client_define(struct pl_client *c, const struct pl_client_label *labels, size_t n_labels,
                     uint32_t *handle)
{
    struct pl_buf map = PL_BUF_INIT;
    if (c->n_handles == HANDLES_MAX) {
        return PL_ELIMIT;
    }
    if (c->n_handles == c->cap_handles) {
        size_t cap = c->cap_handles ? 2 * c->cap_handles : 64;
        void *p = realloc(c->handles, cap * sizeof(*c->handles));
        if (!p) {
            return PL_ENOMEM;
        }
        c->handles = p;
        c->cap_handles = cap;
    }
    int e = pl__client_labels(&map, labels, n_labels);
    if (e < 0) {
        pl_buf_fini(&map);
        return e;
    }
    c->handles[c->n_handles] = map;
    *handle = (uint32_t)c->n_handles++;
    return 0;
}

/* Room for `more` bytes in the buffer; a single batch always has it. */
static int make_room(struct pl_client *c, size_t more)
{
    int64_t deadline = pl__client_now() + c->conf.timeout_ms;
    while (!c->dead && c->first && c->pending + more > c->conf.buffer_bytes) {
        pump(c, deadline);
        if (c->first && c->pending + more > c->conf.buffer_bytes &&
            pl__client_left(deadline) == 0) {
            return c->dead ? c->dead : PL_EBUSY;
        }
    }
    return c->dead;
}

static int enqueue(struct pl_client *c, const uint32_t *handles, const int64_t *t_ms,
                   const double *v, size_t n, uint64_t *seq)
{
    struct pl_buf columns = PL_BUF_INIT;
    int e = make_room(c, n * 20 + 40);
    if (e < 0) {
        return e;
    }
    pl_mp_w_ext(&columns, 1, pl_str_mem(handles, n * sizeof(*handles)));
    pl_mp_w_ext(&columns, 2, pl_str_mem(t_ms, n * sizeof(*t_ms)));
    pl_mp_w_ext(&columns, 3, pl_str_mem(v, n * sizeof(*v)));
    e = append(c, &columns, false);
    if (e < 0) {
        return e;
    }
    if (seq) {
        *seq = c->seq;
    }
    pump(c, 0);
    return 0;
}

int pl_client_write(struct pl_client *c, const uint32_t *handles, const int64_t *t_ms,
                    const double *v, size_t n, uint64_t *seq)
{
    if (n > BATCH_MAX) {
        return PL_ELIMIT;
    }
    for (size_t i = 0; i < n; i++) {
        if (handles[i] >= c->n_handles) {
            return PL_EINVAL;
        }
    }
    int e = pl_client_flush(c);
    return e < 0 || n == 0 ? e : enqueue(c, handles, t_ms, v, n, seq);
}

int pl_client_add(struct pl_client *c, uint32_t handle, int64_t t_ms, double v)
{
    if (handle >= c->n_handles) {
        return PL_EINVAL;
    }
    if (c->n == c->conf.batch_samples) { /* full: first it must go, else this sample is not taken */
        int e = pl_client_flush(c);
        if (e < 0) {
            return e;
        }
    }
    c->id[c->n] = handle;
    c->t[c->n] = t_ms;
    c->v[c->n++] = v;
    return 0;
}

int pl_client_flush(struct pl_client *c)
{
    int e = c->n ? enqueue(c, c->id, c->t, c->v, c->n, NULL) : c->dead;
    if (e == 0) {
        c->n = 0;
    }
    return e;
}

int pl_client_wait(struct pl_client *c, int timeout_ms)
{
    int64_t deadline = timeout_ms < 0 ? INT64_MAX : pl__client_now() + timeout_ms;
    int e = pl_client_flush(c);
    while (e == 0 && c->first) {
        pump(c, deadline);
        e = !c->first ? 0 : c->dead ? c->dead : pl__client_left(deadline) == 0 ? PL_ETIMEOUT : 0;
    }
    return e;
}

uint64_t pl_client_acknowledged(const struct pl_client *c) { return c->acked; }

size_t pl_client_pending(const struct pl_client *c) { return c->pending; }

const char *pl_client_error(const struct pl_client *c) { return c->error; }

void pl_client_close(struct pl_client *c)
{
    if (!c) {
        return;
    }
    acknowledge(c, UINT64_MAX); /* frees the list */
    if (c->fd >= 0) {
        close(c->fd);
    }
    for (size_t i = 0; i < c->n_handles; i++) {
        pl_buf_fini(&c->handles[i]);
    }
    pl_buf_fini(&c->out);
    pl_buf_fini(&c->in);
    free(c->handles);
    free(c->id);
    free(c->t);
    free(c->v);
    free(c->address);
    free(c->producer);
    free(c->tenant);
    free(c);
}
