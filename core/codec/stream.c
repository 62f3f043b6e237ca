/* A run of int64 as bytes, written by the smallest of a few plans.
 *
 *     stream  = u8 head | body       head = kind << 6 | w
 *       0 PACK    zigzag base | n values of w bits (bitpack.h)        value = base + u
 *       1 RICE    zigzag base | Rice(k = w) (stream.h)                value = base + u
 *       2 RICEZ   zigzag base | Rice(k = w)                           value = base + unzigzag(u)
 *       3 special, by w:
 *         0 CONST   zigzag base                                       value = base
 *         1 PACK64  n values of 64 bits
 *         2 PATCHED varint count | count x varint gap | count x zigzag value | stream
 *                   the inner stream (not PATCHED or SPARSE) holds all n, its base in places to be
 *                   patched; then value is added, `gap` places behind the last patch
 *         3 SPARSE  zigzag base | varint count | stream of gaps | stream of values - base
 *                   value = base but at count places; gap = how many bases come before (inner
 *                   streams are not SPARSE)
 *     w <= 63 for PACK, <= 56 for RICE. zigzag and varint as in base/bits.h; arithmetic wraps.
 *
 * A plan is found in a few passes, without sorting: the middle of a small sample stands for the
 * median; a histogram of bit widths around it tells which values are cheaper patched; the rest
 * gives width and k. Bit packing decodes fastest, so Rice has to save 4 % to be taken. */
#include "core/codec/stream.h"

enum { SPECIAL = 3, SP_CONST = 0, SP_PACK64 = 1, SP_PATCHED = 2, SP_SPARSE = 3 };
enum { SAMPLE = 15, SAMPLE_SHORT = 7, RICE_K_MAX = 56, RICE_Q_MAX = 40 };
enum { RUN_SMALL = 16, RUN_FAST = 24 }; /* shorter runs are not worth more than bit packing */

static unsigned zigzag_bytes(int64_t x) { return pl__varint_bytes(pl_zigzag(x)); }

static int64_t sample_median(const int64_t *r, size_t n)
{
    int64_t s[SAMPLE];
    size_t m = n >= 64 ? SAMPLE : n < SAMPLE_SHORT ? n : SAMPLE_SHORT;
    for (size_t i = 0; i < m; i++) {
        int64_t x = r[(2 * i + 1) * n / (2 * m)];
        size_t j = i;
        for (; j > 0 && s[j - 1] > x; j--) {
            s[j] = s[j - 1];
        }
        s[j] = x;
    }
    return s[m / 2];
}

/* What plans look at: distances from the middle and the histogram of their widths. */
struct view {
    const int64_t *r;
    size_t n;
    int64_t mid;
    uint64_t u[PL_CHUNK_MAX]; /* zigzag(r - mid) */
    uint16_t hist[65];
    unsigned top; /* widest class */
};

static void look(struct view *v, const int64_t *r, size_t n)
{
    v->r = r;
    v->n = n;
    v->mid = sample_median(r, n);
    memset(v->hist, 0, sizeof v->hist);
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t u = pl_zigzag(pl__wsub(r[i], v->mid));
        v->u[i] = u;
        any |= u;
        v->hist[pl__bits(u)]++;
    }
    v->top = pl__bits(any);
}

static uint32_t patch_bytes(unsigned class) { return 2 + class / 7; }

/* The class above which patching is cheaper than widening everything. */
static unsigned cut_class(const struct view *v)
{
    unsigned best = v->top;
    size_t best_cost = v->n * v->top / 8, patched = 0, bytes = 2;
    for (unsigned c = v->top; c > 0; c--) {
        patched += v->hist[c];
        bytes += (size_t)v->hist[c] * patch_bytes(c + 1);
        if (patched > v->n / 4) {
            break;
        }
        size_t cost = v->n * (c - 1) / 8 + bytes;
        if (cost < best_cost) {
            best_cost = cost;
            best = c - 1;
        }
    }
    return best;
}

