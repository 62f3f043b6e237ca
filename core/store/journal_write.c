/* The journal thread: takes all that waits, numbers it, writes it with one writev and one
 * fdatasync, and hands it on. While that sync runs the next group collects: the cost of a sync is
 * shared by whatever came meanwhile. */
#include "core/store/journal_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define GROUP_BYTES ((size_t)32 << 20)
#define IDLE_MS     1000 /* without a frame: trim the file, try kept definitions again */

/* One group on its way. */
struct group {
    struct pl_node *frames, **tail;
    size_t n, bytes; /* with heads and padding */
};

int pl__journal_add_file(struct pl_journal *j, const struct pl__journal_file *f)
{
    if (j->n_files == j->cap_files) {
        size_t cap = j->cap_files ? j->cap_files * 2 : 16;
        struct pl__journal_file *more = realloc(j->files, cap * sizeof *more);
        if (!more) {
            return PL_ENOMEM;
        }
        j->files = more;
        j->cap_files = cap;
    }
    j->files[j->n_files++] = *f;
    return 0;
}

static void failed(struct pl_journal *j, const char *what, int err)
{
    pl_count(j->n_errors, 1);
    pl_logf(j->conf.log, PL_ERROR, "journal", what, "dir=%s error=%s", j->dir, pl_err_name(err));
}

/** From here on nothing is taken any more. */
static void read_only(struct pl_journal *j)
{
    atomic_store(&j->state, PL_EREADONLY);
    if (j->fd >= 0) { /* what lies behind the last good frame is not to be believed */
        if (ftruncate(j->fd, (off_t)j->at) != 0) {
            failed(j, "cannot cut the file behind its last good frame", pl_errno(errno));
        }
        close(j->fd);
        j->fd = -1;
    }
}

/** Reserve space up to `size`, as zeros. Where the file system cannot, or is short of space, the
 *  write itself will say so. */
static void preallocate(struct pl_journal *j, uint64_t size)
{
    if (size > j->size && fallocate(j->fd, 0, 0, (off_t)size) == 0) {
        j->size = size;
    }
}

/** Give back what is preallocated behind the last frame. */
static void trim(struct pl_journal *j)
{
    if (j->fd >= 0 && j->size > j->at && ftruncate(j->fd, (off_t)j->at) == 0) {
        j->size = j->at;
    }
}

static void close_file(struct pl_journal *j)
{
    if (j->fd >= 0) {
        trim(j);
        close(j->fd);
        j->fd = -1;
    }
}

/** Make the file that begins with next_seq; it and its name are synced. */
static int open_file(struct pl_journal *j, uint64_t size)
{
    char path[PATH_MAX];
    uint8_t head[PL__JOURNAL_HEAD];
    pl__journal_path(path, j->dir, j->next_seq);
    int rc = PL_FAULT("journal.open");
    if (rc) {
        return rc < 0 ? rc : PL_EIO;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return pl_errno(errno);
    }
    j->fd = fd;
    j->at = PL__JOURNAL_HEAD;
    j->size = 0;
    preallocate(j, size);
    pl__journal_head_put(head, j->next_seq);
    rc = pl_file_write(fd, head, sizeof head, "journal");
    if (rc >= 0 && j->conf.sync) {
        rc = pl_file_sync(fd, "journal");
    }
    if (rc >= 0 && j->conf.sync) {
        rc = pl_dir_sync(j->dir);
    }
    struct pl__journal_file f = {j->next_seq, j->next_seq - 1, PL__JOURNAL_HEAD};
    if (rc >= 0) {
        pthread_mutex_lock(&j->lock);
        bool there = j->n_files && j->files[j->n_files - 1].first == f.first;
        rc = there ? 0 : pl__journal_add_file(j, &f);
        pthread_mutex_unlock(&j->lock);
        atomic_fetch_add(&j->bytes, there ? 0 : (uint64_t)PL__JOURNAL_HEAD);
    }
    if (rc < 0) {
        close(fd);
        unlink(path);
        j->fd = -1;
    }
    return rc;
}

/** A file with room for `bytes`. */
static int make_room(struct pl_journal *j, size_t bytes)
{
    if (j->fd >= 0 && j->at > PL__JOURNAL_HEAD && j->at + bytes > j->conf.file_bytes) {
        close_file(j);
    }
    uint64_t need = PL__JOURNAL_HEAD + (uint64_t)bytes;
    need = need > j->conf.file_bytes ? need : j->conf.file_bytes;
    if (j->fd < 0) {
        return open_file(j, need);
    }
    if (j->size < j->at + bytes) { /* trimmed while idle */
        preallocate(j, need);
    }
    return 0;
}

/** Cut the file back to its last good frame after a failed write; the cut itself must be durable,
 * so that a frame reported as failed does not come back. */
