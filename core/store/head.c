/* The head: one generation of samples in memory.
 *
 *   directory  (lazily mapped)     64 K slots           blocks, bumped out of pieces
 *   [id / 64 K] ------------------> [id % 64 K] --------> newest block -> older -> ... -> oldest
 *
 *   slot   u64: samples of the newest block << 56 | capacity code << 53 | out of order << 52
 *          | address >> 3
 *   block  older block | i64 base time | u16 n (set when a newer one follows) | u16 0 | u32 0
 *          then records of 12 bytes: i32 time - base | u64 bits of the value, low half first
 *          The value of a histogram is its tag and the address of: varint n | n bytes
 *          capacities 4, 8, 16 ... 128 by code; a time too far from the base begins a new block
 *
 * The apply thread is the only writer. It publishes a sample, and a new block, by one release store
 * of the slot; readers take the slot once (acquire) and see a consistent prefix of the series.
 * Nothing that a reader can see ever moves or changes. A slot says where the next record goes, so
 * an append touches two lines (slot, then the block's header and record) and both are prefetched
 * some rows ahead. Pieces grow from 16 KB to 2 MB, so that a small tenant stays small. */
#include "core/store/head.h"
#include "core/store/columns.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SLOT_BITS   16
#define SLOTS       (1u << SLOT_BITS)
#define DIRECTORY   (1u << (32 - SLOT_BITS))
#define PIECE_MIN   (16u << 10)
#define PIECE_MAX   (2u << 20)
#define RECORD      12
#define CAP_CODES   6 /* 4 << code */
#define AHEAD_SLOT  16
#define AHEAD_BLOCK 8

struct block {
    struct block *older;
    int64_t base;
    uint16_t n;
    uint16_t zero;
    uint32_t zero4;
    uint8_t records[];
};

struct piece {
    struct piece *next;
    size_t bytes;
};

typedef _Atomic uint64_t slot;

struct pl_head_gen {
    atomic_uint refs;
    _Atomic(slot *) *directory; /* DIRECTORY entries, mapped lazily */
    struct piece *pieces;       /* apply */
    uint8_t *at, *end;          /* apply: free part of the newest piece */
    atomic_size_t bytes;
    atomic_bool boxed; /* it holds histograms; set before the first can be seen */
    atomic_uint_fast64_t samples;
    _Atomic int64_t t_min, t_max;
    atomic_uint_fast64_t first_seq, last_seq;
    _Atomic uint32_t top; /* directory entries in use are below it */
};

/** Some sample of the series is not younger than the one before it. */
#define UNSORTED (1ull << 52)

static inline struct block *slot_block(uint64_t w)
{
    return (struct block *)(uintptr_t)((w & (UNSORTED - 1)) << 3);
}
static inline uint32_t slot_n(uint64_t w) { return (uint32_t)(w >> 56); }
static inline uint32_t slot_code(uint64_t w) { return (uint32_t)(w >> 53) & 7; }
static inline uint64_t slot_make(const struct block *b, uint32_t n, uint32_t code)
{
    return (uint64_t)n << 56 | (uint64_t)code << 53 | (uint64_t)(uintptr_t)b >> 3;
}

static inline int64_t record_time(const struct block *b, uint32_t i)
{
    int32_t d;
    memcpy(&d, b->records + (size_t)i * RECORD, 4);
    return b->base + d;
}
static inline uint64_t record_bits(const struct block *b, uint32_t i)
{
    return pl_rd64(b->records + (size_t)i * RECORD + 4);
}

static void *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

int pl_head_gen_new(struct pl_head_gen **out)
{
    struct pl_head_gen *g = calloc(1, sizeof *g);
    if (!g) {
        return PL_ENOMEM;
    }
    g->directory = map(DIRECTORY * sizeof *g->directory);
    if (!g->directory) {
        free(g);
        return PL_ENOMEM;
    }
    atomic_init(&g->refs, 1);
    atomic_init(&g->t_min, INT64_MAX);
    atomic_init(&g->t_max, INT64_MIN);
    *out = g;
    return 0;
}

