/* JSON: the pull parser (RFC 8259). The writer is json_write.c.
 *
 * The text is read once, strings are borrowed where they have no escapes. Between calls the parser
 * stands in one of the states below; the stack holds '{' or '[' per level. Text that is not UTF-8
 * is refused where it stands in a string; elsewhere it is no token anyway. */
#include "core/codec/json.h"
#include "core/codec/number.h"

enum state {
    VALUE,       /* a value must come */
    FIRST_VALUE, /* a value or ] */
    FIRST_KEY,   /* a key or } */
    KEY,         /* a key must come */
    AFTER,       /* , or the closing bracket */
    DONE,        /* the one value has been read */
    FAILED,
};

void pl_json_r_init(struct pl_json_r *r, pl_str text)
{
    *r = (struct pl_json_r){0};
    pl_json_r_reset(r, text);
}

void pl_json_r_reset(struct pl_json_r *r, pl_str text)
{
    r->begin = r->p = text.n ? text.p : "";
    r->end = r->p + text.n;
    r->depth = 0;
    r->state = VALUE;
    r->at = 0;
    r->why = NULL;
}

void pl_json_r_fini(struct pl_json_r *r) { pl_buf_fini(&r->text); }

static enum pl_json_tok failed(struct pl_json_r *r, const char *at, const char *why)
{
    r->at = (size_t)(at - r->begin);
    r->why = why;
    r->state = FAILED;
    return PL_JSON_ERROR;
}

static void skip_space(struct pl_json_r *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r')) {
        r->p++;
    }
}

static int hex4(const char *p, const char *end)
{
    int x = 0;
    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char c = p[i], low = (char)(c | 0x20);
        if (c >= '0' && c <= '9') {
            x = x * 16 + (c - '0');
        } else if (low >= 'a' && low <= 'f') {
            x = x * 16 + (low - 'a' + 10);
        } else {
            return -1;
        }
    }
    return x;
}

static void add_utf8(struct pl_buf *b, uint32_t c)
{
    char text[PL_UTF8_MAX];
    pl_buf_add(b, text, pl_utf8_put(text, c));
}

/* An escape at p (behind the backslash): where it ends, or NULL. A surrogate without its partner
 * becomes U+FFFD. */
static const char *unescape(const char *p, const char *end, struct pl_buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (p == end) {
        return NULL;
    }
    if (*p != 'u') {
        const char *found = *p ? strchr(from, *p) : NULL;
        if (!found) {
            return NULL;
        }
        pl_buf_u8(out, (uint8_t)to[found - from]);
        return p + 1;
    }
    int hi = hex4(p + 1, end);
    if (hi < 0) {
        return NULL;
    }
    p += 5;
    uint32_t c = (uint32_t)hi;
    if (c >= 0xd800 && c < 0xe000) {
        int lo = end - p >= 2 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end) : -1;
        bool pair = c < 0xdc00 && lo >= 0xdc00 && lo < 0xe000;
        c = pair ? 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)lo - 0xdc00) : 0xfffd;
        p += pair ? 6 : 0;
    }
    add_utf8(out, c);
    return p;
}

/* First byte at or behind p that is a quote, a backslash or a control character; *high is set when
 * a byte over 127 was passed. Eight bytes at a time. */
static const char *plain_run(const char *p, const char *end, bool *high)
{
    const uint64_t ones = 0x0101010101010101ull, tops = ones << 7;
    uint64_t acc = 0;
    for (; end - p >= 8; p += 8) {
        uint64_t x = pl_rd64(p), quote = x ^ (ones * '"'), slash = x ^ (ones * '\\');
        uint64_t hit = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                       ((x - ones * 0x20) & ~x); /* exact for the first hit */
        if (hit & tops) {
            break;
        }
        acc |= x;
    }
    *high |= (acc & tops) != 0;
    for (; p < end && *p != '"' && *p != '\\' && (uint8_t)*p >= 0x20; p++) {
        *high |= (uint8_t)*p >= 0x80;
    }
    return p;
}

/* The string whose opening quote is at r->p. */
static enum pl_json_tok string(struct pl_json_r *r, enum pl_json_tok kind)
{
    const char *open = r->p, *from = open + 1;
    bool high = false;
    const char *p = plain_run(from, r->end, &high);
    if (p < r->end && *p == '"') {
        r->str = pl_str_mem(from, (size_t)(p - from));
    } else {
        pl_buf_clear(&r->text);
        while (p < r->end && *p == '\\') {
            pl_buf_add(&r->text, from, (size_t)(p - from));
            from = unescape(p + 1, r->end, &r->text);
            if (!from) {
                return failed(r, p, "bad escape in string");
            }
            p = plain_run(from, r->end, &high);
        }
        if (p == r->end) {
            return failed(r, open, "string does not end");
        }
        if (*p != '"') {
            return failed(r, p, "control character in string");
        }
        pl_buf_add(&r->text, from, (size_t)(p - from));
        if (r->text.failed) {
            return failed(r, open, "out of memory");
        }
        r->str = pl_buf_view(&r->text);
    }
    if (high && pl_utf8_check(r->str) != r->str.n) {
        return failed(r, open, "string is not UTF-8");
    }
    r->p = p + 1;
    return kind;
}

