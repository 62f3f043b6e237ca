/* The functions of PromQL: one row each. docs/promql.md is made from this table. */
#include "core/query/exec.h"

#define V PL__TYPE_VECTOR
#define S PL__TYPE_SCALAR

static const struct pl__func table[] = {
#define FN(name, args, variadic, returns, flags, eval, which, doc)                                 \
    {name, args, variadic, returns, flags, eval, which, doc},
#include "core/query/functions.inc"
#undef FN
};

const struct pl__func *pl__func_find(pl_str name)
{
    size_t lo = 0, hi = sizeof table / sizeof *table;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = pl_str_cmp(name, pl_str_c(table[mid].name));
        if (c == 0) {
            return &table[mid];
        }
        if (c < 0) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return NULL;
}

size_t pl__func_all(const struct pl__func **out)
{
    *out = table;
    return sizeof table / sizeof *table;
}

enum pl__type pl__func_arg(const struct pl__func *fn, size_t i)
{
    size_t n = strlen(fn->args);
    switch (fn->args[i < n ? i : n - 1]) {
    case 'v':
        return PL__TYPE_VECTOR;
    case 'm':
        return PL__TYPE_MATRIX;
    case 's':
        return PL__TYPE_SCALAR;
    default:
        return PL__TYPE_STRING;
    }
}