void pl_head_gen_ref(struct pl_head_gen *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
}

void pl_head_gen_unref(struct pl_head_gen *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (struct piece *p = g->pieces, *next; p; p = next) {
        next = p->next;
        munmap(p, p->bytes);
    }
    uint32_t top = atomic_load(&g->top);
    for (uint32_t i = 0; i < top; i++) {
        slot *s = atomic_load(&g->directory[i]);
        if (s) {
            munmap(s, SLOTS * sizeof *s);
        }
    }
    munmap(g->directory, DIRECTORY * sizeof *g->directory);
    free(g);
}

/* ------------------------------------------------------------------------------------ appending */

/** Slots of id, or NULL. */
static inline slot *slots_of(const struct pl_head_gen *g, uint32_t id)
{
    return atomic_load_explicit(&g->directory[id >> SLOT_BITS], memory_order_acquire);
}

static slot *slots_make(struct pl_head_gen *g, uint32_t id)
{
    if (PL_FAULT("head.map") < 0) {
        return NULL;
    }
    slot *s = map(SLOTS * sizeof *s);
    if (!s) {
        return NULL;
    }
    uint32_t i = id >> SLOT_BITS;
    atomic_store_explicit(&g->directory[i], s, memory_order_release);
    if (i >= atomic_load_explicit(&g->top, memory_order_relaxed)) {
        atomic_store_explicit(&g->top, i + 1, memory_order_release);
    }
    return s;
}

/** Bytes out of the newest piece; a new one when it is used up. */
static void *bump(struct pl_head_gen *g, size_t n)
{
    if ((size_t)(g->end - g->at) < n) {
        size_t bytes = g->pieces ? g->pieces->bytes * 2 : PIECE_MIN;
        bytes = bytes < PIECE_MAX ? bytes : PIECE_MAX;
        bytes = bytes < n + sizeof(struct piece) ? n + sizeof(struct piece) : bytes;
        struct piece *p = PL_FAULT("head.map") < 0 ? NULL : map(bytes);
        if (!p) {
            return NULL;
        }
        *p = (struct piece){.next = g->pieces, .bytes = bytes};
        g->pieces = p;
        g->at = (uint8_t *)p + sizeof *p;
        g->end = (uint8_t *)p + bytes;
        atomic_fetch_add_explicit(&g->bytes, bytes, memory_order_relaxed);
    }
    void *at = g->at;
    g->at += n;
    return at;
}

static inline void record_put(struct block *b, uint32_t i, int32_t d, uint64_t bits)
{
    uint8_t *p = b->records + (size_t)i * RECORD;
    memcpy(p, &d, 4);
    pl_wr64(p + 4, bits);
}

/** The sample opens a new block in front of the newest one (w; 0: none). */
static int append_block(struct pl_head_gen *g, slot *s, uint64_t w, int64_t t, uint64_t bits)
{
    struct block *newest = slot_block(w);
    uint32_t code = 0;
    if (newest && slot_n(w) == 4u << slot_code(w)) {
        code = slot_code(w) + (slot_code(w) + 1 < CAP_CODES);
    }
    struct block *b = bump(g, sizeof *b + ((size_t)4 << code) * RECORD);
    if (!b) {
        return PL_ENOMEM;
    }
    if (newest) {
        newest->n = (uint16_t)slot_n(w); /* no reader asks before the slot points to b */
    }
    if (!newest) { /* the slot's page is touched from now on */
        atomic_fetch_add_explicit(&g->bytes, sizeof *s, memory_order_relaxed);
    }
    b->older = newest;
    b->base = t;
    record_put(b, 0, 0, bits);
    atomic_store_explicit(s, slot_make(b, 1, code) | (w & UNSORTED), memory_order_release);
    return 0;
}

static inline void prefetch_block(uint64_t w)
{
    const struct block *b = slot_block(w);
    if (b) {
        __builtin_prefetch(b, 1);
        __builtin_prefetch(b->records + (size_t)slot_n(w) * RECORD, 1);
    }
}

