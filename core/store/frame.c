/* The SAMPLES payload of the journal: sections, and rows of samples as three streams. Any thread.
 *
 *   payload   ( u8 type | u32 n | n bytes )*
 *
 *   rows      varint n | u8 k | u32 n_ids | u32 n_times | ids | times | tags | values
 *
 *   ids and times are deltas to the row before (to 0 for the first), as tokens:
 *             varint (count << 1 | 1) | varint zigzag delta            the same delta `count` times
 *             varint (count << 1)     | count * varint zigzag delta
 *   tags      4 bits a row, low half first: which of the forms below, and how many value bytes
 *   values    0          +0.0
 *             1          the bits of the row before
 *             2 .. 7     a whole number, zigzag, in 1 .. 6 bytes
 *             8 .. 12    a whole number / 10^k, zigzag, in 2 .. 6 bytes
 *             13, 14     the upper 2 or 5 bytes of the double, the others are 0
 *             15         the double
 *
 * A row's value is found without a branch both ways: tables say length, divisor and shift of a tag.
 * That a / 10^k rounds correctly makes decimal numbers exact; the encoder checks every one. */
#include "core/store/frame.h"
#include <math.h>
#include <stdlib.h>

#define SECTION_HEAD 5
#define LITERALS_MAX 512
#define RUN_MIN      4
#define SLICE        1024 /* rows encoded between two looks at the buffer's room */

