/* Labels by id, as numbers of symbols: varints, 64 series to a block, blocks in pages. Locked by
 * the series' lock. */
#include "core/store/series_impl.h"
#include <stdlib.h>

static struct pl__id_block *block_of(const struct pl__labels *l, uint32_t id)
{
    uint32_t page = id / PL__ID_PAGE;
    if (page >= l->n_pages || !l->pages[page]) {
        return NULL;
    }
    return &l->pages[page]->blocks[id % PL__ID_PAGE / PL__IDS];
}

bool pl__labels_has(const struct pl__labels *l, uint32_t id)
{
    const struct pl__id_block *b = block_of(l, id);
    return b && b->at[id % PL__IDS];
}

uint32_t pl__labels_get(const struct pl__labels *l, uint32_t id, uint32_t pairs[PL_LABELS_MAX])
{
    const struct pl__id_block *b = block_of(l, id);
    if (!b || b->at[id % PL__IDS] == 0) {
        return 0;
    }
    const uint8_t *p = b->p + b->at[id % PL__IDS], *end = b->p + b->n;
    uint64_t n = 0, x = 0;
    p = pl_varint_get(p, end, &n);
    for (uint64_t i = 0; i < n; i++) {
        p = pl_varint_get(p, end, &x);
        pairs[i] = (uint32_t)x;
    }
    return (uint32_t)n;
}

static struct pl__id_block *make_block(struct pl__labels *l, uint32_t id)
{
    uint32_t page = id / PL__ID_PAGE;
    if (page >= l->n_pages) {
        struct pl__id_page **pages = realloc(l->pages, (page + 1) * sizeof *pages);
        if (!pages) {
            return NULL;
        }
        memset(pages + l->n_pages, 0, (page + 1 - l->n_pages) * sizeof *pages);
        l->bytes += (page + 1 - l->n_pages) * sizeof *pages;
        l->pages = pages;
        l->n_pages = page + 1;
    }
    if (!l->pages[page]) {
        l->pages[page] = calloc(1, sizeof *l->pages[page]);
        if (!l->pages[page]) {
            return NULL;
        }
        l->bytes += sizeof *l->pages[page];
    }
    return block_of(l, id);
}

int pl__labels_put(struct pl__labels *l, uint32_t id, const uint32_t *pairs, uint32_t n)
{
    struct pl__id_block *b = make_block(l, id);
    size_t most = 2 + (size_t)n * 5;
    if (!b) {
        return PL_ENOMEM;
    }
    if (!b->n) {
        b->n = 1;
    }
    if (b->cap < b->n + most) { /* most likely it gets as long as the one before */
        uint32_t cap = b->cap ? b->cap + b->cap / 4 + 64 : l->block_bytes + 128;
        cap = cap < b->n + most ? (uint32_t)(b->n + most) : cap;
        uint8_t *p = realloc(b->p, cap);
        if (!p) {
            return PL_ENOMEM;
        }
        l->bytes += cap - b->cap;
        b->p = p;
        b->cap = cap;
    }
    b->at[id % PL__IDS] = (uint16_t)b->n;
    b->n += pl_varint_put(b->p + b->n, n);
    for (uint32_t i = 0; i < n; i++) {
        b->n += pl_varint_put(b->p + b->n, pairs[i]);
    }
    if (id % PL__IDS == PL__IDS - 1 && b->cap > b->n) { /* most likely full: give back the rest */
        l->block_bytes = b->n;
        uint8_t *p = realloc(b->p, b->n);
        if (p) {
            l->bytes -= b->cap - b->n;
            b->p = p;
            b->cap = b->n;
        }
    }
    return 0;
}

/** Close the gaps that dropped series left. */
static void block_tidy(struct pl__labels *l, struct pl__id_block *b)
{
    uint8_t *p = b->n ? malloc(b->n) : NULL;
    if (!p) {
        return;
    }
    uint32_t n = 1;
    for (uint32_t i = 0; i < PL__IDS; i++) {
        if (b->at[i]) {
            const uint8_t *from = b->p + b->at[i], *end = b->p + b->n, *q;
            uint64_t count = 0, x;
            q = pl_varint_get(from, end, &count);
            while (count--) {
                q = pl_varint_get(q, end, &x);
            }
            memcpy(p + n, from, (size_t)(q - from));
            b->at[i] = (uint16_t)n;
            n += (uint32_t)(q - from);
        }
    }
    l->bytes -= b->cap;
    free(b->p);
    if (n == 1) {
        free(p);
        b->p = NULL;
        b->n = b->cap = 0;
        return;
    }
    uint8_t *fit = realloc(p, n);
    b->p = fit ? fit : p;
    b->n = b->cap = n;
    l->bytes += n;
}

void pl__labels_remove(struct pl__labels *l, uint32_t id, bool tidy)
{
    struct pl__id_block *b = block_of(l, id);
    b->at[id % PL__IDS] = 0;
    if (tidy) {
        block_tidy(l, b);
    }
}

void pl__labels_fini(struct pl__labels *l)
{
    for (uint32_t i = 0; i < l->n_pages; i++) {
        for (size_t k = 0; l->pages[i] && k < PL__ID_PAGE / PL__IDS; k++) {
            free(l->pages[i]->blocks[k].p);
        }
        free(l->pages[i]);
    }
    free(l->pages);
    *l = (struct pl__labels){0};
}