/** Prefetch for row i + AHEAD: first its slot, later what the slot points to. */
static inline void prefetch(const struct pl_head_gen *g, const uint32_t *id, size_t n, size_t i)
{
    if (i + AHEAD_SLOT < n) {
        slot *s = slots_of(g, id[i + AHEAD_SLOT]);
        if (s) {
            __builtin_prefetch(&s[id[i + AHEAD_SLOT] & (SLOTS - 1)], 1);
        }
    }
    if (i + AHEAD_BLOCK < n) {
        slot *s = slots_of(g, id[i + AHEAD_BLOCK]);
        if (s) {
            prefetch_block(
                atomic_load_explicit(&s[id[i + AHEAD_BLOCK] & (SLOTS - 1)], memory_order_relaxed));
        }
    }
}

/** 1: appended in order; 2: appended, older than the last; 0: a repetition of the last; PL_ENOMEM.
 */
static inline int append_one(struct pl_head_gen *g, uint32_t id, int64_t t, uint64_t bits)
{
    slot *chunk = slots_of(g, id);
    if (__builtin_expect(!chunk, 0)) {
        chunk = slots_make(g, id);
        if (!chunk) {
            return PL_ENOMEM;
        }
    }
    slot *s = &chunk[id & (SLOTS - 1)];
    uint64_t w = atomic_load_explicit(s, memory_order_relaxed);
    struct block *b = slot_block(w);
    int order = 1;
    if (b) {
        uint32_t n = slot_n(w);
        int64_t last = record_time(b, n - 1), d;
        if (t <= last) {
            if (t == last && record_bits(b, n - 1) == bits) {
                return 0;
            }
            order = t < last ? 2 : 1;
            w |= UNSORTED;
        }
        if (n < 4u << slot_code(w) && !__builtin_sub_overflow(t, b->base, &d) && d == (int32_t)d) {
            record_put(b, n, (int32_t)d, bits);
            atomic_store_explicit(s, w + (1ull << 56), memory_order_release);
            return order;
        }
    }
    int rc = append_block(g, s, w, t, bits);
    return rc < 0 ? rc : order;
}

/** What a boxed value of a record stands for. */
static inline pl_str kept_bytes(uint64_t bits)
{
    uint64_t n = 0;
    const uint8_t *p = (const uint8_t *)(uintptr_t)(bits & 0xffffffffffffu);
    p = pl_varint_get(p, p + PL_VARINT_MAX, &n);
    return pl_str_mem(p, (size_t)n);
}

/** Is a record's value this one, be it boxed with other bytes? */
static inline bool same_value(uint64_t bits, double v, pl_str h)
{
    if (__builtin_expect(!pl_is_histogram(v) || h.n == 0, 1)) {
        return bits == pl_f64_bits(v);
    }
    return pl_is_histogram(pl_bits_f64(bits)) &&
           pl_str_eq(kept_bytes(bits), pl__boxed_bytes(h, pl_histogram_ref(v)));
}

/** Bits of a boxed value as a record has them: its bytes are copied into the arena, but for a
 *  repetition of the series' last sample. PL_ENOMEM. */
static int box(struct pl_head_gen *g, uint32_t id, int64_t t, double v, pl_str h, uint64_t *bits)
{
    uint8_t plain[1 + sizeof v] = {PL_HISTOGRAM_DOUBLE};
    slot *chunk = slots_of(g, id);
    uint64_t w = chunk ? atomic_load_explicit(&chunk[id & (SLOTS - 1)], memory_order_relaxed) : 0;
    if (w && record_time(slot_block(w), slot_n(w) - 1) == t &&
        same_value(record_bits(slot_block(w), slot_n(w) - 1), v, h)) {
        *bits = record_bits(slot_block(w), slot_n(w) - 1);
        return 0;
    }
    pl_str bytes = pl__boxed_bytes(h, pl_histogram_ref(v));
    if (bytes.n == 0) { /* refers to nothing: then it is the double */
        pl_wrf64(plain + 1, v);
        bytes = pl_str_mem(plain, sizeof plain);
    }
    uint8_t length[PL_VARINT_MAX];
    size_t n = pl_varint_put(length, bytes.n);
    uint8_t *p = bump(g, (n + bytes.n + 7) & ~(size_t)7); /* blocks stand on 8 bytes */
    if (!p || (uint64_t)(uintptr_t)p >> 48) {
        return PL_ENOMEM;
    }
    memcpy(p, length, n);
    memcpy(p + n, bytes.p, bytes.n);
    *bits = pl_f64_bits(pl_histogram_box((uint64_t)(uintptr_t)p));
    atomic_store_explicit(&g->boxed, true, memory_order_release);
    return 0;
}

