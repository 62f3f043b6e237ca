/* Names of the parts of the tree. */
#include "core/query/ast.h"

const char *pl__op_text(enum pl__op op)
{
    static const char *const text[] = {
#define OP_TEXT(name, t, prec) t,
        PL__OPS(OP_TEXT)
#undef OP_TEXT
    };
    return text[op];
}

int pl__op_prec(enum pl__op op)
{
    static const int prec[] = {
#define OP_PREC(name, t, p) p,
        PL__OPS(OP_PREC)
#undef OP_PREC
    };
    return prec[op];
}

const char *pl__agg_text(enum pl__agg agg)
{
    static const char *const text[] = {
#define AGG_TEXT(name, t, param) t,
        PL__AGGS(AGG_TEXT) PL__EXT_AGGS(AGG_TEXT)
#undef AGG_TEXT
    };
    return text[agg];
}

enum pl__type pl__agg_param(enum pl__agg agg)
{
    static const enum pl__type param[] = {
#define AGG_PARAM(name, t, p) PL__TYPE_##p,
        PL__AGGS(AGG_PARAM) PL__EXT_AGGS(AGG_PARAM)
#undef AGG_PARAM
    };
    return param[agg];
}

int pl__agg_extension_find(pl_str name)
{
    for (int agg = PL__AGG_MEDIAN; agg <= PL__AGG_BOTTOMK_MEDIAN; agg++) {
        if (pl_str_eq(name, pl_str_c(pl__agg_text((enum pl__agg)agg)))) {
            return agg;
        }
    }
    return -1;
}

const char *pl__type_text(enum pl__type t)
{
    static const char *const text[] = {
#define TYPE_TEXT(name, s, doc) s,
        PL__TYPES(TYPE_TEXT)
#undef TYPE_TEXT
    };
    return text[t];
}

const char *pl__type_doc(enum pl__type t)
{
    static const char *const text[] = {
#define TYPE_DOC(name, s, doc) doc,
        PL__TYPES(TYPE_DOC)
#undef TYPE_DOC
    };
    return text[t];
}
