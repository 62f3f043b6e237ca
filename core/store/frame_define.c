/* The DEFINE payload of the journal: series definitions, each against the one before. Any thread.
 *
 *   payload     definition*
 *   definition  varint zigzag (id - id before - 1) | varint n_labels | same | label*
 *   same        n_labels bits, low first, in whole bytes: label i is label i of the definition
 * before label       one for each that is not: varint (shared << 1 | 1) | varint n | n bytes the
 * name of label i before, its value from `shared` bytes of that on varint 0 | varint n | name |
 * varint n | value     anything
 *
 * Before the first stands id -1 without labels. A million series of 11 labels and 250 bytes that
 * come in order take some 20 bytes each, and the reader copies runs of unchanged labels at once. */
#include "core/store/frame.h"

void pl_define_writer_fini(struct pl_define_writer *w) { pl_buf_fini(&w->last); }

void pl_define_writer_reset(struct pl_define_writer *w)
{
    pl_buf_clear(&w->last);
    w->last_id = UINT32_MAX;
    w->n = 0;
    w->at[0] = 0;
}

/** The value of an encoded label (bytes [p, end)); its name takes *n_name bytes with the length. */
static pl_str label_value(const uint8_t *p, const uint8_t *end, size_t *n_name)
{
    uint64_t n = 0;
    const uint8_t *q = pl_varint_get(p, end, &n) + n;
    *n_name = (size_t)(q - p);
    q = pl_varint_get(q, end, &n);
    return pl_str_mem(q, n);
}

static uint8_t *put_changed(uint8_t *to, const uint8_t *p, size_t n, const uint8_t *q, size_t n_q)
{
    size_t n_name, n_name_q;
    pl_str value = label_value(p, p + n, &n_name);
    if (n_q) {
        pl_str before = label_value(q, q + n_q, &n_name_q);
        if (n_name == n_name_q && memcmp(p, q, n_name) == 0) {
            size_t shared = 0, most = value.n < before.n ? value.n : before.n;
            while (shared < most && value.p[shared] == before.p[shared]) {
                shared++;
            }
            to += pl_varint_put(to, shared << 1 | 1);
            to += pl_varint_put(to, value.n - shared);
            memcpy(to, value.p + shared, value.n - shared);
            return to + (value.n - shared);
        }
    }
    *to++ = 0;
    memcpy(to, p, n);
    return to + n;
}

int pl_define_add(struct pl_define_writer *w, struct pl_buf *out, uint32_t id, pl_str canon)
{
    uint32_t at[PL_LABELS_MAX + 1], n = 0;
    static const uint8_t nothing[1];
    const uint8_t *p = canon.n ? (const uint8_t *)canon.p : nothing, *begin = p, *end = p + canon.n;
    while (p < end && n < PL_LABELS_MAX) {
        uint64_t len = 0;
        at[n++] = (uint32_t)(p - begin);
        p = pl_varint_get(p, end, &len) + len;
        p = pl_varint_get(p, end, &len) + len;
    }
    at[n] = (uint32_t)canon.n;
    uint8_t *to = pl_buf_reserve(out, 2 * PL_VARINT_MAX + 16 + canon.n + 4 * (size_t)n + 16);
    uint8_t *keep = pl_buf_reserve(&w->last, w->last.n < canon.n ? canon.n - w->last.n : 0);
    if (!to || (!keep && canon.n)) {
        out->failed = w->last.failed = false;
        return PL_ENOMEM;
    }
    uint8_t *to0 = to;
    to += pl_varint_put(to, pl_zigzag((int64_t)id - (int64_t)w->last_id - 1 +
                                      (w->last_id == UINT32_MAX ? 1ll << 32 : 0)));
    to += pl_varint_put(to, n);
    uint8_t *same = to;
    memset(same, 0, (n + 7) / 8);
    to += (n + 7) / 8;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *label = begin + at[i], *before = w->last.p ? w->last.p + w->at[i] : NULL;
        size_t n_label = at[i + 1] - at[i], n_before = i < w->n ? w->at[i + 1] - w->at[i] : 0;
        if (n_label == n_before && memcmp(label, before, n_label) == 0) {
            same[i / 8] |= (uint8_t)(1u << i % 8);
        } else {
            to = put_changed(to, label, n_label, before, n_before);
        }
    }
    out->n += (size_t)(to - to0);
    memcpy(w->last.p, begin, canon.n);
    w->last.n = canon.n;
    w->last_id = id;
    w->n = n;
    memcpy(w->at, at, (n + 1) * sizeof at[0]);
    return 0;
}

void pl_define_reader_begin(struct pl_define_reader *r, pl_str payload)
{
    r->rest = payload;
    pl_buf_clear(&r->canon);
    r->last = 0;
    r->last_id = UINT32_MAX;
    r->n = 0;
    r->at[0] = 0;
}

void pl_define_reader_fini(struct pl_define_reader *r) { pl_buf_fini(&r->canon); }

/** varint n and n bytes that follow, or NULL. */
static const uint8_t *get_bytes(const uint8_t *p, const uint8_t *end, pl_str *out)
{
    uint64_t n;
    p = pl_varint_get(p, end, &n);
    if (!p || n > (uint64_t)(end - p)) {
        return NULL;
    }
    *out = pl_str_mem(p, n);
    return p + n;
}

