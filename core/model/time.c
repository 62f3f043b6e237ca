/* See time.h. Sources: RFC 3339, section 5.6; Howard Hinnant, chrono-compatible low-level date
 * algorithms. */
#include "core/model/time.h"
#include "core/model/duration.h"

#define DAY_MS INT64_C(86400000)

/* What Go prints for Prometheus' minTime and maxTime. */
static const char first_time[] = "-292273086-05-16T16:47:06Z";
static const char last_time[] = "292277025-08-18T07:12:54.999999999Z";

/* Days since 1970-01-01 of a civil date. */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static void date_of(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned doe = (unsigned)(days - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int64_t)yoe + era * 400 + (*m <= 2);
}

static unsigned days_in(int y, int m)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    return m == 2 && leap ? 29 : days[m - 1];
}

static bool digits(const char **p, const char *end, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, (*p)++) {
        if (*p == end || **p < '0' || **p > '9') {
            return false;
        }
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool eat(const char **p, const char *end, const char *any)
{
    if (*p < end && **p && strchr(any, **p)) {
        (*p)++;
        return true;
    }
    return false;
}

/* What follows a point, to the nearest millisecond. */
static bool fraction(const char **p, const char *end, int64_t *ms)
{
    const char *first = *p;
    int64_t tenths = 0, scale = 1000;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, scale /= 10) {
        tenths += (**p - '0') * scale;
    }
    *ms = (tenths + 5) / 10;
    return *p > first;
}

static int rfc3339(pl_str s, int64_t *out_ms)
{
    const char *p = s.p, *end = s.p + s.n;
    int y, mo, d, h, mi, sec, oh = 0, om = 0, sign = 1;
    int64_t ms = 0;
    if (!digits(&p, end, 4, &y) || !eat(&p, end, "-") || !digits(&p, end, 2, &mo) ||
        !eat(&p, end, "-") || !digits(&p, end, 2, &d) || !eat(&p, end, "Tt ") ||
        !digits(&p, end, 2, &h) || !eat(&p, end, ":") || !digits(&p, end, 2, &mi) ||
        !eat(&p, end, ":") || !digits(&p, end, 2, &sec)) {
        return PL_EPARSE;
    }
    if (mo < 1 || mo > 12 || d < 1 || (unsigned)d > days_in(y, mo) || h > 23 || mi > 59 ||
        sec > 60) { /* 60: a leap second */
        return PL_EPARSE;
    }
    if (eat(&p, end, ".") && !fraction(&p, end, &ms)) {
        return PL_EPARSE;
    }
    if (!eat(&p, end, "Zz")) {
        sign = p < end && *p == '-' ? -1 : 1;
        if (!eat(&p, end, "+-") || !digits(&p, end, 2, &oh) || !eat(&p, end, ":") ||
            !digits(&p, end, 2, &om) || oh > 23 || om > 59) {
            return PL_EPARSE;
        }
    }
    if (p != end) {
        return PL_EPARSE;
    }
    int64_t minutes = (days_of(y, (unsigned)mo, (unsigned)d) * 24 + h) * 60 + mi;
    minutes -= sign * (oh * 60 + om);
    *out_ms = (minutes * 60 + sec) * 1000 + ms;
    return 0;
}

/* Exactly to the millisecond, as durations are read; but no units: `5m` is a duration, no time. */
static int seconds(pl_str s, int64_t *out_ms)
{
    bool minus = s.n && s.p[0] == '-';
    size_t sign = minus || (s.n && s.p[0] == '+');
    int64_t ms;
    pl_str rest = {s.p + sign, s.n - sign};
    for (size_t i = 0; i < rest.n; i++) {
        char c = rest.p[i];
        if (!(c >= '0' && c <= '9') && !memchr(".eE+-", c, 5)) {
            return PL_EPARSE;
        }
    }
    int e = rest.n ? pl_duration_parse(rest, &ms) : PL_EPARSE;
    if (e == PL_ELIMIT) {
        ms = PL_TIME_MAX;
    } else if (e < 0) {
        return e;
    }
    *out_ms = minus ? -ms : ms;
    return 0;
}

int pl_time_parse(pl_str s, int64_t *out_ms)
{
    if (pl_str_eq(s, pl_str_c(first_time))) {
        *out_ms = PL_TIME_MIN;
        return 0;
    }
    if (pl_str_eq(s, pl_str_c(last_time))) {
        *out_ms = PL_TIME_MAX;
        return 0;
    }
    return seconds(s, out_ms) == 0 ? 0 : rfc3339(s, out_ms);
}

void pl_time_text(int64_t ms, struct pl_buf *out)
{
    int64_t days = ms / DAY_MS - (ms % DAY_MS < 0), rest = ms - days * DAY_MS, y;
    unsigned m, d;
    date_of(days, &y, &m, &d);
    if (y < 0 || y > 9999) {
        pl_buf_f(out, "%lld.%03d", (long long)(ms / 1000),
                 (int)(ms < 0 ? -(ms % 1000) : ms % 1000));
        return;
    }
    unsigned r = (unsigned)rest;
    pl_buf_f(out, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", (int)y, m, d, r / 3600000, r / 60000 % 60,
             r / 1000 % 60, r % 1000);
}
