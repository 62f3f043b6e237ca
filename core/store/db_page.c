/* Is the tree of an LMDB 0.9 file sound? LMDB has no page checksums and trusts what it reads: a
 * flipped bit in a branch or leaf makes it read outside its map, or abort. So the pages that LMDB
 * would follow are checked first with plain reads; values on overflow pages are only located, not
 * read (they carry checksums of their own). A file of 1 GB has some 150 such pages.
 *
 *     page  u64 number | u16 - | u16 flags | u16 lower | u16 upper | u16 node offsets .. | nodes
 *     node  u32 n (leaf: bytes of the value; branch: child page's low bits)
 *           | u16 flags (branch: its high bits) | u16 key bytes | key
 *           | value, or u64 first overflow page
 *     meta  pages 0 and 1, at 16: u32 magic | u32 version | u64 - | u64 map | tree free
 *           | tree main | u64 last page | u64 transaction
 *     tree  u32 page size | u16 flags | u16 depth | u64 branches, leaves, overflows, entries, root
 *
 * Source: lmdb.h and mdb.c of 0.9.24. Any thread; pure but for the reads. */
#include "core/store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC         0xBEEFC0DEu
#define VERSION       1u
#define P_BRANCH      0x01
#define P_LEAF        0x02
#define P_META        0x08
#define N_BIG         0x01
#define F_INTEGER_KEY 0x08
#define HEADER        16u
#define NODE          8u
#define META_BYTES    152u
#define NO_PAGE       UINT64_MAX
#define DEPTH_MAX     32

struct tree {
    uint16_t flags, depth;
    uint64_t branches, leaves, overflows, entries, root;
};
struct walk {
    int fd;
    size_t page_bytes;
    uint64_t n_pages; /* of the file, whole ones */
    uint64_t last;    /* highest page in use */
    uint8_t *seen;    /* a bit per page */
    uint8_t *buf[DEPTH_MAX];
    struct tree sum; /* counted */
    bool free_list;
    uint8_t key[512]; /* the last key seen in a leaf */
    size_t n_key;
    bool any_key;
    const uint8_t *floor; /* separator that the next key must not stand before */
    size_t n_floor;
    uint64_t bad; /* page */
    const char *what;
};

static int damaged(struct walk *w, uint64_t page, const char *what)
{
    w->bad = page;
    w->what = what;
    return PL_ECORRUPT;
}

static int see(struct walk *w, uint64_t from, uint64_t n, uint64_t told_by)
{
    if (from < 2 || n == 0 || from > w->last || n > w->last + 1 - from) {
        return damaged(w, told_by, "page number out of the file");
    }
    for (uint64_t i = from; i < from + n; i++) {
        if (w->seen[i / 8] >> i % 8 & 1) {
            return damaged(w, told_by, "page used twice");
        }
        w->seen[i / 8] |= (uint8_t)(1u << i % 8);
    }
    return PL_OK;
}

static int read_page(struct walk *w, uint64_t number, uint8_t *buf)
{
    ssize_t n;
    do {
        n = pread(w->fd, buf, w->page_bytes, (off_t)(number * w->page_bytes));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return pl_errno(errno);
    }
    return (size_t)n == w->page_bytes ? PL_OK : damaged(w, number, "file cut short");
}

/** Keys of one tree come in ascending order (the free list's are numbers, and skipped here). */
static int key_follows(struct walk *w, uint64_t page, const uint8_t *key, size_t n)
{
    if (n == 0 || n > sizeof w->key) {
        return damaged(w, page, "key size");
    }
    if (!w->free_list &&
        ((w->any_key && pl_str_cmp(pl_str_mem(w->key, w->n_key), pl_str_mem(key, n)) >= 0) ||
         (w->floor && pl_str_cmp(pl_str_mem(w->floor, w->n_floor), pl_str_mem(key, n)) > 0))) {
        return damaged(w, page, "keys out of order");
    }
    w->floor = NULL;
    memcpy(w->key, key, n);
    w->n_key = n;
    w->any_key = true;
    return PL_OK;
}

/** The page numbers of one entry of the free list: u64 count, then numbers; there may be room
 * behind them. A free page may lie behind the end of the file: taken and given back before it was
 * written. */
static int free_entry(struct walk *w, uint64_t page, const uint8_t *p, size_t n, const uint8_t *big)
{
    const uint8_t *list = big ? big : p;
    if (n < 8 || n % 8 || pl_rd64(list) > n / 8 - 1) {
        return damaged(w, page, "free list");
    }
    for (size_t i = 1; i <= pl_rd64(list); i++) {
        int err = see(w, pl_rd64(list + 8 * i), 1, page);
        if (err < 0) {
            return err;
        }
    }
    return PL_OK;
}

