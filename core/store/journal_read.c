/* Replay: one thread reads files and checks CRCs, the caller's takes whole frames from it. Handed
 * over are small lists of frames whose payloads stay where they were read; how far the reader may
 * run ahead is limited in bytes. */
#include "core/store/journal_impl.h"
#include <stdlib.h>

#define LIST_FRAMES 128
#define LIST_BYTES  ((size_t)256 << 10)
#define AHEAD_BYTES ((size_t)32 << 20)

struct list {
    struct pl_node node;
    struct pl__journal_data *data; /* counted once per list */
    size_t n, bytes;
    struct {
        struct pl__frame_head head;
        const uint8_t *payload;
    } frame[LIST_FRAMES];
};

struct replay {
    struct pl__journal_walk *w;
    int (*each)(void *ctx, const struct pl_frame *f);
    void *ctx;
    int rc;               /* of the walk; read after the join */
    struct list *filling; /* reader */
    struct pl_queue queue;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t room;
    size_t ahead;
    bool stop;
};

static void list_free(struct list *l)
{
    pl__journal_data_unref(l->data);
    free(l);
}

/** Reader: hand over, then wait until there is room. */
static int hand_over(struct replay *r)
{
    struct list *l = r->filling;
    r->filling = NULL;
    pthread_mutex_lock(&r->lock);
    r->ahead += l->bytes;
    pl_queue_push(&r->queue, &l->node);
    while (r->ahead > AHEAD_BYTES && !r->stop) {
        pthread_cond_wait(&r->room, &r->lock);
    }
    int rc = r->stop ? PL_ECANCELED : 0;
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static int reader_each(void *ctx, const struct pl__frame_head *h, const uint8_t *payload,
                       struct pl__journal_data *data)
{
    struct replay *r = ctx;
    int rc = 0;
    if (r->filling && (r->filling->data != data || r->filling->n == LIST_FRAMES ||
                       r->filling->bytes > LIST_BYTES)) {
        rc = hand_over(r);
    }
    if (!r->filling) {
        r->filling = malloc(sizeof *r->filling);
        if (!r->filling) {
            return PL_ENOMEM;
        }
        r->filling->n = r->filling->bytes = 0;
        r->filling->data = data;
        __atomic_add_fetch((int *)&data->refs, 1, __ATOMIC_RELAXED);
    }
    struct list *l = r->filling;
    l->frame[l->n].head = *h;
    l->frame[l->n].payload = payload;
    l->n++;
    l->bytes += h->n + PL__FRAME_HEAD;
    return rc;
}

static void *reader(void *arg)
{
    struct replay *r = arg;
    r->rc = pl__journal_walk(r->w);
    if (r->filling && r->rc >= 0) {
        hand_over(r);
    }
    pl_queue_close(&r->queue);
    return NULL;
}

/** Consumer: all frames of a list; < 0 as each said. */
static int consume(struct replay *r, const struct list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct pl__frame_head *h = &l->frame[i].head;
        struct pl_frame f = {.type = h->type,
                             .tenant = h->tenant,
                             .crc = h->crc,
                             .seq = h->seq,
                             .payload = {(uint8_t *)l->frame[i].payload, h->n, h->n, false}};
        int rc = r->each(r->ctx, &f);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int pl__journal_replay(struct pl__journal_walk *w, int (*each)(void *ctx, const struct pl_frame *f),
                       void *ctx)
{
    struct replay r = {.w = w, .each = each, .ctx = ctx};
    pthread_t thread;
    w->each = reader_each;
    w->ctx = &r;
    pl_queue_init(&r.queue);
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.room, NULL);
    int rc = pl_thread_start(&thread, "journal-read", reader, &r);
    bool started = rc >= 0;
    struct pl_node *node;
    while (started && (node = pl_queue_take_one(&r.queue, -1))) {
        struct list *l = (struct list *)node;
        rc = rc < 0 ? rc : consume(&r, l);
        pthread_mutex_lock(&r.lock);
        r.ahead -= l->bytes;
        r.stop = rc < 0;
        pthread_cond_signal(&r.room);
        pthread_mutex_unlock(&r.lock);
        list_free(l);
    }
    if (started) {
        pthread_join(thread, NULL);
        rc = rc < 0 ? rc : r.rc;
    }
    if (r.filling) {
        list_free(r.filling);
    }
    pl_queue_fini(&r.queue);
    pthread_mutex_destroy(&r.lock);
    pthread_cond_destroy(&r.room);
    return rc;
}
