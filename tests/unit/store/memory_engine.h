/* An engine in memory, for tests: as plain as can be, so that it can be believed. It outlives a
 * store's close (memory_engine_free ends it), so a restart finds what was written. Knobs make
 * writes fail. One lock around everything; views copy what they pin. */
#pragma once
#include "core/store/columns.h"
#include "core/store/engine.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct memory_sample {
    uint32_t id;
    int64_t t;
    double v;
    uint64_t seq;           /* of its run; set where samples are merged */
    struct memory_bytes *h; /* behind a boxed value */
};
struct memory_bytes {
    struct memory_bytes *next;
    size_t n;
    char p[];
};
struct memory_run {
    uint64_t last_seq;
    struct memory_sample *s; /* by id, then time */
    size_t n, cap;
};
struct memory_tombstone {
    uint32_t *ids;
    size_t n;
    int64_t t0, t1;
    uint64_t seq;
};
struct memory_record {
    uint8_t kind;
    char *key, *value;
    size_t n_key, n_value;
};
struct pl_engine_tenant {
    struct memory_engine *e;
    struct pl_engine_tenant *next;
    char name[160];
    struct memory_run *runs; /* ascending numbers */
    size_t n_runs;
    struct memory_tombstone *tombstones;
    size_t n_tombstones;
    struct memory_record *records;
    size_t n_records;
    uint64_t flushed_seq;
    struct memory_bytes *bytes; /* all that there were: views borrow them */
};
struct memory_engine {
    struct pl_engine base;
    pthread_mutex_t lock;
    struct pl_engine_tenant *tenants;
    atomic_int write_error, erase_error; /* returned instead of doing it */
    atomic_uint writes, seals, seal_stops;
    atomic_int seal_asks; /* a seal asks stop so often before it does its work */
};
struct pl_view {
    struct pl_engine_tenant *t;
    struct memory_sample *s; /* merged, tombstones applied, in range */
    size_t n;
};
struct pl_cursor {
    struct pl_view *v;
};

static inline void memory_close(struct pl_engine *e) { (void)e; }

static inline int memory_tenant(struct pl_engine *base, pl_str name, bool create,
                                struct pl_engine_tenant **out)
{
    struct memory_engine *e = (struct memory_engine *)base;
    pthread_mutex_lock(&e->lock);
    struct pl_engine_tenant *t = e->tenants;
    while (t && !pl_str_eq(pl_str_c(t->name), name)) {
        t = t->next;
    }
    if (!t && create) {
        t = calloc(1, sizeof *t);
        t->e = e;
        memcpy(t->name, name.p, name.n);
        t->next = e->tenants;
        e->tenants = t;
    }
    pthread_mutex_unlock(&e->lock);
    *out = t;
    return t ? 0 : PL_ENOTFOUND;
}

static inline int memory_tenants(struct pl_engine *base, int (*each)(void *ctx, pl_str name),
                                 void *ctx)
{
    struct memory_engine *e = (struct memory_engine *)base;
    int rc = 0;
    for (struct pl_engine_tenant *t = e->tenants; t && rc >= 0; t = t->next) {
        rc = each(ctx, pl_str_c(t->name));
    }
    return rc;
}

static inline void memory_run_add(struct memory_run *r, uint32_t id, int64_t t, double v)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 256;
        r->s = realloc(r->s, r->cap * sizeof *r->s);
    }
    r->s[r->n++] = (struct memory_sample){id, t, v, 0, NULL};
}

static inline struct memory_bytes *memory_keep(struct pl_engine_tenant *t, pl_str bytes)
{
    struct memory_bytes *x = malloc(sizeof *x + bytes.n);
    x->n = bytes.n;
    memcpy(x->p, bytes.p, bytes.n);
    x->next = t->bytes;
    t->bytes = x;
    return x;
}

static inline char *memory_dup(pl_str s)
{
    char *p = malloc(s.n + 1);
    if (s.n) {
        memcpy(p, s.p, s.n);
    }
    return p;
}

static inline void memory_record_put(struct pl_engine_tenant *t, const struct pl_record *r)
{
    size_t i = 0;
    while (i < t->n_records &&
           !(t->records[i].kind == r->kind &&
             pl_str_eq((pl_str){t->records[i].key, t->records[i].n_key}, r->key))) {
        i++;
    }
    if (i < t->n_records) {
        free(t->records[i].key);
        free(t->records[i].value);
        t->records[i] = t->records[--t->n_records];
    }
    if (!r->erase) {
        t->records = realloc(t->records, (t->n_records + 1) * sizeof *t->records);
        t->records[t->n_records++] = (struct memory_record){
            r->kind, memory_dup(r->key), memory_dup(r->value), r->key.n, r->value.n};
    }
}

