/* The store of Perilune inside your program, without a server. The directory is the same as that of
 * `perilune serve --data`, which may open it when you have closed it.
 *
 *     struct pl_embed *e;
 *     uint32_t id;
 *     struct pl_embed_label labels[] = {{"__name__", "up"}, {"job", "a"}};
 *     pl_embed_open("data", NULL, &e, why, sizeof(why));
 *     pl_embed_series(e, labels, 2, &id);
 *     pl_embed_write(e, &id, &t, &v, 1);            durable when it returns
 *     pl_embed_close(e);
 *
 * All functions may be called on any thread, many at once; a selection belongs to one thread at a
 * time. They return 0, or < 0: a code of perilune/err.h. */
#ifndef PERILUNE_STORE_H
#define PERILUNE_STORE_H
#include "perilune/err.h"
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

struct pl_embed;
struct pl_embed_selection;

/** Both NUL-terminated UTF-8. The metric's name is the label __name__. */
struct pl_embed_label {
    const char *name, *value;
};
enum pl_embed_match {
    PL_EMBED_EQ, /* label equals value; the value "" stands for: no such label */
    PL_EMBED_NE,
    PL_EMBED_RE, /* matches the regular expression (RE2's language) as a whole */
    PL_EMBED_NRE,
};
struct pl_embed_matcher {
    enum pl_embed_match kind;
    const char *name, *value;
};
struct pl_embed_conf {
    const char *tenant;   /* NULL: "default"; made if it is new */
    int64_t retention_ms; /* 0: for ever; default 30 days */
    int process_durable;  /* 1: written, not synced: survives the end of the process only */
};
void pl_embed_conf_default(struct pl_embed_conf *conf);

/** Open or create a directory; reads the journal again. @param conf  NULL: the default
 *  @param why  path and reason. PL_EIO, PL_ECORRUPT, PL_EBUSY (open elsewhere), PL_ENOMEM. */
int pl_embed_open(const char *dir, const struct pl_embed_conf *conf, struct pl_embed **out,
                  char *why, size_t n_why);
/** Flushes. No other call may run. NULL is fine. */
void pl_embed_close(struct pl_embed *e);

/** A number for a series, which is made if it is new; valid until close. Ask once and keep it: each
 *  call gives a further one. PL_EINVAL (labels), PL_ELIMIT, PL_ENOMEM. */
int pl_embed_series(struct pl_embed *e, const struct pl_embed_label *labels, size_t n_labels,
                    uint32_t *id);
/** Write n samples as columns, all or nothing; blocks until they are durable and can be read.
 *  @param t  ms since the epoch. Of two samples with one series and time the later written counts.
 *  PL_EINVAL (an id that is none), PL_ETOOOLD, PL_EFUTURE (over a day ahead), PL_ENOSPC, PL_EBUSY,
 * PL_EREADONLY, PL_EIO, PL_ENOMEM, PL_ELIMIT (8M samples). */
int pl_embed_write(struct pl_embed *e, const uint32_t *ids, const int64_t *t, const double *v,
                   size_t n);
/** All that was written is in the store's columns, and the journal short, when it returns. */
int pl_embed_flush(struct pl_embed *e);

/** The series that match all n matchers and may have samples in [t0, t1], ms, both inclusive.
 *  PL_EPARSE, PL_ELIMIT (a bad regular expression), PL_ENOMEM. */
int pl_embed_select(struct pl_embed *e, const struct pl_embed_matcher *m, size_t n, int64_t t0,
                    int64_t t1, struct pl_embed_selection **out);
size_t pl_embed_count(const struct pl_embed_selection *s);
/** `name{a="b"}` of series i, NUL-terminated; borrowed until the next call with s. NULL: out of
 *  memory. */
const char *pl_embed_labels(struct pl_embed_selection *s, size_t i);
/** Samples of series i in [t0, t1]: times ascending and unique; columns of *n, borrowed until the
 *  next call with s. Numbers only: native histograms, which a server may have stored, are left out.
 * PL_EINVAL (i), PL_ECORRUPT, PL_ENOMEM. */
int pl_embed_read(struct pl_embed_selection *s, size_t i, int64_t t0, int64_t t1, const int64_t **t,
                  const double **v, size_t *n);
void pl_embed_selection_free(struct pl_embed_selection *s); /* before pl_embed_close */

#ifdef __cplusplus
}
#endif
#endif