/** Numbers and times first: a reader that sees a sample must not be kept from it by the span. */
static void widen(struct pl_head_gen *g, const int64_t *t, size_t n, uint64_t seq)
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        lo = t[i] < lo ? t[i] : lo;
        hi = t[i] > hi ? t[i] : hi;
    }
    if (lo < atomic_load_explicit(&g->t_min, memory_order_relaxed)) {
        atomic_store_explicit(&g->t_min, lo, memory_order_release);
    }
    if (hi > atomic_load_explicit(&g->t_max, memory_order_relaxed)) {
        atomic_store_explicit(&g->t_max, hi, memory_order_release);
    }
    if (atomic_load_explicit(&g->first_seq, memory_order_relaxed) == 0) {
        atomic_store_explicit(&g->first_seq, seq, memory_order_release);
    }
    atomic_store_explicit(&g->last_seq, seq, memory_order_release);
}

/** h empty is a case of its own, so that floats do not pay for histograms. */
static inline __attribute__((always_inline)) int
append_all(struct pl_head_gen *g, const uint32_t *id, const int64_t *t, const double *v, size_t n,
           pl_str h, uint64_t seq, uint64_t *was_new, struct pl_head_counts *counts, size_t *done)
{
    uint64_t kept = 0, late = 0;
    size_t from = *done, i = from;
    int rc = 0;
    if (from < n) {
        widen(g, t + from, n - from, seq);
    }
    for (; i < n; i++) {
        prefetch(g, id, n, i);
        bool seen = false;
        if (was_new) {
            seen = pl_head_has(g, id[i], t[i], v[i], h);
        }
        uint64_t bits = pl_f64_bits(v[i]);
        int r = h.n && pl_is_histogram(v[i]) ? box(g, id[i], t[i], v[i], h, &bits) : 0;
        r = r < 0 ? r : append_one(g, id[i], t[i], bits);
        if (__builtin_expect(r < 0, 0)) {
            rc = r;
            break;
        }
        kept += r != 0;
        late += r == 2;
        if (was_new && !seen) {
            was_new[i / 64] |= 1ull << (i % 64);
        }
    }
    atomic_fetch_add_explicit(&g->samples, kept, memory_order_relaxed);
    counts->samples += kept;
    counts->duplicates += i - from - kept;
    counts->out_of_order += late;
    *done = i;
    return rc;
}

int pl_head_append(struct pl_head_gen *g, const uint32_t *id, const int64_t *t, const double *v,
                   size_t n, pl_str h, uint64_t seq, uint64_t *was_new,
                   struct pl_head_counts *counts, size_t *done)
{
    return h.n ? append_all(g, id, t, v, n, h, seq, was_new, counts, done)
               : append_all(g, id, t, v, n, PL_STR_NULL, seq, was_new, counts, done);
}

/* -------------------------------------------------------------------------------------- reading */

static inline uint64_t slot_load(const struct pl_head_gen *g, uint32_t id)
{
    slot *s = slots_of(g, id);
    return s ? atomic_load_explicit(&s[id & (SLOTS - 1)], memory_order_acquire) : 0;
}

