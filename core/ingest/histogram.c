/* What the forms of native histograms have in common: scratch, and the way into the batch. Thread:
 * the loop that owns the pl_ingest. */
#include "core/ingest/histogram.h"

void pl__histogram_fini(struct pl_ingest_histogram *s)
{
    for (int i = 0; i < 2; i++) {
        pl_buf_fini(&s->spans[i]);
        pl_buf_fini(&s->counts[i]);
        pl_buf_fini(&s->deltas[i]);
    }
    pl_buf_fini(&s->bounds);
    pl_buf_fini(&s->picked);
}

void pl__histogram_clear(struct pl_ingest_histogram *s)
{
    for (int i = 0; i < 2; i++) {
        pl_buf_clear(&s->spans[i]);
        pl_buf_clear(&s->counts[i]);
        pl_buf_clear(&s->deltas[i]);
    }
    pl_buf_clear(&s->bounds);
}

static struct pl_hbuckets buckets(const struct pl_buf *spans, const struct pl_buf *counts)
{
    return (struct pl_hbuckets){.spans = (const struct pl_hspan *)spans->p,
                                .count = (const double *)counts->p,
                                .n_spans = (uint32_t)(spans->n / sizeof(struct pl_hspan)),
                                .n = (uint32_t)(counts->n / sizeof(double))};
}

int pl__histogram_arrays(const struct pl_ingest_histogram *s, struct pl_histogram *out)
{
    out->pos = buckets(&s->spans[0], &s->counts[0]);
    out->neg = buckets(&s->spans[1], &s->counts[1]);
    out->bounds = (const double *)s->bounds.p;
    out->n_bounds = (uint32_t)(s->bounds.n / sizeof(double));
    bool failed = s->bounds.failed;
    for (int i = 0; i < 2; i++) {
        failed |= s->spans[i].failed || s->counts[i].failed || s->deltas[i].failed;
    }
    return failed ? PL_ENOMEM : 0;
}

int pl__histogram_add(struct pl_batch *b, struct pl_ingest_report *r, uint64_t at, uint32_t id,
                      int64_t t, const struct pl_histogram *h)
{
    const char *why = NULL;
    int e;
    if (pl_is_stale(h->sum)) {
        e = pl_batch_add(b, id, t, h->sum);
    } else {
        e = pl_histogram_check(h, &why);
        if (e < 0) {
            pl_report_reject(r, at, PL_REJECT_HISTOGRAM, 1, "%s", why);
            return 0;
        }
        e = pl_batch_add_histogram(b, id, t, h);
    }
    return e < 0 && pl__rejected(r, at, e, 1, NULL) ? 0 : e;
}
