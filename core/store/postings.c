/* Posting lists; see postings.h. */
#include "core/store/postings.h"
#include <stdlib.h>

static uint32_t *ids_of(struct pl__posting *p)
{
    return p->kind == PL__POSTING_FEW ? p->u.few : p->u.list;
}

static const uint32_t *ids_of_const(const struct pl__posting *p)
{
    return p->kind == PL__POSTING_FEW ? p->u.few : p->u.list;
}

/** Turn into a bitmap. */
static int become_big(struct pl__posting *p)
{
    struct pl__posting_big *big = calloc(1, sizeof *big);
    roaring_bitmap_t *r = roaring_bitmap_create();
    if (!big || !r) {
        free(big);
        if (r) {
            roaring_bitmap_free(r);
        }
        return PL_ENOMEM;
    }
    roaring_bitmap_add_many(r, p->n, ids_of(p));
    big->r = r;
    if (p->kind == PL__POSTING_LIST) {
        free(p->u.list);
    }
    p->kind = PL__POSTING_BIG;
    p->u.big = big;
    return 0;
}

/** Room for `more` ids in a list. */
static int grow_list(struct pl__posting *p, uint32_t more)
{
    if (p->kind == PL__POSTING_FEW && p->n + more <= 2) {
        return 0;
    }
    uint32_t need = p->n + more;
    if (p->kind == PL__POSTING_LIST && need <= 1u << p->cap_log2) {
        return 0;
    }
    uint8_t log2 = 2;
    while (1u << log2 < need) {
        log2++;
    }
    uint32_t *list = realloc(p->kind == PL__POSTING_LIST ? p->u.list : NULL, sizeof *list << log2);
    if (!list) {
        return PL_ENOMEM;
    }
    if (p->kind == PL__POSTING_FEW) {
        memcpy(list, p->u.few, sizeof p->u.few);
    }
    p->kind = PL__POSTING_LIST;
    p->cap_log2 = log2;
    p->u.list = list;
    return 0;
}

static void settle(struct pl__posting_big *big)
{
    roaring_bitmap_add_many(big->r, big->n_tail, big->tail);
    big->n_tail = 0;
}

static int add_big(struct pl__posting *p, uint32_t from, uint32_t to, struct pl__unsettled *un)
{
    struct pl__posting_big *big = p->u.big;
    p->n += to - from;
    if (to - from > 16) {
        roaring_bitmap_add_range_closed(big->r, from, to - 1);
        return 0;
    }
    for (uint32_t id = from; id < to; id++) {
        if (big->n_tail == PL__POSTING_TAIL) {
            settle(big);
        }
        big->tail[big->n_tail++] = id;
    }
    if (!big->unsettled) {
        if (un->n == un->cap) {
            size_t cap = un->cap ? un->cap * 2 : 64;
            struct pl__posting_big **more = realloc(un->p, cap * sizeof *more);
            if (!more) {
                settle(big);
                return 0;
            }
            un->p = more;
            un->cap = cap;
        }
        un->p[un->n++] = big;
        big->unsettled = true;
    }
    return 0;
}

int pl__posting_add(struct pl__posting *p, uint32_t from, uint32_t to, struct pl__unsettled *un)
{
    int rc = 0;
    if (p->kind != PL__POSTING_BIG) {
        if (to - from > PL__POSTING_LIST_MAX - p->n) {
            rc = become_big(p);
        } else {
            rc = grow_list(p, to - from);
        }
    }
    if (rc < 0) {
        return rc;
    }
    if (p->kind == PL__POSTING_BIG) {
        return add_big(p, from, to, un);
    }
    uint32_t *ids = ids_of(p), at = p->n, count = to - from;
    while (at && ids[at - 1] > from) {
        at--;
    }
    memmove(ids + at + count, ids + at, (p->n - at) * sizeof *ids);
    for (uint32_t i = 0; i < count; i++) {
        ids[at + i] = from + i;
    }
    p->n += count;
    return 0;
}

void pl__posting_remove(struct pl__posting *p, uint32_t id)
{
    if (p->kind == PL__POSTING_BIG) {
        p->n -= roaring_bitmap_remove_checked(p->u.big->r, id);
        return;
    }
    uint32_t *ids = ids_of(p);
    for (uint32_t i = 0; i < p->n; i++) {
        if (ids[i] == id) {
            memmove(ids + i, ids + i + 1, (p->n - i - 1) * sizeof *ids);
            p->n--;
            return;
        }
    }
}

void pl__posting_fini(struct pl__posting *p)
{
    if (p->kind == PL__POSTING_BIG) {
        roaring_bitmap_free(p->u.big->r);
        free(p->u.big);
    } else if (p->kind == PL__POSTING_LIST) {
        free(p->u.list);
    }
    *p = (struct pl__posting){0};
}

size_t pl__posting_bytes(const struct pl__posting *p)
{
    if (p->kind == PL__POSTING_BIG) {
        /* containers' own heads and slack are not in the size that roaring tells */
        const roaring_bitmap_t *r = p->u.big->r;
        return sizeof *p->u.big + sizeof *r + roaring_bitmap_size_in_bytes(r) +
               (size_t)r->high_low_container.size * 48;
    }
    return p->kind == PL__POSTING_LIST ? (sizeof(uint32_t) << p->cap_log2) + 16 : 0;
}

void pl__postings_settle(struct pl__unsettled *un)
{
    for (size_t i = 0; i < un->n; i++) {
        settle(un->p[i]);
        un->p[i]->unsettled = false;
    }
    un->n = 0;
}

bool pl__posting_has(const struct pl__posting *p, uint32_t id)
{
    if (p->kind == PL__POSTING_BIG) {
        return roaring_bitmap_contains(p->u.big->r, id);
    }
    const uint32_t *ids = ids_of_const(p);
    uint32_t lo = 0, hi = p->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (ids[mid] < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < p->n && ids[lo] == id;
}

const roaring_bitmap_t *pl__posting_bitmap(const struct pl__posting *p, bool *owned)
{
    *owned = p->kind != PL__POSTING_BIG;
    return *owned ? roaring_bitmap_of_ptr(p->n, ids_of_const(p)) : p->u.big->r;
}

const uint32_t *pl__posting_list(const struct pl__posting *p)
{
    return p->kind == PL__POSTING_BIG ? NULL : ids_of_const(p);
}

void pl__posting_or_lazy(roaring_bitmap_t *r, const struct pl__posting *p)
{
    if (p->kind == PL__POSTING_BIG) {
        roaring_bitmap_lazy_or_inplace(r, p->u.big->r, true);
    } else {
        roaring_bitmap_add_many(r, p->n, ids_of_const(p));
    }
}