static const double pow10_of[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

int pl_frame_next(pl_str *it, struct pl_section *out)
{
    if (it->n == 0) {
        return 0;
    }
    if (it->n < SECTION_HEAD) {
        return PL_ECORRUPT;
    }
    uint32_t n = pl_rd32(it->p + 1);
    if (n > it->n - SECTION_HEAD) {
        return PL_ECORRUPT;
    }
    out->type = (uint8_t)it->p[0];
    out->bytes = pl_str_mem(it->p + SECTION_HEAD, n);
    it->p += SECTION_HEAD + n;
    it->n -= SECTION_HEAD + n;
    return 1;
}

/** Begin a section; its length is patched by section_end. */
static size_t section_begin(struct pl_buf *out, uint8_t type)
{
    size_t at = out->n;
    pl_buf_u8(out, type);
    pl_buf_u32(out, 0);
    return at;
}

static int section_end(struct pl_buf *out, size_t at)
{
    if (out->failed || out->n - at - SECTION_HEAD > UINT32_MAX) {
        out->n = at;
        out->failed = false;
        return PL_ENOMEM;
    }
    pl_wr32(out->p + at + 1, (uint32_t)(out->n - at - SECTION_HEAD));
    return 0;
}

/* ------------------------------------------------------------------------------- tokens of deltas
 */

/** Append deltas [from, to) as they are. */
static void put_literals(struct pl_buf *out, const uint64_t *delta, size_t from, size_t to)
{
    while (from < to) {
        size_t n = to - from < LITERALS_MAX ? to - from : LITERALS_MAX;
        uint8_t *p = pl_buf_reserve(out, (n + 1) * PL_VARINT_MAX);
        if (!p) {
            return;
        }
        uint8_t *p0 = p;
        p += pl_varint_put(p, n << 1);
        for (size_t i = from; i < from + n; i++) {
            p += pl_varint_put(p, delta[i]);
        }
        out->n += (size_t)(p - p0);
        from += n;
    }
}

/* A run may go on over many slices of deltas, so it is held back until it ends. */
struct tokens {
    struct pl_buf *out;
    uint64_t run_delta;
    uint64_t run;
};

static void tokens_flush(struct tokens *k)
{
    if (k->run >= RUN_MIN) {
        uint8_t *p = pl_buf_reserve(k->out, 2 * PL_VARINT_MAX);
        if (p) {
            size_t n = pl_varint_put(p, k->run << 1 | 1);
            n += pl_varint_put(p + n, k->run_delta);
            k->out->n += n;
        }
    } else if (k->run) {
        uint64_t few[RUN_MIN] = {k->run_delta, k->run_delta, k->run_delta, k->run_delta};
        put_literals(k->out, few, 0, (size_t)k->run);
    }
    k->run = 0;
}

static void tokens_add(struct tokens *k, const uint64_t *delta, size_t n)
{
    size_t i = 0, literal = 0;
    if (k->run) {
        while (i < n && delta[i] == k->run_delta) {
            i++;
        }
        k->run += i;
        if (i == n) {
            return;
        }
        tokens_flush(k);
        literal = i;
    }
    while (i < n) {
        size_t j = i + 1;
        while (j < n && delta[j] == delta[i]) {
            j++;
        }
        if (j - i >= RUN_MIN || (j == n && j - i > 1)) {
            put_literals(k->out, delta, literal, i);
            k->run = j - i;
            k->run_delta = delta[i];
            literal = j;
            if (j < n) {
                tokens_flush(k);
            }
        }
        i = j;
    }
    put_literals(k->out, delta, literal, n);
}

static void put_ids(struct pl_buf *out, const uint32_t *id, size_t n)
{
    struct tokens k = {.out = out};
    uint64_t delta[SLICE];
    uint32_t last = 0;
    for (size_t at = 0; at < n; at += SLICE) {
        size_t m = n - at < SLICE ? n - at : SLICE;
        for (size_t i = 0; i < m; i++) {
            delta[i] = pl_zigzag((int64_t)id[at + i] - (int64_t)last);
            last = id[at + i];
        }
        tokens_add(&k, delta, m);
    }
    tokens_flush(&k);
}

static void put_times(struct pl_buf *out, const int64_t *t, size_t n)
{
    struct tokens k = {.out = out};
    uint64_t delta[SLICE];
    uint64_t last = 0;
    for (size_t at = 0; at < n; at += SLICE) {
        size_t m = n - at < SLICE ? n - at : SLICE;
        for (size_t i = 0; i < m; i++) {
            delta[i] = pl_zigzag((int64_t)((uint64_t)t[at + i] - last));
            last = (uint64_t)t[at + i];
        }
        tokens_add(&k, delta, m);
    }
    tokens_flush(&k);
}

/** One token: count and, for a run, its delta. NULL when cut short or longer than `left`. */
static const uint8_t *token_get(const uint8_t *p, const uint8_t *end, size_t left, uint64_t *count,
                                bool *run, uint64_t *delta)
{
    uint64_t x;
    p = pl_varint_get(p, end, &x);
    if (!p) {
        return NULL;
    }
    *run = x & 1;
    *count = x >> 1;
    if (*count == 0 || *count > left) {
        return NULL;
    }
    return *run ? pl_varint_get(p, end, delta) : p;
}

/** Read exactly n ids from exactly [p, end). */
static int get_ids(const uint8_t *p, const uint8_t *end, uint32_t *id, size_t n)
{
    uint32_t last = 0;
    for (size_t i = 0; i < n;) {
        uint64_t count, x = 0;
        bool run;
        p = token_get(p, end, n - i, &count, &run, &x);
        if (!p) {
            return PL_ECORRUPT;
        }
        if (run) {
            uint32_t d = (uint32_t)pl_unzigzag(x);
            for (size_t k = 0; k < count; k++) {
                id[i + k] = last + (uint32_t)(k + 1) * d;
            }
            last += (uint32_t)count * d;
        } else {
            for (size_t k = 0; k < count; k++) {
                p = pl_varint_get(p, end, &x);
                if (!p) {
                    return PL_ECORRUPT;
                }
                last += (uint32_t)pl_unzigzag(x);
                id[i + k] = last;
            }
        }
        i += count;
    }
    return p == end ? 0 : PL_ECORRUPT;
}

static int get_times(const uint8_t *p, const uint8_t *end, int64_t *t, size_t n)
{
    uint64_t last = 0;
    for (size_t i = 0; i < n;) {
        uint64_t count, x = 0;
        bool run;
        p = token_get(p, end, n - i, &count, &run, &x);
        if (!p) {
            return PL_ECORRUPT;
        }
        if (run) {
            uint64_t d = (uint64_t)pl_unzigzag(x);
            for (size_t k = 0; k < count; k++) {
                t[i + k] = (int64_t)(last + (k + 1) * d);
            }
            last += count * d;
        } else {
            for (size_t k = 0; k < count; k++) {
                p = pl_varint_get(p, end, &x);
                if (!p) {
                    return PL_ECORRUPT;
                }
                last += (uint64_t)pl_unzigzag(x);
                t[i + k] = (int64_t)last;
            }
        }
        i += count;
    }
    return p == end ? 0 : PL_ECORRUPT;
}

/* -------------------------------------------------------------------------------------- values */

static const uint8_t tag_len[16] = {0, 0, 1, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 2, 5, 8};
static const uint64_t tag_mask[16] = {0,
                                      0,
                                      0xff,
                                      0xffff,
                                      0xffffff,
                                      0xffffffff,
                                      0xffffffffff,
                                      0xffffffffffff,
                                      0xffff,
                                      0xffffff,
                                      0xffffffff,
                                      0xffffffffff,
                                      0xffffffffffff,
                                      0xffff,
                                      0xffffffffff,
                                      UINT64_MAX};

#define WHOLE_LIMIT 70368744177664.0 /* 2^46: zigzag in 6 bytes */

/** v as round(v * scale), where that divided by scale gives v's bits again. */
static inline bool as_whole(double v, double scale, int64_t *out)
{
    double x = v * scale;
    bool small = fabs(x) < WHOLE_LIMIT;
    x = small ? x : 0.0;
    int64_t i = (int64_t)(x + (x < 0 ? -0.5 : 0.5));
    *out = i;
    return pl_f64_bits((double)i / scale) == pl_f64_bits(v);
}

/** The power of ten that makes whole numbers of most of the others, by a sample. */
static unsigned choose_scale(const double *v, size_t n)
{
    unsigned fits[7] = {0}, n_fit = 0;
    size_t step = n / 64 + 1;
    for (size_t i = 0; i < n; i += step) {
        int64_t whole;
        for (unsigned k = 0; k <= 6; k++) {
            if (as_whole(v[i], pow10_of[k], &whole)) {
                fits[k]++;
                n_fit += k > 0;
                break;
            }
        }
    }
    unsigned sum = 0;
    for (unsigned k = 1; k <= 6; k++) {
        sum += fits[k];
        if (sum * 10 >= n_fit * 9 && sum) {
            return k;
        }
    }
    return 0;
}

/** Append n <= SLICE values; their tags to tags (one a byte). */
static uint8_t *put_values(uint8_t *p, uint8_t *tags, const double *v, size_t n, double scale,
                           uint64_t *last)
{
    uint64_t before = *last;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = pl_f64_bits(v[i]);
        int64_t whole, scaled;
        bool is_whole = as_whole(v[i], 1.0, &whole);
        bool is_scaled = as_whole(v[i], scale, &scaled);
        uint64_t z = pl_zigzag(is_whole ? whole : scaled);
        unsigned bytes = (unsigned)(71 - __builtin_clzll(z | 1)) / 8; /* 1 .. 6 */
        /* a whole number: 0, or 2 + bytes - 1; scaled: 8 + bytes - 2, at least 8 */
        unsigned tag_whole = z ? bytes + 1 : 0;
        unsigned tag_scaled = bytes < 2 ? 8 : bytes + 6;
        unsigned zeros = (unsigned)__builtin_ctzll(bits | 1ull << 63);
        unsigned tag_raw = zeros >= 48 ? 13 : zeros >= 24 ? 14 : 15;
        unsigned shift = zeros >= 48 ? 48 : zeros >= 24 ? 24 : 0;
        bool number = is_whole | is_scaled;
        unsigned tag = is_whole ? tag_whole : is_scaled ? tag_scaled : tag_raw;
        tag = bits == before ? 1 : tag;
        pl_wr64(p, number ? z : bits >> shift);
        p += tag_len[tag];
        tags[i] = (uint8_t)tag;
        before = bits;
    }
    *last = before;
    return p;
}