static int cut_back(struct pl_journal *j)
{
    if (ftruncate(j->fd, (off_t)j->at) != 0 || lseek(j->fd, (off_t)j->at, SEEK_SET) < 0) {
        return pl_errno(errno);
    }
    j->size = j->at;
    return j->conf.sync ? pl_file_sync(j->fd, "journal") : 0;
}

/** Number the frames and lay them out for writev; returns the count of vectors, PL_ENOMEM. */
static int lay_out(struct pl_journal *j, const struct group *g)
{
    static const uint8_t zeros[8];
    if (j->cap_iov < g->n) {
        struct iovec *iov = realloc(j->iov, 3 * g->n * sizeof *iov);
        j->iov = iov ? iov : j->iov;
        uint8_t *heads = realloc(j->heads, g->n * PL__FRAME_HEAD);
        j->heads = heads ? heads : j->heads;
        if (!iov || !heads) {
            return PL_ENOMEM;
        }
        j->cap_iov = g->n;
    }
    int n = 0;
    uint32_t back = 0;
    for (struct pl_node *node = g->frames; node; node = node->next, back++) {
        struct pl_frame *f = (struct pl_frame *)node;
        uint8_t *head = j->heads + (size_t)back * PL__FRAME_HEAD;
        f->seq = j->next_seq + back;
        f->err = 0;
        pl__frame_head_put(head, &(struct pl__frame_head){.n = (uint32_t)f->payload.n,
                                                          .tenant = f->tenant,
                                                          .back = back,
                                                          .crc = f->crc,
                                                          .seq = f->seq,
                                                          .type = f->type});
        j->iov[n++] = (struct iovec){head, PL__FRAME_HEAD};
        if (f->payload.n) {
            j->iov[n++] = (struct iovec){f->payload.p, f->payload.n};
        }
        if (f->payload.n % 8) {
            j->iov[n++] = (struct iovec){(void *)zeros, 8 - f->payload.n % 8};
        }
    }
    return n;
}

/** Write and sync one group. On failure nothing of it is in the file. */
static int write_group(struct pl_journal *j, const struct group *g)
{
    int n = lay_out(j, g);
    int rc = n < 0 ? n : make_room(j, g->bytes);
    if (n < 0 || rc < 0) {
        return rc;
    }
    if (j->at + g->bytes > j->size) {
        j->size = j->at + g->bytes;
    }
    rc = pl_file_writev(j->fd, j->iov, n, "journal");
    if (rc < 0) {
        if (cut_back(j) < 0) {
            read_only(j);
        }
        return rc == PL_ENOSPC ? rc : PL_EIO;
    }
    if (j->conf.sync) {
        int64_t t0 = pl_mono_ns(j->conf.clock);
        rc = pl_file_sync(j->fd, "journal");
        pl_histo_observe(j->sync_seconds, (double)(pl_mono_ns(j->conf.clock) - t0) * 1e-9);
        if (rc < 0) { /* never tried again: the kernel may have dropped the pages */
            read_only(j);
            return PL_EREADONLY;
        }
    }
    j->at += g->bytes;
    j->next_seq += g->n;
    pthread_mutex_lock(&j->lock);
    j->files[j->n_files - 1].last = j->next_seq - 1;
    j->files[j->n_files - 1].bytes = j->at;
    pthread_mutex_unlock(&j->lock);
    atomic_store(&j->last_seq, j->next_seq - 1);
    atomic_fetch_add(&j->bytes, g->bytes);
    pl_count(j->n_groups, 1);
    pl_count(j->n_frames, g->n);
    pl_count(j->n_bytes, g->bytes);
    return 0;
}

/** Say to a later reader that all frames so far were synced: one that is damaged is then damage,
 * not a torn tail. Need not be synced itself. */
static void mark(struct pl_journal *j)
{
    if (j->fd < 0 || j->marked || j->at == PL__JOURNAL_HEAD || atomic_load(&j->state) < 0) {
        return;
    }
    struct pl_frame f = {.type = PL__FRAME_MARK};
    struct group g = {&f.node, NULL, 1, PL__FRAME_HEAD};
    if (lay_out(j, &g) < 0) {
        return;
    }
    if (pl_file_writev(j->fd, j->iov, 1, "journal") < 0) {
        if (cut_back(j) < 0) {
            read_only(j);
        }
        return;
    }
    j->at += PL__FRAME_HEAD;
    j->size = j->size < j->at ? j->at : j->size;
    j->next_seq++;
    j->marked = true;
    atomic_fetch_add(&j->bytes, (uint64_t)PL__FRAME_HEAD);
    pthread_mutex_lock(&j->lock);
    j->files[j->n_files - 1].bytes = j->at;
    pthread_mutex_unlock(&j->lock);
}

/* ------------------------------------------------------------------------------------- the queue
 */

