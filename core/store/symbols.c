/* Interned labels; see symbols.h. */
#include "core/store/symbols.h"
#include <stdlib.h>

#define CHUNK_MIN 4096
#define CHUNK_MAX (256 * 1024)

/* ------------------------------------------------------------------------------- numbers by hash
 */

static uint64_t place(const struct pl__map *m, uint32_t tag)
{
    return (uint64_t)tag * m->cap >> 32;
}

uint32_t pl__map_next(const struct pl__map *m, uint32_t tag, uint64_t *at)
{
    if (m->cap == 0) {
        return 0;
    }
    uint64_t i = *at == UINT64_MAX ? place(m, tag) : *at + 1;
    for (;; i++) {
        i = i >= m->cap ? 0 : i;
        uint64_t slot = m->slot[i];
        if (slot == 0) {
            return 0;
        }
        if (slot >> 32 == tag) {
            *at = i;
            return (uint32_t)slot;
        }
    }
}

static void put(struct pl__map *m, uint32_t tag, uint32_t number)
{
    uint64_t i = place(m, tag);
    while (m->slot[i]) {
        i = i + 1 == m->cap ? 0 : i + 1;
    }
    m->slot[i] = (uint64_t)tag << 32 | (number + 1);
    m->n++;
}

int pl__map_put(struct pl__map *m, uint32_t tag, uint32_t number)
{
    if (m->n + 1 > m->cap - m->cap / 4) {
        struct pl__map more = {.cap = m->cap < 64 ? 64 : m->cap + m->cap / 3};
        more.slot = calloc(more.cap, sizeof *more.slot);
        if (!more.slot) {
            return PL_ENOMEM;
        }
        for (uint32_t i = 0; i < m->cap; i++) {
            if (m->slot[i]) {
                put(&more, (uint32_t)(m->slot[i] >> 32), (uint32_t)m->slot[i] - 1);
            }
        }
        free(m->slot);
        *m = more;
    }
    put(m, tag, number);
    return 0;
}

/* -------------------------------------------------------------------------------------- symbols */

pl_str pl__pair_value(const struct pl__pair *p)
{
    uint64_t n = 0;
    const uint8_t *end = p->label + p->n_label;
    const uint8_t *q = pl_varint_get(p->label, end, &n) + n;
    q = pl_varint_get(q, end, &n);
    return pl_str_mem(q, n);
}

