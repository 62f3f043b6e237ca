/* One event, one line, one write(2), so that lines of several threads do not mix:
 *
 *   ts=2026-01-02T03:04:05.678Z level=info component=store msg=flushed samples=12 path=/x
 *   {"ts":"2026-01-02T03:04:05.678Z","level":"info","component":"store","msg":"flushed","samples":12}
 *
 * Control characters in a field's text are escaped, so that a pushed label cannot forge a line. */
#include "core/base/log.h"
#include "core/base/buf.h"
#include "perilune/err.h"
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
    [PL_DEBUG] = "debug", [PL_INFO] = "info", [PL_WARN] = "warn", [PL_ERROR] = "error"};

int pl_level_parse(const char *name, enum pl_level *out)
{
    for (int i = PL_DEBUG; i <= PL_ERROR; i++) {
        if (pl_str_ieq(pl_str_c(name), pl_str_c(names[i]))) {
            *out = (enum pl_level)i;
            return PL_OK;
        }
    }
    return PL_EPARSE;
}

static void add_time(struct pl_buf *b, int64_t ms)
{
    time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm tm;
    gmtime_r(&s, &tm);
    pl_buf_f(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms - (int64_t)s * 1000));
}

/** With control characters escaped; with `quotes` also quotes and backslashes. */
static void add_escaped(struct pl_buf *b, pl_str s, bool quotes)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\n') {
            pl_buf_z(b, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            pl_buf_f(b, "\\u%04x", c);
        } else {
            if (quotes && (c == '"' || c == '\\')) {
                pl_buf_u8(b, '\\');
            }
            pl_buf_u8(b, c);
        }
    }
}

static void add_quoted(struct pl_buf *b, pl_str s)
{
    pl_buf_u8(b, '"');
    add_escaped(b, s, true);
    pl_buf_u8(b, '"');
}

/** As JSON writes numbers: -?(0|[1-9][0-9]*)(.[0-9]+)? */
static bool is_number(pl_str s)
{
    size_t i = s.n && s.p[0] == '-', start = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') {
        i++;
    }
    if (i == start || i - start > 15 || (s.p[start] == '0' && i - start > 1)) {
        return false;
    }
    if (i < s.n && s.p[i] == '.') {
        start = ++i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') {
            i++;
        }
        return i == s.n && i > start;
    }
    return i == s.n;
}

/** Take the value at the head of *rest: quoted up to the closing quote, or up to a space. */
static pl_str take_value(pl_str *rest, bool *quoted)
{
    *quoted = rest->n && rest->p[0] == '"';
    if (!*quoted) {
        return pl_str_cut(rest, ' ');
    }
    size_t i = 1;
    while (i < rest->n && !(rest->p[i] == '"' && (i + 1 == rest->n || rest->p[i + 1] == ' '))) {
        i++;
    }
    pl_str value = {rest->p + 1, i - 1};
    size_t used = i + 2 < rest->n ? i + 2 : rest->n;
    *rest = (pl_str){rest->p + used, rest->n - used};
    return value;
}

static void add_json_fields(struct pl_buf *b, pl_str rest)
{
    while (rest.n) {
        if (rest.p[0] == ' ') {
            rest = (pl_str){rest.p + 1, rest.n - 1};
            continue;
        }
        const char *eq = memchr(rest.p, '=', rest.n);
        pl_str key = {rest.p, eq ? (size_t)(eq - rest.p) : rest.n};
        rest = eq ? (pl_str){eq + 1, rest.n - key.n - 1} : PL_STR_NULL;
        bool quoted;
        pl_str value = take_value(&rest, &quoted);
        pl_buf_u8(b, ',');
        add_quoted(b, key);
        pl_buf_u8(b, ':');
        if (!quoted && is_number(value)) {
            pl_buf_str(b, value);
        } else {
            add_quoted(b, value);
        }
    }
}

static void add_line(struct pl_buf *b, const struct pl_log *log, enum pl_level level,
                     const char *component, const char *msg, pl_str fields)
{
    pl_buf_z(b, log->json ? "{\"ts\":\"" : "ts=");
    add_time(b, pl_now_ms(log->clock.now_ms ? &log->clock : &pl_clock_real));
    if (log->json) {
        pl_buf_f(b, "\",\"level\":\"%s\",\"component\":", names[level]);
        add_quoted(b, pl_str_c(component));
        pl_buf_z(b, ",\"msg\":");
        add_quoted(b, pl_str_c(msg));
        add_json_fields(b, fields);
        pl_buf_u8(b, '}');
    } else {
        pl_buf_f(b, " level=%s component=%s msg=", names[level], component);
        if (strpbrk(msg, " \"=\n") || !*msg) {
            add_quoted(b, pl_str_c(msg));
        } else {
            pl_buf_z(b, msg);
        }
        if (fields.n) {
            pl_buf_u8(b, ' ');
            add_escaped(b, fields, false);
        }
    }
    pl_buf_u8(b, '\n');
}

void pl_logf(const struct pl_log *log, enum pl_level level, const char *component, const char *msg,
             const char *fields, ...)
{
    if (!log || level < log->level || level > PL_ERROR) {
        return;
    }
    struct pl_buf text = PL_BUF_INIT, line = PL_BUF_INIT;
    if (fields) {
        va_list ap;
        va_start(ap, fields);
        int n = vsnprintf(NULL, 0, fields, ap);
        va_end(ap);
        char *to = n > 0 ? (char *)pl_buf_reserve(&text, (size_t)n + 1) : NULL;
        if (to) {
            va_start(ap, fields);
            vsnprintf(to, (size_t)n + 1, fields, ap);
            va_end(ap);
            text.n = (size_t)n;
        }
    }
    add_line(&line, log, level, component, msg, pl_buf_view(&text));
    if (!line.failed && write(log->fd, line.p, line.n) < 0) {
        /* there is nowhere to say it */
    }
    pl_buf_fini(&text);
    pl_buf_fini(&line);
}