static void add_values(struct pl_buf *out, const double *v, size_t n, unsigned k)
{
    size_t n_tags = (n + 1) / 2, at_tags = out->n;
    if (!pl_buf_reserve(out, n_tags + n * 3 + 64)) {
        return;
    }
    out->n += n_tags;
    uint8_t tags[SLICE + 1];
    uint64_t last = ~PL_STALE_BITS; /* no row before the first: the decoder begins likewise */
    for (size_t at = 0; at < n; at += SLICE) {
        size_t m = n - at < SLICE ? n - at : SLICE;
        uint8_t *p = pl_buf_reserve(out, m * 8 + 8);
        if (!p) {
            return;
        }
        uint8_t *end = put_values(p, tags, v + at, m, pow10_of[k], &last);
        out->n += (size_t)(end - p);
        tags[m] = 0;
        uint8_t *to = out->p + at_tags + at / 2;
        for (size_t i = 0; i < m; i += 2) {
            to[i / 2] = (uint8_t)(tags[i] | tags[i + 1] << 4);
        }
    }
}

/** Read exactly n values from exactly [p, end). */
static int get_values(const uint8_t *p, const uint8_t *end, double *v, size_t n, unsigned k)
{
    size_t n_tags = (n + 1) / 2;
    if ((size_t)(end - p) < n_tags) {
        return PL_ECORRUPT;
    }
    double divisor[16];
    for (unsigned i = 0; i < 16; i++) {
        divisor[i] = i >= 8 && i <= 12 ? pow10_of[k] : 1.0;
    }
    static const uint8_t shift[16] = {[13] = 48, [14] = 24};
    static const uint64_t raw[16] = {[13] = UINT64_MAX, [14] = UINT64_MAX, [15] = UINT64_MAX};
    const uint8_t *tags = p;
    p += n_tags;
    uint64_t last = ~PL_STALE_BITS;
    for (size_t i = 0; i < n; i++) {
        unsigned tag = tags[i / 2] >> (i & 1) * 4 & 15;
        unsigned len = tag_len[tag];
        uint64_t u;
        if (__builtin_expect(end - p >= 8, 1)) {
            u = pl_rd64(p) & tag_mask[tag];
        } else {
            if ((size_t)(end - p) < len) {
                return PL_ECORRUPT;
            }
            u = 0;
            memcpy(&u, p, len);
        }
        p += len;
        uint64_t number = pl_f64_bits((double)pl_unzigzag(u) / divisor[tag]);
        uint64_t bits = (number & ~raw[tag]) | (u << shift[tag] & raw[tag]);
        bits = tag == 1 ? last : bits;
        v[i] = pl_bits_f64(bits);
        last = bits;
    }
    return p == end ? 0 : PL_ECORRUPT;
}

