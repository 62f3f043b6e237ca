/* The syntax tree of PromQL. Nodes live in the arena of the query; strings are unquoted copies
 * there or pieces of the query text. Built by parse.c, typed by check.c, read by everything else.
 */
#pragma once
#include "core/query/query.h"

#define PL_QUERY_TEXT_MAX  (1u << 20) /* bytes of a query */
#define PL_QUERY_DEPTH_MAX 2000       /* levels of the tree */

/* What an expression yields, with the names Prometheus gives them. */
#define PL__TYPES(X)                                                                               \
    X(NONE, "none", "none")                                                                        \
    X(SCALAR, "scalar", "scalar")                                                                  \
    X(STRING, "string", "string")                                                                  \
    X(VECTOR, "vector", "instant vector")                                                          \
    X(MATRIX, "matrix", "range vector")

enum pl__type {
#define PL__TYPE_ENUM(name, text, doc) PL__TYPE_##name,
    PL__TYPES(PL__TYPE_ENUM)
#undef PL__TYPE_ENUM
};

/* Binary operators: name, text, precedence (higher binds tighter). */
#define PL__OPS(X)                                                                                 \
    X(ADD, "+", 4)                                                                                 \
    X(SUB, "-", 4)                                                                                 \
    X(MUL, "*", 5)                                                                                 \
    X(DIV, "/", 5)                                                                                 \
    X(MOD, "%", 5)                                                                                 \
    X(POW, "^", 6)                                                                                 \
    X(ATAN2, "atan2", 5)                                                                           \
    X(TRIM_UPPER, "</", 3)                                                                         \
    X(TRIM_LOWER, ">/", 3)                                                                         \
    X(EQ, "==", 3)                                                                                 \
    X(NE, "!=", 3)                                                                                 \
    X(LT, "<", 3)                                                                                  \
    X(LE, "<=", 3)                                                                                 \
    X(GT, ">", 3)                                                                                  \
    X(GE, ">=", 3)                                                                                 \
    X(AND, "and", 2)                                                                               \
    X(OR, "or", 1)                                                                                 \
    X(UNLESS, "unless", 2)                                                                         \
    X(DEFAULT, "default", -1) /* from here on extensions */                                        \
    X(IF, "if", 0)                                                                                 \
    X(IFNOT, "ifnot", 0)
#define PL__PREC_MIN (-1)

enum pl__op {
#define PL__OP_ENUM(name, text, prec) PL__OP_##name,
    PL__OPS(PL__OP_ENUM)
#undef PL__OP_ENUM
};
/** Of a histogram, what is below or above a value. */
static inline bool pl__op_trims(enum pl__op op)
{
    return op == PL__OP_TRIM_UPPER || op == PL__OP_TRIM_LOWER;
}
static inline bool pl__op_compares(enum pl__op op) { return op >= PL__OP_EQ && op <= PL__OP_GE; }
static inline bool pl__op_set(enum pl__op op) { return op >= PL__OP_AND; }
static inline bool pl__op_extension(enum pl__op op) { return op >= PL__OP_DEFAULT; }
const char *pl__op_text(enum pl__op op);
int pl__op_prec(enum pl__op op);

/* Aggregations: name, text, type of the parameter. */
#define PL__AGGS(X)                                                                                \
    X(SUM, "sum", NONE)                                                                            \
    X(AVG, "avg", NONE)                                                                            \
    X(COUNT, "count", NONE)                                                                        \
    X(MIN, "min", NONE)                                                                            \
    X(MAX, "max", NONE)                                                                            \
    X(GROUP, "group", NONE)                                                                        \
    X(STDDEV, "stddev", NONE)                                                                      \
    X(STDVAR, "stdvar", NONE)                                                                      \
    X(TOPK, "topk", SCALAR)                                                                        \
    X(BOTTOMK, "bottomk", SCALAR)                                                                  \
    X(QUANTILE, "quantile", SCALAR)                                                                \
    X(COUNT_VALUES, "count_values", STRING)                                                        \
    X(LIMITK, "limitk", SCALAR)                                                                    \
    X(LIMIT_RATIO, "limit_ratio", SCALAR)