static void plan_pack(const struct view *v, unsigned cut, struct pl__stream_plan *out)
{
    struct pl__stream_plan p = {.kind = PL__STREAM_PACK, .lo = INT64_MAX, .hi = INT64_MIN};
    uint64_t limit = pl__mask(cut);
    uint32_t patches = 0;
    for (size_t i = 0; i < v->n; i++) {
        int64_t x = v->r[i];
        if (v->u[i] <= limit) {
            p.lo = x < p.lo ? x : p.lo;
            p.hi = x > p.hi ? x : p.hi;
        } else {
            p.n_patches++;
            patches += patch_bytes(pl__bits(v->u[i]) + 1);
        }
    }
    p.base = p.lo;
    p.w = pl__bits((uint64_t)p.hi - (uint64_t)p.lo);
    if (p.w == 64) {
        p.base = 0;
    }
    p.bytes = 1 + zigzag_bytes(p.base) + (uint32_t)pl__packed_bytes(v->n, p.w);
    if (p.n_patches) {
        p.bytes += 2 + patches;
    }
    if (p.bytes < out->bytes) {
        *out = p;
    }
}

/* Rice: which k, for distances u of which those over a limit are patched. */
static void plan_rice(const struct view *v, const uint64_t *u, enum pl__stream_kind kind,
                      int64_t base, unsigned cut, struct pl__stream_plan *out)
{
    uint64_t limit = pl__mask(cut + 3 < 63 ? cut + 3 : 63), sum = 0;
    size_t in = 0;
    for (size_t i = 0; i < v->n; i++) {
        bool inside = u[i] <= limit;
        in += inside;
        sum += inside ? u[i] : 0;
    }
    if (in == 0 || sum > UINT64_MAX / 2) {
        return;
    }
    /* the best k of a geometric distribution is near log2(mean * ln 2) */
    unsigned k = pl__bits(sum * 7 / 10 / in);
    k = k > 0 ? k - 1 : 0;
    struct pl__stream_plan best = {.bytes = UINT32_MAX};
    for (unsigned tries = 0; tries < 2 && k <= RICE_K_MAX; tries++, k++) {
        uint64_t most = k + 6 < 63 ? ((uint64_t)RICE_Q_MAX << k) - 1 : (uint64_t)INT64_MAX;
        uint64_t bits = 0;
        most = most > limit ? limit : most;
        uint32_t patches = 0, n_patches = 0;
        for (size_t i = 0; i < v->n; i++) {
            if (u[i] <= most) {
                bits += u[i] >> k;
            } else {
                n_patches++;
                patches += patch_bytes(pl__bits(u[i]) + 1);
            }
        }
        uint32_t bytes = 1 + zigzag_bytes(base) + (uint32_t)pl__packed_bytes(v->n, k) +
                         (uint32_t)((bits + v->n + 7) / 8) + (n_patches ? 2 + patches : 0);
        if (bytes >= best.bytes) {
            continue;
        }
        best = (struct pl__stream_plan){
            .kind = kind, .w = k, .base = base, .bytes = bytes, .n_patches = n_patches};
        if (kind == PL__STREAM_RICE) {
            best.lo = base;
            best.hi = pl__wadd(base, (int64_t)most);
            best.hi = best.hi < base ? INT64_MAX : best.hi;
        } else {
            best.lo = pl__wsub(base, (int64_t)(most / 2) + (int64_t)(most & 1));
            best.hi = pl__wadd(base, (int64_t)(most / 2));
            best.lo = best.lo > base ? INT64_MIN : best.lo;
            best.hi = best.hi < base ? INT64_MAX : best.hi;
        }
    }
    if (best.bytes < out->bytes - out->bytes / 25) {
        *out = best;
    }
}

