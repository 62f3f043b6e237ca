/* Sums of histograms. A sum holds its buckets as (index, value, compensation), ascending; adding a
 * histogram whose buckets are all there touches nothing else, which is what happens nearly always
 * when series of one metric are added up. Where buckets are missing, the cells are moved to the end
 * of their room and both are merged towards the front.
 *
 * Before two exponential histograms are added, the zero buckets are made equally wide: the narrower
 * one takes in the buckets it grows over, up to the end of a populated bucket, which may in turn
 * widen the other. Then the finer resolution is reduced to the coarser. Custom bounds that differ
 * are reduced to those in common. All as Prometheus (model/histogram/float_histogram.go). */
#include "core/model/histogram_cursor.h"

/* ------------------------------------------------------------------ the zero bucket */

/** Add to z the buckets of a side that begin within its threshold; one that is populated and ends
 *  outside moves the threshold. @return true where it did */
static bool zero_side(struct pl__hzero *z, const struct pl_histogram *of, struct pl__hcursor c)
{
    while (pl__hcursor_next(&c) && pl_histogram_bound(of, c.index - 1) < z->threshold) {
        double upper = pl_histogram_bound(of, c.index);
        pl__hval_add(&z->count, c.x.v);
        z->count.c += c.x.c;
        if (upper > z->threshold) {
            if (c.x.v != 0) {
                z->threshold = upper;
                return true;
            }
            break;
        }
    }
    return false;
}

struct pl__hzero pl__hzero_widened(struct pl_hval count, double now, double threshold, int schema,
                                   struct pl__hcursor pos, struct pl__hcursor neg)
{
    struct pl_histogram of = pl__hschema(schema);
    struct pl__hzero z = {count, threshold};
    if (threshold == now) {
        return z;
    }
    do { /* again when the negative side moved it: the positive side was looked at with less */
        z.count = count;
        zero_side(&z, &of, pos);
    } while (zero_side(&z, &of, neg));
    return z;
}

static void cells_from(struct pl_hcells *c, const struct pl_histogram *of, double threshold)
{
    uint32_t n = 0;
    bool within = true;
    for (uint32_t i = 0; i < c->n; i++) {
        within = within && pl_histogram_bound(of, (int64_t)c->cell[i].index - 1) < threshold;
        if (!within && c->cell[i].x.v != 0) { /* empty ones go, too, as in Prometheus */
            c->cell[n++] = c->cell[i];
        }
    }
    c->n = n;
}

/** Make the zero buckets of s and h one; the count that h has then. */
static double zero_reconcile(struct pl_hsum *s, const struct pl_histogram *h)
{
    struct pl__hzero other = {{h->zero_count, 0}, h->zero_threshold};
    struct pl_histogram mine = pl__hschema(s->schema);
    while (other.threshold != s->zero_threshold) {
        if (isnan(other.threshold) || isnan(s->zero_threshold)) {
            break; /* never in a checked histogram */
        }
        if (s->zero_threshold > other.threshold) {
            other = pl__hzero_widened((struct pl_hval){h->zero_count, 0}, h->zero_threshold,
                                      s->zero_threshold, h->schema, pl__hcursor(&h->pos, 0),
                                      pl__hcursor(&h->neg, 0));
        }
        if (other.threshold > s->zero_threshold) {
            struct pl__hzero z =
                pl__hzero_widened(s->zero, s->zero_threshold, other.threshold, s->schema,
                                  pl__hcursor_cells(&s->pos), pl__hcursor_cells(&s->neg));
            s->zero = z.count;
            s->zero_threshold = z.threshold;
            cells_from(&s->pos, &mine, z.threshold);
            cells_from(&s->neg, &mine, z.threshold);
        }
    }
    return other.count.v;
}

/* ------------------------------------------------------------------ cells */

static void cells_reduce(struct pl_hcells *c, int shift)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        int32_t index = (int32_t)((((int64_t)c->cell[i].index - 1) >> shift) + 1);
        if (n > 0 && c->cell[n - 1].index == index) {
            struct pl_hcell *to = &c->cell[n - 1];
            pl__hval_add(&to->x, c->cell[i].x.v);
            to->x.c += c->cell[i].x.c;
        } else {
            c->cell[n] = c->cell[i];
            c->cell[n++].index = index;
        }
    }
    c->n = n;
}

