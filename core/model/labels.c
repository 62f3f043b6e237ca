/* Labels: building, checking, walking and printing the canonical form (drawn in labels.h).
 *
 * Building is on the path of every new series. Senders sort their labels and write ASCII, so that
 * is the fast case: one look at each name for the order, one copy, one sweep over the copied bytes
 * for a high bit. Only what fails these is sorted, or checked as UTF-8 label by label. */
#include "core/model/labels.h"

/* Copy of a few bytes without a call; dst and src do not overlap. */
static inline uint8_t *copy_short(uint8_t *dst, const char *src, size_t n)
{
    if (n >= 16) {
        size_t i = 0;
        for (; i + 16 <= n; i += 16) {
            memcpy(dst + i, src + i, 16);
        }
        memcpy(dst + n - 16, src + n - 16, 16);
    } else if (n >= 8) {
        memcpy(dst, src, 8);
        memcpy(dst + n - 8, src + n - 8, 8);
    } else if (n >= 4) {
        memcpy(dst, src, 4);
        memcpy(dst + n - 4, src + n - 4, 4);
    } else if (n > 0) {
        dst[0] = (uint8_t)src[0];
        dst[n / 2] = (uint8_t)src[n / 2];
        dst[n - 1] = (uint8_t)src[n - 1];
    }
    return dst + n;
}

/* A length below 16,384 takes two bytes at most, and PL_LABEL_VALUE_MAX itself three. */
static inline uint8_t *put_len(uint8_t *dst, size_t n)
{
    if (n < 0x80) {
        *dst = (uint8_t)n;
        return dst + 1;
    }
    return dst + pl_varint_put(dst, n);
}

static inline bool name_less(pl_str a, pl_str b)
{
    if (a.p[0] != b.p[0]) {
        return (uint8_t)a.p[0] < (uint8_t)b.p[0];
    }
    return pl_str_cmp(a, b) < 0;
}

static bool has_high_bit(const uint8_t *p, size_t n)
{
    uint64_t acc = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        acc |= pl_rd64(p + i);
    }
    for (; i < n; i++) {
        acc |= p[i];
    }
    return (acc & 0x8080808080808080ull) != 0;
}

/* By insertion: at most PL_LABELS_MAX of them. */
static void sort_labels(struct pl_label *l, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct pl_label x = l[i];
        size_t k = i;
        while (k > 0 && name_less(x.name, l[k - 1].name)) {
            l[k] = l[k - 1];
            k--;
        }
        l[k] = x;
    }
}

/* Why these labels are no label set: out of the fast path, so that the sentence is exact. */
static int refuse(const char **why, const char *sentence, int err)
{
    if (why) {
        *why = sentence;
    }
    return err;
}

int pl_labels_canon(struct pl_label *l, size_t n, struct pl_buf *out, const char **why)
{
    size_t kept = 0, bytes = 0;
    bool sorted = true;
    for (size_t i = 0; i < n; i++) {
        if (l[i].value.n == 0) {
            continue;
        }
        if (l[i].name.n == 0) {
            return refuse(why, "label name is empty", PL_EINVAL);
        }
        if (l[i].name.n > PL_LABEL_NAME_MAX) {
            return refuse(why, "label name is over 1024 bytes", PL_ELIMIT);
        }
        if (l[i].value.n > PL_LABEL_VALUE_MAX) {
            return refuse(why, "label value is over 16384 bytes", PL_ELIMIT);
        }
        if (kept == PL_LABELS_MAX) {
            return refuse(why, "more than 128 labels", PL_ELIMIT);
        }
        if (kept != i) {
            l[kept] = l[i];
        }
        if (kept > 0 && !name_less(l[kept - 1].name, l[kept].name)) {
            sorted = false;
        }
        bytes += l[kept].name.n + l[kept].value.n + 2;
        bytes += (l[kept].name.n >= 0x80) + (l[kept].value.n >= 0x80) + (l[kept].value.n >= 0x4000);
        kept++;
    }
    if (bytes > PL_LABELS_BYTES_MAX) {
        return refuse(why, "labels are over 65536 bytes together", PL_ELIMIT);
    }
    if (!sorted) {
        sort_labels(l, kept);
        for (size_t i = 1; i < kept; i++) {
            if (pl_str_eq(l[i - 1].name, l[i].name)) {
                return refuse(why, "label name twice", PL_EINVAL);
            }
        }
    }
    if (kept == 0) {
        return 0;
    }
    uint8_t *begin = pl_buf_reserve(out, bytes);
    if (!begin) {
        return refuse(why, "out of memory", PL_ENOMEM);
    }
    uint8_t *p = begin;
    for (size_t i = 0; i < kept; i++) {
        p = put_len(p, l[i].name.n);
        p = copy_short(p, l[i].name.p, l[i].name.n);
        p = put_len(p, l[i].value.n);
        p = copy_short(p, l[i].value.p, l[i].value.n);
    }
    if (has_high_bit(begin, bytes)) { /* not ASCII, or a length of two bytes */
        for (size_t i = 0; i < kept; i++) {
            if (pl_utf8_check(l[i].name) != l[i].name.n) {
                return refuse(why, "label name is not UTF-8", PL_EINVAL);
            }
            if (pl_utf8_check(l[i].value) != l[i].value.n) {
                return refuse(why, "label value is not UTF-8", PL_EINVAL);
            }
        }
    }
    out->n += bytes;
    return (int)bytes;
}