/* JSON's grammar is narrower than ours: no plus, no point or zero without its digit. */
static enum pl_json_tok number(struct pl_json_r *r)
{
    const char *begin = r->p, *p = begin + (*begin == '-'), *end = r->end;
    bool digit = p < end && *p >= '0' && *p <= '9';
    if (!digit || (*p == '0' && p + 1 < end &&
                   ((p[1] >= '0' && p[1] <= '9') || p[1] == 'x' || p[1] == 'X'))) {
        return failed(r, begin, "not a number");
    }
    size_t used;
    int rc = pl_number_scan(pl_str_mem(begin, (size_t)(end - begin)), &r->num, &used);
    if (rc < 0) {
        return failed(r, begin, rc == PL_ELIMIT ? "number is too large" : "not a number");
    }
    const char *dot = memchr(begin, '.', used);
    if (dot && (dot + 1 == begin + used || dot[1] < '0' || dot[1] > '9')) {
        return failed(r, begin, "not a number");
    }
    r->p = begin + used;
    if (r->p < end && (*r->p == 'e' || *r->p == 'E')) {
        return failed(r, begin, "not a number");
    }
    r->str = pl_str_mem(begin, used);
    return PL_JSON_NUM;
}

static bool word(struct pl_json_r *r, pl_str w)
{
    if ((size_t)(r->end - r->p) < w.n || memcmp(r->p, w.p, w.n) != 0) {
        return false;
    }
    r->p += w.n;
    return true;
}

static enum pl_json_tok open_level(struct pl_json_r *r)
{
    char c = *r->p;
    if (r->depth == PL_JSON_DEPTH_MAX) {
        return failed(r, r->p, "nested too deeply");
    }
    r->stack[r->depth++] = (uint8_t)c;
    r->state = c == '{' ? FIRST_KEY : FIRST_VALUE;
    r->p++;
    return c == '{' ? PL_JSON_OBJ : PL_JSON_ARR;
}

static enum pl_json_tok close_level(struct pl_json_r *r)
{
    bool obj = r->stack[--r->depth] == '{';
    r->state = r->depth ? AFTER : DONE;
    r->p++;
    return obj ? PL_JSON_OBJ_END : PL_JSON_ARR_END;
}

static enum pl_json_tok value(struct pl_json_r *r)
{
    enum pl_json_tok t;
    const char *at = r->p;
    if (at == r->end) {
        return failed(r, at, "ends where a value should stand");
    }
    switch (*at) {
    case '{':
    case '[':
        return open_level(r);
    case '"':
        t = string(r, PL_JSON_STR);
        break;
    case 't':
        t = word(r, PL_STR("true")) ? PL_JSON_TRUE : failed(r, at, "unknown word");
        break;
    case 'f':
        t = word(r, PL_STR("false")) ? PL_JSON_FALSE : failed(r, at, "unknown word");
        break;
    case 'n':
        t = word(r, PL_STR("null")) ? PL_JSON_NULL : failed(r, at, "unknown word");
        break;
    default:
        t = *at == '-' || (*at >= '0' && *at <= '9') ? number(r) : failed(r, at, "not a value");
        break;
    }
    if (t != PL_JSON_ERROR) {
        r->state = r->depth ? AFTER : DONE;
    }
    return t;
}

static enum pl_json_tok key(struct pl_json_r *r)
{
    if (r->p == r->end || *r->p != '"') {
        return failed(r, r->p, "not a key");
    }
    size_t at = r->at;
    if (string(r, PL_JSON_KEY) == PL_JSON_ERROR) {
        return PL_JSON_ERROR;
    }
    skip_space(r);
    if (r->p == r->end || *r->p != ':') {
        return failed(r, r->p, "no colon behind a key");
    }
    r->p++;
    r->at = at;
    r->state = VALUE;
    return PL_JSON_KEY;
}

enum pl_json_tok pl_json_next(struct pl_json_r *r)
{
    if (r->state == FAILED) {
        return PL_JSON_ERROR;
    }
    skip_space(r);
    if (r->state == AFTER) {
        bool obj = r->stack[r->depth - 1] == '{';
        if (r->p < r->end && *r->p == ',') {
            r->p++;
            r->state = obj ? KEY : VALUE;
            skip_space(r);
        } else if (r->p == r->end || *r->p != (obj ? '}' : ']')) {
            return failed(r, r->p,
                          obj ? "no comma or } behind a value" : "no comma or ] behind a value");
        }
    }
    r->at = (size_t)(r->p - r->begin);
    switch (r->state) {
    case FIRST_KEY:
        return r->p < r->end && *r->p == '}' ? close_level(r) : key(r);
    case KEY:
        return key(r);
    case FIRST_VALUE:
        return r->p < r->end && *r->p == ']' ? close_level(r) : value(r);
    case VALUE:
        return value(r);
    case AFTER:
        return close_level(r);
    default:
        return r->p == r->end ? PL_JSON_END : failed(r, r->p, "more behind the value");
    }
}

int pl_json_skip(struct pl_json_r *r)
{
    /* Just begun: the state is that of an empty level. Else one value, or one key and its value. */
    bool begun = r->state == FIRST_KEY || r->state == FIRST_VALUE;
    unsigned depth = r->depth - begun;
    for (;;) {
        enum pl_json_tok t = pl_json_next(r);
        if (t == PL_JSON_ERROR || t == PL_JSON_END) {
            return PL_EPARSE;
        }
        if (r->depth <= depth && t != PL_JSON_KEY) {
            return 0;
        }
    }
}
