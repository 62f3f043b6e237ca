/* The parser's side of the door. */
#include "core/query/ast.h"
#include "core/query/parse.h"

#include <stdio.h>
#include <stdlib.h>

int pl_query_parse(struct pl_arena *a, pl_str text, struct pl_expr **out,
                   struct pl_query_error *err)
{
    struct pl__ast ast;
    int e = pl__parse(a, text, &ast, err);
    if (e < 0) {
        return e;
    }
    *out = ast.root;
    e = pl__ast_disown(&ast);
    if (e < 0) {
        err->code = e;
        snprintf(err->text, sizeof err->text, "%s", pl_err_text(e));
    }
    return e;
}

int pl_query_selector(struct pl_arena *a, pl_str text, struct pl_selector *out,
                      struct pl_query_error *err)
{
    struct pl__ast ast;
    int e = pl__parse(a, text, &ast, err);
    if (e < 0) {
        return e;
    }
    const struct pl_expr *x = ast.root;
    if (x->kind != PL__SELECTOR || x->sel.range_ms || x->sel.when.offset_set ||
        x->sel.when.at != PL__AT_NONE) {
        err->code = PL_EPARSE;
        err->at = x->at;
        snprintf(err->text, sizeof err->text,
                 "1:1: parse error: expected a selector alone, such as up{job=\"api\"}");
        pl__ast_fini(&ast);
        return PL_EPARSE;
    }
    struct pl_matcher *m = calloc(x->sel.n, sizeof *m);
    for (size_t i = 0; m && i < x->sel.n; i++) {
        m[i] = x->sel.m[i];
        x->sel.m[i] = (struct pl_matcher){0}; /* moved */
    }
    *out = (struct pl_selector){m, m ? x->sel.n : 0};
    pl__ast_fini(&ast);
    if (!m) {
        err->code = PL_ENOMEM;
        snprintf(err->text, sizeof err->text, "%s", pl_err_text(PL_ENOMEM));
        return PL_ENOMEM;
    }
    return 0;
}

void pl_query_selector_fini(struct pl_selector *s)
{
    struct pl_matcher *m = (struct pl_matcher *)s->m;
    for (size_t i = 0; m && i < s->n; i++) {
        pl_matcher_fini(&m[i]);
    }
    free(m);
    *s = (struct pl_selector){0};
}

int pl_query_selectors(struct pl_arena *a, pl_str text, struct pl_selector **out, size_t *n,
                       struct pl_query_error *err)
{
    struct pl__ast ast;
    size_t found = 0, cap = 0;
    int e = pl__parse(a, text, &ast, err);
    if (e < 0) {
        return e;
    }
    for (const struct pl__owned *o = ast.owned; o; o = o->next) {
        cap++;
    }
    struct pl_selector *sel = pl_arena_alloc(a, (cap + 1) * sizeof *sel);
    for (struct pl__owned *o = ast.owned; o && sel; o = o->next) {
        struct pl_matcher *m = calloc(o->n + 1, sizeof *m);
        if (!m) {
            break;
        }
        for (size_t i = 0; i < o->n; i++) {
            m[i] = o->m[i];
            o->m[i] = (struct pl_matcher){0}; /* moved */
        }
        sel[found++] = (struct pl_selector){m, o->n};
    }
    pl__ast_fini(&ast);
    if (!sel || found < cap) {
        while (found) {
            pl_query_selector_fini(&sel[--found]);
        }
        err->code = PL_ENOMEM;
        snprintf(err->text, sizeof err->text, "%s", pl_err_text(PL_ENOMEM));
        return PL_ENOMEM;
    }
    *out = sel;
    *n = found;
    return 0;
}
