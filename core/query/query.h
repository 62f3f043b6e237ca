/* The door of query: PromQL text -> columns. lex -> parse -> check -> plan -> exec; kernels do the
 * arithmetic. Runs on pool threads; blocking; a query owns an arena and a budget. */
#pragma once
#include "core/base/base.h"
#include "core/store/store.h"
#include "core/model/model.h"

struct pl_expr; /* the syntax tree: ast.h, borrowed from its arena */

/** An error with its place in the text. */
struct pl_query_error {
    int code;       /* PL_EPARSE (bad_data), PL_EINVAL (execution), PL_ELIMIT, PL_ETIMEOUT,
                       PL_ECANCELED, PL_ENOMEM, PL_ECORRUPT, PL_EUNSUPPORTED */
    size_t at;      /* byte offset in the query text */
    char text[512]; /* Prometheus' words where it has some */
    char hint[256]; /* what to do about it; may be empty */
};

/** Parse all of PromQL (Prometheus 3). The tree lives in `a`. */
int pl_query_parse(struct pl_arena *a, pl_str text, struct pl_expr **out,
                   struct pl_query_error *err);
/** Append the tree on one line, as Prometheus prints it. */
void pl_query_text(const struct pl_expr *e, struct pl_buf *out);
/** The same on several lines where one would be long: format_query. */
void pl_query_pretty(const struct pl_expr *e, struct pl_buf *out);
/** Append the tree as the JSON of parse_query. PL_ENOMEM. */
int pl_query_ast_json(const struct pl_expr *e, struct pl_buf *out);
/** A selector alone, as in match[]: matchers in the arena (fini with pl_query_matchers_fini). */
int pl_query_selector(struct pl_arena *a, pl_str text, struct pl_selector *out,
                      struct pl_query_error *err);
void pl_query_selector_fini(struct pl_selector *s);

/** All selectors of an expression, in no order (an array in the arena; each fini'ed). */
int pl_query_selectors(struct pl_arena *a, pl_str text, struct pl_selector **out, size_t *n,
                       struct pl_query_error *err);

/** Memory of all queries that run at the same time. Over it the one that wants more fails with
 * PL_EBUSY: to be tried again. */
struct pl_query_budget {
    size_t max_bytes;
    _Atomic size_t used;
};
struct pl_query_conf {
    struct pl_tenant *tenant;
    struct pl_pool *pool; /* for parallel work; may be NULL */
    const struct pl_clock *clock;
    int64_t lookback_ms;        /* 5 min */
    int64_t deadline_mono_ns;   /* 0: none */
    uint64_t max_samples;       /* 50M decoded or held at once */
    size_t max_series;          /* a selector may match; 0 = no limit */
    size_t max_memory_bytes;    /* 1 GB */
    const _Atomic bool *cancel; /* may be NULL */
    bool strict;                /* Prometheus' language only: extensions are errors */
    bool raw_only;              /* do not answer from rollup tiers */
    bool early_names;           /* metric names are removed at once, not from the result */
    bool step_stats;            /* fill stats.step_samples */
    _Atomic uint64_t *progress; /* samples read, as it goes; may be NULL */
    /** Functions that scripts registered, called as lua:name(...); may be NULL. */
    const struct pl_query_hooks *hooks;
    struct pl_query_budget *budget; /* of all queries together; NULL: none */
    struct pl_query_cache *cache;   /* steps of range queries are kept there; NULL: none */
};

/** A function of a script, lua:name(arg, ...). Arguments are scalars and instant vectors; it is
 * called on the query's thread once for each series of the first vector, with its labels but the
 * name, and the series of equal labels of the others; without vectors once, with no labels. args
 * are rows of n steps at times t (ms), PL_ABSENT where there is no value; fill out[n], PL_ABSENT
 * for none. < 0 with words in `why` fails the query. */
struct pl_query_hooks {
    void *ctx;
    /** Is there such a function (name: without "lua:"), taking n_args? 0, PL_ENOTFOUND, PL_EINVAL
     * (why says what it takes). Called while parsing; *fn must live as long as the query. */
    int (*find)(void *ctx, pl_str name, size_t n_args, void **fn, char *why, size_t n_why);
    int (*call)(void *ctx, void *fn, pl_str labels, const int64_t *t, size_t n,
                const double *const *args, size_t n_args, double *out, char *why, size_t n_why);
};

enum pl_value_type { PL_VALUE_SCALAR, PL_VALUE_STRING, PL_VALUE_VECTOR, PL_VALUE_MATRIX };

/** A result: series of points, all in the result's own arena. */
struct pl_result_series {
    pl_str labels; /* canonical */
    size_t n;
    const int64_t *t;
    const double *v; /* a boxed reference (model/histogram.h) is a `const struct pl_histogram *` */
};
static inline const struct pl_histogram *pl_result_histogram(double boxed)
{
    return (const struct pl_histogram *)(uintptr_t)pl_histogram_ref(boxed);
}
struct pl_query_stats {
    uint64_t series, samples, chunks; /* read */
    uint64_t queryable;    /* samples as Prometheus counts: in each window that has them */
    uint64_t peak_samples; /* held at once */
    int64_t tier_ms;       /* coarsest tier read; 0: only samples */
    int64_t queue_ns, parse_ns, exec_ns;
    uint64_t *step_samples; /* one a step where asked for, else NULL */
};
/** Which samples a query can have been made of: for each step at t those in [t + from, t + to]
 * (from > to: none), and those in [t0, t1] (t0 > t1: none). */
struct pl_query_reads {
    bool known; /* of nothing else; false: it must not be kept */
    bool local; /* the value at a step depends on the step alone, not on start and end */
    int64_t from, to, t0, t1;
};
/** The interval of all samples of a query over [start, end]; false: it reads none. */
bool pl_query_reads_span(const struct pl_query_reads *r, int64_t start, int64_t end, int64_t *t0,
                         int64_t *t1);
struct pl_result {
    enum pl_value_type type;
    struct pl_result_series *series; /* VECTOR: one point each; SCALAR: one, without labels */
    size_t n;
    pl_str string;
    int64_t t; /* SCALAR, STRING */
    pl_str *warnings, *infos;
    size_t n_warnings, n_infos;
    struct pl_query_stats stats;
    struct pl_query_reads reads;
    bool damaged; /* samples that cannot be read were left out */
    struct pl_arena arena;
    double *values;                 /* a block that series point into, besides the arena, or NULL */
    size_t value_bytes;             /* of it */
    struct pl_query_budget *budget; /* of the query, if it had one: the bytes of both are charged */
    size_t charged;                 /* to it until pl_result_fini */
};
void pl_result_fini(struct pl_result *r);

int pl_query_instant(const struct pl_query_conf *c, pl_str text, int64_t t, struct pl_result *out,
                     struct pl_query_error *err);
/** start, end, step in ms; step > 0; at most 11,000 points a series (as Prometheus). */
int pl_query_range(const struct pl_query_conf *c, pl_str text, int64_t start, int64_t end,
                   int64_t step, struct pl_result *out, struct pl_query_error *err);
/** Append the plan of a query as JSON (docs/http-api.md): how each part of it runs, the series that
 * its selectors match now, what reading them will come to. step 0: at `start`. It is run only to
 * `analyze` it: then what it took is there, too, and its result thrown away. */
int pl_query_explain(const struct pl_query_conf *c, pl_str text, int64_t start, int64_t end,
                     int64_t step, bool analyze, struct pl_buf *json, struct pl_query_error *err);

/* ------------------------------------------------------------------ the result cache: cache.h */
#include "core/query/cache.h"
