/* Tenants: names <-> the numbers that stand in journal frames. Any thread.
 *
 * The file TENANTS is replaced, and synced, before a new number is used in a frame, so a replay
 * knows every number it meets; it is text:
 *
 *   perilune tenants 1
 *   0 default                     number, name
 *   crc32c 1a2b3c4d               of all bytes before this line
 *
 * TENANTS.copy is the same, written before it, for the day on which TENANTS cannot be read. */
#include "core/store/tenant.h"
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (16u << 20)
#define HEADER   "perilune tenants 1\n"

bool pl__tenant_name_ok(pl_str name)
{
    if (name.n < 1 || name.n > 150 || pl_str_eq(name, PL_STR(".")) ||
        pl_str_eq(name, PL_STR(".."))) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-';
        if (!ok) {
            return false;
        }
    }
    return true;
}

static int define(void *ctx, uint32_t id, pl_str canon)
{
    struct pl_tenant *t = ctx;
    return pl_journal_define(t->s->journal, t->number, id, canon);
}

void pl__tenant_free(struct pl_tenant *t)
{
    if (!t) {
        return;
    }
    for (struct pl__pending *p = t->pending, *next; p; p = next) {
        next = p->next;
        pl__pending_free(p);
    }
    pl__gc_abandon(t);
    pl__touched_free(t);
    pl_head_gen_unref(t->cur);
    pl__rollup_tenant_fini(t);
    pl_series_free(t->series);
    pl_idem_table_free(t->idem);
    pl_metadata_table_free(t->metadata);
    pl_exemplars_free(t->exemplars);
    pthread_mutex_destroy(&t->heads_lock);
    pthread_rwlock_destroy(&t->gc_lock);
    free((char *)t->name.p);
    free(t);
}

