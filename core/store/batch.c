/* Batches: filled on a loop, encoded there, handed to the journal; ids of their series. Any thread;
 * a batch belongs to one thread at a time.
 *
 * A batch counts as in flight in the tenant's generation from pl_batch_new until it is applied:
 * that is what lets gc.c end ids safely. */
#include "core/store/columns.h"
#include "core/store/tenant.h"
#include <stdlib.h>

static int refuse(struct pl_store *s)
{
    if (atomic_load_explicit(&s->closing, memory_order_acquire)) {
        return PL_ECLOSED;
    }
    int rc = pl_journal_state(s->journal);
    if (rc < 0 && (rc != PL_ENOSPC || atomic_load(&s->full))) {
        return rc; /* after a single write without space only the next one can tell */
    }
    size_t head = atomic_load_explicit(&s->cur_bytes, memory_order_relaxed) +
                  atomic_load_explicit(&s->frozen_bytes, memory_order_relaxed);
    if (pl_journal_waiting(s->journal) > s->conf.journal_queue_bytes ||
        head / PL__HEAD_OVER > s->conf.head_max_bytes) {
        return PL_EBUSY;
    }
    return 0;
}

int pl_batch_new(struct pl_tenant *t, struct pl_batch **out)
{
    struct pl_store *s = t->s;
    int rc = refuse(s);
    if (rc < 0) {
        return rc;
    }
    struct pl_batch *b = calloc(1, sizeof *b);
    struct pl_batch_more *more = calloc(1, sizeof *more);
    if (!b || !more) {
        free(b);
        free(more);
        return PL_ENOMEM;
    }
    pl_arena_init(&more->arena, 0);
    more->batch = b;
    more->counted = true;
    b->more = more;
    b->tenant = t;
    int64_t now = pl_now_ms(s->conf.clock);
    b->t_min = pl__retention_start(s);
    b->t_max =
        now > INT64_MAX - s->conf.future_limit_ms ? INT64_MAX : now + s->conf.future_limit_ms;
    for (;;) { /* counted in the generation it names, also when that moves just now */
        b->generation = atomic_load(&t->generation);
        atomic_fetch_add(&t->inflight[b->generation & 1], 1);
        if (atomic_load(&t->generation) == b->generation) {
            break;
        }
        atomic_fetch_sub(&t->inflight[b->generation & 1], 1);
    }
    *out = b;
    return 0;
}

static void landed(struct pl_batch *b)
{
    if (b->more->counted) {
        b->more->counted = false;
        atomic_fetch_sub(&b->tenant->inflight[b->generation & 1], 1);
    }
}

void pl_batch_free(struct pl_batch *b)
{
    if (!b) {
        return;
    }
    struct pl_batch_more *more = b->more;
    landed(b);
    if (more->has_idem && !more->idem.stream_seq) {
        pl_idem_table_abort(b->tenant->idem, more->idem.producer, more->idem.key, PL_ECANCELED);
    }
    pl_buf_fini(&more->frame.payload);
    pl_buf_fini(&more->one);
    pl_buf_fini(&b->h);
    free(more->boxed);
    free(more->metadata);
    free(more->exemplars);
    pl_arena_fini(&more->arena);
    free(more);
    free(b->id);
    free(b->t);
    free(b->v);
    free(b);
}

int pl_batch_reserve(struct pl_batch *b, size_t more)
{
    if (more > PL_BATCH_MAX_SAMPLES || b->n + more > PL_BATCH_MAX_SAMPLES) {
        return PL_ELIMIT;
    }
    if (b->n + more <= b->cap) {
        return 0;
    }
    size_t cap = b->cap ? 2 * b->cap : 1024;
    cap = cap < b->n + more ? b->n + more : cap;
    uint32_t *id = realloc(b->id, cap * sizeof *id);
    b->id = id ? id : b->id;
    int64_t *t = realloc(b->t, cap * sizeof *t);
    b->t = t ? t : b->t;
    double *v = realloc(b->v, cap * sizeof *v);
    b->v = v ? v : b->v;
    if (!id || !t || !v) {
        return PL_ENOMEM;
    }
    b->cap = cap;
    return 0;
}

