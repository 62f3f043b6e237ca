/* Parameters: tenants, times, durations, match[]. What is wrong is answered here. Thread: loops. */
#include "core/api/internal.h"
#include <stdlib.h>

bool pl__tenant(struct pl_api *a, struct pl_http_req *req, bool create, struct pl_tenant **out)
{
    pl_str name = pl_http_header(req, "X-Scope-OrgID");
    if (!name.n) {
        name = PL_STR("default");
    }
    bool make = create && (a->conf.tenants_auto || pl_str_eq(name, PL_STR("default")));
    int e = pl_store_tenant(a->conf.store, name, make, out);
    if (e == PL_ENOTFOUND && !create) {
        e = pl_store_tenant(a->conf.store, PL_STR("default"), true, out);
        if (e == 0 && pl_str_eq(name, PL_STR("default"))) {
            return true;
        }
        e = PL_ENOTFOUND;
    }
    if (e == 0) {
        return true;
    }
    if (e == PL_ENOTFOUND) {
        pl__reply_error(req, e, "unknown tenant \"%.*s\" in X-Scope-OrgID%s", PL_PRS(name),
                        create ? ": start with --tenants-auto to make tenants on the first write"
                               : "");
    } else {
        pl__reply_error(req, e, "tenant \"%.*s\" in X-Scope-OrgID: %s", PL_PRS(name),
                        e == PL_EINVAL ? "a name is 1 to 150 of A-Z a-z 0-9 _ . -"
                                       : pl_err_text(e));
    }
    return false;
}

/* Days since 1970-01-01 of a civil date. Source: Howard Hinnant, chrono-compatible low-level date
 * algorithms. */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
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
    if (*p < end && strchr(any, **p)) {
        (*p)++;
        return true;
    }
    return false;
}

static int rfc3339(pl_str s, int64_t *out_ms)
{
    const char *p = s.p, *end = s.p + s.n;
    int y, mo, d, h, mi, sec, oh = 0, om = 0, sign = 1;
    if (!digits(&p, end, 4, &y) || !eat(&p, end, "-") || !digits(&p, end, 2, &mo) ||
        !eat(&p, end, "-") || !digits(&p, end, 2, &d) || !eat(&p, end, "Tt ") ||
        !digits(&p, end, 2, &h) || !eat(&p, end, ":") || !digits(&p, end, 2, &mi) ||
        !eat(&p, end, ":") || !digits(&p, end, 2, &sec) || mo < 1 || mo > 12 || d < 1 || d > 31 ||
        h > 24 || mi > 59 || sec > 60) {
        return PL_EPARSE;
    }
    int64_t ms = 0;
    if (eat(&p, end, ".")) {
        int64_t scale = 100;
        const char *first = p;
        for (; p < end && *p >= '0' && *p <= '9'; p++, scale /= 10) {
            ms += (*p - '0') * scale;
        }
        if (p == first) {
            return PL_EPARSE;
        }
    }
    if (!eat(&p, end, "Zz")) {
        sign = p < end && *p == '-' ? -1 : 1;
        if (!eat(&p, end, "+-") || !digits(&p, end, 2, &oh) || !eat(&p, end, ":") ||
            !digits(&p, end, 2, &om)) {
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

int pl__time_parse(pl_str s, int64_t *out_ms)
{
    double x;
    if (pl_number_parse(s, &x) == 0) {
        if (!(x > -9.2e15 && x < 9.2e15)) {
            return PL_EPARSE;
        }
        double ms = x * 1000;
        *out_ms = (int64_t)(ms < 0 ? ms - 0.5 : ms + 0.5);
        return 0;
    }
    return rfc3339(s, out_ms);
}

bool pl__time_param(struct pl_http_req *req, const char *name, int64_t *out_ms)
{
    pl_str s = pl_http_param(req, name);
    if (s.p && s.n && pl__time_parse(s, out_ms) < 0) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid timestamp "
                        "(RFC 3339 or seconds since the epoch)",
                        name, PL_PRS(s));
        return false;
    }
    return true;
}

bool pl__duration_param(struct pl_http_req *req, const char *name, int64_t *out_ms)
{
    pl_str s = pl_http_param(req, name);
    double x;
    if (!s.p || !s.n) {
        return true;
    }
    if (pl_number_parse(s, &x) == 0 && x > -9.2e15 && x < 9.2e15) {
        *out_ms = (int64_t)(x * 1000);
        return true;
    }
    if (pl_duration_parse(s, out_ms) == 0) {
        return true;
    }
    pl__reply_error(req, PL_EPARSE,
                    "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid duration (as 15s, "
                    "5m, 1h30m, or seconds)",
                    name, PL_PRS(s));
    return false;
}

bool pl__u64_param(struct pl_http_req *req, const char *name, uint64_t *out)
{
    pl_str s = pl_http_param(req, name);
    if (s.p && s.n && pl_str_u64(s, out) < 0) {
        pl__reply_error(req, PL_EPARSE, "invalid parameter \"%s\": \"%.*s\" is not a number", name,
                        PL_PRS(s));
        return false;
    }
    return true;
}

pl_str pl__segment(pl_str path, size_t i)
{
    pl_str rest = path;
    pl_str_cut(&rest, '/'); /* what stands before the first slash: nothing */
    pl_str s = pl_str_cut(&rest, '/');
    while (i-- > 0) {
        s = rest.p ? pl_str_cut(&rest, '/') : PL_STR_NULL;
    }
    return s;
}

bool pl__selectors(struct pl_http_req *req, struct pl__selectors *out)
{
    *out = (struct pl__selectors){0};
    pl_arena_init(&out->arena, 64u << 20);
    size_t n = 0;
    pl_str text;
    while (pl_http_param_at(req, "match[]", n, &text)) {
        n++;
    }
    out->sel = n ? pl_arena_zalloc(&out->arena, n * sizeof(*out->sel)) : NULL;
    for (size_t i = 0; i < n && out->sel; i++) {
        struct pl_query_error err;
        pl_http_param_at(req, "match[]", i, &text);
        int e = pl_query_selector(&out->arena, text, &out->sel[i], &err);
        if (e < 0) {
            pl__reply_error(req, PL_EPARSE, "invalid parameter \"match[]\": %s", err.text);
            pl__selectors_fini(out);
            return false;
        }
        out->n = i + 1;
    }
    if (n && !out->sel) {
        pl__reply_error(req, PL_ELIMIT, "too many match[] parameters");
        pl__selectors_fini(out);
        return false;
    }
    return true;
}

void pl__selectors_fini(struct pl__selectors *s)
{
    for (size_t i = 0; i < s->n; i++) {
        pl_query_selector_fini(&s->sel[i]);
    }
    pl_arena_fini(&s->arena);
    *s = (struct pl__selectors){0};
}
