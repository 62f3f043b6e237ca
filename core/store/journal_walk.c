/* The walk over journal files: frames in order, torn tails told from damage (the rule stands in
 * journal_file.h). Runs on the thread that asks: the reader thread of a replay, or a checker. */
#include "core/store/journal_file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE ((size_t)1 << 20)
#define BLOCK ((size_t)65536) /* no file system's block is larger */

/* One file while it is walked. */
struct reading {
    struct pl__journal_walk *w;
    char path[PATH_MAX];
    int fd;
    size_t size; /* of the file */
    size_t have; /* bytes of it in memory */
    struct pl__journal_data *data;
    uint64_t limit; /* sequences from here on stand in the next file */
};

static void report(struct pl__journal_walk *w, const char *path, uint64_t offset, const char *what)
{
    w->findings++;
    if (w->report) {
        w->report(w->report_ctx, path, (int64_t)offset, what);
    }
}

static int reading_open(struct reading *r)
{
    struct stat st;
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 || fstat(r->fd, &st) != 0) {
        return pl_errno(errno);
    }
    r->size = (size_t)st.st_size;
    r->data = calloc(1, sizeof *r->data);
    if (!r->data) {
        return PL_ENOMEM;
    }
    r->data->refs = 1;
    if (r->size) {
        void *p = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            return PL_ENOMEM;
        }
        r->data->p = p;
        r->data->cap = r->size;
    }
    return 0;
}

static void reading_close(struct reading *r)
{
    if (r->fd >= 0) {
        close(r->fd);
    }
    pl__journal_data_unref(r->data);
}

/** Have the first `end` bytes in memory; false when the file is shorter, *rc < 0 when it cannot be
 *  read. */
static bool ensure(struct reading *r, size_t end, int *rc)
{
    if (end > r->size) {
        return false;
    }
    if (end > r->have) {
        size_t to = end + SLICE < r->size ? end + SLICE : r->size;
        int e = pl_file_pread(r->fd, r->data->p + r->have, to - r->have, (off_t)r->have, "journal");
        if (e < 0) {
            *rc = e;
            return false;
        }
        r->have = to;
    }
    return true;
}

/** A whole frame at `at`, CRCs right and sequence in [seq, limit). */
static bool frame_at(struct reading *r, size_t at, uint64_t seq, struct pl__frame_head *h, int *rc)
{
    if (!ensure(r, at + PL__FRAME_HEAD, rc) || !pl__frame_head_get(r->data->p + at, h) ||
        h->seq < seq || h->seq >= r->limit || !ensure(r, at + PL__FRAME_HEAD + h->n, rc)) {
        return false;
    }
    return pl_crc32c(0, r->data->p + at + PL__FRAME_HEAD, h->n) == h->crc;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    while (n && *p == 0) {
        p++;
        n--;
    }
    return n == 0;
}

/** Where the file can still hold something behind `at`: its size, or less where the preallocated
 *  rest was never written. */
static size_t data_end(struct reading *r, size_t at)
{
    size_t next = (at + BLOCK) & ~(BLOCK - 1);
    if (next < r->size && lseek(r->fd, (off_t)next, SEEK_DATA) < 0 && errno == ENXIO) {
        return next;
    }
    return r->size;
}

/** The next whole frame from `at` on with sequence >= seq; false when there is none. */
static bool find_frame(struct reading *r, size_t at, size_t end, uint64_t seq, size_t *found,
                       struct pl__frame_head *h, int *rc)
{
    for (size_t o = (at + 7) & ~(size_t)7; o + PL__FRAME_HEAD <= end && *rc >= 0; o += 8) {
        if (!ensure(r, o + PL__FRAME_HEAD, rc)) {
            return false;
        }
        if (r->data->p[o] == 'P' && frame_at(r, o, seq, h, rc)) {
            *found = o;
            return true;
        }
    }
    return false;
}

/** Does a frame from `at` on say that `seq` had been synced before it was written? */
static bool synced_later(struct reading *r, size_t at, size_t end, uint64_t seq, int *rc)
{
    struct pl__frame_head h;
    size_t found;
    while (find_frame(r, at, end, seq, &found, &h, rc)) {
        if (h.seq - h.back > seq) {
            return true;
        }
        at = found + pl__frame_span(h.n);
    }
    return false;
}

/** What stands at *at is not frame `seq`. Report it; *at is then where the next frame stands.
 *  @return false: this file has no more of them */