int pl_tenant_intern(struct pl_tenant *t, pl_str canon, struct pl_hash128 hash, uint32_t *id)
{
    if (__builtin_expect(!atomic_load(&t->gc), 1)) {
        return pl_series_intern(t->series, canon, hash, id);
    }
    /* Series are about to be forgotten: say that this one is wanted before anyone can end it. */
    pthread_rwlock_rdlock(&t->gc_lock);
    int rc = pl_series_intern(t->series, canon, hash, id);
    struct pl__gc *gc = atomic_load(&t->gc);
    if (rc >= 0 && gc && *id < gc->end) {
        atomic_fetch_or_explicit(&gc->touched[*id / 64], 1ull << (*id % 64), memory_order_relaxed);
    }
    pthread_rwlock_unlock(&t->gc_lock);
    return rc;
}

int pl_tenant_labels(struct pl_tenant *t, uint32_t id, struct pl_buf *out)
{
    return pl_series_labels(t->series, id, out);
}

int pl_batch_metadata(struct pl_batch *b, const struct pl_metadata *m)
{
    struct pl_batch_more *more = b->more;
    if (m->metric.n == 0 || m->metric.n > PL_LABEL_VALUE_MAX) {
        return PL_EINVAL;
    }
    if (pl_metadata_table_same(b->tenant->metadata, m)) {
        return 0;
    }
    if (pl_grow(&more->metadata, more->n_metadata, &more->cap_metadata, sizeof *more->metadata) <
        0) {
        return PL_ENOMEM;
    }
    struct pl_metadata *copy = &more->metadata[more->n_metadata];
    *copy = (struct pl_metadata){.metric = pl_arena_dup(&more->arena, m->metric),
                                 .unit = pl_arena_dup(&more->arena, m->unit),
                                 .help = pl_arena_dup(&more->arena, m->help),
                                 .type = m->type};
    if (!copy->metric.p || !copy->unit.p || !copy->help.p) {
        return PL_ENOMEM;
    }
    copy->unit.n = copy->unit.n < PL_METADATA_UNIT_MAX ? copy->unit.n : PL_METADATA_UNIT_MAX;
    copy->help.n = copy->help.n < PL_METADATA_HELP_MAX ? copy->help.n : PL_METADATA_HELP_MAX;
    more->n_metadata++;
    return 0;
}

/* ---------------------------------------------------------------------------------- idempotency */

int pl_idem_begin(struct pl_tenant *t, pl_str producer, pl_str key, struct pl_idem_waiter *w,
                  struct pl_buf *reply)
{
    int rc = pl_idem_table_begin(t->idem, producer, key, w, reply);
    if (rc == PL_IDEM_DONE || rc == PL_IDEM_WAIT) {
        pl_count(t->s->n_idem_hits, 1);
    }
    return rc;
}

void pl_idem_abort(struct pl_tenant *t, pl_str producer, pl_str key, int err)
{
    pl_idem_table_abort(t->idem, producer, key, err);
}

uint64_t pl_idem_last(struct pl_tenant *t, pl_str producer)
{
    return pl_idem_table_last(t->idem, producer);
}

static int set_idem(struct pl_batch *b, pl_str producer, pl_str key, pl_str reply, uint64_t seq)
{
    struct pl_batch_more *more = b->more;
    if (producer.n > PL_IDEM_NAME_MAX || key.n > PL_IDEM_NAME_MAX || reply.n > PL_IDEM_REPLY_MAX) {
        return PL_ELIMIT;
    }
    struct pl_frame_idem x = {.producer = pl_arena_dup(&more->arena, producer),
                              .key = pl_arena_dup(&more->arena, key),
                              .reply = pl_arena_dup(&more->arena, reply),
                              .stream_seq = seq,
                              .t_ms = pl_now_ms(b->tenant->s->conf.clock)};
    if (!x.producer.p || !x.key.p || !x.reply.p) {
        return PL_ENOMEM;
    }
    more->idem = x;
    more->has_idem = true;
    return 0;
}

int pl_batch_idem(struct pl_batch *b, pl_str producer, pl_str key, pl_str reply)
{
    return key.n ? set_idem(b, producer, key, reply, 0) : PL_EINVAL;
}

int pl_batch_stream_seq(struct pl_batch *b, pl_str producer, uint64_t seq)
{
    return seq ? set_idem(b, producer, PL_STR(""), PL_STR(""), seq) : PL_EINVAL;
}

