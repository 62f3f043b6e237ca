/* /api/v1/format_query: what needs the text of a query only. Thread: loops. */
#include "core/api/internal.h"

void pl__ep_format_query(struct pl_api *a, struct pl_http_req *req)
{
    pl_str text;
    struct pl_expr *expr;
    struct pl_query_error err;
    struct pl_arena arena;
    struct pl_buf out = PL_BUF_INIT, formatted = PL_BUF_INIT;
    (void)a;
    if (!pl__query_param(req, &text)) {
        return;
    }
    pl_arena_init(&arena, 64u << 20);
    if (pl_query_parse(&arena, text, &expr, &err) < 0) {
        pl__reply_error(req, PL_EPARSE, "invalid parameter \"query\": %s", err.text);
    } else {
        pl_query_text(expr, &formatted);
        pl_buf_z(&out, "{\"status\":\"success\",\"data\":");
        struct pl_json_w w = pl_json_w(&out);
        pl_json_str(&w, pl_buf_view(&formatted));
        pl_buf_u8(&out, '}');
        pl__reply_json(req, 200, &out);
    }
    pl_buf_fini(&formatted);
    pl_arena_fini(&arena);
}