static inline int memory_write(struct pl_engine_tenant *t, const struct pl_flush *f)
{
    int rc = atomic_load(&t->e->write_error);
    if (rc < 0) {
        return rc;
    }
    struct memory_run run = {.last_seq = f->last_seq};
    uint32_t id;
    const struct pl_columns *c;
    while (f->next(f->ctx, &id, &c)) {
        for (size_t i = 0; i < c->n; i++) {
            memory_run_add(&run, id, c->t[i], c->v[i]);
            pl_str bytes = pl_columns_histogram(c, c->v[i]);
            run.s[run.n - 1].h = bytes.n ? memory_keep(t, bytes) : NULL;
        }
    }
    pthread_mutex_lock(&t->e->lock);
    if (run.n) {
        t->runs = realloc(t->runs, (t->n_runs + 1) * sizeof *t->runs);
        t->runs[t->n_runs++] = run;
    }
    for (size_t i = 0; i < f->n_records; i++) {
        memory_record_put(t, &f->records[i]);
    }
    t->flushed_seq = f->last_seq;
    pthread_mutex_unlock(&t->e->lock);
    atomic_fetch_add(&t->e->writes, 1);
    return 0;
}

static inline uint64_t memory_flushed_seq(struct pl_engine_tenant *t) { return t->flushed_seq; }

static inline int memory_by_key(const void *a, const void *b)
{
    const struct memory_record *x = a, *y = b;
    return pl_str_cmp((pl_str){x->key, x->n_key}, (pl_str){y->key, y->n_key});
}

static inline int memory_records(struct pl_engine_tenant *t, uint8_t kind,
                                 int (*each)(void *ctx, pl_str key, pl_str value), void *ctx)
{
    int rc = 0;
    if (t->n_records) {
        qsort(t->records, t->n_records, sizeof *t->records, memory_by_key);
    }
    for (size_t i = 0; i < t->n_records && rc >= 0; i++) {
        struct memory_record *r = &t->records[i];
        if (r->kind == kind) {
            rc = each(ctx, (pl_str){r->key, r->n_key}, (pl_str){r->value, r->n_value});
        }
    }
    return rc;
}

static inline bool memory_hidden(const struct pl_engine_tenant *t, const struct memory_run *r,
                                 const struct memory_sample *s)
{
    for (size_t i = 0; i < t->n_tombstones; i++) {
        const struct memory_tombstone *x = &t->tombstones[i];
        for (size_t k = 0; k < x->n && r->last_seq <= x->seq; k++) {
            if (x->ids[k] == s->id && s->t >= x->t0 && s->t <= x->t1) {
                return true;
            }
        }
    }
    return false;
}

struct memory_ranked {
    struct memory_sample s;
    size_t rank;
};
static inline int memory_by_sample(const void *a, const void *b)
{
    const struct memory_ranked *x = a, *y = b;
    if (x->s.id != y->s.id) {
        return x->s.id < y->s.id ? -1 : 1;
    }
    if (x->s.t != y->s.t) {
        return x->s.t < y->s.t ? -1 : 1;
    }
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/** All samples of a tenant that count, in range; the lock is held. */
static inline struct memory_sample *memory_merged(struct pl_engine_tenant *t, int64_t t0,
                                                  int64_t t1, size_t *n_out)
{
    size_t n = 0, k = 0;
    for (size_t i = 0; i < t->n_runs; i++) {
        n += t->runs[i].n;
    }
    struct memory_ranked *all = malloc((n + 1) * sizeof *all);
    struct memory_sample *out = malloc((n + 1) * sizeof *out);
    n = 0;
    for (size_t i = 0; i < t->n_runs; i++) {
        for (size_t j = 0; j < t->runs[i].n; j++) {
            struct memory_sample *s = &t->runs[i].s[j];
            if (s->t >= t0 && s->t <= t1 && !memory_hidden(t, &t->runs[i], s)) {
                all[n] = (struct memory_ranked){*s, i};
                all[n++].s.seq = t->runs[i].last_seq;
            }
        }
    }
    if (n) {
        qsort(all, n, sizeof *all, memory_by_sample);
    }
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || all[i].s.id != all[i + 1].s.id || all[i].s.t != all[i + 1].s.t) {
            out[k++] = all[i].s;
        }
    }
    free(all);
    *n_out = k;
    return out;
}

