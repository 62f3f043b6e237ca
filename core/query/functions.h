/* The table of functions: parser, checker, evaluator and documentation share it. */
#pragma once
#include "core/query/ast.h"

struct pl__exec;
struct pl__frame;
struct pl__rows;

enum {
    PL__FN_TIME = 1,      /* depends on the evaluation time even where its arguments do not */
    PL__FN_KEEP_NAME = 2, /* does not drop the metric name */
    PL__FN_EXPERIMENTAL = 4,
    PL__FN_SPAN = 16,        /* depends on the query's start, end or step */
    PL__FN_WHOLE_RANGE = 32, /* a step's value depends on other steps of the query */
    PL__FN_IMPURE = 64,      /* depends on more than samples and times: never cached */
    PL__FN_EXTENSION = 256,  /* not Prometheus': refused in strict mode */
    PL__FN_HOOK = 512,       /* of a script: takes any scalars and instant vectors */
};

/** Evaluate a call over all steps of a frame. */
typedef int (*pl__fn)(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                      struct pl__rows *out);

struct pl__func {
    const char *name;
    const char *args; /* a letter each: v vector, m range vector, s scalar, S string */
    int variadic;     /* the last may be missing, or come up to so often; -1: any number */
    enum pl__type returns;
    unsigned flags;
    pl__fn eval;
    int which; /* the evaluator's own: which of its functions */
    const char *doc;
};
const struct pl__func *pl__func_find(pl_str name);
size_t pl__func_all(const struct pl__func **out);
size_t pl__func_extensions(const struct pl__func **out);
enum pl__type pl__func_arg(const struct pl__func *fn, size_t i);
