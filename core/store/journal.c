/* The journal as others see it: open, submit, define, cut, close. Any thread; the writing itself is
 * in journal_write.c. The door journal.h says what is promised. */
#include "core/store/journal.h"
#include "core/store/journal_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFINE_FRAME_BYTES ((size_t)1 << 20) /* a DEFINE frame that is longer takes no more */

struct opening {
    const struct pl_journal_conf *conf;
    struct pl_counter *n_damaged;
};

static void opening_report(void *ctx, const char *file, int64_t offset, const char *what)
{
    struct opening *o = ctx;
    pl_count(o->n_damaged, 1);
    pl_logf(o->conf->log, PL_WARN, "journal", "damage", "file=%s offset=%lld what=\"%s\"", file,
            (long long)offset, what);
    if (o->conf->report) {
        o->conf->report(o->conf->ctx, file, offset, what);
    }
}

static double waiting_fn(void *ctx) { return (double)pl_journal_waiting(ctx); }

static double bytes_fn(void *ctx) { return (double)pl_journal_bytes(ctx); }

static double read_only_fn(void *ctx) { return ((struct pl_journal *)ctx)->state == PL_EREADONLY; }

static void init_metrics(struct pl_journal *j)
{
    struct pl_metrics *m = j->conf.metrics;
    j->n_groups = pl_metrics_counter(m, "perilune_journal_groups_total",
                                     "Groups of frames written (one sync each).", NULL);
    j->n_frames = pl_metrics_counter(m, "perilune_journal_frames_total", "Frames written.", NULL);
    j->n_bytes = pl_metrics_counter(m, "perilune_journal_bytes_total", "Bytes written.", NULL);
    j->n_errors = pl_metrics_counter(m, "perilune_journal_errors_total",
                                     "Failed writes, syncs and opens.", NULL);
    j->n_damaged = pl_metrics_counter(m, "perilune_journal_damaged_total",
                                      "Damaged or torn places found when reading.", NULL);
    j->sync_seconds =
        pl_metrics_histo(m, "perilune_journal_sync_seconds", "Time of one fdatasync.", NULL);
    pl_metrics_fn(m, "perilune_journal_waiting_bytes", "Bytes not yet written or not yet applied.",
                  NULL, false, waiting_fn, j);
    pl_metrics_fn(m, "perilune_journal_file_bytes", "Bytes of frames in journal files.", NULL,
                  false, bytes_fn, j);
    pl_metrics_fn(m, "perilune_journal_read_only",
                  "1: a sync failed, and no writes are taken until a restart.", NULL, false,
                  read_only_fn, j);
}

/** Cut what lies behind the last good frame (a torn tail, preallocated space) off each file read.
 */
static int cut_tails(const struct pl__journal_walk *w)
{
    for (size_t i = 0; i < w->n_files; i++) {
        char path[PATH_MAX];
        const struct pl__journal_file *f = &w->files[i];
        bool last = i + 1 == w->n_files;
        if (!last || f->bytes < PL__JOURNAL_HEAD) {
            continue;
        }
        pl__journal_path(path, w->dir, f->first);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0) {
            return pl_errno(errno);
        }
        int rc = 0;
        if (lseek(fd, 0, SEEK_END) > (off_t)f->bytes) {
            rc =
                ftruncate(fd, (off_t)f->bytes) != 0 ? pl_errno(errno) : pl_file_sync(fd, "journal");
        }
        close(fd);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static void journal_free(struct pl_journal *j)
{
    pl_metrics_forget(j->conf.metrics, j);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->wake);
    pthread_cond_destroy(&j->done);
    pl_define_writer_fini(&j->define);
    free(j->iov);
    free(j->heads);
    free(j->files);
    free(j->dir);
    free(j);
}

static struct pl_journal *journal_alloc(const struct pl_journal_conf *conf)
{
    struct pl_journal *j = calloc(1, sizeof *j);
    char *dir = strdup(conf->dir);
    if (!j || !dir) {
        free(j);
        free(dir);
        return NULL;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->wake, &attr);
    pthread_cond_init(&j->done, &attr);
    pthread_condattr_destroy(&attr);
    j->conf = *conf;
    j->conf.clock = conf->clock ? conf->clock : &pl_clock_real;
    j->dir = dir;
    j->conf.dir = dir;
    j->tail = &j->head;
    j->kept_tail = &j->kept;
    j->fd = -1;
    init_metrics(j);
    return j;
}

int pl_journal_open(const struct pl_journal_conf *conf, uint64_t after,
                    int (*each)(void *ctx, const struct pl_frame *f), struct pl_journal **out,
                    char *why, size_t n_why)
{
    struct pl_journal *j = journal_alloc(conf);
    if (!j) {
        snprintf(why, n_why, "%s: out of memory", conf->dir);
        return PL_ENOMEM;
    }
    const char *doing = "cannot make the directory";
    struct opening opening = {conf, j->n_damaged};
    struct pl__journal_walk w = {
        .dir = j->dir, .after = after, .report = opening_report, .report_ctx = &opening};
    int rc = pl_dir_make(j->dir);
    if (rc >= 0) {
        doing = "cannot read the journal";
        rc = pl__journal_replay(&w, each, conf->ctx);
    }
    if (rc >= 0) {
        doing = "cannot cut the torn tail";
        rc = cut_tails(&w);
    }
    if (rc >= 0) {
        j->files = w.files;
        j->n_files = j->cap_files = w.n_files;
        w.files = NULL;
        j->next_seq = w.next_seq;
        j->last_seq = w.next_seq - 1;
        for (size_t i = 0; i < j->n_files; i++) {
            j->bytes += j->files[i].bytes;
        }
        doing = "cannot start a thread";
        rc = pl_thread_start(&j->thread, "journal", pl__journal_run, j);
    }
    free(w.files);
    if (rc < 0) {
        snprintf(why, n_why, "%s: %s: %s", j->dir, doing, pl_err_text(rc));
        journal_free(j);
        return rc;
    }
    *out = j;
    return 0;
}

