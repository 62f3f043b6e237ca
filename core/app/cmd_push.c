/* `perilune push` and `perilune import`: standard input or a file, sent in pieces. Line formats are
 * cut at line ends, so that any amount passes in bounded memory. Thread: main. */
#include "core/app/cli.h"
#include "core/codec/codec.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (4u << 20)
#define WHOLE_BYTES (64u << 20) /* formats that cannot be cut */

struct format {
    const char *name, *path, *content_type;
    bool lines;
};
static const struct format formats[] = {
    {"prometheus", "/api/v1/import/prometheus", "text/plain", true},
    {"influx", "/write", "text/plain", true},
    {"jsonl", "/api/v1/push", "application/x-ndjson", true},
    {"json", "/api/v1/push", "application/json", false},
    {"msgpack", "/api/v1/push", "application/msgpack", false},
    {"remote-write", "/api/v1/write", "application/x-protobuf", false},
};

struct sender {
    struct pl_cli *cli;
    struct pl_client *client;
    const struct format *format;
    struct pl_buf path;
    struct pl_progress progress;
    uint64_t sent, total, lines; /* bytes; lines that are durable */
    uint64_t rejected;
};

static uint64_t field(pl_str json, const char *key)
{
    uint64_t x = 0;
    const char *at = json.n ? memmem(json.p, json.n, key, strlen(key)) : NULL;
    if (at) {
        at += strlen(key);
        const char *end = at;
        while (end < json.p + json.n && *end >= '0' && *end <= '9') {
            end++;
        }
        pl_str_u64(pl_str_mem(at, (size_t)(end - at)), &x);
    }
    return x;
}

static uint64_t count_lines(pl_str s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += s.p[i] == '\n';
    }
    return n;
}

/* What the reply says was left out: `"rejected":3` of our own, or a 400 with `3 rejected: ` of
 * remote write and InfluxDB, whose good part is stored too. 0: none, or the whole was refused. */
static uint64_t rejected_of(int status, pl_str body)
{
    if (status != 400) {
        return field(body, "\"rejected\":");
    }
    uint64_t n = field(body, "\"error\":\"partial write: ");
    pl_str first = body;
    if (!n && pl_str_u64(pl_str_cut(&first, ' '), &n) == 0 &&
        !(first.p && pl_str_starts(first, PL_STR("rejected: ")))) {
        n = 0;
    }
    return n;
}

/* What a reply of ours says about each item it left out. The server counts lines from the begin of
 * the piece, we from that of the input. */
static size_t tell_rejects(const struct sender *s, pl_str body)
{
    struct pl_json_r r;
    enum pl_json_tok t;
    bool line = false, text = false;
    uint64_t at = 0;
    size_t told = 0;
    pl_json_r_init(&r, body);
    while ((t = pl_json_next(&r)) != PL_JSON_END && t != PL_JSON_ERROR) {
        if (t == PL_JSON_KEY) {
            line = pl_str_eq(r.str, PL_STR("line"));
            text = pl_str_eq(r.str, PL_STR("text"));
        } else if (t == PL_JSON_NUM && line) {
            at = (uint64_t)r.num;
        } else if (t == PL_JSON_STR && text) {
            pl_str words = r.str, first = pl_str_cut(&words, ':');
            uint64_t number = s->lines + at;
            if (at && words.p) {
                pl_cli_fail(s->cli, 0, "line %llu:%.*s", (unsigned long long)number, PL_PRS(words));
            } else {
                pl_cli_fail(s->cli, 0, "%.*s%s%.*s", PL_PRS(first), words.p ? ":" : "",
                            PL_PRS(words));
            }
            told++;
        }
    }
    pl_json_r_fini(&r);
    return told;
}

static void tell_rejected(const struct sender *s, int status, pl_str body, uint64_t rejected)
{
    size_t told = status == 200 ? tell_rejects(s, body) : 0;
    if (!told) {
        pl_cli_tell_error(s->cli, status, body);
        if (s->lines && s->format->lines) {
            pl_cli_fail(s->cli, 0, "these lines are counted from line %llu of the input",
                        (unsigned long long)s->lines + 1);
        }
    } else if (told < rejected) {
        pl_cli_fail(s->cli, 0, "... and %llu more", (unsigned long long)rejected - told);
    }
}

static int told_lines(const struct sender *s, int code)
{
    if (s->format->lines) {
        pl_cli_fail(s->cli, 0, "the first %llu lines are durable", (unsigned long long)s->lines);
    }
    return code;
}

static int send_piece(struct sender *s, pl_str piece)
{
    struct pl_client_reply r = {0};
    pl_buf_u8(&s->path, 0);
    s->path.n--;
    int code = pl_cli_request_any(s->cli, s->client, "POST", (char *)s->path.p,
                                  s->format->content_type, piece, &r);
    if (code) {
        return told_lines(s, code);
    }
    pl_str body = pl_str_trim(pl_buf_view(&r.body));
    uint64_t rejected = rejected_of(r.status, body);
    if (!rejected && (r.status < 200 || r.status > 299)) {
        pl_cli_tell_error(s->cli, r.status, body);
        pl_client_reply_fini(&r);
        return told_lines(s, PL_EXIT_FAILED);
    }
    s->rejected += rejected;
    if (rejected) {
        tell_rejected(s, r.status, body, rejected);
    }
    pl_client_reply_fini(&r);
    s->sent += piece.n;
    s->lines += count_lines(piece);
    pl_progress_at(&s->progress, s->sent, s->total, "bytes");
    return 0;
}