/* ---------------------------------------------------------------------------------------- rows */

int pl_frame_add_rows(struct pl_buf *out, const uint32_t *id, const int64_t *t, const double *v,
                      size_t n)
{
    size_t at = section_begin(out, PL_SECTION_ROWS);
    unsigned k = choose_scale(v, n);
    pl_buf_varint(out, n);
    pl_buf_u8(out, (uint8_t)k);
    size_t lengths = out->n;
    pl_buf_u32(out, 0);
    pl_buf_u32(out, 0);
    size_t ids = out->n;
    put_ids(out, id, n);
    size_t times = out->n;
    put_times(out, t, n);
    size_t values = out->n;
    add_values(out, v, n, k);
    if (!out->failed) {
        pl_wr32(out->p + lengths, (uint32_t)(times - ids));
        pl_wr32(out->p + lengths + 4, (uint32_t)(values - times));
    }
    return section_end(out, at);
}

void pl_rows_fini(struct pl_rows *r)
{
    free(r->id);
    free(r->t);
    free(r->v);
    pl_buf_fini(&r->h);
    *r = (struct pl_rows){0};
}

static int rows_reserve(struct pl_rows *r, size_t more)
{
    if (r->cap && r->cap - r->n >= more) {
        return 0;
    }
    size_t cap = r->cap * 2 < r->n + more ? r->n + more : r->cap * 2;
    cap = cap < 64 ? 64 : cap;
    uint32_t *id = realloc(r->id, cap * sizeof *id);
    r->id = id ? id : r->id;
    int64_t *t = realloc(r->t, cap * sizeof *t);
    r->t = t ? t : r->t;
    double *v = realloc(r->v, cap * sizeof *v);
    r->v = v ? v : r->v;
    if (!id || !t || !v) {
        return PL_ENOMEM;
    }
    r->cap = cap;
    return 0;
}

