/* /api/v1/format_query, parse_query: what needs the text of a query only. Thread: loops. */
#include "core/api/internal.h"

/** {"status":"success","data":...} with what `put` appends for the tree, or the error. */
static void answer(struct pl_http_req *req,
                   void (*put)(const struct pl_expr *e, struct pl_buf *out))
{
    pl_str text;
    struct pl_expr *expr;
    struct pl_query_error err;
    struct pl_arena arena;
    struct pl_buf out = PL_BUF_INIT;
    if (!pl__query_param(req, &text)) {
        return;
    }
    pl_arena_init(&arena, PL__ARENA_MAX);
    if (pl_query_parse(&arena, text, &expr, &err) < 0) {
        pl__reply_query_error(req, "invalid parameter \"query\": ", &err);
    } else {
        pl_buf_z(&out, "{\"status\":\"success\",\"data\":");
        put(expr, &out);
        pl_buf_u8(&out, '}');
        pl__reply_json(req, 200, &out);
    }
    pl_arena_fini(&arena);
}

static void put_text(const struct pl_expr *e, struct pl_buf *out)
{
    struct pl_buf formatted = PL_BUF_INIT;
    pl_query_pretty(e, &formatted);
    struct pl_json_w w = pl_json_w(out);
    pl_json_str(&w, pl_buf_view(&formatted));
    out->failed |= formatted.failed;
    pl_buf_fini(&formatted);
}

static void put_tree(const struct pl_expr *e, struct pl_buf *out) { pl_query_ast_json(e, out); }

void pl__ep_format_query(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    answer(req, put_text);
}

void pl__ep_parse_query(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    answer(req, put_tree);
}