static inline int memory_view(struct pl_engine_tenant *t, int64_t t0, int64_t t1,
                              struct pl_view **out)
{
    struct pl_view *v = calloc(1, sizeof *v);
    v->t = t;
    pthread_mutex_lock(&t->e->lock);
    v->s = memory_merged(t, t0, t1, &v->n);
    pthread_mutex_unlock(&t->e->lock);
    *out = v;
    return 0;
}

static inline void memory_view_free(struct pl_view *v)
{
    free(v->s);
    free(v);
}

static inline int memory_view_since(struct pl_view *v, uint64_t seq, struct pl_view **out)
{
    struct pl_view *x = calloc(1, sizeof *x);
    x->t = v->t;
    x->s = malloc((v->n + 1) * sizeof *x->s);
    for (size_t i = 0; i < v->n; i++) {
        if (v->s[i].seq > seq) {
            x->s[x->n++] = v->s[i];
        }
    }
    *out = x;
    return 0;
}

static inline size_t memory_place(const struct pl_view *v, uint32_t id)
{
    size_t lo = 0, hi = v->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (v->s[mid].id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static inline size_t memory_view_filter(struct pl_view *v, uint32_t *ids, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = memory_place(v, ids[i]);
        if (at < v->n && v->s[at].id == ids[i]) {
            ids[kept++] = ids[i];
        }
    }
    return kept;
}

static inline int memory_cursor(struct pl_view *v, struct pl_cursor **out)
{
    *out = calloc(1, sizeof **out);
    (*out)->v = v;
    return 0;
}

static inline void memory_cursor_free(struct pl_cursor *c) { free(c); }

static inline int memory_read(struct pl_cursor *c, uint32_t id, int64_t t0, int64_t t1,
                              struct pl_columns *out, struct pl_read_stats *stats)
{
    pl_columns_clear(out);
    for (size_t i = memory_place(c->v, id); i < c->v->n && c->v->s[i].id == id; i++) {
        const struct memory_sample *s = &c->v->s[i];
        if (s->t >= t0 && s->t <= t1) {
            if (pl_columns_reserve(out, 1) < 0) {
                return PL_ENOMEM;
            }
            out->t[out->n] = s->t;
            out->v[out->n] = s->v;
            if (s->h && pl_columns_keep(out, (pl_str){s->h->p, s->h->n}, &out->v[out->n]) < 0) {
                return PL_ENOMEM;
            }
            out->n++;
            stats->samples++;
        }
    }
    return 0;
}

static inline int memory_erase(struct pl_engine_tenant *t, const uint32_t *ids, size_t n,
                               int64_t t0, int64_t t1, uint64_t seq)
{
    int rc = atomic_load(&t->e->erase_error);
    if (rc < 0) {
        return rc;
    }
    struct memory_tombstone x = {malloc(n * sizeof *ids), n, t0, t1, seq};
    memcpy(x.ids, ids, n * sizeof *ids);
    pthread_mutex_lock(&t->e->lock);
    t->tombstones = realloc(t->tombstones, (t->n_tombstones + 1) * sizeof *t->tombstones);
    t->tombstones[t->n_tombstones++] = x;
    pthread_mutex_unlock(&t->e->lock);
    return 0;
}

static inline int memory_retain(struct pl_engine_tenant *t, int64_t cutoff)
{
    const int64_t day = 24 * 3600 * 1000;
    pthread_mutex_lock(&t->e->lock);
    for (size_t i = 0; i < t->n_runs; i++) {
        size_t kept = 0;
        for (size_t k = 0; k < t->runs[i].n; k++) {
            struct memory_sample s = t->runs[i].s[k];
            int64_t d = s.t / day - (s.t % day < 0);
            if ((d + 1) * day > cutoff) {
                t->runs[i].s[kept++] = s;
            }
        }
        t->runs[i].n = kept;
    }
    pthread_mutex_unlock(&t->e->lock);
    return 0;
}

static inline int memory_seal(struct pl_engine_tenant *t, bool all, bool (*stop)(void *ctx),
                              void *ctx)
{
    (void)all;
    atomic_fetch_add(&t->e->seals, 1);
    while (atomic_load(&t->e->seal_asks) > 0) {
        atomic_fetch_sub(&t->e->seal_asks, 1);
        if (stop && stop(ctx)) {
            atomic_fetch_add(&t->e->seal_stops, 1);
            return PL_ECANCELED;
        }
    }
    pthread_mutex_lock(&t->e->lock);
    struct memory_run run = {.last_seq = t->n_runs ? t->runs[t->n_runs - 1].last_seq : 0};
    run.s = memory_merged(t, INT64_MIN, INT64_MAX, &run.n);
    run.cap = run.n;
    for (size_t i = 0; i < t->n_runs; i++) {
        free(t->runs[i].s);
    }
    for (size_t i = 0; i < t->n_tombstones; i++) {
        free(t->tombstones[i].ids);
    }
    t->n_tombstones = 0;
    t->n_runs = 0;
    if (run.n) {
        t->runs = realloc(t->runs, sizeof *t->runs);
        t->runs[t->n_runs++] = run;
    } else {
        free(run.s);
    }
    pthread_mutex_unlock(&t->e->lock);
    return 0;
}

static inline int memory_live(struct pl_engine_tenant *t,
                              void (*range)(void *ctx, uint32_t from, uint32_t to), void *ctx)
{
    size_t n;
    pthread_mutex_lock(&t->e->lock);
    struct memory_sample *s = memory_merged(t, INT64_MIN, INT64_MAX, &n);
    pthread_mutex_unlock(&t->e->lock);
    for (size_t i = 0; i < n;) {
        uint32_t from = s[i].id, to = from;
        while (i < n && (s[i].id == to || s[i].id == to + 1)) {
            to = s[i++].id;
        }
        range(ctx, from, to);
    }
    free(s);
    return 0;
}

static inline int memory_stats(struct pl_engine_tenant *t, struct pl_engine_stats *out)
{
    size_t n;
    pthread_mutex_lock(&t->e->lock);
    struct memory_sample *s = memory_merged(t, INT64_MIN, INT64_MAX, &n);
    *out = (struct pl_engine_stats){
        .n_samples = n, .n_runs = t->n_runs, .t_min = INT64_MAX, .t_max = INT64_MIN};
    pthread_mutex_unlock(&t->e->lock);
    for (size_t i = 0; i < n; i++) {
        out->t_min = s[i].t < out->t_min ? s[i].t : out->t_min;
        out->t_max = s[i].t > out->t_max ? s[i].t : out->t_max;
    }
    free(s);
    return 0;
}

static inline int memory_backup(struct pl_engine *e, const char *dir,
                                void (*progress)(void *ctx, uint64_t done, uint64_t total),
                                void *ctx)
{
    (void)e, (void)dir;
    if (progress) {
        progress(ctx, 1, 1);
    }
    return 0;
}

/** What is in memory has no checksums: each run counts as one pack. */
static inline int memory_scrub(struct pl_engine_tenant *t, bool (*stop)(void *ctx), void *ctx,
                               uint64_t *packs, uint64_t *findings)
{
    (void)findings;
    if (stop && stop(ctx)) {
        return PL_ECANCELED;
    }
    pthread_mutex_lock(&t->e->lock);
    *packs += t->n_runs;
    pthread_mutex_unlock(&t->e->lock);
    return 0;
}

static const struct pl_engine_ops memory_engine_ops = {
    .name = "memory",
    .close = memory_close,
    .tenant = memory_tenant,
    .tenants = memory_tenants,
    .write = memory_write,
    .flushed_seq = memory_flushed_seq,
    .records = memory_records,
    .view = memory_view,
    .view_free = memory_view_free,
    .view_since = memory_view_since,
    .view_filter = memory_view_filter,
    .cursor = memory_cursor,
    .cursor_free = memory_cursor_free,
    .read = memory_read,
    .erase = memory_erase,
    .retain = memory_retain,
    .seal = memory_seal,
    .live = memory_live,
    .stats = memory_stats,
    .backup = memory_backup,
    .scrub = memory_scrub,
};

static inline struct memory_engine *memory_engine_new(void)
{
    struct memory_engine *e = calloc(1, sizeof *e);
    e->base.ops = &memory_engine_ops;
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

static inline void memory_engine_free(struct memory_engine *e)
{
    for (struct pl_engine_tenant *t = e->tenants, *next; t; t = next) {
        next = t->next;
        for (size_t i = 0; i < t->n_runs; i++) {
            free(t->runs[i].s);
        }
        for (size_t i = 0; i < t->n_tombstones; i++) {
            free(t->tombstones[i].ids);
        }
        for (size_t i = 0; i < t->n_records; i++) {
            free(t->records[i].key);
            free(t->records[i].value);
        }
        free(t->runs);
        free(t->tombstones);
        for (struct memory_bytes *x = t->bytes, *then; x; x = then) {
            then = x->next;
            free(x);
        }
        free(t->records);
        free(t);
    }
    pthread_mutex_destroy(&e->lock);
    free(e);
}
