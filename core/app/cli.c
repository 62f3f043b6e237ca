/* See cli.h. Thread: main. */
#include "core/app/cli.h"
#include "core/app/config.h"
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

static void help(const struct pl_cli *c)
{
    printf("Usage: perilune %s %s\n\n%s\n\nOptions\n", c->command, c->arguments, c->about);
    for (size_t i = 0; i < c->n_options; i++) {
        char head[64];
        const struct pl_cli_option *o = &c->options[i];
        snprintf(head, sizeof(head), "--%s%s%s", o->name, o->value_name ? " " : "",
                 o->value_name ? o->value_name : "");
        printf("  %-24s %s\n", head, o->help);
    }
    if (c->server) {
        printf("  %-24s %s\n", "--url URL", "the server [http://127.0.0.1:1969, or $PERILUNE_URL]");
        printf("  %-24s %s\n", "--tenant NAME", "X-Scope-OrgID [default, or $PERILUNE_TENANT]");
    }
    printf("  %-24s %s\n", "--help", "this text");
}

/* `perilune query -1` is an expression. */
static bool negative_number(pl_str s)
{
    return s.p[0] == '-' && ((s.p[1] >= '0' && s.p[1] <= '9') || s.p[1] == '.');
}

static const char **find_option(struct pl_cli *c, pl_str name, bool *flag)
{
    *flag = false;
    if (c->server && pl_str_eq(name, PL_STR("url"))) {
        return &c->url;
    }
    if (c->server && pl_str_eq(name, PL_STR("tenant"))) {
        return &c->tenant;
    }
    for (size_t i = 0; i < c->n_options; i++) {
        if (pl_str_eq(name, pl_str_c(c->options[i].name))) {
            *flag = !c->options[i].value_name;
            return c->options[i].value;
        }
    }
    return NULL;
}

static int unknown_option(const struct pl_cli *c, const char *arg, pl_str name)
{
    const char *near = NULL;
    size_t best = PL_NEAR + 1;
    for (size_t i = 0; i < c->n_options + (c->server ? 2 : 0); i++) {
        const char *known = i < c->n_options    ? c->options[i].name
                            : i == c->n_options ? "url"
                                                : "tenant";
        size_t d = pl_name_distance(name, pl_str_c(known));
        if (d < best) {
            best = d;
            near = known;
        }
    }
    return pl_cli_fail(c, PL_EXIT_USAGE, "unknown option %s: %s%s", arg,
                       near ? "did you mean --" : "--help lists them", near ? near : "");
}

int pl_cli_parse(struct pl_cli *c, int argc, char **argv)
{
    bool only_arguments = false;
    c->args = calloc((size_t)argc + 1, sizeof(*c->args));
    if (!c->args) {
        return pl_cli_fail(c, PL_EXIT_FAILED, "out of memory");
    }
    for (int i = 0; i < argc; i++) {
        bool flag;
        pl_str value = pl_str_c(argv[i]);
        if (only_arguments || value.n < 2 || value.p[0] != '-' || negative_number(value)) {
            c->args[c->n_args++] = argv[i];
            continue;
        }
        if (pl_str_eq(value, PL_STR("--"))) {
            only_arguments = true;
            continue;
        }
        if (pl_str_eq(value, PL_STR("-h"))) {
            help(c);
            return PL_EXIT_OK;
        }
        if (value.p[1] != '-') {
            return pl_cli_fail(c, PL_EXIT_USAGE, "unknown option %s: options begin with two dashes",
                               argv[i]);
        }
        pl_str name = pl_str_cut(&value, '=');
        name.p += 2;
        name.n -= 2;
        if (pl_str_eq(name, PL_STR("help"))) {
            help(c);
            return PL_EXIT_OK;
        }
        const char **to = find_option(c, name, &flag);
        if (!to) {
            return unknown_option(c, argv[i], name);
        }
        if (value.p && flag) {
            return pl_cli_fail(c, PL_EXIT_USAGE, "--%.*s takes no value", PL_PRS(name));
        }
        if (value.p) {
            *to = value.p;
        } else if (flag) {
            *to = "true";
        } else if (i + 1 < argc) {
            *to = argv[++i];
        } else {
            return pl_cli_fail(c, PL_EXIT_USAGE, "%s needs a value", argv[i]);
        }
    }
    return -1;
}

void pl_cli_fini(struct pl_cli *c)
{
    free(c->args);
    c->args = NULL;
}

int pl_cli_fail(const struct pl_cli *c, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "perilune %s: ", c->command);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return code;
}

int pl_cli_client(const struct pl_cli *c, struct pl_client **out)
{
    const char *url = c->url ? c->url : getenv("PERILUNE_URL");
    const char *tenant = c->tenant ? c->tenant : getenv("PERILUNE_TENANT");
    if (pl_client_new(url && url[0] ? url : "http://127.0.0.1:1969", tenant, out) < 0) {
        return pl_cli_fail(c, PL_EXIT_USAGE, "--url \"%s\" is not an address", url ? url : "");
    }
    return 0;
}

