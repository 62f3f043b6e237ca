/* A batch: what one request writes, as columns. Filled by a decoder on its loop, then handed over.
 * One request = one batch = one atomic frame group in the journal. */
#pragma once
#include "core/base/base.h"
#include "core/model/model.h"

struct pl_store;
struct pl_tenant;

#define PL_BATCH_MAX_SAMPLES (8u << 20)
#define PL_BATCH_MAX_BYTES   (256u << 20) /* of its histograms */

struct pl_batch {
    struct pl_node node; /* the store's */
    struct pl_tenant *tenant;
    uint32_t *id; /* n rows in order of arrival */
    int64_t *t;   /* ms */
    double *v; /* boxed values (model/histogram.h) refer to h: pl_batch_bytes. A plain double that
                  carries the tag may be written too: pl_batch_write boxes it. So the applied
                  hook finds every tagged value boxed, decoders need not care */
    struct pl_buf h; /* bytes of histograms: pl_batch_add_histogram */
    size_t n, cap;
    int64_t t_min, t_max; /* what is accepted now: [now - retention, now + future limit] */
    void *user;           /* the caller's */
    void (*done)(struct pl_batch *b, int err);
    uint64_t seq;               /* of its frame, when done */
    uint32_t generation;        /* pl_tenant_generation when it was made: an id from a cache that is
                                   of another generation must not be put into it */
    const uint64_t *was_new;    /* only inside the applied hook: a bit a row (store.h) */
    struct pl_batch_more *more; /* metadata, idempotency, the encoded frame: the store's */
};

/** Empty batch; any thread. PL_ENOMEM, PL_EBUSY (too much waits already: answer 429), PL_ENOSPC
 *  (507), PL_EREADONLY (503), PL_ECLOSED. Asking early costs nothing and refuses early. Ids are
 *  interned, or taken from a cache, after it was made: while it lives they do not end. */
int pl_batch_new(struct pl_tenant *t, struct pl_batch **out);
/** A key given to pl_batch_idem that was not written is given up (pl_idem_abort, PL_ECANCELED). */
void pl_batch_free(struct pl_batch *b);
/** Room for `more` further rows: then write id, t, v at [n] and raise n yourself. PL_ENOMEM,
 * PL_ELIMIT. */
int pl_batch_reserve(struct pl_batch *b, size_t more);

/** One sample. 0, PL_ETOOOLD, PL_EFUTURE (not added: report it), PL_ENOMEM, PL_ELIMIT. */
static inline int pl_batch_add(struct pl_batch *b, uint32_t id, int64_t t, double v)
{
    if (__builtin_expect(t < b->t_min || t > b->t_max, 0)) {
        return t < b->t_min ? PL_ETOOOLD : PL_EFUTURE;
    }
    if (__builtin_expect(b->n == b->cap, 0)) {
        int e = pl_batch_reserve(b, 1);
        if (e < 0) {
            return e;
        }
    }
    b->id[b->n] = id, b->t[b->n] = t, b->v[b->n] = v;
    b->n++;
    return 0;
}

/** One native histogram; its bytes are copied. As pl_batch_add; PL_EINVAL when it is not sound
 *  (pl_histogram_check says why), PL_ELIMIT over PL_BATCH_MAX_BYTES. A staleness marker is no
 *  histogram: add it as the float that it is. */
int pl_batch_add_histogram(struct pl_batch *b, uint32_t id, int64_t t,
                           const struct pl_histogram *h);
/** The bytes of a boxed value of a batch that was written (in the applied hook, in done); empty for
 *  others. */
pl_str pl_batch_bytes(const struct pl_batch *b, double boxed);
/** An exemplar of a series, kept in the tenant's bounded ring in memory once the batch is durable.
 *  labels: canonical. 0, PL_ENOMEM. */
int pl_batch_exemplar(struct pl_batch *b, uint32_t id, pl_str labels, int64_t t, double v);

/** Id of the series with these canonical labels, made if new (its definition is then queued for
 *  the journal before any other thread can see the id). Any thread.
 *  @param hash  pl_labels_hash(canon)
 *  @return 0 known, 1 new, PL_ELIMIT (too many series), PL_ENOMEM */
int pl_tenant_intern(struct pl_tenant *t, pl_str canon, struct pl_hash128 hash, uint32_t *id);
/** Append canonical labels of an id. PL_ENOTFOUND. Any thread. */
int pl_tenant_labels(struct pl_tenant *t, uint32_t id, struct pl_buf *out);

/** Metadata to keep with this batch; unchanged metadata costs a look-up and is not written again.
 */
int pl_batch_metadata(struct pl_batch *b, const struct pl_metadata *m);

/* Idempotency: (tenant, producer, key), kept 24 h, over restarts.
 *
 *   switch (pl_idem_begin(t, producer, key, &waiter, &reply)) {
 *   case PL_IDEM_NEW:  decode; pl_batch_idem(b, producer, key, reply); pl_batch_write(b, done)
 *                      (a write that fails, or pl_idem_abort, wakes the waiters with the error)
 *   case PL_IDEM_DONE: answer with the stored reply
 *   case PL_IDEM_WAIT: the first copy is in flight: waiter->done comes later, on any thread */
enum pl_idem { PL_IDEM_NEW, PL_IDEM_DONE, PL_IDEM_WAIT };
struct pl_idem_waiter {
    struct pl_node node;
    void (*done)(struct pl_idem_waiter *w, int err, pl_str reply);
    void *user;
};
int pl_idem_begin(struct pl_tenant *t, pl_str producer, pl_str key, struct pl_idem_waiter *w,
                  struct pl_buf *reply);
void pl_idem_abort(struct pl_tenant *t, pl_str producer, pl_str key, int err);
/** The reply (at most 64 KB) is stored in the batch's own frame. */
int pl_batch_idem(struct pl_batch *b, pl_str producer, pl_str key, pl_str reply);
/** Highest durable sequence of a stream producer; 0 if unknown. Streams use key = decimal
 *  sequence, ascending by one; only the highest is kept. */
uint64_t pl_idem_last(struct pl_tenant *t, pl_str producer);
int pl_batch_stream_seq(struct pl_batch *b, pl_str producer, uint64_t seq);

/** Hand over: encodes the frame here (the caller's thread), queues it; b belongs to the store.
 *  `done(b, err)` is called exactly once, on the apply thread, and must then free b or pass it on:
 *  0 = durable and visible; PL_EBUSY, PL_EIO, PL_EREADONLY, PL_ENOSPC, PL_ECLOSED, PL_ENOMEM,
 *  PL_ELIMIT (too many days, too large) = none of it is. A batch with nothing in it is fine. */
void pl_batch_write(struct pl_batch *b, void (*done)(struct pl_batch *b, int err));
