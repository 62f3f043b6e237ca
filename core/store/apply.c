/* The apply thread: takes frames that the journal has made durable, in order of their numbers, and
 * makes them visible: definitions -> index, rows -> head, metadata, keys, tombstones. The same code
 * runs at replay, on the thread that opens the store, before this one exists.
 *
 * Freezing happens here too, as a command in the same queue, so that a generation ends exactly at a
 * number. Without memory this thread waits for some (what it holds is acknowledged to nobody yet
 * and back-pressure builds up behind it); it never drops what is durable. */
#include "core/store/tenant.h"
#include <stdlib.h>
#include <time.h>

#define DEFS_AT_ONCE 1024

static void nap(struct pl_store *s)
{
    pl_count(s->n_late_memory, 1);
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000}, NULL);
}

/* ----------------------------------------------------------------------------------- definitions
 */

void pl__apply_define(struct pl_tenant *t, pl_str payload, uint64_t seq, bool replay)
{
    struct pl_store *s = t->s;
    struct pl_series_def defs[DEFS_AT_ONCE];
    int n;
    pl_define_reader_begin(&s->defines, payload);
    while ((n = pl_define_read(&s->defines, defs, DEFS_AT_ONCE)) > 0) {
        while (pl_series_apply(t->series, defs, (size_t)n, replay) == PL_ENOMEM) {
            nap(s);
        }
    }
    if (n < 0) {
        pl_logf(s->conf.log, PL_ERROR, "store", "a definition frame cannot be read",
                "tenant=%.*s seq=%llu err=%s", PL_PRS(t->name), (unsigned long long)seq,
                pl_err_name(n));
    }
}

/* ------------------------------------------------------------------------------------------ rows
 */

/** Bits of the hook, all clear; NULL when there is no hook. */
static uint64_t *bits_for(struct pl_store *s, size_t n)
{
    if (!s->conf.applied) {
        return NULL;
    }
    size_t words = n / 64 + 1;
    while (words > s->cap_was_new) {
        uint64_t *p = realloc(s->was_new, words * sizeof *p);
        if (p) {
            s->was_new = p;
            s->cap_was_new = words;
        } else {
            nap(s);
        }
    }
    memset(s->was_new, 0, words * sizeof *s->was_new);
    return s->was_new;
}

/** What frozen generations hold already is not new either. */
static void ask_frozen(struct pl_tenant *t, const struct pl_batch *b, uint64_t *bits)
{
    pthread_mutex_lock(&t->heads_lock); /* generations in the list are not freed under it */
    for (const struct pl__pending *p = t->pending; p; p = p->next) {
        for (size_t i = 0; p->gen && i < b->n; i++) {
            if ((bits[i / 64] >> (i % 64) & 1) &&
                pl_head_has(p->gen, b->id[i], b->t[i], b->v[i], pl_buf_view(&b->h))) {
                bits[i / 64] &= ~(1ull << (i % 64));
            }
        }
    }
    pthread_mutex_unlock(&t->heads_lock);
}

static void append_rows(struct pl_tenant *t, const struct pl_batch *b, uint64_t seq, bool replay)
{
    struct pl_store *s = t->s;
    struct pl_head_counts counts = {0};
    uint64_t *bits = bits_for(s, b->n);
    size_t before = pl_head_bytes(t->cur), done = 0;
    while (pl__touch_rows(t, b->t, b->n, seq) < 0) {
        nap(s);
    }
    while (pl_head_append(t->cur, b->id, b->t, b->v, b->n, pl_buf_view(&b->h), seq, bits, &counts,
                          &done) < 0) {
        nap(s);
    }
    atomic_fetch_add(&s->cur_bytes, pl_head_bytes(t->cur) - before);
    if (b->n && atomic_load_explicit(&t->oldest_ms, memory_order_relaxed) == INT64_MAX) {
        atomic_store(&t->oldest_ms, pl_now_ms(s->conf.clock));
    }
    pl_count(s->n_samples, counts.samples);
    pl_count(s->n_duplicates, counts.duplicates);
    pl_count(s->n_out_of_order, counts.out_of_order);
    if (bits) {
        struct pl_batch seen = *b;
        ask_frozen(t, b, bits);
        seen.was_new = bits;
        s->conf.applied(s->conf.ctx, &seen, seq, replay);
    }
}

/* --------------------------------------------------------------------------------------- samples
 */

static void apply_live(struct pl_batch *b, const struct pl_frame *f)
{
    struct pl_tenant *t = b->tenant;
    b->seq = f->seq;
    append_rows(t, b, f->seq, false);
    for (size_t i = 0; i < b->more->n_metadata; i++) {
        t->dirty |= pl_metadata_table_put(t->metadata, &b->more->metadata[i]) > 0;
    }
    t->dirty |= b->more->has_idem;
}

