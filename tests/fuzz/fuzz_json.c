/* JSON: any text ends; what is read can be written and is then read as the same tokens. */
#include "core/codec/json.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One token written, and mixed into the digest of all. */
static uint64_t token(enum pl_json_tok t, const struct pl_json_r *r, struct pl_json_w *w,
                      uint64_t h)
{
    h = pl_hash64(&t, sizeof t, h);
    switch (t) {
    case PL_JSON_OBJ:
        pl_json_obj(w);
        break;
    case PL_JSON_OBJ_END:
        pl_json_obj_end(w);
        break;
    case PL_JSON_ARR:
        pl_json_arr(w);
        break;
    case PL_JSON_ARR_END:
        pl_json_arr_end(w);
        break;
    case PL_JSON_KEY:
        pl_json_key_s(w, r->str);
        return pl_hash64(r->str.p, r->str.n, h);
    case PL_JSON_STR:
        pl_json_str(w, r->str);
        return pl_hash64(r->str.p, r->str.n, h);
    case PL_JSON_NUM:
        pl_json_f64(w, r->num);
        return pl_hash64(&r->num, sizeof r->num, h);
    case PL_JSON_TRUE:
    case PL_JSON_FALSE:
        pl_json_bool(w, t == PL_JSON_TRUE);
        break;
    case PL_JSON_NULL:
        pl_json_null(w);
        break;
    default:
        break;
    }
    return h;
}

static bool read(pl_str text, struct pl_buf *again, uint64_t *digest)
{
    struct pl_json_r r;
    struct pl_json_w w = pl_json_w(again);
    enum pl_json_tok t;
    pl_json_r_init(&r, text);
    *digest = 0;
    while ((t = pl_json_next(&r)) != PL_JSON_END && t != PL_JSON_ERROR) {
        *digest = token(t, &r, &w, *digest);
    }
    if (r.at > text.n) {
        abort();
    }
    pl_json_r_fini(&r);
    return t == PL_JSON_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_buf again = PL_BUF_INIT, third = PL_BUF_INIT;
    struct pl_json_r r;
    uint64_t a, b;
    bool fine = read(pl_str_mem(data, size), &again, &a);
    if (fine && (!read(pl_buf_view(&again), &third, &b) || a != b)) {
        abort();
    }
    pl_json_r_init(&r, pl_str_mem(data, size));
    if ((pl_json_skip(&r) == 0 && pl_json_next(&r) == PL_JSON_END) != fine) {
        abort();
    }
    pl_json_r_fini(&r);
    pl_buf_fini(&again);
    pl_buf_fini(&third);
    return 0;
}
