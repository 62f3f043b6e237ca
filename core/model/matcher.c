/* Label matchers. */
#include "core/model/matcher.h"
#include <stdio.h>
#include <stdlib.h>

static int copy(pl_str s, pl_str *out)
{
    char *p = malloc(s.n + 1);
    if (!p) {
        return PL_ENOMEM;
    }
    if (s.n) {
        memcpy(p, s.p, s.n);
    }
    p[s.n] = 0;
    *out = pl_str_mem(p, s.n);
    return 0;
}

int pl_matcher_init(struct pl_matcher *m, enum pl_match kind, pl_str name, pl_str value, char *why,
                    size_t n_why)
{
    struct pl_matcher x = {.kind = kind};
    int rc = copy(name, &x.name);
    rc = rc < 0 ? rc : copy(value, &x.value);
    if (rc < 0 && n_why) {
        snprintf(why, n_why, "%s", pl_err_text(rc));
    }
    if (rc == 0 && (kind == PL_MATCH_RE || kind == PL_MATCH_NRE)) {
        rc = pl_regex_new(value, &x.regex, why, n_why);
    }
    if (rc < 0) {
        pl_matcher_fini(&x);
        return rc;
    }
    *m = x;
    return 0;
}

void pl_matcher_fini(struct pl_matcher *m)
{
    free((char *)(uintptr_t)m->name.p);
    free((char *)(uintptr_t)m->value.p);
    pl_regex_free(m->regex);
    *m = (struct pl_matcher){0};
}

bool pl_matcher_value(const struct pl_matcher *m, pl_str value)
{
    switch (m->kind) {
    case PL_MATCH_EQ:
        return pl_str_eq(m->value, value);
    case PL_MATCH_NE:
        return !pl_str_eq(m->value, value);
    case PL_MATCH_RE:
        return pl_regex_match(m->regex, value);
    default:
        return !pl_regex_match(m->regex, value);
    }
}

bool pl_matcher_labels(const struct pl_matcher *m, size_t n, pl_str canon)
{
    for (size_t i = 0; i < n; i++) {
        if (!pl_matcher_value(&m[i], pl_labels_get(canon, m[i].name))) {
            return false;
        }
    }
    return true;
}
