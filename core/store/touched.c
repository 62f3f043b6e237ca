/* Which times have been written or deleted, and by which frames: what caches of results ask.
 *
 * Two rings of journal numbers: by the minute for the time around the newest sample, by the day for
 * all. A slot holds the highest number of any frame that touched one of its minutes (days), and
 * minutes (days) a whole ring apart share a slot, so a slot is never too low for any of them. Both
 * rings bound a time from above; the minute's is taken where it has been kept: from the start of
 * the day before the newest sample's on. The newest sample's minute only grows, so this window
 * never moves back to minutes whose samples went into the ring of days alone.
 *
 * Threads: written by the apply thread (or the opener, before it runs), before the rows are
 * appended; read by any without a lock. A deletion takes effect on the storage thread, some time
 * after its frame was applied; until then the number a reader is given for `applied` stands before
 * it, so that what was computed meanwhile counts as touched. */
#include "core/store/tenant.h"
#include <stdlib.h>

#define MINUTE_MS 60000
#define MINUTES   4096 /* a ring: 2.8 days, and the window has up to two */
#define DAYS      1024

struct pl__touched {
    _Atomic int64_t newest; /* start of its minute, ms; INT64_MIN: no samples yet */
    _Atomic uint64_t minute[MINUTES], day[DAYS];
};

static int64_t floor_div(int64_t t, int64_t unit) { return t / unit - (t % unit < 0); }

static void raise(_Atomic uint64_t *slot, uint64_t seq)
{
    if (atomic_load_explicit(slot, memory_order_relaxed) < seq) {
        atomic_store_explicit(slot, seq, memory_order_relaxed);
    }
}

/** Where the window of minutes begins, by the newest sample; INT64_MAX before there is one. */
static int64_t window_of(int64_t newest)
{
    if (newest == INT64_MIN) {
        return INT64_MAX;
    }
    int64_t day = floor_div(newest, PL__DAY_MS);
    return day <= INT64_MIN / PL__DAY_MS + 2 ? INT64_MIN : (day - 1) * PL__DAY_MS;
}

/** The tenant's rings, made at its first frame. NULL without memory. */
static struct pl__touched *rings(struct pl_tenant *t)
{
    struct pl__touched *x = atomic_load_explicit(&t->touched, memory_order_relaxed);
    if (!x && (x = calloc(1, sizeof *x))) {
        atomic_init(&x->newest, INT64_MIN);
        atomic_store_explicit(&t->touched, x, memory_order_release);
    }
    return x;
}

void pl__touched_free(struct pl_tenant *t) { free(atomic_load(&t->touched)); }

int pl__touch_rows(struct pl_tenant *t, const int64_t *times, size_t n, uint64_t seq)
{
    struct pl__touched *x = n ? rings(t) : NULL;
    if (!x) {
        return n ? PL_ENOMEM : 0;
    }
    int64_t newest = atomic_load_explicit(&x->newest, memory_order_relaxed);
    int64_t window = window_of(newest), last = 0;
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        int64_t at = times[i];
        if (any && (uint64_t)at - (uint64_t)last < MINUTE_MS) {
            continue; /* the same minute as the row before: nearly all of a batch */
        }
        int64_t minute = floor_div(at, MINUTE_MS);
        any = true;
        last = (int64_t)((uint64_t)minute * MINUTE_MS);
        if (last > newest) {
            newest = last;
            window = window_of(newest);
            atomic_store_explicit(&x->newest, newest, memory_order_relaxed);
        }
        raise(&x->day[(uint64_t)floor_div(at, PL__DAY_MS) % DAYS], seq);
        if (at >= window) {
            raise(&x->minute[(uint64_t)minute % MINUTES], seq);
        }
    }
    return 0;
}

/** Slots of [from, to]: first one and how many, all of the ring at most. */
static uint64_t slots(int64_t from, int64_t to, uint64_t ring, uint64_t *n)
{
    uint64_t more = (uint64_t)to - (uint64_t)from;
    *n = more >= ring ? ring : more + 1;
    return (uint64_t)from;
}

int pl__touch_range(struct pl_tenant *t, int64_t t0, int64_t t1, uint64_t seq)
{
    struct pl__touched *x = rings(t);
    if (!x) {
        return PL_ENOMEM;
    }
    uint64_t n, from = slots(floor_div(t0, MINUTE_MS), floor_div(t1, MINUTE_MS), MINUTES, &n);
    for (uint64_t i = 0; i < n; i++) {
        raise(&x->minute[(from + i) % MINUTES], seq);
    }
    from = slots(floor_div(t0, PL__DAY_MS), floor_div(t1, PL__DAY_MS), DAYS, &n);
    for (uint64_t i = 0; i < n; i++) {
        raise(&x->day[(from + i) % DAYS], seq);
    }
    return 0;
}

static uint64_t highest(const _Atomic uint64_t *ring, uint64_t size, int64_t from, int64_t to)
{
    uint64_t n, max = 0, at = slots(from, to, size, &n);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t seq = atomic_load_explicit(&ring[(at + i) % size], memory_order_relaxed);
        max = seq > max ? seq : max;
    }
    return max;
}

uint64_t pl_tenant_touched(struct pl_tenant *t, int64_t t0, int64_t t1, uint64_t *applied)
{
    if (applied) { /* in this order: see above */
        uint64_t seq = atomic_load_explicit(&t->s->applied_seq, memory_order_acquire);
        uint64_t erasing = atomic_load_explicit(&t->erasing, memory_order_acquire);
        *applied = erasing && erasing <= seq ? erasing - 1 : seq;
    }
    const struct pl__touched *x = atomic_load_explicit(&t->touched, memory_order_acquire);
    if (!x || t0 > t1) {
        return 0;
    }
    int64_t window = window_of(atomic_load_explicit(&x->newest, memory_order_relaxed));
    uint64_t max = 0;
    if (t0 < window) {
        int64_t end = t1 < window ? t1 : window - 1;
        max = highest(x->day, DAYS, floor_div(t0, PL__DAY_MS), floor_div(end, PL__DAY_MS));
    }
    if (t1 >= window) {
        int64_t begin = t0 > window ? t0 : window;
        uint64_t m =
            highest(x->minute, MINUTES, floor_div(begin, MINUTE_MS), floor_div(t1, MINUTE_MS));
        max = m > max ? m : max;
    }
    return max;
}

void pl__erasing(struct pl_tenant *t)
{
    uint64_t lowest = 0;
    for (const struct pl__pending *p = t->pending; p && !lowest; p = p->next) {
        lowest = p->erase ? p->seq : 0;
    }
    atomic_store_explicit(&t->erasing, lowest, memory_order_release);
}

int64_t pl_tenant_oldest(const struct pl_tenant *t) { return pl__retention_start(t->s); }

uint64_t pl_tenant_catalogue(const struct pl_tenant *t)
{
    return atomic_load_explicit(&t->catalogue, memory_order_acquire);
}
