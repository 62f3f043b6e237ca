/* The journal's inside: shared by journal.c (any thread) and journal_write.c (the journal thread).
 */
#pragma once
#include "core/store/frame.h"
#include "core/store/journal.h"
#include "core/store/journal_file.h"

struct pl_journal {
    struct pl_journal_conf conf;
    char *dir;
    pthread_t thread;

    pthread_mutex_t
        lock;            /* of what follows; taken under a series shard's lock, takes none itself */
    pthread_cond_t wake; /* the journal thread waits */
    pthread_cond_t done; /* who waits for the journal thread: cuts */
    struct pl_node *head, **tail;
    struct pl_frame *open; /* DEFINE frame at the queue's end that still takes definitions */
    struct pl_define_writer define;
    bool stop, full;
    bool idle;                      /* the journal thread sleeps */
    uint64_t cut_asked, cut_done;   /* requests to put an empty file in place of the newest */
    struct pl__journal_file *files; /* oldest first; the last one may be open for writing */
    size_t n_files, cap_files;

    _Atomic size_t waiting;
    _Atomic uint64_t last_seq, bytes;
    _Atomic int state;

    /* the journal thread's own */
    int fd;            /* of the newest file, or -1: made with the next group */
    uint64_t at, size; /* end of the last good frame; end of the preallocated part */
    uint64_t next_seq;
    bool marked;          /* the last frame is a mark */
    struct pl_node *kept; /* definitions of failed groups, written before anything else */
    struct pl_node **kept_tail;
    struct iovec *iov;
    uint8_t *heads;
    size_t cap_iov;

    struct pl_counter *n_groups, *n_frames, *n_bytes, *n_errors, *n_damaged;
    struct pl_histo *sync_seconds;
};

/** The journal thread. */
void *pl__journal_run(void *arg);
/** With the lock held: note a new newest file. PL_ENOMEM. */
int pl__journal_add_file(struct pl_journal *j, const struct pl__journal_file *f);
/** Walk with a thread that reads ahead; w->each and w->ctx are set here. `each` runs on the calling
 *  thread. Returns and leaves in w what pl__journal_walk does; what `each` said comes first. */
int pl__journal_replay(struct pl__journal_walk *w, int (*each)(void *ctx, const struct pl_frame *f),
                       void *ctx);
