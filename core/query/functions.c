/* The functions of PromQL: one row each. docs/promql.md is made from this table. */
#include "core/query/ext.h"

#define V PL__TYPE_VECTOR
#define S PL__TYPE_SCALAR

static const struct pl__func functions[] = {
#define FN(name, args, variadic, returns, flags, eval, which, doc)                                 \
    {name, args, variadic, returns, flags, eval, which, doc},
#include "core/query/functions.inc"
#undef FN
};

static const struct pl__func extensions[] = {
#define FN(name, args, variadic, returns, flags, eval, which, doc)                                 \
    {name, args, variadic, returns, PL__FN_EXTENSION | (flags), eval, which, doc},
#include "core/query/functions_ext.inc"
#undef FN
};

static const struct pl__func *find(const struct pl__func *table, size_t n, pl_str name)
{
    size_t lo = 0, hi = n;
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

const struct pl__func *pl__func_find(pl_str name)
{
    const struct pl__func *fn = find(functions, sizeof functions / sizeof *functions, name);
    return fn ? fn : find(extensions, sizeof extensions / sizeof *extensions, name);
}

size_t pl__func_all(const struct pl__func **out)
{
    *out = functions;
    return sizeof functions / sizeof *functions;
}

size_t pl__func_extensions(const struct pl__func **out)
{
    *out = extensions;
    return sizeof extensions / sizeof *extensions;
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