/* Whole lines of the buffer go out; the rest moves to its front. */
static int send_lines(struct sender *s, struct pl_buf *b, bool last)
{
    size_t n = b->n;
    while (!last && n > 0 && b->p[n - 1] != '\n') {
        n--;
    }
    if (n == 0) {
        return b->n > WHOLE_BYTES ? pl_cli_fail(s->cli, PL_EXIT_FAILED, "a line over 64 MB") : 0;
    }
    int code = send_piece(s, pl_str_mem(b->p, n));
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    return code;
}

static int send_all(struct sender *s, int fd)
{
    struct pl_buf b = PL_BUF_INIT;
    int code = 0;
    size_t piece = s->format->lines ? PIECE_BYTES : WHOLE_BYTES;
    while (code == 0) {
        uint8_t *room = pl_buf_reserve(&b, 1 << 20);
        ssize_t n = room ? read(fd, room, 1 << 20) : -1;
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            code = pl_cli_fail(s->cli, PL_EXIT_FAILED, "cannot read the input");
            break;
        }
        b.n += (size_t)n;
        if (n == 0) {
            code = b.n ? send_lines(s, &b, true) : 0;
            break;
        }
        if (b.n >= piece) {
            code = s->format->lines
                       ? send_lines(s, &b, false)
                       : pl_cli_fail(s->cli, PL_EXIT_FAILED, "over 64 MB: send it in pieces");
        }
    }
    pl_buf_fini(&b);
    return code;
}

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        if (strcmp(name, formats[i].name) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}

static int run(struct pl_cli *c, const char *format, const char *precision, const char *extra)
{
    struct sender s = {.cli = c, .format = find_format(format)};
    struct stat st;
    const char *file = c->n_args ? c->args[0] : "-";
    if (!s.format) {
        return pl_cli_fail(c, PL_EXIT_USAGE,
                           "--format is one of prometheus, influx, jsonl, json, msgpack, "
                           "remote-write");
    }
    int fd = strcmp(file, "-") == 0 ? 0 : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return pl_cli_fail(c, PL_EXIT_FAILED, "%s: %s", file, strerror(errno));
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        s.total = (uint64_t)st.st_size;
    }
    pl_buf_z(&s.path, s.format->path);
    if (precision) {
        pl_cli_param(&s.path, "precision", pl_str_c(precision));
    }
    if (extra) {
        pl_cli_param(&s.path, "extra_label", pl_str_c(extra));
    }
    int code = pl_cli_client(c, &s.client);
    if (code == 0) {
        pl_progress_begin(&s.progress, c->command);
        code = send_all(&s, fd);
        pl_progress_end(&s.progress, s.sent, "bytes");
        pl_client_free(s.client);
    }
    if (code == 0 && s.rejected) {
        code = pl_cli_fail(c, PL_EXIT_FAILED, "%llu rejected; the rest is durable",
                           (unsigned long long)s.rejected);
    }
    if (fd > 0) {
        close(fd);
    }
    pl_buf_fini(&s.path);
    return code;
}

int pl_cmd_push(int argc, char **argv)
{
    const char *format = "prometheus", *precision = NULL, *extra = NULL;
    const struct pl_cli_option options[] = {
        {"format", "FORMAT", "prometheus, influx, jsonl, json, msgpack, remote-write [prometheus]",
         &format},
        {"precision", "UNIT", "of influx timestamps: ns, us, ms, s [ns]", &precision},
        {"extra-label", "NAME=VALUE", "added to every sample of prometheus text", &extra},
    };
    struct pl_cli c = {
        .command = "push",
        .arguments = "[--format FORMAT] [FILE]",
        .about = "Send samples from FILE or standard input; done means durable. Try it:\n\n"
                 "  echo 'temperature{room=\"attic\"} 21.5' | perilune push\n"
                 "  curl -s localhost:9100/metrics | perilune push --extra-label job=node",
        .options = options,
        .n_options = sizeof(options) / sizeof(*options),
        .server = true,
    };
    int code = pl_cli_parse(&c, argc, argv);
    code = code < 0 ? run(&c, format, precision, extra) : code;
    pl_cli_fini(&c);
    return code;
}

int pl_cmd_import(int argc, char **argv)
{
    struct pl_cli c = {
        .command = "import",
        .arguments = "[FILE]",
        .about = "Send JSON lines as `perilune export` writes them (and docs/push.md describes).",
        .server = true,
    };
    int code = pl_cli_parse(&c, argc, argv);
    code = code < 0 ? run(&c, "jsonl", NULL, NULL) : code;
    pl_cli_fini(&c);
    return code;
}
