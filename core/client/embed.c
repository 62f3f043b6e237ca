/* perilune/store.h: the store's doors with one tenant, and writes that wait. Any thread. */
#include "perilune/store.h"
#include "core/store/store.h"
#include <stdio.h>
#include <stdlib.h>

/* A series by the caller's number: its id in the store may end (no samples within retention) and
 * begin anew, with the tenant's generation. */
struct series {
    pl_str canon; /* owned */
    uint32_t id;
};

struct pl_embed {
    struct pl_store *store;
    struct pl_tenant *tenant;
    pthread_mutex_t lock; /* of what follows */
    uint32_t generation;
    struct series *series;
    uint32_t n_series, cap_series;
};

struct pl_embed_selection {
    struct pl_select *select;
    struct pl_reader *reader;
    struct pl_columns columns;
    struct pl_buf text, canon;
};

void pl_embed_conf_default(struct pl_embed_conf *conf)
{
    struct pl_store_conf c;
    pl_store_conf_default(&c);
    *conf = (struct pl_embed_conf){.retention_ms = c.retention_ms};
}

int pl_embed_open(const char *dir, const struct pl_embed_conf *conf, struct pl_embed **out,
                  char *why, size_t n_why)
{
    struct pl_embed_conf mine;
    struct pl_store_conf c;
    struct pl_embed *e = calloc(1, sizeof(*e));
    pl_embed_conf_default(&mine);
    conf = conf ? conf : &mine;
    if (n_why) {
        why[0] = 0;
    }
    if (!e) {
        return PL_ENOMEM;
    }
    pthread_mutex_init(&e->lock, NULL);
    pl_store_conf_default(&c);
    c.dir = dir;
    c.retention_ms = conf->retention_ms;
    c.durability = conf->process_durable ? PL_DURABLE_PROCESS : PL_DURABLE_DISK;
    int rc = pl_store_open(&c, &e->store, why, n_why);
    if (rc >= 0) {
        rc = pl_store_tenant(e->store, pl_str_c(conf->tenant ? conf->tenant : "default"), true,
                             &e->tenant);
        if (rc < 0) {
            snprintf(why, n_why, "tenant \"%s\": %s", conf->tenant ? conf->tenant : "default",
                     pl_err_text(rc));
            pl_store_close(e->store);
        }
    }
    if (rc < 0) {
        free(e);
        return rc;
    }
    *out = e;
    return 0;
}

void pl_embed_close(struct pl_embed *e)
{
    if (e) {
        pl_store_close(e->store);
        for (uint32_t i = 0; i < e->n_series; i++) {
            free((char *)e->series[i].canon.p);
        }
        free(e->series);
        pthread_mutex_destroy(&e->lock);
        free(e);
    }
}

/* A new number for a series. Locked; takes canon. */
static int enter(struct pl_embed *e, struct pl_buf *canon, uint32_t id, uint32_t *number)
{
    if (e->n_series == e->cap_series) {
        uint32_t cap = e->cap_series ? 2 * e->cap_series : 64;
        struct series *s = realloc(e->series, cap * sizeof(*s));
        if (!s) {
            return PL_ENOMEM;
        }
        e->series = s;
        e->cap_series = cap;
    }
    e->series[e->n_series] = (struct series){pl_buf_view(canon), id};
    *canon = PL_BUF_INIT;
    *number = e->n_series++;
    return 0;
}

/* Ids as of now, after the batch was made: what is interned from then on stays until it is written.
 * Locked. */
static int renew(struct pl_embed *e)
{
    uint32_t now = pl_tenant_generation(e->tenant);
    for (uint32_t i = 0; now != e->generation && i < e->n_series; i++) {
        struct series *s = &e->series[i];
        int rc = pl_tenant_intern(e->tenant, s->canon, pl_labels_hash(s->canon), &s->id);
        if (rc < 0) {
            return rc;
        }
    }
    e->generation = now;
    return 0;
}

int pl_embed_series(struct pl_embed *e, const struct pl_embed_label *labels, size_t n_labels,
                    uint32_t *id)
{
    struct pl_label l[PL_LABELS_MAX];
    struct pl_buf canon = PL_BUF_INIT;
    const char *why;
    if (n_labels > PL_LABELS_MAX) {
        return PL_EINVAL;
    }
    for (size_t i = 0; i < n_labels; i++) {
        l[i] = (struct pl_label){pl_str_c(labels[i].name), pl_str_c(labels[i].value)};
    }
    int rc = pl_labels_canon(l, n_labels, &canon, &why);
    if (rc > 0) {
        pl_str s = pl_buf_view(&canon);
        uint32_t of_store;
        pthread_mutex_lock(&e->lock);
        rc = renew(e);
        rc = rc < 0 ? rc : pl_tenant_intern(e->tenant, s, pl_labels_hash(s), &of_store);
        rc = rc < 0 ? rc : enter(e, &canon, of_store, id);
        pthread_mutex_unlock(&e->lock);
    } else if (rc != PL_ENOMEM) {
        rc = PL_EINVAL;
    }
    pl_buf_fini(&canon);
    return rc < 0 ? rc : 0;
}