/** Append a block's samples in [t0, t1] in order of arrival; room for n and one more is there. */
static void copy_block(const struct block *b, uint32_t n, int64_t t0, int64_t t1,
                       struct pl_columns *out)
{
    size_t k = out->n;
    for (uint32_t i = 0; i < n; i++) {
        int64_t t = record_time(b, i);
        out->t[k] = t;
        out->v[k] = pl_bits_f64(record_bits(b, i));
        k += t >= t0 && t <= t1;
    }
    out->n = k;
}

/** The blocks of a series, newest first. Most have few; the others go to the heap. */
struct chain {
    const struct block *near[64], **at;
    size_t n, cap;
};

static int chain_push(struct chain *c, const struct block *b)
{
    if (c->n == c->cap) {
        const struct block **more =
            realloc(c->at == c->near ? NULL : c->at, 2 * c->cap * sizeof *more);
        if (!more) {
            return PL_ENOMEM;
        }
        if (c->at == c->near) {
            memcpy(more, c->near, sizeof c->near);
        }
        c->at = more;
        c->cap *= 2;
    }
    c->at[c->n++] = b;
    return 0;
}

/** Boxed values hold addresses: give out their bytes. */
static int copy_bytes(struct pl_columns *out)
{
    int rc = 0;
    for (size_t i = 0; i < out->n && rc == 0; i++) {
        if (pl_is_histogram(out->v[i])) {
            rc = pl_columns_keep(out, kept_bytes(pl_f64_bits(out->v[i])), &out->v[i]);
        }
    }
    return rc;
}

int pl_head_read(const struct pl_head_gen *g, uint32_t id, int64_t t0, int64_t t1,
                 struct pl_columns *out)
{
    pl_columns_clear(out);
    uint64_t w = slot_load(g, id);
    if (w == 0 || atomic_load_explicit(&g->t_min, memory_order_acquire) > t1 ||
        atomic_load_explicit(&g->t_max, memory_order_acquire) < t0) {
        return 0;
    }
    const struct block *newest = slot_block(w);
    struct chain chain = {.at = chain.near, .cap = sizeof chain.near / sizeof *chain.near};
    size_t n = slot_n(w);
    int rc = 0;
    for (const struct block *b = newest; b && rc == 0; b = b->older) {
        rc = chain_push(&chain, b);
        n += b == newest ? 0 : b->n;
        if (!(w & UNSORTED) && b->base < t0) {
            break; /* what is older lies before t0 */
        }
    }
    if (rc == 0 && n) {
        rc = pl_columns_reserve(out, n + 1);
    }
    for (size_t i = chain.n; i-- > 0 && rc == 0;) {
        const struct block *b = chain.at[i];
        copy_block(b, b == newest ? slot_n(w) : b->n, t0, t1, out);
    }
    if (rc == 0 && (w & UNSORTED)) {
        rc = pl_columns_sort(out);
    }
    if (rc == 0 && atomic_load_explicit(&g->boxed, memory_order_relaxed)) {
        rc = copy_bytes(out);
    }
    if (chain.at != chain.near) {
        free(chain.at);
    }
    return rc;
}

/** The latest of a series whose samples came in order. */
static void latest_of(uint64_t w, int64_t t0, int64_t t1, struct pl_latest *out)
{
    uint32_t n = slot_n(w);
    for (const struct block *b = slot_block(w); b; b = b->older, n = b ? b->n : 0) {
        if (b->base > t1) {
            continue;
        }
        uint32_t i = n - 1;
        while (record_time(b, i) > t1) { /* the first one is not */
            i--;
        }
        int64_t t = record_time(b, i);
        double v = pl_bits_f64(record_bits(b, i));
        if (t >= t0 && t >= out->t) {
            *out = (struct pl_latest){pl_is_histogram(v) ? PL_LATEST_READ : t, v};
        }
        return;
    }
}