/* Extensions (ext_agg.c): no words of their own, so that metrics may have these names. */
#define PL__EXT_AGGS(X)                                                                            \
    X(MEDIAN, "median", NONE)                                                                      \
    X(MODE, "mode", NONE)                                                                          \
    X(GEOMEAN, "geomean", NONE)                                                                    \
    X(SUM2, "sum2", NONE)                                                                          \
    X(DISTINCT, "distinct", NONE)                                                                  \
    X(ANY, "any", NONE)                                                                            \
    X(SHARE, "share", NONE)                                                                        \
    X(ZSCORE, "zscore", NONE)                                                                      \
    X(OUTLIERSK, "outliersk", SCALAR)                                                              \
    X(TOPK_AVG, "topk_avg", SCALAR)                                                                \
    X(TOPK_MIN, "topk_min", SCALAR)                                                                \
    X(TOPK_MAX, "topk_max", SCALAR)                                                                \
    X(TOPK_LAST, "topk_last", SCALAR)                                                              \
    X(TOPK_MEDIAN, "topk_median", SCALAR)                                                          \
    X(BOTTOMK_AVG, "bottomk_avg", SCALAR)                                                          \
    X(BOTTOMK_MIN, "bottomk_min", SCALAR)                                                          \
    X(BOTTOMK_MAX, "bottomk_max", SCALAR)                                                          \
    X(BOTTOMK_LAST, "bottomk_last", SCALAR)                                                        \
    X(BOTTOMK_MEDIAN, "bottomk_median", SCALAR)

enum pl__agg {
#define PL__AGG_ENUM(name, text, param) PL__AGG_##name,
    PL__AGGS(PL__AGG_ENUM) PL__EXT_AGGS(PL__AGG_ENUM)
#undef PL__AGG_ENUM
};
static inline bool pl__agg_extension(enum pl__agg agg) { return agg >= PL__AGG_MEDIAN; }
/** The extension of this name, or -1. */
int pl__agg_extension_find(pl_str name);
const char *pl__agg_text(enum pl__agg agg);
enum pl__type pl__agg_param(enum pl__agg agg);

enum pl__kind {
    PL__NUMBER,
    PL__STRING,
    PL__SELECTOR, /* instant vector, or range vector when range_ms > 0 */
    PL__SUBQUERY,
    PL__CALL,
    PL__AGGREGATE,
    PL__BINARY,
    PL__UNARY,
    PL__PAREN,
};

struct pl__names {
    pl_str *v;
    size_t n;
};

enum pl__at { PL__AT_NONE, PL__AT_TIME, PL__AT_START, PL__AT_END };

/** Arithmetic in the place of a duration, in seconds: [5m * 2], offset (1h - step()). Its value is
 *  known once the query's start, end and step are (pl__durations_resolve). */
enum pl__dur_kind {
    PL__DUR_NUMBER,
    PL__DUR_STEP,
    PL__DUR_RANGE,
    PL__DUR_MIN,
    PL__DUR_MAX,
    PL__DUR_OP, /* l NULL: unary */
};
struct pl__dur {
    enum pl__dur_kind kind;
    enum pl__op op;
    double v;
    bool duration; /* a number that was written with units */
    bool wrapped;  /* in parentheses */
    pl_str name;   /* as min, max, step and range were written */
    struct pl__dur *l, *r;
    unsigned depth;
    size_t at, end;
};

/** Where a selector or subquery looks, relative to the step. */
struct pl__when {
    int64_t offset_ms;
    struct pl__dur *offset_expr; /* gives offset_ms; NULL: a number gave it */
    bool offset_set;
    enum pl__at at;
    int64_t at_ms;
};

enum pl__card { PL__ONE_TO_ONE, PL__MANY_TO_ONE, PL__ONE_TO_MANY, PL__MANY_TO_MANY };