/* A write that is under way. Its thread sleeps until the store's says how it went. */
struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    int err;
};

static void written(struct pl_batch *b, int err)
{
    struct waiting *w = b->user;
    pl_batch_free(b);
    pthread_mutex_lock(&w->lock);
    w->err = err;
    w->done = true;
    pthread_cond_signal(&w->cond); /* under the lock: w may go once it is free */
    pthread_mutex_unlock(&w->lock);
}

int pl_embed_write(struct pl_embed *e, const uint32_t *ids, const int64_t *t, const double *v,
                   size_t n)
{
    struct pl_batch *b;
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    if (n == 0) {
        return 0;
    }
    int rc = pl_batch_new(e->tenant, &b);
    if (rc < 0) {
        return rc;
    }
    rc = pl_batch_reserve(b, n);
    pthread_mutex_lock(&e->lock);
    rc = rc < 0 ? rc : renew(e);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        rc = ids[i] < e->n_series ? pl_batch_add(b, e->series[ids[i]].id, t[i], v[i]) : PL_EINVAL;
    }
    pthread_mutex_unlock(&e->lock);
    if (rc < 0) {
        pl_batch_free(b);
        return rc;
    }
    b->user = &w;
    pl_batch_write(b, written);
    pthread_mutex_lock(&w.lock);
    while (!w.done) {
        pthread_cond_wait(&w.cond, &w.lock);
    }
    pthread_mutex_unlock(&w.lock);
    return w.err < 0 ? w.err : 0;
}

int pl_embed_flush(struct pl_embed *e) { return pl_store_flush(e->store); }

int pl_embed_select(struct pl_embed *e, const struct pl_embed_matcher *m, size_t n, int64_t t0,
                    int64_t t1, struct pl_embed_selection **out)
{
    static const enum pl_match kinds[] = {PL_MATCH_EQ, PL_MATCH_NE, PL_MATCH_RE, PL_MATCH_NRE};
    struct pl_embed_selection *s = calloc(1, sizeof(*s));
    struct pl_matcher *list = calloc(n ? n : 1, sizeof(*list));
    size_t made = 0;
    int rc = s && list ? 0 : PL_ENOMEM;
    for (; rc >= 0 && made < n; made++) {
        rc = (unsigned)m[made].kind > PL_EMBED_NRE
                 ? PL_EINVAL
                 : pl_matcher_init(&list[made], kinds[m[made].kind], pl_str_c(m[made].name),
                                   pl_str_c(m[made].value), NULL, 0);
        if (rc < 0) {
            break;
        }
    }
    if (rc >= 0) {
        struct pl_selector sel = {list, n};
        rc = pl_select_new(e->tenant, &sel, 1, t0, t1, 0, &s->select);
    }
    if (rc >= 0) {
        rc = pl_reader_new(s->select, &s->reader);
        if (rc < 0) {
            pl_select_free(s->select);
        }
    }
    while (made > 0) {
        pl_matcher_fini(&list[--made]);
    }
    free(list);
    if (rc < 0) {
        free(s);
        return rc;
    }
    *out = s;
    return 0;
}

size_t pl_embed_count(const struct pl_embed_selection *s) { return pl_select_count(s->select); }

const char *pl_embed_labels(struct pl_embed_selection *s, size_t i)
{
    pl_buf_clear(&s->canon);
    pl_buf_clear(&s->text);
    if (i >= pl_select_count(s->select) || pl_select_labels(s->select, i, &s->canon) < 0) {
        return NULL;
    }
    pl_labels_text(pl_buf_view(&s->canon), &s->text);
    pl_buf_u8(&s->text, 0);
    return s->text.failed ? NULL : (const char *)s->text.p;
}

/* Numbers only: a boxed value is a histogram, or a double that looks like one. */
static void leave_out_histograms(struct pl_columns *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        double v = c->v[i];
        if (!pl_is_histogram(v) || pl_histogram_double(pl_columns_histogram(c, v), &v)) {
            c->t[n] = c->t[i];
            c->v[n++] = v;
        }
    }
    c->n = n;
}

int pl_embed_read(struct pl_embed_selection *s, size_t i, int64_t t0, int64_t t1, const int64_t **t,
                  const double **v, size_t *n)
{
    if (i >= pl_select_count(s->select)) {
        return PL_EINVAL;
    }
    int rc = pl_reader_read(s->reader, i, t0, t1, 0, &s->columns);
    if (rc < 0) {
        return rc;
    }
    if (s->columns.h.n) {
        leave_out_histograms(&s->columns);
    }
    *t = s->columns.t;
    *v = s->columns.v;
    *n = s->columns.n;
    return 0;
}

void pl_embed_selection_free(struct pl_embed_selection *s)
{
    if (s) {
        pl_reader_free(s->reader);
        pl_select_free(s->select);
        pl_columns_fini(&s->columns);
        pl_buf_fini(&s->text);
        pl_buf_fini(&s->canon);
        free(s);
    }
}
