/* See answer.h. Thread: main. */
#include "core/app/answer.h"
#include "core/codec/codec.h"
#include "core/model/model.h"
#include <stdlib.h>

static int add_series(struct pl_answer *a, pl_str labels)
{
    if (a->n == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 64;
        void *p = realloc(a->series, cap * sizeof(*a->series));
        if (!p) {
            return PL_ENOMEM;
        }
        a->series = p;
        a->cap = cap;
    }
    a->series[a->n++] = (struct pl_answer_series){.labels = labels};
    return 0;
}

static int add_point(struct pl_answer *a, double t, double v)
{
    if (a->n == 0) {
        int e = add_series(a, PL_STR("")); /* a scalar */
        if (e < 0) {
            return e;
        }
    }
    struct pl_answer_series *s = &a->series[a->n - 1];
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        double *t2 = realloc(s->t, cap * sizeof(*t2));
        s->t = t2 ? t2 : s->t;
        double *v2 = realloc(s->v, cap * sizeof(*v2));
        s->v = v2 ? v2 : s->v;
        if (!t2 || !v2) {
            return PL_ENOMEM;
        }
        s->cap = cap;
    }
    s->t[s->n] = t;
    s->v[s->n++] = v;
    return 0;
}

/* The labels of {"metric":{...}} whose brace was read. */
static int labels(struct pl_answer *a, struct pl_json_r *r)
{
    struct pl_label l[PL_LABELS_MAX];
    struct pl_buf canon = PL_BUF_INIT, text = PL_BUF_INIT;
    const char *why;
    size_t n = 0;
    while (n < PL_LABELS_MAX && pl_json_next(r) == PL_JSON_KEY) {
        l[n].name = pl_arena_dup(&a->arena, r->str);
        if (pl_json_next(r) != PL_JSON_STR) {
            return PL_EPARSE;
        }
        l[n++].value = pl_arena_dup(&a->arena, r->str);
    }
    if (pl_labels_canon(l, n, &canon, &why) >= 0) {
        pl_labels_text(pl_buf_view(&canon), &text);
    }
    int e = add_series(a, pl_arena_dup(&a->arena, pl_buf_view(&text)));
    pl_buf_fini(&canon);
    pl_buf_fini(&text);
    return e;
}

/* A time was read: its value comes, a string. */
static int point(struct pl_answer *a, struct pl_json_r *r)
{
    double t = r->num, v;
    if (pl_json_next(r) != PL_JSON_STR) {
        return PL_EPARSE;
    }
    if (pl_number_parse(r->str, &v) < 0) { /* a string result */
        int e = add_series(a, pl_arena_dup(&a->arena, r->str));
        return e;
    }
    return add_point(a, t, v);
}

int pl_answer_parse(pl_str json, struct pl_answer *out)
{
    struct pl_json_r r;
    enum pl_json_tok t;
    int e = 0;
    bool type = false, metric = false, result = false;
    const char *note = NULL;
    *out = (struct pl_answer){0};
    pl_arena_init(&out->arena, 0);
    pl_json_r_init(&r, json);
    while (e == 0 && (t = pl_json_next(&r)) != PL_JSON_END) {
        if (t == PL_JSON_ERROR) {
            e = PL_EPARSE;
        } else if (t == PL_JSON_KEY) {
            type = pl_str_eq(r.str, PL_STR("resultType"));
            metric = pl_str_eq(r.str, PL_STR("metric"));
            result = result || pl_str_eq(r.str, PL_STR("result"));
            note = pl_str_eq(r.str, PL_STR("warnings")) ? "warning"
                   : pl_str_eq(r.str, PL_STR("infos"))  ? "info"
                                                        : NULL;
        } else if (t == PL_JSON_STR && type) {
            out->range = pl_str_eq(r.str, PL_STR("matrix"));
            type = false;
        } else if (t == PL_JSON_STR && note) {
            pl_buf_f(&out->notes, "%s: %.*s\n", note, PL_PRS(r.str));
        } else if (t == PL_JSON_OBJ && metric) {
            e = labels(out, &r);
            metric = false;
        } else if (t == PL_JSON_NUM) {
            e = point(out, &r);
        }
    }
    pl_json_r_fini(&r);
    return e < 0 || result ? e : PL_EPARSE;
}

void pl_answer_fini(struct pl_answer *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->series[i].t);
        free(a->series[i].v);
    }
    free(a->series);
    pl_buf_fini(&a->notes);
    pl_arena_fini(&a->arena);
}
