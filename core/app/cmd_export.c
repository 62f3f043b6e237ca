/* `perilune export`, `series`, `labels`: what the server has, as lines. Thread: main. */
#include "core/app/cli.h"
#include "core/codec/codec.h"
#include "core/model/model.h"

static void params(struct pl_buf *path, const char *start, const char *end)
{
    if (start) {
        pl_cli_param(path, "start", pl_str_c(start));
    }
    if (end) {
        pl_cli_param(path, "end", pl_str_c(end));
    }
}

static void matches(struct pl_buf *path, const struct pl_cli *c, size_t from, const char *none)
{
    for (size_t i = from; i < c->n_args; i++) {
        pl_cli_param(path, "match[]", pl_str_c(c->args[i]));
    }
    if (c->n_args <= from && none) {
        pl_cli_param(path, "match[]", pl_str_c(none));
    }
    pl_buf_u8(path, 0);
}

struct export
{
    struct pl_progress progress;
    struct pl_buf held; /* the line that has not ended yet */
    uint64_t lines;
    bool failed;
};

static int lines(struct export *x, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t end = (size_t)((uint8_t *)memchr(x->held.p + at, '\n', n - at) - x->held.p) + 1;
        pl_str line = pl_str_mem(x->held.p + at, end - at);
        if (!pl_str_starts(line, PL_STR("{\"labels\":"))) {
            x->failed = true;
            return PL_ECANCELED;
        }
        if (fwrite(line.p, 1, line.n, stdout) != line.n) {
            return PL_EIO;
        }
        at = end;
        x->lines++;
    }
    memmove(x->held.p, x->held.p + n, x->held.n - n);
    x->held.n -= n;
    pl_progress_at(&x->progress, x->lines, 0, "lines");
    return 0;
}

/* Lines are kept whole, so that what is no sample does not get into the output: the line with which
 * the server ends where it could not go on, and the answer that says that it does not even begin.
 */
static int piece(void *ctx, pl_str part)
{
    struct export *x = ctx;
    pl_buf_str(&x->held, part);
    size_t n = x->held.n;
    while (n > 0 && x->held.p[n - 1] != '\n') {
        n--;
    }
    return n ? lines(x, n) : x->held.failed ? PL_ENOMEM : 0;
}

static int run_export(struct pl_cli *c, const char *start, const char *end)
{
    struct pl_client *client;
    struct pl_buf path = PL_BUF_INIT;
    struct export x = {0};
    char why[256];
    int status = 0, code = pl_cli_client(c, &client);
    if (code) {
        return code;
    }
    pl_buf_z(&path, "/api/v1/export");
    params(&path, start, end);
    matches(&path, c, 0, "{__name__=~\".+\"}");
    pl_progress_begin(&x.progress, "export");
    int e = pl_client_stream(client, "GET", (char *)path.p, NULL, PL_STR_NULL, piece, &x, &status,
                             why, sizeof(why));
    if (e < 0) {
        code = pl_cli_fail(c, PL_EXIT_UNREACHABLE, "%s", why);
    } else if (fflush(stdout) != 0 || ferror(stdout)) {
        code = pl_cli_fail(c, PL_EXIT_FAILED, "the output cannot be written: it ends early");
    } else if (status != 200 || x.failed || x.held.n) {
        pl_cli_tell_error(c, status, pl_buf_view(&x.held));
        code = pl_cli_fail(c, PL_EXIT_FAILED, "the output ends early, after %llu lines",
                           (unsigned long long)x.lines);
    } else {
        pl_progress_end(&x.progress, x.lines, "lines");
    }
    pl_buf_fini(&x.held);
    pl_buf_fini(&path);
    pl_client_free(client);
    return code;
}

int pl_cmd_export(int argc, char **argv)
{
    const char *start = NULL, *end = NULL;
    const struct pl_cli_option options[] = {
        {"start", "TIME", "seconds since the epoch, or RFC 3339", &start},
        {"end", "TIME", "likewise", &end},
    };
    struct pl_cli c = {
        .command = "export",
        .arguments = "[--start TIME] [--end TIME] [SELECTOR...]",
        .about = "Write samples to standard output as JSON lines, for `perilune import`.\n"
                 "Without a selector: everything.",
        .options = options,
        .n_options = 2,
        .server = true,
    };
    int code = pl_cli_parse(&c, argc, argv);
    code = code < 0 ? run_export(&c, start, end) : code;
    pl_cli_fini(&c);
    return code;
}