static void plan_rices(const struct view *v, unsigned cut, struct pl__stream_plan *out)
{
    uint64_t limit = pl__mask(cut + 2 < 63 ? cut + 2 : 63), d[PL_CHUNK_MAX];
    uint64_t by_mid = 0, by_mean = 0;
    int64_t lo = INT64_MAX, drift = 0, in = 0;
    for (size_t i = 0; i < v->n; i++) {
        bool inside = v->u[i] <= limit;
        lo = inside && v->r[i] < lo ? v->r[i] : lo;
        drift = pl__wadd(drift, inside ? pl_unzigzag(v->u[i]) : 0); /* wraps only where unused */
        by_mid += inside ? v->u[i] : 0;
        in += inside;
    }
    /* two-sided: around the middle, or the mean, which knows more than a small sample */
    int64_t mean = in && cut < 50 ? drift / in : 0;
    if (mean) {
        for (size_t i = 0; i < v->n; i++) {
            d[i] = pl_zigzag(pl__wsub(v->r[i], v->mid + mean));
            by_mean += v->u[i] <= limit ? d[i] : 0;
        }
    }
    bool use_mean = mean && by_mean < by_mid;
    int64_t base = use_mean ? v->mid + mean : v->mid;
    plan_rice(v, use_mean ? d : v->u, PL__STREAM_RICEZ, base, cut, out);
    /* one-sided: from the smallest value that is no outlier */
    for (size_t i = 0; i < v->n; i++) {
        d[i] = v->r[i] < lo ? UINT64_MAX : (uint64_t)v->r[i] - (uint64_t)lo;
    }
    plan_rice(v, d, PL__STREAM_RICE, lo, cut, out);
}

/* Split into gaps and odd values; returns their count. */
static size_t split(const int64_t *r, size_t n, int64_t base, int64_t *gap, int64_t *odd)
{
    size_t m = 0;
    int64_t run = 0;
    for (size_t i = 0; i < n; i++) {
        if (r[i] == base) {
            run++;
        } else {
            gap[m] = run;
            odd[m++] = pl__wsub(r[i], base);
            run = 0;
        }
    }
    return m;
}

static void plan(const int64_t *r, size_t n, enum pl_effort effort, bool inner,
                 struct pl__stream_plan *out);

static void plan_sparse(const struct view *v, struct pl__stream_plan *out)
{
    int64_t gap[PL_CHUNK_MAX], odd[PL_CHUNK_MAX];
    struct pl__stream_plan gaps, odds;
    size_t m = split(v->r, v->n, v->mid, gap, odd);
    plan(gap, m, PL_EFFORT_SMALL, true, &gaps);
    plan(odd, m, PL_EFFORT_SMALL, true, &odds);
    uint32_t bytes = 2 + zigzag_bytes(v->mid) + (m > 127) + gaps.bytes + odds.bytes;
    if (bytes < out->bytes) {
        *out = (struct pl__stream_plan){.kind = PL__STREAM_SPARSE, .base = v->mid, .bytes = bytes};
    }
}

static void plan(const int64_t *r, size_t n, enum pl_effort effort, bool inner,
                 struct pl__stream_plan *out)
{
    int64_t lo = n ? r[0] : 0, hi = lo;
    for (size_t i = 1; i < n; i++) {
        lo = r[i] < lo ? r[i] : lo;
        hi = r[i] > hi ? r[i] : hi;
    }
    *out = (struct pl__stream_plan){
        .kind = PL__STREAM_CONST, .base = lo, .lo = lo, .hi = hi, .bytes = 1 + zigzag_bytes(lo)};
    if (lo == hi) {
        return;
    }
    unsigned w = pl__bits((uint64_t)hi - (uint64_t)lo);
    out->kind = PL__STREAM_PACK;
    out->w = w;
    out->base = w == 64 ? 0 : lo;
    out->bytes = 1 + (w == 64 ? 0 : zigzag_bytes(lo)) + (uint32_t)pl__packed_bytes(n, w);
    if (w == 64 || n < (effort == PL_EFFORT_SMALL ? RUN_SMALL : RUN_FAST)) {
        return;
    }
    struct view v;
    look(&v, r, n);
    unsigned cut = cut_class(&v);
    if (cut < v.top) {
        plan_pack(&v, cut, out);
    }
    if (effort == PL_EFFORT_SMALL) {
        plan_rices(&v, cut, out);
    }
    if (!inner && v.hist[0] > n / 2) {
        plan_sparse(&v, out);
    }
}

