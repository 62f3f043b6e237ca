/* `perilune query`: PromQL, answered as table, JSON, CSV or a plot. Thread: main. */
#include "core/app/answer.h"
#include "core/app/cli.h"
#include "core/codec/codec.h"
#include "core/model/model.h"
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static void time_text(double t, char *out, size_t n)
{
    time_t seconds = (time_t)t;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t k = strftime(out, n, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + k, n - k, ".%03dZ", (int)((t - (double)seconds) * 1000 + 0.5));
}

static void print_table(const struct pl_answer *a)
{
    char when[40], value[PL_NUMBER_MAX];
    size_t widest = 0;
    for (size_t i = 0; i < a->n; i++) {
        widest = a->series[i].labels.n > widest ? a->series[i].labels.n : widest;
    }
    widest = widest > 100 ? 100 : widest;
    for (size_t i = 0; i < a->n; i++) {
        const struct pl_answer_series *s = &a->series[i];
        if (a->range) {
            printf("%.*s\n", PL_PRS(s->labels));
        } else if (s->n == 0) {
            printf("%.*s\n", PL_PRS(s->labels)); /* a string */
        }
        for (size_t k = 0; k < s->n; k++) {
            size_t n = pl_number_text(s->v[k], value);
            time_text(s->t[k], when, sizeof(when));
            if (a->range) {
                printf("  %s  %.*s\n", when, (int)n, value);
            } else {
                printf("%-*.*s  %.*s\n", (int)widest, PL_PRS(s->labels), (int)n, value);
            }
        }
    }
}

static void csv_cell(pl_str s)
{
    putchar('"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') {
            putchar('"');
        }
        putchar(s.p[i]);
    }
    putchar('"');
}

static void print_csv(const struct pl_answer *a)
{
    char value[PL_NUMBER_MAX], when[PL_NUMBER_MAX];
    puts("series,time,value");
    for (size_t i = 0; i < a->n; i++) {
        const struct pl_answer_series *s = &a->series[i];
        for (size_t k = 0; k < s->n; k++) {
            size_t n = pl_number_text(s->v[k], value), m = pl_number_text(s->t[k], when);
            csv_cell(s->labels);
            printf(",%.*s,%.*s\n", (int)m, when, (int)n, value);
        }
    }
}

static void print_plot(const struct pl_answer *a)
{
    struct winsize w;
    struct pl_buf out = PL_BUF_INIT;
    int width = ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_col > 40 ? w.ws_col - 15 : 80;
    pl_answer_plot(a, width, 16, &out);
    fwrite(out.p, 1, out.n, stdout);
    pl_buf_fini(&out);
}

static int print(const struct pl_cli *c, const char *format, pl_str json)
{
    struct pl_answer a;
    if (strcmp(format, "json") == 0) {
        printf("%.*s\n", PL_PRS(json));
        return 0;
    }
    int e = pl_answer_parse(json, &a);
    if (e < 0) {
        pl_answer_fini(&a);
        return pl_cli_fail(c, PL_EXIT_FAILED, "the answer cannot be read");
    }
    if (a.warnings.n) {
        fprintf(stderr, "warning: %.*s\n", PL_PRS(a.warnings));
    }
    if (strcmp(format, "csv") == 0) {
        print_csv(&a);
    } else if (strcmp(format, "plot") == 0) {
        print_plot(&a);
    } else {
        print_table(&a);
    }
    pl_answer_fini(&a);
    return 0;
}

struct query {
    const char *format, *time, *start, *end, *step, *range;
};

/* --range 1h: until now, with a step that gives about 120 points. */
static int path_of(const struct pl_cli *c, struct query *q, struct pl_buf *path)
{
    char text[64];
    int64_t range = 0, now = pl_now_ms(&pl_clock_real);
    bool plot = strcmp(q->format, "plot") == 0;
    const char *span = q->range ? q->range : plot && !q->start ? "1h" : NULL;
    if (span && pl_duration_parse(pl_str_c(span), &range) < 0) {
        return pl_cli_fail(c, PL_EXIT_USAGE, "--range \"%s\" is not a duration, as 1h", span);
    }
    pl_buf_z(path, range || q->start ? "/api/v1/query_range" : "/api/v1/query");
    pl_cli_param(path, "query", pl_str_c(c->args[0]));
    if (range) {
        snprintf(text, sizeof(text), "%lld.%03d", (long long)((now - range) / 1000), 0);
        pl_cli_param(path, "start", pl_str_c(text));
        snprintf(text, sizeof(text), "%lld.%03d", (long long)(now / 1000), (int)(now % 1000));
        pl_cli_param(path, "end", pl_str_c(text));
        snprintf(text, sizeof(text), "%lld", (long long)(range / 120000 > 0 ? range / 120000 : 1));
        pl_cli_param(path, "step", pl_str_c(q->step ? q->step : text));
    } else if (q->start) {
        pl_cli_param(path, "start", pl_str_c(q->start));
        snprintf(text, sizeof(text), "%lld", (long long)(now / 1000));
        pl_cli_param(path, "end", pl_str_c(q->end ? q->end : text));
        pl_cli_param(path, "step", pl_str_c(q->step ? q->step : "15s"));
    } else if (q->time) {
        pl_cli_param(path, "time", pl_str_c(q->time));
    }
    pl_buf_u8(path, 0);
    return 0;
}

static int run(struct pl_cli *c, struct query *q)
{
    struct pl_client *client;
    struct pl_client_reply r = {0};
    struct pl_buf path = PL_BUF_INIT;
    static const char *const known[] = {"table", "json", "csv", "plot"};
    bool ok = false;
    for (size_t i = 0; i < 4; i++) {
        ok = ok || strcmp(q->format, known[i]) == 0;
    }
    if (!ok || c->n_args != 1) {
        return pl_cli_fail(c, PL_EXIT_USAGE, "%s",
                           ok ? "give one expression, quoted"
                              : "--format is one of table, json, csv, plot");
    }
    int code = path_of(c, q, &path);
    code = code ? code : pl_cli_client(c, &client);
    if (code == 0) {
        code = pl_cli_request(c, client, "GET", (char *)path.p, NULL, PL_STR_NULL, &r);
        code = code ? code : print(c, q->format, pl_buf_view(&r.body));
        pl_client_reply_fini(&r);
        pl_client_free(client);
    }
    pl_buf_fini(&path);
    return code;
}

int pl_cmd_query(int argc, char **argv)
{
    struct query q = {.format = "table"};
    const struct pl_cli_option options[] = {
        {"format", "FORMAT", "table, json, csv or plot [table]", &q.format},
        {"time", "TIME", "at this instant [now]: seconds since the epoch, or RFC 3339", &q.time},
        {"range", "DURATION", "over the last hour, day ...: 1h, 1d", &q.range},
        {"start", "TIME", "over a range from here ...", &q.start},
        {"end", "TIME", "... to here [now]", &q.end},
        {"step", "DURATION", "between the points of a range [about 120 points]", &q.step},
    };
    struct pl_cli c = {
        .command = "query",
        .arguments = "[--range 1h] [--format FORMAT] EXPRESSION",
        .about = "Ask PromQL. Try it:\n\n"
                 "  perilune query 'up'\n"
                 "  perilune query --format plot --range 6h 'rate(http_requests_total[5m])'",
        .options = options,
        .n_options = sizeof(options) / sizeof(*options),
        .server = true,
    };
    int code = pl_cli_parse(&c, argc, argv);
    code = code < 0 ? run(&c, &q) : code;
    pl_cli_fini(&c);
    return code;
}