static bool resync(struct reading *r, size_t *at, uint64_t *seq, bool last_file, int *rc)
{
    struct pl__journal_walk *w = r->w;
    struct pl__frame_head h;
    size_t end = data_end(r, *at), found = 0;
    bool more = find_frame(r, *at, end, *seq, &found, &h, rc);
    if (*rc < 0 || (!last_file && r->limit == *seq)) {
        return false; /* the next file goes on here: this is a tail cut at an earlier start */
    }
    char what[160];
    if (last_file && !(more && synced_later(r, found, end, *seq, rc))) {
        if (*rc >= 0 && *at < end && ensure(r, end, rc) && !all_zero(r->data->p + *at, end - *at)) {
            snprintf(what, sizeof what,
                     "torn tail: frame %" PRIu64 " was not written completely and not acknowledged",
                     *seq);
            report(w, r->path, *at, what);
        }
        return false;
    }
    uint64_t next = more ? h.seq : r->limit;
    if (next == *seq) {
        snprintf(what, sizeof what, "%zu bytes before frame %" PRIu64 " are damaged", found - *at,
                 next);
    } else if (next == *seq + 1) {
        snprintf(what, sizeof what, "frame %" PRIu64 " is damaged or missing", *seq);
    } else {
        snprintf(what, sizeof what, "frames %" PRIu64 " to %" PRIu64 " are damaged or missing",
                 *seq, next - 1);
    }
    report(w, r->path, *at, what);
    *seq = next;
    *at = found;
    return more;
}

/** Walk one file from frame *seq on, which moves. */
static int walk_file(struct reading *r, struct pl__journal_file *file, uint64_t *seq,
                     bool last_file)
{
    struct pl__journal_walk *w = r->w;
    int rc = 0;
    uint64_t first;
    size_t at = PL__JOURNAL_HEAD;
    struct pl__frame_head h;
    bool head = ensure(r, PL__JOURNAL_HEAD, &rc) && pl__journal_head_get(r->data->p, &first) &&
                first == file->first;
    if (rc >= 0 && !head) {
        size_t found;
        if (find_frame(r, 0, r->size, *seq, &found, &h, &rc) || !last_file) {
            report(w, r->path, 0, "the file's head is damaged");
        } /* else: made, but not yet written when the machine stopped */
    }
    file->last = *seq - 1;
    file->bytes = r->size < PL__JOURNAL_HEAD ? 0 : PL__JOURNAL_HEAD;
    while (rc >= 0 && *seq < r->limit) {
        if (!frame_at(r, at, *seq, &h, &rc) || h.seq != *seq) {
            if (rc < 0 || !resync(r, &at, seq, last_file, &rc)) {
                break;
            }
            continue;
        }
        if (h.seq > w->after && h.type != PL__FRAME_MARK) {
            rc = w->each(w->ctx, &h, r->data->p + at + PL__FRAME_HEAD, r->data);
        }
        at += pl__frame_span(h.n);
        file->last = h.type == PL__FRAME_MARK ? file->last : *seq;
        file->bytes = at < r->size ? at : r->size;
        ++*seq;
    }
    return rc;
}

int pl__journal_walk(struct pl__journal_walk *w)
{
    w->files = NULL;
    w->n_files = 0;
    w->next_seq = w->after + 1;
    w->findings = 0;
    int rc = pl__journal_list(w->dir, &w->files, &w->n_files);
    uint64_t seq = w->n_files ? w->files[0].first : w->after + 1;
    for (size_t i = 0; rc >= 0 && i < w->n_files; i++) {
        bool last_file = i + 1 == w->n_files;
        struct reading r = {
            .w = w, .fd = -1, .limit = last_file ? UINT64_MAX : w->files[i + 1].first};
        pl__journal_path(r.path, w->dir, w->files[i].first);
        seq = w->files[i].first > seq ? w->files[i].first : seq;
        if (!last_file && r.limit <= w->after + 1) { /* not needed: not read */
            struct stat st;
            w->files[i].last = r.limit - 1;
            w->files[i].bytes = stat(r.path, &st) == 0 ? (uint64_t)st.st_size : 0;
            seq = r.limit;
            continue;
        }
        rc = reading_open(&r);
        if (rc >= 0) {
            rc = walk_file(&r, &w->files[i], &seq, last_file);
        }
        if (rc == PL_EIO || rc == PL_ECORRUPT) {
            report(w, r.path, r.have, "cannot be read");
        }
        reading_close(&r);
    }
    w->next_seq = seq > w->next_seq ? seq : w->next_seq;
    return rc;
}