void pl_head_latest(const struct pl_head_gen *g, const uint32_t *ids, size_t n, int64_t t0,
                    int64_t t1, struct pl_latest *out, struct pl_read_stats *stats)
{
    if (atomic_load_explicit(&g->t_min, memory_order_acquire) > t1 ||
        atomic_load_explicit(&g->t_max, memory_order_acquire) < t0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD_BLOCK < n) {
            prefetch_block(slot_load(g, ids[i + AHEAD_BLOCK]));
        }
        uint64_t w = slot_load(g, ids[i]);
        stats->samples += w != 0;
        if (w & UNSORTED) {
            out[i].t = PL_LATEST_READ;
        } else if (w && out[i].t != PL_LATEST_READ) {
            latest_of(w, t0, t1, &out[i]);
        }
    }
}

bool pl_head_has(const struct pl_head_gen *g, uint32_t id, int64_t t, double v, pl_str h)
{
    uint64_t w = slot_load(g, id);
    bool sorted = !(w & UNSORTED);
    uint32_t n = slot_n(w);
    for (const struct block *b = slot_block(w); b; b = b->older, n = b ? b->n : 0) {
        if (sorted && t > record_time(b, n - 1)) {
            return false;
        }
        if (sorted && t < b->base) {
            continue;
        }
        for (uint32_t i = n; i-- > 0;) {
            if (record_time(b, i) == t) { /* the last written at t */
                return same_value(record_bits(b, i), v, h);
            }
        }
    }
    return false;
}

static bool has_between(const struct pl_head_gen *g, uint32_t id, int64_t t0, int64_t t1)
{
    uint64_t w = slot_load(g, id);
    uint32_t n = slot_n(w);
    for (const struct block *b = slot_block(w); b; b = b->older, n = b ? b->n : 0) {
        for (uint32_t i = n; i-- > 0;) {
            int64_t t = record_time(b, i);
            if (t >= t0 && t <= t1) {
                return true;
            }
        }
    }
    return false;
}

size_t pl_head_filter(const struct pl_head_gen *g, uint32_t *ids, size_t n, int64_t t0, int64_t t1)
{
    int64_t lo = atomic_load_explicit(&g->t_min, memory_order_acquire);
    int64_t hi = atomic_load_explicit(&g->t_max, memory_order_acquire);
    if (lo > t1 || hi < t0) {
        return 0;
    }
    bool all = t0 <= lo && hi <= t1;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (all ? slot_load(g, ids[i]) != 0 : has_between(g, ids[i], t0, t1)) {
            ids[kept++] = ids[i];
        }
    }
    return kept;
}

bool pl_head_next(const struct pl_head_gen *g, uint32_t from, uint32_t *id)
{
    uint32_t top = atomic_load_explicit(&g->top, memory_order_acquire);
    uint32_t at = from & (SLOTS - 1);
    for (uint32_t c = from >> SLOT_BITS; c < top; c++, at = 0) {
        slot *s = atomic_load_explicit(&g->directory[c], memory_order_acquire);
        for (; s && at < SLOTS; at++) {
            if (atomic_load_explicit(&s[at], memory_order_relaxed)) {
                if (at + AHEAD_BLOCK < SLOTS) { /* a flush walks on: its next blocks */
                    const struct block *b = slot_block(
                        atomic_load_explicit(&s[at + AHEAD_BLOCK], memory_order_relaxed));
                    __builtin_prefetch(b);
                }
                *id = c << SLOT_BITS | at;
                return true;
            }
        }
    }
    return false;
}

size_t pl_head_bytes(const struct pl_head_gen *g)
{
    return atomic_load_explicit(&g->bytes, memory_order_relaxed);
}

uint64_t pl_head_samples(const struct pl_head_gen *g)
{
    return atomic_load_explicit(&g->samples, memory_order_relaxed);
}

void pl_head_span(const struct pl_head_gen *g, int64_t *t_min, int64_t *t_max, uint64_t *first_seq,
                  uint64_t *last_seq)
{
    *t_min = atomic_load_explicit(&g->t_min, memory_order_acquire);
    *t_max = atomic_load_explicit(&g->t_max, memory_order_acquire);
    *first_seq = atomic_load_explicit(&g->first_seq, memory_order_acquire);
    *last_seq = atomic_load_explicit(&g->last_seq, memory_order_acquire);
}
