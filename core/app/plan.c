/* See plan.h. */
#include "core/app/plan.h"
#include "core/codec/codec.h"

struct line {
    pl_str text, run; /* copies in the arena */
    bool once;
    double rows, tasks, samples, series, cost, seconds, same_as;
};

static void put_number(struct pl_buf *out, double v)
{
    const char *unit = v >= 1e9 ? "G" : v >= 1e6 ? "M" : v >= 1e4 ? "k" : "";
    double by = v >= 1e9 ? 1e9 : v >= 1e6 ? 1e6 : v >= 1e4 ? 1e3 : 1;
    pl_buf_f(out, "%.*f%s", by > 1 ? 1 : 0, v / by, unit);
}

static void put_seconds(struct pl_buf *out, double s)
{
    const char *unit = s >= 1 ? "s" : s >= 1e-3 ? "ms" : "us";
    pl_buf_f(out, "%.3g %s", s >= 1 ? s : s >= 1e-3 ? s * 1e3 : s * 1e6, unit);
}

static void put_line(struct pl_buf *out, const struct line *l, int indent)
{
    pl_buf_f(out, "%*s%.*s\n%*s  ", indent, "", PL_PRS(l->text), indent, "");
    pl_buf_f(out, "%.*s%s, rows ", PL_PRS(l->run), l->once ? " once" : "");
    put_number(out, l->rows);
    if (l->tasks > 1) {
        pl_buf_f(out, ", tasks %.0f", l->tasks);
    }
    if (l->series > 0) {
        pl_buf_z(out, ", series ");
        put_number(out, l->series);
        pl_buf_z(out, ", samples ");
        put_number(out, l->samples);
    }
    pl_buf_z(out, ", cost ");
    put_seconds(out, l->cost);
    if (l->seconds >= 0) {
        pl_buf_z(out, ", took ");
        put_seconds(out, l->seconds);
    }
    if (l->same_as >= 0) {
        pl_buf_f(out, ", same as node %.0f", l->same_as);
    }
    pl_buf_u8(out, '\n');
}

/** {"seconds":...} of a node that was run. */
static int actual(struct pl_json_r *r, struct line *l)
{
    if (pl_json_next(r) != PL_JSON_OBJ) {
        return PL_EPARSE;
    }
    for (enum pl_json_tok t; (t = pl_json_next(r)) == PL_JSON_KEY;) {
        bool seconds = pl_str_eq(r->str, PL_STR("seconds"));
        if (pl_json_next(r) != PL_JSON_NUM) {
            return PL_EPARSE;
        }
        l->seconds = seconds ? r->num : l->seconds;
    }
    return 0;
}

static int node(struct pl_json_r *r, struct pl_arena *a, struct pl_buf *out, int indent);

static int children(struct pl_json_r *r, struct pl_arena *a, struct pl_buf *out, int indent)
{
    enum pl_json_tok t = pl_json_next(r);
    int err = t == PL_JSON_ARR ? 0 : PL_EPARSE;
    while (err >= 0 && (t = pl_json_next(r)) == PL_JSON_OBJ) {
        err = node(r, a, out, indent);
    }
    return err < 0 || t != PL_JSON_ARR_END ? PL_EPARSE : 0;
}

/** A number or word of a node. */
static int field(struct pl_json_r *r, struct pl_arena *a, struct line *l)
{
    static const char *const names[] = {"rows",   "tasks",     "samples",
                                        "series", "totalCost", "sameAs"};
    double *const to[] = {&l->rows, &l->tasks, &l->samples, &l->series, &l->cost, &l->same_as};
    char key[16] = "";
    memcpy(key, r->str.p, r->str.n < sizeof key ? r->str.n : 0);
    if (strcmp(key, "text") == 0 || strcmp(key, "run") == 0) {
        pl_str *s = key[0] == 't' ? &l->text : &l->run;
        if (pl_json_next(r) != PL_JSON_STR) {
            return PL_EPARSE;
        }
        *s = pl_arena_dup(a, r->str);
        return s->p ? 0 : PL_ENOMEM;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(key, names[i]) == 0) {
            bool ok = pl_json_next(r) == PL_JSON_NUM;
            *to[i] = ok ? r->num : 0;
            return ok ? 0 : PL_EPARSE;
        }
    }
    if (strcmp(key, "once") == 0) {
        l->once = pl_json_next(r) == PL_JSON_TRUE;
        return 0;
    }
    return strcmp(key, "actual") == 0 ? actual(r, l) : pl_json_skip(r);
}

/** A node whose brace was read; its children come last. */
static int node(struct pl_json_r *r, struct pl_arena *a, struct pl_buf *out, int indent)
{
    struct line l = {.seconds = -1, .same_as = -1};
    bool told = false;
    int err = 0;
    enum pl_json_tok t;
    while (err >= 0 && (t = pl_json_next(r)) == PL_JSON_KEY) {
        if (pl_str_eq(r->str, PL_STR("children"))) {
            put_line(out, &l, indent);
            told = true;
            err = children(r, a, out, indent + 2);
        } else {
            err = field(r, a, &l);
        }
    }
    if (err >= 0 && t != PL_JSON_OBJ_END) {
        err = PL_EPARSE;
    }
    if (err >= 0 && !told) {
        put_line(out, &l, indent);
    }
    return err;
}

int pl_plan_text(pl_str json, struct pl_buf *out)
{
    struct pl_json_r r;
    struct pl_arena a;
    enum pl_json_tok t;
    int err = PL_EPARSE;
    pl_arena_init(&a, 0);
    pl_json_r_init(&r, json);
    for (t = pl_json_next(&r); t == PL_JSON_OBJ;) { /* down to data.plan */
        while ((t = pl_json_next(&r)) == PL_JSON_KEY) {
            bool data = pl_str_eq(r.str, PL_STR("data")), plan = pl_str_eq(r.str, PL_STR("plan"));
            if (data || plan) {
                t = pl_json_next(&r);
                err = plan && t == PL_JSON_OBJ ? node(&r, &a, out, 0) : err;
                t = plan ? PL_JSON_END : t;
                break;
            }
            if (pl_json_skip(&r) < 0) {
                break;
            }
        }
    }
    pl_json_r_fini(&r);
    pl_arena_fini(&a);
    return out->failed ? PL_ENOMEM : err;
}