void pl_cli_tell_error(const struct pl_cli *c, int status, pl_str body)
{
    body = pl_str_trim(body);
    const char *at = body.n ? memmem(body.p, body.n, "\"error\":\"", 9) : NULL;
    if (at) {
        const char *end = body.p + body.n;
        at += 9;
        body = pl_str_mem(at, (size_t)(end - at));
        size_t n = 0;
        while (n < body.n && body.p[n] != '"') {
            n += body.p[n] == '\\' ? 2 : 1;
        }
        body.n = n < body.n ? n : body.n;
    }
    char number[16] = "";
    if (status != 200) {
        snprintf(number, sizeof(number), " %d", status);
    }
    pl_cli_fail(c, 0, "the server says%s: %.*s", number, body.n < 2000 ? (int)body.n : 2000,
                body.p ? body.p : "");
}

/** The place of `1:7: parse error`, in bytes from the start of the query; false: it names none. */
static bool place_of(pl_str body, pl_str query, pl_str *line, size_t *column)
{
    const char *words = body.n ? memmem(body.p, body.n, ": parse error: ", 15) : NULL;
    size_t number[2] = {0, 0}, unit = 1, which = 1;
    for (; words && words > body.p; words--) { /* backwards: the column, then the line */
        char c = words[-1];
        if (c >= '0' && c <= '9' && unit <= 100000000) {
            number[which] += (size_t)(c - '0') * unit;
            unit *= 10;
        } else if (c == ':' && which == 1) {
            which = 0;
            unit = 1;
        } else {
            break;
        }
    }
    if (which || !number[0] || !number[1]) {
        return false;
    }
    for (size_t i = 0; i < number[0]; i++) {
        *line = pl_str_cut(&query, '\n');
    }
    *column = number[1];
    return number[1] <= line->n + 1;
}

void pl_cli_tell_query_error(const struct pl_cli *c, int status, pl_str body, pl_str query)
{
    pl_str line;
    size_t column;
    pl_cli_tell_error(c, status, body);
    if (place_of(body, query, &line, &column)) {
        size_t from = column > 60 ? column - 60 : 0, shown = line.n - from;
        fprintf(stderr, "  %.*s\n  %*s^\n", shown < 100 ? (int)shown : 100, line.p + from,
                (int)(column - 1 - from), "");
    }
    const char *at = body.n ? memmem(body.p, body.n, "\"hint\":\"", 8) : NULL;
    const char *end = body.p + body.n;
    if (!at) {
        return;
    }
    fputs("hint: ", stderr);
    for (at += 8; at < end && *at != '"'; at++) {
        at += *at == '\\' && at + 1 < end;
        fputc(*at, stderr);
    }
    fputc('\n', stderr);
}

int pl_cli_request_any(const struct pl_cli *c, struct pl_client *client, const char *method,
                       const char *path, const char *content_type, pl_str body,
                       struct pl_client_reply *out)
{
    char why[256];
    for (unsigned waited = 0;; waited++) {
        if (pl_client_do(client, method, path, content_type, NULL, body, out, why, sizeof(why)) <
            0) {
            return pl_cli_fail(c, PL_EXIT_UNREACHABLE, "%s", why);
        }
        bool later = out->status == 429 || out->status == 503;
        if (!later || waited >= 60) {
            return 0;
        }
        unsigned pause = out->retry_after_s > 0 ? (unsigned)out->retry_after_s : 1;
        pl_client_reply_fini(out);
        sleep(pause < 10 ? pause : 10);
    }
}

int pl_cli_request(const struct pl_cli *c, struct pl_client *client, const char *method,
                   const char *path, const char *content_type, pl_str body,
                   struct pl_client_reply *out)
{
    int code = pl_cli_request_any(c, client, method, path, content_type, body, out);
    if (code) {
        return code;
    }
    if (out->status < 200 || out->status > 299) {
        pl_cli_tell_error(c, out->status, pl_buf_view(&out->body));
        pl_client_reply_fini(out);
        return PL_EXIT_FAILED;
    }
    return 0;
}

void pl_cli_param(struct pl_buf *path, const char *name, pl_str value)
{
    pl_buf_u8(path, path->n && memchr(path->p, '?', path->n) ? '&' : '?');
    pl_url_encode(path, pl_str_c(name));
    pl_buf_u8(path, '=');
    pl_url_encode(path, value);
}

void pl_progress_begin(struct pl_progress *p, const char *what)
{
    *p = (struct pl_progress){.what = what, .terminal = isatty(2) == 1};
    p->begun_ns = p->told_ns = pl_mono_ns(&pl_clock_real);
}

void pl_progress_at(struct pl_progress *p, uint64_t done, uint64_t total, const char *unit)
{
    int64_t now = pl_mono_ns(&pl_clock_real);
    if (now - p->told_ns < (p->terminal ? 100000000 : 10000000000)) {
        return;
    }
    double seconds = (double)(now - p->begun_ns) / 1e9;
    p->told_ns = now;
    p->shown = true;
    fprintf(stderr, "%s%s: %llu", p->terminal ? "\r" : "", p->what, (unsigned long long)done);
    if (total) {
        fprintf(stderr, " of %llu %s (%.0f %%)", (unsigned long long)total, unit,
                100.0 * (double)done / (double)total);
    } else {
        fprintf(stderr, " %s", unit);
    }
    fprintf(stderr, ", %.0f/s%s", (double)done / seconds, p->terminal ? "   " : "\n");
}

void pl_progress_end(struct pl_progress *p, uint64_t done, const char *unit)
{
    double seconds = (double)(pl_mono_ns(&pl_clock_real) - p->begun_ns) / 1e9;
    fprintf(stderr, "%s%s: %llu %s in %.1f s\n", p->terminal && p->shown ? "\r" : "", p->what,
            (unsigned long long)done, unit, seconds);
}
