/* Any bytes as a query: a tree or an error; what is printed parses again to what is printed. */
#include "core/query/query.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_arena a;
    struct pl_expr *e;
    struct pl_query_error err;
    struct pl_buf first = PL_BUF_INIT, second = PL_BUF_INIT;
    pl_arena_init(&a, 64u << 20);
    if (pl_query_parse(&a, pl_str_mem(data, size), &e, &err) == 0) {
        pl_query_text(e, &first);
        if (pl_query_parse(&a, pl_buf_view(&first), &e, &err) < 0) {
            abort();
        }
        pl_query_text(e, &second);
        if (!pl_str_eq(pl_buf_view(&first), pl_buf_view(&second))) {
            abort();
        }
    }
    pl_buf_fini(&first);
    pl_buf_fini(&second);
    pl_arena_fini(&a);
    return 0;
}