int pl_frame_rows(pl_str section, struct pl_rows *r)
{
    const uint8_t *p = (const uint8_t *)section.p, *end = p + section.n;
    uint64_t n;
    p = section.n ? pl_varint_get(p, end, &n) : NULL;
    if (!p || end - p < 9 || p[0] > 7) {
        return PL_ECORRUPT;
    }
    unsigned k = p[0];
    size_t n_ids = pl_rd32(p + 1), n_times = pl_rd32(p + 5);
    p += 9;
    size_t left = (size_t)(end - p);
    /* A row has four bits of tag at least, so a lie about n costs no more than 40 times its bytes.
     */
    if (n_ids > left || n_times > left - n_ids || n > 2 * (uint64_t)left) {
        return PL_ECORRUPT;
    }
    int rc = rows_reserve(r, n);
    if (rc < 0) {
        return rc;
    }
    if (get_ids(p, p + n_ids, r->id + r->n, n) < 0 ||
        get_times(p + n_ids, p + n_ids + n_times, r->t + r->n, n) < 0 ||
        get_values(p + n_ids + n_times, end, r->v + r->n, n, k) < 0) {
        return PL_ECORRUPT;
    }
    r->n += n;
    return 0;
}

/* -------------------------------------------------------------------- metadata and idempotency */

static void put_str(struct pl_buf *out, pl_str s)
{
    pl_buf_varint(out, s.n);
    pl_buf_str(out, s);
}

/** A string with its length in front, cut from *it. */
static bool get_str(pl_str *it, pl_str *out)
{
    const uint8_t *p = (const uint8_t *)it->p, *end = p + it->n;
    uint64_t n;
    p = it->n ? pl_varint_get(p, end, &n) : NULL;
    if (!p || n > (uint64_t)(end - p)) {
        return false;
    }
    *out = pl_str_mem(p, n);
    *it = pl_str_mem(p + n, (size_t)(end - p) - n);
    return true;
}

int pl_frame_add_metadata(struct pl_buf *out, const struct pl_metadata *m)
{
    size_t at = section_begin(out, PL_SECTION_METADATA);
    pl_buf_u8(out, (uint8_t)m->type);
    put_str(out, m->metric);
    put_str(out, m->unit);
    put_str(out, m->help);
    return section_end(out, at);
}

int pl_frame_metadata(pl_str section, struct pl_metadata *out)
{
    struct pl_metadata m = {0};
    if (section.n < 1) {
        return PL_ECORRUPT;
    }
    uint8_t type = (uint8_t)section.p[0];
    m.type = type <= PL_TYPE_STATESET ? (enum pl_metric_type)type : PL_TYPE_UNKNOWN;
    pl_str it = {section.p + 1, section.n - 1};
    if (!get_str(&it, &m.metric) || !get_str(&it, &m.unit) || !get_str(&it, &m.help) || it.n) {
        return PL_ECORRUPT;
    }
    *out = m;
    return 0;
}

int pl_frame_add_idem(struct pl_buf *out, const struct pl_frame_idem *r)
{
    size_t at = section_begin(out, PL_SECTION_IDEM);
    pl_buf_u64(out, (uint64_t)r->t_ms);
    pl_buf_varint(out, r->stream_seq);
    put_str(out, r->producer);
    put_str(out, r->key);
    put_str(out, r->reply);
    return section_end(out, at);
}

int pl_frame_idem(pl_str section, struct pl_frame_idem *out)
{
    struct pl_frame_idem r;
    if (section.n < 9) {
        return PL_ECORRUPT;
    }
    r.t_ms = (int64_t)pl_rd64(section.p);
    const uint8_t *p = (const uint8_t *)section.p, *end = p + section.n;
    p = pl_varint_get(p + 8, end, &r.stream_seq);
    if (!p) {
        return PL_ECORRUPT;
    }
    pl_str it = pl_str_mem(p, (size_t)(end - p));
    if (!get_str(&it, &r.producer) || !get_str(&it, &r.key) || !get_str(&it, &r.reply) || it.n) {
        return PL_ECORRUPT;
    }
    *out = r;
    return 0;
}
