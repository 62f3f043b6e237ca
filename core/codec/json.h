/* JSON: a writer that appends to a buffer, and a pull parser over a whole text (RFC 8259). Any
 * thread, one parser or writer each. */
#pragma once
#include "core/base/base.h"

/* Writer: commas are put by itself. A failed allocation is the buffer's to tell. */
struct pl_json_w {
    struct pl_buf *out;
    bool comma;
};
static inline struct pl_json_w pl_json_w(struct pl_buf *out)
{
    return (struct pl_json_w){out, false};
}
void pl_json_obj(struct pl_json_w *w);     /* { */
void pl_json_obj_end(struct pl_json_w *w); /* } */
void pl_json_arr(struct pl_json_w *w);
void pl_json_arr_end(struct pl_json_w *w);
void pl_json_key(struct pl_json_w *w, const char *key);
void pl_json_key_s(struct pl_json_w *w, pl_str key);
void pl_json_str(struct pl_json_w *w, pl_str s); /* bytes that are no UTF-8 become U+FFFD */
void pl_json_i64(struct pl_json_w *w, int64_t x);
void pl_json_f64(struct pl_json_w *w, double x); /* NaN and infinities as strings */
void pl_json_bool(struct pl_json_w *w, bool x);
void pl_json_null(struct pl_json_w *w);
void pl_json_raw(struct pl_json_w *w, pl_str s);
/* A key and its value. */
static inline void pl_json_field_str(struct pl_json_w *w, const char *key, pl_str s)
{
    pl_json_key(w, key);
    pl_json_str(w, s);
}
static inline void pl_json_field_i64(struct pl_json_w *w, const char *key, int64_t x)
{
    pl_json_key(w, key);
    pl_json_i64(w, x);
}
static inline void pl_json_field_f64(struct pl_json_w *w, const char *key, double x)
{
    pl_json_key(w, key);
    pl_json_f64(w, x);
}
static inline void pl_json_field_bool(struct pl_json_w *w, const char *key, bool x)
{
    pl_json_key(w, key);
    pl_json_bool(w, x);
}

/* Pull parser. `for (;;) switch (pl_json_next(&r)) ...`. Duplicate keys are given as they come. */
enum pl_json_tok {
    PL_JSON_END,
    PL_JSON_OBJ,
    PL_JSON_OBJ_END,
    PL_JSON_ARR,
    PL_JSON_ARR_END,
    PL_JSON_KEY,
    PL_JSON_STR,
    PL_JSON_NUM,
    PL_JSON_TRUE,
    PL_JSON_FALSE,
    PL_JSON_NULL,
    PL_JSON_ERROR,
};
#define PL_JSON_DEPTH_MAX 64
struct pl_json_r {
    const char *p, *end, *begin;
    struct pl_buf text; /* for strings with escapes */
    pl_str str;         /* KEY, STR: unescaped, borrowed until the next call; NUM: its text */
    double num;         /* NUM */
    size_t at;          /* byte offset of the token, or of the error */
    const char *why;    /* ERROR: a static sentence */
    uint8_t stack[PL_JSON_DEPTH_MAX];
    unsigned depth, state;
};
/** text is borrowed as long as the parser is used. */
void pl_json_r_init(struct pl_json_r *r, pl_str text);
/** Another text with the same parser, keeping its buffer: for one line after another. */
void pl_json_r_reset(struct pl_json_r *r, pl_str text);
void pl_json_r_fini(struct pl_json_r *r);
/** The next token; END when the one value ended and nothing is behind it; once ERROR, always. */
enum pl_json_tok pl_json_next(struct pl_json_r *r);
/** Skip the value that comes next (or the rest of the one just begun by OBJ or ARR; where a key
 *  comes next, it and its value). 0, PL_EPARSE (r->why; or there was nothing to skip). */
int pl_json_skip(struct pl_json_r *r);