void pl__stream_plan(const int64_t *r, size_t n, enum pl_effort effort, struct pl__stream_plan *out)
{
    plan(r, n, effort, false, out);
}

static void put_patches(const int64_t *r, size_t n, const struct pl__stream_plan *plan,
                        struct pl_buf *out)
{
    pl_buf_u8(out, SPECIAL << 6 | SP_PATCHED);
    pl_buf_varint(out, plan->n_patches);
    for (size_t i = 0, next = 0; i < n; i++) {
        if (r[i] < plan->lo || r[i] > plan->hi) {
            pl_buf_varint(out, i - next);
            next = i + 1;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (r[i] < plan->lo || r[i] > plan->hi) {
            pl__put_zigzag(out, pl__wsub(r[i], plan->base));
        }
    }
}

static void put_sparse(const int64_t *r, size_t n, int64_t base, struct pl_buf *out)
{
    int64_t gap[PL_CHUNK_MAX], odd[PL_CHUNK_MAX];
    struct pl__stream_plan p;
    size_t m = split(r, n, base, gap, odd);
    pl_buf_u8(out, SPECIAL << 6 | SP_SPARSE);
    pl__put_zigzag(out, base);
    pl_buf_varint(out, m);
    plan(gap, m, PL_EFFORT_SMALL, true, &p);
    pl__stream_put(gap, m, &p, out);
    plan(odd, m, PL_EFFORT_SMALL, true, &p);
    pl__stream_put(odd, m, &p, out);
}

void pl__stream_put(const int64_t *r, size_t n, const struct pl__stream_plan *plan,
                    struct pl_buf *out)
{
    uint64_t u[PL_CHUNK_MAX];
    if (plan->kind == PL__STREAM_SPARSE) {
        put_sparse(r, n, plan->base, out);
        return;
    }
    if (plan->n_patches) {
        put_patches(r, n, plan, out);
    }
    if (plan->kind == PL__STREAM_CONST) {
        pl_buf_u8(out, SPECIAL << 6 | SP_CONST);
        pl__put_zigzag(out, plan->base);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t x = r[i], d = pl__wsub(x, plan->base);
        bool patched = plan->n_patches && (x < plan->lo || x > plan->hi);
        u[i] = patched ? 0 : plan->kind == PL__STREAM_RICEZ ? pl_zigzag(d) : (uint64_t)d;
    }
    if (plan->w == 64) {
        pl_buf_u8(out, SPECIAL << 6 | SP_PACK64);
    } else {
        pl_buf_u8(out, (uint8_t)((unsigned)plan->kind << 6 | plan->w));
        pl__put_zigzag(out, plan->base);
    }
    if (plan->kind == PL__STREAM_PACK) {
        size_t bytes = pl__packed_bytes(n, plan->w);
        uint8_t *p = pl_buf_reserve(out, bytes);
        if (p) {
            pl__pack_bits(u, n, plan->w, p);
            out->n += bytes;
        }
    } else {
        pl__rice_put(u, n, plan->w, out);
    }
}

enum { OUTER, IN_SPARSE, IN_PATCHED };

static const uint8_t *get(const uint8_t *p, const uint8_t *end, size_t n, int depth, int64_t *r);

static const uint8_t *get_patched(const uint8_t *p, const uint8_t *end, size_t n, int64_t *r)
{
    uint64_t count, gap;
    uint16_t at[PL_CHUNK_MAX];
    int64_t value[PL_CHUNK_MAX];
    p = pl_varint_get(p, end, &count);
    if (!p || count > n) {
        return NULL;
    }
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        p = pl_varint_get(p, end, &gap);
        if (!p || gap >= n - next) {
            return NULL;
        }
        at[i] = (uint16_t)(next + gap);
        next = at[i] + 1u;
        if (next == n && i + 1 < count) {
            return NULL;
        }
    }
    for (size_t i = 0; i < count; i++) {
        p = pl__get_zigzag(p, end, &value[i]);
        if (!p) {
            return NULL;
        }
    }
    p = get(p, end, n, IN_PATCHED, r);
    for (size_t i = 0; p && i < count; i++) {
        r[at[i]] = pl__wadd(r[at[i]], value[i]);
    }
    return p;
}

