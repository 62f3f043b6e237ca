/* Durations: reading and printing. Source: Prometheus' model.ParseDuration and Duration.String
 * (units, their order, years and weeks printed only where they divide the whole). */
#include "core/model/duration.h"

#define MAX_MS (INT64_MAX / 1000000) /* Prometheus keeps nanoseconds in 64 bits: 292 years */

struct unit {
    const char *name;
    int64_t ms;
};
/* Large to small. */
static const struct unit units[] = {
    {"y", 365 * 86400000ll},
    {"w", 7 * 86400000ll},
    {"d", 86400000},
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
};
#define N_UNITS (sizeof units / sizeof units[0])

static bool digit(pl_str s, size_t i) { return i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; }

/* A plain number of seconds, `90`, `1.5`, `2e3`, rounded to the nearest millisecond. Exact in
 * integers: the digits, and the power of ten that makes milliseconds of them. */
static int parse_seconds(pl_str s, int64_t *out_ms)
{
    uint64_t digits = 0;
    int64_t power = 3, e = 0;
    size_t i = 0, n_digits = 0;
    bool dot = false, half = false;
    for (; i < s.n && (digit(s, i) || (s.p[i] == '.' && !dot)); i++) {
        if (s.p[i] == '.') {
            dot = true;
            continue;
        }
        n_digits++;
        if (digits < UINT64_MAX / 10 - 1) {
            digits = digits * 10 + (uint64_t)(s.p[i] - '0');
            power -= dot;
        } else {
            power += !dot; /* 19 digits are kept: far below a millisecond, or far over the limit */
        }
    }
    if (n_digits == 0) {
        return PL_EPARSE;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        bool minus = i + 1 < s.n && s.p[i + 1] == '-';
        i += minus || (i + 1 < s.n && s.p[i + 1] == '+') ? 2 : 1;
        if (!digit(s, i)) {
            return PL_EPARSE;
        }
        for (; digit(s, i); i++) {
            if (e < 1000000) {
                e = e * 10 + (s.p[i] - '0');
            }
        }
        power += minus ? -e : e;
    }
    if (i != s.n) {
        return PL_EPARSE;
    }
    for (; digits > 0 && power > 0; power--) {
        if (digits > MAX_MS / 10) {
            return PL_ELIMIT;
        }
        digits *= 10;
    }
    for (; digits > 0 && power < 0; power++) {
        half = digits % 10 >= 5;
        digits /= 10;
    }
    half = half && power == 0;
    if (digits + half > MAX_MS) {
        return PL_ELIMIT;
    }
    *out_ms = (int64_t)(digits + half);
    return 0;
}

int pl_duration_parse(pl_str s, int64_t *out_ms)
{
    if (s.n == 0) {
        return PL_EPARSE;
    }
    char last = s.p[s.n - 1];
    if ((last >= '0' && last <= '9') || last == '.') {
        return parse_seconds(s, out_ms);
    }
    int64_t sum = 0;
    size_t i = 0, from = 0; /* units left to use begin at from */
    while (i < s.n) {
        if (!digit(s, i)) {
            return PL_EPARSE;
        }
        int64_t x = 0;
        for (; digit(s, i); i++) {
            if (x <= MAX_MS) {
                x = x * 10 + (s.p[i] - '0');
            }
        }
        size_t n = i + 1 < s.n && s.p[i] == 'm' && s.p[i + 1] == 's' ? 2 : 1, u = from;
        for (; u < N_UNITS; u++) {
            if (i + n <= s.n && pl_str_eq(pl_str_mem(s.p + i, n), pl_str_c(units[u].name))) {
                break;
            }
        }
        if (u == N_UNITS) {
            return PL_EPARSE;
        }
        if (x > (MAX_MS - sum) / units[u].ms) {
            return PL_ELIMIT;
        }
        sum += x * units[u].ms;
        from = u + 1;
        i += n;
    }
    *out_ms = sum;
    return 0;
}

void pl_duration_text(int64_t ms, struct pl_buf *out)
{
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    if (left == 0) {
        pl_buf_z(out, "0s");
        return;
    }
    if (ms < 0) {
        pl_buf_u8(out, '-');
    }
    for (size_t u = 0; u < N_UNITS; u++) {
        uint64_t unit = (uint64_t)units[u].ms;
        bool whole_only = u < 2; /* 90d reads better than 12w6d */
        if (left < unit || (whole_only && left % unit != 0)) {
            continue;
        }
        pl_buf_f(out, "%llu%s", (unsigned long long)(left / unit), units[u].name);
        left %= unit;
    }
}