static void take(struct group *g, struct pl_node **list)
{
    while (*list && g->n < PL__GROUP_FRAMES) {
        struct pl_frame *f = (struct pl_frame *)*list;
        size_t span = pl__frame_span(f->payload.n);
        if (g->n && g->bytes + span > GROUP_BYTES) {
            return;
        }
        *list = f->node.next;
        *g->tail = &f->node;
        g->tail = &f->node.next;
        f->node.next = NULL;
        g->n++;
        g->bytes += span;
    }
}

/** Wait for frames; false when there are none: idle, asked to stop, or asked for an empty file. */
static bool wait_group(struct pl_journal *j, struct group *g)
{
    struct timespec until = pl_deadline_in(IDLE_MS);
    pthread_mutex_lock(&j->lock);
    bool idle = false;
    while (!j->head && !j->stop && j->cut_asked == j->cut_done && !idle) {
        j->idle = true;
        idle = pthread_cond_timedwait(&j->wake, &j->lock, &until) == ETIMEDOUT;
    }
    j->idle = false;
    if (j->head || idle || j->stop) {
        take(g, &j->kept);
        j->kept_tail = j->kept ? j->kept_tail : &j->kept;
    }
    if (!j->kept) {
        take(g, &j->head);
        if (!j->head) {
            j->tail = &j->head;
            j->open = NULL;
        }
    }
    pthread_mutex_unlock(&j->lock);
    return g->n > 0;
}

/** Take a failed group apart: definitions are kept for the next one (their ids are known to other
 *  threads already), the rest goes to its owner with the error. */
static void fail_group(struct pl_journal *j, struct group *g, int err)
{
    struct pl_node *others = NULL, **others_tail = &others, *kept = NULL, **kept_tail = &kept;
    bool keep = atomic_load(&j->state) != PL_EREADONLY;
    for (struct pl_node *node = g->frames, *next; node; node = next) {
        struct pl_frame *f = (struct pl_frame *)node;
        next = node->next;
        node->next = NULL;
        if (f->type == PL_FRAME_DEFINE && !f->user && keep) {
            *kept_tail = node;
            kept_tail = &node->next;
        } else {
            f->err = err;
            *others_tail = node;
            others_tail = &node->next;
        }
    }
    if (kept) { /* before those that were kept already and not part of this group */
        *kept_tail = j->kept;
        j->kept_tail = j->kept ? j->kept_tail : kept_tail;
        j->kept = kept;
    }
    g->frames = others;
}

/** 0, or why the group failed; its frames have gone to their owner or are kept. */
static int commit(struct pl_journal *j, struct group *g)
{
    for (struct pl_node *node = g->frames; node; node = node->next) {
        struct pl_frame *f = (struct pl_frame *)node;
        if (f->type == PL_FRAME_DEFINE && !f->user) {
            pl_frame_seal(f);
        }
    }
    j->marked = false;
    int rc = atomic_load(&j->state) == PL_EREADONLY ? PL_EREADONLY : write_group(j, g);
    if (rc < 0) {
        failed(j, "a group was not written", rc);
        fail_group(j, g, rc);
    }
    if (atomic_load(&j->state) != PL_EREADONLY) {
        atomic_store(&j->state, rc == PL_ENOSPC ? PL_ENOSPC : 0);
    }
    if (g->frames) {
        j->conf.committed(j->conf.ctx, g->frames);
    }
    return rc;
}

/** Put an empty file in place of the newest, so that that one can be removed. */
static void rotate(struct pl_journal *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t asked = j->cut_asked;
    bool any = asked != j->cut_done && j->n_files;
    bool empty = any && j->files[j->n_files - 1].first == j->next_seq;
    pthread_mutex_unlock(&j->lock);
    if (any && !empty && atomic_load(&j->state) != PL_EREADONLY) {
        mark(j);
        close_file(j);
        int rc = open_file(j, PL__JOURNAL_HEAD);
        if (rc < 0) {
            failed(j, "cannot make a new file", rc);
        }
    }
    pthread_mutex_lock(&j->lock);
    j->cut_done = asked;
    pthread_cond_broadcast(&j->done);
    pthread_mutex_unlock(&j->lock);
}

void *pl__journal_run(void *arg)
{
    struct pl_journal *j = arg;
    for (;;) {
        struct group g = {.tail = &g.frames};
        int rc = 0;
        if (wait_group(j, &g)) {
            rc = commit(j, &g);
        } else {
            mark(j);
            trim(j);
        }
        rotate(j);
        pthread_mutex_lock(&j->lock);
        bool over = j->stop && !j->head && (!j->kept || rc < 0);
        pthread_mutex_unlock(&j->lock);
        if (over) {
            mark(j);
            close_file(j);
            return NULL;
        }
    }
}