static const uint8_t *get_sparse(const uint8_t *p, const uint8_t *end, size_t n, int64_t *r)
{
    int64_t base, gap[PL_CHUNK_MAX], odd[PL_CHUNK_MAX];
    uint64_t count;
    p = pl__get_zigzag(p, end, &base);
    p = p ? pl_varint_get(p, end, &count) : NULL;
    if (!p || count > n) {
        return NULL;
    }
    p = get(p, end, (size_t)count, IN_SPARSE, gap);
    p = p ? get(p, end, (size_t)count, IN_SPARSE, odd) : NULL;
    if (!p) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        r[i] = base;
    }
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        if (next >= n || (uint64_t)gap[i] >= n - next) {
            return NULL;
        }
        next += (size_t)gap[i];
        r[next++] = pl__wadd(base, odd[i]);
    }
    return p;
}

static const uint8_t *get_special(const uint8_t *p, const uint8_t *end, size_t n, unsigned w,
                                  int depth, int64_t *r)
{
    int64_t base;
    if (w == SP_CONST) {
        p = pl__get_zigzag(p, end, &base);
        for (size_t i = 0; p && i < n; i++) {
            r[i] = base;
        }
        return p;
    }
    if (w == SP_PACK64) {
        int used = pl__unpack_bits(p, (size_t)(end - p), n, 64, 0, r);
        return used < 0 ? NULL : p + used;
    }
    if (w == SP_PATCHED && depth < IN_PATCHED) {
        return get_patched(p, end, n, r);
    }
    if (w == SP_SPARSE && depth < IN_SPARSE) {
        return get_sparse(p, end, n, r);
    }
    return NULL;
}

static const uint8_t *get(const uint8_t *p, const uint8_t *end, size_t n, int depth, int64_t *r)
{
    if (p >= end) {
        return NULL;
    }
    unsigned head = *p++, kind = head >> 6, w = head & 63;
    if (kind == SPECIAL) {
        return get_special(p, end, n, w, depth, r);
    }
    int64_t base;
    p = pl__get_zigzag(p, end, &base);
    if (!p) {
        return NULL;
    }
    if (kind == PL__STREAM_PACK) {
        int used = pl__unpack_bits(p, (size_t)(end - p), n, w, base, r);
        return used < 0 ? NULL : p + used;
    }
    p = w <= RICE_K_MAX ? pl__rice_get(p, end, n, w, r) : NULL;
    if (!p) {
        return NULL;
    }
    if (kind == PL__STREAM_RICE) {
        for (size_t i = 0; i < n; i++) {
            r[i] = pl__wadd(base, r[i]);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            r[i] = pl__wadd(base, pl_unzigzag((uint64_t)r[i]));
        }
    }
    return p;
}

const uint8_t *pl__stream_get(const uint8_t *p, const uint8_t *end, size_t n, int64_t *r)
{
    return get(p, end, n, OUTER, r);
}

bool pl__stream_is_const(const uint8_t *p, const uint8_t *end, int64_t *base)
{
    return p < end && *p == (SPECIAL << 6 | SP_CONST) && pl__get_zigzag(p + 1, end, base);
}