/* name{a="b"} of a JSON object of labels that has just begun. */
static void print_labels(struct pl_json_r *r)
{
    struct pl_label labels[PL_LABELS_MAX];
    struct pl_arena a;
    struct pl_buf canon = PL_BUF_INIT, text = PL_BUF_INIT;
    const char *why;
    size_t n = 0;
    pl_arena_init(&a, 0);
    while (n < PL_LABELS_MAX && pl_json_next(r) == PL_JSON_KEY) {
        labels[n].name = pl_arena_dup(&a, r->str);
        if (pl_json_next(r) != PL_JSON_STR) {
            break;
        }
        labels[n++].value = pl_arena_dup(&a, r->str);
    }
    if (pl_labels_canon(labels, n, &canon, &why) > 0) {
        pl_labels_text(pl_buf_view(&canon), &text);
    }
    printf("%.*s\n", (int)text.n, text.n ? (char *)text.p : "");
    pl_buf_fini(&canon);
    pl_buf_fini(&text);
    pl_arena_fini(&a);
}

/* Each string or label set of {"data":[...]} on a line. */
static void print_data(pl_str json)
{
    struct pl_json_r r;
    enum pl_json_tok t;
    bool in_data = false;
    pl_json_r_init(&r, json);
    while ((t = pl_json_next(&r)) != PL_JSON_END && t != PL_JSON_ERROR) {
        if (t == PL_JSON_KEY && r.depth == 1) {
            in_data = pl_str_eq(r.str, PL_STR("data"));
        } else if (in_data && t == PL_JSON_STR) {
            printf("%.*s\n", PL_PRS(r.str));
        } else if (in_data && t == PL_JSON_OBJ) {
            print_labels(&r);
        }
    }
    pl_json_r_fini(&r);
}

static int list(struct pl_cli *c, struct pl_buf *path)
{
    struct pl_client *client;
    struct pl_client_reply r = {0};
    int code = pl_cli_client(c, &client);
    if (code) {
        return code;
    }
    code = pl_cli_request(c, client, "GET", (char *)path->p, NULL, PL_STR_NULL, &r);
    if (code == 0) {
        print_data(pl_buf_view(&r.body));
        pl_client_reply_fini(&r);
    }
    pl_client_free(client);
    return code;
}

static const struct pl_cli_option *range_options(const char **start, const char **end,
                                                 const char **limit, struct pl_cli_option *out)
{
    out[0] = (struct pl_cli_option){"start", "TIME", "seconds since the epoch, or RFC 3339", start};
    out[1] = (struct pl_cli_option){"end", "TIME", "likewise", end};
    out[2] = (struct pl_cli_option){"limit", "N", "at most so many", limit};
    return out;
}

int pl_cmd_series(int argc, char **argv)
{
    const char *start = NULL, *end = NULL, *limit = NULL;
    struct pl_cli_option options[3];
    struct pl_buf path = PL_BUF_INIT;
    struct pl_cli c = {
        .command = "series",
        .arguments = "[SELECTOR...]",
        .about = "List series, one a line. Without a selector: all.",
        .options = range_options(&start, &end, &limit, options),
        .n_options = 3,
        .server = true,
    };
    int code = pl_cli_parse(&c, argc, argv);
    if (code < 0) {
        pl_buf_z(&path, "/api/v1/series");
        params(&path, start, end);
        if (limit) {
            pl_cli_param(&path, "limit", pl_str_c(limit));
        }
        matches(&path, &c, 0, "{__name__=~\".+\"}");
        code = list(&c, &path);
    }
    pl_buf_fini(&path);
    pl_cli_fini(&c);
    return code;
}

int pl_cmd_labels(int argc, char **argv)
{
    const char *start = NULL, *end = NULL, *limit = NULL;
    struct pl_cli_option options[3];
    struct pl_buf path = PL_BUF_INIT;
    struct pl_cli c = {
        .command = "labels",
        .arguments = "[NAME [SELECTOR...]]",
        .about = "List the names of labels, or the values of label NAME.",
        .options = range_options(&start, &end, &limit, options),
        .n_options = 3,
        .server = true,
    };
    int code = pl_cli_parse(&c, argc, argv);
    if (code < 0) {
        if (c.n_args) {
            pl_buf_z(&path, "/api/v1/label/");
            pl_url_encode(&path, pl_str_c(c.args[0]));
            pl_buf_z(&path, "/values");
        } else {
            pl_buf_z(&path, "/api/v1/labels");
        }
        params(&path, start, end);
        if (limit) {
            pl_cli_param(&path, "limit", pl_str_c(limit));
        }
        matches(&path, &c, 1, NULL);
        code = list(&c, &path);
    }
    pl_buf_fini(&path);
    pl_cli_fini(&c);
    return code;
}
