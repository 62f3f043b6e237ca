/* `perilune query`: PromQL, answered as table, JSON, CSV or a plot. Thread: main. */
#include "core/app/answer.h"
#include "core/app/cli.h"
#include "core/app/plan.h"
#include "core/codec/codec.h"
#include "core/model/model.h"
#include <sys/ioctl.h>
#include <unistd.h>

/* Seconds, as the answer has them, to a date. */
static pl_str date(struct pl_buf *room, double t)
{
    double ms = t * 1000;
    pl_buf_clear(room);
    pl_time_text((int64_t)(ms < 0 ? ms - 0.5 : ms + 0.5), room);
    return pl_buf_view(room);
}

static void print_table(const struct pl_answer *a)
{
    char value[PL_NUMBER_MAX];
    struct pl_buf when = PL_BUF_INIT;
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
            if (a->range) {
                printf("  %.*s  %.*s\n", PL_PRS(date(&when, s->t[k])), (int)n, value);
            } else {
                printf("%-*.*s  %.*s\n", (int)widest, PL_PRS(s->labels), (int)n, value);
            }
        }
    }
    pl_buf_fini(&when);
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
    pl_answer_plot(a, width, 16, isatty(1) == 1, &out);
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
    fwrite(a.notes.p, 1, a.notes.n, stderr);
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

/** The plan of a query; where it cannot be read, as it came. */
static int print_plan(const char *format, pl_str json)
{
    struct pl_buf text = PL_BUF_INIT;
    if (strcmp(format, "json") == 0 || pl_plan_text(json, &text) < 0) {
        printf("%.*s\n", PL_PRS(json));
    } else {
        fwrite(text.p, 1, text.n, stdout);
    }
    pl_buf_fini(&text);
    return 0;
}

struct query {
    const char *format, *time, *start, *end, *step, *range;
    const char *explain, *analyze; /* flags */
};

static int bad_time(const struct pl_cli *c, const char *option, const char *text)
{
    return pl_cli_fail(c, PL_EXIT_USAGE,
                       "--%s \"%s\" is not a time: seconds since the epoch, or RFC 3339", option,
                       text);
}

/* Options that do not go together are a mistake, which must not pass in silence. */
static int check(const struct pl_cli *c, const struct query *q)
{
    const char *why = NULL;
    bool range = q->range || q->start || strcmp(q->format, "plot") == 0;
    if (q->time && (q->range || q->start || q->end)) {
        why = "--time is an instant: it does not go with --range, --start, --end";
    } else if (q->range && q->start) {
        why = "--range and --start both say where to begin: give one";
    } else if (q->end && !range) {
        why = "--end needs --start or --range";
    } else if (q->step && !range) {
        why = "--step needs --start or --range";
    }
    return why ? pl_cli_fail(c, PL_EXIT_USAGE, "%s", why) : 0;
}

/* start and end of a range, and a step that gives about 120 points. */
static int range_of(const struct pl_cli *c, const struct query *q, int64_t *t0, int64_t *t1,
                    int64_t *step)
{
    const char *span = q->range ? q->range : "1h";
    int64_t ms;
    *t1 = pl_now_ms(&pl_clock_real);
    if (q->end && pl_time_parse(pl_str_c(q->end), t1) < 0) {
        return bad_time(c, "end", q->end);
    }
    if (q->start) {
        if (pl_time_parse(pl_str_c(q->start), t0) < 0) {
            return bad_time(c, "start", q->start);
        }
    } else if (pl_duration_parse(pl_str_c(span), &ms) < 0 || ms == 0) {
        return pl_cli_fail(c, PL_EXIT_USAGE, "--range \"%s\" is not a duration, as 1h", span);
    } else {
        *t0 = *t1 - ms;
    }
    *step = *t1 > *t0 ? (*t1 - *t0) / 120000 * 1000 : 1000;
    *step = *step > 1000 ? *step : 1000;
    if (q->step && pl_duration_parse(pl_str_c(q->step), step) < 0) {
        return pl_cli_fail(c, PL_EXIT_USAGE, "--step \"%s\" is not a duration, as 15s", q->step);
    }
    return 0;
}

static void time_param(struct pl_buf *path, const char *name, int64_t ms)
{
    char text[PL_NUMBER_MAX];
    pl_cli_param(path, name, pl_str_mem(text, pl_number_time_ms(ms, text)));
}

static int path_of(const struct pl_cli *c, const struct query *q, struct pl_buf *path)
{
    int64_t t0, t1, step;
    int code = check(c, q);
    if (code) {
        return code;
    }
    bool range = q->range || q->start || (strcmp(q->format, "plot") == 0 && !q->time);
    pl_buf_z(path, q->explain || q->analyze ? "/api/v1/explain"
                   : range                  ? "/api/v1/query_range"
                                            : "/api/v1/query");
    pl_cli_param(path, "query", pl_str_c(c->args[0]));
    if (q->analyze) {
        pl_cli_param(path, "analyze", PL_STR("1"));
    }
    if (range) {
        code = range_of(c, q, &t0, &t1, &step);
        if (code) {
            return code;
        }
        time_param(path, "start", t0);
        time_param(path, "end", t1);
        time_param(path, "step", step);
    } else if (q->time) {
        if (pl_time_parse(pl_str_c(q->time), &t0) < 0) {
            return bad_time(c, "time", q->time);
        }
        time_param(path, "time", t0);
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
        code = pl_cli_request_any(c, client, "GET", (char *)path.p, NULL, PL_STR_NULL, &r);
        if (code == 0 && r.status / 100 != 2) {
            pl_cli_tell_query_error(c, r.status, pl_buf_view(&r.body), pl_str_c(c->args[0]));
            code = PL_EXIT_FAILED;
        }
        bool plan = q->explain || q->analyze;
        code = code   ? code
               : plan ? print_plan(q->format, pl_buf_view(&r.body))
                      : print(c, q->format, pl_buf_view(&r.body));
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
        {"start", "TIME", "instead of --range: over a range from here ...", &q.start},
        {"end", "TIME", "... to here [now]", &q.end},
        {"step", "DURATION", "between the points of a range [about 120 points]", &q.step},
        {"explain", NULL, "how it would run, and what it would read", &q.explain},
        {"analyze", NULL, "the same, and run it: what each part took", &q.analyze},
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