/** on/ignoring, group_left/right and fill of a binary operator. */
struct pl__matching {
    enum pl__card card;
    bool on, given; /* given: on or ignoring was written */
    bool fill_l, fill_r;
    double fill_left, fill_right;
    struct pl__names labels; /* of on or ignoring */
    struct pl__names include;
};

struct pl__func;

/** How a range begins and ends: with its samples, with the sample before it, or interpolated. */
enum pl__edges { PL__EDGES_PLAIN, PL__EDGES_ANCHORED, PL__EDGES_SMOOTHED };

struct pl_expr {
    enum pl__kind kind;
    enum pl__type type;
    size_t at, end;     /* bytes [at, end) of the text */
    uint32_t depth, id; /* id: explain's number */
    bool invariant;     /* does not depend on the step */
    uint32_t shared;    /* cse.c: with others, under this number; 0: alone */
    union {
        struct {
            double v;
            bool duration;
            int64_t ms;
        } num;
        pl_str str;
        struct {
            pl_str name;          /* written before the braces; may be empty */
            struct pl_matcher *m; /* the name's matcher comes last */
            size_t n;
            struct pl__when when;
            int64_t range_ms;           /* 0: an instant vector */
            struct pl__dur *range_expr; /* gives range_ms, which is positive from the start */
            enum pl__edges edges;
        } sel;
        struct {
            struct pl_expr *expr;
            struct pl__when when;
            int64_t range_ms, step_ms; /* step 0: the default */
            struct pl__dur *range_expr, *step_expr;
        } sub;
        struct {
            const struct pl__func *fn;
            struct pl_expr **args;
            size_t n;
            void *hook; /* of lua:name(...): what hooks->find gave */
        } call;
        struct {
            enum pl__agg op;
            struct pl_expr *expr, *param;
            struct pl__names by;
            bool without;
        } agg;
        struct {
            enum pl__op op;
            bool returns_bool;
            struct pl_expr *l, *r;
            struct pl__matching m;
        } bin;
        struct {
            bool minus;
            struct pl_expr *expr;
        } un;
        struct pl_expr *paren;
    };
};

/** A parsed query: the tree and what is outside the arena (compiled regular expressions). */
struct pl__ast {
    struct pl_arena *arena;
    pl_str text;
    struct pl_expr *root;
    struct pl__owned *owned;
};
/** Parse and check. On failure `ast` owns nothing. PL_EPARSE, PL_ELIMIT, PL_ENOMEM. */
int pl__parse(struct pl_arena *a, pl_str text, struct pl__ast *ast, struct pl_query_error *err);
/** The same as a query of this configuration: strict, with its functions of scripts. */
int pl__parse_conf(const struct pl_query_conf *c, struct pl_arena *a, pl_str text,
                   struct pl__ast *ast, struct pl_query_error *err);
void pl__ast_fini(struct pl__ast *ast);
/** Move the matchers into the arena, without their expressions: nothing is left to fini. PL_ENOMEM.
 */
int pl__ast_disown(struct pl__ast *ast);

/** Give every duration expression of the tree its value; step 0: an instant query. PL_EINVAL: one
 * is not positive, or out of range. */
int pl__durations_resolve(struct pl_expr *root, int64_t start, int64_t end, int64_t step,
                          struct pl_query_error *err);

const char *pl__type_text(enum pl__type t); /* "vector" */
const char *pl__type_doc(enum pl__type t);  /* "instant vector" */

/** Of a range vector: a range selector or a subquery. */
static inline int64_t pl__range_ms(const struct pl_expr *e)
{
    return e->kind == PL__SUBQUERY ? e->sub.range_ms : e->sel.range_ms;
}
/** Behind the parentheses. */
static inline struct pl_expr *pl__unparen(struct pl_expr *e)
{
    while (e->kind == PL__PAREN) {
        e = e->paren;
    }
    return e;
}