/** How many buckets of c are not among the cells. */
static uint32_t count_new(const struct pl_hcells *cells, struct pl__hcursor c)
{
    uint32_t n = 0, i = 0;
    int64_t last = INT64_MIN;
    bool more = true;
    for (; more; more = pl__hcursor_next(&c)) {
        while (i < cells->n && cells->cell[i].index < c.index) {
            i++;
        }
        n += !(i < cells->n && cells->cell[i].index == c.index) && c.index != last;
        last = c.index;
    }
    return n;
}

static int cells_add(struct pl_hsum *s, struct pl_hcells *to, const struct pl_hbuckets *b,
                     int shift, const struct pl_histogram *of, double threshold, double factor)
{
    struct pl__hcursor c = pl__hcursor(b, shift);
    if (!pl__hcursor_begin(&c, of, threshold)) {
        return 0;
    }
    uint32_t fresh = count_new(to, c), i = 0, n = 0, end = to->n;
    if (fresh > 0) {
        if (to->n + fresh > to->cap) {
            uint32_t cap = to->n + fresh + (to->n ? (to->n + fresh) / 2 : 0);
            struct pl_hcell *more = pl_arena_alloc(s->arena, cap * sizeof *more);
            if (!more) {
                return PL_ENOMEM;
            }
            memcpy(more + cap - to->n, to->cell ? to->cell : more, to->n * sizeof *more);
            to->cell = more;
            to->cap = cap;
        } else {
            memmove(to->cell + to->cap - to->n, to->cell, to->n * sizeof *to->cell);
        }
        i = to->cap - to->n;
        end = to->cap;
    }
    bool more = true;
    while (more) {
        int64_t index = c.index;
        while (i < end && to->cell[i].index < index) {
            to->cell[n++] = to->cell[i++];
        }
        struct pl_hcell x = {{-0.0, 0}, (int32_t)index};
        bool there = i < end && to->cell[i].index == index;
        if (there) {
            x = to->cell[i++];
        }
        bool first = !there;
        for (; more && c.index == index; more = pl__hcursor_next(&c)) {
            if (first) {
                x.x = (struct pl_hval){factor * c.x.v, 0};
                first = false;
            } else {
                pl__hval_add(&x.x, factor * c.x.v);
            }
        }
        to->cell[n++] = x;
    }
    while (i < end) {
        to->cell[n++] = to->cell[i++];
    }
    to->n = n;
    return 0;
}

/* ------------------------------------------------------------------ custom bounds */

bool pl__hbounds_same(const double *a, uint32_t n_a, const double *b, uint32_t n_b)
{
    bool same = n_a == n_b;
    for (uint32_t i = 0; same && i < n_a; i++) {
        same = a[i] == b[i];
    }
    return same;
}

/** Add the buckets of c, which has these bounds, to the buckets of the common bounds. */
static void map_custom(struct pl__hcursor c, const double *bounds, uint32_t n_bounds,
                       const double *common, uint32_t n_common, struct pl_hcell *to, double factor)
{
    uint32_t k = 0;
    while (pl__hcursor_next(&c)) {
        uint32_t at = n_common;
        if (c.index >= 0 && c.index < (int64_t)n_bounds) {
            while (k < n_common && common[k] < bounds[c.index]) {
                k++;
            }
            at = k;
        }
        pl__hval_add(&to[at].x, factor * c.x.v);
        to[at].x.c += factor * c.x.c;
    }
}

static int custom_reconcile(struct pl_hsum *s, const struct pl_histogram *h, double factor)
{
    uint32_t most = s->n_bounds < h->n_bounds ? s->n_bounds : h->n_bounds, n = 0, kept = 0;
    double *common = pl_arena_alloc(s->arena, (most + 1) * sizeof *common);
    struct pl_hcell *cell = pl_arena_zalloc(s->arena, (most + 1) * sizeof *cell);
    if (!common || !cell) {
        return PL_ENOMEM;
    }
    for (uint32_t i = 0, k = 0; i < s->n_bounds && k < h->n_bounds;) {
        if (s->bounds[i] == h->bounds[k]) {
            common[n++] = s->bounds[i];
            i++, k++;
        } else if (s->bounds[i] < h->bounds[k]) {
            i++;
        } else {
            k++;
        }
    }
    map_custom(pl__hcursor_cells(&s->pos), s->bounds, s->n_bounds, common, n, cell, 1);
    map_custom(pl__hcursor(&h->pos, 0), h->bounds, h->n_bounds, common, n, cell, factor);
    for (uint32_t i = 0; i <= n; i++) {
        if (cell[i].x.v != 0) {
            cell[kept] = cell[i];
            cell[kept++].index = (int32_t)i;
        }
    }
    s->pos = (struct pl_hcells){cell, kept, most + 1};
    s->bounds = common;
    s->n_bounds = n;
    s->own_bounds = true;
    return PL_HSUM_RECONCILED;
}