static int leaf_node(struct walk *w, uint64_t page, const uint8_t *node, size_t room)
{
    uint32_t n = pl_rd32(node);
    uint16_t flags = pl_rd16(node + 4), n_key = pl_rd16(node + 6);
    if ((flags & ~N_BIG) || n_key > room) {
        return damaged(w, page, "node");
    }
    int err = key_follows(w, page, node + NODE, n_key);
    if (err < 0) {
        return err;
    }
    const uint8_t *data = node + NODE + n_key;
    room -= n_key;
    w->sum.entries++;
    if (!(flags & N_BIG)) {
        if (n > room) {
            return damaged(w, page, "value longer than its page");
        }
        return w->free_list ? free_entry(w, page, data, n, NULL) : PL_OK;
    }
    if (room < 8) {
        return damaged(w, page, "node");
    }
    uint64_t first = pl_rd64(data),
             pages = (HEADER + (uint64_t)n + w->page_bytes - 1) / w->page_bytes;
    w->sum.overflows += pages;
    err = see(w, first, pages, page);
    if (err == PL_OK && first + pages > w->n_pages) {
        err = damaged(w, page, "value behind the end of the file");
    }
    if (err < 0 || !w->free_list) {
        return err;
    }
    uint8_t *big = malloc(n ? n : 1);
    if (!big) {
        return PL_ENOMEM;
    }
    ssize_t got = pread(w->fd, big, n, (off_t)(first * w->page_bytes + HEADER));
    err =
        got == (ssize_t)n ? free_entry(w, page, NULL, n, big) : damaged(w, page, "file cut short");
    free(big);
    return err;
}

static int walk_page(struct walk *w, uint64_t number, unsigned level, unsigned depth,
                     uint64_t told_by);

static int branch_node(struct walk *w, uint64_t page, const uint8_t *node, size_t room, size_t i,
                       unsigned level, unsigned depth)
{
    size_t n_key = pl_rd16(node + 6);
    if (n_key > room || n_key > sizeof w->key || (i && !n_key)) {
        return damaged(w, page, "key size");
    }
    if (i) {
        w->floor = node + NODE;
        w->n_floor = n_key;
        if (!w->free_list &&
            pl_str_cmp(pl_str_mem(w->key, w->n_key), pl_str_mem(w->floor, n_key)) >= 0) {
            return damaged(w, page, "keys out of order");
        }
    }
    uint64_t child = pl_rd32(node) | (uint64_t)pl_rd16(node + 4) << 32;
    return walk_page(w, child, level + 1, depth, page);
}

static int page_header(struct walk *w, uint64_t number, const uint8_t *p, bool leaf)
{
    size_t lower = pl_rd16(p + 12), upper = pl_rd16(p + 14);
    size_t n = (lower - HEADER) / 2, least = leaf || w->free_list ? 1 : 2;
    if (pl_rd64(p) != number || (pl_rd16(p + 10) & 0x6f) != (leaf ? P_LEAF : P_BRANCH)) {
        return damaged(w, number, "page header");
    }
    if (lower < HEADER || lower > upper || upper > w->page_bytes || lower % 2) {
        return damaged(w, number, "page bounds");
    }
    return n >= least ? PL_OK : damaged(w, number, "page with too few nodes");
}

static int walk_page(struct walk *w, uint64_t number, unsigned level, unsigned depth,
                     uint64_t told_by)
{
    int err = see(w, number, 1, told_by);
    if (err < 0) {
        return err;
    }
    if (!w->buf[level] && !(w->buf[level] = malloc(w->page_bytes))) {
        return PL_ENOMEM;
    }
    uint8_t *p = w->buf[level];
    bool leaf = level + 1 == depth;
    err = read_page(w, number, p);
    if (err == PL_OK) {
        err = page_header(w, number, p, leaf);
    }
    if (err < 0) {
        return err;
    }
    size_t n = (pl_rd16(p + 12) - HEADER) / 2, upper = pl_rd16(p + 14);
    w->sum.leaves += leaf;
    w->sum.branches += !leaf;
    for (size_t i = 0; i < n && err == PL_OK; i++) {
        size_t at = pl_rd16(p + HEADER + 2 * i);
        if (at < upper || at + NODE > w->page_bytes) {
            return damaged(w, number, "node offset");
        }
        size_t room = w->page_bytes - at - NODE;
        err = leaf ? leaf_node(w, number, p + at, room)
                   : branch_node(w, number, p + at, room, i, level, depth);
    }
    return err;
}

