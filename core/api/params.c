/* Parameters: tenants, times, durations, match[]. What is wrong is answered here. Thread: loops. */
#include "core/api/internal.h"
#include <stdlib.h>

bool pl__tenant(struct pl_api *a, struct pl_http_req *req, bool create, struct pl_tenant **out)
{
    pl_str name = pl_http_header(req, "X-Scope-OrgID");
    if (!name.n) {
        name = PL_STR("default");
    }
    bool make = (create && a->conf.tenants_auto) || pl_str_eq(name, PL_STR("default"));
    int e = pl_store_tenant(a->conf.store, name, make, out);
    if (e == 0) {
        return true;
    }
    if (e == PL_ENOTFOUND) {
        pl__reply_error(req, e, "unknown tenant \"%.*s\" in X-Scope-OrgID%s", PL_PRS(name),
                        create ? ": start with --tenants-auto to make tenants on the first write"
                               : "");
    } else {
        pl__reply_error(req, e, "tenant \"%.*s\" in X-Scope-OrgID: %s", PL_PRS(name),
                        e == PL_EINVAL   ? "a name is 1 to 150 of A-Z a-z 0-9 _ . -"
                        : e == PL_ELIMIT ? "there are --max-tenants already"
                                         : pl_err_text(e));
    }
    return false;
}

bool pl__time_param(struct pl_http_req *req, const char *name, int64_t *out_ms)
{
    pl_str s = pl_http_param(req, name);
    if (s.p && s.n && pl_time_parse(s, out_ms) < 0) {
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
    if (!s.p || !s.n) {
        return true;
    }
    bool minus = s.p[0] == '-';
    if (pl_duration_parse((pl_str){s.p + minus, s.n - minus}, out_ms) == 0) {
        *out_ms = minus ? -*out_ms : *out_ms;
        return true;
    }
    pl__reply_error(req, PL_EPARSE,
                    "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid duration (as 15s, "
                    "5m, 1h30m, or seconds)",
                    name, PL_PRS(s));
    return false;
}

bool pl__limit_param(struct pl_http_req *req, const char *name, uint64_t *out)
{
    pl_str s = pl_http_param(req, name);
    int64_t n;
    if (!s.n) {
        return true;
    }
    if (pl_str_i64((pl_str){s.p + (s.p[0] == '+'), s.n - (s.p[0] == '+')}, &n) < 0) {
        pl__reply_error(req, PL_EPARSE, "invalid parameter \"%s\": \"%.*s\" is not a whole number",
                        name, PL_PRS(s));
        return false;
    }
    if (n < 0) {
        pl__reply_error(req, PL_EPARSE, "invalid parameter \"%s\": limit must be non-negative",
                        name);
        return false;
    }
    *out = (uint64_t)n;
    return true;
}

bool pl__bool_param(struct pl_http_req *req, const char *name)
{
    static const char *const words[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                        "0", "f", "F", "FALSE", "false", "False"};
    pl_str s = pl_http_param(req, name);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!s.n || pl_str_eq(s, pl_str_c(words[i]))) {
            return true;
        }
    }
    pl__reply_error(req, PL_EPARSE, "invalid parameter \"%s\": \"%.*s\" is not a boolean", name,
                    PL_PRS(s));
    return false;
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
    pl_arena_init(&out->arena, PL__ARENA_MAX);
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
            pl__reply_query_error(req, "invalid parameter \"match[]\": ", &err);
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