/* ------------------------------------------------------------------ the sum */

void pl_hsum_zero(struct pl_hsum *s, struct pl_arena *a, const struct pl_histogram *h)
{
    *s = (struct pl_hsum){
        .schema = h->schema, .bounds = h->bounds, .n_bounds = h->n_bounds, .arena = a};
}

int pl_hsum_init(struct pl_hsum *s, struct pl_arena *a, const struct pl_histogram *h)
{
    pl_hsum_zero(s, a, h);
    s->reset = h->reset;
    s->zero_threshold = h->zero_threshold;
    s->zero.v = h->zero_count;
    s->count.v = h->count;
    s->sum.v = h->sum;
    int err = cells_add(s, &s->pos, &h->pos, 0, h, 0, 1);
    return err < 0 ? err : cells_add(s, &s->neg, &h->neg, 0, h, 0, 1);
}

/** The hint of a sum; true where the two contradict each other. */
static bool merge_reset(struct pl_hsum *s, uint8_t other)
{
    if (other == s->reset || s->reset == PL_RESET_GAUGE) {
        return false;
    }
    if (other == PL_RESET_GAUGE) {
        s->reset = PL_RESET_GAUGE;
        return false;
    }
    bool collision = s->reset != PL_RESET_UNKNOWN && other != PL_RESET_UNKNOWN;
    s->reset = PL_RESET_UNKNOWN;
    return collision;
}

int pl_hsum_add(struct pl_hsum *s, const struct pl_histogram *h, double factor)
{
    bool custom = s->schema == PL_HISTOGRAM_CUSTOM;
    if (custom != pl_histogram_custom(h)) {
        return PL_EINVAL;
    }
    int bits = merge_reset(s, h->reset) ? PL_HSUM_COLLISION : 0, err;
    if (!custom) {
        pl__hval_add(&s->zero, factor * zero_reconcile(s, h));
    }
    pl__hval_add(&s->count, factor * h->count);
    pl__hval_add(&s->sum, factor * h->sum);
    if (custom && !pl__hbounds_same(s->bounds, s->n_bounds, h->bounds, h->n_bounds)) {
        err = custom_reconcile(s, h, factor);
        return err < 0 ? err : bits | err;
    }
    pl_hsum_reduce(s, h->schema);
    struct pl_histogram of = pl__hschema(s->schema);
    double threshold = custom ? 0 : s->zero_threshold;
    int shift = h->schema - s->schema;
    err = cells_add(s, &s->pos, &h->pos, shift, &of, threshold, factor);
    err = err < 0 ? err : cells_add(s, &s->neg, &h->neg, shift, &of, threshold, factor);
    return err < 0 ? err : bits;
}

void pl_hsum_reduce(struct pl_hsum *s, int schema)
{
    if (schema < s->schema && schema != PL_HISTOGRAM_CUSTOM) {
        cells_reduce(&s->pos, s->schema - schema);
        cells_reduce(&s->neg, s->schema - schema);
        s->schema = (int8_t)schema;
    }
}

static void scale_val(struct pl_hval *a, double x, bool divide)
{
    a->v = divide ? a->v / x : a->v * x;
    a->c = divide ? a->c / x : a->c * x;
}

static void scale(struct pl_hsum *s, double x, bool divide)
{
    scale_val(&s->zero, x, divide);
    scale_val(&s->count, x, divide);
    scale_val(&s->sum, x, divide);
    for (uint32_t i = 0; i < s->pos.n; i++) {
        scale_val(&s->pos.cell[i].x, x, divide);
    }
    for (uint32_t i = 0; i < s->neg.n; i++) {
        scale_val(&s->neg.cell[i].x, x, divide);
    }
    s->reset = x < 0 ? PL_RESET_GAUGE : s->reset;
}

void pl_hsum_mul(struct pl_hsum *s, double x) { scale(s, x, false); }

void pl_hsum_div(struct pl_hsum *s, double x)
{
    if (x == 0) {
        s->pos.n = s->neg.n = 0;
    }
    scale(s, x, true);
}

bool pl_hsum_overflow(const struct pl_hsum *s)
{
    bool any = isinf(s->zero.v) || isinf(s->count.v) || isinf(s->sum.v);
    for (uint32_t i = 0; i < s->pos.n; i++) {
        any |= isinf(s->pos.cell[i].x.v) != 0;
    }
    for (uint32_t i = 0; i < s->neg.n; i++) {
        any |= isinf(s->neg.cell[i].x.v) != 0;
    }
    return any;
}