/* -------------------------------------------------------------------------------------- writing */

static int64_t day_of(int64_t t) { return t / PL__DAY_MS - (t % PL__DAY_MS < 0); }

static int by_day(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/** PL_ELIMIT when the rows lie in too many days. Nearly always the span alone says no. */
static int check_days(const struct pl_batch *b)
{
    uint32_t max = b->tenant->s->conf.max_batch_partitions;
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    for (size_t i = 0; i < b->n; i++) {
        lo = b->t[i] < lo ? b->t[i] : lo;
        hi = b->t[i] > hi ? b->t[i] : hi;
    }
    if (b->n == 0 || max == 0 || day_of(hi) - day_of(lo) < max) {
        return 0;
    }
    int64_t *days = malloc(b->n * sizeof *days);
    if (!days) {
        return PL_ENOMEM;
    }
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        days[n] = day_of(b->t[i]);
        n += n == 0 || days[n] != days[n - 1];
    }
    qsort(days, n, sizeof *days, by_day);
    size_t distinct = n > 0;
    for (size_t i = 1; i < n; i++) {
        distinct += days[i] != days[i - 1];
    }
    free(days);
    return distinct > max ? PL_ELIMIT : 0;
}

static int encode(struct pl_batch *b)
{
    struct pl_batch_more *more = b->more;
    struct pl_buf *out = &more->frame.payload;
    int rc = check_days(b);
    if (rc >= 0 && pl__has_boxed(b->v, b->n)) {
        rc = pl__batch_box(b);
        rc = rc < 0 ? rc : pl_frame_add_histograms(out, pl_buf_view(&b->h));
    } else {
        pl_buf_clear(&b->h); /* of rows taken back */
    }
    if (rc >= 0 && b->n) {
        rc = pl_frame_add_rows(out, b->id, b->t, b->v, b->n);
    }
    for (size_t i = 0; i < more->n_metadata && rc >= 0; i++) {
        rc = pl_frame_add_metadata(out, &more->metadata[i]);
    }
    if (rc >= 0 && more->has_idem) {
        rc = pl_frame_add_idem(out, &more->idem);
    }
    more->empty = out->n == 0;
    more->frame.type = PL_FRAME_SAMPLES;
    more->frame.tenant = b->tenant->number;
    more->frame.user = b;
    if (rc >= 0 && !more->empty) {
        pl_frame_seal(&more->frame);
    }
    return rc;
}

void pl_batch_write(struct pl_batch *b, void (*done)(struct pl_batch *b, int err))
{
    struct pl_store *s = b->tenant->s;
    struct pl_frame *f = &b->more->frame;
    b->done = done;
    int rc = encode(b);
    atomic_fetch_add(&s->writers, 1);
    if (rc >= 0 && atomic_load(&s->closing)) {
        rc = PL_ECLOSED;
    }
    bool submit = rc >= 0 && !b->more->empty;
    if (submit) {
        rc = pl_journal_submit(s->journal, f); /* taken: b may be gone already */
    }
    if (rc < 0 || !submit) {
        f->seq = 0;
        f->err = rc;
        b->more->empty = true;
        if (!pl_queue_push(&s->apply, &f->node)) {
            pl__batch_finish(b, PL_ECLOSED);
        }
    }
    atomic_fetch_sub(&s->writers, 1);
}

void pl__batch_finish(struct pl_batch *b, int err)
{
    struct pl_batch_more *more = b->more;
    struct pl_tenant *t = b->tenant;
    if (more->has_idem) {
        if (err >= 0) {
            if (pl_idem_table_done(t->idem, &more->idem) < 0) {
                pl_logf(t->s->conf.log, PL_WARN, "store", "no memory to keep an idempotency key",
                        NULL);
            }
        } else if (!more->idem.stream_seq) {
            pl_idem_table_abort(t->idem, more->idem.producer, more->idem.key, err);
        }
        more->has_idem = false;
    }
    if (err >= 0 && more->n_exemplars) {
        pl__batch_exemplars(b);
    }
    pl_count(err < 0 ? t->s->n_batches_failed : t->s->n_batches, 1);
    landed(b);
    b->done(b, err < 0 ? err : 0);
}