/* A length and its bytes; NULL where cut short or where the length is not in its shortest form. */
static const uint8_t *take_checked(const uint8_t *p, const uint8_t *end, size_t max, pl_str *out)
{
    uint64_t n;
    const uint8_t *q = pl_varint_get(p, end, &n);
    if (!q || n == 0 || n > max || n > (size_t)(end - q)) {
        return NULL;
    }
    uint8_t shortest[PL_VARINT_MAX];
    if (pl_varint_put(shortest, n) != (size_t)(q - p)) {
        return NULL;
    }
    *out = pl_str_mem(q, n);
    return pl_utf8_check(*out) == out->n ? q + n : NULL;
}

int pl_labels_check(pl_str canon)
{
    if (canon.n == 0 || canon.n > PL_LABELS_BYTES_MAX) {
        return canon.n == 0 ? 0 : PL_ECORRUPT;
    }
    const uint8_t *p = (const uint8_t *)canon.p, *end = p + canon.n;
    pl_str last = PL_STR_NULL;
    for (size_t n = 0; p < end; n++) {
        pl_str name, value;
        p = take_checked(p, end, PL_LABEL_NAME_MAX, &name);
        if (p) {
            p = take_checked(p, end, PL_LABEL_VALUE_MAX, &value);
        }
        if (!p || n == PL_LABELS_MAX || (n > 0 && !name_less(last, name))) {
            return PL_ECORRUPT;
        }
        last = name;
    }
    return 0;
}

bool pl_labels_next(pl_str *it, struct pl_label *out)
{
    if (it->n == 0) {
        return false;
    }
    const uint8_t *p = (const uint8_t *)it->p, *end = p + it->n;
    uint64_t n_name, n_value;
    p = pl_varint_get(p, end, &n_name);
    if (!p || n_name > (size_t)(end - p)) {
        return false;
    }
    out->name = pl_str_mem(p, n_name);
    p = pl_varint_get(p + n_name, end, &n_value);
    if (!p || n_value > (size_t)(end - p)) {
        return false;
    }
    out->value = pl_str_mem(p, n_value);
    *it = pl_str_mem(p + n_value, (size_t)(end - p) - n_value);
    return true;
}

pl_str pl_labels_get(pl_str canon, pl_str name)
{
    struct pl_label l;
    while (pl_labels_next(&canon, &l)) {
        int c = pl_str_cmp(l.name, name);
        if (c == 0) {
            return l.value;
        }
        if (c > 0) {
            break;
        }
    }
    return PL_STR_NULL;
}

size_t pl_labels_count(pl_str canon)
{
    struct pl_label l;
    size_t n = 0;
    while (pl_labels_next(&canon, &l)) {
        n++;
    }
    return n;
}

int pl_labels_cmp(pl_str a, pl_str b)
{
    struct pl_label x, y;
    for (;;) {
        bool more_a = pl_labels_next(&a, &x), more_b = pl_labels_next(&b, &y);
        if (!more_a || !more_b) {
            return (int)more_a - (int)more_b;
        }
        int c = pl_str_cmp(x.name, y.name);
        c = c ? c : pl_str_cmp(x.value, y.value);
        if (c) {
            return c;
        }
    }
}

static bool classic(pl_str s, bool colon)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(colon && c == ':') && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return s.n > 0;
}

bool pl_metric_name_classic(pl_str s) { return classic(s, true); }

bool pl_label_name_classic(pl_str s) { return classic(s, false); }

/* In double quotes, control characters escaped as Go's strconv.Quote does; PromQL reads it back. */
static void quoted(pl_str s, struct pl_buf *out)
{
    static const char names[] = "abtnvfr"; /* \a is 7 */
    pl_buf_u8(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c == '"' || c == '\\') {
            pl_buf_u8(out, '\\');
            pl_buf_u8(out, c);
        } else if (c >= 7 && c <= 13) {
            pl_buf_u8(out, '\\');
            pl_buf_u8(out, (uint8_t)names[c - 7]);
        } else if (c < 0x20 || c == 0x7f) {
            pl_buf_f(out, "\\x%02x", c);
        } else {
            pl_buf_u8(out, c);
        }
    }
    pl_buf_u8(out, '"');
}

void pl_labels_text(pl_str canon, struct pl_buf *out)
{
    struct pl_label l;
    pl_str metric = pl_labels_get(canon, PL_METRIC_NAME);
    bool plain = pl_metric_name_classic(metric);
    size_t shown = 0;
    if (plain) {
        pl_buf_str(out, metric);
        if (pl_labels_count(canon) == 1) {
            return;
        }
    }
    pl_buf_u8(out, '{');
    if (metric.n > 0 && !plain) {
        quoted(metric, out);
        shown++;
    }
    while (pl_labels_next(&canon, &l)) {
        if (pl_str_eq(l.name, PL_METRIC_NAME)) {
            continue;
        }
        if (shown++) {
            pl_buf_u8(out, ',');
        }
        if (pl_label_name_classic(l.name)) {
            pl_buf_str(out, l.name);
        } else {
            quoted(l.name, out);
        }
        pl_buf_u8(out, '=');
        quoted(l.value, out);
    }
    pl_buf_u8(out, '}');
}
