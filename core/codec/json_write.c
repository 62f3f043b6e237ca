/* JSON: the writer. */
#include "core/codec/json.h"
#include "core/codec/number.h"

static void separate(struct pl_json_w *w)
{
    if (w->comma) {
        pl_buf_u8(w->out, ',');
    }
    w->comma = true;
}

static void bracket(struct pl_json_w *w, char open)
{
    separate(w);
    pl_buf_u8(w->out, (uint8_t)open);
    w->comma = false;
}

static void bracket_end(struct pl_json_w *w, char close)
{
    pl_buf_u8(w->out, (uint8_t)close);
    w->comma = true;
}

void pl_json_obj(struct pl_json_w *w) { bracket(w, '{'); }

void pl_json_obj_end(struct pl_json_w *w) { bracket_end(w, '}'); }

void pl_json_arr(struct pl_json_w *w) { bracket(w, '['); }

void pl_json_arr_end(struct pl_json_w *w) { bracket_end(w, ']'); }

void pl_json_key(struct pl_json_w *w, const char *key) { pl_json_key_s(w, pl_str_c(key)); }

void pl_json_key_s(struct pl_json_w *w, pl_str key)
{
    pl_json_str(w, key);
    pl_buf_u8(w->out, ':');
    w->comma = false;
}

static void escape(struct pl_buf *out, uint8_t c)
{
    static const char plain[] = "\"\\\n\r\t", letter[] = "\"\\nrt", hex[] = "0123456789abcdef";
    const char *found = c ? strchr(plain, c) : NULL;
    if (found) {
        char text[2] = {'\\', letter[found - plain]};
        pl_buf_add(out, text, 2);
    } else {
        char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        pl_buf_add(out, text, 6);
    }
}

void pl_json_str(struct pl_json_w *w, pl_str s)
{
    separate(w);
    pl_buf_u8(w->out, '"');
    while (s.n > 0) {
        size_t i = 0;
        for (; i < s.n; i++) { /* ASCII that needs nothing */
            uint8_t c = (uint8_t)s.p[i];
            if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80) {
                break;
            }
        }
        pl_buf_add(w->out, s.p, i);
        s = pl_str_mem(s.p + i, s.n - i);
        if (s.n == 0) {
            break;
        }
        size_t used = 1;
        if ((uint8_t)*s.p >= 0x80) {
            for (used = 1; used < s.n && ((uint8_t)s.p[used] & 0xc0) == 0x80 && used < 4; used++) {
            }
            if (pl_utf8_check(pl_str_mem(s.p, used)) == used) {
                pl_buf_add(w->out, s.p, used);
            } else {
                pl_buf_z(w->out, "\xef\xbf\xbd");
                used = 1;
            }
        } else {
            escape(w->out, (uint8_t)*s.p);
        }
        s = pl_str_mem(s.p + used, s.n - used);
    }
    pl_buf_u8(w->out, '"');
}

void pl_json_i64(struct pl_json_w *w, int64_t x)
{
    char buf[24], *end = buf + sizeof buf, *p = end;
    uint64_t u = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    do {
        *--p = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (x < 0) {
        *--p = '-';
    }
    separate(w);
    pl_buf_add(w->out, p, (size_t)(end - p));
}

void pl_json_f64(struct pl_json_w *w, double x)
{
    char text[PL_NUMBER_MAX];
    pl_str s = {text, pl_number_text(x, text)};
    if (x - x == 0) {
        separate(w);
        pl_buf_str(w->out, s);
    } else {
        pl_json_str(w, s);
    }
}

void pl_json_bool(struct pl_json_w *w, bool x)
{
    pl_json_raw(w, x ? PL_STR("true") : PL_STR("false"));
}

void pl_json_null(struct pl_json_w *w) { pl_json_raw(w, PL_STR("null")); }

void pl_json_raw(struct pl_json_w *w, pl_str s)
{
    separate(w);
    pl_buf_str(w->out, s);
}