static double value(struct pl_hval x, bool compensated)
{
    return compensated && x.c != 0 ? x.v + x.c : x.v;
}

static bool side_finish(const struct pl_hcells *c, struct pl_arena *a, bool compact,
                        bool compensated, struct pl_hbuckets *out)
{
    uint32_t n = 0, spans = 0;
    int64_t next = INT64_MIN;
    *out = (struct pl_hbuckets){0};
    for (uint32_t i = 0; i < c->n; i++) {
        if (!compact || value(c->cell[i].x, compensated) != 0) {
            n++;
            spans += c->cell[i].index != next;
            next = (int64_t)c->cell[i].index + 1;
        }
    }
    if (n == 0) {
        return true;
    }
    double *count = pl_arena_alloc(a, n * sizeof *count);
    struct pl_hspan *span = pl_arena_alloc(a, spans * sizeof *span);
    if (!count || !span) {
        return false;
    }
    *out = (struct pl_hbuckets){span, count, spans, n};
    n = 0, spans = 0, next = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        double x = value(c->cell[i].x, compensated);
        int64_t index = c->cell[i].index;
        if (compact && x == 0) {
            continue;
        }
        if (n == 0 || index != next) {
            span[spans++] = (struct pl_hspan){(int32_t)(index - next), 0};
        }
        span[spans - 1].length++;
        count[n++] = x;
        next = index + 1;
    }
    return true;
}

struct pl_histogram *pl_hsum_finish(const struct pl_hsum *s, struct pl_arena *a, bool compact,
                                    bool compensated)
{
    struct pl_histogram *h = pl_arena_alloc(a, sizeof *h);
    if (!h) {
        return NULL;
    }
    *h = (struct pl_histogram){
        .schema = s->schema,
        .reset = s->reset,
        .floats = true,
        .zero_threshold = s->zero_threshold,
        .zero_count = value(s->zero, compensated),
        .count = value(s->count, compensated),
        .sum = value(s->sum, compensated),
        .bounds = s->bounds,
        .n_bounds = s->n_bounds,
    };
    if (s->own_bounds && s->arena != a) {
        double *bounds = pl_arena_alloc(a, (s->n_bounds + 1) * sizeof *bounds);
        if (!bounds) {
            return NULL;
        }
        memcpy(bounds, s->bounds, s->n_bounds * sizeof *bounds);
        h->bounds = bounds;
    }
    return side_finish(&s->pos, a, compact, compensated, &h->pos) &&
                   side_finish(&s->neg, a, compact, compensated, &h->neg)
               ? h
               : NULL;
}

struct pl_histogram *pl_histogram_scaled(struct pl_arena *a, const struct pl_histogram *h, double x,
                                         bool divide, bool compact)
{
    struct pl_hsum s;
    if (pl_hsum_init(&s, a, h) < 0) {
        return NULL;
    }
    if (divide) {
        pl_hsum_div(&s, x);
    } else {
        pl_hsum_mul(&s, x);
    }
    return pl_hsum_finish(&s, a, compact, false);
}

/* ------------------------------------------------------------------ copies */

static bool side_copy(struct pl_arena *a, const struct pl_hbuckets *b, struct pl_hbuckets *out)
{
    *out = *b;
    if (b->n_spans == 0 || b->n == 0) {
        *out = (struct pl_hbuckets){0};
        return true;
    }
    struct pl_hspan *span = pl_arena_alloc(a, b->n_spans * sizeof *span);
    double *count = pl_arena_alloc(a, b->n * sizeof *count);
    if (!span || !count) {
        return false;
    }
    memcpy(span, b->spans, b->n_spans * sizeof *span);
    memcpy(count, b->count, b->n * sizeof *count);
    out->spans = span;
    out->count = count;
    return true;
}

struct pl_histogram *pl_histogram_copy(struct pl_arena *a, const struct pl_histogram *h)
{
    struct pl_histogram *to = pl_arena_alloc(a, sizeof *to);
    double *bounds = NULL;
    if (!to) {
        return NULL;
    }
    *to = *h;
    if (h->n_bounds) {
        bounds = pl_arena_alloc(a, h->n_bounds * sizeof *bounds);
        if (!bounds) {
            return NULL;
        }
        memcpy(bounds, h->bounds, h->n_bounds * sizeof *bounds);
    }
    to->bounds = bounds;
    return side_copy(a, &h->pos, &to->pos) && side_copy(a, &h->neg, &to->neg) ? to : NULL;
}