static struct tree read_tree(const uint8_t *p)
{
    return (struct tree){
        .flags = pl_rd16(p + 4),
        .depth = pl_rd16(p + 6),
        .branches = pl_rd64(p + 8),
        .leaves = pl_rd64(p + 16),
        .overflows = pl_rd64(p + 24),
        .entries = pl_rd64(p + 32),
        .root = pl_rd64(p + 40),
    };
}

static int walk_tree(struct walk *w, const struct tree *t, bool free_list, uint64_t meta)
{
    w->sum = (struct tree){0};
    w->free_list = free_list;
    w->any_key = false;
    w->floor = NULL;
    if (t->depth > DEPTH_MAX || (t->depth == 0) != (t->root == NO_PAGE) ||
        t->flags != (free_list ? F_INTEGER_KEY : 0)) {
        return damaged(w, meta, "meta page");
    }
    if (t->depth) {
        int err = walk_page(w, t->root, 0, t->depth, meta);
        if (err < 0) {
            return err;
        }
    }
    return w->sum.entries == t->entries && w->sum.leaves == t->leaves &&
                   w->sum.branches == t->branches && w->sum.overflows == t->overflows
               ? PL_OK
               : damaged(w, meta, "counts of the meta page");
}

/** One meta page; 0 fine. */
static int check_meta(struct walk *w, const uint8_t *p, uint64_t number)
{
    if (pl_rd64(p) != number || !(pl_rd16(p + 10) & P_META) || pl_rd32(p + 16) != MAGIC ||
        pl_rd32(p + 20) != VERSION || pl_rd32(p + 40) != w->page_bytes) {
        return damaged(w, number, "meta page");
    }
    uint64_t txn = pl_rd64(p + 144);
    if (txn > 1 && (txn & 1) != number) { /* transactions take turns; both begin with 0 */
        return damaged(w, number, "meta page");
    }
    return PL_OK;
}

static int check_file(struct walk *w)
{
    uint8_t first[META_BYTES], second[META_BYTES];
    struct stat st;
    if (fstat(w->fd, &st) < 0) {
        return pl_errno(errno);
    }
    if (pread(w->fd, first, sizeof first, 0) != (ssize_t)sizeof first) {
        return damaged(w, 0, "file cut short");
    }
    w->page_bytes = pl_rd32(first + 40);
    if (w->page_bytes != (size_t)sysconf(_SC_PAGESIZE)) {
        w->page_bytes = 4096;
        return damaged(w, 0, "page size");
    }
    if (pread(w->fd, second, sizeof second, (off_t)w->page_bytes) != (ssize_t)sizeof second) {
        return damaged(w, 1, "file cut short");
    }
    int err = check_meta(w, first, 0);
    err = err < 0 ? err : check_meta(w, second, 1);
    if (err < 0) {
        return err;
    }
    /* each commit writes the elder page: an older state must not pass for the newest */
    uint64_t txn[2] = {pl_rd64(first + 144), pl_rd64(second + 144)};
    bool newer = txn[1] > txn[0];
    if (newer ? txn[1] - txn[0] != 1 : txn[0] != txn[1] && txn[0] - txn[1] != 1) {
        return damaged(w, 0, "numbers of the meta pages");
    }
    const uint8_t *meta = newer ? second : first;
    w->last = pl_rd64(meta + 136);
    w->n_pages = (uint64_t)st.st_size / w->page_bytes;
    if (w->last < 1 || w->last > 1ull << 36 || w->n_pages < 2) {
        return damaged(w, newer, "meta page");
    }
    if (w->last > 2 * w->n_pages + (1u << 20)) { /* pages given back unwritten are few */
        return damaged(w, newer, "file cut short");
    }
    w->seen = calloc(1, w->last / 8 + 1);
    if (!w->seen) {
        return PL_ENOMEM;
    }
    struct tree main_tree = read_tree(meta + 88), free_tree = read_tree(meta + 40);
    err = walk_tree(w, &main_tree, false, newer);
    return err < 0 ? err : walk_tree(w, &free_tree, true, newer);
}

int pl__page_check(const char *path, struct pl_db_damage *damage)
{
    struct walk w = {.fd = open(path, O_RDONLY | O_CLOEXEC), .page_bytes = 4096};
    *damage = (struct pl_db_damage){-1, "cannot be read"};
    if (w.fd < 0) {
        return pl_errno(errno);
    }
    int err = check_file(&w);
    if (err == PL_ECORRUPT) {
        *damage = (struct pl_db_damage){(int64_t)(w.bad * w.page_bytes), w.what};
    }
    for (size_t i = 0; i < DEPTH_MAX; i++) {
        free(w.buf[i]);
    }
    free(w.seen);
    close(w.fd);
    return err;
}