static void put_counted(struct pl_buf *b, pl_str s)
{
    b->n += pl_varint_put(b->p + b->n, s.n);
    memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
}

/** One label that is not label i of the definition before, appended to canon. NULL: corrupt. */
static const uint8_t *get_changed(struct pl_define_reader *r, uint32_t i, const uint8_t *p,
                                  const uint8_t *end)
{
    uint64_t c;
    pl_str name = PL_STR_NULL, tail;
    p = pl_varint_get(p, end, &c);
    if (!p || (c != 0 && ((c & 1) == 0 || i >= r->n))) {
        return NULL;
    }
    p = c == 0 ? get_bytes(p, end, &name) : p;
    p = p ? get_bytes(p, end, &tail) : NULL;
    size_t shared = (size_t)(c >> 1);
    if (!p || shared > PL_LABELS_BYTES_MAX || tail.n > PL_LABELS_BYTES_MAX ||
        (c == 0 && name.n > PL_LABELS_BYTES_MAX)) {
        return NULL;
    }
    struct pl_buf *b = &r->canon;
    size_t n_before = c ? r->at[i + 1] - r->at[i] : name.n;
    if (!pl_buf_reserve(b, n_before + shared + tail.n + 2 * PL_VARINT_MAX)) {
        return NULL;
    }
    if (c == 0) {
        put_counted(b, name);
        put_counted(b, tail);
        return p;
    }
    const uint8_t *before = b->p + r->last + r->at[i];
    size_t n_name;
    pl_str value = label_value(before, before + n_before, &n_name);
    if (shared > value.n) {
        return NULL;
    }
    memcpy(b->p + b->n, before, n_name);
    b->n += n_name;
    b->n += pl_varint_put(b->p + b->n, shared + tail.n);
    memcpy(b->p + b->n, value.p, shared);
    b->n += shared;
    memcpy(b->p + b->n, tail.p, tail.n);
    b->n += tail.n;
    return p;
}

/** One definition, appended to canon. 1, or PL_ECORRUPT, PL_ENOMEM. */
static int read_one(struct pl_define_reader *r, uint32_t *id, uint64_t *same_bits)
{
    const uint8_t *p = (const uint8_t *)r->rest.p, *end = p + r->rest.n;
    uint64_t z, n;
    p = pl_varint_get(p, end, &z);
    p = p ? pl_varint_get(p, end, &n) : NULL;
    if (!p || n > PL_LABELS_MAX || (size_t)(end - p) < (n + 7) / 8) {
        return PL_ECORRUPT;
    }
    const uint8_t *same = p;
    p += (n + 7) / 8;
    *same_bits = 0;
    for (uint32_t i = 0; i < 8 && i * 8 < n; i++) {
        *same_bits |= (uint64_t)same[i] << 8 * i;
    }
    struct pl_buf *b = &r->canon;
    size_t start = b->n;
    uint32_t at[PL_LABELS_MAX + 1];
    for (uint32_t i = 0; i < n;) {
        if (same[i / 8] >> i % 8 & 1) {
            uint32_t j = i;
            do {
                if (j >= r->n) {
                    return PL_ECORRUPT;
                }
                at[j] = (uint32_t)(b->n - start) + r->at[j] - r->at[i];
                j++;
            } while (j < n && same[j / 8] >> j % 8 & 1);
            size_t len = r->at[j] - r->at[i];
            if (!pl_buf_reserve(b, len)) {
                return PL_ENOMEM;
            }
            memcpy(b->p + b->n, b->p + r->last + r->at[i], len);
            b->n += len;
            i = j;
        } else {
            at[i] = (uint32_t)(b->n - start);
            p = get_changed(r, i, p, end);
            if (!p || b->n - start > PL_LABELS_BYTES_MAX) {
                return b->failed ? PL_ENOMEM : PL_ECORRUPT;
            }
            i++;
        }
    }
    if (b->n - start > PL_LABELS_BYTES_MAX) {
        return PL_ECORRUPT;
    }
    at[n] = (uint32_t)(b->n - start);
    *id = r->last_id + (uint32_t)pl_unzigzag(z) + 1;
    r->last_id = *id;
    r->last = start;
    r->n = (uint32_t)n;
    memcpy(r->at, at, (n + 1) * sizeof at[0]);
    r->rest = pl_str_mem(p, (size_t)(end - p));
    return 1;
}

int pl_define_read(struct pl_define_reader *r, struct pl_series_def *defs, size_t cap)
{
    struct pl_buf *b = &r->canon;
    if (b->n) {
        memmove(b->p, b->p + r->last, b->n - r->last);
        b->n -= r->last;
        r->last = 0;
    }
    size_t n = 0;
    while (n < cap && r->rest.n) {
        size_t start = b->n;
        int rc = read_one(r, &defs[n].id, &defs[n].same);
        if (rc < 0) {
            return rc;
        }
        defs[n].same = n ? defs[n].same : 0;
        defs[n++].canon = (pl_str){NULL, b->n - start};
    }
    size_t at = b->n;
    for (size_t i = n; i-- > 0;) { /* the buffer stands still from here on */
        at -= defs[i].canon.n;
        defs[i].canon.p = b->p ? (const char *)b->p + at : NULL; /* none has labels */
    }
    return (int)n;
}
