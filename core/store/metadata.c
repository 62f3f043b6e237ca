/* Metadata by metric: an open-addressing table of pointers to entries, by XXH3 of the name.
 *
 *   record key    16 bytes: XXH3-128 of the metric's name (names may be longer than keys)
 *   record value  u8 1 | u8 type | varint n metric | metric | varint n unit | unit | help */
#include "core/store/metadata.h"
#include <stdlib.h>

#define VALUE_VERSION 1

struct entry {
    uint64_t hash;
    bool dirty;
    uint8_t type;
    uint32_t n_metric, n_unit, n_help;
    char text[]; /* metric, unit, help */
};

struct pl_metadata_table {
    pthread_mutex_t lock; /* innermost */
    struct entry **slots;
    size_t cap, n;
};

int pl_metadata_table_new(struct pl_metadata_table **out)
{
    struct pl_metadata_table *x = calloc(1, sizeof *x);
    if (!x) {
        return PL_ENOMEM;
    }
    pthread_mutex_init(&x->lock, NULL);
    *out = x;
    return 0;
}

void pl_metadata_table_free(struct pl_metadata_table *x)
{
    if (!x) {
        return;
    }
    for (size_t i = 0; i < x->cap; i++) {
        free(x->slots[i]);
    }
    free(x->slots);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

static struct pl_metadata view(const struct entry *e)
{
    return (struct pl_metadata){.metric = {e->text, e->n_metric},
                                .unit = {e->text + e->n_metric, e->n_unit},
                                .help = {e->text + e->n_metric + e->n_unit, e->n_help},
                                .type = (enum pl_metric_type)e->type};
}

/** Slot of a metric, or the free one where it belongs; NULL while the table is empty. */
static struct entry **place(const struct pl_metadata_table *x, pl_str metric, uint64_t hash)
{
    if (x->cap == 0) {
        return NULL;
    }
    size_t i = hash & (x->cap - 1);
    for (; x->slots[i]; i = (i + 1) & (x->cap - 1)) {
        struct entry *e = x->slots[i];
        if (e->hash == hash && pl_str_eq((pl_str){e->text, e->n_metric}, metric)) {
            break;
        }
    }
    return &x->slots[i];
}

static int grow(struct pl_metadata_table *x)
{
    if (x->n * 4 < x->cap * 3) {
        return 0;
    }
    struct pl_metadata_table y = {.cap = x->cap ? 2 * x->cap : 64};
    y.slots = calloc(y.cap, sizeof *y.slots);
    if (!y.slots) {
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < x->cap; i++) {
        if (x->slots[i]) {
            *place(&y, view(x->slots[i]).metric, x->slots[i]->hash) = x->slots[i];
        }
    }
    free(x->slots);
    x->slots = y.slots;
    x->cap = y.cap;
    return 0;
}

/** Unit and help are cut to their limits, between characters. */
static pl_str cut(pl_str s, size_t max)
{
    if (s.n > max) {
        s.n = max;
        while (s.n && ((uint8_t)s.p[s.n] & 0xc0) == 0x80) {
            s.n--;
        }
    }
    return s;
}

static bool same(const struct entry *e, const struct pl_metadata *m)
{
    struct pl_metadata o = view(e);
    return o.type == m->type && pl_str_eq(o.unit, cut(m->unit, PL_METADATA_UNIT_MAX)) &&
           pl_str_eq(o.help, cut(m->help, PL_METADATA_HELP_MAX));
}

bool pl_metadata_table_same(struct pl_metadata_table *x, const struct pl_metadata *m)
{
    uint64_t hash = pl_hash64(m->metric.p, m->metric.n, 0);
    pthread_mutex_lock(&x->lock);
    struct entry **at = place(x, m->metric, hash);
    bool is = at && *at && same(*at, m);
    pthread_mutex_unlock(&x->lock);
    return is;
}

static int put(struct pl_metadata_table *x, const struct pl_metadata *m, bool dirty)
{
    if (m->metric.n == 0 || m->metric.n > PL_LABEL_VALUE_MAX || (unsigned)m->type > UINT8_MAX) {
        return PL_EINVAL;
    }
    uint64_t hash = pl_hash64(m->metric.p, m->metric.n, 0);
    struct entry **at = place(x, m->metric, hash);
    if (at && *at && same(*at, m)) {
        return 0;
    }
    if (!at || !*at) {
        if (x->n >= PL_METADATA_MAX) {
            return PL_ELIMIT;
        }
        if (grow(x) < 0) {
            return PL_ENOMEM;
        }
        at = place(x, m->metric, hash);
    }
    pl_str unit = cut(m->unit, PL_METADATA_UNIT_MAX), help = cut(m->help, PL_METADATA_HELP_MAX);
    struct entry *e = malloc(sizeof *e + m->metric.n + unit.n + help.n);
    if (!e) {
        return PL_ENOMEM;
    }
    *e = (struct entry){.hash = hash,
                        .dirty = dirty,
                        .type = (uint8_t)m->type,
                        .n_metric = (uint32_t)m->metric.n,
                        .n_unit = (uint32_t)unit.n,
                        .n_help = (uint32_t)help.n};
    memcpy(e->text, m->metric.p, m->metric.n);
    if (unit.n) {
        memcpy(e->text + m->metric.n, unit.p, unit.n);
    }
    if (help.n) {
        memcpy(e->text + m->metric.n + unit.n, help.p, help.n);
    }
    x->n += *at == NULL;
    free(*at);
    *at = e;
    return 1;
}

int pl_metadata_table_put(struct pl_metadata_table *x, const struct pl_metadata *m)
{
    pthread_mutex_lock(&x->lock);
    int rc = put(x, m, true);
    pthread_mutex_unlock(&x->lock);
    return rc;
}

static int by_metric(const void *a, const void *b)
{
    const struct pl_metadata *x = a, *y = b;
    return pl_str_cmp(x->metric, y->metric);
}

/** With the lock held: a copy of an entry's strings. */
static bool keep(struct pl_arena *a, const struct entry *e, struct pl_metadata *out)
{
    struct pl_metadata m = view(e);
    *out = (struct pl_metadata){.metric = pl_arena_dup(a, m.metric),
                                .unit = pl_arena_dup(a, m.unit),
                                .help = pl_arena_dup(a, m.help),
                                .type = m.type};
    return out->metric.p && out->unit.p && out->help.p;
}

int pl_metadata_table_each(struct pl_metadata_table *x, pl_str metric,
                           bool (*each)(void *ctx, const struct pl_metadata *m), void *ctx)
{
    struct pl_arena arena;
    pl_arena_init(&arena, 0);
    size_t n = 0;
    bool ok = true;
    pthread_mutex_lock(&x->lock);
    struct pl_metadata *found = pl_arena_alloc(&arena, (metric.p ? 1 : x->n + 1) * sizeof *found);
    if (!found) {
        ok = false;
    } else if (metric.p) {
        struct entry **at = place(x, metric, pl_hash64(metric.p, metric.n, 0));
        if (at && *at) {
            ok = keep(&arena, *at, &found[n++]);
        }
    } else {
        for (size_t i = 0; i < x->cap && ok; i++) {
            if (x->slots[i]) {
                ok = keep(&arena, x->slots[i], &found[n++]);
            }
        }
    }
    pthread_mutex_unlock(&x->lock);
    if (ok && n > 1) {
        qsort(found, n, sizeof *found, by_metric);
    }
    for (size_t i = 0; ok && i < n && each(ctx, &found[i]); i++) {
    }
    pl_arena_fini(&arena);
    return ok ? 0 : PL_ENOMEM;
}

static int emit_one(const struct entry *e, int (*emit)(void *ctx, const struct pl_record *r),
                    void *ctx)
{
    struct pl_metadata m = view(e);
    struct pl_buf value = PL_BUF_INIT;
    uint8_t key[16];
    struct pl_hash128 h = pl_hash128(m.metric.p, m.metric.n, 0);
    pl_wr64(key, h.lo);
    pl_wr64(key + 8, h.hi);
    pl_buf_u8(&value, VALUE_VERSION);
    pl_buf_u8(&value, e->type);
    pl_buf_varint(&value, m.metric.n);
    pl_buf_str(&value, m.metric);
    pl_buf_varint(&value, m.unit.n);
    pl_buf_str(&value, m.unit);
    pl_buf_str(&value, m.help);
    struct pl_record r = {PL_RECORD_METADATA, false, pl_str_mem(key, 16), pl_buf_view(&value)};
    int rc = value.failed ? PL_ENOMEM : emit(ctx, &r);
    pl_buf_fini(&value);
    return rc;
}

int pl_metadata_table_save(struct pl_metadata_table *x,
                           int (*emit)(void *ctx, const struct pl_record *r), void *ctx)
{
    int rc = 0;
    pthread_mutex_lock(&x->lock); /* emit copies, it is ours */
    for (size_t i = 0; i < x->cap && rc >= 0; i++) {
        if (x->slots[i] && x->slots[i]->dirty) {
            rc = emit_one(x->slots[i], emit, ctx);
        }
    }
    for (size_t i = 0; i < x->cap && rc >= 0; i++) {
        if (x->slots[i]) {
            x->slots[i]->dirty = false;
        }
    }
    pthread_mutex_unlock(&x->lock);
    return rc < 0 ? rc : 0;
}

/** A varint length and as many bytes. */
static const uint8_t *take_str(const uint8_t *p, const uint8_t *end, pl_str *out)
{
    uint64_t n;
    p = p ? pl_varint_get(p, end, &n) : NULL;
    if (!p || n > (uint64_t)(end - p)) {
        return NULL;
    }
    *out = pl_str_mem(p, (size_t)n);
    return p + n;
}

int pl_metadata_table_load(struct pl_metadata_table *x, pl_str key, pl_str value)
{
    const uint8_t *p = (const uint8_t *)value.p, *end = p + value.n;
    struct pl_metadata m = {0};
    if (key.n != 16 || value.n < 2 || p[0] != VALUE_VERSION) {
        return PL_ECORRUPT;
    }
    m.type = (enum pl_metric_type)p[1];
    p = take_str(p + 2, end, &m.metric);
    p = take_str(p, end, &m.unit);
    if (!p) {
        return PL_ECORRUPT;
    }
    m.help = pl_str_mem(p, (size_t)(end - p));
    pthread_mutex_lock(&x->lock);
    int rc = put(x, &m, false);
    pthread_mutex_unlock(&x->lock);
    return rc == PL_EINVAL ? PL_ECORRUPT : rc < 0 ? rc : 0;
}