/** Where damage took a definition, its id must not be given out again: it has samples. */
static void use_up_ids(struct pl_tenant *t, const struct pl_rows *rows)
{
    uint32_t max = 0;
    for (size_t i = 0; i < rows->n; i++) {
        max = rows->id[i] > max ? rows->id[i] : max;
    }
    if (rows->n && max < UINT32_MAX && max >= pl_series_next_id(t->series)) {
        pl_series_skip(t->series, max + 1);
    }
}

/** From the payload. What cannot be read is logged and left out: its CRC was right, so this is a
 *  frame of a later version or a fault of ours. */
static int apply_payload(struct pl_tenant *t, const struct pl_frame *f)
{
    struct pl_store *s = t->s;
    pl_str it = pl_buf_view(&f->payload);
    struct pl_section sec;
    struct pl_metadata m;
    struct pl_frame_idem idem;
    int rc;
    pl_rows_clear(&s->rows);
    while ((rc = pl_frame_next(&it, &sec)) > 0) {
        switch (sec.type) {
        case PL_SECTION_ROWS:
            while ((rc = pl_frame_rows(sec.bytes, &s->rows)) == PL_ENOMEM) {
                nap(s);
            }
            break;
        case PL_SECTION_HISTOGRAMS:
            while ((rc = pl_frame_histograms(sec.bytes, &s->rows)) == PL_ENOMEM) {
                nap(s);
            }
            break;
        case PL_SECTION_METADATA:
            rc = pl_frame_metadata(sec.bytes, &m);
            if (rc >= 0) {
                t->dirty |= pl_metadata_table_put(t->metadata, &m) > 0;
            }
            break;
        case PL_SECTION_IDEM:
            rc = pl_frame_idem(sec.bytes, &idem);
            if (rc >= 0) {
                pl_idem_table_done(t->idem, &idem);
                t->dirty = true;
            }
            break;
        default:
            break;
        }
        if (rc < 0) {
            return rc;
        }
    }
    while (pl_rows_settle(&s->rows) < 0) {
        nap(s);
    }
    use_up_ids(t, &s->rows);
    struct pl_batch b = {.tenant = t,
                         .id = s->rows.id,
                         .t = s->rows.t,
                         .v = s->rows.v,
                         .n = s->rows.n,
                         .h = s->rows.h,
                         .seq = f->seq};
    append_rows(t, &b, f->seq, true);
    return rc;
}

void pl__apply_frame(struct pl_store *s, const struct pl_frame *f, bool replay)
{
    struct pl_tenant *t = pl__tenant_at(s, f->tenant);
    if (!t) {
        pl_logf(s->conf.log, PL_ERROR, "store", "a frame of an unknown tenant is left out",
                "tenant=%u seq=%llu", f->tenant, (unsigned long long)f->seq);
        return;
    }
    int rc = 0;
    switch (f->type) {
    case PL_FRAME_DEFINE:
        pl__apply_define(t, pl_buf_view(&f->payload), f->seq, replay);
        t->dirty = true;
        atomic_fetch_add_explicit(&t->catalogue, 1, memory_order_release);
        break;
    case PL_FRAME_SAMPLES:
        if (replay) {
            rc = apply_payload(t, f);
        } else {
            apply_live(f->user, f);
        }
        break;
    case PL_FRAME_TOMBSTONE:
        pl__erase_apply(t, f, replay ? NULL : f->user);
        break;
    default:
        break;
    }
    if (rc < 0) {
        pl_logf(s->conf.log, PL_ERROR, "store", "a frame cannot be read",
                "tenant=%.*s seq=%llu err=%s", PL_PRS(t->name), (unsigned long long)f->seq,
                pl_err_name(rc));
    }
    atomic_store_explicit(&s->applied_seq, f->seq, memory_order_release);
}

/* -------------------------------------------------------------------------------------- freezing
 */

static int keep_record(void *ctx, const struct pl_record *r)
{
    struct pl__pending *p = ctx;
    if (pl_grow(&p->records, p->n_records, &p->cap_records, sizeof *p->records) < 0) {
        return PL_ENOMEM;
    }
    struct pl_record *copy = &p->records[p->n_records];
    *copy = (struct pl_record){.kind = r->kind, .erase = r->erase};
    copy->key = pl_arena_dup(&p->arena, r->key);
    copy->value = pl_arena_dup(&p->arena, r->value);
    if (!copy->key.p || !copy->value.p) {
        return PL_ENOMEM;
    }
    p->n_records++;
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct pl_record *x = a, *y = b;
    return x->kind != y->kind ? x->kind - y->kind : pl_str_cmp(x->key, y->key);
}