/** Why nothing can be queued now, or 0. The lock is held. */
static int refused(const struct pl_journal *j)
{
    if (j->stop) {
        return PL_ECLOSED;
    }
    if (j->state == PL_EREADONLY) {
        return PL_EREADONLY;
    }
    return j->full ? PL_ENOSPC : 0;
}

/** Append to the queue and wake the journal thread where it sleeps. The lock is held. */
static void enqueue(struct pl_journal *j, struct pl_frame *f)
{
    f->node.next = NULL;
    *j->tail = &f->node;
    j->tail = &f->node.next;
    if (j->idle) {
        j->idle = false;
        pthread_cond_signal(&j->wake);
    }
}

int pl_journal_submit(struct pl_journal *j, struct pl_frame *f)
{
    if (f->payload.n > PL_FRAME_MAX) {
        return PL_ELIMIT;
    }
    size_t cost = pl_frame_cost(f);
    pthread_mutex_lock(&j->lock);
    int rc = refused(j);
    size_t waiting = j->waiting;
    if (rc == 0 && waiting && waiting + cost > j->conf.queue_bytes) {
        rc = PL_EBUSY;
    }
    if (rc == 0) {
        j->waiting += cost;
        j->open = NULL;
        enqueue(j, f);
    }
    pthread_mutex_unlock(&j->lock);
    return rc;
}

int pl_journal_define(struct pl_journal *j, uint32_t tenant, uint32_t id, pl_str canon)
{
    pthread_mutex_lock(&j->lock);
    int rc = refused(j);
    struct pl_frame *f = j->open, *made = NULL;
    if (rc == 0 && (!f || f->tenant != tenant || f->payload.n > DEFINE_FRAME_BYTES)) {
        f = made = calloc(1, sizeof *f);
        if (f) {
            f->type = PL_FRAME_DEFINE;
            f->tenant = tenant;
            pl_define_writer_reset(&j->define);
        } else {
            rc = PL_ENOMEM;
        }
    }
    if (rc == 0) {
        size_t before = f->payload.n;
        rc = pl_define_add(&j->define, &f->payload, id, canon);
        if (rc == 0) {
            j->waiting += f->payload.n - before + (made ? pl_frame_cost(&(struct pl_frame){0}) : 0);
            if (made) {
                enqueue(j, f);
                j->open = f;
            }
        } else if (made) {
            pl_frame_free(made);
        }
    }
    pthread_mutex_unlock(&j->lock);
    return rc;
}

size_t pl_journal_waiting(const struct pl_journal *j) { return j->waiting; }

void pl_journal_applied(struct pl_journal *j, size_t bytes) { j->waiting -= bytes; }

uint64_t pl_journal_last_seq(const struct pl_journal *j) { return j->last_seq; }

uint64_t pl_journal_bytes(const struct pl_journal *j) { return j->bytes; }

int pl_journal_state(const struct pl_journal *j)
{
    struct pl_journal *lockable = (struct pl_journal *)j;
    pthread_mutex_lock(&lockable->lock);
    int rc = j->state ? j->state : j->full ? PL_ENOSPC : 0;
    pthread_mutex_unlock(&lockable->lock);
    return rc;
}

void pl_journal_set_full(struct pl_journal *j, bool full)
{
    pthread_mutex_lock(&j->lock);
    j->full = full;
    pthread_mutex_unlock(&j->lock);
}

/** Have the journal thread put an empty file in place of the newest, and wait for it. Lock held. */
static void rotate_and_wait(struct pl_journal *j)
{
    uint64_t mine = ++j->cut_asked;
    pthread_cond_signal(&j->wake);
    while (j->cut_done < mine && !j->stop) {
        pthread_cond_wait(&j->done, &j->lock);
    }
}

int pl_journal_cut(struct pl_journal *j, uint64_t seq)
{
    int rc = 0;
    pthread_mutex_lock(&j->lock);
    const struct pl__journal_file *newest = j->n_files ? &j->files[j->n_files - 1] : NULL;
    if (newest && newest->last >= newest->first && newest->last <= seq) {
        rotate_and_wait(j);
    }
    size_t n = 0; /* never the newest */
    while (n + 1 < j->n_files && j->files[n].last <= seq) {
        n++;
    }
    size_t removed = 0;
    for (; removed < n; removed++) {
        char path[PATH_MAX];
        pl__journal_path(path, j->dir, j->files[removed].first);
        if (unlink(path) != 0 && errno != ENOENT) {
            rc = pl_errno(errno);
            break;
        }
        j->bytes -= j->files[removed].bytes;
    }
    if (removed) {
        j->n_files -= removed;
        memmove(j->files, j->files + removed, j->n_files * sizeof *j->files);
    }
    pthread_mutex_unlock(&j->lock);
    if (removed && rc >= 0 && j->conf.sync) {
        rc = pl_dir_sync(j->dir);
    }
    return rc;
}

void pl_journal_close(struct pl_journal *j)
{
    if (!j) {
        return;
    }
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    j->open = NULL;
    pthread_cond_signal(&j->wake);
    pthread_cond_broadcast(&j->done);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    for (struct pl_node *node = j->kept, *next; node; node = next) {
        next = node->next;
        pl_frame_free((struct pl_frame *)node);
    }
    journal_free(j);
}