static int tenant_new(struct pl_store *s, uint32_t number, pl_str name, struct pl_tenant **out)
{
    struct pl_tenant *t = calloc(1, sizeof *t);
    char *copy = malloc(name.n + 1);
    if (!t || !copy) {
        free(t);
        free(copy);
        return PL_ENOMEM;
    }
    memcpy(copy, name.p, name.n);
    copy[name.n] = 0;
    t->name = (pl_str){copy, name.n};
    t->s = s;
    t->number = number;
    atomic_init(&t->oldest_ms, INT64_MAX);
    t->safe_seq = atomic_load(&s->applied_seq);
    pthread_mutex_init(&t->heads_lock, NULL);
    pthread_rwlock_init(&t->gc_lock, NULL);
    struct pl_series_conf conf = {.max_series = s->conf.max_series, .define = define, .ctx = t};
    int rc = pl_series_new(&conf, &t->series);
    rc = rc < 0 ? rc : pl_idem_table_new(s->conf.idem_max, s->conf.clock, &t->idem);
    rc = rc < 0 ? rc : pl_metadata_table_new(&t->metadata);
    rc = rc < 0 ? rc : pl_exemplars_new(s->conf.max_exemplars, &t->exemplars);
    rc = rc < 0 ? rc : pl_head_gen_new(&t->cur);
    rc = rc < 0 ? rc : pl__rollup_tenant_init(t);
    if (rc < 0) {
        pl__tenant_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

struct pl_tenant *pl__tenant_at(struct pl_store *s, uint32_t number)
{
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    return number < n ? s->tenants[number] : NULL;
}

static struct pl_tenant *find(struct pl_store *s, pl_str name)
{
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        if (s->tenants[i] && pl_str_eq(s->tenants[i]->name, name)) {
            return s->tenants[i];
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------------------ the file TENANTS
 */

static void text_line(struct pl_buf *out, uint32_t number, pl_str name)
{
    pl_buf_f(out, "%u %.*s\n", number, PL_PRS(name));
}

static void text_end(struct pl_buf *out)
{
    pl_buf_f(out, "crc32c %08x\n", pl_crc32c(0, out->p, out->n));
}

static void text_begin(struct pl_store *s, struct pl_buf *out)
{
    pl_buf_z(out, HEADER);
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        if (s->tenants[i]) {
            text_line(out, i, s->tenants[i]->name);
        }
    }
}

void pl__tenants_text(struct pl_store *s, struct pl_buf *out)
{
    text_begin(s, out);
    text_end(out);
}

/** Lines between header and checksum. */
static int text_body(pl_str text, pl_str *body)
{
    static const size_t n_end = sizeof "crc32c 01234567\n" - 1;
    if (!pl_str_starts(text, PL_STR(HEADER)) || text.n < sizeof HEADER - 1 + n_end) {
        return PL_ECORRUPT;
    }
    char end[32];
    snprintf(end, sizeof end, "crc32c %08x\n", pl_crc32c(0, text.p, text.n - n_end));
    if (!pl_str_ends(text, pl_str_c(end))) {
        return PL_ECORRUPT;
    }
    size_t at = sizeof HEADER - 1;
    *body = (pl_str){text.p + at, text.n - n_end - at};
    return 0;
}

int pl__tenants_check(pl_str text)
{
    pl_str body;
    return text_body(text, &body);
}

/** Publish under a number; tenants_lock is held, or nobody else is there yet. */
static int enter(struct pl_store *s, uint32_t number, pl_str name, struct pl_tenant **out)
{
    int rc = tenant_new(s, number, name, out);
    if (rc >= 0) {
        s->tenants[number] = *out;
        if (number >= atomic_load(&s->n_tenants)) {
            atomic_store_explicit(&s->n_tenants, number + 1, memory_order_release);
        }
    }
    return rc;
}

/** Lines of one of the two files. */
static int read_list(struct pl_store *s, const char *name, struct pl_buf *text, pl_str *body)
{
    struct pl_buf path = PL_BUF_INIT;
    pl_buf_clear(text);
    pl_buf_f(&path, "%s/%s%c", s->dir, name, 0);
    int rc = path.failed ? PL_ENOMEM : pl_file_read((char *)path.p, FILE_MAX, text);
    pl_buf_fini(&path);
    return rc < 0 ? rc : text_body(pl_buf_view(text), body);
}

int pl__tenants_load(struct pl_store *s, char *why, size_t n_why)
{
    struct pl_buf text = PL_BUF_INIT;
    pl_str body;
    int rc = read_list(s, "TENANTS", &text, &body);
    if (rc == PL_ECORRUPT || rc == PL_ELIMIT || rc == PL_ENOTFOUND) {
        int copy = read_list(s, "TENANTS.copy", &text, &body);
        if (copy >= 0) {
            pl_logf(s->conf.log, PL_ERROR, "store", "TENANTS cannot be read, its copy is used",
                    "dir=%s err=%s", s->dir, pl_err_name(rc));
            rc = 0;
        }
    }
    if (rc == PL_ENOTFOUND) {
        rc = 0;
        goto out;
    }
    while (rc >= 0 && body.n) {
        struct pl_tenant *t;
        uint64_t number;
        pl_str name = pl_str_cut(&body, '\n');
        pl_str digits = pl_str_cut(&name, ' ');
        if (pl_str_u64(digits, &number) < 0 || number >= PL__TENANTS_MAX ||
            !pl__tenant_name_ok(name) || pl__tenant_at(s, (uint32_t)number) || find(s, name)) {
            rc = PL_ECORRUPT;
        } else {
            rc = enter(s, (uint32_t)number, name, &t);
        }
    }
    if (rc < 0) {
        snprintf(why, n_why, "%s/TENANTS: %s", s->dir, pl_err_text(rc));
    }
out:
    pl_buf_fini(&text);
    return rc;
}

static int add(struct pl_store *s, pl_str name, struct pl_tenant **out)
{
    uint32_t number = atomic_load(&s->n_tenants);
    if (number >= PL__TENANTS_MAX) {
        return PL_ELIMIT;
    }
    struct pl_buf path = PL_BUF_INIT, copy = PL_BUF_INIT, text = PL_BUF_INIT;
    pl_buf_f(&path, "%s/TENANTS%c", s->dir, 0);
    pl_buf_f(&copy, "%s/TENANTS.copy%c", s->dir, 0);
    text_begin(s, &text);
    text_line(&text, number, name);
    text_end(&text);
    int rc = path.failed || copy.failed || text.failed
                 ? PL_ENOMEM
                 : pl_file_replace((char *)copy.p, text.p, text.n);
    rc = rc < 0 ? rc : pl_file_replace((char *)path.p, text.p, text.n);
    pl_buf_fini(&copy);
    rc = rc < 0 ? rc : enter(s, number, name, out);
    pl_buf_fini(&path);
    pl_buf_fini(&text);
    return rc < 0 ? rc : 0;
}

int pl_store_tenant(struct pl_store *s, pl_str name, bool create, struct pl_tenant **out)
{
    if (!pl__tenant_name_ok(name)) {
        return PL_EINVAL;
    }
    struct pl_tenant *t = find(s, name);
    int rc = t ? 0 : PL_ENOTFOUND;
    if (!t && create) {
        pthread_mutex_lock(&s->tenants_lock);
        t = find(s, name);
        if (t) {
            rc = 0;
        } else if (atomic_load(&s->n_tenants) >= s->conf.max_tenants) {
            rc = PL_ELIMIT;
        } else {
            rc = atomic_load(&s->closing) ? PL_ECLOSED : add(s, name, &t);
        }
        pthread_mutex_unlock(&s->tenants_lock);
    }
    if (rc >= 0) {
        *out = t;
    }
    return rc;
}

pl_str pl_tenant_name(const struct pl_tenant *t) { return t->name; }

uint32_t pl_tenant_generation(const struct pl_tenant *t)
{
    return atomic_load(&((struct pl_tenant *)t)->generation);
}

size_t pl_store_tenants(struct pl_store *s, void (*each)(void *ctx, struct pl_tenant *t), void *ctx)
{
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    size_t k = 0;
    for (unsigned i = 0; i < n; i++) {
        if (s->tenants[i]) {
            k++;
            if (each) {
                each(ctx, s->tenants[i]);
            }
        }
    }
    return k;
}

/* ---------------------------------------------------------------------------------------- loading
 */

static int load_metadata(void *ctx, pl_str key, pl_str value)
{
    struct pl_tenant *t = ctx;
    int rc = pl_metadata_table_load(t->metadata, key, value);
    if (rc == PL_ECORRUPT) {
        pl_logf(t->s->conf.log, PL_WARN, "store", "a metadata record cannot be read", "tenant=%.*s",
                PL_PRS(t->name));
    }
    return rc == PL_ENOMEM ? rc : 0;
}

static int load_idem(void *ctx, pl_str key, pl_str value)
{
    struct pl_tenant *t = ctx;
    int rc = pl_idem_table_load(t->idem, key, value);
    if (rc == PL_ECORRUPT) {
        pl_logf(t->s->conf.log, PL_WARN, "store", "an idempotency record cannot be read",
                "tenant=%.*s", PL_PRS(t->name));
    }
    return rc == PL_ENOMEM ? rc : 0;
}

static void series_damaged(void *ctx, pl_str key)
{
    struct pl_tenant *t = ctx;
    uint32_t block = key.n == 4 ? pl_rd32(key.p) : 0;
    pl_logf(t->s->conf.log, PL_ERROR, "store", "a block of series cannot be read",
            "tenant=%.*s key=%08x", PL_PRS(t->name), __builtin_bswap32(block));
}

int pl__tenant_load(struct pl_tenant *t, struct pl_engine_tenant *et)
{
    const struct pl_engine_ops *ops = t->s->engine->ops;
    int rc = ops->records(et, PL_RECORD_METADATA, load_metadata, t);
    rc = rc < 0 ? rc : ops->records(et, PL_RECORD_IDEM, load_idem, t);
    if (rc >= 0) {
        t->skip_seq = t->safe_seq = ops->flushed_seq(et);
        atomic_store(&t->et, et);
    }
    return rc < 0 ? rc : 0;
}

int pl__tenant_load_series(struct pl_tenant *t, struct pl_engine_tenant *et)
{
    return pl_series_load(t->series, t->s->engine->ops, et, series_damaged, t);
}

int pl__tenant_pin(struct pl_tenant *t, struct pl_head_gen ***gens, size_t *n)
{
    size_t cap = 4, k = 0;
    struct pl_head_gen **list = malloc(cap * sizeof *list);
    int rc = list ? 0 : PL_ENOMEM;
    pthread_mutex_lock(&t->heads_lock);
    for (struct pl__pending *p = t->pending; p && rc == 0; p = p->next) {
        if (k + 2 > cap) {
            struct pl_head_gen **more = realloc(list, 2 * cap * sizeof *more);
            rc = more ? 0 : PL_ENOMEM;
            list = more ? more : list;
            cap *= 2;
        }
        if (rc == 0 && p->gen) {
            pl_head_gen_ref(list[k++] = p->gen);
        }
    }
    if (rc == 0) {
        pl_head_gen_ref(list[k++] = t->cur);
    }
    pthread_mutex_unlock(&t->heads_lock);
    if (rc < 0) {
        while (k) {
            pl_head_gen_unref(list[--k]);
        }
        free(list);
        return rc;
    }
    *gens = list;
    *n = k;
    return 0;
}