static void push_pending(struct pl_tenant *t, struct pl__pending *p)
{
    *(t->pending_last ? &t->pending_last->next : &t->pending) = p;
    t->pending_last = p;
}

int pl__freeze(struct pl_tenant *t, uint64_t seq)
{
    struct pl_store *s = t->s;
    bool samples = pl_head_samples(t->cur) > 0;
    if (!samples && !t->dirty) {
        pthread_mutex_lock(&t->heads_lock);
        if (!t->pending) {
            t->safe_seq = seq > t->safe_seq ? seq : t->safe_seq;
        }
        pthread_mutex_unlock(&t->heads_lock);
        return 0;
    }
    struct pl__pending *p = calloc(1, sizeof *p);
    struct pl_head_gen *fresh = NULL;
    if (!p) {
        return PL_ENOMEM;
    }
    pl_arena_init(&p->arena, 0);
    p->seq = seq;
    int rc = samples ? pl_head_gen_new(&fresh) : 0;
    /* The records live in p until the engine has them; should the process die before, the journal
     * still has what they say. So each table may forget that they are new at once. */
    rc = rc < 0 ? rc : pl_series_save(t->series, keep_record, p);
    rc = rc < 0 ? rc : pl_metadata_table_save(t->metadata, keep_record, p);
    rc = rc < 0 ? rc : pl_idem_table_save(t->idem, keep_record, p);
    if (rc < 0) {
        pl_head_gen_unref(fresh);
        pl__pending_free(p);
        return rc;
    }
    pl_series_saved(t->series);
    if (p->n_records > 1) {
        qsort(p->records, p->n_records, sizeof *p->records, by_key);
    }
    t->dirty = false;
    size_t bytes = samples ? pl_head_bytes(t->cur) : 0;
    atomic_fetch_add(&s->frozen_bytes, bytes);
    atomic_fetch_sub(&s->cur_bytes, bytes);
    pthread_mutex_lock(&t->heads_lock);
    if (samples) {
        p->gen = t->cur;
        t->cur = fresh;
    }
    push_pending(t, p);
    pthread_mutex_unlock(&t->heads_lock);
    atomic_store(&t->oldest_ms, INT64_MAX);
    return 0;
}

int pl__freeze_all(struct pl_store *s, struct pl__command *c)
{
    (void)c;
    uint64_t seq = atomic_load(&s->applied_seq);
    int rc = 0;
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        int r = s->tenants[i] ? pl__freeze(s->tenants[i], seq) : 0;
        rc = r < 0 ? r : rc;
    }
    return rc;
}

/* ------------------------------------------------------------------------------------ the thread
 */

int pl__apply_run(struct pl_store *s, struct pl__command *c)
{
    c->frame = (struct pl_frame){.type = PL__COMMAND};
    pl__wait_init(&c->wait);
    if (!s->apply_started) { /* the opener, before the thread runs; the closer, after */
        pl__wait_signal(&c->wait, c->run(s, c));
    } else if (!pl_queue_push(&s->apply, &c->frame.node)) {
        pl__wait_signal(&c->wait, PL_ECLOSED);
    }
    return pl__wait_for(&c->wait);
}

static void handle(struct pl_store *s, struct pl_frame *f)
{
    if (f->type == PL__COMMAND) {
        struct pl__command *c = (struct pl__command *)f; /* its first member */
        pl__wait_signal(&c->wait, c->run(s, c));
        return;
    }
    bool is_batch = f->type == PL_FRAME_SAMPLES;
    struct pl_batch *b = is_batch ? f->user : NULL;
    size_t cost = is_batch && b->more->empty ? 0 : pl_frame_cost(f);
    int err = f->err;
    if (err >= 0 && cost) {
        pl__apply_frame(s, f, false);
    }
    if (is_batch) {
        pl__batch_finish(b, err);
    } else {
        if (err < 0 && f->type == PL_FRAME_TOMBSTONE) {
            pl__wait_signal(f->user, err);
        }
        pl_frame_free(f);
    }
    if (cost) {
        pl_journal_applied(s->journal, cost);
    }
}

void *pl__apply_main(void *arg)
{
    struct pl_store *s = arg;
    struct pl_node *list;
    while ((list = pl_queue_take(&s->apply, -1))) {
        for (struct pl_node *node = list, *next; node; node = next) {
            next = node->next;
            handle(s, (struct pl_frame *)node); /* its first member */
        }
        if (atomic_load_explicit(&s->cur_bytes, memory_order_relaxed) > s->conf.head_max_bytes) {
            pl__storage_want_flush(s);
        }
    }
    return NULL;
}
