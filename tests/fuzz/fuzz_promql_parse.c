/* Any bytes as a query: a tree or an error; what is printed parses again. */
#include "core/query/query.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_arena a;
    struct pl_expr *e;
    struct pl_query_error err;
    struct pl_buf first = PL_BUF_INIT;
    pl_arena_init(&a, 64u << 20);
    if (pl_query_parse(&a, pl_str_mem(data, size), &e, &err) == 0) {
        pl_query_text(e, &first);
        if (pl_query_parse(&a, pl_buf_view(&first), &e, &err) < 0) {
            abort();
        }
    }
    pl_buf_fini(&first);
    pl_arena_fini(&a);
    return 0;
}