void pl__symbols_fini(struct pl__symbols *y)
{
    for (uint32_t i = 0; i < y->n_pairs; i++) {
        pl__posting_fini(&pl__pair(y, i)->post);
    }
    for (uint32_t i = 0; i < y->n_pages; i++) {
        free(y->pages[i]);
    }
    for (uint32_t i = 0; i < y->n_names; i++) {
        pl__posting_fini(&y->names[i]->has);
        free(y->names[i]->pairs);
        free(y->names[i]);
    }
    for (struct pl__chunk *c = y->chunk, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(y->pages);
    free(y->names);
    free(y->pair_map.slot);
    free(y->name_map.slot);
    *y = (struct pl__symbols){0};
}

/** A copy that lives as long as the symbols. */
static const uint8_t *keep(struct pl__symbols *y, const uint8_t *p, size_t n)
{
    struct pl__chunk *c = y->chunk;
    if (!c || c->cap - c->n < n) {
        size_t cap = c ? c->cap * 2 : CHUNK_MIN;
        cap = cap > CHUNK_MAX ? CHUNK_MAX : cap;
        cap = cap < n ? n : cap;
        c = malloc(sizeof *c + cap);
        if (!c) {
            return NULL;
        }
        *c = (struct pl__chunk){.next = y->chunk, .cap = cap};
        y->chunk = c;
        y->bytes += sizeof *c + cap;
    }
    uint8_t *to = c->p + c->n;
    memcpy(to, p, n);
    c->n += n;
    return to;
}

/** Room for one more in an array of n; the array, or NULL. */
static void *grow(void *p, uint32_t n, uint32_t *cap, size_t size, size_t *bytes)
{
    if (n < *cap) {
        return p;
    }
    uint32_t more = *cap < 8 ? 8 : *cap + *cap / 2;
    void *q = realloc(p, more * size);
    if (q) {
        *bytes += (more - *cap) * size;
        *cap = more;
    }
    return q;
}

bool pl__symbols_name(const struct pl__symbols *y, pl_str name, uint32_t *number)
{
    uint32_t tag = (uint32_t)(pl_hash64(name.p, name.n, 0) >> 32), found;
    uint64_t at = UINT64_MAX;
    while ((found = pl__map_next(&y->name_map, tag, &at))) {
        if (pl_str_eq(y->names[found - 1]->s, name)) {
            *number = found - 1;
            return true;
        }
    }
    return false;
}

static int intern_name(struct pl__symbols *y, pl_str name, uint32_t *number)
{
    if (pl__symbols_name(y, name, number)) {
        return 0;
    }
    struct pl__name *made = calloc(1, sizeof *made);
    const uint8_t *p = keep(y, (const uint8_t *)name.p, name.n);
    void *names = grow(y->names, y->n_names, &y->cap_names, sizeof *y->names, &y->bytes);
    y->names = names ? names : y->names;
    uint32_t tag = (uint32_t)(pl_hash64(name.p, name.n, 0) >> 32);
    if (!made || !p || !names || pl__map_put(&y->name_map, tag, y->n_names) < 0) {
        free(made);
        return PL_ENOMEM;
    }
    made->s = pl_str_mem(p, name.n);
    y->bytes += sizeof *made + 16;
    y->names[y->n_names] = made;
    *number = y->n_names++;
    return 0;
}

static uint32_t pair_tag(const uint8_t *label, size_t n)
{
    return (uint32_t)(pl_hash64(label, n, 0) >> 32);
}

static bool find_label(const struct pl__symbols *y, const uint8_t *label, size_t n, uint32_t tag,
                       uint32_t *pair)
{
    uint32_t found;
    uint64_t at = UINT64_MAX;
    while ((found = pl__map_next(&y->pair_map, tag, &at))) {
        const struct pl__pair *p = pl__pair(y, found - 1);
        if (p->n_label == n && memcmp(p->label, label, n) == 0) {
            *pair = found - 1;
            return true;
        }
    }
    return false;
}

bool pl__symbols_find(const struct pl__symbols *y, pl_str name, pl_str value, uint32_t *pair)
{
    uint8_t few[256], *label = few;
    size_t most = name.n + value.n + 2 * PL_VARINT_MAX;
    if (name.n > PL_LABELS_BYTES_MAX || value.n > PL_LABELS_BYTES_MAX ||
        (most > sizeof few && !(label = malloc(most)))) {
        return false;
    }
    size_t n = pl_varint_put(label, name.n);
    memcpy(label + n, name.p, name.n);
    n += name.n;
    n += pl_varint_put(label + n, value.n);
    memcpy(label + n, value.p, value.n);
    n += value.n;
    bool found = find_label(y, label, n, pair_tag(label, n), pair);
    if (label != few) {
        free(label);
    }
    return found;
}

int pl__symbols_intern(struct pl__symbols *y, const uint8_t *label, size_t n_label, pl_str name,
                       uint32_t *pair)
{
    uint32_t tag = pair_tag(label, n_label), name_number = 0;
    if (find_label(y, label, n_label, tag, pair)) {
        return 0;
    }
    int rc = intern_name(y, name, &name_number);
    if (rc < 0) {
        return rc;
    }
    if (y->n_pairs == y->n_pages * PL__PAIR_PAGE) {
        void *pages = grow(y->pages, y->n_pages, &y->cap_pages, sizeof *y->pages, &y->bytes);
        struct pl__pair *page = pages ? calloc(PL__PAIR_PAGE, sizeof *page) : NULL;
        y->pages = pages ? pages : y->pages;
        if (!page) {
            return PL_ENOMEM;
        }
        y->pages[y->n_pages++] = page;
        y->bytes += PL__PAIR_PAGE * sizeof *page;
    }
    struct pl__name *n = y->names[name_number];
    uint32_t *pairs = grow(n->pairs, n->n, &n->cap, sizeof *n->pairs, &y->bytes);
    n->pairs = pairs ? pairs : n->pairs;
    const uint8_t *p = keep(y, label, n_label);
    if (!pairs || !p || pl__map_put(&y->pair_map, tag, y->n_pairs) < 0) {
        return PL_ENOMEM;
    }
    struct pl__pair *made = pl__pair(y, y->n_pairs);
    made->label = p;
    made->n_label = (uint32_t)n_label;
    made->name = name_number;
    n->pairs[n->n++] = y->n_pairs;
    *pair = y->n_pairs++;
    return 0;
}
