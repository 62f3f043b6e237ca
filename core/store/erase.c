/* Deletion by matcher and range. The ids it meant go into the journal (a tombstone), so that a
 * replay deletes the same series again, not those that match by then.
 *
 *   TOMBSTONE payload   u8 1 | varint zigzag t0 | varint zigzag t1 | varint n | n ranges of ids:
 *                       varint first - end of the range before | varint length - 1
 *
 * On the apply thread the tombstone freezes the generation before it; the storage thread brings
 * that to the engine and then erases there up to the tombstone's number. A tombstone stays in the
 * journal until a later flush goes beyond it, which comes after the erasure: a crash in between
 * repeats it. */
#include "core/store/tenant.h"
#include <stdlib.h>
#include <time.h>

#define TOMBSTONE_VERSION 1

/** Append a payload; ids ascending. PL_ENOMEM. */
static int tombstone_put(struct pl_buf *out, const uint32_t *ids, size_t n, int64_t t0, int64_t t1)
{
    size_t n_ranges = 0;
    for (size_t i = 0; i < n; i++) {
        n_ranges += i == 0 || ids[i] != ids[i - 1] + 1;
    }
    pl_buf_u8(out, TOMBSTONE_VERSION);
    pl_buf_varint(out, pl_zigzag(t0));
    pl_buf_varint(out, pl_zigzag(t1));
    pl_buf_varint(out, n_ranges);
    uint32_t end = 0;
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && ids[k] == ids[k - 1] + 1; k++) {
        }
        pl_buf_varint(out, ids[i] - end);
        pl_buf_varint(out, k - i - 1);
        end = ids[k - 1] + 1;
    }
    return out->failed ? PL_ENOMEM : 0;
}

/** Ids malloc'ed into *ids. PL_ECORRUPT, PL_ENOMEM. */
static int tombstone_get(pl_str s, uint32_t **ids, size_t *n, int64_t *t0, int64_t *t1)
{
    const uint8_t *p = (const uint8_t *)s.p, *end = p + s.n;
    uint64_t a = 0, b = 0, n_ranges = 0, at = 0;
    if (s.n < 1 || *p++ != TOMBSTONE_VERSION || !(p = pl_varint_get(p, end, &a)) ||
        !(p = pl_varint_get(p, end, &b)) || !(p = pl_varint_get(p, end, &n_ranges))) {
        return PL_ECORRUPT;
    }
    uint32_t *list = NULL;
    size_t cap = 0, k = 0;
    for (uint64_t r = 0; r < n_ranges; r++) {
        uint64_t gap, more;
        p = pl_varint_get(p, end, &gap);
        p = p ? pl_varint_get(p, end, &more) : NULL;
        if (!p || gap > UINT32_MAX || more > UINT32_MAX || at + gap + more > UINT32_MAX) {
            free(list);
            return PL_ECORRUPT;
        }
        at += gap;
        if (k + more + 1 > cap) {
            cap = 2 * cap > k + more + 1 ? 2 * cap : k + more + 1;
            uint32_t *bigger = realloc(list, cap * sizeof *list);
            if (!bigger) {
                free(list);
                return PL_ENOMEM;
            }
            list = bigger;
        }
        for (uint64_t i = 0; i <= more; i++) {
            list[k++] = (uint32_t)at++;
        }
    }
    *ids = list;
    *n = k;
    *t0 = pl_unzigzag(a);
    *t1 = pl_unzigzag(b);
    return 0;
}

void pl__erase_apply(struct pl_tenant *t, const struct pl_frame *f, struct pl__wait *waiter)
{
    struct pl__pending *p;
    int rc;
    while (!(p = calloc(1, sizeof *p)) ||
           (rc = tombstone_get(pl_buf_view(&f->payload), &p->ids, &p->n_ids, &p->t0, &p->t1)) ==
               PL_ENOMEM ||
           (rc >= 0 &&
            (pl__touch_range(t, p->t0, p->t1, f->seq) < 0 || pl__freeze(t, f->seq - 1) < 0))) {
        if (p) {
            free(p->ids);
        }
        free(p);
        pl_count(t->s->n_late_memory, 1); /* an erasure that is durable is not dropped either */
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000}, NULL);
    }
    if (rc < 0) {
        pl_logf(t->s->conf.log, PL_ERROR, "store", "a tombstone cannot be read",
                "tenant=%.*s seq=%llu", PL_PRS(t->name), (unsigned long long)f->seq);
        free(p);
        if (waiter) {
            pl__wait_signal(waiter, rc);
        }
        return;
    }
    p->erase = true;
    p->seq = f->seq;
    p->waiter = waiter;
    pl_arena_init(&p->arena, 0);
    pthread_mutex_lock(&t->heads_lock);
    *(t->pending_last ? &t->pending_last->next : &t->pending) = p;
    t->pending_last = p;
    pl__erasing(t);
    pthread_mutex_unlock(&t->heads_lock);
    pl_count(t->s->n_erasures, 1);
    if (waiter) {
        atomic_store(&t->s->force_flush, true);
        pl__storage_want_flush(t->s);
    }
}

/** Submit the tombstone and wait until the engine has it. */
static int erase_ids(struct pl_tenant *t, const uint32_t *ids, size_t n, int64_t t0, int64_t t1)
{
    struct pl_store *s = t->s;
    struct pl__wait wait;
    struct pl_frame *f = calloc(1, sizeof *f);
    if (!f) {
        return PL_ENOMEM;
    }
    f->type = PL_FRAME_TOMBSTONE;
    f->tenant = t->number;
    f->user = &wait;
    int rc = tombstone_put(&f->payload, ids, n, t0, t1);
    pl__wait_init(&wait);
    atomic_fetch_add(&s->writers, 1);
    rc = rc >= 0 && atomic_load(&s->closing) ? PL_ECLOSED : rc;
    if (rc >= 0) {
        pl_frame_seal(f);
        rc = pl_journal_submit(s->journal, f);
    }
    atomic_fetch_sub(&s->writers, 1);
    if (rc < 0) { /* not taken */
        pl_frame_free(f);
        pl__wait_signal(&wait, rc);
    }
    return pl__wait_for(&wait);
}

int pl_store_erase(struct pl_tenant *t, const struct pl_selector *sel, size_t n_sel, int64_t t0,
                   int64_t t1, uint64_t *n_series)
{
    uint32_t *ids = NULL;
    size_t n = 0;
    if (t0 > t1 || n_sel == 0) {
        return PL_EINVAL;
    }
    int rc = pl_series_find(t->series, sel, n_sel, &ids, &n);
    if (rc >= 0 && n) {
        rc = erase_ids(t, ids, n, t0, t1);
    }
    free(ids);
    if (rc >= 0) {
        *n_series = n;
        rc = 0;
    }
    return rc;
}
